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
//! one, [`Rules`] finds out what its names mean in a program, a [`Player`] plays it on a [`Bench`], and a [`Suite`] does
//! so with folders of tests. The rules are those of p4c's runner for BMv2, `bmv2stf.py`, with these differences:
//!
//! * A frame that comes out of a port which the test does not name is a failure. `bmv2stf.py` cannot see such frames;
//!   [`Options::named_ports_only`] overlooks them as well.
//! * `remove all`, `no_packet` and `check_counter` do something, and a value of a ternary field without `*` is exact, however
//!   few digits it has.
//! * Names are found in more ways: see [`Rules`].
//! * There are statements that p4c's runner lacks: ranges as keys, several weighted actions that watch ports, idle timeouts,
//!   lengths of clone sessions, `value_set`, `digest`, `idle`, `port_down`, and the rates of an entry's meter. See [`Command`].
//!
//! Each test starts with a switch as the program makes it. The command is `p4-switch stf` (`command`).

mod bench;
pub(crate) mod command;
mod embedded;
mod entries;
mod names;
mod parse;
mod play;
mod remote;
mod report;
mod rules;
mod scan;
mod statement;
mod suite;
mod write;

pub use bench::{Bench, Problem};
pub use embedded::Embedded;
pub use entries::{encode, insert, set_default};
pub use parse::parse;
pub use play::{Options, Player};
pub use remote::Remote;
pub use report::{Failure, Outcome};
pub use rules::{Entry, Rules};
pub use statement::{
    Bits, Call, Cell, Check, Command, Comparison, Key, MirrorTo, Pattern, Rate, Share, Statement, Unit,
};
pub use suite::{Program, Suite, Summary};

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
