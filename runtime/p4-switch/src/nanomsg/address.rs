//! Where to publish, in nanomsg's words.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where subscribers come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `ipc://PATH`: a local socket at this path.
    Ipc(PathBuf),
    /// `tcp://HOST:PORT`, where `*` is every address of this machine. Port 0 takes any free one.
    Tcp {
        /// `None` for every address.
        host: Option<String>,
        /// The port.
        port: u16,
    },
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// Another transport, or none.
    #[error("it must be ipc://PATH or tcp://HOST:PORT")]
    Transport,
    /// `ipc://` alone.
    #[error("there is no path after ipc://")]
    NoPath,
    /// A TCP address without a port.
    #[error("a TCP address ends with a port, as in tcp://127.0.0.1:5555 or tcp://*:5555")]
    NoPort,
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if let Some(path) = text.strip_prefix("ipc://") {
            return if path.is_empty() { Err(BadAddress::NoPath) } else { Ok(Self::Ipc(path.into())) };
        }
        let tcp = text.strip_prefix("tcp://").ok_or(BadAddress::Transport)?;
        let (host, port) = tcp.rsplit_once(':').ok_or(BadAddress::NoPort)?;
        let port = port.parse().map_err(|_| BadAddress::NoPort)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match host {
            "" => Err(BadAddress::NoPort),
            "*" => Ok(Self::Tcp { host: None, port }),
            host => Ok(Self::Tcp { host: Some(host.to_owned()), port }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipc(path) => write!(f, "ipc://{}", path.display()),
            Self::Tcp { host: None, port } => write!(f, "tcp://*:{port}"),
            Self::Tcp { host: Some(host), port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host: Some(host), port } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_alike() {
        for text in ["ipc:///tmp/bmv2-0-notifications.ipc", "tcp://*:5555", "tcp://127.0.0.1:0", "tcp://[::1]:80"] {
            assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_address_says_what_would_be_one() {
        for (text, why) in [
            ("/tmp/notifications.ipc", BadAddress::Transport),
            ("inproc://here", BadAddress::Transport),
            ("ipc://", BadAddress::NoPath),
            ("tcp://localhost", BadAddress::NoPort),
            ("tcp://:80", BadAddress::NoPort),
            ("tcp://localhost:65536", BadAddress::NoPort),
        ] {
            assert_eq!(text.parse::<Address>(), Err(why), "{text}");
        }
    }
}
