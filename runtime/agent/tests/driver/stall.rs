//! A switch that stalls: its connection stands, and nothing comes through. As `kill -STOP`, or an overloaded CPU.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::watch;
use vouch_agent::AgentEventKind;
use vouch_mobility::{Report, WhyUnproven};
use vouch_net::MacAddr;

use crate::bench::*;
use crate::kind::{Kind, on_each_kind};

on_each_kind! {
    a_switch_that_stalls_while_a_host_is_asked_gives_no_verdict,
    an_agent_whose_switch_stalls_at_work_falls_silent_until_it_goes_on,
    strangers_wait_for_a_switch_that_is_at_work,
}

/// What stands between an agent and its switch, and can hold up everything, or what is said to the switch.
struct Wire {
    address: SocketAddr,
    open: watch::Sender<bool>,
    to_switch: watch::Sender<bool>,
}

impl Wire {
    async fn to(switch: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
        let address = listener.local_addr().expect("it is bound");
        let (open, to_switch) = (watch::Sender::new(true), watch::Sender::new(true));
        let gates = [open.subscribe(), to_switch.subscribe()];
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(switch).await else { continue };
                let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
                tokio::spawn(pass(from_near, to_far, gates.to_vec()));
                tokio::spawn(pass(from_far, to_near, gates[..1].to_vec()));
            }
        });
        Self { address, open, to_switch }
    }

    fn hold_up(&self, held_up: bool) {
        self.open.send_replace(!held_up);
    }
}

async fn pass(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, mut gates: Vec<watch::Receiver<bool>>) {
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        for gate in &mut gates {
            if gate.wait_for(|open| *open).await.is_err() {
                return;
            }
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

/// Row 2: the switch stopped for 2 s and one forged ARP was enough to take a host that was there all the time.
async fn a_switch_that_stalls_while_a_host_is_asked_gives_no_verdict(kind: Kind) {
    let address = free_address();
    let bench = switch(kind, address).await;
    let wire = Wire::to(address).await;
    let mut config = config(kind, wire.address);
    // The agent has only just started: the host's place has yet to earn its trust.
    config.vtep.as_mut().expect("the demo's is a VTEP").timers.probation = Duration::ZERO;
    let mut agent = start(config);
    agent.ready().await;
    bench.cables[0].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    agent.learned(HOST).await;

    // The host never answers: what keeps it is that nothing proves that it would have been heard.
    bench.cables[1].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    agent.until(|kind| matches!(kind, AgentEventKind::Report(Report::VerificationStarted { .. })).then_some(())).await;
    wire.hold_up(true);
    let verdict = agent.until(|kind| match kind {
        AgentEventKind::Report(Report::Moved { .. }) => Some(Err("moved")),
        AgentEventKind::Report(Report::Unproven { why, .. }) => Some(Ok(*why)),
        _ => None,
    });
    let why = verdict.await.expect("nobody could have heard the host");
    assert!(matches!(why, WhyUnproven::NotAsked | WhyUnproven::AnswersLost), "{why:?}");

    // It goes on, and the host is there after all: it says something now and then.
    wire.hold_up(false);
    let talking = async {
        loop {
            bench.cables[0].send(data(HOST, NEIGHBOR, 1)).expect("the link is up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let stayed = agent.until(|kind| match kind {
        AgentEventKind::Report(moved @ Report::Moved { .. }) => Some(Err(format!("{moved:?}"))),
        AgentEventKind::Report(Report::Stayed { .. }) => Some(Ok(())),
        _ => None,
    });
    tokio::select! {
        stayed = stayed => stayed.expect("the host was there all the time"),
        () = talking => unreachable!("it talks for ever"),
    }
    agent.stop().await;
    bench.server.shutdown().await;
}

async fn an_agent_whose_switch_stalls_at_work_falls_silent_until_it_goes_on(kind: Kind) {
    let addresses = [free_address(), free_address()];
    let (one, two) = (switch(kind, addresses[0]).await, switch(kind, addresses[1]).await);
    let wire = Wire::to(addresses[0]).await;
    let [mut first, mut second] = configs_of(kind, [wire.address, addresses[1]]).map(start);
    first.ready().await;
    second.ready().await;
    first.peer_up().await;
    second.peer_up().await;

    // Work that does not get done: a host of the peer's is to be written.
    wire.hold_up(true);
    two.cables[0].send(arp(NEIGHBOR, [192, 168, 1, 2])).expect("the link is up");
    second.learned(NEIGHBOR).await;
    assert_eq!(second.peer_down().await, "closed: not in charge of the switch");
    assert!(!first.status().await.ready);
    tokio::time::sleep(Duration::from_millis(100)).await;
    wire.hold_up(false);
    second.peer_up().await;
    first.knows(NEIGHBOR).await;
    while !first.status().await.ready {
        tokio::task::yield_now().await;
    }
    first.stop().await;
    second.stop().await;
    one.server.shutdown().await;
    two.server.shutdown().await;
}

/// New hosts flooded every table's room from seven ports, and a question to somebody else's host waited behind what was to be
/// written of them: whoever moved was not found out about for as long as the flood lasted.
async fn strangers_wait_for_a_switch_that_is_at_work(kind: Kind) {
    const STRANGERS: u16 = 1_500;
    // With its location, its source and its destination, and the address that it announces, each is four entries.
    const AT_MOST: usize = 400;
    let address = free_address();
    let bench = switch(kind, address).await;
    let wire = Wire::to(address).await;
    let mut agent = start(config(kind, wire.address));
    agent.ready().await;
    wire.to_switch.send_replace(false);
    let strangers = (0..STRANGERS).map(|number| {
        let [high, low] = number.to_be_bytes();
        (MacAddr([2, 0, 0, 1, high, low]), [192, 168, high + 2, low])
    });
    for (mac, address) in strangers.clone() {
        bench.cables[0].send(arp(mac, address)).expect("the link is up");
        tokio::task::yield_now().await;
    }
    // Whoever is asked something looks at everything else meanwhile.
    let first = async { while agent.status().await.hosts.len() < 32 {} };
    tokio::time::timeout(PATIENCE, first).await.expect("it hears of the first strangers");
    let mut most = 0;
    for _ in 0..500 {
        most = most.max(agent.status().await.hosts.len());
    }
    assert!(most < AT_MOST, "{most} strangers are to be written");
    wire.to_switch.send_replace(true);
    for (mac, _) in strangers {
        agent.knows(mac).await;
    }
    agent.stop().await;
    bench.server.shutdown().await;
}
