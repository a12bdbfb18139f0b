//! Expectations: what a scenario claims, and what was measured.

use std::fmt::Display;

use serde::Serialize;

/// One claim of a scenario, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Expectation {
    /// What is claimed.
    pub name: String,
    /// What was to come out.
    pub expected: String,
    /// What came out.
    pub measured: String,
    /// Whether that is as expected.
    pub held: bool,
    /// Whether a slow or busy machine can break it, with everything else in order.
    pub timed: bool,
}

/// The expectations of one scenario, in the order in which they were checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Expectations(Vec<Expectation>);

impl Expectations {
    /// Expect exactly this.
    pub fn equal<T: PartialEq + Display>(&mut self, name: impl Into<String>, expected: T, measured: T) {
        let held = expected == measured;
        self.push(name.into(), expected.to_string(), measured.to_string(), held, false);
    }

    /// Expect exactly this of a machine that keeps up.
    pub fn equal_in_time<T: PartialEq + Display>(&mut self, name: impl Into<String>, expected: T, measured: T) {
        let held = expected == measured;
        self.push(name.into(), expected.to_string(), measured.to_string(), held, true);
    }

    /// Expect no more than this many `unit`s.
    pub fn at_most(&mut self, name: impl Into<String>, limit: f64, measured: f64, unit: &str) {
        // A measurement that is not a number holds nothing.
        self.push(
            name.into(),
            format!("at most {limit} {unit}"),
            format!("{measured:.1} {unit}"),
            measured <= limit,
            true,
        );
    }

    /// Expect no fewer than this many `unit`s.
    pub fn at_least(&mut self, name: impl Into<String>, limit: f64, measured: f64, unit: &str) {
        self.push(
            name.into(),
            format!("at least {limit} {unit}"),
            format!("{measured:.1} {unit}"),
            measured >= limit,
            true,
        );
    }

    /// Expect something that only the scenario can judge.
    pub fn judge(&mut self, name: impl Into<String>, expected: &str, measured: impl Into<String>, held: bool) {
        self.push(name.into(), expected.to_owned(), measured.into(), held, false);
    }

    /// Add those of another part.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Whether every expectation held. Without any there is nothing to hold on to: a scenario that checks nothing fails.
    pub fn all_held(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|expectation| expectation.held)
    }

    /// Whether every expectation held but those that a slow or busy machine can break.
    pub fn held_but_for_time(&self) -> bool {
        !self.0.is_empty() && self.failed().all(|failed| failed.timed)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Expectation> {
        self.0.iter()
    }

    /// Those that did not hold.
    pub fn failed(&self) -> impl Iterator<Item = &Expectation> {
        self.iter().filter(|expectation| !expectation.held)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn push(&mut self, name: String, expected: String, measured: String, held: bool, timed: bool) {
        self.0.push(Expectation { name, expected, measured, held, timed });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_expectation_can_fail() {
        let mut all = Expectations::default();
        all.equal("lost", 0, 1);
        all.at_most("gap", 70.0, 70.1, "ms");
        all.at_most("gap", 70.0, f64::NAN, "ms");
        all.at_least("rate", 1000.0, 999.9, "packets/s");
        all.judge("table", "unchanged", "changed", false);
        all.equal_in_time("lost", 0, 1);
        assert_eq!(all.failed().count(), all.len());
        assert!(!all.all_held());
        assert_eq!(all.iter().filter(|expectation| expectation.timed).count(), 4);
    }

    #[test]
    fn a_busy_machine_is_no_excuse_for_anything_but_time() {
        let mut all = Expectations::default();
        assert!(!all.held_but_for_time());
        all.at_most("gap", 70.0, 70.1, "ms");
        assert!(all.held_but_for_time());
        all.equal("lost", 0, 1);
        assert!(!all.held_but_for_time());
    }

    #[test]
    fn nothing_expected_is_nothing_held() {
        let mut all = Expectations::default();
        assert!(!all.all_held());
        all.equal("lost", 0, 0);
        assert!(all.all_held());
    }
}
