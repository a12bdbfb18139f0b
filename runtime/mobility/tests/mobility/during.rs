//! B3: where a host's traffic goes while it is being asked, at the owner and at the claimant.

use vouch_mobility::{
    AccessId, Advertise, Destination, During, Event, Evidence, Location, Phase, UnreachableOwner, Verdict,
};

use crate::bench::{B, Bench, C, FRAME, P1, P2};
use crate::properties::run;
use crate::sim::network::Weather;
use crate::sim::script::{Deed, Script, WANDERER};

const TO_OWNER: Destination = Destination::Claimed { port: P1, owner: B };
const TO_BOTH: Destination = Destination::Both { with: Location::Local(P1) };
const MODES: [Advertise; 2] = [Advertise::AfterVerdict, Advertise::AtOnce];

/// A claimant of a host behind B, with its port 1.
fn claiming(advertise: Advertise, during: During) -> Bench {
    let mut bench = Bench::with(|vni| (vni.advertise, vni.during) = (advertise, during)).following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    bench
}

/// What the claimant's view says at once, after 49 ms and after 50 ms.
fn courses(bench: &mut Bench) -> [Destination; 3] {
    [0, 49, 1].map(|millis| {
        bench.wait(millis);
        bench.view().destination
    })
}

#[test]
fn b3_the_owner_sends_where_the_vni_says() {
    for (during, expected) in [
        (During::Hold, [Destination::Recorded; 2]),
        (During::Both, [Destination::Both { with: Location::Remote(B) }; 2]),
        (During::Escalate, [Destination::Recorded, Destination::Both { with: Location::Remote(B) }]),
    ] {
        let mut bench = Bench::with(|vni| vni.during = during).owning();
        bench.asked(B, 1, 1);
        bench.wait(49);
        let before = bench.view().destination;
        bench.wait(1);
        assert_eq!([before, bench.view().destination], expected, "b3, {during:?}");
    }
}

#[test]
fn b3_the_owner_sends_to_a_claimed_port_of_its_own_where_the_vni_says() {
    let both = Destination::Both { with: Location::Local(P2) };
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
        assert_eq!(courses(&mut bench), [TO_OWNER; 3], "{advertise:?}");
        bench.wait(1_000);
        assert_eq!(bench.view().destination, TO_OWNER, "{advertise:?}");
    }
}

#[test]
fn b3_both_at_the_claimant_copies_from_the_claim_to_the_verdict() {
    for advertise in MODES {
        let mut bench = claiming(advertise, During::Both);
        assert_eq!(courses(&mut bench), [TO_BOTH; 3], "{advertise:?}");
        assert_eq!(bench.location(), Some(Location::Remote(B)), "the owner is the one that reaches the old place");
        bench.replied(B, 1, 1, Verdict::Moved);
        assert_eq!(bench.view().destination, Destination::Recorded, "{advertise:?}");
        assert_eq!(bench.location(), Some(Location::Local(P1)), "{advertise:?}");
    }
}

#[test]
fn b3_escalate_at_the_claimant_copies_once_no_answer_can_be_expected() {
    for advertise in MODES {
        let mut bench = claiming(advertise, During::Escalate);
        assert_eq!(courses(&mut bench), [TO_OWNER, TO_OWNER, TO_BOTH], "{advertise:?}");
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
            bench.wait(100);
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
        bench.feed(Event::PeerUp { peer: B });
        assert_eq!(courses(&mut bench), [TO_OWNER, TO_OWNER, TO_BOTH], "the owner is asked anew");
        bench.feed(Event::PeerDown { peer: B });
        assert_eq!(bench.view().destination, TO_OWNER, "the session went down after");
        bench.feed(Event::PeerDown { peer: C });
        assert_eq!(bench.view().destination, TO_OWNER);
    }
}

#[test]
fn b3_escalate_copies_nothing_while_the_host_is_asked_through_the_tunnel() {
    let mut bench = claiming(Advertise::AfterVerdict, During::Escalate);
    bench.wait(2_999);
    assert_eq!(bench.view().destination, TO_BOTH, "the owner has a session, and has not answered yet");
    bench.wait(1);
    assert_eq!(bench.machine.host(&crate::bench::host()).expect("known").phase, Phase::ProbingThroughTunnel);
    assert_eq!(courses(&mut bench), [TO_OWNER; 3]);
    bench.wait(249);
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
    bench.wait(249);
    assert_eq!(bench.view().destination, TO_BOTH);
    bench.wait(1);
    assert_eq!(bench.view().destination, Destination::Recorded, "undecided: as before");
}

#[test]
fn b3_escalate_gives_the_next_owner_its_time() {
    let mut bench = claiming(Advertise::AfterVerdict, During::Escalate);
    bench.wait(100);
    bench.replied(B, 1, 1, Verdict::Elsewhere(C));
    let to_next = Destination::Claimed { port: P1, owner: C };
    assert_eq!(courses(&mut bench), [to_next, to_next, TO_BOTH]);
    assert_eq!(bench.view().location, Location::Remote(C));
}

/// The whole fabric, every frame from every VTEP: see `both_places_are_served`.
#[test]
fn b3_both_serves_both_places_from_everywhere() {
    for advertise in MODES {
        let to = [(3, AccessId(4)), (0, AccessId(3))];
        for (at, port) in to {
            let world = run(&Script {
                seed: 3,
                vteps: 4,
                advertise,
                during: During::Both,
                unreachable_owner: UnreachableOwner::Accept,
                weather: Weather { max_delay_ms: 3, ..Weather::FAIR },
                cunning: false,
                deeds: vec![
                    (0, Deed::Move { device: WANDERER, at, port, stunned_ms: 0 }),
                    (0, Deed::Announce { device: WANDERER, evidence: Evidence::Arp }),
                ],
            });
            assert!(world.checker.served_both > 0, "{advertise:?}: no claim of VTEP {at} was ever seen pending");
        }
    }
}
