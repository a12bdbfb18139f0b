//! Direct counters and meters by their table entry, and the data of counters and meters of all kinds.

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4info::MeterType;
use vouch_switch::{CounterData, DefaultView, EntryKey, EntryView, MeterColors, MeterConfig};

use super::key::{decode_key, encode_matches};
use super::{Operation, Target};
use crate::convert::{self, decode_counter, encode_counter, encode_meter};
use crate::dialect::Dialect;
use crate::fault::{Fault, Outcome};
use crate::schema::Table;

/// What a table can have beside each entry.
#[derive(Clone, Copy)]
enum Resource {
    Counter,
    Meter,
}

impl Resource {
    fn is_beside(self, table: &Table) -> bool {
        match self {
            Resource::Counter => table.direct_counter,
            Resource::Meter => table.direct_meter.is_some(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Resource::Counter => "direct counter",
            Resource::Meter => "direct meter",
        }
    }

    /// Its plural and its message, as they appear in what PI says.
    fn in_pi(self) -> (&'static str, &'static str) {
        match self {
            Resource::Counter => ("counters", "DirectCounterEntry"),
            Resource::Meter => ("meters", "DirectMeterEntry"),
        }
    }

    fn lacking(self, table: &Table, dialect: Dialect) -> Fault {
        let fault = Fault::invalid(format!("the table has no {}", self.name())).within(table.place());
        dialect.about_missing(fault, self.in_pi().0)
    }
}

impl Target {
    pub(super) fn write_direct_counter(&mut self, operation: Operation, entry: &v1::DirectCounterEntry) -> Outcome {
        let (table, key) = self.written_direct(Resource::Counter, entry.table_entry.as_ref())?;
        let within = |fault: Fault| fault.within(table.place());
        let Some(data) = operation.counts(self.dialect, "direct counter", entry.data.as_ref())? else {
            return Ok(());
        };
        let data = decode_counter(data).map_err(|error| within(error.into()))?;
        self.switch.set_direct_counter(table.engine, key.as_ref(), data).map_err(|error| within(error.into()))
    }

    pub(super) fn write_direct_meter(&mut self, operation: Operation, entry: &v1::DirectMeterEntry) -> Outcome {
        let dialect = self.dialect;
        let (table, key) = self.written_direct(Resource::Meter, entry.table_entry.as_ref())?;
        let within = |fault: Fault| fault.within(table.place());
        operation.only_modify("direct meter").map_err(|fault| dialect.about_operation(fault, operation, "meters"))?;
        let Some(meter_type) = table.direct_meter else {
            return Err(Resource::Meter.lacking(table, dialect));
        };
        let config = decode_rates(dialect, entry.config.as_ref(), meter_type).map_err(within)?;
        let colors = entry.counter_data.as_ref().map(decode_colors).transpose().map_err(within)?;
        self.switch.set_direct_meter(table.engine, key.as_ref(), config).map_err(|error| within(error.into()))?;
        match colors {
            Some(colors) => {
                let set = self.switch.set_direct_meter_colors(table.engine, key.as_ref(), colors);
                set.map_err(|error| within(error.into()))
            }
            None => Ok(()),
        }
    }

    /// The table and key of an entry that is there and has such a resource beside it.
    fn written_direct(
        &self,
        resource: Resource,
        entry: Option<&v1::TableEntry>,
    ) -> Outcome<(&Table, Option<EntryKey>)> {
        let dialect = self.dialect;
        if entry.is_none() {
            let fault = Fault::invalid("the table entry is missing");
            return Err(dialect.about_no_entry(fault, resource.in_pi().1));
        }
        let (table, key) = self.direct_key(entry)?;
        let there = self.direct(table, key.as_ref()).map_err(|fault| fault.within(table.place()));
        there.map_err(|fault| dialect.about_entry(fault))?;
        if resource.is_beside(table) { Ok((table, key)) } else { Err(resource.lacking(table, dialect)) }
    }

    pub(super) fn read_direct_counters(&self, wanted: &v1::DirectCounterEntry) -> Outcome<Vec<Kind>> {
        let found = self.direct_entries(wanted.table_entry.as_ref(), Resource::Counter)?;
        Ok(found.into_iter().map(|direct| Kind::DirectCounterEntry(direct.show_counter())).collect())
    }

    pub(super) fn read_direct_meters(&self, wanted: &v1::DirectMeterEntry) -> Outcome<Vec<Kind>> {
        let found = self.direct_entries(wanted.table_entry.as_ref(), Resource::Meter)?;
        let colors = wanted.counter_data.is_some();
        Ok(found.into_iter().map(|direct| Kind::DirectMeterEntry(direct.show_meter(colors))).collect())
    }

    /// The counter of one entry.
    pub(super) fn stored_direct_counter(&self, entry: &v1::DirectCounterEntry) -> Outcome<v1::DirectCounterEntry> {
        let (table, key) = self.direct_key(entry.table_entry.as_ref())?;
        Ok(self.direct(table, key.as_ref())?.show_counter())
    }

    /// The meter of one entry, with its counters where a write of `entry` changes them.
    pub(super) fn stored_direct_meter(&self, entry: &v1::DirectMeterEntry) -> Outcome<v1::DirectMeterEntry> {
        let (table, key) = self.direct_key(entry.table_entry.as_ref())?;
        Ok(self.direct(table, key.as_ref())?.show_meter(entry.counter_data.is_some()))
    }

    /// What a read of a direct resource selects: that of one entry by its key, or those of all of a table, or of all
    /// tables; of default entries only where it asks for them.
    fn direct_entries(&self, wanted: Option<&v1::TableEntry>, resource: Resource) -> Outcome<Vec<Direct>> {
        let dialect = self.dialect;
        let of_default = wanted.is_some_and(|wanted| wanted.is_default_action);
        let all = |table: &Table| -> Outcome<Vec<Direct>> {
            if of_default {
                return Ok(vec![self.direct(table, None)?]);
            }
            Ok(self.switch.entries(table.engine)?.iter().map(|view| Direct::of_entry(table, view)).collect())
        };
        let Some(wanted) = wanted.filter(|wanted| wanted.table_id != 0) else {
            let tables = self.schema.tables.values().filter(|table| resource.is_beside(table));
            let found: Outcome<Vec<_>> = tables.map(all).collect();
            return Ok(found?.into_iter().flatten().collect());
        };
        let table = self.schema.table(wanted.table_id).map_err(|fault| dialect.about_id(fault))?;
        if !resource.is_beside(table) {
            return Err(resource.lacking(table, dialect));
        }
        if wanted.r#match.is_empty() && !of_default {
            return all(table);
        }
        let (table, key) = self.direct_key(Some(wanted))?;
        let found = self.direct(table, key.as_ref()).map_err(|fault| fault.within(table.place()));
        let mut found = found.map_err(|fault| dialect.about_entry(fault))?;
        if dialect.echoes_entries() {
            found.entry = wanted.clone();
        }
        Ok(vec![found])
    }

    /// The table and key of an entry; no key where it is the default one.
    fn direct_key(&self, entry: Option<&v1::TableEntry>) -> Outcome<(&Table, Option<EntryKey>)> {
        let Some(entry) = entry else {
            return Err(Fault::invalid("the table entry is missing"));
        };
        let table = self.schema.table(entry.table_id).map_err(|fault| self.dialect.about_id(fault))?;
        let key = if entry.is_default_action {
            check_default_key(entry).map(|()| None)
        } else {
            decode_key(table, &entry.r#match, entry.priority).map(Some)
        };
        Ok((table, key.map_err(|fault| fault.within(table.place()))?))
    }

    /// The direct resources of an entry, or without a key of the default one.
    fn direct(&self, table: &Table, key: Option<&EntryKey>) -> Outcome<Direct> {
        Ok(match key {
            Some(key) => Direct::of_entry(table, &self.switch.entry(table.engine, key)?),
            None => Direct::of_default(table, &self.switch.default_entry(table.engine)?),
        })
    }
}

/// The default entry has no key.
pub(super) fn check_default_key(entry: &v1::TableEntry) -> Outcome {
    if entry.r#match.is_empty() && entry.priority == 0 {
        return Ok(());
    }
    Err(Fault::invalid("the default entry has neither match fields nor a priority"))
}

/// The direct resources of an entry.
struct Direct {
    /// Its key alone.
    entry: v1::TableEntry,
    counter: CounterData,
    meter: Option<MeterConfig>,
    colors: MeterColors,
}

impl Direct {
    fn of_entry(table: &Table, view: &EntryView) -> Direct {
        let entry = v1::TableEntry {
            table_id: table.info.id,
            r#match: encode_matches(&table.fields, &view.entry.key.matches),
            priority: view.entry.key.priority,
            ..Default::default()
        };
        Direct { entry, counter: view.counter, meter: view.entry.meter, colors: view.colors }
    }

    fn of_default(table: &Table, view: &DefaultView) -> Direct {
        let entry = v1::TableEntry { table_id: table.info.id, is_default_action: true, ..Default::default() };
        Direct { entry, counter: view.counter, meter: view.meter, colors: view.colors }
    }

    fn show_counter(self) -> v1::DirectCounterEntry {
        v1::DirectCounterEntry { table_entry: Some(self.entry), data: Some(encode_counter(&self.counter)) }
    }

    fn show_meter(self, colors: bool) -> v1::DirectMeterEntry {
        v1::DirectMeterEntry {
            table_entry: Some(self.entry),
            config: self.meter.as_ref().map(encode_meter),
            counter_data: colors.then(|| encode_colors(&self.colors)),
        }
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

/// The rates and bursts of a meter; none if it is to have none.
pub(super) fn decode_rates(
    dialect: Dialect,
    config: Option<&v1::MeterConfig>,
    meter_type: MeterType,
) -> Outcome<Option<MeterConfig>> {
    const NO_LIMIT: v1::MeterConfig = v1::MeterConfig { cir: -1, cburst: -1, pir: -1, pburst: -1, eburst: 0 };
    match config {
        Some(config) if dialect.has_rates_without_limit() && *config == NO_LIMIT => Ok(None),
        Some(config) => decode_meter(config, meter_type).map(Some),
        None => Ok(None),
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
        MeterType::SingleRateThreeColor | MeterType::SingleRateTwoColor
            if (decoded.pir, decoded.pburst) != (decoded.cir, decoded.cburst) =>
        {
            Err(Fault::invalid("pir and pburst of the meter must equal cir and cburst: it is a single-rate one"))
        }
        MeterType::SingleRateThreeColor if config.eburst != 0 => {
            Err(Fault::unimplemented("eburst of the meter: meters of v1model have two rates and no excess burst"))
        }
        MeterType::TwoRateThreeColor | MeterType::SingleRateThreeColor | MeterType::SingleRateTwoColor
            if decoded.cir > decoded.pir =>
        {
            Err(Fault::invalid(format!("cir {} of the meter exceeds its pir {}", decoded.cir, decoded.pir)))
        }
        MeterType::TwoRateThreeColor | MeterType::SingleRateThreeColor | MeterType::SingleRateTwoColor => Ok(decoded),
    }
}

/// What meters have coloured can be reset and no more (specification 9.1.4 and 9.4.1).
pub(super) fn check_colors(update: &v1::Update) -> Outcome {
    let colors = match update.entity.as_ref().and_then(|entity| entity.entity.as_ref()) {
        Some(Kind::TableEntry(entry)) => entry.meter_counter_data,
        Some(Kind::MeterEntry(entry)) => entry.counter_data,
        Some(Kind::DirectMeterEntry(entry)) => entry.counter_data,
        _ => None,
    };
    let zero = v1::CounterData::default();
    let counted =
        |colors: v1::MeterCounterData| [colors.green, colors.yellow, colors.red].map(Option::unwrap_or_default);
    match colors {
        Some(colors) if counted(colors) != [zero; 3] => {
            Err(Fault::invalid("what a meter has coloured can only be reset: give nothing but 0 for each colour"))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    /// Section 9.4: what the types of meters allow.
    #[test]
    fn a_meter_takes_what_its_type_has() {
        use vouch_p4runtime::p4::config::v1::meter_spec::Type::{
            SingleRateThreeColor, SingleRateTwoColor, TwoRateThreeColor,
        };
        let single = v1::MeterConfig { cir: 1, cburst: 2, pir: 1, pburst: 2, eburst: 0 };
        let excess = v1::MeterConfig { eburst: 3, ..single };
        let two = v1::MeterConfig { pir: 4, ..single };
        let code = |config, meter_type| decode_meter(&config, meter_type).err().map(|fault| fault.code);
        for (meter_type, of_excess, of_two) in [
            (TwoRateThreeColor, Code::InvalidArgument, None),
            (SingleRateThreeColor, Code::Unimplemented, Some(Code::InvalidArgument)),
            (SingleRateTwoColor, Code::InvalidArgument, Some(Code::InvalidArgument)),
        ] {
            assert_eq!(code(single, meter_type), None);
            assert_eq!(code(excess, meter_type), Some(of_excess));
            assert_eq!(code(two, meter_type), of_two);
        }
        let both = v1::MeterConfig { eburst: 3, ..two };
        assert_eq!(code(both, SingleRateThreeColor), Some(Code::InvalidArgument), "wrong whoever reads it");
        let text = decode_meter(&excess, SingleRateThreeColor).expect_err("there is none").message;
        assert_eq!(text, "eburst of the meter: meters of v1model have two rates and no excess burst");
    }
}
