//! Packets, and what they make the switch tell its controller.

use crate::common::{Bench, Controller, frame, soon, until};
use tonic::Code;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::p4_data::Data;
use vouch_p4runtime::p4::v1::packet_replication_engine_entry::Type as Replication;
use vouch_p4runtime::p4::v1::stream_message_request::Update as Outgoing;
use vouch_p4runtime::p4::v1::stream_message_response::Update as Incoming;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_p4runtime::p4::v1::*;

fn metadata(values: &[(u32, &[u8])]) -> Vec<PacketMetadata> {
    values
        .iter()
        .map(|(metadata_id, value)| PacketMetadata { metadata_id: *metadata_id, value: value.to_vec() })
        .collect()
}

fn replica(port: &[u8], instance: u32) -> Replica {
    Replica { port_kind: Some(replica::PortKind::Port(port.to_vec())), instance, backup_replicas: Vec::new() }
}

fn replication(entry: Replication) -> Kind {
    Kind::PacketReplicationEngineEntry(PacketReplicationEngineEntry { r#type: Some(entry) })
}

/// Let frames that miss the host table go to the controller.
async fn punt_unknown(bench: &Bench, controller: &mut Controller) {
    let punt = Kind::TableEntry(bench.default_entry("host", "punt", &[&[0x12, 0x34]]));
    controller.write(Type::Modify, vec![punt]).await.expect("the default can change");
}

/// Section 12.2, DATAPLANE_ATOMIC: no packet sees the table between two updates of a batch. Here that would be without the
/// entry, and the frame would be dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn packets_see_an_atomic_batch_as_one_step() {
    let (bench, mut controller) = Bench::running().await;
    let entry = |port| Kind::TableEntry(bench.entry("host", 1, "host_forward", &[&[port]]));
    let update =
        |operation: Type, kind| Update { r#type: operation as i32, entity: Some(Entity { entity: Some(kind) }) };
    controller.insert(entry(2)).await;
    let sender = bench.host(1).clone();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let sending = tokio::spawn(async move {
        let mut sent = 0u64;
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            sent += u64::from(sender.send(frame(1, 9, 1)).is_ok());
            tokio::task::yield_now().await;
        }
        sent
    });
    // What is between the two takes a while, so that packets would be there to see it.
    let counter_id = bench.info.counter("by_port").expect("the program has it").id;
    let data = Some(CounterData::default());
    let between = update(Type::Modify, Kind::CounterEntry(CounterEntry { counter_id, index: None, data }));
    for round in 0..20u8 {
        let mut updates = vec![between.clone(); 2000];
        updates.insert(0, update(Type::Delete, entry(2)));
        updates.push(update(Type::Insert, entry(2 + round % 2)));
        let request = WriteRequest {
            device_id: 1,
            election_id: controller.election_id,
            updates,
            atomicity: write_request::Atomicity::DataplaneAtomic as i32,
            ..Default::default()
        };
        controller.client.write(request).await.expect("the entry is there");
        while bench.host(2).try_recv().is_some() || bench.host(3).try_recv().is_some() {}
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let sent = sending.await.expect("no panic");
    until(|| bench.switch.counters().received == sent).await;
    let counters = bench.switch.counters();
    assert!(sent > 200, "{sent} frames");
    assert_eq!(counters.dropped_in_pipeline, 0);
}

#[tokio::test]
async fn an_entry_forwards_and_counts() {
    let (bench, mut controller) = Bench::running().await;
    let entry = bench.entry("host", 1, "host_forward", &[&[2]]);
    controller.insert(Kind::TableEntry(entry.clone())).await;
    for _ in 0..3 {
        bench.host(1).send(frame(1, 9, 1)).expect("the link is up");
        assert_eq!(soon(bench.host(2).recv()).await, Some(frame(1, 9, 1)));
    }
    let wanted = TableEntry { counter_data: Some(CounterData::default()), action: None, ..entry };
    let read = controller.read(vec![Kind::TableEntry(wanted)]).await.expect("a read");
    let [Kind::TableEntry(entry)] = read.as_slice() else { panic!("one entry instead of {read:?}") };
    let bytes = 3 * frame(1, 9, 1).len() as i64;
    assert_eq!(entry.counter_data, Some(CounterData { packet_count: 3, byte_count: bytes }));
    assert_eq!(bench.switch.counters().received, 3);
}

#[tokio::test]
async fn a_meter_counts_by_colour() {
    let (bench, mut controller) = Bench::running().await;
    controller.insert(Kind::TableEntry(bench.entry("host", 2, "host_forward", &[&[2]]))).await;
    let meter_id = bench.info.meter("port_rate").expect("the program has it").id;
    let index = Some(Index { index: 1 });
    // Bursts and no rates: time refills nothing.
    let config = Some(MeterConfig { cir: 0, cburst: 1, pir: 0, pburst: 2, eburst: 0 });
    let cell = MeterEntry { meter_id, index, config, counter_data: None };
    controller.write(Type::Modify, vec![Kind::MeterEntry(cell)]).await.expect("the rates are in order");
    for _ in 0..5 {
        bench.host(1).send(frame(2, 1, 1)).expect("the switch takes it");
        soon(bench.host(2).recv()).await.expect("it arrives");
    }
    let wanted = MeterEntry { counter_data: Some(MeterCounterData::default()), ..cell };
    let length = frame(2, 1, 1).len() as i64;
    let data = |packet_count| Some(CounterData { packet_count, byte_count: packet_count * length });
    let colors = MeterCounterData { green: data(1), yellow: data(1), red: data(3) };
    let found = controller.read(vec![Kind::MeterEntry(wanted)]).await.expect("it is there");
    assert_eq!(found, [Kind::MeterEntry(MeterEntry { counter_data: Some(colors), ..cell })]);
    // Of the entry, which has no rates, everything is green.
    let wanted = DirectMeterEntry {
        table_entry: Some(TableEntry { action: None, ..bench.entry("host", 2, "host_forward", &[&[2]]) }),
        counter_data: Some(MeterCounterData::default()),
        ..Default::default()
    };
    let found = controller.read(vec![Kind::DirectMeterEntry(wanted)]).await.expect("it is there");
    let [Kind::DirectMeterEntry(found)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(found.counter_data.expect("it was asked for").green, data(5));
}

#[tokio::test]
async fn a_punted_frame_reaches_the_primary_with_its_metadata() {
    let (bench, mut controller) = Bench::running().await;
    punt_unknown(&bench, &mut controller).await;
    let mut backup = bench.controller().await;
    backup.arbitrate(None).await;
    bench.host(3).send(frame(7, 9, 1)).expect("the link is up");
    let Ok(Incoming::Packet(packet)) = controller.hear().await else { panic!("a packet-in") };
    assert_eq!(packet.payload, frame(7, 9, 1));
    assert_eq!(packet.metadata, metadata(&[(1, &[3]), (2, &[0]), (3, &[0x12, 0x34])]));
    // The backup would have heard of the packet before it hears of this.
    backup.arbitrate(None).await;
    until(|| bench.switch.counters().packet_ins == 1).await;
}

#[tokio::test]
async fn without_a_primary_packet_ins_are_counted_drops() {
    let (bench, mut controller) = Bench::running().await;
    punt_unknown(&bench, &mut controller).await;
    let forward = bench.entry("host", 1, "host_forward", &[&[2]]);
    controller.insert(Kind::TableEntry(forward)).await;
    let mut backup = bench.controller().await;
    backup.arbitrate(None).await;
    controller.outgoing = None;
    let _ = backup.standing().await;
    bench.host(3).send(frame(7, 9, 1)).expect("the link is up");
    // Frames of one port are carried in order: when this one has arrived, the other has been dealt with.
    bench.host(3).send(frame(1, 9, 1)).expect("the link is up");
    soon(bench.host(2).recv()).await;
    let counters = bench.switch.counters();
    assert_eq!((counters.packet_ins, counters.packet_ins_dropped), (0, 1));
}

#[tokio::test]
async fn a_packet_out_leaves_by_the_port_it_names() {
    let (bench, controller) = Bench::running().await;
    let packet = PacketOut { payload: frame(1, 2, 0).into(), metadata: metadata(&[(1, &[3])]) };
    controller.say(Outgoing::Packet(packet)).await;
    assert_eq!(soon(bench.host(3).recv()).await, Some(frame(1, 2, 0)));
    assert_eq!(bench.switch.counters().packet_outs, 1);
}

#[tokio::test]
async fn a_wrong_stream_message_is_answered_with_an_error() {
    let (bench, mut controller) = Bench::running().await;
    let wrong = PacketOut { payload: frame(1, 2, 0).into(), metadata: Vec::new() };
    controller.say(Outgoing::Packet(wrong.clone())).await;
    let Ok(Incoming::Error(error)) = controller.hear().await else { panic!("a stream error") };
    let text = "packet_out metadata egress_port is missing";
    assert_eq!((error.canonical_code, error.message.as_str()), (Code::InvalidArgument as i32, text));
    let details = stream_error::Details::PacketOut(PacketOutError { packet_out: Some(wrong.clone()) });
    assert_eq!(error.details, Some(details));

    controller.say(Outgoing::DigestAck(DigestListAck { digest_id: 5, list_id: 1 })).await;
    let Ok(Incoming::Error(error)) = controller.hear().await else { panic!("a stream error") };
    assert_eq!(error.canonical_code, Code::InvalidArgument as i32);

    let mut backup = bench.controller().await;
    backup.say(Outgoing::Packet(wrong)).await;
    let Ok(Incoming::Error(error)) = backup.hear().await else { panic!("a stream error") };
    assert_eq!(error.canonical_code, Code::PermissionDenied as i32);
    assert_eq!(bench.switch.counters().stream_errors, 3);
}

#[tokio::test]
async fn a_multicast_group_copies_to_its_ports() {
    let (bench, mut controller) = Bench::running().await;
    let group = MulticastGroupEntry {
        multicast_group_id: 5,
        replicas: vec![replica(&[2], 1), replica(&[3], 2)],
        metadata: Vec::new(),
    };
    controller.insert(replication(Replication::MulticastGroupEntry(group))).await;
    let flood = Kind::TableEntry(bench.default_entry("host", "flood", &[&[5]]));
    controller.write(Type::Modify, vec![flood]).await.expect("the default can change");
    bench.host(1).send(frame(7, 9, 1)).expect("the link is up");
    assert_eq!(soon(bench.host(2).recv()).await, Some(frame(7, 9, 1)));
    assert_eq!(soon(bench.host(3).recv()).await, Some(frame(7, 9, 1)));
}

#[tokio::test]
async fn a_clone_session_copies_to_the_controller() {
    let (bench, mut controller) = Bench::running().await;
    let session = CloneSessionEntry { session_id: 9, replicas: vec![replica(&[1, 0xfe], 1)], ..Default::default() };
    controller.insert(replication(Replication::CloneSessionEntry(session))).await;
    bench.host(1).send(frame(7, 9, 7)).expect("the link is up");
    let Ok(Incoming::Packet(packet)) = controller.hear().await else { panic!("a packet-in") };
    assert_eq!((packet.payload.as_ref(), &packet.metadata[2].value[..]), (&frame(7, 9, 7)[..], &[0xc1, 0x0e][..]));
    assert_eq!(soon(bench.host(3).recv()).await, Some(frame(7, 9, 7)), "the frame itself goes on");
}

#[tokio::test]
async fn digests_come_in_lists_until_acknowledged() {
    let (bench, mut controller) = Bench::running().await;
    let digest_id = bench.info.digest("learn_t").expect("the program has it").id;
    let config = digest_entry::Config { max_timeout_ns: 0, max_list_size: 1, ack_timeout_ns: 3_600_000_000_000 };
    controller.insert(Kind::DigestEntry(DigestEntry { digest_id, config: Some(config) })).await;
    bench.host(2).send(frame(1, 0x42, 3)).expect("the link is up");
    let Ok(Incoming::Digest(list)) = controller.hear().await else { panic!("a digest list") };
    let bits = |value: u8| P4Data { data: Some(Data::Bitstring(vec![value])) };
    let learned = P4Data { data: Some(Data::Struct(P4StructLike { members: vec![bits(0x42), bits(2)] })) };
    assert_eq!((list.digest_id, list.data), (digest_id, vec![learned.clone()]));

    // The same again is a duplicate; another is not.
    bench.host(2).send(frame(1, 0x42, 3)).expect("the link is up");
    bench.host(2).send(frame(1, 0x43, 3)).expect("the link is up");
    let Ok(Incoming::Digest(second)) = controller.hear().await else { panic!("a digest list") };
    assert_ne!(second.data, std::slice::from_ref(&learned));
    controller.say(Outgoing::DigestAck(DigestListAck { digest_id, list_id: list.list_id })).await;
    // A packet-out behind the acknowledgement shows that it has been taken.
    let packet = PacketOut { payload: frame(1, 2, 0).into(), metadata: metadata(&[(1, &[3])]) };
    controller.say(Outgoing::Packet(packet)).await;
    soon(bench.host(3).recv()).await;
    bench.host(2).send(frame(1, 0x42, 3)).expect("the link is up");
    let Ok(Incoming::Digest(third)) = controller.hear().await else { panic!("a digest list") };
    assert_eq!(third.data, std::slice::from_ref(&learned));

    // A digest that is disabled is not sent, and has forgotten its duplicates when it is enabled again.
    let entry = Kind::DigestEntry(DigestEntry { digest_id, config: Some(config) });
    controller.write(Type::Delete, vec![entry.clone()]).await.expect("it is enabled");
    bench.host(2).send(frame(1, 0x44, 3)).expect("the link is up");
    // A port's frames are dealt with in order. The second of these is taken in when all is done of those before the first.
    for _ in 0..2 {
        bench.host(2).send(frame(1, 2, 7)).expect("the link is up");
        soon(bench.host(3).recv()).await;
    }
    controller.insert(entry).await;
    bench.host(2).send(frame(1, 0x42, 3)).expect("the link is up");
    let Ok(Incoming::Digest(fourth)) = controller.hear().await else { panic!("a digest list") };
    assert_eq!(fourth.data, [learned]);
}

#[tokio::test]
async fn an_idle_entry_is_reported_and_stays() {
    let (bench, mut controller) = Bench::running().await;
    let entry = TableEntry {
        idle_timeout_ns: 150_000_000,
        metadata: b"mine".to_vec(),
        ..bench.entry("host", 1, "host_forward", &[&[2]])
    };
    controller.insert(Kind::TableEntry(entry.clone())).await;
    let reported = TableEntry { action: None, ..entry.clone() };
    for _ in 0..2 {
        let Ok(Incoming::IdleTimeoutNotification(idle)) = controller.hear().await else { panic!("a notification") };
        assert_eq!(idle.table_entry, std::slice::from_ref(&reported));
    }
    let wanted = TableEntry { time_since_last_hit: Some(table_entry::IdleTimeout::default()), ..reported };
    let read = controller.read(vec![Kind::TableEntry(wanted)]).await.expect("a read");
    let [Kind::TableEntry(read)] = read.as_slice() else { panic!("one entry instead of {read:?}") };
    let elapsed = read.time_since_last_hit.expect("it was asked for").elapsed_ns;
    assert!(elapsed >= 300_000_000, "{elapsed}");
    assert_eq!(read.action, entry.action);
}

#[tokio::test]
async fn drops_are_counted_where_they_happen() {
    let bench = Bench::start().await;
    bench.host(1).send(frame(1, 9, 1)).expect("the link is up");
    let mut controller = bench.primary().await;
    // The frame was sent before the connection was made, but another task carries it.
    until(|| bench.switch.counters().dropped_no_pipeline == 1).await;
    let config = bench.config();
    let action = set_forwarding_pipeline_config_request::Action::VerifyAndCommit;
    controller.set_pipeline(action, Some(config)).await.expect("it is valid");
    for (dst, port) in [(1, 2), (2, 9), (3, 3)] {
        controller.insert(Kind::TableEntry(bench.entry("host", dst, "host_forward", &[&[port]]))).await;
    }
    bench.host(3).set_up(false);
    for dst in [9, 2, 3, 1] {
        bench.host(1).send(frame(dst, 9, 1)).expect("the link is up");
    }
    soon(bench.host(2).recv()).await;
    let counters = bench.switch.counters();
    assert_eq!(
        (counters.dropped_in_pipeline, counters.dropped_unplugged, counters.dropped_at_port),
        (1, 1, 1),
        "{counters:?}"
    );
}

/// The ports by which the frames of many senders leave, of which each keeps to one.
async fn shared(bench: &Bench) -> Vec<usize> {
    let mut ports = std::collections::BTreeSet::new();
    for source in 1..=16 {
        bench.host(1).send(frame(2, source, 5)).expect("the link is up");
        ports.insert(tokio::select! {
            _ = soon(bench.host(1).recv()) => 1,
            _ = soon(bench.host(2).recv()) => 2,
        });
    }
    ports.into_iter().collect()
}

/// One member watches port 3, and leaves by another port, so that no frame is lost on its link.
async fn port_3_is_watched(bench: &Bench) {
    for (up, ports) in [(true, &[1, 2][..]), (false, &[1]), (true, &[1, 2])] {
        bench.host(3).set_up(up);
        // The selectors hear of it a moment later.
        soon(async { while shared(bench).await != ports {} }).await;
    }
}

#[tokio::test]
async fn members_whose_watched_port_is_down_are_passed_over() {
    use action_profile_action::WatchKind as SetWatch;
    use action_profile_group::member::WatchKind as GroupWatch;
    use table_action::Type as Does;

    let (bench, mut controller) = Bench::running().await;
    let action_profile_id = bench.info.action_profile("paths").expect("the program has it").id;
    let forward = |port: u8| match bench.action("forward", &[&[port]]).and_then(|action| action.r#type) {
        Some(Does::Action(action)) => action,
        other => panic!("{other:?}"),
    };
    let entry = |does| TableEntry {
        action: Some(TableAction { r#type: Some(does) }),
        ..bench.entry("balance", 2, "drop", &[])
    };

    for member_id in [1, 2] {
        let action = Some(forward(member_id as u8));
        controller
            .insert(Kind::ActionProfileMember(ActionProfileMember { action_profile_id, member_id, action }))
            .await;
    }
    let member = |member_id, watch_kind| action_profile_group::Member { member_id, weight: 1, watch_kind };
    let group = |port: u8, high: u8| {
        let watched = Some(GroupWatch::WatchPort(vec![high, port]));
        let members = vec![member(1, None), member(2, watched)];
        Kind::ActionProfileGroup(ActionProfileGroup { action_profile_id, group_id: 1, members, max_size: 0 })
    };
    controller.write(Type::Insert, vec![group(0, 2)]).await.expect_err("there is no port 512");
    controller.insert(group(3, 0)).await;
    controller.insert(Kind::TableEntry(entry(Does::ActionProfileGroupId(1)))).await;
    port_3_is_watched(&bench).await;

    controller.write(Type::Delete, vec![Kind::TableEntry(entry(Does::ActionProfileGroupId(1)))]).await.expect("there");
    controller.write(Type::Delete, vec![group(3, 0)]).await.expect("it is there");
    for member_id in [1, 2] {
        let member = ActionProfileMember { action_profile_id, member_id, action: None };
        controller.write(Type::Delete, vec![Kind::ActionProfileMember(member)]).await.expect("it is there");
    }
    let set = |port: u8, high: u8| {
        let one = |port, watch_kind| ActionProfileAction { action: Some(forward(port)), weight: 1, watch_kind };
        let actions = vec![one(1, None), one(2, Some(SetWatch::WatchPort(vec![high, port])))];
        let set = ActionProfileActionSet { action_profile_actions: actions, ..Default::default() };
        Kind::TableEntry(entry(Does::ActionProfileActionSet(set)))
    };
    controller.write(Type::Insert, vec![set(0, 2)]).await.expect_err("there is no port 512");
    controller.insert(set(3, 0)).await;
    port_3_is_watched(&bench).await;
}

/// Section 9.2.3: by hash, a flow stays with its member; at random, its frames take both.
#[tokio::test]
async fn an_action_set_chooses_by_hash_or_at_random() {
    use action_profile_action_set::ActionSelectionMode as Mode;
    let (bench, mut controller) = Bench::running().await;
    let entry = |mode: Mode| {
        let Some(table_action::Type::Action(forward)) = bench.action("forward", &[&[2]]).and_then(|it| it.r#type)
        else {
            panic!("it is an action");
        };
        let mut other = forward.clone();
        other.params[0].value = vec![3];
        let one = |action| ActionProfileAction { action: Some(action), weight: 1, watch_kind: None };
        let set = ActionProfileActionSet {
            action_profile_actions: vec![one(forward), one(other)],
            action_selection_mode: mode as i32,
            ..Default::default()
        };
        let action = Some(TableAction { r#type: Some(table_action::Type::ActionProfileActionSet(set)) });
        Kind::TableEntry(TableEntry { action, ..bench.entry("balance", 1, "drop", &[]) })
    };
    let leave_by_port_2 = async || {
        let mut count = 0;
        for _ in 0..100 {
            bench.host(1).send(frame(1, 9, 5)).expect("the link is up");
            count += tokio::select! {
                _ = soon(bench.host(2).recv()) => 1,
                _ = soon(bench.host(3).recv()) => 0,
            };
        }
        count
    };
    controller.insert(entry(Mode::Hash)).await;
    assert!([0, 100].contains(&leave_by_port_2().await));
    controller.write(Type::Modify, vec![entry(Mode::Random)]).await.expect("it is there");
    let count = leave_by_port_2().await;
    assert!((20..80).contains(&count), "{count} of 100, with a standard deviation of 5");
}
