//! A running switch: one program, its tables and arrays, its replication lists.
//!
//! All control calls take `&self` and may run beside packets. Table contents, action profiles, replication lists and value
//! sets are one state that does not change: a packet takes the present one, without waiting for anybody, and sees every
//! table as of that moment. A control call makes the next state from a copy, which shares all that stays the same, and puts
//! it in the other's place before it returns, or with others when [`Switch::together`] ends; calls wait for each other,
//! packets for none of them. Counters, meters, registers and hit times are atomics or small locks of their own and never
//! hold packets up for a control call.
//!
//! Packets run beside each other, unless the program both reads and writes registers: what lies between the two would be
//! lost. In BMv2 the packets of all ports go through ingress one after the other, and programs count on that; so here those of such a
//! program wait for each other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};

use crate::error::ControlError;
use crate::exec::{Arrays, Run, Scratch};
use crate::ids::{Micros, Port};
use crate::output::Output;
use crate::program::Program;
use crate::queueing::{Backlog, MAX_PRIORITIES, Next, QueueSettings, QueueView, Queues};
use crate::state::Tables;
use crate::state::arrays::{Counter, Meter, Registers};
use crate::worker::Worker;

/// What a program cannot know about the switch it runs on.
#[derive(Clone, Debug)]
pub struct SwitchConfig {
    /// Port of the control plane, if there is one. The engine treats it like any other; it is here for those who ask.
    pub cpu_port: Option<Port>,
    /// The `egress_spec` that means "drop": 511 unless configured otherwise.
    pub drop_port: Port,
    /// Queues of each port, by priority; the highest is served first. A packet whose `standard_metadata.priority` has no queue
    /// is dropped: with 1, which is BMv2's default, any but 0. More than [`MAX_PRIORITIES`] count as so many.
    pub priority_queues: u32,
    /// Whether the fields of a header that a packet makes invalid read 0 from then on. Otherwise they keep what they were as long
    /// as the packet is there, as in BMv2. P4 leaves it open; those of a header that was never valid read 0 in any case.
    pub zero_invalid: bool,
    /// Seed of `random()`; equal seeds give equal numbers to a worker.
    pub seed: u64,
}

impl Default for SwitchConfig {
    fn default() -> Self {
        Self { cpu_port: None, drop_port: 511, priority_queues: 1, zero_invalid: false, seed: 0 }
    }
}

/// A program at work. Shared by reference between any number of packet workers and control calls.
#[derive(Debug)]
pub struct Switch {
    program: Arc<Program>,
    config: SwitchConfig,
    tables: ArcSwap<Tables>,
    /// The next state while calls are gathered, see [`Switch::together`]. Held by the control call that makes one.
    next: Mutex<Option<Tables>>,
    arrays: Arrays,
    queues: Queues,
    /// Held by whoever runs packets of a program whose packets go by what others have left in registers.
    turn: Mutex<()>,
}

impl Switch {
    /// A switch with the program's initial state: constant entries and default actions in place, all else empty.
    #[must_use]
    pub fn new(program: Arc<Program>, mut config: SwitchConfig) -> Self {
        config.priority_queues = config.priority_queues.min(MAX_PRIORITIES);
        fn cells<T: Default>(size: u64) -> Vec<T> {
            (0..size).map(|_| T::default()).collect()
        }
        let arrays = Arrays {
            counters: program.counters.iter().map(|info| cells::<Counter>(info.size)).collect(),
            meters: program.meters.iter().map(|info| cells::<Meter>(info.size)).collect(),
            registers: program.registers.iter().map(|info| Registers::new(info.size, info.bits)).collect(),
        };
        let tables = ArcSwap::from_pointee(Tables::new(&program));
        let queues = Queues::new(&QueueSettings::new(config.priority_queues));
        Self { program, config, tables, next: Mutex::new(None), arrays, queues, turn: Mutex::default() }
    }

    /// The program it runs.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// How it was set up.
    #[must_use]
    pub fn config(&self) -> &SwitchConfig {
        &self.config
    }

    /// Takes one frame in on `port` at the time `now` and appends what comes out to `output`. Frames of any length up to
    /// 64 KiB, also 0, are fine; longer ones are a counted drop.
    pub fn process(&self, worker: &mut Worker, port: Port, frame: &[u8], now: Micros, output: &mut Output) {
        self.process_batch(worker, port, [frame], now, output);
    }

    /// Takes frames in one after the other, as [`Switch::process`] does; all of them see the tables as of one moment.
    pub fn process_batch<'f>(
        &self,
        worker: &mut Worker,
        port: Port,
        frames: impl IntoIterator<Item = &'f [u8]>,
        now: Micros,
        output: &mut Output,
    ) {
        let scratch = worker.scratch(&self.program);
        let _turn = self.turn();
        if scratch.trace.is_some() {
            self.run::<true>(scratch, port, frames, now, output);
        } else {
            self.run::<false>(scratch, port, frames, now, output);
        }
    }

    /// Runs packets through egress that have waited for this port, at most `max` of those that may leave at the time `now`, and
    /// appends what comes out to `output`; how that must be used says [`Switch::end_queueing`].
    pub fn drain(&self, worker: &mut Worker, port: Port, max: usize, now: Micros, output: &mut Output) -> Backlog {
        let scratch = worker.scratch(&self.program);
        let _turn = self.turn();
        if scratch.trace.is_some() {
            self.resume::<true>(scratch, port, max, now, output)
        } else {
            self.resume::<false>(scratch, port, max, now, output)
        }
    }

    fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        self.program.code.in_turn.then(|| self.turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn run<'f, const TRACE: bool>(
        &self,
        scratch: &mut Scratch,
        port: Port,
        frames: impl IntoIterator<Item = &'f [u8]>,
        now: Micros,
        output: &mut Output,
    ) {
        let tables = self.read();
        let mut run = self.at_work::<TRACE>(&tables, now, scratch, output);
        for frame in frames {
            run.frame = frame;
            run.run(port);
        }
    }

    fn resume<const TRACE: bool>(
        &self,
        scratch: &mut Scratch,
        port: Port,
        max: usize,
        now: Micros,
        output: &mut Output,
    ) -> Backlog {
        let tables = self.read();
        for _ in 0..max {
            // Not held while the packet runs.
            let next = self.queues.of(port).map_or(Next::Nothing, |mut queues| queues.pop(now));
            let mut left = match next {
                Next::Left(left) => left,
                Next::At(moment) => return Backlog::At(moment),
                Next::Nothing => return Backlog::Empty,
            };
            let (payload, origin) = (std::mem::take(&mut left.item.payload), left.item.origin.take());
            let mut run = self.at_work::<TRACE>(&tables, now, scratch, output);
            (run.frame, run.origin) = (&payload, origin.as_deref());
            run.resume(port, left);
            if let Some(trace) = &mut scratch.trace {
                trace.origin = origin;
            }
        }
        Backlog::Now
    }

    fn at_work<'a, const TRACE: bool>(
        &'a self,
        tables: &'a Tables,
        now: Micros,
        scratch: &'a mut Scratch,
        output: &'a mut Output,
    ) -> Run<'a, TRACE> {
        let queueing = *output.queueing.get_or_insert_with(|| self.queues.queueing());
        Run {
            program: &self.program,
            code: &self.program.code,
            tables,
            arrays: &self.arrays,
            config: &self.config,
            queues: &self.queues,
            queueing,
            now,
            scratch,
            output,
            frame: &[],
            origin: None,
            steps: 0,
            shared: None,
        }
    }

    /// Has a port's packets wait from now on: whoever calls this has seen that it takes no more.
    pub fn begin_queueing(&self, port: Port) {
        self.queues.begin(port);
    }

    /// Has a port's packets not wait any more, and says whether that is so: not while one of them does, or while its limits are
    /// to be kept. To be called by whoever drains the port, when it has sent what has come out, so that no packet overtakes
    /// another; for the same reason nobody else drains this port meanwhile.
    pub fn end_queueing(&self, port: Port) -> bool {
        self.queues.end(port)
    }

    /// Gives all queues these limits. Packets that wait go on to wait, also where there is less room now.
    pub fn limit_queues(&self, settings: &QueueSettings) {
        self.queues.limit(settings);
    }

    /// A port's queues, by ascending priority; none for ports that cannot be plugged in.
    pub fn queues(&self, port: Port) -> Vec<QueueView> {
        self.queues.views(port)
    }

    /// Drops what waits for a port, and gives how many packets that were.
    pub fn clear_queues(&self, port: Port) -> usize {
        self.queues.clear(port)
    }

    /// The present state, as packets see it.
    fn read(&self) -> Guard<Arc<Tables>> {
        self.tables.load()
    }

    /// Lets control calls take effect together: packets see the state before until all of `calls` is done, and the control
    /// calls in it see each other's effects. Cheaper than as many calls alone, because what the first one copies the others
    /// change in place. Calls that other threads make meanwhile join in. Counters, meters and registers are not part of it.
    pub fn together<T>(&self, calls: impl FnOnce() -> T) -> T {
        /// Publishes what was gathered, also when a call panics: each call is done wholly or not at all.
        struct Publish<'s>(&'s Switch);
        impl Drop for Publish<'_> {
            fn drop(&mut self) {
                if let Some(next) = self.0.lock_next().take() {
                    self.0.tables.store(Arc::new(next));
                }
            }
        }
        let outermost = {
            let mut next = self.lock_next();
            let closed = next.is_none();
            next.get_or_insert_with(|| Tables::clone(&self.read()));
            closed
        };
        let _publish = outermost.then(|| Publish(self));
        calls()
    }

    /// Makes the next state. A call that fails has changed nothing.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Tables) -> Result<T, ControlError>,
    ) -> Result<T, ControlError> {
        let mut gathered = self.lock_next();
        if let Some(next) = &mut *gathered {
            return change(next);
        }
        let mut next = Tables::clone(&self.read());
        let answer = change(&mut next)?;
        self.tables.store(Arc::new(next));
        Ok(answer)
    }

    /// What control calls see: the present state, or the one that is being gathered.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Tables) -> T) -> T {
        let gathered = self.lock_next();
        match &*gathered {
            Some(next) => look(next),
            None => {
                drop(gathered);
                look(&self.read())
            }
        }
    }

    fn lock_next(&self) -> MutexGuard<'_, Option<Tables>> {
        // A poisoned lock means that a call panicked before its state took effect.
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn arrays(&self) -> &Arrays {
        &self.arrays
    }
}
