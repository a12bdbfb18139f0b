//! What an agent asks of whoever runs it: to read the configuration files again.

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::management::v1::ReloadResponse;

/// How many may ask at the same time; the others wait.
const ASKED: usize = 4;

/// Speaks to who runs the agents of a process. Clones speak to the same one.
#[derive(Debug, Clone)]
pub struct Supervisor {
    asked: mpsc::Sender<Reload>,
    refused: watch::Receiver<Option<RefusedFiles>>,
}

/// The files are to be read again.
#[derive(Debug)]
pub struct Reload {
    /// Only what would come of it is to be told.
    pub dry_run: bool,
    /// Where that is told, before anything is done: the agent that is asked may be stopped by it.
    pub reply: oneshot::Sender<ReloadResponse>,
}

/// Files that were not taken.
#[derive(Debug, Clone)]
pub struct RefusedFiles {
    /// When they were read.
    pub at: Instant,
    /// What is wrong with them.
    pub problems: Vec<String>,
}

/// The other end of a [`Supervisor`].
#[derive(Debug)]
pub struct Supervised {
    asked: mpsc::Receiver<Reload>,
    refused: watch::Sender<Option<RefusedFiles>>,
}

impl Supervisor {
    /// Both ends.
    pub fn channel() -> (Self, Supervised) {
        let (asker, asked) = mpsc::channel(ASKED);
        let (refuser, refused) = watch::channel(None);
        (Self { asked: asker, refused }, Supervised { asked, refused: refuser })
    }

    /// Has the files read again. `None`: nobody runs the agents any more.
    pub(crate) async fn reload(&self, dry_run: bool) -> Option<ReloadResponse> {
        let (reply, answer) = oneshot::channel();
        self.asked.send(Reload { dry_run, reply }).await.ok()?;
        answer.await.ok()
    }

    /// The files that were read last, if they were not taken.
    pub(crate) fn refused(&self) -> Option<RefusedFiles> {
        self.refused.borrow().clone()
    }
}

impl Supervised {
    /// The next who wants the files to be read again; never, if nobody is left who could. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Reload {
        match self.asked.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }

    /// The files were read, and taken, or not: then agents tell so when they are asked how they are.
    pub fn read(&self, refused: Option<Vec<String>>) {
        self.refused.send_replace(refused.map(|problems| RefusedFiles { at: Instant::now(), problems }));
    }
}
