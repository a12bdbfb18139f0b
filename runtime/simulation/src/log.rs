//! What happened, in order: as a fingerprint always, and as lines if somebody wants to read them.

use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How many lines are kept; earlier ones go first.
const LINES: usize = 20_000;

/// The log. Clones are the same.
#[derive(Clone)]
pub(crate) struct Log {
    shared: Arc<Mutex<State>>,
}

struct State {
    began: Instant,
    fingerprint: DefaultHasher,
    lines: Option<Vec<String>>,
}

impl Log {
    pub(crate) fn new() -> Self {
        let state = State { began: Instant::now(), fingerprint: DefaultHasher::new(), lines: None };
        Self { shared: Arc::new(Mutex::new(state)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins anew, with or without lines.
    pub(crate) fn begin(&self, lines: bool) {
        *self.lock() = State { began: Instant::now(), fingerprint: DefaultHasher::new(), lines: lines.then(Vec::new) };
    }

    /// Since it began.
    pub(crate) fn time(&self) -> Duration {
        self.lock().began.elapsed()
    }

    /// Something happened.
    pub(crate) fn note(&self, words: impl FnOnce() -> String) {
        let mut state = self.lock();
        state.stamp();
        if state.lines.is_some() {
            let words = words();
            state.line(&words);
        }
    }

    /// Something happened that has a form for debugging.
    pub(crate) fn event(&self, who: usize, what: &impl fmt::Debug) {
        let mut state = self.lock();
        state.stamp();
        // Hashing cannot fail.
        let _ = write!(Hashed(&mut state.fingerprint), "{who} {what:?}");
        if state.lines.is_some() {
            let words = format!("agent {}: {what:?}", who + 1);
            state.line(&words);
        }
    }

    /// Bytes were written to a connection.
    pub(crate) fn bytes(&self, connection: u64, side: usize, bytes: usize) {
        let mut state = self.lock();
        state.stamp();
        state.fingerprint.write_u64(connection);
        state.fingerprint.write_usize(side);
        state.fingerprint.write_usize(bytes);
    }

    /// A frame was delivered.
    pub(crate) fn frame(&self, number: u64) {
        let mut state = self.lock();
        state.stamp();
        state.fingerprint.write_u64(number);
    }

    /// The fingerprint of all of it.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.lock().fingerprint.finish()
    }

    /// The lines, if there are any.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lock().lines.clone().unwrap_or_default()
    }
}

impl State {
    fn stamp(&mut self) {
        let now = self.began.elapsed().as_micros();
        self.fingerprint.write_u128(now);
    }

    fn line(&mut self, words: &str) {
        let now = self.began.elapsed();
        let Some(lines) = &mut self.lines else { return };
        if lines.len() >= LINES {
            lines.drain(..LINES / 2);
        }
        lines.push(format!("{:>9.3}  {words}", now.as_secs_f64()));
    }
}

struct Hashed<'a>(&'a mut DefaultHasher);

impl fmt::Write for Hashed<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
