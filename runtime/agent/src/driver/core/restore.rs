//! What the switch had when the driver started: numbers, hosts, whose addresses are whose, who was claimed, and where next hops were.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use vouch_mobility::{Event, Evidence, Heard, HostKey, Instant, Location, VtepAddr};
use vouch_net::MacAddr;
use vouch_tables::{
    Bd, BindingIpv4Action, BindingIpv6Action, DestinationAction, DestinationKey, EncapsulateAction, EntryAction,
    EntryKey, IngressInterfaceAction, IngressInterfaceKey, LocationId, LocationPortAction, LocationPortKey,
    NeighbourAction, NeighbourId, NextHopAction, Port, PuntMeter, RecordedLocationAction, SourceAction, Tag,
    UnderlayPeerAction, UnderlayPeerIpv6Action, UnderlayRouteAction, UnderlayRouteIpv6Action, VniToBdAction,
};

use super::super::numbering::{HopRoom, Numbering};
use super::super::wanted::{BindingRoom, Wanted};
use super::Core;
use crate::config::{AccessInterface, Config, NextHop, Route, UnderlayConfig};
use crate::guards::{DriverGuard, is_out};

impl Core {
    /// The budgets that are wanted of a switch with these entries: whose they are depends on the numbers there.
    pub(crate) fn budgets(config: &Config, actual: &BTreeMap<EntryKey, EntryAction>) -> Vec<PuntMeter> {
        let numbering = Numbering::assign(config, &prior_numbering(config, actual), HopRoom::default());
        let wanted = Wanted::new(config, &numbering, BindingRoom::default());
        let cell = |key: &EntryKey| match key {
            EntryKey::PuntMeter(cell) => Some(*cell),
            _ => None,
        };
        wanted.all().keys().filter_map(cell).collect()
    }

    /// Tells the machine of the hosts that the switch knows, and then of their addresses.
    pub(super) fn restore(
        &mut self,
        actual: &BTreeMap<EntryKey, EntryAction>,
        prior: &Numbering,
        now: Instant,
    ) -> usize {
        let mut restored = 0;
        for (key, value) in actual {
            let (EntryKey::RecordedLocation(key), EntryAction::RecordedLocation(action)) = (key, value) else {
                continue;
            };
            let RecordedLocationAction::Recorded { location, .. } = *action;
            let Some(host) = self.prior_host(key.bd, key.mac, prior) else { continue };
            let Some(location) = translate(location, prior, &self.numbering) else { continue };
            if !self.belongs(location, host.vni) {
                continue;
            }
            restored += 1;
            let passed_on = passes_on(actual, key.bd, key.mac);
            self.tell(Event::Restored { host, location, passed_on }, now);
        }
        for (key, value) in actual {
            let Some((bd, address, mac, confirmed)) = bound(key, value) else { continue };
            let host = self.prior_host(bd, mac, prior).filter(|_| !is_out(DriverGuard::BindingsRestored));
            if let Some(host) = host {
                self.tell(Event::RestoredBinding { host, address, confirmed }, now);
            }
        }
        self.restore_claims(actual, prior, now);
        restored
    }

    /// Hosts that had been heard where they are not recorded: a claim that our predecessor did not see to its end. The host may
    /// have said all that it is going to say, so it is taken for heard once more.
    fn restore_claims(&mut self, actual: &BTreeMap<EntryKey, EntryAction>, prior: &Numbering, now: Instant) {
        for (key, value) in actual {
            let (EntryKey::Source(key), EntryAction::Source(found)) = (key, value) else { continue };
            let claimed = match found.action {
                SourceAction::ClaimPending { .. } | SourceAction::Here { .. } => true,
                SourceAction::Quarantined => false,
            };
            let Some(host) = self.prior_host(key.bd, key.mac, prior).filter(|_| claimed) else { continue };
            let Some(place @ Location::Local(port)) = translate(key.location, prior, &self.numbering) else { continue };
            let elsewhere = self.machine.view(&host).is_some_and(|view| view.location != place);
            if elsewhere && self.belongs(place, host.vni) && !is_out(DriverGuard::ClaimsRestored) {
                let heard =
                    Heard { host, port, evidence: Evidence::Data, addresses: Vec::new(), target: None, frame: None };
                self.tell(Event::Heard(heard), now);
            }
        }
    }

    /// The host that the switch means, by its own numbers, which may be another configuration's. What that one had and ours has
    /// not is forgotten, and so is who may be no host any more.
    fn prior_host(&self, bd: Bd, mac: MacAddr, prior: &Numbering) -> Option<HostKey> {
        let vni = prior.vni(bd).filter(|vni| self.numbering.bd(*vni).is_some())?;
        let reserved = &self.machine.config().vnis.get(&vni)?.reserved;
        (mac.is_host() && !reserved.contains(&mac)).then_some(HostKey { vni, mac })
    }
}

/// Whether what comes out of one tunnel for the host may go into another.
fn passes_on(actual: &BTreeMap<EntryKey, EntryAction>, bd: Bd, mac: MacAddr) -> bool {
    match actual.get(&EntryKey::Destination(DestinationKey { bd, mac })) {
        Some(EntryAction::Destination(action)) => match action {
            DestinationAction::UnicastHairpin { .. }
            | DestinationAction::Both { .. }
            | DestinationAction::Claimed { .. } => true,
            DestinationAction::Unicast { .. } | DestinationAction::ProbeReply => false,
        },
        _ => false,
    }
}

/// What a binding says.
fn bound(key: &EntryKey, value: &EntryAction) -> Option<(Bd, IpAddr, MacAddr, bool)> {
    match (key, value) {
        (EntryKey::BindingIpv4(key), EntryAction::BindingIpv4(BindingIpv4Action::Bound { mac, confirmed })) => {
            Some((key.bd, key.ip.into(), *mac, *confirmed))
        }
        (EntryKey::BindingIpv6(key), EntryAction::BindingIpv6(BindingIpv6Action::Bound { mac, confirmed })) => {
            Some((key.bd, key.ip.into(), *mac, *confirmed))
        }
        _ => None,
    }
}

/// The meaning of a location of the prior numbering in the present one.
fn translate(location: LocationId, prior: &Numbering, present: &Numbering) -> Option<Location> {
    match prior.location(location)? {
        Location::Local(access) => present.access(prior.interface(access)?).map(Location::Local),
        Location::Remote(vtep) => present.location_id(Location::Remote(vtep)).map(|_| Location::Remote(vtep)),
    }
}

/// The numbering that the switch's fixed entries show.
pub(super) fn prior_numbering(config: &Config, actual: &BTreeMap<EntryKey, EntryAction>) -> Numbering {
    let (mut bds, mut interfaces, mut tunnels) = (Vec::new(), Vec::new(), Vec::new());
    let (mut groups, mut neighbours) = (Vec::new(), Vec::new());
    let ports = ports_of_neighbours(actual);
    for (key, action) in actual {
        match (key, action) {
            (EntryKey::VniToBd(key), EntryAction::VniToBd(VniToBdAction::Bridge { bd })) => {
                bds.push((key.vni, *bd));
            }
            (
                EntryKey::IngressInterface(key),
                EntryAction::IngressInterface(IngressInterfaceAction::Access { location, .. }),
            ) => {
                interfaces.push((interface(key), location.number()));
            }
            (EntryKey::UnderlayPeer(key), EntryAction::UnderlayPeer(UnderlayPeerAction::FromTunnel { location })) => {
                tunnels.push((VtepAddr(key.src.into()), location.number()))
            }
            (
                EntryKey::UnderlayPeerIpv6(key),
                EntryAction::UnderlayPeerIpv6(UnderlayPeerIpv6Action::FromTunnel { location }),
            ) => tunnels.push((VtepAddr(key.src.into()), location.number())),
            (EntryKey::UnderlayRoute(key), EntryAction::UnderlayRoute(UnderlayRouteAction::Balance { group })) => {
                groups.push((key.dst.into(), *group));
            }
            (
                EntryKey::UnderlayRouteIpv6(key),
                EntryAction::UnderlayRouteIpv6(UnderlayRouteIpv6Action::Balance { group }),
            ) => groups.push((key.dst.into(), *group)),
            (EntryKey::Neighbour(key), EntryAction::Neighbour(NeighbourAction::Link { dst_mac, .. })) => {
                if let Some(&port) = ports.get(&key.neighbour) {
                    let hop = next_hop(&config.underlay, port, *dst_mac);
                    neighbours.push((hop.unwrap_or(NextHop::At { port, mac: *dst_mac }), key.neighbour));
                }
            }
            _ => {}
        }
    }
    Numbering::read_back(bds, interfaces, tunnels, groups, neighbours)
}

/// The next hop that a MAC address at a port was, if it was in use by its IP address: it is, if there is but one such at the port now.
fn next_hop(underlay: &UnderlayConfig, port: Port, mac: MacAddr) -> Option<NextHop> {
    let hops: BTreeSet<NextHop> = underlay.routes.iter().flat_map(Route::all_hops).collect();
    let mut by_address = hops.iter().copied().filter(|hop| match hop {
        NextHop::Address(_) => underlay.port_of(*hop).is_some_and(|at| at.port == port),
        NextHop::At { .. } => false,
    });
    by_address.next().filter(|_| by_address.next().is_none() && !hops.contains(&NextHop::At { port, mac }))
}

/// Next hops that were in use by their IP addresses, with their MAC addresses.
pub(super) fn prior_next_hops(
    underlay: &UnderlayConfig,
    actual: &BTreeMap<EntryKey, EntryAction>,
) -> BTreeMap<NextHop, MacAddr> {
    let ports = ports_of_neighbours(actual);
    let in_use = actual.iter().filter_map(|(key, action)| match (key, action) {
        (EntryKey::Neighbour(key), EntryAction::Neighbour(NeighbourAction::Link { dst_mac, .. })) => {
            Some((*ports.get(&key.neighbour)?, *dst_mac))
        }
        (_, EntryAction::UnderlayRoute(UnderlayRouteAction::Route { port, dst_mac, .. }))
        | (_, EntryAction::UnderlayRouteIpv6(UnderlayRouteIpv6Action::Route { port, dst_mac, .. })) => {
            Some((*port, *dst_mac))
        }
        (
            EntryKey::Encapsulate(key),
            EntryAction::Encapsulate(
                EncapsulateAction::Encapsulate { dst_mac, .. } | EncapsulateAction::EncapsulateIpv6 { dst_mac, .. },
            ),
        ) => match actual.get(&EntryKey::LocationPort(LocationPortKey { location: key.location }))? {
            EntryAction::LocationPort(LocationPortAction::Port { port }) => Some((*port, *dst_mac)),
            _ => None,
        },
        _ => None,
    });
    in_use.filter_map(|(port, mac)| Some((next_hop(underlay, port, mac)?, mac))).collect()
}

/// The port of each neighbour that has a bucket.
fn ports_of_neighbours(actual: &BTreeMap<EntryKey, EntryAction>) -> BTreeMap<NeighbourId, Port> {
    let via = actual.values().filter_map(|action| match action {
        EntryAction::NextHop(NextHopAction::Via { port, neighbour }) => Some((*neighbour, *port)),
        _ => None,
    });
    via.collect()
}

fn interface(key: &IngressInterfaceKey) -> AccessInterface {
    let vlan = match key.vlan_id {
        Tag::Untagged => None,
        Tag::Vlan(vlan) => Some(vlan),
    };
    AccessInterface { port: key.ingress_port, vlan }
}
