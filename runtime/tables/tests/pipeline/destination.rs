//! Items 6, 9 and 10: where does a frame go, and where may it not.

use vouch_tables::*;

use crate::bench::*;
use crate::frames::*;

const MISSING: LocationId = match LocationId::access(77) {
    Some(location) => location,
    None => unreachable!(),
};

/// Host 1 at access1, 2 at access2 (VLAN 20), 3 at access3, 8 behind peer 1, 9 behind peer 2.
fn bench() -> Bench {
    Bench::new()
        .with_host(host(1), access(1))
        .with_host(host(2), access(2))
        .with_host(host(3), access(3))
        .with_host(host(8), tunnel(1))
        .with_host(host(9), tunnel(2))
}

#[test]
fn known_unicast_goes_to_one_place() {
    let mut bench = bench();
    let frame = data(host(3), host(1));
    assert_eq!(bench.send(1, &frame).sent(3), frame);
    let frame = data(host(8), host(1));
    assert_eq!(inner(bench.send(1, &frame).sent(10)), frame);
    let frame = data(host(2), host(8));
    assert_eq!(bench.send_from_peer(1, &frame).sent(2), tagged(20, &frame));
}

#[test]
fn unknown_broadcast_and_multicast_are_flooded_but_not_back() {
    let mut bench = bench();
    let multicast = vouch_net::MacAddr([0x33, 0x33, 0, 0, 0, 1]);
    for dst in [host(77), vouch_net::MacAddr::BROADCAST, multicast] {
        let frame = data(dst, host(1));
        let outcome = bench.send(1, &frame);
        assert_eq!(outcome.ports(), [2, 3, 10, 11]);
        assert!(outcome.drops.is_empty() && outcome.punts.is_empty(), "a pruned replica is no loss");
        let frames: Vec<&[u8]> = outcome.frames.iter().map(|(_, frame)| &frame[..]).collect();
        assert_eq!(frames[0], tagged(20, &frame));
        assert_eq!(frames[1], frame);
        assert_eq!((inner(frames[2]), inner(frames[3])), (&frame[..], &frame[..]));
        let destination = |frame: &[u8]| [frame[30], frame[31], frame[32], frame[33]];
        assert_eq!((destination(frames[2]), destination(frames[3])), (PEER1.octets(), PEER2.octets()));
    }
}

#[test]
fn what_came_from_a_tunnel_is_not_flooded_to_tunnels() {
    let mut bench = bench();
    for dst in [host(77), vouch_net::MacAddr::BROADCAST] {
        let frame = data(dst, host(8));
        let outcome = bench.send_from_peer(1, &frame);
        assert_eq!(outcome.frames, [(1, frame.clone()), (2, tagged(20, &frame)), (3, frame)]);
    }
}

#[test]
fn known_unicast_does_not_go_back() {
    let mut bench = bench();
    bench.send(1, &data(host(1), host(1))).dropped(DropReason::BackToOrigin);
    bench.send_from_peer(1, &data(host(8), host(8))).dropped(DropReason::BackToOrigin);
}

#[test]
fn from_tunnel_to_tunnel_takes_a_hairpin() {
    let mut bench = bench();
    let frame = data(host(9), host(8));
    bench.send_from_peer(1, &frame).dropped(DropReason::TunnelToTunnel);

    bench.redirect(host(9), DestinationAction::UnicastHairpin { location: tunnel(2) });
    let outcome = bench.send_from_peer(1, &frame);
    let sent = outcome.sent(11);
    assert_eq!(inner(sent), frame);
    assert_eq!(word(sent, 16), 36 + frame.len() as u16, "lengths are those of the inner frame alone");
    bench.send_from_peer(2, &frame).dropped(DropReason::BackToOrigin);
    assert_eq!(inner(bench.send(1, &data(host(9), host(1))).sent(11)), data(host(9), host(1)));
}

#[test]
fn during_a_verification_both_places_get_a_copy() {
    let mut bench = bench();
    // The group of access1 and tunnel1: host 1 is here and claimed behind peer 1.
    bench.redirect(host(1), DestinationAction::Both { group: Group::pair(0).unwrap() });
    let frame = data(host(1), host(3));
    let outcome = bench.send(3, &frame);
    assert_eq!((outcome.ports(), outcome.drops.len()), (vec![1, 10], 0));
    assert_eq!(outcome.frames[0].1, frame);
    assert_eq!(inner(&outcome.frames[1].1), frame);

    // From another peer: both as well, a copy is no flooding.
    let frame = data(host(1), host(9));
    assert_eq!(bench.send_from_peer(2, &frame).ports(), [1, 10]);
    // From the claimant: not back into its tunnel.
    let frame = data(host(1), host(8));
    assert_eq!(bench.send_from_peer(1, &frame).sent(1), frame);
}

#[test]
fn a_claimant_uses_both_its_entries() {
    let mut bench = bench();
    // Host 8 is owned by peer 1 and was heard at access2.
    bench.redirect(host(8), DestinationAction::Claimed { claim_location: access(2), owner_location: tunnel(1) });
    let from_owner = data(host(8), host(7));
    assert_eq!(bench.send_from_peer(1, &from_owner).sent(2), tagged(20, &from_owner), "from the owner: to the claim");
    let from_here = data(host(8), host(1));
    assert_eq!(inner(bench.send(1, &from_here).sent(10)), from_here, "from a host here: to the owner");
    let from_observer = data(host(8), host(9));
    assert_eq!(
        inner(bench.send_from_peer(2, &from_observer).sent(10)),
        from_observer,
        "from an observer: to the owner"
    );
    bench.at(host(6), access(2), SourceAction::Here { watch: false });
    let beside = data(host(8), host(6));
    assert_eq!(inner(bench.send(2, &tagged(20, &beside)).sent(10)), beside, "from the claimed place: to the owner");
}

#[test]
fn a_local_claim_never_returns_to_its_own_place() {
    let mut bench = bench();
    // Host 1 moves from access1 to access3 inside the switch.
    bench.redirect(host(1), DestinationAction::Claimed { claim_location: access(3), owner_location: access(1) });
    let frame = data(host(1), host(2));
    assert_eq!(bench.send(2, &tagged(20, &frame)).sent(1), frame);
    bench.redirect(host(1), DestinationAction::Claimed { claim_location: access(1), owner_location: access(1) });
    bench.at(host(5), access(1), SourceAction::Here { watch: false });
    bench.send(1, &data(host(1), host(5))).dropped(DropReason::BackToOrigin);
}

#[test]
fn vnis_never_meet() {
    let mut bench = bench();
    let outcome = bench.send(4, &data(host(1), host(2)));
    assert_eq!(outcome.ports(), [10, 11], "host 1 of VNI 5005 is nobody in VNI 6006");
    assert_eq!(outcome.frames[0].1[46..49], [0, 0x17, 0x76]);
}

#[test]
fn what_is_not_configured_is_a_counted_drop() {
    let mut bench = bench();
    bench.redirect(host(3), DestinationAction::Unicast { location: MISSING });
    bench.send(1, &data(host(3), host(1))).dropped(DropReason::NoLocationPort);

    bench.insert(LocationPortKey { location: MISSING }.with(LocationPortAction::Port { port: port(7) }));
    let outcome = bench.send(1, &data(host(3), host(1)));
    assert_eq!(outcome.drops, [(Pipeline::Egress, DropReason::NoAccessTag)]);
    assert!(outcome.frames.is_empty());

    bench.delete(EncapsulateKey { location: tunnel(2) });
    let outcome = bench.send(1, &data(host(9), host(1)));
    assert_eq!(outcome.drops, [(Pipeline::Egress, DropReason::NoEncapsulation)]);
    assert!(outcome.frames.is_empty());

    bench.delete(BdVniKey { bd: bd(5) });
    let outcome = bench.send(1, &data(host(8), host(1)));
    assert_eq!(outcome.drops, [(Pipeline::Egress, DropReason::NoVni)]);
    assert!(outcome.frames.is_empty());

    bench.delete(FloodKey { bd: bd(5) });
    bench.send(1, &data(host(77), host(1))).dropped(DropReason::NoFloodGroup);
}
