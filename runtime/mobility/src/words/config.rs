//! What can be chosen, with defaults that are right where nobody has a reason for others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use vouch_net::{MacAddr, Vni};

use crate::words::ids::{AccessId, Incarnation, VtepAddr};

/// Everything the state machine is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// This VTEP.
    pub me: VtepAddr,
    /// Which life of this VTEP's agent it is.
    pub incarnation: Incarnation,
    /// The VNIs it has. Hosts in other VNIs are ignored and counted.
    pub vnis: BTreeMap<Vni, VniConfig>,
    /// How long things take.
    pub timers: Timers,
    /// How much is kept.
    pub limits: Limits,
    /// `false` trusts every advertisement, as fabrics without verification do. It exists to show what happens then.
    pub verify: bool,
}

impl Config {
    /// The defaults for a VTEP without VNIs.
    pub fn new(me: VtepAddr) -> Self {
        Self {
            me,
            incarnation: Incarnation::default(),
            vnis: BTreeMap::new(),
            timers: Timers::default(),
            limits: Limits::default(),
            verify: true,
        }
    }
}

/// Choices for one VNI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VniConfig {
    /// The access interfaces that belong to the VNI.
    pub access: BTreeSet<AccessId>,
    /// The other VTEPs that have the VNI.
    pub peers: BTreeSet<VtepAddr>,
    /// Whether hosts are asked in the name of their gateway, so that their answers go there, and are seen only while their view has `watch`.
    pub ask_as_gateway: bool,
    /// When observers hear of a move.
    pub advertise: Advertise,
    /// Where a host's traffic goes while it is being asked.
    pub during: During,
    /// What happens to a claim whose owner is unreachable, when the host does not answer through the tunnel either.
    pub unreachable_owner: UnreachableOwner,
    /// What becomes of a claim that nothing proves or refutes (4a).
    pub unproven: Unproven,
    /// What becomes of a host that answers at two places (B12).
    pub contested: Contested,
    /// Whether IP addresses are bound to hosts and checked (B10).
    pub bindings: bool,
    /// IP addresses that any host of the VNI may use: virtual routers, load balancers.
    pub shared: Vec<IpPrefix>,
    /// Whether requests for verified addresses are answered here, in place of being flooded (B11).
    pub suppress: bool,
    /// Addresses that never move and are never learned, such as the gateway's.
    pub reserved: BTreeSet<MacAddr>,
    /// Addresses that move legitimately without leaving a trace, and so are not asked.
    pub trusted_moves: Vec<MacPrefix>,
    /// Whether data frames of a host with a pending claim are forwarded or dropped.
    pub forward_pending: bool,
    /// For how long a port that repeats refused claims is shut for the host's MAC; `None`: never.
    pub quarantine: Option<Duration>,
}

impl Default for VniConfig {
    fn default() -> Self {
        Self {
            access: BTreeSet::new(),
            peers: BTreeSet::new(),
            ask_as_gateway: false,
            advertise: Advertise::AfterVerdict,
            during: During::Escalate,
            unreachable_owner: UnreachableOwner::Accept,
            unproven: Unproven::Wait,
            contested: Contested::Both,
            bindings: true,
            shared: Vec::new(),
            suppress: false,
            reserved: BTreeSet::new(),
            trusted_moves: Vec::new(),
            forward_pending: true,
            quarantine: None,
        }
    }
}

/// When a claimant tells the observers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Advertise {
    /// Once the owner has given the host up.
    AfterVerdict,
    /// Together with the claim; taken back if it is refused.
    AtOnce,
}

/// Where the host's traffic goes while it is being asked, at the owner and at the claimant. The old place receives it in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum During {
    /// To the old place only.
    Hold,
    /// To the old and to the claimed place.
    Both,
    /// To the old place only while an answer can be expected ([`Timers::escalate`]), then to both. At a claimant: once the owner says that it is.
    Escalate,
}

/// What becomes of a claim that nobody can decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnreachableOwner {
    /// The claimant becomes the owner.
    Accept,
    /// The entry keeps pointing at the owner.
    Hold,
}

/// What becomes of a claim when silence proves nothing: no address of the host is known to be answered for, or the asking was disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unproven {
    /// It waits for evidence, and the host is asked again at growing intervals; traffic goes to both places, or in [`During::Hold`] to the old one.
    Wait,
    /// It is granted, as if silence had proved it.
    Move,
    /// It is refused, as if the host had answered.
    Refuse,
}

/// What becomes of a host that answers both where it is recorded and where it is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Contested {
    /// Both places receive until one falls silent. Costs: whoever pretends sees copies for so long.
    Both,
    /// The place where the host has been for longer keeps it. Costs: after an honest move, somebody at the old place can take it back.
    Settled,
    /// The place that was heard last gets it. Costs: whoever comes second and answers takes it, as in fabrics that do not ask.
    Newcomer,
}

/// All IP addresses of one family that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpPrefix {
    /// An address that begins so.
    pub address: IpAddr,
    /// How many leading bits count: at most 32 or 128.
    pub bits: u8,
}

impl IpPrefix {
    /// Whether `address` begins with these bits.
    pub fn contains(self, address: IpAddr) -> bool {
        let rest = |bits: u8, of: u32| of.saturating_sub(u32::from(bits));
        match (self.address, address) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                (mine.to_bits() ^ other.to_bits()).checked_shr(rest(self.bits, 32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => {
                (mine.to_bits() ^ other.to_bits()).checked_shr(rest(self.bits, 128)).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// All MAC addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacPrefix {
    /// An address that begins so.
    pub mac: MacAddr,
    /// How many leading bits count, at most 48.
    pub bits: u8,
}

impl MacPrefix {
    /// Virtual router addresses of VRRP for IPv4 (RFC 9568, section 7.3).
    pub const VRRP_IPV4: Self = Self { mac: MacAddr([0x00, 0x00, 0x5e, 0x00, 0x01, 0x00]), bits: 40 };
    /// Virtual router addresses of VRRP for IPv6.
    pub const VRRP_IPV6: Self = Self { mac: MacAddr([0x00, 0x00, 0x5e, 0x00, 0x02, 0x00]), bits: 40 };

    /// Whether `mac` begins with these bits.
    pub fn contains(self, mac: MacAddr) -> bool {
        let number =
            |mac: MacAddr| mac.octets().into_iter().fold(0_u64, |number, octet| number << 8 | u64::from(octet));
        let ignored = 48 - u32::from(self.bits.min(48));
        number(self.mac) >> ignored == number(mac) >> ignored
    }
}

/// How long things take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timers {
    /// When the host is asked, counted from the start of a verification; ascending.
    pub probes: Vec<Duration>,
    /// When [`During::Escalate`] begins to copy the traffic.
    pub escalate: Escalation,
    /// When silence becomes a verdict; later than the last probe.
    pub verdict_after: Duration,
    /// How long a refused claim is not taken up again, counted from when it was heard; doubles with each refusal…
    pub refusal_memory: Duration,
    /// …up to this.
    pub refusal_memory_max: Duration,
    /// How many refusals are an attack, those of one episode (two seconds from its first announcement on) taken as one…
    pub attack_refusals: u32,
    /// …within this time.
    pub attack_window: Duration,
    /// For how long a frame at the old port makes a finished move suspicious.
    pub old_port_watch: Duration,
    /// For how long the old owner passes traffic on.
    pub hairpin: Duration,
    /// When a claim is repeated for the first time; the wait then doubles.
    pub claim_retry: Duration,
    /// When the owner is given up as unreachable.
    pub claim_give_up: Duration,
    /// How soon after a refusal a claim that is damped may have the host asked once more, in case it has fallen silent since.
    pub damped_question: Duration,
    /// When a claim that is unproven is asked about again; the wait then doubles…
    pub unproven_retry: Duration,
    /// …up to this. A contested host is asked as often.
    pub unproven_retry_max: Duration,
    /// How often a host is asked for an address, so that it is known to answer.
    pub confirm_every: Duration,
    /// How long an answer, or an announcement of the host's own, lets another be expected (4a). Longer than `confirm_every`.
    pub confirm_max_age: Duration,
    /// For how long after a move the new place is on probation (B12).
    pub probation: Duration,
    /// How long a host may be idle before it is asked whether it still exists, and a host that is sought after a restart before it is taken for gone.
    pub host_ageing: Duration,
}

/// When an answer of a host is overdue, counted at the owner from the first question that has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escalation {
    /// When it takes longer than this host's answers do, but not before `min` nor after `max`. `max` also holds for hosts that have not answered yet.
    Auto {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// After the same time for every host.
    After(Duration),
}

impl Escalation {
    /// The longest it may take.
    pub fn longest(self) -> Duration {
        match self {
            Self::Auto { max, .. } => max,
            Self::After(time) => time,
        }
    }
}

impl Default for Timers {
    fn default() -> Self {
        const fn ms(millis: u64) -> Duration {
            Duration::from_millis(millis)
        }
        Self {
            probes: vec![ms(0), ms(15), ms(35), ms(100), ms(200)],
            escalate: Escalation::Auto { min: ms(5), max: ms(50) },
            verdict_after: ms(300),
            refusal_memory: ms(200),
            refusal_memory_max: ms(5_000),
            attack_refusals: 3,
            attack_window: ms(60_000),
            old_port_watch: ms(5_000),
            hairpin: ms(10_000),
            claim_retry: ms(250),
            claim_give_up: ms(3_000),
            damped_question: ms(20),
            unproven_retry: ms(1_000),
            unproven_retry_max: ms(30_000),
            confirm_every: ms(60_000),
            confirm_max_age: ms(180_000),
            probation: ms(300_000),
            host_ageing: ms(300_000),
        }
    }
}

/// How much is kept. What would go beyond is refused and counted.
///
/// Half of the room for hosts is shared out to the VNIs, whatever the others take; the other half goes to who comes first. A peer may have nine tenths of
/// all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Hosts on one access interface.
    pub hosts_per_port: usize,
    /// Hosts in all.
    pub hosts: usize,
    /// Undecided claims from one access interface.
    pub claims_per_port: usize,
    /// Remembered refusals of one access interface; beyond it, those that would be forgotten first make room, but none that still damps.
    pub refusals_per_port: usize,
    /// IP addresses of one host; beyond it, the one that has gone unconfirmed for longest makes room.
    pub addresses_per_host: usize,
    /// Bindings of one access interface.
    pub bindings_per_port: usize,
    /// Requests that one claim holds until its verdict.
    pub requests_per_claim: usize,
    /// Questions a second that only confirm what is known.
    pub confirmations_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hosts_per_port: 16_384,
            hosts: 114_688,
            claims_per_port: 16_384,
            refusals_per_port: 4_096,
            addresses_per_host: 16,
            bindings_per_port: 32_768,
            requests_per_claim: 16,
            confirmations_per_second: 1_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vrrp_prefixes_contain_every_virtual_router_and_nothing_else() {
        assert!(MacPrefix::VRRP_IPV4.contains(MacAddr([0, 0, 0x5e, 0, 1, 77])));
        assert!(!MacPrefix::VRRP_IPV4.contains(MacAddr([0, 0, 0x5e, 0, 2, 77])));
        assert!(MacPrefix::VRRP_IPV6.contains(MacAddr([0, 0, 0x5e, 0, 2, 255])));
        let one = MacPrefix { mac: MacAddr([2, 0, 0, 0, 0, 1]), bits: 48 };
        assert!(one.contains(one.mac) && !one.contains(MacAddr([2, 0, 0, 0, 0, 2])));
        assert!(MacPrefix { mac: MacAddr::ZERO, bits: 0 }.contains(MacAddr::BROADCAST));
    }
}
