//! One claim through the driver, packet by packet, without switch or network.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use vouch_mobility::{Advertisement, Message, Migration, Reply, Sequence, Verdict, VtepAddr};
use vouch_net::{MacAddr, Vni};
use vouch_tables::{
    Aged, Bd, Change, DestinationAction, DestinationKey, LocationPortAction, RecordedLocationAction,
    RecordedLocationKey, SourceAction, SourceKey,
};

use super::*;

const CONFIG: &str = include_str!("../../../../../configs/demo/vtep1.yaml");
const HOST: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
const VTEP2: VtepAddr = VtepAddr(Ipv4Addr::new(10, 0, 0, 2));
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 9);
const T0: Instant = Instant::EPOCH;

type Switch = BTreeMap<EntryKey, EntryAction>;

fn config(text: &str) -> Config {
    Config::parse("vtep1.yaml", text).expect("the demo's configuration is valid").config
}

/// A core over an empty switch, with a session to VTEP 2, that has heard of `HOST` behind VTEP 2.
fn knows_host_behind_vtep2() -> (Core, Switch) {
    let (mut core, _) = Core::new(config(CONFIG), &Switch::new(), T0);
    core.peer(PeerEvent::Up { vtep: VTEP2 }, T0);
    let advertisement = Advertisement {
        host: host(),
        addresses: vec![IpAddr::V4(ADDRESS)],
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
    std::iter::from_fn(|| core.poll_output()).collect()
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
fn claim(core: &mut Core, switch: &mut Switch) -> vouch_mobility::ClaimId {
    core.packet_in(punt(PuntReason::Move, access(1), Some(tunnel(1))), &gratuitous_arp(), T0);
    write(core, switch);
    let sent = outputs(core);
    let asked = sent.iter().find_map(|output| match output {
        Output::Send { to: VTEP2, message: Message::Advertisement(advertisement) } => Some(advertisement.clone()),
        _ => None,
    });
    let asked = asked.unwrap_or_else(|| panic!("no advertisement to the owner among {sent:?}"));
    assert_eq!((asked.host, asked.addresses), (host(), vec![IpAddr::V4(ADDRESS)]));
    match asked.migration {
        Some(Migration::Asked { claim }) => claim,
        other => panic!("an advertisement with the migration attribute, not {other:?}"),
    }
}

fn reply(core: &mut Core, claim: vouch_mobility::ClaimId, verdict: Verdict, sequence: u32) {
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
fn b3_an_undecided_claim_is_served_beside_the_owner_after_a_while() {
    let (mut core, mut switch) = knows_host_behind_vtep2();
    claim(&mut core, &mut switch);
    let escalation = core.deadline().expect("a claim is pending");
    assert_eq!(escalation, T0 + std::time::Duration::from_millis(50));
    core.timeout(escalation);
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
    reply(&mut core, claim, Verdict::Moved, 1);
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
fn a_restarted_agent_keeps_the_hosts_of_its_switch_and_writes_nothing_else() {
    let (_, switch) = knows_host_behind_vtep2();
    let (mut core, restored) = Core::new(config(CONFIG), &switch, T0);
    assert_eq!(restored, 1);
    let changes = core.wanted().changes_from(switch);
    assert_eq!(changes, []);
}

#[test]
fn what_may_be_no_host_any_more_is_not_restored_and_goes() {
    let (_, switch) = knows_host_behind_vtep2();
    let reserving = CONFIG.replacen("  - vni: 5001\n", &format!("  - vni: 5001\n    reserved_macs: [\"{HOST}\"]\n"), 1);
    assert_ne!(reserving, CONFIG);
    let (mut core, restored) = Core::new(config(&reserving), &switch, T0);
    assert_eq!(restored, 0);
    let gone: Vec<_> = core.wanted().changes_from(switch).iter().map(|change| *change.key()).collect();
    let key = RecordedLocationKey { bd: bd(), mac: HOST };
    assert!(gone.contains(&key.into()) && gone.len() == 2, "{gone:?}");
}

#[test]
fn a_host_at_the_interface_of_another_vni_is_not_restored_nor_learnt() {
    let (_, mut switch) = knows_host_behind_vtep2();
    // Access interface 3 belongs to the other VNI.
    switch.insert(RecordedLocationKey { bd: bd(), mac: HOST }.into(), recorded_at(access(3)));
    let (mut core, restored) = Core::new(config(CONFIG), &switch, T0);
    assert_eq!(restored, 0);
    core.packet_in(punt(PuntReason::Learn, access(3), None), &gratuitous_arp(), T0);
    assert_eq!(core.machine().hosts().count(), 0);
    assert_eq!(core.counters().foreign_frames, 1);
}

#[test]
fn a_restart_with_more_in_the_configuration_renumbers_nothing() {
    let (_, switch) = knows_host_behind_vtep2();
    let extended = CONFIG
        .replace("vnis:\n", "vnis:\n  - vni: 4000\n    access: [5]\n    probe_addresses: [192.168.9.254]\n")
        .replace("peers:\n", "peers:\n  - {name: vtep0, address: 10.0.0.200, endpoint: http://127.0.0.1:7009}\n");
    let (mut core, restored) = Core::new(config(&extended), &switch, T0);
    assert_eq!(restored, 1);
    let changes = core.wanted().changes_from(switch);
    assert!(!changes.is_empty());
    for change in changes {
        let grows = matches!(change.key(), EntryKey::MulticastGroup(_));
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
    let (mut core, _) = Core::new(config(CONFIG), &Switch::new(), T0);
    core.peer(PeerEvent::Up { vtep: VTEP2 }, T0);
    core.packet_in(punt(PuntReason::Learn, access(2), None), &gratuitous_arp(), T0);
    outputs(&mut core);
    let claim = Advertisement {
        host: host(),
        addresses: vec![IpAddr::V4(ADDRESS)],
        sequence: Sequence(1),
        migration: Some(Migration::Asked { claim: vouch_mobility::ClaimId(7) }),
    };
    core.peer(PeerEvent::Message { vtep: VTEP2, message: Message::Advertisement(claim) }, T0);
    let probes: Vec<_> = outputs(&mut core)
        .into_iter()
        .filter_map(|output| match output {
            Output::PacketOut { header, frame } => Some((header, frame[..6].to_vec(), frame[38..42].to_vec())),
            Output::Send { .. } => None,
        })
        .collect();
    let header = PacketOut::Send { bd: bd(), location: access(2) };
    assert_eq!(probes, [(header, HOST.octets().to_vec(), ADDRESS.octets().to_vec())]);
}

#[test]
fn tunnels_take_the_next_way_when_an_underlay_port_goes_down_and_come_back() {
    let two_ways = CONFIG.replace("  routes:", "    - {port: 10, mac: \"02:00:00:00:01:0a\"}\n  routes:").replace(
        "via: {port: 9, mac: \"02:00:00:00:fe:01\"}",
        "via: [{port: 9, mac: \"02:00:00:00:fe:01\"}, {port: 10, mac: \"02:00:00:00:fd:01\"}]",
    );
    let (mut core, _) = Core::new(config(&two_ways), &Switch::new(), T0);
    let mut switch = Switch::new();
    write(&mut core, &mut switch);
    let before = switch.clone();
    let ports_of_tunnels = |switch: &Switch| -> Vec<u16> {
        switch
            .iter()
            .filter_map(|(key, action)| match (key, action) {
                (EntryKey::LocationPort(key), EntryAction::LocationPort(LocationPortAction::Port { port }))
                    if key.location.is_tunnel() =>
                {
                    Some(port.get())
                }
                (EntryKey::MulticastGroup(_), EntryAction::MulticastGroup(replicas)) => {
                    replicas.iter().find(|replica| replica.location.is_tunnel()).map(|replica| replica.port.get())
                }
                _ => None,
            })
            .collect()
    };
    assert_eq!(ports_of_tunnels(&switch), [9, 9, 9, 9], "two tunnels, and two flood groups");
    core.port(9, false, T0);
    write(&mut core, &mut switch);
    assert_eq!(ports_of_tunnels(&switch), [10, 10, 10, 10]);
    core.port(9, true, T0);
    write(&mut core, &mut switch);
    assert_eq!(switch, before);
}
