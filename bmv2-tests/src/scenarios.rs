//! The demo's scenarios, with the demo's hosts, beside the rows: written once, played on embedded switches and on processes.
//!
//! Whatever a scenario plays on, the same is done to the same hosts, and the same is expected.

use std::fmt;
use std::time::Duration;

use vouch_lab::error::LabError;
use vouch_lab::scenario::{ALL, Scenario, ScenarioReport};
use vouch_lab::show::{Style, Timeline};
use vouch_lab::target::{Embedded, Target};
use vouch_lab::{Fabric, Variant, log};

use crate::SwitchProgram;
use crate::linux::Failure;
use crate::linux::traffic::Figures;
use crate::rows::Outcome;
use crate::rows::report::Line;
use crate::target::Processes;

/// What the switches of a scenario are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The embedded switch, in this process.
    Embedded,
    /// Processes, in a network namespace.
    Processes(SwitchProgram),
}

impl On {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Processes(program) => program.name(),
        }
    }

    /// What its scenarios run on.
    ///
    /// # Errors
    /// The switches' logs have no place.
    pub fn target(self) -> Result<Box<dyn Target>, Failure> {
        Ok(match self {
            Self::Embedded => Box::new(Embedded::default()),
            Self::Processes(program) => Box::new(Processes::new(program)?),
        })
    }
}

/// A scenario in one of its configurations.
#[derive(Clone, Copy)]
pub struct Staged {
    scenario: Scenario,
    variant: Variant,
}

impl Staged {
    /// All that there are, in the order of the demo.
    pub fn all() -> impl Iterator<Item = Self> {
        ALL.into_iter()
            .flat_map(|scenario| scenario.variants.iter().map(move |variant| Self { scenario, variant: *variant }))
    }

    /// Whether `name` means it: the scenario's, or with the configuration, as `move-hold`.
    pub fn is_of(&self, name: &str) -> bool {
        self.scenario.name == name || self.to_string() == name
    }

    /// What happens in it.
    pub fn about(&self) -> &'static str {
        self.scenario.about
    }

    /// Why it cannot be played there; `None` where it can.
    pub fn lacks(&self, on: On) -> Option<&'static str> {
        match (self.scenario.name, on) {
            ("link-down", On::Processes(SwitchProgram::Bmv2)) => {
                Some("BMv2 tells port states only with a gNMI daemon that nobody installs")
            }
            ("mass", On::Processes(SwitchProgram::Bmv2)) => {
                Some("of 1,000 announcements at once BMv2's libpcap takes 32; row 11 has them come as it takes them")
            }
            _ => None,
        }
    }

    /// Play it on `target`, and say what came of it. `timed`: how long things took is judged, too.
    pub async fn play(&self, target: &dyn Target, timed: bool) -> Played {
        let (report, story) = match self.report(target).await {
            Ok((report, story)) => (report, story),
            Err(error) => (Err(error), String::new()),
        };
        let result = report.map(|report| outcome(&report, timed)).map_err(Failure::from);
        let line = Line { name: self.to_string(), what: self.about(), target: target.name().to_owned(), result };
        Played { line, story }
    }

    async fn report(&self, target: &dyn Target) -> Result<(Result<ScenarioReport, LabError>, String), LabError> {
        let Self { scenario, variant } = self;
        let mut fabric = Fabric::start(target, scenario.topology(), scenario.options(*variant, true)).await?;
        let report = scenario.play(&mut fabric, *variant).await;
        let timeline = Timeline::new(fabric.topology().clone());
        let lines = fabric.log().since(log::Mark::START).into_iter().map(|entry| timeline.line(&entry));
        let plain = Style { color: false };
        let story: Vec<_> = lines.filter(|line| line.is_news()).map(|line| line.text(plain)).collect();
        fabric.shutdown().await;
        Ok((report, story.join("\n")))
    }
}

/// What came of a scenario.
#[derive(Debug)]
pub struct Played {
    /// In figures.
    pub line: Line,
    /// What happened, in order.
    pub story: String,
}

/// A scenario with several configurations goes by both names.
impl fmt::Display for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, variant } = self;
        if scenario.variants.len() > 1 { write!(f, "{}-{variant}", scenario.name) } else { f.write_str(scenario.name) }
    }
}

/// What a row says, of a scenario.
fn outcome(report: &ScenarioReport, timed: bool) -> Outcome {
    let mut outcome = Outcome::default();
    for stream in &report.outcome.streams {
        outcome.figures = outcome.figures.and(Figures {
            sent: stream.sent,
            lost: stream.lost,
            strayed: stream.misdelivered + stream.copies,
            interruption: Duration::from_secs_f64(stream.longest_loss_ms.max(0.0) / 1e3),
        });
    }
    let expectations = &report.outcome.expectations;
    for failed in expectations.failed().filter(|failed| timed || !failed.timed) {
        outcome.problems.push(format!("{}: expected {}, measured {}", failed.name, failed.expected, failed.measured));
    }
    if expectations.is_empty() {
        outcome.problems.push("it expects nothing".to_owned());
    }
    outcome
}
