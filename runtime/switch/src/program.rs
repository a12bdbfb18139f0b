//! A loaded program: immutable, shared by any number of switches and workers.

use crate::code::Code;
use crate::error::LoadError;
use crate::ids::{ActionId, CalculationId, CounterId, DigestId, MeterId, ProfileId, RegisterId, TableId, ValueSetId};
use crate::info::{
    ActionInfo, CalculationInfo, CounterInfo, DigestInfo, HeaderInfo, MeterInfo, ProfileInfo, RegisterInfo, TableInfo,
    ValueSetInfo,
};

/// A v1model program, compiled from the JSON that p4c emits for BMv2.
#[derive(Debug, Default)]
pub struct Program {
    pub(crate) tables: Vec<TableInfo>,
    pub(crate) actions: Vec<ActionInfo>,
    pub(crate) profiles: Vec<ProfileInfo>,
    pub(crate) counters: Vec<CounterInfo>,
    pub(crate) meters: Vec<MeterInfo>,
    pub(crate) registers: Vec<RegisterInfo>,
    pub(crate) digests: Vec<DigestInfo>,
    pub(crate) value_sets: Vec<ValueSetInfo>,
    /// In the order of the code's.
    pub(crate) calculations: Vec<CalculationInfo>,
    /// Headers and metadata, in the order of the code's.
    pub(crate) headers: Vec<HeaderInfo>,
    /// The parser's errors with their numbers.
    pub(crate) errors: Vec<(String, u32)>,
    pub(crate) code: Code,
}

impl Program {
    /// Compiles a program from BMv2 JSON.
    ///
    /// # Errors
    /// What is malformed, inconsistent, too large or not supported, and at which place of the JSON.
    pub fn load(json: &[u8]) -> Result<Program, LoadError> {
        crate::load::load(json)
    }
}

macro_rules! lookups {
    ($($field:ident, $id:ident, $info:ty, $by_name:ident, $get:ident, $all:ident, $what:literal;)*) => {
        impl Program {$(
            #[doc = concat!("The ", $what, " with this full name, as the JSON and the P4Info have it.")]
            #[must_use]
            pub fn $by_name(&self, name: &str) -> Option<$id> {
                self.$field.iter().position(|info| info.name == name).map(|index| $id(index as u32))
            }

            #[doc = concat!("What is known about this ", $what, "; `None` for an id of another program.")]
            #[must_use]
            pub fn $get(&self, id: $id) -> Option<&$info> {
                self.$field.get(id.index())
            }

            #[doc = concat!("Every ", $what, ".")]
            pub fn $all(&self) -> impl ExactSizeIterator<Item = ($id, &$info)> {
                self.$field.iter().enumerate().map(|(index, info)| ($id(index as u32), info))
            }
        )*}
    };
}

lookups! {
    tables, TableId, TableInfo, table, table_info, tables, "table";
    profiles, ProfileId, ProfileInfo, profile, profile_info, profiles, "action profile";
    counters, CounterId, CounterInfo, counter, counter_info, counters, "indirect counter";
    meters, MeterId, MeterInfo, meter, meter_info, meters, "indirect meter";
    registers, RegisterId, RegisterInfo, register, register_info, registers, "register array";
    digests, DigestId, DigestInfo, digest, digest_info, digests, "digest";
    value_sets, ValueSetId, ValueSetInfo, value_set, value_set_info, value_sets, "parser value set";
    calculations, CalculationId, CalculationInfo, calculation, calculation_info, calculations, "calculation";
}

impl Program {
    /// The action of this table with this full name. Actions are looked up per table because p4c repeats an action for each
    /// table that uses it.
    #[must_use]
    pub fn table_action(&self, table: TableId, name: &str) -> Option<ActionId> {
        let actions = &self.tables.get(table.index())?.actions;
        actions.iter().copied().find(|id| self.actions[id.index()].name == name)
    }

    /// The action of an action profile with this full name: an action of the tables that use the profile.
    #[must_use]
    pub fn profile_action(&self, profile: ProfileId, name: &str) -> Option<ActionId> {
        (self.tables.iter().filter(|table| table.profile == Some(profile)))
            .flat_map(|table| &table.actions)
            .copied()
            .find(|id| self.actions[id.index()].name == name)
    }

    /// The header with this name, metadata included.
    #[must_use]
    pub fn header_info(&self, name: &str) -> Option<&HeaderInfo> {
        self.headers.iter().find(|header| header.name == name)
    }

    /// The name of a parser error.
    #[must_use]
    pub fn error_name(&self, number: u32) -> Option<&str> {
        self.errors.iter().find(|(_, known)| *known == number).map(|(name, _)| name.as_str())
    }

    /// What is known about this action; `None` for an id of another program.
    #[must_use]
    pub fn action_info(&self, id: ActionId) -> Option<&ActionInfo> {
        self.actions.get(id.index())
    }
}
