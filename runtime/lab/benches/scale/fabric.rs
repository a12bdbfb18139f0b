//! VTEPs with a cable between any two, their agents, and hosts at their ports.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::runtime::Runtime;
use vouch_certs::Authority;
use vouch_switch_server::{Endpoint, LinkConfig, ServerHandle, SwitchServer, link};

use crate::agent::{Process, Standing};
use crate::hosts::{Hosts, Seat};
use crate::tables::Tables;
use crate::{Result, Vtep};

const VNI: u32 = 5_001;
/// The access ports of each VTEP: where hosts are that stay, and where those are that move.
const ACCESS: [u16; 3] = [1, 2, 3];
const HOME: usize = 0;
pub(crate) const MOVING: [usize; 2] = [1, 2];
/// The first port of the underlay.
const UNDERLAY: u16 = 10;
/// How many frames a link holds: what all hosts of a port say at once, and what is flooded of it.
const QUEUE: usize = 1 << 18;
const LASTS: Duration = Duration::from_secs(86_400);
/// How often the tables are looked at, and the agents asked.
const LOOK: Duration = Duration::from_millis(2);
const ASK: Duration = Duration::from_millis(50);
/// How long nothing may happen before hosts that were not heard announce themselves again, and how long anything may take.
const QUIET: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(900);

/// See the module.
pub(crate) struct Fabric {
    vteps: Vec<Vtep>,
    hosts: Hosts,
    agents: Vec<Process>,
    files: Vec<PathBuf>,
    tables: Vec<Tables>,
    _switches: Vec<ServerHandle>,
    _runtime: Runtime,
    _directory: TempDir,
}

/// When everybody had the hosts where they are.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// Since the first announcement.
    pub(crate) took: Duration,
    /// Announcements that were made again.
    pub(crate) again: usize,
}

impl Fabric {
    /// Starts switches and agents, and waits until all sessions are up. `seat` says at which VTEP, and at which of its access ports, each host is.
    pub(crate) fn start(vteps: u8, hosts: u32, seat: impl Fn(u32) -> (usize, usize)) -> Result<Self> {
        let vteps: Vec<Vtep> = (1..=vteps).map(Vtep).collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let mut ports: Vec<Vec<(u16, Endpoint)>> = vec![Vec::new(); vteps.len()];
        let mut wires = Vec::new();
        let cable = || link(LinkConfig { queue: QUEUE, ..LinkConfig::default() });
        for here in 0..vteps.len() {
            for port in ACCESS {
                let (inside, outside) = cable();
                ports[here].push((port, inside));
                wires.push(outside);
            }
            for there in here + 1..vteps.len() {
                let (a, b) = cable();
                ports[here].push((vteps[there].uplink(), a));
                ports[there].push((vteps[here].uplink(), b));
            }
        }
        let seats = (0..hosts).map(|host| self::seat(seat(host))).collect();
        let hosts = Hosts::new(seats, wires, runtime.handle());
        let mut switches = Vec::new();
        for (vtep, ports) in vteps.iter().zip(ports) {
            let mut builder = SwitchServer::builder().device_id(vtep.0.into());
            for (number, port) in ports {
                builder = builder.port(number.into(), port);
            }
            switches.push(runtime.block_on(builder.build()?.listen((Ipv4Addr::LOCALHOST, 0)))?);
        }
        let directory = tempfile::tempdir()?;
        let controls: Vec<SocketAddr> = switches.iter().map(ServerHandle::local_addr).collect();
        let files = configurations(&directory, &vteps, &controls)?;
        let agents = files.iter().map(|file| Process::start(file)).collect::<Result<_>>()?;
        let tables = Vec::new();
        let mut fabric =
            Self { vteps, hosts, agents, files, tables, _switches: switches, _runtime: runtime, _directory: directory };
        fabric.until(|it| it.ready && it.up == it.peers)?;
        for switch in &fabric._switches {
            let engine = switch.control().with(|running| Arc::clone(running.switch()));
            fabric.tables.push(Tables::new(engine.ok_or("a switch runs no program")?)?);
        }
        Ok(fabric)
    }

    /// How all agents stand.
    pub(crate) fn standings(&mut self) -> Result<Vec<Standing>> {
        self.agents.iter_mut().map(Process::standing).collect()
    }

    /// Wait until all agents are so far. Returns how they stand then.
    pub(crate) fn until(&mut self, reached: impl Fn(&Standing) -> bool) -> Result<Vec<Standing>> {
        let start = Instant::now();
        loop {
            let standings = self.standings()?;
            if standings.iter().all(&reached) {
                return Ok(standings);
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("the agents are not so far within {PATIENCE:?}: {standings:?}").into());
            }
            sleep(ASK);
        }
    }

    /// Wait until each of these hosts has been asked where it is, so that its silence means something.
    pub(crate) fn until_asked(&self, hosts: Range<u32>) -> Result<()> {
        let start = Instant::now();
        while self.hosts.asked(hosts.clone()) < hosts.len() {
            if start.elapsed() > PATIENCE {
                return Err(format!("{} of {hosts:?} have been asked", self.hosts.asked(hosts.clone())).into());
            }
            sleep(ASK);
        }
        Ok(())
    }

    /// Have hosts sit elsewhere, and announce themselves there at once, once. Wait until every VTEP has them there.
    pub(crate) fn carry(&self, hosts: Range<u32>, to: (usize, usize)) -> Result<Placed> {
        hosts.clone().for_each(|host| self.hosts.carry(host, seat(to)));
        self.announce(hosts.clone(), hosts.len())
    }

    /// Have hosts announce themselves once, one after the other, so that at most so many have been announced that not every VTEP has where they are. Wait
    /// until there are none such.
    pub(crate) fn announce(&self, hosts: Range<u32>, at_once: usize) -> Result<Placed> {
        let start = Instant::now();
        let mut again = 0;
        let mut announced = hosts.start;
        // Up to where each VTEP has them, and when that, or how many it has, was last another.
        let mut known = vec![hosts.start; self.vteps.len()];
        let (mut last, mut entries) = (start, Vec::new());
        loop {
            let before = known.clone();
            for (here, known) in known.iter_mut().enumerate() {
                while *known < announced && self.has(here, *known) {
                    *known += 1;
                }
            }
            let everywhere = known.iter().copied().min().unwrap_or(announced);
            if everywhere == hosts.end {
                let took = start.elapsed();
                // Those that were right first may have been wrong again since.
                if (0..self.vteps.len()).all(|here| hosts.clone().all(|host| self.has(here, host))) {
                    return Ok(Placed { took, again });
                }
                known.fill(hosts.start);
            }
            while announced < hosts.end && (announced - everywhere) < at_once as u32 {
                self.hosts.announce(announced);
                announced += 1;
            }
            let now = self.entries();
            if known != before || now != entries {
                (last, entries) = (Instant::now(), now);
            } else if last.elapsed() > QUIET {
                last = Instant::now();
                let unheard = (hosts.start..announced).filter(|host| !self.has(self.place(*host).0, *host));
                again += unheard.inspect(|host| self.hosts.announce(*host)).count();
            }
            if start.elapsed() > PATIENCE {
                return Err(
                    format!("not everybody has all of {hosts:?} within {PATIENCE:?}, but up to {known:?}").into()
                );
            }
            sleep(LOOK);
        }
    }

    /// Kill an agent and start it again. Wait until it has its switch, all peers and all hosts, and nothing more is said. How long that took.
    pub(crate) fn restart(&mut self, vtep: usize, hosts: u64) -> Result<Duration> {
        drop(self.agents.remove(vtep));
        let start = Instant::now();
        self.agents.insert(vtep, Process::start(&self.files[vtep])?);
        let mut last = (start, Vec::new());
        loop {
            let standings = self.standings()?;
            let said: Vec<u64> = standings.iter().map(|it| it.received).collect();
            if said != last.1 {
                last = (Instant::now(), said);
            }
            let back = |it: &Standing| it.ready && it.up == it.peers && it.settled == hosts && it.unwritten == 0;
            if standings.iter().all(back) && last.0.elapsed() > QUIET {
                return Ok(last.0 - start);
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("the agent is not back within {PATIENCE:?}: {standings:?}").into());
            }
            sleep(ASK);
        }
    }

    /// The processes of the agents.
    pub(crate) fn processes(&self) -> impl Iterator<Item = u32> {
        self.agents.iter().map(Process::id)
    }

    /// How many hosts each switch has.
    pub(crate) fn entries(&self) -> Vec<u64> {
        self.tables.iter().map(Tables::hosts).collect()
    }

    /// The VTEP and the port of a host.
    fn place(&self, host: u32) -> (usize, u16) {
        let seat = usize::from(self.hosts.seat(host));
        (seat / ACCESS.len(), ACCESS[seat % ACCESS.len()])
    }

    /// Whether a VTEP has a host where it is.
    fn has(&self, here: usize, host: u32) -> bool {
        let (there, port) = self.place(host);
        self.tables[here].has(host, Tables::place(self.vteps[here], self.vteps[there], port))
    }
}

/// Where most hosts are.
pub(crate) fn home(vtep: usize) -> (usize, usize) {
    (vtep, HOME)
}

fn seat((vtep, port): (usize, usize)) -> Seat {
    (vtep * ACCESS.len() + port) as Seat
}

impl Vtep {
    fn name(self) -> String {
        format!("vtep{}", self.0)
    }

    /// Its tunnel address.
    pub(crate) fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(192, 0, 2, self.0)
    }

    /// The port of others that leads to it.
    fn uplink(self) -> u16 {
        UNDERLAY + u16::from(self.0)
    }

    /// The address of its port that leads to another.
    fn mac(self, to: Self) -> String {
        format!("02:5e:00:00:{:02x}:{:02x}", self.0, to.0)
    }
}

/// Writes the configuration of each VTEP's agent.
fn configurations(directory: &TempDir, vteps: &[Vtep], controls: &[SocketAddr]) -> Result<Vec<PathBuf>> {
    let authority = Authority::create("scale", LASTS)?;
    authority.save(directory.path())?;
    // All are held until all are known, so that no two are equal.
    let listeners = vteps.iter().map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<Vec<_>, _>>()?;
    let listen = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
    drop(listeners);
    let mut files = Vec::new();
    for (vtep, control) in vteps.iter().zip(controls) {
        let name = vtep.name();
        let others = || vteps.iter().zip(&listen).filter(|(other, _)| *other != vtep);
        let mut text = format!("name: {name}\nswitch:\n  target: http://{control}\n  device_id: {}\n", vtep.0);
        writeln!(text, "underlay:\n  mtu: 1550\n  ports:")?;
        for (other, _) in others() {
            writeln!(text, "    - {{port: {}, mac: \"{}\"}}", other.uplink(), vtep.mac(*other))?;
        }
        writeln!(text, "  routes:")?;
        for (other, _) in others() {
            let via = format!("{{port: {}, mac: \"{}\"}}", other.uplink(), other.mac(*vtep));
            writeln!(text, "    - {{prefix: {}/32, via: {via}}}", other.address())?;
        }
        writeln!(text, "vtep:\n  address: {}\nvnis:\n  - vni: {VNI}\n    access: {ACCESS:?}", vtep.address())?;
        writeln!(text, "    probe_as: {{address: 10.255.255.254}}\npeers:")?;
        for (other, endpoint) in others() {
            let (name, address) = (other.name(), other.address());
            writeln!(text, "  - {{name: {name}, address: {address}, endpoint: \"https://{endpoint}\"}}")?;
        }
        let identity = authority.issue(&name, &[], LASTS)?;
        let identity = vouch_certs::store(directory.path(), &name, &identity, false)?;
        let own = listen.get(usize::from(vtep.0) - 1).ok_or("a VTEP has no address")?;
        writeln!(text, "peering:\n  listen: \"{own}\"\n  tls:")?;
        for (field, path) in [("ca", &identity.ca), ("cert", &identity.cert), ("key", &identity.key)] {
            writeln!(text, "    {field}: {:?}", path.display().to_string())?;
        }
        let file = directory.path().join(format!("{name}.yaml"));
        fs::write(&file, text)?;
        files.push(file);
    }
    Ok(files)
}
