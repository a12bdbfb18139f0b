//! What a test needs of a switch.

use std::sync::Arc;

use num_bigint::BigUint;
use vouch_p4runtime::p4info::Table;
use vouch_switch::{EntryKey, Micros};

use super::names::NameError;
use crate::commands::{Catalog, Device};

/// Why a statement was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The test asks for what the program does not have, or the switch refuses it: the test fails.
    #[error("{0}")]
    Wrong(String),
    /// The switch cannot do that or the way to it cannot: the test says nothing about the program.
    #[error("{0}")]
    Unsupported(String),
}

impl Problem {
    pub(super) fn wrong(problem: impl Into<String>) -> Self {
        Self::Wrong(problem.into())
    }
}

impl From<NameError> for Problem {
    fn from(error: NameError) -> Self {
        Self::Wrong(error.to_string())
    }
}

/// A switch under test: frames go in and come out, and for everything else it is a [`Device`].
pub trait Bench {
    /// What it is, in a word or two.
    fn name(&self) -> &str;

    /// Become as the program makes it: nothing that an earlier test did is left.
    fn reset(&mut self) -> Result<(), Problem>;

    /// What can be named on it, by the program's names.
    fn catalog(&self) -> Arc<Catalog>;

    /// What changes and reads its tables and arrays.
    fn control(&mut self) -> &mut dyn Device;

    /// Whether what was last refused says nothing about the program, since the switch or the way to it cannot do such a thing.
    fn is_excused(&self) -> bool {
        false
    }

    /// Take a port's cable out, or put it back.
    fn set_port(&mut self, port: u16, up: bool) -> Result<(), Problem>;

    /// Wait until an entry is idle, and say whether the switch tells so.
    fn idle(&mut self, table: &Table, key: &EntryKey, timeout: Micros) -> Result<bool, Problem>;

    /// Put a frame into a port.
    fn send(&mut self, port: u16, frame: &[u8]) -> Result<(), Problem>;

    /// Let time pass.
    fn wait(&mut self) -> Result<(), Problem>;

    /// Everything that has come out since the reset, each port's frames in order. Nothing more comes afterwards.
    fn received(&mut self) -> Result<Vec<(u16, Vec<u8>)>, Problem>;

    /// The fields of the next digest of this name, if there is one.
    fn digest(&mut self, digest: &str) -> Result<Option<Vec<BigUint>>, Problem>;
}

/// Take one of these out of a list, if it is there.
pub(super) fn take<T>(list: &mut Vec<T>, wanted: impl FnMut(&T) -> bool) -> bool {
    list.iter().position(wanted).map(|at| list.swap_remove(at)).is_some()
}
