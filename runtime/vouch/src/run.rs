//! `vouch run`: agents in this process until a signal ends them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};
use vouch_agent::metrics::Metrics;
use vouch_agent::{Agent, AgentOptions, Config};

use crate::metrics;

/// Starts an agent for each configuration and stops them all at SIGINT or SIGTERM. The switches keep their tables.
pub(crate) async fn run(configs: &[PathBuf], show: Option<SocketAddr>) -> ExitCode {
    let checked = match Config::load(configs) {
        Ok(checked) => checked,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::FAILURE;
        }
    };
    let problems = crate::certs::problems(configs, &checked);
    if !problems.is_empty() {
        problems.iter().for_each(|problem| eprintln!("{problem}"));
        return ExitCode::FAILURE;
    }
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("cannot wait for signals: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (metrics, mut agents) = (Metrics::default(), Vec::new());
    for checked in checked {
        for warning in &checked.warnings {
            tracing::warn!("{warning}");
        }
        let name = checked.config.name.clone();
        match Agent::start(checked.config, AgentOptions { metrics: metrics.clone(), ..AgentOptions::default() }) {
            Ok(agent) => agents.push(agent),
            Err(error) => {
                eprintln!("{name}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    if let Some(address) = show {
        match metrics::serve(address, metrics, agents.iter().map(Agent::figures).collect()).await {
            Ok(address) => tracing::info!("metrics at http://{address}/metrics"),
            Err(error) => {
                eprintln!("cannot serve metrics at {address}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    let name = signals.next().await;
    tracing::info!("{name}: stopping; the switches keep their tables");
    let mut status = ExitCode::SUCCESS;
    for agent in agents {
        let name = agent.name().to_owned();
        if let Err(error) = agent.shutdown().await {
            eprintln!("{name} ended badly: {error}");
            status = ExitCode::FAILURE;
        }
    }
    status
}

/// What ends this process. From when it is made, signals wait for it.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
