//! What the switch is to have: the fixed part out of the configuration, and the hosts out of the state machine's views.
//!
//! A host's view becomes entries like this (`p4src/parts/source.p4`, `p4src/parts/destination.p4`):
//!
//! | view | `recorded_location` | `source` | `destination` |
//! |---|---|---|---|
//! | local | the access interface | `here` at it | `unicast` to it, or `both` |
//! | remote | the tunnel | | `unicast`, `unicast_hairpin`, `both` or `claimed` |
//! | each claim | | `claim_pending` or `quarantined` at its interface | |
//!
//! `both` names a group of the two places, in either role: the owner's own interface and the claimant (a tunnel, or an interface of its own),
//! or, at a claimant, the owner's tunnel and the claimed interface.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use vouch_mobility::{ClaimView, Destination, HostKey, HostView, Location};
use vouch_net::MacAddr;
use vouch_tables::{
    AccessTagAction, AccessTagKey, Aged, Bd, BdVniAction, BdVniKey, CPU_SESSION, Change, CloneSession,
    DestinationAction, DestinationKey, Dscp, EncapsulateAction, EncapsulateKey, EntryAction, EntryKey, FloodAction,
    FloodKey, Group, IngressInterfaceAction, IngressInterfaceKey, Ipv4Prefix, LocalVtepAction, LocalVtepKey,
    LocationId, LocationPortAction, LocationPortKey, MeterRate, Port, PuntMeter, PuntReason, RecordedLocationAction,
    RecordedLocationKey, Replica, SourceAction, SourceKey, Tag, UnderlayPeerAction, UnderlayPeerKey,
    UnderlayRouteAction, UnderlayRouteKey, VlanId, VniToBdAction, VniToBdKey,
};

use super::ledger::Ledger;
use super::numbering::Numbering;
use crate::config::{AccessInterface, Ageing, Config, NextHop, PuntRate, Route, VtepConfig};

/// The wanted state of one switch.
#[derive(Debug)]
pub(crate) struct Wanted {
    ledger: Ledger,
    hosts: HashMap<HostKey, HostItems>,
    pairs: Pairs,
    /// The idle timeout of hosts' entries, where the switch is to notify of it.
    ageing: Option<Duration>,
    forward_pending: BTreeMap<Bd, bool>,
    /// Access interfaces and tunnels: the port that leads there.
    ports: BTreeMap<LocationId, Port>,
    /// Underlay ports without link: their next hops are passed over.
    down: BTreeSet<u16>,
}

/// What one host has in the switch.
#[derive(Debug, Default)]
struct HostItems {
    entries: Vec<EntryKey>,
    pair: Option<(LocationId, LocationId)>,
}

impl Wanted {
    /// The fixed part, with no host.
    pub(crate) fn new(config: &Config, numbering: &Numbering) -> Self {
        let mut wanted = Self {
            ledger: Ledger::default(),
            hosts: HashMap::new(),
            pairs: Pairs::default(),
            ageing: match (config.switch.ageing, &config.vtep) {
                (Ageing::Notifications, Some(vtep)) => Some(vtep.host_ageing),
                (Ageing::Counters, _) | (_, None) => None,
            },
            forward_pending: BTreeMap::new(),
            ports: BTreeMap::new(),
            down: BTreeSet::new(),
        };
        wanted.punting(config, numbering);
        wanted.ways(config, numbering);
        wanted
    }

    /// Wants the underlay to do without a port that has lost its link, or to use it again.
    pub(crate) fn set_underlay_port(&mut self, port: u16, up: bool, config: &Config, numbering: &Numbering) {
        let is_underlay = config.underlay.ports.iter().any(|underlay| underlay.port.get() == port);
        let changed = if up { self.down.remove(&port) } else { is_underlay && self.down.insert(port) };
        if changed {
            self.ways(config, numbering);
        }
    }

    /// Wants the host to be as `view` says; `None`: the switch knows nothing of it.
    pub(crate) fn set_host(&mut self, host: HostKey, view: Option<&HostView>, numbering: &Numbering) {
        let before = self.hosts.remove(&host).unwrap_or_default();
        let mut after = HostItems::default();
        if let (Some(view), Some(bd)) = (view, numbering.bd(host.vni)) {
            let pair = pair_of(view, numbering);
            let group = pair.and_then(|pair| self.take_pair(pair));
            after.pair = pair.filter(|_| group.is_some());
            let entries = self.host_entries(bd, host, view, group, numbering);
            after.entries = entries.iter().map(|(key, _)| *key).collect();
            for (key, action) in entries {
                self.ledger.set(key, Some(action));
            }
        }
        for key in before.entries.iter().filter(|key| !after.entries.contains(key)) {
            self.ledger.set(*key, None);
        }
        if let Some(group) = before.pair.and_then(|pair| self.pairs.release(pair)) {
            self.ledger.set(EntryKey::MulticastGroup(group), None);
        }
        if !after.entries.is_empty() {
            self.hosts.insert(host, after);
        }
    }

    /// How many values are wanted.
    pub(crate) fn len(&self) -> usize {
        self.ledger.len()
    }

    /// See [`Ledger::take_changes`].
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        self.ledger.take_changes()
    }

    /// See [`Ledger::changes_from`].
    pub(crate) fn changes_from(&mut self, actual: BTreeMap<EntryKey, EntryAction>) -> Vec<Change> {
        self.ledger.changes_from(actual)
    }

    /// Copies to the controller, and how many of each kind a place may cause.
    fn punting(&mut self, config: &Config, numbering: &Numbering) {
        let session = EntryAction::CloneSession(CloneSession::to_cpu(config.switch.cpu_port));
        self.ledger.set(EntryKey::CloneSession(CPU_SESSION), Some(session));
        if let Some(ingress_port) = Port::new(config.switch.cpu_port) {
            let controller = IngressInterfaceKey { ingress_port, vlan_id: Tag::Untagged };
            self.want(controller.with(IngressInterfaceAction::Controller));
        }
        let Some(vtep) = &config.vtep else { return };
        let access = vtep.vnis.iter().flat_map(|vni| &vni.access);
        let access = access.filter_map(|interface| numbering.access(*interface)).map(Location::Local);
        let tunnels = vtep.peers.iter().map(|peer| Location::Remote(peer.address));
        let rates = &config.punt_rates;
        for location in access.chain(tunnels).filter_map(|location| numbering.location_id(location)) {
            for (reason, rate) in [
                (PuntReason::Learn, rates.learn),
                (PuntReason::Move, rates.move_),
                (PuntReason::ProbeReply, rates.probe_reply),
                (PuntReason::Alive, rates.alive),
                (PuntReason::Binding, rates.learn),
                (PuntReason::Request, rates.learn),
            ] {
                let meter = PuntMeter { reason, location };
                self.ledger.set(EntryKey::PuntMeter(meter), Some(EntryAction::PuntMeter(meter_rate(rate))));
            }
        }
    }

    /// Everything that depends on which port leads where.
    fn ways(&mut self, config: &Config, numbering: &Numbering) {
        self.underlay(config);
        if let Some(vtep) = &config.vtep {
            self.tunnels(config, vtep, numbering);
            self.bridge_domains(vtep, numbering);
        }
        for (pair, group) in self.pairs.all() {
            self.pair_group(pair, group);
        }
    }

    /// Routing between underlay ports, for packets that are not for this switch.
    fn underlay(&mut self, config: &Config) {
        for underlay in &config.underlay.ports {
            let Some(ingress_port) = Port::new(underlay.port.get()) else { continue };
            self.want(
                IngressInterfaceKey { ingress_port, vlan_id: Tag::Untagged }
                    .with(IngressInterfaceAction::Underlay { router_mac: underlay.mac }),
            );
        }
        for route in &config.underlay.routes {
            let Some(dst) = Ipv4Prefix::new(route.prefix.address, route.prefix.length) else { continue };
            let Some((port, src_mac, dst_mac)) = self.next_hop(config, route) else { continue };
            self.want(UnderlayRouteKey { dst }.with(UnderlayRouteAction::Route { port, src_mac, dst_mac }));
        }
    }

    /// The way to each peer, and back.
    fn tunnels(&mut self, config: &Config, vtep: &VtepConfig, numbering: &Numbering) {
        self.want(LocalVtepKey { dst: vtep.address.0 }.with(LocalVtepAction::Terminate));
        // The configuration has checked its 6 bits.
        let Some(dscp) = Dscp::new(config.underlay.dscp) else { return };
        for peer in &vtep.peers {
            let Some(location) = numbering.location_id(Location::Remote(peer.address)) else { continue };
            self.want(UnderlayPeerKey { src: peer.address.0 }.with(UnderlayPeerAction::FromTunnel { location }));
            let Some((port, src_mac, dst_mac)) =
                config.underlay.route_to(peer.address.0).and_then(|route| self.next_hop(config, route))
            else {
                continue;
            };
            self.ports.insert(location, port);
            self.want(LocationPortKey { location }.with(LocationPortAction::Port { port }));
            self.want(EncapsulateKey { location }.with(EncapsulateAction::Encapsulate {
                src_ip: vtep.address.0,
                dst_ip: peer.address.0,
                src_mac,
                dst_mac,
                ttl: config.underlay.ttl,
                dscp,
            }));
        }
    }

    /// The layer-2 networks: access interfaces, VNIs, flooding, probe replies.
    fn bridge_domains(&mut self, vtep: &VtepConfig, numbering: &Numbering) {
        for vni in &vtep.vnis {
            let Some(bd) = numbering.bd(vni.vni) else { continue };
            self.forward_pending.insert(bd, vni.forward_pending);
            self.want(VniToBdKey { vni: vni.vni }.with(VniToBdAction::Bridge { bd }));
            self.want(BdVniKey { bd }.with(BdVniAction::Vni { vni: vni.vni }));
            self.want(DestinationKey { bd, mac: vtep.probe_mac }.with(DestinationAction::ProbeReply));

            let mut replicas = BTreeSet::new();
            for interface in &vni.access {
                if let Some((location, port)) = self.access(bd, *interface, numbering) {
                    replicas.insert(Replica { port, location });
                }
            }
            for peer in vtep.peers.iter().filter(|peer| peer.has_vni(vni.vni)) {
                if let Some((location, port)) = self.way_to(Location::Remote(peer.address), numbering) {
                    replicas.insert(Replica { port, location });
                }
            }
            let group = Group::flood(bd);
            self.ledger.set(EntryKey::MulticastGroup(group), Some(EntryAction::MulticastGroup(replicas)));
            self.want(FloodKey { bd }.with(FloodAction::FloodTo { group }));
        }
    }

    fn access(&mut self, bd: Bd, interface: AccessInterface, numbering: &Numbering) -> Option<(LocationId, Port)> {
        let location = numbering.location_id(Location::Local(numbering.access(interface)?))?;
        let port = Port::new(interface.port.get())?;
        let (vlan_id, tag) = match interface.vlan.and_then(|vlan| VlanId::new(vlan.get())) {
            None => (Tag::Untagged, AccessTagAction::Untagged),
            Some(vlan_id) => (Tag::Vlan(vlan_id), AccessTagAction::Tagged { vlan_id }),
        };
        self.ports.insert(location, port);
        // Bindings on: addresses are learned from the copies of what the tables do not know.
        let action = IngressInterfaceAction::Access { bd, location, bindings: true, suppress: false };
        self.want(IngressInterfaceKey { ingress_port: port, vlan_id }.with(action));
        self.want(LocationPortKey { location }.with(LocationPortAction::Port { port }));
        self.want(AccessTagKey { location }.with(tag));
        Some((location, port))
    }

    fn way_to(&self, location: Location, numbering: &Numbering) -> Option<(LocationId, Port)> {
        let location = numbering.location_id(location)?;
        Some((location, *self.ports.get(&location)?))
    }

    fn host_entries(
        &self,
        bd: Bd,
        host: HostKey,
        view: &HostView,
        pair_group: Option<Group>,
        numbering: &Numbering,
    ) -> Vec<(EntryKey, EntryAction)> {
        let mac = host.mac;
        // Peers and interfaces are all numbered; a view of any other cannot come about.
        let Some(location) = numbering.location_id(view.location) else { return Vec::new() };
        let forward = self.forward_pending.get(&bd).copied().unwrap_or(true);
        let mut entries = vec![
            RecordedLocationKey { bd, mac }.with(RecordedLocationAction::Recorded { location, forward }),
            DestinationKey { bd, mac }.with(destination(view, location, pair_group, numbering)),
        ];
        if let Location::Local(_) = view.location {
            let here = SourceAction::Here { watch: view.watch };
            let here = match self.ageing {
                Some(ageing) => Aged::after(here, ageing),
                None => Aged::never(here),
            };
            entries.push(SourceKey { bd, mac, location }.with(here));
        }
        for (access, claim) in &view.claims {
            let Some(location) = numbering.location_id(Location::Local(*access)) else { continue };
            let action = match *claim {
                ClaimView::Pending { forward } => SourceAction::ClaimPending { forward },
                ClaimView::Quarantined => SourceAction::Quarantined,
            };
            entries.push(SourceKey { bd, mac, location }.with(Aged::never(action)));
        }
        entries
    }

    /// The group of two places. Without a free group the host's frames go where they go in `hold`.
    fn take_pair(&mut self, pair: (LocationId, LocationId)) -> Option<Group> {
        let group = self.pairs.take(pair)?;
        self.pair_group(pair, group);
        Some(group)
    }

    fn pair_group(&mut self, pair: (LocationId, LocationId), group: Group) {
        let replica = |location| Some(Replica { port: *self.ports.get(&location)?, location });
        let replicas = [pair.0, pair.1].into_iter().filter_map(replica).collect();
        self.ledger.set(EntryKey::MulticastGroup(group), Some(EntryAction::MulticastGroup(replicas)));
    }

    /// The first next hop whose port has a link; if none has, the first: it may be that only the news of its link is
    /// missing.
    fn next_hop(&self, config: &Config, route: &Route) -> Option<(Port, MacAddr, MacAddr)> {
        let alive = |hop: &&NextHop| !self.down.contains(&hop.port.get());
        let hop = route.next_hops.iter().find(alive).or(route.next_hops.first())?;
        let own = config.underlay.port(hop.port)?;
        Some((Port::new(hop.port.get())?, own.mac, hop.mac))
    }

    fn want(&mut self, (key, action): (EntryKey, EntryAction)) {
        self.ledger.set(key, Some(action));
    }
}

fn destination(
    view: &HostView,
    location: LocationId,
    pair_group: Option<Group>,
    numbering: &Numbering,
) -> DestinationAction {
    match view.destination {
        Destination::Recorded => DestinationAction::Unicast { location },
        Destination::Hairpin => DestinationAction::UnicastHairpin { location },
        Destination::Both { with } => match (pair_group, view.location, with) {
            (Some(group), _, _) => DestinationAction::Both { group },
            (None, owner @ Location::Remote(_), claimed @ Location::Local(_)) => {
                claimed_from(claimed, owner, location, numbering)
            }
            (None, Location::Local(_), _) | (None, _, Location::Remote(_)) => DestinationAction::Unicast { location },
        },
        Destination::Claimed { port, owner } => {
            claimed_from(Location::Local(port), Location::Remote(owner), location, numbering)
        }
    }
}

fn claimed_from(claimed: Location, owner: Location, recorded: LocationId, numbering: &Numbering) -> DestinationAction {
    match (numbering.location_id(claimed), numbering.location_id(owner)) {
        (Some(claim_location), Some(owner_location)) => DestinationAction::Claimed { claim_location, owner_location },
        (None, _) | (_, None) => DestinationAction::Unicast { location: recorded },
    }
}

/// The two places that get a host's frames, in ascending order.
fn pair_of(view: &HostView, numbering: &Numbering) -> Option<(LocationId, LocationId)> {
    let Destination::Both { with } = view.destination else { return None };
    let (a, b) = (numbering.location_id(view.location)?, numbering.location_id(with)?);
    (a != b).then(|| (a.min(b), a.max(b)))
}

fn meter_rate(rate: PuntRate) -> MeterRate {
    MeterRate { rate: rate.rate, burst: rate.burst }
}

/// Groups for pairs of places: one a pair, shared by all hosts that need it.
#[derive(Debug, Default)]
struct Pairs {
    groups: BTreeMap<(LocationId, LocationId), (u16, usize)>,
    numbers: BTreeSet<u16>,
}

impl Pairs {
    /// All pairs that some host uses, with their groups.
    fn all(&self) -> Vec<((LocationId, LocationId), Group)> {
        self.groups.iter().filter_map(|(pair, (number, _))| Some((*pair, Group::pair(*number)?))).collect()
    }

    /// One more host uses the pair.
    fn take(&mut self, pair: (LocationId, LocationId)) -> Option<Group> {
        if let Some((number, hosts)) = self.groups.get_mut(&pair) {
            *hosts += 1;
            return Group::pair(*number);
        }
        let number = (0..Group::PAIRS).find(|number| !self.numbers.contains(number))?;
        self.numbers.insert(number);
        self.groups.insert(pair, (number, 1));
        Group::pair(number)
    }

    /// One host fewer uses the pair. The group, if none does any more.
    fn release(&mut self, pair: (LocationId, LocationId)) -> Option<Group> {
        let (number, hosts) = self.groups.get_mut(&pair)?;
        *hosts -= 1;
        if *hosts > 0 {
            return None;
        }
        let number = *number;
        self.groups.remove(&pair);
        self.numbers.remove(&number);
        Group::pair(number)
    }
}

#[cfg(test)]
mod tests {
    use vouch_mobility::{AccessId, VtepAddr};

    use super::*;

    #[test]
    fn without_a_free_group_traffic_goes_where_it_goes_in_hold() {
        let vtep = VtepAddr([10, 0, 0, 2].into());
        let numbering = Numbering::read_back([], [], [(vtep, 1)]);
        let (here, tunnel) = (Location::Local(AccessId(1)), Location::Remote(vtep));
        let id = |location| numbering.location_id(location).expect("numbered");
        let [owner, claimant] = [(here, tunnel), (tunnel, here)].map(|(location, with)| {
            let destination = Destination::Both { with };
            let view = HostView { location, watch: false, learn_addresses: false, destination, claims: Vec::new() };
            super::destination(&view, id(location), None, &numbering)
        });
        assert_eq!(owner, DestinationAction::Unicast { location: id(here) });
        let held = DestinationAction::Claimed { claim_location: id(here), owner_location: id(tunnel) };
        assert_eq!(claimant, held);
    }
}
