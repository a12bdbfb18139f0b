//! Egress queues being emptied.
//!
//! A frame goes through the engine in one go, and to its port, as long as the port takes what it is given. When a port says
//! after a batch that something is left ([`Port::flush`](crate::Port::flush)), or when its limits ask for it, the engine keeps
//! the packets for that port in its queues, and a task of the port's own runs them through egress: each time that the port
//! has passed on what it was given, and no faster than the limits allow. When nothing is left, frames go through in one go
//! again.
//!
//! The task begins with the first packet that waits for its port and is asleep while none does. It follows the pipeline that
//! is active; what waited in another is lost, and counted when the pipeline was replaced. The moments at which packets leave are
//! rounded up to the timer's milliseconds, so that of a higher rate several leave together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use vouch_switch::Micros;

use crate::dataplane::{self, Forwarder};
use crate::device::Device;

/// What is to be done next for a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// Nothing, until a packet comes.
    All,
    /// More may leave now, if the port takes it.
    Some,
    /// Nothing may leave before this moment.
    Until(Micros),
}

/// The tasks that empty queues, by port.
#[derive(Debug, Default)]
pub(crate) struct Drainers(Mutex<BTreeMap<u16, Drainer>>);

#[derive(Debug)]
struct Drainer {
    wake: Arc<Notify>,
    task: AbortHandle,
}

impl Device {
    /// Something waits for a port, or may leave at another time than was thought.
    pub(crate) fn wake_drainer(self: &Arc<Self>, number: u16) {
        let mut drainers = self.drainers.lock();
        let drainer = drainers.entry(number).or_insert_with(|| {
            let wake = Arc::new(Notify::new());
            let task = dataplane::keep(self.clone(), number, {
                let (device, wake) = (self.clone(), wake.clone());
                move || drain(device.clone(), number, wake.clone())
            });
            Drainer { wake, task: self.tasks.spawn_forwarding(number, task) }
        });
        drainer.wake.notify_one();
    }

    /// The queues, their limits or the program have changed.
    pub(crate) fn wake_drainers(&self) {
        self.drainers.lock().values().for_each(|drainer| drainer.wake.notify_one());
    }

    /// A port is gone.
    pub(crate) fn end_drainer(&self, number: u16) {
        if let Some(drainer) = self.drainers.lock().remove(&number) {
            drainer.task.abort();
        }
    }
}

impl Drainers {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u16, Drainer>> {
        // Single map operations only: nothing is half done after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Empty the queues of a port until the switch stops.
async fn drain(device: Arc<Device>, number: u16, wake: Arc<Notify>) {
    let mut forwarder = Forwarder::new(device.clone());
    let stopped = device.stopped();
    tokio::pin!(stopped);
    loop {
        if let Some(port) = device.port(number) {
            tokio::select! {
                biased;
                () = &mut stopped => return,
                () = port.ready() => {}
            }
        }
        match forwarder.drain(number) {
            // Others have frames too.
            Drained::Some => tokio::task::yield_now().await,
            Drained::Until(moment) => tokio::select! {
                () = &mut stopped => return,
                () = wake.notified() => {}
                () = tokio::time::sleep(device.until(moment)) => {}
            },
            Drained::All => tokio::select! {
                () = &mut stopped => return,
                () = wake.notified() => {}
            },
        }
    }
}
