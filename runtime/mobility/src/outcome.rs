//! How a claim ends, at the claimant.

use crate::claim::Claim;
use crate::config::Advertise;
use crate::context::Context;
use crate::entry::{Local, Remote, Verified};
use crate::host::{Aftermath, Record, State};
use crate::ids::{Location, VtepAddr};
use crate::message::{Message, Migration, Withdrawal};
use crate::observer;
use crate::owner::{self, Answered};
use crate::report::Report;
use crate::sequence::Sequence;
use crate::verdict::refuse_port;

/// On whose word, and with which sequence, a claim was won.
#[derive(Debug)]
pub(crate) struct Won {
    pub(crate) by: VtepAddr,
    pub(crate) sequence: Sequence,
}

/// The first entry is gone, the second is now the entry (M6), and the observers are told (M7).
pub(crate) fn won(
    remote: Remote,
    claim: Claim,
    won: &Won,
    record: &mut Record,
    cx: &mut Context<'_>,
    verified: &Verified,
) -> State {
    let local = take_over(remote, claim, won.sequence, record, cx, verified);
    record.routes.remove(won.by);
    record.routes.remove_outranked(won.sequence);
    owner::advertise(&local, record, cx, Some(Migration::Verified { by: won.by }));
    State::Owned(local, Answered::default())
}

/// Two claims crossed: the host is taken over to be asked for here, with a sequence that the other claim outranks.
pub(crate) fn crossed(
    remote: Remote,
    claim: Claim,
    record: &mut Record,
    cx: &mut Context<'_>,
    verified: &Verified,
) -> Local {
    let known = record.routes.of(remote.vtep()).map_or(Sequence::FIRST, |route| route.sequence);
    record.routes.remove(remote.vtep());
    take_over(remote, claim, known, record, cx, verified)
}

fn take_over(
    remote: Remote,
    claim: Claim,
    sequence: Sequence,
    record: &mut Record,
    cx: &mut Context<'_>,
    verified: &Verified,
) -> Local {
    let from = Location::Remote(remote.vtep());
    let to = Location::Local(claim.port);
    let local = remote.taken_over(claim.port, sequence, verified);
    record.aftermath = None;
    record.quarantine.retain(|&(shut, _)| shut != claim.port);
    record.addresses.add(claim.addresses.as_slice(), cx.config.limits.addresses_per_host);
    cx.damping.forget(record.key, claim.port);
    cx.release(claim.frame);
    cx.counters.moves += 1;
    let because = verified.because();
    cx.report(Report::Moved { host: record.key, from, to, because, took: cx.now - claim.heard });
    local
}

/// The host is still at the owner: the second entry is gone (M6), and observers that were told at once take it back (M8).
pub(crate) fn refused(
    remote: Remote,
    claim: Claim,
    owner_sequence: Sequence,
    record: &mut Record,
    cx: &mut Context<'_>,
) -> State {
    let owner = remote.vtep();
    refuse_port(record, cx, claim.port, claim.frame, claim.heard);
    record.routes.insert(owner::firm_route(owner, owner_sequence, cx), false);
    let (kept, claimed) = (Location::Remote(owner), Location::Local(claim.port));
    cx.report(Report::Stayed { host: record.key, kept, claimed, took: cx.now - claim.heard });
    if claim.told {
        cx.withdraw(Some(owner), record.key, claim.sequence, None);
        // Observers may still send here what belongs to the owner: it is passed on (B8).
        let hairpin_until = cx.now + cx.config.timers.hairpin;
        record.aftermath = Some(match record.aftermath {
            Some(after) => Aftermath { hairpin_until, ..after },
            None => Aftermath { old_port: None, watched_until: cx.now, hairpin_until },
        });
    }
    observer::settle(remote, record, cx)
}

/// Nobody could decide: the entry stays as it is. That is not held against the port.
pub(crate) fn undecided(remote: Remote, claim: Claim, record: &mut Record, cx: &mut Context<'_>) -> State {
    cx.damping.pause(record.key, claim.port, claim.heard, cx.now, &cx.config.timers, &cx.config.limits);
    abandoned(remote, claim, record, cx)
}

/// The claim is taken back before the verdict.
pub(crate) fn abandoned(remote: Remote, claim: Claim, record: &mut Record, cx: &mut Context<'_>) -> State {
    cx.counters.abandoned += 1;
    cx.drop(claim.frame);
    let withdrawal = Withdrawal { host: record.key, sequence: claim.sequence, moved_to: None };
    cx.send(remote.vtep(), Message::Withdrawal(withdrawal));
    if claim.told || cx.vni.advertise == Advertise::AtOnce {
        cx.withdraw(Some(remote.vtep()), record.key, claim.sequence, None);
    }
    // The owner may be about to send the host's traffic here: it must not be sent on from here, or it might go round.
    record.aftermath = None;
    observer::settle(remote, record, cx)
}
