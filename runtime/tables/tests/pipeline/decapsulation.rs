//! Item 2: VXLAN from a peer is decapsulated; everything else to our tunnel address is a counted drop.

use std::net::Ipv4Addr;

use vouch_tables::DropReason;

use crate::bench::*;
use crate::frames::*;

fn bench() -> Bench {
    Bench::new().with_host(host(1), access(1)).with_host(host(9), tunnel(1))
}

/// A packet to our tunnel address with any outer header.
fn outer(header: &Ipv4, payload: &[u8]) -> Bytes {
    ethernet(ROUTER, NEXT_HOP, IPV4, &header.with(payload))
}

fn valid() -> Ipv4 {
    Ipv4::new(PEER1, OURS, 17)
}

#[test]
fn a_valid_packet_becomes_its_inner_frame() {
    let mut bench = bench();
    let long = ethernet(host(1), host(9), 0x88b5, &[7; 1400]);
    let short = ethernet(host(1), host(9), 0x88b5, &[]);
    let ipv6 = ethernet(host(1), host(9), IPV6, &ipv6(0, 17, &udp(1, 2, b"payload")));
    let reply = arp(host(1), host(9), ARP, 2, Ipv4Addr::new(192, 168, 0, 9), Ipv4Addr::new(192, 168, 0, 1));
    for inner in [data(host(1), host(9)), long, short, ipv6, reply] {
        assert_eq!(bench.send_from_peer(1, &inner).sent(1), inner);
    }
}

#[test]
fn any_udp_checksum_and_any_port_of_the_underlay_will_do() {
    let mut bench = bench();
    let inner = data(host(1), host(9));
    let mut packet = from_peer(PEER1, VNI, &inner);
    packet[40..42].copy_from_slice(&[0xde, 0xad]);
    assert_eq!(bench.send(10, &packet).sent(1), inner);
    assert_eq!(bench.send(11, &packet).sent(1), inner, "routing may change while tunnels stay");
}

#[test]
fn a_tagged_underlay_link_needs_its_own_interface() {
    bench().send(10, &tagged(7, &from_peer(PEER1, VNI, &data(host(1), host(9))))).dropped(DropReason::UnknownInterface);
}

#[test]
fn reserved_bits_are_ignored() {
    let mut bench = bench();
    let inner = data(host(1), host(9));
    let mut packet = from_peer(PEER1, VNI, &inner);
    packet[42] = 0xff;
    packet[43..46].copy_from_slice(&[1, 2, 3]);
    packet[49] = 4;
    assert_eq!(bench.send(10, &packet).sent(1), inner);
}

#[test]
fn without_the_i_flag_the_vni_is_not_valid() {
    let payload = udp(50000, 4789, &vxlan(0xf7, VNI, &data(host(1), host(9))));
    bench().send(10, &outer(&valid(), &payload)).dropped(DropReason::VxlanFlags);
}

#[test]
fn fragments_are_refused() {
    let mut bench = bench();
    let payload = udp(50000, 4789, &vxlan(8, VNI, &data(host(1), host(9))));
    for fragment in [0x2000, 0x0001, 0x2001, 0x1fff] {
        let header = Ipv4 { fragment, ..valid() };
        bench.send(10, &outer(&header, &payload)).dropped(DropReason::OuterFragment);
    }
}

#[test]
fn a_wrong_outer_checksum_is_refused() {
    let mut packet = from_peer(PEER1, VNI, &data(host(1), host(9)));
    packet[24] ^= 1;
    bench().send(10, &packet).dropped(DropReason::OuterChecksum);
}

#[test]
fn what_is_not_vxlan_is_refused() {
    let mut bench = bench();
    let payload = udp(50000, 4789, &vxlan(8, VNI, &data(host(1), host(9))));
    bench.send(10, &outer(&Ipv4 { protocol: 6, ..valid() }, &payload)).dropped(DropReason::NotVxlan);
    bench.send(10, &outer(&Ipv4 { protocol: 1, ..valid() }, &payload)).dropped(DropReason::NotVxlan);
    bench.send(10, &outer(&Ipv4 { options: vec![1; 4], ..valid() }, &payload)).dropped(DropReason::NotVxlan);
    let other_port = udp(50000, 8472, &vxlan(8, VNI, &data(host(1), host(9))));
    bench.send(10, &outer(&valid(), &other_port)).dropped(DropReason::NotVxlan);
    bench.send(10, &outer(&valid(), &[0, 0, 0])).dropped(DropReason::NotVxlan);
}

#[test]
fn another_port_carries_vxlan_where_it_is_configured() {
    let mut bench = bench();
    let inner = data(host(1), host(9));
    let packet = |port| outer(&valid(), &udp(50000, port, &vxlan(8, VNI, &inner)));
    bench.set_vxlan_ports(&[8472]);
    assert_eq!(bench.send(10, &packet(8472)).sent(1), inner);
    assert_eq!(bench.send(10, &packet(4789)).sent(1), inner, "and the assigned one still does");
    bench.send(10, &packet(8473)).dropped(DropReason::NotVxlan);
}

#[test]
fn what_is_cut_short_is_refused() {
    let mut bench = bench();
    let inner = ethernet(host(1), host(9), 0x88b5, &[]);
    for length in 0..inner.len() {
        let payload = udp(50000, 4789, &vxlan(8, VNI, &inner[..length]));
        bench.send(10, &outer(&valid(), &payload)).dropped(DropReason::VxlanTooShort);
    }
    bench.send(10, &outer(&valid(), &udp(50000, 4789, &[8, 0, 0]))).dropped(DropReason::VxlanTooShort);
    // Lengths that promise more than there is.
    let whole = from_peer(PEER1, VNI, &data(host(1), host(9)));
    let cut = bench.send(10, &whole[..whole.len() - 1]);
    if crate::INGRESS_KNOWS_LENGTH {
        cut.dropped(DropReason::VxlanTooShort);
    } else {
        assert_eq!(cut.sent(1), inner_of_cut(&whole));
    }
    // Lengths that promise too little.
    let mut udp_length = whole.clone();
    udp_length[38..40].copy_from_slice(&29u16.to_be_bytes());
    bench.send(10, &udp_length).dropped(DropReason::VxlanTooShort);
    let mut udp_length = whole;
    udp_length[38..40].copy_from_slice(&9000u16.to_be_bytes());
    bench.send(10, &udp_length).dropped(DropReason::VxlanTooShort);
}

/// The inner frame of a VXLAN packet, less the last byte.
fn inner_of_cut(whole: &[u8]) -> &[u8] {
    &inner(whole)[..inner(whole).len() - 1]
}

#[test]
fn only_peers_are_believed() {
    let mut bench = bench();
    let inner = data(host(1), host(9));
    bench.send(10, &from_peer(Ipv4Addr::new(10, 0, 0, 99), VNI, &inner)).dropped(DropReason::UnknownPeer);
    bench.send(10, &from_peer(OURS, VNI, &inner)).dropped(DropReason::UnknownPeer);
}

#[test]
fn vnis_are_worlds_of_their_own() {
    let mut bench = bench();
    let inner = data(host(1), host(9));
    bench.send(10, &from_peer(PEER1, 7007, &inner)).dropped(DropReason::UnknownVni);
    // The host of VNI 5005 is unknown in VNI 6006: flooded there, to that VNI's only access interface.
    assert_eq!(bench.send(10, &from_peer(PEER1, 6006, &inner)).sent(4), inner);
}

#[test]
fn an_inner_tag_is_refused() {
    let mut bench = bench();
    bench.send_from_peer(1, &tagged(20, &data(host(1), host(9)))).dropped(DropReason::InnerTag);
    let service = ethernet(host(1), host(9), 0x88a8, &[0; 46]);
    bench.send_from_peer(1, &service).dropped(DropReason::InnerTag);
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
            let header = Ipv4 { tos: 0x10 | outer_ecn, ..valid() };
            let carry = |inner: &[u8]| outer(&header, &udp(50000, 4789, &vxlan(8, VNI, inner)));

            let v4 = data_with(host(1), host(9), 0xb8 | inner_ecn, 1000);
            let v6 = ethernet(host(1), host(9), IPV6, &ipv6(0xb8 | inner_ecn, 17, &udp(1, 2, b"payload")));
            let outcomes = [bench.send(10, &carry(&v4)), bench.send(10, &carry(&v6))];
            let Some(ecn) = expected else {
                outcomes.iter().for_each(|outcome| outcome.dropped(DropReason::EcnNotCapable));
                continue;
            };
            let expected = data_with(host(1), host(9), 0xb8 | ecn, 1000);
            assert_eq!(outcomes[0].sent(1), expected, "inner {inner_ecn}, outer {outer_ecn}: checksum included");
            let expected = ethernet(host(1), host(9), IPV6, &ipv6(0xb8 | ecn, 17, &udp(1, 2, b"payload")));
            assert_eq!(outcomes[1].sent(1), expected, "inner {inner_ecn}, outer {outer_ecn}");
        }
    }
}

#[test]
fn the_inner_checksum_is_right_for_every_value_it_can_have() {
    let mut bench = bench();
    // The identification walks the checksum through its values, carries and the two zeros among them.
    for identification in (0..=0xffffu16).step_by(251).chain(0xffd0..=0xffff) {
        let mut inner = data_with(host(1), host(9), 2, 1000);
        inner[18..20].copy_from_slice(&identification.to_be_bytes());
        inner[24..26].fill(0);
        let sum = checksum(&inner[14..34]);
        inner[24..26].copy_from_slice(&sum.to_be_bytes());
        for tos in [1, 3] {
            let packet = outer(&Ipv4 { tos, ..valid() }, &udp(50000, 4789, &vxlan(8, VNI, &inner)));
            let outcome = bench.send(10, &packet);
            let frame = outcome.sent(1);
            assert_eq!(frame[15] & 3, tos);
            assert_eq!(checksum(&frame[14..34]), 0, "identification {identification:#x}, outer {tos}");
        }
    }
}

#[test]
fn a_frame_without_ecn_field_passes_under_any_mark() {
    let inner = announcement(host(9));
    let packet = outer(&Ipv4 { tos: 3, ..valid() }, &udp(50000, 4789, &vxlan(8, VNI, &inner)));
    let outcome = bench().send(10, &packet);
    assert_eq!(outcome.ports(), [1, 2, 3]);
    assert_eq!(outcome.frames[0].1, inner);
}

#[test]
fn a_tenants_own_vxlan_is_data() {
    let mut bench = bench();
    let tenants = ethernet(
        host(9),
        host(1),
        IPV4,
        &Ipv4::new(Ipv4Addr::new(1, 1, 1, 1), OURS, 17).with(&udp(1, 4789, &vxlan(8, 1, &data(host(5), host(6))))),
    );
    let outcome = bench.send(1, &tenants);
    assert_eq!(inner(outcome.sent(10)), tenants, "encapsulated as it is");
    let back = ethernet(host(1), host(9), IPV4, &tenants[14..]);
    assert_eq!(bench.send_from_peer(1, &back).sent(1), back, "and decapsulated once");
}
