//! A switch in the place of a BMv2: what PI does otherwise than the specification says, and a client could count on.

use crate::common::Bench;
use tonic::Code;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::stream_message_request::Update as Outgoing;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_p4runtime::p4::v1::write_request::Atomicity;
use vouch_p4runtime::p4::v1::*;
use vouch_switch_server::SwitchServer;

async fn bmv2() -> Bench {
    Bench::start_as(SwitchServer::builder().bmv2_compat(true)).await
}

async fn running() -> (Bench, crate::common::Controller) {
    let bench = bmv2().await;
    let mut controller = bench.primary().await;
    controller.set_pipeline(Action::VerifyAndCommit, Some(bench.config())).await.expect("the pipeline is valid");
    (bench, controller)
}

#[tokio::test]
async fn a_backup_becomes_primary_when_the_primary_leaves() {
    let bench = bmv2().await;
    let (mut first, mut second) = (bench.controller().await, bench.controller().await);
    assert_eq!(first.arbitrate(Some(2)).await, (Code::Ok as i32, 2));
    assert_eq!(second.arbitrate(Some(1)).await, (Code::AlreadyExists as i32, 2));
    first.outgoing = None;
    assert_eq!(second.standing().await, (Code::Ok as i32, 1));
}

/// As tools do that send one request and no more. A stream counts when it has asked for a place.
#[tokio::test]
async fn whoever_is_alone_needs_no_election() {
    let bench = bmv2().await;
    let mut tool = bench.controller().await;
    tool.set_pipeline(Action::VerifyAndCommit, Some(bench.config())).await.expect("nobody else is there");
    tool.insert(Kind::TableEntry(bench.entry("host", 1, "host_forward", &[&[2]]))).await;
    let entry = |dst| vec![Kind::TableEntry(bench.entry("host", dst, "host_forward", &[&[2]]))];
    tool.election_id = Some(Uint128 { high: 0, low: 1 });
    let refused = tool.write(Type::Insert, entry(2)).await.expect_err("that would be somebody");
    assert_eq!(refused.code(), Code::PermissionDenied);

    let mut controller = bench.controller().await;
    assert_eq!(controller.arbitrate(Some(3)).await, (Code::Ok as i32, 3));
    tool.election_id = None;
    let refused = tool.write(Type::Insert, entry(2)).await.expect_err("somebody is there");
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn an_election_id_that_is_not_there_is_zero() {
    let bench = bmv2().await;
    let mut controller = bench.controller().await;
    assert_eq!(controller.arbitrate(None).await, (Code::Ok as i32, 0));
    controller.set_pipeline(Action::VerifyAndCommit, Some(bench.config())).await.expect("it is primary");
    let mut other = bench.controller().await;
    assert_eq!(other.arbitrate(Some(1)).await, (Code::Ok as i32, 1));
    assert_eq!(controller.standing().await, (Code::AlreadyExists as i32, 1));
}

#[tokio::test]
async fn direct_resources_come_with_the_entry_of_the_request() {
    let (bench, mut controller) = running().await;
    let entry = bench.entry("host", 1, "host_forward", &[&[2]]);
    controller.insert(Kind::TableEntry(entry.clone())).await;
    let counter = |data| Kind::DirectCounterEntry(DirectCounterEntry { table_entry: Some(entry.clone()), data });
    let meter = DirectMeterEntry { table_entry: Some(entry.clone()), config: None, counter_data: None };
    let meter = Kind::DirectMeterEntry(meter);
    let found = controller.read(vec![counter(None), meter.clone()]).await.expect("the entry is there");
    assert_eq!(found, [counter(Some(CounterData::default())), meter]);
}

#[tokio::test]
async fn a_pipeline_that_is_not_there_is_an_error() {
    let bench = bmv2().await;
    let mut controller = bench.primary().await;
    let request = GetForwardingPipelineConfigRequest { device_id: 1, ..Default::default() };
    let refused = controller.client.get_forwarding_pipeline_config(request).await.expect_err("there is none");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().starts_with("No forwarding pipeline config set for this device"), "{refused}");
}

#[tokio::test]
async fn batches_are_not_atomic() {
    let (bench, mut controller) = running().await;
    let entity = Some(Entity { entity: Some(Kind::TableEntry(bench.entry("host", 1, "host_forward", &[&[2]]))) });
    let request = WriteRequest {
        device_id: 1,
        election_id: controller.election_id,
        updates: vec![Update { r#type: Type::Insert as i32, entity }],
        atomicity: Atomicity::RollbackOnError as i32,
        ..Default::default()
    };
    let refused = controller.client.write(request).await.expect_err("it is not supported");
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::Unimplemented, "atomicity ROLLBACK_ON_ERROR is not supported: use CONTINUE_ON_ERROR")
    );
}

#[tokio::test]
async fn a_read_fails_with_the_code_of_its_first_mistake_or_comes_at_once() {
    let (bench, mut controller) = running().await;
    let unknown = Kind::TableEntry(TableEntry { table_id: 0x0200_0001, ..Default::default() });
    let refused = controller.read(vec![unknown]).await.expect_err("no such table");
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(controller.read_much(&bench, 60).await, [60]);
}

#[tokio::test]
async fn groups_and_sessions_that_are_not_there_cannot_be_read() {
    use packet_replication_engine_entry::Type as Kinds;

    let (_bench, mut controller) = running().await;
    let group = |id| Kinds::MulticastGroupEntry(MulticastGroupEntry { multicast_group_id: id, ..Default::default() });
    let session = |id| Kinds::CloneSessionEntry(CloneSessionEntry { session_id: id, ..Default::default() });
    let wanted = |kind| vec![Kind::PacketReplicationEngineEntry(PacketReplicationEngineEntry { r#type: Some(kind) })];
    for kind in [group(7), session(7)] {
        let refused = controller.read(wanted(kind)).await.expect_err("there is none");
        assert_eq!(refused.code(), Code::NotFound);
    }
    for kind in [group(0), session(0)] {
        assert_eq!(controller.read(wanted(kind)).await.expect("all of none"), []);
    }
}

#[tokio::test]
async fn a_packet_out_without_metadata_has_zeros() {
    let (bench, controller) = running().await;
    let frame = crate::common::frame(1, 9, 1);
    controller.say(Outgoing::Packet(PacketOut { payload: frame.into(), metadata: Vec::new() })).await;
    crate::common::until(|| bench.switch.counters().packet_outs == 1).await;
}
