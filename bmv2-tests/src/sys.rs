//! What Linux offers and the standard library has no words for.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::mem::zeroed;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd as _, OwnedFd};
use std::time::Duration;

use tokio::io::unix::AsyncFd;

/// `TUNSETCARRIER` of `linux/if_tun.h`.
const TUNSETCARRIER: libc::c_ulong = 0x4004_54e2;

/// Move this thread, and what it starts, into a network namespace.
pub(crate) fn enter(namespace: &File) -> io::Result<()> {
    // SAFETY: `setns` takes no pointers.
    checked(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) })
}

/// Make `/dev/net/tun`, opened as `file`, the other end of a new tap interface of this thread's namespace.
pub(crate) fn make_tap(file: &File, name: &str) -> io::Result<()> {
    // SAFETY: all zero is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { zeroed() };
    // The last byte stays 0.
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name[..room].iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: the request has the type that this ioctl reads and writes.
    checked(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) })
}

/// Plug the cable of a tap interface in, or pull it out.
pub(crate) fn set_carrier(tap: &File, up: bool) -> io::Result<()> {
    let carrier = libc::c_int::from(up);
    // SAFETY: this ioctl reads an `int`.
    checked(unsafe { libc::ioctl(tap.as_raw_fd(), TUNSETCARRIER as _, &raw const carrier) })
}

/// A socket that sends ICMP echo requests and takes the replies to them, as a datagram socket that does not block (icmp(7)).
pub(crate) fn echo_socket() -> io::Result<UdpSocket> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: `socket` takes no pointers.
    let socket = unsafe { libc::socket(libc::AF_INET, kind, libc::IPPROTO_ICMP) };
    checked(socket)?;
    // SAFETY: the descriptor has just been made, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) }.into())
}

/// Have tokio tell when a file can be read. Must be called inside a runtime.
pub(crate) fn watch(file: File) -> io::Result<AsyncFd<File>> {
    // SAFETY: the descriptor stays open, and the same, for as long as `AsyncFd` owns the file.
    Ok(unsafe { AsyncFd::register(file) }?)
}

/// The time that processors have spent on a process, in user and kernel mode, with that of threads that have ended.
pub(crate) fn processor_time(process: u32) -> io::Result<Duration> {
    let process = libc::pid_t::try_from(process).map_err(io::Error::other)?;
    // SAFETY: all zero is a valid value of both, which are numbers.
    let (mut clock, mut spent): (libc::clockid_t, libc::timespec) = unsafe { zeroed() };
    // SAFETY: the clock is what this call writes. It gives the number of an error, and sets none.
    match unsafe { libc::clock_getcpuclockid(process, &raw mut clock) } {
        0 => {}
        error => return Err(io::Error::from_raw_os_error(error)),
    }
    // SAFETY: the time is what this call writes.
    checked(unsafe { libc::clock_gettime(clock, &raw mut spent) })?;
    Ok(Duration::new(spent.tv_sec.unsigned_abs(), spent.tv_nsec as u32))
}

/// A signal to one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// It is asked to end.
    End,
    /// It ends.
    Kill,
    /// It stops until it is told to go on.
    Stop,
    /// It goes on.
    Continue,
}

/// Send a signal.
pub(crate) fn signal(process: u32, signal: Signal) -> io::Result<()> {
    let number = match signal {
        Signal::End => libc::SIGTERM,
        Signal::Kill => libc::SIGKILL,
        Signal::Stop => libc::SIGSTOP,
        Signal::Continue => libc::SIGCONT,
    };
    let process = libc::pid_t::try_from(process).map_err(io::Error::other)?;
    // SAFETY: `kill` takes no pointers.
    checked(unsafe { libc::kill(process, number) })
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
