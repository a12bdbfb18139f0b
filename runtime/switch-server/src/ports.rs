//! The ports that are plugged in. They can change at any time: whoever carries frames looks once for a batch of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::counters::Counters;
use crate::dataplane;
use crate::device::Device;
use crate::port::Port;
use crate::server::MAX_PORT;

/// The ports of one moment, by number.
#[derive(Clone)]
pub(crate) struct Plugged(Vec<Option<Arc<dyn Port>>>);

impl Plugged {
    /// The port of this number; `None` where nothing is plugged in.
    pub(crate) fn get(&self, number: u16) -> Option<&Arc<dyn Port>> {
        self.0.get(usize::from(number))?.as_ref()
    }

    /// All of them with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &Arc<dyn Port>)> {
        (0u16..).zip(&self.0).filter_map(|(number, port)| Some((number, port.as_ref()?)))
    }
}

type TasksOfPorts<'a> = MutexGuard<'a, BTreeMap<u16, [AbortHandle; 2]>>;

/// The ports of a switch.
pub(crate) struct Ports {
    plugged: ArcSwap<Plugged>,
    /// What is done for each port; held while ports are changed.
    tasks: Mutex<BTreeMap<u16, [AbortHandle; 2]>>,
    changed: watch::Sender<()>,
}

impl Ports {
    pub(crate) fn new() -> Ports {
        let none = Plugged((0..=MAX_PORT).map(|_| None).collect());
        Ports { plugged: ArcSwap::from_pointee(none), tasks: Mutex::default(), changed: watch::Sender::new(()) }
    }

    /// As they are now.
    pub(crate) fn now(&self) -> Guard<Arc<Plugged>> {
        self.plugged.load()
    }

    /// The same for whoever keeps it for long.
    pub(crate) fn kept(&self) -> Arc<Plugged> {
        self.plugged.load_full()
    }

    /// Tells when a port has been plugged in or removed.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Plug a port in; false if there is one already, or no such number.
    pub(crate) fn insert(&self, number: u16, port: Arc<dyn Port>) -> bool {
        self.put(&self.tasks(), number, port)
    }

    fn put(&self, held: &TasksOfPorts<'_>, number: u16, port: Arc<dyn Port>) -> bool {
        self.change(held, number, |place| place.is_none().then(|| *place = Some(port)).is_some())
    }

    fn change(
        &self,
        _: &TasksOfPorts<'_>,
        number: u16,
        change: impl FnOnce(&mut Option<Arc<dyn Port>>) -> bool,
    ) -> bool {
        let mut plugged = Plugged::clone(&self.now());
        let changed = plugged.0.get_mut(usize::from(number)).is_some_and(change);
        if changed {
            self.plugged.store(Arc::new(plugged));
            self.changed.send_replace(());
        }
        changed
    }

    fn tasks(&self) -> TasksOfPorts<'_> {
        // Single map operations only: nothing is half done after a panic.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Device {
    /// Plug a port in and carry its frames; false if there is one of this number already, or no such number.
    pub(crate) fn plug(self: &Arc<Self>, number: u16, port: Arc<dyn Port>) -> bool {
        let mut tasks = self.ports.tasks();
        let plugged = self.ports.put(&tasks, number, port.clone());
        if plugged {
            tasks.insert(number, self.carry_port(number, port));
        }
        plugged
    }

    /// Carry the frames of the ports that are plugged in.
    pub(crate) fn carry_ports(self: &Arc<Self>) {
        let mut tasks = self.ports.tasks();
        for (number, port) in self.ports.kept().iter() {
            tasks.insert(number, self.carry_port(number, port.clone()));
        }
    }

    fn carry_port(self: &Arc<Self>, number: u16, port: Arc<dyn Port>) -> [AbortHandle; 2] {
        [
            self.tasks.spawn_forwarding(number, dataplane::keep_port(self.clone(), number, port.clone())),
            // It tells the tables, and so may have to wait for a request.
            self.tasks.spawn(dataplane::watch_port(self.clone(), number, port)),
        ]
    }

    /// Take a port out, with what waits for it; false if there is none of this number.
    pub(crate) fn unplug(&self, number: u16) -> bool {
        let mut tasks = self.ports.tasks();
        if !self.ports.change(&tasks, number, |place| place.take().is_some()) {
            return false;
        }
        tasks.remove(&number).into_iter().flatten().for_each(|task| task.abort());
        self.end_drainer(number);
        if let Some(pipeline) = self.active() {
            let lost = pipeline.switch.clear_queues(number);
            pipeline.switch.end_queueing(number);
            Counters::add(&self.counters.dropped_in_queue, lost as u64);
        }
        self.tell_port(number, false);
        true
    }
}
