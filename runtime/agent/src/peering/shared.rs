//! What the tasks of a peering share: the peers, each with at most one session, and the counters.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vouch_mobility::{Message, VtepAddr};

use super::api::{
    DownReason, PeerEvent, PeerStatus, PeeringCounters, PeeringError, PeeringSetup, Refusal, RefusalReason, SendError,
    SessionId, VERSION,
};
use super::identity::{self, Chain};
use super::{codec, proto};
use crate::config::PeerConfig;
use crate::network::Network;
use crate::tls::Identity;

pub(super) struct Shared {
    pub(super) setup: PeeringSetup,
    pub(super) network: Network,
    pub(super) peers: BTreeMap<VtepAddr, Arc<Peer>>,
    pub(super) events: mpsc::Sender<PeerEvent>,
    pub(super) shutdown: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) counters: Counters,
    /// Some session has taken messages out of its queue.
    pub(super) room: Notify,
    open: watch::Sender<bool>,
    /// `None` without TLS.
    keys: RwLock<Option<Arc<Identity>>>,
}

impl Shared {
    pub(super) fn new(setup: PeeringSetup, network: Network, events: mpsc::Sender<PeerEvent>) -> Self {
        let peers = setup.peers.iter().map(|config| (config.address, Arc::new(Peer::new(config.clone())))).collect();
        Self {
            setup,
            network,
            peers,
            events,
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
            counters: Counters::default(),
            room: Notify::new(),
            open: watch::Sender::new(true),
            keys: RwLock::default(),
        }
    }

    /// Reads who we are, and whom to believe, from the files. Sessions with who has been revoked end. With files that are wrong nothing changes.
    pub(super) fn renew(&self) -> Result<(), PeeringError> {
        if self.peers.is_empty() {
            return Ok(());
        }
        let keys = identity::keys(&self.setup.config.security, &self.setup.name)?.map(Arc::new);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        self.peers.values().for_each(|peer| peer.end_if(|shown| self.is_revoked(shown), DownReason::Revoked));
        Ok(())
    }

    /// Whether what a peer has shown has been revoked.
    pub(super) fn is_revoked(&self, shown: Option<&Chain>) -> bool {
        self.keys().is_some_and(|keys| shown.is_some_and(|shown| keys.is_revoked(shown)))
    }

    /// Who we are now.
    pub(super) fn keys(&self) -> Option<Arc<Identity>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What we say first.
    pub(super) fn hello(&self) -> proto::Frame {
        let (vtep_address, vtep_ipv6) = codec::vtep_to_wire(self.setup.address);
        let hello = proto::Hello {
            version: VERSION,
            name: self.setup.name.clone(),
            vtep_address,
            vtep_ipv6,
            incarnation: self.setup.incarnation.0,
            probe_mac: self.setup.probe_mac.octets().to_vec(),
        };
        proto::Frame { content: Some(proto::frame::Content::Hello(hello)) }
    }

    /// Whether there may be sessions.
    pub(super) fn set_open(&self, open: bool) {
        self.open.send_if_modified(|now| std::mem::replace(now, open) != open);
        if !open {
            self.peers.values().for_each(|peer| peer.end(DownReason::NotInCharge));
        }
    }

    pub(super) fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// Until there may be sessions.
    pub(super) async fn opened(&self) {
        // The sender is in `self`.
        let _ = self.open.subscribe().wait_for(|open| *open).await;
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
    pub(super) fn send(&self, to: VtepAddr, session: SessionId, message: Message) -> Result<(), SendError> {
        let peer = self.peers.get(&to);
        let result = peer.map_or(Err(SendError::Unknown), |peer| peer.send(session, message));
        if result.is_err() {
            peer.inspect(|peer| _ = peer.dropped.fetch_add(1, Ordering::Relaxed));
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
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
    dropped: AtomicU64,
}

/// The session that is up, and how many were begun.
#[derive(Default)]
struct Slot {
    begun: u64,
    session: Option<Session>,
    /// Since when there is a session, or none, and why there is none.
    changed: Option<Instant>,
    reason: Option<String>,
}

struct Session {
    number: SessionId,
    outbox: mpsc::Sender<Message>,
    /// Takes the reason to end; has room for the first one.
    end: mpsc::Sender<DownReason>,
    shown: Option<Chain>,
}

impl Peer {
    fn new(config: PeerConfig) -> Self {
        Self {
            config,
            slot: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        // A slot is consistent between any two statements, so a panic elsewhere leaves it usable.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A newer session comes: the one that is up ends. The number says which session is the newest.
    pub(super) fn supersede(&self) -> SessionId {
        let mut slot = self.slot();
        slot.begun += 1;
        slot.end(DownReason::Replaced);
        SessionId(slot.begun)
    }

    /// Whether no newer session came meanwhile; if so, messages go to `outbox` from now on.
    pub(super) fn install(
        &self,
        number: SessionId,
        outbox: mpsc::Sender<Message>,
        end: mpsc::Sender<DownReason>,
        shown: Option<Chain>,
    ) -> bool {
        let mut slot = self.slot();
        let newest = SessionId(slot.begun) == number;
        if newest {
            slot.session = Some(Session { number, outbox, end, shown });
            (slot.changed, slot.reason) = (Some(Instant::now()), None);
        }
        newest
    }

    /// The session is over. Called by the one that is up.
    pub(super) fn remove(&self, reason: &DownReason) {
        let mut slot = self.slot();
        slot.session = None;
        (slot.changed, slot.reason) = (Some(Instant::now()), Some(reason.to_string()));
    }

    /// There is no session, and this is why.
    pub(super) fn is_away(&self, reason: String) {
        let mut slot = self.slot();
        if slot.session.is_none() {
            slot.reason = Some(reason);
        }
    }

    pub(super) fn status(&self) -> PeerStatus {
        let slot = self.slot();
        let waiting = |up: &Session| up.outbox.max_capacity() - up.outbox.capacity();
        PeerStatus {
            name: self.config.name.clone(),
            address: self.config.address,
            endpoint: self.config.endpoint.clone(),
            up: slot.session.is_some(),
            since: slot.changed,
            reason: slot.reason.clone(),
            unsent: slot.session.as_ref().map_or(0, waiting),
            sessions: slot.begun,
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }

    /// Ends the session that is up.
    pub(super) fn end(&self, reason: DownReason) {
        self.slot().end(reason);
    }

    /// Ends the session that is up, if what the peer has shown is such.
    pub(super) fn end_if(&self, such: impl Fn(Option<&Chain>) -> bool, reason: DownReason) {
        let mut slot = self.slot();
        if slot.session.as_ref().is_some_and(|up| such(up.shown.as_ref())) {
            slot.end(reason);
        }
    }

    /// Ends that session, if it is the one that is up.
    pub(super) fn end_session(&self, session: SessionId, reason: DownReason) {
        let mut slot = self.slot();
        if slot.session.as_ref().is_some_and(|up| up.number == session) {
            slot.end(reason);
        }
    }

    /// How many messages the session has room for; none, if it is over.
    pub(super) fn room(&self, session: SessionId) -> usize {
        let slot = self.slot();
        slot.session.as_ref().filter(|up| up.number == session).map_or(0, |up| up.outbox.capacity())
    }

    fn send(&self, number: SessionId, message: Message) -> Result<(), SendError> {
        let mut slot = self.slot();
        // What was meant for the session before has no place in this one.
        let session = slot.session.as_ref().filter(|session| session.number == number);
        let Some(session) = session else { return Err(SendError::NotConnected) };
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
    pub(super) misbehaved: AtomicU64,
    pub(super) too_slow: AtomicU64,
    pub(super) silent: AtomicU64,
    pub(super) not_in_charge: AtomicU64,
    pub(super) unwritten: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) bytes_sent: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) dropped: AtomicU64,
}

impl Counters {
    /// Counts the end of a session, if its reason has a counter.
    pub(super) fn down(&self, reason: &DownReason) {
        let counter = match reason {
            DownReason::Silent => &self.silent,
            DownReason::TooSlow => &self.too_slow,
            DownReason::Misbehaved(_) => &self.misbehaved,
            DownReason::NotInCharge => &self.not_in_charge,
            DownReason::Unwritten => &self.unwritten,
            DownReason::Closed(_) | DownReason::Revoked | DownReason::Replaced | DownReason::Shutdown => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> PeeringCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PeeringCounters {
            sessions: read(&self.sessions),
            refused: read(&self.refused),
            unreachable: read(&self.unreachable),
            misbehaved: read(&self.misbehaved),
            too_slow: read(&self.too_slow),
            silent: read(&self.silent),
            not_in_charge: read(&self.not_in_charge),
            unwritten: read(&self.unwritten),
            sent: read(&self.sent),
            bytes_sent: read(&self.bytes_sent),
            received: read(&self.received),
            dropped: read(&self.dropped),
        }
    }
}
