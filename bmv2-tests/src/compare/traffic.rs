//! The generator and what counts behind the switch.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use p4_switch::interface::InterfacePort;
use tokio::time::timeout;
use vouch_switch_server::{Frames, Port};

use super::workload::{Load, TRAILER};
use crate::rig::{PATIENCE, Result};
use crate::target::Cables;

/// Frames that leave between two looks at the clock. A sender of [`InterfacePort`] gathers as many for each system call.
const BURST: u64 = 32;
/// How long a paced generator rests: frames leave in bursts of what is due by then.
const REST: Duration = Duration::from_micros(50);
/// When nothing has come out for so long, nothing more will.
const QUIET: Duration = Duration::from_millis(200);

/// Two veth pairs, one for each port: `sN` is for the switch, `gN` for us.
pub(super) struct Wires {
    generators: Vec<(u16, InterfacePort)>,
    #[expect(dead_code, reason = "held until the end")]
    cables: Cables,
}

/// What a generator did and what came of it, in frames that go in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    /// Sent each second.
    pub(super) offered: f64,
    /// Carried each second while sending went on.
    pub(super) carried: f64,
    /// Every copy of every frame came out.
    pub(super) complete: bool,
}

impl Wires {
    /// Lay them. Must be called inside a tokio runtime.
    pub(super) fn lay(ports: &[u16]) -> Result<Self> {
        let mut cables = Cables::default();
        for port in ports {
            cables.add(format!("s{port}"), ours(*port));
        }
        cables.lay()?;
        let mut generators = Vec::new();
        for port in ports {
            generators.push((*port, InterfacePort::open(&ours(*port))?.gathering()));
        }
        Ok(Self { generators, cables })
    }

    /// The switch's ends.
    pub(super) fn ports(&self) -> Vec<(u16, String)> {
        self.generators.iter().map(|(port, _)| (*port, format!("s{port}"))).collect()
    }

    fn at(&self, port: u16) -> Result<&InterfacePort> {
        let found = self.generators.iter().find(|(number, _)| *number == port);
        Ok(&found.ok_or_else(|| format!("there is no port {port}"))?.1)
    }

    /// One frame for each that is expected, and the frames that come out.
    pub(super) async fn observe(&self, load: &Load, frame: &[u8]) -> Result<Vec<Vec<u8>>> {
        let far = self.at(load.to)?;
        let mut frames = Frames::new();
        // What an earlier measurement left.
        while timeout(QUIET, far.receive(&mut frames, BURST as usize)).await.is_ok() {
            frames.clear();
        }
        self.at(load.from)?.send(frame)?;
        self.at(load.from)?.flush();
        while (frames.len() as u64) < load.copies {
            let received = timeout(PATIENCE, far.receive(&mut frames, BURST as usize)).await;
            received.map_err(|_| format!("{}: only {} frames come out", load.name, frames.len()))??;
        }
        Ok(frames.iter().map(<[u8]>::to_vec).collect())
    }

    /// Send for some time, at a rate or as fast as it goes, and count what comes out.
    pub(super) fn trial(&self, load: &Load, frames: &[Vec<u8>], rate: Option<f64>, time: Duration) -> Result<Trial> {
        let far = ours(load.to);
        let before = received(&far)?;
        let start = Instant::now();
        let sent = self.send(load, frames, rate, time, |_, _| {})?;
        let elapsed = start.elapsed().as_secs_f64();
        let in_time = received(&far)? - before;
        let due = sent * load.copies;
        let (mut count, mut changed) = (in_time, Instant::now());
        while count < due && changed.elapsed() < QUIET {
            sleep(Duration::from_millis(5));
            let now = received(&far)? - before;
            if now != count {
                (count, changed) = (now, Instant::now());
            }
        }
        Ok(Trial {
            offered: sent as f64 / elapsed,
            carried: in_time as f64 / load.copies as f64 / elapsed,
            complete: count >= due,
        })
    }

    /// What the generator achieves where nobody takes the frames out of the pair.
    pub(super) fn wire(&self, load: &Load, frames: &[Vec<u8>], time: Duration) -> Result<f64> {
        let near = format!("s{}", load.from);
        let (before, start) = (received(&near)?, Instant::now());
        self.send(load, frames, None, time, |_, _| {})?;
        Ok((received(&near)? - before) as f64 / start.elapsed().as_secs_f64())
    }

    /// Times from a frame's way in to the way out of each of its copies, ascending. Frames are numbered in their last bytes.
    pub(super) fn latencies(
        &self,
        load: &Load,
        frames: &[Vec<u8>],
        rate: f64,
        time: Duration,
    ) -> Result<Vec<Duration>> {
        // A port of its own, so that what it sees begins now.
        let far = InterfacePort::open(&ours(load.to))?;
        let runtime = tokio::runtime::Handle::current();
        let most = (rate * time.as_secs_f64()) as u64 + BURST;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let receiver = std::thread::spawn(move || runtime.block_on(arrivals(far, stopped)));
        let mut sent = Vec::with_capacity(most as usize);
        let sending = self.send(load, frames, Some(rate), time, |frame, number| {
            let at = frame.len() - TRAILER;
            frame[at..].copy_from_slice(&number.to_be_bytes());
            sent.push(Instant::now());
        });
        sleep(QUIET);
        let _ = stop.send(());
        let arrived = receiver.join().map_err(|_| "the receiver panicked")?;
        sending?;
        let times = arrived.into_iter().filter_map(|(number, at)| Some(at - *sent.get(usize::try_from(number).ok()?)?));
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        Ok(times)
    }

    /// Send until the time is up, and give the number of frames that the kernel took. `mark` is told each frame and its number.
    fn send(
        &self,
        load: &Load,
        frames: &[Vec<u8>],
        rate: Option<f64>,
        time: Duration,
        mut mark: impl FnMut(&mut [u8], u64),
    ) -> Result<u64> {
        let port = self.at(load.from)?;
        let mut frames = frames.to_vec();
        let taken = |port: &InterfacePort| port.counters().sent;
        let (before, start, mut sent) = (taken(port), Instant::now(), 0u64);
        let in_turn = frames.len() as u64;
        loop {
            let elapsed = start.elapsed();
            if elapsed >= time {
                break;
            }
            let due = rate.map_or(BURST, |rate| ((elapsed.as_secs_f64() * rate) as u64).saturating_sub(sent));
            if due == 0 {
                sleep(REST);
                continue;
            }
            for _ in 0..due.min(BURST) {
                let frame = &mut frames[(sent % in_turn) as usize];
                mark(frame, sent);
                // What is not taken is not counted as sent.
                let _ = port.send(frame);
                sent += 1;
            }
            port.flush();
        }
        Ok(taken(port) - before)
    }
}

/// Numbers and times of the frames that come in until told to stop.
async fn arrivals(far: InterfacePort, mut stopped: tokio::sync::oneshot::Receiver<()>) -> Vec<(u64, Instant)> {
    let (mut batch, mut arrived) = (Frames::new(), Vec::new());
    loop {
        tokio::select! {
            _ = &mut stopped => return arrived,
            received = far.receive(&mut batch, BURST as usize) => if received.is_err() { return arrived },
        }
        let now = Instant::now();
        for frame in batch.iter() {
            if let Some(number) = frame.last_chunk::<TRAILER>() {
                arrived.push((u64::from_be_bytes(*number), now));
            }
        }
        batch.clear();
    }
}

/// Our end of a port's pair.
fn ours(port: u16) -> String {
    format!("g{port}")
}

/// How many frames have come in at an interface of this namespace.
fn received(interface: &str) -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/net/dev")?;
    let line = text.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.trim() == interface);
    // Bytes come first.
    let count = line.and_then(|(_, counts)| counts.split_whitespace().nth(1)?.parse().ok());
    count.ok_or_else(|| io::Error::other(format!("/proc/net/dev has no count of frames for {interface}")))
}
