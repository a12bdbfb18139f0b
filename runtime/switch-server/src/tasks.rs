//! Tasks of a running switch that come and go: those of its ports.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};

/// Tasks that end with this value, unless they have been waited for before.
#[derive(Debug)]
pub(crate) struct Tasks {
    runtime: Handle,
    running: Mutex<JoinSet<()>>,
}

impl Tasks {
    /// None yet. Must be called inside a tokio runtime, which will run them wherever they are spawned from.
    pub(crate) fn here() -> Tasks {
        Tasks { runtime: Handle::current(), running: Mutex::default() }
    }

    /// Where they run.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let mut running = self.running();
        // Those that have ended are forgotten.
        while running.try_join_next().is_some() {}
        running.spawn_on(task, &self.runtime)
    }

    /// Wait for all of them; those that have not ended after `patience` are cut off.
    pub(crate) async fn join(&self, patience: Duration) {
        let mut running = std::mem::take(&mut *self.running());
        let all = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            running.shutdown().await;
        }
    }

    fn running(&self) -> MutexGuard<'_, JoinSet<()>> {
        // A task is in the set or it is not, whatever panicked.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
