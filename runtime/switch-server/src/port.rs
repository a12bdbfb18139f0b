//! What a switch port is: frames in, frames out, up or down.
//!
//! The data plane knows nothing more about a port than this trait. An in-process [`Endpoint`](crate::Endpoint) implements
//! it, and so do the interfaces and files of `p4-switch`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;

use crate::frames::Frames;

/// One Ethernet frame by itself, without its frame check sequence.
pub type Frame = Vec<u8>;

/// The largest frame a port carries, in bytes.
pub const MAX_FRAME: usize = 65_535;

/// Whether a port can carry frames now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PortStatus {
    /// Frames pass.
    Up,
    /// The cable is out, or one side was shut down.
    Down,
}

impl PortStatus {
    /// The word that OpenConfig's `oper-status` has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            PortStatus::Up => "UP",
            PortStatus::Down => "DOWN",
        }
    }
}

impl std::fmt::Display for PortStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The other side of a port is gone for good: nothing will be received any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the port is closed")]
pub struct Closed;

/// Why a port did not take a frame. Ports count these themselves; the caller need not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The port is down, or the other side is gone.
    #[error("the port is down")]
    Down,
    /// The queue behind the port is full.
    #[error("the queue is full")]
    Full,
    /// The frame is longer than [`MAX_FRAME`].
    #[error("the frame is longer than {MAX_FRAME} bytes")]
    TooLong,
}

/// What one side of a port has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounters {
    /// Frames taken from the port.
    pub received: u64,
    /// Bytes taken from the port.
    pub received_bytes: u64,
    /// Frames that came in faster than they were taken, and did not fit the queue any more. Where the other end of the port
    /// counts these, as in [`link()`](crate::link()), this one does not.
    pub missed: u64,
    /// Frames given to the port and accepted.
    pub sent: u64,
    /// Bytes given to the port and accepted.
    pub sent_bytes: u64,
    /// Frames refused because the queue was full.
    pub dropped_full: u64,
    /// Frames refused, or lost in flight, because the port was down.
    pub dropped_down: u64,
    /// Frames lost because the link was told to lose some.
    pub dropped_loss: u64,
    /// Frames refused because they were longer than [`MAX_FRAME`].
    pub dropped_long: u64,
}

/// The future of [`Port::ready`].
pub type Ready<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The future of [`Port::receive`].
pub type Receive<'a> = Pin<Box<dyn Future<Output = Result<(), Closed>> + Send + 'a>>;

/// A switch port.
///
/// Reception waits and comes in batches, in memory that the receiver brings and reuses. Sending never waits, since a switch must
/// not stand still because of one slow neighbour: a port keeps a few frames that it cannot pass on yet, and drops and counts
/// more than these. One that keeps any says so when it is flushed, so that whoever sends has the next frames wait elsewhere
/// until the port is ready for them.
pub trait Port: Send + Sync + 'static {
    /// Wait for at least one frame, then append what is there to `batch`: at most `max` frames, or what came in as the last of
    /// them, if that is to be cut into several.
    ///
    /// Dropping the future loses no frame: a frame leaves the port only when the future completes.
    fn receive<'a>(&'a self, batch: &'a mut Frames, max: usize) -> Receive<'a>;

    /// Hand over one frame.
    fn send(&self, frame: &[u8]) -> Result<(), SendError>;

    /// Push out what [`send`](Port::send) may have gathered, and say whether all of it has gone. Called after each batch. A
    /// port that says no is not to be given more until it is [`ready`](Port::ready).
    fn flush(&self) -> bool {
        true
    }

    /// Wait until all that was given to the port has gone, or was dropped.
    fn ready(&self) -> Ready<'_> {
        Box::pin(std::future::ready(()))
    }

    /// The status, now and whenever it changes.
    fn status(&self) -> watch::Receiver<PortStatus>;

    /// What passed and what was dropped.
    fn counters(&self) -> PortCounters;
}

impl<P: Port + ?Sized> Port for Arc<P> {
    fn receive<'a>(&'a self, batch: &'a mut Frames, max: usize) -> Receive<'a> {
        (**self).receive(batch, max)
    }

    fn send(&self, frame: &[u8]) -> Result<(), SendError> {
        (**self).send(frame)
    }

    fn flush(&self) -> bool {
        (**self).flush()
    }

    fn ready(&self) -> Ready<'_> {
        (**self).ready()
    }

    fn status(&self) -> watch::Receiver<PortStatus> {
        (**self).status()
    }

    fn counters(&self) -> PortCounters {
        (**self).counters()
    }
}
