//! The agent against the embedded switch: one VTEP, its hosts on in-process links, P4Runtime over loopback.

mod alerts;
mod bench;
mod disturbance;
mod evidence;
mod kind;
mod metrics;
mod next_hops;
mod operate;
mod orders;
mod stall;
mod traces;
mod two_rack;

use std::path::Path;
use std::time::Duration;

use bench::*;
use kind::{Kind, Parts, on_each_kind};
use vouch_agent::config::{PipelineFiles, TofinoServer};
use vouch_agent::{Agent, AgentEventKind, AgentOptions, Place};
use vouch_mobility::Report;
use vouch_net::MacAddr;
use vouch_switch_server::{LinkConfig, link};

on_each_kind! {
    a_restarted_agent_keeps_its_hosts_writes_nothing_and_interrupts_nothing,
    a_switch_that_comes_late_or_restarts_gets_its_tables,
    b2_a_port_that_goes_down_is_heard_of,
    a_host_that_falls_silent_is_asked_and_forgotten,
    frames_that_the_underlay_does_not_carry_are_reported_once_for_each_place,
}

async fn a_restarted_agent_keeps_its_hosts_writes_nothing_and_interrupts_nothing(kind: Kind) {
    let address = free_address();
    let bench = switch(kind, address).await;
    let mut agent = start(config(kind, address));
    let (installed, restored, written) = agent.ready().await;
    assert!(installed && restored == 0 && written > 0, "an empty switch gets everything");

    bench.cables[0].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    agent.learned(HOST).await;
    bench.cables[1].send(arp(NEIGHBOR, [192, 168, 1, 2])).expect("the link is up");
    agent.learned(NEIGHBOR).await;
    agent.stop().await;

    bench.cables[0].send(data(HOST, NEIGHBOR, 1)).expect("the link is up");
    received(&bench.cables[1], &data(HOST, NEIGHBOR, 1)).await;

    let mut agent = start(config(kind, address));
    let (installed, restored, written) = agent.ready().await;
    assert_eq!((installed, restored), (false, 2));
    // Of each host: whether its address is confirmed, and whether it is being asked for that.
    assert!(written <= 4, "{written} entries written to a switch that had them all");
    let status = agent.status().await;
    let places: Vec<Option<Place>> = status.hosts.iter().map(|host| host.place).collect();
    assert!(places.iter().all(|place| matches!(place, Some(Place::Interface(_)))), "{places:?}");
    assert!(status.hosts.iter().all(|host| host.bindings.len() == 1), "{:?}", status.hosts);
    bench.cables[0].send(data(HOST, NEIGHBOR, 2)).expect("the link is up");
    received(&bench.cables[1], &data(HOST, NEIGHBOR, 2)).await;
    agent.stop().await;
    bench.server.shutdown().await;
}

async fn a_switch_that_comes_late_or_restarts_gets_its_tables(kind: Kind) {
    let address = free_address();
    let mut agent = start(config(kind, address));
    // Nobody is there yet; the agent says that it is not ready and keeps trying.
    assert!(!agent.status().await.ready);

    let bench = switch(kind, address).await;
    let (installed, ..) = agent.ready().await;
    assert!(installed);
    bench.cables[0].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    agent.learned(HOST).await;
    let entries = agent.status().await.entries;

    bench.server.shutdown().await;
    agent.lost().await;
    // What was known of its links was of that switch, in that session.
    agent.until(|kind| matches!(kind, AgentEventKind::PortsUnknown).then_some(())).await;
    let bench = switch(kind, address).await;
    let (installed, _, written) = agent.ready().await;
    assert!(installed, "the new switch knew no program");
    assert_eq!(written, entries, "hosts included");
    assert_eq!(agent.status().await.hosts.len(), 1);
    agent.stop().await;
    bench.server.shutdown().await;
}

async fn b2_a_port_that_goes_down_is_heard_of(kind: Kind) {
    let address = free_address();
    let bench = switch(kind, address).await;
    let mut agent = start(config(kind, address));
    agent.ready().await;
    let down = kind.port(1);
    bench.cables[0].set_up(false);
    agent.until(|kind| matches!(kind, AgentEventKind::Port { port, up: false } if *port == down).then_some(())).await;
    bench.cables[0].set_up(true);
    agent.until(|kind| matches!(kind, AgentEventKind::Port { port, up: true } if *port == down).then_some(())).await;
    agent.stop().await;
    bench.server.shutdown().await;
}

/// However the switch lets it be known: by notifications, or by counters that do not change.
async fn a_host_that_falls_silent_is_asked_and_forgotten(kind: Kind) {
    let address = free_address();
    let bench = switch(kind, address).await;
    let mut config = config(kind, address);
    config.vtep.as_mut().expect("the demo's is a VTEP").timers.host_ageing = Duration::from_secs(1);
    let mut agent = start(config);
    agent.ready().await;
    bench.cables[0].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    bench.cables[1].send(arp(NEIGHBOR, [192, 168, 1, 2])).expect("the link is up");
    // The one goes on talking until the other is gone.
    let talking = async {
        loop {
            bench.cables[0].send(data(HOST, NEIGHBOR, 1)).expect("the link is up");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let removed = agent.until(|kind| match kind {
        AgentEventKind::Report(Report::Removed { host, .. }) => Some(host.mac),
        _ => None,
    });
    let gone = tokio::select! {
        gone = removed => gone,
        () = talking => unreachable!("it talks for ever"),
    };
    assert_eq!(gone, NEIGHBOR);
    agent.stop().await;
    bench.server.shutdown().await;
}

async fn frames_that_the_underlay_does_not_carry_are_reported_once_for_each_place(kind: Kind) {
    too_long(kind, Some(1400), kind.parts()).await;
}

/// The switch says what its ports carry, so that nobody has to.
#[tokio::test]
async fn the_underlay_carries_what_the_switch_says_of_its_ports() {
    let (_far, uplink) = link(LinkConfig { max_frame: Some(1414), ..LinkConfig::default() });
    let Parts { builder, tofino } = Kind::Bmv2.parts();
    too_long(Kind::Bmv2, None, Parts { builder: builder.port(9, uplink), tofino }).await;
}

async fn too_long(kind: Kind, mtu: Option<u16>, parts: Parts) {
    let address = free_address();
    let bench = switch_of(kind, parts, address).await;
    let mut config = config(kind, address);
    config.underlay.mtu = mtu;
    let mut agent = start(config);
    agent.ready().await;
    let mut reported = Vec::new();
    for (cable, mac) in bench.cables.iter().zip([HOST, NEIGHBOR]) {
        // One byte more than 1400 have room for.
        let frame = [data(mac, MacAddr::BROADCAST, 1), vec![0; 1500]].concat()[..1400 - 36 + 1].to_vec();
        let talking = async {
            loop {
                cable.send(frame.clone()).expect("the link is up");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let told = agent.until(|kind| match kind {
            AgentEventKind::ExceedsMtu { place, mtu: 1400, .. } => Some(*place),
            _ => None,
        });
        reported.push(tokio::select! {
            place = told => place,
            () = talking => unreachable!("it talks for ever"),
        });
    }
    assert_ne!(reported[0], reported[1], "what is known is not said again");
    let places: Vec<Place> = agent.status().await.too_long.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, reported);
    agent.stop().await;
    bench.server.shutdown().await;
}

#[tokio::test]
async fn a_pipeline_that_no_tofino_can_run_is_refused() {
    let mut config = config(Kind::Tofino(TofinoServer::Sde), free_address());
    let Some(PipelineFiles::Tofino { binary, context, .. }) = &mut config.switch.pipeline else { panic!("{config:?}") };
    std::mem::swap(binary, context);
    let error = Agent::start(config, AgentOptions::default()).expect_err("the files are mixed up").to_string();
    assert!(error.contains("cannot run on a Tofino: the context.json is not JSON"), "{error}");
}

#[tokio::test]
async fn a_pipeline_without_a_needed_table_is_refused_by_name() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let p4info = include_str!("../../../../p4src/build/vtep.p4info.txtpb").replace("\"destination\"", "\"goal\"");
    let path = directory.path().join("other.p4info.txtpb");
    std::fs::write(&path, p4info).expect("writable");
    let json = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../p4src/build/vtep.json");

    let mut config = config(Kind::Bmv2, free_address());
    config.switch.pipeline = Some(PipelineFiles::Bmv2 { p4info: path, device_config: json });
    let error = Agent::start(config, AgentOptions::default()).expect_err("a table is missing").to_string();
    assert!(error.contains("other.p4info.txtpb") && error.contains("`destination`"), "{error}");
}
