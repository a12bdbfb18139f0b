//! In-process links: two [`Endpoint`]s with a cable between them.
//!
//! An endpoint is a [`Port`] for a switch, and has `send` and `recv` of its own for a host. A frame sent at one end waits in the
//! queue of that direction until its delay has passed, then the other end takes it. The link is up while neither end was shut
//! down and both exist; taking it down loses what is in flight, as pulling a cable does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::capture::Capture;
use crate::frames::Frames;
use crate::port::{Closed, Frame, MAX_FRAME, Port, PortCounters, PortStatus, Receive, SendError};

/// How a link behaves. The default is a perfect one with room for 4,096 frames per direction.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// How long a frame travels. The timers behind it round up to the next millisecond; zero costs none.
    pub delay: Duration,
    /// The share of frames that get lost, 0 to 1.
    pub loss: f64,
    /// The seed of the losses: equal seeds lose equal frames. The two directions draw from different sequences.
    pub seed: u64,
    /// How many frames a direction holds; more are dropped and counted.
    pub queue: usize,
    /// The longest frame that it carries, in bytes; longer ones are dropped and counted. `None`: [`MAX_FRAME`].
    pub max_frame: Option<u16>,
    /// Where to record what enters the link, lost frames excepted.
    pub capture: Option<Capture>,
}

impl Default for LinkConfig {
    fn default() -> Self {
        LinkConfig { delay: Duration::ZERO, loss: 0.0, seed: 0, queue: 4096, max_frame: None, capture: None }
    }
}

/// Lay a link and return its ends.
pub fn link(config: LinkConfig) -> (Endpoint, Endpoint) {
    let cable = Arc::new(Cable {
        delay: config.delay,
        loss: config.loss.clamp(0.0, 1.0),
        queue: config.queue.max(1),
        max_frame: config.max_frame,
        capture: config.capture,
        state: Mutex::new(State {
            directions: [Direction::new(config.seed), Direction::new(config.seed ^ SECOND_DIRECTION)],
            ends: [End { admin_up: true, exists: true }; 2],
            up: true,
        }),
        arrived: [Notify::new(), Notify::new()],
        status: watch::Sender::new(PortStatus::Up),
    });
    let end = |side| Endpoint { holder: Arc::new(Holder { cable: cable.clone(), side }) };
    (end(0), end(1))
}

/// Any odd constant does; it only keeps the two directions from losing the same frames.
const SECOND_DIRECTION: u64 = 0x9e37_79b9_7f4a_7c15;
/// How many frames' memory a direction keeps for reuse: a few batches.
const SPARE: usize = 128;

/// One end of a [`link`]. Clones are the same end; when the last one is dropped the link is down for good.
#[derive(Clone)]
pub struct Endpoint {
    holder: Arc<Holder>,
}

impl Endpoint {
    /// Send one frame, or say why not. Never waits.
    pub fn send(&self, frame: impl Into<Frame>) -> Result<(), SendError> {
        let frame = frame.into();
        self.holder.cable.send(self.holder.side, frame.len(), |_spare| frame)
    }

    /// Take the next frame, waiting for one; `None` when the other end is gone and nothing is left to take. Dropping the
    /// future loses no frame.
    pub async fn recv(&self) -> Option<Frame> {
        let side = self.holder.side;
        self.holder.cable.receive(side, |state| state.take_due(side, &mut None)).await.ok()
    }

    /// Take the next frame if one is there now.
    pub fn try_recv(&self) -> Option<Frame> {
        self.holder.cable.lock().take_due(self.holder.side, &mut None)
    }

    /// Shut this end down, or bring it up again. The link is up only while both ends are.
    pub fn set_up(&self, up: bool) {
        self.holder.cable.change(|ends| ends[self.holder.side].admin_up = up);
    }

    /// The link's status, as both ends see it.
    pub fn is_up(&self) -> bool {
        *self.holder.cable.status.borrow() == PortStatus::Up
    }

    /// The link's status, now and whenever it changes.
    pub fn status(&self) -> watch::Receiver<PortStatus> {
        self.holder.cable.status.subscribe()
    }

    /// What this end sent and received. Drops are counted at the end that sent the frame.
    pub fn counters(&self) -> PortCounters {
        let state = self.holder.cable.lock();
        let [outgoing, incoming] = [&state.directions[self.holder.side], &state.directions[1 - self.holder.side]];
        PortCounters {
            received: incoming.counters.received,
            received_bytes: incoming.counters.received_bytes,
            ..outgoing.counters
        }
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("side", &self.holder.side).field("up", &self.is_up()).finish_non_exhaustive()
    }
}

impl Port for Endpoint {
    fn receive<'a>(&'a self, batch: &'a mut Frames, max: usize) -> Receive<'a> {
        let side = self.holder.side;
        Box::pin(self.holder.cable.receive(side, move |state| state.take_batch(side, batch, max)))
    }

    fn send(&self, frame: &[u8]) -> Result<(), SendError> {
        self.holder.cable.send(self.holder.side, frame.len(), |spare| {
            let mut owned = spare.pop().unwrap_or_default();
            owned.clear();
            owned.extend_from_slice(frame);
            owned
        })
    }

    fn max_frame(&self) -> Option<u16> {
        self.holder.cable.max_frame
    }

    fn status(&self) -> watch::Receiver<PortStatus> {
        Endpoint::status(self)
    }

    fn counters(&self) -> PortCounters {
        Endpoint::counters(self)
    }
}

/// What the clones of one end share; its drop ends the link.
struct Holder {
    cable: Arc<Cable>,
    side: usize,
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.cable.change(|ends| ends[self.side].exists = false);
        if let Some(capture) = &self.cable.capture
            && let Err(error) = capture.flush()
        {
            tracing::warn!(path = %capture.path().display(), %error, "capture is incomplete");
        }
    }
}

struct Cable {
    delay: Duration,
    loss: f64,
    queue: usize,
    max_frame: Option<u16>,
    capture: Option<Capture>,
    state: Mutex<State>,
    /// Wakes the receiver at the side of the same index.
    arrived: [Notify; 2],
    status: watch::Sender<PortStatus>,
}

struct State {
    /// By the side that sends.
    directions: [Direction; 2],
    ends: [End; 2],
    up: bool,
}

#[derive(Clone, Copy)]
struct End {
    admin_up: bool,
    exists: bool,
}

struct Direction {
    in_flight: VecDeque<InFlight>,
    /// Memory of frames that have been copied out, for those to come.
    spare: Vec<Frame>,
    random: StdRng,
    counters: PortCounters,
}

struct InFlight {
    /// `None` on a link without delay, which then needs no clock at all.
    due: Option<Instant>,
    frame: Frame,
}

impl Cable {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; the state is whole even if some did.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Put a frame of this length into the queue, made only if there is room.
    fn send(&self, side: usize, length: usize, make: impl FnOnce(&mut Vec<Frame>) -> Frame) -> Result<(), SendError> {
        let mut state = self.lock();
        let up = state.up;
        let direction = &mut state.directions[side];
        if length > self.max_frame.map_or(MAX_FRAME, usize::from) {
            direction.counters.dropped_long += 1;
            return Err(SendError::TooLong);
        }
        if !up {
            direction.counters.dropped_down += 1;
            return Err(SendError::Down);
        }
        if direction.in_flight.len() >= self.queue {
            direction.counters.dropped_full += 1;
            return Err(SendError::Full);
        }
        direction.counters.sent += 1;
        direction.counters.sent_bytes += length as u64;
        if self.loss > 0.0 && direction.random.random_bool(self.loss) {
            direction.counters.dropped_loss += 1;
            return Ok(());
        }
        let frame = make(&mut direction.spare);
        if let Some(capture) = &self.capture {
            capture.record(&frame);
        }
        let due = (!self.delay.is_zero()).then(|| Instant::now() + self.delay);
        direction.in_flight.push_back(InFlight { due, frame });
        drop(state);
        self.arrived[1 - side].notify_one();
        Ok(())
    }

    /// Wait until `take` finds something.
    async fn receive<T>(&self, side: usize, mut take: impl FnMut(&mut State) -> Option<T>) -> Result<T, Closed> {
        loop {
            let wait = {
                let mut state = self.lock();
                if let Some(taken) = take(&mut state) {
                    // Another task may wait at a clone of this end, and a notification covers any number of frames.
                    if !state.directions[1 - side].in_flight.is_empty() {
                        self.arrived[side].notify_one();
                    }
                    return Ok(taken);
                }
                match state.directions[1 - side].in_flight.front() {
                    Some(next) => next.due,
                    None if !state.ends[1 - side].exists => {
                        self.arrived[side].notify_one();
                        return Err(Closed);
                    }
                    None => None,
                }
            };
            match wait {
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(due) => {}
                    () = self.arrived[side].notified() => {}
                },
                None => self.arrived[side].notified().await,
            }
        }
    }

    /// Change the ends and draw the conclusions: what is in flight on a link that goes down is lost.
    fn change(&self, edit: impl FnOnce(&mut [End; 2])) {
        let mut state = self.lock();
        edit(&mut state.ends);
        let up = state.ends.iter().all(|end| end.admin_up && end.exists);
        if state.up && !up {
            for direction in &mut state.directions {
                direction.counters.dropped_down += direction.in_flight.len() as u64;
                direction.in_flight.clear();
            }
        }
        state.up = up;
        // Sent under the lock, so that two changes are reported in the order in which they were made.
        self.status.send_if_modified(|status| {
            let new = if up { PortStatus::Up } else { PortStatus::Down };
            std::mem::replace(status, new) != new
        });
        drop(state);
        for arrived in &self.arrived {
            arrived.notify_one();
        }
    }
}

impl State {
    /// Take the next frame that has arrived at `side`. `now` is when that is asked, looked up where it matters.
    fn take_due(&mut self, side: usize, now: &mut Option<Instant>) -> Option<Frame> {
        let direction = &mut self.directions[1 - side];
        let due = direction.in_flight.front()?.due;
        if due.is_some_and(|due| due > *now.get_or_insert_with(Instant::now)) {
            return None;
        }
        let next = direction.in_flight.pop_front()?;
        direction.counters.received += 1;
        direction.counters.received_bytes += next.frame.len() as u64;
        Some(next.frame)
    }

    /// Copy what has arrived at `side` to `batch`, at most `max` frames; `None` where there is nothing.
    fn take_batch(&mut self, side: usize, batch: &mut Frames, max: usize) -> Option<()> {
        let (before, mut now) = (batch.len(), None);
        while batch.len() - before < max
            && let Some(frame) = self.take_due(side, &mut now)
        {
            batch.push(&frame);
            let spare = &mut self.directions[1 - side].spare;
            if spare.len() < SPARE {
                spare.push(frame);
            }
        }
        (batch.len() > before).then_some(())
    }
}

impl Direction {
    fn new(seed: u64) -> Direction {
        Direction {
            in_flight: VecDeque::new(),
            spare: Vec::new(),
            random: StdRng::seed_from_u64(seed),
            counters: PortCounters::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_arrive_in_order_and_are_counted() {
        let (a, b) = link(LinkConfig::default());
        for byte in 0..3 {
            a.send([byte; 60]).expect("there is room");
        }
        for byte in 0..3 {
            assert_eq!(b.recv().await, Some(vec![byte; 60]));
        }
        assert_eq!(b.try_recv(), None);
        assert_eq!((a.counters().sent, a.counters().sent_bytes), (3, 180));
        assert_eq!((b.counters().received, b.counters().received_bytes), (3, 180));
        assert_eq!((b.counters().sent, a.counters().received), (0, 0));
    }

    #[tokio::test]
    async fn a_full_queue_drops_and_counts() {
        let (a, b) = link(LinkConfig { queue: 2, ..LinkConfig::default() });
        assert_eq!((a.send([1]), a.send([2]), a.send([3])), (Ok(()), Ok(()), Err(SendError::Full)));
        assert_eq!(a.counters().dropped_full, 1);
        assert_eq!(b.recv().await, Some(vec![1]));
        assert_eq!(a.send([4]), Ok(()));
        assert_eq!((b.recv().await, b.recv().await), (Some(vec![2]), Some(vec![4])));
    }

    #[tokio::test]
    async fn a_frame_longer_than_a_port_carries_is_refused() {
        let (a, _b) = link(LinkConfig::default());
        assert_eq!(a.send(vec![0; MAX_FRAME + 1]), Err(SendError::TooLong));
        let (short, _other) = link(LinkConfig { max_frame: Some(1514), ..LinkConfig::default() });
        assert_eq!([1514, 1515].map(|length| short.send(vec![0; length])), [Ok(()), Err(SendError::TooLong)]);
        assert_eq!(a.counters().dropped_long, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_delayed_frame_is_not_there_before_its_time() {
        let (a, b) = link(LinkConfig { delay: Duration::from_millis(10), ..LinkConfig::default() });
        let sent = Instant::now();
        a.send([1]).expect("there is room");
        assert_eq!(b.try_recv(), None);
        assert_eq!(b.recv().await, Some(vec![1]));
        assert!(sent.elapsed() >= Duration::from_millis(10));
    }

    #[tokio::test]
    async fn equal_seeds_lose_equal_frames() {
        let survivors = |seed| {
            let (a, b) = link(LinkConfig { loss: 0.5, seed, ..LinkConfig::default() });
            for byte in 0..100 {
                a.send([byte]).expect("there is room");
            }
            let received: Vec<Frame> = std::iter::from_fn(|| b.try_recv()).collect();
            assert_eq!(received.len() as u64 + a.counters().dropped_loss, 100);
            received
        };
        assert_eq!(survivors(7), survivors(7));
        assert_ne!(survivors(7), survivors(8));
    }

    #[tokio::test]
    async fn going_down_loses_what_is_in_flight_and_is_seen_at_both_ends() {
        let (a, b) = link(LinkConfig::default());
        let mut status = b.status();
        a.send([1]).expect("there is room");
        a.set_up(false);
        status.changed().await.expect("the link exists");
        assert_eq!(*status.borrow_and_update(), PortStatus::Down);
        assert_eq!((b.try_recv(), a.send([2]), b.send([3])), (None, Err(SendError::Down), Err(SendError::Down)));
        assert_eq!(a.counters().dropped_down, 2);

        a.set_up(true);
        status.changed().await.expect("the link exists");
        assert_eq!(*status.borrow_and_update(), PortStatus::Up);
        a.send([4]).expect("the link is up again");
        assert_eq!(b.recv().await, Some(vec![4]));
    }

    #[tokio::test]
    async fn a_dropped_end_closes_the_other() {
        let (a, b) = link(LinkConfig::default());
        let clone = a.clone();
        drop(a);
        assert!(b.is_up(), "a clone keeps the end");
        let waiting = tokio::spawn(async move { b.recv().await });
        drop(clone);
        assert_eq!(waiting.await.expect("no panic"), None);
    }

    #[tokio::test]
    async fn a_capture_holds_both_directions() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let capture = Capture::create(folder.path().join("a-b.pcap")).expect("the file is created");
        let (a, b) = link(LinkConfig { capture: Some(capture.clone()), ..LinkConfig::default() });
        a.send([1; 60]).expect("there is room");
        b.send([2; 60]).expect("there is room");
        drop((a, b));
        let file = std::fs::File::open(capture.path()).expect("the file is there");
        let mut reader = pcap_file::pcap::PcapReader::new(file).expect("a pcap header");
        let first = |packet: Option<Result<pcap_file::pcap::PcapPacket<'_>, _>>| {
            packet.map(|packet: Result<_, pcap_file::PcapError>| packet.expect("a whole packet").data[0])
        };
        assert_eq!(first(reader.next_packet()), Some(1));
        assert_eq!(first(reader.next_packet()), Some(2));
    }
}
