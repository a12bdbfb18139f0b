//! Certificates: ours, and what a caller's says.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};
use vouch_certs::names;

use super::api::PeeringError;
use crate::config::PeerSecurity;

/// Who opened a connection, as far as that is proven.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The other end of the connection.
    pub(super) from: String,
    /// The names in its certificate; `None` without TLS, when nothing is proven.
    pub(super) certified: Option<Arc<[String]>>,
}

/// Who we are to peers, until the files are read again.
pub(super) struct Keys {
    pub(super) files: TlsFiles,
    pub(super) acceptor: TlsAcceptor,
}

impl Keys {
    /// Reads and checks the files. `None` if the peering is to be plaintext.
    pub(super) fn read(security: &PeerSecurity, name: &str) -> Result<Option<Self>, PeeringError> {
        let Some(files) = TlsFiles::read(security)? else { return Ok(None) };
        let acceptor = files.acceptor(name)?;
        Ok(Some(Self { files, acceptor }))
    }
}

/// The files of a TLS identity.
pub(super) struct TlsFiles {
    ca: Vec<u8>,
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl TlsFiles {
    /// `None` if the peering is to be plaintext.
    fn read(security: &PeerSecurity) -> Result<Option<Self>, PeeringError> {
        match security {
            PeerSecurity::Plaintext => Ok(None),
            PeerSecurity::Tls { ca, cert, key } => Ok(Some(Self { ca: file(ca)?, cert: file(cert)?, key: file(key)? })),
        }
    }

    /// For dialling: whoever answers must have a certificate for `peer`.
    pub(super) fn client(&self, peer: &str) -> ClientTlsConfig {
        ClientTlsConfig::new()
            .domain_name(peer)
            .ca_certificate(Certificate::from_pem(&self.ca))
            .identity(Identity::from_pem(&self.cert, &self.key))
    }

    /// For listening: whoever calls must have a certificate of our authority.
    fn acceptor(&self, name: &str) -> Result<TlsAcceptor, PeeringError> {
        let wrong = |what: &str, why: String| PeeringError::Identity(format!("{what}: {why}"));
        let provider = Arc::new(crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(&self.ca) {
            let root = root.map_err(|error| wrong("the authority's certificate", error.to_string()))?;
            roots.add(root).map_err(|error| wrong("the authority's certificate", error.to_string()))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| wrong("the authority's certificate", error.to_string()))?;
        let chain = CertificateDer::pem_slice_iter(&self.cert)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong("our certificate", error.to_string()))?;
        let names = chain.first().map(|ours| names(ours)).unwrap_or_default();
        if !names.iter().any(|certified| certified.eq_ignore_ascii_case(name)) {
            return Err(wrong("our certificate", format!("it is for {names:?}, but our name is `{name}`")));
        }
        let key =
            PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| wrong("our private key", error.to_string()))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong("TLS", error.to_string()))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| wrong("our certificate and private key", error.to_string()))?;
        config.alpn_protocols.push(b"h2".to_vec());
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn file(path: &Path) -> Result<Vec<u8>, PeeringError> {
    std::fs::read(path).map_err(|error| PeeringError::File { path: path.to_owned(), why: error.to_string() })
}
