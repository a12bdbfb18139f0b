//! Direct counters and meters by their table entry, and the data of counters and meters of all kinds.

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_switch::{EntryKey, EntryView, MeterColors, MeterConfig};

use super::key::{decode_key, encode_matches};
use super::{Operation, Target};
use crate::convert::{self, decode_counter, encode_counter, encode_meter};
use crate::fault::{Fault, Outcome};
use crate::schema::{MeterType, Table};

impl Target {
    pub(super) fn write_direct_counter(&mut self, operation: Operation, entry: &v1::DirectCounterEntry) -> Outcome {
        operation.only_modify("direct counter")?;
        let (table, key) = self.direct_key(entry.table_entry.as_ref())?;
        let within = |fault: Fault| fault.within(table.place());
        if !table.direct_counter {
            return Err(within(Fault::invalid("the table has no direct counter")));
        }
        match &entry.data {
            Some(data) => {
                let data = decode_counter(data).map_err(|error| within(error.into()))?;
                self.switch.set_direct_counter(table.engine, &key, data).map_err(|error| within(error.into()))
            }
            None => self.switch.entry(table.engine, &key).map(|_| ()).map_err(|error| within(error.into())),
        }
    }

    pub(super) fn write_direct_meter(&mut self, operation: Operation, entry: &v1::DirectMeterEntry) -> Outcome {
        operation.only_modify("direct meter")?;
        let (table, key) = self.direct_key(entry.table_entry.as_ref())?;
        let within = |fault: Fault| fault.within(table.place());
        let Some(meter_type) = table.direct_meter else {
            return Err(within(Fault::invalid("the table has no direct meter")));
        };
        let config =
            entry.config.as_ref().map(|config| decode_meter(config, meter_type)).transpose().map_err(within)?;
        let colors = entry.counter_data.as_ref().map(decode_colors).transpose().map_err(within)?;
        self.switch.set_direct_meter(table.engine, &key, config).map_err(|error| within(error.into()))?;
        match colors {
            Some(colors) => {
                let set = self.switch.set_direct_meter_colors(table.engine, &key, colors);
                set.map_err(|error| within(error.into()))
            }
            None => Ok(()),
        }
    }

    pub(super) fn read_direct_counters(&self, wanted: &v1::DirectCounterEntry) -> Outcome<Vec<Kind>> {
        let has = |table: &Table| table.direct_counter;
        let found = self.direct_entries(wanted.table_entry.as_ref(), "direct counter", has)?;
        Ok(found.iter().map(|(table, view)| Kind::DirectCounterEntry(show_counter(table, view))).collect())
    }

    pub(super) fn read_direct_meters(&self, wanted: &v1::DirectMeterEntry) -> Outcome<Vec<Kind>> {
        let has = |table: &Table| table.direct_meter.is_some();
        let found = self.direct_entries(wanted.table_entry.as_ref(), "direct meter", has)?;
        let colors = wanted.counter_data.is_some();
        Ok(found.iter().map(|(table, view)| Kind::DirectMeterEntry(show_meter(table, view, colors))).collect())
    }

    /// The counter of one entry.
    pub(super) fn stored_direct_counter(&self, entry: &v1::DirectCounterEntry) -> Outcome<v1::DirectCounterEntry> {
        let (table, key) = self.direct_key(entry.table_entry.as_ref())?;
        Ok(show_counter(table, &self.switch.entry(table.engine, &key)?))
    }

    /// The meter of one entry, with its counters where a write of `entry` changes them.
    pub(super) fn stored_direct_meter(&self, entry: &v1::DirectMeterEntry) -> Outcome<v1::DirectMeterEntry> {
        let (table, key) = self.direct_key(entry.table_entry.as_ref())?;
        Ok(show_meter(table, &self.switch.entry(table.engine, &key)?, entry.counter_data.is_some()))
    }

    /// The entries that a read of a direct resource selects: one by its key, or all of a table, or of all tables.
    fn direct_entries(
        &self,
        wanted: Option<&v1::TableEntry>,
        what: &str,
        has: impl Fn(&Table) -> bool,
    ) -> Outcome<Vec<(&Table, EntryView)>> {
        let all = |table| Ok(self.switch.entries(table_engine(table))?.into_iter().map(move |view| (table, view)));
        let Some(wanted) = wanted.filter(|wanted| wanted.table_id != 0) else {
            let tables = self.schema.tables.values().filter(|table| has(table));
            let found: Outcome<Vec<_>> = tables.map(all).collect();
            return Ok(found?.into_iter().flatten().collect());
        };
        let table = self.schema.table(wanted.table_id)?;
        if !has(table) {
            return Err(Fault::invalid(format!("the table has no {what}")).within(table.place()));
        }
        if wanted.r#match.is_empty() && !wanted.is_default_action {
            return Ok(all(table)?.collect());
        }
        let (table, key) = self.direct_key(Some(wanted))?;
        let view = self.switch.entry(table.engine, &key).map_err(|error| Fault::from(error).within(table.place()))?;
        Ok(vec![(table, view)])
    }

    fn direct_key(&self, entry: Option<&v1::TableEntry>) -> Outcome<(&Table, EntryKey)> {
        let Some(entry) = entry else {
            return Err(Fault::invalid("the table entry is missing"));
        };
        let table = self.schema.table(entry.table_id)?;
        if entry.is_default_action {
            let fault = Fault::unimplemented("direct counters and meters of default entries");
            return Err(fault.within(table.place()));
        }
        let key = decode_key(table, &entry.r#match, entry.priority).map_err(|fault| fault.within(table.place()))?;
        Ok((table, key))
    }
}

fn table_engine(table: &Table) -> vouch_switch::TableId {
    table.engine
}

fn show_counter(table: &Table, view: &EntryView) -> v1::DirectCounterEntry {
    v1::DirectCounterEntry { table_entry: Some(entry_key(table, view)), data: Some(encode_counter(&view.counter)) }
}

fn show_meter(table: &Table, view: &EntryView, colors: bool) -> v1::DirectMeterEntry {
    v1::DirectMeterEntry {
        table_entry: Some(entry_key(table, view)),
        config: view.entry.meter.as_ref().map(encode_meter),
        counter_data: colors.then(|| encode_colors(&view.colors)),
    }
}

fn entry_key(table: &Table, view: &EntryView) -> v1::TableEntry {
    v1::TableEntry {
        table_id: table.id,
        r#match: encode_matches(&table.fields, &view.entry.key.matches),
        priority: view.entry.key.priority,
        ..Default::default()
    }
}

/// What each colour has counted; of a colour that is not given, nothing.
pub(super) fn decode_colors(data: &v1::MeterCounterData) -> Outcome<MeterColors> {
    let color = |data: &Option<v1::CounterData>| decode_counter(&data.unwrap_or_default());
    Ok(MeterColors { green: color(&data.green)?, yellow: color(&data.yellow)?, red: color(&data.red)? })
}

pub(super) fn encode_colors(colors: &MeterColors) -> v1::MeterCounterData {
    v1::MeterCounterData {
        green: Some(encode_counter(&colors.green)),
        yellow: Some(encode_counter(&colors.yellow)),
        red: Some(encode_counter(&colors.red)),
    }
}

pub(super) fn decode_meter(config: &v1::MeterConfig, meter_type: MeterType) -> Outcome<MeterConfig> {
    let decoded = convert::decode_meter(config)?;
    match meter_type {
        MeterType::TwoRateThreeColor if config.eburst != 0 => {
            Err(Fault::invalid("eburst of the meter must not be set: it is a two-rate one"))
        }
        MeterType::SingleRateTwoColor if config.eburst != 0 => {
            Err(Fault::invalid("eburst of the meter must not be set: it has two colours"))
        }
        MeterType::SingleRateThreeColor if config.eburst != 0 => {
            Err(Fault::unimplemented("excess bursts: v1model meters have two rates"))
        }
        MeterType::SingleRateThreeColor | MeterType::SingleRateTwoColor
            if (decoded.pir, decoded.pburst) != (decoded.cir, decoded.cburst) =>
        {
            Err(Fault::invalid("pir and pburst of the meter must equal cir and cburst: it is a single-rate one"))
        }
        MeterType::TwoRateThreeColor | MeterType::SingleRateThreeColor | MeterType::SingleRateTwoColor
            if decoded.cir > decoded.pir =>
        {
            Err(Fault::invalid(format!("cir {} of the meter exceeds its pir {}", decoded.cir, decoded.pir)))
        }
        MeterType::TwoRateThreeColor | MeterType::SingleRateThreeColor | MeterType::SingleRateTwoColor => Ok(decoded),
    }
}
