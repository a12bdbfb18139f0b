//! Groups for sets of places that all get a host's frames: one for each set, shared by all hosts that need it.

use std::collections::{BTreeMap, BTreeSet};

use vouch_tables::{Group, LocationId};

/// Two places or three, in ascending order.
pub(crate) type Places = Vec<LocationId>;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: BTreeMap<Places, (u16, usize)>,
    numbers: BTreeSet<u16>,
}

impl Groups {
    /// All sets that some host uses, with their groups.
    pub(crate) fn all(&self) -> Vec<(Places, Group)> {
        self.groups.iter().filter_map(|(places, (number, _))| Some((places.clone(), Group::pair(*number)?))).collect()
    }

    /// One more host uses the places.
    pub(crate) fn take(&mut self, places: &Places) -> Option<Group> {
        if let Some((number, hosts)) = self.groups.get_mut(places) {
            *hosts += 1;
            return Group::pair(*number);
        }
        let number = (0..Group::PAIRS).find(|number| !self.numbers.contains(number))?;
        self.numbers.insert(number);
        self.groups.insert(places.clone(), (number, 1));
        Group::pair(number)
    }

    /// One host fewer uses the places. The group, if none does any more.
    pub(crate) fn release(&mut self, places: &Places) -> Option<Group> {
        let (number, hosts) = self.groups.get_mut(places)?;
        *hosts -= 1;
        if *hosts > 0 {
            return None;
        }
        let number = *number;
        self.groups.remove(places);
        self.numbers.remove(&number);
        Group::pair(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_share_the_group_of_a_set_until_none_needs_it() {
        let place = |number| LocationId::access(number).expect("in range");
        let (two, three) = (vec![place(1), place(2)], vec![place(1), place(2), place(3)]);
        let mut groups = Groups::default();
        let first = groups.take(&two);
        assert_eq!(groups.take(&two), first);
        let other = groups.take(&three);
        assert!(first.is_some() && other.is_some() && first != other);
        assert_eq!(groups.release(&two), None);
        assert_eq!(groups.release(&two), first);
        assert_eq!(groups.release(&two), None, "it is not there any more");
        assert_eq!(groups.take(&two), first, "numbers are used again");
        assert_eq!(groups.all().len(), 2);
    }
}
