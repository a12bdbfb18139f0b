//! A running switch: one program, its tables and arrays, its replication lists.
//!
//! All control calls take `&self` and may run beside packets. Table contents, action profiles, replication lists and value
//! sets are one state behind one read-write lock: a packet takes it for reading once, so that it sees every table as of one
//! moment; a control call takes it for writing for the time of one change. Counters, meters, registers and hit times are
//! atomics or small locks of their own and never hold packets up for a control call.

use std::sync::Arc;

use crate::error::ControlError;
use crate::ids::{CounterId, MeterId, Micros, Port, ProfileId, RegisterId, TableId, ValueSetId};
use crate::output::Output;
use crate::program::Program;
use crate::types::*;
use crate::worker::Worker;

/// What a program cannot know about the switch it runs on.
#[derive(Clone, Debug)]
pub struct SwitchConfig {
    /// Port of the control plane, if there is one. The engine treats it like any other; it is here for those who ask.
    pub cpu_port: Option<Port>,
    /// The `egress_spec` that means "drop": 511 unless configured otherwise.
    pub drop_port: Port,
    /// Seed of `random()`; equal seeds give equal numbers to a worker.
    pub seed: u64,
}

impl Default for SwitchConfig {
    fn default() -> Self {
        Self { cpu_port: None, drop_port: 511, seed: 0 }
    }
}

/// A program at work. Shared by reference between any number of packet workers and control calls.
#[derive(Debug)]
pub struct Switch {
    program: Arc<Program>,
    config: SwitchConfig,
}

impl Switch {
    /// A switch with the program's initial state: constant entries and default actions in place, all else empty.
    #[must_use]
    pub fn new(program: Arc<Program>, config: SwitchConfig) -> Self {
        Self { program, config }
    }

    /// The program it runs.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// How it was set up.
    #[must_use]
    pub fn config(&self) -> &SwitchConfig {
        &self.config
    }

    /// Takes one frame in on `port` at the time `now` and appends what comes out to `output`. Frames of any length up to
    /// 64 KiB, also 0, are fine; longer ones are a counted drop.
    pub fn process(&self, worker: &mut Worker, port: Port, frame: &[u8], now: Micros, output: &mut Output) {
        let _ = (worker, port, frame, now, output);
    }
}

/// Tables.
impl Switch {
    /// Adds an entry.
    ///
    /// # Errors
    /// See [`ControlError`]; `EntryExists` where the key is taken.
    pub fn insert_entry(&self, table: TableId, entry: &TableEntry, now: Micros) -> Result<(), ControlError> {
        let _ = (table, entry, now);
        Err(ControlError::EntryNotFound)
    }

    /// Changes action, idle timeout and meter of an entry. Its counter goes on; its last hit becomes `now`.
    ///
    /// # Errors
    /// See [`ControlError`]; `EntryNotFound` where there is none.
    pub fn modify_entry(&self, table: TableId, entry: &TableEntry, now: Micros) -> Result<(), ControlError> {
        let _ = (table, entry, now);
        Err(ControlError::EntryNotFound)
    }

    /// Removes an entry and returns it as it was.
    ///
    /// # Errors
    /// See [`ControlError`]; `EntryNotFound` where there is none.
    pub fn delete_entry(&self, table: TableId, key: &EntryKey) -> Result<EntryView, ControlError> {
        let _ = (table, key);
        Err(ControlError::EntryNotFound)
    }

    /// Reads one entry.
    ///
    /// # Errors
    /// See [`ControlError`]; `EntryNotFound` where there is none.
    pub fn entry(&self, table: TableId, key: &EntryKey) -> Result<EntryView, ControlError> {
        let _ = (table, key);
        Err(ControlError::EntryNotFound)
    }

    /// All entries of a table, as of one moment, in no particular order but constant ones first.
    ///
    /// # Errors
    /// `UnknownObject`.
    pub fn entries(&self, table: TableId) -> Result<Vec<EntryView>, ControlError> {
        let _ = table;
        Err(ControlError::EntryNotFound)
    }

    /// Number of entries.
    ///
    /// # Errors
    /// `UnknownObject`.
    pub fn entry_count(&self, table: TableId) -> Result<u64, ControlError> {
        let _ = table;
        Err(ControlError::EntryNotFound)
    }

    /// Sets what a miss does, or with `None` what the program had for it.
    ///
    /// # Errors
    /// See [`ControlError`]; `ConstDefault` where the program fixed it.
    pub fn set_default(&self, table: TableId, action: Option<&EntryAction>) -> Result<(), ControlError> {
        let _ = (table, action);
        Err(ControlError::EntryNotFound)
    }

    /// What a miss does.
    ///
    /// # Errors
    /// `UnknownObject`.
    pub fn default_entry(&self, table: TableId) -> Result<DefaultView, ControlError> {
        let _ = table;
        Err(ControlError::EntryNotFound)
    }

    /// Sets the direct counter of an entry, for example to zero.
    ///
    /// # Errors
    /// `NotSupportedByTable` without direct counters, `EntryNotFound`, and what the key can be refused for.
    pub fn set_direct_counter(&self, table: TableId, key: &EntryKey, data: CounterData) -> Result<(), ControlError> {
        let _ = (table, key, data);
        Err(ControlError::EntryNotFound)
    }

    /// Sets the rates of an entry's direct meter; `None` leaves its packets green.
    ///
    /// # Errors
    /// `NotSupportedByTable` without direct meters, `EntryNotFound`, `MeterRates`, and what the key can be refused for.
    pub fn set_direct_meter(
        &self,
        table: TableId,
        key: &EntryKey,
        config: Option<MeterConfig>,
    ) -> Result<(), ControlError> {
        let _ = (table, key, config);
        Err(ControlError::EntryNotFound)
    }

    /// Entries that have not been hit for their idle timeout. Each is reported once per timeout: again only after another
    /// whole timeout without a hit. Nothing is removed.
    pub fn sweep(&self, now: Micros) -> Vec<IdleEntry> {
        let _ = now;
        Vec::new()
    }
}

/// Action profiles.
impl Switch {
    /// Adds a member.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn insert_member(&self, profile: ProfileId, member: MemberId, call: &ActionCall) -> Result<(), ControlError> {
        let _ = (profile, member, call);
        Err(ControlError::EntryNotFound)
    }

    /// Changes a member's action; entries and groups that use it follow at once.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn modify_member(&self, profile: ProfileId, member: MemberId, call: &ActionCall) -> Result<(), ControlError> {
        let _ = (profile, member, call);
        Err(ControlError::EntryNotFound)
    }

    /// Removes a member that nothing uses.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn delete_member(&self, profile: ProfileId, member: MemberId) -> Result<(), ControlError> {
        let _ = (profile, member);
        Err(ControlError::EntryNotFound)
    }

    /// All members, by ascending id.
    ///
    /// # Errors
    /// `UnknownObject`.
    pub fn members(&self, profile: ProfileId) -> Result<Vec<(MemberId, ActionCall)>, ControlError> {
        let _ = profile;
        Err(ControlError::EntryNotFound)
    }

    /// Adds a group.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn insert_group(&self, profile: ProfileId, id: ActionGroupId, group: &ActionGroup) -> Result<(), ControlError> {
        let _ = (profile, id, group);
        Err(ControlError::EntryNotFound)
    }

    /// Replaces a group's members.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn modify_group(&self, profile: ProfileId, id: ActionGroupId, group: &ActionGroup) -> Result<(), ControlError> {
        let _ = (profile, id, group);
        Err(ControlError::EntryNotFound)
    }

    /// Removes a group that no entry uses.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn delete_group(&self, profile: ProfileId, id: ActionGroupId) -> Result<(), ControlError> {
        let _ = (profile, id);
        Err(ControlError::EntryNotFound)
    }

    /// All groups, by ascending id.
    ///
    /// # Errors
    /// `UnknownObject`.
    pub fn groups(&self, profile: ProfileId) -> Result<Vec<(ActionGroupId, ActionGroup)>, ControlError> {
        let _ = profile;
        Err(ControlError::EntryNotFound)
    }

    /// Tells the selectors whether a port is up; all are until told otherwise. Members that watch a port that is down are
    /// not chosen.
    pub fn set_port_up(&self, port: Port, up: bool) {
        let _ = (port, up);
    }
}

/// Counters, meters and registers that are arrays of their own.
impl Switch {
    /// Reads a counter.
    ///
    /// # Errors
    /// `UnknownObject`, `IndexOutOfRange`.
    pub fn counter(&self, counter: CounterId, index: u64) -> Result<CounterData, ControlError> {
        let _ = (counter, index);
        Err(ControlError::EntryNotFound)
    }

    /// Sets a counter.
    ///
    /// # Errors
    /// `UnknownObject`, `IndexOutOfRange`.
    pub fn set_counter(&self, counter: CounterId, index: u64, data: CounterData) -> Result<(), ControlError> {
        let _ = (counter, index, data);
        Err(ControlError::EntryNotFound)
    }

    /// Reads a meter's rates; `None` where none were set and everything is green.
    ///
    /// # Errors
    /// `UnknownObject`, `IndexOutOfRange`.
    pub fn meter(&self, meter: MeterId, index: u64) -> Result<Option<MeterConfig>, ControlError> {
        let _ = (meter, index);
        Err(ControlError::EntryNotFound)
    }

    /// Sets a meter's rates; its buckets start full. `None` leaves packets green.
    ///
    /// # Errors
    /// `UnknownObject`, `IndexOutOfRange`, `MeterRates`.
    pub fn set_meter(&self, meter: MeterId, index: u64, config: Option<MeterConfig>) -> Result<(), ControlError> {
        let _ = (meter, index, config);
        Err(ControlError::EntryNotFound)
    }

    /// Reads a register cell, full width.
    ///
    /// # Errors
    /// `UnknownObject`, `IndexOutOfRange`.
    pub fn register(&self, register: RegisterId, index: u64) -> Result<Vec<u8>, ControlError> {
        let _ = (register, index);
        Err(ControlError::EntryNotFound)
    }

    /// Writes a register cell.
    ///
    /// # Errors
    /// `UnknownObject`, `IndexOutOfRange`, `ValueWidth`.
    pub fn set_register(&self, register: RegisterId, index: u64, value: &[u8]) -> Result<(), ControlError> {
        let _ = (register, index, value);
        Err(ControlError::EntryNotFound)
    }
}

/// Packet replication and parser value sets.
impl Switch {
    /// Adds a multicast group (ids from 1).
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn insert_multicast_group(&self, id: u32, nodes: &[ReplicationNode]) -> Result<(), ControlError> {
        let _ = (id, nodes);
        Err(ControlError::EntryNotFound)
    }

    /// Replaces a multicast group's nodes.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn modify_multicast_group(&self, id: u32, nodes: &[ReplicationNode]) -> Result<(), ControlError> {
        let _ = (id, nodes);
        Err(ControlError::EntryNotFound)
    }

    /// Removes a multicast group.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn delete_multicast_group(&self, id: u32) -> Result<(), ControlError> {
        let _ = id;
        Err(ControlError::EntryNotFound)
    }

    /// All multicast groups, by ascending id.
    pub fn multicast_groups(&self) -> Vec<(u32, Vec<ReplicationNode>)> {
        Vec::new()
    }

    /// Adds a clone session.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn insert_clone_session(&self, id: u16, session: &CloneSession) -> Result<(), ControlError> {
        let _ = (id, session);
        Err(ControlError::EntryNotFound)
    }

    /// Replaces a clone session.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn modify_clone_session(&self, id: u16, session: &CloneSession) -> Result<(), ControlError> {
        let _ = (id, session);
        Err(ControlError::EntryNotFound)
    }

    /// Removes a clone session.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn delete_clone_session(&self, id: u16) -> Result<(), ControlError> {
        let _ = id;
        Err(ControlError::EntryNotFound)
    }

    /// All clone sessions, by ascending id.
    pub fn clone_sessions(&self) -> Vec<(u16, CloneSession)> {
        Vec::new()
    }

    /// Replaces all members of a parser value set.
    ///
    /// # Errors
    /// `UnknownObject`, `ValueWidth`, `ValueSetFull`.
    pub fn set_value_set(&self, set: ValueSetId, members: &[ValueSetMember]) -> Result<(), ControlError> {
        let _ = (set, members);
        Err(ControlError::EntryNotFound)
    }

    /// The members of a parser value set.
    ///
    /// # Errors
    /// `UnknownObject`.
    pub fn value_set(&self, set: ValueSetId) -> Result<Vec<ValueSetMember>, ControlError> {
        let _ = set;
        Err(ControlError::EntryNotFound)
    }
}
