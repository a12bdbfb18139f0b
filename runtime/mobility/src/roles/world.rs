//! What every role may read, and what it may say.

use std::net::IpAddr;

use crate::guards::{Guard, is_out};
use crate::inout::action::{Action, Probe};
use crate::inout::counters::Counters;
use crate::inout::message::{
    AddressReply, Advertisement, Binding, Message, Migration, Reply, Standing, Verdict, Withdrawal,
};
use crate::inout::report::{Full, Report};
use crate::knowledge::damping::{self, Admitted, Damping};
use crate::knowledge::index::{Peers, Ports};
use crate::knowledge::question::Question;
use crate::knowledge::routes::Route;
use crate::roles::fact::{AddressClaimant, How, Told};
use crate::words::config::{Config, Timers, VniConfig};
use crate::words::ids::{AccessId, ClaimId, FrameId, HostKey, Location, QuestionId, VtepAddr};
use crate::words::sequence::Sequence;
use crate::words::time::Instant;

/// The surroundings of one host during one event. Nothing in it changes while a role reads it.
pub(crate) struct World<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a Config,
    pub(crate) vni: &'a VniConfig,
    pub(crate) ports: &'a Ports,
    pub(crate) peers: &'a Peers,
    pub(crate) damping: &'a Damping,
    /// Whether there is room for this host, if it is new: here, or behind the peer that tells of it.
    pub(crate) room: Result<(), Full>,
    /// Whether this VTEP has started only just now, and may not know yet what it had before.
    pub(crate) young: bool,
    /// Whether peers are not to be told of hosts that are learned here.
    pub(crate) draining: bool,
    /// Whether a question may be asked that only confirms what is known.
    pub(crate) may_confirm: bool,
}

impl World<'_> {
    pub(crate) fn timers(&self) -> &Timers {
        &self.config.timers
    }

    pub(crate) fn addresses_limit(&self) -> usize {
        self.config.limits.addresses_per_host
    }

    /// Whether every peer that has the VNI has said what it knows since this VTEP started. What none of them named, it cannot have forgotten.
    pub(crate) fn all_have_told(&self) -> bool {
        self.vni.peers.iter().all(|&peer| self.peers.has_told(peer))
    }

    /// Whether a peer that has the VNI is out of use, and may have the host without having said so.
    pub(crate) fn somebody_withholds(&self) -> bool {
        self.vni.peers.iter().any(|&peer| self.peers.withholds(peer)) && !is_out(Guard::Withheld)
    }

    /// The route to a VTEP that the host was given to.
    pub(crate) fn firm_route(&self, vtep: VtepAddr, sequence: Sequence) -> Route {
        Route { vtep, sequence, tentative_until: None, round: self.peers.round(vtep), disputed: false }
    }

    /// What a peer said, as a route. What it said before the verdict holds for longer than any claim can take: by then the claimant or the owner has
    /// spoken, or never will.
    pub(crate) fn route_told(&self, told: &Told) -> Route {
        let longest_claim = self.timers().claim_give_up + self.timers().verdict_after;
        let tentative_until = (told.how == How::AtOnce).then(|| self.now + 2 * longest_claim);
        Route { tentative_until, ..self.firm_route(told.from, told.sequence) }
    }

    pub(crate) fn admits(&self, host: HostKey, port: AccessId) -> Admitted {
        self.damping.admits(host, port, self.now)
    }
}

/// What a role says. Only ever added to.
pub(crate) struct Out<'a> {
    pub(crate) counters: &'a mut Counters,
    ids: &'a mut Ids,
    peers: &'a Peers,
    vni: &'a VniConfig,
    /// Decisions that follow the host's new view.
    pub(crate) actions: Vec<Action>,
    /// What is to be remembered of claims.
    pub(crate) memories: Vec<Memory>,
    /// What was refused for want of room, and who had wanted it.
    pub(crate) full: Vec<(Full, Option<VtepAddr>)>,
    /// Verdicts about addresses that hosts of this VTEP have claimed: claimant, address, whether it was given up.
    pub(crate) addresses: Vec<(HostKey, IpAddr, bool)>,
    /// A question was asked that only confirms.
    pub(crate) confirmed: bool,
}

/// Where numbers for claims and questions come from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ids {
    claims: u64,
    questions: u64,
}

/// What is to be remembered of a claim at a port.
#[derive(Debug)]
pub(crate) enum Memory {
    /// It was refused; whether that counts towards an attack.
    Refused(damping::Claim, bool),
    /// It was not decided; whether it is to be taken up again by itself.
    Paused(damping::Claim, bool),
    /// It is asked about in passing.
    InPassing(HostKey, AccessId),
    /// It is to be taken up again then.
    Again(damping::Claim, Instant),
    /// It is to be taken up again when it is no longer damped.
    AgainUndamped(damping::Claim),
    /// It was true.
    True(HostKey, AccessId),
    /// The host has been given to this port: what waits of it at others is taken up now.
    Given(HostKey, AccessId),
}

impl<'a> Out<'a> {
    pub(crate) fn new(counters: &'a mut Counters, ids: &'a mut Ids, peers: &'a Peers, vni: &'a VniConfig) -> Self {
        Self {
            counters,
            ids,
            peers,
            vni,
            actions: Vec::new(),
            memories: Vec::new(),
            full: Vec::new(),
            addresses: Vec::new(),
            confirmed: false,
        }
    }

    /// To a peer whose session is down nothing is sent: the list it gets when the session is up says it all.
    pub(crate) fn send(&mut self, to: VtepAddr, message: Message) {
        if self.peers.is_up(to) {
            self.actions.push(Action::Send { to, message });
        }
    }

    /// To every peer that has the VNI, except `not`.
    pub(crate) fn send_all(&mut self, not: Option<VtepAddr>, message: &Message) {
        for &peer in &self.vni.peers {
            if Some(peer) != not && self.peers.is_up(peer) {
                self.actions.push(Action::Send { to: peer, message: message.clone() });
            }
        }
    }

    pub(crate) fn advertise(
        &mut self,
        not: Option<VtepAddr>,
        host: HostKey,
        bindings: Vec<Binding>,
        sequence: Sequence,
        migration: Option<Migration>,
    ) {
        self.send_all(not, &Message::Advertisement(Advertisement { host, bindings, sequence, migration }));
    }

    pub(crate) fn reply(&mut self, to: VtepAddr, host: HostKey, claim: ClaimId, sequence: Sequence, verdict: Verdict) {
        self.send(to, Message::Reply(Reply { host, claim, sequence, verdict }));
    }

    pub(crate) fn withdraw(
        &mut self,
        not: Option<VtepAddr>,
        host: HostKey,
        sequence: Sequence,
        moved_to: Option<VtepAddr>,
    ) {
        self.send_all(not, &Message::Withdrawal(Withdrawal { host, sequence, moved_to }));
    }

    pub(crate) fn address_verdict(&mut self, by: AddressClaimant, holder: HostKey, address: IpAddr, given_up: bool) {
        match by {
            AddressClaimant::Here(claimant) => self.addresses.push((claimant, address, given_up)),
            AddressClaimant::Peer(vtep, claim) => {
                self.send(vtep, Message::AddressReply(AddressReply { holder, address, claim, given_up }));
            }
        }
    }

    /// To a peer that has the host in its own table, and may not be able to tell by itself who is right.
    pub(crate) fn answers_here(&mut self, to: VtepAddr, host: HostKey, config: &Config) {
        let claim = ClaimId { incarnation: config.incarnation, number: ClaimId::NONE };
        self.send(to, Message::Standing(Standing { host, claim, answers: true }));
    }

    pub(crate) fn report(&mut self, report: Report) {
        self.actions.push(Action::Report(report));
    }

    pub(crate) fn release(&mut self, frames: impl IntoIterator<Item = FrameId>) {
        self.actions.extend(frames.into_iter().map(|frame| Action::Release { frame }));
    }

    pub(crate) fn drop(&mut self, frames: impl IntoIterator<Item = FrameId>) {
        self.actions.extend(frames.into_iter().map(|frame| Action::Drop { frame }));
    }

    pub(crate) fn ask(&mut self, host: HostKey, question: &Question, round: u32, recorded: bool, targets: Vec<IpAddr>) {
        self.probe(question.id(), round, host, question.place(), recorded, targets);
    }

    pub(crate) fn probe(
        &mut self,
        question: QuestionId,
        round: u32,
        host: HostKey,
        via: Location,
        recorded: bool,
        targets: Vec<IpAddr>,
    ) {
        self.counters.probes += 1;
        self.actions.push(Action::Probe(Probe { question, round, host, via, recorded, targets }));
    }

    pub(crate) fn check(&mut self, host: HostKey, question: &Question) {
        self.check_at(host, question.id(), question.place());
    }

    pub(crate) fn check_at(&mut self, host: HostKey, question: QuestionId, via: Location) {
        self.actions.push(Action::Check { question, host, via });
    }

    pub(crate) fn new_claim(&mut self, config: &Config) -> ClaimId {
        self.ids.claims += 1;
        ClaimId { incarnation: config.incarnation, number: self.ids.claims }
    }

    pub(crate) fn new_question(&mut self) -> QuestionId {
        self.ids.questions += 1;
        QuestionId(self.ids.questions)
    }

    /// The sequence after `sequence`, with an alarm if there is none.
    pub(crate) fn sequence_after(&mut self, host: HostKey, sequence: Sequence) -> Sequence {
        let next = sequence.next();
        if next == Sequence::LAST {
            self.counters.sequences_exhausted += 1;
            self.report(Report::SequenceExhausted { host });
        }
        next
    }

    pub(crate) fn is_full(&mut self, what: Full, by: Option<VtepAddr>) {
        self.counters.limited += 1;
        self.full.push((what, by));
    }
}
