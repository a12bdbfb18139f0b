//! Forwarding by threads of its own: whatever requests do meanwhile, and whatever goes wrong with a frame.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::watch;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_p4runtime::p4::v1::write_request::Atomicity;
use vouch_p4runtime::p4::v1::{
    Entity, ReadRequest, SetForwardingPipelineConfigRequest, TableEntry, Update, WriteRequest,
};
use vouch_switch::{PacketTrace, QueueChoice};
use vouch_switch_server::port::{Ready, Receive};
use vouch_switch_server::{
    Builder, Endpoint, Frame, Frames, LinkConfig, Port, PortCounters, PortStatus, SendError, SwitchServer, link,
};

use crate::common::{Bench, Controller, frame, soon, until};

/// Sends what comes in by port 1 out of port 2, whatever its tables say.
const PATCH: &[u8] = include_bytes!("../../../p4-switch/tests/programs/patch.json");
/// What its first byte asks for; 9 recirculates a few times. Everything leaves by port 1.
const EXTERNS: &[u8] = include_bytes!("../../../switch/tests/programs/externs.json");
/// Makes a test that hangs one that fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// The source of a frame that something goes wrong with.
const BAD: u8 = 66;

/// The next frame, without giving way to any other task of this runtime.
fn at_once(host: &Endpoint) -> Frame {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(frame) = host.try_recv() {
            return frame;
        }
        assert!(Instant::now() < end, "the frame waits for something");
        std::thread::yield_now();
    }
}

/// The sources of the next frames.
async fn sources<const N: usize>(host: &Endpoint) -> [u8; N] {
    let mut sources = [0; N];
    for source in &mut sources {
        *source = soon(host.recv()).await.expect("the link is there")[11];
    }
    sources
}

/// The test program, with a host behind port 2 that frames reach, and a primary.
async fn running(builder: Builder) -> (Bench, Controller) {
    let bench = Bench::start_as(builder).await;
    let mut controller = bench.primary().await;
    controller.set_pipeline(Action::VerifyAndCommit, Some(bench.config())).await.expect("the pipeline is valid");
    controller.insert(Kind::TableEntry(bench.entry("host", 1, "host_forward", &[&[2]]))).await;
    (bench, controller)
}

#[tokio::test]
async fn frames_pass_while_the_runtime_of_requests_stands_still() {
    let bench = Bench::start_as(SwitchServer::builder().program(PATCH).forwarding_threads(2)).await;
    // This is the only thread of the runtime, and it awaits nothing until the end.
    for number in 0..100 {
        bench.host(1).send(frame(1, number, 0)).expect("the link is up");
        assert_eq!(at_once(bench.host(2)), frame(1, number, 0));
    }
    let slow = bench.switch.control().limit_queues(QueueChoice::All, |limits| limits.rate = 1000);
    slow.expect("there are always all");
    (0..10).for_each(|number| bench.host(1).send(frame(1, number, 0)).expect("the link is up"));
    for number in 0..10 {
        assert_eq!(at_once(bench.host(2)), frame(1, number, 0), "out of a queue");
    }
    soon(bench.switch.shutdown()).await;
}

/// A program is pushed, everything is read and a batch is written while somebody changes the tables and has not finished: all
/// of them wait for that, the server's thread with them, and frames do not.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn frames_pass_while_requests_wait_for_each_other() {
    let (bench, controller) = running(SwitchServer::builder().forwarding_threads(2)).await;
    let (election_id, config) = (controller.election_id, Some(bench.config()));
    let push = SetForwardingPipelineConfigRequest {
        device_id: 1,
        election_id,
        action: Action::VerifyAndCommit as i32,
        config,
        ..Default::default()
    };
    let everything = Entity { entity: Some(Kind::TableEntry(TableEntry::default())) };
    let read = ReadRequest { device_id: 1, entities: vec![everything], ..Default::default() };
    let entry = |dst: u8| Entity { entity: Some(Kind::TableEntry(bench.entry("route", dst, "forward", &[&[3]]))) };
    let update = |dst| Update { r#type: Type::Insert as i32, entity: Some(entry(dst)) };
    let write =
        WriteRequest { device_id: 1, election_id, updates: (0..60).map(update).collect(), ..Default::default() };
    let ask = || {
        let (mut pushing, mut reading, mut writing) =
            (controller.client.clone(), controller.client.clone(), controller.client.clone());
        [
            tokio::spawn(async move { pushing.set_forwarding_pipeline_config(push).await.map(drop) }),
            tokio::spawn(async move { reading.read(read).await.map(drop) }),
            // What it is told does not matter here.
            tokio::spawn(async move {
                let _ = writing.write(write).await;
                Ok(())
            }),
        ]
    };
    let mut requests = None;
    let done = bench.switch.control().with(|running| {
        let switch = running.switch().clone();
        let table = switch.program().table("Forward.host").expect("the program has it");
        let entries = switch.entries(table).expect("the program has it");
        // Not before: the program that is pushed comes without entries.
        requests = Some(ask());
        switch.together(|| {
            entries.iter().for_each(|view| switch.delete_entry(table, &view.entry.key).expect("it is there"));
            // Packets see the tables as they were before.
            for number in 0..100 {
                bench.host(1).send(frame(1, number, 1)).expect("the link is up");
                assert_eq!(at_once(bench.host(2)), frame(1, number, 1));
            }
        });
    });
    done.expect("there is a program");
    for request in requests.into_iter().flatten() {
        soon(request).await.expect("no panic").expect("the request is valid");
    }
}

/// A batch that sets no cells takes effect at once without keeping packets out (`entity::batch`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_atomic_batch_of_entries_does_not_wait_for_a_frame_that_is_under_way() {
    let (entered, go) = (watch::Sender::new(false), mpsc::channel());
    let (go, may_go) = (go.0, Mutex::new(go.1));
    let mut under_way = entered.subscribe();
    let listener = move |_: &PacketTrace<'_>| {
        entered.send_replace(true);
        // If the other side is gone, the test is over.
        let _ = may_go.lock().expect("nobody panicked").recv();
    };
    let (bench, mut controller) = running(SwitchServer::builder().forwarding_threads(1).tracer(listener)).await;
    bench.host(1).send(frame(1, 7, 1)).expect("the link is up");
    soon(under_way.wait_for(|entered| *entered)).await.expect("the listener is there");

    let entry = Entity { entity: Some(Kind::TableEntry(bench.entry("host", 2, "host_forward", &[&[3]]))) };
    let request = WriteRequest {
        device_id: 1,
        election_id: controller.election_id,
        updates: vec![Update { r#type: Type::Insert as i32, entity: Some(entry) }],
        atomicity: Atomicity::DataplaneAtomic as i32,
        ..Default::default()
    };
    soon(controller.client.write(request)).await.expect("the batch is valid");
    controller.set_pipeline(Action::VerifyAndCommit, Some(bench.config())).await.expect("the pipeline is valid");
    assert_eq!(bench.host(2).try_recv(), None, "it is still under way");
    go.send(()).expect("the listener is there");
    assert_eq!(soon(bench.host(2).recv()).await, Some(frame(1, 7, 1)));
}

#[tokio::test]
async fn a_panic_costs_the_frame_that_it_is_about() {
    let (go, may_go) = mpsc::channel();
    let may_go = Mutex::new(may_go);
    let listener = move |trace: &PacketTrace<'_>| match trace.frame[11] {
        1 => may_go.lock().expect("nobody panicked").recv().expect("the test goes on"),
        BAD => panic!("the listener does not like it"),
        _ => {}
    };
    let fails = std::sync::Arc::new(AtomicBool::new(false));
    let failing = fails.clone();
    let wanted = move || {
        assert!(!failing.swap(false, Ordering::SeqCst), "this batch begins with a failure");
        true
    };
    let builder = SwitchServer::builder().program(PATCH).forwarding_threads(1).tracer_while(wanted, listener);
    let bench = Bench::start_as(builder).await;
    // The others come as one batch, as they are there when the first has gone.
    let sent = [1, 2, BAD, 3, BAD, 4];
    sent.iter().for_each(|source| bench.host(1).send(frame(1, *source, 0)).expect("the link is up"));
    go.send(()).expect("the listener waits");
    // When it is told of a frame, the frame has been through the engine.
    assert_eq!(sources(bench.host(2)).await, sent);
    let counters = bench.switch.counters();
    assert_eq!((counters.received, counters.dropped_by_panic, counters.ports_restarted), (6, 2, 0));

    fails.store(true, Ordering::SeqCst);
    bench.host(1).send(frame(1, 5, 0)).expect("the link is up");
    until(|| bench.switch.counters().dropped_by_panic == 3).await;
    bench.host(1).send(frame(1, 6, 0)).expect("the link is up");
    assert_eq!(sources(bench.host(2)).await, [6]);
}

#[tokio::test]
async fn a_panic_about_a_packet_that_has_waited_costs_no_other() {
    let listener = |trace: &PacketTrace<'_>| {
        assert!(trace.frame[11] != BAD || !trace.to_string().contains(", goes on\n"), "the listener does not like it");
    };
    let builder = SwitchServer::builder().program(PATCH).forwarding_threads(1).tracer(listener);
    let bench = Bench::start_as(builder).await;
    let slow = bench.switch.control().limit_queues(QueueChoice::All, |limits| limits.rate = 1000);
    slow.expect("there are always all");
    let sent = [1, BAD, 2, 3];
    sent.iter().for_each(|source| bench.host(1).send(frame(1, *source, 0)).expect("the link is up"));
    assert_eq!(sources(bench.host(2)).await, sent);
    let counters = bench.switch.counters();
    assert_eq!((counters.dropped_by_panic, counters.ports_restarted), (1, 0));
}

/// A port that fails with some frames.
struct Brittle(Endpoint);

impl Port for Brittle {
    fn receive<'a>(&'a self, batch: &'a mut Frames, max: usize) -> Receive<'a> {
        self.0.receive(batch, max)
    }

    fn send(&self, frame: &[u8]) -> Result<(), SendError> {
        assert_ne!(frame[11], BAD, "the port does not like it");
        Port::send(&self.0, frame)
    }

    fn ready(&self) -> Ready<'_> {
        self.0.ready()
    }

    fn status(&self) -> watch::Receiver<PortStatus> {
        Port::status(&self.0)
    }

    fn counters(&self) -> PortCounters {
        Port::counters(&self.0)
    }
}

#[tokio::test]
async fn a_port_that_fails_goes_on() {
    let ((inside, port), (outside, brittle)) = (link(LinkConfig::default()), link(LinkConfig::default()));
    let builder = SwitchServer::builder().program(PATCH).forwarding_threads(2);
    let switch = builder.port(1, port).port(2, Brittle(brittle)).build().expect("the ports differ");
    let switch = switch.listen("127.0.0.1:0").await.expect("a free port");
    for round in 1..=3 {
        inside.send(frame(1, BAD, 0)).expect("the link is up");
        until(|| switch.counters().ports_restarted == u64::from(round)).await;
        inside.send(frame(1, round, 0)).expect("the link is up");
        assert_eq!(sources(&outside).await, [round]);
    }
    assert_eq!(switch.counters().dropped_by_panic, 0, "it is the port's own failure");
}

#[tokio::test]
async fn a_frame_that_would_never_end_is_dropped_and_the_next_one_passes() {
    let mut program: serde_json::Value = serde_json::from_slice(EXTERNS).expect("p4c wrote it");
    let conditions = program["pipelines"][1]["conditionals"].as_array_mut().expect("egress has conditions");
    let text = "hdr.op.op == 9 && hdr.op.value < 3";
    let few = conditions.iter_mut().find(|one| one["source_info"]["source_fragment"] == text).expect("it is there");
    few["expression"]["value"]["right"]["value"]["right"]["value"] = json!("0xffff");
    let builder = SwitchServer::builder().program(program.to_string()).forwarding_threads(1);
    let bench = Bench::start_as(builder).await;
    bench.host(1).send(vec![9, 0, 0, 0]).expect("the link is up");
    bench.host(1).send(vec![0, 0, 0, 0]).expect("the link is up");
    assert_eq!(soon(bench.host(1).recv()).await, Some(vec![0, 0, 0, 0]));
    let counters = bench.switch.counters();
    assert_eq!((counters.dropped_at_limit, counters.dropped_in_pipeline), (1, 1));
}
