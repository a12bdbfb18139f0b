//! The same packets through this switch and through BMv2: subscribers get the same bytes. And libnanomsg, which BMv2's receivers
//! stand on, gets them from this switch. Needs BMv2 and libnanomsg; no rights and no interfaces.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pcap_file::pcap::{PcapPacket, PcapWriter};

use crate::subscriber::Subscriber;
use crate::support::{Client, DEVICE, Key as _, PATIENCE, Reply, have, kinds, of, skipped};

/// What picks what happens to each frame, and its source: a miss that drops, a digest, the same one again, another, an entry
/// that is hit, a miss that passes, a clone without a session.
const FRAMES: [(u16, u8); 7] =
    [(0x0200, 1), (0x0300, 1), (0x0300, 1), (0x0300, 2), (0x0600, 1), (0x0601, 1), (0x0700, 1)];
/// How many of them leave.
const LEAVING: usize = 6;

/// A switch of either kind that reads packets from a pipe, ended with this value.
struct Switch {
    child: Child,
    folder: tempfile::TempDir,
    thrift: u16,
}

impl Switch {
    fn start(mut command: Command) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let thrift = free.expect("a free port").port();
        let made = Command::new("mkfifo").arg(folder.path().join("a_in.pcap")).status();
        assert!(made.is_ok_and(|status| status.success()));
        command.arg(kinds()).args(["--use-files", "0", "-i", "1@a", "-L", "off"]);
        command.args(["--thrift-port", &thrift.to_string(), "--device-id", &DEVICE.to_string()]);
        for (option, name) in [("--notifications-addr", "notices"), ("--nanolog", "events")] {
            command.arg(option).arg(format!("ipc://{}", folder.path().join(name).display()));
        }
        command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().expect("it starts"), folder, thrift }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn until(&self, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            assert!(Instant::now() < deadline, "it does not come so far");
            std::thread::yield_now();
        }
    }

    fn subscribe(&self, name: &str) -> Subscriber {
        let path = self.path(name);
        self.until(|| UnixStream::connect(&path).is_ok());
        Subscriber::local(&path).subscribed()
    }

    /// Write the packets into the pipe, which begins when the switch reads there.
    fn feed(&self) {
        let pipe = OpenOptions::new().write(true).open(self.path("a_in.pcap")).expect("it is read");
        let mut writer = PcapWriter::new(pipe).expect("the header is written");
        for (number, (kind, source)) in FRAMES.into_iter().enumerate() {
            let mut frame = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, source];
            frame.extend(kind.to_be_bytes());
            frame.resize(60, 0);
            let packet = PcapPacket::new(Duration::from_millis(number as u64), frame.len() as u32, &frame);
            writer.write_packet(&packet).expect("the packet is written");
        }
    }

    fn thrift(&self) -> Client {
        Client::at(self.thrift)
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // It has ended, or is ended now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What subscribers are told: two digests in a buffer and an idle entry, and the events of each packet.
fn told(switch: &Switch) -> (Vec<Vec<u8>>, Vec<Vec<Vec<u8>>>) {
    let (mut notices, mut events) = (switch.subscribe("notices"), switch.subscribe("events"));
    switch.feed();
    let mut packets = vec![Vec::new(); FRAMES.len()];
    let mut left = 0;
    while left < LEAVING {
        let event = events.message();
        left += usize::from(event[..4] == 1u32.to_le_bytes());
        let packet = u64::from_le_bytes(event[24..32].try_into().expect("eight bytes"));
        packets[packet as usize].push(event);
    }
    let mut noticed = vec![notices.message()];
    let mut client = switch.thrift();
    let entry = of("Forward.host").mac(1).string(4, "Forward.host_forward").data(5, &[&[0, 9]]).field(12, 6).end();
    assert_eq!(client.standard("bm_mt_add_entry", entry), Reply::Number(0));
    let ttl = of("Forward.host").i32(3, 0).i32(4, 1);
    assert_eq!(client.standard("bm_mt_set_entry_ttl", ttl), Reply::Done);
    noticed.push(notices.message());
    (noticed, packets)
}

fn ours() -> Switch {
    let mut command = Command::new(env!("CARGO_BIN_EXE_p4-switch"));
    command.args(["--grpc-server-addr", "127.0.0.1:0"]);
    Switch::start(command)
}

#[test]
fn subscribers_are_told_what_bmv2_tells_them() {
    if !have("subscribers_are_told_what_bmv2_tells_them", &["simple_switch"]) {
        return;
    }
    let (ours, theirs) = (told(&ours()), told(&Switch::start(Command::new("simple_switch"))));
    assert_eq!(ours.0, theirs.0);
    for (frame, (ours, theirs)) in FRAMES.iter().zip(ours.1.iter().zip(&theirs.1)) {
        assert_eq!(ours, theirs, "{frame:x?}");
    }
}

/// Prints `ready` when it is connected, and then its first message in hexadecimal; ends with 77 where there is no libnanomsg.
const RECEIVER: &str = r#"
import ctypes, ctypes.util, sys, time
name = ctypes.util.find_library("nanomsg")
if not name:
    sys.exit(77)
nn = ctypes.CDLL(name)
nn.nn_get_statistic.restype = ctypes.c_uint64
AF_SP, SUB, SUBSCRIBE, CONNECTIONS = 1, 33, 1, 201
socket = nn.nn_socket(AF_SP, SUB)
nn.nn_setsockopt(socket, SUB, SUBSCRIBE, b"", ctypes.c_size_t(0))
if nn.nn_connect(socket, sys.argv[1].encode()) < 0:
    sys.exit("it cannot connect")
while nn.nn_get_statistic(socket, CONNECTIONS) == 0:
    time.sleep(0.001)
print("ready", flush=True)
buffer = ctypes.create_string_buffer(1 << 16)
size = nn.nn_recv(socket, buffer, ctypes.c_size_t(len(buffer)), 0)
print(buffer.raw[:size].hex(), flush=True)
"#;

#[test]
fn libnanomsg_takes_what_is_published() {
    let name = "libnanomsg_takes_what_is_published";
    let switch = ours();
    drop(switch.subscribe("notices"));
    let address = format!("ipc://{}", switch.path("notices").display());
    let mut receiver = Command::new("python3");
    let receiver = receiver.args(["-c", RECEIVER, &address]).stdout(Stdio::piped()).spawn();
    let Ok(mut receiver) = receiver else { return skipped(name, "no python3") };
    let mut printed = BufReader::new(receiver.stdout.take().expect("it is piped"));
    let mut line = String::new();
    printed.read_line(&mut line).expect("it is text");
    if line.is_empty() && receiver.wait().expect("it ends").code() == Some(77) {
        return skipped(name, "no libnanomsg");
    }
    assert_eq!(line, "ready\n");
    switch.feed();
    let mut message = String::new();
    printed.read_to_string(&mut message).expect("it is text");
    assert!(receiver.wait().expect("it ends").success());
    let header = "4c45417c 0300000000000000 00000000 01000000 0000000000000000 02000000";
    let samples = "020000000001 0001 020000000002 0001";
    assert_eq!(message.trim(), [header, samples].concat().replace(' ', ""));
}
