//! The fabric that people use today, for comparison: the same VTEPs and hosts, with Linux bridges and VXLAN interfaces, and BGP EVPN by FRR.
//!
//! Each VTEP is a bridge with its access ports and one VXLAN interface, which learns nothing by itself; zebra tells bgpd what the
//! bridge has learned, and the bridge what the others have said (RFC 7432, type 2). The VTEPs peer with each other (iBGP, no route
//! reflector) across a spine that routes. One tenant, no VLANs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{OpenOptions, Permissions};
use std::io;
use std::net::Ipv4Addr;
use std::ops::Deref;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use p4_switch::process::bound;
use vouch_lab::Announcement;
use vouch_lab::topology::PortRef;

use super::Failure;
use super::cable;
use super::floor::Floor;
use super::netns::Namespace;
use super::node::{Running, Usage};
use super::plan::{self, Access, NODES, Plan, RED, SPINE};

/// Where Debian's package has the daemons.
const FOLDER: &str = "/usr/lib/frr";
const USER: &str = "frr";
const BRIDGE: &str = "br0";
const TUNNELS: &str = "vxlan0";
/// A VTEP's interface to the spine.
const UPLINK: &str = "up0";
const AS: u32 = 65_000;

/// How long the fabric may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(25);
const AGAIN: Duration = Duration::from_millis(500);

/// Why it cannot be brought up on this machine; `None` where it can.
pub fn missing() -> Option<String> {
    let daemon = Path::new(FOLDER).join("bgpd");
    (!daemon.exists()).then(|| format!("there is no {} (package frr)", daemon.display()))
}

/// What FRR does about an address that moves too often (RFC 7432, 15.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// Its default: a warning in the log.
    Warn,
    /// The address is frozen where it is.
    Freeze,
}

/// A running fabric. The fields are dropped in this order: processes before what they stand on.
#[derive(Debug)]
pub struct Evpn {
    daemons: Vec<Running>,
    nodes: BTreeMap<&'static str, Namespace>,
    floor: Floor,
}

/// Its hosts.
impl Deref for Evpn {
    type Target = Floor;

    fn deref(&self) -> &Floor {
        &self.floor
    }
}

/// Where a bridge has an address.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Port(String),
    Tunnel(Ipv4Addr),
}

impl Evpn {
    /// Bring the fabric up, and wait until every VTEP knows every host.
    ///
    /// # Errors
    /// What could not be made, or what was still missing after a while.
    pub async fn start(plan: Plan, duplicates: Duplicates) -> Result<Self, Failure> {
        let mut fabric = Self { daemons: Vec::new(), nodes: BTreeMap::new(), floor: Floor::new(plan)? };
        fabric.lay()?;
        for vtep in vteps() {
            fabric.route(vtep, duplicates)?;
        }
        fabric.floor.move_in()?;
        fabric.settle().await?;
        Ok(fabric)
    }

    /// Namespaces, cables, bridges and the underlay's routes.
    fn lay(&mut self) -> Result<(), Failure> {
        for name in NODES {
            self.nodes.insert(name, Namespace::create(&format!("frr-{name}"))?);
        }
        let spine = self.node(SPINE)?;
        spine.set("ipv4/ip_forward", "1")?;
        for vtep in vteps() {
            let (here, number, address) = (self.node(vtep)?, plan::number(vtep), plan::tunnel_end(vtep));
            let far = format!("down{number}");
            cable::lay(here, UPLINK, 1600, (spine.name(), &far))?;
            here.ip(&[
                format!("address add {address}/32 dev lo"),
                format!("address add 198.51.100.{}/31 dev {UPLINK}", 2 * number + 1),
                format!("route add 192.0.2.0/24 via 198.51.100.{} src {address}", 2 * number),
                format!("link add {BRIDGE} type bridge mcast_snooping 0"),
                format!("link add {TUNNELS} type vxlan id {RED} local {address} dstport 4789 nolearning"),
                format!("link set {TUNNELS} master {BRIDGE} mtu 1550 up"),
                format!("link set {TUNNELS} type bridge_slave learning off neigh_suppress off"),
                format!("link set {BRIDGE} up"),
            ])?;
            spine.ip(&[
                format!("address add 198.51.100.{}/31 dev {far}", 2 * number),
                format!("link set {far} up"),
                format!("route add {address}/32 via 198.51.100.{}", 2 * number + 1),
            ])?;
            let mut ports: Vec<PortRef> = self.floor.plan.access(vtep).into_iter().map(|access| access.at).collect();
            ports.dedup();
            for at in ports {
                let interface = interface(at.port);
                self.floor.panel.add_port(&at, here, &interface)?;
                here.ip(&[format!("link set {interface} master {BRIDGE} up")])?;
            }
        }
        Ok(())
    }

    /// The daemons of a VTEP.
    fn route(&mut self, vtep: &'static str, duplicates: Duplicates) -> Result<(), Failure> {
        let folder = self.floor.folder.path().join(vtep);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("zebra.conf"), "")?;
        std::fs::write(folder.join("bgpd.conf"), bgp(vtep, duplicates))?;
        // The daemons give root's rights up, and what is theirs is in a folder of ours.
        std::fs::set_permissions(self.floor.folder.path(), Permissions::from_mode(0o711))?;
        let (user, group) = user()?;
        for path in [folder.clone(), folder.join("zebra.conf"), folder.join("bgpd.conf")] {
            chown(path, Some(user), Some(group))?;
        }
        let address = plan::tunnel_end(vtep).to_string();
        for (daemon, more) in [("zebra", &[][..]), ("bgpd", &["-l", address.as_str()])] {
            let daemon = self.daemon(vtep, daemon, &folder, more)?;
            self.daemons.push(daemon);
        }
        Ok(())
    }

    fn daemon(&self, vtep: &str, name: &str, folder: &Path, more: &[&str]) -> Result<Running, Failure> {
        let file = |suffix: &str| -> PathBuf { folder.join(format!("{name}.{suffix}")) };
        let mut command = bound(Path::new(FOLDER).join(name));
        command.args(["-P", "0", "--log", "stdout", "-z"]).arg(folder.join("zserv.sock"));
        command.arg("-f").arg(folder.join(format!("{name}.conf"))).arg("-i").arg(file("pid"));
        command.arg("--vty_socket").arg(folder).args(more);
        let mut command = self.node(vtep)?.command(&command);
        let log = OpenOptions::new().create(true).append(true).open(file("log"))?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        // bgpd wants zebra's socket to be there.
        let deadline = Instant::now() + PATIENCE;
        while name == "zebra" && !folder.join("zserv.sock").exists() {
            if Instant::now() >= deadline {
                return Err("zebra does not start".into());
            }
            std::thread::sleep(LOOK);
        }
        Ok(Running(child))
    }

    async fn settle(&self) -> Result<(), Failure> {
        let names: Vec<String> = self.floor.hosts.keys().cloned().collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let deadline = Instant::now() + PATIENCE;
        let mut again = Instant::now();
        loop {
            let wrong = self.wrong(&names)?;
            if wrong.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(format!("the fabric is not ready: {}", wrong.join("; ")).into());
            }
            if Instant::now() >= again {
                again = Instant::now() + AGAIN;
                for name in &names {
                    self.announce(name, Announcement::GratuitousRequest)?;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Each entry that does not have one of these hosts where it is.
    ///
    /// # Errors
    /// A bridge cannot be read.
    pub fn wrong(&self, names: &[&str]) -> Result<Vec<String>, Failure> {
        let mut wrong = Vec::new();
        for vtep in vteps() {
            let table = self.table(vtep)?;
            for name in names {
                let (mac, access) = (self.spec(name)?.mac.to_string(), self.plugged(name)?);
                match table.get(&mac) {
                    Some(entry) if *entry == right(vtep, &access) => {}
                    other => wrong.push(format!("{vtep} has {name} at {other:?}")),
                }
            }
        }
        Ok(wrong)
    }

    /// How many of these addresses any VTEP does not have behind `access`.
    ///
    /// # Errors
    /// A bridge cannot be read.
    pub fn behind(&self, macs: &[String], access: &Access) -> Result<usize, Failure> {
        let mut behind = 0;
        for vtep in vteps() {
            let (table, right) = (self.table(vtep)?, right(vtep, access));
            behind = behind.max(macs.iter().filter(|mac| table.get(*mac) != Some(&right)).count());
        }
        Ok(behind)
    }

    /// What a VTEP's bridge has: the address with the place that frames to it go to.
    fn table(&self, vtep: &str) -> Result<BTreeMap<String, Entry>, Failure> {
        let mut show = Command::new("bridge");
        show.args(["-j", "fdb", "show", "br", BRIDGE]);
        let output = self.node(vtep)?.inside(|| show.output())??;
        let found: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout)?;
        let mut table = BTreeMap::new();
        for entry in found {
            let text = |field: &str| entry.get(field).and_then(serde_json::Value::as_str).map(str::to_owned);
            let (Some(mac), Some(interface)) = (text("mac"), text("ifname")) else { continue };
            match text("dst").and_then(|dst| dst.parse().ok()) {
                Some(tunnel) => drop(table.insert(mac, Entry::Tunnel(tunnel))),
                // The bridge's own entry for the VXLAN interface says no more than that it is there.
                None if interface == TUNNELS => {}
                None if text("state").as_deref() == Some("permanent") => {}
                None => drop(table.insert(mac, Entry::Port(interface))),
            }
        }
        Ok(table)
    }

    /// Bytes of memory that the daemons of a VTEP have had at most.
    ///
    /// # Errors
    /// They do not run.
    pub fn memory(&self) -> io::Result<u64> {
        // The first VTEP's are the first two.
        self.daemons.iter().take(2).map(|Running(daemon)| Ok(Usage::of(daemon.id())?.peak)).sum()
    }

    fn node(&self, name: &str) -> Result<&Namespace, Failure> {
        self.nodes.get(name).ok_or_else(|| format!("there is no node {name}").into())
    }
}

/// The user and the group that Debian's package has made for the daemons.
fn user() -> Result<(u32, u32), Failure> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == USER);
    let number = |place: usize| fields.as_ref().and_then(|fields| fields.get(place)?.parse().ok());
    number(2).zip(number(3)).ok_or_else(|| format!("there is no user {USER} (package frr)").into())
}

fn vteps() -> impl Iterator<Item = &'static str> {
    NODES.into_iter().filter(|name| *name != SPINE)
}

fn interface(port: u16) -> String {
    format!("p{port}")
}

fn right(vtep: &str, access: &Access) -> Entry {
    if access.at.switch == vtep {
        Entry::Port(interface(access.at.port))
    } else {
        Entry::Tunnel(plan::tunnel_end(&access.at.switch))
    }
}

/// bgpd's configuration.
fn bgp(vtep: &str, duplicates: Duplicates) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail, so the results say nothing.
    let _ = writeln!(text, "router bgp {AS}\n bgp router-id {}", plan::tunnel_end(vtep));
    let _ = writeln!(text, " no bgp default ipv4-unicast");
    let peers = || vteps().filter(|peer| *peer != vtep).map(plan::tunnel_end);
    for peer in peers() {
        let _ = writeln!(text, " neighbor {peer} remote-as {AS}\n neighbor {peer} update-source lo");
        let _ = writeln!(text, " neighbor {peer} timers connect 1");
    }
    let _ = writeln!(text, " address-family l2vpn evpn");
    for peer in peers() {
        let _ = writeln!(text, "  neighbor {peer} activate");
    }
    let _ = writeln!(text, "  advertise-all-vni");
    if duplicates == Duplicates::Freeze {
        let _ = writeln!(text, "  dup-addr-detection freeze permanent");
    }
    let _ = writeln!(text, " exit-address-family");
    text
}
