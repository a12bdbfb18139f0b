//! Which bindings the switch has room for. Hosts have tables of their own, so a full one costs them nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use vouch_net::MacAddr;
use vouch_tables::{Bd, BindingIpv4Action, BindingIpv4Key, BindingIpv6Action, BindingIpv6Key, EntryAction, EntryKey};

/// How many bindings of each family fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct BindingRoom {
    pub(crate) ipv4: usize,
    pub(crate) ipv6: usize,
}

/// The bindings that are wanted: those that fit, and those that are written as soon as there is room.
#[derive(Debug)]
pub(crate) struct Bindings {
    ipv4: Family,
    ipv6: Family,
}

#[derive(Debug)]
struct Family {
    room: usize,
    fit: BTreeSet<EntryKey>,
    beyond: BTreeMap<EntryKey, EntryAction>,
}

/// What to write, in this order.
pub(crate) type Writes = Vec<(EntryKey, Option<EntryAction>)>;

impl Bindings {
    pub(crate) fn new(room: BindingRoom) -> Self {
        let family = |room| Family { room, fit: BTreeSet::new(), beyond: BTreeMap::new() };
        Self { ipv4: family(room.ipv4), ipv6: family(room.ipv6) }
    }

    /// Wants the address to be the host's, or nobody's.
    pub(crate) fn set(&mut self, bd: Bd, address: IpAddr, bound: Option<(MacAddr, bool)>) -> Writes {
        match address {
            IpAddr::V4(ip) => {
                let key = BindingIpv4Key { bd, ip };
                let bound = bound.map(|(mac, confirmed)| key.with(BindingIpv4Action::Bound { mac, confirmed }).1);
                self.ipv4.set(key.into(), bound)
            }
            IpAddr::V6(ip) => {
                let key = BindingIpv6Key { bd, ip };
                let bound = bound.map(|(mac, confirmed)| key.with(BindingIpv6Action::Bound { mac, confirmed }).1);
                self.ipv6.set(key.into(), bound)
            }
        }
    }

    /// Wants any host to be able to have the address.
    pub(crate) fn share(&mut self, bd: Bd, address: IpAddr) -> Writes {
        match address {
            IpAddr::V4(ip) => {
                let (key, action) = BindingIpv4Key { bd, ip }.with(BindingIpv4Action::Shared);
                self.ipv4.set(key, Some(action))
            }
            IpAddr::V6(ip) => {
                let (key, action) = BindingIpv6Key { bd, ip }.with(BindingIpv6Action::Shared);
                self.ipv6.set(key, Some(action))
            }
        }
    }

    /// The switch has no room for this one, whatever its table's size is said to be. What to write in its place.
    pub(crate) fn refused(&mut self, key: EntryKey, wanted: Option<EntryAction>) -> Writes {
        match key {
            EntryKey::BindingIpv4(_) => self.ipv4.refused(key, wanted),
            EntryKey::BindingIpv6(_) => self.ipv6.refused(key, wanted),
            _ => Vec::new(),
        }
    }

    /// How many bindings are not written for want of room.
    pub(crate) fn beyond(&self) -> usize {
        self.ipv4.beyond.len() + self.ipv6.beyond.len()
    }
}

impl Family {
    fn set(&mut self, key: EntryKey, action: Option<EntryAction>) -> Writes {
        match action {
            Some(action) if self.fit.contains(&key) => vec![(key, Some(action))],
            Some(action) if self.fit.len() < self.room => {
                self.fit.insert(key);
                vec![(key, Some(action))]
            }
            Some(action) => {
                self.beyond.insert(key, action);
                Vec::new()
            }
            None if self.fit.remove(&key) => {
                let mut writes = vec![(key, None)];
                if let Some((next, action)) = self.beyond.pop_first() {
                    self.fit.insert(next);
                    writes.push((next, Some(action)));
                }
                writes
            }
            None => {
                self.beyond.remove(&key);
                Vec::new()
            }
        }
    }

    fn refused(&mut self, key: EntryKey, wanted: Option<EntryAction>) -> Writes {
        if !self.fit.remove(&key) {
            return Vec::new();
        }
        self.room = self.fit.len();
        self.beyond.extend(wanted.map(|action| (key, action)));
        vec![(key, None)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

    fn bd() -> Bd {
        Bd::new(1).expect("in range")
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn keys(writes: &Writes) -> Vec<(String, bool)> {
        writes.iter().map(|(key, action)| (key.to_string(), action.is_some())).collect()
    }

    #[test]
    fn what_does_not_fit_waits_for_room() {
        let mut bindings = Bindings::new(BindingRoom { ipv4: 1, ipv6: 1 });
        let first = bindings.set(bd(), address(1), Some((MAC, false)));
        assert_eq!(keys(&first).len(), 1);
        assert_eq!(bindings.set(bd(), address(2), Some((MAC, false))), []);
        assert_eq!(bindings.set(bd(), address(3), Some((MAC, true))), []);
        assert_eq!(keys(&bindings.set(bd(), address(1), Some((MAC, true)))), keys(&first), "what is there may change");
        assert_eq!(bindings.set(bd(), IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 1]), Some((MAC, true))).len(), 1);
        assert_eq!(bindings.beyond(), 2);
        assert_eq!(bindings.set(bd(), address(2), None), [], "it was never there");
        let writes = bindings.set(bd(), address(1), None);
        assert_eq!(writes.iter().map(|(_, action)| action.is_some()).collect::<Vec<_>>(), [false, true]);
        assert!(writes[1].0.to_string().contains("10.0.0.3"), "{}", writes[1].0);
        assert_eq!(bindings.beyond(), 0);
    }

    #[test]
    fn a_switch_that_is_full_before_its_size_gets_no_more() {
        let mut bindings = Bindings::new(BindingRoom { ipv4: 10, ipv6: 10 });
        bindings.set(bd(), address(1), Some((MAC, true)));
        let (key, action) = bindings.set(bd(), address(2), Some((MAC, true))).remove(0);
        assert_eq!(bindings.refused(key, action), [(key, None)]);
        assert_eq!(bindings.set(bd(), address(3), Some((MAC, true))), []);
        assert_eq!(bindings.beyond(), 2);
        assert_eq!(bindings.set(bd(), address(1), None).len(), 2, "room for one is room for the next");
    }
}
