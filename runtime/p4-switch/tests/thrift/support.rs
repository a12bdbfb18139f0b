//! A switch with Thrift services, and a client that knows the protocol and nothing of the interfaces.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use p4_switch::nanomsg::Address;
use p4_switch::notifications::{Notifications, Published};
use p4_switch::thrift::{About, Interface, Server, Services};
use tokio::runtime::Runtime;
use vouch_switch_server::{Builder, LinkConfig, Port, ServerHandle, SwitchServer, link};

/// How long anything may take that does not fail.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Whether these are installed and can run. If not, `test` is skipped, and this has said why: a command line in Python lacks
/// its modules as easily as it is missing itself.
pub(crate) fn have(test: &str, programs: &[&str]) -> bool {
    let missing = programs.iter().find_map(|program| Some(format!("{program}: {}", why_not(program)?)));
    if let Some(why) = &missing {
        skipped(test, why);
    }
    missing.is_none()
}

/// Why a program cannot even say what its options are.
fn why_not(program: &str) -> Option<String> {
    match Command::new(program).arg("--help").output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Some(said.trim().lines().last().map_or_else(|| output.status.to_string(), str::to_owned))
        }
        Err(error) => Some(error.to_string()),
    }
}

/// Past the capture of the test runner, which would hide it.
pub(crate) fn skipped(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

/// The program that has one of each kind of object.
pub(crate) fn kinds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../switch-server/tests/programs/kinds.json")
}

/// The switch's number.
pub(crate) const DEVICE: u64 = 3;

/// A port for an interface, of which there is one.
fn open(interface: &Interface) -> Result<Arc<dyn Port>, String> {
    match interface.name.as_str() {
        "veth7" => Ok(Arc::new(link(LinkConfig::default()).0)),
        other => Err(format!("there is no interface {other}")),
    }
}

pub(crate) struct Switch {
    server: Option<Server>,
    pub(crate) handle: ServerHandle,
    published: Option<Published>,
    _runtime: Runtime,
}

impl Switch {
    /// Started from the JSON alone.
    pub(crate) fn start() -> Self {
        Self::with(None, |builder| builder)
    }

    /// With notifications and events at these addresses, and with what else it is to have.
    pub(crate) fn with(addresses: Option<[&Address; 2]>, more: impl FnOnce(Builder) -> Builder) -> Self {
        let runtime = Runtime::new().expect("threads can be started");
        let json = std::fs::read(kinds()).expect("the program is there");
        let [notices, events] = addresses.map_or([None; 2], |addresses| addresses.map(Some));
        let opened = runtime.block_on(Notifications::open(DEVICE, notices, events)).expect("the addresses are free");
        let mut builder = opened.hear(more(SwitchServer::builder().device_id(DEVICE).program(json)), true);
        if let Some(listener) = opened.packets() {
            let wanted = listener.clone();
            builder = builder.tracer_while(move || wanted.is_wanted(), move |trace| listener.hear(trace));
        }
        let handle = runtime.block_on(builder.build().expect("it is a program").listen("127.0.0.1:0"));
        let handle = handle.expect("a free port");
        let about = About {
            swaps: true,
            open: Some(Box::new(open)),
            notifications: opened.notices_address(),
            ..About::default()
        };
        let services = Arc::new(Services::new(handle.control(), about));
        let entered = runtime.enter();
        let published = opened.publish(&services);
        drop(entered);
        let server = runtime.block_on(Server::listen(0, services)).expect("a free port");
        Self { server: Some(server), handle, published: Some(published), _runtime: runtime }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::at(self.port())
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.as_ref().expect("it runs").address().port()
    }

    pub(crate) fn stop_serving(&mut self) {
        self.server = None;
    }

    pub(crate) fn stop_publishing(&mut self) {
        self.published = None;
    }
}

/// What is sent and received, piece by piece.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    pub(crate) fn number(mut self, number: i32) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(crate) fn text(self, text: &[u8]) -> Self {
        let mut bytes = self.number(text.len() as i32);
        bytes.0.extend(text);
        bytes
    }

    pub(crate) fn field(mut self, kind: u8, id: i16) -> Self {
        self.0.push(kind);
        self.0.extend(id.to_be_bytes());
        self
    }

    pub(crate) fn list(mut self, kind: u8, length: i32) -> Self {
        self.0.push(kind);
        self.number(length)
    }

    pub(crate) fn i32(self, id: i16, value: i32) -> Self {
        self.field(8, id).number(value)
    }

    pub(crate) fn string(self, id: i16, value: &str) -> Self {
        self.field(11, id).text(value.as_bytes())
    }

    pub(crate) fn end(mut self) -> Self {
        self.0.push(0);
        self
    }
}

/// The arguments that nearly all calls begin with: a context and the name of an object.
pub(crate) fn of(name: &str) -> Bytes {
    Bytes::default().i32(1, 0).string(2, name)
}

/// An exact key of 48 bits as field 3.
pub(crate) trait Key {
    fn mac(self, last: u8) -> Self;
    fn data(self, id: i16, values: &[&[u8]]) -> Self;
}

impl Key for Bytes {
    fn mac(self, last: u8) -> Self {
        let exact = self.field(15, 3).list(12, 1).i32(1, 0).field(12, 2).field(11, 1).text(&[2, 0, 0, 0, 0, last]);
        exact.end().end()
    }

    fn data(self, id: i16, values: &[&[u8]]) -> Self {
        let list = self.field(15, id).list(11, values.len() as i32);
        values.iter().fold(list, |list, value| list.text(value))
    }
}

/// An answer: its kind, and the structure in it.
#[derive(Debug, PartialEq)]
pub(crate) enum Reply {
    /// Nothing.
    Done,
    /// A number of 32 or 64 bits.
    Number(i64),
    /// A string, or bytes.
    Text(Vec<u8>),
    /// The declared exception, which is a code in each interface.
    Refused(i64),
    /// An application exception with its type.
    Failed(String, i32),
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    number: i32,
}

impl Client {
    /// Calls whoever listens there, or will before long.
    pub(crate) fn at(port: u16) -> Self {
        let end = Instant::now() + PATIENCE;
        let stream = loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < end, "nobody listens at {port}: {error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        stream.set_read_timeout(Some(PATIENCE)).expect("it is a duration");
        Self { stream, number: 0 }
    }

    pub(crate) fn standard(&mut self, method: &str, arguments: Bytes) -> Reply {
        self.call(&format!("standard:{method}"), arguments)
    }

    pub(crate) fn call(&mut self, name: &str, arguments: Bytes) -> Reply {
        self.number += 1;
        let call = Bytes(vec![0x80, 1, 0, 1]).text(name.as_bytes()).number(self.number);
        self.send(&[call.0, arguments.end().0].concat());
        let (number, reply) = self.reply();
        assert_eq!(number, self.number);
        reply
    }

    /// The same in the form that had no version.
    pub(crate) fn call_as_before(&mut self, name: &str, arguments: Bytes) -> Reply {
        let mut call = Bytes::default().text(name.as_bytes());
        call.0.push(1);
        self.send(&[call.number(77).0, arguments.end().0].concat());
        let (number, reply) = self.reply();
        assert_eq!(number, 77);
        reply
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the switch takes it");
    }

    /// Whether the switch has hung up.
    pub(crate) fn is_over(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }

    pub(crate) fn reply(&mut self) -> (i32, Reply) {
        let header: [u8; 4] = self.take();
        assert_eq!(header[..3], [0x80, 1, 0]);
        let _method = self.text();
        let number = i32::from_be_bytes(self.take());
        let failed = header[3] == 3;
        let mut reply = Reply::Done;
        let mut text = String::new();
        loop {
            let [kind] = self.take();
            if kind == 0 {
                return (number, reply);
            }
            let id = i16::from_be_bytes(self.take());
            reply = match (failed, kind, id) {
                (true, 11, 1) => {
                    text = String::from_utf8(self.text()).expect("it is text");
                    Reply::Done
                }
                (true, 8, 2) => Reply::Failed(text.clone(), i32::from_be_bytes(self.take())),
                (false, 8, 0) => Reply::Number(i32::from_be_bytes(self.take()).into()),
                (false, 10, 0) => Reply::Number(i64::from_be_bytes(self.take())),
                (false, 11, 0) => Reply::Text(self.text()),
                (false, 12, 1) => {
                    assert_eq!(self.take(), [8, 0, 1]);
                    let code = i32::from_be_bytes(self.take());
                    assert_eq!(self.take(), [0]);
                    Reply::Refused(code.into())
                }
                other => panic!("{other:?} has no place in an answer here"),
            };
        }
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).expect("the answer goes on");
        bytes
    }

    fn text(&mut self) -> Vec<u8> {
        let mut text = vec![0; u32::from_be_bytes(self.take()) as usize];
        self.stream.read_exact(&mut text).expect("the answer goes on");
        text
    }
}
