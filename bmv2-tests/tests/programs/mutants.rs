//! Whether the tests see anything: programs in which one primitive does nothing.
//!
//! Not each one can be missed: some write a value that is there already, or only what nothing should ever read. But each kind of
//! primitive has to be missed somewhere, and each program has to miss something.

use std::collections::BTreeSet;
use std::fs;

use p4_switch::stf::{Options, Outcome, Program};
use serde_json::{Value, json};
use vouch_bmv2_tests::corpus::Case;

use crate::cases;
use crate::coverage::PRIMITIVES;

/// What leaves no mark on a packet.
const SILENT: &[&str] = &["assert", "assume", "log_msg"];

#[test]
fn every_kind_of_primitive_is_missed_and_every_program_misses_one() {
    let mut missed = BTreeSet::new();
    for case in cases() {
        let text = fs::read(&case.json).unwrap_or_else(|error| panic!("{}: {error}", case.json.display()));
        let mut program: Value = serde_json::from_slice(&text).expect("compiled JSON");
        let (mut tried, mut noticed) = (0, 0);
        for action in 0..program["actions"].as_array().map_or(0, Vec::len) {
            for primitive in 0..program["actions"][action]["primitives"].as_array().map_or(0, Vec::len) {
                let place = &mut program["actions"][action]["primitives"][primitive];
                let op = place["op"].as_str().expect("a primitive has a name").to_owned();
                // It stays in its place: jumps count.
                let original = std::mem::replace(place, json!({"op": "no_op", "parameters": []}));
                tried += 1;
                if !passes(&case, &program) {
                    noticed += 1;
                    missed.insert(op);
                }
                program["actions"][action]["primitives"][primitive] = original;
            }
        }
        assert!(tried == 0 || noticed > 0, "{} misses none of its {tried} primitives", case.name);
    }
    let never: Vec<_> = PRIMITIVES.iter().filter(|op| !SILENT.contains(op) && !missed.contains(**op)).collect();
    assert!(never.is_empty(), "no test misses {never:?}");
}

fn passes(case: &Case, program: &Value) -> bool {
    let rules = Program::rules(program.to_string().as_bytes(), None).expect("the program without one primitive");
    Program::embedded(rules, Options::default()).play(&case.test) == Outcome::Passed
}
