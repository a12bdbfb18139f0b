//! The pipeline on BMv2 and on the embedded switch, packet by packet, and what our controller needs of their P4Runtime
//! servers. BMv2 is the oracle: where the two differ, the embedded switch is wrong until shown otherwise.

use std::sync::Arc;

use vouch_bmv2_tests::corpus;
use vouch_bmv2_tests::harness::{Test, TestResult};
use vouch_bmv2_tests::{Processes, SwitchProgram};
use vouch_lab::target::Embedded;

use crate::bench::Bench;
use crate::{cases, mutants, p4testgen, protocol};

/// All tests.
pub(crate) fn tests() -> Vec<Test> {
    let mut tests = vec![
        Test::new("both_do_what_every_case_says_and_do_the_same", every_case),
        Test::new("both_do_the_same_to_damaged_packets", damaged_packets),
        Test::on(SwitchProgram::P4Switch, "p4_switch_does_what_every_case_says", every_case),
        Test::on(SwitchProgram::P4Switch, "p4_switch_does_the_same_to_damaged_packets", damaged_packets),
        // Playing starts a runtime of its own.
        Test::new("bmv2_does_what_p4testgen_says", async |bmv2: Arc<Processes>| {
            let play = move || p4testgen::play_on(&*bmv2, &[p4testgen::V1MODEL], p4testgen::OF_V1MODEL);
            tokio::task::spawn_blocking(play).await?
        }),
        Test::new("bmv2_does_what_p4testgen_says_of_the_program_for_tofino", async |bmv2: Arc<Processes>| {
            let builds = [p4testgen::TOFINO, p4testgen::V1MODEL];
            let play = move || p4testgen::play_on(&*bmv2, &builds, p4testgen::OF_TOFINO);
            tokio::task::spawn_blocking(play).await?
        }),
        Test::new("bmv2_does_what_the_corpus_says", async |bmv2: Arc<Processes>| {
            tokio::task::spawn_blocking(move || the_corpus(&bmv2)).await?
        }),
    ];
    macro_rules! protocol {
        ($($name:ident),* $(,)?) => {$(
            tests.push(Test::new(concat!("bmv2_", stringify!($name)), async |bmv2: Arc<Processes>| {
                protocol::$name(&mut Bench::start(&*bmv2).await?).await
            }));
            tests.push(Test::new(concat!("embedded_", stringify!($name)), async |_: Arc<Processes>| {
                protocol::$name(&mut Bench::start(&Embedded::default()).await?).await
            }));
        )*};
    }
    protocol![
        reads_back_what_was_written,
        names_each_refused_update,
        tells_of_idle_entries,
        counts_the_frames_of_a_host,
        polices_punts_by_place,
        lets_another_controller_take_over,
    ];
    tests
}

/// What BMv2 makes of each program of the corpus that it can run is what the test says.
fn the_corpus(bmv2: &Processes) -> TestResult {
    let (mut problems, mut tried) = (Vec::new(), 0);
    for case in corpus::cases()? {
        if let Some(reason) = case.not_on_bmv2()? {
            println!("skipped on BMv2: {}: {reason}", case.name);
            continue;
        }
        tried += 1;
        if let Err(error) = case.play_on(bmv2) {
            problems.push(format!("{}:\n{error}", case.name));
        }
    }
    verdict(&problems, tried)
}

/// Each switch does what the case says, and both send the very same bytes and count the same.
async fn every_case(bmv2: Arc<Processes>) -> TestResult {
    let mut oracle = Bench::start(&*bmv2).await?;
    let mut embedded = Bench::start(&Embedded::default()).await?;
    let mut problems = Vec::new();
    let cases = cases::all();
    for case in &cases {
        let outcomes =
            [oracle.observe(&case.entries, &case.inputs).await?, embedded.observe(&case.entries, &case.inputs).await?];
        for (bench, outcome) in [&oracle, &embedded].into_iter().zip(&outcomes) {
            if let Some(disagreement) = case.disagreement(outcome) {
                problems.push(format!("{} ({}): {disagreement}", case.name, bench.name()));
            }
        }
        let [theirs, ours] = &outcomes;
        if theirs != ours {
            let names = (oracle.name(), embedded.name());
            problems.push(format!("{case:#?}:\n  {}:\n{theirs:?}  {}:\n{ours:?}", names.0, names.1));
        }
    }
    verdict(&problems, cases.len())
}

/// Both do the same to packets that nobody thought of.
async fn damaged_packets(bmv2: Arc<Processes>) -> TestResult {
    let mut oracle = Bench::start(&*bmv2).await?;
    let mut embedded = Bench::start(&Embedded::default()).await?;
    let (mut problems, mut tried) = (Vec::new(), 0);
    for (case, seed) in cases::all().iter().zip(1..) {
        for inputs in mutants::of(case, seed) {
            tried += 1;
            let theirs = oracle.observe(&case.entries, &inputs).await?;
            let ours = embedded.observe(&case.entries, &inputs).await?;
            if theirs != ours {
                let names = (oracle.name(), embedded.name());
                problems.push(format!(
                    "after \"{}\", damaged: {inputs:#?}\n  {}:\n{theirs:?}  {}:\n{ours:?}",
                    case.name, names.0, names.1
                ));
            }
        }
    }
    verdict(&problems, tried)
}

/// Everything that went wrong, at once.
fn verdict(problems: &[String], tried: usize) -> TestResult {
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!("{} problems in {tried} cases:\n\n{}", problems.len(), problems.join("\n")).into())
}
