//! The packet engine as a [`Device`]: in this thread, without a server, and with a clock that only the test moves.

use std::sync::Arc;

use num_bigint::BigUint;
use vouch_switch::{
    CloneSession, CloneTarget, ControlError, CounterData, EntryAction, EntryKey, MemberId, MeterConfig, Micros,
    OneShot, Output, Program, ReplicationNode, Selection, Switch, SwitchConfig, TableEntry, TableId, ValueSetMember,
    Worker,
};

use super::device::{Device, Problem, take};
use super::rules::Entry;
use super::statement::MirrorTo;

/// How much time `wait` lets pass, in microseconds: what p4c's runner waits after a change of tables.
const WAIT: u64 = 1_000_000;

/// An embedded switch.
#[derive(Debug)]
pub struct Embedded {
    program: Arc<Program>,
    config: SwitchConfig,
    switch: Switch,
    worker: Worker,
    output: Output,
    now: Micros,
    added: Vec<(TableId, EntryKey)>,
    members: MemberId,
    /// Digests that were asked for.
    digests: usize,
    /// Entries that were told to be idle and not asked for.
    idle: Vec<(TableId, EntryKey)>,
}

impl Embedded {
    /// A switch that runs this program.
    pub fn new(program: Arc<Program>, config: SwitchConfig) -> Self {
        let switch = Switch::new(program.clone(), config.clone());
        let worker = Worker::new(&switch);
        Self {
            program,
            config,
            switch,
            worker,
            output: Output::new(),
            now: Micros(0),
            added: Vec::new(),
            members: 0,
            digests: 0,
            idle: Vec::new(),
        }
    }

    /// The switch, with everything that was added.
    pub fn switch(&self) -> &Switch {
        &self.switch
    }

    /// What an entry does: in a table with an action profile, that takes a member or a group of its own.
    fn action(&mut self, entry: &Entry) -> Result<EntryAction, Problem> {
        let [first, ..] = &entry.calls[..] else { return Err(Problem::wrong("an entry without an action")) };
        let profile = self.program.table_info(entry.table).and_then(|table| table.profile);
        let Some(profile) = profile else {
            return Ok(EntryAction::Call(first.call.clone()));
        };
        if self.program.profile_info(profile).is_some_and(|profile| profile.selector) {
            return Ok(EntryAction::OneShot(OneShot { members: entry.calls.clone(), selection: Selection::Hash }));
        }
        self.members += 1;
        self.switch.insert_member(profile, self.members, &first.call).map_err(refused)?;
        Ok(EntryAction::Member(self.members))
    }
}

impl Device for Embedded {
    fn name(&self) -> &str {
        "embedded switch"
    }

    fn reset(&mut self) -> Result<(), Problem> {
        *self = Self::new(self.program.clone(), self.config.clone());
        Ok(())
    }

    fn insert(&mut self, entry: &Entry) -> Result<(), Problem> {
        let key = EntryKey { matches: entry.matches.clone(), priority: entry.priority };
        let action = self.action(entry)?;
        let written = TableEntry { key: key.clone(), action, idle_timeout: entry.idle_timeout, meter: None };
        self.switch.insert_entry(entry.table, &written, self.now).map_err(refused)?;
        self.added.push((entry.table, key));
        Ok(())
    }

    fn set_default(&mut self, entry: &Entry) -> Result<(), Problem> {
        let action = self.action(entry)?;
        self.switch.set_default(entry.table, Some(&action)).map_err(refused)
    }

    fn remove_entries(&mut self) -> Result<(), Problem> {
        for (table, key) in self.added.drain(..) {
            self.switch.delete_entry(table, &key).map_err(refused)?;
        }
        Ok(())
    }

    fn set_group(&mut self, group: u32, nodes: &[ReplicationNode]) -> Result<(), Problem> {
        match self.switch.insert_multicast_group(group, nodes) {
            Err(ControlError::MulticastGroupExists(_)) => self.switch.modify_multicast_group(group, nodes),
            done => done,
        }
        .map_err(refused)
    }

    fn set_session(&mut self, session: u16, to: Option<MirrorTo>, length: Option<u16>) -> Result<(), Problem> {
        let target = match to {
            None => return self.switch.delete_clone_session(session).map_err(refused),
            Some(MirrorTo::Port(port)) => CloneTarget::Port(port),
            Some(MirrorTo::Group(group)) => CloneTarget::Group(group),
        };
        let written = CloneSession { target, max_packet_length: length.unwrap_or(0), class_of_service: 0 };
        match self.switch.insert_clone_session(session, &written) {
            Err(ControlError::CloneSessionExists(_)) => self.switch.modify_clone_session(session, &written),
            done => done,
        }
        .map_err(refused)
    }

    fn set_port(&mut self, port: u16, up: bool) -> Result<(), Problem> {
        self.switch.set_port_up(port, up);
        Ok(())
    }

    fn idle(&mut self, entry: &Entry) -> Result<bool, Problem> {
        self.now.0 += entry.idle_timeout.0;
        let swept = self.switch.sweep(self.now).into_iter();
        self.idle.extend(swept.map(|idle| (idle.table, idle.entry.entry.key)));
        let wanted = (entry.table, EntryKey { matches: entry.matches.clone(), priority: entry.priority });
        Ok(take(&mut self.idle, |told| *told == wanted))
    }

    fn send(&mut self, port: u16, frame: &[u8]) -> Result<(), Problem> {
        self.now.0 += 1;
        self.switch.process(&mut self.worker, port, frame, self.now, &mut self.output);
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Problem> {
        self.now.0 += WAIT;
        Ok(())
    }

    fn received(&mut self) -> Result<Vec<(u16, Vec<u8>)>, Problem> {
        Ok(self.output.frames().map(|(port, frame)| (port, frame.to_vec())).collect())
    }

    fn counter(&mut self, counter: &str, index: u64) -> Result<CounterData, Problem> {
        let id = self.program.counter(counter).ok_or_else(|| missing("counter", counter))?;
        self.switch.counter(id, index).map_err(refused)
    }

    fn entry_counter(&mut self, entry: &Entry) -> Result<CounterData, Problem> {
        let key = EntryKey { matches: entry.matches.clone(), priority: entry.priority };
        Ok(self.switch.entry(entry.table, &key).map_err(refused)?.counter)
    }

    fn set_counter(&mut self, counter: &str, index: u64, data: CounterData) -> Result<(), Problem> {
        let id = self.program.counter(counter).ok_or_else(|| missing("counter", counter))?;
        self.switch.set_counter(id, index, data).map_err(refused)
    }

    fn set_register(&mut self, register: &str, index: Option<u64>, value: &[u8]) -> Result<(), Problem> {
        let id = self.program.register(register).ok_or_else(|| missing("register", register))?;
        let size = self.program.register_info(id).map_or(0, |info| info.size);
        let cells = index.map_or(0..size, |index| index..index + 1);
        cells.into_iter().try_for_each(|cell| self.switch.set_register(id, cell, value)).map_err(refused)
    }

    fn set_entry_meter(&mut self, entry: &Entry, rates: MeterConfig) -> Result<(), Problem> {
        let key = EntryKey { matches: entry.matches.clone(), priority: entry.priority };
        self.switch.set_direct_meter(entry.table, Some(&key), Some(rates)).map_err(refused)
    }

    fn set_value_set(&mut self, set: &str, members: &[Vec<u8>]) -> Result<(), Problem> {
        let id = self.program.value_set(set).ok_or_else(|| missing("value set", set))?;
        let members: Vec<_> = members.iter().map(|value| ValueSetMember { value: value.clone(), mask: None }).collect();
        self.switch.set_value_set(id, &members).map_err(refused)
    }

    fn digest(&mut self, digest: &str) -> Result<Option<Vec<BigUint>>, Problem> {
        let id = self.program.digest(digest).ok_or_else(|| missing("digest", digest))?;
        let info = self.program.digest_info(id).ok_or_else(|| missing("digest", digest))?;
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

    fn set_meter(&mut self, meter: &str, index: Option<u64>, rates: MeterConfig) -> Result<(), Problem> {
        let id = self.program.meter(meter).ok_or_else(|| missing("meter", meter))?;
        let size = self.program.meter_info(id).map_or(0, |info| info.size);
        let cells = index.map_or(0..size, |index| index..index + 1);
        cells.into_iter().try_for_each(|cell| self.switch.set_meter(id, cell, Some(rates))).map_err(refused)
    }
}

fn refused(error: ControlError) -> Problem {
    Problem::wrong(format!("the switch refuses: {error}"))
}

fn missing(what: &str, name: &str) -> Problem {
    Problem::wrong(format!("no {what} `{name}`"))
}
