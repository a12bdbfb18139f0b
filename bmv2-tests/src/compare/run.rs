//! One run: every measurement on every switch.

use std::fs;
use std::thread::available_parallelism;
use std::time::Duration;

use vouch_lab::target::Embedded;

use super::contestant::{Contestant, Running, fill};
use super::processors::Processors;
use super::table::{Column, Report, Row};
use super::traffic::{Trial, Wires};
use super::workload::{self, Load, Setup};
use super::{engine, files, writes};
use crate::frames::hex;
use crate::process::ProcessClock;
use crate::rig::{Result, Rig};
use crate::target::MTU;

/// What keeps a comparison from being made at all.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Frames each second at which latency shows what a packet costs and nothing else.
const LOW_RATE: f64 = 1_000.0;
/// Of the highest rate without loss, how much a finer search would not tell apart.
const RESOLUTION: f64 = 0.02;
/// Of an offered rate, how much the generator must achieve for the trial to count.
const ACHIEVED: f64 = 0.97;

/// A part of what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Throughput and latency.
    Packets,
    /// The rate of P4Runtime writes.
    Writes,
}

/// How thoroughly to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What to measure.
    pub parts: Vec<Part>,
    /// The switches.
    pub contestants: Vec<Contestant>,
    /// The processors of switches, if they have some for themselves.
    pub processors: Option<Processors>,
    /// Lengths of the frames that go in, in bytes: from 64 to 1500. Capture files have those of the first.
    pub lengths: Vec<usize>,
    /// How long each trial takes.
    pub trial: Duration,
    /// Packets in a capture file.
    pub packets: usize,
    /// How long a switch has to fill its tables before it reads a capture file.
    pub wait: Duration,
    /// Entries that are written for each measurement of writes; a tenth of it one by one.
    pub entries: usize,
}

impl Options {
    /// Enough to see who is ahead, and by how much: about five minutes for two switches.
    pub fn usual(contestants: Vec<Contestant>) -> Self {
        let (trial, wait) = (Duration::from_millis(250), Duration::from_secs(10));
        Self { lengths: vec![64, 1500], trial, packets: 50_000, wait, entries: 20_000, ..Self::quick(contestants) }
    }

    /// Enough to tell small differences: half an hour and more.
    pub fn thorough(contestants: Vec<Contestant>) -> Self {
        let (trial, wait) = (Duration::from_secs(1), Duration::from_secs(15));
        let lengths = vec![64, 512, 1500];
        Self { lengths, trial, packets: 100_000, wait, entries: 50_000, ..Self::quick(contestants) }
    }

    /// Enough to see that everything works.
    pub fn quick(contestants: Vec<Contestant>) -> Self {
        let parts = vec![Part::Packets, Part::Writes];
        let (trial, wait) = (Duration::from_millis(100), Duration::from_secs(6));
        let (lengths, packets, entries) = (vec![64], 10_000, 1_000);
        Self { parts, contestants, processors: None, lengths, trial, packets, wait, entries }
    }
}

/// Measure, with `progress` told what is being done. Must be called inside a tokio runtime, in a network namespace of our own.
///
/// # Errors
/// Whatever went wrong; a switch that is not there only lacks its column.
pub async fn run(options: &Options, mut progress: impl FnMut(&str)) -> std::result::Result<Report, Failure> {
    let mut report = Report { head: head(options), ..Report::default() };
    let mut present = Vec::new();
    for contestant in &options.contestants {
        match contestant.missing() {
            Some(reason) => report.missing.push(reason),
            None => present.push(contestant),
        }
    }
    report.contestants =
        present.iter().map(|contestant| (contestant.label.clone(), contestant.bmv2.is_some())).collect();
    let wires = Wires::lay(&[1, 2])?;
    if options.parts.contains(&Part::Packets) {
        packets(&mut report.rows, &present, &wires, options, &mut progress).await?;
    }
    if options.parts.contains(&Part::Writes) {
        progress("writes");
        written(&mut report.rows, &present, &wires, options).await?;
    }
    Ok(report)
}

/// Throughput and latency, on both programs.
async fn packets(
    all: &mut Vec<Row>,
    present: &[&Contestant],
    wires: &Wires,
    options: &Options,
    progress: &mut impl FnMut(&str),
) -> Result<()> {
    let logs = tempfile::tempdir()?;
    for (setup, loads) in [workload::vtep()?, workload::router()?] {
        let mut rows = Rows::default();
        progress("the packet engine, and the wire");
        let device = setup.engine()?;
        for load in &loads {
            for &length in &options.lengths {
                let rate = engine::rate(device.switch(), load, length, options.trial)?;
                rows.add(load, length, IN_PROCESS, Column::Embedded, rate);
                rows.add(load, length, PER_CORE, Column::Embedded, rate);
                let wire = wires.wire(load, &load.frames(length), options.trial)?;
                rows.add(load, length, OVERLOAD, Column::Wire, wire);
            }
        }
        for (at, contestant) in present.iter().enumerate() {
            let (column, label) = (Column::Contestant(at), &contestant.label);
            let log = logs.path().join(format!("{at}.log"));
            let failed = |error: Failure| format!("{label}: {error}\n{}", p4_switch::process::tail(&log));
            let running = contestant.start(&wires.ports(), &log, options.processors.as_ref()).await.map_err(failed)?;
            fill(&running.session, &setup).await.map_err(failed)?;
            for load in &loads {
                for &length in &options.lengths {
                    progress(&format!("{label}: {}, {length} bytes", load.name));
                    over_wires(&mut rows, column, wires, device.switch(), (load, length), options.trial)
                        .await
                        .map_err(failed)?;
                }
            }
            drop::<Running>(running);
            let Some(&length) = options.lengths.first() else { continue };
            for load in &loads {
                progress(&format!("{label}: {}, {length} bytes, from a file", load.name));
                let rates = files::rates(contestant, &setup, load, length, options).await.map_err(failed)?;
                rows.add(load, length, IN_PROCESS, column, rates.wall);
                rows.add(load, length, PER_CORE, column, rates.per_core);
            }
        }
        all.extend(rows.0);
    }
    Ok(())
}

/// A measure with its unit, and how its values are held against BMv2's: by which column, and by what factor.
type Measure = (&'static str, &'static str, Option<(Column, f64)>);

/// The only contestant that is not BMv2 comes first.
const OURS: Column = Column::Contestant(0);
const IN_PROCESS: Measure =
    ("in process (BMv2: from a file, all threads)", "packets/s", Some((Column::Embedded, 10.0)));
const PER_CORE: Measure = ("in process, per second of processor time", "packets/s", Some((Column::Embedded, 10.0)));
const OVERLOAD: Measure = ("over veth at overload", "packets/s", Some((OURS, 4.0)));
const LOSS_FREE: Measure = ("over veth without loss", "packets/s", Some((OURS, 4.0)));
const WRITES: Measure = ("P4Runtime writes in batches", "entries/s", Some((OURS, 10.0)));
const WRITES_PER_CORE: Measure =
    ("P4Runtime writes in batches, per second of the switch's processor time", "entries/s", Some((OURS, 10.0)));
const LATENCIES: [[Measure; 2]; 2] = [
    [("latency at 1,000 packets/s, median", "us", None), ("latency at 1,000 packets/s, 99 %", "us", None)],
    [("latency at half of what is without loss, median", "us", None), ("latency at half of that, 99 %", "us", None)],
];

#[derive(Default)]
struct Rows(Vec<Row>);

impl Rows {
    fn add(&mut self, load: &Load, size: usize, measure: Measure, column: Column, value: f64) {
        self.put(load.name.to_owned(), size, measure, column, value);
    }

    fn put(&mut self, load: String, size: usize, (measure, unit, aim): Measure, column: Column, value: f64) {
        let found = self.0.iter_mut().find(|row| (&row.load, row.size, row.measure) == (&load, size, measure));
        match found {
            Some(row) => row.values.push((column, value)),
            None => self.0.push(Row { load, size, measure, unit, values: vec![(column, value)], aim }),
        }
    }
}

fn head(options: &Options) -> Vec<String> {
    let cores = available_parallelism().map_or(0, usize::from);
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        model.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("", |(_, name)| name);
    let mut head = vec![
        format!("{cores} processors {model}; veth pairs with an MTU of {MTU} bytes; trials of {:?}", options.trial),
        match &options.processors {
            None => "generator and switches share all processors".to_owned(),
            Some(processors) => processors.to_string(),
        },
        "`wire` is the generator with no switch behind it; `embedded` is on its processor".to_owned(),
        "sizes are bytes of the frames that go in (of the frame inside, for decapsulation), and entries in a batch"
            .to_owned(),
        "rates are of frames that go in; `ratio` is ours (embedded in process, p4-switch else) to the best BMv2"
            .to_owned(),
    ];
    for Contestant { label, bmv2 } in &options.contestants {
        let path = bmv2.as_ref().map_or("in this program".into(), |path| path.display().to_string());
        head.push(format!("{label}: {path}"));
    }
    if cfg!(debug_assertions) {
        head.push("THIS IS NOT AN OPTIMISED BUILD: the figures of our switch mean nothing; use --release".to_owned());
    }
    head
}

async fn over_wires(
    rows: &mut Rows,
    column: Column,
    wires: &Wires,
    engine: &vouch_switch::Switch,
    (load, length): (&Load, usize),
    time: Duration,
) -> Result<()> {
    let frames = load.frames(length);
    let (mut expected, mut seen) = (engine::outcome(engine, load, &frames[0])?, wires.observe(load, &frames[0]).await?);
    // In which order copies leave by one port is nobody's promise.
    expected.sort_unstable();
    seen.sort_unstable();
    if expected != seen {
        let listed = |frames: &[Vec<u8>]| frames.iter().map(|frame| format!("\n  {}", hex(frame))).collect::<String>();
        let (expected, seen) = (listed(&expected), listed(&seen));
        return Err(format!("{}: the packet engine sends{expected}\nthe switch sends{seen}", load.name).into());
    }
    let overload = wires.trial(load, &frames, None, time)?;
    rows.add(load, length, OVERLOAD, column, overload.carried);
    let loss_free = loss_free(overload, |rate| wires.trial(load, &frames, Some(rate), time))?;
    rows.add(load, length, LOSS_FREE, column, loss_free);
    for (rate, [median, tail]) in [LOW_RATE, loss_free / 2.0].into_iter().zip(LATENCIES) {
        let times = wires.latencies(load, &frames, rate, time)?;
        let at = |share: usize| times.get(times.len() * share / 100).map(|time| time.as_secs_f64() * 1e6);
        if let (Some(half), Some(nearly_all)) = (at(50), at(99)) {
            rows.add(load, length, median, column, half);
            rows.add(load, length, tail, column, nearly_all);
        }
    }
    Ok(())
}

/// The highest rate at which everything comes out, by halving what is uncertain. One lossy trial may be the machine's
/// fault, so a rate has two.
fn loss_free(overload: Trial, mut trial: impl FnMut(f64) -> Result<Trial>) -> Result<f64> {
    let (mut low, mut high) = (0.0, overload.carried.max(LOW_RATE) * 1.2);
    while high - low > high * RESOLUTION {
        let rate = (low + high) / 2.0;
        let mut complete = None;
        for _ in 0..2 {
            let made = trial(rate)?;
            if made.complete {
                complete = Some(made.offered);
                break;
            }
        }
        match complete {
            // The generator cannot do more.
            Some(offered) if offered < rate * ACHIEVED => return Ok(offered.max(low)),
            Some(offered) => low = offered.min(rate),
            None => high = rate,
        }
    }
    Ok(low)
}

/// Writes, over P4Runtime in every case: the embedded switch has its server in this process.
async fn written(rows: &mut Vec<Row>, present: &[&Contestant], wires: &Wires, options: &Options) -> Result<()> {
    let (setup, _) = workload::vtep()?;
    let mut measured = Rows::default();
    let embedded = Rig::start(&Embedded::default(), &[1, 2]).await?;
    fill(&embedded.session, &setup).await?;
    batches(&mut measured, Column::Embedded, (&embedded.url, None), &setup, options.entries).await?;
    for (at, contestant) in present.iter().enumerate() {
        let logs = tempfile::tempdir()?;
        let (log, on) = (logs.path().join("writes.log"), options.processors.as_ref());
        let running = contestant.start(&wires.ports(), &log, on).await?;
        fill(&running.session, &setup).await?;
        let switch = (running.process.url(), Some(ProcessClock::of(&running.process)));
        batches(&mut measured, Column::Contestant(at), switch, &setup, options.entries).await?;
    }
    rows.extend(measured.0);
    Ok(())
}

async fn batches(
    rows: &mut Rows,
    column: Column,
    (url, clock): (&str, Option<ProcessClock>),
    setup: &Setup,
    entries: usize,
) -> Result<()> {
    let sizes = [(1, entries / 10), (100, entries), (1_000, entries)];
    for ((batch, _), rates) in sizes.into_iter().zip(writes::rates(url, clock, setup, &sizes).await?) {
        for (kind, rate) in writes::KINDS.into_iter().zip(rates) {
            rows.put(kind.to_owned(), batch, WRITES, column, rate.wall);
            if let Some(rate) = rate.per_core {
                rows.put(kind.to_owned(), batch, WRITES_PER_CORE, column, rate);
            }
        }
    }
    Ok(())
}
