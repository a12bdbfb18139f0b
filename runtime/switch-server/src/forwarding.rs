//! Threads of their own for frames, so that these never wait for requests.
//!
//! A request is answered in one go, on a thread of the runtime that the switch was started in, and a large batch or program has
//! its thread for as long as it takes. Where all threads of that runtime are taken so, none of its other tasks goes on. A switch
//! that forwards between interfaces therefore has threads for its frames
//! ([`Builder::forwarding_threads`](crate::Builder::forwarding_threads)):
//!
//! ```text
//! port 0 ─┐                      port 1 ─┐
//! port 2 ─┼─ thread forward-0    port 3 ─┼─ thread forward-1        gRPC, timers, port status: the runtime
//! port 4 ─┘  (numbers mod 2)     port 5 ─┘                          that the switch was started in
//! ```
//!
//! Each thread drives a runtime of its own, and what is done for a port's frames, to carry what it receives (`dataplane`) and
//! to empty its queues (`drain`), are tasks there. They are the same tasks as without such threads, so that there is one way of a
//! frame. Without them, which is the default, these tasks run in the runtime that the switch was started in: there a test can
//! stop the clock, and a simulation on one thread does everything in one order.
//!
//! # What frames share with requests
//!
//! Tables, pipeline and ports are states that a frame takes without a lock and that a request replaces. Locks that both take are
//! those of a digest list, of the streams to controllers, of a queue, a register array or a meter; a request holds each for one
//! operation of one of them. The one exception is a batch that is DATAPLANE_ATOMIC and sets counters, meters or registers that
//! packets see: it keeps packets out until it is done, which is what it asks for. The memory of a pipeline that was replaced is given
//! back in the runtime of the requests; that of a state of the tables by whoever has it last, which may be a frame that was under
//! way when a request replaced it.
//!
//! # What a panic costs
//!
//! A frame: the engine runs under a guard, which loses the frame that it was about, counts it
//! ([`dropped_by_panic`](crate::SwitchCounters::dropped_by_panic)), writes a line with the port, and goes on with the next. Should a
//! port panic itself, its task begins anew ([`ports_restarted`](crate::SwitchCounters::ports_restarted)). Threads do not end before
//! the switch, and other ports do not notice.

use std::io;

use tokio::runtime::{self, Handle};
use tokio::sync::watch;

use crate::server::MAX_PORT;

/// The threads of one switch. They end when it stops.
#[derive(Debug)]
pub(crate) struct Threads {
    handles: Vec<Handle>,
    /// Each thread has a receiver as long as it runs.
    running: watch::Sender<()>,
}

impl Threads {
    /// Start so many, which do `first` at first, and end when `stop` says so.
    pub(crate) fn start(count: usize, first: fn(), stop: &watch::Sender<bool>) -> io::Result<Threads> {
        let running = watch::Sender::new(());
        // More than ports would have nothing to do.
        let numbers = 0..count.min(MAX_PORT as usize + 1);
        let handles = numbers.map(|number| start(number, first, stop.subscribe(), running.subscribe()));
        Ok(Threads { handles: handles.collect::<io::Result<_>>()?, running })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }

    /// Where the tasks of a port run, if there are threads.
    pub(crate) fn of(&self, port: u16) -> Option<&Handle> {
        let number = usize::from(port).checked_rem(self.handles.len())?;
        self.handles.get(number)
    }

    /// Becomes ready when all have ended.
    pub(crate) async fn ended(&self) {
        self.running.closed().await;
    }
}

fn start(
    number: usize,
    first: fn(),
    mut stop: watch::Receiver<bool>,
    running: watch::Receiver<()>,
) -> io::Result<Handle> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new().name(format!("forward-{number}")).spawn(move || {
        first();
        // An error would mean that the switch is gone.
        let _ = runtime.block_on(stop.wait_for(|stop| *stop));
        // Its tasks go with it.
        drop(runtime);
        drop(running);
    })?;
    Ok(handle)
}
