//! Who is told what happens to each packet.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use vouch_switch::{Micros, Output, PacketTrace, Port, Switch, Worker};

use crate::frames::Frames;

type Listener = dyn Fn(&PacketTrace<'_>) + Send + Sync;
type Wanted = dyn Fn() -> bool + Send + Sync;

/// A listener, and the numbers of the packets it has heard of.
pub(crate) struct Tracer {
    wanted: Box<Wanted>,
    listener: Box<Listener>,
    packets: AtomicU64,
}

impl Tracer {
    pub(crate) fn new(
        wanted: impl Fn() -> bool + Send + Sync + 'static,
        listener: impl Fn(&PacketTrace<'_>) + Send + Sync + 'static,
    ) -> Tracer {
        Tracer { wanted: Box::new(wanted), listener: Box::new(listener), packets: AtomicU64::new(0) }
    }

    /// Put frames through the switch as the data plane does, and tell of each if that is wanted now.
    pub(crate) fn carry(
        &self,
        switch: &Switch,
        worker: &mut Worker,
        port: Port,
        frames: &Frames,
        now: Micros,
        output: &mut Output,
    ) {
        if !(self.wanted)() {
            self.packets.fetch_add(frames.len() as u64, Ordering::Relaxed);
            worker.set_trace(false);
            return switch.process_batch(worker, port, frames.iter(), now, output);
        }
        worker.set_trace(true);
        for frame in frames.iter() {
            let before = output.drops;
            switch.process(worker, port, frame, now, output);
            let events = worker.take_trace();
            (self.listener)(&PacketTrace {
                number: self.packets.fetch_add(1, Ordering::Relaxed) + 1,
                program: switch.program(),
                port,
                frame,
                events: &events,
                drops: output.drops.since(&before),
            });
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").finish_non_exhaustive()
    }
}
