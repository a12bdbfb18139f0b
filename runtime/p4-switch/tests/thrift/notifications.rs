//! Notifications and events, from packets to the bytes that subscribers get.

use std::path::PathBuf;

use p4_switch::nanomsg::{Address, MAX_SUBSCRIBERS, Publisher};
use vouch_switch_server::{Endpoint, LinkConfig, link};

use crate::subscriber::{SUBSCRIBER, Subscriber};
use crate::support::{Bytes, Client, DEVICE, Key, Reply, Switch, kinds, of};

const DIGEST: i32 = 1;

/// A switch with a host at port 1, and a folder with its sockets.
struct Told {
    host: Endpoint,
    switch: Switch,
    folder: tempfile::TempDir,
}

impl Told {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [notices, events] = ["notices", "events"].map(|name| Address::Ipc(folder.path().join(name)));
        let (host, port) = link(LinkConfig::default());
        let switch = Switch::with(Some([&notices, &events]), |builder| builder.port(1, port));
        Self { host, switch, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn subscribe(&self, name: &str) -> Subscriber {
        Subscriber::local(&self.path(name)).subscribed()
    }

    /// A frame from a source, of an EtherType that picks what happens to it.
    fn send(&self, source: u8, kind: u16) {
        let mut frame = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, source];
        frame.extend(kind.to_be_bytes());
        frame.resize(60, 0);
        self.host.send(frame).expect("the link has room");
    }
}

/// A notification: its topic, the numbers of its header after that of the device, and what follows.
fn parts(message: &[u8]) -> (&[u8], [u32; 5], &[u8]) {
    assert_eq!(message[4..12], DEVICE.to_le_bytes());
    (&message[..4], numbers(&message[12..32]), &message[32..])
}

fn numbers<const N: usize>(bytes: &[u8]) -> [u32; N] {
    std::array::from_fn(|place| u32::from_le_bytes(bytes[4 * place..][..4].try_into().expect("four bytes")))
}

/// A sample of the program's digest.
fn sample(source: u8) -> [u8; 8] {
    [2, 0, 0, 0, 0, source, 0, 1]
}

#[test]
fn digests_come_once_until_they_are_acknowledged() {
    let told = Told::start();
    let (mut local, mut client) = (told.subscribe("notices"), told.switch.connect());
    let size = |samples| Bytes::default().i32(1, 0).i32(2, DIGEST).i32(3, samples);
    assert_eq!(client.standard("bm_learning_set_buffer_size", size(1)), Reply::Done);
    [7, 7, 8].into_iter().for_each(|source| told.send(source, 0x0300));
    for (buffer, source) in [(0, 7), (1, 8)] {
        let message = local.message();
        assert_eq!(parts(&message), (&b"LEA|"[..], [0, 1, buffer, 0, 1], &sample(source)[..]));
    }
    let acknowledge = Bytes::default().i32(1, 0).i32(2, DIGEST).field(10, 3).number(0).number(0);
    assert_eq!(client.standard("bm_learning_ack_buffer", acknowledge.clone()), Reply::Done);
    [8, 7].into_iter().for_each(|source| told.send(source, 0x0300));
    assert_eq!(parts(&local.message()), (&b"LEA|"[..], [0, 1, 2, 0, 1], &sample(7)[..]));

    // Buffers of two, of which one sample is acknowledged by itself.
    assert_eq!(client.standard("bm_learning_set_buffer_size", size(2)), Reply::Done);
    [20, 21].into_iter().for_each(|source| told.send(source, 0x0300));
    let both = [sample(20), sample(21)].concat();
    assert_eq!(parts(&local.message()), (&b"LEA|"[..], [0, 1, 3, 0, 2], &both[..]));
    let second = Bytes::default().i32(1, 0).i32(2, DIGEST).field(10, 3).number(0).number(3);
    let second = second.field(15, 4).list(8, 1).number(1);
    assert_eq!(client.standard("bm_learning_ack", second), Reply::Done);
    [20, 21, 22].into_iter().for_each(|source| told.send(source, 0x0300));
    let both = [sample(21), sample(22)].concat();
    assert_eq!(parts(&local.message()), (&b"LEA|"[..], [0, 1, 4, 0, 2], &both[..]));

    // What is not full goes out when its time is over.
    let timeout = Bytes::default().i32(1, 0).i32(2, DIGEST).i32(3, 1);
    assert_eq!(client.standard("bm_learning_set_timeout", timeout), Reply::Done);
    told.send(23, 0x0300);
    assert_eq!(parts(&local.message()), (&b"LEA|"[..], [0, 1, 5, 0, 1], &sample(23)[..]));

    let unknown = Bytes::default().i32(1, 0).i32(2, 9).field(10, 3).number(0).number(0);
    assert_eq!(client.standard("bm_learning_ack_buffer", unknown), Reply::Refused(1), "INVALID_LIST_ID");

    // A reset begins to count again.
    assert_eq!(client.standard("bm_reset_state", Bytes::default()), Reply::Done);
    told.send(23, 0x0300);
    assert_eq!(parts(&local.message()), (&b"LEA|"[..], [0, 1, 0, 0, 1], &sample(23)[..]));
}

fn add_host(client: &mut Client, mac: u8) -> Reply {
    let entry = of("Forward.host").mac(mac).string(4, "Forward.host_forward").data(5, &[&[0, 9]]).field(12, 6).end();
    client.standard("bm_mt_add_entry", entry)
}

#[test]
fn idle_entries_are_told_by_the_numbers_that_thrift_gives_them() {
    let told = Told::start();
    let (mut local, mut client) = (told.subscribe("notices"), told.switch.connect());
    let table = client.standard("bm_get_id_from_name", Bytes::default().i32(1, 0).i32(2, 0).string(3, "Forward.host"));
    let Reply::Number(table) = table else { panic!("{table:?}") };
    for (mac, handle) in [(1, 0), (2, 1)] {
        assert_eq!(add_host(&mut client, mac), Reply::Number(handle));
    }
    assert_eq!(client.standard("bm_mt_delete_entry", of("Forward.host").i32(3, 0)), Reply::Done);
    assert_eq!(add_host(&mut client, 3), Reply::Number(1 << 24));
    let ttl = |handle: i32| of("Forward.host").i32(3, handle).i32(4, 1);
    assert_eq!(client.standard("bm_mt_set_entry_ttl", ttl(1 << 24)), Reply::Done);
    let (topic, header, entries) = {
        let message = local.message();
        (message[..4].to_vec(), parts(&message).1, message[32..].to_vec())
    };
    assert_eq!(topic, b"AGE|");
    assert_eq!(header, [0, 0, 0, table as u32, 1]);
    assert_eq!(numbers::<1>(&entries), [1 << 24]);
}

#[test]
fn ports_that_go_down_and_up_are_told() {
    let told = Told::start();
    let mut local = told.subscribe("notices");
    for up in [false, true] {
        told.host.set_up(up);
        assert_eq!(parts(&local.message()), (&b"PRT|"[..], [1, 0, 0, 0, 0], &[1, 0, 0, 0, u8::from(up), 0, 0, 0][..]));
    }
}

#[test]
fn events_follow_a_packet_and_a_new_program_is_one() {
    let told = Told::start();
    let mut events = told.subscribe("events");
    told.send(7, 0x0300);
    let kind = |message: &[u8]| numbers::<1>(message)[0];
    let mut kinds_told = Vec::new();
    loop {
        let message = events.message();
        assert_eq!(message[4..12], DEVICE.to_le_bytes());
        kinds_told.push(kind(&message));
        if kind(&message) == 1 {
            assert_eq!(message[40..], [0; 4], "it leaves by port 0");
            break;
        }
    }
    let (first, last) = (&kinds_told[..5], &kinds_told[kinds_told.len() - 6..]);
    assert_eq!(first, [0, 2, 4, 3, 9], "in, parser, one header, ingress");
    assert_eq!(last, [11, 10, 5, 7, 6, 1], "a condition of egress, deparser, one header, out");
    // What happened to it on the way: conditions, the miss in `acl`, an action without a table.
    assert!([11, 13, 14].iter().all(|kind| kinds_told.contains(kind)), "{kinds_told:?}");

    let mut client = told.switch.connect();
    let json = std::fs::read_to_string(kinds()).expect("it is text");
    assert_eq!(client.standard("bm_load_new_config", Bytes::default().string(1, &json)), Reply::Done);
    assert_eq!(client.standard("bm_swap_configs", Bytes::default()), Reply::Done);
    let message = events.message();
    assert_eq!((kind(&message), message.len()), (999, 40));
}

#[test]
fn packets_are_traced_only_while_somebody_subscribes() {
    let told = Told::start();
    // Nobody hears of the first; those that come once somebody has subscribed keep its number free.
    told.send(1, 0x0300);
    let mut notices = told.subscribe("notices");
    told.send(2, 0x0300);
    while !notices.message().ends_with(&sample(2)) {}
    let mut events = told.subscribe("events");
    told.send(3, 0x0300);
    let message = events.message();
    assert_eq!(message[24..32], 2u64.to_le_bytes(), "the third packet");
}

#[test]
fn subscribers_are_let_go_and_sockets_taken_away_in_the_end() {
    let mut told = Told::start();
    let mut local = told.subscribe("notices");
    told.switch.stop_publishing();
    assert!(local.is_over());
    assert!(!told.path("notices").exists() && !told.path("events").exists());
}

#[test]
fn bytes_that_are_no_subscribers_end_its_talk_and_nobody_elses() {
    let told = Told::start();
    let mut good = told.subscribe("notices");
    let publisher = *b"\0SP\0\x00\x20\0\0";
    let later = [&SUBSCRIBER[..], b"\x01\0\0\0\0\0\0\0\x01x"].concat();
    for bytes in [b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0xff; 8], publisher.to_vec(), later] {
        let mut bad = Subscriber::local(&told.path("notices"));
        std::io::Write::write_all(&mut bad.stream, &bytes).expect("it is read");
        let mut rest = Vec::new();
        // Perhaps its header, and then the end.
        let _ = std::io::Read::read_to_end(&mut bad.stream, &mut rest);
        assert!(rest.len() <= 8, "{bytes:?}");
    }
    told.send(7, 0x0300);
    assert_eq!(parts(&good.message()).2, sample(7));
}

/// A publisher of its own, over TCP.
struct Published {
    publisher: Publisher,
    address: String,
    _runtime: tokio::runtime::Runtime,
}

impl Published {
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
        let address = "tcp://127.0.0.1:0".parse().expect("it is an address");
        let publisher = runtime.block_on(Publisher::bind(&address)).expect("a free port");
        let address = publisher.address().to_string().replace("tcp://", "");
        Self { publisher, address, _runtime: runtime }
    }
}

#[test]
fn a_subscriber_that_does_not_read_misses_messages_and_delays_nobody() {
    let published = Published::start();
    let mut slow = Subscriber::remote(&published.address).subscribed();
    let mut good = Subscriber::remote(&published.address).subscribed();
    // Far more than the queue and what the system takes for a connection.
    for number in 0..1000u32 {
        let mut message = number.to_be_bytes().to_vec();
        message.resize(1 << 16, 0);
        published.publisher.publish(&message);
        assert_eq!(good.message()[..4], number.to_be_bytes());
    }
    let dropped = published.publisher.dropped();
    assert!(dropped > 0);
    // It still gets what it did not miss, in order.
    let first = slow.message();
    assert_eq!((&first[..4], first.len()), (&[0; 4][..], 1 << 16));
    assert_eq!(slow.message()[..4], 1u32.to_be_bytes());
}

#[test]
fn there_are_only_so_many_subscribers() {
    let published = Published::start();
    let mut all: Vec<_> = (0..MAX_SUBSCRIBERS).map(|_| Subscriber::remote(&published.address).subscribed()).collect();
    assert!(Subscriber::remote(&published.address).is_over());
    published.publisher.publish(b"to all");
    assert!(all.iter_mut().all(|subscriber| subscriber.message() == b"to all"));
}

#[test]
fn a_socket_that_nobody_listens_at_is_replaced_and_others_are_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let bind = |path: PathBuf| runtime.block_on(Publisher::bind(&Address::Ipc(path)));
    let left = folder.path().join("left");
    drop(std::os::unix::net::UnixListener::bind(&left).expect("it is free"));
    let publisher = bind(left.clone()).expect("nobody listens there");
    assert!(bind(left).is_err(), "somebody does now");
    drop(publisher);
    let file = folder.path().join("file");
    std::fs::write(&file, "precious").expect("it can be written");
    assert!(bind(file.clone()).is_err());
    assert_eq!(std::fs::read(&file).expect("it is there"), b"precious");
}
