//! The packet engine: loads the JSON that p4c emits for BMv2's v1model and forwards packets as `simple_switch` does.
//!
//! It has no sockets, no clock and no threads of its own. A [`Program`] is compiled once from JSON; a [`Switch`] runs it;
//! each thread that feeds packets owns a [`Worker`] and an [`Output`]:
//!
//! ```no_run
//! use std::sync::Arc;
//! use vouch_switch::{Micros, Output, Program, Switch, SwitchConfig, Worker};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let program = Arc::new(Program::load(&std::fs::read("router.json")?)?);
//! let switch = Switch::new(program, SwitchConfig::default());
//! let (mut worker, mut output) = (Worker::new(&switch), Output::new());
//! switch.process(&mut worker, 1, &[0; 64], Micros(0), &mut output);
//! for (port, frame) in output.frames() {
//!     println!("{} bytes out of port {port}", frame.len());
//! }
//! # Ok(()) }
//! ```

mod bits;
mod code;
mod control;
mod error;
mod exec;
mod expr;
mod hash;
mod ids;
mod info;
mod load;
mod output;
mod packet;
mod program;
mod state;
mod switch;
mod trace;
mod types;
mod worker;

pub use error::{ControlError, LoadError, LoadErrorKind};
pub use ids::{ActionId, CounterId, DigestId, MeterId, Micros, Port, ProfileId, RegisterId, TableId, ValueSetId};
pub use info::{
    ActionInfo, CounterInfo, DigestInfo, HeaderFieldInfo, HeaderInfo, KeyFieldInfo, MeterInfo, ParamInfo, ProfileInfo,
    RegisterInfo, TableInfo, ValueSetInfo,
};
pub use output::{Drops, Output};
pub use program::Program;
pub use switch::{Switch, SwitchConfig};
pub use trace::{PacketTrace, TraceEvent};
pub use types::{
    ActionCall, ActionGroup, ActionGroupId, CloneSession, CloneTarget, CounterData, DefaultView, EntryAction, EntryKey,
    EntryView, GroupMember, IdleEntry, Match, MatchKind, MemberId, MeterConfig, MeterUnit, OneShotMember,
    ReplicationNode, TableEntry, ValueSetMember,
};
pub use worker::Worker;
