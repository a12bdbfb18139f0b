//! A switch that is a process of its own, as tools and tests start one: `simple_switch_grpc`, or `p4-switch`, which takes the
//! same command line. It serves P4Runtime on this host, at a port that was free, and ends with its [`SwitchProcess`].

use std::ffi::OsStr;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use vouch_p4runtime::p4::v1::CapabilitiesRequest;
use vouch_p4runtime::p4::v1::p4_runtime_client::P4RuntimeClient;

use crate::streamed::START_RETRY;

/// How long a switch may take until it answers. Starting takes a fraction of a second where the machine is not busy.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// The port to the controller, as the project's program and most others have it.
const CPU_PORT: u16 = 510;

/// BMv2's program.
pub const BMV2: &str = "simple_switch_grpc";
/// What ends a process with the one that has started it, where it is there (package util-linux).
const BINDER: &str = "setpriv";

/// Where a program is, if it is on the path.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

/// A command that starts a program which ends with this process, also where that is killed and cannot end it itself.
pub fn bound(program: impl AsRef<OsStr>) -> Command {
    static FOUND: LazyLock<bool> = LazyLock::new(|| find(BINDER).is_some());
    if !*FOUND {
        return Command::new(program);
    }
    let mut command = Command::new(BINDER);
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// A command that starts BMv2. Each instance of one that was built with its Thrift server needs a port for it.
pub fn bmv2(thrift_port: u16) -> Command {
    let mut command = bound(BMV2);
    if takes_thrift_port() {
        command.args(["--thrift-port", &thrift_port.to_string()]);
    }
    command
}

/// Whether BMv2 was built with its Thrift server. One without does not know the option.
fn takes_thrift_port() -> bool {
    static TAKES: LazyLock<bool> = LazyLock::new(|| {
        let help = Command::new(BMV2).arg("--help").output();
        help.is_ok_and(|it| String::from_utf8_lossy(&[it.stdout, it.stderr].concat()).contains("--thrift-port"))
    });
    *TAKES
}

/// Below the ports that systems give to whoever connects or listens anywhere (from 32,768 on with Linux): one of those may be somebody else's before it
/// is used.
const FREE: Range<u16> = 20_000..32_768;

/// Ports of this host that nobody listens on, and that this process was not given before. If somebody else takes one all the same, a switch says so.
///
/// # Errors
/// There is none.
pub fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    // Processes begin at different ones.
    static NEXT: LazyLock<AtomicU64> =
        LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one(std::process::id())));
    let mut candidates = FREE.map(|_| FREE.start + (NEXT.fetch_add(1, Ordering::Relaxed) % FREE.len() as u64) as u16);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut ports = [0; N];
    for port in &mut ports {
        *port = candidates.find(is_free).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::AddrInUse,
                format!("all ports from {} to {} are taken", FREE.start, FREE.end - 1),
            )
        })?;
    }
    Ok(ports)
}

/// What a switch has for ports.
#[derive(Clone, Copy, Debug)]
pub enum Ports<'a> {
    /// Interfaces, by number.
    Interfaces(&'a [(u16, String)]),
    /// A stream over gRPC.
    Streamed,
}

/// A running switch, which ends with this value.
#[derive(Debug)]
pub struct SwitchProcess {
    child: Child,
    url: String,
    streamed: String,
}

impl SwitchProcess {
    /// Start a switch by this command, without a pipeline, and wait until its P4Runtime server answers. What it prints goes
    /// to `log`.
    ///
    /// Must not be called on a thread that ends before the switch is to end: the kernel kills the switch with the thread.
    ///
    /// # Errors
    /// Why it does not serve, with what it printed.
    pub async fn start(
        mut command: Command,
        device_id: u64,
        ports: Ports<'_>,
        log: &Path,
    ) -> Result<Self, SwitchError> {
        let failed = |error| SwitchError::Spawn { error };
        let [address, streamed] =
            free_ports().map_err(failed)?.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string());
        let output = File::create(log).map_err(failed)?;
        command.args(["--no-p4", "--device-id", &device_id.to_string()]);
        if let Ports::Interfaces(ports) = ports {
            for (number, interface) in ports {
                command.args(["-i", &format!("{number}@{interface}")]);
            }
        }
        command.args(["--log-console", "-L", "warn"]);
        command.args(["--", "--grpc-server-addr", &address, "--cpu-port", &CPU_PORT.to_string()]);
        if let Ports::Streamed = ports {
            command.args(["--dp-grpc-server-addr", &streamed]);
        }
        command.stdin(Stdio::null()).stdout(output.try_clone().map_err(failed)?).stderr(output);
        let child = command.spawn().map_err(failed)?;

        let mut switch = Self { child, url: format!("http://{address}"), streamed: format!("http://{streamed}") };
        switch.answered(log).await?;
        Ok(switch)
    }

    /// Where its P4Runtime server listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where its ports are, if they are a stream.
    pub fn streamed_url(&self) -> &str {
        &self.streamed
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    async fn answered(&mut self, log: &Path) -> Result<(), SwitchError> {
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().map_err(|error| SwitchError::Spawn { error })? {
                return Err(SwitchError::Ended { status: status.to_string(), log: tail(log) });
            }
            let last = match P4RuntimeClient::connect(self.url.clone()).await {
                Ok(mut client) => match client.capabilities(CapabilitiesRequest::default()).await {
                    Ok(_) => return Ok(()),
                    Err(status) => status.to_string(),
                },
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                return Err(SwitchError::Silent { last, log: tail(log) });
            }
            tokio::time::sleep(START_RETRY).await;
        }
    }
}

impl Drop for SwitchProcess {
    fn drop(&mut self) {
        // Either it has ended already, or it is ended now; nothing is to be done about failure here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Why a switch did not come up.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// The process could not be started.
    #[error("the switch cannot be started: {error}")]
    Spawn {
        /// Why.
        error: io::Error,
    },
    /// The process ended by itself.
    #[error("the switch ended ({status}); it said:\n{log}")]
    Ended {
        /// How.
        status: String,
        /// What it printed last.
        log: String,
    },
    /// The process runs but does not serve.
    #[error("the switch does not answer: {last}; it said:\n{log}", last = .last)]
    Silent {
        /// What became of the last attempt.
        last: String,
        /// What it printed last.
        log: String,
    },
}

/// The end of a log.
pub fn tail(log: &Path) -> String {
    const LINES: usize = 40;
    let text = match std::fs::read(log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return format!("({} cannot be read: {error})", log.display()),
    };
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_not_while_somebody_has_it() {
        let [given] = free_ports().expect("there is one");
        let next = given + 1;
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, next));
        let mut others = free_ports::<64>().expect("there are some").to_vec();
        assert!(others.iter().all(|port| FREE.contains(port) && *port != given && *port != next), "{others:?}");
        others.sort_unstable();
        others.dedup();
        assert_eq!(others.len(), 64);
    }
}
