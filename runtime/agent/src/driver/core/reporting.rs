//! What the operator hears: reports of the machine, and what the driver counted.

use vouch_mobility::{AccessId, Full, HostKey, Instant, Location, Report};
use vouch_net::Vni;
use vouch_tables::{PuntMeter, PuntReason};

use super::super::log::say;
use super::Core;
use crate::events::{AgentEventKind, Place};
use crate::metrics;

vouch_mobility::counters! {
    /// What was refused, or done in somebody's name, and how often.
    pub struct DriverCounters {
        /// Punted frames that make no sense.
        malformed_frames,
        /// Punted frames from a bridge domain or place that is not configured (any more).
        foreign_frames,
        /// Frames of claims that could not be held because too many were.
        frames_not_held,
        /// Frames of claims that were released after the verdict.
        frames_released,
        /// Frames of claims that were dropped after the verdict.
        frames_dropped,
        /// Frames that are held now.
        frames_held,
        /// Requests that were passed on at once because too many were held.
        requests_not_held,
        /// Requests that were answered in the name of who has the address.
        requests_answered,
        /// Questions of which it is not certain that an answer would have been heard.
        checks_incomplete,
        /// Bindings that the switch has no room for now.
        bindings_beyond,
        /// Messages to peers without a session; the next one's lists make good for them.
        messages_without_session,
        /// Frames of hosts that use the address that hosts are asked from.
        probe_address_used,
        /// What was said on links of the underlay, and not believed.
        neighbours_refused,
    }
}

/// Lines that somebody else can cause in any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Said {
    Attack(HostKey, AccessId),
    AddressKept(HostKey, AccessId),
    AddressMoved(HostKey),
    Contested(HostKey),
    Unproven(HostKey),
    Duplicate(HostKey),
    Exhausted(HostKey),
    Full(Full),
    RoomAgain(Full),
    ProbeAddress(Vni),
    Policed(PuntMeter),
    BindingsFull,
    Neighbour(u16),
}

impl Core {
    /// What was refused, and how often.
    pub(crate) fn counters(&self) -> DriverCounters {
        let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        DriverCounters {
            frames_held: number(self.held.len()),
            bindings_beyond: number(self.wanted.bindings_beyond()),
            ..self.counters
        }
    }

    /// How much there is of what is here, but for the hosts, which are counted by and by.
    pub(crate) fn tally(&self, tally: &mut metrics::Tally) {
        let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        tally.draining = self.machine.is_draining();
        tally.entries = number(self.wanted.len());
        tally.unwritten = number(self.wanted.unwritten());
        tally.mobility = self.machine.counters();
        tally.driver = self.counters();
        for peer in self.sessions.keys() {
            tally.peers.insert(*peer, true);
        }
        tally.punts.clone_from(&self.punts);
        for (cell, count) in self.checks.policed() {
            *tally.policed.entry(cell.reason).or_default() += count;
        }
    }

    /// Punts of each place that the switch dropped because they were over their budget.
    pub(crate) fn policed_at(&self) -> impl Iterator<Item = (Location, u64)> {
        let counts = self.checks.policed().filter(|(_, count)| *count > 0);
        counts.filter_map(|(cell, count)| Some((self.numbering.location(cell.location)?, count)))
    }

    /// The same by reason.
    pub(crate) fn policed_by_reason(&self) -> impl Iterator<Item = (PuntReason, Place, u64)> {
        let counts = self.checks.policed().filter(|(_, count)| *count > 0);
        counts
            .filter_map(|(cell, count)| Some((cell.reason, self.place(self.numbering.location(cell.location)?), count)))
    }

    /// Whether a port of the underlay is known to have no link.
    pub(crate) fn underlay_is_down(&self, port: u16) -> bool {
        self.wanted.is_down(port)
    }

    /// Frames of each place that were longer than the underlay carries.
    pub(crate) fn too_long_at(&self) -> impl Iterator<Item = (Location, u64)> {
        self.too_long.iter().map(|(location, frames)| (*location, *frames))
    }

    pub(super) fn report(&mut self, report: Report, now: Instant) {
        tracing::debug!(agent = self.config.name, ?report);
        let event = AgentEventKind::Report(report);
        let AgentEventKind::Report(report) = &event else { return };
        match report {
            Report::Attack { host, port, .. } => self.warn(Said::Attack(*host, *port), &event, now),
            Report::AddressKept { claimant, port, .. } => self.warn(Said::AddressKept(*claimant, *port), &event, now),
            Report::AddressMoved { to, .. } => self.warn(Said::AddressMoved(*to), &event, now),
            Report::Contested { host, .. } => self.warn(Said::Contested(*host), &event, now),
            Report::Unproven { host, .. } => self.warn(Said::Unproven(*host), &event, now),
            Report::Duplicate { host, .. } => self.warn(Said::Duplicate(*host), &event, now),
            Report::SequenceExhausted { host } => self.warn(Said::Exhausted(*host), &event, now),
            Report::Full { what } => self.warn(Said::Full(*what), &event, now),
            Report::RoomAgain { what } => self.warn(Said::RoomAgain(*what), &event, now),
            Report::Stayed { .. }
            | Report::Moved { .. }
            | Report::Removed { .. }
            | Report::Settled { .. }
            | Report::AttackOver { .. }
            | Report::HeardAtOldPort { .. }
            | Report::OwnerUnreachable { .. } => self.inform(&event, now),
            Report::Learned { .. }
            | Report::ClaimRaised { .. }
            | Report::VerificationStarted { .. }
            | Report::AddressClaimed { .. } => {}
        }
        self.events.push_back(event);
    }

    /// Something that happened, for the log; if too much does, only how often.
    pub(super) fn inform(&mut self, event: &AgentEventKind, now: Instant) {
        self.say_unsaid(now);
        let line = self.line_of(event);
        if self.floods.admits(line.kind) {
            say!(info, self.config.name, line, |place| self.words(place), None::<u64>);
        }
    }

    /// What was too much to be said one by one.
    pub(super) fn say_unsaid(&mut self, now: Instant) {
        if let Some(summary) = self.floods.summary(now) {
            tracing::info!(agent = self.config.name, event = "summary", "{summary}");
        }
    }

    /// Something that somebody should look at, for the log; not each time.
    fn warn(&mut self, said: Said, event: &AgentEventKind, now: Instant) {
        if let Some(times) = self.said.say(said, now) {
            let line = self.line_of(event);
            say!(warn, self.config.name, line, |place| self.words(place), times);
        }
    }
}
