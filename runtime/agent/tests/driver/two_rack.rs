//! `configs/two-rack` and `configs/two-rack-ipv6`, brought up: two racks, two spines, and every flow on one of two ways.
//!
//! ```text
//!   rack1 ═══ spine1 ═══ rack2        A tap on each uplink writes down which flows it carries.
//!     ╚══════ spine2 ══════╝          spine1 ─── spine2
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;
use vouch_agent::{AgentEventKind, Config};
use vouch_net::MacAddr;
use vouch_switch_server::{Endpoint, Frame, LinkConfig, ServerHandle, SwitchServer, link};

use crate::bench::*;

/// The files of a fabric, by name.
type Files = [(&'static str, &'static str); 4];

macro_rules! files {
    ($folder:literal) => {
        [
            ("rack1", include_str!(concat!("../../../../configs/", $folder, "/rack1.yaml"))),
            ("rack2", include_str!(concat!("../../../../configs/", $folder, "/rack2.yaml"))),
            ("spine1", include_str!(concat!("../../../../configs/", $folder, "/spine1.yaml"))),
            ("spine2", include_str!(concat!("../../../../configs/", $folder, "/spine2.yaml"))),
        ]
    };
}

const OVER_IPV4: Files = files!("two-rack");
const OVER_IPV6: Files = files!("two-rack-ipv6");
/// As the files say.
const CABLES: [[(&str, u16); 2]; 5] = [
    [("rack1", 9), ("spine1", 1)],
    [("rack1", 10), ("spine2", 1)],
    [("rack2", 9), ("spine1", 2)],
    [("rack2", 10), ("spine2", 2)],
    [("spine1", 3), ("spine2", 3)],
];
const FLOWS: u16 = 1_000;
/// The first source port of the flows.
const FIRST: u16 = 10_000;

/// The cable that each flow was last seen on, by the numbers of [`CABLES`].
type Ways = BTreeMap<u16, usize>;

struct Cable {
    /// All four ends of its two halves: what is between them is the tap.
    ends: [Endpoint; 4],
    /// It has its link, and carries nothing.
    mute: Arc<AtomicBool>,
}

impl Cable {
    fn set_up(&self, up: bool) {
        for end in &self.ends {
            end.set_up(up);
        }
    }
}

struct TwoRacks {
    servers: Vec<ServerHandle>,
    agents: BTreeMap<&'static str, Watched>,
    cables: Vec<Cable>,
    /// Which cables each flow was seen on, by its source port, in their order.
    seen: Arc<Mutex<BTreeMap<u16, Vec<usize>>>>,
    taps: JoinSet<()>,
    /// The hosts' cables: one behind each rack.
    hosts: [Endpoint; 2],
}

fn host(number: usize) -> MacAddr {
    MacAddr([2, 0, 0, 0, 9, number as u8])
}

/// The frame of a flow from a host to the other.
fn flow(from: usize, number: u16) -> Vec<u8> {
    let mut frame = [&host(1 - from).0[..], &host(from).0, &[8, 0]].concat();
    let (source, destination) = ([192, 168, 1, 1 + from as u8], [192, 168, 1, 2 - from as u8]);
    // A tunnel asks nothing of the inner header, and no host reads it here.
    frame.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend(source.into_iter().chain(destination));
    frame.extend((FIRST + number).to_be_bytes());
    frame.extend([0x10, 0x92, 0, 8, 0, 0]);
    frame
}

/// The frame in a tunnel over IPv4, or over IPv6 behind a tag; of any other, itself.
fn inner(frame: &[u8]) -> &[u8] {
    let carries = |ethertypes: &[u8], port_at: usize| {
        frame.get(12..12 + ethertypes.len()) == Some(ethertypes)
            && frame.get(port_at..port_at + 2) == Some(&[0x12, 0xb5])
    };
    if carries(&[8, 0], 36) {
        &frame[50..]
    } else if carries(&[0x81, 0], 60) && frame[16..18] == [0x86, 0xdd] {
        &frame[74..]
    } else {
        frame
    }
}

/// The source port of a frame of a flow, in its tunnel or without.
fn flow_of(frame: &[u8]) -> Option<u16> {
    let inner = inner(frame);
    if inner.len() < 38 {
        return None;
    }
    let port = u16::from_be_bytes([*inner.get(34)?, *inner.get(35)?]);
    let is_flow = inner[12..14] == [8, 0] && inner[36..38] == [0x10, 0x92];
    (is_flow && (FIRST..FIRST + FLOWS).contains(&port)).then_some(port)
}

impl TwoRacks {
    async fn start(files: Files) -> Self {
        let seen: Arc<Mutex<BTreeMap<u16, Vec<usize>>>> = Arc::default();
        let mut taps = JoinSet::new();
        let mut ports: BTreeMap<&str, Vec<(u16, Endpoint)>> = BTreeMap::new();
        let mut cables = Vec::new();
        for (number, [a, b]) in CABLES.into_iter().enumerate() {
            let [(end_a, tap_a), (tap_b, end_b)] = [(); 2].map(|()| link(LinkConfig::default()));
            let mute: Arc<AtomicBool> = Arc::default();
            for (from, to) in [(tap_a.clone(), tap_b.clone()), (tap_b.clone(), tap_a.clone())] {
                let (seen, mute) = (seen.clone(), mute.clone());
                taps.spawn(async move {
                    while let Some(frame) = from.recv().await {
                        if mute.load(Ordering::Relaxed) {
                            continue;
                        }
                        if let Some(flow) = flow_of(&frame) {
                            seen.lock().unwrap_or_else(PoisonError::into_inner).entry(flow).or_default().push(number);
                        }
                        // A cut cable carries nothing on.
                        let _ = to.send(frame);
                    }
                });
            }
            ports.entry(a.0).or_default().push((a.1, end_a.clone()));
            ports.entry(b.0).or_default().push((b.1, end_b.clone()));
            cables.push(Cable { ends: [end_a, tap_a, tap_b, end_b], mute });
        }
        let hosts = ["rack1", "rack2"].map(|rack| {
            let (host, port) = link(LinkConfig::default());
            ports.entry(rack).or_default().push((1, port));
            host
        });

        let peering = [free_address(), free_address()];
        let (mut servers, mut agents) = (Vec::new(), BTreeMap::new());
        for (number, (name, text)) in (1..).zip(files) {
            let ports = ports.remove(name).unwrap_or_default();
            let builder = SwitchServer::builder().device_id(number);
            let builder = ports.into_iter().fold(builder, |builder, (port, end)| builder.port(port.into(), end));
            let server = builder.build().expect("valid").listen("127.0.0.1:0").await.expect("loopback has ports");
            agents.insert(name, start(configured(name, text, number, server.local_addr(), peering)));
            servers.push(server);
        }
        for agent in agents.values_mut() {
            // It has its switch, its neighbours answer, and its peer has a session, in whatever order.
            let mut missing = 4;
            agent
                .until(|kind| {
                    missing -= match kind {
                        AgentEventKind::SwitchReady { .. }
                        | AgentEventKind::NextHop { mac: Some(_), .. }
                        | AgentEventKind::PeerUp { .. } => 1,
                        _ => 0,
                    };
                    (missing == 0).then_some(())
                })
                .await;
        }
        let mut fabric = Self { servers, agents, cables, seen, taps, hosts };
        for (number, [rack, other]) in [["rack1", "rack2"], ["rack2", "rack1"]].into_iter().enumerate() {
            let announcement = arp(host(number), [192, 168, 1, 1 + number as u8]);
            fabric.hosts[number].send(announcement).expect("the link is up");
            fabric.agent(rack).learned(host(number)).await;
            fabric.written(other, &format!("destination bd=1 mac={}", host(number))).await;
        }
        fabric
    }

    fn agent(&mut self, name: &str) -> &mut Watched {
        self.agents.get_mut(name).expect("it is there")
    }

    /// Until an agent has written something that says this.
    async fn written(&mut self, name: &str, text: &str) {
        let is = |changes: &[String]| changes.iter().any(|change| change.contains(text));
        self.agent(name)
            .until(|kind| match kind {
                AgentEventKind::Written { changes } if is(changes) => Some(()),
                _ => None,
            })
            .await;
    }

    /// Has a host send one frame of each flow to the other, and says what cables each took. None may be lost.
    async fn send(&mut self, from: usize) -> BTreeMap<u16, Vec<usize>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for number in 0..FLOWS {
            self.hosts[from].send(flow(from, number)).expect("the link is up");
        }
        let mut missing: BTreeMap<u16, ()> = (FIRST..FIRST + FLOWS).map(|port| (port, ())).collect();
        let all = async {
            while !missing.is_empty() {
                let frame: Frame = self.hosts[1 - from].recv().await.expect("the switch is there");
                if let Some(flow) = flow_of(&frame) {
                    missing.remove(&flow);
                }
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, all).await;
        assert!(in_time.is_ok(), "{} flows are lost", missing.len());
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn stop(mut self) {
        for (_, agent) in self.agents {
            agent.stop().await;
        }
        for server in self.servers {
            server.shutdown().await;
        }
        self.taps.shutdown().await;
    }
}

/// A file with addresses of this test's own.
fn configured(name: &str, text: &str, number: u64, switch: SocketAddr, peering: [SocketAddr; 2]) -> Config {
    let target = format!("127.0.0.1:{}", 9558 + number);
    assert!(text.contains(&target) && text.contains(&format!("device_id: {number}")), "{text}");
    // Four agents and four switches on a machine that has others as well: none is to be taken for gone because it waits for its turn.
    let text = text
        .replace("underlay:\n", "underlay:\n  neighbours: {ask_every: 1s, misses: 15}\n")
        .replace(&target, &switch.to_string())
        .replace("127.0.0.1:7001", &peering[0].to_string())
        .replace("127.0.0.1:7002", &peering[1].to_string());
    Config::parse(&format!("{name}.yaml"), &text).expect("the example is right").config
}

/// The uplink that each flow took out of the sender's rack.
fn uplinks(ways: &BTreeMap<u16, Vec<usize>>) -> Ways {
    ways.iter().map(|(flow, cables)| (*flow, cables[0])).collect()
}

#[track_caller]
fn assert_even(ways: &Ways, uplinks: [usize; 2]) {
    assert_eq!(ways.len(), usize::from(FLOWS));
    for uplink in uplinks {
        let flows = ways.values().filter(|it| **it == uplink).count();
        assert!((450..=550).contains(&flows), "{flows} of {FLOWS} flows on cable {uplink}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_ipv6_and_tagged_links_it_is_the_same() {
    let mut fabric = TwoRacks::start(OVER_IPV6).await;
    let there = uplinks(&fabric.send(0).await);
    let back = uplinks(&fabric.send(1).await);
    assert_even(&there, [0, 1]);
    assert_even(&back, [2, 3]);

    // It has its link, and carries nothing: neither end is answered.
    fabric.cables[0].mute.store(true, Ordering::Relaxed);
    for name in ["rack1", "spine1"] {
        fabric.agent(name).next_hop(false).await;
        fabric.written(name, "next_hop").await;
    }
    let ways = uplinks(&fabric.send(0).await);
    assert!(ways.values().all(|uplink| *uplink == 1));
    for cables in fabric.send(1).await.values() {
        let expected: &[usize] = if cables[0] == 2 { &[2, 4, 1] } else { &[3, 1] };
        assert_eq!(cables, expected);
    }
    fabric.cables[0].mute.store(false, Ordering::Relaxed);
    for name in ["rack1", "spine1"] {
        fabric.agent(name).next_hop(true).await;
        fabric.written(name, "next_hop").await;
    }
    assert_eq!(uplinks(&fabric.send(0).await), there);
    fabric.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flows_share_both_spines_and_a_cut_uplink_moves_only_its_own() {
    let mut fabric = TwoRacks::start(OVER_IPV4).await;
    let there = uplinks(&fabric.send(0).await);
    let back = uplinks(&fabric.send(1).await);
    assert_even(&there, [0, 1]);
    assert_even(&back, [2, 3]);
    assert_eq!(uplinks(&fabric.send(0).await), there, "each flow keeps to its way");

    // The cable between rack 1 and spine 1 is cut.
    fabric.cables[0].set_up(false);
    fabric.written("rack1", "next_hop").await;
    fabric.written("spine1", "next_hop").await;
    let ways = uplinks(&fabric.send(0).await);
    assert!(ways.values().all(|uplink| *uplink == 1), "those of the other uplink stay, those of the lost one go there");
    // Rack 2 knows nothing of it, and sends as before. What has lost its way goes by the other spine.
    let ways = fabric.send(1).await;
    assert_eq!(uplinks(&ways), back);
    for cables in ways.values() {
        let expected: &[usize] = if cables[0] == 2 { &[2, 4, 1] } else { &[3, 1] };
        assert_eq!(cables, expected);
    }

    fabric.cables[0].set_up(true);
    fabric.written("rack1", "next_hop").await;
    fabric.written("spine1", "next_hop").await;
    assert_eq!(uplinks(&fabric.send(0).await), there, "all as before");
    assert!(fabric.send(1).await.values().all(|cables| cables.len() == 2));

    // It has its link, and carries nothing: neither end is answered.
    fabric.cables[0].mute.store(true, Ordering::Relaxed);
    for name in ["rack1", "spine1"] {
        fabric.agent(name).next_hop(false).await;
        fabric.written(name, "next_hop").await;
    }
    let ways = uplinks(&fabric.send(0).await);
    assert!(ways.values().all(|uplink| *uplink == 1));
    assert_eq!(uplinks(&fabric.send(1).await), back);
    fabric.cables[0].mute.store(false, Ordering::Relaxed);
    for name in ["rack1", "spine1"] {
        fabric.agent(name).next_hop(true).await;
        fabric.written(name, "next_hop").await;
    }
    assert_eq!(uplinks(&fabric.send(0).await), there);
    fabric.stop().await;
}
