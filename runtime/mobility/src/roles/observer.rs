//! The observer ("third device"): the entry points at another VTEP, and follows what the VTEPs say (M7 to M9).

use std::time::Duration;

use crate::guards::{Guard, is_out};
use crate::inout::message::{Binding, Message, Reply, Verdict, Withdrawal};
use crate::inout::report::{Because, Report};
use crate::knowledge::aftermath::Aftermath;
use crate::knowledge::entry::{Absent, Remote};
use crate::knowledge::routes::Route;
use crate::roles::fact::{Claimed, How, Told, Withdrawn};
use crate::roles::known::Known;
use crate::roles::world::{Out, World};
use crate::words::ids::{Location, VtepAddr};
use crate::words::sequence::Sequence;
use crate::words::time::Instant;

/// What has become of an observer.
#[derive(Debug)]
pub(crate) enum Became {
    Observer(Remote),
    Nothing(Absent),
}

/// A host that nobody had is said to be somewhere: ordinary learning.
pub(crate) fn learn(absent: Absent, told: &Told, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
    if let Err(full) = world.room {
        out.is_full(full, Some(told.from));
        return Became::Nothing(absent);
    }
    known.routes.insert(world.route_told(told), true);
    hear_of_addresses(known, &told.bindings, told.from, world);
    Became::Observer(Remote::learned(absent, told.from))
}

/// The switch had an entry when we started. If it passed the host's traffic on, it goes on doing so for a while: observers may still send it here (B8),
/// and nobody remembers since when.
pub(crate) fn restored(
    absent: Absent,
    vtep: VtepAddr,
    passed_on: bool,
    known: &mut Known,
    world: &World<'_>,
    out: &mut Out<'_>,
) -> Became {
    if !world.vni.peers.contains(&vtep) {
        out.counters.unknown_peer += 1;
        return Became::Nothing(absent);
    }
    known.routes.insert(world.firm_route(vtep, Sequence::FIRST), true);
    if passed_on {
        known.aftermath = Some(Aftermath::of_refusal(None, world.now, world.timers()));
    }
    Became::Observer(Remote::learned(absent, vtep))
}

/// A peer takes us for the owner of a host that we do not have, or not any more: there is nobody to ask, it may have it.
pub(crate) fn claimed_unknown(
    absent: Absent,
    claimed: &Claimed,
    known: &mut Known,
    world: &World<'_>,
    out: &mut Out<'_>,
) -> Became {
    out.counters.claims_received += 1;
    out.reply(claimed.from, known.key, claimed.claim, claimed.sequence, Verdict::Moved { tenure: Duration::ZERO });
    if let Err(full) = world.room {
        out.is_full(full, Some(claimed.from));
        return Became::Nothing(absent);
    }
    known.routes.insert(world.firm_route(claimed.from, claimed.sequence), true);
    hear_of_addresses(known, &claimed.bindings, claimed.from, world);
    Became::Observer(Remote::learned(absent, claimed.from))
}

/// A peer takes us for the owner, and we are not: it is told whom to ask. Or we were, gave it the host, and it has not heard.
pub(crate) fn claimed(remote: &Remote, claimed: &Claimed, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) {
    let best = known.routes.best_firm(Some(remote.vtep()));
    let owner = match best {
        Some(route) if route.vtep == claimed.from => None,
        Some(route) => Some((route.vtep, route.sequence)),
        None => known.routes.best_other(claimed.from).map(|route| (route.vtep, route.sequence)),
    };
    match owner {
        Some((owner, sequence)) => {
            out.reply(claimed.from, known.key, claimed.claim, sequence, Verdict::Elsewhere(owner));
        }
        None => {
            let sequence = claimed.sequence.max(best.map_or(Sequence::FIRST, |route| route.sequence));
            known.routes.insert(world.firm_route(claimed.from, sequence), false);
            let verdict = Verdict::Moved { tenure: Duration::ZERO };
            out.reply(claimed.from, known.key, claimed.claim, sequence, verdict);
        }
    }
}

/// A peer says that it has the host: no probe of our own, it is not ours to ask (M7).
pub(crate) fn told(remote: Remote, told: &Told, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
    let new = world.route_told(told);
    let firm = new.is_firm();
    if !known.routes.insert(new, told.how == How::Listed) {
        out.counters.stale_messages += 1;
        return Became::Observer(remote);
    }
    let best = known.routes.best(Some(remote.vtep())).map(|route| route.vtep);
    if firm && best == Some(told.from) {
        hear_of_addresses(known, &told.bindings, told.from, world);
    }
    settle(remote, known, world, out)
}

/// Who has the host knows which addresses it has.
pub(crate) fn hear_of_addresses(known: &mut Known, bindings: &[Binding], from: VtepAddr, world: &World<'_>) {
    known.addresses.told(bindings, Location::Remote(from), world.now, world.addresses_limit());
}

/// A peer says that it does not have the host. Where it went is believed of who had it.
pub(crate) fn withdrawn(
    remote: Remote,
    withdrawn: &Withdrawn,
    known: &mut Known,
    world: &World<'_>,
    out: &mut Out<'_>,
) -> Became {
    let had_it =
        known.routes.of(withdrawn.from).is_some() || remote.vtep() == withdrawn.from || is_out(Guard::HolderHandsOver);
    known.routes.forget(withdrawn.from, withdrawn.sequence);
    if had_it {
        note_hand_over(known, withdrawn, world);
        if withdrawn.moved_to == Some(world.config.me) {
            decline(known, withdrawn.sequence, out);
        }
    } else if withdrawn.moved_to.is_some() {
        out.counters.stale_messages += 1;
    }
    settle(remote, known, world, out)
}

/// The same for a host that we do not know: if it went somewhere, now we do.
pub(crate) fn withdrawn_unknown(
    absent: Absent,
    withdrawn: &Withdrawn,
    known: &mut Known,
    world: &World<'_>,
    out: &mut Out<'_>,
) -> Became {
    if withdrawn.moved_to == Some(world.config.me) {
        decline(known, withdrawn.sequence, out);
    }
    match world.room {
        Ok(()) => note_hand_over(known, withdrawn, world),
        Err(full) if withdrawn.moved_to.is_some() => out.is_full(full, withdrawn.moved_to),
        Err(_) => {}
    }
    match known.routes.best(None) {
        Some(route) => Became::Observer(Remote::learned(absent, route.vtep)),
        None => Became::Nothing(absent),
    }
}

/// A verdict for a claim that is over. If it gives us the host, we have to say that it is not here: otherwise it would be nowhere.
pub(crate) fn reply_without_claim(from: VtepAddr, reply: &Reply, known: &mut Known, out: &mut Out<'_>) {
    let news = known.routes.highest().is_none_or(|highest| reply.sequence > highest);
    match reply.verdict {
        Verdict::Moved { .. } if news && !is_out(Guard::Declined) => {
            known.routes.remove(from);
            decline(known, reply.sequence, out);
        }
        // It goes on asking for us, and has not heard that we do not claim it any more.
        Verdict::Open(_) => {
            let sequence = reply.sequence.next();
            out.send(from, Message::Withdrawal(Withdrawal { host: known.key, sequence, moved_to: None }));
        }
        Verdict::Moved { .. } | Verdict::Stayed | Verdict::Elsewhere(_) => {
            out.counters.stale_messages += 1;
        }
    }
}

fn decline(known: &Known, sequence: Sequence, out: &mut Out<'_>) {
    out.counters.abandoned += 1;
    out.withdraw(None, known.key, sequence, None);
}

/// Takes the old owner's word for where the host went, until the new owner has its say.
pub(crate) fn note_hand_over(known: &mut Known, withdrawn: &Withdrawn, world: &World<'_>) {
    let Some(to) = withdrawn.moved_to.filter(|to| world.vni.peers.contains(to)) else { return };
    if known.routes.best_firm(None).is_none_or(|known| withdrawn.sequence >= known.sequence) {
        known.routes.insert(world.firm_route(to, withdrawn.sequence), false);
    }
}

/// Points the entry at the best route there is; without one, the host is forgotten.
pub(crate) fn settle(remote: Remote, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
    let from = remote.vtep();
    if known.routes.best_firm(None).is_none() {
        known.aftermath = known.aftermath.map(|after| after.without_hairpin());
    }
    match usable(known, world.now, from) {
        Some(route) if route.vtep == from => Became::Observer(remote),
        Some(route) => {
            let remote = remote.follow(route.vtep);
            out.report(Report::Moved {
                host: known.key,
                from: Location::Remote(from),
                to: Location::Remote(remote.vtep()),
                because: Because::Told,
                took: Duration::ZERO,
            });
            Became::Observer(remote)
        }
        None => {
            out.counters.removed += 1;
            out.report(Report::Removed { host: known.key, last: Location::Remote(from) });
            Became::Nothing(remote.forgotten())
        }
    }
}

/// The best route. Who passes the host's traffic on from tunnel to tunnel believes only what is certain, and stops passing it on when nothing is:
/// otherwise the traffic might be passed to one who passes it back by another way.
fn usable(known: &Known, now: Instant, current: VtepAddr) -> Option<&Route> {
    let firm = known.routes.best_firm(Some(current)).filter(|_| known.passes_on(now) && !is_out(Guard::CertainOnly));
    firm.or_else(|| known.routes.best(Some(current)))
}
