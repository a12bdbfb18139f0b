//! Tagged underlay ports: the tag of a link is expected, comes off, and goes on, whatever the packet is.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use vouch_net::MacAddr;
use vouch_tables::*;

use crate::bench::*;
use crate::frames::*;

const OUR_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 0);
const THEIR_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(10, 0, 9, 9);
const LINK_SRC: MacAddr = MacAddr([2, 0x20, 0, 0, 0, 1]);
const LINK_DST: MacAddr = MacAddr([2, 0x20, 0, 0, 0, 2]);

/// Of the links behind ports 10 and 12.
const TAG: u16 = 30;
const OTHER_TAG: u16 = 40;

fn tag(bench: &mut Bench, number: u16, vlan: u16) {
    let vlan_id = VlanId::new(vlan).unwrap();
    bench.insert(UnderlayTagKey { port: port(number) }.with(UnderlayTagAction::Tagged { vlan_id }));
}

/// The way to peer 1 is a tagged link with an address of ours; transit goes on by port 12, tagged as well, or by port 11, untagged.
fn bench() -> Bench {
    let mut bench = Bench::new().with_host(host(1), access(1)).with_host(host(8), tunnel(1));
    let interface = |vlan_id| IngressInterfaceKey { ingress_port: port(10), vlan_id };
    let (location, vlan_id) = (LocationId::link(port(10)), VlanId::new(TAG).unwrap());
    bench.delete(interface(Tag::Untagged));
    let link = IngressInterfaceAction::Link { router_mac: ROUTER, location };
    bench.insert(interface(Tag::Vlan(vlan_id)).with(link));
    bench.insert(LocationPortKey { location }.with(LocationPortAction::Port { port: port(10) }));
    bench.insert(AccessTagKey { location }.with(AccessTagAction::Tagged { vlan_id }));
    bench.insert(LocalVtepKey { dst: OUR_ADDRESS }.with(LocalVtepAction::HandOver));
    tag(&mut bench, 10, TAG);
    tag(&mut bench, 12, OTHER_TAG);
    let route = |out| UnderlayRouteAction::Route { port: port(out), src_mac: LINK_SRC, dst_mac: LINK_DST };
    bench.insert(UnderlayRouteKey { dst: Ipv4Net::new(FAR, 32).unwrap() }.with(route(12)));
    bench.insert(UnderlayRouteKey { dst: Ipv4Net::default() }.with(route(11)));
    bench
}

fn packet(dst: Ipv4Addr) -> Bytes {
    let payload = udp(50000, 4789, &vxlan(8, VNI, &data(host(1), host(2))));
    ethernet(ROUTER, NEXT_HOP, IPV4, &Ipv4::new(PEER1, dst, 17).with(&payload))
}

#[test]
fn what_a_tunnel_carries_has_the_tag_of_its_link_and_is_the_same_otherwise() {
    let mut untagged = Bench::new().with_host(host(1), access(1)).with_host(host(8), tunnel(1));
    let mut bench = bench();
    for frame in [data(host(8), host(1)), ethernet(host(8), host(1), IPV6, &ipv6(3, 17, &udp(5, 6, b"payload")))] {
        assert_eq!(bench.send(1, &frame).sent(10), tagged(TAG, untagged.send(1, &frame).sent(10)));
    }
    // Copies, each with the tag of the port that it leaves by.
    let (outcome, expected) = (bench.send(1, &announcement(host(1))), untagged.send(1, &announcement(host(1))));
    let with_tag = |(out, frame): &(u16, Bytes)| (*out, if *out == 10 { tagged(TAG, frame) } else { frame.clone() });
    assert_eq!(outcome.frames, expected.frames.iter().map(with_tag).collect::<Vec<_>>());
    // What the controller sends.
    let send = PacketOut::Send { bd: bd(5), location: tunnel(1) };
    let frame = data(host(8), host(1));
    assert_eq!(
        bench.send_from_controller(send, &frame).sent(10),
        tagged(TAG, untagged.send_from_controller(send, &frame).sent(10))
    );
}

#[test]
fn what_arrives_has_the_tag_of_its_link_or_is_dropped_and_counted() {
    let mut bench = bench();
    let inner = data(host(1), host(8));
    let packet = from_peer(PEER1, VNI, &inner);
    assert_eq!(bench.send(10, &tagged(TAG, &packet)).sent(1), inner);
    for other in [packet.clone(), tagged(OTHER_TAG, &packet), tagged(0, &packet)] {
        bench.send(10, &other).dropped(DropReason::UnknownInterface);
    }
    bench.send(10, &tagged(TAG, &tagged(TAG, &packet))).dropped(DropReason::UnderlayNotIp);
    bench.send(11, &tagged(TAG, &packet)).dropped(DropReason::UnknownInterface);
    let mut cut = tagged(TAG, &packet);
    cut.truncate(cut.len() - 1);
    if crate::INGRESS_KNOWS_LENGTH {
        bench.send(10, &cut).dropped(DropReason::VxlanTooShort);
    }
}

#[test]
fn a_packet_in_transit_changes_its_tag() {
    let mut bench = bench();
    let sent = |dst: Ipv4Addr| {
        let mut expected = packet(dst);
        expected[..6].copy_from_slice(&LINK_DST.0);
        expected[6..12].copy_from_slice(&LINK_SRC.0);
        expected[22] = 63;
        let sum = checksum(&[&expected[14..24], &[0, 0], &expected[26..34]].concat());
        expected[24..26].copy_from_slice(&sum.to_be_bytes());
        expected
    };
    let elsewhere = Ipv4Addr::new(10, 0, 8, 1);
    assert_eq!(bench.send(10, &tagged(TAG, &packet(FAR))).sent(12), tagged(OTHER_TAG, &sent(FAR)));
    assert_eq!(bench.send(11, &packet(FAR)).sent(12), tagged(OTHER_TAG, &sent(FAR)));
    assert_eq!(bench.send(10, &tagged(TAG, &packet(elsewhere))).sent(11), sent(elsewhere));
}

#[test]
fn neighbours_are_heard_and_spoken_to_behind_the_tag() {
    let mut bench = bench();
    let question = arp(MacAddr::BROADCAST, NEXT_HOP, ARP, 1, THEIR_ADDRESS, OUR_ADDRESS);
    let bfd = Ipv4 { ttl: 255, ..Ipv4::new(THEIR_ADDRESS, OUR_ADDRESS, 17) }.with(&udp(49152, 3784, &[0; 24]));
    for frame in [question.clone(), ethernet(ROUTER, NEXT_HOP, IPV4, &bfd)] {
        let outcome = bench.send(10, &tagged(TAG, &frame));
        assert_eq!(outcome.neighbours, [(10, frame.clone())], "{outcome:?}");
        bench.send(10, &frame).dropped(DropReason::UnknownInterface);
        let outcome = bench.send_from_controller(PacketOut::Link { port: port(10) }, &frame);
        assert_eq!(outcome.sent(10), tagged(TAG, &frame));
    }
}

#[test]
fn what_the_controller_gets_of_a_frame_that_came_behind_the_tag_is_the_frame() {
    let answer = data(PROBE, host(8));
    let outcome = bench().send(10, &tagged(TAG, &from_peer(PEER1, VNI, &answer)));
    let heard: Vec<_> = outcome.punts.iter().map(|(header, frame)| (header.reason, header.location, frame)).collect();
    assert_eq!(heard, [(PuntReason::ProbeReply, tunnel(1), &answer)], "{outcome:?}");
}

#[test]
fn the_tag_is_no_part_of_what_a_tunnel_takes() {
    let mut bench = bench();
    bench.limit(1514);
    let longest = ethernet(host(8), host(1), 0x88b5, &[7; 1500]);
    assert_eq!(bench.send(1, &longest).sent(10).len(), 1514 + 50 + 4);
    let outcome = bench.send(1, &[longest, vec![7]].concat());
    assert_eq!(outcome.drops, [(Pipeline::Egress, DropReason::ExceedsMtu)], "{outcome:?}");
    assert!(outcome.frames.is_empty(), "{outcome:?}");
}
