//! The handles of a table's entries, which the reference hands out and the engine does not know.
//!
//! A handle is the number of a place, from 0, in its lower 24 bits, and above them how often the place has been freed. The
//! lowest free place is taken first. Entries that come or go over P4Runtime are noticed by the engine's count of changes, and
//! then looked up: that costs a pass over the table, but only then.

use std::collections::{BTreeSet, HashMap, HashSet};

use vouch_switch::{EntryKey, Switch, TableId};

use super::api::standard::TableOperationErrorCode as Code;

const PLACE_BITS: u32 = 24;
const PLACES: u32 = 1 << PLACE_BITS;

#[derive(Debug, Default)]
pub(super) struct Handles {
    places: Vec<Place>,
    free: BTreeSet<u32>,
    by_key: HashMap<EntryKey, u32>,
    /// The engine's count of changes that this is true for.
    changes: u64,
}

#[derive(Debug, Default)]
struct Place {
    /// How often it was freed.
    version: u8,
    key: Option<EntryKey>,
}

impl Handles {
    /// Learn of entries that others have added or removed.
    pub(super) fn follow(&mut self, switch: &Switch, table: TableId) {
        // The table was found by its name a moment ago.
        let Ok(changes) = switch.entry_changes(table) else { return };
        if changes == self.changes {
            return;
        }
        let entries = switch.entries(table).unwrap_or_default();
        let present: HashSet<&EntryKey> = entries.iter().map(|view| &view.entry.key).collect();
        let gone: Vec<EntryKey> = self.by_key.keys().filter(|key| !present.contains(key)).cloned().collect();
        for key in &gone {
            self.release(key);
        }
        for view in &entries {
            if !self.by_key.contains_key(&view.entry.key) {
                self.take(&view.entry.key);
            }
        }
        self.changes = changes;
    }

    /// The key of an entry.
    pub(super) fn key(&self, handle: i32) -> Result<&EntryKey, Code> {
        let handle = handle.cast_unsigned();
        let place = self.places.get((handle % PLACES) as usize).ok_or(Code::InvalidHandle)?;
        let key = place.key.as_ref().ok_or(Code::InvalidHandle)?;
        if u32::from(place.version) == handle >> PLACE_BITS { Ok(key) } else { Err(Code::ExpiredHandle) }
    }

    /// The handle of an entry.
    pub(super) fn handle(&self, key: &EntryKey) -> Option<i32> {
        self.by_key.get(key).map(|place| self.at(*place))
    }

    /// A handle for an entry that was just added.
    pub(super) fn added(&mut self, key: &EntryKey) -> i32 {
        self.changes += 1;
        let place = self.take(key);
        self.at(place)
    }

    /// An entry was just removed.
    pub(super) fn removed(&mut self, key: &EntryKey) {
        self.changes += 1;
        self.release(key);
    }

    /// All entries with their handles, by ascending place.
    pub(super) fn all(&self) -> impl Iterator<Item = (i32, &EntryKey)> {
        (0..).zip(&self.places).filter_map(|(place, at)| Some((self.at(place), at.key.as_ref()?)))
    }

    fn at(&self, place: u32) -> i32 {
        let version = self.places.get(place as usize).map_or(0, |place| place.version);
        (u32::from(version) << PLACE_BITS | place).cast_signed()
    }

    fn take(&mut self, key: &EntryKey) -> u32 {
        let place = self.free.pop_first().unwrap_or_else(|| {
            self.places.push(Place::default());
            (self.places.len() - 1) as u32
        });
        self.places[place as usize].key = Some(key.clone());
        self.by_key.insert(key.clone(), place);
        place
    }

    fn release(&mut self, key: &EntryKey) {
        if let Some(place) = self.by_key.remove(key) {
            let at = &mut self.places[place as usize];
            *at = Place { version: at.version.wrapping_add(1), key: None };
            self.free.insert(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vouch_switch::Match;

    fn key(value: u8) -> EntryKey {
        EntryKey { matches: vec![Match::Exact(vec![value])], priority: 0 }
    }

    #[test]
    fn the_lowest_free_place_comes_again_under_another_number() {
        let mut handles = Handles::default();
        assert_eq!([1, 2, 3].map(|value| handles.added(&key(value))), [0, 1, 2]);
        handles.removed(&key(2));
        handles.removed(&key(1));
        assert_eq!(handles.key(1), Err(Code::InvalidHandle));
        assert_eq!([4, 5, 6].map(|value| handles.added(&key(value))), [0x0100_0000, 0x0100_0001, 3]);
        assert_eq!(handles.key(1), Err(Code::ExpiredHandle));
        assert_eq!(handles.key(0x0100_0001), Ok(&key(5)));
        assert_eq!(handles.handle(&key(4)), Some(0x0100_0000));
        let all: Vec<i32> = handles.all().map(|(handle, _)| handle).collect();
        assert_eq!(all, [0x0100_0000, 0x0100_0001, 2, 3]);
        assert_eq!(handles.key(-1), Err(Code::InvalidHandle));
    }

    #[test]
    fn a_place_freed_often_enough_begins_again() {
        let mut handles = Handles::default();
        let mut last = 0;
        for _ in 0..=256 {
            last = handles.added(&key(1));
            handles.removed(&key(1));
        }
        assert_eq!(last, 0);
    }
}
