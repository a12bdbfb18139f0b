//! Uplinks that share what a rack sends, and one of them that is cut.
//!
//! ```text
//!            ┌── spine 1 ──┐        Each cable is two seats, with a relay between them, which writes down which flows it carries,
//!   rack 1 ──┼── spine 2 ──┼── rack 2    and can be told to carry nothing while both ends have their link.
//!            └──   ...   ──┘        Each spine has those beside it for what it cannot deliver itself.
//! ```
//!
//! A thousand flows are sent to see which way each takes. Then a stream runs, the uplink that it takes is cut, and what it loses is counted;
//! the flows of all other uplinks must stay where they are, and all must be as before when the uplink is back.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use vouch_agent::{Agent, AgentEventKind, AgentOptions, Config};
use vouch_lab::target::{Plant, Target};
use vouch_lab::topology::{PortRef, Seat, SwitchSpec};
use vouch_lab::{Host, HostSpec, StreamReport, Topology, Traffic, Wire};
use vouch_net::{MacAddr, Vni};
use vouch_switch_server::{Frame, Frames};

use crate::harness::Failure;

/// How many flows there are.
pub const FLOWS: u16 = 1_000;
/// The UDP source port of the first, and the destination port of all.
const FIRST: u16 = 10_000;
const TO: u16 = 4_242;
/// How long anything may take that does not fail.
const PATIENCE: Duration = Duration::from_secs(30);
/// For how long the stream runs before a cut, so that it is known which uplink it takes.
const BEFORE: Duration = Duration::from_millis(500);
/// For how long after it: more than it takes to find any of them.
const AFTER: Duration = Duration::from_secs(3);
/// Flows that are sent at a time: the fewest that any switch takes at once.
const BURST: usize = 8;
/// Frames that a relay takes at once.
const BATCH: usize = 64;

/// How an uplink is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Both of its ends lose their link.
    Link,
    /// It carries nothing any more, and both ends have their link: neighbours do not answer.
    Silent,
    /// The same where BFD runs.
    SilentBfd,
}

impl Cut {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Link, Self::Silent, Self::SilentBfd];
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Link => "its link is lost",
            Self::Silent => "it carries nothing",
            Self::SilentBfd => "it carries nothing, BFD",
        })
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// How many flows each uplink of the first rack took.
    pub shares: Vec<usize>,
    /// What the stream had of the cut.
    pub stream: StreamReport,
    /// What was not as it must be.
    pub problems: Vec<String>,
}

/// Play it, with so many spines.
///
/// # Errors
/// The fabric does not come up, or flows do not arrive.
pub async fn play(target: &dyn Target, spines: u16, cut: Cut) -> Result<Outcome, Failure> {
    let mut racks = Racks::start(target, spines, cut == Cut::SilentBfd).await?;
    let outcome = racks.cut(target.stream_rate(), cut).await;
    racks.stop().await;
    outcome
}

/// A cable between two switches.
struct Cable {
    ends: [PortRef; 2],
    mute: Arc<AtomicBool>,
    /// Frames that came from its first end.
    carried: Arc<AtomicU64>,
}

/// The cables that each flow was seen on, as bits.
type Seen = Arc<Mutex<BTreeMap<u16, u64>>>;

struct Racks {
    spines: u16,
    plant: Box<dyn Plant>,
    agents: Vec<Agent>,
    events: UnboundedReceiver<AgentEventKind>,
    /// Those of the first rack come first, by the numbers of the spines.
    cables: Vec<Cable>,
    seen: Seen,
    relays: JoinSet<()>,
    hosts: [Host; 2],
}

impl Racks {
    async fn start(target: &dyn Target, spines: u16, bfd: bool) -> Result<Self, Failure> {
        let cables = cables(spines);
        let mut plant = target.build(&topology(spines, &cables)?).await?;
        let (sender, events) = mpsc::unbounded_channel();
        let mut agents = Vec::new();
        let peering = free_addresses()?;
        for number in 1..=spines + 2 {
            let name = name(number);
            let control = plant.control(&name).ok_or("the target has no such switch")?;
            let text = configuration(number, spines, &control, peering, bfd);
            agents.push(start(Config::parse(&format!("{name}.yaml"), &text)?.config, sender.clone())?);
        }
        let (mut relays, seen) = (JoinSet::new(), Seen::default());
        let mut laid = Vec::new();
        for (number, ends) in cables.into_iter().enumerate() {
            let wires = [take(&mut *plant, &ends[0])?, take(&mut *plant, &ends[1])?];
            let cable = Cable { ends, mute: Arc::default(), carried: Arc::default() };
            let [a, b] = &wires;
            for (from, to, first) in [(a, b, true), (b, a, false)] {
                let tap = Tap { number, seen: Arc::clone(&seen), carried: first.then(|| Arc::clone(&cable.carried)) };
                relays.spawn(relay(Arc::clone(from), Arc::clone(to), Arc::clone(&cable.mute), tap));
            }
            laid.push(cable);
        }
        let traffic = Traffic::default();
        let host = |plant: &mut dyn Plant, number: u8| -> Result<Host, Failure> {
            let wire = take(plant, &PortRef::new(&name(number.into()), 1))?;
            Ok(Host::start(spec(number), wire, traffic.clone()))
        };
        let hosts = [host(&mut *plant, 1)?, host(&mut *plant, 2)?];
        let mut racks = Self { spines, plant, agents, events, cables: laid, seen, relays, hosts };
        match racks.settle().await {
            Ok(()) => Ok(racks),
            Err(error) => {
                racks.stop().await;
                Err(error)
            }
        }
    }

    /// Wait until all agents have their switches and neighbours, the racks each other, and the hosts, too.
    async fn settle(&mut self) -> Result<(), Failure> {
        let spines = usize::from(self.spines);
        // Of a spine: the racks, the next one and the one before.
        let (mut ready, mut neighbours, mut peers) = (spines + 2, 6 * spines, 2);
        let all = async {
            while let Some(kind) = self.events.recv().await {
                match kind {
                    AgentEventKind::SwitchReady { .. } => ready -= 1,
                    AgentEventKind::NextHop { mac, .. } if mac.is_some() => neighbours -= 1,
                    AgentEventKind::NextHop { .. } => neighbours += 1,
                    AgentEventKind::PeerUp { .. } => peers -= 1,
                    _ => {}
                }
                if (ready, neighbours, peers) == (0, 0, 0) {
                    return;
                }
            }
        };
        if timeout(PATIENCE, all).await.is_err() {
            let missing = format!("{ready} switches, {neighbours} neighbours and {peers} sessions");
            return Err(format!("the fabric does not come up: {missing} are missing").into());
        }
        let [one, two] = &self.hosts;
        one.ping(two.spec().ipv4.into(), PATIENCE).await?.ok_or("no answer through the fabric")?;
        Ok(())
    }

    async fn cut(&mut self, rate: u32, cut: Cut) -> Result<Outcome, Failure> {
        let mut problems = Vec::new();
        let before = self.settled_ways(rate).await?;
        let shares: Vec<usize> =
            (0..self.spines).map(|uplink| before.values().filter(|way| **way == uplink).count()).collect();
        let even = usize::from(FLOWS) / usize::from(self.spines);
        for (uplink, flows) in shares.iter().enumerate() {
            if flows.abs_diff(even) * 10 > even {
                problems.push(format!("uplink {} has {flows} of {FLOWS} flows, {even} would be even", uplink + 1));
            }
        }
        let [one, two] = &self.hosts;
        let stream = one.stream(two, rate).await?;
        let packets = |span: Duration| u64::from(rate) * span.as_millis() as u64 / 1_000;
        let carried = |racks: &Self| -> Vec<u64> {
            let uplinks = racks.cables.iter().take(racks.spines.into());
            uplinks.map(|cable| cable.carried.load(Ordering::Relaxed)).collect()
        };
        let start = carried(self);
        stream.ledger().sends(packets(BEFORE), PATIENCE).await;
        let busiest = carried(self).into_iter().zip(start).map(|(now, then)| now - then).enumerate();
        let uplink = busiest.max_by_key(|(_, frames)| *frames).map_or(0, |(uplink, _)| uplink);

        self.set(uplink, cut, false).await?;
        stream.ledger().sends(packets(AFTER), PATIENCE).await;
        let stream = stream.finish().await?;
        let meanwhile = self.ways(rate).await?;
        for (flow, way) in &meanwhile {
            let was = before[flow];
            if usize::from(*way) == uplink {
                problems.push(format!("flow {flow} takes uplink {}, which is cut", uplink + 1));
            } else if usize::from(was) != uplink && was != *way {
                problems.push(format!("flow {flow} has moved from uplink {} to {}", was + 1, way + 1));
            }
        }
        self.set(uplink, cut, true).await?;
        // A neighbour is asked a few times a second, and takes part again once it has answered.
        let deadline = Instant::now() + PATIENCE;
        while self.ways(rate).await? != before {
            if Instant::now() >= deadline {
                problems.push("not every flow has come back to its uplink".to_owned());
                break;
            }
        }
        problems.truncate(5);
        Ok(Outcome { shares, stream, problems })
    }

    /// Cuts an uplink, or mends it.
    async fn set(&self, uplink: usize, cut: Cut, up: bool) -> Result<(), Failure> {
        let cable = &self.cables[uplink];
        match cut {
            Cut::Link => {
                for end in &cable.ends {
                    self.plant.set_link(end, up).await?;
                }
            }
            Cut::Silent | Cut::SilentBfd => cable.mute.store(!up, Ordering::Relaxed),
        }
        Ok(())
    }

    /// Which uplink each flow takes once all neighbours take part: that they are known is said before the switch knows it.
    async fn settled_ways(&self, rate: u32) -> Result<BTreeMap<u16, u16>, Failure> {
        let deadline = Instant::now() + PATIENCE;
        let mut before = self.ways(rate).await?;
        loop {
            let now = self.ways(rate).await?;
            if now == before {
                return Ok(now);
            }
            if Instant::now() >= deadline {
                return Err("flows change their uplinks all the time".into());
            }
            before = now;
        }
    }

    /// Which uplink each flow from the first rack takes. What is lost on the way is sent again.
    async fn ways(&self, rate: u32) -> Result<BTreeMap<u16, u16>, Failure> {
        let seen = || self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen().clear();
        let deadline = Instant::now() + PATIENCE;
        let first = |cables: u64| u16::try_from(cables.trailing_zeros()).ok().filter(|cable| *cable < self.spines);
        loop {
            let missing: Vec<u16> = {
                let seen = seen();
                (FIRST..FIRST + FLOWS).filter(|flow| seen.get(flow).is_none_or(|it| first(*it).is_none())).collect()
            };
            if missing.is_empty() {
                return Ok(seen().iter().filter_map(|(flow, cables)| Some((*flow, first(*cables)?))).collect());
            }
            if Instant::now() >= deadline {
                return Err(format!("{} of {FLOWS} flows leave by no uplink", missing.len()).into());
            }
            for burst in missing.chunks(BURST) {
                for flow in burst {
                    self.hosts[0].send(frame(*flow)).await?;
                }
                // That is their rate, not what is waited for.
                sleep(Duration::from_secs(1) * BURST as u32 / rate).await;
            }
        }
    }

    async fn stop(mut self) {
        drop(self.hosts);
        self.relays.shutdown().await;
        for agent in self.agents {
            // Its switch is about to go.
            let _ = agent.shutdown().await;
        }
        self.plant.shutdown().await;
    }
}

/// What is seen at one end of a cable.
struct Tap {
    number: usize,
    seen: Seen,
    carried: Option<Arc<AtomicU64>>,
}

async fn relay(from: Wire, to: Wire, mute: Arc<AtomicBool>, tap: Tap) {
    let mut batch = Frames::new();
    while from.receive(&mut batch, BATCH).await.is_ok() {
        for frame in batch.iter().filter(|_| !mute.load(Ordering::Relaxed)) {
            if let Some(carried) = &tap.carried {
                carried.fetch_add(1, Ordering::Relaxed);
                if let Some(flow) = flow_of(frame) {
                    let mut seen = tap.seen.lock().unwrap_or_else(PoisonError::into_inner);
                    *seen.entry(flow).or_default() |= 1 << tap.number;
                }
            }
            // A wire that cannot take a frame counts it.
            let _ = to.send(frame);
        }
        to.flush();
        batch.clear();
    }
}

/// The frame of a flow from the first host to the second.
fn frame(flow: u16) -> Frame {
    let (from, to) = (spec(1), spec(2));
    let mut frame = [&to.mac.0[..], &from.mac.0, &[8, 0]].concat();
    // A tunnel asks nothing of the inner header, and nobody reads it.
    frame.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend(from.ipv4.octets().into_iter().chain(to.ipv4.octets()));
    frame.extend(flow.to_be_bytes().into_iter().chain(TO.to_be_bytes()));
    frame.extend([0, 8, 0, 0]);
    frame
}

/// The flow of a frame, behind the 50 bytes of its tunnel.
fn flow_of(frame: &[u8]) -> Option<u16> {
    let inner = frame.get(50..)?;
    let word = |at: usize| Some(u16::from_be_bytes([*inner.get(at)?, *inner.get(at + 1)?]));
    let is_flow = frame[36..38] == [0x12, 0xb5] && word(36)? == TO;
    word(34).filter(|flow| is_flow && (FIRST..FIRST + FLOWS).contains(flow))
}

fn take(plant: &mut dyn Plant, seat: &PortRef) -> Result<Wire, Failure> {
    plant.take_wire(seat).ok_or_else(|| format!("there is no cable at {seat}").into())
}

fn start(config: Config, events: UnboundedSender<AgentEventKind>) -> Result<Agent, Failure> {
    let (sender, mut receiver) = mpsc::channel(4_096);
    let agent = Agent::start(config, AgentOptions { events: Some(sender), ..AgentOptions::default() })?;
    tokio::spawn(async move {
        while let Some(event) = receiver.recv().await {
            if events.send(event.kind).is_err() {
                return;
            }
        }
    });
    Ok(agent)
}

/// Where agents of the racks listen for each other.
fn free_addresses() -> std::io::Result<[SocketAddr; 2]> {
    // Both are held until both are known.
    let held = [TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?];
    Ok([held[0].local_addr()?, held[1].local_addr()?])
}

// ---- on paper

/// What a switch is called: the racks come first.
fn name(number: u16) -> String {
    if number <= 2 { format!("rack{number}") } else { format!("spine{}", number - 2) }
}

fn spec(number: u8) -> HostSpec {
    HostSpec {
        name: format!("host{number}"),
        mac: MacAddr([2, 0, 0, 0, 9, number]),
        ipv4: [192, 168, 1, number].into(),
        ipv6: [0xfd00, 0, 0, 0, 0, 0, 0, number.into()].into(),
    }
}

/// The cables: each rack's port 9, 10, … to port 1 or 2 of each spine, and each spine's port 3 to port 4 of the next.
fn cables(spines: u16) -> Vec<[PortRef; 2]> {
    let spine = |number: u16, port| PortRef::new(&name(2 + number), port);
    let uplinks = (1..=2)
        .flat_map(|rack| (1..=spines).map(move |number| [PortRef::new(&name(rack), 8 + number), spine(number, rack)]));
    let between = (1..=spines).map(|number| [spine(number, 3), spine(number % spines + 1, 4)]);
    uplinks.chain(between).collect()
}

/// To the target, a cable is two seats.
fn topology(spines: u16, cables: &[[PortRef; 2]]) -> Result<Topology, Failure> {
    let vni = Vni::new(5001)?;
    let hosts = (1..=2).map(|rack| PortRef::new(&name(rack), 1));
    let seats = cables.iter().flatten().cloned().chain(hosts).map(|at| Seat { at, vni }).collect();
    let switch = |number: u16| SwitchSpec { name: name(number), device_id: number.into(), vtep: None };
    Ok(Topology { switches: (1..=spines + 2).map(switch).collect(), cables: Vec::new(), seats, guests: Vec::new() })
}

/// What an operator would write, as in `configs/two-rack`.
fn configuration(number: u16, spines: u16, control: &str, peering: [SocketAddr; 2], bfd: bool) -> String {
    let mut text =
        format!("name: {}\nswitch:\n  kind: bmv2\n  target: {control}\n  device_id: {number}\n", name(number));
    text.push_str("underlay:\n  mtu: 1550\n  ports:\n");
    let bfd = if bfd { ", bfd: {}" } else { "" };
    // Writing to a string cannot fail.
    let mut port = |port: u16, address: [u16; 2]| {
        let (mac, [third, last]) = (format!("02:00:00:00:{number:02x}:{port:02x}"), address);
        let _ = writeln!(text, "    - {{port: {port}, mac: \"{mac}\", address: 192.0.{third}.{last}/31{bfd}}}");
    };
    if number <= 2 {
        for spine in 1..=spines {
            port(8 + spine, [number, 2 * spine]);
        }
        let via: Vec<_> = (1..=spines).map(|spine| format!("192.0.{number}.{}", 2 * spine + 1)).collect();
        let _ = writeln!(text, "  routes:\n    - prefix: 10.0.0.0/24\n      via: [{}]", via.join(", "));
        let other = 3 - number;
        let [listen, endpoint] = [number, other].map(|rack| peering[usize::from(rack - 1)]);
        let _ = write!(
            text,
            "vtep:\n  address: 10.0.0.{number}\n\
             vnis:\n  - vni: 5001\n    access: [1]\n    probe_as: {{address: 192.168.1.253}}\n\
             peering:\n  listen: {listen}\n  plaintext: true\n\
             peers:\n  - name: rack{other}\n    address: 10.0.0.{other}\n    endpoint: http://{endpoint}\n"
        );
    } else {
        let (spine, before) = (number - 2, (number - 3 + spines - 1) % spines + 1);
        for rack in 1..=2 {
            port(rack, [rack, 2 * spine + 1]);
        }
        port(3, [3, 2 * spine]);
        port(4, [3, 2 * before + 1]);
        let _ = writeln!(text, "  routes:");
        for rack in 1..=2 {
            // Both ends of a cable name each other: BFD takes two.
            let backup = format!("[192.0.3.{}, 192.0.3.{}]", 2 * spine + 1, 2 * before);
            let via = format!("192.0.{rack}.{}", 2 * spine);
            let _ = writeln!(text, "    - prefix: 10.0.0.{rack}/32\n      via: {via}\n      backup: {backup}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_switch_has_a_configuration_and_every_link_two_ends() {
        let peering = [SocketAddr::from(([127, 0, 0, 1], 7001)), SocketAddr::from(([127, 0, 0, 1], 7002))];
        for spines in [2, 4] {
            let mut links: BTreeMap<[u8; 4], usize> = BTreeMap::new();
            for number in 1..=spines + 2 {
                let text = configuration(number, spines, "http://127.0.0.1:9559", peering, true);
                let config = Config::parse("it.yaml", &text).unwrap_or_else(|errors| panic!("{errors}\n{text}")).config;
                assert_eq!(config.underlay.ports.len(), if number <= 2 { usize::from(spines) } else { 4 });
                for line in text.lines().filter_map(|line| line.split_once("address: 192.0.")?.1.split_once("/31")) {
                    let numbers: Vec<u8> = line.0.split('.').map(|it| it.parse().expect("a number")).collect();
                    *links.entry([192, 0, numbers[0], numbers[1] / 2 * 2]).or_default() += 1;
                }
            }
            assert_eq!(links.len(), cables(spines).len());
            assert!(links.values().all(|ends| *ends == 2), "{links:?}");
        }
    }

    #[test]
    fn a_flow_is_known_behind_its_tunnel() {
        let mut outer = vec![0; 50];
        outer[36..38].copy_from_slice(&[0x12, 0xb5]);
        assert_eq!(flow_of(&[&outer[..], &frame(FIRST + 7)].concat()), Some(FIRST + 7));
        assert_eq!(flow_of(&frame(FIRST + 7)), None);
        assert_eq!(flow_of(&outer), None);
    }
}
