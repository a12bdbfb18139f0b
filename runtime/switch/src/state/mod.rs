//! What changes while a program runs.
//!
//! [`Tables`] is what control calls write and packets only read: entries, action profiles, replication lists, value sets.
//! It sits behind one lock. The [`arrays`] are written by packets, too, and lock nothing but single cells.

pub(crate) mod arrays;
pub(crate) mod entry;
pub(crate) mod lookup;
pub(crate) mod profile;
pub(crate) mod replication;
pub(crate) mod table;

use crate::program::Program;
use crate::types::ValueSetMember;
use profile::Profile;
use replication::Replication;
use table::TableState;

/// Everything that control calls write and packets read.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) tables: Vec<TableState>,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) replication: Replication,
    pub(crate) value_sets: Vec<ValueSet>,
    /// Ports known to be down.
    pub(crate) down: Vec<u16>,
}

/// A parser value set: members as written, and as numbers with masks.
#[derive(Debug, Default)]
pub(crate) struct ValueSet {
    pub(crate) members: Vec<ValueSetMember>,
    pub(crate) packed: Vec<(u128, u128)>,
}

impl Tables {
    /// The state a program starts with.
    pub(crate) fn new(program: &Program) -> Self {
        Self {
            tables: (0..program.tables.len()).map(|table| TableState::new(program, table)).collect(),
            profiles: program.profiles.iter().map(|_| Profile::default()).collect(),
            replication: Replication::default(),
            value_sets: program.value_sets.iter().map(|_| ValueSet::default()).collect(),
            down: Vec::new(),
        }
    }
}
