//! Who is where: from a port or a peer to the hosts that depend on it, so that no event has to look at all hosts.

use std::collections::{BTreeMap, BTreeSet};

use vouch_net::MacAddr;

use crate::guards::{Guard, is_out};
use crate::inout::detail::PortDetail;
use crate::knowledge::entry::LinkDown;
use crate::words::config::{Config, Limits};
use crate::words::ids::{AccessId, HostKey, VtepAddr};

/// What one host depends on. Computed anew after each event; the difference goes into the indices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Footprint {
    /// Where it is recorded, if here.
    pub(crate) port: Option<AccessId>,
    /// Ports with an undecided claim of it.
    pub(crate) claims: Vec<AccessId>,
    /// Peers that have a route to it.
    pub(crate) routes: Vec<VtepAddr>,
    /// The owner we claim it from, or have taken it from without a word of it.
    pub(crate) claimed_from: Option<VtepAddr>,
    /// How many addresses it has.
    pub(crate) addresses: usize,
}

/// The access interfaces.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Ports(BTreeMap<AccessId, Port>);

#[derive(Debug, Clone, Default, Hash)]
struct Port {
    /// What the switch has said in this session; nothing, where it is not known.
    link: Option<bool>,
    hosts: BTreeSet<HostKey>,
    claims: BTreeSet<HostKey>,
    bindings: usize,
}

impl Ports {
    /// `None`: it is not known any more.
    pub(crate) fn set_link(&mut self, port: AccessId, up: Option<bool>) {
        self.0.entry(port).or_default().link = up;
    }

    /// Whether the port is known to be without link (4a).
    pub(crate) fn down(&self, port: AccessId) -> Option<LinkDown> {
        let link = self.0.get(&port).and_then(|port| port.link);
        (link == Some(false)).then_some(LinkDown::of(port))
    }

    /// For people.
    pub(crate) fn detail(&self, port: AccessId) -> PortDetail {
        self.0.get(&port).map_or_else(PortDetail::default, |port| PortDetail {
            link: port.link,
            hosts: port.hosts.len(),
            claims: port.claims.len(),
            addresses: port.bindings,
        })
    }

    /// Everybody to tell when the port goes down.
    pub(crate) fn concerned(&self, port: AccessId) -> Vec<HostKey> {
        self.0.get(&port).map(|port| port.hosts.union(&port.claims).copied().collect()).unwrap_or_default()
    }

    pub(crate) fn has_room_for_host(&self, port: AccessId, config: &Config) -> bool {
        let most = config.limits_at(port).hosts;
        self.0.get(&port).is_none_or(|port| most.is_none_or(|most| port.hosts.len() < most))
    }

    pub(crate) fn has_room_for_claim(&self, port: AccessId, config: &Config) -> bool {
        let most = config.limits_at(port).claims;
        self.0.get(&port).is_none_or(|port| most.is_none_or(|most| port.claims.len() < most))
    }

    pub(crate) fn has_room_for_binding(&self, port: AccessId, config: &Config) -> bool {
        let most = config.limits_at(port).bindings;
        self.0.get(&port).is_none_or(|port| most.is_none_or(|most| port.bindings < most))
    }

    fn update(&mut self, host: HostKey, old: &Footprint, new: &Footprint) {
        if let Some(port) = old.port.and_then(|port| self.0.get_mut(&port)) {
            port.bindings = port.bindings.saturating_sub(old.addresses);
        }
        if let Some(port) = new.port {
            self.0.entry(port).or_default().bindings += new.addresses;
        }
        if old.port != new.port {
            if let Some(port) = old.port.and_then(|port| self.0.get_mut(&port)) {
                port.hosts.remove(&host);
            }
            if let Some(port) = new.port {
                self.0.entry(port).or_default().hosts.insert(host);
            }
        }
        if old.claims != new.claims {
            for port in &old.claims {
                if let Some(port) = self.0.get_mut(port) {
                    port.claims.remove(&host);
                }
            }
            for port in &new.claims {
                self.0.entry(*port).or_default().claims.insert(host);
            }
        }
    }
}

/// The other VTEPs.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Peers(BTreeMap<VtepAddr, Peer>);

/// One of them.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Peer {
    up: bool,
    /// Counts the lists it began to send.
    round: u64,
    /// It has sent one to the end.
    told: bool,
    /// The last that it sent did not name the hosts that it has.
    withholds: bool,
    /// Which hosts of a list have come, while one is coming.
    listed: Option<BTreeSet<HostKey>>,
    routes: BTreeSet<HostKey>,
    claims: BTreeSet<HostKey>,
    /// No host may pass for it: answers to its probes would go there.
    probe_mac: Option<MacAddr>,
}

impl Peers {
    pub(crate) fn new(config: &Config) -> Self {
        Self(config.vnis.values().flat_map(|vni| &vni.peers).map(|&vtep| (vtep, Peer::default())).collect())
    }

    pub(crate) fn is_known(&self, vtep: VtepAddr) -> bool {
        self.0.contains_key(&vtep)
    }

    pub(crate) fn is_up(&self, vtep: VtepAddr) -> bool {
        self.0.get(&vtep).is_some_and(|peer| peer.up)
    }

    /// Whether the peer has said what it knows, since we started.
    pub(crate) fn has_told(&self, vtep: VtepAddr) -> bool {
        self.0.get(&vtep).is_some_and(|peer| peer.told)
    }

    /// Whether the peer is out of use, and does not say which hosts it has.
    pub(crate) fn withholds(&self, vtep: VtepAddr) -> bool {
        self.0.get(&vtep).is_some_and(|peer| peer.withholds)
    }

    /// Which of its lists the peer is at.
    pub(crate) fn round(&self, vtep: VtepAddr) -> u64 {
        self.0.get(&vtep).map_or(0, |peer| peer.round)
    }

    pub(crate) fn set_up(&mut self, vtep: VtepAddr, up: bool) {
        if let Some(peer) = self.0.get_mut(&vtep) {
            peer.up = up;
            peer.listed = None;
        }
    }

    pub(crate) fn set_probe_mac(&mut self, vtep: VtepAddr, mac: MacAddr) {
        if let Some(peer) = self.0.get_mut(&vtep) {
            peer.probe_mac = Some(mac);
        }
    }

    pub(crate) fn is_probe_mac(&self, mac: MacAddr) -> bool {
        self.0.values().any(|peer| peer.probe_mac == Some(mac))
    }

    /// Our claims of which the peer is the owner.
    pub(crate) fn claims(&self, vtep: VtepAddr) -> Vec<HostKey> {
        self.0.get(&vtep).map(|peer| peer.claims.iter().copied().collect()).unwrap_or_default()
    }

    /// How many these are.
    pub(crate) fn claims_at(&self, vtep: VtepAddr) -> usize {
        self.0.get(&vtep).map_or(0, |peer| peer.claims.len())
    }

    pub(crate) fn list_begins(&mut self, vtep: VtepAddr) {
        if let Some(peer) = self.0.get_mut(&vtep) {
            peer.round += 1;
            peer.listed = Some(BTreeSet::new());
        }
    }

    pub(crate) fn list_goes_on(&mut self, vtep: VtepAddr, host: HostKey, limits: &Limits) {
        if let Some(listed) = self.0.get_mut(&vtep).and_then(|peer| peer.listed.as_mut())
            && listed.len() < limits.hosts
        {
            listed.insert(host);
        }
    }

    /// The hosts with a route by this peer, which the list may have left out; `None` if the list was not whole.
    pub(crate) fn list_ends(&mut self, vtep: VtepAddr, hosts: u64, withheld: bool) -> Option<Vec<HostKey>> {
        let peer = self.0.get_mut(&vtep)?;
        let listed = peer.listed.take()?;
        peer.told |= listed.len() as u64 == hosts;
        peer.withholds = withheld;
        (listed.len() as u64 == hosts || is_out(Guard::WholeLists)).then(|| peer.routes.iter().copied().collect())
    }

    fn update(&mut self, host: HostKey, old: &Footprint, new: &Footprint) {
        if old.routes != new.routes {
            for vtep in &old.routes {
                if let Some(peer) = self.0.get_mut(vtep) {
                    peer.routes.remove(&host);
                }
            }
            for vtep in &new.routes {
                if let Some(peer) = self.0.get_mut(vtep) {
                    peer.routes.insert(host);
                }
            }
        }
        if old.claimed_from != new.claimed_from {
            if let Some(peer) = old.claimed_from.and_then(|vtep| self.0.get_mut(&vtep)) {
                peer.claims.remove(&host);
            }
            if let Some(peer) = new.claimed_from.and_then(|vtep| self.0.get_mut(&vtep)) {
                peer.claims.insert(host);
            }
        }
    }
}

/// Writes what changed about the host into both indices.
pub(crate) fn update(ports: &mut Ports, peers: &mut Peers, host: HostKey, old: &Footprint, new: &Footprint) {
    ports.update(host, old, new);
    peers.update(host, old, new);
}
