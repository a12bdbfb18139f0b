//! The agent against the embedded switch: one VTEP, its hosts on in-process links, P4Runtime over loopback.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use vouch_agent::{Agent, AgentEvent, AgentEventKind, AgentOptions, AgentStatus, Config, Place};
use vouch_mobility::Report;
use vouch_net::MacAddr;
use vouch_switch_server::{Endpoint, LinkConfig, ServerHandle, SwitchServer, link};

const CONFIG: &str = include_str!("../../../configs/demo/vtep1.yaml");
const HOST: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const NEIGHBOR: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

/// Far beyond what anything here takes: it only keeps a failure from hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// A switch with two hosts' cables in its access ports 1 and 2, both in VNI 5001.
struct Bench {
    server: ServerHandle,
    cables: [Endpoint; 2],
}

async fn switch(address: SocketAddr) -> Bench {
    let [(host1, port1), (host2, port2)] = [(); 2].map(|()| link(LinkConfig::default()));
    let server = SwitchServer::builder().device_id(1).port(1, port1).port(2, port2).build().expect("valid");
    // A switch that was just stopped may hold its address for a moment.
    let listener = loop {
        match tokio::net::TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => tokio::task::yield_now().await,
            Err(error) => panic!("cannot listen on {address}: {error}"),
        }
    };
    Bench { server: server.serve(listener).expect("no TLS to go wrong"), cables: [host1, host2] }
}

/// A loopback address that nobody listens on.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("loopback has ports")
}

fn config(switch: SocketAddr) -> Config {
    let text = CONFIG
        .replace("127.0.0.1:9559", &switch.to_string())
        .replace("127.0.0.1:7001", &free_address().to_string())
        .replace("127.0.0.1:7002", &free_address().to_string())
        .replace("127.0.0.1:7003", &free_address().to_string());
    Config::parse("vtep1.yaml", &text).expect("the demo's configuration is valid").config
}

struct Watched {
    agent: Agent,
    events: mpsc::Receiver<AgentEvent>,
}

fn start(config: Config) -> Watched {
    let (sender, events) = mpsc::channel(4096);
    let agent = Agent::start(config, AgentOptions { events: Some(sender) }).expect("the pipeline is the built-in one");
    Watched { agent, events }
}

impl Watched {
    /// The first event of interest.
    async fn until<T>(&mut self, mut wanted: impl FnMut(&AgentEventKind) -> Option<T>) -> T {
        let found = async {
            loop {
                let event = self.events.recv().await.expect("the agent runs");
                if let Some(found) = wanted(&event.kind) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the event comes")
    }

    /// Whether the program was installed, how many hosts were restored, how many entries were written.
    async fn ready(&mut self) -> (bool, usize, usize) {
        self.until(|kind| match kind {
            AgentEventKind::SwitchReady { program_installed, hosts_restored, entries_written } => {
                Some((*program_installed, *hosts_restored, *entries_written))
            }
            _ => None,
        })
        .await
    }

    async fn learned(&mut self, mac: MacAddr) {
        let is = |report: &Report| matches!(report, Report::Learned { host, .. } if host.mac == mac);
        self.until(|kind| match kind {
            AgentEventKind::Report(report) if is(report) => Some(()),
            _ => None,
        })
        .await;
        // The entries of what was just learned.
        let text = mac.to_string();
        self.until(|kind| match kind {
            AgentEventKind::Written { changes } => changes.iter().any(|change| change.contains(&text)).then_some(()),
            _ => None,
        })
        .await;
    }

    async fn status(&self) -> AgentStatus {
        self.agent.status().await.expect("the agent runs")
    }

    async fn stop(self) {
        self.agent.shutdown().await.expect("the agent does not panic");
    }
}

fn arp(source: MacAddr, address: [u8; 4]) -> Vec<u8> {
    let mut frame = [MacAddr::BROADCAST.octets(), source.octets()].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(source.octets());
    frame.extend(address);
    frame.extend([0; 6]);
    frame.extend([192, 168, 1, 200]);
    frame
}

fn data(source: MacAddr, destination: MacAddr, tag: u8) -> Vec<u8> {
    let mut frame = [destination.octets(), source.octets()].concat();
    frame.extend([0x88, 0xb5, tag]);
    frame.resize(64, 0);
    frame
}

async fn received(cable: &Endpoint, expected: &[u8]) {
    let found = async {
        loop {
            let frame = cable.recv().await.expect("the switch runs");
            if frame[..] == *expected {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("the frame arrives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_agent_keeps_its_hosts_writes_nothing_and_interrupts_nothing() {
    let address = free_address();
    let bench = switch(address).await;
    let mut agent = start(config(address));
    let (installed, restored, written) = agent.ready().await;
    assert!(installed && restored == 0 && written > 0, "an empty switch gets everything");

    bench.cables[0].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    agent.learned(HOST).await;
    bench.cables[1].send(arp(NEIGHBOR, [192, 168, 1, 2])).expect("the link is up");
    agent.learned(NEIGHBOR).await;
    agent.stop().await;

    bench.cables[0].send(data(HOST, NEIGHBOR, 1)).expect("the link is up");
    received(&bench.cables[1], &data(HOST, NEIGHBOR, 1)).await;

    let mut agent = start(config(address));
    let (installed, restored, written) = agent.ready().await;
    assert_eq!((installed, restored), (false, 2));
    // Addresses are not in the tables: the hosts' ARP is wanted again, one modification each.
    assert!(written <= 2, "{written} entries written to a switch that had them all");
    let status = agent.status().await;
    let places: Vec<Place> = status.hosts.iter().map(|host| host.place).collect();
    assert!(places.iter().all(|place| matches!(place, Place::Interface(_))), "{places:?}");
    bench.cables[0].send(data(HOST, NEIGHBOR, 2)).expect("the link is up");
    received(&bench.cables[1], &data(HOST, NEIGHBOR, 2)).await;
    agent.stop().await;
    bench.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_that_comes_late_or_restarts_gets_its_tables() {
    let address = free_address();
    let mut agent = start(config(address));
    // Nobody is there yet; the agent says that it is not ready and keeps trying.
    assert!(!agent.status().await.ready);

    let bench = switch(address).await;
    let (installed, ..) = agent.ready().await;
    assert!(installed);
    bench.cables[0].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    agent.learned(HOST).await;
    let entries = agent.status().await.entries;

    bench.server.shutdown().await;
    agent.until(|kind| matches!(kind, AgentEventKind::SwitchLost { .. }).then_some(())).await;
    let bench = switch(address).await;
    let (installed, _, written) = agent.ready().await;
    assert!(installed, "the new switch knew no program");
    assert_eq!(written, entries, "hosts included");
    assert_eq!(agent.status().await.hosts.len(), 1);
    agent.stop().await;
    bench.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b2_a_port_that_goes_down_is_heard_of() {
    let address = free_address();
    let bench = switch(address).await;
    let mut agent = start(config(address));
    agent.ready().await;
    bench.cables[0].set_up(false);
    agent.until(|kind| matches!(kind, AgentEventKind::Port { port: 1, up: false }).then_some(())).await;
    bench.cables[0].set_up(true);
    agent.until(|kind| matches!(kind, AgentEventKind::Port { port: 1, up: true }).then_some(())).await;
    agent.stop().await;
    bench.server.shutdown().await;
}

#[tokio::test]
async fn a_pipeline_without_a_needed_table_is_refused_by_name() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let p4info = include_str!("../../../p4src/build/vtep.p4info.txtpb").replace("\"destination\"", "\"goal\"");
    let path = directory.path().join("other.p4info.txtpb");
    std::fs::write(&path, p4info).expect("writable");
    let json = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../p4src/build/vtep.json");

    let mut config = config(free_address());
    config.switch.pipeline = Some(vouch_agent::config::PipelineFiles { p4info: path, device_config: json });
    let error = Agent::start(config, AgentOptions::default()).expect_err("a table is missing").to_string();
    assert!(error.contains("other.p4info.txtpb") && error.contains("`destination`"), "{error}");
}
