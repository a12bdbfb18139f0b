//! A switch behind BMv2's Thrift services as a [`Device`]. It has names of its own for everything, and numbers for entries, members,
//! groups and nodes: what is shown and changed is what its own clients see. No P4Info is needed, only the program's JSON, which
//! the switch hands out.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use num_bigint::BigUint;
use serde_json::Value;
use vouch_p4runtime::p4::v1::{ActionProfileGroup, ActionProfileMember, TableEntry, action_profile_group};
use vouch_p4runtime::p4info::{Action, ActionProfile, Counter, Meter, Register, Table, ValueSet};
use vouch_switch::{CounterData, EntryKey, MatchKind, MeterConfig, Program, ReplicationNode};

use super::catalog::{Catalog, actions_of, engine_kind};
use super::command::{Call, Doing, Request};
use super::device::{Clones, Device, GroupOfNodes, Node, Nodes, PortState, Target};
use super::values::{reversed_priority, shown_priority};
use super::{Refused, wire};
use crate::thrift::api::simple_switch::MirroringSessionConfig;
use crate::thrift::api::standard::{
    BmActionEntry, BmActionEntryType, BmAddEntryOptions, BmCounterValue, BmCrc16Config, BmCrc32Config, BmMatchParam,
    BmMtEntry,
};
use crate::thrift::api::{simple_pre_lag, simple_switch, standard};
use crate::thrift::client::{Client, Refusal};
use crate::thrift::keys;

/// A switch has one context.
const CONTEXT: i32 = 0;

/// A switch behind Thrift.
pub struct OverThrift {
    client: Client,
    catalog: Arc<Catalog>,
}

impl OverThrift {
    /// Connect, and learn from the switch what it runs, or from this JSON.
    ///
    /// # Errors
    /// There is no such switch, or its program cannot be read.
    pub fn connect(host: &str, port: u16, json: Option<&Path>) -> Result<Self, Refused> {
        let client = Client::connect((host, port)).map_err(|error| format!("{host}:{port}: {error}"))?;
        let mut switch = Self { client, catalog: Arc::default() };
        match json {
            Some(path) => {
                let program = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
                switch.catalog = Arc::new(catalog(&program).map_err(|error| format!("{}: {error}", path.display()))?);
            }
            None => switch.learn()?,
        }
        Ok(switch)
    }

    /// Ask what the switch runs.
    fn learn(&mut self) -> Result<(), Refused> {
        let program = standard::bm_get_config(&mut self.client)?;
        // What the reference hands out while it has no program.
        let has_program = program.trim() != "{}";
        let learnt = if has_program { catalog(program.as_bytes()) } else { Ok(Catalog::default()) };
        self.catalog = Arc::new(learnt.map_err(|error| format!("the switch's program cannot be read: {error}"))?);
        Ok(())
    }

    /// The handle of the entry with this key.
    fn handle(&mut self, table: &Table, key: &EntryKey) -> Result<i32, Refused> {
        self.found(table, key).map(|entry| entry.entry_handle)
    }

    fn found(&mut self, table: &Table, key: &EntryKey) -> Result<BmMtEntry, Refused> {
        let (fields, options) = (sent(table, key), options(table, key));
        let found = standard::bm_mt_get_entry_from_key(&mut self.client, CONTEXT, table.name.clone(), fields, options);
        found.map_err(|refusal| match refusal {
            Refusal::Declared(_) => "the table has no such entry".to_owned(),
            other => other.into(),
        })
    }

    fn all(&mut self, table: &Table) -> Result<Vec<BmMtEntry>, Refused> {
        Ok(standard::bm_mt_get_entries(&mut self.client, CONTEXT, table.name.clone())?)
    }

    /// The group of a profile.
    fn group(&mut self, profile: &ActionProfile, group: u32) -> Result<ActionProfileGroup, Refused> {
        let found = self.groups(profile)?.into_iter().find(|found| found.group_id == group);
        found.ok_or_else(|| format!("there is no group with handle {}", group.saturating_sub(1)))
    }
}

/// What can be named in a program.
fn catalog(json: &[u8]) -> Result<Catalog, Refused> {
    let program = Program::load(json).map_err(|error| error.to_string())?;
    Catalog::of_json(&program, json)
}

fn sent(table: &Table, key: &EntryKey) -> Vec<BmMatchParam> {
    let fields = table.fields.iter();
    keys::sent(fields.map(|field| (engine_kind(&field.kind).unwrap_or(MatchKind::Ternary), field.width)), &key.matches)
}

fn options(table: &Table, key: &EntryKey) -> BmAddEntryOptions {
    BmAddEntryOptions { priority: table.needs_priority().then(|| shown_priority(key.priority)) }
}

fn received(table: &Table, entry: &BmMtEntry) -> EntryKey {
    let priority = entry.options.priority.filter(|_| table.needs_priority());
    let priority = priority.and_then(reversed_priority).unwrap_or(0);
    EntryKey { matches: keys::received(&entry.match_key), priority }
}

fn data(call: &Call<'_>) -> Vec<Vec<u8>> {
    let params = call.action.params.iter().zip(&call.params);
    params.map(|(known, value)| keys::fit(value, known.width)).collect()
}

/// A number that has 32 bits there.
fn number(what: &str, value: impl TryInto<i32> + std::fmt::Display + Copy) -> Result<i32, Refused> {
    value.try_into().map_err(|_| format!("there is no {what} {value}"))
}

/// An id of a member or group is one more than its handle.
fn handle_of(id: u32) -> Result<i32, Refused> {
    number("handle", id.saturating_sub(1))
}

fn id_of(handle: i32) -> u32 {
    handle.cast_unsigned().saturating_add(1)
}

fn no_choices() -> Refused {
    "over Thrift an entry has one action, a member or a group".to_owned()
}

fn ports_map(ports: &[u16]) -> String {
    let highest = ports.iter().max().map_or(0, |port| usize::from(*port) + 1);
    // The last digit is that of port 0.
    (0..highest).rev().map(|port| if ports.iter().any(|it| usize::from(*it) == port) { '1' } else { '0' }).collect()
}

fn count(data: CounterData) -> BmCounterValue {
    BmCounterValue { bytes: data.bytes.cast_signed(), packets: data.packets.cast_signed() }
}

fn counted(value: &BmCounterValue) -> CounterData {
    CounterData { bytes: value.bytes.cast_unsigned(), packets: value.packets.cast_unsigned() }
}

/// A register's value; the reference has no wider numbers than these.
fn cell(value: &[u8]) -> Result<i64, Refused> {
    let value = BigUint::from_bytes_be(value);
    i64::try_from(&value).map_err(|_| format!("{value} does not fit the 63 bits that Thrift has for it"))
}

fn wire_call(actions: &[&Action], name: &str, data: &[Vec<u8>]) -> Option<vouch_p4runtime::p4::v1::Action> {
    let action = actions.iter().find(|action| action.name == name)?;
    Some(wire::call(&Call { action, params: data.to_vec() }))
}

/// An entry as it is shown.
fn wire_entry(table: &Table, entry: &BmMtEntry) -> TableEntry {
    let timeout = entry.life.as_ref().map_or(0, |life| i64::from(life.timeout_ms));
    TableEntry {
        action: wire_action(table, &entry.action_entry),
        idle_timeout_ns: timeout.saturating_mul(1_000_000),
        ..wire::keyed(table, &received(table, entry))
    }
}

fn wire_action(table: &Table, entry: &BmActionEntry) -> Option<vouch_p4runtime::p4::v1::TableAction> {
    let doing = match entry.action_type {
        BmActionEntryType::None => return None,
        BmActionEntryType::ActionData => {
            let (name, data) = (entry.action_name.as_ref()?, entry.action_data.as_deref().unwrap_or_default());
            let action = actions_of(table).find(|action| action.name == *name)?;
            Doing::Call(Call { action, params: data.to_vec() })
        }
        BmActionEntryType::MbrHandle => Doing::Member(id_of(entry.mbr_handle?)),
        BmActionEntryType::GrpHandle => Doing::Group(id_of(entry.grp_handle?)),
    };
    Some(wire::doing(&doing))
}

impl Device for OverThrift {
    fn keys(&mut self, table: &Table) -> Result<Vec<(EntryKey, Option<u32>)>, Refused> {
        let entries = self.all(table)?;
        let noted = |entry: &BmMtEntry| (received(table, entry), Some(entry.entry_handle.cast_unsigned()));
        Ok(entries.iter().map(noted).collect())
    }

    fn insert_entry(
        &mut self,
        table: &Table,
        key: &EntryKey,
        doing: &Doing<'_>,
        timeout: u64,
        _: u32,
    ) -> Result<u32, Refused> {
        let (name, fields, options) = (table.name.clone(), sent(table, key), options(table, key));
        let client = &mut self.client;
        let handle = match doing {
            Doing::Call(call) => {
                let action = call.action.name.clone();
                standard::bm_mt_add_entry(client, CONTEXT, name, fields, action, data(call), options)
            }
            Doing::Member(member) => {
                standard::bm_mt_indirect_add_entry(client, CONTEXT, name, fields, handle_of(*member)?, options)
            }
            Doing::Group(group) => {
                standard::bm_mt_indirect_ws_add_entry(client, CONTEXT, name, fields, handle_of(*group)?, options)
            }
            Doing::Choices(_) => return Err(no_choices()),
        };
        let handle = handle?.cast_unsigned();
        if timeout > 0 {
            self.set_timeout(table, key, timeout)?;
        }
        Ok(handle)
    }

    fn modify_entry(&mut self, table: &Table, key: &EntryKey, call: &Call<'_>) -> Result<(), Refused> {
        let (handle, action) = (self.handle(table, key)?, call.action.name.clone());
        let name = table.name.clone();
        Ok(standard::bm_mt_modify_entry(&mut self.client, CONTEXT, name, handle, action, data(call))?)
    }

    fn set_timeout(&mut self, table: &Table, key: &EntryKey, milliseconds: u64) -> Result<(), Refused> {
        let handle = self.handle(table, key)?;
        let milliseconds = number("timeout of this many milliseconds:", milliseconds)?;
        let (client, name) = (&mut self.client, table.name.clone());
        let done = match table.implementation {
            None => standard::bm_mt_set_entry_ttl(client, CONTEXT, name, handle, milliseconds),
            Some(_) => standard::bm_mt_indirect_set_entry_ttl(client, CONTEXT, name, handle, milliseconds),
        };
        Ok(done?)
    }

    fn delete_entry(&mut self, table: &Table, key: &EntryKey) -> Result<(), Refused> {
        let handle = self.handle(table, key)?;
        let (client, name) = (&mut self.client, table.name.clone());
        let done = match table.implementation {
            None => standard::bm_mt_delete_entry(client, CONTEXT, name, handle),
            Some(_) => standard::bm_mt_indirect_delete_entry(client, CONTEXT, name, handle),
        };
        Ok(done?)
    }

    fn clear(&mut self, table: &Table) -> Result<(), Refused> {
        Ok(standard::bm_mt_clear_entries(&mut self.client, CONTEXT, table.name.clone(), false)?)
    }

    fn set_default(&mut self, table: &Table, doing: Option<&Doing<'_>>) -> Result<(), Refused> {
        let (client, name) = (&mut self.client, table.name.clone());
        let done = match (doing, table.implementation) {
            (None, None) => standard::bm_mt_reset_default_entry(client, CONTEXT, name),
            (None, Some(_)) => standard::bm_mt_indirect_reset_default_entry(client, CONTEXT, name),
            (Some(Doing::Call(call)), _) => {
                let action = call.action.name.clone();
                standard::bm_mt_set_default_action(client, CONTEXT, name, action, data(call))
            }
            (Some(Doing::Member(member)), _) => {
                standard::bm_mt_indirect_set_default_member(client, CONTEXT, name, handle_of(*member)?)
            }
            (Some(Doing::Group(group)), _) => {
                standard::bm_mt_indirect_ws_set_default_group(client, CONTEXT, name, handle_of(*group)?)
            }
            (Some(Doing::Choices(_)), _) => return Err(no_choices()),
        };
        Ok(done?)
    }

    fn member_ids(&mut self, profile: &ActionProfile) -> Result<Vec<u32>, Refused> {
        Ok(self.members(profile)?.into_iter().map(|member| member.member_id).collect())
    }

    fn insert_member(&mut self, profile: &ActionProfile, _: u32, call: &Call<'_>) -> Result<u32, Refused> {
        let (name, action) = (profile.name.clone(), call.action.name.clone());
        let handle = standard::bm_mt_act_prof_add_member(&mut self.client, CONTEXT, name, action, data(call))?;
        Ok(id_of(handle))
    }

    fn modify_member(&mut self, profile: &ActionProfile, member: u32, call: &Call<'_>) -> Result<(), Refused> {
        let (name, action, member) = (profile.name.clone(), call.action.name.clone(), handle_of(member)?);
        Ok(standard::bm_mt_act_prof_modify_member(&mut self.client, CONTEXT, name, member, action, data(call))?)
    }

    fn delete_member(&mut self, profile: &ActionProfile, member: u32) -> Result<(), Refused> {
        let (name, member) = (profile.name.clone(), handle_of(member)?);
        Ok(standard::bm_mt_act_prof_delete_member(&mut self.client, CONTEXT, name, member)?)
    }

    fn group_ids(&mut self, profile: &ActionProfile) -> Result<Vec<u32>, Refused> {
        Ok(self.groups(profile)?.into_iter().map(|group| group.group_id).collect())
    }

    fn insert_group(&mut self, profile: &ActionProfile, _: u32) -> Result<u32, Refused> {
        let handle = standard::bm_mt_act_prof_create_group(&mut self.client, CONTEXT, profile.name.clone())?;
        Ok(id_of(handle))
    }

    fn delete_group(&mut self, profile: &ActionProfile, group: u32) -> Result<(), Refused> {
        let (name, group) = (profile.name.clone(), handle_of(group)?);
        Ok(standard::bm_mt_act_prof_delete_group(&mut self.client, CONTEXT, name, group)?)
    }

    fn set_membership(&mut self, profile: &ActionProfile, group: u32, member: u32, on: bool) -> Result<(), Refused> {
        self.group(profile, group)?;
        let (name, member, group) = (profile.name.clone(), handle_of(member)?, handle_of(group)?);
        let client = &mut self.client;
        let done = if on {
            standard::bm_mt_act_prof_add_member_to_group(client, CONTEXT, name, member, group)
        } else {
            standard::bm_mt_act_prof_remove_member_from_group(client, CONTEXT, name, member, group)
        };
        Ok(done?)
    }

    fn multicast_groups(&mut self) -> Result<Vec<(u32, Vec<ReplicationNode>)>, Refused> {
        let of = |nodes: Vec<(usize, Node)>| nodes.into_iter().map(|(_, node)| node.copies).collect();
        Ok(self.dump()?.into_iter().map(|(group, nodes)| (group, of(nodes))).collect())
    }

    fn insert_multicast(&mut self, group: u32) -> Result<(), Refused> {
        let group = number("group", group)?;
        simple_pre_lag::bm_mc_mgrp_create(&mut self.client, CONTEXT, group)?;
        Ok(())
    }

    /// Groups are changed by way of their nodes.
    fn modify_multicast(&mut self, _: u32, _: &[ReplicationNode]) -> Result<(), Refused> {
        Err("a group's nodes are changed one by one over Thrift".to_owned())
    }

    fn delete_multicast(&mut self, group: u32) -> Result<(), Refused> {
        let group = number("group", group)?;
        Ok(simple_pre_lag::bm_mc_mgrp_destroy(&mut self.client, CONTEXT, group)?)
    }

    fn nodes(&mut self) -> Option<&mut dyn Nodes> {
        Some(self)
    }

    fn set_session(&mut self, session: u16, nodes: &[ReplicationNode], length: Option<u16>) -> Result<(), Refused> {
        if length.is_some() {
            return Err("over Thrift the copies of a session are whole".to_owned());
        }
        let ports: Vec<u16> = nodes.iter().flat_map(|node| node.ports.iter().copied()).collect();
        let [port] = ports[..] else {
            return Err("over Thrift a session copies to one port or to a multicast group".to_owned());
        };
        let config = MirroringSessionConfig { port: Some(port.into()), mgid: None };
        Ok(simple_switch::mirroring_session_add(&mut self.client, session.into(), config)?)
    }

    fn delete_session(&mut self, session: u16) -> Result<(), Refused> {
        Ok(simple_switch::mirroring_session_delete(&mut self.client, session.into())?)
    }

    fn counter(&mut self, counter: &Counter, index: u64) -> Result<CounterData, Refused> {
        let index = number("cell", index)?;
        let found = standard::bm_counter_read(&mut self.client, CONTEXT, counter.name.clone(), index)?;
        Ok(counted(&found))
    }

    fn entry_counter(&mut self, table: &Table, key: &EntryKey) -> Result<CounterData, Refused> {
        let handle = self.handle(table, key)?;
        let found = standard::bm_mt_read_counter(&mut self.client, CONTEXT, table.name.clone(), handle)?;
        Ok(counted(&found))
    }

    fn set_counter(&mut self, counter: &Counter, mut cells: Range<u64>, data: CounterData) -> Result<(), Refused> {
        let name = || counter.name.clone();
        if cells == (0..counter.size) && data == CounterData::default() {
            return Ok(standard::bm_counter_reset_all(&mut self.client, CONTEXT, name())?);
        }
        cells.try_for_each(|cell| {
            let cell = number("cell", cell)?;
            Ok(standard::bm_counter_write(&mut self.client, CONTEXT, name(), cell, count(data))?)
        })
    }

    fn set_entry_counters(&mut self, table: &Table, keys: &[EntryKey], data: CounterData) -> Result<(), Refused> {
        for key in keys {
            let (name, handle) = (table.name.clone(), self.handle(table, key)?);
            standard::bm_mt_write_counter(&mut self.client, CONTEXT, name, handle, count(data))?;
        }
        Ok(())
    }

    fn set_meter(&mut self, meter: &Meter, mut cells: Range<u64>, rates: MeterConfig) -> Result<(), Refused> {
        let (name, rates) = (|| meter.name.clone(), keys::shown_rates(Some(rates)));
        if cells == (0..meter.size) {
            return Ok(standard::bm_meter_array_set_rates(&mut self.client, CONTEXT, name(), rates)?);
        }
        cells.try_for_each(|cell| {
            let cell = number("cell", cell)?;
            Ok(standard::bm_meter_set_rates(&mut self.client, CONTEXT, name(), cell, rates.clone())?)
        })
    }

    fn set_entry_meters(&mut self, table: &Table, keys: &[EntryKey], rates: MeterConfig) -> Result<(), Refused> {
        let rates = keys::shown_rates(Some(rates));
        for key in keys {
            let (name, handle) = (table.name.clone(), self.handle(table, key)?);
            standard::bm_mt_set_meter_rates(&mut self.client, CONTEXT, name, handle, rates.clone())?;
        }
        Ok(())
    }

    fn set_register(&mut self, register: &Register, cells: Range<u64>, value: &[u8]) -> Result<(), Refused> {
        let (name, value) = (register.name.clone(), cell(value)?);
        let (first, end) = (number("cell", cells.start)?, number("cell", cells.end)?);
        let client = &mut self.client;
        let done = if cells == (0..register.size) && value == 0 {
            standard::bm_register_reset(client, CONTEXT, name)
        } else if end - first == 1 {
            standard::bm_register_write(client, CONTEXT, name, first, value)
        } else {
            standard::bm_register_write_range(client, CONTEXT, name, first, end, value)
        };
        Ok(done?)
    }

    fn value_set(&mut self, set: &ValueSet) -> Result<Vec<Vec<u8>>, Refused> {
        Ok(standard::bm_parse_vset_get(&mut self.client, CONTEXT, set.name.clone())?)
    }

    fn set_value_set(&mut self, set: &ValueSet, members: &[Vec<u8>]) -> Result<(), Refused> {
        let there = self.value_set(set)?;
        for gone in there.iter().filter(|value| !members.contains(value)) {
            standard::bm_parse_vset_remove(&mut self.client, CONTEXT, set.name.clone(), gone.clone())?;
        }
        for new in members.iter().filter(|value| !there.contains(value)) {
            standard::bm_parse_vset_add(&mut self.client, CONTEXT, set.name.clone(), new.clone())?;
        }
        Ok(())
    }
}

impl Nodes for OverThrift {
    fn create(&mut self, node: &Node) -> Result<usize, Refused> {
        let (rid, lags) = (node.copies.instance.into(), ports_map(&node.lags));
        let ports = ports_map(&node.copies.ports);
        let handle = simple_pre_lag::bm_mc_node_create(&mut self.client, CONTEXT, rid, ports, lags)?;
        Ok(handle.cast_unsigned() as usize)
    }

    fn update(&mut self, handle: usize, ports: &[u16], lags: &[u16]) -> Result<(), Refused> {
        let handle = number("node", handle)?;
        let (ports, lags) = (ports_map(ports), ports_map(lags));
        Ok(simple_pre_lag::bm_mc_node_update(&mut self.client, CONTEXT, handle, ports, lags)?)
    }

    fn destroy(&mut self, handle: usize) -> Result<(), Refused> {
        Ok(simple_pre_lag::bm_mc_node_destroy(&mut self.client, CONTEXT, number("node", handle)?)?)
    }

    fn associate(&mut self, group: u32, handle: usize, on: bool) -> Result<(), Refused> {
        let (group, handle) = (number("group", group)?, number("node", handle)?);
        let client = &mut self.client;
        let done = if on {
            simple_pre_lag::bm_mc_node_associate(client, CONTEXT, group, handle)
        } else {
            simple_pre_lag::bm_mc_node_dissociate(client, CONTEXT, group, handle)
        };
        Ok(done?)
    }

    fn mirror(&mut self, session: u16, group: u32) -> Result<(), Refused> {
        let config = MirroringSessionConfig { port: None, mgid: Some(number("group", group)?) };
        Ok(simple_switch::mirroring_session_add(&mut self.client, session.into(), config)?)
    }

    fn dump(&mut self) -> Result<Vec<GroupOfNodes>, Refused> {
        let text = simple_pre_lag::bm_mc_get_entries(&mut self.client, CONTEXT)?;
        let root: Value = serde_json::from_str(&text).map_err(|error| format!("the switch's groups: {error}"))?;
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let numbers = |value: &Value| -> Vec<u16> {
            list(value).iter().filter_map(|it| u16::try_from(it.as_u64()?).ok()).collect()
        };
        let with_handle = |kind: &str, handle: &Value| -> Option<Value> {
            list(&root[kind]).into_iter().find(|node| node["handle"] == *handle)
        };
        let node = |handle: &Value| {
            let first = with_handle("l1_handles", handle)?;
            let second = with_handle("l2_handles", &first["l2_handle"])?;
            let instance = u16::try_from(first["rid"].as_u64()?).ok()?;
            let copies = ReplicationNode { instance, ports: numbers(&second["ports"]) };
            Some((usize::try_from(handle.as_u64()?).ok()?, Node { copies, lags: numbers(&second["lags"]) }))
        };
        let group = |group: &Value| {
            let id = u32::try_from(group["id"].as_u64()?).ok()?;
            Some((id, list(&group["l1_handles"]).iter().filter_map(node).collect()))
        };
        Ok(list(&root["mgrps"]).iter().filter_map(group).collect())
    }
}

impl Target for OverThrift {
    fn catalog(&self) -> Arc<Catalog> {
        self.catalog.clone()
    }

    fn runs(&mut self) -> Result<bool, Refused> {
        Ok(standard::bm_get_config(&mut self.client)?.trim() != "{}")
    }

    fn load(&mut self, program: &Path, p4info: Option<&Path>) -> Result<(), Refused> {
        if p4info.is_some() {
            return Err("over Thrift a program has no P4Info".to_owned());
        }
        let text = std::fs::read_to_string(program).map_err(|error| format!("{}: {error}", program.display()))?;
        Ok(standard::bm_load_new_config(&mut self.client, text)?)
    }

    fn swap(&mut self) -> Result<(), Refused> {
        standard::bm_swap_configs(&mut self.client)?;
        self.learn()
    }

    fn program(&mut self) -> Result<Vec<u8>, Refused> {
        Ok(standard::bm_get_config(&mut self.client)?.into_bytes())
    }

    fn entries(&mut self, table: &Table) -> Result<Vec<TableEntry>, Refused> {
        Ok(self.all(table)?.iter().map(|entry| wire_entry(table, entry)).collect())
    }

    fn entry(&mut self, table: &Table, key: &EntryKey) -> Result<TableEntry, Refused> {
        let found = self.found(table, key)?;
        Ok(wire_entry(table, &found))
    }

    fn default_entry(&mut self, table: &Table) -> Result<Option<TableEntry>, Refused> {
        let found = standard::bm_mt_get_default_entry(&mut self.client, CONTEXT, table.name.clone())?;
        let action = wire_action(table, &found);
        Ok(action.map(|action| TableEntry { action: Some(action), is_default_action: true, ..TableEntry::default() }))
    }

    fn members(&mut self, profile: &ActionProfile) -> Result<Vec<ActionProfileMember>, Refused> {
        let found = standard::bm_mt_act_prof_get_members(&mut self.client, CONTEXT, profile.name.clone())?;
        let actions = self.catalog.profile_actions(profile);
        let member = |member: &standard::BmMtActProfMember| ActionProfileMember {
            member_id: id_of(member.mbr_handle),
            action: wire_call(&actions, &member.action_name, &member.action_data),
            ..ActionProfileMember::default()
        };
        Ok(found.iter().map(member).collect())
    }

    fn groups(&mut self, profile: &ActionProfile) -> Result<Vec<ActionProfileGroup>, Refused> {
        let found = standard::bm_mt_act_prof_get_groups(&mut self.client, CONTEXT, profile.name.clone())?;
        let member =
            |handle: &i32| action_profile_group::Member { member_id: id_of(*handle), weight: 1, watch_kind: None };
        let group = |group: &standard::BmMtActProfGroup| ActionProfileGroup {
            group_id: id_of(group.grp_handle),
            members: group.mbr_handles.iter().map(member).collect(),
            ..ActionProfileGroup::default()
        };
        Ok(found.iter().map(group).collect())
    }

    fn clones(&mut self, session: u16) -> Result<Option<Clones>, Refused> {
        let config = match simple_switch::mirroring_session_get(&mut self.client, session.into()) {
            Err(Refusal::Declared(_)) => return Ok(None),
            other => other?,
        };
        let copy = |port: i32| vouch_p4runtime::client::Replica { port: port.cast_unsigned(), instance: 0 };
        Ok(Some(Clones {
            group: config.mgid.map(i32::cast_unsigned),
            copies: config.port.map(copy).into_iter().collect(),
        }))
    }

    fn meter(&mut self, meter: &Meter, index: u64) -> Result<Option<MeterConfig>, Refused> {
        let index = number("cell", index)?;
        let found = standard::bm_meter_get_rates(&mut self.client, CONTEXT, meter.name.clone(), index)?;
        Ok(keys::rates(&found).ok())
    }

    fn entry_meter(&mut self, table: &Table, key: &EntryKey) -> Result<Option<MeterConfig>, Refused> {
        let handle = self.handle(table, key)?;
        let found = standard::bm_mt_get_meter_rates(&mut self.client, CONTEXT, table.name.clone(), handle)?;
        Ok(keys::rates(&found).ok())
    }

    fn register(&mut self, register: &Register, index: Option<u64>) -> Result<Vec<(i64, Vec<u8>)>, Refused> {
        let name = register.name.clone();
        let bytes = |value: i64| value.to_be_bytes().to_vec();
        let Some(index) = index else {
            let found = standard::bm_register_read_all(&mut self.client, CONTEXT, name)?;
            return Ok((0..).zip(found.into_iter().map(bytes)).collect());
        };
        let index = number("cell", index)?;
        let found = standard::bm_register_read(&mut self.client, CONTEXT, name, index)?;
        Ok(vec![(index.into(), bytes(found))])
    }

    fn ports(&mut self) -> Result<Vec<PortState>, Refused> {
        let ports = standard::bm_dev_mgr_show_ports(&mut self.client)?;
        let port = |port: standard::DevMgrPortInfo| PortState {
            port: port.port_num.to_string(),
            interface: port.iface_name,
            up: port.is_up,
        };
        Ok(ports.into_iter().map(port).collect())
    }

    fn request(&mut self, request: &Request) -> Result<String, Refused> {
        let client = &mut self.client;
        match request {
            Request::QueueDepth { packets, port: None, .. } => {
                simple_switch::set_all_egress_queue_depths(client, *packets)?;
            }
            Request::QueueDepth { packets, port: Some(port), priority: None } => {
                simple_switch::set_egress_queue_depth(client, *port, *packets)?;
            }
            Request::QueueDepth { packets, port: Some(port), priority: Some(priority) } => {
                simple_switch::set_egress_priority_queue_depth(client, *port, *priority, *packets)?;
            }
            Request::QueueRate { packets, port: None, .. } => {
                simple_switch::set_all_egress_queue_rates(client, *packets)?;
            }
            Request::QueueRate { packets, port: Some(port), priority: None } => {
                simple_switch::set_egress_queue_rate(client, *port, *packets)?;
            }
            Request::QueueRate { packets, port: Some(port), priority: Some(priority) } => {
                simple_switch::set_egress_priority_queue_rate(client, *port, *priority, *packets)?;
            }
            Request::LagPorts { lag, ports } => {
                simple_pre_lag::bm_mc_set_lag_membership(client, CONTEXT, *lag, ports_map(ports))?;
            }
            Request::AddPort { interface, number, capture } => {
                standard::bm_dev_mgr_add_port(client, interface.clone(), *number, capture.clone())?;
            }
            Request::RemovePort { number } => standard::bm_dev_mgr_remove_port(client, *number)?,
            Request::Reset => standard::bm_reset_state(client)?,
            Request::Crc16 { calculation, polynomial, remainder, xor, reflect } => {
                let [data_reflected, remainder_reflected] = *reflect;
                let config = BmCrc16Config {
                    polynomial: polynomial.cast_signed(),
                    initial_remainder: remainder.cast_signed(),
                    final_xor_value: xor.cast_signed(),
                    data_reflected,
                    remainder_reflected,
                };
                standard::bm_set_crc16_custom_parameters(client, CONTEXT, calculation.clone(), config)?;
            }
            Request::Crc32 { calculation, polynomial, remainder, xor, reflect } => {
                let [data_reflected, remainder_reflected] = *reflect;
                let config = BmCrc32Config {
                    polynomial: polynomial.cast_signed(),
                    initial_remainder: remainder.cast_signed(),
                    final_xor_value: xor.cast_signed(),
                    data_reflected,
                    remainder_reflected,
                };
                standard::bm_set_crc32_custom_parameters(client, CONTEXT, calculation.clone(), config)?;
            }
            Request::ToeplitzKey { calculation, key } => {
                standard::bm_set_toeplitz_hash_key(client, CONTEXT, calculation.clone(), key.clone())?;
            }
            Request::Elapsed => return Ok(format!("{}\n", simple_switch::get_time_elapsed_us(client)?)),
            Request::SinceEpoch => return Ok(format!("{}\n", simple_switch::get_time_since_epoch_us(client)?)),
            Request::Info => {
                let info = standard::bm_mgmt_get_info(client)?;
                let socket = |socket: Option<String>| socket.unwrap_or_else(|| "None".to_owned());
                let lines = [
                    ("device_id", info.device_id.to_string()),
                    ("thrift_port", info.thrift_port.to_string()),
                    ("notifications_socket", socket(info.notifications_socket)),
                    ("elogger_socket", socket(info.elogger_socket)),
                    ("debugger_socket", socket(info.debugger_socket)),
                ];
                return Ok(lines.iter().map(|(name, value)| format!("{name:25}: {value}\n")).collect());
            }
            Request::Serialize { file } => {
                let state = standard::bm_serialize_state(client)?;
                std::fs::write(file, state).map_err(|error| format!("{file}: {error}"))?;
            }
        }
        Ok(String::new())
    }
}
