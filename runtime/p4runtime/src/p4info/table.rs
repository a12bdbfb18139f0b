//! Tables, their key fields and actions.

use std::fmt;

use super::{
    P4InfoError, UnknownName,
    names::{Names, shown},
};
use crate::{p4::config::v1 as proto, value::ValueError};

/// A match-action table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The id on the wire.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// The short name.
    pub alias: String,
    /// The key, in the order of the P4 source.
    pub fields: Vec<MatchField>,
    /// What an entry may do.
    pub actions: Vec<ActionRef>,
    /// How many entries it was declared to hold.
    pub size: u64,
    /// The default action, where the program fixes it.
    pub const_default_action: Option<u32>,
    /// The action profile or selector that holds its actions.
    pub implementation: Option<u32>,
    /// Entries may time out, with a notification.
    pub idle_timeout: bool,
    /// Its entries are fixed by the program.
    pub is_const: bool,
    direct_resources: Vec<u32>,
}

/// A field of a table's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchField {
    /// The id on the wire.
    pub id: u32,
    /// The name, such as `hdr.ethernet.dst`.
    pub name: String,
    /// Bits; 0 where the controller sees a string.
    pub width: u32,
    /// How it is compared.
    pub kind: MatchKind,
    /// What its type is called, where the program has a name for it.
    pub type_name: Option<String>,
}

/// How a key field is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchKind {
    /// Equal.
    Exact,
    /// Longest prefix.
    Lpm,
    /// Value and mask; needs a priority.
    Ternary,
    /// From low to high, both included; needs a priority.
    Range,
    /// Equal, or anything; needs a priority.
    Optional,
    /// A target's own kind.
    Other(String),
}

impl fmt::Display for MatchKind {
    /// As P4 has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::Lpm => "lpm",
            Self::Ternary => "ternary",
            Self::Range => "range",
            Self::Optional => "optional",
            Self::Other(kind) => kind,
        })
    }
}

/// An action that a table refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRef {
    /// The action.
    pub action: Action,
    /// May be used in entries.
    pub in_entries: bool,
    /// May be the default action.
    pub as_default: bool,
}

/// An action with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The id on the wire.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// The short name.
    pub alias: String,
    /// The parameters that the control plane sets.
    pub params: Vec<Param>,
}

/// A parameter of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The id on the wire.
    pub id: u32,
    /// The name.
    pub name: String,
    /// Bits; 0 where the controller sees a string.
    pub width: u32,
    /// What its type is called, where the program has a name for it.
    pub type_name: Option<String>,
}

impl Table {
    pub(super) fn new(table: &proto::Table, actions: &Names<Action>) -> Result<Self, P4InfoError> {
        let preamble = table.preamble.clone().unwrap_or_default();
        let reference = |reference: &proto::ActionRef| {
            use proto::action_ref::Scope;
            let action = actions.by_id(reference.id).ok_or_else(|| P4InfoError::Dangling {
                from: format!("table `{}`", preamble.name),
                what: "action",
                id: reference.id,
            })?;
            let scope = reference.scope();
            Ok(ActionRef {
                action: action.clone(),
                in_entries: matches!(scope, Scope::TableAndDefault | Scope::TableOnly),
                as_default: matches!(scope, Scope::TableAndDefault | Scope::DefaultOnly),
            })
        };
        Ok(Self {
            id: preamble.id,
            fields: table.match_fields.iter().map(MatchField::new).collect(),
            actions: table.action_refs.iter().map(reference).collect::<Result<_, P4InfoError>>()?,
            size: u64::try_from(table.size).unwrap_or(0),
            const_default_action: (table.const_default_action_id != 0).then_some(table.const_default_action_id),
            implementation: (table.implementation_id != 0).then_some(table.implementation_id),
            idle_timeout: table.idle_timeout_behavior() == proto::table::IdleTimeoutBehavior::NotifyControl,
            is_const: table.is_const_table,
            direct_resources: table.direct_resource_ids.clone(),
            name: preamble.name,
            alias: preamble.alias,
        })
    }

    /// The key field of this name.
    pub fn field(&self, name: &str) -> Result<&MatchField, UnknownName> {
        self.fields.iter().find(|field| field.name == name).ok_or_else(|| {
            let choices = self.fields.iter().map(|field| field.name.as_str());
            UnknownName::new("key field", format!("table `{}`", self.shown()), name, choices)
        })
    }

    /// The action of this name or alias, if the table may use it.
    pub fn action(&self, name: &str) -> Result<&Action, UnknownName> {
        let mut actions = self.actions.iter().map(|reference| &reference.action);
        actions.clone().find(|action| action.name == name || action.alias == name).ok_or_else(|| {
            let choices: Vec<_> = actions.by_ref().map(Action::shown).collect();
            UnknownName::new("action", format!("table `{}`", self.shown()), name, choices)
        })
    }

    /// How the table may use the action of this id, if at all.
    pub fn action_ref(&self, id: u32) -> Option<&ActionRef> {
        self.actions.iter().find(|reference| reference.action.id == id)
    }

    /// Entries must carry a priority greater than 0 (and may not otherwise).
    pub fn needs_priority(&self) -> bool {
        self.fields.iter().any(|field| field.kind.needs_priority())
    }

    /// The name for people: the alias, or without one the full name.
    pub fn shown(&self) -> &str {
        shown(&self.name, &self.alias)
    }

    pub(super) fn direct_resources(&self) -> &[u32] {
        &self.direct_resources
    }
}

impl MatchField {
    pub(super) fn new(field: &proto::MatchField) -> Self {
        use proto::{match_field::Match, match_field::MatchType};
        let kind = match &field.r#match {
            Some(Match::OtherMatchType(kind)) => MatchKind::Other(kind.clone()),
            Some(Match::MatchType(number)) => match MatchType::try_from(*number) {
                Ok(MatchType::Exact) => MatchKind::Exact,
                Ok(MatchType::Lpm) => MatchKind::Lpm,
                Ok(MatchType::Ternary) => MatchKind::Ternary,
                Ok(MatchType::Range) => MatchKind::Range,
                Ok(MatchType::Optional) => MatchKind::Optional,
                Ok(MatchType::Unspecified) => MatchKind::Other("unspecified".into()),
                Err(_) => MatchKind::Other(format!("number {number}")),
            },
            None => MatchKind::Other("unspecified".into()),
        };
        let type_name = named(field.type_name.as_ref());
        Self { id: field.id, name: field.name.clone(), width: width(field.bitwidth), kind, type_name }
    }

    /// The canonical bytes of a value of this field, if it fits.
    pub fn encode(&self, value: u128) -> Result<Vec<u8>, ValueError> {
        crate::value::encode_width(value, self.width)
    }
}

impl MatchKind {
    /// Entries with such a field in the key have a priority.
    pub fn needs_priority(&self) -> bool {
        match self {
            Self::Ternary | Self::Range | Self::Optional => true,
            Self::Exact | Self::Lpm | Self::Other(_) => false,
        }
    }
}

impl Action {
    pub(super) fn new(action: &proto::Action) -> Self {
        let preamble = action.preamble.clone().unwrap_or_default();
        let param = |param: &proto::action::Param| Param {
            id: param.id,
            name: param.name.clone(),
            width: width(param.bitwidth),
            type_name: named(param.type_name.as_ref()),
        };
        Self {
            id: preamble.id,
            name: preamble.name,
            alias: preamble.alias,
            params: action.params.iter().map(param).collect(),
        }
    }

    /// The parameter of this name.
    pub fn param(&self, name: &str) -> Result<&Param, UnknownName> {
        self.params.iter().find(|param| param.name == name).ok_or_else(|| {
            let choices = self.params.iter().map(|param| param.name.as_str());
            UnknownName::new("parameter", format!("action `{}`", self.shown()), name, choices)
        })
    }

    /// The name for people: the alias, or without one the full name.
    pub fn shown(&self) -> &str {
        shown(&self.name, &self.alias)
    }
}

impl Param {
    /// The canonical bytes of a value of this parameter, if it fits.
    pub fn encode(&self, value: u128) -> Result<Vec<u8>, ValueError> {
        crate::value::encode_width(value, self.width)
    }
}

/// What a type is called.
pub(super) fn named(named: Option<&proto::P4NamedType>) -> Option<String> {
    named.map(|named| named.name.clone())
}

/// A negative width cannot come from a compiler; 0 is refused by every later check of a value.
pub(super) fn width(bitwidth: i32) -> u32 {
    u32::try_from(bitwidth).unwrap_or(0)
}
