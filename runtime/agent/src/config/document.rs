//! The file as a whole: which sections there are, and what they come to.

use std::net::IpAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vouch_mobility::{Limits, PortLimits, Timers, VtepAddr};
use vouch_net::MacAddr;

use super::switch::SwitchConfig;
use super::types::{
    AccessInterface, Config, PeerConfig, PeeringConfig, PuntRates, Quarantine, RemoteManagement, Tracing,
    UnderlayConfig, VniConfig, VtepConfig,
};
use super::written::{Host, Name, Socket};

/// A VTEP, or a switch that only routes the underlay, and the agent that controls it. Times have a unit (us, ms, s, min, h); paths
/// are relative to the file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Document {
    /// How this agent and its certificate are called, as `vtep1`. Peers know it by this name.
    #[schemars(with = "Name")]
    pub(super) name: String,
    /// The tunnel end point. Left out on a switch that only routes the underlay (a spine).
    pub(super) vtep: Option<Identity>,
    /// The switch to control and where it listens.
    pub(super) switch: SwitchConfig,
    /// The layer-2 networks that have hosts here.
    #[serde(default)]
    pub(super) vnis: Vec<VniConfig>,
    /// The routed network below the tunnels.
    #[serde(default)]
    pub(super) underlay: UnderlayConfig,
    /// How to talk with the peers: needed where there are any.
    pub(super) peering: Option<PeeringConfig>,
    /// The other VTEPs.
    #[serde(default)]
    pub(super) peers: Vec<PeerConfig>,
    /// The waits of the method. They are right as they are for most.
    #[serde(default)]
    pub(super) timers: Timers,
    /// The bounds on what is kept.
    #[serde(default)]
    pub(super) limits: AllLimits,
    /// How many packets per second of each kind one access interface, or one tunnel, may send to the agent.
    #[serde(default)]
    pub(super) punt_rates: PuntRates,
    /// What a port that keeps claiming what is not its own gets.
    #[serde(default)]
    pub(super) quarantine: Quarantine,
    /// Where the agent is asked and told, as by `vouch status` and `vouch expect-move`. Without it, nobody can.
    pub(super) management: Option<Management>,
    /// Traces of claims, from agent to agent. Without it, there are none.
    pub(super) tracing: Option<Tracing>,
}

/// Who this VTEP is.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Identity {
    /// The tunnel address, as `10.0.0.1` or `2001:db8::1`: the tunnels are over IPv4 or over IPv6. It is unique in the fabric, and the
    /// identity among the peers.
    #[schemars(with = "Host")]
    pub(super) address: VtepAddr,
    /// The source address of probes. It is unique in the fabric; without it, it is 02:76 and the last four bytes of `address`.
    pub(super) probe_mac: Option<MacAddr>,
}

/// The bounds of the method, and the one that the driver keeps.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct AllLimits {
    #[serde(flatten)]
    pub(super) method: Limits,
    /// How many frames may be held for a verdict at a time; one access interface may have half of them.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub(super) held_frames: usize,
}

impl Default for AllLimits {
    fn default() -> Self {
        Self { method: Limits::default(), held_frames: 32_768 }
    }
}

/// Where the agent is asked and told.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Management {
    /// The path of a Unix socket, as `/run/vouch/vtep1.sock`. Whoever can open it is believed; it is made for its owner only.
    #[schemars(with = "Option<Socket>")]
    pub(super) socket: Option<PathBuf>,
    /// The same over the network, by mutual TLS. Without it, only the socket is there.
    pub(super) remote: Option<RemoteManagement>,
}

impl Document {
    /// What the driver goes by. It means something only if nothing is wrong with the file.
    pub(super) fn resolve(self) -> Config {
        let Self { name, vtep, switch, mut vnis, mut underlay, peering, mut peers, timers, limits, .. } = self;
        for vni in &mut vnis {
            vni.access = vni.attached.iter().flat_map(|attached| attached.interfaces()).collect();
            vni.access.sort_unstable();
            for attached in &vni.attached {
                let rates = attached.rates().or(vni.punt_rates);
                vni.rates.extend(attached.interfaces().zip(rates.into_iter().cycle()));
                let limits = attached.limits().or(vni.limits.of_port());
                if limits != PortLimits::default() {
                    vni.port_limits.extend(attached.interfaces().map(|interface| (interface, limits)));
                }
            }
        }
        vnis.sort_by_key(|vni| vni.vni);
        peers.sort_by_key(|peer| peer.address);
        underlay.ports.sort_by_key(|port| port.port);
        let vtep = vtep.map(|vtep| VtepConfig {
            address: vtep.address,
            probe_mac: vtep.probe_mac(),
            vnis,
            peers,
            peering: peering.unwrap_or_default(),
            timers,
            limits: limits.method,
            held_frames: limits.held_frames,
            quarantine: self.quarantine,
            verify: true,
        });
        let (management, remote_management) =
            self.management.map_or((None, None), |management| (management.socket, management.remote));
        let (punt_rates, tracing) = (self.punt_rates, self.tracing);
        Config { name, switch, underlay, punt_rates, management, remote_management, tracing, vtep }
    }

    /// Every access interface, and where it is named.
    pub(super) fn access(&self) -> impl Iterator<Item = (String, AccessInterface)> {
        self.vnis.iter().enumerate().flat_map(|(index, vni)| {
            vni.attached.iter().enumerate().flat_map(move |(at, attached)| {
                attached.interfaces().map(move |interface| (format!("vnis[{index}].access[{at}]"), interface))
            })
        })
    }
}

/// Puts what is not said of punt rates of a VNI, or of an access interface, into them: as it is of all around.
pub(super) fn inherit(document: &mut Value) {
    fn fill(inner: &mut Value, outer: &Map<String, Value>) {
        let Some(rates) = inner.get_mut("punt_rates").and_then(Value::as_object_mut) else { return };
        for (kind, rate) in outer {
            rates.entry(kind).or_insert_with(|| rate.clone());
        }
    }
    let of = |value: &Value| value.get("punt_rates").and_then(Value::as_object).cloned();
    let all = of(document).unwrap_or_default();
    for vni in document.get_mut("vnis").and_then(Value::as_array_mut).into_iter().flatten() {
        fill(vni, &all);
        let rates = of(vni).unwrap_or_else(|| all.clone());
        for attached in vni.get_mut("access").and_then(Value::as_array_mut).into_iter().flatten() {
            fill(attached, &rates);
        }
    }
}

impl Identity {
    pub(super) fn probe_mac(&self) -> MacAddr {
        self.probe_mac.unwrap_or_else(|| default_probe_mac(self.address))
    }
}

/// A locally administered address that no other VTEP has: a probe sent through a tunnel must be answered to this switch. Of IPv6
/// addresses, the configuration checks that the last four bytes tell VTEPs apart.
pub(crate) fn default_probe_mac(VtepAddr(address): VtepAddr) -> MacAddr {
    let [a, b, c, d] = match address {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(address) => {
            let [.., a, b, c, d] = address.octets();
            [a, b, c, d]
        }
    };
    MacAddr([0x02, 0x76, a, b, c, d])
}
