//! Item 3: an underlay packet for somebody else is routed.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use vouch_net::MacAddr;
use vouch_tables::{DropReason, UnderlayRouteAction, UnderlayRouteKey};

use crate::bench::*;
use crate::frames::*;

const FAR: Ipv4Addr = Ipv4Addr::new(10, 0, 9, 9);
const LINK_SRC: MacAddr = MacAddr([2, 0x20, 0, 0, 0, 1]);
const LINK_DST: MacAddr = MacAddr([2, 0x20, 0, 0, 0, 2]);

fn bench() -> Bench {
    let mut bench = Bench::new();
    let route = |out| UnderlayRouteAction::Route { port: port(out), src_mac: LINK_SRC, dst_mac: LINK_DST };
    let prefix = |length: u8| Ipv4Net::new(Ipv4Addr::from_bits(FAR.to_bits() & !(u32::MAX >> length)), length).unwrap();
    bench.insert(UnderlayRouteKey { dst: prefix(16) }.with(route(11)));
    bench.insert(UnderlayRouteKey { dst: prefix(24) }.with(route(12)));
    bench
}

fn packet(dst: Ipv4Addr, ttl: u8) -> Bytes {
    let payload = udp(50000, 4789, &vxlan(8, VNI, &data(host(1), host(2))));
    ethernet(ROUTER, NEXT_HOP, IPV4, &Ipv4 { ttl, ..Ipv4::new(PEER1, dst, 17) }.with(&payload))
}

#[test]
fn a_packet_goes_on_with_one_less_to_live() {
    let outcome = bench().send(10, &packet(FAR, 64));
    let mut expected = packet(FAR, 63);
    expected[..6].copy_from_slice(&LINK_DST.0);
    expected[6..12].copy_from_slice(&LINK_SRC.0);
    assert_eq!(outcome.sent(12), expected, "the longest prefix, checksum and all");
}

#[test]
fn the_shorter_prefix_takes_the_rest() {
    assert_eq!(bench().send(10, &packet(Ipv4Addr::new(10, 0, 8, 1), 64)).ports(), [11]);
}

#[test]
fn life_ends_at_one() {
    let mut bench = bench();
    bench.send(10, &packet(FAR, 1)).dropped(DropReason::TtlExpired);
    bench.send(10, &packet(FAR, 0)).dropped(DropReason::TtlExpired);
    assert_eq!(bench.send(10, &packet(FAR, 2)).sent(12)[22], 1);
}

#[test]
fn without_route_it_goes_nowhere() {
    bench().send(10, &packet(Ipv4Addr::new(11, 0, 0, 1), 64)).dropped(DropReason::NoRoute);
}

#[test]
fn a_default_route_takes_everything() {
    let mut bench = bench();
    let route = UnderlayRouteAction::Route { port: port(13), src_mac: LINK_SRC, dst_mac: LINK_DST };
    bench.insert(UnderlayRouteKey { dst: Ipv4Net::default() }.with(route));
    assert_eq!(bench.send(10, &packet(Ipv4Addr::new(11, 0, 0, 1), 64)).ports(), [13]);
}

#[test]
fn every_checksum_is_updated_rightly() {
    let mut bench = bench();
    for ttl in [2, 64, 255] {
        for host in 0..=255 {
            for dst in [Ipv4Addr::new(10, 0, 9, host), Ipv4Addr::new(10, 0, host, 9)] {
                let outcome = bench.send(10, &packet(dst, ttl));
                assert_eq!(checksum(&outcome.frames[0].1[14..34]), 0, "{dst} ttl {ttl}");
            }
        }
    }
}

#[test]
fn options_fragments_and_other_protocols_are_routed_as_well() {
    let mut bench = bench();
    let headers = [
        Ipv4 { options: vec![1, 1, 1, 0], ..Ipv4::new(PEER1, FAR, 17) },
        Ipv4 { fragment: 0x2001, ..Ipv4::new(PEER1, FAR, 17) },
        Ipv4 { fragment: 100, ..Ipv4::new(PEER1, FAR, 6) },
        Ipv4::new(PEER1, FAR, 89),
    ];
    for header in headers {
        let sent = ethernet(ROUTER, NEXT_HOP, IPV4, &header.with(b"whatever it is"));
        let outcome = bench.send(10, &sent);
        let frame = outcome.sent(12);
        let end = 14 + usize::from(frame[14] & 15) * 4;
        assert_eq!(checksum(&frame[14..end]), 0);
        assert_eq!(frame[22], 63);
        assert_eq!(frame[26..], sent[26..]);
    }
}

#[test]
fn a_damaged_header_is_not_repaired() {
    let mut bench = bench();
    let mut plain = packet(FAR, 64);
    plain[18] ^= 0x40;
    bench.send(10, &plain).dropped(DropReason::OuterChecksum);
    // With options the switch does not verify; the damage stays visible to the next one.
    let header = Ipv4 { options: vec![1; 4], ..Ipv4::new(PEER1, FAR, 17) };
    let mut options = ethernet(ROUTER, NEXT_HOP, IPV4, &header.with(b"payload"));
    options[18] ^= 0x40;
    assert_ne!(checksum(&bench.send(10, &options).sent(12)[14..38]), 0);
}
