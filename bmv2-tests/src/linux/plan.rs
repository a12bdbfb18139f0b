//! The fabric of the rows on paper: three VTEPs around a spine, and who is behind which port.

use std::net::{Ipv4Addr, Ipv6Addr};

use vouch_lab::HostSpec;
use vouch_lab::topology::PortRef;
use vouch_net::{MacAddr, Vni};

/// The switches; each has the number of its position, from 1. The spine is the last.
pub const NODES: [&str; 4] = ["vtep1", "vtep2", "vtep3", SPINE];
/// The switch that only routes.
pub const SPINE: &str = "spine";
/// The VTEPs' port to the spine.
pub(super) const UPLINK: u16 = 1;
/// The tenant that nearly everybody belongs to.
pub const RED: u32 = 5001;
/// Another tenant.
pub const BLUE: u32 = 5002;
/// The VLAN of the other tenant, where it shares a port.
pub const BLUE_VLAN: u16 = 100;

/// An access port, or one VLAN of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// The port.
    pub at: PortRef,
    /// The tag of its frames.
    pub vlan: Option<u16>,
    /// Whose it is.
    pub vni: u32,
}

impl Access {
    /// A whole port of the tenant [`RED`].
    pub fn red(vtep: u8, port: u16) -> Self {
        Self { at: at(vtep, port), vlan: None, vni: RED }
    }

    /// A VLAN of a port, for the tenant [`BLUE`].
    pub fn blue(vtep: u8, port: u16) -> Self {
        Self { at: at(vtep, port), vlan: Some(BLUE_VLAN), vni: BLUE }
    }
}

/// A port of a VTEP.
pub fn at(vtep: u8, port: u16) -> PortRef {
    PortRef::new(&format!("vtep{vtep}"), port)
}

/// A host and where it is at first.
#[derive(Clone, Debug)]
pub struct Resident {
    /// Who it is.
    pub spec: HostSpec,
    /// Where.
    pub access: Access,
    /// Whether it has its IPv6 address too.
    pub ipv6: bool,
}

/// Who the probes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// An address that no host has, with the VTEP's probe MAC.
    Address(Ipv4Addr),
    /// The gateway.
    Gateway {
        /// Its address.
        ip: Ipv4Addr,
        /// Its MAC address.
        mac: MacAddr,
    },
}

/// A fabric on paper.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everybody.
    pub residents: Vec<Resident>,
    /// Access ports where nobody is at first.
    pub free: Vec<Access>,
    /// Who the probes come from.
    pub probe: Probe,
    /// `hold`, `escalate` or `both`.
    pub during: &'static str,
    /// Whether attack reports shut ports.
    pub quarantine: bool,
    /// Further sections of the agents' configuration.
    pub further: String,
    /// The node that has two agents.
    pub standby: Option<&'static str>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            residents: Vec::new(),
            free: Vec::new(),
            probe: Probe::Address(Ipv4Addr::new(10, 0, 0, 250)),
            during: "escalate",
            quarantine: false,
            further: String::new(),
            standby: None,
        }
    }
}

impl Plan {
    /// A host more, known by the last byte of its addresses.
    #[must_use]
    pub fn host(mut self, name: &str, number: u8, access: Access) -> Self {
        self.residents.push(Resident { spec: spec(name, number), access, ipv6: false });
        self
    }

    /// Everybody has an IPv6 address too.
    #[must_use]
    pub fn with_ipv6(mut self) -> Self {
        self.residents.iter_mut().for_each(|resident| resident.ipv6 = true);
        self
    }

    /// An access port more.
    #[must_use]
    pub fn free(mut self, access: Access) -> Self {
        self.free.push(access);
        self
    }

    /// All access ports of a VTEP.
    pub(super) fn access(&self, vtep: &str) -> Vec<Access> {
        let taken = self.residents.iter().map(|resident| &resident.access);
        let mut all: Vec<_> = taken.chain(&self.free).filter(|access| access.at.switch == vtep).cloned().collect();
        all.sort();
        all.dedup();
        all
    }
}

/// A host of the rows.
pub fn spec(name: &str, number: u8) -> HostSpec {
    HostSpec {
        name: name.to_owned(),
        mac: MacAddr([2, 0, 0, 0, 0, number]),
        ipv4: Ipv4Addr::new(10, 0, 0, number),
        ipv6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()),
    }
}

/// One of a crowd.
pub fn member(number: u32) -> HostSpec {
    let [_, _, a, b] = number.to_be_bytes();
    let (mac, ipv4) = (MacAddr([2, 0xcc, 0, 0, a, b]), [10, 100, a, b].into());
    HostSpec { name: format!("member{number}"), mac, ipv4, ..spec("", 0) }
}

/// The VNI of this number.
pub(super) fn vni(number: u32) -> Option<Vni> {
    Vni::new(number).ok()
}

/// A node's number.
pub(super) fn number(node: &str) -> u8 {
    (1..).zip(NODES).find(|(_, name)| *name == node).map_or(0, |(number, _)| number)
}

/// Where a VTEP's tunnels end.
pub(super) fn tunnel_end(vtep: &str) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, number(vtep))
}

/// The address of an underlay port.
pub(super) fn underlay_mac(node: &str, port: u16) -> MacAddr {
    MacAddr([2, 0xfe, 0, number(node), 0, port as u8])
}
