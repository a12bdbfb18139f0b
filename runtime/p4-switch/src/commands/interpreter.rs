//! Carries out commands, and knows what handles mean.
//!
//! P4Runtime knows an entry by its key, where the commands know it by a number. The numbers are given out here: to each
//! entry that is added, and to those that are there already when their table is first spoken of, in the order of their
//! keys. A device that keeps a note at an entry keeps its number too, so that it is the same in the next session. Members
//! and groups have numbers on the device. Nodes have none anywhere else: those of groups that are there already are numbered
//! by group and `rid` when multicast is first spoken of.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use vouch_p4runtime::p4info::Table;
use vouch_p4runtime::value::canonical;
use vouch_switch::{EntryKey, ReplicationNode};

use super::Refused;
use super::catalog::Catalog;
use super::command::{Cells, Change, Doing};
use super::device::{Device, GroupOfNodes, Node};
use super::values::normal_key;

/// Carries out commands on one device.
#[derive(Debug)]
pub struct Interpreter<D> {
    pub(super) device: D,
    /// Entries by the ids of their tables.
    entries: BTreeMap<u32, Handles>,
    multicast: Option<Multicast>,
}

/// The entries of one table by their handles.
#[derive(Debug, Default)]
struct Handles {
    next: u32,
    keys: BTreeMap<u32, EntryKey>,
    by_key: HashMap<EntryKey, u32>,
}

/// Nodes and groups, as far as the device does not know them.
#[derive(Debug, Default)]
struct Multicast {
    /// Nodes by their handles.
    nodes: Vec<Option<ReplicationNode>>,
    /// The nodes of each group, by their handles.
    groups: BTreeMap<u32, Vec<usize>>,
    /// The groups that clone sessions go to.
    mirrors: BTreeMap<u16, u32>,
}

impl<D: Device> Interpreter<D> {
    /// An interpreter for this device.
    pub fn new(device: D) -> Self {
        Self { device, entries: BTreeMap::new(), multicast: None }
    }

    /// The device.
    pub fn device(&mut self) -> &mut D {
        &mut self.device
    }

    /// Forget all handles: the device has another program.
    pub fn forget(&mut self) {
        self.entries.clear();
        self.multicast = None;
    }

    /// Change something; what there is to say about it.
    ///
    /// # Errors
    /// Why it was refused; then nothing has changed, unless several cells or entries were to be changed.
    pub fn change(&mut self, catalog: &Catalog, change: &Change<'_>) -> Result<Option<String>, Refused> {
        match change {
            Change::AddEntry { table, key, doing } => return self.add_entry(table, key, doing).map(Some),
            Change::ModifyEntry { table, handle, call } => {
                let key = self.key(table, *handle)?;
                self.device.modify_entry(table, &key, call)?;
            }
            Change::SetTimeout { table, handle, milliseconds } => {
                let key = self.key(table, *handle)?;
                self.device.set_timeout(table, &key, *milliseconds)?;
            }
            Change::DeleteEntry { table, handle } => {
                let key = self.key(table, *handle)?;
                self.device.delete_entry(table, &key)?;
                self.handles(table)?.retain(|known| *known != key);
            }
            Change::ClearTable { table } => {
                self.device.clear(table)?;
                self.handles(table)?.retain(|_| false);
            }
            Change::SetDefault { table, doing } => self.device.set_default(table, doing.as_ref())?,
            Change::CreateMember { profile, call } => {
                let id = free_id(&self.device.member_ids(profile)?)?;
                let id = self.device.insert_member(profile, id, call)?;
                return Ok(Some(format!("Member has been created with handle {}", id - 1)));
            }
            Change::ModifyMember { profile, member, call } => self.device.modify_member(profile, *member, call)?,
            Change::DeleteMember { profile, member } => self.device.delete_member(profile, *member)?,
            Change::CreateGroup { profile } => {
                let id = free_id(&self.device.group_ids(profile)?)?;
                let id = self.device.insert_group(profile, id)?;
                return Ok(Some(format!("Group has been created with handle {}", id - 1)));
            }
            Change::DeleteGroup { profile, group } => self.device.delete_group(profile, *group)?,
            Change::Membership { profile, group, member, on } => {
                self.device.set_membership(profile, *group, *member, *on)?;
            }
            Change::MirrorToPort { session, port } => {
                self.device.set_session(*session, &[ReplicationNode { instance: 0, ports: vec![*port] }], None)?;
                self.forget_mirror(*session)?;
            }
            Change::MirrorToGroup { session, group } => self.mirror(*session, *group)?,
            Change::DeleteMirror { session } => {
                self.device.delete_session(*session)?;
                self.forget_mirror(*session)?;
            }
            Change::CreateMulticast { group } => self.create_group(*group)?,
            Change::DestroyMulticast { group } => self.destroy_group(*group)?,
            Change::CreateNode { node } => {
                let handle = self.create_node(node)?;
                return Ok(Some(format!("node was created with handle {handle}")));
            }
            Change::UpdateNode { handle, ports, lags } => self.update_node(*handle, ports, lags)?,
            Change::Associate { group, handle, on } => self.associate(*group, *handle, *on)?,
            Change::DestroyNode { handle } => self.destroy_node(*handle)?,
            Change::WriteCounter { counter, cells, data } => match direct(catalog, counter.table) {
                Some(table) => {
                    let keys = self.cell_keys(table, *cells)?;
                    self.device.set_entry_counters(table, &keys, *data)?;
                }
                None => self.device.set_counter(counter, range(*cells, counter.size), *data)?,
            },
            Change::WriteMeter { meter, cells, rates } => match direct(catalog, meter.table) {
                Some(table) => {
                    let keys = self.cell_keys(table, *cells)?;
                    self.device.set_entry_meters(table, &keys, *rates)?;
                }
                None => self.device.set_meter(meter, range(*cells, meter.size), *rates)?,
            },
            Change::WriteRegister { register, cells, value } => {
                self.device.set_register(register, range(*cells, register.size), value)?;
            }
            Change::SetMember { set, value, on } => {
                let mut members = self.device.value_set(set)?;
                let before = members.len();
                members.retain(|member| canonical(member) != canonical(value));
                if *on {
                    members.push(value.clone());
                }
                if before != members.len() {
                    self.device.set_value_set(set, &members)?;
                }
            }
            Change::ClearSet { set } => self.device.set_value_set(set, &[])?,
        }
        Ok(None)
    }

    fn add_entry(&mut self, table: &Table, key: &EntryKey, doing: &Doing<'_>) -> Result<String, Refused> {
        let handle = self.handles(table)?.next;
        let handle = self.device.insert_entry(table, key, doing, 0, handle)?;
        self.handles(table)?.add(handle, key.clone());
        Ok(format!("Entry has been added with handle {handle}"))
    }

    /// The key of the entry with this handle.
    pub(super) fn key(&mut self, table: &Table, handle: u32) -> Result<EntryKey, Refused> {
        if let Some(key) = self.handles(table)?.keys.get(&handle) {
            return Ok(key.clone());
        }
        // Another session may have added it since.
        self.look(table)?;
        let none = || format!("the table has no entry with handle {handle}");
        self.handles(table)?.keys.get(&handle).cloned().ok_or_else(none)
    }

    /// The handle of the entry with this key, which is there.
    pub(super) fn handle(&mut self, table: &Table, key: &EntryKey) -> Result<u32, Refused> {
        if let Some(handle) = self.handles(table)?.by_key.get(key) {
            return Ok(*handle);
        }
        self.look(table)?;
        let gone = || "the entry has just been removed".to_owned();
        self.handles(table)?.by_key.get(key).copied().ok_or_else(gone)
    }

    fn handles(&mut self, table: &Table) -> Result<&mut Handles, Refused> {
        if !self.entries.contains_key(&table.id) {
            self.look(table)?;
        }
        Ok(self.entries.entry(table.id).or_default())
    }

    /// Give handles to entries that have none yet, and take those of entries that are gone.
    pub(super) fn look(&mut self, table: &Table) -> Result<(), Refused> {
        let there = self.device.keys(table)?.into_iter();
        let mut there: Vec<_> = there.map(|(key, noted)| (normal_key(&table.fields, key), noted)).collect();
        there.sort_by(|(a, _), (b, _)| (Reverse(a.priority), &a.matches).cmp(&(Reverse(b.priority), &b.matches)));
        let handles = self.entries.entry(table.id).or_default();
        let keys: HashSet<&EntryKey> = there.iter().map(|(key, _)| key).collect();
        handles.retain(|key| keys.contains(key));
        there.retain(|(key, _)| !handles.by_key.contains_key(key));
        // Notes first, lest another entry takes the number.
        for (key, noted) in &there {
            if let Some(handle) = noted.filter(|handle| !handles.keys.contains_key(handle)) {
                handles.add(handle, key.clone());
            }
        }
        for (key, _) in there {
            if !handles.by_key.contains_key(&key) {
                handles.add(handles.next, key);
            }
        }
        Ok(())
    }

    /// The keys of the entries whose cells are meant.
    fn cell_keys(&mut self, table: &Table, cells: Cells) -> Result<Vec<EntryKey>, Refused> {
        match cells {
            Cells::One(handle) => {
                let none = || format!("the table has no entry with handle {handle}");
                Ok(vec![self.key(table, u32::try_from(handle).map_err(|_| none())?)?])
            }
            Cells::All => Ok(self.device.keys(table)?.into_iter().map(|(key, _)| key).collect()),
        }
    }

    fn multicast(&mut self) -> Result<&mut Multicast, Refused> {
        if self.multicast.is_none() {
            self.multicast = Some(Multicast::of(self.device.multicast_groups()?));
        }
        Ok(self.multicast.get_or_insert_default())
    }

    fn forget_mirror(&mut self, session: u16) -> Result<(), Refused> {
        if self.device.nodes().is_none() {
            self.multicast()?.mirrors.remove(&session);
        }
        Ok(())
    }

    fn mirror(&mut self, session: u16, group: u32) -> Result<(), Refused> {
        if let Some(nodes) = self.device.nodes() {
            return nodes.mirror(session, group);
        }
        let multicast = self.multicast()?;
        let nodes = multicast.nodes_of(multicast.members(group)?);
        self.device.set_session(session, &nodes, None)?;
        self.multicast()?.mirrors.insert(session, group);
        Ok(())
    }

    fn create_group(&mut self, group: u32) -> Result<(), Refused> {
        if self.device.nodes().is_some() {
            return self.device.insert_multicast(group);
        }
        self.multicast()?;
        self.device.insert_multicast(group)?;
        self.multicast()?.groups.insert(group, Vec::new());
        Ok(())
    }

    fn destroy_group(&mut self, group: u32) -> Result<(), Refused> {
        if self.device.nodes().is_some() {
            return self.device.delete_multicast(group);
        }
        self.multicast()?;
        self.device.delete_multicast(group)?;
        self.multicast()?.groups.remove(&group);
        Ok(())
    }

    fn create_node(&mut self, node: &Node) -> Result<usize, Refused> {
        if let Some(nodes) = self.device.nodes() {
            return nodes.create(node);
        }
        without_lags(&node.lags)?;
        let nodes = &mut self.multicast()?.nodes;
        nodes.push(Some(node.copies.clone()));
        Ok(nodes.len() - 1)
    }

    fn destroy_node(&mut self, handle: usize) -> Result<(), Refused> {
        if let Some(nodes) = self.device.nodes() {
            return nodes.destroy(handle);
        }
        let multicast = self.multicast()?;
        multicast.node(handle)?;
        let of: Vec<u32> = multicast.groups_of(handle).collect();
        for group in of {
            self.associate(group, handle, false)?;
        }
        self.multicast()?.nodes[handle] = None;
        Ok(())
    }

    /// All groups, each with the handles and nodes that it has.
    pub(super) fn groups(&mut self) -> Result<Vec<GroupOfNodes>, Refused> {
        if let Some(nodes) = self.device.nodes() {
            return nodes.dump();
        }
        let multicast = self.multicast()?;
        let node = |handle: &usize| {
            let copies = multicast.node(*handle).ok()?.clone();
            Some((*handle, Node { copies, lags: Vec::new() }))
        };
        let groups = multicast.groups.iter();
        Ok(groups.map(|(group, members)| (*group, members.iter().filter_map(node).collect())).collect())
    }

    fn update_node(&mut self, handle: usize, ports: &[u16], lags: &[u16]) -> Result<(), Refused> {
        if let Some(nodes) = self.device.nodes() {
            return nodes.update(handle, ports, lags);
        }
        without_lags(lags)?;
        let multicast = self.multicast()?;
        let old = multicast.node(handle)?.clone();
        let new = ReplicationNode { instance: old.instance, ports: ports.to_vec() };
        multicast.nodes[handle] = Some(new);
        let of: Vec<u32> = multicast.groups_of(handle).collect();
        for group in of {
            if let Err(refused) = self.write_group(group) {
                self.multicast()?.nodes[handle] = Some(old);
                return Err(refused);
            }
        }
        Ok(())
    }

    fn associate(&mut self, group: u32, handle: usize, on: bool) -> Result<(), Refused> {
        if let Some(nodes) = self.device.nodes() {
            return nodes.associate(group, handle, on);
        }
        let multicast = self.multicast()?;
        multicast.node(handle)?;
        let old = multicast.members(group)?.to_vec();
        let mut new = old.clone();
        new.retain(|member| *member != handle);
        if on {
            new.push(handle);
        } else if new.len() == old.len() {
            return Err(format!("node {handle} is not in group {group}"));
        }
        multicast.groups.insert(group, new);
        self.write_group(group).inspect_err(|_| {
            if let Some(multicast) = &mut self.multicast {
                multicast.groups.insert(group, old);
            }
        })
    }

    /// Bring the device's group up to date, and the clone sessions that go to it.
    fn write_group(&mut self, group: u32) -> Result<(), Refused> {
        let multicast = self.multicast()?;
        let nodes = multicast.nodes_of(multicast.members(group)?);
        let mirrors: Vec<u16> =
            multicast.mirrors.iter().filter(|(_, to)| **to == group).map(|(session, _)| *session).collect();
        self.device.modify_multicast(group, &nodes)?;
        mirrors.into_iter().try_for_each(|session| self.device.set_session(session, &nodes, None))
    }
}

impl Handles {
    fn add(&mut self, handle: u32, key: EntryKey) {
        self.keys.insert(handle, key.clone());
        self.by_key.insert(key, handle);
        self.next = self.next.max(handle.saturating_add(1));
    }

    fn retain(&mut self, keep: impl Fn(&EntryKey) -> bool) {
        self.keys.retain(|_, key| keep(key));
        self.by_key.retain(|key, _| keep(key));
    }
}

impl Multicast {
    fn of(groups: Vec<(u32, Vec<ReplicationNode>)>) -> Self {
        let mut multicast = Self::default();
        for (group, nodes) in groups {
            let first = multicast.nodes.len();
            multicast.nodes.extend(nodes.into_iter().map(Some));
            multicast.groups.insert(group, (first..multicast.nodes.len()).collect());
        }
        multicast
    }

    fn node(&self, handle: usize) -> Result<&ReplicationNode, Refused> {
        let node = self.nodes.get(handle).and_then(|node| node.as_ref());
        node.ok_or_else(|| format!("there is no node with handle {handle}"))
    }

    fn members(&self, group: u32) -> Result<&[usize], Refused> {
        self.groups.get(&group).map(Vec::as_slice).ok_or_else(|| format!("there is no group {group}"))
    }

    fn groups_of(&self, handle: usize) -> impl Iterator<Item = u32> {
        self.groups.iter().filter(move |(_, members)| members.contains(&handle)).map(|(group, _)| *group)
    }

    fn nodes_of(&self, handles: &[usize]) -> Vec<ReplicationNode> {
        handles.iter().filter_map(|handle| self.nodes.get(*handle)?.clone()).collect()
    }
}

/// The table of a direct counter or meter.
pub(super) fn direct(catalog: &Catalog, table: Option<u32>) -> Option<&Table> {
    catalog.info().table_by_id(table?)
}

fn range(cells: Cells, size: u64) -> std::ops::Range<u64> {
    match cells {
        Cells::One(index) => index..index.saturating_add(1),
        Cells::All => 0..size,
    }
}

/// Aggregation groups are Thrift's.
fn without_lags(lags: &[u16]) -> Result<(), Refused> {
    if lags.is_empty() { Ok(()) } else { Err("only Thrift has link aggregation groups".to_owned()) }
}

/// The lowest id that is not taken; 0 is no id.
fn free_id(taken: &[u32]) -> Result<u32, Refused> {
    (1..=u32::MAX).find(|id| !taken.contains(id)).ok_or_else(|| "there is no id left".to_owned())
}
