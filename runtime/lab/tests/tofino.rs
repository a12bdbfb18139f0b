//! A switch that passes for one with a Tofino: what it takes as a pipeline, what it refuses, and what its servers cannot do.

#[path = "../../switch-server/tests/common/mod.rs"]
mod common;

use std::net::Ipv4Addr;

use common::{Bench, Controller, JSON, frame, soon};
use prost::Message;
use tokio::net::TcpListener;
use tonic::{Code, Status};
use vouch_lab::target::tofino::{Front, TofinoServer};
use vouch_p4runtime::client::{Replica, clone_session, multicast_group};
use vouch_p4runtime::google::rpc;
use vouch_p4runtime::p4::config::v1 as config;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::packet_replication_engine_entry::Type as Replication;
use vouch_p4runtime::p4::v1::replica::PortKind;
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_p4runtime::p4::v1::*;
use vouch_p4runtime::tofino::TofinoProgram;
use vouch_switch_server::SwitchServer;

/// The CPU port of a Tofino with two pipes.
const CPU_PORT: u32 = 192;

fn told(status: &Status) -> (Code, &str) {
    (status.code(), status.message())
}

fn program() -> TofinoProgram {
    let program = TofinoProgram::new("kinds", b"what the chip would run".to_vec(), b"{}".to_vec());
    program.and_then(|program| program.with_bfrt(b"{}".to_vec())).expect("it is whole")
}

fn device_config(server: TofinoServer) -> Vec<u8> {
    match server {
        TofinoServer::Sde => program().to_sde(),
        TofinoServer::Stratum => program().to_stratum().expect("it has everything"),
    }
}

/// A switch, and what stands in front of it.
async fn start(server: TofinoServer) -> (Bench, Front) {
    let mut bench = Bench::start_as(SwitchServer::builder().cpu_port(CPU_PORT)).await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let front = Front::serve(&bench.switch, server, JSON, listener).expect("it has an address");
    bench.address = front.local_addr();
    (bench, front)
}

/// The P4Info as the compiler for Tofino writes it: the name of the pipeline is in front of every other.
fn config(bench: &Bench, server: TofinoServer) -> ForwardingPipelineConfig {
    let mut config = bench.config();
    config.p4_device_config = device_config(server).into();
    let info = config.p4info.as_mut().expect("it has one");
    let preambles = (info.tables.iter_mut().map(|it| &mut it.preamble))
        .chain(info.actions.iter_mut().map(|it| &mut it.preamble))
        .chain(info.counters.iter_mut().map(|it| &mut it.preamble))
        .chain(info.meters.iter_mut().map(|it| &mut it.preamble))
        .chain(info.action_profiles.iter_mut().map(|it| &mut it.preamble));
    for preamble in preambles.flatten() {
        preamble.name = format!("pipe.{}", preamble.name);
    }
    config
}

async fn running(server: TofinoServer) -> (Bench, Front, Controller) {
    let (bench, front) = start(server).await;
    let mut controller = bench.primary().await;
    let config = config(&bench, server);
    controller.set_pipeline(Action::VerifyAndCommit, Some(config)).await.expect("the pipeline is valid");
    (bench, front, controller)
}

/// Why an insertion fails.
async fn refusal(controller: &mut Controller, kind: Kind) -> (Code, String) {
    let status = controller.write(Type::Insert, vec![kind]).await.expect_err("it is forbidden");
    let status = rpc::Status::decode(status.details()).expect("details are a status");
    let error = Error::decode(status.details[0].value.as_slice()).expect("an error");
    (Code::from(error.canonical_code), error.message)
}

fn table_of<'a>(config: &'a mut ForwardingPipelineConfig, name: &str) -> &'a mut config::Table {
    let tables = &mut config.p4info.as_mut().expect("it has one").tables;
    let named = |table: &&mut config::Table| table.preamble.as_ref().is_some_and(|it| it.name.ends_with(name));
    tables.iter_mut().find(named).expect("the program has it")
}

#[tokio::test]
async fn a_pipeline_is_run_by_its_model_and_shown_as_it_was_pushed() {
    for server in [TofinoServer::Sde, TofinoServer::Stratum] {
        let (bench, _front, mut controller) = running(server).await;
        controller.insert(Kind::TableEntry(bench.entry("host", 1, "host_forward", &[&[2]]))).await;
        bench.host(1).send(frame(1, 9, 1)).expect("the link is up");
        assert_eq!(soon(bench.host(2).recv()).await, Some(frame(1, 9, 1)), "{server:?}");
        let request = GetForwardingPipelineConfigRequest { device_id: 1, ..Default::default() };
        let answer = controller.client.get_forwarding_pipeline_config(request).await.expect("there is one");
        assert_eq!(answer.into_inner().config, Some(config(&bench, server)));
    }
}

#[tokio::test]
async fn what_no_tofino_takes_is_refused() {
    let (bench, _front) = start(TofinoServer::Sde).await;
    let mut controller = bench.primary().await;
    let sde = program().to_sde();
    let overlong = [sde.as_slice(), b"more"].concat();
    for (blob, expected) in [
        (JSON, "it is JSON, as for BMv2, where a Tofino takes the program's name, tofino.bin and context.json"),
        (b"".as_slice(), "it ends in the length of the name: 4 bytes are wanted, 0 are left"),
        (&sde[..20], "it ends in the tofino.bin: 23 bytes are wanted, 7 are left"),
        (&overlong, "4 bytes follow the context.json, which is the last part"),
        (b"\x65\0\0\0", "the program's name has 101 bytes; it has 1 to 100"),
        (b"\x01\0\0\0k\0\0\0\0\x02\0\0\0{}", "the tofino.bin is empty"),
        (b"\x01\0\0\0k\x01\0\0\0b\x01\0\0\0c", "the context.json is not JSON: expected value at line 1 column 1"),
    ] {
        let config = ForwardingPipelineConfig { p4_device_config: blob.to_vec().into(), ..bench.config() };
        let refused = controller.set_pipeline(Action::VerifyAndCommit, Some(config)).await.expect_err(expected);
        assert_eq!(told(&refused), (Code::InvalidArgument, &*format!("the device config is not usable: {expected}")));
    }
    let stratum =
        ForwardingPipelineConfig { p4_device_config: device_config(TofinoServer::Stratum).into(), ..bench.config() };
    let refused = controller.set_pipeline(Action::Verify, Some(stratum)).await.expect_err("it is another server's");
    assert!(refused.message().contains("the program's name has"), "{refused}");
    let none = GetForwardingPipelineConfigRequest { device_id: 1, ..Default::default() };
    let none = controller.client.get_forwarding_pipeline_config(none).await.expect_err("nothing was taken");
    assert_eq!(none.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_p4info_of_another_program_is_refused() {
    let (bench, _front) = start(TofinoServer::Sde).await;
    let mut controller = bench.primary().await;
    let mut other = config(&bench, TofinoServer::Sde);
    table_of(&mut other, "host").match_fields[0].bitwidth = 47;
    let refused = controller.set_pipeline(Action::Verify, Some(other)).await.expect_err("the widths differ");
    assert_eq!(
        refused.message(),
        "P4Info and device config do not belong together: table Forward.host, field hdr.ethernet.dst: 47 bits in \
         the P4Info and 48 in the program (hdr.ethernet.dst)"
    );
}

#[tokio::test]
async fn what_the_p4info_forbids_is_refused() {
    let (bench, _front) = start(TofinoServer::Sde).await;
    let mut controller = bench.primary().await;
    let mut config = config(&bench, TofinoServer::Sde);
    table_of(&mut config, "host").size = 2;
    table_of(&mut config, "nexthop").is_const_table = true;
    controller.set_pipeline(Action::VerifyAndCommit, Some(config)).await.expect("a smaller table is fine");
    let entry = |dst| Kind::TableEntry(bench.entry("host", dst, "host_forward", &[&[2]]));
    let wide = Kind::TableEntry(bench.entry("host", 1, "host_forward", &[&[2, 0]]));
    assert_eq!(refusal(&mut controller, wide).await.0, Code::InvalidArgument);
    let unknown = TableEntry { table_id: 0x0200_0001, ..Default::default() };
    assert_eq!(refusal(&mut controller, Kind::TableEntry(unknown)).await.0, Code::NotFound);
    let constant = bench.entry("nexthop", 1, "host_forward", &[&[2]]);
    assert_eq!(refusal(&mut controller, Kind::TableEntry(constant)).await.0, Code::PermissionDenied);
    controller.write(Type::Insert, vec![entry(1), entry(2)]).await.expect("there is room for two");
    let full = "table Forward.host: the table is full: 2 entries";
    assert_eq!(refusal(&mut controller, entry(3)).await, (Code::ResourceExhausted, full.into()));
    let exists = "table Forward.host: the entry exists already";
    assert_eq!(refusal(&mut controller, entry(2)).await, (Code::AlreadyExists, exists.into()));
}

#[tokio::test]
async fn stratum_has_its_limits() {
    let (bench, _front, mut controller) = running(TofinoServer::Stratum).await;
    let config = config(&bench, TofinoServer::Stratum);
    let refused = controller.set_pipeline(Action::ReconcileAndCommit, Some(config)).await.expect_err("it cannot");
    assert_eq!(told(&refused), (Code::Unimplemented, "RECONCILE_AND_COMMIT action not supported yet"));

    // Idle timeouts are taken without a word, and forgotten.
    let entry = TableEntry { idle_timeout_ns: 1_000_000, ..bench.entry("host", 1, "host_forward", &[&[2]]) };
    controller.insert(Kind::TableEntry(entry.clone())).await;
    let wanted = Kind::TableEntry(TableEntry { table_id: entry.table_id, ..Default::default() });
    let found = controller.read(vec![wanted]).await.expect("a read");
    assert_eq!(found, [Kind::TableEntry(TableEntry { idle_timeout_ns: 0, ..entry })]);

    for kind in [
        Kind::MeterEntry(MeterEntry::default()),
        Kind::CounterEntry(CounterEntry::default()),
        Kind::DirectCounterEntry(DirectCounterEntry::default()),
        Kind::ValueSetEntry(ValueSetEntry::default()),
    ] {
        controller.read(vec![kind]).await.expect_err("no such wildcard");
    }
}

#[tokio::test]
async fn replicas_have_numbers() {
    let to = |port, instance| Replica { port, instance };
    for (server, session_instance) in [(TofinoServer::Sde, 1), (TofinoServer::Stratum, 0)] {
        let (_bench, _front, mut controller) = running(server).await;
        let group = multicast_group(1, [to(2, 7)]).entity.expect("it is one");
        let session = clone_session(1, [to(CPU_PORT, session_instance)], None).entity.expect("it is one");
        let refused = controller.write(Type::Insert, vec![group.clone()]).await;
        refused.expect_err("a byte string is not read");
        let [group, session] = [group, session].map(with_numbers);
        controller.write(Type::Insert, vec![group.clone(), session]).await.expect("numbers are");
        let all = Replication::MulticastGroupEntry(MulticastGroupEntry::default());
        let all = Kind::PacketReplicationEngineEntry(PacketReplicationEngineEntry { r#type: Some(all) });
        assert_eq!(controller.read(vec![all]).await.expect("a read"), [group]);
    }
    let (_bench, _front, mut controller) = running(TofinoServer::Stratum).await;
    for (id, replicas) in
        [(1, vec![to(1, 1)]), (1, vec![to(1, 0), to(2, 0)]), (1, vec![to(0, 0)]), (1016, vec![to(1, 0)])]
    {
        let session = with_numbers(clone_session(id, replicas, None).entity.expect("it is one"));
        controller.write(Type::Insert, vec![session]).await.expect_err("Stratum takes one replica without instance");
    }
}

fn with_numbers(mut kind: Kind) -> Kind {
    let Kind::PacketReplicationEngineEntry(entry) = &mut kind else { panic!("{kind:?}") };
    let replicas = match entry.r#type.as_mut().expect("it has one") {
        Replication::MulticastGroupEntry(group) => &mut group.replicas,
        Replication::CloneSessionEntry(session) => &mut session.replicas,
    };
    for replica in replicas {
        let port = vouch_p4runtime::client::Replica::from_wire(replica).expect("it has a port").port;
        #[allow(deprecated)]
        let number = PortKind::EgressPort(port);
        replica.port_kind = Some(number);
    }
    kind
}
