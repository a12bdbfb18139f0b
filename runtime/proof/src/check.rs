//! Running a scene: all of it, or until something goes wrong, and then the shortest way there.

use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model};
use vouch_mobility::{Guard, without};

use crate::act::Act;
use crate::model::{Play, happenings};
use crate::scene::Scene;
use crate::watch::{Happening, Violation};

/// What has come of it.
#[derive(Debug)]
pub struct Outcome {
    /// How many different states there are.
    pub states: usize,
    /// How many ways lead to them.
    pub steps: usize,
    /// The longest way that was gone.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// What happened on the way.
    pub happened: Vec<Happening>,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// It was given up before everything was tried.
    pub incomplete: bool,
}

/// Something went wrong.
#[derive(Debug)]
pub struct Failure {
    /// What.
    pub violation: Violation,
    /// What led to it.
    pub acts: Vec<Act>,
    /// The same, in words.
    pub trace: Vec<String>,
}

/// Tries everything that may happen in the scene. The states are those that budget and horizon allow; there is no other bound.
pub fn exhaust(scene: &Scene, out: Option<Guard>, most: Option<usize>) -> Outcome {
    let play = Play::new(scene.clone(), out);
    let begun = Instant::now();
    let seen = play.seen();
    let mut builder = play.clone().checker().threads(threads()).finish_when(HasDiscoveries::AnyFailures);
    if let Some(most) = most {
        builder = builder.target_state_count(most);
    }
    let checker = builder.spawn_dfs().join();
    let failed = checker.discoveries().into_values().map(|path| path.into_actions()).min_by_key(Vec::len);
    let incomplete = most.is_some_and(|most| checker.state_count() >= most);
    Outcome {
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        took: begun.elapsed(),
        happened: happenings(seen.load(Ordering::Relaxed)),
        failure: failed.map(|acts| tell(&play, acts)),
        incomplete,
    }
}

/// Looks for the shortest way to something that goes wrong. `None`: there is none within so many steps.
pub fn shortest(scene: &Scene, out: Option<Guard>, most: usize) -> Option<Failure> {
    let play = Play::new(scene.clone(), out);
    let mut depth: Option<NonZeroUsize> = None;
    let mut best: Option<Vec<Act>> = None;
    // One thread goes level by level, and notices what it has found a little later: so what it found is looked for again, nearer.
    loop {
        let mut builder = play.clone().checker().finish_when(HasDiscoveries::AnyFailures).target_state_count(most);
        if let Some(depth) = depth {
            builder = builder.target_max_depth(depth.get());
        }
        let checker = builder.spawn_bfs().join();
        let found = checker.discoveries().into_values().map(|path| path.into_actions()).min_by_key(Vec::len);
        let Some(acts) = found else { break };
        // A state after n acts is at depth n + 1, and is not looked at any more at the depth that is given.
        depth = NonZeroUsize::new(acts.len() + 1);
        let done = acts.len() <= 1;
        best = Some(acts);
        if done {
            break;
        }
    }
    best.map(|acts| tell(&play, acts))
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Plays it once more, and writes down what is said.
fn tell(play: &Play, acts: Vec<Act>) -> Failure {
    let mut world = play.begin().clone();
    let mut trace = Vec::new();
    for &act in &acts {
        let since = (world.now - world.begun).as_millis();
        trace.push(format!("{since:>5} ms  {}", crate::words::act(&world, act)));
        world.told = Some(Vec::new());
        let Some(mut next) = without(play.without, || play.after(&world, act)) else { break };
        trace.extend(next.told.take().unwrap_or_default().into_iter().map(|said| format!("            {said}")));
        world = next;
    }
    let violation = world.ghosts.violation.unwrap_or_else(|| Violation {
        property: crate::watch::Property::Bounds,
        what: "what led to it once does not lead to it again".to_owned(),
    });
    trace.push(format!("      wrong: {}", violation.what));
    Failure { violation, acts, trace }
}
