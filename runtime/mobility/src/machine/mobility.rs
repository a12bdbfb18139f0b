//! The state machine of one VTEP.

mod addresses;
mod lists;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use vouch_net::{MacAddr, Vni};

use crate::guards::{Guard, is_out};
use crate::inout::action::Action;
use crate::inout::counters::Counters;
use crate::inout::event::{Event, Heard};
use crate::inout::message::{Advertisement, Binding, Message, Migration, Sync};
use crate::inout::report::{Full, Report};
use crate::inout::view::{BindingView, HostView};
use crate::knowledge::addresses::is_host_address;
use crate::knowledge::damping::{self, Damping, Refused};
use crate::knowledge::entry::Absent;
use crate::knowledge::index::{self, Peers, Ports};
use crate::knowledge::shares::{Refusals, Shares};
use crate::machine::disputes::Disputes;
use crate::machine::host::{Role, discard, react};
use crate::machine::level;
use crate::machine::slot::Slot;
use crate::roles::fact::{Claimed, Fact, HeardAt, How, Told, Withdrawn};
use crate::roles::known::Announced;
use crate::roles::world::{Ids, Memory, Out, World};
use crate::words::config::Config;
use crate::words::ids::{AccessId, FrameId, HostKey, Location, QuestionId, VtepAddr};
use crate::words::sequence::Sequence;
use crate::words::time::Instant;

use self::lists::Lists;

pub use crate::machine::slot::{Census, HostInfo, Phase};

/// How long after its start a VTEP may not know yet what it had before: its peers are still to tell.
const YOUNG: Duration = Duration::from_secs(30);

/// How often it is looked whether there is room again for what was refused.
const LOOK_FOR_ROOM: Duration = Duration::from_secs(10);

/// The state machine of one VTEP: facts and time in, decisions out.
///
/// It spreads facts to the hosts they concern; what a host makes of them is the business of its role. After each fact it brings
/// what others know up to date with the host: the switch (by [`Action::Install`] and [`Action::Bind`], if something changed), the indices and the timers.
#[derive(Debug, Clone)]
pub struct Mobility {
    pub(super) config: Arc<Config>,
    pub(super) hosts: BTreeMap<HostKey, Box<Slot>>,
    /// Whose each address is.
    bindings: BTreeMap<(Vni, IpAddr), MacAddr>,
    /// Who else is known to have an address that is bound to another host; it may be out of date.
    unbound: BTreeSet<(Vni, IpAddr, MacAddr)>,
    pub(super) ports: Ports,
    peers: Peers,
    pub(super) damping: Damping,
    disputes: Disputes,
    shares: Shares,
    refusals: Refusals,
    room_check: Option<Instant>,
    lists: Lists,
    deadlines: BTreeSet<(Instant, HostKey)>,
    /// Who is to be asked only to confirm what is known: so many a second, longest due first.
    confirmations: BTreeSet<(Instant, HostKey)>,
    /// When there may be another question that only confirms.
    pub(super) may_confirm: Instant,
    young_until: Option<Instant>,
    draining: bool,
    ids: Ids,
    actions: VecDeque<Action>,
    counters: Counters,
}

impl Mobility {
    /// A machine that knows no host yet, and to which no peer has a session.
    pub fn new(config: Config) -> Self {
        Self {
            hosts: BTreeMap::new(),
            bindings: BTreeMap::new(),
            unbound: BTreeSet::new(),
            ports: Ports::default(),
            peers: Peers::new(&config),
            damping: Damping::default(),
            disputes: Disputes::default(),
            shares: Shares::default(),
            refusals: Refusals::default(),
            room_check: None,
            lists: Lists::default(),
            deadlines: BTreeSet::new(),
            confirmations: BTreeSet::new(),
            may_confirm: Instant::EPOCH,
            young_until: None,
            draining: false,
            ids: Ids::default(),
            actions: VecDeque::new(),
            counters: Counters::default(),
            config: Arc::new(config),
        }
    }

    /// Takes in a fact. `now` never goes back.
    ///
    /// Facts that wait are to be handed in before [`Self::handle_timeout`] is called: an answer that has arrived is an answer.
    pub fn handle(&mut self, event: Event, now: Instant) {
        self.young_until.get_or_insert(now + YOUNG);
        match event {
            Event::Heard(heard) => self.heard(heard, now),
            Event::Requested { host, port, address, target, frame } => {
                self.requested(host, port, address, target, frame, now);
            }
            Event::Asked { host, question, round } => self.tell_known(host, Fact::Left { question, round }, now),
            Event::Checked { host, question, complete } => {
                self.tell_known(host, Fact::Checked { question, complete }, now);
            }
            Event::ProbeAnswered { host, from, address } => {
                let fact = match from {
                    // It speaks, but for an address that is not its own.
                    Location::Local(port) if self.is_anothers(host, address) => Fact::Seen { port, address: None },
                    Location::Local(_) | Location::Remote(_) => Fact::Answered { from, address },
                };
                self.tell(host, fact, now);
            }
            Event::SeenAtRecordedPort { host, port, address } => {
                let address = address.filter(|address| !self.is_anothers(host, *address));
                self.tell(host, Fact::Seen { port, address }, now);
            }
            Event::PortDown { port } => self.port_down(port, now),
            Event::PortUp { port } => self.ports.set_link(port, Some(true)),
            Event::PortUnknown { .. } if is_out(Guard::LinkUnknown) => {}
            Event::PortUnknown { port } => self.ports.set_link(port, None),
            Event::Idle { host } => self.tell(host, Fact::Idle, now),
            Event::PeerUp { peer, probe_mac } => self.peer_up(peer, probe_mac, now),
            Event::PeerDown { peer } => self.peer_down(peer, now),
            Event::Message { from, message } => self.message(from, message, now),
            Event::Restored { host, location, passed_on } => {
                if !self.hosts.contains_key(&host) && !self.is_reserved(host) {
                    self.tell(host, Fact::Restored { location, passed_on }, now);
                }
            }
            Event::RestoredBinding { host, address, confirmed } => {
                self.tell_known(host, Fact::RestoredAddress { address, confirmed }, now);
            }
            Event::MoveExpected { host, to, until } => self.move_expected(host, to, until, now),
            Event::Settle { host, keep } => self.tell(host, Fact::Settled { keep }, now),
            Event::AskNow { host } => self.ask_now(host, now),
            Event::Clear { host, what } => self.clear(host, what, now),
            Event::Drain { on } => self.drain(on),
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
        while let Some(&(due, host)) = self.confirmations.first() {
            if due > now || self.may_confirm > now {
                break;
            }
            self.tell(host, Fact::Due, now);
        }
        while let Some(claim) = self.damping.take_again(now) {
            self.take_up_again(claim, now);
        }
        self.disputes_due(now);
        self.unlisted_due(now);
        if self.room_check.is_some_and(|due| due <= now) {
            self.look_for_room(now);
        }
    }

    /// When [`Self::handle_timeout`] is to be called next, unless something happens before.
    pub fn next_deadline(&self) -> Option<Instant> {
        let hosts = self.deadlines.first().map(|&(due, _)| due);
        let confirm = self.confirmations.first().map(|&(due, _)| due.max(self.may_confirm));
        let others = [self.damping.next_again(), self.disputes.next_due(), self.lists.next_due(), self.room_check];
        others.into_iter().chain([hosts, confirm]).flatten().min()
    }

    /// The next decision. To be called until it returns `None` after each call of a `handle` function.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether peers are not told of the hosts that are here ([`Event::Drain`]).
    pub fn is_draining(&self) -> bool {
        self.draining
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
        self.hosts.get(host).and_then(|slot| slot.installed.as_ref())
    }

    /// What the switch is to know about the address: what was last given out as [`Action::Bind`].
    pub fn binding(&self, vni: Vni, address: IpAddr) -> Option<BindingView> {
        let mac = *self.bindings.get(&(vni, address))?;
        let slot = self.hosts.get(&HostKey { vni, mac })?;
        let binding = slot.bound.iter().find(|binding| binding.address == address)?;
        Some(BindingView { mac, confirmed: binding.confirmed && slot.bound_answers })
    }

    /// Whether the question is still open: a round of one that has ended need not be sent any more.
    pub fn is_asking(&self, host: &HostKey, question: QuestionId) -> bool {
        self.hosts.get(host).is_some_and(|slot| match &slot.role {
            Role::Owner(owner) => owner.is_asking(question),
            Role::Claimant(claimant) => claimant.is_asking(question),
            Role::Sought(sought) => sought.is_asking(question),
            Role::Absent(_) | Role::Observer(_) => false,
        })
    }

    /// What is known about the host.
    pub fn host(&self, host: &HostKey) -> Option<HostInfo> {
        self.hosts.get(host).map(|slot| slot.info())
    }

    /// All hosts, in ascending order.
    pub fn hosts(&self) -> impl Iterator<Item = HostInfo> {
        self.hosts.values().map(|slot| slot.info())
    }

    // ---- from the switch

    fn heard(&mut self, heard: Heard, now: Instant) {
        let Heard { host, port, evidence, addresses, target, mut frame } = heard;
        if !self.config.vnis.contains_key(&host.vni) {
            self.counters.unknown_vni += 1;
            return self.drop(frame);
        }
        if self.is_reserved(host) {
            self.counters.reserved_ignored += 1;
            return self.drop(frame);
        }
        let mut addresses: Vec<IpAddr> = addresses.into_iter().filter(is_host_address).collect();
        let disputed = addresses.iter().copied().find(|&address| self.is_anothers(host, address));
        let disputed_frame = disputed.and_then(|_| frame.take());
        // What it asks for need not wait for what becomes of the claim (B11).
        if let (Some(target), Some(held)) = (target, frame)
            && let Some(mac) = self.verified_holder(host, target)
        {
            frame = None;
            self.counters.requests_answered += 1;
            self.actions.push_back(Action::Answer { frame: held, target, mac });
        }
        addresses.retain(|&address| !self.is_anothers(host, address) || is_out(Guard::AddressIsAnothers));
        self.tell(host, Fact::Heard(HeardAt { port, evidence, addresses, disputed, frame }), now);
        if let Some(address) = disputed {
            self.address_disputed(host, address, port, disputed_frame, now);
        }
    }

    /// A claim is taken up again by itself. That the host was heard there a while ago is no sign of life of a host that is recorded there by now.
    fn take_up_again(&mut self, claim: damping::Claim, now: Instant) {
        let damping::Claim { host, port, heard: _, mut addresses } = claim;
        self.counters.taken_up_again += 1;
        let there = self.hosts.get(&host).is_none_or(|slot| slot.location() == Some(Location::Local(port)));
        if there && !is_out(Guard::TakenUpIsNoLife) {
            return;
        }
        addresses.retain(|&address| !self.is_anothers(host, address));
        self.tell(host, Fact::Heard(HeardAt::there(port, addresses)), now);
    }

    fn port_down(&mut self, port: AccessId, now: Instant) {
        self.ports.set_link(port, Some(false));
        self.damping.forget_port(port);
        self.refusals.forget_port(port);
        for host in self.ports.concerned(port) {
            self.tell(host, Fact::PortDown { port }, now);
        }
    }

    fn move_expected(&mut self, host: HostKey, to: Location, until: Instant, now: Instant) {
        let announced = match to {
            Location::Remote(vtep) if vtep == self.config.me => Announced::Here,
            Location::Remote(_) | Location::Local(_) => Announced::At(to),
        };
        self.tell_known(host, Fact::Expected { to: announced, until }, now);
        let Some(vni) = self.config.vnis.get(&host.vni) else { return };
        let to = match to {
            Location::Local(_) => self.config.me,
            Location::Remote(vtep) => vtep,
        };
        let within = until - now;
        for &peer in vni.peers.iter().filter(|peer| self.peers.is_up(**peer)) {
            let message = Message::Expect(crate::inout::message::Expect { host, to, within });
            self.actions.push_back(Action::Send { to: peer, message });
        }
    }

    /// What peers are told of the hosts here is a level: it is told anew, at their pace.
    fn drain(&mut self, on: bool) {
        self.draining = on;
        for slot in self.hosts.values_mut() {
            if let Role::Owner(owner) = &mut slot.role {
                owner.withhold(on);
            }
        }
        let peers: BTreeSet<VtepAddr> = self.config.vnis.values().flat_map(|vni| vni.peers.iter().copied()).collect();
        for peer in peers.into_iter().filter(|peer| self.peers.is_up(*peer)) {
            self.lists.begin(peer);
        }
    }

    // ---- from the peers

    fn peer_up(&mut self, peer: VtepAddr, probe_mac: Option<MacAddr>, now: Instant) {
        if !self.peers.is_known(peer) {
            self.counters.unknown_peer += 1;
            return;
        }
        self.peers.set_up(peer, true);
        if let Some(mac) = probe_mac {
            self.peers.set_probe_mac(peer, mac);
            self.forget_hosts_that_pass_for(mac, now);
        }
        self.lists.begin(peer);
        for host in self.peers.claims(peer) {
            self.tell(host, Fact::OwnerUp, now);
        }
    }

    fn peer_down(&mut self, peer: VtepAddr, now: Instant) {
        self.peers.set_up(peer, false);
        self.lists.end(peer);
        for host in self.peers.claims(peer) {
            self.tell(host, Fact::OwnerDown, now);
        }
    }

    /// A peer's probe MAC was learned as a host's before the peer said that it is one.
    fn forget_hosts_that_pass_for(&mut self, mac: MacAddr, now: Instant) {
        let vnis: Vec<Vni> = self.config.vnis.keys().copied().collect();
        for host in vnis.into_iter().map(|vni| HostKey { vni, mac }) {
            let Some(mut slot) = self.hosts.remove(&host) else { continue };
            let Some(vni) = self.config.vnis.get(&host.vni) else { continue };
            let mut out = Out::new(&mut self.counters, &mut self.ids, &self.peers, vni);
            discard(std::mem::replace(&mut slot.role, Role::Absent(Absent::new())), &slot.known, &mut out);
            let actions = out.actions;
            self.put_back(host, slot, now);
            self.actions.extend(actions);
        }
    }

    fn message(&mut self, from: VtepAddr, message: Message, now: Instant) {
        match message {
            Message::Advertisement(advertisement) => self.advertisement(from, advertisement, now),
            Message::Reply(reply) => self.tell_from(from, reply.host, Fact::Replied { from, reply }, now),
            Message::Standing(standing) => {
                let fact = Fact::Standing { from, claim: standing.claim, answers: standing.answers };
                self.tell_from(from, standing.host, fact, now);
            }
            Message::Withdrawal(withdrawal) => {
                let (sequence, moved_to) = (withdrawal.sequence, withdrawal.moved_to);
                self.tell_from(from, withdrawal.host, Fact::Withdrawn(Withdrawn { from, sequence, moved_to }), now);
            }
            Message::Sync(Sync::Start) => self.peers.list_begins(from),
            Message::Sync(Sync::Host { host, bindings, sequence }) => {
                self.peers.list_goes_on(from, host, &self.config.limits);
                let told = Told { from, sequence, bindings: self.few(bindings), how: How::Listed };
                self.tell_from(from, host, Fact::Told(told), now);
            }
            Message::Sync(Sync::End { hosts, withheld }) => self.list_ended(from, hosts, withheld, now),
            Message::Sync(Sync::Yours { host, bindings, sequence }) => {
                let bindings = self.few(bindings);
                self.tell_from(from, host, Fact::Ours { bindings, sequence }, now);
            }
            Message::Sync(Sync::Again) => self.lists.begin(from),
            Message::Expect(expect) => {
                let here = expect.to == self.config.me;
                let to = if here { Announced::Here } else { Announced::At(Location::Remote(expect.to)) };
                let until = now + expect.within;
                self.tell_from(from, expect.host, Fact::Expected { to, until }, now);
            }
            Message::AddressClaim(claim) => self.address_claimed(from, claim, now),
            Message::AddressReply(reply) => self.address_replied(from, reply, now),
        }
    }

    fn advertisement(&mut self, from: VtepAddr, advertisement: Advertisement, now: Instant) {
        let Advertisement { host, bindings, sequence, migration } = advertisement;
        let bindings = self.few(bindings);
        let how = match migration {
            None => How::Plain,
            Some(Migration::AtOnce) => How::AtOnce,
            Some(Migration::Verified { by }) => How::Verified { by },
            Some(Migration::Asked { claim, tenure, damped, taken }) => {
                let claimed = Claimed { from, claim, sequence, bindings, tenure, damped, taken };
                return self.tell_from(from, host, Fact::Claimed(claimed), now);
            }
        };
        self.tell_from(from, host, Fact::Told(Told { from, sequence, bindings, how }), now);
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

    // ---- one host

    /// Only for hosts that somebody has.
    pub(super) fn tell_known(&mut self, host: HostKey, fact: Fact, now: Instant) {
        if self.hosts.contains_key(&host) {
            self.tell(host, fact, now);
        }
    }

    /// Lets the host react, then brings switch, indices and timers up to date with it.
    fn tell(&mut self, host: HostKey, fact: Fact, now: Instant) {
        let Some(vni) = self.config.vnis.get(&host.vni) else {
            self.counters.unknown_vni += 1;
            return;
        };
        let mut slot = self.hosts.remove(&host).unwrap_or_else(|| Box::new(Slot::new(host)));
        let kept_by = slot.kept_by();
        slot.known.expire(kept_by, now, &self.config.timers);
        let room = match (slot.counted, &fact) {
            (Some(_), _) => Ok(()),
            (None, Fact::Told(Told { from, .. }) | Fact::Claimed(Claimed { from, .. })) => {
                self.shares.room(host.vni, Location::Remote(*from), &self.config)
            }
            (None, Fact::Withdrawn(Withdrawn { moved_to: Some(to), .. })) => {
                self.shares.room(host.vni, Location::Remote(*to), &self.config)
            }
            (None, _) => self.shares.room(host.vni, Location::Local(AccessId(0)), &self.config),
        };
        let world = World {
            now,
            config: &self.config,
            vni,
            ports: &self.ports,
            peers: &self.peers,
            damping: &self.damping,
            room,
            young: self.young_until.is_some_and(|until| now < until),
            draining: self.draining,
            may_confirm: now >= self.may_confirm,
        };
        let mut out = Out::new(&mut self.counters, &mut self.ids, &self.peers, vni);
        let role = std::mem::replace(&mut slot.role, Role::Absent(Absent::new()));
        slot.role = react(role, &mut slot.known, &world, &mut out, fact);
        if matches!(slot.role, Role::Absent(_)) {
            slot.known.routes = Default::default();
        }
        let Out { actions, memories, full, addresses, confirmed, .. } = out;
        if confirmed {
            let rate = self.config.limits.confirmations_per_second.max(1);
            // Up to a tenth of a second's worth at once.
            let earliest = Instant::from_micros(now.as_micros().saturating_sub(100_000));
            self.may_confirm = self.may_confirm.max(earliest) + Duration::from_secs(1) / rate;
        }
        let reports = self.remember(memories, &mut slot, now);
        self.put_back(host, slot, now);
        self.actions.extend(actions);
        self.actions.extend(reports.into_iter().map(Action::Report));
        for (what, by) in full {
            self.is_full(what, by, now);
        }
        for (claimant, address, given_up) in addresses {
            self.address_decided((claimant, address), given_up, now);
        }
    }

    /// Takes in what is to be remembered of claims at ports.
    fn remember(&mut self, memories: Vec<Memory>, slot: &mut Slot, now: Instant) -> Vec<Report> {
        let (timers, limits) = (&self.config.timers, &self.config.limits);
        let host = slot.known.key;
        let mut reports = Vec::new();
        for memory in memories {
            match memory {
                Memory::Refused(claim, counts) => {
                    let port = claim.port;
                    match self.damping.refuse(claim, counts, now, timers, limits) {
                        Refused::Once => {}
                        Refused::NotRemembered => self.counters.not_remembered += 1,
                        Refused::Attack { refusals } => {
                            let time = self.config.vnis.get(&host.vni).and_then(|vni| vni.quarantine);
                            slot.known.quarantine.extend(time.map(|time| (port, now + time)));
                            self.counters.attacks += 1;
                            reports.push(Report::Attack { host, port, refusals, quarantined: time.is_some() });
                        }
                    }
                }
                Memory::Paused(claim, again) => {
                    let remembered = self.damping.pause(claim, again, now, timers, limits);
                    self.counters.not_remembered += u64::from(!remembered);
                }
                Memory::InPassing(host, port) => self.damping.asked_in_passing(host, port, now, timers),
                Memory::Again(..) | Memory::AgainUndamped(_) if is_out(Guard::TakenUpAgain) => {}
                Memory::Again(claim, when) => self.damping.remember(claim, when),
                Memory::AgainUndamped(claim) => self.damping.remember_until_over(claim, now),
                Memory::Given(host, port) => self.damping.hurry(host, port, now),
                Memory::True(host, port) => {
                    if self.damping.forget(host, port) {
                        reports.push(Report::AttackOver { host, port });
                    }
                }
            }
        }
        reports
    }

    /// Brings everybody up to date with the host: first the switch.
    pub(super) fn put_back(&mut self, host: HostKey, mut slot: Box<Slot>, now: Instant) {
        let gone = matches!(slot.role, Role::Absent(_));
        let vni = self.config.vnis.get(&host.vni);
        let view = vni.and_then(|vni| level::view(&slot.role, &slot.known, vni, now));
        if view != slot.installed {
            self.actions.push_back(Action::Install { host, view: view.clone() });
            slot.installed = view;
        }
        let footprint = if gone { Default::default() } else { level::footprint(&slot.role, &slot.known) };
        if footprint != slot.footprint {
            index::update(&mut self.ports, &mut self.peers, host, &slot.footprint, &footprint);
            slot.footprint = footprint;
        }
        let at = match slot.location() {
            Some(Location::Remote(vtep)) => Some(vtep),
            Some(Location::Local(_)) | None => None,
        };
        let counted = (!gone).then_some(at);
        if counted != slot.counted {
            if let Some(before) = slot.counted {
                self.shares.remove(host.vni, before);
            }
            if let Some(after) = counted {
                self.shares.add(host.vni, after);
            }
            slot.counted = counted;
        }
        self.bind(host, &mut slot, gone);
        let due = level::due(&slot.role, &slot.known, &self.config.timers, now);
        rearm(&mut self.deadlines, host, &mut slot.armed, due);
        let due = level::confirm_due(&slot.role, &slot.known, &self.config.timers);
        rearm(&mut self.confirmations, host, &mut slot.confirm_armed, due);
        if !gone {
            self.hosts.insert(host, slot);
        }
    }

    // ---- room

    fn is_full(&mut self, what: Full, by: Option<VtepAddr>, now: Instant) {
        if self.refusals.note(what, by) {
            self.actions.push_back(Action::Report(Report::Full { what }));
        }
        self.room_check.get_or_insert(now + LOOK_FOR_ROOM);
    }

    /// Asks again for what was refused, if there is room now (B13). What was refused here is heard again by itself.
    fn look_for_room(&mut self, now: Instant) {
        let config = &self.config;
        let here = Location::Local(AccessId(0));
        let has_room = |what: &Full| match *what {
            Full::Hosts(port) => self.ports.has_room_for_host(port, config),
            Full::Claims(port) => self.ports.has_room_for_claim(port, config),
            Full::Bindings(port) => self.ports.has_room_for_binding(port, config),
            Full::Vni(vni) => self.shares.room(vni, here, &self.config).is_ok(),
            Full::Peer(peer) => {
                self.config.vnis.keys().any(|vni| self.shares.room(*vni, Location::Remote(peer), &self.config).is_ok())
            }
        };
        let roomy: Vec<Full> = self.refusals.all().filter(has_room).collect();
        for what in roomy {
            for peer in self.refusals.take(what) {
                if self.peers.is_up(peer) {
                    self.actions.push_back(Action::Send { to: peer, message: Message::Sync(Sync::Again) });
                }
            }
            self.actions.push_back(Action::Report(Report::RoomAgain { what }));
        }
        self.room_check = (!self.refusals.is_empty()).then(|| now + LOOK_FOR_ROOM);
    }

    // ---- helpers

    fn is_reserved(&self, host: HostKey) -> bool {
        !host.mac.is_host()
            || self.peers.is_probe_mac(host.mac)
            || self.config.vnis.get(&host.vni).is_some_and(|vni| vni.reserved.contains(&host.mac))
    }

    fn few(&mut self, mut bindings: Vec<Binding>) -> Vec<Binding> {
        let limit = self.config.limits.addresses_per_host;
        self.counters.addresses_limited += bindings.len().saturating_sub(limit) as u64;
        bindings.truncate(limit);
        bindings
    }

    fn drop(&mut self, frame: Option<FrameId>) {
        self.actions.extend(frame.map(|frame| Action::Drop { frame }));
    }

    /// What the peers are to know of a host as ours.
    fn told_as_ours(slot: &Slot) -> Option<(Sequence, Vec<Binding>)> {
        slot.owned().filter(|_| !slot.is_withheld()).map(|sequence| (sequence, slot.known.addresses.bindings()))
    }
}

/// What it may do from now on, given its configuration. Not what it has counted, nor which numbers it would give out next.
impl Hash for Mobility {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            config: _,
            counters: _,
            ids: _,
            hosts,
            bindings,
            unbound,
            ports,
            peers,
            damping,
            disputes,
            shares,
            refusals,
            room_check,
            lists,
            deadlines: _, // of the hosts
            confirmations: _,
            may_confirm,
            young_until,
            draining,
            actions,
        } = self;
        (hosts, bindings, unbound, ports, peers, damping, disputes).hash(state);
        (shares, refusals, room_check, lists, may_confirm, young_until, draining, actions.len()).hash(state);
    }
}

fn rearm(set: &mut BTreeSet<(Instant, HostKey)>, host: HostKey, armed: &mut Option<Instant>, due: Option<Instant>) {
    if due != *armed {
        if let Some(armed) = *armed {
            set.remove(&(armed, host));
        }
        set.extend(due.map(|due| (due, host)));
        *armed = due;
    }
}
