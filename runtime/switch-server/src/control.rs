//! The switch for a protocol beside P4Runtime, which speaks in the program's own names and needs no P4Info.
//!
//! There is one state. Whoever changes it here holds the lock that P4Runtime's writes hold, and what P4Runtime remembers
//! beside the engine (what entries carry for controllers alone, how replicas were spelled) is kept true: that is what
//! [`Running`] has methods for. Everything else is the engine's own control API, by way of [`Running::switch`].

use std::collections::BTreeMap;
use std::sync::{Arc, RwLockWriteGuard};

use tokio::runtime::Handle;
use vouch_switch::{
    CloneSession, ControlError, EntryKey, LoadError, Micros, Program, QueueChoice, QueueLimits, QueueView,
    ReplicationNode, Switch, TableEntry, TableId,
};

use crate::device::Device;
use crate::entity::Target;
use crate::pipeline::Pipeline;
use crate::port::{Port, PortStatus};
use crate::server::MAX_PORT;

/// Why a port cannot be plugged in or taken out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlugError {
    /// A port number that does not exist in v1model.
    #[error("port {0} does not exist: ports are numbered 0 to {MAX_PORT}")]
    OutOfRange(u32),
    /// Something else has this number.
    #[error("port {number} is {by}: choose another number, or remove that one first")]
    Taken {
        /// The number.
        number: u32,
        /// What it is taken by.
        by: &'static str,
    },
    /// Nothing is plugged in there.
    #[error("nothing is plugged in at port {number}; there is {}", crate::fault::choices(.choices))]
    Missing {
        /// The number.
        number: u32,
        /// The ports that there are.
        choices: Vec<u16>,
    },
}

/// A port has no queue of this priority. Whoever starts the switch says how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no queue of priority {priority}: each port has {priorities}, numbered from 0")]
pub struct NoSuchPriority {
    /// The priority that was asked for.
    pub priority: u32,
    /// How many there are.
    pub priorities: u32,
}

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

    /// Plug a port in.
    ///
    /// # Errors
    /// The number is taken, or no port can have it.
    pub fn plug(&self, number: u32, port: impl Port) -> Result<(), PlugError> {
        let place = u16::try_from(number).ok().filter(|_| number <= MAX_PORT).ok_or(PlugError::OutOfRange(number))?;
        if let Some(by) = self.device.role(place) {
            return Err(PlugError::Taken { number, by });
        }
        if !self.device.plug(place, Arc::new(port)) {
            return Err(PlugError::Taken { number, by: "a plugged-in port" });
        }
        tracing::info!(device = self.device.id, port = number, "port added");
        Ok(())
    }

    /// Take a port out. What waits in its queues is lost; their limits stay for whatever is plugged in there next.
    ///
    /// # Errors
    /// There is none of this number.
    pub fn unplug(&self, number: u32) -> Result<(), PlugError> {
        if u16::try_from(number).is_ok_and(|number| self.device.unplug(number)) {
            tracing::info!(device = self.device.id, port = number, "port removed");
            return Ok(());
        }
        Err(PlugError::Missing { number, choices: self.ports().into_keys().collect() })
    }

    /// The runtime of the switch, for whoever makes ports outside of it.
    pub fn runtime(&self) -> &Handle {
        self.device.tasks.runtime()
    }

    /// The plugged-in ports and whether they are up.
    pub fn ports(&self) -> BTreeMap<u16, PortStatus> {
        self.device.ports.kept().iter().map(|(number, port)| (number, *port.status().borrow())).collect()
    }

    /// Change the limits of egress queues, for this program and those to come.
    ///
    /// # Errors
    /// There is no queue of this priority.
    pub fn limit_queues(&self, which: QueueChoice, change: impl Fn(&mut QueueLimits)) -> Result<(), NoSuchPriority> {
        let priority = match which {
            QueueChoice::Queue(_, priority) => priority,
            QueueChoice::All | QueueChoice::Port(_) => 0,
        };
        self.device.limit_queues(which, change).map_err(|priorities| NoSuchPriority { priority, priorities })
    }

    /// The egress queues of a port, by ascending priority; none without a program.
    pub fn queues(&self, port: u16) -> Vec<QueueView> {
        self.device.active().map_or_else(Vec::new, |pipeline| pipeline.switch.queues(port))
    }

    /// Do something with the program that packets run through, while nobody else changes anything; `None` without one.
    pub fn with<T>(&self, call: impl FnOnce(&mut Running<'_>) -> T) -> Option<T> {
        let _changes = self.device.changes();
        let pipeline = self.device.active()?;
        let mut running = Running { now: self.device.now(), target: pipeline.target_mut(), pipeline: &pipeline };
        Some(call(&mut running))
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
