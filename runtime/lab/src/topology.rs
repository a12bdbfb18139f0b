//! The fabric on paper: switches, the cables between them, the seats where hosts can sit, and who sits where at first.
//!
//! A topology knows nothing of how its switches are brought up; a [`Target`](crate::target::Target) does that.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::Serialize;
use vouch_net::{MacAddr, Vni};

use crate::host::HostSpec;

/// A port of a switch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PortRef {
    /// The switch.
    pub switch: String,
    /// Its port.
    pub port: u16,
}

impl PortRef {
    /// Name a port.
    pub fn new(switch: &str, port: u16) -> Self {
        Self { switch: switch.to_owned(), port }
    }
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} port {}", self.switch, self.port)
    }
}

/// A switch of the fabric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchSpec {
    /// Its name, and the name of its agent.
    pub name: String,
    /// Its P4Runtime device id; unique in the fabric.
    pub device_id: u64,
    /// Its tunnel address; `None` for a switch that only routes.
    pub vtep: Option<Ipv4Addr>,
}

/// A place where a host can be plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The switch port.
    pub at: PortRef,
    /// The VNI of whoever sits there.
    pub vni: Vni,
}

/// A host and where it sits when the fabric starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Who it is.
    pub host: HostSpec,
    /// Its VNI.
    pub vni: Vni,
    /// Its first seat.
    pub seat: PortRef,
}

/// A fabric on paper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// The switches, by ascending device id.
    pub switches: Vec<SwitchSpec>,
    /// The cables of the underlay.
    pub cables: Vec<[PortRef; 2]>,
    /// The seats, taken and free.
    pub seats: Vec<Seat>,
    /// The hosts. One of them is [`ATTACKER`].
    pub guests: Vec<Guest>,
}

/// The name of the host that forges.
pub const ATTACKER: &str = "mallory";
/// The prefix length of the hosts' subnet is 24; this is the address that probes are sent from.
pub const PROBE_IPV4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);
/// The same for neighbour solicitations.
pub const PROBE_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0xfe);
/// The two VNIs of the demo.
pub const DEMO_VNIS: [u32; 2] = [5001, 5002];

impl Topology {
    /// The demo's fabric: three VTEPs around a spine; two VNIs whose hosts have the same MAC and IP addresses; free seats at
    /// every VTEP; the attacker behind the second.
    ///
    /// At each VTEP, port 1 leads to the spine; ports 2 to 5 are in VNI 5001 and ports 6 and 7 in VNI 5002.
    pub fn demo() -> Self {
        let mut topology = Self { switches: Vec::new(), cables: Vec::new(), seats: Vec::new(), guests: Vec::new() };
        let [red, blue] = DEMO_VNIS.map(|vni| Vni::new(vni).expect("the demo's VNIs have 24 bits"));
        for number in 1..=3_u8 {
            let name = format!("vtep{number}");
            let address = Ipv4Addr::new(192, 0, 2, number);
            topology.switches.push(SwitchSpec { name: name.clone(), device_id: number.into(), vtep: Some(address) });
            topology.cables.push([PortRef::new(&name, 1), PortRef::new("spine", number.into())]);
            for port in 2..=7 {
                let vni = if port <= 5 { red } else { blue };
                topology.seats.push(Seat { at: PortRef::new(&name, port), vni });
            }
        }
        topology.switches.push(SwitchSpec { name: "spine".to_owned(), device_id: 4, vtep: None });
        for (name, number, vni, switch, port) in [
            ("red1", 1, red, "vtep1", 2),
            ("red4", 4, red, "vtep1", 3),
            ("blue1", 1, blue, "vtep1", 6),
            ("red2", 2, red, "vtep2", 2),
            (ATTACKER, 66, red, "vtep2", 3),
            ("blue2", 2, blue, "vtep2", 6),
            ("red3", 3, red, "vtep3", 2),
            ("blue3", 3, blue, "vtep3", 6),
        ] {
            topology.guests.push(Guest { host: host(name, number), vni, seat: PortRef::new(switch, port) });
        }
        topology
    }

    /// The switches that are VTEPs, with their tunnel addresses.
    pub fn vteps(&self) -> impl Iterator<Item = (&SwitchSpec, Ipv4Addr)> {
        self.switches.iter().filter_map(|switch| Some((switch, switch.vtep?)))
    }

    /// The VTEP that has this tunnel address.
    pub fn vtep_at(&self, address: Ipv4Addr) -> Option<&SwitchSpec> {
        self.vteps().find(|(_, candidate)| *candidate == address).map(|(switch, _)| switch)
    }

    /// A host by its name.
    pub fn guest(&self, name: &str) -> Option<&Guest> {
        self.guests.iter().find(|guest| guest.host.name == name)
    }

    /// The VNI of a seat.
    pub fn vni_of(&self, seat: &PortRef) -> Option<Vni> {
        self.seats.iter().find(|candidate| candidate.at == *seat).map(|seat| seat.vni)
    }

    /// The MAC address of a switch's underlay port.
    pub fn underlay_mac(&self, at: &PortRef) -> MacAddr {
        let device = self.switches.iter().find(|switch| switch.name == at.switch).map_or(0, |switch| switch.device_id);
        let [high, low] = at.port.to_be_bytes();
        MacAddr([0x02, 0xfe, 0, device as u8, high, low])
    }

    /// The next port on the way from `switch` to the VTEP `to`, and the port at the other end of that cable.
    ///
    /// Works on trees, which is all that is needed here: the way is found by walking away from `switch` over each cable.
    pub fn toward(&self, switch: &str, to: &str) -> Option<(&PortRef, &PortRef)> {
        self.neighbours(switch).find(|(_, far)| self.reaches(&far.switch, switch, to))
    }

    fn reaches(&self, from: &str, not_back_to: &str, to: &str) -> bool {
        from == to
            || self
                .neighbours(from)
                .filter(|(_, far)| far.switch != not_back_to)
                .any(|(_, far)| self.reaches(&far.switch, from, to))
    }

    /// Each cable of a switch: its own end and the far one.
    pub fn neighbours(&self, switch: &str) -> impl Iterator<Item = (&PortRef, &PortRef)> {
        self.cables.iter().filter_map(move |[a, b]| match (a.switch == switch, b.switch == switch) {
            (true, _) => Some((a, b)),
            (false, true) => Some((b, a)),
            (false, false) => None,
        })
    }
}

/// A host of the demo: its number is the last byte of its addresses.
fn host(name: &str, number: u8) -> HostSpec {
    HostSpec {
        name: name.to_owned(),
        mac: MacAddr([2, 0, 0, 0, 0, number]),
        ipv4: Ipv4Addr::new(10, 0, 0, number),
        ipv6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_guest_of_the_demo_has_a_seat_of_its_own_in_its_vni() {
        let topology = Topology::demo();
        let taken: BTreeSet<_> = topology.guests.iter().map(|guest| &guest.seat).collect();
        assert_eq!(taken.len(), topology.guests.len());
        for guest in &topology.guests {
            assert_eq!(topology.vni_of(&guest.seat), Some(guest.vni), "{}", guest.host.name);
        }
    }

    #[test]
    fn the_vnis_overlap_in_their_addresses() {
        let topology = Topology::demo();
        let (red, blue) = (topology.guest("red1").unwrap(), topology.guest("blue1").unwrap());
        assert_eq!((red.host.mac, red.host.ipv4), (blue.host.mac, blue.host.ipv4));
        assert_ne!(red.vni, blue.vni);
    }

    #[test]
    fn ways_lead_over_the_spine() {
        let topology = Topology::demo();
        let (near, far) = topology.toward("vtep1", "vtep3").unwrap();
        assert_eq!((near, far), (&PortRef::new("vtep1", 1), &PortRef::new("spine", 1)));
        let (near, far) = topology.toward("spine", "vtep3").unwrap();
        assert_eq!((near, far), (&PortRef::new("spine", 3), &PortRef::new("vtep3", 1)));
        assert_eq!(topology.toward("vtep1", "nowhere"), None);
    }
}
