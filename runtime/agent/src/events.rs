//! What an agent does, as it does it: the timeline for people and tests.
//!
//! Events decide nothing. They go through a bounded channel, and an agent never waits for whoever reads it: what does
//! not fit is dropped and counted.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

use ipnet::IpNet;
use vouch_mobility::{Evidence, HostKey, Message, Report, VtepAddr};
use vouch_net::MacAddr;

use crate::config::{AccessInterface, Port, VlanId};

/// Something that an agent saw or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentEvent {
    /// The agent's configured name.
    pub agent: Arc<str>,
    /// When.
    pub at: Instant,
    /// What.
    pub kind: AgentEventKind,
}

/// Kinds of [`AgentEvent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentEventKind {
    /// The agent controls its switch, and the switch's tables are as wanted.
    SwitchReady {
        /// Whether the program had to be installed; `false`: the switch was already running it.
        program_installed: bool,
        /// Hosts found in the switch's tables and kept.
        hosts_restored: usize,
        /// Entries written to get from what the switch had to what is wanted.
        entries_written: usize,
    },
    /// The agent does not control its switch any more; it keeps trying.
    SwitchLost {
        /// Why.
        reason: String,
    },
    /// A session with a peer is up.
    PeerUp {
        /// The peer.
        peer: VtepAddr,
    },
    /// The session with a peer is gone.
    PeerDown {
        /// The peer.
        peer: VtepAddr,
        /// Why.
        reason: String,
    },
    /// The switch says that the link of a port came up or went down.
    Port {
        /// The port.
        port: u16,
        /// Whether it is up.
        up: bool,
    },
    /// A next hop that is known by its IP address can be used, or cannot any more.
    NextHop {
        /// The port of its link.
        port: u16,
        /// Its address.
        address: IpAddr,
        /// Its MAC address; `None` if it cannot be used.
        mac: Option<MacAddr>,
        /// Why it cannot.
        why: Option<String>,
        /// The routes that name it.
        routes: Vec<IpNet>,
        /// Those of them that have no next hop now.
        without: Vec<IpNet>,
    },
    /// Frames that came in here do not fit the underlay. Told once for each place.
    ExceedsMtu {
        /// Where.
        place: Place,
        /// How many were dropped so far.
        frames: u64,
        /// What the underlay carries, in bytes of an IPv4 packet.
        mtu: u16,
    },
    /// Nobody tells any more whether ports have links: the stream that does has broken, or the switch is gone.
    PortsUnknown,
    /// An operator has taken the VTEP out of use, or back into it.
    Draining {
        /// Out of use: peers are told no more of its hosts.
        on: bool,
        /// How many hosts it has.
        hosts: u64,
    },
    /// A host was heard where the table does not have it, or with an address that is not known to be its.
    Heard {
        /// The host.
        host: HostKey,
        /// Where.
        interface: AccessInterface,
        /// By what kind of frame.
        evidence: Evidence,
        /// The addresses it claims.
        addresses: Vec<IpAddr>,
    },
    /// A host was asked whether it is still there.
    Asked {
        /// The host.
        host: HostKey,
        /// Where it was asked.
        via: Place,
        /// For which addresses.
        targets: Vec<IpAddr>,
    },
    /// A host answered a probe.
    Answered {
        /// The host.
        host: HostKey,
        /// Where the answer came in.
        from: Place,
        /// For which address.
        address: IpAddr,
    },
    /// A host under verification sent a frame from its recorded port.
    SeenAlive {
        /// The host.
        host: HostKey,
        /// The port.
        interface: AccessInterface,
    },
    /// A message went to a peer.
    Sent {
        /// The peer.
        to: VtepAddr,
        /// What.
        message: Message,
    },
    /// A message came from a peer.
    Received {
        /// The peer.
        from: VtepAddr,
        /// What.
        message: Message,
    },
    /// The switch took a change of its tables.
    Written {
        /// The changes in words, such as `insert destination (bd 1, 02:00:00:00:00:01): unicast(location 3)`.
        changes: Vec<String>,
    },
    /// What the state machine reports to the operator.
    Report(Report),
}

/// Where a host is reached, in the operator's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// An access interface of the agent's own switch.
    Interface(AccessInterface),
    /// The tunnel to another VTEP.
    Vtep(VtepAddr),
}

/// A text that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no place: give a VTEP by its tunnel address, as `10.0.0.2` or `2001:db8::2`, or an access interface, as `2` or `2.100` for VLAN 100 of port 2"
)]
pub struct NoPlace(String);

impl FromStr for Place {
    type Err = NoPlace;

    /// A VTEP's address, `PORT`, or `PORT.VLAN`.
    fn from_str(text: &str) -> Result<Self, NoPlace> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Vtep(VtepAddr(address)));
        }
        let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        let interface = match text.split_once('.') {
            None => number(text).and_then(Port::new).map(|port| AccessInterface { port, vlan: None }),
            Some((port, vlan)) => number(port).and_then(Port::new).and_then(|port| {
                let vlan = number(vlan).and_then(VlanId::new)?;
                Some(AccessInterface { port, vlan: Some(vlan) })
            }),
        };
        interface.map(Self::Interface).ok_or_else(|| NoPlace(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_operators_write_them() {
        let interface = |port, vlan: Option<u16>| {
            let vlan = vlan.map(|vlan| VlanId::new(vlan).expect("in range"));
            Ok(Place::Interface(AccessInterface { port: Port::new(port).expect("in range"), vlan }))
        };
        assert_eq!("10.0.0.2".parse(), Ok(Place::Vtep(VtepAddr([10, 0, 0, 2].into()))));
        let ipv6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
        assert_eq!("2001:db8::2".parse(), Ok(Place::Vtep(VtepAddr(ipv6.into()))));
        assert_eq!("2".parse(), interface(2, None));
        assert_eq!("2.100".parse(), interface(2, Some(100)));
        for wrong in ["", "2.", ".100", "2.4095", "511", "+2", "2.1.1", "vtep2"] {
            assert_eq!(wrong.parse::<Place>(), Err(NoPlace(wrong.to_owned())));
        }
    }
}
