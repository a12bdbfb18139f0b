//! What a peer can do that no agent of ours does, after it has proved who it is.
//!
//! Each of it costs the peer its session, and with it everything that it has not been told yet: the next session begins with
//! whole lists. It costs no other peer anything, and nothing of what the peer said before is taken back.

use std::fmt;

use vouch_net::MacAddr;

/// What it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerMisbehaved {
    /// It said hello once more.
    SecondHello,
    /// It sent a frame of a kind that this version does not have.
    UnknownFrame,
    /// It sent a message of a kind that this version does not have.
    UnknownMessage,
    /// It sent something that gRPC or protobuf cannot read, or that is too large.
    Unreadable(String),
    /// It left out what a message is nothing without.
    Missing(&'static str),
    /// It named a VNI that does not fit into 24 bits.
    NotAVni(u32),
    /// It sent a MAC address of another length.
    MacOfBytes(usize),
    /// It spoke of a host with an address that no host can have.
    NotAHost(MacAddr),
    /// It sent an IP address of a length that there is none of.
    IpOfBytes(usize),
    /// It said that a host has more addresses than any host has.
    TooManyAddresses(usize),
    /// It named 0.0.0.0 as a VTEP.
    NotAVtep,
}

impl fmt::Display for PeerMisbehaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecondHello => f.write_str("a second hello"),
            Self::UnknownFrame => f.write_str("a frame of unknown kind"),
            Self::UnknownMessage => f.write_str("a message of unknown kind"),
            Self::Unreadable(why) => f.write_str(why),
            Self::Missing(what) => write!(f, "a message without its {what}"),
            Self::NotAVni(number) => write!(f, "{number} is not a VNI"),
            Self::MacOfBytes(bytes) => write!(f, "a MAC address of {bytes} bytes"),
            Self::NotAHost(mac) => write!(f, "{mac}, which is no host's address"),
            Self::IpOfBytes(bytes) => write!(f, "an IP address of {bytes} bytes"),
            Self::TooManyAddresses(number) => write!(f, "{number} addresses of one host"),
            Self::NotAVtep => f.write_str("0.0.0.0 as the address of a VTEP"),
        }
    }
}

impl std::error::Error for PeerMisbehaved {}
