//! What hosts send each other, packet by packet: when it was sent, when it arrived, and who else saw it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a packet of ours begins with.
const MAGIC: &[u8; 8] = b"VOUCHROW";
/// The headers before a UDP payload over IPv4 and IPv6, on Ethernet.
const BEHIND_HEADERS: [usize; 2] = [14 + 20 + 8, 14 + 40 + 8];
/// The length of a payload: a small voice packet.
const PAYLOAD: usize = 160;
/// So many packets lost in a row are an absence.
const ABSENCE: u32 = 5;

/// What was sent so shortly before an excused time was still on its way when that began.
const ON_ITS_WAY: Duration = Duration::from_millis(20);

/// The packets of one stream.
#[derive(Debug)]
pub struct Ledger {
    id: u32,
    /// Who sends.
    pub from: String,
    /// Who is to receive.
    pub to: String,
    /// Whether a packet has arrived when its echo is back.
    echoed: bool,
    /// The cables behind which the receiver may be, if not behind its own.
    doors: Vec<String>,
    account: Mutex<Account>,
    sent: AtomicU64,
}

#[derive(Debug, Default)]
struct Account {
    packets: Vec<Packet>,
    strangers: BTreeMap<String, u64>,
    passed: Vec<Passage>,
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    sent: Instant,
    arrived: Option<Instant>,
}

/// A packet came out of a cable behind which its receiver may be.
#[derive(Clone, Copy, Debug)]
struct Passage {
    packet: usize,
    door: usize,
}

/// What became of packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Packets sent.
    pub sent: u64,
    /// Packets that the receiver did not get.
    pub lost: u64,
    /// Copies that others saw.
    pub strayed: u64,
    /// The longest time from sending a packet until it or a later one arrived.
    pub interruption: Duration,
}

impl Figures {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            lost: self.lost + other.lost,
            strayed: self.strayed + other.strayed,
            interruption: self.interruption.max(other.interruption),
        }
    }
}

/// A time in which nothing is counted, as that in which a host is nowhere.
pub type Excused = (Instant, Instant);

impl Ledger {
    /// The payload of the next packet.
    pub(super) fn next(&self) -> Vec<u8> {
        let mut account = self.account();
        let sequence = account.packets.len() as u64;
        account.packets.push(Packet { sent: Instant::now(), arrived: None });
        drop(account);
        self.sent.fetch_add(1, Ordering::Relaxed);
        let mut payload = Vec::with_capacity(PAYLOAD);
        payload.extend(MAGIC);
        payload.extend(self.id.to_be_bytes());
        payload.extend(sequence.to_be_bytes());
        payload.resize(PAYLOAD, b'.');
        payload
    }

    /// How many packets were sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether any of the packets sent since `since` has arrived.
    pub fn arrives(&self, since: Instant) -> bool {
        self.first_arrival(since).is_some()
    }

    /// When the first of them arrived.
    pub fn first_arrival(&self, since: Instant) -> Option<Instant> {
        let account = self.account();
        account.packets.iter().rev().take_while(|it| it.sent >= since).filter_map(|it| it.arrived).min()
    }

    /// When the first packet was sent, since `since`, that came out of this cable.
    pub fn first_through(&self, door: &str, since: Instant) -> Option<Instant> {
        let account = self.account();
        let here = |it: &&Passage| self.doors.get(it.door).is_some_and(|name| name == door);
        let sent = account.passed.iter().filter(here).filter_map(|it| account.packets.get(it.packet)).map(|it| it.sent);
        sent.filter(|sent| *sent >= since).min()
    }

    /// Whether all of them have, and there are some.
    pub fn is_whole(&self) -> bool {
        let account = self.account();
        !account.packets.is_empty() && account.packets.iter().all(|it| it.arrived.is_some())
    }

    /// What became of all packets but those sent in the excused times.
    pub fn figures(&self, excused: &[Excused]) -> Figures {
        let account = self.account();
        let counts = |it: &&Packet| !excused.iter().any(|(from, to)| it.sent + ON_ITS_WAY >= *from && it.sent < *to);
        let packets: Vec<_> = account.packets.iter().filter(counts).copied().collect();
        Figures {
            sent: packets.len() as u64,
            lost: packets.iter().filter(|it| it.arrived.is_none()).count() as u64,
            strayed: account.strangers.values().sum(),
            interruption: interruption(&packets),
        }
    }

    /// When the first packet was sent that arrived after the receiver had been gone: after several packets in a row were
    /// lost, the first of them sent after `gone`.
    pub fn returned(&self, gone: Instant) -> Option<Instant> {
        let account = self.account();
        let mut lost = 0;
        for packet in account.packets.iter().filter(|it| it.sent >= gone) {
            match packet.arrived {
                None => lost += 1,
                Some(_) if lost >= ABSENCE => return Some(packet.sent),
                Some(_) => lost = 0,
            }
        }
        None
    }

    /// How many packets that were sent in this time did not come out of this cable.
    pub fn missed(&self, door: &str, (from, to): (Instant, Instant)) -> u64 {
        let account = self.account();
        let here = |it: &&Passage| self.doors.get(it.door).is_some_and(|name| name == door);
        let passed: BTreeSet<usize> = account.passed.iter().filter(here).map(|it| it.packet).collect();
        let sent = account.packets.iter().enumerate().filter(|(_, it)| it.sent >= from && it.sent < to);
        sent.filter(|(number, _)| !passed.contains(number)).count() as u64
    }

    /// What of this stream others than its receiver saw, by their names.
    pub fn strangers(&self) -> BTreeMap<String, u64> {
        self.account().strangers.clone()
    }

    fn arrived(&self, sequence: u64) {
        let mut account = self.account();
        let packet = usize::try_from(sequence).ok().and_then(|it| account.packets.get_mut(it));
        if let Some(packet @ Packet { arrived: None, .. }) = packet {
            packet.arrived = Some(Instant::now());
        }
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest time from the sending of a packet until it or one sent later arrived; until the last was sent, if none did.
fn interruption(packets: &[Packet]) -> Duration {
    let Some(last) = packets.last() else { return Duration::ZERO };
    let (mut longest, mut next) = (Duration::ZERO, last.arrived.unwrap_or(last.sent));
    for packet in packets.iter().rev() {
        next = packet.arrived.map_or(next, |arrived| next.min(arrived));
        longest = longest.max(next.saturating_duration_since(packet.sent));
    }
    longest
}

/// All streams of a fabric.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    ledgers: Mutex<Vec<Arc<Ledger>>>,
}

impl Traffic {
    /// A stream more.
    pub(super) fn open(&self, from: &str, to: &str) -> Arc<Ledger> {
        self.begin(from, to, false, Vec::new())
    }

    /// The same of a stream that is echoed by somebody who may be behind any of these cables.
    pub(super) fn open_echo(&self, from: &str, to: &str, doors: &[&str]) -> Arc<Ledger> {
        self.begin(from, to, true, doors.iter().map(|&door| door.to_owned()).collect())
    }

    fn begin(&self, from: &str, to: &str, echoed: bool, doors: Vec<String>) -> Arc<Ledger> {
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        let id = u32::try_from(ledgers.len()).unwrap_or(u32::MAX);
        let (from, to) = (from.to_owned(), to.to_owned());
        let ledger =
            Arc::new(Ledger { id, from, to, echoed, doors, account: Mutex::default(), sent: AtomicU64::new(0) });
        ledgers.push(Arc::clone(&ledger));
        ledger
    }

    /// A host's kernel delivered a datagram.
    pub(super) fn delivered(&self, host: &str, payload: &[u8]) {
        if let Some((ledger, sequence)) = self.packet(payload)
            && *(if ledger.echoed { &ledger.from } else { &ledger.to }) == host
        {
            ledger.arrived(sequence);
        }
    }

    /// A frame comes out of the cable of `name`; its own frames are none of its neighbours' business.
    pub(super) fn seen(&self, name: &str, frame: &[u8]) {
        for behind in BEHIND_HEADERS {
            let Some(payload) = frame.get(behind..) else { continue };
            let Some((ledger, sequence)) = self.packet(payload) else { continue };
            if let Some(door) = ledger.doors.iter().position(|it| it == name) {
                let packet = usize::try_from(sequence).unwrap_or(usize::MAX);
                ledger.account().passed.push(Passage { packet, door });
            } else if ledger.to != name && !(ledger.echoed && ledger.from == name) {
                *ledger.account().strangers.entry(name.to_owned()).or_default() += 1;
            }
        }
    }

    fn packet(&self, payload: &[u8]) -> Option<(Arc<Ledger>, u64)> {
        let (id, rest) = payload.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
        let (sequence, _) = rest.split_first_chunk::<8>()?;
        let ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        let ledger = ledgers.get(usize::try_from(u32::from_be_bytes(*id)).ok()?)?;
        Some((Arc::clone(ledger), u64::from_be_bytes(*sequence)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One packet in each millisecond, and when it arrived.
    fn packets(arrivals: &[Option<u64>]) -> Vec<Packet> {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        (0..).zip(arrivals).map(|(sent, arrived)| Packet { sent: at(sent), arrived: arrived.map(at) }).collect()
    }

    #[test]
    fn an_echo_is_an_arrival_and_where_the_receiver_may_be_is_nobody_a_stranger() {
        let traffic = Traffic::default();
        let ledger = traffic.open_echo("peer", "vm", &["hyper1", "hyper2"]);
        let start = Instant::now();
        let (first, second) = (ledger.next(), ledger.next());
        let end = Instant::now() + Duration::from_secs(1);
        let frame = |payload: &[u8]| [&[0; BEHIND_HEADERS[0]], payload].concat();
        // Both went there, the first one to somebody else as well, and the second one came back.
        traffic.seen("hyper1", &frame(&first));
        traffic.seen("mallory", &frame(&first));
        traffic.seen("hyper2", &frame(&second));
        traffic.seen("peer", &frame(&second));
        traffic.delivered("vm", &first);
        traffic.delivered("peer", &second);
        let figures = ledger.figures(&[]);
        assert_eq!((figures.sent, figures.lost, figures.strayed), (2, 1, 1));
        assert_eq!(["hyper1", "hyper2", "mallory"].map(|door| ledger.missed(door, (start, end))), [1, 1, 2]);
        let sent = ledger.first_through("hyper2", start);
        assert!(sent.is_some() && sent > ledger.first_through("hyper1", start));
        assert_eq!(ledger.first_through("mallory", start), None);
    }

    #[test]
    fn an_interruption_ends_with_the_next_packet_that_arrives() {
        assert_eq!(interruption(&packets(&[Some(0), None, None, Some(4)])), Duration::from_millis(3));
        assert_eq!(interruption(&packets(&[Some(0), Some(9), Some(9)])), Duration::from_millis(8));
        assert_eq!(interruption(&packets(&[Some(0), None, None])), Duration::from_millis(1));
        assert_eq!(interruption(&packets(&[Some(5), Some(1)])), Duration::from_millis(1));
        assert_eq!(interruption(&[]), Duration::ZERO);
    }

    #[test]
    fn packets_are_told_apart_from_others_and_from_strangers() {
        let traffic = Traffic::default();
        let ledger = traffic.open("a", "b");
        let payload = ledger.next();
        traffic.delivered("c", &payload);
        traffic.delivered("b", b"something else");
        assert_eq!(ledger.figures(&[]).lost, 1);
        traffic.delivered("b", &payload);
        assert_eq!(ledger.figures(&[]).lost, 0);
        let frame = [vec![0; 42], payload].concat();
        traffic.seen("b", &frame);
        traffic.seen("mallory", &frame);
        assert_eq!(ledger.strangers(), BTreeMap::from([("mallory".to_owned(), 1)]));
        let now = Instant::now();
        assert_eq!(ledger.figures(&[(now - Duration::from_secs(9), now)]).sent, 0);
    }
}
