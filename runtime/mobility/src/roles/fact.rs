//! What can happen, as far as one host is concerned.

use std::net::IpAddr;
use std::time::Duration;

use crate::inout::event::Evidence;
use crate::inout::message::{Binding, Reply};
use crate::knowledge::damping;
use crate::roles::known::Announced;
use crate::words::ids::{AccessId, ClaimId, FrameId, HostKey, Location, QuestionId, VtepAddr};
use crate::words::sequence::Sequence;
use crate::words::time::Instant;

#[derive(Debug)]
pub(crate) enum Fact {
    /// It was heard on a port.
    Heard(HeardAt),
    /// It asks for somebody, on a port, and no verified binding answers that.
    Requests {
        port: AccessId,
        /// Its own, as it says.
        address: Option<IpAddr>,
        target: IpAddr,
        frame: FrameId,
    },
    /// A round of a question has left the switch.
    Left {
        question: QuestionId,
        round: u32,
    },
    /// The driver has checked that all was heard, or that it was not.
    Checked {
        question: QuestionId,
        complete: bool,
    },
    /// It answered at `from` for an address.
    Answered {
        from: Location,
        address: IpAddr,
    },
    /// A frame of its came from `port`.
    Seen {
        port: AccessId,
        address: Option<IpAddr>,
    },
    PortDown {
        port: AccessId,
    },
    Idle,
    /// A peer claims it from us.
    Claimed(Claimed),
    /// A peer has asked at the place that it claims it for.
    Standing {
        from: VtepAddr,
        claim: ClaimId,
        answers: bool,
    },
    /// A peer says that it has it.
    Told(Told),
    Replied {
        from: VtepAddr,
        reply: Reply,
    },
    /// A peer says that it does not have it.
    Withdrawn(Withdrawn),
    /// A peer believes that it is ours.
    Ours {
        bindings: Vec<Binding>,
        sequence: Sequence,
    },
    OwnerUp,
    OwnerDown,
    Restored {
        location: Location,
        passed_on: bool,
    },
    RestoredAddress {
        address: IpAddr,
        confirmed: bool,
    },
    /// It will move (B15).
    Expected {
        to: Announced,
        until: Instant,
    },
    /// An operator decides between its places.
    Settled {
        keep: Location,
    },
    /// An operator wants to know whether it answers.
    AskNow,
    /// Somebody else says that it has an address of this host's.
    AddressClaimed {
        address: IpAddr,
        by: AddressClaimant,
    },
    Due,
}

#[derive(Debug, Clone, Hash)]
pub(crate) struct HeardAt {
    pub(crate) port: AccessId,
    pub(crate) evidence: Evidence,
    pub(crate) addresses: Vec<IpAddr>,
    /// An address that it says it has, and that is another's.
    pub(crate) disputed: Option<IpAddr>,
    pub(crate) frame: Option<FrameId>,
}

impl HeardAt {
    /// It answered a question there.
    pub(crate) fn answer(port: AccessId, address: IpAddr) -> Self {
        Self::arp(port, Some(address), None)
    }

    /// It spoke there by ARP or neighbour discovery. No `address`: it named none, or one that is another's.
    pub(crate) fn arp(port: AccessId, address: Option<IpAddr>, frame: Option<FrameId>) -> Self {
        let addresses = address.into_iter().collect();
        Self { port, evidence: Evidence::Arp, addresses, disputed: None, frame }
    }

    /// Nothing is left of it but where it was.
    pub(crate) fn there(port: AccessId, addresses: Vec<IpAddr>) -> Self {
        Self { port, evidence: Evidence::Data, addresses, disputed: None, frame: None }
    }

    /// What is to be remembered of it, if it is not taken up now.
    pub(crate) fn claim(&self, host: HostKey, now: Instant) -> damping::Claim {
        damping::Claim { host, port: self.port, heard: now, addresses: self.addresses.clone() }
    }
}

#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) from: VtepAddr,
    pub(crate) claim: ClaimId,
    pub(crate) sequence: Sequence,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) tenure: Duration,
    pub(crate) damped: bool,
    pub(crate) taken: bool,
}

#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) from: VtepAddr,
    pub(crate) sequence: Sequence,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) how: How,
}

/// In what way a peer says that it has a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum How {
    /// Without migration attribute.
    Plain,
    /// In the list of all its hosts.
    Listed,
    /// Before the verdict.
    AtOnce,
    /// After the verdict of a peer.
    Verified { by: VtepAddr },
}

#[derive(Debug)]
pub(crate) struct Withdrawn {
    pub(crate) from: VtepAddr,
    pub(crate) sequence: Sequence,
    pub(crate) moved_to: Option<VtepAddr>,
}

/// Who wants to know whether a host still has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum AddressClaimant {
    /// A host of this VTEP.
    Here(HostKey),
    /// Another VTEP, for one of its hosts.
    Peer(VtepAddr, ClaimId),
}
