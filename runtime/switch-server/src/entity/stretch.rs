//! Cells of arrays, as many as a request means, shown one after the other.
//!
//! An array may have millions of cells, and a client that asks for all of them takes its time. Cells change by themselves and belong to
//! no batch, so nothing is lost if they are shown as of when the client comes to them ([`Stretch::next`]), and the memory that they
//! take as messages is that of those on their way.

use std::ops::Range;

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_switch::Switch;

use super::Target;
use super::direct::encode_colors;
use crate::convert::{encode_counter, encode_meter};
use crate::fault::{Fault, Outcome};
use crate::schema::{Cells, Schema};

/// Cells of one array that are still to be shown.
#[derive(Debug)]
pub(crate) struct Stretch {
    array: Array,
    cells: Range<u64>,
}

/// What a request to read selects.
#[derive(Debug)]
pub(crate) enum Found {
    /// As of now.
    Entities(Vec<v1::Entity>),
    /// Cells of arrays, which can be shown later.
    Cells(Vec<Stretch>),
}

/// By their id in the P4Info.
#[derive(Clone, Copy, Debug)]
enum Array {
    Counter(u32),
    /// With the counts of its colours, if they were asked for.
    Meter(u32, bool),
    Register(u32),
}

impl Target {
    /// The cells that a request means; none, if it is not about an array.
    pub(super) fn stretches(&self, wanted: &Kind) -> Outcome<Vec<Stretch>> {
        let (schema, dialect) = (&self.schema, self.dialect);
        match wanted {
            Kind::CounterEntry(v1::CounterEntry { counter_id: 0, .. }) => {
                Ok(schema.counters.iter().map(|(id, it)| Array::Counter(*id).whole(&it.cells)).collect())
            }
            Kind::CounterEntry(wanted) => {
                let it = schema.counter(wanted.counter_id).map_err(|fault| dialect.about_id(fault))?;
                let array = Array::Counter(wanted.counter_id);
                let part = array.part(&it.cells, wanted.index.as_ref(), "counter", &it.info.name);
                part.map_err(|fault| dialect.about_index(fault, "Error when reading counter from target"))
            }
            Kind::MeterEntry(wanted @ v1::MeterEntry { meter_id: 0, .. }) => {
                let colors = wanted.counter_data.is_some();
                Ok(schema.meters.iter().map(|(id, it)| Array::Meter(*id, colors).whole(&it.cells)).collect())
            }
            Kind::MeterEntry(wanted) => {
                let it = schema.meter(wanted.meter_id).map_err(|fault| dialect.about_id(fault))?;
                let array = Array::Meter(wanted.meter_id, wanted.counter_data.is_some());
                let part = array.part(&it.cells, wanted.index.as_ref(), "meter", &it.info.name);
                part.map_err(|fault| dialect.about_index(fault, "Error when reading meter spec from target"))
            }
            Kind::RegisterEntry(v1::RegisterEntry { register_id: 0, .. }) => {
                Ok(schema.registers.iter().map(|(id, it)| Array::Register(*id).whole(&it.cells)).collect())
            }
            Kind::RegisterEntry(wanted) => schema.register(wanted.register_id).and_then(|it| {
                Array::Register(wanted.register_id).part(&it.cells, wanted.index.as_ref(), "register", &it.info.name)
            }),
            _ => Ok(Vec::new()),
        }
    }

    /// All of it at once.
    pub(crate) fn gather(&self, found: Found) -> Vec<v1::Entity> {
        let all = |mut stretch: Stretch| std::iter::from_fn(move || stretch.next(&self.schema, &self.switch));
        match found {
            Found::Entities(entities) => entities,
            Found::Cells(cells) => cells.into_iter().flat_map(all).collect(),
        }
    }
}

impl Array {
    fn whole(self, cells: &Cells) -> Stretch {
        Stretch { array: self, cells: 0..cells.size }
    }

    fn part(self, cells: &Cells, index: Option<&v1::Index>, what: &str, name: &str) -> Outcome<Vec<Stretch>> {
        let within = |fault: Fault| fault.within(format_args!("{what} {name}"));
        Ok(vec![Stretch { array: self, cells: cells.find(index).map_err(within)? }])
    }

    /// A cell; nothing where the controller has no index for it.
    fn cell(self, cell: u64, schema: &Schema, switch: &Switch) -> Option<Kind> {
        Some(match self {
            Self::Counter(id) => {
                let counter = schema.counters.get(&id)?;
                Kind::CounterEntry(v1::CounterEntry {
                    counter_id: id,
                    index: Some(counter.cells.index(cell)?),
                    data: Some(encode_counter(&switch.counter(counter.engine, cell).ok()?)),
                })
            }
            Self::Meter(id, colors) => {
                let meter = schema.meters.get(&id)?;
                let config = switch.meter(meter.engine, cell).ok()?;
                let colors = if colors { switch.meter_colors(meter.engine, cell).ok() } else { None };
                Kind::MeterEntry(v1::MeterEntry {
                    meter_id: id,
                    index: Some(meter.cells.index(cell)?),
                    config: config.as_ref().map(encode_meter),
                    counter_data: colors.as_ref().map(encode_colors),
                })
            }
            Self::Register(id) => {
                let register = schema.registers.get(&id)?;
                let value = switch.register(register.engine, cell).ok()?;
                Kind::RegisterEntry(v1::RegisterEntry {
                    register_id: id,
                    index: Some(register.cells.index(cell)?),
                    data: Some(register.shape.encode(&mut std::iter::once((register.bits, value)))),
                })
            }
        })
    }
}

impl Stretch {
    /// How many cells are left.
    pub(crate) fn left(&self) -> u64 {
        self.cells.end.saturating_sub(self.cells.start)
    }

    /// The next cell.
    pub(crate) fn next(&mut self, schema: &Schema, switch: &Switch) -> Option<v1::Entity> {
        let array = self.array;
        self.cells.find_map(|cell| Some(v1::Entity { entity: Some(array.cell(cell, schema, switch)?) }))
    }
}
