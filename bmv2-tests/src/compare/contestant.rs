//! The switches that are compared.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use p4_switch::process::{Ports, SwitchProcess, bound, find};
use tokio::time::timeout;
use vouch_p4runtime::{EventReceiver, Session, SessionConfig};

use super::processors::Processors;
use super::run::Options;
use super::workload::Setup;
use crate::process::SwitchProgram;
use crate::rig::{PATIENCE, Result};

/// The device id of whichever switch is running.
const DEVICE: u64 = 1;
/// Updates in one request while tables are filled.
const BATCH: usize = 1_000;

/// A switch that is a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contestant {
    /// What it is called in the table.
    pub label: String,
    /// BMv2's program; `None` is `p4-switch`, which this process has in it.
    pub bmv2: Option<PathBuf>,
}

impl Contestant {
    /// `p4-switch`.
    pub fn p4_switch() -> Self {
        Self { label: "p4-switch".to_owned(), bmv2: None }
    }

    /// Why it cannot run; `None` where it can.
    pub fn missing(&self) -> Option<String> {
        let path = self.bmv2.as_ref()?;
        let found = if path.components().count() > 1 {
            path.is_file()
        } else {
            path.to_str().is_some_and(|name| find(name).is_some())
        };
        (!found).then(|| format!("{}: {} is not there", self.label, path.display()))
    }

    fn command(&self, on: Option<&Processors>) -> io::Result<Command> {
        let command = match &self.bmv2 {
            None => SwitchProgram::P4Switch.command(DEVICE)?,
            Some(path) => bound(path),
        };
        Ok(match on {
            None => command,
            Some(processors) => processors.bind(&command),
        })
    }

    /// Start it with these interfaces at its ports.
    pub(super) async fn start(&self, ports: &[(u16, String)], log: &Path, on: Option<&Processors>) -> Result<Running> {
        Running::new(SwitchProcess::start(self.command(on)?, DEVICE, Ports::Interfaces(ports), log).await?).await
    }

    /// Start it with capture files in a folder, which it begins to read after some time.
    pub(super) async fn start_with_files(
        &self,
        ports: &[(u16, String)],
        log: &Path,
        folder: &Path,
        options: &Options,
    ) -> Result<Running> {
        let (wait, mut command) = (options.wait, self.command(options.processors.as_ref())?);
        command.current_dir(folder).args(["--use-files", &wait.as_secs().to_string()]);
        Running::new(SwitchProcess::start(command, DEVICE, Ports::Interfaces(ports), log).await?).await
    }
}

/// A running switch with its controller.
pub(super) struct Running {
    /// The controller's session, which is primary.
    pub(super) session: Session,
    /// The session ends without it.
    _events: EventReceiver,
    pub(super) process: SwitchProcess,
}

impl Running {
    async fn new(process: SwitchProcess) -> Result<Self> {
        let (session, events) = connect(process.url(), 1).await?;
        Ok(Self { session, _events: events, process })
    }
}

/// A session that may write, because no other has a higher election id.
pub(super) async fn connect(url: &str, election_id: u128) -> Result<(Session, EventReceiver)> {
    let mut config = SessionConfig::new(url.to_owned(), DEVICE, election_id);
    config.max_batch = config.max_batch.max(BATCH);
    let (session, events) = Session::connect(config)?;
    timeout(PATIENCE, session.until_primary()).await.map_err(|_| "the switch does not take a primary controller")?;
    Ok((session, events))
}

/// Give a switch its program and fill its tables.
pub(super) async fn fill(session: &Session, setup: &Setup) -> Result<()> {
    session.push_pipeline(&setup.pipeline).await?;
    let updates = setup.updates()?;
    for batch in updates.chunks(BATCH) {
        session.write(batch.to_vec()).await?;
    }
    Ok(())
}
