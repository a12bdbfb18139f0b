//! What a line says, with its names found and its values read.

use vouch_p4runtime::p4info::{Action, ActionProfile, Counter, Meter, Register, Table, ValueSet};
use vouch_switch::{CounterData, EntryKey, MeterConfig};

use super::device::Node;
use super::words::CommandWord;

/// A command.
#[derive(Clone, Debug)]
pub enum Command<'c> {
    /// Change something on the device.
    Change(Change<'c>),
    /// Show something.
    Show(Show<'c>),
    /// Read another program.
    Load {
        /// The compiler's JSON.
        program: String,
        /// Its P4Info.
        p4info: Option<String>,
    },
    /// Run the program that was read.
    Swap,
    /// Write the program that runs into a file.
    WriteProgram {
        /// The file.
        file: String,
    },
    /// Have something done that concerns the switch and not its program.
    Request(Request),
    /// Explain a command, or all.
    Help(Option<&'static CommandWord>),
    /// End.
    Exit,
}

/// An action with its parameters, in order.
#[derive(Clone, Debug)]
pub struct Call<'c> {
    /// The action.
    pub action: &'c Action,
    /// One number for each parameter, big-endian.
    pub params: Vec<Vec<u8>>,
}

/// What an entry does. Members and groups are given by their ids, which are one more than their handles: 0 is no id.
#[derive(Clone, Debug)]
pub enum Doing<'c> {
    /// An action.
    Call(Call<'c>),
    /// What a member does.
    Member(u32),
    /// What one of a group's members does.
    Group(u32),
    /// One of some actions of its own.
    Choices(Vec<Choice<'c>>),
}

/// An action that is chosen from.
#[derive(Clone, Debug)]
pub struct Choice<'c> {
    /// The action.
    pub call: Call<'c>,
    /// How often it is taken.
    pub weight: u32,
    /// The port without which it is not.
    pub watch: Option<u16>,
}

/// A cell of an array by its index, of a direct one by an entry's handle; or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cells {
    /// This one.
    One(u64),
    /// All.
    All,
}

/// Something to change.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are named after their types")]
pub enum Change<'c> {
    /// Add an entry.
    AddEntry { table: &'c Table, key: EntryKey, doing: Doing<'c> },
    /// Change what an entry does.
    ModifyEntry { table: &'c Table, handle: u32, call: Call<'c> },
    /// Change an entry's idle timeout; 0 is none.
    SetTimeout { table: &'c Table, handle: u32, milliseconds: u64 },
    /// Remove an entry.
    DeleteEntry { table: &'c Table, handle: u32 },
    /// Remove all entries.
    ClearTable { table: &'c Table },
    /// Set what a miss does; without anything, what the program has for it.
    SetDefault { table: &'c Table, doing: Option<Doing<'c>> },
    /// Add a member.
    CreateMember { profile: &'c ActionProfile, call: Call<'c> },
    /// Change what a member does.
    ModifyMember { profile: &'c ActionProfile, member: u32, call: Call<'c> },
    /// Remove a member.
    DeleteMember { profile: &'c ActionProfile, member: u32 },
    /// Add a group.
    CreateGroup { profile: &'c ActionProfile },
    /// Remove a group.
    DeleteGroup { profile: &'c ActionProfile, group: u32 },
    /// Put a member into a group, or take it out.
    Membership { profile: &'c ActionProfile, group: u32, member: u32, on: bool },
    /// Send a session's clones to a port.
    MirrorToPort { session: u16, port: u16 },
    /// Send a session's clones to a multicast group.
    MirrorToGroup { session: u16, group: u32 },
    /// Remove a clone session.
    DeleteMirror { session: u16 },
    /// Make a multicast group.
    CreateMulticast { group: u32 },
    /// Remove a multicast group.
    DestroyMulticast { group: u32 },
    /// Make a node.
    CreateNode { node: Node },
    /// Give a node other ports and aggregation groups.
    UpdateNode { handle: usize, ports: Vec<u16>, lags: Vec<u16> },
    /// Put a node into a group, or take it out.
    Associate { group: u32, handle: usize, on: bool },
    /// Remove a node.
    DestroyNode { handle: usize },
    /// Set a counter.
    WriteCounter { counter: &'c Counter, cells: Cells, data: CounterData },
    /// Set a register.
    WriteRegister { register: &'c Register, cells: Cells, value: Vec<u8> },
    /// Set a meter.
    WriteMeter { meter: &'c Meter, cells: Cells, rates: MeterConfig },
    /// Put a value into a value set, or take it out.
    SetMember { set: &'c ValueSet, value: Vec<u8>, on: bool },
    /// Take all values out of a value set.
    ClearSet { set: &'c ValueSet },
}

/// Something to show.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are named after their types")]
pub enum Show<'c> {
    /// All tables.
    Tables,
    /// All actions.
    Actions,
    /// A table's key and actions.
    TableInfo { table: &'c Table },
    /// A table's actions.
    TableActions { table: &'c Table },
    /// How many entries there are.
    EntryCount { table: &'c Table },
    /// All entries.
    Entries { table: &'c Table },
    /// One entry.
    Entry { table: &'c Table, handle: u32 },
    /// The entry with a key.
    EntryOfKey { table: &'c Table, key: EntryKey },
    /// Members and groups.
    Profile { profile: &'c ActionProfile },
    /// One member.
    Member { profile: &'c ActionProfile, member: u32 },
    /// One group.
    Group { profile: &'c ActionProfile, group: u32 },
    /// A clone session.
    Mirror { session: u16 },
    /// All multicast groups.
    Multicast,
    /// A cell of a counter.
    Counter { counter: &'c Counter, index: u64 },
    /// A register.
    Register { register: &'c Register, cells: Cells },
    /// A cell of a meter.
    Meter { meter: &'c Meter, index: u64 },
    /// All value sets.
    ValueSets,
    /// The values of one.
    ValueSet { set: &'c ValueSet },
    /// The ports.
    Ports,
}

/// Something that concerns the switch and not its program, in words that only Thrift has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named after what they are")]
pub enum Request {
    /// How many packets queues hold; of all ports, of one, of one priority.
    QueueDepth { packets: i32, port: Option<i32>, priority: Option<i32> },
    /// How many packets leave queues in a second.
    QueueRate { packets: i64, port: Option<i32>, priority: Option<i32> },
    /// The ports of an aggregation group.
    LagPorts { lag: i16, ports: Vec<u16> },
    /// Add a port.
    AddPort { interface: String, number: i32, capture: String },
    /// Remove a port.
    RemovePort { number: i32 },
    /// Make everything as it was when the program started.
    Reset,
    /// Give a hash of 16 bits other parameters.
    Crc16 { calculation: String, polynomial: u16, remainder: u16, xor: u16, reflect: [bool; 2] },
    /// Give a hash of 32 bits other parameters.
    Crc32 { calculation: String, polynomial: u32, remainder: u32, xor: u32, reflect: [bool; 2] },
    /// Give a Toeplitz hash another key.
    ToeplitzKey { calculation: String, key: Vec<u8> },
    /// Microseconds since the switch was started.
    Elapsed,
    /// Microseconds since its clock's beginning.
    SinceEpoch,
    /// What the switch is, and where it listens.
    Info,
    /// Write everything that it holds into a file.
    Serialize { file: String },
}
