//! What people may be told of what is known, and what they may have forgotten. It decides nothing.

use std::net::IpAddr;
use std::time::Duration;

use crate::words::ids::{AccessId, HostKey, Location};

/// An address of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressDetail {
    /// Which.
    pub address: IpAddr,
    /// Where the host was last heard to have it, and how long ago.
    pub confirmed: Option<(Location, Duration)>,
}

/// How a host came to where it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StayDetail {
    /// For how long it has been here.
    pub tenure: Duration,
    /// Where it was before, and for how long.
    pub before: Option<(Location, Duration)>,
    /// For how much longer the place has to earn its trust (B12).
    pub probation: Option<Duration>,
}

/// A claim that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimDetail {
    /// Where the host is said to be.
    pub place: Location,
    /// For how long it has been open.
    pub open_for: Duration,
    /// Whether the host answers there; `None`: that is not known yet.
    pub answers: Option<bool>,
    /// It was refused not long ago: it is only asked about in passing.
    pub damped: bool,
}

/// A port that claimed a host in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedDetail {
    /// Whom.
    pub host: HostKey,
    /// Which port.
    pub port: AccessId,
    /// For how much longer a claim there is only asked about in passing; zero: the next is taken up as any other.
    pub damped_for: Duration,
    /// Episodes with a refusal that count towards an attack.
    pub refusals: u32,
    /// An attack was reported.
    pub attack: bool,
}

/// Where a host is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedAt {
    /// There.
    At(Location),
    /// At some port of this VTEP.
    Here,
}

/// What can be forgotten about a host at an operator's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Clear {
    /// That ports claimed it in vain: the next claim there is taken up as if it were the first. Attacks are among it.
    Refusals,
    /// That a port's claims were an attack; they stay damped.
    Attack,
    /// Ports that are shut for it.
    Quarantine,
}

/// One access interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortDetail {
    /// Whether it has a link; `None`: the switch does not say.
    pub link: Option<bool>,
    /// How many hosts are recorded there.
    pub hosts: usize,
    /// How many hosts are claimed there.
    pub claims: usize,
    /// How many addresses its hosts have.
    pub addresses: usize,
}
