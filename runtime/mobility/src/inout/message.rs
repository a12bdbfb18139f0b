//! What the agents of two VTEPs say to each other.
//!
//! ```text
//!   claimant                          owner                         observers
//!      │ Advertisement{Asked, N+1}      │                               │
//!      ├───────────────────────────────▶│  asks the host                │
//!      │ (AtOnce, N+1, if so configured)│                               │
//!      ├────────────────────────────────┼──────────────────────────────▶│
//!      │ Standing{answers}              │  meanwhile the claimant asks  │
//!      ├───────────────────────────────▶│  at the claimed port          │
//!      │          Reply{Open}           │  overdue, unproven, contested │
//!      │◀───────────────────────────────┤                               │
//!      │          Reply{Stayed}         │  it answered: N+2             │
//!      │◀───────────────────────────────┼──────────────────────────────▶│ Advertisement{no migration, N+2}
//!      │          Reply{Moved}          │  silence                      │
//!      │◀───────────────────────────────┼──────────────────────────────▶│ Withdrawal{moved_to, N+1}
//!      │ Advertisement{Verified, N+1}   │                               │
//!      ├────────────────────────────────┼──────────────────────────────▶│
//! ```
//!
//! A session between two agents delivers in order or breaks. After a break both sides send all the hosts they own ([`Sync`]), and all that
//! they believe the other to own, which makes good whatever was lost, a restart included.

use std::net::IpAddr;
use std::time::Duration;

use crate::words::ids::{ClaimId, HostKey, VtepAddr};
use crate::words::sequence::Sequence;

/// A message from one agent to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Message {
    /// The host is at the sender, or the sender has reason to think so.
    Advertisement(Advertisement),
    /// The answer to an advertisement that asked.
    Reply(Reply),
    /// What became of asking at a claimed place.
    Standing(Standing),
    /// The host is not at the sender, whatever an earlier advertisement said.
    Withdrawal(Withdrawal),
    /// Part of the lists that begin a session.
    Sync(Sync),
    /// A move has been announced by whoever orders it (B15).
    Expect(Expect),
    /// Another host says that it has an address of a host of the receiver's (B10): "ask it".
    AddressClaim(AddressClaim),
    /// The answer to an [`AddressClaim`].
    AddressReply(AddressReply),
}

/// An address of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binding {
    /// The address.
    pub address: IpAddr,
    /// Whether the host was heard to have it not long ago: only such an address is answered for in its name (B11).
    pub confirmed: bool,
}

/// "The host is behind me" (route advertisement).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Advertisement {
    /// Which host.
    pub host: HostKey,
    /// Its IP addresses, as far as the sender knows them.
    pub bindings: Vec<Binding>,
    /// Outranks every lower one for the same host.
    pub sequence: Sequence,
    /// The migration attribute: absent for ordinary learning.
    pub migration: Option<Migration>,
}

/// The migration attribute: the host was known elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Migration {
    /// To the owner: "ask it, and tell me". Repeated until a [`Reply`] with the same claim comes.
    Asked {
        /// Comes back in the reply.
        claim: ClaimId,
        /// For how long the host was at the claimed place before it went where it is now; zero if it was not, or too long ago.
        tenure: Duration,
        /// The claim was refused not long ago: only whether the host has fallen silent since is of interest, and nobody need hear that it has not.
        damped: bool,
        /// The sender has the host already, which it took while the owner could not be asked (B9), and asks afterwards.
        taken: bool,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reply {
    /// Which host.
    pub host: HostKey,
    /// The claim it answers.
    pub claim: ClaimId,
    /// `Stayed`, `Open`, `Elsewhere`: the sequence that the claim did not outrank. `Moved`: the sequence of the new owner.
    pub sequence: Sequence,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The host is still where it was ("first advertisement reply").
    Stayed,
    /// The host is not there any more ("second advertisement reply").
    Moved {
        /// For how long it was there: the place earns the claimant's trust back by that (B12).
        tenure: Duration,
    },
    /// There is no verdict yet; the claim stays pending, and the claimed place may get copies as it says.
    Open(Open),
    /// The claim was not decided: it has to be made to this VTEP (which may be the sender, if the claim's sequence was
    /// out of date) and has to outrank the reply's sequence.
    Elsewhere(VtepAddr),
}

/// Why there is no verdict yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Open {
    /// An answer of the host is overdue.
    Overdue,
    /// Nothing proves that it is gone (4a).
    Unproven,
    /// It answers here and at the claimed place (B12, B14).
    Contested,
}

/// "I have asked at the place that I claim it for", or, with the number [`ClaimId::NONE`], "that I have it at".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Standing {
    /// Which host.
    pub host: HostKey,
    /// The sender's claim.
    pub claim: ClaimId,
    /// Whether the host answers there. `false`: it was asked as it should be and did not.
    pub answers: bool,
}

/// "The host is not behind me" (route withdrawal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Withdrawal {
    /// Which host.
    pub host: HostKey,
    /// Advertisements of the sender up to this sequence are void.
    pub sequence: Sequence,
    /// Where it went, if the sender gave it to somebody. That VTEP then owns it with `sequence`.
    pub moved_to: Option<VtepAddr>,
}

/// The lists that a session begins with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Sync {
    /// The list of all hosts that the sender owns begins; one that was begun earlier and not ended is void.
    Start,
    /// One host of it.
    Host {
        /// Which host.
        host: HostKey,
        /// Its IP addresses.
        bindings: Vec<Binding>,
        /// The sequence with which the sender owns it.
        sequence: Sequence,
    },
    /// The list is complete: what it did not name, the sender does not own, nor does it believe it to be the receiver's.
    End {
        /// How many hosts it had; a list with a gap must not delete anything.
        hosts: u64,
        /// The sender is out of use, and has not named the hosts that it has ([`Event::Drain`](crate::Event::Drain)).
        withheld: bool,
    },
    /// A host that the sender believes to be the receiver's. A receiver that has restarted empty learns from it whom to look for.
    Yours {
        /// Which host.
        host: HostKey,
        /// Its IP addresses.
        bindings: Vec<Binding>,
        /// The sequence with which the receiver owned it.
        sequence: Sequence,
    },
    /// The receiver said more than the sender had room for: now there is room, and the receiver may list its hosts again.
    Again,
}

/// "The host will move to `to`" (B15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Expect {
    /// Which host.
    pub host: HostKey,
    /// The VTEP that it will be behind.
    pub to: VtepAddr,
    /// For how long, from now, that is believed.
    pub within: Duration,
}

/// "Somebody else says that it has an address of this host."
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressClaim {
    /// Who has the address, as far as the sender knows.
    pub holder: HostKey,
    /// The address.
    pub address: IpAddr,
    /// Comes back in the reply.
    pub claim: ClaimId,
}

/// Whether the holder still has the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressReply {
    /// Who has, or had, the address.
    pub holder: HostKey,
    /// The address.
    pub address: IpAddr,
    /// The claim it answers.
    pub claim: ClaimId,
    /// Whether it has given the address up. `false`: it answered, or nothing proves that it would have.
    pub given_up: bool,
}
