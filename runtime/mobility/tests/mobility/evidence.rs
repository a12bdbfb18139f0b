//! 4a: no verdict without evidence.

use std::net::IpAddr;

use vouch_mobility::{
    Because, ClaimId, ClaimView, Config, Destination, During, Event, Evidence, Heard, Location, Message, Open, Phase,
    Report, Sequence, Standing, Sync, Unproven, Verdict, WhyUnproven,
};

use crate::bench::{
    B, Bench, C, FRAME, HERE, IP, ME, MOVED, P1, P2, THERE, asked_for, asks, bound, claim_id, host, listed, lists,
    probe, probe_claimed, probes, reply, reports, send, sent, vni_config, withdrawal, yours,
};

const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 2));

fn why(actions: &[vouch_mobility::Action]) -> Vec<WhyUnproven> {
    let why = |report| if let Report::Unproven { why, .. } = report { Some(why) } else { None };
    reports(actions).into_iter().filter_map(why).collect()
}

/// A host here that nothing is known of but its MAC.
fn nameless() -> Bench {
    let mut bench = Bench::new();
    bench.routine = false;
    bench.heard(P1, Evidence::Data, None);
    bench
}

#[test]
fn evidence_silence_of_a_host_without_a_known_address_proves_nothing() {
    let mut bench = nameless();
    bench.says(B, crate::bench::advertisement(1, Some(asks(1))));
    let actions = bench.wait(1_000);
    assert_eq!(why(&actions), [WhyUnproven::NoConfirmedAddress]);
    assert!(sent(&actions).contains(&(B, reply(1, 0, Verdict::Open(Open::Unproven)))));
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Unproven));
    assert_eq!(bench.view().destination, Destination::Both { with: THERE, and: None });
    assert!(bench.seen(P1).contains(&send(B, reply(1, 2, Verdict::Stayed))), "life at the old port refuses it");
}

#[test]
fn evidence_an_unproven_claim_is_granted_when_the_old_entry_has_aged() {
    let mut bench = nameless();
    bench.asked(B, 1, 1);
    bench.wait(60_000);
    assert_eq!(bench.phase(), Phase::Unproven);
    bench.feed(Event::Idle { host: host() });
    let actions = bench.wait(300);
    assert!(actions.contains(&send(B, reply(1, 1, MOVED))));
    let because = |report| if let Report::Moved { because, .. } = report { Some(because) } else { None };
    assert_eq!(reports(&actions).into_iter().find_map(because), Some(Because::Aged));
}

#[test]
fn evidence_an_unproven_claim_is_asked_about_at_growing_intervals_and_said_once() {
    let mut bench = nameless();
    bench.asked(B, 1, 1);
    let mut said = Vec::new();
    let mut begun = Vec::new();
    for second in 0..120 {
        let actions = bench.wait(1_000);
        said.extend(why(&actions));
        if probes(&actions, HERE) > 0 {
            begun.push(second);
        }
    }
    assert_eq!(said.len(), 1);
    assert!((6..=10).contains(&begun.len()), "asked in the seconds {begun:?}");
}

#[test]
fn evidence_hold_sends_an_unproven_host_s_traffic_to_the_old_place_only() {
    let mut bench = Bench::with(|vni| vni.during = During::Hold);
    bench.routine = false;
    bench.heard(P1, Evidence::Data, None);
    bench.heard(P2, Evidence::Rarp, Some(FRAME));
    bench.wait(10_000);
    assert_eq!(bench.phase(), Phase::Unproven);
    assert_eq!(bench.view().destination, Destination::Recorded);
    assert_eq!(bench.view().claims, [(P2, ClaimView::Pending { forward: true })]);
}

#[test]
fn evidence_the_configuration_may_cut_an_unproven_claim_short() {
    for (unproven, expected) in [(Unproven::Move, THERE), (Unproven::Refuse, HERE)] {
        let mut bench = Bench::with(|vni| vni.unproven = unproven);
        bench.routine = false;
        bench.heard(P1, Evidence::Data, None);
        bench.asked(B, 1, 1);
        bench.wait(300);
        assert_eq!((bench.location(), bench.phase()), (Some(expected), Phase::Settled), "{unproven:?}");
    }
}

#[test]
fn evidence_a_switch_that_takes_no_questions_makes_nobody_silent() {
    let mut bench = Bench::new().owning();
    bench.confirms = false;
    bench.asked(B, 1, 1);
    let actions = bench.wait(5_000);
    assert_eq!(why(&actions), [WhyUnproven::NotAsked]);
    assert_eq!(bench.location(), Some(HERE));
    bench.confirms = true;
    bench.wait(10_000);
    assert_eq!(bench.location(), Some(THERE), "once it takes them, silence means something again");
}

#[test]
fn evidence_answers_that_may_have_been_lost_make_nobody_silent() {
    let mut bench = Bench::new().owning();
    bench.complete = false;
    bench.asked(B, 1, 1);
    assert_eq!(why(&bench.wait(400)), [WhyUnproven::AnswersLost]);
    assert_eq!(bench.location(), Some(HERE));
    bench.complete = true;
    let actions = bench.wait(200);
    assert!(probes(&actions, HERE) > 0, "asked again soon");
    assert!(bench.answered(HERE).contains(&send(B, reply(1, 2, Verdict::Stayed))));
}

#[test]
fn evidence_of_addresses_all_are_asked_for_and_any_may_answer() {
    let mut bench = Bench::new().owning();
    let heard = |address| {
        Event::Heard(Heard {
            host: host(),
            port: P1,
            evidence: Evidence::Arp,
            addresses: vec![address],
            target: None,
            frame: None,
        })
    };
    bench.feed(heard(OTHER));
    assert!(bench.asked(B, 1, 1).contains(&asked_for(HERE, true, vec![IP, OTHER])));
    let actions = bench.feed(Event::ProbeAnswered { host: host(), from: HERE, address: OTHER });
    assert!(actions.contains(&send(B, reply(1, 2, Verdict::Stayed))));
}

#[test]
fn evidence_a_host_without_known_address_is_asked_for_the_claimed_and_the_link_local_one() {
    let mut bench = nameless();
    let link_local: IpAddr = "fe80::ff:fe00:1".parse().expect("an address");
    assert!(bench.asked(B, 1, 1).contains(&asked_for(HERE, true, vec![link_local])));
    let mut bench = nameless();
    assert!(bench.heard(P2, Evidence::Arp, None).contains(&probe(HERE)));
}

#[test]
fn evidence_an_address_that_was_changed_is_learned_and_its_predecessor_forgotten() {
    let mut bench = Bench::new().owning();
    bench.routine = false;
    let seconds = |bench: &mut Bench| {
        bench.wait(1_000);
        bench.feed(Event::ProbeAnswered { host: host(), from: HERE, address: OTHER });
    };
    for _ in 0..200 {
        seconds(&mut bench);
    }
    let addresses: Vec<_> = bench.machine.host(&host()).expect("known").bindings.iter().map(|it| it.address).collect();
    assert_eq!(addresses, [OTHER]);
    assert!(bench.asked(B, 1, 1).contains(&asked_for(HERE, true, vec![OTHER])));
}

#[test]
fn evidence_a_host_is_asked_from_time_to_time_and_what_is_too_old_proves_nothing() {
    let mut bench = Bench::new().owning();
    bench.wait(3_600_000);
    bench.asked(B, 1, 1);
    bench.wait(300);
    assert_eq!(bench.location(), Some(THERE), "it answered all the time, so its silence is one");

    let mut bench = Bench::new().owning();
    bench.routine = false;
    bench.wait(181_000);
    bench.asked(B, 1, 1);
    bench.wait(1_000);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Unproven));
}

#[test]
fn evidence_a_host_that_announces_itself_but_does_not_answer_is_not_silent() {
    let mut bench = Bench::new();
    bench.routine = false;
    bench.heard(P1, Evidence::Arp, None);
    bench.wait(5_000);
    bench.heard(P1, Evidence::Arp, None);
    bench.asked(B, 1, 1);
    bench.wait(1_000);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Unproven));
}

#[test]
fn evidence_a_host_that_answers_late_is_given_its_time() {
    let mut bench = Bench::new();
    bench.routine = false;
    let mut bench = bench.owning();
    bench.wait(600);
    bench.answered(HERE);
    bench.asked(B, 1, 1);
    bench.wait(700);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Verifying));
    assert!(bench.answered(HERE).contains(&send(B, reply(1, 2, Verdict::Stayed))));
}

#[test]
fn evidence_a_port_is_down_only_while_the_switch_says_so() {
    let mut bench = Bench::new().owning();
    bench.feed(Event::PortDown { port: P1 });
    bench.feed(Event::PortUnknown { port: P1 });
    bench.asked(B, 1, 1);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Verifying));
    bench.answered(HERE);
    bench.feed(Event::PortDown { port: P1 });
    bench.feed(Event::PortUp { port: P1 });
    bench.asked(B, 2, 3);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Verifying));
}

/// An agent that was killed and started again, and a switch that has kept the host, and its address as confirmed or not.
fn restored(confirmed: bool) -> Bench {
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, vni_config());
    let mut bench = Bench::just_started(config);
    bench.routine = false;
    bench.feed(Event::Restored { host: host(), location: HERE, passed_on: false });
    bench.feed(Event::RestoredBinding { host: host(), address: IP, confirmed });
    bench
}

/// Row 13a: the host moved while there was no agent, and so was gone before anybody could see it answer again.
#[test]
fn evidence_a_host_that_had_been_answering_before_a_restart_is_gone_if_it_is_silent_after_it() {
    let mut bench = restored(true);
    bench.heard(P2, Evidence::Rarp, Some(FRAME));
    bench.wait(1_900);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Verifying), "it may be one that takes long");
    bench.wait(200);
    assert_eq!((bench.location(), bench.phase()), (Some(Location::Local(P2)), Phase::Settled));

    let mut bench = restored(true);
    bench.asked(B, 1, 1);
    assert!(bench.wait(2_100).contains(&send(B, reply(1, 1, MOVED))));

    let mut bench = restored(true);
    bench.asked(B, 1, 1);
    bench.wait(1_900);
    assert!(bench.seen(P1).contains(&send(B, reply(1, 2, Verdict::Stayed))), "whatever it says shows that it is there");

    let mut bench = restored(true);
    bench.asked(B, 1, 1);
    bench.asked(C, 1, 1);
    bench.stands(B, 1, false);
    bench.stands(C, 1, true);
    bench.wait(2_100);
    assert_eq!(bench.location(), Some(Location::Remote(C)), "of several, the one that answers has it");

    let mut bench = restored(true);
    bench.wait(31_000);
    bench.asked(B, 1, 1);
    bench.wait(3_000);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Unproven), "nobody has looked for too long");
}

/// A host that announces itself and does not answer looks the same after a restart, but for what the switch was told of it.
#[test]
fn evidence_a_mute_host_keeps_its_place_over_a_restart() {
    let mut before = Bench::new();
    before.routine = false;
    before.heard(P1, Evidence::Arp, None);
    let confirmed = |bench: &Bench| bench.machine.binding(host().vni, IP).expect("it is bound").confirmed;
    assert!(confirmed(&before), "it may be one that answers");
    before.wait(1_000);
    assert!(!confirmed(&before), "and is not");
    before.heard(P1, Evidence::Arp, None);
    assert!(!confirmed(&before));

    let mut bench = restored(confirmed(&before));
    bench.heard(P2, Evidence::Rarp, Some(FRAME));
    bench.wait(3_000);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Unproven));

    before.answered(HERE);
    assert!(confirmed(&before), "it answers after all");
}

/// So many were asked at one port that the switch dropped some of the answers, and this host's were among them.
#[test]
fn evidence_a_host_whose_answers_were_lost_is_not_taken_for_mute() {
    let mut bench = Bench::new();
    (bench.routine, bench.complete) = (false, false);
    bench.heard(P1, Evidence::Arp, None);
    bench.wait(1_000);
    assert!(bench.machine.binding(host().vni, IP).expect("it is bound").confirmed, "nobody knows whether it answers");
    bench.complete = true;
    bench.asked(B, 1, 1);
    bench.wait(3_000);
    assert_eq!(bench.location(), Some(THERE), "it announced itself, and is silent now");
}

/// It says something just after the agent has been started, and somebody claims it before it has been asked and not answered: what the switch kept of it
/// says that it is not one to count on.
#[test]
fn evidence_a_mute_host_that_speaks_after_a_restart_is_not_given_away_before_it_is_found_out() {
    let mut bench = restored(false);
    bench.routine = false;
    bench.heard(P1, Evidence::Arp, None);
    bench.asked(B, 1, 1);
    bench.wait(3_000);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Unproven));
    bench.answered(HERE);
    bench.wait(2_000);
    bench.asked(B, 2, 3);
    bench.wait(3_000);
    assert_eq!(bench.location(), Some(THERE), "once it has answered, its silence says something");
}

/// It was asked in vain when the agent had just been started, for an address that nobody knew it still had; when it says that it has, it is asked again.
#[test]
fn evidence_a_mute_host_that_announces_itself_after_a_restart_is_found_to_be_mute() {
    let mut bench = restored(false);
    // As long as an answer to the first question may still come.
    bench.wait(2_100);
    bench.heard(P1, Evidence::Arp, None);
    bench.wait(400);
    bench.asked(B, 1, 1);
    bench.wait(3_000);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Unproven));
}

/// Row 5 of the issue: the agent has restarted, and the switch still has host and address.
#[test]
fn evidence_after_a_restart_of_the_agent_a_claim_is_judged_by_what_the_switch_remembers() {
    let mut bench = restored(false);
    // Before anything could be confirmed, and the host happens to be slow.
    bench.routine = false;
    bench.heard(P2, Evidence::Rarp, Some(FRAME));
    bench.wait(1_900);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Verifying), "it may be one that takes long");
    bench.wait(200);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Unproven));
    bench.answered(HERE);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Settled));
}

/// Row 5: a full reboot, nothing is left but what the peers say.
#[test]
fn evidence_after_a_reboot_a_host_is_sought_where_it_may_be() {
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, vni_config());
    let mut bench = Bench::just_started(config);
    let actions = bench.says(B, yours(4));
    assert!(
        sent(&actions).contains(&(C, crate::bench::advertisement(4, None))),
        "others go on believing that it is here"
    );
    assert_eq!((bench.phase(), bench.location()), (Phase::Sought, None));
    assert_eq!(bench.pull(C), [], "the list has been pulled");
    let actions = bench.asked(C, 1, 5);
    for port in [1, 2, 3] {
        assert!(actions.contains(&probe_claimed(Location::Local(vouch_mobility::AccessId(port)))), "port {port}");
    }
    bench.stands(C, 1, true);
    let actions = bench.answered(Location::Local(P2));
    assert!(actions.contains(&send(C, reply(1, 6, Verdict::Stayed))));
    assert_eq!(bench.location(), Some(Location::Local(P2)));
    assert_eq!(bench.machine.host(&host()).expect("known").sequence, Sequence(6));
}

/// Its VTEP has restarted, and nothing is left but what B says.
fn sought() -> Bench {
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, vni_config());
    let mut bench = Bench::just_started(config);
    bench.says(B, yours(4));
    bench
}

/// The simulation of whole agents had an owner that restarted while its mute host was claimed: the claim came before the list of who made it, nobody was
/// told that the host was still believed to be there, and the claimant took it for given up.
#[test]
fn evidence_a_host_that_is_claimed_before_a_peer_remembers_it_here_is_said_to_be_here() {
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, vni_config());
    let mut bench = Bench::just_started(config);
    bench.asked(C, 1, 5);
    let actions = bench.says(C, yours(4));
    for peer in [B, C] {
        assert!(sent(&actions).contains(&(peer, crate::bench::advertisement(4, None))), "{peer:?} is told");
    }
}

/// What the peers remembered was too old by then for an answer to be expected: nothing is proved, until the host has aged (4a).
#[test]
fn evidence_a_host_that_is_sought_and_answers_elsewhere_is_there_when_it_has_not_been_heard_here_for_the_ageing_time() {
    let mut bench = sought();
    bench.wait(200_000);
    bench.asked(C, 1, 5);
    bench.stands(C, 1, true);
    let actions = bench.wait(60_000);
    assert!(actions.contains(&send(C, reply(1, 4, Verdict::Open(Open::Unproven)))));
    assert_eq!(bench.phase(), Phase::Sought);
    let actions = bench.wait(90_000);
    assert!(actions.contains(&send(C, reply(1, 5, MOVED))));
    assert_eq!(bench.location(), Some(Location::Remote(C)));
}

#[test]
fn evidence_a_host_that_is_sought_and_was_heard_here_has_not_aged() {
    let mut bench = sought();
    bench.wait(200_000);
    bench.asked(C, 1, 5);
    for _ in 0..4 {
        bench.heard(P2, Evidence::Data, None);
        bench.wait(200_000);
        assert_eq!(bench.phase(), Phase::Sought);
    }
    bench.wait(150_000);
    assert_eq!(bench.location(), Some(Location::Remote(C)));
}

/// Two mute hosts, as far as anybody can tell: one that speaks here, and one that was heard behind C once.
#[test]
fn evidence_a_host_that_is_sought_and_speaks_here_is_here_when_the_claim_of_another_place_is_dropped() {
    let mut bench = sought();
    bench.asked(C, 1, 5);
    bench.heard(P2, Evidence::Data, None);
    bench.wait(60_000);
    assert_eq!(bench.phase(), Phase::Sought, "neither answers");
    bench.says(C, withdrawal(5, None));
    bench.heard(P2, Evidence::Data, None);
    bench.wait(60_000);
    assert_eq!(bench.location(), Some(Location::Local(P2)));
}

/// The owner knows no better, and nothing more is heard.
#[test]
fn evidence_a_claim_of_a_place_that_never_answers_is_dropped_when_it_has_aged_and_one_that_answers_is_not() {
    let claiming = || {
        let mut bench = Bench::new().following();
        bench.heard(P1, Evidence::Arp, None);
        bench.replied(B, 1, 0, Verdict::Open(Open::Unproven));
        bench
    };
    let mut bench = claiming();
    bench.wait(590_000);
    assert_eq!(bench.phase(), Phase::Claiming);
    let actions = bench.wait(20_000);
    assert!(sent(&actions).contains(&(B, withdrawal(1, None))));
    assert_eq!((bench.phase(), bench.location()), (Phase::Settled, Some(THERE)));

    let mut bench = claiming();
    for _ in 0..20 {
        bench.wait(31_000);
        bench.answered(HERE);
    }
    assert_eq!(bench.phase(), Phase::Claiming);
}

#[test]
fn evidence_a_host_that_is_sought_and_that_nobody_claims_is_asked_before_it_is_given_up() {
    let mut bench = sought();
    let actions = bench.wait(300_100);
    assert!(actions.contains(&probe_claimed(Location::Local(P2))));
    bench.answered(Location::Local(P2));
    assert_eq!(bench.location(), Some(Location::Local(P2)));

    let mut bench = sought();
    let actions = bench.wait(301_000);
    assert!(sent(&actions).contains(&(B, withdrawal(4, None))));
    assert_eq!(bench.machine.host(&host()), None);
}

#[test]
fn evidence_a_claim_of_a_host_that_a_restart_has_forgotten_is_not_granted_at_once() {
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, vni_config());
    let mut bench = Bench::just_started(config);
    assert!(!bench.asked(C, 1, 5).contains(&send(C, reply(1, 5, MOVED))));
    let actions = bench.answered(Location::Local(P1));
    assert!(actions.contains(&send(C, reply(1, 6, Verdict::Stayed))));
    assert_eq!(bench.location(), Some(HERE));
}

/// A machine that has just started, and hears the host on port 1 before anybody has said what it knows.
fn heard_first() -> Bench {
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, vni_config());
    let mut bench = Bench::just_started(config);
    bench.heard(P1, Evidence::Arp, None);
    bench
}

#[test]
fn evidence_whoever_is_heard_before_the_peers_have_said_what_they_know_may_not_be_the_host() {
    let mut bench = heard_first();
    lists(&mut bench, B, &[]);
    bench.asked(C, 1, 1);
    bench.stands(C, 1, true);
    bench.answered(HERE);
    assert_eq!(bench.phase(), Phase::Contested, "C has not said all it knows");
}

/// In a fabric that has just been built everybody is heard for the first time: nobody pays for that.
#[test]
fn evidence_a_host_of_which_no_peer_knew_anything_was_not_forgotten() {
    let mut bench = heard_first();
    lists(&mut bench, B, &[]);
    lists(&mut bench, C, &[]);
    bench.asked(C, 1, 1);
    bench.stands(C, 1, true);
    assert!(bench.answered(HERE).contains(&send(C, reply(1, 2, Verdict::Stayed))));
}

#[test]
fn evidence_a_list_with_a_gap_says_nothing_of_what_was_forgotten() {
    let mut bench = heard_first();
    lists(&mut bench, B, &[]);
    bench.says(C, Message::Sync(Sync::Start));
    bench.says(C, Message::Sync(Sync::End { hosts: 1, withheld: false }));
    bench.asked(C, 1, 1);
    bench.stands(C, 1, true);
    bench.answered(HERE);
    assert_eq!(bench.phase(), Phase::Contested);
}

/// Row 13c: the host is quiet, and somebody at another port was heard before the peers said that the host was here.
#[test]
fn evidence_a_quiet_host_that_a_peer_remembers_here_is_sought_although_somebody_was_heard_first() {
    let mut bench = heard_first();
    bench.routine = false;
    bench.says(B, Message::Sync(Sync::Start));
    let actions = bench.says(B, yours(0));
    for port in [1, 2, 3] {
        assert!(actions.contains(&probe_claimed(Location::Local(vouch_mobility::AccessId(port)))), "port {port}");
    }
    bench.answered(Location::Local(P2));
    assert_eq!(bench.location(), Some(Location::Local(P2)));

    let mut bench = heard_first();
    bench.says(B, Message::Sync(Sync::Start));
    bench.says(B, yours(0));
    bench.wait(400);
    assert_eq!(bench.location(), Some(HERE), "nobody answers: what was heard is believed");
}

/// The peers know that the host was here, and not at which port: any of them may be the true one, another VTEP is not.
#[test]
fn evidence_a_host_that_a_peer_remembers_here_may_have_been_at_another_port() {
    let remembered = || {
        let mut bench = heard_first();
        lists(&mut bench, B, &[yours(0)]);
        lists(&mut bench, C, &[]);
        // It is asked for everywhere, and answers here first.
        bench.answered(HERE);
        bench
    };
    let mut bench = remembered();
    bench.heard(P2, Evidence::Arp, None);
    bench.answered(Location::Local(P2));
    bench.answered(HERE);
    assert_eq!(bench.phase(), Phase::Contested);

    let mut bench = remembered();
    bench.asked(C, 1, 1);
    bench.stands(C, 1, true);
    assert!(bench.answered(HERE).contains(&send(C, reply(1, 2, Verdict::Stayed))));
}

#[test]
fn evidence_a_host_that_a_peer_has_may_have_been_there_before_the_restart() {
    let mut bench = heard_first();
    lists(&mut bench, B, &[listed(0)]);
    lists(&mut bench, C, &[]);
    bench.stands(B, ClaimId::NONE, true);
    let actions = bench.answered(HERE);
    assert_eq!(bench.phase(), Phase::Contested);
    assert_eq!(bench.view().destination, Destination::Both { with: THERE, and: None });
    let standing = Standing { host: host(), claim: claim_id(ClaimId::NONE), answers: true };
    assert!(actions.contains(&send(B, Message::Standing(standing))), "the other is told, and may be wrong");
}

/// Row 13c: forged frames came first after a reboot, and who forged them answers nothing. The peer that has the host is answered.
#[test]
fn evidence_a_host_that_answers_a_peer_is_there_although_a_silent_one_was_heard_here_first() {
    let started = || {
        let mut config = Config::new(ME);
        config.vnis.insert(host().vni, vni_config());
        let mut bench = Bench::just_started(config);
        bench.routine = false;
        bench.heard(P1, Evidence::Arp, None);
        bench.wait(2_500);
        lists(&mut bench, B, &[listed(0)]);
        bench
    };
    let mut bench = started();
    bench.stands(B, ClaimId::NONE, true);
    bench.heard(P1, Evidence::Arp, None);
    bench.wait(300);
    assert_eq!((bench.location(), bench.phase()), (Some(THERE), Phase::Settled), "frames alone are no answer");

    let mut bench = started();
    bench.wait(400);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Verifying), "B has not said yet");
    bench.stands(B, ClaimId::NONE, true);
    bench.wait(3_000);
    assert_eq!((bench.location(), bench.phase()), (Some(THERE), Phase::Settled), "a silent one does not answer at all");
}

/// Row 13c: the host had come here, that was not decided yet when we were rebooted, and who had it before still says so.
#[test]
fn evidence_a_quiet_host_is_sought_although_somebody_was_heard_first_and_a_peer_says_it_has_it() {
    let started = || {
        let mut bench = heard_first();
        bench.routine = false;
        bench.says(B, Message::Sync(Sync::Start));
        let actions = bench.says(B, listed(3));
        for port in [1, 2, 3] {
            assert!(actions.contains(&probe_claimed(Location::Local(vouch_mobility::AccessId(port)))), "port {port}");
        }
        assert!(actions.contains(&send(B, crate::bench::advertisement(0, None))), "it is to ask");
        bench.heard(P1, Evidence::Arp, None);
        bench
    };
    let mut bench = started();
    bench.answered(Location::Local(P2));
    assert_eq!((bench.location(), bench.phase()), (Some(Location::Local(P2)), Phase::Verifying), "B has its say");
    bench.stands(B, ClaimId::NONE, false);
    assert_eq!((bench.location(), bench.phase()), (Some(Location::Local(P2)), Phase::Settled));

    let mut bench = started();
    bench.answered(Location::Local(P2));
    bench.stands(B, ClaimId::NONE, true);
    assert_eq!(bench.phase(), Phase::Contested, "it answers here and there");

    let mut bench = started();
    bench.wait(400);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Verifying), "nobody has answered yet");
    bench.stands(B, ClaimId::NONE, true);
    bench.wait(3_000);
    assert_eq!((bench.location(), bench.phase()), (Some(THERE), Phase::Settled));

    let mut bench = started();
    bench.says(B, crate::bench::withdrawal(4, Some(ME)));
    bench.wait(400);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Settled), "B gives it to us");
    assert_eq!(bench.machine.host(&host()).expect("known").sequence, Sequence(4));
}

#[test]
fn evidence_a_peer_that_comes_back_after_minutes_does_not_undo_what_was_heard() {
    let mut bench = heard_first();
    lists(&mut bench, C, &[]);
    // The probation is over.
    bench.wait(301_000);
    bench.says(B, Message::Sync(Sync::Start));
    bench.says(B, listed(3));
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Verifying), "it is asked where it is recorded");
    bench.says(B, yours(3));
    assert_eq!(bench.location(), Some(HERE));
}

/// Row 13d: somebody got the host by policy, long after all had told what they know.
#[test]
fn evidence_what_a_peer_says_when_all_have_told_what_they_know_is_news_and_no_memory() {
    let mut bench = heard_first();
    lists(&mut bench, B, &[]);
    lists(&mut bench, C, &[]);
    bench.wait(5_000);
    bench.told(B, 1, None);
    bench.stands(B, ClaimId::NONE, true);
    bench.answered(HERE);
    assert_eq!((bench.location(), bench.phase()), (Some(HERE), Phase::Settled));
}

#[test]
fn evidence_a_sought_host_that_answers_only_elsewhere_is_there_and_one_that_answers_nowhere_is_unproven() {
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, vni_config());
    let mut bench = Bench::just_started(config.clone());
    bench.says(B, yours(4));
    bench.asked(C, 1, 5);
    bench.stands(C, 1, true);
    assert!(bench.wait(300).contains(&send(C, reply(1, 5, MOVED))));
    assert_eq!(bench.location(), Some(Location::Remote(C)));

    let mut bench = Bench::just_started(config);
    bench.says(B, yours(4));
    bench.asked(C, 1, 5);
    bench.stands(C, 1, false);
    let actions = bench.wait(300);
    assert!(actions.contains(&send(C, reply(1, 4, Verdict::Open(Open::Unproven)))));
    assert_eq!(why(&actions), [WhyUnproven::PortUnknown]);
    bench.wait(800_000);
    assert_eq!(bench.location(), Some(Location::Remote(C)), "but not for ever");
}

#[test]
fn evidence_a_sought_host_is_heard_where_it_is_or_given_up_or_somebody_else_s() {
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, vni_config());
    let started = || {
        let mut bench = Bench::just_started(config.clone());
        bench.says(B, yours(4));
        bench
    };
    let mut bench = started();
    bench.heard(P2, Evidence::Data, None);
    assert_eq!(bench.phase(), Phase::Sought, "that may be anybody: all ports are asked");
    bench.answered(HERE);
    assert_eq!(bench.location(), Some(HERE));

    let mut bench = started();
    let actions = bench.wait(600_000);
    assert!(bench.machine.host(&host()).is_none());
    assert!(sent(&actions).contains(&(B, crate::bench::withdrawal(4, None))));

    let mut bench = started();
    bench.says(C, listed(5));
    assert_eq!(bench.location(), Some(Location::Remote(C)), "it had moved before the restart");
}

#[test]
fn evidence_a_claim_with_a_higher_sequence_is_another_claim_whatever_its_number() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    bench.answered(HERE);
    assert_eq!(sent(&bench.asked(B, 1, 1)), [(B, reply(1, 2, Verdict::Stayed))], "the same again");
    let actions = bench.asked(B, 1, 3);
    assert!(sent(&actions).is_empty() && actions.contains(&probe(HERE)), "it has been elsewhere meanwhile");
}

#[test]
fn evidence_of_another_life_of_the_claimant_is_another_claim() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    let mut again = asks(1);
    if let vouch_mobility::Migration::Asked { claim, .. } = &mut again {
        claim.incarnation = vouch_mobility::Incarnation(2);
    }
    bench.told(B, 1, Some(again));
    let actions = bench.answered(HERE);
    let replies: Vec<_> = sent(&actions).into_iter().filter(|(to, _)| *to == B).collect();
    assert_eq!(replies.len(), 2, "the reply to the new claim and the advertisement: {replies:?}");
    assert!(!replies.contains(&(B, reply(1, 2, Verdict::Stayed))), "not to the old one");
}

#[test]
fn evidence_what_the_owner_says_of_addresses_holds_until_it_says_otherwise() {
    let mut bench = Bench::new().following();
    bench.wait(600_000);
    assert_eq!(bench.machine.host(&host()).expect("known").bindings, [bound(IP)]);
    let mut owner = Bench::new().owning();
    owner.routine = false;
    let actions = owner.wait(200_000);
    assert_eq!(sent(&actions).len(), 2, "both peers hear that it is no longer confirmed");
}
