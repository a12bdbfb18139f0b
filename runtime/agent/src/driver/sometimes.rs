//! Lines for the log that somebody else can cause in any number: each is said once in a while, with how often it was true.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use vouch_mobility::Instant;

/// How many different lines are kept apart. What goes beyond is one line.
const LINES: usize = 1_024;

/// Remembers when what was said.
#[derive(Debug)]
pub(crate) struct Sometimes<K> {
    every: Duration,
    said: HashMap<Option<K>, Said>,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    since: u64,
}

impl<K: Hash + Eq> Sometimes<K> {
    pub(crate) fn new(every: Duration) -> Self {
        Self { every, said: HashMap::new() }
    }

    /// Whether to say it now, and then how often it was true since it was last said, this time included.
    pub(crate) fn say(&mut self, line: K, now: Instant) -> Option<u64> {
        let line = Some(line);
        if self.said.len() >= LINES && !self.said.contains_key(&line) {
            let every = self.every;
            self.said.retain(|_, said| now.since(said.at) < every);
        }
        let line = if self.said.len() < LINES || self.said.contains_key(&line) { line } else { None };
        match self.said.get_mut(&line) {
            None => {
                self.said.insert(line, Said { at: now, since: 0 });
                Some(1)
            }
            Some(said) if now.since(said.at) >= self.every => {
                let times = said.since + 1;
                *said = Said { at: now, since: 0 };
                Some(times)
            }
            Some(said) => {
                said.since += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_line_is_said_at_once_and_then_with_how_often_it_was_true() {
        let mut sometimes = Sometimes::new(Duration::from_secs(60));
        assert_eq!(sometimes.say("a", at(0)), Some(1));
        assert_eq!([sometimes.say("a", at(1)), sometimes.say("a", at(59))], [None, None]);
        assert_eq!(sometimes.say("b", at(59)), Some(1), "another line");
        assert_eq!(sometimes.say("a", at(60)), Some(3));
    }

    #[test]
    fn whoever_causes_ever_new_lines_gets_one_line() {
        let mut sometimes = Sometimes::new(Duration::from_secs(60));
        let said = (0..10_000).filter(|line| sometimes.say(*line, at(0)).is_some()).count();
        assert_eq!(said, LINES + 1);
        assert!(sometimes.said.len() <= LINES + 1);
        assert_eq!(sometimes.say(20_000, at(60)), Some(1), "what is long past makes room");
    }
}
