//! The pipeline on BMv2, packet by packet, and what our controller needs of its P4Runtime server.

mod bench;
mod cases;
mod entries;
mod frames;
mod network;
mod protocol;

use std::process::ExitCode;
use std::sync::Arc;

use bench::Bench;
use vouch_bmv2_tests::Bmv2;
use vouch_bmv2_tests::harness::{Test, TestResult, run};

fn main() -> ExitCode {
    macro_rules! protocol {
        ($($name:ident),* $(,)?) => {
            vec![$(Test::new(concat!("bmv2_", stringify!($name)), async |bmv2: Arc<Bmv2>| {
                protocol::$name(&mut Bench::start(&*bmv2).await?).await
            })),*]
        };
    }
    let mut tests = vec![Test::new("bmv2_does_what_every_case_says", every_case)];
    tests.extend(protocol![
        reads_back_what_was_written,
        names_each_refused_update,
        tells_of_idle_entries,
        counts_the_frames_of_a_host,
        polices_punts_by_port,
        lets_another_controller_take_over,
    ]);
    run(tests)
}

async fn every_case(bmv2: Arc<Bmv2>) -> TestResult {
    let mut bench = Bench::start(&*bmv2).await?;
    let mut problems = Vec::new();
    let cases = cases::all();
    for case in &cases {
        let outcome = bench.observe(&case.entries, &case.inputs).await?;
        if let Some(disagreement) = case.disagreement(&outcome) {
            problems.push(format!("{} ({}): {disagreement}", case.name, bench.name()));
        }
    }
    verdict(&problems, cases.len())
}

/// Everything that went wrong, at once.
fn verdict(problems: &[String], of: usize) -> TestResult {
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!("{} of {of} cases:\n\n{}", problems.len(), problems.join("\n")).into())
}
