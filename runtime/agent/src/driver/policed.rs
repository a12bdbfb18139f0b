//! How many punts the switch has dropped because they were over their budget: of each place, and for each reason.
//!
//! Silence proves something only if no answer was dropped ([`super::checks`]), and so it has to be known what the counters said
//! before a question began. They are read once when the switch is ready, and then in turn, so that what was dropped long ago
//! is not in the way of a question of now.

use std::collections::HashSet;
use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant as Clock, sleep_until};
use vouch_p4runtime::client::{RpcError, Session};
use vouch_tables::{Counted, PuntMeter};

use super::switch::Program;

/// How often some are read,
const EVERY: Duration = Duration::from_secs(1);
/// and how many at a time.
const SOME: usize = 256;
/// How many one request asks for.
const REQUEST: usize = 512;

/// Cells and what they have counted.
pub(crate) type Policed = Vec<(PuntMeter, u64)>;

/// Reads the cells in turn.
pub(crate) struct PolicedFeed {
    cells: Vec<PuntMeter>,
    next: usize,
    state: State,
}

enum State {
    /// The switch is not there.
    Idle,
    /// To be read then; all of them, or some.
    Waiting(Clock, usize),
    Reading(Pin<Box<dyn Future<Output = Result<Policed, RpcError>> + Send>>),
}

impl PolicedFeed {
    pub(crate) fn new() -> Self {
        Self { cells: Vec::new(), next: 0, state: State::Idle }
    }

    /// The switch is there (again), with these cells.
    pub(crate) fn restart(&mut self, cells: Vec<PuntMeter>) {
        self.next = 0;
        self.state = if cells.is_empty() { State::Idle } else { State::Waiting(Clock::now(), cells.len()) };
        self.cells = cells;
    }

    /// The switch is gone.
    pub(crate) fn stop(&mut self) {
        self.state = State::Idle;
    }

    /// The next counts. Cancel-safe: what was begun goes on with the next call.
    pub(crate) async fn next(&mut self, session: &Session, program: &Program) -> Policed {
        loop {
            match &mut self.state {
                State::Idle => pending().await,
                State::Waiting(until, number) => {
                    sleep_until(*until).await;
                    let number = *number;
                    let cells = self.cells.iter().cycle().skip(self.next).take(number).copied().collect();
                    self.next = (self.next + number) % self.cells.len();
                    self.state = State::Reading(Box::pin(read(session.clone(), program.clone(), cells)));
                }
                State::Reading(counts) => {
                    let counts = counts.await;
                    let some = SOME.min(self.cells.len());
                    match counts {
                        Ok(counts) => {
                            self.state = State::Waiting(Clock::now() + EVERY, some);
                            return counts;
                        }
                        Err(error) => {
                            tracing::debug!(%error, "the counters of policed punts cannot be read now");
                            // Until all have been read once, nothing is known of those that are missing.
                            self.state = State::Waiting(Clock::now() + EVERY, self.cells.len());
                        }
                    }
                }
            }
        }
    }
}

/// What the cells have counted so far.
pub(crate) async fn read(session: Session, program: Program, cells: Vec<PuntMeter>) -> Result<Policed, RpcError> {
    let mut counts = Vec::with_capacity(cells.len());
    for cells in cells.chunks(REQUEST) {
        let wanted = program.tables.read_policed(cells.iter().copied());
        let found = program.counts(&session, wanted).await?.into_iter();
        let of_cell = |(counted, count)| if let Counted::Policed(cell) = counted { Some((cell, count)) } else { None };
        let mut found: Policed = found.filter_map(of_cell).collect();
        // Places may share a cell (`vouch_tables::PuntMeter`), and the cell does not say for which it was asked. Then the order does.
        let asked: HashSet<&PuntMeter> = cells.iter().collect();
        if found.len() == cells.len() && found.iter().any(|(cell, _)| !asked.contains(cell)) {
            found.iter_mut().zip(cells).for_each(|((cell, _), asked)| *cell = *asked);
        }
        counts.append(&mut found);
    }
    Ok(counts)
}
