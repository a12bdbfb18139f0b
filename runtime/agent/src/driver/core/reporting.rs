//! What the operator hears: reports of the machine, and what the driver counted.

use vouch_mobility::{AccessId, Full, HostKey, Instant, Location, Report, counters};
use vouch_net::Vni;
use vouch_tables::PuntMeter;

use super::Core;
use crate::events::AgentEventKind;
use crate::metrics::Tally;

counters! {
    /// What was refused, or done in somebody's name, and how often.
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
        /// Frames that are held now.
        pub frames_held: u64,
        /// Requests that were passed on at once because too many were held.
        pub requests_not_held: u64,
        /// Requests that were answered in the name of who has the address.
        pub requests_answered: u64,
        /// Questions of which it is not certain that an answer would have been heard.
        pub checks_incomplete: u64,
        /// Bindings that the switch has no room for now.
        pub bindings_beyond: u64,
        /// Messages to peers without a session; the next one's lists make good for them.
        pub messages_without_session: u64,
        /// Frames of hosts that use the address that hosts are asked from.
        pub probe_address_used: u64,
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

    /// How much there is of what is here.
    pub(crate) fn tally(&self, tally: &mut Tally) {
        let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        tally.census = self.machine.census();
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

    /// Frames of each place that were longer than the underlay carries.
    pub(crate) fn too_long_at(&self) -> impl Iterator<Item = (Location, u64)> {
        self.too_long.iter().map(|(location, frames)| (*location, *frames))
    }

    pub(super) fn report(&mut self, report: Report, now: Instant) {
        match &report {
            Report::Attack { host, port, .. } => self.warn(Said::Attack(*host, *port), &report, now),
            Report::AddressKept { claimant, port, .. } => {
                self.warn(Said::AddressKept(*claimant, *port), &report, now);
            }
            Report::AddressMoved { to, .. } => self.warn(Said::AddressMoved(*to), &report, now),
            Report::Contested { host, .. } => self.warn(Said::Contested(*host), &report, now),
            Report::Unproven { host, .. } => self.warn(Said::Unproven(*host), &report, now),
            Report::Duplicate { host, .. } => self.warn(Said::Duplicate(*host), &report, now),
            Report::SequenceExhausted { host } => self.warn(Said::Exhausted(*host), &report, now),
            Report::Full { what } => self.warn(Said::Full(*what), &report, now),
            Report::RoomAgain { what } => self.warn(Said::RoomAgain(*what), &report, now),
            Report::Learned { .. }
            | Report::ClaimRaised { .. }
            | Report::VerificationStarted { .. }
            | Report::Stayed { .. }
            | Report::Moved { .. }
            | Report::Removed { .. }
            | Report::Settled { .. }
            | Report::AttackOver { .. }
            | Report::AddressClaimed { .. }
            | Report::HeardAtOldPort { .. }
            | Report::OwnerUnreachable { .. } => tracing::debug!(agent = self.config.name, ?report),
        }
        self.events.push_back(AgentEventKind::Report(report));
    }

    fn warn(&mut self, line: Said, report: &Report, now: Instant) {
        match self.said.say(line, now) {
            Some(times) => tracing::warn!(agent = self.config.name, ?report, times),
            None => tracing::debug!(agent = self.config.name, ?report),
        }
    }
}
