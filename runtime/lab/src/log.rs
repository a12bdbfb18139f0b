//! The log of a fabric: what its agents saw and did, and what the scenario did to them, in order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use vouch_agent::{AgentEvent, AgentEventKind};

/// Entries the log holds; older ones are forgotten.
const MAX_ENTRIES: usize = 200_000;

/// One line of the log.
#[derive(Clone, Debug)]
pub enum Entry {
    /// An agent saw or did something.
    Agent(AgentEvent),
    /// The scenario did something.
    Lab {
        /// When.
        at: Instant,
        /// What, in words.
        text: String,
    },
}

impl Entry {
    /// When it happened.
    pub fn at(&self) -> Instant {
        match self {
            Entry::Agent(event) => event.at,
            Entry::Lab { at, .. } => *at,
        }
    }
}

/// A place in the log: everything after it is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

impl Mark {
    /// Before everything.
    pub const START: Self = Self(0);
}

/// The log. Clones are the same log.
#[derive(Clone, Default)]
pub struct Log {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    entries: Mutex<Entries>,
    written: watch::Sender<u64>,
}

#[derive(Default)]
struct Entries {
    kept: VecDeque<Entry>,
    forgotten: u64,
}

impl Entries {
    fn since(&self, mark: Mark) -> impl Iterator<Item = &Entry> {
        let skip = usize::try_from(mark.0.saturating_sub(self.forgotten)).unwrap_or(usize::MAX);
        self.kept.iter().skip(skip)
    }
}

impl Log {
    /// Write down what the scenario does.
    pub fn note(&self, text: impl Into<String>) {
        self.push(Entry::Lab { at: Instant::now(), text: text.into() });
    }

    /// Take over all that an agent tells, until it is gone.
    pub async fn follow(self, mut events: mpsc::Receiver<AgentEvent>) {
        while let Some(event) = events.recv().await {
            self.push(Entry::Agent(event));
        }
    }

    /// The place behind everything that is in the log now.
    pub fn mark(&self) -> Mark {
        let entries = self.entries();
        Mark(entries.forgotten + entries.kept.len() as u64)
    }

    /// Everything after a mark that is still there.
    pub fn since(&self, mark: Mark) -> Vec<Entry> {
        self.entries().since(mark).cloned().collect()
    }

    /// Everything after a mark, and the mark behind it.
    pub fn take(&self, mark: Mark) -> (Vec<Entry>, Mark) {
        let entries = self.entries();
        let end = Mark(entries.forgotten + entries.kept.len() as u64);
        (entries.since(mark).cloned().collect(), end)
    }

    /// Changes with every entry.
    pub fn written(&self) -> watch::Receiver<u64> {
        self.shared.written.subscribe()
    }

    /// Wait for an event after `mark` from which `pick` takes something, at most `patience`.
    pub async fn wait<T>(
        &self,
        mark: Mark,
        patience: Duration,
        mut pick: impl FnMut(&AgentEvent) -> Option<T>,
    ) -> Option<T> {
        let mut written = self.written();
        let look = async {
            let mut from = mark;
            loop {
                written.borrow_and_update();
                let end = self.mark();
                let found = self.entries().since(from).find_map(|entry| match entry {
                    Entry::Agent(event) => pick(event),
                    Entry::Lab { .. } => None,
                });
                if let Some(found) = found {
                    return Some(found);
                }
                from = end;
                written.changed().await.ok()?;
            }
        };
        tokio::time::timeout(patience, look).await.ok().flatten()
    }

    /// How many events after `mark` are as `pick` says.
    pub fn count(&self, mark: Mark, pick: impl Fn(&str, &AgentEventKind) -> bool) -> usize {
        let entries = self.entries();
        let agents = entries.since(mark).filter(|entry| match entry {
            Entry::Agent(event) => pick(&event.agent, &event.kind),
            Entry::Lab { .. } => false,
        });
        agents.count()
    }

    fn push(&self, entry: Entry) {
        let mut entries = self.entries();
        if entries.kept.len() >= MAX_ENTRIES {
            entries.kept.pop_front();
            entries.forgotten += 1;
        }
        entries.kept.push_back(entry);
        drop(entries);
        self.shared.written.send_modify(|written| *written += 1);
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.shared.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(agent: &str, port: u16) -> AgentEvent {
        AgentEvent { agent: Arc::from(agent), at: Instant::now(), kind: AgentEventKind::Port { port, up: false } }
    }

    fn port(event: &AgentEvent) -> Option<u16> {
        match event.kind {
            AgentEventKind::Port { port, .. } => Some(port),
            _ => None,
        }
    }

    #[tokio::test]
    async fn waiting_sees_what_came_before_it_and_after_it_but_not_before_the_mark() {
        let log = Log::default();
        log.push(Entry::Agent(event("vtep1", 1)));
        let mark = log.mark();
        let patience = Duration::from_secs(60);
        let (found, ()) = tokio::join!(log.wait(mark, patience, port), async {
            log.note("not an event");
            log.push(Entry::Agent(event("vtep1", 2)));
        });
        assert_eq!(found, Some(2));
        assert_eq!(log.wait(mark, patience, port).await, Some(2));
        assert_eq!(log.wait(Mark::START, patience, port).await, Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_what_does_not_come_ends() {
        let log = Log::default();
        assert_eq!(log.wait(Mark::START, Duration::from_secs(1), port).await, None);
    }

    #[test]
    fn a_full_log_forgets_the_oldest_and_marks_stay_right() {
        let log = Log::default();
        for _ in 0..MAX_ENTRIES {
            log.note("old");
        }
        let mark = log.mark();
        log.push(Entry::Agent(event("vtep1", 7)));
        let (entries, end) = log.take(mark);
        assert_eq!(entries.len(), 1);
        assert_eq!(log.take(end).0.len(), 0);
        assert_eq!(log.since(Mark::START).len(), MAX_ENTRIES);
        assert_eq!(log.count(Mark::START, |agent, _| agent == "vtep1"), 1);
    }
}
