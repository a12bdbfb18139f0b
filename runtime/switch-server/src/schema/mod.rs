//! The P4Info joined with the loaded program: every id of the protocol with its name, its rules and the engine's own id.
//!
//! Made once per pipeline by [`Schema::join`]; afterwards no request needs a name. A lookup that fails answers with a fault
//! that lists what there is.

mod data;
mod join;
mod types;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use vouch_p4runtime::p4::config::v1 as config;
use vouch_p4runtime::p4::v1;
use vouch_switch::{ActionId, CounterId, DigestId, MeterId, ProfileId, RegisterId, TableId, ValueSetId};

use crate::convert::encode_index;
use crate::fault::{Fault, Outcome, choices};
use crate::translation::Translator;

pub(crate) use data::Shape;
pub(crate) use join::Names;
pub(crate) use types::Layouts;

/// What a pipeline offers to its controller.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) tables: BTreeMap<u32, Table>,
    pub(crate) actions: BTreeMap<u32, Action>,
    pub(crate) profiles: BTreeMap<u32, Profile>,
    pub(crate) counters: BTreeMap<u32, Array<CounterId>>,
    pub(crate) meters: BTreeMap<u32, Array<MeterId>>,
    pub(crate) registers: BTreeMap<u32, Register>,
    pub(crate) digests: BTreeMap<u32, Digest>,
    pub(crate) value_sets: BTreeMap<u32, ValueSet>,
    /// How ports are spelled, if not as numbers.
    pub(crate) ports: Option<Arc<Translator>>,
    pub(crate) packet_in: Option<PacketHeader>,
    pub(crate) packet_out: Option<PacketHeader>,
    /// What the P4Info has and the program has not, and why. Requests about it are refused.
    pub(crate) missing: BTreeMap<u32, String>,
    /// P4Info table id by the engine's.
    pub(crate) table_ids: BTreeMap<TableId, u32>,
    /// P4Info action id by the engine's.
    pub(crate) action_ids: BTreeMap<ActionId, u32>,
}

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) engine: TableId,
    pub(crate) fields: Vec<Field>,
    pub(crate) actions: BTreeMap<u32, TableAction>,
    /// Action profile, if the table is indirect.
    pub(crate) profile: Option<u32>,
    pub(crate) direct_counter: bool,
    pub(crate) direct_meter: Option<MeterType>,
    pub(crate) idle_timeout: bool,
    pub(crate) is_const: bool,
    pub(crate) const_default: bool,
    pub(crate) needs_priority: bool,
    /// How many entries the P4Info promises room for, which may be fewer than the engine has; 0 where it does not say.
    pub(crate) size: u64,
}

/// A field of a table's key or of a value set.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) bits: u32,
    pub(crate) kind: FieldKind,
    pub(crate) translator: Option<Arc<Translator>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Exact,
    Lpm,
    Ternary,
    Range,
    Optional,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct TableAction {
    pub(crate) engine: ActionId,
    pub(crate) in_entries: bool,
    pub(crate) as_default: bool,
}

#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) name: String,
    pub(crate) params: Vec<Param>,
}

#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) bits: u32,
    pub(crate) translator: Option<Arc<Translator>>,
}

#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) engine: ProfileId,
    pub(crate) actions: BTreeMap<u32, ActionId>,
    pub(crate) with_selector: bool,
    /// Largest group, 0 for no limit.
    pub(crate) max_group_size: u32,
    pub(crate) group_size: GroupSize,
    /// The switch chooses how often each member of a group is taken.
    pub(crate) weights_disallowed: bool,
}

/// What the size of a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupSize {
    /// The sum of its members' weights.
    Weights,
    /// The number of its members, each with a weight up to this one; 0 for no limit.
    Members { max_weight: u32 },
}

/// The cells of an array, and what the controller calls them.
#[derive(Debug)]
pub(crate) struct Cells {
    pub(crate) size: u64,
    /// Where its indices are of a translated type, and numbers also for the controller: P4Runtime has no other indices.
    pub(crate) translator: Option<Arc<Translator>>,
}

impl Cells {
    /// The cells that a request means: one, or without an index all.
    pub(crate) fn find(&self, index: Option<&v1::Index>) -> Outcome<Range<u64>> {
        let size = self.size;
        let Some(v1::Index { index }) = index else {
            return Ok(0..size);
        };
        let given = u64::try_from(*index).map_err(|_| Fault::invalid(format!("index {index} is negative")))?;
        let cell = self.translator.as_ref().map_or(Ok(given), |translator| translator.decode_index(given))?;
        if cell >= size {
            return Err(Fault::out_of_range(format!("index {index} is outside the array of {size} cells")));
        }
        Ok(cell..cell + 1)
    }

    /// The index of a cell; none where the controller has none for it.
    pub(crate) fn index(&self, cell: u64) -> Option<v1::Index> {
        let index = match &self.translator {
            Some(translator) => translator.encode_index(cell)?,
            None => cell,
        };
        encode_index(index)
    }
}

/// An array of counters or meters.
#[derive(Debug)]
pub(crate) struct Array<T> {
    pub(crate) name: String,
    pub(crate) engine: T,
    pub(crate) cells: Cells,
    /// Of meters.
    pub(crate) meter_type: MeterType,
}

pub(crate) type MeterType = config::meter_spec::Type;

#[derive(Debug)]
pub(crate) struct Register {
    pub(crate) name: String,
    pub(crate) engine: RegisterId,
    pub(crate) cells: Cells,
    pub(crate) bits: u32,
    pub(crate) shape: Shape,
}

#[derive(Debug)]
pub(crate) struct Digest {
    pub(crate) name: String,
    pub(crate) engine: DigestId,
    /// Widths of its fields.
    pub(crate) fields: Vec<u32>,
    pub(crate) shape: Shape,
}

#[derive(Debug)]
pub(crate) struct ValueSet {
    pub(crate) name: String,
    pub(crate) engine: ValueSetId,
    pub(crate) fields: Vec<Field>,
}

/// The header of packets to or from the controller.
#[derive(Debug)]
pub(crate) struct PacketHeader {
    pub(crate) name: String,
    pub(crate) fields: Vec<PacketField>,
    /// All fields together, in bytes.
    pub(crate) bytes: usize,
}

#[derive(Debug)]
pub(crate) struct PacketField {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) bits: u32,
    pub(crate) translator: Option<Arc<Translator>>,
    /// Bits before it in the header.
    pub(crate) offset: u32,
    /// It only fills the header up: nobody needs to give it.
    pub(crate) padding: bool,
}

impl Table {
    /// As it appears in front of a fault.
    pub(crate) fn place(&self) -> String {
        format!("table {}", self.name)
    }
}

impl FieldKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            FieldKind::Exact => "exact",
            FieldKind::Lpm => "lpm",
            FieldKind::Ternary => "ternary",
            FieldKind::Range => "range",
            FieldKind::Optional => "optional",
        }
    }
}

macro_rules! lookups {
    ($($function:ident, $field:ident, $type:ty, $what:literal;)*) => {
        impl Schema {$(
            pub(crate) fn $function(&self, id: u32) -> Outcome<&$type> {
                self.$field.get(&id).ok_or_else(|| match self.missing.get(&id) {
                    Some(why) => Fault::unimplemented(why.clone()),
                    None => unknown($what, id, self.$field.iter().map(|(id, object)| (*id, object.name.as_str()))),
                })
            }
        )*}
    };
}

lookups! {
    table, tables, Table, "table";
    action, actions, Action, "action";
    profile, profiles, Profile, "action profile";
    counter, counters, Array<CounterId>, "counter";
    meter, meters, Array<MeterId>, "meter";
    register, registers, Register, "register";
    digest, digests, Digest, "digest";
    value_set, value_sets, ValueSet, "value set";
}

/// The fault for an id that the P4Info does not have, with those that it has.
fn unknown<'a>(what: &str, id: u32, all: impl Iterator<Item = (u32, &'a str)>) -> Fault {
    if id == 0 {
        return Fault::invalid(format!("the {what} id is missing"));
    }
    let all = choices(all.map(|(id, name)| format!("{name} ({id:#010x})")));
    Fault::not_found(format!("no {what} has id {id:#010x}; there is {all}"))
}
