//! How many frames of each place were longer than the underlay carries.
//!
//! Hosts that do not know how much of a frame is taken by the tunnel send frames that do not fit, and nobody tells them: small
//! packets pass, large ones vanish. The switch counts them by where they came in. One cell says whether there were any at all; the
//! places' cells are read only where it has risen.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant as Clock, sleep_until};
use vouch_p4runtime::client::{RpcError, Session};
use vouch_tables::{Counted, DropReason, LocationId, Pipeline};

use super::switch::Program;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(2);
/// How many places one request asks for.
const REQUEST: usize = 512;

/// Places, and how many frames of each were too long so far.
pub(crate) type TooLong = Vec<(LocationId, u64)>;

/// How many there were in all, and of each place.
type Found = Result<(u64, TooLong), RpcError>;

/// Looks from time to time.
pub(crate) struct TooLongFeed {
    places: Vec<LocationId>,
    /// How many there were in all when the places were last read.
    known: u64,
    state: State,
}

enum State {
    /// The switch is not there.
    Idle,
    Waiting(Clock),
    Reading(Pin<Box<dyn Future<Output = Found> + Send>>),
}

impl TooLongFeed {
    pub(crate) fn new() -> Self {
        Self { places: Vec::new(), known: 0, state: State::Idle }
    }

    /// The switch is there (again), with these places.
    pub(crate) fn restart(&mut self, places: Vec<LocationId>) {
        self.places = places;
        self.known = 0;
        self.state = State::Waiting(Clock::now() + EVERY);
    }

    /// The switch is gone.
    pub(crate) fn stop(&mut self) {
        self.state = State::Idle;
    }

    /// The next counts, where any has risen. Cancel-safe: what was begun goes on with the next call.
    pub(crate) async fn next(&mut self, session: &Session, program: &Program) -> TooLong {
        loop {
            match &mut self.state {
                State::Idle => pending().await,
                State::Waiting(until) => {
                    sleep_until(*until).await;
                    let places = self.places.clone();
                    self.state = State::Reading(Box::pin(read(session.clone(), program.clone(), places, self.known)));
                }
                State::Reading(counts) => {
                    let counts = counts.await;
                    self.state = State::Waiting(Clock::now() + EVERY);
                    match counts {
                        Ok((all, counts)) => {
                            self.known = all;
                            if !counts.is_empty() {
                                return counts;
                            }
                        }
                        Err(error) => tracing::debug!(%error, "how many frames were too long cannot be read now"),
                    }
                }
            }
        }
    }
}

/// How many there were in all, and of each place, if more than are `known`.
async fn read(session: Session, program: Program, places: Vec<LocationId>, known: u64) -> Found {
    let total = vec![program.tables.read_drop(Pipeline::Egress, DropReason::ExceedsMtu)];
    let all = program.counts(&session, total).await?.iter().map(|(_, count)| count).sum();
    let mut found = Vec::new();
    // Fewer: the switch has begun to count anew.
    if all != known {
        for places in places.chunks(REQUEST) {
            let wanted = program.tables.read_exceeds_mtu(places.iter().copied());
            for (counted, count) in program.counts(&session, wanted).await? {
                if let Counted::ExceedsMtu(place) = counted
                    && count > 0
                {
                    found.push((place, count));
                }
            }
        }
    }
    Ok((all, found))
}
