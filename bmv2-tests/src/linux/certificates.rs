//! The agents' certificates: an authority made for the occasion, and one certificate for each agent.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use super::Failure;

/// An authority whose key never leaves memory.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
}

/// The files of one agent.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) ca: PathBuf,
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}

impl Authority {
    /// Make an authority, and write its certificate into `folder`.
    pub(super) fn create(folder: &Path) -> Result<Self, Failure> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "vouch fabric");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        fs::write(folder.join("ca.pem"), params.self_signed(&key)?.pem())?;
        Ok(Self { issuer: Issuer::new(params, key), folder: folder.to_owned() })
    }

    /// A certificate for the agent of this name, for both ends of a connection.
    pub(super) fn issue(&self, name: &str) -> Result<Identity, Failure> {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let file = |extension: &str| self.folder.join(format!("{name}.{extension}"));
        let identity = Identity { ca: self.folder.join("ca.pem"), cert: file("pem"), key: file("key") };
        fs::write(&identity.cert, params.signed_by(&key, &self.issuer)?.pem())?;
        fs::write(&identity.key, key.serialize_pem())?;
        Ok(identity)
    }
}
