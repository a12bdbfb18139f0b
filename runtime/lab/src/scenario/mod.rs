//! The scenarios: what is done to a fabric, and what has to come of it.
//!
//! A scenario sees a [`Fabric`] and nothing of what it is made of, so that each is written once and plays on every target. It
//! states its expectations while it plays; one that does not hold ends nothing, so that all of them are reported.

mod absent;
mod attack;
pub(crate) mod claim;
mod flap;
mod known;
mod learn;
mod mass;
mod migrations;
pub(crate) mod moves;
mod spoof;
mod theft;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use vouch_mobility::{Advertise, During};

use crate::error::LabError;
use crate::expect::Expectations;
use crate::fabric::{FRESH, Fabric, FabricOptions, SEASONED, Variant};
use crate::host::Stream;
use crate::script::Script;
use crate::target::{BoxFuture, Target};
use crate::topology::Topology;
use crate::traffic::StreamReport;

pub use claim::{Verdict, VerdictKind};

/// The least rate that counts, as a share of the rate that was to be.
const MIN_RATE: f64 = 0.8;
/// How long the traffic of a host that answers may be interrupted by its own move, where traffic goes to both places once an
/// answer is overdue; milliseconds.
const MOVE_MS: f64 = 15.0;
/// Packets sent before and after what a scenario does.
pub(crate) const LEAD: u64 = 300;
/// How long anything that must happen may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// One scenario: of the demo, or out of a file.
#[derive(Clone)]
pub struct Scenario(Form);

#[derive(Clone)]
enum Form {
    Coded(&'static Coded),
    Written(Arc<Script>),
}

/// One of the demo.
struct Coded {
    /// What it is called on the command line.
    name: &'static str,
    /// What happens in it, in a line.
    about: &'static str,
    /// The configurations it plays in.
    variants: &'static [Variant],
    /// The fabric that it plays on.
    world: fn() -> Topology,
    /// How long a place must have had a host until it is trusted.
    probation: Duration,
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
    pub scenario: String,
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

/// Those of the demo, in the order in which it plays them.
static CODED: [Coded; 22] = [
    Coded {
        name: "learn",
        about: "everybody reaches everybody in the VNI, nobody across VNIs",
        variants: &[ESCALATE],
        world: Topology::demo,
        probation: SEASONED,
        play: |fabric, _| Box::pin(learn::play(fabric)),
    },
    Coded {
        name: "spoof",
        about: "forged ARP and RARP behind another VTEP while a stream runs to the victim",
        variants: &[ESCALATE],
        world: Topology::demo,
        probation: SEASONED,
        play: |fabric, _| Box::pin(spoof::remote(fabric)),
    },
    Coded {
        name: "move",
        about: "a host really moves to another VTEP during a stream",
        variants: &[HOLD, ESCALATE, BOTH],
        world: Topology::demo,
        probation: SEASONED,
        play: |fabric, variant| Box::pin(moves::remote(fabric, variant)),
    },
    Coded {
        name: "spoof-at-once",
        about: "a forged ARP that observers believe at once, until it is withdrawn",
        variants: &[AT_ONCE],
        world: Topology::demo,
        probation: SEASONED,
        play: |fabric, _| Box::pin(spoof::at_once(fabric)),
    },
    Coded {
        name: "move-at-once",
        about: "a real move that observers believe at once",
        variants: &[AT_ONCE_HOLD, AT_ONCE, AT_ONCE_BOTH],
        world: Topology::demo,
        probation: SEASONED,
        play: |fabric, variant| Box::pin(moves::remote(fabric, variant)),
    },
    Coded {
        name: "port-spoof",
        about: "a forged ARP on another port of the victim's own switch",
        variants: &[ESCALATE],
        world: Topology::demo,
        probation: SEASONED,
        play: |fabric, _| Box::pin(spoof::local(fabric)),
    },
    Coded {
        name: "port-move",
        about: "a host really moves to another port of its switch",
        variants: &[ESCALATE],
        world: Topology::demo,
        probation: SEASONED,
        play: |fabric, variant| Box::pin(moves::local(fabric, variant)),
    },
    Coded {
        name: "silent",
        about: "a forged ARP against a host that ignores ARP but sends data",
        variants: &[ESCALATE],
        world: Topology::demo,
        probation: SEASONED,
        play: |fabric, _| Box::pin(spoof::silent(fabric)),
    },
    Coded {
        name: "link-down",
        about: "a host moves after its link went down: the verdict needs no waiting",
        variants: &[ESCALATE],
        world: Topology::demo,
        probation: SEASONED,
        play: |fabric, _| Box::pin(moves::link_down(fabric)),
    },
    Coded {
        name: "flap",
        about: "ten real moves back and forth",
        variants: &[ESCALATE],
        world: Topology::demo,
        probation: SEASONED,
        play: |fabric, _| Box::pin(flap::play(fabric)),
    },
    Coded {
        name: "restarted",
        about: "the agents that know a quiet host are killed and started, then it is claimed",
        variants: &[ESCALATE],
        world: known::with_insider,
        probation: SEASONED,
        play: |fabric, _| Box::pin(known::restarted(fabric)),
    },
    Coded {
        name: "readdressed",
        about: "a host has other addresses than it was first known by, then it is claimed",
        variants: &[ESCALATE],
        world: Topology::demo,
        probation: SEASONED,
        play: |fabric, _| Box::pin(known::readdressed(fabric)),
    },
    Coded {
        name: "ipv6-only",
        about: "a host that has only a temporary IPv6 address is claimed, by IPv4 too",
        variants: &[ESCALATE],
        world: known::with_ipv6_only,
        probation: SEASONED,
        play: |fabric, _| Box::pin(known::ipv6_only(fabric)),
    },
    Coded {
        name: "shared-trunk",
        about: "hosts are claimed while another VLAN of their port sends false answers",
        variants: &[ESCALATE],
        world: known::with_trunk,
        probation: SEASONED,
        play: |fabric, _| Box::pin(known::shared_trunk(fabric)),
    },
    Coded {
        name: "address-theft",
        about: "plain ARP poisoning: the own MAC address with the victim's IP addresses",
        variants: &[ESCALATE],
        world: known::with_insider,
        probation: SEASONED,
        play: |fabric, _| Box::pin(theft::play(fabric)),
    },
    Coded {
        name: "mute",
        about: "a host that never answers is claimed, then really moves",
        variants: &[ESCALATE],
        world: absent::with_mute,
        probation: SEASONED,
        play: |fabric, _| Box::pin(absent::mute(fabric)),
    },
    Coded {
        name: "late-answer",
        about: "a host that answers late is claimed",
        variants: &[ESCALATE],
        world: Topology::demo,
        probation: SEASONED,
        play: |fabric, _| Box::pin(known::late_answer(fabric)),
    },
    Coded {
        name: "reboot",
        about: "a host is silent for 3 s, claimed by somebody who answers for it, and back",
        variants: &[ESCALATE],
        world: Topology::demo,
        probation: FRESH,
        play: |fabric, _| Box::pin(absent::reboot(fabric)),
    },
    Coded {
        name: "stunned",
        about: "guests are claimed while a live migration has paused them",
        variants: &[ESCALATE],
        world: migrations::with_guests,
        probation: FRESH,
        play: |fabric, _| Box::pin(migrations::stunned(fabric)),
    },
    Coded {
        name: "early",
        about: "a destination announces a guest several times before it is there",
        variants: &[ESCALATE],
        world: Topology::demo,
        probation: SEASONED,
        play: |fabric, _| Box::pin(migrations::early(fabric)),
    },
    Coded {
        name: "mass",
        about: "1,000 hosts of one port move at once, one ARP each",
        variants: &[ESCALATE],
        world: mass::with_seats,
        probation: SEASONED,
        play: |fabric, _| Box::pin(mass::play(fabric)),
    },
    Coded {
        name: "announced",
        about: "a move is announced beforehand; somebody else claims the guest",
        variants: &[ESCALATE],
        world: known::with_insider,
        probation: SEASONED,
        play: |fabric, _| Box::pin(migrations::announced(fabric)),
    },
];

impl Outcome {
    /// What came of one more part.
    fn append(&mut self, other: Self) {
        self.verdicts.extend(other.verdicts);
        self.streams.extend(other.streams);
        self.expectations.append(other.expectations);
    }
}

impl Scenario {
    /// Those of the demo, in its order.
    pub fn all() -> impl Iterator<Item = Self> {
        CODED.iter().map(|coded| Self(Form::Coded(coded)))
    }

    /// The scenario of that name; or in that file, if the name is one of a file of YAML.
    pub fn find(name: &str) -> Result<Self, LabError> {
        if Path::new(name).extension().is_some_and(|it| it == "yaml" || it == "yml") {
            return Ok(Self(Form::Written(Arc::new(Script::load(Path::new(name))?))));
        }
        Self::all().find(|scenario| scenario.name() == name).ok_or_else(|| LabError::NoSuchScenario {
            name: name.to_owned(),
            known: CODED.iter().map(|scenario| scenario.name.to_owned()).collect(),
        })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        match &self.0 {
            Form::Coded(coded) => coded.name,
            Form::Written(script) => &script.name,
        }
    }

    /// What happens in it, in a line.
    pub fn about(&self) -> &str {
        match &self.0 {
            Form::Coded(coded) => coded.about,
            Form::Written(script) => &script.about,
        }
    }

    /// The configurations it plays in.
    pub fn variants(&self) -> &[Variant] {
        match &self.0 {
            Form::Coded(coded) => coded.variants,
            Form::Written(script) => &script.variants,
        }
    }

    /// The fabric on paper that it plays on.
    pub fn topology(&self) -> Topology {
        match &self.0 {
            Form::Coded(coded) => (coded.world)(),
            Form::Written(script) => script.topology.clone(),
        }
    }

    /// How the fabric is to be, in one of the configurations.
    pub fn options(&self, variant: Variant, verify: bool) -> FabricOptions {
        let probation = match &self.0 {
            Form::Coded(coded) => coded.probation,
            Form::Written(script) => script.probation,
        };
        FabricOptions { variant, verify, probation }
    }

    /// Play on a fabric of its [`Self::topology`] and [`Self::options`].
    pub async fn play(&self, fabric: &mut Fabric, variant: Variant) -> Result<ScenarioReport, LabError> {
        let start = Instant::now();
        let outcome = match &self.0 {
            Form::Coded(coded) => (coded.play)(fabric, variant).await?,
            Form::Written(script) => script.play(fabric).await?,
        };
        Ok(ScenarioReport {
            scenario: self.name().to_owned(),
            variant,
            held: outcome.expectations.all_held(),
            seconds: start.elapsed().as_secs_f64(),
            outcome,
        })
    }

    /// Bring up its fabric on a target, play on it in one variant, and take it down again.
    pub async fn run(&self, target: &dyn Target, variant: Variant, verify: bool) -> Result<ScenarioReport, LabError> {
        let mut fabric = Fabric::start(target, self.topology(), self.options(variant, verify)).await?;
        let report = self.play(&mut fabric, variant).await;
        fabric.shutdown().await;
        report
    }
}

/// Make two hosts know each other's addresses, so that a stream can begin.
pub(crate) async fn acquaint(fabric: &Fabric, from: &str, to: &str) -> Result<bool, LabError> {
    let address = fabric.host(to)?.address();
    Ok(fabric.host(from)?.ping(address, PATIENCE).await?.is_some())
}

/// Begin a stream between two hosts, which know each other then.
pub(crate) async fn begin_stream(fabric: &Fabric, from: &str, to: &str, rate: u32) -> Result<Stream, LabError> {
    acquaint(fabric, from, to).await?;
    fabric.log().note(format!("a stream of {rate} packets/s runs from {from} to {to}"));
    Ok(fabric.host(from)?.stream(fabric.host(to)?, rate).await?)
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

/// Expect that a stream was fast enough to mean something and that nothing of it reached anybody in the host's place.
fn expect_rightful(fabric: &Fabric, expectations: &mut Expectations, report: &StreamReport) {
    let name = format!("{} to {}", report.from, report.to);
    expectations.at_least(
        format!("{name}: rate"),
        MIN_RATE * f64::from(fabric.stream_rate()),
        report.rate,
        "packets/s",
    );
    expectations.equal(format!("{name}: misdelivered"), 0, report.misdelivered);
}

/// Expect that nobody else saw anything of such a stream either.
fn expect_private(fabric: &Fabric, expectations: &mut Expectations, report: &StreamReport) {
    expect_rightful(fabric, expectations, report);
    // An answer that a busy machine gives late is one that copies are made for.
    expectations.equal_in_time(format!("{} to {}: copies", report.from, report.to), 0, report.copies);
}

/// Expect that the host got everything, whoever else did.
fn expect_kept(fabric: &Fabric, expectations: &mut Expectations, report: &StreamReport) {
    expect_rightful(fabric, expectations, report);
    expectations.equal(format!("{} to {}: lost", report.from, report.to), 0, report.lost);
}

/// Expect that the host got everything and nobody else anything.
fn expect_untouched(fabric: &Fabric, expectations: &mut Expectations, report: &StreamReport) {
    expect_private(fabric, expectations, report);
    expectations.equal(format!("{} to {}: lost", report.from, report.to), 0, report.lost);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_unknown_ones_are_answered_with_the_known() {
        for scenario in Scenario::all() {
            assert_eq!(Scenario::find(scenario.name()).unwrap().about(), scenario.about());
            assert!(!scenario.variants().is_empty());
        }
        let error = Scenario::find("spof").err().expect("there is none of that name").to_string();
        assert!(error.contains("`spof`") && error.contains("port-spoof"), "{error}");
    }
}
