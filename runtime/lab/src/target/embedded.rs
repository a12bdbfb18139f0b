//! Embedded switches in this process, with in-process links between them and to the hosts. Each runs as a [`Process`] of its
//! own, so that it can stand still or be killed.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Mutex;
use vouch_switch_server::{Capture, Endpoint, LinkConfig, ServerHandle, SwitchServer, link};

use super::tofino::{self, Front, TofinoServer};
use super::{BoxFuture, Plant, Stalled, Target};
use crate::error::LabError;
use crate::host::Wire;
use crate::process::Process;
use crate::topology::{PortRef, Topology};

/// The embedded switch as a target.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// How long a frame travels between two switches. Timers round it up to the next millisecond.
    pub underlay_delay: Duration,
    /// The directory for one capture per link.
    pub captures: Option<PathBuf>,
    /// Pass for switches with a Tofino, behind such a P4Runtime server.
    pub tofino: Option<TofinoServer>,
}

impl Default for Embedded {
    fn default() -> Self {
        Self { underlay_delay: Duration::from_micros(100), captures: None, tofino: None }
    }
}

impl Embedded {
    fn link(&self, name: &str, delay: Duration) -> Result<(Endpoint, Endpoint), LabError> {
        let capture = match &self.captures {
            None => None,
            Some(directory) => {
                let path = directory.join(format!("{name}.pcap"));
                Some(Capture::create(&path).map_err(|error| LabError::Capture { path, error })?)
            }
        };
        Ok(link(LinkConfig { delay, capture, ..LinkConfig::default() }))
    }

    async fn start(&self, topology: &Topology) -> Result<Switches, LabError> {
        let mut ports: BTreeMap<&str, Vec<(u16, Endpoint)>> = BTreeMap::new();
        for [a, b] in &topology.cables {
            let name = format!("{}-{}", a.switch, b.switch);
            let (end_a, end_b) = self.link(&name, self.underlay_delay)?;
            ports.entry(&a.switch).or_default().push((a.port, end_a));
            ports.entry(&b.switch).or_default().push((b.port, end_b));
        }
        let mut switches = Switches {
            specs: BTreeMap::new(),
            running: Mutex::default(),
            wires: BTreeMap::new(),
            sockets: BTreeMap::new(),
        };
        for seat in &topology.seats {
            let name = format!("{}-port{}", seat.at.switch, seat.at.port);
            let (switch_end, host_end) = self.link(&name, Duration::ZERO)?;
            ports.entry(&seat.at.switch).or_default().push((seat.at.port, switch_end.clone()));
            switches.sockets.insert(seat.at.clone(), switch_end);
            switches.wires.insert(seat.at.clone(), Arc::new(host_end));
        }
        for switch in &topology.switches {
            let ports = ports.remove(switch.name.as_str()).unwrap_or_default();
            let mut spec = Spec {
                name: switch.name.clone(),
                device_id: switch.device_id,
                ports,
                tofino: self.tofino,
                address: (Ipv4Addr::LOCALHOST, 0).into(),
            };
            let running = spec.start().await?;
            spec.address = running.address();
            switches.specs.insert(switch.name.clone(), spec);
            switches.running.get_mut().insert(switch.name.clone(), running);
        }
        Ok(switches)
    }
}

impl Target for Embedded {
    fn name(&self) -> &str {
        match self.tofino {
            None => "embedded switch",
            Some(TofinoServer::Sde) => "embedded model of a Tofino, with the SDE's server",
            Some(TofinoServer::Stratum) => "embedded model of a Tofino, with Stratum",
        }
    }

    fn switch_fields(&self, directory: &Path) -> io::Result<String> {
        self.tofino.map_or_else(|| Ok(String::new()), |server| tofino::switch_fields(server, directory))
    }

    fn build<'a>(&'a self, topology: &'a Topology) -> BoxFuture<'a, Result<Box<dyn Plant>, LabError>> {
        Box::pin(async {
            let plant: Box<dyn Plant> = Box::new(self.start(topology).await?);
            Ok(plant)
        })
    }
}

struct Switches {
    specs: BTreeMap<String, Spec>,
    running: Mutex<BTreeMap<String, Running>>,
    wires: BTreeMap<PortRef, Wire>,
    /// The switches' ends of the access links.
    sockets: BTreeMap<PortRef, Endpoint>,
}

/// What it takes to start a switch, again and again.
struct Spec {
    name: String,
    device_id: u64,
    ports: Vec<(u16, Endpoint)>,
    tofino: Option<TofinoServer>,
    address: SocketAddr,
}

struct Running {
    process: Process,
    server: ServerHandle,
    /// What controllers speak to, where that is not the switch itself.
    front: Option<Front>,
}

impl Running {
    fn address(&self) -> SocketAddr {
        self.front.as_ref().map_or_else(|| self.server.local_addr(), Front::local_addr)
    }
}

impl Spec {
    async fn start(&self) -> Result<Running, LabError> {
        let refused = |error: String| LabError::Switch { switch: self.name.clone(), error };
        let mut builder = SwitchServer::builder().device_id(self.device_id);
        if self.tofino.is_some() {
            builder = builder.cpu_port(tofino::CPU_PORT.into());
        }
        for (number, port) in &self.ports {
            builder = builder.port((*number).into(), port.clone());
        }
        let switch = builder.build().map_err(|error| refused(error.to_string()))?;
        let process = Process::new(&self.name)?;
        let (address, tofino) = (self.address, self.tofino);
        let started = process.run(async move {
            let Some(server) = tofino else {
                return Ok((switch.listen(address).await.map_err(|error| error.to_string())?, None));
            };
            let switch = switch.listen((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| error.to_string())?;
            let listener = TcpListener::bind(address).await.map_err(|error| error.to_string())?;
            let front = Front::serve(&switch, server, tofino::MODEL, listener);
            Ok((switch, Some(front.map_err(|error| error.to_string())?)))
        });
        let (server, front) = started.await?.map_err(refused)?;
        Ok(Running { process, server, front })
    }
}

impl Switches {
    fn spec(&self, switch: &str) -> Result<&Spec, LabError> {
        let unknown = || LabError::Switch { switch: switch.to_owned(), error: "there is none of that name".to_owned() };
        self.specs.get(switch).ok_or_else(unknown)
    }
}

impl Plant for Switches {
    fn control(&self, switch: &str) -> Option<String> {
        self.specs.get(switch).map(|spec| format!("http://{}", spec.address))
    }

    fn take_wire(&mut self, seat: &PortRef) -> Option<Wire> {
        self.wires.remove(seat)
    }

    fn set_link<'a>(&'a self, seat: &'a PortRef, up: bool) -> BoxFuture<'a, Result<(), LabError>> {
        Box::pin(async move {
            let socket = self.sockets.get(seat).ok_or_else(|| LabError::NoSuchSeat(seat.clone()))?;
            socket.set_up(up);
            Ok(())
        })
    }

    fn stall<'a>(&'a self, switch: &'a str) -> BoxFuture<'a, Result<Stalled, LabError>> {
        Box::pin(async move {
            self.spec(switch)?;
            let running = self.running.lock().await;
            let running = running.get(switch).ok_or(LabError::NotHere("stall a switch that does not run"))?;
            let stalled: Stalled = Box::new(running.process.stop().await?);
            Ok(stalled)
        })
    }

    fn restart<'a>(&'a self, switch: &'a str) -> BoxFuture<'a, Result<(), LabError>> {
        Box::pin(async move {
            let spec = self.spec(switch)?;
            let mut all = self.running.lock().await;
            if let Some(running) = all.remove(switch) {
                running.process.kill().await;
            }
            all.insert(switch.to_owned(), spec.start().await?);
            Ok(())
        })
    }

    fn shutdown(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async {
            for (_, running) in self.running.into_inner() {
                drop(running.front);
                running.server.shutdown().await;
                running.process.kill().await;
            }
        })
    }
}
