//! B10 and B11: an address passes only on proof, and only verified ones are answered for. Requests of hosts that wait for a verdict.

use std::net::IpAddr;

use vouch_mobility::{
    AccessId, Action, AddressClaim, AddressReply, Advertisement, BindingView, ClaimId, Event, Evidence, FrameId, Heard,
    HostKey, MacPrefix, Message, Open, Report, Sequence, Sync, Verdict, VniConfig,
};
use vouch_net::MacAddr;

use crate::bench::{
    B, Bench, C, FRAME, HERE, IP, MOVED, P1, P2, P3, asked_for, bound, claim_id, host, probes, reports, send, sent,
};

const OTHER_IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 2));

fn thief() -> HostKey {
    HostKey { mac: MacAddr([2, 0, 0, 0, 0, 0xbb]), ..host() }
}

/// Another host says at `port` that it has `address`.
fn announces(bench: &mut Bench, port: AccessId, address: IpAddr, frame: u64) -> Vec<Action> {
    let frame = Some(FrameId(frame));
    bench.feed(Event::Heard(Heard {
        host: thief(),
        port,
        evidence: Evidence::Arp,
        addresses: vec![address],
        target: None,
        frame,
    }))
}

fn holder(bench: &Bench) -> Option<MacAddr> {
    bench.machine.binding(host().vni, IP).map(|binding| binding.mac)
}

/// The host is on port 1, the thief on port 2, with an address of its own.
fn two_hosts(choose: impl FnOnce(&mut VniConfig)) -> Bench {
    let mut bench = Bench::with(choose).owning();
    announces(&mut bench, P2, OTHER_IP, 1);
    bench.wait(1_000);
    bench.routine = false;
    bench
}

#[test]
fn b10_an_address_is_bound_to_who_has_it_and_confirmed() {
    let bench = Bench::new().owning();
    assert_eq!(bench.machine.binding(host().vni, IP), Some(BindingView { mac: host().mac, confirmed: true }));
}

/// Row 12: plain ARP poisoning.
#[test]
fn b10_no_address_passes_while_its_holder_answers() {
    let mut bench = two_hosts(|_| {});
    let actions = announces(&mut bench, P2, IP, 2);
    assert!(actions.contains(&asked_for(HERE, true, vec![IP])));
    assert!(!actions.contains(&Action::Release { frame: FrameId(2) }), "nobody hears of it");
    let actions = bench.answered(HERE);
    assert!(actions.contains(&Action::Drop { frame: FrameId(2) }));
    assert_eq!(holder(&bench), Some(host().mac));
    let kept = Report::AddressKept { address: IP, holder: host(), claimant: thief(), port: P2, refusals: 1 };
    assert!(reports(&actions).contains(&kept));
}

#[test]
fn b10_an_address_passes_when_its_holder_was_going_to_answer_and_is_silent() {
    let mut bench = two_hosts(|_| {});
    announces(&mut bench, P2, IP, 2);
    let actions = bench.wait(300);
    assert!(actions.contains(&Action::Release { frame: FrameId(2) }));
    assert_eq!(holder(&bench), Some(thief().mac));
}

#[test]
fn b10_an_address_passes_when_its_holder_answers_only_for_others() {
    let mut bench = Bench::new();
    bench.routine = false;
    let other = IpAddr::from([192, 168, 0, 7]);
    let both = Heard {
        host: host(),
        port: P1,
        evidence: Evidence::Arp,
        addresses: vec![IP, other],
        target: None,
        frame: None,
    };
    bench.feed(Event::Heard(both));
    announces(&mut bench, P2, OTHER_IP, 1);
    bench.wait(200_000);
    bench.feed(Event::ProbeAnswered { host: host(), from: HERE, address: IP });
    bench.feed(Event::ProbeAnswered { host: host(), from: HERE, address: other });
    announces(&mut bench, P2, IP, 2);
    bench.feed(Event::ProbeAnswered { host: host(), from: HERE, address: other });
    bench.wait(2_500);
    assert_eq!(holder(&bench), Some(thief().mac));
}

#[test]
fn b10_a_holder_that_was_not_going_to_answer_keeps_its_address() {
    let mut bench = Bench::new();
    bench.routine = false;
    let mut bench = bench.owning();
    announces(&mut bench, P2, OTHER_IP, 1);
    bench.wait(200_000);
    let actions = announces(&mut bench, P2, IP, 2);
    assert!(!actions.is_empty());
    let actions = bench.wait(300);
    assert!(actions.contains(&Action::Drop { frame: FrameId(2) }));
    assert_eq!(holder(&bench), Some(host().mac));
}

#[test]
fn b10_a_switch_that_stalls_gives_no_address_away() {
    let mut bench = two_hosts(|_| {});
    bench.confirms = false;
    announces(&mut bench, P2, IP, 2);
    assert!(bench.wait(4_000).contains(&Action::Drop { frame: FrameId(2) }));
    assert_eq!(holder(&bench), Some(host().mac));
}

#[test]
fn b10_across_vteps_the_owner_is_asked_and_its_word_counts() {
    for given_up in [true, false] {
        let mut bench = Bench::new().following();
        announces(&mut bench, P2, OTHER_IP, 1);
        let actions = announces(&mut bench, P2, IP, 2);
        let claim = sent(&actions).into_iter().find_map(|(to, message)| match message {
            Message::AddressClaim(AddressClaim { holder, address, claim }) => Some((to, holder, address, claim)),
            Message::Advertisement(_)
            | Message::Reply(_)
            | Message::Standing(_)
            | Message::Withdrawal(_)
            | Message::Sync(_)
            | Message::Expect(_)
            | Message::AddressReply(_) => None,
        });
        let Some((B, _, IP, claim)) = claim else { panic!("{actions:?}") };
        let word =
            |claim: ClaimId| Message::AddressReply(AddressReply { holder: host(), address: IP, claim, given_up });
        bench.says(C, word(claim));
        assert_eq!(holder(&bench), Some(host().mac), "C has no say");
        let actions = bench.says(B, word(claim));
        let fate = if given_up { Action::Release { frame: FrameId(2) } } else { Action::Drop { frame: FrameId(2) } };
        assert!(actions.contains(&fate));
        assert_eq!(holder(&bench) == Some(thief().mac), given_up);
    }
}

#[test]
fn b10_an_owner_that_cannot_be_asked_or_does_not_answer_proves_nothing() {
    let mut bench = Bench::new().following();
    announces(&mut bench, P2, OTHER_IP, 1);
    bench.session(B, false);
    assert!(announces(&mut bench, P2, IP, 2).contains(&Action::Drop { frame: FrameId(2) }));
    bench.session(B, true);
    bench.wait(60_000);
    announces(&mut bench, P2, IP, 3);
    assert!(bench.wait(3_000).contains(&Action::Drop { frame: FrameId(3) }));
    assert_eq!(holder(&bench), Some(host().mac));
}

#[test]
fn b10_the_owner_asks_for_a_peer_and_tells() {
    for answers in [true, false] {
        let mut bench = Bench::new().owning();
        bench.wait(1_000);
        bench.routine = false;
        let claim = AddressClaim { holder: host(), address: IP, claim: claim_id(4) };
        let mut actions = bench.says(B, Message::AddressClaim(claim));
        if answers {
            actions.extend(bench.answered(HERE));
        }
        actions.extend(bench.wait(300));
        let given_up = !answers;
        let reply = AddressReply { holder: host(), address: IP, claim: claim_id(4), given_up };
        assert!(actions.contains(&send(B, Message::AddressReply(reply))), "{actions:?}");
        assert_eq!(bench.location(), Some(HERE), "the host itself is not in question");
    }
}

#[test]
fn b10_a_refused_address_is_damped_and_taken_up_again_by_itself() {
    let mut bench = two_hosts(|_| {});
    announces(&mut bench, P2, IP, 2);
    bench.answered(HERE);
    bench.wait(100);
    assert_eq!(announces(&mut bench, P2, IP, 3).last(), Some(&Action::Drop { frame: FrameId(3) }));
    let actions = bench.wait(100);
    assert_eq!(probes(&actions, HERE), 1, "when the damping is over");
    bench.wait(300);
    assert_eq!(holder(&bench), Some(thief().mac), "the holder has given it up meanwhile");
}

#[test]
fn b10_a_host_that_is_not_where_it_belongs_has_no_say_in_addresses() {
    let mut bench = two_hosts(|_| {});
    let actions = announces(&mut bench, P3, IP, 2);
    assert!(actions.contains(&Action::Drop { frame: FrameId(2) }));
    assert_eq!(bench.counters().address_claims, 0);
}

#[test]
fn b10_duplicate_address_detection_of_another_s_address_changes_nothing() {
    let mut bench = two_hosts(|_| {});
    let dad =
        Heard { host: thief(), port: P2, evidence: Evidence::Dad, addresses: Vec::new(), target: None, frame: None };
    bench.feed(Event::Heard(dad));
    bench.wait(10_000);
    assert_eq!(holder(&bench), Some(host().mac));
    assert_eq!(bench.counters().address_claims, 0);
}

#[test]
fn b10_shared_addresses_and_exempt_hosts_are_not_bound() {
    let everything = ipnet::IpNet::new(IP, 24).expect("24 bits are no more than there are");
    let mut bench = two_hosts(|vni| vni.shared = vec![everything]);
    assert_eq!(holder(&bench), None);
    assert!(announces(&mut bench, P2, IP, 2).contains(&Action::Release { frame: FrameId(2) }));
    let trusted = MacPrefix { mac: host().mac, bits: 48 };
    assert_eq!(holder(&two_hosts(|vni| vni.trusted_moves = vec![trusted])), None);
    assert_eq!(holder(&two_hosts(|vni| vni.bindings = false)), None);
}

/// The news that one has given an address up may come later than the news that another has it.
#[test]
fn b10_an_address_that_becomes_free_goes_to_who_else_has_it() {
    let mut bench = Bench::new().following();
    let told = |host, addresses: &[IpAddr], sequence| {
        let bindings = addresses.iter().copied().map(bound).collect();
        Message::Advertisement(Advertisement { host, bindings, sequence: Sequence(sequence), migration: None })
    };
    bench.says(C, told(thief(), &[IP], 0));
    assert_eq!(holder(&bench), Some(host().mac));
    bench.says(B, told(host(), &[], 0));
    assert_eq!(holder(&bench), Some(thief().mac));
}

fn requests(bench: &mut Bench, port: AccessId, target: IpAddr, frame: u64) -> Vec<Action> {
    let frame = FrameId(frame);
    bench.feed(Event::Requested { host: host(), port, address: Some(IP), target, frame })
}

fn told_of(bench: &mut Bench, confirmed: bool) {
    let bindings = vec![vouch_mobility::Binding { address: OTHER_IP, confirmed }];
    bench.says(C, Message::Sync(Sync::Host { host: thief(), bindings, sequence: Sequence(0) }));
}

#[test]
fn b11_a_request_is_answered_from_a_verified_binding() {
    let mut bench = Bench::new().owning();
    told_of(&mut bench, true);
    let actions = requests(&mut bench, P1, OTHER_IP, 9);
    assert!(actions.contains(&Action::Answer { frame: FrameId(9), target: OTHER_IP, mac: thief().mac }));
}

#[test]
fn b11_nobody_is_answered_for_whose_address_is_not_confirmed_or_whose_place_is_in_question() {
    let mut bench = Bench::new().owning();
    told_of(&mut bench, false);
    assert!(requests(&mut bench, P1, OTHER_IP, 9).contains(&Action::Release { frame: FrameId(9) }));

    let mut bench = Bench::new().owning();
    announces(&mut bench, P2, OTHER_IP, 1);
    bench.heard(P3, Evidence::Arp, None);
    let request = Event::Requested { host: thief(), port: P2, address: Some(OTHER_IP), target: IP, frame: FRAME };
    assert!(bench.feed(request).contains(&Action::Release { frame: FRAME }), "its host is being claimed");
}

/// Row 10: a host with an empty ARP cache comes from elsewhere.
#[test]
fn requests_of_a_host_that_waits_are_held_by_target_and_let_go_with_the_verdict() {
    let target = |last: u8| IpAddr::from([192, 168, 0, last]);
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    for last in 10..40 {
        requests(&mut bench, P1, target(last), u64::from(last));
    }
    assert_eq!(bench.counters().requests_limited, 14, "sixteen at the most");
    assert!(
        requests(&mut bench, P1, target(10), 50).contains(&Action::Drop { frame: FrameId(10) }),
        "the last one counts"
    );
    let actions = bench.replied(B, 1, 1, MOVED);
    assert!(actions.contains(&Action::Release { frame: FrameId(50) }));
    assert!(actions.contains(&Action::Release { frame: FrameId(25) }));
    assert!(actions.contains(&Action::Release { frame: FRAME }));

    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    requests(&mut bench, P1, target(10), 10);
    assert!(bench.replied(B, 1, 2, Verdict::Stayed).contains(&Action::Drop { frame: FrameId(10) }));
}

#[test]
fn requests_of_a_host_that_waits_are_answered_from_verified_bindings() {
    let mut bench = Bench::new().following();
    told_of(&mut bench, true);
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    let actions = requests(&mut bench, P1, OTHER_IP, 9);
    assert!(actions.contains(&Action::Answer { frame: FrameId(9), target: OTHER_IP, mac: thief().mac }));
}

/// Row 10: the first that such a host says is a request.
#[test]
fn a_request_that_raises_a_claim_is_answered_from_verified_bindings() {
    for confirmed in [true, false] {
        let mut bench = Bench::new().following();
        told_of(&mut bench, confirmed);
        let (evidence, addresses) = (Evidence::Arp, vec![IP]);
        let (target, frame) = (Some(OTHER_IP), Some(FRAME));
        let heard = Heard { host: host(), port: P1, evidence, addresses, target, frame };
        let actions = bench.feed(Event::Heard(heard));
        assert!(
            actions.iter().any(|action| matches!(action, Action::Send { to: B, .. })),
            "it is a claim all the same"
        );
        let answer = Action::Answer { frame: FRAME, target: OTHER_IP, mac: thief().mac };
        assert_eq!(actions.contains(&answer), confirmed);
        assert_eq!(bench.replied(B, 1, 1, MOVED).contains(&Action::Release { frame: FRAME }), !confirmed);
    }
}

#[test]
fn requests_are_not_held_for_long_without_a_verdict() {
    let mut bench = Bench::new().following();
    bench.heard(P1, Evidence::Arp, Some(FRAME));
    requests(&mut bench, P1, OTHER_IP, 9);
    let actions = bench.replied(B, 1, 0, Verdict::Open(Open::Unproven));
    assert!(
        actions.contains(&Action::Release { frame: FrameId(9) }) && actions.contains(&Action::Release { frame: FRAME })
    );

    let mut bench = Bench::new();
    bench.routine = false;
    bench.heard(P1, Evidence::Data, None);
    bench.heard(P2, Evidence::Rarp, Some(FRAME));
    bench.feed(Event::Requested { host: host(), port: P2, address: None, target: OTHER_IP, frame: FrameId(9) });
    let actions = bench.wait(400);
    assert!(
        actions.contains(&Action::Release { frame: FrameId(9) }) && actions.contains(&Action::Release { frame: FRAME })
    );
}
