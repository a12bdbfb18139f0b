//! What can be chosen, with defaults that are right where nobody has a reason for others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use vouch_net::{MacAddr, Span, Vni};

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
    /// How much of some access interfaces is, where it is another number.
    pub port_limits: BTreeMap<AccessId, PortLimits>,
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
            port_limits: BTreeMap::new(),
            verify: true,
        }
    }

    /// How much of an access interface is kept, with nothing left open.
    pub(crate) fn limits_at(&self, port: AccessId) -> PortLimits {
        let own = self.port_limits.get(&port).copied().unwrap_or_default();
        own.or(PortLimits {
            hosts: Some(self.limits.hosts_per_port),
            claims: Some(self.limits.claims_per_port),
            bindings: Some(self.limits.bindings_per_port),
        })
    }
}

/// How much of one access interface is kept. What is left out is as it is all around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PortLimits {
    /// Its hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub hosts: Option<usize>,
    /// Undecided claims from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub claims: Option<usize>,
    /// Bindings of its hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub bindings: Option<usize>,
}

impl PortLimits {
    /// These, and what they leave out as in `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            hosts: self.hosts.or(other.hosts),
            claims: self.claims.or(other.claims),
            bindings: self.bindings.or(other.bindings),
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
    pub shared: Vec<IpNet>,
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
    /// How many hosts it may have in all, here and elsewhere; `None`: as many as there is room for.
    pub hosts: Option<usize>,
}

impl Default for VniConfig {
    fn default() -> Self {
        Self {
            access: BTreeSet::new(),
            peers: BTreeSet::new(),
            ask_as_gateway: false,
            advertise: Advertise::default(),
            during: During::default(),
            unreachable_owner: UnreachableOwner::default(),
            unproven: Unproven::default(),
            contested: Contested::default(),
            bindings: true,
            shared: Vec::new(),
            suppress: false,
            reserved: BTreeSet::new(),
            trusted_moves: Vec::new(),
            forward_pending: true,
            quarantine: None,
            hosts: None,
        }
    }
}

/// When a claimant tells the observers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Advertise {
    /// Once the owner has given the host up.
    #[default]
    AfterVerdict,
    /// Together with the claim; taken back if it is refused.
    AtOnce,
}

/// Where the host's traffic goes while it is being asked, at the owner and at the claimant. The old place receives it in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum During {
    /// To the old place only.
    Hold,
    /// To the old and to the claimed place.
    Both,
    /// To the old place only while an answer can be expected (`timers.escalation`), then to both. At a claimant: once the owner says that it is.
    #[default]
    Escalate,
}

/// What becomes of a claim that nobody can decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnreachableOwner {
    /// The claimant becomes the owner.
    #[default]
    Accept,
    /// The entry keeps pointing at the owner.
    Hold,
}

/// What becomes of a claim when silence proves nothing: no address of the host is known to be answered for, or the asking was disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unproven {
    /// It waits for evidence, and the host is asked again at growing intervals; traffic goes to both places, or with `hold` to the old one.
    #[default]
    Wait,
    /// It is granted, as if silence had proved it.
    Move,
    /// It is refused, as if the host had answered.
    Refuse,
}

/// What becomes of a host that answers both where it is recorded and where it is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Contested {
    /// Both places receive until one falls silent. Costs: whoever pretends sees copies for so long.
    #[default]
    Both,
    /// The place where the host has been for longer keeps it. Costs: after an honest move, somebody at the old place can take it back.
    Settled,
    /// The place that was heard last gets it. Costs: whoever comes second and answers takes it, as in fabrics that do not ask.
    Newcomer,
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

vouch_net::written_as!(MacPrefix, {
    "type": "string",
    "format": "mac-prefix",
    "pattern": "^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(/[0-9]+)?$",
});

impl FromStr for MacPrefix {
    type Err = String;

    /// An address alone is a prefix of all its bits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mac, bits) = text.split_once('/').unwrap_or((text, "48"));
        let bits = bits.parse().ok().filter(|bits| (1..=48_u8).contains(bits));
        let prefix = mac.parse().ok().zip(bits).map(|(mac, bits)| Self { mac, bits });
        prefix.ok_or_else(|| format!("`{text}` is no MAC address or prefix, as 00:00:5e:00:01:00/40"))
    }
}

impl fmt::Display for MacPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.mac, self.bits)
    }
}

impl Serialize for MacPrefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacPrefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How long things take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Timers {
    /// When the host is asked, counted from the start of a verification; ascending.
    #[serde(with = "spans")]
    #[schemars(with = "Vec<Span<0>>", length(min = 1, max = 16))]
    pub probes: Vec<Duration>,
    /// When the traffic is copied, where it goes to both places once an answer is overdue: after a time, or `auto`, when this host
    /// answers in less time otherwise, 5 ms to 50 ms.
    #[serde(rename = "escalation")]
    pub escalate: Escalation,
    /// When silence becomes a verdict; later than the last probe.
    #[serde(rename = "verdict", with = "humantime_serde")]
    #[schemars(with = "Span<1>")]
    pub verdict_after: Duration,
    /// How long a refused claim is not taken up again, counted from when it was heard. It doubles with each refusal.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<1>")]
    pub refusal_memory: Duration,
    /// The longest of these times.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<1>")]
    pub refusal_memory_max: Duration,
    /// How many refusals are an attack, those of one episode (two seconds from its first announcement on) taken as one.
    #[schemars(range(min = 1, max = 1_000))]
    pub attack_refusals: u32,
    /// Within which time so many refusals are an attack.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<1>")]
    pub attack_window: Duration,
    /// For how long a frame at the old port makes a finished move suspicious.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<0>")]
    pub old_port_watch: Duration,
    /// For how long the old owner passes traffic on.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<0>")]
    pub hairpin: Duration,
    /// When a claim is repeated for the first time; the wait then doubles.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<1>")]
    pub claim_retry: Duration,
    /// When the owner is given up as unreachable.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<1>")]
    pub claim_give_up: Duration,
    /// How soon after a refusal a claim that is damped may have the host asked once more, in case it has fallen silent since.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<1>")]
    pub damped_question: Duration,
    /// When a claim that is unproven is asked about again. The wait then doubles.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<10>")]
    pub unproven_retry: Duration,
    /// The longest of these waits. A contested host is asked as often.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<10>")]
    pub unproven_retry_max: Duration,
    /// How often a host is asked for an address, so that it is known to answer.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<100>")]
    pub confirm_every: Duration,
    /// How long an answer, or an announcement of the host's own, lets another be expected. Longer than `confirm_every`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<100>")]
    pub confirm_max_age: Duration,
    /// For how long after a move the new place is on probation: life at the old place makes the host a contested one.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<0>")]
    pub probation: Duration,
    /// How long a host may be idle before it is asked whether it still exists, and a host that is sought after a restart before it is taken for gone.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Span<1000>")]
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

/// `auto`, or one time for all.
impl Serialize for Escalation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto { .. } => serializer.serialize_str("auto"),
            Self::After(time) => humantime_serde::serialize(time, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Escalation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "auto" => Ok(Timers::default().escalate),
            time => humantime::parse_duration(time).map(Self::After).map_err(serde::de::Error::custom),
        }
    }
}

vouch_net::written_as!(Escalation, {
    "anyOf": [{ "const": "auto" }, Span::<0>::json_schema(&mut SchemaGenerator::default())],
});

/// Lists of times.
mod spans {
    use super::*;

    pub(super) fn serialize<S: Serializer>(times: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(times.iter().map(|time| humantime::format_duration(*time).to_string()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
        let times = Vec::<humantime_serde::Serde<Duration>>::deserialize(deserializer)?;
        Ok(times.into_iter().map(humantime_serde::Serde::into_inner).collect())
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Limits {
    /// Hosts on one access interface.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub hosts_per_port: usize,
    /// Hosts in all.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub hosts: usize,
    /// Undecided claims from one access interface.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub claims_per_port: usize,
    /// Remembered refusals of one access interface; beyond it, those that would be forgotten first make room, but none that still damps.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub refusals_per_port: usize,
    /// IP addresses of one host; beyond it, the one that has gone unconfirmed for longest makes room.
    #[schemars(range(min = 1, max = 256))]
    pub addresses_per_host: usize,
    /// Bindings of one access interface.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub bindings_per_port: usize,
    /// Requests that one claim holds until its verdict.
    #[schemars(range(min = 1, max = 1_024))]
    pub requests_per_claim: usize,
    /// Questions a second that only confirm what is known.
    #[schemars(range(min = 1, max = 1_000_000))]
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
