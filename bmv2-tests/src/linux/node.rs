//! A switch and its agent: two processes in a namespace of their own, which can be killed, stopped and started again.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use p4_switch::process::{bound, tail};

use super::netns::Namespace;
use super::{Failure, config, plan};
use crate::process::SwitchProgram;
use crate::sys::{self, Signal};

/// The port to the controller, as in the P4 program.
const CPU_PORT: u16 = 510;
/// Set in a process that is to be the agent: see [`become_agent`](super::agent::become_agent).
pub(super) const BE_AGENT: &str = "VOUCH_BE_AGENT";

/// A node of the fabric.
#[derive(Debug)]
pub struct Node {
    /// Its name.
    pub name: &'static str,
    pub(super) namespace: Namespace,
    pub(super) program: SwitchProgram,
    /// The switch's ports and their interfaces.
    pub(super) ports: Vec<(u16, String)>,
    /// `vouch`, where it is not this program itself.
    vouch: Option<PathBuf>,
    folder: PathBuf,
    switch: Option<Running>,
    agent: Option<Running>,
    standby: Option<Running>,
    /// Its agent logs no more than an operator's.
    pub(super) terse: bool,
}

/// One of a node's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The switch.
    Switch,
    /// Its agent.
    Agent,
    /// Another agent of it, which takes over when the first fails.
    Standby,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Switch => "switch",
            Self::Agent => "agent",
            Self::Standby => "standby",
        }
    }
}

/// What a process has used of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time.
    pub time: Duration,
    /// The most memory that it had at any time, in bytes.
    pub peak: u64,
}

impl Usage {
    pub(super) fn of(process: u32) -> io::Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The second field is the program's name in brackets, and may hold anything; the 14th and 15th are times in hundredths.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB"));
        let peak = kilobytes.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or_default() * 1_024;
        Ok(Self { time: Duration::from_millis(10 * ticks), peak })
    }
}

/// A process, which ends with this value.
#[derive(Debug)]
pub(super) struct Running(pub(super) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // A stopped process is killed all the same. Either it has ended already, or it is ended now.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Node {
    pub(super) fn new(
        name: &'static str,
        program: SwitchProgram,
        vouch: Option<PathBuf>,
        folder: &Path,
    ) -> io::Result<Self> {
        let (namespace, folder) = (Namespace::create(name)?, folder.to_owned());
        Ok(Self {
            name,
            namespace,
            program,
            ports: Vec::new(),
            vouch,
            folder,
            switch: None,
            agent: None,
            standby: None,
            terse: false,
        })
    }

    /// Where its switch is controlled, from the management network.
    pub(super) fn control(&self) -> String {
        format!("http://{}:{}", config::management(self.name), config::P4RUNTIME)
    }

    /// The file of an agent's configuration.
    pub(super) fn configuration(&self, part: Part) -> PathBuf {
        self.folder.join(format!("{}-{}.yaml", self.name, part.name()))
    }

    /// Where its first agent is asked and told.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!("{}.sock", self.name))
    }

    /// Start the switch or the agent; its log is continued.
    ///
    /// # Errors
    /// The kernel's.
    pub fn start(&mut self, part: Part) -> Result<(), Failure> {
        let command = match part {
            Part::Switch => self.switch_command()?,
            Part::Agent | Part::Standby => self.agent_command(part)?,
        };
        let mut command = self.namespace.command(&command);
        let log = OpenOptions::new().create(true).append(true).open(self.log(part))?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        *self.running(part) = Some(Running(child));
        Ok(())
    }

    /// Kill it, and wait until it is gone.
    pub fn kill(&mut self, part: Part) {
        drop(self.running(part).take());
    }

    /// Stop it where it stands.
    ///
    /// # Errors
    /// It does not run.
    pub fn freeze(&mut self, part: Part) -> io::Result<()> {
        self.signal(part, Signal::Stop)
    }

    /// Have it go on.
    ///
    /// # Errors
    /// It does not run.
    pub fn thaw(&mut self, part: Part) -> io::Result<()> {
        self.signal(part, Signal::Continue)
    }

    /// What it has printed.
    pub fn log(&self, part: Part) -> PathBuf {
        self.folder.join(format!("{}-{}.log", self.name, part.name()))
    }

    /// What says that it has ended by itself.
    pub(super) fn ended(&mut self, part: Part) -> Option<String> {
        let Running(child) = self.running(part).as_mut()?;
        let status = child.try_wait().ok()??;
        let (name, log) = (self.name, tail(&self.log(part)));
        Some(format!("the {} of {name} has ended ({status}); it said:\n{log}", part.name()))
    }

    /// What it has used of the machine so far.
    ///
    /// # Errors
    /// It does not run.
    pub fn usage(&mut self, part: Part) -> Result<Usage, Failure> {
        let running = self.running(part).as_ref();
        let Running(child) = running.ok_or_else(|| io::Error::other(format!("the {} does not run", part.name())))?;
        Ok(Usage::of(child.id())?)
    }

    fn running(&mut self, part: Part) -> &mut Option<Running> {
        match part {
            Part::Switch => &mut self.switch,
            Part::Agent => &mut self.agent,
            Part::Standby => &mut self.standby,
        }
    }

    fn signal(&mut self, part: Part, signal: Signal) -> io::Result<()> {
        let running = self.running(part).as_ref();
        let Running(child) = running.ok_or_else(|| io::Error::other(format!("the {} does not run", part.name())))?;
        sys::signal(child.id(), signal)
    }

    fn switch_command(&self) -> io::Result<Command> {
        let device_id = u64::from(plan::number(self.name));
        let mut command = self.program.command(device_id)?;
        command.args(["--no-p4", "--device-id", &device_id.to_string()]);
        for (port, interface) in &self.ports {
            command.args(["-i", &format!("{port}@{interface}")]);
        }
        command.args(["--log-console", "-L", "warn"]);
        let address = format!("0.0.0.0:{}", config::P4RUNTIME);
        command.args(["--", "--grpc-server-addr", &address, "--cpu-port", &CPU_PORT.to_string()]);
        Ok(command)
    }

    fn agent_command(&self, part: Part) -> io::Result<Command> {
        let mut command = match &self.vouch {
            Some(vouch) => bound(vouch),
            None => {
                let mut command = bound(std::env::current_exe()?);
                command.env(BE_AGENT, "1");
                command
            }
        };
        if !self.terse && std::env::var_os("VOUCH_LOG").is_none() {
            command.env("VOUCH_LOG", "info,vouch_agent=debug");
        }
        command.arg("run").arg(self.configuration(part));
        Ok(command)
    }
}
