//! The recorded location of a host, and what it takes to change it.
//!
//! The types make the dangerous transition unwritable: an entry that points at a local port ([`Local`]) turns into another only in exchange
//! for a [`Proof`], and so does the entry of a claimant ([`Remote`] to [`Local`]). A `Proof` comes out of the functions below and
//! nowhere else; each of them checks the ground it stands on, and names it.
//!
//! ```text
//!   Absent ──learned──▶ Local ──Proof──▶ Local (another port), Remote, Absent
//!   Absent ──learned──▶ Remote ─Proof──▶ Local
//!                       Remote ──told──▶ Remote, Absent
//! ```

use crate::guards::{Guard, is_out};
use crate::inout::message::{Reply, Verdict};
use crate::inout::report::Because;
use crate::knowledge::addresses::Answering;
use crate::knowledge::question::{Silence, Unanswered};
use crate::words::config::{Config, Unproven, UnreachableOwner, VniConfig};
use crate::words::ids::{AccessId, HostKey, VtepAddr};
use crate::words::sequence::Sequence;

/// Nobody is known to have the host.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Absent(());

impl Absent {
    /// A host that is heard of for the first time.
    pub(crate) fn new() -> Self {
        Self(())
    }
}

/// The host is behind this VTEP, which owns it.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Local {
    port: AccessId,
    sequence: Sequence,
}

/// The host is behind another VTEP.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Remote {
    vtep: VtepAddr,
}

/// An access interface is known to be without link, by what the switch has said in this session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkDown(AccessId);

impl LinkDown {
    /// For whoever keeps the link states.
    pub(crate) fn of(port: AccessId) -> Self {
        Self(port)
    }
}

/// Of all the places that say they have the host, it answers at one. What that takes is checked where it is counted.
#[derive(Debug)]
pub(crate) struct OnlyAnswer(());

impl OnlyAnswer {
    /// A host that is known to answer was asked where it is recorded and did not, or cannot be there, or nothing speaks for its being there any more
    /// (`unfounded`: it has not been heard for the ageing time, or nothing but policy put it there, or that it was heard there first after a restart); `answers` says at how many of the claimed places it does, `unknown` of how many that is not known.
    pub(crate) fn of(
        answering: Option<Answering>,
        recorded: &NoAnswer,
        unfounded: bool,
        answers: usize,
        unknown: usize,
    ) -> Option<Self> {
        let would_tell = match recorded {
            NoAnswer::Silent(_) | NoAnswer::Unanswered(_) => unfounded || answering.is_some(),
            NoAnswer::LinkDown => true,
        };
        let all_known = unknown == 0 || is_out(Guard::AllKnown);
        (would_tell && answers == 1 && all_known).then_some(Self(()))
    }
}

/// The host was asked where it is recorded, as it should be, and did not answer; or cannot.
#[derive(Debug, Clone, Hash)]
pub(crate) enum NoAnswer {
    Silent(Silence),
    Unanswered(Unanswered),
    /// It was not asked: its port had no link.
    LinkDown,
}

/// Good reason to change the entry of a host that somebody has.
#[derive(Debug)]
pub(crate) struct Proof(Because);

impl Proof {
    /// The host was going to answer, was asked where it is recorded, and was silent (4a).
    pub(crate) fn by_silence(_: &Silence) -> Self {
        Self(Because::Silence)
    }

    /// It answers elsewhere, and only there (B14).
    pub(crate) fn by_only_answer(_: &OnlyAnswer) -> Self {
        Self(Because::OnlyAnswer)
    }

    /// It was idle for the ageing time, and did not answer when it was asked.
    pub(crate) fn by_ageing(_: &Unanswered) -> Self {
        Self(Because::Aged)
    }

    /// It does not answer, and nobody can say that it is elsewhere: it was expected to, or has aged. Whether a port is down is for
    /// [`Self::by_port_down`] to say.
    pub(crate) fn by_no_answer(none: &NoAnswer) -> Option<Self> {
        match none {
            NoAnswer::Silent(silence) => Some(Self::by_silence(silence)),
            NoAnswer::Unanswered(unanswered) => Some(Self::by_ageing(unanswered)),
            NoAnswer::LinkDown => None,
        }
    }

    /// The host is recorded on a port that is down.
    pub(crate) fn by_port_down(local: &Local, down: Option<LinkDown>) -> Option<Self> {
        down.is_some_and(|LinkDown(port)| port == local.port).then_some(Self(Because::PortDown))
    }

    /// The recorded owner answered `Moved`.
    pub(crate) fn by_owner(remote: &Remote, from: VtepAddr, reply: &Reply) -> Option<Self> {
        (from == remote.vtep && matches!(reply.verdict, Verdict::Moved { .. })).then_some(Self(Because::OwnerSaid))
    }

    /// The recorded owner let it be known otherwise that it does not have the host: it withdrew it, or claims it from us.
    pub(crate) fn by_disowning(remote: &Remote, from: VtepAddr) -> Option<Self> {
        (from == remote.vtep).then_some(Self(Because::OwnerSaid))
    }

    /// The owner is unreachable, the host did not answer through the tunnel, and the operator prefers to accept that.
    pub(crate) fn by_policy(_: &Unanswered, vni: &VniConfig) -> Option<Self> {
        (vni.unreachable_owner == UnreachableOwner::Accept).then_some(Self(Because::Policy))
    }

    /// Nothing proves that the host is gone, and the operator prefers to take that for proof.
    pub(crate) fn by_default(vni: &VniConfig) -> Option<Self> {
        (vni.unproven == Unproven::Move).then_some(Self(Because::Policy))
    }

    /// The move was announced, and an answer at the old place is overdue (B15).
    pub(crate) fn by_announcement(_: &Overdue) -> Self {
        Self(Because::Expected)
    }

    /// The host answers at two places, and configuration or operator prefer the other one.
    pub(crate) fn by_decision() -> Self {
        Self(Because::Decided)
    }

    /// The operator exempts the address, or everything.
    pub(crate) fn by_configuration(host: HostKey, config: &Config, vni: &VniConfig) -> Option<Self> {
        if !config.verify {
            Some(Self(Because::Unverified))
        } else if vni.trusted_moves.iter().any(|prefix| prefix.contains(host.mac)) {
            Some(Self(Because::TrustedMove))
        } else {
            None
        }
    }

    pub(crate) fn because(&self) -> Because {
        self.0
    }
}

/// An answer that was to be expected is overdue.
#[derive(Debug)]
pub(crate) struct Overdue(());

impl Overdue {
    /// For whoever asked, at the time when it should have come.
    pub(crate) fn now() -> Self {
        Self(())
    }
}

impl Local {
    /// Ordinary learning, or an entry that the switch still had.
    pub(crate) fn learned(_: Absent, port: AccessId, sequence: Sequence) -> Self {
        Self { port, sequence }
    }

    /// The host moved to another port of this VTEP.
    pub(crate) fn moved(self, port: AccessId, _: &Proof) -> Self {
        Self { port, sequence: self.sequence }
    }

    /// The host moved away.
    pub(crate) fn given_up(self, to: VtepAddr, _: &Proof) -> Remote {
        Remote { vtep: to }
    }

    /// It was learned before all was known, and a peer remembers it here: it has to be found.
    pub(crate) fn unlearned(self) -> Absent {
        Absent(())
    }

    /// The host is no more.
    pub(crate) fn removed(self, _: &Proof) -> Absent {
        Absent(())
    }

    pub(crate) fn port(&self) -> AccessId {
        self.port
    }

    pub(crate) fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Sequences only grow.
    pub(crate) fn raise(&mut self, sequence: Sequence) {
        self.sequence = self.sequence.max(sequence);
    }
}

impl Remote {
    /// Ordinary learning, or an entry that the switch still had.
    pub(crate) fn learned(_: Absent, vtep: VtepAddr) -> Self {
        Self { vtep }
    }

    /// Those who know better said so. Whose entry is remote has no say in where.
    pub(crate) fn follow(self, vtep: VtepAddr) -> Self {
        Self { vtep }
    }

    /// Nobody has the host any more.
    pub(crate) fn forgotten(self) -> Absent {
        Absent(())
    }

    /// The host is here now.
    pub(crate) fn taken_over(self, port: AccessId, sequence: Sequence, _: &Proof) -> Local {
        Local { port, sequence }
    }

    pub(crate) fn vtep(&self) -> VtepAddr {
        self.vtep
    }
}
