//! Many runs: a fabric of each kind is brought up once, every seed is played by a copy of it, and a script that fails is cut
//! down to what is needed for that.

use std::collections::BTreeMap;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

use crate::check::Excuse;
use crate::children::{Children, Lost, Said};
use crate::script::Script;
use crate::variant::Variant;
use crate::world::World;

/// What panicked, in any task.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What came of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// What was wrong.
    pub(crate) failure: Option<String>,
    /// Of everything that happened, in its order.
    pub(crate) fingerprint: u64,
    /// Milliseconds of virtual time.
    pub(crate) lasted: u64,
    /// Frames that were lost and may have been, and why.
    pub(crate) excused: Vec<(Excuse, u64)>,
    /// The log, if it was asked for.
    pub(crate) lines: Vec<String>,
}

/// A run that failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) seed: u64,
    pub(crate) deeds: usize,
    /// The shortest script that still fails, in words.
    pub(crate) script: String,
    pub(crate) what: String,
    pub(crate) lines: Vec<String>,
}

/// What came of many.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) runs: u64,
    pub(crate) deeds: BTreeMap<String, u64>,
    /// Milliseconds of virtual time.
    pub(crate) lasted: u64,
    /// Frames that were lost and may have been, and why.
    pub(crate) excused: Vec<(Excuse, u64)>,
    /// Seeds that did not come to the same twice.
    pub(crate) differing: Vec<u64>,
    pub(crate) failures: Vec<Failure>,
    /// Of all fingerprints.
    pub(crate) fingerprint: u64,
}

/// What is to be played, and how.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) seeds: Vec<u64>,
    /// How many at a time.
    pub(crate) jobs: usize,
    /// Each one twice, to see whether it comes to the same.
    pub(crate) twice: bool,
    /// Show what happened.
    pub(crate) lines: bool,
    /// Failures after which no more is played.
    pub(crate) enough: usize,
    /// Cut scripts down.
    pub(crate) shrink: bool,
}

/// Plays all of it.
pub(crate) fn play(orders: &Orders) -> io::Result<Report> {
    let mut by_variant: BTreeMap<Variant, Vec<u64>> = BTreeMap::new();
    for seed in &orders.seeds {
        by_variant.entry(Variant::of(*seed)).or_default().push(*seed);
    }
    let mut report = Report::default();
    for (variant, seeds) in by_variant {
        let mut children = Children::unhurried();
        let these = Orders { seeds, enough: orders.enough.saturating_sub(report.failures.len()), ..orders.clone() };
        children.begin((), || {
            let part = of_variant(variant, &these).unwrap_or_else(|error| Report::of_failure(error.to_string()));
            serde_json::to_vec(&part).unwrap_or_default()
        })?;
        let part = match children.next()? {
            Some(((), Ok(said))) => serde_json::from_slice(&said)?,
            Some(((), Err(lost))) => Report::of_failure(format!("the fabric of {variant}: {lost:?}")),
            None => Report::default(),
        };
        report.add(part);
        if report.failures.len() >= orders.enough.max(1) {
            break;
        }
    }
    Ok(report)
}

impl Report {
    fn of_failure(what: String) -> Self {
        let failure = Failure { seed: 0, deeds: 0, script: String::new(), what, lines: Vec::new() };
        Self { failures: vec![failure], ..Self::default() }
    }

    fn add(&mut self, part: Self) {
        let Self { runs, deeds, lasted, excused, differing, failures, fingerprint } = part;
        self.excuse(excused);
        self.runs += runs;
        self.lasted += lasted;
        for (deed, times) in deeds {
            *self.deeds.entry(deed).or_default() += times;
        }
        self.differing.extend(differing);
        self.failures.extend(failures);
        self.fingerprint ^= fingerprint;
    }
}

impl Report {
    fn excuse(&mut self, more: Vec<(Excuse, u64)>) {
        for (excuse, frames) in more {
            match self.excused.iter_mut().find(|(known, _)| *known == excuse) {
                Some((_, known)) => *known += frames,
                None => self.excused.push((excuse, frames)),
            }
        }
        self.excused.sort();
    }
}

/// A fabric that copies can be made of.
struct Fabric {
    runtime: Runtime,
    world: World,
}

fn of_variant(variant: Variant, orders: &Orders) -> io::Result<Report> {
    note_panics();
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let world = runtime.block_on(World::new(variant)).map_err(io::Error::other)?;
    let mut fabric = Fabric { runtime, world };
    let mut report = Report::default();
    let mut children = Children::new();
    let rounds = if orders.twice { 2 } else { 1 };
    let mut waiting = orders.seeds.iter().flat_map(|seed| (0..rounds).map(|round| (*seed, round)));
    let mut first: BTreeMap<u64, u64> = BTreeMap::new();
    loop {
        while children.count() < orders.jobs && report.failures.len() < orders.enough {
            let Some((seed, round)) = waiting.next() else { break };
            fabric.begin(&mut children, (seed, round), &Script::of(seed), false)?;
        }
        let Some(((seed, round), said)) = children.next()? else { break };
        let outcome = outcome(said);
        if let Some(other) = first.insert(seed, outcome.fingerprint)
            && other != outcome.fingerprint
        {
            report.differing.push(seed);
        }
        if round > 0 {
            continue;
        }
        let script = Script::of(seed);
        report.runs += 1;
        report.lasted += outcome.lasted;
        report.excuse(outcome.excused.clone());
        report.fingerprint ^= outcome.fingerprint.rotate_left((seed % 64) as u32);
        for (_, deed) in &script.deeds {
            *report.deeds.entry(deed.kind().to_owned()).or_default() += 1;
        }
        if outcome.failure.is_some() || orders.lines {
            let failure = fabric.explain(&script, outcome, orders)?;
            report.failures.extend(failure);
        }
    }
    Ok(report)
}

impl Fabric {
    fn begin<K: Ord + Clone>(
        &mut self,
        children: &mut Children<K>,
        name: K,
        script: &Script,
        lines: bool,
    ) -> io::Result<()> {
        children.begin(name, || {
            let outcome = self.play(script, lines);
            serde_json::to_vec(&outcome).unwrap_or_default()
        })
    }

    /// Plays here; only for a child.
    fn play(&mut self, script: &Script, lines: bool) -> Outcome {
        let Self { runtime, world } = self;
        let log = world.log.clone();
        let played = panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(world.play(script, lines))));
        let panics = std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner));
        let (failure, excused) = match played {
            Ok(Ok(_)) | Err(_) if !panics.is_empty() => (Some(panics.join("\n")), BTreeMap::new()),
            Ok(Ok(excused)) => (None, excused),
            Ok(Err(problem)) => (Some(problem), BTreeMap::new()),
            Err(_) => (Some("a panic".to_owned()), BTreeMap::new()),
        };
        let lasted = runtime.block_on(async { log.time() }).as_millis() as u64;
        let excused = excused.into_iter().collect();
        Outcome { failure, fingerprint: log.fingerprint(), lasted, excused, lines: log.lines() }
    }

    fn once(&mut self, script: &Script, lines: bool) -> io::Result<Outcome> {
        let mut children = Children::new();
        self.begin(&mut children, (), script, lines)?;
        Ok(children.next()?.map_or_else(|| outcome(Err(Lost::Crashed)), |((), said)| outcome(said)))
    }

    /// The shortest script that fails, and what happens then.
    fn explain(&mut self, script: &Script, outcome: Outcome, orders: &Orders) -> io::Result<Option<Failure>> {
        let Some(mut what) = outcome.failure else {
            let lines = self.once(script, true)?.lines;
            lines.iter().for_each(|line| println!("{line}"));
            return Ok(None);
        };
        let mut shortest = script.clone();
        if orders.shrink {
            // One after the other is left out, until none can be.
            let mut index = 0;
            let mut since = 0;
            while since < shortest.deeds.len() && shortest.deeds.len() > 1 {
                index %= shortest.deeds.len();
                let mut shorter = shortest.clone();
                shorter.deeds.remove(index);
                match self.once(&shorter, false)?.failure {
                    Some(failure) => {
                        (shortest, what, since) = (shorter, failure, 0);
                    }
                    None => {
                        index += 1;
                        since += 1;
                    }
                }
            }
        }
        let lines = if orders.lines { self.once(&shortest, true)?.lines } else { Vec::new() };
        let deeds = script.deeds.len();
        Ok(Some(Failure { seed: script.seed, deeds, script: shortest.to_string(), what, lines }))
    }
}

fn outcome(said: Said) -> Outcome {
    let failed = |what: String| Outcome { failure: Some(what), ..Outcome::default() };
    match said {
        Ok(said) => serde_json::from_slice(&said).unwrap_or_else(|error| failed(format!("not understood: {error}"))),
        Err(Lost::Stuck) => failed("it does not come to an end".to_owned()),
        Err(Lost::Crashed) => failed("the process crashed".to_owned()),
    }
}

/// A task that panics takes nobody with it, and would not be noticed.
fn note_panics() {
    panic::set_hook(Box::new(|info| {
        PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
    }));
}
