//! Who we are to peers, and what a caller's certificate says.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tonic::codegen::http::Uri;
use vouch_p4runtime::client::{ByteStream, Dialler};

use super::api::PeeringError;
use crate::config::PeerSecurity;
use crate::network::Network;
use crate::tls::{Files, Identity, TlsError, Unreadable};

/// What somebody has shown, his own certificate first.
pub(super) type Chain = Arc<[CertificateDer<'static>]>;

/// Who opened a connection, as far as that is proven.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The other end of the connection.
    pub(super) from: String,
    /// What was shown; `None` without TLS, when nothing is proven.
    pub(super) shown: Option<Chain>,
}

impl Caller {
    /// The names in its certificate.
    pub(super) fn certified(&self) -> Option<Vec<String>> {
        let first = |chain: &Chain| chain.first().map(|own| vouch_certs::names(own)).unwrap_or_default();
        self.shown.as_ref().map(first)
    }
}

/// Reads and checks who we are. `None` if the peering is to be plaintext.
pub(super) fn keys(security: &PeerSecurity, name: &str) -> Result<Option<Identity>, PeeringError> {
    match security {
        PeerSecurity::Plaintext => Ok(None),
        PeerSecurity::Tls { ca, crl, cert, key } => {
            Ok(Some(Identity::read(Files { ca, crl: crl.as_deref(), cert, key }, Some(name))?))
        }
    }
}

impl From<TlsError> for PeeringError {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::File(Unreadable { path, error }) => Self::File { path, why: error.to_string() },
            TlsError::Content(why) => Self::Identity(why),
        }
    }
}

/// What a peer has shown that was dialled.
#[derive(Clone, Default)]
pub(super) struct Shown(Arc<Mutex<Option<Chain>>>);

impl Shown {
    pub(super) fn take(&self) -> Option<Chain> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Dials a peer over TLS: whoever answers must have a certificate for `peer` that holds.
pub(super) fn dialler(network: &Network, keys: &Arc<Identity>, peer: &str, endpoint: &Uri, shown: &Shown) -> Dialler {
    let (network, keys, peer, to, shown) =
        (network.clone(), keys.clone(), peer.to_owned(), endpoint.clone(), shown.clone());
    Dialler::new(move |_| {
        let (network, keys, peer, to, shown) = (network.clone(), keys.clone(), peer.clone(), to.clone(), shown.clone());
        Box::pin(async move {
            let name = ServerName::try_from(peer).map_err(io::Error::other)?;
            let stream = network.dial(to).await?;
            let stream = keys.connector().connect(name, stream).await?;
            let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let chain: Chain = chain.iter().map(|one| one.clone().into_owned()).collect();
            *shown.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(chain);
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        })
    })
}
