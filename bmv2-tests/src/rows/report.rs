//! What came of what was played, for people.

use std::fmt;

use super::{Outcome, milliseconds};
use crate::linux::Failure;

/// So many problems of each are shown.
const SHOWN: usize = 4;

/// A case of a row, or a scenario, played.
#[derive(Debug)]
pub struct Line {
    /// What it is called.
    pub name: String,
    /// What happens in it.
    pub what: String,
    /// What the switches were.
    pub target: String,
    /// What came of it.
    pub result: Result<Outcome, Failure>,
}

impl Line {
    /// Whether every expectation held.
    pub fn held(&self) -> bool {
        self.result.as_ref().is_ok_and(Outcome::held)
    }
}

/// The columns' names.
pub const HEADER: &str = "scenario               target          sent     lost  to others  interruption  wrong entries  verdict  what happens";

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, what, target, .. } = self;
        let verdict = if self.held() { "ok" } else { "NOT OK" };
        match &self.result {
            Ok(outcome) => {
                let it = outcome.figures;
                write!(
                    f,
                    "{name:<22} {target:<10} {:>9} {:>8} {:>10} {:>10.0} ms {:>14}  {verdict:<7}  {what}",
                    it.sent,
                    it.lost,
                    it.strayed,
                    milliseconds(it.interruption),
                    outcome.wrong
                )?;
                if !outcome.notes.is_empty() {
                    write!(f, "\n       {}", outcome.notes.join("; "))?;
                }
                for problem in outcome.problems.iter().take(SHOWN) {
                    write!(f, "\n       NOT OK: {problem}")?;
                }
                match outcome.problems.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, "\n       and {more} more"),
                }
            }
            Err(error) => write!(f, "{name:<22} {target:<10} {:>57}  {verdict:<7}  {what}\n       {error}", ""),
        }
    }
}
