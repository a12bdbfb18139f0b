//! This program as `vouch run`: a test has no way to the program of another package, so the one that plays the rows is also the agent.

use std::path::PathBuf;
use std::process::ExitCode;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use vouch_agent::{Agent, AgentOptions, Config};

use super::Failure;
use super::node::BE_AGENT;

/// Be an agent if this process was started to be one. To be called first thing in `main`.
#[must_use]
pub fn become_agent() -> Option<ExitCode> {
    std::env::var_os(BE_AGENT)?;
    let configs: Vec<PathBuf> = std::env::args_os().skip(2).map(PathBuf::from).collect();
    Some(match run(&configs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    })
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
