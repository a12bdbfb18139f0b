//! What happened to a packet, step by step, for those who ask. Off, it costs one comparison per step.
//!
//! Events hold ids; [`Program`](crate::Program) has the names.

use crate::ids::{ActionId, DigestId, Port, TableId};

/// The steps of the frames that a worker processed since tracing was turned on or last taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) events: Vec<TraceEvent>,
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
    },
    /// Parsing ended with an error; the packet goes on.
    ParserError {
        /// The error's number in the program.
        error: u32,
    },
    /// A table was applied.
    Table {
        /// The table.
        table: TableId,
        /// The packed key: each field in its own 64-bit limbs, least significant first.
        key: Vec<u64>,
        /// The entry's key, if one was hit.
        hit: Option<crate::types::EntryKey>,
        /// What ran.
        action: Option<ActionId>,
    },
    /// A conditional was evaluated.
    Condition {
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
    },
    /// A frame left.
    Sent {
        /// Where.
        port: Port,
        /// Bytes.
        length: usize,
    },
}
