//! One switch under test, with a wire in every port and a controller's session.
//!
//! After what is to be observed, a barrier is sent the same way: a frame that leaves by every port, and one that goes to
//! the controller. Each way out is a queue, so what has not come out before the barrier does not come out at all. Nothing
//! waits for time to pass.

use std::fmt;
use std::sync::Arc;

use tokio::time::timeout;
pub(crate) use vouch_bmv2_tests::rig::Result;
use vouch_bmv2_tests::rig::{PATIENCE, Rig};
use vouch_lab::target::Target;
use vouch_p4runtime::client::{Pipeline, Replica, clone_session, delete, insert, modify, multicast_group};
use vouch_p4runtime::p4::v1::{PacketIn, Update};
use vouch_p4runtime::{Event, P4Info, Session};

use crate::entries::Entry;
use crate::frames::{BROADCAST, ethernet, hex, tagged};
use crate::network::{self, BARRIER, BARRIER_BD, BARRIER_LOCATION, BARRIER_VLAN, CPU_PORT, PORTS, PROBE};

/// An ethertype for experiments (IEEE 802), which the pipeline does not look into.
const BARRIER_TYPE: u16 = 0x88b5;

/// What goes into the switch.
#[derive(Clone)]
pub(crate) enum Input {
    /// A frame at a port.
    Frame(u16, Vec<u8>),
    /// A frame from the controller: mode, BD and location of its packet_out header.
    FromController([u16; 3], Vec<u8>),
}

/// What comes out of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Frames, port by port, each port's in order.
    pub(crate) frames: Vec<(u16, Vec<u8>)>,
    /// Frames for the controller, in order.
    pub(crate) punts: Vec<Punt>,
    /// Drop counters that moved: which, its index, packets, bytes.
    pub(crate) drops: Vec<(&'static str, i64, i64, i64)>,
}

/// A frame for the controller.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Punt {
    /// The packet_in header: ingress port, BD, reason, location, recorded.
    pub(crate) header: [u128; 5],
    /// The frame.
    pub(crate) frame: Vec<u8>,
}

/// A switch under test.
pub(crate) struct Bench {
    rig: Rig,
    info: Arc<P4Info>,
    resting: Vec<Entry>,
    barriers: u32,
}

impl Bench {
    /// Bring a switch up and give it the network's entries.
    pub(crate) async fn start(target: &dyn Target) -> Result<Self> {
        Self::start_with(target, pipeline()?).await
    }

    /// The same with another build of the program.
    pub(crate) async fn start_with(target: &dyn Target, pipeline: Pipeline) -> Result<Self> {
        let rig = Rig::start(target, &PORTS).await?;
        let info = pipeline.p4info().clone();
        rig.session.push_pipeline(&pipeline).await?;
        let bench = Self { rig, info, resting: network::entries(), barriers: 0 };
        bench.rest().await?;
        Ok(bench)
    }

    /// What kind of switch it is.
    pub(crate) fn name(&self) -> &str {
        &self.rig.name
    }

    /// Where it is controlled.
    pub(crate) fn url(&self) -> String {
        self.rig.url.clone()
    }

    /// The controller's session.
    pub(crate) fn session(&self) -> &Session {
        &self.rig.session
    }

    /// The program's names.
    pub(crate) fn info(&self) -> &P4Info {
        &self.info
    }

    /// The next event of the session that `pick` takes.
    pub(crate) async fn event<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> Result<T> {
        timeout(PATIENCE, async {
            loop {
                let event = self.rig.events.recv().await.ok_or("the session ended")?;
                if let Some(picked) = pick(event) {
                    return Ok(picked);
                }
            }
        })
        .await
        .map_err(|_| format!("{}: what was waited for did not happen", self.rig.name))?
    }

    async fn rest(&self) -> Result<()> {
        let mut updates = Vec::new();
        for (id, replicas) in network::groups() {
            let replica = |(port, instance): (u16, u16)| Replica { port: port.into(), instance: instance.into() };
            updates.push(insert(multicast_group(id, replicas.into_iter().map(replica))));
        }
        updates.push(insert(clone_session(1, [Replica { port: CPU_PORT.into(), instance: 1 }], None)));
        for entry in &self.resting {
            updates.push(insert(entry.encode(&self.info)?));
        }
        Ok(self.rig.session.write(updates).await?)
    }

    /// Observe what the switch makes of some inputs, while it has these entries besides or instead of its own.
    pub(crate) async fn observe(&mut self, entries: &[Entry], inputs: &[Input]) -> Result<Outcome> {
        let (set, restore) = self.changes(entries)?;
        self.rig.session.write(set).await?;
        let outcome = self.observe_inputs(inputs).await;
        self.rig.session.write(restore).await?;
        outcome
    }

    /// The updates that bring entries in, and those that take them back.
    fn changes(&self, entries: &[Entry]) -> Result<(Vec<Update>, Vec<Update>)> {
        let (mut set, mut restore) = (Vec::new(), Vec::new());
        for entry in entries {
            let encoded = entry.encode(&self.info)?;
            match self.resting.iter().find(|resting| resting.same_key(entry)) {
                Some(resting) => {
                    set.push(modify(encoded));
                    restore.push(modify(resting.encode(&self.info)?));
                }
                None => {
                    set.push(insert(encoded.clone()));
                    restore.push(delete(encoded));
                }
            }
        }
        Ok((set, restore))
    }

    async fn observe_inputs(&mut self, inputs: &[Input]) -> Result<Outcome> {
        let before = self.drop_counters().await?;
        for input in inputs {
            self.send(input).await?;
        }
        let (frames, punts) = self.barrier(inputs).await?;
        let after = self.drop_counters().await?;
        let moved = after.iter().zip(&before).filter(|(after, before)| after != before);
        let drops = moved.map(|(after, before)| (after.0, after.1, after.2 - before.2, after.3 - before.3)).collect();
        Ok(Outcome { frames, punts, drops })
    }

    async fn send(&self, input: &Input) -> Result<()> {
        match input {
            Input::Frame(port, frame) => {
                Ok(self.rig.wire(*port).ok_or("a port that the switch does not have")?.send(frame)?)
            }
            Input::FromController([mode, bd, location], frame) => {
                let header = self.info.packet_out()?;
                let values = [("mode", *mode), ("bd", *bd), ("location", *location), ("zero", 0)];
                let metadata = header.encode(&values.map(|(name, value)| (name, value.into())))?;
                Ok(self.rig.session.packet_out(frame.clone(), metadata).await?)
            }
        }
    }

    /// Send the barrier the way that the last input went, and gather what comes out before it.
    async fn barrier(&mut self, inputs: &[Input]) -> Result<(Vec<(u16, Vec<u8>)>, Vec<Punt>)> {
        self.barriers += 1;
        let number = self.barriers.to_be_bytes();
        for destination in [BROADCAST, PROBE] {
            let mut frame = ethernet(destination, BARRIER, BARRIER_TYPE, &number);
            frame.resize(60, 0);
            let input = match inputs.last() {
                Some(Input::Frame(port, _)) => Input::Frame(*port, tagged(BARRIER_VLAN, &frame)),
                Some(Input::FromController(..)) => Input::FromController([1, BARRIER_BD, BARRIER_LOCATION], frame),
                None => return Err("nothing to observe".into()),
            };
            self.send(&input).await?;
        }
        let end = tagged(BARRIER_VLAN, &ethernet(BROADCAST, BARRIER, BARRIER_TYPE, &number));
        let frames = self.rig.frames_until(&end).await?;
        let punts = timeout(PATIENCE, self.punts_until(&number)).await;
        let punts = punts.map_err(|_| format!("{}: the barrier did not come to the controller", self.rig.name))??;
        Ok((frames, punts))
    }

    async fn punts_until(&mut self, number: &[u8]) -> Result<Vec<Punt>> {
        let mut punts = Vec::new();
        loop {
            let packet = match self.rig.events.recv().await {
                Some(Event::PacketIn(packet)) => packet,
                Some(Event::StreamError(error)) => return Err(format!("the switch refused: {error:?}").into()),
                Some(_other) => continue,
                None => return Err("the session ended".into()),
            };
            let punt = self.punt(packet)?;
            if punt.header[1] == u128::from(BARRIER_BD) {
                if punt.frame.get(14..18) == Some(number) {
                    return Ok(punts);
                }
                return Err("a barrier came out of order".into());
            }
            punts.push(punt);
        }
    }

    fn punt(&self, packet: PacketIn) -> Result<Punt> {
        let header = self.info.packet_in()?;
        let mut values = [0; 5];
        for (value, name) in values.iter_mut().zip(["ingress_port", "bd", "reason", "location", "recorded"]) {
            *value = header.get(&packet.metadata, name)?;
        }
        Ok(Punt { header: values, frame: packet.payload.to_vec() })
    }

    /// Every cell of the counters of drops: which, index, packets, bytes.
    async fn drop_counters(&self) -> Result<Vec<(&'static str, i64, i64, i64)>> {
        let mut cells = Vec::new();
        for name in ["drops", "egress_drops"] {
            let counter = self.rig.session.read_counter(self.info.counter(name)?.id).await?;
            cells.extend(counter.into_iter().map(|(index, data)| (name, index, data.packet_count, data.byte_count)));
        }
        cells.sort_unstable();
        Ok(cells)
    }
}

/// The VTEP program.
pub(crate) fn pipeline() -> Result<Pipeline> {
    let info = P4Info::from_text(include_str!("../../../p4src/build/vtep.p4info.txtpb"))?;
    Ok(Pipeline::new(Arc::new(info), include_bytes!("../../../p4src/build/vtep.json").to_vec()))
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Frame(port, frame) => write!(f, "port {port}: {}", hex(frame)),
            Input::FromController([mode, bd, location], frame) => {
                write!(f, "controller: mode {mode} bd {bd} location {location:#x}: {}", hex(frame))
            }
        }
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (port, frame) in &self.frames {
            writeln!(f, "    port {port}: {}", hex(frame))?;
        }
        for Punt { header: [port, bd, reason, location, recorded], frame } in &self.punts {
            let header = format!("port {port} bd {bd} reason {reason} location {location:#x} recorded {recorded:#x}");
            writeln!(f, "    controller: {header}: {}", hex(frame))?;
        }
        for (counter, index, packets, bytes) in &self.drops {
            writeln!(f, "    {counter}[{index}] +{packets} packets, +{bytes} bytes")?;
        }
        Ok(())
    }
}
