//! How an agent reaches its switch and its peers, and how peers reach it: TCP, unless whoever starts it says otherwise.
//!
//! What runs over the connections, TLS and gRPC, is the same whatever they are. A simulation has all of its agents and
//! switches in one process and connects them by memory.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tonic::codegen::http::Uri;
use vouch_p4runtime::client::{ByteStream, Dialler};

/// The port of URLs that say none.
const HTTPS: u16 = 443;

/// A connection that is being accepted, with where it comes from.
pub type Accepting<'a> = Pin<Box<dyn Future<Output = io::Result<(Box<dyn ByteStream>, SocketAddr)>> + Send + 'a>>;

/// Somewhere to be reached.
pub trait Listener: Send + Sync {
    /// Where it is.
    fn local_address(&self) -> io::Result<SocketAddr>;

    /// The next connection. Dropping the future loses none.
    fn accept(&self) -> Accepting<'_>;
}

/// A listener that is being made.
pub type Binding = Pin<Box<dyn Future<Output = io::Result<Box<dyn Listener>>> + Send>>;

type Bind = dyn Fn(SocketAddr) -> Binding + Send + Sync;

/// See the module.
#[derive(Clone, Default)]
pub struct Network {
    dialler: Dialler,
    bind: Option<Arc<Bind>>,
}

impl Network {
    /// A network with connections of its own.
    pub fn new(dialler: Dialler, bind: impl Fn(SocketAddr) -> Binding + Send + Sync + 'static) -> Self {
        Self { dialler, bind: Some(Arc::new(bind)) }
    }

    /// What makes connections.
    pub(crate) fn dialler(&self) -> &Dialler {
        &self.dialler
    }

    /// Opens a connection to where a URL says, and nothing above it.
    pub(crate) async fn dial(&self, to: Uri) -> io::Result<Box<dyn ByteStream>> {
        if let Some(dialling) = self.dialler.dial(to.clone()) {
            return dialling.await;
        }
        let host = to.host().unwrap_or_default().trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, to.port_u16().unwrap_or(HTTPS))).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }

    /// Listens at an address.
    pub(crate) async fn bind(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        match &self.bind {
            None => Ok(Box::new(TcpListener::bind(address).await?)),
            Some(bind) => bind(address).await,
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("dialler", &self.dialler).finish_non_exhaustive()
    }
}

impl Listener for TcpListener {
    fn local_address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn accept(&self) -> Accepting<'_> {
        Box::pin(async {
            let (stream, from) = TcpListener::accept(self).await?;
            stream.set_nodelay(true)?;
            Ok((Box::new(stream) as Box<dyn ByteStream>, from))
        })
    }
}
