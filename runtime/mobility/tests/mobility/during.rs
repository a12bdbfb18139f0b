//! B3: where a host's traffic goes while it is being asked, at the owner and at the claimant.

use std::time::Duration;

use vouch_mobility::{
    Advertise, Config, Destination, During, Escalation, Event, Evidence, Location, Open, Phase, UnreachableOwner,
    Verdict,
};

use crate::bench::{B, Bench, C, FRAME, HERE, ME, MOVED, P1, P2, host, vni_config};

const TO_OWNER: Destination = Destination::Claimed { port: P1, owner: B };
const TO_BOTH: Destination = Destination::Both { with: Location::Local(P1), and: None };
const MODES: [Advertise; 2] = [Advertise::AfterVerdict, Advertise::AtOnce];

/// A claimant of a host behind B, with its port 1.
fn claiming(advertise: Advertise, during: During) -> Bench {
    let mut bench = Bench::with(|vni| (vni.advertise, vni.during) = (advertise, during)).following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    bench
}

/// What the owner's view says at once, after 4 ms and after 5 ms, when an answer of a host that answers at once is overdue.
fn courses(bench: &mut Bench) -> [Destination; 3] {
    [0, 4, 1].map(|millis| {
        bench.wait(millis);
        bench.view().destination
    })
}

/// What the claimant's view says at once, after a while, and when `owner` says that an answer is overdue.
fn claimants_courses(bench: &mut Bench, owner: vouch_mobility::VtepAddr) -> [Destination; 3] {
    let before = bench.view().destination;
    bench.wait(100);
    let later = bench.view().destination;
    bench.replied(owner, 1, 0, Verdict::Open(Open::Overdue));
    [before, later, bench.view().destination]
}

#[test]
fn b3_the_owner_sends_where_the_vni_says() {
    for (during, expected) in [
        (During::Hold, [Destination::Recorded; 2]),
        (During::Both, [Destination::Both { with: Location::Remote(B), and: None }; 2]),
        (During::Escalate, [Destination::Recorded, Destination::Both { with: Location::Remote(B), and: None }]),
    ] {
        let mut bench = Bench::with(|vni| vni.during = during).owning();
        bench.asked(B, 1, 1);
        bench.wait(4);
        let before = bench.view().destination;
        bench.wait(1);
        assert_eq!([before, bench.view().destination], expected, "b3, {during:?}");
    }
}

#[test]
fn b3_an_answer_is_overdue_after_the_configured_time_or_by_the_hosts_own_measure() {
    let mut config = Config::new(ME);
    config.vnis.insert(host().vni, vni_config());
    config.timers.escalate = Escalation::After(Duration::from_millis(30));
    let copied_after = |bench: &mut Bench| {
        bench.asked(B, 1, 1);
        (0..=100).find(|_| {
            let copied = bench.view().destination != Destination::Recorded;
            bench.wait(u64::from(!copied));
            copied
        })
    };
    assert_eq!(copied_after(&mut Bench::configured(config).owning()), Some(30));
    assert_eq!(copied_after(&mut Bench::new().owning()), Some(5), "it answers at once");
    let mut bench = Bench::new();
    bench.routine = false;
    let mut bench = bench.owning();
    bench.wait(12);
    bench.answered(HERE);
    assert_eq!(copied_after(&mut bench), Some(48), "twice its time, and four times its deviation");
    let mut bench = Bench::new();
    bench.routine = false;
    assert_eq!(copied_after(&mut bench.owning()), Some(50), "nothing is known of it");
}

#[test]
fn b3_a_switch_that_stalls_makes_no_answer_overdue() {
    let mut bench = Bench::new().owning();
    bench.confirms = false;
    bench.asked(B, 1, 1);
    bench.wait(290);
    assert_eq!(bench.view().destination, Destination::Recorded);
}

#[test]
fn b3_the_owner_sends_to_a_claimed_port_of_its_own_where_the_vni_says() {
    let both = Destination::Both { with: Location::Local(P2), and: None };
    for (during, expected) in [
        (During::Hold, [Destination::Recorded; 3]),
        (During::Both, [both; 3]),
        (During::Escalate, [Destination::Recorded, Destination::Recorded, both]),
    ] {
        let mut bench = Bench::with(|vni| vni.during = during).owning();
        bench.heard(P2, Evidence::Arp, Some(FRAME));
        assert_eq!(courses(&mut bench), expected, "{during:?}");
    }
}

#[test]
fn b3_hold_at_the_claimant_never_copies() {
    for advertise in MODES {
        let mut bench = claiming(advertise, During::Hold);
        assert_eq!(claimants_courses(&mut bench, B), [TO_OWNER; 3], "{advertise:?}");
        bench.replied(B, 1, 0, Verdict::Open(Open::Unproven));
        assert_eq!(bench.view().destination, TO_OWNER, "{advertise:?}");
        bench.replied(B, 1, 0, Verdict::Open(Open::Contested));
        assert_eq!(bench.view().destination, TO_BOTH, "but if it answers at both, both receive");
    }
}

#[test]
fn b3_both_at_the_claimant_copies_from_the_claim_to_the_verdict() {
    for advertise in MODES {
        let mut bench = claiming(advertise, During::Both);
        assert_eq!(claimants_courses(&mut bench, B), [TO_BOTH; 3], "{advertise:?}");
        assert_eq!(bench.location(), Some(Location::Remote(B)), "the owner is the one that reaches the old place");
        bench.replied(B, 1, 1, MOVED);
        assert_eq!(bench.view().destination, Destination::Recorded, "{advertise:?}");
        assert_eq!(bench.location(), Some(Location::Local(P1)), "{advertise:?}");
    }
}

#[test]
fn b3_escalate_at_the_claimant_copies_once_the_owner_says_that_an_answer_is_overdue() {
    for advertise in MODES {
        let mut bench = claiming(advertise, During::Escalate);
        assert_eq!(claimants_courses(&mut bench, B), [TO_OWNER, TO_OWNER, TO_BOTH], "{advertise:?}");
        bench.wait(250);
        assert_eq!(bench.view().destination, TO_BOTH, "{advertise:?}: repeating the claim changes nothing");
    }
}

#[test]
fn b3_a_refused_claim_leaves_no_copies() {
    for during in [During::Both, During::Escalate] {
        for (advertise, after) in
            [(Advertise::AfterVerdict, Destination::Recorded), (Advertise::AtOnce, Destination::Hairpin)]
        {
            let mut bench = claiming(advertise, during);
            bench.replied(B, 1, 0, Verdict::Open(Open::Overdue));
            assert_eq!(bench.view().destination, TO_BOTH, "{advertise:?}, {during:?}");
            bench.replied(B, 1, 2, Verdict::Stayed);
            assert_eq!(bench.view().destination, after, "{advertise:?}, {during:?}");
            bench.wait(10_000);
            assert_eq!(bench.view(), Bench::new().following().view(), "{advertise:?}, {during:?}");
        }
    }
}

#[test]
fn b3_a_claim_refused_in_time_never_shows_a_copy() {
    let mut bench = claiming(Advertise::AfterVerdict, During::Escalate);
    bench.wait(49);
    bench.replied(B, 1, 2, Verdict::Stayed);
    bench.wait(1);
    assert_eq!(bench.view().destination, Destination::Recorded);
}

#[test]
fn b3_escalate_copies_nothing_while_nobody_can_have_asked_the_host() {
    for advertise in MODES {
        let mut bench = claiming(advertise, During::Escalate);
        bench.wait(49);
        bench.feed(Event::PeerDown { peer: B });
        bench.wait(200);
        assert_eq!(bench.view().destination, TO_OWNER, "the session went down before");
        bench.feed(Event::PeerUp { peer: B, probe_mac: None });
        assert_eq!(claimants_courses(&mut bench, B), [TO_OWNER, TO_OWNER, TO_BOTH], "the owner is asked anew");
        bench.feed(Event::PeerDown { peer: B });
        assert_eq!(bench.view().destination, TO_OWNER, "the session went down after");
        bench.feed(Event::PeerDown { peer: C });
        assert_eq!(bench.view().destination, TO_OWNER);
    }
}

#[test]
fn b3_escalate_copies_nothing_while_the_host_is_asked_through_the_tunnel() {
    let mut bench = claiming(Advertise::AfterVerdict, During::Escalate);
    bench.replied(B, 1, 0, Verdict::Open(Open::Overdue));
    bench.wait(2_999);
    assert_eq!(bench.view().destination, TO_BOTH, "the owner has a session, and has not answered yet");
    bench.feed(Event::PeerDown { peer: B });
    bench.wait(1);
    assert_eq!(bench.machine.host(&crate::bench::host()).expect("known").phase, Phase::ProbingThroughTunnel);
    assert_eq!(courses(&mut bench), [TO_OWNER; 3]);
    bench.wait(294);
    assert_eq!(bench.view().destination, TO_OWNER);
    bench.wait(1);
    assert_eq!(bench.location(), Some(Location::Local(P1)), "by policy");
}

#[test]
fn b3_both_copies_while_the_host_is_asked_through_the_tunnel() {
    let mut bench = Bench::with(|vni| {
        (vni.during, vni.unreachable_owner) = (During::Both, UnreachableOwner::Hold);
    })
    .following();
    bench.feed(Event::PeerDown { peer: B });
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    assert_eq!(courses(&mut bench), [TO_BOTH; 3]);
    bench.wait(294);
    assert_eq!(bench.view().destination, TO_BOTH);
    bench.wait(1);
    assert_eq!(bench.view().destination, Destination::Recorded, "undecided: as before");
}

#[test]
fn b3_escalate_gives_the_next_owner_its_time() {
    let mut bench = claiming(Advertise::AfterVerdict, During::Escalate);
    bench.replied(B, 1, 0, Verdict::Open(Open::Overdue));
    bench.replied(B, 1, 1, Verdict::Elsewhere(C));
    let to_next = Destination::Claimed { port: P1, owner: C };
    assert_eq!(claimants_courses(&mut bench, C), [to_next, to_next, TO_BOTH]);
    assert_eq!(bench.view().location, Location::Remote(C));
}
