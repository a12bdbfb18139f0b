//! One VTEP: an agent, the embedded switch, and two hosts' cables.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use vouch_agent::metrics::Metrics;
use vouch_agent::{Agent, AgentEvent, AgentEventKind, AgentOptions, AgentStatus, Config};
use vouch_lab::target::tofino::Front;
use vouch_mobility::Report;
use vouch_net::MacAddr;
use vouch_switch_server::{Endpoint, LinkConfig, ServerHandle, link};

use crate::kind::{Kind, Parts};

const CONFIG: &str = include_str!("../../../../configs/demo/vtep1.yaml");
const CONFIG_OF_PEER: &str = include_str!("../../../../configs/demo/vtep2.yaml");
const CONFIG_OF_THIRD: &str = include_str!("../../../../configs/demo/vtep3.yaml");
pub(crate) const HOST: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
pub(crate) const NEIGHBOR: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

/// Far beyond what anything here takes: it only keeps a failure from hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A switch with two hosts' cables in its access ports 1 and 2, both in VNI 5001.
pub(crate) struct Bench {
    pub(crate) server: Server,
    pub(crate) cables: [Endpoint; 2],
}

/// A switch, and what stands in front of one with a Tofino.
pub(crate) struct Server {
    front: Option<Front>,
    switch: ServerHandle,
}

impl Server {
    pub(crate) async fn shutdown(self) {
        drop(self.front);
        self.switch.shutdown().await;
    }
}

pub(crate) async fn switch(kind: Kind, address: SocketAddr) -> Bench {
    switch_of(kind, kind.parts(), address).await
}

pub(crate) async fn switch_of(kind: Kind, Parts { builder, tofino }: Parts, address: SocketAddr) -> Bench {
    let [(host1, port1), (host2, port2)] = [(); 2].map(|()| link(LinkConfig::default()));
    let builder = builder.device_id(1);
    let server = builder.port(kind.port(1).into(), port1).port(kind.port(2).into(), port2).build().expect("valid");
    // A switch that was just stopped may hold its address for a moment.
    let listener = loop {
        match tokio::net::TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => tokio::task::yield_now().await,
            Err(error) => panic!("cannot listen on {address}: {error}"),
        }
    };
    let server = match tofino {
        None => Server { front: None, switch: server.serve(listener).expect("no TLS to go wrong") },
        Some((tofino, model)) => {
            let switch = server.listen("127.0.0.1:0").await.expect("loopback has ports");
            let front = Front::serve(&switch, tofino, &model, listener).expect("it has an address");
            Server { front: Some(front), switch }
        }
    };
    Bench { server, cables: [host1, host2] }
}

/// A loopback address that nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("loopback has ports")
}

pub(crate) fn config(kind: Kind, switch: SocketAddr) -> Config {
    let text = CONFIG
        .replace("  kind: bmv2\n", &kind.yaml())
        .replace("127.0.0.1:9559", &switch.to_string())
        .replace("127.0.0.1:7001", &free_address().to_string())
        .replace("127.0.0.1:7002", &free_address().to_string())
        .replace("127.0.0.1:7003", &free_address().to_string());
    Config::parse("vtep1.yaml", &text).expect("the demo's configuration is valid").config
}

/// The first VTEPs of the demo, each at a switch of its own, which find each other.
pub(crate) fn configs_of<const N: usize>(kind: Kind, switches: [SocketAddr; N]) -> [Config; N] {
    let peers = [(); 3].map(|()| free_address().to_string());
    let files = [
        (CONFIG, "vtep1.yaml", "127.0.0.1:9559"),
        (CONFIG_OF_PEER, "vtep2.yaml", "127.0.0.1:9560"),
        (CONFIG_OF_THIRD, "vtep3.yaml", "127.0.0.1:9561"),
    ];
    files
        .into_iter()
        .zip(switches)
        .map(|((text, name, target), switch)| {
            assert!(text.contains(target), "{text}");
            let text = text
                .replace("  kind: bmv2\n", &kind.yaml())
                .replace("device_id: 2", "device_id: 1")
                .replace("device_id: 3", "device_id: 1")
                .replace(target, &switch.to_string())
                .replace("127.0.0.1:7001", &peers[0])
                .replace("127.0.0.1:7002", &peers[1])
                .replace("127.0.0.1:7003", &peers[2]);
            Config::parse(name, &text).expect("the demo's configuration is valid").config
        })
        .collect::<Vec<_>>()
        .try_into()
        .expect("there are three")
}

pub(crate) struct Watched {
    pub(crate) agent: Agent,
    pub(crate) events: mpsc::Receiver<AgentEvent>,
}

pub(crate) fn start(config: Config) -> Watched {
    start_counted(config, &Metrics::default())
}

pub(crate) fn start_counted(config: Config, metrics: &Metrics) -> Watched {
    let (sender, events) = mpsc::channel(1 << 17);
    let options = AgentOptions { events: Some(sender), metrics: metrics.clone(), ..AgentOptions::default() };
    let agent = Agent::start(config, options).expect("the pipeline is the program's");
    Watched { agent, events }
}

impl Watched {
    /// The first event of interest.
    pub(crate) async fn until<T>(&mut self, mut wanted: impl FnMut(&AgentEventKind) -> Option<T>) -> T {
        let mut others = Vec::new();
        let found = async {
            loop {
                let event = self.events.recv().await.expect("the agent runs");
                if let Some(found) = wanted(&event.kind) {
                    return found;
                }
                others.push(event.kind);
            }
        };
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(found) => found,
            Err(_) => panic!("{} waits for another event than {others:#?}", self.agent.name()),
        }
    }

    /// Whether the program was installed, how many hosts were restored, how many entries were written.
    pub(crate) async fn ready(&mut self) -> (bool, usize, usize) {
        self.until(|kind| match kind {
            AgentEventKind::SwitchReady { program_installed, hosts_restored, entries_written } => {
                Some((*program_installed, *hosts_restored, *entries_written))
            }
            _ => None,
        })
        .await
    }

    /// The next news of a next hop that it can be used, or cannot: of which.
    pub(crate) async fn next_hop(&mut self, used: bool) -> IpAddr {
        self.until(|kind| match kind {
            AgentEventKind::NextHop { address, mac, .. } if mac.is_some() == used => Some(*address),
            _ => None,
        })
        .await
    }

    pub(crate) async fn lost(&mut self) {
        self.until(|kind| matches!(kind, AgentEventKind::SwitchLost { .. }).then_some(())).await;
    }

    pub(crate) async fn peer_up(&mut self) {
        self.until(|kind| matches!(kind, AgentEventKind::PeerUp { .. }).then_some(())).await;
    }

    /// Why the session with the peer ended.
    pub(crate) async fn peer_down(&mut self) -> String {
        self.until(|kind| match kind {
            AgentEventKind::PeerDown { reason, .. } => Some(reason.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn learned(&mut self, mac: MacAddr) {
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

    /// Until it knows the host, whoever has it.
    pub(crate) async fn knows(&self, mac: MacAddr) {
        let known = async {
            while !self.status().await.hosts.iter().any(|host| host.host.mac == mac) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, known).await.expect("it hears of the host");
    }

    pub(crate) async fn status(&self) -> AgentStatus {
        self.agent.status().await.expect("the agent runs")
    }

    pub(crate) async fn stop(self) {
        self.agent.shutdown().await.expect("the agent does not panic");
    }
}

pub(crate) fn arp(source: MacAddr, address: [u8; 4]) -> Vec<u8> {
    let mut frame = [MacAddr::BROADCAST.octets(), source.octets()].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(source.octets());
    frame.extend(address);
    frame.extend([0; 6]);
    frame.extend([192, 168, 1, 200]);
    frame
}

pub(crate) fn data(source: MacAddr, destination: MacAddr, tag: u8) -> Vec<u8> {
    let mut frame = [destination.octets(), source.octets()].concat();
    frame.extend([0x88, 0xb5, tag]);
    frame.resize(64, 0);
    frame
}

pub(crate) async fn received(cable: &Endpoint, expected: &[u8]) {
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

/// Where a switch can be reached over a long line: all that it says comes so much later.
pub(crate) async fn later(switch: SocketAddr, late: Duration) -> SocketAddr {
    let listening = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
    let address = listening.local_addr().expect("it listens");
    tokio::spawn(async move {
        while let (Ok((agent, _)), Ok(switch)) = (listening.accept().await, TcpStream::connect(switch).await) {
            let ((mut asked, mut told), (mut says, mut asks)) = (agent.into_split(), switch.into_split());
            let (said, mut on_its_way) = mpsc::unbounded_channel();
            tokio::spawn(async move { tokio::io::copy(&mut asked, &mut asks).await });
            tokio::spawn(async move {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(length @ 1..) = says.read(&mut buffer).await {
                    let due = tokio::time::Instant::now() + late;
                    if said.send((due, buffer[..length].to_vec())).is_err() {
                        break;
                    }
                }
            });
            tokio::spawn(async move {
                while let Some((due, bytes)) = on_its_way.recv().await {
                    tokio::time::sleep_until(due).await;
                    if told.write_all(&bytes).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}
