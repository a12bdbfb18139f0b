//! One fabric from its start to its end, in figures.

use std::fmt;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use vouch_agent::metrics::Tally;

use crate::Result;
use crate::fabric::Fabric;
use crate::figures;

/// What is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) vteps: u8,
    pub(crate) hosts: u32,
    pub(crate) moves: u32,
}

/// What came of it. Times are in seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    vteps: u8,
    hosts: u32,
    sessions: f64,
    /// Memory without hosts, in bytes.
    empty: u64,
    known: Phase,
    /// Memory with all of them, in bytes.
    memory: u64,
    /// In bytes, by host and VTEP.
    memory_per_host: f64,
    moves: u32,
    moved: Phase,
    again: Phase,
    /// How often hosts had to announce themselves again, because they were not heard, where they were first and where they moved to.
    unheard: [u64; 2],
}

/// What something took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Phase {
    seconds: f64,
    processor: f64,
    /// Between agents.
    messages: u64,
    /// Of those messages.
    bytes: u64,
}

/// Measures one.
struct Since {
    start: Instant,
    processor: f64,
    sent: (u64, u64),
}

impl Since {
    fn now(tallies: &[Tally]) -> Result<Self> {
        Ok(Self { start: Instant::now(), processor: figures::processor()?, sent: sent(tallies) })
    }

    fn end(self, tallies: &[Tally]) -> Result<Phase> {
        let (messages, bytes) = sent(tallies);
        Ok(Phase {
            seconds: self.start.elapsed().as_secs_f64(),
            processor: figures::processor()? - self.processor,
            messages: messages.saturating_sub(self.sent.0),
            bytes: bytes.saturating_sub(self.sent.1),
        })
    }
}

/// How many messages agents have sent to each other, and how many bytes.
fn sent(tallies: &[Tally]) -> (u64, u64) {
    let sum = |count: fn(&Tally) -> u64| tallies.iter().map(count).sum();
    (sum(|it| it.peering.sent), sum(|it| it.peering.bytes_sent))
}

/// How many hosts each agent has seen move.
fn moves(tallies: &[Tally]) -> Vec<u64> {
    tallies.iter().map(|it| it.mobility.moves).collect()
}

pub(crate) async fn play(Wanted { vteps, hosts, moves: count }: Wanted) -> Result<Row> {
    if vteps < 2 || count == 0 || count > hosts / u32::from(vteps) {
        return Err("there are at least two VTEPs, and a host or more moves of those behind the first".into());
    }
    let start = Instant::now();
    let mut fabric = Fabric::start(vteps, hosts, count).await?;
    let sessions = start.elapsed().as_secs_f64();

    let empty = figures::memory()?;
    let since = Since::now(&fabric.tallies().await?)?;
    let all_known = |fabric: &Fabric, tallies: &[Tally]| fabric.has_hosts(tallies);
    let mut unheard = [fabric.announce(0..fabric.crowds.len(), all_known).await?, 0];
    let known = since.end(&fabric.tallies().await?)?;
    let memory = figures::memory()?;

    let moved_before = moves(&fabric.tallies().await?);
    fabric.carry_over().await?;
    let since = Since::now(&fabric.tallies().await?)?;
    let all_moved = |fabric: &Fabric, tallies: &[Tally]| {
        let moved = moves(tallies).iter().zip(&moved_before).all(|(now, before)| now - before >= u64::from(count));
        moved && fabric.has_hosts(tallies)
    };
    unheard[1] = fabric.announce(0..1, all_moved).await?;
    let moved = since.end(&fabric.tallies().await?)?;
    check(&fabric, "moved").await?;

    let tallies = fabric.tallies().await?;
    // What the one that ends has sent is not known of its successor.
    let since = Since::now(&tallies[..usize::from(vteps) - 1])?;
    fabric.restart(vteps).await?;
    let is_back = |fabric: &Fabric, tallies: &[Tally]| fabric.has_sessions(tallies) && fabric.has_hosts(tallies);
    fabric.until("again", is_back).await?;
    let again = since.end(&fabric.tallies().await?)?;
    check(&fabric, "again").await?;
    fabric.shutdown().await;

    let memory_per_host = memory.saturating_sub(empty) as f64 / f64::from(hosts) / f64::from(vteps);
    Ok(Row { vteps, hosts, sessions, empty, known, memory, memory_per_host, moves: count, moved, again, unheard })
}

/// The switches agree, as far as one looks.
async fn check(fabric: &Fabric, after: &str) -> Result<()> {
    const SHOWN: usize = 5;
    let wrong = fabric.misplaced().await?;
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("{after}: {} are wrong: {}", wrong.len(), wrong[..wrong.len().min(SHOWN)].join("; ")).into())
}

impl Row {
    /// Above the columns of its text.
    pub(crate) const TITLES: &'static str = "| VTEPs | hosts | sessions | empty | known | memory | per host and VTEP | learn | moves | moved | move \
        | again | sync | cpu: known, moved, again | unheard |\n\
        |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|";
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { vteps, hosts, sessions, known, moves, moved, again, .. } = self;
        let each = |phase: &Phase, count: u32| {
            let (messages, bytes) = (phase.messages as f64, phase.bytes as f64);
            format!("{:.1}, {:.0} B", messages / f64::from(count), bytes / f64::from(count))
        };
        write!(f, "| {vteps} | {hosts} | {sessions:.1} s | {} MB | {:.1} s ", self.empty >> 20, known.seconds)?;
        write!(f, "| {} MB | {:.2} kB ", self.memory >> 20, self.memory_per_host / 1e3)?;
        write!(f, "| {} | {moves} | {:.2} s | {} ", each(known, *hosts), moved.seconds, each(moved, *moves))?;
        write!(f, "| {:.1} s | {}, {:.1} MB ", again.seconds, again.messages, again.bytes as f64 / 1e6)?;
        write!(f, "| {:.1}, {:.1}, {:.1} s ", known.processor, moved.processor, again.processor)?;
        write!(f, "| {}, {} |", self.unheard[0], self.unheard[1])
    }
}
