//! Entries and defaults of tables: direct ones, those of action profiles, and those of profiles with a selector.

use vouch_switch::{ActionCall, EntryAction, EntryKey, Micros, Program, TableEntry, TableId, TableInfo};
use vouch_switch_server::Running;

use super::api::standard::{
    BmAddEntryOptions, BmMatchParam, InvalidTableOperation, TableOperationErrorCode as Code, Tables,
};
use super::keys;
use super::services::{Memory, Services};
use super::wire::Failure;

pub(super) type Refused = Failure<InvalidTableOperation>;
pub(super) type Done<T> = Result<T, Refused>;

/// What kind of table a call is for. Those with a selector are indirect as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Direct,
    Indirect,
    Selecting,
}

/// The table of this name, if it is of this kind.
pub(super) fn find<'p>(program: &'p Program, name: &str, kind: Kind) -> Result<(TableId, &'p TableInfo), Code> {
    let id = program.table(name).ok_or(Code::InvalidTableName)?;
    let info = program.table_info(id).ok_or(Code::InvalidTableName)?;
    let selects = info.profile.and_then(|profile| program.profile_info(profile)).is_some_and(|it| it.selector);
    let fits = match kind {
        Kind::Any => true,
        Kind::Direct => info.profile.is_none(),
        Kind::Indirect => info.profile.is_some(),
        Kind::Selecting => selects,
    };
    if fits { Ok((id, info)) } else { Err(Code::WrongTableType) }
}

/// The id of a member or group, which is one more than its handle since P4Runtime has no id 0.
pub(super) fn id_of(handle: i32) -> Option<u32> {
    u32::try_from(handle).ok().map(|handle| handle + 1)
}

/// The handle of a member or group.
pub(super) fn handle_of(id: u32) -> i32 {
    id.wrapping_sub(1).cast_signed()
}

/// A member of the table's action profile.
fn member(running: &Running<'_>, info: &TableInfo, handle: i32) -> Result<EntryAction, Code> {
    let (profile, id) = info.profile.zip(id_of(handle)).ok_or(Code::InvalidMbrHandle)?;
    running.switch().member(profile, id).map_err(|_| Code::InvalidMbrHandle)?;
    Ok(EntryAction::Member(id))
}

/// A group of the table's action profile. Entries may only use it if it has members.
fn group(running: &Running<'_>, info: &TableInfo, handle: i32, for_entry: bool) -> Result<EntryAction, Code> {
    let (profile, id) = info.profile.zip(id_of(handle)).ok_or(Code::InvalidGrpHandle)?;
    let group = running.switch().group(profile, id).map_err(|_| Code::InvalidGrpHandle)?;
    if for_entry && group.members.is_empty() { Err(Code::EmptyGrp) } else { Ok(EntryAction::Group(id)) }
}

/// An action of the table, for an entry unless it is for the default.
fn action(
    running: &Running<'_>,
    (id, info): (TableId, &TableInfo),
    name: &str,
    data: &[Vec<u8>],
    for_entry: bool,
) -> Result<EntryAction, Code> {
    let program = running.switch().program();
    let action = program.table_action(id, name).ok_or(Code::InvalidActionName)?;
    if for_entry && info.const_entries {
        return Err(Code::ImmutableTableEntries);
    }
    if !for_entry && info.const_default {
        return Err(Code::DefaultEntryIsConst);
    }
    let known = program.action_info(action).ok_or(Code::InvalidActionName)?;
    let params = keys::params(&known.params, data).ok_or(Code::BadActionData)?;
    Ok(EntryAction::Call(ActionCall { action, params }))
}

type Action<'a> = &'a dyn Fn(&Running<'_>, (TableId, &TableInfo)) -> Result<EntryAction, Code>;

impl Services {
    fn add(
        &self,
        (table, kind): (&str, Kind),
        key: &[BmMatchParam],
        options: &BmAddEntryOptions,
        action: Action<'_>,
    ) -> Done<i32> {
        self.with(|running, memory| {
            let program = running.switch().program().clone();
            let (id, info) = find(&program, table, kind)?;
            let action = action(running, (id, info))?;
            if info.key.is_empty() {
                return Err(Code::NoTableKey.into());
            }
            let key = keys::key(info, key, options.priority).ok_or(Code::BadMatchKey)?;
            let handles = memory.handles(running.switch(), id);
            let entry = TableEntry { key, action, idle_timeout: Micros(0), meter: None };
            running.switch().insert_entry(id, &entry, running.now())?;
            // As the engine spells it, which is how it will be found again.
            let key = running.switch().entry(id, &entry.key)?.entry.key;
            Ok(handles.added(&key))
        })
    }

    fn change(
        &self,
        (table, kind): (&str, Kind),
        handle: i32,
        change: impl FnOnce(&Running<'_>, (TableId, &TableInfo), &mut TableEntry) -> Result<(), Code>,
    ) -> Done<()> {
        self.on_entry((table, kind), handle, |running, (id, info), key| {
            let mut entry = running.switch().entry(id, &key)?.entry;
            change(running, (id, info), &mut entry)?;
            Ok(running.modify_entry(id, &entry)?)
        })
    }

    fn remove(&self, (table, kind): (&str, Kind), handle: i32) -> Done<()> {
        self.with(|running, memory| {
            let program = running.switch().program().clone();
            let (id, info) = find(&program, table, kind)?;
            if info.const_entries {
                return Err(Code::ImmutableTableEntries.into());
            }
            let handles = memory.handles(running.switch(), id);
            let key = handles.key(handle)?.clone();
            running.delete_entry(id, &key)?;
            handles.removed(&key);
            Ok(())
        })
    }

    /// Do something with the entry of a handle.
    pub(super) fn on_entry<T>(
        &self,
        (table, kind): (&str, Kind),
        handle: i32,
        call: impl FnOnce(&mut Running<'_>, (TableId, &TableInfo), EntryKey) -> Done<T>,
    ) -> Done<T> {
        self.with(|running, memory| {
            let program = running.switch().program().clone();
            let (id, info) = find(&program, table, kind)?;
            let key = memory.handles(running.switch(), id).key(handle)?.clone();
            call(running, (id, info), key)
        })
    }

    fn set_default(&self, (table, kind): (&str, Kind), action: Option<Action<'_>>) -> Done<()> {
        self.with(|running, _| {
            let program = running.switch().program().clone();
            let (id, info) = find(&program, table, kind)?;
            let action = action.map(|action| action(running, (id, info))).transpose()?;
            if info.const_default {
                // What cannot be changed is as it was.
                return if action.is_none() { Ok(()) } else { Err(Code::DefaultEntryIsConst.into()) };
            }
            Ok(running.switch().set_default(id, action.as_ref())?)
        })
    }

    fn set_ttl(&self, table: (&str, Kind), handle: i32, timeout_ms: i32) -> Done<()> {
        self.change(table, handle, |_, (_, info), entry| {
            if !info.idle_timeout {
                return Err(Code::AgeingDisabled);
            }
            entry.idle_timeout = Micros(u64::from(timeout_ms.cast_unsigned()) * 1000);
            Ok(())
        })
    }
}

/// Remove all entries but those that the program fixed.
fn clear(running: &mut Running<'_>, memory: &mut Memory, id: TableId) -> Done<()> {
    let switch = running.switch().clone();
    let removable = switch.entries(id)?.into_iter().filter(|view| !view.is_const);
    switch
        .together(|| removable.map(|view| running.delete_entry(id, &view.entry.key)).collect::<Result<Vec<_>, _>>())?;
    memory.forget_handles(id);
    Ok(())
}

impl Tables for Services {
    fn bm_mt_get_num_entries(&self, _: i32, table: String) -> Done<i64> {
        self.with(|running, _| {
            let (id, _) = find(running.switch().program(), &table, Kind::Any)?;
            Ok(i64::try_from(running.switch().entry_count(id)?).unwrap_or(i64::MAX))
        })
    }

    fn bm_mt_clear_entries(&self, _: i32, table: String, reset_default_entry: bool) -> Done<()> {
        self.with(|running, memory| {
            let program = running.switch().program().clone();
            let (id, info) = find(&program, &table, Kind::Any)?;
            if !info.const_entries {
                clear(running, memory, id)?;
            }
            if reset_default_entry && !info.const_default {
                running.switch().set_default(id, None)?;
            }
            Ok(())
        })
    }

    fn bm_mt_add_entry(
        &self,
        _: i32,
        table: String,
        key: Vec<BmMatchParam>,
        name: String,
        data: Vec<Vec<u8>>,
        options: BmAddEntryOptions,
    ) -> Done<i32> {
        let action: Action<'_> = &|running, table| action(running, table, &name, &data, true);
        self.add((&table, Kind::Direct), &key, &options, action)
    }

    fn bm_mt_set_default_action(&self, _: i32, table: String, name: String, data: Vec<Vec<u8>>) -> Done<()> {
        let action: Action<'_> = &|running, table| action(running, table, &name, &data, false);
        self.set_default((&table, Kind::Direct), Some(action))
    }

    fn bm_mt_reset_default_entry(&self, _: i32, table: String) -> Done<()> {
        self.set_default((&table, Kind::Direct), None)
    }

    fn bm_mt_delete_entry(&self, _: i32, table: String, handle: i32) -> Done<()> {
        self.remove((&table, Kind::Direct), handle)
    }

    fn bm_mt_modify_entry(&self, _: i32, table: String, handle: i32, name: String, data: Vec<Vec<u8>>) -> Done<()> {
        // What is wrong with the action is told before what is wrong with the handle.
        self.with(|running, _| {
            let found = find(running.switch().program(), &table, Kind::Direct)?;
            Ok(action(running, found, &name, &data, true)?)
        })?;
        self.change((&table, Kind::Direct), handle, |running, table, entry| {
            entry.action = action(running, table, &name, &data, true)?;
            Ok(())
        })
    }

    fn bm_mt_set_entry_ttl(&self, _: i32, table: String, handle: i32, timeout_ms: i32) -> Done<()> {
        self.set_ttl((&table, Kind::Direct), handle, timeout_ms)
    }

    fn bm_mt_indirect_add_entry(
        &self,
        _: i32,
        table: String,
        key: Vec<BmMatchParam>,
        handle: i32,
        options: BmAddEntryOptions,
    ) -> Done<i32> {
        self.add((&table, Kind::Indirect), &key, &options, &|running, (_, info)| member(running, info, handle))
    }

    fn bm_mt_indirect_modify_entry(&self, _: i32, table: String, entry: i32, handle: i32) -> Done<()> {
        self.change((&table, Kind::Indirect), entry, |running, (_, info), entry| {
            entry.action = member(running, info, handle)?;
            Ok(())
        })
    }

    fn bm_mt_indirect_delete_entry(&self, _: i32, table: String, handle: i32) -> Done<()> {
        self.remove((&table, Kind::Indirect), handle)
    }

    fn bm_mt_indirect_set_entry_ttl(&self, _: i32, table: String, handle: i32, timeout_ms: i32) -> Done<()> {
        self.set_ttl((&table, Kind::Indirect), handle, timeout_ms)
    }

    fn bm_mt_indirect_set_default_member(&self, _: i32, table: String, handle: i32) -> Done<()> {
        self.set_default((&table, Kind::Indirect), Some(&|running, (_, info)| member(running, info, handle)))
    }

    fn bm_mt_indirect_reset_default_entry(&self, _: i32, table: String) -> Done<()> {
        self.set_default((&table, Kind::Indirect), None)
    }

    fn bm_mt_indirect_ws_add_entry(
        &self,
        _: i32,
        table: String,
        key: Vec<BmMatchParam>,
        handle: i32,
        options: BmAddEntryOptions,
    ) -> Done<i32> {
        self.add((&table, Kind::Selecting), &key, &options, &|running, (_, info)| group(running, info, handle, true))
    }

    fn bm_mt_indirect_ws_modify_entry(&self, _: i32, table: String, entry: i32, handle: i32) -> Done<()> {
        self.change((&table, Kind::Selecting), entry, |running, (_, info), entry| {
            entry.action = group(running, info, handle, true)?;
            Ok(())
        })
    }

    fn bm_mt_indirect_ws_set_default_group(&self, _: i32, table: String, handle: i32) -> Done<()> {
        self.set_default((&table, Kind::Selecting), Some(&|running, (_, info)| group(running, info, handle, false)))
    }
}
