//! VTEPs around a spine, each with its agent, and crowds of hosts behind them.
//!
//! The agents' events are not looked at: they would cost more than the agents do.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use vouch_agent::metrics::Tally;
use vouch_agent::{Agent, AgentOptions, Config, Place};
use vouch_certs::Authority;
use vouch_lab::process::Process;
use vouch_lab::tables::{Reach, TableReader};
use vouch_lab::target::{Embedded, Plant, Target};
use vouch_lab::topology::{PortRef, Seat, SwitchSpec, Topology};
use vouch_lab::{Crowd, Traffic};
use vouch_mobility::Phase;
use vouch_net::Vni;

use crate::Result;

/// Of all hosts.
const VNI: u32 = 5001;
/// The port of a VTEP to the spine.
const UPLINK: u16 = 1;
/// Where nobody is at first.
const FREE: u16 = 2;
/// Where hosts are that stay: these and the following ports.
const FIRST: u16 = 3;
/// How many hosts are behind one port.
const HOSTS_PER_PORT: u32 = 8_192;
/// How many frames a link holds: what all hosts say at once.
const QUEUE: usize = 65_536;
/// How long certificates last.
const LASTS: Duration = Duration::from_secs(86_400);
/// How often agents are asked how far they are.
const LOOK: Duration = Duration::from_millis(20);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(1_800);

pub(crate) struct Fabric {
    pub(crate) vteps: u8,
    pub(crate) hosts: u32,
    plant: Box<dyn Plant>,
    /// By number, the spine's last.
    agents: Vec<One>,
    pub(crate) crowds: Vec<Placed>,
    _directory: TempDir,
}

struct One {
    config: Config,
    process: Process,
    agent: Agent,
}

/// Hosts of one port.
pub(crate) struct Placed {
    pub(crate) vtep: u8,
    pub(crate) port: u16,
    pub(crate) crowd: Crowd,
}

fn name(vtep: u8) -> String {
    format!("vtep{vtep}")
}

fn address(vtep: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, vtep)
}

/// The MAC address of a VTEP's uplink, or with `0xff` of the spine's port to it.
fn mac(vtep: u8, end: u8) -> String {
    format!("02:5e:00:00:{end:02x}:{vtep:02x}")
}

/// The hosts of each port: VTEP, port, and the numbers of hosts, of which those that move have the first VTEP's first port.
fn places(vteps: u8, hosts: u32, moves: u32) -> Vec<(u8, u16, std::ops::Range<u32>)> {
    let mut places = vec![(1, FIRST, 0..moves)];
    let mut next = moves;
    for vtep in 1..=vteps {
        let share = hosts * u32::from(vtep) / u32::from(vteps);
        let mut port = if vtep == 1 { FIRST + 1 } else { FIRST };
        while next < share {
            let end = share.min(next + HOSTS_PER_PORT);
            places.push((vtep, port, next..end));
            (next, port) = (end, port + 1);
        }
    }
    places
}

impl Fabric {
    pub(crate) async fn start(vteps: u8, hosts: u32, moves: u32) -> Result<Self> {
        let places = places(vteps, hosts, moves);
        let topology = topology(vteps, &places)?;
        let target = Embedded { queue: QUEUE, ..Embedded::default() };
        let mut plant = target.build(&topology).await?;
        let mut crowds = Vec::new();
        for (vtep, port, numbers) in places {
            let seat = PortRef::new(&name(vtep), port);
            let wire = plant.take_wire(&seat).ok_or("a seat has no wire")?;
            let crowd = Crowd::numbered(&seat.to_string(), numbers, wire, Traffic::default());
            crowds.push(Placed { vtep, port, crowd });
        }
        let directory = tempfile::tempdir()?;
        let authority = Authority::create("scale", LASTS)?;
        authority.save(directory.path())?;
        // All are held until all are known, so that no two are equal.
        let listeners: Vec<_> = (0..vteps).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect();
        let mut listen = BTreeMap::new();
        for (vtep, listener) in (1..).zip(&listeners) {
            let listener = listener.as_ref().map_err(|error| error.to_string())?;
            listen.insert(vtep, listener.local_addr()?);
        }
        drop(listeners);
        let mut fabric = Self { vteps, hosts, plant, agents: Vec::new(), crowds, _directory: directory };
        for vtep in 1..=vteps + 1 {
            let name = topology.switches[usize::from(vtep) - 1].name.clone();
            let control = fabric.plant.control(&name).ok_or("a switch has no controller's address")?;
            let mut text = format!("name: {name}\nswitch:\n  target: {control}\n  device_id: {vtep}\n");
            if vtep > vteps {
                of_spine(&mut text, vteps)?;
            } else {
                let identity = authority.issue(&name, &[], LASTS)?;
                let files = vouch_certs::store(fabric._directory.path(), &name, &identity, false)?;
                of_vtep(&mut text, vtep, &topology, &listen, &files)?;
            }
            let config = Config::parse(&name, &text).map_err(|errors| format!("{errors}\n{text}"))?.config;
            fabric.agents.push(launch(config).await?);
        }
        fabric.until("sessions", |fabric, tallies| fabric.has_sessions(tallies)).await?;
        Ok(fabric)
    }

    /// What each agent has of everything, the spine's excepted.
    pub(crate) async fn tallies(&self) -> Result<Vec<Tally>> {
        let mut tallies = Vec::new();
        for one in &self.agents[..usize::from(self.vteps)] {
            tallies.push(one.agent.figures().tally().await.ok_or("an agent has ended")?);
        }
        Ok(tallies)
    }

    /// Wait until all agents are so far.
    pub(crate) async fn until(&self, what: &str, reached: impl Fn(&Self, &[Tally]) -> bool) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let tallies = self.tallies().await?;
            if reached(self, &tallies) {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("{what}: not within {PATIENCE:?}: {tallies:?}").into());
            }
            sleep(LOOK).await;
        }
    }

    pub(crate) fn has_sessions(&self, tallies: &[Tally]) -> bool {
        tallies.iter().all(|it| it.ready && it.peers.values().all(|up| *up))
    }

    /// Every agent has every host, nothing is going on with any, and nothing waits for a switch.
    pub(crate) fn has_hosts(&self, tallies: &[Tally]) -> bool {
        tallies.iter().all(|it| it.unwritten == 0 && settled(it) == u64::from(self.hosts))
    }

    /// Have these crowds announce all their hosts, and again those that were not heard, until all agents are so far. How many were not.
    pub(crate) async fn announce(
        &self,
        crowds: std::ops::Range<usize>,
        reached: impl Fn(&Self, &[Tally]) -> bool,
    ) -> Result<u64> {
        let crowds = &self.crowds[crowds];
        for placed in crowds {
            placed.crowd.announce((0..placed.crowd.members().len()).collect()).await?;
        }
        let mut again = 0;
        while !self.is_reached(&reached).await? {
            for placed in crowds {
                let here = self.hosts_at(placed.vtep).await?;
                let members = placed.crowd.members();
                let missing = members.iter().enumerate().filter(|(_, (mac, _))| !here.contains(mac));
                let missing: Vec<usize> = missing.map(|(index, _)| index).collect();
                again += missing.len() as u64;
                placed.crowd.announce(missing).await?;
            }
        }
        Ok(again)
    }

    /// Wait until all agents are so far, or nothing has happened for a while: whether they are.
    async fn is_reached(&self, reached: &impl Fn(&Self, &[Tally]) -> bool) -> Result<bool> {
        const QUIET: Duration = Duration::from_secs(5);
        let mut last = (Instant::now(), Vec::new());
        loop {
            let tallies = self.tallies().await?;
            if reached(self, &tallies) {
                return Ok(true);
            }
            let progress = |it: &Tally| (it.entries, it.unwritten, settled(it), it.peering.sent, it.mobility.moves);
            let progress: Vec<_> = tallies.iter().map(progress).collect();
            if progress != last.1 {
                last = (Instant::now(), progress);
            } else if last.0.elapsed() > QUIET {
                return Ok(false);
            }
            sleep(LOOK).await;
        }
    }

    /// The hosts that an agent has behind itself.
    async fn hosts_at(&self, vtep: u8) -> Result<std::collections::BTreeSet<vouch_net::MacAddr>> {
        let status = self.agents[usize::from(vtep) - 1].agent.status().await.ok_or("an agent has ended")?;
        let here = status.hosts.into_iter().filter(|it| matches!(it.place, Some(Place::Interface(_))));
        Ok(here.map(|it| it.host.mac).collect())
    }

    /// Move the first crowd to the free port of the second VTEP, without a word.
    pub(crate) async fn carry_over(&mut self) -> Result<()> {
        let seat = PortRef::new(&name(2), FREE);
        let wire = self.plant.take_wire(&seat).ok_or("the free seat has no wire")?;
        let movers = &mut self.crowds[0];
        let _old = movers.crowd.transfer(wire).await?;
        (movers.vtep, movers.port) = (2, FREE);
        Ok(())
    }

    /// Kill an agent and start it again.
    pub(crate) async fn restart(&mut self, vtep: u8) -> Result<()> {
        let One { config, process, agent } = self.agents.remove(usize::from(vtep) - 1);
        process.kill().await;
        drop(agent);
        self.agents.insert(usize::from(vtep) - 1, launch(config).await?);
        Ok(())
    }

    /// Of some hosts of each crowd, those that some switch does not have where they are.
    pub(crate) async fn misplaced(&self) -> Result<Vec<String>> {
        /// Of each crowd.
        const SAMPLE: usize = 50;
        let vni = Vni::new(VNI)?;
        let mut wrong = Vec::new();
        for at in 1..=self.vteps {
            let control = self.plant.control(&name(at)).ok_or("a switch has no controller's address")?;
            let mut reader = TableReader::new(&control, at.into())?;
            for placed in &self.crowds {
                let members = placed.crowd.members();
                let step = members.len().div_ceil(SAMPLE).max(1);
                let hosts: Vec<_> = members.iter().step_by(step).map(|(mac, _)| (vni, *mac)).collect();
                let right =
                    if placed.vtep == at { Reach::Port(placed.port) } else { Reach::Tunnel(address(placed.vtep)) };
                let table = reader.hosts_among(&hosts).await?;
                for host in hosts {
                    let entry = table.get(&host).cloned().unwrap_or_default();
                    if !entry.is_at(&right) {
                        wrong.push(format!("{} has {} at {entry}, not at {right}", name(at), host.1));
                    }
                }
            }
        }
        Ok(wrong)
    }

    pub(crate) async fn shutdown(self) {
        drop(self.crowds);
        for One { process, agent, .. } in self.agents {
            // One that has panicked has been reported by the panic hook.
            let _ = agent.shutdown().await;
            process.kill().await;
        }
        self.plant.shutdown().await;
    }
}

/// Hosts with which nothing is going on.
fn settled(tally: &Tally) -> u64 {
    tally.census.hosts.iter().filter(|((_, phase), _)| *phase == Phase::Settled).map(|(_, count)| count).sum()
}

async fn launch(config: Config) -> Result<One> {
    let process = Process::new(&config.name)?;
    let taken = config.clone();
    let agent = process.run(async move { Agent::start(taken, AgentOptions::default()) }).await??;
    Ok(One { config, process, agent })
}

fn topology(vteps: u8, places: &[(u8, u16, std::ops::Range<u32>)]) -> Result<Topology> {
    let vni = Vni::new(VNI)?;
    let mut topology = Topology { switches: Vec::new(), cables: Vec::new(), seats: Vec::new(), guests: Vec::new() };
    for vtep in 1..=vteps {
        topology.switches.push(SwitchSpec { name: name(vtep), device_id: vtep.into(), vtep: Some(address(vtep)) });
        topology.cables.push([PortRef::new(&name(vtep), UPLINK), PortRef::new("spine", vtep.into())]);
        topology.seats.push(Seat { at: PortRef::new(&name(vtep), FREE), vni });
    }
    let seats = places.iter().map(|(vtep, port, _)| Seat { at: PortRef::new(&name(*vtep), *port), vni });
    topology.seats.extend(seats);
    topology.switches.push(SwitchSpec { name: "spine".to_owned(), device_id: u64::from(vteps) + 1, vtep: None });
    Ok(topology)
}

fn of_spine(text: &mut String, vteps: u8) -> Result<()> {
    writeln!(text, "underlay:\n  mtu: 1550\n  ports:")?;
    for vtep in 1..=vteps {
        writeln!(text, "    - {{ port: {vtep}, mac: \"{}\" }}", mac(vtep, 0xff))?;
    }
    writeln!(text, "  routes:")?;
    for vtep in 1..=vteps {
        let via = format!("{{ port: {vtep}, mac: \"{}\" }}", mac(vtep, 0));
        writeln!(text, "    - prefix: {}/32\n      via: {via}", address(vtep))?;
    }
    Ok(())
}

fn of_vtep(
    text: &mut String,
    vtep: u8,
    topology: &Topology,
    listen: &BTreeMap<u8, SocketAddr>,
    files: &vouch_certs::Files,
) -> Result<()> {
    writeln!(text, "underlay:\n  mtu: 1550\n  ports:\n    - {{ port: {UPLINK}, mac: \"{}\" }}", mac(vtep, 0))?;
    let via = format!("{{ port: {UPLINK}, mac: \"{}\" }}", mac(vtep, 0xff));
    writeln!(text, "  routes:\n    - prefix: 192.0.2.0/24\n      via: {via}")?;
    writeln!(text, "vtep:\n  address: {}", address(vtep))?;
    let here = topology.seats.iter().filter(|seat| seat.at.switch == name(vtep));
    let ports: Vec<String> = here.map(|seat| seat.at.port.to_string()).collect();
    writeln!(text, "vnis:\n  - vni: {VNI}\n    access: [{}]", ports.join(", "))?;
    writeln!(text, "    probe_as: {{ address: 10.0.0.254 }}")?;
    writeln!(text, "peers:")?;
    for (peer, endpoint) in listen.iter().filter(|(peer, _)| **peer != vtep) {
        writeln!(text, "  - name: {}\n    address: {}", name(*peer), address(*peer))?;
        writeln!(text, "    endpoint: https://{endpoint}")?;
    }
    let own = listen.get(&vtep).ok_or("a VTEP has no address")?;
    writeln!(text, "peering:\n  listen: \"{own}\"\n  tls:")?;
    for (field, path) in [("ca", &files.ca), ("cert", &files.cert), ("key", &files.key)] {
        writeln!(text, "    {field}: {:?}", path.display().to_string())?;
    }
    Ok(())
}
