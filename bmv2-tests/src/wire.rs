//! One end of a veth pair as a [`Port`]: what a host, or a test, holds in its hand.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use vouch_switch_server::port::{Closed, Frame, MAX_FRAME, Port, PortCounters, PortStatus, Receive, SendError};

use crate::socket::PacketSocket;

/// Room for the longest frame and the VLAN tag that is put back into it.
const BUFFER: usize = MAX_FRAME + 8;

/// A Linux interface, used raw.
///
/// Frames are taken from the interface only while somebody receives; the kernel holds what waits, and drops what its
/// buffer has no room for.
#[derive(Debug)]
pub struct InterfacePort {
    socket: PacketSocket,
    status: watch::Sender<PortStatus>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    counters: PortCounters,
    buffer: Box<[u8]>,
}

impl InterfacePort {
    /// Open an interface of this network namespace. Must be called inside a tokio runtime.
    pub fn open(interface: &str) -> io::Result<Self> {
        let socket = PacketSocket::open(interface)?;
        let state = State { counters: PortCounters::default(), buffer: vec![0; BUFFER].into() };
        Ok(Self { socket, status: watch::Sender::new(PortStatus::Up), state: Mutex::new(state) })
    }

    /// Say what whoever set the interface up or down has made of it.
    pub fn set_status(&self, status: PortStatus) {
        self.status.send_replace(status);
    }

    /// Read what is there, until the socket is empty.
    fn take(&self, batch: &mut Vec<Frame>, max: usize) -> io::Result<()> {
        let mut state = self.state();
        let State { counters, buffer } = &mut *state;
        for taken in 0..max {
            match self.socket.receive(buffer) {
                Ok(length) => {
                    counters.received += 1;
                    counters.received_bytes += length as u64;
                    batch.push(buffer[..length].to_vec());
                }
                // What was taken must be handed over; the next call meets an empty socket again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && taken > 0 => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Port for InterfacePort {
    fn receive<'a>(&'a self, batch: &'a mut Vec<Frame>, max: usize) -> Receive<'a> {
        Box::pin(async move {
            let before = batch.len();
            loop {
                let mut ready = self.socket.readable().await.map_err(|_| Closed)?;
                match ready.try_io(|_| self.take(batch, max)) {
                    Ok(Ok(())) => return Ok(()),
                    // The interface went down, which the kernel says once, or a frame was no good: nothing was taken.
                    Ok(Err(error)) => tracing::debug!(%error, "a packet socket reports an error"),
                    Err(_would_block) => {}
                }
                if batch.len() > before {
                    return Ok(());
                }
            }
        })
    }

    fn send(&self, frame: &[u8]) -> Result<(), SendError> {
        let sent = self.socket.send(frame);
        let counters = &mut self.state().counters;
        match sent {
            Ok(()) => {
                counters.sent += 1;
                counters.sent_bytes += frame.len() as u64;
                Ok(())
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EMSGSIZE) => {
                    counters.dropped_long += 1;
                    Err(SendError::TooLong)
                }
                Some(libc::EAGAIN | libc::ENOBUFS) => {
                    counters.dropped_full += 1;
                    Err(SendError::Full)
                }
                _other => {
                    counters.dropped_down += 1;
                    Err(SendError::Down)
                }
            },
        }
    }

    fn status(&self) -> watch::Receiver<PortStatus> {
        self.status.subscribe()
    }

    fn counters(&self) -> PortCounters {
        self.state().counters
    }
}
