//! The handle of a session.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::{mpsc, watch};
use tonic::transport::Channel;

use super::{
    ConfigError, EventReceiver, RpcError, SessionConfig,
    connection::{self, Task},
    events,
};
use crate::{
    P4Info,
    p4::v1::{
        MasterArbitrationUpdate, Role, StreamMessageRequest, Uint128, p4_runtime_client::P4RuntimeClient,
        stream_message_request::Update as Outgoing,
    },
};

/// A session with one device of one switch. Clones share it.
#[derive(Debug, Clone)]
pub struct Session {
    pub(super) shared: Arc<Shared>,
    /// Dropped with the last handle, which ends the task.
    _alive: Arc<watch::Sender<()>>,
}

/// Whether we may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// No connection.
    Offline,
    /// Connected, without an answer to arbitration so far.
    Undecided,
    /// We may write.
    Primary,
    /// We may read.
    Backup {
        /// The primary's election id, where there is a primary.
        primary: Option<u128>,
    },
}

/// What handles and task share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: SessionConfig,
    pub(super) link: watch::Sender<Option<Link>>,
    pub(super) standing: watch::Sender<Standing>,
    pub(super) election_id: RwLock<u128>,
    /// The id of this connection, where [`Session::take_over`] has raised it.
    pub(super) raised: RwLock<Option<u128>>,
    /// The highest id that the switch has named on this connection.
    pub(super) highest: RwLock<u128>,
    pub(super) p4info: RwLock<Option<Arc<P4Info>>>,
    dropped_packets: Arc<AtomicU64>,
}

/// One connection, while it lasts.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) client: P4RuntimeClient<Channel>,
    pub(super) channel: Channel,
    pub(super) outgoing: mpsc::Sender<StreamMessageRequest>,
}

impl Session {
    /// Starts a session; it connects in the background, for as long as it takes. Needs a tokio runtime.
    pub fn connect(config: SessionConfig) -> Result<(Self, EventReceiver), ConfigError> {
        let endpoint = config.endpoint()?;
        let dropped_packets = Arc::new(AtomicU64::new(0));
        let (sender, receiver) = events::queue(&config, dropped_packets.clone());
        let shared = Arc::new(Shared {
            link: watch::Sender::new(None),
            standing: watch::Sender::new(Standing::Offline),
            election_id: RwLock::new(config.election_id),
            raised: RwLock::new(None),
            highest: RwLock::new(0),
            p4info: RwLock::new(config.p4info.clone()),
            dropped_packets,
            config,
        });
        let (alive, handles) = watch::channel(());
        tokio::spawn(connection::run(Task { shared: shared.clone(), endpoint, events: sender }, handles));
        Ok((Self { shared, _alive: Arc::new(alive) }, receiver))
    }

    /// Whether we may write, as last heard.
    pub fn standing(&self) -> Standing {
        *self.shared.standing.borrow()
    }

    /// Waits until we are primary. Bound it; it waits for as long as another controller is.
    pub async fn until_primary(&self) {
        let mut standing = self.shared.standing.subscribe();
        standing.wait_for(|standing| *standing == Standing::Primary).await.expect("the sender is in `shared`");
    }

    /// The device of the session.
    pub fn device_id(&self) -> u64 {
        self.shared.config.device_id
    }

    /// The election id, as configured or last set; after [`Self::take_over`], the one that was taken.
    pub fn election_id(&self) -> u128 {
        self.shared.election_id()
    }

    /// The highest election id that the switch has named on this connection, 0 before it named one.
    pub fn highest_election_id(&self) -> u128 {
        *self.shared.highest.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes another election id, now and for later connections: higher than the primary's to become primary, lower to
    /// step back. An event tells the outcome.
    pub async fn set_election_id(&self, election_id: u128) -> Result<(), RpcError> {
        *self.shared.election_id.write().unwrap_or_else(PoisonError::into_inner) = election_id;
        *self.shared.raised.write().unwrap_or_else(PoisonError::into_inner) = None;
        if self.shared.link.borrow().is_none() {
            return Ok(());
        }
        self.send("StreamChannel", Outgoing::Arbitration(self.shared.arbitration())).await
    }

    /// Asks to be primary where nobody is any more ([`super::Event::Backup`] without a primary): a switch promotes no
    /// backup by itself (P4Runtime, section 5), and takes only an id that none before was above. The id is one more than
    /// the highest, so that what the former primary still has on its way is refused. It holds for this connection: the
    /// next one begins with the configured id again. An event tells the outcome.
    pub fn take_over(&self) -> Result<(), RpcError> {
        let highest = self.highest_election_id();
        // A switch that refuses an id above all others would refuse the next one as well.
        if self.election_id() > highest {
            return Ok(());
        }
        *self.shared.raised.write().unwrap_or_else(PoisonError::into_inner) = Some(highest.saturating_add(1));
        self.try_send("StreamChannel", Outgoing::Arbitration(self.shared.arbitration()))
    }

    /// The program's names, if a pipeline was pushed or configured.
    pub fn p4info(&self) -> Option<Arc<P4Info>> {
        self.shared.p4info.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Packet-ins that were dropped from among the events since their consumer was slow. See [`super::Crowd`] for others.
    pub fn dropped_packets(&self) -> u64 {
        self.shared.dropped_packets.load(Ordering::Relaxed)
    }

    pub(super) fn link(&self, rpc: &'static str) -> Result<Link, RpcError> {
        self.shared.link.borrow().clone().ok_or(RpcError::NotConnected { rpc })
    }

    /// Checked here as the transport would break the connection over it.
    pub(super) fn check_size(&self, rpc: &'static str, message: &impl prost::Message) -> Result<(), RpcError> {
        self.check_length(rpc, message.encoded_len())
    }

    /// The same for a message that is encoded.
    pub(super) fn check_length(&self, rpc: &'static str, bytes: usize) -> Result<(), RpcError> {
        let limit = self.shared.config.max_message;
        if bytes > limit { Err(RpcError::TooLarge { rpc, bytes, limit }) } else { Ok(()) }
    }

    /// Puts a message on the stream; waits where the queue is full.
    pub(super) async fn send(&self, rpc: &'static str, update: Outgoing) -> Result<(), RpcError> {
        let link = self.link(rpc)?;
        let message = StreamMessageRequest { update: Some(update) };
        self.check_size(rpc, &message)?;
        link.outgoing.send(message).await.map_err(|_| RpcError::NotConnected { rpc })
    }

    /// Puts a message on the stream, if there is room.
    pub(super) fn try_send(&self, rpc: &'static str, update: Outgoing) -> Result<(), RpcError> {
        let link = self.link(rpc)?;
        let message = StreamMessageRequest { update: Some(update) };
        self.check_size(rpc, &message)?;
        link.outgoing.try_send(message).map_err(|_| RpcError::NotConnected { rpc })
    }

    /// The role's name as requests carry it.
    pub(super) fn role(&self) -> String {
        self.shared.config.role.clone().unwrap_or_default()
    }

    pub(super) fn wire_election_id(&self) -> Option<Uint128> {
        Some(uint128(self.election_id()))
    }
}

impl Shared {
    /// A connection ends, and with it what was only of it.
    pub(super) fn forget_connection(&self) {
        *self.raised.write().unwrap_or_else(PoisonError::into_inner) = None;
        *self.highest.write().unwrap_or_else(PoisonError::into_inner) = 0;
    }

    fn election_id(&self) -> u128 {
        let raised = *self.raised.read().unwrap_or_else(PoisonError::into_inner);
        raised.unwrap_or_else(|| *self.election_id.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn arbitration(&self) -> MasterArbitrationUpdate {
        let election_id = self.election_id();
        MasterArbitrationUpdate {
            device_id: self.config.device_id,
            role: self.config.role.clone().map(|name| Role { name, ..Role::default() }),
            election_id: Some(uint128(election_id)),
            status: None,
        }
    }
}

fn uint128(value: u128) -> Uint128 {
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).expect("64 bits");
    Uint128 { high: half(value >> 64), low: half(value) }
}

pub(super) fn from_uint128(value: &Uint128) -> u128 {
    (u128::from(value.high) << 64) | u128::from(value.low)
}
