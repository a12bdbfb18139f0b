//! The control calls of a [`Switch`]: checked here, done by [`Tables`](crate::state::Tables) and the arrays.

use std::sync::Arc;

use crate::bits;
use crate::error::ControlError;
use crate::hash::{Crc, CrcParameters};
use crate::ids::{CalculationId, CounterId, MeterId, Micros, Port, ProfileId, RegisterId, TableId, ValueSetId};
use crate::state::arrays::{Meter, Registers};
use crate::state::entry::check_rates;
use crate::state::{ValueSet, table};
use crate::switch::Switch;
use crate::types::{
    ActionCall, ActionGroup, ActionGroupId, CloneSession, CounterData, DefaultView, EntryAction, EntryKey, EntryView,
    IdleEntry, MemberId, MeterColors, MeterConfig, ReplicationNode, TableEntry, ValueSetMember,
};

/// Tables.
impl Switch {
    /// Adds an entry.
    ///
    /// # Errors
    /// See [`ControlError`]; `EntryExists` where the key is taken.
    pub fn insert_entry(&self, table: TableId, entry: &TableEntry, now: Micros) -> Result<(), ControlError> {
        self.check_table(table)?;
        self.change(|tables| tables.insert_entry(self.program(), table, entry, now))
    }

    /// Changes action, idle timeout and meter of an entry. Its counter goes on; its last hit becomes `now`.
    ///
    /// # Errors
    /// See [`ControlError`]; `EntryNotFound` where there is none.
    pub fn modify_entry(&self, table: TableId, entry: &TableEntry, now: Micros) -> Result<(), ControlError> {
        self.check_table(table)?;
        self.change(|tables| tables.modify_entry(self.program(), table, entry, now))
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// See [`ControlError`]; `EntryNotFound` where there is none.
    pub fn delete_entry(&self, table: TableId, key: &EntryKey) -> Result<(), ControlError> {
        self.check_table(table)?;
        self.change(|tables| tables.delete_entry(self.program(), table, key))
    }

    /// Reads one entry.
    ///
    /// # Errors
    /// See [`ControlError`]; `EntryNotFound` where there is none.
    pub fn entry(&self, table: TableId, key: &EntryKey) -> Result<EntryView, ControlError> {
        self.check_table(table)?;
        self.look(|tables| {
            tables.entry(self.program(), table, key).map(|entry| table::view(self.program(), table, entry))
        })
    }

    /// All entries of a table, as of one moment, in no particular order but constant ones first.
    ///
    /// # Errors
    /// `UnknownObject`.
    pub fn entries(&self, table: TableId) -> Result<Vec<EntryView>, ControlError> {
        self.check_table(table)?;
        Ok(self.look(|tables| {
            tables.tables[table.index()].iter().map(|entry| table::view(self.program(), table, entry)).collect()
        }))
    }

    /// Number of entries.
    ///
    /// # Errors
    /// `UnknownObject`.
    pub fn entry_count(&self, table: TableId) -> Result<u64, ControlError> {
        self.check_table(table)?;
        Ok(self.look(|tables| tables.tables[table.index()].count()))
    }

    /// How often an entry of the table came or went since the start, for those who keep something beside its keys: as long as
    /// this stays the same, so do the keys.
    ///
    /// # Errors
    /// `UnknownObject`.
    pub fn entry_changes(&self, table: TableId) -> Result<u64, ControlError> {
        self.check_table(table)?;
        Ok(self.look(|tables| tables.tables[table.index()].changes()))
    }

    /// Sets what a miss does, or with `None` what the program had for it.
    ///
    /// # Errors
    /// See [`ControlError`]; `ConstDefault` where the program fixed it.
    pub fn set_default(&self, table: TableId, action: Option<&EntryAction>) -> Result<(), ControlError> {
        self.check_table(table)?;
        self.change(|tables| tables.set_default(self.program(), table, action))
    }

    /// What a miss does, and what was counted of misses.
    ///
    /// # Errors
    /// `UnknownObject`.
    pub fn default_entry(&self, table: TableId) -> Result<DefaultView, ControlError> {
        self.check_table(table)?;
        Ok(self.look(|tables| tables.default_entry(self.program(), table)))
    }

    /// Sets the direct counter of an entry, for example to zero; without a key, of the default entry.
    ///
    /// # Errors
    /// `NotSupportedByTable` without direct counters, `EntryNotFound`, and what the key can be refused for.
    pub fn set_direct_counter(
        &self,
        table: TableId,
        key: Option<&EntryKey>,
        data: CounterData,
    ) -> Result<(), ControlError> {
        self.check_table(table)?;
        if !self.program().tables[table.index()].direct_counter {
            return Err(ControlError::NotSupportedByTable { what: "direct counter" });
        }
        self.look(|tables| tables.cells(self.program(), table, key).map(|cells| cells.counter.set(data)))
    }

    /// Sets the rates of an entry's direct meter, or without a key of the default entry's; `None` leaves packets green.
    ///
    /// # Errors
    /// `NotSupportedByTable` without direct meters, `EntryNotFound`, `MeterRates`, and what the key can be refused for.
    pub fn set_direct_meter(
        &self,
        table: TableId,
        key: Option<&EntryKey>,
        config: Option<MeterConfig>,
    ) -> Result<(), ControlError> {
        check_rates(config)?;
        self.direct_meter(table, key, |meter| meter.configure(config))
    }

    /// Sets the counters of colours of an entry's direct meter, or without a key of the default entry's.
    ///
    /// # Errors
    /// `NotSupportedByTable` without direct meters, `EntryNotFound`, and what the key can be refused for.
    pub fn set_direct_meter_colors(
        &self,
        table: TableId,
        key: Option<&EntryKey>,
        colors: MeterColors,
    ) -> Result<(), ControlError> {
        self.direct_meter(table, key, |meter| meter.set_colors(colors))
    }

    /// Entries that have not been hit for their idle timeout. Each is reported once per timeout: again only after another
    /// whole timeout without a hit. Nothing is removed.
    pub fn sweep(&self, now: Micros) -> Vec<IdleEntry> {
        self.look(|tables| tables.sweep(self.program(), now))
    }
}

/// Action profiles.
impl Switch {
    /// Adds a member.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn insert_member(&self, profile: ProfileId, member: MemberId, call: &ActionCall) -> Result<(), ControlError> {
        check("action profile", profile.index(), self.program().profiles.len())?;
        self.change(|tables| tables.profile_mut(profile).insert_member(self.program(), profile, member, call))
    }

    /// Changes a member's action; entries and groups that use it follow at once.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn modify_member(&self, profile: ProfileId, member: MemberId, call: &ActionCall) -> Result<(), ControlError> {
        check("action profile", profile.index(), self.program().profiles.len())?;
        self.change(|tables| tables.profile_mut(profile).modify_member(self.program(), profile, member, call))
    }

    /// Removes a member that nothing uses.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn delete_member(&self, profile: ProfileId, member: MemberId) -> Result<(), ControlError> {
        check("action profile", profile.index(), self.program().profiles.len())?;
        self.change(|tables| tables.profile_mut(profile).delete_member(member))
    }

    /// One member's action.
    ///
    /// # Errors
    /// `UnknownObject`, `MemberNotFound`.
    pub fn member(&self, profile: ProfileId, id: MemberId) -> Result<ActionCall, ControlError> {
        check("action profile", profile.index(), self.program().profiles.len())?;
        self.look(|tables| tables.profiles[profile.index()].written_member(self.program(), id))
            .ok_or(ControlError::MemberNotFound(id))
    }

    /// All members, by ascending id.
    ///
    /// # Errors
    /// `UnknownObject`.
    pub fn members(&self, profile: ProfileId) -> Result<Vec<(MemberId, ActionCall)>, ControlError> {
        check("action profile", profile.index(), self.program().profiles.len())?;
        Ok(self.look(|tables| tables.profiles[profile.index()].members(self.program())))
    }

    /// Adds a group.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn insert_group(&self, profile: ProfileId, id: ActionGroupId, group: &ActionGroup) -> Result<(), ControlError> {
        check("action profile", profile.index(), self.program().profiles.len())?;
        self.change(|tables| tables.profile_mut(profile).insert_group(self.program(), profile, id, group))
    }

    /// Replaces a group's members.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn modify_group(&self, profile: ProfileId, id: ActionGroupId, group: &ActionGroup) -> Result<(), ControlError> {
        check("action profile", profile.index(), self.program().profiles.len())?;
        self.change(|tables| tables.profile_mut(profile).modify_group(id, group))
    }

    /// Removes a group that no entry uses.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn delete_group(&self, profile: ProfileId, id: ActionGroupId) -> Result<(), ControlError> {
        check("action profile", profile.index(), self.program().profiles.len())?;
        self.change(|tables| tables.profile_mut(profile).delete_group(id))
    }

    /// One group.
    ///
    /// # Errors
    /// `UnknownObject`, `GroupNotFound`.
    pub fn group(&self, profile: ProfileId, id: ActionGroupId) -> Result<ActionGroup, ControlError> {
        check("action profile", profile.index(), self.program().profiles.len())?;
        self.look(|tables| tables.profiles[profile.index()].written_group(id)).ok_or(ControlError::GroupNotFound(id))
    }

    /// All groups, by ascending id.
    ///
    /// # Errors
    /// `UnknownObject`.
    pub fn groups(&self, profile: ProfileId) -> Result<Vec<(ActionGroupId, ActionGroup)>, ControlError> {
        check("action profile", profile.index(), self.program().profiles.len())?;
        Ok(self.look(|tables| tables.profiles[profile.index()].groups()))
    }

    /// Tells the selectors whether a port is up; all are until told otherwise. Members that watch a port that is down are
    /// not chosen.
    pub fn set_port_up(&self, port: Port, up: bool) {
        let changed = self.change(|tables| {
            tables.down.retain(|down| *down != port);
            if !up {
                tables.down.push(port);
            }
            Ok(())
        });
        debug_assert!(changed.is_ok(), "nothing in there can fail");
    }
}

/// Counters, meters and registers that are arrays of their own.
impl Switch {
    /// Reads a counter.
    ///
    /// # Errors
    /// `UnknownObject`, `IndexOutOfRange`.
    pub fn counter(&self, counter: CounterId, index: u64) -> Result<CounterData, ControlError> {
        cell("counter", &self.arrays().counters, counter.index(), index).map(|counter| counter.get())
    }

    /// Sets a counter.
    ///
    /// # Errors
    /// `UnknownObject`, `IndexOutOfRange`.
    pub fn set_counter(&self, counter: CounterId, index: u64, data: CounterData) -> Result<(), ControlError> {
        cell("counter", &self.arrays().counters, counter.index(), index).map(|counter| counter.set(data))
    }

    /// Reads a meter's rates; `None` where none were set and everything is green.
    ///
    /// # Errors
    /// `UnknownObject`, `IndexOutOfRange`.
    pub fn meter(&self, meter: MeterId, index: u64) -> Result<Option<MeterConfig>, ControlError> {
        cell("meter", &self.arrays().meters, meter.index(), index).map(|meter| meter.config())
    }

    /// Sets a meter's rates; its buckets start full. `None` leaves packets green.
    ///
    /// # Errors
    /// `UnknownObject`, `IndexOutOfRange`, `MeterRates`.
    pub fn set_meter(&self, meter: MeterId, index: u64, config: Option<MeterConfig>) -> Result<(), ControlError> {
        check_rates(config)?;
        cell("meter", &self.arrays().meters, meter.index(), index).map(|meter| meter.configure(config))
    }

    /// What a meter has coloured how since the start, or since it was set.
    ///
    /// # Errors
    /// `UnknownObject`, `IndexOutOfRange`.
    pub fn meter_colors(&self, meter: MeterId, index: u64) -> Result<MeterColors, ControlError> {
        cell("meter", &self.arrays().meters, meter.index(), index).map(|meter| meter.colors())
    }

    /// Sets a meter's counters of colours, for example to zero.
    ///
    /// # Errors
    /// `UnknownObject`, `IndexOutOfRange`.
    pub fn set_meter_colors(&self, meter: MeterId, index: u64, colors: MeterColors) -> Result<(), ControlError> {
        cell("meter", &self.arrays().meters, meter.index(), index).map(|meter| meter.set_colors(colors))
    }

    /// Reads a register cell, full width.
    ///
    /// # Errors
    /// `UnknownObject`, `IndexOutOfRange`.
    pub fn register(&self, register: RegisterId, index: u64) -> Result<Vec<u8>, ControlError> {
        let registers = self.registers(register)?;
        let outside = ControlError::IndexOutOfRange { what: "register", index, size: registers.size };
        registers.read(index, bits::to_bytes).ok_or(outside)
    }

    /// Writes a register cell.
    ///
    /// # Errors
    /// `UnknownObject`, `IndexOutOfRange`, `ValueWidth`.
    pub fn set_register(&self, register: RegisterId, index: u64, value: &[u8]) -> Result<(), ControlError> {
        let registers = self.registers(register)?;
        let limbs = bits::number(value, registers.bits).ok_or(ControlError::ValueWidth { bits: registers.bits })?;
        if !registers.write(index, |limb| limbs[limb]) {
            return Err(ControlError::IndexOutOfRange { what: "register", index, size: registers.size });
        }
        Ok(())
    }
}

/// Packet replication and parser value sets.
impl Switch {
    /// Adds a multicast group (ids from 1).
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn insert_multicast_group(&self, id: u32, nodes: &[ReplicationNode]) -> Result<(), ControlError> {
        self.change(|tables| tables.replication.insert_group(id, nodes))
    }

    /// Replaces a multicast group's nodes.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn modify_multicast_group(&self, id: u32, nodes: &[ReplicationNode]) -> Result<(), ControlError> {
        self.change(|tables| tables.replication.modify_group(id, nodes))
    }

    /// Removes a multicast group.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn delete_multicast_group(&self, id: u32) -> Result<(), ControlError> {
        self.change(|tables| tables.replication.delete_group(id))
    }

    /// All multicast groups, by ascending id.
    #[must_use]
    pub fn multicast_groups(&self) -> Vec<(u32, Vec<ReplicationNode>)> {
        self.look(|tables| tables.replication.groups().map(|(id, nodes)| (id, nodes.clone())).collect())
    }

    /// Adds a clone session.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn insert_clone_session(&self, id: u16, session: &CloneSession) -> Result<(), ControlError> {
        self.change(|tables| tables.replication.insert_session(id, session))
    }

    /// Replaces a clone session.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn modify_clone_session(&self, id: u16, session: &CloneSession) -> Result<(), ControlError> {
        self.change(|tables| tables.replication.modify_session(id, session))
    }

    /// Removes a clone session.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn delete_clone_session(&self, id: u16) -> Result<(), ControlError> {
        self.change(|tables| tables.replication.delete_session(id))
    }

    /// All clone sessions, by ascending id.
    #[must_use]
    pub fn clone_sessions(&self) -> Vec<(u16, CloneSession)> {
        self.look(|tables| tables.replication.sessions().map(|(id, session)| (id, session.clone())).collect())
    }

    /// Replaces all members of a parser value set.
    ///
    /// # Errors
    /// `UnknownObject`, `ValueWidth`, `ValueSetFull`.
    pub fn set_value_set(&self, set: ValueSetId, members: &[ValueSetMember]) -> Result<(), ControlError> {
        check("value set", set.index(), self.program().value_sets.len())?;
        let info = &self.program().value_sets[set.index()];
        if members.len() as u64 > info.size {
            return Err(ControlError::ValueSetFull { size: info.size });
        }
        let number = |bytes: &[u8]| {
            let limbs = bits::number(bytes, info.bits).ok_or(ControlError::ValueWidth { bits: info.bits })?;
            Ok(u128::from(limbs[0]) | u128::from(limbs.get(1).copied().unwrap_or(0)) << 64)
        };
        let mut packed = Vec::with_capacity(members.len());
        for member in members {
            let mask = member.mask.as_deref().map_or(Ok(u128::MAX), number)?;
            packed.push((number(&member.value)?, mask));
        }
        let new = Arc::new(ValueSet { members: members.to_vec(), packed });
        self.change(|tables| {
            tables.value_sets[set.index()] = new;
            Ok(())
        })
    }

    /// The members of a parser value set.
    ///
    /// # Errors
    /// `UnknownObject`.
    pub fn value_set(&self, set: ValueSetId) -> Result<Vec<ValueSetMember>, ControlError> {
        check("value set", set.index(), self.program().value_sets.len())?;
        Ok(self.look(|tables| tables.value_sets[set.index()].members.clone()))
    }
}

/// Hashes.
impl Switch {
    /// Gives a calculation by a custom CRC other parameters; those that it begins with are crc16's or crc32's.
    ///
    /// # Errors
    /// `UnknownObject`, also for a calculation by something else.
    pub fn set_crc(&self, calculation: CalculationId, parameters: CrcParameters) -> Result<(), ControlError> {
        let index = calculation.index();
        let bits = self.program().calculation_info(calculation).and_then(|info| info.custom_crc);
        let bits = bits.ok_or(ControlError::UnknownObject { what: "calculation by a custom CRC", index })?;
        let crc = Arc::new(Crc::new(bits, parameters));
        self.change(|tables| {
            tables.crcs[index] = Some(crc);
            Ok(())
        })
    }
}

impl Switch {
    fn check_table(&self, table: TableId) -> Result<(), ControlError> {
        check("table", table.index(), self.program().tables.len())
    }

    fn direct_meter(
        &self,
        table: TableId,
        key: Option<&EntryKey>,
        with: impl FnOnce(&Meter),
    ) -> Result<(), ControlError> {
        self.check_table(table)?;
        let none = ControlError::NotSupportedByTable { what: "direct meter" };
        if self.program().tables[table.index()].direct_meter.is_none() {
            return Err(none);
        }
        self.look(|tables| tables.cells(self.program(), table, key)?.meter.as_deref().map(with).ok_or(none))
    }

    fn registers(&self, register: RegisterId) -> Result<&Registers, ControlError> {
        let index = register.index();
        self.arrays().registers.get(index).ok_or(ControlError::UnknownObject { what: "register array", index })
    }
}

fn check(what: &'static str, index: usize, count: usize) -> Result<(), ControlError> {
    if index < count { Ok(()) } else { Err(ControlError::UnknownObject { what, index }) }
}

fn cell<'a, T>(what: &'static str, arrays: &'a [Vec<T>], array: usize, index: u64) -> Result<&'a T, ControlError> {
    let cells = arrays.get(array).ok_or(ControlError::UnknownObject { what, index: array })?;
    let cell = usize::try_from(index).ok().and_then(|index| cells.get(index));
    cell.ok_or(ControlError::IndexOutOfRange { what, index, size: cells.len() as u64 })
}
