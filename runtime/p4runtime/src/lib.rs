//! P4Runtime: the protocol's messages, the names of a P4 program, and a controller's session with one switch.
//!
//! - [`p4`], [`google`], [`gnmi`]: bindings generated from `proto/`, client and server.
//!
//! This crate knows the protocol and no particular P4 program.

mod proto;

pub use proto::{FILE_DESCRIPTOR_SET, gnmi, google, p4};
