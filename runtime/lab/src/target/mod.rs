//! What brings the switches of a fabric up: the embedded ones of this crate, or real BMv2 processes elsewhere.
//!
//! Scenarios see only a [`Plant`]: where each switch is controlled, and the cable that ends at each seat.

pub mod embedded;
pub mod tofino;

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;

use crate::error::LabError;
use crate::host::Wire;
use crate::topology::{PortRef, Topology};

pub use embedded::Embedded;
pub use tofino::TofinoServer;

/// A boxed future, so that targets can be chosen at run time.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A switch that stands still; it goes on when this is dropped.
pub type Stalled = Box<dyn Send>;

/// A way to bring switches up.
pub trait Target: Send + Sync {
    /// What kind of switch it is, in a word or two.
    fn name(&self) -> &str;

    /// The rate of a scenario's streams, in packets per second, that its switches carry with ease.
    ///
    /// What is not said otherwise is more than the 1,000 that are claimed, since a loaded machine sends late.
    fn stream_rate(&self) -> u32 {
        1_250
    }

    /// What an agent is told of such a switch beside its address: fields of `switch` in its configuration, each on a line of
    /// its own. Files that they name go into `directory`, which lasts as long as the fabric.
    fn switch_fields(&self, _directory: &Path) -> io::Result<String> {
        Ok(String::new())
    }

    /// Bring up the switches of a topology, cabled, without a pipeline.
    fn build<'a>(&'a self, topology: &'a Topology) -> BoxFuture<'a, Result<Box<dyn Plant>, LabError>>;
}

/// Switches that run.
pub trait Plant: Send + Sync {
    /// Where the P4Runtime server of a switch listens, as a URL.
    fn control(&self, switch: &str) -> Option<String>;

    /// The host's end of the cable at a seat. Given out once.
    fn take_wire(&mut self, seat: &PortRef) -> Option<Wire>;

    /// Pull the cable out of a seat's switch port, or put it back.
    fn set_link<'a>(&'a self, seat: &'a PortRef, up: bool) -> BoxFuture<'a, Result<(), LabError>>;

    /// Stop a switch where it is, as by SIGSTOP, until the value is dropped.
    fn stall<'a>(&'a self, _switch: &'a str) -> BoxFuture<'a, Result<Stalled, LabError>> {
        Box::pin(async { Err(LabError::NotHere("stall a switch")) })
    }

    /// Kill a switch and start it again at the same address, without a program.
    fn restart<'a>(&'a self, _switch: &'a str) -> BoxFuture<'a, Result<(), LabError>> {
        Box::pin(async { Err(LabError::NotHere("restart a switch")) })
    }

    /// Stop the switches and wait until they have stopped.
    fn shutdown(self: Box<Self>) -> BoxFuture<'static, ()>;
}
