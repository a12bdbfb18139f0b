//! Time as a value: the driver says what time it is, nothing in this crate asks.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time, in microseconds since an epoch that the driver chooses and never sets back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Instant(u64);

impl Instant {
    /// The driver's epoch.
    pub const EPOCH: Self = Self(0);

    /// `micros` microseconds after the epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time since `earlier`; zero if that is later than `self`.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates: a deadline beyond the end of time is never reached.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

/// Written as no other number is, so that who compares states of a machine can tell times from quantities.
impl Hash for Instant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_i128(i128::from(self.0));
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} ms", self.0 / 1_000, self.0 % 1_000)
    }
}

/// A wait before something is tried again, which doubles each time up to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub(crate) struct Wait(Duration);

impl Wait {
    /// The next one: `first`, and from then on twice the last, but no more than `max`.
    pub(crate) fn longer(&mut self, first: Duration, max: Duration) -> Duration {
        self.0 = if self.0.is_zero() { first } else { self.0.saturating_mul(2).min(max) };
        self.0
    }

    /// Whether there has been none yet.
    pub(crate) fn is_none(self) -> bool {
        self.0.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_up_to_its_limit() {
        let mut wait = Wait::default();
        assert!(wait.is_none());
        let (first, max) = (Duration::from_millis(200), Duration::from_millis(700));
        let waits: Vec<_> = (0..4).map(|_| wait.longer(first, max).as_millis()).collect();
        assert_eq!(waits, [200, 400, 700, 700]);
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let start = Instant::from_micros(5);
        assert_eq!(start + Duration::from_millis(1), Instant::from_micros(1_005));
        assert_eq!(start - Instant::from_micros(9), Duration::ZERO);
        assert_eq!(start + Duration::MAX, Instant::from_micros(u64::MAX));
    }
}
