//! What the control plane may ask about a program: its objects by name, their sizes, widths and rules.

use crate::types::{MatchKind, MeterUnit};
use crate::{ActionId, ProfileId};

/// A match-action table.
#[derive(Clone, Debug)]
pub struct TableInfo {
    /// Full name, as in the P4Info preamble.
    pub name: String,
    /// The key, in order.
    pub key: Vec<KeyFieldInfo>,
    /// Actions an entry or the default may run.
    pub actions: Vec<ActionId>,
    /// Most entries.
    pub size: u64,
    /// Its action profile, if the table is indirect.
    pub profile: Option<ProfileId>,
    /// The program fixed the entries.
    pub const_entries: bool,
    /// The program fixed the default action.
    pub const_default: bool,
    /// Entries count their hits.
    pub direct_counter: bool,
    /// Entries meter their hits.
    pub direct_meter: Option<MeterUnit>,
    /// Entries may have an idle timeout.
    pub idle_timeout: bool,
    /// Entries carry a priority: some field is ternary or range.
    pub needs_priority: bool,
}

/// One field of a table's key.
#[derive(Clone, Debug)]
pub struct KeyFieldInfo {
    /// Name in the program.
    pub name: String,
    /// How it is matched.
    pub kind: MatchKind,
    /// Width.
    pub bits: u32,
}

/// An action.
#[derive(Clone, Debug)]
pub struct ActionInfo {
    /// Full name, as in the P4Info preamble.
    pub name: String,
    /// Parameters that entries give.
    pub params: Vec<ParamInfo>,
}

/// One parameter of an action.
#[derive(Clone, Debug)]
pub struct ParamInfo {
    /// Name.
    pub name: String,
    /// Width.
    pub bits: u32,
}

/// An action profile.
#[derive(Clone, Debug)]
pub struct ProfileInfo {
    /// Full name.
    pub name: String,
    /// Most members.
    pub size: u64,
    /// It has a selector and may hold groups.
    pub selector: bool,
}

/// An array of counters.
#[derive(Clone, Debug)]
pub struct CounterInfo {
    /// Full name.
    pub name: String,
    /// Cells.
    pub size: u64,
}

/// An array of meters.
#[derive(Clone, Debug)]
pub struct MeterInfo {
    /// Full name.
    pub name: String,
    /// Cells.
    pub size: u64,
    /// What it measures.
    pub unit: MeterUnit,
}

/// An array of registers.
#[derive(Clone, Debug)]
pub struct RegisterInfo {
    /// Full name.
    pub name: String,
    /// Cells.
    pub size: u64,
    /// Width of a cell.
    pub bits: u32,
}

/// A digest.
#[derive(Clone, Debug)]
pub struct DigestInfo {
    /// Name of the digest's struct.
    pub name: String,
    /// The list's number in the program, from 1.
    pub number: u32,
    /// Widths of its fields, in order.
    pub fields: Vec<u32>,
}

/// A parser value set.
#[derive(Clone, Debug)]
pub struct ValueSetInfo {
    /// Full name.
    pub name: String,
    /// Width of a member, all its fields together.
    pub bits: u32,
    /// Most members.
    pub size: u64,
}

/// A calculation, by which actions and checksums hash.
#[derive(Clone, Debug)]
pub struct CalculationInfo {
    /// Name that p4c gave it.
    pub name: String,
    /// The bits of its CRC, if that is one whose parameters can be set.
    pub custom_crc: Option<u32>,
}

/// A header or metadata instance.
#[derive(Clone, Debug)]
pub struct HeaderInfo {
    /// Name in the program.
    pub name: String,
    /// Its fields, in order.
    pub fields: Vec<HeaderFieldInfo>,
}

/// A field of a header.
#[derive(Clone, Debug)]
pub struct HeaderFieldInfo {
    /// Name in the program.
    pub name: String,
    /// Width; `None` for a variable field.
    pub bits: Option<u32>,
}
