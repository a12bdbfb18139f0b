//! A hash map whose copies share what they have in common.
//!
//! Control calls change a copy of the tables while packets go on with the original, so a map must be cheap to copy and to
//! change after that. It is a tree over the bits of the keys' hashes: a change copies the nodes on one path and shares
//! all others, and changes nodes in place that no other copy refers to. Up to [`LEAF`] entries are one leaf, which is
//! searched without hashing.

use core::fmt::Debug;
use std::sync::Arc;

use smallvec::SmallVec;

/// Bits of the hash that a branch looks at.
const STRIDE: u32 = 5;
const FANOUT: usize = 1 << STRIDE;
/// Most entries of a leaf, unless their hashes are equal.
const LEAF: usize = 12;

/// A packed key of fixed or any length.
pub(crate) trait Key: Clone + Eq + Debug + Send + Sync + 'static {
    /// The key of these words; missing ones are 0.
    fn from_words(words: &[u64]) -> Self;
    fn words(&self) -> &[u64];
    /// Its words without those that were missing, given another key of its map.
    fn given(&self, other: &[u64]) -> &[u64];
    /// Whether it is the key of these words; as many as it was made from.
    fn is(&self, words: &[u64]) -> bool;
}

impl<const N: usize> Key for [u64; N] {
    fn from_words(words: &[u64]) -> Self {
        core::array::from_fn(|at| words.get(at).copied().unwrap_or(0))
    }

    fn words(&self) -> &[u64] {
        self
    }

    fn given(&self, other: &[u64]) -> &[u64] {
        &self[..other.len()]
    }

    #[inline]
    fn is(&self, words: &[u64]) -> bool {
        // Word by word: a call of `memcmp` costs more than the few words do.
        self.iter().zip(words).all(|(one, other)| one == other)
    }
}

impl Key for Box<[u64]> {
    fn from_words(words: &[u64]) -> Self {
        words.into()
    }

    fn words(&self) -> &[u64] {
        self
    }

    fn given(&self, _other: &[u64]) -> &[u64] {
        self
    }

    fn is(&self, words: &[u64]) -> bool {
        **self == *words
    }
}

/// The map.
#[derive(Clone, Debug)]
pub(crate) struct Map<K, V> {
    root: Node<K, V>,
    len: usize,
}

/// Most nodes are leaves of few entries: a leaf takes no more room than it needs, and few entries none of their own.
#[derive(Clone, Debug)]
enum Node<K, V> {
    Leaf(Arc<Leaf<K, V>>),
    Branch(Arc<[Option<Node<K, V>>; FANOUT]>),
}

type Leaf<K, V> = SmallVec<[(K, V); 4]>;

impl<K, V> Default for Node<K, V> {
    fn default() -> Self {
        Self::Leaf(Arc::default())
    }
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self { root: Node::default(), len: 0 }
    }
}

impl<K: Key, V: Clone> Map<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn get(&self, words: &[u64]) -> Option<&V> {
        let mut node = &self.root;
        if matches!(node, Node::Branch(_)) {
            let hash = hash(words);
            let mut depth = 0;
            while let Node::Branch(children) = node {
                node = children[child(hash, depth)].as_ref()?;
                depth += 1;
            }
        }
        match node {
            Node::Leaf(entries) => entries.iter().find(|(key, _)| key.is(words)).map(|(_, value)| value),
            Node::Branch(_) => None,
        }
    }

    /// The value of a key, made first where there is none, to be changed.
    pub(crate) fn entry(&mut self, words: &[u64], make: impl FnOnce() -> V) -> &mut V {
        let hash = hash(words);
        let len = &mut self.len;
        let make = || {
            *len += 1;
            make()
        };
        self.root.entry(words, hash, 0, make)
    }

    pub(crate) fn insert(&mut self, words: &[u64], value: V) {
        let mut value = Some(value);
        let slot = self.entry(words, || value.take().expect("made at most once"));
        if let Some(value) = value {
            *slot = value;
        }
    }

    pub(crate) fn get_mut(&mut self, words: &[u64]) -> Option<&mut V> {
        self.get(words)?;
        let unreachable = || unreachable!("the key was just found");
        Some(self.root.entry(words, hash(words), 0, unreachable))
    }

    pub(crate) fn remove(&mut self, words: &[u64]) {
        if self.get(words).is_some() {
            self.root.remove(words, hash(words), 0);
            self.len -= 1;
        }
    }

    pub(crate) fn iter(&self) -> Iter<'_, K, V> {
        Iter { nodes: vec![&self.root], leaf: [].iter() }
    }
}

impl<K: Key, V: Clone> Node<K, V> {
    fn entry(&mut self, words: &[u64], hash: u64, depth: u32, make: impl FnOnce() -> V) -> &mut V {
        if let Node::Leaf(entries) = self
            && entries.len() >= LEAF
            && depth < 64 / STRIDE
            && !entries.iter().any(|(key, _)| key.is(words))
        {
            *self = Self::split(entries, words, depth);
        }
        match self {
            Node::Leaf(entries) => {
                let entries = Arc::make_mut(entries);
                let at = entries.iter().position(|(key, _)| key.is(words)).unwrap_or_else(|| {
                    entries.push((K::from_words(words), make()));
                    entries.len() - 1
                });
                &mut entries[at].1
            }
            Node::Branch(children) => {
                let child = Arc::make_mut(children)[child(hash, depth)].get_or_insert_default();
                child.entry(words, hash, depth + 1, make)
            }
        }
    }

    fn split(entries: &Leaf<K, V>, words: &[u64], depth: u32) -> Self {
        let mut leaves: [Leaf<K, V>; FANOUT] = core::array::from_fn(|_| Leaf::new());
        for (key, value) in entries {
            leaves[child(hash(key.given(words)), depth)].push((key.clone(), value.clone()));
        }
        Node::Branch(Arc::new(leaves.map(|leaf| (!leaf.is_empty()).then(|| Node::Leaf(Arc::new(leaf))))))
    }

    /// Removes a key that is there; true if nothing is left.
    fn remove(&mut self, words: &[u64], hash: u64, depth: u32) -> bool {
        match self {
            Node::Leaf(entries) => {
                let entries = Arc::make_mut(entries);
                entries.retain(|(key, _)| !key.is(words));
                entries.is_empty()
            }
            Node::Branch(children) => {
                let children = Arc::make_mut(children);
                let slot = &mut children[child(hash, depth)];
                if slot.as_mut().is_some_and(|child| child.remove(words, hash, depth + 1)) {
                    *slot = None;
                }
                children.iter().all(Option::is_none)
            }
        }
    }
}

/// All entries, in the order of their hashes.
pub(crate) struct Iter<'m, K, V> {
    nodes: Vec<&'m Node<K, V>>,
    leaf: core::slice::Iter<'m, (K, V)>,
}

impl<'m, K, V> Iterator for Iter<'m, K, V> {
    type Item = (&'m K, &'m V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.leaf.next() {
                return Some((key, value));
            }
            match self.nodes.pop()? {
                Node::Leaf(entries) => self.leaf = entries.iter(),
                Node::Branch(children) => self.nodes.extend(children.iter().rev().flatten()),
            }
        }
    }
}

#[inline]
fn child(hash: u64, depth: u32) -> usize {
    hash.rotate_left(STRIDE * (depth + 1)) as usize & (FANOUT - 1)
}

/// Multiplication mixes upwards, so that the highest bits, which are used first, depend on all words.
#[inline]
fn hash(words: &[u64]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = 0u64;
    for word in words {
        hash = (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
        hash ^= hash >> 32;
    }
    hash.wrapping_mul(FACTOR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Every copy stays what it was, whatever is done to the others.
        #[test]
        fn copies_are_maps_of_their_own(
            steps in proptest::collection::vec((0u64..400, any::<u32>(), 0u8..8), 0..1500),
        ) {
            let (mut map, mut model) = (Map::<[u64; 2], u32>::default(), BTreeMap::new());
            let mut copies = Vec::new();
            for (key, value, what) in steps {
                let words = [key % 20, key / 20];
                match what {
                    0 => copies.push((map.clone(), model.clone())),
                    1 | 2 => {
                        map.remove(&words);
                        model.remove(&words);
                    }
                    3 => {
                        if let Some(slot) = map.get_mut(&words) {
                            *slot = value;
                        }
                        if let Some(slot) = model.get_mut(&words) {
                            *slot = value;
                        }
                    }
                    _ => {
                        map.insert(&words, value);
                        model.insert(words, value);
                    }
                }
            }
            copies.push((map, model));
            for (map, model) in copies {
                prop_assert_eq!(map.len(), model.len());
                let listed: BTreeMap<[u64; 2], u32> = map.iter().map(|(key, value)| (*key, *value)).collect();
                prop_assert_eq!(&listed, &model);
                for key in 0..400 {
                    let words = [key % 20, key / 20];
                    prop_assert_eq!(map.get(&words), model.get(&words));
                }
            }
        }
    }

    /// Keys that differ in few bits, as those of neighbouring hosts do, spread all the same.
    #[test]
    fn neighbours_do_not_share_leaves() {
        fn deepest<V>(node: &Node<[u64; 1], V>) -> (u32, usize) {
            match node {
                Node::Leaf(entries) => (0, entries.len()),
                Node::Branch(children) => children.iter().flatten().fold((0, 0), |(depth, most), child| {
                    let (below, entries) = deepest(child);
                    (depth.max(below + 1), most.max(entries))
                }),
            }
        }
        for shift in [0, 16, 40] {
            let mut map = Map::<[u64; 1], ()>::default();
            for host in 0..100_000u64 {
                map.insert(&[host << shift], ());
            }
            let (depth, most) = deepest(&map.root);
            assert!(depth <= 5 && most <= LEAF, "depth {depth}, {most} entries in a leaf");
        }
    }
}
