//! Whether an interface is up, and being told when that may have changed.
#![allow(unsafe_code)] // The standard library has neither netlink nor the interface ioctls.

use std::io;
use std::mem::{size_of_val, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::socket::checked;

/// Tells that some interface of this network namespace has changed (rtnetlink(7)). What has changed is then asked for: the
/// messages themselves can be lost.
#[derive(Debug)]
pub(super) struct LinkWatch {
    fd: AsyncFd<OwnedFd>,
}

impl LinkWatch {
    /// Must be called inside a tokio runtime.
    pub(super) fn open() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: `socket` takes no pointers.
        let fd = checked(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) })?;
        // SAFETY: the descriptor was just made, and nobody else has it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: all zero is a valid `sockaddr_nl`.
        let mut address: libc::sockaddr_nl = unsafe { zeroed() };
        address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
        address.nl_groups = libc::RTMGRP_LINK as u32;
        let length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: pointer and length are those of `address`, which is only read.
        checked(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) })?;
        // SAFETY: the descriptor stays open, and the same, for as long as `AsyncFd` owns it.
        Ok(Self { fd: unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }? })
    }

    /// Wait for a change.
    pub(super) async fn changed(&self) -> io::Result<()> {
        loop {
            let mut ready = self.fd.readable().await?;
            if let Ok(drained) = ready.try_io(|fd| drain(fd.as_raw_fd())) {
                return drained;
            }
        }
    }
}

/// Read until there is nothing more; an error where there was nothing at all.
fn drain(fd: RawFd) -> io::Result<()> {
    let mut buffer = [0u8; 8192];
    let mut anything = false;
    loop {
        // SAFETY: pointer and length are those of `buffer`.
        let read = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        match (read < 0).then(io::Error::last_os_error) {
            None => anything = true,
            // Messages were lost, which says as much as they would have.
            Some(error) if error.raw_os_error() == Some(libc::ENOBUFS) => anything = true,
            Some(error) if error.kind() == io::ErrorKind::WouldBlock && anything => return Ok(()),
            Some(error) => return Err(error),
        }
    }
}

/// Whether an interface is up and has a carrier; an interface that does not exist has none. `fd` is any socket.
pub(super) fn is_running(fd: &impl AsRawFd, interface: &str) -> bool {
    let Ok(answer) = ask(fd, interface, libc::SIOCGIFFLAGS as _) else {
        return false;
    };
    // SAFETY: the kernel has answered with the flags.
    let flags = libc::c_int::from(unsafe { answer.ifr_ifru.ifru_flags });
    let wanted = libc::IFF_UP | libc::IFF_RUNNING;
    flags & wanted == wanted
}

/// The longest payload of a frame that an interface sends. `fd` is any socket.
pub(super) fn mtu(fd: &impl AsRawFd, interface: &str) -> io::Result<usize> {
    let answer = ask(fd, interface, libc::SIOCGIFMTU as _)?;
    // SAFETY: the kernel has answered with the MTU.
    Ok(usize::try_from(unsafe { answer.ifr_ifru.ifru_mtu }).unwrap_or(0))
}

/// The answer to a question about an interface (netdevice(7)).
fn ask(fd: &impl AsRawFd, interface: &str, question: libc::Ioctl) -> io::Result<libc::ifreq> {
    // SAFETY: all zero is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { zeroed() };
    // The last byte stays 0.
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name[..room].iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: the request has the type that the questions above read and write.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), question, &raw mut request) })?;
    Ok(request)
}
