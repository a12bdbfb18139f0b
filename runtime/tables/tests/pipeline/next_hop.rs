//! Several next hops: each flow keeps to one of them, all carry as much, and one that goes leaves the others' flows alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use vouch_net::MacAddr;
use vouch_tables::*;

use crate::bench::*;
use crate::frames::*;

const FAR: Ipv4Addr = Ipv4Addr::new(10, 0, 9, 9);
const FLOWS: u16 = 1000;

fn group() -> HopGroup {
    HopGroup::new(7).unwrap()
}

/// The port of a neighbour, by number.
fn hop_port(number: u16) -> u16 {
    20 + number
}

/// Our address on the link of a neighbour, and its own.
fn link(number: u16) -> [MacAddr; 2] {
    [1, 2].map(|end| MacAddr([2, 0x30, 0, 0, end, number as u8]))
}

fn bucket(number: u8, owner: u16) -> (EntryKey, EntryAction) {
    let bucket = Bucket::new(number).unwrap();
    let neighbour = NeighbourId::new(owner).unwrap();
    NextHopKey { group: group(), bucket }.with(NextHopAction::Via { port: port(hop_port(owner)), neighbour })
}

/// Tunnel 1 and all that is in transit go to so many neighbours, of which each has every so-many-th bucket.
fn bench(neighbours: u16) -> Bench {
    let mut bench = Bench::new().with_host(host(1), access(1)).with_host(host(8), tunnel(1));
    for number in 1..=neighbours {
        let [src_mac, dst_mac] = link(number);
        let neighbour = NeighbourId::new(number).unwrap();
        bench.insert(NeighbourKey { neighbour }.with(NeighbourAction::Link { src_mac, dst_mac }));
    }
    for number in 0..Bucket::COUNT {
        bench.insert(bucket(number, 1 + u16::from(number) % neighbours));
    }
    let way = LocationPortAction::Balance { group: group() };
    bench.modify(LocationPortKey { location: tunnel(1) }.with(way));
    let way = UnderlayRouteAction::Balance { group: group() };
    bench.insert(UnderlayRouteKey { dst: Ipv4Net::default() }.with(way));
    bench
}

/// The frame of a host's flow, to a host behind tunnel 1.
fn flow(number: u16) -> Bytes {
    data_with(host(8), host(1), 0, 1000 + number)
}

/// The packet of a flow between two VTEPs, in transit here.
fn transit(source_port: u16) -> Bytes {
    let payload = udp(source_port, 4789, &vxlan(8, VNI, &data(host(1), host(2))));
    ethernet(ROUTER, NEXT_HOP, IPV4, &Ipv4::new(PEER1, FAR, 17).with(&payload))
}

#[track_caller]
fn assert_even(by_port: &BTreeMap<u16, u16>, flows: u16, members: u16) {
    let share = flows / members;
    assert_eq!(by_port.len(), usize::from(members), "{by_port:?}");
    for count in by_port.values() {
        assert!(count.abs_diff(share) <= share / 10, "{members} carry {by_port:?}");
    }
}

#[test]
fn flows_to_a_tunnel_are_even_and_each_keeps_to_its_way() {
    for members in [2, 4] {
        let mut bench = bench(members);
        let mut by_port = BTreeMap::new();
        for number in 0..FLOWS {
            let outcome = bench.send(1, &flow(number));
            let (out, sent) = outcome.frames[0].clone();
            assert_eq!(outcome.sent(out), sent);
            let [src, dst] = link(out - hop_port(0));
            assert_eq!((&sent[..6], &sent[6..12]), (&dst.0[..], &src.0[..]));
            assert_eq!(inner(&sent), flow(number));
            assert_eq!(bench.send(1, &flow(number)).frames, [(out, sent)], "one flow, one way");
            *by_port.entry(out).or_default() += 1;
        }
        assert_even(&by_port, FLOWS, members);
    }
}

#[test]
fn each_of_several_links_has_its_own_tag() {
    let (mut untagged, mut bench) = (bench(2), bench(2));
    let vlan_id = VlanId::new(30).unwrap();
    bench.insert(UnderlayTagKey { port: port(hop_port(1)) }.with(UnderlayTagAction::Tagged { vlan_id }));
    let mut ports = BTreeSet::new();
    for number in 0..20 {
        for (from, frame) in [(1, flow(number)), (10, transit(50000 + number))] {
            let (out, sent) = untagged.send(from, &frame).frames[0].clone();
            let expected = if out == hop_port(1) { tagged(30, &sent) } else { sent };
            assert_eq!(bench.send(from, &frame).sent(out), expected);
            ports.insert((from, out));
        }
    }
    assert_eq!(ports.len(), 4);
}

#[test]
fn flows_in_transit_are_told_by_their_outer_source_port() {
    // The source ports that a VTEP makes of 1,000 flows, of all and of those that it has sent the same way.
    let mut vtep = bench(2);
    let sent: Vec<_> = (0..FLOWS).map(|number| vtep.send(1, &flow(number)).frames[0].clone()).collect();
    let all: Vec<_> = sent.iter().map(|(_, frame)| word(frame, 34)).collect();
    let one_way: Vec<_> =
        sent.iter().filter(|(out, _)| *out == hop_port(1)).map(|(_, frame)| word(frame, 34)).collect();
    for (members, ports) in [(2, &all), (4, &all), (2, &one_way), (4, &one_way)] {
        let mut bench = bench(members);
        let mut by_port = BTreeMap::new();
        for source_port in ports {
            let outcome = bench.send(10, &transit(*source_port));
            let (out, sent) = outcome.frames[0].clone();
            let [src, dst] = link(out - hop_port(0));
            let mut expected = transit(*source_port);
            expected[..6].copy_from_slice(&dst.0);
            expected[6..12].copy_from_slice(&src.0);
            expected[22] = 63;
            let sum = checksum(&[&expected[14..24], &[0, 0], &expected[26..34]].concat());
            expected[24..26].copy_from_slice(&sum.to_be_bytes());
            assert_eq!((outcome.sent(out), sent), (&expected[..], expected.clone()));
            *by_port.entry(out).or_default() += 1;
        }
        assert_even(&by_port, ports.len() as u16, members);
    }
}

#[test]
fn who_loses_its_buckets_takes_no_other_flow_along() {
    let mut bench = bench(2);
    let ways =
        |bench: &mut Bench| -> Vec<u16> { (0..FLOWS).map(|number| bench.send(1, &flow(number)).frames[0].0).collect() };
    let before = ways(&mut bench);
    for number in (0..Bucket::COUNT).step_by(2) {
        bench.modify(bucket(number, 2));
    }
    let after = ways(&mut bench);
    assert!(after.iter().all(|out| *out == hop_port(2)));
    for number in (0..Bucket::COUNT).step_by(2) {
        bench.modify(bucket(number, 1));
    }
    assert_eq!(ways(&mut bench), before);
}

#[test]
fn frames_of_every_kind_are_spread() {
    let mut bench = bench(4);
    let frames: [Box<dyn Fn(u16) -> Bytes>; 3] = [
        Box::new(|number| ethernet(host(8), host(1), IPV6, &ipv6(0, 6, &udp(number, 80, &[0; 12])))),
        Box::new(|number| ethernet(host(8), host(1), 0x8900 + number, &[0; 46])),
        Box::new(|number| {
            let address = Ipv4Addr::new(192, 168, 1, number as u8);
            ethernet(host(8), host(1), IPV4, &Ipv4::new(address, FAR, 47).with(b"gre"))
        }),
    ];
    for frame in frames {
        let mut by_port = BTreeMap::new();
        for number in 0..200 {
            *by_port.entry(bench.send(1, &frame(number)).frames[0].0).or_insert(0) += 1;
        }
        assert!(by_port.len() == 4 && by_port.values().all(|count| *count > 30), "{by_port:?}");
    }
}

#[test]
fn what_comes_out_of_one_tunnel_for_another_is_spread_as_well() {
    let mut bench = bench(2);
    bench.redirect(host(8), DestinationAction::UnicastHairpin { location: tunnel(1) });
    let mut by_port = BTreeMap::new();
    for number in 0..200 {
        // As a VTEP sends it: the source port follows the flow.
        let header = Ipv4::new(PEER2, OURS, 17);
        let packet = udp(50000 + number, 4789, &vxlan(8, VNI, &data_with(host(8), host(9), 0, number)));
        let outcome = bench.send(11, &ethernet(ROUTER, NEXT_HOP, IPV4, &header.with(&packet)));
        *by_port.entry(outcome.frames[0].0).or_insert(0) += 1;
    }
    assert_even(&by_port, 200, 2);
}

#[test]
fn the_way_of_the_packet_that_a_frame_came_in_is_not_the_frames() {
    // A route covers our own address, too; the frame is for a host here, or for nobody in particular.
    let mut bench = bench(2);
    assert_eq!(bench.send_from_peer(2, &data(host(1), host(8))).sent(1), data(host(1), host(8)));
    assert_eq!(bench.send_from_peer(2, &announcement(host(9))).ports(), [1, 2, 3]);
    // So with a tunnel that has but one way.
    bench.redirect(host(8), DestinationAction::UnicastHairpin { location: tunnel(2) });
    assert_eq!(bench.send_from_peer(1, &data(host(8), host(9))).ports(), [11]);
}

#[test]
fn copies_go_where_their_group_says() {
    let mut bench = bench(2);
    let outcome = bench.send(1, &announcement(host(1)));
    assert_eq!(outcome.ports(), [2, 3, 10, 11]);
    let (_, copy) = &outcome.frames[2];
    assert_eq!(
        (&copy[..6], &copy[6..12]),
        (&NEXT_HOP.0[..], &ROUTER.0[..]),
        "the addresses that the tunnel has itself"
    );
}

#[test]
fn what_the_controller_sends_through_a_tunnel_takes_one_of_the_ways() {
    let mut bench = bench(2);
    let outcome = bench.send_from_controller(PacketOut::Send { bd: bd(5), location: tunnel(1) }, &flow(1));
    let way = bench.send(1, &flow(1)).frames[0].0;
    assert_eq!(inner(outcome.sent(way)), flow(1));
}

#[test]
fn without_a_next_hop_it_is_dropped_and_counted() {
    let mut bench = bench(1);
    for number in 0..Bucket::COUNT {
        bench.delete(bucket(number, 1).0);
    }
    bench.send(1, &flow(1)).dropped(DropReason::NoNextHop);
    bench.send(10, &transit(50000)).dropped(DropReason::NoNextHop);
    bench
        .send_from_controller(PacketOut::Ask { bd: bd(5), location: tunnel(1) }, &flow(1))
        .dropped(DropReason::NoNextHop);
}

#[test]
fn a_neighbour_that_goes_while_a_frame_is_on_its_way_is_a_counted_drop() {
    let mut bench = bench(1);
    bench.delete(NeighbourKey { neighbour: NeighbourId::new(1).unwrap() });
    for outcome in [bench.send(1, &flow(1)), bench.send(10, &transit(50000))] {
        assert_eq!(outcome.drops, [(Pipeline::Egress, DropReason::NoNextHop)], "{outcome:?}");
        assert!(outcome.frames.is_empty() && outcome.punts.is_empty());
    }
}
