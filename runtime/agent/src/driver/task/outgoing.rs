//! What goes out: rounds of work for the switch, messages for the peers, events for whoever watches.

use tokio::time::Instant as Clock;

use super::super::core::Output;
use super::super::switch::Work;
use super::{AfterRound, Round, Switch, Task};
use crate::events::{AgentEvent, AgentEventKind};

/// Messages and packets that may wait for a write. Beyond it they go out before the write is confirmed.
const OUTPUTS: usize = 65_536;

impl Task {
    /// Moves everything that was decided on its way.
    pub(super) fn flush(&mut self) {
        let Some(core) = &mut self.core else { return };
        let told: Vec<AgentEventKind> = std::iter::from_fn(|| core.poll_event()).collect();
        self.waiting.extend(std::iter::from_fn(|| core.poll_output()));
        for kind in told {
            self.tell(kind);
        }
        if self.waiting.len() > OUTPUTS {
            self.send_waiting();
        }
        match &self.switch {
            Switch::Ready { working: Some(_) } => {}
            Switch::Ready { working: None } if self.read_back.is_some_and(|due| due <= Clock::now()) => {
                self.synchronise();
                self.send_packets();
            }
            Switch::Ready { working: None } => self.start_round(),
            Switch::Synchronising(_) => self.send_packets(),
            Switch::Away { .. } => self.send_waiting(),
        }
    }

    /// Starts the next round of work, if there is any.
    fn start_round(&mut self) {
        let Some(core) = &mut self.core else { return };
        let changes = core.wanted().take_changes();
        let mut work = Work::default();
        work.write(&self.program.tables, &changes);
        let mut messages = Vec::new();
        for output in std::mem::take(&mut self.waiting) {
            match output {
                Output::PacketOut { header, frame } => work.packets.push(self.program.tables.packet_out(header, frame)),
                Output::Send { .. } => messages.push(output),
            }
        }
        if work.updates.is_empty() {
            // Nothing that a peer could be told too early.
            self.send(std::mem::take(&mut messages));
        }
        if work.is_empty() {
            return;
        }
        let then = AfterRound::Written(changes);
        let work = Box::pin(work.carry_out(self.session.clone()));
        self.switch = Switch::Ready { working: Some(Round { work, messages, then }) };
    }

    /// Sends what waits, also for a round whose end nobody will see.
    pub(super) fn send_waiting(&mut self) {
        if let Switch::Ready { working: Some(round) } = &mut self.switch {
            let messages = std::mem::take(&mut round.messages);
            self.send(messages);
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.send(waiting);
    }

    /// Sends the packets among what waits: a probe must not be late because the switch is being read. What was decided
    /// for the tables will be in the difference, and messages wait for that.
    pub(super) fn send_packets(&mut self) {
        let (packets, messages): (Vec<Output>, _) =
            std::mem::take(&mut self.waiting).into_iter().partition(|output| match output {
                Output::PacketOut { .. } => true,
                Output::Send { .. } => false,
            });
        self.waiting = messages.into();
        self.send(packets);
    }

    /// Sends messages, and packets without waiting for anything.
    pub(super) fn send(&mut self, outputs: impl IntoIterator<Item = Output>) {
        for output in outputs {
            match output {
                Output::PacketOut { header, frame } => {
                    let packet = self.program.tables.packet_out(header, frame);
                    if self.session.try_packet_out(packet.payload, packet.metadata).is_err() {
                        self.counters.packets_dropped += 1;
                    }
                }
                Output::Send { to, message } => {
                    let sent = match &self.peers {
                        Some(peers) => peers.handle.send(to, message.clone()).is_ok(),
                        None => false,
                    };
                    // A message that is not sent is made good by the next session's full state.
                    if sent {
                        self.tell(AgentEventKind::Sent { to, message });
                    } else {
                        self.counters.messages_dropped += 1;
                    }
                }
            }
        }
    }

    pub(super) fn tell(&mut self, kind: AgentEventKind) {
        let Some(watcher) = &self.watcher else { return };
        let event = AgentEvent { agent: self.name.clone(), at: std::time::Instant::now(), kind };
        if watcher.try_send(event).is_err() {
            self.counters.events_dropped += 1;
        }
    }
}
