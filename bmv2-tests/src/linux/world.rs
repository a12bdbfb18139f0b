//! A running fabric with Linux hosts: four switches, four agents, and everybody in namespaces of their own.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use vouch_certs::Authority;
use vouch_lab::Announcement;
use vouch_lab::tables::{HostTable, Reach, ReadError, TableReader};
use vouch_lab::topology::PortRef;
use vouch_net::{MacAddr, Vni};

use super::cable::{self, Carries};
use super::floor::Floor;
use super::netns::{Namespace, Outside};
use super::node::{BE_AGENT, Node, Part};
use super::plan::{self, Access, NODES, Plan, SPINE, UPLINK};
use super::{Failure, config};
use crate::process::SwitchProgram;

/// How long a fabric may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often tables are looked at.
const LOOK: Duration = Duration::from_millis(25);
/// How many hosts are looked for by their keys.
const FEW: usize = 256;
/// How often a host that is not known yet announces itself.
const AGAIN: Duration = Duration::from_millis(500);
/// How long certificates hold.
const LASTS: Duration = Duration::from_secs(86_400);
/// The management network's bridge.
const BRIDGE: &str = "mgmt0";
/// A node's interface to it.
const MANAGEMENT: &str = "mgmt";

/// What all fabrics of a run have in common.
#[derive(Debug)]
pub struct Site {
    home: Namespace,
    outside: Outside,
    program: SwitchProgram,
    vouch: Option<PathBuf>,
    /// Where the logs are left, if they are to be left.
    pub keep: Option<PathBuf>,
    /// Agents log no more than an operator's: what is measured is not to pay for what a test reads.
    pub terse: bool,
    worlds: AtomicU32,
}

impl Site {
    /// Prepare this process, which must have no other threads yet. `vouch` is the agents' program, where it is not this one.
    ///
    /// # Errors
    /// What could not be made.
    pub fn prepare(vouch: Option<PathBuf>, keep: Option<PathBuf>) -> Result<Self, Failure> {
        let (home, outside) = Namespace::settle()?;
        let address = config::management("nobody");
        home.ip(&[
            format!("link add {BRIDGE} type bridge"),
            format!("address add {address}/24 dev {BRIDGE}"),
            format!("link set {BRIDGE} up"),
        ])?;
        Ok(Self {
            home,
            outside,
            program: SwitchProgram::P4Switch,
            vouch,
            keep,
            terse: false,
            worlds: AtomicU32::new(0),
        })
    }

    /// The same with switches of another program.
    #[must_use]
    pub fn on(self, program: SwitchProgram) -> Self {
        Self { program, ..self }
    }

    /// Where this process was at first, from where the rest of the world can be reached.
    pub fn outside(&self) -> &Outside {
        &self.outside
    }

    /// What starts the agents' program, in the words of a shell.
    ///
    /// # Errors
    /// It is this one, and nobody knows where that is.
    pub fn vouch_command(&self) -> Result<String, Failure> {
        Ok(match &self.vouch {
            Some(vouch) => std::path::absolute(vouch)?.display().to_string(),
            None => format!("env {BE_AGENT}=1 {}", std::env::current_exe()?.display()),
        })
    }

    /// The program of its switches.
    pub fn program(&self) -> SwitchProgram {
        self.program
    }
}

/// A running fabric. The fields are dropped in this order: processes before what they stand on.
#[expect(missing_debug_implementations, reason = "a reader of tables has none")]
pub struct World {
    nodes: BTreeMap<&'static str, Node>,
    readers: BTreeMap<&'static str, TableReader>,
    floor: Floor,
}

/// Its hosts.
impl Deref for World {
    type Target = Floor;

    fn deref(&self) -> &Floor {
        &self.floor
    }
}

impl World {
    /// Bring a fabric up, and wait until every VTEP knows every host.
    ///
    /// # Errors
    /// What could not be made, or what was still missing after a while.
    pub async fn start(site: &Site, plan: Plan) -> Result<Self, Failure> {
        let mut world = Self { nodes: BTreeMap::new(), readers: BTreeMap::new(), floor: Floor::new(plan)? };
        world.lay(site)?;
        let authority = Authority::create("vouch fabric", LASTS)?;
        authority.save(world.floor.folder.path())?;
        for node in world.nodes.values_mut() {
            let identity = authority.issue(node.name, &[], LASTS)?;
            let files = vouch_certs::store(world.floor.folder.path(), node.name, &identity, false)?;
            let agents = if world.floor.plan.standby == Some(node.name) {
                &[Part::Agent, Part::Standby][..]
            } else {
                &[Part::Agent]
            };
            for (election_id, part) in (1..).zip(agents) {
                let text = {
                    let socket = (*part == Part::Agent).then(|| node.socket());
                    config::yaml(&world.floor.plan, site.program, node.name, election_id, &files, socket.as_deref())
                };
                std::fs::write(node.configuration(*part), text)?;
            }
            node.start(Part::Switch)?;
            agents.iter().try_for_each(|part| node.start(*part))?;
            let reader = TableReader::new(&node.control(), plan::number(node.name).into())?;
            world.readers.insert(node.name, reader);
        }
        world.floor.move_in()?;
        match world.settle().await {
            Ok(()) => Ok(world),
            Err(error) => {
                if let Some(folder) = &site.keep {
                    world.keep(&folder.join("not-ready"))?;
                }
                Err(error)
            }
        }
    }

    /// Namespaces, cables and ports.
    fn lay(&mut self, site: &Site) -> Result<(), Failure> {
        // Interfaces of a world that has ended can still be on their way out.
        let world = site.worlds.fetch_add(1, Ordering::Relaxed);
        for name in NODES {
            let mut node = Node::new(name, site.program, site.vouch.clone(), self.floor.folder.path())?;
            node.terse = site.terse;
            let near = format!("m{world}n{}", plan::number(name));
            cable::lay(&node.namespace, MANAGEMENT, 1500, (site.home.name(), &near))?;
            site.home.ip(&[format!("link set {near} master {BRIDGE} up")])?;
            let address = config::management(name);
            node.namespace.ip(&[format!("address add {address}/24 dev {MANAGEMENT}")])?;
            self.nodes.insert(name, node);
        }
        let spine = self.node(SPINE)?.namespace.name().to_owned();
        for vtep in NODES.into_iter().filter(|name| *name != SPINE) {
            let port = u16::from(plan::number(vtep));
            let node = self.node(vtep)?;
            let (near, far) = (interface(UPLINK), interface(port));
            cable::lay(&node.namespace, &near, 1600, (&spine, &far))?;
            node.ports.push((UPLINK, near));
            let mut ports: Vec<PortRef> = self.floor.plan.access(vtep).into_iter().map(|access| access.at).collect();
            ports.dedup();
            for at in ports {
                let interface = interface(at.port);
                let node = self.nodes.get_mut(vtep).ok_or("no such node")?;
                self.floor.panel.add_port(&at, &node.namespace, &interface)?;
                node.ports.push((at.port, interface));
            }
            let node = self.node(SPINE)?;
            node.namespace.ip(&[format!("link set {far} up")])?;
            node.ports.push((port, far));
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        let names: Vec<String> = self.floor.hosts.keys().cloned().collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let deadline = Instant::now() + PATIENCE;
        let mut again = Instant::now();
        loop {
            let wrong =
                self.wrong(&names).await.unwrap_or_else(|error| vec![("every host".to_owned(), error.to_string())]);
            if wrong.is_empty() {
                return Ok(());
            }
            let ended = self.nodes.values_mut().find_map(|node| {
                [Part::Switch, Part::Agent, Part::Standby].into_iter().find_map(|part| node.ended(part))
            });
            if ended.is_some() || Instant::now() >= deadline {
                let wrong: Vec<_> = wrong.into_iter().map(|(_, what)| what).collect();
                let what = ended.unwrap_or_else(|| wrong.join("; "));
                return Err(format!("the fabric is not ready: {what}").into());
            }
            if Instant::now() >= again {
                again = Instant::now() + AGAIN;
                for name in
                    names.iter().filter(|name| wrong.iter().any(|(host, _)| host == *name || host == "every host"))
                {
                    self.announce(name, Announcement::GratuitousRequest)?;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A node by its name.
    ///
    /// # Errors
    /// There is none.
    pub fn node(&mut self, name: &str) -> Result<&mut Node, Failure> {
        self.nodes.get_mut(name).ok_or_else(|| format!("there is no node {name}").into())
    }

    /// Cut a node's cable to the management network, or mend it.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn set_management(&mut self, node: &str, carries: Carries) -> Result<(), Failure> {
        Ok(cable::cut(&self.node(node)?.namespace, MANAGEMENT, carries)?)
    }

    /// Cut a VTEP's cable to the spine, or mend it.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn set_underlay(&mut self, vtep: &str, carries: Carries) -> Result<(), Failure> {
        Ok(cable::cut(&self.node(vtep)?.namespace, &interface(UPLINK), carries)?)
    }

    /// Each entry that does not have one of these hosts where it is, and nowhere else; with the host's name.
    ///
    /// # Errors
    /// A switch cannot be read.
    pub async fn wrong(&mut self, names: &[&str]) -> Result<Vec<(String, String)>, Failure> {
        let wanted = self.where_they_are(names)?;
        self.wrong_of(&wanted).await
    }

    fn where_they_are(&self, names: &[&str]) -> Result<Vec<(String, MacAddr, Access)>, Failure> {
        names.iter().map(|name| Ok(((*name).to_owned(), self.spec(name)?.mac, self.floor.plugged(name)?))).collect()
    }

    /// The same for hosts by MAC address.
    ///
    /// # Errors
    /// A switch cannot be read.
    pub async fn wrong_of(&mut self, wanted: &[(String, MacAddr, Access)]) -> Result<Vec<(String, String)>, Failure> {
        let mut wrong = Vec::new();
        for (vtep, reader) in self.readers.iter_mut().filter(|(name, _)| **name != SPINE) {
            wrong.append(&mut wrong_in(vtep, &table(reader, &keys(wanted)).await?, wanted));
        }
        Ok(wrong)
    }

    /// The same in one VTEP's tables.
    ///
    /// # Errors
    /// There is no such VTEP, or its switch cannot be read.
    pub async fn wrong_at(
        &mut self,
        vtep: &str,
        wanted: &[(String, MacAddr, Access)],
    ) -> Result<Vec<(String, String)>, Failure> {
        let reader = self.readers.get_mut(vtep).ok_or("there is no such VTEP")?;
        Ok(wrong_in(vtep, &table(reader, &keys(wanted)).await?, wanted))
    }

    /// Wait until every VTEP has these hosts where they are, at most `patience`; what is wrong then.
    ///
    /// # Errors
    /// A switch could not be read until the end.
    pub async fn until_right(&mut self, names: &[&str], patience: Duration) -> Result<Vec<String>, Failure> {
        let wanted = self.where_they_are(names)?;
        self.until_right_of(&wanted, patience).await
    }

    /// Wait until every VTEP has somebody, by MAC address, where it is, at most `patience`; what is wrong then.
    ///
    /// # Errors
    /// A switch could not be read until the end.
    pub async fn until_right_of(
        &mut self,
        wanted: &[(String, MacAddr, Access)],
        patience: Duration,
    ) -> Result<Vec<String>, Failure> {
        let deadline = Instant::now() + patience;
        loop {
            let wrong = self.wrong_of(wanted).await;
            let right = wrong.as_ref().is_ok_and(Vec::is_empty);
            if right || Instant::now() >= deadline {
                return Ok(wrong?.into_iter().map(|(_, what)| what).collect());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Which VTEPs send what is for a host elsewhere and not also to it.
    ///
    /// # Errors
    /// A switch cannot be read.
    pub async fn taken(&mut self, name: &str) -> Result<Vec<String>, Failure> {
        let (access, mac) = (self.floor.plugged(name)?, self.spec(name)?.mac);
        self.taken_of(name, mac, &access).await
    }

    /// The same of somebody by MAC address.
    ///
    /// # Errors
    /// A switch cannot be read.
    pub async fn taken_of(&mut self, name: &str, mac: MacAddr, access: &Access) -> Result<Vec<String>, Failure> {
        let host = (plan::vni(access.vni).ok_or("not a VNI")?, mac);
        let mut tables = BTreeMap::new();
        for (vtep, reader) in self.readers.iter_mut().filter(|(name, _)| **name != SPINE) {
            tables.insert(*vtep, table(reader, &[host]).await?);
        }
        let taken = tables.keys().filter(|vtep| !leads(&tables, vtep, host, access, NODES.len()));
        let entry = |vtep: &&str| tables.get(*vtep).and_then(|table| table.get(&host)).map(ToString::to_string);
        Ok(taken.map(|vtep| format!("{vtep} has {name} at {}", entry(vtep).unwrap_or_default())).collect())
    }

    /// Wait until a switch has its program and its access ports again.
    ///
    /// # Errors
    /// It has not after a while.
    pub async fn until_ready(&mut self, node: &str) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // BMv2 ends with a segmentation fault once in ten or so when frames come in while it starts. Whatever keeps it running
            // where it is used starts it again.
            let it = self.node(node)?;
            match it.ended(Part::Switch) {
                Some(_) if it.program == SwitchProgram::Bmv2 => it.start(Part::Switch)?,
                Some(ended) => return Err(ended.into()),
                None => {}
            }
            let reader = self.readers.get_mut(node).ok_or_else(|| format!("there is no node {node}"))?;
            match reader.hosts().await {
                // Other VTEPs' hosts, or our own: the agent has written.
                Ok(hosts) if !hosts.is_empty() => return Ok(()),
                other if Instant::now() >= deadline => {
                    let why = other.map_or_else(|error| error.to_string(), |_| "it has no hosts".to_owned());
                    return Err(format!("{node} is not ready: {why}").into());
                }
                _ => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// Wait until a node's controller can reach its switch.
    ///
    /// # Errors
    /// It cannot after a while.
    pub async fn until_reachable(&mut self, node: &str) -> Result<(), Failure> {
        let (deadline, address) = (Instant::now() + PATIENCE, (config::management(node), config::P4RUNTIME));
        while let Err(error) = tokio::net::TcpStream::connect(address).await {
            if Instant::now() >= deadline {
                return Err(format!("{node} cannot be reached: {error}").into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// The lines in the agents' logs that have this word.
    pub fn said(&self, word: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for node in self.nodes.values() {
            let text = std::fs::read(node.log(Part::Agent)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            lines.extend(text.lines().filter(|line| line.contains(word)).map(|line| format!("{}: {line}", node.name)));
        }
        lines
    }

    /// Leave the logs and configurations in a folder.
    ///
    /// # Errors
    /// They cannot be written there.
    pub fn keep(&self, folder: &std::path::Path) -> Result<(), Failure> {
        std::fs::create_dir_all(folder)?;
        for entry in std::fs::read_dir(self.floor.folder.path())? {
            let path = entry?.path();
            if let (Some(name), Some("log" | "yaml")) = (path.file_name(), path.extension().and_then(|it| it.to_str()))
            {
                std::fs::copy(&path, folder.join(name))?;
            }
        }
        Ok(())
    }
}

/// Whether what a VTEP has for a host gets there, over so many VTEPs.
fn leads(
    tables: &BTreeMap<&'static str, HostTable>,
    vtep: &str,
    host: (Vni, MacAddr),
    access: &Access,
    hops: usize,
) -> bool {
    // Who is not known is flooded to, and so lacks nothing.
    let entry = tables.get(vtep).and_then(|table| table.get(&host));
    let Some((action, reaches)) = entry.and_then(|entry| entry.destination.as_ref()) else { return true };
    let next = |reach: &Reach| {
        let peer = |name: &&&str| *reach == Reach::Tunnel(plan::tunnel_end(name));
        *reach == reach_of(vtep, access)
            || (hops > 0 && tables.keys().find(peer).is_some_and(|peer| leads(tables, peer, host, access, hops - 1)))
    };
    // Whoever sends to both places names a group, which always has the recorded one in it.
    action == "both" || reaches.iter().any(next)
}

fn keys(wanted: &[(String, MacAddr, Access)]) -> Vec<(Vni, MacAddr)> {
    wanted.iter().filter_map(|(_, mac, access)| Some((plan::vni(access.vni)?, *mac))).collect()
}

/// What a VTEP has about these hosts: by their keys if they are few, as it may have thousands of others.
async fn table(reader: &mut TableReader, hosts: &[(Vni, MacAddr)]) -> Result<HostTable, ReadError> {
    if hosts.len() <= FEW { reader.hosts_among(hosts).await } else { reader.hosts().await }
}

/// Which of these hosts a VTEP has not where they are, and where it has them.
fn wrong_in(vtep: &str, table: &HostTable, wanted: &[(String, MacAddr, Access)]) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    for (name, mac, access) in wanted {
        let Some(vni) = plan::vni(access.vni) else { continue };
        let right = reach_of(vtep, access);
        match table.get(&(vni, *mac)) {
            Some(entry) if entry.is_at(&right) => {}
            Some(entry) => wrong.push((name.clone(), format!("{vtep} has {name} at {entry}"))),
            None => wrong.push((name.clone(), format!("{vtep} does not know {name}"))),
        }
    }
    wrong
}

/// Where a VTEP is to have somebody.
fn reach_of(vtep: &str, access: &Access) -> Reach {
    if access.at.switch == vtep {
        access.vlan.map_or(Reach::Port(access.at.port), |vlan| Reach::Vlan(access.at.port, vlan))
    } else {
        Reach::Tunnel(plan::tunnel_end(&access.at.switch))
    }
}

fn interface(port: u16) -> String {
    format!("p{port}")
}

/// A VTEP's probe address, which is its default.
pub fn probe_mac(vtep: u8) -> MacAddr {
    let [a, b, c, d] = plan::tunnel_end(&format!("vtep{vtep}")).octets();
    MacAddr([0x02, 0x76, a, b, c, d])
}
