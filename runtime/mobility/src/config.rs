//! What can be chosen, with defaults that are right where nobody has a reason for others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vouch_net::{MacAddr, Vni};

use crate::ids::VtepAddr;

/// Everything the state machine is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// This VTEP.
    pub me: VtepAddr,
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
        Self { me, vnis: BTreeMap::new(), timers: Timers::default(), limits: Limits::default(), verify: true }
    }
}

/// Choices for one VNI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VniConfig {
    /// The other VTEPs that have the VNI.
    pub peers: BTreeSet<VtepAddr>,
    /// When observers hear of a move.
    pub advertise: Advertise,
    /// Where a host's traffic goes while it is being asked.
    pub during: During,
    /// What happens to a claim whose owner is unreachable, when the host does not answer through the tunnel either.
    pub unreachable_owner: UnreachableOwner,
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
            peers: BTreeSet::new(),
            advertise: Advertise::AfterVerdict,
            during: During::Escalate,
            unreachable_owner: UnreachableOwner::Accept,
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
    /// To the old place only while an answer can be expected ([`Timers::escalate_after`]), then to both. At a claimant: only while there is a
    /// session with the owner, since otherwise nobody may have asked the host.
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
    /// When [`During::Escalate`] begins to copy the traffic, counted at the owner from the start of a verification, and at the claimant from
    /// asking the owner: longer than the way to the owner and back and the host's answer take together.
    pub escalate_after: Duration,
    /// When silence becomes a verdict; later than the last probe.
    pub verdict_after: Duration,
    /// How long a refused claim is not taken up again, counted from when it was heard; doubles with each refusal…
    pub refusal_memory: Duration,
    /// …up to this.
    pub refusal_memory_max: Duration,
    /// How many refusals are an attack…
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
}

impl Default for Timers {
    fn default() -> Self {
        const fn ms(millis: u64) -> Duration {
            Duration::from_millis(millis)
        }
        Self {
            probes: vec![ms(0), ms(15), ms(35), ms(100), ms(200)],
            escalate_after: ms(50),
            verdict_after: ms(300),
            refusal_memory: ms(200),
            refusal_memory_max: ms(5_000),
            attack_refusals: 3,
            attack_window: ms(60_000),
            old_port_watch: ms(5_000),
            hairpin: ms(10_000),
            claim_retry: ms(250),
            claim_give_up: ms(3_000),
        }
    }
}

/// How much is kept. What would go beyond is refused and counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Hosts on one access interface.
    pub hosts_per_port: usize,
    /// Hosts in all.
    pub hosts: usize,
    /// Undecided claims from one access interface.
    pub claims_per_port: usize,
    /// Remembered refusals of one access interface; beyond it, the oldest are forgotten.
    pub refusals_per_port: usize,
    /// IP addresses of one host; beyond it, the newest are not learned.
    pub addresses_per_host: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hosts_per_port: 16_384,
            hosts: 114_688,
            claims_per_port: 16_384,
            refusals_per_port: 4_096,
            addresses_per_host: 16,
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
