//! All that may happen in all scenes, and nothing goes wrong.

use std::collections::BTreeSet;

use vouch_proof::{Happening, exhaust, scenes, shortest};

#[test]
fn nothing_goes_wrong_in_any_order_of_events() {
    let mut happened = BTreeSet::new();
    let (mut states, mut steps) = (0, 0);
    for scene in scenes::all() {
        let outcome = exhaust(&scene, None, None);
        println!("{}: {} states, {} steps, depth {}", scene.name, outcome.states, outcome.steps, outcome.depth);
        if let Some(failure) = outcome.failure {
            let failure = shortest(&scene, None, 2_000_000).unwrap_or(failure);
            panic!("{}, {}\n{}", scene.name, failure.violation.property.words(), failure.trace.join("\n"));
        }
        states += outcome.states;
        steps += outcome.steps;
        happened.extend(outcome.happened);
    }
    println!("all: {states} states, {steps} steps");
    let never: Vec<&str> =
        Happening::ALL.iter().filter(|one| !happened.contains(*one)).map(|one| one.words()).collect();
    assert!(never.is_empty(), "the world does not bring it about that {never:?}");
}
