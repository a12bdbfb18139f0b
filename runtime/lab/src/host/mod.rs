//! A host: an IP stack on a wire, in a task of its own.
//!
//! The host answers ARP, neighbour solicitations and pings by itself. Through its handle, [`Host`], a scenario tells it to
//! ping, to send streams, to announce itself, to move to another wire, to ignore requests for its address, or to send any
//! frame at all, which is what makes an attacker of it.
//!
//! A move is two steps, as in a live migration: [`Host::arrive`] puts the host on the new wire and has it announce itself;
//! from then on it sends and answers only there. What still comes out of the old wire is taken in until
//! [`Host::let_go`]: a hypervisor that has handed a guest over passes on what its queues still hold.

pub(crate) mod frames;
mod stack;
mod task;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use vouch_net::MacAddr;
use vouch_switch_server::{Frame, Port};

use crate::traffic::{Ledger, StreamReport, Traffic};

/// One end of a cable: the same trait that a switch's port is, so that a host can sit on an in-process link, or on a real
/// interface.
pub type Wire = Arc<dyn Port>;

/// Commands that may wait for a host.
const COMMAND_QUEUE: usize = 64;
/// How long the end of a stream waits for packets that are on their way.
const DRAIN_PATIENCE: Duration = Duration::from_secs(1);

/// Who a host is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostSpec {
    /// Its name in the fabric.
    pub name: String,
    /// Its MAC address.
    pub mac: MacAddr,
    /// Its IPv4 address, in a /24.
    pub ipv4: Ipv4Addr,
    /// Its IPv6 address, in a /64.
    pub ipv6: Ipv6Addr,
}

/// A way for a host to say where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Announcement {
    /// A gratuitous ARP request.
    GratuitousRequest,
    /// A gratuitous ARP reply.
    GratuitousReply,
    /// An ARP request for somebody else.
    ArpRequest {
        /// Whose address is asked for.
        target: Ipv4Addr,
    },
    /// An ARP reply to one host that has not asked.
    ArpReply {
        /// The MAC address the reply is sent to.
        to: MacAddr,
        /// The IPv4 address it is addressed to.
        target: Ipv4Addr,
    },
    /// A reverse ARP request, as hypervisors send.
    Rarp,
    /// A neighbour advertisement that nobody asked for.
    UnsolicitedAdvertisement,
}

impl Announcement {
    /// The frame in which `host` (or somebody who pretends to be it) announces itself.
    pub fn frame(self, host: &HostSpec) -> Frame {
        match self {
            Announcement::GratuitousRequest => frames::gratuitous_request(host.mac, host.ipv4),
            Announcement::GratuitousReply => frames::gratuitous_reply(host.mac, host.ipv4),
            Announcement::ArpRequest { target } => frames::arp_request(host.mac, host.ipv4, target),
            Announcement::ArpReply { to, target } => frames::arp_reply(host.mac, host.ipv4, (to, target)),
            Announcement::Rarp => frames::rarp(host.mac),
            Announcement::UnsolicitedAdvertisement => frames::unsolicited_advertisement(host.mac, host.ipv6),
        }
    }
}

/// The times after its arrival at which QEMU has a guest announced, in milliseconds.
pub const QEMU_ROUNDS: [u64; 5] = [0, 50, 200, 450, 800];

/// What a host can be told. Each variant is one method of [`Host`].
enum Command {
    Ping { to: IpAddr, within: Duration, answered: oneshot::Sender<Option<Duration>> },
    Greet,
    Send { frame: Frame, done: oneshot::Sender<()> },
    Announce { rounds: Vec<Duration>, announcements: Vec<Announcement> },
    StartStream { ledger: Arc<Ledger>, to: Ipv4Addr, rate: u32 },
    StopStream { id: u32, done: oneshot::Sender<()> },
    Silent { silent: bool, done: oneshot::Sender<()> },
    AnswerFor { victim: Option<(MacAddr, Ipv4Addr)>, done: oneshot::Sender<()> },
    Unplug { wire: oneshot::Sender<Option<Wire>> },
    Plug { wire: Wire, keep_old: bool, done: oneshot::Sender<()> },
    LetGo { wire: oneshot::Sender<Option<Wire>> },
}

/// The host's task has ended, which it does only when its handle is dropped or when it panicked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the task of host {0} has ended")]
pub struct HostGone(String);

/// A host and its task. Dropping the handle ends the task.
pub struct Host {
    spec: Arc<HostSpec>,
    traffic: Traffic,
    commands: mpsc::Sender<Command>,
    task: JoinHandle<()>,
}

impl Host {
    /// Start a host on a wire.
    pub fn start(spec: HostSpec, wire: Wire, traffic: Traffic) -> Self {
        let spec = Arc::new(spec);
        let (commands, receiver) = mpsc::channel(COMMAND_QUEUE);
        let task = tokio::spawn(task::run(Arc::clone(&spec), wire, traffic.clone(), receiver));
        Self { spec, traffic, commands, task }
    }

    /// Who the host is.
    pub fn spec(&self) -> &HostSpec {
        &self.spec
    }

    /// Its name in the fabric.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Ping until the first answer, at most `within`. The result is the round trip of the answered request.
    pub async fn ping(&self, to: IpAddr, within: Duration) -> Result<Option<Duration>, HostGone> {
        self.ask(|answered| Command::Ping { to, within, answered }).await
    }

    /// Broadcast a greeting; [`Traffic::heard_by`] tells who heard it.
    pub async fn greet(&self) -> Result<(), HostGone> {
        self.tell(Command::Greet).await
    }

    /// Send a frame as it is.
    pub async fn send(&self, frame: Frame) -> Result<(), HostGone> {
        self.ask(|done| Command::Send { frame, done }).await
    }

    /// Announce the host where it is, once in each way.
    pub async fn announce(&self, announcements: &[Announcement]) -> Result<(), HostGone> {
        self.tell(Command::Announce { rounds: vec![Duration::ZERO], announcements: announcements.to_vec() }).await
    }

    /// Send a stream of UDP packets to another host, which must have been resolved, say by a ping.
    pub async fn stream(&self, to: &Host, rate: u32) -> Result<Stream, HostGone> {
        let ledger = self.traffic.open(self.name(), to.name());
        let id = ledger.id();
        self.tell(Command::StartStream { ledger: Arc::clone(&ledger), to: to.spec.ipv4, rate }).await?;
        Ok(Stream { id, ledger, name: self.spec.name.clone(), commands: self.commands.clone() })
    }

    /// Ignore (or no longer ignore) requests for the host's address, as with `arp_ignore` or a firewall.
    pub async fn set_silent(&self, silent: bool) -> Result<(), HostGone> {
        self.ask(|done| Command::Silent { silent, done }).await
    }

    /// Answer ARP requests for somebody else's address with somebody else's MAC address.
    pub async fn answer_for(&self, victim: Option<&HostSpec>) -> Result<(), HostGone> {
        let victim = victim.map(|victim| (victim.mac, victim.ipv4));
        self.ask(|done| Command::AnswerFor { victim, done }).await
    }

    /// Take the host off its wire, which is given back.
    pub async fn unplug(&self) -> Result<Option<Wire>, HostGone> {
        self.ask(|wire| Command::Unplug { wire }).await
    }

    /// Put the host on a wire, without a word. Frames that waited in the wire for nobody are thrown away.
    pub async fn plug(&self, wire: Wire) -> Result<(), HostGone> {
        self.ask(|done| Command::Plug { wire, keep_old: false, done }).await
    }

    /// Move to a new wire and announce the host there, as QEMU and the guest do after a live migration. The old wire is
    /// listened to until [`Self::let_go`].
    pub async fn arrive(&self, wire: Wire) -> Result<(), HostGone> {
        self.ask(|done| Command::Plug { wire, keep_old: true, done }).await?;
        let rounds = QEMU_ROUNDS.map(Duration::from_millis).to_vec();
        let announcements = vec![Announcement::GratuitousRequest, Announcement::Rarp];
        self.tell(Command::Announce { rounds, announcements }).await
    }

    /// Stop listening to the wire that the host has moved away from, which is given back.
    pub async fn let_go(&self) -> Result<Option<Wire>, HostGone> {
        self.ask(|wire| Command::LetGo { wire }).await
    }

    async fn tell(&self, command: Command) -> Result<(), HostGone> {
        self.commands.send(command).await.map_err(|_| self.gone())
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, HostGone> {
        let (sender, receiver) = oneshot::channel();
        self.tell(command(sender)).await?;
        receiver.await.map_err(|_| self.gone())
    }

    fn gone(&self) -> HostGone {
        HostGone(self.spec.name.clone())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A running stream.
pub struct Stream {
    id: u32,
    ledger: Arc<Ledger>,
    name: String,
    commands: mpsc::Sender<Command>,
}

impl Stream {
    /// The stream's account, which can be read while it runs.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Stop sending, wait for what is on its way, and give the account.
    pub async fn finish(self) -> Result<StreamReport, HostGone> {
        let (done, stopped) = oneshot::channel();
        let gone = || HostGone(self.name.clone());
        self.commands.send(Command::StopStream { id: self.id, done }).await.map_err(|_| gone())?;
        stopped.await.map_err(|_| gone())?;
        self.ledger.drained(DRAIN_PATIENCE).await;
        Ok(self.ledger.report())
    }
}
