//! The observer ("third device"): the entry points at another VTEP, and follows what the VTEPs say (M7 to M9).

use crate::context::Context;
use crate::entry::{Absent, Local, Remote};
use crate::host::{Asked, How, Record, State, Told, Withdrawn};
use crate::ids::{Location, VtepAddr};
use crate::message::{Reply, Verdict};
use crate::owner::{self, Answered};
use crate::report::{Because, Report};
use crate::routes::Route;
use crate::sequence::Sequence;
use crate::time::Instant;

/// A host that nobody had is said to be somewhere: ordinary learning.
pub(crate) fn learn(absent: Absent, record: &mut Record, cx: &mut Context<'_>, told: Told) -> State {
    if cx.other_hosts >= cx.config.limits.hosts {
        cx.counters.limited += 1;
        return State::Absent(absent);
    }
    let from = told.from;
    record.routes.insert(route(&told, cx), true);
    record.addresses = told.addresses;
    State::Following(Remote::learned(absent, from))
}

/// The switch had an entry when we started.
pub(crate) fn restored(absent: Absent, record: &mut Record, cx: &mut Context<'_>, location: Location) -> State {
    match location {
        Location::Local(port) => State::Owned(Local::learned(absent, port), Answered::default()),
        Location::Remote(vtep) if cx.vni.peers.contains(&vtep) => {
            record.routes.insert(owner::firm_route(vtep, Sequence::FIRST, cx), true);
            State::Following(Remote::learned(absent, vtep))
        }
        Location::Remote(_) => {
            cx.counters.unknown_peer += 1;
            State::Absent(absent)
        }
    }
}

/// A peer takes us for the owner of a host that we have never heard of: there is nobody to ask, it may have it.
pub(crate) fn asked_for_unknown(absent: Absent, record: &mut Record, cx: &mut Context<'_>, asked: &Asked) -> State {
    cx.counters.claims_received += 1;
    cx.reply(asked.from, record.key, asked.claim, asked.sequence, Verdict::Moved);
    if cx.other_hosts >= cx.config.limits.hosts {
        cx.counters.limited += 1;
        return State::Absent(absent);
    }
    record.routes.insert(owner::firm_route(asked.from, asked.sequence, cx), true);
    record.addresses = asked.addresses.clone();
    State::Following(Remote::learned(absent, asked.from))
}

/// A peer takes us for the owner, and we are not: it is told whom to ask. Or we were, gave it the host, and it has not heard.
pub(crate) fn asked(remote: &Remote, record: &mut Record, cx: &mut Context<'_>, asked: &Asked) {
    let best = record.routes.best_firm(Some(remote.vtep()));
    let owner = match best {
        Some(route) if route.vtep == asked.from => None,
        Some(route) => Some((route.vtep, route.sequence)),
        None => record.routes.best_other(asked.from).map(|route| (route.vtep, route.sequence)),
    };
    match owner {
        Some((owner, sequence)) => {
            cx.reply(asked.from, record.key, asked.claim, sequence, Verdict::Elsewhere(owner));
        }
        None => {
            let known = best.map_or(Sequence::FIRST, |route| route.sequence);
            let sequence = asked.sequence.max(known);
            record.routes.insert(owner::firm_route(asked.from, sequence, cx), false);
            cx.reply(asked.from, record.key, asked.claim, sequence, Verdict::Moved);
        }
    }
}

/// A peer says that it has the host: no probe of our own, it is not ours to ask (M7).
pub(crate) fn told(remote: Remote, record: &mut Record, cx: &mut Context<'_>, told: Told) -> State {
    let new = route(&told, cx);
    let firm = new.is_firm();
    if !record.routes.insert(new, told.how == How::Listed) {
        cx.counters.stale_messages += 1;
        return State::Following(remote);
    }
    let best = record.routes.best(Some(remote.vtep())).map(|route| route.vtep);
    if firm && best == Some(told.from) && !told.addresses.is_empty() {
        record.addresses = told.addresses;
    }
    settle(remote, record, cx)
}

/// A peer says that it does not have the host.
pub(crate) fn withdrawn(remote: Remote, record: &mut Record, cx: &mut Context<'_>, withdrawn: &Withdrawn) -> State {
    forget_route(record, withdrawn);
    note_hand_over(record, cx, withdrawn);
    if withdrawn.moved_to == Some(cx.config.me) {
        decline(record, cx, withdrawn.sequence);
    }
    settle(remote, record, cx)
}

/// The same for a host that we do not know: if it went somewhere, now we do.
pub(crate) fn withdrawn_unknown(
    absent: Absent,
    record: &mut Record,
    cx: &mut Context<'_>,
    withdrawn: &Withdrawn,
) -> State {
    if withdrawn.moved_to == Some(cx.config.me) {
        decline(record, cx, withdrawn.sequence);
    }
    if cx.other_hosts < cx.config.limits.hosts {
        note_hand_over(record, cx, withdrawn);
    }
    match record.routes.best(None) {
        Some(route) => State::Following(Remote::learned(absent, route.vtep)),
        None => State::Absent(absent),
    }
}

/// A verdict for a claim that is over. If it gives us the host, we have to say that it is not here: otherwise it would be nowhere.
pub(crate) fn reply_without_claim(record: &mut Record, cx: &mut Context<'_>, from: VtepAddr, reply: &Reply) {
    let news = record.routes.highest().is_none_or(|known| reply.sequence > known);
    match reply.verdict {
        Verdict::Moved if news => {
            record.routes.remove(from);
            decline(record, cx, reply.sequence);
        }
        Verdict::Moved | Verdict::Stayed | Verdict::Elsewhere(_) => cx.counters.stale_messages += 1,
    }
}

fn decline(record: &Record, cx: &mut Context<'_>, sequence: Sequence) {
    cx.counters.abandoned += 1;
    cx.withdraw(None, record.key, sequence, None);
}

/// Points the entry at the best route there is; without one, the host is forgotten.
pub(crate) fn settle(remote: Remote, record: &mut Record, cx: &mut Context<'_>) -> State {
    let from = remote.vtep();
    if record.routes.best_firm(None).is_none() {
        record.aftermath = None;
    }
    match usable(record, cx.now, from) {
        Some(route) if route.vtep == from => State::Following(remote),
        Some(route) => {
            let remote = remote.follow(route.vtep);
            cx.report(Report::Moved {
                host: record.key,
                from: Location::Remote(from),
                to: Location::Remote(remote.vtep()),
                because: Because::Told,
                took: std::time::Duration::ZERO,
            });
            State::Following(remote)
        }
        None => {
            cx.counters.removed += 1;
            cx.report(Report::Removed { host: record.key, last: Location::Remote(from) });
            State::Absent(remote.forgotten())
        }
    }
}

/// The best route. Who passes the host's traffic on from tunnel to tunnel believes only what is certain, and stops passing it on when nothing is:
/// otherwise the traffic might be passed to one who passes it back by another way.
fn usable(record: &Record, now: Instant, current: VtepAddr) -> Option<&Route> {
    let firm = record.routes.best_firm(Some(current)).filter(|_| record.passes_on(now));
    firm.or_else(|| record.routes.best(Some(current)))
}

/// What the peer said, as a route.
pub(crate) fn route(told: &Told, cx: &Context<'_>) -> Route {
    let timers = &cx.config.timers;
    // Longer than any claim can take: by then the claimant or the owner has spoken, or never will.
    let longest_claim = timers.claim_give_up + timers.verdict_after;
    Route {
        vtep: told.from,
        sequence: told.sequence,
        tentative_until: (told.how == How::AtOnce).then(|| cx.now + 2 * longest_claim),
        round: cx.peers.round(told.from),
        disputed: false,
    }
}

/// Forgets what the peer takes back.
pub(crate) fn forget_route(record: &mut Record, withdrawn: &Withdrawn) {
    if record.routes.of(withdrawn.from).is_some_and(|route| route.sequence <= withdrawn.sequence) {
        record.routes.remove(withdrawn.from);
    }
}

/// Takes the old owner's word for where the host went, until the new owner has its say.
pub(crate) fn note_hand_over(record: &mut Record, cx: &Context<'_>, withdrawn: &Withdrawn) {
    let Some(to) = withdrawn.moved_to.filter(|to| cx.vni.peers.contains(to)) else { return };
    if record.routes.best_firm(None).is_none_or(|known| withdrawn.sequence >= known.sequence) {
        record.routes.insert(owner::firm_route(to, withdrawn.sequence, cx), false);
    }
}
