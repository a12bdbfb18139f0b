//! The entries and the default action of one table.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::code::ConstCall;
use crate::error::ControlError;
use crate::ids::{Micros, TableId};
use crate::program::Program;
use crate::state::Tables;
use crate::state::arrays::{Counter, Meter};
use crate::state::entry::{self, Call, Entry, Run, Share};
use crate::state::lookup::{Exact, ExactWord, Lookup, Masked};
use crate::types::{DefaultView, EntryAction, EntryKey, EntryView, IdleEntry, MatchKind, TableEntry};

/// One table's state.
#[derive(Debug)]
pub(crate) struct TableState {
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    index: Box<dyn Lookup>,
    pub(crate) default: Option<Default>,
}

/// What a miss does.
#[derive(Clone, Debug)]
pub(crate) struct Default {
    written: EntryAction,
    pub(crate) run: Run,
    is_initial: bool,
}

impl TableState {
    pub(crate) fn new(program: &Program, table: usize) -> Self {
        let (info, code) = (&program.tables[table], &program.code.tables[table]);
        let exact = info.key.iter().all(|field| matches!(field.kind, MatchKind::Exact | MatchKind::Valid));
        let index: Box<dyn Lookup> = match (exact, code.key_limbs) {
            (true, 1) => Box::new(ExactWord::default()),
            (true, _) => Box::new(Exact::default()),
            (false, _) => Box::new(Masked::default()),
        };
        let default = code.default.as_ref().map(|call| initial(program, call));
        let mut state = Self { entries: Vec::new(), free: Vec::new(), index, default };
        for constant in &code.entries {
            let Ok((key, packed)) = entry::pack(info, code, &constant.key) else { continue };
            let Default { written, run, .. } = initial(program, &constant.call);
            state.add(Entry {
                key,
                packed,
                written,
                run,
                is_const: true,
                idle_timeout: 0,
                counter: Counter::default(),
                meter: Meter::default(),
                last_hit: AtomicU64::new(0),
                reported: AtomicU64::new(0),
            });
        }
        state
    }

    /// The entry that a packet's key hits.
    pub(crate) fn lookup(&self, key: &[u64]) -> Option<&Entry> {
        self.index.lookup(key).and_then(|at| self.entries[at as usize].as_ref())
    }

    pub(crate) fn count(&self) -> u64 {
        (self.entries.len() - self.free.len()) as u64
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().flatten()
    }

    fn add(&mut self, entry: Entry) {
        let at = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            (self.entries.len() - 1) as u32
        });
        self.index.insert(&entry.packed, at);
        self.entries[at as usize] = Some(entry);
    }
}

fn initial(program: &Program, call: &ConstCall) -> Default {
    Default {
        written: EntryAction::Call(entry::written(program, call.action, &call.params)),
        run: Run::Call(Call { action: call.action, params: call.params.clone().into() }),
        is_initial: true,
    }
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
        let (key, packed) = entry::pack(info, code, &entry.key)?;
        let state = &self.tables[table.index()];
        if state.index.find(&packed).is_some() {
            return Err(ControlError::EntryExists);
        }
        if state.count() >= info.size {
            return Err(ControlError::TableFull { size: info.size });
        }
        let (written, run) = self.check_action(program, table, &entry.action)?;
        check_extras(program, table, entry)?;
        self.hold(program, table, &written, true)?;
        let meter = Meter::default();
        meter.configure(entry.meter);
        self.tables[table.index()].add(Entry {
            key,
            packed,
            written,
            run,
            is_const: false,
            idle_timeout: entry.idle_timeout.0,
            counter: Counter::default(),
            meter,
            last_hit: AtomicU64::new(now.0),
            reported: AtomicU64::new(0),
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
        let at = self.writable(program, table, &entry.key)?;
        let (written, run) = self.check_action(program, table, &entry.action)?;
        check_extras(program, table, entry)?;
        self.hold(program, table, &written, true)?;
        let slot = self.tables[table.index()].entries[at].as_mut().expect("the index leads to entries");
        let old = core::mem::replace(&mut slot.written, written);
        slot.run = run;
        slot.idle_timeout = entry.idle_timeout.0;
        if slot.meter.config() != entry.meter {
            slot.meter.configure(entry.meter);
        }
        slot.last_hit.store(now.0, Relaxed);
        slot.reported.store(0, Relaxed);
        self.hold(program, table, &old, false)
    }

    pub(crate) fn delete_entry(
        &mut self,
        program: &Program,
        table: TableId,
        key: &EntryKey,
    ) -> Result<EntryView, ControlError> {
        let at = self.writable(program, table, key)?;
        let state = &mut self.tables[table.index()];
        let entry = state.entries[at].take().expect("the index leads to entries");
        state.index.remove(&entry.packed);
        state.free.push(at as u32);
        self.hold(program, table, &entry.written, false)?;
        Ok(view(&entry))
    }

    pub(crate) fn entry(&self, program: &Program, table: TableId, key: &EntryKey) -> Result<&Entry, ControlError> {
        let (info, code) = (&program.tables[table.index()], &program.code.tables[table.index()]);
        let (_, packed) = entry::pack(info, code, key)?;
        let state = &self.tables[table.index()];
        let at = state.index.find(&packed).ok_or(ControlError::EntryNotFound)?;
        Ok(state.entries[at as usize].as_ref().expect("the index leads to entries"))
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
            None => program.code.tables[table.index()].default.as_ref().map(|call| initial(program, call)),
            Some(action) => {
                let (written, run) = self.check_action(program, table, action)?;
                self.hold(program, table, &written, true)?;
                Some(Default { written, run, is_initial: false })
            }
        };
        let old = core::mem::replace(&mut self.tables[table.index()].default, new);
        match old {
            Some(old) => self.hold(program, table, &old.written, false),
            None => Ok(()),
        }
    }

    pub(crate) fn default_entry(&self, table: TableId) -> DefaultView {
        let default = &self.tables[table.index()].default;
        DefaultView {
            action: default.as_ref().map(|default| default.written.clone()),
            is_initial: default.as_ref().is_none_or(|default| default.is_initial),
        }
    }

    pub(crate) fn sweep(&self, now: Micros) -> Vec<IdleEntry> {
        let mut idle = Vec::new();
        for (table, state) in self.tables.iter().enumerate() {
            for entry in state.iter().filter(|entry| entry.idle_timeout > 0) {
                let reported = entry.reported.load(Relaxed);
                let since = entry.last_hit.load(Relaxed).max(reported);
                if now.0.saturating_sub(since) >= entry.idle_timeout {
                    entry.reported.store(now.0, Relaxed);
                    idle.push(IdleEntry { table: TableId(table as u32), entry: view(entry) });
                }
            }
        }
        idle
    }

    fn writable(&self, program: &Program, table: TableId, key: &EntryKey) -> Result<usize, ControlError> {
        let (info, code) = (&program.tables[table.index()], &program.code.tables[table.index()]);
        if info.const_entries {
            return Err(ControlError::ConstEntries);
        }
        let (_, packed) = entry::pack(info, code, key)?;
        let at = self.tables[table.index()].index.find(&packed).ok_or(ControlError::EntryNotFound)?;
        Ok(at as usize)
    }

    fn check_action(
        &self,
        program: &Program,
        table: TableId,
        action: &EntryAction,
    ) -> Result<(EntryAction, Run), ControlError> {
        let info = &program.tables[table.index()];
        let check = |call| entry::call(program, |action| info.actions.contains(&action), call);
        match (action, info.profile) {
            (EntryAction::Call(call), None) => {
                let (written, call) = check(call)?;
                Ok((EntryAction::Call(written), Run::Call(call)))
            }
            (EntryAction::Member(id), Some(_)) => Ok((action.clone(), Run::Member(*id))),
            (EntryAction::Group(id), Some(_)) => Ok((action.clone(), Run::Group(*id))),
            (EntryAction::OneShot(members), Some(profile)) => {
                if !program.profiles[profile.index()].selector {
                    return Err(ControlError::NoSelector);
                }
                let (mut full, mut shares) = (Vec::new(), Vec::new());
                for (position, member) in members.iter().enumerate() {
                    if member.weight < 1 {
                        return Err(ControlError::Weight { member: position as u32 });
                    }
                    let (written, call) = check(&member.call)?;
                    shares.push(Share { call, weight: member.weight, watch_port: member.watch_port });
                    full.push(crate::types::OneShotMember { call: written, ..member.clone() });
                }
                Ok((EntryAction::OneShot(full), Run::OneShot(shares)))
            }
            (EntryAction::Call(_), Some(_))
            | (EntryAction::Member(_) | EntryAction::Group(_) | EntryAction::OneShot(_), None) => {
                Err(ControlError::Implementation { table, profile: info.profile })
            }
        }
    }

    /// Counts the use of a member or group in or out.
    fn hold(&mut self, program: &Program, table: TableId, action: &EntryAction, on: bool) -> Result<(), ControlError> {
        let Some(profile) = program.tables[table.index()].profile else { return Ok(()) };
        let profile = &mut self.profiles[profile.index()];
        match action {
            EntryAction::Member(id) => profile.use_member(*id, on),
            EntryAction::Group(id) => profile.use_group(*id, on),
            EntryAction::Call(_) | EntryAction::OneShot(_) => Ok(()),
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
pub(crate) fn view(entry: &Entry) -> EntryView {
    EntryView {
        entry: TableEntry {
            key: entry.key.clone(),
            action: entry.written.clone(),
            idle_timeout: Micros(entry.idle_timeout),
            meter: entry.meter.config(),
        },
        is_const: entry.is_const,
        counter: entry.counter.get(),
        last_hit: Micros(entry.last_hit.load(Relaxed)),
    }
}
