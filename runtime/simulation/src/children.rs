//! Child processes that begin as copies of this one.
//!
//! A fabric is brought up once, and each run begins with a copy of it: fork(2) copies the process, with the tokio runtime and all
//! that is suspended in it, in less than a millisecond. The program must have one thread for that, and has. A run that
//! panics, loops or leaks harms no other.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, set_parent_process_death_signal, setrlimit, waitpid,
};

/// How many seconds a child may compute, which is a hundred times what a run takes. One that loops would do so for ever.
const PATIENCE: u64 = 60;

/// Why a child has said nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It took too long, and was ended.
    Stuck,
    /// It ended without a word.
    Crashed,
}

/// What a child has said, if it has.
pub(crate) type Said = Result<Vec<u8>, Lost>;

/// Children that are at work, each with a name.
pub(crate) struct Children<K> {
    running: BTreeMap<K, Child>,
    patience: Option<u64>,
}

struct Child {
    pid: Pid,
    words: PipeReader,
    heard: Vec<u8>,
}

impl<K: Ord + Clone> Children<K> {
    /// None yet. Each may compute for so long.
    pub(crate) fn new() -> Self {
        Self { running: BTreeMap::new(), patience: Some(PATIENCE) }
    }

    /// None yet. They take as long as they take.
    pub(crate) fn unhurried() -> Self {
        Self { running: BTreeMap::new(), patience: None }
    }

    /// How many are at work.
    pub(crate) fn count(&self) -> usize {
        self.running.len()
    }

    /// Has a child do something, and say what came of it.
    pub(crate) fn begin(&mut self, name: K, work: impl FnOnce() -> Vec<u8>) -> io::Result<()> {
        let (words, mut mouth) = io::pipe()?;
        // SAFETY: this process has one thread, so that no lock is held by another, and the copy may do whatever this may.
        #[allow(unsafe_code)]
        let pid = unsafe { libc::fork() };
        match Pid::from_raw(pid) {
            None if pid == 0 => {
                drop(words);
                // Nobody would hear of it any more.
                let _ = set_parent_process_death_signal(Some(Signal::KILL));
                let patience = Rlimit { current: self.patience, maximum: None };
                // Where it is refused, whoever waits has to be patient.
                let _ = setrlimit(Resource::Cpu, patience);
                let said = work();
                // Whoever does not listen any more has ended.
                let _ = mouth.write_all(&said);
                drop(mouth);
                // SAFETY: ends the process. What `exit` does besides, flushing what the parent was about to say, is the parent's.
                #[allow(unsafe_code)]
                unsafe {
                    libc::_exit(0)
                }
            }
            None => Err(io::Error::last_os_error()),
            Some(_) if pid < 0 => Err(io::Error::last_os_error()),
            Some(pid) => {
                let child = Child { pid, words, heard: Vec::new() };
                self.running.insert(name, child);
                Ok(())
            }
        }
    }

    /// Waits for the next one to end, and what it said.
    pub(crate) fn next(&mut self) -> io::Result<Option<(K, Said)>> {
        loop {
            if self.running.is_empty() {
                return Ok(None);
            }
            let mut waiting: Vec<_> = self
                .running
                .values()
                .map(|child| PollFd::from_borrowed_fd(child.words.as_fd(), PollFlags::IN))
                .collect();
            match poll(&mut waiting, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let ready: Vec<bool> = waiting.iter().map(|fd| !fd.revents().is_empty()).collect();
            drop(waiting);
            let mut ended = None;
            for ((name, child), ready) in self.running.iter_mut().zip(ready) {
                if ready && child.hear()? {
                    ended = Some(name.clone());
                    break;
                }
            }
            if let Some((name, child)) = ended.and_then(|name| self.running.remove_entry(&name)) {
                return Ok(Some((name, child.end()?)));
            }
        }
    }
}

impl Child {
    /// Takes what it says; whether that was all.
    fn hear(&mut self) -> io::Result<bool> {
        let mut part = [0; 65_536];
        let length = self.words.read(&mut part)?;
        self.heard.extend_from_slice(&part[..length]);
        Ok(length == 0)
    }

    fn end(self) -> io::Result<Said> {
        let status = waitpid(Some(self.pid), WaitOptions::empty())?;
        let signal = status.and_then(|(_, status)| status.terminating_signal());
        Ok(match signal {
            None if !self.heard.is_empty() => Ok(self.heard),
            Some(signal) if signal == Signal::XCPU.as_raw() => Err(Lost::Stuck),
            Some(_) | None => Err(Lost::Crashed),
        })
    }
}
