//! The packet engine in this process: one worker, one thread, batches as the switch makes them.

use std::time::{Duration, Instant};

use vouch_switch::{Micros, Output, Switch, Worker};

use super::workload::Load;
use crate::rig::Result;

/// Frames that are taken in at once.
const BATCH: usize = 32;

/// What comes out for one frame, port by port.
pub(super) fn outcome(switch: &Switch, load: &Load, frame: &[u8]) -> Result<Vec<Vec<u8>>> {
    let (mut worker, mut output) = (Worker::new(switch), Output::new());
    switch.process(&mut worker, load.from, frame, Micros(0), &mut output);
    let frames: Vec<_> = output.frames().map(|(port, frame)| (port, frame.to_vec())).collect();
    let expected = load.copies as usize;
    if frames.len() != expected || frames.iter().any(|(port, _)| *port != load.to) {
        return Err(
            format!("{}: {} frames come out, not {expected} out of port {}", load.name, frames.len(), load.to).into()
        );
    }
    Ok(frames.into_iter().map(|(_, frame)| frame).collect())
}

/// Packets per second that go in and have all their copies come out.
pub(super) fn rate(switch: &Switch, load: &Load, length: usize, time: Duration) -> Result<f64> {
    let frames = load.frames(length);
    let (mut worker, mut output) = (Worker::new(switch), Output::new());
    let (start, mut packets) = (Instant::now(), 0u64);
    while start.elapsed() < time {
        for batch in frames.chunks(BATCH) {
            output.clear();
            switch.process_batch(&mut worker, load.from, batch.iter().map(Vec::as_slice), Micros(0), &mut output);
            packets += batch.len() as u64;
            if output.frames().len() as u64 != batch.len() as u64 * load.copies {
                return Err(format!("{}: a frame got lost in the engine", load.name).into());
            }
        }
    }
    Ok(packets as f64 / start.elapsed().as_secs_f64())
}
