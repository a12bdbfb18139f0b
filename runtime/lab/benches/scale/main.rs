//! What growth costs: fabrics of embedded switches and agents in one process, with up to 100,000 hosts on 16 VTEPs.
//!
//! ```sh
//! cargo bench -p vouch-lab --bench scale -- --vteps 2,4,8,16 --hosts 1000,10000
//! cargo bench -p vouch-lab --bench scale -- --vteps 16 --hosts 100000 --moves 10000
//! ```
//!
//! Each row is a process of its own, so that its memory is its own. All hosts are in one VNI that every VTEP has, each announces
//! itself once by a gratuitous ARP, and all agents have a session with each other, over mutual TLS. A row ends with a look into
//! the switches' tables, at hosts that moved and at hosts that did not.
//!
//! | column | |
//! |---|---|
//! | `sessions` | from the start of the first switch until each agent has its switch and all its peers |
//! | `empty` | memory then |
//! | `known` | from the first announcement until every VTEP has every host, in its agent and in its switch |
//! | `memory` | of all of it then: switches, agents, links. Per host and VTEP: what that is more than before the hosts |
//! | `learn` | messages and bytes between agents per host learned |
//! | `moved` | from the first announcement at the new place until every VTEP has every host there |
//! | `move` | messages and bytes per move |
//! | `again` | from the end of an agent until its successor has its switch, all peers, and every host |
//! | `sync` | messages and bytes for that |
//! | `cpu` | processor time of `known`, `moved` and `again` |
//! | `unheard` | announcements that were made again after 5 s without a change, first and at the new place |

mod fabric;
mod figures;
mod row;

use std::process::{Command, ExitCode};

use clap::Parser;

use row::{Row, Wanted};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Fabrics of growing size, one row for each number of VTEPs and hosts
#[derive(Debug, Parser)]
struct Arguments {
    /// How many VTEPs
    #[arg(long, value_delimiter = ',', default_values_t = [2, 4, 8, 16])]
    vteps: Vec<u8>,
    /// How many hosts in all
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000])]
    hosts: Vec<u32>,
    /// How many of them move at once; no more than there are behind one VTEP
    #[arg(long, default_value_t = 1_000)]
    moves: u32,
    /// One row, as JSON
    #[arg(long, hide = true)]
    row: bool,
    /// What cargo says to benchmarks
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match if arguments.row { one(&arguments) } else { all(&arguments) } {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn one(arguments: &Arguments) -> Result<()> {
    let (Some(vteps), Some(hosts)) = (arguments.vteps.first(), arguments.hosts.first()) else {
        return Err("a row takes a number of VTEPs and one of hosts".into());
    };
    let wanted = Wanted { vteps: *vteps, hosts: *hosts, moves: arguments.moves };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let row = runtime.block_on(row::play(wanted))?;
    println!("{}", serde_json::to_string(&row)?);
    Ok(())
}

fn all(arguments: &Arguments) -> Result<()> {
    println!("{}", Row::TITLES);
    for hosts in &arguments.hosts {
        for vteps in &arguments.vteps {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["--row", "--vteps", &vteps.to_string(), "--hosts", &hosts.to_string()]);
            let output = command.args(["--moves", &arguments.moves.to_string()]).output()?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(format!("{vteps} VTEPs, {hosts} hosts: {}: {said}", output.status).into());
            }
            let row: Row = serde_json::from_slice(&output.stdout)?;
            println!("{row}");
        }
    }
    Ok(())
}
