//! Whole fabrics, told as stories: what the table saw, and what comes of it now.

use vouch_mobility::{AccessId, During, Evidence, Instant, Location, Report};

use crate::properties::run;
use crate::sim::dataplane::Ingress;
use crate::sim::device::Habit;
use crate::sim::script::{Deed, IMPOSTORS, MUTE, SETTLED, STEADFAST, Script, WANDERER, key};
use crate::sim::world::World;

const ARP: Evidence = Evidence::Arp;
const IMPOSTOR_OF_STEADFAST: usize = IMPOSTORS[0];
const IMPOSTOR_AT_HOME: usize = IMPOSTORS[2];
const IMPOSTOR_OF_WANDERER: usize = IMPOSTORS[3];

fn announce(device: usize) -> Deed {
    Deed::Announce { device, evidence: ARP }
}

/// How many copies of what is sent from everywhere arrive where the device is.
fn copies(world: &World, device: usize) -> Vec<usize> {
    let place = world.devices[device].at.expect("it is somewhere");
    let host = world.devices[device].key;
    (0..world.vteps.len()).map(|at| world.trace(&host, at, Ingress::Access(AccessId(99))).copies(place)).collect()
}

fn attacks(world: &World) -> Vec<(usize, AccessId)> {
    let attack = |(at, report): &(usize, Report)| match report {
        Report::Attack { port, .. } => Some((*at, *port)),
        _ => None,
    };
    world.checker.reports.iter().filter_map(attack).collect()
}

fn until(script: &Script, millis: u64) -> World {
    let mut world = World::new(script);
    world.run_until(Instant::EPOCH + SETTLED + std::time::Duration::from_millis(millis));
    world
}

/// Row 1.
#[test]
fn row_1_a_host_that_rebooted_gets_its_traffic_back_and_is_not_blamed() {
    let mut deeds =
        vec![(100, Deed::Silent { device: STEADFAST, millis: 3_000 }), (600, announce(IMPOSTOR_OF_STEADFAST))];
    deeds.extend((0..6).map(|second| (3_200 + 700 * second, announce(STEADFAST))));
    let script = Script { cunning: true, ..Script::of(deeds) };
    let world = until(&script, 8_000);
    assert!(copies(&world, STEADFAST).iter().all(|&copies| copies == 1), "{:?}", copies(&world, STEADFAST));
    assert!(!attacks(&world).contains(&(0, AccessId(1))), "{:?}", attacks(&world));
}

/// Rows 2 and 13.
#[test]
fn row_2_a_switch_that_stalls_gives_no_host_away() {
    for loses in [false, true] {
        let stall = Deed::Stall { at: 0, millis: 2_000, loses };
        run(&Script::of(vec![(100, stall), (200, announce(IMPOSTOR_OF_STEADFAST)), (900, announce(IMPOSTOR_AT_HOME))]));
    }
}

/// Row 4.
#[test]
fn row_4_a_host_with_another_address_keeps_its_traffic() {
    let rarp = Deed::Announce { device: IMPOSTOR_OF_STEADFAST, evidence: Evidence::Rarp };
    run(&Script::of(vec![
        (100, Deed::Readdress { device: STEADFAST }),
        (2_500, rarp),
        (4_000, announce(IMPOSTOR_AT_HOME)),
    ]));
}

/// Row 5.
#[test]
fn row_5_restarts_and_reboots_give_no_host_away() {
    for deed in [Deed::Restart { at: 0 }, Deed::Reboot { at: 0 }] {
        let forged = [IMPOSTOR_AT_HOME, IMPOSTOR_OF_STEADFAST].map(|device| (501, announce(device)));
        let mut deeds = vec![(500, deed)];
        deeds.extend(forged);
        let world = run(&Script::of(deeds));
        assert!(copies(&world, STEADFAST).iter().all(|&copies| copies == 1), "{deed:?}");
    }
}

/// Row 7.
#[test]
fn row_7_answers_that_are_policed_away_give_no_host_away() {
    run(&Script::of(vec![(100, Deed::Police { at: 0, millis: 2_000 }), (200, announce(IMPOSTOR_OF_STEADFAST))]));
}

/// Row 9.
#[test]
fn row_9_a_host_moves_to_a_port_from_which_it_was_forged() {
    let mut deeds: Vec<_> = (0..3).map(|number| (100 + 100 * number, announce(IMPOSTOR_OF_WANDERER))).collect();
    deeds.push((450, Deed::Move { device: WANDERER, at: 1, port: AccessId(4), stunned_ms: 0 }));
    deeds.push((451, announce(WANDERER)));
    let world = until(&Script::of(deeds), 8_000);
    assert!(copies(&world, WANDERER).iter().all(|&copies| copies == 1));
}

/// Row 12.
#[test]
fn row_12_poisoned_addresses_stay_with_their_hosts() {
    let poison = |millis, at| (millis, Deed::Poison { at, port: AccessId(3), victim: STEADFAST });
    let world = run(&Script::of(vec![poison(100, 0), poison(150, 1), poison(1_000, 0), poison(2_000, 2)]));
    let ip = world.devices[STEADFAST].ip;
    for vtep in &world.vteps {
        let binding = vtep.machine.binding(key(1).vni, ip);
        assert_eq!(binding.map(|binding| binding.mac), Some(key(1).mac));
    }
}

/// Row 14: forged while the host is paused, by one who answers; the true announcement comes before or after the verdict.
#[test]
fn row_14_a_host_that_was_paused_for_its_migration_arrives() {
    for (paused_at, stunned_ms) in [(100, 150), (100, 390)] {
        for during in [During::Hold, During::Both, During::Escalate] {
            let script = Script {
                cunning: true,
                during,
                ..Script::of(vec![
                    (paused_at, Deed::Move { device: WANDERER, at: 2, port: AccessId(2), stunned_ms }),
                    (paused_at + 5, announce(IMPOSTOR_OF_WANDERER)),
                    (paused_at + stunned_ms, announce(WANDERER)),
                    (paused_at + stunned_ms + 150, announce(WANDERER)),
                ])
            };
            let world = until(&script, 4_000);
            let copies = copies(&world, WANDERER);
            assert!(copies.iter().all(|&copies| copies == 1), "{stunned_ms} ms, {during:?}: {copies:?}");
            assert_eq!(attacks(&world), [], "{stunned_ms} ms, {during:?}");
        }
    }
}

/// Row 15.
#[test]
fn row_15_early_announcements_do_not_delay_the_arrival() {
    for early in [&[100, 250, 400, 550][..], &[0, 200, 450, 650, 840], &[0, 300, 600], &[0, 400, 800, 1_200, 1_600]] {
        let mut deeds: Vec<_> = early.iter().map(|&at| (at, announce(IMPOSTOR_OF_WANDERER))).collect();
        let paused = early[early.len() - 1] + 60;
        deeds.push((paused, Deed::Move { device: WANDERER, at: 1, port: AccessId(4), stunned_ms: 50 }));
        deeds.push((paused + 50, announce(WANDERER)));
        let world = until(&Script::of(deeds), paused + 600);
        let copies = copies(&world, WANDERER);
        assert!(
            copies.iter().all(|&copies| copies == 1),
            "{early:?}: 550 ms later, well within the damping: {copies:?}"
        );
        assert_eq!(attacks(&world), [], "{early:?}");
    }
}

/// METHOD, section 1: ten forged announcements a second.
#[test]
fn who_claims_a_host_again_and_again_is_reported_soon() {
    for seed in 0..20 {
        let deeds = (0..75).map(|number| (100 * number, announce(IMPOSTOR_OF_STEADFAST))).collect();
        let world = until(&Script { seed, ..Script::of(deeds) }, 7_500);
        assert_eq!(attacks(&world), [(1, AccessId(3))], "seed {seed}");
        assert!(copies(&world, STEADFAST).iter().all(|&copies| copies == 1), "seed {seed}");
    }
}

#[test]
fn a_mute_host_is_claimed_and_goes_on_receiving() {
    for during in [During::Hold, During::Both, During::Escalate] {
        let impostor = Deed::Announce { device: IMPOSTORS[4], evidence: Evidence::Rarp };
        let world = run(&Script { during, ..Script::of(vec![(100, impostor)]) });
        assert_eq!(copies(&world, MUTE), [1, 1, 1], "{during:?}");
    }
}

#[test]
fn a_host_that_answers_late_keeps_its_entry() {
    for after_ms in [250, 500, 800] {
        run(&Script { habit: Habit::Late { after_ms }, ..Script::of(vec![(100, announce(IMPOSTOR_OF_STEADFAST))]) });
    }
}

/// It slows down to beyond the verdict, says nothing of its own, and somebody keeps claiming it and answers for it: the verdict is wrong, and cannot be
/// otherwise. The answer that comes after it shows that.
#[test]
fn a_host_that_has_become_slower_than_the_verdict_gets_its_traffic_back() {
    for after_ms in [310, 400, 800, 1_500] {
        for impostor in [IMPOSTOR_OF_STEADFAST, IMPOSTOR_AT_HOME] {
            for during in [During::Hold, During::Both, During::Escalate] {
                let slow = Deed::Habit { device: STEADFAST, habit: Habit::Late { after_ms } };
                let mut deeds = vec![(0, slow)];
                deeds.extend((0..80).map(|number| (50 + 100 * number, announce(impostor))));
                let script = Script { cunning: true, during, ..Script::of(deeds) };
                for millis in [after_ms + 300, after_ms + 1_000, 4_000, 8_000] {
                    let copies = copies(&until(&script, millis), STEADFAST);
                    assert_eq!(copies, [1, 1, 1], "{after_ms} ms, {impostor}, {during:?}: after {millis} ms");
                }
                let world = until(&script, 8_000);
                assert!(!attacks(&world).contains(&(0, AccessId(1))), "{:?}", attacks(&world));
            }
        }
    }
}

/// It was away for a while, and answers late since it is back: its place is heard out.
#[test]
fn a_host_that_comes_back_slow_gets_its_traffic_back() {
    for impostor in [IMPOSTOR_OF_STEADFAST, IMPOSTOR_AT_HOME] {
        let mut deeds = vec![
            (0, Deed::Habit { device: STEADFAST, habit: Habit::Late { after_ms: 250 } }),
            (0, Deed::Silent { device: STEADFAST, millis: 3_000 }),
        ];
        deeds.extend((0..80).map(|number| (50 + 100 * number, announce(impostor))));
        let script = Script { cunning: true, ..Script::of(deeds) };
        for millis in [3_600, 5_000, 8_000] {
            assert_eq!(copies(&until(&script, millis), STEADFAST), [1, 1, 1], "{impostor}: after {millis} ms");
        }
    }
}

/// Who has a contested host forgets everything: whoever answers there does not get it alone, because the other place says what it was.
#[test]
fn a_contested_host_is_contested_after_a_reboot_of_who_has_it() {
    let mut deeds = vec![(0, Deed::Habit { device: STEADFAST, habit: Habit::Late { after_ms: 400 } })];
    deeds.extend((0..80).map(|number| (50 + 100 * number, announce(IMPOSTOR_OF_STEADFAST))));
    deeds.push((3_000, Deed::Reboot { at: 1 }));
    let script = Script { cunning: true, ..Script::of(deeds) };
    for millis in [2_900, 4_500, 6_000, 8_000] {
        assert_eq!(copies(&until(&script, millis), STEADFAST), [1, 1, 1], "after {millis} ms");
    }
}

/// The whole fabric, every frame from every VTEP: see `both_places_are_served`.
#[test]
fn b3_both_serves_both_places_from_everywhere() {
    for advertise in [vouch_mobility::Advertise::AfterVerdict, vouch_mobility::Advertise::AtOnce] {
        for (at, port) in [(2, AccessId(4)), (0, AccessId(3))] {
            let moves = Deed::Move { device: WANDERER, at, port, stunned_ms: 0 };
            let script =
                Script { advertise, during: During::Both, ..Script::of(vec![(0, moves), (0, announce(WANDERER))]) };
            let world = run(&script);
            assert!(world.checker.served_both > 0, "{advertise:?}: no claim of VTEP {at} was ever seen pending");
            let location = world.vteps[at].machine.host(&key(2)).and_then(|info| info.location);
            assert_eq!(location, Some(Location::Local(port)));
        }
    }
}
