//! The claimant ("second device"): the host was heard here, the entry says it is elsewhere (M1, M2, M6 to M8, B9).
//!
//! While its claim is pending, the switch uses both entries. Traffic for the host that comes from the owner's tunnel goes to the claimed
//! port, since the owner has seen to the old place; all other traffic goes to the owner, which is the only one to reach the old place. Whether
//! that other traffic goes to the claimed port as well is the owner's choice (B3), for what the owner gets from here it does not send back here:
//!
//! | policy | copies to the claimed port |
//! |---|---|
//! | `hold` | never, unless the host is contested |
//! | `both` | from the claim to the verdict, whoever it is that asks the host |
//! | `escalate` | once the owner says that an answer is overdue, or that there is no verdict |
//!
//! An owner without a session asks nobody: that it gives no verdict says nothing, and there are no copies. Nor are there any while the claimant asks
//! the host through the tunnel: the silence may be the tunnel's, and what it is worth is for the policy for unreachable owners to say, at the verdict.
//!
//! Meanwhile the host is asked at the claimed port, and the owner is told what that has come to: if several places claim it, that decides (B14).
//!
//! A claim ages as an entry does: one for a place that has not answered for twice the ageing time is dropped, and by then the owner's own entry has aged
//! if nothing speaks for it. If the host is there after all, its next frame is another claim.

use std::net::IpAddr;
use std::time::Duration;

use crate::guards::{Guard, is_out};
use crate::inout::detail::ClaimDetail;
use crate::inout::event::Evidence;
use crate::inout::message::{Advertisement, Message, Migration, Open, Reply, Standing, Verdict, Withdrawal};
use crate::inout::report::{Because, Report};
use crate::knowledge::aftermath::Aftermath;
use crate::knowledge::damping;
use crate::knowledge::entry::{Local, Proof, Remote};
use crate::knowledge::question::{End, Question, Step};
use crate::knowledge::routes::outranks;
use crate::roles::admission::{Admission, admit};
use crate::roles::claimants::{Answers, Requests, add_addresses, without_answer};
use crate::roles::fact::{Claimed, HeardAt, How, Told, Withdrawn};
use crate::roles::known::Known;
use crate::roles::observer;
use crate::roles::owner::Taken;
use crate::roles::world::{Memory, Out, World};
use crate::words::config::{Advertise, During, Timers};
use crate::words::ids::{AccessId, ClaimId, FrameId, Location, QuestionId, VtepAddr};
use crate::words::sequence::Sequence;
use crate::words::time::{Instant, Wait};

/// How often a claim is made anew, mostly because it follows the host to yet another owner, before it is dropped. The next announcement
/// begins another.
const MAX_HOPS: u8 = 8;

/// What each of the other claims that an owner has from here may take it until it replies to one more: it asks thousands of hosts in turn. A session
/// loses nothing, so to remind it earlier only gives it more to do.
const FOR_EACH_OTHER: Duration = Duration::from_micros(250);

#[derive(Debug, Clone, Hash)]
pub(crate) struct Claimant {
    remote: Remote,
    claim: Box<Claim>,
}

/// The *second entry*: where the host was just heard, beside where it is recorded.
#[derive(Debug, Clone, Hash)]
struct Claim {
    id: ClaimId,
    port: AccessId,
    /// Outranks the owner's.
    sequence: Sequence,
    /// The announcement, held until the verdict, and requests for others.
    frame: Option<FrameId>,
    requests: Requests,
    heard: Instant,
    /// When it answered there for the last time, or began.
    alive: Instant,
    /// Addresses that the announcements named.
    addresses: Vec<IpAddr>,
    /// For how long the host was here before it went where it is recorded.
    tenure: Duration,
    /// It was refused only just now: the owner is asked in passing.
    damped: bool,
    /// Whether the observers know of it.
    told: bool,
    stage: Stage,
    /// It was heard there once more, and may have come there only since it was asked where it is recorded.
    again: bool,
    /// How often the claim was made anew.
    hops: u8,
    /// The claimed port gets copies.
    copied: bool,
    place: Place,
    /// It was heard at another port before it was known whether it answers at the claimed one (B14).
    rival: Option<Rival>,
}

/// Another port of ours where it was heard. The claim follows the host there if it answers there first.
#[derive(Debug, Clone, Hash)]
struct Rival {
    heard: HeardAt,
    question: Question,
}

/// Who asks the host at its recorded place.
#[derive(Debug, Clone, Hash)]
enum Stage {
    /// The owner is to ask it.
    Owner { retry_at: Instant, wait: Wait, give_up_at: Instant },
    /// The owner has, and nothing is proved yet. It is reminded from time to time.
    Open { open: Open, remind_at: Instant, wait: Wait, reminded: bool },
    /// The owner is unreachable: we ask the host ourselves, through the tunnel.
    Tunnel(Question),
}

impl Stage {
    /// The owner is being asked from now on.
    fn owner(owner: VtepAddr, world: &World<'_>) -> Self {
        let (timers, mut wait) = (world.timers(), Wait::default());
        let retry_at = world.now + wait.longer(timers.claim_retry, Duration::MAX) + its_turn(owner, world);
        Self::Owner { retry_at, wait, give_up_at: world.now + timers.claim_give_up }
    }
}

/// How long an owner may take until a claim has its turn.
fn its_turn(owner: VtepAddr, world: &World<'_>) -> Duration {
    let others = world.peers.claims_at(owner).saturating_sub(1);
    FOR_EACH_OTHER * u32::try_from(others).unwrap_or(u32::MAX)
}

/// What asking at the claimed port has come to.
#[derive(Debug, Clone, Hash)]
struct Place {
    question: Option<Question>,
    answers: Answers,
    again: Option<Instant>,
    wait: Wait,
}

impl Place {
    fn begin(question: Question) -> Self {
        Self { question: Some(question), answers: Answers::Unknown, again: None, wait: Wait::default() }
    }
}

/// What has become of a claimant.
#[derive(Debug)]
pub(crate) enum Became {
    Claimant(Claimant),
    /// The claim was won.
    Owner(Won),
    /// The claim is over, and the host is elsewhere.
    Observer(Remote),
    /// Two claims crossed: each takes the other for the owner, so neither is. Both have heard it, both ask their own port (rule 10).
    Crossed(Taken, Claimed),
}

/// What gives the host to us.
#[derive(Debug)]
struct Grant {
    /// On whose word.
    by: VtepAddr,
    proof: Proof,
    /// The sequence with which it is ours.
    sequence: Sequence,
    /// For how long it was where it comes from, as far as that was said.
    tenure: Duration,
}

impl Grant {
    fn new(by: VtepAddr, proof: Proof, sequence: Sequence) -> Self {
        Self { by, proof, sequence, tenure: Duration::ZERO }
    }
}

#[derive(Debug)]
pub(crate) struct Won {
    pub(crate) local: Local,
    pub(crate) before: (Location, Duration),
    /// For how long the host was here before that.
    pub(crate) credit: Duration,
    /// On whose word, and why that is believed.
    pub(crate) by: VtepAddr,
    pub(crate) because: Because,
}

impl Claimant {
    /// The host is heard here, and is recorded elsewhere (M1, B1).
    pub(crate) fn heard(
        remote: Remote,
        heard: HeardAt,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        if heard.evidence != Evidence::Dad && known.is_expected_at_another_port(heard.port, world.now) {
            // The owner would take it for the announced move.
            out.counters.damped += 1;
            out.drop(heard.frame);
            out.memories.push(Memory::Paused(heard.claim(known.key, world.now), true));
            return Became::Observer(remote);
        }
        match admit(known, &heard, Location::Remote(remote.vtep()), world, out) {
            Admission::Refused => Became::Observer(remote),
            Admission::Exempt(proof) => {
                let highest = known.routes.highest().unwrap_or(Sequence::FIRST);
                let sequence = out.sequence_after(known.key, highest);
                let claim = Claim::new(sequence, heard, false, known, world, out);
                let grant = Grant::new(world.config.me, proof, sequence);
                Self { remote, claim: Box::new(claim) }.won(grant, known, world, out)
            }
            Admission::Verify { damped } => {
                // What was told at once is no verdict: the one to ask is who has the host for certain.
                let remote = match known.routes.best_firm(Some(remote.vtep())) {
                    Some(owner) => remote.follow(owner.vtep),
                    None => remote,
                };
                let highest = known.routes.of(remote.vtep()).map_or(Sequence::FIRST, |route| route.sequence);
                let sequence = out.sequence_after(known.key, highest);
                let claim = Box::new(Claim::new(sequence, heard, damped, known, world, out));
                let mut claimant = Self { remote, claim };
                claimant.ask_owner(known, world, out);
                claimant.advance(known, world, out)
            }
        }
    }

    /// It answers where it was until just now: the silence for which it was given away was none. It is claimed back, and needs no second answer.
    pub(crate) fn answered_after_all(
        remote: Remote,
        port: AccessId,
        address: IpAddr,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        match Self::heard(remote, HeardAt::answer(port, address), known, world, out) {
            Became::Claimant(claimant) => claimant.answered(Location::Local(port), address, known, world, out),
            became @ (Became::Owner(_) | Became::Observer(_) | Became::Crossed(..)) => became,
        }
    }

    pub(crate) fn owner(&self) -> VtepAddr {
        self.remote.vtep()
    }

    pub(crate) fn port(&self) -> AccessId {
        self.claim.port
    }

    /// For people.
    pub(crate) fn detail(&self, now: Instant) -> ClaimDetail {
        ClaimDetail {
            place: Location::Local(self.claim.port),
            open_for: now - self.claim.heard,
            answers: self.claim.place.answers.known(),
            damped: self.claim.damped,
        }
    }

    pub(crate) fn is_probing_through_tunnel(&self) -> bool {
        matches!(self.claim.stage, Stage::Tunnel(_))
    }

    /// Whether the claimed port gets a copy of what goes to the owner.
    pub(crate) fn is_copied(&self) -> bool {
        self.claim.copied
    }

    /// Whether frames of the claimed port travel on as the host's own: it may well be there.
    pub(crate) fn shares(&self) -> bool {
        self.claim.copied && matches!(self.claim.stage, Stage::Open { open: Open::Unproven | Open::Contested, .. })
    }

    // ---- asking

    /// Turns to the owner: by message if its session is up, else by probes through the tunnel.
    fn ask_owner(&mut self, known: &Known, world: &World<'_>, out: &mut Out<'_>) {
        self.nobody_asks(world);
        if world.peers.is_up(self.remote.vtep()) {
            self.claim.stage = Stage::owner(self.remote.vtep(), world);
            self.send_claim(known, out);
        } else {
            self.ask_through_tunnel(known, world, out);
        }
        if world.vni.advertise == Advertise::AtOnce && !self.claim.damped {
            self.claim.told = true;
            let message = Message::Advertisement(self.advertisement(known, Migration::AtOnce));
            out.send_all(Some(self.remote.vtep()), &message);
        }
    }

    fn ask_through_tunnel(&mut self, known: &Known, world: &World<'_>, out: &mut Out<'_>) {
        let place = Location::Remote(self.remote.vtep());
        self.claim.stage = Stage::Tunnel(Question::begin(out.new_question(), place, None, world.now));
        self.nobody_asks(world);
        out.counters.owner_unreachable += 1;
        out.report(Report::OwnerUnreachable { host: known.key, owner: self.remote.vtep() });
    }

    fn send_claim(&self, known: &Known, out: &mut Out<'_>) {
        let Claim { id: claim, tenure, damped, .. } = *self.claim;
        let message = self.advertisement(known, Migration::Asked { claim, tenure, damped, taken: false });
        out.send(self.remote.vtep(), Message::Advertisement(message));
        self.tell_standing(known, out);
    }

    fn tell_standing(&self, known: &Known, out: &mut Out<'_>) {
        let answers = match self.claim.place.answers {
            Answers::Unknown => return,
            Answers::Yes => true,
            Answers::No => false,
        };
        let standing = Standing { host: known.key, claim: self.claim.id, answers };
        out.send(self.remote.vtep(), Message::Standing(standing));
    }

    fn advertisement(&self, known: &Known, migration: Migration) -> Advertisement {
        Advertisement {
            host: known.key,
            bindings: known.addresses.bindings(),
            sequence: self.claim.sequence,
            migration: Some(migration),
        }
    }

    /// Nobody is known to ask the host.
    fn nobody_asks(&mut self, world: &World<'_>) {
        self.claim.copied = world.vni.during == During::Both;
    }

    // ---- time and the switch

    /// Does what is due: the claim again, a round of questions, or the end of waiting.
    pub(crate) fn advance(mut self, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        if world.now >= self.claim.aged_at(world.timers()) {
            return self.abandoned(known, world, out);
        }
        self.ask_here(known, world, out);
        self.ask_rival(known, world, out);
        match &mut self.claim.stage {
            Stage::Owner { retry_at, wait, give_up_at } => {
                // An owner whose session is up can be reached. It is busy, and what it finds out is better evidence than ours; only
                // what the host said is out of date by then.
                if world.now >= *give_up_at && world.peers.is_up(self.remote.vtep()) {
                    *give_up_at = world.now + world.timers().claim_give_up;
                    out.drop(self.claim.frame.take());
                    out.drop(std::mem::take(&mut self.claim.requests).into_frames());
                }
                if world.now >= *give_up_at {
                    self.ask_through_tunnel(known, world, out);
                } else if world.now >= *retry_at {
                    let wait = wait.longer(world.timers().claim_retry, world.timers().claim_give_up);
                    *retry_at = world.now + wait + its_turn(self.remote.vtep(), world);
                    out.counters.retries += 1;
                    self.send_claim(known, out);
                }
            }
            Stage::Open { remind_at, reminded: true, .. } if world.now >= *remind_at => {
                self.nobody_knows(world);
                self.send_claim(known, out);
            }
            Stage::Open { remind_at, wait, reminded, .. } => {
                if world.now >= *remind_at {
                    *reminded = true;
                    let timers = world.timers();
                    *remind_at = world.now + wait.longer(timers.unproven_retry, timers.unproven_retry_max);
                    self.send_claim(known, out);
                }
            }
            Stage::Tunnel(_) => {}
        }
        let Stage::Tunnel(question) = &mut self.claim.stage else { return Became::Claimant(self) };
        match question.step(world.now, world.timers()) {
            Step::Wait => Became::Claimant(self),
            Step::Ask(round) => {
                let targets = known.addresses.targets(&self.claim.addresses, known.key.mac);
                out.ask(known.key, question, round, false, targets);
                Became::Claimant(self)
            }
            Step::Check => {
                out.check(known.key, question);
                Became::Claimant(self)
            }
            Step::End(end) => self.tunnel_silent(&end, known, world, out),
        }
    }

    /// Asks at the claimed port.
    fn ask_here(&mut self, known: &Known, world: &World<'_>, out: &mut Out<'_>) {
        let place = &mut self.claim.place;
        if place.again.is_some_and(|again| world.now >= again) {
            place.again = None;
            place.question = Some(Claim::question(self.claim.port, known, world, out));
        }
        let Some(question) = &mut place.question else { return };
        match question.step(world.now, world.timers()) {
            Step::Wait => {}
            Step::Ask(round) => {
                let targets = known.addresses.targets(&self.claim.addresses, known.key.mac);
                out.ask(known.key, question, round, false, targets);
            }
            Step::Check => out.check(known.key, question),
            Step::End(end) => self.asked_here(without_answer(&end), known, world, out),
        }
    }

    /// Asks at the other port.
    fn ask_rival(&mut self, known: &Known, world: &World<'_>, out: &mut Out<'_>) {
        let Some(Rival { heard, question }) = &mut self.claim.rival else { return };
        match question.step(world.now, world.timers()) {
            Step::Wait => {}
            Step::Ask(round) => {
                out.ask(known.key, question, round, false, known.addresses.targets(&heard.addresses, known.key.mac));
            }
            Step::Check => out.check(known.key, question),
            Step::End(_) => self.claim.drop_rival(known, world, out),
        }
    }

    /// What asking at the claimed port has come to. While the claim is open, it is asked again.
    fn asked_here(&mut self, answers: Answers, known: &Known, world: &World<'_>, out: &mut Out<'_>) {
        match answers {
            Answers::Yes => {
                self.claim.alive = world.now;
                self.claim.drop_rival(known, world, out);
            }
            Answers::No if self.claim.rival.is_some() => return self.follow_rival(known, world, out),
            Answers::No | Answers::Unknown => {}
        }
        let place = &mut self.claim.place;
        place.question = None;
        let timers = world.timers();
        place.again = Some(world.now + place.wait.longer(timers.unproven_retry, timers.unproven_retry_max));
        let news = place.answers != answers;
        place.answers = answers;
        if news {
            self.tell_standing(known, out);
        }
    }

    /// Whether the question is still open.
    pub(crate) fn is_asking(&self, id: QuestionId) -> bool {
        let Claim { stage, place, rival, .. } = &*self.claim;
        let tunnel = match stage {
            Stage::Tunnel(question) => Some(question),
            Stage::Owner { .. } | Stage::Open { .. } => None,
        };
        let rival = rival.as_ref().map(|rival| &rival.question);
        place.question.iter().chain(tunnel).chain(rival).any(|question| question.id() == id)
    }

    /// The switch confirms that a round has left.
    pub(crate) fn has_left(&mut self, id: QuestionId, round: u32, now: Instant) {
        let Claim { stage, place, rival, .. } = &mut *self.claim;
        let tunnel = match stage {
            Stage::Tunnel(question) => Some(question),
            Stage::Owner { .. } | Stage::Open { .. } => None,
        };
        let rival = rival.as_mut().map(|rival| &mut rival.question);
        for question in place.question.as_mut().into_iter().chain(tunnel).chain(rival) {
            if question.id() == id {
                question.has_left(round, now);
            }
        }
    }

    /// The driver has checked.
    pub(crate) fn checked(
        mut self,
        id: QuestionId,
        complete: bool,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        if let Some(question) = self.claim.place.question.take_if(|question| question.id() == id) {
            let answers = without_answer(&question.checked(complete));
            self.asked_here(answers, known, world, out);
            return Became::Claimant(self);
        }
        if self.claim.rival.as_ref().is_some_and(|rival| rival.question.id() == id) {
            self.claim.drop_rival(known, world, out);
            return Became::Claimant(self);
        }
        let end = match &self.claim.stage {
            Stage::Tunnel(question) if question.id() == id => question.checked(complete),
            Stage::Tunnel(_) | Stage::Owner { .. } | Stage::Open { .. } => return Became::Claimant(self),
        };
        self.tunnel_silent(&end, known, world, out)
    }

    /// Neither the owner nor the host can be reached: the configuration decides (B9).
    fn tunnel_silent(self, end: &End, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        let proof = match end {
            End::Unanswered(unanswered) => Proof::by_policy(unanswered, world.vni),
            End::Silent(_) | End::Disturbed(_) => None,
        };
        match proof {
            Some(proof) => {
                let grant = Grant::new(world.config.me, proof, self.claim.sequence);
                self.won(grant, known, world, out)
            }
            None => self.undecided(known, world, out),
        }
    }

    /// When there is something to do.
    pub(crate) fn due(&self, timers: &Timers) -> Instant {
        let stage = match &self.claim.stage {
            Stage::Owner { retry_at, give_up_at, .. } => *retry_at.min(give_up_at),
            Stage::Open { remind_at, .. } => *remind_at,
            Stage::Tunnel(question) => question.due(timers),
        };
        let place = &self.claim.place;
        let questions = place.question.iter().chain(self.claim.rival.as_ref().map(|rival| &rival.question));
        let here = questions.map(|question| question.due(timers)).chain(place.again).min();
        here.into_iter().fold(stage.min(self.claim.aged_at(timers)), Instant::min)
    }

    /// The claimed port is down: the host is not there any more either.
    pub(crate) fn port_down(
        mut self,
        port: AccessId,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        if port == self.claim.port {
            return self.abandoned(known, world, out);
        }
        if let Some(rival) = self.claim.rival.take_if(|rival| rival.heard.port == port) {
            out.drop(rival.heard.frame);
        }
        Became::Claimant(self)
    }

    // ---- what the host says

    /// It is heard again, here or at another port. The claim that is on its way stays the only one. At the other port it is asked for as well, while
    /// it is not known whether it answers at the claimed one, and the claim is for the first that answers; a third is taken up after that.
    pub(crate) fn heard_again(
        mut self,
        heard: HeardAt,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        if known.is_quarantined(heard.port) {
            out.counters.quarantined += 1;
            out.drop(heard.frame);
        } else if heard.evidence == Evidence::Dad {
            out.counters.dad_ignored += 1;
            out.release(heard.frame);
        } else if heard.port != self.claim.port && self.claim.place.answers == Answers::No {
            self.claims_at(heard, known, world, out);
        } else if heard.port != self.claim.port
            && let Some(rival) = self.claim.rival.as_mut().filter(|rival| rival.heard.port == heard.port)
        {
            add_addresses(&mut rival.heard.addresses, &heard.addresses, world);
            out.counters.coalesced += 1;
            out.drop(heard.frame);
        } else if heard.port != self.claim.port
            && self.claim.rival.is_none()
            && self.claim.place.answers == Answers::Unknown
        {
            let (host, port, recorded) = (known.key, heard.port, Location::Remote(self.remote.vtep()));
            out.report(Report::ClaimRaised { host, port, recorded });
            let question = Claim::question(port, known, world, out);
            self.claim.rival = Some(Rival { heard, question });
            self.ask_rival(known, world, out);
        } else if heard.port != self.claim.port {
            out.counters.coalesced += 1;
            out.drop(heard.frame);
            out.memories.push(Memory::Paused(heard.claim(known.key, world.now), true));
        } else {
            out.counters.coalesced += 1;
            self.claim.again = true;
            self.claim.names(&heard.addresses, world);
            match (self.claim.frame, &self.claim.stage) {
                (None, Stage::Owner { .. } | Stage::Tunnel(_)) => self.claim.frame = heard.frame,
                (Some(_), _) | (None, Stage::Open { .. }) => out.drop(heard.frame),
            }
        }
        Became::Claimant(self)
    }

    /// It does not answer at the claimed port, and is heard at another: that is what the claim is for now.
    fn claims_at(&mut self, heard: HeardAt, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) {
        let (host, port, recorded) = (known.key, heard.port, Location::Remote(self.remote.vtep()));
        out.report(Report::ClaimRaised { host, port, recorded });
        let question = Claim::question(port, known, world, out);
        self.claim.rival = Some(Rival { heard, question });
        self.follow_rival(known, world, out);
        self.ask_here(known, world, out);
    }

    /// The claim is for the other port from now on. It is made anew: what the owner finds out for the first one was found out before the host was heard
    /// there, and its refusal is not that of the other.
    fn follow_rival(&mut self, known: &Known, world: &World<'_>, out: &mut Out<'_>) {
        let Some(Rival { heard, question }) = self.claim.rival.take() else { return };
        if self.claim.place.answers == Answers::Unknown {
            // It may answer there, too, which was not waited for.
            out.memories.push(Memory::Paused(self.claim.remembered(known), true));
        }
        let claim = &mut *self.claim;
        out.drop(claim.frame.take());
        out.drop(std::mem::take(&mut claim.requests).into_frames());
        (claim.port, claim.frame, claim.addresses, claim.again) = (heard.port, heard.frame, heard.addresses, false);
        claim.tenure = known.tenure_at(heard.port, world.now);
        claim.place = Place::begin(question);
        claim.id = out.new_claim(world.config);
        match claim.stage {
            Stage::Owner { .. } | Stage::Open { .. } => self.send_claim(known, out),
            Stage::Tunnel(_) => {}
        }
    }

    /// It asks for somebody, while it waits.
    pub(crate) fn requests(
        mut self,
        port: AccessId,
        address: Option<IpAddr>,
        (target, frame): (IpAddr, FrameId),
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        if port == self.claim.port {
            self.claim.again = true;
            self.claim.names(address.as_slice(), world);
            self.claim.requests.hold(target, frame, world.config.limits.requests_per_claim, out);
            return Became::Claimant(self);
        }
        self.heard_again(HeardAt::arp(port, address, Some(frame)), known, world, out)
    }

    /// A frame of its came from `port`: who speaks at the claimed port is there no less than who answers.
    pub(crate) fn seen(mut self, port: AccessId, known: &Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        if port != self.claim.port {
            out.counters.unasked_answers += 1;
        } else if self.claim.place.answers != Answers::Yes {
            self.asked_here(Answers::Yes, known, world, out);
        }
        Became::Claimant(self)
    }

    /// It answered a question: at the claimed port, or out of the owner's tunnel, which shows that it is still there.
    pub(crate) fn answered(
        mut self,
        from: Location,
        address: IpAddr,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        if self.claim.rival.as_ref().is_some_and(|rival| from == Location::Local(rival.heard.port)) {
            self.follow_rival(known, world, out);
        }
        if from == Location::Local(self.claim.port) {
            self.claim.names(&[address], world);
            self.asked_here(Answers::Yes, known, world, out);
            return Became::Claimant(self);
        }
        if let Location::Local(port) = from
            && known.answers_after_all(port, world.now, world.timers())
            && !is_out(Guard::FollowsHome)
        {
            return self.follows_home(port, address, known, world, out);
        }
        if self.is_probing_through_tunnel() && from == Location::Remote(self.remote.vtep()) {
            let sequence = known.routes.of(self.remote.vtep()).map_or(Sequence::FIRST, |route| route.sequence);
            return self.refused(sequence, known, world, out);
        }
        out.counters.wrong_answers += 1;
        Became::Claimant(self)
    }

    /// It is claimed for one of our ports, and answers at the one where it was before: that outweighs the other, which is taken up again by itself.
    fn follows_home(
        mut self,
        port: AccessId,
        address: IpAddr,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        out.memories.push(Memory::Paused(self.claim.remembered(known), true));
        self.claim.drop_rival(known, world, out);
        self.claims_at(HeardAt::answer(port, address), known, world, out);
        self.answered(Location::Local(port), address, known, world, out)
    }

    // ---- what the peers say

    /// The session with the owner is back: the claim may have been lost with the old one.
    pub(crate) fn owner_up(self, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        match self.claim.stage {
            Stage::Owner { .. } | Stage::Open { .. } => {
                out.counters.retries += 1;
                self.send_claim(known, out);
                Became::Claimant(self)
            }
            Stage::Tunnel(_) => self.ask_anew(known, world, out),
        }
    }

    /// The session with the owner is down, and whether the owner still asks the host is not known. The claim waits for the session to come back.
    pub(crate) fn owner_down(mut self, world: &World<'_>) -> Became {
        match self.claim.stage {
            Stage::Open { .. } => self.nobody_knows(world),
            Stage::Owner { .. } | Stage::Tunnel(_) => self.nobody_asks(world),
        }
        Became::Claimant(self)
    }

    /// The owner had no verdict yet, and does not say any more that it goes on asking.
    fn nobody_knows(&mut self, world: &World<'_>) {
        self.nobody_asks(world);
        self.claim.stage = Stage::owner(self.remote.vtep(), world);
    }

    /// The verdict (M6), that there is none yet, or a hint where to get it.
    pub(crate) fn replied(
        mut self,
        from: VtepAddr,
        reply: &Reply,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        let its = from == self.remote.vtep() && reply.claim == self.claim.id;
        if !its && !is_out(Guard::ReplyToThis) {
            out.counters.stale_messages += 1;
            return Became::Claimant(self);
        }
        match reply.verdict {
            Verdict::Moved { tenure } => match Proof::by_owner(&self.remote, from, reply) {
                Some(proof) => {
                    let sequence = reply.sequence.max(self.claim.sequence);
                    self.won(Grant { tenure, ..Grant::new(from, proof, sequence) }, known, world, out)
                }
                None => Became::Claimant(self),
            },
            Verdict::Stayed => self.refused(reply.sequence, known, world, out),
            Verdict::Open(open) => {
                self.is_open(open, world, out);
                Became::Claimant(self)
            }
            Verdict::Elsewhere(_) if known.routes.of(from).is_some_and(|route| reply.sequence < route.sequence) => {
                // It knows less than we do, and is about to learn that it is the owner. The claim is repeated in time.
                out.counters.stale_messages += 1;
                self.nobody_asks(world);
                Became::Claimant(self)
            }
            Verdict::Elsewhere(owner) if owner == world.config.me => {
                known.routes.remove(from);
                self.disowned(from, known, world, out)
            }
            Verdict::Elsewhere(owner) if world.vni.peers.contains(&owner) => {
                known.routes.remove(from);
                known.routes.insert(world.firm_route(owner, reply.sequence), owner == from);
                // It still has the host, but has not taken up the claim, or has dropped it for another: it asks nobody until it is asked anew.
                if known.routes.best_firm(Some(from)).is_some_and(|route| route.vtep == from) {
                    self.ask_anew(known, world, out)
                } else {
                    self.reconsider(true, known, world, out)
                }
            }
            Verdict::Elsewhere(_) => {
                out.counters.unknown_peer += 1;
                Became::Claimant(self)
            }
        }
    }

    /// The owner asks, and has no verdict yet.
    fn is_open(&mut self, open: Open, world: &World<'_>, out: &mut Out<'_>) {
        self.claim.copied = match (open, world.vni.during) {
            (Open::Contested, _) | (_, During::Both | During::Escalate) => true,
            (Open::Overdue | Open::Unproven, During::Hold) => false,
        };
        match (open, &mut self.claim.stage) {
            // It is asking, and need not be told again until its verdict is late.
            (Open::Overdue, Stage::Owner { retry_at, .. }) => {
                let timers = world.timers();
                *retry_at = (*retry_at).max(world.now + timers.verdict_after + timers.claim_retry);
            }
            (Open::Overdue, Stage::Open { .. } | Stage::Tunnel(_)) => {}
            (Open::Unproven | Open::Contested, Stage::Open { open: before, reminded, .. }) => {
                (*before, *reminded) = (open, false);
            }
            (Open::Unproven | Open::Contested, Stage::Owner { .. } | Stage::Tunnel(_)) => {
                let (timers, mut wait) = (world.timers(), Wait::default());
                let remind_at = world.now + wait.longer(timers.unproven_retry, timers.unproven_retry_max);
                self.claim.stage = Stage::Open { open, remind_at, wait, reminded: false };
            }
        }
        // There may be no verdict for long: announcements are not held until then.
        if self.shares() {
            out.release(self.claim.frame.take());
            out.release(std::mem::take(&mut self.claim.requests).into_frames());
        } else if matches!(self.claim.stage, Stage::Open { .. }) {
            out.drop(self.claim.frame.take());
        }
    }

    /// A peer says it has the host.
    pub(crate) fn told(self, told: &Told, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        if !known.routes.insert(world.route_told(told), told.how == How::Listed) {
            out.counters.stale_messages += 1;
            return Became::Claimant(self);
        }
        if told.from == self.remote.vtep() && told.how != How::AtOnce {
            observer::hear_of_addresses(known, &told.bindings, told.from, world);
        }
        let outranked = !outranks(self.claim.sequence, told.sequence);
        if told.from == self.remote.vtep() && told.how == How::Plain && outranked && !self.is_probing_through_tunnel() {
            if is_out(Guard::RefusalOfAnother) {
                return self.refused(told.sequence, known, world, out);
            }
            return Became::Claimant(self.outranked(told.sequence, known, out));
        }
        self.reconsider(false, known, world, out)
    }

    /// The owner has refused another's claim, with a sequence that outranks ours as well. Ours it refuses in a reply, or it goes on.
    fn outranked(mut self, by: Sequence, known: &Known, out: &mut Out<'_>) -> Self {
        self.claim.sequence = out.sequence_after(known.key, by);
        self.send_claim(known, out);
        self
    }

    /// A peer says it does not have the host, perhaps the very owner.
    pub(crate) fn withdrawn(
        self,
        withdrawn: &Withdrawn,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        let had_it = known.routes.of(withdrawn.from).is_some() || self.remote.vtep() == withdrawn.from;
        known.routes.forget(withdrawn.from, withdrawn.sequence);
        if withdrawn.moved_to == Some(world.config.me)
            && let Some(proof) = Proof::by_disowning(&self.remote, withdrawn.from)
        {
            let sequence = withdrawn.sequence.max(self.claim.sequence);
            return self.won(Grant::new(withdrawn.from, proof, sequence), known, world, out);
        }
        if had_it {
            observer::note_hand_over(known, withdrawn, world);
        } else if withdrawn.moved_to.is_some() {
            out.counters.stale_messages += 1;
        }
        let nobody_has_it = withdrawn.moved_to.is_none() && known.routes.best_firm(None).is_none();
        if withdrawn.from == self.remote.vtep() && nobody_has_it {
            self.disowned(withdrawn.from, known, world, out)
        } else {
            self.reconsider(false, known, world, out)
        }
    }

    /// A peer claims it, too.
    pub(crate) fn claimed(self, claimed: Claimed, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        // Who asks after it has taken the host does not say by that that it does not have it.
        if claimed.taken && !is_out(Guard::TakenIsHeld) {
            observer::claimed(&self.remote, &claimed, known, world, out);
            return self.reconsider(false, known, world, out);
        }
        let Some(proof) = Proof::by_disowning(&self.remote, claimed.from) else {
            let sequence = known.routes.of(self.remote.vtep()).map_or(Sequence::FIRST, |route| route.sequence);
            let verdict = Verdict::Elsewhere(self.remote.vtep());
            out.reply(claimed.from, known.key, claimed.claim, sequence, verdict);
            return Became::Claimant(self);
        };
        // With a sequence that the other claim outranks.
        let sequence = known.routes.of(self.remote.vtep()).map_or(Sequence::FIRST, |route| route.sequence);
        known.routes.remove(self.remote.vtep());
        let Won { local, because, .. } = self.take(Grant::new(world.config.me, proof, sequence), known, world, out);
        Became::Crossed(Taken { local, before: None, credit: Duration::ZERO, because }, claimed)
    }

    /// The owner does not have it, and nobody else is known to: then it is here.
    fn disowned(self, by: VtepAddr, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        match Proof::by_disowning(&self.remote, by) {
            Some(proof) => {
                let grant = Grant::new(by, proof, self.claim.sequence);
                self.won(grant, known, world, out)
            }
            None => Became::Claimant(self),
        }
    }

    /// The routes have changed: the claim goes to whom they make the owner, and outranks it. `released`: who was asked has said that it is not.
    fn reconsider(mut self, released: bool, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        let owner = self.remote.vtep();
        match known.routes.best_firm(Some(owner)) {
            // That nobody is certain to have it is not the owner's word that it does not: the claim is repeated until it answers.
            None => Became::Claimant(self),
            Some(route) if route.vtep == owner && outranks(self.claim.sequence, route.sequence) => {
                Became::Claimant(self)
            }
            Some(route) => {
                // Who was asked before may weigh the claim against others, and would go on doing so.
                if route.vtep != owner && !released {
                    let withdrawal = Withdrawal { host: known.key, sequence: self.claim.sequence, moved_to: None };
                    out.send(owner, Message::Withdrawal(withdrawal));
                }
                self.remote = self.remote.follow(route.vtep);
                self.ask_anew(known, world, out)
            }
        }
    }

    /// Makes the claim to the owner, anew or for the first time, unless it has been made too often.
    fn ask_anew(mut self, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        if self.claim.hops >= MAX_HOPS {
            return self.undecided(known, world, out);
        }
        self.claim.hops += 1;
        let route = known.routes.of(self.remote.vtep());
        if let Some(route) = route.filter(|route| !outranks(self.claim.sequence, route.sequence)) {
            self.claim.sequence = out.sequence_after(known.key, route.sequence);
        }
        self.ask_owner(known, world, out);
        Became::Claimant(self)
    }

    // ---- the end

    /// The first entry is gone, the second is now the entry (M6), and the observers are told (M7).
    fn won(self, grant: Grant, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        let (owner, by, sequence) = (self.remote.vtep(), grant.by, grant.sequence);
        let won = self.take(grant, known, world, out);
        known.routes.remove(by);
        known.routes.remove(owner);
        known.routes.remove_outranked(sequence);
        Became::Owner(won)
    }

    fn take(self, grant: Grant, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Won {
        let Grant { by, proof, sequence, tenure } = grant;
        let Claim { port, frame, requests, heard, addresses, place, rival, tenure: credit, .. } = *self.claim;
        if let Some(rival) = rival {
            rival.waits(known, world, out);
        }
        // Who answered first at a claimed port has it, and it may be somebody else who answered there.
        out.memories.push(Memory::Given(known.key, port));
        let from = Location::Remote(self.remote.vtep());
        let to = Location::Local(port);
        known.addresses.handed_over(from, world.now);
        let local = self.remote.taken_over(port, sequence, &proof);
        if place.answers == Answers::Yes {
            known.addresses.answered(None);
            known.addresses.confirm(&addresses, to, world.now, world.addresses_limit());
        } else {
            for address in addresses {
                known.addresses.add_unconfirmed(address, world.addresses_limit());
            }
        }
        out.release(frame);
        out.release(requests.into_frames());
        out.counters.moves += 1;
        let because = proof.because();
        out.report(Report::Moved { host: known.key, from, to, because, took: world.now - heard });
        Won { local, before: (from, tenure), credit, by, because }
    }

    /// The host is still at the owner: the second entry is gone (M6), and observers that were told at once take it back (M8).
    fn refused(mut self, owner_sequence: Sequence, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        self.claim.drop_rival(known, world, out);
        let owner = self.remote.vtep();
        let remembered = self.claim.remembered(known);
        let claim = *self.claim;
        let contested = matches!(claim.stage, Stage::Open { open: Open::Contested | Open::Unproven, .. });
        let announced = known.is_announced_at(Location::Local(claim.port), world.now);
        let counts = claim.tenure.is_zero() && !contested && !announced;
        out.drop(claim.frame);
        out.drop(claim.requests.into_frames());
        known.routes.insert(world.firm_route(owner, owner_sequence), false);
        if claim.damped {
            out.memories.push(Memory::AgainUndamped(remembered));
        } else {
            out.counters.refused += 1;
            out.memories.push(Memory::Refused(remembered.clone(), counts));
            out.memories.extend(claim.again.then_some(Memory::AgainUndamped(remembered)));
            let (kept, claimed) = (Location::Remote(owner), Location::Local(claim.port));
            out.report(Report::Stayed { host: known.key, kept, claimed, took: world.now - claim.heard });
        }
        if claim.told {
            out.withdraw(Some(owner), known.key, claim.sequence, None);
            // Observers may still send here what belongs to the owner: it is passed on (B8).
            known.aftermath = Some(Aftermath::of_refusal(known.aftermath, world.now, world.timers()));
        }
        Became::Observer(self.remote)
    }

    /// Nobody could decide: the entry stays as it is, and the claim is made again after a while. That is not held against the port.
    fn undecided(self, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        out.memories.push(Memory::Paused(self.claim.remembered(known), true));
        self.abandoned(known, world, out)
    }

    /// The host is none.
    pub(crate) fn discard(self, out: &mut Out<'_>) {
        out.drop(self.claim.rival.and_then(|rival| rival.heard.frame));
        out.drop(self.claim.frame);
        out.drop(self.claim.requests.into_frames());
    }

    /// The claim is taken back before the verdict.
    fn abandoned(mut self, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) -> Became {
        self.claim.drop_rival(known, world, out);
        let claim = *self.claim;
        out.counters.abandoned += 1;
        out.drop(claim.frame);
        out.drop(claim.requests.into_frames());
        let withdrawal = Withdrawal { host: known.key, sequence: claim.sequence, moved_to: None };
        out.send(self.remote.vtep(), Message::Withdrawal(withdrawal));
        if claim.told || world.vni.advertise == Advertise::AtOnce {
            out.withdraw(Some(self.remote.vtep()), known.key, claim.sequence, None);
        }
        known.aftermath = if claim.told {
            // Observers may still send here what belongs to the owner: it is passed on (B8).
            Some(Aftermath::of_refusal(known.aftermath, world.now, world.timers()))
        } else {
            // The owner may be about to send the host's traffic here: it must not be sent on from here, or it might go round.
            known.aftermath.map(|after| after.without_hairpin())
        };
        Became::Observer(self.remote)
    }
}

impl Rival {
    /// It is taken up again by itself.
    fn waits(self, known: &Known, world: &World<'_>, out: &mut Out<'_>) {
        out.drop(self.heard.frame);
        out.memories.push(Memory::Paused(self.heard.claim(known.key, world.now), true));
    }
}

impl Claim {
    fn remembered(&self, known: &Known) -> damping::Claim {
        damping::Claim { host: known.key, port: self.port, heard: self.heard, addresses: self.addresses.clone() }
    }

    fn question(port: AccessId, known: &Known, world: &World<'_>, out: &mut Out<'_>) -> Question {
        let question = Question::begin(out.new_question(), Location::Local(port), None, world.now);
        question.with_patience(known.patience_at(port, world.now))
    }

    /// When it is dropped, unless the host answers there.
    fn aged_at(&self, timers: &Timers) -> Instant {
        self.alive + 2 * timers.host_ageing
    }

    /// The host says there that it has these addresses.
    fn names(&mut self, addresses: &[IpAddr], world: &World<'_>) {
        add_addresses(&mut self.addresses, addresses, world);
    }

    fn drop_rival(&mut self, known: &Known, world: &World<'_>, out: &mut Out<'_>) {
        if let Some(rival) = self.rival.take() {
            rival.waits(known, world, out);
        }
    }

    fn new(
        sequence: Sequence,
        heard: HeardAt,
        damped: bool,
        known: &Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Self {
        let question = Self::question(heard.port, known, world, out);
        Self {
            id: out.new_claim(world.config),
            port: heard.port,
            sequence,
            frame: heard.frame,
            requests: Requests::default(),
            heard: world.now,
            alive: world.now,
            addresses: heard.addresses,
            tenure: known.tenure_at(heard.port, world.now),
            damped,
            told: false,
            again: false,
            stage: Stage::Owner { retry_at: world.now, wait: Wait::default(), give_up_at: world.now },
            hops: 0,
            copied: false,
            place: Place::begin(question),
            rival: None,
        }
    }
}
