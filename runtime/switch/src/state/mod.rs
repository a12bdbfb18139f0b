//! What changes while a program runs.
//!
//! [`Tables`] is what control calls write and packets only read: entries, action profiles, replication lists, value sets,
//! parameters of CRCs.
//! A control call changes a copy, which then takes the original's place; copies share what they have in common, down to
//! single nodes of the tables' indexes, so that one call costs the same in a large table as in a small one. The [`arrays`]
//! and the cells of entries are written by packets, too; they belong to no copy and lock nothing but single cells.

pub(crate) mod arrays;
mod by_id;
pub(crate) mod entry;
pub(crate) mod lookup;
pub(crate) mod profile;
pub(crate) mod replication;
pub(crate) mod table;

use std::sync::Arc;

use crate::hash::Crc;
use crate::ids::ProfileId;
use crate::program::Program;
use crate::types::ValueSetMember;
use profile::Profile;
use replication::Replication;
use table::TableState;

/// Everything that control calls write and packets read.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub(crate) tables: Vec<Arc<TableState>>,
    pub(crate) profiles: Vec<Arc<Profile>>,
    pub(crate) replication: Replication,
    pub(crate) value_sets: Vec<Arc<ValueSet>>,
    /// By calculation, what takes the place of its algorithm.
    pub(crate) crcs: Vec<Option<Arc<Crc>>>,
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
            tables: (0..program.tables.len()).map(|table| Arc::new(TableState::new(program, table))).collect(),
            profiles: program.profiles.iter().map(|_| Arc::default()).collect(),
            replication: Replication::default(),
            value_sets: program.value_sets.iter().map(|_| Arc::default()).collect(),
            crcs: vec![None; program.calculations.len()],
            down: Vec::new(),
        }
    }

    pub(crate) fn profile_mut(&mut self, profile: ProfileId) -> &mut Profile {
        Arc::make_mut(&mut self.profiles[profile.index()])
    }
}
