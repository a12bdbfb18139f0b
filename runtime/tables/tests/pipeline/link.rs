//! Links of the underlay where we have an address: what neighbours say there is for the controller, and what it says goes out.

use std::net::Ipv4Addr;

use vouch_net::MacAddr;
use vouch_tables::*;

use crate::bench::*;
use crate::frames::*;

const OUR_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 0);
const THEIR_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn link() -> LocationId {
    LocationId::link(port(10))
}

/// Port 10 is a link with an address of ours, port 11 is not.
fn bench() -> Bench {
    let mut bench = Bench::new();
    let interface = IngressInterfaceKey { ingress_port: port(10), vlan_id: Tag::Untagged };
    bench.modify(interface.with(IngressInterfaceAction::Link { router_mac: ROUTER, location: link() }));
    bench.insert(LocationPortKey { location: link() }.with(LocationPortAction::Port { port: port(10) }));
    bench.insert(AccessTagKey { location: link() }.with(AccessTagAction::Untagged));
    bench.insert(LocalVtepKey { dst: OUR_ADDRESS }.with(LocalVtepAction::HandOver));
    bench
}

fn question() -> Bytes {
    arp(MacAddr::BROADCAST, NEXT_HOP, ARP, 1, THEIR_ADDRESS, OUR_ADDRESS)
}

fn for_us(destination: MacAddr) -> Bytes {
    let packet = Ipv4 { ttl: 255, ..Ipv4::new(THEIR_ADDRESS, OUR_ADDRESS, 17) };
    ethernet(destination, NEXT_HOP, IPV4, &packet.with(&udp(49152, 3784, &[0; 24])))
}

#[track_caller]
fn assert_heard(outcome: &Outcome, frame: &[u8]) {
    assert_eq!(outcome.neighbours, [(10, frame.to_vec())], "{outcome:?}");
    assert!(outcome.frames.is_empty() && outcome.drops.is_empty() && outcome.punts.is_empty(), "{outcome:?}");
}

#[test]
fn arp_on_a_link_is_for_the_controller_as_it_came() {
    let mut bench = bench();
    for frame in [question(), arp(ROUTER, NEXT_HOP, ARP, 2, THEIR_ADDRESS, OUR_ADDRESS)] {
        assert_heard(&bench.send(10, &frame), &frame);
    }
    // Where we have no address, nobody is asked for one.
    bench.send(11, &question()).dropped(DropReason::NotRouterMac);
    let mut other_kind = question();
    other_kind[15] = 6;
    bench.send(10, &other_kind).dropped(DropReason::NotRouterMac);
}

#[test]
fn packets_for_our_address_on_a_link_are_for_the_controller_as_they_came() {
    let mut bench = bench();
    assert_heard(&bench.send(10, &for_us(ROUTER)), &for_us(ROUTER));
    bench.send(10, &for_us(NEXT_HOP)).dropped(DropReason::NotRouterMac);
    // Not by a link: the address is not asked for here, and no route leads to it.
    bench.send(11, &for_us(ROUTER)).dropped(DropReason::NoRoute);
    let mut damaged = for_us(ROUTER);
    damaged[18] ^= 0x40;
    bench.send(10, &damaged).dropped(DropReason::OuterChecksum);
    // VXLAN, too: the tunnels have another address.
    let header = Ipv4::new(PEER1, OUR_ADDRESS, 17);
    let packet =
        ethernet(ROUTER, NEXT_HOP, IPV4, &header.with(&udp(50000, 4789, &vxlan(8, VNI, &data(host(2), host(1))))));
    assert_heard(&bench.send(10, &packet), &packet);
}

#[test]
fn what_else_a_link_carries_goes_as_on_any_underlay_port() {
    let mut bench = bench().with_host(host(1), access(1));
    assert_eq!(bench.send_from_peer(1, &data(host(1), host(9))).sent(1), data(host(1), host(9)));
}

#[test]
fn links_have_a_budget_of_their_own() {
    let mut bench = bench();
    bench.budget(PuntReason::Neighbour, link());
    for _ in 0..2 {
        assert_heard(&bench.send(10, &question()), &question());
    }
    let outcome = bench.send(10, &question());
    assert_eq!(outcome.policed, [PuntMeter { reason: PuntReason::Neighbour, location: link() }], "{outcome:?}");
    assert!(outcome.neighbours.is_empty() && outcome.frames.is_empty(), "{outcome:?}");
}

#[test]
fn what_the_controller_says_on_a_link_goes_out_as_it_is() {
    let mut bench = bench();
    let answer = arp(NEXT_HOP, ROUTER, ARP, 2, OUR_ADDRESS, THEIR_ADDRESS);
    assert_eq!(bench.send_from_controller(PacketOut::Link { port: port(10) }, &answer).sent(10), answer);
    assert_eq!(
        bench.send_from_controller(PacketOut::Link { port: port(10) }, &for_us(ROUTER)).sent(10),
        for_us(ROUTER)
    );
    bench.send_from_controller(PacketOut::Link { port: port(12) }, &answer).dropped(DropReason::NoLocationPort);
}
