//! Packets: from a port through the engine to other ports and the controller.
//!
//! Each port has a task that waits for frames and carries a batch of them all the way; where it runs, `forwarding` says. No task
//! waits for another port: what a port does not take is kept in its egress queues, which a task of its own empties (`drain`), and
//! what these have no room for is dropped; a controller that reads too slowly loses packet-ins. Both are counted.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::task::JoinSet;
use vouch_switch::{Backlog, Micros, Output, Worker};

use crate::counters::Counters;
use crate::device::Device;
use crate::drain::Drained;
use crate::frames::Frames;
use crate::packet_io::decode_packet_in;
use crate::pipeline::Pipeline;
use crate::port::{Port, PortStatus};
use crate::ports::Plugged;

/// How many frames are carried at once: enough to spread the cost of waking up, few enough to keep the first from waiting.
const BATCH: usize = 32;
/// How many packets are taken out of a queue at once: what a program is told of the queue's depth should not be much less than
/// what it was.
const DRAINED: usize = 8;

/// Carry what a port receives until it is closed or the switch stops.
pub(crate) async fn keep_port(device: Arc<Device>, number: u16, port: Arc<dyn Port>) {
    keep(device.clone(), number, || run_port(device.clone(), number, port.clone())).await;
}

/// Carry packets of a port by a task that is begun anew when it panics: what goes wrong in a port's own code, or here, costs the
/// frames of one batch, and not the port. What goes wrong in the engine costs one frame ([`guarded`]).
pub(crate) async fn keep<T: Future<Output = ()> + Send + 'static>(
    device: Arc<Device>,
    number: u16,
    carry: impl Fn() -> T,
) {
    // A set, so that what runs in it ends with this.
    let mut carrier = JoinSet::new();
    loop {
        carrier.spawn(carry());
        match carrier.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                Counters::add(&device.counters.ports_restarted, 1);
                tracing::error!(device = device.id, port = number, %error, "a port failed; it goes on with the next frames");
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
    // It may have changed before anybody watched it.
    device.tell_port(number, *status.borrow_and_update() == PortStatus::Up);
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

impl Running {
    /// Memory for this pipeline, kept from the last time if it is still the same.
    fn follow<'r>(running: &'r mut Option<Running>, device: &Device, pipeline: &Arc<Pipeline>) -> &'r mut Worker {
        if let Some(before) = running.take_if(|running| !Arc::ptr_eq(&running.pipeline, pipeline)) {
            // With all its entries, if nobody else has it any more.
            device.tasks.discard(before);
        }
        let anew = || Running { worker: Worker::new(&pipeline.switch), pipeline: pipeline.clone() };
        &mut running.get_or_insert_with(anew).worker
    }
}

impl Forwarder {
    pub(crate) fn new(device: Arc<Device>) -> Forwarder {
        Forwarder { device, running: None, output: Output::new(), touched: Vec::new() }
    }

    /// Carry frames that came in by one port all the way.
    pub(crate) fn forward(&mut self, port: u16, frames: &Frames) {
        let ports = self.device.ports.now();
        let pipeline = carry(&self.device, &mut self.running, &mut self.output, (port, frames), |device, to, frame| {
            send(device, &ports, to, frame, &mut self.touched);
        });
        if let Some(pipeline) = pipeline {
            flush(&self.device, &ports, &pipeline, &mut self.touched);
        }
    }

    /// Put frames that came in by one port through the pipeline, and `deliver` what leaves by ports other than the
    /// controller's.
    pub(crate) fn carry(&mut self, port: u16, frames: &Frames, deliver: impl FnMut(&Device, u16, &[u8])) {
        let _ = carry(&self.device, &mut self.running, &mut self.output, (port, frames), deliver);
    }

    /// Send what has waited for a port, a few packets if so many may leave. The port has passed on what it was given before.
    pub(crate) fn drain(&mut self, port: u16) -> Drained {
        let device = &self.device;
        let Some(pipeline) = device.active() else { return Drained::All };
        let worker = Running::follow(&mut self.running, device, &pipeline);
        let now = device.now();
        let switch = &pipeline.switch;
        let backlog = guarded(device, port, || {
            let _gate = pipeline.open_gate();
            match &device.tracer {
                None => switch.drain(worker, port, DRAINED, now, &mut self.output),
                Some(tracer) => tracer.drain(switch, worker, (port, DRAINED), now, &mut self.output),
            }
        });
        // The packet is out of its queue, and the others are still there.
        let backlog = backlog.unwrap_or_else(|Panicked| {
            self.running = None;
            Backlog::Now
        });
        let ports = device.ports.now();
        settle(device, &pipeline, &mut self.output, now, |device, to, frame| {
            send(device, &ports, to, frame, &mut self.touched);
        });
        let left = flush(device, &ports, &pipeline, &mut self.touched);
        match backlog {
            _ if left.contains(&port) => Drained::Some,
            Backlog::Now => Drained::Some,
            Backlog::At(moment) => Drained::Until(moment),
            Backlog::Empty => {
                // It goes on to queue if its limits ask for that, or if a packet has come meanwhile: whoever brought that one
                // wakes this task.
                pipeline.switch.end_queueing(port);
                Drained::All
            }
        }
    }
}

/// Give frames to the active pipeline, which is returned if there is one, and what comes of them to `deliver`.
fn carry(
    device: &Arc<Device>,
    running: &mut Option<Running>,
    output: &mut Output,
    (port, frames): (u16, &Frames),
    deliver: impl FnMut(&Device, u16, &[u8]),
) -> Option<Arc<Pipeline>> {
    Counters::add(&device.counters.received, frames.len() as u64);
    let Some(pipeline) = device.active() else {
        Counters::add(&device.counters.dropped_no_pipeline, frames.len() as u64);
        return None;
    };
    let now = device.now();
    let switch = &pipeline.switch;
    let mut begun = 0;
    while begun < frames.len() {
        let before = begun;
        let worker = Running::follow(running, device, &pipeline);
        let done = guarded(device, port, || {
            let _gate = pipeline.open_gate();
            let frames = frames.iter_from(before).inspect(|_| begun += 1);
            match &device.tracer {
                None => switch.process_batch(worker, port, frames, now, output),
                Some(tracer) => tracer.carry(switch, worker, port, frames, now, output),
            }
        });
        if let Err(Panicked) = done {
            // Its memory is as that frame has left it.
            *running = None;
            begun = begun.max(before + 1);
        }
    }
    settle(device, &pipeline, output, now, deliver);
    Some(pipeline)
}

/// The engine has panicked, which was counted and logged.
struct Panicked;

/// Run the engine; should it panic, that costs the frame that it was about.
fn guarded<T>(device: &Device, port: u16, run: impl FnOnce() -> T) -> Result<T, Panicked> {
    // What the engine shares is whole after a panic, as its locks say; what it was given, the caller gives up.
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        Counters::add(&device.counters.dropped_by_panic, 1);
        let error = message(&*panic);
        tracing::error!(
            device = device.id,
            port,
            error,
            "a frame could not be forwarded; the port goes on with the next"
        );
        Panicked
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked without a text")
}

/// Give what came out of the engine to whom it is for.
fn settle(
    device: &Arc<Device>,
    pipeline: &Pipeline,
    output: &mut Output,
    now: Micros,
    mut deliver: impl FnMut(&Device, u16, &[u8]),
) {
    device.counters.add_drops(&output.drops);
    let mut digests = false;
    for (digest, data) in output.digests() {
        pipeline.offer_digest(digest, data, now);
        digests = true;
    }
    if digests {
        device.digest_gathered.notify_one();
    }
    for (to, frame) in output.frames() {
        if Some(to) == device.cpu_port {
            packet_in(device, pipeline, frame);
        } else {
            deliver(device, to, frame);
        }
    }
    for port in output.queued() {
        device.wake_drainer(*port);
    }
    output.clear();
}

fn send(device: &Device, ports: &Plugged, to: u16, frame: &[u8], touched: &mut Vec<u16>) {
    let Some(port) = ports.get(to) else {
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

/// Have ports pass on what they were given. Those that could not, which are returned, queue from now on.
fn flush(device: &Arc<Device>, ports: &Plugged, pipeline: &Pipeline, touched: &mut Vec<u16>) -> Vec<u16> {
    let mut left = Vec::new();
    for number in touched.drain(..) {
        if ports.get(number).is_some_and(|port| !port.flush()) {
            pipeline.switch.begin_queueing(number);
            device.wake_drainer(number);
            left.push(number);
        }
    }
    left
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
