//! Sessions between the agents: they delay, break, and if told so, lose, duplicate and reorder.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use vouch_mobility::Instant;

/// How bad it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) max_delay_ms: u64,
    /// Per cent of messages lost, duplicated, and delivered out of order. Real sessions do none of it.
    pub(crate) loss: u32,
    pub(crate) duplication: u32,
    pub(crate) reordering: u32,
}

impl Weather {
    pub(crate) const FAIR: Self = Self { max_delay_ms: 5, loss: 0, duplication: 0, reordering: 0 };
}

/// All sessions, by unordered pair of VTEP numbers.
#[derive(Debug, Default)]
pub(crate) struct Network {
    sessions: BTreeMap<(usize, usize), Session>,
    last_arrival: BTreeMap<(usize, usize), Instant>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Session {
    up: bool,
    /// Messages of an earlier session never arrive.
    epoch: u64,
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

impl Network {
    pub(crate) fn is_up(&self, a: usize, b: usize) -> bool {
        self.sessions.get(&pair(a, b)).is_some_and(|session| session.up)
    }

    pub(crate) fn epoch(&self, a: usize, b: usize) -> u64 {
        self.sessions.get(&pair(a, b)).map_or(0, |session| session.epoch)
    }

    /// Whether that changed anything.
    pub(crate) fn set_up(&mut self, a: usize, b: usize, up: bool) -> bool {
        let session = self.sessions.entry(pair(a, b)).or_default();
        let changed = session.up != up;
        session.up = up;
        session.epoch += u64::from(changed);
        changed
    }

    /// When the copies of a message from `a` to `b` arrive.
    pub(crate) fn arrivals(
        &mut self,
        a: usize,
        b: usize,
        now: Instant,
        weather: Weather,
        rng: &mut StdRng,
    ) -> Vec<Instant> {
        let mut arrivals = Vec::new();
        if percent(rng, weather.loss) {
            return arrivals;
        }
        let copies = if percent(rng, weather.duplication) { 2 } else { 1 };
        for _ in 0..copies {
            let delay = Duration::from_micros(rng.random_range(100..=weather.max_delay_ms * 1_000));
            let mut at = now + delay;
            let last = self.last_arrival.entry((a, b)).or_default();
            if !percent(rng, weather.reordering) {
                at = at.max(*last);
                *last = at;
            }
            arrivals.push(at);
        }
        arrivals
    }
}

fn percent(rng: &mut impl Rng, chance: u32) -> bool {
    rng.random_range(0..100) < chance
}
