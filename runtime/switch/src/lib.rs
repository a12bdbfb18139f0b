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
//!
//! # One packet's way
//!
//! What a program means is decided once, when it is loaded; a packet only follows. The loader (`load`) turns the document
//! into `code`: flat arrays that refer to each other by index, with every index checked. Then, for each frame:
//!
//! 1. `switch` takes the present state of the tables, without a lock, for the frame or for a batch of them. A control call
//!    never changes a state that packets may see: it makes the next one from a copy, and copies share nearly everything.
//! 2. `exec` takes a packet (`packet`) from the worker's pool. All its fields are 64-bit limbs in one array of a size that
//!    the program fixes, so that resetting it is a fill, and a field is an index.
//! 3. The parser reads headers straight from the frame, each limb from an 8-byte window with two shifts; what fits 64 bits
//!    is selected by comparing words.
//! 4. Controls run node by node. Conditions are chains of tests (`expr::condition`), assignments small trees in 64-bit
//!    arithmetic (`expr::word`); what needs more is computed in 128 bits or without bound, as BMv2 does (`expr`).
//! 5. A table's key is packed into few words (`layout`) and looked up by its kind (`state::lookup`): a hash tree, a
//!    compressed trie, a short list of masks, or a hash tree for each mask. The entry it finds has its action's parameters as
//!    limbs, and cells for counters and times that all states share.
//! 6. The deparser writes each header by its template (`template`), a rotation and a mask for each field, at the end of the
//!    output, and the payload behind it.
//!
//! Between ingress and egress, a packet waits (`queueing`) where its port takes packets more slowly than they come; elsewhere
//! it goes through both in one go.
//!
//! Nothing of this allocates once worker and output have seen a few frames, but for numbers of more than 126 bits under
//! arithmetic, masked keys of more than 8 words, packets that wait, and traces.
//!
//! # How long a frame may take
//!
//! Programs may loop, send packets around again, and copy copies. So that no frame keeps the others waiting for ever, each has
//! 2²⁰ steps for all that comes of it, by whatever number of passes: a parser state, a control node and a jump are one step each, each
//! pass through ingress or egress costs 64 more, and so do every 64 bytes of the packet in a pass, or of a payload that is hashed,
//! one. What of the frame is left when these are used up is dropped and counted ([`Drops::step_limit`]). Beside it, 256 passes
//! may follow from one another, and one frame may become 2¹⁴ packets ([`Drops::too_many_passes`]). Packets that wait between
//! ingress and egress go on with what is left to their frame.

mod bits;
mod code;
mod control;
mod error;
mod exec;
mod expr;
mod hash;
mod ids;
mod info;
mod layout;
mod load;
mod output;
mod packet;
mod program;
mod queueing;
mod state;
mod switch;
mod template;
mod trace;
mod types;
mod worker;

pub use error::{ControlError, LoadError, LoadErrorKind};
pub use hash::CrcParameters;
pub use ids::{
    ActionId, CalculationId, CounterId, DigestId, MeterId, Micros, Port, ProfileId, RegisterId, TableId, ValueSetId,
};
pub use info::{
    ActionInfo, CalculationInfo, CounterInfo, DigestInfo, HeaderFieldInfo, HeaderInfo, KeyFieldInfo, MeterInfo,
    ParamInfo, ProfileInfo, RegisterInfo, TableInfo, ValueSetInfo,
};
pub use output::{Drops, Output};
pub use program::Program;
pub use queueing::{Backlog, MAX_PRIORITIES, QueueChoice, QueueLimits, QueueSettings, QueueView};
pub use switch::{Switch, SwitchConfig};
pub use trace::{Origin, PacketTrace, Rank, TraceEvent};
pub use types::{
    ActionCall, ActionGroup, ActionGroupId, CloneSession, CloneTarget, CounterData, DefaultView, EntryAction, EntryKey,
    EntryView, GroupMember, IdleEntry, Match, MatchKind, MemberId, MeterColors, MeterConfig, MeterUnit, OneShot,
    OneShotMember, ReplicationNode, Selection, TableEntry, ValueSetMember,
};
pub use worker::Worker;
