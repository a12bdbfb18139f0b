//! The corpus on the embedded switch: in this process and over P4Runtime. `packets` plays it on BMv2.

mod coverage;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use vouch_bmv2_tests::corpus::{self, Case};
use vouch_bmv2_tests::rig::Result;
use vouch_lab::target::Embedded;
use vouch_switch::{Micros, Output, Program, Switch, SwitchConfig, TraceEvent, Worker};

fn cases() -> Vec<Case> {
    corpus::cases().expect("the corpus can be read")
}

/// Plays every program and reports everything that went wrong at once.
fn all(play: impl Fn(&Case) -> Result<()>) {
    let failed: BTreeMap<_, _> = cases()
        .iter()
        .filter_map(|case| play(case).err().map(|error| (case.name.clone(), error.to_string())))
        .collect();
    let reports: String = failed.iter().map(|(name, error)| format!("{name}:\n{error}")).collect();
    assert!(failed.is_empty(), "{} programs failed:\n{reports}", failed.len());
}

#[test]
fn every_program_does_what_its_test_says() {
    all(Case::play_in_process);
}

#[test]
fn every_program_does_so_over_p4runtime() {
    all(|case| case.play_on(&Embedded::default()));
}

/// A test that passes whatever its program does would be worthless: none of these may pass on a program that only sends
/// every frame to port 2.
#[test]
fn no_test_passes_on_a_program_that_does_nothing() {
    let idle = fs::read(corpus::folder().join("build/hashes/random_algorithm.json")).expect("the corpus can be read");
    let mut json: serde_json::Value = serde_json::from_slice(&idle).expect("JSON");
    json["calculations"] = serde_json::json!([]);
    for action in json["actions"].as_array_mut().expect("actions") {
        let primitives = action["primitives"].as_array_mut().expect("primitives");
        primitives.retain(|primitive| primitive["op"] != "modify_field_with_hash_based_offset");
    }
    let json = json.to_string();
    for case in cases() {
        let rules = vouch_bmv2_tests::stf::Program::rules(json.as_bytes(), None).expect("a program");
        let mut idle = vouch_bmv2_tests::stf::Program::embedded(rules, Default::default());
        let outcome = idle.play(&case.test);
        assert_ne!(outcome, vouch_bmv2_tests::stf::Outcome::Passed, "{}", case.name);
    }
}

fn loaded(name: &str) -> std::result::Result<Program, String> {
    let json = fs::read(corpus::folder().join("build").join(name)).expect("the corpus can be read");
    Program::load(&json).map_err(|error| error.to_string())
}

#[test]
fn a_hash_algorithm_that_bmv2_lacks_is_refused() {
    let refusal = loaded("hashes/random_algorithm.json").expect_err("a refusal");
    assert!(refusal.starts_with("calculations[0].algo: hash algorithm `random` is not supported"), "{refusal}");
}

#[test]
fn messages_are_in_the_trace_with_their_values() {
    let program = loaded("actions/log_message.json").expect("a program");
    let switch = Switch::new(Arc::new(program), SwitchConfig::default());
    let (mut worker, mut output) = (Worker::new(&switch), Output::new());
    worker.set_trace(true);
    switch.process(&mut worker, 1, &[6, 0, 16], Micros(0), &mut output);
    let texts = worker.take_trace().into_iter().filter_map(|event| match event {
        TraceEvent::Log { text } => Some(text),
        _ => None,
    });
    assert_eq!(texts.collect::<Vec<_>>(), ["it came", "a is 7", "sum of 7 and 16: 23"]);
}
