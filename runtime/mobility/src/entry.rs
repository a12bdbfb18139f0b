//! The recorded location of a host, and what it takes to change it.
//!
//! The types make the dangerous transition unwritable: an entry that points at a local port ([`Local`]) turns into another only in exchange
//! for a [`Verified`], and so does the entry of a claimant ([`Remote`] to [`Local`]). A `Verified` comes out of the functions below and
//! nowhere else; each of them checks the ground it stands on.
//!
//! ```text
//!   Absent ──learned──▶ Local ──Verified──▶ Local (another port), Remote, Absent
//!   Absent ──learned──▶ Remote ─Verified──▶ Local
//!                       Remote ──told─────▶ Remote, Absent
//! ```

use crate::asking::Silence;
use crate::config::{Config, UnreachableOwner, VniConfig};
use crate::ids::{AccessId, HostKey, VtepAddr};
use crate::index::Ports;
use crate::message::{Reply, Verdict};
use crate::report::Because;
use crate::sequence::Sequence;

/// Nobody is known to have the host.
#[derive(Debug)]
pub(crate) struct Absent(());

impl Absent {
    /// A host that is heard of for the first time.
    pub(crate) fn new() -> Self {
        Self(())
    }
}

/// The host is behind this VTEP, which owns it.
#[derive(Debug)]
pub(crate) struct Local {
    port: AccessId,
    sequence: Sequence,
}

/// The host is behind another VTEP.
#[derive(Debug)]
pub(crate) struct Remote {
    vtep: VtepAddr,
}

/// Good reason to change the entry of a host that somebody has.
#[derive(Debug)]
pub(crate) struct Verified(Because);

impl Verified {
    /// The host was asked where it is recorded, and was silent.
    pub(crate) fn by_silence(_: Silence) -> Self {
        Self(Because::Silence)
    }

    /// The host is recorded on a port that is down.
    pub(crate) fn by_port_down(local: &Local, ports: &Ports) -> Option<Self> {
        ports.is_down(local.port).then_some(Self(Because::PortDown))
    }

    /// The recorded owner answered `Moved`.
    pub(crate) fn by_owner(remote: &Remote, from: VtepAddr, reply: &Reply) -> Option<Self> {
        (from == remote.vtep && reply.verdict == Verdict::Moved).then_some(Self(Because::OwnerSaid))
    }

    /// The recorded owner let it be known otherwise that it does not have the host: it withdrew it, or claims it from us.
    pub(crate) fn by_disowning(remote: &Remote, from: VtepAddr) -> Option<Self> {
        (from == remote.vtep).then_some(Self(Because::OwnerSaid))
    }

    /// The owner is unreachable, the host did not answer through the tunnel, and the operator prefers to accept that.
    pub(crate) fn by_policy(_: Silence, vni: &VniConfig) -> Option<Self> {
        (vni.unreachable_owner == UnreachableOwner::Accept).then_some(Self(Because::Policy))
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

impl Local {
    /// Ordinary learning, or an entry that the switch still had.
    pub(crate) fn learned(_: Absent, port: AccessId) -> Self {
        Self { port, sequence: Sequence::FIRST }
    }

    /// The host moved to another port of this VTEP.
    pub(crate) fn moved(self, port: AccessId, _: &Verified) -> Self {
        Self { port, sequence: self.sequence }
    }

    /// The host moved away.
    pub(crate) fn given_up(self, to: VtepAddr, _: &Verified) -> Remote {
        Remote { vtep: to }
    }

    /// The host is no more.
    pub(crate) fn removed(self, _: &Verified) -> Absent {
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
    pub(crate) fn taken_over(self, port: AccessId, sequence: Sequence, _: &Verified) -> Local {
        Local { port, sequence }
    }

    pub(crate) fn vtep(&self) -> VtepAddr {
        self.vtep
    }
}
