//! Egress queues: where packets wait between ingress and egress when their port takes them more slowly than they come.
//!
//! BMv2 queues every packet, and on an idle switch takes it out again at once. Here a packet goes through ingress and egress
//! in one go, as if its queue were empty, unless its port *queues*. A port queues when its limits ask for that (a rate, or no
//! room at all), or when somebody who saw that the port takes nothing more has said so ([`Switch::begin_queueing`]). Then
//! the engine keeps the packet as it is after ingress, and [`Switch::drain`] runs it through egress when its turn has come.
//!
//! # Order
//!
//! Packets of one port and priority leave in the order in which they came, also while the port begins and ends to queue, if
//! those who feed packets and those who drain keep to this:
//!
//! - Which ports queue is looked up once for all frames of an [`Output`](crate::Output), that is, until it is cleared. Whoever
//!   feeds frames sends what is in an output before feeding more.
//! - One drains a port at a time, and sends what came out before draining more or calling [`Switch::end_queueing`].
//! - A packet that comes to a queue whose port has stopped to queue meanwhile makes it queue again.
//!
//! [`Switch::begin_queueing`]: crate::Switch::begin_queueing
//! [`Switch::drain`]: crate::Switch::drain
//! [`Switch::end_queueing`]: crate::Switch::end_queueing

mod limits;
mod port;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::limits::{QueueChoice, QueueLimits, QueueSettings};
pub(crate) use self::port::{Left, Next, PortQueues};
use crate::ids::{Micros, Port};
use crate::packet::Phv;
use crate::trace::Origin;

/// Ports that can queue: those that v1model can name. Replicas may be meant for others, which nobody can plug in.
const PORTS: usize = 512;
/// Most queues of a port. v1model's priorities have three bits, which are eight; BMv2 has room for as many as here.
pub const MAX_PRIORITIES: u32 = 32;
const WORD: usize = u64::BITS as usize;

/// A packet between ingress and egress.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) phv: Phv,
    /// The part that no header holds.
    pub(crate) payload: Vec<u8>,
    /// The frame it came from, if anybody wants to know.
    pub(crate) origin: Option<Box<Origin>>,
    /// How many steps are left to all that came of that frame.
    pub(crate) steps: Arc<AtomicU32>,
}

/// A set of ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PortSet([u64; PORTS / WORD]);

impl PortSet {
    #[inline]
    pub(crate) fn has(&self, port: Port) -> bool {
        let port = usize::from(port);
        self.0.get(port / WORD).is_some_and(|word| word >> (port % WORD) & 1 == 1)
    }
}

/// All queues of a switch.
#[derive(Debug)]
pub(crate) struct Queues {
    /// The ports that queue. Changed only by who holds the port's queues.
    queueing: [AtomicU64; PORTS / WORD],
    ports: Vec<Mutex<PortQueues<Queued>>>,
}

/// What is in one queue, and what it has dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// The port.
    pub port: Port,
    /// The priority; the highest leaves first.
    pub priority: u32,
    /// Its bounds.
    pub limits: QueueLimits,
    /// Packets that wait.
    pub waiting: usize,
    /// Packets that found no room since the program started.
    pub dropped: u64,
}

/// What is left to do for a port after [`Switch::drain`](crate::Switch::drain).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backlog {
    /// Nothing waits.
    Empty,
    /// The next packet may leave now.
    Now,
    /// The next packet may leave at this moment, and none before.
    At(Micros),
}

impl Queues {
    pub(crate) fn new(settings: &QueueSettings) -> Self {
        let queues = Self { queueing: Default::default(), ports: (0..PORTS).map(|_| Mutex::default()).collect() };
        queues.limit(settings);
        queues
    }

    /// The ports that queue now.
    pub(crate) fn queueing(&self) -> PortSet {
        PortSet(std::array::from_fn(|word| self.queueing[word].load(Relaxed)))
    }

    /// Sets the limits of all queues. Packets that are beyond a new depth stay.
    pub(crate) fn limit(&self, settings: &QueueSettings) {
        for (number, port) in (0..).zip(&self.ports) {
            let mut queues = lock(port);
            queues.limit((0..settings.priorities()).map(|priority| settings.of(number, priority)));
            if queues.is_limiting() {
                self.begin(number);
            }
        }
    }

    /// A port's queues, for whoever has found it in the set.
    pub(crate) fn of(&self, port: Port) -> Option<MutexGuard<'_, PortQueues<Queued>>> {
        self.ports.get(usize::from(port)).map(lock)
    }

    /// Has a port queue. Its queues are held by the caller, or it does not matter whether it stops at this moment.
    pub(crate) fn begin(&self, port: Port) {
        let port = usize::from(port);
        if let Some(word) = self.queueing.get(port / WORD) {
            word.fetch_or(1 << (port % WORD), Relaxed);
        }
    }

    /// Has a port not queue any more, unless something waits or its limits ask for it.
    pub(crate) fn end(&self, port: Port) -> bool {
        let Some(queues) = self.of(port) else { return true };
        let ends = queues.is_empty() && !queues.is_limiting();
        if ends {
            let port = usize::from(port);
            self.queueing[port / WORD].fetch_and(!(1 << (port % WORD)), Relaxed);
        }
        ends
    }

    /// The queues of a port, by ascending priority.
    pub(crate) fn views(&self, port: Port) -> Vec<QueueView> {
        self.of(port).map_or_else(Vec::new, |queues| queues.views(port).collect())
    }

    /// Drops all that waits at a port, and gives how many that were.
    pub(crate) fn clear(&self, port: Port) -> usize {
        self.of(port).map_or(0, |mut queues| queues.clear())
    }
}

fn lock(queues: &Mutex<PortQueues<Queued>>) -> MutexGuard<'_, PortQueues<Queued>> {
    // Whole packets only: nothing is half done after a panic.
    queues.lock().unwrap_or_else(PoisonError::into_inner)
}
