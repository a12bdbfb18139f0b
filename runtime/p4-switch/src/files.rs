//! Ports that read capture files and write capture files, as `--use-files` of the reference has them.
//!
//! Packets enter in the order of their time stamps over all files, without the pauses between them, and each only when all
//! before it have been carried: the result is the same every time. What leaves is written at once.
//!
//! A file may be a named pipe. Whoever writes into it may wait for the switch, so the switch does not wait for it to be there: packets
//! enter when all pipes have been read to their ends.

use std::collections::VecDeque;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use vouch_switch_server::port::{Frame, Port, PortCounters, PortStatus, Receive, SendError};
use vouch_switch_server::{Capture, Frames};

use crate::Failure;
use crate::arguments::Interface;
use crate::packets::{self, BadCapture, Packet};

/// Ports for these interfaces, with the files next to where the command was started. They begin after `wait`, counted from
/// when the first of them is used.
pub(crate) fn open(interfaces: &[Interface], wait: Duration) -> Result<Vec<FilePort>, Failure> {
    let mut inputs = Vec::new();
    for interface in interfaces {
        inputs.push((interface.port, Input::open(PathBuf::from(format!("{}_in.pcap", interface.name)))?));
    }
    let replay = Arc::new(Replay {
        turn: Mutex::new(Turn { waiting: VecDeque::new(), carrying: None }),
        changed: Notify::new(),
        loaded: watch::Sender::new(false),
        started: tokio::time::Instant::now() + wait,
    });
    if inputs.iter().any(|(_, input)| matches!(input, Input::Pipe(_))) {
        let replay = replay.clone();
        thread::spawn(move || replay.load(inputs));
    } else {
        replay.load(inputs);
    }
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

/// What enters by one port.
enum Input {
    Packets(Vec<Packet>),
    /// It is being read.
    Pipe(JoinHandle<Result<Vec<Packet>, BadCapture>>),
}

impl Input {
    fn open(path: PathBuf) -> Result<Self, BadCapture> {
        // What cannot be looked at is told of when it is read.
        let is_pipe = path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo());
        Ok(if is_pipe {
            Self::Pipe(thread::spawn(move || packets::read(&path)))
        } else {
            Self::Packets(packets::read(&path)?)
        })
    }

    fn read(self) -> Vec<Packet> {
        match self {
            Self::Packets(packets) => packets,
            Self::Pipe(reader) => match reader.join() {
                Ok(Ok(packets)) => packets,
                Ok(Err(error)) => {
                    tracing::error!(%error, "nothing enters by this port");
                    Vec::new()
                }
                Err(_) => Vec::new(),
            },
        }
    }
}

/// Whose packets enter when.
struct Replay {
    turn: Mutex<Turn>,
    changed: Notify,
    /// Whether it is known what enters.
    loaded: watch::Sender<bool>,
    started: tokio::time::Instant,
}

impl Replay {
    fn load(&self, inputs: Vec<(u32, Input)>) {
        let mut waiting = Vec::new();
        for (port, input) in inputs {
            waiting.extend(input.read().into_iter().map(|packet| (packet.at, port, packet.frame)));
        }
        // Stable: of packets of one moment, those of the port that was named first.
        waiting.sort_by_key(|(at, ..)| *at);
        self.turn().waiting = waiting.into_iter().map(|(_, port, frame)| (port, frame)).collect();
        self.loaded.send_replace(true);
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        // Whole packets only: nothing is half done after a panic.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    fn counters(&self) -> MutexGuard<'_, PortCounters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Port for FilePort {
    fn receive<'a>(&'a self, batch: &'a mut Frames, max: usize) -> Receive<'a> {
        Box::pin(async move {
            tokio::time::sleep_until(self.replay.started).await;
            // The sender is in the replay.
            let _ = self.replay.loaded.subscribe().wait_for(|loaded| *loaded).await;
            let (before, bytes_before) = (batch.len(), batch.bytes());
            loop {
                let changed = self.replay.changed.notified();
                tokio::pin!(changed);
                // From here on no change is missed.
                changed.as_mut().enable();
                let was_carrying = self.replay.turn().carrying == Some(self.number);
                let mine = self.replay.turn().take(self.number, batch, max);
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

    fn flush(&self) -> bool {
        if let Err(error) = self.output.flush() {
            tracing::error!(path = %self.output.path().display(), %error, "a file is incomplete");
        }
        true
    }

    fn status(&self) -> watch::Receiver<PortStatus> {
        self.status.subscribe()
    }

    fn counters(&self) -> PortCounters {
        *FilePort::counters(self)
    }
}
