//! How long to wait before the next attempt to connect.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

/// Waits between attempts to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffConfig {
    /// Before the second attempt. Waits double,
    pub first: Duration,
    /// up to this for as long as the switch has not been away for `soon`: one that restarts is back by then,
    pub quick: Duration,
    /// which is counted in time spent waiting;
    pub soon: Duration,
    /// and then up to this.
    pub longest: Duration,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self { first: ms(20), quick: ms(250), soon: ms(5_000), longest: ms(5_000) }
    }
}

#[derive(Debug)]
pub(super) struct Backoff {
    config: BackoffConfig,
    next: Duration,
    waited: Duration,
}

impl Backoff {
    pub(super) fn new(config: BackoffConfig) -> Self {
        Self { config, next: config.first.min(config.quick).min(config.longest), waited: Duration::ZERO }
    }

    /// The next wait. The later half of it is random, so that controllers that lost one switch do not return in step.
    pub(super) fn next(&mut self, random: u32) -> Duration {
        let whole = self.next;
        self.waited += whole;
        let longest = if self.waited < self.config.soon { self.config.quick } else { self.config.longest };
        self.next = whole.saturating_mul(2).min(longest.min(self.config.longest));
        whole / 2 + (whole / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// After a success.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.config);
    }
}

/// Enough randomness for jitter: the keys of a fresh hasher.
pub(super) fn jitter() -> u32 {
    let hash = RandomState::new().build_hasher().finish();
    u32::try_from(hash >> 32).expect("32 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let ms = Duration::from_millis;
        let config = BackoffConfig { first: ms(100), quick: ms(300), soon: ms(1_000), longest: ms(1_000) };
        let mut backoff = Backoff::new(config);
        assert_eq!([0; 4].map(|random| backoff.next(random)), [ms(50), ms(100), ms(150), ms(150)]);
        assert_eq!([u32::MAX; 3].map(|random| backoff.next(random)), [ms(300), ms(600), ms(1_000)]);
        backoff.reset();
        assert_eq!(backoff.next(u32::MAX), ms(100));
    }

    #[test]
    fn a_first_wait_beyond_the_longest_is_cut() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(BackoffConfig { first: ms(900), quick: ms(800), soon: ms(0), longest: ms(300) });
        assert_eq!(backoff.next(u32::MAX), ms(300));
    }
}
