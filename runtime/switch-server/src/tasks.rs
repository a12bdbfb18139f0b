//! Tasks of a running switch that come and go: those of its ports.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};

use crate::forwarding::Threads;

/// Tasks that end with this value, unless they have been waited for before.
#[derive(Debug)]
pub(crate) struct Tasks {
    runtime: Handle,
    threads: Threads,
    running: Mutex<JoinSet<()>>,
}

impl Tasks {
    /// None yet. Must be called inside a tokio runtime, which will run them wherever they are spawned from, but for those that
    /// the threads are for.
    pub(crate) fn here(threads: Threads) -> Tasks {
        Tasks { runtime: Handle::current(), threads, running: Mutex::default() }
    }

    /// Where they run.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// A task that may wait for requests.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.spawn_on(task, &self.runtime)
    }

    /// A task that carries frames, and goes where those of this port are carried.
    pub(crate) fn spawn_forwarding(&self, port: u16, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.spawn_on(task, self.threads.of(port).unwrap_or(&self.runtime))
    }

    fn spawn_on(&self, task: impl Future<Output = ()> + Send + 'static, runtime: &Handle) -> AbortHandle {
        let mut running = self.running();
        // Those that have ended are forgotten.
        while running.try_join_next().is_some() {}
        running.spawn_on(task, runtime)
    }

    /// Give back what may be large, and not where frames wait for it.
    pub(crate) fn discard<T: Send + 'static>(&self, what: T) {
        if self.threads.is_empty() {
            drop(what);
        } else {
            self.runtime.spawn(async move { drop(what) });
        }
    }

    /// Wait for all of them, and for the threads; tasks that have not ended after `patience` are cut off, threads left alone.
    pub(crate) async fn join(&self, patience: Duration) {
        let mut running = std::mem::take(&mut *self.running());
        let all = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            running.shutdown().await;
        }
        // One that hangs in a port's own code would not end any sooner.
        let _ = tokio::time::timeout(patience, self.threads.ended()).await;
    }

    fn running(&self) -> MutexGuard<'_, JoinSet<()>> {
        // A task is in the set or it is not, whatever panicked.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
