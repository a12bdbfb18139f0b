//! The driver without its I/O: what came from the switch and the peers goes into the state machine, what the machine
//! decides comes out as wanted tables, packet-outs, messages and events.
//!
//! The story of one claim, as the claimant sees it: a `MOVE` punt arrives → [`Core::packet_in`] keeps the frame, reads who
//! sent it ([`super::frames`]) and tells the machine → the machine answers with a view of the host (→ [`super::wanted`]) and
//! a message to the owner (→ [`Output::Send`]) → the owner's reply arrives in [`Core::peer`] → another view, and the
//! frame is released (→ [`Output::PacketOut`]) or dropped.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use vouch_mobility::{
    self as mobility, Action, Event, Evidence, FrameId, Heard, HostKey, Instant, Location, Mobility, Probe, Report,
};
use vouch_tables::{
    EntryAction, EntryKey, IngressInterfaceAction, IngressInterfaceKey, LocationId, PacketIn, PacketOut, PuntReason,
    RecordedLocationAction, SourceKey, Tag, UnderlayPeerAction, VniToBdAction,
};

use super::frames::{self, ProbeSource, SightingKind};
use super::held::{HeldFrame, HeldFrames};
use super::numbering::Numbering;
use super::wanted::Wanted;
use crate::config::{AccessInterface, Config, Port, VlanId, VtepConfig, default_probe_mac};
use crate::events::{AgentEventKind, Place};
use crate::peering::PeerEvent;

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
    /// Tell a peer.
    Send {
        /// Whom.
        to: mobility::VtepAddr,
        /// What.
        message: mobility::Message,
    },
}

/// What was refused, and how often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DriverCounters {
    /// Punted frames that make no sense.
    pub malformed_frames: u64,
    /// Punted frames from a bridge domain or place that is not configured (any more).
    pub foreign_frames: u64,
    /// Frames of claims that could not be held because too many were.
    pub frames_not_held: u64,
    /// Frames of claims that were released after the verdict.
    pub frames_released: u64,
    /// Frames of claims that were dropped after the verdict.
    pub frames_dropped: u64,
}

/// See the module.
pub(crate) struct Core {
    config: Config,
    numbering: Numbering,
    machine: Mobility,
    wanted: Wanted,
    held: HeldFrames,
    outputs: VecDeque<Output>,
    events: VecDeque<AgentEventKind>,
    counters: DriverCounters,
}

impl Core {
    /// The driver of a switch that has `actual` in its tables: numbers and hosts found there are kept.
    ///
    /// Returns it with the number of hosts kept.
    pub(crate) fn new(config: Config, actual: &BTreeMap<EntryKey, EntryAction>, now: Instant) -> (Self, usize) {
        let prior = prior_numbering(actual);
        let numbering = Numbering::assign(&config, &prior);
        let mut core = Self {
            machine: Mobility::new(mobility_config(&config)),
            wanted: Wanted::new(&config, &numbering),
            held: HeldFrames::new(config.vtep.as_ref().map_or(0, |vtep| vtep.held_frames)),
            outputs: VecDeque::new(),
            events: VecDeque::new(),
            counters: DriverCounters::default(),
            config,
            numbering,
        };
        let restored = core.restore(actual, &prior, now);
        (core, restored)
    }

    /// A frame that the switch hands over.
    pub(crate) fn packet_in(&mut self, packet: PacketIn, frame: &[u8], now: Instant) {
        let Some((vni, place)) = self.origin(&packet) else {
            self.counters.foreign_frames += 1;
            return;
        };
        let sighting = match frames::sighting(frame) {
            Ok(sighting) => sighting,
            Err(error) => {
                self.counters.malformed_frames += 1;
                tracing::debug!(agent = self.config.name, %error, location = %packet.location, "punted frame dropped");
                return;
            }
        };
        let host = HostKey { vni, mac: sighting.source };
        match (packet.reason, place) {
            (PuntReason::Learn | PuntReason::Move | PuntReason::Binding, Location::Local(port)) => {
                let evidence = evidence(sighting.kind);
                let addresses: Vec<IpAddr> = sighting.address.into_iter().collect();
                if let Some(interface) = self.numbering.interface(port) {
                    let addresses = addresses.clone();
                    self.events.push_back(AgentEventKind::Heard { host, interface, evidence, addresses });
                }
                let frame = self.hold(packet, evidence, frame);
                self.tell(Event::Heard(Heard { host, port, evidence, addresses, frame }), now);
            }
            (PuntReason::ProbeReply, from) => match (sighting.address, from) {
                (Some(address), _) => {
                    self.events.push_back(AgentEventKind::Answered { host, from: self.place(from), address });
                    self.tell(Event::ProbeAnswered { host, from, address }, now);
                }
                // A frame to the probe address that answers nothing is still a sign of life.
                (None, Location::Local(port)) => self.tell(Event::SeenAtRecordedPort { host, port }, now),
                (None, Location::Remote(_)) => {}
            },
            (PuntReason::Alive, Location::Local(port)) => {
                if let Some(interface) = self.numbering.interface(port) {
                    self.events.push_back(AgentEventKind::SeenAlive { host, interface });
                }
                self.tell(Event::SeenAtRecordedPort { host, port }, now);
            }
            // Nothing is learned from tunnels; the pipeline punts only probe replies from there.
            (
                PuntReason::Learn | PuntReason::Move | PuntReason::Alive | PuntReason::Binding | PuntReason::Request,
                Location::Remote(_),
            ) => {
                self.counters.foreign_frames += 1;
            }
            // A claimant's questions are lost until the verdict; nothing is sent that comes back.
            (PuntReason::Request, Location::Local(_)) | (PuntReason::Sent, _) => {}
        }
    }

    /// The switch says that it has not seen a host for the ageing time.
    pub(crate) fn idle(&mut self, key: &SourceKey, now: Instant) {
        if let Some(vni) = self.numbering.vni(key.bd) {
            self.tell(Event::Idle { host: HostKey { vni, mac: key.mac } }, now);
        }
    }

    /// A port's link came up or went down.
    pub(crate) fn port(&mut self, port: u16, up: bool, now: Instant) {
        self.events.push_back(AgentEventKind::Port { port, up });
        self.wanted.set_underlay_port(port, up, &self.config, &self.numbering);
        for port in self.numbering.on_port(port) {
            let event = if up { Event::PortUp { port } } else { Event::PortDown { port } };
            self.tell(event, now);
        }
    }

    /// Something from a peer.
    pub(crate) fn peer(&mut self, event: PeerEvent, now: Instant) {
        match event {
            PeerEvent::Up { vtep } => {
                self.events.push_back(AgentEventKind::PeerUp { peer: vtep });
                self.tell(Event::PeerUp { peer: vtep }, now);
            }
            PeerEvent::Down { vtep, reason } => {
                self.events.push_back(AgentEventKind::PeerDown { peer: vtep, reason: reason.to_string() });
                self.tell(Event::PeerDown { peer: vtep }, now);
            }
            PeerEvent::Message { vtep, message } => {
                self.events.push_back(AgentEventKind::Received { from: vtep, message: message.clone() });
                self.tell(Event::Message { from: vtep, message }, now);
            }
            // Logged and counted where it happened.
            PeerEvent::Refused(_) => {}
        }
    }

    /// Does what is due.
    pub(crate) fn timeout(&mut self, now: Instant) {
        self.machine.handle_timeout(now);
        self.carry_out();
    }

    /// When [`Self::timeout`] is to be called next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.machine.next_deadline()
    }

    /// The wanted tables.
    pub(crate) fn wanted(&mut self) -> &mut Wanted {
        &mut self.wanted
    }

    /// The next thing to do besides writing tables.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next thing to tell whoever watches.
    pub(crate) fn poll_event(&mut self) -> Option<AgentEventKind> {
        self.events.pop_front()
    }

    /// The state machine, for inspection.
    pub(crate) fn machine(&self) -> &Mobility {
        &self.machine
    }

    /// What was refused, and how often.
    pub(crate) fn counters(&self) -> DriverCounters {
        self.counters
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

    fn tell(&mut self, event: Event, now: Instant) {
        self.machine.handle(event, now);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Install { host, view } => self.wanted.set_host(host, view.as_ref(), &self.numbering),
                Action::Probe(probe) => self.probe(&probe),
                Action::Send { to, message } => self.outputs.push_back(Output::Send { to, message }),
                Action::Release { frame } => {
                    if let Some(held) = self.held.take(frame) {
                        self.counters.frames_released += 1;
                        let HeldFrame { bd, location, frame } = held;
                        self.outputs
                            .push_back(Output::PacketOut { header: PacketOut::Receive { bd, location }, frame });
                    }
                }
                Action::Drop { frame } => {
                    if self.held.take(frame).is_some() {
                        self.counters.frames_dropped += 1;
                    }
                }
                Action::Report(report) => self.report(report),
            }
        }
    }

    fn probe(&mut self, probe: &Probe) {
        let Some(vtep) = &self.config.vtep else { return };
        let vni = vtep.vnis.iter().find(|vni| vni.vni == probe.host.vni);
        let (Some(vni), Some(bd), Some(location)) =
            (vni, self.numbering.bd(probe.host.vni), self.numbering.location_id(probe.via))
        else {
            return;
        };
        let source = ProbeSource { mac: vtep.probe_mac, ipv4: vni.probe_ipv4, ipv6: vni.probe_ipv6 };
        for target in &probe.targets {
            let frame = frames::probe(&source, probe.host.mac, *target);
            self.outputs.push_back(Output::PacketOut { header: PacketOut::Send { bd, location }, frame });
        }
        let via = self.place(probe.via);
        self.events.push_back(AgentEventKind::Asked { host: probe.host, via, targets: probe.targets.clone() });
    }

    fn report(&mut self, report: Report) {
        match &report {
            Report::Attack { .. }
            | Report::Duplicate { .. }
            | Report::SequenceExhausted { .. }
            | Report::PortFull { .. } => {
                tracing::warn!(agent = self.config.name, ?report);
            }
            Report::Learned { .. }
            | Report::ClaimRaised { .. }
            | Report::VerificationStarted { .. }
            | Report::Stayed { .. }
            | Report::Moved { .. }
            | Report::Removed { .. }
            | Report::HeardAtOldPort { .. }
            | Report::OwnerUnreachable { .. } => tracing::debug!(agent = self.config.name, ?report),
        }
        self.events.push_back(AgentEventKind::Report(report));
    }

    /// The VNI and the place that a punted frame came from.
    fn origin(&self, packet: &PacketIn) -> Option<(vouch_net::Vni, Location)> {
        let (vni, place) = (self.numbering.vni(packet.bd)?, self.numbering.location(packet.location)?);
        self.belongs(place, vni).then_some((vni, place))
    }

    /// Whether hosts of the VNI can be there at all.
    fn belongs(&self, place: Location, vni: vouch_net::Vni) -> bool {
        let Some(vni) = self.config.vtep.iter().flat_map(|vtep| &vtep.vnis).find(|config| config.vni == vni) else {
            return false;
        };
        match place {
            Location::Local(access) => {
                self.numbering.interface(access).is_some_and(|interface| vni.access.contains(&interface))
            }
            Location::Remote(_) => true,
        }
    }

    /// Whether the address is a host's: the present configuration may reserve what an earlier one did not.
    fn may_be_host(&self, host: HostKey) -> bool {
        let vni = self.machine.config().vnis.get(&host.vni);
        host.mac.is_host() && vni.is_some_and(|vni| !vni.reserved.contains(&host.mac))
    }

    /// Keeps the frame if the switch did not forward it: announcements of a claim are handed over, not copied.
    fn hold(&mut self, packet: PacketIn, evidence: Evidence, frame: &[u8]) -> Option<FrameId> {
        let announcement = match evidence {
            Evidence::Arp | Evidence::Rarp | Evidence::Neighbour | Evidence::Dad => true,
            Evidence::Data => false,
        };
        if packet.reason != PuntReason::Move || !announcement {
            return None;
        }
        let held = self.held.keep(HeldFrame { bd: packet.bd, location: packet.location, frame: frame.to_vec() });
        if held.is_none() {
            self.counters.frames_not_held += 1;
        }
        held
    }

    /// Tells the machine of the hosts that the switch knows.
    fn restore(&mut self, actual: &BTreeMap<EntryKey, EntryAction>, prior: &Numbering, now: Instant) -> usize {
        let mut restored = 0;
        for (key, value) in actual {
            let (EntryKey::RecordedLocation(key), EntryAction::RecordedLocation(action)) = (key, value) else {
                continue;
            };
            let RecordedLocationAction::Recorded { location, .. } = *action;
            // By the switch's own numbers, which may be another configuration's; what that one had and ours has not
            // is forgotten.
            let Some(vni) = prior.vni(key.bd).filter(|vni| self.numbering.bd(*vni).is_some()) else { continue };
            let Some(location) = translate(location, prior, &self.numbering) else { continue };
            let host = HostKey { vni, mac: key.mac };
            if !self.may_be_host(host) || !self.belongs(location, vni) {
                continue;
            }
            restored += 1;
            self.tell(Event::Restored { host, location, addresses: Vec::new() }, now);
        }
        restored
    }
}

fn evidence(kind: SightingKind) -> Evidence {
    match kind {
        SightingKind::Arp => Evidence::Arp,
        SightingKind::Rarp => Evidence::Rarp,
        SightingKind::NeighborDiscovery => Evidence::Neighbour,
        SightingKind::DuplicateAddressDetection => Evidence::Dad,
        SightingKind::Data => Evidence::Data,
    }
}

/// The meaning of a location of the prior numbering in the present one.
fn translate(location: LocationId, prior: &Numbering, present: &Numbering) -> Option<Location> {
    match prior.location(location)? {
        Location::Local(access) => present.access(prior.interface(access)?).map(Location::Local),
        Location::Remote(vtep) => present.location_id(Location::Remote(vtep)).map(|_| Location::Remote(vtep)),
    }
}

/// The numbering that the switch's fixed entries show.
fn prior_numbering(actual: &BTreeMap<EntryKey, EntryAction>) -> Numbering {
    let (mut bds, mut interfaces, mut tunnels) = (Vec::new(), Vec::new(), Vec::new());
    for (key, action) in actual {
        match (key, action) {
            (EntryKey::VniToBd(key), EntryAction::VniToBd(VniToBdAction::Bridge { bd })) => {
                bds.push((key.vni, *bd));
            }
            (
                EntryKey::IngressInterface(key),
                EntryAction::IngressInterface(IngressInterfaceAction::Access { location, .. }),
            ) => {
                if let Some(interface) = interface(key) {
                    interfaces.push((interface, location.number()));
                }
            }
            (EntryKey::UnderlayPeer(key), EntryAction::UnderlayPeer(UnderlayPeerAction::FromTunnel { location })) => {
                tunnels.push((mobility::VtepAddr(key.src), location.number()))
            }
            _ => {}
        }
    }
    Numbering::read_back(bds, interfaces, tunnels)
}

fn interface(key: &IngressInterfaceKey) -> Option<AccessInterface> {
    let port = Port::new(key.ingress_port.get())?;
    let vlan = match key.vlan_id {
        Tag::Untagged => None,
        Tag::Vlan(vlan) => Some(VlanId::new(vlan.get())?),
    };
    Some(AccessInterface { port, vlan })
}

/// The machine's part of the configuration. A switch that is no VTEP gets a machine without VNIs, which ignores all.
fn mobility_config(config: &Config) -> mobility::Config {
    let Some(vtep) = &config.vtep else {
        return mobility::Config::new(mobility::VtepAddr(std::net::Ipv4Addr::UNSPECIFIED));
    };
    mobility::Config {
        me: vtep.address,
        vnis: vtep.vnis.iter().map(|vni| (vni.vni, vni_config(vtep, vni))).collect(),
        timers: vtep.timers.clone(),
        limits: vtep.limits.clone(),
        verify: vtep.verify,
    }
}

fn vni_config(vtep: &VtepConfig, vni: &crate::config::VniConfig) -> mobility::VniConfig {
    mobility::VniConfig {
        peers: vtep.peers.iter().filter(|peer| peer.has_vni(vni.vni)).map(|peer| peer.address).collect(),
        advertise: vni.advertise,
        during: vni.during_verification,
        unreachable_owner: vni.owner_unreachable,
        // No host may pass for a VTEP: answers to probes would go to it.
        reserved: vni
            .reserved_macs
            .iter()
            .copied()
            .chain([vtep.probe_mac])
            .chain(vtep.peers.iter().map(|peer| default_probe_mac(peer.address)))
            .collect(),
        trusted_moves: vni.trusted_moves.clone(),
        forward_pending: vni.forward_pending,
        quarantine: vtep.quarantine.enabled.then_some(vtep.quarantine.duration),
    }
}

#[cfg(test)]
mod noise;
#[cfg(test)]
mod tests;
