//! What the pipeline is to make of frames, case by case: where from, underlay, source, destination, egress, controller.
//!
//! Each case says where frames leave, why the controller hears of them and which drops are counted. The exact bytes are
//! compared between switches.

use std::ops::Range;

use crate::bench::{Input, Outcome};
use crate::entries::{Entry, entry, ip, mac};
use crate::frames::*;
use crate::network::*;

/// One thing to try.
#[derive(Debug)]
pub(crate) struct Case {
    /// What it shows.
    pub(crate) name: &'static str,
    /// Entries that the switch has for this case, besides or instead of its own.
    pub(crate) entries: Vec<Entry>,
    /// What is sent.
    pub(crate) inputs: Vec<Input>,
    /// Where frames come out, in ascending order; a port as often as frames do.
    pub(crate) ports: Vec<u16>,
    /// The reason of each frame that the controller gets.
    pub(crate) punts: Vec<u128>,
    /// The drop reasons that are counted, each once.
    pub(crate) drops: Vec<i64>,
}

const LEARN: u128 = 1;
const MOVE: u128 = 2;
const PROBE_REPLY: u128 = 3;
const ALIVE: u128 = 4;
const BINDING: u128 = 5;
const REQUEST: u128 = 6;
const SENT: u128 = 7;

impl Case {
    fn new(name: &'static str, inputs: impl IntoIterator<Item = Input>) -> Self {
        let inputs = inputs.into_iter().collect();
        Self { name, entries: Vec::new(), inputs, ports: Vec::new(), punts: Vec::new(), drops: Vec::new() }
    }

    fn with(mut self, entries: impl IntoIterator<Item = Entry>) -> Self {
        self.entries.extend(entries);
        self
    }

    fn leaves(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.ports.extend(ports);
        self
    }

    fn punts(mut self, reasons: impl IntoIterator<Item = u128>) -> Self {
        self.punts.extend(reasons);
        self
    }

    fn drops(mut self, reasons: impl IntoIterator<Item = i64>) -> Self {
        self.drops.extend(reasons);
        self
    }

    /// What was observed and not expected, or the other way round.
    pub(crate) fn disagreement(&self, outcome: &Outcome) -> Option<String> {
        let ports: Vec<u16> = outcome.frames.iter().map(|(port, _)| *port).collect();
        let punts: Vec<u128> = outcome.punts.iter().map(|punt| punt.header[2]).collect();
        let drops: Vec<i64> = outcome.drops.iter().map(|(_, index, _, _)| *index).collect();
        if (&ports, &punts, &drops) == (&self.ports, &self.punts, &self.drops) {
            return None;
        }
        Some(format!(
            "expected frames at {:?}, punts {:?}, drops {:?}; observed\n{outcome:?}",
            self.ports, self.punts, self.drops
        ))
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    let groups = [
        interfaces(),
        local(),
        encapsulation(),
        decapsulation(),
        refusals(),
        transit(),
        tagged_underlay(),
        ipv6_underlay(),
        sources(),
        claims(),
        bindings(),
        controller(),
    ];
    groups.into_iter().flatten().collect()
}

fn at(port: u16, frame: Vec<u8>) -> Input {
    Input::Frame(port, frame)
}

fn gratuitous(host: Mac) -> Vec<u8> {
    arp(BROADCAST, Arp { operation: 1, sender: (host, address(host)), target: ([0; 6], address(host)) })
}

fn interfaces() -> Vec<Case> {
    let stacked = tagged(10, &tagged(7, &data(A, C)));
    let mut service_tag = data(B, A);
    service_tag[12..14].copy_from_slice(&[0x88, 0xa8]);
    vec![
        Case::new("an unknown VLAN is refused", [at(2, tagged(11, &data(B, A)))]).drops([3]),
        Case::new("an untagged frame on a tagged port is refused", [at(4, data(A, C))]).drops([3]),
        Case::new("a priority tag counts as untagged", [at(2, tagged(0xe000, &data(B, A)))]).leaves([3]),
        Case::new("a second tag is refused", [at(4, stacked)]).drops([6]),
        Case::new("a service tag is refused", [at(2, service_tag)]).drops([6]),
        Case::new("a multicast source is refused", [at(2, data(B, [3, 0, 0, 0, 0, 1]))]).drops([4]),
        Case::new("a zero source is refused", [at(2, data(B, [0; 6]))]).drops([4]),
        Case::new("LLDP is not forwarded", [at(2, data([1, 0x80, 0xc2, 0, 0, 0x0e], A))]).drops([5]),
        Case::new("half an ARP is refused", [at(2, gratuitous(A)[..30].to_vec())]).drops([1]),
    ]
}

fn local() -> Vec<Case> {
    vec![
        Case::new("known unicast stays in the switch", [at(2, data(B, A))]).leaves([3]),
        Case::new("known unicast gets its VLAN tag", [at(2, data(C, A))]).leaves([4]),
        Case::new("a tag is taken off", [at(4, tagged(10, &data(A, C)))]).leaves([2]),
        Case::new("BD 2 is another network", [at(4, tagged(20, &data(B, A)))]).leaves([1]),
        Case::new("a broadcast goes everywhere but back", [at(2, data(BROADCAST, A))]).leaves([1, 3, 4, 5]),
        Case::new("a multicast is flooded", [at(3, data([1, 0, 0x5e, 0, 0, 0xfb], B))]).leaves([1, 2, 4, 5]),
        Case::new("an unknown destination is flooded", [at(2, data(NOBODY, A))]).leaves([1, 3, 4, 5]),
        Case::new("ARP of a host in its place is flooded only", [at(2, gratuitous(A))]).leaves([1, 3, 4, 5]),
        Case::new("a frame to where it came from is dropped", [at(2, data(A, A))]).drops([25]),
        Case::new("a host behind no port", [at(2, data(B, A))])
            .with([entry("destination", &[1, mac(B)], "unicast", &[77])])
            .drops([23]),
        Case::new("a location without tag rule", [at(2, data(B, A))])
            .with([entry("destination", &[1, mac(B)], "unicast", &[77]), entry("location_port", &[77], "port", &[3])])
            .drops([34]),
    ]
}

fn encapsulation() -> Vec<Case> {
    let mut congested = Ipv4::new([10, 0, 0, 10], [10, 0, 0, 18]);
    congested.ecn = 3;
    let ip_frame = |packet: Vec<u8>| at(2, ethernet(R, A, 0x0800, &packet));
    let mut fragment = Ipv4::new([10, 0, 0, 10], [10, 0, 0, 18]);
    fragment.fragment = (true, 100);
    let plain = Ipv4::new([10, 0, 0, 10], [10, 0, 0, 18]);
    let v6 = |ecn, next, payload: &[u8]| at(2, ethernet(R, A, 0x86dd, &ipv6(ecn, next, (10, 18), payload)));
    let full = plain.udp(1, 2, &[0x55; 1500 - 28]);
    vec![
        Case::new("to the first tunnel", [at(2, data(R, A))]).leaves([1]),
        Case::new("to the second tunnel, with its TTL and DSCP", [at(2, data(S, A))]).leaves([5]),
        Case::new("ECN is copied from IPv4", [ip_frame(congested.udp(1, 2, b"x"))]).leaves([1]),
        Case::new("ECN is copied from IPv6", [v6(2, 17, &udp(1, 2, b"x"))]).leaves([1]),
        Case::new("a TCP flow", [ip_frame(plain.packet(6, &[], &[0x11; 20]))]).leaves([1]),
        Case::new("a TCP flow over IPv6", [v6(0, 6, &[0x22; 20])]).leaves([1]),
        Case::new("a fragment hashes without ports", [ip_frame(fragment.udp(1, 2, b"x"))]).leaves([1]),
        Case::new("IPv4 options hash without ports", [ip_frame(plain.packet(17, &[1; 4], &udp(1, 2, b"x")))])
            .leaves([1]),
        Case::new("a frame that is not IP", [at(2, ethernet(R, A, 0x88b5, b"anything at all"))]).leaves([1]),
        Case::new(
            "an ARP reply",
            [at(2, arp(R, Arp { operation: 2, sender: (A, [10, 0, 0, 10]), target: (R, [10, 0, 0, 18]) }))],
        )
        .leaves([1]),
        Case::new("an Ethernet header and nothing else", [at(2, ethernet(R, A, 0x88b5, &[]))]).leaves([1]),
        Case::new("half an IPv4 header", [at(2, ethernet(R, A, 0x0800, &full[..10]))]).leaves([1]),
        Case::new("a full-size frame", [ip_frame(full)]).leaves([1]),
        Case::new("VXLAN of a tenant's own", [ip_frame(plain.udp(1, 4789, &vxlan(8, 7, &data(A, R))))]).leaves([1]),
        Case::new("from a tagged port", [at(4, tagged(10, &data(R, C)))]).leaves([1]),
        Case::new("a tunnel without encapsulation", [at(2, data(B, A))])
            .with([
                entry("destination", &[1, mac(B)], "unicast", &[0x8077]),
                entry("location_port", &[0x8077], "port", &[1]),
            ])
            .drops([32]),
    ]
}

/// A VXLAN packet from a peer, to port 1.
fn tunnelled(outer: Ipv4, payload: &[u8]) -> Input {
    at(1, ethernet(ROUTER_1, HOP_1, 0x0800, &outer.udp(50_000, 4789, payload)))
}

fn from_peer() -> Ipv4 {
    Ipv4::new(PEER_1, VTEP)
}

fn decapsulation() -> Vec<Case> {
    let bring = |vni, frame: &[u8]| tunnelled(from_peer(), &vxlan(8, vni, frame));
    let [red, blue] = VNIS;
    let mut cases = vec![
        Case::new("from a tunnel to a port", [bring(red, &data(A, R))]).leaves([2]),
        Case::new("from a tunnel to a tagged port", [bring(red, &data(C, R))]).leaves([4]),
        Case::new("from a tunnel in the other VNI", [bring(blue, &data(A, R))]).leaves([4]),
        Case::new("a flood from a tunnel stays out of tunnels", [bring(red, &data(BROADCAST, R))]).leaves([2, 3, 4]),
        Case::new("ARP from a tunnel is not punted", [bring(red, &gratuitous(R))]).leaves([2, 3, 4]),
        Case::new("unknown sources in a tunnel teach nothing", [bring(red, &data(A, NOBODY))]).leaves([2]),
        Case::new("IPv6 from a tunnel", [bring(red, &ethernet(A, R, 0x86dd, &ipv6(1, 6, (18, 10), &[3; 20])))])
            .leaves([2]),
        Case::new("a frame that is not IP from a tunnel", [bring(red, &ethernet(A, R, 0x88b5, b"hello"))]).leaves([2]),
        Case::new("tunnel to tunnel is refused", [bring(red, &data(S, R))]).drops([26]),
        Case::new("a hairpin goes from tunnel to tunnel", [bring(red, &data(S, R))])
            .with([entry("destination", &[1, mac(S)], "unicast_hairpin", &[TUNNEL_2.into()])])
            .leaves([5]),
        Case::new("a hairpin never goes back", [bring(red, &data(R, NOBODY))])
            .with([entry("destination", &[1, mac(R)], "unicast_hairpin", &[TUNNEL_1.into()])])
            .drops([25]),
        Case::new("a hairpin from a port is unicast", [at(2, data(R, A))])
            .with([entry("destination", &[1, mac(R)], "unicast_hairpin", &[TUNNEL_1.into()])])
            .leaves([1]),
        Case::new("a reserved VXLAN flag is ignored", [tunnelled(from_peer(), &vxlan(0xff, red, &data(A, R)))])
            .leaves([2]),
    ];
    // RFC 6040: rows are what the inner header says, columns the outer.
    const NAMES: [[&str; 4]; 4] = [
        ["ECN 0 in 0", "ECN 0 in 1", "ECN 0 in 2", "ECN 0 in 3"],
        ["ECN 1 in 0", "ECN 1 in 1", "ECN 1 in 2", "ECN 1 in 3"],
        ["ECN 2 in 0", "ECN 2 in 1", "ECN 2 in 2", "ECN 2 in 3"],
        ["ECN 3 in 0", "ECN 3 in 1", "ECN 3 in 2", "ECN 3 in 3"],
    ];
    const MARKS: Range<u8> = 0..4;
    for (inner, outer) in MARKS.flat_map(|inner| MARKS.map(move |outer| (inner, outer))) {
        let packet = Ipv4 { ecn: inner, ..Ipv4::new([10, 0, 0, 18], [10, 0, 0, 10]) }.udp(1, 2, b"x");
        let frame = ethernet(A, R, 0x0800, &packet);
        let name = NAMES[usize::from(inner)][usize::from(outer)];
        let case = Case::new(name, [tunnelled(Ipv4 { ecn: outer, ..from_peer() }, &vxlan(8, red, &frame))]);
        cases.push(if (inner, outer) == (0, 3) { case.drops([17]) } else { case.leaves([2]) });
    }
    cases
}

fn refusals() -> Vec<Case> {
    let red = VNIS[0];
    let good = vxlan(8, red, &data(A, R));
    let whole = from_peer().udp(50_000, 4789, &good);
    let to_router = |packet: &[u8]| at(1, ethernet(ROUTER_1, HOP_1, 0x0800, packet));
    let mut bad_sum = whole.clone();
    bad_sum[10] ^= 1;
    let mut bad_length = whole.clone();
    bad_length.truncate(60);
    vec![
        Case::new("not to the router's MAC", [at(1, ethernet(HOP_1, HOP_1, 0x0800, &whole))]).drops([7]),
        Case::new("ARP on the underlay", [at(1, gratuitous(HOP_1))]).drops([7]),
        Case::new("not IP on the underlay", [at(1, ethernet(ROUTER_1, HOP_1, 0x88b5, &[0; 46]))]).drops([8]),
        Case::new("IPv6 without route", [at(1, ethernet(ROUTER_1, HOP_1, 0x86dd, &ipv6(0, 17, (1, 2), b"")))])
            .drops([19]),
        Case::new("a wrong outer checksum", [to_router(&bad_sum)]).drops([9]),
        Case::new("a first fragment", [tunnelled(Ipv4 { fragment: (true, 0), ..from_peer() }, &good)]).drops([10]),
        Case::new("a later fragment", [tunnelled(Ipv4 { fragment: (false, 9), ..from_peer() }, &good)]).drops([10]),
        Case::new("another UDP port", [to_router(&from_peer().udp(4789, 4790, &good))]).drops([11]),
        Case::new("another protocol", [to_router(&from_peer().packet(47, &[], &good))]).drops([11]),
        Case::new("outer IPv4 options", [to_router(&from_peer().packet(17, &[1; 4], &udp(1, 4789, &good)))])
            .drops([11]),
        Case::new("VXLAN cut short", [tunnelled(from_peer(), &good[..6])]).drops([12]),
        Case::new("no inner Ethernet header", [tunnelled(from_peer(), &good[..15])]).drops([12]),
        Case::new("shorter than its outer length", [to_router(&bad_length)]).drops([12]),
        Case::new("no I flag", [tunnelled(from_peer(), &vxlan(0xf7, red, &data(A, R)))]).drops([13]),
        Case::new("an unknown peer", [tunnelled(Ipv4::new([192, 0, 2, 99], VTEP), &good)]).drops([14]),
        Case::new("an unknown VNI", [tunnelled(from_peer(), &vxlan(8, 77, &data(A, R)))]).drops([15]),
        Case::new("an inner VLAN tag", [tunnelled(from_peer(), &vxlan(8, red, &tagged(7, &data(A, R))))]).drops([16]),
        Case::new("an inner multicast source", [tunnelled(from_peer(), &vxlan(8, red, &data(A, [1, 0, 0, 0, 0, 1])))])
            .drops([4]),
    ]
}

fn transit() -> Vec<Case> {
    let packet = |ttl, dst| Ipv4 { ttl, ..Ipv4::new(PEER_1, dst) }.udp(50_000, 4789, &vxlan(8, 9, &data(A, R)));
    let arrive = |packet: Vec<u8>| [at(1, ethernet(ROUTER_1, HOP_1, 0x0800, &packet))];
    let options = Ipv4::new(PEER_1, BEYOND).packet(1, &[1; 8], b"ping");
    vec![
        Case::new("transit is routed", arrive(packet(64, BEYOND))).leaves([5]),
        Case::new("transit with the last hop left", arrive(packet(2, BEYOND))).leaves([5]),
        Case::new("transit whose time has run out", arrive(packet(1, BEYOND))).drops([18]),
        Case::new("transit to nowhere", arrive(packet(64, [203, 0, 113, 1]))).drops([19]),
        Case::new("transit with options", arrive(options)).leaves([5]),
    ]
}

fn tagged_underlay() -> Vec<Case> {
    let tag = |port| entry("underlay_tag", &[port], "underlay_tag.tagged", &[30]);
    let expects = entry("ingress_interface", &[1, 30], "underlay", &[mac(ROUTER_1)]);
    let from_tunnel =
        ethernet(ROUTER_1, HOP_1, 0x0800, &from_peer().udp(50_000, 4789, &vxlan(8, VNIS[0], &data(A, R))));
    let through = ethernet(ROUTER_1, HOP_1, 0x0800, &Ipv4::new(PEER_1, BEYOND).udp(1, 2, b"x"));
    vec![
        Case::new("a tunnel by a tagged port", [at(2, data(R, A))]).with([tag(1)]).leaves([1]),
        Case::new("copies by a tagged port and others", [at(2, data(BROADCAST, A))])
            .with([tag(1)])
            .leaves([1, 3, 4, 5]),
        Case::new("from a tunnel behind the tag", [at(1, tagged(30, &from_tunnel))])
            .with([expects.clone()])
            .leaves([2]),
        Case::new("from a tunnel behind another tag", [at(1, tagged(31, &from_tunnel))])
            .with([expects.clone()])
            .drops([3]),
        Case::new("transit from tag to tag", [at(1, tagged(30, &through))]).with([expects.clone(), tag(5)]).leaves([5]),
        Case::new("transit from a tag to none", [at(1, tagged(30, &through))]).with([expects]).leaves([5]),
    ]
}

/// Our tunnel address ends in 1, that of the peer behind port 1 in 2, and what is in transit goes beyond port 5.
fn ipv6_underlay() -> Vec<Case> {
    let address = |last: u8| 0xfd00 << 112 | u128::from(last);
    let (to, macs) = ([address(1), address(2)], [mac(ROUTER_1), mac(HOP_1)]);
    let entries = [
        entry("local_vtep_ipv6", &[to[0]], "local_vtep_ipv6.terminate", &[]),
        entry("underlay_peer_ipv6", &[to[1]], "underlay_peer_ipv6.from_tunnel", &[TUNNEL_1.into()]),
        entry(
            "encapsulate",
            &[TUNNEL_1.into()],
            "encapsulate.encapsulate_ipv6",
            &[to[0], to[1], macs[0], macs[1], 64, 10, 0xffff],
        ),
        Entry {
            prefix: 64,
            ..entry(
                "underlay_route_ipv6",
                &[0xfd00 << 112],
                "underlay_route_ipv6.route",
                &[5, mac(ROUTER_5), mac(HOP_5)],
            )
        },
    ];
    let case = |name, input| Case::new(name, [input]).with(entries.clone());
    let arrive = |packet: Vec<u8>| at(1, ethernet(ROUTER_1, HOP_1, 0x86dd, &packet));
    let carry = |ecn, ends, port, content: &[u8]| arrive(ipv6(ecn, 17, ends, &udp(50_000, port, content)));
    let good = vxlan(8, VNIS[0], &data(A, R));
    let mut last_hop = ipv6(0, 17, (2, 7), b"x");
    last_hop[7] = 1;
    vec![
        case("to a tunnel over IPv6", at(2, data(R, A))).leaves([1]),
        case("copies to tunnels of both families", at(2, data(BROADCAST, A))).leaves([1, 3, 4, 5]),
        case("from a tunnel over IPv6", carry(0, (2, 1), 4789, &good)).leaves([2]),
        case("from a tunnel over IPv6, marked", carry(3, (2, 1), 4789, &good)).drops([17]),
        case("from no peer over IPv6", carry(0, (3, 1), 4789, &good)).drops([14]),
        case("over IPv6 to another port", carry(0, (2, 1), 4790, &good)).drops([11]),
        case("over IPv6 in fragments", arrive(ipv6(0, 44, (2, 1), &good))).drops([10]),
        case("over IPv6 without the I flag", carry(0, (2, 1), 4789, &vxlan(0, VNIS[0], &data(A, R)))).drops([13]),
        case("over IPv6 cut short", carry(0, (2, 1), 4789, &good[..10])).drops([12]),
        case("IPv6 in transit", carry(1, (2, 7), 4789, &good)).leaves([5]),
        case("IPv6 at its last hop", arrive(last_hop)).drops([18]),
    ]
}

fn sources() -> Vec<Case> {
    let watched = [entry("source", &[1, mac(A), 2], "here", &[1])];
    let withheld = [entry("recorded_location", &[1, mac(R)], "recorded", &[TUNNEL_1.into(), 0])];
    vec![
        Case::new("an unknown host is learned", [at(2, data(B, NOBODY))]).leaves([3]).punts([LEARN]),
        Case::new("an unknown host is learned from ARP", [at(2, gratuitous(NOBODY))])
            .leaves([1, 3, 4, 5])
            .punts([LEARN]),
        Case::new("an unknown host is learned behind a tag", [at(4, tagged(10, &data(B, NOBODY)))])
            .leaves([3])
            .punts([LEARN]),
        Case::new("a watched host is alive", [at(2, data(B, A))]).with(watched).leaves([3]).punts([ALIVE]),
        Case::new("ARP from elsewhere is a held move", [at(2, gratuitous(R))]).punts([MOVE]),
        Case::new("RARP from elsewhere is a held move", [at(2, rarp(R))]).punts([MOVE]),
        Case::new("NA from elsewhere is a held move", [at(2, neighbour(B, R, 136))]).punts([MOVE]),
        Case::new("NS from elsewhere is a held move", [at(2, neighbour(B, R, 135))]).punts([MOVE]),
        Case::new("data from elsewhere is a move and goes on", [at(2, data(B, R))]).leaves([3]).punts([MOVE]),
        Case::new("data from elsewhere is a move and is withheld", [at(2, data(B, R))])
            .with(withheld)
            .punts([MOVE])
            .drops([22]),
        Case::new("a local host on another port is a move", [at(3, gratuitous(A))]).punts([MOVE]),
        Case::new("a local host behind a tag is a move", [at(4, tagged(10, &gratuitous(A)))]).punts([MOVE]),
    ]
}

fn claims() -> Vec<Case> {
    let claim = |forward| entry("source", &[1, mac(R), 2], "claim_pending", &[forward]);
    let quarantine = entry("source", &[1, mac(R), 2], "quarantined", &[]);
    let claimed = entry("destination", &[1, mac(R)], "claimed", &[2, TUNNEL_1.into()]);
    let both = entry("destination", &[1, mac(B)], "both", &[BOTH_GROUP.into()]);
    let bring = |port, from: Ip, macs: [Mac; 2], frame: &[u8]| {
        let packet = Ipv4::new(from, VTEP).udp(50_000, 4789, &vxlan(8, VNIS[0], frame));
        at(port, ethernet(macs[0], macs[1], 0x0800, &packet))
    };
    let from_1 = |frame: &[u8]| bring(1, PEER_1, [ROUTER_1, HOP_1], frame);
    let from_2 = |frame: &[u8]| bring(5, PEER_2, [ROUTER_5, HOP_5], frame);
    vec![
        Case::new("a pending claim's ARP is held", [at(2, gratuitous(R))]).with([claim(1)]).drops([21]),
        Case::new("a pending claim's data goes on", [at(2, data(B, R))]).with([claim(1)]).leaves([3]),
        Case::new("a pending claim's data is dropped", [at(2, data(B, R))]).with([claim(0)]).drops([22]),
        Case::new("a quarantined claim is dropped", [at(2, data(B, R))]).with([quarantine.clone()]).drops([20]),
        Case::new("a quarantined claim's ARP is dropped", [at(2, gratuitous(R))])
            .with([quarantine.clone()])
            .drops([20]),
        Case::new("quarantine is for one port", [at(3, gratuitous(R))]).with([quarantine]).punts([MOVE]),
        Case::new("a claimed host: others send to its owner", [at(3, data(R, B))]).with([claimed.clone()]).leaves([1]),
        Case::new("a claimed host: its owner sends to the claim", [from_1(&data(R, S))])
            .with([claimed.clone()])
            .leaves([2]),
        Case::new("a claimed host: observers send to its owner", [from_2(&data(R, S))])
            .with([claimed.clone()])
            .leaves([1]),
        Case::new("a claimed host: the claimant itself", [at(2, data(R, A))]).with([claimed]).leaves([1]),
        Case::new("both: from a port", [at(2, data(B, A))]).with([both.clone()]).leaves([1, 3]),
        Case::new("both: from a third tunnel", [from_2(&data(B, S))]).with([both.clone()]).leaves([1, 3]),
        Case::new("both: not back into the claimant's tunnel", [from_1(&data(B, R))]).with([both]).leaves([3]),
    ]
}

/// Whose is the address, and who answers for it?
fn bindings() -> Vec<Case> {
    let configured = |bindings, suppress| entry("ingress_interface", &[2, 0], "access", &[1, 2, bindings, suppress]);
    let checks = configured(1, 0);
    let bound =
        |host, confirmed| entry("binding_ipv4", &[1, ip(address(A))], "binding_ipv4.bound", &[mac(host), confirmed]);
    let bound_6 =
        |host, confirmed| entry("binding_ipv6", &[1, ipv6_of(A)], "binding_ipv6.bound", &[mac(host), confirmed]);
    let request =
        |src: Mac| arp(BROADCAST, Arp { operation: 1, sender: (src, address(src)), target: ([0; 6], address(B)) });
    let probe = arp(BROADCAST, Arp { operation: 1, sender: (A, [0; 4]), target: ([0; 6], address(B)) });
    let mut forged = gratuitous(A);
    forged[27] = R[5];
    let claim = entry("source", &[1, mac(R), 2], "claim_pending", &[1]);
    let everywhere = [1, 3, 4, 5];
    let solicited = [0x33, 0x33, 0xff, 0, 0, B[5]];
    vec![
        Case::new("an ARP in another's name is dropped", [at(2, forged)]).drops([28]),
        Case::new("an unbound address is told", [at(2, gratuitous(A))])
            .with([checks.clone()])
            .leaves(everywhere)
            .punts([BINDING]),
        Case::new("an unbound IPv6 address is told", [at(2, neighbour(B, A, 136))])
            .with([checks.clone()])
            .leaves([3])
            .punts([BINDING]),
        Case::new("an unconfirmed address is told", [at(2, gratuitous(A))])
            .with([checks.clone(), bound(A, 0)])
            .leaves(everywhere)
            .punts([BINDING]),
        Case::new("a confirmed address is no news", [at(2, gratuitous(A))])
            .with([checks.clone(), bound(A, 1)])
            .leaves(everywhere),
        Case::new("a confirmed IPv6 address is no news", [at(2, neighbour(B, A, 135))])
            .with([checks.clone(), bound_6(A, 1)])
            .leaves([3]),
        Case::new("another's address is held", [at(2, gratuitous(A))])
            .with([checks.clone(), bound(C, 1)])
            .punts([BINDING]),
        Case::new("another's IPv6 address is held in a solicitation", [at(2, neighbour(B, A, 135))])
            .with([checks.clone(), bound_6(C, 0)])
            .punts([BINDING]),
        Case::new("another's IPv6 address is held in an advertisement", [at(2, neighbour(B, A, 136))])
            .with([checks.clone(), bound_6(C, 0)])
            .punts([BINDING]),
        Case::new("a shared address is anybody's", [at(2, gratuitous(A))])
            .with([checks.clone(), entry("binding_ipv4", &[1, ip(address(A))], "binding_ipv4.shared", &[])])
            .leaves(everywhere),
        Case::new("an address of a host elsewhere is a move first", [at(2, gratuitous(R))])
            .with([checks])
            .punts([MOVE]),
        Case::new("a search for duplicates binds nothing", [at(2, probe)])
            .with([configured(1, 1), bound(C, 1)])
            .leaves(everywhere),
        Case::new("a question to all is suppressed", [at(2, request(A))]).with([configured(0, 1)]).punts([REQUEST]),
        Case::new("a solicitation to all is suppressed", [at(2, neighbour(solicited, A, 135))])
            .with([configured(0, 1)])
            .punts([REQUEST]),
        Case::new("a question to one is not suppressed", [at(2, neighbour(B, A, 135))])
            .with([configured(0, 1)])
            .leaves([3]),
        Case::new("a gratuitous ARP is not suppressed", [at(2, gratuitous(A))])
            .with([configured(0, 1)])
            .leaves(everywhere),
        Case::new("a claimant's question is the controller's", [at(2, request(R))])
            .with([claim.clone()])
            .punts([REQUEST]),
        Case::new("a claimant's solicitation is the controller's", [at(2, neighbour(B, R, 135))])
            .with([claim])
            .punts([REQUEST]),
    ]
}

/// The address that a host announces.
fn address(host: Mac) -> Ip {
    [10, 0, 0, host[5]]
}

/// Its IPv6 address, as a number.
fn ipv6_of(host: Mac) -> u128 {
    0xfd << 120 | u128::from(host[5])
}

fn controller() -> Vec<Case> {
    let send = |location, bd, frame: Vec<u8>| Input::FromController([0, bd, location], frame);
    let ask = |location, frame: Vec<u8>| Input::FromController([2, 1, location], frame);
    let receive = |location, frame: Vec<u8>| Input::FromController([1, 1, location], frame);
    let answer = arp(PROBE, Arp { operation: 2, sender: (A, [10, 0, 0, 10]), target: (PROBE, [10, 0, 0, 254]) });
    let forged = arp(PROBE, Arp { operation: 2, sender: (R, [10, 0, 0, 18]), target: (PROBE, [10, 0, 0, 254]) });
    let held = [entry("source", &[1, mac(R), 2], "claim_pending", &[0])];
    let tunnel_answer = tunnelled(from_peer(), &vxlan(8, VNIS[0], &forged));
    vec![
        Case::new("an answer to a probe", [at(2, answer)]).punts([PROBE_REPLY]),
        Case::new("an answer from elsewhere", [at(2, forged.clone())]).punts([PROBE_REPLY]),
        Case::new("an answer of a pending claim", [at(2, forged)]).with(held).punts([PROBE_REPLY]),
        Case::new("an answer from a tunnel", [tunnel_answer]).punts([PROBE_REPLY]),
        Case::new("send to a port", [send(2, 1, data(A, PROBE))]).leaves([2]),
        Case::new("send to a tagged port", [send(4, 1, data(C, PROBE))]).leaves([4]),
        Case::new("send to the other tenant of a port", [send(5, 2, data(A, PROBE))]).leaves([4]),
        Case::new("send into a tunnel", [send(TUNNEL_1, 2, data(A, PROBE))]).leaves([1]),
        Case::new("ask at a port", [ask(2, data(A, PROBE))]).leaves([2]).punts([SENT]),
        Case::new("ask at a tagged port", [ask(4, data(C, PROBE))]).leaves([4]).punts([SENT]),
        Case::new("ask through a tunnel", [ask(TUNNEL_1, data(A, PROBE))]).leaves([1]).punts([SENT]),
        Case::new("ask nowhere", [ask(0x77, data(A, PROBE))]).drops([23]),
        Case::new("an echo", [Input::FromController([3, 1, 1], data(A, PROBE))]).punts([SENT]),
        Case::new("send to nowhere", [send(0x77, 1, data(A, PROBE))]).drops([23]),
        Case::new("receive a broadcast", [receive(2, gratuitous(R))]).leaves([1, 3, 4, 5]),
        Case::new("receive a broadcast from a tunnel", [receive(TUNNEL_1, gratuitous(R))]).leaves([2, 3, 4]),
        Case::new("receive a unicast", [receive(2, data(R, A))]).leaves([1]),
        Case::new("a tag from the controller", [send(2, 1, tagged(0, &data(A, PROBE)))]).drops([6]),
        Case::new("a VLAN from the controller is no interface", [send(2, 1, tagged(7, &data(A, PROBE)))]).drops([3]),
        Case::new("a mode that does not exist", [Input::FromController([9, 1, 2], data(A, PROBE))]).drops([27]),
        Case::new("more VXLAN ports do not matter without value sets", [at(2, data(R, A))])
            .with([entry("underlay_peer", &[ip([192, 0, 2, 50])], "underlay_peer.from_tunnel", &[TUNNEL_1.into()])])
            .leaves([1]),
    ]
}
