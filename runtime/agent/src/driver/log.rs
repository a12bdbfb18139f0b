//! The log's lines about hosts, peers and ports: one for each thing that happened, with stable names for its fields, and floods of them summarised.
//!
//! | field | what it is |
//! |---|---|
//! | `agent` | whose log it is |
//! | `event` | a stable word: `moved`, `stayed`, `attack`, … ([`KINDS`](super::words::KINDS)) |
//! | `vni`, `host` | the host |
//! | `place`, `other` | where it happened, or where the host is now; of a claim or a verdict, the other place |
//! | `peer` | the peer, by name |
//! | `addresses` | IP addresses |
//! | `evidence` | by what it is known, or why it is believed |
//! | `took_ms` | from claim to verdict |
//! | `times` | how often it was true since it was last said |

use std::collections::BTreeMap;
use std::time::Duration;

use vouch_mobility::Instant;

/// How many lines there may be in a second; the rest of the second's are one line.
const LINES: u32 = 20;

const SECOND: Duration = Duration::from_secs(1);

/// How many lines of each kind were not said.
#[derive(Debug, Default)]
pub(crate) struct Floods {
    since: Instant,
    said: u32,
    unsaid: BTreeMap<&'static str, u64>,
}

impl Floods {
    /// Whether there is room for one more line of that kind.
    pub(crate) fn admits(&mut self, kind: &'static str) -> bool {
        let admitted = self.said < LINES;
        if admitted {
            self.said += 1;
        } else {
            *self.unsaid.entry(kind).or_default() += 1;
        }
        admitted
    }

    /// What was not said in the second that is over, if anything was not. It is looked for whenever something else happens: the log wakes
    /// nobody.
    pub(crate) fn summary(&mut self, now: Instant) -> Option<String> {
        if now.since(self.since) < SECOND {
            return None;
        }
        (self.since, self.said) = (now, 0);
        let unsaid = std::mem::take(&mut self.unsaid);
        let all: u64 = unsaid.values().sum();
        let kinds: Vec<String> = unsaid.iter().map(|(kind, times)| format!("{times} {kind}")).collect();
        (all > 0).then(|| format!("{all} more events: {}", kinds.join(", ")))
    }
}

/// A line for the log, at a level.
macro_rules! say {
    ($level:ident, $agent:expr, $line:expr, $words:expr, $times:expr) => {{
        let (line, words) = ($line, $words);
        tracing::$level!(
            agent = $agent,
            event = line.kind,
            vni = line.host.map(|host| host.vni.get()),
            host = line.host.map(|host| tracing::field::display(host.mac)),
            place = line.place.map(words),
            other = line.other.map(words),
            peer = line.peer,
            addresses = (!line.addresses.is_empty()).then(|| tracing::field::debug(&line.addresses)),
            evidence = line.evidence,
            took_ms = line.took.map(|took| took.as_secs_f64() * 1e3),
            times = $times,
            "{}",
            line.text
        );
    }};
}
pub(crate) use say;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_few_lines_a_second_and_one_that_counts_the_rest() {
        let at = |millis| Instant::EPOCH + Duration::from_millis(millis);
        let mut floods = Floods::default();
        assert_eq!(floods.summary(at(1_000)), None);
        let said = (0..500).filter(|number| floods.admits(if number % 2 == 0 { "moved" } else { "stayed" })).count();
        assert_eq!(said, LINES as usize);
        assert_eq!(floods.summary(at(1_999)), None);
        assert_eq!(floods.summary(at(2_000)).as_deref(), Some("480 more events: 240 moved, 240 stayed"));
        assert_eq!(floods.summary(at(3_000)), None);
        assert!(floods.admits("moved"));
    }
}
