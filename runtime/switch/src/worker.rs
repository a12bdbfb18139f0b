//! Scratch memory of one thread that processes packets.

use crate::switch::Switch;

/// Everything a thread needs to run packets through a [`Switch`]: made once, reused for every packet.
#[derive(Debug)]
pub struct Worker {}

impl Worker {
    /// Memory for packets of this switch's program.
    #[must_use]
    pub fn new(switch: &Switch) -> Self {
        let _ = switch;
        Self {}
    }
}
