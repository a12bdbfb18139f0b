//! When a thread has its turn on a processor that several want.
#![allow(unsafe_code)] // The standard library knows nothing of scheduling: a system call each.

use std::io;

/// How long a turn is to be, in nanoseconds: the shortest that Linux takes.
const TURN: u64 = 100_000;

/// Ask for short turns for the calling thread. Linux (6.12 and later) has whoever wants less of a processor at a time go first, so that it need not
/// wait until others have had their turns of some milliseconds; how much it has in all stays the same, and no privilege is needed. Earlier ones
/// ignore it.
pub(crate) fn take_short_turns() -> io::Result<()> {
    // SAFETY: takes no pointer. Of a priority below 0 an error cannot be told, and none can come about for the calling thread.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    schedule(libc::sched_attr { sched_nice: nice, sched_runtime: TURN, ..attributes(libc::SCHED_OTHER) })
}

/// Have the calling thread run at once whenever it has something to do, before all that is not in real time. It must be little.
pub(crate) fn go_first() -> io::Result<()> {
    schedule(libc::sched_attr { sched_priority: 1, ..attributes(libc::SCHED_FIFO) })
}

fn attributes(policy: libc::c_int) -> libc::sched_attr {
    libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: policy as u32,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    }
}

fn schedule(wanted: libc::sched_attr) -> io::Result<()> {
    // SAFETY: the kernel reads the structure, as many bytes as it says, and keeps no pointer to it.
    match unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const wanted, 0) } {
        0 => Ok(()),
        _failed => Err(io::Error::last_os_error()),
    }
}
