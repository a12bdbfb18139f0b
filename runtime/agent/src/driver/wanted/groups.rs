//! Groups for sets of places that all get a host's frames: one for each set, shared by all hosts that need it.
//!
//! A group stays for [`LINGER`] after the last host went by it. A frame that the switch has looked up then may not be copied
//! yet: without its group it would be lost, and with the number given to other places it would go there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vouch_mobility::Instant;
use vouch_tables::{Group, LocationId};

/// Two places or three, in ascending order.
pub(crate) type Places = Vec<LocationId>;

/// Longer than a switch's thread waits for its turn between two tables.
const LINGER: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: BTreeMap<Places, Shared>,
    numbers: BTreeSet<u16>,
    /// Those that no host uses, by when they go.
    unused: BTreeSet<(Instant, Places)>,
}

#[derive(Debug)]
struct Shared {
    number: u16,
    hosts: usize,
    /// Where no host uses it.
    goes: Option<Instant>,
}

impl Groups {
    /// All sets that have groups, with them.
    pub(crate) fn all(&self) -> Vec<(Places, Group)> {
        self.groups.iter().filter_map(|(places, it)| Some((places.clone(), Group::pair(it.number)?))).collect()
    }

    /// One more host uses the places.
    pub(crate) fn take(&mut self, places: &Places) -> Option<Group> {
        if let Some(shared) = self.groups.get_mut(places) {
            shared.hosts += 1;
            if let Some(goes) = shared.goes.take() {
                self.unused.remove(&(goes, places.clone()));
            }
            return Group::pair(shared.number);
        }
        let number = (0..Group::PAIRS).find(|number| !self.numbers.contains(number))?;
        self.numbers.insert(number);
        self.groups.insert(places.clone(), Shared { number, hosts: 1, goes: None });
        Group::pair(number)
    }

    /// One host fewer uses the places.
    pub(crate) fn release(&mut self, places: &Places, now: Instant) {
        let Some(shared) = self.groups.get_mut(places).filter(|it| it.hosts > 0) else { return };
        shared.hosts -= 1;
        if shared.hosts == 0 {
            let goes = now + LINGER;
            shared.goes = Some(goes);
            self.unused.insert((goes, places.clone()));
        }
    }

    /// When [`Self::pop_unused`] has the next one.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.unused.first().map(|(goes, _)| *goes)
    }

    /// The next group that goes, as no host has used it for long enough.
    pub(crate) fn pop_unused(&mut self, now: Instant) -> Option<Group> {
        if self.deadline()? > now {
            return None;
        }
        let (_, places) = self.unused.pop_first()?;
        let shared = self.groups.remove(&places)?;
        self.numbers.remove(&shared.number);
        Group::pair(shared.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_share_the_group_of_a_set_until_none_has_needed_it_for_a_while() {
        let place = |number| LocationId::access(number).expect("in range");
        let (two, three) = (vec![place(1), place(2)], vec![place(1), place(2), place(3)]);
        let (start, gone) = (Instant::EPOCH, Instant::EPOCH + LINGER);
        let mut groups = Groups::default();
        let first = groups.take(&two);
        assert_eq!(groups.take(&two), first);
        groups.release(&two, start);
        assert_eq!(groups.deadline(), None, "a host uses it");
        groups.release(&two, start);
        assert_eq!(groups.deadline(), Some(gone));
        let other = groups.take(&three);
        assert!(first.is_some() && other.is_some() && first != other, "a frame may be on its way to the first one");
        assert_eq!(groups.take(&two), first, "it is still there");
        assert_eq!(groups.pop_unused(gone), None, "a host uses it again");
        groups.release(&two, start);
        groups.release(&two, start);
        assert_eq!(groups.pop_unused(start), None);
        assert_eq!(groups.pop_unused(gone), first);
        assert_eq!(groups.pop_unused(gone), None, "it is not there any more");
        assert_eq!(groups.take(&vec![place(3), place(4)]), first, "numbers are used again");
        assert_eq!(groups.all().len(), 2);
    }
}
