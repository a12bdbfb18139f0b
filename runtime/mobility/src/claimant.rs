//! The claimant ("second device"): the host was heard here, the entry says it is elsewhere (M1, M2, M6 to M8, B9).

use crate::action::{Action, Probe};
use crate::asking::Asking;
use crate::claim::{Claim, Stage};
use crate::config::Advertise;
use crate::context::Context;
use crate::entry::{Remote, Verified};
use crate::event::Evidence;
use crate::gate::{Admission, admit};
use crate::host::{Asked, HeardAt, How, Record, State, Told, Withdrawn};
use crate::ids::{AccessId, Location, VtepAddr};
use crate::message::{Advertisement, Message, Migration, Reply, Verdict};
use crate::outcome::{self, Won};
use crate::report::Report;
use crate::routes::outranks;
use crate::sequence::Sequence;
use crate::{observer, owner};

/// How often a claim is made anew, mostly because it follows the host to yet another owner, before it is dropped. The next announcement
/// begins another.
const MAX_HOPS: u8 = 8;

/// The host is heard here (M1, B1).
pub(crate) fn heard(remote: Remote, record: &mut Record, cx: &mut Context<'_>, heard: HeardAt) -> State {
    match admit(record, cx, &heard, Location::Remote(remote.vtep())) {
        Admission::Refused => State::Following(remote),
        Admission::Exempt(verified) => {
            let highest = record.routes.highest().unwrap_or(Sequence::FIRST);
            let sequence = cx.sequence_after(record.key, highest);
            let claim = Claim::new(sequence, &heard, cx);
            let by = cx.config.me;
            outcome::won(remote, claim, &Won { by, sequence }, record, cx, &verified)
        }
        Admission::Verify => {
            // What was told at once is no verdict: the one to ask is who has the host for certain.
            let remote = match record.routes.best_firm(Some(remote.vtep())) {
                Some(owner) => remote.follow(owner.vtep),
                None => remote,
            };
            let known = record.routes.of(remote.vtep()).map_or(Sequence::FIRST, |route| route.sequence);
            let sequence = cx.sequence_after(record.key, known);
            let mut claim = Box::new(Claim::new(sequence, &heard, cx));
            ask_owner(&remote, &mut claim, record, cx);
            advance(remote, claim, record, cx)
        }
    }
}

/// Turns to the owner: by message if its session is up, else by probes through the tunnel.
fn ask_owner(remote: &Remote, claim: &mut Claim, record: &Record, cx: &mut Context<'_>) {
    claim.nobody_asks(cx);
    if cx.peers.is_up(remote.vtep()) {
        let timers = &cx.config.timers;
        claim.stage = Stage::Owner {
            retry_at: cx.now + timers.claim_retry,
            wait: timers.claim_retry,
            give_up_at: cx.now + timers.claim_give_up,
        };
        send_claim(remote, claim, record, cx);
    } else {
        ask_through_tunnel(remote, claim, record, cx);
    }
    if cx.vni.advertise == Advertise::AtOnce {
        claim.told = true;
        let message = Message::Advertisement(advertisement(claim, record, cx, Migration::AtOnce));
        cx.send_all(Some(remote.vtep()), &message);
    }
}

fn ask_through_tunnel(remote: &Remote, claim: &mut Claim, record: &Record, cx: &mut Context<'_>) {
    claim.stage = Stage::Tunnel(Asking::begin(cx.now));
    claim.nobody_asks(cx);
    cx.counters.owner_unreachable += 1;
    cx.report(Report::OwnerUnreachable { host: record.key, owner: remote.vtep() });
}

fn send_claim(remote: &Remote, claim: &mut Claim, record: &Record, cx: &mut Context<'_>) {
    if cx.peers.is_up(remote.vtep()) {
        claim.owner_asks(cx);
    }
    let message = advertisement(claim, record, cx, Migration::Asked { claim: claim.id });
    cx.send(remote.vtep(), Message::Advertisement(message));
}

fn advertisement(claim: &Claim, record: &Record, cx: &Context<'_>, migration: Migration) -> Advertisement {
    let mut addresses = claim.addresses.clone();
    addresses.add(record.addresses.as_slice(), cx.config.limits.addresses_per_host);
    Advertisement {
        host: record.key,
        addresses: addresses.to_vec(),
        sequence: claim.sequence,
        migration: Some(migration),
    }
}

/// Does what is due: the claim again, a probe, or the end of waiting.
pub(crate) fn advance(remote: Remote, mut claim: Box<Claim>, record: &mut Record, cx: &mut Context<'_>) -> State {
    let timers = &cx.config.timers;
    if let Stage::Owner { retry_at, wait, give_up_at } = &mut claim.stage {
        if cx.now >= *give_up_at {
            ask_through_tunnel(&remote, &mut claim, record, cx);
        } else if cx.now >= *retry_at {
            *wait = wait.saturating_mul(2);
            *retry_at = cx.now + *wait;
            cx.counters.retries += 1;
            send_claim(&remote, &mut claim, record, cx);
        }
    }
    if let Stage::Tunnel(asking) = &mut claim.stage {
        if let Some(silence) = asking.silence(cx.now, timers) {
            return match Verified::by_policy(silence, cx.vni) {
                Some(verified) => {
                    let won = Won { by: cx.config.me, sequence: claim.sequence };
                    outcome::won(remote, *claim, &won, record, cx, &verified)
                }
                None => outcome::undecided(remote, *claim, record, cx),
            };
        }
        if asking.take_probe(cx.now, timers) {
            cx.counters.probes += 1;
            cx.out.push(Action::Probe(Probe {
                host: record.key,
                via: Location::Remote(remote.vtep()),
                targets: record.addresses.targets(&claim.addresses, record.key.mac),
            }));
        }
    }
    State::Claiming(remote, claim)
}

/// It is heard again, here or at another port. The claim that is on its way stays the only one; later announcements can renew it.
pub(crate) fn heard_while_claiming(
    remote: Remote,
    mut claim: Box<Claim>,
    record: &mut Record,
    cx: &mut Context<'_>,
    heard: HeardAt,
) -> State {
    if record.is_quarantined(heard.port) {
        cx.counters.quarantined += 1;
        cx.drop(heard.frame);
    } else if heard.evidence == Evidence::Dad {
        cx.counters.dad_ignored += 1;
        cx.release(heard.frame);
    } else if heard.port != claim.port {
        cx.counters.coalesced += 1;
        cx.drop(heard.frame);
    } else {
        cx.counters.coalesced += 1;
        claim.addresses.add(heard.addresses.as_slice(), cx.config.limits.addresses_per_host);
        match claim.frame {
            Some(_) => cx.drop(heard.frame),
            None => claim.frame = heard.frame,
        }
    }
    State::Claiming(remote, claim)
}

/// It answered a probe. Only what comes out of the owner's tunnel shows that it is still there.
pub(crate) fn answered(
    remote: Remote,
    claim: Box<Claim>,
    record: &mut Record,
    cx: &mut Context<'_>,
    from: Location,
) -> State {
    if claim.is_probing() && from == Location::Remote(remote.vtep()) {
        let known = record.routes.of(remote.vtep()).map_or(Sequence::FIRST, |route| route.sequence);
        outcome::refused(remote, *claim, known, record, cx)
    } else {
        cx.counters.wrong_answers += 1;
        State::Claiming(remote, claim)
    }
}

/// The claimed port is down: the host is not there any more either.
pub(crate) fn port_down(
    remote: Remote,
    claim: Box<Claim>,
    record: &mut Record,
    cx: &mut Context<'_>,
    port: AccessId,
) -> State {
    if port == claim.port { outcome::abandoned(remote, *claim, record, cx) } else { State::Claiming(remote, claim) }
}

/// The session with the owner is back: the claim may have been lost with the old one.
pub(crate) fn owner_up(remote: Remote, mut claim: Box<Claim>, record: &mut Record, cx: &mut Context<'_>) -> State {
    match claim.stage {
        Stage::Owner { .. } => {
            cx.counters.retries += 1;
            send_claim(&remote, &mut claim, record, cx);
            State::Claiming(remote, claim)
        }
        Stage::Tunnel(_) => ask_anew(remote, claim, record, cx),
    }
}

/// The session with the owner is down, and whether the owner still asks the host is not known. The claim waits for the session to come back.
pub(crate) fn owner_down(remote: Remote, mut claim: Box<Claim>, cx: &Context<'_>) -> State {
    claim.nobody_asks(cx);
    State::Claiming(remote, claim)
}

/// The verdict (M6), or a hint where to get it.
pub(crate) fn replied(
    remote: Remote,
    mut claim: Box<Claim>,
    record: &mut Record,
    cx: &mut Context<'_>,
    from: VtepAddr,
    reply: &Reply,
) -> State {
    if from != remote.vtep() || reply.claim != claim.id {
        cx.counters.stale_messages += 1;
        return State::Claiming(remote, claim);
    }
    if let Some(verified) = Verified::by_owner(&remote, from, reply) {
        let won = Won { by: from, sequence: reply.sequence.max(claim.sequence) };
        return outcome::won(remote, *claim, &won, record, cx, &verified);
    }
    match reply.verdict {
        Verdict::Stayed | Verdict::Moved => outcome::refused(remote, *claim, reply.sequence, record, cx),
        Verdict::Elsewhere(_) if record.routes.of(from).is_some_and(|route| reply.sequence < route.sequence) => {
            // It knows less than we do, and is about to learn that it is the owner. The claim is repeated in time.
            cx.counters.stale_messages += 1;
            claim.nobody_asks(cx);
            State::Claiming(remote, claim)
        }
        Verdict::Elsewhere(owner) if owner == cx.config.me => {
            record.routes.remove(from);
            disowned(remote, claim, record, cx, from)
        }
        Verdict::Elsewhere(owner) if cx.vni.peers.contains(&owner) => {
            record.routes.remove(from);
            record.routes.insert(owner::firm_route(owner, reply.sequence, cx), owner == from);
            // It still has the host, but has not taken up the claim, or has dropped it for another: it asks nobody until it is asked anew.
            if record.routes.best_firm(Some(from)).is_some_and(|route| route.vtep == from) {
                ask_anew(remote, claim, record, cx)
            } else {
                reconsider(remote, claim, record, cx)
            }
        }
        Verdict::Elsewhere(_) => {
            cx.counters.unknown_peer += 1;
            State::Claiming(remote, claim)
        }
    }
}

/// A peer says it has the host.
pub(crate) fn told(remote: Remote, claim: Box<Claim>, record: &mut Record, cx: &mut Context<'_>, told: Told) -> State {
    if !record.routes.insert(observer::route(&told, cx), told.how == How::Listed) {
        cx.counters.stale_messages += 1;
        return State::Claiming(remote, claim);
    }
    let outranked = !outranks(claim.sequence, told.sequence);
    if told.from == remote.vtep() && told.how == How::Plain && outranked {
        return outcome::refused(remote, *claim, told.sequence, record, cx);
    }
    reconsider(remote, claim, record, cx)
}

/// A peer says it does not have the host, perhaps the very owner.
pub(crate) fn withdrawn(
    remote: Remote,
    claim: Box<Claim>,
    record: &mut Record,
    cx: &mut Context<'_>,
    withdrawn: &Withdrawn,
) -> State {
    observer::forget_route(record, withdrawn);
    if withdrawn.moved_to == Some(cx.config.me)
        && let Some(verified) = Verified::by_disowning(&remote, withdrawn.from)
    {
        let won = Won { by: withdrawn.from, sequence: withdrawn.sequence.max(claim.sequence) };
        return outcome::won(remote, *claim, &won, record, cx, &verified);
    }
    observer::note_hand_over(record, cx, withdrawn);
    let nobody_has_it = withdrawn.moved_to.is_none() && record.routes.best_firm(None).is_none();
    if withdrawn.from == remote.vtep() && nobody_has_it {
        disowned(remote, claim, record, cx, withdrawn.from)
    } else {
        reconsider(remote, claim, record, cx)
    }
}

/// The owner does not have it, and nobody else is known to: then it is here.
fn disowned(remote: Remote, claim: Box<Claim>, record: &mut Record, cx: &mut Context<'_>, by: VtepAddr) -> State {
    match Verified::by_disowning(&remote, by) {
        Some(verified) => {
            let won = Won { by, sequence: claim.sequence };
            outcome::won(remote, *claim, &won, record, cx, &verified)
        }
        None => State::Claiming(remote, claim),
    }
}

/// The routes have changed: the claim goes to whom they make the owner, and outranks it.
fn reconsider(remote: Remote, claim: Box<Claim>, record: &mut Record, cx: &mut Context<'_>) -> State {
    let owner = remote.vtep();
    match record.routes.best_firm(Some(owner)) {
        // That nobody is certain to have it is not the owner's word that it does not: the claim is repeated until it answers.
        None => State::Claiming(remote, claim),
        Some(route) if route.vtep == owner && outranks(claim.sequence, route.sequence) => {
            State::Claiming(remote, claim)
        }
        Some(route) => {
            let remote = remote.follow(route.vtep);
            ask_anew(remote, claim, record, cx)
        }
    }
}

/// Makes the claim to `remote`, anew or for the first time, unless it has been made too often.
fn ask_anew(remote: Remote, mut claim: Box<Claim>, record: &mut Record, cx: &mut Context<'_>) -> State {
    if claim.hops >= MAX_HOPS {
        return outcome::undecided(remote, *claim, record, cx);
    }
    claim.hops += 1;
    if let Some(route) = record.routes.of(remote.vtep()).filter(|route| !outranks(claim.sequence, route.sequence)) {
        claim.sequence = cx.sequence_after(record.key, route.sequence);
    }
    ask_owner(&remote, &mut claim, record, cx);
    State::Claiming(remote, claim)
}

/// A peer claims it, too.
pub(crate) fn asked(
    remote: Remote,
    claim: Box<Claim>,
    record: &mut Record,
    cx: &mut Context<'_>,
    asked: Asked,
) -> State {
    let Some(verified) = Verified::by_disowning(&remote, asked.from) else {
        let known = record.routes.of(remote.vtep()).map_or(Sequence::FIRST, |route| route.sequence);
        cx.reply(asked.from, record.key, asked.claim, known, Verdict::Elsewhere(remote.vtep()));
        return State::Claiming(remote, claim);
    };
    // Claims that cross: each takes the other for the owner, so neither is. Both have heard it, both ask their own port (rule 10).
    let local = outcome::crossed(remote, *claim, record, cx, &verified);
    owner::asked(local, owner::Answered::default(), record, cx, asked)
}
