//! `vouch run`: agents in this process until a signal ends them.

use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use vouch_agent::{Agent, AgentOptions, Config};

/// Starts an agent for each configuration and stops them all at SIGINT or SIGTERM. The switches keep their tables.
pub(crate) async fn run(configs: &[PathBuf]) -> ExitCode {
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
    let mut agents = Vec::new();
    for checked in checked {
        for warning in &checked.warnings {
            tracing::warn!("{warning}");
        }
        let name = checked.config.name.clone();
        match Agent::start(checked.config, AgentOptions::default()) {
            Ok(agent) => agents.push(agent),
            Err(error) => {
                eprintln!("{name}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    match until_signal().await {
        Ok(name) => tracing::info!("{name}: stopping; the switches keep their tables"),
        Err(error) => {
            eprintln!("cannot wait for signals: {error}");
            return ExitCode::FAILURE;
        }
    }
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

async fn until_signal() -> std::io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
    }
}
