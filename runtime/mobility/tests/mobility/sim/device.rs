//! What is on the access ports: hosts, and those who pretend to be them.

use std::net::IpAddr;

use vouch_mobility::{AccessId, HostKey, Instant};

/// Something with a MAC address on a port: the real host, or one that pretends to be it.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) key: HostKey,
    pub(crate) ip: IpAddr,
    pub(crate) at: Option<(usize, AccessId)>,
    pub(crate) habit: Habit,
    /// It is paused, or reboots.
    pub(crate) silent_until: Instant,
}

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Whoever asks, for its address.
    Answers { within_ms: u64 },
    /// The same, but never before that.
    Late { after_ms: u64 },
    /// Where it is recorded it is asked in the gateway's name, and answers that: it is only seen.
    AnswersGateway,
    /// Not at all.
    Mute,
}
