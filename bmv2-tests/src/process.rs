//! The programs that switches are processes of, as far as tests tell them apart.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use p4_switch::process::{BMV2, SwitchProcess, bmv2, bound, find};

use crate::sys;

/// The port of device 0's Thrift server, where BMv2 was built with one; every other device's lies above. It is BMv2's own
/// default, and the namespace is ours, so they are all free.
const FIRST_THRIFT_PORT: u16 = 9090;

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
    /// How many frames a second are a flood for them.
    pub flood: u32,
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
        const BMV2: Pace = Pace {
            announcements: 4,
            pause: Duration::from_millis(50),
            packets: 500,
            copied: 200,
            flood: 500,
            hosts: 1_000,
        };
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
                let device = u16::try_from(device_id).map_err(io::Error::other)?;
                bmv2(FIRST_THRIFT_PORT.saturating_add(device))
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

/// Be `p4-switch` if this process was started to be it. To be called first thing in `main`.
///
/// Tests have no way to a program of another package, so the one that runs them is also the switch.
#[must_use]
pub fn become_switch() -> Option<ExitCode> {
    std::env::var_os(BE_P4_SWITCH).map(|_| p4_switch::main(std::env::args_os()))
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
    /// What tells how much time processors have spent on a switch.
    pub(crate) fn of(switch: &SwitchProcess) -> Self {
        Self { process: switch.id() }
    }

    /// The time spent so far.
    pub(crate) fn spent(self) -> io::Result<Duration> {
        sys::processor_time(self.process)
    }
}
