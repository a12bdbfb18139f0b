//! The task behind a session: connect, arbitrate, pass on, and again.

use std::sync::{Arc, PoisonError};

use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming, transport::Endpoint};

use super::{
    DisconnectReason, Event, Standing,
    backoff::{Backoff, jitter},
    error::chain,
    events::EventSender,
    session::{Link, Shared, from_uint128},
};
use crate::p4::v1::{
    CapabilitiesRequest, MasterArbitrationUpdate, StreamMessageRequest, StreamMessageResponse,
    stream_message_request::Update as Outgoing, stream_message_response::Update as Incoming,
};

pub(super) struct Task {
    pub(super) shared: Arc<Shared>,
    pub(super) endpoint: Endpoint,
    pub(super) events: EventSender,
}

/// Runs until all handles (`handles` then fails) or the receiver of events are gone.
pub(super) async fn run(task: Task, mut handles: watch::Receiver<()>) {
    tokio::select! {
        () = task.connections() => {}
        _ = handles.changed() => {}
        () = task.events.closed() => {}
    }
    task.offline();
}

impl Task {
    async fn connections(&self) {
        let mut backoff = Backoff::new(self.shared.config.backoff);
        loop {
            let reason = self.connection(&mut backoff).await;
            self.offline();
            let retry_in = backoff.next(jitter());
            tracing::debug!(target = self.shared.config.target, %reason, ?retry_in, "no connection to the switch");
            self.events.send(Event::Disconnected { reason, retry_in }).await;
            tokio::time::sleep(retry_in).await;
        }
    }

    fn offline(&self) {
        self.shared.link.send_replace(None);
        self.shared.standing.send_replace(Standing::Offline);
        self.shared.forget_connection();
    }

    /// One connection from dialling to its end.
    async fn connection(&self, backoff: &mut Backoff) -> DisconnectReason {
        let patience = self.shared.config.timeouts.connect;
        let (link, mut messages) = match timeout(patience, self.open()).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(reason)) => return reason,
            Err(_) => return DisconnectReason::Unreachable(format!("no connection within {patience:?}")),
        };
        let api_version = match timeout(patience, self.api_version(&link)).await {
            Ok(version) => version,
            Err(_) => return DisconnectReason::Unreachable(format!("no answer within {patience:?}")),
        };
        self.shared.standing.send_replace(Standing::Undecided);
        self.shared.link.send_replace(Some(link));
        self.events.send(Event::Connected { api_version }).await;
        let first = match timeout(patience, messages.message()).await {
            Ok(first) => first,
            Err(_) => return DisconnectReason::NoArbitration(patience),
        };
        let mut next = first;
        loop {
            match next {
                Ok(Some(message)) => {
                    backoff.reset();
                    self.incoming(message).await;
                }
                Ok(None) => return DisconnectReason::Closed,
                Err(status) => return DisconnectReason::from_status(&status),
            }
            next = messages.message().await;
        }
    }

    async fn open(&self) -> Result<(Link, Streaming<StreamMessageResponse>), DisconnectReason> {
        let config = &self.shared.config;
        let channel = config
            .dialler
            .connect(&self.endpoint)
            .await
            .map_err(|error| DisconnectReason::Unreachable(chain(&error)))?;
        let mut client = config.client(channel.clone());
        let (outgoing, requests) = mpsc::channel(config.send_queue.max(1));
        // Queued before the call: servers in C++ answer the call only together with its first message.
        let arbitration = StreamMessageRequest { update: Some(Outgoing::Arbitration(self.shared.arbitration())) };
        outgoing.try_send(arbitration).expect("the queue is empty and holds at least one");
        let messages = client
            .stream_channel(ReceiverStream::new(requests))
            .await
            .map_err(|status| DisconnectReason::from_status(&status))?
            .into_inner();
        Ok((Link { client, channel, outgoing }, messages))
    }

    /// Servers before 1.1 do not know the question; a broken connection shows on the stream.
    async fn api_version(&self, link: &Link) -> Option<String> {
        let request = CapabilitiesRequest { device_id: self.shared.config.device_id };
        let answer = link.client.clone().capabilities(request).await.ok()?.into_inner();
        Some(answer.p4runtime_api_version)
    }

    async fn incoming(&self, message: StreamMessageResponse) {
        match message.update {
            Some(Incoming::Arbitration(update)) => self.arbitrated(&update).await,
            Some(Incoming::Packet(packet)) => self.events.offer(packet),
            Some(Incoming::Digest(digest)) => self.events.send(Event::Digest(digest)).await,
            Some(Incoming::IdleTimeoutNotification(idle)) => self.events.send(Event::IdleTimeout(idle)).await,
            Some(Incoming::Error(error)) => self.events.send(Event::StreamError(error)).await,
            Some(Incoming::Other(any)) => {
                tracing::debug!(type_url = any.type_url, "stream message of an unknown type, ignored");
            }
            None => tracing::debug!("stream message of an unknown kind, ignored"),
        }
    }

    /// The answer to our arbitration, or news that the primary changed. OK means that we are primary; a backup hears
    /// ALREADY_EXISTS with the primary's id, or NOT_FOUND where nobody is primary.
    async fn arbitrated(&self, update: &MasterArbitrationUpdate) {
        let code = update.status.as_ref().map_or(Code::Ok, |status| Code::from_i32(status.code));
        let heard = update.election_id.as_ref().map(from_uint128);
        if let Some(highest) = heard {
            *self.shared.highest.write().unwrap_or_else(PoisonError::into_inner) = highest;
        }
        let (standing, event) = match code {
            Code::Ok => (Standing::Primary, Event::Primary { election_id: heard.unwrap_or_default() }),
            Code::NotFound => (Standing::Backup { primary: None }, Event::Backup { primary: None }),
            _ => (Standing::Backup { primary: heard }, Event::Backup { primary: heard }),
        };
        self.shared.standing.send_replace(standing);
        self.events.send(event).await;
    }
}
