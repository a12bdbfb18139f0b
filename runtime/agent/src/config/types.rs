//! What a configuration says. These types are the only definition of its fields: reading, defaults, the schema and the reference
//! come from them. Values have been checked against each other; nothing later re-checks them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use vouch_mobility::{
    Advertise, Contested, During, Limits, MacPrefix, PortLimits, Timers, Unproven, UnreachableOwner, VtepAddr,
};
use vouch_net::{MacAddr, Span, Vni, written_as};
use vouch_tables::{Port, VlanId};

use super::switch::{ClientTls, SwitchConfig};
use super::written::{CollectorUrl, File, Host, HostV4, HostV6, Interface, Listen, Name, PeerUrl, Prefix};

/// One agent: the switch it controls and what the switch is in the fabric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The name of this agent; a VTEP's peers know it by this name, and its certificate carries it.
    pub name: String,
    /// The switch to control.
    pub switch: SwitchConfig,
    /// The routed network below the tunnels.
    pub underlay: UnderlayConfig,
    /// How many packets per second of each kind one access interface, or one tunnel, may send to the agent.
    pub punt_rates: PuntRates,
    /// The Unix socket of the management service; `None`: there is no such service.
    pub management: Option<PathBuf>,
    /// The same over the network; `None`: it is not there.
    pub remote_management: Option<RemoteManagement>,
    /// The collector that is sent traces of claims; `None`: there are no traces.
    pub tracing: Option<Tracing>,
    /// Present on a VTEP; absent on a switch that only routes the underlay (a spine).
    pub vtep: Option<VtepConfig>,
}

/// The tunnel end point: everything that a transit-only switch does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VtepConfig {
    /// The tunnel address, and the identity among the peers.
    pub address: VtepAddr,
    /// The source address of probes. Unique in the fabric.
    pub probe_mac: MacAddr,
    /// The layer-2 networks that have hosts here, by ascending VNI.
    pub vnis: Vec<VniConfig>,
    /// The other VTEPs, by ascending address.
    pub peers: Vec<PeerConfig>,
    /// How to talk with the peers.
    pub peering: PeeringConfig,
    /// The waits of the method.
    pub timers: Timers,
    /// The bounds on state.
    pub limits: Limits,
    /// How many frames may be held for a verdict at a time; one access interface may have half of them.
    pub held_frames: usize,
    /// What a port that keeps claiming what is not its own gets.
    pub quarantine: Quarantine,
    /// `false` trusts every announcement, which lets a forged one win. It exists to show what verification prevents.
    pub verify: bool,
}

impl VtepConfig {
    /// By how many bytes an IP packet of a host gets longer on the underlay.
    pub fn tunnel_bytes(&self) -> u16 {
        tunnel_bytes(self.address.0)
    }
}

/// One layer-2 network on this switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VniConfig {
    /// The VXLAN network identifier.
    pub vni: Vni,
    /// Where its hosts are attached. Tenants that share a port need a VLAN each; a VTEP that only observes has none.
    #[serde(default, rename = "access")]
    pub(super) attached: Vec<Attachment>,
    /// The same, one by one, by ascending port and VLAN.
    #[serde(skip)]
    pub access: Vec<AccessInterface>,
    /// The addresses of its hosts, as far as that is said. What else is said here is checked against them.
    #[serde(default)]
    #[schemars(with = "Vec<Prefix>")]
    pub subnets: Vec<IpNet>,
    /// In whose name its hosts are asked. They note its IP and MAC, so the pair must be true, or nobody's: either the gateway's own,
    /// or addresses that nobody has, with `vtep.probe_mac`. Without it, ARP probes come from 0.0.0.0, which some systems answer wrongly.
    #[serde(default)]
    pub probe_as: ProbeAs,
    /// When the other VTEPs hear of a claim.
    #[serde(default)]
    pub advertise: Advertise,
    /// Where a host's traffic goes until the verdict.
    #[serde(default)]
    pub during_verification: During,
    /// What becomes of a claim when neither the owner nor the host through the tunnel can be asked.
    #[serde(default)]
    pub owner_unreachable: UnreachableOwner,
    /// What becomes of data frames of a host whose claim is not decided, at the claimed port.
    #[serde(default)]
    pub claimant_data: ClaimantData,
    /// What becomes of a claim when silence proves nothing, as no address is known that the host answers for.
    #[serde(default)]
    pub unproven: Unproven,
    /// Who gets the traffic of a host that answers at two places.
    #[serde(default)]
    pub contested: Contested,
    /// Whether IP addresses are bound to hosts and checked, as `on` or `off`. With `{shared: [...]}` they are, but for addresses
    /// that any host may use, as of VRRP routers without their MAC or of load balancers.
    #[serde(default)]
    pub bindings: Bindings,
    /// Whether requests for verified addresses are answered here, in place of being flooded.
    #[serde(default)]
    pub suppress: bool,
    /// What each of its access interfaces may send to the agent. What is not said here is as in `punt_rates` of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) punt_rates: Option<PuntRates>,
    /// The same, by access interface, where it differs from the rest of the file.
    #[serde(skip)]
    pub rates: BTreeMap<AccessInterface, PuntRates>,
    /// The bounds on what is kept of it. What is not said here is as in `limits` of the file.
    #[serde(default)]
    pub limits: VniLimits,
    /// The same, by access interface, where it differs from the rest of the file.
    #[serde(skip)]
    pub port_limits: BTreeMap<AccessInterface, PortLimits>,
    /// Addresses that no host may have: gateways and the like. Never learned, never moved.
    #[serde(default)]
    pub reserved_macs: Vec<MacAddr>,
    /// Addresses that move without being asked, as VRRP's do.
    #[serde(default)]
    pub trusted_moves: Vec<MacPrefix>,
}

/// The bounds on what is kept of one VNI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct VniLimits {
    /// Hosts in all, here and elsewhere. Without it, half of the file's `limits.hosts` is shared out among the VNIs, and the rest goes to who
    /// comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub hosts: Option<usize>,
    /// Hosts on one access interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub hosts_per_port: Option<usize>,
    /// Undecided claims from one access interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub claims_per_port: Option<usize>,
    /// Bindings of one access interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub bindings_per_port: Option<usize>,
}

impl VniLimits {
    /// What they say of each access interface.
    pub(super) fn of_port(&self) -> PortLimits {
        PortLimits { hosts: self.hosts_per_port, claims: self.claims_per_port, bindings: self.bindings_per_port }
    }
}

/// A port for its untagged frames, several as `1-8`, or a VLAN of them as `{port: 2, vlan: 100}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Attachment {
    /// Ports for their untagged frames.
    Untagged(Ports),
    /// One VLAN of ports.
    Vlan {
        /// A switch port, or several as `1-8`.
        port: Ports,
        /// The VLAN, 1 to 4094. Without it, the frames are untagged.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<u16>", range(min = 1, max = 4094))]
        vlan: Option<VlanId>,
        /// What each of these interfaces may send to the agent. What is not said here is as in `punt_rates` of the VNI.
        #[serde(skip_serializing_if = "Option::is_none")]
        punt_rates: Option<PuntRates>,
        /// The bounds on what is kept of each of these interfaces. What is not said here is as in `limits` of the VNI.
        #[serde(skip_serializing_if = "Option::is_none")]
        limits: Option<PortLimits>,
    },
}

impl Attachment {
    /// What its interfaces may send to the agent, where it differs from the rest of the VNI.
    pub(super) fn rates(&self) -> Option<PuntRates> {
        match self {
            Self::Untagged(_) => None,
            Self::Vlan { punt_rates, .. } => *punt_rates,
        }
    }

    /// What is kept of its interfaces, where that differs from the rest of the VNI.
    pub(super) fn limits(&self) -> PortLimits {
        match self {
            Self::Untagged(_) => PortLimits::default(),
            Self::Vlan { limits, .. } => limits.unwrap_or_default(),
        }
    }

    /// Each access interface of it.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = AccessInterface> {
        let (ports, vlan) = match self {
            Self::Untagged(ports) => (ports, None),
            Self::Vlan { port, vlan, .. } => (port, *vlan),
        };
        ports.0.iter().map(move |port| AccessInterface { port: *port, vlan })
    }
}

/// Ports by their ids, in the order in which they were written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Ports(Vec<Port>);

impl Serialize for Ports {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [port] => port.serialize(serializer),
            [first, .., last] => serializer.collect_str(&format_args!("{first}-{last}")),
            [] => serializer.serialize_str(""),
        }
    }
}

written_as!(Ports, { "type": ["integer", "string"], "format": "ports", "minimum": 0, "pattern": "^[0-9]+(-[0-9]+)?$" });

/// A port, as schemas have it.
struct OnePort;

written_as!(OnePort, { "type": "integer", "format": "port", "minimum": 0, "maximum": u16::MAX });

/// What becomes of data frames of a host whose claim is not decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClaimantData {
    /// They are forwarded.
    #[default]
    Forward,
    /// They are dropped.
    Drop,
}

/// Whether addresses are bound to hosts and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Bindings {
    /// They are, or not.
    All(OnOff),
    /// They are, but for some.
    But {
        /// The addresses that any host may use.
        #[serde(default)]
        #[schemars(with = "Vec<Prefix>")]
        shared: Vec<IpNet>,
    },
}

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "words")]
pub enum OnOff {
    On,
    Off,
}

impl Default for Bindings {
    fn default() -> Self {
        Self::All(OnOff::On)
    }
}

impl Bindings {
    /// Whether addresses are bound.
    pub fn on(&self) -> bool {
        *self != Self::All(OnOff::Off)
    }

    /// The addresses that any host may use.
    pub fn shared(&self) -> &[IpNet] {
        match self {
            Self::All(_) => &[],
            Self::But { shared } => shared,
        }
    }
}

/// Who the sender of a probe is (rule 1: a probe teaches its target nothing wrong).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProbeAs {
    /// The gateway's own pair: answers go there, and are seen on their way.
    Gateway {
        /// The IPv4 address of the gateway.
        #[schemars(with = "HostV4")]
        ip: Ipv4Addr,
        /// The MAC address of the gateway, which goes with its IP: with another MAC each question would take the host's gateway away.
        mac: MacAddr,
        /// The IPv6 address of the gateway. Without it, it is the link-local address of `vtep.probe_mac`.
        #[schemars(with = "Option<HostV6>")]
        ipv6: Option<Ipv6Addr>,
    },
    /// ARP comes from 0.0.0.0, neighbour solicitations from the link-local address of the probe MAC. Some hosts do not
    /// answer the first, some take it for a conflict.
    #[default]
    #[serde(skip)]
    Nobody,
    /// Addresses that nobody has, with our probe MAC.
    #[serde(untagged)]
    Address {
        /// An IPv4 address of the hosts' subnet that nobody has. Without it, ARP comes from 0.0.0.0.
        #[serde(rename = "address")]
        #[schemars(with = "Option<HostV4>")]
        ipv4: Option<Ipv4Addr>,
        /// An IPv6 address of the hosts' subnet that nobody has. Without it, it is the link-local address of `vtep.probe_mac`.
        #[schemars(with = "Option<HostV6>")]
        ipv6: Option<Ipv6Addr>,
    },
}

impl ProbeAs {
    /// Whether this is an address that nobody must have.
    pub fn reserves(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::Address { ipv4, .. }, IpAddr::V4(address)) => *ipv4 == Some(address),
            (Self::Address { ipv6, .. }, IpAddr::V6(address)) => *ipv6 == Some(address),
            (Self::Nobody | Self::Gateway { .. }, IpAddr::V4(_) | IpAddr::V6(_)) => false,
        }
    }

    /// Whether ARP probes have no sender address.
    pub fn arp_from_nobody(&self) -> bool {
        match self {
            Self::Nobody | Self::Address { ipv4: None, .. } => true,
            Self::Gateway { .. } | Self::Address { ipv4: Some(_), .. } => false,
        }
    }
}

/// Where hosts are attached: a port, or one VLAN of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessInterface {
    /// The switch port.
    pub port: Port,
    /// The VLAN; `None` is untagged.
    pub vlan: Option<VlanId>,
}

impl fmt::Display for AccessInterface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.vlan {
            Some(vlan) => write!(f, "port {} VLAN {vlan}", self.port),
            None => write!(f, "port {} untagged", self.port),
        }
    }
}

/// The routed network below the tunnels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct UnderlayConfig {
    /// The ports that belong to it.
    pub ports: Vec<UnderlayPort>,
    /// The routes, no prefix twice.
    pub routes: Vec<Route>,
    /// The time to live of the packets that carry tunnels; over IPv6, their hop limit.
    #[schemars(range(min = 1))]
    pub ttl: u8,
    /// Their differentiated services code point.
    #[schemars(range(max = 63))]
    pub dscp: u8,
    /// The longest IP packet that its links carry, in bytes. Tunnels take 50 bytes of it, over IPv6 70, and what does not fit is dropped
    /// and reported: with 1550, or 1570, hosts have their usual 1500. A port's `vlan` is no part of it. Without it, it is what the switch says of its
    /// ports (over gNMI; a `vlan` takes 4 bytes of that), or else 1500, which leaves hosts 1450.
    // The smallest that every IPv4 host takes (RFC 791, section 3.1).
    #[schemars(range(min = 576))]
    pub mtu: Option<u16>,
    /// When next hops are asked that are given by their IP addresses.
    pub neighbours: Neighbours,
}

impl Default for UnderlayConfig {
    fn default() -> Self {
        Self { ports: Vec::new(), routes: Vec::new(), ttl: 64, dscp: 0, mtu: None, neighbours: Neighbours::default() }
    }
}

/// What a link carries where nobody says, and what hosts count on: bytes of an IP packet (IEEE 802.3).
pub const DEFAULT_MTU: u16 = 1500;
/// An Ethernet header.
pub const ETHERNET_BYTES: u16 = 14;
/// A VLAN tag (IEEE 802.1Q, section 9.3).
pub const TAG_BYTES: u16 = 4;
/// By how much an IP packet of a host gets longer on the underlay: its Ethernet header, and those of VXLAN, UDP and IPv4 or IPv6
/// (RFC 7348, section 5).
pub fn tunnel_bytes(address: IpAddr) -> u16 {
    ETHERNET_BYTES + 8 + 8 + if address.is_ipv6() { 40 } else { 20 }
}

impl UnderlayConfig {
    /// The routes to `address`, the most specific first.
    pub fn routes_to(&self, address: IpAddr) -> Vec<&Route> {
        let mut routes: Vec<_> = self.routes.iter().filter(|route| route.prefix.contains(&address)).collect();
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.prefix_len()));
        routes
    }

    /// The port that a next hop is at.
    pub fn port_of(&self, hop: NextHop) -> Option<&UnderlayPort> {
        match hop {
            NextHop::At { port, .. } => self.port(port),
            NextHop::Address(address) => {
                self.ports.iter().find(|port| port.address.is_some_and(|link| link.reaches(address)))
            }
        }
    }

    /// The port of that number.
    pub fn port(&self, port: Port) -> Option<&UnderlayPort> {
        self.ports.iter().find(|candidate| candidate.port == port)
    }
}

/// A port of the underlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnderlayPort {
    /// A switch port.
    #[schemars(with = "OnePort")]
    pub port: Port,
    /// The address of our end. What arrives for others is not ours, and what leaves is from it.
    pub mac: MacAddr,
    /// Our IP address on its link, and how long the link's prefix is, as `192.0.2.0/31` or `2001:db8:ffff::/127`. Next hops there may then be given by their IP
    /// addresses: they are asked for their MAC addresses, again and again, and who asks for ours is answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Interface>")]
    pub address: Option<LinkAddress>,
    /// The VLAN of its link. What leaves by the port has this tag, and what arrives with another or without one is dropped
    /// (`UNKNOWN_INTERFACE`). Without it, frames on the link have no tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u16>", range(min = 1, max = 4094))]
    pub vlan: Option<VlanId>,
    /// Whether such next hops are watched by BFD as well (RFC 5880 and 5881): one is used when its session is up. On a link of two
    /// addresses (`/31`, `/127`) the other end is, whether or not a route is by it, so that it comes up there; on others, the routes of
    /// both ends have to name each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bfd: Option<Bfd>,
}

/// An IP address, and how long the prefix of its link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkAddress(IpNet);

impl LinkAddress {
    /// The address.
    pub fn address(self) -> IpAddr {
        self.0.addr()
    }

    /// The addresses of the link.
    pub fn prefix(self) -> IpNet {
        self.0.trunc()
    }

    /// Whether another machine of the link can have the address.
    pub fn reaches(self, address: IpAddr) -> bool {
        let of_a_machine = match self.0 {
            // RFC 3021: of two addresses, both are machines'.
            IpNet::V4(net) => net.prefix_len() >= 31 || (address != net.network() && address != net.broadcast()),
            IpNet::V6(_) => true,
        };
        self.0.contains(&address) && address != self.0.addr() && of_a_machine
    }

    /// The other machine of a link with two addresses (RFC 3021 and 6164).
    pub fn other_end(self) -> Option<IpAddr> {
        let two = self.0.prefix_len() + 1 == self.0.max_prefix_len();
        // Others have too many to look through.
        two.then(|| self.prefix().hosts().find(|address| *address != self.address())).flatten()
    }
}

impl fmt::Display for LinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for LinkAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for LinkAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IpNet::deserialize(deserializer).map(Self)
    }
}

/// The pace of BFD sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Bfd {
    /// How often either end says that it is there.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<10>")]
    pub interval: Duration,
    /// After how many missing packets it is gone.
    #[schemars(range(min = 1))]
    pub misses: u8,
}

impl Default for Bfd {
    fn default() -> Self {
        Self { interval: Duration::from_millis(100), misses: 3 }
    }
}

/// Where packets for a prefix go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// The destinations, as `10.0.0.2/32` or `2001:db8::2/128`.
    #[schemars(with = "Prefix")]
    pub prefix: IpNet,
    /// The next hop, by its IP address (on the link of a port with `address`), or with `port` and `mac`; or a list of up to 64 that share
    /// what goes there, flow by flow. One that is silent, or whose port is down, leaves its flows to the others, whose own stay where
    /// they are. Never empty.
    #[serde(rename = "via", with = "via")]
    #[schemars(with = "via::Via")]
    pub next_hops: Vec<NextHop>,
    /// Next hops that carry something only when none of `via` is there, and share it then.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "via")]
    #[schemars(with = "via::Via")]
    pub backup: Vec<NextHop>,
}

impl Route {
    /// All next hops that it has.
    pub fn all_hops(&self) -> impl Iterator<Item = NextHop> {
        self.next_hops.iter().chain(&self.backup).copied()
    }

    /// Whether what goes there has more than one way, at a time or one after the other.
    pub fn has_several_hops(&self) -> bool {
        self.all_hops().nth(1).is_some()
    }
}

/// One next hop, or several.
mod via {
    use super::*;

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(untagged)]
    pub(super) enum Via {
        Address(#[schemars(with = "Host")] IpAddr),
        At {
            /// A switch port: the underlay port it is behind.
            #[schemars(with = "OnePort")]
            port: Port,
            /// The address of the next hop.
            mac: MacAddr,
        },
        Several(#[schemars(length(min = 1, max = 64))] Vec<NextHop>),
    }

    pub(super) fn serialize<S: Serializer>(hops: &[NextHop], serializer: S) -> Result<S::Ok, S::Error> {
        match hops {
            [hop] => hop.serialize(serializer),
            hops => hops.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NextHop>, D::Error> {
        Ok(match Via::deserialize(deserializer)? {
            Via::Address(address) => vec![NextHop::Address(address)],
            Via::At { port, mac } => vec![NextHop::At { port, mac }],
            Via::Several(hops) => hops,
        })
    }
}

/// A neighbour in the underlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum NextHop {
    /// An IP address on the link of a port.
    Address(#[schemars(with = "Host")] IpAddr),
    /// A MAC address at a port.
    At {
        /// A switch port: the underlay port it is behind.
        #[schemars(with = "OnePort")]
        port: Port,
        /// The address of the next hop.
        mac: MacAddr,
    },
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => fmt::Display::fmt(address, f),
            Self::At { port, mac } => write!(f, "{mac} at port {port}"),
        }
    }
}

/// When next hops are asked that are given by their IP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Neighbours {
    /// How often each is asked for its MAC address.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<10>")]
    pub ask_every: Duration,
    /// After how many questions without an answer it is gone.
    #[schemars(range(min = 1))]
    pub misses: u32,
    /// How many packets per second one link may send to the agent: ARP there, and BFD.
    pub punt_rate: PuntRate,
}

impl Default for Neighbours {
    /// It is known within a second that one is gone.
    fn default() -> Self {
        let punt_rate = PuntRate { rate: 1_000, burst: 1_024 };
        Self { ask_every: Duration::from_millis(200), misses: 3, punt_rate }
    }
}

/// Another VTEP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerConfig {
    /// The name in its certificate and in its own configuration.
    #[schemars(with = "Name")]
    pub name: String,
    /// Its tunnel address, of the same family as ours. It is its identity.
    #[schemars(with = "Host")]
    pub address: VtepAddr,
    /// Where its agent listens, as `https://192.0.2.2:7000`. With `plaintext: true` it is `http://`.
    #[schemars(with = "PeerUrl")]
    pub endpoint: String,
    /// The VNIs it takes part in. Without it, they are all of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vnis: Option<Vec<Vni>>,
}

impl PeerConfig {
    /// Whether the peer has this VNI.
    pub fn has_vni(&self, vni: Vni) -> bool {
        self.vnis.as_ref().is_none_or(|vnis| vnis.contains(&vni))
    }
}

/// How agents talk with each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PeeringConfig {
    /// Where this agent listens for its peers, as `0.0.0.0:7000`.
    #[schemars(with = "Listen")]
    pub listen: SocketAddr,
    /// How peers prove who they are.
    #[serde(flatten)]
    pub security: PeerSecurity,
    /// The longest silence before something is sent to show that we live.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<10>")]
    pub heartbeat: Duration,
    /// The longest silence of a peer before its session is given up: at least two heartbeats.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<10>")]
    pub dead_after: Duration,
    /// The first wait before dialling again. It doubles, up to `reconnect_max`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<10>")]
    pub reconnect: Duration,
    /// The longest wait before dialling again.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<10>")]
    pub reconnect_max: Duration,
    /// How many messages may wait for one peer. A peer that lets more pile up is disconnected and synchronised anew.
    #[schemars(range(min = 64, max = 1_048_576))]
    pub queue: usize,
    /// The largest message taken from a peer, in bytes.
    #[schemars(range(min = 65_536, max = 67_108_864))]
    pub max_message: usize,
}

impl Default for PeeringConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            security: PeerSecurity::Plaintext,
            heartbeat: Duration::from_secs(1),
            dead_after: Duration::from_secs(3),
            reconnect: Duration::from_millis(100),
            reconnect_max: Duration::from_secs(1),
            queue: 65_536,
            max_message: 1 << 20,
        }
    }
}

/// How peers prove who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "SecurityFields", into = "SecurityFields")]
pub enum PeerSecurity {
    /// Mutual TLS.
    Tls {
        /// PEM file of the authority that signs the agents' certificates.
        ca: PathBuf,
        /// PEM file of what it has revoked.
        crl: Option<PathBuf>,
        /// PEM file of this agent's certificate chain.
        cert: PathBuf,
        /// PEM file of its key.
        key: PathBuf,
    },
    /// Nothing is proven and nothing is secret. Only for a network that nobody else is on.
    Plaintext,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct SecurityFields {
    /// Mutual TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<PeerTls>,
    /// In place of `tls`, on a network that nobody else is on: nothing is proven and nothing is secret.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    plaintext: bool,
}

/// The management service over the network, by mutual TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoteManagement {
    /// Where it listens, as `192.0.2.10:7443`.
    #[schemars(with = "Listen")]
    pub listen: SocketAddr,
    /// The PEM file of the authority that signs the certificates of who may ask.
    #[schemars(with = "File")]
    pub ca: PathBuf,
    /// The PEM file of the certificates that the authority has revoked: who has one may not even ask.
    #[schemars(with = "Option<File>")]
    pub crl: Option<PathBuf>,
    /// The PEM file of this agent's certificate.
    #[schemars(with = "File")]
    pub cert: PathBuf,
    /// The PEM file of its key.
    #[schemars(with = "File")]
    pub key: PathBuf,
    /// The names in the certificates of who may also give orders, as `operator`. All others may only ask.
    #[serde(default)]
    #[schemars(with = "Vec<Name>")]
    pub operators: Vec<String>,
}

/// Traces of claims: heard, asked, decided, converged, as spans of one trace from all agents that take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tracing {
    /// The collector that takes them by OTLP over gRPC, as `http://127.0.0.1:4317`. With `tls` it is `https://`.
    #[schemars(with = "CollectorUrl")]
    pub otlp: String,
    /// TLS towards the collector. Without it, everything is plaintext.
    pub tls: Option<ClientTls>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct PeerTls {
    /// The PEM file of the authority that signs the agents' certificates.
    #[schemars(with = "File")]
    ca: PathBuf,
    /// The PEM file of the certificates that the authority has revoked (`vouch certs revoke`): nobody believes them any more.
    #[schemars(with = "Option<File>")]
    crl: Option<PathBuf>,
    /// The PEM file of this agent's certificate; it carries `name` as a DNS name.
    #[schemars(with = "File")]
    cert: PathBuf,
    /// The PEM file of its key.
    #[schemars(with = "File")]
    key: PathBuf,
}

impl From<SecurityFields> for PeerSecurity {
    fn from(fields: SecurityFields) -> Self {
        fields.tls.map_or(Self::Plaintext, |PeerTls { ca, crl, cert, key }| Self::Tls { ca, crl, cert, key })
    }
}

impl From<PeerSecurity> for SecurityFields {
    fn from(security: PeerSecurity) -> Self {
        match security {
            PeerSecurity::Tls { ca, crl, cert, key } => {
                Self { tls: Some(PeerTls { ca, crl, cert, key }), plaintext: false }
            }
            PeerSecurity::Plaintext => Self { tls: None, plaintext: true },
        }
    }
}

/// What a port that keeps claiming what is not its own gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Quarantine {
    /// Whether an attack report also shuts the reported port for the host's address.
    pub enabled: bool,
    /// For how long.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<100>")]
    pub duration: Duration,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self { enabled: false, duration: Duration::from_secs(60) }
    }
}

/// A budget: so many a second, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PuntRate {
    /// Packets per second.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub rate: u32,
    /// Packets at once.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub burst: u32,
}

/// What one access interface may send to the agent, by kind: no kind can starve another, and no tenant of a trunk another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PuntRates {
    /// Frames of hosts nobody knows.
    pub learn: PuntRate,
    /// Frames of hosts that are recorded elsewhere.
    #[serde(rename = "move")]
    pub move_: PuntRate,
    /// Announcements of addresses that are not known to be their sender's.
    pub binding: PuntRate,
    /// Requests that are answered or held here.
    pub request: PuntRate,
    /// Answers to probes; also what one tunnel may send.
    pub probe_reply: PuntRate,
    /// Frames of hosts under verification, from their recorded port.
    pub alive: PuntRate,
}

impl Default for PuntRates {
    /// Bursts of a server's worth of hosts, 10,000, that announce themselves or are asked all at once; rates that one core
    /// takes from several interfaces. Hosts that move do both at the new place: they announce themselves and are asked, some twice.
    fn default() -> Self {
        const BURST: u32 = 16_384;
        Self {
            learn: PuntRate { rate: 2_000, burst: BURST },
            move_: PuntRate { rate: 2_000, burst: 2 * BURST },
            binding: PuntRate { rate: 2_000, burst: BURST },
            request: PuntRate { rate: 1_000, burst: 4_096 },
            probe_reply: PuntRate { rate: 4_000, burst: BURST },
            alive: PuntRate { rate: 4_000, burst: BURST },
        }
    }
}
