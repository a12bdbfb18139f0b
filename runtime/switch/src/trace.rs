//! What happened to a packet, step by step, for those who ask. Off, it costs nothing: what runs then has no part of it.
//!
//! The executor notes events where they happen, with what it has at hand: ids, packed keys, the bytes of headers. A
//! [`PacketTrace`] has the names, and shows a packet's events to people and, as JSON, to programs.

mod bmv2;
mod json;
mod names;
mod text;

pub use self::bmv2::Rank;
use crate::ids::{ActionId, DigestId, Micros, Port, TableId};
use crate::output::Drops;
use crate::program::Program;
use crate::types::{ActionCall, EntryKey};

/// What happened to one packet. Its `Display` is for people: a line for each step, those of a control or parser indented.
///
/// A packet that waits in a queue has a trace up to there, and another one of the same number from there on.
#[derive(Clone, Copy, Debug)]
pub struct PacketTrace<'a> {
    /// The packet's number, from 1.
    pub number: u64,
    /// What it ran through.
    pub program: &'a Program,
    /// Where it came in.
    pub port: Port,
    /// As it came in.
    pub frame: &'a [u8],
    /// From [`Worker::take_trace`](crate::Worker::take_trace).
    pub events: &'a [TraceEvent],
    /// What was lost of it.
    pub drops: Drops,
}

impl PacketTrace<'_> {
    /// The ports that frames left by, with their lengths, in this order.
    pub fn sent(&self) -> impl Iterator<Item = (Port, usize)> {
        self.events.iter().filter_map(|event| match event {
            TraceEvent::Sent { port, length } => Some((*port, *length)),
            _ => None,
        })
    }
}

/// The steps of the frames that a worker processed since tracing was turned on or last taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) events: Vec<TraceEvent>,
    /// Of the packet that comes in.
    pub(crate) number: u64,
    /// What the packet that was drained last came from.
    pub(crate) origin: Option<Box<Origin>>,
}

/// What a packet that has waited came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The packet's number.
    pub number: u64,
    /// Where it came in.
    pub port: Port,
    /// As it came in.
    pub frame: Vec<u8>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceEvent {
    /// A pass through parser and ingress begins.
    Ingress {
        /// Where the frame came in.
        port: Port,
        /// How many passes came before, by cloning, resubmission or recirculation.
        pass: u32,
    },
    /// The parser entered a state, by its position in the program.
    ParserState {
        /// Name in the program.
        state: String,
    },
    /// A header was extracted.
    Extracted {
        /// Name in the program.
        header: String,
        /// As it is on the wire.
        bytes: Vec<u8>,
    },
    /// The parser went on.
    Transition {
        /// What it selected by, all parts together without padding; `None` where it had no choice.
        key: Option<u128>,
        /// The next state; `None` is the end of parsing.
        next: Option<String>,
    },
    /// Parsing ended with an error; the packet goes on.
    ParserError {
        /// The error's number in the program.
        error: u32,
    },
    /// A checksum that the program verifies is wrong.
    ChecksumWrong,
    /// A table was applied.
    Table {
        /// The table.
        table: TableId,
        /// The packed key: each field in its own 64-bit limbs, least significant first.
        key: Vec<u64>,
        /// The entry's key, if one was hit.
        hit: Option<EntryKey>,
        /// What ran, with its parameters.
        call: Option<ActionCall>,
    },
    /// An action was called without a table.
    Called {
        /// The action.
        action: ActionId,
    },
    /// A conditional was evaluated.
    Condition {
        /// Its name in the program.
        name: String,
        /// Its text in the source, or its name in the program where that is not known.
        text: String,
        /// Its outcome.
        result: bool,
    },
    /// A text from the program's `log_msg`.
    Log {
        /// With its values filled in.
        text: String,
    },
    /// The packet was cloned.
    Clone {
        /// Session.
        session: u16,
        /// Copies made; `None` where the session does not exist.
        copies: Option<usize>,
    },
    /// A digest was made.
    Digest {
        /// The list.
        list: DigestId,
    },
    /// The packet was replicated.
    Multicast {
        /// Group.
        group: u32,
        /// Copies made.
        copies: usize,
    },
    /// The packet starts over in the parser.
    Resubmitted,
    /// The packet comes in again as it went out.
    Recirculated,
    /// The packet waits for its port.
    Queued {
        /// Where it is to leave.
        port: Port,
        /// Which queue.
        priority: u32,
        /// Packets that were there before.
        before: usize,
    },
    /// The packet found no room in its queue, and is lost.
    QueueFull {
        /// Where it was to leave.
        port: Port,
        /// Which queue.
        priority: u32,
    },
    /// The packet has waited and goes on.
    Dequeued {
        /// Where it is to leave.
        port: Port,
        /// Which queue.
        priority: u32,
        /// How long it was there.
        waited: Micros,
        /// Packets that it has left behind.
        behind: usize,
    },
    /// A pass through egress begins.
    Egress {
        /// Where it is to leave.
        port: Port,
    },
    /// The program dropped the packet.
    Dropped {
        /// In egress rather than ingress.
        egress: bool,
    },
    /// A header was put in front of the payload.
    Emitted {
        /// Name in the program.
        header: String,
        /// As it is on the wire.
        bytes: Vec<u8>,
    },
    /// A frame left.
    Sent {
        /// Where.
        port: Port,
        /// Bytes.
        length: usize,
    },
}
