//! What scale costs: whole fabrics in real time, by the number of hosts.
//!
//! Each VTEP has an agent in a process of its own, as `vouch run` would be, with mutual TLS between any two over the loopback interface, and an embedded
//! switch in this process, which its agent controls over P4Runtime on TCP. Switches are connected by a cable between any two, so that nothing but VTEPs forwards.
//! Hosts are a MAC and an IP address each, which answer ARP; those that move are at one port, and say so once, all at once, while their old port stays up. Times are
//! wall-clock times of this machine, on which all of it shares the processors; the memory allocator is the system's, as `vouch` has it, and not that of `p4-switch`.
//! Where a switch has a host is looked up in its tables.
//!
//! | line | what it is |
//! |---|---|
//! | all known | from the first announcement until every switch has every host; no more than 2,000 are about to be learned at a time |
//! | memory | resident, of an agent's process on average; per host: what that is more than without hosts. Of the switches: of this process, hosts and cables included |
//! | *n* move | from the first announcement until every switch has all of them at the new place; the verdict alone takes 300 ms |
//! | processor time | of all agents, and of this process |
//! | old, new, other agent | processor time of the agents of the VTEP where most of them were, of the one where they go, and of those that only hear of it |
//! | an agent restarts | killed, until it has its switch, all sessions and all hosts, and nobody says anything more |
//!
//! ```sh
//! cargo bench -p vouch-lab --bench scale                                 # 16 VTEPs with 1,000, 10,000 and 100,000 hosts
//! cargo bench -p vouch-lab --bench scale -- --vteps 4 --hosts 1000
//! cargo bench -p vouch-lab --bench scale -- --growth                     # what up to 1,024 VTEPs say to each other (`growth`)
//! ```

mod agent;
mod fabric;
mod growth;
mod hosts;
mod row;
mod tables;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// How many hosts an agent lets one port have (`limits.hosts_per_port`).
const HOSTS_PER_PORT: u32 = 16_384;

/// A VTEP, by its number from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Vtep(u8);

/// What growth costs, one column for each number of hosts
#[derive(Debug, Parser)]
struct Arguments {
    /// How many VTEPs
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u8).range(3..=128))]
    vteps: u8,
    /// How many hosts in all
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000], value_parser = clap::value_parser!(u32).range(100..=110_000))]
    hosts: Vec<u32>,
    /// Tell what fabrics of so many VTEPs say instead, by simulation of their state machines
    #[arg(long, value_delimiter = ',', num_args = 0.., default_missing_value = "2,4,8,16,32,64,128,256,512,1024", value_parser = clap::value_parser!(u16).range(2..=4_096))]
    growth: Option<Vec<u16>>,
    /// Be the agent of this configuration
    #[arg(long, hide = true)]
    agent: Option<PathBuf>,
    /// What cargo says to benchmarks
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match (&arguments.agent, &arguments.growth) {
        (Some(file), _) => agent::run(file),
        (None, Some(vteps)) => growth::print(vteps),
        (None, None) => measure(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<()> {
    let most = arguments.hosts.iter().max().copied().unwrap_or_default();
    if most / u32::from(arguments.vteps) > HOSTS_PER_PORT {
        return Err(format!("{most} hosts want more VTEPs: a port has {HOSTS_PER_PORT} at most").into());
    }
    println!("{} VTEPs; load before: {}", arguments.vteps, usage::load()?);
    let mut columns = Vec::new();
    for hosts in &arguments.hosts {
        columns.push(row::play(arguments.vteps, *hosts)?);
    }
    row::print(&columns);
    Ok(())
}
