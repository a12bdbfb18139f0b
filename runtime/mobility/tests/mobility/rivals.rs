//! B12, B14, B15: a place earns its trust, of several places the one that answers has the host, and announced moves.

use std::time::Duration;

use vouch_mobility::{
    Action, Advertisement, Because, ClaimId, ClaimView, Config, Contested, Destination, During, Event, Evidence,
    Expect, FrameId, Instant, Location, Message, Migration, Open, Phase, Reply, Report, Sequence, Standing, Verdict,
    VtepAddr, WhyUnproven,
};

use crate::bench::{
    B, Bench, C, FRAME, HERE, ME, MOVED, P1, P2, P3, THERE, asks, claim_id, claims, host, listed, lists, probes, reply,
    reports, send, sent, vni_config, withdrawal, yours,
};

const SECOND: Location = Location::Local(P2);

/// A claim by one who had the host for so long before.
fn claims_back(bench: &mut Bench, from: VtepAddr, claim: u64, sequence: u32, tenure: Duration) -> Vec<Action> {
    bench.told(from, sequence, Some(Migration::Asked { claim: claim_id(claim), tenure, damped: false, taken: false }))
}

/// A host of `B`, which could not be asked, has been heard here.
fn taken_by_policy() -> Bench {
    let mut bench = Bench::new().following();
    bench.session(B, false);
    bench.routine = false;
    bench.heard(P1, Evidence::Arp, None);
    bench.wait(400);
    assert_eq!(bench.location(), Some(HERE), "the owner is away");
    bench
}

fn because(actions: &[Action]) -> Option<Because> {
    let because = |report| if let Report::Moved { because, .. } = report { Some(because) } else { None };
    reports(actions).into_iter().find_map(because)
}

/// The host was behind B for an hour, and came to port 1 a minute ago.
fn came_from_b(contested: Contested) -> Bench {
    let mut bench = Bench::with(|vni| vni.contested = contested).following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    bench.answered(HERE);
    bench.replied(B, 1, 1, Verdict::Moved { tenure: Duration::from_secs(3_600) });
    bench.wait(60_000);
    bench
}

#[test]
fn b12_life_where_the_host_was_for_long_makes_it_contested_and_both_receive() {
    let mut bench = came_from_b(Contested::Both);
    claims_back(&mut bench, B, 9, 2, Duration::from_secs(3_600));
    bench.stands(B, 9, true);
    assert_eq!(bench.phase(), Phase::Verifying);
    let actions = bench.answered(HERE);
    assert!(actions.contains(&send(B, reply(9, 1, Verdict::Open(Open::Contested)))));
    assert_eq!((bench.phase(), bench.location()), (Phase::Contested, Some(HERE)));
    assert_eq!(bench.view().destination, Destination::Both { with: THERE, and: None });
    let contested = Report::Contested {
        host: host(),
        recorded: (HERE, Duration::from_secs(60)),
        claimed: (THERE, Duration::from_secs(3_600)),
    };
    assert!(reports(&actions).contains(&contested));
    assert_eq!(bench.counters().attacks, 0);
}

/// What the owner tells everybody when it refuses a third is not meant for who contests the host.
#[test]
fn b12_a_claim_outlives_the_refusal_of_another() {
    let mut bench = came_from_b(Contested::Both);
    let again = |bench: &mut Bench, sequence| claims_back(bench, B, 9, sequence, Duration::from_secs(3_600));
    again(&mut bench, 2);
    bench.stands(B, 9, true);
    bench.answered(HERE);
    bench.asked(C, 5, 2);
    bench.stands(C, 5, true);
    assert!(bench.answered(HERE).contains(&send(C, reply(5, 3, Verdict::Stayed))));
    assert_eq!(sent(&again(&mut bench, 2)), [(B, reply(9, 3, Verdict::Open(Open::Contested)))], "not yet heard");
    assert_eq!(sent(&again(&mut bench, 4)), [(B, reply(9, 3, Verdict::Open(Open::Contested)))]);
    assert_eq!(bench.view().destination, Destination::Both { with: THERE, and: None });
    bench.feed(Event::Settle { host: host(), keep: HERE });
    assert!(sent(&again(&mut bench, 4)).contains(&(B, reply(9, 5, Verdict::Stayed))), "with its latest sequence");

    for open in [None, Some(Open::Contested)] {
        let mut bench = Bench::new().following();
        bench.heard(P1, Evidence::Arp, Some(FRAME));
        bench.answered(HERE);
        open.map(|open| bench.replied(B, 1, 1, Verdict::Open(open)));
        let view = bench.view().clone();
        let actions = bench.told(B, 2, None);
        let claim = |message: &Message| matches!(message, Message::Advertisement(claim) if claim.sequence == Sequence(3) && claim.migration == Some(asks(1)));
        assert!(matches!(&sent(&actions)[..], [(B, first), (B, Message::Standing(_))] if claim(first)), "{actions:?}");
        assert_eq!((bench.phase(), bench.view()), (Phase::Claiming, &view), "{open:?}");
    }
}

#[test]
fn b12_a_place_that_is_past_its_probation_is_trusted() {
    let mut bench = came_from_b(Contested::Both);
    bench.wait(300_000);
    claims_back(&mut bench, B, 9, 2, Duration::ZERO);
    bench.stands(B, 9, true);
    assert!(bench.answered(HERE).contains(&send(B, reply(9, 3, Verdict::Stayed))));
}

#[test]
fn b12_a_newcomer_without_history_does_not_contest() {
    let mut bench = came_from_b(Contested::Both);
    bench.asked(C, 9, 2);
    bench.stands(C, 9, true);
    assert!(bench.answered(HERE).contains(&send(C, reply(9, 3, Verdict::Stayed))));
}

#[test]
fn b12_one_falling_silent_settles_it() {
    let mut bench = came_from_b(Contested::Both);
    claims_back(&mut bench, B, 9, 2, Duration::from_secs(3_600));
    bench.stands(B, 9, true);
    bench.answered(HERE);
    let actions = bench.wait(10_000);
    assert!(actions.contains(&send(B, reply(9, 2, MOVED))), "silent here");
    assert!(reports(&actions).contains(&Report::Settled { host: host(), kept: THERE }));

    let mut bench = came_from_b(Contested::Both);
    claims_back(&mut bench, B, 9, 2, Duration::from_secs(3_600));
    bench.stands(B, 9, true);
    bench.answered(HERE);
    bench.wait(900);
    let actions = bench.stands(B, 9, false);
    assert!(actions.contains(&send(B, reply(9, 3, Verdict::Stayed))), "silent there");
    assert!(reports(&actions).contains(&Report::Settled { host: host(), kept: HERE }));
}

#[test]
fn b12_configuration_or_an_operator_settles_it() {
    for (contested, moves) in [(Contested::Settled, true), (Contested::Newcomer, true)] {
        let mut bench = came_from_b(contested);
        claims_back(&mut bench, B, 9, 2, Duration::from_secs(3_600));
        bench.stands(B, 9, true);
        let actions = bench.answered(HERE);
        assert_eq!(actions.contains(&send(B, reply(9, 2, MOVED))), moves, "{contested:?}");
    }
    for (keep, expected) in [(HERE, HERE), (THERE, THERE)] {
        let mut bench = came_from_b(Contested::Both);
        claims_back(&mut bench, B, 9, 2, Duration::from_secs(3_600));
        bench.stands(B, 9, true);
        bench.answered(HERE);
        bench.feed(Event::Settle { host: host(), keep });
        assert_eq!((bench.location(), bench.phase()), (Some(expected), Phase::Settled));
    }
}

/// `settled` gives it back to where it was for long; from there the other cannot take it back by answering.
#[test]
fn b12_a_place_that_the_host_comes_back_to_keeps_its_history() {
    let mut bench = Bench::with(|vni| vni.contested = Contested::Settled).owning();
    bench.wait(3_600_000);
    bench.asked(B, 1, 1);
    assert!(bench.wait(300).contains(&send(B, reply(1, 1, MOVED))));
    assert!(bench.tenure > Duration::from_secs(3_600));
    bench.wait(2_000);
    let actions = bench.heard(P1, Evidence::Arp, None);
    let tenure = sent(&actions).into_iter().find_map(|(_, message)| match message {
        Message::Advertisement(claim) => match claim.migration {
            Some(Migration::Asked { tenure, .. }) => Some(tenure),
            Some(Migration::AtOnce | Migration::Verified { .. }) | None => None,
        },
        Message::Reply(_)
        | Message::Standing(_)
        | Message::Withdrawal(_)
        | Message::Sync(_)
        | Message::Expect(_)
        | Message::AddressClaim(_)
        | Message::AddressReply(_) => None,
    });
    assert!(tenure > Some(Duration::from_secs(3_600)), "the claim says for how long it was here");
    bench.replied(B, 1, 2, Verdict::Moved { tenure: Duration::from_secs(2) });
    bench.wait(10_000);
    bench.asked(B, 7, 3);
    bench.stands(B, 7, true);
    assert!(bench.answered(HERE).contains(&send(B, reply(7, 4, Verdict::Stayed))));
}

/// An answer to the very question that was silence for too long.
#[test]
fn b12_an_answer_after_the_verdict_is_a_claim_whose_place_answers() {
    let mut bench = Bench::new().owning();
    bench.wait(3_600_000);
    bench.asked(B, 1, 1);
    assert!(bench.wait(300).contains(&send(B, reply(1, 1, MOVED))));
    bench.wait(100);
    let actions = bench.answered(HERE);
    assert_eq!(claims(&actions), [(B, false)]);
    let stands = Standing { host: host(), claim: claim_id(1), answers: true };
    assert!(actions.contains(&send(B, Message::Standing(stands))), "{actions:?}");
    assert!(reports(&actions).contains(&Report::HeardAtOldPort { host: host(), port: P1 }));
    assert_eq!(bench.location(), Some(THERE), "it reverts nothing");
}

#[test]
fn b12_an_answer_at_another_port_than_the_old_one_is_none() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    bench.wait(400);
    assert_eq!(bench.answered(SECOND), []);
    bench.wait(300_000);
    assert_eq!(bench.answered(HERE), [], "nor is one there, after so long");
}

/// Somebody at another port of its old VTEP claimed it before its answer came.
#[test]
fn b12_an_answer_after_the_verdict_outweighs_a_claim_by_another_port() {
    let mut bench = Bench::new().owning();
    bench.wait(3_600_000);
    bench.asked(B, 1, 1);
    bench.wait(350);
    bench.heard(P2, Evidence::Arp, Some(FRAME));
    bench.answered(SECOND);
    bench.replied(B, 1, 1, Verdict::Open(Open::Contested));
    bench.heard(P3, Evidence::Arp, None);
    bench.wait(50);
    bench.answered(HERE);
    assert_eq!(bench.view().claims, [(P1, ClaimView::Shared)]);
    assert_eq!(bench.view().destination, Destination::Both { with: HERE, and: None });
}

/// The same between ports of one VTEP.
#[test]
fn b12_an_answer_after_the_verdict_makes_a_host_of_another_port_contested() {
    let mut bench = Bench::new().owning();
    bench.wait(3_600_000);
    bench.heard(P2, Evidence::Arp, None);
    bench.answered(SECOND);
    bench.wait(300);
    assert_eq!(bench.location(), Some(SECOND));
    bench.wait(100);
    bench.answered(HERE);
    bench.answered(SECOND);
    assert_eq!((bench.location(), bench.phase()), (Some(SECOND), Phase::Contested));
    assert_eq!(bench.view().destination, Destination::Both { with: HERE, and: None });
    assert_eq!(bench.counters().attacks, 0);
}

/// It was taken not to answer, and kept only because two others do: that it answers later is learned, and it is not taken for gone the next time.
#[test]
fn b12_an_answer_that_comes_too_late_is_the_measure_for_the_next() {
    let mut bench = Bench::new().owning();
    bench.routine = false;
    bench.asked(B, 1, 1);
    bench.asked(C, 2, 1);
    bench.stands(B, 1, true);
    bench.stands(C, 2, true);
    bench.wait(300);
    assert_eq!(bench.phase(), Phase::Contested);
    bench.wait(600);
    bench.answered(HERE);
    bench.feed(Event::Settle { host: host(), keep: HERE });
    bench.asked(B, 3, 5);
    bench.wait(900);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Verifying));
    bench.wait(1_100);
    assert_eq!(bench.location(), Some(THERE), "but not for ever");
}

/// What an honest move costs if an answer was left in the old port's queue.
#[test]
fn b12_an_answer_that_is_the_last_of_the_old_place_is_contest_for_a_moment() {
    let mut bench = Bench::new().owning();
    bench.wait(3_600_000);
    bench.heard(P2, Evidence::Arp, None);
    bench.answered(SECOND);
    bench.wait(400);
    bench.answered(HERE);
    bench.answered(SECOND);
    assert_eq!(bench.phase(), Phase::Contested);
    let mut actions = Vec::new();
    for _ in 0..20 {
        actions.extend(bench.wait(100));
        bench.answered(SECOND);
    }
    assert!(reports(&actions).contains(&Report::Settled { host: host(), kept: SECOND }), "{:?}", reports(&actions));
    assert_eq!((bench.location(), bench.phase()), (Some(SECOND), Phase::Settled));
}

/// The host is known to take its time; where it was for long it is given that, and the new place waits for what comes of it.
#[test]
fn b12_the_place_where_the_host_was_for_long_is_heard_out() {
    let mut bench = came_from_b(Contested::Both);
    claims_back(&mut bench, B, 9, 2, Duration::from_secs(3_600));
    bench.answered(HERE);
    assert_eq!(sent(&bench.wait(900)), []);
    assert_eq!((bench.phase(), &bench.view().destination), (Phase::Verifying, &Destination::Recorded));
    assert!(bench.stands(B, 9, true).contains(&send(B, reply(9, 1, Verdict::Open(Open::Contested)))));
    assert_eq!(bench.view().destination, Destination::Both { with: THERE, and: None });

    let mut bench = came_from_b(Contested::Both);
    claims_back(&mut bench, B, 9, 2, Duration::from_secs(3_600));
    bench.answered(HERE);
    bench.wait(300);
    assert!(bench.stands(B, 9, false).contains(&send(B, reply(9, 3, Verdict::Stayed))), "and no longer");

    let mut bench = came_from_b(Contested::Both);
    claims_back(&mut bench, B, 9, 2, Duration::from_secs(3_600));
    bench.answered(HERE);
    assert!(bench.wait(2_000).contains(&send(B, reply(9, 3, Verdict::Stayed))), "it says nothing");
}

/// Row 1: the host was silent, somebody who answers claimed it, and now it is back and talks.
#[test]
fn b12_the_place_with_the_longer_history_is_neither_reported_nor_shut() {
    let mut bench = Bench::with(|vni| vni.quarantine = Some(Duration::from_secs(30))).owning();
    bench.wait(3_600_000);
    bench.asked(B, 1, 1);
    bench.wait(300);
    let mut sequence = 1;
    for claim in 1..=5 {
        bench.heard(P1, Evidence::Arp, Some(FrameId(claim)));
        bench.answered(HERE);
        bench.replied(B, claim, sequence + 2, Verdict::Stayed);
        sequence += 2;
        bench.wait(6_000);
    }
    assert_eq!((bench.counters().attacks, bench.counters().refused), (0, 5));
    assert!(bench.view().claims.is_empty());
}

/// Row 14: forged first, and true afterwards; the host was paused.
#[test]
fn b14_of_two_claimants_the_one_that_answers_wins_whichever_came_first() {
    for answers in [B, C] {
        let mut bench = Bench::new().owning();
        bench.asked(B, 1, 1);
        bench.wait(100);
        bench.asked(C, 5, 1);
        let other = if answers == B { C } else { B };
        bench.stands(answers, if answers == B { 1 } else { 5 }, true);
        bench.stands(other, if other == B { 1 } else { 5 }, false);
        let actions = bench.wait(200);
        let (won, lost) = if answers == B { (1, 5) } else { (5, 1) };
        assert!(actions.contains(&send(answers, reply(won, 1, MOVED))), "{answers}: {actions:?}");
        assert!(actions.contains(&send(other, reply(lost, 1, Verdict::Elsewhere(answers)))));
        assert_eq!(because(&actions), Some(Because::OnlyAnswer));
    }
}

#[test]
fn b14_nothing_is_decided_before_it_is_known_who_answers() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    bench.asked(C, 5, 1);
    bench.stands(B, 1, true);
    bench.wait(400);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Verifying));
    bench.wait(60_000);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Unproven), "C cannot tell, its switch may stall");
    bench.stands(C, 5, false);
    bench.wait(60_000);
    assert_eq!(bench.location(), Some(THERE));
}

#[test]
fn b14_if_both_answer_it_is_contested_and_if_none_it_is_unproven() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    bench.asked(C, 5, 1);
    bench.stands(B, 1, true);
    bench.stands(C, 5, true);
    bench.wait(300);
    assert_eq!(bench.phase(), Phase::Contested);
    assert_eq!(bench.view().destination, Destination::Both { with: THERE, and: Some(Location::Remote(C)) });

    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    bench.asked(C, 5, 1);
    bench.stands(B, 1, false);
    bench.stands(C, 5, false);
    let actions = bench.wait(300);
    let why = |report| if let Report::Unproven { why, .. } = report { Some(why) } else { None };
    assert_eq!(reports(&actions).into_iter().find_map(why), Some(WhyUnproven::NobodyAnswers));
    bench.stands(C, 5, true);
    assert_eq!(bench.location(), Some(Location::Remote(C)), "until one does");
}

#[test]
fn b14_ports_of_the_owner_itself_are_asked_no_less() {
    let mut bench = Bench::new().owning();
    bench.heard(P2, Evidence::Arp, None);
    let actions = bench.heard(P3, Evidence::Arp, None);
    assert_eq!(probes(&actions, Location::Local(P3)), 1);
    bench.wait(100);
    bench.answered(Location::Local(P3));
    let actions = bench.wait(200);
    assert_eq!(because(&actions), Some(Because::OnlyAnswer));
    assert_eq!(bench.location(), Some(Location::Local(P3)));
}

/// The first to claim has been given the host, the true place announces itself just after.
#[test]
fn b14_right_after_a_move_who_came_first_decides_nothing() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, None);
    bench.replied(B, 1, 1, Verdict::Moved { tenure: Duration::from_secs(3_600) });
    bench.wait(200);
    bench.asked(C, 4, 2);
    bench.stands(C, 4, true);
    bench.answered(HERE);
    assert_eq!(bench.phase(), Phase::Contested);
}

/// A place that has just got the host yields to answers elsewhere, but does not wait for silence there: one asked at the same time answers by then.
#[test]
fn b14_right_after_a_move_a_claimed_place_is_heard_out_for_as_long_as_an_answer_takes() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, None);
    bench.replied(B, 1, 1, Verdict::Moved { tenure: Duration::from_secs(3_600) });
    bench.wait(200);
    bench.asked(C, 4, 2);
    bench.answered(HERE);
    assert!(sent(&bench.wait(49)).is_empty());
    assert_eq!((bench.phase(), &bench.view().destination), (Phase::Verifying, &Destination::Recorded));
    assert!(bench.wait(1).contains(&send(C, reply(4, 3, Verdict::Stayed))));
    assert_eq!(bench.phase(), Phase::Settled);
}

/// Row 6b, and three seeds of the simulation: the claimant got the host by policy while its owner was away. Nobody has ever answered it there.
#[test]
fn b12_a_host_that_was_taken_without_its_owner_s_word_is_given_back_when_it_answers_the_owner() {
    for away in [1, 5, 20, 100, 280, 400, 4_000] {
        let mut bench = taken_by_policy();
        bench.wait(away * 1_000);
        bench.session(B, true);
        lists(&mut bench, B, &[listed(0)]);
        bench.wait(30);
        // Its host has answered, and it says so.
        bench.told(B, 0, None);
        bench.stands(B, ClaimId::NONE, true);
        bench.wait(1_000);
        assert_eq!((bench.location(), bench.phase()), (Some(THERE), Phase::Settled), "after {away} s");
    }
}

/// Row 13c: the owner comes back and has forgotten everything, so that it says nothing. It is asked for its word now.
#[test]
fn b9_an_owner_that_could_not_be_asked_is_asked_when_it_is_back() {
    for (verdict, then) in [(Verdict::Stayed, THERE), (MOVED, HERE)] {
        let mut bench = taken_by_policy();
        let asked = sent(&bench.session(B, true));
        let claim = asked.iter().find_map(|(to, message)| match message {
            Message::Advertisement(Advertisement {
                migration: Some(Migration::Asked { claim, .. }), sequence, ..
            }) => (*to == B).then_some((*claim, *sequence)),
            _ => None,
        });
        let (claim, sequence) = claim.expect("it is asked");
        lists(&mut bench, B, &[]);
        bench.says(B, Message::Reply(Reply { host: host(), claim, sequence: sequence.next(), verdict }));
        bench.wait(1_000);
        assert_eq!((bench.location(), bench.phase()), (Some(then), Phase::Settled), "{verdict:?}");
    }
}

/// Row 13i: once it has given its word, it is not asked again: by then somebody else may claim the host of it.
#[test]
fn b9_an_owner_that_has_given_the_host_afterwards_is_not_asked_again() {
    let given = |tenure| reply(0, 9, Verdict::Moved { tenure });
    for (word, again) in [
        (given(Duration::from_secs(60)), false),
        (withdrawal(9, Some(ME)), false),
        // Of a host that it does not know it has nothing to give.
        (given(Duration::ZERO), true),
    ] {
        let mut bench = taken_by_policy();
        assert_eq!(claims(&bench.session(B, true)), [(B, false)]);
        bench.says(B, word.clone());
        bench.session(B, false);
        assert_eq!(!claims(&bench.session(B, true)).is_empty(), again, "{word:?}");
    }
}

/// The same, as who claims it by then sees it: who asks after it has taken the host has not lost it.
#[test]
fn b9_who_asks_afterwards_has_the_host_all_the_same() {
    for taken in [true, false] {
        let mut bench = Bench::new().following();
        bench.heard(P1, Evidence::Arp, None);
        bench.told(B, 5, Some(Migration::Asked { claim: claim_id(7), tenure: Duration::ZERO, damped: false, taken }));
        assert_eq!(bench.location(), Some(if taken { THERE } else { HERE }));
    }
}

/// The same, as who has forgotten everything sees it: whoever asks for its word also lists the host as its own.
#[test]
fn b9_who_has_forgotten_a_host_and_is_asked_for_it_looks_for_it_whatever_the_claimant_lists() {
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, vni_config());
    let mut bench = Bench::just_started(config);
    bench.routine = false;
    let actions = bench.asked(C, 1, 1);
    assert!(probes(&actions, HERE) > 0, "it is looked for");
    lists(&mut bench, C, &[listed(1)]);
    let actions = bench.answered(HERE);
    let stayed = |(to, message): &(VtepAddr, Message)| {
        *to == C && matches!(message, Message::Reply(Reply { verdict: Verdict::Stayed, .. }))
    };
    assert!(sent(&actions).iter().any(stayed), "{actions:?}");
    assert_eq!(bench.location(), Some(HERE));
}

/// The same, if another peer has told it by then that the host was its own, with a sequence that outranks that of who took it.
#[test]
fn b9_who_has_forgotten_the_host_answers_whoever_has_taken_it_meanwhile() {
    let taken = Migration::Asked { claim: claim_id(7), tenure: Duration::ZERO, damped: false, taken: true };
    for found in [true, false] {
        let mut config = Config::new(ME);
        config.vnis.insert(host().vni, vni_config());
        let mut bench = Bench::just_started(config);
        bench.routine = false;
        bench.says(B, yours(4));
        assert_eq!(sent(&bench.told(C, 1, Some(taken))), [], "it is looked for first");
        let (actions, verdict) = match found {
            true => (bench.answered(HERE), Verdict::Stayed),
            false => (bench.wait(300), Verdict::Open(Open::Unproven)),
        };
        let said = |(to, message): &(VtepAddr, Message)| {
            *to == C && matches!(message, Message::Reply(reply) if reply.verdict == verdict)
        };
        assert!(sent(&actions).iter().any(said), "{actions:?}");
    }
}

/// Row 13d: the same, and the frames that claimed it go on, so that it is heard at both. The owner has just come to itself, and takes its time.
#[test]
fn b12_a_host_that_was_taken_without_its_owner_s_word_and_is_heard_on_waits_for_what_the_owner_says() {
    for (meanwhile, late) in [(124, false), (700, true)] {
        let mut bench = Bench::new().following();
        bench.session(B, false);
        bench.routine = false;
        bench.heard(P1, Evidence::Arp, None);
        bench.wait(2_000);
        bench.session(B, true);
        lists(&mut bench, B, &[listed(0)]);
        bench.wait(60);
        bench.seen(P1);
        bench.wait(meanwhile);
        bench.told(B, 0, None);
        assert_eq!(bench.phase(), if late { Phase::Settled } else { Phase::Verifying });
        bench.stands(B, ClaimId::NONE, true);
        bench.seen(P1);
        assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Contested), "after {meanwhile} ms");
        assert_eq!(bench.view().destination, Destination::Both { with: THERE, and: None });
        bench.wait(2_000);
        assert_eq!((bench.location(), bench.phase()), (Some(THERE), Phase::Settled), "they have ended");
    }
}

/// Row 13d: the owner had the claim, and answers it when it has come to itself.
#[test]
fn b12_an_owner_s_late_verdict_counts_for_who_did_not_wait_for_it() {
    let mut bench = Bench::new().following();
    bench.routine = false;
    bench.heard(P1, Evidence::Arp, None);
    bench.wait(100);
    bench.session(B, false);
    bench.wait(3_400);
    assert_eq!(bench.location(), Some(HERE), "the owner says nothing");
    bench.session(B, true);
    bench.replied(B, 1, 2, Verdict::Stayed);
    bench.told(B, 2, None);
    bench.wait(400);
    assert_eq!((bench.location(), bench.phase()), (Some(THERE), Phase::Settled));
}

/// Row 13d: what came of it was decided elsewhere, and the host moved on from there.
#[test]
fn b12_a_host_that_was_taken_without_a_word_belongs_to_who_has_been_given_it_since() {
    let mut bench = Bench::new().following();
    bench.session(B, false);
    bench.routine = false;
    bench.heard(P1, Evidence::Arp, None);
    bench.wait(250_000);
    let mut actions = bench.told(C, 3, Some(Migration::Verified { by: B }));
    assert_eq!(bench.phase(), Phase::Verifying);
    actions.extend(bench.wait(700));
    assert_eq!(bench.phase(), Phase::Unproven, "C has not said anything");
    actions.retain(|action| matches!(action, Action::Send { to, message: Message::Advertisement(_) } if *to == C));
    assert!(!actions.is_empty(), "it is told who has it as well, and will ask");
    bench.stands(C, ClaimId::NONE, true);
    assert_eq!((bench.location(), bench.phase()), (Some(Location::Remote(C)), Phase::Settled));
}

/// An owner that had a claim pending, and hears that the claimant has taken the host, gives its word like any other.
#[test]
fn b12_who_claimed_a_host_and_has_it_now_is_a_rival() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    bench.told(B, 1, Some(Migration::Verified { by: B }));
    let standing = Standing { host: host(), claim: claim_id(ClaimId::NONE), answers: true };
    assert!(bench.answered(HERE).contains(&send(B, Message::Standing(standing))));
}

/// What the owner has found out may come before what it has.
#[test]
fn b12_an_owner_s_word_counts_although_nothing_was_heard_of_its_route_yet() {
    let mut bench = Bench::new().following();
    bench.session(B, false);
    bench.routine = false;
    bench.heard(P1, Evidence::Arp, None);
    bench.wait(2_000);
    bench.session(B, true);
    bench.stands(B, ClaimId::NONE, true);
    bench.told(B, 0, None);
    bench.wait(400);
    assert_eq!((bench.location(), bench.phase()), (Some(THERE), Phase::Settled));
}

/// The same, and whoever claimed it answers for it: neither loses it.
#[test]
fn b12_a_host_that_was_taken_without_its_owner_s_word_and_answers_at_both_is_contested() {
    let mut bench = Bench::new().following();
    bench.session(B, false);
    bench.heard(P1, Evidence::Arp, None);
    bench.answered(HERE);
    bench.wait(20_000);
    bench.session(B, true);
    lists(&mut bench, B, &[listed(0)]);
    bench.answered(HERE);
    bench.told(B, 0, None);
    bench.stands(B, ClaimId::NONE, true);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Contested));
    assert_eq!(bench.view().destination, Destination::Both { with: THERE, and: None });
}

#[test]
fn b14_of_several_claims_of_a_host_whose_link_is_down_the_first_does_not_win_by_being_first() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    bench.asked(C, 5, 1);
    bench.feed(Event::PortDown { port: P1 });
    assert_eq!(bench.location(), Some(HERE), "nobody knows yet who answers");
    bench.stands(B, 1, false);
    let actions = bench.stands(C, 5, true);
    assert!(actions.contains(&send(C, reply(5, 1, MOVED))));
}

#[test]
fn b14_an_answer_out_of_a_tunnel_is_not_the_peer_s_word() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    bench.asked(C, 5, 1);
    bench.stands(C, 5, false);
    bench.answered(THERE);
    bench.wait(300);
    assert_eq!(bench.location(), Some(HERE));
}

/// The claimed port is silent, and the host is heard at another port of the same VTEP.
#[test]
fn b14_a_claim_follows_the_host_to_the_port_where_it_answers() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    bench.wait(400);
    let actions = bench.heard(P2, Evidence::Arp, None);
    assert!(actions.contains(&Action::Drop { frame: FRAME }));
    assert_eq!(probes(&actions, SECOND), 1);
    let standing = Standing { host: host(), claim: claim_id(2), answers: true };
    assert!(bench.answered(SECOND).contains(&send(B, Message::Standing(standing))));
    bench.replied(B, 2, 1, MOVED);
    assert_eq!(bench.location(), Some(SECOND));
}

/// Somebody at another port claimed the host just before it came, while it still answered where it was: the refusal of that claim arrives after the host has
/// said where it is, which need not be said again.
#[test]
fn b14_the_refusal_of_a_claim_for_one_port_is_not_that_of_another() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    bench.heard(P2, Evidence::Arp, None);
    assert_eq!(claims(&bench.answered(SECOND)), [(B, false)], "it is made anew");
    bench.replied(B, 1, 2, Verdict::Stayed);
    assert_eq!(bench.phase(), Phase::Claiming);
    bench.replied(B, 2, 1, MOVED);
    assert_eq!(bench.location(), Some(SECOND));
}

/// Somebody at another port answers first, and gets the host: where it was heard before is asked after that.
#[test]
fn b13_a_port_that_has_not_answered_when_another_does_is_taken_up_again() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    bench.heard(P2, Evidence::Arp, None);
    bench.answered(SECOND);
    bench.replied(B, 2, 1, MOVED);
    assert_eq!(bench.location(), Some(SECOND));
    assert!(probes(&bench.wait(250), HERE) > 0, "it is taken up by itself");
    bench.answered(HERE);
    bench.answered(SECOND);
    assert_eq!(bench.phase(), Phase::Contested);
}

/// A contest between places none of which has a longer history ends when one of them falls silent, and not before.
#[test]
fn b14_a_contest_does_not_end_by_itself() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    bench.replied(B, 1, 1, MOVED);
    bench.heard(P2, Evidence::Arp, None);
    bench.answered(SECOND);
    bench.answered(HERE);
    for _ in 0..60 {
        assert_eq!(bench.phase(), Phase::Contested, "{:?}", bench.now);
        bench.wait(500);
        bench.answered(HERE);
        bench.answered(SECOND);
    }
    bench.wait(60_000);
    assert_ne!(bench.phase(), Phase::Contested);
}

const LATER: FrameId = FrameId(8);

/// Somebody at another port of the same VTEP was first, and is silent.
#[test]
fn b14_of_two_ports_of_one_claimant_the_one_that_answers_has_it() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    bench.wait(100);
    let actions = bench.heard(P2, Evidence::Arp, Some(LATER));
    assert_eq!(probes(&actions, SECOND), 1, "it is asked there, too");
    let actions = bench.answered(SECOND);
    let standing = Standing { host: host(), claim: claim_id(2), answers: true };
    assert!(actions.contains(&send(B, Message::Standing(standing))));
    assert!(actions.contains(&Action::Drop { frame: FRAME }));
    let actions = bench.replied(B, 2, 1, MOVED);
    assert!(actions.contains(&Action::Release { frame: LATER }));
    assert_eq!(bench.location(), Some(SECOND));
}

/// Who was first answers: the other is weighed after the claim, at the place that has just got the host.
#[test]
fn b14_of_two_ports_of_one_claimant_that_both_answer_neither_loses_the_host() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    bench.heard(P2, Evidence::Arp, Some(LATER));
    assert!(bench.answered(HERE).contains(&Action::Drop { frame: LATER }));
    bench.replied(B, 1, 1, Verdict::Moved { tenure: Duration::from_secs(3_600) });
    assert_eq!(bench.location(), Some(HERE));
    let actions = bench.wait(300);
    assert!(probes(&actions, SECOND) > 0, "it is taken up by itself");
    bench.answered(SECOND);
    bench.answered(HERE);
    assert_eq!(bench.phase(), Phase::Contested);
}

/// Somebody at another port of the destination answers at once and until the host is there, which is then heard again and again, in vain.
#[test]
fn b14_a_port_that_was_heard_in_vain_while_another_answered_is_asked_as_soon_as_that_one_has_the_host() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, None);
    bench.answered(HERE);
    for _ in 0..4 {
        bench.heard(P2, Evidence::Arp, None);
        bench.wait(75);
    }
    bench.replied(B, 1, 1, Verdict::Moved { tenure: Duration::from_secs(3_600) });
    assert_eq!(bench.location(), Some(HERE));
    assert_eq!(probes(&bench.wait(0), SECOND), 1);
    bench.answered(SECOND);
    bench.answered(HERE);
    assert_eq!(bench.phase(), Phase::Contested);
}

#[test]
fn b14_of_two_ports_of_one_claimant_none_of_which_answers_the_later_is_claimed_and_no_frame_is_kept() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    bench.wait(50);
    bench.heard(P2, Evidence::Arp, Some(LATER));
    let mut actions = bench.wait(400);
    actions.extend(bench.replied(B, 2, 2, Verdict::Stayed));
    let dropped = |frame| actions.iter().filter(|action| **action == Action::Drop { frame }).count();
    assert_eq!((dropped(FRAME), dropped(LATER)), (1, 1));
}

fn in_a_minute(bench: &Bench) -> Instant {
    bench.now + Duration::from_secs(60)
}

#[test]
fn b15_an_announced_move_is_believed_as_soon_as_an_answer_is_overdue() {
    let mut bench = Bench::new().owning();
    let until = in_a_minute(&bench);
    let actions = bench.feed(Event::MoveExpected { host: host(), to: THERE, until });
    let expect = Message::Expect(Expect { host: host(), to: B, within: Duration::from_secs(60) });
    assert_eq!(sent(&actions), [(B, expect.clone()), (C, expect)]);
    bench.asked(B, 1, 1);
    assert_eq!(bench.location(), Some(HERE));
    let actions = bench.wait(5);
    assert!(actions.contains(&send(B, reply(1, 1, MOVED))));
    assert_eq!(because(&actions), Some(Because::Expected));
}

#[test]
fn b15_a_host_that_answers_has_not_moved_yet_whatever_was_announced_and_nobody_is_blamed() {
    let mut bench = Bench::new().owning();
    let until = in_a_minute(&bench);
    bench.feed(Event::MoveExpected { host: host(), to: SECOND, until });
    for _ in 0..5 {
        bench.heard(P2, Evidence::Arp, None);
        bench.answered(HERE);
        bench.wait(5_500);
    }
    assert_eq!((bench.location(), bench.counters().attacks), (Some(HERE), 0));
}

#[test]
fn b15_any_other_claim_waits_for_the_announced_place() {
    let mut bench = Bench::new().owning();
    let until = in_a_minute(&bench);
    bench.feed(Event::MoveExpected { host: host(), to: THERE, until });
    bench.asked(C, 5, 1);
    bench.stands(C, 5, true);
    bench.wait(1_000);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Unproven));
    bench.asked(B, 1, 1);
    assert!(bench.wait(5).contains(&send(B, reply(1, 1, MOVED))));
}

#[test]
fn b15_without_the_announced_place_the_others_are_judged_when_the_time_is_over() {
    let mut bench = Bench::new().owning();
    let until = in_a_minute(&bench);
    bench.feed(Event::MoveExpected { host: host(), to: THERE, until });
    bench.asked(C, 5, 1);
    bench.stands(C, 5, true);
    bench.wait(100_000);
    assert_eq!(bench.location(), Some(Location::Remote(C)));
}

/// The operator told another agent, which told us.
#[test]
fn b15_an_expectation_counts_whoever_was_told() {
    let within = Duration::from_secs(60);
    let mut owner = Bench::new().owning();
    owner.says(C, Message::Expect(Expect { host: host(), to: B, within }));
    owner.asked(B, 1, 1);
    assert!(owner.wait(5).contains(&send(B, reply(1, 1, MOVED))), "the claimant's agent was told");

    let mut owner = Bench::new().owning();
    owner.says(B, Message::Expect(Expect { host: host(), to: ME, within }));
    owner.heard(P2, Evidence::Arp, None);
    owner.wait(5);
    assert_eq!(owner.location(), Some(SECOND), "to a port of the owner's that was not named");

    let mut claimant = Bench::new().following();
    claimant.says(B, Message::Expect(Expect { host: host(), to: ME, within }));
    for claim in 1..=4 {
        claimant.heard(P1, Evidence::Arp, None);
        claimant.replied(B, claim, 2 * u32::try_from(claim).expect("few"), Verdict::Stayed);
        claimant.wait(5_500);
    }
    assert_eq!(claimant.counters().attacks, 0, "a destination that announces early is no attacker");
}

/// Who is at another port of the VTEP that the move was announced to does not pass for the announced move.
#[test]
fn b15_at_the_announced_vtep_another_port_waits() {
    let mut bench = Bench::new().following();
    let until = in_a_minute(&bench);
    bench.feed(Event::MoveExpected { host: host(), to: HERE, until });
    assert!(sent(&bench.heard(P2, Evidence::Arp, Some(FRAME))).is_empty());
    assert_eq!(sent(&bench.heard(P1, Evidence::Arp, None)).len(), 1);
    let mut bench = Bench::new().following();
    let until = in_a_minute(&bench);
    bench.feed(Event::MoveExpected { host: host(), to: HERE, until });
    bench.heard(P2, Evidence::Arp, Some(FRAME));
    let actions = bench.wait(70_000);
    assert!(!sent(&actions).is_empty(), "but not for ever");
}

#[test]
fn hold_gives_a_contested_host_s_traffic_to_both() {
    let mut bench = Bench::with(|vni| vni.during = During::Hold).owning();
    bench.asked(B, 1, 1);
    bench.asked(C, 5, 1);
    bench.stands(B, 1, true);
    bench.stands(C, 5, true);
    bench.wait(300);
    assert_eq!(bench.view().destination, Destination::Both { with: THERE, and: Some(Location::Remote(C)) });
}
