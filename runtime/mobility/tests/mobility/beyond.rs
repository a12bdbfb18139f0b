//! B1 to B9, and the rules learned from what others run into.

use std::time::Duration;

use vouch_mobility::{
    Action, AddressClaim, AddressReply, Advertise, Advertisement, Because, ClaimId, ClaimView, Config, Destination,
    Event, Evidence, Expect, FrameId, Full, Heard, HostKey, Incarnation, Instant, Limits, Location, MacPrefix, Message,
    Migration, Open, Phase, PortLimits, QuestionId, Report, Sequence, Standing, Sync, UnreachableOwner, Verdict,
    VniConfig,
};
use vouch_net::MacAddr;

use crate::bench::{
    B, Bench, C, FRAME, HERE, IP, ME, MOVED, P1, P2, P3, THERE, advertisement, asks, bound, claim_id, claims, host,
    listed, probe, probe_claimed, probes, reply, reports, send, sent, vni_config, withdrawal, yours,
};

const OTHER_IP: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 99));

#[test]
fn b1_rarp_neighbour_discovery_and_data_start_the_same_claim() {
    for evidence in [Evidence::Arp, Evidence::Rarp, Evidence::Neighbour, Evidence::Data] {
        let mut bench = Bench::new().following();
        assert_eq!(sent(&bench.heard(P1, evidence, None)).len(), 1, "{evidence:?}");
    }
}

#[test]
fn b2_any_frame_at_the_recorded_port_proves_that_the_host_is_there() {
    let signs: [fn(&mut Bench) -> Vec<Action>; 3] = [
        |bench| bench.feed(Event::SeenAtRecordedPort { host: host(), port: P1, address: None }),
        |bench| bench.heard(P1, Evidence::Data, None),
        |bench| bench.answered(HERE),
    ];
    for sign in signs {
        let mut bench = Bench::new().owning();
        bench.asked(B, 1, 1);
        bench.wait(250);
        assert!(sign(&mut bench).contains(&send(B, reply(1, 2, Verdict::Stayed))));
    }
}

#[test]
fn b2_an_answer_from_another_port_proves_nothing() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    bench.answered(Location::Local(P2));
    bench.answered(THERE);
    assert_eq!(bench.counters().wrong_answers, 2);
    assert_eq!(bench.machine.host(&host()).expect("known").phase, Phase::Verifying);
}

#[test]
fn b2_a_dead_port_is_a_verdict_at_once() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    let actions = bench.feed(Event::PortDown { port: P1 });
    assert!(actions.contains(&send(B, reply(1, 1, MOVED))));

    let mut bench = Bench::new().owning();
    bench.feed(Event::PortDown { port: P1 });
    assert_eq!(bench.location(), Some(HERE), "until somebody claims it, it stays");
    assert!(bench.asked(B, 1, 1).contains(&send(B, reply(1, 1, MOVED))));
}

#[test]
fn b4_the_refusal_outranks_the_claim_and_the_owner_itself_tells_the_observers() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    let actions = bench.answered(HERE);
    assert!(actions.contains(&send(C, advertisement(2, None))));

    let mut observer = Bench::new().following();
    observer.told(C, 1, Some(Migration::AtOnce));
    observer.told(B, 2, None);
    assert_eq!(observer.location(), Some(THERE), "although the claimant withdrew nothing");
    observer.told(C, 1, Some(Migration::Verified { by: B }));
    assert_eq!(observer.location(), Some(THERE), "and whatever it says later");
}

#[test]
fn b5_a_move_between_two_ports_is_verified_without_a_peer() {
    let mut bench = Bench::new().owning();
    let actions = bench.heard(P2, Evidence::Arp, Some(FRAME));
    assert!(sent(&actions).is_empty() && actions.contains(&probe(HERE)));
    assert_eq!(bench.view().claims, [(P2, ClaimView::Pending { forward: true })]);
    let actions = bench.wait(300);
    assert!(actions.contains(&Action::Release { frame: FRAME }));
    assert_eq!(bench.location(), Some(Location::Local(P2)));

    let mut bench = Bench::new().owning();
    bench.heard(P2, Evidence::Arp, Some(FRAME));
    assert!(bench.answered(HERE).contains(&Action::Drop { frame: FRAME }));
    assert_eq!(bench.location(), Some(HERE));
}

#[test]
fn b6_a_refused_claim_is_damped_and_can_win_with_the_announcement_at_200_ms() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, None);
    bench.wait(30);
    bench.replied(B, 1, 2, Verdict::Stayed);
    let actions = bench.heard(P1, Evidence::Arp, Some(FRAME));
    assert_eq!(actions, [Action::Drop { frame: FRAME }], "too soon even to be asked about in passing");
    assert_eq!(bench.counters().damped, 1);
    assert_eq!(claims(&bench.wait(20)), [(B, true)], "at 50 ms");
    assert_eq!(bench.replied(B, 2, 2, Verdict::Stayed).len(), 1, "nobody hears of it but the switch");
    assert_eq!(claims(&bench.wait(149)), []);
    assert_eq!(claims(&bench.wait(1)), [(B, false)], "at 200 ms, by itself");
    bench.replied(B, 3, 3, MOVED);
    assert_eq!(bench.location(), Some(HERE));
}

#[test]
fn b6_another_port_and_the_owner_are_not_damped() {
    let mut bench = Bench::new().owning();
    bench.heard(P2, Evidence::Arp, None);
    bench.answered(HERE);
    assert_eq!(probes(&bench.heard(P3, Evidence::Arp, None), HERE), 1);
}

#[test]
fn b6_three_refusals_are_an_attack_and_quarantine_shuts_the_port_for_the_host() {
    let mut bench = Bench::with(|vni| vni.quarantine = Some(Duration::from_secs(30))).owning();
    let mut last = Vec::new();
    for _ in 0..3 {
        bench.heard(P2, Evidence::Arp, None);
        last = bench.answered(HERE);
        bench.wait(2_000);
    }
    let attack = Report::Attack { host: host(), port: P2, refusals: 3, quarantined: true };
    assert!(reports(&last).contains(&attack));
    assert_eq!(bench.view().claims, [(P2, ClaimView::Quarantined)]);
    assert_eq!(bench.heard(P2, Evidence::Arp, Some(FRAME)), [Action::Drop { frame: FRAME }]);
    bench.wait(30_000);
    assert!(bench.view().claims.is_empty());
}

#[test]
fn b7_a_frame_at_the_old_port_starts_a_new_check_and_reverts_nothing() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    bench.wait(300);
    let actions = bench.heard(P1, Evidence::Data, None);
    assert!(reports(&actions).contains(&Report::HeardAtOldPort { host: host(), port: P1 }));
    assert_eq!(bench.location(), Some(THERE));
    assert!(matches!(sent(&actions).as_slice(), [(B, Message::Advertisement(_))]), "the new owner is asked");
}

#[test]
fn b8_the_old_owner_passes_traffic_on_for_ten_seconds() {
    let mut bench = Bench::new().owning();
    bench.asked(B, 1, 1);
    bench.wait(300);
    assert_eq!(bench.view().destination, Destination::Hairpin);
    bench.wait(9_999);
    assert_eq!(bench.view().destination, Destination::Hairpin);
    bench.wait(1);
    assert_eq!(bench.view().destination, Destination::Recorded);
}

#[test]
fn b9_an_unreachable_owner_is_replaced_by_probes_through_the_tunnel_and_policy() {
    for (policy, expected) in [(UnreachableOwner::Accept, HERE), (UnreachableOwner::Hold, THERE)] {
        let mut bench = Bench::with(|vni| vni.unreachable_owner = policy).following();
        bench.feed(Event::PeerDown { peer: B });
        let actions = bench.heard(P1, Evidence::Arp, Some(FRAME));
        assert!(actions.contains(&probe_claimed(THERE)));
        bench.wait(300);
        assert_eq!(bench.location(), Some(expected), "{policy:?}");
        assert_eq!(bench.machine.host(&host()).expect("known").phase, Phase::Settled);
    }
}

/// An observer that was told at once sends by way of us until it has heard. The simulation of whole agents lost a frame of one.
#[test]
fn b8_what_comes_after_a_claim_that_was_told_at_once_and_that_nobody_could_decide_is_passed_on() {
    for (advertise, destination) in
        [(Advertise::AtOnce, Destination::Hairpin), (Advertise::AfterVerdict, Destination::Recorded)]
    {
        let mut bench = Bench::with(|vni| {
            vni.advertise = advertise;
            vni.unreachable_owner = UnreachableOwner::Hold;
        });
        bench = bench.following();
        bench.feed(Event::PeerDown { peer: B });
        bench.heard(P1, Evidence::Arp, None);
        bench.wait(300);
        assert_eq!((bench.phase(), bench.view().destination), (Phase::Settled, destination));
    }
}

#[test]
fn b9_an_answer_through_the_tunnel_refuses_the_claim_whatever_the_policy() {
    let mut bench = Bench::new().following();
    bench.feed(Event::PeerDown { peer: B });
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    bench.answered(HERE);
    assert_eq!(bench.phase(), Phase::ProbingThroughTunnel, "the claimed port has no say");
    assert!(bench.answered(THERE).contains(&Action::Drop { frame: FRAME }));
    assert_eq!(bench.location(), Some(THERE));
}

#[test]
fn b9_an_owner_that_does_not_reply_is_asked_again_and_by_passed_only_without_a_session() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, None);
    let actions = bench.wait(2_999);
    assert_eq!(claims(&actions).len(), 3, "at 250, 750 and 1750 ms");
    let actions = bench.wait(7_001);
    assert_eq!(bench.location(), Some(THERE), "it is only busy: its session is up");
    assert_eq!(claims(&actions).len(), 3, "at 3750, 6750 and 9750 ms");
    assert_eq!(probes(&actions, THERE), 0);
    bench.feed(Event::PeerDown { peer: B });
    let actions = bench.wait(2_000);
    assert_eq!(probes(&actions, THERE), 1, "now it cannot be reached");
    bench.wait(300);
    assert_eq!(bench.location(), Some(HERE));
}

#[test]
fn b9_an_owner_that_says_that_it_is_asking_is_left_to_it() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, None);
    bench.wait(50);
    bench.replied(B, 1, 0, Verdict::Open(Open::Overdue));
    assert_eq!(claims(&bench.wait(549)), [], "not before its verdict is late");
    assert_eq!(claims(&bench.wait(1)).len(), 1, "which may have been lost");
    assert_eq!(claims(&bench.wait(500)).len(), 1, "and as from any other");
}

#[test]
fn b9_an_owner_that_has_many_hosts_to_ask_is_reminded_of_each_only_when_it_may_have_had_its_turn() {
    let mut bench = Bench::new();
    for number in 0..400_u16 {
        let [high, low] = number.to_be_bytes();
        let host = HostKey { mac: MacAddr([2, 0, 0, 1, high, low]), ..host() };
        let Message::Advertisement(there) = advertisement(0, None) else { unreachable!("it is one") };
        bench.says(B, Message::Advertisement(Advertisement { host, bindings: Vec::new(), ..there }));
        let (evidence, addresses) = (Evidence::Arp, Vec::new());
        bench.feed(Event::Heard(Heard { host, port: P1, evidence, addresses, target: None, frame: None }));
    }
    let (first, others) = (claims(&bench.wait(250)).len(), claims(&bench.wait(100)).len());
    assert_eq!((first, others), (2, 398), "and then one each quarter of a millisecond");
    assert_eq!(claims(&bench.wait(499)).len(), 0, "twice the wait, and as long for the others");
}

#[test]
fn b13_an_owner_that_takes_its_time_has_its_verdict_believed() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, None);
    bench.wait(30_000);
    bench.replied(B, 1, 2, Verdict::Moved { tenure: Duration::ZERO });
    assert_eq!(bench.location(), Some(HERE), "it gave the host to this very claim");
}

#[test]
fn a_reserved_multicast_or_zero_address_is_never_learned_and_never_moves() {
    let reserved = MacAddr([2, 0, 0, 0, 0, 0xfe]);
    let mut bench = Bench::with(|vni| {
        vni.reserved.insert(reserved);
    });
    for mac in [reserved, MacAddr::ZERO, MacAddr::BROADCAST, MacAddr([0x33, 0x33, 0, 0, 0, 1])] {
        let host = HostKey { mac, ..host() };
        let heard =
            Heard { host, port: P1, evidence: Evidence::Arp, addresses: vec![IP], target: None, frame: Some(FRAME) };
        assert_eq!(bench.feed(Event::Heard(heard)), [Action::Drop { frame: FRAME }]);
        let listed = Message::Sync(Sync::Host { host, bindings: vec![bound(IP)], sequence: Sequence(3) });
        assert_eq!(bench.says(B, listed), []);
    }
    assert_eq!(bench.counters().reserved_ignored, 8);
    assert_eq!(bench.machine.hosts().count(), 0);
}

#[test]
fn a_trusted_address_moves_without_being_asked() {
    let vrrp = |vni: &mut VniConfig| {
        vni.trusted_moves = vec![MacPrefix { mac: host().mac, bits: 48 }, MacPrefix::VRRP_IPV4];
    };
    let mut claimant = Bench::with(vrrp).following();
    let actions = claimant.heard(P1, Evidence::Arp, Some(FRAME));
    assert!(actions.contains(&Action::Release { frame: FRAME }));
    assert!(actions.contains(&send(B, advertisement(1, Some(Migration::Verified { by: ME })))));
    assert_eq!(claimant.location(), Some(HERE));

    let mut owner = Bench::with(vrrp).owning();
    let actions = owner.told(B, 1, Some(Migration::Verified { by: B }));
    assert!(!actions.iter().any(|action| matches!(action, Action::Probe(_))));
    assert_eq!(owner.location(), Some(THERE));
}

#[test]
fn without_verification_every_advertisement_is_believed() {
    let mut config = Config::new(ME);
    config.verify = false;
    config.vnis.insert(host().vni, vni_config());
    let mut owner = Bench::configured(config.clone()).owning();
    let actions = owner.told(B, 1, Some(Migration::Verified { by: B }));
    assert_eq!(owner.location(), Some(THERE));
    assert!(
        reports(&actions).iter().any(|report| matches!(report, Report::Moved { because: Because::Unverified, .. }))
    );
    let mut claimant = Bench::configured(config).following();
    claimant.heard(P1, Evidence::Data, None);
    assert_eq!(claimant.location(), Some(HERE));
}

#[test]
fn duplicate_address_detection_is_never_ownership() {
    let mut bench = Bench::new().following();
    assert_eq!(bench.heard(P1, Evidence::Dad, Some(FRAME)), [Action::Release { frame: FRAME }]);
    assert_eq!(bench.counters().dad_ignored, 1);
    let mut bench = Bench::new();
    let heard =
        Heard { host: host(), port: P1, evidence: Evidence::Dad, addresses: vec![IP], target: None, frame: None };
    bench.feed(Event::Heard(heard));
    assert!(bench.machine.host(&host()).is_none(), "nor does it make a host");
}

#[test]
fn one_move_is_counted_and_reported_once_however_many_announcements_it_has() {
    let mut bench = Bench::new().following();
    for frame in 1..=6 {
        bench.heard(P1, Evidence::Arp, Some(FrameId(frame)));
    }
    let actions = bench.replied(B, 1, 1, MOVED);
    let moved = reports(&actions).into_iter().filter(|report| matches!(report, Report::Moved { .. })).count();
    assert_eq!((moved, bench.counters().moves, bench.counters().coalesced), (1, 1, 5));
    assert!(actions.contains(&Action::Release { frame: FrameId(1) }));
}

#[test]
fn the_last_sequence_raises_an_alarm_and_does_not_wrap() {
    let mut bench = Bench::new();
    bench.told(B, u32::MAX - 1, None);
    let actions = bench.heard(P1, Evidence::Arp, None);
    assert!(reports(&actions).contains(&Report::SequenceExhausted { host: host() }));
    bench.replied(B, 1, u32::MAX, MOVED);
    assert_eq!(bench.machine.host(&host()).expect("known").sequence, Sequence::LAST);
    bench.wait(1);
    bench.asked(B, 1, u32::MAX);
    bench.wait(300);
    assert_eq!(bench.location(), Some(THERE), "it can still move");
}

#[test]
fn two_that_have_the_same_host_keep_it_if_both_answer_and_say_so_once() {
    let mut bench = Bench::new().owning();
    assert!(bench.told(B, 0, None).contains(&probe(HERE)));
    let actions = bench.answered(HERE);
    assert!(reports(&actions).contains(&Report::Duplicate { host: host(), port: P1, other: B }));
    let claim = ClaimId { incarnation: Incarnation(0), number: ClaimId::NONE };
    let answers = Message::Standing(Standing { host: host(), claim, answers: true });
    assert_eq!(sent(&actions), [(B, advertisement(0, None)), (B, answers)], "only the other needs to know");
    assert_eq!(bench.told(B, 0, None), [], "and that is the end of it");
}

#[test]
fn of_two_that_have_the_same_host_the_one_where_it_is_silent_gives_it_up() {
    let mut bench = Bench::new().owning();
    bench.told(B, 0, None);
    let actions = bench.wait(300);
    assert!(sent(&actions).contains(&(B, withdrawal(1, Some(B)))));
    assert_eq!(bench.location(), Some(THERE));

    let mut other = Bench::new().owning();
    let actions = other.says(B, withdrawal(1, Some(ME)));
    assert!(actions.contains(&send(C, advertisement(1, Some(Migration::Verified { by: B })))));
}

#[test]
fn an_idle_host_is_asked_and_forgotten_only_if_it_is_silent() {
    let mut bench = Bench::new().owning();
    assert!(bench.feed(Event::Idle { host: host() }).contains(&probe(HERE)));
    assert_eq!(bench.answered(HERE).len(), 1, "nothing but the view without `watch`");
    bench.feed(Event::Idle { host: host() });
    let actions = bench.wait(300);
    assert!(actions.contains(&send(B, withdrawal(0, None))));
    assert_eq!(bench.location(), None);
}

#[test]
fn a_claim_during_an_idle_check_gives_the_host_the_full_time_to_answer() {
    let mut bench = Bench::new().owning();
    bench.feed(Event::Idle { host: host() });
    bench.wait(290);
    bench.asked(B, 1, 1);
    bench.wait(299);
    assert_eq!(bench.location(), Some(HERE));
    bench.wait(1);
    assert_eq!(bench.location(), Some(THERE));
}

#[test]
fn a_list_removes_what_it_does_not_name_unless_it_has_a_gap() {
    let end = |hosts| Message::Sync(Sync::End { hosts, withheld: false });
    let mut bench = Bench::new().following();
    bench.feed(Event::PeerDown { peer: B });
    assert_eq!(bench.location(), Some(THERE), "the tunnel may well work");
    bench.feed(Event::PeerUp { peer: B, probe_mac: None });
    bench.says(B, Message::Sync(Sync::Start));
    bench.says(B, end(1));
    assert_eq!((bench.location(), bench.counters().broken_syncs), (Some(THERE), 1));
    bench.says(B, Message::Sync(Sync::Start));
    bench.says(B, listed(0));
    bench.says(B, end(1));
    assert_eq!(bench.location(), Some(THERE));
    bench.says(B, Message::Sync(Sync::Start));
    bench.says(B, end(0));
    bench.wait(2_999);
    assert_eq!(bench.location(), Some(THERE), "B may have restarted, and hear from others that it is its own");
    bench.wait(1);
    assert_eq!(bench.location(), None);
}

#[test]
fn a_new_session_begins_with_the_whole_list() {
    let mut bench = Bench::new().owning();
    bench.feed(Event::PeerDown { peer: B });
    bench.session(B, true);
    assert_eq!(
        bench.pull(B),
        [Message::Sync(Sync::Start), listed(0), Message::Sync(Sync::End { hosts: 1, withheld: false })]
    );
    assert_eq!(bench.pull(B), [], "once");
}

#[test]
fn a_restored_host_is_owned_again_and_its_addresses_are_looked_for() {
    let mut bench = Bench::new();
    bench.feed(Event::Restored { host: host(), location: HERE, passed_on: false });
    bench.feed(Event::RestoredBinding { host: host(), address: IP, confirmed: true });
    let binding = |bench: &Bench| bench.machine.binding(host().vni, IP).map(|binding| binding.confirmed);
    assert_eq!(binding(&bench), Some(false));
    bench.wait(100);
    assert_eq!(binding(&bench), Some(true), "it is asked, and answers");
    assert!(bench.asked(B, 1, 1).contains(&probe(HERE)));
}

#[test]
fn b8_what_a_restarted_agent_finds_passed_on_is_passed_on_for_a_while() {
    for (passed_on, then) in [(true, Destination::Hairpin), (false, Destination::Recorded)] {
        let mut bench = Bench::new();
        bench.feed(Event::Restored { host: host(), location: THERE, passed_on });
        assert_eq!(bench.view().destination, then);
        // A claim that is over before any observer was told takes nothing of that away.
        bench.heard(P1, Evidence::Arp, None);
        bench.replied(B, 1, 0, Verdict::Stayed);
        assert_eq!(bench.view().destination, then);
        bench.wait(10_001);
        assert_eq!(bench.view().destination, Destination::Recorded);
    }
}

#[test]
fn what_would_be_too_much_is_refused_and_counted() {
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, vni_config());
    config.limits = Limits { hosts_per_port: 1, claims_per_port: 1, addresses_per_host: 1, ..Limits::default() };
    let mut bench = Bench::configured(config).owning();
    let other = HostKey { mac: MacAddr([2, 0, 0, 0, 0, 2]), ..host() };
    let heard = |port| Heard {
        host: other,
        port,
        evidence: Evidence::Arp,
        addresses: vec![OTHER_IP],
        target: None,
        frame: Some(FRAME),
    };
    let actions = bench.feed(Event::Heard(heard(P1)));
    let full = |what| Action::Report(Report::Full { what });
    assert_eq!(actions, [Action::Release { frame: FRAME }, full(Full::Hosts(P1))]);
    bench.feed(Event::Heard(heard(P2)));
    bench.heard(P3, Evidence::Arp, None);
    let actions = bench.feed(Event::Heard(heard(P3)));
    assert_eq!(actions, [Action::Drop { frame: FRAME }, full(Full::Claims(P3))]);
    assert_eq!(bench.counters().limited, 2);
}

#[test]
fn an_access_interface_and_a_vni_may_have_limits_of_their_own() {
    let other = |last| HostKey { mac: MacAddr([2, 0, 0, 0, 0, last]), ..host() };
    let heard = |last, port| {
        let addresses = Vec::new();
        Event::Heard(Heard { host: other(last), port, evidence: Evidence::Data, addresses, target: None, frame: None })
    };
    let full = |what| Action::Report(Report::Full { what });
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, VniConfig { hosts: Some(3), ..vni_config() });
    config.port_limits.insert(P1, PortLimits { hosts: Some(1), ..PortLimits::default() });
    let mut bench = Bench::configured(config).owning();
    assert_eq!(bench.feed(heard(2, P1)), [full(Full::Hosts(P1))], "it is this port's limit");
    bench.feed(heard(2, P2));
    bench.feed(heard(3, P2));
    assert_eq!(bench.machine.hosts().count(), 3, "and no other's");
    assert_eq!(bench.feed(heard(4, P2)), [full(Full::Vni(host().vni))]);
    let actions = bench.says(B, Message::Advertisement(Advertisement { host: other(4), ..learned() }));
    assert_eq!((actions, bench.machine.hosts().count()), (vec![], 3), "nor may it have more elsewhere");
}

/// Nothing more than that somebody has it.
fn learned() -> Advertisement {
    Advertisement { host: host(), bindings: Vec::new(), sequence: Sequence::FIRST, migration: None }
}

#[test]
fn strangers_and_unknown_vnis_are_counted_and_ignored() {
    let mut bench = Bench::new();
    let stranger = vouch_mobility::VtepAddr([10, 9, 9, 9].into());
    assert_eq!(bench.told(stranger, 0, None), []);
    let host = HostKey { vni: vouch_net::Vni::MAX, ..host() };
    assert_eq!(bench.feed(Event::Idle { host }), []);
    assert_eq!((bench.counters().unknown_peer, bench.counters().unknown_vni), (1, 1));
}

/// Every fact in every state: the machine answers, and its invariants hold. What it answers is the business of the tests above.
#[test]
fn every_state_survives_every_event() {
    let states: [fn() -> Bench; 7] = [
        Bench::new,
        || Bench::new().owning(),
        || {
            let mut bench = Bench::new().owning();
            bench.feed(Event::Drain { on: true });
            bench
        },
        || {
            let mut bench = Bench::new().owning();
            bench.asked(B, 1, 1);
            bench
        },
        || Bench::new().following(),
        || {
            let mut bench = Bench::new().following();
            bench.heard(P1, Evidence::Arp, Some(FrameId(1)));
            bench
        },
        || {
            let mut bench = Bench::new().following();
            bench.feed(Event::PeerDown { peer: B });
            bench.heard(P1, Evidence::Arp, Some(FrameId(1)));
            bench
        },
    ];
    for (number, state) in states.into_iter().enumerate() {
        for event in every_event() {
            let mut bench = state();
            let mut actions = bench.feed(event.clone());
            actions.extend(bench.wait(30_000));
            // Whoever was to prove something has not: the old entry ages.
            actions.extend(bench.feed(Event::Idle { host: host() }));
            actions.extend(bench.wait(30_000));
            let fates = |frame| {
                let resolved = |action: &&Action| match **action {
                    Action::Release { frame: it } | Action::Drop { frame: it } | Action::Answer { frame: it, .. } => {
                        it == frame
                    }
                    Action::Install { .. }
                    | Action::Bind { .. }
                    | Action::Probe(_)
                    | Action::Check { .. }
                    | Action::Send { .. }
                    | Action::Report(_) => false,
                };
                actions.iter().filter(resolved).count()
            };
            let held = usize::from(number >= 5);
            assert_eq!(fates(FrameId(1)), held, "state {number}, {event:?}");
            let new = matches!(event, Event::Heard(_) | Event::Requested { .. });
            assert_eq!(fates(FRAME), usize::from(new), "state {number}, {event:?}");
            // Where nobody answers, claims by several places stay unproven; what may be here is looked for; and an owner that has a session and says
            // nothing is asked again.
            let open = [Phase::Settled, Phase::Unproven, Phase::Sought, Phase::Claiming];
            let phase = bench.machine.host(&host()).map(|info| info.phase);
            assert!(phase.is_none_or(|phase| open.contains(&phase)), "state {number}, {event:?}: {phase:?}");
        }
    }
}

fn every_event() -> Vec<Event> {
    let heard = |port, evidence| {
        Event::Heard(Heard { host: host(), port, evidence, addresses: vec![IP], target: None, frame: Some(FRAME) })
    };
    let mut events = vec![
        Event::SeenAtRecordedPort { host: host(), port: P1, address: None },
        Event::SeenAtRecordedPort { host: host(), port: P2, address: Some(IP) },
        Event::PortDown { port: P1 },
        Event::PortUp { port: P1 },
        Event::Idle { host: host() },
        Event::PeerUp { peer: B, probe_mac: None },
        Event::PeerDown { peer: B },
        Event::PortUnknown { port: P1 },
        Event::PeerUp { peer: B, probe_mac: Some(host().mac) },
        Event::Restored { host: host(), location: HERE, passed_on: false },
        Event::Restored { host: host(), location: THERE, passed_on: false },
        Event::Restored { host: host(), location: THERE, passed_on: true },
        Event::RestoredBinding { host: host(), address: IP, confirmed: true },
        Event::Asked { host: host(), question: QuestionId(1), round: 0 },
        Event::Checked { host: host(), question: QuestionId(1), complete: true },
        Event::Checked { host: host(), question: QuestionId(1), complete: false },
        Event::Drain { on: true },
        Event::Drain { on: false },
    ];
    for evidence in [Evidence::Arp, Evidence::Rarp, Evidence::Neighbour, Evidence::Data, Evidence::Dad] {
        events.extend([P1, P2].map(|port| heard(port, evidence)));
    }
    for from in [HERE, Location::Local(P2), THERE, Location::Remote(C)] {
        events.push(Event::ProbeAnswered { host: host(), from, address: IP });
        let until = Instant::EPOCH + Duration::from_secs(75);
        events.push(Event::MoveExpected { host: host(), to: from, until });
        events.push(Event::Settle { host: host(), keep: from });
    }
    for port in [P1, P2] {
        events.push(Event::Requested { host: host(), port, address: None, target: OTHER_IP, frame: FRAME });
        events.push(Event::Requested { host: host(), port, address: Some(IP), target: OTHER_IP, frame: FRAME });
    }
    let migrations = [None, Some(asks(1)), Some(Migration::AtOnce), Some(Migration::Verified { by: B })];
    for from in [B, C] {
        for sequence in [0, 1, 5, u32::MAX] {
            let mut messages: Vec<Message> =
                migrations.into_iter().map(|migration| advertisement(sequence, migration)).collect();
            messages.push(listed(sequence));
            messages.extend([None, Some(ME), Some(B), Some(C)].map(|to| withdrawal(sequence, to)));
            messages.push(yours(sequence));
            let opens = [Open::Overdue, Open::Unproven, Open::Contested].map(Verdict::Open);
            messages.extend(opens.map(|verdict| reply(1, sequence, verdict)));
            let verdicts = [Verdict::Stayed, MOVED, Verdict::Elsewhere(ME), Verdict::Elsewhere(C)];
            messages.extend(verdicts.map(|verdict| reply(1, sequence, verdict)));
            events.extend(messages.into_iter().map(|message| Event::Message { from, message }));
        }
        for sync in [Sync::Start, Sync::End { hosts: 0, withheld: false }, Sync::Again] {
            events.push(Event::Message { from, message: Message::Sync(sync) });
        }
        for answers in [true, false] {
            let standing = Standing { host: host(), claim: claim_id(1), answers };
            events.push(Event::Message { from, message: Message::Standing(standing) });
        }
        for to in [ME, B, C] {
            let expect = Expect { host: host(), to, within: Duration::from_secs(3) };
            events.push(Event::Message { from, message: Message::Expect(expect) });
        }
        let claim = AddressClaim { holder: host(), address: IP, claim: claim_id(1) };
        events.push(Event::Message { from, message: Message::AddressClaim(claim) });
        let reply = AddressReply { holder: host(), address: IP, claim: claim_id(1), given_up: true };
        events.push(Event::Message { from, message: Message::AddressReply(reply) });
    }
    events
}
