//! A switch behind P4Runtime as a [`Device`], by whatever [`Channel`], and as a [`Target`] by one of its own ([`Remote`]).
//!
//! It is read without a stream, so that nobody's election is disturbed. The first change opens a session, which becomes
//! primary only where nobody else is: with the lowest election id there is, or with that of a controller that has left. A
//! running controller is disturbed only by an election id that was asked for.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::time::timeout;
use tonic::Code;
use vouch_p4runtime::client::{
    DisconnectReason, Pipeline, PortEvent, Reader, Replica, RpcError, WriteError, clone_session, delete, insert,
    modify, multicast_group,
};
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::field_match::{Exact, FieldMatchType};
use vouch_p4runtime::p4::v1::packet_replication_engine_entry::Type as Replication;
use vouch_p4runtime::p4::v1::{
    ActionProfileGroup, ActionProfileMember, CloneSessionEntry, CounterData as WireCounter, CounterEntry,
    DirectCounterEntry, DirectMeterEntry, Entity, FieldMatch, Index, MeterConfig as WireMeter, MeterEntry,
    MulticastGroupEntry, P4Data, PacketReplicationEngineEntry, RegisterEntry, TableEntry, Update, ValueSetEntry,
    ValueSetMember, action_profile_group, p4_data,
};
use vouch_p4runtime::p4info::{ActionProfile, Counter, Meter, Register, Table, ValueSet};
use vouch_p4runtime::{Event, P4Info, Session, SessionConfig};
use vouch_switch::{CounterData, EntryKey, MeterConfig, ReplicationNode};
use vouch_switch_server::convert::{
    decode_counter, decode_meter, encode_counter, encode_index, encode_meter, encode_number,
};

use super::catalog::Catalog;
use super::command::{Call, Doing};
use super::device::{Clones, Device, PortState, Target};
use super::local::check_membership;
use super::pipeline::read_pipeline;
use super::{Refused, wire};

/// Where a switch is, and who asks.
#[derive(Clone, Debug)]
pub struct Access {
    /// Address, device, TLS, and the election id to begin with.
    pub config: SessionConfig,
    /// The election id was asked for: it is used as it is.
    pub insists: bool,
}

/// A switch behind P4Runtime.
#[derive(Debug)]
pub struct Remote {
    access: Access,
    reader: Reader,
    session: Option<Session>,
    catalog: Arc<Catalog>,
    /// Read, and to be run later.
    loaded: Option<Pipeline>,
    /// Dropped last: the session's task runs in it.
    runtime: Runtime,
}

impl Remote {
    /// Connect, and learn from the switch what it runs.
    ///
    /// # Errors
    /// There is no such switch or device.
    pub fn connect(access: Access) -> Result<Self, Refused> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let reader = runtime.block_on(Reader::connect(access.config.clone())).map_err(|error| error.to_string())?;
        let mut remote = Self { access, reader, session: None, catalog: Arc::default(), loaded: None, runtime };
        if let Some(info) = remote.running()? {
            remote.know(info);
        }
        Ok(remote)
    }

    /// The P4Info of the program that runs.
    ///
    /// # Errors
    /// The switch does not answer, or not with a P4Info.
    fn running(&self) -> Result<Option<P4Info>, Refused> {
        let config = self.runtime.block_on(self.reader.running_pipeline()).map_err(|error| error.to_string())?;
        let info = config.and_then(|config| config.p4info).map(P4Info::new);
        info.transpose().map_err(|error| error.to_string())
    }

    /// Have the switch run this program.
    ///
    /// # Errors
    /// Another controller has the switch, or it refuses the program.
    fn run(&mut self, pipeline: &Pipeline) -> Result<(), Refused> {
        let session = self.session()?;
        let pushed = self.runtime.block_on(session.push_pipeline(pipeline));
        pushed.map_err(|error| error.to_string())?;
        self.know(pipeline.p4info().clone());
        Ok(())
    }

    fn know(&mut self, info: impl Into<Arc<P4Info>>) {
        self.catalog = Arc::new(Catalog::new(info));
    }

    fn session(&mut self) -> Result<Session, Refused> {
        if let Some(session) = &self.session {
            return Ok(session.clone());
        }
        let session = self.runtime.block_on(claim(&self.access))?;
        Ok(self.session.insert(session).clone())
    }
}

impl Channel for Remote {
    fn write(&mut self, updates: Vec<Update>) -> Result<(), Refused> {
        let session = self.session()?;
        let written = self.runtime.block_on(session.write(updates));
        written.map_err(|error| match &error {
            WriteError::Updates { failed, total } if !failed.is_empty() => {
                let of =
                    if *total > 1 { format!("; {} of {total} updates failed", failed.len()) } else { String::new() };
                format!("{} ({:?}){of}", failed[0].message, failed[0].code)
            }
            WriteError::Rpc { error, .. } if error.is_not_primary() => {
                self.session = None;
                "another controller has taken the switch; --election-id says whether to take it back".to_owned()
            }
            _ => error.to_string(),
        })
    }

    fn found(&mut self, wanted: Entity) -> Result<Vec<Kind>, RpcError> {
        let read = async { self.reader.read(vec![wanted]).await?.all().await };
        let found = self.runtime.block_on(read)?;
        Ok(found.into_iter().filter_map(|entity| entity.entity).collect())
    }
}

/// A way to a switch behind P4Runtime. Whatever has one is a [`Device`].
#[expect(missing_docs, reason = "what has no line of its own is named after what it reads")]
pub trait Channel {
    /// Have the switch carry these out.
    fn write(&mut self, updates: Vec<Update>) -> Result<(), Refused>;

    /// What an entity selects.
    fn found(&mut self, wanted: Entity) -> Result<Vec<Kind>, RpcError>;

    /// The same, as far as `pick` takes it.
    fn read<T>(&mut self, wanted: impl Into<Entity>, pick: impl Fn(Kind) -> Option<T>) -> Result<Vec<T>, Refused> {
        let found = self.found(wanted.into()).map_err(|error| error.to_string())?;
        Ok(found.into_iter().filter_map(pick).collect())
    }

    /// The same by ascending id.
    fn sorted<T>(
        &mut self,
        wanted: impl Into<Entity>,
        pick: impl Fn(Kind) -> Option<T>,
        id: impl Fn(&T) -> u32,
    ) -> Result<Vec<T>, Refused> {
        let mut found = self.read(wanted, pick)?;
        found.sort_by_key(id);
        Ok(found)
    }

    /// The entries that this one selects; what is set in it beside the key is read as well.
    fn selected(&mut self, wanted: TableEntry) -> Result<Vec<TableEntry>, Refused> {
        self.read(wanted, |kind| match kind {
            Kind::TableEntry(entry) => Some(entry),
            _ => None,
        })
    }

    fn all_entries(&mut self, table: &Table) -> Result<Vec<TableEntry>, Refused> {
        self.selected(TableEntry { table_id: table.id, ..TableEntry::default() })
    }

    fn all_members(&mut self, profile: &ActionProfile) -> Result<Vec<ActionProfileMember>, Refused> {
        let wanted = ActionProfileMember { action_profile_id: profile.id, ..ActionProfileMember::default() };
        let member = |kind| if let Kind::ActionProfileMember(member) = kind { Some(member) } else { None };
        self.sorted(wanted, member, |member| member.member_id)
    }

    fn all_groups(&mut self, profile: &ActionProfile) -> Result<Vec<ActionProfileGroup>, Refused> {
        let wanted = ActionProfileGroup { action_profile_id: profile.id, ..ActionProfileGroup::default() };
        let group = |kind| if let Kind::ActionProfileGroup(group) = kind { Some(group) } else { None };
        self.sorted(wanted, group, |group| group.group_id)
    }

    fn keyed(&mut self, table: &Table, key: &EntryKey, wanted: TableEntry) -> Result<TableEntry, Refused> {
        let keyed = wire::keyed(table, key);
        let wanted = TableEntry { r#match: keyed.r#match, priority: key.priority, table_id: table.id, ..wanted };
        let found = self.selected(wanted)?.into_iter().find(|entry| wire::key(table, entry) == *key);
        found.ok_or_else(|| "the table has no such entry".to_owned())
    }

    fn change_entry(
        &mut self,
        table: &Table,
        key: &EntryKey,
        change: impl FnOnce(&mut TableEntry),
    ) -> Result<(), Refused> {
        // What is not in the update would be reset.
        let wanted = TableEntry { meter_config: Some(WireMeter::default()), ..TableEntry::default() };
        let mut entry = self.keyed(table, key, wanted)?;
        entry.time_since_last_hit = None;
        change(&mut entry);
        self.write(vec![modify(entry)])
    }

    /// The copies of a clone session; `None` where there is no such session.
    fn replicas(&mut self, session: u16) -> Result<Option<Vec<Replica>>, Refused> {
        let wanted = CloneSessionEntry { session_id: session.into(), ..CloneSessionEntry::default() };
        let wanted = PacketReplicationEngineEntry { r#type: Some(Replication::CloneSessionEntry(wanted)) };
        let found = match self.found(wanted.into()) {
            // Where it is not there, the specification finds nothing, and BMv2's server says so.
            Err(error) if error.code() == Some(Code::NotFound) => Vec::new(),
            found => found.map_err(|error| error.to_string())?,
        };
        Ok(found.into_iter().find_map(|kind| match kind {
            Kind::PacketReplicationEngineEntry(PacketReplicationEngineEntry {
                r#type: Some(Replication::CloneSessionEntry(found)),
            }) if found.session_id == u32::from(session) => {
                // BMv2's server keeps no order.
                let mut replicas: Vec<_> = found.replicas.iter().filter_map(Replica::from_wire).collect();
                replicas.sort_by_key(|replica| (replica.instance, replica.port));
                Some(replicas)
            }
            _ => None,
        }))
    }
}

/// A session that is primary.
async fn claim(access: &Access) -> Result<Session, Refused> {
    let patience = access.config.timeouts.connect;
    let mine = access.config.election_id;
    let (session, mut events) = Session::connect(access.config.clone()).map_err(|error| error.to_string())?;
    let mut refused = false;
    loop {
        let event = timeout(patience, events.recv()).await.ok().flatten();
        match event.ok_or_else(|| format!("the switch does not say within {patience:?} who is primary"))? {
            Event::Primary { .. } => break,
            Event::Backup { primary: Some(id) } => {
                return Err(format!(
                    "a controller with election id {id} has the switch; what there is can be shown, and --election-id {} \
                     takes the switch from it",
                    id.saturating_add(1)
                ));
            }
            // Its controller has left. Its id is the least that will do, and does not keep it from coming back.
            Event::Backup { primary: None } if !access.insists => {
                let id = session.highest_election_id();
                session.set_election_id(id).await.map_err(|error| error.to_string())?;
            }
            Event::Backup { primary: None } => {
                let id = session.highest_election_id();
                return Err(format!(
                    "a controller had the switch with election id {id}; no lower one than that will do"
                ));
            }
            // It may be an earlier session of our own, whose end the switch has not heard of.
            Event::Disconnected { reason: DisconnectReason::ElectionIdTaken(_), .. } if !refused => refused = true,
            Event::Disconnected { reason: DisconnectReason::ElectionIdTaken(_), .. } => {
                return Err(format!(
                    "another controller has election id {mine}; what there is can be shown, and --election-id {} may take \
                     the switch from it",
                    mine.saturating_add(1)
                ));
            }
            Event::Disconnected { reason, .. } => return Err(reason.to_string()),
            Event::Connected { .. }
            | Event::PacketIn(_)
            | Event::Digest(_)
            | Event::IdleTimeout(_)
            | Event::StreamError(_) => {}
        }
    }
    // Nobody here wants to hear more, but the queue must not fill up.
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    Ok(session)
}

/// The only field of a value set: the words have one value for all of them.
fn one_field(set: &ValueSet) -> Result<u32, Refused> {
    match &set.fields[..] {
        [field] => Ok(field.id),
        _ => Err(format!("{} has more than one field, for which only Thrift has one value", set.name)),
    }
}

fn nanoseconds(milliseconds: u64) -> i64 {
    encode_number(milliseconds.saturating_mul(1_000_000))
}

fn counted(data: &WireCounter) -> Result<CounterData, Refused> {
    decode_counter(data).map_err(|error| format!("the switch says that {error}"))
}

fn rates(config: &Option<WireMeter>) -> Result<Option<MeterConfig>, Refused> {
    config.as_ref().map(decode_meter).transpose().map_err(|error| format!("the switch says that {error}"))
}

impl<C: Channel> Device for C {
    fn keys(&mut self, table: &Table) -> Result<Vec<(EntryKey, Option<u32>)>, Refused> {
        let entries = self.all_entries(table)?;
        Ok(entries.iter().map(|entry| (wire::key(table, entry), wire::noted(&entry.metadata))).collect())
    }

    fn insert_entry(
        &mut self,
        table: &Table,
        key: &EntryKey,
        doing: &Doing<'_>,
        timeout: u64,
        handle: u32,
    ) -> Result<u32, Refused> {
        let entry = TableEntry {
            action: Some(wire::doing(doing)),
            idle_timeout_ns: nanoseconds(timeout),
            metadata: wire::note(handle),
            ..wire::keyed(table, key)
        };
        self.write(vec![insert(entry)])?;
        Ok(handle)
    }

    fn modify_entry(&mut self, table: &Table, key: &EntryKey, call: &Call<'_>) -> Result<(), Refused> {
        let action = wire::doing(&Doing::Call(call.clone()));
        self.change_entry(table, key, |entry| entry.action = Some(action))
    }

    fn set_timeout(&mut self, table: &Table, key: &EntryKey, milliseconds: u64) -> Result<(), Refused> {
        let timeout = nanoseconds(milliseconds);
        self.change_entry(table, key, |entry| entry.idle_timeout_ns = timeout)
    }

    fn delete_entry(&mut self, table: &Table, key: &EntryKey) -> Result<(), Refused> {
        self.write(vec![delete(wire::keyed(table, key))])
    }

    fn set_default(&mut self, table: &Table, doing: Option<&Doing<'_>>) -> Result<(), Refused> {
        let action = doing.map(wire::doing);
        let entry = TableEntry { table_id: table.id, is_default_action: true, action, ..TableEntry::default() };
        self.write(vec![modify(entry)])
    }

    fn member_ids(&mut self, profile: &ActionProfile) -> Result<Vec<u32>, Refused> {
        Ok(self.all_members(profile)?.into_iter().map(|member| member.member_id).collect())
    }

    fn insert_member(&mut self, profile: &ActionProfile, member: u32, call: &Call<'_>) -> Result<u32, Refused> {
        let action = Some(wire::call(call));
        self.write(vec![insert(ActionProfileMember { action_profile_id: profile.id, member_id: member, action })])?;
        Ok(member)
    }

    fn modify_member(&mut self, profile: &ActionProfile, member: u32, call: &Call<'_>) -> Result<(), Refused> {
        let action = Some(wire::call(call));
        self.write(vec![modify(ActionProfileMember { action_profile_id: profile.id, member_id: member, action })])
    }

    fn delete_member(&mut self, profile: &ActionProfile, member: u32) -> Result<(), Refused> {
        self.write(vec![delete(ActionProfileMember { action_profile_id: profile.id, member_id: member, action: None })])
    }

    fn group_ids(&mut self, profile: &ActionProfile) -> Result<Vec<u32>, Refused> {
        Ok(self.all_groups(profile)?.into_iter().map(|group| group.group_id).collect())
    }

    fn insert_group(&mut self, profile: &ActionProfile, group: u32) -> Result<u32, Refused> {
        // Where the P4Info has a limit, a group must name its own.
        let max_size = i32::try_from(profile.max_group_size).unwrap_or(i32::MAX);
        let made = ActionProfileGroup { action_profile_id: profile.id, group_id: group, max_size, members: Vec::new() };
        self.write(vec![insert(made)])?;
        Ok(group)
    }

    fn delete_group(&mut self, profile: &ActionProfile, group: u32) -> Result<(), Refused> {
        let group =
            ActionProfileGroup { action_profile_id: profile.id, group_id: group, ..ActionProfileGroup::default() };
        self.write(vec![delete(group)])
    }

    fn set_membership(&mut self, profile: &ActionProfile, group: u32, member: u32, on: bool) -> Result<(), Refused> {
        let found = self.all_groups(profile)?.into_iter().find(|found| found.group_id == group);
        let mut changed = found.ok_or_else(|| format!("there is no group with handle {}", group.saturating_sub(1)))?;
        let before = changed.members.len();
        changed.members.retain(|other| other.member_id != member);
        if on {
            changed.members.push(action_profile_group::Member { member_id: member, weight: 1, watch_kind: None });
        }
        check_membership(before != changed.members.len(), on)?;
        self.write(vec![modify(changed)])
    }

    fn multicast_groups(&mut self) -> Result<Vec<(u32, Vec<ReplicationNode>)>, Refused> {
        let wanted = Replication::MulticastGroupEntry(MulticastGroupEntry::default());
        let found = self.read(PacketReplicationEngineEntry { r#type: Some(wanted) }, |kind| match kind {
            Kind::PacketReplicationEngineEntry(PacketReplicationEngineEntry {
                r#type: Some(Replication::MulticastGroupEntry(group)),
            }) => Some(group),
            _ => None,
        })?;
        let groups = found.iter().map(|group| {
            let replicas: Vec<_> = group.replicas.iter().filter_map(Replica::from_wire).collect();
            Ok((group.multicast_group_id, wire::nodes(&replicas)?))
        });
        let mut groups = groups.collect::<Result<Vec<_>, Refused>>()?;
        groups.sort_by_key(|(group, _)| *group);
        Ok(groups)
    }

    fn insert_multicast(&mut self, group: u32) -> Result<(), Refused> {
        self.write(vec![insert(multicast_group(group, []))])
    }

    fn modify_multicast(&mut self, group: u32, nodes: &[ReplicationNode]) -> Result<(), Refused> {
        let replicas = wire::replicas(nodes)?;
        self.write(vec![modify(multicast_group(group, replicas))])
    }

    fn delete_multicast(&mut self, group: u32) -> Result<(), Refused> {
        self.write(vec![delete(multicast_group(group, []))])
    }

    fn set_session(&mut self, session: u16, nodes: &[ReplicationNode], length: Option<u16>) -> Result<(), Refused> {
        let known = self.replicas(session)?.is_some();
        let entry = clone_session(session.into(), wire::replicas(nodes)?, length);
        self.write(vec![if known { modify(entry) } else { insert(entry) }])
    }

    fn delete_session(&mut self, session: u16) -> Result<(), Refused> {
        self.write(vec![delete(clone_session(session.into(), [], None))])
    }

    fn counter(&mut self, counter: &Counter, index: u64) -> Result<CounterData, Refused> {
        let index = encode_index(index);
        let found = self.read(CounterEntry { counter_id: counter.id, index, data: None }, |kind| match kind {
            Kind::CounterEntry(entry) => entry.data,
            _ => None,
        })?;
        counted(found.first().ok_or("the switch has no such cell")?)
    }

    fn entry_counter(&mut self, table: &Table, key: &EntryKey) -> Result<CounterData, Refused> {
        let table_entry = Some(wire::keyed(table, key));
        let found = self.read(DirectCounterEntry { table_entry, data: None }, |kind| match kind {
            Kind::DirectCounterEntry(entry) => entry.data,
            _ => None,
        })?;
        counted(found.first().ok_or("the table has no such entry")?)
    }

    fn set_counter(&mut self, counter: &Counter, cells: Range<u64>, data: CounterData) -> Result<(), Refused> {
        let data = Some(encode_counter(&data));
        let update = |index| modify(CounterEntry { counter_id: counter.id, index: encode_index(index), data });
        self.write(cells.map(update).collect())
    }

    fn set_entry_counters(&mut self, table: &Table, keys: &[EntryKey], data: CounterData) -> Result<(), Refused> {
        let data = Some(encode_counter(&data));
        let update = |key| modify(DirectCounterEntry { table_entry: Some(wire::keyed(table, key)), data });
        self.write(keys.iter().map(update).collect())
    }

    fn set_meter(&mut self, meter: &Meter, cells: Range<u64>, rates: MeterConfig) -> Result<(), Refused> {
        let config = Some(encode_meter(&rates));
        let update = |index| {
            let index = encode_index(index);
            modify(MeterEntry { meter_id: meter.id, index, config, counter_data: None })
        };
        self.write(cells.map(update).collect())
    }

    fn set_entry_meters(&mut self, table: &Table, keys: &[EntryKey], rates: MeterConfig) -> Result<(), Refused> {
        let config = Some(encode_meter(&rates));
        let update = |key| {
            let table_entry = Some(wire::keyed(table, key));
            modify(DirectMeterEntry { table_entry, config, counter_data: None })
        };
        self.write(keys.iter().map(update).collect())
    }

    fn set_register(&mut self, register: &Register, cells: Range<u64>, value: &[u8]) -> Result<(), Refused> {
        let value = vouch_p4runtime::value::canonical(value).to_vec();
        let data = Some(P4Data { data: Some(p4_data::Data::Bitstring(value)) });
        let update = |index| {
            let index = encode_index(index);
            modify(RegisterEntry { register_id: register.id, index, data: data.clone() })
        };
        self.write(cells.map(update).collect())
    }

    fn value_set(&mut self, set: &ValueSet) -> Result<Vec<Vec<u8>>, Refused> {
        let field = one_field(set)?;
        let wanted = ValueSetEntry { value_set_id: set.id, members: Vec::new() };
        let found = self.read(wanted, |kind| match kind {
            Kind::ValueSetEntry(entry) => Some(entry.members),
            _ => None,
        })?;
        let value = |member: &ValueSetMember| {
            member.r#match.iter().find(|it| it.field_id == field).and_then(|it| match it.field_match_type.as_ref()? {
                FieldMatchType::Exact(exact) => Some(exact.value.clone()),
                FieldMatchType::Ternary(ternary) => Some(ternary.value.clone()),
                _ => None,
            })
        };
        Ok(found.iter().flatten().filter_map(value).collect())
    }

    fn set_value_set(&mut self, set: &ValueSet, members: &[Vec<u8>]) -> Result<(), Refused> {
        let field_id = one_field(set)?;
        let member = |value: &Vec<u8>| {
            let value = vouch_p4runtime::value::canonical(value).to_vec();
            let exact = Some(FieldMatchType::Exact(Exact { value }));
            ValueSetMember { r#match: vec![FieldMatch { field_id, field_match_type: exact }] }
        };
        let members = members.iter().map(member).collect();
        self.write(vec![modify(ValueSetEntry { value_set_id: set.id, members })])
    }
}

impl Target for Remote {
    fn catalog(&self) -> Arc<Catalog> {
        self.catalog.clone()
    }

    fn runs(&mut self) -> Result<bool, Refused> {
        Ok(self.running()?.is_some())
    }

    fn load(&mut self, program: &Path, p4info: Option<&Path>) -> Result<(), Refused> {
        self.loaded = Some(read_pipeline(program, p4info)?);
        Ok(())
    }

    fn swap(&mut self) -> Result<(), Refused> {
        let pipeline = self.loaded.take().ok_or("there is no other program: load_new_config_file reads one")?;
        self.run(&pipeline).inspect_err(|_| self.loaded = Some(pipeline))
    }

    fn program(&mut self) -> Result<Vec<u8>, Refused> {
        Err("over P4Runtime only the P4Info is asked for; Thrift hands it out: p4-switch-cli --thrift-port PORT"
            .to_owned())
    }

    fn rest(&mut self) {
        self.session = None;
    }

    fn entries(&mut self, table: &Table) -> Result<Vec<TableEntry>, Refused> {
        self.all_entries(table)
    }

    fn members(&mut self, profile: &ActionProfile) -> Result<Vec<ActionProfileMember>, Refused> {
        self.all_members(profile)
    }

    fn groups(&mut self, profile: &ActionProfile) -> Result<Vec<ActionProfileGroup>, Refused> {
        self.all_groups(profile)
    }

    fn entry(&mut self, table: &Table, key: &EntryKey) -> Result<TableEntry, Refused> {
        self.keyed(table, key, TableEntry::default())
    }

    fn default_entry(&mut self, table: &Table) -> Result<Option<TableEntry>, Refused> {
        let wanted = TableEntry { table_id: table.id, is_default_action: true, ..TableEntry::default() };
        Ok(self.selected(wanted)?.into_iter().next())
    }

    fn clones(&mut self, session: u16) -> Result<Option<Clones>, Refused> {
        Ok(self.replicas(session)?.map(|copies| Clones { group: None, copies }))
    }

    fn meter(&mut self, meter: &Meter, index: u64) -> Result<Option<MeterConfig>, Refused> {
        let index = encode_index(index);
        let found =
            self.read(MeterEntry { meter_id: meter.id, index, ..MeterEntry::default() }, |kind| match kind {
                Kind::MeterEntry(entry) => Some(entry.config),
                _ => None,
            })?;
        rates(found.first().ok_or("the switch has no such cell")?)
    }

    fn entry_meter(&mut self, table: &Table, key: &EntryKey) -> Result<Option<MeterConfig>, Refused> {
        let table_entry = Some(wire::keyed(table, key));
        let found =
            self.read(DirectMeterEntry { table_entry, config: None, counter_data: None }, |kind| match kind {
                Kind::DirectMeterEntry(entry) => Some(entry.config),
                _ => None,
            })?;
        rates(found.first().ok_or("the table has no such entry")?)
    }

    fn register(&mut self, register: &Register, index: Option<u64>) -> Result<Vec<(i64, Vec<u8>)>, Refused> {
        let index = index.and_then(encode_index);
        let found = self.read(RegisterEntry { register_id: register.id, index, data: None }, |kind| match kind {
            Kind::RegisterEntry(entry) => entry.index.zip(entry.data),
            _ => None,
        })?;
        let cells = found.into_iter().map(|(Index { index }, data)| match data.data {
            Some(p4_data::Data::Bitstring(value)) => Ok((index, value)),
            _ => Err(format!("the cells of {} are not numbers", register.name)),
        });
        let mut cells = cells.collect::<Result<Vec<_>, Refused>>()?;
        cells.sort();
        Ok(cells)
    }

    fn ports(&mut self) -> Result<Vec<PortState>, Refused> {
        let told = async {
            let mut stream = self.reader.subscribe_ports().await?;
            let mut ports = Vec::new();
            while let Some(event) = stream.next().await {
                match event? {
                    PortEvent::State { port, up } => ports.push((port, up)),
                    PortEvent::Mtu { .. } => {}
                    PortEvent::Synced => break,
                }
            }
            Ok(ports)
        };
        let told: Result<_, RpcError> = self.runtime.block_on(told);
        let mut ports = told.map_err(|error| format!("the switch tells nothing of its ports over gNMI: {error}"))?;
        ports.sort_by_key(|(port, _)| (port.parse::<u32>().unwrap_or(u32::MAX), port.clone()));
        let state = |(port, up)| PortState { port, interface: String::new(), up };
        Ok(ports.into_iter().map(state).collect())
    }
}
