//! The lab's scenarios on switches that are processes: the same P4, the same agents over P4Runtime and mutual TLS, the same
//! hosts, and BMv2, which is not ours, or `p4-switch` in its place. What is claimed of behaviour is asserted; times are
//! printed, since a busy machine proves nothing about them.

use std::sync::Arc;

use vouch_bmv2_tests::harness::{Test, TestResult};
use vouch_bmv2_tests::scenarios::{On, Played, Staged};
use vouch_bmv2_tests::uplinks::{self, Cut};
use vouch_bmv2_tests::{Processes, SwitchProgram};
use vouch_lab::Variant;
use vouch_lab::scenario::{Scenario, VerdictKind};
use vouch_mobility::{Advertise, During};

/// A machine that runs tests is busy, and one that stalls loses packets that no switch has lost. What a fabric does wrong, it does each time.
const ATTEMPTS: u32 = 3;

/// One out of a file.
const WRITTEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/scenarios/forged-then-real.yaml");

/// All of them, on both programs.
pub(crate) fn tests() -> Vec<Test> {
    SwitchProgram::ALL.into_iter().flat_map(tests_on).collect()
}

fn tests_on(program: SwitchProgram) -> Vec<Test> {
    let there = Staged::all().filter(|staged| staged.lacks(On::Processes(program)).is_none());
    let written = Staged::named(WRITTEN).expect("it is a scenario");
    let mut tests: Vec<Test> = there.chain(written).map(|staged| scenario(program, staged)).collect();
    tests.push(Test::on(program, &on(program, "spoof_without_verification_is_a_hijack"), hijack));
    let uplinks = on(program, "uplinks_are_shared_and_a_cut_one_comes_back");
    tests.push(Test::on(program, &uplinks, share));
    let example = on(program, "the_example_works_and_an_agent_restarts_unnoticed");
    tests.push(Test::on(program, &example, crate::example::restart));
    tests
}

/// A test's name, with the program that it is played on.
fn on(program: SwitchProgram, test: &str) -> String {
    let program = match program {
        SwitchProgram::Bmv2 => "bmv2",
        SwitchProgram::P4Switch => "p4_switch",
    };
    format!("{program}_{}", test.replace('-', "_"))
}

/// A scenario in which everything but time must be as expected.
fn scenario(program: SwitchProgram, staged: Staged) -> Test {
    Test::on(program, &on(program, &staged.to_string()), move |switches| async move {
        for attempt in 1.. {
            let Played { line, story } = staged.play(&*switches, false).await;
            println!("\n{line}");
            match line.held() {
                true => break,
                false if attempt < ATTEMPTS => println!("{staged}: not held, and played again"),
                false => return Err(format!("{line}\n{story}").into()),
            }
        }
        Ok(())
    })
}

/// What `fabric uplinks` measures must be right, whatever time it takes.
async fn share(switches: Arc<Processes>) -> TestResult {
    let outcome = uplinks::play(&*switches, 4, Cut::Silent).await?;
    println!("\n{:?}, {} of {} packets lost", outcome.shares, outcome.stream.lost, outcome.stream.sent);
    if outcome.problems.is_empty() { Ok(()) } else { Err(outcome.problems.join("; ").into()) }
}

/// What the verification is for: without it the same frames take the traffic, here as anywhere.
async fn hijack(switches: Arc<Processes>) -> TestResult {
    let hold = Variant { advertise: Advertise::AfterVerdict, during: During::Hold };
    let report = Scenario::find("spoof")?.run(&*switches, hold, false).await?;
    let stream = report.outcome.streams.first().ok_or("no stream")?;
    let robbed = !report.held && stream.lost > 0 && stream.misdelivered_at.contains_key("mallory");
    let verdicts: Vec<_> = report.outcome.verdicts.iter().map(|verdict| verdict.verdict).collect();
    if robbed && verdicts == [VerdictKind::Moved] {
        return Ok(());
    }
    Err(format!("nothing was taken: {stream:?}, verdicts {verdicts:?}").into())
}
