//! The driver's task: wait → feed → flush.
//!
//! It waits for the switch, the peers, the clock and the operator, feeds what it hears to [`Core`], and flushes what
//! comes out. One round of [`Work`] is on its way to the switch at a time; what is decided meanwhile goes with the next
//! round as its net difference, so a slow switch gets fewer and larger writes. Messages to peers wait for the writes that
//! were decided before them: a peer must not act on a table that is not there yet.
//!
//! The switch is, as seen from here, [`Away`](Switch::Away), [`Synchronising`](Switch::Synchronising) or
//! [`Ready`](Switch::Ready). Whenever its tables may not be what was written (a reconnection, a failed write) it is
//! synchronised: read back, compared with the wanted level, and given the difference. An entry that the switch refuses
//! holds up no other: work goes on, and the switch is read back after a while.
//!
//! While the switch is not ours nothing can be asked of a host, and silence means nothing. The state machine's time stands
//! still for so long.

mod outgoing;

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant as Clock, sleep_until};
use tokio_util::sync::CancellationToken;
use vouch_mobility::Instant;
use vouch_p4runtime::client::{Event, EventReceiver, RpcError, Session, WriteError};
use vouch_p4runtime::p4::v1;
use vouch_tables::Change;

use super::ageing::{Activity, CounterFeed, Counts};
use super::core::{Core, Output};
use super::ports::PortFeed;
use super::status::{AgentStatus, TaskCounters};
use super::switch::{Found, Program, Work, synchronise};
use crate::config::Config;
use crate::events::{AgentEvent, AgentEventKind};
use crate::peering::{PeerEvent, Peering, PeeringHandle, PeeringSetup};

/// The first wait before the switch is synchronised again after it refused something, doubled up to [`RETRY_MAX`].
const RETRY: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// The wait before a peering that did not start is tried again.
const PEERING_RETRY: Duration = Duration::from_secs(1);

/// How late a deadline may be met while there is still something to hear. What was heard before a deadline counts
/// before it (an answer beats a timeout); but a flood of news must not put deadlines off for ever.
const LATE: Duration = Duration::from_millis(20);

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What the operator may ask.
pub(crate) enum Command {
    /// How are things?
    Status(oneshot::Sender<AgentStatus>),
}

/// See the module.
pub(crate) struct Task {
    name: Arc<str>,
    config: Config,
    program: Program,
    session: Session,
    events: EventReceiver,
    switch: Switch,
    retry: Duration,
    /// When to read a switch back that is ready but has refused something.
    read_back: Option<Clock>,
    /// There from the first synchronisation on, when it is known which hosts the switch has.
    core: Option<Core>,
    peers: Option<Peers>,
    /// When to try again to start the peering.
    peering_due: Option<Clock>,
    ports: PortFeed,
    counters_of_hosts: CounterFeed,
    activity: Activity,
    waiting: VecDeque<Output>,
    watcher: Option<mpsc::Sender<AgentEvent>>,
    commands: mpsc::Receiver<Command>,
    stop: CancellationToken,
    /// The state machine's time began then, later by all that it stood still.
    epoch: Clock,
    /// Since when it stands still.
    paused: Option<Clock>,
    counters: TaskCounters,
}

/// What is known of the switch.
enum Switch {
    /// Not reachable, or not ours. After `retry`, if set, it is worth another try.
    Away { retry: Option<Clock> },
    /// It is being read back.
    Synchronising(Pending<Result<Found, RpcError>>),
    /// It is as wanted, but for the work that is on its way.
    Ready { working: Option<Round> },
}

/// Work on its way to the switch.
struct Round {
    work: Pending<Result<(), WriteError>>,
    /// Sent to peers once it is done.
    messages: Vec<Output>,
    /// Told once it is done.
    then: AfterRound,
}

/// What to tell when a round of work is done.
enum AfterRound {
    /// These changes were written.
    Written(Vec<Change>),
    /// The switch is as wanted.
    Synchronised { program_installed: bool, hosts_restored: usize, entries_written: usize },
}

struct Peers {
    handle: PeeringHandle,
    events: mpsc::Receiver<PeerEvent>,
}

/// What woke the task.
enum Wake {
    Stop,
    Switch(Option<Event>),
    Found(Result<Found, RpcError>),
    Worked(Result<(), WriteError>),
    Peer(Option<PeerEvent>),
    Port { port: u16, up: bool },
    Counted(Counts),
    Command(Option<Command>),
    Timeout,
}

/// What a task is made of.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) program: Program,
    pub(crate) session: Session,
    pub(crate) events: EventReceiver,
    pub(crate) watcher: Option<mpsc::Sender<AgentEvent>>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) stop: CancellationToken,
}

impl Task {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { config, program, session, events, watcher, commands, stop } = parts;
        Self {
            name: config.name.as_str().into(),
            ports: PortFeed::new(config.switch.link_status),
            counters_of_hosts: CounterFeed::new(&config),
            activity: Activity::new(config.vtep.as_ref().map_or(Duration::MAX, |vtep| vtep.host_ageing)),
            config,
            program,
            session,
            events,
            switch: Switch::Away { retry: None },
            retry: RETRY,
            read_back: None,
            core: None,
            peers: None,
            peering_due: None,
            waiting: VecDeque::new(),
            watcher,
            commands,
            stop,
            epoch: Clock::now(),
            paused: None,
            counters: TaskCounters::default(),
        }
    }

    /// Runs until told to stop. The switch keeps its tables: its traffic goes on.
    pub(crate) async fn run(mut self) {
        loop {
            match self.wait().await {
                Wake::Stop => break,
                Wake::Switch(None) => break,
                Wake::Switch(Some(event)) => self.on_switch(event),
                Wake::Found(Ok(found)) => self.on_found(found),
                Wake::Found(Err(error)) => self.on_sync_failure(&error),
                Wake::Worked(result) => self.on_worked(result).await,
                Wake::Peer(Some(event)) => self.feed(|core, now| core.peer(event, now)),
                // The peering has ended; that it did is logged there.
                Wake::Peer(None) => self.peers = None,
                Wake::Port { port, up } => self.feed(|core, now| core.port(port, up, now)),
                Wake::Counted(counts) => self.on_counted(counts),
                Wake::Command(Some(Command::Status(reply))) => {
                    // Whoever asked may have gone.
                    let _ = reply.send(self.status());
                }
                Wake::Command(None) => break,
                Wake::Timeout => self.on_timeout().await,
            }
            if self.deadline().is_some_and(|deadline| deadline + LATE < Clock::now()) {
                self.on_timeout().await;
            }
            self.flush();
        }
        if let Some(peers) = self.peers {
            peers.handle.shutdown().await;
        }
    }

    /// Waits for anything. Cancel-safe in all branches: what was not returned is still where it was.
    async fn wait(&mut self) -> Wake {
        let deadline = self.deadline();
        let Self { events, switch, peers, ports, counters_of_hosts, commands, stop, session, program, .. } = self;
        tokio::select! {
            biased;
            () = stop.cancelled() => Wake::Stop,
            wake = switch.progress() => wake,
            event = events.recv() => Wake::Switch(event),
            event = next_peer_event(peers) => Wake::Peer(event),
            (port, up) = ports.next(session) => Wake::Port { port, up },
            counts = counters_of_hosts.next(session, program) => Wake::Counted(counts),
            command = commands.recv() => Wake::Command(command),
            () = sleep_to(deadline) => Wake::Timeout,
        }
    }

    /// The earliest of the state machine's deadline, the next try at the switch, and the next at the peering.
    fn deadline(&self) -> Option<Clock> {
        let due = self.core.as_ref().filter(|_| self.paused.is_none()).and_then(Core::deadline);
        let due = due.map(|due| self.epoch + Duration::from_micros(due.as_micros()));
        let retry = match self.switch {
            Switch::Away { retry } => retry,
            Switch::Ready { working: None } => self.read_back,
            Switch::Synchronising(_) | Switch::Ready { working: Some(_) } => None,
        };
        due.into_iter().chain(retry).chain(self.peering_due).min()
    }

    fn now(&self) -> Instant {
        let elapsed = self.paused.unwrap_or_else(Clock::now) - self.epoch;
        Instant::from_micros(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
    }

    /// Hosts can be asked (again).
    fn resume(&mut self) {
        if let Some(since) = self.paused.take() {
            self.epoch += since.elapsed();
        }
    }

    fn on_switch(&mut self, event: Event) {
        match event {
            Event::Connected { api_version } => {
                tracing::debug!(agent = %self.name, api_version, "connected to the switch");
            }
            Event::Primary { .. } => {
                if matches!(self.switch, Switch::Away { .. }) {
                    self.synchronise();
                }
            }
            Event::Backup { primary: Some(other) } => {
                self.lost(format!("another controller is primary, with election id {other}"));
            }
            Event::Backup { primary: None } => {
                self.lost("nobody is primary; asking to be".to_owned());
                if let Err(error) = self.session.take_over() {
                    tracing::debug!(agent = %self.name, %error, "the next connection will ask");
                }
            }
            Event::Disconnected { reason, retry_in } => {
                self.lost(format!("{reason}; trying again in {} ms", retry_in.as_millis()));
            }
            Event::PacketIn(packet) => self.on_packet(&packet),
            Event::IdleTimeout(notification) => {
                for entry in &notification.table_entry {
                    match self.program.tables.idle_key(entry) {
                        Ok(key) => self.feed(|core, now| core.idle(&key, now)),
                        Err(error) => tracing::warn!(agent = %self.name, %error, "idle timeout of an unknown entry"),
                    }
                }
            }
            Event::StreamError(error) => {
                self.counters.packets_refused += 1;
                tracing::warn!(agent = %self.name, message = error.message, "the switch refused a packet-out");
            }
            // The pipeline has no digests.
            Event::Digest(_) => {}
        }
    }

    fn on_counted(&mut self, counts: Counts) {
        for key in self.activity.observe(counts, self.now()) {
            self.feed(|core, now| core.idle(&key, now));
        }
    }

    fn on_packet(&mut self, packet: &v1::PacketIn) {
        match self.program.tables.packet_in(packet) {
            Ok(header) => self.feed(|core, now| core.packet_in(header, &packet.payload, now)),
            Err(error) => {
                self.counters.malformed_punts += 1;
                tracing::debug!(agent = %self.name, %error, "packet-in with a header that is none of ours");
            }
        }
    }

    /// Reads the switch back.
    fn synchronise(&mut self) {
        self.read_back = None;
        self.switch = Switch::Synchronising(Box::pin(synchronise(self.session.clone(), self.program.clone())));
    }

    fn on_found(&mut self, found: Found) {
        let now = self.now();
        let mut work = Work::default();
        for (entity, reason) in found.meaningless {
            tracing::warn!(agent = %self.name, reason, "an entry in our tables that is not ours: deleted");
            work.updates.push(vouch_p4runtime::client::delete(entity));
        }
        let mut hosts_restored = 0;
        let core = match &mut self.core {
            Some(core) => core,
            none => {
                let (core, restored) = Core::new(self.config.clone(), &found.entries, now);
                hosts_restored = restored;
                none.insert(core)
            }
        };
        let changes = core.wanted().changes_from(found.entries);
        work.write(&self.program.tables, &changes);
        let entries_written = work.updates.len();
        let then =
            AfterRound::Synchronised { program_installed: found.program_installed, hosts_restored, entries_written };
        let work = Box::pin(work.carry_out(self.session.clone()));
        self.send_packets();
        let messages = std::mem::take(&mut self.waiting).into();
        self.switch = Switch::Ready { working: Some(Round { work, messages, then }) };
    }

    fn on_sync_failure(&mut self, error: &RpcError) {
        if !error.is_connection() {
            tracing::error!(agent = %self.name, %error, "the switch cannot be used; trying again in {} ms", self.retry.as_millis());
        }
        self.retry_later();
    }

    async fn on_worked(&mut self, result: Result<(), WriteError>) {
        let Switch::Ready { working } = &mut self.switch else { return };
        let Some(round) = working.take() else { return };
        self.send(round.messages);
        match result {
            Ok(()) => self.resume(),
            Err(error @ WriteError::Updates { .. }) => {
                self.resume();
                self.counters.failed_writes += 1;
                if self.read_back.is_none() {
                    tracing::warn!(agent = %self.name, %error, "the switch will be read back in {} ms", self.retry.as_millis());
                    self.read_back = Some(self.next_retry());
                }
                return;
            }
            Err(error @ WriteError::Rpc { .. }) => {
                self.counters.failed_writes += 1;
                tracing::warn!(agent = %self.name, %error, "the switch will be read back in {} ms", self.retry.as_millis());
                self.retry_later();
                return;
            }
        }
        match round.then {
            AfterRound::Written(changes) => {
                // Words are for whoever watches; most agents run unwatched, and a round may have thousands of changes.
                if self.watcher.is_some() {
                    let changes = changes.iter().map(ToString::to_string).collect();
                    self.tell(AgentEventKind::Written { changes });
                }
            }
            AfterRound::Synchronised { program_installed, hosts_restored, entries_written } => {
                self.retry = RETRY;
                tracing::info!(agent = %self.name, program_installed, hosts_restored, entries_written, "the switch is ready");
                self.tell(AgentEventKind::SwitchReady { program_installed, hosts_restored, entries_written });
                self.ports.restart();
                self.counters_of_hosts.restart();
                self.start_peering().await;
            }
        }
    }

    fn retry_later(&mut self) {
        self.send_waiting();
        self.switch = Switch::Away { retry: Some(self.next_retry()) };
    }

    fn next_retry(&mut self) -> Clock {
        let due = Clock::now() + self.retry;
        self.retry = (self.retry * 2).min(RETRY_MAX);
        due
    }

    fn lost(&mut self, reason: String) {
        if !matches!(self.switch, Switch::Away { retry: None }) {
            tracing::warn!(agent = %self.name, reason, "the switch is not ours any more");
            self.tell(AgentEventKind::SwitchLost { reason });
        } else {
            tracing::info!(agent = %self.name, reason, "waiting for the switch");
        }
        self.send_waiting();
        self.switch = Switch::Away { retry: None };
        self.read_back = None;
        self.counters_of_hosts.stop();
        self.paused.get_or_insert_with(Clock::now);
    }

    async fn on_timeout(&mut self) {
        if self.peering_due.is_some_and(|due| due <= Clock::now()) {
            self.start_peering().await;
        }
        if let Switch::Away { retry: Some(retry) } = self.switch
            && retry <= Clock::now()
        {
            self.synchronise();
        }
        self.feed(Core::timeout);
    }

    /// Peers come after the switch: what they say is about hosts, and which hosts the switch has must be known first.
    async fn start_peering(&mut self) {
        if self.peers.is_some() {
            return;
        }
        let Some(setup) = PeeringSetup::of(&self.config) else { return };
        match Peering::start(setup).await {
            Ok((handle, events)) => {
                self.peers = Some(Peers { handle, events });
                self.peering_due = None;
            }
            // An agent that is being replaced may still hold the address; files may have changed since they were checked.
            Err(error) => {
                tracing::error!(agent = %self.name, %error, "no peering: hosts elsewhere cannot be learned; trying again in {} ms", PEERING_RETRY.as_millis());
                self.peering_due = Some(Clock::now() + PEERING_RETRY);
            }
        }
    }

    fn feed(&mut self, tell: impl FnOnce(&mut Core, Instant)) {
        let now = self.now();
        if let Some(core) = &mut self.core {
            tell(core, now);
        }
    }

    fn status(&mut self) -> AgentStatus {
        let ready = matches!(self.switch, Switch::Ready { .. }) && self.read_back.is_none() && self.core.is_some();
        let mut counters = self.counters;
        counters.packet_ins_dropped = self.session.dropped_packets();
        AgentStatus::new(ready, self.core.as_mut(), counters, self.peers.as_ref().map(|peers| peers.handle.counters()))
    }
}

impl Switch {
    /// The end of what is on its way; never, if nothing is.
    async fn progress(&mut self) -> Wake {
        match self {
            Self::Away { .. } | Self::Ready { working: None } => pending().await,
            Self::Synchronising(found) => Wake::Found(found.await),
            Self::Ready { working: Some(round) } => Wake::Worked((&mut round.work).await),
        }
    }
}

async fn next_peer_event(peers: &mut Option<Peers>) -> Option<PeerEvent> {
    match peers {
        Some(peers) => peers.events.recv().await,
        None => pending().await,
    }
}

async fn sleep_to(deadline: Option<Clock>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
