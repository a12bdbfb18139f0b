//! One packet inside the switch: its headers and metadata as numbers, and what the program asked for.

use crate::code::Code;

/// The packet header vector and the packet's flags.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phv {
    /// Fields, least significant limb first. Those of a header that was never valid are 0 unless the program wrote them.
    pub(crate) slots: Vec<u64>,
    /// By header.
    pub(crate) valid: Vec<bool>,
    /// Extracted elements, by stack counter.
    pub(crate) counters: Vec<u32>,
    pub(crate) meta: Meta,
}

/// What is known about a packet beside its fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meta {
    /// Buffer that holds the frame.
    pub(crate) buffer: usize,
    /// Where in it the part begins that no header holds.
    pub(crate) payload: usize,
    /// Where the frame came in.
    pub(crate) port: u16,
    /// Length of the frame as it came in.
    pub(crate) ingress_length: u32,
    /// Length with headers added and removed since.
    pub(crate) length: u32,
    /// Most bytes to send.
    pub(crate) limit: u32,
    pub(crate) parser_error: u32,
    pub(crate) checksum_error: bool,
    pub(crate) exit: bool,
    /// An assertion failed or the steps ran out.
    pub(crate) dead: bool,
    /// Session and field list of a clone.
    pub(crate) clone: Option<(u16, u16)>,
    pub(crate) digest: u32,
    pub(crate) resubmit: u32,
    pub(crate) recirculate: u32,
    /// How many passes led to this one.
    pub(crate) passes: u32,
}

impl Phv {
    pub(crate) fn new(code: &Code) -> Self {
        let mut valid = vec![false; code.headers.len()];
        for (valid, header) in valid.iter_mut().zip(&code.headers) {
            *valid = header.metadata;
        }
        Self {
            slots: vec![0; code.slots as usize],
            valid,
            counters: vec![0; code.stack_counters as usize],
            meta: Meta::default(),
        }
    }

    /// Back to nothing parsed and all metadata 0.
    pub(crate) fn reset(&mut self, code: &Code) {
        self.slots.fill(0);
        self.counters.fill(0);
        for (valid, header) in self.valid.iter_mut().zip(&code.headers) {
            *valid = header.metadata;
        }
        self.meta = Meta::default();
    }

    /// All metadata fields to 0; headers stay.
    pub(crate) fn reset_metadata(&mut self, code: &Code) {
        for range in &code.metadata {
            self.slots[range.start as usize..range.end as usize].fill(0);
        }
    }

    pub(crate) fn copy_from(&mut self, other: &Phv) {
        self.slots.copy_from_slice(&other.slots);
        self.valid.copy_from_slice(&other.valid);
        self.counters.copy_from_slice(&other.counters);
        self.meta.clone_from(&other.meta);
    }
}
