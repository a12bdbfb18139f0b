//! Values that the controller spells otherwise than the data plane, and data of every shape (specification 8.4 and 18.1).

use crate::common::{Bench, Controller, frame, soon};
use prost::Message;
use tonic::Code;
use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::field_match::{Exact, FieldMatchType, Optional, Ternary};
use vouch_p4runtime::p4::v1::p4_data::Data;
use vouch_p4runtime::p4::v1::packet_replication_engine_entry::Type as Replication;
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::stream_message_request::Update as Outgoing;
use vouch_p4runtime::p4::v1::stream_message_response::Update as Incoming;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_p4runtime::p4::v1::*;
use vouch_switch_server::{SwitchServer, Translation};

const P4INFO: &str = include_str!("../programs/names.p4info.txtpb");
const JSON: &[u8] = include_bytes!("../programs/names.json");

/// A switch whose ports have names.
async fn running() -> (Bench, Controller) {
    let ports = Translation::of("example.org/port").of_ports();
    let ports = ports.name("Ethernet1", 1).name("Ethernet2", 2).name("Ethernet3", 3).name("cpu", 510);
    let mut bench = Bench::start_as(SwitchServer::builder().translate(ports)).await;
    bench.info = P4Info::from_text(P4INFO).expect("p4c wrote it");
    let config = ForwardingPipelineConfig {
        p4info: Some(bench.info.message().clone()),
        p4_device_config: JSON.into(),
        cookie: None,
    };
    let mut controller = bench.primary().await;
    controller.set_pipeline(Action::VerifyAndCommit, Some(config)).await.expect("the pipeline is valid");
    (bench, controller)
}

fn by_hop(bench: &Bench, hop: &str, port: &str) -> TableEntry {
    let exact = FieldMatchType::Exact(Exact { value: hop.into() });
    TableEntry {
        table_id: bench.info.table("by_hop").expect("the program has it").id,
        r#match: vec![FieldMatch { field_id: 1, field_match_type: Some(exact) }],
        action: bench.action("forward", &[port.as_bytes()]),
        ..Default::default()
    }
}

async fn refused(controller: &mut Controller, kind: Kind) -> (i32, String) {
    let status = controller.write(Type::Insert, vec![kind]).await.expect_err("it is refused");
    let details = vouch_p4runtime::google::rpc::Status::decode(status.details()).expect("a status").details;
    let error = Error::decode(details[0].value.as_slice()).expect("an error");
    (error.canonical_code, error.message)
}

/// Keys, parameters and defaults: strings go in, numbers work, strings come out.
#[tokio::test]
async fn names_in_tables_are_numbers_in_the_data_plane() {
    let (bench, mut controller) = running().await;
    let entries = [
        bench.entry("by_dst", 1, "choose", &[b"spine1"]),
        by_hop(&bench, "spine1", "Ethernet2"),
        by_hop(&bench, "spine2", "Ethernet3"),
    ];
    for entry in &entries {
        controller.insert(Kind::TableEntry(entry.clone())).await;
    }
    for entry in &entries {
        let wanted = Kind::TableEntry(TableEntry { action: None, ..entry.clone() });
        assert_eq!(controller.read(vec![wanted]).await.expect("a read"), [Kind::TableEntry(entry.clone())]);
    }
    bench.host(1).send(frame(1, 9, 0)).expect("the link is up");
    assert_eq!(soon(bench.host(2).recv()).await, Some(frame(1, 9, 0)));
    assert_eq!(
        refused(&mut controller, Kind::TableEntry(by_hop(&bench, "spine3", "Ethernet9"))).await,
        (
            Code::InvalidArgument as i32,
            "table Forward.by_hop: action Forward.forward: parameter port: \"Ethernet9\" is no port_name_t; there is \
             \"Ethernet1\", \"Ethernet2\", \"Ethernet3\", \"cpu\""
                .into()
        )
    );
}

/// A number of another width, and an optional field.
#[tokio::test]
async fn wider_numbers_mean_themselves() {
    let (bench, mut controller) = running().await;
    let entry = |tenant: &[u8]| {
        let ternary = FieldMatchType::Ternary(Ternary { value: tenant.to_vec(), mask: vec![0x0f, 0xff] });
        let optional = FieldMatchType::Optional(Optional { value: b"Ethernet1".to_vec() });
        TableEntry {
            table_id: bench.info.table("by_tenant").expect("the program has it").id,
            r#match: vec![
                FieldMatch { field_id: 1, field_match_type: Some(ternary) },
                FieldMatch { field_id: 2, field_match_type: Some(optional) },
            ],
            priority: 1,
            action: bench.action("forward", &[b"Ethernet3"]),
            ..Default::default()
        }
    };
    controller.insert(Kind::TableEntry(entry(&[5]))).await;
    let wanted = Kind::TableEntry(TableEntry { action: None, ..entry(&[5]) });
    assert_eq!(controller.read(vec![wanted]).await.expect("a read"), [Kind::TableEntry(entry(&[5]))]);
    let mut tagged = frame(1, 9, 0);
    tagged[13] = 5;
    bench.host(1).send(tagged.clone()).expect("the link is up");
    assert_eq!(soon(bench.host(3).recv()).await, Some(tagged));
    assert_eq!(
        refused(&mut controller, Kind::TableEntry(entry(&[1, 0, 0, 0]))).await.1,
        "table Forward.by_tenant: field meta.tenant: value 0x01000000 does not fit 12 bits"
    );
}

/// Packets to and from the controller: the width in the header is the program's.
#[tokio::test]
async fn packets_carry_the_names_of_their_ports() {
    let (bench, mut controller) = running().await;
    let metadata = vec![PacketMetadata { metadata_id: 1, value: b"Ethernet3".to_vec() }];
    controller.say(Outgoing::Packet(PacketOut { payload: frame(1, 9, 0).into(), metadata })).await;
    assert_eq!(soon(bench.host(3).recv()).await, Some(frame(1, 9, 0)));

    controller.insert(Kind::TableEntry(bench.entry("by_dst", 1, "punt", &[]))).await;
    bench.host(2).send(frame(1, 9, 0)).expect("the link is up");
    let Ok(Incoming::Packet(packet)) = controller.hear().await else { panic!("no packet-in") };
    assert_eq!(packet.payload, frame(1, 9, 0));
    assert_eq!(packet.metadata[0], PacketMetadata { metadata_id: 1, value: b"Ethernet2".to_vec() });

    let metadata = vec![PacketMetadata { metadata_id: 1, value: b"Ethernet9".to_vec() }];
    controller.say(Outgoing::Packet(PacketOut { payload: frame(1, 9, 0).into(), metadata })).await;
    let Ok(Incoming::Error(error)) = controller.hear().await else { panic!("no error") };
    assert!(error.message.starts_with("packet_out metadata egress_port: \"Ethernet9\" is no port_name_t"));
}

/// Section 18.1.5: replicas and watched ports are ports as the controller names them.
#[tokio::test]
async fn replicas_and_watched_ports_have_names() {
    let (bench, mut controller) = running().await;
    let replica = |port: &str, backups: &[&str]| Replica {
        port_kind: Some(replica::PortKind::Port(port.into())),
        instance: 1,
        backup_replicas: backups.iter().map(|port| BackupReplica { port: (*port).into(), instance: 2 }).collect(),
    };
    let group = |replicas| {
        let (multicast_group_id, metadata) = (7, Vec::new());
        let entry = Replication::MulticastGroupEntry(MulticastGroupEntry { multicast_group_id, replicas, metadata });
        Kind::PacketReplicationEngineEntry(PacketReplicationEngineEntry { r#type: Some(entry) })
    };
    let entry = group(vec![replica("Ethernet2", &["Ethernet3"])]);
    controller.insert(entry.clone()).await;
    assert_eq!(controller.read(vec![entry.clone()]).await.expect("a read"), [entry]);
    controller.insert(Kind::TableEntry(bench.entry("by_dst", 1, "flood", &[&[7]]))).await;
    bench.host(1).send(frame(1, 9, 0)).expect("the link is up");
    assert_eq!(soon(bench.host(2).recv()).await, Some(frame(1, 9, 0)));

    bench.host(2).set_up(false);
    crate::common::until(|| {
        bench.switch.port(2).is_some_and(|(status, _)| status == vouch_switch_server::PortStatus::Down)
    })
    .await;
    // The status is there at once and the pipeline hears of it soon after.
    loop {
        bench.host(1).send(frame(1, 9, 0)).expect("the link is up");
        if tokio::time::timeout(std::time::Duration::from_millis(50), bench.host(3).recv()).await.is_ok() {
            break;
        }
    }

    let set = ActionProfileActionSet {
        action_profile_actions: vec![ActionProfileAction {
            action: bench.action("forward", &[b"Ethernet2"]).and_then(|action| match action.r#type {
                Some(table_action::Type::Action(action)) => Some(action),
                _ => None,
            }),
            weight: 1,
            watch_kind: Some(action_profile_action::WatchKind::WatchPort(b"Ethernet2".to_vec())),
        }],
        ..Default::default()
    };
    let action = Some(TableAction { r#type: Some(table_action::Type::ActionProfileActionSet(set)) });
    let entry = TableEntry { action, ..bench.entry("balance", 1, "forward", &[]) };
    controller.insert(Kind::TableEntry(entry.clone())).await;
    let wanted = Kind::TableEntry(TableEntry { action: None, ..entry.clone() });
    assert_eq!(controller.read(vec![wanted]).await.expect("a read"), [Kind::TableEntry(entry)]);
}

/// Section 8.4: signed registers, and digests whose members are truth values, signed and translated.
#[tokio::test]
async fn data_has_the_shape_that_the_p4info_declares() {
    let (bench, mut controller) = running().await;
    let register = |index, bytes: &[u8]| {
        Kind::RegisterEntry(RegisterEntry {
            register_id: bench.info.register("levels").expect("the program has it").id,
            index: Some(Index { index }),
            data: Some(P4Data { data: Some(Data::Bitstring(bytes.to_vec())) }),
        })
    };
    controller.write(Type::Modify, vec![register(0, &[0xff, 0xff, 0xfe])]).await.expect("it is -2");
    assert_eq!(controller.read(vec![register(0, &[])]).await.expect("a read"), [register(0, &[0xfe])]);

    let digest = DigestEntry {
        digest_id: bench.info.digest("seen_t").expect("the program has it").id,
        config: Some(digest_entry::Config { max_list_size: 1, ..Default::default() }),
    };
    controller.insert(Kind::DigestEntry(digest)).await;
    controller.insert(Kind::TableEntry(bench.entry("by_dst", 1, "report", &[&[9]]))).await;
    bench.host(1).send(frame(1, 9, 8)).expect("the link is up");
    let Ok(Incoming::Digest(list)) = controller.hear().await else { panic!("no digest") };
    let member = |data| P4Data { data: Some(data) };
    let members = vec![
        member(Data::Bool(true)),
        member(Data::Bitstring(vec![0xfe])),
        member(Data::Bitstring(vec![8, 0])),
        member(Data::Bitstring(vec![9])),
    ];
    assert_eq!(list.data, [member(Data::Struct(P4StructLike { members }))]);
    // What it read from the register it has written to the next cell.
    assert_eq!(controller.read(vec![register(1, &[])]).await.expect("a read"), [register(1, &[0xfe])]);
}
