//! Who is told what happens to each packet.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use vouch_switch::{Backlog, Drops, Micros, Origin, Output, PacketTrace, Port, Switch, TraceEvent, Worker};

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
    pub(crate) fn carry<'f>(
        &self,
        switch: &Switch,
        worker: &mut Worker,
        port: Port,
        frames: impl ExactSizeIterator<Item = &'f [u8]>,
        now: Micros,
        output: &mut Output,
    ) {
        if !(self.wanted)() {
            self.packets.fetch_add(frames.len() as u64, Ordering::Relaxed);
            worker.set_trace(false);
            return switch.process_batch(worker, port, frames, now, output);
        }
        worker.set_trace(true);
        for frame in frames {
            let before = output.drops;
            let number = self.packets.fetch_add(1, Ordering::Relaxed) + 1;
            worker.set_packet_number(number);
            switch.process(worker, port, frame, now, output);
            self.tell(switch, worker, (number, port, frame), output.drops.since(&before));
        }
    }

    /// Let packets go on that have waited for a port, as the data plane does, and tell of each.
    pub(crate) fn drain(
        &self,
        switch: &Switch,
        worker: &mut Worker,
        (port, max): (Port, usize),
        now: Micros,
        output: &mut Output,
    ) -> Backlog {
        worker.set_trace(true);
        let mut backlog = Backlog::Now;
        for _ in 0..max {
            let before = output.drops;
            backlog = switch.drain(worker, port, 1, now, output);
            if backlog != Backlog::Now {
                break;
            }
            if let Some(Origin { number, port, frame }) = worker.take_origin() {
                worker.set_packet_number(number);
                self.tell(switch, worker, (number, port, &frame), output.drops.since(&before));
            }
        }
        backlog
    }

    fn tell(&self, switch: &Switch, worker: &mut Worker, packet: (u64, Port, &[u8]), drops: Drops) {
        let events: Vec<TraceEvent> = worker.take_trace();
        let (number, port, frame) = packet;
        let program = switch.program();
        (self.listener)(&PacketTrace { number, program, port, frame, events: &events, drops });
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").finish_non_exhaustive()
    }
}
