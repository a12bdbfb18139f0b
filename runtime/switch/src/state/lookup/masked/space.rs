//! Many rules, sorted by their masks.

use std::sync::Arc;

use super::super::Packed;
use super::super::map::{Key, Map};
use super::super::trie::Trie;
use super::Rule;
use super::insert_sorted;
use crate::bits::mask64;
use crate::state::entry::Entry;

/// Rules sorted by their masks.
#[derive(Clone, Debug)]
pub(crate) struct Space<K: Key> {
    /// By falling best rank.
    groups: Vec<Arc<Group<K>>>,
    by_key: Map<Box<[u64]>, Arc<Entry>>,
}

/// The rules with one mask, and a range of the same field or none.
#[derive(Clone, Debug)]
struct Group<K: Key> {
    mask: K,
    range: Option<Field>,
    /// No rule has a higher rank; after removals perhaps none has this.
    best: i64,
    /// Removals since `best` was exact.
    removed: usize,
    rules: Map<K, Arc<Bucket>>,
}

/// The field of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    word: u32,
    shift: u32,
    bits: u32,
}

/// The rules with one mask and value, the best first.
#[derive(Clone, Debug)]
enum Bucket {
    Plain(Vec<Rule>),
    /// By the prefixes of their ranges.
    Ranged {
        rules: Trie<[u64; 1], Arc<Vec<Rule>>>,
        len: usize,
    },
}

/// Longest keys that are masked without allocating.
const ON_STACK: usize = 8;

impl<K: Key> Default for Space<K> {
    fn default() -> Self {
        Self { groups: Vec::new(), by_key: Map::default() }
    }
}

impl<K: Key> Space<K> {
    pub(super) fn find(&self, key: &Packed) -> Option<&Arc<Entry>> {
        self.by_key.get(&identity(key))
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.by_key.iter().map(|(_, entry)| entry)
    }

    pub(super) fn lookup(&self, key: &[u64]) -> Option<&Arc<Entry>> {
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
            let Some(bucket) = group.rules.get(masked) else { continue };
            bucket.each(group.range.map_or(0, |field| field.of(key)), |rules| {
                if let Some(rule) = rules.iter().find(|rule| rule.accepts(key))
                    && found.is_none_or(|found| rule.order() < found.order())
                {
                    found = Some(rule);
                }
            });
        }
        found.map(|rule| &rule.entry)
    }

    pub(super) fn insert(&mut self, entry: Arc<Entry>) {
        let packed = &entry.packed;
        self.by_key.insert(&identity(packed), entry.clone());
        let range = indexed(packed);
        let at = self.position(packed).unwrap_or_else(|| {
            self.groups.push(Arc::new(Group {
                mask: K::from_words(&packed.mask),
                range: range.map(|(field, ..)| field),
                best: i64::MIN,
                removed: 0,
                rules: Map::default(),
            }));
            self.groups.len() - 1
        });
        let group = Arc::make_mut(&mut self.groups[at]);
        group.best = group.best.max(packed.rank);
        let bucket = group.rules.entry(&packed.value, || Arc::new(Bucket::new(range.is_some())));
        Arc::make_mut(bucket).insert(Rule::new(entry.clone()), range);
        self.sort();
    }

    pub(super) fn remove(&mut self, key: &Packed) {
        let identity = identity(key);
        let Some(entry) = self.by_key.get(&identity).cloned() else { return };
        let Some(at) = self.position(key) else { return };
        self.by_key.remove(&identity);
        let group = Arc::make_mut(&mut self.groups[at]);
        group.remove(&key.value, &entry);
        if group.rules.len() == 0 {
            self.groups.remove(at);
        }
        self.sort();
    }

    /// The group of a key.
    fn position(&self, key: &Packed) -> Option<usize> {
        let range = indexed(key).map(|(field, ..)| field);
        self.groups.iter().position(|group| group.range == range && group.mask.is(&key.mask))
    }

    fn sort(&mut self) {
        self.groups.sort_by_key(|group| core::cmp::Reverse(group.best));
    }
}

impl<K: Key> Group<K> {
    fn remove(&mut self, value: &[u64], entry: &Arc<Entry>) {
        let Some(bucket) = self.rules.get_mut(value) else { return };
        if Arc::make_mut(bucket).remove(entry) {
            self.rules.remove(value);
        }
        // Looking at all rules once per so many removals costs each of them little.
        self.removed += 1;
        if self.removed > self.rules.len() {
            self.removed = 0;
            self.best = self.rules.iter().map(|(_, bucket)| bucket.best()).max().unwrap_or(i64::MIN);
        }
    }
}

impl Bucket {
    fn new(ranged: bool) -> Self {
        if ranged { Self::Ranged { rules: Trie::new(1), len: 0 } } else { Self::Plain(Vec::new()) }
    }

    /// Visits lists of rules that could match a packet, given the range's field of it.
    #[inline]
    fn each<'b>(&'b self, field: u64, mut visit: impl FnMut(&'b [Rule])) {
        match self {
            Self::Plain(rules) => visit(rules),
            Self::Ranged { rules, .. } => rules.each(&[field], |rules| visit(rules)),
        }
    }

    fn best(&self) -> i64 {
        match self {
            Self::Plain(rules) => rules.first().map_or(i64::MIN, |rule| rule.rank),
            Self::Ranged { rules, .. } => {
                rules.iter().filter_map(|rules| rules.first()).map(|rule| rule.rank).max().unwrap_or(i64::MIN)
            }
        }
    }

    fn insert(&mut self, rule: Rule, range: Option<(Field, u64, u64)>) {
        match (self, range) {
            (Self::Ranged { rules, len }, Some((field, low, high))) => {
                *len += 1;
                for (prefix, bits) in field.prefixes(low, high) {
                    let mut there = rules.get(&prefix, bits).cloned().unwrap_or_default();
                    insert_sorted(Arc::make_mut(&mut there), rule.clone());
                    rules.insert(&prefix, bits, there);
                }
            }
            (Self::Plain(rules), _) => insert_sorted(rules, rule),
            (Self::Ranged { .. }, None) => unreachable!("a group's rules all have a range or none has"),
        }
    }

    /// Removes a rule that is there; true if no other is.
    fn remove(&mut self, entry: &Arc<Entry>) -> bool {
        match self {
            Self::Plain(rules) => {
                rules.retain(|rule| !Arc::ptr_eq(&rule.entry, entry));
                rules.is_empty()
            }
            Self::Ranged { rules, len } => {
                let (field, low, high) = indexed(&entry.packed).expect("it was inserted by its range");
                for (prefix, bits) in field.prefixes(low, high) {
                    let mut there = rules.get(&prefix, bits).cloned().unwrap_or_default();
                    Arc::make_mut(&mut there).retain(|rule| !Arc::ptr_eq(&rule.entry, entry));
                    if there.is_empty() {
                        rules.remove(&prefix, bits);
                    } else {
                        rules.insert(&prefix, bits, there);
                    }
                }
                *len -= 1;
                *len == 0
            }
        }
    }
}

impl Field {
    /// A packet's value, in the highest bits.
    #[inline]
    fn of(self, key: &[u64]) -> u64 {
        key[self.word as usize] >> self.shift << (64 - self.bits)
    }

    /// The prefixes that make up a range, in the highest bits, each with its length.
    fn prefixes(self, low: u64, high: u64) -> impl Iterator<Item = ([u64; 1], u32)> {
        let blocks = prefixes(low, high, mask64(self.bits));
        blocks.into_iter().map(move |(mask, value)| ([value << (64 - self.bits)], mask.count_ones()))
    }
}

/// The range that a rule is found by: its first that fits a word, with its ends.
fn indexed(key: &Packed) -> Option<(Field, u64, u64)> {
    key.ranges.iter().find_map(|range| match *range.ends {
        [low, high] if range.mask != 0 => {
            let bits = range.mask.count_ones();
            Some((Field { word: range.word, shift: range.shift, bits }, low, high))
        }
        _ => None,
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
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
