//! What goes out: rounds of work for the switch, messages for the peers, events for whoever watches.

use std::time::SystemTime;

use tokio::time::Instant as Clock;
use vouch_tables::PacketOut;

use super::super::chronicle::What;
use super::super::core::Output;
use super::super::policed;
use super::super::switch::Work;
use super::super::traces::Traces;
use super::answers::{WallClock, event};
use super::{AfterRound, Finding, Switch, Task};
use crate::events::{AgentEvent, AgentEventKind};
use crate::guards::{DriverGuard, is_out};

/// How many messages of the lists that a session begins with are taken from the machine at a time.
const LISTED: usize = 1_024;

impl Task {
    /// Moves everything that was decided on its way.
    pub(super) fn flush(&mut self) {
        self.find_out();
        self.list();
        let Some(core) = &mut self.core else { return };
        let told: Vec<AgentEventKind> = std::iter::from_fn(|| core.poll_event()).collect();
        while let Some(output) = core.poll_output() {
            self.outbox.push(output);
        }
        while let Some((header, frame)) = core.poll_at_once() {
            let packet = self.program.tables.packet_out(header, frame);
            if self.session.try_packet_out(packet.payload, packet.metadata).is_err() {
                self.counters.packets_dropped += 1;
            }
        }
        for kind in told {
            self.tell(kind);
        }
        self.reset_broken();
        match &self.switch {
            Switch::Ready { working: Some(_) } => {}
            Switch::Ready { working: None } if self.read_back.is_some_and(|due| due <= Clock::now()) => {
                self.synchronise();
                self.send_frames();
            }
            Switch::Ready { working: None } => self.start_round(),
            Switch::Synchronising(_) => self.send_frames(),
            Switch::Away { .. } => {
                self.send_frames();
                let messages = self.outbox.take_messages();
                self.forget(messages);
            }
        }
    }

    /// Starts the next round of work, if there is any.
    fn start_round(&mut self) {
        let Some(core) = &mut self.core else { return };
        let changes = core.wanted().take_changes();
        let mut work = Work::default();
        work.write(&self.program.tables, &changes);
        for output in self.outbox.take_frames() {
            if let Output::PacketOut { header, frame } = output {
                work.packets.push(self.program.tables.packet_out(header, frame));
            }
        }
        let mut messages = Vec::from(self.outbox.take_messages());
        if work.updates.is_empty() || is_out(DriverGuard::WrittenFirst) {
            // Nothing that a peer could be told too early.
            self.send_messages(std::mem::take(&mut messages));
        }
        if !work.is_empty() {
            self.begin_round(work, Vec::new(), messages, AfterRound::Written(changes));
        }
    }

    /// Asks the switch for what checks need. The mark does not wait for writes, or they would decide what is in time; what has
    /// to have been sent before it has been confirmed.
    fn find_out(&mut self) {
        if !matches!(self.switch, Switch::Ready { .. }) {
            return;
        }
        let now = self.now();
        let Some((mark, output, cells)) = self.core.as_mut().and_then(|core| core.find_out(now)) else { return };
        if let Output::PacketOut { header, frame } = output {
            self.send_frame(header, frame);
        }
        if !cells.is_empty() {
            let counts = Box::pin(policed::read(self.session.clone(), self.program.clone(), cells));
            self.finding = Some(Finding { mark, counts });
        }
    }

    /// Says the lists to new sessions, as much as they have room for.
    fn list(&mut self) {
        let (Some(core), Some(peers)) = (&mut self.core, &self.peers) else { return };
        for (peer, session) in core.listing() {
            // The machine's own messages must always find room.
            let queue = peers.handle.room(peer, session).min(self.outbox.room(peer, session)) / 2;
            core.list(peer, queue.min(LISTED));
        }
    }

    /// Ends the sessions that have missed something.
    fn reset_broken(&mut self) {
        if let Some(peers) = &self.peers {
            for (peer, session) in self.outbox.broken() {
                peers.handle.reset(peer, session);
            }
        }
    }

    /// Sends the frames among what waits: a probe must not be late because the switch is being read. What was decided
    /// for the tables will be in the difference, and messages wait for that.
    pub(super) fn send_frames(&mut self) {
        for output in self.outbox.take_frames() {
            if let Output::PacketOut { header, frame } = output {
                self.send_frame(header, frame);
            }
        }
    }

    /// Sends a frame without waiting for anything.
    pub(super) fn send_frame(&mut self, header: PacketOut, frame: Vec<u8>) {
        let packet = self.program.tables.packet_out(header, frame);
        if self.session.try_packet_out(packet.payload, packet.metadata).is_err() {
            self.counters.packets_dropped += 1;
        }
    }

    /// Sends messages; all that was decided before them has been written.
    pub(super) fn send_messages(&mut self, messages: impl IntoIterator<Item = Output>) {
        for output in messages {
            let Output::Send { to, session, message } = output else { continue };
            self.outbox.gone(to, session);
            let Some(message) = self.doubts.say(to, session, message) else {
                self.counters.messages_in_doubt += 1;
                continue;
            };
            let sent = match &self.peers {
                Some(peers) => peers.handle.send(to, session, message.clone()).is_ok(),
                None => false,
            };
            // A message that is not sent is made good by the next session's lists.
            if sent {
                self.tell(AgentEventKind::Sent { to, message });
            } else {
                self.counters.messages_dropped += 1;
            }
        }
    }

    /// Messages that are not going to be sent, because what they announce is not so, or not known to be. Their sessions miss them.
    pub(super) fn forget(&mut self, messages: impl IntoIterator<Item = Output>) {
        for output in messages {
            let Output::Send { to, session, .. } = output else { continue };
            self.outbox.gone(to, session);
            if !is_out(DriverGuard::MissedEnds) {
                self.outbox.broke(to, session);
            }
            self.counters.messages_dropped += 1;
        }
        self.reset_broken();
    }

    /// Notes something for traces, if anybody wants them, and sends what has ended.
    pub(super) fn trace(&mut self, at: Clock, note: impl FnOnce(&mut Traces, SystemTime)) {
        let Some((traces, spans)) = &mut self.traces else { return };
        let Some(at) = WallClock::read().at(at) else { return };
        note(traces, at);
        for span in traces.take() {
            spans.send(span);
        }
    }

    pub(super) fn tell(&mut self, kind: AgentEventKind) {
        let now = Clock::now();
        if let AgentEventKind::Report(report) = &kind {
            self.metrics.report(report, now);
        }
        self.trace(now, |traces, at| traces.event(&kind, at));
        let number = self.chronicle.event(&kind, now);
        if self.watchers.any()
            && let Some(core) = &self.core
        {
            let line = core.line(&What::Event(kind.clone()));
            let at = WallClock::read().at(now);
            self.watchers.tell(event(&self.name, number, at, 1, line));
        }
        let Some(watcher) = &self.watcher else { return };
        let event = AgentEvent { agent: self.name.clone(), at: now.into_std(), kind };
        if watcher.try_send(event).is_err() {
            self.counters.events_dropped += 1;
        }
    }
}
