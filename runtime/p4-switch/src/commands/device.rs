//! What commands and tests change, whatever it is that is changed; and what commands show, of what can be asked.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use vouch_p4runtime::client::Replica;
use vouch_p4runtime::p4::v1::{ActionProfileGroup, ActionProfileMember, TableEntry};
use vouch_p4runtime::p4info::{ActionProfile, Counter, Meter, Register, Table, ValueSet};
use vouch_switch::{CounterData, EntryKey, MeterConfig, ReplicationNode};

use super::Refused;
use super::catalog::Catalog;
use super::command::{Call, Doing, Request};

/// Something with tables. Everything is refused as a whole, with the reason.
#[expect(missing_docs, reason = "each is named after what it does")]
pub trait Device {
    /// The keys of a table's entries, and the handles that an earlier session noted at them.
    fn keys(&mut self, table: &Table) -> Result<Vec<(EntryKey, Option<u32>)>, Refused>;
    /// With an idle timeout in milliseconds, 0 being none. The handle is noted at the entry where the device can do that. What it
    /// has in the end: some devices have their own.
    fn insert_entry(
        &mut self,
        table: &Table,
        key: &EntryKey,
        doing: &Doing<'_>,
        timeout: u64,
        handle: u32,
    ) -> Result<u32, Refused>;
    fn modify_entry(&mut self, table: &Table, key: &EntryKey, call: &Call<'_>) -> Result<(), Refused>;
    fn set_timeout(&mut self, table: &Table, key: &EntryKey, milliseconds: u64) -> Result<(), Refused>;
    fn delete_entry(&mut self, table: &Table, key: &EntryKey) -> Result<(), Refused>;
    fn clear(&mut self, table: &Table) -> Result<(), Refused> {
        self.keys(table)?.iter().try_for_each(|(key, _)| self.delete_entry(table, key))
    }
    fn set_default(&mut self, table: &Table, doing: Option<&Doing<'_>>) -> Result<(), Refused>;

    fn member_ids(&mut self, profile: &ActionProfile) -> Result<Vec<u32>, Refused>;
    /// The id is one that is free; what the member has in the end.
    fn insert_member(&mut self, profile: &ActionProfile, member: u32, call: &Call<'_>) -> Result<u32, Refused>;
    fn modify_member(&mut self, profile: &ActionProfile, member: u32, call: &Call<'_>) -> Result<(), Refused>;
    fn delete_member(&mut self, profile: &ActionProfile, member: u32) -> Result<(), Refused>;
    fn group_ids(&mut self, profile: &ActionProfile) -> Result<Vec<u32>, Refused>;
    /// The same for groups.
    fn insert_group(&mut self, profile: &ActionProfile, group: u32) -> Result<u32, Refused>;
    fn delete_group(&mut self, profile: &ActionProfile, group: u32) -> Result<(), Refused>;
    /// Put a member into a group, with weight 1, or take it out. The other members stay as they are.
    fn set_membership(&mut self, profile: &ActionProfile, group: u32, member: u32, on: bool) -> Result<(), Refused>;

    fn multicast_groups(&mut self) -> Result<Vec<(u32, Vec<ReplicationNode>)>, Refused>;
    fn insert_multicast(&mut self, group: u32) -> Result<(), Refused>;
    fn modify_multicast(&mut self, group: u32, nodes: &[ReplicationNode]) -> Result<(), Refused>;
    fn delete_multicast(&mut self, group: u32) -> Result<(), Refused>;
    /// The nodes of groups, where the device numbers them itself and has groups changed by way of them.
    fn nodes(&mut self) -> Option<&mut dyn Nodes> {
        None
    }
    /// Make a clone session, or give it other copies. The length is of a copy, at most.
    fn set_session(&mut self, session: u16, nodes: &[ReplicationNode], length: Option<u16>) -> Result<(), Refused>;
    fn delete_session(&mut self, session: u16) -> Result<(), Refused>;

    fn counter(&mut self, counter: &Counter, index: u64) -> Result<CounterData, Refused>;
    fn entry_counter(&mut self, table: &Table, key: &EntryKey) -> Result<CounterData, Refused>;
    fn set_counter(&mut self, counter: &Counter, cells: Range<u64>, data: CounterData) -> Result<(), Refused>;
    fn set_entry_counters(&mut self, table: &Table, keys: &[EntryKey], data: CounterData) -> Result<(), Refused>;
    fn set_meter(&mut self, meter: &Meter, cells: Range<u64>, rates: MeterConfig) -> Result<(), Refused>;
    fn set_entry_meters(&mut self, table: &Table, keys: &[EntryKey], rates: MeterConfig) -> Result<(), Refused>;
    fn set_register(&mut self, register: &Register, cells: Range<u64>, value: &[u8]) -> Result<(), Refused>;

    fn value_set(&mut self, set: &ValueSet) -> Result<Vec<Vec<u8>>, Refused>;
    fn set_value_set(&mut self, set: &ValueSet, members: &[Vec<u8>]) -> Result<(), Refused>;
}

/// A node of multicast groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it copies to ports.
    pub copies: ReplicationNode,
    /// The aggregation groups of each of which one port gets a copy.
    pub lags: Vec<u16>,
}

/// A multicast group, and its nodes with their handles.
pub type GroupOfNodes = (u32, Vec<(usize, Node)>);

/// Nodes that a device numbers.
#[expect(missing_docs, reason = "each is named after what it does")]
pub trait Nodes {
    fn create(&mut self, node: &Node) -> Result<usize, Refused>;
    fn update(&mut self, handle: usize, ports: &[u16], lags: &[u16]) -> Result<(), Refused>;
    fn destroy(&mut self, handle: usize) -> Result<(), Refused>;
    fn associate(&mut self, group: u32, handle: usize, on: bool) -> Result<(), Refused>;
    /// Send the clones of a session to a group.
    fn mirror(&mut self, session: u16, group: u32) -> Result<(), Refused>;
    /// All groups with their nodes.
    fn dump(&mut self) -> Result<Vec<GroupOfNodes>, Refused>;
}

/// Where the clones of a session go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clones {
    /// To a multicast group.
    pub group: Option<u32>,
    /// To these ports, sorted.
    pub copies: Vec<Replica>,
}

/// A port of a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortState {
    /// Its number.
    pub port: String,
    /// What it is at; empty where the switch does not tell.
    pub interface: String,
    /// Whether frames pass.
    pub up: bool,
}

/// A switch elsewhere: a device that also tells what it has, in P4Runtime's messages, and that runs a program which can be replaced.
#[expect(missing_docs, reason = "each is named after what it gives")]
pub trait Target: Device {
    /// What can be named; nothing where no program runs.
    fn catalog(&self) -> Arc<Catalog>;
    fn runs(&mut self) -> Result<bool, Refused>;
    /// Read a program, to be run later.
    fn load(&mut self, program: &Path, p4info: Option<&Path>) -> Result<(), Refused>;
    /// Run the program that was read.
    fn swap(&mut self) -> Result<(), Refused>;
    /// The program that runs, as it was written.
    fn program(&mut self) -> Result<Vec<u8>, Refused>;
    /// Leave the switch to others until the next change.
    fn rest(&mut self) {}

    fn entries(&mut self, table: &Table) -> Result<Vec<TableEntry>, Refused>;
    fn entry(&mut self, table: &Table, key: &EntryKey) -> Result<TableEntry, Refused>;
    fn default_entry(&mut self, table: &Table) -> Result<Option<TableEntry>, Refused>;
    /// By ascending id.
    fn members(&mut self, profile: &ActionProfile) -> Result<Vec<ActionProfileMember>, Refused>;
    /// By ascending id.
    fn groups(&mut self, profile: &ActionProfile) -> Result<Vec<ActionProfileGroup>, Refused>;
    /// `None` where there is no such session.
    fn clones(&mut self, session: u16) -> Result<Option<Clones>, Refused>;
    /// `None` where no rates were set.
    fn meter(&mut self, meter: &Meter, index: u64) -> Result<Option<MeterConfig>, Refused>;
    fn entry_meter(&mut self, table: &Table, key: &EntryKey) -> Result<Option<MeterConfig>, Refused>;
    /// The cells of a register, or one of them, as numbers.
    fn register(&mut self, register: &Register, index: Option<u64>) -> Result<Vec<(i64, Vec<u8>)>, Refused>;
    fn ports(&mut self) -> Result<Vec<PortState>, Refused>;

    /// What concerns the switch and not its program; what there is to say about it.
    fn request(&mut self, request: &Request) -> Result<String, Refused> {
        let _ = request;
        Err("P4Runtime has no words for it; Thrift has: p4-switch-cli --thrift-port PORT".to_owned())
    }
}
