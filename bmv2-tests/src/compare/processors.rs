//! Who runs on which processors.
//!
//! A generator that is faster than the switch takes all the time there is, and how much of it a switch gets then is up to the
//! scheduler: under `chrt --rr` BMv2, whose threads hand each packet on, got none at all. So they are kept apart. This process, with the
//! generator, the controller and the kernel's work for the frames that it sends, has the first processor; the switch has all the
//! others, however many threads it has, and its own ordinary priority. Where there is only one, they share it, and the figures say more
//! about the scheduler than about switches.

use std::fmt;
use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors of switches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processors {
    ours: usize,
    switches: Vec<usize>,
}

impl Processors {
    /// Move this thread, and those that it starts from now on, to the first of its processors. `None`: there is no other.
    ///
    /// # Errors
    /// The kernel's.
    pub fn divide() -> io::Result<Option<Self>> {
        let allowed = sched_getaffinity(None)?;
        let mut all = (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor));
        let Some(ours) = all.next() else { return Ok(None) };
        let switches: Vec<_> = all.collect();
        if switches.is_empty() {
            return Ok(None);
        }
        let mut only = CpuSet::new();
        only.set(ours);
        sched_setaffinity(None, &only)?;
        Ok(Some(Self { ours, switches }))
    }

    /// A command that runs `command` on those of switches.
    pub(super) fn bind(&self, command: &std::process::Command) -> std::process::Command {
        let mut bound = std::process::Command::new("taskset");
        let list: Vec<_> = self.switches.iter().map(ToString::to_string).collect();
        bound.args(["-c", &list.join(",")]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => bound.env(name, value),
                None => bound.env_remove(name),
            };
        }
        bound
    }
}

impl fmt::Display for Processors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list: Vec<_> = self.switches.iter().map(ToString::to_string).collect();
        write!(f, "generator and controller have processor {}, switches {}", self.ours, list.join(", "))
    }
}
