//! The driver: between one switch, the peers, and the state machine.
//!
//! | file | what it is |
//! |---|---|
//! | `task` | waits, feeds, flushes: the only part that acts |
//! | `core` | facts in, decisions out, without I/O |
//! | `wanted`, `ledger`, `numbering` | what the switch is to have, and what of it is not written yet |
//! | `switch`, `ports`, `ageing` | bringing the switch to a known level, doing work on it, its link state, its idle hosts |
//! | `frames`, `held` | reading punted frames, making probes, keeping frames that wait for a verdict |

mod ageing;
mod core;
mod frames;
mod held;
mod ledger;
mod numbering;
mod ports;
mod status;
mod switch;
mod task;
mod wanted;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use vouch_p4runtime::client::Session;

use self::switch::{Program, session_config};
use self::task::{Command, Parts, Task};
use crate::config::Config;
use crate::events::AgentEvent;

pub use self::core::DriverCounters;
pub use self::status::{AgentStatus, HostStatus, TaskCounters};
pub use self::switch::SwitchSetupError;

/// What can be chosen when an agent is started, beside its configuration.
#[derive(Debug, Default)]
pub struct AgentOptions {
    /// Who watches. An agent does not wait for a slow watcher: events that do not fit are dropped and counted.
    pub events: Option<mpsc::Sender<AgentEvent>>,
}

/// An agent that runs. Dropping it stops it, without waiting.
#[derive(Debug)]
pub struct Agent {
    name: String,
    commands: mpsc::Sender<Command>,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
    task: JoinHandle<()>,
}

impl Agent {
    /// Starts an agent. It connects to its switch and its peers in the background, for as long as that takes.
    ///
    /// Needs a tokio runtime.
    pub fn start(mut config: Config, options: AgentOptions) -> Result<Self, SwitchSetupError> {
        let program = Program::load(&config.switch)?;
        fit_hosts(&mut config, &program);
        let (session, events) = Session::connect(session_config(&config, &program)?)?;
        warn_of_unset_probe_addresses(&config);
        let (commands, receiver) = mpsc::channel(16);
        let stop = CancellationToken::new();
        let name = config.name.clone();
        let parts =
            Parts { config, program, session, events, watcher: options.events, commands: receiver, stop: stop.clone() };
        let task = tokio::spawn(Task::new(parts).run());
        Ok(Self { name, commands, _stop_on_drop: stop.clone().drop_guard(), stop, task })
    }

    /// Its configured name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is; `None` if it has ended.
    pub async fn status(&self) -> Option<AgentStatus> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Status(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Stops it and waits until it has stopped. The switch keeps its tables, and traffic goes on.
    pub async fn shutdown(self) -> Result<(), JoinError> {
        self.stop.cancel();
        self.task.await
    }
}

/// Whoever floods addresses must meet our limit before the switch has to refuse entries of others, and a Tofino's tables
/// are smaller than those of a software switch.
fn fit_hosts(config: &mut Config, program: &Program) {
    let Some(vtep) = &mut config.vtep else { return };
    let (limit, room) = (vtep.limits.hosts, program.room_for_hosts(vtep.vnis.len()));
    if limit > room {
        tracing::info!(agent = config.name, limit, room, "the switch has room for fewer hosts than `limits.hosts`");
        vtep.limits.hosts = room;
    }
}

/// A probe from 0.0.0.0 is misunderstood by some hosts: Windows takes it for a conflict, some systems do not answer it.
fn warn_of_unset_probe_addresses(config: &Config) {
    let vnis = config.vtep.iter().flat_map(|vtep| &vtep.vnis);
    for vni in vnis.filter(|vni| vni.probe_ipv4.is_none()) {
        tracing::warn!(
            agent = config.name,
            vni = vni.vni.get(),
            "no probe address: ARP probes have sender 0.0.0.0, which some hosts take for a conflict or do not answer"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_hosts_are_learned_than_the_tables_have_room_for() {
        let text = include_str!("../../../../configs/demo/vtep1.yaml");
        let mut config = Config::parse("vtep1.yaml", text).expect("the demo's is right").config;
        let program = Program::load(&config.switch).expect("it comes with the agent");
        let hosts = |config: &Config| config.vtep.as_ref().map(|vtep| vtep.limits.hosts);
        let default = hosts(&config);
        fit_hosts(&mut config, &program);
        assert_eq!(hosts(&config), default, "it fits the program that comes with the agent");

        let room = program.room_for_hosts(2);
        config.vtep.as_mut().expect("it is a VTEP").limits.hosts = room + 1;
        fit_hosts(&mut config, &program);
        assert_eq!(hosts(&config), Some(room));
    }
}
