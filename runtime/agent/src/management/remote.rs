//! Management over the network: who calls shows a certificate of the configured authority that it has not revoked.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::config::RemoteManagement;
use crate::tls::{Files, Identity};

/// How many connections may be in their handshake at a time.
const HANDSHAKES: usize = 32;
/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who we are to operators, and whom to believe, as the files said when they were read last.
pub(crate) struct Identities {
    config: RemoteManagement,
    now: RwLock<Arc<Identity>>,
}

impl Identities {
    pub(super) fn read(config: &RemoteManagement) -> io::Result<Self> {
        let now = RwLock::new(Arc::new(identity(config).map_err(io::Error::other)?));
        Ok(Self { config: config.clone(), now })
    }

    /// Reads the files again. Connections go on; with files that are wrong nothing changes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn renew(&self) -> Result<(), String> {
        let new = Arc::new(identity(&self.config)?);
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    fn now(&self) -> Arc<Identity> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the certificate has been revoked by now: a connection may be older than that.
    pub(super) fn is_revoked(&self, shown: &[tokio_rustls::rustls::pki_types::CertificateDer<'_>]) -> bool {
        self.now().is_revoked(shown)
    }

    /// Takes connections, and hands on those of who is known, without waiting for the slow ones. Ends at `stop`.
    pub(super) async fn accept(
        self: Arc<Self>,
        listener: TcpListener,
        connections: mpsc::Sender<io::Result<TlsStream<TcpStream>>>,
        stop: CancellationToken,
    ) {
        let room = Arc::new(Semaphore::new(HANDSHAKES));
        loop {
            let accepted = async {
                let place = room.clone().acquire_owned().await.map_err(io::Error::other)?;
                let (stream, from) = listener.accept().await?;
                Ok::<_, io::Error>((place, stream, from))
            };
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = accepted => accepted,
            };
            let (place, stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // The connection died at once, or we are out of file descriptors: that passes, but not in a busy loop.
                    tracing::warn!(%error, "cannot accept a connection for management");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (identity, connections, stop) = (self.now(), connections.clone(), stop.clone());
            tokio::spawn(async move {
                let made = tokio::select! {
                    () = stop.cancelled() => return,
                    made = timeout(PATIENCE, identity.acceptor().accept(stream)) => made,
                };
                drop(place);
                match made {
                    // Closed means that the server has stopped.
                    Ok(Ok(stream)) => _ = connections.send(Ok(stream)).await,
                    Ok(Err(error)) => tracing::debug!(%from, %error, "a connection for management was refused"),
                    Err(_) => {
                        tracing::debug!(%from, "a connection for management was refused: the handshake took too long")
                    }
                }
            });
        }
    }
}

fn identity(config: &RemoteManagement) -> Result<Identity, String> {
    let RemoteManagement { ca, crl, cert, key, .. } = config;
    Identity::read(Files { ca, crl: crl.as_deref(), cert, key }, None).map_err(|error| error.to_string())
}
