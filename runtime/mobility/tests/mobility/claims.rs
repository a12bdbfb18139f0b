//! M1 to M9: the method itself.

use vouch_mobility::{
    Action, Advertise, ClaimView, Destination, Evidence, Location, Message, Migration, Open, Phase, Sequence, Verdict,
};

use crate::bench::{
    B, Bench, C, FRAME, HERE, IP, ME, MOVED, P1, P2, advertisement, asks, bound, claims, host, probe, probes, reply,
    send, sent, withdrawal,
};

#[test]
fn m1_an_arp_in_the_wrong_place_adds_a_second_entry_beside_the_first() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    let view = bench.view();
    assert_eq!(view.location, Location::Remote(B));
    assert_eq!(view.claims, [(P1, ClaimView::Pending { forward: true })]);
    assert_eq!(view.destination, Destination::Claimed { port: P1, owner: B });
}

#[test]
fn m2_the_claim_goes_to_the_owner_with_the_migration_attribute_and_the_addresses() {
    let mut bench = Bench::new().following();
    let actions = bench.heard(P1, Evidence::Rarp, Some(FRAME));
    let claim = bench.machine.host(&host()).expect("known");
    assert_eq!(claim.phase, Phase::Claiming);
    let asked = advertisement(1, Some(asks(1)));
    assert_eq!(sent(&actions), [(B, asked)], "RARP has no address, what is known of the host goes along");
}

#[test]
fn m3_the_owner_asks_the_host_out_of_the_recorded_port() {
    let mut bench = Bench::new().owning();
    let actions = bench.asked(B, 1, 1);
    assert!(actions.contains(&probe(HERE)));
    assert!(bench.view().watch);
    let watched = actions.iter().position(|action| matches!(action, Action::Install { .. }));
    let asked = actions.iter().position(|action| matches!(action, Action::Probe(_)));
    assert!(watched < asked, "what comes back must not be missed");
    assert_eq!(probes(&bench.wait(299), HERE), 4, "at 15, 35, 100 and 200 ms");
}

#[test]
fn m4_an_answer_refuses_the_claim_and_changes_nothing() {
    let mut bench = Bench::new().owning();
    let before = bench.view().clone();
    bench.asked(B, 1, 1);
    let actions = bench.answered(HERE);
    assert!(actions.contains(&send(B, reply(1, 2, Verdict::Stayed))));
    assert_eq!(bench.view(), &before);
}

#[test]
fn m5_silence_points_the_entry_at_the_claimant() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    assert_eq!(bench.location(), Some(HERE));
    let actions = bench.wait(300);
    assert!(actions.contains(&send(B, reply(1, 1, MOVED))));
    assert!(sent(&actions).contains(&(C, withdrawal(1, Some(B)))));
    assert_eq!(bench.location(), Some(Location::Remote(B)));
}

#[test]
fn m5_silence_is_no_verdict_before_its_time() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    let replies = sent(&bench.wait(299));
    assert_eq!(replies, [(B, reply(1, 0, Verdict::Open(Open::Overdue)))], "but that an answer is overdue");
    assert_eq!(bench.location(), Some(HERE));
}

#[test]
fn m6_stayed_deletes_the_second_entry_and_the_frame() {
    let mut bench = Bench::new().following();
    let before = bench.view().clone();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    let actions = bench.replied(B, 1, 2, Verdict::Stayed);
    assert!(actions.contains(&Action::Drop { frame: FRAME }));
    assert_eq!(bench.view(), &before);
}

#[test]
fn m6_moved_makes_the_second_entry_the_first_and_releases_the_frame() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    let actions = bench.replied(B, 1, 1, MOVED);
    assert!(actions.contains(&Action::Release { frame: FRAME }));
    assert_eq!(bench.location(), Some(HERE));
    assert!(bench.view().claims.is_empty());
    assert_eq!(bench.machine.host(&host()).expect("known").sequence, Sequence(1));
}

#[test]
fn m6_replies_to_other_claims_and_from_others_are_ignored() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    for (from, claim) in [(B, 9), (C, 1)] {
        assert_eq!(bench.replied(from, claim, 1, MOVED), []);
    }
    assert_eq!(bench.counters().stale_messages, 2);
    assert_eq!(bench.location(), Some(Location::Remote(B)));
}

#[test]
fn m7_observers_hear_after_the_verdict() {
    let mut bench = Bench::new().following();
    let claimed = bench.heard(P1, Evidence::Arp, None);
    assert!(sent(&claimed).iter().all(|&(to, _)| to == B), "not before");
    let won = bench.replied(B, 1, 1, MOVED);
    assert!(won.contains(&send(C, advertisement(1, Some(Migration::Verified { by: B })))));
}

#[test]
fn m7_an_observer_follows_at_once_without_asking() {
    let mut bench = Bench::new().following();
    let actions = bench.told(C, 1, Some(Migration::Verified { by: B }));
    assert!(!actions.iter().any(|action| matches!(action, Action::Probe(_))));
    assert_eq!(bench.location(), Some(Location::Remote(C)));
}

#[test]
fn m7_a_host_that_is_here_does_not_go_because_an_advertisement_says_so() {
    let mut bench = Bench::new().owning();
    let actions = bench.told(C, 1, Some(Migration::Verified { by: B }));
    assert!(actions.contains(&probe(HERE)));
    let actions = bench.answered(HERE);
    assert!(actions.contains(&send(B, advertisement(2, None))), "and who believed it is told");
    assert_eq!(bench.location(), Some(HERE));
}

#[test]
fn m8_observers_hear_at_once_and_hear_it_taken_back() {
    let mut bench = Bench::with(|vni| vni.advertise = Advertise::AtOnce).following();
    let claimed = bench.heard(P1, Evidence::Arp, None);
    assert!(claimed.contains(&send(C, advertisement(1, Some(Migration::AtOnce)))));
    let refused = bench.replied(B, 1, 2, Verdict::Stayed);
    assert!(refused.contains(&send(C, withdrawal(1, None))));
    assert_eq!(bench.view().destination, Destination::Hairpin, "what comes early is passed on to the owner");
    bench.wait(10_000);
    assert_eq!(bench.view().destination, Destination::Recorded);
}

#[test]
fn m8_an_observer_goes_back_to_where_it_was() {
    let mut bench = Bench::new().following();
    bench.told(C, 1, Some(Migration::AtOnce));
    assert_eq!(bench.location(), Some(Location::Remote(C)));
    bench.says(C, withdrawal(1, None));
    assert_eq!(bench.location(), Some(Location::Remote(B)));
}

#[test]
fn m8_an_observer_that_hears_no_more_goes_back_by_itself() {
    let mut bench = Bench::new().following();
    bench.told(C, 1, Some(Migration::AtOnce));
    bench.wait(10_000);
    assert_eq!(bench.location(), Some(Location::Remote(B)));
}

#[test]
fn m9_an_unknown_host_is_learned_without_asking_and_advertised_without_migration() {
    let mut bench = Bench::new();
    let actions = bench.heard(P1, Evidence::Arp, None);
    assert!(!actions.iter().any(|action| matches!(action, Action::Probe(_))));
    assert_eq!(sent(&actions), [(B, advertisement(0, None)), (C, advertisement(0, None))]);
    assert_eq!(bench.location(), Some(HERE));
}

#[test]
fn m9_an_advertisement_without_migration_is_learned_without_asking() {
    let mut bench = Bench::new();
    let actions = bench.told(B, 0, None);
    assert!(matches!(actions.as_slice(), [Action::Install { .. }, Action::Bind { .. }]));
    assert_eq!(bench.location(), Some(Location::Remote(B)));
    assert_eq!(bench.machine.host(&host()).expect("known").bindings, [bound(IP)]);
}

#[test]
fn m9_a_claim_of_a_host_that_nobody_knows_is_granted() {
    let mut bench = Bench::new();
    let actions = bench.asked(B, 4, 1);
    assert_eq!(sent(&actions), [(B, reply(4, 1, MOVED))]);
    assert_eq!(bench.location(), Some(Location::Remote(B)));
}

#[test]
fn two_claimants_share_one_verification_and_one_answer_serves_both() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    bench.wait(20);
    assert_eq!(probes(&bench.asked(C, 5, 1), HERE), 0);
    let actions = bench.answered(HERE);
    for (to, claim) in [(B, 1), (C, 5)] {
        assert!(actions.contains(&send(to, reply(claim, 2, Verdict::Stayed))));
    }
}

#[test]
fn a_claim_follows_the_host_to_its_new_owner() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    let actions = bench.replied(B, 1, 1, Verdict::Elsewhere(C));
    let again = advertisement(2, Some(asks(1)));
    assert_eq!(sent(&actions), [(C, again)]);
    bench.replied(C, 1, 2, MOVED);
    assert_eq!(bench.location(), Some(HERE));
}

#[test]
fn a_claim_that_the_owner_dropped_for_another_is_made_anew_at_once() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    let again = advertisement(1, Some(asks(1)));
    for _ in 0..8 {
        let actions = bench.replied(B, 1, 0, Verdict::Elsewhere(B));
        assert_eq!(sent(&actions), [(B, again.clone())]);
    }
    let actions = bench.replied(B, 1, 0, Verdict::Elsewhere(B));
    assert_eq!(sent(&actions), [(B, withdrawal(1, None))], "but not for ever");
}

#[test]
fn the_verdict_is_given_again_if_it_was_lost() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    bench.answered(HERE);
    assert_eq!(sent(&bench.asked(B, 1, 1)), [(B, reply(1, 2, Verdict::Stayed))]);
    bench.asked(B, 2, 3);
    bench.wait(300);
    assert_eq!(sent(&bench.asked(B, 2, 3)), [(B, reply(2, 3, MOVED))]);
}

#[test]
fn a_claim_with_an_old_sequence_has_to_catch_up_first() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    bench.answered(HERE);
    let actions = bench.asked(C, 9, 1);
    assert_eq!(sent(&actions), [(C, reply(9, 2, Verdict::Elsewhere(ME)))]);
    assert!(!actions.iter().any(|action| matches!(action, Action::Probe(_))));
}

#[test]
fn claims_that_cross_make_both_ask_their_own_port() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, None);
    let actions = bench.asked(B, 3, 1);
    assert!(actions.contains(&probe(HERE)));
    let actions = bench.answered(HERE);
    assert!(actions.contains(&send(B, reply(3, 2, Verdict::Stayed))));
}

#[test]
fn a_verdict_for_an_abandoned_claim_is_declined() {
    let mut bench = Bench::new().following();
    bench.heard(P2, Evidence::Arp, Some(FRAME));
    let actions = bench.feed(vouch_mobility::Event::PortDown { port: P2 });
    assert!(actions.contains(&Action::Drop { frame: FRAME }));
    assert!(actions.contains(&send(B, withdrawal(1, None))));
    let actions = bench.replied(B, 1, 1, MOVED);
    assert!(actions.contains(&send(B, withdrawal(1, None))), "the host would be nowhere");
    assert_eq!(bench.location(), None);
}

/// The simulation had an owner weigh a claim for good against another, whose claimant had turned to somebody else.
#[test]
fn who_is_asked_no_more_is_told_so() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, None);
    let actions = bench.told(C, 5, Some(Migration::Verified { by: C }));
    let sent = sent(&actions);
    assert!(
        sent.iter()
            .any(|(to, message)| *to == B && matches!(message, Message::Withdrawal(it) if it.moved_to.is_none())),
        "{sent:?}"
    );
    assert_eq!(claims(&actions), [(C, false)], "and the other is asked");
}
