//! The schedule by which a host is asked, and the silence that may follow.

use crate::config::Timers;
use crate::time::Instant;

/// A host is being asked for signs of life.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    started: Instant,
    /// How many of the configured probes are sent, or were skipped because the driver came late.
    sent: usize,
    last_sent: Instant,
}

/// A host was asked on schedule, was given the time to answer, and did not. Only [`Asking::silence`] makes one.
#[derive(Debug)]
pub(crate) struct Silence(());

impl Asking {
    pub(crate) fn begin(now: Instant) -> Self {
        Self { started: now, sent: 0, last_sent: now }
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// When there is something to do: a probe to send, or silence to be established.
    pub(crate) fn due(&self, timers: &Timers) -> Instant {
        match timers.probes.get(self.sent) {
            Some(&offset) => self.started + offset,
            None => self.silent_at(timers),
        }
    }

    /// Whether a probe is to be sent now. A driver that comes late sends one, not all it missed.
    pub(crate) fn take_probe(&mut self, now: Instant, timers: &Timers) -> bool {
        let due = timers.probes[self.sent..].iter().take_while(|&&offset| self.started + offset <= now).count();
        self.sent += due;
        if due > 0 {
            self.last_sent = now;
        }
        due > 0
    }

    pub(crate) fn silence(&self, now: Instant, timers: &Timers) -> Option<Silence> {
        (self.sent == timers.probes.len() && now >= self.silent_at(timers)).then_some(Silence(()))
    }

    /// The configured time; later if the last probe went out late, so that a stalled driver is not taken for a silent host.
    fn silent_at(&self, timers: &Timers) -> Instant {
        let last_offset = timers.probes.last().copied().unwrap_or_default();
        let patience = timers.verdict_after.saturating_sub(last_offset) / 2;
        (self.started + timers.verdict_after).max(self.last_sent + patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ms(millis: u64) -> Instant {
        Instant::EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn probes_and_silence_come_at_the_configured_times() {
        let timers = Timers::default();
        let mut asking = Asking::begin(ms(0));
        for at in [0, 15, 35, 100, 200] {
            assert_eq!(asking.due(&timers), ms(at));
            assert!(asking.take_probe(ms(at), &timers));
            assert!(!asking.take_probe(ms(at), &timers));
            assert!(asking.silence(ms(at), &timers).is_none());
        }
        assert_eq!(asking.due(&timers), ms(300));
        assert!(asking.silence(ms(299), &timers).is_none());
        assert!(asking.silence(ms(300), &timers).is_some());
    }

    #[test]
    fn a_stalled_driver_still_gives_the_host_time_to_answer() {
        let timers = Timers::default();
        let mut asking = Asking::begin(ms(0));
        assert!(asking.take_probe(ms(0), &timers));
        assert!(asking.silence(ms(900), &timers).is_none(), "silence before the last probe went out");
        assert!(asking.take_probe(ms(900), &timers));
        assert!(asking.silence(ms(900), &timers).is_none());
        assert_eq!(asking.due(&timers), ms(950));
        assert!(asking.silence(ms(950), &timers).is_some());
    }
}
