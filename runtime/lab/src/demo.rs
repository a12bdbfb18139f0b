//! `vouch demo`: play scenarios, tell what happens, and say whether every expectation held.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::error::LabError;
use crate::fabric::{Fabric, Variant};
use crate::log::{Entry, Log, Mark};
use crate::scenario::{Outcome, Scenario, ScenarioReport};
use crate::show::{self, Line, Style, Timeline};
use crate::target::{Embedded, Target, TofinoServer};
use crate::topology::Topology;

/// How often the timeline is told. Each agent's events come by their own channel, and in between they can be put in order.
const TELL_EVERY: Duration = Duration::from_millis(50);

/// What to play and how to show it.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// The scenarios, by name or file; none means all that have names.
    pub scenarios: Vec<String>,
    /// JSON lines instead of text.
    pub json: bool,
    /// Write a capture of every link below this directory.
    pub captures: Option<PathBuf>,
    /// `false`: the agents trust every announcement, and the expectations fail.
    pub verify: bool,
    /// `false`: how long things took is told and not judged.
    pub timed: bool,
    /// Use colours.
    pub color: bool,
    /// Have the embedded switches pass for ones with a Tofino, behind such a P4Runtime server.
    pub tofino: Option<TofinoServer>,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self {
            scenarios: Vec::new(),
            json: false,
            captures: None,
            verify: true,
            timed: true,
            color: false,
            tofino: None,
        }
    }
}

/// What came of a demo.
#[derive(Clone, Debug)]
pub struct DemoOutcome {
    /// Each scenario in each of its configurations.
    pub reports: Vec<ScenarioReport>,
}

impl DemoOutcome {
    /// Whether every expectation of every scenario held.
    pub fn held(&self) -> bool {
        !self.reports.is_empty() && self.reports.iter().all(|report| report.held)
    }

    /// The exit status of the command: 0 only if every expectation held.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.held())
    }
}

/// One JSON line.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Record<'a> {
    Event {
        scenario: &'a str,
        #[serde(flatten)]
        line: &'a Line,
    },
    Scenario {
        #[serde(flatten)]
        report: &'a ScenarioReport,
    },
    Summary {
        held: bool,
        scenarios: usize,
    },
}

/// Play on embedded switches.
pub async fn run(options: DemoOptions, out: &mut dyn Write) -> Result<DemoOutcome, LabError> {
    let (captures, tofino) = (options.captures.clone(), options.tofino);
    run_on(options, out, &mut |name| {
        let captures = captures.as_ref().map(|directory| directory.join(name));
        if let Some(directory) = &captures {
            std::fs::create_dir_all(directory)?;
        }
        Ok(Box::new(Embedded { captures, tofino, ..Embedded::default() }))
    })
    .await
}

/// Play on any target; `target` makes one for each scenario, given a name that suits a directory.
pub async fn run_on(
    options: DemoOptions,
    out: &mut dyn Write,
    target: &mut dyn FnMut(&str) -> io::Result<Box<dyn Target>>,
) -> Result<DemoOutcome, LabError> {
    let scenarios = match options.scenarios.as_slice() {
        [] => Scenario::all().collect(),
        names => names.iter().map(|name| Scenario::find(name)).collect::<Result<Vec<_>, _>>()?,
    };
    let mut show = Show { out, json: options.json, timed: options.timed, style: Style { color: options.color } };
    show.opening(&options, &scenarios)?;
    let mut reports = Vec::new();
    for scenario in scenarios {
        for variant in scenario.variants() {
            let name = if scenario.variants().len() > 1 {
                format!("{}-{variant}", scenario.name())
            } else {
                scenario.name().to_owned()
            };
            let target = target(&name)?;
            show.heading(&scenario, *variant, target.name())?;
            let mut report = match play(&scenario, *variant, options.verify, &*target, &mut show).await {
                Ok(report) => report,
                Err(LabError::Io(error)) => return Err(error.into()),
                // One scenario that cannot be played must not hide the others; it has failed all the same.
                Err(error) => unplayed(&scenario, *variant, &error),
            };
            if !options.timed {
                report.held = report.outcome.expectations.held_but_for_time();
            }
            show.report(&report)?;
            reports.push(report);
        }
    }
    let outcome = DemoOutcome { reports };
    show.closing(&outcome)?;
    Ok(outcome)
}

async fn play(
    scenario: &Scenario,
    variant: Variant,
    verify: bool,
    target: &dyn Target,
    show: &mut Show<'_>,
) -> Result<ScenarioReport, LabError> {
    let mut fabric = Fabric::start(target, scenario.topology(), scenario.options(variant, verify)).await?;
    let (log, timeline) = (fabric.log().clone(), Timeline::new(fabric.topology().clone()));
    let mut told = Told { scenario: scenario.name().to_owned(), log: log.clone(), mark: log.mark(), last: None };
    let mut telling = tokio::time::interval(TELL_EVERY);
    let result = {
        let mut playing = Box::pin(scenario.play(&mut fabric, variant));
        loop {
            tokio::select! {
                report = &mut playing => break report,
                _ = telling.tick() => told.tell(&timeline, show)?,
            }
        }
    };
    told.tell(&timeline, show)?;
    fabric.shutdown().await;
    result
}

fn unplayed(scenario: &Scenario, variant: Variant, error: &LabError) -> ScenarioReport {
    let mut outcome = Outcome::default();
    outcome.expectations.judge("the scenario can be played", "yes", format!("no: {error}"), false);
    ScenarioReport { scenario: scenario.name().to_owned(), variant, held: false, seconds: 0.0, outcome }
}

/// How far the log has been told.
struct Told {
    scenario: String,
    log: Log,
    mark: Mark,
    last: Option<(String, String)>,
}

impl Told {
    fn tell(&mut self, timeline: &Timeline, show: &mut Show<'_>) -> io::Result<()> {
        let (mut entries, mark) = self.log.take(self.mark);
        self.mark = mark;
        entries.sort_by_key(Entry::at);
        for entry in entries {
            let line = timeline.line(&entry);
            // The same thing over and over is told once.
            let said = (line.who.clone(), line.text.clone());
            if self.last.as_ref() != Some(&said) || show.json {
                show.line(&self.scenario, &line)?;
            }
            self.last = Some(said);
        }
        Ok(())
    }
}

/// Where the demo goes, and in which form.
struct Show<'a> {
    out: &'a mut dyn Write,
    json: bool,
    timed: bool,
    style: Style,
}

impl Show<'_> {
    fn opening(&mut self, options: &DemoOptions, scenarios: &[Scenario]) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let topology = match scenarios {
            [one] => one.topology(),
            _ => Topology::demo(),
        };
        if topology.is_star() {
            writeln!(self.out, "{}", show::picture(&topology, self.style))?;
        }
        if !options.verify {
            writeln!(self.out, "Verification is off: every announcement is trusted.\n")?;
        }
        self.out.flush()
    }

    fn heading(&mut self, scenario: &Scenario, variant: Variant, target: &str) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let heading = format!("{}: {}", scenario.name(), scenario.about());
        writeln!(self.out, "{} (during verification: {variant}; {target})", self.style.bold(&heading))?;
        self.out.flush()
    }

    fn line(&mut self, scenario: &str, line: &Line) -> io::Result<()> {
        if self.json {
            self.record(&Record::Event { scenario, line })
        } else if line.is_news() {
            writeln!(self.out, "{}", line.text(self.style))?;
            self.out.flush()
        } else {
            Ok(())
        }
    }

    fn report(&mut self, report: &ScenarioReport) -> io::Result<()> {
        if self.json {
            return self.record(&Record::Scenario { report });
        }
        let expectations = &report.outcome.expectations;
        for expectation in expectations.iter() {
            let (mark, paint): (_, fn(Style, &str) -> String) = match expectation {
                held if held.held => ("ok", Style::good),
                slow if slow.timed && !self.timed => ("slow", Style::bold),
                _ => ("NOT HELD", Style::bad),
            };
            let mark = paint(self.style, mark);
            writeln!(
                self.out,
                "    {mark}  {}: expected {}, measured {}",
                expectation.name, expectation.expected, expectation.measured
            )?;
        }
        writeln!(self.out)
    }

    fn closing(&mut self, outcome: &DemoOutcome) -> io::Result<()> {
        let (held, scenarios) = (outcome.held(), outcome.reports.len());
        if self.json {
            return self.record(&Record::Summary { held, scenarios });
        }
        write!(self.out, "{}", show::results(&outcome.reports, self.style))?;
        let words = match (held, self.timed) {
            (true, true) => "Every expectation held.",
            (true, false) => "Every expectation held, those on time not counted.",
            (false, _) => "Not every expectation held.",
        };
        writeln!(self.out, "\n{}", if held { self.style.good(words) } else { self.style.bad(words) })?;
        self.out.flush()
    }

    fn record(&mut self, record: &Record<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut *self.out, record)?;
        writeln!(self.out)?;
        self.out.flush()
    }
}
