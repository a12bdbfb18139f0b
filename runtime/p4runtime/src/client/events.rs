//! What the switch tells us, as a bounded stream.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::Stream;
use tokio::sync::mpsc;
use tonic::{Code, Status};

use super::{
    Crowd, SessionConfig,
    crowd::{PacketClass, PacketSorter},
};
use crate::p4::v1::{DigestList, IdleTimeoutNotification, PacketIn, StreamError};

/// Something that happened between us and the switch.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A new connection; arbitration follows.
    Connected {
        /// The protocol version that the switch names, where it knows the question.
        api_version: Option<String>,
    },
    /// We may write. Also repeated by some switches when other controllers come and go.
    Primary {
        /// Our election id.
        election_id: u128,
    },
    /// Another controller may write, or none may.
    Backup {
        /// The election id of the primary, where there is one.
        primary: Option<u128>,
    },
    /// A packet for the controller.
    PacketIn(PacketIn),
    /// Digests; acknowledge with [`super::Session::ack_digest`].
    Digest(DigestList),
    /// Entries that were not hit for their idle timeout. They are still there.
    IdleTimeout(IdleTimeoutNotification),
    /// The switch refused something we sent on the stream, such as a packet-out.
    StreamError(StreamError),
    /// The connection is gone; what was in flight on it has failed.
    Disconnected {
        /// Why.
        reason: DisconnectReason,
        /// When the next attempt starts.
        retry_in: Duration,
    },
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DisconnectReason {
    /// The switch does not answer at its address, or TLS failed.
    #[error("cannot reach the switch: {0}")]
    Unreachable(String),
    /// The server has no such device.
    #[error("the server does not know the device: {0}")]
    UnknownDevice(String),
    /// Another controller, or our own previous connection, holds our election id.
    #[error("the election id is in use: {0}")]
    ElectionIdTaken(String),
    /// The switch ended the stream.
    #[error("the switch closed the stream")]
    Closed,
    /// The switch ended the stream with an error, or the connection broke.
    #[error("the stream failed: {message} ({code:?})")]
    Failed {
        /// The gRPC code.
        code: Code,
        /// What the switch or the transport says.
        message: String,
    },
    /// Connected, but without an answer to our arbitration.
    #[error("no answer to arbitration within {0:?}")]
    NoArbitration(Duration),
}

impl DisconnectReason {
    pub(super) fn from_status(status: &Status) -> Self {
        let message = status.message().to_owned();
        match status.code() {
            Code::NotFound => Self::UnknownDevice(message),
            // The specification asks for INVALID_ARGUMENT and leaves the text open; PI's and ours name the election id.
            Code::InvalidArgument if message.to_lowercase().contains("election id") => Self::ElectionIdTaken(message),
            code => Self::Failed { code, message: super::error::chain(status) },
        }
    }
}

/// The events of a session, in order; but for packets that were sorted out of it, which are in the [`Crowd`].
#[derive(Debug)]
pub struct EventReceiver {
    queue: mpsc::Receiver<Event>,
    crowd: Crowd,
}

impl EventReceiver {
    /// The next event; none after the session ended. Cancelling it loses nothing.
    pub async fn recv(&mut self) -> Option<Event> {
        self.queue.recv().await
    }

    /// The packets that [`SessionConfig::sort`] does not want among the events.
    pub fn crowd(&self) -> Crowd {
        self.crowd.clone()
    }

    /// An event that is there already.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.queue.try_recv().ok()
    }
}

impl Stream for EventReceiver {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.queue.poll_recv(context)
    }
}

/// The session task's end of the queue.
#[derive(Debug)]
pub(super) struct EventSender {
    queue: mpsc::Sender<Event>,
    sort: Option<PacketSorter>,
    crowd: Crowd,
    dropped_packets: Arc<AtomicU64>,
}

/// Room that packet-ins leave to everything else.
const RESERVED: usize = 32;

/// Below this a queue would hold little but the reserve.
const SMALLEST: usize = 2 * RESERVED;

pub(super) fn queue(config: &SessionConfig, dropped_packets: Arc<AtomicU64>) -> (EventSender, EventReceiver) {
    let (sender, receiver) = mpsc::channel(config.event_queue.max(SMALLEST));
    let crowd = Crowd::new(config.crowd);
    let sender = EventSender { queue: sender, sort: config.sort.clone(), crowd: crowd.clone(), dropped_packets };
    (sender, EventReceiver { queue: receiver, crowd })
}

impl Drop for EventSender {
    fn drop(&mut self) {
        self.crowd.end();
    }
}

impl EventSender {
    /// Queues an event that must not be lost. A receiver that is gone ends the session elsewhere.
    pub(super) async fn send(&self, event: Event) {
        let _ = self.queue.send(event).await;
    }

    /// Queues a packet, or drops and counts it.
    pub(super) fn offer(&self, packet: PacketIn) {
        if let Some(PacketClass::Crowd(source)) = self.sort.as_ref().map(|sort| sort.class(&packet)) {
            // Counted there, by source.
            self.crowd.offer(source, packet);
            return;
        }
        if self.queue.capacity() <= RESERVED || self.queue.try_send(Event::PacketIn(packet)).is_err() {
            self.dropped_packets.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Until the receiver is dropped.
    pub(super) async fn closed(&self) {
        self.queue.closed().await;
    }
}
