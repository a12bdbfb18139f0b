//! Item 7a: whose is the address that a host announces?

use std::net::{Ipv4Addr, Ipv6Addr};

use vouch_net::MacAddr;
use vouch_tables::*;

use crate::bench::*;
use crate::frames::*;

const MINE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 9);
const MINE_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const OTHER_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0x1234, 0x5678);

/// Host 1 at access1, which checks bindings, and host 9 behind peer 1.
fn bench() -> Bench {
    let mut bench = Bench::new().with_host(host(1), access(1)).with_host(host(9), tunnel(1));
    bench.configure(access(1), true, false);
    bench
}

fn bind(bench: &mut Bench, mac: MacAddr, confirmed: bool) {
    bench.insert(BindingIpv4Key { bd: bd(5), ip: MINE }.with(BindingIpv4Action::Bound { mac, confirmed }));
    bench.insert(BindingIpv6Key { bd: bd(5), ip: MINE_6 }.with(BindingIpv6Action::Bound { mac, confirmed }));
}

/// Every kind of frame that binds `MINE` or `MINE_6` to its sender.
fn announcements(src: MacAddr) -> Vec<Bytes> {
    vec![
        arp(MacAddr::BROADCAST, src, ARP, 1, MINE, MINE),
        arp(MacAddr::BROADCAST, src, ARP, 1, MINE, OTHER),
        arp(host(9), src, ARP, 1, MINE, OTHER),
        arp(host(9), src, ARP, 2, MINE, OTHER),
        arp(host(9), src, ARP, 77, MINE, OTHER),
        neighbour_discovery(solicited_node(OTHER_6), src, 135, MINE_6, OTHER_6),
        neighbour_discovery(host(9), src, 135, MINE_6, OTHER_6),
        neighbour_discovery(host(9), src, 136, OTHER_6, MINE_6),
        neighbour_discovery(MacAddr([0x33, 0x33, 0, 0, 0, 1]), src, 136, MINE_6, MINE_6),
    ]
}

#[test]
fn a_confirmed_binding_is_no_news() {
    let mut bench = bench();
    bind(&mut bench, host(1), true);
    for frame in announcements(host(1)) {
        bench.send(1, &frame).passed();
    }
}

#[test]
fn an_address_that_is_not_known_for_sure_is_told() {
    let unbound = bench();
    let mut unconfirmed = bench();
    bind(&mut unconfirmed, host(1), false);
    for mut bench in [unbound, unconfirmed] {
        for frame in announcements(host(1)) {
            let outcome = bench.send(1, &frame);
            outcome.told(PuntReason::Binding);
            let header = PacketIn {
                ingress_port: port(1),
                bd: bd(5),
                reason: PuntReason::Binding,
                location: access(1),
                recorded: Some(access(1)),
            };
            assert_eq!(outcome.punted(), (header, &frame[..]));
        }
        bench.send(1, &data(host(9), host(1))).passed();
    }
}

#[test]
fn an_address_of_another_host_is_held() {
    for confirmed in [false, true] {
        let mut bench = bench();
        // One bit is enough.
        bind(&mut bench, MacAddr([2, 0, 0, 0, 0x80, 1]), confirmed);
        for watch in [false, true] {
            let key = SourceKey { bd: bd(5), mac: host(1), location: access(1) };
            bench.modify(key.with(Aged::never(SourceAction::Here { watch })));
            for frame in announcements(host(1)) {
                let outcome = bench.send(1, &frame);
                let (header, held) = outcome.held(PuntReason::Binding);
                assert_eq!((header.recorded, held), (Some(access(1)), &frame[..]));
            }
        }
    }
}

#[test]
fn a_watched_host_is_alive_first() {
    let mut bench = bench();
    let key = SourceKey { bd: bd(5), mac: host(1), location: access(1) };
    bench.modify(key.with(Aged::never(SourceAction::Here { watch: true })));
    for frame in announcements(host(1)) {
        bench.send(1, &frame).told(PuntReason::Alive);
    }
}

#[test]
fn a_shared_address_is_anybodys() {
    let mut bench = bench();
    bench.insert(BindingIpv4Key { bd: bd(5), ip: MINE }.with(BindingIpv4Action::Shared));
    bench.insert(BindingIpv6Key { bd: bd(5), ip: MINE_6 }.with(BindingIpv6Action::Shared));
    for frame in announcements(host(1)) {
        bench.send(1, &frame).passed();
    }
}

#[test]
fn a_search_for_duplicates_and_a_rarp_bind_nothing() {
    let none = Ipv4Addr::UNSPECIFIED;
    let mut bench = bench();
    bind(&mut bench, host(7), true);
    let none_6 = Ipv6Addr::UNSPECIFIED;
    bench.insert(
        BindingIpv4Key { bd: bd(5), ip: none }.with(BindingIpv4Action::Bound { mac: host(7), confirmed: true }),
    );
    bench.insert(
        BindingIpv6Key { bd: bd(5), ip: none_6 }.with(BindingIpv6Action::Bound { mac: host(7), confirmed: true }),
    );
    for frame in [
        arp(MacAddr::BROADCAST, host(1), ARP, 1, none, MINE),
        neighbour_discovery(solicited_node(MINE_6), host(1), 135, none_6, MINE_6),
        arp(MacAddr::BROADCAST, host(1), RARP, 3, none, none),
        arp(MacAddr::BROADCAST, host(1), RARP, 3, MINE, MINE),
    ] {
        bench.send(1, &frame).passed();
    }
}

#[test]
fn what_announces_nothing_is_not_asked_about() {
    let mut bench = bench();
    bind(&mut bench, host(7), true);
    bench.send(1, &data(host(9), host(1))).passed();
    // From an address of another host, but not neighbour discovery.
    for message_type in [128, 133, 134, 137] {
        let frame = neighbour_discovery(host(9), host(1), message_type, MINE_6, MINE_6);
        bench.send(1, &frame).passed();
    }
    // About another's address.
    bench.insert(BindingIpv6Key { bd: bd(5), ip: OTHER_6 }.with(BindingIpv6Action::Shared));
    bench.send(1, &neighbour_discovery(host(9), host(1), 135, OTHER_6, MINE_6)).passed();
    bench.send(1, &neighbour_discovery(host(9), host(1), 136, MINE_6, OTHER_6)).passed();
}

#[test]
fn only_interfaces_that_check_bindings_do() {
    let mut bench = bench().with_host(host(3), access(3));
    bind(&mut bench, host(7), true);
    for frame in announcements(host(3)) {
        bench.send(3, &frame).passed();
    }
    for frame in announcements(host(8)) {
        let dst = MacAddr(frame[..6].try_into().unwrap());
        if dst != host(9) {
            bench.send_from_peer(2, &frame).passed();
        }
    }
    bench.configure(access(1), false, false);
    for frame in announcements(host(1)) {
        bench.send(1, &frame).passed();
    }
}

#[test]
fn the_same_address_in_two_vnis_is_two_addresses() {
    let mut bench = bench();
    let elsewhere = BindingIpv4Action::Bound { mac: host(7), confirmed: true };
    bench.insert(BindingIpv4Key { bd: bd(6), ip: MINE }.with(elsewhere));
    bench.send(1, &arp(MacAddr::BROADCAST, host(1), ARP, 1, MINE, MINE)).told(PuntReason::Binding);
}

#[test]
fn an_unknown_host_is_learnt_unless_it_takes_anothers_address() {
    let mut bench = bench();
    for frame in announcements(host(5)) {
        bench.send(1, &frame).told(PuntReason::Learn);
    }
    bind(&mut bench, host(1), false);
    for frame in announcements(host(5)) {
        let outcome = bench.send(1, &frame);
        let (header, held) = outcome.held(PuntReason::Binding);
        assert_eq!((header.recorded, held), (None, &frame[..]));
    }
    bench.send(1, &data(host(9), host(5))).told(PuntReason::Learn);
}

#[test]
fn a_known_host_at_its_own_address_is_learnt_again() {
    let mut bench = bench();
    bind(&mut bench, host(5), true);
    for frame in announcements(host(5)) {
        bench.send(1, &frame).told(PuntReason::Learn);
    }
}

#[test]
fn where_the_host_is_comes_before_whose_its_address_is() {
    let mut bench = bench().with_host(host(5), tunnel(2));
    bind(&mut bench, host(1), true);
    for frame in announcements(host(5)) {
        bench.send(1, &frame).held(PuntReason::Move);
    }
    bench.at(host(5), access(1), SourceAction::ClaimPending { forward: true });
    bench.send(1, &arp(host(9), host(5), ARP, 2, MINE, OTHER)).dropped(DropReason::ClaimHeld);
    let key = SourceKey { bd: bd(5), mac: host(5), location: access(1) };
    bench.modify(key.with(Aged::never(SourceAction::Quarantined)));
    for frame in announcements(host(5)) {
        bench.send(1, &frame).dropped(DropReason::Quarantined);
    }
}

#[test]
fn a_claimed_host_that_has_another_address_is_heard() {
    let says = |own| [arp(host(9), host(5), ARP, 2, own, OTHER), arp(MacAddr::BROADCAST, host(5), ARP, 1, own, own)];
    let mut bench = bench().with_host(host(5), tunnel(2));
    bench.at(host(5), access(1), SourceAction::ClaimPending { forward: true });
    for frame in says(MINE) {
        let outcome = bench.send(1, &frame);
        let (header, held) = outcome.held(PuntReason::Binding);
        assert_eq!((header.recorded, held), (Some(tunnel(2)), &frame[..]));
    }
    bind(&mut bench, host(5), true);
    for frame in says(MINE) {
        bench.send(1, &frame).dropped(DropReason::ClaimHeld);
    }
}

#[test]
fn between_the_two_writes_that_record_a_host_its_addresses_are_checked() {
    let mut bench = bench();
    let here = RecordedLocationAction::Recorded { location: access(1), forward: false };
    bench.insert(RecordedLocationKey { bd: bd(5), mac: host(5) }.with(here));
    for frame in announcements(host(5)) {
        bench.send(1, &frame).told(PuntReason::Binding);
    }
    bind(&mut bench, host(1), true);
    for frame in announcements(host(5)) {
        bench.send(1, &frame).held(PuntReason::Binding);
    }
}

#[test]
fn an_answer_to_a_probe_is_an_answer_whatever_it_binds() {
    let mut bench = bench();
    bind(&mut bench, host(7), true);
    bench.send(1, &arp(PROBE, host(1), ARP, 2, MINE, OTHER)).held(PuntReason::ProbeReply);
    bench.send(1, &neighbour_discovery(PROBE, host(1), 136, MINE_6, MINE_6)).held(PuntReason::ProbeReply);
}

#[test]
fn an_arp_speaks_for_its_ethernet_source_alone() {
    let mut bench = bench();
    for operation in [1, 2, 3] {
        for offset in 22..28 {
            let mut frame = arp(host(9), host(1), ARP, operation, MINE, OTHER);
            frame[offset] ^= 0x40;
            // On every access interface, and whatever the source check would have said.
            bench.send(1, &frame).dropped(DropReason::ArpSender);
            bench.send(3, &frame).dropped(DropReason::ArpSender);
            bench.send(2, &tagged(20, &frame)).dropped(DropReason::ArpSender);
            assert!(bench.send_from_peer(2, &frame).drops.iter().all(|(_, it)| *it != DropReason::ArpSender));
        }
    }
    let mut to_us = arp(PROBE, host(1), ARP, 2, MINE, OTHER);
    to_us[27] ^= 1;
    bench.send(1, &to_us).dropped(DropReason::ArpSender);
    // RARP asks for a host (RFC 903): the sender need not be its subject.
    let mut rarp = arp(MacAddr::BROADCAST, host(1), RARP, 3, Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
    rarp[27] ^= 1;
    bench.send(1, &rarp).passed();
}
