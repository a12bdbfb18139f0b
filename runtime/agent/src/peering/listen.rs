//! The listening side: from a connection to a caller with proven names, and its stream.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};
use vouch_p4runtime::client::ByteStream;

use super::api::RefusalReason;
use super::identity::Caller;
use super::proto::Frame;
use super::proto::peering_server::{Peering, PeeringServer};
use super::session::{self, FRAMES_IN_FLIGHT, Wire};
use super::shared::Shared;
use crate::network::Listener;

/// Connections beyond what the peers need, for those that are being refused.
const SPARE_CONNECTIONS: usize = 32;

/// Serves until shutdown.
pub(super) async fn listen(shared: Arc<Shared>, listener: Box<dyn Listener>) {
    let (connections, incoming) = mpsc::channel(1);
    let accepting = accept(shared.clone(), listener, connections);
    let service = PeeringServer::new(Service { shared: shared.clone() })
        .max_decoding_message_size(shared.setup.config.max_message);
    let serving = Server::builder()
        .max_concurrent_streams(2)
        .http2_keepalive_interval(Some(shared.setup.config.dead_after))
        .http2_keepalive_timeout(Some(shared.setup.config.dead_after))
        .serve_with_incoming_shutdown(
            service,
            ReceiverStream::new(incoming),
            shared.shutdown.clone().cancelled_owned(),
        );
    let served = tokio::select! {
        ((), served) = async { tokio::join!(accepting, serving) } => served,
        // Connections get the time to close, but not for ever.
        () = async { shared.shutdown.cancelled().await; sleep(Duration::from_secs(1)).await } => Ok(()),
    };
    if let Err(error) = served {
        tracing::error!(%error, "the peer listener stopped");
    }
}

/// Takes connections, as many at a time as there is room for, and finds out who they are without waiting for the slow ones.
async fn accept(shared: Arc<Shared>, listener: Box<dyn Listener>, connections: mpsc::Sender<io::Result<Connection>>) {
    let room = Arc::new(Semaphore::new(SPARE_CONNECTIONS + 2 * shared.peers.len()));
    loop {
        let accepted = async {
            let place = room.clone().acquire_owned().await.map_err(io::Error::other)?;
            let (stream, from) = listener.accept().await?;
            Ok::<_, io::Error>((place, stream, from))
        };
        let (place, stream, from) = match tokio::select! {
            () = shared.shutdown.cancelled() => return,
            accepted = accepted => accepted,
        } {
            Ok(accepted) => accepted,
            Err(error) => {
                // The connection died at once, or we are out of file descriptors: that passes, but not in a busy loop.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::select! {
                    () = shared.shutdown.cancelled() => return,
                    () = sleep(Duration::from_millis(50)) => continue,
                }
            }
        };
        let (shared, keys, connections) = (shared.clone(), shared.keys(), connections.clone());
        let tasks = shared.tasks.clone();
        tasks.spawn(async move {
            let handshake = timeout(
                shared.setup.config.dead_after,
                handshake(keys.map(|keys| keys.acceptor().clone()), stream, from),
            );
            let made = tokio::select! {
                () = shared.shutdown.cancelled() => return,
                made = handshake => made,
            };
            let refused = match made {
                Ok(Ok((io, caller))) => {
                    // Closed means that the server has stopped.
                    let _ = connections.send(Ok(Connection { io, caller, _place: place })).await;
                    return;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the handshake took too long".to_owned(),
            };
            shared.refuse(&from.to_string(), RefusalReason::Handshake(refused));
        });
    }
}

async fn handshake(
    tls: Option<TlsAcceptor>,
    stream: Box<dyn ByteStream>,
    from: SocketAddr,
) -> io::Result<(Io, Caller)> {
    let from = from.to_string();
    let Some(tls) = tls else { return Ok((Io::Plain(stream), Caller { from, shown: None })) };
    let stream = tls.accept(stream).await?;
    let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let shown = shown.iter().map(|one| one.clone().into_owned()).collect();
    Ok((Io::Tls(Box::new(stream)), Caller { from, shown: Some(shown) }))
}

struct Service {
    shared: Arc<Shared>,
}

#[tonic::async_trait]
impl Peering for Service {
    type SessionStream = Pin<Box<dyn futures::Stream<Item = Result<Frame, Status>> + Send>>;

    async fn session(&self, request: Request<Streaming<Frame>>) -> Result<Response<Self::SessionStream>, Status> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| Status::internal("the connection does not say who called"))?;
        let (outbound, frames) = mpsc::channel(FRAMES_IN_FLIGHT);
        let wire = Wire { inbound: request.into_inner(), outbound, shown: caller.shown.clone() };
        self.shared.tasks.spawn(session::accepted(self.shared.clone(), caller, wire));
        Ok(Response::new(Box::pin(ReceiverStream::new(frames).map(Ok))))
    }
}

/// A connection of a known caller; it gives its place free when it is dropped.
struct Connection {
    io: Io,
    caller: Caller,
    _place: OwnedSemaphorePermit,
}

enum Io {
    Plain(Box<dyn ByteStream>),
    Tls(Box<TlsStream<Box<dyn ByteStream>>>),
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Io::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().io {
            Io::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Io::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Io::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
