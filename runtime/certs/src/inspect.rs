//! What a certificate says.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

use crate::{CertsError, read};

/// A certificate, as far as agents care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its subject, as a distinguished name.
    pub subject: String,
    /// Who has signed it.
    pub issuer: String,
    /// The DNS names that it is for.
    pub names: Vec<String>,
    /// The addresses that it is for.
    pub addresses: Vec<IpAddr>,
    /// Whether it may sign others.
    pub authority: bool,
    /// From when on it holds.
    pub from: SystemTime,
    /// The last moment at which it holds.
    pub until: SystemTime,
    /// Its serial number, by which its authority revokes it.
    pub serial: Vec<u8>,
    /// Its public key (RFC 5280, SubjectPublicKeyInfo).
    pub public_key: Vec<u8>,
    /// All of it, in DER.
    pub der: Vec<u8>,
}

/// The certificates of a PEM file, in their order.
///
/// # Errors
/// It cannot be read, or is no PEM file of certificates.
pub fn inspect(path: &Path) -> Result<Vec<Certificate>, CertsError> {
    let bytes = read(path)?;
    let wrong = |what: String| CertsError::Content { path: path.to_owned(), what };
    let mut found = Vec::new();
    for pem in Pem::iter_from_buffer(&bytes) {
        let pem = pem.map_err(|error| wrong(format!("this is no PEM file: {error}")))?;
        if pem.label == "CERTIFICATE" {
            let certificate = pem.parse_x509().map_err(|error| wrong(format!("this is no certificate: {error}")))?;
            found.push(certificate_of(&certificate, &pem.contents));
        }
    }
    if found.is_empty() {
        return Err(wrong("there is no certificate in it; one begins with -----BEGIN CERTIFICATE-----".to_owned()));
    }
    Ok(found)
}

/// The DNS names that a certificate in DER is for. One that cannot be read is for nobody.
pub fn names(der: &[u8]) -> Vec<String> {
    X509Certificate::from_der(der).map(|(_, parsed)| certificate_of(&parsed, der).names).unwrap_or_default()
}

fn certificate_of(parsed: &X509Certificate<'_>, der: &[u8]) -> Certificate {
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    for extension in parsed.extensions() {
        let ParsedExtension::SubjectAlternativeName(alternatives) = extension.parsed_extension() else { continue };
        for name in &alternatives.general_names {
            match name {
                GeneralName::DNSName(name) => names.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
                _ => {}
            }
        }
    }
    let moment = |seconds: i64| {
        let since = Duration::from_secs(seconds.unsigned_abs());
        let epoch = SystemTime::UNIX_EPOCH;
        if seconds < 0 { epoch.checked_sub(since) } else { epoch.checked_add(since) }.unwrap_or(epoch)
    };
    Certificate {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        names,
        addresses,
        authority: parsed.is_ca(),
        from: moment(parsed.validity().not_before.timestamp()),
        until: moment(parsed.validity().not_after.timestamp()),
        serial: parsed.raw_serial().to_vec(),
        public_key: parsed.public_key().raw.to_vec(),
        der: der.to_vec(),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match <[u8; 4]>::try_from(bytes) {
        Ok(ipv4) => Some(ipv4.into()),
        Err(_) => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    }
}
