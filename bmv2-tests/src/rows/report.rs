//! What came of the cases, for people.

use std::fmt;

use super::{Case, Outcome, milliseconds};
use crate::linux::Failure;

/// So many problems of a case are shown.
const SHOWN: usize = 4;

/// One played case.
#[derive(Debug)]
pub struct Line {
    /// Which.
    pub case: Case,
    /// What the switches were.
    pub target: &'static str,
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
pub const HEADER: &str =
    "row  target          sent     lost  to others  interruption  wrong entries  verdict  what happens";

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, target, what) = (self.case.name, self.target, self.case.what);
        let verdict = if self.held() { "ok" } else { "NOT OK" };
        match &self.result {
            Ok(outcome) => {
                let it = outcome.figures;
                write!(
                    f,
                    "{name:<4} {target:<10} {:>9} {:>8} {:>10} {:>10.0} ms {:>14}  {verdict:<7}  {what}",
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
            Err(error) => write!(f, "{name:<4} {target:<10} {:>57}  {verdict:<7}  {what}\n       {error}", ""),
        }
    }
}
