//! One fabric from its start to its end, in figures.

use std::time::{Duration, Instant};

use crate::Result;
use crate::agent::Standing;
use crate::fabric::{Fabric, MOVING, Placed, home};
use crate::usage;

/// How many hosts move at once.
const MOVES: [u32; 2] = [1_000, 10_000];
/// How many hosts are about to be learned at a time when the fabric starts: as fast as it learns them, and no faster.
const STARTING: usize = 2_000;
/// How long the fabric has between two moves, so that nothing is left of the first: more than the 10 s of hairpin.
const REST: Duration = Duration::from_secs(12);

/// Names of figures, and the figures.
pub(crate) type Column = Vec<(String, String)>;

/// Processor time and messages since a moment.
struct Since {
    agents: Vec<Duration>,
    all: Duration,
    standings: Vec<Standing>,
}

/// What something took.
struct Cost {
    agents: Vec<Duration>,
    switches: Duration,
    sent: u64,
    bytes: u64,
    unheard: u64,
}

impl Since {
    fn now(fabric: &mut Fabric) -> Result<Self> {
        let standings = fabric.standings()?;
        let agents = fabric.processes().map(usage::processor).collect::<Result<_, _>>()?;
        Ok(Self { agents, all: usage::processor(std::process::id())?, standings })
    }

    fn end(self, fabric: &mut Fabric) -> Result<Cost> {
        let now = Self::now(fabric)?;
        let agents = now.agents.iter().zip(&self.agents).map(|(now, before)| now.saturating_sub(*before)).collect();
        let grown = |count: fn(&Standing) -> u64| -> u64 {
            now.standings
                .iter()
                .zip(&self.standings)
                .map(|(now, before)| count(now).saturating_sub(count(before)))
                .sum()
        };
        Ok(Cost {
            agents,
            switches: now.all.saturating_sub(self.all),
            sent: grown(|it| it.sent),
            bytes: grown(|it| it.bytes),
            unheard: grown(|it| it.unheard),
        })
    }
}

/// Plays it.
pub(crate) fn play(vteps: u8, hosts: u32) -> Result<Column> {
    let count = usize::from(vteps);
    let movers = MOVES[MOVES.len() - 1].min(hosts);
    let mut column = Column::new();
    let mut note = |name: &str, figure: String| {
        eprintln!("{hosts} hosts: {name}: {figure}");
        column.push((name.to_owned(), figure));
    };
    note("hosts", hosts.to_string());

    let start = Instant::now();
    let seat = |host: u32| if host < movers { (0, MOVING[0]) } else { home(host as usize % count) };
    let mut fabric = Fabric::start(vteps, hosts, seat)?;
    note("switches, agents, sessions", seconds(start.elapsed()));
    let empty = memory(&fabric)?;

    let since = Since::now(&mut fabric)?;
    let placed = fabric.announce(0..hosts, STARTING)?;
    let cost = since.end(&mut fabric)?;
    note("all known", told(&placed, &cost));
    note("… processor time", processor(&cost));
    note("… messages, bytes per host", each(&cost, hosts));
    fabric.until(|it| it.settled == u64::from(hosts) && it.unwritten == 0)?;
    fabric.until_asked(0..movers)?;
    if fabric.entries().iter().any(|entries| *entries != u64::from(hosts)) {
        return Err(format!("the switches have {:?} hosts", fabric.entries()).into());
    }
    let full = memory(&fabric)?;
    let grown = |now: u64, before: u64| now.saturating_sub(before) as f64 / f64::from(hosts);
    note("memory of an agent", format!("{} MB, {} MB empty", full.0 >> 20, empty.0 >> 20));
    note("… per host", format!("{:.0} B", grown(full.0, empty.0)));
    note("memory of a switch, per host", format!("{:.0} B", grown(full.1, empty.1)));

    for (to, moves) in (1..).zip(MOVES) {
        let mut figures = vec!["–".to_owned(); 4];
        if moves <= movers {
            std::thread::sleep(REST);
            fabric.until_asked(0..moves)?;
            let since = Since::now(&mut fabric)?;
            let placed = fabric.carry(0..moves, (to, MOVING[to - 1]))?;
            let cost = since.end(&mut fabric)?;
            let micros = |agent: usize| cost.agents[agent].as_secs_f64() * 1e6 / f64::from(moves);
            let others: f64 = (to + 1..count).map(micros).sum::<f64>() / (count - to - 1).max(1) as f64;
            let roles = format!("{:.0}, {:.0}, {others:.0} µs", micros(0), micros(to));
            figures = vec![told(&placed, &cost), processor(&cost), roles, each(&cost, moves)];
            fabric.until(|it| it.settled == u64::from(hosts) && it.unwritten == 0)?;
        }
        let names = ["", "… processor time", "… old, new, other agent, per move", "… messages, bytes per move"];
        for (name, figure) in names.into_iter().zip(figures) {
            note(&if name.is_empty() { format!("{moves} move") } else { name.to_owned() }, figure);
        }
    }

    std::thread::sleep(REST);
    // The last one's figures begin anew.
    let before: Vec<Standing> = fabric.standings()?;
    let took = fabric.restart(count - 1, hosts.into())?;
    let after = fabric.standings()?;
    let (mut sent, mut bytes) = (after[count - 1].sent, after[count - 1].bytes);
    for (after, before) in after.iter().zip(&before).take(count - 1) {
        sent += after.sent - before.sent;
        bytes += after.bytes - before.bytes;
    }
    note("an agent restarts", seconds(took));
    note("… messages, bytes of the lists", format!("{sent}, {:.2} MB", bytes as f64 / 1e6));
    note("load", usage::load()?);
    Ok(column)
}

/// One table. All columns have the same lines.
pub(crate) fn print(columns: &[Column]) {
    let Some(first) = columns.first() else { return };
    for (line, (name, _)) in first.iter().enumerate() {
        let figures = columns.iter().filter_map(|column| column.get(line));
        println!("| {name} |{}", figures.map(|(_, figure)| format!(" {figure} |")).collect::<String>());
        if line == 0 {
            println!("|---|{}", "---|".repeat(columns.len()));
        }
    }
}

/// The resident memory of an agent, on average, and of a switch.
fn memory(fabric: &Fabric) -> Result<(u64, u64)> {
    let agents = fabric.processes().map(usage::memory).collect::<Result<Vec<_>, _>>()?;
    let count = agents.len().max(1) as u64;
    Ok((agents.iter().sum::<u64>() / count, usage::memory(std::process::id())? / count))
}

fn told(placed: &Placed, cost: &Cost) -> String {
    let mut text = seconds(placed.took);
    if placed.again > 0 {
        text += &format!(", {} announced again", placed.again);
    }
    if cost.unheard > 0 {
        text += &format!(", {} frames unheard", cost.unheard);
    }
    text
}

fn processor(cost: &Cost) -> String {
    let agents: Duration = cost.agents.iter().sum();
    format!("agents {}, switches {}", seconds(agents), seconds(cost.switches))
}

fn each(cost: &Cost, count: u32) -> String {
    format!("{:.1}, {:.0} B", cost.sent as f64 / f64::from(count), cost.bytes as f64 / f64::from(count))
}

fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        format!("{:.2} s", time.as_secs_f64())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}
