//! A verification at the owner: the host is asked out of its recorded port, once for all who claim it.

use crate::action::{Action, Probe};
use crate::addresses::Addresses;
use crate::asking::Asking;
use crate::config::{During, Timers};
use crate::context::Context;
use crate::entry::{Local, Verified};
use crate::event::Evidence;
use crate::gate::{Admission, admit};
use crate::host::{Asked, HeardAt, How, Record, State, Told, Withdrawn};
use crate::ids::{AccessId, ClaimId, FrameId, Location, VtepAddr};
use crate::owner::{self, Answered};
use crate::report::Report;
use crate::routes::outranks;
use crate::sequence::Sequence;
use crate::time::Instant;
use crate::verdict;

/// The host is being asked.
#[derive(Debug)]
pub(crate) struct Verification {
    asking: Asking,
    /// Whether its traffic goes to the first claimant, too.
    copying: bool,
    /// Who claims it, first come first. Nobody: it is only asked whether it is still there.
    claimants: Vec<Claimant>,
    /// Addresses that the claims name.
    claimed: Addresses,
}

/// Who claims the host.
#[derive(Debug)]
pub(crate) enum Claimant {
    /// It was heard on another port of this VTEP.
    Port { port: AccessId, frame: Option<FrameId>, heard: Instant, addresses: Addresses },
    /// A peer heard it, and waits for a reply.
    Peer { vtep: VtepAddr, claim: ClaimId, sequence: Sequence, since: Instant },
    /// A peer has it in its own table as its own.
    Rival { vtep: VtepAddr, sequence: Sequence, migration: bool, since: Instant },
}

/// How many ports of one VTEP may claim a host at the same time. More are refused, and heard again.
const MAX_PORTS: usize = 8;

impl Claimant {
    pub(crate) fn location(&self) -> Location {
        match *self {
            Self::Port { port, .. } => Location::Local(port),
            Self::Peer { vtep, .. } | Self::Rival { vtep, .. } => Location::Remote(vtep),
        }
    }
}

impl Verification {
    pub(crate) fn due(&self, during: During, timers: &Timers) -> Instant {
        let due = self.asking.due(timers);
        if during == During::Escalate && !self.copying && !self.claimants.is_empty() {
            due.min(self.asking.started() + timers.escalate_after)
        } else {
            due
        }
    }

    /// Where copies of the host's traffic go: to the first claimant, if that knows our sequence. A rival may not, and then still takes somebody
    /// else for the owner, who could send the copies back to us.
    pub(crate) fn copies_to(&self) -> Option<Location> {
        match self.claimants.first().filter(|_| self.copying)? {
            claimant @ (Claimant::Port { .. } | Claimant::Peer { .. }) => Some(claimant.location()),
            Claimant::Rival { .. } => None,
        }
    }

    pub(crate) fn claiming_ports(&self) -> impl Iterator<Item = AccessId> {
        self.claimants.iter().filter_map(|claimant| match claimant {
            Claimant::Port { port, .. } => Some(*port),
            Claimant::Peer { .. } | Claimant::Rival { .. } => None,
        })
    }

    fn claims(&self, location: Location) -> bool {
        self.claimants.iter().any(|claimant| claimant.location() == location)
    }

    /// One more who claims the host. A host that was only asked out of routine is asked anew: its silence so far may have had
    /// another reason.
    fn join(&mut self, claimant: Claimant, addresses: &Addresses, cx: &Context<'_>) {
        if self.claimants.is_empty() {
            self.asking = Asking::begin(cx.now);
        }
        self.claimants.push(claimant);
        self.claimed.add(addresses.as_slice(), cx.config.limits.addresses_per_host);
    }
}

/// Begins to ask, for all who claim the host; for nobody, if it is only to be seen whether it is still there.
pub(crate) fn begin(
    local: Local,
    claimants: Vec<Claimant>,
    claimed: &Addresses,
    record: &mut Record,
    cx: &mut Context<'_>,
) -> State {
    cx.counters.verifications += 1;
    cx.report(Report::VerificationStarted {
        host: record.key,
        recorded: Location::Local(local.port()),
        claimed: claimants.first().map(Claimant::location),
    });
    let verification =
        Verification { asking: Asking::begin(cx.now), copying: false, claimants, claimed: claimed.clone() };
    advance(local, Box::new(verification), record, cx)
}

/// Does what is due: a probe, escalation, the verdict.
pub(crate) fn advance(
    local: Local,
    mut verification: Box<Verification>,
    record: &mut Record,
    cx: &mut Context<'_>,
) -> State {
    let timers = &cx.config.timers;
    if let Some(silence) = verification.asking.silence(cx.now, timers) {
        let verified = Verified::by_silence(silence);
        return conclude(local, *verification, record, cx, &verified);
    }
    if verification.asking.take_probe(cx.now, timers) {
        cx.counters.probes += 1;
        cx.out.push(Action::Probe(Probe {
            host: record.key,
            via: Location::Local(local.port()),
            targets: record.addresses.targets(&verification.claimed, record.key.mac),
        }));
    }
    let claimed = !verification.claimants.is_empty();
    verification.copying |= match cx.vni.during {
        During::Hold => false,
        During::Both => claimed,
        During::Escalate => claimed && cx.now >= verification.asking.started() + timers.escalate_after,
    };
    State::Verifying(local, verification)
}

/// The host is not where it was.
fn conclude(
    local: Local,
    verification: Verification,
    record: &mut Record,
    cx: &mut Context<'_>,
    verified: &Verified,
) -> State {
    if verification.claimants.is_empty() {
        verdict::removed(local, record, cx, verified)
    } else {
        verdict::moved(local, verification.claimants, record, cx, verified)
    }
}

/// Something came from the host. From its recorded port it proves that it is there, whatever it is (M4, B2).
pub(crate) fn sign_of_life(
    local: Local,
    verification: Box<Verification>,
    record: &mut Record,
    cx: &mut Context<'_>,
    from: Location,
) -> State {
    if from != Location::Local(local.port()) {
        cx.counters.wrong_answers += 1;
        return State::Verifying(local, verification);
    }
    verdict::stayed(local, verification.claimants, record, cx)
}

/// It is heard again: where it is recorded, or at one more place.
pub(crate) fn heard_while_verifying(
    local: Local,
    mut verification: Box<Verification>,
    record: &mut Record,
    cx: &mut Context<'_>,
    heard: HeardAt,
) -> State {
    if heard.port == local.port() {
        owner::refresh(&local, record, cx, &heard);
        return sign_of_life(local, verification, record, cx, Location::Local(heard.port));
    }
    if heard.evidence != Evidence::Dad && verification.claims(Location::Local(heard.port)) {
        cx.counters.coalesced += 1;
        cx.drop(heard.frame);
        return State::Verifying(local, verification);
    }
    if verification.claiming_ports().count() >= MAX_PORTS {
        cx.counters.limited += 1;
        cx.drop(heard.frame);
        return State::Verifying(local, verification);
    }
    match admit(record, cx, &heard, Location::Local(local.port())) {
        Admission::Refused => State::Verifying(local, verification),
        Admission::Exempt(verified) => {
            let first = Claimant::Port {
                port: heard.port,
                frame: heard.frame,
                heard: cx.now,
                addresses: heard.addresses.clone(),
            };
            let claimants = std::iter::once(first).chain(verification.claimants).collect();
            verdict::moved(local, claimants, record, cx, &verified)
        }
        Admission::Verify => {
            let addresses = heard.addresses.clone();
            let claimant = Claimant::Port { port: heard.port, frame: heard.frame, heard: cx.now, addresses };
            verification.join(claimant, &heard.addresses, cx);
            advance(local, verification, record, cx)
        }
    }
}

/// A link went down: the host's, or that of one who claims it.
pub(crate) fn port_down_while_verifying(
    local: Local,
    mut verification: Box<Verification>,
    record: &mut Record,
    cx: &mut Context<'_>,
    port: AccessId,
) -> State {
    if let Some(verified) = Verified::by_port_down(&local, cx.ports) {
        return conclude(local, *verification, record, cx, &verified);
    }
    let was_claimed = !verification.claimants.is_empty();
    verification.claimants.retain(|claimant| match *claimant {
        Claimant::Port { port: claiming, frame, .. } if claiming == port => {
            cx.counters.abandoned += 1;
            cx.drop(frame);
            false
        }
        Claimant::Port { .. } | Claimant::Peer { .. } | Claimant::Rival { .. } => true,
    });
    continue_if_claimed(local, verification, was_claimed)
}

/// A verification that was for somebody ends when there is nobody left to tell.
fn continue_if_claimed(local: Local, verification: Box<Verification>, was_claimed: bool) -> State {
    if was_claimed && verification.claimants.is_empty() {
        State::Owned(local, Answered::default())
    } else {
        State::Verifying(local, verification)
    }
}

/// One more claimant, or the same again.
pub(crate) fn asked_while_verifying(
    local: Local,
    mut verification: Box<Verification>,
    record: &mut Record,
    cx: &mut Context<'_>,
    asked: Asked,
) -> State {
    if !outranks(asked.sequence, local.sequence()) {
        owner::ask_again(&local, record, cx, &asked);
        return State::Verifying(local, verification);
    }
    let place = verification.claimants.iter_mut().find(|claimant| claimant.location() == Location::Remote(asked.from));
    match place {
        Some(Claimant::Peer { claim, .. }) if *claim == asked.claim => {
            cx.counters.coalesced += 1;
            State::Verifying(local, verification)
        }
        Some(place) => {
            *place = Claimant::Peer { vtep: asked.from, claim: asked.claim, sequence: asked.sequence, since: cx.now };
            State::Verifying(local, verification)
        }
        None => {
            cx.counters.claims_received += 1;
            let claimant =
                Claimant::Peer { vtep: asked.from, claim: asked.claim, sequence: asked.sequence, since: cx.now };
            verification.join(claimant, &asked.addresses, cx);
            advance(local, verification, record, cx)
        }
    }
}

/// A rival speaks up, or a claimant becomes one.
pub(crate) fn told_while_verifying(
    local: Local,
    mut verification: Box<Verification>,
    record: &mut Record,
    cx: &mut Context<'_>,
    told: Told,
) -> State {
    if told.how == How::AtOnce {
        owner::correct(&local, record, cx, told.from);
        return State::Verifying(local, verification);
    }
    if !owner::note_rival(record, cx, &told) {
        return State::Verifying(local, verification);
    }
    if verification.claims(Location::Remote(told.from)) {
        cx.counters.coalesced += 1;
        return State::Verifying(local, verification);
    }
    let rival = owner::rival(&told, cx);
    verification.join(rival, &told.addresses, cx);
    advance(local, verification, record, cx)
}

/// A claimant changed its mind.
pub(crate) fn withdrawn_while_verifying(
    mut local: Local,
    mut verification: Box<Verification>,
    record: &mut Record,
    cx: &mut Context<'_>,
    withdrawn: &Withdrawn,
) -> State {
    owner::withdrawn(&mut local, record, cx, withdrawn);
    let was_claimed = !verification.claimants.is_empty();
    verification.claimants.retain(|claimant| match *claimant {
        Claimant::Peer { vtep, sequence, .. } | Claimant::Rival { vtep, sequence, .. } => {
            vtep != withdrawn.from || sequence > withdrawn.sequence
        }
        Claimant::Port { .. } => true,
    });
    continue_if_claimed(local, verification, was_claimed)
}
