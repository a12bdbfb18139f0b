//! The little network that the switch under test is in: its ports, its peers, its hosts, and the entries that say so.
//!
//! ```text
//!   port 1  underlay, to peer 192.0.2.2 (tunnel 0x8002)   port 5  underlay, to peer 192.0.2.3 (tunnel 0x8003)
//!   port 2  untagged, BD 1, location 2: host A            port 4  VLAN 10, BD 1, location 4: host C
//!   port 3  untagged, BD 1, location 3: host B                    VLAN 20, BD 2, location 5: a second host A
//! ```
//!
//! On every port, VLAN 4000 is the way of the barrier (see `bench`): a bridge domain of its own that floods to all ports.

use crate::entries::{Entry, entry, ip, mac};
use crate::frames::{Ip, Mac};

/// The ports of the switch.
pub(crate) const PORTS: [u16; 5] = [1, 2, 3, 4, 5];
/// The port to the controller.
pub(crate) const CPU_PORT: u16 = 510;

/// A host at location 2, and, in BD 2, at location 5.
pub(crate) const A: Mac = host(0x0a);
/// A host at location 3.
pub(crate) const B: Mac = host(0x0b);
/// A host at location 4, behind VLAN 10.
pub(crate) const C: Mac = host(0x0c);
/// A host behind the first tunnel.
pub(crate) const R: Mac = host(0x12);
/// A host behind the second tunnel.
pub(crate) const S: Mac = host(0x13);
/// A host that nobody knows.
pub(crate) const NOBODY: Mac = host(0x99);
/// Our probe address.
pub(crate) const PROBE: Mac = [2, 0x76, 192, 0, 2, 1];

/// Our tunnel address.
pub(crate) const VTEP: Ip = [192, 0, 2, 1];
/// The peer behind port 1.
pub(crate) const PEER_1: Ip = [192, 0, 2, 2];
/// The peer behind port 5.
pub(crate) const PEER_2: Ip = [192, 0, 2, 3];
/// The router's MAC address at port 1.
pub(crate) const ROUTER_1: Mac = [2, 0xfe, 0, 1, 0, 1];
/// The router's MAC address at port 5.
pub(crate) const ROUTER_5: Mac = [2, 0xfe, 0, 1, 0, 5];
/// The next hop behind port 1.
pub(crate) const HOP_1: Mac = [2, 0xfe, 0, 4, 0, 1];
/// The next hop behind port 5.
pub(crate) const HOP_5: Mac = [2, 0xfe, 0, 4, 0, 5];
/// A destination beyond port 5, for transit.
pub(crate) const BEYOND: Ip = [198, 51, 100, 7];

/// The tunnel to [`PEER_1`].
pub(crate) const TUNNEL_1: u16 = 0x8002;
/// The tunnel to [`PEER_2`].
pub(crate) const TUNNEL_2: u16 = 0x8003;
/// The VNIs of BD 1 and BD 2.
pub(crate) const VNIS: [u32; 2] = [5001, 5002];
/// The group of [`B`]'s port and the first tunnel.
pub(crate) const BOTH_GROUP: u16 = 0x4000;

/// The VLAN of the barrier.
pub(crate) const BARRIER_VLAN: u16 = 4000;
/// The barrier's bridge domain, and its group.
pub(crate) const BARRIER_BD: u16 = 0x3ffe;
/// Where the barrier comes in.
pub(crate) const BARRIER_LOCATION: u16 = 0x7f00;
/// The barrier's sender.
pub(crate) const BARRIER: Mac = host(0xba);

const fn host(last: u8) -> Mac {
    [2, 0, 0, 0, 0, last]
}

/// All multicast groups, with (port, instance) of each replica.
pub(crate) fn groups() -> Vec<(u32, Vec<(u16, u16)>)> {
    let barrier = PORTS.map(|port| (port, BARRIER_LOCATION + port));
    vec![
        (1, vec![(2, 2), (3, 3), (4, 4), (1, TUNNEL_1), (5, TUNNEL_2)]),
        (2, vec![(4, 5), (1, TUNNEL_1)]),
        (BOTH_GROUP.into(), vec![(3, 3), (1, TUNNEL_1)]),
        (BARRIER_BD.into(), barrier.to_vec()),
    ]
}

/// The entries of the switch at rest.
pub(crate) fn entries() -> Vec<Entry> {
    let mut entries = vec![
        entry("ingress_interface", &[1, 0], "underlay", &[mac(ROUTER_1)]),
        entry("ingress_interface", &[5, 0], "underlay", &[mac(ROUTER_5)]),
        entry("ingress_interface", &[2, 0], "access", &[1, 2, 0, 0]),
        entry("ingress_interface", &[3, 0], "access", &[1, 3, 0, 0]),
        entry("ingress_interface", &[4, 10], "access", &[1, 4, 0, 0]),
        entry("ingress_interface", &[4, 20], "access", &[2, 5, 0, 0]),
        entry("ingress_interface", &[CPU_PORT.into(), 0], "controller", &[]),
        entry("local_vtep", &[ip(VTEP)], "local_vtep.terminate", &[]),
        Entry {
            prefix: 24,
            ..entry("underlay_route", &[ip([198, 51, 100, 0])], "underlay_route.route", &[5, mac(ROUTER_5), mac(HOP_5)])
        },
        entry("access_tag", &[2], "access_tag.untagged", &[]),
        entry("access_tag", &[3], "access_tag.untagged", &[]),
        entry("access_tag", &[4], "access_tag.tagged", &[10]),
        entry("access_tag", &[5], "access_tag.tagged", &[20]),
        entry("destination", &[1, mac(PROBE)], "probe_reply", &[]),
    ];
    for (location, port) in [(2, 2), (3, 3), (4, 4), (5, 4), (TUNNEL_1, 1), (TUNNEL_2, 5)] {
        entries.push(entry("location_port", &[location.into()], "port", &[port]));
    }
    for (bd, vni) in [1, 2].into_iter().zip(VNIS) {
        entries.push(entry("vni_to_bd", &[vni.into()], "bridge", &[bd]));
        entries.push(entry("bd_vni", &[bd], "vni", &[vni.into()]));
        entries.push(entry("flood", &[bd], "flood_to", &[bd]));
    }
    for (tunnel, peer, macs, ttl, dscp) in
        [(TUNNEL_1, PEER_1, [ROUTER_1, HOP_1], 64, 0), (TUNNEL_2, PEER_2, [ROUTER_5, HOP_5], 32, 10)]
    {
        let params = [ip(VTEP), ip(peer), mac(macs[0]), mac(macs[1]), ttl, dscp, 0xffff];
        entries.push(entry("underlay_peer", &[ip(peer)], "underlay_peer.from_tunnel", &[tunnel.into()]));
        entries.push(entry("encapsulate", &[tunnel.into()], "encapsulate.encapsulate", &params));
    }
    for (bd, host, location) in [(1, A, 2), (1, B, 3), (1, C, 4), (2, A, 5)] {
        entries.push(entry("recorded_location", &[bd, mac(host)], "recorded", &[location, 1]));
        entries.push(entry("source", &[bd, mac(host), location], "here", &[0]));
        entries.push(entry("destination", &[bd, mac(host)], "unicast", &[location]));
    }
    for (host, tunnel) in [(R, TUNNEL_1), (S, TUNNEL_2)] {
        entries.push(entry("recorded_location", &[1, mac(host)], "recorded", &[tunnel.into(), 1]));
        entries.push(entry("destination", &[1, mac(host)], "unicast", &[tunnel.into()]));
    }
    entries.extend(barrier());
    entries
}

fn barrier() -> Vec<Entry> {
    let (bd, location) = (u128::from(BARRIER_BD), u128::from(BARRIER_LOCATION));
    let mut entries = vec![
        entry("flood", &[bd], "flood_to", &[bd]),
        entry("source", &[bd, mac(BARRIER), location], "here", &[0]),
        entry("destination", &[bd, mac(PROBE)], "probe_reply", &[]),
    ];
    for port in PORTS.map(u128::from) {
        entries.push(entry("ingress_interface", &[port, BARRIER_VLAN.into()], "access", &[bd, location, 0, 0]));
        entries.push(entry("access_tag", &[location + port], "access_tag.tagged", &[BARRIER_VLAN.into()]));
    }
    entries
}
