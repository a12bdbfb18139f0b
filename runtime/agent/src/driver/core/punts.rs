//! Frames that the switch hands over: what they say, and what is kept of them.

use std::net::IpAddr;

use vouch_mobility::{Event, Evidence, FrameId, Heard, HostKey, Instant, Location};
use vouch_tables::{LocationId, PacketIn, PuntReason};

use super::super::frames::{self, Sighting, SightingKind};
use super::super::held::HeldFrame;
use super::Core;
use super::reporting::Said;
use crate::events::AgentEventKind;

impl Core {
    /// A frame that the switch hands over.
    pub(crate) fn packet_in(&mut self, packet: PacketIn, frame: &[u8], now: Instant) {
        *self.punts.entry(packet.reason).or_default() += 1;
        if packet.reason == PuntReason::Sent {
            self.sent(packet.location, frame, now);
            return;
        }
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
        self.watch_probe_address(host, &sighting, now);
        match (packet.reason, place) {
            (PuntReason::Learn | PuntReason::Move | PuntReason::Binding, Location::Local(port)) => {
                let evidence = evidence(sighting.kind);
                let addresses: Vec<IpAddr> = sighting.address.into_iter().collect();
                if let Some(interface) = self.numbering.interface(port) {
                    let addresses = addresses.clone();
                    self.events.push_back(AgentEventKind::Heard { host, interface, evidence, addresses });
                }
                let frame = if self.was_held(&packet, host, &sighting) { self.hold(packet, frame) } else { None };
                let target = sighting.target;
                self.tell(Event::Heard(Heard { host, port, evidence, addresses, target, frame }), now);
            }
            (PuntReason::Request, Location::Local(port)) => self.request(packet, (host, port), &sighting, frame, now),
            (PuntReason::ProbeReply, from) => match (sighting.address, from) {
                (Some(address), _) => {
                    self.events.push_back(AgentEventKind::Answered { host, from: self.place(from), address });
                    self.tell(Event::ProbeAnswered { host, from, address }, now);
                }
                // A frame to the probe address that answers nothing is still a sign of life.
                (None, Location::Local(port)) => {
                    self.tell(Event::SeenAtRecordedPort { host, port, address: None }, now);
                }
                (None, Location::Remote(_)) => {}
            },
            (PuntReason::Alive, Location::Local(port)) => {
                if let Some(interface) = self.numbering.interface(port) {
                    self.events.push_back(AgentEventKind::SeenAlive { host, interface });
                }
                self.tell(Event::SeenAtRecordedPort { host, port, address: sighting.address }, now);
            }
            // Nothing is learned from tunnels; the pipeline punts only probe replies from there.
            (
                PuntReason::Learn
                | PuntReason::Move
                | PuntReason::Binding
                | PuntReason::Request
                | PuntReason::Alive
                | PuntReason::Sent
                | PuntReason::Neighbour,
                Location::Remote(_),
            )
            | (PuntReason::Sent | PuntReason::Neighbour, Location::Local(_)) => self.counters.foreign_frames += 1,
        }
        // What waited for this one to be read may be known now.
        self.conclude(now);
    }

    /// A frame of our own is back.
    fn sent(&mut self, location: LocationId, frame: &[u8], now: Instant) {
        if let Some(mark) = frames::mark_number(frame) {
            self.checks.marked(mark);
            self.conclude(now);
        } else if let Some(tag) = frames::tag(frame) {
            if let Some((host, question, round)) = self.questions.back(tag) {
                self.checks.has_left(&(host, question, location));
                self.tell(Event::Asked { host, question, round }, now);
            }
            self.ask(now);
        }
    }

    fn request(
        &mut self,
        packet: PacketIn,
        (host, port): (HostKey, vouch_mobility::AccessId),
        sighting: &Sighting,
        frame: &[u8],
        now: Instant,
    ) {
        let held = HeldFrame { bd: packet.bd, location: packet.location, frame: frame.to_vec() };
        // One that asks for nothing that we can read, or that there is no room for, is not kept from those it is for.
        let Some(target) = sighting.target else { return self.release(held) };
        match self.held.keep(held) {
            Ok(frame) => {
                self.tell(Event::Requested { host, port, address: sighting.address, target, frame }, now);
            }
            Err(held) => {
                self.counters.requests_not_held += 1;
                self.release(held);
            }
        }
    }

    /// Whether the controller alone has the frame. Announcements of a claim are handed over, not copied, and so are those that
    /// disagree with a binding that the switch knows.
    fn was_held(&self, packet: &PacketIn, host: HostKey, sighting: &Sighting) -> bool {
        let announcement = match sighting.kind {
            SightingKind::Arp
            | SightingKind::Rarp
            | SightingKind::NeighborDiscovery
            | SightingKind::DuplicateAddressDetection => true,
            SightingKind::Data => false,
        };
        match packet.reason {
            PuntReason::Move => announcement,
            PuntReason::Binding => {
                let bound = sighting.address.and_then(|address| self.machine.binding(host.vni, address));
                bound.is_some_and(|binding| binding.mac != host.mac)
            }
            PuntReason::Learn
            | PuntReason::ProbeReply
            | PuntReason::Alive
            | PuntReason::Request
            | PuntReason::Sent
            | PuntReason::Neighbour => false,
        }
    }

    fn hold(&mut self, packet: PacketIn, frame: &[u8]) -> Option<FrameId> {
        let held = self.held.keep(HeldFrame { bd: packet.bd, location: packet.location, frame: frame.to_vec() });
        if held.is_err() {
            self.counters.frames_not_held += 1;
        }
        held.ok()
    }

    /// Rule 1: hosts are asked from an address that nobody has. If somebody has it, each question takes it away from them.
    fn watch_probe_address(&mut self, host: HostKey, sighting: &Sighting, now: Instant) {
        let Some(probe_as) = self.probe_as(host.vni) else { return };
        let wanted = match sighting.kind {
            SightingKind::DuplicateAddressDetection => sighting.target,
            SightingKind::Arp | SightingKind::NeighborDiscovery | SightingKind::Rarp | SightingKind::Data => {
                sighting.address
            }
        };
        let Some(address) = wanted.filter(|address| probe_as.reserves(*address)) else { return };
        self.counters.probe_address_used += 1;
        if let Some(times) = self.said.say(Said::ProbeAddress(host.vni), now) {
            tracing::warn!(
                agent = self.config.name, %host, %address, times,
                "somebody uses the address that hosts are asked from (`probe_as`): it has to be one that nobody has"
            );
        }
    }

    /// The VNI and the place that a punted frame came from.
    fn origin(&self, packet: &PacketIn) -> Option<(vouch_net::Vni, Location)> {
        let (vni, place) = (self.numbering.vni(packet.bd)?, self.numbering.location(packet.location)?);
        self.belongs(place, vni).then_some((vni, place))
    }

    /// Whether hosts of the VNI can be there at all.
    pub(super) fn belongs(&self, place: Location, vni: vouch_net::Vni) -> bool {
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
