//! What a session needs to know.

use std::{sync::Arc, time::Duration};

use thiserror::Error;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::{BackoffConfig, CrowdLimits, Dialler, PacketSorter, ServerTraits};
use crate::{P4Info, p4::v1::p4_runtime_client::P4RuntimeClient};

/// How to reach a switch, and as whom.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// `HOST:PORT`, `http://HOST:PORT` or, with [`Self::tls`], `https://HOST:PORT`.
    pub target: String,
    /// The device behind the server; BMv2's default is 0, ours too.
    pub device_id: u64,
    /// The highest among the controllers of a role is primary. Not 0, which the protocol keeps for "never primary".
    pub election_id: u128,
    /// The role, or none for the default role, which may do everything. BMv2 knows only that one.
    pub role: Option<String>,
    /// How connections to the target come about: over TCP unless told.
    pub dialler: Dialler,
    /// TLS, or plain text.
    pub tls: Option<TlsConfig>,
    /// Names for error messages; [`super::Session::push_pipeline`] brings its own.
    pub p4info: Option<Arc<P4Info>>,
    /// Where the server departs from the specification.
    pub server: ServerTraits,
    /// Waits between attempts to connect.
    pub backoff: BackoffConfig,
    /// Bounds for waiting.
    pub timeouts: Timeouts,
    /// Events that may wait for the consumer, at least 64.
    pub event_queue: usize,
    /// Which packet-ins go to the [`super::Crowd`] rather than among the events; none: no packet.
    pub sort: Option<PacketSorter>,
    /// How much of that may wait.
    pub crowd: CrowdLimits,
    /// Packet-outs and acknowledgements that may wait for the connection.
    pub send_queue: usize,
    /// The largest message in bytes, either way. gRPC's own default of 4 MiB is too small for pipelines.
    pub max_message: usize,
    /// The most updates in one write request; longer batches are split, see [`super::Session::write`].
    pub max_batch: usize,
}

/// Bounds for waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect, and then to hear the answer to arbitration.
    pub connect: Duration,
    /// For an answer, and for each further message of a read.
    pub request: Duration,
    /// For a new pipeline to be taken.
    pub pipeline: Duration,
    /// Silence before TCP asks whether the switch is still there. HTTP/2 pings are not used: gRPC servers in C++ hang up
    /// on clients that ping more often than every five minutes.
    pub keepalive: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(30),
            pipeline: Duration::from_secs(60),
            keepalive: Duration::from_secs(5),
        }
    }
}

/// TLS towards a server. All PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// The authority that signed the server's certificate.
    pub ca: String,
    /// Our certificate and key, where the server wants one.
    pub identity: Option<(String, String)>,
    /// The name in the server's certificate, where it is not the host of the target.
    pub server_name: Option<String>,
}

/// A configuration that cannot work.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Not an address.
    #[error("`{target}` is not a switch's address (HOST:PORT, optionally with http:// or https:// before it)")]
    Target {
        /// What was given.
        target: String,
    },
    /// `https` without certificates, or `http` with them.
    #[error("`{target}`: https:// needs TLS settings, and http:// must not have any")]
    Scheme {
        /// What was given.
        target: String,
    },
    /// Certificates or keys that cannot be used.
    #[error("TLS settings for `{target}`: {reason}")]
    Tls {
        /// The switch.
        target: String,
        /// What the TLS library says.
        reason: String,
    },
    /// Election id 0.
    #[error("election id 0 can never become primary; use 1 or more")]
    ElectionId,
}

impl SessionConfig {
    /// Defaults for everything else: plain text, default role, 64 MiB messages.
    pub fn new(target: impl Into<String>, device_id: u64, election_id: u128) -> Self {
        Self {
            target: target.into(),
            device_id,
            election_id,
            role: None,
            dialler: Dialler::default(),
            tls: None,
            p4info: None,
            server: ServerTraits::default(),
            backoff: BackoffConfig::default(),
            timeouts: Timeouts::default(),
            event_queue: 4096,
            sort: None,
            crowd: CrowdLimits::default(),
            send_queue: 1024,
            max_message: 64 << 20,
            max_batch: 500,
        }
    }

    pub(super) fn client(&self, channel: Channel) -> P4RuntimeClient<Channel> {
        P4RuntimeClient::new(channel)
            .max_decoding_message_size(self.max_message)
            .max_encoding_message_size(self.max_message)
    }

    pub(super) fn endpoint(&self) -> Result<Endpoint, ConfigError> {
        if self.election_id == 0 {
            return Err(ConfigError::ElectionId);
        }
        let target = || self.target.clone();
        let (https, host) = match self.target.split_once("://") {
            Some(("http", host)) => (Some(false), host),
            Some(("https", host)) => (Some(true), host),
            Some(_) => return Err(ConfigError::Target { target: target() }),
            None => (None, self.target.as_str()),
        };
        if https.is_some_and(|https| https != self.tls.is_some()) {
            return Err(ConfigError::Scheme { target: target() });
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{host}"))
            .map_err(|_| ConfigError::Target { target: target() })?;
        if endpoint.uri().port().is_none() {
            return Err(ConfigError::Target { target: target() });
        }
        let endpoint = endpoint
            .connect_timeout(self.timeouts.connect)
            .tcp_nodelay(true)
            .tcp_keepalive(Some(self.timeouts.keepalive))
            .tcp_keepalive_interval(Some(self.timeouts.keepalive))
            .tcp_keepalive_retries(Some(3))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(4 * STREAM_WINDOW)
            .http2_max_header_list_size(ERROR_DETAILS);
        let refused = |reason| ConfigError::Tls { target: target(), reason };
        match &self.tls {
            None => Ok(endpoint),
            Some(tls) => tls.apply(endpoint).map_err(refused),
        }
    }
}

/// Room for a burst of packet-ins.
const STREAM_WINDOW: u32 = 1 << 20;

/// A failed batch's outcomes travel as a header; hyper's 16 KiB hold only some 150 of them.
const ERROR_DETAILS: u32 = 4 << 20;

impl TlsConfig {
    /// Has connections to an endpoint, whose URL is one of `https`, use it.
    ///
    /// # Errors
    /// What cannot be used, in the words of the TLS library.
    pub fn apply(&self, endpoint: Endpoint) -> Result<Endpoint, String> {
        // The TLS library would take it for "trust nobody" and fail later, with each connection.
        if !self.ca.contains("-----BEGIN CERTIFICATE-----") {
            return Err("the authority's PEM holds no certificate".to_owned());
        }
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&self.ca));
        if let Some((certificate, key)) = &self.identity {
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        if let Some(name) = &self.server_name {
            tls = tls.domain_name(name);
        }
        endpoint.tls_config(tls).map_err(|error| super::error::chain(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(config: &SessionConfig) -> Option<String> {
        config.endpoint().err().map(|error| error.to_string())
    }

    #[test]
    fn addresses_come_with_and_without_scheme() {
        for target in ["127.0.0.1:9559", "http://switch:9559", "[::1]:9559"] {
            assert_eq!(refusal(&SessionConfig::new(target, 0, 1)), None, "{target}");
        }
        for target in ["", "switch", "ftp://switch:1", "a b:1", "http://"] {
            let error = refusal(&SessionConfig::new(target, 0, 1)).unwrap_or_default();
            assert!(error.contains("is not a switch's address"), "{target}: {error}");
        }
    }

    #[test]
    fn scheme_and_tls_must_agree() {
        let mut config = SessionConfig::new("https://switch:9559", 0, 1);
        assert!(refusal(&config).unwrap_or_default().contains("needs TLS settings"));
        config.tls = Some(TlsConfig { ca: "not PEM".into(), ..TlsConfig::default() });
        assert!(refusal(&config).unwrap_or_default().ends_with("holds no certificate"));
        config.target = "http://switch:9559".into();
        assert!(refusal(&config).unwrap_or_default().contains("must not have any"));
    }

    #[test]
    fn election_id_zero_is_refused() {
        assert!(refusal(&SessionConfig::new("s:1", 0, 0)).unwrap_or_default().contains("election id 0"));
    }
}
