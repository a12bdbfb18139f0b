//! Packets: from a port through the engine to other ports and the controller.
//!
//! Each port has a task that waits for frames and carries a batch of them all the way. Nothing between two ports waits:
//! a port that takes no more frames drops them, and a controller that reads too slowly loses packet-ins, both counted.

use std::sync::Arc;

use tokio::task::JoinSet;
use vouch_switch::{Output, Worker};

use crate::counters::Counters;
use crate::device::Device;
use crate::frames::Frames;
use crate::packet_io::decode_packet_in;
use crate::pipeline::Pipeline;
use crate::port::{Port, PortStatus};

/// How many frames are carried at once: enough to spread the cost of waking up, few enough to keep the first from waiting.
const BATCH: usize = 32;

/// Carry what a port receives until it is closed or the switch stops. What a program makes go wrong costs the frames of one batch,
/// and not the port.
pub(crate) async fn keep_port(device: Arc<Device>, number: u16, port: Arc<dyn Port>) {
    // A set, so that what runs in it ends with this.
    let mut carrier = JoinSet::new();
    loop {
        carrier.spawn(run_port(device.clone(), number, port.clone()));
        match carrier.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                Counters::add(&device.counters.ports_restarted, 1);
                tracing::error!(device = device.id, port = number, %error, "a frame could not be forwarded; the port goes on");
            }
            Some(_) | None => return,
        }
    }
}

async fn run_port(device: Arc<Device>, number: u16, port: Arc<dyn Port>) {
    let mut forwarder = Forwarder::new(device.clone());
    let mut batch = Frames::new();
    let stopped = device.stopped();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            biased;
            () = &mut stopped => return,
            received = port.receive(&mut batch, BATCH) => if received.is_err() {
                tracing::debug!(device = device.id, port = number, "port closed");
                return;
            },
        }
        forwarder.forward(number, &batch);
        batch.clear();
        // A port that always has frames must not keep the others from theirs.
        tokio::task::yield_now().await;
    }
}

/// Tell the pipeline about a port's status until the switch stops.
pub(crate) async fn watch_port(device: Arc<Device>, number: u16, port: Arc<dyn Port>) {
    let mut status = port.status();
    let stopped = device.stopped();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => return,
            changed = status.changed() => if changed.is_err() {
                return;
            },
        }
        let new = *status.borrow_and_update();
        tracing::debug!(device = device.id, port = number, status = %new, "port status");
        device.tell_port(number, new == PortStatus::Up);
    }
}

/// Puts frames through the active pipeline. One per task; it keeps the scratch memory of the engine.
pub(crate) struct Forwarder {
    device: Arc<Device>,
    running: Option<Running>,
    output: Output,
    /// Ports that have got a frame of the present batch.
    touched: Vec<u16>,
}

struct Running {
    pipeline: Arc<Pipeline>,
    worker: Worker,
}

impl Forwarder {
    pub(crate) fn new(device: Arc<Device>) -> Forwarder {
        Forwarder { device, running: None, output: Output::new(), touched: Vec::new() }
    }

    /// Carry frames that came in by one port all the way.
    pub(crate) fn forward(&mut self, port: u16, frames: &Frames) {
        let mut touched = std::mem::take(&mut self.touched);
        self.carry(port, frames, |device, to, frame| send(device, to, frame, &mut touched));
        for port in touched.drain(..) {
            if let Some(port) = self.device.ports.get(usize::from(port)).and_then(Option::as_ref) {
                port.flush();
            }
        }
        self.touched = touched;
    }

    /// Put frames that came in by one port through the pipeline, and `deliver` what leaves by ports other than the
    /// controller's.
    pub(crate) fn carry(&mut self, port: u16, frames: &Frames, mut deliver: impl FnMut(&Device, u16, &[u8])) {
        let device = &self.device;
        Counters::add(&device.counters.received, frames.len() as u64);
        let Some(pipeline) = device.active() else {
            Counters::add(&device.counters.dropped_no_pipeline, frames.len() as u64);
            return;
        };
        let running = match &mut self.running {
            Some(running) if Arc::ptr_eq(&running.pipeline, &pipeline) => running,
            other => {
                let worker = Worker::new(&pipeline.switch);
                other.insert(Running { pipeline, worker })
            }
        };
        let now = device.now();
        let gate = running.pipeline.open_gate();
        let switch = &running.pipeline.switch;
        match &device.tracer {
            None => switch.process_batch(&mut running.worker, port, frames.iter(), now, &mut self.output),
            Some(tracer) => tracer.carry(switch, &mut running.worker, port, frames, now, &mut self.output),
        }
        drop(gate);
        device.counters.add_drops(&self.output.drops);
        let mut digests = false;
        for (digest, data) in self.output.digests() {
            running.pipeline.offer_digest(digest, data, now);
            digests = true;
        }
        if digests {
            device.digest_gathered.notify_one();
        }
        for (to, frame) in self.output.frames() {
            if Some(to) == device.cpu_port {
                packet_in(device, &running.pipeline, frame);
            } else {
                deliver(device, to, frame);
            }
        }
        self.output.clear();
    }
}

fn send(device: &Device, to: u16, frame: &[u8], touched: &mut Vec<u16>) {
    let Some(port) = device.ports.get(usize::from(to)).and_then(Option::as_ref) else {
        Counters::add(&device.counters.dropped_unplugged, 1);
        return;
    };
    if port.send(frame).is_err() {
        Counters::add(&device.counters.dropped_at_port, 1);
    }
    if !touched.contains(&to) {
        touched.push(to);
    }
}

fn packet_in(device: &Device, pipeline: &Pipeline, frame: &[u8]) {
    if pipeline.is_bare {
        // No P4Info says what its header means.
        Counters::add(&device.counters.packet_ins_dropped, 1);
        return;
    }
    match decode_packet_in(pipeline.schema.packet_in.as_ref(), frame) {
        Ok(packet) => {
            let counters = &device.counters;
            let delivered = device.packet_in(packet);
            Counters::add(if delivered { &counters.packet_ins } else { &counters.packet_ins_dropped }, 1);
        }
        Err(fault) => {
            Counters::add(&device.counters.packet_ins_malformed, 1);
            tracing::debug!(device = device.id, fault = fault.message, "packet-in dropped");
        }
    }
}
