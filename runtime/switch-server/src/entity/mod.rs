//! The entities of the protocol, one file per kind: how an update is checked and applied, and how a read finds and shows
//! what is there.
//!
//! Everything here works on a [`Target`] and protobuf messages; no socket and no clock is near. Each update is checked as a
//! whole before anything is changed, so that a refused one leaves no trace.

mod action;
mod array;
mod batch;
mod direct;
mod filter;
mod key;
mod notes;
mod profile;
mod refusal;
mod register;
mod replication;
mod stretch;
mod table;
#[cfg(test)]
mod tests;
mod undo;
mod value_set;
mod weight;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_switch::{Micros, Switch};

pub(crate) use key::{hex, value};
pub(crate) use notes::TableNotes;
pub(crate) use replication::Replication;
pub(crate) use stretch::{Found, Stretch};
pub(crate) use table::encode_idle;
pub(crate) use weight::Styles;

use crate::dialect::Dialect;
use crate::digest::Digests;
use crate::fault::{Fault, Outcome};
use crate::schema::Schema;

/// A program at work, and what the protocol wants remembered beside it.
pub(crate) struct Target {
    pub(crate) schema: Arc<Schema>,
    pub(crate) switch: Arc<Switch>,
    pub(crate) dialect: Dialect,
    /// What entries carry that means nothing to packets.
    pub(crate) tables: TableNotes,
    pub(crate) styles: Styles,
    /// Groups, by profile and id, that name the ports they watch by the deprecated number.
    pub(crate) numeric_watches: BTreeSet<(u32, u32)>,
    pub(crate) replication: Replication,
    pub(crate) digests: Arc<Mutex<Digests>>,
}

impl Target {
    pub(crate) fn lock_digests(&self) -> MutexGuard<'_, Digests> {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Apply one update of a controller, wholly or not at all.
    pub(crate) fn write(&mut self, update: &v1::Update, now: Micros) -> Outcome {
        direct::check_colors(update)?;
        self.apply(update, now)
    }

    /// The same for what was there before, of which a controller cannot write everything.
    pub(crate) fn apply(&mut self, update: &v1::Update, now: Micros) -> Outcome {
        let operation = Operation::of(update)?;
        let Some(kind) = update.entity.as_ref().and_then(|entity| entity.entity.as_ref()) else {
            return Err(Fault::invalid("the update has no entity"));
        };
        match kind {
            Kind::TableEntry(entry) => self.write_table_entry(operation, entry, now),
            Kind::ActionProfileMember(member) => self.write_member(operation, member),
            Kind::ActionProfileGroup(group) => self.write_group(operation, group),
            Kind::MeterEntry(meter) => self.write_meter(operation, meter),
            Kind::DirectMeterEntry(meter) => self.write_direct_meter(operation, meter),
            Kind::CounterEntry(counter) => self.write_counter(operation, counter),
            Kind::DirectCounterEntry(counter) => self.write_direct_counter(operation, counter),
            Kind::PacketReplicationEngineEntry(entry) => self.write_replication(operation, entry),
            Kind::ValueSetEntry(set) => self.write_value_set(operation, set),
            Kind::RegisterEntry(register) => self.write_register(operation, register),
            Kind::DigestEntry(digest) => self.write_digest(operation, digest),
            Kind::ExternEntry(_) => Err(no_externs()),
        }
    }

    /// Everything that one entity of a read request selects, at once.
    pub(crate) fn read(&self, wanted: &v1::Entity, now: Micros) -> Outcome<Vec<v1::Entity>> {
        Ok(self.gather(self.select(wanted, now)?))
    }

    /// The same, where cells of arrays need not be shown at once.
    pub(crate) fn select(&self, wanted: &v1::Entity, now: Micros) -> Outcome<Found> {
        let Some(kind) = &wanted.entity else {
            return Err(Fault::invalid("an entity of the request is empty: name the kind to read"));
        };
        let found = match kind {
            Kind::TableEntry(entry) => self.read_table_entries(entry, now)?,
            Kind::ActionProfileMember(member) => self.read_members(member)?,
            Kind::ActionProfileGroup(group) => self.read_groups(group)?,
            Kind::DirectMeterEntry(meter) => self.read_direct_meters(meter)?,
            Kind::DirectCounterEntry(counter) => self.read_direct_counters(counter)?,
            Kind::PacketReplicationEngineEntry(entry) => self.read_replication(entry)?,
            Kind::ValueSetEntry(set) => self.read_value_sets(set)?,
            Kind::MeterEntry(_) | Kind::CounterEntry(_) | Kind::RegisterEntry(_) => {
                return self.stretches(kind).map(Found::Cells);
            }
            Kind::DigestEntry(digest) => self.read_digests(digest)?,
            Kind::ExternEntry(_) => return Err(no_externs()),
        };
        Ok(Found::Entities(found.into_iter().map(|kind| v1::Entity { entity: Some(kind) }).collect()))
    }
}

fn no_externs() -> Fault {
    Fault::unimplemented("extern entries: v1model has no externs beyond those with an entity of their own")
}

/// What an update does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Insert,
    Modify,
    Delete,
}

impl Operation {
    fn of(update: &v1::Update) -> Outcome<Operation> {
        match Type::try_from(update.r#type) {
            Ok(Type::Insert) => Ok(Operation::Insert),
            Ok(Type::Modify) => Ok(Operation::Modify),
            Ok(Type::Delete) => Ok(Operation::Delete),
            Ok(Type::Unspecified) => Err(Fault::invalid("the update has no type: INSERT, MODIFY or DELETE")),
            Err(_) => {
                Err(Fault::invalid(format!("update type {} does not exist: INSERT, MODIFY or DELETE", update.r#type)))
            }
        }
    }

    /// For counters, whose data is set by this update to what it gives, if that is anything.
    fn counts<'a>(
        self,
        dialect: Dialect,
        what: &str,
        data: Option<&'a v1::CounterData>,
    ) -> Outcome<Option<&'a v1::CounterData>> {
        const NOTHING: v1::CounterData = v1::CounterData { byte_count: 0, packet_count: 0 };
        if self == Operation::Delete && dialect.deletes_counters() {
            return Ok(Some(&NOTHING));
        }
        self.only_modify(what).map_err(|fault| dialect.about_operation(fault, self, "counters"))?;
        Ok(data)
    }

    /// For entities that are always there.
    fn only_modify(self, what: &str) -> Outcome {
        match self {
            Operation::Modify => Ok(()),
            Operation::Insert | Operation::Delete => Err(Fault::invalid(format!("a {what} can only be modified"))),
        }
    }
}
