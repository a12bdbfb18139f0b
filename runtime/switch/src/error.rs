//! What a control call can be refused for.
//!
//! Each variant is one cause, so that a server can map it to one status code without reading texts: what is unknown, what
//! exists already, what is missing, what is too large, and what the program forbids.

use crate::{ActionId, ProfileId, TableId};

/// Why a control call was refused. Nothing has been changed when one is returned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The id does not belong to this program.
    #[error("no {what} with index {index} in this program")]
    UnknownObject {
        /// Kind of the object, for example `table`.
        what: &'static str,
        /// The index that was asked for.
        index: usize,
    },
    /// An array index is outside the array.
    #[error("index {index} is outside {what} of {size} cells")]
    IndexOutOfRange {
        /// Kind of the array, for example `counter`.
        what: &'static str,
        /// The index that was asked for.
        index: u64,
        /// Number of cells.
        size: u64,
    },
    /// An entry with this match key (and priority) exists.
    #[error("the entry exists already")]
    EntryExists,
    /// No entry with this match key (and priority).
    #[error("no such entry")]
    EntryNotFound,
    /// The table holds as many entries as it may.
    #[error("the table is full: {size} entries")]
    TableFull {
        /// The declared size.
        size: u64,
    },
    /// The table's entries are constant.
    #[error("the entries of this table are constant")]
    ConstEntries,
    /// The default action is constant.
    #[error("the default action of this table is constant")]
    ConstDefault,
    /// The number of match fields is not the table's.
    #[error("{got} match fields where the table has {want}")]
    MatchCount {
        /// Fields the table has.
        want: usize,
        /// Fields that were given.
        got: usize,
    },
    /// A match field is of another kind than the table's key.
    #[error("match field {field} is {want}, not {got}")]
    MatchKind {
        /// Position in the key, from 0.
        field: usize,
        /// Kind the table has.
        want: &'static str,
        /// Kind that was given.
        got: &'static str,
    },
    /// A match value does not fit the field's width.
    #[error("the value of match field {field} does not fit {bits} bits")]
    MatchWidth {
        /// Position in the key, from 0.
        field: usize,
        /// Width of the field.
        bits: u32,
    },
    /// A prefix longer than the field.
    #[error("prefix length {got} of match field {field} exceeds {bits} bits")]
    PrefixLength {
        /// Position in the key, from 0.
        field: usize,
        /// Width of the field.
        bits: u32,
        /// Length that was given.
        got: u32,
    },
    /// A value has bits set where its mask or prefix has none.
    #[error("the value of match field {field} has bits outside its mask")]
    BitsOutsideMask {
        /// Position in the key, from 0.
        field: usize,
    },
    /// A range whose low end is above its high end.
    #[error("the range of match field {field} is empty")]
    EmptyRange {
        /// Position in the key, from 0.
        field: usize,
    },
    /// A priority on a table without ternary, range or optional fields, or none where one is needed.
    #[error("priority {got} is {}", if *.needed { "needed to be at least 1: the key has ternary, range or optional fields" } else { "not 0: the key has only exact and lpm fields" })]
    Priority {
        /// Whether the table needs a priority.
        needed: bool,
        /// What was given.
        got: i32,
    },
    /// The action is not one of the table's (or of the profile's tables).
    #[error("action {action:?} is not an action of this table")]
    ActionNotInTable {
        /// The action.
        action: ActionId,
    },
    /// The number of action parameters is wrong.
    #[error("{got} parameters where the action has {want}")]
    ParamCount {
        /// Parameters the action has.
        want: usize,
        /// Parameters that were given.
        got: usize,
    },
    /// A parameter does not fit its width.
    #[error("parameter {param} does not fit {bits} bits")]
    ParamWidth {
        /// Position, from 0.
        param: usize,
        /// Width of the parameter.
        bits: u32,
    },
    /// A direct table was given a member or group, or an indirect one an action.
    #[error("table {table:?} takes {}", match .profile { Some(_) => "members or groups of its action profile, not an action", None => "an action, not a member or group" })]
    Implementation {
        /// The table.
        table: TableId,
        /// Its action profile, if it has one.
        profile: Option<ProfileId>,
    },
    /// A group where the profile has no selector.
    #[error("the action profile has no selector: it cannot hold groups")]
    NoSelector,
    /// No such member of the action profile.
    #[error("no member {0} in the action profile")]
    MemberNotFound(u32),
    /// The member id is taken.
    #[error("member {0} exists already")]
    MemberExists(u32),
    /// The member is used by an entry or group.
    #[error("member {0} is in use")]
    MemberInUse(u32),
    /// No such group in the action profile.
    #[error("no group {0} in the action profile")]
    GroupNotFound(u32),
    /// The group id is taken.
    #[error("group {0} exists already")]
    GroupExists(u32),
    /// The group is used by an entry.
    #[error("group {0} is in use")]
    GroupInUse(u32),
    /// More members or a larger group than the profile may hold.
    #[error("the action profile is full: {size}")]
    ProfileFull {
        /// The declared size.
        size: u64,
    },
    /// A weight below 1.
    #[error("the weight of member {member} is below 1")]
    Weight {
        /// The member's id, or its position in a one-shot set.
        member: u32,
    },
    /// The table has no such direct resource, or does not support idle timeouts.
    #[error("the table has no {what}")]
    NotSupportedByTable {
        /// `direct counter`, `direct meter` or `idle timeout`.
        what: &'static str,
    },
    /// A meter whose committed rate or burst exceeds its peak one.
    #[error("the committed rate exceeds the peak rate")]
    MeterRates,
    /// A register value, value-set member or counter that does not fit.
    #[error("the value does not fit {bits} bits")]
    ValueWidth {
        /// Width of the cell.
        bits: u32,
    },
    /// A value set given more members than it may hold.
    #[error("the value set holds at most {size} members")]
    ValueSetFull {
        /// The declared size.
        size: u64,
    },
    /// The multicast group id is taken.
    #[error("multicast group {0} exists already")]
    MulticastGroupExists(u32),
    /// No such multicast group.
    #[error("no multicast group {0}")]
    MulticastGroupNotFound(u32),
    /// Multicast group 0 means "no multicast" and cannot be set up.
    #[error("multicast group 0 cannot be configured")]
    MulticastGroupZero,
    /// The same port and instance twice in one replication list.
    #[error("port {port} appears twice with instance {instance}")]
    DuplicateReplica {
        /// The port.
        port: u16,
        /// The instance.
        instance: u16,
    },
    /// The clone session id is taken.
    #[error("clone session {0} exists already")]
    CloneSessionExists(u16),
    /// No such clone session.
    #[error("no clone session {0}")]
    CloneSessionNotFound(u16),
    /// Clone session ids are 0 to 32767.
    #[error("clone session {0} is above 32767")]
    CloneSessionRange(u16),
    /// More replicas than the engine replicates.
    #[error("more than {max} replicas")]
    TooManyReplicas {
        /// The limit.
        max: usize,
    },
}

/// Why a program was refused: where, and what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{kind}", if .place.is_empty() { String::new() } else { format!("{}: ", .place) })]
pub struct LoadError {
    /// Place in the JSON, for example `pipelines[0].tables[3].key[1].match_type`; empty for the document itself.
    pub place: String,
    /// What is wrong there.
    pub kind: LoadErrorKind,
}

/// What was wrong with a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadErrorKind {
    /// Not JSON at all.
    #[error("not valid JSON: {0}")]
    Syntax(String),
    /// A member is missing or has the wrong type, or a reference leads nowhere.
    #[error("{0}")]
    Invalid(String),
    /// Valid BMv2 JSON that this engine does not implement.
    #[error("{what} `{name}` is not supported{}", if .choices.is_empty() { String::new() } else { format!("; supported: {}", .choices.join(", ")) })]
    Unsupported {
        /// Kind of construct, for example `match kind`.
        what: &'static str,
        /// Its name in the JSON.
        name: String,
        /// What would be supported here.
        choices: Vec<&'static str>,
    },
    /// Larger than the engine accepts.
    #[error("{what}: {got} exceeds the limit of {max}")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// Its size.
        got: u64,
        /// The limit.
        max: u64,
    },
}
