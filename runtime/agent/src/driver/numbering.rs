//! The numbers by which the pipeline knows bridge domains, access interfaces, tunnels, and next hops that share a route.
//!
//! The pipeline has no VNIs, VLANs or VTEP addresses in its host tables, only small numbers. They are handed out here.
//! Next hops that share routes have a group, which goes by the first of those routes.
//! What the switch already calls by a number keeps it ([`Numbering::assign`] takes the prior numbering), so that a
//! restarted agent with an extended configuration renumbers nothing that carries traffic.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use vouch_mobility::{AccessId, Location, VtepAddr};
use vouch_net::Vni;
use vouch_tables::{Bd, HopGroup, LocationId, NeighbourId};

use crate::config::{AccessInterface, Config, NextHop, Route, UnderlayConfig};

/// Which number means what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Numbering {
    bds: Names<Vni>,
    interfaces: Names<AccessInterface>,
    tunnels: Names<VtepAddr>,
    hops: Hops,
}

/// The numbers of the underlay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Hops {
    groups: Names<IpNet>,
    neighbours: Names<NextHop>,
    lists: BTreeMap<HopList, HopGroup>,
}

/// Next hops that share routes, and those that do when none of them is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HopList {
    pub(crate) via: Vec<NextHop>,
    pub(crate) backup: Vec<NextHop>,
}

impl HopList {
    fn of(route: &Route) -> Self {
        Self { via: route.next_hops.clone(), backup: route.backup.clone() }
    }
}

/// How many groups of next hops, and how many next hops in them, a switch has room for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HopRoom {
    pub(crate) groups: u16,
    pub(crate) neighbours: u16,
}

impl Numbering {
    /// The highest bridge domain: see [`Bd`].
    const MAX_BD: u16 = 0x3fff;

    /// A numbering read back from a switch.
    pub(crate) fn read_back(
        bds: impl IntoIterator<Item = (Vni, Bd)>,
        interfaces: impl IntoIterator<Item = (AccessInterface, u16)>,
        tunnels: impl IntoIterator<Item = (VtepAddr, u16)>,
        groups: impl IntoIterator<Item = (IpNet, HopGroup)>,
        neighbours: impl IntoIterator<Item = (NextHop, NeighbourId)>,
    ) -> Self {
        let groups = groups.into_iter().map(|(prefix, group)| (prefix, group.get())).collect();
        let neighbours = neighbours.into_iter().map(|(hop, neighbour)| (hop, neighbour.get())).collect();
        Self {
            hops: Hops { groups, neighbours, lists: BTreeMap::new() },
            bds: bds.into_iter().map(|(vni, bd)| (vni, bd.get())).collect(),
            interfaces: interfaces.into_iter().collect(),
            tunnels: tunnels.into_iter().collect(),
        }
    }

    /// Numbers everything in `config`, keeping what `prior` already numbers.
    pub(crate) fn assign(config: &Config, prior: &Self, room: HopRoom) -> Self {
        let hops = prior.hops.assign(&config.underlay, room);
        let Some(vtep) = &config.vtep else { return Self { hops, ..Self::default() } };
        let interfaces = vtep.vnis.iter().flat_map(|vni| vni.access.iter().copied());
        Self {
            bds: prior.bds.assign(vtep.vnis.iter().map(|vni| vni.vni), Self::MAX_BD),
            interfaces: prior.interfaces.assign(interfaces, LocationId::MAX_ACCESS),
            tunnels: prior.tunnels.assign(vtep.peers.iter().map(|peer| peer.address), LocationId::MAX_TUNNEL),
            hops,
        }
    }

    /// The bridge domain of a VNI.
    pub(crate) fn bd(&self, vni: Vni) -> Option<Bd> {
        self.bds.number(vni).and_then(Bd::new)
    }

    /// The VNI of a bridge domain.
    pub(crate) fn vni(&self, bd: Bd) -> Option<Vni> {
        self.bds.key(bd.get())
    }

    /// The number of an access interface.
    pub(crate) fn access(&self, interface: AccessInterface) -> Option<AccessId> {
        self.interfaces.number(interface).map(AccessId)
    }

    /// The access interface of that number.
    pub(crate) fn interface(&self, access: AccessId) -> Option<AccessInterface> {
        self.interfaces.key(access.0)
    }

    /// All access interfaces.
    pub(crate) fn all_access(&self) -> Vec<AccessId> {
        self.interfaces.keys.keys().copied().map(AccessId).collect()
    }

    /// The access interfaces on a port.
    pub(crate) fn on_port(&self, port: u16) -> Vec<AccessId> {
        let on_port =
            |(interface, number): (&AccessInterface, &u16)| (interface.port.get() == port).then_some(AccessId(*number));
        self.interfaces.numbers.iter().filter_map(on_port).collect()
    }

    /// The pipeline's name for a location; `None` for an interface or VTEP that is not configured.
    pub(crate) fn location_id(&self, location: Location) -> Option<LocationId> {
        match location {
            Location::Local(access) => LocationId::access(access.0),
            Location::Remote(vtep) => self.tunnels.number(vtep).and_then(LocationId::tunnel),
        }
    }

    /// What the pipeline means by a location.
    pub(crate) fn location(&self, id: LocationId) -> Option<Location> {
        if id.is_tunnel() {
            self.tunnels.key(id.number()).map(Location::Remote)
        } else {
            self.interfaces.key(id.number()).map(|_| Location::Local(AccessId(id.number())))
        }
    }
}

impl Numbering {
    /// The group of next hops that share routes; `None` if there is but one, or the switch has no room for more.
    pub(crate) fn group(&self, route: &Route) -> Option<HopGroup> {
        self.hops.lists.get(&HopList::of(route)).copied()
    }

    /// All groups.
    pub(crate) fn groups(&self) -> &BTreeMap<HopList, HopGroup> {
        &self.hops.lists
    }

    /// The number of one of them.
    pub(crate) fn neighbour(&self, hop: NextHop) -> Option<NeighbourId> {
        self.hops.neighbours.number(hop).and_then(NeighbourId::new)
    }
}

impl Hops {
    fn assign(&self, underlay: &UnderlayConfig, room: HopRoom) -> Self {
        let shared = || underlay.routes.iter().filter(|route| route.has_several_hops());
        let hops: BTreeSet<_> = shared().flat_map(Route::all_hops).collect();
        let neighbours = self.neighbours.assign(hops.into_iter(), room.neighbours);
        let mut firsts: BTreeMap<HopList, IpNet> = BTreeMap::new();
        let mut prefixes = Vec::new();
        for route in shared().filter(|route| route.all_hops().all(|hop| neighbours.number(hop).is_some())) {
            firsts.entry(HopList::of(route)).or_insert_with(|| {
                prefixes.push(route.prefix);
                route.prefix
            });
        }
        let groups = self.groups.assign(prefixes.into_iter(), room.groups);
        let lists = firsts.into_iter().filter_map(|(hops, first)| {
            let group = groups.number(first).and_then(HopGroup::new)?;
            Some((hops, group))
        });
        let lists = lists.collect();
        Self { groups, neighbours, lists }
    }
}

/// Numbers for keys, and keys for numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Names<K> {
    numbers: BTreeMap<K, u16>,
    keys: BTreeMap<u16, K>,
}

impl<K> Default for Names<K> {
    fn default() -> Self {
        Self { numbers: BTreeMap::new(), keys: BTreeMap::new() }
    }
}

impl<K: Ord + Copy> Names<K> {
    fn number(&self, key: K) -> Option<u16> {
        self.numbers.get(&key).copied()
    }

    fn key(&self, number: u16) -> Option<K> {
        self.keys.get(&number).copied()
    }

    /// Gives each of `keys` the number it has here, or the lowest that is free. Keys beyond `max` numbers get none.
    fn assign(&self, keys: impl Iterator<Item = K>, max: u16) -> Self {
        let (kept, new): (Vec<K>, Vec<K>) = keys.partition(|key| self.numbers.get(key).is_some_and(|n| *n <= max));
        let kept: Self = kept.into_iter().map(|key| (key, self.numbers[&key])).collect();
        let free: Vec<u16> = (1..=max).filter(|number| !kept.keys.contains_key(number)).take(new.len()).collect();
        kept.numbers.into_iter().chain(new.into_iter().zip(free)).collect()
    }
}

impl<K: Ord + Copy> FromIterator<(K, u16)> for Names<K> {
    /// Of two keys with one number, as a disturbed switch may have, the first keeps it.
    fn from_iter<I: IntoIterator<Item = (K, u16)>>(pairs: I) -> Self {
        let mut names = Self::default();
        for (key, number) in pairs {
            if !names.keys.contains_key(&number) && !names.numbers.contains_key(&key) {
                names.numbers.insert(key, number);
                names.keys.insert(number, key);
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_at_one_and_are_kept_when_keys_come_and_go() {
        let first = Names::default().assign(["a", "b", "c"].into_iter(), 9);
        assert_eq!(["a", "b", "c"].map(|key| first.number(key)), [Some(1), Some(2), Some(3)]);
        let second = first.assign(["d", "c", "a"].into_iter(), 9);
        assert_eq!(["a", "c", "d", "b"].map(|key| second.number(key)), [Some(1), Some(3), Some(2), None]);
        assert_eq!(second.key(2), Some("d"));
    }

    #[test]
    fn keys_beyond_the_last_number_get_none() {
        let names = Names::default().assign(1..=5, 3);
        assert_eq!((1..=5).map(|key| names.number(key)).collect::<Vec<_>>(), [Some(1), Some(2), Some(3), None, None]);
    }

    #[test]
    fn a_number_read_back_twice_belongs_to_the_first() {
        let names: Names<char> = [('a', 1), ('b', 1), ('a', 2)].into_iter().collect();
        assert_eq!((names.number('a'), names.number('b'), names.key(2)), (Some(1), None, None));
    }
}
