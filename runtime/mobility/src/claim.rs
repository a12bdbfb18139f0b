//! A claim: what the claimant keeps of a host beside its entry.
//!
//! While it is pending, the claimant's switch uses both entries. Traffic for the host that comes from the owner's tunnel goes to the claimed
//! port, since the owner has seen to the old place; all other traffic goes to the owner, which is the only one to reach the old place. Whether
//! that other traffic goes to the claimed port as well is the same choice as at the owner (B3), for what the owner gets from here it
//! does not send back here:
//!
//! | policy | copies to the claimed port |
//! |---|---|
//! | `hold` | never |
//! | `both` | from the claim to the verdict, whoever it is that asks the host |
//! | `escalate` | once the owner has been asked for its verdict, and has not given it for as long as an answer of the host may take |
//!
//! The copies of `escalate` rest on the owner asking the host. An owner without a session asks nobody: that it gives no verdict says nothing,
//! and there are no copies. Nor are there any while the claimant asks the host through the tunnel: the silence may be the tunnel's, and what it
//! is worth is for the policy for unreachable owners to say, at the verdict.

use std::time::Duration;

use crate::addresses::Addresses;
use crate::asking::Asking;
use crate::config::{During, Timers};
use crate::context::Context;
use crate::host::HeardAt;
use crate::ids::{AccessId, ClaimId, FrameId};
use crate::sequence::Sequence;
use crate::time::Instant;

/// The *second entry*: where the host was just heard, beside where it is recorded.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) id: ClaimId,
    pub(crate) port: AccessId,
    /// Outranks the owner's.
    pub(crate) sequence: Sequence,
    /// The announcement, held until the verdict.
    pub(crate) frame: Option<FrameId>,
    pub(crate) heard: Instant,
    /// Addresses that the announcements named.
    pub(crate) addresses: Addresses,
    /// Whether the observers know of it.
    pub(crate) told: bool,
    pub(crate) stage: Stage,
    /// How often the claim was made anew.
    pub(crate) hops: u8,
    /// From when on the claimed port gets copies; `None`: not as things stand.
    copies_from: Option<Instant>,
}

/// Who asks the host.
#[derive(Debug)]
pub(crate) enum Stage {
    /// The owner is to ask the host.
    Owner { retry_at: Instant, wait: Duration, give_up_at: Instant },
    /// The owner is unreachable: we ask the host ourselves, through the tunnel.
    Tunnel(Asking),
}

impl Claim {
    pub(crate) fn new(sequence: Sequence, heard: &HeardAt, cx: &mut Context<'_>) -> Self {
        Self {
            id: cx.new_claim(),
            port: heard.port,
            sequence,
            frame: heard.frame,
            heard: cx.now,
            addresses: heard.addresses.clone(),
            told: false,
            stage: Stage::Tunnel(Asking::begin(cx.now)),
            hops: 0,
            copies_from: None,
        }
    }

    /// When there is something to do: escalation, the claim again, a probe, the end of waiting.
    pub(crate) fn due(&self, timers: &Timers, now: Instant) -> Instant {
        let due = match &self.stage {
            Stage::Owner { retry_at, give_up_at, .. } => *retry_at.min(give_up_at),
            Stage::Tunnel(asking) => asking.due(timers),
        };
        self.copies_from.filter(|&from| from > now).map_or(due, |from| from.min(due))
    }

    pub(crate) fn is_probing(&self) -> bool {
        matches!(self.stage, Stage::Tunnel(_))
    }

    /// Whether the claimed port gets a copy of what goes to the owner.
    pub(crate) fn is_copied(&self, now: Instant) -> bool {
        self.copies_from.is_some_and(|from| from <= now)
    }

    /// Nobody is known to ask the host.
    pub(crate) fn nobody_asks(&mut self, cx: &Context<'_>) {
        self.copies_from = match cx.vni.during {
            During::Hold | During::Escalate => None,
            During::Both => Some(self.heard),
        };
    }

    /// The owner has the claim, perhaps for the second time, and asks the host.
    pub(crate) fn owner_asks(&mut self, cx: &Context<'_>) {
        self.copies_from = match cx.vni.during {
            During::Hold => None,
            During::Both => Some(self.heard),
            During::Escalate => self.copies_from.or(Some(cx.now + cx.config.timers.escalate_after)),
        };
    }
}
