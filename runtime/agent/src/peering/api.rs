//! What the rest of the agent sees of a peering: what it is given, what it reports, what it refuses.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::time::Instant;
use vouch_mobility::{Incarnation, Message, VtepAddr};
use vouch_net::MacAddr;

use super::misbehaviour::PeerMisbehaved;
use crate::config::{Config, PeerConfig, PeeringConfig};

/// The version of the peer protocol; both sides must speak the same.
pub const VERSION: u32 = 2;

/// Who we are, who the others are, and how we talk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeeringSetup {
    /// Our name, which our certificate carries.
    pub name: String,
    /// Our tunnel address.
    pub address: VtepAddr,
    /// Which life of this agent it is.
    pub incarnation: Incarnation,
    /// The source of our probes.
    pub probe_mac: MacAddr,
    /// The only agents that get a session.
    pub peers: Vec<PeerConfig>,
    /// Where to listen, what to prove, how long to wait, how much to keep.
    pub config: PeeringConfig,
}

impl PeeringSetup {
    /// The part of a configuration that concerns peers; `None` for a switch that is no VTEP.
    pub fn of(config: &Config, incarnation: Incarnation) -> Option<Self> {
        config.vtep.as_ref().map(|vtep| Self {
            name: config.name.clone(),
            address: vtep.address,
            incarnation,
            probe_mac: vtep.probe_mac,
            peers: vtep.peers.clone(),
            config: vtep.peering.clone(),
        })
    }
}

/// One session with a peer. What is said in one is never said in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What happened at a peer. Per peer, `Up` and `Down` alternate, and messages come only in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerEvent {
    /// A session began: the peer is to hear the whole lists.
    Up {
        /// With whom.
        vtep: VtepAddr,
        /// Which session.
        session: SessionId,
        /// Which life of the peer's agent it is.
        incarnation: Incarnation,
        /// The source of the peer's probes.
        probe_mac: MacAddr,
    },
    /// The session ended; another one is being sought.
    Down {
        /// With whom.
        vtep: VtepAddr,
        /// Why.
        reason: DownReason,
    },
    /// The peer said something.
    Message {
        /// Who.
        vtep: VtepAddr,
        /// What.
        message: Message,
    },
    /// Somebody wanted a session and did not get one. Reported while there is room; always counted.
    Refused(Refusal),
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DownReason {
    /// The peer closed it, or the connection broke.
    Closed(String),
    /// Nothing was heard for too long.
    Silent,
    /// The peer took its messages so slowly that too many were waiting.
    TooSlow,
    /// The peer did what no agent of ours does.
    Misbehaved(PeerMisbehaved),
    /// We are not in charge of our switch, and so speak for nobody.
    NotInCharge,
    /// Our switch has not taken what was about to be announced.
    Unwritten,
    /// The authority has revoked the peer's certificate.
    Revoked,
    /// The peer opened a newer session, as it does after a restart.
    Replaced,
    /// The peering is being shut down.
    Shutdown,
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(why) => write!(f, "closed: {why}"),
            Self::Silent => f.write_str("nothing heard for too long"),
            Self::TooSlow => f.write_str("the peer is too slow: its queue is full"),
            Self::Misbehaved(how) => write!(f, "the peer misbehaved: {how}"),
            Self::NotInCharge => f.write_str("not in charge of the switch"),
            Self::Unwritten => f.write_str("the switch has not taken what was to be announced"),
            Self::Revoked => f.write_str("the certificate has been revoked"),
            Self::Replaced => f.write_str("replaced by a newer session"),
            Self::Shutdown => f.write_str("shutting down"),
        }
    }
}

/// A session that was refused, by us or to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where the connection came from or went to.
    pub from: String,
    /// Why.
    pub reason: RefusalReason,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.from, self.reason)
    }
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusalReason {
    /// No TLS session came about: another authority, no certificate, an expired one, or no TLS at all.
    Handshake(String),
    /// The name it says is not that of a configured peer.
    UnknownPeer(String),
    /// The certificate does not carry the name it says.
    Name {
        /// What it says.
        announced: String,
        /// What it has proven.
        certified: Vec<String>,
    },
    /// The tunnel address it says is not the one configured for its name.
    Address {
        /// Its name.
        name: String,
        /// What it says.
        announced: String,
        /// What is configured.
        configured: VtepAddr,
    },
    /// It speaks another version of the protocol.
    Version(u32),
    /// It dialled although our address is the lower one.
    Direction(String),
    /// It did not say hello, not in time, or not first.
    Hello(String),
    /// The peer refused us, and said why.
    ByPeer(String),
    /// We are not in charge of our switch, and so speak for nobody.
    NotInCharge,
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(why) => write!(f, "no TLS session: {why}"),
            Self::UnknownPeer(name) => write!(f, "`{name}` is not a configured peer"),
            Self::Name { announced, certified } => {
                write!(f, "it says it is `{announced}`, but its certificate is for {}", List(certified))
            }
            Self::Address { name, announced, configured } => {
                write!(f, "`{name}` announces VTEP address {announced}, but {configured} is configured for it")
            }
            Self::Version(version) => write!(f, "it speaks protocol version {version}, this agent {VERSION}"),
            Self::Direction(name) => write!(f, "`{name}` dialled, but the VTEP with the lower address does that"),
            Self::Hello(why) => write!(f, "no proper hello: {why}"),
            Self::ByPeer(why) => write!(f, "refused by the peer: {why}"),
            Self::NotInCharge => f.write_str("not in charge of the switch"),
        }
    }
}

/// Names, quoted and separated; or that there is none.
struct List<'a>(&'a [String]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no name");
        }
        for (index, name) in self.0.iter().enumerate() {
            write!(f, "{}`{name}`", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// The message was dropped. The next session's full state makes good for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Not a configured peer.
    #[error("not a configured peer")]
    Unknown,
    /// There is no session.
    #[error("no session with the peer")]
    NotConnected,
    /// The queue was full; the session is being closed.
    #[error("the peer is too slow: its queue is full, and its session is being closed")]
    TooSlow,
}

/// The peering cannot start.
#[derive(Debug, thiserror::Error)]
pub enum PeeringError {
    /// The address to listen on is not to be had.
    #[error("cannot listen for peers on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// A certificate, key or authority file cannot be read.
    #[error("cannot read {}: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The files do not make a TLS identity.
    #[error("the certificate, key and authority do not make a TLS identity: {0}")]
    Identity(String),
    /// A peer's endpoint cannot be dialled.
    #[error("the endpoint `{endpoint}` of peer `{peer}` is no URL to dial: {why}")]
    Endpoint {
        /// Whose.
        peer: String,
        /// The endpoint.
        endpoint: String,
        /// Why.
        why: String,
    },
}

/// How it stands with one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its name.
    pub name: String,
    /// Its tunnel address.
    pub address: VtepAddr,
    /// Where its agent is.
    pub endpoint: String,
    /// There is a session.
    pub up: bool,
    /// Since when that is so; `None`: there has never been one.
    pub since: Option<Instant>,
    /// Why there is none.
    pub reason: Option<String>,
    /// Messages that wait to be sent.
    pub unsent: usize,
    /// Sessions so far.
    pub sessions: u64,
    /// Messages sent,
    pub sent: u64,
    /// received,
    pub received: u64,
    /// and dropped, because there was no session or no room.
    pub dropped: u64,
}

vouch_mobility::counters! {
    /// How often what happened, since the start.
    pub struct PeeringCounters {
        /// Sessions begun.
        sessions,
        /// Sessions refused, for whatever reason.
        refused,
        /// Attempts to reach a peer that nobody answered.
        unreachable,
        /// Sessions closed because the peer did what no agent of ours does.
        misbehaved,
        /// Sessions closed because the peer was too slow.
        too_slow,
        /// Sessions closed because the peer was silent.
        silent,
        /// Sessions closed because we were not in charge of our switch.
        not_in_charge,
        /// Sessions closed because our switch had not taken what was to be announced.
        unwritten,
        /// Messages sent.
        sent,
        /// Bytes of the messages sent, without what HTTP/2 and TLS add.
        bytes_sent,
        /// Messages received.
        received,
        /// Messages dropped because there was no session, or no room.
        dropped,
    }
}
