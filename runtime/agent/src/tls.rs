//! Who we are over TLS, and whom we believe: an authority, what it has revoked, a certificate and its key, out of PEM files.
//!
//! The same for peers and for management. [`client`] is less: for a switch or a collector, which decide themselves whom they believe. A certificate that has been revoked is refused in every new handshake, by either side; whoever
//! keeps connections asks [`Identity::is_revoked`] about those that there are when the files have been read again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error, RootCertStore, ServerConfig, crypto};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use vouch_certs::names;
use vouch_p4runtime::client::TlsConfig;

use crate::config::ClientTls;

/// The files of an identity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Files<'a> {
    pub(crate) ca: &'a Path,
    /// What the authority has revoked.
    pub(crate) crl: Option<&'a Path>,
    pub(crate) cert: &'a Path,
    pub(crate) key: &'a Path,
}

/// Why files make no identity.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] Unreadable),
    /// They are not what they should be.
    #[error("{0}")]
    Content(String),
}

/// A file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {error}", path.display())]
pub(crate) struct Unreadable {
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

/// Reads the files of a client that may have no certificate of its own. They are not looked into.
pub(crate) fn client(files: &ClientTls) -> Result<TlsConfig, Unreadable> {
    let text = |path: &PathBuf| file(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let identity = match (&files.cert, &files.key) {
        (Some(certificate), Some(key)) => Some((text(certificate)?, text(key)?)),
        (None, _) | (_, None) => None,
    };
    Ok(TlsConfig { ca: text(&files.ca)?, identity, server_name: files.server_name.clone() })
}

/// See the module.
pub(crate) struct Identity {
    verifier: Arc<dyn ClientCertVerifier>,
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl Identity {
    /// Reads and checks the files. The certificate has to be for `name`, if one is given.
    pub(crate) fn read(files: Files<'_>, name: Option<&str>) -> Result<Self, TlsError> {
        let provider = Arc::new(crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        let of_authority = wrong("the authority's certificate");
        for root in CertificateDer::pem_slice_iter(&file(files.ca)?) {
            roots
                .add(root.map_err(|error| of_authority(error.to_string()))?)
                .map_err(|error| of_authority(error.to_string()))?;
        }
        let crls = match files.crl {
            None => Vec::new(),
            Some(path) => CertificateRevocationListDer::pem_slice_iter(&file(path)?)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| wrong("the list of revoked certificates")(error.to_string()))?,
        };
        if files.crl.is_some() && crls.is_empty() {
            return Err(wrong("the list of revoked certificates")(
                "there is none in the file; one begins with -----BEGIN X509 CRL-----".to_owned(),
            ));
        }
        let roots = Arc::new(roots);
        // Intermediate authorities are not ours to revoke.
        let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
        let clients = clients.with_crls(crls.clone()).only_check_end_entity_revocation().build();
        let verifier = clients.map_err(|error| of_authority(error.to_string()))?;
        let servers = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
        let servers = servers.with_crls(crls).only_check_end_entity_revocation().build();
        let servers = servers.map_err(|error| of_authority(error.to_string()))?;

        let chain = CertificateDer::pem_slice_iter(&file(files.cert)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong("our certificate")(error.to_string()))?;
        let certified = chain.first().map(|ours| names(ours)).unwrap_or_default();
        if let Some(name) = name
            && !certified.iter().any(|certified| certified.eq_ignore_ascii_case(name))
        {
            return Err(wrong("our certificate")(format!("it is for {certified:?}, but our name is `{name}`")));
        }
        let key = PrivateKeyDer::from_pem_slice(&file(files.key)?);
        let key = key.map_err(|error| wrong("our private key")(error.to_string()))?;
        let pair = |error: Error| wrong("our certificate and private key")(error.to_string());
        let versions = |error: Error| wrong("TLS")(error.to_string());
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(versions)?
            .with_client_cert_verifier(verifier.clone())
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(pair)?;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(versions)?
            .with_webpki_verifier(servers)
            .with_client_auth_cert(chain, key)
            .map_err(pair)?;
        server.alpn_protocols.push(b"h2".to_vec());
        client.alpn_protocols.push(b"h2".to_vec());
        let (acceptor, connector) = (TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client)));
        Ok(Self { verifier, acceptor, connector })
    }

    /// For listening: whoever calls must have a certificate of our authority.
    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// For dialling: whoever answers must have one for the name that is dialled.
    pub(crate) fn connector(&self) -> &TlsConnector {
        &self.connector
    }

    /// Whether the certificate that somebody has shown, the first of these, has been revoked since.
    pub(crate) fn is_revoked(&self, shown: &[CertificateDer<'_>]) -> bool {
        let Some((first, between)) = shown.split_first() else { return false };
        let verified = self.verifier.verify_client_cert(first, between, UnixTime::now());
        matches!(verified, Err(Error::InvalidCertificate(CertificateError::Revoked)))
    }
}

fn wrong(what: &'static str) -> impl Fn(String) -> TlsError {
    move |why| TlsError::Content(format!("{what}: {why}"))
}

fn file(path: &Path) -> Result<Vec<u8>, Unreadable> {
    std::fs::read(path).map_err(|error| Unreadable { path: path.to_owned(), error })
}
