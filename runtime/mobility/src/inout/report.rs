//! What an operator may want to know.

use std::net::IpAddr;
use std::time::Duration;

use vouch_net::Vni;

use crate::words::ids::{AccessId, HostKey, Location, VtepAddr};

/// Something worth telling. Reports decide nothing; a driver may drop them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A host that nobody knew was heard here.
    Learned {
        /// Which host.
        host: HostKey,
        /// Where.
        port: AccessId,
    },
    /// A host was heard at `port` although it is recorded at `recorded`; it is about to be asked.
    ClaimRaised {
        /// Which host.
        host: HostKey,
        /// Where it was heard.
        port: AccessId,
        /// Where the table has it.
        recorded: Location,
    },
    /// A verification by this VTEP began: the host is asked at `recorded`.
    VerificationStarted {
        /// Which host.
        host: HostKey,
        /// Where it is asked.
        recorded: Location,
        /// Where it is said to be now; `None`: it is only asked whether it is still there.
        claimed: Option<Location>,
    },
    /// A claim was refused: the host is still at `kept`. Reported by the VTEP that asked, and by the claimant.
    Stayed {
        /// Which host.
        host: HostKey,
        /// Where it is.
        kept: Location,
        /// Where it was said to be.
        claimed: Location,
        /// From claim to verdict, as seen here.
        took: Duration,
    },
    /// A host moved. One report per move and VTEP involved, however many addresses it has.
    Moved {
        /// Which host.
        host: HostKey,
        /// Where it was.
        from: Location,
        /// Where it is.
        to: Location,
        /// Why that is believed.
        because: Because,
        /// From claim to verdict, as seen here.
        took: Duration,
    },
    /// A host that no longer answers was forgotten.
    Removed {
        /// Which host.
        host: HostKey,
        /// Where it was.
        last: Location,
    },
    /// A port keeps claiming a host that answers elsewhere.
    Attack {
        /// Which host.
        host: HostKey,
        /// Behind which port the claims come from.
        port: AccessId,
        /// Refused claims within the configured time.
        refusals: u32,
        /// Whether the port is now shut for the host's MAC.
        quarantined: bool,
    },
    /// A claim is neither proved nor refuted; it waits for evidence (4a). Said once a claim.
    Unproven {
        /// Which host.
        host: HostKey,
        /// Where it is recorded.
        recorded: Location,
        /// Where it was said to be.
        claimed: Location,
        /// Why its silence proves nothing.
        why: WhyUnproven,
    },
    /// The host answers at two places (B12, B14). Said when it begins.
    Contested {
        /// Which host.
        host: HostKey,
        /// Where it is recorded, and for how long it has been.
        recorded: (Location, Duration),
        /// Where it answers as well, and for how long it was there before.
        claimed: (Location, Duration),
    },
    /// One of the places of a contested host fell silent, or somebody decided.
    Settled {
        /// Which host.
        host: HostKey,
        /// Where it is.
        kept: Location,
    },
    /// What was reported as an attack was the host's own way: it has moved there.
    AttackOver {
        /// Which host.
        host: HostKey,
        /// Behind which port.
        port: AccessId,
    },
    /// A host says that it has another's address (B10); the other is being asked.
    AddressClaimed {
        /// In which VNI.
        vni: Vni,
        /// Which address.
        address: IpAddr,
        /// Who has it.
        holder: HostKey,
        /// Who says that it has it.
        claimant: HostKey,
        /// Where the claimant was heard.
        port: AccessId,
    },
    /// Who has the address still has it, or nothing proves that it does not: the claim is refused.
    AddressKept {
        /// Which address.
        address: IpAddr,
        /// Who has it.
        holder: HostKey,
        /// Who said that it has it.
        claimant: HostKey,
        /// Where the claimant was heard.
        port: AccessId,
        /// Refused claims of this address from this port within the configured time: as many as make an attack, or fewer.
        refusals: u32,
    },
    /// Who had the address has given it up.
    AddressMoved {
        /// Which address.
        address: IpAddr,
        /// Who had it.
        from: HostKey,
        /// Who has it.
        to: HostKey,
    },
    /// The host answers here and at another VTEP: the address exists twice.
    Duplicate {
        /// Which host.
        host: HostKey,
        /// Where it answers here.
        port: AccessId,
        /// Who else has it.
        other: VtepAddr,
    },
    /// Soon after it was given away the host was heard at its old port: the move may have been a mistake. It is being checked.
    HeardAtOldPort {
        /// Which host.
        host: HostKey,
        /// Its old port.
        port: AccessId,
    },
    /// The owner of a claimed host does not reply; the host is asked through the tunnel.
    OwnerUnreachable {
        /// Which host.
        host: HostKey,
        /// The owner.
        owner: VtepAddr,
    },
    /// The host's sequence has reached its end: its moves can no longer be told apart. Let the host age out to start anew.
    SequenceExhausted {
        /// Which host.
        host: HostKey,
    },
    /// There is no room; what would need it is refused and counted. Said once, and again after there was room.
    Full {
        /// What is full.
        what: Full,
    },
    /// There is room again, and what was refused is asked for again.
    RoomAgain {
        /// What was full.
        what: Full,
    },
}

/// What can be full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Full {
    /// The hosts of an access interface.
    Hosts(AccessId),
    /// The undecided claims of an access interface.
    Claims(AccessId),
    /// The addresses of an access interface's hosts.
    Bindings(AccessId),
    /// What a VNI may have of all hosts.
    Vni(Vni),
    /// What a peer may have of all hosts.
    Peer(VtepAddr),
}

/// Why silence proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhyUnproven {
    /// No address is known that the host has answered for, or announced, at its port recently.
    NoConfirmedAddress,
    /// The switch has not confirmed that the questions left.
    NotAsked,
    /// Answers may have been lost on the way to the controller: policed, dropped, or the switch stalled.
    AnswersLost,
    /// More than one place claims the host, and none of them answers.
    NobodyAnswers,
    /// A move to another place has been announced, and has not been ruled out.
    ExpectedElsewhere,
    /// It is not known at which port the host was before this VTEP restarted.
    PortUnknown,
}

/// What made a new location credible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Because {
    /// The host was asked for an address that it was known to answer for, and did not answer in time (4a).
    Silence,
    /// Of all places that claim it, it answers at this one only (B14).
    OnlyAnswer,
    /// It had not been heard for the ageing time.
    Aged,
    /// The move had been announced, and an answer at the old place was overdue (B15).
    Expected,
    /// It answered at two places, and the configuration or the operator decided.
    Decided,
    /// The port it was recorded at went down.
    PortDown,
    /// The owner gave it up, and said so to this VTEP.
    OwnerSaid,
    /// The claimant or the old owner told this VTEP, which is neither.
    Told,
    /// Addresses like this are configured to move without being asked.
    TrustedMove,
    /// The owner was unreachable, the host silent, and the configuration says to accept that.
    Policy,
    /// Verification is switched off.
    Unverified,
}
