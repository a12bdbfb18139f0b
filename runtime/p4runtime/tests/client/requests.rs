//! Writes, reads and pipelines, against a fake switch.

use std::sync::Arc;

use crate::fake::{FakeSwitch, failed_batch};
use tonic::{Code, Status};
use vouch_p4runtime::{
    P4Info, SessionConfig,
    client::{Pipeline, PushOutcome, Replica, RpcError, WriteError, clone_session, delete, insert, multicast_group},
    p4::v1::{
        CounterData, CounterEntry, DirectCounterEntry, Entity, FieldMatch, Index, ReadResponse, TableEntry, Update,
        field_match::{FieldMatchType, Lpm},
        write_request::Atomicity,
    },
};

fn sample() -> Arc<P4Info> {
    Arc::new(P4Info::from_text(include_str!("../data/sample.p4info.txtpb")).unwrap())
}

fn route(value: u8) -> TableEntry {
    let lpm = Lpm { value: vec![10, value, 0, 0], prefix_len: 16 };
    let key = FieldMatch { field_id: 1, field_match_type: Some(FieldMatchType::Lpm(lpm)) };
    TableEntry { table_id: 0x0200_0001, r#match: vec![key], ..TableEntry::default() }
}

#[tokio::test]
async fn failures_name_table_key_and_reason_in_both_forms() {
    let mut switch = FakeSwitch::start().await;
    let config = SessionConfig { p4info: Some(sample()), ..switch.config() };
    let (session, _events, _controller) = switch.primary(config).await;
    let outcomes = [(Code::Ok, ""), (Code::AlreadyExists, "Match entry exists"), (Code::Ok, "")];
    // PI answers UNKNOWN whatever happened; others name the code of a failed update.
    for code in [Code::Unknown, Code::AlreadyExists] {
        switch.script.lock().unwrap().write_answers.push_back(failed_batch(code, &outcomes));
        let error = session.write((1..=3).map(|it| insert(route(it))).collect()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the switch refused 1 of 3 updates; update 1, insert table route, hdr.ipv4.dst=0x0a020000/16: \
             AlreadyExists: Match entry exists"
        );
        assert_eq!((error.failed()[0].index, error.failed()[0].code), (1, Code::AlreadyExists));
    }
}

#[tokio::test]
async fn a_batch_refused_as_a_whole_has_no_culprit() {
    let mut switch = FakeSwitch::start().await;
    let (session, _events, _controller) = switch.primary(switch.config()).await;
    let refusals = [
        Status::permission_denied("not primary"),
        failed_batch(Code::Unknown, &[(Code::NotFound, "too few outcomes")]),
        failed_batch(Code::Unknown, &[(Code::Ok, ""), (Code::Ok, "")]),
        Status::with_details(Code::Unknown, "not a google.rpc.Status", vec![0xff, 1, 2].into()),
    ];
    for status in refusals {
        let code = status.code();
        switch.script.lock().unwrap().write_answers.push_back(status);
        match session.write(vec![insert(route(1)), delete(route(2))]).await {
            Err(WriteError::Rpc { error, from: 0, failed }) if failed.is_empty() => {
                assert_eq!(error.code(), Some(code));
                assert_eq!(error.is_not_primary(), code == Code::PermissionDenied);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn long_writes_are_split_and_keep_their_numbers() {
    let mut switch = FakeSwitch::start().await;
    let config = SessionConfig { max_batch: 2, ..switch.config() };
    let (session, _events, _controller) = switch.primary(config).await;
    let answers = [
        failed_batch(Code::Unknown, &[(Code::Ok, ""), (Code::NotFound, "a")]),
        Status::ok(""),
        failed_batch(Code::Unknown, &[(Code::OutOfRange, "b")]),
    ];
    switch.script.lock().unwrap().write_answers = answers.into();
    let error = session.write((0..5).map(|it| insert(route(it))).collect()).await.unwrap_err();
    let failed: Vec<_> = error.failed().iter().map(|failure| (failure.index, failure.code)).collect();
    assert_eq!(failed, [(1, Code::NotFound), (4, Code::OutOfRange)]);
    let sizes: Vec<_> = switch.script.lock().unwrap().writes.iter().map(|write| write.updates.len()).collect();
    assert_eq!(sizes, [2, 2, 1]);

    // The second request fails as a whole: the third is not sent, and what failed before is not forgotten.
    let answers = [failed_batch(Code::Unknown, &[(Code::NotFound, "a"), (Code::Ok, "")]), Status::unavailable("gone")];
    switch.script.lock().unwrap().write_answers = answers.into();
    match session.write((0..5).map(|it| insert(route(it))).collect()).await {
        Err(WriteError::Rpc { error, from: 2, failed }) => {
            assert!(error.is_connection());
            assert_eq!(failed.len(), 1);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(switch.script.lock().unwrap().writes.len(), 5);
}

#[tokio::test]
async fn a_thousand_failures_in_one_batch_arrive() {
    let mut switch = FakeSwitch::start().await;
    let config = SessionConfig { max_batch: 1000, ..switch.config() };
    let (session, _events, _controller) = switch.primary(config).await;
    let outcomes = [(Code::InvalidArgument, "a reason that is as long as reasons usually are"); 1000];
    switch.script.lock().unwrap().write_answers.push_back(failed_batch(Code::Unknown, &outcomes));
    let error = session.write(vec![insert(route(1)); 1000]).await.unwrap_err();
    assert_eq!(error.failed().len(), 1000, "{error}");
    assert!(error.to_string().ends_with("and 995 more"));
}

#[tokio::test]
async fn requests_carry_device_election_role_and_atomicity() {
    let mut switch = FakeSwitch::start().await;
    let config = SessionConfig { role: Some("vtep".into()), ..switch.config() };
    let (session, _events, _controller) = switch.primary(config).await;
    session.write(vec![insert(multicast_group(3, [Replica { port: 1, instance: 9 }]))]).await.unwrap();
    session.write_atomic(vec![insert(clone_session(1, [Replica { port: 510, instance: 0 }], None))]).await.unwrap();
    session.read(vec![TableEntry::default().into()]).await.unwrap();
    let script = switch.script.lock().unwrap();
    for write in &script.writes {
        assert_eq!((write.device_id, write.role.as_str()), (7, "vtep"));
        assert_eq!(write.election_id, crate::fake::election_id(1 << 64 | 5));
    }
    let atomicities: Vec<_> = script.writes.iter().map(|write| write.atomicity()).collect();
    assert_eq!(atomicities, [Atomicity::ContinueOnError, Atomicity::RollbackOnError]);
    assert_eq!((script.reads[0].device_id, script.reads[0].role.as_str()), (7, "vtep"));
}

#[tokio::test]
async fn reads_come_in_chunks_of_any_size() {
    let mut switch = FakeSwitch::start().await;
    let (session, _events, _controller) = switch.primary(switch.config()).await;
    let entity = |table_id, metadata: usize| -> Entity {
        TableEntry { table_id, metadata: vec![1; metadata], ..TableEntry::default() }.into()
    };
    // The third is larger than gRPC's default limit of 4 MiB.
    let chunks = [vec![entity(1, 0), entity(2, 0)], vec![], vec![entity(3, 6 << 20)], vec![entity(4, 0)]];
    switch.script.lock().unwrap().read_answer = chunks.into_iter().map(|entities| ReadResponse { entities }).collect();
    let entries = session.read_table(0).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.table_id).collect::<Vec<_>>(), [1, 2, 3, 4]);

    let mut read = session.read(vec![]).await.unwrap();
    assert_eq!(read.next().await, Some(Ok(entity(1, 0))));
    assert_eq!(read.all().await.unwrap().len(), 3);
}

#[tokio::test]
async fn counters_come_with_their_index_or_key() {
    let mut switch = FakeSwitch::start().await;
    let (session, _events, _controller) = switch.primary(switch.config()).await;
    let data = CounterData { byte_count: 100, packet_count: 2 };
    let cell = CounterEntry { counter_id: 5, index: Some(Index { index: 3 }), data: Some(data) };
    let direct = DirectCounterEntry { table_entry: Some(route(1)), data: Some(data) };
    let answer = ReadResponse { entities: vec![cell.into(), direct.into()] };
    switch.script.lock().unwrap().read_answer = vec![answer];
    assert_eq!(session.read_counter(5).await.unwrap(), [(3, data)]);
    assert_eq!(session.read_direct_counters(0x0200_0001).await.unwrap(), [(route(1), data)]);
}

#[tokio::test]
async fn a_pipeline_is_pushed_once() {
    let mut switch = FakeSwitch::start().await;
    let (session, _events, _controller) = switch.primary(switch.config()).await;
    assert_eq!(session.running_cookie().await, Ok(None));
    // Larger than gRPC's default limit.
    let pipeline = Pipeline::new(sample(), vec![b' '; 6 << 20]);
    assert_eq!(session.push_pipeline(&pipeline).await, Ok(PushOutcome::Pushed));
    assert_eq!(session.push_pipeline(&pipeline).await, Ok(PushOutcome::Kept));
    assert_eq!(session.running_cookie().await, Ok(Some(pipeline.cookie())));
    let names = session.running_pipeline().await.unwrap().unwrap().p4info.unwrap();
    assert_eq!(&names, sample().message());
    assert_eq!(switch.script.lock().unwrap().pushes.len(), 1);

    let other = Pipeline::new(sample(), &b"{}"[..]);
    assert_eq!(session.push_pipeline(&other).await, Ok(PushOutcome::Pushed));
    assert_eq!(switch.script.lock().unwrap().pushes.len(), 2);

    // Its names serve error messages from now on.
    switch.script.lock().unwrap().write_answers.push_back(failed_batch(Code::Unknown, &[(Code::NotFound, "")]));
    let error = session.write(vec![delete(route(1))]).await.unwrap_err();
    assert!(error.to_string().contains("delete table route"), "{error}");
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_an_error_of_its_own() {
    let mut switch = FakeSwitch::start().await;
    let config = SessionConfig { max_message: 1000, ..switch.config() };
    let (session, _events, _controller) = switch.primary(config).await;
    let large: Update = insert(TableEntry { metadata: vec![0; 2000], ..TableEntry::default() });
    match session.write(vec![large]).await {
        Err(WriteError::Rpc { error: RpcError::TooLarge { bytes, limit: 1000, .. }, .. }) => assert!(bytes > 2000),
        other => panic!("{other:?}"),
    }
    session.write(vec![insert(route(1)); 100]).await.unwrap();
}
