//! Which agents there are, and asking all of them side by side.

use std::path::{Path, PathBuf};

use clap::Args;
use vouch_agent::management::{Client, ManagementError};

/// Where sockets are looked for if nobody says where they are.
const SOCKETS: &str = "/run/vouch";

#[derive(Debug, Args)]
pub(crate) struct Agents {
    /// The Unix socket of an agent (`management.socket`); may be repeated [default: every one in /run/vouch]
    #[arg(long = "socket", value_name = "PATH")]
    sockets: Vec<PathBuf>,
    /// A file with the sockets of agents, one a line; what follows `#` is a comment
    #[arg(long, value_name = "FILE")]
    agents: Option<PathBuf>,
    /// Print JSON, one answer a line, as vouch/management/v1/management.proto defines them
    #[arg(long)]
    pub(crate) json: bool,
}

/// An agent that can be asked.
pub(crate) struct Connected {
    /// Its socket.
    pub(crate) name: String,
    pub(crate) client: Client,
}

/// What agents answered, and who did not.
pub(crate) struct Asked<T> {
    pub(crate) answers: Vec<T>,
    failures: Vec<String>,
}

impl Agents {
    /// Opens all sockets.
    pub(crate) async fn connect(&self) -> Asked<Connected> {
        let mut asked = Asked { answers: Vec::new(), failures: Vec::new() };
        let sockets = match self.sockets() {
            Ok(sockets) => sockets,
            Err(why) => {
                asked.failures.push(why);
                return asked;
            }
        };
        for socket in sockets {
            let name = socket.display().to_string();
            match Client::connect(&socket).await {
                Ok(client) => asked.answers.push(Connected { name, client }),
                Err(error) => asked.failures.push(error.to_string()),
            }
        }
        asked
    }

    /// Asks all agents the same, side by side. Answers come in the order of the agents.
    pub(crate) async fn ask<T>(&self, question: impl AsyncFn(&mut Client) -> Result<T, ManagementError>) -> Asked<T> {
        let Asked { mut answers, mut failures } = self.connect().await;
        let question = &question;
        let asking = answers.iter_mut().map(|agent| async move {
            question(&mut agent.client).await.map_err(|error| format!("{}: {error}", agent.name))
        });
        let mut asked = Vec::new();
        for answer in futures::future::join_all(asking).await {
            match answer {
                Ok(answer) => asked.push(answer),
                Err(failure) => failures.push(failure),
            }
        }
        Asked { answers: asked, failures }
    }

    fn sockets(&self) -> Result<Vec<PathBuf>, String> {
        let mut sockets = self.sockets.clone();
        if let Some(file) = &self.agents {
            let text =
                std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
            let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
            // As everywhere, paths in a file are relative to it.
            let folder = file.parent().unwrap_or(Path::new(""));
            sockets.extend(lines.filter(|line| !line.is_empty()).map(|line| folder.join(line)));
        }
        if sockets.is_empty() && self.agents.is_none() {
            sockets = found_in(Path::new(SOCKETS));
        }
        if sockets.is_empty() {
            return Err(format!(
                "there is no agent to ask: give the `management.socket` of its configuration with --socket, or a file that lists some with --agents (none is in {SOCKETS})"
            ));
        }
        Ok(sockets)
    }
}

fn found_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut sockets: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "sock")).collect();
    sockets.sort();
    sockets
}

impl<T> Asked<T> {
    /// Says who did not answer, and why. Whether there is somebody.
    pub(crate) fn tell_failures(&self) -> bool {
        self.failures.iter().for_each(|failure| eprintln!("{failure}"));
        !self.failures.is_empty()
    }

    /// The answers, after it has been said who did not.
    pub(crate) fn tell(self) -> Vec<T> {
        self.tell_failures();
        self.answers
    }
}
