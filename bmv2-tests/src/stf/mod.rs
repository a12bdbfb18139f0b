//! STF, the "simple test framework" of p4c: tests of a program that say what to put into its tables, which frames to send, and
//! which must come out.
//!
//! ```text
//! add source 10 ethernet.src:0x02**** here(port:2)      # one line is one statement
//! packet 1 ffffffffffff 020000000001 0800
//! expect 2 ffffffffffff ************ 0800 $
//! ```
//!
//! p4c has a test of this kind for nearly every program of its own, and p4testgen writes them for any program. [`parse`] reads
//! one.

mod parse;
mod scan;
mod statement;

pub use parse::parse;
pub use statement::{Bits, Call, Cell, Check, Command, Comparison, Key, MirrorTo, Pattern, Rate, Statement, Unit};

/// A line that is no statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}; expected {expected}")]
pub struct StfError {
    /// Which line, from 1.
    pub line: usize,
    /// What stands there.
    pub what: String,
    /// What could stand there.
    pub expected: String,
}
