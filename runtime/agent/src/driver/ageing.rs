//! Finding idle hosts on a switch that does not notify of them.
//!
//! Not every P4Runtime server keeps idle timeouts (`vouch_p4runtime::client::ServerTraits`). Each host's entry in `source` has a packet
//! counter all the same: it is read from time to time, and a host whose counter has not changed for the ageing time is
//! idle. That is found at most a quarter of that time late.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant as Clock, sleep_until};
use vouch_mobility::Instant;
use vouch_p4runtime::client::{RpcError, Session};
use vouch_p4runtime::p4::v1::{CounterData, Entity, TableEntry};
use vouch_tables::{EntryAction, EntryKey, SourceAction, SourceKey};

use super::switch::Program;
use crate::config::{Ageing, Config};

/// Nothing needs the counters more often.
const SHORTEST: Duration = Duration::from_millis(100);

/// The packets that each host has sent so far, as its entry counts them.
pub(crate) type Counts = Vec<(SourceKey, i64)>;

/// Reads the counters from time to time, where that is how idle hosts are found.
pub(crate) struct CounterFeed {
    every: Duration,
    state: State,
}

enum State {
    /// Not wanted.
    Off,
    /// The switch is not there.
    Idle,
    /// To be read then.
    Waiting(Clock),
    Reading(Pin<Box<dyn Future<Output = Result<Counts, RpcError>> + Send>>),
}

impl CounterFeed {
    pub(crate) fn new(config: &Config) -> Self {
        match (config.switch.ageing, &config.vtep) {
            (Ageing::Counters, Some(vtep)) => {
                Self { every: (vtep.timers.host_ageing / 4).max(SHORTEST), state: State::Idle }
            }
            (Ageing::Notifications, _) | (_, None) => Self { every: Duration::MAX, state: State::Off },
        }
    }

    /// The switch is there (again).
    pub(crate) fn restart(&mut self) {
        match self.state {
            State::Off => {}
            State::Idle | State::Waiting(_) | State::Reading(_) => self.wait(),
        }
    }

    /// The switch is gone.
    pub(crate) fn stop(&mut self) {
        match self.state {
            State::Off => {}
            State::Idle | State::Waiting(_) | State::Reading(_) => self.state = State::Idle,
        }
    }

    /// The next counts. Cancel-safe: what was begun goes on with the next call.
    pub(crate) async fn next(&mut self, session: &Session, program: &Program) -> Counts {
        loop {
            match &mut self.state {
                State::Off | State::Idle => pending().await,
                State::Waiting(until) => {
                    sleep_until(*until).await;
                    self.state = State::Reading(Box::pin(read(session.clone(), program.clone())));
                }
                State::Reading(counts) => {
                    let counts = counts.await;
                    self.wait();
                    match counts {
                        Ok(counts) => return counts,
                        Err(error) => tracing::debug!(%error, "the counters of hosts cannot be read now"),
                    }
                }
            }
        }
    }

    fn wait(&mut self) {
        self.state = State::Waiting(Clock::now() + self.every);
    }
}

async fn read(session: Session, program: Program) -> Result<Counts, RpcError> {
    // With the entries: some servers read direct counters no other way for a whole table.
    let Ok(source) = program.pipeline.p4info().table("source") else { return Ok(Counts::new()) };
    let counter_data = Some(CounterData::default());
    let wanted = TableEntry { table_id: source.id, counter_data, ..TableEntry::default() };
    let entries = session.read_entries(wanted).await?;
    let count = |entry: TableEntry| {
        let packets = entry.counter_data?.packet_count;
        match program.tables.decode(&Entity::from(entry)) {
            Ok(Some((EntryKey::Source(key), EntryAction::Source(it)))) => match it.action {
                SourceAction::Here { .. } => Some((key, packets)),
                SourceAction::ClaimPending { .. } | SourceAction::Quarantined => None,
            },
            // A default entry, or something foreign that the next synchronisation removes.
            Ok(_) | Err(_) => None,
        }
    };
    Ok(entries.into_iter().filter_map(count).collect())
}

/// When each host was last seen to have sent something.
#[derive(Debug)]
pub(crate) struct Activity {
    ageing: Duration,
    hosts: BTreeMap<SourceKey, (i64, Instant)>,
}

impl Activity {
    /// Nobody yet.
    pub(crate) fn new(ageing: Duration) -> Self {
        Self { ageing, hosts: BTreeMap::new() }
    }

    /// Takes counts in, and says who is idle. One who stays so is told again after another ageing time, as a switch does.
    pub(crate) fn observe(&mut self, counts: Counts, now: Instant) -> Vec<SourceKey> {
        let before = std::mem::take(&mut self.hosts);
        let mut idle = Vec::new();
        for (key, packets) in counts {
            let since = match before.get(&key) {
                // Any other count is a sign of life, a lower one of a switch that has restarted.
                Some((earlier, since)) if *earlier == packets => *since,
                Some(_) | None => now,
            };
            let overdue = now.since(since) >= self.ageing;
            if overdue {
                idle.push(key);
            }
            self.hosts.insert(key, (packets, if overdue { now } else { since }));
        }
        idle
    }
}

#[cfg(test)]
mod tests {
    use vouch_net::MacAddr;
    use vouch_tables::{Bd, LocationId};

    use super::*;

    fn host(last: u8) -> SourceKey {
        let (bd, location) = (Bd::new(1).expect("in range"), LocationId::access(1).expect("in range"));
        SourceKey { bd, mac: MacAddr([2, 0, 0, 0, 0, last]), location }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn who_sends_nothing_for_the_ageing_time_is_idle() {
        let mut activity = Activity::new(Duration::from_secs(10));
        assert_eq!(activity.observe(vec![(host(1), 5), (host(2), 5)], at(0)), []);
        assert_eq!(activity.observe(vec![(host(1), 5), (host(2), 6)], at(9)), []);
        assert_eq!(activity.observe(vec![(host(1), 5), (host(2), 6)], at(10)), [host(1)]);
        // Told again only after as long a time.
        assert_eq!(activity.observe(vec![(host(1), 5), (host(2), 6)], at(19)), [host(2)]);
        assert_eq!(activity.observe(vec![(host(1), 5), (host(2), 6)], at(20)), [host(1)]);
    }

    #[test]
    fn counters_that_begin_anew_and_hosts_that_come_back_are_no_idle_ones() {
        let mut activity = Activity::new(Duration::from_secs(10));
        activity.observe(vec![(host(1), 5), (host(2), 5)], at(0));
        assert_eq!(activity.observe(vec![(host(1), 0)], at(30)), []);
        assert_eq!(activity.observe(vec![(host(1), 1), (host(2), 5)], at(60)), []);
    }
}
