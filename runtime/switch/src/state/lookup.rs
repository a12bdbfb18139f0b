//! Finding the entry for a key.
//!
//! A key is packed: every field in its own limbs. [`Lookup`] is all that the rest knows, so that an index can be replaced
//! by a better one: here are hashing for exact keys, hashing per prefix length for one longest-prefix field, and hashing per
//! set of masks ("tuple space search") for ternary and range keys.

use core::fmt::Debug;
use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

/// First limb, low end and high end of a range.
pub(crate) type Interval = (u32, Vec<u64>, Vec<u64>);

/// The packed key of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Values under the mask; for ranges 0.
    pub(crate) value: Vec<u64>,
    pub(crate) mask: Vec<u64>,
    pub(crate) ranges: Vec<Interval>,
    /// Highest wins; for longest-prefix tables the prefix length.
    pub(crate) rank: i64,
}

/// An index over the entries of one table.
pub(crate) trait Lookup: Debug + Send + Sync {
    /// The entry for a packet's key.
    fn lookup(&self, key: &[u64]) -> Option<u32>;
    /// The entry that was inserted with exactly this key.
    fn find(&self, key: &Packed) -> Option<u32>;
    /// Adds an entry; its key is not in the index.
    fn insert(&mut self, key: &Packed, entry: u32);
    /// Removes an entry; its key is in the index.
    fn remove(&mut self, key: &Packed);
}

/// All fields exact.
#[derive(Debug, Default)]
pub(crate) struct Exact(FxHashMap<Box<[u64]>, u32>);

impl Lookup for Exact {
    fn lookup(&self, key: &[u64]) -> Option<u32> {
        self.0.get(key).copied()
    }

    fn find(&self, key: &Packed) -> Option<u32> {
        self.0.get(key.value.as_slice()).copied()
    }

    fn insert(&mut self, key: &Packed, entry: u32) {
        self.0.insert(key.value.clone().into(), entry);
    }

    fn remove(&mut self, key: &Packed) {
        self.0.remove(key.value.as_slice());
    }
}

/// Exact single-limb keys, the most common kind.
#[derive(Debug, Default)]
pub(crate) struct ExactWord(FxHashMap<u64, u32>);

impl Lookup for ExactWord {
    fn lookup(&self, key: &[u64]) -> Option<u32> {
        self.0.get(&key[0]).copied()
    }

    fn find(&self, key: &Packed) -> Option<u32> {
        self.0.get(&key.value[0]).copied()
    }

    fn insert(&mut self, key: &Packed, entry: u32) {
        self.0.insert(key.value[0], entry);
    }

    fn remove(&mut self, key: &Packed) {
        self.0.remove(&key.value[0]);
    }
}

/// Ternary, range and longest-prefix keys: one hash table per set of masks, the one with the best rank first.
#[derive(Debug, Default)]
pub(crate) struct Masked {
    groups: Vec<Group>,
    /// Counts insertions: of entries of one rank the oldest wins.
    next_age: u64,
}

#[derive(Debug)]
struct Group {
    mask: Box<[u64]>,
    /// Ranks of its entries, with how many have each.
    ranks: BTreeMap<i64, usize>,
    buckets: FxHashMap<Box<[u64]>, Vec<Candidate>>,
}

impl Group {
    fn best(&self) -> i64 {
        self.ranks.last_key_value().map_or(i64::MIN, |(rank, _)| *rank)
    }
}

/// An entry of a bucket; a bucket is sorted by falling rank, then by age.
#[derive(Debug)]
struct Candidate {
    rank: i64,
    age: u64,
    entry: u32,
    ranges: Box<[Interval]>,
}

impl Candidate {
    fn accepts(&self, key: &[u64]) -> bool {
        self.ranges.iter().all(|(limb, low, high)| {
            let value = &key[*limb as usize..*limb as usize + low.len()];
            !less(value, low) && !less(high, value)
        })
    }
}

fn less(a: &[u64], b: &[u64]) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

/// Longest keys that are masked without allocating.
const ON_STACK: usize = 16;

impl Lookup for Masked {
    fn lookup(&self, key: &[u64]) -> Option<u32> {
        let mut stack = [0; ON_STACK];
        let mut heap = Vec::new();
        let masked: &mut [u64] = if key.len() <= ON_STACK {
            &mut stack[..key.len()]
        } else {
            heap.resize(key.len(), 0);
            &mut heap
        };
        let mut found: Option<&Candidate> = None;
        for group in &self.groups {
            if found.is_some_and(|found| found.rank > group.best()) {
                break;
            }
            for ((masked, key), mask) in masked.iter_mut().zip(key).zip(&group.mask) {
                *masked = key & mask;
            }
            let Some(bucket) = group.buckets.get(&*masked) else { continue };
            let Some(candidate) = bucket.iter().find(|candidate| candidate.accepts(key)) else { continue };
            if found.is_none_or(|found| (candidate.rank, found.age) > (found.rank, candidate.age)) {
                found = Some(candidate);
            }
        }
        found.map(|candidate| candidate.entry)
    }

    fn find(&self, key: &Packed) -> Option<u32> {
        let group = self.groups.iter().find(|group| *group.mask == *key.mask)?;
        let bucket = group.buckets.get(key.value.as_slice())?;
        let same = |candidate: &&Candidate| candidate.rank == key.rank && *candidate.ranges == *key.ranges;
        bucket.iter().find(same).map(|candidate| candidate.entry)
    }

    fn insert(&mut self, key: &Packed, entry: u32) {
        let at = self.groups.iter().position(|group| *group.mask == *key.mask).unwrap_or_else(|| {
            self.groups.push(Group {
                mask: key.mask.clone().into(),
                ranks: BTreeMap::new(),
                buckets: FxHashMap::default(),
            });
            self.groups.len() - 1
        });
        let group = &mut self.groups[at];
        *group.ranks.entry(key.rank).or_default() += 1;
        let bucket = group.buckets.entry(key.value.clone().into()).or_default();
        let place = bucket.partition_point(|candidate| candidate.rank >= key.rank);
        let ranges = key.ranges.clone().into();
        bucket.insert(place, Candidate { rank: key.rank, age: self.next_age, entry, ranges });
        self.next_age += 1;
        self.sort();
    }

    fn remove(&mut self, key: &Packed) {
        let Some(at) = self.groups.iter().position(|group| *group.mask == *key.mask) else { return };
        let group = &mut self.groups[at];
        if let Some(bucket) = group.buckets.get_mut(key.value.as_slice()) {
            bucket.retain(|candidate| candidate.rank != key.rank || *candidate.ranges != *key.ranges);
            if bucket.is_empty() {
                group.buckets.remove(key.value.as_slice());
            }
        }
        if let Some(count) = group.ranks.get_mut(&key.rank) {
            *count -= 1;
            if *count == 0 {
                group.ranks.remove(&key.rank);
            }
        }
        if group.buckets.is_empty() {
            self.groups.remove(at);
        }
        self.sort();
    }
}

impl Masked {
    fn sort(&mut self) {
        self.groups.sort_by_key(|group| core::cmp::Reverse(group.best()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masked(value: u64, mask: u64, rank: i64, range: Option<(u64, u64)>) -> Packed {
        let ranges = range.map(|(low, high)| (1, vec![low], vec![high])).into_iter().collect();
        Packed { value: vec![value & mask, 0], mask: vec![mask, 0], ranges, rank }
    }

    proptest! {
        /// Against the definition: of the entries that match, the one with the highest rank, the oldest of those.
        #[test]
        fn masked_lookup_is_the_definition(
            entries in proptest::collection::vec((0u64..8, 0u64..8, 0i64..4, proptest::option::of((0u64..4, 0u64..4))), 0..24),
            removed in proptest::collection::vec(any::<bool>(), 24),
            probes in proptest::collection::vec((0u64..8, 0u64..4), 16),
        ) {
            let mut index = Masked::default();
            let mut list: Vec<(u32, Packed)> = Vec::new();
            for (id, (value, mask, rank, range)) in entries.into_iter().enumerate() {
                let key = masked(value, mask, rank, range);
                if index.find(&key).is_none() {
                    index.insert(&key, id as u32);
                    list.push((id as u32, key));
                }
            }
            let mut at = 0;
            list.retain(|(id, key)| {
                at += 1;
                let gone = removed[at - 1];
                if gone {
                    assert_eq!(index.find(key), Some(*id));
                    index.remove(key);
                }
                !gone
            });
            for (first, second) in probes {
                let matches = |key: &Packed| {
                    first & key.mask[0] == key.value[0]
                        && key.ranges.iter().all(|(_, low, high)| low[0] <= second && second <= high[0])
                };
                let best = list.iter().filter(|(_, key)| matches(key)).min_by_key(|(id, key)| (-key.rank, *id));
                prop_assert_eq!(index.lookup(&[first, second]), best.map(|(id, _)| *id));
            }
        }
    }
}
