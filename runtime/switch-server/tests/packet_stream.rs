//! Ports as a gRPC service.

mod common;

use common::{Bench, Controller, P4INFO, frame, soon};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};
use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::bm::dataplane_interface_client::DataplaneInterfaceClient;
use vouch_p4runtime::p4::bm::*;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_switch_server::{LinkConfig, PortStatus, SwitchServer, link};

type Ports = DataplaneInterfaceClient<Channel>;

/// A switch that forwards what is for host 1 out of port 2 and what is for host 2 out of port 3, and its ports.
async fn forwarding() -> (Bench, Controller, Ports) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("it listens"));
    let switch = SwitchServer::builder().packet_stream(listener).build().expect("no port is plugged in");
    let switch = switch.listen("127.0.0.1:0").await.expect("a free port");
    let (control, info) = (switch.local_addr(), P4Info::from_text(P4INFO).expect("p4c wrote it"));
    let bench = Bench { switch, address: control, hosts: Vec::new(), info };
    let mut controller = bench.primary().await;
    controller.set_pipeline(Action::VerifyAndCommit, Some(bench.config())).await.expect("the pipeline is valid");
    for host in 1..=2 {
        controller.insert(Kind::TableEntry(bench.entry("host", host, "host_forward", &[&[host + 1]]))).await;
    }
    let ports = Ports::connect(address).await.expect("it listens");
    (bench, controller, ports)
}

fn request(id: u64, port: u32, packet: Vec<u8>) -> PacketStreamRequest {
    PacketStreamRequest { id, device_id: 1, port, packet }
}

/// Everything that comes of some frames.
async fn carried(ports: &mut Ports, frames: Vec<PacketStreamRequest>) -> Result<Vec<PacketStreamResponse>, Status> {
    let mut stream = ports.packet_stream(tokio_stream::iter(frames)).await?.into_inner();
    let mut found = Vec::new();
    while let Some(response) = soon(stream.message()).await? {
        found.push(response);
    }
    Ok(found)
}

#[tokio::test]
async fn frames_of_all_ports_stay_in_order_and_the_stream_ends_behind_the_last() {
    let (bench, _controller, mut ports) = forwarding().await;
    let frames: Vec<_> = (0..200u8).map(|number| frame(1 + number % 2, number, 1)).collect();
    let sent = frames.iter().zip(1..).map(|(frame, id)| request(id, 1 + id as u32 % 300, frame.clone()));
    let found = carried(&mut ports, sent.collect()).await.expect("it is carried");
    let expected = frames.into_iter().zip(1..).map(|(packet, id)| {
        let port = u32::from(packet[5]) + 1;
        PacketStreamResponse { id, device_id: 1, port, packet }
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
    let (status, counters) = bench.switch.port(2).expect("a port");
    assert_eq!((status, counters.sent, counters.received), (PortStatus::Up, 100, 1));
    assert_eq!(bench.switch.counters().received, 200);
}

#[tokio::test]
async fn one_client_has_the_ports_until_it_is_done() {
    let (_bench, _controller, mut ports) = forwarding().await;
    let (first, requests) = mpsc::channel(1);
    let mut stream = ports.packet_stream(ReceiverStream::new(requests)).await.expect("it is the first").into_inner();
    let refused = carried(&mut ports, Vec::new()).await.expect_err("a second client");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(refused.message(), "the ports have a client already, and can have one only");
    first.send(request(0, 1, frame(1, 9, 1))).await.expect("the stream is open");
    assert_eq!(soon(stream.message()).await.expect("no error").expect("a frame").port, 2);
    drop(first);
    assert_eq!(soon(stream.message()).await.expect("no error"), None);
    assert_eq!(carried(&mut ports, vec![request(0, 1, frame(2, 9, 1))]).await.expect("it is carried").len(), 1);
}

#[tokio::test]
async fn mistakes_end_the_stream_and_say_why() {
    let (_bench, _controller, mut ports) = forwarding().await;
    let other_device = PacketStreamRequest { device_id: 2, ..request(0, 1, frame(1, 9, 1)) };
    for (wrong, why) in [
        (other_device, "there is no device 2, only device 1"),
        (request(0, 512, frame(1, 9, 1)), "no frame can come into port 512"),
        (request(0, 510, frame(1, 9, 1)), "no frame can come into port 510"),
        (request(0, 1, vec![0; 65_536]), "a frame is longer than 65535 bytes"),
    ] {
        let refused = carried(&mut ports, vec![wrong]).await.expect_err("a mistake");
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, why));
    }
}

#[tokio::test]
async fn ports_go_down_and_come_up() {
    let (bench, _controller, mut ports) = forwarding().await;
    let status = || bench.switch.port(2).expect("a port").0;
    for (word, expected) in
        [(PortOperStatus::OperStatusDown, PortStatus::Down), (PortOperStatus::OperStatusUp, PortStatus::Up)]
    {
        let request = SetPortOperStatusRequest { device_id: 1, port: 2, oper_status: word.into() };
        ports.set_port_oper_status(request).await.expect("a port");
        assert_eq!(status(), expected);
    }
    let unknown = SetPortOperStatusRequest { device_id: 1, port: 2, oper_status: 0 };
    let refused = ports.set_port_oper_status(unknown).await.expect_err("no status");
    assert_eq!(refused.message(), "a port can be up or down, and nothing else");
}

#[tokio::test]
async fn ports_are_plugged_in_or_served() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (_host, port) = link(LinkConfig::default());
    let refused = SwitchServer::builder().port(1, port).packet_stream(listener).build().err().expect("both");
    assert_eq!(
        refused.to_string(),
        "1 ports are plugged in, but all ports are served over gRPC: choose one or the other"
    );
}
