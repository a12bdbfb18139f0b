//! What waits to be published: a bounded channel, which loses what does not fit, and counts it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

pub(super) struct Post<T> {
    sender: Sender<T>,
    receiver: mpsc::Receiver<T>,
}

pub(super) struct Sender<T> {
    sender: mpsc::Sender<T>,
    lost: Arc<AtomicU64>,
}

impl<T> Post<T> {
    pub(super) fn new(most: usize) -> Self {
        let (sender, receiver) = mpsc::channel(most);
        Self { sender: Sender { sender, lost: Arc::default() }, receiver }
    }

    pub(super) fn sender(&self) -> Sender<T> {
        self.sender.clone()
    }

    /// Hand over what comes, until nobody can send any more.
    pub(super) async fn deliver(self, what: &'static str, mut to: impl FnMut(T)) {
        let Self { sender, mut receiver } = self;
        let lost = sender.lost.clone();
        drop(sender);
        let mut told = 0;
        while let Some(next) = receiver.recv().await {
            to(next);
            let lost = lost.load(Ordering::Relaxed);
            // At the first and whenever there are twice as many, so that the log stays short.
            if lost > 0 && lost >= 2 * told {
                tracing::warn!(lost, "{what} came faster than they could be published");
                told = lost;
            }
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), lost: self.lost.clone() }
    }
}

impl<T> Sender<T> {
    /// Leave something to be published. Never waits.
    pub(super) fn send(&self, next: T) {
        if self.sender.try_send(next).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}
