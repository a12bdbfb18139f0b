//! The packet engine as a [`Bench`]: in this thread, without a server, and with a clock that only the test moves.

use std::sync::Arc;

use num_bigint::BigUint;
use vouch_p4runtime::p4info::Table;
use vouch_switch::{EntryKey, Micros, Output, Switch, SwitchConfig, TableId, Worker};

use super::bench::{Bench, Problem, take};
use super::rules::Rules;
use crate::commands::{Catalog, Device, Local};

/// How much time `wait` lets pass, in microseconds: what p4c's runner waits after a change of tables.
const WAIT: u64 = 1_000_000;

/// An embedded switch.
#[derive(Debug)]
pub struct Embedded {
    catalog: Arc<Catalog>,
    config: SwitchConfig,
    local: Local<Arc<Switch>>,
    worker: Worker,
    output: Output,
    /// Digests that were asked for.
    digests: usize,
    /// Entries that were told to be idle and not asked for.
    idle: Vec<(TableId, EntryKey)>,
}

impl Embedded {
    /// A switch that runs the program of these rules.
    pub fn new(rules: &Rules, config: SwitchConfig) -> Self {
        Self::running(Switch::new(rules.program().clone(), config.clone()), rules.catalog().clone(), config)
    }

    fn running(switch: Switch, catalog: Arc<Catalog>, config: SwitchConfig) -> Self {
        let worker = Worker::new(&switch);
        Self {
            catalog,
            config,
            local: Local::new(Arc::new(switch)),
            worker,
            output: Output::new(),
            digests: 0,
            idle: Vec::new(),
        }
    }

    /// The switch, with everything that was added.
    pub fn switch(&self) -> &Switch {
        &self.local.switch
    }
}

impl Bench for Embedded {
    fn name(&self) -> &str {
        "embedded switch"
    }

    fn reset(&mut self) -> Result<(), Problem> {
        let fresh = Switch::new(self.switch().program().clone(), self.config.clone());
        *self = Self::running(fresh, self.catalog.clone(), self.config.clone());
        Ok(())
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.catalog.clone()
    }

    fn control(&mut self) -> &mut dyn Device {
        &mut self.local
    }

    fn set_port(&mut self, port: u16, up: bool) -> Result<(), Problem> {
        self.switch().set_port_up(port, up);
        Ok(())
    }

    fn idle(&mut self, table: &Table, key: &EntryKey, timeout: Micros) -> Result<bool, Problem> {
        let id = self.switch().program().table(&table.name).ok_or_else(|| missing("table", &table.name))?;
        self.local.now.0 += timeout.0;
        let swept = self.local.switch.sweep(self.local.now).into_iter();
        self.idle.extend(swept.map(|idle| (idle.table, idle.entry.entry.key)));
        Ok(take(&mut self.idle, |(told, of)| *told == id && of == key))
    }

    fn send(&mut self, port: u16, frame: &[u8]) -> Result<(), Problem> {
        self.local.now.0 += 1;
        self.local.switch.process(&mut self.worker, port, frame, self.local.now, &mut self.output);
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Problem> {
        self.local.now.0 += WAIT;
        Ok(())
    }

    fn received(&mut self) -> Result<Vec<(u16, Vec<u8>)>, Problem> {
        Ok(self.output.frames().map(|(port, frame)| (port, frame.to_vec())).collect())
    }

    fn digest(&mut self, digest: &str) -> Result<Option<Vec<BigUint>>, Problem> {
        let program = self.local.switch.program();
        let id = program.digest(digest).ok_or_else(|| missing("digest", digest))?;
        let info = program.digest_info(id).ok_or_else(|| missing("digest", digest))?;
        let mut sent = self.output.digests().enumerate().skip(self.digests);
        let Some((position, (_, mut bytes))) = sent.find(|(_, (sent, _))| *sent == id) else { return Ok(None) };
        self.digests = position + 1;
        let mut values = Vec::new();
        for bits in &info.fields {
            let (value, rest) = bytes.split_at(bits.div_ceil(8) as usize);
            values.push(BigUint::from_bytes_be(value));
            bytes = rest;
        }
        Ok(Some(values))
    }
}

fn missing(what: &str, name: &str) -> Problem {
    Problem::wrong(format!("the program has no {what} `{name}`"))
}
