//! A tap interface: the kernel's end is in some namespace, the other is ours.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use tokio::io::unix::AsyncFd;

use super::netns::Namespace;
use crate::sys;

/// The device that makes taps.
pub(super) const DEVICE: &str = "/dev/net/tun";

/// Our end. The interface goes with it.
#[derive(Debug)]
pub(super) struct Tap {
    fd: AsyncFd<File>,
}

impl Tap {
    /// Make an interface that is up, with its cable plugged in. Must be called inside a tokio runtime.
    pub(super) fn open(namespace: &Namespace, name: &str, settings: &str) -> io::Result<Self> {
        let file = namespace.inside(|| {
            let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(DEVICE)?;
            sys::make_tap(&file, name).map(|()| file)
        })??;
        namespace.ip(&[format!("link set {name} {settings} up")])?;
        // Until its cable was out once, the kernel calls the state of such an interface unknown.
        sys::set_carrier(&file, false)?;
        sys::set_carrier(&file, true)?;
        Ok(Self { fd: sys::watch(file)? })
    }

    /// Plug the cable in, or pull it out.
    pub(super) fn set_carrier(&self, up: bool) -> io::Result<()> {
        sys::set_carrier(self.fd.get_ref(), up)
    }

    /// The next frame that the kernel sends.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.fd.readable().await?;
            match ready.try_io(|fd| fd.get_ref().read(buffer)) {
                Ok(result) => return result,
                Err(_would_block) => {}
            }
        }
    }

    /// Hand the kernel a frame. Like a cable, it tells nobody what was lost.
    pub(super) fn send(&self, frame: &[u8]) {
        let _ = self.fd.get_ref().write(frame);
    }
}
