//! What the tasks of a peering share: the peers, each with at most one session, and the counters.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vouch_mobility::{Message, VtepAddr};

use super::api::{DownReason, PeerEvent, PeeringCounters, PeeringSetup, Refusal, RefusalReason, SendError};
use super::{VERSION, proto};
use crate::config::PeerConfig;

pub(super) struct Shared {
    pub(super) setup: PeeringSetup,
    pub(super) peers: BTreeMap<VtepAddr, Arc<Peer>>,
    pub(super) events: mpsc::Sender<PeerEvent>,
    pub(super) shutdown: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) counters: Counters,
}

impl Shared {
    pub(super) fn new(setup: PeeringSetup, events: mpsc::Sender<PeerEvent>) -> Self {
        let peers = setup.peers.iter().map(|config| (config.address, Arc::new(Peer::new(config.clone())))).collect();
        Self {
            setup,
            peers,
            events,
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
            counters: Counters::default(),
        }
    }

    /// What we say first.
    pub(super) fn hello(&self) -> proto::Frame {
        let hello = proto::Hello {
            version: VERSION,
            name: self.setup.name.clone(),
            vtep_address: self.setup.address.0.to_bits(),
        };
        proto::Frame { content: Some(proto::frame::Content::Hello(hello)) }
    }

    /// Counts, logs and reports. Whoever is refused a thousand times a second must not fill the log nor the events.
    pub(super) fn refuse(&self, from: &str, reason: RefusalReason) {
        let refusal = Refusal { from: from.to_owned(), reason };
        let times = self.counters.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if times <= 16 || times.is_power_of_two() {
            tracing::warn!(%refusal, refused_so_far = times, "no session");
        }
        // Full or closed: the refusal is counted, and nobody waits for this event.
        let _ = self.events.try_send(PeerEvent::Refused(refusal));
    }

    /// Hands a message to the peer's session.
    pub(super) fn send(&self, to: VtepAddr, message: Message) -> Result<(), SendError> {
        let result = match self.peers.get(&to) {
            Some(peer) => peer.send(message),
            None => Err(SendError::Unknown),
        };
        if result.is_err() {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
        result
    }
}

/// One configured peer.
pub(super) struct Peer {
    pub(super) config: PeerConfig,
    slot: Mutex<Slot>,
    /// Held by the session that is up, so that the next one begins after it has ended.
    pub(super) turn: tokio::sync::Mutex<()>,
}

/// The session that is up, and how many were begun.
#[derive(Default)]
struct Slot {
    begun: u64,
    session: Option<Session>,
}

struct Session {
    outbox: mpsc::Sender<Message>,
    /// Takes the reason to end; has room for the first one.
    end: mpsc::Sender<DownReason>,
}

impl Peer {
    fn new(config: PeerConfig) -> Self {
        Self { config, slot: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        // A slot is consistent between any two statements, so a panic elsewhere leaves it usable.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A newer session comes: the one that is up ends. The number says which session is the newest.
    pub(super) fn supersede(&self) -> u64 {
        let mut slot = self.slot();
        slot.begun += 1;
        slot.end(DownReason::Replaced);
        slot.begun
    }

    /// Whether no newer session came meanwhile; if so, messages go to `outbox` from now on.
    pub(super) fn install(&self, number: u64, outbox: mpsc::Sender<Message>, end: mpsc::Sender<DownReason>) -> bool {
        let mut slot = self.slot();
        let newest = slot.begun == number;
        if newest {
            slot.session = Some(Session { outbox, end });
        }
        newest
    }

    /// The session is over. Called by the one that is up.
    pub(super) fn remove(&self) {
        self.slot().session = None;
    }

    fn send(&self, message: Message) -> Result<(), SendError> {
        let mut slot = self.slot();
        let Some(session) = &slot.session else { return Err(SendError::NotConnected) };
        match session.outbox.try_send(message) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                slot.end(DownReason::TooSlow);
                Err(SendError::TooSlow)
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(SendError::NotConnected),
        }
    }
}

impl Slot {
    /// From here on nothing can be sent: a gap in the messages of one session would be worse than its end.
    fn end(&mut self, reason: DownReason) {
        if let Some(session) = self.session.take() {
            let _ = session.end.try_send(reason);
        }
    }
}

/// Written by all tasks; see [`PeeringCounters`].
#[derive(Default)]
pub(super) struct Counters {
    pub(super) sessions: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) unreachable: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) too_slow: AtomicU64,
    pub(super) silent: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) dropped: AtomicU64,
}

impl Counters {
    /// Counts the end of a session, if its reason has a counter.
    pub(super) fn down(&self, reason: &DownReason) {
        let counter = match reason {
            DownReason::Silent => &self.silent,
            DownReason::TooSlow => &self.too_slow,
            DownReason::Malformed(_) => &self.malformed,
            DownReason::Closed(_) | DownReason::Replaced | DownReason::Shutdown => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> PeeringCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PeeringCounters {
            sessions: read(&self.sessions),
            refused: read(&self.refused),
            unreachable: read(&self.unreachable),
            malformed: read(&self.malformed),
            too_slow: read(&self.too_slow),
            silent: read(&self.silent),
            sent: read(&self.sent),
            received: read(&self.received),
            dropped: read(&self.dropped),
        }
    }
}
