//! The demo's scenarios, and scenarios out of files, with the demo's hosts, beside the rows: written once, played on embedded switches and on
//! processes.
//!
//! Whatever a scenario plays on, the same is done to the same hosts, and the same is expected.

use std::fmt;
use std::time::Duration;

use vouch_lab::error::LabError;
use vouch_lab::scenario::{Scenario, ScenarioReport};
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
#[derive(Clone)]
pub struct Staged {
    /// By what it is found: its name, or its file.
    source: String,
    scenario: Scenario,
    variant: Variant,
}

impl Staged {
    /// All of the demo, in its order.
    pub fn all() -> impl Iterator<Item = Self> {
        Scenario::all().flat_map(|scenario| Self::of(scenario.name(), &scenario))
    }

    /// What `name` means: a scenario of the demo in its configurations, or in one, as `move-hold`; or what is in a file.
    ///
    /// # Errors
    /// Something in the file is wrong.
    pub fn named(name: &str) -> Result<Vec<Self>, LabError> {
        let known: Vec<_> = Self::all().filter(|one| one.scenario.name() == name || one.to_string() == name).collect();
        match Scenario::find(name) {
            Ok(scenario) if known.is_empty() => Ok(Self::of(name, &scenario)),
            Ok(_) | Err(LabError::NoSuchScenario { .. }) => Ok(known),
            Err(error) => Err(error),
        }
    }

    fn of(source: &str, scenario: &Scenario) -> Vec<Self> {
        let one = |variant: &Variant| Self { source: source.to_owned(), scenario: scenario.clone(), variant: *variant };
        scenario.variants().iter().map(one).collect()
    }

    /// By what [`Self::named`] finds it, and as which of those.
    pub fn found_by(&self) -> (&str, usize) {
        let at = self.scenario.variants().iter().position(|variant| *variant == self.variant);
        (&self.source, at.unwrap_or_default())
    }

    /// What happens in it.
    pub fn about(&self) -> &str {
        self.scenario.about()
    }

    /// Why it cannot be played there; `None` where it can.
    pub fn lacks(&self, on: On) -> Option<&'static str> {
        match (self.source.as_str(), on) {
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
        let line =
            Line { name: self.to_string(), what: self.about().to_owned(), target: target.name().to_owned(), result };
        Played { line, story }
    }

    async fn report(&self, target: &dyn Target) -> Result<(Result<ScenarioReport, LabError>, String), LabError> {
        let Self { scenario, variant, .. } = self;
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
        let Self { scenario, variant, .. } = self;
        let name = scenario.name();
        if scenario.variants().len() > 1 { write!(f, "{name}-{variant}") } else { f.write_str(name) }
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
