//! Ports that read capture files and write capture files, as `--use-files` of the reference has them.
//!
//! Packets enter in the order of their time stamps over all files, without the pauses between them, and each only when all
//! before it have been carried: the result is the same every time. What leaves is written at once.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use vouch_switch_server::port::{Frame, Port, PortCounters, PortStatus, Receive, SendError};
use vouch_switch_server::{Capture, Frames};

use crate::Failure;
use crate::arguments::Interface;
use crate::packets;

/// Ports for these interfaces, with the files next to where the command was started. They begin after `wait`, counted from
/// when the first of them is used.
pub(crate) fn open(interfaces: &[Interface], wait: Duration) -> Result<Vec<FilePort>, Failure> {
    let mut waiting = Vec::new();
    for interface in interfaces {
        let packets = packets::read(&PathBuf::from(format!("{}_in.pcap", interface.name)))?;
        waiting.extend(packets.into_iter().map(|packet| (packet.at, interface.port, packet.frame)));
    }
    // Stable: of packets of one moment, those of the port that was named first.
    waiting.sort_by_key(|(at, ..)| *at);
    let waiting = waiting.into_iter().map(|(_, port, frame)| (port, frame)).collect();
    let replay = Arc::new(Replay {
        turn: Mutex::new(Turn { waiting, carrying: None }),
        changed: Notify::new(),
        started: tokio::time::Instant::now() + wait,
    });
    let port = |interface: &Interface| {
        let output = Capture::create(format!("{}_out.pcap", interface.name))
            .map_err(|error| format!("{}_out.pcap: {error}", interface.name))?;
        // A file without packets is a file all the same.
        output.flush()?;
        Ok(FilePort {
            number: interface.port,
            replay: replay.clone(),
            output,
            status: watch::Sender::new(PortStatus::Up),
            counters: Mutex::default(),
        })
    };
    interfaces.iter().map(port).collect()
}

/// One port of a replay.
pub(crate) struct FilePort {
    number: u32,
    replay: Arc<Replay>,
    output: Capture,
    status: watch::Sender<PortStatus>,
    counters: Mutex<PortCounters>,
}

/// Whose packets enter when.
struct Replay {
    turn: Mutex<Turn>,
    changed: Notify,
    started: tokio::time::Instant,
}

struct Turn {
    /// By time, each with its port.
    waiting: VecDeque<(u32, Frame)>,
    /// The port whose packets are being carried. It is done with them when it asks for more.
    carrying: Option<u32>,
}

impl Turn {
    /// The next packets, if it is this port's turn.
    fn take(&mut self, port: u32, batch: &mut Frames, max: usize) -> bool {
        if self.carrying.is_some_and(|carrying| carrying != port) {
            return false;
        }
        let count = self.waiting.iter().take(max).take_while(|(number, _)| *number == port).count();
        self.waiting.drain(..count).for_each(|(_, frame)| batch.push(&frame));
        self.carrying = (count > 0).then_some(port);
        count > 0
    }
}

impl FilePort {
    fn turn(&self) -> MutexGuard<'_, Turn> {
        // Whole packets only: nothing is half done after a panic.
        self.replay.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counters(&self) -> MutexGuard<'_, PortCounters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Port for FilePort {
    fn receive<'a>(&'a self, batch: &'a mut Frames, max: usize) -> Receive<'a> {
        Box::pin(async move {
            tokio::time::sleep_until(self.replay.started).await;
            let (before, bytes_before) = (batch.len(), batch.bytes());
            loop {
                let changed = self.replay.changed.notified();
                tokio::pin!(changed);
                // From here on no change is missed.
                changed.as_mut().enable();
                let was_carrying = self.turn().carrying == Some(self.number);
                let mine = self.turn().take(self.number, batch, max);
                if mine {
                    let mut counters = self.counters();
                    counters.received += (batch.len() - before) as u64;
                    counters.received_bytes += (batch.bytes() - bytes_before) as u64;
                    return Ok(());
                }
                if was_carrying {
                    self.replay.changed.notify_waiters();
                }
                changed.await;
            }
        })
    }

    fn send(&self, frame: &[u8]) -> Result<(), SendError> {
        self.output.record(frame);
        let mut counters = self.counters();
        counters.sent += 1;
        counters.sent_bytes += frame.len() as u64;
        Ok(())
    }

    fn flush(&self) {
        if let Err(error) = self.output.flush() {
            tracing::error!(path = %self.output.path().display(), %error, "a file is incomplete");
        }
    }

    fn status(&self) -> watch::Receiver<PortStatus> {
        self.status.subscribe()
    }

    fn counters(&self) -> PortCounters {
        *FilePort::counters(self)
    }
}
