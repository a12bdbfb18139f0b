//! A claim's way through the agents, as spans of one trace.
//!
//! ```text
//!   claimant   claim    heard ──── asked elsewhere ─────────────── verdict ── converged
//!   owner      verify              told ── asks ── it answers ─┬── verdict
//!              converge                                        └────────────── converged
//!   observer   follow                                              told ────── converged
//! ```
//!
//! Nobody tells anybody which trace it is. Each agent makes its number of what all of them know of a claim: whose it is, in which life of that agent, of
//! which host, and with which sequence. The claimant's span is the root, whose number everybody can make as well. A claim that stays within one VTEP has
//! a trace that nobody else is part of.
//!
//! What is open is bounded: the oldest makes room, and is not told.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use sha2::{Digest, Sha256};
use vouch_mobility::{
    Because, HostKey, Incarnation, Location, Message, Migration, Report, Sequence, Verdict, VtepAddr,
};

use crate::events::AgentEventKind;

/// How many claims may be open.
const OPEN: usize = 1_024;

/// How many of what happens to one are told.
const EVENTS: usize = 32;

/// What all agents know of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Claim {
    claimant: VtepAddr,
    life: Incarnation,
    sequence: Sequence,
}

/// What this agent is to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It has heard the host at a port.
    Claimant,
    /// It has the host, and asks it.
    Owner,
}

/// A claim that this agent takes part in.
#[derive(Debug)]
struct Open {
    role: Role,
    /// Not known of one's own before it is told to the owner.
    claim: Option<Claim>,
    /// Where the host is said to be.
    claimed: Location,
    begun: SystemTime,
    events: Vec<Event>,
    /// When it was decided, and upon what.
    verdict: Option<(SystemTime, &'static str)>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Traces {
    me: VtepAddr,
    /// The lives of the peers' agents.
    lives: BTreeMap<VtepAddr, Incarnation>,
    open: BTreeMap<HostKey, Vec<Open>>,
    /// What a peer told last, and when: reports of what came of it follow.
    told: Option<(HostKey, Claim, SystemTime)>,
    /// Of observers, from being told on: moves that the switch has not been told of.
    following: BTreeMap<HostKey, (Claim, SystemTime)>,
    numbered: u64,
    scope: InstrumentationScope,
    ended: Vec<SpanData>,
}

impl Traces {
    pub(crate) fn new(me: VtepAddr) -> Self {
        let scope = InstrumentationScope::builder("vouch").with_version(env!("CARGO_PKG_VERSION")).build();
        Self {
            me,
            lives: BTreeMap::new(),
            open: BTreeMap::new(),
            told: None,
            following: BTreeMap::new(),
            numbered: 0,
            scope,
            ended: Vec::new(),
        }
    }

    /// The spans that have ended since.
    pub(crate) fn take(&mut self) -> Vec<SpanData> {
        std::mem::take(&mut self.ended)
    }

    /// A session with a peer began.
    pub(crate) fn peer(&mut self, peer: VtepAddr, life: Incarnation) {
        self.lives.insert(peer, life);
    }

    /// Something happened.
    pub(crate) fn event(&mut self, kind: &AgentEventKind, now: SystemTime) {
        match kind {
            AgentEventKind::Asked { host, .. } => self.note(host, "asked", now),
            AgentEventKind::Answered { host, .. } => self.note(host, "answered", now),
            AgentEventKind::SeenAlive { host, .. } => self.note(host, "seen", now),
            AgentEventKind::Sent { to, message } => self.sent(*to, message, now),
            AgentEventKind::Received { from, message } => self.received(*from, message, now),
            AgentEventKind::Report(report) => self.report(report, now),
            AgentEventKind::SwitchReady { .. }
            | AgentEventKind::SwitchLost { .. }
            | AgentEventKind::PeerUp { .. }
            | AgentEventKind::PeerDown { .. }
            | AgentEventKind::Port { .. }
            | AgentEventKind::ExceedsMtu { .. }
            | AgentEventKind::PortsUnknown
            | AgentEventKind::Draining { .. }
            | AgentEventKind::NextHop { .. }
            | AgentEventKind::Heard { .. }
            | AgentEventKind::Written { .. } => {}
        }
    }

    /// The switch has taken what was new of a host when the round began.
    pub(crate) fn written(&mut self, host: HostKey, began: SystemTime, now: SystemTime) {
        let decided = |one: &mut Open| one.verdict.is_some_and(|(decided, _)| decided <= began);
        let decided: Vec<Open> =
            self.open.get_mut(&host).map_or_else(Vec::new, |open| open.extract_if(.., decided).collect());
        self.forget_empty(&host);
        for one in decided {
            self.end(host, one, now);
        }
        if let Some((claim, begun)) = self.following.remove(&host) {
            let span = self.span("follow", host, Some(claim), (begun, now));
            self.ended.push(span);
        }
    }

    fn sent(&mut self, to: VtepAddr, message: &Message, now: SystemTime) {
        match message {
            Message::Advertisement(said) => {
                let Some(Migration::Asked { claim, .. }) = said.migration else { return };
                let whole = Claim { claimant: self.me, life: claim.incarnation, sequence: said.sequence };
                for one in self.of(&said.host).filter(|one| one.role == Role::Claimant) {
                    one.claim = Some(whole);
                    one.note("told the owner", now);
                }
            }
            Message::Reply(reply) if !matches!(reply.verdict, Verdict::Open(_) | Verdict::Moved { .. }) => {
                // Nobody need hear of what was only asked in passing, nor of what another has to be asked; the peer does.
                let word = if matches!(reply.verdict, Verdict::Stayed) { "stayed" } else { "elsewhere" };
                let is = |one: &Open| one.role == Role::Owner && one.claimed == Location::Remote(to);
                self.decide(&reply.host, is, word, now);
                self.close(&reply.host, is, now);
            }
            Message::Reply(_)
            | Message::Standing(_)
            | Message::Withdrawal(_)
            | Message::Sync(_)
            | Message::Expect(_)
            | Message::AddressClaim(_)
            | Message::AddressReply(_) => {}
        }
    }

    fn received(&mut self, from: VtepAddr, message: &Message, now: SystemTime) {
        self.told = None;
        match message {
            Message::Advertisement(said) => match said.migration {
                Some(Migration::Asked { claim, .. }) => {
                    let claim = Claim { claimant: from, life: claim.incarnation, sequence: said.sequence };
                    if self.of(&said.host).any(|one| one.claim == Some(claim)) {
                        return;
                    }
                    let claimed = Location::Remote(from);
                    self.begin(said.host, Open::new(Role::Owner, Some(claim), claimed, now));
                }
                Some(Migration::AtOnce | Migration::Verified { .. }) => {
                    self.told = self.claim_of(from, said.sequence).map(|claim| (said.host, claim, now));
                }
                None => {}
            },
            Message::Withdrawal(said) => {
                let claim = said.moved_to.and_then(|to| self.claim_of(to, said.sequence));
                self.told = claim.map(|claim| (said.host, claim, now));
            }
            Message::Reply(reply) => {
                let word = match reply.verdict {
                    Verdict::Stayed => "the owner says that it stayed",
                    Verdict::Moved { .. } => "the owner says that it has moved",
                    Verdict::Open(_) => "the owner has no verdict yet",
                    Verdict::Elsewhere(_) => "the owner is another",
                };
                self.note(&reply.host, word, now);
            }
            Message::Standing(standing) => self.note(&standing.host, "the claimant has asked at its place", now),
            Message::Sync(_) | Message::Expect(_) | Message::AddressClaim(_) | Message::AddressReply(_) => {}
        }
    }

    fn report(&mut self, report: &Report, now: SystemTime) {
        match report {
            Report::ClaimRaised { host, port, .. } => {
                let claimed = Location::Local(*port);
                if !self.of(host).any(|one| one.role == Role::Claimant && one.claimed == claimed) {
                    self.begin(*host, Open::new(Role::Claimant, None, claimed, now));
                }
            }
            Report::Stayed { host, claimed, .. } => {
                let is = |one: &Open| one.claimed == *claimed;
                self.decide(host, is, "stayed", now);
                self.close(host, is, now);
            }
            Report::Moved { host, to, because, .. } => {
                if let Some((of, claim, begun)) = self.told.filter(|(of, ..)| *because == Because::Told && of == host) {
                    self.follow(of, claim, begun);
                }
                let to = *to;
                self.decide(host, |one| one.claimed == to, "moved", now);
                // Who has claimed it elsewhere has lost.
                self.decide(host, |one| one.claimed != to, "moved elsewhere", now);
            }
            Report::Unproven { host, .. } => self.note(host, "unproven", now),
            Report::Contested { host, .. } => self.note(host, "contested", now),
            Report::OwnerUnreachable { host, .. } => self.note(host, "the owner is not reachable", now),
            Report::Learned { .. }
            | Report::VerificationStarted { .. }
            | Report::Removed { .. }
            | Report::Attack { .. }
            | Report::AttackOver { .. }
            | Report::Settled { .. }
            | Report::AddressClaimed { .. }
            | Report::AddressKept { .. }
            | Report::AddressMoved { .. }
            | Report::Duplicate { .. }
            | Report::HeardAtOldPort { .. }
            | Report::SequenceExhausted { .. }
            | Report::Full { .. }
            | Report::RoomAgain { .. } => {}
        }
    }

    /// A claim of a peer, if it is known in which life of its agent.
    fn claim_of(&self, claimant: VtepAddr, sequence: Sequence) -> Option<Claim> {
        let life = *self.lives.get(&claimant)?;
        Some(Claim { claimant, life, sequence })
    }

    fn of(&mut self, host: &HostKey) -> impl Iterator<Item = &mut Open> {
        self.open.get_mut(host).into_iter().flatten()
    }

    fn begin(&mut self, host: HostKey, one: Open) {
        if self.open.values().map(Vec::len).sum::<usize>() >= OPEN {
            self.make_room();
        }
        self.open.entry(host).or_default().push(one);
    }

    fn make_room(&mut self) {
        let begun = |open: &Vec<Open>| open.iter().map(|one| one.begun).min();
        let oldest = self.open.iter().min_by_key(|(_, open)| begun(open)).map(|(host, _)| *host);
        if let Some(oldest) = oldest {
            self.open.remove(&oldest);
        }
    }

    fn follow(&mut self, host: HostKey, claim: Claim, begun: SystemTime) {
        if self.following.len() >= OPEN {
            let oldest = self.following.iter().min_by_key(|(_, (_, begun))| *begun).map(|(host, _)| *host);
            oldest.and_then(|oldest| self.following.remove(&oldest));
        }
        self.following.insert(host, (claim, begun));
    }

    fn note(&mut self, host: &HostKey, what: &'static str, now: SystemTime) {
        self.of(host).for_each(|one| one.note(what, now));
    }

    fn decide(&mut self, host: &HostKey, is: impl Fn(&Open) -> bool, word: &'static str, now: SystemTime) {
        for one in self.of(host).filter(|one| one.verdict.is_none() && is(one)) {
            one.verdict = Some((now, word));
        }
    }

    /// What needs no change of the switch is over with its verdict.
    fn close(&mut self, host: &HostKey, is: impl Fn(&Open) -> bool, now: SystemTime) {
        let over: Vec<Open> =
            self.open.get_mut(host).map_or_else(Vec::new, |open| open.extract_if(.., |one| is(one)).collect());
        self.forget_empty(host);
        for one in over {
            self.end(*host, one, now);
        }
    }

    fn forget_empty(&mut self, host: &HostKey) {
        if self.open.get(host).is_some_and(Vec::is_empty) {
            self.open.remove(host);
        }
    }

    /// The spans of a claim that is over.
    fn end(&mut self, host: HostKey, one: Open, now: SystemTime) {
        let Open { role, claim, begun, events, verdict, .. } = one;
        let (decided, outcome) = verdict.unwrap_or((now, "open"));
        let (name, until) = match role {
            Role::Claimant => ("claim", now),
            Role::Owner => ("verify", decided),
        };
        let mut span = self.span(name, host, claim, (begun, until));
        span.attributes.push(KeyValue::new("vouch.outcome", outcome));
        span.events = SpanEvents::default();
        span.events.events = events;
        if role == Role::Claimant {
            span.events.events.push(Event::new("verdict", decided, Vec::new(), 0));
        } else if now > decided {
            let mut converge = self.span("converge", host, claim, (decided, now));
            converge.parent_span_id = span.span_context.span_id();
            converge.parent_span_is_remote = false;
            self.ended.push(converge);
        }
        self.ended.push(span);
    }

    /// A span below the claimant's, or that itself.
    fn span(
        &mut self,
        name: &'static str,
        host: HostKey,
        claim: Option<Claim>,
        times: (SystemTime, SystemTime),
    ) -> SpanData {
        self.numbered += 1;
        let begun = times.0.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos();
        let own = [&octets(self.me)[..], &self.numbered.to_be_bytes(), &begun.to_be_bytes()].concat();
        let claim = match claim {
            Some(claim) => {
                let Claim { claimant, life, sequence } = claim;
                let parts = [&octets(claimant)[..], &life.0.to_be_bytes(), &sequence.0.to_be_bytes()];
                parts.concat()
            }
            None => own.clone(),
        };
        let of_host = [&host.vni.get().to_be_bytes()[..], &host.mac.octets()].concat();
        let trace: [u8; 32] = Sha256::new().chain_update(&claim).chain_update(&of_host).finalize().into();
        let (number, root) = trace.split_at(16);
        let trace_id = TraceId::from_bytes(number.try_into().expect("half of 32"));
        let root = SpanId::from_bytes(root[..8].try_into().expect("half of 16"));
        let own: [u8; 32] = Sha256::new().chain_update(trace).chain_update(&own).chain_update(name).finalize().into();
        let own = SpanId::from_bytes(own[..8].try_into().expect("a quarter of 32"));
        let (id, parent) = if name == "claim" { (root, SpanId::INVALID) } else { (own, root) };
        SpanData {
            span_context: SpanContext::new(trace_id, id, TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: parent,
            parent_span_is_remote: parent == root,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: times.0,
            end_time: times.1.max(times.0),
            attributes: vec![
                KeyValue::new("vouch.vni", i64::from(host.vni.get())),
                KeyValue::new("vouch.host", host.mac.to_string()),
            ],
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        }
    }
}

impl Open {
    fn new(role: Role, claim: Option<Claim>, claimed: Location, begun: SystemTime) -> Self {
        Self { role, claim, claimed, begun, events: Vec::new(), verdict: None }
    }

    fn note(&mut self, what: &'static str, now: SystemTime) {
        if self.events.len() < EVENTS {
            self.events.push(Event::new(what, now, Vec::new(), 0));
        }
    }
}

/// An address as agents have it in common.
fn octets(VtepAddr(address): VtepAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use vouch_mobility::{AccessId, Advertisement, ClaimId, Reply};
    use vouch_net::{MacAddr, Vni};

    use super::*;

    const OWNER: VtepAddr = VtepAddr(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)));
    const CLAIMANT: VtepAddr = VtepAddr(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)));
    const OBSERVER: VtepAddr = VtepAddr(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 3)));
    const LIFE: Incarnation = Incarnation(7);
    const CLAIM: ClaimId = ClaimId { incarnation: LIFE, number: 1 };

    fn host(number: u32) -> HostKey {
        let [_, _, high, low] = number.to_be_bytes();
        HostKey { vni: Vni::MAX, mac: MacAddr([2, 0, 0, 0, high, low]) }
    }

    fn at(millis: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    fn asking(host: HostKey, sequence: u32) -> Message {
        let migration = Some(Migration::Asked { claim: CLAIM, tenure: Duration::ZERO, damped: false, taken: false });
        Message::Advertisement(Advertisement { host, bindings: Vec::new(), sequence: Sequence(sequence), migration })
    }

    fn asked(number: u32, sequence: u32) -> AgentEventKind {
        AgentEventKind::Received { from: CLAIMANT, message: asking(host(number), sequence) }
    }

    fn replied(number: u32, verdict: Verdict) -> AgentEventKind {
        let reply = Reply { host: host(number), claim: CLAIM, sequence: Sequence(1), verdict };
        AgentEventKind::Sent { to: CLAIMANT, message: Message::Reply(reply) }
    }

    fn stayed(number: u32) -> AgentEventKind {
        let (kept, claimed) = (Location::Local(AccessId(1)), Location::Remote(CLAIMANT));
        AgentEventKind::Report(Report::Stayed { host: host(number), kept, claimed, took: Duration::ZERO })
    }

    fn moved(from: Location, to: Location, because: Because) -> AgentEventKind {
        AgentEventKind::Report(Report::Moved { host: host(1), from, to, because, took: Duration::ZERO })
    }

    fn names(spans: &[SpanData]) -> Vec<&str> {
        spans.iter().map(|span| &*span.name).collect()
    }

    #[test]
    fn claimant_owner_and_observer_make_one_trace_of_what_each_knows() {
        let [mut owner, mut claimant, mut observer] = [OWNER, CLAIMANT, OBSERVER].map(Traces::new);
        let (here, there) = (Location::Local(AccessId(3)), Location::Remote(OWNER));
        let raised = Report::ClaimRaised { host: host(1), port: AccessId(3), recorded: there };
        claimant.event(&AgentEventKind::Report(raised), at(0));
        claimant.event(&AgentEventKind::Sent { to: OWNER, message: asking(host(1), 4) }, at(1));
        claimant.event(&moved(there, here, Because::OwnerSaid), at(5));
        claimant.written(host(1), at(4), at(6));
        assert_eq!(claimant.take(), [], "that round began before the verdict");
        claimant.written(host(1), at(5), at(7));
        owner.event(&asked(1, 4), at(2));
        owner.event(&moved(Location::Local(AccessId(1)), Location::Remote(CLAIMANT), Because::Silence), at(3));
        owner.written(host(1), at(3), at(4));
        let verified = Migration::Verified { by: OWNER };
        let said =
            Advertisement { host: host(1), bindings: Vec::new(), sequence: Sequence(4), migration: Some(verified) };
        observer.peer(CLAIMANT, LIFE);
        observer.event(&AgentEventKind::Received { from: CLAIMANT, message: Message::Advertisement(said) }, at(8));
        observer.event(&moved(there, Location::Remote(CLAIMANT), Because::Told), at(8));
        observer.written(host(1), at(8), at(9));

        let [claimed, verified, followed] = [claimant.take(), owner.take(), observer.take()];
        assert_eq!(
            [names(&claimed), names(&verified), names(&followed)].concat(),
            ["claim", "converge", "verify", "follow"]
        );
        let root = &claimed[0].span_context;
        let spans: Vec<&SpanData> = claimed.iter().chain(&verified).chain(&followed).collect();
        assert!(spans.iter().all(|span| span.span_context.trace_id() == root.trace_id()));
        assert_eq!(verified[1].parent_span_id, root.span_id());
        assert_eq!(verified[0].parent_span_id, verified[1].span_context.span_id());
        assert_eq!((claimed[0].start_time, claimed[0].end_time), (at(0), at(7)));
        // The next claim of the host is another trace, and so is that of another life.
        owner.event(&asked(1, 5), at(10));
        owner.event(&stayed(1), at(11));
        assert_ne!(owner.take()[0].span_context.trace_id(), root.trace_id());
    }

    #[test]
    fn what_is_asked_again_is_one_span_and_what_is_only_told_to_the_peer_ends_it_too() {
        let mut owner = Traces::new(OWNER);
        for millis in 0..3 {
            owner.event(&asked(1, 4), at(millis));
        }
        owner.event(&replied(1, Verdict::Open(vouch_mobility::Open::Overdue)), at(4));
        assert_eq!(owner.take(), []);
        owner.event(&replied(1, Verdict::Elsewhere(OBSERVER)), at(5));
        owner.event(&stayed(1), at(6));
        assert_eq!(names(&owner.take()), ["verify"]);
        assert!(owner.open.is_empty());
    }

    #[test]
    fn what_is_open_is_bounded_and_the_oldest_makes_room() {
        let mut owner = Traces::new(OWNER);
        for number in 0..3 * OPEN as u32 {
            owner.event(&asked(number, 4), at(number.into()));
            assert!(owner.open.len() <= OPEN);
        }
        owner.event(&stayed(0), at(9_000));
        assert_eq!(owner.take(), []);
        let last = 3 * OPEN as u32 - 1;
        for _ in 0..3 * EVENTS {
            let via = crate::events::Place::Vtep(CLAIMANT);
            owner.event(&AgentEventKind::Asked { host: host(last), via, targets: Vec::new() }, at(9_000));
        }
        owner.event(&stayed(last), at(9_001));
        assert_eq!(owner.take()[0].events.len(), EVENTS);
        // What one is told of comes to as little.
        owner.peer(CLAIMANT, LIFE);
        for number in 0..3 * OPEN as u32 {
            let claim = owner.claim_of(CLAIMANT, Sequence(1)).expect("it is known in which life");
            owner.follow(host(number), claim, at(number.into()));
            assert!(owner.following.len() <= OPEN);
        }
    }
}
