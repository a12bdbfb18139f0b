//! The queues of one port: what waits, for how long, and which packet leaves next. It has no clock: the moment is given.

use std::collections::VecDeque;

use super::{QueueLimits, QueueView};
use crate::ids::{Micros, Port};

/// Most bytes that wait at a port, whatever the depth of its queues: these bound packets, and one may be of 64 KiB.
const MAX_BYTES: usize = 64 << 20;
const NANOS: u64 = 1_000_000_000;

/// A queue for each priority. The highest that may is served first.
#[derive(Debug)]
pub(crate) struct PortQueues<T> {
    levels: Vec<Level<T>>,
    bytes: usize,
}

impl<T> Default for PortQueues<T> {
    fn default() -> Self {
        Self { levels: Vec::new(), bytes: 0 }
    }
}

#[derive(Debug)]
struct Level<T> {
    limits: QueueLimits,
    waiting: VecDeque<Waiting<T>>,
    /// When the last one that left was to leave, in nanoseconds: packets keep the rate on average, however late somebody comes
    /// to take them.
    paced: Option<u64>,
    dropped: u64,
}

#[derive(Debug)]
struct Waiting<T> {
    item: T,
    bytes: usize,
    since: Micros,
    before: usize,
}

/// What has left, and what it is told of its stay.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Left<T> {
    pub(crate) item: T,
    pub(crate) priority: u32,
    /// When it came.
    pub(crate) since: Micros,
    /// How many were in its queue when it came.
    pub(crate) before: usize,
    /// How many it has left behind.
    pub(crate) behind: usize,
}

/// What a port has to send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<T> {
    Left(Left<T>),
    /// Nothing before this moment.
    At(Micros),
    Nothing,
}

impl<T> PortQueues<T> {
    /// Gives the queues these limits, from priority 0 on.
    pub(crate) fn limit(&mut self, limits: impl Iterator<Item = QueueLimits>) {
        for (priority, limits) in limits.enumerate() {
            match self.levels.get_mut(priority) {
                Some(level) => level.limits = limits,
                None => self.levels.push(Level { limits, waiting: VecDeque::new(), paced: None, dropped: 0 }),
            }
        }
    }

    /// Whether a packet cannot pass without being looked at here, even if none waits and the port takes all.
    pub(crate) fn is_limiting(&self) -> bool {
        self.levels.iter().any(|level| level.limits.rate > 0 || level.limits.depth == 0)
    }

    /// Whether one more packet, whose payload has so many bytes, may wait with this priority. One that may not is counted.
    pub(crate) fn has_room(&mut self, priority: u32, bytes: usize) -> bool {
        let Some(level) = self.levels.get_mut(priority as usize) else { return false };
        let room = level.waiting.len() < level.limits.depth as usize && self.bytes.saturating_add(bytes) <= MAX_BYTES;
        level.dropped += u64::from(!room);
        room
    }

    /// Puts a packet at the end of the queue of its priority, and gives how many were there. It has asked for room.
    pub(crate) fn push(&mut self, priority: u32, item: T, bytes: usize, now: Micros) -> usize {
        let Some(level) = self.levels.get_mut(priority as usize) else { return 0 };
        let before = level.waiting.len();
        self.bytes += bytes;
        level.waiting.push_back(Waiting { item, bytes, since: now, before });
        before
    }

    /// Takes out the packet that is to leave now: of the highest priority that has one and has not reached its rate.
    pub(crate) fn pop(&mut self, now: Micros) -> Next<T> {
        let mut earliest: Option<u64> = None;
        for (priority, level) in self.levels.iter_mut().enumerate().rev() {
            let Some(due) = level.due() else { continue };
            if level.limits.rate > 0 && due > nanos(now) {
                earliest = Some(earliest.map_or(due, |earliest| earliest.min(due)));
                continue;
            }
            if let Some(Waiting { item, bytes, since, before }) = level.waiting.pop_front() {
                level.paced = Some(due);
                self.bytes -= bytes;
                let (priority, behind) = (priority as u32, level.waiting.len());
                return Next::Left(Left { item, priority, since, before, behind });
            }
        }
        earliest.map_or(Next::Nothing, |due| Next::At(Micros(due.div_ceil(1000))))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.levels.iter().all(|level| level.waiting.is_empty())
    }

    /// Drops all that waits, and gives how many that were.
    pub(crate) fn clear(&mut self) -> usize {
        self.bytes = 0;
        self.levels.iter_mut().map(|level| std::mem::take(&mut level.waiting).len()).sum()
    }

    pub(crate) fn views(&self, port: Port) -> impl Iterator<Item = QueueView> {
        (0..).zip(&self.levels).map(move |(priority, level)| QueueView {
            port,
            priority,
            limits: level.limits,
            waiting: level.waiting.len(),
            dropped: level.dropped,
        })
    }
}

impl<T> Level<T> {
    /// When the first packet may leave, in nanoseconds; `None` if there is none.
    fn due(&self) -> Option<u64> {
        let since = nanos(self.waiting.front()?.since);
        let pause = NANOS.checked_div(self.limits.rate).unwrap_or(0);
        Some(self.paced.map_or(since, |paced| since.max(paced.saturating_add(pause))))
    }
}

fn nanos(moment: Micros) -> u64 {
    moment.0.saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(limits: &[QueueLimits]) -> PortQueues<u32> {
        let mut queues = PortQueues::default();
        queues.limit(limits.iter().copied());
        queues
    }

    fn offer(queues: &mut PortQueues<u32>, priority: u32, item: u32, now: u64) -> bool {
        let room = queues.has_room(priority, 100);
        if room {
            queues.push(priority, item, 100, Micros(now));
        }
        room
    }

    /// The items that leave at a moment.
    fn leave(queues: &mut PortQueues<u32>, now: u64) -> Vec<u32> {
        std::iter::from_fn(|| match queues.pop(Micros(now)) {
            Next::Left(left) => Some(left.item),
            Next::At(_) | Next::Nothing => None,
        })
        .collect()
    }

    #[test]
    fn a_packet_learns_how_long_and_among_how_many_it_was() {
        let mut queues = queues(&[QueueLimits::default()]);
        for item in 0..3 {
            assert!(offer(&mut queues, 0, item, 10 + u64::from(item)));
        }
        let left = |item, since, before, behind| Next::Left(Left { item, priority: 0, since, before, behind });
        assert_eq!(queues.pop(Micros(20)), left(0, Micros(10), 0, 2));
        assert_eq!(queues.pop(Micros(20)), left(1, Micros(11), 1, 1));
        assert!(offer(&mut queues, 0, 3, 21));
        assert_eq!(queues.pop(Micros(22)), left(2, Micros(12), 2, 1));
        assert_eq!(queues.pop(Micros(22)), left(3, Micros(21), 1, 0));
        assert_eq!((queues.pop(Micros(22)), queues.is_empty()), (Next::Nothing, true));
    }

    #[test]
    fn the_last_ones_of_too_many_are_dropped_and_counted() {
        let mut queues = queues(&[QueueLimits { depth: 2, rate: 0 }]);
        assert_eq!([1, 2, 3, 4].map(|item| offer(&mut queues, 0, item, 0)), [true, true, false, false]);
        assert_eq!(leave(&mut queues, 0), [1, 2]);
        assert!(offer(&mut queues, 0, 5, 0));
        let view = queues.views(7).next().expect("there is one priority");
        assert_eq!((view.port, view.waiting, view.dropped), (7, 1, 2));
    }

    #[test]
    fn packets_that_are_few_and_long_are_bounded_too() {
        let mut queues = queues(&[QueueLimits { depth: u32::MAX, rate: 0 }]);
        let long = MAX_BYTES / 3;
        let fit = (0..5).filter(|item| queues.has_room(0, long) && queues.push(0, *item, long, Micros(0)) < 9).count();
        assert_eq!(fit, 3);
        assert_eq!(leave(&mut queues, 0).len(), 3);
        assert!(queues.has_room(0, long));
    }

    #[test]
    fn the_first_leaves_at_once_and_the_others_at_the_rate() {
        let mut queues = queues(&[QueueLimits { depth: 10, rate: 1000 }]);
        for item in 0..4 {
            offer(&mut queues, 0, item, 5000);
        }
        assert_eq!(leave(&mut queues, 5000), [0]);
        assert_eq!(queues.pop(Micros(5999)), Next::At(Micros(6000)));
        assert_eq!(leave(&mut queues, 6000), [1]);
        // Who comes late takes what was due.
        assert_eq!(leave(&mut queues, 8700), [2, 3]);
        offer(&mut queues, 0, 4, 8800);
        assert_eq!(queues.pop(Micros(8800)), Next::At(Micros(9000)));
        assert_eq!(leave(&mut queues, 9000), [4]);
        // A pause is not saved up.
        offer(&mut queues, 0, 5, 90_000);
        offer(&mut queues, 0, 6, 90_000);
        assert_eq!(leave(&mut queues, 90_000), [5]);
        assert_eq!(queues.pop(Micros(90_000)), Next::At(Micros(91_000)));
    }

    #[test]
    fn a_new_rate_counts_for_what_waits() {
        let mut queues = queues(&[QueueLimits { depth: 10, rate: 1 }]);
        for item in 0..3 {
            offer(&mut queues, 0, item, 0);
        }
        assert_eq!(leave(&mut queues, 0), [0]);
        queues.limit([QueueLimits { depth: 10, rate: 1000 }].into_iter());
        assert_eq!(leave(&mut queues, 1000), [1]);
        queues.limit([QueueLimits { depth: 10, rate: 0 }].into_iter());
        assert_eq!(leave(&mut queues, 1000), [2]);
    }

    #[test]
    fn the_highest_priority_goes_first_until_it_has_reached_its_rate() {
        let fast = QueueLimits { depth: 10, rate: 0 };
        let mut queues = queues(&[fast, fast, QueueLimits { depth: 10, rate: 1000 }]);
        for item in [0, 1, 2, 10, 11, 20, 21] {
            offer(&mut queues, item / 10, item, 0);
        }
        assert_eq!(leave(&mut queues, 0), [20, 10, 11, 0, 1, 2]);
        assert_eq!(queues.pop(Micros(0)), Next::At(Micros(1000)));
        assert_eq!(leave(&mut queues, 1000), [21]);
    }

    #[test]
    fn a_priority_without_a_queue_has_no_room() {
        assert!(!queues(&[QueueLimits::default()]).has_room(1, 0));
    }

    #[test]
    fn limits_say_whether_packets_must_be_looked_at() {
        let limiting = |depth, rate| queues(&[QueueLimits::default(), QueueLimits { depth, rate }]).is_limiting();
        assert_eq!([limiting(64, 0), limiting(1, 0), limiting(64, 1), limiting(0, 0)], [false, false, true, true]);
    }
}
