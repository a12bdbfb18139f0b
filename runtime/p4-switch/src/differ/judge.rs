//! A case on both switches, and the smallest one that still shows a difference.

use std::cell::{Cell, RefCell};

use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use super::case::{Generator, Step, statements};
use crate::stf::{Bench, Command, Failure, Outcome};

/// Smaller cases that are tried.
const TRIES: u32 = 400;
/// How often a difference has to show in a row.
const SHOWINGS: usize = 3;

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Both switches did the same.
    Same,
    /// They did not, but not every time: packets overtake each other.
    Unstable,
    /// They did not, but no packet shows it alone.
    Stale,
    /// The other switch could not be asked.
    NotRun(String),
    /// They did not, and this is the smallest case found: a scenario, and what is different.
    Different { scenario: String, difference: String },
}

/// Play a case on both switches.
pub(super) fn judge(generator: &Generator, seed: u64, device: &mut dyn Bench) -> Verdict {
    let steps = generator.case(seed);
    if !steps.iter().any(|step| matches!(step, Step::Packet { .. })) {
        return Verdict::Same;
    }
    let mut judge = Judge {
        generator,
        steps,
        device: RefCell::new(device),
        unstable: Cell::new(false),
        not_run: RefCell::default(),
    };
    let everything = vec![true; judge.steps.len()];
    match judge.differs(&everything, &everything) {
        None if judge.unstable.get() => return Verdict::Unstable,
        None => return judge.not_run.take().map_or(Verdict::Same, Verdict::NotRun),
        Some(_) => {}
    }
    if generator.independent {
        let alone = (0..judge.steps.len()).filter(|at| matches!(judge.steps[*at], Step::Packet { .. }));
        let alone = alone.map(|kept| {
            let is_other = |(at, step): (usize, &Step)| at != kept && matches!(step, Step::Packet { .. });
            judge.steps.iter().enumerate().map(|step| !is_other(step)).collect::<Vec<_>>()
        });
        let Some(keep) = alone.into_iter().find(|keep| judge.differs(keep, &everything).is_some()) else {
            return Verdict::Stale;
        };
        let mut keep = keep.iter();
        judge.steps.retain(|_| *keep.next().unwrap_or(&false));
    }
    let everything = vec![true; judge.steps.len()];
    let (keep, payload) = judge.shrunk().unwrap_or((everything.clone(), everything));
    let difference = judge.differs(&keep, &payload).unwrap_or_else(|| "not any more".to_owned());
    let scenario = judge.scenario(&keep, &payload).unwrap_or_default();
    let lines: Vec<String> = scenario.iter().map(|command| format!("{command}\n")).collect();
    Verdict::Different { scenario: lines.concat(), difference }
}

struct Judge<'a> {
    generator: &'a Generator,
    steps: Vec<Step>,
    device: RefCell<&'a mut dyn Bench>,
    unstable: Cell<bool>,
    not_run: RefCell<Option<String>>,
}

impl Judge<'_> {
    /// Leave steps out, and payloads: each is a coin that always shows heads, until proptest turns it over.
    fn shrunk(&self) -> Option<(Vec<bool>, Vec<bool>)> {
        let config = Config { max_shrink_iters: TRIES, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new(config);
        let coins = || vec(weighted(1.0), self.steps.len());
        let tree = (coins(), coins()).new_tree(&mut runner).ok()?;
        let outcome = runner.run_one(tree, |(keep, payload)| {
            self.differs(&keep, &payload).map_or(Ok(()), |difference| Err(TestCaseError::fail(difference)))
        });
        match outcome {
            Err(TestError::Fail(_, smallest)) => Some(smallest),
            _ => None,
        }
    }

    /// A part of the case, with what the packet engine makes of it as the expectation.
    fn scenario(&self, keep: &[bool], payload: &[bool]) -> Result<Vec<Command>, String> {
        let kept = self.steps.iter().zip(keep.iter().zip(payload)).filter(|(_, (keep, _))| **keep);
        let steps = kept.map(|(step, (_, has_payload))| match step {
            Step::Packet { port, frame, payload } if !has_payload => {
                let mut frame = frame.clone();
                frame[*payload..].fill(0);
                Step::Packet { port: *port, frame, payload: *payload }
            }
            other => other.clone(),
        });
        self.generator.scenario(&steps.collect::<Vec<_>>())
    }

    /// What the other switch does differently, if it does so every time.
    fn differs(&self, keep: &[bool], payload: &[bool]) -> Option<String> {
        let scenario = statements(self.scenario(keep, payload).ok()?);
        let mut difference = None;
        for _ in 0..SHOWINGS {
            match self.generator.player.play(&scenario, &mut **self.device.borrow_mut()) {
                Outcome::Passed => {
                    self.unstable.set(difference.is_some());
                    return None;
                }
                Outcome::NotRun(reason) => {
                    self.not_run.replace(Some(reason));
                    return None;
                }
                Outcome::Failed(failures) => {
                    let text = |failure: &Failure| format!("{failure}\n{}", failure.dump());
                    difference = Some(failures.iter().map(text).collect());
                }
            }
        }
        difference
    }
}
