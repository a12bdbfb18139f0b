//! One switch that is a process: of `simple_switch_grpc`, or of `p4-switch`, which takes the same command line.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use tokio::time::Instant;
use vouch_p4runtime::p4::v1::CapabilitiesRequest;
use vouch_p4runtime::p4::v1::p4_runtime_client::P4RuntimeClient;

use crate::namespace::find;
use crate::rig::START_RETRY;

/// How long a switch may take until it answers. Starting takes a fraction of a second where the machine is not busy.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// The gRPC port of device 0; every other device's lies above. The namespace is ours, so they are all free.
const FIRST_GRPC_PORT: u64 = 50_000;
/// The port of device 0's packet stream, likewise.
const FIRST_STREAM_PORT: u64 = 51_000;
/// The port of device 0's Thrift server, likewise, where BMv2 was built with one. It is BMv2's own default.
const FIRST_THRIFT_PORT: u64 = 9090;
/// The port to the controller, as in the P4 program.
const CPU_PORT: u16 = 510;

/// BMv2's program.
const BMV2: &str = "simple_switch_grpc";
/// Set in a process that is to be `p4-switch`: see [`become_switch`].
const BE_P4_SWITCH: &str = "VOUCH_BE_P4_SWITCH";

/// The program that a switch is a process of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchProgram {
    /// `simple_switch_grpc`.
    Bmv2,
    /// `p4-switch`.
    P4Switch,
}

/// What four switches keep up with on the same two cores.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How many announcements they can take in at once.
    ///
    /// libpcap gives BMv2 a ring of 2 MiB with slots of 64 KiB: what comes behind 32 frames that it has not read yet is lost. Of
    /// 1,000 announcements within 2 ms 32 were heard, within 0.6 s 425, within 5 s 903.
    pub announcements: usize,
    /// How long they need for so many, and all that follows.
    pub pause: Duration,
    /// How many packets they forward a second. With 1,000 that pass three BMv2, each comes 40 to 190 ms late.
    pub packets: u32,
    /// How many where each is copied on its way. BMv2 with 800 got slower than they came: its queues grew until they were 1.3 s late.
    pub copied: u32,
    /// How many hosts they learn within a minute, with all that follows.
    pub hosts: u32,
}

impl SwitchProgram {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Bmv2, Self::P4Switch];

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bmv2 => "BMv2",
            Self::P4Switch => "p4-switch",
        }
    }

    /// What four of them keep up with on the same two cores; `None` where that is more than anybody sends here.
    pub fn pace(self) -> Option<&'static Pace> {
        const BMV2: Pace =
            Pace { announcements: 4, pause: Duration::from_millis(50), packets: 500, copied: 200, hosts: 1_000 };
        match self {
            Self::Bmv2 => Some(&BMV2),
            Self::P4Switch => None,
        }
    }

    /// Why it cannot run on this machine; `None` where it can.
    pub fn missing(self) -> Option<String> {
        match self {
            Self::Bmv2 if find(BMV2).is_none() => Some(format!("{BMV2} (BMv2) is not on the path")),
            Self::Bmv2 | Self::P4Switch => None,
        }
    }

    /// A command that starts it as this device, with the words that have to stand before its other arguments. A test that
    /// is killed cannot kill its switches; this way the kernel does.
    pub fn command(self, device_id: u64) -> io::Result<Command> {
        Ok(match self {
            Self::Bmv2 => {
                let mut command = bound(BMV2);
                if takes_thrift_port() {
                    command.args(["--thrift-port", &(FIRST_THRIFT_PORT + device_id).to_string()]);
                }
                command
            }
            // This very program has it in it.
            Self::P4Switch => {
                let mut command = bound(std::env::current_exe()?);
                command.env(BE_P4_SWITCH, "1");
                command
            }
        })
    }
}

/// A command that starts a program which ends with this process.
pub(crate) fn bound(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// Whether BMv2 was built with its Thrift server. Each instance needs a port for it, and one without does not know the option.
fn takes_thrift_port() -> bool {
    static TAKES: LazyLock<bool> = LazyLock::new(|| {
        let help = Command::new(BMV2).arg("--help").output();
        help.is_ok_and(|it| String::from_utf8_lossy(&[it.stdout, it.stderr].concat()).contains("--thrift-port"))
    });
    *TAKES
}

/// Be `p4-switch` if this process was started to be it. To be called first thing in `main`.
///
/// Tests have no way to a program of another package, so the one that runs them is also the switch.
#[must_use]
pub fn become_switch() -> Option<ExitCode> {
    std::env::var_os(BE_P4_SWITCH).map(|_| p4_switch::main(std::env::args_os()))
}

/// What a switch has for ports.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ports<'a> {
    /// Interfaces, by number.
    Interfaces(&'a [(u16, String)]),
    /// A stream over gRPC.
    Streamed,
}

/// A running switch, which ends with this value.
#[derive(Debug)]
pub(crate) struct SwitchProcess {
    child: Child,
    url: String,
    streamed: String,
}

impl SwitchProcess {
    /// Start a switch by this command, without a pipeline, and wait until its P4Runtime server answers. What it prints goes
    /// to `log`.
    ///
    /// Must not be called on a thread that ends before the switch is to end: the kernel kills the switch with the thread.
    pub(crate) async fn start(
        mut command: Command,
        device_id: u64,
        ports: Ports<'_>,
        log: &Path,
    ) -> Result<Self, SwitchError> {
        let address = format!("127.0.0.1:{}", FIRST_GRPC_PORT + device_id);
        let failed = |error| SwitchError::Spawn { error };
        let output = File::create(log).map_err(failed)?;
        command.args(["--no-p4", "--device-id", &device_id.to_string()]);
        if let Ports::Interfaces(ports) = ports {
            for (number, interface) in ports {
                command.args(["-i", &format!("{number}@{interface}")]);
            }
        }
        command.args(["--log-console", "-L", "warn"]);
        command.args(["--", "--grpc-server-addr", &address, "--cpu-port", &CPU_PORT.to_string()]);
        let streamed = format!("127.0.0.1:{}", FIRST_STREAM_PORT + device_id);
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
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What tells how much time processors have spent on it.
    pub(crate) fn clock(&self) -> ProcessClock {
        ProcessClock { process: self.child.id() }
    }

    /// Where its ports are, if they are a stream.
    pub(crate) fn streamed_url(&self) -> &str {
        &self.streamed
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
pub(crate) enum SwitchError {
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
pub(crate) fn tail(log: &Path) -> String {
    const LINES: usize = 40;
    let text = match std::fs::read(log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return format!("({} cannot be read: {error})", log.display()),
    };
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// The log of a switch in a folder of logs.
pub(crate) fn log_path(folder: &Path, switch: &str) -> PathBuf {
    folder.join(format!("{switch}.log"))
}

/// The processor time of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessClock {
    process: u32,
}

impl ProcessClock {
    /// What is told apart: the unit of `times(2)`, which Linux fixes at 100 a second for all programs.
    pub(crate) const TICK: Duration = Duration::from_millis(10);

    /// The time spent so far, in user and kernel mode.
    pub(crate) fn spent(self) -> io::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process))?;
        // The name, in parentheses, may contain anything; `utime` and `stime` are the 12th and 13th fields behind it.
        let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
        let ticks: u32 = behind.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
        Ok(Self::TICK * ticks)
    }
}
