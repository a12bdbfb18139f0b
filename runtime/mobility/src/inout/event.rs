//! Facts: what the driver tells the state machine.

use std::net::IpAddr;

use vouch_net::MacAddr;

use crate::inout::detail::Clear;
use crate::inout::message::Message;
use crate::words::ids::{AccessId, FrameId, HostKey, Location, QuestionId, VtepAddr};
use crate::words::time::Instant;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A host was heard on an access interface (punts with reason `LEARN`, `MOVE` or `BINDING`).
    Heard(Heard),
    /// A host asks for the owner of an address, and the switch has not passed that on (punts with reason `REQUEST`).
    Requested {
        /// Who asks.
        host: HostKey,
        /// Where it was heard.
        port: AccessId,
        /// The addresses that the request says are the asker's.
        address: Option<IpAddr>,
        /// What it asks for.
        target: IpAddr,
        /// The request. It gets exactly one `Answer`, `Release` or `Drop`.
        frame: FrameId,
    },
    /// A probe has left: the switch has taken it and handed it to the port (punts with reason `SENT`).
    Asked {
        /// Who was asked.
        host: HostKey,
        /// Which question.
        question: QuestionId,
        /// Which of its rounds.
        round: u32,
    },
    /// The host answered a probe: a frame from its MAC to the probe MAC (punts with reason `PROBE_REPLY`).
    ProbeAnswered {
        /// Who answered: the source of the frame.
        host: HostKey,
        /// Where the answer came in. One from another place than was asked is no answer.
        from: Location,
        /// The address it answered for.
        address: IpAddr,
    },
    /// Any frame from a host whose view has `watch` (punts with reason `ALIVE`).
    SeenAtRecordedPort {
        /// The source of the frame.
        host: HostKey,
        /// Where it came in.
        port: AccessId,
        /// The address that it says is its own, if it is ARP or neighbour discovery.
        address: Option<IpAddr>,
    },
    /// The answer to [`Action::Check`](crate::Action::Check).
    Checked {
        /// Who was asked.
        host: HostKey,
        /// The question it was about.
        question: QuestionId,
        /// Whether everything that the host said since the question began must have been heard: the switch answers, its session is the same,
        /// nothing that could have been an answer was policed away or dropped on the way, and whatever came before has been told.
        complete: bool,
    },
    /// The access interface lost its link: whoever was behind it is gone.
    PortDown {
        /// Which one.
        port: AccessId,
    },
    /// The access interface has its link (back). Nothing is assumed until hosts are heard.
    PortUp {
        /// Which one.
        port: AccessId,
    },
    /// Whether the access interface has a link is not known any more: the stream that tells has broken, or the switch is another one.
    PortUnknown {
        /// Which one.
        port: AccessId,
    },
    /// The switch saw no frame from the host for the ageing time.
    Idle {
        /// Which host.
        host: HostKey,
    },
    /// A session with the peer is up. The driver then pulls the list of hosts ([`Mobility::poll_sync`](crate::Mobility::poll_sync)).
    PeerUp {
        /// The peer.
        peer: VtepAddr,
        /// Its probe MAC: no host may pass for it.
        probe_mac: Option<MacAddr>,
    },
    /// The session with the peer is gone, and with it messages in either direction may be lost.
    ///
    /// A driver that had to discard a message (a full queue) must close the session and say so with this event.
    PeerDown {
        /// The peer.
        peer: VtepAddr,
    },
    /// A message from a peer whose session is up.
    Message {
        /// The peer, as authenticated by the session.
        from: VtepAddr,
        /// What it said.
        message: Message,
    },
    /// An entry that the switch had when the driver started. All of them come before the first [`Event::PeerUp`].
    Restored {
        /// Which host.
        host: HostKey,
        /// Where the switch sends its traffic.
        location: Location,
        /// Whether that is also what it does with what comes out of other tunnels: the host had left from here just before, or been claimed here,
        /// and observers may still send its traffic this way (B8).
        passed_on: bool,
    },
    /// A binding that the switch had when the driver started; after the [`Event::Restored`] of its host.
    RestoredBinding {
        /// Whose address.
        host: HostKey,
        /// The address.
        address: IpAddr,
        /// Whether it was confirmed ([`BindingView::confirmed`](crate::BindingView)).
        confirmed: bool,
    },
    /// An orchestrator says that a host is about to move (B15).
    MoveExpected {
        /// Which host.
        host: HostKey,
        /// Where it is going: an access interface of this VTEP, or another VTEP.
        to: Location,
        /// Until when that is believed.
        until: Instant,
    },
    /// An operator says where a contested host belongs: the other place's claim is refused.
    Settle {
        /// Which host.
        host: HostKey,
        /// Where.
        keep: Location,
    },
    /// An operator wants to know whether a host of this VTEP answers. It is asked as it is from time to time in any case; nothing but what is
    /// known of its answering comes of it.
    AskNow {
        /// Which host.
        host: HostKey,
    },
    /// An operator has the past of a host forgotten.
    Clear {
        /// Which host.
        host: HostKey,
        /// What of it.
        what: Clear,
    },
    /// An operator takes this VTEP out of use, or back into it.
    ///
    /// Peers are not told any more of the hosts that it has: they get lists without them ([`Mobility::poll_sync`](crate::Mobility::poll_sync) to be
    /// pulled for each), forget them, and learn such a host anew, without a question, wherever it is heard next. Here nothing changes: the hosts
    /// stay in the switch, claims are verified as ever, and a host that somebody else says he has is asked. If it answers here it has not
    /// gone: that is reported, and peers are told of it again, with a sequence that outranks the other's word.
    Drain {
        /// Out of use.
        on: bool,
    },
}

/// A host heard on an access interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The source of the frame.
    pub host: HostKey,
    /// Where it came in.
    pub port: AccessId,
    /// What kind of frame it was.
    pub evidence: Evidence,
    /// The IP addresses that the frame says are the host's (ARP sender, neighbour source or target); never of [`Evidence::Dad`].
    pub addresses: Vec<IpAddr>,
    /// Whose address the frame asks for, if it asks for another's (ARP request, neighbour solicitation). A host that knows nobody yet speaks like that
    /// first.
    pub target: Option<IpAddr>,
    /// The frame, if it is held: the switch has not forwarded it. It gets exactly one `Release`, `Drop` or `Answer`.
    pub frame: Option<FrameId>,
}

/// The kind of frame a host was heard with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// ARP request, reply or gratuitous ARP with a sender address.
    Arp,
    /// RARP, as QEMU and ESXi announce a finished migration with. Carries no address.
    Rarp,
    /// Neighbour advertisement or solicitation from an address of its own.
    Neighbour,
    /// Any other frame.
    Data,
    /// Duplicate address detection: an ARP with sender 0.0.0.0 or a neighbour solicitation from `::`. Never a claim, never a host, and its
    /// address is never taken for the host's (rule 12).
    Dad,
}
