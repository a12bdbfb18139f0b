//! Switches that are processes as a [`Target`]: each cable is a veth pair.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use p4_switch::interface::InterfacePort;
use p4_switch::process::{Ports, SwitchProcess, tail};
use p4_switch::streamed::{self, DEVICE, Starting, Streamed};
use tempfile::TempDir;
use tokio::time::timeout;
use vouch_lab::Wire;
use vouch_lab::error::LabError;
use vouch_lab::target::{BoxFuture, Plant, Target};
use vouch_lab::topology::{PortRef, Topology};
use vouch_switch_server::{Port, PortStatus};

use crate::namespace::ip;
use crate::process::{SwitchProgram, log_path};

/// Room for a full tenant frame and 50 bytes of encapsulation. Not more: libpcap, which BMv2 reads with, divides a fixed
/// buffer into slots of this size, and a short queue loses bursts.
pub(crate) const MTU: u16 = 1600;

/// How long an interface may take until it says that its cable is out, or in.
const LINK_PATIENCE: Duration = Duration::from_secs(5);

/// Switches that are processes of one program, in this process's network namespace.
#[derive(Debug)]
pub struct Processes {
    program: SwitchProgram,
    logs: TempDir,
}

impl Processes {
    /// The switches' logs go to a folder that is removed with this value.
    pub fn new(program: SwitchProgram) -> io::Result<Self> {
        Ok(Self { program, logs: tempfile::tempdir()? })
    }

    /// The end of what each switch printed.
    pub fn logs(&self) -> String {
        let entries = std::fs::read_dir(self.logs.path()).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths.iter().map(|path| format!("--- {}\n{}\n", path.display(), tail(path))).collect()
    }

    async fn start(&self, topology: &Topology) -> Result<Switches, LabError> {
        let names = Interfaces::of(topology);
        let mut cables = Cables::default();
        let mut ports: BTreeMap<&str, Vec<(u16, String)>> = BTreeMap::new();
        for [a, b] in &topology.cables {
            cables.add(names.switch_end(a), names.switch_end(b));
            for end in [a, b] {
                ports.entry(&end.switch).or_default().push((end.port, names.switch_end(end)));
            }
        }
        for seat in &topology.seats {
            cables.add(names.switch_end(&seat.at), names.host_end(&seat.at));
            ports.entry(&seat.at.switch).or_default().push((seat.at.port, names.switch_end(&seat.at)));
        }
        cables.lay()?;

        let mut switches =
            Switches { processes: BTreeMap::new(), wires: BTreeMap::new(), taken: Vec::new(), names, cables };
        for seat in &topology.seats {
            let port = InterfacePort::open(&switches.names.host_end(&seat.at)).map_err(io::Error::other)?;
            switches.wires.insert(seat.at.clone(), Arc::new(port));
        }
        for switch in &topology.switches {
            let ports = ports.remove(switch.name.as_str()).unwrap_or_default();
            let log = log_path(self.logs.path(), &switch.name);
            let command = self.program.command(switch.device_id)?;
            let process = SwitchProcess::start(command, switch.device_id, Ports::Interfaces(&ports), &log)
                .await
                .map_err(|error| LabError::Switch { switch: switch.name.clone(), error: error.to_string() })?;
            switches.processes.insert(switch.name.clone(), process);
        }
        Ok(switches)
    }
}

impl Target for Processes {
    fn name(&self) -> &str {
        self.program.name()
    }

    fn stream_rate(&self) -> u32 {
        match self.program {
            // Four switches that take every packet through a debuggable interpreter share this machine with everything else.
            SwitchProgram::Bmv2 => 250,
            SwitchProgram::P4Switch => 1_000,
        }
    }

    fn build<'a>(&'a self, topology: &'a Topology) -> BoxFuture<'a, Result<Box<dyn Plant>, LabError>> {
        Box::pin(async {
            let plant: Box<dyn Plant> = Box::new(self.start(topology).await?);
            Ok(plant)
        })
    }
}

impl Streamed for Processes {
    fn name(&self) -> &str {
        self.program.name()
    }

    fn start(&self) -> Starting<'_> {
        Box::pin(async {
            let log = log_path(self.logs.path(), "streamed");
            streamed::start(self.program.command(DEVICE)?, &log).await
        })
    }
}

/// Running switches. The fields are dropped in this order: processes before their interfaces.
struct Switches {
    processes: BTreeMap<String, SwitchProcess>,
    wires: BTreeMap<PortRef, Arc<InterfacePort>>,
    /// Wires that were given out already.
    taken: Vec<PortRef>,
    names: Interfaces,
    #[expect(dead_code, reason = "held until the end")]
    cables: Cables,
}

impl Plant for Switches {
    fn control(&self, switch: &str) -> Option<String> {
        self.processes.get(switch).map(|process| process.url().to_owned())
    }

    fn take_wire(&mut self, seat: &PortRef) -> Option<Wire> {
        if self.taken.contains(seat) {
            return None;
        }
        let wire: Wire = self.wires.get(seat)?.clone();
        self.taken.push(seat.clone());
        Some(wire)
    }

    fn set_link<'a>(&'a self, seat: &'a PortRef, up: bool) -> BoxFuture<'a, Result<(), LabError>> {
        Box::pin(async move {
            let wire = self.wires.get(seat).ok_or_else(|| LabError::NoSuchSeat(seat.clone()))?;
            // Of a veth pair, an end that is down takes the carrier from the other: for the switch the cable is out.
            let (interface, word) = (self.names.host_end(seat), if up { "up" } else { "down" });
            ip(&[format!("link set {interface} {word}")])?;
            let wanted = if up { PortStatus::Up } else { PortStatus::Down };
            let seen = timeout(LINK_PATIENCE, wire.status().wait_for(|status| *status == wanted)).await.map(drop);
            Ok(seen.map_err(|_| io::Error::other(format!("{interface} does not become {wanted}")))?)
        })
    }

    fn shutdown(self: Box<Self>) -> BoxFuture<'static, ()> {
        // Killing and reaping a process takes no time worth waiting for elsewhere.
        Box::pin(async { drop(self) })
    }
}

/// Names of interfaces: at most 15 bytes, so they go by device id.
struct Interfaces {
    devices: BTreeMap<String, u64>,
}

impl Interfaces {
    fn of(topology: &Topology) -> Self {
        let devices = topology.switches.iter().map(|switch| (switch.name.clone(), switch.device_id));
        Self { devices: devices.collect() }
    }

    fn switch_end(&self, at: &PortRef) -> String {
        format!("s{}p{}", self.device(at), at.port)
    }

    fn host_end(&self, at: &PortRef) -> String {
        format!("h{}p{}", self.device(at), at.port)
    }

    fn device(&self, at: &PortRef) -> u64 {
        self.devices.get(&at.switch).copied().unwrap_or_default()
    }
}

/// Veth pairs, which are taken away with this value.
#[derive(Debug, Default)]
pub(crate) struct Cables {
    pairs: Vec<[String; 2]>,
    laid: bool,
}

impl Cables {
    /// One more pair, of these two ends.
    pub(crate) fn add(&mut self, a: String, b: String) {
        self.pairs.push([a, b]);
    }

    /// Make them, and bring both ends up.
    pub(crate) fn lay(&mut self) -> io::Result<()> {
        self.laid = true;
        let lines = self.pairs.iter().flat_map(|[a, b]| {
            [
                format!("link add {a} mtu {MTU} type veth peer name {b} mtu {MTU}"),
                format!("link set {a} up"),
                format!("link set {b} up"),
            ]
        });
        ip(&lines.collect::<Vec<_>>())
    }
}

impl Drop for Cables {
    fn drop(&mut self) {
        if self.laid {
            // One by one: where laying them failed half-way, some do not exist. One end takes the other along.
            for [a, _] in &self.pairs {
                let _ = ip(&[format!("link delete {a}")]);
            }
        }
    }
}
