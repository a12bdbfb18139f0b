//! A crowd: many hosts on one wire, as behind a server's port, each of which answers for its address and takes in what is sent
//! to it. A stack for each would be too much for one machine.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use vouch_net::MacAddr;
use vouch_switch_server::Frames;

use super::frames::{self, Arp, Operation};
use super::task::empty;
use super::{HostGone, Wire};
use crate::traffic::Traffic;

/// Frames taken from the wire at once.
const BATCH: usize = 64;
/// Commands that may wait.
const COMMAND_QUEUE: usize = 4;

/// Hosts that come and go together. Dropping the handle ends them.
pub struct Crowd {
    name: String,
    members: Arc<[(MacAddr, Ipv4Addr)]>,
    commands: mpsc::Sender<Command>,
    task: JoinHandle<()>,
}

enum Command {
    /// A gratuitous ARP of each of these members, by index.
    Announce {
        members: Vec<usize>,
        done: oneshot::Sender<()>,
    },
    Plug {
        wire: Wire,
        old: oneshot::Sender<Wire>,
    },
}

impl Crowd {
    /// Start `count` hosts on a wire, at most 64,000. Says nothing by itself.
    pub fn start(name: &str, count: u16, wire: Wire, traffic: Traffic) -> Self {
        let members: Arc<[_]> = (0..count).map(member).collect();
        let (commands, receiver) = mpsc::channel(COMMAND_QUEUE);
        let work = Work { name: name.to_owned(), members: Arc::clone(&members), wire, traffic };
        Self { name: name.to_owned(), members, commands, task: tokio::spawn(work.run(receiver)) }
    }

    /// What the crowd is called in accounts.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The addresses of each.
    pub fn members(&self) -> Arc<[(MacAddr, Ipv4Addr)]> {
        Arc::clone(&self.members)
    }

    /// One gratuitous ARP of each of these members, back to back.
    pub async fn announce(&self, members: Vec<usize>) -> Result<(), HostGone> {
        self.ask(|done| Command::Announce { members, done }).await
    }

    /// Move all to another wire, without a word. The old one is given back.
    pub async fn transfer(&self, wire: Wire) -> Result<Wire, HostGone> {
        self.ask(|old| Command::Plug { wire, old }).await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, HostGone> {
        let gone = || HostGone(self.name.clone());
        let (sender, receiver) = oneshot::channel();
        self.commands.send(command(sender)).await.map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Addresses that no other host of the lab has: all of them end in the member's number.
fn member(number: u16) -> (MacAddr, Ipv4Addr) {
    let [high, low] = number.to_be_bytes();
    (MacAddr([2, 1, 0, 0, high, low]), Ipv4Addr::new(10, 1, high, low))
}

fn number_of(mac: MacAddr) -> Option<usize> {
    let [2, 1, 0, 0, high, low] = mac.octets() else { return None };
    Some(u16::from_be_bytes([high, low]).into())
}

struct Work {
    name: String,
    members: Arc<[(MacAddr, Ipv4Addr)]>,
    wire: Wire,
    traffic: Traffic,
}

impl Work {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut batch = Frames::new();
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
                open = self.wire.receive(&mut batch, BATCH) => if open.is_err() { return },
            }
            batch.iter().for_each(|frame| self.frame(frame));
            self.wire.flush();
            batch.clear();
        }
    }

    fn command(&mut self, command: Command) {
        // A scenario that no longer waits for an answer has been given up.
        match command {
            Command::Announce { members, done } => {
                for (mac, address) in members.iter().filter_map(|index| self.members.get(*index)) {
                    self.send(&frames::gratuitous_request(*mac, *address));
                }
                self.wire.flush();
                let _ = done.send(());
            }
            Command::Plug { wire, old } => {
                empty(&wire);
                let _ = old.send(std::mem::replace(&mut self.wire, wire));
            }
        }
    }

    fn frame(&self, frame: &[u8]) {
        let member = frames::destination(frame).and_then(number_of).and_then(|number| self.members.get(number));
        if let Some(payload) = member.and_then(|_| frames::udp_payload(frame)) {
            self.traffic.delivered(&self.name, payload);
        }
        let Some(Arp { operation: Operation::Request, sender, target }) = Arp::parse(frame) else { return };
        // Asked for by broadcast or, as by a probe, at its own MAC address.
        let [10, 1, high, low] = target.1.octets() else { return };
        let number = usize::from(u16::from_be_bytes([high, low]));
        if let Some((mac, address)) = self.members.get(number) {
            self.send(&frames::arp_reply(*mac, *address, sender));
        }
    }

    fn send(&self, frame: &[u8]) {
        if let Err(error) = self.wire.send(frame) {
            tracing::debug!(%error, "a frame of a crowd was dropped at its own wire");
        }
    }
}
