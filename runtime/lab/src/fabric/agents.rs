//! The agents of a fabric, each a [`Process`] of its own: they can be killed and started again.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use vouch_agent::{Agent, AgentEventKind, AgentOptions, Config, Place};
use vouch_mobility::HostKey;

use crate::error::LabError;
use crate::log::Log;
use crate::process::Process;

/// Events of one agent that may wait for the log.
const EVENT_QUEUE: usize = 65_536;

/// By the names of their switches.
pub(super) struct Agents {
    log: Log,
    all: Mutex<BTreeMap<String, One>>,
}

struct One {
    config: Config,
    /// `None`: it was killed.
    running: Option<(Process, Agent)>,
}

impl Agents {
    pub(super) fn new(log: Log) -> Self {
        Self { log, all: Mutex::default() }
    }

    pub(super) async fn start(&self, config: Config) -> Result<(), LabError> {
        let running = Some(self.launch(&config).await?);
        self.all.lock().await.insert(config.name.clone(), One { config, running });
        Ok(())
    }

    pub(super) async fn kill(&self, switch: &str) -> Result<(), LabError> {
        let mut all = self.all.lock().await;
        let one = all.get_mut(switch).ok_or_else(|| unknown(switch))?;
        if let Some((process, agent)) = one.running.take() {
            self.log.note(format!("the agent of {switch} is killed"));
            process.kill().await;
            // Not earlier: that would ask it to stop.
            drop(agent);
        }
        Ok(())
    }

    pub(super) async fn start_again(&self, switch: &str, patience: Duration) -> Result<bool, LabError> {
        let mut all = self.all.lock().await;
        let one = all.get_mut(switch).ok_or_else(|| unknown(switch))?;
        let mark = self.log.mark();
        if one.running.is_none() {
            self.log.note(format!("the agent of {switch} is started"));
            one.running = Some(self.launch(&one.config).await?);
        }
        drop(all);
        let ready = self.log.wait(mark, patience, |event| match event.kind {
            AgentEventKind::SwitchReady { .. } if *event.agent == *switch => Some(()),
            _ => None,
        });
        Ok(ready.await.is_some())
    }

    /// Tell an agent that a host is about to move; why it does not take it, if it does not.
    pub(super) async fn expect_move(
        &self,
        switch: &str,
        host: HostKey,
        to: Place,
        within: Duration,
    ) -> Result<(), LabError> {
        let all = self.all.lock().await;
        let running = all.get(switch).and_then(|one| one.running.as_ref()).ok_or_else(|| unknown(switch))?;
        let told = running.1.expect_move(host, to, within).await;
        told.map_err(|error| LabError::Agent { switch: switch.to_owned(), error: error.to_string() })
    }

    pub(super) async fn shutdown(self) {
        for (process, agent) in self.all.into_inner().into_values().filter_map(|one| one.running) {
            // An agent that panicked has been reported by the panic hook.
            let _ = agent.shutdown().await;
            process.kill().await;
        }
    }

    async fn launch(&self, config: &Config) -> Result<(Process, Agent), LabError> {
        let refused = |error: String| LabError::Agent { switch: config.name.clone(), error };
        let (events, receiver) = mpsc::channel(EVENT_QUEUE);
        tokio::spawn(self.log.clone().follow(receiver));
        let process = Process::new(&config.name)?;
        let config = config.clone();
        let started = process
            .run(async { Agent::start(config, AgentOptions { events: Some(events), ..AgentOptions::default() }) })
            .await?;
        Ok((process, started.map_err(|error| refused(error.to_string()))?))
    }
}

fn unknown(switch: &str) -> LabError {
    LabError::Agent { switch: switch.to_owned(), error: "there is none of that name".to_owned() }
}
