//! One packet's way through the switch.
//!
//! A frame is parsed, runs through ingress, is cloned, resubmitted, replicated, dropped or sent on, runs through egress and
//! is put together again. What one frame becomes is worked off from two queues, egress first, until both are empty; the
//! order of the steps at the end of ingress and egress is BMv2's. What is meant for a port that queues (`queueing`) stays
//! there instead, and goes on from there at another time.

mod action;
mod control;
mod deparser;
mod parser;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use crate::bits::mask64;
use crate::code::{Code, Field, ListMember};
use crate::expr::condition::{Condition, Test};
use crate::expr::{Env, Value, store};
use crate::ids::{DigestId, Micros, Port};
use crate::output::Output;
use crate::packet::{Meta, Phv};
use crate::program::Program;
use crate::queueing::{Left, PortSet, Queued, Queues};
use crate::state::Tables;
use crate::state::arrays::{Counter, Meter, Registers};
use crate::state::replication::{Cloning, Replica};
use crate::switch::SwitchConfig;
use crate::trace::{Origin, Trace, TraceEvent};

/// Largest frame in or out.
pub(crate) const MAX_FRAME: usize = 65535;
/// Most times a packet may pass through the switch by resubmission, recirculation and cloning.
const MAX_PASSES: u32 = 256;
/// Most packets that one frame may become.
const MAX_JOBS: u32 = 1 << 14;
/// Most steps of a frame and all that comes of it together. A step is a parser state, a control node or a jump.
///
/// Programs may loop, and what is little in one pass is much in thousands of them: the time that one frame takes is bounded by
/// this alone, since between two steps lies what is fixed by the program's length.
const MAX_STEPS: u32 = 1 << 20;
/// What a pass through ingress or egress costs beside the steps that the program makes in it: packets are copied and reset.
const PASS_STEPS: u32 = 64;
/// So many bytes to be copied, or hashed, count as a step.
pub(crate) const STEP_BYTES: u32 = 64;
/// Scratch packets kept for the next frame.
const KEPT: usize = 512;

/// `standard_metadata.instance_type`, in BMv2's numbers.
#[derive(Clone, Copy)]
enum Instance {
    Normal = 0,
    IngressClone = 1,
    EgressClone = 2,
    Recirculated = 4,
    Replicated = 5,
    Resubmitted = 6,
}

/// Counters, meters and registers of a switch.
#[derive(Debug, Default)]
pub(crate) struct Arrays {
    pub(crate) counters: Vec<Vec<Counter>>,
    pub(crate) meters: Vec<Vec<Meter>>,
    pub(crate) registers: Vec<Registers>,
}

/// Memory that outlives a frame.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pool: Vec<Phv>,
    ingress: VecDeque<Phv>,
    egress: VecDeque<(Port, Phv)>,
    /// Frames as they entered a later pass. The one that came in stays where it is: it is buffer 0, and these follow.
    buffers: Vec<Vec<u8>>,
    used: usize,
    jobs: u32,
    pub(crate) bytes: Vec<u8>,
    /// Room for the widest key of the program.
    pub(crate) key: Vec<u64>,
    pub(crate) random: u64,
    pub(crate) trace: Option<Trace>,
}

impl Scratch {
    pub(crate) fn new(code: &Code, random: u64) -> Self {
        let mut scratch = Self { random, ..Self::default() };
        scratch.adapt(code);
        scratch
    }

    /// Drops what has the shape of another program.
    pub(crate) fn adapt(&mut self, code: &Code) {
        let words = code.tables.iter().map(|table| table.layout.words).max().unwrap_or(0);
        self.key.resize(words, 0);
        self.pool.clear();
        self.ingress.clear();
        self.egress.clear();
    }
}

/// One frame's run: what it reads and what it writes. Whether it notes what happens is decided once, so that a packet nobody
/// watches does not ask at each step.
pub(crate) struct Run<'a, const TRACE: bool> {
    pub(crate) program: &'a Program,
    pub(crate) code: &'a Code,
    pub(crate) tables: &'a Tables,
    pub(crate) arrays: &'a Arrays,
    pub(crate) config: &'a SwitchConfig,
    pub(crate) queues: &'a Queues,
    /// The ports that queue, as of when the output was empty.
    pub(crate) queueing: PortSet,
    pub(crate) now: Micros,
    pub(crate) scratch: &'a mut Scratch,
    pub(crate) output: &'a mut Output,
    /// The frame that came in; for a packet that has waited, what is left of it.
    pub(crate) frame: &'a [u8],
    /// For a packet that has waited, what it came from, if that was wanted.
    pub(crate) origin: Option<&'a Origin>,
    /// What is left to the frame.
    pub(crate) steps: u32,
    /// The same for all that came of the frame, if some of that waits elsewhere, and what was left here when that was looked at.
    pub(crate) shared: Option<(Arc<AtomicU32>, u32)>,
}

/// The queue of a packet that comes from ingress.
#[derive(Clone, Copy)]
enum Queue {
    /// Its port does not queue.
    None,
    /// That of this priority.
    Of(u32),
    /// Its port has none of its priority.
    Missing,
}

/// What a packet is told of its stay in a queue.
#[derive(Clone, Copy, Default)]
struct Stay {
    timedelta: u64,
    qdepth: u64,
}

impl<'a, const TRACE: bool> Run<'a, TRACE> {
    /// Takes a frame in and follows all it becomes.
    pub(crate) fn run(&mut self, port: Port) {
        if self.frame.len() > MAX_FRAME {
            self.output.drops.oversized += 1;
            return;
        }
        self.scratch.jobs = 0;
        self.scratch.used = 0;
        self.steps = MAX_STEPS;
        let mut phv = self.blank();
        let length = self.frame.len() as u32;
        phv.meta = Meta { port, ingress_length: length, length, limit: u32::MAX, ..Meta::default() };
        let intrinsic = &self.program.code.intrinsic;
        set(&mut phv, intrinsic.ingress_port, u64::from(port));
        set(&mut phv, intrinsic.packet_length, u64::from(length));
        set(&mut phv, intrinsic.ingress_timestamp, self.now.0);
        self.ingress(phv);
        self.work_off();
    }

    /// Lets a packet go on that has waited for its port.
    pub(crate) fn resume(&mut self, port: Port, left: Left<Queued>) {
        self.scratch.jobs = 0;
        self.scratch.used = 0;
        let Left { item: Queued { mut phv, steps, .. }, priority, since, before, behind } = left;
        self.steps = steps.load(Relaxed);
        self.shared = Some((steps, self.steps));
        let waited = self.now.since(since);
        self.trace(|| TraceEvent::Dequeued { port, priority, waited, behind });
        let intrinsic = &self.program.code.intrinsic;
        set(&mut phv, intrinsic.enq_timestamp, since.0);
        set(&mut phv, intrinsic.enq_qdepth, before as u64);
        self.egress(port, phv, Stay { timedelta: waited.0, qdepth: behind as u64 });
        self.work_off();
    }

    fn work_off(&mut self) {
        loop {
            if let Some((port, phv)) = self.scratch.egress.pop_front() {
                self.egress(port, phv, Stay::default());
            } else if let Some(phv) = self.scratch.ingress.pop_front() {
                self.ingress(phv);
            } else {
                break;
            }
        }
        if let Some((left, before)) = self.shared.take() {
            let used = before - self.steps;
            // Never fails: it is always given something.
            let _ = left.fetch_update(Relaxed, Relaxed, |left| Some(left.saturating_sub(used)));
        }
    }

    fn ingress(&mut self, mut phv: Phv) {
        self.trace(|| TraceEvent::Ingress { port: phv.meta.port, pass: phv.meta.passes });
        if !self.pass(&mut phv) {
            return self.recycle(phv);
        }
        self.parse(&mut phv);
        let intrinsic = &self.program.code.intrinsic;
        let (error, checksum) = (phv.meta.parser_error, phv.meta.checksum_error);
        set(&mut phv, intrinsic.parser_error, u64::from(error));
        set(&mut phv, intrinsic.checksum_error, u64::from(checksum));
        if checksum {
            self.trace(|| TraceEvent::ChecksumWrong);
        }
        self.control(self.code.ingress, &mut phv);
        phv.meta.exit = false;
        if phv.meta.dead {
            return self.recycle(phv);
        }
        if let Some((session, list)) = phv.meta.clone.take() {
            self.clone_ingress(&phv, session, list);
        }
        self.digest(&phv);
        if phv.meta.resubmit != 0 {
            self.resubmit(&phv);
            return self.recycle(phv);
        }
        let group = get(&phv, intrinsic.multicast_group);
        if group != 0 {
            set(&mut phv, intrinsic.instance_type, Instance::Replicated as u64);
            let tables = self.tables;
            let replicas = tables.replication.replicas(group as u32);
            if replicas.is_empty() {
                self.output.drops.empty_group += 1;
            }
            self.trace(|| TraceEvent::Multicast { group: group as u32, copies: replicas.len() });
            // Copies start without the requests that ingress made.
            phv.meta = Meta { passes: phv.meta.passes, ..self.copied(&phv.meta) };
            self.replicate(phv, replicas, None);
            return;
        }
        let port = get(&phv, intrinsic.egress_spec) as Port;
        if port == self.config.drop_port {
            self.trace(|| TraceEvent::Dropped { egress: false });
            self.output.drops.ingress += 1;
            return self.recycle(phv);
        }
        set(&mut phv, intrinsic.instance_type, Instance::Normal as u64);
        if self.scratch.egress.is_empty() {
            match self.queue(port, &mut phv) {
                Queue::None => self.egress(port, phv, Stay::default()),
                Queue::Of(priority) => self.hold(port, priority, phv),
                Queue::Missing => self.recycle(phv),
            }
        } else {
            self.enqueue(port, phv);
        }
    }

    fn egress(&mut self, port: Port, mut phv: Phv, stay: Stay) {
        self.trace(|| TraceEvent::Egress { port });
        if !self.pass(&mut phv) {
            return self.recycle(phv);
        }
        let intrinsic = &self.program.code.intrinsic;
        set(&mut phv, intrinsic.egress_timestamp, self.now.0);
        set(&mut phv, intrinsic.deq_timedelta, stay.timedelta);
        set(&mut phv, intrinsic.deq_qdepth, stay.qdepth);
        if intrinsic.qid.is_some() {
            let priority = get(&phv, intrinsic.priority);
            set(&mut phv, intrinsic.qid, priority);
        }
        set(&mut phv, intrinsic.egress_port, u64::from(port));
        // Anything but the drop port, so that only egress itself can ask for a drop.
        set(&mut phv, intrinsic.egress_spec, u64::from(self.config.drop_port) + 1);
        let length = u64::from(phv.meta.length);
        set(&mut phv, intrinsic.packet_length, length);
        self.control(self.code.egress, &mut phv);
        phv.meta.exit = false;
        if phv.meta.dead {
            return self.recycle(phv);
        }
        if let Some((session, list)) = phv.meta.clone.take() {
            self.clone_egress(&phv, session, list);
        }
        if get(&phv, intrinsic.egress_spec) == u64::from(self.config.drop_port) {
            self.trace(|| TraceEvent::Dropped { egress: true });
            self.output.drops.egress += 1;
            return self.recycle(phv);
        }
        self.deparse(port, &mut phv);
        self.recycle(phv);
    }

    /// The frame as it came in, parsed anew, with nothing of the metadata but the field list.
    fn clone_ingress(&mut self, phv: &Phv, session: u16, list: u16) {
        let Some(cloning) = self.session(phv, session).filter(|cloning| cloning.copies() > 0) else {
            return;
        };
        let mut copy = self.blank();
        let intrinsic = &self.program.code.intrinsic;
        copy.meta = Meta { length: phv.meta.ingress_length, limit: cloning.limit, ..self.copied(&phv.meta) };
        set(&mut copy, intrinsic.ingress_port, u64::from(phv.meta.port));
        self.parse(&mut copy);
        if copy.meta.dead {
            // All copies are lost, and one is counted.
            self.output.drops.step_limit += cloning.copies() as u64 - 1;
            return self.recycle(copy);
        }
        copy.reset_metadata(self.code);
        self.copy_list(list, phv, &mut copy);
        set(&mut copy, intrinsic.instance_type, Instance::IngressClone as u64);
        self.replicate(copy, cloning.replicas, cloning.also);
    }

    /// The packet as egress left it, neither put together nor parsed again.
    fn clone_egress(&mut self, phv: &Phv, session: u16, list: u16) {
        let Some(cloning) = self.session(phv, session) else { return };
        let mut copy = self.blank();
        copy.copy_from(phv);
        copy.meta = Meta { payload: phv.meta.payload, limit: cloning.limit, ..self.copied(&phv.meta) };
        copy.reset_metadata(self.code);
        self.copy_list(list, phv, &mut copy);
        set(&mut copy, self.code.intrinsic.instance_type, Instance::EgressClone as u64);
        self.replicate(copy, cloning.replicas, cloning.also);
    }

    fn session(&mut self, phv: &Phv, session: u16) -> Option<Cloning<'a>> {
        if phv.meta.passes >= MAX_PASSES {
            self.output.drops.too_many_passes += 1;
            return None;
        }
        let tables = self.tables;
        let found = tables.replication.session(session);
        let copies = found.map(|cloning| cloning.copies());
        self.trace(|| TraceEvent::Clone { session, copies });
        if found.is_none() {
            self.output.drops.no_clone_session += 1;
        }
        found
    }

    fn resubmit(&mut self, phv: &Phv) {
        if phv.meta.passes >= MAX_PASSES {
            self.output.drops.too_many_passes += 1;
            return;
        }
        self.trace(|| TraceEvent::Resubmitted);
        let mut copy = self.blank();
        copy.meta = Meta { length: phv.meta.ingress_length, ..self.copied(&phv.meta) };
        self.copy_list(phv.meta.resubmit as u16, phv, &mut copy);
        let intrinsic = &self.program.code.intrinsic;
        set(&mut copy, intrinsic.instance_type, Instance::Resubmitted as u64);
        set(&mut copy, intrinsic.packet_length, u64::from(phv.meta.ingress_length));
        if self.job() {
            self.scratch.ingress.push_back(copy);
        }
    }

    /// Lets the bytes of the output from `start` on come in again.
    fn recirculate(&mut self, phv: &Phv, start: usize) {
        if phv.meta.passes >= MAX_PASSES {
            self.output.drops.too_many_passes += 1;
            return;
        }
        self.trace(|| TraceEvent::Recirculated);
        let bytes = core::mem::take(&mut self.output.bytes);
        let buffer = self.buffer(&bytes[start..]);
        let length = (bytes.len() - start) as u32;
        self.output.bytes = bytes;
        let mut copy = self.blank();
        copy.meta = Meta { buffer, ingress_length: length, length, ..self.copied(&phv.meta) };
        self.copy_list(phv.meta.recirculate as u16, phv, &mut copy);
        let intrinsic = &self.program.code.intrinsic;
        set(&mut copy, intrinsic.instance_type, Instance::Recirculated as u64);
        set(&mut copy, intrinsic.packet_length, u64::from(length));
        if self.job() {
            self.scratch.ingress.push_back(copy);
        }
    }

    /// What a copy knows of its original; requests and flags are not part of it.
    fn copied(&self, meta: &Meta) -> Meta {
        Meta {
            buffer: meta.buffer,
            payload: meta.payload,
            port: meta.port,
            ingress_length: meta.ingress_length,
            length: meta.length,
            limit: u32::MAX,
            passes: meta.passes + 1,
            ..Meta::default()
        }
    }

    /// One copy per replica, in order, and then one for a port.
    fn replicate(&mut self, mut phv: Phv, replicas: &[Replica], also: Option<Port>) {
        for (port, instance) in replicas {
            let mut copy = self.blank();
            copy.copy_from(&phv);
            set(&mut copy, self.code.intrinsic.egress_rid, u64::from(*instance));
            self.enqueue(*port, copy);
        }
        let Some(port) = also else {
            return self.recycle(phv);
        };
        if let Some((_, last)) = replicas.last() {
            set(&mut phv, self.code.intrinsic.egress_rid, u64::from(*last));
        }
        self.enqueue(port, phv);
    }

    fn enqueue(&mut self, port: Port, mut phv: Phv) {
        if !self.job() {
            return self.recycle(phv);
        }
        match self.queue(port, &mut phv) {
            Queue::None => self.scratch.egress.push_back((port, phv)),
            Queue::Of(priority) => self.hold(port, priority, phv),
            Queue::Missing => self.recycle(phv),
        }
    }

    /// Where a packet waits. One that need not is told that its queue was empty.
    #[inline]
    fn queue(&mut self, port: Port, phv: &mut Phv) -> Queue {
        let intrinsic = &self.program.code.intrinsic;
        let priority = get(phv, intrinsic.priority);
        if priority >= u64::from(self.config.priority_queues) {
            self.output.drops.priority += 1;
            return Queue::Missing;
        }
        if self.queueing.has(port) {
            return Queue::Of(priority as u32);
        }
        set(phv, intrinsic.enq_timestamp, self.now.0);
        set(phv, intrinsic.enq_qdepth, 0);
        Queue::None
    }

    /// Puts a packet into the queue of its port and priority, if there is room.
    #[cold]
    fn hold(&mut self, port: Port, priority: u32, mut phv: Phv) {
        let Some(mut queues) = self.queues.of(port) else { return self.recycle(phv) };
        let payload = Self::payload(self.frame, &self.scratch.buffers, &phv.meta);
        // With what it takes beside its payload, so that empty packets are bounded too.
        let bytes = payload.len() + size_of_val(&*phv.slots) + if TRACE { self.frame.len() } else { 0 };
        if !queues.has_room(priority, bytes) {
            drop(queues);
            self.trace(|| TraceEvent::QueueFull { port, priority });
            self.output.drops.queue += 1;
            return self.recycle(phv);
        }
        let payload = payload.to_vec();
        (phv.meta.buffer, phv.meta.payload) = (0, 0);
        let origin = TRACE.then(|| Box::new(self.origin(&phv)));
        let left = self.steps;
        let (steps, _) = self.shared.get_or_insert_with(|| (Arc::new(AtomicU32::new(left)), left));
        let queued = Queued { phv, payload, origin, steps: steps.clone() };
        let before = queues.push(priority, queued, bytes, self.now);
        // It may have stopped to queue since that was looked up.
        self.queues.begin(port);
        drop(queues);
        self.trace(|| TraceEvent::Queued { port, priority, before });
        self.output.note_queued(port);
    }

    /// What a packet came from.
    fn origin(&self, phv: &Phv) -> Origin {
        let number = self.scratch.trace.as_ref().map_or(0, |trace| trace.number);
        let from = || Origin { number, port: phv.meta.port, frame: self.frame.to_vec() };
        self.origin.map_or_else(from, Origin::clone)
    }

    /// Whether this frame may become one packet more.
    fn job(&mut self) -> bool {
        self.scratch.jobs += 1;
        if self.scratch.jobs > MAX_JOBS {
            self.output.drops.too_many_passes += 1;
            return false;
        }
        true
    }

    fn digest(&mut self, phv: &Phv) {
        let number = phv.meta.digest as usize;
        let Some(index) = self.code.digest_numbers.get(number).copied().filter(|index| *index != crate::code::NONE)
        else {
            return;
        };
        self.trace(|| TraceEvent::Digest { list: DigestId(index) });
        let members = &self.code.digests[index as usize];
        self.output.push_digest(DigestId(index), |bytes| {
            for member in members {
                match member {
                    ListMember::Field { field, header } => {
                        let valid = *header == crate::code::NONE || phv.valid[*header as usize];
                        if valid {
                            crate::bits::push_bytes(&phv.slots[field.range()], field.bits, bytes);
                        } else {
                            bytes.resize(bytes.len() + field.bits.div_ceil(8) as usize, 0);
                        }
                    }
                    ListMember::Const { value, bits } => {
                        let limbs = [*value as u64, (*value >> 64) as u64];
                        crate::bits::push_bytes(&limbs, *bits, bytes);
                    }
                }
            }
        });
    }

    /// Copies the fields of a list; a number without a list has none.
    fn copy_list(&self, list: u16, from: &Phv, to: &mut Phv) {
        for member in self.code.field_lists.get(usize::from(list)).into_iter().flatten() {
            if let ListMember::Field { field, .. } = member {
                to.slots[field.range()].copy_from_slice(&from.slots[field.range()]);
            }
        }
    }

    /// Keeps a frame for another pass.
    fn buffer(&mut self, bytes: &[u8]) -> usize {
        let index = self.scratch.used;
        self.scratch.used += 1;
        if self.scratch.buffers.len() < self.scratch.used {
            self.scratch.buffers.push(Vec::new());
        }
        self.scratch.buffers[index].clear();
        self.scratch.buffers[index].extend_from_slice(bytes);
        index + 1
    }

    /// Takes a buffer out, so that it can be read while the scratch is written; `None` is the frame that came in.
    pub(crate) fn take_buffer(&mut self, buffer: usize) -> Option<Vec<u8>> {
        Some(core::mem::take(&mut self.scratch.buffers[buffer.checked_sub(1)?]))
    }

    pub(crate) fn put_buffer(&mut self, buffer: usize, bytes: Option<Vec<u8>>) {
        if let Some(bytes) = bytes {
            self.scratch.buffers[buffer - 1] = bytes;
        }
    }

    /// The part of a packet that no header holds.
    pub(crate) fn payload<'p>(frame: &'p [u8], buffers: &'p [Vec<u8>], meta: &Meta) -> &'p [u8] {
        let whole = meta.buffer.checked_sub(1).map_or(frame, |buffer| &buffers[buffer]);
        // While a later pass is being parsed its buffer is the parser's, and nothing is known of the payload yet.
        whole.get(meta.payload..).unwrap_or_default()
    }

    fn blank(&mut self) -> Phv {
        match self.scratch.pool.pop() {
            Some(mut phv) => {
                phv.reset(self.code);
                phv
            }
            None => Phv::new(self.code),
        }
    }

    fn recycle(&mut self, phv: Phv) {
        if self.scratch.pool.len() < KEPT {
            self.scratch.pool.push(phv);
        }
    }

    /// What expressions see, with the parameters of an action.
    pub(crate) fn env<'e>(&'e self, phv: &'e Phv, params: &'e [u64]) -> Env<'e> {
        Env { code: self.code, phv, params, registers: &self.arrays.registers }
    }

    /// Whether a condition holds.
    #[inline(never)]
    pub(crate) fn holds(&self, condition: Condition, params: &[u64], phv: &Phv) -> bool {
        condition.holds(&self.code.exprs, phv, |test| self.test(test, params, phv))
    }

    /// A test that needs an expression; out of line, so that the others have no part in its cost.
    #[inline(never)]
    fn test(&self, test: &Test, params: &[u64], phv: &Phv) -> bool {
        self.env(phv, params).test(test)
    }

    /// Uses up one step; false when there are none left, and then the packet is lost.
    #[inline]
    pub(crate) fn step(&mut self, phv: &mut Phv) -> bool {
        self.spend(1, phv)
    }

    /// Uses up what a pass costs in any case; false when not so much is left, and then the packet is lost.
    #[inline]
    fn pass(&mut self, phv: &mut Phv) -> bool {
        self.spend(PASS_STEPS + phv.meta.length / STEP_BYTES, phv)
    }

    #[inline]
    fn spend(&mut self, steps: u32, phv: &mut Phv) -> bool {
        match self.steps.checked_sub(steps) {
            Some(left) => {
                self.steps = left;
                true
            }
            None => {
                self.steps = 0;
                self.too_long(phv);
                false
            }
        }
    }

    /// Loses a packet that has no steps left.
    #[cold]
    pub(crate) fn too_long(&mut self, phv: &mut Phv) {
        if !phv.meta.dead {
            phv.meta.dead = true;
            self.output.drops.step_limit += 1;
        }
    }

    /// Notes an event if anybody wants to know.
    #[inline]
    pub(crate) fn trace(&mut self, event: impl FnOnce() -> TraceEvent) {
        if TRACE && let Some(trace) = &mut self.scratch.trace {
            trace.events.push(event());
        }
    }
}

/// Sets a field of the standard metadata, where the program has it.
#[inline]
pub(crate) fn set(phv: &mut Phv, field: Option<Field>, value: u64) {
    match field {
        Some(field) if field.is_word() => phv.slots[field.slot as usize] = value & mask64(field.bits),
        Some(field) => store(&mut phv.slots, field, &Value::Int(i128::from(value))),
        None => {}
    }
}

fn get(phv: &Phv, field: Option<Field>) -> u64 {
    field.map_or(0, |field| phv.slots[field.slot as usize])
}
