//! The account of one stream: every packet sent is delivered once, several times, to somebody else, or never.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

/// Packets one ledger holds: a quarter of an hour at 1,000 packets per second.
const MAX_PACKETS: usize = 1_000_000;

/// The account of one stream.
pub struct Ledger {
    id: u32,
    from: String,
    to: String,
    account: Mutex<Account>,
    /// Packets that were sent and have not arrived.
    missing: watch::Sender<u64>,
}

#[derive(Default)]
struct Account {
    packets: Vec<Packet>,
    duplicates: BTreeMap<u64, u64>,
    /// Which packets were seen on whose wire.
    elsewhere: BTreeMap<String, BTreeSet<u64>>,
    /// Sequence numbers that nobody sent: a corrupted packet.
    unknown: u64,
}

struct Packet {
    sent: Instant,
    arrived: Option<Instant>,
}

/// What became of a stream's packets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamReport {
    /// The sending host.
    pub from: String,
    /// The host it was meant for.
    pub to: String,
    /// Packets the sender's stack took.
    pub sent: u64,
    /// Different packets that the receiver's stack delivered.
    pub delivered: u64,
    /// Packets that never reached the receiver.
    pub lost: u64,
    /// Deliveries beyond the first of a packet.
    pub duplicates: u64,
    /// Deliveries of packets that nobody sent.
    pub unknown: u64,
    /// Packets that reached other hosts in place of the receiver.
    pub misdelivered: u64,
    /// The same by host. A packet that two of them got counts at both.
    pub misdelivered_at: BTreeMap<String, u64>,
    /// Packets that reached other hosts and the receiver as well.
    pub copies: u64,
    /// The same by host.
    pub copies_at: BTreeMap<String, u64>,
    /// Sending rate, packets per second.
    pub rate: f64,
    /// The longest time in which nothing arrived though something was sent, milliseconds.
    pub longest_gap_ms: f64,
    /// The longest time in which all that was sent was lost, milliseconds.
    pub longest_loss_ms: f64,
}

impl Ledger {
    pub(crate) fn new(id: u32, from: &str, to: &str) -> Self {
        let missing = watch::Sender::new(0);
        Self { id, from: from.to_owned(), to: to.to_owned(), account: Mutex::default(), missing }
    }

    /// The number that the stream's packets carry.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// The host the stream is meant for.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// Packets sent so far.
    pub fn sent_so_far(&self) -> u64 {
        self.account().packets.len() as u64
    }

    /// Write down the next packet and give its sequence number; `None` when the ledger is full.
    pub(crate) fn send(&self, now: Instant) -> Option<u64> {
        let mut account = self.account();
        if account.packets.len() >= MAX_PACKETS {
            return None;
        }
        account.packets.push(Packet { sent: now, arrived: None });
        let sequence = account.packets.len() as u64 - 1;
        drop(account);
        self.missing.send_modify(|missing| *missing += 1);
        Some(sequence)
    }

    /// The receiver's stack delivered a packet.
    pub(crate) fn delivered(&self, sequence: u64, now: Instant) {
        let mut account = self.account();
        let packet = usize::try_from(sequence).ok().and_then(|index| account.packets.get_mut(index));
        match packet {
            None => account.unknown += 1,
            Some(Packet { arrived: Some(_), .. }) => *account.duplicates.entry(sequence).or_default() += 1,
            Some(packet) => {
                packet.arrived = Some(now);
                drop(account);
                self.missing.send_modify(|missing| *missing -= 1);
            }
        }
    }

    /// A packet was seen on the wire of another host than the receiver.
    pub(crate) fn seen_elsewhere(&self, host: &str, sequence: u64) {
        self.account().elsewhere.entry(host.to_owned()).or_default().insert(sequence);
    }

    /// Wait until every packet sent so far has arrived, at most `patience`. Call it after the sender has stopped.
    pub async fn drained(&self, patience: Duration) {
        let mut missing = self.missing.subscribe();
        // Running out of patience is no error: what has not arrived by then is lost, and counted as such.
        let _ = tokio::time::timeout(patience, missing.wait_for(|missing| *missing == 0)).await;
    }

    /// Wait until the first `count` packets have arrived, at most `patience`: what has not by then is lost, and counted as such.
    pub async fn arrive(&self, count: u64, patience: Duration) {
        let mut missing = self.missing.subscribe();
        let mut arrived = 0;
        let all = |_: &u64| {
            let account = self.account();
            arrived += account.packets.iter().skip(arrived).take_while(|packet| packet.arrived.is_some()).count();
            arrived as u64 >= count
        };
        let _ = tokio::time::timeout(patience, missing.wait_for(all)).await;
    }

    /// Wait until `count` more packets have been sent, at most `patience`; whether they were.
    pub async fn sends(&self, count: u64, patience: Duration) -> bool {
        let target = self.sent_so_far() + count;
        // Every sent packet changes `missing`, so this looks again at each.
        let mut missing = self.missing.subscribe();
        tokio::time::timeout(patience, missing.wait_for(|_| self.sent_so_far() >= target)).await.is_ok()
    }

    /// The account as it stands.
    pub fn report(&self) -> StreamReport {
        self.report_of(0..u64::MAX)
    }

    /// The account of the packets from this sequence number on, as [`Self::sent_so_far`] gave it.
    pub fn report_since(&self, first: u64) -> StreamReport {
        self.report_of(first..u64::MAX)
    }

    /// The account of the packets with these sequence numbers.
    pub fn report_of(&self, range: Range<u64>) -> StreamReport {
        let account = self.account();
        let index = |sequence: u64| usize::try_from(sequence).unwrap_or(usize::MAX).min(account.packets.len());
        let packets = &account.packets[index(range.start)..index(range.end.max(range.start))];
        let arrived = |sequence: &u64| account.packets.get(*sequence as usize).is_some_and(|it| it.arrived.is_some());
        let delivered = packets.iter().filter(|packet| packet.arrived.is_some()).count() as u64;
        let sent = packets.len() as u64;
        let rate = match (packets.first(), packets.last()) {
            (Some(first), Some(last)) if last.sent > first.sent => {
                (sent - 1) as f64 / (last.sent - first.sent).as_secs_f64()
            }
            _ => 0.0,
        };
        let mut others = [BTreeSet::new(), BTreeSet::new()];
        let mut by_host = [BTreeMap::new(), BTreeMap::new()];
        for (host, seen) in &account.elsewhere {
            for sequence in seen.range(range.clone()) {
                let kind = usize::from(arrived(sequence));
                others[kind].insert(*sequence);
                *by_host[kind].entry(host.clone()).or_default() += 1;
            }
        }
        let [misdelivered, copies] = others.map(|packets| packets.len() as u64);
        let [misdelivered_at, copies_at] = by_host;
        StreamReport {
            from: self.from.clone(),
            to: self.to.clone(),
            sent,
            delivered,
            lost: sent - delivered,
            duplicates: account.duplicates.range(range).map(|(_, count)| count).sum(),
            unknown: account.unknown,
            misdelivered,
            misdelivered_at,
            copies,
            copies_at,
            rate,
            longest_gap_ms: milliseconds(longest_gap(packets)),
            longest_loss_ms: milliseconds(longest_loss(packets)),
        }
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest time without an arrival, from the first packet sent to the last arrival, or to the last packet sent if it is
/// among the lost. Where the sender itself paused, the pause is not counted as an interruption.
fn longest_gap(packets: &[Packet]) -> Duration {
    let (Some(first), Some(last)) = (packets.first(), packets.last()) else { return Duration::ZERO };
    let mut arrivals: Vec<Instant> = packets.iter().filter_map(|packet| packet.arrived).collect();
    if last.arrived.is_none() {
        arrivals.push(last.sent);
    }
    arrivals.sort_unstable();
    let mut previous = first.sent;
    let mut longest = Duration::ZERO;
    for arrival in arrivals {
        if arrival.saturating_duration_since(previous) > longest {
            longest = longest.max(without_pause(packets, previous, arrival));
        }
        previous = arrival;
    }
    longest
}

/// The part of the time between two arrivals in which packets were on their way: from the first one sent after `from`.
fn without_pause(packets: &[Packet], from: Instant, to: Instant) -> Duration {
    let next = packets.partition_point(|packet| packet.sent <= from);
    match packets.get(next) {
        Some(packet) => to.saturating_duration_since(packet.sent),
        None => to.saturating_duration_since(from),
    }
}

/// The longest run of lost packets: from the sending of its first to the sending of the next one that arrived.
fn longest_loss(packets: &[Packet]) -> Duration {
    let mut longest = Duration::ZERO;
    let mut run: Option<Instant> = None;
    for packet in packets {
        let start = *run.get_or_insert(packet.sent);
        if packet.arrived.is_some() {
            longest = longest.max(packet.sent - start);
            run = None;
        }
    }
    match (run, packets.last()) {
        (Some(start), Some(last)) => longest.max(last.sent - start),
        _ => longest,
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream of one packet per millisecond, `arrivals` in milliseconds.
    fn ledger(arrivals: &[Option<u64>]) -> Ledger {
        let start = Instant::now();
        let ledger = Ledger::new(0, "a", "b");
        for index in 0..arrivals.len() as u64 {
            ledger.send(start + Duration::from_millis(index));
        }
        for (index, arrival) in arrivals.iter().enumerate() {
            if let Some(at) = arrival {
                ledger.delivered(index as u64, start + Duration::from_millis(*at));
            }
        }
        ledger
    }

    #[test]
    fn a_whole_stream_has_no_loss() {
        let report = ledger(&[Some(1), Some(2), Some(3)]).report();
        assert_eq!((report.sent, report.delivered, report.lost, report.duplicates), (3, 3, 0, 0));
        assert_eq!(report.longest_loss_ms, 0.0);
        assert_eq!(report.rate, 1000.0);
    }

    #[test]
    fn losses_duplicates_and_strangers_are_each_counted() {
        let ledger = ledger(&[Some(0), None, None, Some(3)]);
        ledger.delivered(3, Instant::now());
        ledger.delivered(99, Instant::now());
        ledger.seen_elsewhere("mallory", 1);
        ledger.seen_elsewhere("mallory", 1);
        ledger.seen_elsewhere("mallory", 3);
        let report = ledger.report();
        assert_eq!((report.delivered, report.lost, report.duplicates, report.unknown), (2, 2, 1, 1));
        assert_eq!(report.misdelivered, 1);
        assert_eq!(report.misdelivered_at.get("mallory"), Some(&1));
        assert_eq!((report.copies, report.copies_at.get("mallory")), (1, Some(&1)));
        assert_eq!(report.longest_loss_ms, 2.0);
    }

    #[test]
    fn an_account_can_begin_later() {
        let ledger = ledger(&[None, None, Some(2), None, Some(4)]);
        ledger.seen_elsewhere("mallory", 0);
        ledger.seen_elsewhere("mallory", 3);
        let report = ledger.report_since(2);
        assert_eq!((report.sent, report.delivered, report.lost, report.misdelivered), (3, 2, 1, 1));
        assert_eq!(report.longest_loss_ms, 1.0);
        assert_eq!(ledger.report_since(99).sent, 0);
        let report = ledger.report_of(0..2);
        assert_eq!((report.sent, report.lost, report.misdelivered), (2, 2, 1));
    }

    #[test]
    fn packets_that_come_late_are_an_interruption_though_none_is_lost() {
        let report = ledger(&[Some(0), Some(9), Some(9), Some(9)]).report();
        assert_eq!(report.lost, 0);
        assert_eq!(report.longest_loss_ms, 0.0);
        assert_eq!(report.longest_gap_ms, 8.0);
    }

    #[test]
    fn a_loss_at_the_end_is_an_interruption() {
        let report = ledger(&[Some(0), Some(1), None, None, None]).report();
        assert_eq!(report.longest_gap_ms, 2.0);
        assert_eq!(report.longest_loss_ms, 2.0);
    }

    #[test]
    fn an_empty_stream_reports_zeros() {
        let report = ledger(&[]).report();
        assert_eq!((report.sent, report.lost, report.rate), (0, 0, 0.0));
    }
}
