//! Things that control calls number themselves: members, groups, sessions.

use std::sync::Arc;

use super::lookup::map::Map;

/// A map by number; copies share what they have in common.
#[derive(Clone, Debug)]
pub(crate) struct ById<T>(Map<[u64; 1], Arc<T>>);

impl<T> Default for ById<T> {
    fn default() -> Self {
        Self(Map::default())
    }
}

impl<T> ById<T> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        self.0.get(&[u64::from(id)]).map(|found| &**found)
    }

    pub(crate) fn contains(&self, id: u32) -> bool {
        self.get(id).is_some()
    }

    pub(crate) fn insert(&mut self, id: u32, value: T) {
        self.0.insert(&[u64::from(id)], Arc::new(value));
    }

    pub(crate) fn remove(&mut self, id: u32) {
        self.0.remove(&[u64::from(id)]);
    }

    /// All of them, by ascending number.
    pub(crate) fn sorted(&self) -> impl Iterator<Item = (u32, &T)> {
        let mut all: Vec<(u32, &T)> = self.0.iter().map(|([id], value)| (*id as u32, &**value)).collect();
        all.sort_by_key(|(id, _)| *id);
        all.into_iter()
    }
}

impl<T: Clone> ById<T> {
    /// To change one in place; those that other copies hold stay as they are.
    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.0.get_mut(&[u64::from(id)]).map(Arc::make_mut)
    }
}
