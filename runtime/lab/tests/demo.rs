//! The demo as a command: what it prints and when it fails.

use vouch_lab::demo::{DemoOptions, run, run_on};
use vouch_lab::target::{BoxFuture, Plant, Target};
use vouch_lab::{LabError, Topology};

/// Switches that never start.
struct Broken;

impl Target for Broken {
    fn name(&self) -> &str {
        "broken switch"
    }

    fn build<'a>(&'a self, _: &'a Topology) -> BoxFuture<'a, Result<Box<dyn Plant>, LabError>> {
        let error = LabError::Switch { switch: "vtep1".to_owned(), error: "no power".to_owned() };
        Box::pin(async { Err(error) })
    }
}

fn only(scenario: &str) -> DemoOptions {
    DemoOptions { scenarios: vec![scenario.to_owned()], ..DemoOptions::default() }
}

#[tokio::test]
async fn a_scenario_that_cannot_be_played_has_failed_and_says_why() {
    let mut text = Vec::new();
    let outcome = run_on(only("move"), &mut text, &mut |_| Ok(Box::new(Broken))).await.unwrap();
    assert_eq!(outcome.exit_code(), 1);
    // One configuration that fails does not hide the others.
    assert_eq!(outcome.reports.len(), 3);
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("NOT HELD  the scenario can be played: expected yes, measured no: switch vtep1"), "{text}");
    assert!(text.contains("Not every expectation held."), "{text}");
}

#[tokio::test]
async fn json_is_one_object_a_line_and_ends_with_the_summary() {
    let mut text = Vec::new();
    let options = DemoOptions { json: true, ..only("spoof") };
    run_on(options, &mut text, &mut |_| Ok(Box::new(Broken))).await.unwrap();
    let text = String::from_utf8(text).unwrap();
    let records: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [scenario, summary] = records.as_slice() else { panic!("{text}") };
    assert_eq!((&scenario["type"], &scenario["scenario"]), (&"scenario".into(), &"spoof".into()));
    assert_eq!(scenario["variant"]["during_verification"], "escalate");
    assert_eq!(scenario["expectations"][0]["held"], false);
    assert_eq!((&summary["type"], &summary["held"]), (&"summary".into(), &false.into()));
}

#[tokio::test]
async fn an_unknown_scenario_is_refused_before_anything_is_started() {
    let error = run(only("spof"), &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, LabError::NoSuchScenario { .. }), "{error}");
}
