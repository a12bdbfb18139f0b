//! What tables hold, as it is shown.

use vouch_p4runtime::value::canonical;
use vouch_switch::{ActionCall, EntryAction, EntryView, Micros, Program, Switch, TableId, TableInfo};

use super::api::standard::{
    BmActionEntry, BmActionEntryType, BmAddEntryOptions, BmMatchParam, BmMtEntry, BmMtEntryLife,
    TableOperationErrorCode as Code, TableReads,
};
use super::keys;
use super::services::Services;
use super::tables::{Done, Kind, find, handle_of};
use crate::commands::shown_priority;

/// The name and the parameters of an action, these in as few bytes as they take.
pub(super) fn shown_call(program: &Program, call: &ActionCall) -> (String, Vec<Vec<u8>>) {
    let name = program.action_info(call.action).map(|info| info.name.clone()).unwrap_or_default();
    (name, call.params.iter().map(|param| canonical(param).to_vec()).collect())
}

fn shown_action(program: &Program, action: &EntryAction, indirect: bool) -> BmActionEntry {
    let of = |action_type| BmActionEntry { action_type, ..Default::default() };
    match action {
        // The default of an indirect table that nobody has set.
        EntryAction::Call(_) if indirect => of(BmActionEntryType::None),
        EntryAction::Call(call) => {
            let (name, data) = shown_call(program, call);
            BmActionEntry { action_name: Some(name), action_data: Some(data), ..of(BmActionEntryType::ActionData) }
        }
        EntryAction::Member(id) => {
            BmActionEntry { mbr_handle: Some(handle_of(*id)), ..of(BmActionEntryType::MbrHandle) }
        }
        EntryAction::Group(id) => {
            BmActionEntry { grp_handle: Some(handle_of(*id)), ..of(BmActionEntryType::GrpHandle) }
        }
        // A set of one entry alone, which only P4Runtime has, has no handle.
        EntryAction::OneShot(_) => of(BmActionEntryType::None),
    }
}

fn shown(switch: &Switch, info: &TableInfo, handle: i32, view: &EntryView, now: Micros) -> BmMtEntry {
    let entry = &view.entry;
    let milliseconds = |time: Micros| i32::try_from(time.0 / 1000).unwrap_or(i32::MAX);
    // The reference shows -1 where a table has no priorities.
    let priority = Some(if info.needs_priority { shown_priority(entry.key.priority) } else { -1 });
    BmMtEntry {
        match_key: keys::shown(&entry.key.matches),
        options: BmAddEntryOptions { priority },
        entry_handle: handle,
        action_entry: shown_action(switch.program(), &entry.action, info.profile.is_some()),
        life: (entry.idle_timeout.0 > 0).then(|| BmMtEntryLife {
            timeout_ms: milliseconds(entry.idle_timeout),
            time_since_hit_ms: milliseconds(now.since(view.last_hit)),
        }),
    }
}

fn default_of(switch: &Switch, (id, info): (TableId, &TableInfo)) -> Done<BmActionEntry> {
    let action = switch.default_entry(id)?.action;
    Ok(action
        .map_or_else(BmActionEntry::default, |action| shown_action(switch.program(), &action, info.profile.is_some())))
}

impl TableReads for Services {
    fn bm_mt_get_entries(&self, _: i32, table: String) -> Done<Vec<BmMtEntry>> {
        self.with(|running, memory| {
            let switch = running.switch();
            // An unknown table is an empty one here.
            let Ok((id, info)) = find(switch.program(), &table, Kind::Any) else { return Ok(Vec::new()) };
            let entries = memory.handles(switch, id).all();
            entries
                .map(|(handle, key)| Ok(shown(switch, info, handle, &switch.entry(id, key)?, running.now())))
                .collect()
        })
    }

    fn bm_mt_get_entry(&self, _: i32, table: String, handle: i32) -> Done<BmMtEntry> {
        self.on_entry((&table, Kind::Any), handle, |running, (id, info), key| {
            Ok(shown(running.switch(), info, handle, &running.switch().entry(id, &key)?, running.now()))
        })
    }

    fn bm_mt_get_default_entry(&self, _: i32, table: String) -> Done<BmActionEntry> {
        self.with(|running, _| default_of(running.switch(), find(running.switch().program(), &table, Kind::Any)?))
    }

    fn bm_mt_get_entry_from_key(
        &self,
        _: i32,
        table: String,
        key: Vec<BmMatchParam>,
        options: BmAddEntryOptions,
    ) -> Done<BmMtEntry> {
        self.with(|running, memory| {
            let switch = running.switch();
            let (id, info) = find(switch.program(), &table, Kind::Any)?;
            if key.is_empty() && !info.key.is_empty() {
                let action_entry = default_of(switch, (id, info))?;
                return Ok(BmMtEntry { action_entry, ..Default::default() });
            }
            let key = keys::key(info, &key, options.priority).ok_or(Code::BadMatchKey)?;
            let view = switch.entry(id, &key).map_err(|_| Code::BadMatchKey)?;
            let handle = memory.handles(switch, id).handle(&view.entry.key).ok_or(Code::BadMatchKey)?;
            Ok(shown(switch, info, handle, &view, running.now()))
        })
    }
}
