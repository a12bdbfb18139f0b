//! What the controller must do with bad input: an agent of the demo's, its switch, and whoever else it hears.
//!
//! One agent takes all inputs, one after the other: what one leaves behind is the next one's world. After each, the agent still answers, and is as it should
//! be towards whoever is honest.

mod between;
pub mod management;
pub mod peer;
mod raw;
pub mod switch;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Endpoint, Server};
use vouch_agent::{Agent, AgentOptions, AgentStatus, Config};
use vouch_switch_server::{ServerHandle, SwitchServer};

use self::between::Between;
use crate::input::Input;
use crate::mutate;

const CONFIG: &str = include_str!("../../../../configs/demo/vtep2.yaml");

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// An agent that runs.
struct World {
    runtime: Runtime,
    agent: Agent,
    between: Between,
    /// To where it listens for peers.
    peering: Channel,
    /// To where it listens for operators.
    management: Channel,
    _switch: ServerHandle,
    _files: TempDir,
}

/// The same for every input, of which one at a time has it.
fn world() -> MutexGuard<'static, World> {
    static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::begin()));
    WORLD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn begin() -> Self {
        let runtime = Runtime::new().expect("threads can be started");
        let files = TempDir::new().expect("there is room for a socket");
        let handle = runtime.handle().clone();
        let _inside = handle.enter();
        let switch = SwitchServer::builder().device_id(2).build().expect("valid");
        let switch = runtime.block_on(switch.listen("127.0.0.1:0")).expect("a free port");
        let between = Between::new(channel(format!("http://{}", switch.local_addr())));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let target = listener.local_addr().expect("it listens");
        let service = Server::builder().add_service(between.clone());
        runtime.spawn(service.serve_with_incoming(TcpListenerStream::new(listener)));
        let (peering, socket) = (free_address(), files.path().join("vouch.sock"));
        let agent = Agent::start(config(target, peering, &socket), AgentOptions::default()).expect("it is the demo's");
        runtime.block_on(until(&agent, |status| status.ready && status.peering.is_some()));
        let peering = channel(format!("http://{peering}"));
        let management = channel(format!("unix://{}", socket.display()));
        Self { runtime, agent, between, peering, management, _switch: switch, _files: files }
    }
}

/// A channel that connects when it is used.
fn channel(to: String) -> Channel {
    Endpoint::from_shared(to).expect("an address").connect_lazy()
}

fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0");
    listener.and_then(|listener| listener.local_addr()).expect("loopback has ports")
}

fn config(switch: SocketAddr, peering: SocketAddr, socket: &Path) -> Config {
    let text = CONFIG
        .replace("127.0.0.1:9560", &switch.to_string())
        .replace("127.0.0.1:7001", &free_address().to_string())
        .replace("127.0.0.1:7002", &peering.to_string())
        .replace("127.0.0.1:7003", &free_address().to_string());
    let text = format!("{text}\nmanagement:\n  socket: {}\n", socket.display());
    Config::parse("vtep2.yaml", &text).expect("the demo's configuration is valid").config
}

/// Waits until the agent is so.
async fn until(agent: &Agent, wanted: impl Fn(&AgentStatus) -> bool) {
    let waiting = async {
        while !wanted(&agent.status().await.expect("the agent runs")) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("the agent is to be as it should be again");
}

/// The messages that an input has: each after two bytes that say how long it is. What remains at the end is one, too.
fn messages(data: &[u8]) -> Vec<Bytes> {
    let mut input = Input::new(data);
    let mut messages = Vec::new();
    while !input.is_empty() {
        let length = usize::from(input.u16());
        messages.push(Bytes::copy_from_slice(input.bytes(length)));
    }
    messages
}

fn joined(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut data = Vec::new();
    for message in messages {
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
        data.extend(length.to_be_bytes());
        data.extend(&message[..usize::from(length)]);
    }
    data
}

/// Changes a list of messages, which each begin with `kept` bytes of another kind.
fn change(data: &[u8], kept: usize, seed: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut messages: Vec<Vec<u8>> = messages(data).iter().map(|message| message.to_vec()).collect();
    if messages.is_empty() {
        messages.push(vec![0; kept + 1]);
    }
    let which = random.random_range(0..messages.len());
    let other = messages[random.random_range(0..messages.len())].clone();
    match random.random_range(0..8) {
        0 => messages.insert(which, other),
        1 if messages.len() > 1 => drop(messages.remove(which)),
        2 => messages.swap(0, which),
        3 if kept > 0 && !messages[which].is_empty() => messages[which][0] = random.random_range(0..32),
        _ => {
            let at = kept.min(messages[which].len());
            let changed = mutate::message(&messages[which][at..], &mut random);
            messages[which].splice(at.., changed);
        }
    }
    joined(&messages)
}
