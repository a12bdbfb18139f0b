//! What hosts ask about addresses: answered by the controller where the interface suppresses it, and for claimants always.

use std::net::{Ipv4Addr, Ipv6Addr};

use vouch_net::MacAddr;
use vouch_tables::*;

use crate::bench::*;
use crate::frames::*;

const MINE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 9);
const MINE_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const OTHER_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0x1234, 0x5678);

/// Host 1 at access1, which suppresses questions, and host 9 behind peer 1.
fn bench() -> Bench {
    let mut bench = Bench::new().with_host(host(1), access(1)).with_host(host(9), tunnel(1));
    bench.configure(access(1), true, true);
    bench.insert(BindingIpv4Key { bd: bd(5), ip: MINE }.with(bound(host(1))));
    bench.insert(BindingIpv6Key { bd: bd(5), ip: MINE_6 }.with(bound_6(host(1))));
    bench
}

fn bound(mac: MacAddr) -> BindingIpv4Action {
    BindingIpv4Action::Bound { mac, confirmed: true }
}

fn bound_6(mac: MacAddr) -> BindingIpv6Action {
    BindingIpv6Action::Bound { mac, confirmed: true }
}

/// What asks everybody.
fn questions_to_all(src: MacAddr) -> Vec<Bytes> {
    vec![
        arp(MacAddr::BROADCAST, src, ARP, 1, MINE, OTHER),
        neighbour_discovery(solicited_node(OTHER_6), src, 135, MINE_6, OTHER_6),
    ]
}

/// What asks one host.
fn questions_to_one(src: MacAddr) -> Vec<Bytes> {
    vec![arp(host(9), src, ARP, 1, MINE, OTHER), neighbour_discovery(host(9), src, 135, MINE_6, OTHER_6)]
}

/// Announcements that ask nothing: gratuitous ARP, answers, RARP, and searches for duplicates.
fn no_questions(src: MacAddr) -> Vec<Bytes> {
    let (none, none_6) = (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED);
    vec![
        arp(MacAddr::BROADCAST, src, ARP, 1, MINE, MINE),
        arp(MacAddr::BROADCAST, src, ARP, 2, MINE, OTHER),
        arp(MacAddr::BROADCAST, src, RARP, 1, MINE, OTHER),
        arp(MacAddr::BROADCAST, src, ARP, 1, none, OTHER),
        neighbour_discovery(solicited_node(OTHER_6), src, 135, none_6, OTHER_6),
        neighbour_discovery(solicited_node(OTHER_6), src, 136, MINE_6, MINE_6),
    ]
}

#[test]
fn what_a_host_asks_everybody_goes_to_the_controller_alone() {
    let mut bench = bench();
    for frame in questions_to_all(host(1)) {
        let outcome = bench.send(1, &frame);
        let (header, held) = outcome.held(PuntReason::Request);
        assert_eq!((header.location, header.recorded, held), (access(1), Some(access(1)), &frame[..]));
    }
    for frame in questions_to_one(host(1)).into_iter().chain(no_questions(host(1))) {
        bench.send(1, &frame).passed();
    }
}

#[test]
fn without_suppression_it_is_flooded() {
    let mut bench = bench();
    bench.configure(access(1), true, false);
    for frame in questions_to_all(host(1)) {
        assert_eq!(bench.send(1, &frame).ports(), [2, 3, 10, 11]);
    }
}

#[test]
fn suppression_needs_no_bindings_and_replaces_news_of_one() {
    let mut bench = bench();
    bench.configure(access(1), false, true);
    for frame in questions_to_all(host(1)) {
        bench.send(1, &frame).held(PuntReason::Request);
    }
    bench.configure(access(1), true, true);
    bench.delete(BindingIpv4Key { bd: bd(5), ip: MINE });
    bench.delete(BindingIpv6Key { bd: bd(5), ip: MINE_6 });
    for frame in questions_to_all(host(1)) {
        bench.send(1, &frame).held(PuntReason::Request);
    }
    for frame in questions_to_one(host(1)) {
        bench.send(1, &frame).told(PuntReason::Binding);
    }
}

#[test]
fn a_question_in_anothers_name_is_held_as_that() {
    let mut bench = bench();
    bench.modify(BindingIpv4Key { bd: bd(5), ip: MINE }.with(bound(host(7))));
    bench.modify(BindingIpv6Key { bd: bd(5), ip: MINE_6 }.with(bound_6(host(7))));
    for frame in questions_to_all(host(1)) {
        bench.send(1, &frame).held(PuntReason::Binding);
    }
}

#[test]
fn a_watched_host_is_alive_and_its_question_flooded() {
    let mut bench = bench();
    let key = SourceKey { bd: bd(5), mac: host(1), location: access(1) };
    bench.modify(key.with(Aged::never(SourceAction::Here { watch: true })));
    for frame in questions_to_all(host(1)) {
        bench.send(1, &frame).told(PuntReason::Alive);
    }
}

#[test]
fn only_hosts_that_stand_here_are_suppressed() {
    let mut bench = bench().with_host(host(5), tunnel(2));
    for frame in questions_to_all(host(5)) {
        bench.send(1, &frame).held(PuntReason::Move);
    }
    bench.delete(BindingIpv4Key { bd: bd(5), ip: MINE });
    bench.delete(BindingIpv6Key { bd: bd(5), ip: MINE_6 });
    for frame in questions_to_all(host(6)) {
        bench.send(1, &frame).told(PuntReason::Learn);
    }
    for frame in questions_to_all(host(9)) {
        bench.send_from_peer(2, &frame).passed();
    }
}

#[test]
fn a_claimant_asks_the_controller() {
    // Whether the interface checks or suppresses anything or not, and whosever its address is.
    for (bindings, suppress) in [(false, false), (true, true)] {
        let mut bench = bench().with_host(host(5), tunnel(2));
        bench.configure(access(1), bindings, suppress);
        for forward in [false, true] {
            let key = SourceKey { bd: bd(5), mac: host(5), location: access(1) };
            if forward {
                bench.delete(key);
            }
            bench.at(host(5), access(1), SourceAction::ClaimPending { forward });
            for frame in questions_to_all(host(5)).into_iter().chain(questions_to_one(host(5))) {
                let outcome = bench.send(1, &frame);
                let (header, held) = outcome.held(PuntReason::Request);
                assert_eq!((header.location, header.recorded, held), (access(1), Some(tunnel(2)), &frame[..]));
            }
            for frame in no_questions(host(5)) {
                bench.send(1, &frame).dropped(DropReason::ClaimHeld);
            }
        }
    }
}
