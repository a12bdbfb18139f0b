//! The P4Info joined with the loaded program: every id of the protocol with what the P4Info has about it, and the engine's own
//! id. What an object is called and what may be done with it stands in its `info`, as [`P4Info`](vouch_p4runtime::P4Info) has
//! it; beside that is what only the two together tell.
//!
//! Made once per pipeline by [`Schema::join`]; afterwards no request needs a name. A lookup that fails answers with a fault
//! that lists what there is.

mod data;
mod join;
mod types;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4info::{self, ActionProfile, Counter, MatchField, MetadataField, Meter, MeterType};
use vouch_switch::{ActionId, CounterId, DigestId, MeterId, ProfileId, RegisterId, TableId, ValueSetId};

use crate::convert::encode_index;
use crate::fault::{Fault, Outcome, choices};
use crate::translation::Translator;

pub(crate) use data::Shape;
pub(crate) use types::Layouts;

/// What a pipeline offers to its controller.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) tables: BTreeMap<u32, Table>,
    pub(crate) actions: BTreeMap<u32, Action>,
    pub(crate) profiles: BTreeMap<u32, Profile>,
    pub(crate) counters: BTreeMap<u32, Array<Counter, CounterId>>,
    pub(crate) meters: BTreeMap<u32, Array<Meter, MeterId>>,
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
    pub(crate) info: p4info::Table,
    pub(crate) engine: TableId,
    /// Its key, in order.
    pub(crate) fields: Vec<Field>,
    /// Its actions, as far as the program has them.
    pub(crate) actions: BTreeMap<u32, ActionId>,
    pub(crate) direct_counter: bool,
    pub(crate) direct_meter: Option<MeterType>,
    /// By the P4Info, or by the program.
    pub(crate) is_const: bool,
    /// The same of its default action.
    pub(crate) const_default: bool,
}

/// A field of a table's key or of a value set.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) info: MatchField,
    /// Its width in the program.
    pub(crate) bits: u32,
    pub(crate) translator: Option<Arc<Translator>>,
}

#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) info: p4info::Action,
    pub(crate) params: Vec<Param>,
}

#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) info: p4info::Param,
    /// Its width in the program.
    pub(crate) bits: u32,
    pub(crate) translator: Option<Arc<Translator>>,
}

#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) info: ActionProfile,
    pub(crate) engine: ProfileId,
    pub(crate) actions: BTreeMap<u32, ActionId>,
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
pub(crate) struct Array<I, E> {
    pub(crate) info: I,
    pub(crate) engine: E,
    pub(crate) cells: Cells,
}

#[derive(Debug)]
pub(crate) struct Register {
    pub(crate) info: p4info::Register,
    pub(crate) engine: RegisterId,
    pub(crate) cells: Cells,
    /// The width of a cell in the program.
    pub(crate) bits: u32,
    pub(crate) shape: Shape,
}

#[derive(Debug)]
pub(crate) struct Digest {
    pub(crate) info: p4info::Digest,
    pub(crate) engine: DigestId,
    /// Widths of its fields in the program.
    pub(crate) fields: Vec<u32>,
    pub(crate) shape: Shape,
}

#[derive(Debug)]
pub(crate) struct ValueSet {
    pub(crate) info: p4info::ValueSet,
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
    pub(crate) info: MetadataField,
    /// Its width in the program.
    pub(crate) bits: u32,
    pub(crate) translator: Option<Arc<Translator>>,
    /// Bits before it in the header.
    pub(crate) offset: u32,
}

impl Table {
    /// As it appears in front of a fault.
    pub(crate) fn place(&self) -> String {
        format!("table {}", self.info.name)
    }
}

macro_rules! lookups {
    ($($function:ident, $field:ident, $type:ty, $what:literal;)*) => {
        impl Schema {$(
            pub(crate) fn $function(&self, id: u32) -> Outcome<&$type> {
                self.$field.get(&id).ok_or_else(|| match self.missing.get(&id) {
                    Some(why) => Fault::unimplemented(why.clone()),
                    None => unknown($what, id, self.$field.iter().map(|(id, object)| (*id, object.info.name.as_str()))),
                })
            }
        )*}
    };
}

lookups! {
    table, tables, Table, "table";
    action, actions, Action, "action";
    profile, profiles, Profile, "action profile";
    counter, counters, Array<Counter, CounterId>, "counter";
    meter, meters, Array<Meter, MeterId>, "meter";
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
