//! Which agents there are, and asking all of them side by side.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use vouch_agent::management::{Client, ManagementError, OperatorFiles};

/// Where sockets are looked for if nobody says where they are.
pub(crate) const SOCKETS: &str = "/run/vouch";

#[derive(Debug, Args)]
pub(crate) struct Agents {
    /// The Unix socket of an agent (`management.socket`); may be repeated [default: every one in /run/vouch]
    #[arg(long = "socket", value_name = "PATH")]
    sockets: Vec<PathBuf>,
    /// The address of an agent's management service (`management.remote`), as https://192.0.2.20:7443; may be repeated
    #[arg(long = "url", value_name = "URL", requires = "identity")]
    urls: Vec<String>,
    /// A file with the sockets and URLs of agents, one a line; what follows `#` is a comment
    #[arg(long, value_name = "FILE")]
    agents: Option<PathBuf>,
    /// Who asks over the network, as tls/operator: the files are tls/operator.pem, tls/operator.key and tls/ca.pem, as `vouch
    /// certs issue` makes them
    #[arg(long, value_name = "PATH")]
    identity: Option<PathBuf>,
    /// Print JSON, one answer a line, as vouch/management/v1/management.proto defines them
    #[arg(long)]
    pub(crate) json: bool,
}

/// An agent that can be asked.
pub(crate) struct Connected {
    /// Its socket or address.
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
        let addresses = match self.addresses() {
            Ok(addresses) => addresses,
            Err(why) => {
                asked.failures.push(why);
                return asked;
            }
        };
        for address in addresses {
            let connected = match &address {
                Address::Socket(path) => Client::connect(path).await.map_err(|error| error.to_string()),
                Address::Url(url) => match &self.identity {
                    Some(identity) => {
                        Client::connect_remotely(url, &files(identity)).await.map_err(|error| error.to_string())
                    }
                    None => Err(format!("{url}: say who asks, with --identity, as --identity tls/operator")),
                },
            };
            match connected {
                Ok(client) => asked.answers.push(Connected { name: address.to_string(), client }),
                Err(error) => asked.failures.push(error),
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

    fn addresses(&self) -> Result<Vec<Address>, String> {
        let mut addresses: Vec<Address> = self.sockets.iter().cloned().map(Address::Socket).collect();
        addresses.extend(self.urls.iter().cloned().map(Address::Url));
        if let Some(file) = &self.agents {
            let text =
                std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
            let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
            // As everywhere, paths in a file are relative to it.
            let folder = file.parent().unwrap_or(Path::new(""));
            addresses.extend(lines.filter(|line| !line.is_empty()).map(|line| match line.starts_with("https://") {
                true => Address::Url(line.to_owned()),
                false => Address::Socket(folder.join(line)),
            }));
        }
        if addresses.is_empty() && self.agents.is_none() {
            addresses = found_in(Path::new(SOCKETS)).into_iter().map(Address::Socket).collect();
        }
        if addresses.is_empty() {
            return Err(format!(
                "there is no agent to ask: give the `management.socket` of its configuration with --socket, its `management.remote` with --url, or a file that lists some with --agents (none is in {SOCKETS})"
            ));
        }
        Ok(addresses)
    }
}

/// Where an agent is asked.
enum Address {
    Socket(PathBuf),
    Url(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Url(url) => f.write_str(url),
        }
    }
}

/// The files of who asks, as `vouch certs` names them.
fn files(identity: &Path) -> OperatorFiles {
    let with = |extension: &str| PathBuf::from(format!("{}.{extension}", identity.display()));
    OperatorFiles { ca: identity.with_file_name("ca.pem"), cert: with("pem"), key: with("key") }
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
