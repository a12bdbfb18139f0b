//! Roles and their configurations (specification, sections 5.3, 12 and 13): Stratum's scheme.

use crate::common::{Bench, Controller};
use prost::Message;
use tonic::Code;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_p4runtime::p4::v1::*;

/// The part of `stratum.P4RoleConfig` that the tests need.
#[derive(Clone, PartialEq, Message)]
struct RoleConfig {
    #[prost(uint32, repeated, tag = "1")]
    exclusive_p4_ids: Vec<u32>,
    #[prost(bool, tag = "4")]
    receives_packet_ins: bool,
}

/// A controller in the role `routes`, to which the table `route` belongs.
async fn routes(bench: &Bench) -> Controller {
    let mut controller = bench.controller().await;
    let exclusive_p4_ids = vec![bench.info.table("route").expect("it is there").id];
    let rules = RoleConfig { exclusive_p4_ids, receives_packet_ins: false };
    let config =
        prost_types::Any { type_url: "type.googleapis.com/stratum.P4RoleConfig".into(), value: rules.encode_to_vec() };
    let role = Some(Role { name: "routes".into(), config: Some(config), ..Default::default() });
    let election_id = Some(Uint128 { high: 0, low: 1 });
    controller.ask(MasterArbitrationUpdate { device_id: 1, role, election_id, ..Default::default() }).await;
    assert_eq!(controller.standing().await, (Code::Ok as i32, 1));
    controller
}

fn route(bench: &Bench) -> TableEntry {
    TableEntry {
        table_id: bench.info.table("route").expect("it is there").id,
        action: bench.action("forward", &[&[2]]),
        ..Default::default()
    }
}

async fn write_as(controller: &mut Controller, role: &str, kind: Kind) -> Option<(i32, String)> {
    let entity = Some(Entity { entity: Some(kind) });
    let request = WriteRequest {
        device_id: 1,
        role: role.into(),
        election_id: controller.election_id,
        updates: vec![Update { r#type: Type::Insert as i32, entity }],
        ..Default::default()
    };
    let status = controller.client.write(request).await.err()?;
    let details = vouch_p4runtime::google::rpc::Status::decode(status.details()).expect("a status").details;
    let error = Error::decode(details[0].value.as_slice()).expect("an error");
    Some((error.canonical_code, error.message))
}

#[tokio::test]
async fn a_role_writes_what_is_its_own_and_no_other_does() {
    let (bench, mut default) = Bench::running().await;
    let mut routes = routes(&bench).await;
    let host = bench.entry("host", 1, "host_forward", &[&[2]]);
    let id = route(&bench).table_id;
    assert_eq!(
        write_as(&mut default, "", Kind::TableEntry(route(&bench))).await,
        Some((Code::PermissionDenied as i32, format!("{id:#010x} belongs to another role alone")))
    );
    assert_eq!(
        write_as(&mut routes, "routes", Kind::TableEntry(host.clone())).await,
        Some((
            Code::PermissionDenied as i32,
            format!("{:#010x} is not among the objects that role \"routes\" may write", host.table_id)
        ))
    );
    assert_eq!(write_as(&mut routes, "routes", Kind::TableEntry(route(&bench))).await, None);
    assert_eq!(write_as(&mut default, "", Kind::TableEntry(host)).await, None);
}

#[tokio::test]
async fn a_read_for_a_role_shows_its_objects() {
    let (bench, mut default) = Bench::running().await;
    let mut routes = routes(&bench).await;
    default.insert(Kind::TableEntry(bench.entry("host", 1, "host_forward", &[&[2]]))).await;
    assert_eq!(write_as(&mut routes, "routes", Kind::TableEntry(route(&bench))).await, None);
    let read = |role: &str| ReadRequest {
        device_id: 1,
        role: role.into(),
        entities: vec![Entity { entity: Some(Kind::TableEntry(TableEntry::default())) }],
    };
    let mut count = async |role: &str| {
        let mut stream = default.client.read(read(role)).await?.into_inner();
        Ok::<_, tonic::Status>(stream.message().await?.expect("a message").entities.len())
    };
    assert_eq!(count("").await.expect("a read"), 3, "and the constant one of the program");
    assert_eq!(count("routes").await.expect("a read"), 1);
    let refused = count("nobody").await.expect_err("there is no such role");
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::NotFound, "no stream has taken role \"nobody\": arbitrate first")
    );
}

#[tokio::test]
async fn a_role_pushes_no_pipeline_unless_it_may() {
    let bench = Bench::start().await;
    let mut routes = routes(&bench).await;
    let request = SetForwardingPipelineConfigRequest {
        device_id: 1,
        role: "routes".into(),
        election_id: routes.election_id,
        action: Action::VerifyAndCommit as i32,
        config: Some(bench.config()),
        ..Default::default()
    };
    let refused = routes.client.set_forwarding_pipeline_config(request).await.expect_err("it may not");
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::PermissionDenied, "role \"routes\" may not push pipelines: can_push_pipeline is not set")
    );
}

#[tokio::test]
async fn packet_ins_go_to_the_roles_that_receive_them() {
    let (bench, mut default) = Bench::running().await;
    let mut routes = routes(&bench).await;
    let punt = bench.default_entry("host", "punt", &[&[5]]);
    default.write(Type::Modify, vec![Kind::TableEntry(punt)]).await.expect("the default can change");
    bench.host(1).send(crate::common::frame(1, 9, 1)).expect("the link is up");
    assert!(matches!(default.hear().await, Ok(stream_message_response::Update::Packet(_))));
    // The next that the other role hears of is its own election.
    let election_id = Some(Uint128 { high: 0, low: 2 });
    let role = Some(Role { name: "routes".into(), ..Default::default() });
    routes.ask(MasterArbitrationUpdate { device_id: 1, role, election_id, ..Default::default() }).await;
    assert_eq!(routes.standing().await, (Code::Ok as i32, 2));
}
