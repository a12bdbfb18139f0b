//! Ternary and range keys.
//!
//! A few rules are a list, best first, of masks and values side by side: that is fastest, and what constant entries are.
//! Many are sorted by their masks ("tuple space search"): the rules with one mask are a hash map, and the maps are tried
//! in the order of their best rank until no better rule can follow. A range becomes a handful of prefixes and so takes
//! part in this; a second range of a rule is looked at only when all else fits.

use std::sync::Arc;

use super::map::{Key, Map};
use super::{Interval, Lookup, Packed};
use crate::state::entry::Entry;

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
            Self::Many(space) => space.by_key.get(&identity(key)),
        }
    }

    fn insert(&mut self, entry: Arc<Entry>) {
        if let Self::Few(few) = self
            && few.rules.len() >= FEW
        {
            let mut space = Space { groups: Vec::new(), by_key: Map::default() };
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
            Self::Many(space) => space.by_key.len(),
        }
    }

    fn entries(&self) -> Box<dyn Iterator<Item = &Arc<Entry>> + '_> {
        match self {
            Self::Few(few) => Box::new(few.rules.iter().map(|rule| &rule.entry)),
            Self::Many(space) => Box::new(space.by_key.iter().map(|(_, entry)| entry)),
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

fn insert_sorted(rules: &mut Vec<Rule>, rule: Rule) -> usize {
    let at = rules.partition_point(|other| other.order() < rule.order());
    rules.insert(at, rule);
    at
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
        let at = insert_sorted(&mut self.rules, Rule::new(entry.clone())) * 2 * self.words;
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

/// Rules sorted by their masks.
#[derive(Clone, Debug)]
pub(crate) struct Space<K: Key> {
    /// By falling best rank.
    groups: Vec<Arc<Group<K>>>,
    by_key: Map<Box<[u64]>, Arc<Entry>>,
}

/// The rules with one mask.
#[derive(Clone, Debug)]
struct Group<K: Key> {
    mask: K,
    /// No rule has a higher rank; after removals perhaps none has this.
    best: i64,
    /// Removals since `best` was exact.
    removed: usize,
    rules: Map<K, Arc<Vec<Rule>>>,
}

/// Longest keys that are masked without allocating.
const ON_STACK: usize = 8;

impl<K: Key> Space<K> {
    fn lookup(&self, key: &[u64]) -> Option<&Arc<Entry>> {
        let mut stack = [0; ON_STACK];
        let mut heap = Vec::new();
        let masked: &mut [u64] = if key.len() <= ON_STACK {
            &mut stack[..key.len()]
        } else {
            heap.resize(key.len(), 0);
            &mut heap
        };
        let mut found: Option<&Rule> = None;
        for group in &self.groups {
            if found.is_some_and(|found| found.rank > group.best) {
                break;
            }
            for ((masked, key), mask) in masked.iter_mut().zip(key).zip(group.mask.words()) {
                *masked = key & mask;
            }
            let Some(rules) = group.rules.get(masked) else { continue };
            let Some(rule) = rules.iter().find(|rule| rule.accepts(key)) else { continue };
            if found.is_none_or(|found| rule.order() < found.order()) {
                found = Some(rule);
            }
        }
        found.map(|rule| &rule.entry)
    }

    fn insert(&mut self, entry: Arc<Entry>) {
        self.by_key.insert(&identity(&entry.packed), entry.clone());
        let rule = Rule::new(entry.clone());
        for (mask, value) in tuples(&entry.packed) {
            let at = self.groups.iter().position(|group| group.mask.is(&mask)).unwrap_or_else(|| {
                self.groups.push(Arc::new(Group {
                    mask: K::from_words(&mask),
                    best: i64::MIN,
                    removed: 0,
                    rules: Map::default(),
                }));
                self.groups.len() - 1
            });
            let group = Arc::make_mut(&mut self.groups[at]);
            group.best = group.best.max(rule.rank);
            insert_sorted(Arc::make_mut(group.rules.entry(&value, Arc::default)), rule.clone());
        }
        self.sort();
    }

    fn remove(&mut self, key: &Packed) {
        let identity = identity(key);
        let Some(entry) = self.by_key.get(&identity).cloned() else { return };
        self.by_key.remove(&identity);
        for (mask, value) in tuples(key) {
            let Some(at) = self.groups.iter().position(|group| group.mask.is(&mask)) else { continue };
            let group = Arc::make_mut(&mut self.groups[at]);
            group.remove(&value, &entry);
            if group.rules.len() == 0 {
                self.groups.remove(at);
            }
        }
        self.sort();
    }

    fn sort(&mut self) {
        self.groups.sort_by_key(|group| core::cmp::Reverse(group.best));
    }
}

impl<K: Key> Group<K> {
    fn remove(&mut self, value: &[u64], entry: &Arc<Entry>) {
        let Some(rules) = self.rules.get_mut(value) else { return };
        let rules = Arc::make_mut(rules);
        rules.retain(|rule| !Arc::ptr_eq(&rule.entry, entry));
        if rules.is_empty() {
            self.rules.remove(value);
        }
        // Looking at all rules once per so many removals costs each of them little.
        self.removed += 1;
        if self.removed > self.rules.len() {
            self.removed = 0;
            let ranks = self.rules.iter().filter_map(|(_, rules)| rules.first()).map(|rule| rule.rank);
            self.best = ranks.max().unwrap_or(i64::MIN);
        }
    }
}

/// Masks and values that a rule is found by: one, or as many as its first range has prefixes.
fn tuples(key: &Packed) -> Vec<(Vec<u64>, Vec<u64>)> {
    let Some((range, low, high)) =
        key.ranges.iter().find_map(|range| Some((range, range.low_word()?, range.high_word()?)))
    else {
        return vec![(key.mask.clone(), key.value.clone())];
    };
    prefixes(low, high, range.mask)
        .into_iter()
        .map(|(mask, value)| {
            let (mut masks, mut values) = (key.mask.clone(), key.value.clone());
            masks[range.word as usize] |= mask << range.shift;
            values[range.word as usize] |= value << range.shift;
            (masks, values)
        })
        .collect()
}

/// The fewest aligned blocks that make up a range, as masks and values: at most two for each bit.
fn prefixes(low: u64, high: u64, all: u64) -> Vec<(u64, u64)> {
    let mut blocks = Vec::new();
    let mut next = low;
    loop {
        let mut ones = 0u64;
        // Grow the block while it stays aligned and within the range.
        while ones != all && next & (ones << 1 | 1) == 0 && next | (ones << 1 | 1) <= high {
            ones = ones << 1 | 1;
        }
        blocks.push((all & !ones, next));
        match next.checked_add(ones).and_then(|last| last.checked_add(1)) {
            Some(following) if following <= high => next = following,
            _ => return blocks,
        }
    }
}

/// What tells a key from all others, as words.
fn identity(key: &Packed) -> Vec<u64> {
    let mut words: Vec<u64> = key.mask.iter().chain(&key.value).copied().chain([key.rank as u64]).collect();
    for range in &key.ranges {
        words.push(u64::from(range.word) << 32 | u64::from(range.shift));
        words.extend(&range.ends);
    }
    words
}

impl Interval {
    fn low_word(&self) -> Option<u64> {
        (self.ends.len() == 2).then(|| self.ends[0])
    }

    fn high_word(&self) -> Option<u64> {
        (self.ends.len() == 2).then(|| self.ends[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(packed: Packed, age: u64) -> Arc<Entry> {
        let call = crate::state::entry::Call { action: 0, params: [].into() };
        Arc::new(Entry {
            run: crate::state::entry::Run::Call(call),
            cells: Arc::default(),
            packed,
            age,
            key: crate::types::EntryKey { matches: Vec::new(), priority: 0 },
            written: crate::types::EntryAction::Member(0),
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
        Packed { value: vec![value & mask], mask: vec![mask], ranges: ranges.collect(), rank, prefix: 0 }
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

        #[test]
        fn prefixes_make_up_their_range(low in 0u64..1024, high in 0u64..1024) {
            let (low, high) = (low.min(high), low.max(high));
            let blocks = prefixes(low, high, 0x3ff);
            for value in 0..1024 {
                let covering = blocks.iter().filter(|(mask, block)| value & mask == *block).count();
                prop_assert_eq!(covering, usize::from((low..=high).contains(&value)));
            }
            prop_assert!(blocks.len() <= 18);
        }
    }

    #[test]
    fn the_whole_range_is_one_block() {
        assert_eq!(prefixes(0, u64::MAX, u64::MAX), [(0, 0)]);
        assert_eq!(prefixes(u64::MAX, u64::MAX, u64::MAX), [(u64::MAX, u64::MAX)]);
        assert_eq!(prefixes(0, 0, 0), [(0, 0)]);
    }
}
