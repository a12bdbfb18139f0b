//! An underlay of IPv6: the same as over IPv4, with what RFC 7348, 6040, 6935 and 4861 want otherwise.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use vouch_net::MacAddr;
use vouch_tables::*;

use crate::bench::*;
use crate::frames::*;

const OURS_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const PEER1_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
const FAR: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9);
const OUR_LINK: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0);
const THEIR_LINK: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1);
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const LINK_SRC: MacAddr = MacAddr([2, 0x20, 0, 0, 0, 1]);
const LINK_DST: MacAddr = MacAddr([2, 0x20, 0, 0, 0, 2]);

/// The outer packet of a tunnel over IPv6, or one in transit.
struct Ipv6 {
    traffic_class: u8,
    flow_label: u32,
    next_header: u8,
    hop_limit: u8,
    src: Ipv6Addr,
    dst: Ipv6Addr,
}

impl Ipv6 {
    fn new(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8) -> Self {
        Self { traffic_class: 0, flow_label: 0, next_header, hop_limit: 64, src, dst }
    }

    fn with(&self, payload: &[u8]) -> Bytes {
        let first = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label;
        let mut packet = first.to_be_bytes().to_vec();
        packet.extend((payload.len() as u16).to_be_bytes());
        packet.extend([self.next_header, self.hop_limit]);
        packet.extend(self.src.octets());
        packet.extend(self.dst.octets());
        [packet, payload.to_vec()].concat()
    }
}

fn encapsulation(max_frame_bytes: u16) -> (EntryKey, EntryAction) {
    EncapsulateKey { location: tunnel(1) }.with(EncapsulateAction::EncapsulateIpv6 {
        src_ip: OURS_6,
        dst_ip: PEER1_6,
        src_mac: ROUTER,
        dst_mac: NEXT_HOP,
        hop_limit: TTL,
        dscp: Dscp::new(DSCP).unwrap(),
        max_frame_bytes,
    })
}

/// Tunnel 1 is one over IPv6, tunnel 2 is still one over IPv4; what is in transit goes on by port 12, and by port 11 to one prefix.
fn bench() -> Bench {
    let mut bench =
        Bench::new().with_host(host(1), access(1)).with_host(host(2), access(2)).with_host(host(8), tunnel(1));
    bench.modify(encapsulation(u16::MAX));
    bench.insert(LocalVtepIpv6Key { dst: OURS_6 }.with(LocalVtepIpv6Action::Terminate));
    bench.insert(UnderlayPeerIpv6Key { src: PEER1_6 }.with(UnderlayPeerIpv6Action::FromTunnel { location: tunnel(1) }));
    let route = |out| UnderlayRouteIpv6Action::Route { port: port(out), src_mac: LINK_SRC, dst_mac: LINK_DST };
    bench.insert(UnderlayRouteIpv6Key { dst: Ipv6Net::default() }.with(route(12)));
    bench.insert(UnderlayRouteIpv6Key { dst: Ipv6Net::new(FAR, 48).unwrap().trunc() }.with(route(11)));
    bench
}

/// Port 10 is a link with an address of ours.
fn with_link() -> Bench {
    let mut bench = bench();
    let location = LocationId::link(port(10));
    let interface = IngressInterfaceKey { ingress_port: port(10), vlan_id: Tag::Untagged };
    bench.modify(interface.with(IngressInterfaceAction::Link { router_mac: ROUTER, location }));
    bench.insert(LocationPortKey { location }.with(LocationPortAction::Port { port: port(10) }));
    bench.insert(AccessTagKey { location }.with(AccessTagAction::Untagged));
    bench.insert(LocalVtepIpv6Key { dst: OUR_LINK }.with(LocalVtepIpv6Action::HandOver));
    bench
}

fn to_router(packet: &[u8]) -> Bytes {
    ethernet(ROUTER, NEXT_HOP, IPV6, packet)
}

fn outer() -> Ipv6 {
    Ipv6::new(PEER1_6, OURS_6, 17)
}

fn carry(header: &Ipv6, inner: &[u8]) -> Bytes {
    to_router(&header.with(&udp(50000, 4789, &vxlan(8, VNI, inner))))
}

#[test]
fn every_outer_byte_is_as_it_should_be() {
    let mut bench = bench();
    let arp = arp(host(8), host(1), ARP, 2, Ipv4Addr::new(192, 168, 0, 1), Ipv4Addr::new(192, 168, 0, 8));
    let over_ipv6 = |class| ethernet(host(8), host(1), IPV6, &ipv6(class, 17, &udp(5, 6, b"payload")));
    for (frame, ecn) in [
        (data(host(8), host(1)), 0),
        (data_with(host(8), host(1), 0xb9, 1000), 1),
        (over_ipv6(2), 2),
        (over_ipv6(0xbb), 3),
        (arp, 0),
        (ethernet(host(8), host(1), 0x88b5, &[3; 1486]), 0),
    ] {
        let outcome = bench.send(1, &frame);
        let sent = outcome.sent(10);
        let source_port = word(sent, 54);
        assert!(source_port >= 49152, "source port {source_port}");
        let header = Ipv6 {
            traffic_class: DSCP << 2 | ecn,
            flow_label: u32::from(source_port & 0x3fff),
            hop_limit: TTL,
            ..Ipv6::new(OURS_6, PEER1_6, 17)
        };
        let expected = ethernet(NEXT_HOP, ROUTER, IPV6, &header.with(&udp(source_port, 4789, &vxlan(8, VNI, &frame))));
        assert_eq!(sent, expected);
    }
}

#[test]
fn copies_are_encapsulated_as_each_tunnel_is() {
    let outcome = bench().send(1, &announcement(host(1)));
    assert_eq!(outcome.ports(), [2, 3, 10, 11]);
    let types: Vec<_> = outcome.frames[2..].iter().map(|(_, frame)| word(frame, 12)).collect();
    assert_eq!(types, [IPV6, IPV4]);
}

#[test]
fn a_valid_packet_becomes_its_inner_frame() {
    let mut bench = bench();
    let long = ethernet(host(1), host(8), 0x88b5, &[7; 1400]);
    let short = ethernet(host(1), host(8), 0x88b5, &[]);
    let ipv6 = ethernet(host(1), host(8), IPV6, &ipv6(0, 17, &udp(1, 2, b"payload")));
    for inner in [data(host(1), host(8)), long, short, ipv6] {
        assert_eq!(bench.send(10, &carry(&outer(), &inner)).sent(1), inner);
    }
    // Zero must be accepted, and whether another checksum is right may be left open.
    let inner = data(host(1), host(8));
    let mut with_checksum = carry(&outer(), &inner);
    with_checksum[60..62].copy_from_slice(&[0xde, 0xad]);
    assert_eq!(bench.send(11, &with_checksum).sent(1), inner);
    assert_eq!(bench.send(10, &carry(&Ipv6 { flow_label: 0xf_ffff, ..outer() }, &inner)).sent(1), inner);
    // What neither peer's tunnel has to do with the other's family.
    assert_eq!(bench.send_from_peer(2, &inner).sent(1), inner);
}

#[test]
fn what_is_no_valid_vxlan_is_dropped_for_its_reason() {
    let mut bench = bench();
    let inner = data(host(1), host(8));
    let whole = udp(50000, 4789, &vxlan(8, VNI, &inner));
    let with = |header: Ipv6, payload: &[u8]| to_router(&header.with(payload));
    let extension =
        |next_header, next: u8| (Ipv6 { next_header, ..outer() }, [&[next, 0, 0, 0, 0, 0, 0, 0][..], &whole].concat());
    let ((fragment, fragmented), (hop_by_hop, behind)) = (extension(44, 17), extension(0, 17));
    let cases = [
        (with(fragment, &fragmented), DropReason::OuterFragment),
        (with(hop_by_hop, &behind), DropReason::NotVxlan),
        (with(Ipv6 { next_header: 6, ..outer() }, &whole), DropReason::NotVxlan),
        (with(outer(), &udp(50000, 8472, &vxlan(8, VNI, &inner))), DropReason::NotVxlan),
        (with(outer(), &[0, 0, 0]), DropReason::NotVxlan),
        (with(outer(), &udp(50000, 4789, &[8, 0, 0])), DropReason::VxlanTooShort),
        (with(outer(), &udp(50000, 4789, &vxlan(8, VNI, &inner[..13]))), DropReason::VxlanTooShort),
        (with(outer(), &udp(50000, 4789, &vxlan(0xf7, VNI, &inner))), DropReason::VxlanFlags),
        (with(Ipv6 { src: FAR, ..outer() }, &whole), DropReason::UnknownPeer),
        (with(Ipv6 { src: OURS_6, ..outer() }, &whole), DropReason::UnknownPeer),
        (with(outer(), &udp(50000, 4789, &vxlan(8, 7007, &inner))), DropReason::UnknownVni),
        (carry(&outer(), &tagged(20, &inner)), DropReason::InnerTag),
    ];
    for (frame, reason) in cases {
        bench.send(10, &frame).dropped(reason);
    }
    // Lengths that promise less, and more, than there is.
    for length in [29_u16, 9000] {
        let mut frame = carry(&outer(), &inner);
        frame[58..60].copy_from_slice(&length.to_be_bytes());
        bench.send(10, &frame).dropped(DropReason::VxlanTooShort);
    }
    let frame = carry(&outer(), &inner);
    let cut = bench.send(10, &frame[..frame.len() - 1]);
    if crate::INGRESS_KNOWS_LENGTH {
        cut.dropped(DropReason::VxlanTooShort);
    }
}

/// RFC 6040, figure 4, by inner and outer field; None is a drop.
const COMBINED: [[Option<u8>; 4]; 4] = [
    [Some(0), Some(0), Some(0), None],
    [Some(1), Some(1), Some(1), Some(3)],
    [Some(2), Some(1), Some(2), Some(3)],
    [Some(3), Some(3), Some(3), Some(3)],
];

#[test]
fn congestion_marks_reach_the_inner_packet() {
    let mut bench = bench();
    for (inner_ecn, row) in (0u8..).zip(COMBINED) {
        for (outer_ecn, expected) in (0u8..).zip(row) {
            let header = Ipv6 { traffic_class: 0x10 | outer_ecn, ..outer() };
            let v4 = |ecn| data_with(host(1), host(8), 0xb8 | ecn, 1000);
            let v6 = |ecn| ethernet(host(1), host(8), IPV6, &ipv6(0xb8 | ecn, 17, &udp(1, 2, b"payload")));
            let outcomes =
                [bench.send(10, &carry(&header, &v4(inner_ecn))), bench.send(10, &carry(&header, &v6(inner_ecn)))];
            let Some(ecn) = expected else {
                outcomes.iter().for_each(|outcome| outcome.dropped(DropReason::EcnNotCapable));
                continue;
            };
            assert_eq!(outcomes[0].sent(1), v4(ecn), "inner {inner_ecn}, outer {outer_ecn}");
            assert_eq!(outcomes[1].sent(1), v6(ecn), "inner {inner_ecn}, outer {outer_ecn}");
        }
    }
}

#[test]
fn a_packet_in_transit_goes_on_with_one_hop_less() {
    let mut bench = bench();
    let packet = |dst, hop_limit| Ipv6 { hop_limit, flow_label: 0x1_2345, ..Ipv6::new(PEER1_6, dst, 17) };
    let elsewhere = Ipv6Addr::new(0x2001, 0xdb8, 8, 0, 0, 0, 0, 1);
    for (dst, out) in [(FAR, 11), (elsewhere, 12)] {
        for payload in [udp(50000, 4789, &vxlan(8, VNI, &data(host(1), host(2)))), b"whatever it is".to_vec()] {
            let expected = ethernet(LINK_DST, LINK_SRC, IPV6, &packet(dst, 63).with(&payload));
            assert_eq!(bench.send(10, &to_router(&packet(dst, 64).with(&payload))).sent(out), expected);
        }
    }
    for hop_limit in [0, 1] {
        bench.send(10, &to_router(&packet(FAR, hop_limit).with(b"payload"))).dropped(DropReason::TtlExpired);
    }
    assert_eq!(bench.send(10, &to_router(&packet(FAR, 2).with(b"payload"))).sent(11)[21], 1);
    // What is of a link stays there, though a route covers all.
    for (src, dst) in [(LINK_LOCAL, FAR), (PEER1_6, LINK_LOCAL)] {
        bench.send(10, &to_router(&Ipv6::new(src, dst, 17).with(b"payload"))).dropped(DropReason::NoRoute);
    }
    let mut version = to_router(&packet(FAR, 64).with(b"payload"));
    version[14] = 0x50;
    bench.send(10, &version).dropped(DropReason::UnderlayNotIp);
    let mut other = to_router(&packet(FAR, 64).with(b"payload"));
    other[..6].copy_from_slice(&NEXT_HOP.0);
    bench.send(10, &other).dropped(DropReason::NotRouterMac);
    bench.delete(UnderlayRouteIpv6Key { dst: Ipv6Net::default() });
    bench.send(10, &to_router(&packet(elsewhere, 64).with(b"payload"))).dropped(DropReason::NoRoute);
    // The other family's routes are the other family's.
    let route = UnderlayRouteAction::Route { port: port(13), src_mac: LINK_SRC, dst_mac: LINK_DST };
    bench.insert(UnderlayRouteKey { dst: Ipv4Net::default() }.with(route));
    bench.send(10, &to_router(&packet(elsewhere, 64).with(b"payload"))).dropped(DropReason::NoRoute);
}

#[test]
fn neighbours_are_heard_on_links_only_and_from_no_further() {
    let mut bench = with_link();
    let discovery = |dst, kind, hop_limit| {
        let mut frame = neighbour_discovery(dst, NEXT_HOP, kind, THEIR_LINK, OUR_LINK);
        frame[21] = hop_limit;
        frame
    };
    let bfd = |hop_limit| {
        to_router(&Ipv6 { hop_limit, ..Ipv6::new(THEIR_LINK, OUR_LINK, 17) }.with(&udp(49152, 3784, &[0; 24])))
    };
    let group = solicited_node(OUR_LINK);
    for frame in [discovery(group, 135, 255), discovery(ROUTER, 136, 255), bfd(255)] {
        let outcome = bench.send(10, &frame);
        assert_eq!(outcome.neighbours, [(10, frame.clone())], "{outcome:?}");
        assert!(outcome.frames.is_empty() && outcome.drops.is_empty() && outcome.punts.is_empty(), "{outcome:?}");
        assert_eq!(bench.send_from_controller(PacketOut::Link { port: port(10) }, &frame).sent(10), frame);
    }
    bench.send(10, &discovery(group, 135, 254)).dropped(DropReason::NotRouterMac);
    bench.send(11, &discovery(group, 135, 255)).dropped(DropReason::NotRouterMac);
    // Where we have no address, it is asked for by nobody, and nobody's.
    bench.delete(UnderlayRouteIpv6Key { dst: Ipv6Net::default() });
    bench.send(11, &bfd(255)).dropped(DropReason::NoRoute);
    // Nothing that is for our address is for somebody else, but the agent may find it too far off.
    assert_eq!(bench.send(10, &bfd(1)).neighbours.len(), 1);
}

#[test]
fn a_tagged_link_carries_ipv6_as_well() {
    let (mut untagged, mut bench) = (bench(), bench());
    let vlan_id = VlanId::new(30).unwrap();
    let interface = |vlan_id| IngressInterfaceKey { ingress_port: port(10), vlan_id };
    bench.delete(interface(Tag::Untagged));
    bench.insert(interface(Tag::Vlan(vlan_id)).with(IngressInterfaceAction::Underlay { router_mac: ROUTER }));
    for out in [10, 12] {
        bench.insert(UnderlayTagKey { port: port(out) }.with(UnderlayTagAction::Tagged { vlan_id }));
    }
    let frame = data(host(8), host(1));
    assert_eq!(bench.send(1, &frame).sent(10), tagged(30, untagged.send(1, &frame).sent(10)));
    let inner = data(host(1), host(8));
    let packet = carry(&outer(), &inner);
    assert_eq!(bench.send(10, &tagged(30, &packet)).sent(1), inner);
    bench.send(10, &packet).dropped(DropReason::UnknownInterface);
    let transit = to_router(&Ipv6::new(PEER1_6, PEER1_6, 17).with(b"payload"));
    assert_eq!(bench.send(10, &tagged(30, &transit)).sent(12), tagged(30, untagged.send(10, &transit).sent(12)));
}

#[test]
fn what_the_controller_gets_of_a_frame_that_came_over_ipv6_is_the_frame() {
    let answer = data(PROBE, host(8));
    let outcome = bench().send(10, &carry(&outer(), &answer));
    let heard: Vec<_> = outcome.punts.iter().map(|(header, frame)| (header.reason, header.location, frame)).collect();
    assert_eq!(heard, [(PuntReason::ProbeReply, tunnel(1), &answer)], "{outcome:?}");
}

#[test]
fn what_the_underlay_does_not_carry_is_dropped_and_counted() {
    let mut bench = bench();
    bench.modify(encapsulation(1514));
    let longest = ethernet(host(8), host(1), 0x88b5, &[7; 1500]);
    assert_eq!(bench.send(1, &longest).sent(10).len(), 1514 + 70);
    let outcome = bench.send(1, &[longest, vec![7]].concat());
    assert_eq!(outcome.drops, [(Pipeline::Egress, DropReason::ExceedsMtu)], "{outcome:?}");
    assert_eq!(outcome.too_long, [access(1)]);
}

#[test]
fn a_tenants_own_vxlan_is_data() {
    let mut bench = bench();
    let tenants = |dst, src| {
        let header = Ipv6::new(PEER1_6, OURS_6, 17);
        ethernet(dst, src, IPV6, &header.with(&udp(1, 4789, &vxlan(8, 1, &data(host(5), host(6))))))
    };
    let frame = tenants(host(8), host(1));
    let outcome = bench.send(1, &frame);
    assert_eq!(outcome.sent(10)[70..], frame, "encapsulated as it is");
    let back = tenants(host(1), host(8));
    assert_eq!(bench.send(10, &carry(&outer(), &back)).sent(1), back, "and decapsulated once");
    assert_eq!(bench.send(1, &tenants(host(2), host(1))).sent(2), tagged(20, &tenants(host(2), host(1))));
}

#[test]
fn several_next_hops_share_what_is_in_transit_over_ipv6() {
    let mut bench = bench();
    let group = HopGroup::new(7).unwrap();
    for number in 1..=2 {
        let neighbour = NeighbourId::new(number).unwrap();
        let dst_mac = MacAddr([2, 0x30, 0, 0, 2, number as u8]);
        bench.insert(NeighbourKey { neighbour }.with(NeighbourAction::Link { src_mac: LINK_SRC, dst_mac }));
    }
    for bucket in Bucket::all() {
        let number = 1 + u16::from(bucket.get()) % 2;
        let via = NextHopAction::Via { port: port(20 + number), neighbour: NeighbourId::new(number).unwrap() };
        bench.insert(NextHopKey { group, bucket }.with(via));
    }
    let all = UnderlayRouteIpv6Key { dst: Ipv6Net::default() };
    bench.modify(all.with(UnderlayRouteIpv6Action::Balance { group }));
    let mut by_port: BTreeMap<u16, u16> = BTreeMap::new();
    for flow in 0..400 {
        let payload = udp(50000 + flow, 4789, &vxlan(8, VNI, &data(host(1), host(2))));
        let outcome = bench.send(10, &to_router(&Ipv6::new(OURS_6, PEER1_6, 17).with(&payload)));
        let (out, sent) = outcome.frames[0].clone();
        assert_eq!((sent[5], sent[21]), ((out - 20) as u8, 63));
        *by_port.entry(out).or_default() += 1;
    }
    assert!(by_port.len() == 2 && by_port.values().all(|flows| flows.abs_diff(200) <= 20), "{by_port:?}");
}
