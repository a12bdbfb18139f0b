//! How a connection comes about: over TCP, unless somebody says otherwise.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::codegen::{Service, http::Uri};
use tonic::transport::{Channel, Endpoint, Error};

/// Bytes in both directions: what is below HTTP/2, and below TLS where there is TLS.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> ByteStream for T {}

/// A connection that is being made.
pub type Dialling = Pin<Box<dyn Future<Output = io::Result<Box<dyn ByteStream>>> + Send>>;

type Dial = dyn Fn(Uri) -> Dialling + Send + Sync;

/// Makes connections. The default one does so over TCP.
#[derive(Clone, Default)]
pub struct Dialler(Option<Arc<Dial>>);

impl Dialler {
    /// Connections made by `dial`, which is given the URL to reach.
    pub fn new(dial: impl Fn(Uri) -> Dialling + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(dial)))
    }

    /// Opens the connection to a URL, and nothing above it; `None` where it is TCP's.
    pub fn dial(&self, to: Uri) -> Option<Dialling> {
        self.0.as_ref().map(|dial| dial(to))
    }

    /// Connects to an endpoint, with its time limit and its TLS.
    pub async fn connect(&self, endpoint: &Endpoint) -> Result<Channel, Error> {
        match &self.0 {
            None => endpoint.connect().await,
            Some(dial) => endpoint.connect_with_connector(Connector(dial.clone())).await,
        }
    }
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Dialler" } else { "Dialler(TCP)" })
    }
}

/// The same as tonic wants it.
struct Connector(Arc<Dial>);

impl Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn ByteStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let dialling = (self.0)(to);
        Box::pin(async { dialling.await.map(TokioIo::new) })
    }
}
