//! Whole agents and switches in one process on virtual time, played from seeds.
//!
//! # What is simulated
//!
//! Three VTEPs with a tunnel between any two. Each has an agent as `vouch run` starts it (configuration, driver, peering, P4Runtime
//! session) and an embedded switch that runs the compiled P4 (`vouch-switch-server`). Hosts answer in time, late, for one address
//! only or never; one of them moves, pauses, reboots, and changes its address and its habits; an attacker at two ports announces
//! anything. Faults strike at every boundary: connections are reset, also in the middle of a write; agents are killed, also
//! in the middle of a write; switches restart empty, or answer slowly; the management network loses one way or both; cables are
//! pulled; the time of day is set. An operator takes a VTEP out of use, and back. [`script`] has all of it.
//!
//! # What must hold
//!
//! In the end everything is repaired, and within two minutes of virtual time ([`check`]): the tables of every switch are those that its agent
//! wants; every VTEP leads to where each host is, and no address of a host that answers is bound to another; nothing is pending, no frame is held;
//! there are just the connections that are needed; and when everything has been stopped no task is left. Nothing panics.
//!
//! All the time an agent that has lost its switch says nothing to its peers ([`charge`]), and hosts that stay have all that is sent to them from every VTEP, whatever happens to the agents. What may be lost is counted and told,
//! and is no more than METHOD allows:
//!
//! | lost while | why it may be |
//! |---|---|
//! | a switch that it had to go through was down, or empty | nothing can be forwarded by what is not there; a switch whose agent is gone forwards as before |
//! | a claim was told at once, and the claimant's switch was out | `advertise: at-once` has observers send by way of the claimant before the verdict (M8), until what was told has run out |
//! | a claim was accepted from an owner that could not be asked | `owner_unreachable: accept` says so (B9); the host is back when it has answered |
//! | a VTEP had forgotten everything, and somebody was heard there in the host's name before the peers had told what they know | what nobody remembers is not known (M9); then it is sought at all ports (4a) |
//! | a host's VTEP was out, and forgets everything, while the host was claimed where everything had been forgotten, too | its place there is as good as any until the host has answered there, or has aged; a third VTEP may remember more, and is not asked |
//! | the host never answers, is claimed, and its VTEP had forgotten everything, or `accept` applied | nothing tells it from the other, until one of them has aged (4a) |
//! | a host was heard elsewhere while its VTEP was out of use (`vouch drain`) | peers have forgotten it, and learn it where it is heard (M9), until it has answered where it is: a second, if nothing is in the way; a mute one until it has aged |
//!
//! # One seed's way
//!
//! `campaign` brings a fabric of the seed's kind up (`variant`), has `children` copy the process, and the copy plays the seed's
//! script on it (`world`): `network` connects agents and switches, `hosts` sit at the links of the switches, `log` takes a fingerprint
//! of all that happens. If something was wrong, the script is cut down, one deed after the other, to the shortest that
//! still fails, which is printed in words.
//!
//! # Why tokio's paused clock
//!
//! Agents and switches are made of tokio and tonic. A runtime of one thread whose clock is paused runs whatever can run and then
//! jumps to the next timer: a second in which nothing happens costs nothing. turmoil gives each host a runtime of its own and
//! turns them all a millisecond at a time, 60,000 rounds in a minute in which we have some thousand timers, and its
//! network is one of messages between hosts by name, below which a connection cannot be cut in the middle of a write; madsim
//! takes the place of tokio and of tonic, and what would be tested then is not what is shipped. Neither makes a run the same
//! each time without an option of tokio that is not stable. What they do that the clock does not is done here:
//!
//! - the network is our own, below TLS and HTTP/2, so that it can be cut anywhere; agents are handed it in
//!   `vouch_agent::AgentOptions`, and switches serve its connections, by the code that they use over TCP. TLS is left out: handshakes
//!   would take most of the time, and its own tests have it;
//! - an agent that is killed is one whose connections end, at one of its writes, wherever its tasks are; what they do before they
//!   are dropped gets nowhere;
//! - randomness and the time of day come from the seed (`kernel`). tokio mixes a counter of the process into the order in which
//!   `select!` polls its branches, so two runs are the same only in processes that have the same past: each is a copy of the
//!   same one (`children`). That also saves bringing up a fabric for every seed, and a run that loops can be killed.
//!
//! Time stands still while anything runs: that the agents are fast enough is not shown here, but in the lab.
//!
//! # Guards
//!
//! Each guard of the driver and of the method can be taken out (`--without`), to see whether anything is missed. Of the first 110 seeds, some fail without
//! `Silent` (an agent that has lost its switch goes on speaking), `AnswerExpected` and `MuteIsKnown` (the mute host is given away); a test has these
//! taken out. None fails without one of the others of the driver, nor without `Wait`, `Young` and `MuteIsRemembered` of the method: another guard stands behind
//! each (a question that never left is followed by a mark that does not come back; a session that has missed something ends with the write that
//! failed), or the hosts that speak in the end make up for it. Those of the method are missed by the model (`runtime/proof`).
//!
//! # Commands
//!
//! ```sh
//! cargo test -p vouch-simulation                                       # the bounded form
//! cargo run --release -p vouch-simulation -- --seeds 10000             # the long one; --from M for others
//! cargo run --release -p vouch-simulation -- --seed 147                # one seed, with all that happens in it
//! cargo run --release -p vouch-simulation -- --guards --seeds 1000     # each guard of driver and method taken out in turn
//! cargo run --release -p vouch-simulation -- --without TimeStops       # one of them
//! ```

mod campaign;
mod charge;
mod check;
mod children;
mod frames;
mod guards;
mod hosts;
mod kernel;
mod log;
mod network;
mod outages;
mod script;
mod variant;
mod world;

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use campaign::{Orders, Report};
use guards::{AnyGuard, without};
use script::Script;

/// Plays whole fabrics on virtual time, from seeds.
#[derive(Debug, Parser)]
#[command(name = "vouch-simulation")]
struct Arguments {
    /// How many seeds to play, from the first one on.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Play one seed, and show what happens.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// How many to play at a time; as many as there are processors, unless told.
    #[arg(long)]
    jobs: Option<usize>,
    /// Play each one twice, and see that it comes to the same.
    #[arg(long)]
    twice: bool,
    /// How many failures are enough.
    #[arg(long, default_value_t = 5)]
    enough: usize,
    /// Do not look for the shortest script that fails.
    #[arg(long)]
    no_shrink: bool,
    /// Show what happens in the runs that fail.
    #[arg(long)]
    log: bool,
    /// Take a guard out, of the driver or of the method, and see what goes wrong.
    #[arg(long, value_name = "GUARD", value_parser = AnyGuard::named)]
    without: Option<AnyGuard>,
    /// Take each guard out in turn, and see which are missed.
    #[arg(long, conflicts_with_all = ["without", "seed", "twice"])]
    guards: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seeds = match arguments.seed {
        Some(seed) => vec![seed],
        None => (arguments.from..arguments.from.saturating_add(arguments.seeds)).collect(),
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let orders = Orders {
        seeds,
        jobs: arguments.jobs.unwrap_or(processors).max(1),
        twice: arguments.twice,
        lines: arguments.log || arguments.seed.is_some(),
        enough: arguments.enough.max(1),
        shrink: !arguments.no_shrink,
    };
    if let Some(seed) = arguments.seed {
        print!("{}", Script::of(seed));
    }
    let began = Instant::now();
    let played = if arguments.guards {
        try_guards(&orders)
    } else {
        without(arguments.without, || campaign::play(&orders)).map(|report| tell(&report, began))
    };
    played.unwrap_or_else(|error| {
        eprintln!("the runs cannot be made: {error}");
        ExitCode::from(2)
    })
}

/// Takes each guard out, plays until something goes wrong, and says what.
fn try_guards(orders: &Orders) -> io::Result<ExitCode> {
    let orders = Orders { enough: 1, lines: false, ..orders.clone() };
    for guard in AnyGuard::all() {
        let report = without(Some(guard), || campaign::play(&orders))?;
        println!("without {} ({}: {}):", guard.name(), guard.place(), guard.words());
        match report.failures.first() {
            Some(failure) => println!("{}{}\n", failure.script, failure.what),
            None => println!("nothing goes wrong in {} runs\n", report.runs),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(report: &Report, began: Instant) -> ExitCode {
    for failure in &report.failures {
        println!("FAILED, with the {} deeds of seed {} cut down to:\n{}", failure.deeds, failure.seed, failure.script);
        println!("{}\n", failure.what);
        failure.lines.iter().for_each(|line| println!("{line}"));
    }
    for seed in &report.differing {
        println!("seed {seed} did not come to the same twice");
    }
    let took = began.elapsed();
    let each = took.as_secs_f64() * 1_000.0 / report.runs.max(1) as f64;
    println!(
        "{} runs in {:.1} s, {each:.1} ms each; {:.0} s of virtual time each; fingerprint {:016x}",
        report.runs,
        took.as_secs_f64(),
        report.lasted as f64 / 1_000.0 / report.runs.max(1) as f64,
        report.fingerprint,
    );
    let deeds: Vec<_> = report.deeds.iter().map(|(deed, times)| format!("{times} {deed}")).collect();
    println!("{}", deeds.join(", "));
    let excused: Vec<_> =
        report.excused.iter().map(|(excuse, frames)| format!("{frames} while {}", excuse.words())).collect();
    println!(
        "frames lost that may be lost: {}",
        if excused.is_empty() { "none".to_owned() } else { excused.join(", ") }
    );
    println!("{} failed", report.failures.len());
    if report.failures.is_empty() && report.differing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
