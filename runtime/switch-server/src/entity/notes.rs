//! What a table's entries carry that means nothing to packets.

use std::collections::HashMap;

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::action_profile_action::WatchKind;
use vouch_p4runtime::p4::v1::table_action::Type;
use vouch_switch::{EntryKey, Micros, TableId};

use super::Target;
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
    /// How a one-shot set says that its member is chosen, and that its size is counted; the default may mean the same.
    pub(super) selection_mode: i32,
    pub(super) size_semantics: i32,
    /// A one-shot set names the ports that it watches by the deprecated number.
    pub(super) watches_numbers: bool,
}

impl Note {
    #[allow(deprecated)]
    pub(super) fn of(entry: &v1::TableEntry) -> Note {
        let set = match entry.action.as_ref().and_then(|action| action.r#type.as_ref()) {
            Some(Type::ActionProfileActionSet(set)) => Some(set),
            _ => None,
        };
        let by_number = |member: &v1::ActionProfileAction| matches!(member.watch_kind, Some(WatchKind::Watch(_)));
        Note {
            metadata: entry.metadata.clone(),
            controller_metadata: entry.controller_metadata,
            idle_timeout_ns: entry.idle_timeout_ns,
            selection_mode: set.map_or(0, |set| set.action_selection_mode),
            size_semantics: set.map_or(0, |set| set.size_semantics),
            watches_numbers: set.is_some_and(|set| set.action_profile_actions.iter().any(by_number)),
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

/// Changes that come from elsewhere than from a controller.
impl Target {
    /// An entry is gone.
    pub(crate) fn forget_entry(&mut self, table: TableId, key: &EntryKey) {
        self.renote(table, key, |_| Note::default());
    }

    /// An entry has another idle timeout.
    pub(crate) fn note_idle_timeout(&mut self, table: TableId, key: &EntryKey, timeout: Micros) {
        let idle_timeout_ns = i64::try_from(timeout.0.saturating_mul(1000)).unwrap_or(i64::MAX);
        self.renote(table, key, |note| Note { idle_timeout_ns, ..note });
    }

    fn renote(&mut self, table: TableId, key: &EntryKey, change: impl FnOnce(Note) -> Note) {
        let schema = self.schema.clone();
        // Without a P4Info there is nobody to note anything for.
        if let Some(table) = schema.table_ids.get(&table).and_then(|id| schema.tables.get(id)) {
            let note = change(self.tables.of(table, key));
            self.tables.set(table.engine, &normal_key(table, key), note);
        }
    }
}
