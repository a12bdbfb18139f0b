//! The client against BMv2's own server, `simple_switch_grpc`; skipped visibly where it is not installed.
//!
//! No interface is needed: a packet-out runs through the pipeline and comes back as packet-in, as digest or as counts.
//! `tests/data/everything.p4` says how to compile its two artifacts anew.

use std::{
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    sync::{Arc, OnceLock},
    time::Duration,
};

use crate::fake::{next, soon};
use tonic::Code;
use vouch_p4runtime::{
    Event, EventReceiver, P4Info, Session, SessionConfig,
    client::{
        BackoffConfig, DisconnectReason, Pipeline, PushOutcome, Replica, WriteError, clone_session, delete, insert,
        modify, multicast_group,
    },
    p4::v1::{
        Action, CounterData, FieldMatch, MeterConfig, PacketIn, TableAction, TableEntry,
        action::Param,
        digest_entry,
        field_match::{Exact, FieldMatchType, Lpm, Ternary},
        table_action,
    },
    value,
};

const SWITCH: &str = "simple_switch_grpc";
const CPU_PORT: u128 = 510;

static THRIFT: OnceLock<Option<u16>> = OnceLock::new();

#[tokio::test]
async fn the_whole_client_works_with_bmv2() {
    let Some(mut switch) = Bmv2::start() else {
        eprintln!("SKIPPED: {SWITCH} is not installed");
        return;
    };
    let info = Arc::new(P4Info::from_text(include_str!("../data/everything.p4info.txtpb")).unwrap());
    let pipeline = Pipeline::new(info.clone(), &include_bytes!("../data/everything.json")[..]);

    let (session, mut events) = Session::connect(switch.config(10)).unwrap();
    until(&mut events, |event| matches!(event, Event::Primary { election_id: 10 })).await;
    assert_eq!(session.running_cookie().await, Ok(None));
    assert_eq!(session.push_pipeline(&pipeline).await, Ok(PushOutcome::Pushed));
    assert_eq!(session.push_pipeline(&pipeline).await, Ok(PushOutcome::Kept));
    assert_eq!(session.running_pipeline().await.unwrap().unwrap().p4info.as_ref(), Some(info.message()));

    tables(&session, &info).await;
    replication(&session).await;
    packets(&session, &mut events, &info).await;
    digests(&session, &mut events, &info).await;
    counters_and_meters(&session, &info).await;
    idle_timeouts(&session, &mut events, &info).await;
    elections(&session, &mut events, &switch).await;

    switch.restart();
    until(&mut events, |event| matches!(event, Event::Disconnected { .. })).await;
    until(&mut events, |event| matches!(event, Event::Primary { election_id: 10 })).await;
    assert_eq!(session.push_pipeline(&pipeline).await, Ok(PushOutcome::Pushed), "a new process has no program");
}

async fn tables(session: &Session, info: &P4Info) {
    let entry = |mac, port| by_destination(info, mac, port);
    session.write(vec![insert(entry(1, 1)), insert(entry(2, 2))]).await.unwrap();
    let mixed = vec![
        insert(entry(3, 3)),
        insert(entry(1, 9)),
        delete(entry(9, 0)),
        modify(entry(2, 5)),
        insert(TableEntry { table_id: 1, ..TableEntry::default() }),
    ];
    let error = session.write(mixed).await.unwrap_err();
    let failed: Vec<_> = error.failed().iter().map(|failed| (failed.index, failed.code)).collect();
    assert_eq!(failed, [(1, Code::AlreadyExists), (2, Code::NotFound), (4, Code::InvalidArgument)], "{error}");
    assert!(error.to_string().contains("insert table by_destination, hdr.ethernet.dst=0x01: AlreadyExists"), "{error}");

    let table = info.table("by_destination").unwrap();
    let mut read = session.read_table(table.id).await.unwrap();
    read.sort_by_key(|entry| entry.r#match[0].clone().field_match_type.map(|it| format!("{it:?}")));
    assert_eq!(read, [entry(1, 1), entry(2, 5), entry(3, 3)], "what was written reads back equal");

    match session.write_atomic(vec![insert(entry(4, 4))]).await {
        Err(WriteError::Rpc { error, .. }) => assert_eq!(error.code(), Some(Code::Unimplemented)),
        other => panic!("{other:?}"),
    }
    // Reading an empty table is no error, and a size limit is that table's alone.
    let prefix = info.table("by_prefix").unwrap();
    assert_eq!(session.read_table(prefix.id).await, Ok(vec![]));
}

async fn replication(session: &Session) {
    let copies = |ports: &[u32]| ports.iter().map(|&port| Replica { port, instance: port + 100 }).collect::<Vec<_>>();
    session.write(vec![insert(multicast_group(7, copies(&[0, 1, 300])))]).await.unwrap();
    session.write(vec![modify(multicast_group(7, copies(&[1, 2])))]).await.unwrap();
    session.write(vec![insert(multicast_group(8, copies(&[])))]).await.unwrap();
    let mut groups = session.read_multicast_groups().await.unwrap();
    groups.sort();
    assert_eq!(groups, [(7, copies(&[1, 2])), (8, copies(&[]))]);
    session.write(vec![delete(multicast_group(8, []))]).await.unwrap();
    let error = session.write(vec![delete(multicast_group(8, []))]).await.unwrap_err();
    assert!(error.to_string().contains("delete multicast group 8: NotFound"), "{error}");

    let cpu = Replica { port: 510, instance: 0 };
    session.write(vec![insert(clone_session(1, [cpu], None))]).await.unwrap();
    let error = session.write(vec![insert(clone_session(2, [cpu], Some(128)))]).await.unwrap_err();
    assert!(error.to_string().contains("insert clone session 2: Unknown"), "truncation is refused: {error}");
    session.write(vec![modify(clone_session(1, [cpu], None)), delete(clone_session(1, [], None))]).await.unwrap();
}

async fn packets(session: &Session, events: &mut EventReceiver, info: &P4Info) {
    // A packet from the CPU goes where its header says, unless by_type sends it back.
    let to_cpu = by_type(info, 0x9000, 77);
    session.write(vec![insert(to_cpu)]).await.unwrap();
    let sent = frame(0x42, 0x1111, 0x9000);
    session.packet_out(sent.clone(), packet_out(info)).await.unwrap();
    let packet = packet_in(events).await;
    assert_eq!(packet.payload, sent);
    assert_eq!(info.packet_in().unwrap().decode(&packet.metadata), Ok(vec![CPU_PORT, 0, 77]));
}

async fn digests(session: &Session, events: &mut EventReceiver, info: &P4Info) {
    let digest = info.digests().next().unwrap();
    session
        .enable_digest(digest.id, digest_entry::Config { max_timeout_ns: 0, max_list_size: 1, ack_timeout_ns: 1 << 40 })
        .await
        .unwrap();
    let learn = lpm(info, 0x2200_0000_0000, 8, "learn");
    session.write(vec![insert(learn)]).await.unwrap();
    for source in [0x2200_0000_0001, 0x2200_0000_0002] {
        session.packet_out(frame(0x43, source, 0x9001), packet_out(info)).await.unwrap();
        let list = loop {
            match next(events).await {
                Event::Digest(list) => break list,
                other => assert!(matches!(other, Event::PacketIn(_)), "{other:?}"),
            }
        };
        assert_eq!(list.digest_id, digest.id);
        assert_eq!(digest.decode(&list.data[0]), Ok(vec![source, CPU_PORT]));
        session.ack_digest(&list).await.unwrap();
    }
}

async fn counters_and_meters(session: &Session, info: &P4Info) {
    let seen = info.counter("seen").unwrap();
    let cells = session.read_counter(seen.id).await.unwrap();
    assert_eq!(cells.len(), 8);
    // Three packets from port 510, which is 6 modulo 8.
    assert_eq!(cells.iter().find(|(index, _)| *index == 6).unwrap().1.packet_count, 3);

    let table = info.table("by_destination").unwrap();
    session.packet_out(frame(1, 0x1111, 0x9000), packet_out(info)).await.unwrap();
    let count = async || {
        let all = session.read_direct_counters(table.id).await.unwrap();
        all.into_iter().find(|(entry, _)| entry.r#match == by_destination(info, 1, 0).r#match).unwrap().1.packet_count
    };
    soon(async { while count().await == 0 {} }).await;
    // The same within the entries, when asked for.
    let wanted = TableEntry { table_id: table.id, counter_data: Some(CounterData::default()), ..TableEntry::default() };
    let entries = session.read_entries(wanted).await.unwrap();
    let hits: i64 = entries.iter().map(|entry| entry.counter_data.expect("asked for").packet_count).sum();
    assert_eq!(hits, 1);

    let config = MeterConfig { cir: 10, cburst: 2, pir: 20, pburst: 4, eburst: 0 };
    let punts = info.meter("punts").unwrap();
    session.set_meter(punts.id, 3, Some(config)).await.unwrap();
    session.set_meter(punts.id, 3, None).await.unwrap();
    let error = session.set_meter(punts.id, 300, Some(config)).await.unwrap_err();
    assert!(error.to_string().contains("modify meter punts[300]"), "{error}");
    session.set_direct_meter(by_type(info, 0x9000, 77), Some(config)).await.unwrap();
}

async fn idle_timeouts(session: &Session, events: &mut EventReceiver, info: &P4Info) {
    let entry = TableEntry { idle_timeout_ns: 1_000_000, ..by_destination(info, 0x77, 1) };
    session.write(vec![insert(entry.clone())]).await.unwrap();
    let idle = loop {
        if let Event::IdleTimeout(idle) = next(events).await {
            break idle;
        }
    };
    assert_eq!(idle.table_entry.len(), 1);
    assert_eq!(idle.table_entry[0].r#match, entry.r#match);
    session.write(vec![delete(entry)]).await.unwrap();
}

async fn elections(session: &Session, events: &mut EventReceiver, switch: &Bmv2) {
    let (other, mut other_events) = Session::connect(switch.config(11)).unwrap();
    until(&mut other_events, |event| matches!(event, Event::Primary { election_id: 11 })).await;
    until(events, |event| matches!(event, Event::Backup { primary: Some(11) })).await;
    match session.write(vec![insert(multicast_group(9, []))]).await {
        Err(WriteError::Rpc { error, .. }) => assert!(error.is_not_primary(), "{error}"),
        other => panic!("{other:?}"),
    }

    let (_twin, mut twin_events) = Session::connect(switch.config(11)).unwrap();
    let taken =
        |event: &Event| matches!(event, Event::Disconnected { reason: DisconnectReason::ElectionIdTaken(_), .. });
    until(&mut twin_events, taken).await;
    drop(twin_events);

    // BMv2 promotes the backup by itself.
    drop(other);
    until(events, |event| matches!(event, Event::Primary { election_id: 10 })).await;
}

async fn until(events: &mut EventReceiver, wanted: impl Fn(&Event) -> bool) {
    soon(async {
        loop {
            let event = next(events).await;
            if wanted(&event) {
                break;
            }
        }
    })
    .await;
}

async fn packet_in(events: &mut EventReceiver) -> PacketIn {
    loop {
        if let Event::PacketIn(packet) = next(events).await {
            break packet;
        }
    }
}

fn packet_out(info: &P4Info) -> Vec<vouch_p4runtime::p4::v1::PacketMetadata> {
    info.packet_out().unwrap().encode(&[("egress_port", 511)]).unwrap()
}

fn frame(destination: u64, source: u128, kind: u16) -> Vec<u8> {
    let source = u64::try_from(source).unwrap();
    let mut frame = [&destination.to_be_bytes()[2..], &source.to_be_bytes()[2..], &kind.to_be_bytes()[..]].concat();
    frame.resize(64, 0xa5);
    frame
}

fn by_destination(info: &P4Info, mac: u128, port: u128) -> TableEntry {
    let table = info.table("by_destination").unwrap();
    let field = table.field("hdr.ethernet.dst").unwrap();
    let exact = Exact { value: field.encode(mac).unwrap() };
    let key = FieldMatch { field_id: field.id, field_match_type: Some(FieldMatchType::Exact(exact)) };
    let action = action(info, "counted_forward", &[("port", port)]);
    TableEntry { table_id: table.id, r#match: vec![key], action, ..TableEntry::default() }
}

fn by_type(info: &P4Info, kind: u128, tag: u128) -> TableEntry {
    let table = info.table("by_type").unwrap();
    let field = table.field("hdr.ethernet.type").unwrap();
    let ternary = Ternary { value: field.encode(kind).unwrap(), mask: value::encode(0xffff) };
    let key = FieldMatch { field_id: field.id, field_match_type: Some(FieldMatchType::Ternary(ternary)) };
    let action = action(info, "to_cpu_metered", &[("tag", tag)]);
    TableEntry { table_id: table.id, r#match: vec![key], action, priority: 10, ..TableEntry::default() }
}

fn lpm(info: &P4Info, prefix: u128, prefix_len: i32, name: &str) -> TableEntry {
    let table = info.table("by_prefix").unwrap();
    let field = table.field("hdr.ethernet.src").unwrap();
    let lpm = Lpm { value: field.encode(prefix).unwrap(), prefix_len };
    let key = FieldMatch { field_id: field.id, field_match_type: Some(FieldMatchType::Lpm(lpm)) };
    TableEntry { table_id: table.id, r#match: vec![key], action: action(info, name, &[]), ..TableEntry::default() }
}

fn action(info: &P4Info, name: &str, values: &[(&str, u128)]) -> Option<TableAction> {
    let action = info.action(name).unwrap();
    let param = |(name, value): &(&str, u128)| {
        let param = action.param(name).unwrap();
        Param { param_id: param.id, value: param.encode(*value).unwrap() }
    };
    let action = Action { action_id: action.id, params: values.iter().map(param).collect() };
    Some(TableAction { r#type: Some(table_action::Type::Action(action)) })
}

struct Bmv2 {
    address: SocketAddr,
    process: Child,
}

impl Bmv2 {
    fn start() -> Option<Self> {
        let address = free_address();
        let help = match Command::new(SWITCH).arg("--help").output() {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => panic!("{SWITCH}: {error}"),
        };
        // Builds with Thrift listen at a fixed port unless told otherwise.
        THRIFT.get_or_init(|| help.contains("--thrift-port").then(|| free_address().port()));
        Some(Self { address, process: Self::spawn(address) })
    }

    fn spawn(address: SocketAddr) -> Child {
        let mut command = Command::new(SWITCH);
        command.args(["--no-p4", "--device-id", "7"]).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(Some(port)) = THRIFT.get() {
            command.args(["--thrift-port", &port.to_string()]);
        }
        command.args(["--", "--grpc-server-addr", &address.to_string(), "--cpu-port", "510", "--drop-port", "511"]);
        command.spawn().unwrap()
    }

    fn restart(&mut self) {
        self.stop();
        self.process = Self::spawn(self.address);
    }

    fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn config(&self, election_id: u128) -> SessionConfig {
        let quick = BackoffConfig {
            first: Duration::from_millis(10),
            longest: Duration::from_millis(100),
            ..BackoffConfig::default()
        };
        SessionConfig { backoff: quick, ..SessionConfig::new(self.address.to_string(), 7, election_id) }
    }
}

impl Drop for Bmv2 {
    fn drop(&mut self) {
        self.stop();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
