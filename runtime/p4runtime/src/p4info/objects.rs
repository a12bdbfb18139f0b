//! Counters, meters, registers, action profiles and value sets.

use super::{MatchField, names::shown, table::named};
use crate::p4::config::v1::{
    self as proto, action_profile::SelectorSizeSemantics as SizeSemantics,
    p4_bitstring_like_type_spec::TypeSpec as Bits, p4_data_type_spec::TypeSpec,
};

pub use crate::p4::config::v1::meter_spec::Type as MeterType;

/// A counter, indexed or direct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// The id on the wire.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// The short name.
    pub alias: String,
    /// What it counts.
    pub unit: CounterUnit,
    /// Cells of an indexed counter; 0 for a direct one.
    pub size: u64,
    /// What the type of its indices is called, where the program has a name for it.
    pub index_type: Option<String>,
    /// The table of a direct counter.
    pub table: Option<u32>,
}

/// What a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterUnit {
    /// Bytes only.
    Bytes,
    /// Packets only.
    Packets,
    /// Bytes and packets.
    Both,
    /// The P4Info does not say.
    Unspecified,
}

/// A meter, indexed or direct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meter {
    /// The id on the wire.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// The short name.
    pub alias: String,
    /// What its rates count.
    pub unit: MeterUnit,
    /// How its rates become colors.
    pub meter_type: MeterType,
    /// Cells of an indexed meter; 0 for a direct one.
    pub size: u64,
    /// What the type of its indices is called, where the program has a name for it.
    pub index_type: Option<String>,
    /// The table of a direct meter.
    pub table: Option<u32>,
}

/// What a meter's rates count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeterUnit {
    /// Bytes per second.
    Bytes,
    /// Packets per second.
    Packets,
    /// The P4Info does not say.
    Unspecified,
}

/// A register array.
#[derive(Debug, Clone, PartialEq)]
pub struct Register {
    /// The id on the wire.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// The short name.
    pub alias: String,
    /// Cells.
    pub size: u64,
    /// What a cell holds.
    pub type_spec: Option<proto::P4DataTypeSpec>,
    /// What the type of its indices is called, where the program has a name for it.
    pub index_type: Option<String>,
}

/// An action profile or, `with_selector`, an action selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionProfile {
    /// The id on the wire.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// The short name.
    pub alias: String,
    /// The tables that use it.
    pub tables: Vec<u32>,
    /// It has groups.
    pub with_selector: bool,
    /// Members, or the weights of all groups.
    pub size: u64,
    /// The largest group, 0 for no limit.
    pub max_group_size: u32,
    /// What counts for the size of a group.
    pub group_size: GroupSize,
    /// The switch chooses how often each member of a group is taken.
    pub weights_disallowed: bool,
}

/// What the size of a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupSize {
    /// The sum of its members' weights.
    Weights,
    /// The number of its members.
    Members {
        /// The highest weight of each; 0 for no limit.
        max_weight: u32,
    },
}

/// A parser value set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueSet {
    /// The id on the wire.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// The short name.
    pub alias: String,
    /// The fields of a member.
    pub fields: Vec<MatchField>,
    /// The most members.
    pub size: u64,
}

impl Counter {
    pub(super) fn new(counter: &proto::Counter) -> Self {
        let index_type = named(counter.index_type_name.as_ref());
        Self {
            index_type,
            ..Self::from_parts(counter.preamble.as_ref(), counter.spec.as_ref(), size(counter.size), None)
        }
    }

    pub(super) fn direct(counter: &proto::DirectCounter) -> Self {
        Self::from_parts(counter.preamble.as_ref(), counter.spec.as_ref(), 0, Some(counter.direct_table_id))
    }

    fn from_parts(
        preamble: Option<&proto::Preamble>,
        spec: Option<&proto::CounterSpec>,
        size: u64,
        table: Option<u32>,
    ) -> Self {
        use proto::counter_spec::Unit;
        let unit = match spec.map(proto::CounterSpec::unit) {
            Some(Unit::Bytes) => CounterUnit::Bytes,
            Some(Unit::Packets) => CounterUnit::Packets,
            Some(Unit::Both) => CounterUnit::Both,
            Some(Unit::Unspecified) | None => CounterUnit::Unspecified,
        };
        let (id, name, alias) = identity(preamble);
        Self { id, name, alias, unit, size, index_type: None, table }
    }
}

impl Meter {
    pub(super) fn new(meter: &proto::Meter) -> Self {
        let index_type = named(meter.index_type_name.as_ref());
        Self { index_type, ..Self::from_parts(meter.preamble.as_ref(), meter.spec.as_ref(), size(meter.size), None) }
    }

    pub(super) fn direct(meter: &proto::DirectMeter) -> Self {
        Self::from_parts(meter.preamble.as_ref(), meter.spec.as_ref(), 0, Some(meter.direct_table_id))
    }

    fn from_parts(
        preamble: Option<&proto::Preamble>,
        spec: Option<&proto::MeterSpec>,
        size: u64,
        table: Option<u32>,
    ) -> Self {
        use proto::meter_spec::Unit;
        let unit = match spec.map(proto::MeterSpec::unit) {
            Some(Unit::Bytes) => MeterUnit::Bytes,
            Some(Unit::Packets) => MeterUnit::Packets,
            Some(Unit::Unspecified) | None => MeterUnit::Unspecified,
        };
        let meter_type = spec.map(proto::MeterSpec::r#type).unwrap_or_default();
        let (id, name, alias) = identity(preamble);
        Self { id, name, alias, unit, meter_type, size, index_type: None, table }
    }
}

impl Register {
    pub(super) fn new(register: &proto::Register) -> Self {
        let (id, name, alias) = identity(register.preamble.as_ref());
        let index_type = named(register.index_type_name.as_ref());
        Self { id, name, alias, size: size(register.size.into()), type_spec: register.type_spec.clone(), index_type }
    }

    /// The width of a cell in bits, where it is a number.
    pub fn width(&self) -> Option<u32> {
        let Some(TypeSpec::Bitstring(bits)) = &self.type_spec.as_ref()?.type_spec else { return None };
        let width = match bits.type_spec.as_ref()? {
            Bits::Bit(bit) => bit.bitwidth,
            Bits::Int(int) => int.bitwidth,
            Bits::Varbit(_) => return None,
        };
        u32::try_from(width).ok()
    }
}

impl ActionProfile {
    pub(super) fn new(profile: &proto::ActionProfile) -> Self {
        let (id, name, alias) = identity(profile.preamble.as_ref());
        Self {
            id,
            name,
            alias,
            tables: profile.table_ids.clone(),
            with_selector: profile.with_selector,
            size: size(profile.size),
            max_group_size: u32::try_from(profile.max_group_size).unwrap_or(0),
            group_size: match profile.selector_size_semantics {
                Some(SizeSemantics::SumOfMembers(semantics)) => {
                    GroupSize::Members { max_weight: u32::try_from(semantics.max_member_weight).unwrap_or(0) }
                }
                Some(SizeSemantics::SumOfWeights(_)) | None => GroupSize::Weights,
            },
            weights_disallowed: profile.weights_disallowed,
        }
    }
}

impl ValueSet {
    pub(super) fn new(set: &proto::ValueSet) -> Self {
        let (id, name, alias) = identity(set.preamble.as_ref());
        Self { id, name, alias, fields: set.r#match.iter().map(MatchField::new).collect(), size: size(set.size.into()) }
    }
}

macro_rules! shown_names {
    ($($object:ty),*) => {
        $(impl $object {
            /// The name for people: the alias, or without one the full name.
            pub fn shown(&self) -> &str {
                shown(&self.name, &self.alias)
            }
        })*
    };
}

shown_names!(Counter, Meter, Register, ActionProfile, ValueSet);

/// Id, name and alias. An object without a preamble is refused when the names are indexed.
pub(super) fn identity(preamble: Option<&proto::Preamble>) -> (u32, String, String) {
    preamble.map_or_else(Default::default, |it| (it.id, it.name.clone(), it.alias.clone()))
}

/// A size that does not fit (negative) means that none was declared.
fn size(size: i64) -> u64 {
    u64::try_from(size).unwrap_or(0)
}
