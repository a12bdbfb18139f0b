//! A host: an IP stack on a wire, in a task of its own.
//!
//! The host answers ARP, neighbour solicitations and pings by itself, and sends nothing that it was not told to. Through its
//! handle, [`Host`], a scenario tells it to ping, to send streams, to announce itself, to move to another wire, to answer late
//! or never, to change its addresses, to reboot, or to send any frame at all, which is what makes an attacker of it. What a
//! host is like from the start is in its [`Habits`].
//!
//! A move is two steps, as in a live migration: [`Host::arrive`] puts the host on the new wire and has it announce itself;
//! from then on it sends and answers only there. What still comes out of the old wire is taken in until
//! [`Host::let_go`]: a hypervisor that has handed a guest over passes on what its queues still hold. With the pause of a
//! migration it is [`Host::pause`], [`Host::transfer`], [`Host::resume`], and an announcement when the destination makes it.
//!
//! A [`Crowd`] is a thousand hosts on one wire, too many for a stack each.

mod crowd;
pub(crate) mod frames;
mod habits;
mod stack;
mod task;
pub(crate) mod trunk;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use vouch_net::MacAddr;
use vouch_switch_server::{Frame, Port};

use crate::traffic::{Ledger, StreamReport, Traffic};

pub use crowd::Crowd;
pub(crate) use habits::Introduction;
pub use habits::{Answers, Habits};

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
    StartStream { ledger: Arc<Ledger>, to: Receiver, rate: u32 },
    StopStream { id: u32, done: oneshot::Sender<()> },
    Answer { answers: Answers, done: oneshot::Sender<()> },
    AnswerFor { victim: Option<(MacAddr, Vec<IpAddr>)>, done: oneshot::Sender<()> },
    Neighbour { mac: MacAddr, address: Ipv4Addr, done: oneshot::Sender<()> },
    Readdress { ipv4: Ipv4Addr, ipv6: Ipv6Addr, done: oneshot::Sender<()> },
    Flood { flood: Option<(Frame, u32)>, done: oneshot::Sender<()> },
    Power { power: Power, done: oneshot::Sender<()> },
    Unplug { wire: oneshot::Sender<Option<Wire>> },
    Plug { wire: Wire, keep_old: bool, done: oneshot::Sender<()> },
    LetGo { wire: oneshot::Sender<Option<Wire>> },
}

/// Whom a stream is for.
enum Receiver {
    /// The host of this address, which the sender's stack finds.
    Address(IpAddr),
    /// One after the other of these, whom the sender knows.
    Crowd(Arc<[(MacAddr, Ipv4Addr)]>),
}

/// Whether a host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    On,
    /// It does nothing, and what comes waits in its wire.
    Paused,
    /// It does nothing, what comes is gone, and so is what it knew.
    Off,
}

/// The host's task has ended, which it does only when its handle is dropped or when it panicked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the task of host {0} has ended")]
pub struct HostGone(String);

/// A host and its task. Dropping the handle ends the task.
pub struct Host {
    spec: HostSpec,
    /// The address that others send to, which may change.
    address: Mutex<IpAddr>,
    traffic: Traffic,
    commands: mpsc::Sender<Command>,
    task: JoinHandle<()>,
}

impl Host {
    /// Start a host on a wire.
    pub fn start(spec: HostSpec, wire: Wire, traffic: Traffic) -> Self {
        Self::start_with(spec, Habits::default(), wire, traffic)
    }

    /// Start a host of these habits on a wire.
    pub fn start_with(spec: HostSpec, habits: Habits, wire: Wire, traffic: Traffic) -> Self {
        let (commands, receiver) = mpsc::channel(COMMAND_QUEUE);
        let task = tokio::spawn(task::run(spec.clone(), habits, wire, traffic.clone(), receiver));
        let address = Mutex::new(habits.address(&spec));
        Self { spec, address, traffic, commands, task }
    }

    /// The address that others reach it by now.
    pub fn address(&self) -> IpAddr {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who the host is; its addresses are those that it started with.
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
        self.announce_in_rounds(announcements, &[0]).await
    }

    /// Announce the host where it is, in each way after each of these milliseconds.
    pub async fn announce_in_rounds(&self, announcements: &[Announcement], rounds: &[u64]) -> Result<(), HostGone> {
        let rounds = rounds.iter().copied().map(Duration::from_millis).collect();
        self.tell(Command::Announce { rounds, announcements: announcements.to_vec() }).await
    }

    /// Send a stream of UDP packets to another host, which must have been resolved, say by a ping.
    pub async fn stream(&self, to: &Host, rate: u32) -> Result<Stream, HostGone> {
        self.stream_to(to, to.address(), rate).await
    }

    /// The same to another address of the host.
    pub async fn stream_to(&self, to: &Host, address: IpAddr, rate: u32) -> Result<Stream, HostGone> {
        self.start_stream(to.name(), Receiver::Address(address), rate).await
    }

    /// Send a stream of UDP packets to one after the other of a crowd.
    pub async fn stream_to_crowd(&self, to: &Crowd, rate: u32) -> Result<Stream, HostGone> {
        self.start_stream(to.name(), Receiver::Crowd(to.members()), rate).await
    }

    async fn start_stream(&self, name: &str, to: Receiver, rate: u32) -> Result<Stream, HostGone> {
        let ledger = self.traffic.open(self.name(), name);
        let id = ledger.id();
        self.tell(Command::StartStream { ledger: Arc::clone(&ledger), to, rate }).await?;
        Ok(Stream { id, ledger, name: self.spec.name.clone(), commands: self.commands.clone() })
    }

    /// Answer requests for the host's addresses like this from now on.
    pub async fn set_answers(&self, answers: Answers) -> Result<(), HostGone> {
        self.ask(|done| Command::Answer { answers, done }).await
    }

    /// Answer ARP requests and neighbour solicitations for somebody else's addresses with somebody else's MAC address, and
    /// whatever else that MAC address is asked.
    pub async fn answer_for(&self, victim: Option<&HostSpec>) -> Result<(), HostGone> {
        let victim = victim.map(|victim| (victim.mac, vec![victim.ipv4.into(), victim.ipv6.into()]));
        self.ask(|done| Command::AnswerFor { victim, done }).await
    }

    /// Know a neighbour that never says who it is, as by an entry that somebody made by hand.
    pub async fn know(&self, neighbour: &HostSpec) -> Result<(), HostGone> {
        self.ask(|done| Command::Neighbour { mac: neighbour.mac, address: neighbour.ipv4, done }).await
    }

    /// Have these addresses from now on, and forget all neighbours. Says nothing by itself.
    pub async fn readdress(&self, ipv4: Ipv4Addr, ipv6: Ipv6Addr) -> Result<(), HostGone> {
        self.ask(|done| Command::Readdress { ipv4, ipv6, done }).await?;
        let mut address = self.address.lock().unwrap_or_else(PoisonError::into_inner);
        *address = if address.is_ipv4() { ipv4.into() } else { ipv6.into() };
        Ok(())
    }

    /// Send a frame so many times per second, until [`Self::stop_flood`].
    pub async fn flood(&self, frame: Frame, rate: u32) -> Result<(), HostGone> {
        self.ask(|done| Command::Flood { flood: Some((frame, rate)), done }).await
    }

    /// End a flood.
    pub async fn stop_flood(&self) -> Result<(), HostGone> {
        self.ask(|done| Command::Flood { flood: None, done }).await
    }

    /// Do nothing from now on; what comes waits in the wire. [`Self::resume`] goes on from there.
    pub async fn pause(&self) -> Result<(), HostGone> {
        self.ask(|done| Command::Power { power: Power::Paused, done }).await
    }

    /// Switch the host off: what comes is gone, and so is what it knew and was about to do.
    pub async fn power_off(&self) -> Result<(), HostGone> {
        self.ask(|done| Command::Power { power: Power::Off, done }).await
    }

    /// Go on after a pause, or start anew after having been switched off. Says nothing by itself.
    pub async fn resume(&self) -> Result<(), HostGone> {
        self.ask(|done| Command::Power { power: Power::On, done }).await
    }

    /// Take the host off its wire, which is given back.
    pub async fn unplug(&self) -> Result<Option<Wire>, HostGone> {
        self.ask(|wire| Command::Unplug { wire }).await
    }

    /// Put the host on a wire, without a word. Frames that waited in the wire for nobody are thrown away.
    pub async fn plug(&self, wire: Wire) -> Result<(), HostGone> {
        self.ask(|done| Command::Plug { wire, keep_old: false, done }).await
    }

    /// Move to a new wire, without a word. The old one is given back, and what waits in it is lost with it.
    pub async fn transfer(&self, wire: Wire) -> Result<Option<Wire>, HostGone> {
        self.ask(|done| Command::Plug { wire, keep_old: true, done }).await?;
        self.let_go().await
    }

    /// Move to a new wire and announce the host there, as QEMU and the guest do after a live migration. The old wire is
    /// listened to until [`Self::let_go`].
    pub async fn arrive(&self, wire: Wire) -> Result<(), HostGone> {
        self.ask(|done| Command::Plug { wire, keep_old: true, done }).await?;
        self.announce_in_rounds(&[Announcement::GratuitousRequest, Announcement::Rarp], &QEMU_ROUNDS).await
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
        self.finish_since(0).await
    }

    /// The same, of the packets from this sequence number on.
    pub async fn finish_since(self, first: u64) -> Result<StreamReport, HostGone> {
        let (done, stopped) = oneshot::channel();
        let gone = || HostGone(self.name.clone());
        self.commands.send(Command::StopStream { id: self.id, done }).await.map_err(|_| gone())?;
        stopped.await.map_err(|_| gone())?;
        self.ledger.drained(DRAIN_PATIENCE).await;
        Ok(self.ledger.report_since(first))
    }
}
