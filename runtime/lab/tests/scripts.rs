//! Scenarios out of files, on embedded switches.

use vouch_lab::LabError;
use vouch_lab::scenario::{Scenario, VerdictKind};
use vouch_lab::target::Embedded;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/scenarios/forged-then-real.yaml");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_holds_and_without_verification_it_does_not() {
    let scenario = Scenario::find(EXAMPLE).expect("nothing is wrong with it");
    for variant in scenario.variants() {
        let report = scenario.run(&Embedded::default(), *variant, true).await.expect("it can be played");
        let failed: Vec<_> = report.outcome.expectations.failed().filter(|it| !it.timed).collect();
        assert!(failed.is_empty(), "{variant}: {failed:#?}");
        let verdicts: Vec<_> = report.outcome.verdicts.iter().map(|it| (it.host.as_str(), it.verdict)).collect();
        let moved = ("db", VerdictKind::Moved);
        assert_eq!(verdicts, [("web", VerdictKind::Stayed), ("web", VerdictKind::Stayed), moved, moved]);
        assert!(report.outcome.streams.iter().all(|stream| stream.sent >= 600), "they ran before and after");
    }
    let report = scenario.run(&Embedded::default(), scenario.variants()[1], false).await.expect("it can be played");
    assert!(!report.held && report.outcome.streams[0].misdelivered > 0, "the traffic of web is taken");
}

#[test]
fn a_file_with_mistakes_is_refused_with_all_of_them() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("it.yaml");
    let text = "scenario: it\nabout: that\nsteps:\n  - ping: {from: a, to: red1}\n  - kill-agent: {of: b}\n";
    std::fs::write(&path, text).expect("it can be written");
    let Err(LabError::Script(errors)) = Scenario::find(&path.display().to_string()) else {
        panic!("there is no host a");
    };
    let places: Vec<_> = errors.0.iter().map(|problem| (problem.at.line, problem.path.as_str())).collect();
    assert_eq!(places, [(4, "steps[0]"), (5, "steps[1]")]);
}
