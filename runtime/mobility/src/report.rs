//! What an operator may want to know.

use std::time::Duration;

use crate::ids::{AccessId, HostKey, Location, VtepAddr};

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
    /// The port has as many hosts or claims as it may have; further ones are refused. Said once, and again after there was room.
    PortFull {
        /// Which port.
        port: AccessId,
    },
}

/// What made a new location credible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Because {
    /// The host was asked and did not answer in time.
    Silence,
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
