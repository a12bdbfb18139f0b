//! Names of things: hosts, VTEPs, access interfaces, held frames, claims.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use vouch_net::{MacAddr, Vni};

/// A host: one MAC address in one VNI. The same MAC in two VNIs is two hosts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostKey {
    /// The layer-2 network.
    pub vni: Vni,
    /// The address in it.
    pub mac: MacAddr,
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in VNI {}", self.mac, self.vni)
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A VTEP, known by its tunnel address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VtepAddr(pub IpAddr);

impl fmt::Display for VtepAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for VtepAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vtep {}", self.0)
    }
}

/// An access interface of this VTEP: a port, or one VLAN of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessId(pub u16);

impl fmt::Display for AccessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for AccessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "access {}", self.0)
    }
}

/// Where a host is reached.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// On an access interface of this VTEP, which therefore is the host's owner.
    Local(AccessId),
    /// Through the tunnel to another VTEP.
    Remote(VtepAddr),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(port) => write!(f, "access {port}"),
            Self::Remote(vtep) => write!(f, "tunnel to {vtep}"),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A frame that the driver keeps until it is told to release or to drop it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FrameId(pub u64);

/// Which life of an agent a number comes from: higher in each later one, so that nothing a predecessor said is taken for its successor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Incarnation(pub u64);

/// Numbers the claims of one claimant, so that a late answer is not taken for the answer to the next claim, nor for one of an earlier life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimId {
    /// The life of the claimant's agent.
    pub incarnation: Incarnation,
    /// Counts its claims.
    pub number: u64,
}

impl ClaimId {
    /// The number of no claim: who has a host in its own table does not claim it from anybody.
    pub const NONE: u64 = 0;
}

/// Numbers the questions that this VTEP asks of hosts, so that a switch's confirmation is not taken for that of another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuestionId(pub u64);

/// Numbers that say nothing but which is which are written as no other number is: who compares states of a machine can tell them from quantities, and
/// take states that differ in nothing but such names for one.
fn hash_name<H: Hasher>(kind: u32, life: Incarnation, number: u64, state: &mut H) {
    let life = u128::from(life.0 & u64::from(u32::MAX));
    state.write_u128(u128::from(kind) << 96 | life << 64 | u128::from(number));
}

impl Hash for FrameId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_name(1, Incarnation::default(), self.0, state);
    }
}

impl Hash for QuestionId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_name(2, Incarnation::default(), self.0, state);
    }
}

impl Hash for ClaimId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The number of no claim is no name.
        match self.number {
            Self::NONE => state.write_u64(Self::NONE),
            number => hash_name(3, self.incarnation, number, state),
        }
    }
}
