//! The certificates of a fabric's agents: an authority made for the occasion, and one certificate per agent.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use crate::error::LabError;

/// An authority whose key never leaves memory.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    directory: PathBuf,
}

/// The files of one agent.
pub(super) struct IdentityFiles {
    pub(super) ca: PathBuf,
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}

impl Authority {
    /// Make an authority, and write its certificate into `directory`.
    pub(super) fn create(directory: &Path) -> Result<Self, LabError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "vouch-lab authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        fs::write(ca_file(directory), params.self_signed(&key)?.pem())?;
        Ok(Self { issuer: Issuer::new(params, key), directory: directory.to_owned() })
    }

    /// Make a certificate that carries `name`, for both ends of a connection.
    pub(super) fn issue(&self, name: &str) -> Result<IdentityFiles, LabError> {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let files = IdentityFiles {
            ca: ca_file(&self.directory),
            cert: self.directory.join(format!("{name}.pem")),
            key: self.directory.join(format!("{name}.key")),
        };
        fs::write(&files.cert, certificate.pem())?;
        fs::write(&files.key, key.serialize_pem())?;
        Ok(files)
    }
}

fn ca_file(directory: &Path) -> PathBuf {
    directory.join("ca.pem")
}
