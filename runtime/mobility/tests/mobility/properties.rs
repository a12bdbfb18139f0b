//! What holds after every step of every run.

use proptest::prelude::*;
use vouch_mobility::Instant;

use crate::sim::script::{CALM, Faults, Script, scripts};
use crate::sim::world::World;

/// Runs the script and checks everything.
pub(crate) fn run(script: &Script) -> World {
    let mut world = World::new(script);
    world.run_until(Instant::EPOCH + CALM);
    let checker = std::mem::take(&mut world.checker);
    checker.in_the_end(&world);
    world.checker = checker;
    world
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Sessions break, links fail, hosts move, fall silent and lie.
    #[test]
    fn nothing_breaks_over_sessions_that_do_what_they_promise(script in scripts(Faults::default())) {
        run(&script);
    }

    /// The same, and switches stall, restart empty and police answers away.
    #[test]
    fn nothing_breaks_when_switches_fail(script in scripts(Faults { switches: true, ..Faults::default() })) {
        run(&script);
    }

    /// The same, and agents restart.
    #[test]
    fn nothing_breaks_when_agents_restart(
        script in scripts(Faults { restarts: true, switches: true, ..Faults::default() })
    ) {
        run(&script);
    }

    /// The same, and agents restart together with their switches.
    #[test]
    fn nothing_breaks_when_everything_is_forgotten(
        script in scripts(Faults { reboots: true, switches: true, ..Faults::default() })
    ) {
        run(&script);
    }

    /// Messages are lost, doubled and reordered within a session.
    #[test]
    fn nothing_breaks_over_sessions_that_do_not(script in scripts(Faults { harsh: true, ..Faults::default() })) {
        run(&script);
    }
}
