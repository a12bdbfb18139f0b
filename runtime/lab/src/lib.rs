//! A fabric in one process, the scenarios it plays, and their measurement: the lab behind `vouch demo` and the tests.

pub mod host;
pub mod traffic;

pub use host::{Announcement, Host, HostGone, HostSpec, Stream, Wire};
pub use traffic::{StreamReport, Traffic};
