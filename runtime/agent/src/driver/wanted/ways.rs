//! The underlay: by which ports routes and tunnels lead to their next hops.
//!
//! A route with one next hop has it in its own entry, and so has a tunnel. Several share what goes there, flow by flow: the entries name
//! a group, and the group's buckets its neighbours ([`ring`]). Copies of what is flooded are no flow, and all take one
//! of them: by the number of the tunnel, so that tunnels share them too.

use std::net::IpAddr;

use ipnet::IpNet;
use vouch_mobility::Location;
use vouch_net::MacAddr;
use vouch_tables::{
    AccessTagAction, AccessTagKey, Bucket, Dscp, EncapsulateAction, EncapsulateKey, EntryAction, EntryKey, HopGroup,
    IngressInterfaceAction, IngressInterfaceKey, LocalVtepAction, LocalVtepIpv6Action, LocalVtepIpv6Key, LocalVtepKey,
    LocationId, LocationPortAction, LocationPortKey, NeighbourAction, NeighbourKey, NextHopAction, NextHopKey, Port,
    Tag, UnderlayPeerAction, UnderlayPeerIpv6Action, UnderlayPeerIpv6Key, UnderlayPeerKey, UnderlayRouteAction,
    UnderlayRouteIpv6Action, UnderlayRouteIpv6Key, UnderlayRouteKey, UnderlayTagAction, UnderlayTagKey,
};

use super::Wanted;
use super::ring::{Owners, ring};
use crate::config::{Config, ETHERNET_BYTES, NextHop, Route, UnderlayPort, VtepConfig};
use crate::driver::numbering::{HopList, Numbering};

/// The way to a next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link {
    port: Port,
    src_mac: MacAddr,
    dst_mac: MacAddr,
}

impl Wanted {
    /// Wants a next hop to be used with this MAC address, or not at all.
    pub(crate) fn set_next_hop(
        &mut self,
        address: IpAddr,
        mac: Option<MacAddr>,
        config: &Config,
        numbering: &Numbering,
    ) {
        match mac {
            Some(mac) => self.next_hops.insert(address, mac),
            None => self.next_hops.remove(&address),
        };
        self.ways(config, numbering);
    }

    /// Whether a route has a next hop that can be used.
    pub(crate) fn leads_on(&self, route: &Route, config: &Config) -> bool {
        self.owners(config, &route.next_hops, &route.backup).is_some()
    }

    /// Routing between underlay ports, for packets that are not for this switch.
    pub(super) fn underlay(&mut self, config: &Config, numbering: &Numbering) {
        for underlay in &config.underlay.ports {
            self.port_of_underlay(underlay);
        }
        for (hops, group) in numbering.groups() {
            self.share(hops, *group, config, numbering);
        }
        for route in &config.underlay.routes {
            let (way, group) = (self.preferred(config, route), numbering.group(route));
            // A route that leads nowhere is none: a less specific one may lead on.
            let (key, action) = match route.prefix {
                IpNet::V4(dst) => {
                    let action = way.map(|Link { port, src_mac, dst_mac }| match group {
                        Some(group) => UnderlayRouteAction::Balance { group },
                        None => UnderlayRouteAction::Route { port, src_mac, dst_mac },
                    });
                    (UnderlayRouteKey { dst }.into(), action.map(EntryAction::UnderlayRoute))
                }
                IpNet::V6(dst) => {
                    let action = way.map(|Link { port, src_mac, dst_mac }| match group {
                        Some(group) => UnderlayRouteIpv6Action::Balance { group },
                        None => UnderlayRouteIpv6Action::Route { port, src_mac, dst_mac },
                    });
                    (UnderlayRouteIpv6Key { dst }.into(), action.map(EntryAction::UnderlayRouteIpv6))
                }
            };
            self.ledger.set(key, action);
        }
    }

    /// A port, and its link where we have an address there.
    fn port_of_underlay(&mut self, underlay: &UnderlayPort) {
        let port = underlay.port;
        let vlan_id = underlay.vlan.map_or(Tag::Untagged, Tag::Vlan);
        let interface = IngressInterfaceKey { ingress_port: port, vlan_id };
        if let Some(vlan_id) = underlay.vlan {
            self.want(UnderlayTagKey { port }.with(UnderlayTagAction::Tagged { vlan_id }));
        }
        let Some(address) = underlay.address else {
            return self.want(interface.with(IngressInterfaceAction::Underlay { router_mac: underlay.mac }));
        };
        let location = LocationId::link(port);
        self.want(interface.with(IngressInterfaceAction::Link { router_mac: underlay.mac, location }));
        self.want(match address.address() {
            IpAddr::V4(dst) => LocalVtepKey { dst }.with(LocalVtepAction::HandOver),
            IpAddr::V6(dst) => LocalVtepIpv6Key { dst }.with(LocalVtepIpv6Action::HandOver),
        });
        self.want(LocationPortKey { location }.with(LocationPortAction::Port { port }));
        self.want(AccessTagKey { location }.with(match underlay.vlan {
            Some(vlan_id) => AccessTagAction::Tagged { vlan_id },
            None => AccessTagAction::Untagged,
        }));
    }

    /// The way to each peer, and back.
    pub(super) fn tunnels(&mut self, config: &Config, vtep: &VtepConfig, numbering: &Numbering) {
        self.want(match vtep.address.0 {
            IpAddr::V4(dst) => LocalVtepKey { dst }.with(LocalVtepAction::Terminate),
            IpAddr::V6(dst) => LocalVtepIpv6Key { dst }.with(LocalVtepIpv6Action::Terminate),
        });
        // The configuration has checked its 6 bits.
        let Some(dscp) = Dscp::new(config.underlay.dscp) else { return };
        for peer in &vtep.peers {
            let Some(location) = numbering.location_id(Location::Remote(peer.address)) else { continue };
            self.want(match peer.address.0 {
                IpAddr::V4(src) => UnderlayPeerKey { src }.with(UnderlayPeerAction::FromTunnel { location }),
                IpAddr::V6(src) => UnderlayPeerIpv6Key { src }.with(UnderlayPeerIpv6Action::FromTunnel { location }),
            });
            let way = config.underlay.routes_to(peer.address.0).into_iter().find_map(|route| {
                let group = numbering.group(route);
                let link = match group {
                    Some(_) => self.owner(config, route, usize::from(location.number())),
                    None => self.preferred(config, route),
                };
                link.map(|link| (group, link))
            });
            let Some((group, Link { port, src_mac, dst_mac })) = way else {
                self.ports.remove(&location);
                self.ledger.set(EntryKey::LocationPort(LocationPortKey { location }), None);
                self.ledger.set(EntryKey::Encapsulate(EncapsulateKey { location }), None);
                continue;
            };
            self.ports.insert(location, port);
            self.want(LocationPortKey { location }.with(match group {
                Some(group) => LocationPortAction::Balance { group },
                None => LocationPortAction::Port { port },
            }));
            let (ttl, max_frame_bytes) =
                (config.underlay.ttl, self.mtu.saturating_sub(vtep.tunnel_bytes() - ETHERNET_BYTES));
            let encapsulate = match (vtep.address.0, peer.address.0) {
                (IpAddr::V4(src_ip), IpAddr::V4(dst_ip)) => {
                    EncapsulateAction::Encapsulate { src_ip, dst_ip, src_mac, dst_mac, ttl, dscp, max_frame_bytes }
                }
                (IpAddr::V6(src_ip), IpAddr::V6(dst_ip)) => {
                    let hop_limit = ttl;
                    EncapsulateAction::EncapsulateIpv6 {
                        src_ip,
                        dst_ip,
                        src_mac,
                        dst_mac,
                        hop_limit,
                        dscp,
                        max_frame_bytes,
                    }
                }
                // The configuration has checked that there is no such peer.
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => continue,
            };
            self.want(EncapsulateKey { location }.with(encapsulate));
        }
    }

    /// Shares the buckets of a group out among those of its next hops that are there.
    fn share(&mut self, list: &HopList, group: HopGroup, config: &Config, numbering: &Numbering) {
        for hop in list.via.iter().chain(&list.backup) {
            let Some(neighbour) = numbering.neighbour(*hop) else { continue };
            let action = self.link(config, *hop).map(|Link { src_mac, dst_mac, .. }| {
                EntryAction::Neighbour(NeighbourAction::Link { src_mac, dst_mac })
            });
            self.ledger.set(EntryKey::Neighbour(NeighbourKey { neighbour }), action);
        }
        let owners = self.owners(config, &list.via, &list.backup);
        for bucket in Bucket::all() {
            let via = owners.and_then(|(hops, owners)| {
                let hop = hops[owners[usize::from(bucket.get())]];
                let (neighbour, port) = (numbering.neighbour(hop)?, self.link(config, hop)?.port);
                Some(EntryAction::NextHop(NextHopAction::Via { port, neighbour }))
            });
            self.ledger.set(EntryKey::NextHop(NextHopKey { group, bucket }), via);
        }
    }

    /// Who has each bucket: those of `via` that have a link and are known, or else those of `backup`, or else all of `via` that need no
    /// asking: it may be that only the news of their links is missing.
    fn owners<'h>(
        &self,
        config: &Config,
        via: &'h [NextHop],
        backup: &'h [NextHop],
    ) -> Option<(&'h [NextHop], Owners)> {
        let those = |hops: &'h [NextHop], there: &dyn Fn(&NextHop) -> bool| {
            let there: Vec<_> = hops.iter().map(there).collect();
            Some((hops, ring(&there)?))
        };
        let there =
            |hop: &NextHop| self.link(config, *hop).is_some_and(|Link { port, .. }| !self.down.contains(&port.get()));
        let unasked = |hop: &NextHop| matches!(hop, NextHop::At { .. }) && self.link(config, *hop).is_some();
        those(via, &there).or_else(|| those(backup, &there)).or_else(|| those(via, &unasked))
    }

    /// The way to the next hop that has the bucket of that number.
    fn owner(&self, config: &Config, route: &Route, number: usize) -> Option<Link> {
        let (hops, owners) = self.owners(config, &route.next_hops, &route.backup)?;
        self.link(config, hops[owners[number % owners.len()]])
    }

    /// The way to the first next hop that is there.
    fn preferred(&self, config: &Config, route: &Route) -> Option<Link> {
        let (hops, owners) = self.owners(config, &route.next_hops, &route.backup)?;
        self.link(config, hops[*owners.iter().min()?])
    }

    /// The way to a next hop, as far as it is known.
    fn link(&self, config: &Config, hop: NextHop) -> Option<Link> {
        let own = config.underlay.port_of(hop)?;
        let dst_mac = match hop {
            NextHop::At { mac, .. } => mac,
            NextHop::Address(address) => *self.next_hops.get(&address)?,
        };
        Some(Link { port: own.port, src_mac: own.mac, dst_mac })
    }
}
