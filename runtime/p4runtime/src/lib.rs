//! P4Runtime: the protocol's messages, the names of a P4 program, and a controller's session with one switch.
//!
//! - [`p4`], [`google`], [`gnmi`]: bindings generated from `proto/`, client and server.
//! - [`P4Info`]: ids, widths and match kinds by name; packet-in and packet-out metadata by name.
//! - [`value`]: byte strings of `bit<W>` values.
//! - [`client`]: a controller's session with one switch.
//! - [`describe`]: entities in words.
//! - [`tofino`]: the device configurations that servers of Tofino switches take.
//!
//! This crate knows the protocol and no particular P4 program.

pub mod client;
mod codec;
pub mod describe;
mod entity;
pub mod p4info;
mod proto;
pub mod tofino;
pub mod value;

pub use client::{Event, EventReceiver, Session, SessionConfig};
pub use p4info::P4Info;
pub use proto::{FILE_DESCRIPTOR_SET, gnmi, google, p4};
