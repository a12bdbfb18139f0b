//! The scenarios: what is done to a fabric, and what has to come of it.
//!
//! A scenario sees a [`Fabric`] and nothing of what it is made of, so that each is written once and plays on every target. It
//! states its expectations while it plays; one that does not hold ends nothing, so that all of them are reported.

mod claim;
mod flap;
mod learn;
mod moves;
mod spoof;

use std::time::{Duration, Instant};

use serde::Serialize;
use vouch_mobility::{Advertise, During};

use crate::error::LabError;
use crate::expect::Expectations;
use crate::fabric::{Fabric, FabricOptions, Variant};
use crate::target::{BoxFuture, Target};
use crate::topology::Topology;
use crate::traffic::StreamReport;

pub use claim::{Verdict, VerdictKind};

/// The least rate that counts, as a share of the rate that was to be.
const MIN_RATE: f64 = 0.8;
/// Packets sent before and after what a scenario does.
const LEAD: u64 = 300;
/// How long anything that must happen may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One scenario.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What happens in it, in a line.
    pub about: &'static str,
    /// The configurations it plays in.
    pub variants: &'static [Variant],
    play: for<'a> fn(&'a mut Fabric, Variant) -> BoxFuture<'a, Result<Outcome, LabError>>,
}

/// What came of a scenario.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// The verdicts, in the order in which they were reached.
    pub verdicts: Vec<Verdict>,
    /// The streams that ran meanwhile; the first is the one that the scenario is about.
    pub streams: Vec<StreamReport>,
    /// What was expected, and what came out.
    pub expectations: Expectations,
}

/// One scenario played in one configuration.
#[derive(Clone, Debug, Serialize)]
pub struct ScenarioReport {
    /// The scenario.
    pub scenario: &'static str,
    /// The configuration.
    pub variant: Variant,
    /// Whether every expectation held.
    pub held: bool,
    /// How long it took, without bringing the fabric up.
    pub seconds: f64,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

const HOLD: Variant = Variant { advertise: Advertise::AfterVerdict, during: During::Hold };
const ESCALATE: Variant = Variant { advertise: Advertise::AfterVerdict, during: During::Escalate };
const BOTH: Variant = Variant { advertise: Advertise::AfterVerdict, during: During::Both };
const AT_ONCE_HOLD: Variant = Variant { advertise: Advertise::AtOnce, during: During::Hold };
const AT_ONCE: Variant = Variant { advertise: Advertise::AtOnce, during: During::Escalate };
const AT_ONCE_BOTH: Variant = Variant { advertise: Advertise::AtOnce, during: During::Both };

/// All scenarios, in the order in which the demo plays them.
pub const ALL: [Scenario; 10] = [
    Scenario {
        name: "learn",
        about: "everybody reaches everybody in the VNI, nobody across VNIs",
        variants: &[ESCALATE],
        play: |fabric, _| Box::pin(learn::play(fabric)),
    },
    Scenario {
        name: "spoof",
        about: "forged ARP and RARP behind another VTEP while a stream runs to the victim",
        variants: &[ESCALATE],
        play: |fabric, _| Box::pin(spoof::remote(fabric)),
    },
    Scenario {
        name: "move",
        about: "a host really moves to another VTEP during a stream",
        variants: &[HOLD, ESCALATE, BOTH],
        play: |fabric, variant| Box::pin(moves::remote(fabric, variant)),
    },
    Scenario {
        name: "spoof-at-once",
        about: "a forged ARP that observers believe at once, until it is withdrawn",
        variants: &[AT_ONCE],
        play: |fabric, _| Box::pin(spoof::at_once(fabric)),
    },
    Scenario {
        name: "move-at-once",
        about: "a real move that observers believe at once",
        variants: &[AT_ONCE_HOLD, AT_ONCE, AT_ONCE_BOTH],
        play: |fabric, variant| Box::pin(moves::remote(fabric, variant)),
    },
    Scenario {
        name: "port-spoof",
        about: "a forged ARP on another port of the victim's own switch",
        variants: &[ESCALATE],
        play: |fabric, _| Box::pin(spoof::local(fabric)),
    },
    Scenario {
        name: "port-move",
        about: "a host really moves to another port of its switch",
        variants: &[ESCALATE],
        play: |fabric, variant| Box::pin(moves::local(fabric, variant)),
    },
    Scenario {
        name: "silent",
        about: "a forged ARP against a host that ignores ARP but sends data",
        variants: &[ESCALATE],
        play: |fabric, _| Box::pin(spoof::silent(fabric)),
    },
    Scenario {
        name: "link-down",
        about: "a host moves after its link went down: the verdict needs no waiting",
        variants: &[ESCALATE],
        play: |fabric, _| Box::pin(moves::link_down(fabric)),
    },
    Scenario {
        name: "flap",
        about: "ten real moves back and forth",
        variants: &[ESCALATE],
        play: |fabric, _| Box::pin(flap::play(fabric)),
    },
];

impl Scenario {
    /// The scenario of that name.
    pub fn find(name: &str) -> Result<Self, LabError> {
        ALL.into_iter().find(|scenario| scenario.name == name).ok_or_else(|| LabError::NoSuchScenario {
            name: name.to_owned(),
            known: ALL.iter().map(|scenario| scenario.name.to_owned()).collect(),
        })
    }

    /// Play on a fabric that runs in this variant.
    pub async fn play(&self, fabric: &mut Fabric, variant: Variant) -> Result<ScenarioReport, LabError> {
        let start = Instant::now();
        let outcome = (self.play)(fabric, variant).await?;
        Ok(ScenarioReport {
            scenario: self.name,
            variant,
            held: outcome.expectations.all_held(),
            seconds: start.elapsed().as_secs_f64(),
            outcome,
        })
    }

    /// Bring up a demo fabric on a target, play on it in one variant, and take it down again.
    pub async fn run(&self, target: &dyn Target, variant: Variant, verify: bool) -> Result<ScenarioReport, LabError> {
        let mut fabric = Fabric::start(target, Topology::demo(), FabricOptions { variant, verify }).await?;
        let report = self.play(&mut fabric, variant).await;
        fabric.shutdown().await;
        report
    }
}

/// Make two hosts know each other's addresses, so that a stream can begin.
async fn acquaint(fabric: &Fabric, from: &str, to: &str) -> Result<bool, LabError> {
    let address = fabric.guest(to)?.host.ipv4;
    Ok(fabric.host(from)?.ping(address.into(), PATIENCE).await?.is_some())
}

/// Expect that `host` can be reached by each of the others.
async fn expect_reachable(
    fabric: &Fabric,
    expectations: &mut Expectations,
    host: &str,
    by: &[&str],
) -> Result<(), LabError> {
    let mut unanswered = Vec::new();
    for from in by {
        if !acquaint(fabric, from, host).await? {
            unanswered.push(*from);
        }
    }
    let measured =
        if unanswered.is_empty() { "answers".to_owned() } else { format!("not to {}", unanswered.join(", ")) };
    let held = unanswered.is_empty();
    expectations.judge(format!("{host} answers pings from {}", by.join(", ")), "answers", measured, held);
    Ok(())
}

/// Expect that a stream was fast enough to mean something and that nothing of it reached somebody else.
fn expect_private(fabric: &Fabric, expectations: &mut Expectations, report: &StreamReport) {
    let name = format!("{} to {}", report.from, report.to);
    expectations.at_least(
        format!("{name}: rate"),
        MIN_RATE * f64::from(fabric.stream_rate()),
        report.rate,
        "packets/s",
    );
    expectations.equal(format!("{name}: misdelivered"), 0, report.misdelivered);
}

/// Expect that of such a stream nothing is lost either.
fn expect_untouched(fabric: &Fabric, expectations: &mut Expectations, report: &StreamReport) {
    expect_private(fabric, expectations, report);
    expectations.equal(format!("{} to {}: lost", report.from, report.to), 0, report.lost);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_unknown_ones_are_answered_with_the_known() {
        for scenario in ALL {
            assert_eq!(Scenario::find(scenario.name).unwrap().about, scenario.about);
            assert!(!scenario.variants.is_empty());
        }
        let error = Scenario::find("spof").err().expect("there is none of that name").to_string();
        assert!(error.contains("`spof`") && error.contains("port-spoof"), "{error}");
    }
}
