//! Decisions: what the driver must do.

use std::net::IpAddr;

use vouch_net::{MacAddr, Vni};

use crate::inout::message::Message;
use crate::inout::report::Report;
use crate::inout::view::{BindingView, HostView};
use crate::words::ids::{FrameId, HostKey, Location, QuestionId, VtepAddr};

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
    /// Make the switch's binding of the address be this; `None`: it has none.
    Bind {
        /// In which VNI.
        vni: Vni,
        /// Which address.
        address: IpAddr,
        /// Whose it is.
        binding: Option<BindingView>,
    },
    /// Ask the host for signs of life.
    Probe(Probe),
    /// Find out whether all that the host may have said has been heard, and tell by [`Event::Checked`](crate::Event::Checked).
    Check {
        /// Which question.
        question: QuestionId,
        /// Who was asked.
        host: HostKey,
        /// Where.
        via: Location,
    },
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
    /// Answer a held request in the name of who has the address, out of the place that it came in by; then forget it.
    Answer {
        /// Which request.
        frame: FrameId,
        /// What it asks for.
        target: IpAddr,
        /// Who has that.
        mac: MacAddr,
    },
    /// Forget a held frame.
    Drop {
        /// Which frame.
        frame: FrameId,
    },
    /// Tell the operator.
    Report(Report),
}

/// An ARP request or neighbour solicitation for each of `targets`, in a frame to the host's own MAC, never flooded (rule 2).
///
/// Who asks is for the driver to know (rule 1): a pair of gateway address and MAC that is true, or an address that nobody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The question it belongs to.
    pub question: QuestionId,
    /// Which of its rounds it is. Confirmed by [`Event::Asked`](crate::Event::Asked) once all its frames have left.
    pub round: u32,
    /// Whom to ask; the destination MAC of the frames.
    pub host: HostKey,
    /// Where to send the frames: exactly there.
    pub via: Location,
    /// Whether that is where the host is recorded, so that any frame of its is seen. If not, only what is sent to the probe MAC is.
    pub recorded: bool,
    /// The addresses to ask for, at least one.
    pub targets: Vec<IpAddr>,
}
