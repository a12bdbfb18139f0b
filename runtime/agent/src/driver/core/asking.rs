//! Questions to hosts, whether their silence can be trusted, and answers in the name of hosts.

use std::net::IpAddr;

use vouch_mobility::{BindingView, Event, FrameId, HostKey, Instant, Location, Probe, QuestionId};
use vouch_net::{MacAddr, Vni};
use vouch_tables::{LocationId, PacketOut, PuntMeter};

use super::super::checks::FindOut;
use super::super::frames::{self, Asker, ProbeSource};
use super::super::held::HeldFrame;
use super::super::pace::ON_THEIR_WAY;
use super::reporting::Said;
use super::{Core, Output};
use crate::config::{DEFAULT_MTU, VtepConfig};
use crate::events::AgentEventKind;
use crate::guards::{DriverGuard, is_out};

impl Core {
    /// A round is to be asked as soon as the switch takes it.
    pub(super) fn probe(&mut self, probe: Probe, now: Instant) {
        let location = self.numbering.location_id(probe.via);
        let begun = location.is_some_and(|place| self.checks.has_begun(&(probe.host, probe.question, place)));
        self.pace.push(probe, begun);
        self.ask(now);
    }

    /// Asks as long as not too much is on its way.
    pub(super) fn ask(&mut self, now: Instant) {
        while self.questions.on_their_way(now) < ON_THEIR_WAY
            && let Some(probe) = self.pace.pop()
        {
            // It may have been answered while it waited.
            if self.machine.is_asking(&probe.host, probe.question) {
                self.ask_round(&probe, now);
            }
        }
    }

    fn ask_round(&mut self, probe: &Probe, now: Instant) {
        let Some(probe_mac) = self.config.vtep.as_ref().map(|vtep| vtep.probe_mac) else { return };
        let (Some(probe_as), Some(bd), Some(location)) =
            (self.probe_as(probe.host.vni), self.numbering.bd(probe.host.vni), self.numbering.location_id(probe.via))
        else {
            return;
        };
        let asked = (probe.host, probe.question, location);
        let under_way = self.checks.is_under_way(&asked);
        self.checks.begin(asked, probe.recorded);
        // Through a tunnel, what a host sends to others is not seen here either.
        let seen_there = probe.recorded && matches!(probe.via, Location::Local(_));
        let source = ProbeSource::new(probe_as, probe_mac, seen_there);
        let tags = self.questions.ask((probe.host, probe.question, probe.round), probe.targets.len(), now);
        for (target, tag) in probe.targets.iter().zip(tags) {
            let frame = frames::probe(&source, probe.host.mac, *target, tag);
            let header = PacketOut::Ask { bd, location };
            // The first round waits until it is written that the host is watched; the others need not wait for anything.
            if under_way {
                self.at_once.push_back((header, frame));
            } else {
                self.outputs.push_back(Output::PacketOut { header, frame });
            }
        }
        if is_out(DriverGuard::CopiesBack) {
            self.checks.has_left(&asked);
            let (host, question, round) = (probe.host, probe.question, probe.round);
            self.machine.handle(Event::Asked { host, question, round }, now);
        }
        let via = self.place(probe.via);
        self.events.push_back(AgentEventKind::Asked { host: probe.host, via, targets: probe.targets.clone() });
    }

    pub(super) fn check(&mut self, host: HostKey, question: QuestionId, via: Location, now: Instant) {
        match self.numbering.location_id(via) {
            Some(location) => self.checks.want((host, question, location), now),
            // Peers and interfaces are all numbered; a question at any other place cannot come about.
            None => self.machine.handle(Event::Checked { host, question, complete: false }, now),
        }
    }

    /// A mark for the stream.
    pub(crate) fn mark(&self, number: u64) -> Option<(PacketOut, Vec<u8>)> {
        let vtep = self.config.vtep.as_ref()?;
        let bd = vtep.vnis.first().and_then(|vni| self.numbering.bd(vni.vni))?;
        Some((PacketOut::Echo { bd }, frames::mark(vtep.probe_mac, number)))
    }

    /// What is to be found out for the checks that wait, if anything is: a mark to send at once, and cells to read.
    pub(crate) fn find_out(&mut self, now: Instant) -> Option<(u64, Output, Vec<PuntMeter>)> {
        let FindOut { mark, cells } = self.checks.next_batch(now)?;
        let (header, frame) = self.mark(mark)?;
        Some((mark, Output::PacketOut { header, frame }, cells))
    }

    /// The cells that were to be read for a mark; nothing, if they could not be.
    pub(crate) fn found_out(&mut self, mark: u64, counts: Option<Vec<(PuntMeter, u64)>>, now: Instant) {
        let could = counts.is_some();
        self.policed(counts.unwrap_or_default(), now);
        self.checks.read(mark, could);
        self.conclude(now);
    }

    /// Cells that were read meanwhile.
    pub(crate) fn policed(&mut self, counts: Vec<(PuntMeter, u64)>, now: Instant) {
        for (cell, more) in self.checks.refresh(counts) {
            if let Some(place) = self.numbering.location(cell.location).map(|location| self.place(location))
                && let Some(times) = self.said.say(Said::Policed(cell), now)
            {
                tracing::warn!(
                    agent = self.config.name, ?place, reason = %cell.reason, more, times,
                    "the switch dropped punts of this place that were over their budget (`punt_rates`)"
                );
            }
        }
    }

    /// Frames that were longer than the underlay carries, so far.
    pub(crate) fn too_long(&mut self, counts: Vec<(LocationId, u64)>) {
        for (location, frames) in counts {
            let Some(location) = self.numbering.location(location) else { continue };
            let first = self.too_long.insert(location, frames).is_none();
            if !first {
                continue;
            }
            let (place, mtu) = (self.place(location), self.wanted.mtu());
            let Some(bytes) = self.config.vtep.as_ref().map(VtepConfig::tunnel_bytes) else { continue };
            tracing::warn!(
                agent = self.config.name,
                ?place,
                frames,
                "frames of this place do not fit the underlay's MTU of {mtu} bytes with {bytes} of the tunnel, and are dropped: set \
                 the MTU of its hosts to {} at most, or the underlay's (links and `underlay.mtu`) to {} for hosts with {DEFAULT_MTU}",
                mtu.saturating_sub(bytes),
                DEFAULT_MTU + bytes
            );
            self.events.push_back(AgentEventKind::ExceedsMtu { place, frames, mtu });
        }
    }

    /// Tells the machine what can be said by now of the checks.
    pub(crate) fn conclude(&mut self, now: Instant) {
        self.checks.conclude(now);
        while let Some((host, question, complete)) = self.checks.poll() {
            if !complete {
                self.counters.checks_incomplete += 1;
            }
            self.tell(Event::Checked { host, question, complete }, now);
        }
    }

    pub(super) fn bind(&mut self, vni: Vni, address: IpAddr, binding: Option<BindingView>, now: Instant) {
        self.wanted.set_binding(vni, address, binding, &self.numbering);
        let beyond = self.wanted.bindings_beyond();
        if beyond > 0
            && binding.is_some()
            && let Some(times) = self.said.say(Said::BindingsFull, now)
        {
            tracing::warn!(
                agent = self.config.name,
                beyond,
                times,
                "the switch has no room for more bindings: those beyond are written when others go, and until then nothing is checked against them there"
            );
        }
    }

    /// Answers a held request in the name of who has the address.
    pub(super) fn answer(&mut self, frame: FrameId, target: IpAddr, mac: MacAddr) {
        let Some(held) = self.held.take(frame) else { return };
        let asker = frames::sighting(&held.frame).ok();
        // Who asks without an address of its own (rule 12) is not answered by anybody but who has the target.
        let answer = asker.and_then(|seen| {
            let asker = Asker { mac: seen.source, address: seen.address? };
            frames::answer(asker, target, mac)
        });
        match answer {
            Some(frame) => {
                self.counters.requests_answered += 1;
                let HeldFrame { bd, location, .. } = held;
                self.outputs.push_back(Output::PacketOut { header: PacketOut::Send { bd, location }, frame });
            }
            None => self.release(held),
        }
    }
}
