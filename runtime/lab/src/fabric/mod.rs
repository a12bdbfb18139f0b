//! A running fabric: switches from a target, an agent for each, hosts on their seats.
//!
//! Everything is the real thing: the agents' configurations are YAML text that goes through the agents' own reader, they control
//! their switches over P4Runtime, and they meet over mutual TLS on the loopback interface.

mod agents;
pub(crate) mod configuration;
mod settle;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use tempfile::TempDir;
use tokio::task::JoinSet;
use vouch_agent::{Config, Place};
use vouch_certs::Authority;
use vouch_mobility::{Advertise, During, HostKey, VtepAddr};
use vouch_switch_server::Frame;

use crate::error::LabError;
use crate::host::{Host, Wire, trunk};
use crate::log::Log;
use crate::tables::{HostEntry, HostTable, Reach, ReadError, TableReader};
use crate::target::{Plant, Stalled, Target};
use crate::topology::{Guest, PortRef, Topology};
use crate::traffic::Traffic;

use agents::Agents;
use configuration::Surroundings;

/// How long the agents' certificates hold.
const LASTS: Duration = Duration::from_secs(86_400);

/// The choices of a fabric's VNIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Variant {
    /// When observers hear of a move.
    pub advertise: Advertise,
    /// Where traffic goes while a host is being asked.
    pub during: During,
}

impl Default for Variant {
    fn default() -> Self {
        Self { advertise: Advertise::AfterVerdict, during: During::Escalate }
    }
}

impl std::fmt::Display for Variant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(configuration::during(self.during))
    }
}

impl Serialize for Variant {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("Variant", 2)?;
        fields.serialize_field("advertise", configuration::advertise(self.advertise))?;
        fields.serialize_field("during_verification", configuration::during(self.during))?;
        fields.end()
    }
}

/// How a fabric is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FabricOptions {
    /// The choices of its VNIs.
    pub variant: Variant,
    /// `false`: the agents trust every announcement.
    pub verify: bool,
    /// How long a host must have been somewhere until the place is trusted.
    pub probation: Duration,
}

/// [`FabricOptions::probation`] that is over before a scenario begins: a fabric that has been up for long.
pub const SEASONED: Duration = Duration::from_millis(500);
/// [`FabricOptions::probation`] that lasts for longer than any scenario.
pub const FRESH: Duration = Duration::from_secs(60);

impl Default for FabricOptions {
    fn default() -> Self {
        Self { variant: Variant::default(), verify: true, probation: SEASONED }
    }
}

/// A running fabric.
pub struct Fabric {
    topology: Topology,
    stream_rate: u32,
    plant: Box<dyn Plant>,
    agents: Agents,
    hosts: BTreeMap<String, Host>,
    /// Where each host sits now.
    places: BTreeMap<String, PortRef>,
    /// The cables at the seats where nobody sits.
    free: BTreeMap<PortRef, Wire>,
    /// What splits the trunks.
    trunks: JoinSet<()>,
    readers: BTreeMap<String, TableReader>,
    traffic: Traffic,
    log: Log,
    /// The agents' certificates; removed with the fabric.
    _directory: TempDir,
}

impl Fabric {
    /// Bring a fabric up, and wait until every VTEP knows every host.
    pub async fn start(target: &dyn Target, topology: Topology, options: FabricOptions) -> Result<Self, LabError> {
        let plant = target.build(&topology.cabling()).await?;
        let directory = tempfile::Builder::new().prefix("vouch-lab-").tempdir()?;
        let log = Log::default();
        let mut fabric = Self {
            topology,
            stream_rate: target.stream_rate(),
            plant,
            agents: Agents::new(log.clone()),
            hosts: BTreeMap::new(),
            places: BTreeMap::new(),
            free: BTreeMap::new(),
            trunks: JoinSet::new(),
            readers: BTreeMap::new(),
            traffic: Traffic::default(),
            log,
            _directory: directory,
        };
        let result = fabric.bring_up(target, options).await;
        match result {
            Ok(()) => Ok(fabric),
            Err(error) => {
                fabric.shutdown().await;
                Err(error)
            }
        }
    }

    async fn bring_up(&mut self, target: &dyn Target, options: FabricOptions) -> Result<(), LabError> {
        let switch_fields = target.switch_fields(self._directory.path())?;
        self.start_agents(options, &switch_fields).await?;
        self.start_hosts()?;
        self.settle().await
    }

    async fn start_agents(&mut self, options: FabricOptions, switch_fields: &str) -> Result<(), LabError> {
        let authority = Authority::create("vouch-lab authority", LASTS)?;
        authority.save(self._directory.path())?;
        let listen = free_addresses(self.topology.vteps().map(|(switch, _)| switch.name.clone()))?;
        let topology = self.topology.clone();
        let around = Surroundings { topology: &topology, options, listen: &listen, switch_fields };
        for switch in &topology.switches {
            let refused = |error: String| LabError::Agent { switch: switch.name.clone(), error };
            let control = self.plant.control(&switch.name).ok_or_else(|| refused("it has no switch".to_owned()))?;
            let identity = authority.issue(&switch.name, &[], LASTS)?;
            let identity = vouch_certs::store(self._directory.path(), &switch.name, &identity, false)?;
            let text = configuration::yaml(&around, switch, &control, &identity);
            let file = self._directory.path().join(format!("{}.yaml", switch.name));
            let checked =
                Config::parse(&file.display().to_string(), &text).map_err(|error| refused(error.to_string()))?;
            let mut config = checked.config;
            config.management = Some(socket(self._directory.path(), &switch.name));
            if let Some(vtep) = &mut config.vtep {
                vtep.verify = options.verify;
            }
            self.agents.start(config).await?;
            let reader = TableReader::new(&control, switch.device_id).map_err(|error| refused(error.to_string()))?;
            self.readers.insert(switch.name.clone(), reader);
        }
        Ok(())
    }

    fn start_hosts(&mut self) -> Result<(), LabError> {
        for cable in self.topology.cabling().seats.into_iter().map(|seat| seat.at) {
            let wire = self.plant.take_wire(&cable).ok_or_else(|| LabError::NoSuchSeat(cable.clone()))?;
            let vlans = self.topology.vlans(&cable);
            if vlans.is_empty() {
                self.free.insert(cable, wire);
                continue;
            }
            for (vlan, wire) in trunk::split(&wire, &vlans, &mut self.trunks) {
                self.free.insert(PortRef { vlan: Some(vlan), ..cable.clone() }, wire);
            }
        }
        for guest in &self.topology.guests {
            let wire = self.free.remove(&guest.seat).ok_or_else(|| LabError::NoSuchSeat(guest.seat.clone()))?;
            let host = Host::start_with(guest.host.clone(), guest.habits, wire, self.traffic.clone());
            self.places.insert(guest.host.name.clone(), guest.seat.clone());
            self.hosts.insert(guest.host.name.clone(), host);
        }
        Ok(())
    }

    /// The fabric on paper.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The rate of a scenario's streams, in packets per second.
    pub fn stream_rate(&self) -> u32 {
        self.stream_rate
    }

    /// What happened.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// What was sent and seen.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// A host by its name.
    pub fn host(&self, name: &str) -> Result<&Host, LabError> {
        self.hosts.get(name).ok_or_else(|| LabError::NoSuchHost(name.to_owned()))
    }

    /// A host of the topology by its name.
    pub fn guest(&self, name: &str) -> Result<&Guest, LabError> {
        self.topology.guest(name).ok_or_else(|| LabError::NoSuchHost(name.to_owned()))
    }

    /// What the agents call a host.
    pub fn key(&self, name: &str) -> Result<HostKey, LabError> {
        let guest = self.guest(name)?;
        Ok(HostKey { vni: guest.vni, mac: guest.host.mac })
    }

    /// Where the agent of a switch takes questions and orders.
    pub fn socket(&self, switch: &str) -> PathBuf {
        socket(self._directory.path(), switch)
    }

    /// Where a host sits now.
    pub fn place(&self, name: &str) -> Result<&PortRef, LabError> {
        self.places.get(name).ok_or_else(|| LabError::NoSuchHost(name.to_owned()))
    }

    /// Move a host to a free seat, where it announces itself. It still takes in what comes out of its old seat, until
    /// [`Self::leave`].
    pub async fn arrive(&mut self, name: &str, seat: &PortRef) -> Result<(), LabError> {
        let wire = self.free.remove(seat).ok_or_else(|| LabError::NoSuchSeat(seat.clone()))?;
        self.log.note(format!("{name} moves to {seat} and announces itself"));
        self.host(name)?.arrive(wire).await?;
        Ok(())
    }

    /// The end of a move: the host has nothing more to do with its old seat, which is free again.
    pub async fn leave(&mut self, name: &str, new: &PortRef) -> Result<(), LabError> {
        if let Some(wire) = self.host(name)?.let_go().await?
            && let Some(old) = self.places.insert(name.to_owned(), new.clone())
        {
            self.free.insert(old, wire);
        }
        Ok(())
    }

    /// Move a host to a free seat, without a word, as the end of a migration does. What waits in its old seat is lost.
    pub async fn transfer(&mut self, name: &str, seat: &PortRef) -> Result<(), LabError> {
        let wire = self.take_seat(seat)?;
        let old = self.host(name)?.transfer(wire).await?;
        if let (Some(place), Some(wire)) = (self.places.insert(name.to_owned(), seat.clone()), old) {
            self.free.insert(place, wire);
        }
        Ok(())
    }

    /// The wire of a free seat, for something that is no host of the topology.
    pub fn take_seat(&mut self, seat: &PortRef) -> Result<Wire, LabError> {
        self.free.remove(seat).ok_or_else(|| LabError::NoSuchSeat(seat.clone()))
    }

    /// Send a frame from a free seat, as a hypervisor does for a guest that is not there yet.
    pub fn send_from(&self, seat: &PortRef, frame: &Frame) -> Result<(), LabError> {
        let wire = self.free.get(seat).ok_or_else(|| LabError::NoSuchSeat(seat.clone()))?;
        wire.send(frame).map_err(std::io::Error::other)?;
        wire.flush();
        Ok(())
    }

    /// Pull the cable out of a switch port, or put it back.
    pub async fn set_link(&self, seat: &PortRef, up: bool) -> Result<(), LabError> {
        self.log.note(format!("the link of {seat} goes {}", if up { "up" } else { "down" }));
        self.plant.set_link(&seat.cable(), up).await
    }

    /// Kill the agent of a switch, whatever it is doing. The switch goes on by itself.
    pub async fn kill_agent(&self, switch: &str) -> Result<(), LabError> {
        self.agents.kill(switch).await
    }

    /// Start the agent of a switch again and wait until it controls the switch, at most `patience`; whether it does.
    pub async fn start_agent(&self, switch: &str, patience: Duration) -> Result<bool, LabError> {
        self.agents.start_again(switch, patience).await
    }

    /// Tell the agent of the VTEP where a host is that it is about to move to another VTEP.
    pub async fn expect_move(&self, name: &str, to: &str, within: Duration) -> Result<(), LabError> {
        let vtep =
            self.topology.vteps().find(|(switch, _)| switch.name == to).map(|(_, address)| VtepAddr(address.into()));
        let vtep = vtep.ok_or_else(|| LabError::NoSuchSeat(PortRef::new(to, 0)))?;
        self.log.note(format!("somebody tells the fabric that {name} will move to {to}"));
        self.agents.expect_move(&self.place(name)?.switch, self.key(name)?, Place::Vtep(vtep), within).await
    }

    /// Stop a switch where it is, as by SIGSTOP, until the value is dropped.
    pub async fn stall_switch(&self, switch: &str) -> Result<Stalled, LabError> {
        self.log.note(format!("the switch {switch} stands still"));
        self.plant.stall(switch).await
    }

    /// Kill a switch and start it again.
    pub async fn restart_switch(&self, switch: &str) -> Result<(), LabError> {
        self.log.note(format!("the switch {switch} is killed and started"));
        self.plant.restart(switch).await
    }

    /// What every VTEP's switch has about hosts.
    pub async fn tables(&self) -> Result<BTreeMap<String, HostTable>, ReadError> {
        let mut tables = BTreeMap::new();
        for (switch, _) in self.topology.vteps() {
            if let Some(reader) = self.readers.get(&switch.name) {
                tables.insert(switch.name.clone(), reader.clone().hosts().await?);
            }
        }
        Ok(tables)
    }

    /// What every VTEP's switch has about one host, in the order of the VTEPs.
    pub async fn entries(&self, name: &str) -> Result<BTreeMap<String, HostEntry>, LabError> {
        let key = self.key(name)?;
        let tables = self.tables().await?;
        let entry = |table: HostTable| table.get(&(key.vni, key.mac)).cloned().unwrap_or_default();
        Ok(tables.into_iter().map(|(switch, table)| (switch, entry(table))).collect())
    }

    /// How `switch` reaches a host that sits at `place`.
    pub fn reach(&self, switch: &str, place: &PortRef) -> Option<Reach> {
        if place.switch == switch {
            return Some(place.vlan.map_or(Reach::Port(place.port), |vlan| Reach::Vlan(place.port, vlan)));
        }
        let other = self.topology.switches.iter().find(|candidate| candidate.name == place.switch)?;
        other.vtep.map(Reach::Tunnel)
    }

    /// The VTEPs that do not have a host where it is, each with what it has instead.
    pub async fn misplaced(&self, name: &str, place: &PortRef) -> Result<Vec<String>, LabError> {
        let entries = self.entries(name).await?;
        let wrong = entries.into_iter().filter(|(switch, entry)| {
            let right = self.reach(switch, place);
            !right.is_some_and(|reach| entry.is_at(&reach))
        });
        Ok(wrong.map(|(switch, entry)| format!("{switch} has {name} at {entry}")).collect())
    }

    /// Wait until every VTEP has a host where it is, at most `patience`; what is still wrong then.
    pub async fn until_placed(&self, name: &str, place: &PortRef, patience: Duration) -> Result<Vec<String>, LabError> {
        let deadline = tokio::time::Instant::now() + patience;
        let mut written = self.log.written();
        loop {
            written.borrow_and_update();
            let wrong = self.misplaced(name, place).await?;
            if wrong.is_empty() || tokio::time::timeout_at(deadline, written.changed()).await.is_err() {
                return Ok(wrong);
            }
        }
    }

    /// Stop everything and wait until it has stopped.
    pub async fn shutdown(mut self) {
        drop(self.hosts);
        self.trunks.shutdown().await;
        self.agents.shutdown().await;
        self.plant.shutdown().await;
    }
}

fn socket(directory: &Path, switch: &str) -> PathBuf {
    directory.join(format!("{switch}.sock"))
}

/// An address on the loopback interface for each name. They are free now, and nothing can hold them until the agents do.
fn free_addresses(names: impl Iterator<Item = String>) -> Result<BTreeMap<String, SocketAddr>, LabError> {
    // All are held until all are known, so that no two are equal.
    let mut held = Vec::new();
    for name in names {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        held.push((name, listener.local_addr()?, listener));
    }
    Ok(held.into_iter().map(|(name, address, _)| (name, address)).collect())
}
