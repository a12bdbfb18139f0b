//! Packets that must not stand in the way of others: a queue for each source, emptied in turn.
//!
//! Some packets decide something, others come from anybody in any number. Where the session's consumer can tell them apart
//! ([`SessionConfig::sort`](super::SessionConfig::sort)), those of the crowd wait here, apart from all other events. No source
//! takes the room of another: if there is none left, the one with the most waiting loses its newest. What is dropped is
//! counted by source.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use crate::p4::v1::PacketIn;

/// To which queue a packet belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketClass {
    /// Among the events, in their order.
    Event,
    /// Among those of this source.
    Crowd(u32),
}

/// Says which class a packet is of. Called by the session for each packet, so it has to be quick.
#[derive(Clone)]
pub struct PacketSorter(Arc<dyn Fn(&PacketIn) -> PacketClass + Send + Sync>);

impl PacketSorter {
    /// A sorter that does what `sort` says.
    pub fn new(sort: impl Fn(&PacketIn) -> PacketClass + Send + Sync + 'static) -> Self {
        Self(Arc::new(sort))
    }

    pub(super) fn class(&self, packet: &PacketIn) -> PacketClass {
        (self.0)(packet)
    }
}

impl fmt::Debug for PacketSorter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PacketSorter")
    }
}

/// How much of a crowd may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrowdLimits {
    /// Packets of one source.
    pub each: usize,
    /// Packets of all.
    pub packets: usize,
    /// Bytes of all, headers aside.
    pub bytes: usize,
}

impl Default for CrowdLimits {
    /// Room for a server's worth of hosts behind each of four ports, that all announce themselves at once.
    fn default() -> Self {
        Self { each: 16_384, packets: 65_536, bytes: 64 << 20 }
    }
}

/// The packets of a crowd. Clones are the same.
#[derive(Debug, Clone)]
pub struct Crowd {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: CrowdLimits,
    waiting: Mutex<Waiting>,
    arrived: Notify,
    ended: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    sources: BTreeMap<u32, Source>,
    /// The sources that have packets waiting, the next one first.
    turns: VecDeque<u32>,
    packets: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Source {
    queue: VecDeque<PacketIn>,
    /// How many were ever queued, and how many left the queue again.
    arrived: u64,
    left: u64,
    dropped: u64,
}

impl Crowd {
    pub(super) fn new(limits: CrowdLimits) -> Self {
        let (waiting, arrived, ended) = (Mutex::default(), Notify::new(), AtomicBool::new(false));
        Self { shared: Arc::new(Shared { limits, waiting, arrived, ended }) }
    }

    /// The next packet, each source in its turn, and its source; none after the session ended. Cancelling it loses nothing.
    pub async fn next(&self) -> Option<(u32, PacketIn)> {
        loop {
            let arrived = self.shared.arrived.notified();
            if let Some(next) = self.take() {
                return Some(next);
            }
            if self.shared.ended.load(Ordering::Acquire) {
                return None;
            }
            arrived.await;
        }
    }

    /// A packet that is there already, and its source.
    pub fn take(&self) -> Option<(u32, PacketIn)> {
        self.waiting().take()
    }

    /// How many packets of the source have been queued so far. Once [`Self::left`] is as high, all of them have been taken.
    pub fn arrived(&self, source: u32) -> u64 {
        self.waiting().sources.get(&source).map_or(0, |source| source.arrived)
    }

    /// How many packets of the source have left its queue so far.
    pub fn left(&self, source: u32) -> u64 {
        self.waiting().sources.get(&source).map_or(0, |source| source.left)
    }

    /// How many packets of the source were dropped so far.
    pub fn dropped(&self, source: u32) -> u64 {
        self.waiting().sources.get(&source).map_or(0, |source| source.dropped)
    }

    /// The sources of which packets were dropped, with their number.
    pub fn all_dropped(&self) -> BTreeMap<u32, u64> {
        let waiting = self.waiting();
        let dropped = waiting.sources.iter().map(|(number, source)| (*number, source.dropped));
        dropped.filter(|(_, dropped)| *dropped > 0).collect()
    }

    /// Queues a packet, or drops one; says whether one was dropped.
    pub(super) fn offer(&self, source: u32, packet: PacketIn) -> bool {
        let dropped = self.waiting().offer(source, packet, self.shared.limits);
        self.shared.arrived.notify_one();
        dropped
    }

    pub(super) fn end(&self) {
        self.shared.ended.store(true, Ordering::Release);
        self.shared.arrived.notify_waiters();
        self.shared.arrived.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held.
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn take(&mut self) -> Option<(u32, PacketIn)> {
        let number = self.turns.pop_front()?;
        let source = self.sources.get_mut(&number).expect("sources are never removed");
        let packet = source.queue.pop_front().expect("only sources with packets have turns");
        source.left += 1;
        if !source.queue.is_empty() {
            self.turns.push_back(number);
        }
        self.packets -= 1;
        self.bytes -= packet.payload.len();
        Some((number, packet))
    }

    fn offer(&mut self, number: u32, packet: PacketIn, limits: CrowdLimits) -> bool {
        let mut dropped = false;
        while self.packets >= limits.packets || self.bytes + packet.payload.len() > limits.bytes {
            let longest = self.sources.iter().max_by_key(|(_, source)| source.queue.len());
            let longest = longest.map(|(number, source)| (*number, source.queue.len()));
            let own = self.sources.get(&number).map_or(0, |source| source.queue.len());
            match longest {
                Some((longest, length)) if length > own + 1 => self.drop_newest(longest),
                Some(_) | None => {
                    self.sources.entry(number).or_default().dropped += 1;
                    return true;
                }
            }
            dropped = true;
        }
        let source = self.sources.entry(number).or_default();
        if source.queue.len() >= limits.each {
            source.dropped += 1;
            return true;
        }
        if source.queue.is_empty() {
            self.turns.push_back(number);
        }
        self.packets += 1;
        self.bytes += packet.payload.len();
        source.arrived += 1;
        source.queue.push_back(packet);
        dropped
    }

    fn drop_newest(&mut self, number: u32) {
        let source = self.sources.get_mut(&number).expect("it was found among them");
        let packet = source.queue.pop_back().expect("the longest queue is not empty");
        source.dropped += 1;
        source.left += 1;
        self.packets -= 1;
        self.bytes -= packet.payload.len();
        if source.queue.is_empty() {
            self.turns.retain(|turn| *turn != number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CrowdLimits = CrowdLimits { each: 4, packets: 6, bytes: 1_000 };

    fn packet(bytes: usize) -> PacketIn {
        PacketIn { payload: vec![0; bytes].into(), ..PacketIn::default() }
    }

    fn sources(crowd: &Crowd) -> Vec<u32> {
        std::iter::from_fn(|| crowd.take()).map(|(source, _)| source).collect()
    }

    #[test]
    fn sources_have_their_turns_however_many_packets_one_has() {
        let crowd = Crowd::new(LIMITS);
        for source in [1, 1, 1, 2, 3] {
            assert!(!crowd.offer(source, packet(1)));
        }
        assert_eq!(sources(&crowd), [1, 2, 3, 1, 1]);
    }

    #[test]
    fn one_source_meets_its_own_limit() {
        let crowd = Crowd::new(LIMITS);
        let dropped = (0..7).filter(|_| crowd.offer(1, packet(1))).count();
        assert_eq!((dropped, crowd.dropped(1), crowd.arrived(1), crowd.left(1)), (3, 3, 4, 0));
        assert_eq!(sources(&crowd).len(), 4);
        assert_eq!(crowd.left(1), 4, "all that arrived has left");
    }

    #[test]
    fn who_has_the_most_makes_room_for_who_has_less() {
        let crowd = Crowd::new(LIMITS);
        for source in [1, 1, 1, 1, 2, 2] {
            assert!(!crowd.offer(source, packet(1)));
        }
        assert!(crowd.offer(3, packet(1)), "somebody has lost one");
        assert_eq!(crowd.all_dropped(), [(1, 1)].into());
        assert_eq!(sources(&crowd), [1, 2, 3, 1, 2, 1]);
        // The same by bytes.
        for source in [1, 1, 2] {
            crowd.offer(source, packet(333));
        }
        assert!(crowd.offer(3, packet(100)));
        assert_eq!((crowd.dropped(1), crowd.dropped(3)), (2, 0));
        assert_eq!(sources(&crowd), [1, 2, 3]);
    }

    #[tokio::test]
    async fn waiting_ends_with_a_packet_or_with_the_session() {
        let crowd = Crowd::new(LIMITS);
        let waiting = tokio::spawn({
            let crowd = crowd.clone();
            async move { (crowd.next().await.map(|(source, _)| source), crowd.next().await) }
        });
        tokio::task::yield_now().await;
        crowd.offer(5, packet(1));
        tokio::task::yield_now().await;
        crowd.end();
        assert_eq!(waiting.await.unwrap(), (Some(5), None));
    }
}
