//! B13 and the shares: what was refused is tried again, and nobody can fill what others need.

use std::time::Duration;

use vouch_mobility::{
    AccessId, Action, Advertisement, Config, Event, Evidence, Full, Heard, HostKey, Location, Message, Migration,
    Phase, Report, Sequence, Sync, UnreachableOwner, Verdict, VniConfig,
};
use vouch_net::{MacAddr, Vni};

use crate::bench::{
    B, Bench, C, FRAME, HERE, IP, ME, MOVED, P1, P2, THERE, asks, bound, host, listed, probes, reports, send, sent,
    vni_config,
};

fn other(last: u8) -> HostKey {
    HostKey { mac: MacAddr([2, 0, 0, 0, 1, last]), ..host() }
}

fn heard(host: HostKey, port: AccessId) -> Event {
    Event::Heard(Heard { host, port, evidence: Evidence::Data, addresses: Vec::new(), target: None, frame: None })
}

/// Row 15: the destination announces the host before the source is paused, then it is paused, then it is there.
#[test]
fn b13_early_announcements_cost_the_real_one_nothing_and_are_no_attack() {
    let mut bench = Bench::new().owning();
    let start = bench.now;
    let announce = |bench: &mut Bench, at: u64| {
        let left = (start + Duration::from_millis(at)).since(bench.now);
        let mut actions = bench.wait(u64::try_from(left.as_millis()).expect("short"));
        actions.extend(bench.heard(P2, Evidence::Arp, None));
        actions
    };
    for at in [0, 50, 200, 450] {
        announce(&mut bench, at);
        bench.wait(1);
        bench.answered(HERE);
        bench.wait(25);
        bench.answered(HERE);
    }
    // The source is paused now, and what comes is true, well within the damping.
    announce(&mut bench, 600);
    bench.wait(1);
    assert_eq!(bench.phase(), Phase::Verifying, "asked at once");
    bench.wait(5);
    assert_ne!(bench.view().destination, vouch_mobility::Destination::Recorded, "copied once an answer is overdue");
    bench.answered(Location::Local(P2));
    bench.wait(300);
    assert_eq!(bench.location(), Some(Location::Local(P2)));
    assert_eq!(bench.counters().attacks, 0);
}

#[test]
fn b13_a_claim_that_is_taken_up_where_the_host_is_by_now_is_no_sign_of_life() {
    let mut bench = Bench::new().owning();
    bench.routine = false;
    bench.heard(P2, Evidence::Arp, None);
    bench.answered(HERE);
    bench.heard(P2, Evidence::Arp, None);
    // It goes, and comes to the port that it was refused at.
    bench.feed(Event::PortDown { port: P1 });
    bench.feed(Event::Idle { host: host() });
    bench.heard(P2, Evidence::Arp, None);
    assert_eq!(bench.location(), Some(Location::Local(P2)));
    bench.asked(B, 1, 5);
    let again = bench.counters().taken_up_again;
    let actions = bench.wait(100);
    assert_eq!(bench.counters().taken_up_again, again + 1);
    assert!(!actions.contains(&send(B, crate::bench::reply(1, 6, Verdict::Stayed))));
    assert_eq!(bench.phase(), Phase::Verifying);
}

/// Row 9: a host honestly moves to a port from which it was forged before, and announces itself once.
#[test]
fn b13_a_claim_that_was_damped_is_made_by_itself() {
    let mut bench = Bench::new().owning();
    for _ in 0..4 {
        bench.heard(P2, Evidence::Arp, None);
        bench.answered(HERE);
        bench.wait(10);
    }
    bench.heard(P2, Evidence::Arp, Some(FRAME));
    bench.wait(10_000);
    assert_eq!(bench.location(), Some(Location::Local(P2)), "nothing else was said");
}

/// What the host said when it had come was taken for the claim that was being verified, and that was refused.
#[test]
fn b13_a_claim_that_is_heard_again_while_it_is_verified_is_made_once_more_when_it_is_refused() {
    let mut bench = Bench::new().owning();
    bench.heard(P2, Evidence::Arp, None);
    bench.heard(P2, Evidence::Rarp, None);
    bench.answered(HERE);
    assert_eq!(bench.phase(), Phase::Settled);
    bench.wait(1_000);
    assert_eq!(bench.location(), Some(Location::Local(P2)), "it has been silent at the old port since");

    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, None);
    bench.heard(P1, Evidence::Rarp, None);
    bench.replied(B, 1, 2, Verdict::Stayed);
    assert_eq!(bench.phase(), Phase::Settled);
    bench.wait(200);
    assert_eq!(bench.phase(), Phase::Claiming);
}

/// It need not be heard again: then it is over.
#[test]
fn b13_a_claim_that_was_heard_once_is_made_once() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, None);
    bench.replied(B, 1, 2, Verdict::Stayed);
    bench.wait(10_000);
    assert_eq!(bench.counters().taken_up_again, 0);
}

/// A request for somebody else names the address that the host has where it is claimed: it need not be the one that is known of it.
#[test]
fn b13_a_host_that_has_another_address_where_it_is_claimed_is_asked_for_that() {
    let other = std::net::IpAddr::from([192, 168, 7, 7]);
    let request = |port| Event::Requested { host: host(), port, address: Some(other), target: IP, frame: FRAME };
    for (mut bench, port) in [(Bench::new().owning(), P2), (Bench::new().following(), P1)] {
        bench.heard(port, Evidence::Arp, None);
        bench.feed(request(port));
        let asked = bench.wait(200);
        let names = |action: &Action| matches!(action, Action::Probe(probe) if probe.targets.contains(&other));
        assert!(asked.iter().any(names), "{asked:?}");
    }
}

#[test]
fn b13_a_claim_that_was_asked_about_in_passing_is_made_in_full_when_the_damping_is_over() {
    let mut bench = Bench::new().owning();
    bench.heard(P2, Evidence::Arp, None);
    bench.answered(HERE);
    bench.wait(50);
    bench.heard(P2, Evidence::Arp, None);
    bench.answered(HERE);
    assert_eq!(bench.phase(), Phase::Settled);
    assert_eq!(probes(&bench.wait(149), HERE), 0);
    assert_eq!(probes(&bench.wait(1), HERE), 1);
}

#[test]
fn b13_what_is_only_asked_in_passing_is_neither_counted_nor_told() {
    let mut bench = Bench::new().owning();
    bench.heard(P2, Evidence::Arp, None);
    bench.answered(HERE);
    bench.wait(50);
    bench.heard(P2, Evidence::Arp, None);
    let actions = bench.answered(HERE);
    assert!(reports(&actions).is_empty() && sent(&actions).is_empty(), "{actions:?}");
    assert_eq!(bench.counters().refused, 1);
}

/// Row 11: a server's worth of hosts, one announcement each.
#[test]
fn b13_a_thousand_hosts_that_move_at_once_all_arrive() {
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, vni_config());
    config.limits.claims_per_port = 100;
    let mut bench = Bench::configured(config);
    let key = |number: u16| {
        let [high, low] = number.to_be_bytes();
        HostKey { mac: MacAddr([2, 0, 0, 2, high, low]), ..host() }
    };
    for number in 0..1_000 {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + u32::from(number)).into();
        let heard = Heard {
            host: key(number),
            port: P1,
            evidence: Evidence::Arp,
            addresses: vec![address],
            target: None,
            frame: None,
        };
        bench.feed(Event::Heard(heard));
    }
    bench.wait(5_000);
    let mut full = 0;
    for number in 0..1_000 {
        let actions = bench.feed(heard(key(number), P2));
        full += reports(&actions).iter().filter(|report| matches!(report, Report::Full { .. })).count();
    }
    assert_eq!(full, 1, "it is said once that there was no room for more claims");
    bench.wait(60_000);
    let left: Vec<_> = (0..1_000)
        .filter(|&number| bench.machine.host(&key(number)).and_then(|info| info.location) != Some(Location::Local(P2)))
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn b13_a_claim_by_another_port_of_the_claimant_is_taken_up_after_the_first() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, None);
    bench.heard(P2, Evidence::Arp, Some(FRAME));
    bench.answered(HERE);
    bench.replied(B, 1, 1, MOVED);
    let actions = bench.wait(400);
    assert!(probes(&actions, HERE) > 0 && probes(&actions, Location::Local(P2)) > 0);
}

#[test]
fn b13_a_claim_that_nobody_can_decide_is_made_again_but_less_and_less_often() {
    let mut bench = Bench::with(|vni| vni.unreachable_owner = UnreachableOwner::Hold).following();
    bench.session(B, false);
    let mut actions = bench.heard(P1, Evidence::Arp, None);
    actions.extend(bench.wait(60_000));
    let tried = reports(&actions).iter().filter(|report| matches!(report, Report::OwnerUnreachable { .. })).count();
    assert!((8..=20).contains(&tried), "{tried} times in a minute");
    bench.session(B, true);
    assert!(!sent(&bench.wait(5_500)).is_empty(), "and is made to the owner when that is back");
}

#[test]
fn b13_a_claim_lost_with_the_session_is_made_again_in_the_next() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    bench.session(B, false);
    let sent = sent(&bench.session(B, true));
    assert!(matches!(
        sent.as_slice(),
        [(B, Message::Advertisement(Advertisement { migration: Some(Migration::Asked { .. }), .. }))]
    ));
}

#[test]
fn shares_a_full_vni_leaves_others_their_part_and_is_named() {
    let second = Vni::new(20).expect("fits");
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, vni_config());
    config.vnis.insert(second, VniConfig { peers: [B].into(), ..VniConfig::default() });
    config.limits.hosts = 8;
    let mut bench = Bench::configured(config);
    let mut fulls = Vec::new();
    for last in 0..20 {
        fulls.extend(
            reports(&bench.feed(heard(other(last), P1))).into_iter().filter(|it| matches!(it, Report::Full { .. })),
        );
    }
    assert_eq!(fulls, [Report::Full { what: Full::Vni(host().vni) }], "once, and by its name");
    assert_eq!(bench.machine.hosts().count(), 6);
    for last in 0..2 {
        bench.feed(heard(HostKey { vni: second, ..other(last) }, P2));
    }
    assert_eq!(bench.machine.hosts().count(), 8, "the other has its part");
}

#[test]
fn shares_a_peer_that_was_refused_is_asked_again_when_there_is_room() {
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, vni_config());
    config.limits.hosts = 1;
    let mut bench = Bench::configured(config);
    bench.feed(heard(other(1), P1));
    let actions = bench.says(B, listed(3));
    assert!(reports(&actions).contains(&Report::Full { what: Full::Vni(host().vni) }));
    assert_eq!(sent(&bench.wait(30_000)), [], "there is no room yet");
    bench.feed(Event::PortDown { port: P1 });
    bench.feed(Event::Idle { host: other(1) });
    let actions = bench.wait(10_000);
    assert!(actions.contains(&send(B, Message::Sync(Sync::Again))));
    assert!(reports(&actions).contains(&Report::RoomAgain { what: Full::Vni(host().vni) }));
    bench.says(B, listed(3));
    assert_eq!(bench.location(), Some(THERE));
}

#[test]
fn shares_a_peer_that_asks_for_it_gets_the_list_again() {
    let mut bench = Bench::new().owning();
    assert!(bench.pull(C).is_empty());
    bench.says(C, Message::Sync(Sync::Again));
    assert_eq!(
        bench.pull(C),
        [Message::Sync(Sync::Start), listed(0), Message::Sync(Sync::End { hosts: 1, withheld: false })]
    );
}

#[test]
fn a_list_names_the_receiver_s_hosts_and_then_the_sender_s() {
    let mut bench = Bench::new().owning();
    let (theirs, sequence) = (other(1), Sequence(4));
    let told =
        Advertisement { host: theirs, bindings: vec![bound([192, 168, 0, 9].into())], sequence, migration: None };
    bench.says(B, Message::Advertisement(told.clone()));
    bench.session(B, false);
    bench.session(B, true);
    let list = bench.pull(B);
    let yours = Message::Sync(Sync::Yours { host: theirs, bindings: told.bindings, sequence });
    // Whoever has heard the end knows all that the sender could remind it of.
    assert_eq!(
        list,
        [Message::Sync(Sync::Start), yours, listed(0), Message::Sync(Sync::End { hosts: 1, withheld: false })]
    );
}

#[test]
fn what_a_list_left_out_is_kept_if_the_peer_says_soon_that_it_is_its_own() {
    let mut bench = Bench::new().following();
    bench.session(B, false);
    bench.session(B, true);
    bench.says(B, Message::Sync(Sync::Start));
    bench.says(B, Message::Sync(Sync::End { hosts: 0, withheld: false }));
    bench.wait(1_000);
    bench.told(B, 0, None);
    bench.wait(10_000);
    assert_eq!(bench.location(), Some(THERE));
}

#[test]
fn a_peer_s_probe_mac_is_no_host_and_what_passed_for_it_is_forgotten() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    let actions = bench.feed(Event::PeerUp { peer: C, probe_mac: Some(host().mac) });
    assert!(actions.contains(&Action::Drop { frame: FRAME }));
    assert!(bench.machine.host(&host()).is_none());
    assert_eq!(bench.heard(P1, Evidence::Arp, Some(FRAME)), [Action::Drop { frame: FRAME }]);
}

#[test]
fn refused_claims_of_many_hosts_are_remembered_within_bounds_and_counted_beyond() {
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, vni_config());
    config.limits.refusals_per_port = 2;
    let mut bench = Bench::configured(config);
    for last in 1..=4 {
        bench.feed(heard(other(last), P1));
        bench.feed(heard(other(last), P2));
        bench.feed(Event::ProbeAnswered { host: other(last), from: HERE, address: IP });
    }
    assert_eq!(bench.counters().not_remembered, 2);
}

#[test]
fn a_withdrawal_is_believed_only_of_who_has_the_host() {
    let mut bench = Bench::new().following();
    bench.says(C, crate::bench::withdrawal(9, Some(C)));
    bench.says(C, crate::bench::withdrawal(9, None));
    assert_eq!(bench.location(), Some(THERE));
    bench.says(B, crate::bench::withdrawal(9, Some(C)));
    assert_eq!(bench.location(), Some(Location::Remote(C)));
}

#[test]
fn one_more_claim_while_copies_go_out_gets_its_own_at_once() {
    let mut bench = Bench::new().owning();
    bench.told(B, 1, Some(asks(1)));
    bench.wait(50);
    let actions = bench.told(C, 1, Some(asks(5)));
    let overdue = Verdict::Open(vouch_mobility::Open::Overdue);
    assert!(actions.contains(&send(C, crate::bench::reply(5, 0, overdue))));
}
