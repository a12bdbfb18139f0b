//! An agent in a process of its own, which is this program again: so its memory and its processor time are its own, and it can be killed.
//!
//! It says how it stands when it gets a line, and ends with its input.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};
use vouch_agent::{Agent, AgentOptions, Config};
use vouch_mobility::Phase;

use crate::Result;

/// How an agent stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// It controls its switch.
    pub(crate) ready: bool,
    /// Peers, and sessions with them.
    pub(crate) peers: usize,
    pub(crate) up: usize,
    /// Hosts with which nothing is going on, and all of them.
    pub(crate) settled: u64,
    pub(crate) hosts: u64,
    /// Changes of tables that wait.
    pub(crate) unwritten: u64,
    /// Messages to and from peers since its start, and bytes of the former.
    pub(crate) sent: u64,
    pub(crate) bytes: u64,
    pub(crate) received: u64,
    /// Frames that were not heard: over their budget, or faster than they could be handled.
    pub(crate) unheard: u64,
}

/// Runs the agent of a configuration.
pub(crate) fn run(file: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file)?;
    let config = Config::parse(&file.display().to_string(), &text)?.config;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let agent = runtime.block_on(async { Agent::start(config, AgentOptions::default()) })?;
    let figures = agent.figures();
    for line in std::io::stdin().lines() {
        line?;
        let tally = runtime.block_on(figures.tally()).ok_or("the agent has ended")?;
        let standing = Standing {
            ready: tally.ready,
            peers: tally.peers.len(),
            up: tally.peers.values().filter(|up| **up).count(),
            settled: tally.census.hosts_of(None, Some(Phase::Settled)),
            hosts: tally.census.hosts_of(None, None),
            unwritten: tally.unwritten,
            sent: tally.peering.sent,
            bytes: tally.peering.bytes_sent,
            received: tally.peering.received,
            unheard: tally.task.packet_ins_dropped + tally.policed.values().sum::<u64>(),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&standing)?)?;
        out.flush()?;
    }
    Ok(())
}

/// Such a process, as its parent sees it. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(file: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("--agent").arg(file).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the agent's pipes are missing".into());
        };
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it stands.
    pub(crate) fn standing(&mut self) -> Result<Standing> {
        self.input.write_all(b"\n")?;
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("an agent has ended".into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
