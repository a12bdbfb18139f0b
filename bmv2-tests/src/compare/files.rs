//! BMv2's `--use-files`: packets from a capture file, through the pipeline, into a capture file. No socket and no interface
//! is between.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use pcap_file::TsResolution;
use pcap_file::pcap::PcapReader;
use vouch_switch_server::Capture;

use super::contestant::{Contestant, fill};
use super::run::Options;
use super::workload::{Load, Setup};
use crate::process::{ProcessClock, log_path};
use crate::rig::Result;

/// How often a switch is looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// A switch that has used no processor time for so long is done.
const IDLE: Duration = Duration::from_millis(600);

/// What a run over files gave, in packets that go in.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileRates {
    /// Each second, between the first packet that comes out and the last, whatever threads were at work.
    pub(super) wall: f64,
    /// For each second of processor time.
    pub(super) per_core: f64,
}

/// Let a switch carry a number of packets. Its tables must be full when it begins.
pub(super) async fn rates(
    contestant: &Contestant,
    setup: &Setup,
    load: &Load,
    length: usize,
    options: &Options,
) -> Result<FileRates> {
    let (packets, wait) = (options.packets, options.wait);
    let folder = tempfile::tempdir()?;
    let ports: Vec<_> = [load.from, load.to].map(|port| (port, format!("port{port}"))).into();
    let file = |port: u16, direction: &str| folder.path().join(format!("port{port}_{direction}.pcap"));
    let frames = load.frames(length);
    let input = Capture::create(file(load.from, "in"))?;
    frames.iter().cycle().take(packets).for_each(|frame| input.record(frame));
    input.flush()?;
    Capture::create(file(load.to, "in"))?.flush()?;

    let started = Instant::now();
    let log = log_path(folder.path(), "switch");
    let running = contestant.start_with_files(&ports, &log, folder.path(), options).await?;
    fill(&running.session, setup).await?;
    let clock = ProcessClock::of(&running.process);
    let before = clock.spent()?;
    if started.elapsed() >= wait {
        return Err(format!("filling the tables took {:?}; the packets came after {wait:?}", started.elapsed()).into());
    }
    // It idles while it waits; then it does not until it is done. Timers take a little at all times.
    let (mut seen, mut last, mut busy) = (before, before, None::<Instant>);
    while busy.is_none_or(|since| since.elapsed() < IDLE) {
        sleep(GLANCE);
        let now = clock.spent()?;
        if now.saturating_sub(seen) > GLANCE / 100 && started.elapsed() > wait {
            (last, busy) = (now, Some(Instant::now()));
        }
        seen = now;
        if busy.is_none() && started.elapsed() > wait + crate::rig::PATIENCE {
            return Err("no packet was read from the file".into());
        }
    }
    let spent = last.saturating_sub(before).as_secs_f64();
    drop(running);
    let (count, time) = span(&file(load.to, "out"))?;
    if count == 0 || time.is_zero() {
        return Err(format!("{count} packets came out of {packets}").into());
    }
    let carried = count as f64 / load.copies as f64;
    Ok(FileRates { wall: carried / time.as_secs_f64(), per_core: carried / spent.max(GLANCE.as_secs_f64()) })
}

/// How many packets a capture has, and the time between the first and the last.
fn span(path: &Path) -> Result<(u64, Duration)> {
    let mut reader = PcapReader::new(BufReader::new(File::open(path)?))?;
    let nanoseconds = match reader.header().ts_resolution {
        TsResolution::MicroSecond => 1_000,
        TsResolution::NanoSecond => 1,
    };
    let (mut count, mut times) = (0, None::<(Duration, Duration)>);
    // Raw: BMv2 says in the header that no packet has any bytes. The last one may have been cut off with the process.
    while let Some(Ok(packet)) = reader.next_raw_packet() {
        let at = Duration::from_secs(packet.ts_sec.into()) + Duration::from_nanos(packet.ts_frac.into()) * nanoseconds;
        count += 1;
        times = Some((times.map_or(at, |(first, _)| first), at));
    }
    Ok((count, times.map_or(Duration::ZERO, |(first, last)| last.saturating_sub(first))))
}
