//! Items 4, 5 and 7: is the sender where it should be, what the controller hears of it, and how much.

use std::net::Ipv4Addr;

use vouch_tables::*;

use crate::bench::*;
use crate::frames::*;

fn header(reason: PuntReason, number: u16, recorded: Option<LocationId>) -> PacketIn {
    PacketIn { ingress_port: port(number), bd: bd(5), reason, location: access(number), recorded }
}

/// Every kind of frame that announces its sender.
fn announcements(src: vouch_net::MacAddr) -> Vec<Bytes> {
    let mine = Ipv4Addr::new(192, 168, 0, 1);
    let other = Ipv4Addr::new(192, 168, 0, 2);
    vec![
        announcement(src),
        arp(vouch_net::MacAddr::BROADCAST, src, ARP, 1, mine, other),
        arp(host(9), src, ARP, 2, mine, other),
        arp(vouch_net::MacAddr::BROADCAST, src, RARP, 3, Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED),
        icmpv6(host(9), src, 135),
        icmpv6(host(9), src, 136),
    ]
}

#[test]
fn a_host_where_it_should_be_is_no_news() {
    let mut bench = Bench::new().with_host(host(1), access(1)).with_host(host(9), tunnel(1));
    for frame in announcements(host(1)).into_iter().chain([data(host(9), host(1))]) {
        let outcome = bench.send(1, &frame);
        assert!(outcome.punts.is_empty() && outcome.drops.is_empty(), "{outcome:?}");
        assert!(!outcome.frames.is_empty());
    }
    let key = SourceKey { bd: bd(5), mac: host(1), location: access(1) };
    assert_eq!(bench.hits(key), 7, "each is evidence that it lives");
}

#[test]
fn an_unknown_host_is_learnt_from_a_copy() {
    let mut bench = Bench::new().with_host(host(9), tunnel(1));
    for frame in announcements(host(1)).into_iter().chain([data(host(9), host(1))]) {
        let outcome = bench.send(1, &frame);
        assert_eq!(outcome.punted(), (header(PuntReason::Learn, 1, None), &frame[..]));
        assert!(outcome.drops.is_empty() && !outcome.frames.is_empty(), "and the frame goes on: {outcome:?}");
    }
}

#[test]
fn the_copy_of_a_tagged_frame_is_without_tag() {
    let mut bench = Bench::new();
    let frame = announcement(host(2));
    assert_eq!(bench.send(2, &tagged(20, &frame)).punted(), (header(PuntReason::Learn, 2, None), &frame[..]));
}

#[test]
fn a_frame_from_a_tunnel_teaches_nothing() {
    let mut bench = Bench::new().with_host(host(1), access(1)).with_host(host(2), access(2));
    // Not even if it carries the address of a host here: the peers talk to each other about that.
    for src in [host(2), host(7)] {
        bench.send_from_peer(1, &data(host(1), src)).sent(1);
        let flooded = bench.send_from_peer(1, &announcement(src));
        assert!(flooded.punts.is_empty() && flooded.drops.is_empty());
    }
}

#[test]
fn an_announcement_from_elsewhere_is_held() {
    for (home, number) in [(tunnel(1), 1), (access(3), 2)] {
        let mut bench = Bench::new().with_host(host(1), home);
        for frame in announcements(host(1)) {
            let sent = if number == 2 { tagged(20, &frame) } else { frame.clone() };
            let outcome = bench.send(number, &sent);
            assert_eq!(outcome.punted(), (header(PuntReason::Move, number, Some(home)), &frame[..]));
            assert!(outcome.frames.is_empty() && outcome.drops.is_empty(), "the controller alone: {outcome:?}");
        }
    }
}

#[test]
fn a_data_frame_from_elsewhere_is_punted_as_a_copy() {
    let mut bench = Bench::new().with_host(host(1), tunnel(1)).with_host(host(9), tunnel(2));
    let frame = data(host(9), host(1));
    let forwarded = bench.send(1, &frame);
    assert_eq!(forwarded.punted(), (header(PuntReason::Move, 1, Some(tunnel(1))), &frame[..]));
    assert_eq!((forwarded.ports(), forwarded.drops.len()), (vec![11], 0));

    let hold = RecordedLocationAction::Recorded { location: tunnel(1), forward: false };
    bench.modify(RecordedLocationKey { bd: bd(5), mac: host(1) }.with(hold));
    let held = bench.send(1, &frame);
    assert_eq!(held.punted(), (header(PuntReason::Move, 1, Some(tunnel(1))), &frame[..]));
    assert_eq!((held.ports(), held.drops), (vec![], vec![(Pipeline::Ingress, DropReason::ClaimData)]));
}

#[test]
fn other_icmpv6_is_data() {
    let mut bench = Bench::new().with_host(host(1), tunnel(1)).with_host(host(9), tunnel(2));
    for message_type in [128, 133, 134, 137] {
        let outcome = bench.send(1, &icmpv6(host(9), host(1), message_type));
        assert_eq!((outcome.punts.len(), outcome.ports()), (1, vec![11]), "type {message_type}");
    }
}

#[test]
fn a_pending_claim_is_not_punted_again() {
    let mut bench = Bench::new().with_host(host(1), tunnel(1)).with_host(host(9), tunnel(2));
    bench.at(host(1), access(1), SourceAction::ClaimPending { forward: true });
    for frame in announcements(host(1)) {
        let outcome = bench.send(1, &frame);
        // Its questions: see `request`.
        if outcome.punts.is_empty() {
            outcome.dropped(DropReason::ClaimHeld);
        } else {
            outcome.held(PuntReason::Request);
        }
    }
    let frame = data(host(9), host(1));
    assert_eq!(inner(bench.send(1, &frame).sent(11)), frame);

    let drop = SourceAction::ClaimPending { forward: false };
    bench.modify(SourceKey { bd: bd(5), mac: host(1), location: access(1) }.with(Aged::never(drop)));
    bench.send(1, &frame).dropped(DropReason::ClaimData);
    bench.send(1, &announcement(host(1))).dropped(DropReason::ClaimHeld);
}

#[test]
fn a_claim_is_of_one_place() {
    let mut bench = Bench::new().with_host(host(1), tunnel(1));
    bench.at(host(1), access(1), SourceAction::ClaimPending { forward: true });
    let outcome = bench.send(3, &announcement(host(1)));
    assert_eq!(outcome.punted().0, header(PuntReason::Move, 3, Some(tunnel(1))));
}

#[test]
fn quarantine_is_of_one_host_at_one_place() {
    let mut bench = Bench::new().with_host(host(1), tunnel(1)).with_host(host(9), tunnel(2));
    bench.at(host(1), access(1), SourceAction::Quarantined);
    for frame in announcements(host(1)).into_iter().chain([data(host(9), host(1)), data(PROBE, host(1))]) {
        bench.send(1, &frame).dropped(DropReason::Quarantined);
    }
    assert_eq!(bench.send(3, &announcement(host(1))).punted().0.reason, PuntReason::Move);
    assert_eq!(bench.send(1, &announcement(host(3))).punted().0.reason, PuntReason::Learn);
}

#[test]
fn while_a_verification_runs_every_frame_from_the_recorded_place_is_evidence() {
    let mut bench = Bench::new().with_host(host(9), tunnel(1));
    bench.insert(
        RecordedLocationKey { bd: bd(5), mac: host(2) }
            .with(RecordedLocationAction::Recorded { location: access(2), forward: true }),
    );
    bench.at(host(2), access(2), SourceAction::Here { watch: true });
    for frame in announcements(host(2)).into_iter().chain([data(host(9), host(2))]) {
        let outcome = bench.send(2, &tagged(20, &frame));
        assert_eq!(outcome.punted(), (header(PuntReason::Alive, 2, Some(access(2))), &frame[..]));
        assert!(outcome.drops.is_empty() && !outcome.frames.is_empty(), "and the frame goes on: {outcome:?}");
    }
}

#[test]
fn between_the_two_writes_that_record_a_host_it_is_not_a_mover() {
    let mut bench = Bench::new().with_host(host(9), tunnel(1));
    let here = RecordedLocationAction::Recorded { location: access(1), forward: false };
    bench.insert(RecordedLocationKey { bd: bd(5), mac: host(1) }.with(here));
    bench.send(1, &data(host(9), host(1))).sent(10);
    assert!(bench.send(1, &announcement(host(1))).punts.is_empty());
}

#[test]
fn hosts_of_two_vnis_are_two_hosts() {
    let mut bench = Bench::new().with_host(host(1), tunnel(1));
    let outcome = bench.send(4, &announcement(host(1)));
    let expected =
        PacketIn { ingress_port: port(4), bd: bd(6), reason: PuntReason::Learn, location: access(4), recorded: None };
    assert_eq!(outcome.punted().0, expected);
}

#[test]
fn an_answer_to_a_probe_goes_to_the_controller_alone() {
    let mut bench = Bench::new().with_host(host(1), access(1));
    let answer = |src| arp(PROBE, src, ARP, 2, Ipv4Addr::new(192, 168, 0, 1), Ipv4Addr::new(192, 168, 0, 254));
    let expect = |outcome: crate::bench::Outcome, expected: PacketIn, frame: &[u8]| {
        assert_eq!(outcome.punted(), (expected, frame));
        assert!(outcome.frames.is_empty() && outcome.drops.is_empty(), "{outcome:?}");
    };

    let frame = answer(host(1));
    expect(bench.send(1, &frame), header(PuntReason::ProbeReply, 1, Some(access(1))), &frame);
    // From a wrong place: it outranks MOVE, and the controller compares the places.
    expect(bench.send(3, &frame), header(PuntReason::ProbeReply, 3, Some(access(1))), &frame);
    // From an unknown host: it outranks LEARN.
    let frame = answer(host(7));
    expect(bench.send(3, &frame), header(PuntReason::ProbeReply, 3, None), &frame);
    // From a pending claimant: it outranks the hold.
    bench.at(host(1), access(3), SourceAction::ClaimPending { forward: false });
    let frame = answer(host(1));
    expect(bench.send(3, &frame), header(PuntReason::ProbeReply, 3, None), &frame);
    // Through a tunnel, decapsulated.
    let from_tunnel = PacketIn {
        ingress_port: port(11),
        bd: bd(5),
        reason: PuntReason::ProbeReply,
        location: tunnel(2),
        recorded: None,
    };
    expect(bench.send_from_peer(2, &frame), from_tunnel, &frame);
    let na = icmpv6(PROBE, host(1), 136);
    expect(bench.send(1, &na), header(PuntReason::ProbeReply, 1, Some(access(1))), &na);
}

/// The same port, another tenant's VLAN.
fn with_neighbour() -> Bench {
    let mut bench = Bench::new().with_host(host(2), access(2)).with_host(host(9), tunnel(2));
    let vlan_id = Tag::Vlan(VlanId::new(30).unwrap());
    bench.insert(IngressInterfaceKey { ingress_port: port(2), vlan_id }.with(access_interface(6, access(5))));
    bench
}

#[test]
fn a_punt_over_budget_is_dropped_and_counted() {
    let mut bench = Bench::new().with_host(host(1), tunnel(1)).with_host(host(9), tunnel(2));
    bench.budget(PuntReason::Learn, access(1));
    bench.budget(PuntReason::Move, access(1));

    let unknown = data(host(9), host(7));
    assert_eq!((0..2).map(|_| bench.send(1, &unknown).punts.len()).sum::<usize>(), 2);
    let over = bench.send(1, &unknown);
    assert_eq!((over.ports(), over.punts.len()), (vec![11], 0), "of a copy only the copy is dropped");
    let budget = PuntMeter { reason: PuntReason::Learn, location: access(1) };
    assert_eq!((over.policed, over.drops), (vec![budget], vec![]));

    assert_eq!(bench.send(1, &announcement(host(1))).punts.len(), 1, "MOVE has a budget of its own");
    assert_eq!(bench.send(1, &announcement(host(1))).punts.len(), 1);
    bench.send(1, &announcement(host(1))).policed(PuntReason::Move, access(1));
    assert_eq!(bench.send(3, &announcement(host(1))).punts.len(), 1, "and so has every place");
}

#[test]
fn every_reason_has_its_own_police() {
    let mut bench = Bench::new().with_host(host(9), tunnel(2));
    bench.configure(access(1), true, true);
    bench.at(host(1), access(1), SourceAction::Here { watch: true });
    bench.at(host(3), access(1), SourceAction::Here { watch: false });
    for reason in PuntReason::ALL {
        bench.budget(reason, access(1));
    }
    let mine = Ipv4Addr::new(192, 168, 0, 3);
    let question = arp(vouch_net::MacAddr::BROADCAST, host(3), ARP, 1, mine, Ipv4Addr::new(192, 168, 0, 9));
    for (frame, reason, forwarded) in [
        (data(host(9), host(1)), PuntReason::Alive, vec![11]),
        (data(PROBE, host(1)), PuntReason::ProbeReply, vec![]),
        (announcement(host(3)), PuntReason::Binding, vec![2, 3, 10, 11]),
        (question, PuntReason::Request, vec![]),
    ] {
        for _ in 0..2 {
            assert_eq!(bench.send(1, &frame).punted().0.reason, reason);
        }
        let over = bench.send(1, &frame);
        let budget = PuntMeter { reason, location: access(1) };
        assert_eq!((over.ports(), over.policed, over.drops), (forwarded, vec![budget], vec![]), "{reason}");
    }
}

#[test]
fn a_neighbour_on_the_trunk_uses_up_nobody_elses_budget() {
    let mut bench = with_neighbour();
    for reason in PuntReason::ALL {
        bench.budget(reason, access(2));
        bench.budget(reason, access(5));
    }
    let flood = tagged(30, &data(PROBE, host(7)));
    bench.send(2, &flood);
    bench.send(2, &flood);
    bench.send(2, &flood).policed(PuntReason::Learn, access(5));
    bench.send(2, &tagged(20, &data(PROBE, host(2)))).held(PuntReason::ProbeReply);
}

#[test]
fn only_who_stands_where_it_is_recorded_draws_on_the_budget_of_answers() {
    let mut bench =
        Bench::new().with_host(host(1), access(1)).with_host(host(8), tunnel(1)).with_host(host(3), access(3));
    bench.at(host(8), access(1), SourceAction::ClaimPending { forward: true });
    for reason in PuntReason::ALL {
        bench.budget(reason, access(1));
    }
    // An unknown host, one that is recorded elsewhere, and a claimant; the latter two share a budget.
    for (src, heard, reason) in [(7, 2, PuntReason::Learn), (3, 1, PuntReason::Move), (8, 1, PuntReason::Move)] {
        let answer = data(PROBE, host(src));
        for _ in 0..heard {
            assert_eq!(bench.send(1, &answer).held(PuntReason::ProbeReply).0.location, access(1));
        }
        if src != 3 {
            bench.send(1, &answer).policed(reason, access(1));
        }
    }
    bench.send(1, &data(PROBE, host(1))).held(PuntReason::ProbeReply);
    bench.send(1, &data(PROBE, host(1))).held(PuntReason::ProbeReply);
    bench.send(1, &data(PROBE, host(1))).policed(PuntReason::ProbeReply, access(1));
}

#[test]
fn every_tunnel_has_a_budget_for_its_answers() {
    let mut bench = Bench::new();
    bench.budget(PuntReason::ProbeReply, tunnel(1));
    let answer = data(PROBE, host(8));
    bench.send_from_peer(1, &answer).held(PuntReason::ProbeReply);
    bench.send_from_peer(1, &answer).held(PuntReason::ProbeReply);
    bench.send_from_peer(1, &answer).policed(PuntReason::ProbeReply, tunnel(1));
    bench.send_from_peer(2, &answer).held(PuntReason::ProbeReply);
    bench.send(1, &answer).held(PuntReason::ProbeReply);
}
