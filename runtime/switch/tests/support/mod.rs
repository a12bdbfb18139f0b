//! A VTEP with two access ports, one tunnel and one host behind each: shared by tests and benchmarks.
#![allow(dead_code, reason = "each user takes a part")]

use std::path::Path;
use std::sync::Arc;

use vouch_switch::{
    ActionCall, CloneSession, CloneTarget, EntryAction, EntryKey, Match, Micros, Program, ReplicationNode, Switch,
    SwitchConfig, TableEntry,
};

/// Access port of the first host, its location is 1.
pub(crate) const ACCESS: u16 = 1;
/// Another access port of the same network, its location is 2.
pub(crate) const OTHER: u16 = 2;
/// The port towards the underlay.
pub(crate) const UNDERLAY: u16 = 9;
/// The tunnel's location.
pub(crate) const TUNNEL: u16 = 0x8001;
pub(crate) const BD: u16 = 7;
pub(crate) const VNI: u32 = 5001;
pub(crate) const HERE: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(crate) const THERE: [u8; 6] = [2, 0, 0, 0, 0, 2];
pub(crate) const MY_IP: [u8; 4] = [10, 0, 0, 1];
pub(crate) const PEER_IP: [u8; 4] = [10, 0, 0, 2];
pub(crate) const ROUTER: [u8; 6] = [2, 0xff, 0, 0, 0, 1];
pub(crate) const SPINE: [u8; 6] = [2, 0xff, 0, 0, 0, 9];

/// The compiled pipeline.
pub(crate) fn json() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../p4src/build/vtep.json");
    std::fs::read(path).expect("the compiled pipeline is in the repository")
}

/// Adds an entry with exact matches.
pub(crate) fn add(switch: &Switch, table: &str, matches: &[&[u8]], action: &str, params: &[&[u8]]) {
    let program = switch.program();
    let id = program.table(table).expect("the table exists");
    let action = program.table_action(id, &format!("{table}.{action}")).expect("the action exists");
    let entry = TableEntry {
        key: EntryKey { matches: matches.iter().map(|value| Match::Exact(value.to_vec())).collect(), priority: 0 },
        action: EntryAction::Call(ActionCall { action, params: params.iter().map(|value| value.to_vec()).collect() }),
        idle_timeout: Micros(0),
        meter: None,
    };
    switch.insert_entry(id, &entry, Micros(0)).expect("the entry is valid");
}

/// The switch with its entries, and `more` further hosts behind the tunnel.
pub(crate) fn vtep(more: u32) -> Switch {
    let program = Program::load(&json()).expect("the pipeline loads");
    let switch = Switch::new(Arc::new(program), SwitchConfig { cpu_port: Some(510), ..SwitchConfig::default() });
    furnish(&switch, more);
    switch
}

/// Its entries.
pub(crate) fn furnish(switch: &Switch, more: u32) {
    let (bd, tunnel) = (BD.to_be_bytes(), TUNNEL.to_be_bytes());
    for (port, location) in [(ACCESS, 1u16), (OTHER, 2)] {
        let (port, location) = (port.to_be_bytes(), location.to_be_bytes());
        add(switch, "ingress_interface", &[&port, &[0]], "access", &[&bd, &location, &[0], &[0]]);
        add(switch, "location_port", &[&location], "port", &[&port]);
        add(switch, "access_tag", &[&location], "untagged", &[]);
    }
    add(switch, "ingress_interface", &[&UNDERLAY.to_be_bytes(), &[0]], "underlay", &[&ROUTER]);
    add(switch, "local_vtep", &[&MY_IP], "terminate", &[]);
    add(switch, "underlay_peer", &[&PEER_IP], "from_tunnel", &[&tunnel]);
    add(switch, "vni_to_bd", &[&VNI.to_be_bytes()], "bridge", &[&bd]);
    add(switch, "bd_vni", &[&bd], "vni", &[&VNI.to_be_bytes()]);
    add(switch, "location_port", &[&tunnel], "port", &[&UNDERLAY.to_be_bytes()]);
    let outer: [&[u8]; 7] = [&MY_IP, &PEER_IP, &ROUTER, &SPINE, &[64], &[0], &[0xff; 2]];
    add(switch, "encapsulate", &[&tunnel], "encapsulate", &outer);
    add(switch, "source", &[&bd, &HERE, &[1]], "here", &[&[0]]);
    add(switch, "recorded_location", &[&bd, &HERE], "recorded", &[&[1], &[0]]);
    add(switch, "destination", &[&bd, &HERE], "unicast", &[&[1]]);
    add(switch, "destination", &[&bd, &THERE], "unicast", &[&tunnel]);
    for host in 0..more {
        let [_, a, b, c] = host.to_be_bytes();
        add(switch, "destination", &[&bd, &[6, 0, 0, a, b, c]], "unicast", &[&tunnel]);
    }
    add(switch, "flood", &[&bd], "flood_to", &[&bd]);
    let replicas = [(ACCESS, 1), (OTHER, 2), (UNDERLAY, TUNNEL)];
    switch.insert_multicast_group(u32::from(BD), &ReplicationNode::from_replicas(&replicas)).expect("a new group");
}

/// One more tunnel, to the peer with this address.
pub(crate) fn add_tunnel(switch: &Switch, location: u16, peer: [u8; 4]) {
    let location = location.to_be_bytes();
    add(switch, "location_port", &[&location], "port", &[&UNDERLAY.to_be_bytes()]);
    let outer: [&[u8]; 7] = [&MY_IP, &peer, &ROUTER, &SPINE, &[64], &[0], &[0xff; 2]];
    add(switch, "encapsulate", &[&location], "encapsulate", &outer);
}

/// The session by which frames are punted, and the way there.
pub(crate) fn add_controller(switch: &Switch) {
    let session = CloneSession { target: CloneTarget::Port(510), max_packet_length: 0, class_of_service: 0 };
    switch.insert_clone_session(1, &session).expect("a new session");
}

/// A host is added and removed again.
pub(crate) fn come_and_go(switch: &Switch) {
    let (bd, host) = (BD.to_be_bytes(), [6, 1, 2, 3, 4, 5]);
    add(switch, "destination", &[&bd, &host], "unicast", &[&TUNNEL.to_be_bytes()]);
    let table = switch.program().table("destination").expect("the table exists");
    let matches = vec![Match::Exact(bd.to_vec()), Match::Exact(host.to_vec())];
    switch.delete_entry(table, &EntryKey { matches, priority: 0 }).expect("it was just added");
}

/// A UDP frame of `length` bytes between two hosts.
pub(crate) fn frame(to: [u8; 6], from: [u8; 6], length: usize) -> Vec<u8> {
    let mut frame = [to, from].concat();
    frame.extend([0x08, 0x00, 0x45, 0, 0, (length - 14) as u8, 0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend([192, 168, 0, 1, 192, 168, 0, 2, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0]);
    frame.resize(length, 0xaa);
    frame
}

/// The VXLAN packet that carries `inner` from the peer to this VTEP.
pub(crate) fn from_peer(inner: &[u8]) -> Vec<u8> {
    let mut packet = [ROUTER, SPINE].concat();
    let length = (inner.len() + 36) as u16;
    packet.extend([0x08, 0x00, 0x45, 0]);
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    packet.extend([PEER_IP, MY_IP].concat());
    packet.extend([0xc0, 0x01, 0x12, 0xb5]);
    packet.extend((length - 20).to_be_bytes());
    packet.extend([0, 0, 0x08, 0, 0, 0]);
    packet.extend(&VNI.to_be_bytes()[1..]);
    packet.push(0);
    let mut sum: u32 = packet[14..34].chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    packet[24..26].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    packet.extend(inner);
    packet
}
