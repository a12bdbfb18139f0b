//! The switch and the controller session of this repository, which were written apart, understand each other.

use std::sync::Arc;

use crate::common::{Bench, JSON, P4INFO, frame, soon};
use vouch_p4runtime::client::{self, Event, Pipeline, PortEvent, PushOutcome, Session, SessionConfig};
use vouch_p4runtime::p4::v1::{PacketMetadata, TableEntry};
use vouch_p4runtime::{EventReceiver, P4Info};

async fn connect(bench: &Bench, election_id: u128) -> (Session, EventReceiver) {
    let config = SessionConfig::new(bench.switch.local_addr().to_string(), 1, election_id);
    Session::connect(config).expect("the configuration is valid")
}

fn pipeline() -> Pipeline {
    Pipeline::new(Arc::new(P4Info::from_text(P4INFO).expect("p4c wrote it")), JSON)
}

/// The next event that the test asks for; others are skipped.
async fn next<T>(events: &mut EventReceiver, wanted: impl Fn(Event) -> Option<T>) -> T {
    soon(async {
        loop {
            if let Some(found) = wanted(events.recv().await.expect("the session goes on")) {
                return found;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_session_pushes_writes_reads_and_hears() {
    let bench = Bench::start().await;
    let (session, mut events) = connect(&bench, 7).await;
    soon(session.until_primary()).await;
    assert_eq!(session.push_pipeline(&pipeline()).await.expect("it is valid"), PushOutcome::Pushed);
    assert_eq!(session.push_pipeline(&pipeline()).await.expect("it is valid"), PushOutcome::Kept);

    let entry = bench.entry("host", 1, "host_forward", &[&[2]]);
    session.write(vec![client::insert(entry.clone())]).await.expect("the entry is valid");
    assert_eq!(session.read_table(entry.table_id).await.expect("a read"), std::slice::from_ref(&entry));
    let refused = session.write(vec![client::insert(entry.clone())]).await.expect_err("it exists");
    assert_eq!(refused.failed().len(), 1);

    bench.host(1).send(frame(1, 9, 1)).expect("the link is up");
    assert_eq!(soon(bench.host(2).recv()).await, Some(frame(1, 9, 1)));
    let metadata = vec![PacketMetadata { metadata_id: 1, value: vec![3] }];
    session.packet_out(frame(1, 2, 0), metadata).await.expect("the session is up");
    assert_eq!(soon(bench.host(3).recv()).await, Some(frame(1, 2, 0)));

    let punt: TableEntry = bench.default_entry("host", "punt", &[&[5]]);
    session.write(vec![client::modify(punt)]).await.expect("the default can change");
    bench.host(1).send(frame(9, 9, 1)).expect("the link is up");
    let packet = next(&mut events, |event| match event {
        Event::PacketIn(packet) => Some(packet),
        _ => None,
    });
    let packet = packet.await;
    let header = bench.info.packet_in().expect("the program has it");
    assert_eq!(header.get(&packet.metadata, "reason").expect("it is there"), 5);
    assert_eq!(packet.payload, frame(9, 9, 1));
}

#[tokio::test]
async fn a_session_watches_ports_and_the_election() {
    let bench = Bench::start().await;
    let (session, mut events) = connect(&bench, 7).await;
    soon(session.until_primary()).await;
    let mut ports = session.subscribe_ports().await.expect("the switch has gNMI");
    let mut next_port = async || soon(ports.next()).await.expect("the subscription goes on").expect("no error");
    let state = |port: &str, up| PortEvent::State { port: port.into(), up };
    for port in ["1", "2", "3"] {
        assert_eq!(next_port().await, state(port, true));
    }
    assert_eq!(next_port().await, PortEvent::Synced);
    bench.host(2).set_up(false);
    assert_eq!(next_port().await, state("2", false));

    let (other, _others) = connect(&bench, 8).await;
    soon(other.until_primary()).await;
    let primary = next(&mut events, |event| match event {
        Event::Backup { primary } => Some(primary),
        _ => None,
    });
    assert_eq!(primary.await, Some(8));
}
