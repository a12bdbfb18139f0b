//! What came out of the switch for one packet: frames, digests and counted drops.
//!
//! An [`Output`] is filled by [`Switch::process`](crate::Switch::process) and reused: after [`Output::clear`] it keeps its
//! memory, so that the steady state allocates nothing.

use core::ops::Range;

use crate::queueing::PortSet;
use crate::{DigestId, Port};

/// Frames, digests and drops since the last [`Output::clear`].
#[derive(Debug, Default)]
pub struct Output {
    /// Frames and digests one after the other; while a frame is put together, its bytes are at the end.
    pub(crate) bytes: Vec<u8>,
    frames: Vec<(Port, Range<usize>)>,
    digests: Vec<(DigestId, Range<usize>)>,
    /// Ports whose queues have got packets.
    queued: Vec<Port>,
    /// The ports that queue for all that comes into this output.
    pub(crate) queueing: Option<PortSet>,
    /// Packets that ended without leaving, by cause.
    pub drops: Drops,
}

/// Why packets, or copies of them, did not leave. Every packet that enters is either sent, queued, digested or counted here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// The program dropped it in ingress.
    pub ingress: u64,
    /// The program dropped it in egress.
    pub egress: u64,
    /// Multicast to a group that does not exist or has no ports.
    pub empty_group: u64,
    /// It asked for a queue that its port does not have, by `standard_metadata.priority`.
    pub priority: u64,
    /// Its queue was full.
    pub queue: u64,
    /// A clone for a session that does not exist. The packet itself goes on.
    pub no_clone_session: u64,
    /// It was resubmitted, recirculated or cloned more often than the engine follows.
    pub too_many_passes: u64,
    /// The frame that it came from had used up its steps, which are one budget for all passes and copies of a frame: the
    /// program loops, or makes copies of copies ([crate documentation](crate#how-long-a-frame-may-take)).
    pub step_limit: u64,
    /// An `assert` or `assume` of the program failed.
    pub assertion: u64,
    /// The packet would have left larger than 64 KiB, or came in so.
    pub oversized: u64,
}

impl Drops {
    /// All causes together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_cause().iter().map(|(_, count)| count).sum()
    }

    /// Each cause by its name.
    #[must_use]
    pub fn by_cause(&self) -> [(&'static str, u64); 10] {
        [
            ("ingress", self.ingress),
            ("egress", self.egress),
            ("empty_group", self.empty_group),
            ("priority", self.priority),
            ("queue", self.queue),
            ("no_clone_session", self.no_clone_session),
            ("too_many_passes", self.too_many_passes),
            ("step_limit", self.step_limit),
            ("assertion", self.assertion),
            ("oversized", self.oversized),
        ]
    }

    /// What has been added since `earlier`, a copy of these very counts.
    #[must_use]
    pub fn since(&self, earlier: &Drops) -> Drops {
        Drops {
            ingress: self.ingress - earlier.ingress,
            egress: self.egress - earlier.egress,
            empty_group: self.empty_group - earlier.empty_group,
            priority: self.priority - earlier.priority,
            queue: self.queue - earlier.queue,
            no_clone_session: self.no_clone_session - earlier.no_clone_session,
            too_many_passes: self.too_many_passes - earlier.too_many_passes,
            step_limit: self.step_limit - earlier.step_limit,
            assertion: self.assertion - earlier.assertion,
            oversized: self.oversized - earlier.oversized,
        }
    }
}

impl Output {
    /// An empty output.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything but keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
        self.digests.clear();
        self.queued.clear();
        self.queueing = None;
        self.drops = Drops::default();
    }

    /// Frames to send, in the order in which they left, each with its port.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = (Port, &[u8])> {
        self.frames.iter().map(|(port, range)| (*port, &self.bytes[range.clone()]))
    }

    /// Digests for the control plane: the list and its fields one after the other, each field padded to whole bytes
    /// (widths: [`Program::digest_info`](crate::Program::digest_info)). Nothing is suppressed here: leaving out what the
    /// control plane has not acknowledged yet is the server's business.
    pub fn digests(&self) -> impl ExactSizeIterator<Item = (DigestId, &[u8])> {
        self.digests.iter().map(|(id, range)| (*id, &self.bytes[range.clone()]))
    }

    /// The ports whose queues have got packets, which are to be drained ([`Switch::drain`](crate::Switch::drain)).
    pub fn queued(&self) -> &[Port] {
        &self.queued
    }

    pub(crate) fn note_queued(&mut self, port: Port) {
        if !self.queued.contains(&port) {
            self.queued.push(port);
        }
    }

    /// The bytes from `start` on are a frame.
    pub(crate) fn end_frame(&mut self, port: Port, start: usize) {
        self.frames.push((port, start..self.bytes.len()));
    }

    pub(crate) fn push_digest(&mut self, id: DigestId, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.digests.push((id, start..self.bytes.len()));
    }
}
