//! The driver's task: wait → feed → flush.
//!
//! It waits for the switch, the peers, the clock and the operator, feeds what it hears to [`Core`], and flushes what
//! comes out. One round of work ([`Round`]) is on its way to the switch at a time; what is decided meanwhile goes with the next
//! round as its net difference, so a slow switch gets fewer and larger writes. Messages to peers wait for the writes that
//! were decided before them, and do not follow those that failed: a peer must not act on a table that is not there.
//!
//! The switch is, as seen from here, [`Away`](Switch::Away), [`Synchronising`](Switch::Synchronising) or
//! [`Ready`](Switch::Ready). Whenever its tables may not be what was written (a reconnection, a failed write) it is
//! synchronised: read back, compared with the wanted level, and given the difference. An entry that the switch refuses
//! holds up no other: work goes on, and the switch is read back after a while.
//!
//! While the switch is not ours nothing can be asked of a host, and silence means nothing: the state machine's time stands
//! still for so long. And we speak for nobody: there are no sessions with peers until the switch is ready (again).
//!
//! What decides about hosts is heard first: answers, confirmations, peers, and the clock. What strangers cause comes last.
//!
//! | file | what it is |
//! |---|---|
//! | `task` | what there is, and waiting for anything |
//! | `task/switching` | the switch comes, goes, and takes or refuses what is written |
//! | `task/outgoing` | rounds of work, messages, events |
//! | `task/orders` | what the operator says |
//! | `task/answers`, `task/forecast` | what the operator asks |

mod answers;
mod forecast;
mod orders;
mod outgoing;
mod switching;

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::time::{Instant as Clock, sleep_until};
use tokio_util::sync::CancellationToken;
use vouch_mobility::{Incarnation, Instant};
use vouch_p4runtime::client::{Crowd, Event, EventReceiver, RpcError, Session, WriteError};
use vouch_p4runtime::p4::v1;
use vouch_tables::{Change, EntryKey, Punt};

use super::ageing::{Activity, CounterFeed, Counts};
use super::chronicle::{Bounds, Chronicle};
use super::core::Core;
use super::doubts::Doubts;
use super::hearing::{Stream, place_of};
use super::lasting::Lasting;
use super::outbox::Outbox;
use super::policed::{Policed, PolicedFeed};
use super::ports::{PortFeed, PortNews};
use super::sometimes::Sometimes;
use super::status::TaskCounters;
use super::switch::{Found, Program};
use super::too_long::{TooLong, TooLongFeed};
use super::traces::Traces;
use crate::collector::Spans;
use crate::config::Config;
use crate::events::AgentEvent;
use crate::guards::{DriverGuard, is_out};
use crate::management::Watchers;
use crate::management::v1::switch_status::State;
use crate::metrics::AgentMetrics;
use crate::network::Network;
use crate::orders::Order;
use crate::peering::{PeerEvent, Peering, PeeringHandle, PeeringSetup};

pub(crate) use self::answers::{Ask, Filter};
pub(crate) use self::orders::{Command, Tallied};

/// The first wait before the switch is synchronised again after it refused something, doubled up to [`RETRY_MAX`].
const RETRY: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// The wait before a peering that did not start is tried again.
const PEERING_RETRY: Duration = Duration::from_secs(1);

/// How late a deadline may be met while there is still something to hear. What was heard before a deadline counts
/// before it (an answer beats a timeout); but a flood of news must not put deadlines off for ever.
const LATE: Duration = Duration::from_millis(20);

/// A switch that has not finished a round of work for so long, and says nothing at all meanwhile, has stalled.
const STALL: Duration = Duration::from_secs(2);

/// How many punts of strangers are handled before anything else is looked at again.
const PUNTS: usize = 32;

/// How many changes may wait for the switch before strangers do.
const ROUND: usize = 256;

/// How much of what has come is handled before anything goes out. A round of work costs agent and switch as much as dozens of
/// its updates; and a turn takes a millisecond or two, by which a probe may leave later.
const TURN: usize = 64;

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// See the module.
pub(crate) struct Task {
    name: Arc<str>,
    config: Config,
    /// Since when it is in charge: not set before that, as another agent of the switch may have started later, and been in charge before.
    incarnation: Incarnation,
    program: Program,
    session: Session,
    events: EventReceiver,
    crowd: Crowd,
    switch: Switch,
    retry: Duration,
    /// When to read a switch back that is ready but has refused something.
    read_back: Option<Clock>,
    /// When the switch was last heard.
    heard: Clock,
    /// When it was last asked for a sign of life, in vain so far.
    pulse: Option<Clock>,
    stalled: bool,
    /// There from the first synchronisation on, when it is known which hosts the switch has.
    core: Option<Core>,
    peers: Option<Peers>,
    /// When to try again to start the peering.
    peering_due: Option<Clock>,
    ports: PortFeed,
    counters_of_hosts: CounterFeed,
    activity: Activity,
    policed: PolicedFeed,
    too_long: TooLongFeed,
    /// What is being read for checks.
    finding: Option<Finding>,
    outbox: Outbox,
    doubts: Doubts,
    watcher: Option<mpsc::Sender<AgentEvent>>,
    /// The ways of claims, if anybody wants them, and where to.
    traces: Option<(Traces, Spans)>,
    metrics: AgentMetrics,
    network: Network,
    commands: mpsc::Receiver<Command>,
    orders: mpsc::Receiver<Order>,
    asked: mpsc::Receiver<Ask>,
    watchers: Watchers,
    chronicle: Chronicle,
    /// What the switch's state is called, since when, and why it is not ready.
    state: (State, Clock),
    reason: String,
    began: Clock,
    stop: CancellationToken,
    /// The state machine's time began then, later by all that it stood still.
    epoch: Clock,
    /// Since when it stands still.
    paused: Option<Clock>,
    said: Sometimes<u32>,
    /// The last packet-out that the switch refused: why, and when; and the lines about it.
    refused_out: Option<(String, Clock)>,
    said_refused: Sometimes<()>,
    /// How many dropped punts of a place are known.
    dropped: BTreeMap<u32, u64>,
    /// Whether the switch has not been ready since it was away.
    fresh: bool,
    /// The switch has been as wanted: the configuration is one for it.
    proven: bool,
    /// Why it ends.
    lasting: Option<Lasting>,
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
    work: Pending<Result<Policed, WriteError>>,
    began: Clock,
    /// What each update is about, in their order.
    keys: Vec<Option<EntryKey>>,
    /// Sent to peers once it is done.
    messages: Vec<super::core::Output>,
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

/// A read for checks.
struct Finding {
    mark: u64,
    counts: Pending<Result<Policed, RpcError>>,
}

/// What woke the task.
enum Wake {
    Stop,
    Switch(Option<Event>),
    Crowd(Option<(u32, v1::PacketIn)>),
    Found(Result<Found, RpcError>),
    Worked(Result<Policed, WriteError>),
    Peer(Option<PeerEvent>),
    Room,
    Port(PortNews),
    Counted(Counts),
    Policed(Policed),
    TooLong(TooLong),
    FoundOut { mark: u64, counts: Option<Policed> },
    Command(Option<Command>),
    Order(Order),
    Asked(Ask),
    Timeout,
}

/// What a task is made of.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) program: Program,
    pub(crate) session: Session,
    pub(crate) events: EventReceiver,
    pub(crate) watcher: Option<mpsc::Sender<AgentEvent>>,
    /// Where the spans of claims go.
    pub(crate) spans: Option<Spans>,
    pub(crate) metrics: AgentMetrics,
    pub(crate) network: Network,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) asked: mpsc::Receiver<Ask>,
    pub(crate) watchers: Watchers,
    pub(crate) stop: CancellationToken,
}

impl Task {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            config,
            program,
            session,
            events,
            watcher,
            spans,
            metrics,
            network,
            commands,
            orders,
            asked,
            watchers,
            stop,
        } = parts;
        let now = Clock::now();
        let me = config.vtep.as_ref().map(|vtep| vtep.address);
        Self {
            traces: me.zip(spans).map(|(me, spans)| (Traces::new(me), spans)),
            name: config.name.as_str().into(),
            ports: PortFeed::new(config.switch.link_status),
            counters_of_hosts: CounterFeed::new(&config),
            activity: Activity::new(config.vtep.as_ref().map_or(Duration::MAX, |vtep| vtep.timers.host_ageing)),
            policed: PolicedFeed::new(),
            too_long: TooLongFeed::new(),
            finding: None,
            outbox: Outbox::new(config.vtep.as_ref().map_or(0, |vtep| vtep.peering.queue)),
            doubts: Doubts::default(),
            config,
            incarnation: Incarnation(0),
            program,
            session,
            crowd: events.crowd(),
            events,
            switch: Switch::Away { retry: None },
            retry: RETRY,
            read_back: None,
            heard: Clock::now(),
            pulse: None,
            stalled: false,
            core: None,
            peers: None,
            peering_due: None,
            watcher,
            metrics,
            network,
            commands,
            orders,
            asked,
            watchers,
            chronicle: Chronicle::new(Bounds::default(), now),
            state: (State::Away, now),
            reason: "not connected yet".to_owned(),
            began: now,
            stop,
            epoch: now,
            paused: None,
            said: Sometimes::new(Duration::from_secs(60)),
            refused_out: None,
            said_refused: Sometimes::new(Duration::from_secs(60)),
            dropped: BTreeMap::new(),
            fresh: true,
            proven: false,
            lasting: None,
            counters: TaskCounters::default(),
        }
    }

    /// Runs until told to stop, or until something is wrong that time does not heal: that. The switch keeps its tables: its traffic goes on.
    pub(crate) async fn run(mut self) -> Option<Lasting> {
        while self.turn().await.is_continue() && self.lasting.is_none() {
            self.flush();
            self.note_state();
        }
        if let Some(peers) = self.peers {
            peers.handle.shutdown().await;
        }
        self.lasting
    }

    /// Something is wrong with the switch. It ends the agent, unless the switch has been right before.
    fn refused_for_good(&mut self, lasting: Option<Lasting>) {
        if !self.proven {
            self.lasting = self.lasting.take().or(lasting);
        }
    }

    /// Waits for something, and handles it together with what has come already, so that it goes out together.
    async fn turn(&mut self) -> ControlFlow<()> {
        let mut wake = self.wait().await;
        for _ in 1..TURN {
            // After a round the switch has nothing to do until it is given the next; punts of strangers come many at a time.
            let last = matches!(wake, Wake::Worked(_) | Wake::Crowd(_));
            self.on_wake(wake).await?;
            if last {
                return ControlFlow::Continue(());
            }
            match self.wait().now_or_never() {
                Some(next) => wake = next,
                None => return ControlFlow::Continue(()),
            }
        }
        self.on_wake(wake).await
    }

    async fn on_wake(&mut self, wake: Wake) -> ControlFlow<()> {
        match wake {
            Wake::Stop | Wake::Switch(None) | Wake::Crowd(None) | Wake::Command(None) => return ControlFlow::Break(()),
            Wake::Switch(Some(event)) => self.on_switch(event),
            Wake::Crowd(Some(packet)) => self.on_crowd(packet),
            Wake::Found(Ok(found)) => self.on_found(found),
            Wake::Found(Err(error)) => self.on_sync_failure(&error),
            Wake::Worked(result) => self.on_worked(result).await,
            Wake::Peer(Some(event)) => self.on_peer(event),
            // The peering has ended; that it did is logged there.
            Wake::Peer(None) => self.peers = None,
            Wake::Room => {}
            Wake::Port(PortNews::Link { port, link }) => self.feed(|core, now| core.port(port, link, now)),
            Wake::Port(PortNews::Mtu { port, bytes }) => self.feed(|core, _| core.port_mtu(port, bytes)),
            Wake::Port(PortNews::Unknown) => self.feed(Core::ports_unknown),
            Wake::Counted(counts) => self.on_counted(counts),
            Wake::Policed(counts) => self.feed(|core, now| core.policed(counts, now)),
            Wake::TooLong(counts) => self.feed(|core, _| core.too_long(counts)),
            Wake::FoundOut { mark, counts } => {
                self.finding = None;
                self.feed(|core, now| core.found_out(mark, counts, now));
            }
            Wake::Command(Some(command)) => self.on_command(command),
            Wake::Order(order) => self.on_order(order),
            Wake::Asked(ask) => ask(self),
            Wake::Timeout => self.on_timeout().await,
        }
        if self.deadline().is_some_and(|deadline| deadline + LATE < Clock::now()) {
            self.on_timeout().await;
        }
        ControlFlow::Continue(())
    }

    /// Waits for anything. Cancel-safe in all branches: what was not returned is still where it was.
    async fn wait(&mut self) -> Wake {
        let deadline = self.deadline();
        let Self {
            events,
            crowd,
            switch,
            peers,
            ports,
            counters_of_hosts,
            policed,
            too_long,
            finding,
            core,
            commands,
            orders,
            asked,
            stop,
            session,
            program,
            ..
        } = self;
        let handle = peers.as_ref().map(|peers| peers.handle.clone());
        tokio::select! {
            biased;
            () = stop.cancelled() => Wake::Stop,
            wake = switch.progress() => wake,
            event = events.recv() => Wake::Switch(event),
            // What was read for checks is of no use any more if it is looked at too late.
            wake = found_out(finding) => wake,
            event = next_peer_event(peers) => Wake::Peer(event),
            news = ports.next(session) => Wake::Port(news),
            command = commands.recv() => Wake::Command(command),
            // None is left when the agent is dropped, which ends the task in any case.
            Some(order) = orders.recv() => Wake::Order(order),
            Some(ask) = asked.recv() => Wake::Asked(ask),
            () = sleep_to(deadline) => Wake::Timeout,
            () = more_room(handle) => Wake::Room,
            counts = counters_of_hosts.next(session, program) => Wake::Counted(counts),
            counts = policed.next(session, program) => Wake::Policed(counts),
            counts = too_long.next(session, program) => Wake::TooLong(counts),
            // Before it is known which hosts the switch has they wait: an announcement is not made twice. And they wait for the
            // switch, where they wait in turns: whatever decides about somebody's host goes with the next round of work, which
            // must not be what a flood of strangers has made of it.
            packet = crowd.next(), if core.as_mut().is_some_and(|core| core.wanted().unwritten() < ROUND) => Wake::Crowd(packet),
        }
    }

    /// The earliest of the state machine's deadline, the next try at the switch, the next at the peering, and the time at which
    /// a switch that says nothing has stalled.
    fn deadline(&self) -> Option<Clock> {
        let due = self.core.as_ref().filter(|_| self.paused.is_none()).and_then(Core::deadline);
        let due = due.map(|due| self.epoch + Duration::from_micros(due.as_micros()));
        let retry = match &self.switch {
            Switch::Away { retry } => *retry,
            Switch::Ready { working: None } => self.read_back,
            Switch::Ready { working: Some(round) } => self.stall_due(round),
            Switch::Synchronising(_) => None,
        };
        due.into_iter().chain(retry).chain(self.peering_due).min()
    }

    fn now(&self) -> Instant {
        let elapsed = self.paused.unwrap_or_else(Clock::now) - self.epoch;
        Instant::from_micros(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
    }

    /// Hosts cannot be asked.
    fn pause(&mut self) {
        if !is_out(DriverGuard::TimeStops) {
            self.paused.get_or_insert_with(Clock::now);
        }
        self.finding = None;
        self.feed(Core::lost_touch);
    }

    /// Hosts can be asked (again).
    fn resume(&mut self) {
        if let Some(since) = self.paused.take() {
            self.epoch += since.elapsed();
        }
    }

    fn on_switch(&mut self, event: Event) {
        self.heard = Clock::now();
        self.pulse = None;
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
                if self.config.switch.pair {
                    self.forget_all();
                }
                self.lost(format!("another controller is primary, with election id {other}"));
            }
            Event::Backup { primary: None } => {
                self.lost("nobody is primary; asking to be".to_owned());
                if let Err(error) = self.session.take_over() {
                    tracing::debug!(agent = %self.name, %error, "the next connection will ask");
                }
            }
            Event::Disconnected { reason, retry_in } => {
                self.refused_for_good(Lasting::of_session(&reason));
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
                if let Some(times) = self.said_refused.say((), self.now()) {
                    tracing::warn!(agent = %self.name, message = error.message, times, "the switch refuses packet-outs");
                }
                self.refused_out = Some((error.message, Clock::now()));
            }
            // The pipeline has no digests.
            Event::Digest(_) => {}
        }
    }

    /// Punts of strangers: some, and then whatever decides is looked at again.
    fn on_crowd(&mut self, (source, packet): (u32, v1::PacketIn)) {
        self.heard = Clock::now();
        self.pulse = None;
        self.on_packet(&packet);
        self.say_dropped(source);
        for _ in 1..PUNTS {
            let Some((_, packet)) = self.crowd.take() else { break };
            self.on_packet(&packet);
        }
    }

    /// What was dropped since it came faster than it could be handled: said by its right name, and not too often.
    fn say_dropped(&mut self, source: u32) {
        let dropped = self.crowd.dropped(source);
        if dropped == 0 || self.dropped.insert(source, dropped) == Some(dropped) {
            return;
        }
        let now = self.now();
        let place = place_of(source).and_then(|place| self.core.as_ref()?.name_of(place));
        if self.said.say(source, now).is_some() {
            tracing::warn!(
                agent = %self.name, ?place, dropped,
                "punts of this place came faster than they could be handled, and were dropped"
            );
        }
    }

    fn on_peer(&mut self, event: PeerEvent) {
        if let PeerEvent::Down { vtep, .. } = &event {
            self.outbox.over(*vtep);
            self.doubts.over(*vtep);
        }
        if let (PeerEvent::Up { vtep, incarnation, .. }, Some((traces, _))) = (&event, &mut self.traces) {
            traces.peer(*vtep, *incarnation);
        }
        self.feed(|core, now| core.peer(event, now));
    }

    fn on_counted(&mut self, counts: Counts) {
        for key in self.activity.observe(counts, self.now()) {
            self.feed(|core, now| core.idle(&key, now));
        }
    }

    fn on_packet(&mut self, packet: &v1::PacketIn) {
        match self.program.tables.packet_in(packet) {
            Ok(Punt::Host(header)) => self.feed(|core, now| core.packet_in(header, &packet.payload, now)),
            Ok(Punt::Neighbour { port }) => self.feed(|core, now| core.neighbour(port, &packet.payload, now)),
            Err(error) => {
                self.counters.malformed_punts += 1;
                tracing::debug!(agent = %self.name, %error, "packet-in with a header that is none of ours");
            }
        }
    }

    async fn on_timeout(&mut self) {
        if self.peering_due.is_some_and(|due| due <= Clock::now()) {
            self.start_peering().await;
        }
        match &self.switch {
            Switch::Away { retry: Some(retry) } if *retry <= Clock::now() => self.synchronise(),
            Switch::Ready { working: Some(round) } if self.stall_due(round).is_some_and(|due| due <= Clock::now()) => {
                self.on_quiet_switch();
            }
            Switch::Away { .. } | Switch::Ready { .. } | Switch::Synchronising(_) => {}
        }
        if self.paused.is_none() {
            self.feed(Core::timeout);
        }
    }

    /// Peers come after the switch: what they say is about hosts, and which hosts the switch has must be known first.
    async fn start_peering(&mut self) {
        if let Some(peers) = &self.peers {
            peers.handle.set_open(true);
            return;
        }
        let Some(setup) = PeeringSetup::of(&self.config, self.incarnation) else { return };
        match Peering::start(setup, self.network.clone()).await {
            Ok((handle, events)) => {
                self.peers = Some(Peers { handle, events });
                self.peering_due = None;
            }
            // An agent that is being replaced may still hold the address; files may have changed since they were checked.
            Err(error) => {
                self.lasting = self.lasting.take().or(Lasting::of_peering(&error));
                tracing::error!(agent = %self.name, %error, "no peering: hosts elsewhere cannot be learned; trying again in {} ms", PEERING_RETRY.as_millis());
                self.peering_due = Some(Clock::now() + PEERING_RETRY);
            }
        }
    }

    /// Who is not in charge of its switch speaks for nobody.
    fn be_silent(&mut self) {
        if let Some(peers) = self.peers.as_ref().filter(|_| !is_out(DriverGuard::Silent)) {
            peers.handle.set_open(false);
        }
        self.peering_due = None;
    }

    /// The other agent of a pair is in charge: what was known is out of date. Nothing is kept, so that nothing can be put back by mistake: as after a
    /// start, the hosts will be found in the switch, and the address of the peering is free for the other.
    fn forget_all(&mut self) {
        self.core = None;
        self.finding = None;
        if let Some(peers) = self.peers.take() {
            tokio::spawn(async move { peers.handle.shutdown().await });
        }
        self.outbox = Outbox::new(self.config.vtep.as_ref().map_or(0, |vtep| vtep.peering.queue));
        self.doubts = Doubts::default();
    }

    fn feed(&mut self, tell: impl FnOnce(&mut Core, Instant)) {
        let now = self.now();
        if let Some(core) = &mut self.core {
            tell(core, now);
        }
    }

    fn hearing(&self) -> Box<Stream> {
        Box::new(Stream { session: self.session.clone(), crowd: self.crowd.clone() })
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

async fn more_room(peers: Option<PeeringHandle>) {
    match peers {
        Some(peers) => peers.more_room().await,
        None => pending().await,
    }
}

async fn found_out(finding: &mut Option<Finding>) -> Wake {
    match finding {
        Some(Finding { mark, counts }) => {
            let mark = *mark;
            let counts = counts.await.inspect_err(|error| tracing::debug!(%error, "the counters cannot be read")).ok();
            Wake::FoundOut { mark, counts }
        }
        None => pending().await,
    }
}

async fn sleep_to(deadline: Option<Clock>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
