//! Next hops by their addresses: the test is the neighbour at the uplink's other end.

use std::net::{Ipv4Addr, SocketAddr};

use vouch_agent::Config;
use vouch_agent::management::{Client, v1};
use vouch_net::MacAddr;
use vouch_switch_server::{Endpoint, LinkConfig, ServerHandle, SwitchServer, link};
use vouch_tables::EntryKey;

use crate::bench::*;

const CONFIG: &str = include_str!("../../../../configs/demo/vtep1.yaml");
const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 0);
const THEIRS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const THEIR_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0xf0, 1]);

async fn switch() -> (ServerHandle, Endpoint) {
    let (neighbour, port) = link(LinkConfig::default());
    let server = SwitchServer::builder().device_id(1).port(9, port).build().expect("valid");
    (server.listen("127.0.0.1:0").await.expect("loopback has ports"), neighbour)
}

/// VTEP 1 of the demo, whose next hop is known by its address.
fn config(switch: SocketAddr) -> Config {
    let mut text = CONFIG
        .replace("mac: \"02:00:00:00:01:09\"}", "mac: \"02:00:00:00:01:09\", address: 192.0.2.0/31}")
        .replace("via: {port: 9, mac: \"02:00:00:00:fe:01\"}", "via: 192.0.2.1")
        .replace("127.0.0.1:9559", &switch.to_string());
    for port in 7001..=7003 {
        text = text.replace(&format!("127.0.0.1:{port}"), &free_address().to_string());
    }
    Config::parse("vtep1.yaml", &text).expect("it is right").config
}

/// ARP: 1 asks, 2 answers.
fn arp(operation: u8, from: (MacAddr, Ipv4Addr), to: (MacAddr, Ipv4Addr)) -> Vec<u8> {
    let destination = if operation == 1 { MacAddr::BROADCAST } else { to.0 };
    let mut frame = [&destination.0[..], &from.0.0, &[8, 6, 0, 1, 8, 0, 6, 4, 0, operation], &from.0.0].concat();
    frame.extend(from.1.octets());
    frame.extend(if operation == 1 { [0; 6] } else { to.0.0 });
    frame.extend(to.1.octets());
    frame
}

/// The next ARP question of the agent: who asks, for what.
async fn question(neighbour: &Endpoint) -> ((MacAddr, Ipv4Addr), Ipv4Addr) {
    let asked = async {
        loop {
            let frame = neighbour.recv().await.expect("the switch is there");
            if frame[12..14] == [8, 6] && frame[21] == 1 {
                let address = |at: usize| Ipv4Addr::new(frame[at], frame[at + 1], frame[at + 2], frame[at + 3]);
                let mac: [u8; 6] = frame[22..28].try_into().expect("six bytes");
                return ((MacAddr(mac), address(28)), address(38));
            }
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("the agent asks")
}

/// How many routes the switch is to have.
async fn routes(agent: &Watched) -> usize {
    let wanted = agent.agent.wanted().await.expect("it knows its switch");
    wanted.keys().filter(|key| matches!(key, EntryKey::UnderlayRoute(_))).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_next_hop_that_answers_is_used_and_one_that_falls_silent_is_not() {
    let (server, neighbour) = switch().await;
    let mut agent = start(config(server.local_addr()));
    agent.ready().await;
    // Somebody else answers, for itself and for us; then nobody, and that is told.
    let (us, target) = question(&neighbour).await;
    assert_eq!((us, target), ((MacAddr([2, 0, 0, 0, 1, 9]), OURS), THEIRS));
    let other = MacAddr([2, 0, 0, 0, 0xf0, 66]);
    neighbour.send(arp(2, (other, Ipv4Addr::new(192, 0, 2, 7)), us)).expect("the link is up");
    neighbour.send(arp(2, (other, OURS), us)).expect("the link is up");
    neighbour.send(arp(2, (other, THEIRS), (us.0, Ipv4Addr::new(192, 0, 2, 9)))).expect("the link is up");
    assert_eq!(agent.next_hop(false).await, THEIRS);
    assert_eq!((routes(&agent).await, agent.status().await.driver.neighbours_refused), (0, 3));

    // It answers.
    question(&neighbour).await;
    neighbour.send(arp(2, (THEIR_MAC, THEIRS), us)).expect("the link is up");
    assert_eq!(agent.next_hop(true).await, THEIRS);
    agent.until(|kind| matches!(kind, vouch_agent::AgentEventKind::Written { .. }).then_some(())).await;
    assert_eq!(routes(&agent).await, 1);

    // And falls silent.
    assert_eq!(agent.next_hop(false).await, THEIRS);
    assert_eq!(routes(&agent).await, 0);
    agent.stop().await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_our_address_is_answered() {
    let (server, neighbour) = switch().await;
    let mut agent = start(config(server.local_addr()));
    agent.ready().await;
    let them = (THEIR_MAC, THEIRS);
    neighbour.send(arp(1, them, (MacAddr::ZERO, Ipv4Addr::new(192, 0, 2, 5)))).expect("the link is up");
    neighbour.send(arp(1, them, (MacAddr::ZERO, OURS))).expect("the link is up");
    let answered = async {
        loop {
            let frame = neighbour.recv().await.expect("the switch is there");
            if frame[12..14] == [8, 6] && frame[21] == 2 {
                return frame.to_vec();
            }
        }
    };
    let answer = tokio::time::timeout(PATIENCE, answered).await.expect("it answers");
    assert_eq!(answer[..42], arp(2, (MacAddr([2, 0, 0, 0, 1, 9]), OURS), them), "for ours, and only for ours");
    agent.stop().await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_that_sends_nothing_for_us_is_said_to_be_wrong_and_how_to_start_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = SwitchServer::builder().device_id(1).without_cpu_port().build().expect("valid");
    let server = server.listen("127.0.0.1:0").await.expect("loopback has ports");
    let mut config = config(server.local_addr());
    // The agent makes the folder of its socket, and no more than that.
    config.management = Some(folder.path().join("nothing/like/that/vtep1.sock"));
    let refused = vouch_agent::Agent::start(config.clone(), vouch_agent::AgentOptions::default());
    assert!(refused.is_err_and(|error| error.to_string().contains("nothing/like/that")));
    let socket = folder.path().join("vouch/vtep1.sock");
    config.management = Some(socket.clone());
    let mut agent = start(config);
    agent.ready().await;
    let mut client = Client::connect(&socket).await.expect("the agent listens");
    let wrong = loop {
        let status = client.status().await.expect("it answers");
        match status.problems.into_iter().find(|problem| problem.what.contains("without a CPU port")) {
            Some(wrong) => break wrong,
            // Until the next hop is asked for.
            None => tokio::task::yield_now().await,
        }
    };
    assert_eq!(wrong.severity(), v1::problem::Severity::Error);
    assert!(wrong.remedy.contains("--cpu-port 510"), "{wrong:?}");
}
