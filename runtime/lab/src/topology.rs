//! The fabric on paper: switches, the cables between them, the seats where hosts can sit, and who sits where at first.
//!
//! A topology knows nothing of how its switches are brought up; a [`Target`](crate::target::Target) does that.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::Serialize;
use vouch_net::{MacAddr, Vni};

use crate::host::{Habits, HostSpec};

/// A port of a switch, or a VLAN of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PortRef {
    /// The switch.
    pub switch: String,
    /// Its port.
    pub port: u16,
    /// One VLAN of the port, which then is a trunk; `None` for what is untagged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
}

impl PortRef {
    /// Name a port.
    pub fn new(switch: &str, port: u16) -> Self {
        Self { switch: switch.to_owned(), port, vlan: None }
    }

    /// Name a VLAN of a port.
    pub fn on_trunk(switch: &str, port: u16, vlan: u16) -> Self {
        Self { vlan: Some(vlan), ..Self::new(switch, port) }
    }

    /// The port as a whole, which is where a cable is.
    pub fn cable(&self) -> Self {
        Self { vlan: None, ..self.clone() }
    }
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} port {}", self.switch, self.port)?;
        self.vlan.map_or(Ok(()), |vlan| write!(f, " VLAN {vlan}"))
    }
}

/// No port is called like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a port is `SWITCH port NUMBER`, or `SWITCH port NUMBER VLAN NUMBER`")]
pub struct NoPort;

impl FromStr for PortRef {
    type Err = NoPort;

    /// As it is displayed.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.parse().ok().filter(|number| *number > 0).ok_or(NoPort);
        match *text.split_whitespace().collect::<Vec<_>>() {
            [switch, "port", port] => Ok(Self::new(switch, number(port)?)),
            [switch, "port", port, "VLAN", vlan] => Ok(Self::on_trunk(switch, number(port)?, number(vlan)?)),
            _ => Err(NoPort),
        }
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
    /// How it behaves.
    pub habits: Habits,
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
    /// The hosts. In the demo's scenarios, one of them is [`ATTACKER`].
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
        let [red, blue] = demo_vnis();
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
            let (host, seat) = (host(name, number), PortRef::new(switch, port));
            topology.guests.push(Guest { host, vni, seat, habits: Habits::default() });
        }
        topology
    }

    /// The same with one more seat, in VNI 5001.
    pub fn with_seat(mut self, at: PortRef) -> Self {
        let [red, _] = demo_vnis();
        self.seats.push(Seat { at, vni: red });
        self
    }

    /// The same with one more host in VNI 5001, whose number is the last byte of its addresses. A seat that does not exist is
    /// added.
    pub fn with_guest(self, name: &str, number: u8, seat: PortRef, habits: Habits) -> Self {
        let [red, _] = demo_vnis();
        self.with_guest_in(red, name, number, seat, habits)
    }

    /// The same with one more host in another VNI.
    pub fn with_guest_in(mut self, vni: Vni, name: &str, number: u8, seat: PortRef, habits: Habits) -> Self {
        if self.vni_of(&seat).is_none() {
            self.seats.push(Seat { at: seat.clone(), vni });
        }
        self.guests.push(Guest { host: host(name, number), vni, seat, habits });
        self
    }

    /// What of it is made of cables: VLANs of one port are one seat.
    pub fn cabling(&self) -> Self {
        let mut cabling = self.clone();
        let mut seen = BTreeSet::new();
        cabling.seats.retain_mut(|seat| {
            seat.at = seat.at.cable();
            seen.insert(seat.at.clone())
        });
        for guest in &mut cabling.guests {
            guest.seat = guest.seat.cable();
        }
        cabling
    }

    /// The VLANs of a port; none where it is not a trunk.
    pub fn vlans(&self, cable: &PortRef) -> Vec<u16> {
        self.seats.iter().filter(|seat| seat.at.cable() == *cable).filter_map(|seat| seat.at.vlan).collect()
    }

    /// The switches that are VTEPs, with their tunnel addresses.
    pub fn vteps(&self) -> impl Iterator<Item = (&SwitchSpec, Ipv4Addr)> {
        self.switches.iter().filter_map(|switch| Some((switch, switch.vtep?)))
    }

    /// The VTEP that has this tunnel address.
    pub fn vtep_at(&self, address: IpAddr) -> Option<&SwitchSpec> {
        self.vteps().find(|(_, candidate)| IpAddr::V4(*candidate) == address).map(|(switch, _)| switch)
    }

    /// A host by its name.
    pub fn guest(&self, name: &str) -> Option<&Guest> {
        self.guests.iter().find(|guest| guest.host.name == name)
    }

    /// The VNI of a seat.
    pub fn vni_of(&self, seat: &PortRef) -> Option<Vni> {
        self.seats.iter().find(|candidate| candidate.at == *seat).map(|seat| seat.vni)
    }

    /// The MAC address that the agent of a VTEP sends its probes from: `02:76` and the tunnel address.
    pub fn probe_mac(&self, switch: &str) -> Option<MacAddr> {
        let (_, address) = self.vteps().find(|(candidate, _)| candidate.name == switch)?;
        let [a, b, c, d] = address.octets();
        Some(MacAddr([0x02, 0x76, a, b, c, d]))
    }

    /// The MAC address of a switch's underlay port.
    pub fn underlay_mac(&self, at: &PortRef) -> MacAddr {
        let device = self.switches.iter().find(|switch| switch.name == at.switch).map_or(0, |switch| switch.device_id);
        let [high, low] = at.port.to_be_bytes();
        MacAddr([0x02, 0xfe, 0, device as u8, high, low])
    }

    /// Whether all VTEPs hang off one switch that only routes.
    pub fn is_star(&self) -> bool {
        let mut routers = self.switches.iter().filter(|switch| switch.vtep.is_none());
        let (Some(spine), None) = (routers.next(), routers.next()) else { return false };
        self.vteps().all(|(switch, _)| self.neighbours(&spine.name).any(|(_, far)| far.switch == switch.name))
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

/// [`DEMO_VNIS`] as VNIs.
pub(crate) fn demo_vnis() -> [Vni; 2] {
    DEMO_VNIS.map(|vni| Vni::new(vni).expect("the demo's VNIs have 24 bits"))
}

/// A host whose number is the last byte of its addresses.
pub(crate) fn host(name: &str, number: u8) -> HostSpec {
    HostSpec {
        name: name.to_owned(),
        mac: MacAddr([2, 0, 0, 0, 0, number]),
        ipv4: Ipv4Addr::new(10, 0, 0, number),
        ipv6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()),
    }
}

#[cfg(test)]
mod tests {
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
    fn vlans_of_a_port_share_its_cable() {
        let topology = Topology::demo()
            .with_guest("left", 7, PortRef::on_trunk("vtep1", 8, 100), Habits::default())
            .with_guest("right", 8, PortRef::on_trunk("vtep1", 8, 200), Habits::default());
        let cable = PortRef::new("vtep1", 8);
        assert_eq!(topology.vlans(&cable), [100, 200]);
        assert!(topology.vlans(&PortRef::new("vtep1", 2)).is_empty());
        assert_eq!(topology.seats.len(), Topology::demo().seats.len() + 2);
        assert_eq!(topology.cabling().seats.len(), Topology::demo().seats.len() + 1);
        assert_eq!(topology.guests[8].seat.to_string(), "vtep1 port 8 VLAN 100");
    }

    #[test]
    fn ports_are_read_as_they_are_displayed() {
        for port in [PortRef::new("leaf1", 2), PortRef::on_trunk("leaf1", 8, 100)] {
            assert_eq!(port.to_string().parse(), Ok(port));
        }
        for wrong in ["leaf1", "leaf1 port", "leaf1 port 0", "leaf1 port 70000", "leaf1 2", "leaf1 port 2 VLAN"] {
            assert_eq!(wrong.parse::<PortRef>(), Err(NoPort), "{wrong}");
        }
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
