//! Facts: what the driver tells the state machine.

use std::net::IpAddr;

use crate::ids::{AccessId, FrameId, HostKey, Location, VtepAddr};
use crate::message::Message;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A host was heard on an access interface (punts with reason `LEARN` or `MOVE`).
    Heard(Heard),
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
    },
    /// The access interface lost its link: whoever was behind it is gone.
    PortDown {
        /// Which one.
        port: AccessId,
    },
    /// The access interface has its link back. Nothing is assumed until hosts are heard.
    PortUp {
        /// Which one.
        port: AccessId,
    },
    /// The switch saw no frame from the host for the ageing time.
    Idle {
        /// Which host.
        host: HostKey,
    },
    /// A session with the peer is up. The machine answers with a full list of its hosts, and expects the peer's.
    PeerUp {
        /// The peer.
        peer: VtepAddr,
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
        /// Its addresses, if the driver has kept them.
        addresses: Vec<IpAddr>,
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
    /// The frame, if it is held: the switch has not forwarded it. It gets exactly one `Release` or `Drop`.
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
    /// Duplicate address detection: an ARP with sender 0.0.0.0 or a neighbour solicitation from `::`. Never a claim, and its
    /// address is never taken for the host's.
    Dad,
}
