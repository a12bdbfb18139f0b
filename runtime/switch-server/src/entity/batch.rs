//! Batches of updates, and what happens to the others where one fails (specification 12.2).
//!
//! What a batch does to tables, profiles and replication takes effect at once, when it is done, whatever its atomicity.

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_switch::Micros;

use super::Target;
use super::undo::Undo;
use crate::fault::{Fault, Outcome};

impl Target {
    /// CONTINUE_ON_ERROR: try each update, in order. `check` may refuse an update.
    pub(crate) fn write_each(
        &mut self,
        updates: &[v1::Update],
        check: impl Fn(&v1::Update) -> Outcome,
        now: Micros,
    ) -> Vec<Outcome> {
        let switch = self.switch.clone();
        switch.together(|| updates.iter().map(|update| check(update).and_then(|()| self.write(update, now))).collect())
    }

    /// ROLLBACK_ON_ERROR and DATAPLANE_ATOMIC: apply updates in order until one fails, and then take back those before it.
    pub(crate) fn write_all_or_none(
        &mut self,
        updates: &[v1::Update],
        check: impl Fn(&v1::Update) -> Outcome,
        now: Micros,
    ) -> Vec<Outcome> {
        let switch = self.switch.clone();
        switch.together(|| self.write_in_order(updates, check, now))
    }

    /// Whether an update may write cells that packets have before them: counters, meters and registers are no part of the state
    /// that takes effect as one. Those of an entry that is new are.
    pub(crate) fn writes_cells(&self, update: &v1::Update) -> bool {
        match update.entity.as_ref().and_then(|entity| entity.entity.as_ref()) {
            Some(Kind::TableEntry(entry)) => {
                let has_meter = || self.schema.table(entry.table_id).is_ok_and(|table| table.direct_meter.is_some());
                let sets = entry.counter_data.is_some() || entry.meter_counter_data.is_some();
                update.r#type == Type::Modify as i32 && (sets || has_meter())
            }
            Some(
                Kind::CounterEntry(_)
                | Kind::MeterEntry(_)
                | Kind::RegisterEntry(_)
                | Kind::DirectCounterEntry(_)
                | Kind::DirectMeterEntry(_),
            ) => true,
            Some(
                Kind::ActionProfileMember(_)
                | Kind::ActionProfileGroup(_)
                | Kind::PacketReplicationEngineEntry(_)
                | Kind::ValueSetEntry(_)
                | Kind::DigestEntry(_)
                | Kind::ExternEntry(_),
            )
            | None => false,
        }
    }

    fn write_in_order(
        &mut self,
        updates: &[v1::Update],
        check: impl Fn(&v1::Update) -> Outcome,
        now: Micros,
    ) -> Vec<Outcome> {
        let mut undo = Undo::default();
        for (failed, update) in updates.iter().enumerate() {
            let tried = check(update).and_then(|()| {
                let before = self.remember(update, &undo);
                self.write(update, now)?;
                Ok(before)
            });
            match tried {
                Ok(before) => undo.push(before),
                Err(fault) => {
                    self.take_back(undo, now);
                    return outcomes(updates.len(), failed, fault);
                }
            }
        }
        vec![Ok(()); updates.len()]
    }
}

/// What each update of a batch is told of which one has failed. The numbers start at 1, for people.
fn outcomes(count: usize, failed: usize, fault: Fault) -> Vec<Outcome> {
    let outcome = |position: usize| match position.cmp(&failed) {
        std::cmp::Ordering::Less => Err(Fault::aborted(format!("taken back, because update {} failed", failed + 1))),
        std::cmp::Ordering::Equal => Err(fault.clone()),
        std::cmp::Ordering::Greater => Err(Fault::aborted(format!("not tried, because update {} failed", failed + 1))),
    };
    (0..count).map(outcome).collect()
}
