//! Connection, arbitration and events, against a fake switch.

use crate::fake::{FakeSwitch, election_id, next, soon};
use tonic::{Code, Status};
use vouch_p4runtime::{
    Event, Session, SessionConfig,
    client::{CrowdLimits, DisconnectReason, PacketClass, PacketSorter, Reader, RpcError, Standing},
    p4::v1::{
        DigestList, Entity, IdleTimeoutNotification, PacketIn, PacketMetadata, ReadResponse, StreamError, TableEntry,
        stream_message_request::Update as Sent, stream_message_response::Update as Message,
    },
};

const MINE: u128 = 1 << 64 | 5;

#[tokio::test]
async fn it_asks_to_be_primary_and_says_so() {
    let mut switch = FakeSwitch::start().await;
    let config = SessionConfig { role: Some("vtep".into()), ..switch.config() };
    let (session, mut events) = Session::connect(config).unwrap();
    let mut controller = switch.controller().await;
    let asked = controller.arbitration().await;
    assert_eq!((asked.device_id, asked.election_id), (7, election_id(MINE)));
    assert_eq!(asked.role.unwrap().name, "vtep");

    assert_eq!(next(&mut events).await, Event::Connected { api_version: Some("1.5.0".into()) });
    assert_eq!(session.standing(), Standing::Undecided);
    controller.arbitrate(Code::Ok, election_id(MINE)).await;
    assert_eq!(next(&mut events).await, Event::Primary { election_id: MINE });
    assert_eq!(session.standing(), Standing::Primary);
    soon(session.until_primary()).await;
}

#[tokio::test]
async fn losing_and_regaining_the_primary_role_are_events() {
    let mut switch = FakeSwitch::start().await;
    let (session, mut events, mut controller) = switch.primary(switch.config()).await;

    controller.arbitrate(Code::AlreadyExists, election_id(MINE + 1)).await;
    assert_eq!(next(&mut events).await, Event::Backup { primary: Some(MINE + 1) });
    assert_eq!(session.standing(), Standing::Backup { primary: Some(MINE + 1) });

    // The other one leaves, and the specification's switch waits for a new claim...
    controller.arbitrate(Code::NotFound, election_id(MINE + 1)).await;
    assert_eq!(next(&mut events).await, Event::Backup { primary: None });
    session.set_election_id(MINE + 2).await.unwrap();
    assert_eq!(controller.arbitration().await.election_id, election_id(MINE + 2));
    controller.arbitrate(Code::Ok, election_id(MINE + 2)).await;
    assert_eq!(next(&mut events).await, Event::Primary { election_id: MINE + 2 });

    // ... while BMv2 promotes a backup unasked.
    controller.arbitrate(Code::AlreadyExists, election_id(MINE + 9)).await;
    controller.arbitrate(Code::Ok, election_id(MINE + 2)).await;
    assert!(matches!(next(&mut events).await, Event::Backup { .. }));
    assert!(matches!(next(&mut events).await, Event::Primary { .. }));

    assert_eq!(session.highest_election_id(), MINE + 2);
    // The new id holds for writes and for the next connection.
    session.write(vec![]).await.unwrap();
    session.write(vec![vouch_p4runtime::client::insert(TableEntry::default())]).await.unwrap();
    assert_eq!(switch.script.lock().unwrap().writes[0].election_id, election_id(MINE + 2));
    controller.fail(Status::unavailable("going down")).await;
    assert_eq!(switch.controller().await.arbitration().await.election_id, election_id(MINE + 2));
}

#[tokio::test]
async fn where_nobody_is_primary_it_takes_over_for_this_connection() {
    let mut switch = FakeSwitch::start().await;
    let (session, mut events, mut controller) = switch.primary(switch.config()).await;
    controller.arbitrate(Code::NotFound, election_id(MINE + 7)).await;
    assert_eq!(next(&mut events).await, Event::Backup { primary: None });
    let refused = session.try_packet_out(&b"hello"[..], vec![]).unwrap_err();
    assert_eq!(refused, RpcError::NotConnected { rpc: "PacketOut" }, "only a primary may");

    session.take_over().unwrap();
    assert_eq!(controller.arbitration().await.election_id, election_id(MINE + 8));
    // A switch that will not have it is not asked again and again.
    controller.arbitrate(Code::NotFound, election_id(MINE + 7)).await;
    assert_eq!(next(&mut events).await, Event::Backup { primary: None });
    session.take_over().unwrap();
    controller.arbitrate(Code::Ok, election_id(MINE + 8)).await;
    assert_eq!(next(&mut events).await, Event::Primary { election_id: MINE + 8 });
    session.try_packet_out(&b"hello"[..], vec![]).unwrap();
    assert!(matches!(controller.receive().await, Sent::Packet(packet) if packet.payload == "hello"));

    controller.fail(Status::unavailable("going down")).await;
    assert_eq!(switch.controller().await.arbitration().await.election_id, election_id(MINE));
}

#[tokio::test]
async fn it_connects_again_after_the_stream_ends() {
    let mut switch = FakeSwitch::start().await;
    let (session, mut events, controller) = switch.primary(switch.config()).await;
    drop(controller);
    let reason = disconnected(next(&mut events).await);
    assert_eq!(reason, DisconnectReason::Closed);

    let mut controller = switch.controller().await;
    controller.arbitration().await;
    controller.arbitrate(Code::Ok, election_id(MINE)).await;
    assert!(matches!(next(&mut events).await, Event::Connected { .. }));
    assert!(matches!(next(&mut events).await, Event::Primary { .. }));
    session.packet_out(&b"hello"[..], vec![]).await.unwrap();
    assert!(matches!(controller.receive().await, Sent::Packet(packet) if packet.payload == "hello"));
}

#[tokio::test]
async fn it_survives_a_restart_of_the_switch() {
    let mut switch = FakeSwitch::start().await;
    let (session, mut events, controller) = switch.primary(switch.config()).await;
    switch.stop().await;
    drop(controller);
    disconnected(next(&mut events).await);
    // Attempts fail while nobody listens, and each one says why.
    let reason = loop {
        if let reason @ DisconnectReason::Unreachable(_) = disconnected(next(&mut events).await) {
            break reason;
        }
    };
    assert!(reason.to_string().contains("refused"), "{reason}");
    assert_eq!(session.standing(), Standing::Offline);
    assert_eq!(session.read(vec![]).await.unwrap_err(), RpcError::NotConnected { rpc: "Read" });

    switch.restart().await;
    let mut controller = switch.controller().await;
    controller.arbitration().await;
    controller.arbitrate(Code::Ok, election_id(MINE)).await;
    soon(session.until_primary()).await;
}

#[tokio::test]
async fn reasons_say_who_must_act() {
    let mut switch = FakeSwitch::start().await;
    let (_session, mut events) = Session::connect(switch.config()).unwrap();
    let cases = [
        (
            Status::invalid_argument("Election id already exists"),
            "the election id is in use: Election id already exists",
        ),
        (Status::not_found("no device 7"), "the server does not know the device: no device 7"),
        (Status::internal("oops"), "the stream failed"),
    ];
    for (status, expected) in cases {
        switch.controller().await.fail(status).await;
        assert!(matches!(next(&mut events).await, Event::Connected { .. }));
        let reason = disconnected(next(&mut events).await).to_string();
        assert!(reason.starts_with(expected), "{reason}");
    }
}

#[tokio::test]
async fn stream_messages_become_events() {
    let mut switch = FakeSwitch::start().await;
    let (session, mut events, mut controller) = switch.primary(switch.config()).await;
    let packet = PacketIn {
        payload: b"frame".to_vec().into(),
        metadata: vec![PacketMetadata { metadata_id: 1, value: vec![3] }],
    };
    let digest = DigestList { digest_id: 4, list_id: 9, ..DigestList::default() };
    let idle = IdleTimeoutNotification { table_entry: vec![TableEntry::default()], timestamp: 1 };
    let error = StreamError { message: "bad packet-out".into(), ..StreamError::default() };
    controller.send(Message::Packet(packet.clone())).await;
    controller.send(Message::Digest(digest.clone())).await;
    controller.send(Message::IdleTimeoutNotification(idle.clone())).await;
    controller.send(Message::Other(prost_types::Any::default())).await;
    controller.send(Message::Error(error.clone())).await;
    assert_eq!(next(&mut events).await, Event::PacketIn(packet));
    assert_eq!(next(&mut events).await, Event::Digest(digest.clone()));
    assert_eq!(next(&mut events).await, Event::IdleTimeout(idle));
    assert_eq!(next(&mut events).await, Event::StreamError(error));

    session.ack_digest(&digest).await.unwrap();
    assert!(matches!(controller.receive().await, Sent::DigestAck(ack) if (ack.digest_id, ack.list_id) == (4, 9)));
}

#[tokio::test]
async fn a_slow_consumer_loses_packets_only_and_they_are_counted() {
    const SENT: u64 = 1000;
    let mut switch = FakeSwitch::start().await;
    let config = SessionConfig { event_queue: 64, ..switch.config() };
    let (session, mut events, controller) = switch.primary(config).await;
    for _ in 0..SENT {
        controller.send(Message::Packet(PacketIn::default())).await;
    }
    controller.send(Message::Digest(DigestList::default())).await;
    controller.arbitrate(Code::AlreadyExists, election_id(MINE + 1)).await;
    // Nobody has taken an event so far: wait until the session has seen everything.
    soon(async {
        while session.standing() == Standing::Primary {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let dropped = session.dropped_packets();
    let mut received = 0;
    loop {
        match next(&mut events).await {
            Event::PacketIn(_) => received += 1,
            other => break assert!(matches!(other, Event::Digest(_)), "{other:?}"),
        }
    }
    assert_eq!(next(&mut events).await, Event::Backup { primary: Some(MINE + 1) });
    assert!(received > 0 && dropped > 0);
    assert_eq!(received + dropped, SENT);
}

#[tokio::test]
async fn a_crowd_neither_delays_nor_displaces_what_decides() {
    const SENT: u32 = 1000;
    let mut switch = FakeSwitch::start().await;
    let payload = |packet: &PacketIn| packet.payload.first().copied().unwrap_or_default();
    let config = SessionConfig {
        event_queue: 64,
        sort: Some(PacketSorter::new(move |packet| match payload(packet) {
            0 => PacketClass::Event,
            source => PacketClass::Crowd(source.into()),
        })),
        crowd: CrowdLimits { each: 100, ..CrowdLimits::default() },
        ..switch.config()
    };
    let (session, mut events, controller) = switch.primary(config).await;
    let packet = |first: u8| PacketIn { payload: vec![first].into(), ..PacketIn::default() };
    for _ in 0..SENT {
        controller.send(Message::Packet(packet(1))).await;
    }
    controller.send(Message::Packet(packet(2))).await;
    controller.send(Message::Packet(packet(0))).await;
    assert_eq!(next(&mut events).await, Event::PacketIn(packet(0)), "before all that was sent before");
    let crowd = events.crowd();
    assert_eq!((session.dropped_packets(), crowd.dropped(1), crowd.dropped(2)), (0, 900, 0));
    assert_eq!([crowd.next().await, crowd.next().await], [Some((1, packet(1))), Some((2, packet(2)))]);
}

#[tokio::test]
async fn the_session_ends_with_its_last_handle_or_its_receiver() {
    let mut switch = FakeSwitch::start().await;
    let (session, mut events, controller) = switch.primary(switch.config()).await;
    let other = session.clone();
    drop(session);
    assert_eq!(other.standing(), Standing::Primary);
    drop(other);
    assert_eq!(soon(events.recv()).await, None);
    controller.hung_up().await;

    let (_session, events, controller) = switch.primary(switch.config()).await;
    drop(events);
    controller.hung_up().await;
}

fn disconnected(event: Event) -> DisconnectReason {
    match event {
        Event::Disconnected { reason, .. } => reason,
        other => panic!("not a disconnection: {other:?}"),
    }
}

#[tokio::test]
async fn a_reader_reads_and_is_no_candidate() {
    let mut switch = FakeSwitch::start().await;
    let found: Entity = TableEntry { table_id: 5, ..TableEntry::default() }.into();
    switch.script.lock().unwrap().read_answer = vec![ReadResponse { entities: vec![found.clone()] }];
    let reader = Reader::connect(switch.config()).await.unwrap();
    assert_eq!(reader.read(vec![found.clone()]).await.unwrap().all().await.unwrap(), std::slice::from_ref(&found));
    assert_eq!(reader.running_pipeline().await.unwrap(), None);
    let asked = switch.script.lock().unwrap().reads[0].clone();
    assert_eq!((asked.device_id, asked.entities), (7, vec![found]));
    // The first stream that the switch sees is a session's.
    let (_session, _events) = Session::connect(switch.config()).unwrap();
    assert_eq!(switch.controller().await.arbitration().await.election_id, election_id(MINE));

    switch.stop().await;
    let error = Reader::connect(switch.config()).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot reach the switch at {}: ", switch.config().target)), "{error}");
}
