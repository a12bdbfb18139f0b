//! The owner of a host whose port it does not know: peers say that it was ours, before a restart that has left the switch empty. Or it was heard here
//! first after such a restart, and then a peer says that it has it: neither need be true, as the peer may not have heard where it went.
//!
//! Nothing is done about it until somebody claims it, here or elsewhere: then it is asked for on every access interface of its VNI, in frames to its own
//! MAC. Where it answers, it is; if it answers only elsewhere, it has moved; if it answers nowhere, nothing is proved (4a). An answer here does not
//! refuse a peer where the host was before it came here: the peer remembers that, and says so with its claim. It is weighed as it was before the restart (B12).
//!
//! A host that has not been heard here for the ageing time is asked for once more, and is then gone, as any other that ages: who claims it has it.

use std::net::IpAddr;
use std::time::Duration;

use crate::guards::{Guard, is_out};
use crate::inout::event::Evidence;
use crate::inout::message::{Advertisement, Message, Open, Verdict};
use crate::inout::report::{Report, WhyUnproven};
use crate::knowledge::entry::Absent;
use crate::knowledge::question::{Question, Step};
use crate::roles::claimants::{self, Answers, Who, add_addresses, without_answer};
use crate::roles::fact::{Claimed, HeardAt, How, Told, Withdrawn};
use crate::roles::known::Known;
use crate::roles::owner::Refused;
use crate::roles::world::{Out, World};
use crate::words::config::{Timers, Unproven};
use crate::words::ids::{AccessId, ClaimId, Location, QuestionId, VtepAddr};
use crate::words::sequence::Sequence;
use crate::words::time::{Instant, Wait};

/// On how many access interfaces a host is sought. In a VNI with more, it is not.
const MAX_PORTS: usize = 64;

/// How many VTEPs may claim it meanwhile.
const MAX_CLAIMANTS: usize = 16;

#[derive(Debug, Clone, Hash)]
pub(crate) struct Sought {
    absent: Absent,
    sequence: Sequence,
    /// When it has been heard for the last time, as far as is known.
    since: Instant,
    /// The peers know that it is believed to be here.
    told: bool,
    hunt: Option<Hunt>,
    claimants: Vec<Claimant>,
    /// Heard here meanwhile, which is a claim like any other.
    heard: Option<HeardAt>,
    /// What it was said to have for addresses where it was heard: they may be others than before the restart.
    named: Vec<(AccessId, Vec<IpAddr>)>,
    rival: Option<Rival>,
    again: Option<Instant>,
    wait: Wait,
}

/// A peer had it in its own table before we heard it.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Rival {
    pub(crate) vtep: VtepAddr,
    pub(crate) sequence: Sequence,
    /// It got it by a claim.
    pub(crate) migration: bool,
    /// Whether it answers there.
    pub(crate) answers: Answers,
}

/// On which port it is, and on whose word.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) sequence: Sequence,
    pub(crate) heard: HeardAt,
    /// It answered there.
    pub(crate) answered: bool,
    pub(crate) refused: Vec<Refused>,
    /// Who claims it, and had it before.
    pub(crate) contested_by: Vec<claimants::Claimant>,
    /// Who is still to be told, or to be weighed.
    pub(crate) rival: Option<Rival>,
}

/// It is being asked for, everywhere.
#[derive(Debug, Clone, Hash)]
struct Hunt {
    open: Vec<Question>,
    disturbed: bool,
}

#[derive(Debug, Clone, Hash)]
struct Claimant {
    vtep: VtepAddr,
    claim: ClaimId,
    sequence: Sequence,
    since: Instant,
    /// For how long it was there before.
    tenure: Duration,
    answers: Answers,
}

impl Claimant {
    /// It does not ask for the host: it has it in its own table, and says that it is answered.
    fn has_it(&self) -> bool {
        self.claim.number == ClaimId::NONE && !is_out(Guard::AnsweredPeer)
    }

    fn weighed(self) -> claimants::Claimant {
        let Self { vtep, claim, sequence, since, tenure, answers } = self;
        claimants::Claimant {
            who: Who::Peer { vtep, claim, sequence },
            since,
            tenure,
            damped: false,
            answers,
            contests: false,
        }
    }
}

/// What has become of the search.
#[derive(Debug)]
pub(crate) enum Became {
    Sought(Sought),
    /// It is on this port, as the frame says, or an answer.
    Found(Absent, Found),
    /// It is behind that VTEP.
    Elsewhere(Absent, VtepAddr, Sequence),
    /// Given up.
    Nothing(Absent),
}

impl Sought {
    /// A peer believes that it is ours.
    pub(crate) fn begin(absent: Absent, sequence: Sequence, now: Instant) -> Self {
        Self {
            absent,
            sequence,
            since: now,
            told: true,
            hunt: None,
            claimants: Vec::new(),
            heard: None,
            named: Vec::new(),
            rival: None,
            again: None,
            wait: Wait::default(),
        }
    }

    /// A peer claims it from us, and nobody has said yet that it is ours.
    pub(crate) fn claimed_first(
        absent: Absent,
        claimed: &Claimed,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        let before = Sequence(claimed.sequence.0.saturating_sub(1));
        let sought = Self { told: false, ..Self::begin(absent, before, world.now) };
        sought.claimed(claimed, known, world, out)
    }

    /// A peer says that it has the host, which was heard here first. It is told so, and asks (B14).
    pub(crate) fn contested_by(self, told: &Told, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Self {
        let (vtep, sequence) = (told.from, told.sequence);
        known.routes.insert(world.route_told(told), true);
        known.addresses.told(&told.bindings, Location::Remote(vtep), world.now, world.addresses_limit());
        let (host, bindings) = (known.key, known.addresses.bindings());
        let ours = Advertisement { host, bindings, sequence: self.sequence, migration: None };
        out.send(vtep, Message::Advertisement(ours));
        let migration = matches!(told.how, How::Verified { .. });
        Self { rival: Some(Rival { vtep, sequence, migration, answers: Answers::Unknown }), ..self }
    }

    pub(crate) fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Another peer says so, too. Everybody is to go on believing that, and may have taken our list, which left the host out, for our last word.
    pub(crate) fn ours(mut self, sequence: Sequence, known: &Known, out: &mut Out<'_>) -> Self {
        self.sequence = self.sequence.max(sequence);
        if !self.told {
            self.told = true;
            out.advertise(None, known.key, known.addresses.bindings(), self.sequence, None);
        }
        self
    }

    fn is_aged(&self, world: &World<'_>) -> bool {
        world.now >= self.since + world.timers().host_ageing
    }

    /// It is heard on one of our ports. That may be anybody: all of them are asked.
    pub(crate) fn heard(mut self, heard: HeardAt, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        if heard.evidence == Evidence::Dad {
            out.counters.dad_ignored += 1;
            out.release(heard.frame);
            return Became::Sought(self);
        }
        self.since = world.now;
        // One that is another's, too: an answer for it shows no less that it is there.
        let said: Vec<IpAddr> = heard.addresses.iter().copied().chain(heard.disputed).collect();
        if let Some((_, named)) = self.named.iter_mut().find(|(port, _)| *port == heard.port) {
            add_addresses(named, &said, world);
        } else if self.named.len() < MAX_PORTS {
            self.named.push((heard.port, said));
        }
        match &self.heard {
            Some(_) => {
                out.counters.coalesced += 1;
                out.release(heard.frame);
            }
            None => self.heard = Some(heard),
        }
        self.hunt(known, world, out)
    }

    /// A peer claims it.
    pub(crate) fn claimed(
        mut self,
        claimed: &Claimed,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        // Who has taken the host already has to hear what comes of it, whoever was told first.
        if !claimed.taken && claimed.sequence <= self.sequence && self.sequence != Sequence::LAST {
            let verdict = Verdict::Elsewhere(world.config.me);
            out.reply(claimed.from, known.key, claimed.claim, self.sequence, verdict);
            return Became::Sought(self);
        }
        let sequence = claimed.sequence.max(self.sequence);
        if let Some(known) = self.claimants.iter_mut().find(|claimant| claimant.vtep == claimed.from) {
            if known.claim != claimed.claim {
                known.answers = Answers::Unknown;
            }
            (known.claim, known.sequence, known.tenure) = (claimed.claim, sequence, claimed.tenure);
            out.counters.coalesced += 1;
        } else if self.claimants.len() < MAX_CLAIMANTS {
            let Claimed { from: vtep, claim, tenure, .. } = *claimed;
            let answers = Answers::Unknown;
            self.claimants.push(Claimant { vtep, claim, sequence, since: world.now, tenure, answers });
            out.counters.claims_received += 1;
        } else {
            out.counters.limited += 1;
        }
        self.hunt(known, world, out)
    }

    pub(crate) fn standing(
        mut self,
        from: VtepAddr,
        claim: ClaimId,
        answers: bool,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        if let Some(rival) = self.rival.as_mut().filter(|rival| rival.vtep == from && claim.number == ClaimId::NONE) {
            rival.answers = Answers::said(answers);
            return self.hunt(known, world, out);
        }
        let room = self.claimants.len() < MAX_CLAIMANTS;
        match self.claimants.iter_mut().find(|claimant| claimant.vtep == from && claimant.claim == claim) {
            Some(claimant) => claimant.answers = Answers::said(answers),
            // It has the host in its own table, and is answered. If nobody answers here, it is right.
            None if answers && claim.number == ClaimId::NONE && room => {
                let sequence = self.sequence;
                let (since, tenure, answers) = (world.now, Duration::ZERO, Answers::Yes);
                self.claimants.push(Claimant { vtep: from, claim, sequence, since, tenure, answers });
                return self.hunt(known, world, out);
            }
            None => out.counters.stale_messages += 1,
        }
        self.decide(known, world, out)
    }

    /// A claimant changed its mind.
    pub(crate) fn withdrawn(&mut self, withdrawn: &Withdrawn, known: &mut Known, world: &World<'_>) {
        if self.rival.take_if(|rival| rival.vtep == withdrawn.from && rival.sequence <= withdrawn.sequence).is_some() {
            known.routes.forget(withdrawn.from, withdrawn.sequence);
            if withdrawn.moved_to == Some(world.config.me) {
                self.sequence = self.sequence.max(withdrawn.sequence);
            }
        }
        self.claimants.retain(|claimant| claimant.vtep != withdrawn.from || claimant.sequence > withdrawn.sequence);
    }

    /// A peer has it in its own table. If that is newer than what made it ours, it has moved there before the restart, or since.
    pub(crate) fn told(mut self, told: &Told, known: &Known, out: &mut Out<'_>) -> Became {
        if let Some(rival) = self.rival.as_mut().filter(|rival| rival.vtep == told.from && told.how != How::AtOnce) {
            rival.sequence = rival.sequence.max(told.sequence);
            rival.migration |= matches!(told.how, How::Verified { .. });
            out.counters.coalesced += 1;
            return Became::Sought(self);
        }
        // Who claims it has believed itself until now, without a word of ours.
        if self.claimants.iter().any(|one| one.vtep == told.from && one.sequence >= told.sequence) {
            out.counters.coalesced += 1;
            return Became::Sought(self);
        }
        let newer = told.sequence > self.sequence && told.how != How::AtOnce;
        if !newer {
            out.counters.stale_messages += 1;
            return Became::Sought(self);
        }
        self.elsewhere(told.from, told.sequence, known, out)
    }

    fn elsewhere(self, vtep: VtepAddr, sequence: Sequence, known: &Known, out: &mut Out<'_>) -> Became {
        out.drop(self.heard.and_then(|heard| heard.frame));
        for claimant in self.claimants.iter().filter(|claimant| claimant.vtep != vtep) {
            out.reply(claimant.vtep, known.key, claimant.claim, sequence, Verdict::Elsewhere(vtep));
        }
        Became::Elsewhere(self.absent, vtep, sequence)
    }

    fn hunt(mut self, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        if self.hunt.is_none() && self.again.is_none() {
            let ports: Vec<AccessId> = world.vni.access.iter().copied().collect();
            let few = ports.len() <= MAX_PORTS;
            let begin = |port| Question::begin(out.new_question(), Location::Local(port), None, world.now);
            let open = if few { ports.into_iter().map(begin).collect() } else { Vec::new() };
            out.counters.verifications += 1;
            self.hunt = Some(Hunt { open, disturbed: !few });
        }
        self.advance(known, world, out)
    }

    /// Does what is due.
    pub(crate) fn advance(mut self, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        let due = self.again.map_or(self.is_aged(world), |again| world.now >= again);
        if due && self.hunt.is_none() {
            self.again = None;
            return self.hunt(known, world, out);
        }
        if let Some(hunt) = &mut self.hunt {
            let targets = |place: Location| {
                let here = |&&(port, _): &&(AccessId, _)| Location::Local(port) == place && !is_out(Guard::NamedSince);
                let named = self.named.iter().find(here);
                known.addresses.targets(named.map_or(&[], |(_, addresses)| addresses), known.key.mac)
            };
            hunt.open.retain_mut(|question| match question.step(world.now, world.timers()) {
                Step::Wait => true,
                Step::Ask(round) => {
                    out.ask(known.key, question, round, false, targets(question.place()));
                    true
                }
                Step::Check => {
                    out.check(known.key, question);
                    true
                }
                Step::End(end) => {
                    hunt.disturbed |= without_answer(&end) == Answers::Unknown;
                    false
                }
            });
        }
        self.decide(known, world, out)
    }

    pub(crate) fn is_asking(&self, id: QuestionId) -> bool {
        self.hunt.iter().flat_map(|hunt| &hunt.open).any(|question| question.id() == id)
    }

    pub(crate) fn has_left(&mut self, id: QuestionId, round: u32, now: Instant) {
        let questions = self.hunt.iter_mut().flat_map(|hunt| &mut hunt.open);
        for question in questions.filter(|question| question.id() == id) {
            question.has_left(round, now);
        }
    }

    pub(crate) fn checked(
        mut self,
        id: QuestionId,
        complete: bool,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        if let Some(hunt) = &mut self.hunt {
            hunt.open.retain(|question| {
                let its = question.id() == id;
                hunt.disturbed |= its && without_answer(&question.checked(complete)) == Answers::Unknown;
                !its
            });
        }
        self.decide(known, world, out)
    }

    /// It answered: there it is. No `address`: for one that is another's.
    pub(crate) fn answered(
        mut self,
        from: Location,
        address: Option<IpAddr>,
        known: &Known,
        out: &mut Out<'_>,
    ) -> Became {
        let Location::Local(port) = from else {
            out.counters.wrong_answers += 1;
            return Became::Sought(self);
        };
        let asked = self.hunt.as_ref().is_some_and(|hunt| hunt.open.iter().any(|question| question.place() == from));
        if !asked {
            out.counters.unasked_answers += 1;
            return Became::Sought(self);
        }
        let frame = match self.heard.take() {
            Some(heard) if heard.port == port => heard.frame,
            Some(heard) => {
                out.drop(heard.frame);
                None
            }
            None => None,
        };
        let heard = HeardAt::arp(port, address, frame);
        let contests = |claimant: &mut Claimant| {
            !claimant.tenure.is_zero() && claimant.answers != Answers::No && !is_out(Guard::KnownBeforeRestart)
        };
        let contested_by = self.claimants.extract_if(.., contests).map(Claimant::weighed).collect();
        let refused = self.refuse(known, out);
        self.found(heard, true, refused, contested_by)
    }

    fn found(
        self,
        heard: HeardAt,
        answered: bool,
        refused: Vec<Refused>,
        contested_by: Vec<claimants::Claimant>,
    ) -> Became {
        let Self { absent, sequence, rival, .. } = self;
        Became::Found(absent, Found { sequence, heard, answered, refused, contested_by, rival })
    }

    /// All other claims outside are refused, with a sequence that outranks them.
    fn refuse(&mut self, known: &Known, out: &mut Out<'_>) -> Vec<Refused> {
        if let Some(highest) = self.claimants.iter().map(|claimant| claimant.sequence).max() {
            self.sequence = out.sequence_after(known.key, highest.max(self.sequence));
        }
        let refused = |Claimant { vtep, claim, sequence, .. }| Refused { vtep, claim, sequence };
        let refused: Vec<Refused> = self.claimants.drain(..).map(refused).collect();
        for &Refused { vtep, claim, .. } in &refused {
            out.reply(vtep, known.key, claim, self.sequence, Verdict::Stayed);
        }
        refused
    }

    fn decide(mut self, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        let Some(hunt) = &self.hunt else { return Became::Sought(self) };
        if !hunt.open.is_empty() {
            return Became::Sought(self);
        }
        let disturbed = hunt.disturbed;
        self.hunt = None;
        // It answers the peer that had it, and nobody here.
        if let Some(Rival { vtep, sequence, .. }) =
            self.rival.take_if(|rival| rival.answers == Answers::Yes && !disturbed && !is_out(Guard::AnsweredPeer))
        {
            return self.elsewhere(vtep, sequence, known, out);
        }
        // Nobody else says that he is answered, and it was asked for everywhere: what is heard is believed, as of any host that nobody knows (M9).
        if self.claimants.is_empty()
            && !disturbed
            && let Some(heard) = self.heard.take()
        {
            return self.found(heard, false, Vec::new(), Vec::new());
        }
        let aged = self.is_aged(world);
        if aged && self.claimants.is_empty() {
            out.drop(self.heard.and_then(|heard| heard.frame));
            out.withdraw(None, known.key, self.sequence, None);
            return Became::Nothing(self.absent);
        }
        let yes: Vec<&Claimant> = self.claimants.iter().filter(|claimant| claimant.answers == Answers::Yes).collect();
        let answering = known.addresses.answering(world.now, world.timers()).is_some();
        let by_default = (world.vni.unproven == Unproven::Move && !disturbed) || aged;
        let winner = match (yes.as_slice(), self.claimants.first()) {
            ([only], _) if (answering || aged || only.has_it()) && !disturbed => {
                Some((only.vtep, only.claim, only.sequence))
            }
            (_, Some(first)) if by_default => Some((first.vtep, first.claim, first.sequence)),
            (_, _) => None,
        };
        if let Some((vtep, claim, sequence)) = winner {
            out.reply(vtep, known.key, claim, sequence, Verdict::Moved { tenure: Duration::ZERO });
            out.withdraw(Some(vtep), known.key, sequence, Some(vtep));
            return self.elsewhere(vtep, sequence, known, out);
        }
        if self.wait.is_none() {
            for claimant in &self.claimants {
                let (host, claimed) = (known.key, Location::Remote(claimant.vtep));
                let (recorded, why) = (Location::Remote(world.config.me), WhyUnproven::PortUnknown);
                out.report(Report::Unproven { host, recorded, claimed, why });
            }
        }
        if let Some(heard) = &mut self.heard {
            out.drop(heard.frame.take());
        }
        for claimant in &self.claimants {
            out.reply(claimant.vtep, known.key, claimant.claim, self.sequence, Verdict::Open(Open::Unproven));
        }
        let timers = world.timers();
        self.again = Some(world.now + self.wait.longer(timers.unproven_retry, timers.unproven_retry_max));
        Became::Sought(self)
    }

    /// The host is none.
    pub(crate) fn discard(self, out: &mut Out<'_>) {
        out.drop(self.heard.and_then(|heard| heard.frame));
    }

    /// When there is something to do.
    pub(crate) fn due(&self, timers: &Timers) -> Instant {
        let open = self.hunt.iter().flat_map(|hunt| &hunt.open).map(|question| question.due(timers)).min();
        let asking = self.hunt.as_ref().map(|_| open).unwrap_or(self.again);
        // While it is being asked for, or is to be, that decides, and not the time.
        asking.unwrap_or(self.since + timers.host_ageing)
    }
}
