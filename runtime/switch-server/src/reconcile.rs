//! Carrying state from one pipeline into another, for RECONCILE_AND_COMMIT (specification 14).
//!
//! What the old pipeline holds is read as a controller would read it and written to the new one, by the ids that both P4Infos
//! have. What the program itself had made is left to the new program: constant entries, default actions that nobody has
//! changed, cells that are still zero. What does not fit the new program makes the whole change fail, before any packet has
//! seen it.

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::packet_replication_engine_entry::Type;
use vouch_p4runtime::p4::v1::update::Type as UpdateType;
use vouch_switch::{CounterData, MeterColors, Micros};

use crate::entity::Target;
use crate::fault::{Fault, Outcome};
use crate::pipeline::Pipeline;

/// Write to `to` what `from` holds.
pub(crate) fn carry_over(from: &Pipeline, to: &Pipeline, now: Micros) -> Outcome {
    let source = from.target();
    let mut target = to.target_mut();
    let unfit =
        |fault: Fault| Fault::invalid(format!("the present state does not fit the new pipeline: {}", fault.message));
    for (kind, update) in entries() {
        for entity in source.read(&v1::Entity { entity: Some(kind) }, now)? {
            if made_by_the_program(&source, &entity)? {
                continue;
            }
            let update = v1::Update { r#type: update as i32, entity: Some(entity) };
            target.apply(&update, now).map_err(unfit)?;
        }
    }
    carry_defaults(&source, &target).map_err(unfit)?;
    carry_arrays(&source, &target).map_err(unfit)
}

/// Reads that together select all entries, in an order in which they can be written: what is referred to comes first.
fn entries() -> Vec<(Kind, UpdateType)> {
    let entries = v1::TableEntry {
        counter_data: Some(v1::CounterData::default()),
        meter_config: Some(v1::MeterConfig::default()),
        meter_counter_data: Some(v1::MeterCounterData::default()),
        ..Default::default()
    };
    let replication =
        |entry| Kind::PacketReplicationEngineEntry(v1::PacketReplicationEngineEntry { r#type: Some(entry) });
    vec![
        (Kind::ActionProfileMember(v1::ActionProfileMember::default()), UpdateType::Insert),
        (Kind::ActionProfileGroup(v1::ActionProfileGroup::default()), UpdateType::Insert),
        (Kind::TableEntry(entries), UpdateType::Insert),
        (Kind::TableEntry(v1::TableEntry { is_default_action: true, ..Default::default() }), UpdateType::Modify),
        (replication(Type::MulticastGroupEntry(v1::MulticastGroupEntry::default())), UpdateType::Insert),
        (replication(Type::CloneSessionEntry(v1::CloneSessionEntry::default())), UpdateType::Insert),
        (Kind::ValueSetEntry(v1::ValueSetEntry::default()), UpdateType::Modify),
        (Kind::DigestEntry(v1::DigestEntry::default()), UpdateType::Insert),
    ]
}

/// Whether an entity is not a controller's, but the program's, and will be there again.
fn made_by_the_program(source: &Target, entity: &v1::Entity) -> Outcome<bool> {
    Ok(match &entity.entity {
        Some(Kind::TableEntry(entry)) if entry.is_default_action => {
            let table = source.schema.table(entry.table_id)?;
            entry.is_const || source.switch.default_entry(table.engine)?.is_initial
        }
        Some(Kind::TableEntry(entry)) => entry.is_const,
        Some(Kind::ValueSetEntry(set)) => set.members.is_empty(),
        _ => false,
    })
}

/// Direct counters and meters of default entries, which may be the program's own all the same. What only counted keeps none
/// from going.
fn carry_defaults(source: &Target, target: &Target) -> Outcome {
    for (id, old) in &source.schema.tables {
        let view = source.switch.default_entry(old.engine)?;
        let new = target.schema.tables.get(id);
        if let Some(new) = new.filter(|new| new.direct_counter) {
            target.switch.set_direct_counter(new.engine, None, view.counter)?;
        }
        match new.filter(|new| new.direct_meter.is_some()) {
            Some(new) => {
                target.switch.set_direct_meter(new.engine, None, view.meter)?;
                target.switch.set_direct_meter_colors(new.engine, None, view.colors)?;
            }
            None if view.meter.is_some() => return Err(gone("the direct meter of table", &old.info.name)),
            None => {}
        }
    }
    Ok(())
}

/// Counters, meters and registers, cell by cell, without a message for each: arrays are large. An array that has become
/// smaller fits if what is cut off was never written, and one that is gone if none of it was.
fn carry_arrays(source: &Target, target: &Target) -> Outcome {
    let (from, to) = (&source.switch, &target.switch);
    for (id, old) in &source.schema.counters {
        let new = target.schema.counters.get(id);
        for index in 0..old.cells.size {
            let data = from.counter(old.engine, index)?;
            if data != CounterData::default() {
                let new = new.ok_or_else(|| gone("counter", &old.info.name))?;
                to.set_counter(new.engine, index, data)?;
            }
        }
    }
    for (id, old) in &source.schema.meters {
        let new = target.schema.meters.get(id);
        for index in 0..old.cells.size {
            if let Some(config) = from.meter(old.engine, index)? {
                let new = new.ok_or_else(|| gone("meter", &old.info.name))?;
                to.set_meter(new.engine, index, Some(config))?;
            }
            let colors = from.meter_colors(old.engine, index)?;
            // What only counted keeps no meter from going.
            if let Some(new) = new.filter(|new| colors != MeterColors::default() && index < new.cells.size) {
                to.set_meter_colors(new.engine, index, colors)?;
            }
        }
    }
    for (id, old) in &source.schema.registers {
        let new = target.schema.registers.get(id);
        for index in 0..old.cells.size {
            let value = from.register(old.engine, index)?;
            if value.iter().any(|byte| *byte != 0) {
                let new = new.ok_or_else(|| gone("register", &old.info.name))?;
                to.set_register(new.engine, index, &value)?;
            }
        }
    }
    Ok(())
}

fn gone(what: &str, name: &str) -> Fault {
    Fault::not_found(format!("{what} {name} has been written and is not there any more"))
}
