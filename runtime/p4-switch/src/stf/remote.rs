//! A switch behind P4Runtime as a [`Bench`]: BMv2, or the embedded switch with its server.
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
use vouch_p4runtime::client::{Pipeline, RpcError, clone_session, delete, insert};
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::packet_replication_engine_entry::Type as Replication;
use vouch_p4runtime::p4::v1::{DigestEntry, Entity, TableEntry, Update, digest_entry, update};
use vouch_p4runtime::p4info::Table;
use vouch_switch::{EntryKey, Micros};

use super::bench::{Bench, Problem, take};
use super::rules::Rules;
use crate::Failure;
use crate::commands::{Catalog, Channel, Device, Refused, wire};
use crate::streamed::{PATIENCE, Streamed, StreamedSwitch};

/// A switch that is controlled over P4Runtime.
pub struct Remote {
    name: String,
    switch: StreamedSwitch,
    catalog: Arc<Catalog>,
    pipeline: Pipeline,
    /// Frames that were not sent yet.
    waiting: Vec<(u16, Vec<u8>)>,
    /// What has come out.
    received: Vec<(u16, Vec<u8>)>,
    /// What a change of programs leaves.
    left: Left,
    /// Ports whose cable is out.
    down: BTreeSet<u16>,
    /// Entries that were told to be idle and not asked for.
    idle: Vec<TableEntry>,
    /// What was last asked for failed through no fault of the program.
    excused: bool,
    /// What became of frames, and was not told yet.
    lost: Option<Problem>,
    /// Dropped last: the session's tasks run in it.
    runtime: Runtime,
}

/// Multicast groups, as they were last written, and clone sessions.
#[derive(Default)]
struct Left {
    groups: BTreeMap<u32, Entity>,
    sessions: BTreeSet<u32>,
}

impl Left {
    fn note(&mut self, update: &Update) {
        let deleted = update.r#type == update::Type::Delete as i32;
        let Some(entity) = &update.entity else { return };
        let Some(Kind::PacketReplicationEngineEntry(entry)) = &entity.entity else { return };
        match &entry.r#type {
            Some(Replication::MulticastGroupEntry(group)) if deleted => {
                self.groups.remove(&group.multicast_group_id);
            }
            Some(Replication::MulticastGroupEntry(group)) => {
                self.groups.insert(group.multicast_group_id, entity.clone());
            }
            Some(Replication::CloneSessionEntry(session)) if deleted => {
                self.sessions.remove(&session.session_id);
            }
            Some(Replication::CloneSessionEntry(session)) => {
                self.sessions.insert(session.session_id);
            }
            None => {}
        }
    }
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
            catalog: Arc::new(Catalog::new(info.clone())),
            pipeline: Pipeline::new(info, json.to_vec()),
            waiting: Vec::new(),
            received: Vec::new(),
            left: Left::default(),
            down: BTreeSet::new(),
            idle: Vec::new(),
            excused: false,
            lost: None,
            runtime,
        })
    }

    /// Put the frames that wait through the switch.
    fn carry(&mut self) -> Result<(), Problem> {
        if let Some(problem) = self.lost.take() {
            return Err(problem);
        }
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            self.received.extend(self.runtime.block_on(self.switch.carry(waiting)).map_err(unreachable)?);
        }
        Ok(())
    }

    /// Take away what a change of programs leaves: before it, because BMv2's server knows nothing of it afterwards, while BMv2
    /// still copies by it. Some switches have forgotten it all the same.
    fn forget(&mut self) -> Result<(), Problem> {
        let Left { groups, sessions } = std::mem::take(&mut self.left);
        let mut updates: Vec<_> =
            sessions.into_iter().map(|session| delete(clone_session(session, [], None))).collect();
        updates.extend(groups.into_values().map(delete));
        if updates.is_empty() {
            return Ok(());
        }
        match self.runtime.block_on(self.switch.session.write(updates)) {
            Err(error) if error.failed().is_empty() => Err(unreachable(error)),
            _ => Ok(()),
        }
    }
}

impl Channel for Remote {
    fn write(&mut self, updates: Vec<Update>) -> Result<(), Refused> {
        self.excused = true;
        self.carry().map_err(|problem| problem.to_string())?;
        if updates.iter().any(is_of_register) {
            return Err("BMv2's P4Runtime server has no registers".to_owned());
        }
        updates.iter().for_each(|update| self.left.note(update));
        self.runtime.block_on(self.switch.session.write(updates)).map_err(|error| {
            self.excused = error.failed().is_empty();
            error.to_string()
        })?;
        self.excused = false;
        Ok(())
    }

    fn found(&mut self, wanted: Entity) -> Result<Vec<Kind>, RpcError> {
        self.excused = true;
        if let Err(problem) = self.carry() {
            self.lost = Some(problem);
        }
        let read = async { self.switch.session.read(vec![wanted]).await?.all().await };
        let found = self.runtime.block_on(read)?;
        self.excused = false;
        Ok(found.into_iter().filter_map(|entity| entity.entity).collect())
    }
}

fn is_of_register(update: &Update) -> bool {
    let kind = update.entity.as_ref().and_then(|entity| entity.entity.as_ref());
    matches!(kind, Some(Kind::RegisterEntry(_)))
}

impl Bench for Remote {
    fn name(&self) -> &str {
        &self.name
    }

    fn reset(&mut self) -> Result<(), Problem> {
        self.waiting.clear();
        self.received.clear();
        self.idle.clear();
        self.lost = None;
        for port in std::mem::take(&mut self.down) {
            self.runtime.block_on(self.switch.set_port(port, true)).map_err(unreachable)?;
        }
        self.forget()?;
        self.runtime.block_on(self.switch.session.restart_pipeline(&self.pipeline)).map_err(unreachable)?;
        // Each digest at once, in a list of its own, which `digest` acknowledges.
        let config = digest_entry::Config { max_list_size: 1, ..digest_entry::Config::default() };
        let enable = |digest_id| insert(DigestEntry { digest_id, config: Some(config) });
        let enabled: Vec<_> = self.catalog.info().digests().map(|digest| enable(digest.id)).collect();
        if enabled.is_empty() { Ok(()) } else { self.write(enabled).map_err(Problem::Unsupported) }
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.catalog.clone()
    }

    fn control(&mut self) -> &mut dyn Device {
        self
    }

    fn is_excused(&self) -> bool {
        self.excused
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

    fn idle(&mut self, table: &Table, key: &EntryKey, _: Micros) -> Result<bool, Problem> {
        let wanted = wire::keyed(table, key);
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

    fn digest(&mut self, digest: &str) -> Result<Option<Vec<BigUint>>, Problem> {
        let known = self.catalog.info().digest(digest).map_err(|error| Problem::wrong(error.to_string()))?.clone();
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
}

/// The switch or the way to it failed, which is not the test's fault.
fn unreachable(error: impl Display) -> Problem {
    Problem::Unsupported(error.to_string())
}
