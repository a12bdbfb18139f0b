//! One host: its state, and which part of the logic answers which fact in which state.
//!
//! ```text
//!               heard here                    idle, or claimed by somebody
//!   Absent ───────────────────────▶ Owned ───────────────────────────────────▶ Verifying
//!     │ told                          ▲ ▲ ◀──────────── answered ───────────────── │
//!     │                               │ └───── silent, claimed by a port ──────────┤
//!     ▼          heard here           │ Moved                                      │
//!   Following ───────────▶ Claiming ──┘                                            │
//!     ▲  ▲  ◀── Stayed ────── │                                                    │
//!     │  └────────────────────┘                                                    │
//!     └───────────────────────────────── silent, claimed by a peer ────────────────┘
//! ```

use crate::addresses::Addresses;
use crate::claim::Claim;
use crate::context::Context;
use crate::entry::{Absent, Local, Remote};
use crate::event::Evidence;
use crate::ids::{AccessId, ClaimId, FrameId, HostKey, Location, VtepAddr};
use crate::index::Footprint;
use crate::message::Reply;
use crate::owner::Verification;
use crate::routes::Routes;
use crate::sequence::Sequence;
use crate::time::Instant;
use crate::view::HostView;
use crate::{claimant, observer, owner};

/// What this VTEP is to the host at the moment.
#[derive(Debug)]
pub(crate) enum State {
    /// Nothing: nobody has it. Such a host is forgotten after the event.
    Absent(Absent),
    /// Its owner.
    Owned(Local, owner::Answered),
    /// Its owner, asking it whether it is still there.
    Verifying(Local, Box<Verification>),
    /// An observer.
    Following(Remote),
    /// A claimant, waiting for the owner's verdict or asking the host through the tunnel.
    Claiming(Remote, Box<Claim>),
}

/// What there is to know about a host in any state.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) key: HostKey,
    pub(crate) addresses: Addresses,
    /// What the peers say. While we own the host: others that say they do.
    pub(crate) routes: Routes,
    /// What remains of the last move.
    pub(crate) aftermath: Option<Aftermath>,
    /// Ports that are shut for it, and until when.
    pub(crate) quarantine: Vec<(AccessId, Instant)>,
    /// The last view given out.
    pub(crate) installed: Option<HostView>,
    /// What the indices know.
    pub(crate) footprint: Footprint,
    /// The deadline that is set for it.
    pub(crate) armed: Option<Instant>,
}

/// What remains of a move for a while (B7, B8).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aftermath {
    /// Where it was; a frame there is suspicious…
    pub(crate) old_port: Option<AccessId>,
    /// …until then.
    pub(crate) watched_until: Instant,
    /// Until when traffic for it that comes out of a tunnel is sent on through another.
    pub(crate) hairpin_until: Instant,
}

/// What happened, as far as one host is concerned.
#[derive(Debug)]
pub(crate) enum Fact {
    Heard(HeardAt),
    Answered { from: Location },
    Seen { port: AccessId },
    PortDown { port: AccessId },
    Idle,
    Asked(Asked),
    Told(Told),
    Replied { from: VtepAddr, reply: Reply },
    Withdrawn(Withdrawn),
    OwnerUp,
    OwnerDown,
    Restored { location: Location },
    Due,
}

/// It was heard on a port.
#[derive(Debug)]
pub(crate) struct HeardAt {
    pub(crate) port: AccessId,
    pub(crate) evidence: Evidence,
    pub(crate) addresses: Addresses,
    pub(crate) frame: Option<FrameId>,
}

/// A claimant wants a verdict.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) from: VtepAddr,
    pub(crate) claim: ClaimId,
    pub(crate) sequence: Sequence,
    pub(crate) addresses: Addresses,
}

/// A peer says that it has the host.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) from: VtepAddr,
    pub(crate) sequence: Sequence,
    pub(crate) addresses: Addresses,
    pub(crate) how: How,
}

/// In what way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Without migration attribute.
    Plain,
    /// In the list of all its hosts.
    Listed,
    /// Before the verdict.
    AtOnce,
    /// After the verdict.
    Verified,
}

/// A peer says that it does not have the host.
#[derive(Debug)]
pub(crate) struct Withdrawn {
    pub(crate) from: VtepAddr,
    pub(crate) sequence: Sequence,
    pub(crate) moved_to: Option<VtepAddr>,
}

impl Record {
    pub(crate) fn new(key: HostKey) -> Self {
        Self {
            key,
            addresses: Addresses::default(),
            routes: Routes::default(),
            aftermath: None,
            quarantine: Vec::new(),
            installed: None,
            footprint: Footprint::default(),
            armed: None,
        }
    }

    pub(crate) fn is_quarantined(&self, port: AccessId) -> bool {
        self.quarantine.iter().any(|&(shut, _)| shut == port)
    }

    /// Whether the host left `port` only just now.
    pub(crate) fn just_left(&self, port: AccessId, now: Instant) -> bool {
        self.aftermath.is_some_and(|after| after.old_port == Some(port) && now < after.watched_until)
    }

    /// Whether traffic that comes out of a tunnel is still sent on through another.
    pub(crate) fn passes_on(&self, now: Instant) -> bool {
        self.aftermath.is_some_and(|after| now < after.hairpin_until)
    }

    /// Lets what is over be over.
    fn expire(&mut self, now: Instant) {
        self.aftermath = self.aftermath.filter(|after| now < after.hairpin_until || now < after.watched_until);
        self.quarantine.retain(|&(_, until)| now < until);
        self.routes.remove_expired(now);
    }
}

/// The answer to a fact: the host's next state, decisions going to `cx`.
pub(crate) fn react(state: State, record: &mut Record, cx: &mut Context<'_>, fact: Fact) -> State {
    record.expire(cx.now);
    match (state, fact) {
        (State::Absent(absent), Fact::Heard(heard)) => owner::learn(absent, record, cx, heard),
        (State::Absent(absent), Fact::Restored { location }) => observer::restored(absent, record, cx, location),
        (State::Absent(absent), Fact::Asked(asked)) => observer::asked_for_unknown(absent, record, cx, &asked),
        (State::Absent(absent), Fact::Told(told)) => observer::learn(absent, record, cx, told),
        (State::Absent(absent), Fact::Replied { from, reply }) => {
            observer::reply_without_claim(record, cx, from, &reply);
            State::Absent(absent)
        }
        (State::Absent(absent), Fact::Withdrawn(withdrawn)) => {
            observer::withdrawn_unknown(absent, record, cx, &withdrawn)
        }
        (State::Absent(absent), Fact::Answered { .. } | Fact::Seen { .. }) => {
            cx.counters.unasked_answers += 1;
            State::Absent(absent)
        }
        (State::Absent(absent), Fact::PortDown { .. } | Fact::Idle | Fact::OwnerUp | Fact::OwnerDown | Fact::Due) => {
            State::Absent(absent)
        }

        (State::Owned(local, answered), Fact::Heard(heard)) => owner::heard(local, answered, record, cx, heard),
        (State::Owned(local, answered), Fact::Answered { .. } | Fact::Seen { .. }) => {
            cx.counters.unasked_answers += 1;
            State::Owned(local, answered)
        }
        (State::Owned(local, answered), Fact::PortDown { .. }) => owner::port_down(local, answered, record, cx),
        (State::Owned(local, _), Fact::Idle) => owner::idle(local, record, cx),
        (State::Owned(local, answered), Fact::Asked(asked)) => owner::asked(local, answered, record, cx, asked),
        (State::Owned(local, answered), Fact::Told(told)) => owner::told(local, answered, record, cx, told),
        (State::Owned(mut local, answered), Fact::Replied { from, reply }) => {
            owner::replied(&mut local, record, cx, from, &reply);
            State::Owned(local, answered)
        }
        (State::Owned(mut local, answered), Fact::Withdrawn(withdrawn)) => {
            owner::withdrawn(&mut local, record, cx, &withdrawn);
            State::Owned(local, answered)
        }
        (State::Owned(local, answered), Fact::OwnerUp | Fact::OwnerDown | Fact::Restored { .. } | Fact::Due) => {
            State::Owned(local, answered)
        }

        (State::Verifying(local, asking), Fact::Heard(heard)) => {
            owner::heard_while_verifying(local, asking, record, cx, heard)
        }
        (State::Verifying(local, asking), Fact::Answered { from }) => {
            owner::sign_of_life(local, asking, record, cx, from)
        }
        (State::Verifying(local, asking), Fact::Seen { port }) => {
            owner::sign_of_life(local, asking, record, cx, Location::Local(port))
        }
        (State::Verifying(local, asking), Fact::PortDown { port }) => {
            owner::port_down_while_verifying(local, asking, record, cx, port)
        }
        (State::Verifying(local, asking), Fact::Asked(asked)) => {
            owner::asked_while_verifying(local, asking, record, cx, asked)
        }
        (State::Verifying(local, asking), Fact::Told(told)) => {
            owner::told_while_verifying(local, asking, record, cx, told)
        }
        (State::Verifying(mut local, asking), Fact::Replied { from, reply }) => {
            owner::replied(&mut local, record, cx, from, &reply);
            State::Verifying(local, asking)
        }
        (State::Verifying(local, asking), Fact::Withdrawn(withdrawn)) => {
            owner::withdrawn_while_verifying(local, asking, record, cx, &withdrawn)
        }
        (State::Verifying(local, asking), Fact::Due) => owner::advance(local, asking, record, cx),
        (State::Verifying(local, asking), Fact::Idle | Fact::OwnerUp | Fact::OwnerDown | Fact::Restored { .. }) => {
            State::Verifying(local, asking)
        }

        (State::Following(remote), Fact::Heard(heard)) => claimant::heard(remote, record, cx, heard),
        (State::Following(remote), Fact::Answered { .. } | Fact::Seen { .. }) => {
            cx.counters.unasked_answers += 1;
            State::Following(remote)
        }
        (State::Following(remote), Fact::Asked(asked)) => {
            observer::asked(&remote, record, cx, &asked);
            State::Following(remote)
        }
        (State::Following(remote), Fact::Told(told)) => observer::told(remote, record, cx, told),
        (State::Following(remote), Fact::Replied { from, reply }) => {
            observer::reply_without_claim(record, cx, from, &reply);
            observer::settle(remote, record, cx)
        }
        (State::Following(remote), Fact::Withdrawn(withdrawn)) => observer::withdrawn(remote, record, cx, &withdrawn),
        (State::Following(remote), Fact::Due) => observer::settle(remote, record, cx),
        (
            State::Following(remote),
            Fact::PortDown { .. } | Fact::Idle | Fact::OwnerUp | Fact::OwnerDown | Fact::Restored { .. },
        ) => State::Following(remote),

        (State::Claiming(remote, claim), Fact::Heard(heard)) => {
            claimant::heard_while_claiming(remote, claim, record, cx, heard)
        }
        (State::Claiming(remote, claim), Fact::Answered { from }) => {
            claimant::answered(remote, claim, record, cx, from)
        }
        (State::Claiming(remote, claim), Fact::PortDown { port }) => {
            claimant::port_down(remote, claim, record, cx, port)
        }
        (State::Claiming(remote, claim), Fact::Asked(asked)) => claimant::asked(remote, claim, record, cx, asked),
        (State::Claiming(remote, claim), Fact::Told(told)) => claimant::told(remote, claim, record, cx, told),
        (State::Claiming(remote, claim), Fact::Replied { from, reply }) => {
            claimant::replied(remote, claim, record, cx, from, &reply)
        }
        (State::Claiming(remote, claim), Fact::Withdrawn(withdrawn)) => {
            claimant::withdrawn(remote, claim, record, cx, &withdrawn)
        }
        (State::Claiming(remote, claim), Fact::OwnerUp) => claimant::owner_up(remote, claim, record, cx),
        (State::Claiming(remote, claim), Fact::OwnerDown) => claimant::owner_down(remote, claim, cx),
        (State::Claiming(remote, claim), Fact::Due) => claimant::advance(remote, claim, record, cx),
        (State::Claiming(remote, claim), Fact::Seen { .. }) => {
            cx.counters.unasked_answers += 1;
            State::Claiming(remote, claim)
        }
        (State::Claiming(remote, claim), Fact::Idle | Fact::Restored { .. }) => State::Claiming(remote, claim),
    }
}
