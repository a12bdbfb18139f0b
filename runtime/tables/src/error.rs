//! What can be wrong between this crate and a switch.

use std::fmt;

use vouch_p4runtime::p4info::{HeaderError, UnknownName};

use crate::entry::EntryKey;
use crate::value::ValueError;

/// The switch's P4Info is not that of the VTEP program; all differences at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindError {
    /// Never empty.
    pub mismatches: Vec<Mismatch>,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.mismatches.len();
        let plural = if count == 1 { "" } else { "s" };
        write!(
            f,
            "the P4Info is not that of the VTEP program this controller was built for: {count} difference{plural}"
        )?;
        for mismatch in &self.mismatches {
            write!(f, "\n  {mismatch}")?;
        }
        Ok(())
    }
}

impl std::error::Error for BindError {}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// Something this crate needs is not there.
    Unknown(UnknownName),
    /// It is there, and is not what this crate needs.
    Different {
        /// For example ``table `source`, key field `mac` ``.
        place: String,
        /// What this crate needs.
        expected: String,
        /// What the P4Info says.
        found: String,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(unknown) => fmt::Display::fmt(unknown, f),
            Self::Different { place, expected, found } => write!(f, "{place}: expected {expected}, found {found}"),
        }
    }
}

/// What a switch sent is not what the program can hold: the switch or something between is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// An id that the P4Info does not have, or that belongs to nothing of ours.
    #[error("{what} {id:#010x} is not in the VTEP program")]
    UnknownId {
        /// The kind of thing.
        what: &'static str,
        /// Its id.
        id: u32,
    },
    /// An action that this table does not have.
    #[error("table `{table}` has no action {id:#010x}")]
    UnknownAction {
        /// The table.
        table: &'static str,
        /// The action's id.
        id: u32,
    },
    /// A field without a valid value.
    #[error("{place}, `{field}`: {source}")]
    Value {
        /// Table, action or header.
        place: String,
        /// The field, parameter or metadata.
        field: &'static str,
        /// Why.
        source: ValueError,
    },
    /// A packet-in whose metadata is not that of the header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A message without the part that it is about.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Something P4Runtime knows and this program does not use.
    #[error("{0} is not used by the VTEP program")]
    Foreign(&'static str),
}

/// An entry that cannot be written: the caller's mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The action belongs to another table than the key.
    #[error("the action of `{key}` is one of another table: `{action}`")]
    Mismatched {
        /// The key.
        key: EntryKey,
        /// The action, as text.
        action: String,
    },
    /// The table, or the action, is of a part that this program does not have: see
    /// [`Tables::shares_next_hops`](crate::Tables::shares_next_hops) and [`Tables::carries_ipv6`](crate::Tables::carries_ipv6).
    #[error("the program of this switch has nothing for `{key}` {action}")]
    Absent {
        /// The key.
        key: EntryKey,
        /// The action, as text; empty without one.
        action: String,
    },
}
