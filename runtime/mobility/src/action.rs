//! Decisions: what the driver must do.

use std::net::IpAddr;

use crate::ids::{FrameId, HostKey, Location, VtepAddr};
use crate::message::Message;
use crate::report::Report;
use crate::view::HostView;

/// Something to do. Actions are to be carried out in the order in which they are polled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make the switch's entries for the host be these, whatever they were; `None`: it has none.
    Install {
        /// Which host.
        host: HostKey,
        /// All the switch is to know about it.
        view: Option<HostView>,
    },
    /// Ask the host for signs of life.
    Probe(Probe),
    /// Send a message to a peer whose session is up.
    Send {
        /// The peer.
        to: VtepAddr,
        /// What to say.
        message: Message,
    },
    /// Let a held frame go on its way, as if it had just come in where it did.
    Release {
        /// Which frame.
        frame: FrameId,
    },
    /// Forget a held frame.
    Drop {
        /// Which frame.
        frame: FrameId,
    },
    /// Tell the operator.
    Report(Report),
}

/// An ARP request or neighbour solicitation for each of `targets`, in a frame to the host's own MAC, never flooded.
///
/// The sender is the VTEP's probe MAC with the VNI's probe address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Whom to ask; the destination MAC of the frames.
    pub host: HostKey,
    /// Where to send the frames: exactly there.
    pub via: Location,
    /// The addresses to ask for, at least one.
    pub targets: Vec<IpAddr>,
}
