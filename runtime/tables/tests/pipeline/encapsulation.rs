//! Item 8: what goes to a tunnel, byte by byte.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::bench::*;
use crate::frames::*;
use vouch_tables::{DestinationAction, DropReason, Pipeline};

fn bench() -> Bench {
    Bench::new().with_host(host(1), access(1)).with_host(host(2), access(2)).with_host(host(8), tunnel(1))
}

/// The outer bytes that carry a frame, but for the source port.
fn expected(ecn: u8, frame: &[u8]) -> Bytes {
    let header = Ipv4 { tos: DSCP << 2 | ecn, ttl: TTL, ..Ipv4::new(OURS, PEER1, 17) };
    ethernet(NEXT_HOP, ROUTER, IPV4, &header.with(&udp(0, 4789, &vxlan(8, VNI, frame))))
}

/// Checks every byte but the source port, and that this is in the dynamic range; returns it.
#[track_caller]
fn check(sent: &[u8], ecn: u8, frame: &[u8]) -> u16 {
    let port = word(sent, 34);
    assert!(port >= 49152, "source port {port}");
    let mut rest = sent.to_vec();
    rest[34..36].fill(0);
    assert_eq!(rest, expected(ecn, frame));
    port
}

#[test]
fn every_outer_byte_is_as_it_should_be() {
    let mut bench = bench();
    let frame = data(host(8), host(1));
    let outcome = bench.send(1, &frame);
    let sent = outcome.sent(10);
    check(sent, 0, &frame);
    // The mistakes of others, spelt out.
    assert_eq!(sent[42], 0x08, "the I flag");
    assert_eq!(word(sent, 40), 0, "no UDP checksum");
    assert_eq!(word(sent, 20), 0x4000, "DF");
    assert_eq!(checksum(&sent[14..34]), 0);
    assert_eq!(usize::from(word(sent, 16)), sent.len() - 14);
    assert_eq!(usize::from(word(sent, 38)), sent.len() - 34);
}

#[test]
fn lengths_are_those_of_the_frame_whatever_it_carries() {
    let mut bench = bench();
    let (mine, other) = (Ipv4Addr::new(192, 168, 0, 1), Ipv4Addr::new(192, 168, 0, 8));
    let mut padded = arp(host(8), host(1), ARP, 2, mine, other);
    padded.resize(60, 0);
    for frame in [
        arp(host(8), host(1), ARP, 2, mine, other),
        padded,
        ethernet(host(8), host(1), IPV6, &ipv6(0, 17, &udp(5, 6, &[1; 100]))),
        ethernet(host(8), host(1), 0x88b5, &[]),
        ethernet(host(8), host(1), 0x88b5, &[3; 1486]),
        // An inner length that lies.
        {
            let mut frame = data(host(8), host(1));
            frame[16..18].copy_from_slice(&[0xff, 0xff]);
            frame
        },
    ] {
        check(bench.send(1, &frame).sent(10), 0, &frame);
    }
}

#[test]
fn a_vlan_tag_is_neither_carried_nor_counted() {
    let mut bench = bench();
    let frame = data(host(8), host(2));
    check(bench.send(2, &tagged(20, &frame)).sent(10), 0, &frame);
}

#[test]
fn flooded_copies_are_encapsulated_alike() {
    let mut bench = bench();
    let frame = announcement(host(2));
    let outcome = bench.send(2, &tagged(20, &frame));
    assert_eq!(outcome.ports(), [1, 3, 10, 11]);
    check(&outcome.frames[2].1, 0, &frame);
}

#[test]
fn the_ecn_field_is_copied_to_the_outer_header() {
    let mut bench = bench();
    for ecn in 0..4 {
        let v4 = data_with(host(8), host(1), 0x28 | ecn, 1000);
        check(bench.send(1, &v4).sent(10), ecn, &v4);
        let v6 = ethernet(host(8), host(1), IPV6, &ipv6(0x28 | ecn, 17, &udp(5, 6, b"payload")));
        check(bench.send(1, &v6).sent(10), ecn, &v6);
    }
}

#[test]
fn the_source_port_follows_the_flow() {
    let mut bench = bench();
    let mut ports = BTreeSet::new();
    for flow in 0..200 {
        let frame = data_with(host(8), host(1), 0, 1000 + flow);
        let first = check(bench.send(1, &frame).sent(10), 0, &frame);
        let again = check(bench.send(1, &frame).sent(10), 0, &frame);
        assert_eq!(first, again, "one flow, one path");
        ports.insert(first);
    }
    assert!(ports.len() > 150, "200 flows have only {} source ports", ports.len());
}

#[test]
fn pieces_of_one_packet_share_a_source_port() {
    let mut bench = bench();
    let header =
        |fragment| Ipv4 { fragment, ..Ipv4::new(Ipv4Addr::new(192, 168, 0, 1), Ipv4Addr::new(192, 168, 0, 8), 17) };
    let first = ethernet(host(8), host(1), IPV4, &header(0x2000).with(&udp(1000, 2000, &[1; 32])));
    let last = ethernet(host(8), host(1), IPV4, &header(0x0005).with(&[2; 40]));
    let port = check(bench.send(1, &first).sent(10), 0, &first);
    assert_eq!(check(bench.send(1, &last).sent(10), 0, &last), port);
}

#[test]
fn other_flows_differ_by_what_they_have() {
    let mut bench = bench();
    let mut ports = BTreeSet::new();
    let addresses = (1..=40u8).map(|last| {
        let header = Ipv4::new(Ipv4Addr::new(192, 168, 1, last), Ipv4Addr::new(192, 168, 0, 8), 47);
        ethernet(host(8), host(1), IPV4, &header.with(b"gre"))
    });
    for frame in addresses {
        ports.insert(check(bench.send(1, &frame).sent(10), 0, &frame));
    }
    assert!(ports.len() > 30, "addresses alone: {}", ports.len());

    let mut ports = BTreeSet::new();
    for port in 0..40 {
        let frame = ethernet(host(8), host(1), IPV6, &ipv6(0, 6, &udp(port, 80, &[0; 12])));
        ports.insert(check(bench.send(1, &frame).sent(10), 0, &frame));
    }
    assert!(ports.len() > 30, "ports over IPv6: {}", ports.len());

    let mut ports = BTreeSet::new();
    for number in 0..40 {
        let frame = ethernet(host(8), host(1), 0x8900 + number, &[0; 46]);
        ports.insert(check(bench.send(1, &frame).sent(10), 0, &frame));
    }
    assert!(ports.len() > 30, "types of Ethernet: {}", ports.len());
}

#[test]
fn a_frame_passed_on_from_tunnel_to_tunnel_is_encapsulated_anew() {
    let mut bench = bench();
    bench.redirect(host(8), vouch_tables::DestinationAction::UnicastHairpin { location: tunnel(1) });
    let frame = data_with(host(8), host(9), 2, 1000);
    let hashed = check(bench.send_from_peer(2, &frame).sent(10), 2, &frame);
    let direct =
        check(bench.send(1, &data_with(host(8), host(1), 2, 1000)).sent(10), 2, &data_with(host(8), host(1), 2, 1000));
    assert_eq!(hashed, direct, "the same flow, by its addresses and ports");
    let ipv6 = ethernet(host(8), host(9), IPV6, &ipv6(0, 17, &udp(5, 6, b"payload")));
    check(bench.send_from_peer(2, &ipv6).sent(10), 0, &ipv6);
    let arp = arp(host(8), host(9), ARP, 2, Ipv4Addr::new(1, 1, 1, 1), Ipv4Addr::new(2, 2, 2, 2));
    check(bench.send_from_peer(2, &arp).sent(10), 0, &arp);
}

#[test]
fn what_the_underlay_does_not_carry_is_dropped_and_counted_where_it_came_in() {
    let mut bench = bench();
    bench.limit(1514);
    let longest = |dst, src| ethernet(dst, src, 0x88b5, &[7; 1500]);
    let beyond = |dst, src| [longest(dst, src), vec![7]].concat();
    check(bench.send(1, &longest(host(8), host(1))).sent(10), 0, &longest(host(8), host(1)));

    let outcome = bench.send(1, &beyond(host(8), host(1)));
    assert_eq!(outcome.drops, [(Pipeline::Egress, DropReason::ExceedsMtu)], "{outcome:?}");
    assert_eq!(outcome.too_long, [access(1)]);
    assert!(outcome.frames.is_empty() && outcome.punts.is_empty(), "{outcome:?}");

    // A tag does not travel, so it is no part of the length.
    check(bench.send(2, &tagged(20, &longest(host(8), host(2)))).sent(10), 0, &longest(host(8), host(2)));
    assert_eq!(bench.send(2, &tagged(20, &beyond(host(8), host(2)))).too_long, [access(2)]);

    // Hosts here get what is flooded, tunnels do not.
    let outcome = bench.send(1, &beyond(vouch_net::MacAddr::BROADCAST, host(1)));
    assert_eq!(outcome.ports(), [2, 3, 11]);
    assert_eq!(outcome.too_long, [access(1)], "one tunnel carries less than the other");

    // What a peer sends on.
    bench.redirect(host(8), DestinationAction::UnicastHairpin { location: tunnel(1) });
    assert_eq!(bench.send_from_peer(2, &beyond(host(8), host(77))).too_long, [tunnel(2)]);
    // Between hosts here there is no tunnel.
    assert_eq!(bench.send(1, &beyond(host(2), host(1))).ports(), [2]);
}
