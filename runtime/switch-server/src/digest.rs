//! Digests on their way to the controller: gathered into lists, repeated only when acknowledged or given up (specification
//! 9.8).
//!
//! A state machine over time: what the data plane reports goes in by [`Digests::offer`], lists come out of
//! [`Digests::ready`], and [`Digests::next_deadline`] says when to look again.

use std::collections::{BTreeMap, HashSet, VecDeque};

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::digest_entry::Config;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::value::byte_length;
use vouch_switch::Micros;

use crate::entity::{Operation, Target};
use crate::fault::{Fault, Outcome};
use crate::schema::Digest;

/// The longest list, also where the controller sets no limit.
const MAX_LIST: usize = 1024;
/// How many sent digests per kind are remembered to suppress their duplicates. Beyond it new digests are dropped.
const MAX_UNACKNOWLEDGED: usize = 65_536;

/// The digests of one pipeline.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    enabled: BTreeMap<u32, Stream>,
    next_list: u64,
    /// Digests that were neither sent nor suppressed as duplicates.
    pub(crate) dropped: u64,
}

/// The digests of one kind.
#[derive(Debug)]
struct Stream {
    config: Config,
    gathered: Vec<Vec<u8>>,
    gathering_since: Micros,
    /// Everything gathered or sent and not yet acknowledged.
    known: HashSet<Vec<u8>>,
    sent: VecDeque<Sent>,
}

#[derive(Debug)]
struct Sent {
    list: u64,
    at: Micros,
    digests: Vec<Vec<u8>>,
}

/// A list that is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) digest: u32,
    pub(crate) list: u64,
    pub(crate) digests: Vec<Vec<u8>>,
}

impl Digests {
    /// The data plane reports a digest.
    pub(crate) fn offer(&mut self, digest: u32, data: &[u8], now: Micros) {
        let Some(stream) = self.enabled.get_mut(&digest) else {
            return;
        };
        stream.expire(now);
        if stream.known.contains(data) {
            return;
        }
        if stream.known.len() >= MAX_UNACKNOWLEDGED || stream.gathered.len() >= MAX_LIST {
            self.dropped += 1;
            return;
        }
        if stream.gathered.is_empty() {
            stream.gathering_since = now;
        }
        stream.known.insert(data.to_vec());
        stream.gathered.push(data.to_vec());
    }

    /// Take the lists that are full or have waited long enough.
    pub(crate) fn ready(&mut self, now: Micros) -> Vec<List> {
        let mut lists = Vec::new();
        for (&digest, stream) in &mut self.enabled {
            stream.expire(now);
            if !stream.gathered.is_empty() && (stream.is_full() || stream.deadline() <= now) {
                self.next_list += 1;
                let digests = std::mem::take(&mut stream.gathered);
                stream.remember(self.next_list, &digests, now);
                lists.push(List { digest, list: self.next_list, digests });
            }
        }
        lists
    }

    /// When [`ready`](Digests::ready) will have something to give, if nothing else is offered.
    pub(crate) fn next_deadline(&self) -> Option<Micros> {
        let waiting = self.enabled.values().filter(|stream| !stream.gathered.is_empty());
        waiting.map(|stream| if stream.is_full() { Micros(0) } else { stream.deadline() }).min()
    }

    /// The controller has acted on a list: its digests may be reported again.
    pub(crate) fn acknowledge(&mut self, digest: u32, list: u64) {
        let Some(stream) = self.enabled.get_mut(&digest) else {
            return;
        };
        if let Some(position) = stream.sent.iter().position(|sent| sent.list == list)
            && let Some(sent) = stream.sent.remove(position)
        {
            for digest in &sent.digests {
                stream.known.remove(digest);
            }
        }
    }
}

impl Stream {
    fn new(config: Config) -> Stream {
        Stream {
            config,
            gathered: Vec::new(),
            gathering_since: Micros(0),
            known: HashSet::new(),
            sent: VecDeque::new(),
        }
    }

    fn is_full(&self) -> bool {
        let limit = usize::try_from(self.config.max_list_size).unwrap_or(0);
        self.gathered.len() >= if limit == 0 { MAX_LIST } else { limit.min(MAX_LIST) }
    }

    fn deadline(&self) -> Micros {
        Micros(self.gathering_since.0.saturating_add(micros(self.config.max_timeout_ns)))
    }

    fn remember(&mut self, list: u64, digests: &[Vec<u8>], now: Micros) {
        if self.config.ack_timeout_ns == 0 {
            for digest in digests {
                self.known.remove(digest);
            }
        } else {
            self.sent.push_back(Sent { list, at: now, digests: digests.to_vec() });
        }
    }

    /// Give up waiting for acknowledgements that are overdue.
    fn expire(&mut self, now: Micros) {
        let timeout = micros(self.config.ack_timeout_ns);
        let overdue = |sent: &Sent| now.since(sent.at).0 >= timeout;
        while self.sent.front().is_some_and(overdue)
            && let Some(sent) = self.sent.pop_front()
        {
            for digest in &sent.digests {
                self.known.remove(digest);
            }
        }
    }
}

fn micros(nanos: i64) -> u64 {
    u64::try_from(nanos).unwrap_or(0) / 1000
}

impl Target {
    pub(crate) fn write_digest(&mut self, operation: Operation, entry: &v1::DigestEntry) -> Outcome {
        let digest = self.schema.digest(entry.digest_id)?;
        let within = |fault: Fault| fault.within(format_args!("digest {}", digest.info.name));
        let mut digests = self.lock_digests();
        let id = entry.digest_id;
        let config = entry.config.unwrap_or_default();
        if operation != Operation::Delete
            && (config.max_timeout_ns < 0 || config.max_list_size < 0 || config.ack_timeout_ns < 0)
        {
            return Err(within(Fault::invalid("timeouts and list sizes cannot be negative")));
        }
        match (operation, digests.enabled.get_mut(&id)) {
            (Operation::Insert, Some(_)) => Err(within(Fault::already_exists("it is enabled already"))),
            (Operation::Insert, None) => {
                digests.enabled.insert(id, Stream::new(config));
                Ok(())
            }
            (Operation::Modify, Some(stream)) => {
                stream.config = config;
                Ok(())
            }
            (Operation::Delete, Some(_)) => {
                digests.enabled.remove(&id);
                Ok(())
            }
            (Operation::Modify | Operation::Delete, None) => {
                Err(within(Fault::not_found("it is not enabled: insert its entry first")))
            }
        }
    }

    pub(crate) fn read_digests(&self, wanted: &v1::DigestEntry) -> Outcome<Vec<Kind>> {
        if wanted.digest_id != 0 {
            self.schema.digest(wanted.digest_id)?;
        }
        let digests = self.lock_digests();
        let selected = digests.enabled.iter().filter(|(id, _)| wanted.digest_id == 0 || wanted.digest_id == **id);
        let found = selected.map(|(digest_id, stream)| {
            Kind::DigestEntry(v1::DigestEntry { digest_id: *digest_id, config: Some(stream.config) })
        });
        Ok(found.collect())
    }
}

/// The wire form of one digest: its fields, which the engine has put one after the other in whole bytes.
pub(crate) fn encode(digest: &Digest, data: &[u8]) -> v1::P4Data {
    let mut rest = data;
    let mut row = digest.fields.iter().map(|bits| {
        let (field, after) = rest.split_at(byte_length(*bits).min(rest.len()));
        rest = after;
        (*bits, field.to_vec())
    });
    digest.shape.encode(&mut row)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLIS: u64 = 1000;

    fn digests(max_list_size: i32) -> Digests {
        let config = Config { max_timeout_ns: 10_000_000, max_list_size, ack_timeout_ns: 100_000_000 };
        Digests { enabled: BTreeMap::from([(1, Stream::new(config))]), ..Digests::default() }
    }

    fn lists(digests: &mut Digests, at: u64) -> Vec<(u64, Vec<Vec<u8>>)> {
        digests.ready(Micros(at)).into_iter().map(|list| (list.list, list.digests)).collect()
    }

    #[test]
    fn a_list_waits_for_its_time_or_its_size() {
        let mut digests = digests(2);
        assert_eq!(digests.next_deadline(), None);
        digests.offer(1, &[1], Micros(5));
        assert_eq!(digests.next_deadline(), Some(Micros(5 + 10 * MILLIS)));
        assert_eq!(lists(&mut digests, 5), []);
        assert_eq!(lists(&mut digests, 5 + 10 * MILLIS), [(1, vec![vec![1]])]);
        digests.offer(1, &[2], Micros(20 * MILLIS));
        digests.offer(1, &[3], Micros(20 * MILLIS));
        assert_eq!(digests.next_deadline(), Some(Micros(0)));
        assert_eq!(lists(&mut digests, 20 * MILLIS), [(2, vec![vec![2], vec![3]])]);
    }

    #[test]
    fn duplicates_are_suppressed_until_acknowledged_or_given_up() {
        let mut digests = digests(1);
        let sends = |digests: &mut Digests, at| {
            digests.offer(1, &[1], Micros(at));
            lists(digests, at).len()
        };
        assert_eq!(sends(&mut digests, 0), 1);
        assert_eq!(sends(&mut digests, 1), 0);
        digests.acknowledge(1, 99);
        assert_eq!(sends(&mut digests, 2), 0);
        digests.acknowledge(1, 1);
        assert_eq!(sends(&mut digests, 3), 1);
        assert_eq!(sends(&mut digests, 99 * MILLIS), 0);
        assert_eq!(sends(&mut digests, 3 + 100 * MILLIS), 1);
    }

    #[test]
    fn without_an_ack_timeout_nothing_is_remembered() {
        let mut digests =
            Digests { enabled: BTreeMap::from([(1, Stream::new(Config::default()))]), ..Digests::default() };
        for at in 0..3 {
            digests.offer(1, &[1], Micros(at));
            assert_eq!(lists(&mut digests, at).len(), 1);
        }
    }

    #[test]
    fn digests_that_nobody_enabled_are_ignored() {
        let mut digests = digests(1);
        digests.offer(2, &[1], Micros(0));
        digests.acknowledge(2, 1);
        assert_eq!(lists(&mut digests, 1), []);
    }

    #[test]
    fn more_than_a_list_holds_is_dropped_and_counted() {
        let mut digests = digests(0);
        for number in 0..=MAX_LIST {
            digests.offer(1, &number.to_be_bytes(), Micros(0));
        }
        assert_eq!(digests.dropped, 1);
        assert_eq!(lists(&mut digests, 0)[0].1.len(), MAX_LIST);
    }
}
