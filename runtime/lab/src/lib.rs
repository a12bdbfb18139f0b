//! A fabric in one process, the scenarios it plays, and their measurement: the lab behind `vouch demo` and the tests.
//!
//! From the ground up: [`host`] puts IP stacks on wires, [`traffic`] accounts for what they send, [`topology`] says who sits
//! where, a [`target`] brings the switches up, and [`show`] puts what happens into words.
//!
//! Depends on the agent, the switch server and the protocol; nothing but commands and tests depends on it.

pub mod error;
pub mod expect;
pub mod host;
pub mod log;
pub mod show;
pub mod tables;
pub mod target;
pub mod topology;
pub mod traffic;

pub use error::LabError;
pub use host::{Announcement, Host, HostGone, HostSpec, Stream, Wire};
pub use topology::Topology;
pub use traffic::{StreamReport, Traffic};
