//! What commands change, whatever it is that is changed.

use std::ops::Range;

use vouch_switch::{CounterData, EntryKey, MeterConfig, ReplicationNode};

use super::Refused;
use super::catalog::{Array, Profile, Table};
use super::command::{Call, Doing};

/// Something with tables. Everything is refused as a whole, with the reason.
#[expect(missing_docs, reason = "each is named after what it does")]
pub trait Device {
    /// The keys of a table's entries, and the handles that an earlier session noted at them.
    fn keys(&mut self, table: &Table) -> Result<Vec<(EntryKey, Option<u32>)>, Refused>;
    /// The handle is noted at the entry where the device can do that.
    fn insert_entry(&mut self, table: &Table, key: &EntryKey, doing: &Doing<'_>, handle: u32) -> Result<(), Refused>;
    fn modify_entry(&mut self, table: &Table, key: &EntryKey, call: &Call<'_>) -> Result<(), Refused>;
    fn set_timeout(&mut self, table: &Table, key: &EntryKey, milliseconds: u64) -> Result<(), Refused>;
    fn delete_entry(&mut self, table: &Table, key: &EntryKey) -> Result<(), Refused>;
    fn set_default(&mut self, table: &Table, doing: Option<&Doing<'_>>) -> Result<(), Refused>;

    fn member_ids(&mut self, profile: &Profile) -> Result<Vec<u32>, Refused>;
    fn insert_member(&mut self, profile: &Profile, member: u32, call: &Call<'_>) -> Result<(), Refused>;
    fn modify_member(&mut self, profile: &Profile, member: u32, call: &Call<'_>) -> Result<(), Refused>;
    fn delete_member(&mut self, profile: &Profile, member: u32) -> Result<(), Refused>;
    fn group_ids(&mut self, profile: &Profile) -> Result<Vec<u32>, Refused>;
    fn insert_group(&mut self, profile: &Profile, group: u32) -> Result<(), Refused>;
    fn delete_group(&mut self, profile: &Profile, group: u32) -> Result<(), Refused>;
    /// Put a member into a group, with weight 1, or take it out. The other members stay as they are.
    fn set_membership(&mut self, profile: &Profile, group: u32, member: u32, on: bool) -> Result<(), Refused>;

    fn multicast_groups(&mut self) -> Result<Vec<(u32, Vec<ReplicationNode>)>, Refused>;
    fn insert_multicast(&mut self, group: u32) -> Result<(), Refused>;
    fn modify_multicast(&mut self, group: u32, nodes: &[ReplicationNode]) -> Result<(), Refused>;
    fn delete_multicast(&mut self, group: u32) -> Result<(), Refused>;
    /// Make a clone session, or give it other copies.
    fn set_session(&mut self, session: u16, nodes: &[ReplicationNode]) -> Result<(), Refused>;
    fn delete_session(&mut self, session: u16) -> Result<(), Refused>;

    fn set_counter(&mut self, counter: &Array, cells: Range<u64>, data: CounterData) -> Result<(), Refused>;
    fn set_entry_counters(&mut self, table: &Table, keys: &[EntryKey], data: CounterData) -> Result<(), Refused>;
    fn set_meter(&mut self, meter: &Array, cells: Range<u64>, rates: MeterConfig) -> Result<(), Refused>;
    fn set_entry_meters(&mut self, table: &Table, keys: &[EntryKey], rates: MeterConfig) -> Result<(), Refused>;
    fn set_register(&mut self, register: &Array, cells: Range<u64>, value: &[u8]) -> Result<(), Refused>;
}
