//! One claim through the driver, packet by packet, without switch or network.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use vouch_mobility::{
    Advertisement, Binding, ClaimId, Incarnation, Message, Migration, Open, Reply, Report, Sequence, Verdict, VtepAddr,
};
use vouch_net::{MacAddr, Vni};
use vouch_tables::{
    AccessTagAction, AccessTagKey, Aged, Bd, BindingIpv4Action, BindingIpv4Key, Change, DestinationAction,
    DestinationKey, EncapsulateAction, LocationPortAction, NextHopAction, PacketIn, PuntMeter, PuntReason,
    RecordedLocationAction, RecordedLocationKey, SourceAction, Tag, UnderlayTagAction, UnderlayTagKey, VlanId,
};

use vouch_underlay::Asking;
use vouch_underlay::bfd::BfdTimers;

use super::super::frames;
use super::*;
use crate::config::LinkAddress;

const CONFIG: &str = include_str!("../../../../../configs/demo/vtep1.yaml");
const HOST: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
const VTEP2: VtepAddr = VtepAddr(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)));
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 9);
const THEIRS: ClaimId = ClaimId { incarnation: Incarnation(9), number: 7 };
const T0: Instant = Instant::EPOCH;

type Switch = BTreeMap<EntryKey, EntryAction>;

/// Nothing is ever dropped, and nothing waits.
struct Perfect;

impl Hearing for Perfect {
    fn dropped(&self, _: LocationId) -> u64 {
        0
    }

    fn waiting(&self, _: LocationId) -> (u64, u64) {
        (0, 0)
    }
}

fn given() -> Given {
    let room = BindingRoom { ipv4: 1_000, ipv6: 1_000 };
    let hops = HopRoom { groups: 8, neighbours: 8 };
    Given { incarnation: Incarnation(3), room, hops, hearing: Box::new(Perfect) }
}

fn start(text: &str, switch: &Switch) -> (Core, usize) {
    let (mut core, restored) = Core::new(config(text), given(), switch, T0);
    let cells = PuntReason::ALL.into_iter().flat_map(|reason| {
        (1..5).flat_map(move |number| [access(number), tunnel(number)].map(|location| PuntMeter { reason, location }))
    });
    core.policed(cells.map(|cell| (cell, 0)).collect(), T0);
    (core, restored)
}

fn up(core: &mut Core, peer: VtepAddr) {
    let event = PeerEvent::Up {
        vtep: peer,
        session: SessionId(1),
        incarnation: Incarnation(9),
        probe_mac: MacAddr([2, 0x76, 10, 0, 0, 99]),
    };
    core.peer(event, T0);
}

/// What the switch does with questions and marks: it hands them back.
fn hand_back(core: &mut Core, outputs: &[Output], now: Instant) {
    for output in outputs {
        let Output::PacketOut { header, frame } = output else { continue };
        let location = match *header {
            PacketOut::Ask { location, .. } => location,
            PacketOut::Echo { .. } => access(1),
            PacketOut::Send { .. } | PacketOut::Receive { .. } | PacketOut::Link { .. } => continue,
        };
        core.packet_in(punt(PuntReason::Sent, location, None), frame, now);
    }
}

fn config(text: &str) -> Config {
    Config::parse("vtep1.yaml", text).expect("the demo's configuration is valid").config
}

/// A core over an empty switch, with a session to VTEP 2, that has heard of `HOST` behind VTEP 2.
fn knows_host_behind_vtep2() -> (Core, Switch) {
    let (mut core, _) = start(CONFIG, &Switch::new());
    up(&mut core, VTEP2);
    let advertisement = Advertisement {
        host: host(),
        bindings: vec![Binding { address: IpAddr::V4(ADDRESS), confirmed: true }],
        sequence: Sequence::default(),
        migration: None,
    };
    core.peer(PeerEvent::Message { vtep: VTEP2, message: Message::Advertisement(advertisement) }, T0);
    while core.poll_output().is_some() {}
    let mut switch = Switch::new();
    let changes = core.wanted().changes_from(Switch::new());
    apply(&mut switch, changes);
    (core, switch)
}

fn host() -> HostKey {
    HostKey { vni: Vni::new(5001).expect("24 bits"), mac: HOST }
}

fn bd() -> Bd {
    Bd::new(1).expect("in range")
}

fn access(number: u16) -> LocationId {
    LocationId::access(number).expect("in range")
}

fn tunnel(number: u16) -> LocationId {
    LocationId::tunnel(number).expect("in range")
}

fn apply(switch: &mut Switch, changes: Vec<Change>) {
    for change in changes {
        match change {
            Change::Insert(key, action) => assert_eq!(switch.insert(key, action), None, "{key} is there already"),
            Change::Modify(key, action) => assert!(switch.insert(key, action).is_some(), "{key} is not there"),
            Change::Delete(key) => assert!(switch.remove(&key).is_some(), "{key} is not there"),
        }
    }
}

fn write(core: &mut Core, switch: &mut Switch) {
    let changes = core.wanted().take_changes();
    apply(switch, changes);
}

fn outputs(core: &mut Core) -> Vec<Output> {
    let mut outputs: Vec<_> = std::iter::from_fn(|| core.poll_output()).collect();
    outputs
        .extend(std::iter::from_fn(|| core.poll_at_once()).map(|(header, frame)| Output::PacketOut { header, frame }));
    outputs
}

fn gratuitous_arp() -> Vec<u8> {
    let mut frame = [MacAddr::BROADCAST.octets(), HOST.octets()].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    for _ in 0..2 {
        frame.extend(HOST.octets());
        frame.extend(ADDRESS.octets());
    }
    frame
}

fn punt(reason: PuntReason, location: LocationId, recorded: Option<LocationId>) -> PacketIn {
    PacketIn { ingress_port: vouch_tables::Port::new(1).expect("in range"), bd: bd(), reason, location, recorded }
}

fn recorded(switch: &Switch) -> Option<&EntryAction> {
    switch.get(&RecordedLocationKey { bd: bd(), mac: HOST }.into())
}

fn source_at(switch: &Switch, location: LocationId) -> Option<SourceAction> {
    match switch.get(&SourceKey { bd: bd(), mac: HOST, location }.into()) {
        Some(EntryAction::Source(Aged { action, .. })) => Some(*action),
        _ => None,
    }
}

fn recorded_at(location: LocationId) -> EntryAction {
    EntryAction::RecordedLocation(RecordedLocationAction::Recorded { location, forward: true })
}

/// Claims `HOST` on access interface 1 and returns the claim's number.
fn claim(core: &mut Core, switch: &mut Switch) -> ClaimId {
    core.packet_in(punt(PuntReason::Move, access(1), Some(tunnel(1))), &gratuitous_arp(), T0);
    write(core, switch);
    let sent = outputs(core);
    let asked = sent.iter().find_map(|output| match output {
        Output::Send { to: VTEP2, session: SessionId(1), message: Message::Advertisement(it) } => Some(it.clone()),
        _ => None,
    });
    let asked = asked.unwrap_or_else(|| panic!("no advertisement to the owner among {sent:?}"));
    assert_eq!(asked.host, host());
    assert!(asked.bindings.iter().any(|binding| binding.address == IpAddr::V4(ADDRESS)), "{asked:?}");
    match asked.migration {
        Some(Migration::Asked { claim, .. }) => claim,
        other => panic!("an advertisement with the migration attribute, not {other:?}"),
    }
}

fn reply(core: &mut Core, claim: ClaimId, verdict: Verdict, sequence: u32) {
    let reply = Reply { host: host(), claim, sequence: Sequence(sequence), verdict };
    core.peer(PeerEvent::Message { vtep: VTEP2, message: Message::Reply(reply) }, T0);
}

#[test]
fn m1_m2_a_punted_arp_adds_a_second_entry_beside_the_first_and_asks_the_owner() {
    let (mut core, mut switch) = knows_host_behind_vtep2();
    assert_eq!(recorded(&switch), Some(&recorded_at(tunnel(1))));
    claim(&mut core, &mut switch);
    assert_eq!(recorded(&switch), Some(&recorded_at(tunnel(1))), "the first entry stays");
    assert_eq!(source_at(&switch, access(1)), Some(SourceAction::ClaimPending { forward: true }));
    let destination = DestinationAction::Claimed { claim_location: access(1), owner_location: tunnel(1) };
    let key = DestinationKey { bd: bd(), mac: HOST };
    assert_eq!(switch.get(&key.into()), Some(&EntryAction::Destination(destination)));
}

#[test]
fn b3_an_undecided_claim_is_served_beside_the_owner_when_the_owner_says_so() {
    let (mut core, mut switch) = knows_host_behind_vtep2();
    let claim = claim(&mut core, &mut switch);
    reply(&mut core, claim, Verdict::Open(Open::Overdue), 0);
    write(&mut core, &mut switch);
    let Some(EntryAction::Destination(DestinationAction::Both { group })) =
        switch.get(&DestinationKey { bd: bd(), mac: HOST }.into())
    else {
        panic!("both places, not {:?}", switch.get(&DestinationKey { bd: bd(), mac: HOST }.into()));
    };
    let Some(EntryAction::MulticastGroup(replicas)) = switch.get(&EntryKey::MulticastGroup(*group)) else {
        panic!("{group} is not there");
    };
    assert_eq!(replicas.iter().map(|replica| replica.location).collect::<Vec<_>>(), [access(1), tunnel(1)]);
}

#[test]
fn m6_stayed_takes_the_second_entry_away_and_drops_the_held_frame() {
    let (mut core, mut switch) = knows_host_behind_vtep2();
    let before = switch.clone();
    let claim = claim(&mut core, &mut switch);
    reply(&mut core, claim, Verdict::Stayed, 2);
    // The refusal is remembered for a while, and with it the entry that keeps the switch from punting again.
    while let Some(deadline) = core.deadline() {
        core.timeout(deadline);
        if deadline > T0 + std::time::Duration::from_secs(1) {
            break;
        }
    }
    write(&mut core, &mut switch);
    assert_eq!(switch, before);
    assert_eq!(core.counters().frames_dropped, 1);
    assert!(!outputs(&mut core).iter().any(|output| matches!(output, Output::PacketOut { .. })));
}

#[test]
fn m6_moved_makes_the_second_entry_the_entry_and_releases_the_held_frame() {
    let (mut core, mut switch) = knows_host_behind_vtep2();
    let claim = claim(&mut core, &mut switch);
    reply(&mut core, claim, Verdict::Moved { tenure: Duration::ZERO }, 1);
    write(&mut core, &mut switch);
    assert_eq!(recorded(&switch), Some(&recorded_at(access(1))));
    assert!(matches!(source_at(&switch, access(1)), Some(SourceAction::Here { .. })));
    let released: Vec<_> = outputs(&mut core)
        .into_iter()
        .filter_map(|output| match output {
            Output::PacketOut { header, frame } => Some((header, frame)),
            Output::Send { .. } => None,
        })
        .collect();
    assert_eq!(released, [(PacketOut::Receive { bd: bd(), location: access(1) }, gratuitous_arp())]);
}

#[test]
fn a_restarted_agent_keeps_the_hosts_of_its_switch_and_writes_only_what_it_has_to_confirm() {
    let (_, switch) = knows_host_behind_vtep2();
    let (mut core, restored) = start(CONFIG, &switch);
    assert_eq!(restored, 1);
    let changes = core.wanted().changes_from(switch);
    // Its address is to be heard of once more.
    let unconfirmed =
        BindingIpv4Key { bd: bd(), ip: ADDRESS }.with(BindingIpv4Action::Bound { mac: HOST, confirmed: false });
    assert_eq!(changes, [Change::Modify(unconfirmed.0, unconfirmed.1)]);
}

#[test]
fn what_may_be_no_host_any_more_is_not_restored_and_goes() {
    let (_, switch) = knows_host_behind_vtep2();
    let reserving = CONFIG.replacen("  - vni: 5001\n", &format!("  - vni: 5001\n    reserved_macs: [\"{HOST}\"]\n"), 1);
    assert_ne!(reserving, CONFIG);
    let (mut core, restored) = start(&reserving, &switch);
    assert_eq!(restored, 0);
    let gone: Vec<_> = core.wanted().changes_from(switch).iter().map(|change| *change.key()).collect();
    let key = RecordedLocationKey { bd: bd(), mac: HOST };
    assert!(gone.contains(&key.into()) && gone.len() == 3, "its place, its destination, its address: {gone:?}");
}

#[test]
fn a_host_at_the_interface_of_another_vni_is_not_restored_nor_learnt() {
    let (_, mut switch) = knows_host_behind_vtep2();
    // Access interface 3 belongs to the other VNI.
    switch.insert(RecordedLocationKey { bd: bd(), mac: HOST }.into(), recorded_at(access(3)));
    let (mut core, restored) = start(CONFIG, &switch);
    assert_eq!(restored, 0);
    core.packet_in(punt(PuntReason::Learn, access(3), None), &gratuitous_arp(), T0);
    assert_eq!(core.machine().hosts().count(), 0);
    assert_eq!(core.counters().foreign_frames, 1);
}

#[test]
fn a_restart_with_more_in_the_configuration_renumbers_nothing() {
    let (_, switch) = knows_host_behind_vtep2();
    let extended = CONFIG
        .replace("vnis:\n", "vnis:\n  - vni: 4000\n    access: [5]\n    probe_as: {address: 192.168.9.253}\n")
        .replace("peers:\n", "peers:\n  - {name: vtep0, address: 10.0.0.200, endpoint: http://127.0.0.1:7009}\n");
    let (mut core, restored) = start(&extended, &switch);
    assert_eq!(restored, 1);
    let changes = core.wanted().changes_from(switch);
    assert!(!changes.is_empty());
    for change in changes {
        let grows = matches!(change.key(), EntryKey::MulticastGroup(_) | EntryKey::BindingIpv4(_));
        assert!(grows || matches!(change, Change::Insert(..)), "{change}");
    }
}

#[test]
fn what_makes_no_sense_is_counted_and_changes_nothing() {
    let (mut core, mut switch) = knows_host_behind_vtep2();
    let before = switch.clone();
    let arp = gratuitous_arp();
    core.packet_in(punt(PuntReason::Move, access(1), None), &arp[..30], T0);
    core.packet_in(punt(PuntReason::Move, access(99), None), &arp, T0);
    core.packet_in(punt(PuntReason::Learn, tunnel(1), None), &arp, T0);
    core.packet_in(
        PacketIn { bd: Bd::new(77).expect("in range"), ..punt(PuntReason::Learn, access(1), None) },
        &arp,
        T0,
    );
    write(&mut core, &mut switch);
    assert_eq!(switch, before);
    assert_eq!((core.counters().malformed_frames, core.counters().foreign_frames), (1, 3));
}

#[test]
fn m3_the_owner_asks_out_of_exactly_the_recorded_port() {
    let (mut core, _) = start(CONFIG, &Switch::new());
    up(&mut core, VTEP2);
    core.packet_in(punt(PuntReason::Learn, access(2), None), &gratuitous_arp(), T0);
    outputs(&mut core);
    let claim = Advertisement {
        host: host(),
        bindings: vec![Binding { address: IpAddr::V4(ADDRESS), confirmed: true }],
        sequence: Sequence(1),
        migration: Some(Migration::Asked { claim: THEIRS, tenure: Duration::ZERO, damped: false, taken: false }),
    };
    core.peer(PeerEvent::Message { vtep: VTEP2, message: Message::Advertisement(claim) }, T0);
    let probes: Vec<_> = outputs(&mut core)
        .into_iter()
        .filter_map(|output| match output {
            Output::PacketOut { header, frame } => Some((header, frame[..6].to_vec(), frame[38..42].to_vec())),
            Output::Send { .. } => None,
        })
        .collect();
    let header = PacketOut::Ask { bd: bd(), location: access(2) };
    assert_eq!(probes, [(header, HOST.octets().to_vec(), ADDRESS.octets().to_vec())]);
}

/// [`CONFIG`] with two next hops, at ports 9 and 10.
fn two_ways() -> String {
    CONFIG.replace("  routes:", "    - {port: 10, mac: \"02:00:00:00:01:0a\"}\n  routes:").replace(
        "via: {port: 9, mac: \"02:00:00:00:fe:01\"}",
        "via: [{port: 9, mac: \"02:00:00:00:fe:01\"}, {port: 10, mac: \"02:00:00:00:fd:01\"}]",
    )
}

/// The port that has each bucket.
fn buckets(switch: &Switch) -> Vec<u16> {
    let port = |action: &EntryAction| match action {
        EntryAction::NextHop(NextHopAction::Via { port, .. }) => Some(port.get()),
        _ => None,
    };
    switch.values().filter_map(port).collect()
}

#[test]
fn next_hops_share_what_goes_one_way_and_a_lost_link_moves_only_its_own_flows() {
    let (mut core, _) = start(&two_ways(), &Switch::new());
    let mut switch = Switch::new();
    write(&mut core, &mut switch);
    let before = switch.clone();
    // Copies go by fixed ports: the two tunnels' in two flood groups.
    let ports_of_copies = |switch: &Switch| -> BTreeSet<u16> {
        let groups = switch.values().filter_map(|action| match action {
            EntryAction::MulticastGroup(replicas) => Some(replicas),
            _ => None,
        });
        let tunnels = groups.flatten().filter(|replica| replica.location.is_tunnel());
        tunnels.map(|replica| replica.port.get()).collect()
    };
    let all = buckets(&switch);
    assert_eq!((all.len(), all.iter().filter(|port| **port == 9).count()), (64, 32));
    assert_eq!(ports_of_copies(&switch), [9, 10].into());

    core.port(9, Link::Down, T0);
    let changes = core.wanted().take_changes();
    let moved = changes.iter().filter(|change| matches!(change.key(), EntryKey::NextHop(_))).count();
    assert_eq!(moved, 32, "what the other has is not touched");
    apply(&mut switch, changes);
    assert_eq!(buckets(&switch), [10; 64]);
    assert_eq!(ports_of_copies(&switch), [10].into());

    // Without any, it may be that only the news of the links is wrong.
    core.port(10, Link::Down, T0);
    write(&mut core, &mut switch);
    assert_eq!(switch, before);

    core.port(9, Link::Up, T0);
    core.port(10, Link::Up, T0);
    write(&mut core, &mut switch);
    assert_eq!(switch, before);
}

#[test]
fn groups_of_next_hops_keep_their_numbers_over_a_restart() {
    let mut switch = Switch::new();
    write(&mut start(&two_ways(), &Switch::new()).0, &mut switch);
    // A route before the other, and other next hops: the lowest number and the first neighbours were theirs.
    let more = two_ways().replace("  - {port: 9, mac", "  - {port: 8, mac: \"02:00:00:00:01:08\"}\n    - {port: 9, mac").replace(
        "  routes:",
        "  routes:\n    - prefix: 10.0.9.0/24\n      via: [{port: 8, mac: \"02:00:00:00:f8:01\"}, {port: 9, mac: \"02:00:00:00:f9:01\"}]",
    );
    let (mut core, _) = start(&more, &switch);
    let changes = core.wanted().changes_from(switch.clone());
    let touched = changes.iter().filter(|change| {
        let before = switch.get(change.key());
        before.is_some() && matches!(change.key(), EntryKey::NextHop(_) | EntryKey::Neighbour(_))
    });
    assert_eq!(touched.count(), 0, "{changes:?}");
    apply(&mut switch, changes);
    assert_eq!(buckets(&switch).len(), 128);
}

#[test]
fn without_room_for_a_group_the_first_next_hop_that_is_there_has_it_all() {
    let given = Given { hops: HopRoom { groups: 0, neighbours: 8 }, ..given() };
    let (mut core, _) = Core::new(config(&two_ways()), given, &Switch::new(), T0);
    let ports_of_tunnels = |switch: &Switch| -> Vec<u16> {
        let port = |(key, action): (&EntryKey, &EntryAction)| match (key, action) {
            (EntryKey::LocationPort(key), EntryAction::LocationPort(LocationPortAction::Port { port })) => {
                key.location.is_tunnel().then_some(port.get())
            }
            _ => None,
        };
        switch.iter().filter_map(port).collect()
    };
    let mut switch = Switch::new();
    write(&mut core, &mut switch);
    assert_eq!((ports_of_tunnels(&switch), buckets(&switch)), (vec![9, 9], vec![]));
    core.port(9, Link::Down, T0);
    write(&mut core, &mut switch);
    assert_eq!(ports_of_tunnels(&switch), [10, 10]);
}

/// [`CONFIG`] with two next hops that are known by their addresses.
fn two_neighbours() -> String {
    CONFIG
        .replace(
            "{port: 9, mac: \"02:00:00:00:01:09\"}",
            "{port: 9, mac: \"02:00:00:00:01:09\", address: 192.0.2.0/31}",
        )
        .replace("  routes:", "    - {port: 10, mac: \"02:00:00:00:01:0a\", address: 192.0.2.2/31}\n  routes:")
        .replace("via: {port: 9, mac: \"02:00:00:00:fe:01\"}", "via: [192.0.2.1, 192.0.2.3]")
}

#[test]
fn a_tagged_underlay_port_expects_its_tag_and_puts_it_on() {
    let text = two_neighbours().replace("address: 192.0.2.0/31}", "address: 192.0.2.0/31, vlan: 30}");
    let (mut core, _) = start(&text, &Switch::new());
    let mut switch = Switch::new();
    write(&mut core, &mut switch);
    let [nine, ten] = [9, 10].map(|port| vouch_tables::Port::new(port).expect("small"));
    let vlan_id = VlanId::new(30).expect("in range");
    let expected = |port| {
        let interfaces = switch.keys().filter_map(|key| match key {
            EntryKey::IngressInterface(key) if key.ingress_port == port => Some(key.vlan_id),
            _ => None,
        });
        interfaces.collect::<Vec<_>>()
    };
    assert_eq!((expected(nine), expected(ten)), (vec![Tag::Vlan(vlan_id)], vec![Tag::Untagged]));
    let [of_nine, of_ten] = [nine, ten].map(|port| switch.get(&UnderlayTagKey { port }.into()).cloned());
    assert_eq!(of_nine, Some(EntryAction::UnderlayTag(UnderlayTagAction::Tagged { vlan_id })));
    assert_eq!(of_ten, None);
    let on_link = |port| &switch[&AccessTagKey { location: LocationId::link(port) }.into()];
    assert_eq!(*on_link(nine), EntryAction::AccessTag(AccessTagAction::Tagged { vlan_id }));
    assert_eq!(*on_link(ten), EntryAction::AccessTag(AccessTagAction::Untagged));
}

/// What the switch says of its ports are bytes of frames, tags among them.
#[test]
fn a_tag_takes_four_bytes_of_what_a_port_carries() {
    let longest = |text: &str, mtus: &[(u16, u16)]| {
        let (mut core, _) = start(text, &Switch::new());
        for (port, bytes) in mtus {
            core.port_mtu(*port, *bytes);
        }
        let mut switch = Switch::new();
        write(&mut core, &mut switch);
        let longest = switch.values().find_map(|action| match action {
            EntryAction::Encapsulate(EncapsulateAction::Encapsulate { max_frame_bytes, .. }) => Some(*max_frame_bytes),
            _ => None,
        });
        longest.expect("a tunnel")
    };
    let unsaid: String =
        CONFIG.lines().filter(|line| !line.starts_with("  mtu:")).map(|line| format!("{line}\n")).collect();
    let with_tag = |text: &str| text.replace("\"02:00:00:00:01:09\"}", "\"02:00:00:00:01:09\", vlan: 30}");
    let (tagged, given) = (with_tag(&unsaid), with_tag(CONFIG));
    assert!(tagged != unsaid && given != tagged);
    assert_eq!(longest(&unsaid, &[(9, 1564)]), 1514);
    assert_eq!(longest(&tagged, &[(9, 1564)]), 1510);
    assert_eq!(longest(&tagged, &[(9, 1568)]), 1514);
    // What is configured is of IP packets.
    assert_eq!(longest(&given, &[(9, 1564)]), 1514);
}

fn at_once(core: &mut Core) -> Vec<(PacketOut, Vec<u8>)> {
    std::iter::from_fn(|| core.poll_at_once()).collect()
}

/// Answers all that the core asks on a link, as a neighbour does whose MAC address ends so.
fn answer_on(core: &mut Core, port: u16, last: u8, now: Instant) {
    for (header, frame) in at_once(core) {
        let PacketOut::Link { port: asked } = header else { panic!("{header:?}") };
        if asked.get() == port {
            let mac = [2, 0, 0, 0, 0xf0, last];
            let mut answer = [&frame[6..12], &mac, &frame[12..20], &[0, 2], &mac, &frame[38..42]].concat();
            answer.extend(&frame[22..32]);
            core.neighbour(asked, &answer, now);
        }
    }
}

/// What was told of next hops: address, whether it is used, and the routes that have none.
fn next_hop_news(core: &mut Core) -> Vec<(IpAddr, bool, usize)> {
    let news = std::iter::from_fn(|| core.poll_event()).filter_map(|event| match event {
        AgentEventKind::NextHop { address, mac, without, .. } => Some((address, mac.is_some(), without.len())),
        _ => None,
    });
    news.collect()
}

const FIRST_HOP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const SECOND_HOP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3));

#[test]
fn next_hops_are_asked_and_used_when_they_answer() {
    let (mut core, _) = start(&two_neighbours(), &Switch::new());
    let mut switch = Switch::new();
    core.timeout(T0);
    write(&mut core, &mut switch);
    let leads = |switch: &Switch| {
        let routes = switch.keys().filter(|key| matches!(key, EntryKey::UnderlayRoute(_))).count();
        let tunnels = switch.keys().filter(|key| matches!(key, EntryKey::Encapsulate(_))).count();
        (routes, tunnels, buckets(switch).len())
    };
    assert_eq!(leads(&switch), (0, 0, 0), "nobody has answered: packets are dropped, and counted for that reason");

    answer_on(&mut core, 9, 1, T0);
    write(&mut core, &mut switch);
    assert_eq!((leads(&switch), buckets(&switch)), ((1, 2, 64), vec![9; 64]));
    assert_eq!(next_hop_news(&mut core), [(FIRST_HOP, true, 0)]);

    let mut now = T0;
    for _ in 0..20 {
        now = core.deadline().expect("there is always somebody to ask").max(now);
        core.timeout(now);
        answer_on(&mut core, 10, 2, now);
    }
    // The second has come, the first has fallen silent.
    write(&mut core, &mut switch);
    assert_eq!(buckets(&switch), [10; 64]);
    assert_eq!(next_hop_news(&mut core), [(SECOND_HOP, true, 0), (FIRST_HOP, false, 0)]);

    for _ in 0..20 {
        now = core.deadline().expect("there is always somebody to ask").max(now);
        core.timeout(now);
    }
    write(&mut core, &mut switch);
    assert_eq!(leads(&switch), (0, 0, 0));
    assert_eq!(next_hop_news(&mut core), [(SECOND_HOP, false, 1)]);
    assert!(now < T0 + Duration::from_secs(20), "{now:?}");
}

#[test]
fn with_bfd_a_next_hop_is_used_while_its_session_is_up() {
    let text = two_neighbours().replace("192.0.2.0/31}", "192.0.2.0/31, bfd: {}}");
    watched_by_bfd(&text, [0, 1]);
}

/// Its session would not come up, and it would use no route by us.
#[test]
fn with_bfd_who_is_alone_on_a_link_with_us_is_answered_where_no_route_is_by_it() {
    let text = two_neighbours().replace("192.0.2.0/31}", "192.0.2.0/31, bfd: {}}");
    watched_by_bfd(&text.replace("via: [192.0.2.1, 192.0.2.3]", "via: 192.0.2.3"), [1, 0]);
    let link = |text: &str| serde_json::from_value::<LinkAddress>(text.into()).expect("it is one").other_end();
    assert_eq!(link("192.0.2.1/31"), Some(IpAddr::from([192, 0, 2, 0])));
    assert_eq!(link("2001:db8::4/127"), "2001:db8::5".parse().ok());
    assert_eq!((link("192.0.2.1/30"), link("2001:db8::4/64")), (None, None));
}

/// A neighbour comes, stays and falls silent, with sessions at both ends. The second next hop, and later it, leave so many routes without any.
#[track_caller]
fn watched_by_bfd(text: &str, without: [usize; 2]) {
    let (mut core, _) = start(text, &Switch::new());
    let bfd = BfdTimers { interval: Duration::from_millis(100), multiplier: 3 };
    let far = vouch_underlay::Link { mac: MacAddr([2, 0, 0, 0, 0xf0, 1]), address: FIRST_HOP, bfd: Some(bfd) };
    let us = vouch_underlay::NextHop { port: 9, address: [192, 0, 2, 0].into() };
    let asking = Asking { every: Duration::from_millis(200), misses: 3 };
    let mut far = Underlay::new([(9, far)].into(), [us], asking, 7, Duration::ZERO);
    // Lets both ends speak for a while, if there is one.
    let mut run = |core: &mut Core, there: bool, from: Instant, span: Duration| {
        let mut now = from;
        while now <= from + span {
            core.timeout(now);
            let since = Duration::from_micros(now.as_micros());
            far.timeout(since);
            for (header, frame) in at_once(core) {
                if matches!(header, PacketOut::Link { port } if port.get() == 9) {
                    far.handle(9, &frame, since).expect("said to it");
                }
            }
            while let Some(action) = far.poll_action() {
                if let (vouch_underlay::Action::Send { frame, .. }, true) = (action, there) {
                    core.neighbour(vouch_tables::Port::new(9).expect("small"), &frame, now);
                }
            }
            now = now + Duration::from_millis(10);
        }
        (now, far.next_hops().all(|(_, mac)| mac.is_some()))
    };
    let (now, up) = run(&mut core, true, T0, Duration::from_secs(5));
    assert!(up, "at its end, too");
    assert_eq!(next_hop_news(&mut core), [(FIRST_HOP, true, 0), (SECOND_HOP, false, without[0])]);
    let (now, _) = run(&mut core, true, now, Duration::from_secs(20));
    assert_eq!(next_hop_news(&mut core), []);
    run(&mut core, false, now, Duration::from_millis(400));
    assert_eq!(next_hop_news(&mut core), [(FIRST_HOP, false, without[1])]);
}

#[test]
fn what_others_say_on_a_link_changes_nothing_and_is_counted() {
    let (mut core, _) = start(&two_neighbours(), &Switch::new());
    core.timeout(T0);
    // The first next hop's answer, at the second's port.
    let (_, question) = at_once(&mut core).remove(0);
    let mut answer = [&question[6..12], &[2, 0, 0, 0, 0xf0, 1], &question[12..20], &[0, 2]].concat();
    answer.extend([2, 0, 0, 0, 0xf0, 1].into_iter().chain([192, 0, 2, 1]));
    answer.extend([2, 0, 0, 0, 1, 0x0a, 192, 0, 2, 2]);
    core.neighbour(vouch_tables::Port::new(10).expect("small"), &answer, T0);
    assert_eq!((next_hop_news(&mut core), core.counters().neighbours_refused), (vec![], 1));
    core.neighbour(vouch_tables::Port::new(10).expect("small"), &answer[..20], T0);
    assert_eq!(core.counters().neighbours_refused, 2);
}

/// A configuration over IPv6: the tunnels, and the links.
fn over_ipv6(text: &str) -> String {
    let text = text.replace("10.0.0.0/24", "2001:db8::/64").replace("mtu: 1550", "mtu: 1570");
    let text = ["1", "2", "3"].iter().fold(text, |text, last| {
        text.replace(&format!("address: 10.0.0.{last}"), &format!("address: 2001:db8::{last}"))
    });
    text.replace("192.0.2.0/31", "\"2001:db8:ffff::0/127\"")
        .replace("192.0.2.2/31", "\"2001:db8:ffff::2/127\"")
        .replace("[192.0.2.1, 192.0.2.3]", "[\"2001:db8:ffff::1\", \"2001:db8:ffff::3\"]")
}

#[test]
fn over_ipv6_the_tables_are_those_of_ipv6() {
    let (mut core, _) = start(&over_ipv6(CONFIG), &Switch::new());
    let mut switch = Switch::new();
    write(&mut core, &mut switch);
    let texts: Vec<String> = switch.iter().map(|(key, action)| format!("{key}: {action}")).collect();
    let of = |table: &str| texts.iter().filter(|text| text.starts_with(&format!("{table} "))).collect::<Vec<_>>();
    assert_eq!(of("local_vtep_ipv6"), ["local_vtep_ipv6 dst=2001:db8::1: terminate"]);
    assert_eq!(
        of("underlay_peer_ipv6"),
        [
            "underlay_peer_ipv6 src=2001:db8::2: from_tunnel location=tunnel1",
            "underlay_peer_ipv6 src=2001:db8::3: from_tunnel location=tunnel2"
        ]
    );
    let link = "src_mac=02:00:00:00:01:09 dst_mac=02:00:00:00:fe:01";
    assert_eq!(of("underlay_route_ipv6"), [&format!("underlay_route_ipv6 dst=2001:db8::/64: route port=9 {link}")]);
    let encapsulate = |number| {
        format!(
            "encapsulate location=tunnel{number}: encapsulate_ipv6 src_ip=2001:db8::1 dst_ip=2001:db8::{} {link} \
             hop_limit=64 dscp=0 max_frame_bytes=1514",
            number + 1
        )
    };
    assert_eq!(of("encapsulate"), [&encapsulate(1), &encapsulate(2)]);
    for table in ["local_vtep", "underlay_peer", "underlay_route"] {
        assert_eq!(of(table), [""; 0]);
    }
    // Whoever answers a probe through a tunnel answers to an address of this VTEP's own.
    assert!(texts.contains(&"destination bd=1 mac=02:76:00:00:00:01: probe_reply".to_owned()), "{texts:?}");
}

#[test]
fn over_ipv6_a_restart_keeps_numbers_and_next_hops() {
    let text = over_ipv6(&two_neighbours());
    let (mut core, _) = start(&text, &Switch::new());
    core.timeout(T0);
    // Each is asked by neighbour discovery; a machine of the same kind answers at the other end.
    for (port, last) in [(9, 1), (10, 3)] {
        let at = |last: u16| IpAddr::from([0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, last]);
        let far = vouch_underlay::Link { mac: MacAddr([2, 0, 0, 0, 0xf0, last as u8]), address: at(last), bfd: None };
        let us = vouch_underlay::NextHop { port, address: at(last - 1) };
        let asking = Asking { every: Duration::from_millis(200), misses: 3 };
        let mut far = Underlay::new([(port, far)].into(), [us], asking, 7, Duration::ZERO);
        for (header, frame) in at_once(&mut core) {
            match header {
                PacketOut::Link { port: asked } if asked.get() == port => {
                    far.handle(port, &frame, Duration::ZERO).expect("said to it");
                }
                header => core.at_once.push_back((header, frame)),
            }
        }
        while let Some(action) = far.poll_action() {
            if let vouch_underlay::Action::Send { port, frame } = action {
                core.neighbour(vouch_tables::Port::new(port).expect("small"), &frame, T0);
            }
        }
    }
    let mut switch = Switch::new();
    write(&mut core, &mut switch);
    let used = next_hop_news(&mut core).into_iter().map(|(address, up, _)| (address.to_string(), up));
    assert_eq!(
        used.collect::<Vec<_>>(),
        [("2001:db8:ffff::1".to_owned(), true), ("2001:db8:ffff::3".to_owned(), true)]
    );
    assert_eq!(buckets(&switch).len(), 64);
    let (mut again, _) = start(&text, &switch);
    assert_eq!(again.wanted().changes_from(switch.clone()), []);
}

#[test]
fn a_restart_goes_on_with_the_next_hops_that_were_in_use() {
    for text in [two_neighbours(), two_neighbours().replace("[192.0.2.1, 192.0.2.3]", "192.0.2.1")] {
        let (mut core, _) = start(&text, &Switch::new());
        core.timeout(T0);
        let asked = at_once(&mut core);
        for (port, last) in [(9, 1), (10, 2)] {
            for (header, frame) in &asked {
                core.at_once.push_back((*header, frame.clone()));
            }
            answer_on(&mut core, port, last, T0);
        }
        let mut switch = Switch::new();
        write(&mut core, &mut switch);

        let (mut again, _) = start(&text, &switch);
        assert_eq!(again.wanted().changes_from(switch.clone()), [], "{text}");
    }
}

/// What the switch and the stream do while a host is asked.
#[derive(Clone, Default)]
struct Around {
    /// Questions come back.
    asks: bool,
    /// Marks come back.
    marks: bool,
    /// The host answers, as a host does whose gateway did not ask.
    answers: bool,
    /// What the counters of policed punts say.
    policed: BTreeMap<PuntMeter, u64>,
}

impl Around {
    fn perfect() -> Self {
        Self { asks: true, marks: true, ..Self::default() }
    }

    /// Lets time pass, and says what was said to peers.
    fn until(&self, core: &mut Core, mut now: Instant, until: Instant) -> Vec<Message> {
        let mut said = Vec::new();
        loop {
            loop {
                let (sent, found) = (outputs(core), core.find_out(now));
                if sent.is_empty() && found.is_none() {
                    break;
                }
                for output in &sent {
                    match output {
                        Output::Send { message, .. } => said.push(message.clone()),
                        Output::PacketOut { header, .. } => {
                            if self.asks {
                                hand_back(core, std::slice::from_ref(output), now);
                            }
                            if let (true, PacketOut::Ask { location, .. }) = (self.answers, *header) {
                                answer(core, location, now);
                            }
                        }
                    }
                }
                if let Some((mark, echo, cells)) = found {
                    if self.marks {
                        hand_back(core, &[echo], now);
                    }
                    let count = |cell| (cell, self.policed.get(&cell).copied().unwrap_or(0));
                    core.found_out(mark, Some(cells.into_iter().map(count).collect()), now);
                }
            }
            match core.deadline() {
                Some(due) if due <= until => {
                    now = now.max(due);
                    core.timeout(now);
                }
                Some(_) | None => return said,
            }
        }
    }
}

/// How long the host has been where it is when it is claimed: long enough to be believed.
const SETTLED: Duration = Duration::from_secs(1_000);

/// `HOST` answers a probe.
fn answer(core: &mut Core, location: LocationId, now: Instant) {
    let mut reply = gratuitous_arp();
    reply[..6].copy_from_slice(&[2, 0x76, 10, 0, 0, 1]);
    reply[20..22].copy_from_slice(&[0, 2]);
    core.packet_in(punt(PuntReason::ProbeReply, location, Some(location)), &reply, now);
}

/// A core that has had `HOST` at access interface 2 for long, and VTEP 2 says that it has moved there.
fn owner_of_a_claimed_host(text: &str) -> Core {
    let (mut core, _) = start(text, &Switch::new());
    up(&mut core, VTEP2);
    core.packet_in(punt(PuntReason::Learn, access(2), None), &gratuitous_arp(), T0);
    Around { answers: true, ..Around::perfect() }.until(&mut core, T0, after(0));
    while core.poll_event().is_some() {}
    let claim = Advertisement {
        host: host(),
        bindings: vec![Binding { address: IpAddr::V4(ADDRESS), confirmed: true }],
        sequence: Sequence(1),
        migration: Some(Migration::Asked { claim: THEIRS, tenure: Duration::ZERO, damped: false, taken: false }),
    };
    core.peer(PeerEvent::Message { vtep: VTEP2, message: Message::Advertisement(claim) }, after(0));
    core
}

fn verdicts(said: &[Message]) -> Vec<Verdict> {
    let verdict = |message: &Message| match message {
        Message::Reply(reply) if reply.claim == THEIRS => Some(reply.verdict),
        _ => None,
    };
    said.iter().filter_map(verdict).collect()
}

/// After the claim.
fn after(millis: u64) -> Instant {
    T0 + SETTLED + Duration::from_millis(millis)
}

/// The rule of evidence (4a), as far as it is the driver's to keep.
#[test]
fn silence_moves_a_host_only_if_it_was_asked_and_would_have_been_heard() {
    let lost = |reason| {
        let policed = [(PuntMeter { reason, location: access(2) }, 1)].into();
        Around { policed, ..Around::perfect() }
    };
    let cases = [
        ("all is well", Around::perfect(), true),
        ("questions are not known to have left", Around { asks: false, ..Around::perfect() }, false),
        ("the switch does not answer", Around { marks: false, ..Around::perfect() }, false),
        ("its answer may have been policed away", lost(PuntReason::ProbeReply), false),
        ("so may be other frames of it", lost(PuntReason::Alive), false),
        ("so may be announcements of it", lost(PuntReason::Binding), false),
        ("a flood of strangers is not in the way", lost(PuntReason::Learn), true),
    ];
    for (what, around, moves) in cases {
        let mut core = owner_of_a_claimed_host(CONFIG);
        // Questions that do not leave are given up after two seconds of that.
        let said = around.until(&mut core, after(0), after(3_000));
        let verdicts = verdicts(&said);
        // That an answer is overdue is said in any case; after the first verdict the host may be asked anew.
        let first = verdicts.iter().find(|verdict| **verdict != Verdict::Open(Open::Overdue));
        match first {
            Some(Verdict::Moved { .. }) => assert!(moves, "{what}: {verdicts:?}"),
            Some(Verdict::Open(Open::Unproven)) => assert!(!moves, "{what}: {verdicts:?}"),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn a_session_that_breaks_during_a_question_ends_it_without_a_verdict() {
    let mut core = owner_of_a_claimed_host(CONFIG);
    let mut said = Around::perfect().until(&mut core, after(0), after(150));
    core.lost_touch(after(150));
    said.extend(Around::perfect().until(&mut core, after(150), after(900)));
    let verdicts = verdicts(&said);
    let first = verdicts.iter().find(|verdict| **verdict != Verdict::Open(Open::Overdue));
    assert_eq!(first, Some(&Verdict::Open(Open::Unproven)), "{verdicts:?}");
}

/// The host has to be watched before it is asked; from then on a question waits for no other host's writes.
#[test]
fn only_the_first_round_of_a_question_waits_for_what_is_written() {
    let mut core = owner_of_a_claimed_host(CONFIG);
    assert_eq!(core.poll_at_once(), None);
    let first = outputs(&mut core);
    core.timeout(after(15));
    assert_eq!(core.poll_at_once(), None, "it may not be watched yet");
    let second = outputs(&mut core);
    hand_back(&mut core, &first, after(20));
    hand_back(&mut core, &second, after(20));
    // 35 ms after the first has left.
    core.timeout(after(55));
    assert!(matches!(core.poll_at_once(), Some((PacketOut::Ask { .. }, _))));
    assert!(!outputs(&mut core).iter().any(|output| matches!(output, Output::PacketOut { .. })));
}

#[test]
fn m4_an_answer_refuses_the_claim() {
    let mut core = owner_of_a_claimed_host(CONFIG);
    let asked = outputs(&mut core);
    hand_back(&mut core, &asked, after(0));
    answer(&mut core, access(2), after(2));
    let said = Around::perfect().until(&mut core, after(2), after(900));
    assert_eq!(verdicts(&said), [Verdict::Stayed]);
}

/// Rule 1, with the gateway's own pair: the answer goes to the gateway, and is seen on its way.
#[test]
fn rule_1_a_host_that_is_asked_in_the_gateways_name_is_heard_on_the_way_to_it() {
    let gateway = MacAddr([2, 0, 0, 0, 0, 0xfe]);
    let as_gateway = CONFIG.replacen(
        "probe_as: {address: 192.168.1.253}",
        &format!("probe_as: {{gateway: {{ip: 192.168.1.254, mac: \"{gateway}\"}}}}"),
        1,
    );
    let mut core = owner_of_a_claimed_host(&as_gateway);
    let asked = outputs(&mut core);
    let pair = asked.iter().find_map(|output| match output {
        Output::PacketOut { header: PacketOut::Ask { .. }, frame } => {
            Some((frame[22..28].to_vec(), frame[28..32].to_vec()))
        }
        Output::PacketOut { .. } | Output::Send { .. } => None,
    });
    assert_eq!(pair, Some((gateway.octets().to_vec(), vec![192, 168, 1, 254])));
    hand_back(&mut core, &asked, after(0));
    core.packet_in(punt(PuntReason::Alive, access(2), Some(access(2))), &gratuitous_arp(), after(2));
    let said = Around::perfect().until(&mut core, after(2), after(900));
    assert_eq!(verdicts(&said), [Verdict::Stayed]);
}

fn request_for(target: [u8; 4]) -> Vec<u8> {
    let mut frame = gratuitous_arp();
    frame[32..38].fill(0);
    frame[38..42].copy_from_slice(&target);
    frame
}

/// Row 10: a host that has moved and knows nobody's MAC need not wait for the verdict.
#[test]
fn b11_a_claimants_request_is_answered_from_a_verified_binding_or_held() {
    let (mut core, mut switch) = knows_host_behind_vtep2();
    let other = HostKey { mac: MacAddr([2, 0, 0, 0, 0, 7]), ..host() };
    let known = Advertisement {
        host: other,
        bindings: vec![Binding { address: IpAddr::from([192, 168, 1, 7]), confirmed: true }],
        sequence: Sequence::default(),
        migration: None,
    };
    core.peer(PeerEvent::Message { vtep: VTEP2, message: Message::Advertisement(known) }, T0);
    let claim = claim(&mut core, &mut switch);
    let ask = |core: &mut Core, target| {
        core.packet_in(punt(PuntReason::Request, access(1), Some(tunnel(1))), &request_for(target), T0);
        let packets = outputs(core).into_iter().filter_map(|output| match output {
            Output::PacketOut { header, frame } => Some((header, frame)),
            Output::Send { .. } => None,
        });
        packets.collect::<Vec<_>>()
    };
    let answered = ask(&mut core, [192, 168, 1, 7]);
    let [(PacketOut::Send { location, .. }, reply)] = &answered[..] else { panic!("{answered:?}") };
    let seen = frames::sighting(reply).expect("an ARP reply");
    assert_eq!((*location, seen.source, seen.destination), (access(1), other.mac, HOST));
    assert_eq!(seen.address, Some(IpAddr::from([192, 168, 1, 7])));
    // Nobody knows that one: it waits, and goes on its way when the host has moved.
    assert_eq!(ask(&mut core, [192, 168, 1, 77]), []);
    assert_eq!((core.counters().requests_answered, core.counters().frames_held), (1, 2));
    reply_moved(&mut core, claim);
    let released: Vec<_> = outputs(&mut core)
        .into_iter()
        .filter(|output| matches!(output, Output::PacketOut { header: PacketOut::Receive { .. }, .. }))
        .collect();
    assert_eq!(released.len(), 2, "the announcement and the request: {released:?}");
    assert_eq!(core.counters().frames_held, 0);
}

fn reply_moved(core: &mut Core, claim: ClaimId) {
    reply(core, claim, Verdict::Moved { tenure: Duration::ZERO }, 1);
}

#[test]
fn requests_that_there_is_no_room_for_go_on_at_once() {
    let (mut core, mut switch) = knows_host_behind_vtep2();
    claim(&mut core, &mut switch);
    core.held = HeldFrames::new(0);
    core.packet_in(punt(PuntReason::Request, access(1), Some(tunnel(1))), &request_for([192, 168, 1, 77]), T0);
    let out = outputs(&mut core);
    assert!(matches!(&out[..], [Output::PacketOut { header: PacketOut::Receive { .. }, .. }]), "{out:?}");
    assert_eq!(core.counters().requests_not_held, 1);
}

fn bound(switch: &Switch) -> Option<(MacAddr, bool)> {
    match switch.get(&BindingIpv4Key { bd: bd(), ip: ADDRESS }.into()) {
        Some(EntryAction::BindingIpv4(BindingIpv4Action::Bound { mac, confirmed })) => Some((*mac, *confirmed)),
        _ => None,
    }
}

/// Plain ARP poisoning: another host says that it has the address.
#[test]
fn b10_an_announcement_of_anothers_address_is_held_and_goes_nowhere_while_its_owner_answers() {
    let (mut core, _) = start(CONFIG, &Switch::new());
    core.packet_in(punt(PuntReason::Learn, access(2), None), &gratuitous_arp(), T0);
    let mut switch = Switch::new();
    write(&mut core, &mut switch);
    assert_eq!(bound(&switch).map(|(mac, _)| mac), Some(HOST));

    let mallory = MacAddr([2, 0, 0, 0, 0, 0x66]);
    let mut poison = gratuitous_arp();
    poison[6..12].copy_from_slice(&mallory.octets());
    poison[22..28].copy_from_slice(&mallory.octets());
    core.packet_in(punt(PuntReason::Binding, access(1), None), &poison, T0);
    assert_eq!(core.counters().frames_held, 1);
    let asked = outputs(&mut core);
    let whom = asked.iter().find_map(|output| match output {
        Output::PacketOut { header: PacketOut::Ask { location, .. }, frame } => Some((*location, frame[..6].to_vec())),
        Output::PacketOut { .. } | Output::Send { .. } => None,
    });
    assert_eq!(whom, Some((access(2), HOST.octets().to_vec())), "who has the address is asked: {asked:?}");
    hand_back(&mut core, &asked, T0);
    answer(&mut core, access(2), T0 + Duration::from_millis(2));
    Around { answers: true, ..Around::perfect() }.until(&mut core, T0 + Duration::from_millis(2), after(0));
    write(&mut core, &mut switch);
    assert_eq!(bound(&switch).map(|(mac, _)| mac), Some(HOST));
    assert_eq!((core.counters().frames_held, core.counters().frames_dropped), (0, 1));
}

#[test]
fn an_announcement_that_agrees_is_a_copy_and_not_held() {
    let (mut core, _) = start(CONFIG, &Switch::new());
    core.packet_in(punt(PuntReason::Learn, access(2), None), &gratuitous_arp(), T0);
    core.packet_in(punt(PuntReason::Binding, access(2), Some(access(2))), &gratuitous_arp(), T0);
    assert_eq!(core.counters().frames_held, 0);
}

/// Row 5: the addresses that a host is asked for outlive the agent.
#[test]
fn a_restarted_agent_knows_the_addresses_of_its_hosts_from_the_switch() {
    let mut switch = Switch::new();
    let (mut core, _) = start(CONFIG, &Switch::new());
    core.packet_in(punt(PuntReason::Learn, access(2), None), &gratuitous_arp(), T0);
    write(&mut core, &mut switch);
    let (mut core, restored) = start(CONFIG, &switch);
    assert_eq!(restored, 1);
    let known = core.machine().host(&host()).expect("it was restored");
    assert_eq!(known.bindings.iter().map(|binding| binding.address).collect::<Vec<_>>(), [IpAddr::V4(ADDRESS)]);
    let changed: Vec<_> = core.wanted().changes_from(switch.clone()).iter().map(|change| *change.key()).collect();
    let at_most = [
        EntryKey::from(BindingIpv4Key { bd: bd(), ip: ADDRESS }),
        EntryKey::from(SourceKey { bd: bd(), mac: HOST, location: access(2) }),
    ];
    assert!(changed.iter().all(|key| at_most.contains(key)), "no more than what is to be confirmed again: {changed:?}");

    // What is left of hosts that are not there any more goes.
    switch.remove(&RecordedLocationKey { bd: bd(), mac: HOST }.into());
    let (mut core, restored) = start(CONFIG, &switch);
    assert_eq!((restored, core.machine().hosts().count()), (0, 0));
    let gone: Vec<_> = core.wanted().changes_from(switch).iter().map(|change| *change.key()).collect();
    assert!(gone.contains(&BindingIpv4Key { bd: bd(), ip: ADDRESS }.into()), "{gone:?}");
}

/// An agent that is killed while it waits for a verdict: its successor takes the claim up, although the host has said all that it is
/// going to say.
#[test]
fn b13_a_restarted_agent_takes_up_the_claims_that_the_switch_shows() {
    let (mut core, mut switch) = knows_host_behind_vtep2();
    claim(&mut core, &mut switch);
    assert!(source_at(&switch, access(1)).is_some());
    let (mut core, _) = start(CONFIG, &switch);
    up(&mut core, VTEP2);
    let said = Around::perfect().until(&mut core, T0, T0 + Duration::from_millis(400));
    let asks = said.iter().any(|message| match message {
        Message::Advertisement(it) => it.host == host() && matches!(it.migration, Some(Migration::Asked { .. })),
        _ => false,
    });
    assert!(asks, "{said:?}");
}

#[test]
fn rule_1_whoever_uses_the_address_that_hosts_are_asked_from_is_noticed() {
    let (mut core, _) = start(CONFIG, &Switch::new());
    let mut frame = gratuitous_arp();
    frame[28..32].copy_from_slice(&[192, 168, 1, 253]);
    core.packet_in(punt(PuntReason::Learn, access(2), None), &frame, T0);
    assert_eq!(core.counters().probe_address_used, 1);
    // So is whoever is about to.
    let mut dad = request_for([192, 168, 1, 253]);
    dad[28..32].fill(0);
    core.packet_in(punt(PuntReason::Learn, access(2), None), &dad, T0);
    core.packet_in(punt(PuntReason::Learn, access(2), None), &gratuitous_arp(), T0);
    assert_eq!(core.counters().probe_address_used, 2);
}

#[test]
fn link_state_is_not_known_beyond_its_stream() {
    let (mut core, _) = start(CONFIG, &Switch::new());
    up(&mut core, VTEP2);
    core.packet_in(punt(PuntReason::Learn, access(2), None), &gratuitous_arp(), T0);
    core.port(2, Link::Down, T0);
    core.ports_unknown(T0);
    core.packet_in(punt(PuntReason::Learn, access(2), None), &gratuitous_arp(), T0);
    Around::perfect().until(&mut core, T0, T0);
    let claim = Advertisement {
        host: host(),
        bindings: Vec::new(),
        sequence: Sequence(9),
        migration: Some(Migration::Asked { claim: THEIRS, tenure: Duration::ZERO, damped: false, taken: false }),
    };
    core.peer(PeerEvent::Message { vtep: VTEP2, message: Message::Advertisement(claim) }, T0);
    let said = Around::perfect().until(&mut core, T0, T0 + Duration::from_millis(100));
    assert!(!verdicts(&said).iter().any(|verdict| matches!(verdict, Verdict::Moved { .. })), "{said:?}");
}

#[test]
fn lists_are_said_as_there_is_room_and_messages_only_in_their_session() {
    let (mut core, _) = start(CONFIG, &Switch::new());
    for last in 1..=5 {
        let mut frame = gratuitous_arp();
        frame[11] = last;
        frame[27] = last;
        frame[31] = last;
        core.packet_in(punt(PuntReason::Learn, access(2), None), &frame, T0);
    }
    outputs(&mut core);
    up(&mut core, VTEP2);
    assert_eq!(outputs(&mut core), [], "nothing is said before it is asked for");
    let mut said = Vec::new();
    while let Some((peer, session)) = core.listing().first().copied() {
        assert_eq!((peer, session), (VTEP2, SessionId(1)));
        core.list(peer, 2);
        let now = outputs(&mut core);
        assert!(now.len() <= 2);
        said.extend(now);
    }
    let hosts = said
        .iter()
        .filter(|output| matches!(output, Output::Send { message: Message::Sync(mobility::Sync::Host { .. }), .. }));
    assert_eq!(hosts.count(), 5, "{said:?}");
    let down = PeerEvent::Down { vtep: VTEP2, reason: crate::peering::DownReason::Silent };
    core.peer(down, T0);
    assert!(core.listing().is_empty());
    core.packet_in(punt(PuntReason::Learn, access(1), None), &gratuitous_arp(), T0);
    let sent = outputs(&mut core);
    assert!(!sent.iter().any(|output| matches!(output, Output::Send { .. })), "{sent:?}");
}

#[test]
fn b15_an_announced_move_is_passed_to_the_machine_if_the_place_is_one() {
    let (core, _) = start(CONFIG, &Switch::new());
    let place = |text: &str| core.location(text.parse().expect("a place"));
    assert_eq!(place("10.0.0.2"), Some(Location::Remote(VTEP2)));
    assert!(matches!(place("2"), Some(Location::Local(_))));
    assert_eq!((place("10.0.0.77"), place("2.100")), (None, None));
}

/// A claimant that repeats itself fills neither the log nor anything else; the reports are all there for whoever watches.
#[test]
fn reports_reach_whoever_watches_however_often_the_log_is_spared() {
    let (mut core, _) = start(CONFIG, &Switch::new());
    let report = Report::Attack { host: host(), port: mobility::AccessId(1), refusals: 3, quarantined: false };
    for _ in 0..5 {
        core.report(report.clone(), T0);
    }
    let told = std::iter::from_fn(|| core.poll_event()).filter(|kind| *kind == AgentEventKind::Report(report.clone()));
    assert_eq!(told.count(), 5);
}

#[test]
fn each_link_has_the_punt_rate_of_neighbours() {
    let text = two_neighbours().replace("underlay:\n", "underlay:\n  neighbours: {punt_rate: {rate: 7, burst: 9}}\n");
    let (mut core, _) = start(&text, &Switch::new());
    let mut switch = Switch::new();
    apply(&mut switch, core.wanted().changes_from(Switch::new()));
    for port in [9, 10] {
        let location = LocationId::link(vouch_tables::Port::new(port).expect("small"));
        let meter = EntryKey::PuntMeter(PuntMeter { reason: PuntReason::Neighbour, location });
        assert_eq!(switch[&meter], EntryAction::PuntMeter(vouch_tables::MeterRate { rate: 7, burst: 9 }));
    }
}

/// Interfaces 1 and 2 have a budget that the configuration gives to one of them.
#[test]
fn an_interface_may_have_punt_rates_of_its_own() {
    let text = CONFIG.replacen("access: [1, 2]", "access: [1, {port: 2, punt_rates: {learn: {rate: 7, burst: 9}}}]", 1);
    assert_ne!(text, CONFIG);
    let (mut core, _) = start(&text, &Switch::new());
    let mut switch = Switch::new();
    apply(&mut switch, core.wanted().changes_from(Switch::new()));
    let budget = |reason, number| match switch[&EntryKey::PuntMeter(PuntMeter { reason, location: access(number) })] {
        EntryAction::PuntMeter(rate) => rate,
        ref other => panic!("{other:?}"),
    };
    assert_ne!(budget(PuntReason::Learn, 1), budget(PuntReason::Learn, 2));
    assert_eq!(budget(PuntReason::Move, 1), budget(PuntReason::Move, 2));
    assert_eq!(budget(PuntReason::Learn, 1), budget(PuntReason::Learn, 3));
}
