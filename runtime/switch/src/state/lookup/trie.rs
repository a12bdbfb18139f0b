//! Longest prefixes: a compressed trie over the bits of the packed key, four at a time.
//!
//! A node stands for a path, a multiple of four bits long, and holds the prefixes that are up to four bits longer. A chain
//! of nodes with nothing to choose is left out: a child may be any number of steps further, and a lookup compares the bits
//! that were skipped when it gets there. So the way down is as long as there are branches, for IPv6 not longer than for
//! IPv4. Copies share their nodes, as those of [`super::map`] do.

use std::sync::Arc;

use super::map::Key;

const STRIDE: u32 = 4;
/// By four bits: the bits in `Node::present` of the prefixes that match them.
const MATCHING: [u32; 16] = {
    let mut masks = [0; 16];
    let mut nibble = 0;
    while nibble < 16 {
        masks[nibble] =
            1 << 1 | 1 << (2 + nibble / 8) | 1 << (4 + nibble / 4) | 1 << (8 + nibble / 2) | 1 << (16 + nibble);
        nibble += 1;
    }
    masks
};

/// The trie.
#[derive(Clone, Debug)]
pub(crate) struct Trie<K, V> {
    root: Arc<Node<K, V>>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Node<K, V> {
    /// The bits that lead here; the others are 0.
    path: K,
    /// How many they are.
    depth: u32,
    /// Which prefixes end here: `2^n + bits` for one that is `n` bits longer than the path. Only the root has one that is
    /// not longer at all.
    present: u32,
    values: Vec<V>,
    /// By the next four bits.
    branches: u16,
    children: Vec<Arc<Node<K, V>>>,
}

impl<K: Key, V: Clone> Trie<K, V> {
    /// A trie over keys of this many words.
    pub(crate) fn new(words: usize) -> Self {
        Self { root: Arc::new(Node::new(&vec![0; words], 0)), len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The value of the longest prefix of a key.
    #[inline]
    pub(crate) fn lookup(&self, key: &[u64]) -> Option<&V> {
        let mut best = None;
        let mut node = &*self.root;
        while shared(node.path.words(), key, node.depth) == node.depth {
            let nibble = nibble(key, node.depth);
            let matching = node.present & MATCHING[nibble];
            if matching != 0 {
                best = Some(&node.values[node.rank(matching.ilog2())]);
            }
            match node.child(nibble) {
                Some(child) => node = &node.children[child],
                None => break,
            }
        }
        best
    }

    /// The values of all prefixes of a key, the shortest first.
    pub(crate) fn each<'t>(&'t self, key: &[u64], mut visit: impl FnMut(&'t V)) {
        let mut node = &*self.root;
        while shared(node.path.words(), key, node.depth) == node.depth {
            let nibble = nibble(key, node.depth);
            let mut matching = node.present & MATCHING[nibble];
            while matching != 0 {
                visit(&node.values[node.rank(matching.trailing_zeros())]);
                matching &= matching - 1;
            }
            match node.child(nibble) {
                Some(child) => node = &node.children[child],
                None => break,
            }
        }
    }

    /// The value of exactly this prefix.
    pub(crate) fn get(&self, prefix: &[u64], len: u32) -> Option<&V> {
        let mut node = &*self.root;
        while node.depth < home(len) {
            node = &node.children[node.child(nibble(prefix, node.depth))?];
        }
        let place = place(prefix, len);
        let here = node.depth == home(len) && shared(node.path.words(), prefix, node.depth) == node.depth;
        (here && node.present >> place & 1 == 1).then(|| &node.values[node.rank(place)])
    }

    /// Sets the value of a prefix; the bits beyond it are 0.
    pub(crate) fn insert(&mut self, prefix: &[u64], len: u32, value: V) {
        if Node::insert(&mut self.root, prefix, len, value) {
            self.len += 1;
        }
    }

    pub(crate) fn remove(&mut self, prefix: &[u64], len: u32) {
        if self.get(prefix, len).is_some() {
            Arc::make_mut(&mut self.root).remove(prefix, len);
            self.len -= 1;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &V> {
        let mut nodes = vec![&*self.root];
        core::iter::from_fn(move || {
            let node = nodes.pop()?;
            nodes.extend(node.children.iter().map(|child| &**child));
            Some(&node.values)
        })
        .flatten()
    }
}

impl<K: Key, V: Clone> Node<K, V> {
    fn new(path: &[u64], depth: u32) -> Self {
        let cut: Vec<u64> = (0u32..)
            .zip(path)
            .map(|(at, word)| match depth.saturating_sub(64 * at) {
                0 => 0,
                kept @ 1..64 => word >> (64 - kept) << (64 - kept),
                _ => *word,
            })
            .collect();
        Self { path: K::from_words(&cut), depth, present: 0, values: Vec::new(), branches: 0, children: Vec::new() }
    }

    /// Where in `values` the prefix of this place is, or would be.
    fn rank(&self, place: u32) -> usize {
        (self.present & ((1 << place) - 1)).count_ones() as usize
    }

    /// Where in `children` the one for these bits is.
    fn child(&self, nibble: usize) -> Option<usize> {
        (self.branches >> nibble & 1 == 1).then(|| self.child_rank(nibble))
    }

    fn child_rank(&self, nibble: usize) -> usize {
        (self.branches & ((1 << nibble) - 1)).count_ones() as usize
    }

    fn set(&mut self, place: u32, value: V) -> bool {
        let rank = self.rank(place);
        if self.present >> place & 1 == 1 {
            self.values[rank] = value;
            return false;
        }
        self.present |= 1 << place;
        self.values.insert(rank, value);
        true
    }

    fn add_child(&mut self, child: Arc<Self>) {
        let nibble = nibble(child.path.words(), self.depth);
        let rank = self.child_rank(nibble);
        self.branches |= 1 << nibble;
        self.children.insert(rank, child);
    }

    /// Sets a value at or below this node; true if the prefix is new.
    fn insert(this: &mut Arc<Self>, prefix: &[u64], len: u32, value: V) -> bool {
        let node = Arc::make_mut(this);
        let home = home(len);
        if node.depth == home {
            return node.set(place(prefix, len), value);
        }
        let Some(at) = node.child(nibble(prefix, node.depth)) else {
            let mut child = Self::new(prefix, home);
            child.set(place(prefix, len), value);
            node.add_child(Arc::new(child));
            return true;
        };
        let child = &mut node.children[at];
        let common = shared(child.path.words(), prefix, child.depth.min(home)) / STRIDE * STRIDE;
        if common == child.depth {
            return Self::insert(child, prefix, len, value);
        }
        // The new prefix leaves the way to the child, or ends on it.
        let mut between = Self::new(prefix, common);
        between.add_child(child.clone());
        *child = Arc::new(between);
        Self::insert(child, prefix, len, value)
    }

    /// Removes a prefix that is there.
    fn remove(&mut self, prefix: &[u64], len: u32) {
        if self.depth == home(len) {
            let place = place(prefix, len);
            let rank = self.rank(place);
            self.present &= !(1 << place);
            self.values.remove(rank);
            return;
        }
        let nibble = nibble(prefix, self.depth);
        let Some(at) = self.child(nibble) else { return };
        let child = Arc::make_mut(&mut self.children[at]);
        child.remove(prefix, len);
        if !child.values.is_empty() {
            return;
        }
        match child.children.as_slice() {
            [] => {
                self.children.remove(at);
                self.branches &= !(1 << nibble);
            }
            [only] => self.children[at] = only.clone(),
            [_, _, ..] => {}
        }
    }
}

/// Depth of the node that a prefix ends in.
fn home(len: u32) -> u32 {
    len.saturating_sub(1) / STRIDE * STRIDE
}

/// A prefix's bit in its node.
fn place(prefix: &[u64], len: u32) -> u32 {
    match len.saturating_sub(home(len)) {
        0 => 1,
        longer => 1 << longer | nibble(prefix, home(len)) as u32 >> (STRIDE - longer),
    }
}

/// Four bits of a key.
#[inline]
fn nibble(key: &[u64], depth: u32) -> usize {
    let word = key.get(depth as usize / 64).copied().unwrap_or(0);
    (word >> (64 - STRIDE - depth % 64)) as usize & 0xf
}

/// How many of the first `limit` bits two keys have in common.
#[inline]
fn shared(one: &[u64], other: &[u64], limit: u32) -> u32 {
    let mut count = 0;
    for (one, other) in one.iter().zip(other) {
        if count >= limit {
            break;
        }
        let same = (one ^ other).leading_zeros();
        count += same;
        if same < 64 {
            break;
        }
    }
    count.min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A prefix of two words, with its bits beyond cut.
    fn prefix() -> impl Strategy<Value = ([u64; 2], u32)> {
        // Few different bits in few places, so that prefixes nest.
        let word = || (0u64..4, 0u64..3, 0u64..4).prop_map(|(high, middle, low)| high << 61 | middle << 31 | low);
        (word(), word(), 0u32..=128).prop_map(|(first, second, len)| {
            let all = u128::from(first) << 64 | u128::from(second);
            let cut = if len == 0 { 0 } else { all >> (128 - len) << (128 - len) };
            ([(cut >> 64) as u64, cut as u64], len)
        })
    }

    fn covers(prefix: &([u64; 2], u32), key: &[u64; 2]) -> bool {
        shared(&prefix.0, key, prefix.1) == prefix.1
    }

    proptest! {
        #[test]
        fn the_longest_prefix_is_found(
            steps in proptest::collection::vec((prefix(), any::<bool>()), 0..120),
            probes in proptest::collection::vec(prefix(), 40),
        ) {
            let mut trie = Trie::<[u64; 2], usize>::new(2);
            let mut model: Vec<(([u64; 2], u32), usize)> = Vec::new();
            let before = trie.clone();
            for (at, (prefix, add)) in steps.iter().enumerate() {
                model.retain(|(known, _)| known != prefix);
                if *add {
                    trie.insert(&prefix.0, prefix.1, at);
                    model.push((*prefix, at));
                } else {
                    trie.remove(&prefix.0, prefix.1);
                }
            }
            prop_assert_eq!(trie.len(), model.len());
            prop_assert_eq!(trie.iter().count(), model.len());
            for (prefix, value) in &model {
                prop_assert_eq!(trie.get(&prefix.0, prefix.1), Some(value));
            }
            for (key, len) in &probes {
                let longest = model.iter().filter(|(prefix, _)| covers(prefix, key)).max_by_key(|((_, len), _)| *len);
                prop_assert_eq!(trie.lookup(key), longest.map(|(_, value)| value));
                let known = model.iter().any(|(prefix, _)| *prefix == (*key, *len));
                prop_assert_eq!(trie.get(key, *len).is_some(), known);
                prop_assert_eq!(before.lookup(key), None);
                let mut all = Vec::new();
                trie.each(key, |value| all.push(*value));
                let mut wanted: Vec<_> = model.iter().filter(|(prefix, _)| covers(prefix, key)).collect();
                wanted.sort_by_key(|((_, len), _)| *len);
                prop_assert_eq!(all, wanted.into_iter().map(|(_, value)| *value).collect::<Vec<_>>());
            }
        }
    }
}
