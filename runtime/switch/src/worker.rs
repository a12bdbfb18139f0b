//! Scratch memory of one thread that processes packets.

use std::sync::Arc;

use crate::exec::Scratch;
use crate::program::Program;
use crate::switch::Switch;
use crate::trace::{Origin, Trace, TraceEvent};

/// Everything a thread needs to run packets through a [`Switch`]: made once, reused for every packet. It may go from one switch
/// to another, whose program it then adapts to.
#[derive(Debug)]
pub struct Worker {
    program: Arc<Program>,
    scratch: Scratch,
}

impl Worker {
    /// Memory for packets of this switch's program.
    #[must_use]
    pub fn new(switch: &Switch) -> Self {
        let random = switch.config().seed ^ 0x9e37_79b9_7f4a_7c15;
        // The generator's state must not be 0.
        Self { program: switch.program().clone(), scratch: Scratch::new(&switch.program().code, random.max(1)) }
    }

    /// The memory, fit for this program.
    pub(crate) fn scratch(&mut self, program: &Arc<Program>) -> &mut Scratch {
        if !Arc::ptr_eq(&self.program, program) {
            self.scratch.adapt(&program.code);
            self.program = program.clone();
        }
        &mut self.scratch
    }

    /// Turns the trace on or off; what was noted so far is forgotten.
    pub fn set_trace(&mut self, on: bool) {
        self.scratch.trace = on.then(Trace::default);
    }

    /// Says what number in the trace the next frame has. A packet that waits keeps it ([`Worker::take_origin`]).
    pub fn set_packet_number(&mut self, number: u64) {
        if let Some(trace) = &mut self.scratch.trace {
            trace.number = number;
        }
    }

    /// Takes what the packet that was drained last came from; `None` without a trace, or if the packet began to wait without one.
    pub fn take_origin(&mut self) -> Option<Origin> {
        self.scratch.trace.as_mut()?.origin.take().map(|origin| *origin)
    }

    /// Takes what was noted since the trace was turned on or last taken.
    pub fn take_trace(&mut self) -> Vec<TraceEvent> {
        self.scratch.trace.as_mut().map(|trace| core::mem::take(&mut trace.events)).unwrap_or_default()
    }
}
