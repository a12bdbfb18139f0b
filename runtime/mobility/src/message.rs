//! What the agents of two VTEPs say to each other.
//!
//! ```text
//!   claimant                          owner                         observers
//!      │ Advertisement{Asked, N+1}      │                               │
//!      ├───────────────────────────────▶│  asks the host                │
//!      │ (AtOnce, N+1, if so configured)│                               │
//!      ├────────────────────────────────┼──────────────────────────────▶│
//!      │                                │                               │
//!      │          Reply{Stayed}         │  it answered: N+2             │
//!      │◀───────────────────────────────┼──────────────────────────────▶│ Advertisement{no migration, N+2}
//!      │          Reply{Moved}          │  silence                      │
//!      │◀───────────────────────────────┼──────────────────────────────▶│ Withdrawal{moved_to, N+1}
//!      │ Advertisement{Verified, N+1}   │                               │
//!      ├────────────────────────────────┼──────────────────────────────▶│
//! ```
//!
//! A session between two agents delivers in order or breaks. After a break both sides send all the hosts they own ([`Sync`]),
//! which makes good whatever was lost.

use std::net::IpAddr;

use crate::ids::{ClaimId, HostKey, VtepAddr};
use crate::sequence::Sequence;

/// A message from one agent to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The host is at the sender, or the sender has reason to think so.
    Advertisement(Advertisement),
    /// The answer to an advertisement that asked.
    Reply(Reply),
    /// The host is not at the sender, whatever an earlier advertisement said.
    Withdrawal(Withdrawal),
    /// Part of the list of all hosts that the sender owns.
    Sync(Sync),
}

/// "The host is behind me" (route advertisement).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertisement {
    /// Which host.
    pub host: HostKey,
    /// Its IP addresses, as far as the sender knows them.
    pub addresses: Vec<IpAddr>,
    /// Outranks every lower one for the same host.
    pub sequence: Sequence,
    /// The migration attribute: absent for ordinary learning.
    pub migration: Option<Migration>,
}

/// The migration attribute: the host was known elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migration {
    /// To the owner: "ask it, and tell me". Repeated until a [`Reply`] with the same claim comes.
    Asked {
        /// Comes back in the reply.
        claim: ClaimId,
    },
    /// To observers before the verdict: believe it, but remember what you had.
    AtOnce,
    /// To everybody after the verdict: believe it.
    Verified {
        /// The VTEP that gave the host up; the sender itself where no other VTEP was involved.
        by: VtepAddr,
    },
}

/// The owner's answer to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// Which host.
    pub host: HostKey,
    /// The claim it answers.
    pub claim: ClaimId,
    /// `Stayed`, `Elsewhere`: the sequence that the claim did not outrank. `Moved`: the sequence of the new owner.
    pub sequence: Sequence,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The host is still where it was ("first advertisement reply").
    Stayed,
    /// The host is not there any more ("second advertisement reply").
    Moved,
    /// The claim was not decided: it has to be made to this VTEP (which may be the sender, if the claim's sequence was
    /// out of date) and has to outrank the reply's sequence.
    Elsewhere(VtepAddr),
}

/// "The host is not behind me" (route withdrawal).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withdrawal {
    /// Which host.
    pub host: HostKey,
    /// Advertisements of the sender up to this sequence are void.
    pub sequence: Sequence,
    /// Where it went, if the sender gave it to somebody. That VTEP then owns it with `sequence`.
    pub moved_to: Option<VtepAddr>,
}

/// The list of all hosts that the sender owns, sent whole when a session starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sync {
    /// The list begins; a list that was begun earlier and not ended is void.
    Start,
    /// One host of it.
    Host {
        /// Which host.
        host: HostKey,
        /// Its IP addresses.
        addresses: Vec<IpAddr>,
        /// The sequence with which the sender owns it.
        sequence: Sequence,
    },
    /// The list is complete: what it did not name, the sender does not own.
    End {
        /// How many hosts it had; a list with a gap must not delete anything.
        hosts: u64,
    },
}
