//! Who claims a host that is ours, and what asking at the claimed places has come to.
//!
//! The owner asks at claimed ports of its own. At a claimed port of another VTEP that VTEP asks, and tells ([`Standing`]): it is no less to be
//! believed than in anything else it says, and its answer need not find its way through two tunnels.
//!
//! [`Standing`]: crate::Standing

use std::net::IpAddr;
use std::time::Duration;

use crate::guards::{Guard, is_out};
use crate::inout::detail::ClaimDetail;
use crate::inout::message::{Advertisement, Message, Open, Verdict};
use crate::knowledge::addresses::{Addresses, MAX_PATIENCE};
use crate::knowledge::question::{End, Question, Step};
use crate::roles::known::{Announced, Known};
use crate::roles::world::{Out, World};
use crate::words::config::Timers;
use crate::words::ids::{AccessId, ClaimId, FrameId, HostKey, Location, QuestionId, VtepAddr};
use crate::words::sequence::Sequence;
use crate::words::time::Instant;

/// How many ports of one VTEP may claim a host at the same time. More are refused, and taken up again.
const MAX_PORTS: usize = 8;

#[derive(Debug, Clone, Hash)]
pub(crate) struct Claimant {
    pub(crate) who: Who,
    pub(crate) since: Instant,
    /// For how long the host was there before it came to where it is recorded.
    pub(crate) tenure: Duration,
    /// It was refused only just now: it is to be seen whether the host has fallen silent since, and nothing more.
    pub(crate) damped: bool,
    pub(crate) answers: Answers,
    /// It has made the host contested, and does so until it falls silent, however long ago the host has come to where it is recorded.
    pub(crate) contests: bool,
}

#[derive(Debug, Clone, Hash)]
pub(crate) enum Who {
    /// It was heard on another port of this VTEP.
    Port {
        port: AccessId,
        frame: Option<FrameId>,
        addresses: Vec<IpAddr>,
        requests: Requests,
        /// It was heard there once more, and may have come there only since it was asked where it is recorded.
        again: bool,
        question: Option<Question>,
    },
    /// A peer heard it, and waits for a reply.
    Peer { vtep: VtepAddr, claim: ClaimId, sequence: Sequence },
    /// A peer has it in its own table as its own.
    Rival { vtep: VtepAddr, sequence: Sequence, migration: bool },
}

/// Whether the host answers at a claimed place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answers {
    /// It is being asked there, or will be.
    Unknown,
    Yes,
    /// It was asked, and did not answer.
    No,
}

impl Answers {
    /// What a peer says of its place.
    pub(crate) fn said(answers: bool) -> Self {
        if answers { Self::Yes } else { Self::No }
    }

    /// Whether it does, if that is known.
    pub(crate) fn known(self) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Yes => Some(true),
            Self::No => Some(false),
        }
    }
}

impl Claimant {
    /// Whether it is a claim of that peer, with that sequence or an earlier one.
    pub(crate) fn is_of(&self, peer: VtepAddr, until: Sequence) -> bool {
        match self.who {
            Who::Peer { vtep, sequence, .. } | Who::Rival { vtep, sequence, .. } => vtep == peer && sequence <= until,
            Who::Port { .. } => false,
        }
    }

    pub(crate) fn location(&self) -> Location {
        match self.who {
            Who::Port { port, .. } => Location::Local(port),
            Who::Peer { vtep, .. } | Who::Rival { vtep, .. } => Location::Remote(vtep),
        }
    }

    /// How long it is waited for an answer of the host at this place, if it is asked since `asked`. `None`: it is known whether it answers.
    ///
    /// Where it was before it is heard out until that is known, however slow it is (B12).
    pub(crate) fn heard_out_at(&self, asked: Instant, timers: &Timers) -> Option<Instant> {
        let at = match self.who {
            Who::Port { .. } | Who::Peer { .. } if !self.tenure.is_zero() && !is_out(Guard::HeardOut) => {
                asked + MAX_PATIENCE
            }
            // It is asked at the same time.
            Who::Port { .. } | Who::Peer { .. } => asked + timers.escalate.longest(),
            // It asks as an owner does, when it has heard of us.
            Who::Rival { .. } => self.since + rival_patience(timers),
        };
        (self.answers == Answers::Unknown).then_some(at)
    }

    /// For people.
    pub(crate) fn detail(&self, now: Instant) -> ClaimDetail {
        ClaimDetail {
            place: self.location(),
            open_for: now - self.since,
            answers: self.answers.known(),
            damped: self.damped,
        }
    }

    fn question(&mut self) -> Option<&mut Question> {
        match &mut self.who {
            Who::Port { question, .. } => question.as_mut(),
            Who::Peer { .. } | Who::Rival { .. } => None,
        }
    }
}

/// Who claims a host, first come first.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Claimants(Vec<Claimant>);

impl Claimants {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Claimant> {
        self.0.iter()
    }

    pub(crate) fn into_vec(self) -> Vec<Claimant> {
        self.0
    }

    pub(crate) fn at(&mut self, place: Location) -> Option<&mut Claimant> {
        self.0.iter_mut().find(|claimant| claimant.location() == place)
    }

    pub(crate) fn push(&mut self, claimant: Claimant) {
        self.0.push(claimant);
    }

    /// Whether one more port may claim.
    pub(crate) fn has_room_for_port(&self) -> bool {
        self.ports().count() < MAX_PORTS
    }

    pub(crate) fn ports(&self) -> impl Iterator<Item = AccessId> {
        self.0.iter().filter_map(|claimant| match claimant.who {
            Who::Port { port, .. } => Some(port),
            Who::Peer { .. } | Who::Rival { .. } => None,
        })
    }

    /// Takes out those that `gone` says are.
    pub(crate) fn take_if(&mut self, gone: impl Fn(&Claimant) -> bool) -> Vec<Claimant> {
        self.0.extract_if(.., |claimant| gone(claimant)).collect()
    }

    pub(crate) fn count(&self, answers: Answers) -> usize {
        self.0.iter().filter(|claimant| claimant.answers == answers).count()
    }

    /// Whether every one of them only wants to know whether the host has fallen silent.
    pub(crate) fn are_damped(&self) -> bool {
        self.0.iter().all(|claimant| claimant.damped)
    }

    /// Addresses that the claims name.
    pub(crate) fn named(&self) -> Vec<IpAddr> {
        let mut named: Vec<IpAddr> = Vec::new();
        for claimant in &self.0 {
            if let Who::Port { addresses, .. } = &claimant.who {
                named.extend(addresses);
            }
        }
        named
    }

    /// Where copies of the host's traffic go: where it is said to be going, where it answers, else where it was heard last; two places at the most.
    /// Not to a rival that has not said that the host answers it: it may take somebody else for the owner, who could send the copies back to us.
    pub(crate) fn copies_to(&self, announced: Option<Announced>) -> Vec<Location> {
        let may = |claimant: &&Claimant| match claimant.who {
            Who::Port { .. } | Who::Peer { .. } => true,
            Who::Rival { .. } => claimant.answers == Answers::Yes,
        };
        let mut places: Vec<_> = self.0.iter().filter(may).collect();
        places.sort_by_key(|claimant| {
            let worth = match claimant.answers {
                _ if announced.is_some_and(|announced| announced.is(claimant.location())) => 3,
                Answers::Yes => 2,
                Answers::Unknown => 1,
                Answers::No => 0,
            };
            std::cmp::Reverse((worth, claimant.tenure, claimant.since))
        });
        let mut places: Vec<Location> = places.into_iter().map(Claimant::location).take(2).collect();
        places.sort_unstable();
        places
    }

    /// The host is contested by those that it answers.
    pub(crate) fn contest(&mut self) {
        for claimant in &mut self.0 {
            claimant.contests |= claimant.answers == Answers::Yes;
        }
    }

    /// Tells the peers among them why there is no verdict yet.
    pub(crate) fn tell(&self, host: HostKey, sequence: Sequence, open: Open, out: &mut Out<'_>) {
        for claimant in &self.0 {
            if let Who::Peer { vtep, claim, .. } = claimant.who {
                out.reply(vtep, host, claim, sequence, Verdict::Open(open));
            }
        }
    }

    /// Tells those who have it in their own tables that we have it, too: then they ask, and say what that has come to.
    pub(crate) fn have_rivals_ask(&self, ours: &Advertisement, out: &mut Out<'_>) {
        for claimant in &self.0 {
            if let Who::Rival { vtep, .. } = claimant.who {
                out.send(vtep, Message::Advertisement(ours.clone()));
            }
        }
    }

    /// Tells those who have it in their own tables that it answers here: they may have less right to it, and not know.
    pub(crate) fn tell_rivals(&self, host: HostKey, world: &World<'_>, out: &mut Out<'_>) {
        for claimant in &self.0 {
            if let Who::Rival { vtep, .. } = claimant.who {
                out.answers_here(vtep, host, world.config);
            }
        }
    }

    /// Whether the place is claimed, and the host is not known to answer there.
    pub(crate) fn awaits_answer_at(&self, place: Location) -> bool {
        self.0.iter().any(|claimant| claimant.location() == place && claimant.answers != Answers::Yes)
    }

    /// There may be no verdict for long: announcements are not held until then. Frames of the places in `shared` travel on from now, so what was held
    /// does, too.
    pub(crate) fn let_go(&mut self, shared: &[Location], out: &mut Out<'_>) {
        for claimant in &mut self.0 {
            let shared = shared.contains(&claimant.location());
            let Who::Port { frame, requests, .. } = &mut claimant.who else { continue };
            if shared {
                out.release(frame.take());
                out.release(std::mem::take(requests).into_frames());
            } else {
                out.drop(frame.take());
            }
        }
    }

    /// Asks (again) at the claimed ports of this VTEP where it is not known whether the host answers, or at all of them.
    pub(crate) fn ask(&mut self, all: bool, known: &Known, world: &World<'_>, out: &mut Out<'_>) {
        for claimant in &mut self.0 {
            let place = claimant.location();
            let unknown = claimant.answers == Answers::Unknown;
            if let Who::Port { port, question, .. } = &mut claimant.who
                && question.is_none()
                && (all || unknown)
            {
                let asked = Question::begin(out.new_question(), place, None, world.now);
                *question = Some(asked.with_patience(known.patience_at(*port, world.now)));
            }
        }
    }

    /// Does what is due at the claimed ports.
    pub(crate) fn advance(&mut self, host: HostKey, addresses: &Addresses, world: &World<'_>, out: &mut Out<'_>) {
        let named = self.named();
        let long = rival_patience(world.timers());
        for claimant in &mut self.0 {
            let since = claimant.since;
            match &mut claimant.who {
                Who::Port { question, .. } => {
                    let Some(asked) = question else { continue };
                    match asked.step(world.now, world.timers()) {
                        Step::Wait => {}
                        Step::Ask(round) => out.ask(host, asked, round, false, addresses.targets(&named, host.mac)),
                        Step::Check => out.check(host, asked),
                        Step::End(end) => {
                            *question = None;
                            claimant.answers = without_answer(&end);
                        }
                    }
                }
                // It has not said, and has nobody to say it: its claim is repeated when the session is back.
                Who::Peer { vtep, .. } => {
                    let mute = !world.peers.is_up(*vtep) && world.now >= since + long;
                    if claimant.answers == Answers::Unknown && mute {
                        claimant.answers = Answers::No;
                    }
                }
                // It does not ask.
                Who::Rival { .. } => {
                    if claimant.answers == Answers::Unknown && world.now >= since + long {
                        claimant.answers = Answers::No;
                    }
                }
            }
        }
    }

    pub(crate) fn is_asking(&self, id: QuestionId) -> bool {
        self.0.iter().any(|claimant| match &claimant.who {
            Who::Port { question, .. } => question.as_ref().is_some_and(|question| question.id() == id),
            Who::Peer { .. } | Who::Rival { .. } => false,
        })
    }

    pub(crate) fn has_left(&mut self, id: QuestionId, round: u32, now: Instant) {
        if let Some(question) = self.0.iter_mut().filter_map(Claimant::question).find(|question| question.id() == id) {
            question.has_left(round, now);
        }
    }

    /// The driver has checked. Whether it was a question of theirs.
    pub(crate) fn checked(&mut self, id: QuestionId, complete: bool) -> bool {
        for claimant in &mut self.0 {
            if let Who::Port { question, .. } = &mut claimant.who
                && question.as_ref().is_some_and(|question| question.id() == id)
                && let Some(asked) = question.take()
            {
                claimant.answers = without_answer(&asked.checked(complete));
                return true;
            }
        }
        false
    }

    /// The host has answered at a claimed port, or a peer says whether it did at one of the peer's. Whether the place is claimed.
    pub(crate) fn answered_at(&mut self, place: Location, answers: Answers) -> bool {
        let Some(claimant) = self.at(place) else { return false };
        match &mut claimant.who {
            Who::Port { question, .. } => *question = None,
            Who::Peer { .. } | Who::Rival { .. } => {}
        }
        claimant.answers = answers;
        true
    }

    /// When something is due at them. `None`: whoever is going to answer has, or will say so unasked.
    pub(crate) fn due(&self, now: Instant, timers: &Timers) -> Option<Instant> {
        let long = rival_patience(timers);
        self.0
            .iter()
            .filter_map(|claimant| match &claimant.who {
                Who::Port { question, .. } => question.as_ref().map(|question| question.due(timers)),
                Who::Peer { .. } | Who::Rival { .. } => (claimant.answers == Answers::Unknown)
                    .then_some(claimant.since + long)
                    .filter(|&given_up_at| given_up_at > now),
            })
            .min()
    }
}

/// The host says once more which addresses it has where it is claimed.
pub(crate) fn add_addresses(to: &mut Vec<IpAddr>, more: &[IpAddr], world: &World<'_>) {
    for address in more {
        if !to.contains(address) && to.len() < world.addresses_limit() {
            to.push(*address);
        }
    }
}

/// For how long a peer may say nothing of what asking at its place has come to.
fn rival_patience(timers: &Timers) -> Duration {
    timers.verdict_after * 2
}

/// What a question at a claimed place that ended without an answer says. One that was disturbed says nothing.
pub(crate) fn without_answer(end: &End) -> Answers {
    match end {
        End::Silent(_) | End::Unanswered(_) => Answers::No,
        End::Disturbed(_) => Answers::Unknown,
    }
}

/// Requests for others that a host makes while it waits for its verdict: held, one for each target, and released or dropped with it. So a host that
/// comes with an empty neighbour cache is not cut off for longer than its claim takes.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Requests(Vec<(IpAddr, FrameId)>);

impl Requests {
    pub(crate) fn hold(&mut self, target: IpAddr, frame: FrameId, limit: usize, out: &mut Out<'_>) {
        let held = self.0.len();
        match self.0.iter_mut().find(|(held, _)| *held == target) {
            Some((_, held)) => out.drop([std::mem::replace(held, frame)]),
            None if held < limit => self.0.push((target, frame)),
            None => {
                out.counters.requests_limited += 1;
                out.drop([frame]);
            }
        }
    }

    pub(crate) fn into_frames(self) -> impl Iterator<Item = FrameId> {
        self.0.into_iter().map(|(_, frame)| frame)
    }
}
