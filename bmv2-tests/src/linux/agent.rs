//! This program as `vouch run`: a test has no way to the program of another package, so the one that plays the rows is also the agent.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use vouch_agent::management::Client;
use vouch_agent::{Agent, AgentOptions, Config, Place};

use super::Failure;
use super::node::BE_AGENT;

/// Be an agent if this process was started to be one. To be called first thing in `main`.
#[must_use]
pub fn become_agent() -> Option<ExitCode> {
    std::env::var_os(BE_AGENT)?;
    let done = match Orders::parse() {
        Orders::Run { configs } => run(&configs),
        Orders::ExpectMove { socket, vni, mac, to, within } => expect_move(&socket, vni, &mac, to, within),
    };
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    })
}

/// What of `vouch` is called here.
#[derive(Debug, Parser)]
enum Orders {
    Run {
        configs: Vec<PathBuf>,
    },
    ExpectMove {
        #[arg(long)]
        socket: PathBuf,
        #[arg(long)]
        vni: u32,
        #[arg(long)]
        mac: String,
        #[arg(long)]
        to: Place,
        #[arg(long, value_parser = time)]
        within: Duration,
    },
}

fn time(text: &str) -> Result<Duration, String> {
    vouch_agent::config::time(text).ok_or_else(|| "a number with a unit, as `30s`".to_owned())
}

fn expect_move(socket: &Path, vni: u32, mac: &str, to: Place, within: Duration) -> Result<(), Failure> {
    let told = async { Client::connect(socket).await?.expect_move_of(vni, mac, to, within).await };
    Ok(Runtime::new()?.block_on(told)?)
}

fn run(configs: &[PathBuf]) -> Result<(), Failure> {
    let filter = EnvFilter::try_from_env("VOUCH_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
    let checked = Config::load(configs).map_err(|errors| errors.to_string())?;
    Runtime::new()?.block_on(async {
        let mut agents = Vec::new();
        for checked in checked {
            agents.push(Agent::start(checked.config, AgentOptions::default())?);
        }
        signal(SignalKind::terminate())?.recv().await;
        for agent in agents {
            agent.shutdown().await?;
        }
        Ok(())
    })
}
