//! What the switch is to have, and what of that it has not been told yet.
//!
//! Everything the switch knows is a level: a value by key. [`Ledger::set`] changes the wanted level; the net difference
//! since the last [`Ledger::take_changes`] is what has to be written, so a value that changed twice is written once, and
//! one that changed back not at all. After a reconnection, or a write that failed, the switch is read back and
//! [`Ledger::changes_from`] says what separates it from the wanted level.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use vouch_tables::{Change, EntryAction, EntryKey};

/// Wanted actions by key, and the keys whose actions the switch does not have yet.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    wanted: BTreeMap<EntryKey, EntryAction>,
    /// Changed keys, each with what the switch has for it.
    unwritten: BTreeMap<EntryKey, Option<EntryAction>>,
}

impl Ledger {
    /// Wants `action` for `key`, or nothing.
    pub(crate) fn set(&mut self, key: EntryKey, action: Option<EntryAction>) {
        let before = match action {
            Some(action) => self.wanted.insert(key, action),
            None => self.wanted.remove(&key),
        };
        if let Entry::Vacant(vacant) = self.unwritten.entry(key) {
            vacant.insert(before);
        }
    }

    /// What is wanted for `key`.
    pub(crate) fn wanted(&self, key: &EntryKey) -> Option<&EntryAction> {
        self.wanted.get(key)
    }

    /// The switch has nothing for `key`, although it was to have something: it has refused that.
    pub(crate) fn is_absent(&mut self, key: EntryKey) {
        self.unwritten.insert(key, None);
    }

    /// All that is wanted.
    pub(crate) fn all(&self) -> &BTreeMap<EntryKey, EntryAction> {
        &self.wanted
    }

    /// How many entries are wanted.
    pub(crate) fn len(&self) -> usize {
        self.wanted.len()
    }

    /// How many changes are still to be taken, at most.
    pub(crate) fn unwritten(&self) -> usize {
        self.unwritten.len()
    }

    /// What has to be written since the last call. The caller writes it, or reads the switch back.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        let unwritten = std::mem::take(&mut self.unwritten);
        self.differences(unwritten.into_iter())
    }

    /// What has to be written to a switch that has `actual`. Takes the place of all changes not taken yet.
    pub(crate) fn changes_from(&mut self, actual: BTreeMap<EntryKey, EntryAction>) -> Vec<Change> {
        self.unwritten.clear();
        let missing: Vec<_> =
            self.wanted.keys().filter(|key| !actual.contains_key(key)).map(|key| (*key, None)).collect();
        self.differences(actual.into_iter().map(|(key, action)| (key, Some(action))).chain(missing))
    }

    /// In an order in which nothing refers to what is not there: groups and neighbours, then the entries that name them; what
    /// goes, goes last and the other way round.
    fn differences(&self, from: impl Iterator<Item = (EntryKey, Option<EntryAction>)>) -> Vec<Change> {
        let (mut writes, mut deletions) = (Vec::new(), Vec::new());
        for (key, before) in from {
            match (before, self.wanted.get(&key)) {
                (None, None) => {}
                (None, Some(after)) => writes.push(Change::Insert(key, after.clone())),
                (Some(before), Some(after)) if before == *after => {}
                (Some(_), Some(after)) => writes.push(Change::Modify(key, after.clone())),
                (Some(_), None) => deletions.push(Change::Delete(key)),
            }
        }
        writes.sort_by_key(|change| (depth(change.key()), *change.key()));
        deletions.sort_by_key(|change| std::cmp::Reverse((depth(change.key()), *change.key())));
        writes.append(&mut deletions);
        writes
    }
}

/// How far an entry is from what names no other: groups, sessions, meters and neighbours; buckets name neighbours, and all else may
/// name either.
fn depth(key: &EntryKey) -> u8 {
    match key {
        EntryKey::MulticastGroup(_) | EntryKey::CloneSession(_) | EntryKey::PuntMeter(_) | EntryKey::Neighbour(_) => 0,
        EntryKey::NextHop(_) => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipnet::Ipv4Net;
    use proptest::prelude::*;
    use vouch_net::MacAddr;
    use vouch_tables::{
        Bd, Bucket, FloodAction, FloodKey, Group, HopGroup, LocationId, NeighbourAction, NeighbourId, NeighbourKey,
        NextHopAction, NextHopKey, Port, Replica, UnderlayRouteAction, UnderlayRouteKey,
    };

    fn flood(bd: u16, group: u16) -> (EntryKey, EntryAction) {
        let group = Group::new(group).expect("not 0");
        FloodKey { bd: Bd::new(bd).expect("small") }.with(FloodAction::FloodTo { group })
    }

    fn group(number: u16, port: u16) -> (EntryKey, EntryAction) {
        let replica =
            Replica { location: LocationId::access(1).expect("small"), port: Port::new(port).expect("small") };
        (EntryKey::MulticastGroup(Group::new(number).expect("not 0")), EntryAction::MulticastGroup([replica].into()))
    }

    fn want(ledger: &mut Ledger, (key, action): (EntryKey, EntryAction)) {
        ledger.set(key, Some(action));
    }

    #[test]
    fn the_net_difference_is_written_once() {
        let mut ledger = Ledger::default();
        let ((key, second), (passing, _)) = (flood(1, 2), flood(2, 1));
        want(&mut ledger, flood(1, 1));
        want(&mut ledger, flood(1, 2));
        want(&mut ledger, flood(2, 1));
        ledger.set(passing, None);
        assert_eq!(ledger.take_changes(), [Change::Insert(key, second)]);
        want(&mut ledger, flood(1, 1));
        want(&mut ledger, flood(1, 2));
        assert_eq!(ledger.take_changes(), []);
        ledger.set(key, None);
        assert_eq!(ledger.take_changes(), [Change::Delete(key)]);
    }

    #[test]
    fn groups_come_before_the_entries_that_name_them_and_go_after_them() {
        let mut ledger = Ledger::default();
        let (entry, members) = (flood(1, 1), group(1, 1));
        want(&mut ledger, entry.clone());
        want(&mut ledger, members.clone());
        let inserts = [Change::Insert(members.0, members.1.clone()), Change::Insert(entry.0, entry.1.clone())];
        assert_eq!(ledger.take_changes(), inserts);
        ledger.set(members.0, None);
        ledger.set(entry.0, None);
        assert_eq!(ledger.take_changes(), [Change::Delete(entry.0), Change::Delete(members.0)]);
    }

    #[test]
    fn neighbours_come_before_the_buckets_that_name_them_and_those_before_their_routes() {
        let mut ledger = Ledger::default();
        let (hops, neighbour) = (HopGroup::new(1).expect("not 0"), NeighbourId::new(1).expect("not 0"));
        let port = Port::new(9).expect("small");
        let route = UnderlayRouteKey { dst: Ipv4Net::default() }.with(UnderlayRouteAction::Balance { group: hops });
        let bucket = NextHopKey { group: hops, bucket: Bucket::new(0).expect("small") };
        let bucket = bucket.with(NextHopAction::Via { port, neighbour });
        let (src_mac, dst_mac) = (MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2]));
        let link = NeighbourKey { neighbour }.with(NeighbourAction::Link { src_mac, dst_mac });
        for entry in [&route, &bucket, &link] {
            want(&mut ledger, entry.clone());
        }
        let keys = |changes: Vec<Change>| changes.iter().map(|change| *change.key()).collect::<Vec<_>>();
        assert_eq!(keys(ledger.take_changes()), [link.0, bucket.0, route.0]);
        for key in [link.0, bucket.0, route.0] {
            ledger.set(key, None);
        }
        assert_eq!(keys(ledger.take_changes()), [route.0, bucket.0, link.0]);
    }

    fn apply(switch: &mut BTreeMap<EntryKey, EntryAction>, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Insert(key, action) => assert_eq!(switch.insert(key, action), None, "inserted twice"),
                Change::Modify(key, action) => assert!(switch.insert(key, action).is_some(), "modified, but not there"),
                Change::Delete(key) => assert!(switch.remove(&key).is_some(), "deleted, but not there"),
            }
        }
    }

    fn entry() -> impl Strategy<Value = (EntryKey, EntryAction)> {
        (any::<bool>(), 1_u16..5, 1_u16..4).prop_map(
            |(is_group, key, value)| {
                if is_group { group(key, value) } else { flood(key, value) }
            },
        )
    }

    proptest! {
        /// Whatever is set, and whenever it is written, a switch that takes the changes ends at the wanted level; so
        /// does one that was disturbed and is read back.
        #[test]
        fn a_switch_that_takes_the_changes_is_at_the_wanted_level(
            steps in prop::collection::vec((entry(), any::<bool>(), any::<bool>()), 0..64),
            disturbed in prop::collection::vec(entry(), 0..8),
        ) {
            let mut ledger = Ledger::default();
            let mut switch = BTreeMap::new();
            for ((key, action), wanted, write_now) in steps {
                ledger.set(key, wanted.then_some(action));
                if write_now {
                    apply(&mut switch, ledger.take_changes());
                    prop_assert_eq!(&switch, &ledger.wanted);
                }
            }
            switch = disturbed.into_iter().collect();
            let changes = ledger.changes_from(switch.clone());
            apply(&mut switch, changes);
            prop_assert_eq!(&switch, &ledger.wanted);
            prop_assert!(ledger.take_changes().is_empty());
        }
    }
}
