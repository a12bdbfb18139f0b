//! Table entries (specification 9.1).

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::table_action::Type as ActionType;
use vouch_switch::{
    ControlError, CounterData, EntryAction, EntryKey, EntryView, IdleEntry, MeterColors, MeterConfig, Micros,
    TableEntry,
};

use super::action::{Use, decode_entry_action, decode_for_table, encode_entry_action};
use super::direct::{check_default_key, decode_colors, decode_meter, encode_colors};
use super::filter::{check_action_filter, check_wildcard, filter};
use super::key::{decode_key, encode_matches, normal_key};
use super::notes::Note;
use super::weight::Part;
use super::{Operation, Target};
use crate::convert::{decode_counter, encode_counter, encode_meter};
use crate::dialect::Dialect;
use crate::fault::{Fault, Outcome};
use crate::schema::{Schema, Table};

// The texts of BMv2's server, which clients compare with.
const NO_IDLE_TIMEOUT: &str = "idle_timeout_ns must be set to 0 for tables which do not support idle timeout";
const LAST_HIT_WRITTEN: &str = "has_time_since_last_hit must not be set in WriteRequest";

impl Target {
    pub(super) fn write_table_entry(&mut self, operation: Operation, entry: &v1::TableEntry, now: Micros) -> Outcome {
        let schema = self.schema.clone();
        let table = schema.table(entry.table_id)?;
        let within = |fault: Fault| fault.within(table.place());
        if entry.time_since_last_hit.is_some() && operation != Operation::Delete {
            return Err(Fault::invalid(LAST_HIT_WRITTEN));
        }
        if entry.is_const {
            return Err(within(Fault::invalid("is_const is set: only the program makes constant entries")));
        }
        if entry.is_default_action {
            return self.write_default(operation, entry).map_err(within);
        }
        if table.is_const {
            return self.write_constant(operation, entry).map_err(within);
        }
        let key = decode_key(table, &entry.r#match, entry.priority).map_err(within)?;
        if operation == Operation::Delete {
            let old = self.held(table, &key).map_err(within)?;
            self.switch.delete_entry(table.engine, &key).map_err(|error| within(error.into()))?;
            self.count_one_shots(table, old.as_ref(), None);
            self.tables.set(table.engine, &key, Note::default());
            return Ok(());
        }
        let kept = match entry.action {
            // What is there goes on, but for direct resources (specification 9.1.2).
            None if operation == Operation::Modify => {
                Some(self.switch.entry(table.engine, &key).map_err(|error| within(error.into()))?.entry)
            }
            _ => None,
        };
        let keeps = kept.is_some();
        if entry.idle_timeout_ns > 0 && !table.info.idle_timeout {
            return Err(Fault::invalid(NO_IDLE_TIMEOUT));
        }
        let resources = decode_resources(table, entry).map_err(within)?;
        let meter = resources.meter;
        let decoded = decode_entry(&schema, table, entry, key, kept, meter, self.dialect).map_err(within)?;
        let old = self.check_style(operation, table, &decoded).map_err(within)?;
        match operation {
            Operation::Insert if table.fields.is_empty() => {
                return Err(within(Fault::invalid("the table has no key: it holds only a default entry")));
            }
            Operation::Insert => {
                self.check_room(table, &decoded.key).map_err(within)?;
                self.switch.insert_entry(table.engine, &decoded, now)
            }
            Operation::Modify | Operation::Delete => self.switch.modify_entry(table.engine, &decoded, now),
        }
        .map_err(|error| within(error.into()))?;
        self.count_one_shots(table, old.as_ref(), Some(&decoded.action));
        self.set_counters(table, Some(&decoded.key), &resources).map_err(within)?;
        if !keeps {
            self.tables.set(table.engine, &decoded.key, Note::of(entry));
        }
        Ok(())
    }

    /// Whether the entry may have what it has beside what the table's action profile holds; also what it had before.
    fn check_style(&self, operation: Operation, table: &Table, new: &TableEntry) -> Outcome<Option<EntryAction>> {
        let Some(profile) = table.info.implementation else { return Ok(None) };
        if matches!(new.action, EntryAction::OneShot(_)) {
            self.styles.check(profile, Part::OneShot)?;
        }
        match operation {
            Operation::Insert => Ok(None),
            Operation::Modify | Operation::Delete => self.held(table, &new.key),
        }
    }

    /// What an entry has of its table's action profile, which counts for the profile's style.
    fn held(&self, table: &Table, key: &EntryKey) -> Outcome<Option<EntryAction>> {
        match table.info.implementation {
            Some(_) => Ok(Some(self.switch.entry(table.engine, key)?.entry.action)),
            None => Ok(None),
        }
    }

    fn count_one_shots(&mut self, table: &Table, old: Option<&EntryAction>, new: Option<&EntryAction>) {
        let Some(profile) = table.info.implementation else { return };
        if let Some(EntryAction::OneShot(_)) = old {
            self.styles.remove(profile, Part::OneShot);
        }
        if let Some(EntryAction::OneShot(_)) = new {
            self.styles.add(profile, Part::OneShot);
        }
    }

    /// Whether the P4Info has room for one more; that the entry may be there already is the engine's matter.
    fn check_room(&self, table: &Table, key: &EntryKey) -> Outcome {
        let full = table.info.size > 0 && self.switch.entry_count(table.engine)? >= table.info.size;
        if full && self.switch.entry(table.engine, key).is_err() {
            return Err(ControlError::TableFull { size: table.info.size }.into());
        }
        Ok(())
    }

    fn write_default(&mut self, operation: Operation, entry: &v1::TableEntry) -> Outcome {
        let table = self.schema.table(entry.table_id)?;
        if operation != Operation::Modify {
            return Err(Fault::invalid("the default entry is always there: it can only be modified"));
        }
        check_default_key(entry)?;
        if entry.idle_timeout_ns != 0 {
            return Err(Fault::invalid("the default entry has no idle timeout"));
        }
        if table.const_default {
            return Err(Fault::permission_denied("the default action is constant"));
        }
        if table.info.implementation.is_some() {
            return Err(Fault::permission_denied("the default action of a table with an action profile is constant"));
        }
        let resources = decode_resources(table, entry)?;
        let action = match entry.action.as_ref().and_then(|action| action.r#type.as_ref()) {
            None => None,
            Some(ActionType::Action(action)) => {
                Some(EntryAction::Call(decode_for_table(&self.schema, table, action, Use::Default)?))
            }
            Some(
                ActionType::ActionProfileMemberId(_)
                | ActionType::ActionProfileGroupId(_)
                | ActionType::ActionProfileActionSet(_),
            ) => return Err(Fault::invalid("the table has no action profile: give an action")),
        };
        self.switch.set_default(table.engine, action.as_ref())?;
        self.set_resources(table, None, &resources)?;
        let note = if action.is_some() { Note::of(entry) } else { Note::default() };
        let engine = table.engine;
        self.tables.defaults.insert(engine, note);
        Ok(())
    }

    /// Of a constant entry only the direct resources can be changed.
    fn write_constant(&mut self, operation: Operation, entry: &v1::TableEntry) -> Outcome {
        let table = self.schema.table(entry.table_id)?;
        if operation != Operation::Modify || entry.action.is_some() {
            return Err(Fault::permission_denied(
                "the table is constant: only direct counters and meters of its entries can be modified, without an action",
            ));
        }
        let key = decode_key(table, &entry.r#match, entry.priority)?;
        let resources = decode_resources(table, entry)?;
        self.switch.entry(table.engine, &key)?;
        self.set_resources(table, Some(&key), &resources)
    }

    /// Set the direct resources of an entry that is there, or without a key of the default one.
    fn set_resources(&self, table: &Table, key: Option<&EntryKey>, resources: &Resources) -> Outcome {
        if table.direct_meter.is_some() {
            self.switch.set_direct_meter(table.engine, key, resources.meter)?;
        }
        self.set_counters(table, key, resources)
    }

    /// The same without the rates of its meter.
    fn set_counters(&self, table: &Table, key: Option<&EntryKey>, resources: &Resources) -> Outcome {
        if let Some(counter) = resources.counter {
            self.switch.set_direct_counter(table.engine, key, counter)?;
        }
        if let Some(colors) = resources.colors {
            self.switch.set_direct_meter_colors(table.engine, key, colors)?;
        }
        Ok(())
    }

    /// An entry as it is stored, with what a write of `key` could change, in the form in which it can be written; `None` where
    /// there is none.
    pub(super) fn stored_entry(&self, operation: Operation, key: &v1::TableEntry) -> Outcome<Option<v1::TableEntry>> {
        let table = self.schema.table(key.table_id)?;
        if key.is_default_action {
            let is_initial = self.switch.default_entry(table.engine)?.is_initial;
            let with_resources = v1::TableEntry { meter_config: Some(v1::MeterConfig::default()), ..key.clone() };
            let default = self.read_default(table, &with_resources)?;
            // Without an action the write sets the program's own again.
            return Ok(default.map(|entry| v1::TableEntry { action: entry.action.filter(|_| !is_initial), ..entry }));
        }
        let decoded = decode_key(table, &key.r#match, key.priority)?;
        let view = self.switch.entry(table.engine, &decoded)?;
        let with_resources = v1::TableEntry {
            // Packets go on counting where the update does not touch the counter.
            counter_data: key.counter_data.or((operation == Operation::Delete).then(Default::default)),
            meter_config: Some(v1::MeterConfig::default()),
            meter_counter_data: key.meter_counter_data.or((operation == Operation::Delete).then(Default::default)),
            ..Default::default()
        };
        let mut stored = self.show(table, &view, &with_resources, Micros(0));
        if view.is_const {
            (stored.is_const, stored.action) = (false, None);
        }
        Ok(Some(stored))
    }

    pub(super) fn read_table_entries(&self, wanted: &v1::TableEntry, now: Micros) -> Outcome<Vec<Kind>> {
        let mut found = Vec::new();
        if wanted.table_id == 0 {
            check_wildcard(wanted)?;
            for table in self.schema.tables.values() {
                if wanted.is_default_action {
                    found.extend(self.read_default(table, wanted)?);
                } else {
                    for view in self.switch.entries(table.engine)? {
                        found.push(self.show(table, &view, wanted, now));
                    }
                }
            }
            return Ok(found.into_iter().map(Kind::TableEntry).collect());
        }
        let table = self.schema.table(wanted.table_id)?;
        let within = |fault: Fault| fault.within(table.place());
        check_action_filter(&self.schema, table, wanted.action.as_ref()).map_err(within)?;
        if wanted.time_since_last_hit.is_some() && !table.info.idle_timeout {
            return Err(within(Fault::invalid("the table does not support idle timeouts")));
        }
        if wanted.is_default_action {
            check_default_key(wanted).map_err(within)?;
            found.extend(self.read_default(table, wanted)?);
        } else if !wanted.r#match.is_empty() && (wanted.priority != 0 || !table.info.needs_priority()) {
            let key = decode_key(table, &wanted.r#match, wanted.priority).map_err(within)?;
            match self.switch.entry(table.engine, &key) {
                Ok(view) => found.push(self.show(table, &view, wanted, now)),
                Err(ControlError::EntryNotFound) => {}
                Err(error) => return Err(within(error.into())),
            }
        } else {
            let matches = match wanted.r#match.as_slice() {
                [] => None,
                given => Some(super::key::decode_matches(&table.fields, given).map_err(within)?),
            };
            for view in self.switch.entries(table.engine)? {
                let key = &view.entry.key;
                let selected = (wanted.priority == 0 || wanted.priority == key.priority)
                    && matches.as_ref().is_none_or(|matches| *matches == normal_key(table, key).matches);
                if selected {
                    found.push(self.show(table, &view, wanted, now));
                }
            }
        }
        found.retain(|entry| filter(entry, wanted));
        Ok(found.into_iter().map(Kind::TableEntry).collect())
    }

    #[allow(deprecated)]
    fn read_default(&self, table: &Table, wanted: &v1::TableEntry) -> Outcome<Option<v1::TableEntry>> {
        let view = self.switch.default_entry(table.engine)?;
        let note = self.tables.defaults.get(&table.engine).cloned().unwrap_or_default();
        let action = match &view.action {
            Some(action) => encode_entry_action(&self.schema, table, action, &note),
            // A default action is always set, even where nobody did: it is the one that does nothing.
            None => match no_action(&self.schema, table) {
                Some(action) => action,
                None => return Ok(None),
            },
        };
        let mut shown = v1::TableEntry {
            table_id: table.info.id,
            action: Some(action),
            is_default_action: true,
            is_const: table.const_default || table.info.implementation.is_some(),
            metadata: note.metadata,
            controller_metadata: note.controller_metadata,
            ..Default::default()
        };
        show_resources(&mut shown, table, wanted, &view.counter, view.meter.as_ref(), &view.colors);
        Ok(Some(shown))
    }

    fn show(&self, table: &Table, view: &EntryView, wanted: &v1::TableEntry, now: Micros) -> v1::TableEntry {
        let entry = &view.entry;
        let note = self.tables.of(table, &entry.key);
        let action = encode_entry_action(&self.schema, table, &entry.action, &note);
        let mut shown = show_key(table, view, note);
        shown.action = Some(action);
        shown.is_const = view.is_const;
        show_resources(&mut shown, table, wanted, &view.counter, entry.meter.as_ref(), &view.colors);
        if wanted.time_since_last_hit.is_some() && table.info.idle_timeout {
            let elapsed_ns = if self.dialect.counts_down() {
                counted_down(shown.idle_timeout_ns, now.since(view.last_hit))
            } else {
                i64::try_from(now.since(view.last_hit).0.saturating_mul(1000)).unwrap_or(i64::MAX)
            };
            shown.time_since_last_hit = Some(v1::table_entry::IdleTimeout { elapsed_ns });
        }
        shown
    }
}

/// A timeout without the milliseconds that are left of it, in nanoseconds.
fn counted_down(idle_timeout_ns: i64, since: Micros) -> i64 {
    const NANOS_PER_MILLI: i64 = 1_000_000;
    if idle_timeout_ns == 0 {
        return 0;
    }
    let passed = i64::try_from(since.0 / 1000).unwrap_or(i64::MAX);
    let left = (idle_timeout_ns / NANOS_PER_MILLI).saturating_sub(passed).max(0);
    idle_timeout_ns - left * NANOS_PER_MILLI
}

/// The fields that every form of an entry has: its key and what the controller wrote for itself.
#[allow(deprecated)]
fn show_key(table: &Table, view: &EntryView, note: Note) -> v1::TableEntry {
    let key = &view.entry.key;
    v1::TableEntry {
        table_id: table.info.id,
        r#match: encode_matches(&table.fields, &key.matches),
        priority: key.priority,
        metadata: note.metadata,
        controller_metadata: note.controller_metadata,
        idle_timeout_ns: note.idle_timeout_ns,
        ..Default::default()
    }
}

/// The direct resources that a read asks for.
fn show_resources(
    shown: &mut v1::TableEntry,
    table: &Table,
    wanted: &v1::TableEntry,
    counter: &CounterData,
    meter: Option<&MeterConfig>,
    colors: &MeterColors,
) {
    if wanted.counter_data.is_some() && table.direct_counter {
        shown.counter_data = Some(encode_counter(counter));
    }
    if wanted.meter_config.is_some() && table.direct_meter.is_some() {
        shown.meter_config = meter.map(encode_meter);
    }
    if wanted.meter_counter_data.is_some() && table.direct_meter.is_some() {
        shown.meter_counter_data = Some(encode_colors(colors));
    }
}

/// What an entry says of its direct resources.
struct Resources {
    counter: Option<CounterData>,
    meter: Option<MeterConfig>,
    colors: Option<MeterColors>,
}

/// Direct resources that an entry names must exist.
fn decode_resources(table: &Table, entry: &v1::TableEntry) -> Outcome<Resources> {
    if entry.counter_data.is_some() && !table.direct_counter {
        return Err(Fault::invalid("the table has no direct counter"));
    }
    if (entry.meter_config.is_some() || entry.meter_counter_data.is_some()) && table.direct_meter.is_none() {
        return Err(Fault::invalid("the table has no direct meter"));
    }
    let meter = match (&entry.meter_config, table.direct_meter) {
        (Some(config), Some(meter_type)) => Some(decode_meter(config, meter_type)?),
        _ => None,
    };
    Ok(Resources {
        counter: entry.counter_data.as_ref().map(decode_counter).transpose()?,
        meter,
        colors: entry.meter_counter_data.as_ref().map(decode_colors).transpose()?,
    })
}

/// The entry of an idle-timeout notification: its key, its timeout, and what the controller wrote for itself.
pub(crate) fn encode_idle(target: &Target, idle: &IdleEntry) -> Option<v1::TableEntry> {
    let table = target.schema.tables.get(target.schema.table_ids.get(&idle.table)?)?;
    Some(show_key(table, &idle.entry, target.tables.of(table, &idle.entry.entry.key)))
}

/// The entry as the engine takes it. `kept` is the one that is there, where its action and idle timeout are to stay.
fn decode_entry(
    schema: &Schema,
    table: &Table,
    entry: &v1::TableEntry,
    key: EntryKey,
    kept: Option<TableEntry>,
    meter: Option<MeterConfig>,
    dialect: Dialect,
) -> Outcome<TableEntry> {
    let action = match (&entry.action, &kept) {
        (Some(action), _) => decode_entry_action(schema, table, action, dialect)?,
        (None, Some(kept)) => kept.action.clone(),
        (None, None) => return Err(Fault::invalid("the entry has no action")),
    };
    let idle_timeout = match u64::try_from(entry.idle_timeout_ns) {
        Ok(0) => Micros(0),
        // The shortest timeout that the engine has is a microsecond.
        Ok(nanos) => Micros((nanos / 1000).max(1)),
        Err(_) => return Err(Fault::invalid(format!("idle timeout {} ns is negative", entry.idle_timeout_ns))),
    };
    let idle_timeout = kept.map_or(idle_timeout, |kept| kept.idle_timeout);
    Ok(TableEntry { key, action, idle_timeout, meter })
}

/// The table's `NoAction`, if the P4Info lists it.
fn no_action(schema: &Schema, table: &Table) -> Option<v1::TableAction> {
    let is_it = |id: &&u32| schema.actions.get(id).is_some_and(|action| action.info.name == "NoAction");
    let action_id = *table.actions.keys().find(is_it)?;
    Some(v1::TableAction { r#type: Some(ActionType::Action(v1::Action { action_id, params: Vec::new() })) })
}
