//! Taking updates back: what was there before each, and how it is put there again.
//!
//! Before an update is applied, [`Target::remember`] looks at what its key means and keeps that. Taken back in the reverse
//! order, each step finds the state that it had made, so that none can fail: what was deleted has room, what was inserted
//! has no users.

use std::collections::BTreeSet;
use std::ops::Range;

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_switch::{CounterData, CounterId, MeterColors, MeterConfig, MeterId, Micros, RegisterId};

use super::{Operation, Target};
use crate::fault::Outcome;

/// What was there before the updates so far.
#[derive(Default)]
pub(super) struct Undo {
    steps: Vec<Before>,
    /// Arrays of which every cell is among the steps: what a later update finds there need not be kept. Of meters, also
    /// whether with their counters.
    whole: BTreeSet<(Array, bool)>,
}

/// An array of cells, by its id in the P4Info.
type Array = u32;

/// What was there before one update.
pub(super) enum Before {
    /// Nothing that the update could have changed.
    Same,
    /// This update makes it so again.
    Entity(Box<v1::Update>),
    Counters {
        id: Array,
        whole: bool,
        engine: CounterId,
        first: u64,
        cells: Vec<CounterData>,
    },
    Meters {
        id: Array,
        whole: bool,
        engine: MeterId,
        first: u64,
        cells: Vec<(Option<MeterConfig>, MeterColors)>,
        /// The updates set the counters as well.
        colors: bool,
    },
    Registers {
        id: Array,
        whole: bool,
        engine: RegisterId,
        first: u64,
        cells: Vec<Vec<u8>>,
    },
}

impl Undo {
    pub(super) fn push(&mut self, before: Before) {
        match before {
            Before::Counters { id, whole: true, .. } | Before::Registers { id, whole: true, .. } => {
                self.whole.insert((id, false));
            }
            Before::Meters { id, whole: true, colors, .. } => {
                self.whole.insert((id, colors));
            }
            Before::Same
            | Before::Entity(_)
            | Before::Counters { .. }
            | Before::Meters { .. }
            | Before::Registers { .. } => {}
        }
        self.steps.push(before);
    }
}

impl Target {
    /// What an update is about to change. An update that will fail changes nothing, so that any answer is right for it.
    pub(super) fn remember(&self, update: &v1::Update, undo: &Undo) -> Before {
        self.try_remember(update, undo).unwrap_or(Before::Same)
    }

    fn try_remember(&self, update: &v1::Update, undo: &Undo) -> Outcome<Before> {
        let operation = Operation::of(update)?;
        let Some(kind) = update.entity.as_ref().and_then(|entity| entity.entity.as_ref()) else {
            return Ok(Before::Same);
        };
        match kind {
            Kind::CounterEntry(entry) => self.remember_counters(entry, undo),
            Kind::MeterEntry(entry) => self.remember_meters(entry, undo),
            Kind::RegisterEntry(entry) => self.remember_registers(entry, undo),
            _ if operation == Operation::Insert => Ok(written(Type::Delete, kind.clone())),
            _ => {
                let again = if operation == Operation::Delete { Type::Insert } else { Type::Modify };
                Ok(self.stored(operation, kind)?.map_or(Before::Same, |stored| written(again, stored)))
            }
        }
    }

    /// The entity as it is stored, in the form in which it can be written.
    fn stored(&self, operation: Operation, kind: &Kind) -> Outcome<Option<Kind>> {
        Ok(match kind {
            Kind::TableEntry(entry) => self.stored_entry(operation, entry)?.map(Kind::TableEntry),
            Kind::ActionProfileMember(member) => Some(Kind::ActionProfileMember(self.stored_member(member)?)),
            Kind::ActionProfileGroup(group) => Some(Kind::ActionProfileGroup(self.stored_group(group)?)),
            Kind::DirectMeterEntry(meter) => Some(Kind::DirectMeterEntry(self.stored_direct_meter(meter)?)),
            Kind::DirectCounterEntry(counter) => Some(Kind::DirectCounterEntry(self.stored_direct_counter(counter)?)),
            Kind::PacketReplicationEngineEntry(_) | Kind::ValueSetEntry(_) | Kind::DigestEntry(_) => {
                // With its key, which these must have to be written, a read selects just this one.
                let found = self.read(&v1::Entity { entity: Some(kind.clone()) }, Micros(0))?;
                found.into_iter().next().and_then(|entity| entity.entity)
            }
            Kind::CounterEntry(_) | Kind::MeterEntry(_) | Kind::RegisterEntry(_) | Kind::ExternEntry(_) => None,
        })
    }

    fn remember_counters(&self, entry: &v1::CounterEntry, undo: &Undo) -> Outcome<Before> {
        let counter = self.schema.counter(entry.counter_id)?;
        if undo.whole.contains(&(entry.counter_id, false)) {
            return Ok(Before::Same);
        }
        let Range { start, end } = counter.cells.find(entry.index.as_ref())?;
        let cells: Outcome<_> = (start..end).map(|index| Ok(self.switch.counter(counter.engine, index)?)).collect();
        let (id, whole) = (entry.counter_id, entry.index.is_none());
        Ok(Before::Counters { id, whole, engine: counter.engine, first: start, cells: cells? })
    }

    fn remember_meters(&self, entry: &v1::MeterEntry, undo: &Undo) -> Outcome<Before> {
        let meter = self.schema.meter(entry.meter_id)?;
        // Packets go on counting where an update does not touch the counters, so that steps differ in what they keep.
        let colors = entry.counter_data.is_some();
        let kept = |colors| undo.whole.contains(&(entry.meter_id, colors));
        if kept(true) || (!colors && kept(false)) {
            return Ok(Before::Same);
        }
        let Range { start, end } = meter.cells.find(entry.index.as_ref())?;
        let cell =
            |index| Ok((self.switch.meter(meter.engine, index)?, self.switch.meter_colors(meter.engine, index)?));
        let cells: Outcome<_> = (start..end).map(cell).collect();
        let (id, whole) = (entry.meter_id, entry.index.is_none());
        Ok(Before::Meters { id, whole, engine: meter.engine, first: start, cells: cells?, colors })
    }

    fn remember_registers(&self, entry: &v1::RegisterEntry, undo: &Undo) -> Outcome<Before> {
        let register = self.schema.register(entry.register_id)?;
        if undo.whole.contains(&(entry.register_id, false)) {
            return Ok(Before::Same);
        }
        let Range { start, end } = register.cells.find(entry.index.as_ref())?;
        let cells: Outcome<_> = (start..end).map(|index| Ok(self.switch.register(register.engine, index)?)).collect();
        let (id, whole) = (entry.register_id, entry.index.is_none());
        Ok(Before::Registers { id, whole, engine: register.engine, first: start, cells: cells? })
    }

    /// Make everything as it was.
    pub(super) fn take_back(&mut self, undo: Undo, now: Micros) {
        for before in undo.steps.into_iter().rev() {
            if let Err(fault) = self.restore(before, now) {
                // The module's documentation says why this cannot be.
                tracing::error!(fault = fault.message, "an update could not be taken back");
            }
        }
    }

    fn restore(&mut self, before: Before, now: Micros) -> Outcome {
        match before {
            Before::Same => {}
            Before::Entity(update) => self.apply(&update, now)?,
            Before::Counters { engine, first, cells, .. } => {
                for (index, data) in (first..).zip(cells) {
                    self.switch.set_counter(engine, index, data)?;
                }
            }
            Before::Meters { engine, first, cells, colors, .. } => {
                for (index, (config, counted)) in (first..).zip(cells) {
                    self.switch.set_meter(engine, index, config)?;
                    if colors {
                        self.switch.set_meter_colors(engine, index, counted)?;
                    }
                }
            }
            Before::Registers { engine, first, cells, .. } => {
                for (index, value) in (first..).zip(cells) {
                    self.switch.set_register(engine, index, &value)?;
                }
            }
        }
        Ok(())
    }
}

fn written(operation: Type, kind: Kind) -> Before {
    let entity = Some(v1::Entity { entity: Some(kind) });
    Before::Entity(Box::new(v1::Update { r#type: operation as i32, entity }))
}
