//! A switch behind P4Runtime as a [`Device`]: BMv2, or the embedded switch with its server.
//!
//! Its ports are a stream ([`streamed`](crate::streamed)). Frames are gathered and go through the switch together, before
//! anything is read or changed, and it is not before everything has come out that the test goes on: nothing overtakes them.
//!
//! Each test starts with the program set anew, which empties all tables. Multicast groups and clone sessions it leaves in BMv2,
//! whose P4Runtime server no longer knows of them then, so that they could never be taken away. So they are before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::Arc;

use num_bigint::BigUint;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use vouch_p4runtime::Event;
use vouch_p4runtime::P4Info;
use vouch_p4runtime::client::{Pipeline, Replica, clone_session, delete, insert, modify, multicast_group};
use vouch_p4runtime::p4::v1::field_match::{Exact, FieldMatchType};
use vouch_p4runtime::p4::v1::{
    CounterData as WireCounterData, CounterEntry, DigestEntry, DirectMeterEntry, FieldMatch, MeterEntry, TableEntry,
    Update, ValueSetEntry, ValueSetMember, digest_entry,
};
use vouch_p4runtime::value::canonical;
use vouch_switch::{CounterData, MeterConfig, Program, ReplicationNode};
use vouch_switch_server::convert::{decode_counter, encode_counter, encode_index, encode_meter};

use super::device::{Device, Problem, take};
use super::encode::{Encoded, encode};
use super::rules::{Entry, Rules};
use super::statement::MirrorTo;
use crate::Failure;
use crate::streamed::{PATIENCE, Streamed, StreamedSwitch};

/// A switch that is controlled over P4Runtime.
pub struct Remote {
    name: String,
    switch: StreamedSwitch,
    program: Arc<Program>,
    info: Arc<P4Info>,
    pipeline: Pipeline,
    /// Frames that were not sent yet.
    waiting: Vec<(u16, Vec<u8>)>,
    /// What has come out.
    received: Vec<(u16, Vec<u8>)>,
    added: Vec<Update>,
    members: u32,
    groups: BTreeMap<u32, Vec<Replica>>,
    sessions: BTreeSet<u16>,
    /// Ports whose cable is out.
    down: BTreeSet<u16>,
    /// Entries that were told to be idle and not asked for.
    idle: Vec<TableEntry>,
    /// Dropped last: the session's tasks run in it.
    runtime: Runtime,
}

impl Remote {
    /// Bring up a switch for a program.
    ///
    /// # Errors
    /// What keeps the switch from running, or a missing P4Info.
    pub fn start(target: &dyn Streamed, rules: &Rules, json: &[u8]) -> Result<Self, Failure> {
        let info = rules.shared_info().ok_or("a switch behind P4Runtime needs the program's P4Info")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let switch = runtime.block_on(StreamedSwitch::start(target))?;
        Ok(Self {
            name: target.name().to_owned(),
            switch,
            program: rules.program().clone(),
            pipeline: Pipeline::new(info.clone(), json.to_vec()),
            info,
            waiting: Vec::new(),
            received: Vec::new(),
            added: Vec::new(),
            members: 0,
            groups: BTreeMap::new(),
            sessions: BTreeSet::new(),
            down: BTreeSet::new(),
            idle: Vec::new(),
            runtime,
        })
    }

    /// Put the frames that wait through the switch.
    fn carry(&mut self) -> Result<(), Problem> {
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            self.received.extend(self.runtime.block_on(self.switch.carry(waiting)).map_err(unreachable)?);
        }
        Ok(())
    }

    fn write(&mut self, updates: Vec<Update>) -> Result<(), Problem> {
        self.carry()?;
        self.runtime.block_on(self.switch.session.write(updates)).map_err(|error| match error.failed() {
            [] => unreachable(error),
            _ => Problem::wrong(error.to_string()),
        })
    }

    /// Take away what a change of programs leaves: before it, because BMv2's server knows nothing of it afterwards, while BMv2
    /// still copies by it. Some switches have forgotten it all the same.
    fn forget(&mut self) -> Result<(), Problem> {
        let sessions = std::mem::take(&mut self.sessions).into_iter();
        let mut updates: Vec<_> = sessions.map(|session| delete(clone_session(session.into(), [], None))).collect();
        let groups = std::mem::take(&mut self.groups).into_iter();
        updates.extend(groups.map(|(group, replicas)| delete(multicast_group(group, replicas))));
        self.added.clear();
        self.members = 0;
        if updates.is_empty() {
            return Ok(());
        }
        match self.runtime.block_on(self.switch.session.write(updates)) {
            Err(error) if error.failed().is_empty() => Err(unreachable(error)),
            _ => Ok(()),
        }
    }
}

impl Device for Remote {
    fn name(&self) -> &str {
        &self.name
    }

    fn reset(&mut self) -> Result<(), Problem> {
        self.waiting.clear();
        self.received.clear();
        self.idle.clear();
        for port in std::mem::take(&mut self.down) {
            self.runtime.block_on(self.switch.set_port(port, true)).map_err(unreachable)?;
        }
        self.forget()?;
        self.runtime.block_on(self.switch.session.restart_pipeline(&self.pipeline)).map_err(unreachable)?;
        // Each digest at once, in a list of its own, which `digest` acknowledges.
        let config = digest_entry::Config { max_list_size: 1, ..digest_entry::Config::default() };
        let enable = |digest_id| insert(DigestEntry { digest_id, config: Some(config) });
        let enabled: Vec<_> = self.info.digests().map(|digest| enable(digest.id)).collect();
        if enabled.is_empty() { Ok(()) } else { self.write(enabled) }
    }

    fn insert(&mut self, entry: &Entry) -> Result<(), Problem> {
        self.members += 1;
        let Encoded { first, entry } = encode(&self.info, &self.program, entry, false, self.members)?;
        self.write(first.into_iter().collect())?;
        self.write(vec![insert(entry.clone())])?;
        self.added.push(delete(entry));
        Ok(())
    }

    fn set_default(&mut self, entry: &Entry) -> Result<(), Problem> {
        self.members += 1;
        let Encoded { first, entry } = encode(&self.info, &self.program, entry, true, self.members)?;
        self.write(first.into_iter().collect())?;
        self.write(vec![modify(entry)])
    }

    fn remove_entries(&mut self) -> Result<(), Problem> {
        let added = std::mem::take(&mut self.added);
        self.write(added)
    }

    fn set_group(&mut self, group: u32, nodes: &[ReplicationNode]) -> Result<(), Problem> {
        let replicas = nodes.iter().flat_map(|node| {
            let instance = node.instance.into();
            node.ports.iter().map(move |port| Replica { port: (*port).into(), instance })
        });
        let replicas: Vec<_> = replicas.collect();
        let entity = multicast_group(group, replicas.iter().copied());
        let known = self.groups.insert(group, replicas).is_some();
        self.write(vec![if known { modify(entity) } else { insert(entity) }])
    }

    fn set_session(&mut self, session: u16, to: Option<MirrorTo>, length: Option<u16>) -> Result<(), Problem> {
        let replicas = match to {
            None => {
                self.sessions.remove(&session);
                return self.write(vec![delete(clone_session(session.into(), [], None))]);
            }
            Some(MirrorTo::Port(port)) => vec![Replica { port: port.into(), instance: 0 }],
            Some(MirrorTo::Group(group)) => {
                let group = self.groups.get(&group);
                group.cloned().ok_or_else(|| Problem::wrong("a clone session to a group that does not exist"))?
            }
        };
        let entity = clone_session(session.into(), replicas, length);
        let known = !self.sessions.insert(session);
        self.write(vec![if known { modify(entity) } else { insert(entity) }])
    }

    fn set_port(&mut self, port: u16, up: bool) -> Result<(), Problem> {
        self.carry()?;
        if up {
            self.down.remove(&port)
        } else {
            self.down.insert(port)
        };
        self.runtime.block_on(self.switch.set_port(port, up)).map_err(unreachable)
    }

    fn idle(&mut self, entry: &Entry) -> Result<bool, Problem> {
        let wanted = encode(&self.info, &self.program, entry, false, 0)?.entry;
        self.carry()?;
        self.runtime.block_on(async {
            let wanted = |told: &TableEntry| {
                told.table_id == wanted.table_id && told.r#match == wanted.r#match && told.priority == wanted.priority
            };
            while !take(&mut self.idle, wanted) {
                match timeout(PATIENCE, self.switch.events.recv()).await {
                    Ok(Some(Event::IdleTimeout(told))) => self.idle.extend(told.table_entry),
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return Ok(false),
                }
            }
            Ok(true)
        })
    }

    fn send(&mut self, port: u16, frame: &[u8]) -> Result<(), Problem> {
        self.waiting.push((port, frame.to_vec()));
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Problem> {
        Ok(())
    }

    fn received(&mut self) -> Result<Vec<(u16, Vec<u8>)>, Problem> {
        self.carry()?;
        Ok(std::mem::take(&mut self.received))
    }

    fn counter(&mut self, counter: &str, index: u64) -> Result<CounterData, Problem> {
        let id = self.info.counter(counter).map_err(|error| Problem::wrong(error.to_string()))?.id;
        self.carry()?;
        let cells = self.runtime.block_on(self.switch.session.read_counter(id)).map_err(unreachable)?;
        let cell = cells.into_iter().find(|(at, _)| u64::try_from(*at) == Ok(index));
        let cell = cell.ok_or_else(|| Problem::wrong(format!("counter `{counter}` has no cell {index}")))?;
        counted(&cell.1)
    }

    fn entry_counter(&mut self, entry: &Entry) -> Result<CounterData, Problem> {
        let wanted = encode(&self.info, &self.program, entry, false, 0)?.entry;
        self.carry()?;
        let counters = self.switch.session.read_direct_counters(wanted.table_id);
        let counters = self.runtime.block_on(counters).map_err(unreachable)?;
        let same = |entry: &TableEntry| entry.r#match == wanted.r#match && entry.priority == wanted.priority;
        let found = counters.iter().find(|(entry, _)| same(entry));
        counted(&found.ok_or_else(|| Problem::wrong("the switch has no such entry"))?.1)
    }

    fn set_entry_meter(&mut self, entry: &Entry, rates: MeterConfig) -> Result<(), Problem> {
        let entry = encode(&self.info, &self.program, entry, false, 0)?.entry;
        let table_entry = Some(TableEntry { action: None, ..entry });
        self.write(vec![modify(DirectMeterEntry {
            table_entry,
            config: Some(encode_meter(&rates)),
            counter_data: None,
        })])
    }

    fn set_value_set(&mut self, set: &str, members: &[Vec<u8>]) -> Result<(), Problem> {
        let named = |name: &str| set == name || set.ends_with(&format!(".{name}"));
        let known = self.info.value_sets().find(|known| named(&known.name));
        let known = known.ok_or_else(|| Problem::wrong(format!("no value set `{set}`")))?;
        let [field] = &known.fields[..] else {
            return Err(Problem::Unsupported(format!("value set `{set}` is of several fields")));
        };
        let member = |value: &Vec<u8>| {
            let kind = FieldMatchType::Exact(Exact { value: canonical(value).to_vec() });
            ValueSetMember { r#match: vec![FieldMatch { field_id: field.id, field_match_type: Some(kind) }] }
        };
        let entry = ValueSetEntry { value_set_id: known.id, members: members.iter().map(member).collect() };
        self.write(vec![modify(entry)])
    }

    fn digest(&mut self, digest: &str) -> Result<Option<Vec<BigUint>>, Problem> {
        let known = self.info.digest(digest).map_err(|error| Problem::wrong(error.to_string()))?.clone();
        self.carry()?;
        self.runtime.block_on(async {
            loop {
                let Ok(event) = timeout(PATIENCE, self.switch.events.recv()).await else { return Ok(None) };
                match event {
                    Some(Event::Digest(list)) if list.digest_id == known.id => {
                        self.switch.session.ack_digest(&list).await.map_err(unreachable)?;
                        let [data] = &list.data[..] else { return Err(Problem::wrong("a list of several digests")) };
                        let values = known.decode(data).map_err(|error| Problem::wrong(error.to_string()))?;
                        return Ok(Some(values.into_iter().map(BigUint::from).collect()));
                    }
                    Some(_) => {}
                    None => return Ok(None),
                }
            }
        })
    }

    fn set_counter(&mut self, counter: &str, index: u64, data: CounterData) -> Result<(), Problem> {
        let counter_id = self.info.counter(counter).map_err(|error| Problem::wrong(error.to_string()))?.id;
        let entry = CounterEntry { counter_id, index: encode_index(index), data: Some(encode_counter(&data)) };
        self.write(vec![modify(entry)])
    }

    fn set_register(&mut self, register: &str, _index: Option<u64>, _value: &[u8]) -> Result<(), Problem> {
        Err(Problem::Unsupported(format!("register `{register}`: BMv2's P4Runtime server has no registers")))
    }

    fn set_meter(&mut self, meter: &str, index: Option<u64>, rates: MeterConfig) -> Result<(), Problem> {
        let meter = self.info.meter(meter).map_err(|error| Problem::wrong(error.to_string()))?;
        let config = encode_meter(&rates);
        let cells = index.map_or(0..meter.size, |index| index..index + 1);
        let meter_id = meter.id;
        let entry =
            |cell| modify(MeterEntry { meter_id, index: encode_index(cell), config: Some(config), counter_data: None });
        self.write(cells.map(entry).collect())
    }
}

fn counted(data: &WireCounterData) -> Result<CounterData, Problem> {
    decode_counter(data).map_err(|error| Problem::wrong(error.to_string()))
}

/// The switch or the way to it failed, which is not the test's fault.
fn unreachable(error: impl Display) -> Problem {
    Problem::Unsupported(error.to_string())
}
