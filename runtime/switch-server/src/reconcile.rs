//! Carrying state from one pipeline into another, for RECONCILE_AND_COMMIT.
//!
//! What the old pipeline holds is read as a controller would read it and written to the new one. What does not fit the new
//! program makes the whole change fail, before any packet has seen it.

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::packet_replication_engine_entry::Type;
use vouch_p4runtime::p4::v1::update::Type as UpdateType;
use vouch_switch::Micros;

use crate::fault::{Fault, Outcome};
use crate::pipeline::Pipeline;

/// Write to `to` what `from` holds.
pub(crate) fn carry_over(from: &Pipeline, to: &Pipeline, now: Micros) -> Outcome {
    let source = from.target();
    let mut target = to.target_mut();
    for (kind, update) in everything() {
        for entity in source.read(&v1::Entity { entity: Some(kind) }, now)? {
            let Some(entity) = portable(entity) else { continue };
            let update = v1::Update { r#type: update as i32, entity: Some(entity) };
            target.write(&update, now).map_err(|fault| {
                Fault::invalid(format!("the present state does not fit the new pipeline: {}", fault.message))
            })?;
        }
    }
    Ok(())
}

/// Reads that together select all state, in an order in which it can be written: what is referred to comes first.
fn everything() -> Vec<(Kind, UpdateType)> {
    let entries = v1::TableEntry {
        counter_data: Some(v1::CounterData::default()),
        meter_config: Some(v1::MeterConfig::default()),
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
        (Kind::MeterEntry(v1::MeterEntry::default()), UpdateType::Modify),
        (Kind::CounterEntry(v1::CounterEntry::default()), UpdateType::Modify),
        (Kind::RegisterEntry(v1::RegisterEntry::default()), UpdateType::Modify),
        (Kind::ValueSetEntry(v1::ValueSetEntry::default()), UpdateType::Modify),
        (Kind::DigestEntry(v1::DigestEntry::default()), UpdateType::Insert),
    ]
}

/// The entity as it can be written; `None` for what the program itself made and will make again.
fn portable(mut entity: v1::Entity) -> Option<v1::Entity> {
    if let Some(Kind::TableEntry(entry)) = &mut entity.entity
        && entry.is_const
    {
        return None;
    }
    Some(entity)
}
