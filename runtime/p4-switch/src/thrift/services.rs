//! What the services share: the switch, and what is remembered beside it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thrift::protocol::TInputProtocol;
use vouch_switch::{Switch, TableId};
use vouch_switch_server::{Control, Port, Running};

use super::api::{simple_pre, simple_pre_lag, simple_switch, standard};
use super::document::Document;
use super::handles::Handles;
use super::replication::Replication;
use super::wire::{Answer, Failure};

/// What clients may ask about the process around the switch, and of it.
#[derive(Default)]
pub struct About {
    /// The interfaces at the ports.
    pub interfaces: BTreeMap<u16, Interface>,
    /// Whether clients may replace the program.
    pub swaps: bool,
    /// How an interface becomes a port; `None` where ports are not interfaces and stay as they are.
    pub open: Option<Box<Open>>,
}

/// The interface at a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// The capture file of what passes, where clients have asked for one.
    pub capture: Option<String>,
}

/// Makes a port of an interface, or says why not. Called in the switch's runtime.
pub type Open = dyn Fn(&Interface) -> Result<Arc<dyn Port>, String> + Send + Sync;

/// The services of one switch.
pub struct Services {
    pub(super) control: Control,
    pub(super) about: About,
    /// Where they are served.
    pub(super) port: u16,
    /// The interfaces at the ports, as they are now. Held while ports are added and removed.
    interfaces: Mutex<BTreeMap<u16, Interface>>,
    memory: Mutex<Memory>,
}

/// What the reference numbers and the engine does not, and what only one program's clients may ask.
#[derive(Default)]
pub(super) struct Memory {
    /// The engine that all of this is about.
    switch: Option<Arc<Switch>>,
    handles: BTreeMap<TableId, Handles>,
    pub(super) replication: Replication,
    document: Option<Document>,
    /// A program that was loaded and not swapped in yet.
    pub(super) loaded: Option<String>,
}

impl Services {
    /// The names of the services, which come before a colon and a method's name.
    pub(super) const NAMES: [&str; 4] = ["standard", "simple_pre", "simple_pre_lag", "simple_switch"];

    /// The services of a switch.
    pub fn new(control: Control, about: About) -> Self {
        let interfaces = Mutex::new(about.interfaces.clone());
        Self { control, about, port: 0, interfaces, memory: Mutex::default() }
    }

    pub(super) fn listening_at(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Answer a call, if there is such a method.
    pub(super) fn serve(
        &self,
        service: &str,
        method: &str,
        from: &mut dyn TInputProtocol,
    ) -> thrift::Result<Option<Answer>> {
        match service {
            "standard" => {
                let parts = [
                    standard::tables::<Self>,
                    standard::table_reads::<Self>,
                    standard::direct_resources::<Self>,
                    standard::profiles::<Self>,
                    standard::arrays::<Self>,
                    standard::parsing::<Self>,
                    standard::management::<Self>,
                ];
                for part in parts {
                    if let Some(answer) = part(self, method, from)? {
                        return Ok(Some(answer));
                    }
                }
                Ok(None)
            }
            "simple_pre" => simple_pre::simple_pre(self, method, from),
            "simple_pre_lag" => simple_pre_lag::simple_pre_lag(self, method, from),
            "simple_switch" => simple_switch::simple_switch(self, method, from),
            _ => Ok(None),
        }
    }

    /// Do something with the program that packets run through, while nobody else changes it.
    pub(super) fn with<T, E>(
        &self,
        call: impl FnOnce(&mut Running<'_>, &mut Memory) -> Result<T, Failure<E>>,
    ) -> Result<T, Failure<E>> {
        let mut memory = self.memory();
        let done = self.control.with(|running| {
            memory.follow(running);
            call(running, &mut memory)
        });
        done.unwrap_or_else(|| Err(Failure::Other("the switch has no program".to_owned())))
    }

    pub(super) fn interfaces(&self) -> MutexGuard<'_, BTreeMap<u16, Interface>> {
        // Single map operations only: nothing is half done after a panic.
        self.interfaces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        // What a panic left half done is put right by the next look at the engine.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Forget what is about another program, or about the state before a reset.
    fn follow(&mut self, running: &Running<'_>) {
        if !self.switch.as_ref().is_some_and(|known| Arc::ptr_eq(known, running.switch())) {
            let loaded = self.loaded.take();
            *self = Self { switch: Some(running.switch().clone()), loaded, ..Self::default() };
        }
    }

    /// The handles of a table's entries, those included that others have added.
    pub(super) fn handles(&mut self, switch: &Switch, table: TableId) -> &mut Handles {
        let handles = self.handles.entry(table).or_default();
        handles.follow(switch, table);
        handles
    }

    /// Drop the handles of a table that was cleared: the next ones count from 0 again.
    pub(super) fn forget_handles(&mut self, table: TableId) {
        self.handles.remove(&table);
    }

    /// The program as it was written.
    pub(super) fn document(&mut self, running: &Running<'_>) -> &Document {
        self.document.get_or_insert_with(|| Document::read(running.program()))
    }
}
