//! Sessions with the agents of the other VTEPs.
//!
//! Each pair of VTEPs has one bidirectional gRPC stream: the VTEP with the lower address dials, the other one listens.
//! Under TLS both show a certificate; whoever cannot prove to be the peer it says it is gets no session.
//!
//! The story of a session: connect (`dial`) or be called (`listen`) → both say hello → [`PeerEvent::Up`] → messages both ways,
//! heartbeats when there are none → [`PeerEvent::Down`], all in `session`. A session delivers in order or ends. What a
//! session could not deliver is made good by the full state that both sides send after the next `Up`, so nothing here is
//! ever stored for a peer that is away.

mod api;
mod codec;
mod dial;
mod identity;
mod listen;
mod proto;
mod session;
mod shared;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;
use vouch_mobility::{Message, VtepAddr};

pub use api::{DownReason, PeerEvent, PeeringCounters, PeeringError, PeeringSetup, Refusal, RefusalReason, SendError};

use identity::TlsFiles;
use shared::Shared;

/// The version of the peer protocol; both sides must speak the same.
pub const VERSION: u32 = 1;

/// How many events may wait to be read. When they are full, the peers are slowed down.
const EVENTS: usize = 4096;

/// Starts sessions with peers.
#[derive(Debug)]
pub struct Peering;

impl Peering {
    /// Listens and dials from now on, until [`PeeringHandle::shutdown`] or until the last handle is dropped.
    pub async fn start(setup: PeeringSetup) -> Result<(PeeringHandle, mpsc::Receiver<PeerEvent>), PeeringError> {
        let (events, receiver) = mpsc::channel(EVENTS);
        let tls = TlsFiles::read(&setup.config.security)?;
        let shared = Arc::new(Shared::new(setup, events));
        let mut local_address = None;
        if !shared.peers.is_empty() {
            let address = shared.setup.config.listen;
            let acceptor = tls.as_ref().map(|tls| tls.acceptor(&shared.setup.name)).transpose()?;
            let higher: Vec<_> =
                shared.peers.values().filter(|peer| peer.config.address > shared.setup.address).cloned().collect();
            let mut dials = Vec::new();
            for peer in higher {
                let endpoint = dial::endpoint(&shared, &peer, tls.as_ref())?;
                dials.push(dial::dial(shared.clone(), peer, endpoint));
            }
            let listening = |error| PeeringError::Listen { address, error };
            let listener = TcpListener::bind(address).await.map_err(listening)?;
            local_address = Some(listener.local_addr().map_err(listening)?);
            shared.tasks.spawn(listen::listen(shared.clone(), listener, acceptor));
            for dial in dials {
                shared.tasks.spawn(dial);
            }
        }
        let guard = Arc::new(shared.shutdown.clone().drop_guard());
        Ok((PeeringHandle { shared, local_address, _guard: guard }, receiver))
    }
}

/// Sends to peers. Clones are the same peering.
#[derive(Clone)]
pub struct PeeringHandle {
    shared: Arc<Shared>,
    local_address: Option<SocketAddr>,
    _guard: Arc<DropGuard>,
}

impl PeeringHandle {
    /// Queues a message for a peer, never waiting. What is refused is counted, and made good by the next session's full state.
    pub fn send(&self, to: VtepAddr, message: Message) -> Result<(), SendError> {
        self.shared.send(to, message)
    }

    /// How often what happened.
    pub fn counters(&self) -> PeeringCounters {
        self.shared.counters.read()
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
