//! Between an agent and its switch: everything passes, but for what the switch is made to say.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::{broadcast, watch};
use tokio_stream::wrappers::{BroadcastStream, WatchStream};
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::codegen::http;
use tonic::codegen::{BoxFuture, Service};
use tonic::server::{NamedService, StreamingService};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};

use super::raw::{Raw, call};

/// How much is said at once, at the most.
const ROOM: usize = 1024;

/// Stands in a switch's place.
#[derive(Clone)]
pub(super) struct Between {
    switch: Channel,
    said: Arc<Said>,
}

/// What the switch is made to say.
struct Said {
    /// On its stream.
    stream: broadcast::Sender<Bytes>,
    /// In place of the next answers to reads.
    reads: Mutex<VecDeque<Bytes>>,
    /// What is wrong with the next writes, in the details of their status.
    refusals: Mutex<VecDeque<Bytes>>,
    /// How often the stream has been broken off.
    breaks: watch::Sender<u64>,
    /// How many reads have been answered so.
    lies: watch::Sender<u64>,
}

impl Between {
    pub(super) fn new(switch: Channel) -> Self {
        let said = Said {
            stream: broadcast::Sender::new(ROOM),
            reads: Mutex::default(),
            refusals: Mutex::default(),
            breaks: watch::Sender::new(0),
            lies: watch::Sender::new(0),
        };
        Self { switch, said: Arc::new(said) }
    }

    pub(super) fn says(&self, message: Bytes) {
        // Nobody listens while the agent connects.
        let _ = self.said.stream.send(message);
    }

    pub(super) fn answers_reads_with(&self, message: Bytes) {
        lock(&self.said.reads).push_back(message);
    }

    pub(super) fn refuses_writes_with(&self, details: Bytes) {
        lock(&self.said.refusals).push_back(details);
    }

    /// Ends the agent's session. The next one begins with reads.
    pub(super) fn breaks_off(&self) {
        self.said.breaks.send_modify(|breaks| *breaks += 1);
    }

    /// Ends the agent's session, and waits until the first read of the next has been answered with a lie, if there is one.
    pub(super) async fn breaks_off_and_lies(&self) {
        let mut lies = self.said.lies.subscribe();
        lies.mark_unchanged();
        self.breaks_off();
        if !lock(&self.said.reads).is_empty() {
            lies.changed().await.expect("it is ours");
        }
    }

    /// Whether nothing is left that is not true.
    pub(super) fn has_lied(&self) -> bool {
        lock(&self.said.reads).is_empty() && lock(&self.said.refusals).is_empty()
    }

    /// From now on it is honest.
    pub(super) fn is_honest(&self) {
        lock(&self.said.reads).clear();
        lock(&self.said.refusals).clear();
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl NamedService for Between {
    const NAME: &'static str = "p4.v1.P4Runtime";
}

impl Service<http::Request<Body>> for Between {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = Method { between: self.clone(), path: request.uri().path().to_owned() };
        Box::pin(async move {
            let mut server = tonic::server::Grpc::new(Raw).max_decoding_message_size(usize::MAX);
            Ok(server.streaming(method, request).await)
        })
    }
}

/// One of the switch's methods, of whatever kind.
struct Method {
    between: Between,
    path: String,
}

type Answers = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

impl StreamingService<Bytes> for Method {
    type Response = Bytes;
    type ResponseStream = Answers;
    type Future = BoxFuture<Response<Answers>, Status>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let Self { between: Between { switch, said }, path } = self;
        let (switch, said, path) = (switch.clone(), said.clone(), std::mem::take(path));
        Box::pin(async move {
            let asked = request.into_inner().map_while(Result::ok);
            let answers: Answers = match path.rsplit('/').next() {
                Some("Read") if let Some(forged) = lock(&said.reads).pop_front() => {
                    said.lies.send_modify(|lies| *lies += 1);
                    Box::pin(tokio_stream::once(Ok(forged)))
                }
                Some("Write") if let Some(details) = lock(&said.refusals).pop_front() => {
                    return Err(Status::with_details(Code::Unknown, "refused", details));
                }
                Some("StreamChannel") => {
                    let forged = BroadcastStream::new(said.stream.subscribe()).map_while(Result::ok).map(Ok);
                    // Each frame as it comes, and the end when either ends.
                    let broken = WatchStream::from_changes(said.breaks.subscribe()).map(|_| None);
                    let honest = call(switch, &path, asked).await?;
                    let honest = honest.map(Some).chain(tokio_stream::once(None));
                    Box::pin(honest.merge(forged.map(Some)).merge(broken).map_while(|said| said))
                }
                _ => Box::pin(call(switch, &path, asked).await?),
            };
            Ok(Response::new(answers))
        })
    }
}
