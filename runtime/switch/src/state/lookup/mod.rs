//! Finding the entry for a key.
//!
//! A key is packed into as few 64-bit words as its fields allow, see [`Layout`](crate::layout::Layout). [`Lookup`] is all
//! that the rest knows, so that an index can be replaced by a better one: [`Exact`] hashes, [`Prefixes`] is a [`trie`],
//! [`masked`] serves ternary and range keys. All of them are cheap to copy, because a control call changes a copy of the
//! tables while packets go on with the original.

pub(crate) mod map;
pub(crate) mod masked;
pub(crate) mod trie;

use core::fmt::Debug;
use std::sync::Arc;

use crate::bits::Limbs;
use crate::state::entry::Entry;
use map::{Key, Map};
use masked::Masked;
use trie::Trie;

/// The packed key of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Values under the mask; for ranges 0.
    pub(crate) value: Limbs,
    pub(crate) mask: Limbs,
    pub(crate) ranges: Vec<Interval>,
    /// Highest wins; for longest-prefix tables the prefix length.
    pub(crate) rank: i64,
    /// For longest-prefix tables: how many bits of the value count, from its first.
    pub(crate) prefix: u32,
}

/// A range of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    /// The field's first word, and where in it.
    pub(crate) word: u32,
    pub(crate) shift: u32,
    pub(crate) mask: u64,
    /// The low end, then the high one, most significant word first: a field of more than 64 bits has words of its own.
    pub(crate) ends: Box<[u64]>,
}

impl Interval {
    fn contains(&self, key: &[u64]) -> bool {
        if let [low, high] = *self.ends {
            return (low..=high).contains(&(key[self.word as usize] >> self.shift & self.mask));
        }
        let (low, high) = self.ends.split_at(self.ends.len() / 2);
        let value = &key[self.word as usize..][..low.len()];
        low <= value && value <= high
    }
}

/// The way in which a table matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Exact,
    Prefix,
    Masked,
}

/// An index over the entries of one table, which knows the entries themselves.
pub(crate) trait Lookup: Debug + Send + Sync {
    /// The entry for a packet's key.
    fn lookup(&self, key: &[u64]) -> Option<&Arc<Entry>>;
    /// The entry with exactly this key.
    fn find(&self, key: &Packed) -> Option<&Arc<Entry>>;
    /// Adds an entry; its key is not in the index.
    fn insert(&mut self, entry: Arc<Entry>);
    /// Removes an entry; its key is in the index.
    fn remove(&mut self, key: &Packed);
    /// Puts an entry in the place of the one with the same key.
    fn replace(&mut self, entry: Arc<Entry>) {
        self.remove(&entry.packed);
        self.insert(entry);
    }
    /// Number of entries.
    fn len(&self) -> usize;
    /// All entries, in no particular order.
    fn entries(&self) -> Box<dyn Iterator<Item = &Arc<Entry>> + '_>;
    fn copy(&self) -> Box<dyn Lookup>;
}

impl Clone for Box<dyn Lookup> {
    fn clone(&self) -> Self {
        self.copy()
    }
}

/// The index for keys of this many words.
pub(crate) fn index(style: Style, words: usize) -> Box<dyn Lookup> {
    fn sized<K: Key>(style: Style, words: usize) -> Box<dyn Lookup> {
        match style {
            Style::Exact => Box::new(Exact::<K>(Map::default())),
            Style::Prefix => Box::new(Prefixes::<K>(Trie::new(words))),
            Style::Masked => Box::new(Masked::<K>::new(words)),
        }
    }
    match words {
        0 | 1 => sized::<[u64; 1]>(style, words),
        2 => sized::<[u64; 2]>(style, words),
        3 | 4 => sized::<[u64; 4]>(style, words),
        _ => sized::<Box<[u64]>>(style, words),
    }
}

/// All fields exact.
#[derive(Clone, Debug)]
struct Exact<K>(Map<K, Arc<Entry>>);

impl<K: Key> Lookup for Exact<K> {
    fn lookup(&self, key: &[u64]) -> Option<&Arc<Entry>> {
        self.0.get(key)
    }

    fn find(&self, key: &Packed) -> Option<&Arc<Entry>> {
        self.0.get(&key.value)
    }

    fn insert(&mut self, entry: Arc<Entry>) {
        self.0.insert(&entry.packed.value.clone(), entry);
    }

    fn remove(&mut self, key: &Packed) {
        self.0.remove(&key.value);
    }

    fn replace(&mut self, entry: Arc<Entry>) {
        self.insert(entry);
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn entries(&self) -> Box<dyn Iterator<Item = &Arc<Entry>> + '_> {
        Box::new(self.0.iter().map(|(_, entry)| entry))
    }

    fn copy(&self) -> Box<dyn Lookup> {
        Box::new(self.clone())
    }
}

/// One longest-prefix field behind exact ones.
#[derive(Clone, Debug)]
struct Prefixes<K>(Trie<K, Arc<Entry>>);

impl<K: Key> Lookup for Prefixes<K> {
    fn lookup(&self, key: &[u64]) -> Option<&Arc<Entry>> {
        self.0.lookup(key)
    }

    fn find(&self, key: &Packed) -> Option<&Arc<Entry>> {
        self.0.get(&key.value, key.prefix)
    }

    fn insert(&mut self, entry: Arc<Entry>) {
        self.0.insert(&entry.packed.value.clone(), entry.packed.prefix, entry);
    }

    fn remove(&mut self, key: &Packed) {
        self.0.remove(&key.value, key.prefix);
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn entries(&self) -> Box<dyn Iterator<Item = &Arc<Entry>> + '_> {
        Box::new(self.0.iter())
    }

    fn copy(&self) -> Box<dyn Lookup> {
        Box::new(self.clone())
    }
}
