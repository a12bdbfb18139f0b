//! The P4Info of a program, indexed: everything has a name, and is found by its full name or its alias.
//!
//! Built once from the compiler's text or from the binary message; ids, widths and match kinds are then at hand without
//! another look at the protobuf message. An unknown name is an error that lists the near ones and all valid ones.

mod digest;
mod header;
mod names;
mod objects;
mod table;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use thiserror::Error;

pub use digest::{Digest, DigestError, DigestField};
pub use header::{HeaderError, MetadataField, PacketHeader};
use names::Names;
pub use names::{BrokenNames, UnknownName};
pub use objects::{ActionProfile, Counter, CounterUnit, GroupSize, Meter, MeterType, MeterUnit, Register, ValueSet};
pub use table::{Action, ActionRef, MatchField, MatchKind, Param, Table};

use crate::p4::config::v1 as proto;

/// An indexed P4Info.
#[derive(Debug, Clone)]
pub struct P4Info {
    message: proto::P4Info,
    tables: Names<Table>,
    actions: Names<Action>,
    action_profiles: Names<ActionProfile>,
    counters: Names<Counter>,
    direct_counters: Names<Counter>,
    meters: Names<Meter>,
    direct_meters: Names<Meter>,
    registers: Names<Register>,
    value_sets: Names<ValueSet>,
    digests: Names<Digest>,
    headers: Names<PacketHeader>,
}

/// Why a P4Info cannot be used.
#[derive(Debug, Clone, Error)]
pub enum P4InfoError {
    /// Not text-format protobuf of this message.
    #[error("the P4Info text cannot be read: {0}")]
    Text(String),
    /// Not an encoded message of this type.
    #[error("the P4Info message cannot be decoded: {0}")]
    Binary(#[from] prost::DecodeError),
    /// Missing preambles or ambiguous names.
    #[error(transparent)]
    Names(#[from] BrokenNames),
    /// A reference by id leads nowhere.
    #[error("the P4Info is broken: {from} refers to {what} {id:#010x}, which it does not contain")]
    Dangling {
        /// The referring object.
        from: String,
        /// What it refers to.
        what: &'static str,
        /// The id.
        id: u32,
    },
}

impl Default for P4Info {
    /// One with nothing in it.
    fn default() -> Self {
        Self::new(proto::P4Info::default()).expect("no two names of none are the same")
    }
}

impl P4Info {
    /// Reads the text format that compilers write (`*.p4info.txtpb`).
    pub fn from_text(text: &str) -> Result<Self, P4InfoError> {
        let pool = DescriptorPool::decode(crate::FILE_DESCRIPTOR_SET).expect("made by our build script");
        let descriptor = pool.get_message_by_name("p4.config.v1.P4Info").expect("part of our protos");
        let dynamic = DynamicMessage::parse_text_format(descriptor, text).map_err(|error| {
            let mut reason = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                reason = format!("{reason}: {cause}");
                source = cause.source();
            }
            P4InfoError::Text(reason)
        })?;
        Self::new(proto::P4Info::decode(dynamic.encode_to_vec().as_slice())?)
    }

    /// Decodes the binary message.
    pub fn from_binary(bytes: &[u8]) -> Result<Self, P4InfoError> {
        Self::new(proto::P4Info::decode(bytes)?)
    }

    /// Indexes a message.
    pub fn new(message: proto::P4Info) -> Result<Self, P4InfoError> {
        let info = &message;
        let actions = Names::new("action", info.actions.iter().map(|it| (it.preamble.as_ref(), Action::new(it))))?;
        let mut tables = Vec::new();
        for table in &info.tables {
            tables.push((table.preamble.as_ref(), Table::new(table, &actions)?));
        }
        Ok(Self {
            tables: Names::new("table", tables)?,
            actions,
            action_profiles: Names::new(
                "action profile",
                info.action_profiles.iter().map(|it| (it.preamble.as_ref(), ActionProfile::new(it))),
            )?,
            counters: Names::new("counter", info.counters.iter().map(|it| (it.preamble.as_ref(), Counter::new(it))))?,
            direct_counters: Names::new(
                "direct counter",
                info.direct_counters.iter().map(|it| (it.preamble.as_ref(), Counter::direct(it))),
            )?,
            meters: Names::new("meter", info.meters.iter().map(|it| (it.preamble.as_ref(), Meter::new(it))))?,
            direct_meters: Names::new(
                "direct meter",
                info.direct_meters.iter().map(|it| (it.preamble.as_ref(), Meter::direct(it))),
            )?,
            registers: Names::new(
                "register",
                info.registers.iter().map(|it| (it.preamble.as_ref(), Register::new(it))),
            )?,
            value_sets: Names::new(
                "value set",
                info.value_sets.iter().map(|it| (it.preamble.as_ref(), ValueSet::new(it))),
            )?,
            digests: Names::new(
                "digest",
                info.digests.iter().map(|it| (it.preamble.as_ref(), Digest::new(it, info.type_info.as_ref()))),
            )?,
            headers: Names::new(
                "controller header",
                info.controller_packet_metadata.iter().map(|it| (it.preamble.as_ref(), PacketHeader::new(it))),
            )?,
            message,
        })
    }

    /// The message it was made from.
    pub fn message(&self) -> &proto::P4Info {
        &self.message
    }

    /// The header of packets from the switch.
    pub fn packet_in(&self) -> Result<&PacketHeader, UnknownName> {
        self.headers.get("packet_in")
    }

    /// The header of packets to the switch.
    pub fn packet_out(&self) -> Result<&PacketHeader, UnknownName> {
        self.headers.get("packet_out")
    }

    /// Every header of packets, `packet_in`, `packet_out` and others, in the order of the P4Info.
    pub fn packet_headers(&self) -> impl Iterator<Item = &PacketHeader> {
        self.headers.iter()
    }

    /// The table's direct counter, where it has one.
    pub fn direct_counter_of(&self, table: &Table) -> Option<&Counter> {
        table.direct_resources().iter().find_map(|&id| self.direct_counters.by_id(id))
    }

    /// The table's direct meter, where it has one.
    pub fn direct_meter_of(&self, table: &Table) -> Option<&Meter> {
        table.direct_resources().iter().find_map(|&id| self.direct_meters.by_id(id))
    }
}

/// `name(&self, name)`, `name_by_id(&self, id)` and an iterator, for one kind of object.
macro_rules! lookups {
    ($($kind:ident, $by_id:ident, $all:ident -> $object:ty;)*) => {
        impl P4Info {
            $(
                #[doc = concat!("The ", stringify!($object), " of this full name or alias.")]
                pub fn $kind(&self, name: &str) -> Result<&$object, UnknownName> {
                    self.$all.get(name)
                }

                #[doc = concat!("The ", stringify!($object), " of this id.")]
                pub fn $by_id(&self, id: u32) -> Option<&$object> {
                    self.$all.by_id(id)
                }

                #[doc = concat!("Every ", stringify!($object), ", in the order of the P4Info.")]
                pub fn $all(&self) -> impl Iterator<Item = &$object> {
                    self.$all.iter()
                }
            )*
        }
    };
}

lookups! {
    table, table_by_id, tables -> Table;
    action, action_by_id, actions -> Action;
    action_profile, action_profile_by_id, action_profiles -> ActionProfile;
    counter, counter_by_id, counters -> Counter;
    direct_counter, direct_counter_by_id, direct_counters -> Counter;
    meter, meter_by_id, meters -> Meter;
    direct_meter, direct_meter_by_id, direct_meters -> Meter;
    register, register_by_id, registers -> Register;
    value_set, value_set_by_id, value_sets -> ValueSet;
    digest, digest_by_id, digests -> Digest;
}
