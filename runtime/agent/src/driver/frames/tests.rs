//! Frames as hosts send them, and as hosts read ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vouch_net::MacAddr;

use super::read::FrameError;
use super::*;
use crate::config::ProbeAs;

const HOST: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const PROBE_MAC: MacAddr = MacAddr([2, 0x76, 10, 0, 0, 1]);
const GATEWAY: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xfe]);
const GATEWAY_IP: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 254);
const FREE_IP: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 253);

fn source(probe_as: ProbeAs, seen_there: bool) -> ProbeSource {
    ProbeSource::new(probe_as, PROBE_MAC, seen_there)
}

fn free_address() -> ProbeSource {
    source(ProbeAs::Address { ipv4: Some(FREE_IP), ipv6: None }, true)
}

fn gateway(ipv6: Option<Ipv6Addr>) -> ProbeAs {
    ProbeAs::Gateway { ip: GATEWAY_IP, mac: GATEWAY, ipv6 }
}

fn arp_frame(ethertype: [u8; 2], sender_mac: MacAddr, sender: [u8; 4]) -> Vec<u8> {
    let mut frame = [MacAddr::BROADCAST.octets(), HOST.octets()].concat();
    frame.extend(ethertype);
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(sender_mac.octets());
    frame.extend(sender);
    frame.extend([0; 6]);
    frame.extend([10, 1, 0, 9]);
    frame
}

#[test]
fn m1_arp_names_the_sender_and_its_address() {
    let seen = sighting(&arp_frame([8, 6], HOST, [10, 1, 0, 1])).expect("valid ARP");
    assert_eq!(seen.kind, SightingKind::Arp);
    assert_eq!((seen.source, seen.destination), (HOST, MacAddr::BROADCAST));
    assert_eq!(seen.address, Some(IpAddr::from([10, 1, 0, 1])));
}

#[test]
fn b1_rarp_announces_without_an_address() {
    let seen = sighting(&arp_frame([0x80, 0x35], HOST, [0, 0, 0, 0])).expect("valid RARP");
    assert_eq!((seen.kind, seen.address), (SightingKind::Rarp, None));
}

#[test]
fn arp_from_the_unspecified_address_is_only_duplicate_detection() {
    let seen = sighting(&arp_frame([8, 6], HOST, [0, 0, 0, 0])).expect("valid ARP");
    assert_eq!((seen.kind, seen.address), (SightingKind::DuplicateAddressDetection, None));
}

#[test]
fn an_arp_sender_that_is_not_the_ethernet_source_is_refused() {
    let frame = arp_frame([8, 6], MacAddr([2, 0, 0, 0, 0, 9]), [10, 1, 0, 1]);
    assert_eq!(sighting(&frame), Err(FrameError::SenderMismatch));
}

#[test]
fn every_truncation_is_an_error_or_plain_data() {
    let v6 = probe(&free_address(), HOST, IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1]), Tag::of(5));
    for frame in [arp_frame([8, 6], HOST, [10, 1, 0, 1]), arp_frame([0x80, 0x35], HOST, [0; 4]), v6] {
        assert!(sighting(&frame).is_ok());
        for length in 0..frame.len() {
            if let Ok(seen) = sighting(&frame[..length]) {
                assert_eq!((seen.kind, seen.address), (SightingKind::Data, None));
            }
        }
    }
}

/// Rule 1: what a host writes into its neighbour table is true, or about nobody.
#[test]
fn rule_1_a_probe_pairs_an_address_with_the_mac_that_has_it_or_with_ours_where_nobody_has_it() {
    let target = IpAddr::from([10, 1, 0, 1]);
    let pair = |source: ProbeSource| {
        let frame = probe(&source, HOST, target, Tag::of(1));
        assert_eq!(
            (&frame[..6], &frame[6..12]),
            (&HOST.octets()[..], &PROBE_MAC.octets()[..]),
            "unicast, from our MAC"
        );
        assert_eq!(frame[20..22], [0, 1], "request");
        assert_eq!(frame[38..42], [10, 1, 0, 1]);
        (frame[28..32].to_vec(), MacAddr::try_from(&frame[22..28]).expect("6 bytes"))
    };
    assert_eq!(pair(source(gateway(None), true)), (GATEWAY_IP.octets().to_vec(), GATEWAY));
    assert_eq!(pair(source(gateway(None), false)), (vec![0; 4], PROBE_MAC), "the gateway's answers would not be seen");
    assert_eq!(pair(free_address()), (FREE_IP.octets().to_vec(), PROBE_MAC));
    assert_eq!(pair(source(ProbeAs::Nobody, true)), (vec![0; 4], PROBE_MAC));
}

#[test]
fn rule_1_holds_for_neighbour_solicitations() {
    let target = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let router = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xfe);
    let own = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x76, 0x0aff, 0xfe00);
    for (source, address, mac) in [
        (source(gateway(Some(router)), true), router, GATEWAY),
        (source(gateway(Some(router)), false), own, PROBE_MAC),
        (free_address(), own, PROBE_MAC),
    ] {
        let frame = probe(&source, HOST, IpAddr::V6(target), Tag::of(1));
        let seen = sighting(&frame).expect("the checksum is verified on the way in");
        assert_eq!((seen.source, seen.destination), (PROBE_MAC, HOST));
        let IpAddr::V6(said) = seen.address.expect("it says where it comes from") else { panic!("{seen:?}") };
        assert_eq!(said.octets()[..8], address.octets()[..8]);
        assert!(said == address || address == own, "{said}");
        assert_eq!(seen.target, Some(IpAddr::V6(target)));
        assert_eq!(frame[80..86], mac.octets(), "the source link-layer address");
        let mut corrupt = frame;
        *corrupt.last_mut().expect("not empty") ^= 1;
        assert_eq!(sighting(&corrupt), Err(FrameError::MalformedNeighborDiscovery));
    }
}

#[test]
fn the_copy_of_a_probe_is_known_by_its_tag() {
    for target in [IpAddr::from([10, 1, 0, 1]), IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1])] {
        for number in [0, 1, 0xffff_ffff_ffff, u64::MAX] {
            let frame = probe(&free_address(), HOST, target, Tag::of(number));
            assert!(frame.len() >= 60, "no switch has to pad it");
            assert_eq!(tag(&frame), Some(Tag::of(number)));
            assert_eq!(mark_number(&frame), None);
        }
    }
    let mark = mark(PROBE_MAC, 77);
    assert_eq!((mark_number(&mark), tag(&mark), mark.len()), (Some(77), None, 60));
    for length in 0..60 {
        assert_eq!(tag(&vec![0x86; length]), None);
        assert!(mark_number(&mark[..length]).is_none_or(|number| number == 77));
    }
}

#[test]
fn a_request_says_what_it_asks_for() {
    let seen = sighting(&arp_frame([8, 6], HOST, [10, 1, 0, 1])).expect("valid ARP");
    assert_eq!(seen.target, Some(IpAddr::from([10, 1, 0, 9])));
    let gratuitous = sighting(&arp_frame([8, 6], HOST, [10, 1, 0, 9])).expect("valid ARP");
    assert_eq!((gratuitous.address, gratuitous.target), (Some(IpAddr::from([10, 1, 0, 9])), None));
}

#[test]
fn b11_an_answer_is_what_the_owner_itself_would_say() {
    let owner = MacAddr([2, 0, 0, 0, 0, 9]);
    let asker = Asker { mac: HOST, address: IpAddr::from([10, 1, 0, 1]) };
    let frame = answer(asker, IpAddr::from([10, 1, 0, 9]), owner).expect("one family");
    let seen = sighting(&frame).expect("valid ARP");
    assert_eq!((seen.source, seen.destination, seen.kind), (owner, HOST, SightingKind::Arp));
    assert_eq!((seen.address, seen.target), (Some(IpAddr::from([10, 1, 0, 9])), None));
    assert_eq!((&frame[20..22], &frame[32..38], &frame[38..42]), (&[0, 2][..], &HOST.octets()[..], &[10, 1, 0, 1][..]));

    let (asks, has) = (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9));
    let frame = answer(Asker { mac: HOST, address: asks.into() }, has.into(), owner).expect("one family");
    let seen = sighting(&frame).expect("a good checksum");
    assert_eq!((seen.source, seen.destination, seen.kind), (owner, HOST, SightingKind::NeighborDiscovery));
    assert_eq!((seen.address, seen.target), (Some(IpAddr::V6(has)), None));
    assert_eq!(frame[54], 136, "an advertisement");
    assert_eq!(frame[58], 0x60, "solicited, override");
    assert_eq!((&frame[78..80], &frame[80..86]), (&[2, 1][..], &owner.octets()[..]), "the target link-layer address");
    assert_eq!(answer(asker, has.into(), owner), None, "there is no answer across families");
}
