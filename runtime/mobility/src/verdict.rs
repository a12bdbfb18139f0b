//! The verdict of a verification, and what everybody is told of it.

use crate::addresses::Addresses;
use crate::context::Context;
use crate::damping::Refused;
use crate::entry::{Local, Verified};
use crate::host::{Record, State};
use crate::ids::{AccessId, ClaimId, FrameId, Location, VtepAddr};
use crate::message::Verdict;
use crate::observer;
use crate::owner::{self, Answered};
use crate::report::Report;
use crate::routes::outranks;
use crate::sequence::Sequence;
use crate::time::Instant;
use crate::verification::{Claimant, begin};

/// The host answered: the entry does not change, every claim is refused (M4), and the refusal outranks them (B4).
pub(crate) fn stayed(mut local: Local, claimants: Vec<Claimant>, record: &mut Record, cx: &mut Context<'_>) -> State {
    // A rival that learned the host ordinarily is not outranked: it would then outrank us in turn, for ever.
    let claimed = claimants.iter().filter_map(|claimant| match *claimant {
        Claimant::Peer { sequence, .. } | Claimant::Rival { sequence, migration: true, .. } => Some(sequence),
        Claimant::Port { .. } | Claimant::Rival { migration: false, .. } => None,
    });
    let highest = claimed.max();
    if let Some(highest) = highest {
        let sequence = cx.sequence_after(record.key, highest.max(local.sequence()));
        local.raise(sequence);
    }
    let kept = Location::Local(local.port());
    let mut answered = Answered::default();
    for claimant in claimants {
        let claimed = claimant.location();
        let since = match claimant {
            Claimant::Port { port, frame, heard, .. } => {
                refuse_port(record, cx, port, frame, heard);
                heard
            }
            Claimant::Peer { vtep, claim, since, .. } => {
                cx.reply(vtep, record.key, claim, local.sequence(), Verdict::Stayed);
                answered.0.push((vtep, claim));
                since
            }
            Claimant::Rival { vtep, since, .. } => {
                cx.counters.duplicates += 1;
                cx.report(Report::Duplicate { host: record.key, port: local.port(), other: vtep });
                owner::settle_dispute(&local, record, cx, vtep);
                since
            }
        };
        cx.report(Report::Stayed { host: record.key, kept, claimed, took: cx.now - since });
    }
    if highest.is_some() {
        owner::advertise(&local, record, cx, None);
    }
    State::Owned(local, answered)
}

/// A claim by one of our own ports is refused: it is damped, reported if repeated, and shut out if so configured (B6).
pub(crate) fn refuse_port(
    record: &mut Record,
    cx: &mut Context<'_>,
    port: AccessId,
    frame: Option<FrameId>,
    heard: Instant,
) {
    cx.counters.refused += 1;
    cx.drop(frame);
    let (timers, limits) = (&cx.config.timers, &cx.config.limits);
    match cx.damping.refuse(record.key, port, heard, cx.now, timers, limits) {
        Refused::Once => {}
        Refused::Attack { refusals } => {
            let quarantined = match cx.vni.quarantine {
                Some(time) => {
                    record.quarantine.push((port, cx.now + time));
                    true
                }
                None => false,
            };
            cx.counters.attacks += 1;
            cx.report(Report::Attack { host: record.key, port, refusals, quarantined });
        }
    }
}

/// The host is gone from where it was: the first who claimed it has it (M5), the others have to claim it there.
pub(crate) fn moved(
    local: Local,
    claimants: Vec<Claimant>,
    record: &mut Record,
    cx: &mut Context<'_>,
    verified: &Verified,
) -> State {
    let mut claimants = claimants.into_iter();
    let Some(winner) = claimants.next() else {
        return removed(local, record, cx, verified);
    };
    let state = match winner {
        Claimant::Port { port, frame, heard, addresses } => {
            let from = Location::Local(local.port());
            let to = Location::Local(port);
            record.aftermath = Some(owner::aftermath(&local, cx));
            let local = local.moved(port, verified);
            record.addresses.add(addresses.as_slice(), cx.config.limits.addresses_per_host);
            record.quarantine.retain(|&(shut, _)| shut != port);
            cx.damping.forget(record.key, port);
            cx.release(frame);
            cx.counters.moves += 1;
            let because = verified.because();
            cx.report(Report::Moved { host: record.key, from, to, because, took: cx.now - heard });
            State::Owned(local, Answered::default())
        }
        Claimant::Peer { vtep, claim, sequence, since } => {
            let hand_over_to = HandOver { to: vtep, sequence, reply: Some(claim), tell: true, since };
            hand_over(local, &hand_over_to, record, cx, verified)
        }
        Claimant::Rival { vtep, sequence, since, .. } => {
            let hand_over_to = HandOver { to: vtep, sequence, reply: None, tell: true, since };
            hand_over(local, &hand_over_to, record, cx, verified)
        }
    };
    let (place, sequence) = match &state {
        State::Owned(local, _) => (cx.config.me, local.sequence()),
        State::Following(remote) => {
            (remote.vtep(), record.routes.of(remote.vtep()).map_or(Sequence::FIRST, |route| route.sequence))
        }
        State::Absent(_) | State::Verifying(..) | State::Claiming(..) => return state,
    };
    let mut rivals = Vec::new();
    for loser in claimants {
        match loser {
            Claimant::Port { frame, .. } => {
                cx.counters.abandoned += 1;
                cx.drop(frame);
            }
            Claimant::Peer { vtep, claim, .. } => {
                cx.reply(vtep, record.key, claim, sequence, Verdict::Elsewhere(place));
            }
            rival @ Claimant::Rival { .. } => rivals.push(rival),
        }
    }
    match state {
        // The rival still says that it has the host, and at the new port nobody has been asked yet.
        State::Owned(local, _) if !rivals.is_empty() => begin(local, rivals, &Addresses::default(), record, cx),
        state => state,
    }
}

/// To whom the host goes, and how.
#[derive(Debug)]
pub(crate) struct HandOver {
    pub(crate) to: VtepAddr,
    /// The sequence with which the new owner advertises it, unless ours is higher.
    pub(crate) sequence: Sequence,
    /// The claim to answer, if there was one.
    pub(crate) reply: Option<ClaimId>,
    /// Whether the other VTEPs have to be told, because the new owner may not know yet.
    pub(crate) tell: bool,
    pub(crate) since: Instant,
}

/// Gives the host to another VTEP. For a while what still comes here for it is sent on (B8), and the old port is watched (B7).
pub(crate) fn hand_over(
    local: Local,
    hand_over: &HandOver,
    record: &mut Record,
    cx: &mut Context<'_>,
    verified: &Verified,
) -> State {
    let to = hand_over.to;
    let sequence = if outranks(hand_over.sequence, local.sequence()) {
        hand_over.sequence
    } else {
        cx.sequence_after(record.key, local.sequence())
    };
    let from = Location::Local(local.port());
    record.aftermath = Some(owner::aftermath(&local, cx));
    let remote = local.given_up(to, verified);
    record.routes.insert(owner::firm_route(to, sequence, cx), true);
    cx.counters.moves += 1;
    cx.report(Report::Moved {
        host: record.key,
        from,
        to: Location::Remote(to),
        because: verified.because(),
        took: cx.now - hand_over.since,
    });
    if let Some(claim) = hand_over.reply {
        cx.reply(to, record.key, claim, sequence, Verdict::Moved);
    }
    if hand_over.tell {
        let informed = hand_over.reply.map(|_| to);
        cx.withdraw(informed, record.key, sequence, Some(to));
    }
    observer::settle(remote, record, cx)
}

/// The host is no more: it is forgotten, here and by the others.
pub(crate) fn removed(local: Local, record: &mut Record, cx: &mut Context<'_>, verified: &Verified) -> State {
    let last = Location::Local(local.port());
    cx.counters.removed += 1;
    cx.report(Report::Removed { host: record.key, last });
    cx.withdraw(None, record.key, local.sequence(), None);
    owner::fall_back(local.removed(verified), record)
}
