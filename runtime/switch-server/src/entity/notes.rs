//! What a table's entries carry that means nothing to packets.

use std::collections::HashMap;

use vouch_p4runtime::p4::v1;
use vouch_switch::{EntryKey, TableId};

use super::key::normal_key;
use crate::schema::Table;

/// What entries carry for the controller alone. Only entries that carry something are here.
#[derive(Debug, Default)]
pub(crate) struct TableNotes {
    entries: HashMap<TableId, HashMap<EntryKey, Note>>,
    pub(super) defaults: HashMap<TableId, Note>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Note {
    pub(super) metadata: Vec<u8>,
    pub(super) controller_metadata: u64,
    /// The engine counts microseconds; what is read must be what was written.
    pub(super) idle_timeout_ns: i64,
}

impl Note {
    #[allow(deprecated)]
    pub(super) fn of(entry: &v1::TableEntry) -> Note {
        Note {
            metadata: entry.metadata.clone(),
            controller_metadata: entry.controller_metadata,
            idle_timeout_ns: entry.idle_timeout_ns,
        }
    }
}

impl TableNotes {
    pub(super) fn set(&mut self, table: TableId, key: &EntryKey, note: Note) {
        if note != Note::default() {
            self.entries.entry(table).or_default().insert(key.clone(), note);
        } else if let Some(entries) = self.entries.get_mut(&table) {
            entries.remove(key);
            if entries.is_empty() {
                self.entries.remove(&table);
            }
        }
    }

    pub(super) fn of(&self, table: &Table, key: &EntryKey) -> Note {
        let Some(entries) = self.entries.get(&table.engine) else { return Note::default() };
        entries.get(&normal_key(table, key)).cloned().unwrap_or_default()
    }
}
