//! Runs that once went wrong.

use vouch_mobility::{AccessId, Advertise, During, Evidence, UnreachableOwner};

use crate::properties::run;
use crate::sim::device::Habit;
use crate::sim::network::Weather;
use crate::sim::script::{Deed, Script};

/// An old owner that still passed traffic on followed a claim told at once, whose claimant sent it to the new owner, which sent it back.
#[test]
fn who_passes_traffic_on_does_not_follow_a_claim_told_at_once() {
    run(&Script {
        seed: 19969140838715649,
        vteps: 4,
        advertise: Advertise::AtOnce,
        during: During::Hold,
        unreachable_owner: UnreachableOwner::Accept,
        weather: Weather { max_delay_ms: 1, loss: 0, duplication: 0, reordering: 0 },
        cunning: false,
        habit: Habit::Answers { within_ms: 60 },
        deeds: vec![
            (1396, Deed::Move { device: 3, at: 0, port: AccessId(4), stunned_ms: 0 }),
            (1396, Deed::Announce { device: 3, evidence: Evidence::Arp }),
            (1196, Deed::Move { device: 3, at: 0, port: AccessId(4), stunned_ms: 0 }),
            (1196, Deed::Announce { device: 3, evidence: Evidence::Arp }),
            (1396, Deed::Announce { device: 4, evidence: Evidence::Arp }),
            (0, Deed::Announce { device: 3, evidence: Evidence::Arp }),
            (1268, Deed::Move { device: 1, at: 0, port: AccessId(2), stunned_ms: 301 }),
            (1268, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (4997, Deed::Move { device: 1, at: 3, port: AccessId(4), stunned_ms: 241 }),
            (4997, Deed::Announce { device: 1, evidence: Evidence::Rarp }),
            (5179, Deed::Move { device: 6, at: 1, port: AccessId(3), stunned_ms: 0 }),
            (5179, Deed::Announce { device: 6, evidence: Evidence::Rarp }),
            (894, Deed::Move { device: 1, at: 1, port: AccessId(3), stunned_ms: 262 }),
            (894, Deed::Announce { device: 1, evidence: Evidence::Rarp }),
            (253, Deed::Move { device: 1, at: 2, port: AccessId(3), stunned_ms: 349 }),
            (253, Deed::Announce { device: 1, evidence: Evidence::Arp }),
        ],
    });
}
/// A doubled host made up for a lost one in the count of a list, and the lost one was deleted.
#[test]
fn a_list_with_a_doubled_host_does_not_hide_a_missing_one() {
    run(&Script {
        seed: 104273063793800159,
        vteps: 2,
        advertise: Advertise::AtOnce,
        during: During::Escalate,
        unreachable_owner: UnreachableOwner::Hold,
        weather: Weather { max_delay_ms: 42, loss: 25, duplication: 29, reordering: 8 },
        cunning: false,
        habit: Habit::Answers { within_ms: 60 },
        deeds: vec![(0, Deed::Idle { device: 0 })],
    });
}
/// The host moved between ports while a rival waited for the verdict: the rival was forgotten, and both kept the host.
#[test]
fn a_rival_is_taken_seriously_after_a_move_between_ports() {
    run(&Script {
        seed: 11956071931622659443,
        vteps: 5,
        advertise: Advertise::AtOnce,
        during: During::Hold,
        unreachable_owner: UnreachableOwner::Accept,
        weather: Weather { max_delay_ms: 20, loss: 0, duplication: 0, reordering: 0 },
        cunning: false,
        habit: Habit::Answers { within_ms: 60 },
        deeds: vec![
            (3828, Deed::Move { device: 1, at: 4, port: AccessId(1), stunned_ms: 0 }),
            (3828, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (3642, Deed::Move { device: 6, at: 4, port: AccessId(3), stunned_ms: 0 }),
            (3642, Deed::Announce { device: 6, evidence: Evidence::Arp }),
            (3251, Deed::Announce { device: 6, evidence: Evidence::Arp }),
            (0, Deed::Session { a: 0, b: 4, up: false }),
            (3921, Deed::Move { device: 1, at: 1, port: AccessId(1), stunned_ms: 0 }),
            (3921, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (4128, Deed::Announce { device: 6, evidence: Evidence::Arp }),
        ],
    });
}
/// Copies went to a rival whose own claim was with somebody else; they came back by way of that.
#[test]
fn a_rival_gets_no_copies() {
    run(&Script {
        seed: 42662100083990700,
        vteps: 4,
        advertise: Advertise::AtOnce,
        during: During::Both,
        unreachable_owner: UnreachableOwner::Accept,
        weather: Weather { max_delay_ms: 41, loss: 21, duplication: 20, reordering: 12 },
        cunning: true,
        habit: Habit::Answers { within_ms: 60 },
        deeds: vec![
            (1136, Deed::Announce { device: 3, evidence: Evidence::Arp }),
            (1097, Deed::Move { device: 1, at: 3, port: AccessId(1), stunned_ms: 181 }),
            (1097, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (1507, Deed::Announce { device: 6, evidence: Evidence::Arp }),
            (50, Deed::Announce { device: 6, evidence: Evidence::Neighbour }),
        ],
    });
}
/// The old owner said who has the host, a higher claim told at once hid it, and a third took the host for free.
#[test]
fn a_hand_over_counts_although_a_claim_told_at_once_is_higher() {
    run(&Script {
        seed: 3629407322749265829,
        vteps: 5,
        advertise: Advertise::AtOnce,
        during: During::Escalate,
        unreachable_owner: UnreachableOwner::Hold,
        weather: Weather { max_delay_ms: 50, loss: 31, duplication: 18, reordering: 4 },
        cunning: true,
        habit: Habit::Answers { within_ms: 60 },
        deeds: vec![
            (0, Deed::Move { device: 3, at: 1, port: AccessId(3), stunned_ms: 0 }),
            (0, Deed::Announce { device: 3, evidence: Evidence::Arp }),
            (2390, Deed::Move { device: 1, at: 4, port: AccessId(1), stunned_ms: 0 }),
            (2390, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (2375, Deed::Move { device: 1, at: 2, port: AccessId(1), stunned_ms: 0 }),
            (2375, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (850, Deed::Announce { device: 3, evidence: Evidence::Arp }),
            (1194, Deed::Port { at: 0, port: AccessId(2), up: true }),
            (2484, Deed::Move { device: 1, at: 3, port: AccessId(1), stunned_ms: 10 }),
            (2484, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (2699, Deed::Move { device: 1, at: 2, port: AccessId(3), stunned_ms: 379 }),
            (2699, Deed::Announce { device: 1, evidence: Evidence::Data }),
            (2392, Deed::Announce { device: 6, evidence: Evidence::Neighbour }),
        ],
    });
}
/// An owner gave the host to a claimant that had told it at once while asking somebody else; the traffic went round.
#[test]
fn a_claim_told_at_once_to_the_owner_is_not_granted() {
    run(&Script {
        seed: 6253687109104420077,
        vteps: 5,
        advertise: Advertise::AtOnce,
        during: During::Both,
        unreachable_owner: UnreachableOwner::Hold,
        weather: Weather { max_delay_ms: 74, loss: 26, duplication: 6, reordering: 10 },
        cunning: true,
        habit: Habit::Answers { within_ms: 60 },
        deeds: vec![
            (6026, Deed::Port { at: 0, port: AccessId(2), up: false }),
            (4417, Deed::Announce { device: 6, evidence: Evidence::Arp }),
            (3863, Deed::Idle { device: 0 }),
            (0, Deed::Move { device: 1, at: 0, port: AccessId(1), stunned_ms: 0 }),
            (0, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (3453, Deed::Announce { device: 6, evidence: Evidence::Arp }),
            (5383, Deed::Move { device: 1, at: 1, port: AccessId(1), stunned_ms: 0 }),
            (5383, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (2345, Deed::Announce { device: 6, evidence: Evidence::Neighbour }),
            (5633, Deed::Move { device: 1, at: 1, port: AccessId(2), stunned_ms: 388 }),
            (5633, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (1496, Deed::Announce { device: 3, evidence: Evidence::Data }),
            (4184, Deed::Port { at: 1, port: AccessId(3), up: true }),
            (3394, Deed::Announce { device: 3, evidence: Evidence::Rarp }),
            (3056, Deed::Idle { device: 0 }),
            (4494, Deed::Announce { device: 3, evidence: Evidence::Arp }),
            (504, Deed::Idle { device: 0 }),
            (6024, Deed::Move { device: 1, at: 0, port: AccessId(4), stunned_ms: 95 }),
            (6024, Deed::Announce { device: 1, evidence: Evidence::Rarp }),
            (1374, Deed::Announce { device: 6, evidence: Evidence::Arp }),
            (3454, Deed::Session { a: 1, b: 4, up: false }),
            (1770, Deed::Move { device: 1, at: 3, port: AccessId(1), stunned_ms: 126 }),
            (1770, Deed::Announce { device: 1, evidence: Evidence::Arp }),
        ],
    });
}
/// An impostor spoke just while it was asked, and kept the host for ever although it never spoke again.
#[test]
fn a_duplicate_is_asked_again_in_the_next_session() {
    run(&Script {
        seed: 8042361790992503960,
        vteps: 2,
        advertise: Advertise::AfterVerdict,
        during: During::Escalate,
        unreachable_owner: UnreachableOwner::Accept,
        weather: Weather { max_delay_ms: 33, loss: 21, duplication: 13, reordering: 1 },
        cunning: false,
        habit: Habit::Answers { within_ms: 60 },
        deeds: vec![
            (1058, Deed::Move { device: 3, at: 1, port: AccessId(3), stunned_ms: 0 }),
            (1058, Deed::Announce { device: 3, evidence: Evidence::Data }),
            (1269, Deed::Move { device: 4, at: 1, port: AccessId(3), stunned_ms: 0 }),
            (1269, Deed::Announce { device: 4, evidence: Evidence::Arp }),
        ],
    });
}
/// The new owner never heard that it was the owner; the old one then passed traffic on to a claimant that had told it at once.
#[test]
fn nothing_is_passed_on_when_nothing_is_certain() {
    run(&Script {
        seed: 160836074229245869,
        vteps: 5,
        advertise: Advertise::AtOnce,
        during: During::Escalate,
        unreachable_owner: UnreachableOwner::Hold,
        weather: Weather { max_delay_ms: 68, loss: 25, duplication: 21, reordering: 43 },
        cunning: false,
        habit: Habit::Answers { within_ms: 60 },
        deeds: vec![
            (430, Deed::Announce { device: 6, evidence: Evidence::Arp }),
            (827, Deed::Announce { device: 6, evidence: Evidence::Arp }),
            (5334, Deed::Announce { device: 3, evidence: Evidence::Data }),
            (5319, Deed::Move { device: 6, at: 0, port: AccessId(3), stunned_ms: 0 }),
            (5319, Deed::Announce { device: 6, evidence: Evidence::Rarp }),
            (3951, Deed::Move { device: 1, at: 0, port: AccessId(1), stunned_ms: 266 }),
            (3951, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (5204, Deed::Move { device: 1, at: 1, port: AccessId(1), stunned_ms: 131 }),
            (5204, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (2105, Deed::Vanish { device: 1 }),
            (2723, Deed::Move { device: 6, at: 3, port: AccessId(4), stunned_ms: 0 }),
            (2723, Deed::Announce { device: 6, evidence: Evidence::Arp }),
            (236, Deed::Move { device: 3, at: 4, port: AccessId(4), stunned_ms: 0 }),
            (236, Deed::Announce { device: 3, evidence: Evidence::Rarp }),
            (2804, Deed::Move { device: 1, at: 1, port: AccessId(2), stunned_ms: 304 }),
            (2804, Deed::Announce { device: 1, evidence: Evidence::Data }),
            (4569, Deed::Move { device: 1, at: 3, port: AccessId(2), stunned_ms: 335 }),
            (4569, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (6303, Deed::Port { at: 3, port: AccessId(4), up: true }),
            (1482, Deed::Announce { device: 3, evidence: Evidence::Data }),
            (5237, Deed::Announce { device: 3, evidence: Evidence::Dad }),
            (5291, Deed::Session { a: 2, b: 4, up: true }),
            (2127, Deed::Habit { device: 1, habit: Habit::Answers { within_ms: 60 } }),
        ],
    });
}

/// After a restart, the answer to a question of an earlier life made a slow host seem a fast one; its next silence was too short to be one.
#[test]
fn a_slow_host_is_not_measured_by_the_answer_to_another_question() {
    for (seed, vteps, during, after_ms, deeds) in [
        (
            16086583862006245812,
            2,
            During::Escalate,
            406,
            vec![
                (2051, Deed::Announce { device: 4, evidence: Evidence::Rarp }),
                (2651, Deed::Restart { at: 0 }),
                (4139, Deed::Announce { device: 3, evidence: Evidence::Arp }),
            ],
        ),
        (
            1420202487382592092,
            4,
            During::Hold,
            590,
            vec![
                (2024, Deed::Announce { device: 3, evidence: Evidence::Data }),
                (2036, Deed::Restart { at: 0 }),
                (3089, Deed::Move { device: 3, at: 1, port: AccessId(3), stunned_ms: 0 }),
                (3089, Deed::Announce { device: 3, evidence: Evidence::Data }),
            ],
        ),
    ] {
        let habit = Habit::Late { after_ms };
        run(&Script { seed, vteps, during, habit, advertise: Advertise::AtOnce, ..Script::of(deeds) });
    }
}

/// A claimant got the host by policy while its owner could not be reached. It cannot ask a host that never was there, and the owner was not believed.
#[test]
fn an_owner_whose_host_answers_is_believed_by_one_who_got_it_by_policy() {
    run(&Script {
        seed: 11354064249513613823,
        vteps: 5,
        during: During::Both,
        unreachable_owner: UnreachableOwner::Accept,
        weather: Weather { max_delay_ms: 73, ..Weather::FAIR },
        ..Script::of(vec![
            (2541, Deed::Session { a: 1, b: 0, up: false }),
            (5311, Deed::Move { device: 5, at: 1, port: AccessId(3), stunned_ms: 0 }),
            (5311, Deed::Announce { device: 5, evidence: Evidence::Rarp }),
        ])
    });
}

/// A switch that had stalled delivered all rounds at once, those of questions that had ended among them, and the next answers seemed to be those to a
/// routine question: a slow host was taken for a fast one, and its next silence was too short to be one.
#[test]
fn answers_to_questions_that_have_ended_are_not_those_to_the_next() {
    run(&Script {
        seed: 132612993032668673,
        vteps: 2,
        during: During::Hold,
        weather: Weather { max_delay_ms: 74, ..Weather::FAIR },
        habit: Habit::Late { after_ms: 360 },
        unreachable_owner: UnreachableOwner::Accept,
        ..Script::of(vec![
            (5523, Deed::Silent { device: 1, millis: 3195 }),
            (1229, Deed::Announce { device: 3, evidence: Evidence::Arp }),
            (1038, Deed::Stall { at: 1, millis: 1411, loses: false }),
            (3189, Deed::Stall { at: 0, millis: 2367, loses: false }),
            (1210, Deed::Announce { device: 3, evidence: Evidence::Arp }),
            (4588, Deed::Habit { device: 1, habit: Habit::Answers { within_ms: 20 } }),
            (2283, Deed::Announce { device: 3, evidence: Evidence::Data }),
            (3181, Deed::Poison { at: 0, port: AccessId(4), victim: 0 }),
            (2870, Deed::Police { at: 0, millis: 511 }),
            (3656, Deed::Restart { at: 0 }),
            (857, Deed::Announce { device: 6, evidence: Evidence::Arp }),
            (5889, Deed::Vanish { device: 1 }),
            (993, Deed::Police { at: 0, millis: 905 }),
            (7345, Deed::Poison { at: 0, port: AccessId(3), victim: 1 }),
            (6640, Deed::Announce { device: 4, evidence: Evidence::Neighbour }),
            (413, Deed::Announce { device: 6, evidence: Evidence::Neighbour }),
            (6926, Deed::Vanish { device: 1 }),
        ])
    });
}

/// A slow host was asked just after its agent had been started anew, which did not know how slow it is, and was forgotten.
#[test]
fn a_host_that_was_known_before_a_restart_may_be_a_slow_one() {
    run(&Script {
        seed: 623075286491146821,
        vteps: 4,
        advertise: Advertise::AtOnce,
        during: During::Hold,
        weather: Weather { max_delay_ms: 7, ..Weather::FAIR },
        cunning: true,
        habit: Habit::Late { after_ms: 496 },
        ..Script::of(vec![
            (6217, Deed::Restart { at: 0 }),
            (7153, Deed::Idle { device: 0 }),
            (7802, Deed::Stall { at: 3, millis: 1419, loses: false }),
            (5208, Deed::Move { device: 1, at: 0, port: AccessId(3), stunned_ms: 367 }),
            (6812, Deed::Flood { at: 0, port: AccessId(3), count: 14 }),
            (371, Deed::Readdress { device: 0 }),
            (7811, Deed::Announce { device: 3, evidence: Evidence::Arp }),
        ])
    });
}

/// A host changed its address and moved; what it said there was damped and taken up again by itself, without the address.
#[test]
fn b13_a_claim_that_is_taken_up_again_still_has_its_addresses() {
    run(&Script {
        seed: 3648061507564766530,
        vteps: 2,
        during: During::Hold,
        weather: Weather { max_delay_ms: 14, loss: 11, duplication: 28, reordering: 42 },
        habit: Habit::Answers { within_ms: 38 },
        ..Script::of(vec![
            (3795, Deed::Idle { device: 0 }),
            (7308, Deed::Move { device: 1, at: 1, port: AccessId(1), stunned_ms: 130 }),
            (7589, Deed::Announce { device: 5, evidence: Evidence::Arp }),
            (6569, Deed::Readdress { device: 1 }),
            (7288, Deed::Silent { device: 1, millis: 1483 }),
            (6783, Deed::Move { device: 6, at: 0, port: AccessId(3), stunned_ms: 0 }),
            (6783, Deed::Announce { device: 6, evidence: Evidence::Arp }),
            (823, Deed::Announce { device: 4, evidence: Evidence::Data }),
            (681, Deed::Expect { device: 1, at: 0, port: AccessId(3), told: 1 }),
            (7517, Deed::Expect { device: 1, at: 1, port: AccessId(2), told: 1 }),
            (5992, Deed::Expect { device: 1, at: 1, port: AccessId(3), told: 1 }),
            (1655, Deed::Move { device: 1, at: 0, port: AccessId(4), stunned_ms: 116 }),
        ])
    });
}

/// A VTEP forgot where the host was, the host had another address by then, and was asked for the old one only, while somebody claimed it.
#[test]
fn a_host_that_has_another_address_since_its_vtep_forgot_it_is_found() {
    run(&Script {
        seed: 16805418949585381858,
        vteps: 2,
        advertise: Advertise::AfterVerdict,
        during: During::Hold,
        unreachable_owner: UnreachableOwner::Accept,
        weather: Weather { max_delay_ms: 44, loss: 0, duplication: 0, reordering: 0 },
        cunning: false,
        habit: Habit::AnswersGateway,
        deeds: vec![
            (7809, Deed::Move { device: 4, at: 1, port: AccessId(3), stunned_ms: 0 }),
            (7809, Deed::Announce { device: 4, evidence: Evidence::Data }),
            (2280, Deed::Readdress { device: 0 }),
            (3062, Deed::Reboot { at: 0 }),
            (2080, Deed::Announce { device: 4, evidence: Evidence::Arp }),
            (3100, Deed::Port { at: 0, port: AccessId(3), up: false }),
            (4944, Deed::Announce { device: 5, evidence: Evidence::Dad }),
            (1513, Deed::Move { device: 1, at: 0, port: AccessId(1), stunned_ms: 46 }),
            (1513, Deed::Announce { device: 1, evidence: Evidence::Data }),
            (5512, Deed::Port { at: 0, port: AccessId(4), up: false }),
            (6300, Deed::Session { a: 0, b: 1, up: true }),
            (5256, Deed::Police { at: 0, millis: 1730 }),
            (107, Deed::Reboot { at: 0 }),
            (2187, Deed::Session { a: 1, b: 0, up: false }),
            (5566, Deed::Readdress { device: 1 }),
            (2298, Deed::Move { device: 1, at: 0, port: AccessId(4), stunned_ms: 102 }),
            (2298, Deed::Announce { device: 1, evidence: Evidence::Rarp }),
        ],
    });
}

/// The same; and somebody else had said that he has the address.
#[test]
fn so_is_one_with_an_address_that_is_anothers() {
    run(&Script {
        seed: 5155388169354074438,
        vteps: 3,
        advertise: Advertise::AtOnce,
        during: During::Both,
        unreachable_owner: UnreachableOwner::Accept,
        weather: Weather { max_delay_ms: 40, loss: 0, duplication: 0, reordering: 0 },
        cunning: false,
        habit: Habit::Answers { within_ms: 29 },
        deeds: vec![
            (3531, Deed::Poison { at: 2, port: AccessId(4), victim: 0 }),
            (1074, Deed::Reboot { at: 0 }),
            (789, Deed::SwitchRestart { at: 2 }),
            (3678, Deed::Announce { device: 3, evidence: Evidence::Arp }),
            (6078, Deed::Move { device: 1, at: 1, port: AccessId(3), stunned_ms: 332 }),
            (6078, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (4147, Deed::Poison { at: 0, port: AccessId(3), victim: 0 }),
            (7509, Deed::Reboot { at: 0 }),
            (2080, Deed::Readdress { device: 0 }),
            (6358, Deed::Police { at: 0, millis: 107 }),
            (5918, Deed::Announce { device: 7, evidence: Evidence::Rarp }),
            (1816, Deed::Stall { at: 0, millis: 1722, loses: false }),
            (6292, Deed::Announce { device: 7, evidence: Evidence::Neighbour }),
        ],
    });
}

/// The host took an address back that somebody else had got meanwhile, and was asked only for the one that it had given up.
#[test]
fn a_host_is_asked_for_an_address_that_is_anothers_too_before_it_is_given_up() {
    run(&Script {
        seed: 16560815722672455530,
        vteps: 2,
        advertise: Advertise::AtOnce,
        during: During::Hold,
        unreachable_owner: UnreachableOwner::Hold,
        weather: Weather { max_delay_ms: 16, loss: 13, duplication: 6, reordering: 12 },
        cunning: true,
        habit: Habit::Late { after_ms: 456 },
        deeds: vec![
            (3577, Deed::Readdress { device: 0 }),
            (7200, Deed::Idle { device: 0 }),
            (2706, Deed::Port { at: 0, port: AccessId(2), up: false }),
            (4411, Deed::Announce { device: 7, evidence: Evidence::Arp }),
            (5917, Deed::Readdress { device: 0 }),
            (7889, Deed::Flood { at: 0, port: AccessId(4), count: 18 }),
            (5258, Deed::Announce { device: 7, evidence: Evidence::Neighbour }),
            (3116, Deed::Poison { at: 0, port: AccessId(3), victim: 0 }),
            (6707, Deed::Flood { at: 0, port: AccessId(4), count: 13 }),
            (7895, Deed::Session { a: 1, b: 0, up: false }),
            (7915, Deed::Session { a: 1, b: 1, up: false }),
        ],
    });
}

/// In `hold`, the host came to another VTEP and then had another address, which was not heard of: it was asked for the old one for ever.
#[test]
fn a_host_that_moves_and_has_another_address_is_asked_for_that() {
    run(&Script {
        seed: 1190956662596489918,
        vteps: 3,
        advertise: Advertise::AtOnce,
        during: During::Hold,
        unreachable_owner: UnreachableOwner::Accept,
        weather: Weather { max_delay_ms: 70, loss: 0, duplication: 0, reordering: 0 },
        cunning: false,
        habit: Habit::Answers { within_ms: 15 },
        deeds: vec![
            (4819, Deed::Announce { device: 6, evidence: Evidence::Rarp }),
            (2788, Deed::Silent { device: 1, millis: 3664 }),
            (2199, Deed::Move { device: 1, at: 2, port: AccessId(1), stunned_ms: 239 }),
            (2199, Deed::Announce { device: 1, evidence: Evidence::Rarp }),
            (5501, Deed::Readdress { device: 1 }),
            (2485, Deed::Poison { at: 2, port: AccessId(4), victim: 2 }),
            (2064, Deed::Move { device: 1, at: 2, port: AccessId(1), stunned_ms: 246 }),
            (824, Deed::Poison { at: 2, port: AccessId(3), victim: 2 }),
            (3983, Deed::Announce { device: 7, evidence: Evidence::Arp }),
            (6867, Deed::Announce { device: 0, evidence: Evidence::Neighbour }),
            (834, Deed::Expect { device: 1, at: 0, port: AccessId(2), told: 2 }),
            (1047, Deed::Move { device: 6, at: 1, port: AccessId(3), stunned_ms: 0 }),
            (1047, Deed::Announce { device: 6, evidence: Evidence::Arp }),
        ],
    });
}

/// A claim ended by itself while the session was down; the owner went on weighing it.
#[test]
fn a_claim_that_ended_unheard_does_not_keep_the_host_contested() {
    run(&Script {
        seed: 3702714539152928112,
        vteps: 2,
        advertise: Advertise::AfterVerdict,
        during: During::Both,
        unreachable_owner: UnreachableOwner::Accept,
        weather: Weather { max_delay_ms: 76, loss: 0, duplication: 0, reordering: 0 },
        cunning: false,
        habit: Habit::Late { after_ms: 631 },
        deeds: vec![
            (2861, Deed::Silent { device: 1, millis: 334 }),
            (4339, Deed::Session { a: 1, b: 0, up: false }),
            (4566, Deed::Silent { device: 1, millis: 208 }),
            (6207, Deed::Announce { device: 6, evidence: Evidence::Arp }),
            (715, Deed::Police { at: 1, millis: 1186 }),
            (1869, Deed::Flood { at: 0, port: AccessId(3), count: 17 }),
            (4928, Deed::Readdress { device: 0 }),
            (429, Deed::Silent { device: 1, millis: 3769 }),
            (1127, Deed::Announce { device: 6, evidence: Evidence::Arp }),
            (3286, Deed::Move { device: 1, at: 1, port: AccessId(1), stunned_ms: 38 }),
            (7694, Deed::Port { at: 1, port: AccessId(4), up: true }),
            (2064, Deed::Restart { at: 1 }),
            (5723, Deed::Announce { device: 0, evidence: Evidence::Neighbour }),
        ],
    });
}

/// A VTEP that had forgotten everything heard somebody else first, and told a peer, which then took him for what the VTEP had before.
#[test]
fn who_heard_of_a_host_first_after_a_restart_yields_to_a_peer_that_it_answers() {
    run(&Script {
        seed: 8239143832196951865,
        vteps: 3,
        advertise: Advertise::AtOnce,
        during: During::Both,
        unreachable_owner: UnreachableOwner::Hold,
        weather: Weather { max_delay_ms: 61, loss: 0, duplication: 0, reordering: 0 },
        cunning: false,
        habit: Habit::Answers { within_ms: 34 },
        deeds: vec![
            (5901, Deed::Police { at: 1, millis: 1901 }),
            (6403, Deed::Reboot { at: 1 }),
            (1006, Deed::Move { device: 1, at: 1, port: AccessId(3), stunned_ms: 190 }),
            (1006, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (4320, Deed::Announce { device: 5, evidence: Evidence::Rarp }),
            (4866, Deed::Announce { device: 1, evidence: Evidence::Arp }),
            (6905, Deed::Reboot { at: 2 }),
            (2269, Deed::Flood { at: 0, port: AccessId(4), count: 4 }),
            (7242, Deed::Expect { device: 1, at: 1, port: AccessId(4), told: 2 }),
            (6383, Deed::Announce { device: 3, evidence: Evidence::Rarp }),
            (7753, Deed::Announce { device: 3, evidence: Evidence::Arp }),
            (7459, Deed::Announce { device: 0, evidence: Evidence::Rarp }),
            (6007, Deed::Police { at: 2, millis: 1033 }),
            (805, Deed::Flood { at: 0, port: AccessId(4), count: 2 }),
            (6798, Deed::Move { device: 5, at: 1, port: AccessId(3), stunned_ms: 0 }),
            (6798, Deed::Announce { device: 5, evidence: Evidence::Data }),
            (5296, Deed::Session { a: 0, b: 1, up: false }),
            (4461, Deed::Announce { device: 5, evidence: Evidence::Rarp }),
            (1096, Deed::Reboot { at: 0 }),
            (5005, Deed::Police { at: 2, millis: 1113 }),
        ],
    });
}

/// Two VTEPs had a host that was gone, and each asked the other for ever.
#[test]
fn a_host_that_is_gone_is_given_up_by_all_who_dispute_it() {
    run(&Script {
        seed: 16204548107796343696,
        vteps: 2,
        advertise: Advertise::AtOnce,
        during: During::Both,
        unreachable_owner: UnreachableOwner::Accept,
        weather: Weather { max_delay_ms: 66, loss: 3, duplication: 26, reordering: 6 },
        cunning: false,
        habit: Habit::Answers { within_ms: 48 },
        deeds: vec![
            (779, Deed::Expect { device: 1, at: 0, port: AccessId(2), told: 0 }),
            (2656, Deed::Move { device: 1, at: 0, port: AccessId(3), stunned_ms: 323 }),
            (2656, Deed::Announce { device: 1, evidence: Evidence::Rarp }),
            (3692, Deed::Vanish { device: 1 }),
            (1947, Deed::Announce { device: 1, evidence: Evidence::Rarp }),
            (7819, Deed::Session { a: 0, b: 1, up: false }),
            (286, Deed::Session { a: 0, b: 0, up: true }),
            (5066, Deed::Vanish { device: 1 }),
            (2002, Deed::Move { device: 1, at: 1, port: AccessId(1), stunned_ms: 299 }),
            (746, Deed::Announce { device: 6, evidence: Evidence::Data }),
            (2903, Deed::Announce { device: 6, evidence: Evidence::Arp }),
            (5306, Deed::Session { a: 0, b: 1, up: false }),
            (4222, Deed::Announce { device: 1, evidence: Evidence::Data }),
            (5914, Deed::Flood { at: 0, port: AccessId(4), count: 11 }),
        ],
    });
}
