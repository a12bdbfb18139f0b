//! Digests on their way to receivers that are no P4Runtime controllers, as BMv2 gathers them: samples in numbered buffers, each
//! sample once until it is acknowledged.
//!
//! A state machine over time, like that of [`digest`](crate::digest): what the data plane reports goes in by
//! [`Learning::offer`], buffers come out of [`Learning::ready`], and [`Learning::next_deadline`] says when to look again. There
//! is a list for each digest of the program, by its number there; nobody needs to enable it.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use vouch_switch::{DigestId, Micros, Program};

use crate::notices::Samples;

/// How many samples fill a buffer unless told.
const MAX_SAMPLES: usize = 16;
/// How long a buffer that is not full waits for more unless told.
const TIMEOUT: Micros = Micros(1_000_000);
/// Most bytes of a buffer: more than 1 MiB in a message is what receivers break off at.
const MAX_BUFFER: usize = (1 << 20) - 1024;
/// Most bytes that wait to be taken; what comes on top of them is dropped.
const MAX_WAITING: usize = 4 << 20;
/// Most bytes of samples that are remembered until they are acknowledged. Beyond it the oldest buffers are forgotten, and their
/// samples may come again.
const MAX_REMEMBERED: usize = 8 << 20;
/// What a remembered sample takes beside its bytes.
const OVERHEAD: usize = 64;

/// What a receiver asks of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LearnRequest {
    /// All samples of a buffer may come again. Unknown buffers are acknowledged already.
    AcknowledgeBuffer(u64),
    /// These samples of a buffer may come again, by their places in it.
    AcknowledgeSamples(u64, Vec<i32>),
    /// How long a buffer that is not full waits for more; 0 for ever.
    SetTimeout(Micros),
    /// How many samples fill a buffer.
    SetMaxSamples(usize),
}

/// The lists of one program.
#[derive(Debug)]
pub(crate) struct Learning {
    lists: Vec<List>,
    /// Samples that had no room.
    pub(crate) dropped: u64,
}

#[derive(Debug)]
struct List {
    number: u32,
    timeout: Micros,
    max_samples: usize,
    /// The buffer that is being gathered: its number, its samples one after the other, how many, and since when.
    buffer: u64,
    gathered: Vec<u8>,
    samples: usize,
    since: Micros,
    waiting: VecDeque<Samples>,
    waiting_bytes: usize,
    /// Everything that was not acknowledged, and in which buffer and place it is.
    known: HashSet<Arc<[u8]>>,
    buffers: BTreeMap<u64, Vec<Option<Arc<[u8]>>>>,
    known_bytes: usize,
}

impl Learning {
    /// A list for each digest.
    pub(crate) fn of(program: &Program) -> Learning {
        Learning { lists: program.digests().map(|(_, digest)| List::new(digest.number)).collect(), dropped: 0 }
    }

    /// The same lists without their samples.
    pub(crate) fn anew(&self) -> Learning {
        let anew =
            |list: &List| List { timeout: list.timeout, max_samples: list.max_samples, ..List::new(list.number) };
        Learning { lists: self.lists.iter().map(anew).collect(), dropped: self.dropped }
    }

    /// The data plane reports a digest.
    pub(crate) fn offer(&mut self, digest: DigestId, data: &[u8], now: Micros) {
        if let Some(list) = self.lists.get_mut(digest.index())
            && !list.offer(data, now)
        {
            self.dropped += 1;
        }
    }

    /// Take the buffers that are full or have waited long enough.
    pub(crate) fn ready(&mut self, now: Micros) -> Vec<Samples> {
        self.lists.iter_mut().flat_map(|list| list.ready(now)).collect()
    }

    /// When [`ready`](Learning::ready) will have something to give, if nothing else is offered.
    pub(crate) fn next_deadline(&self) -> Option<Micros> {
        self.lists.iter().filter_map(List::deadline).min()
    }

    /// Do what a receiver asks; `false` without such a list.
    pub(crate) fn request(&mut self, list: u32, request: &LearnRequest) -> bool {
        let Some(list) = self.lists.iter_mut().find(|known| known.number == list) else {
            return false;
        };
        match request {
            LearnRequest::AcknowledgeBuffer(buffer) => list.acknowledge(*buffer, None),
            LearnRequest::AcknowledgeSamples(buffer, samples) => list.acknowledge(*buffer, Some(samples)),
            LearnRequest::SetTimeout(timeout) => list.timeout = *timeout,
            LearnRequest::SetMaxSamples(count) => {
                list.max_samples = *count;
                if list.samples > 0 && list.samples >= list.max_samples {
                    list.close();
                }
            }
        }
        true
    }
}

impl List {
    fn new(number: u32) -> List {
        List {
            number,
            timeout: TIMEOUT,
            max_samples: MAX_SAMPLES,
            buffer: 0,
            gathered: Vec::new(),
            samples: 0,
            since: Micros(0),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            known: HashSet::new(),
            buffers: BTreeMap::new(),
            known_bytes: 0,
        }
    }

    /// Take a sample in, unless it is known; `false` if there is no room for it.
    fn offer(&mut self, data: &[u8], now: Micros) -> bool {
        if self.known.contains(data) {
            return true;
        }
        if self.samples > 0 && self.gathered.len() + data.len() > MAX_BUFFER {
            self.close();
        }
        if self.waiting_bytes + data.len() > MAX_WAITING {
            return false;
        }
        if self.samples == 0 {
            self.since = now;
        }
        self.remember(data);
        self.gathered.extend_from_slice(data);
        self.samples += 1;
        if self.samples >= self.max_samples {
            self.close();
        }
        true
    }

    fn remember(&mut self, data: &[u8]) {
        let sample: Arc<[u8]> = data.into();
        self.known_bytes += weight(&sample);
        self.buffers.entry(self.buffer).or_default().push(Some(sample.clone()));
        self.known.insert(sample);
        while self.known_bytes > MAX_REMEMBERED
            && let Some((&oldest, _)) = self.buffers.first_key_value()
            && oldest < self.buffer
        {
            self.acknowledge(oldest, None);
        }
    }

    /// The samples that were gathered are to go out.
    fn close(&mut self) {
        let bytes = std::mem::take(&mut self.gathered);
        self.waiting_bytes += bytes.len() + OVERHEAD;
        self.waiting.push_back(Samples { list: self.number, buffer: self.buffer, count: self.samples as u32, bytes });
        self.samples = 0;
        self.buffer += 1;
    }

    fn ready(&mut self, now: Micros) -> VecDeque<Samples> {
        if self.samples > 0 && self.timeout.0 > 0 && now >= self.timed_out() {
            self.close();
        }
        self.waiting_bytes = 0;
        std::mem::take(&mut self.waiting)
    }

    fn deadline(&self) -> Option<Micros> {
        if !self.waiting.is_empty() {
            return Some(Micros(0));
        }
        (self.samples > 0 && self.timeout.0 > 0).then(|| self.timed_out())
    }

    fn timed_out(&self) -> Micros {
        Micros(self.since.0.saturating_add(self.timeout.0))
    }

    /// Forget samples of a buffer by their places, or all.
    fn acknowledge(&mut self, buffer: u64, places: Option<&[i32]>) {
        let Some(samples) = self.buffers.get_mut(&buffer) else {
            return;
        };
        let acknowledged: Vec<Arc<[u8]>> = match places {
            None => samples.iter_mut().filter_map(Option::take).collect(),
            Some(places) => {
                (places.iter()).filter_map(|place| samples.get_mut(usize::try_from(*place).ok()?)?.take()).collect()
            }
        };
        if samples.iter().all(Option::is_none) && buffer != self.buffer {
            self.buffers.remove(&buffer);
        }
        for sample in acknowledged {
            self.known_bytes -= weight(&sample);
            self.known.remove(&sample);
        }
    }
}

fn weight(sample: &[u8]) -> usize {
    sample.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLIS: u64 = 1000;

    fn learning() -> Learning {
        Learning { lists: vec![List { max_samples: 1, ..List::new(7) }], dropped: 0 }
    }

    fn offer(learning: &mut Learning, data: &[u8], at: u64) {
        learning.lists[0].offer(data, Micros(at));
    }

    fn taken(learning: &mut Learning, at: u64) -> Vec<(u64, u32, Vec<u8>)> {
        learning.ready(Micros(at)).into_iter().map(|it| (it.buffer, it.count, it.bytes)).collect()
    }

    #[test]
    fn each_sample_goes_out_once_and_again_only_when_acknowledged() {
        let mut learning = learning();
        offer(&mut learning, &[1, 1], 0);
        offer(&mut learning, &[1, 1], 0);
        offer(&mut learning, &[2, 2], 0);
        assert_eq!(learning.next_deadline(), Some(Micros(0)));
        assert_eq!(taken(&mut learning, 0), [(0, 1, vec![1, 1]), (1, 1, vec![2, 2])]);
        assert_eq!(learning.next_deadline(), None);

        assert!(learning.request(7, &LearnRequest::AcknowledgeBuffer(0)));
        assert!(learning.request(7, &LearnRequest::AcknowledgeBuffer(99)));
        assert!(!learning.request(8, &LearnRequest::AcknowledgeBuffer(0)));
        offer(&mut learning, &[1, 1], 1);
        offer(&mut learning, &[2, 2], 1);
        assert_eq!(taken(&mut learning, 1), [(2, 1, vec![1, 1])]);
    }

    #[test]
    fn a_buffer_waits_for_its_size_or_its_time() {
        let mut learning = learning();
        learning.request(7, &LearnRequest::SetMaxSamples(3));
        learning.request(7, &LearnRequest::SetTimeout(Micros(50 * MILLIS)));
        (0..4).for_each(|sample| offer(&mut learning, &[sample], 10 * MILLIS));
        assert_eq!(taken(&mut learning, 10 * MILLIS), [(0, 3, vec![0, 1, 2])]);
        assert_eq!(learning.next_deadline(), Some(Micros(60 * MILLIS)));
        assert_eq!(taken(&mut learning, 59 * MILLIS), []);
        assert_eq!(taken(&mut learning, 60 * MILLIS), [(1, 1, vec![3])]);

        learning.request(7, &LearnRequest::SetTimeout(Micros(0)));
        offer(&mut learning, &[4], 70 * MILLIS);
        assert_eq!(learning.next_deadline(), None);
        learning.request(7, &LearnRequest::SetMaxSamples(1));
        assert_eq!(taken(&mut learning, 70 * MILLIS), [(2, 1, vec![4])]);
    }

    #[test]
    fn single_samples_are_acknowledged_by_their_places() {
        let mut learning = learning();
        learning.request(7, &LearnRequest::SetMaxSamples(3));
        (0..3).for_each(|sample| offer(&mut learning, &[sample], 0));
        assert_eq!(taken(&mut learning, 0).len(), 1);
        learning.request(7, &LearnRequest::AcknowledgeSamples(0, vec![1, 1, -1, 99]));
        (0..3).for_each(|sample| offer(&mut learning, &[sample], 0));
        assert_eq!(learning.lists[0].gathered, [1]);
        learning.request(7, &LearnRequest::AcknowledgeSamples(0, vec![0, 2]));
        assert_eq!(learning.lists[0].buffers.keys().collect::<Vec<_>>(), [&1]);
    }

    #[test]
    fn neither_what_waits_nor_what_is_remembered_grows_without_end() {
        let mut learning = learning();
        let sample = |number: usize| [number.to_be_bytes().as_slice(), &[0; 4096]].concat();
        let count = 2 * MAX_REMEMBERED / 4096;
        for number in 0..count {
            offer(&mut learning, &sample(number), 0);
            let waiting: usize = learning.lists[0].waiting.iter().map(|samples| samples.bytes.len()).sum();
            assert!(waiting <= MAX_WAITING);
            taken(&mut learning, 0);
        }
        let list = &learning.lists[0];
        let bytes: usize = list.known.iter().map(|sample| weight(sample)).sum();
        assert_eq!(list.known_bytes, bytes);
        assert!(bytes <= MAX_REMEMBERED + sample(0).len() + OVERHEAD);
        // The first was forgotten, the last was not.
        offer(&mut learning, &sample(0), 0);
        offer(&mut learning, &sample(count - 1), 0);
        assert_eq!(taken(&mut learning, 0).len(), 1);

        assert!((0..count).any(|number| !learning.lists[0].offer(&sample(number), Micros(0))));
    }

    #[test]
    fn a_reset_keeps_what_was_asked_for_and_begins_to_count_again() {
        let mut learning = learning();
        learning.request(7, &LearnRequest::SetMaxSamples(2));
        (0..2).for_each(|sample| offer(&mut learning, &[sample], 0));
        let mut learning = learning.anew();
        (0..2).for_each(|sample| offer(&mut learning, &[sample], 0));
        assert_eq!(taken(&mut learning, 0), [(0, 2, vec![0, 1])]);
    }
}
