//! One switch under test, with a wire in every port and a controller's session: what tests of single packets stand on.

use std::error::Error;
use std::fmt;

pub use p4_switch::streamed::PATIENCE;
use tokio::time::timeout;
use vouch_lab::Wire;
use vouch_lab::target::{Plant, Target};
use vouch_lab::topology::{PortRef, Seat, SwitchSpec, Topology};
use vouch_net::Vni;
use vouch_p4runtime::{EventReceiver, Session, SessionConfig};
use vouch_switch_server::Frames;

/// What a step of a rig returns.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The name of the switch in its topology.
const SWITCH: &str = "vtep1";

/// A switch without a program, and everything that leads to it.
pub struct Rig {
    /// What kind of switch it is.
    pub name: String,
    /// Where it is controlled.
    pub url: String,
    /// The controller's session, which is primary.
    pub session: Session,
    /// What the switch tells the controller.
    pub events: EventReceiver,
    /// The other end of each port.
    pub wires: Vec<(u16, Wire)>,
    /// Keeps the switch running.
    _plant: Box<dyn Plant>,
}

impl fmt::Debug for Rig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rig").field("name", &self.name).field("url", &self.url).finish_non_exhaustive()
    }
}

impl Rig {
    /// Bring a switch with these ports up.
    pub async fn start(target: &dyn Target, ports: &[u16]) -> Result<Self> {
        // A seat has a VNI, which matters only to an agent.
        let vni = Vni::new(1)?;
        let seat = |port: &u16| Seat { at: PortRef::new(SWITCH, *port), vni };
        let topology = Topology {
            switches: vec![SwitchSpec { name: SWITCH.to_owned(), device_id: 1, vtep: None }],
            cables: Vec::new(),
            seats: ports.iter().map(seat).collect(),
            guests: Vec::new(),
        };
        let mut plant = target.build(&topology).await?;
        let mut wires = Vec::new();
        for seat in &topology.seats {
            wires.push((seat.at.port, plant.take_wire(&seat.at).ok_or("a seat without a wire")?));
        }
        let url = plant.control(SWITCH).ok_or("a switch without a control port")?;
        let (session, events) = Session::connect(SessionConfig::new(url.clone(), 1, 1))?;
        timeout(PATIENCE, session.until_primary()).await?;
        Ok(Self { name: target.name().to_owned(), url, session, events, wires, _plant: plant })
    }

    /// The other end of a port.
    pub fn wire(&self, port: u16) -> Option<&Wire> {
        self.wires.iter().find(|(number, _)| *number == port).map(|(_, wire)| wire)
    }

    /// Frames from each port before the one that starts with `end`, which has to come out of every port.
    pub async fn frames_until(&self, end: &[u8]) -> Result<Vec<(u16, Vec<u8>)>> {
        let mut frames = Vec::new();
        for (port, wire) in &self.wires {
            let before = timeout(PATIENCE, until(wire, end)).await;
            let before =
                before.map_err(|_| format!("{}: the barrier did not come out of port {port}", self.name))??;
            frames.extend(before.into_iter().map(|frame| (*port, frame)));
        }
        Ok(frames)
    }
}

/// Frames from a wire until the one that starts with `end`.
async fn until(wire: &Wire, end: &[u8]) -> Result<Vec<Vec<u8>>> {
    let (mut batch, mut before) = (Frames::new(), Vec::new());
    loop {
        wire.receive(&mut batch, 1).await?;
        for frame in batch.iter() {
            if frame.starts_with(end) {
                return Ok(before);
            }
            before.push(frame.to_vec());
        }
        batch.clear();
    }
}
