//! What holds after every step of every run.

use std::time::Duration;

use proptest::prelude::*;
use vouch_mobility::{AccessId, Instant, Report};

use crate::sim::dataplane::Ingress;
use crate::sim::script::{CALM, Faults, GIVEN_UP, SETTLED, STEADFAST, Script, key, scripts, slowing_down};
use crate::sim::world::World;

/// Runs the script and checks everything.
pub(crate) fn run(script: &Script) -> World {
    let mut world = World::new(script);
    world.run_until(Instant::EPOCH + CALM);
    if world.somebody_seeks() {
        world.run_until(Instant::EPOCH + GIVEN_UP);
    }
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

    /// The host that stays slows down to beyond the verdict, and those who answer for it keep claiming it. It may be taken for gone, but not for long.
    #[test]
    fn a_host_that_slows_down_has_its_traffic(script in slowing_down()) {
        let mut world = World::new(&script);
        for millis in [6_000, 8_500] {
            world.run_until(Instant::EPOCH + SETTLED + Duration::from_millis(millis));
            for start in 0..script.vteps {
                let trace = world.trace(&key(1), start, Ingress::Access(AccessId(99)));
                let place = world.devices[STEADFAST].at.expect("it stays");
                assert_eq!(trace.copies(place), 1, "{:?}: from VTEP {start}: {:?}", world.now, trace.delivered);
            }
        }
        assert!(!world.checker.reports.iter().any(|(at, report)| {
            *at == 0 && matches!(report, Report::Attack { host, port: AccessId(1), .. } if *host == key(1))
        }));
    }

    /// Messages are lost, doubled and reordered within a session.
    #[test]
    fn nothing_breaks_over_sessions_that_do_not(script in scripts(Faults { harsh: true, ..Faults::default() })) {
        run(&script);
    }
}
