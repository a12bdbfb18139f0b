//! What the switch is to have: the fixed part out of the configuration, and the hosts out of the state machine's views.
//!
//! A host's view becomes entries like this (`p4src/parts/source.p4`, `p4src/parts/destination.p4`):
//!
//! | view | `recorded_location` | `source` | `destination` |
//! |---|---|---|---|
//! | local | the access interface | `here` at it | `unicast` to it, or `both` |
//! | remote | the tunnel | | `unicast`, `unicast_hairpin`, `both` or `claimed` |
//! | each claim | | `claim_pending`, `here` (shared) or `quarantined` at its interface | |
//!
//! `both` names a group of the places, in either role: the owner's own interface and the claimants (tunnels, or interfaces of its own),
//! or, at a claimant, the owner's tunnel and the claimed interface. A binding becomes an entry of `binding_ipv4` or `binding_ipv6`
//! (`p4src/parts/binding.p4`).

mod bindings;
mod groups;
mod ring;
mod ways;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::ops::Bound;
use std::time::Duration;

use vouch_mobility::{BindingView, ClaimView, Destination, HostKey, HostView, Instant, Location};
use vouch_net::{MacAddr, Vni};
use vouch_tables::{
    AccessTagAction, AccessTagKey, Aged, Bd, BdVniAction, BdVniKey, CPU_SESSION, Change, CloneSession,
    DestinationAction, DestinationKey, EntryAction, EntryKey, FloodAction, FloodKey, Group, IngressInterfaceAction,
    IngressInterfaceKey, LocationId, LocationPortAction, LocationPortKey, MeterRate, Port, PuntMeter, PuntReason,
    RecordedLocationAction, RecordedLocationKey, Replica, SourceAction, SourceKey, Tag, VniToBdAction, VniToBdKey,
};

use self::bindings::{Bindings, Writes};
use self::groups::{Groups, Places};
use super::ledger::Ledger;
use super::numbering::Numbering;
use crate::config::{
    AccessInterface, Ageing, ClaimantData, Config, DEFAULT_MTU, ETHERNET_BYTES, PuntRate, TAG_BYTES, VniConfig,
    VtepConfig,
};

pub(crate) use self::bindings::BindingRoom;

/// The wanted state of one switch.
#[derive(Debug)]
pub(crate) struct Wanted {
    ledger: Ledger,
    hosts: HashMap<HostKey, HostItems>,
    groups: Groups,
    bindings: Bindings,
    /// The idle timeout of hosts' entries, where the switch is to notify of it.
    ageing: Option<Duration>,
    forward_pending: BTreeMap<Bd, bool>,
    /// Access interfaces and tunnels: the port that leads there.
    ports: BTreeMap<LocationId, Port>,
    /// Underlay ports without link: their next hops carry nothing.
    down: BTreeSet<u16>,
    /// The MAC addresses of next hops that are known by their IP addresses, as far as they answer.
    next_hops: BTreeMap<IpAddr, MacAddr>,
    /// The longest IPv4 packet that the underlay carries, in bytes.
    mtu: u16,
    /// The same of its ports, as far as the switch says so.
    port_mtus: BTreeMap<u16, u16>,
}

/// What one host has in the switch.
#[derive(Debug, Default)]
struct HostItems {
    entries: Vec<EntryKey>,
    places: Option<Places>,
}

impl Wanted {
    /// The fixed part, with no host.
    pub(crate) fn new(config: &Config, numbering: &Numbering, room: BindingRoom) -> Self {
        let mut wanted = Self {
            ledger: Ledger::default(),
            hosts: HashMap::new(),
            groups: Groups::default(),
            bindings: Bindings::new(room),
            ageing: match (config.switch.ageing, &config.vtep) {
                (Ageing::Notifications, Some(vtep)) => Some(vtep.timers.host_ageing),
                (Ageing::Counters, _) | (_, None) => None,
            },
            forward_pending: BTreeMap::new(),
            ports: BTreeMap::new(),
            down: BTreeSet::new(),
            next_hops: BTreeMap::new(),
            mtu: config.underlay.mtu.unwrap_or(DEFAULT_MTU),
            port_mtus: BTreeMap::new(),
        };
        wanted.controller(config);
        wanted.ways(config, numbering);
        wanted.budgets(config, numbering);
        wanted.shared_addresses(config, numbering);
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

    /// Whether a port of the underlay is passed over, because it has no link.
    pub(crate) fn is_down(&self, port: u16) -> bool {
        self.down.contains(&port)
    }

    /// What an entry is to do.
    pub(crate) fn wanted(&self, key: &EntryKey) -> Option<&EntryAction> {
        self.ledger.wanted(key)
    }

    /// Some of all that is wanted, after `after`.
    pub(crate) fn some_after(&self, after: Option<EntryKey>, limit: usize) -> Vec<(EntryKey, EntryAction)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let some = self.ledger.all().range((from, Bound::Unbounded)).take(limit);
        some.map(|(key, action)| (*key, action.clone())).collect()
    }

    /// The entries that a host has.
    pub(crate) fn keys_of(&self, host: &HostKey) -> &[EntryKey] {
        self.hosts.get(host).map_or(&[], |items| &items.entries)
    }

    /// The longest IPv4 packet that the underlay carries, in bytes.
    pub(crate) fn mtu(&self) -> u16 {
        self.mtu
    }

    /// Wants tunnels to take what all underlay ports carry, unless the configuration says what that is. The bytes are of a frame
    /// with its Ethernet header.
    pub(crate) fn set_port_mtu(&mut self, port: u16, bytes: u16, config: &Config, numbering: &Numbering) {
        let underlay = config.underlay.ports.iter().find(|underlay| underlay.port.get() == port);
        let Some(underlay) = underlay.filter(|_| config.underlay.mtu.is_none()) else { return };
        let around = if underlay.vlan.is_some() { ETHERNET_BYTES + TAG_BYTES } else { ETHERNET_BYTES };
        self.port_mtus.insert(port, bytes.saturating_sub(around));
        let mtu = self.port_mtus.values().copied().min().unwrap_or(DEFAULT_MTU);
        if mtu != self.mtu {
            self.mtu = mtu;
            self.ways(config, numbering);
        }
    }

    /// Wants the host to be as `view` says; `None`: the switch knows nothing of it.
    pub(crate) fn set_host(&mut self, host: HostKey, view: Option<&HostView>, numbering: &Numbering, now: Instant) {
        let before = self.hosts.remove(&host).unwrap_or_default();
        let mut after = HostItems::default();
        if let (Some(view), Some(bd)) = (view, numbering.bd(host.vni)) {
            let places = places_of(view, numbering);
            let group = places.as_ref().and_then(|places| self.take_group(places));
            after.places = places.filter(|_| group.is_some());
            let entries = self.host_entries(bd, host, view, group, numbering);
            after.entries = entries.iter().map(|(key, _)| *key).collect();
            for (key, action) in entries {
                self.ledger.set(key, Some(action));
            }
        }
        for key in before.entries.iter().filter(|key| !after.entries.contains(key)) {
            self.ledger.set(*key, None);
        }
        if let Some(places) = before.places {
            self.groups.release(&places, now);
        }
        if !after.entries.is_empty() {
            self.hosts.insert(host, after);
        }
    }

    /// When [`Self::timeout`] is to be called next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.groups.deadline()
    }

    /// Gives up what has not been used for long enough.
    pub(crate) fn timeout(&mut self, now: Instant) {
        while let Some(group) = self.groups.pop_unused(now) {
            self.ledger.set(EntryKey::MulticastGroup(group), None);
        }
    }

    /// Wants the address to be whose `binding` says; `None`: the switch does not know whose it is.
    pub(crate) fn set_binding(
        &mut self,
        vni: Vni,
        address: IpAddr,
        binding: Option<BindingView>,
        numbering: &Numbering,
    ) {
        let Some(bd) = numbering.bd(vni) else { return };
        let writes = self.bindings.set(bd, address, binding.map(|it| (it.mac, it.confirmed)));
        self.write(writes);
    }

    /// The switch has no room for these bindings. They are written as soon as others go.
    pub(crate) fn bindings_refused(&mut self, keys: &[EntryKey]) {
        for key in keys {
            let writes = self.bindings.refused(*key, self.ledger.wanted(key).cloned());
            self.write(writes);
            self.ledger.is_absent(*key);
        }
    }

    /// How many bindings are not written for want of room.
    pub(crate) fn bindings_beyond(&self) -> usize {
        self.bindings.beyond()
    }

    /// The places that have budgets, and so may be heard from.
    pub(crate) fn places(&self) -> impl Iterator<Item = LocationId> {
        self.ports.keys().copied()
    }

    /// All that is wanted.
    pub(crate) fn all(&self) -> &BTreeMap<EntryKey, EntryAction> {
        self.ledger.all()
    }

    /// How many values are wanted.
    pub(crate) fn len(&self) -> usize {
        self.ledger.len()
    }

    /// How many changes wait to be written, at most.
    pub(crate) fn unwritten(&self) -> usize {
        self.ledger.unwritten()
    }

    /// See [`Ledger::take_changes`].
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        self.ledger.take_changes()
    }

    /// See [`Ledger::changes_from`].
    pub(crate) fn changes_from(&mut self, actual: BTreeMap<EntryKey, EntryAction>) -> Vec<Change> {
        self.ledger.changes_from(actual)
    }

    /// The way to the controller, and from it.
    fn controller(&mut self, config: &Config) {
        let session = EntryAction::CloneSession(CloneSession::to_cpu(config.switch.cpu_port));
        self.ledger.set(EntryKey::CloneSession(CPU_SESSION), Some(session));
        if let Some(ingress_port) = Port::new(config.switch.cpu_port) {
            let controller = IngressInterfaceKey { ingress_port, vlan_id: Tag::Untagged };
            self.want(controller.with(IngressInterfaceAction::Controller));
        }
    }

    /// How many copies of each kind a place may cause.
    fn budgets(&mut self, config: &Config, numbering: &Numbering) {
        let special = config.vtep.iter().flat_map(|vtep| &vtep.vnis).flat_map(|vni| &vni.rates);
        let special: BTreeMap<_, _> = special
            .filter_map(|(interface, rates)| {
                let access = Location::Local(numbering.access(*interface)?);
                Some((numbering.location_id(access)?, rates))
            })
            .collect();
        let links = config.underlay.ports.iter().filter(|port| port.address.is_some());
        for location in links.map(|port| LocationId::link(port.port)) {
            let meter = EntryKey::PuntMeter(PuntMeter { reason: PuntReason::Neighbour, location });
            self.ledger.set(meter, Some(EntryAction::PuntMeter(meter_rate(config.underlay.neighbours.punt_rate))));
        }
        // Tunnels too that lead nowhere now.
        let peers = config.vtep.iter().flat_map(|vtep| &vtep.peers);
        let tunnels = peers.filter_map(|peer| numbering.location_id(Location::Remote(peer.address)));
        let locations: BTreeSet<LocationId> = self.ports.keys().copied().chain(tunnels).collect();
        for location in &locations {
            let rates = special.get(location).copied().unwrap_or(&config.punt_rates);
            let access = [
                (PuntReason::Learn, rates.learn),
                (PuntReason::Move, rates.move_),
                (PuntReason::Binding, rates.binding),
                (PuntReason::Request, rates.request),
                (PuntReason::ProbeReply, rates.probe_reply),
                (PuntReason::Alive, rates.alive),
            ];
            let tunnel = [(PuntReason::ProbeReply, rates.probe_reply)];
            let budgets = if location.is_tunnel() { &tunnel[..] } else { &access[..] };
            for (reason, rate) in budgets {
                let meter = EntryKey::PuntMeter(PuntMeter { reason: *reason, location: *location });
                self.ledger.set(meter, Some(EntryAction::PuntMeter(meter_rate(*rate))));
            }
        }
    }

    /// Single addresses that any host may have. Of longer prefixes no address is ever bound, so that they need no entries.
    fn shared_addresses(&mut self, config: &Config, numbering: &Numbering) {
        let vnis = config.vtep.iter().flat_map(|vtep| &vtep.vnis).filter(|vni| vni.bindings.on());
        for vni in vnis {
            let Some(bd) = numbering.bd(vni.vni) else { continue };
            for prefix in vni.bindings.shared() {
                if prefix.prefix_len() == prefix.max_prefix_len() {
                    let writes = self.bindings.share(bd, prefix.addr());
                    self.write(writes);
                }
            }
        }
    }

    fn write(&mut self, writes: Writes) {
        for (key, action) in writes {
            self.ledger.set(key, action);
        }
    }

    /// Everything that depends on which port leads where.
    fn ways(&mut self, config: &Config, numbering: &Numbering) {
        self.underlay(config, numbering);
        if let Some(vtep) = &config.vtep {
            self.tunnels(config, vtep, numbering);
            self.bridge_domains(vtep, numbering);
        }
        for (places, group) in self.groups.all() {
            self.fill_group(&places, group);
        }
    }

    /// The layer-2 networks: access interfaces, VNIs, flooding, probe replies.
    fn bridge_domains(&mut self, vtep: &VtepConfig, numbering: &Numbering) {
        for vni in &vtep.vnis {
            let Some(bd) = numbering.bd(vni.vni) else { continue };
            self.forward_pending.insert(bd, vni.claimant_data == ClaimantData::Forward);
            self.want(VniToBdKey { vni: vni.vni }.with(VniToBdAction::Bridge { bd }));
            self.want(BdVniKey { bd }.with(BdVniAction::Vni { vni: vni.vni }));
            self.want(DestinationKey { bd, mac: vtep.probe_mac }.with(DestinationAction::ProbeReply));

            let mut replicas = BTreeSet::new();
            for interface in &vni.access {
                if let Some((location, port)) = self.access(bd, vni, *interface, numbering) {
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

    fn access(
        &mut self,
        bd: Bd,
        vni: &VniConfig,
        interface: AccessInterface,
        numbering: &Numbering,
    ) -> Option<(LocationId, Port)> {
        let location = numbering.location_id(Location::Local(numbering.access(interface)?))?;
        let port = interface.port;
        let (vlan_id, tag) = match interface.vlan {
            None => (Tag::Untagged, AccessTagAction::Untagged),
            Some(vlan_id) => (Tag::Vlan(vlan_id), AccessTagAction::Tagged { vlan_id }),
        };
        self.ports.insert(location, port);
        let (bindings, suppress) = (vni.bindings.on(), vni.suppress);
        let access = IngressInterfaceAction::Access { bd, location, bindings, suppress };
        self.want(IngressInterfaceKey { ingress_port: port, vlan_id }.with(access));
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
        group: Option<Group>,
        numbering: &Numbering,
    ) -> Vec<(EntryKey, EntryAction)> {
        let mac = host.mac;
        // Peers and interfaces are all numbered; a view of any other cannot come about.
        let Some(location) = numbering.location_id(view.location) else { return Vec::new() };
        let forward = self.forward_pending.get(&bd).copied().unwrap_or(true);
        let mut entries = vec![
            RecordedLocationKey { bd, mac }.with(RecordedLocationAction::Recorded { location, forward }),
            DestinationKey { bd, mac }.with(destination(view, location, group, numbering)),
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
                ClaimView::Shared => SourceAction::Here { watch: true },
                ClaimView::Quarantined => SourceAction::Quarantined,
            };
            entries.push(SourceKey { bd, mac, location }.with(Aged::never(action)));
        }
        entries
    }

    /// The group of places. Without a free group the host's frames go where they go in `hold`.
    fn take_group(&mut self, places: &Places) -> Option<Group> {
        let group = self.groups.take(places)?;
        self.fill_group(places, group);
        Some(group)
    }

    fn fill_group(&mut self, places: &Places, group: Group) {
        let replica = |location: &LocationId| Some(Replica { port: *self.ports.get(location)?, location: *location });
        let replicas = places.iter().filter_map(replica).collect();
        self.ledger.set(EntryKey::MulticastGroup(group), Some(EntryAction::MulticastGroup(replicas)));
    }

    fn want(&mut self, (key, action): (EntryKey, EntryAction)) {
        self.ledger.set(key, Some(action));
    }
}

fn destination(
    view: &HostView,
    location: LocationId,
    group: Option<Group>,
    numbering: &Numbering,
) -> DestinationAction {
    match view.destination {
        Destination::Recorded => DestinationAction::Unicast { location },
        Destination::Hairpin => DestinationAction::UnicastHairpin { location },
        Destination::Both { with, and: _ } => match (group, view.location, with) {
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

/// The places that get a host's frames, where there are several.
fn places_of(view: &HostView, numbering: &Numbering) -> Option<Places> {
    let Destination::Both { with, and } = view.destination else { return None };
    let places: BTreeSet<LocationId> =
        [view.location, with].into_iter().chain(and).filter_map(|place| numbering.location_id(place)).collect();
    (places.len() > 1).then(|| places.into_iter().collect())
}

fn meter_rate(rate: PuntRate) -> MeterRate {
    MeterRate { rate: rate.rate, burst: rate.burst }
}

#[cfg(test)]
mod tests {
    use vouch_mobility::{AccessId, VtepAddr};

    use super::*;

    #[test]
    fn without_a_free_group_traffic_goes_where_it_goes_in_hold() {
        let vtep = VtepAddr([10, 0, 0, 2].into());
        let numbering = Numbering::read_back([], [], [(vtep, 1)], [], []);
        let (here, tunnel) = (Location::Local(AccessId(1)), Location::Remote(vtep));
        let id = |location| numbering.location_id(location).expect("numbered");
        let [owner, claimant] = [(here, tunnel), (tunnel, here)].map(|(location, with)| {
            let destination = Destination::Both { with, and: None };
            let view = HostView { location, watch: false, destination, claims: Vec::new() };
            super::destination(&view, id(location), None, &numbering)
        });
        assert_eq!(owner, DestinationAction::Unicast { location: id(here) });
        let held = DestinationAction::Claimed { claim_location: id(here), owner_location: id(tunnel) };
        assert_eq!(claimant, held);
    }
}
