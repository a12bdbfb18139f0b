//! What holds after every step of every run.

use proptest::prelude::*;
use vouch_mobility::Instant;

use crate::sim::script::{CALM, Script, scripts};
use crate::sim::world::World;

/// Runs the script and checks everything.
pub(crate) fn run(script: &Script) -> World {
    let mut world = World::new(script);
    world.run_until(Instant::EPOCH + CALM);
    world.checker.in_the_end(&world);
    world
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 25, failure_persistence: None, ..ProptestConfig::default() })]

    /// Sessions break, links fail, hosts move and lie.
    #[test]
    fn nothing_breaks_over_sessions_that_do_what_they_promise(script in scripts(false, false)) {
        run(&script);
    }

    /// The same, and agents restart.
    #[test]
    fn nothing_breaks_when_agents_restart(script in scripts(false, true)) {
        run(&script);
    }

    /// The same, and messages are lost, doubled and reordered within a session.
    #[test]
    fn nothing_breaks_over_sessions_that_do_not(script in scripts(true, false)) {
        run(&script);
    }
}
