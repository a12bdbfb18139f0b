//! What a checked configuration says. Values here have been checked against each other; nothing later re-checks them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use vouch_mobility::{
    Advertise, Contested, During, IpPrefix, Limits, MacPrefix, Timers, Unproven, UnreachableOwner, VtepAddr,
};
use vouch_net::{MacAddr, Vni};

use super::switch::SwitchConfig;

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

/// One layer-2 network on this switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VniConfig {
    /// Its identifier on the wire.
    pub vni: Vni,
    /// Where its hosts are attached, by ascending port and VLAN. Empty on a VTEP that only observes.
    pub access: Vec<AccessInterface>,
    /// The addresses of its hosts, as far as that is said. Only what is configured is checked against them.
    pub subnets: Vec<IpPrefix>,
    /// In whose name its hosts are asked.
    pub probe_as: ProbeAs,
    /// When the observers are told.
    pub advertise: Advertise,
    /// Where the host's traffic goes meanwhile.
    pub during_verification: During,
    /// Addresses that no host may have: gateways and the like.
    pub reserved_macs: Vec<MacAddr>,
    /// Addresses that move without being asked, as VRRP's do.
    pub trusted_moves: Vec<MacPrefix>,
    /// What to do if neither the owner nor the host through the tunnel can be asked.
    pub owner_unreachable: UnreachableOwner,
    /// What becomes of a claim that nothing proves or refutes.
    pub unproven: Unproven,
    /// What becomes of a host that answers at two places.
    pub contested: Contested,
    /// Whether addresses are bound to hosts and checked.
    pub bindings: bool,
    /// The addresses that any host may use.
    pub shared: Vec<IpPrefix>,
    /// Whether requests for verified addresses are answered here, in place of being flooded.
    pub suppress: bool,
    /// Whether a claimed host's data frames are forwarded from the claimed port before the verdict, or dropped.
    pub forward_pending: bool,
}

/// Who the sender of a probe is (rule 1: a probe teaches its target nothing wrong).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProbeAs {
    /// ARP comes from 0.0.0.0, neighbour solicitations from the link-local address of the probe MAC. Some hosts do not
    /// answer the first, some take it for a conflict.
    #[default]
    Nobody,
    /// The gateway, by its own pair of addresses, which is true. Answers go to the gateway, and are caught on their way.
    Gateway {
        /// Its IPv4 address.
        ip: Ipv4Addr,
        /// Its MAC address.
        mac: MacAddr,
        /// Its IPv6 address; `None` falls back to the link-local address of the probe MAC, with that.
        ipv6: Option<Ipv6Addr>,
    },
    /// Addresses that nobody has, with our probe MAC.
    Address {
        /// For ARP; `None` falls back to 0.0.0.0.
        ipv4: Option<Ipv4Addr>,
        /// For neighbour discovery; `None` falls back to the link-local address of the probe MAC.
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

/// A switch port, as the switch knows it: 9 bits in the pipeline. Which of them there are depends on the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(u16);

impl Port {
    /// The largest number that can be a port: 511 drops.
    pub const MAX: Self = Self(510);

    /// Checks the number.
    pub const fn new(number: u16) -> Option<Self> {
        if number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A VLAN id: 1 to 4094.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanId(u16);

impl VlanId {
    /// Checks the number.
    pub const fn new(number: u16) -> Option<Self> {
        if number >= 1 && number <= 4094 { Some(Self(number)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderlayConfig {
    /// The ports that belong to it, by ascending number.
    pub ports: Vec<UnderlayPort>,
    /// The routes, no prefix twice.
    pub routes: Vec<Route>,
    /// The time to live of the packets that carry tunnels.
    pub ttl: u8,
    /// Their differentiated services code point.
    pub dscp: u8,
    /// The longest IPv4 packet that it carries, in bytes; `None`: what the switch says of its ports, or else [`DEFAULT_MTU`].
    pub mtu: Option<u16>,
}

/// What a link carries where nobody says, and what hosts count on: bytes of an IP packet (IEEE 802.3).
pub const DEFAULT_MTU: u16 = 1500;
/// An Ethernet header.
pub const ETHERNET_BYTES: u16 = 14;
/// By how much an IP packet of a host gets longer on the underlay: its Ethernet header, and those of VXLAN, UDP and IPv4 (RFC 7348,
/// section 5).
pub const TUNNEL_BYTES: u16 = ETHERNET_BYTES + 8 + 8 + 20;

impl UnderlayConfig {
    /// The most specific route to `address`.
    pub fn route_to(&self, address: Ipv4Addr) -> Option<&Route> {
        self.routes.iter().filter(|route| route.prefix.contains(address)).max_by_key(|route| route.prefix.length)
    }

    /// The port of that number.
    pub fn port(&self, port: Port) -> Option<&UnderlayPort> {
        self.ports.iter().find(|candidate| candidate.port == port)
    }
}

/// A port of the underlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnderlayPort {
    /// Its number.
    pub port: Port,
    /// The address of our end: what arrives for others is not ours, and what leaves is from it.
    pub mac: MacAddr,
}

/// Where packets for a prefix go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The destinations.
    pub prefix: Ipv4Prefix,
    /// The neighbours that lead there, the preferred one first; never empty.
    pub next_hops: Vec<NextHop>,
}

/// A neighbour in the underlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextHop {
    /// The underlay port it is behind.
    pub port: Port,
    /// Its address there.
    pub mac: MacAddr,
}

/// An IPv4 prefix without host bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ipv4Prefix {
    /// The network address.
    pub address: Ipv4Addr,
    /// Its length, at most 32.
    pub length: u8,
}

impl Ipv4Prefix {
    /// The bits that count, as a mask.
    pub fn mask(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(self.length)).unwrap_or(0))
    }

    /// Whether the address is inside.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        address & self.mask() == self.address
    }
}

impl fmt::Display for Ipv4Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// Another VTEP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerConfig {
    /// Its name; under TLS its certificate must carry it as a DNS name.
    pub name: String,
    /// Its tunnel address, and its identity.
    pub address: VtepAddr,
    /// Where its agent listens: `https://HOST:PORT`, or `http://` with `plaintext: true`.
    pub endpoint: String,
    /// The VNIs it takes part in; `None` is all of ours.
    pub vnis: Option<Vec<Vni>>,
}

impl PeerConfig {
    /// Whether the peer has this VNI.
    pub fn has_vni(&self, vni: Vni) -> bool {
        self.vnis.as_ref().is_none_or(|vnis| vnis.contains(&vni))
    }
}

/// How agents talk with each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeeringConfig {
    /// Where this agent listens for its peers.
    pub listen: SocketAddr,
    /// How peers prove who they are.
    pub security: PeerSecurity,
    /// The longest silence before something is sent to show that we live.
    pub heartbeat: Duration,
    /// The longest silence of a peer before its session is given up.
    pub dead_after: Duration,
    /// The first wait before dialling again, doubled up to `reconnect_max`.
    pub reconnect: Duration,
    /// The longest wait before dialling again.
    pub reconnect_max: Duration,
    /// How many messages may wait for one peer; a peer that lets more pile up is disconnected and synchronised anew.
    pub queue: usize,
    /// The largest message taken from a peer, in bytes.
    pub max_message: usize,
}

/// How peers prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerSecurity {
    /// Mutual TLS.
    Tls {
        /// PEM file of the authority that signs the agents' certificates.
        ca: PathBuf,
        /// PEM file of this agent's certificate chain.
        cert: PathBuf,
        /// PEM file of its key.
        key: PathBuf,
    },
    /// Nothing is proven and nothing is secret. Only for a network that nobody else is on.
    Plaintext,
}

/// What a port that keeps claiming what is not its own gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarantine {
    /// Whether an attack report also drops the host's address on the reported port.
    pub enabled: bool,
    /// For how long.
    pub duration: Duration,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self { enabled: false, duration: Duration::from_secs(60) }
    }
}

/// A budget: so many a second, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PuntRate {
    /// Packets per second.
    pub rate: u32,
    /// Packets at once.
    pub burst: u32,
}

/// What one access interface may send to the agent, by kind: no kind can starve another, and no tenant of a trunk another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PuntRates {
    /// Frames of hosts nobody knows.
    pub learn: PuntRate,
    /// Frames of hosts that are recorded elsewhere.
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
