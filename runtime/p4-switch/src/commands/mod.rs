//! The words of `simple_switch_CLI`: one command on a line, `#` begins a comment.
//!
//! `words` has every command with its form. `parse` turns a line into a typed [`Command`], with the names and widths of a
//! [`Catalog`], which is made of a program's JSON or of its P4Info. An [`Interpreter`] carries it out on a [`Device`]: the
//! engine in this process (`local`), a switch behind P4Runtime ([`Remote`], with `wire` between its messages and the types
//! here) or one behind BMv2's Thrift services ([`OverThrift`]); these two are [`Target`]s, which can also show what they have
//! (`show`). The tests of [`stf`](crate::stf) change switches through the same [`Device`], over a [`Channel`] of their own.
//!
//! The words, their order and their numbers are the reference's: the lowest priority wins, and entries, members, groups and
//! multicast nodes are known by handles that count from 0. Names may lack their front where that leaves no doubt.

mod catalog;
mod command;
mod device;
mod interpreter;
mod local;
mod over_thrift;
mod parse;
mod pipeline;
mod remote;
mod show;
mod values;
pub(crate) mod wire;
mod words;

pub use catalog::Catalog;
pub(crate) use catalog::actions_of;
pub use command::{Call, Cells, Change, Choice, Command, Doing, Request, Show};
pub use device::{Clones, Device, GroupOfNodes, Node, Nodes, PortState, Target};
pub use interpreter::Interpreter;
pub(crate) use local::Local;
pub use over_thrift::OverThrift;
pub use parse::parse;
pub use remote::{Access, Channel, Remote};
pub(crate) use values::{reversed_priority, shown_priority};
pub use words::{CommandWord, WORDS};

/// Why a command was not carried out, for whoever wrote it.
pub type Refused = String;

/// The words of a line; what follows `#` is a comment.
pub fn split(line: &str) -> Vec<&str> {
    line.split('#').next().unwrap_or_default().split_whitespace().collect()
}
