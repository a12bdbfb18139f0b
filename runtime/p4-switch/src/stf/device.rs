//! What a test needs of a switch.

use num_bigint::BigUint;
use vouch_switch::{CounterData, MeterConfig, ReplicationNode};

use super::names::NameError;
use super::rules::Entry;
use super::statement::MirrorTo;

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

/// A switch under test.
///
/// Objects that are not tables are given by name, as the program has it.
pub trait Device {
    /// What it is, in a word or two.
    fn name(&self) -> &str;

    /// Become as the program makes it: nothing that an earlier test did is left.
    fn reset(&mut self) -> Result<(), Problem>;

    /// Add an entry.
    fn insert(&mut self, entry: &Entry) -> Result<(), Problem>;

    /// Set what a table does on a miss.
    fn set_default(&mut self, entry: &Entry) -> Result<(), Problem>;

    /// Remove the entries that were added since the last reset.
    fn remove_entries(&mut self) -> Result<(), Problem>;

    /// Make a multicast group, or give it other nodes.
    fn set_group(&mut self, group: u32, nodes: &[ReplicationNode]) -> Result<(), Problem>;

    /// Make a clone session, send its copies elsewhere, or take it away. The length is of a copy, at most.
    fn set_session(&mut self, session: u16, to: Option<MirrorTo>, length: Option<u16>) -> Result<(), Problem>;

    /// Take a port's cable out, or put it back.
    fn set_port(&mut self, port: u16, up: bool) -> Result<(), Problem>;

    /// Wait until an entry is idle, and say whether the switch tells so.
    fn idle(&mut self, entry: &Entry) -> Result<bool, Problem>;

    /// Put a frame into a port.
    fn send(&mut self, port: u16, frame: &[u8]) -> Result<(), Problem>;

    /// Let time pass.
    fn wait(&mut self) -> Result<(), Problem>;

    /// Everything that has come out since the reset, each port's frames in order. Nothing more comes afterwards.
    fn received(&mut self) -> Result<Vec<(u16, Vec<u8>)>, Problem>;

    /// Read a cell of a counter.
    fn counter(&mut self, counter: &str, index: u64) -> Result<CounterData, Problem>;

    /// Read the counter of an entry.
    fn entry_counter(&mut self, entry: &Entry) -> Result<CounterData, Problem>;

    /// Set a cell of a counter.
    fn set_counter(&mut self, counter: &str, index: u64, data: CounterData) -> Result<(), Problem>;

    /// Set a cell of a register, or all of them.
    fn set_register(&mut self, register: &str, index: Option<u64>, value: &[u8]) -> Result<(), Problem>;

    /// Set the rates of an entry's meter.
    fn set_entry_meter(&mut self, entry: &Entry, rates: MeterConfig) -> Result<(), Problem>;

    /// Give a value set these members.
    fn set_value_set(&mut self, set: &str, members: &[Vec<u8>]) -> Result<(), Problem>;

    /// The fields of the next digest of this name, if there is one.
    fn digest(&mut self, digest: &str) -> Result<Option<Vec<BigUint>>, Problem>;

    /// Set the rates of a cell of a meter, or of all of them.
    fn set_meter(&mut self, meter: &str, index: Option<u64>, rates: MeterConfig) -> Result<(), Problem>;
}

/// Take one of these out of a list, if it is there.
pub(super) fn take<T>(list: &mut Vec<T>, wanted: impl FnMut(&T) -> bool) -> bool {
    list.iter().position(wanted).map(|at| list.swap_remove(at)).is_some()
}
