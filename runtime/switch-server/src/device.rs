//! The device: what the services, the data plane and the timers share.
//!
//! Locks are taken in one order: changes (writes and elections), then the limits of queues, then the pipeline's target, then
//! sessions. None is held
//! across an await.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use prost::Message as _;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tonic::Status;
use vouch_p4runtime::p4::v1::stream_message_response::Update as Outgoing;
use vouch_p4runtime::p4::v1::{MasterArbitrationUpdate, PacketIn, StreamMessageResponse};
use vouch_switch::{Micros, Program, QueueChoice, QueueLimits, QueueSettings, SwitchConfig};

use crate::arbitration::{Arbitration, Notices, StreamId};
use crate::counters::Counters;
use crate::dialect::Dialect;
use crate::drain::Drainers;
use crate::fault::{Fault, Outcome};
use crate::forwarding::Threads;
use crate::notices::{Notice, NoticeBoard};
use crate::outbox::{Outbox, Refused};
use crate::pipeline::{Pipeline, Verified};
use crate::port::{Port, PortStatus};
use crate::ports::Ports;
use crate::role::Scope;
use crate::server::MAX_PORT;
use crate::tasks::Tasks;
use crate::tracer::Tracer;
use crate::translation::Translation;

/// What a controller that comes too early is told; clients recognise the beginning of this text.
const NO_PIPELINE: &str =
    "No forwarding pipeline config set for this device: push one with SetForwardingPipelineConfig";

pub(crate) type Messages = Outbox<StreamMessageResponse>;

pub(crate) struct Device {
    pub(crate) id: u64,
    /// `None` where controllers neither send nor receive packets.
    pub(crate) cpu_port: Option<u16>,
    config: SwitchConfig,
    pub(crate) dialect: Dialect,
    pub(crate) translations: Vec<Translation>,
    /// Who wants to know what happens to each packet.
    pub(crate) tracer: Option<Tracer>,
    /// Who wants to know what happens beside them.
    pub(crate) notices: Option<NoticeBoard>,
    pub(crate) ports: Ports,
    /// Those of the ports, each with those of its number.
    pub(crate) tasks: Tasks,
    pub(crate) drainers: Drainers,
    /// What the queues of every pipeline are like. Held while a pipeline takes the place of another.
    queues: Mutex<QueueSettings>,
    /// What packets run through.
    active: ArcSwapOption<Pipeline>,
    /// Held while state is changed, so that an election waits for the writes of the primary it replaces.
    changes: Mutex<Staged>,
    sessions: Mutex<Sessions>,
    pub(crate) counters: Counters,
    /// Rung when the data plane has gathered digests.
    pub(crate) digest_gathered: Notify,
    started: Instant,
    stop: watch::Sender<bool>,
}

/// A pipeline that was saved and not committed: requests go to it, packets do not yet.
#[derive(Default)]
pub(crate) struct Staged {
    pipeline: Option<Arc<Pipeline>>,
}

struct Sessions {
    arbitration: Arbitration,
    streams: HashMap<StreamId, Messages>,
    next: StreamId,
}

impl Device {
    pub(crate) fn new(
        id: u64,
        config: SwitchConfig,
        (dialect, translations): (Dialect, Vec<Translation>),
        (tracer, notices): (Option<Tracer>, Option<NoticeBoard>),
        stop: watch::Sender<bool>,
        threads: Threads,
    ) -> Device {
        Device {
            id,
            cpu_port: config.cpu_port,
            queues: Mutex::new(QueueSettings::new(config.priority_queues)),
            config,
            dialect,
            translations,
            tracer,
            notices,
            ports: Ports::new(),
            tasks: Tasks::here(threads),
            drainers: Drainers::default(),
            active: ArcSwapOption::empty(),
            changes: Mutex::new(Staged::default()),
            sessions: Mutex::new(Sessions {
                arbitration: Arbitration::new(id, dialect),
                streams: HashMap::new(),
                next: 1,
            }),
            counters: Counters::default(),
            digest_gathered: Notify::new(),
            started: Instant::now(),
            stop,
        }
    }

    /// Microseconds since the switch was made: the clock of the packet engine.
    pub(crate) fn now(&self) -> Micros {
        Micros(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// How long from now until a moment of that clock.
    pub(crate) fn until(&self, at: Micros) -> Duration {
        Duration::from_micros(at.since(self.now()).0)
    }

    /// Becomes ready when the switch stops.
    pub(crate) async fn stopped(&self) {
        // An error would mean that the sender is gone, which this very device owns.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// The pipeline that packets run through.
    pub(crate) fn active(&self) -> Option<Arc<Pipeline>> {
        self.active.load_full()
    }

    /// The pipeline that packets run through, if a controller has set it.
    pub(crate) fn configured(&self) -> Option<Arc<Pipeline>> {
        self.active().filter(|pipeline| !pipeline.is_bare)
    }

    /// The pipeline that packets run through, for controllers that cannot do without one.
    pub(crate) fn running(&self) -> Outcome<Arc<Pipeline>> {
        self.configured().ok_or_else(|| Fault::failed_precondition(NO_PIPELINE))
    }

    /// The pipeline that requests mean: the saved one, or else the active one.
    pub(crate) fn requested(&self) -> Outcome<Arc<Pipeline>> {
        let staged = lock(&self.changes).pipeline.clone();
        staged.or_else(|| self.configured()).ok_or_else(|| Fault::failed_precondition(NO_PIPELINE))
    }

    /// Hold everybody off who wants to change state.
    pub(crate) fn changes(&self) -> MutexGuard<'_, Staged> {
        lock(&self.changes)
    }

    /// Realise a checked pipeline, without putting packets through it.
    pub(crate) fn realise(&self, verified: Verified) -> Arc<Pipeline> {
        Arc::new(verified.realise(self.config.clone(), self.dialect, self.notices.is_some()))
    }

    /// Put packets through a program without telling controllers of it.
    pub(crate) fn start_with(&self, program: Program, json: Vec<u8>) {
        let learns = self.notices.is_some();
        self.activate(Arc::new(Pipeline::bare(program, json, self.config.clone(), self.dialect, learns)));
    }

    /// Put packets through this pipeline from now on, because somebody wants so at run time.
    pub(crate) fn swap_in(&self, pipeline: Arc<Pipeline>) {
        self.activate(pipeline);
        self.tell(|| Notice::Swapped);
    }

    /// Tell of something, if anybody wants to know.
    pub(crate) fn tell(&self, notice: impl FnOnce() -> Notice) {
        if let Some(notices) = &self.notices {
            notices.tell(notice());
        }
    }

    /// Put packets through this pipeline from now on. What waits in the queues of the one before is lost.
    pub(crate) fn activate(&self, pipeline: Arc<Pipeline>) {
        let settings = lock(&self.queues);
        pipeline.switch.limit_queues(&settings);
        let before = self.active.swap(Some(pipeline));
        drop(settings);
        if let Some(before) = before {
            let lost: usize = (0..=MAX_PORT as u16).map(|port| before.switch.clear_queues(port)).sum();
            Counters::add(&self.counters.dropped_in_queue, lost as u64);
        }
        self.wake_drainers();
        // After the store, so that a change of status meanwhile is not lost: the watcher then tells the new pipeline.
        for (number, port) in self.ports.kept().iter() {
            let up = *port.status().borrow() == PortStatus::Up;
            self.tell_port(number, up);
        }
        self.digest_gathered.notify_one();
    }

    /// Change what queues are like, in this pipeline and those to come; `Err` is the number of priorities, if there is none of
    /// this one.
    pub(crate) fn limit_queues(&self, which: QueueChoice, change: impl Fn(&mut QueueLimits)) -> Result<(), u32> {
        let mut settings = lock(&self.queues);
        if !settings.change(which, change) {
            return Err(settings.priorities());
        }
        if let Some(pipeline) = self.active() {
            pipeline.switch.limit_queues(&settings);
        }
        drop(settings);
        self.wake_drainers();
        Ok(())
    }

    /// Tell the selectors and replicas of the active pipeline about a port, and whoever wants to know.
    pub(crate) fn tell_port(&self, number: u16, up: bool) {
        if let Some(notices) = &self.notices {
            notices.tell_port(number, if up { PortStatus::Up } else { PortStatus::Down });
        }
        if let Some(pipeline) = self.active() {
            pipeline.switch.set_port_up(number, up);
            pipeline.target_mut().set_port(number, up);
        }
    }

    /// The port of this number; `None` where nothing is plugged in.
    pub(crate) fn port(&self, number: u16) -> Option<Arc<dyn Port>> {
        self.ports.now().get(number).cloned()
    }

    /// What controllers call a port.
    pub(crate) fn port_name(&self, number: u16) -> String {
        let named = self.translations.iter().find_map(|translation| translation.port_name(number));
        named.unwrap_or_else(|| number.to_string())
    }
}

/// Sessions.
impl Device {
    /// A controller has opened a stream.
    pub(crate) fn open_stream(&self, messages: Messages) -> StreamId {
        let mut sessions = lock(&self.sessions);
        let id = sessions.next;
        sessions.next += 1;
        sessions.streams.insert(id, messages);
        id
    }

    /// A stream asks for its place in the election.
    pub(crate) fn arbitrate(&self, stream: StreamId, update: &MasterArbitrationUpdate) -> Outcome {
        let _changes = self.changes();
        let mut sessions = lock(&self.sessions);
        let notices = sessions.arbitration.update(stream, update)?;
        sessions.notify(notices);
        Ok(())
    }

    /// A stream has ended.
    pub(crate) fn close_stream(&self, stream: StreamId) {
        let mut sessions = lock(&self.sessions);
        sessions.streams.remove(&stream);
        let notices = sessions.arbitration.leave(stream);
        sessions.notify(notices);
    }

    /// What a port number means, if not a port to plug something in.
    pub(crate) fn role(&self, number: u16) -> Option<&'static str> {
        match number {
            _ if Some(number) == self.cpu_port => Some("the CPU port"),
            _ if number == self.config.drop_port => Some("the drop port"),
            _ => None,
        }
    }

    /// Refuse a request for another device.
    pub(crate) fn check_device(&self, device_id: u64) -> Outcome {
        lock(&self.sessions).arbitration.check_device(device_id)
    }

    /// Refuse a change that does not come from the primary.
    pub(crate) fn check_primary(&self, role: &str, election_id: Option<&vouch_p4runtime::p4::v1::Uint128>) -> Outcome {
        lock(&self.sessions).arbitration.check_primary(role, election_id)
    }

    /// What a role may do.
    pub(crate) fn scope(&self, role: &str) -> Scope {
        lock(&self.sessions).arbitration.scope(role)
    }

    /// What a role shows where it is read for, unless that is everything.
    pub(crate) fn read_scope(&self, role: &str) -> Outcome<Option<Scope>> {
        lock(&self.sessions).arbitration.read_scope(role)
    }

    pub(crate) fn is_primary(&self, stream: StreamId) -> bool {
        lock(&self.sessions).arbitration.is_primary(stream)
    }

    /// Whether somebody would read what is sent to the primaries.
    pub(crate) fn has_primary(&self) -> bool {
        lock(&self.sessions).arbitration.primaries().next().is_some()
    }

    /// Send a packet-in to the primaries; `false` if none got it.
    pub(crate) fn packet_in(&self, packet: PacketIn) -> bool {
        self.offer(Outgoing::Packet(packet))
    }

    /// Send a message that may be lost to the primaries whose roles it concerns; `false` if none got it.
    pub(crate) fn offer(&self, message: Outgoing) -> bool {
        let sessions = lock(&self.sessions);
        let audience = sessions.arbitration.audience(|scope| concerns(scope, &message));
        let message = StreamMessageResponse { update: Some(message) };
        let bytes = message.encoded_len();
        let mut delivered = false;
        for stream in audience {
            if let Some(messages) = sessions.streams.get(&stream) {
                delivered |= messages.offer(message.clone(), bytes) != Err(Refused);
            }
        }
        delivered
    }

    /// End all streams.
    pub(crate) fn end_streams(&self) {
        for messages in lock(&self.sessions).streams.values() {
            messages.finish(Some(Status::unavailable("the switch is shutting down")));
        }
    }
}

impl Sessions {
    fn notify(&self, notices: Notices) {
        for (stream, update) in notices {
            if let Some(messages) = self.streams.get(&stream) {
                messages.send(StreamMessageResponse { update: Some(Outgoing::Arbitration(update)) });
            }
        }
    }
}

impl Staged {
    /// Keep a pipeline for a later commit.
    pub(crate) fn save(&mut self, pipeline: Arc<Pipeline>) {
        self.pipeline = Some(pipeline);
    }

    /// Take the saved pipeline, if there is one.
    pub(crate) fn take(&mut self) -> Option<Arc<Pipeline>> {
        self.pipeline.take()
    }

    /// The pipeline that requests mean, for those who hold the lock.
    pub(crate) fn requested(&self, device: &Device) -> Outcome<Arc<Pipeline>> {
        let staged = self.pipeline.clone();
        staged.or_else(|| device.configured()).ok_or_else(|| Fault::failed_precondition(NO_PIPELINE))
    }
}

/// Whether a message is for the primary of a role. Idle entries come by table.
fn concerns(scope: &Scope, message: &Outgoing) -> bool {
    match message {
        Outgoing::Packet(packet) => scope.receives(packet),
        Outgoing::Digest(list) => scope.has(list.digest_id),
        Outgoing::IdleTimeoutNotification(idle) => idle.table_entry.iter().all(|entry| scope.has(entry.table_id)),
        Outgoing::Arbitration(_) | Outgoing::Other(_) | Outgoing::Error(_) => true,
    }
}

/// Nanoseconds since the epoch, as the protocols stamp their messages.
pub(crate) fn wall_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic under one of these locks leaves whole values: each is changed by single assignments or map operations.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
