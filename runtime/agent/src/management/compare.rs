//! What the switch has, what it should have, and the difference; and what it has dropped.
//!
//! The agent goes on meanwhile: what is about to be written differs for a moment. So what differs is looked at once more, and only what still
//! differs in the same way is told.

use std::collections::BTreeMap;

use vouch_p4runtime::client::{RpcError, Session};
use vouch_tables::{DropReason, EntryAction, EntryKey, PuntMeter};

use super::v1;
use crate::driver::{Program, read_drops};

/// How many differences are told.
const DIFFERENCES: usize = 4_096;

type Entries = BTreeMap<EntryKey, EntryAction>;

/// A look at both sides.
pub(super) struct Look {
    pub(super) wanted: Entries,
    pub(super) found: Entries,
    pub(super) meaningless: Vec<String>,
}

impl Look {
    /// Reads the switch. Budgets are compared where one is wanted.
    pub(super) async fn at(session: &Session, program: &Program, wanted: Entries) -> Result<Self, RpcError> {
        let mut look = Self { wanted, found: Entries::new(), meaningless: Vec::new() };
        let budgets: Vec<PuntMeter> = look.wanted.keys().filter_map(budget).collect();
        let tables = &program.tables;
        for reads in [tables.read_tables(), tables.read_meters(budgets)] {
            if reads.is_empty() {
                continue;
            }
            let mut entities = session.read(reads).await?;
            while let Some(entity) = entities.next().await {
                match tables.decode(&entity?) {
                    Ok(Some((key, action))) => _ = look.found.insert(key, action),
                    Ok(None) => {}
                    Err(error) => look.meaningless.push(error.to_string()),
                }
            }
        }
        Ok(look)
    }

    fn differences(&self) -> impl Iterator<Item = v1::Difference> {
        let lacking = self.wanted.iter().filter(|(key, action)| self.found.get(key) != Some(action));
        let beyond = self.found.keys().filter(|key| !self.wanted.contains_key(key));
        let keys = lacking.map(|(key, _)| key).chain(beyond);
        keys.map(|key| {
            let words = |side: &Entries| side.get(key).map_or_else(String::new, ToString::to_string);
            v1::Difference { key: key.to_string(), wanted: words(&self.wanted), found: words(&self.found) }
        })
    }

    pub(super) fn is_same(&self) -> bool {
        self.wanted == self.found
    }

    /// What differs, here and in a look before, in the same way.
    pub(super) fn compare(self, agent: String, before: Option<&Self>) -> v1::TableComparison {
        let earlier: Option<BTreeMap<String, v1::Difference>> =
            before.map(|before| before.differences().map(|difference| (difference.key.clone(), difference)).collect());
        let persists = |now: &v1::Difference| earlier.as_ref().is_none_or(|earlier| earlier.get(&now.key) == Some(now));
        let mut all: Vec<v1::Difference> = self.differences().filter(persists).collect();
        let more = all.len().saturating_sub(DIFFERENCES);
        all.truncate(DIFFERENCES);
        let mut tables: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        self.wanted.keys().for_each(|key| tables.entry(table(key)).or_default().0 += 1);
        self.found.keys().for_each(|key| tables.entry(table(key)).or_default().1 += 1);
        let tables = tables.into_iter().map(|(name, (wanted, found))| v1::Table { name, wanted, found });
        v1::TableComparison {
            agent,
            tables: tables.collect(),
            differences: all,
            more: u64::try_from(more).unwrap_or(u64::MAX),
            meaningless: self.meaningless,
            error: String::new(),
        }
    }
}

/// How many frames the switch has dropped for each reason.
pub(super) async fn drops(session: &Session, program: &Program) -> Result<Vec<(DropReason, u64)>, RpcError> {
    let mut drops: BTreeMap<DropReason, u64> = DropReason::ALL.iter().map(|reason| (*reason, 0)).collect();
    for (_, reason, frames) in read_drops(session, program).await? {
        *drops.entry(reason).or_default() += frames;
    }
    Ok(drops.into_iter().collect())
}

fn budget(key: &EntryKey) -> Option<PuntMeter> {
    match key {
        EntryKey::PuntMeter(cell) => Some(*cell),
        _ => None,
    }
}

/// The table that an entry is in: the first word of its name.
fn table(key: &EntryKey) -> String {
    let words = key.to_string();
    words.split(' ').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use vouch_tables::{Group, LocationId, Port, Replica};

    use super::*;

    fn entries(groups: &[(u16, u16)]) -> Entries {
        let entry = |&(group, members): &(u16, u16)| {
            let member = |number| Replica {
                location: LocationId::access(number).expect("in range"),
                port: Port::new(number).expect("in range"),
            };
            let members: BTreeSet<Replica> = (1..=members).map(member).collect();
            let group = Group::new(group).expect("in range");
            (EntryKey::MulticastGroup(group), EntryAction::MulticastGroup(members))
        };
        groups.iter().map(entry).collect()
    }

    fn look(wanted: &[(u16, u16)], found: &[(u16, u16)]) -> Look {
        Look { wanted: entries(wanted), found: entries(found), meaningless: Vec::new() }
    }

    fn keys(comparison: &v1::TableComparison) -> Vec<&str> {
        comparison.differences.iter().map(|difference| difference.key.as_str()).collect()
    }

    #[test]
    fn what_is_lacking_otherwise_or_beyond_is_told() {
        let told = look(&[(1, 1), (2, 1), (3, 1)], &[(1, 1), (3, 2), (4, 1)]).compare(String::new(), None);
        assert_eq!(keys(&told), ["multicast_group id=2", "multicast_group id=3", "multicast_group id=4"]);
        let sides = |at: usize| (!told.differences[at].wanted.is_empty(), !told.differences[at].found.is_empty());
        assert_eq!([sides(0), sides(1), sides(2)], [(true, false), (true, true), (false, true)]);
        assert_eq!(told.tables, [v1::Table { name: "multicast_group".to_owned(), wanted: 3, found: 3 }]);
    }

    #[test]
    fn what_was_only_about_to_be_written_is_no_difference() {
        let before = look(&[(1, 1), (2, 1)], &[(1, 1)]);
        let now = look(&[(1, 1), (2, 1), (3, 1)], &[(1, 1), (2, 1)]);
        assert!(now.compare(String::new(), Some(&before)).differences.is_empty());
        let still = look(&[(1, 1), (2, 1)], &[(1, 1)]);
        assert_eq!(keys(&still.compare(String::new(), Some(&before))), ["multicast_group id=2"]);
    }
}
