//! BMv2's Thrift services, for its own command line and for everything that was written against it.
//!
//! They are a second door to the same switch: what is written here is read over P4Runtime where there is a P4Info, and the
//! other way round. They need none themselves, since they speak in the names of the program's JSON.
//!
//! # One request
//!
//! `server` accepts a connection and gives it a thread, as the reference does. The thread reads a message with the Apache
//! crate's binary protocol, strict or old, within bounds; its name says service and method (`standard:bm_mt_add_entry`). The
//! generated code of that service (`api`, made by `build.rs` of the interfaces in `thrift/`) takes the arguments apart, with
//! the help of `wire`, and calls a method of `services`, whose parts are `tables`, `dumps`, `direct`, `profiles`, `arrays`,
//! `parsing`, `management`, `multicast` and `simple_switch`. That takes hold of the switch, so that nobody else changes it
//! meanwhile, finds the objects by their names, translates keys, actions and rates (`keys`), and makes the engine's own
//! control call. What the reference numbers and the engine does not is kept in one place for each kind: `handles` for
//! entries, `replication` for multicast nodes. A refusal becomes the exception with the reference's code (`refusals`), or,
//! where it has none for it, an application exception that says why; either is a line in the log.
//!
//! This may depend on the server's [`Control`](vouch_switch_server::Control) and on the engine's control API, and on nothing
//! of P4Runtime but its helpers for byte strings.
//!
//! # Where it differs from the reference
//!
//! - Values come back as the engine keeps them: the bits behind a prefix or outside a mask are 0, and parameters have no more
//!   bits than the program gives them.
//! - A multicast group cannot make the same copy (port and instance) twice, and a committed rate cannot exceed the peak rate;
//!   the reference takes both.
//! - `bm_serialize_state` is refused; it has no exception of its own, which leaves an application exception.
//! - A new rate counts at once, also for packets that wait in the queue already: in the reference these leave at the rate that
//!   there was when they came. A queue's first packet does not wait for the rate's pause; there, it may.
//! - A program that is swapped in has no P4Info: P4Runtime's clients find no pipeline then.
//! - A mirroring session that P4Runtime has set is shown with its port, where it has one; the reference shows the multicast group
//!   that it makes for it.
//! - Digests are gathered for these clients where [notifications](crate::notifications) are published. Elsewhere what says how
//!   they are is taken, and has no effect.
//! - `bm_reset_state` brings back the entries that a program has from the start, and custom CRCs have the parameters they had then.

pub(crate) mod api;
mod arrays;
pub(crate) mod client;
mod direct;
mod document;
mod dumps;
mod handles;
pub(crate) mod keys;
mod management;
mod multicast;
mod numbered;
mod parsing;
mod profiles;
mod refusals;
mod replication;
mod server;
mod services;
mod simple_switch;
mod tables;
pub(crate) mod wire;

pub use server::Server;
pub use services::{About, Interface, Open, Services};
