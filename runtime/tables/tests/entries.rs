//! Every kind of entry, to the protocol and back, and as text.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};
use prost::Message;
use vouch_net::{MacAddr, Vni};
use vouch_p4runtime::p4::v1::field_match::FieldMatchType;
use vouch_p4runtime::p4::v1::{CounterData, Entity, entity, update};
use vouch_tables::*;

fn tables() -> Tables {
    Tables::bind(&p4info()).expect("the program's own P4Info")
}

const HOST: MacAddr = MacAddr([2, 0, 0, 0, 0, 7]);
const OURS: MacAddr = MacAddr([2, 0x10, 0, 0, 0, 1]);
const THEIRS: MacAddr = MacAddr([2, 0x10, 0, 0, 0, 2]);
const VTEP1: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const VTEP2: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// All 128 bits are its own.
const LONG: Ipv6Addr = Ipv6Addr::new(0xffff, 0, 0, 0, 0, 0, 0, 1);

/// One entry of every table and action, with the text that people see.
fn every_entry() -> Vec<((EntryKey, EntryAction), &'static str)> {
    let bd = Bd::new(5).unwrap();
    let access = LocationId::access(3).unwrap();
    let other = LocationId::access(4).unwrap();
    let tunnel = LocationId::tunnel(2).unwrap();
    let port = Port::new(300).unwrap();
    let vlan = VlanId::new(100).unwrap();
    let group = Group::pair(1).unwrap();
    let (hops, neighbour) = (HopGroup::new(7).unwrap(), NeighbourId::new(9).unwrap());
    let source = |location| SourceKey { bd, mac: HOST, location };
    let destination = DestinationKey { bd, mac: HOST };
    let replicas = BTreeSet::from([Replica { location: access, port }, Replica { location: tunnel, port }]);
    let meter = PuntMeter { reason: PuntReason::Move, location: access };
    vec![
        (
            IngressInterfaceKey { ingress_port: port, vlan_id: Tag::Vlan(vlan) }.with(IngressInterfaceAction::Access {
                bd,
                location: access,
                bindings: true,
                suppress: false,
            }),
            "ingress_interface ingress_port=300 vlan_id=100: \
             access bd=5 location=access3 bindings=true suppress=false",
        ),
        (
            IngressInterfaceKey { ingress_port: port, vlan_id: Tag::Untagged }
                .with(IngressInterfaceAction::Underlay { router_mac: OURS }),
            "ingress_interface ingress_port=300 vlan_id=untagged: underlay router_mac=02:10:00:00:00:01",
        ),
        (
            IngressInterfaceKey { ingress_port: port, vlan_id: Tag::Untagged }
                .with(IngressInterfaceAction::Link { router_mac: OURS, location: LocationId::link(port) }),
            "ingress_interface ingress_port=300 vlan_id=untagged: link router_mac=02:10:00:00:00:01 location=link300",
        ),
        (
            IngressInterfaceKey { ingress_port: port, vlan_id: Tag::Untagged }.with(IngressInterfaceAction::Controller),
            "ingress_interface ingress_port=300 vlan_id=untagged: controller",
        ),
        (LocalVtepKey { dst: VTEP1 }.with(LocalVtepAction::Terminate), "local_vtep dst=10.0.0.1: terminate"),
        (LocalVtepKey { dst: VTEP1 }.with(LocalVtepAction::HandOver), "local_vtep dst=10.0.0.1: hand_over"),
        (
            UnderlayPeerKey { src: VTEP2 }.with(UnderlayPeerAction::FromTunnel { location: tunnel }),
            "underlay_peer src=10.0.0.2: from_tunnel location=tunnel2",
        ),
        (
            BindingIpv4Key { bd, ip: VTEP1 }.with(BindingIpv4Action::Bound { mac: HOST, confirmed: true }),
            "binding_ipv4 bd=5 ip=10.0.0.1: bound mac=02:00:00:00:00:07 confirmed=true",
        ),
        (BindingIpv4Key { bd, ip: VTEP2 }.with(BindingIpv4Action::Shared), "binding_ipv4 bd=5 ip=10.0.0.2: shared"),
        (LocalVtepIpv6Key { dst: LONG }.with(LocalVtepIpv6Action::Terminate), "local_vtep_ipv6 dst=ffff::1: terminate"),
        (LocalVtepIpv6Key { dst: LONG }.with(LocalVtepIpv6Action::HandOver), "local_vtep_ipv6 dst=ffff::1: hand_over"),
        (
            UnderlayPeerIpv6Key { src: LONG }.with(UnderlayPeerIpv6Action::FromTunnel { location: tunnel }),
            "underlay_peer_ipv6 src=ffff::1: from_tunnel location=tunnel2",
        ),
        (
            UnderlayRouteIpv6Key { dst: Ipv6Net::new(LONG, 128).unwrap() }.with(UnderlayRouteIpv6Action::Route {
                port,
                src_mac: OURS,
                dst_mac: THEIRS,
            }),
            "underlay_route_ipv6 dst=ffff::1/128: route port=300 src_mac=02:10:00:00:00:01 dst_mac=02:10:00:00:00:02",
        ),
        (
            UnderlayRouteIpv6Key { dst: Ipv6Net::default() }.with(UnderlayRouteIpv6Action::Balance { group: hops }),
            "underlay_route_ipv6 dst=::/0: balance group=7",
        ),
        (
            EncapsulateKey { location: tunnel }.with(EncapsulateAction::EncapsulateIpv6 {
                src_ip: LONG,
                dst_ip: Ipv6Addr::LOCALHOST,
                src_mac: OURS,
                dst_mac: THEIRS,
                hop_limit: 64,
                dscp: Dscp::new(46).unwrap(),
                max_frame_bytes: 1494,
            }),
            "encapsulate location=tunnel2: encapsulate_ipv6 src_ip=ffff::1 dst_ip=::1 src_mac=02:10:00:00:00:01 \
             dst_mac=02:10:00:00:00:02 hop_limit=64 dscp=46 max_frame_bytes=1494",
        ),
        (
            BindingIpv6Key { bd, ip: LONG }.with(BindingIpv6Action::Bound { mac: HOST, confirmed: false }),
            "binding_ipv6 bd=5 ip=ffff::1: bound mac=02:00:00:00:00:07 confirmed=false",
        ),
        (
            BindingIpv6Key { bd, ip: Ipv6Addr::LOCALHOST }.with(BindingIpv6Action::Shared),
            "binding_ipv6 bd=5 ip=::1: shared",
        ),
        (VniToBdKey { vni: Vni::MAX }.with(VniToBdAction::Bridge { bd }), "vni_to_bd vni=16777215: bridge bd=5"),
        (
            UnderlayRouteKey { dst: Ipv4Net::new(Ipv4Addr::new(10, 0, 0, 0), 8).unwrap() }
                .with(UnderlayRouteAction::Route { port, src_mac: OURS, dst_mac: THEIRS }),
            "underlay_route dst=10.0.0.0/8: route port=300 src_mac=02:10:00:00:00:01 dst_mac=02:10:00:00:00:02",
        ),
        (
            UnderlayRouteKey { dst: Ipv4Net::default() }.with(UnderlayRouteAction::Route {
                port,
                src_mac: OURS,
                dst_mac: THEIRS,
            }),
            "underlay_route dst=0.0.0.0/0: route port=300 src_mac=02:10:00:00:00:01 dst_mac=02:10:00:00:00:02",
        ),
        (
            UnderlayRouteKey { dst: Ipv4Net::default() }.with(UnderlayRouteAction::Balance { group: hops }),
            "underlay_route dst=0.0.0.0/0: balance group=7",
        ),
        (
            source(access).with(Aged::after(SourceAction::Here { watch: true }, Duration::from_secs(300))),
            "source bd=5 mac=02:00:00:00:00:07 location=access3: \
             here watch=true idle_timeout=300s",
        ),
        (
            source(other).with(Aged::never(SourceAction::ClaimPending { forward: true })),
            "source bd=5 mac=02:00:00:00:00:07 location=access4: claim_pending forward=true",
        ),
        (
            source(other).with(Aged::never(SourceAction::Quarantined)),
            "source bd=5 mac=02:00:00:00:00:07 location=access4: quarantined",
        ),
        (
            RecordedLocationKey { bd, mac: HOST }
                .with(RecordedLocationAction::Recorded { location: access, forward: true }),
            "recorded_location bd=5 mac=02:00:00:00:00:07: recorded location=access3 forward=true",
        ),
        (
            destination.with(DestinationAction::Unicast { location: access }),
            "destination bd=5 mac=02:00:00:00:00:07: unicast location=access3",
        ),
        (
            destination.with(DestinationAction::UnicastHairpin { location: tunnel }),
            "destination bd=5 mac=02:00:00:00:00:07: unicast_hairpin location=tunnel2",
        ),
        (
            destination.with(DestinationAction::Both { group }),
            "destination bd=5 mac=02:00:00:00:00:07: both group=16385",
        ),
        (
            destination.with(DestinationAction::Claimed { claim_location: access, owner_location: tunnel }),
            "destination bd=5 mac=02:00:00:00:00:07: claimed claim_location=access3 owner_location=tunnel2",
        ),
        (destination.with(DestinationAction::ProbeReply), "destination bd=5 mac=02:00:00:00:00:07: probe_reply"),
        (FloodKey { bd }.with(FloodAction::FloodTo { group: Group::flood(bd) }), "flood bd=5: flood_to group=5"),
        (
            LocationPortKey { location: tunnel }.with(LocationPortAction::Port { port }),
            "location_port location=tunnel2: port port=300",
        ),
        (
            LocationPortKey { location: tunnel }.with(LocationPortAction::Balance { group: hops }),
            "location_port location=tunnel2: balance group=7",
        ),
        (
            NextHopKey { group: hops, bucket: Bucket::new(63).unwrap() }.with(NextHopAction::Via { port, neighbour }),
            "next_hop group=7 bucket=63: via port=300 neighbour=9",
        ),
        (
            NeighbourKey { neighbour }.with(NeighbourAction::Link { src_mac: OURS, dst_mac: THEIRS }),
            "neighbour neighbour=9: link src_mac=02:10:00:00:00:01 dst_mac=02:10:00:00:00:02",
        ),
        (BdVniKey { bd }.with(BdVniAction::Vni { vni: Vni::MAX }), "bd_vni bd=5: vni vni=16777215"),
        (
            EncapsulateKey { location: tunnel }.with(EncapsulateAction::Encapsulate {
                src_ip: VTEP1,
                dst_ip: VTEP2,
                src_mac: OURS,
                dst_mac: THEIRS,
                ttl: 64,
                dscp: Dscp::new(46).unwrap(),
                max_frame_bytes: 1514,
            }),
            "encapsulate location=tunnel2: encapsulate src_ip=10.0.0.1 dst_ip=10.0.0.2 \
             src_mac=02:10:00:00:00:01 dst_mac=02:10:00:00:00:02 ttl=64 dscp=46 max_frame_bytes=1514",
        ),
        (AccessTagKey { location: access }.with(AccessTagAction::Untagged), "access_tag location=access3: untagged"),
        (
            UnderlayTagKey { port }.with(UnderlayTagAction::Tagged { vlan_id: vlan }),
            "underlay_tag port=300: tagged vlan_id=100",
        ),
        (
            AccessTagKey { location: access }.with(AccessTagAction::Tagged { vlan_id: vlan }),
            "access_tag location=access3: tagged vlan_id=100",
        ),
        (
            (EntryKey::MulticastGroup(group), EntryAction::MulticastGroup(replicas)),
            "multicast_group id=16385: replicas=[access3@port300 tunnel2@port300]",
        ),
        (
            (EntryKey::CloneSession(CPU_SESSION), EntryAction::CloneSession(CloneSession::to_cpu(510))),
            "clone_session id=1: ports={510}",
        ),
        (
            (EntryKey::PuntMeter(meter), EntryAction::PuntMeter(MeterRate { rate: 100, burst: 20 })),
            "punt_meter reason=MOVE location=access3: rate=100/s burst=20",
        ),
    ]
}

/// Through the wire's bytes, as a switch would return it.
fn over_the_wire(entity: &Entity) -> Entity {
    Entity::decode(entity.encode_to_vec().as_slice()).expect("just encoded")
}

#[test]
fn every_entry_comes_back_as_it_was_written() {
    let tables = tables();
    for ((key, action), _) in every_entry() {
        let update = tables.update(&Change::Insert(key, action.clone())).unwrap();
        let back = tables.decode(&over_the_wire(&update.entity.unwrap())).unwrap();
        assert_eq!(back, Some((key, action)));
    }
}

#[test]
fn every_table_of_the_program_is_among_them() {
    let tables = tables();
    let mut written = BTreeSet::new();
    for ((key, action), _) in every_entry() {
        if let Some(entity::Entity::TableEntry(entry)) =
            tables.update(&Change::Insert(key, action)).unwrap().entity.unwrap().entity
        {
            let action = entry.action.unwrap().r#type.unwrap();
            let vouch_p4runtime::p4::v1::table_action::Type::Action(action) = action else { panic!("{action:?}") };
            written.insert((entry.table_id, action.action_id));
        }
    }
    let info = p4info();
    let wanted = info.tables().flat_map(|table| {
        let actions = table.actions.iter().filter(|action| action.in_entries);
        actions.map(|action| (table.id, action.action.id))
    });
    assert_eq!(written, wanted.collect());
}

#[test]
fn text_says_what_the_entry_is() {
    for ((key, action), text) in every_entry() {
        assert_eq!(format!("{key}: {action}"), text);
    }
}

#[test]
fn byte_strings_are_canonical() {
    let entries: BTreeMap<_, _> = every_entry().into_iter().map(|(entry, _)| entry).collect();
    let key = EntryKey::VniToBd(VniToBdKey { vni: Vni::MAX });
    let update = tables().update(&Change::Insert(key, entries[&key].clone())).unwrap();
    let Some(entity::Entity::TableEntry(entry)) = update.entity.unwrap().entity else { panic!("not a table entry") };
    let Some(FieldMatchType::Exact(exact)) = &entry.r#match[0].field_match_type else { panic!("{entry:?}") };
    assert_eq!(exact.value, [0xff, 0xff, 0xff]);
    let vouch_p4runtime::p4::v1::table_action::Type::Action(action) = entry.action.unwrap().r#type.unwrap() else {
        panic!("not an action")
    };
    assert_eq!(action.params[0].value, [5]);
    assert_eq!(entry.priority, 0);
}

#[test]
fn the_default_route_has_an_empty_key() {
    let key = EntryKey::UnderlayRoute(UnderlayRouteKey { dst: Ipv4Net::default() });
    let update = tables().update(&Change::Delete(key)).unwrap();
    let Some(entity::Entity::TableEntry(entry)) = update.entity.unwrap().entity else { panic!("not a table entry") };
    assert!(entry.r#match.is_empty());
    assert!(entry.action.is_none());
}

#[test]
fn meters_are_modified_and_reset_never_inserted() {
    let tables = tables();
    let key = EntryKey::PuntMeter(PuntMeter { reason: PuntReason::Alive, location: LocationId::tunnel(1).unwrap() });
    let set = tables.update(&Change::Insert(key, EntryAction::PuntMeter(MeterRate { rate: 1, burst: 1 }))).unwrap();
    assert_eq!(set.r#type(), update::Type::Modify);
    let reset = tables.update(&Change::Delete(key)).unwrap();
    assert_eq!(reset.r#type(), update::Type::Modify);
    assert_eq!(tables.decode(&reset.entity.unwrap()), Ok(None), "a meter without budget is nothing written");
}

#[test]
fn an_action_of_another_table_is_refused() {
    let key = EntryKey::Flood(FloodKey { bd: Bd::new(1).unwrap() });
    let action = EntryAction::LocalVtep(LocalVtepAction::Terminate);
    let error = tables().update(&Change::Modify(key, action)).unwrap_err();
    assert_eq!(error.to_string(), "the action of `flood bd=1` is one of another table: `terminate`");
}

#[test]
fn what_a_switch_should_not_send_is_an_error_that_says_where() {
    let tables = tables();
    let key = EntryKey::LocationPort(LocationPortKey { location: LocationId::access(1).unwrap() });
    let action = EntryAction::LocationPort(LocationPortAction::Port { port: Port::new(1).unwrap() });
    let good = tables.update(&Change::Insert(key, action)).unwrap().entity.unwrap();
    let spoiled = |spoil: &dyn Fn(&mut vouch_p4runtime::p4::v1::TableEntry)| {
        let mut bad = good.clone();
        let Some(entity::Entity::TableEntry(entry)) = &mut bad.entity else { panic!("not a table entry") };
        spoil(entry);
        tables.decode(&bad).unwrap_err().to_string()
    };
    let text = spoiled(&|entry| entry.r#match.clear());
    assert_eq!(text, "table `location_port`, `location`: no value");
    let text = spoiled(&|entry| {
        entry.r#match[0].field_match_type =
            Some(FieldMatchType::Exact(vouch_p4runtime::p4::v1::field_match::Exact { value: vec![0x80, 0] }));
    });
    assert_eq!(text, "table `location_port`, `location`: 0x8000 is not an access interface or a tunnel");
    let text = spoiled(&|entry| entry.action = None);
    assert_eq!(text, "the action of a table entry is missing");
    let text = spoiled(&|entry| entry.table_id = 1);
    assert_eq!(text, "table 0x00000001 is not in the VTEP program");
    let text = spoiled(&|entry| {
        let action = entry.action.as_mut().unwrap().r#type.as_mut().unwrap();
        if let vouch_p4runtime::p4::v1::table_action::Type::Action(action) = action {
            action.params[0].value = vec![1, 0xff];
        }
    });
    assert_eq!(text, "action `location_port.port`, `port`: 0x1ff is not a port (0 to 510)");
}

#[test]
fn a_timed_out_host_is_recognised() {
    let tables = tables();
    let key = SourceKey { bd: Bd::new(9).unwrap(), mac: HOST, location: LocationId::access(1).unwrap() };
    let entity = tables.update(&Change::Delete(key.into())).unwrap().entity.unwrap();
    let Some(entity::Entity::TableEntry(mut entry)) = entity.entity else { panic!("not a table entry") };
    assert_eq!(tables.idle_key(&entry), Ok(key));
    entry.table_id += 1;
    assert!(tables.idle_key(&entry).is_err());
}

#[test]
fn idle_timeouts_are_whole_milliseconds() {
    let aged = |timeout| Aged::after(SourceAction::Quarantined, timeout).idle_timeout;
    assert_eq!(aged(Duration::from_micros(1500)), Some(Duration::from_millis(2)));
    assert_eq!(aged(Duration::ZERO), None);
    assert!(aged(Duration::MAX).unwrap().as_nanos() <= i64::MAX as u128);
}

#[test]
fn everything_readable_is_asked_for() {
    let asked = tables().read_all();
    assert_eq!(asked.len(), p4info().tables().count() + 3);
    assert_eq!(tables().read_counters().len(), 4);
}

#[test]
fn what_was_over_a_budget_is_asked_for_by_budget() {
    let tables = tables();
    let cells = [(PuntReason::ProbeReply, LocationId::access(3)), (PuntReason::Alive, LocationId::tunnel(0x7fe))]
        .map(|(reason, location)| PuntMeter { reason, location: location.unwrap() });
    let asked = tables.read_policed(cells);
    let answer = |entity: Entity| {
        let Some(entity::Entity::CounterEntry(mut entry)) = entity.entity else { panic!("not a counter's cell") };
        entry.data = Some(CounterData { packet_count: 2, byte_count: 120 });
        tables.decode_count(&Entity { entity: Some(entity::Entity::CounterEntry(entry)) })
    };
    let answers: Vec<_> = asked.into_iter().map(answer).collect();
    let count = Count { packets: 2, bytes: 120 };
    assert_eq!(answers, cells.map(|cell| Ok(Some((Counted::Policed(cell), count)))));
}
