//! A switch behind P4Runtime as a [`Device`]: BMv2, or the embedded switch with its server.
//!
//! When has everything come out of a program that nobody knows? After a test, another program takes its place: `reflect`,
//! which sends each frame back with a mark. A switch changes programs between packets, and BMv2 waits until the last
//! packet has left (`SwitchWContexts::do_swap`). A frame that then goes into each port and comes back is behind everything the
//! test has caused. If a frame of the test comes back with the mark, it was taken in after the change: the test says
//! nothing and is played again, with more requests sent and answered before the change. Nothing waits for time to pass.
//!
//! A change of tables in the middle of a test can overtake frames as well, and there no mark tells. It waits for the same
//! number of requests, and a test that fails with such a change in it is believed only when it fails with many.
//!
//! The change has another use: it empties all tables. Multicast groups and clone sessions it leaves in BMv2, whose P4Runtime
//! server no longer knows of them then, so that they could never be taken away. So they are before, which is one more change
//! that can overtake frames.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::Arc;

use num_bigint::BigUint;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use vouch_lab::target::Target;
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

use super::device::{Device, Problem};
use super::encode::{Encoded, encode};
use super::rules::{Entry, Rules};
use super::statement::MirrorTo;
use crate::rig::{PATIENCE, Result as RigResult, Rig};

/// The program that sends frames back, and its mark.
const REFLECT: &[u8] = include_bytes!("reflect/reflect.json");
const REFLECT_INFO: &str = include_str!("reflect/reflect.p4info.txtpb");
const MARK: [u8; 8] = [0x9d, 0x3f, 0x6a, 0x1c, 0xb2, 0x74, 0xe8, 0x05];
/// Most requests before a change.
const MOST_REQUESTS: u32 = 128;
/// The least length of a frame.
const SHORTEST: usize = 60;

/// A switch that is controlled over P4Runtime.
#[derive(Debug)]
pub struct Remote {
    rig: Rig,
    program: Arc<Program>,
    info: Arc<P4Info>,
    tested: Pipeline,
    reflect: Pipeline,
    /// Whether the program under test may have frames or state.
    used: bool,
    /// Frames were sent since the last change.
    in_flight: bool,
    /// Frames may have been overtaken in this test.
    doubtful: bool,
    /// Requests that are sent and answered before a change: time for the switch to take frames in.
    settle: u32,
    barriers: u64,
    added: Vec<Update>,
    members: u32,
    groups: BTreeMap<u32, Vec<Replica>>,
    sessions: BTreeSet<u16>,
    /// Dropped last: the rig's tasks run in it.
    runtime: Runtime,
}

impl Remote {
    /// Bring up a switch with these ports for a program. Frames out of other ports are not seen.
    ///
    /// # Errors
    /// What keeps the switch from running, or a missing P4Info.
    pub fn start(target: &dyn Target, ports: &[u16], rules: &Rules, json: &[u8]) -> RigResult<Self> {
        let info = rules.shared_info().ok_or("a switch behind P4Runtime needs the program's P4Info")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let rig = runtime.block_on(Rig::start(target, ports))?;
        let reflect = Pipeline::new(Arc::new(P4Info::from_text(REFLECT_INFO)?), REFLECT);
        Ok(Self {
            rig,
            program: rules.program().clone(),
            tested: Pipeline::new(info.clone(), json.to_vec()),
            info,
            reflect,
            used: false,
            in_flight: false,
            doubtful: false,
            settle: 1,
            barriers: 0,
            added: Vec::new(),
            members: 0,
            groups: BTreeMap::new(),
            sessions: BTreeSet::new(),
            runtime,
        })
    }

    fn settle(&mut self) -> Result<(), Problem> {
        if std::mem::take(&mut self.in_flight) {
            for _ in 0..self.settle {
                self.runtime.block_on(self.rig.session.running_cookie()).map_err(unreachable)?;
            }
        }
        Ok(())
    }

    /// To be called before what frames on their way should not be overtaken by, and may be.
    fn settle_all(&mut self) -> Result<(), Problem> {
        self.doubtful |= self.in_flight;
        self.settle()
    }

    fn write(&mut self, updates: Vec<Update>) -> Result<(), Problem> {
        self.settle_all()?;
        self.runtime.block_on(self.rig.session.write(updates)).map_err(|error| match error.failed() {
            [] => unreachable(error),
            _ => Problem::wrong(error.to_string()),
        })
    }

    fn push(&self, pipeline: &Pipeline) -> Result<(), Problem> {
        self.runtime.block_on(self.rig.session.push_pipeline(pipeline)).map(|_| ()).map_err(unreachable)
    }

    /// Change programs, and gather what comes out before a frame that goes through the other one.
    fn barrier(&mut self) -> Result<Vec<(u16, Vec<u8>)>, Problem> {
        let copies = !self.groups.is_empty() || !self.sessions.is_empty();
        self.doubtful |= copies && self.in_flight;
        self.settle()?;
        self.forget()?;
        self.push(&self.reflect)?;
        self.barriers += 1;
        let number = self.barriers.to_be_bytes();
        let mut frame = number.to_vec();
        frame.resize(SHORTEST, 0);
        for (_, wire) in &self.rig.wires {
            wire.send(&frame).map_err(unreachable)?;
        }
        let end = [MARK, number].concat();
        let frames = self.runtime.block_on(self.rig.frames_until(&end)).map_err(unreachable)?;
        self.used = false;
        Ok(frames)
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
        self.doubtful = true;
        match self.runtime.block_on(self.rig.session.write(updates)) {
            Err(error) if error.failed().is_empty() => Err(unreachable(error)),
            _ => Ok(()),
        }
    }
}

impl Device for Remote {
    fn name(&self) -> &str {
        &self.rig.name
    }

    fn reset(&mut self) -> Result<(), Problem> {
        if self.used {
            // An earlier test was given up half-way: whatever comes is nobody's business.
            self.barrier()?;
        }
        self.used = true;
        self.doubtful = false;
        self.push(&self.tested)?;
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

    fn set_session(&mut self, session: u16, to: Option<MirrorTo>) -> Result<(), Problem> {
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
        let entity = clone_session(session.into(), replicas, None);
        let known = !self.sessions.insert(session);
        self.write(vec![if known { modify(entity) } else { insert(entity) }])
    }

    fn send(&mut self, port: u16, frame: &[u8]) -> Result<(), Problem> {
        let wire = self.rig.wire(port);
        let wire = wire.ok_or_else(|| Problem::wrong(format!("the switch was started without port {port}")))?;
        self.in_flight = true;
        // An interface takes no frame that is shorter than an Ethernet header, which says nothing about the program.
        wire.send(frame).map_err(|error| unreachable(format!("port {port} does not take the frame: {error}")))
    }

    fn wait(&mut self) -> Result<(), Problem> {
        Ok(())
    }

    fn received(&mut self) -> Result<Vec<(u16, Vec<u8>)>, Problem> {
        let frames = self.barrier()?;
        if frames.iter().any(|(_, frame)| frame.starts_with(&MARK)) {
            self.doubtful = true;
            return Err(Problem::Late);
        }
        Ok(frames)
    }

    fn retry(&mut self) -> bool {
        if self.doubtful {
            self.settle = (self.settle * 2).min(MOST_REQUESTS);
        }
        self.doubtful
    }

    fn counter(&mut self, counter: &str, index: u64) -> Result<CounterData, Problem> {
        let id = self.info.counter(counter).map_err(|error| Problem::wrong(error.to_string()))?.id;
        self.settle_all()?;
        let cells = self.runtime.block_on(self.rig.session.read_counter(id)).map_err(unreachable)?;
        let cell = cells.into_iter().find(|(at, _)| u64::try_from(*at) == Ok(index));
        let cell = cell.ok_or_else(|| Problem::wrong(format!("counter `{counter}` has no cell {index}")))?;
        counted(&cell.1)
    }

    fn entry_counter(&mut self, entry: &Entry) -> Result<CounterData, Problem> {
        let wanted = encode(&self.info, &self.program, entry, false, 0)?.entry;
        self.settle_all()?;
        let counters = self.rig.session.read_direct_counters(wanted.table_id);
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
        let mut sets = self.info.message().value_sets.iter();
        let known = sets.find_map(|known| known.preamble.as_ref().filter(|it| named(&it.name)).zip(Some(known)));
        let Some((preamble, known)) = known else { return Err(Problem::wrong(format!("no value set `{set}`"))) };
        let [field] = &known.r#match[..] else {
            return Err(Problem::Unsupported(format!("value set `{set}` is of several fields")));
        };
        let member = |value: &Vec<u8>| {
            let kind = FieldMatchType::Exact(Exact { value: canonical(value).to_vec() });
            ValueSetMember { r#match: vec![FieldMatch { field_id: field.id, field_match_type: Some(kind) }] }
        };
        let entry = ValueSetEntry { value_set_id: preamble.id, members: members.iter().map(member).collect() };
        self.write(vec![modify(entry)])
    }

    fn digest(&mut self, digest: &str) -> Result<Option<Vec<BigUint>>, Problem> {
        let known = self.info.digest(digest).map_err(|error| Problem::wrong(error.to_string()))?.clone();
        self.runtime.block_on(async {
            loop {
                let Ok(event) = timeout(PATIENCE, self.rig.events.recv()).await else { return Ok(None) };
                match event {
                    Some(Event::Digest(list)) if list.digest_id == known.id => {
                        self.rig.session.ack_digest(&list).await.map_err(unreachable)?;
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
