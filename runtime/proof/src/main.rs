//! Checks scenes, and what goes wrong without a guard.

use std::process::ExitCode;

use vouch_mobility::Guard;
use vouch_proof::scene::Scene;
use vouch_proof::{Failure, exhaust, scenes, shortest};

const USAGE: &str = "usage: vouch-proof [--more N] [--most N] [--without GUARD] [SCENE...]
  SCENE...          which scenes, in place of all
  --more N          every deed of a scene may happen N times more often
  --most N          gives up after so many steps
  --without GUARD   takes a guard out; `all`: each in turn, until something goes wrong";

/// How many states are tried in search of the shortest way.
const SHORTEST: usize = 2_000_000;

fn main() -> ExitCode {
    let mut more = 0;
    let mut most = None;
    let mut guards: Vec<Option<Guard>> = vec![None];
    let mut chosen: Vec<Scene> = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let known = match word.as_str() {
            "--more" => words.next().and_then(|number| number.parse().ok()).map(|number| more = number),
            "--most" => words.next().and_then(|number| number.parse().ok()).map(|number| most = Some(number)),
            "--without" => words.next().and_then(|name| guards_named(&name)).map(|named| guards = named),
            name => scenes::named(name).map(|scene| chosen.push(scene)),
        };
        if known.is_none() {
            let (scenes, guards) = (scenes::all(), Guard::ALL);
            let scenes: Vec<&str> = scenes.iter().map(|scene| scene.name).collect();
            eprintln!("{word}?\n{USAGE}\nscenes: {}\nguards: {guards:?}", scenes.join(" "));
            return ExitCode::FAILURE;
        }
    }
    if chosen.is_empty() {
        chosen = scenes::all();
    }
    let mut all_is_well = true;
    for guard in guards {
        if let Some(guard) = guard {
            println!("without {guard:?}, {}:", guard.words());
        }
        for scene in &chosen {
            let scene = scene.clone().with_more(more);
            if let Some(failure) = check(&scene, guard, most) {
                all_is_well = false;
                tell(&failure);
                if guard.is_some() {
                    break;
                }
            }
        }
    }
    if all_is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn guards_named(name: &str) -> Option<Vec<Option<Guard>>> {
    if name == "all" {
        return Some(Guard::ALL.iter().copied().map(Some).collect());
    }
    Guard::ALL.iter().copied().find(|guard| format!("{guard:?}") == name).map(|guard| vec![Some(guard)])
}

fn check(scene: &Scene, guard: Option<Guard>, most: Option<usize>) -> Option<Failure> {
    let outcome = exhaust(scene, guard, most);
    let given_up = if outcome.incomplete { ", given up" } else { "" };
    println!(
        "{}: {} states, {} steps, depth {}, {:.1} s{given_up}; {:?}",
        scene.name,
        outcome.states,
        outcome.steps,
        outcome.depth,
        outcome.took.as_secs_f32(),
        outcome.happened
    );
    let failure = outcome.failure?;
    Some(shortest(scene, guard, SHORTEST).unwrap_or(failure))
}

fn tell(failure: &Failure) {
    println!("    {}: {}", failure.violation.property.words(), failure.violation.what);
    for line in &failure.trace {
        println!("    {line}");
    }
}
