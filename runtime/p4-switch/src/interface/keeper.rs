//! Somebody who is always awake in time to make room in a ring.
//!
//! A port's frames are taken by the task that forwards them, and that shares its threads with everything else that the switch does,
//! and these share the processors with everybody. A burst at wire speed fills a ring within 20 ms, which is less than such a
//! thread may have to wait on a busy machine. So one thread, which does nothing else and runs in real time where it may, moves what fills
//! rings to where there is more room ([`Backlog`](super::backlog)), and replaces rings that the kernel does not fill any more. Where
//! the switch keeps up it has nothing to do but look; it is one for all ports, since where many switches run in one place, each
//! time that one wakes up for nothing counts.
#![allow(unsafe_code)] // The standard library does not wait for several descriptors.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::Shared;
use crate::turns;

/// How often rings are looked at while frames come in: several times in the time in which half of one is filled.
const LOOK: Duration = Duration::from_millis(1);
/// How often it is looked whether the kernel still fills them, which cannot be told from quiet, and whether there are more ports.
const UNSTICK: Duration = Duration::from_millis(100);

/// The ports of this process, and whether there is a keeper.
static KEPT: Mutex<(Vec<Weak<Shared>>, bool)> = Mutex::new((Vec::new(), false));

/// Keep this port's ring from filling up as long as there is the port.
pub(super) fn keep(port: &Arc<Shared>) -> io::Result<()> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.0.push(Arc::downgrade(port));
    if !kept.1 {
        std::thread::Builder::new().name("ring-keeper".to_owned()).spawn(run)?;
        kept.1 = true;
    }
    Ok(())
}

fn run() {
    if let Err(error) = turns::go_first() {
        tracing::debug!(%error, "the keeper of the rings is not in real time");
        let _ = turns::take_short_turns();
    }
    let mut unstuck = Instant::now();
    loop {
        let ports: Vec<Arc<Shared>> = {
            let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
            kept.0.retain(|port| port.strong_count() > 0);
            kept.0.iter().filter_map(Weak::upgrade).collect()
        };
        let busy = wait(&ports);
        let look = unstuck.elapsed() >= UNSTICK;
        if look {
            unstuck = Instant::now();
        }
        for port in &ports {
            let (mut incoming, socket) = (port.incoming(), &*port.socket);
            if busy {
                incoming.make_room(socket);
            }
            if look {
                incoming.unstick(socket, &port.interface);
            }
        }
        drop(ports);
        if busy {
            std::thread::sleep(LOOK);
        }
    }
}

/// Wait until something comes in; whether it has.
fn wait(ports: &[Arc<Shared>]) -> bool {
    let of = |port: &Arc<Shared>| libc::pollfd { fd: port.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let mut wanted: Vec<libc::pollfd> = ports.iter().map(of).collect();
    let number = wanted.len() as libc::nfds_t;
    // SAFETY: the pointer is to so many of them, which nobody else has.
    let ready = unsafe { libc::poll(wanted.as_mut_ptr(), number, UNSTICK.as_millis() as libc::c_int) };
    if ready < 0 {
        // Interrupted, or short of memory: it is tried again, but not at once.
        std::thread::sleep(LOOK);
    }
    ready > 0
}
