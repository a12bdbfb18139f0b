//! What a switch can be started with: a program without a P4Info, no CPU port, a listener.

use std::sync::{Arc, Mutex};

use crate::common::{Bench, JSON, frame, soon, until};
use tonic::Code;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::stream_message_request::Update as Outgoing;
use vouch_p4runtime::p4::v1::stream_message_response::Update as Incoming;
use vouch_p4runtime::p4::v1::{GetForwardingPipelineConfigRequest, PacketOut, TableEntry};
use vouch_switch_server::SwitchServer;

/// Sends what comes in by port 1 out of port 2, whatever its tables say.
const PATCH: &[u8] = include_bytes!("../../../p4-switch/tests/programs/patch.json");
const NO_PIPELINE: &str = "No forwarding pipeline config set for this device";

/// As in BMv2: packets run through the program, and the protocol has none until one is pushed.
#[tokio::test]
async fn a_program_without_a_p4info_forwards_and_is_no_pipeline() {
    let bench = Bench::start_as(SwitchServer::builder().program(PATCH)).await;
    bench.host(1).send(frame(1, 2, 0)).expect("the link is up");
    assert_eq!(soon(bench.host(2).recv()).await, Some(frame(1, 2, 0)));

    let mut controller = bench.primary().await;
    let everything = Kind::TableEntry(TableEntry::default());
    let refused = controller.read(vec![everything]).await.expect_err("there is no P4Info");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().starts_with(NO_PIPELINE), "{refused}");
    let request = GetForwardingPipelineConfigRequest { device_id: 1, ..Default::default() };
    let shown = soon(controller.client.get_forwarding_pipeline_config(request)).await.expect("that is no error");
    assert_eq!(shown.into_inner().config, None);

    // There is nothing to reconcile with.
    let set = controller.set_pipeline(Action::ReconcileAndCommit, Some(bench.config())).await;
    set.expect("the first pipeline replaces the program");
    bench.host(1).send(frame(1, 2, 0)).expect("the link is up");
    // Without entries it leaves by port 0.
    until(|| bench.switch.counters().dropped_unplugged == 1).await;
}

#[tokio::test]
async fn a_program_that_does_not_load_is_refused() {
    let refused = SwitchServer::builder().program(*b"{").build().err().expect("it is no program");
    assert!(refused.to_string().starts_with("the program to start with is not usable: "), "{refused}");
}

#[tokio::test]
async fn without_a_cpu_port_no_packet_goes_out() {
    let bench = Bench::start_as(SwitchServer::builder().without_cpu_port()).await;
    let mut controller = bench.primary().await;
    let set = controller.set_pipeline(Action::VerifyAndCommit, Some(bench.config())).await;
    set.expect("the pipeline is valid");
    controller.say(Outgoing::Packet(PacketOut { payload: frame(1, 2, 0).into(), metadata: Vec::new() })).await;
    let Ok(Incoming::Error(error)) = controller.hear().await else { panic!("a stream error") };
    assert_eq!(error.canonical_code, Code::FailedPrecondition as i32);
    assert_eq!(error.message, "this switch was started without a CPU port, so packets cannot be sent through it");
}

#[tokio::test]
async fn a_listener_hears_of_every_packet() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = heard.clone();
    let listener = move |trace: &vouch_switch::PacketTrace<'_>| {
        told.lock().expect("nobody panicked").push((trace.number, trace.port, trace.events.len() > 1));
    };
    let bench = Bench::start_as(SwitchServer::builder().program(JSON).tracer(listener)).await;
    for number in 0..2 {
        bench.host(3).send(frame(number, 2, 0)).expect("the link is up");
    }
    // Without entries they leave by port 0.
    until(|| bench.switch.counters().dropped_unplugged == 2).await;
    assert_eq!(*heard.lock().expect("nobody panicked"), [(1, 3, true), (2, 3, true)]);
}
