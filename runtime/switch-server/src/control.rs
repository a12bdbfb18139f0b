//! The switch for a protocol beside P4Runtime, which speaks in the program's own names and needs no P4Info.
//!
//! There is one state. Whoever changes it here holds the lock that P4Runtime's writes hold, and what P4Runtime remembers
//! beside the engine (what entries carry for controllers alone, how replicas were spelled) is kept true: that is what
//! [`Running`] has methods for. Everything else is the engine's own control API, by way of [`Running::switch`].

use std::collections::BTreeMap;
use std::sync::{Arc, RwLockWriteGuard};

use vouch_switch::{
    CloneSession, ControlError, EntryKey, LoadError, Micros, Program, ReplicationNode, Switch, TableEntry, TableId,
};

use crate::device::Device;
use crate::entity::Target;
use crate::learning::LearnRequest;
use crate::notices::Notice;
use crate::pipeline::Pipeline;
use crate::port::PortStatus;

/// A running switch. Copies mean the same one.
#[derive(Clone)]
pub struct Control {
    device: Arc<Device>,
}

impl Control {
    pub(crate) fn new(device: &Arc<Device>) -> Control {
        Control { device: device.clone() }
    }

    /// The P4Runtime device id.
    pub fn device_id(&self) -> u64 {
        self.device.id
    }

    /// Time since the switch was made: the clock of the packet engine.
    pub fn now(&self) -> Micros {
        self.device.now()
    }

    /// The plugged-in ports and whether they are up.
    pub fn ports(&self) -> BTreeMap<u16, PortStatus> {
        self.device.plugged().map(|(number, port)| (number, *port.status().borrow())).collect()
    }

    /// Do something with the program that packets run through, while nobody else changes anything; `None` without one.
    pub fn with<T>(&self, call: impl FnOnce(&mut Running<'_>) -> T) -> Option<T> {
        let _changes = self.device.changes();
        let pipeline = self.device.active()?;
        let mut running = Running { now: self.device.now(), target: pipeline.target_mut(), pipeline: &pipeline };
        let outcome = call(&mut running);
        if pipeline.learns() {
            self.device.digest_gathered.notify_one();
        }
        Some(outcome)
    }

    /// Make everything as it was when the program started, P4Runtime's configuration of digests included.
    pub fn reset(&self) {
        let _changes = self.device.changes();
        if let Some(pipeline) = self.device.active() {
            self.device.activate(Arc::new(pipeline.anew()));
        }
    }

    /// Put packets through another program, with its initial state, without telling controllers of it: there is no P4Info to
    /// tell them.
    ///
    /// # Errors
    /// The JSON is not a program, and why.
    pub fn start(&self, json: &[u8]) -> Result<(), LoadError> {
        let program = Program::load(json)?;
        let _changes = self.device.changes();
        self.device.start_with(program, json.to_vec());
        self.device.tell(|| Notice::Swapped);
        Ok(())
    }
}

/// The program that packets run through, with its state. Nobody else changes either meanwhile.
pub struct Running<'a> {
    pipeline: &'a Pipeline,
    target: RwLockWriteGuard<'a, Target>,
    now: Micros,
}

impl Running<'_> {
    /// The engine. Another one than before means that there is another program or that everything was reset.
    ///
    /// Its entries, members, groups, cells and value sets may be written directly, except for what this type has methods for.
    pub fn switch(&self) -> &Arc<Switch> {
        &self.pipeline.switch
    }

    /// The program, as whoever set it wrote it.
    pub fn program(&self) -> &[u8] {
        self.pipeline.device_config()
    }

    /// The moment of this call.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Change an entry; what it carries for controllers alone stays, but for its idle timeout.
    ///
    /// # Errors
    /// As [`Switch::modify_entry`].
    pub fn modify_entry(&mut self, table: TableId, entry: &TableEntry) -> Result<(), ControlError> {
        self.switch().modify_entry(table, entry, self.now)?;
        self.target.note_idle_timeout(table, &entry.key, entry.idle_timeout);
        Ok(())
    }

    /// Remove an entry.
    ///
    /// # Errors
    /// As [`Switch::delete_entry`].
    pub fn delete_entry(&mut self, table: TableId, key: &EntryKey) -> Result<(), ControlError> {
        self.switch().delete_entry(table, key)?;
        self.target.forget_entry(table, key);
        Ok(())
    }

    /// Do what a receiver of samples asks of a list, which goes by its number in the program; `false` without such a list. Without
    /// [`Builder::notices`](crate::Builder::notices) nothing is gathered, and there is nothing to do.
    pub fn learning(&self, list: u32, request: &LearnRequest) -> bool {
        match self.pipeline.learning() {
            Some(mut learning) => learning.request(list, request),
            None => self.switch().program().digests().any(|(_, digest)| digest.number == list),
        }
    }

    /// Let a multicast group make these copies, or with `None` be gone. 0 is no group.
    ///
    /// # Errors
    /// As [`Switch::insert_multicast_group`].
    pub fn set_multicast_group(&mut self, id: u32, nodes: Option<&[ReplicationNode]>) -> Result<(), ControlError> {
        self.target.set_multicast_group(id, nodes)
    }

    /// Let a clone session make these copies, or with `None` be gone.
    ///
    /// # Errors
    /// As [`Switch::insert_clone_session`].
    pub fn set_clone_session(&mut self, id: u16, session: Option<&CloneSession>) -> Result<(), ControlError> {
        self.target.set_clone_session(id, session)
    }
}
