//! The data of control calls: keys, entries, actions, groups, counters, meters, replicas.
//!
//! Byte strings are big-endian numbers of any length: leading zero bytes are ignored and a number that does not fit its
//! field is refused, so that the "shortest" strings of P4Runtime and full-width ones both work. What the engine gives back
//! is always as long as the field is wide: `(bits + 7) / 8` bytes.

use crate::{ActionId, Micros, Port};

/// How a table matches one field of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchKind {
    /// The whole value.
    Exact,
    /// The longest prefix.
    Lpm,
    /// Value under a mask. P4's `optional` fields are of this kind in BMv2 JSON.
    Ternary,
    /// A closed interval.
    Range,
    /// Whether a header is valid (P4_14 programs).
    Valid,
}

impl MatchKind {
    /// The word used in BMv2 JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Lpm => "lpm",
            Self::Ternary => "ternary",
            Self::Range => "range",
            Self::Valid => "valid",
        }
    }
}

/// One field of an entry's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Match {
    /// The field has this value.
    Exact(Vec<u8>),
    /// The field starts with the first `prefix_len` bits of `value`; 0 matches everything.
    Lpm {
        /// Value; bits beyond the prefix must be 0.
        value: Vec<u8>,
        /// Bits that count.
        prefix_len: u32,
    },
    /// The field equals `value` where `mask` has ones.
    Ternary {
        /// Value; bits outside the mask must be 0.
        value: Vec<u8>,
        /// The bits that count.
        mask: Vec<u8>,
    },
    /// `low <= field <= high`.
    Range {
        /// Smallest value that matches.
        low: Vec<u8>,
        /// Largest value that matches.
        high: Vec<u8>,
    },
    /// The header's validity.
    Valid(bool),
    /// Everything: allowed for lpm, ternary and range fields, and read back as the kind's own form of "everything".
    Any,
}

/// What identifies an entry within its table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntryKey {
    /// One match per field of the table's key, in its order.
    pub matches: Vec<Match>,
    /// The **highest** number wins, as in P4Runtime (BMv2's own numbers work the other way round). At least 1 where the key
    /// has ternary or range fields, 0 elsewhere.
    pub priority: i32,
}

/// An action with its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ActionCall {
    /// The action, from [`Program::table_action`](crate::Program::table_action).
    pub action: ActionId,
    /// One value per parameter.
    pub params: Vec<Vec<u8>>,
}

/// Id of a member of an action profile, chosen by the caller.
pub type MemberId = u32;
/// Id of a group of an action profile, chosen by the caller.
pub type ActionGroupId = u32;

/// What an entry does when it is hit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EntryAction {
    /// Run an action: tables without an action profile.
    Call(ActionCall),
    /// Run the action of a profile's member.
    Member(MemberId),
    /// Let the profile's selector choose a member of the group.
    Group(ActionGroupId),
    /// A group that belongs to this entry alone.
    OneShot(OneShot),
}

/// A group that belongs to one entry ("one shot").
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OneShot {
    /// Its actions with their weights and watch ports.
    pub members: Vec<OneShotMember>,
    /// How one of them is chosen for a packet.
    pub selection: Selection,
}

/// How one member of a group is chosen for a packet; its share is its weight either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Selection {
    /// By the selector's hash of the packet: packets of a flow stay together.
    #[default]
    Hash,
    /// By a random number for each packet.
    Random,
}

/// One action of a [`OneShot`] group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OneShotMember {
    /// The action.
    pub call: ActionCall,
    /// Its share, at least 1.
    pub weight: u32,
    /// Skipped while this port is down.
    pub watch_port: Option<Port>,
}

/// One member of a group of an action profile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupMember {
    /// The member.
    pub member: MemberId,
    /// Its share, at least 1.
    pub weight: u32,
    /// Skipped while this port is down.
    pub watch_port: Option<Port>,
}

/// A group of an action profile with a selector.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ActionGroup {
    /// Members; may be empty, then the entry's packets run no action (a hit all the same).
    pub members: Vec<GroupMember>,
    /// Most members the group may have, 0 for no limit of its own.
    pub max_size: u32,
}

/// A table entry as the control plane writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// What it matches.
    pub key: EntryKey,
    /// What it does.
    pub action: EntryAction,
    /// How long without a hit until [`Switch::sweep`](crate::Switch::sweep) reports it; `Micros(0)` is never.
    pub idle_timeout: Micros,
    /// Rates of the direct meter; `None` leaves packets green. Must be `None` where the table has no direct meter.
    pub meter: Option<MeterConfig>,
}

/// A table entry as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryView {
    /// Everything that was written, in full-width form.
    pub entry: TableEntry,
    /// The program made it; it can be neither changed nor deleted.
    pub is_const: bool,
    /// Packets and bytes that hit it. All zero where the table has no direct counter.
    pub counter: CounterData,
    /// What its direct meter has coloured how. All zero where the table has no direct meter.
    pub colors: MeterColors,
    /// When it was last hit, or written if never.
    pub last_hit: Micros,
}

/// A table's default entry as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultView {
    /// What a miss does; `None` where neither the program nor a call has set anything.
    pub action: Option<EntryAction>,
    /// It is the program's own, not set by a call.
    pub is_initial: bool,
    /// Rates of its direct meter; without any, misses are not measured.
    pub meter: Option<MeterConfig>,
    /// What its direct meter has coloured how.
    pub colors: MeterColors,
    /// Packets and bytes that missed. All zero where the table has no direct counter.
    pub counter: CounterData,
}

/// An entry that was not hit for its idle timeout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdleEntry {
    /// Its table.
    pub table: crate::TableId,
    /// The entry.
    pub entry: EntryView,
}

/// A counter's cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CounterData {
    /// Packets.
    pub packets: u64,
    /// Bytes of the frames as they came in, also where egress counts.
    pub bytes: u64,
}

/// What a meter's rates count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeterUnit {
    /// Packets and packets per second.
    Packets,
    /// Bytes and bytes per second.
    Bytes,
}

/// Two rates, three colours (RFC 2698, colour-blind).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterConfig {
    /// Committed rate, units per second.
    pub cir: u64,
    /// Committed burst, units.
    pub cburst: u64,
    /// Peak rate, units per second.
    pub pir: u64,
    /// Peak burst, units.
    pub pburst: u64,
}

/// What a meter has coloured how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeterColors {
    /// Packets within the committed rate, and all where there are no rates.
    pub green: CounterData,
    /// Packets above the committed rate and within the peak rate.
    pub yellow: CounterData,
    /// Packets above the peak rate.
    pub red: CounterData,
}

/// One level-1 node of a multicast group: the ports that get a copy with this `egress_rid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicationNode {
    /// `egress_rid` of the copies.
    pub instance: u16,
    /// Ports; copies leave in ascending order.
    pub ports: Vec<Port>,
}

impl ReplicationNode {
    /// Groups (port, instance) pairs into nodes by ascending instance, the form in which P4Runtime lists replicas.
    #[must_use]
    pub fn from_replicas(replicas: &[(Port, u16)]) -> Vec<ReplicationNode> {
        let mut nodes = std::collections::BTreeMap::<u16, Vec<Port>>::new();
        for &(port, instance) in replicas {
            nodes.entry(instance).or_default().push(port);
        }
        nodes.into_iter().map(|(instance, ports)| ReplicationNode { instance, ports }).collect()
    }
}

/// Where a clone session sends its copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloneTarget {
    /// To one port, `egress_rid` 0.
    Port(Port),
    /// To a multicast group by its id.
    Group(u32),
    /// To a multicast group by its id, and then to a port: with the `egress_rid` of the group's last copy, as in BMv2.
    GroupAndPort(u32, Port),
    /// To replicas of its own, each with its instance as `egress_rid`.
    Replicas(Vec<ReplicationNode>),
}

/// A clone ("mirror") session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloneSession {
    /// Where the copies go.
    pub target: CloneTarget,
    /// Copies are cut to this many bytes as they leave; 0 leaves them whole.
    pub max_packet_length: u16,
    /// Kept and read back. As in BMv2, the queue of a copy is that of its `standard_metadata.priority`.
    pub class_of_service: u32,
}

/// One member of a parser value set: a match per field of the set. p4c's JSON keeps exact members.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ValueSetMember {
    /// Full-width value of all fields, packed without padding between them, big-endian.
    pub value: Vec<u8>,
    /// Bits that count; `None` is all.
    pub mask: Option<Vec<u8>>,
}
