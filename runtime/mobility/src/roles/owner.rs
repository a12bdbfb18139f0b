//! The owner ("first device"): the host's entry is local (M3 to M5, B2 to B7).
//!
//! It keeps knowing its host: addresses are learned from whatever it says, and each is asked for from time to time, so that silence means something
//! when it comes to that (4a). Who claims the host starts an [`Inquiry`].

mod addresses;
mod verdicts;

use std::net::IpAddr;
use std::time::Duration;

use crate::guards::{Guard, is_out};
use crate::inout::detail::StayDetail;
use crate::inout::event::Evidence;
use crate::inout::message::{Binding, Message, Migration, Open, Reply, Verdict};
use crate::inout::report::{Because, Full, Report};
use crate::knowledge::addresses::MAX_PATIENCE;
use crate::knowledge::aftermath::{Doubt, Stay};
use crate::knowledge::entry::{Absent, Local, Proof, Remote};
use crate::knowledge::question::Question;
use crate::knowledge::routes::outranks;
use crate::roles::admission::{Admission, admit};
use crate::roles::claimants::{Answers, Claimant, Claimants, Requests, Who, add_addresses};
use crate::roles::fact::{AddressClaimant, Claimed, HeardAt, How, Told, Withdrawn};
use crate::roles::inquiry::{self, Inquiry};
use crate::roles::known::Known;
use crate::roles::sought::{Found, Rival};
use crate::roles::world::{Memory, Out, World};
use crate::words::config::Timers;
use crate::words::ids::{AccessId, ClaimId, FrameId, Location, QuestionId, VtepAddr};
use crate::words::sequence::Sequence;
use crate::words::time::Instant;

use self::verdicts::drop_frames;

/// How many addresses of one host may be disputed at the same time.
const MAX_DISPUTES: usize = 8;

#[derive(Debug, Clone, Hash)]
pub(crate) struct Owner {
    local: Local,
    stay: Stay,
    /// The claims that the last inquiry refused: their claimants get the same answer if they ask again because it was lost.
    answered: Vec<Refused>,
    /// Up to which change of the host's addresses the peers have been told.
    told: u32,
    /// The VTEP is taken out of use: peers are not told of the host, until somebody else says that he has it, and it is still here.
    withheld: bool,
    confirming: Option<Confirming>,
    /// Until when answers to earlier questions may come.
    echoes_until: Instant,
    disputes: Vec<Dispute>,
    inquiry: Option<Box<Inquiry>>,
}

/// The host is asked for an address, so that it stays known to answer.
#[derive(Debug, Clone, Hash)]
struct Confirming {
    question: QuestionId,
    /// For that address, if no answer to an earlier question can come.
    alone_for: Option<IpAddr>,
    /// An answer is to be expected.
    expected: bool,
    left: Option<Instant>,
    /// An answer is late: the question counts as left unanswered, once, if none can have been lost.
    late: bool,
    /// A later answer still tells how long the host takes.
    until: Instant,
    /// When the next of that is.
    due: Instant,
}

impl Confirming {
    fn asks_only_for(&self, address: IpAddr) -> bool {
        self.alone_for == Some(address)
    }
}

/// Somebody else says that it has an address of the host's (B10).
#[derive(Debug, Clone, Hash)]
struct Dispute {
    address: IpAddr,
    by: Vec<AddressClaimant>,
    question: Question,
    /// It answered for another address meanwhile.
    alive: bool,
}

/// A claim that was refused. The same claim with a higher sequence is another: it has been to somebody else meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Refused {
    pub(crate) vtep: VtepAddr,
    pub(crate) claim: ClaimId,
    pub(crate) sequence: Sequence,
}

/// What has become of an owner.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "taken apart as soon as it is made")]
pub(crate) enum Became {
    Owner(Owner),
    /// Somebody else has the host.
    Observer(Remote),
    /// Nobody has.
    Nothing(Absent),
}

/// To whom the host goes.
#[derive(Debug)]
struct Heir {
    vtep: VtepAddr,
    /// With which it claims the host, or has it.
    sequence: Sequence,
    /// The claim that waits for a reply, and since when.
    claim: Option<ClaimId>,
    since: Instant,
}

/// How it came to own the host.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) local: Local,
    /// Where it was before, and for how long.
    pub(crate) before: Option<(Location, Duration)>,
    /// For how long it was here before that.
    pub(crate) credit: Duration,
    /// Why it is believed to be here.
    pub(crate) because: Because,
}

impl Owner {
    /// A host that nobody has is heard: ordinary learning, no questions asked (M9).
    ///
    /// `doubt`: somebody else may be the host that was known before a restart.
    pub(crate) fn learn(
        absent: Absent,
        sequence: Sequence,
        heard: HeardAt,
        doubt: Doubt,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        out.release(heard.frame);
        if heard.evidence == Evidence::Dad && !is_out(Guard::DadIsNoHost) {
            out.counters.dad_ignored += 1;
            return Became::Nothing(absent);
        }
        if known.is_quarantined(heard.port) {
            out.counters.quarantined += 1;
            return Became::Nothing(absent);
        }
        if let Err(full) = world.room {
            out.is_full(full, None);
            return Became::Nothing(absent);
        }
        if !world.ports.has_room_for_host(heard.port, world.config) {
            out.is_full(Full::Hosts(heard.port), None);
            return Became::Nothing(absent);
        }
        let stay = match doubt {
            Doubt::No => Stay::first(world.now),
            Doubt::Unheard | Doubt::Withheld | Doubt::Here | Doubt::Anywhere => {
                Stay::doubtful(doubt, world.now, world.timers())
            }
        };
        let mut owner =
            Self { withheld: world.draining, ..Self::new(Local::learned(absent, heard.port, sequence), stay) };
        owner.hears_of_addresses(&heard, known, world, out);
        out.counters.learned += 1;
        out.report(Report::Learned { host: known.key, port: heard.port });
        owner.advertise(known, None, out);
        owner.confirm_if_due(known, world, out);
        Became::Owner(owner)
    }

    /// The switch had it when we started.
    pub(crate) fn restored(absent: Absent, port: AccessId, known: &mut Known, now: Instant) -> Self {
        known.addresses.restored();
        let owner = Self::new(Local::learned(absent, port, Sequence::FIRST), Stay::first(now));
        Self { echoes_until: now + MAX_PATIENCE, ..owner }
    }

    /// The switch had an address of its when we started; if `confirmed`, it was going to answer.
    pub(crate) fn restored_address(&self, address: IpAddr, confirmed: bool, known: &mut Known, world: &World<'_>) {
        known.addresses.add_unconfirmed(address, world.addresses_limit());
        if confirmed && known.addresses.has(address) {
            known.addresses.was_confirmed(self.place(), world.now);
        } else if !confirmed {
            known.addresses.was_unconfirmed();
        }
    }

    /// It has come to us. Everybody is told, and what it waited for is let go.
    pub(crate) fn take_over(taken: Taken, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Self {
        let Taken { local, before, credit, because } = taken;
        let stay = match before {
            Some((place, tenure)) => Stay::after_move(place, tenure, credit, world.now, world.timers()),
            None => Stay::first(world.now),
        };
        let answering = known.addresses.answering(world.now, world.timers()).is_some();
        let stay = if because == Because::Policy { stay.by_policy(answering) } else { stay };
        let port = local.port();
        known.aftermath = None;
        known.forget_announcement();
        known.quarantine.retain(|&(shut, _)| shut != port);
        out.memories.push(Memory::True(known.key, port));
        Self::new(local, stay)
    }

    fn new(local: Local, stay: Stay) -> Self {
        Self {
            local,
            stay,
            answered: Vec::new(),
            told: 0,
            withheld: false,
            confirming: None,
            echoes_until: Instant::EPOCH,
            disputes: Vec::new(),
            inquiry: None,
        }
    }

    /// It has been sought after a restart, and is here, as far as it was found out.
    pub(crate) fn found(
        absent: Absent,
        found: Found,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        let Found { sequence, heard, answered, refused, contested_by, rival } = found;
        let doubt = if rival.is_some() { Doubt::Anywhere } else { Doubt::Here };
        let mut owner = match Self::learn(absent, sequence, heard, doubt, known, world, out) {
            Became::Owner(owner) => owner,
            became @ (Became::Observer(_) | Became::Nothing(_)) => return became,
        };
        owner.answered = refused;
        if answered {
            known.addresses.answered(None);
        }
        let mut became = Became::Owner(owner);
        for claimant in contested_by {
            became = match became {
                Became::Owner(owner) => owner.claimed_by(claimant, None, known, world, out),
                Became::Observer(_) | Became::Nothing(_) => return became,
            };
        }
        let became = match (became, rival) {
            (Became::Owner(owner), Some(rival)) => owner.has_rival(rival, known, world, out),
            (became, _) => became,
        };
        match became {
            Became::Owner(owner) if answered && owner.inquiry.is_some() => owner.alive(None, known, world, out),
            became @ (Became::Owner(_) | Became::Observer(_) | Became::Nothing(_)) => became,
        }
    }

    /// Whether a peer's memory of the host as ours undoes that it was learned here: whoever was heard first, just after a restart, need not be the host,
    /// which may be quiet at another port. Not while it is asked anyway.
    pub(crate) fn may_be_elsewhere_here(&self, world: &World<'_>) -> bool {
        self.stay.is_unheard_of(world.now)
            && self.inquiry.is_none()
            && self.disputes.is_empty()
            && !world.all_have_told()
            && !is_out(Guard::ElsewhereHere)
    }

    /// The same if a peer says that it has the host.
    pub(crate) fn may_be_anywhere(&self, told: &Told, known: &Known, world: &World<'_>) -> bool {
        let exempt = Proof::by_configuration(known.key, world.config, world.vni).is_some();
        told.how != How::AtOnce && !exempt && self.may_be_elsewhere_here(world) && !is_out(Guard::ElsewhereAnywhere)
    }

    /// Nothing but where it was heard is left of it.
    pub(crate) fn unlearned(self) -> (Absent, HeardAt) {
        let port = self.local.port();
        (self.local.unlearned(), HeardAt::there(port, Vec::new()))
    }

    /// A peer believes that it is ours, and remembers more of it than we do.
    pub(crate) fn ours(
        &mut self,
        bindings: &[Binding],
        sequence: Sequence,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) {
        self.stay.heard_of(Doubt::Here, || world.all_have_told());
        if sequence > self.local.sequence() {
            self.local.raise(sequence);
            self.advertise(known, None, out);
        }
        for binding in bindings {
            known.addresses.add_unconfirmed(binding.address, world.addresses_limit());
        }
    }

    pub(crate) fn port(&self) -> AccessId {
        self.local.port()
    }

    pub(crate) fn sequence(&self) -> Sequence {
        self.local.sequence()
    }

    /// Peers are told of it, or not any more.
    pub(crate) fn withhold(&mut self, on: bool) {
        self.withheld = on;
    }

    pub(crate) fn is_withheld(&self) -> bool {
        self.withheld
    }

    /// How it came here, for people.
    pub(crate) fn stay_detail(&self, now: Instant) -> StayDetail {
        self.stay.detail(now)
    }

    pub(crate) fn inquiry(&self) -> Option<&Inquiry> {
        self.inquiry.as_deref()
    }

    /// Whether every frame of the host is to be seen.
    pub(crate) fn watches(&self, world_asks_as_gateway: bool) -> bool {
        self.inquiry.is_some() || (world_asks_as_gateway && (self.confirming.is_some() || !self.disputes.is_empty()))
    }

    fn place(&self) -> Location {
        Location::Local(self.local.port())
    }

    // ---- heard

    /// It is heard: where it is recorded, or somewhere else (B5).
    pub(crate) fn heard(mut self, heard: HeardAt, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        if heard.port == self.local.port() {
            out.release(heard.frame);
            if heard.evidence != Evidence::Dad {
                self.hears_of_addresses(&heard, known, world, out);
            }
            let address = heard.addresses.first().copied();
            return self.alive(address, known, world, out);
        }
        if let Some(inquiry) = &mut self.inquiry {
            let place = Location::Local(heard.port);
            if heard.evidence != Evidence::Dad
                && let Some(claimant) = inquiry.claimants.at(place)
            {
                if let Who::Port { addresses, again, .. } = &mut claimant.who {
                    add_addresses(addresses, &heard.addresses, world);
                    *again = true;
                }
                out.counters.coalesced += 1;
                out.drop(heard.frame);
                return Became::Owner(self);
            }
            if heard.evidence != Evidence::Dad && !inquiry.claimants.has_room_for_port() {
                out.is_full(Full::Claims(heard.port), None);
                out.drop(heard.frame);
                out.memories.push(Memory::Paused(heard.claim(known.key, world.now), true));
                return Became::Owner(self);
            }
        }
        let (damped, exempt) = match admit(known, &heard, self.place(), world, out) {
            Admission::Refused => return Became::Owner(self),
            Admission::Exempt(proof) => (false, Some(proof)),
            Admission::Verify { damped } => {
                (damped, Proof::by_port_down(&self.local, world.ports.down(self.local.port())))
            }
        };
        let tenure = known.tenure_at(heard.port, world.now).max(self.stay.earlier_tenure(Location::Local(heard.port)));
        let who = Who::Port {
            port: heard.port,
            frame: heard.frame,
            addresses: heard.addresses,
            requests: Requests::default(),
            again: false,
            question: None,
        };
        let claimant = Claimant { who, since: world.now, tenure, damped, answers: Answers::Unknown, contests: false };
        self.claimed_by(claimant, exempt, known, world, out)
    }

    /// A request of the host that the switch did not pass on.
    pub(crate) fn requests(
        mut self,
        port: AccessId,
        address: Option<IpAddr>,
        (target, frame): (IpAddr, FrameId),
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        if port == self.local.port() {
            out.release([frame]);
            self.learn_addresses(address.as_slice(), known, world, out);
            return self.alive(address, known, world, out);
        }
        let limit = world.config.limits.requests_per_claim;
        let claimant = self.inquiry.as_mut().and_then(|inquiry| inquiry.claimants.at(Location::Local(port)));
        if let Some(Claimant { who: Who::Port { addresses, requests, again, .. }, .. }) = claimant {
            add_addresses(addresses, address.as_slice(), world);
            *again = true;
            requests.hold(target, frame, limit, out);
            return Became::Owner(self);
        }
        self.heard(HeardAt::arp(port, address, Some(frame)), known, world, out)
    }

    /// It answered a probe.
    pub(crate) fn answered(
        mut self,
        from: Location,
        address: IpAddr,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        if from == self.place() {
            self.stay.answered();
            if let Some(time) = self.inquiry.as_ref().and_then(|inquiry| inquiry.is_late_by(world.now)) {
                known.addresses.answered(Some(time.min(MAX_PATIENCE)));
            }
            self.learn_addresses(&[address], known, world, out);
            self.confirmed(address, known, world);
            return self.alive(Some(address), known, world, out);
        }
        let is_claimed = |owner: &Self| owner.inquiry.as_ref().is_some_and(|inquiry| inquiry.claims(from));
        if let Location::Local(port) = from
            && !is_claimed(&self)
            && known.answers_after_all(port, world.now, world.timers())
        {
            return match self.heard(HeardAt::answer(port, address), known, world, out) {
                Became::Owner(owner) if is_claimed(&owner) => owner.answered(from, address, known, world, out),
                became @ (Became::Owner(_) | Became::Observer(_) | Became::Nothing(_)) => became,
            };
        }
        match (self.inquiry.take(), from) {
            (Some(inquiry), from) if matches!(from, Location::Local(_)) || is_out(Guard::PeersWord) => {
                let verdict = inquiry.answered_at(from, Answers::Yes, &self.subject(known), world, out);
                self.follow(verdict, known, world, out)
            }
            // At a place of a peer's the peer asks, and says what came of it.
            (inquiry, Location::Local(_) | Location::Remote(_)) => {
                self.inquiry = inquiry;
                out.counters.wrong_answers += 1;
                Became::Owner(self)
            }
        }
    }

    /// A frame of its came from `port`.
    pub(crate) fn seen(
        mut self,
        port: AccessId,
        address: Option<IpAddr>,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        if port != self.local.port() {
            let place = Location::Local(port);
            let waiting = |inquiry: &mut Box<Inquiry>| inquiry.claimants.awaits_answer_at(place);
            return match self.inquiry.take_if(waiting) {
                // Who speaks at a claimed port is there no less than who answers.
                Some(inquiry) => {
                    let verdict = inquiry.answered_at(place, Answers::Yes, &self.subject(known), world, out);
                    self.follow(verdict, known, world, out)
                }
                None => {
                    out.counters.unasked_answers += 1;
                    Became::Owner(self)
                }
            };
        }
        // Asked in the gateway's name, it answers the gateway.
        if let Some(address) = address.filter(|_| world.vni.ask_as_gateway) {
            self.confirmed(address, known, world);
        }
        self.learn_addresses(address.as_slice(), known, world, out);
        self.alive(address, known, world, out)
    }

    /// Whatever came from its recorded port proves that it is there (M4, B2).
    fn alive(mut self, address: Option<IpAddr>, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        self.disputes_answered(address, known, out);
        if self.inquiry.as_ref().is_some_and(|inquiry| inquiry.was_repeated()) {
            self.echoes_until = world.now + MAX_PATIENCE;
        }
        match self.inquiry.take() {
            Some(inquiry) => {
                let verdict = inquiry.alive(&self.subject(known), world, out);
                self.follow(verdict, known, world, out)
            }
            None => {
                out.counters.unasked_answers += u64::from(address.is_none());
                Became::Owner(self)
            }
        }
    }

    // ---- claimed

    /// A claimant wants to have it (M3).
    pub(crate) fn claimed(
        mut self,
        claimed: Claimed,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        let sequence = self.local.sequence();
        let same = |one: &&Refused| one.vtep == claimed.from && one.claim == claimed.claim;
        if self
            .answered
            .iter()
            .find(same)
            .is_some_and(|refused| claimed.sequence <= refused.sequence || is_out(Guard::HigherIsAnother))
        {
            out.reply(claimed.from, known.key, claimed.claim, sequence, Verdict::Stayed);
            return Became::Owner(self);
        }
        let place = Location::Remote(claimed.from);
        let pending = self.inquiry.as_mut().and_then(|inquiry| match inquiry.claimants.at(place)?.who {
            Who::Peer { claim, ref mut sequence, .. } if claim == claimed.claim => Some(sequence),
            Who::Peer { .. } | Who::Rival { .. } | Who::Port { .. } => None,
        });
        if let Some(its) = pending {
            *its = claimed.sequence.max(*its);
            out.counters.coalesced += 1;
            let open =
                self.inquiry.as_ref().and_then(|inquiry| match (inquiry.is_contested(), inquiry.is_unproven()) {
                    (true, _) => Some(Open::Contested),
                    (false, true) => Some(Open::Unproven),
                    (false, false) => None,
                });
            if let Some(open) = open {
                out.reply(claimed.from, known.key, claimed.claim, sequence, Verdict::Open(open));
            }
            return Became::Owner(self);
        }
        if !outranks(claimed.sequence, sequence) && !is_out(Guard::OutrankedIsStale) {
            // The claimant's view is out of date. It has to catch up first, or copies sent to it might come back another way.
            out.reply(claimed.from, known.key, claimed.claim, sequence, Verdict::Elsewhere(world.config.me));
            return Became::Owner(self);
        }
        out.counters.claims_received += 1;
        let tenure = claimed.tenure.max(self.stay.earlier_tenure(place));
        let who = Who::Peer { vtep: claimed.from, claim: claimed.claim, sequence: claimed.sequence };
        let claimant = Claimant {
            who,
            since: world.now,
            tenure,
            damped: claimed.damped,
            answers: Answers::Unknown,
            contests: false,
        };
        let exempt = Proof::by_configuration(known.key, world.config, world.vni)
            .or_else(|| Proof::by_port_down(&self.local, world.ports.down(self.local.port())));
        self.claimed_by(claimant, exempt, known, world, out)
    }

    fn claimed_by(
        mut self,
        claimant: Claimant,
        exempt: Option<Proof>,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        let verdict = match (self.inquiry.take(), exempt) {
            (None, Some(proof)) => {
                inquiry::Verdict::Moves { winner: claimant, others: Vec::new(), proof, settled: false }
            }
            (Some(inquiry), Some(proof)) if proof.because() != Because::PortDown => {
                let settled = inquiry.is_contested();
                let mut claimants = inquiry.claimants;
                let place = claimant.location();
                for same in claimants.take_if(|one| one.location() == place) {
                    drop_frames(same, out);
                }
                inquiry::Verdict::Moves { winner: claimant, others: claimants.into_vec(), proof, settled }
            }
            (Some(mut inquiry), None | Some(_)) => {
                // The same place again, with a new claim.
                let place = claimant.location();
                let _ =
                    inquiry.claimants.take_if(|one| one.location() == place && !matches!(one.who, Who::Port { .. }));
                inquiry.join(claimant, &self.subject(known), world, out)
            }
            (None, None) => {
                let mut claimants = Claimants::default();
                claimants.push(claimant);
                Inquiry::begin(claimants, &self.subject(known), world, out)
            }
        };
        self.follow(verdict, known, world, out)
    }

    /// A peer tells what asking at its claimed place has come to.
    pub(crate) fn standing(
        mut self,
        from: VtepAddr,
        claim: ClaimId,
        answers: bool,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        let place = Location::Remote(from);
        let is_its = |one: &Claimant| match one.who {
            Who::Port { .. } => false,
            Who::Peer { vtep, claim: its, .. } => vtep == from && its == claim,
            Who::Rival { vtep, .. } => vtep == from && claim.number == ClaimId::NONE,
        };
        match self.inquiry.take_if(|inquiry| inquiry.claimants.iter().any(is_its)) {
            Some(inquiry) => {
                let answers = Answers::said(answers);
                let verdict = inquiry.answered_at(place, answers, &self.subject(known), world, out);
                self.follow(verdict, known, world, out)
            }
            // It has the host, too, and is answered, later than we waited for it: if we have less right to the host, that is weighed after all.
            None if answers && claim.number == ClaimId::NONE && self.must_yield_to(from, world) => {
                self.weigh(from, known, world, out)
            }
            None => {
                out.counters.stale_messages += 1;
                Became::Owner(self)
            }
        }
    }

    /// A peer has the host, too, and it answers there.
    fn weigh(self, vtep: VtepAddr, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        let sequence = known.routes.of(vtep).map_or(Sequence::FIRST, |route| route.sequence);
        self.has_rival(Rival { vtep, sequence, migration: false, answers: Answers::Yes }, known, world, out)
    }

    fn has_rival(self, rival: Rival, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        let Rival { vtep, sequence, migration, answers } = rival;
        let who = Who::Rival { vtep, sequence, migration };
        let claimant =
            Claimant { who, since: world.now, tenure: Duration::ZERO, damped: false, answers, contests: false };
        self.claimed_by(claimant, None, known, world, out)
    }

    /// The VTEP whose word is missing.
    pub(crate) fn taken_from(&self) -> Option<VtepAddr> {
        self.stay.taken_from()
    }

    /// Who could not be asked when the host was taken from it can be asked now, and is: it need not know any more that the host was its own, and then
    /// it looks for it at all of its ports. If it finds it, it says so as to any claim.
    pub(crate) fn claim_afterwards(&self, known: &Known, world: &World<'_>, out: &mut Out<'_>) {
        let Some(vtep) = self.stay.taken_from().filter(|_| self.stay.is_by_policy(world.now)) else { return };
        let (claim, tenure) = (out.new_claim(world.config), Duration::ZERO);
        let asked = Migration::Asked { claim, tenure, damped: false, taken: true };
        out.send(vtep, Message::Advertisement(self.advertisement(known, Some(asked))));
    }

    /// Whether an answer here is not enough against one at a peer that says it has the host, too.
    fn must_yield_to(&self, rival: VtepAddr, world: &World<'_>) -> bool {
        let place = Location::Remote(rival);
        self.stay.must_yield_to_answers_of(place, Duration::ZERO, || world.all_have_told(), world.now)
    }

    /// A peer says it has the host, which is here: neither is right without asking.
    pub(crate) fn told(mut self, told: Told, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        if told.how == How::AtOnce && !is_out(Guard::AtOnceIsNoVerdict) {
            // It asks somebody else, whom it takes for the owner. It is told who is, and will ask. Nothing is given on such a claim: while its
            // claimant sends the host's traffic to another, it could come back that way.
            out.counters.stale_messages += 1;
            out.send(told.from, Message::Advertisement(self.advertisement(known, None)));
            return Became::Owner(self);
        }
        if !known.routes.insert(world.route_told(&told), told.how == How::Listed) {
            out.counters.stale_messages += 1;
            return Became::Owner(self);
        }
        self.stay.heard_of(Doubt::Anywhere, || world.all_have_told());
        if world.peers.withholds(told.from) {
            self.stay.is_withheld_elsewhere();
        }
        if known.routes.of(told.from).is_none_or(|route| route.disputed) {
            return Became::Owner(self);
        }
        if let How::Verified { by } = told.how
            && let Some(inquiry) = &mut self.inquiry
        {
            // Who gave it away has it no more, whatever it said before, and what were sent there would come back by way of who has it now.
            inquiry.claimants.take_if(|one| one.is_of(by, told.sequence));
        }
        let place = Location::Remote(told.from);
        if let Some(one) = self.inquiry.as_mut().and_then(|inquiry| inquiry.claimants.at(place)) {
            // It does not claim it any more, it has it.
            let migration = matches!(told.how, How::Verified { .. });
            one.who = Who::Rival { vtep: told.from, sequence: told.sequence, migration };
            out.counters.coalesced += 1;
            return Became::Owner(self);
        }
        let exempt = Proof::by_configuration(known.key, world.config, world.vni);
        if exempt.is_some() && !self.withheld && !outranks(told.sequence, self.local.sequence()) {
            self.settle_dispute(known, told.from, out);
            return Became::Owner(self);
        }
        let proof = exempt.or_else(|| Proof::by_port_down(&self.local, world.ports.down(self.local.port())));
        let migration = matches!(told.how, How::Verified { .. });
        let who = Who::Rival { vtep: told.from, sequence: told.sequence, migration };
        let claimant = Claimant {
            who,
            since: world.now,
            tenure: Duration::ZERO,
            damped: false,
            answers: Answers::Unknown,
            contests: false,
        };
        self.claimed_by(claimant, proof, known, world, out)
    }

    /// Tells the rival that the host is here, and leaves it at that: if it answers there too, both keep it.
    fn settle_dispute(&mut self, known: &mut Known, with: VtepAddr, out: &mut Out<'_>) {
        if let Some(route) = known.routes.of_mut(with) {
            route.disputed = true;
        }
        out.send(with, Message::Advertisement(self.advertisement(known, None)));
    }

    /// A reply that we did not wait for. If it gives the host to us, then with a sequence that others have heard of; if it says that the host answers
    /// there, and we have taken it meanwhile without that word, that is weighed.
    pub(crate) fn replied(
        mut self,
        from: VtepAddr,
        reply: &Reply,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        match reply.verdict {
            Verdict::Moved { tenure } => {
                // Who never had the host, or has forgotten it, has nothing to give.
                if !tenure.is_zero() {
                    self.stay.given_by(from);
                }
                if reply.sequence > self.local.sequence() {
                    self.given(from, reply.sequence, known, out);
                } else {
                    out.counters.stale_messages += 1;
                }
            }
            Verdict::Stayed if self.stay.is_by_policy(world.now) => {
                let place = Location::Remote(from);
                return match self.inquiry.take_if(|inquiry| inquiry.claimants.at(place).is_some()) {
                    Some(inquiry) => {
                        let verdict = inquiry.answered_at(place, Answers::Yes, &self.subject(known), world, out);
                        self.follow(verdict, known, world, out)
                    }
                    None => self.weigh(from, known, world, out),
                };
            }
            Verdict::Stayed | Verdict::Open(_) | Verdict::Elsewhere(_) => {
                out.counters.stale_messages += 1;
            }
        }
        Became::Owner(self)
    }

    /// A peer does not have it, which is what we thought; or not any more, and says it is ours. Or a claimant changed its mind.
    pub(crate) fn withdrawn(
        mut self,
        withdrawn: &Withdrawn,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        known.routes.forget(withdrawn.from, withdrawn.sequence);
        if withdrawn.moved_to == Some(world.config.me) {
            self.stay.given_by(withdrawn.from);
            if withdrawn.sequence > self.local.sequence() {
                self.given(withdrawn.from, withdrawn.sequence, known, out);
            }
        }
        let Some(mut inquiry) = self.inquiry.take() else { return Became::Owner(self) };
        let gone = inquiry.claimants.take_if(|one| one.is_of(withdrawn.from, withdrawn.sequence));
        self.go_on(inquiry, !gone.is_empty(), known, world, out)
    }

    fn given(&mut self, by: VtepAddr, sequence: Sequence, known: &mut Known, out: &mut Out<'_>) {
        self.local.raise(sequence);
        self.withheld = false;
        known.routes.remove(by);
        self.advertise(known, Some(Migration::Verified { by }), out);
    }

    /// An inquiry that has lost claimants ends when there is nobody left to tell.
    fn go_on(
        mut self,
        inquiry: Box<Inquiry>,
        lost: bool,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        if lost && inquiry.is_pointless() {
            if inquiry.was_repeated() {
                self.echoes_until = world.now + MAX_PATIENCE;
            }
            return Became::Owner(self);
        }
        if !lost {
            self.inquiry = Some(inquiry);
            return Became::Owner(self);
        }
        let verdict = inquiry.advance(&self.subject(known), world, out);
        self.follow(verdict, known, world, out)
    }

    // ---- time and the switch

    /// Whether the question is still open.
    pub(crate) fn is_asking(&self, question: QuestionId) -> bool {
        self.confirming.as_ref().is_some_and(|confirming| confirming.question == question)
            || self.disputes.iter().any(|dispute| dispute.question.id() == question)
            || self.inquiry.as_ref().is_some_and(|inquiry| inquiry.is_asking(question))
    }

    /// A round of some question has left.
    pub(crate) fn has_left(&mut self, question: QuestionId, round: u32, now: Instant) {
        if let Some(confirming) = self.confirming.as_mut().filter(|confirming| confirming.question == question) {
            confirming.left.get_or_insert(now);
        } else if let Some(dispute) = self.disputes.iter_mut().find(|dispute| dispute.question.id() == question) {
            dispute.question.has_left(round, now);
        } else if let Some(inquiry) = &mut self.inquiry {
            inquiry.has_left(question, round, now);
        }
    }

    /// The driver has checked.
    pub(crate) fn checked(
        mut self,
        question: QuestionId,
        complete: bool,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        if self.confirming.as_ref().is_some_and(|confirming| confirming.question == question && confirming.late) {
            if complete || is_out(Guard::AllHeard) {
                known.addresses.left_unanswered();
            }
            return Became::Owner(self);
        }
        if let Some(at) = self.disputes.iter().position(|dispute| dispute.question.id() == question) {
            let dispute = self.disputes.remove(at);
            let end = dispute.question.checked(complete);
            self.dispute_ended(dispute, &end, known, out);
            return Became::Owner(self);
        }
        match self.inquiry.take() {
            Some(inquiry) => {
                let verdict = inquiry.checked(question, complete, &self.subject(known), world, out);
                self.follow(verdict, known, world, out)
            }
            None => Became::Owner(self),
        }
    }

    /// Does what is due.
    pub(crate) fn advance(mut self, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        if let Some(confirming) = &mut self.confirming
            && !confirming.late
            && world.now >= confirming.due
        {
            (confirming.late, confirming.due) = (true, confirming.until);
            if confirming.expected && confirming.left.is_some() {
                out.check_at(known.key, confirming.question, Location::Local(self.local.port()));
            }
        }
        if self.confirming.as_ref().is_some_and(|confirming| world.now >= confirming.until) {
            self.confirming = None;
        }
        self.confirm_if_due(known, world, out);
        self.advance_disputes(known, world, out);
        match self.inquiry.take() {
            Some(inquiry) => {
                let verdict = inquiry.advance(&self.subject(known), world, out);
                self.follow(verdict, known, world, out)
            }
            None => Became::Owner(self),
        }
    }

    /// When there is something else to do.
    pub(crate) fn due(&self, known: &Known, now: Instant, timers: &Timers) -> Option<Instant> {
        let inquiry = self.inquiry.as_ref().and_then(|inquiry| inquiry.due(&self.subject(known), now, timers));
        let confirm = self.confirming.as_ref().map(|confirming| confirming.due);
        let disputes = self.disputes.iter().map(|dispute| dispute.question.due(timers)).min();
        [inquiry, confirm, disputes].into_iter().flatten().min()
    }

    /// It was idle for long: it is asked, and forgotten if it does not answer.
    pub(crate) fn idle(mut self, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        let verdict = match (self.inquiry.take(), Proof::by_port_down(&self.local, world.ports.down(self.local.port())))
        {
            (Some(inquiry), _) => inquiry.idle(&self.subject(known), world, out),
            (None, Some(proof)) => inquiry::Verdict::gone(proof),
            (None, None) => Inquiry::begin(Claimants::default(), &self.subject(known), world, out),
        };
        self.follow(verdict, known, world, out)
    }

    /// A link went down: the host's, or that of one who claims it.
    ///
    /// The host is not given up before somebody claims it: it may be back with the link, and nobody is worse off.
    pub(crate) fn port_down(
        mut self,
        port: AccessId,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        if let Some(proof) = Proof::by_port_down(&self.local, world.ports.down(self.local.port())) {
            if let Some(inquiry) = self.inquiry.take() {
                let verdict = inquiry.lost_link(proof, &self.subject(known), world, out);
                return self.follow(verdict, known, world, out);
            }
            return match known.routes.best_firm(None) {
                Some(rival) => {
                    let heir = Heir { vtep: rival.vtep, sequence: rival.sequence, claim: None, since: world.now };
                    self.hand_over(heir, &proof, known, world, out)
                }
                None => Became::Owner(self),
            };
        }
        let Some(mut inquiry) = self.inquiry.take() else { return Became::Owner(self) };
        let gone = inquiry.claimants.take_if(|one| one.location() == Location::Local(port));
        let lost = !gone.is_empty();
        for claimant in gone {
            out.counters.abandoned += 1;
            drop_frames(claimant, out);
        }
        self.go_on(inquiry, lost, known, world, out)
    }

    /// An operator decides.
    pub(crate) fn settle(mut self, keep: Location, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        match self.inquiry.take() {
            Some(inquiry) => {
                let verdict = inquiry.settle(keep, &self.subject(known));
                self.follow(verdict, known, world, out)
            }
            None => Became::Owner(self),
        }
    }
}
