//! The lab's scenarios on switches that are processes: the same P4, the same agents over P4Runtime and mutual TLS, the same
//! hosts, and BMv2, which is not ours, or `p4-switch` in its place. What is claimed of behaviour is asserted; times are
//! printed, since a busy machine proves nothing about them.
//!
//! The scenario in which a link goes down is played on `p4-switch` only: it takes port states over gNMI, which BMv2 has only
//! with a daemon that nobody installs.

use std::sync::Arc;

use vouch_bmv2_tests::harness::{Failure, Test, TestResult};
use vouch_bmv2_tests::{Processes, SwitchProgram};
use vouch_lab::scenario::{Scenario, ScenarioReport, VerdictKind};
use vouch_lab::show::{self, Style, Timeline};
use vouch_lab::{Fabric, Variant, log};
use vouch_mobility::{Advertise, During};

const HOLD: Variant = Variant { advertise: Advertise::AfterVerdict, during: During::Hold };
const ESCALATE: Variant = Variant { advertise: Advertise::AfterVerdict, during: During::Escalate };
const BOTH: Variant = Variant { advertise: Advertise::AfterVerdict, during: During::Both };
const AT_ONCE: Variant = Variant { advertise: Advertise::AtOnce, during: During::Hold };

/// All of them, on both programs.
pub(crate) fn tests() -> Vec<Test> {
    let mut tests: Vec<Test> = SwitchProgram::ALL.into_iter().flat_map(tests_on).collect();
    tests.push(scenario(SwitchProgram::P4Switch, "link_down", "link-down", HOLD, &[VerdictKind::Moved]));
    tests
}

fn tests_on(program: SwitchProgram) -> Vec<Test> {
    use VerdictKind::{Moved, Stayed};
    let scenario = |test, name, variant, verdicts| scenario(program, test, name, variant, verdicts);
    vec![
        scenario("learn", "learn", ESCALATE, &[]),
        // Held to the old place, since on a busy machine an answer may come so late that traffic is copied to the claimant.
        scenario("spoof", "spoof", HOLD, &[Stayed; 4]),
        Test::on(program, &on(program, "spoof_without_verification_is_a_hijack"), hijack),
        scenario("move_hold", "move", HOLD, &[Moved]),
        scenario("move_escalate", "move", ESCALATE, &[Moved]),
        scenario("move_both", "move", BOTH, &[Moved]),
        scenario("spoof_at_once", "spoof-at-once", AT_ONCE, &[Stayed]),
        scenario("move_at_once", "move-at-once", AT_ONCE, &[Moved]),
        scenario("port_spoof", "port-spoof", HOLD, &[Stayed]),
        scenario("port_move", "port-move", ESCALATE, &[Moved]),
        scenario("silent", "silent", HOLD, &[Stayed]),
        Test::on(program, &on(program, "the_example_works_and_an_agent_restarts_unnoticed"), crate::example::restart),
    ]
}

/// A test's name, with the program that it is played on.
fn on(program: SwitchProgram, test: &str) -> String {
    match program {
        SwitchProgram::Bmv2 => format!("bmv2_{test}"),
        SwitchProgram::P4Switch => format!("p4_switch_{test}"),
    }
}

/// A scenario in which everything but time must be as expected, and which comes to these verdicts.
fn scenario(
    program: SwitchProgram,
    test: &str,
    name: &'static str,
    variant: Variant,
    verdicts: &'static [VerdictKind],
) -> Test {
    Test::on(program, &on(program, test), move |switches| async move {
        let Played { report, story } = play(&switches, name, variant, true).await?;
        let expectations = &report.outcome.expectations;
        let failed: Vec<_> = expectations.failed().filter(|expectation| !expectation.timed).collect();
        if failed.is_empty() && !expectations.is_empty() && reached(&report) == verdicts {
            return Ok(());
        }
        Err(format!("not held: {failed:#?}, verdicts {:?}\n{story}", reached(&report)).into())
    })
}

/// What the verification is for: without it the same frames take the traffic, here as anywhere.
async fn hijack(switches: Arc<Processes>) -> TestResult {
    let Played { report, story } = play(&switches, "spoof", HOLD, false).await?;
    let stream = report.outcome.streams.first().ok_or("no stream")?;
    let robbed = !report.held && stream.lost > 0 && stream.misdelivered_at.contains_key("mallory");
    if robbed && reached(&report) == [VerdictKind::Moved] {
        return Ok(());
    }
    Err(format!("nothing was taken: {stream:?}, verdicts {:?}\n{story}", reached(&report)).into())
}

/// What came of a scenario, and what happened in it.
struct Played {
    report: ScenarioReport,
    story: String,
}

async fn play(switches: &Processes, name: &str, variant: Variant, verify: bool) -> Result<Played, Failure> {
    let scenario = Scenario::find(name)?;
    let mut fabric = Fabric::start(switches, scenario.topology(), scenario.options(variant, verify)).await?;
    let report = scenario.play(&mut fabric, variant).await;
    let timeline = Timeline::new(fabric.topology().clone());
    let lines = fabric.log().since(log::Mark::START).into_iter().map(|entry| timeline.line(&entry));
    let plain = Style { color: false };
    let story: Vec<_> = lines.filter(|line| line.is_news()).map(|line| line.text(plain)).collect();
    fabric.shutdown().await;
    let report = report?;
    println!("\n{}", show::results(std::slice::from_ref(&report), plain));
    Ok(Played { report, story: story.join("\n") })
}

fn reached(report: &ScenarioReport) -> Vec<VerdictKind> {
    report.outcome.verdicts.iter().map(|verdict| verdict.verdict).collect()
}
