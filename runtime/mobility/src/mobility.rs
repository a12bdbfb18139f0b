//! The state machine of one VTEP.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use crate::action::Action;
use crate::addresses::Addresses;
use crate::config::Config;
use crate::context::Context;
use crate::counters::Counters;
use crate::damping::Damping;
use crate::event::{Event, Heard};
use crate::host::{Asked, Fact, HeardAt, How, Record, State, Told, Withdrawn, react};
use crate::ids::{AccessId, FrameId, HostKey, Location, VtepAddr};
use crate::index::{self, Peers, Ports};
use crate::level;
use crate::message::{Advertisement, Message, Migration, Sync};
use crate::sequence::Sequence;
use crate::time::Instant;
use crate::view::HostView;

/// The state machine of one VTEP: facts and time in, decisions out.
///
/// It spreads facts to the hosts they concern; what a host makes of them is the business of the host's state. After each fact it brings
/// three things up to date with the host: the switch (by [`Action::Install`], if the view changed), the indices and the timers.
#[derive(Debug)]
pub struct Mobility {
    config: Config,
    hosts: BTreeMap<HostKey, (State, Record)>,
    ports: Ports,
    peers: Peers,
    damping: Damping,
    deadlines: BTreeSet<(Instant, HostKey)>,
    last_claim: u64,
    actions: VecDeque<Action>,
    counters: Counters,
}

impl Mobility {
    /// A machine that knows no host yet, and to which no peer has a session.
    pub fn new(config: Config) -> Self {
        Self {
            hosts: BTreeMap::new(),
            ports: Ports::default(),
            peers: Peers::new(&config),
            damping: Damping::default(),
            deadlines: BTreeSet::new(),
            last_claim: 0,
            actions: VecDeque::new(),
            counters: Counters::default(),
            config,
        }
    }

    /// Takes in a fact. `now` never goes back.
    ///
    /// Facts that wait are to be handed in before [`Self::handle_timeout`] is called: an answer that has arrived is an answer.
    pub fn handle(&mut self, event: Event, now: Instant) {
        match event {
            Event::Heard(heard) => self.heard(heard, now),
            Event::ProbeAnswered { host, from, address: _ } => self.tell(host, Fact::Answered { from }, now),
            Event::SeenAtRecordedPort { host, port } => self.tell(host, Fact::Seen { port }, now),
            Event::PortDown { port } => self.port_down(port, now),
            Event::PortUp { port } => self.ports.set_down(port, false),
            Event::Idle { host } => self.tell(host, Fact::Idle, now),
            Event::PeerUp { peer } => self.peer_up(peer, now),
            Event::PeerDown { peer } => self.peer_down(peer, now),
            Event::Message { from, message } => self.message(from, message, now),
            Event::Restored { host, location, addresses } => {
                if self.hosts.contains_key(&host) {
                    return;
                }
                self.tell(host, Fact::Restored { location }, now);
                let limit = self.config.limits.addresses_per_host;
                if let Some((_, record)) = self.hosts.get_mut(&host) {
                    record.addresses.add(&addresses, limit);
                }
                self.tell(host, Fact::Due, now);
            }
        }
    }

    /// Does what is due at `now`. Calling it too early or too often does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(due, host)) = self.deadlines.first() {
            if due > now {
                break;
            }
            self.tell(host, Fact::Due, now);
        }
    }

    /// When [`Self::handle_timeout`] is to be called next, unless something happens before.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(due, _)| due)
    }

    /// The next decision. To be called until it returns `None` after each call of a `handle` function.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What the switch is to know about the host: the last view that was given out as [`Action::Install`].
    pub fn view(&self, host: &HostKey) -> Option<&HostView> {
        self.hosts.get(host).and_then(|(_, record)| record.installed.as_ref())
    }

    /// What is known about the host.
    pub fn host(&self, host: &HostKey) -> Option<HostInfo> {
        self.hosts.get(host).map(|(state, record)| HostInfo::new(state, record))
    }

    /// All hosts, in ascending order.
    pub fn hosts(&self) -> impl Iterator<Item = HostInfo> {
        self.hosts.values().map(|(state, record)| HostInfo::new(state, record))
    }

    fn heard(&mut self, heard: Heard, now: Instant) {
        let host = heard.host;
        if !self.config.vnis.contains_key(&host.vni) {
            self.counters.unknown_vni += 1;
            self.drop(heard.frame);
        } else if self.is_reserved(host) {
            self.counters.reserved_ignored += 1;
            self.drop(heard.frame);
        } else {
            let addresses = self.addresses(&heard.addresses);
            let Heard { host, port, evidence, addresses: _, frame } = heard;
            self.tell(host, Fact::Heard(HeardAt { port, evidence, addresses, frame }), now);
        }
    }

    fn port_down(&mut self, port: AccessId, now: Instant) {
        self.ports.set_down(port, true);
        self.damping.forget_port(port);
        for host in self.ports.concerned(port) {
            self.tell(host, Fact::PortDown { port }, now);
        }
    }

    fn peer_up(&mut self, peer: VtepAddr, now: Instant) {
        if !self.peers.is_known(peer) {
            self.counters.unknown_peer += 1;
            return;
        }
        self.peers.set_up(peer, true);
        let list = self.list_for(peer);
        self.actions.extend(list.into_iter().map(|sync| Action::Send { to: peer, message: Message::Sync(sync) }));
        for host in self.peers.claims(peer) {
            self.tell(host, Fact::OwnerUp, now);
        }
    }

    fn peer_down(&mut self, peer: VtepAddr, now: Instant) {
        self.peers.set_up(peer, false);
        for host in self.peers.claims(peer) {
            self.tell(host, Fact::OwnerDown, now);
        }
    }

    /// All hosts that this VTEP owns and the peer may know of.
    fn list_for(&self, peer: VtepAddr) -> Vec<Sync> {
        let mut list = vec![Sync::Start];
        for host in self.ports.owned() {
            let shared = self.config.vnis.get(&host.vni).is_some_and(|vni| vni.peers.contains(&peer));
            if let Some((State::Owned(local, _) | State::Verifying(local, _), record)) = self.hosts.get(&host)
                && shared
            {
                list.push(Sync::Host { host, addresses: record.addresses.to_vec(), sequence: local.sequence() });
            }
        }
        let hosts = list.len() as u64 - 1;
        list.push(Sync::End { hosts });
        list
    }

    fn message(&mut self, from: VtepAddr, message: Message, now: Instant) {
        match message {
            Message::Advertisement(advertisement) => self.advertisement(from, &advertisement, now),
            Message::Reply(reply) => self.tell_from(from, reply.host, Fact::Replied { from, reply }, now),
            Message::Withdrawal(withdrawal) => {
                let fact =
                    Fact::Withdrawn(Withdrawn { from, sequence: withdrawal.sequence, moved_to: withdrawal.moved_to });
                self.tell_from(from, withdrawal.host, fact, now);
            }
            Message::Sync(Sync::Start) => self.peers.list_begins(from),
            Message::Sync(Sync::Host { host, addresses, sequence }) => {
                self.peers.list_goes_on(from, host, &self.config.limits);
                let addresses = self.addresses(&addresses);
                self.tell_from(from, host, Fact::Told(Told { from, sequence, addresses, how: How::Listed }), now);
            }
            Message::Sync(Sync::End { hosts }) => self.list_ended(from, hosts, now),
        }
    }

    fn advertisement(&mut self, from: VtepAddr, advertisement: &Advertisement, now: Instant) {
        let addresses = self.addresses(&advertisement.addresses);
        let sequence = advertisement.sequence;
        let told = |how| Told { from, sequence, addresses: addresses.clone(), how };
        let fact = match advertisement.migration {
            None => Fact::Told(told(How::Plain)),
            Some(Migration::AtOnce) => Fact::Told(told(How::AtOnce)),
            Some(Migration::Verified { by: _ }) => Fact::Told(told(How::Verified)),
            Some(Migration::Asked { claim }) => Fact::Asked(Asked { from, claim, sequence, addresses }),
        };
        self.tell_from(from, advertisement.host, fact, now);
    }

    /// The peer has named all it owns: routes by it that it did not name are gone.
    fn list_ended(&mut self, from: VtepAddr, hosts: u64, now: Instant) {
        let Some(candidates) = self.peers.list_ends(from, hosts) else {
            self.counters.broken_syncs += 1;
            return;
        };
        let round = self.peers.round(from);
        for host in candidates {
            let route = self.hosts.get(&host).and_then(|(_, record)| record.routes.of(from));
            if route.is_some_and(|route| route.round < round) {
                let fact = Withdrawn { from, sequence: Sequence::LAST, moved_to: None };
                self.tell(host, Fact::Withdrawn(fact), now);
            }
        }
    }

    /// Hands on what a peer said, if it has any business with the host.
    fn tell_from(&mut self, from: VtepAddr, host: HostKey, fact: Fact, now: Instant) {
        match self.config.vnis.get(&host.vni) {
            None => self.counters.unknown_vni += 1,
            Some(vni) if !vni.peers.contains(&from) => self.counters.unknown_peer += 1,
            Some(_) if self.is_reserved(host) => self.counters.reserved_ignored += 1,
            Some(_) => self.tell(host, fact, now),
        }
    }

    /// Lets the host react, then brings switch, indices and timers up to date with it.
    fn tell(&mut self, host: HostKey, fact: Fact, now: Instant) {
        let Some(vni) = self.config.vnis.get(&host.vni) else {
            self.counters.unknown_vni += 1;
            return;
        };
        let (state, mut record) =
            self.hosts.remove(&host).unwrap_or_else(|| (State::Absent(crate::entry::Absent::new()), Record::new(host)));
        let mut out = Vec::new();
        let mut context = Context {
            now,
            config: &self.config,
            vni,
            ports: &mut self.ports,
            peers: &self.peers,
            damping: &mut self.damping,
            counters: &mut self.counters,
            last_claim: &mut self.last_claim,
            other_hosts: self.hosts.len(),
            out: &mut out,
        };
        let state = react(state, &mut record, &mut context, fact);
        if matches!(state, State::Absent(_)) {
            record.routes = Default::default();
        }

        let view = level::view(&state, &record, vni, now);
        if view != record.installed {
            self.actions.push_back(Action::Install { host, view: view.clone() });
            record.installed = view;
        }
        self.actions.extend(out);

        let footprint = level::footprint(&state, &record);
        if footprint != record.footprint {
            index::update(&mut self.ports, &mut self.peers, host, &record.footprint, &footprint);
            record.footprint = footprint;
        }
        let due = level::due(&state, &record, vni, &self.config.timers, now);
        if due != record.armed {
            if let Some(armed) = record.armed {
                self.deadlines.remove(&(armed, host));
            }
            self.deadlines.extend(due.map(|due| (due, host)));
            record.armed = due;
        }
        if !matches!(state, State::Absent(_)) {
            self.hosts.insert(host, (state, record));
        }
    }

    fn is_reserved(&self, host: HostKey) -> bool {
        !host.mac.is_host() || self.config.vnis.get(&host.vni).is_some_and(|vni| vni.reserved.contains(&host.mac))
    }

    fn addresses(&mut self, addresses: &[IpAddr]) -> Addresses {
        let mut kept = Addresses::default();
        self.counters.addresses_limited += kept.add(addresses, self.config.limits.addresses_per_host).refused;
        kept
    }

    fn drop(&mut self, frame: Option<FrameId>) {
        self.actions.extend(frame.map(|frame| Action::Drop { frame }));
    }
}

/// One host, for inspection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostInfo {
    /// Which host.
    pub host: HostKey,
    /// Where it is recorded.
    pub location: Location,
    /// The sequence of that.
    pub sequence: Sequence,
    /// Its IP addresses, in ascending order.
    pub addresses: Vec<IpAddr>,
    /// What is going on with it.
    pub phase: Phase,
}

/// What is going on with a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Nothing: it is where the table has it.
    Settled,
    /// This VTEP owns it and is asking it whether it is still there.
    Verifying,
    /// This VTEP claims it and waits for the owner's verdict.
    Claiming,
    /// This VTEP claims it from an unreachable owner and is asking the host through the tunnel.
    ProbingThroughTunnel,
}

impl HostInfo {
    fn new(state: &State, record: &Record) -> Self {
        let of_route = |vtep| record.routes.of(vtep).map_or(Sequence::FIRST, |route| route.sequence);
        let (location, sequence, phase) = match state {
            State::Owned(local, _) => (Location::Local(local.port()), local.sequence(), Phase::Settled),
            State::Verifying(local, _) => (Location::Local(local.port()), local.sequence(), Phase::Verifying),
            State::Following(remote) => (Location::Remote(remote.vtep()), of_route(remote.vtep()), Phase::Settled),
            State::Claiming(remote, claim) => {
                let phase = if claim.is_probing() { Phase::ProbingThroughTunnel } else { Phase::Claiming };
                (Location::Remote(remote.vtep()), of_route(remote.vtep()), phase)
            }
            State::Absent(_) => unreachable!("a host that nobody has is not kept"),
        };
        Self { host: record.key, location, sequence, addresses: record.addresses.to_vec(), phase }
    }
}
