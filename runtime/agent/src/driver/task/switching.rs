//! The switch comes, goes, stalls, and takes or refuses what is written.

use std::collections::HashSet;

use tokio::time::Instant as Clock;
use tonic::Code;
use vouch_mobility::HostKey;
use vouch_p4runtime::client::{RpcError, WriteError};
use vouch_tables::{EntryKey, PuntMeter, PuntReason};

use super::super::core::{Core, Given, Output};
use super::super::incarnation;
use super::super::lasting::Lasting;
use super::super::policed::{self, Policed};
use super::super::switch::{Found, Work, synchronise};
use super::{AfterRound, RETRY, RETRY_MAX, Round, STALL, Switch, Task};
use crate::events::AgentEventKind;
use crate::guards::{DriverGuard, is_out};

/// The number of the mark that only asks whether the switch is alive. Checks count from 1.
const PULSE: u64 = 0;

impl Task {
    /// Reads the switch back.
    pub(super) fn synchronise(&mut self) {
        self.read_back = None;
        let config = self.config.clone();
        let budgets = move |found: &_| Core::budgets(&config, found);
        let found = synchronise(self.session.clone(), self.program.clone(), budgets);
        self.switch = Switch::Synchronising(Box::pin(found));
    }

    pub(super) fn on_found(&mut self, found: Found) {
        let now = self.now();
        let mut work = Work::default();
        for (entity, reason) in found.meaningless {
            tracing::warn!(agent = %self.name, reason, "an entry in our tables that is not ours: deleted");
            work.delete(entity);
        }
        let mut hosts_restored = 0;
        let hearing = self.hearing();
        let core = match &mut self.core {
            Some(core) => core,
            none => {
                self.incarnation = incarnation();
                let (incarnation, room) = (self.incarnation, self.program.room_for_bindings());
                let hops = self.program.room_for_hops().unwrap_or_default();
                let given = Given { incarnation, room, hops, hearing };
                let (core, restored) = Core::new(self.config.clone(), given, &found.entries, now);
                hosts_restored = restored;
                none.insert(core)
            }
        };
        let changes = core.wanted().changes_from(found.entries);
        work.write(&self.program.tables, &changes);
        let entries_written = work.updates.len();
        let then =
            AfterRound::Synchronised { program_installed: found.program_installed, hosts_restored, entries_written };
        self.send_frames();
        let messages = self.outbox.take_messages().into();
        // What the counters of policed punts say has to be known before questions begin.
        let cells = if self.fresh { self.policed_cells() } else { Vec::new() };
        self.begin_round(work, cells, messages, then);
    }

    pub(super) fn begin_round(&mut self, work: Work, cells: Vec<PuntMeter>, messages: Vec<Output>, then: AfterRound) {
        let keys = work.keys.clone();
        let (session, program) = (self.session.clone(), self.program.clone());
        let work = Box::pin(async move {
            work.carry_out(session.clone()).await?;
            // Where it cannot be read now, it is soon.
            Ok(policed::read(session, program, cells).await.unwrap_or_default())
        });
        let began = Clock::now();
        self.metrics.begin(keys.len());
        self.switch = Switch::Ready { working: Some(Round { work, began, keys, messages, then }) };
    }

    pub(super) fn on_sync_failure(&mut self, error: &RpcError) {
        self.refused_for_good(Lasting::of_program(error));
        if !error.is_connection() {
            self.reason = error.to_string();
            tracing::error!(agent = %self.name, %error, "the switch cannot be used; trying again in {} ms", self.retry.as_millis());
        }
        self.retry_later();
    }

    pub(super) async fn on_worked(&mut self, result: Result<Policed, WriteError>) {
        let Switch::Ready { working } = &mut self.switch else { return };
        let Some(round) = working.take() else { return };
        let synchronised = matches!(round.then, AfterRound::Synchronised { .. });
        self.metrics.end(round.began.elapsed(), result.is_ok(), Clock::now());
        let refused = match &result {
            Ok(_) => Some(HashSet::new()),
            Err(error @ WriteError::Updates { .. }) => {
                self.counters.failed_writes += 1;
                self.on_refused(error, &round.keys)
            }
            Err(error @ WriteError::Rpc { .. }) => {
                self.counters.failed_writes += 1;
                tracing::warn!(agent = %self.name, %error, "the switch will be read back in {} ms", self.retry.as_millis());
                // What was to be said about these writes is not said: the sessions end, and the next lists say what is.
                self.forget(round.messages);
                self.retry_later();
                return;
            }
        };
        self.resume();
        if let Ok(policed) = result {
            self.feed(|core, now| core.policed(policed, now));
        }
        let doubt = refused.as_ref().is_some_and(|hosts| !hosts.is_empty()) || refused.is_none();
        let hosts = refused.unwrap_or_default();
        if synchronised {
            for (peer, session) in self.doubts.only(hosts) {
                self.outbox.broke(peer, session);
            }
        } else {
            self.doubts.add(hosts);
        }
        self.send_messages(round.messages);
        if self.stalled {
            self.stalled = false;
            tracing::info!(agent = %self.name, "the switch has come to itself");
            self.start_peering().await;
        }
        match round.then {
            AfterRound::Written(_) if doubt => {}
            AfterRound::Written(changes) => {
                self.note_written(&changes, round.began);
                // Words are for whoever watches; most agents run unwatched, and a round may have thousands of changes.
                if self.watcher.is_some() {
                    let changes = changes.iter().map(ToString::to_string).collect();
                    self.tell(AgentEventKind::Written { changes });
                }
            }
            AfterRound::Synchronised { program_installed, hosts_restored, entries_written } => {
                if !doubt {
                    self.proven = true;
                    self.retry = RETRY;
                    tracing::info!(agent = %self.name, program_installed, hosts_restored, entries_written, "the switch is ready");
                    self.tell(AgentEventKind::SwitchReady { program_installed, hosts_restored, entries_written });
                }
                // An entry that the switch refuses holds up no other, and of its host nothing is said.
                if std::mem::take(&mut self.fresh) {
                    self.ports.restart();
                    self.counters_of_hosts.restart();
                    let cells = self.policed_cells();
                    self.policed.restart(cells);
                    let places = self.core.as_mut().map_or_else(Vec::new, |core| core.wanted().places().collect());
                    self.too_long.restart(places);
                    self.start_peering().await;
                }
            }
        }
    }

    /// The switch refused updates. Bindings that it has no room for wait; about everything else there is a doubt until it has been
    /// read back. The hosts in doubt; nothing, if it is about something else.
    fn on_refused(&mut self, error: &WriteError, keys: &[Option<EntryKey>]) -> Option<HashSet<HostKey>> {
        let core = self.core.as_mut()?;
        let (mut full, mut hosts, mut other) = (Vec::new(), HashSet::new(), false);
        for failed in error.failed() {
            let key = keys.get(failed.index).copied().flatten();
            match key {
                Some(key @ (EntryKey::BindingIpv4(_) | EntryKey::BindingIpv6(_)))
                    if failed.code == Code::ResourceExhausted =>
                {
                    full.push(key);
                }
                Some(key) => match core.host_of(&key) {
                    Some(host) => {
                        hosts.insert(host);
                    }
                    None => other = true,
                },
                None => other = true,
            }
        }
        core.wanted().bindings_refused(&full);
        let of_nobody = |key: &EntryKey| {
            !matches!(key, EntryKey::BindingIpv4(_) | EntryKey::BindingIpv6(_)) && core.host_of(key).is_none()
        };
        let mut of_configuration = error
            .failed()
            .iter()
            .filter(|failed| keys.get(failed.index).and_then(Option::as_ref).is_some_and(of_nobody));
        let lasting = of_configuration.find_map(Lasting::of_entry);
        self.refused_for_good(lasting);
        if hosts.is_empty() && !other {
            return Some(hosts);
        }
        self.reason = error.to_string();
        if self.read_back.is_none() {
            tracing::warn!(agent = %self.name, %error, "the switch will be read back in {} ms", self.retry.as_millis());
            self.read_back = Some(self.next_retry());
        }
        if hosts.is_empty() { None } else { Some(hosts) }
    }

    fn retry_later(&mut self) {
        let retry = Some(self.next_retry());
        self.gone(retry);
    }

    fn next_retry(&mut self) -> Clock {
        let due = Clock::now() + self.retry;
        self.retry = (self.retry * 2).min(RETRY_MAX);
        due
    }

    pub(super) fn lost(&mut self, reason: String) {
        self.reason.clone_from(&reason);
        if !matches!(self.switch, Switch::Away { retry: None }) {
            tracing::warn!(agent = %self.name, reason, "the switch is not ours any more");
            self.tell(AgentEventKind::SwitchLost { reason });
        } else {
            tracing::info!(agent = %self.name, reason, "waiting for the switch");
        }
        self.gone(None);
    }

    /// The switch cannot be used, for now or until it says so.
    fn gone(&mut self, retry: Option<Clock>) {
        self.be_silent();
        let before = std::mem::replace(&mut self.switch, Switch::Away { retry });
        if let Switch::Ready { working: Some(round) } = before {
            self.forget(round.messages);
        }
        let messages = self.outbox.take_messages();
        self.forget(messages);
        self.read_back = None;
        self.stalled = false;
        self.counters_of_hosts.stop();
        self.policed.stop();
        self.too_long.stop();
        self.ports.stop();
        if !std::mem::replace(&mut self.fresh, true) && !is_out(DriverGuard::LinksUnknown) {
            self.feed(Core::ports_unknown);
        }
        self.pause();
    }

    /// When a round of work has taken so long that the switch is to give a sign of life, or to be taken for stalled.
    pub(super) fn stall_due(&self, round: &Round) -> Option<Clock> {
        // Whoever speaks to nobody need not fall silent.
        if self.stalled || self.peers.is_none() {
            return None;
        }
        let quiet_since = self.pulse.unwrap_or(self.heard).max(round.began);
        Some(quiet_since + STALL / 2)
    }

    /// The switch works and says nothing. That may be because there is nothing to say, so it is asked; and if it does not answer
    /// either, it is as good as gone: what we would say to peers is not known to be so.
    pub(super) fn on_quiet_switch(&mut self) {
        if self.pulse.is_none() {
            self.pulse = Some(Clock::now());
            if let Some((header, frame)) = self.core.as_ref().and_then(|core| core.mark(PULSE)) {
                self.send_frame(header, frame);
            }
            return;
        }
        self.stalled = true;
        let quiet = self.heard.elapsed();
        tracing::warn!(agent = %self.name, ?quiet, "the switch has stalled: silent towards peers until it goes on");
        self.be_silent();
    }

    /// All cells that an answer can be counted in when it is policed away.
    fn policed_cells(&mut self) -> Vec<PuntMeter> {
        let Some(core) = &mut self.core else { return Vec::new() };
        let mut cells = Vec::new();
        for location in core.wanted().places() {
            let reasons = if location.is_tunnel() { &[PuntReason::ProbeReply][..] } else { &PuntReason::ALL[..6] };
            cells.extend(reasons.iter().map(|reason| PuntMeter { reason: *reason, location }));
        }
        cells
    }
}
