//! The numbers that the services hand out, for what is told of elsewhere than in their answers.

use std::collections::BTreeMap;

use vouch_switch::{IdleEntry, TableId};

use super::services::Services;
use super::wire::{Failure, Never};
use crate::notifications::Traced;

impl Services {
    /// The numbers of idle entries, by those of their tables. Entries that are gone meanwhile are left out.
    pub(crate) fn idle_entries(&self, idle: &[IdleEntry]) -> Vec<(i32, Vec<i32>)> {
        let found = self.with(|running, memory| {
            let switch = running.switch().clone();
            let numbers = memory.numbers(running);
            let mut by_table: BTreeMap<TableId, Vec<i32>> = BTreeMap::new();
            for IdleEntry { table, entry } in idle {
                if let Some(handle) = memory.handles(&switch, *table).handle(&entry.entry.key) {
                    by_table.entry(*table).or_default().push(handle);
                }
            }
            let numbered = |(table, mut entries): (TableId, Vec<i32>)| {
                entries.sort_unstable();
                Some((numbers.table(&switch.program().table_info(table)?.name), entries))
            };
            Ok::<_, Failure<Never>>(by_table.into_iter().filter_map(numbered).collect())
        });
        found.unwrap_or_default()
    }

    /// The messages that tell what happened to a packet; none if its program runs no more.
    pub(crate) fn events(&self, device: u64, traced: &Traced) -> Vec<Vec<u8>> {
        let messages = self.with(|running, memory| {
            let switch = running.switch().clone();
            if !traced.is_of(switch.program()) {
                return Ok(Vec::new());
            }
            let numbers = memory.numbers(running);
            let handle = |table, key: &_| memory.handles(&switch, table).handle(key);
            Ok::<_, Failure<Never>>(traced.messages(device, switch.program(), &numbers, handle))
        });
        messages.unwrap_or_default()
    }
}
