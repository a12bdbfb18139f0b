//! The owner asks: the host out of its recorded port, once for all who claim it, and whoever claims it where they say that it is.
//!
//! ```text
//!                 life at the recorded port ──▶ stays (M4)         … unless it came there only just now, and answers at the claimed
//!   asking ──────                                                    place as well ──▶ contested (B12)
//!                 silence, one claimant ──────▶ moves (M5)
//!                 silence, several ───────────▶ moves to the one that answers; several answer: contested; none: unproven (B14), until it is
//!                                               aged, and nowhere
//!                 no answer, none expected ───▶ unproven (4a), or what the configuration says
//!                 disturbed ──────────────────▶ unproven
//! ```
//!
//! Unproven and contested inquiries go on: the places are asked again at growing intervals, until there is evidence.

use std::time::Duration;

use crate::guards::{Guard, is_out};
use crate::inout::detail::ClaimDetail;
use crate::inout::message::{self, Advertisement, Open};
use crate::inout::report::{Report, WhyUnproven};
use crate::knowledge::aftermath::Stay;
use crate::knowledge::entry::{Local, NoAnswer, OnlyAnswer, Overdue, Proof};
use crate::knowledge::question::{End, Question, Step};
use crate::roles::claimants::{Answers, Claimant, Claimants, Who};
use crate::roles::known::{Announced, Known};
use crate::roles::world::{Out, World};
use crate::words::config::{Contested, During, Timers, Unproven};
use crate::words::ids::{Location, QuestionId};
use crate::words::time::{Instant, Wait};

/// A claim that was disturbed is asked about again so soon.
const DISTURBED_RETRY: Duration = Duration::from_millis(100);

/// The host is being asked.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Inquiry {
    question: Option<Question>,
    recorded: Recorded,
    /// When it was last begun to ask, here or at a claimed place.
    asked: Instant,
    stage: Stage,
    /// One of its questions was asked more than once: there may be more answers than one.
    repeated: bool,
    /// Its traffic goes to claimed places, too.
    copying: bool,
    /// It was idle for the ageing time.
    idle: bool,
    /// When the places are asked again, and how long the wait was.
    again: Option<Instant>,
    wait: Wait,
    pub(crate) claimants: Claimants,
}

/// What asking where the host is recorded has come to.
#[derive(Debug, Clone, Hash)]
enum Recorded {
    Pending,
    Answered,
    NoAnswer(NoAnswer),
    Disturbed(WhyUnproven),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    Asking,
    Unproven,
    Contested,
}

/// How an inquiry ends.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "taken apart as soon as it is made")]
pub(crate) enum Verdict {
    /// It goes on, but not for these claimants.
    Open { inquiry: Box<Inquiry>, refused: Vec<Claimant> },
    /// The host is where it is recorded. `settled`: after it had been contested.
    Stays { claimants: Vec<Claimant>, settled: bool },
    /// It is where `winner` says. `settled`: after it had been contested.
    Moves { winner: Claimant, others: Vec<Claimant>, proof: Proof, settled: bool },
    /// It is nowhere any more, and not with those who claim it either.
    Gone { claimants: Vec<Claimant>, proof: Proof },
    /// It was only asked whether it is there, and that could not be found out.
    Unknown,
}

/// What an inquiry needs to know of the owner.
pub(crate) struct Subject<'a> {
    pub(crate) local: &'a Local,
    pub(crate) stay: &'a Stay,
    pub(crate) known: &'a Known,
}

impl Subject<'_> {
    fn place(&self) -> Location {
        Location::Local(self.local.port())
    }

    /// Whether an answer where it is recorded is not enough against an answer to this claimant.
    fn must_yield_to(&self, claimant: &Claimant, world: &World<'_>) -> bool {
        let (place, tenure) = (claimant.location(), claimant.tenure);
        self.stay.must_yield_to_answers_of(place, tenure, || world.all_have_told(), world.now)
    }
}

impl Inquiry {
    /// Begins to ask, for all who claim the host; for nobody, if it is only to be seen whether it is still there.
    pub(crate) fn begin(claimants: Claimants, subject: &Subject<'_>, world: &World<'_>, out: &mut Out<'_>) -> Verdict {
        out.counters.verifications += 1;
        if !claimants.are_damped() || claimants.is_empty() {
            out.report(Report::VerificationStarted {
                host: subject.known.key,
                recorded: subject.place(),
                claimed: claimants.iter().next().map(Claimant::location),
            });
        }
        let mut inquiry = Box::new(Self {
            question: None,
            recorded: Recorded::Pending,
            asked: world.now,
            stage: Stage::Asking,
            repeated: false,
            copying: false,
            idle: claimants.is_empty(),
            again: None,
            wait: Wait::default(),
            claimants,
        });
        inquiry.ask(true, subject, world, out);
        inquiry.advance(subject, world, out)
    }

    /// One more who claims the host.
    ///
    /// What was found out before does not count for it: a host that was only asked out of routine may have been silent for another reason, and one
    /// that is contested or unproven is asked at once.
    pub(crate) fn join(
        mut self: Box<Self>,
        claimant: Claimant,
        subject: &Subject<'_>,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Verdict {
        let anew = self.claimants.is_empty() || self.question.is_none();
        if self.copying
            && let Who::Peer { vtep, claim, .. } = claimant.who
        {
            let open = if self.is_contested() { Open::Contested } else { Open::Overdue };
            out.reply(vtep, subject.known.key, claim, subject.local.sequence(), message::Verdict::Open(open));
        }
        self.claimants.push(claimant);
        self.idle = false;
        if anew {
            self.question = None;
            self.ask(false, subject, world, out);
        } else {
            self.asked = world.now;
            self.claimants.ask(false, subject.known, world, out);
        }
        self.advance(subject, world, out)
    }

    fn ask(&mut self, all: bool, subject: &Subject<'_>, world: &World<'_>, out: &mut Out<'_>) {
        if world.ports.down(subject.local.port()).is_some() {
            self.recorded = Recorded::NoAnswer(NoAnswer::LinkDown);
        } else if self.question.is_none() {
            let addresses = &subject.known.addresses;
            let expected = addresses.expected_at(subject.place(), world.now, world.timers());
            let question = Question::begin(out.new_question(), subject.place(), expected, world.now);
            self.question = Some(question.with_patience(addresses.patience()));
            self.recorded = Recorded::Pending;
        }
        self.again = None;
        self.asked = world.now;
        self.claimants.ask(all, subject.known, world, out);
    }

    /// Does what is due: rounds, escalation, the verdict.
    pub(crate) fn advance(mut self: Box<Self>, subject: &Subject<'_>, world: &World<'_>, out: &mut Out<'_>) -> Verdict {
        let host = subject.known.key;
        if self.again.is_some_and(|again| world.now >= again) {
            self.ask(true, subject, world, out);
        }
        if let Some(question) = &mut self.question {
            match question.step(world.now, world.timers()) {
                Step::Wait => {}
                Step::Ask(round) => {
                    let targets = subject.known.addresses.targets(&self.claimants.named(), host.mac);
                    out.ask(host, question, round, true, targets);
                }
                Step::Check => out.check(host, question),
                Step::End(end) => self.ended(end),
            }
        }
        self.claimants.advance(host, &subject.known.addresses, world, out);
        if let Some(announced) = self.escalate(subject, world, out) {
            return self.moves_to(announced, Proof::by_announcement(&Overdue::now()));
        }
        self.decide(subject, world, out)
    }

    fn ended(&mut self, end: End) {
        self.repeated = self.was_repeated();
        self.question = None;
        self.recorded = match end {
            End::Silent(silence) => Recorded::NoAnswer(NoAnswer::Silent(silence)),
            End::Unanswered(unanswered) => Recorded::NoAnswer(NoAnswer::Unanswered(unanswered)),
            End::Disturbed(why) => Recorded::Disturbed(why),
        };
    }

    /// Copies the traffic when that is due (B3). The place that a move was announced to, if it claims the host and an answer is overdue (B15).
    fn escalate(&mut self, subject: &Subject<'_>, world: &World<'_>, out: &mut Out<'_>) -> Option<Location> {
        if self.claimants.is_empty() {
            return None;
        }
        let is_announced = |place: &Location| subject.known.is_announced_at(*place, world.now);
        let announced = self.claimants.iter().map(Claimant::location).find(is_announced);
        let overdue = self.overdue_at(subject, world.timers()).is_some_and(|at| world.now >= at);
        let copy = match world.vni.during {
            During::Hold => self.stage == Stage::Contested,
            During::Both => !self.claimants.are_damped() || overdue,
            During::Escalate => overdue || announced.is_some() || self.stage != Stage::Asking,
        };
        if copy && !self.copying {
            self.copying = true;
            if self.stage == Stage::Asking {
                self.claimants.tell(subject.known.key, subject.local.sequence(), Open::Overdue, out);
            }
        }
        announced.filter(|_| overdue)
    }

    fn overdue_at(&self, subject: &Subject<'_>, timers: &Timers) -> Option<Instant> {
        self.question.as_ref()?.overdue_at(subject.known.addresses.overdue_after(), timers.escalate)
    }

    /// Whether it has been announced to be going elsewhere than anybody claims it for.
    fn is_expected_elsewhere(&self, subject: &Subject<'_>, now: Instant) -> bool {
        let announced = subject.known.announced(now);
        !is_out(Guard::ExpectedElsewhere)
            && announced.is_some_and(|announced| !self.claimants.iter().any(|one| announced.is(one.location())))
    }

    /// What follows from all that is known now.
    fn decide(self: Box<Self>, subject: &Subject<'_>, world: &World<'_>, out: &mut Out<'_>) -> Verdict {
        if self.claimants.is_empty() {
            return match self.recorded {
                Recorded::Pending => Verdict::open(self),
                Recorded::Answered => Verdict::Stays { claimants: Vec::new(), settled: false },
                Recorded::NoAnswer(none) => Proof::by_no_answer(&none).map_or(Verdict::Unknown, Verdict::gone),
                Recorded::Disturbed(_) => Verdict::Unknown,
            };
        }
        match &self.recorded {
            Recorded::Pending => Verdict::open(self),
            Recorded::Answered => self.decide_of_answer(subject, world, out),
            Recorded::NoAnswer(_) => self.decide_of_none(subject, world, out),
            Recorded::Disturbed(why) => match world.vni.unproven {
                Unproven::Refuse => self.stays(),
                Unproven::Wait | Unproven::Move => {
                    let why = *why;
                    self.unproven(why, subject, world, out)
                }
            },
        }
    }

    /// It is where it is recorded. That settles it (M4), unless the place has yet to earn its trust (B12).
    fn decide_of_answer(mut self: Box<Self>, subject: &Subject<'_>, world: &World<'_>, out: &mut Out<'_>) -> Verdict {
        let weighs = |claimant: &Claimant| {
            claimant.answers != Answers::No && (claimant.contests || subject.must_yield_to(claimant, world))
        };
        if !self.claimants.iter().any(weighs) {
            return self.stays();
        }
        let refused = self.claimants.take_if(|claimant| !weighs(claimant));
        let answers = self.claimants.count(Answers::Yes) > 0;
        let verdict = if answers || self.stage == Stage::Contested {
            self.contested(subject, world, out)
        } else if self.heard_out_at(world.timers()).is_some_and(|at| world.now < at) {
            // Asked at the claimed place, too; the host has what it needs meanwhile.
            Verdict::open(self)
        } else {
            self.stays()
        };
        verdict.with_refused(refused)
    }

    /// Who answers where it is recorded waits so long for answers at claimed places. It is not waited for silence there, unless the host was there before:
    /// the place that answers has the host, and if it is at the other after all, that will claim it again.
    fn heard_out_at(&self, timers: &Timers) -> Option<Instant> {
        self.claimants.iter().filter_map(|one| one.heard_out_at(self.asked, timers)).max()
    }

    /// It does not answer where it is recorded.
    fn decide_of_none(self: Box<Self>, subject: &Subject<'_>, world: &World<'_>, out: &mut Out<'_>) -> Verdict {
        let Recorded::NoAnswer(none) = &self.recorded else { return Verdict::open(self) };
        if self.is_expected_elsewhere(subject, world.now) && !matches!(none, NoAnswer::LinkDown) {
            return self.unproven(WhyUnproven::ExpectedElsewhere, subject, world, out);
        }
        let fresh = |claimant: &Claimant| subject.must_yield_to(claimant, world);
        let returns = |one: &Claimant| {
            let rival = matches!(one.who, Who::Rival { .. });
            let had_it = rival || subject.stay.came_from(one.location());
            let unfounded = had_it && subject.stay.is_by_policy(world.now);
            one.answers == Answers::Yes && (unfounded || rival && subject.stay.may_have_been_anywhere(world.now))
        };
        let returned = self.claimants.iter().any(returns);
        let (answer, unknown) = (self.claimants.count(Answers::Yes), self.claimants.count(Answers::Unknown));
        let answering = subject.known.addresses.answering(world.now, world.timers());
        let one = match self.claimants.iter().next() {
            Some(only) if self.claimants.len() == 1 || is_out(Guard::FirstDecidesNothing) => Some(only.location()),
            Some(_) | None => None,
        };
        match (one, none) {
            (Some(only), NoAnswer::Silent(silence)) => {
                let proof = Proof::by_silence(silence);
                self.moves_to(only, proof)
            }
            (Some(only), NoAnswer::LinkDown) => {
                match Proof::by_port_down(subject.local, world.ports.down(subject.local.port())) {
                    Some(proof) => self.moves_to(only, proof),
                    None => self.unproven(WhyUnproven::NotAsked, subject, world, out),
                }
            }
            (Some(only), NoAnswer::Unanswered(unanswered))
                if !returned && (answering.is_none() || !self.claimants.iter().any(fresh)) =>
            {
                if self.idle {
                    let proof = Proof::by_ageing(unanswered);
                    return self.moves_to(only, proof);
                }
                match (world.vni.unproven, Proof::by_default(world.vni)) {
                    (Unproven::Move, Some(proof)) => self.moves_to(only, proof),
                    (Unproven::Refuse, _) => self.stays(),
                    (Unproven::Wait | Unproven::Move, _) => {
                        self.unproven(WhyUnproven::NoConfirmedAddress, subject, world, out)
                    }
                }
            }
            // Being first decides nothing, and neither does being there since a moment ago (B14).
            (_, none) => {
                let only = OnlyAnswer::of(answering, none, self.idle || returned, answer, unknown);
                let place = self.claimants.iter().find(|one| one.answers == Answers::Yes).map(Claimant::location);
                match (only, place) {
                    (Some(only), Some(place)) => self.moves_to(place, Proof::by_only_answer(&only)),
                    _ if unknown > 0 => self.wait_for_claimants(subject, world, out),
                    _ if answer > 1 => self.contested(subject, world, out),
                    // Aged, and no sign of life of it anywhere: whoever is heard next has it.
                    _ if self.idle && answer == 0 && !is_out(Guard::AgedNowhere) => {
                        let down = || Proof::by_port_down(subject.local, world.ports.down(subject.local.port()));
                        match Proof::by_no_answer(none).or_else(down) {
                            Some(proof) => Verdict::Gone { claimants: self.claimants.into_vec(), proof },
                            None => self.unproven(WhyUnproven::NotAsked, subject, world, out),
                        }
                    }
                    _ => self.unproven(WhyUnproven::NobodyAnswers, subject, world, out),
                }
            }
        }
    }

    /// It is being asked at claimed places; where that was disturbed, it will be again.
    fn wait_for_claimants(self: Box<Self>, subject: &Subject<'_>, world: &World<'_>, out: &mut Out<'_>) -> Verdict {
        if self.claimants.due(world.now, world.timers()).is_some() {
            Verdict::open(self)
        } else {
            self.unproven(WhyUnproven::AnswersLost, subject, world, out)
        }
    }

    /// Nothing proves who is right: more evidence is waited for, and asked for.
    fn unproven(
        mut self: Box<Self>,
        why: WhyUnproven,
        subject: &Subject<'_>,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Verdict {
        if self.again.is_some() {
            return Verdict::open(self);
        }
        let host = subject.known.key;
        if self.stage != Stage::Unproven {
            self.stage = Stage::Unproven;
            self.wait = Wait::default();
            out.counters.unproven += 1;
            for claimant in self.claimants.iter() {
                let (recorded, claimed) = (subject.place(), claimant.location());
                out.report(Report::Unproven { host, recorded, claimed, why });
            }
            let (bindings, sequence) = (subject.known.addresses.bindings(), subject.local.sequence());
            self.claimants.have_rivals_ask(&Advertisement { host, bindings, sequence, migration: None }, out);
        }
        self.claimants.tell(host, subject.local.sequence(), Open::Unproven, out);
        self.copying = world.vni.during != During::Hold;
        self.let_go(subject, world, out);
        let disturbed = matches!(why, WhyUnproven::NotAsked | WhyUnproven::AnswersLost);
        let first = if disturbed { DISTURBED_RETRY } else { world.timers().unproven_retry };
        self.wait_longer(first, world);
        Verdict::open(self)
    }

    /// It answers at more than one place: both receive until one falls silent, or as the configuration decides.
    fn contested(mut self: Box<Self>, subject: &Subject<'_>, world: &World<'_>, out: &mut Out<'_>) -> Verdict {
        let rivals: Vec<&Claimant> =
            self.claimants.iter().filter(|claimant| claimant.answers == Answers::Yes).collect();
        let here = match self.recorded {
            Recorded::Answered => subject.stay.tenure(world.now),
            Recorded::Pending | Recorded::NoAnswer(_) | Recorded::Disturbed(_) => Duration::ZERO,
        };
        let tenure = |claimant: &Claimant| claimant.tenure.max(subject.stay.earlier_tenure(claimant.location()));
        let longest = rivals.iter().max_by_key(|claimant| tenure(claimant)).map(|one| (one.location(), tenure(one)));
        let newest = rivals.iter().max_by_key(|claimant| claimant.since).map(|one| one.location());
        match (world.vni.contested, longest, newest) {
            (Contested::Settled, Some((place, tenure)), _) if tenure > here => {
                return self.moves_to(place, Proof::by_decision());
            }
            (Contested::Settled, _, _) => return self.stays(),
            (Contested::Newcomer, _, Some(place)) => return self.moves_to(place, Proof::by_decision()),
            (Contested::Both | Contested::Newcomer, _, _) => {}
        }
        let host = subject.known.key;
        if self.stage != Stage::Contested {
            self.stage = Stage::Contested;
            self.wait = Wait::default();
            out.counters.contested += 1;
            if let Some(claimed) = longest {
                let recorded = (subject.place(), subject.stay.tenure(world.now));
                out.report(Report::Contested { host, recorded, claimed });
            }
            if matches!(self.recorded, Recorded::Answered) {
                self.claimants.tell_rivals(host, world, out);
            }
            self.again = None;
        }
        self.claimants.contest();
        self.copying = true;
        self.let_go(subject, world, out);
        if self.again.is_none() && self.question.is_none() {
            // Whoever has dropped his claim meanwhile, and could not say so, is reminded that it is still weighed.
            self.claimants.tell(host, subject.local.sequence(), Open::Contested, out);
            self.wait_longer(world.timers().unproven_retry, world);
        }
        Verdict::open(self)
    }

    /// There may be no verdict for long: nothing is held until then.
    fn let_go(&mut self, subject: &Subject<'_>, world: &World<'_>, out: &mut Out<'_>) {
        let places = self.copies_to(subject.known.announced(world.now));
        self.claimants.let_go(&places, out);
    }

    fn wait_longer(&mut self, first: Duration, world: &World<'_>) {
        self.again = Some(world.now + self.wait.longer(first, world.timers().unproven_retry_max));
    }

    fn stays(self) -> Verdict {
        let settled = self.stage == Stage::Contested;
        Verdict::Stays { claimants: self.claimants.into_vec(), settled }
    }

    fn moves_to(mut self: Box<Self>, place: Location, proof: Proof) -> Verdict {
        let mut winner = self.claimants.take_if(|claimant| claimant.location() == place);
        match winner.pop() {
            Some(winner) => {
                let settled = self.stage == Stage::Contested;
                Verdict::Moves { winner, others: self.claimants.into_vec(), proof, settled }
            }
            None => Verdict::open(self),
        }
    }

    /// Whether the host was asked more than once, and may answer more than once.
    pub(crate) fn was_repeated(&self) -> bool {
        let repeated = self.repeated || self.question.as_ref().is_some_and(Question::was_repeated);
        repeated && !is_out(Guard::OtherQuestions)
    }

    /// How long after it was asked it is now, if it was taken not to answer where it is recorded: an answer that comes now took so long, at the most.
    pub(crate) fn is_late_by(&self, now: Instant) -> Option<Duration> {
        let unanswered = matches!(&self.recorded, Recorded::NoAnswer(NoAnswer::Silent(_) | NoAnswer::Unanswered(_)));
        (unanswered && self.question.is_none() && !is_out(Guard::HowLate)).then(|| now - self.asked)
    }

    /// Something came from the host where it is recorded: it is there (M4, B2).
    pub(crate) fn alive(mut self: Box<Self>, subject: &Subject<'_>, world: &World<'_>, out: &mut Out<'_>) -> Verdict {
        if self.stage == Stage::Contested && self.question.is_none() {
            return Verdict::open(self);
        }
        self.repeated = self.was_repeated();
        self.question = None;
        self.recorded = Recorded::Answered;
        self.decide(subject, world, out)
    }

    /// It answered at a claimed port of ours, or a peer says that it did at one of the peer's.
    pub(crate) fn answered_at(
        mut self: Box<Self>,
        place: Location,
        answers: Answers,
        subject: &Subject<'_>,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Verdict {
        if !self.claimants.answered_at(place, answers) {
            out.counters.wrong_answers += 1;
            return Verdict::open(self);
        }
        self.decide(subject, world, out)
    }

    /// Whether the question is still open.
    pub(crate) fn is_asking(&self, id: QuestionId) -> bool {
        self.question.as_ref().is_some_and(|question| question.id() == id) || self.claimants.is_asking(id)
    }

    /// A round of some question has left.
    pub(crate) fn has_left(&mut self, id: QuestionId, round: u32, now: Instant) {
        match &mut self.question {
            Some(question) if question.id() == id => question.has_left(round, now),
            Some(_) | None => self.claimants.has_left(id, round, now),
        }
    }

    /// The driver has checked some question.
    pub(crate) fn checked(
        mut self: Box<Self>,
        id: QuestionId,
        complete: bool,
        subject: &Subject<'_>,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Verdict {
        match &self.question {
            Some(question) if question.id() == id => {
                let end = question.checked(complete);
                self.ended(end);
            }
            Some(_) | None => {
                if !self.claimants.checked(id, complete) {
                    return Verdict::open(self);
                }
            }
        }
        self.decide(subject, world, out)
    }

    /// It has been idle for the ageing time: if nobody can prove anything, that decides.
    pub(crate) fn idle(mut self: Box<Self>, subject: &Subject<'_>, world: &World<'_>, out: &mut Out<'_>) -> Verdict {
        self.idle = true;
        if self.question.is_none() {
            self.again = Some(world.now);
        }
        self.advance(subject, world, out)
    }

    /// An operator decides.
    pub(crate) fn settle(self: Box<Self>, keep: Location, subject: &Subject<'_>) -> Verdict {
        if keep == subject.place() { self.stays() } else { self.moves_to(keep, Proof::by_decision()) }
    }

    /// The port is down (B2). Of several that claim it, being first decides nothing (B14).
    pub(crate) fn lost_link(
        mut self: Box<Self>,
        proof: Proof,
        subject: &Subject<'_>,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Verdict {
        if self.claimants.is_empty() {
            return Verdict::gone(proof);
        }
        self.repeated = self.was_repeated();
        self.question = None;
        self.recorded = Recorded::NoAnswer(NoAnswer::LinkDown);
        self.decide(subject, world, out)
    }

    /// Nobody claims it any more.
    pub(crate) fn is_pointless(&self) -> bool {
        self.claimants.is_empty() && !self.idle
    }

    /// When there is something to do.
    pub(crate) fn due(&self, subject: &Subject<'_>, now: Instant, timers: &Timers) -> Option<Instant> {
        let question = self.question.as_ref().map(|question| question.due(timers));
        let overdue = self.overdue_at(subject, timers).filter(|&at| at > now && !self.claimants.is_empty());
        let waits = matches!(self.recorded, Recorded::Answered) && self.stage != Stage::Contested;
        let heard_out = self.heard_out_at(timers).filter(|_| waits);
        [question, overdue, heard_out, self.claimants.due(now, timers), self.again].into_iter().flatten().min()
    }

    /// Where copies of the host's traffic go.
    pub(crate) fn copies_to(&self, announced: Option<Announced>) -> Vec<Location> {
        if self.copying { self.claimants.copies_to(announced) } else { Vec::new() }
    }

    /// Whether frames of claimed places travel on as the host's own: it may well be there.
    pub(crate) fn shares(&self) -> bool {
        self.copying && self.stage != Stage::Asking
    }

    /// Whether the host is claimed for `place`.
    pub(crate) fn claims(&self, place: Location) -> bool {
        self.claimants.iter().any(|claimant| claimant.location() == place)
    }

    /// Who claims it, and why silence has proved nothing, for people.
    pub(crate) fn detail(&self, now: Instant) -> (Vec<ClaimDetail>, Option<WhyUnproven>) {
        let why = match &self.recorded {
            Recorded::Disturbed(why) => Some(*why),
            Recorded::NoAnswer(NoAnswer::Unanswered(_)) if self.is_unproven() => Some(WhyUnproven::NoConfirmedAddress),
            Recorded::Pending | Recorded::Answered | Recorded::NoAnswer(_) => None,
        };
        (self.claimants.iter().map(|claimant| claimant.detail(now)).collect(), why)
    }

    pub(crate) fn is_unproven(&self) -> bool {
        self.stage == Stage::Unproven
    }

    pub(crate) fn is_contested(&self) -> bool {
        self.stage == Stage::Contested
    }
}

impl Verdict {
    fn open(inquiry: Box<Inquiry>) -> Self {
        Self::Open { inquiry, refused: Vec::new() }
    }

    pub(crate) fn gone(proof: Proof) -> Self {
        Self::Gone { claimants: Vec::new(), proof }
    }

    fn with_refused(self, more: Vec<Claimant>) -> Self {
        match self {
            Self::Open { inquiry, mut refused } => {
                refused.extend(more);
                Self::Open { inquiry, refused }
            }
            Self::Stays { mut claimants, settled } => {
                claimants.extend(more);
                Self::Stays { claimants, settled }
            }
            Self::Moves { winner, mut others, proof, settled } => {
                others.extend(more);
                Self::Moves { winner, others, proof, settled }
            }
            Self::Gone { mut claimants, proof } => {
                claimants.extend(more);
                Self::Gone { claimants, proof }
            }
            Self::Unknown => Self::Unknown,
        }
    }
}
