//! The entries and the default action of one table.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::code::ConstCall;
use crate::error::ControlError;
use crate::ids::{Micros, TableId};
use crate::program::Program;
use crate::state::Tables;
use crate::state::entry::{self, Call, Cells, Effect, Entry, Share};
use crate::state::lookup::{self, Lookup};
use crate::types::{DefaultView, EntryAction, EntryKey, EntryView, IdleEntry, OneShot, TableEntry};

/// One table's state. Copies share what they have in common.
#[derive(Clone, Debug)]
pub(crate) struct TableState {
    index: Box<dyn Lookup>,
    pub(crate) default: Option<Default>,
    /// The direct counter and meter of the default entry.
    pub(crate) missed: Arc<Cells>,
    /// Entries ever added.
    added: u64,
    /// Entries ever removed.
    removed: u64,
    /// Entries with an idle timeout.
    timed: usize,
}

/// What a miss does.
#[derive(Clone, Debug)]
pub(crate) struct Default {
    pub(crate) effect: Effect,
    is_initial: bool,
}

impl TableState {
    pub(crate) fn new(program: &Program, table: usize) -> Self {
        let (info, code) = (&program.tables[table], &program.code.tables[table]);
        let default = code.default.as_ref().map(initial);
        let index = lookup::index(code.layout.style, code.layout.words);
        let mut state =
            Self { index, default, missed: Cells::new(info, Micros(0)).into(), added: 0, removed: 0, timed: 0 };
        for constant in &code.entries {
            let Default { effect, .. } = initial(&constant.call);
            let packed = constant.packed.clone();
            let age = state.added;
            let cells = Arc::new(Cells::new(info, Micros(0)));
            state.add(Entry { effect, cells, packed, age, is_const: true, idle_timeout: 0 });
        }
        state
    }

    /// The entry that a packet's key hits.
    #[inline]
    pub(crate) fn lookup(&self, key: &[u64]) -> Option<&Entry> {
        self.index.lookup(key).map(|entry| &**entry)
    }

    pub(crate) fn count(&self) -> u64 {
        self.index.len() as u64
    }

    /// How often an entry came or went.
    pub(crate) fn changes(&self) -> u64 {
        self.added + self.removed
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.index.entries().map(|entry| &**entry)
    }

    fn add(&mut self, entry: Entry) {
        self.added += 1;
        self.timed += usize::from(entry.idle_timeout > 0);
        self.index.insert(Arc::new(entry));
    }

    fn remove(&mut self, entry: &Entry) {
        self.removed += 1;
        self.timed -= usize::from(entry.idle_timeout > 0);
        self.index.remove(&entry.packed);
    }

    /// Puts an entry in the place of one with its key.
    fn replace(&mut self, old: &Entry, new: Entry) {
        self.timed -= usize::from(old.idle_timeout > 0);
        self.timed += usize::from(new.idle_timeout > 0);
        self.index.replace(Arc::new(new));
    }
}

fn initial(call: &ConstCall) -> Default {
    Default { effect: Effect::Call(Call { action: call.action, params: call.params.clone().into() }), is_initial: true }
}

/// Control calls on tables. The caller has checked that the table exists.
impl Tables {
    pub(crate) fn insert_entry(
        &mut self,
        program: &Program,
        table: TableId,
        entry: &TableEntry,
        now: Micros,
    ) -> Result<(), ControlError> {
        let (info, code) = (&program.tables[table.index()], &program.code.tables[table.index()]);
        if info.const_entries {
            return Err(ControlError::ConstEntries);
        }
        let packed = entry::pack(info, code, &entry.key)?;
        let state = &self.tables[table.index()];
        if state.index.find(&packed).is_some() {
            return Err(ControlError::EntryExists);
        }
        if state.count() >= info.size {
            return Err(ControlError::TableFull { size: info.size });
        }
        let effect = self.check_action(program, table, &entry.action)?;
        check_extras(program, table, entry)?;
        self.hold(program, table, &effect, true)?;
        let cells = Cells::new(info, now);
        if let Some(meter) = &cells.meter {
            meter.configure(entry.meter);
        }
        let state = self.table_mut(table);
        let age = state.added;
        state.add(Entry {
            effect,
            cells: Arc::new(cells),
            packed,
            age,
            is_const: false,
            idle_timeout: entry.idle_timeout.0,
        });
        Ok(())
    }

    pub(crate) fn modify_entry(
        &mut self,
        program: &Program,
        table: TableId,
        entry: &TableEntry,
        now: Micros,
    ) -> Result<(), ControlError> {
        let old = self.writable(program, table, &entry.key)?;
        let effect = self.check_action(program, table, &entry.action)?;
        check_extras(program, table, entry)?;
        self.hold(program, table, &effect, true)?;
        self.hold(program, table, &old.effect, false)?;
        let cells = old.cells.clone();
        if let Some(meter) = &cells.meter
            && meter.config() != entry.meter
        {
            meter.configure(entry.meter);
        }
        cells.last_hit.store(now.0, Relaxed);
        cells.reported.store(0, Relaxed);
        let (packed, age, idle_timeout) = (old.packed.clone(), old.age, entry.idle_timeout.0);
        let new = Entry { effect, cells, packed, age, is_const: false, idle_timeout };
        self.table_mut(table).replace(&old, new);
        Ok(())
    }

    pub(crate) fn delete_entry(
        &mut self,
        program: &Program,
        table: TableId,
        key: &EntryKey,
    ) -> Result<(), ControlError> {
        let entry = self.writable(program, table, key)?;
        self.table_mut(table).remove(&entry);
        self.hold(program, table, &entry.effect, false)
    }

    pub(crate) fn entry(&self, program: &Program, table: TableId, key: &EntryKey) -> Result<&Arc<Entry>, ControlError> {
        let (info, code) = (&program.tables[table.index()], &program.code.tables[table.index()]);
        let packed = entry::pack(info, code, key)?;
        self.tables[table.index()].index.find(&packed).ok_or(ControlError::EntryNotFound)
    }

    /// What packets write of an entry, or without a key of the default entry.
    pub(crate) fn cells(
        &self,
        program: &Program,
        table: TableId,
        key: Option<&EntryKey>,
    ) -> Result<&Cells, ControlError> {
        match key {
            Some(key) => self.entry(program, table, key).map(|entry| &*entry.cells),
            None => Ok(&self.tables[table.index()].missed),
        }
    }

    pub(crate) fn set_default(
        &mut self,
        program: &Program,
        table: TableId,
        action: Option<&EntryAction>,
    ) -> Result<(), ControlError> {
        let info = &program.tables[table.index()];
        if info.const_default {
            return Err(ControlError::ConstDefault);
        }
        let new = match action {
            None => program.code.tables[table.index()].default.as_ref().map(initial),
            Some(action) => {
                let effect = self.check_action(program, table, action)?;
                self.hold(program, table, &effect, true)?;
                Some(Default { effect, is_initial: false })
            }
        };
        let old = core::mem::replace(&mut self.table_mut(table).default, new);
        match old {
            Some(old) => self.hold(program, table, &old.effect, false),
            None => Ok(()),
        }
    }

    pub(crate) fn default_entry(&self, program: &Program, table: TableId) -> DefaultView {
        let TableState { default, missed, .. } = &*self.tables[table.index()];
        DefaultView {
            action: default.as_ref().map(|default| default.effect.written(program)),
            is_initial: default.as_ref().is_none_or(|default| default.is_initial),
            meter: missed.meter_config(),
            colors: missed.meter_colors(),
            counter: missed.counter.get(),
        }
    }

    pub(crate) fn sweep(&self, program: &Program, now: Micros) -> Vec<IdleEntry> {
        let mut idle = Vec::new();
        for (table, state) in self.tables.iter().enumerate().filter(|(_, state)| state.timed > 0) {
            for entry in state.iter().filter(|entry| entry.idle_timeout > 0) {
                let reported = entry.cells.reported.load(Relaxed);
                let since = entry.cells.last_hit.load(Relaxed).max(reported);
                if now.0.saturating_sub(since) >= entry.idle_timeout {
                    entry.cells.reported.store(now.0, Relaxed);
                    let table = TableId(table as u32);
                    idle.push(IdleEntry { table, entry: view(program, table, entry) });
                }
            }
        }
        idle
    }

    /// The entry with this key, if it may be changed.
    fn writable(&self, program: &Program, table: TableId, key: &EntryKey) -> Result<Arc<Entry>, ControlError> {
        if program.tables[table.index()].const_entries {
            return Err(ControlError::ConstEntries);
        }
        self.entry(program, table, key).cloned()
    }

    fn table_mut(&mut self, table: TableId) -> &mut TableState {
        Arc::make_mut(&mut self.tables[table.index()])
    }

    fn check_action(&self, program: &Program, table: TableId, action: &EntryAction) -> Result<Effect, ControlError> {
        let info = &program.tables[table.index()];
        let check = |call| entry::call(program, |action| info.actions.contains(&action), call);
        match (action, info.profile) {
            (EntryAction::Call(call), None) => check(call).map(Effect::Call),
            (EntryAction::Member(id), Some(_)) => Ok(Effect::Member(*id)),
            (EntryAction::Group(id), Some(_)) => Ok(Effect::Group(*id)),
            (EntryAction::OneShot(OneShot { members, selection }), Some(profile)) => {
                if !program.profiles[profile.index()].selector {
                    return Err(ControlError::NoSelector);
                }
                let mut shares = Vec::new();
                for (position, member) in members.iter().enumerate() {
                    if member.weight < 1 {
                        return Err(ControlError::Weight { member: position as u32 });
                    }
                    let call = check(&member.call)?;
                    shares.push(Share { call, weight: member.weight, watch_port: member.watch_port });
                }
                Ok(Effect::OneShot(shares, *selection))
            }
            (EntryAction::Call(_), Some(_))
            | (EntryAction::Member(_) | EntryAction::Group(_) | EntryAction::OneShot(_), None) => {
                Err(ControlError::Implementation { table, profile: info.profile })
            }
        }
    }

    /// Counts the use of a member or group in or out.
    fn hold(&mut self, program: &Program, table: TableId, effect: &Effect, on: bool) -> Result<(), ControlError> {
        let Some(profile) = program.tables[table.index()].profile else { return Ok(()) };
        let profile = self.profile_mut(profile);
        match effect {
            Effect::Member(id) => profile.use_member(*id, on),
            Effect::Group(id) => profile.use_group(*id, on),
            Effect::Call(_) | Effect::OneShot(..) => Ok(()),
        }
    }
}

fn check_extras(program: &Program, table: TableId, entry: &TableEntry) -> Result<(), ControlError> {
    let info = &program.tables[table.index()];
    if entry.idle_timeout.0 > 0 && !info.idle_timeout {
        return Err(ControlError::NotSupportedByTable { what: "idle timeout" });
    }
    if entry.meter.is_some() && info.direct_meter.is_none() {
        return Err(ControlError::NotSupportedByTable { what: "direct meter" });
    }
    entry::check_rates(entry.meter)
}

/// An entry as it is read back.
pub(crate) fn view(program: &Program, table: TableId, entry: &Entry) -> EntryView {
    EntryView {
        entry: TableEntry {
            key: entry.key(program, table.index()),
            action: entry.effect.written(program),
            idle_timeout: Micros(entry.idle_timeout),
            meter: entry.cells.meter_config(),
        },
        is_const: entry.is_const,
        colors: entry.cells.meter_colors(),
        counter: entry.cells.counter.get(),
        last_hit: Micros(entry.cells.last_hit.load(Relaxed)),
    }
}
