//! Making certificates.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, RevokedCertParams, SanType, SerialNumber,
};
use time::OffsetDateTime;
use x509_parser::pem::Pem;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use crate::{AUTHORITY, CertsError, Files, PUBLIC, read, store, write};

/// Clocks of a fabric may differ by so much.
const SKEW: Duration = Duration::from_secs(3_600);
/// The longest name of a common name (RFC 5280, upper bounds).
const LONGEST: usize = 64;

/// A fabric's authority: its certificate, and the key that signs.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// A certificate and its private key, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Authority {
    /// A new one, which is only in memory, and whose certificate holds from now on for so long.
    ///
    /// # Errors
    /// The name, or the random numbers of the system.
    pub fn create(name: &str, validity: Duration) -> Result<Self, CertsError> {
        let mut params = params(validity);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        Ok(Self { certificate: params.self_signed(&key)?.pem(), issuer: Issuer::new(params, key) })
    }

    /// The one of a folder.
    ///
    /// # Errors
    /// There is none, or its files are not what they should be.
    pub fn load(folder: &Path) -> Result<Self, CertsError> {
        let Files { cert, key, .. } = Files::of(folder, AUTHORITY);
        let text = |path: &Path| read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let wrong = |path: &Path, what: &str| CertsError::Content { path: path.to_owned(), what: what.to_owned() };
        let (certificate, pair) = (text(&cert)?, text(&key)?);
        let pair = KeyPair::from_pem(&pair).map_err(|_| wrong(&key, "this is no private key in PEM"))?;
        let found = crate::inspect(&cert)?;
        let first = found.first().ok_or_else(|| wrong(&cert, "there is no certificate in it"))?;
        if !first.authority {
            return Err(wrong(&cert, "this certificate is not of an authority"));
        }
        if first.public_key != pair.subject_public_key_info() {
            return Err(wrong(&key, "this key does not belong to the certificate beside it"));
        }
        let issuer = Issuer::from_ca_cert_pem(&certificate, pair)?;
        Ok(Self { certificate, issuer })
    }

    /// Write it into a folder, where there is none yet.
    ///
    /// # Errors
    /// There is one, or the folder cannot be written to.
    pub fn save(&self, folder: &Path) -> Result<Files, CertsError> {
        let identity = Identity { certificate: self.certificate.clone(), key: self.issuer.key().serialize_pem() };
        store(folder, AUTHORITY, &identity, false)
    }

    /// A certificate for an agent, by its name and addresses, for both ends of a connection.
    ///
    /// # Errors
    /// A name that no certificate can carry.
    pub fn issue(&self, name: &str, addresses: &[IpAddr], validity: Duration) -> Result<Identity, CertsError> {
        if !is_name(name) {
            return Err(CertsError::Name { name: name.to_owned() });
        }
        let mut params = params(validity);
        params.distinguished_name.push(DnType::CommonName, name);
        let names = [SanType::DnsName(name.try_into()?)].into_iter();
        params.subject_alt_names = names.chain(addresses.iter().map(|address| SanType::IpAddress(*address))).collect();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        Ok(Identity { certificate: params.signed_by(&key, &self.issuer)?.pem(), key: key.serialize_pem() })
    }
}

impl Authority {
    /// What the authority has revoked, these certificates among it from now on: the list for the file `ca.crl` of the folder.
    ///
    /// # Errors
    /// The list that is there cannot be read, or a certificate is not of this authority.
    pub fn revoke(&self, folder: &Path, certificates: &[PathBuf]) -> Result<PathBuf, CertsError> {
        let path = folder.join(AUTHORITY).with_extension("crl");
        let (mut number, mut revoked) = match path.exists() {
            true => list(&path)?,
            false => (0, BTreeMap::new()),
        };
        let authority = &crate::inspect(&Files::of(folder, AUTHORITY).cert)?;
        for file in certificates {
            let found = crate::inspect(file)?;
            let first = found.first().filter(|it| authority.iter().any(|ours| ours.subject == it.issuer));
            let first = first.ok_or_else(|| CertsError::Content {
                path: file.clone(),
                what: "this authority has not signed it, and cannot revoke it".to_owned(),
            })?;
            revoked.entry(first.serial.clone()).or_insert_with(|| OffsetDateTime::from(SystemTime::now()));
        }
        number += 1;
        let now = OffsetDateTime::from(SystemTime::now());
        let revoked = revoked.into_iter().map(|(serial, since)| RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: since,
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: now - SKEW,
            // It holds until there is a later one.
            next_update: OffsetDateTime::from_unix_timestamp(LAST).unwrap_or(now),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        write(&path, &params.signed_by(&self.issuer)?.pem()?, PUBLIC, true)?;
        Ok(path)
    }
}

/// The serial numbers that a list has.
pub(crate) fn revoked(path: &Path) -> Result<Vec<Vec<u8>>, CertsError> {
    list(path).map(|(_, revoked)| revoked.into_keys().collect())
}

/// The number of a list, and what it has: serial numbers, and when they were revoked.
fn list(path: &Path) -> Result<(u64, BTreeMap<Vec<u8>, OffsetDateTime>), CertsError> {
    let bytes = read(path)?;
    let wrong = || CertsError::Content {
        path: path.to_owned(),
        what: "this is no list of revoked certificates in PEM".to_owned(),
    };
    let pem = Pem::iter_from_buffer(&bytes).next().and_then(Result::ok).ok_or_else(wrong)?;
    let (_, list) = CertificateRevocationList::from_der(&pem.contents).map_err(|_| wrong())?;
    let number = list.crl_number().and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
    let moment = |seconds| OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| wrong());
    let revoked = list
        .iter_revoked_certificates()
        .map(|one| Ok((one.raw_serial().to_vec(), moment(one.revocation_date.timestamp())?)));
    Ok((number, revoked.collect::<Result<_, CertsError>>()?))
}

fn params(validity: Duration) -> CertificateParams {
    let now = OffsetDateTime::from(SystemTime::now());
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = now - SKEW;
    // Longer than dates go is as long as they go (RFC 5280, section 4.1.2.5).
    let end = time::Duration::try_from(validity).ok().and_then(|validity| now.checked_add(validity));
    let last = OffsetDateTime::from_unix_timestamp(LAST).unwrap_or(now);
    params.not_after = end.unwrap_or(last).min(last);
    params
}

/// The end of the year 9999.
const LAST: i64 = 253_402_300_799;

/// Whether a name can be that of a file and of a host.
fn is_name(name: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(usual) && !name.starts_with(['.', '-']) && name != AUTHORITY
}
