//! Ternary and range keys.
//!
//! A few rules are a list, best first, of masks and values side by side: that is fastest, and what constant entries are.
//! Many are sorted by their masks ("tuple space search"): the rules with one mask are a hash map, and the maps are tried
//! in the order of their best rank until no better rule can follow. Of the rules that share mask and value, those with a
//! range are in a trie: a range is a handful of prefixes. A second range of a rule is looked at when all else fits.

mod space;

use std::sync::Arc;

use super::map::Key;
use super::{Lookup, Packed};
use crate::state::entry::Entry;
use space::Space;

/// Most rules that are a list.
const FEW: usize = 24;

/// An index over masked keys.
#[derive(Clone, Debug)]
pub(crate) enum Masked<K: Key> {
    Few(Few),
    Many(Space<K>),
}

impl<K: Key> Masked<K> {
    pub(crate) fn new(words: usize) -> Self {
        Self::Few(Few { words, masks: Vec::new(), rules: Vec::new() })
    }
}

impl<K: Key> Lookup for Masked<K> {
    fn lookup(&self, key: &[u64]) -> Option<&Arc<Entry>> {
        match self {
            Self::Few(few) => few.lookup(key),
            Self::Many(space) => space.lookup(key),
        }
    }

    fn find(&self, key: &Packed) -> Option<&Arc<Entry>> {
        match self {
            Self::Few(few) => few.rules.iter().map(|rule| &rule.entry).find(|entry| entry.packed == *key),
            Self::Many(space) => space.find(key),
        }
    }

    fn insert(&mut self, entry: Arc<Entry>) {
        if let Self::Few(few) = self
            && few.rules.len() >= FEW
        {
            let mut space = Space::default();
            for rule in few.rules.drain(..) {
                space.insert(rule.entry);
            }
            *self = Self::Many(space);
        }
        match self {
            Self::Few(few) => few.insert(entry),
            Self::Many(space) => space.insert(entry),
        }
    }

    fn remove(&mut self, key: &Packed) {
        match self {
            Self::Few(few) => few.remove(key),
            Self::Many(space) => space.remove(key),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.rules.len(),
            Self::Many(space) => space.len(),
        }
    }

    fn entries(&self) -> Box<dyn Iterator<Item = &Arc<Entry>> + '_> {
        match self {
            Self::Few(few) => Box::new(few.rules.iter().map(|rule| &rule.entry)),
            Self::Many(space) => Box::new(space.entries()),
        }
    }

    fn copy(&self) -> Box<dyn Lookup> {
        Box::new(self.clone())
    }
}

/// One rule with what decides between it and others.
#[derive(Clone, Debug)]
struct Rule {
    rank: i64,
    age: u64,
    entry: Arc<Entry>,
}

impl Rule {
    fn new(entry: Arc<Entry>) -> Self {
        Self { rank: entry.packed.rank, age: entry.age, entry }
    }

    /// Higher ranks come first, and of one rank the older.
    fn order(&self) -> (core::cmp::Reverse<i64>, u64) {
        (core::cmp::Reverse(self.rank), self.age)
    }

    fn accepts(&self, key: &[u64]) -> bool {
        self.entry.packed.ranges.iter().all(|range| range.contains(key))
    }
}

fn insert_sorted(rules: &mut Vec<Rule>, rule: Rule) {
    let at = rules.partition_point(|other| other.order() < rule.order());
    rules.insert(at, rule);
}

/// A list of rules.
#[derive(Clone, Debug)]
pub(crate) struct Few {
    words: usize,
    /// For each rule its mask and its value.
    masks: Vec<u64>,
    rules: Vec<Rule>,
}

impl Few {
    #[inline]
    fn lookup(&self, key: &[u64]) -> Option<&Arc<Entry>> {
        if let [key_word] = key {
            let (pairs, _) = self.masks.as_chunks::<2>();
            let fits = |(pair, rule): &(&[u64; 2], &Rule)| key_word & pair[0] == pair[1] && rule.accepts(key);
            return pairs.iter().zip(&self.rules).find(fits).map(|(_, rule)| &rule.entry);
        }
        let fits = |(pair, rule): &(&[u64], &Rule)| {
            let (mask, value) = pair.split_at(self.words);
            key.iter().zip(mask).zip(value).all(|((key, mask), value)| key & mask == *value) && rule.accepts(key)
        };
        self.masks.chunks_exact(2 * self.words).zip(&self.rules).find(fits).map(|(_, rule)| &rule.entry)
    }

    fn insert(&mut self, entry: Arc<Entry>) {
        let rule = Rule::new(entry.clone());
        let place = self.rules.partition_point(|other| other.order() < rule.order());
        self.rules.insert(place, rule);
        let at = place * 2 * self.words;
        let pair = entry.packed.mask.iter().chain(&entry.packed.value).copied();
        self.masks.splice(at..at, pair);
    }

    fn remove(&mut self, key: &Packed) {
        if let Some(at) = self.rules.iter().position(|rule| rule.entry.packed == *key) {
            self.rules.remove(at);
            let at = at * 2 * self.words;
            self.masks.drain(at..at + 2 * self.words);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Interval;
    use super::*;
    use proptest::prelude::*;

    fn entry(packed: Packed, age: u64) -> Arc<Entry> {
        let call = crate::state::entry::Call { action: 0, params: [].into() };
        Arc::new(Entry {
            effect: crate::state::entry::Effect::Call(call),
            cells: Arc::default(),
            packed,
            age,
            is_const: false,
            idle_timeout: 0,
        })
    }

    /// Three fields of 4 bits, the second and third of which are ranges.
    fn packed(value: u64, mask: u64, rank: i64, ranges: [Option<(u64, u64)>; 2]) -> Packed {
        let ranges = ranges.into_iter().zip([4, 8]).filter_map(|(range, shift)| {
            let (one, other) = range?;
            let ends = [one.min(other), one.max(other)].into();
            Some(Interval { word: 0, shift, mask: 0xf, ends })
        });
        Packed {
            value: [value & mask].as_slice().into(),
            mask: [mask].as_slice().into(),
            ranges: ranges.collect(),
            rank,
            prefix: 0,
        }
    }

    proptest! {
        /// Against the definition: of the entries that match, the one with the highest rank, the oldest of those.
        #[test]
        fn masked_lookup_is_the_definition(
            entries in proptest::collection::vec(
                (0u64..16, 0u64..16, 1i64..6, proptest::option::of((0u64..16, 0u64..16)), proptest::option::weighted(0.3, (0u64..16, 0u64..16))),
                0..80,
            ),
            removed in proptest::collection::vec(proptest::bool::weighted(0.4), 80),
            again in any::<bool>(),
            probes in proptest::collection::vec(0u64..0x1000, 30),
        ) {
            let mut index = Masked::<[u64; 1]>::new(1);
            let mut list: Vec<Arc<Entry>> = Vec::new();
            for (age, (value, mask, rank, first, second)) in (0..).zip(entries) {
                let entry = entry(packed(value, mask, rank, [first, second]), age);
                if index.find(&entry.packed).is_none() {
                    index.insert(entry.clone());
                    list.push(entry);
                }
            }
            let full = index.clone();
            let all = list.clone();
            let mut at = 0;
            list.retain(|entry| {
                at += 1;
                if removed[at - 1] {
                    assert!(index.find(&entry.packed).is_some_and(|found| Arc::ptr_eq(found, entry)));
                    index.remove(&entry.packed);
                }
                !removed[at - 1]
            });
            if again {
                // As a change of an entry does: it keeps its age.
                for entry in &list {
                    index.remove(&entry.packed);
                    index.insert(entry.clone());
                }
            }
            prop_assert_eq!(index.len(), list.len());
            prop_assert_eq!(index.entries().count(), list.len());
            for (index, list) in [(index, list), (full, all)] {
                for key in &probes {
                    let matches = |entry: &&Arc<Entry>| {
                        let packed = &entry.packed;
                        key & packed.mask[0] == packed.value[0] && packed.ranges.iter().all(|range| range.contains(&[*key]))
                    };
                    let best = list.iter().filter(matches).min_by_key(|entry| (-entry.packed.rank, entry.age));
                    prop_assert_eq!(index.lookup(&[*key]).map(|entry| entry.age), best.map(|entry| entry.age));
                }
            }
        }
    }
}
