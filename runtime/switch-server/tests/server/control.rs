//! Sessions, pipelines, writes and reads over a real connection.

use crate::common::{Bench, soon};
use prost::Message;
use tonic::Code;
use vouch_p4runtime::google::rpc;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::get_forwarding_pipeline_config_request::ResponseType;
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_p4runtime::p4::v1::write_request::Atomicity;
use vouch_p4runtime::p4::v1::*;

const OK: i32 = Code::Ok as i32;
const BACKUP: i32 = Code::AlreadyExists as i32;
const NO_PRIMARY: i32 = Code::NotFound as i32;

fn told(status: tonic::Status) -> (Code, String) {
    (status.code(), status.message().to_owned())
}

#[tokio::test]
async fn the_primary_is_replaced_and_both_learn_of_it() {
    let bench = Bench::start().await;
    let (mut first, mut second) = (bench.controller().await, bench.controller().await);
    assert_eq!(first.arbitrate(Some(1)).await, (OK, 1));
    assert_eq!(second.arbitrate(Some(2)).await, (OK, 2));
    assert_eq!(first.standing().await, (BACKUP, 2));
    let refused = first.write(Type::Insert, vec![]).await.expect_err("it is a backup");
    let text = "election id 1 is not the primary's; only the primary may do this";
    assert_eq!(told(refused), (Code::PermissionDenied, text.into()));
    // A client that ends its side of the stream leaves the election.
    second.outgoing = None;
    assert_eq!(first.standing().await, (NO_PRIMARY, 2));
    assert_eq!(first.arbitrate(Some(3)).await, (OK, 3));
}

#[tokio::test]
async fn an_election_id_has_one_holder() {
    let bench = Bench::start().await;
    let (_first, mut second) = (bench.primary().await, bench.controller().await);
    second
        .ask(MasterArbitrationUpdate {
            device_id: 1,
            election_id: Some(Uint128 { high: 0, low: 1 }),
            ..Default::default()
        })
        .await;
    let ended = second.hear().await.expect_err("the stream ends");
    assert_eq!(told(ended), (Code::InvalidArgument, "Election id already exists".into()));
}

#[tokio::test]
async fn another_device_is_not_here() {
    let bench = Bench::start().await;
    let mut controller = bench.controller().await;
    let here = (Code::NotFound, "device 9 is not here: this is device 1".to_owned());
    let refused = controller.client.read(ReadRequest { device_id: 9, ..Default::default() }).await;
    assert_eq!(told(refused.expect_err("another device")), here);
    let refused = controller.client.capabilities(CapabilitiesRequest { device_id: 9 }).await;
    assert_eq!(told(refused.expect_err("another device")), here);
    controller.ask(MasterArbitrationUpdate { device_id: 9, ..Default::default() }).await;
    assert_eq!(told(controller.hear().await.expect_err("the stream ends")), here);
    let answer = bench.controller().await.client.capabilities(CapabilitiesRequest { device_id: 1 }).await;
    assert_eq!(answer.expect("this device").into_inner().p4runtime_api_version, "1.5.0");
}

#[tokio::test]
async fn nothing_works_before_a_pipeline() {
    let bench = Bench::start().await;
    let mut controller = bench.primary().await;
    let none = |status| {
        let (code, text) = told(status);
        assert_eq!(code, Code::FailedPrecondition);
        assert!(text.starts_with("No forwarding pipeline config"), "{text}");
    };
    none(controller.write(Type::Insert, vec![]).await.expect_err("no pipeline"));
    none(controller.read(vec![]).await.expect_err("no pipeline"));
    let request = GetForwardingPipelineConfigRequest { device_id: 1, response_type: ResponseType::CookieOnly as i32 };
    let response = controller.client.get_forwarding_pipeline_config(request).await.expect("none is no error");
    assert_eq!(response.into_inner().config, None, "section 15: it is unset");
}

#[tokio::test]
async fn a_pipeline_shows_what_was_asked_for() {
    let (bench, mut controller) = Bench::running().await;
    let config = bench.config();
    for (wanted, info, device_config) in [
        (ResponseType::All, true, true),
        (ResponseType::CookieOnly, false, false),
        (ResponseType::P4infoAndCookie, true, false),
        (ResponseType::DeviceConfigAndCookie, false, true),
    ] {
        let request = GetForwardingPipelineConfigRequest { device_id: 1, response_type: wanted as i32 };
        let response = controller.client.get_forwarding_pipeline_config(request).await.expect("a pipeline is there");
        let expected = ForwardingPipelineConfig {
            p4info: config.p4info.clone().filter(|_| info),
            p4_device_config: if device_config { config.p4_device_config.clone() } else { Default::default() },
            cookie: config.cookie,
        };
        assert_eq!(response.into_inner().config, Some(expected));
    }
}

#[tokio::test]
async fn a_pipeline_that_does_not_fit_is_refused_whole() {
    let bench = Bench::start().await;
    let mut controller = bench.primary().await;
    let mut config = bench.config();
    let info = config.p4info.as_mut().expect("it has one");
    info.tables[0].match_fields[0].bitwidth = 47;
    let refused = controller.set_pipeline(Action::VerifyAndCommit, Some(config)).await.expect_err("it does not fit");
    assert_eq!(
        told(refused),
        (
            Code::InvalidArgument,
            "P4Info and device config do not belong together: table Forward.host, field hdr.ethernet.dst: 47 bits in the \
             P4Info and 48 in the program (hdr.ethernet.dst)"
                .into()
        )
    );
    let broken = ForwardingPipelineConfig { p4_device_config: b"{".as_slice().into(), ..bench.config() };
    let refused = controller.set_pipeline(Action::Verify, Some(broken)).await.expect_err("no JSON");
    assert!(refused.message().starts_with("the device config is not usable: "), "{}", refused.message());
    let missing = ForwardingPipelineConfig { p4info: None, ..bench.config() };
    let refused = controller.set_pipeline(Action::Verify, Some(missing)).await.expect_err("no P4Info");
    assert_eq!(refused.message(), "the pipeline configuration has no P4Info");
    let refused = controller.set_pipeline(Action::Unspecified, None).await.expect_err("no action");
    assert_eq!(
        refused.message(),
        "the action must be VERIFY, VERIFY_AND_SAVE, VERIFY_AND_COMMIT, COMMIT or RECONCILE_AND_COMMIT"
    );
    controller.set_pipeline(Action::Verify, Some(bench.config())).await.expect("it is valid");
    let refused = controller.read(vec![]).await.expect_err("verified is not set");
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_saved_pipeline_takes_writes_and_is_committed_with_them() {
    let (bench, mut controller) = Bench::running().await;
    let refused = controller.set_pipeline(Action::Commit, None).await.expect_err("nothing is saved");
    assert_eq!(refused.code(), Code::NotFound);
    let old = Kind::TableEntry(bench.entry("host", 1, "host_forward", &[&[2]]));
    controller.insert(old.clone()).await;

    controller.set_pipeline(Action::VerifyAndSave, Some(bench.config())).await.expect("it is valid");
    let new = Kind::TableEntry(bench.entry("host", 1, "host_forward", &[&[3]]));
    controller.insert(new).await;
    bench.host(1).send(crate::common::frame(1, 9, 1)).expect("the link is up");
    assert_eq!(soon(bench.host(2).recv()).await, Some(crate::common::frame(1, 9, 1)), "packets still see the old one");

    controller.set_pipeline(Action::Commit, None).await.expect("one is saved");
    bench.host(1).send(crate::common::frame(1, 9, 1)).expect("the link is up");
    assert_eq!(soon(bench.host(3).recv()).await, Some(crate::common::frame(1, 9, 1)));
}

#[tokio::test]
async fn committing_clears_state_and_reconciling_keeps_it() {
    let (bench, mut controller) = Bench::running().await;
    let host = bench.entry("host", 1, "host_forward", &[&[2]]);
    let entry = TableEntry { metadata: b"mine".to_vec(), idle_timeout_ns: 1_000_000_001, ..host };
    let wanted = TableEntry { table_id: entry.table_id, ..Default::default() };
    let key = TableEntry { is_default_action: true, ..wanted.clone() };
    let counter = |packet_count| {
        let data = Some(CounterData { packet_count, byte_count: 0 });
        Kind::DirectCounterEntry(DirectCounterEntry { table_entry: Some(key.clone()), data })
    };
    controller.write(Type::Modify, vec![counter(5)]).await.expect("the program's own default has a counter");
    controller.set_pipeline(Action::ReconcileAndCommit, Some(bench.config())).await.expect("the state fits");
    assert_eq!(controller.read(vec![counter(0)]).await.expect("a read"), [counter(5)]);

    let default = TableEntry {
        counter_data: Some(CounterData { packet_count: 6, byte_count: 600 }),
        meter_config: Some(MeterConfig { cir: 1, cburst: 2, pir: 3, pburst: 4, eburst: 0 }),
        ..bench.default_entry("host", "punt", &[&[1]])
    };
    let wanted_default = TableEntry { action: None, ..default.clone() };
    controller.insert(Kind::TableEntry(entry.clone())).await;
    controller.write(Type::Modify, vec![Kind::TableEntry(default.clone())]).await.expect("the default can change");
    controller.set_pipeline(Action::ReconcileAndCommit, Some(bench.config())).await.expect("the state fits");
    let read = controller.read(vec![Kind::TableEntry(wanted.clone()), Kind::TableEntry(wanted_default)]).await;
    assert_eq!(read.expect("a read"), [Kind::TableEntry(entry), Kind::TableEntry(default)]);
    controller.set_pipeline(Action::VerifyAndCommit, Some(bench.config())).await.expect("it is valid");
    assert_eq!(controller.read(vec![Kind::TableEntry(wanted)]).await.expect("a read"), []);
}

/// Section 14: state that fits is kept where the program changes around it; what does not fit is named, and nothing changes.
#[tokio::test]
async fn reconciling_with_another_program_keeps_what_fits() {
    let (bench, mut controller) = Bench::running().await;
    let entry = bench.entry("host", 1, "host_forward", &[&[2]]);
    controller.insert(Kind::TableEntry(entry.clone())).await;
    let register = |index| {
        Kind::RegisterEntry(RegisterEntry {
            register_id: bench.info.register("last_kind").expect("it is there").id,
            index: Some(Index { index }),
            data: Some(P4Data { data: Some(p4_data::Data::Bitstring(vec![7])) }),
        })
    };
    controller.write(Type::Modify, vec![register(1)]).await.expect("there is such a cell");
    // The same program with other initial defaults, a smaller array, and without a table that is empty.
    let mut config = bench.config();
    let json = String::from_utf8(config.p4_device_config.to_vec()).expect("it is text");
    let smaller = json.replacen("\"size\" : 8,\n      \"bitwidth\" : 32", "\"size\" : 4,\n      \"bitwidth\" : 32", 1);
    assert_ne!(smaller, json, "the register array is where it was");
    config.p4_device_config = smaller.into();
    config
        .p4info
        .as_mut()
        .expect("it has one")
        .tables
        .retain(|table| table.preamble.as_ref().is_some_and(|preamble| preamble.alias != "acl"));
    controller.set_pipeline(Action::ReconcileAndCommit, Some(config.clone())).await.expect("the state fits");
    let wanted = TableEntry { table_id: entry.table_id, ..Default::default() };
    let read = controller.read(vec![Kind::TableEntry(wanted.clone()), register(1)]).await.expect("a read");
    assert_eq!(read, [Kind::TableEntry(entry.clone()), register(1)]);

    config
        .p4info
        .as_mut()
        .expect("it has one")
        .tables
        .retain(|table| table.preamble.as_ref().is_some_and(|preamble| preamble.alias != "host"));
    let refused =
        controller.set_pipeline(Action::ReconcileAndCommit, Some(config)).await.expect_err("an entry is left");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let text = "the present state does not fit the new pipeline: no table has id 0x02364197; there is ";
    assert!(refused.message().starts_with(text), "{refused}");
    let read = controller.read(vec![Kind::TableEntry(wanted)]).await.expect("the old pipeline is there");
    assert_eq!(read, [Kind::TableEntry(entry)]);
}

#[tokio::test]
async fn a_batch_goes_on_after_an_error_and_reports_each_update() {
    let (bench, mut controller) = Bench::running().await;
    let entry = |dst| Kind::TableEntry(bench.entry("host", dst, "host_forward", &[&[2]]));
    let failed = controller.write(Type::Insert, vec![entry(1), entry(1), entry(2)]).await.expect_err("a duplicate");
    assert_eq!((failed.code(), failed.message()), (Code::Unknown, "1 of 3 updates failed"));
    let status = rpc::Status::decode(failed.details()).expect("details are a status");
    assert_eq!(status.code, Code::Unknown as i32);
    let errors: Vec<(i32, String)> = (status.details.iter())
        .map(|any| {
            assert_eq!(any.type_url, "type.googleapis.com/p4.v1.Error");
            let error = Error::decode(any.value.as_slice()).expect("an error");
            (error.canonical_code, error.message)
        })
        .collect();
    let exists = "table Forward.host: the entry exists already";
    assert_eq!(errors, [(0, String::new()), (6, exists.into()), (0, String::new())]);
    let table = TableEntry { table_id: bench.info.table("host").expect("it is there").id, ..Default::default() };
    assert_eq!(controller.read(vec![Kind::TableEntry(table)]).await.expect("a read").len(), 2);
    let counters = bench.switch.counters();
    assert_eq!((counters.updates, counters.updates_refused), (2, 1));
}

/// A batch of inserts into the table `host`.
fn batch(bench: &Bench, controller: &crate::common::Controller, keys: &[u8], atomicity: i32) -> WriteRequest {
    let update = |dst: &u8| Update {
        r#type: Type::Insert as i32,
        entity: Some(Entity { entity: Some(Kind::TableEntry(bench.entry("host", *dst, "host_forward", &[&[2]]))) }),
    };
    WriteRequest {
        device_id: 1,
        election_id: controller.election_id,
        updates: keys.iter().map(update).collect(),
        atomicity,
        ..Default::default()
    }
}

/// Section 12.2: all or none of the updates are applied, and section 12.3: each is reported.
#[tokio::test]
async fn atomic_batches_are_applied_whole_or_not_at_all() {
    let (bench, mut controller) = Bench::running().await;
    let table = Kind::TableEntry(TableEntry {
        table_id: bench.info.table("host").expect("it is there").id,
        ..Default::default()
    });
    for atomicity in [Atomicity::RollbackOnError, Atomicity::DataplaneAtomic] {
        let before = controller.read(vec![table.clone()]).await.expect("a read");
        let request = batch(&bench, &controller, &[1, 2, 2, 3], atomicity as i32);
        let failed = controller.client.write(request).await.expect_err("a duplicate");
        assert_eq!((failed.code(), failed.message()), (Code::Unknown, "4 of 4 updates failed"));
        let status = rpc::Status::decode(failed.details()).expect("details are a status");
        let errors: Vec<String> = (status.details.iter())
            .map(|any| Error::decode(any.value.as_slice()).expect("an error"))
            .map(|error| format!("{} {}", error.canonical_code, error.message))
            .collect();
        assert_eq!(
            errors,
            [
                "10 taken back, because update 3 failed",
                "10 taken back, because update 3 failed",
                "6 table Forward.host: the entry exists already",
                "10 not tried, because update 3 failed",
            ]
        );
        assert_eq!(controller.read(vec![table.clone()]).await.expect("a read"), before);
    }
    let request = batch(&bench, &controller, &[1, 2], Atomicity::DataplaneAtomic as i32);
    controller.client.write(request).await.expect("nothing is wrong");
    assert_eq!(controller.read(vec![table]).await.expect("a read").len(), 2);
    let request = batch(&bench, &controller, &[3], 7);
    assert_eq!(
        told(controller.client.write(request).await.expect_err("there is no such atomicity")),
        (
            Code::InvalidArgument,
            "atomicity 7 does not exist: CONTINUE_ON_ERROR, ROLLBACK_ON_ERROR or DATAPLANE_ATOMIC".into()
        )
    );
}

/// Section 13.3: what can be read is, and each request of the batch is answered for.
#[tokio::test]
async fn a_read_goes_on_after_a_mistake_and_reports_each_request() {
    let (bench, mut controller) = Bench::running().await;
    let entry = bench.entry("host", 1, "host_forward", &[&[2]]);
    controller.insert(Kind::TableEntry(entry.clone())).await;
    let table = |table_id| Entity { entity: Some(Kind::TableEntry(TableEntry { table_id, ..Default::default() })) };
    let entities = vec![table(0x0200_0001), table(entry.table_id), Entity::default()];
    let request = ReadRequest { device_id: 1, entities, ..Default::default() };
    let mut stream = controller.client.read(request).await.expect("a read").into_inner();
    let first = stream.message().await.expect("what was found comes first").expect("a message");
    assert_eq!(first.entities, [Entity { entity: Some(Kind::TableEntry(entry)) }]);
    let ended = stream.message().await.expect_err("then the errors");
    assert_eq!(ended.code(), Code::Unknown);
    assert!(ended.message().starts_with("2 of 3 requests failed: no table has id 0x02000001; there is "), "{ended}");
    let status = rpc::Status::decode(ended.details()).expect("details are a status");
    let codes = status.details.iter().map(|any| Error::decode(any.value.as_slice()).expect("an error").canonical_code);
    assert_eq!(codes.collect::<Vec<_>>(), [Code::NotFound as i32, 0, Code::InvalidArgument as i32]);
}

#[tokio::test]
async fn a_large_read_comes_in_several_messages() {
    let (bench, mut controller) = Bench::running().await;
    let sizes = controller.read_much(&bench, 60).await;
    assert!(sizes.len() > 1, "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), 60);
}

#[tokio::test]
async fn a_shutdown_ends_the_streams() {
    let bench = Bench::start().await;
    let mut controller = bench.primary().await;
    let stopping = tokio::spawn(bench.switch.shutdown());
    let ended = controller.hear().await.expect_err("the stream ends");
    assert_eq!(told(ended), (Code::Unavailable, "the switch is shutting down".into()));
    drop(controller);
    soon(stopping).await.expect("no panic");
}
