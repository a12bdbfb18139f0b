//! The owner ("first device"): the host's entry is local (M3 to M5, B2 to B5).

use crate::context::Context;
use crate::entry::{Absent, Local, Remote, Verified};
use crate::event::Evidence;
use crate::gate::{Admission, admit};
use crate::host::{Aftermath, Asked, HeardAt, How, Record, State, Told, Withdrawn};
use crate::ids::{ClaimId, Location, VtepAddr};
use crate::message::{Advertisement, Message, Migration, Reply, Verdict};
use crate::observer;
use crate::report::Report;
use crate::routes::{Route, outranks};
use crate::verdict::{self, HandOver};
use crate::verification::{Claimant, begin};

pub(crate) use crate::verification::{
    Verification, advance, asked_while_verifying, heard_while_verifying, port_down_while_verifying, sign_of_life,
    told_while_verifying, withdrawn_while_verifying,
};

/// The claims that the last verification refused: their claimants get the same answer if they ask again because it was lost.
#[derive(Debug, Default)]
pub(crate) struct Answered(pub(crate) Vec<(VtepAddr, ClaimId)>);

/// A host that nobody has is heard: ordinary learning, no questions asked (M9).
pub(crate) fn learn(absent: Absent, record: &mut Record, cx: &mut Context<'_>, heard: HeardAt) -> State {
    cx.release(heard.frame);
    if cx.other_hosts >= cx.config.limits.hosts || !cx.ports.has_room_for_host(heard.port, &cx.config.limits) {
        cx.port_is_full(heard.port);
        return State::Absent(absent);
    }
    let local = Local::learned(absent, heard.port);
    learn_addresses(record, cx, &heard);
    cx.counters.learned += 1;
    cx.report(Report::Learned { host: record.key, port: heard.port });
    advertise(&local, record, cx, None);
    State::Owned(local, Answered::default())
}

/// It is heard: where it is recorded, or somewhere else (B5).
pub(crate) fn heard(
    local: Local,
    answered: Answered,
    record: &mut Record,
    cx: &mut Context<'_>,
    heard: HeardAt,
) -> State {
    if heard.port == local.port() {
        refresh(&local, record, cx, &heard);
        return State::Owned(local, answered);
    }
    let verified = match admit(record, cx, &heard, Location::Local(local.port())) {
        Admission::Refused => return State::Owned(local, answered),
        Admission::Exempt(verified) => Some(verified),
        Admission::Verify => Verified::by_port_down(&local, cx.ports),
    };
    let claimant =
        Claimant::Port { port: heard.port, frame: heard.frame, heard: cx.now, addresses: heard.addresses.clone() };
    match verified {
        Some(verified) => verdict::moved(local, vec![claimant], record, cx, &verified),
        None => begin(local, vec![claimant], &heard.addresses, record, cx),
    }
}

/// It is heard where it is recorded: nothing new, except perhaps an address.
pub(crate) fn refresh(local: &Local, record: &mut Record, cx: &mut Context<'_>, heard: &HeardAt) {
    cx.release(heard.frame);
    if learn_addresses(record, cx, heard) {
        advertise(local, record, cx, None);
    }
}

/// The port is down. The host is not given up before somebody claims it: it may be back with the link, and nobody is worse off.
pub(crate) fn port_down(local: Local, answered: Answered, record: &mut Record, cx: &mut Context<'_>) -> State {
    match (Verified::by_port_down(&local, cx.ports), record.routes.best_firm(None)) {
        (Some(verified), Some(rival)) => {
            let to = rival.vtep;
            let sequence = rival.sequence;
            let hand_over = HandOver { to, sequence, reply: None, tell: true, since: cx.now };
            verdict::hand_over(local, &hand_over, record, cx, &verified)
        }
        (Some(_) | None, _) => State::Owned(local, answered),
    }
}

/// It was idle for long: it is asked, and forgotten if it does not answer.
pub(crate) fn idle(local: Local, record: &mut Record, cx: &mut Context<'_>) -> State {
    match Verified::by_port_down(&local, cx.ports) {
        Some(verified) => verdict::removed(local, record, cx, &verified),
        None => begin(local, Vec::new(), &crate::addresses::Addresses::default(), record, cx),
    }
}

/// A claimant wants to have it (M3).
pub(crate) fn asked(
    local: Local,
    answered: Answered,
    record: &mut Record,
    cx: &mut Context<'_>,
    asked: Asked,
) -> State {
    if answered.0.contains(&(asked.from, asked.claim)) {
        cx.reply(asked.from, record.key, asked.claim, local.sequence(), Verdict::Stayed);
        return State::Owned(local, answered);
    }
    if !outranks(asked.sequence, local.sequence()) {
        ask_again(&local, record, cx, &asked);
        return State::Owned(local, answered);
    }
    cx.counters.claims_received += 1;
    let verified =
        Verified::by_configuration(record.key, cx.config, cx.vni).or_else(|| Verified::by_port_down(&local, cx.ports));
    let claimant = Claimant::Peer { vtep: asked.from, claim: asked.claim, sequence: asked.sequence, since: cx.now };
    match verified {
        Some(verified) => verdict::moved(local, vec![claimant], record, cx, &verified),
        None => begin(local, vec![claimant], &asked.addresses, record, cx),
    }
}

/// The claimant's view is out of date. It has to catch up first, or copies sent to it might come back another way.
pub(crate) fn ask_again(local: &Local, record: &Record, cx: &mut Context<'_>, asked: &Asked) {
    let verdict = Verdict::Elsewhere(cx.config.me);
    cx.reply(asked.from, record.key, asked.claim, local.sequence(), verdict);
}

/// A peer says it has the host, which is here: neither is right without asking.
pub(crate) fn told(local: Local, answered: Answered, record: &mut Record, cx: &mut Context<'_>, told: Told) -> State {
    if told.how == How::AtOnce {
        correct(&local, record, cx, told.from);
        return State::Owned(local, answered);
    }
    if !note_rival(record, cx, &told) {
        return State::Owned(local, answered);
    }
    let exempt = Verified::by_configuration(record.key, cx.config, cx.vni);
    if exempt.is_some() && !outranks(told.sequence, local.sequence()) {
        settle_dispute(&local, record, cx, told.from);
        return State::Owned(local, answered);
    }
    match exempt.or_else(|| Verified::by_port_down(&local, cx.ports)) {
        Some(verified) => {
            let hand_over =
                HandOver { to: told.from, sequence: told.sequence, reply: None, tell: false, since: cx.now };
            verdict::hand_over(local, &hand_over, record, cx, &verified)
        }
        None => begin(local, vec![rival(&told, cx)], &told.addresses, record, cx),
    }
}

/// A claimant tells us at once what it asks somebody else, whom it takes for the owner. It is told who is, and will ask.
///
/// Nothing is given on such a claim: while its claimant sends the host's traffic to another, it could come back that way.
pub(crate) fn correct(local: &Local, record: &Record, cx: &mut Context<'_>, claimant: VtepAddr) {
    cx.counters.stale_messages += 1;
    cx.send(claimant, Message::Advertisement(advertisement(local, record, None)));
}

/// Remembers what the rival says. `false`: there is nothing new in it.
pub(crate) fn note_rival(record: &mut Record, cx: &mut Context<'_>, told: &Told) -> bool {
    if !record.routes.insert(observer::route(told, cx), told.how == How::Listed) {
        cx.counters.stale_messages += 1;
        return false;
    }
    record.routes.of(told.from).is_some_and(|route| !route.disputed)
}

pub(crate) fn rival(told: &Told, cx: &Context<'_>) -> Claimant {
    let migration = told.how == How::Verified;
    Claimant::Rival { vtep: told.from, sequence: told.sequence, migration, since: cx.now }
}

/// Tells the rival that the host is here, and leaves it at that: if it answers there too, both keep it.
pub(crate) fn settle_dispute(local: &Local, record: &mut Record, cx: &mut Context<'_>, with: VtepAddr) {
    if let Some(route) = record.routes.of_mut(with) {
        route.disputed = true;
    }
    cx.send(with, Message::Advertisement(advertisement(local, record, None)));
}

/// A reply that we did not wait for. If it gives the host to us, then with a sequence that others have heard of.
pub(crate) fn replied(local: &mut Local, record: &mut Record, cx: &mut Context<'_>, from: VtepAddr, reply: &Reply) {
    match reply.verdict {
        Verdict::Moved if reply.sequence > local.sequence() => given(local, record, cx, from, reply.sequence),
        Verdict::Moved | Verdict::Stayed | Verdict::Elsewhere(_) => cx.counters.stale_messages += 1,
    }
}

/// A peer does not have it, which is what we thought; or not any more, and says it is ours.
pub(crate) fn withdrawn(local: &mut Local, record: &mut Record, cx: &mut Context<'_>, withdrawn: &Withdrawn) {
    observer::forget_route(record, withdrawn);
    if withdrawn.moved_to == Some(cx.config.me) && withdrawn.sequence > local.sequence() {
        given(local, record, cx, withdrawn.from, withdrawn.sequence);
    }
}

fn given(
    local: &mut Local,
    record: &mut Record,
    cx: &mut Context<'_>,
    by: VtepAddr,
    sequence: crate::sequence::Sequence,
) {
    local.raise(sequence);
    record.routes.remove(by);
    advertise(local, record, cx, Some(Migration::Verified { by }));
}

/// Tells every peer that the host is here.
pub(crate) fn advertise(local: &Local, record: &Record, cx: &mut Context<'_>, migration: Option<Migration>) {
    cx.send_all(None, &Message::Advertisement(advertisement(local, record, migration)));
}

fn advertisement(local: &Local, record: &Record, migration: Option<Migration>) -> Advertisement {
    Advertisement { host: record.key, addresses: record.addresses.to_vec(), sequence: local.sequence(), migration }
}

/// Takes in the addresses that a frame from the right place carried. Whether any was new.
pub(crate) fn learn_addresses(record: &mut Record, cx: &mut Context<'_>, heard: &HeardAt) -> bool {
    if heard.evidence == Evidence::Dad {
        return false;
    }
    let added = record.addresses.add(heard.addresses.as_slice(), cx.config.limits.addresses_per_host);
    cx.counters.addresses_limited += added.refused;
    added.new
}

/// What the former owner still does for the host.
pub(crate) fn aftermath(local: &Local, cx: &Context<'_>) -> Aftermath {
    Aftermath {
        old_port: Some(local.port()),
        watched_until: cx.now + cx.config.timers.old_port_watch,
        hairpin_until: cx.now + cx.config.timers.hairpin,
    }
}

/// The route to a VTEP that the host was given to.
pub(crate) fn firm_route(to: VtepAddr, sequence: crate::sequence::Sequence, cx: &Context<'_>) -> Route {
    Route { vtep: to, sequence, tentative_until: None, round: cx.peers.round(to), disputed: false }
}

/// What follows when the host is no longer here: somebody else has it, or nobody.
pub(crate) fn fall_back(absent: Absent, record: &Record) -> State {
    match record.routes.best(None) {
        Some(route) => State::Following(Remote::learned(absent, route.vtep)),
        None => State::Absent(absent),
    }
}
