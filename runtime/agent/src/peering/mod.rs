//! Sessions with the agents of the other VTEPs.
//!
//! Each pair of VTEPs has one bidirectional gRPC stream: the VTEP with the lower address dials, the other one listens.
//! Under TLS both show a certificate; whoever cannot prove to be the peer it says it is gets no session.
//!
//! The story of a session: connect (`dial`) or be called (`listen`) → both say hello → [`PeerEvent::Up`] → messages both ways,
//! heartbeats when there are none → [`PeerEvent::Down`], all in `session`. A session delivers in order or ends. What a
//! session could not deliver is made good by the lists that both sides send after the next `Up`, so nothing here is
//! ever stored for a peer that is away. The lists are made as the session takes them ([`PeeringHandle::room`]), so a queue
//! need not hold one. While an agent is not in charge of its switch it has no sessions ([`PeeringHandle::set_open`]).
//!
//! To be read in this order, in which no module imports a later one: `misbehaviour`, `proto`, `codec` (what is said);
//! `api`, `shared` (what there is); `identity`, `session` (who it is, and the session proper); `dial`, `listen` (how it comes
//! about).

mod api;
mod causes;
mod codec;
mod dial;
mod identity;
mod listen;
mod misbehaviour;
mod proto;
mod session;
mod shared;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use prost::Message as _;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;
use vouch_mobility::{Message, VtepAddr};

pub use api::{
    DownReason, PeerEvent, PeerStatus, PeeringCounters, PeeringError, PeeringSetup, Refusal, RefusalReason, SendError,
    SessionId, VERSION,
};
pub use misbehaviour::PeerMisbehaved;

use shared::Shared;

use crate::network::Network;

/// How many events may wait to be read. When they are full, the peers are slowed down.
const EVENTS: usize = 4096;

/// Starts sessions with peers.
#[derive(Debug)]
pub struct Peering;

impl Peering {
    /// Listens and dials from now on, until [`PeeringHandle::shutdown`] or until the last handle is dropped.
    pub async fn start(
        setup: PeeringSetup,
        network: Network,
    ) -> Result<(PeeringHandle, mpsc::Receiver<PeerEvent>), PeeringError> {
        let (events, receiver) = mpsc::channel(EVENTS);
        let shared = Arc::new(Shared::new(setup, network, events));
        let mut local_address = None;
        if !shared.peers.is_empty() {
            let address = shared.setup.config.listen;
            shared.renew()?;
            let higher: Vec<_> =
                shared.peers.values().filter(|peer| peer.config.address > shared.setup.address).cloned().collect();
            let mut dials = Vec::new();
            for peer in higher {
                // What cannot be dialled now never can.
                dial::endpoint(&shared, &peer)?;
                dials.push(dial::dial(shared.clone(), peer));
            }
            let listening = |error| PeeringError::Listen { address, error };
            let listener = shared.network.bind(address).await.map_err(listening)?;
            local_address = Some(listener.local_address().map_err(listening)?);
            shared.tasks.spawn(listen::listen(shared.clone(), listener));
            for dial in dials {
                shared.tasks.spawn(dial);
            }
        }
        let guard = Arc::new(shared.shutdown.clone().drop_guard());
        Ok((PeeringHandle { shared, local_address, _guard: guard }, receiver))
    }
}

/// How many bytes a message between agents has, without what HTTP/2 and TLS add.
pub fn wire_size(message: &Message) -> usize {
    codec::encode(message).encoded_len()
}

/// Sends to peers. Clones are the same peering.
#[derive(Clone)]
pub struct PeeringHandle {
    shared: Arc<Shared>,
    local_address: Option<SocketAddr>,
    _guard: Arc<DropGuard>,
}

impl PeeringHandle {
    /// Queues a message for a session, never waiting. What is refused is counted, and made good by the next session's lists.
    pub fn send(&self, to: VtepAddr, session: SessionId, message: Message) -> Result<(), SendError> {
        self.shared.send(to, session, message)
    }

    /// How many messages a session has room for; none, if it is over.
    pub fn room(&self, peer: VtepAddr, session: SessionId) -> usize {
        self.shared.peers.get(&peer).map_or(0, |peer| peer.room(session))
    }

    /// Until some session has taken messages out of its queue since the last time. Cancelling it loses nothing.
    pub async fn more_room(&self) {
        self.shared.room.notified().await;
    }

    /// Ends a session, if it is still up, because something that it should have been told is not so.
    pub fn reset(&self, peer: VtepAddr, session: SessionId) {
        if let Some(peer) = self.shared.peers.get(&peer) {
            peer.end_session(session, DownReason::Unwritten);
        }
    }

    /// Whether there may be sessions. Those there are end when there may not; afterwards peers are called and welcome again.
    pub fn set_open(&self, open: bool) {
        self.shared.set_open(open);
    }

    /// Reads certificate, key and authority again. Sessions go on; the next ones begin with these. With files that are wrong nothing changes.
    pub fn renew(&self) -> Result<(), PeeringError> {
        self.shared.renew()
    }

    /// How often what happened.
    pub fn counters(&self) -> PeeringCounters {
        self.shared.counters.read()
    }

    /// Whether there is a session with a peer.
    pub fn is_up(&self, peer: VtepAddr) -> bool {
        self.shared.peers.get(&peer).is_some_and(|peer| peer.status().up)
    }

    /// How it stands with each peer.
    pub fn peers(&self) -> Vec<PeerStatus> {
        self.shared.peers.values().map(|peer| peer.status()).collect()
    }

    /// Where it listens, which the configuration leaves open with port 0; `None` without peers.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.local_address
    }

    /// Ends all sessions and stops listening. When this returns, the address is free again.
    pub async fn shutdown(&self) {
        self.shared.shutdown.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl std::fmt::Debug for PeeringHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeeringHandle").field("local_address", &self.local_address).finish_non_exhaustive()
    }
}
