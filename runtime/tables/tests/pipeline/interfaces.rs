//! Item 1: where does a frame come in, and what is refused there.

use vouch_net::MacAddr;
use vouch_tables::{DropReason, IngressInterfaceKey, Tag};

use crate::bench::{Bench, ROUTER, access, host, port};
use crate::frames::{ARP, announcement, data, ethernet, icmpv6, tagged};

#[test]
fn a_frame_belongs_to_the_interface_of_its_port_and_vlan() {
    let mut bench = Bench::new().with_host(host(1), access(1)).with_host(host(2), access(2));
    let frame = data(host(1), host(2));
    assert_eq!(bench.send(2, &tagged(20, &frame)).sent(1), frame, "the tag stays behind");
    let frame = data(host(2), host(1));
    assert_eq!(bench.send(1, &frame).sent(2), tagged(20, &frame), "and is put on");
    assert_eq!(bench.hits(IngressInterfaceKey { ingress_port: port(1), vlan_id: Tag::Untagged }), 1);
}

#[test]
fn a_priority_tag_is_no_vlan() {
    let mut bench = Bench::new().with_host(host(1), access(1)).with_host(host(3), access(3));
    let frame = data(host(3), host(1));
    assert_eq!(bench.send(1, &tagged(0x6000, &frame)).sent(3), frame);
}

#[test]
fn a_port_and_vlan_without_interface_is_refused() {
    let mut bench = Bench::new();
    let frame = data(host(2), host(1));
    bench.send(9, &frame).dropped(DropReason::UnknownInterface);
    bench.send(2, &frame).dropped(DropReason::UnknownInterface);
    bench.send(2, &tagged(21, &frame)).dropped(DropReason::UnknownInterface);
    bench.send(1, &tagged(20, &frame)).dropped(DropReason::UnknownInterface);
}

#[test]
fn a_second_tag_does_not_hop_vlans() {
    let mut bench = Bench::new();
    let frame = tagged(7, &data(host(2), host(1)));
    bench.send(2, &tagged(20, &frame)).dropped(DropReason::StackedTag);
    let service = ethernet(host(2), host(1), 0x88a8, &[0, 7, 8, 0, 0, 0]);
    bench.send(1, &service).dropped(DropReason::StackedTag);
}

#[test]
fn no_host_has_a_group_or_zero_address() {
    let mut bench = Bench::new();
    for mac in [MacAddr::ZERO, MacAddr::BROADCAST, MacAddr([3, 0, 0, 0, 0, 1])] {
        bench.send(1, &data(host(2), mac)).dropped(DropReason::BadSourceMac);
        bench.send_from_peer(1, &data(host(2), mac)).dropped(DropReason::BadSourceMac);
    }
}

#[test]
fn link_local_frames_stay_on_their_link() {
    let mut bench = Bench::new();
    for last in [0, 2, 14, 15] {
        let frame = ethernet(MacAddr([1, 0x80, 0xc2, 0, 0, last]), host(1), 0x88cc, &[0; 46]);
        bench.send(1, &frame).dropped(DropReason::LinkLocal);
    }
}

#[test]
fn what_is_too_short_for_its_own_headers_is_refused() {
    let mut bench = Bench::new();
    for length in 0..14 {
        bench.send(1, &data(host(2), host(1))[..length]).dropped(DropReason::Malformed);
    }
    let whole = announcement(host(1));
    for length in 14..whole.len() {
        bench.send(1, &whole[..length]).dropped(DropReason::Malformed);
    }
    assert_eq!(bench.send(1, &whole).drops, []);
    // Neighbour discovery without its target. (Tofino's parser drops it as well, and need not say why.)
    let whole = icmpv6(host(2), host(1), 135);
    for length in whole.len() - 20..whole.len() {
        bench.send(1, &whole[..length]).dropped(DropReason::Malformed);
    }
    assert_eq!(bench.send(1, &whole).drops, []);
    // A tag cut short is a frame of type VLAN without the tag.
    bench.send(1, &tagged(20, &data(host(2), host(1)))[..16]).dropped(DropReason::StackedTag);
}

#[test]
fn an_arp_for_another_kind_of_network_announces_nothing() {
    let mut bench = Bench::new();
    let whole = announcement(host(1));
    for (offset, value) in [(15, 6), (16, 9), (18, 8), (19, 16)] {
        let mut frame = whole.clone();
        frame[offset] = value;
        bench.send(1, &frame).dropped(DropReason::Malformed);
    }
    assert_eq!(u16::from_be_bytes([whole[12], whole[13]]), ARP);
}

#[test]
fn what_could_not_be_encapsulated_is_refused() {
    let mut bench = Bench::new().with_host(host(1), access(1)).with_host(host(3), access(3));
    let frame = |length: usize| ethernet(host(3), host(1), 0x88b5, &vec![0; length - 14]);
    let longest = 65535 - 36;
    assert_eq!(bench.send(1, &frame(longest)).sent(3).len(), longest);
    if crate::INGRESS_KNOWS_LENGTH {
        bench.send(1, &frame(longest + 1)).dropped(DropReason::TooLong);
    }
}

#[test]
fn the_underlay_takes_ipv4_to_its_own_mac_only() {
    let mut bench = Bench::new();
    bench.send(10, &data(host(2), host(1))).dropped(DropReason::NotRouterMac);
    bench.send(10, &announcement(host(1))).dropped(DropReason::NotRouterMac);
    bench.send(10, &ethernet(ROUTER, host(1), ARP, &[0; 28])).dropped(DropReason::UnderlayNotIp);
    let mut wrong_version = data(ROUTER, host(1));
    wrong_version[14] = 0x65;
    bench.send(10, &wrong_version).dropped(DropReason::UnderlayNotIp);
    let mut short_header = data(ROUTER, host(1));
    short_header[14] = 0x44;
    bench.send(10, &short_header).dropped(DropReason::UnderlayNotIp);
    bench.send(10, &data(ROUTER, host(1))[..30]).dropped(DropReason::UnderlayNotIp);
}
