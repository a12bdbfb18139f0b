//! The example configuration for two BMv2 switches, and an agent that is stopped and started again: the switch forwards
//! meanwhile, and the new agent finds everything as it would have it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use vouch_agent::{Agent, AgentEvent, AgentEventKind, AgentOptions, Config};
use vouch_bmv2_tests::Processes;
use vouch_bmv2_tests::harness::{Failure, TestResult};
use vouch_lab::target::Target;
use vouch_lab::topology::{PortRef, Seat, SwitchSpec};
use vouch_lab::{Host, HostSpec, Topology, Traffic};
use vouch_net::{MacAddr, Vni};

/// How long anything may take that does not fail.
const PATIENCE: Duration = Duration::from_secs(20);
/// Packets sent before, during and after the absence of the agent.
const LEAD: u64 = 100;
/// The files of the example, and the host that a test puts behind port 1 of each.
const FILES: [(&str, &str); 2] = [
    ("configs/bmv2/vtep1.yaml", include_str!("../../../configs/bmv2/vtep1.yaml")),
    ("configs/bmv2/vtep2.yaml", include_str!("../../../configs/bmv2/vtep2.yaml")),
];

/// Ping through the example's fabric, then restart an agent under a stream.
pub(crate) async fn restart(switches: Arc<Processes>) -> TestResult {
    let configs: Result<Vec<_>, _> = FILES.iter().map(|(name, text)| Config::parse(name, text)).collect();
    let mut configs: Vec<Config> = configs?.into_iter().map(|checked| checked.config).collect();
    let topology = topology(&configs)?;
    let mut plant = switches.build(&topology).await?;
    for config in &mut configs {
        // The example's switches listen where its comment starts them, ours where the target has started them.
        config.switch.target = plant.control(&config.name).ok_or("the example has no such switch")?;
    }
    let (first, mut events) = start(&configs[0])?;
    let (second, mut other_events) = start(&configs[1])?;
    ready(&mut events).await?;
    ready(&mut other_events).await?;

    let traffic = Traffic::default();
    let mut hosts = Vec::new();
    for (number, config) in (1..).zip(&configs) {
        let wire = plant.take_wire(&PortRef::new(&config.name, 1)).ok_or("port 1 has no seat")?;
        hosts.push(Host::start(host(number), wire, traffic.clone()));
    }
    let [one, two] = hosts.as_slice() else { return Err("the example has two switches".into()) };
    one.ping(two.spec().ipv4.into(), PATIENCE).await?.ok_or("no answer through the example's fabric")?;

    let stream = one.stream(two, switches.stream_rate()).await?;
    stream.ledger().sends(LEAD, PATIENCE).await;
    first.shutdown().await?;
    stream.ledger().sends(LEAD, PATIENCE).await;
    let (first, mut events) = start(&configs[0])?;
    let found = ready(&mut events).await?;
    stream.ledger().sends(LEAD, PATIENCE).await;
    let report = stream.finish().await?;

    drop(hosts);
    first.shutdown().await?;
    second.shutdown().await?;
    plant.shutdown().await;
    // The tables are as the new agent would have them, but for one thing that no table holds: that the addresses of the two
    // hosts are confirmed, which it has yet to hear.
    if found != (Found { program_installed: false, hosts_restored: 2, entries_written: 2 }) || report.lost > 0 {
        return Err(format!("the new agent: {found:?}; the stream: {report:?}").into());
    }
    Ok(())
}

/// The two switches of the example back to back, with a seat at each access port.
fn topology(configs: &[Config]) -> Result<Topology, Failure> {
    let switch =
        |config: &Config| SwitchSpec { name: config.name.clone(), device_id: config.switch.device_id, vtep: None };
    let vni = Vni::new(5001)?;
    let seat = |config: &Config| Seat { at: PortRef::new(&config.name, 1), vni };
    let [one, two] = configs else { return Err("the example has two switches".into()) };
    Ok(Topology {
        switches: configs.iter().map(switch).collect(),
        cables: vec![[PortRef::new(&one.name, 9), PortRef::new(&two.name, 9)]],
        seats: configs.iter().map(seat).collect(),
        guests: Vec::new(),
    })
}

fn host(number: u8) -> HostSpec {
    HostSpec {
        name: format!("host{number}"),
        mac: MacAddr([2, 0, 0, 0, 0, number]),
        ipv4: [192, 168, 1, number].into(),
        ipv6: [0xfd00, 0, 0, 0, 0, 0, 0, number.into()].into(),
    }
}

fn start(config: &Config) -> Result<(Agent, mpsc::Receiver<AgentEvent>), Failure> {
    let (events, receiver) = mpsc::channel(4096);
    Ok((Agent::start(config.clone(), AgentOptions { events: Some(events), ..AgentOptions::default() })?, receiver))
}

/// In what state an agent found its switch.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    program_installed: bool,
    hosts_restored: usize,
    entries_written: usize,
}

async fn ready(events: &mut mpsc::Receiver<AgentEvent>) -> Result<Found, Failure> {
    let found = async {
        while let Some(event) = events.recv().await {
            if let AgentEventKind::SwitchReady { program_installed, hosts_restored, entries_written } = event.kind {
                return Ok(Found { program_installed, hosts_restored, entries_written });
            }
        }
        Err("the agent ended")
    };
    Ok(timeout(PATIENCE, found).await.map_err(|_| "the agent does not get control of its switch")??)
}
