//! A fabric's own certificate authority, and the certificates of its agents.
//!
//! Agents speak to each other over mutual TLS: each shows a certificate that its fabric's authority has signed, and that is for
//! its name in the configuration. Nobody else need know the authority, so it is a key pair in a folder:
//!
//! | file | what it is | who needs it |
//! |---|---|---|
//! | `ca.pem` | the authority's certificate | every agent (`peering.tls.ca`) |
//! | `ca.crl` | the certificates that it has revoked, if any | every agent (`peering.tls.crl`) |
//! | `ca.key` | its private key | whoever issues certificates, and no agent |
//! | `NAME.pem` | an agent's certificate, for its name and its addresses | that agent (`peering.tls.cert`) |
//! | `NAME.key` | its private key | that agent (`peering.tls.key`) |
//!
//! [`Authority`] makes them, [`store`] puts an agent's into the folder, [`inspect`] says what one is, and [`check`] says why
//! agents would refuse one; [`check_client`] and [`check_server`] do for those of others, as of who runs a switch or calls an agent. Keys are
//! ECDSA on P-256; the files of keys are readable by their owner only.
//!
//! This crate knows files and certificates. It knows nothing of agents and their configuration, and opens no connection.

mod authority;
mod check;
mod inspect;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

pub use authority::{Authority, Identity};
pub use check::{Problem, check, check_client, check_revoked, check_server};
pub use inspect::{Certificate, inspect, names};

/// Why certificates could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// A file could not be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
    /// There is something in the place of a new file.
    #[error("{} exists already, and is not written over", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file is not what it should be.
    #[error("{}: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What it is not.
        what: String,
    },
    /// A name or an address that no certificate can carry.
    #[error(
        "`{name}` is no name for a certificate: letters, digits, `-`, `_` and `.`, at most 64 of them, as of a host"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// The certificate could not be made.
    #[error("cannot make the certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// The files of an agent's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The authority's certificate.
    pub ca: PathBuf,
    /// The agent's certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Files {
    /// Those of this name in a folder as in the crate's table.
    pub fn of(folder: &Path, name: &str) -> Self {
        let file = |extension: &str| folder.join(format!("{name}.{extension}"));
        Self { ca: folder.join(AUTHORITY).with_extension("pem"), cert: file("pem"), key: file("key") }
    }
}

/// What an authority's files are called.
const AUTHORITY: &str = "ca";

/// Write an identity into a folder, or one in the place of the other. A reader sees the old files or the new ones, each whole.
///
/// # Errors
/// The folder cannot be written to, or has such files already and they are not to be replaced.
pub fn store(folder: &Path, name: &str, identity: &Identity, replace: bool) -> Result<Files, CertsError> {
    let files = Files::of(folder, name);
    write(&files.key, &identity.key, SECRET, replace)?;
    write(&files.cert, &identity.certificate, PUBLIC, replace)?;
    Ok(files)
}

const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;

fn write(path: &Path, text: &str, mode: u32, replace: bool) -> Result<(), CertsError> {
    let wrong = |error| CertsError::File { path: path.to_owned(), error };
    if !replace {
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
        return match file.and_then(|mut file| file.write_all(text.as_bytes())) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(CertsError::Exists { path: path.to_owned() })
            }
            written => written.map_err(wrong),
        };
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new);
    file.and_then(|mut file| file.write_all(text.as_bytes())).and_then(|()| fs::rename(&new, path)).map_err(wrong)
}

fn read(path: &Path) -> Result<Vec<u8>, CertsError> {
    fs::read(path).map_err(|error| CertsError::File { path: path.to_owned(), error })
}
