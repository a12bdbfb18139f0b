//! The driver without its I/O: what came from the switch and the peers goes into the state machine, what the machine
//! decides comes out as wanted tables, packet-outs, messages and events.
//!
//! The story of one claim, as the claimant sees it: a `MOVE` punt arrives → [`Core::packet_in`] keeps the frame, reads who
//! sent it ([`super::frames`]) and tells the machine → the machine answers with a view of the host (→ [`super::wanted`]) and
//! a message to the owner (→ [`Output::Send`]) → the owner's reply arrives in [`Core::peer`] → another view, and the
//! frame is released (→ [`Output::PacketOut`]) or dropped.
//!
//! The story of one question, as the owner sees it: [`Action::Probe`] → a frame for each address, numbered
//! ([`super::questions`]) → the switch hands their copies back, and the machine hears that they were asked → the host answers,
//! or the machine wants to know whether it would have been heard: [`Action::Check`] (→ [`super::checks`]).
//!
//! | file | what it is |
//! |---|---|
//! | `core` | what happened, and what is to be done |
//! | `core/punts` | frames that the switch hands over |
//! | `core/asking` | questions, checks and answers |
//! | `core/reporting` | what the operator hears |
//! | `core/restore` | what the switch had when the driver started |
//! | `core/underlay` | next hops that are known by their IP addresses |
//! | `core/machine` | the machine's part of the configuration |

mod asking;
mod machine;
mod punts;
mod reporting;
mod restore;
mod underlay;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use vouch_mobility::{
    self as mobility, AccessId, Action, Census, Clear, Event, HostKey, Incarnation, Instant, Location, Mobility,
    VtepAddr,
};
use vouch_tables::{
    BindingIpv4Action, BindingIpv6Action, Change, EntryAction, EntryKey, LocationId, PacketOut, PuntReason, SourceKey,
};
use vouch_underlay::Underlay;

use self::machine::mobility_config;
use self::reporting::Said;
use self::restore::prior_numbering;
use super::checks::{Checks, Hearing};
use super::held::{HeldFrame, HeldFrames};
use super::log::Floods;
use super::numbering::{HopRoom, Numbering};
use super::pace::Pace;
use super::questions::Questions;
use super::sometimes::Sometimes;
use super::wanted::{BindingRoom, Wanted};
use crate::config::{AccessInterface, Config, ProbeAs};
use crate::events::{AgentEventKind, Place};
use crate::guards::{DriverGuard, is_out};
use crate::peering::{PeerEvent, SessionId};

pub use self::reporting::DriverCounters;

/// Something that others may cause in any number is said this often.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Something to do that is no table write. What was wanted of the tables before it has to be written before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Output {
    /// Have the switch send a frame.
    PacketOut {
        /// Where, and how.
        header: PacketOut,
        /// The frame, without VLAN tag, not encapsulated.
        frame: Vec<u8>,
    },
    /// Tell a peer, in this session and no other.
    Send {
        /// Whom.
        to: VtepAddr,
        /// In which session.
        session: SessionId,
        /// What.
        message: mobility::Message,
    },
}

/// Whether a port has a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Up,
    Down,
}

/// What a driver is made with, beside its configuration.
pub(crate) struct Given {
    /// Which life of the agent it is.
    pub(crate) incarnation: Incarnation,
    /// What the switch has room for.
    pub(crate) room: BindingRoom,
    /// The same, for next hops that share routes.
    pub(crate) hops: HopRoom,
    /// What became of the stream from the switch.
    pub(crate) hearing: Box<dyn Hearing>,
}

/// See the module.
pub(crate) struct Core {
    config: Config,
    numbering: Numbering,
    machine: Mobility,
    wanted: Wanted,
    underlay: Underlay,
    held: HeldFrames,
    pace: Pace,
    questions: Questions,
    checks: Checks,
    /// The sessions with peers that are up, as far as the machine has heard.
    sessions: BTreeMap<VtepAddr, SessionId>,
    /// Those of them whose lists have not been said to the end.
    listing: BTreeSet<VtepAddr>,
    outputs: VecDeque<Output>,
    /// Frames that wait for no write.
    at_once: VecDeque<(PacketOut, Vec<u8>)>,
    events: VecDeque<AgentEventKind>,
    counters: DriverCounters,
    said: Sometimes<Said>,
    floods: Floods,
    /// Places that sent frames which the underlay does not carry, and how many.
    too_long: BTreeMap<Location, u64>,
    /// Frames that the switch handed over, by its reason.
    punts: BTreeMap<PuntReason, u64>,
}

impl Core {
    /// The driver of a switch that has `actual` in its tables: numbers, hosts and bindings found there are kept.
    ///
    /// Returns it with the number of hosts kept.
    pub(crate) fn new(
        config: Config,
        given: Given,
        actual: &BTreeMap<EntryKey, EntryAction>,
        now: Instant,
    ) -> (Self, usize) {
        let prior = prior_numbering(&config, actual);
        let numbering = Numbering::assign(&config, &prior, given.hops);
        let mut core = Self {
            machine: Mobility::new(mobility_config(&config, &numbering, given.incarnation)),
            wanted: Wanted::new(&config, &numbering, given.room),
            underlay: underlay::machine(&config.underlay, given.incarnation.0, now),
            held: HeldFrames::new(config.vtep.as_ref().map_or(0, |vtep| vtep.held_frames)),
            pace: Pace::default(),
            questions: Questions::default(),
            checks: Checks::new(given.hearing),
            sessions: BTreeMap::new(),
            listing: BTreeSet::new(),
            outputs: VecDeque::new(),
            at_once: VecDeque::new(),
            events: VecDeque::new(),
            counters: DriverCounters::default(),
            said: Sometimes::new(SAY_EVERY),
            floods: Floods::default(),
            too_long: BTreeMap::new(),
            punts: BTreeMap::new(),
            config,
            numbering,
        };
        core.restore_next_hops(actual, now);
        let restored = core.restore(actual, &prior, now);
        (core, restored)
    }

    /// The switch says that it has not seen a host for the ageing time, where it is recorded.
    pub(crate) fn idle(&mut self, key: &SourceKey, now: Instant) {
        let Some(vni) = self.numbering.vni(key.bd) else { return };
        let host = HostKey { vni, mac: key.mac };
        let recorded = self.machine.view(&host).and_then(|view| self.numbering.location_id(view.location));
        if recorded == Some(key.location) {
            self.tell(Event::Idle { host }, now);
        }
    }

    /// A port's link came up or went down.
    pub(crate) fn port(&mut self, port: u16, link: Link, now: Instant) {
        let up = link == Link::Up;
        let event = AgentEventKind::Port { port, up };
        self.inform(&event, now);
        self.events.push_back(event);
        self.wanted.set_underlay_port(port, up, &self.config, &self.numbering);
        for port in self.numbering.on_port(port) {
            let event = if up { Event::PortUp { port } } else { Event::PortDown { port } };
            self.tell(event, now);
        }
    }

    /// The longest frame that a port carries, in bytes.
    pub(crate) fn port_mtu(&mut self, port: u16, bytes: u16) {
        self.wanted.set_port_mtu(port, bytes, &self.config, &self.numbering);
    }

    /// Nobody tells any more whether ports have links. Where the underlay's packets go stays as it is: there, what was last
    /// heard is better than nothing, and decides about nobody's host.
    pub(crate) fn ports_unknown(&mut self, now: Instant) {
        self.events.push_back(AgentEventKind::PortsUnknown);
        for port in self.numbering.all_access() {
            self.tell(Event::PortUnknown { port }, now);
        }
    }

    /// The switch is another one, or is not ours any more: what was on its way is lost, and what was asked proves nothing.
    pub(crate) fn lost_touch(&mut self, now: Instant) {
        self.pace.clear();
        if is_out(DriverGuard::TouchIsLost) {
            return;
        }
        self.questions.forget();
        self.checks.lost_touch();
        self.underlay.lost_touch();
        self.conclude(now);
    }

    /// Something from a peer.
    pub(crate) fn peer(&mut self, event: PeerEvent, now: Instant) {
        match event {
            PeerEvent::Up { vtep, session, incarnation: _, probe_mac } => {
                self.events.push_back(AgentEventKind::PeerUp { peer: vtep });
                self.sessions.insert(vtep, session);
                if self.config.vtep.as_ref().is_some_and(|vtep| vtep.probe_mac == probe_mac) {
                    tracing::error!(
                        agent = self.config.name,
                        peer = %vtep,
                        mac = %probe_mac,
                        "the peer has our probe MAC: answers to questions that are asked through tunnels go astray; each VTEP needs its own `vtep.probe_mac`"
                    );
                }
                self.tell(Event::PeerUp { peer: vtep, probe_mac: Some(probe_mac) }, now);
                self.listing.insert(vtep);
            }
            PeerEvent::Down { vtep, reason } => {
                self.events.push_back(AgentEventKind::PeerDown { peer: vtep, reason: reason.to_string() });
                self.sessions.remove(&vtep);
                self.listing.remove(&vtep);
                self.tell(Event::PeerDown { peer: vtep }, now);
            }
            PeerEvent::Message { vtep, message } => {
                self.events.push_back(AgentEventKind::Received { from: vtep, message: message.clone() });
                if message == mobility::Message::Sync(mobility::Sync::Again) {
                    self.listing.insert(vtep);
                }
                self.tell(Event::Message { from: vtep, message }, now);
            }
            // Logged and counted where it happened.
            PeerEvent::Refused(_) => {}
        }
    }

    /// The sessions whose lists have not been said to the end.
    pub(crate) fn listing(&self) -> Vec<(VtepAddr, SessionId)> {
        self.listing.iter().filter_map(|peer| Some((*peer, *self.sessions.get(peer)?))).collect()
    }

    /// Says the next part of the lists to a peer, as much as it has room for.
    pub(crate) fn list(&mut self, peer: VtepAddr, room: usize) {
        let Some(session) = self.sessions.get(&peer).copied() else { return };
        for _ in 0..room {
            match self.machine.poll_sync(peer) {
                Some(message) => self.outputs.push_back(Output::Send { to: peer, session, message }),
                None => {
                    self.listing.remove(&peer);
                    return;
                }
            }
        }
    }

    /// Somebody who knows says that a host is about to move.
    pub(crate) fn expect_move(&mut self, host: HostKey, to: Location, within: Duration, now: Instant) {
        self.tell(Event::MoveExpected { host, to, until: now + within }, now);
    }

    /// An operator says where a host belongs.
    pub(crate) fn settle(&mut self, host: HostKey, keep: Location, now: Instant) {
        self.tell(Event::Settle { host, keep }, now);
    }

    /// The location that the operator means; `None` if there is none such.
    pub(crate) fn location(&self, place: Place) -> Option<Location> {
        let location = match place {
            Place::Interface(interface) => Location::Local(self.numbering.access(interface)?),
            Place::Vtep(vtep) => Location::Remote(vtep),
        };
        self.numbering.location_id(location).map(|_| location)
    }

    /// Does what is due.
    pub(crate) fn timeout(&mut self, now: Instant) {
        self.say_unsaid(now);
        self.conclude(now);
        self.wanted.timeout(now);
        self.machine.handle_timeout(now);
        self.carry_out(now);
        self.ask(now);
        self.ask_next_hops(now);
    }

    /// When [`Self::timeout`] is to be called next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let hosts = self.machine.next_deadline().into_iter().chain(self.checks.deadline());
        hosts.chain(self.next_hops_due()).chain(self.wanted.deadline()).min()
    }

    /// The wanted tables.
    pub(crate) fn wanted(&mut self) -> &mut Wanted {
        &mut self.wanted
    }

    /// The next thing to do besides writing tables.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next frame that the switch is to send, whatever else waits.
    pub(crate) fn poll_at_once(&mut self) -> Option<(PacketOut, Vec<u8>)> {
        self.at_once.pop_front()
    }

    /// The next thing to tell whoever watches.
    pub(crate) fn poll_event(&mut self) -> Option<AgentEventKind> {
        self.events.pop_front()
    }

    /// The state machine, for inspection.
    pub(crate) fn machine(&self) -> &Mobility {
        &self.machine
    }

    /// The operator's name for a location.
    pub(crate) fn place(&self, location: Location) -> Place {
        match location {
            Location::Local(access) => Place::Interface(
                self.numbering.interface(access).expect("the machine has its access interfaces from this numbering"),
            ),
            Location::Remote(vtep) => Place::Vtep(vtep),
        }
    }

    /// The name of a VTEP: ours, or a peer's.
    pub(crate) fn configured_name(&self, vtep: VtepAddr) -> Option<&str> {
        let own = self.config.vtep.as_ref()?;
        if own.address == vtep {
            return Some(&self.config.name);
        }
        own.peers.iter().find(|peer| peer.address == vtep).map(|peer| peer.name.as_str())
    }

    /// The machine's number of an access interface.
    pub(crate) fn access(&self, interface: AccessInterface) -> Option<AccessId> {
        self.numbering.access(interface)
    }

    /// The wanted entries of a host.
    pub(crate) fn entries_of(&self, host: &HostKey) -> Vec<String> {
        let entry = |key: &EntryKey| self.wanted.wanted(key).map(|action| format!("{key}: {action}"));
        self.wanted.keys_of(host).iter().filter_map(entry).collect()
    }

    /// A host is to be asked now.
    pub(crate) fn ask_now(&mut self, host: HostKey, now: Instant) {
        self.tell(Event::AskNow { host }, now);
    }

    /// Something of a host's past is to be forgotten.
    pub(crate) fn clear(&mut self, host: HostKey, what: Clear, now: Instant) {
        self.tell(Event::Clear { host, what }, now);
    }

    /// This VTEP is taken out of use, or back into it: each peer gets a new list of what is here.
    pub(crate) fn drain(&mut self, on: bool, now: Instant) {
        let mut census = Census::default();
        self.machine.count(&mut census, None, usize::MAX);
        let event = AgentEventKind::Draining { on, hosts: census.hosts_of(Some(true), None) };
        self.inform(&event, now);
        self.events.push_back(event);
        self.listing.extend(self.sessions.keys());
        self.tell(Event::Drain { on }, now);
    }

    /// What the switch means by a place.
    pub(crate) fn location_of(&self, place: LocationId) -> Option<Location> {
        self.numbering.location(place)
    }

    /// The operator's name for a place as the switch calls it.
    pub(crate) fn name_of(&self, place: LocationId) -> Option<Place> {
        self.location_of(place).map(|location| self.place(location))
    }

    /// The host that a change is about; of a binding, whose it is from then on.
    pub(crate) fn host_of_change(&self, change: &Change) -> Option<HostKey> {
        let (key, action) = match change {
            Change::Insert(key, action) | Change::Modify(key, action) => (key, action),
            Change::Delete(key) => return self.host_of(key),
        };
        let (bd, mac) = match (key, action) {
            (EntryKey::BindingIpv4(key), EntryAction::BindingIpv4(BindingIpv4Action::Bound { mac, .. })) => {
                (key.bd, *mac)
            }
            (EntryKey::BindingIpv6(key), EntryAction::BindingIpv6(BindingIpv6Action::Bound { mac, .. })) => {
                (key.bd, *mac)
            }
            _ => return self.host_of(key),
        };
        self.numbering.vni(bd).map(|vni| HostKey { vni, mac })
    }

    /// The host that an entry is about.
    pub(crate) fn host_of(&self, key: &EntryKey) -> Option<HostKey> {
        let (bd, mac) = match key {
            EntryKey::Source(key) => (key.bd, key.mac),
            EntryKey::RecordedLocation(key) => (key.bd, key.mac),
            EntryKey::Destination(key) => (key.bd, key.mac),
            _ => return None,
        };
        self.numbering.vni(bd).map(|vni| HostKey { vni, mac })
    }

    fn tell(&mut self, event: Event, now: Instant) {
        self.machine.handle(event, now);
        self.carry_out(now);
    }

    fn carry_out(&mut self, now: Instant) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Install { host, view } => self.wanted.set_host(host, view.as_ref(), &self.numbering, now),
                Action::Bind { vni, address, binding } => self.bind(vni, address, binding, now),
                Action::Probe(probe) => self.probe(probe, now),
                Action::Check { question, host, via } => self.check(host, question, via, now),
                Action::Send { to, message } => self.send(to, message),
                Action::Release { frame } => {
                    if let Some(held) = self.held.take(frame) {
                        self.counters.frames_released += 1;
                        self.release(held);
                    }
                }
                Action::Answer { frame, target, mac } => self.answer(frame, target, mac),
                Action::Drop { frame } => {
                    if self.held.take(frame).is_some() {
                        self.counters.frames_dropped += 1;
                    }
                }
                Action::Report(report) => self.report(report, now),
            }
        }
    }

    fn send(&mut self, to: VtepAddr, message: mobility::Message) {
        match self.sessions.get(&to) {
            Some(session) => self.outputs.push_back(Output::Send { to, session: *session, message }),
            // Made good by the lists of the next session.
            None => self.counters.messages_without_session += 1,
        }
    }

    /// Lets a frame go on its way, as if it had just come in.
    fn release(&mut self, held: HeldFrame) {
        let HeldFrame { bd, location, frame } = held;
        self.outputs.push_back(Output::PacketOut { header: PacketOut::Receive { bd, location }, frame });
    }

    /// In whose name the hosts of a VNI are asked.
    fn probe_as(&self, vni: vouch_net::Vni) -> Option<ProbeAs> {
        let vtep = self.config.vtep.as_ref()?;
        vtep.vnis.iter().find(|config| config.vni == vni).map(|vni| vni.probe_as)
    }
}

#[cfg(test)]
mod noise;
#[cfg(test)]
mod tests;
