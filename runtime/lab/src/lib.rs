//! A fabric in one process, the scenarios it plays, and their measurement: the lab behind `vouch demo` and the tests.
//!
//! From the ground up: a [`process`] is a program that can be killed or stopped, [`host`] puts IP stacks on wires, [`traffic`] accounts for what they send, [`topology`] says who sits
//! where, a [`target`] brings the switches up, a [`fabric`] runs all of it with agents, [`scenario`] plays on a fabric and states
//! what it expects, a [`script`] is a scenario in a file, [`show`] puts it into words and tables, and [`demo`] is the command.
//!
//! Depends on the agent, the switch server and the protocol; nothing but commands and tests depends on it.

pub mod demo;
pub mod error;
pub mod expect;
pub mod fabric;
pub mod host;
pub mod log;
pub mod process;
pub mod scenario;
pub mod script;
pub mod show;
pub mod tables;
pub mod target;
pub mod topology;
pub mod traffic;

pub use demo::{DemoOptions, DemoOutcome};
pub use error::LabError;
pub use fabric::{Fabric, FabricOptions, Variant};
pub use host::{Announcement, Answers, Crowd, Habits, Host, HostGone, HostSpec, Stream, Wire};
pub use topology::Topology;
pub use traffic::{StreamReport, Traffic};
