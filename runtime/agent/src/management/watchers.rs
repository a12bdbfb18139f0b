//! Who is told what happens, as it happens. Nobody is waited for: who is too slow misses what he is too slow for, and hears how much that was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{broadcast, mpsc};
use tonic::Status;

use super::v1;

/// Events that wait for the slowest watcher.
const EVENTS: usize = 4_096;
/// Events that wait for one connection.
const ON_THEIR_WAY: usize = 64;
/// How many may watch.
const WATCHERS: usize = 64;

/// Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Watchers {
    events: broadcast::Sender<Arc<v1::Event>>,
    missed: Arc<AtomicU64>,
}

/// Which events somebody wants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) host: Option<v1::Host>,
    pub(crate) kinds: Vec<String>,
}

impl Wanted {
    fn takes(&self, event: &v1::Event) -> bool {
        (self.host.is_none() || self.host == event.host) && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
    }
}

impl Watchers {
    pub(crate) fn new() -> Self {
        Self { events: broadcast::Sender::new(EVENTS), missed: Arc::default() }
    }

    /// Whether anybody watches.
    pub(crate) fn any(&self) -> bool {
        self.events.receiver_count() > 0
    }

    /// Tells whoever watches. Never waits.
    pub(crate) fn tell(&self, event: v1::Event) {
        // Whoever watched may have gone.
        let _ = self.events.send(Arc::new(event));
    }

    /// How many events watchers were too slow for.
    pub(crate) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// What happens from now on.
    pub(crate) fn watch(&self) -> Result<broadcast::Receiver<Arc<v1::Event>>, Status> {
        if self.events.receiver_count() >= WATCHERS {
            return Err(Status::resource_exhausted(format!("{WATCHERS} watch already")));
        }
        Ok(self.events.subscribe())
    }

    /// The same for a connection, until that is gone.
    pub(crate) fn follow(&self, wanted: Wanted) -> Result<mpsc::Receiver<Result<v1::WatchResponse, Status>>, Status> {
        let mut events = self.watch()?;
        let (sender, receiver) = mpsc::channel(ON_THEIR_WAY);
        let missed_in_all = self.missed.clone();
        tokio::spawn(async move {
            loop {
                let next = tokio::select! {
                    next = events.recv() => next,
                    () = sender.closed() => return,
                };
                let what = match next {
                    Ok(event) if wanted.takes(&event) => v1::watch_response::What::Event(event.as_ref().clone()),
                    Ok(_) => continue,
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        missed_in_all.fetch_add(missed, Ordering::Relaxed);
                        v1::watch_response::What::Missed(missed)
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                };
                if sender.send(Ok(v1::WatchResponse { what: Some(what) })).await.is_err() {
                    return;
                }
            }
        });
        Ok(receiver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64, kind: &str) -> v1::Event {
        v1::Event { number, kind: kind.to_owned(), ..v1::Event::default() }
    }

    async fn next(follower: &mut mpsc::Receiver<Result<v1::WatchResponse, Status>>) -> v1::watch_response::What {
        let response = follower.recv().await.expect("somebody tells").expect("it is none of the errors");
        response.what.expect("something is told")
    }

    #[tokio::test]
    async fn who_is_too_slow_misses_events_and_is_told_how_many() {
        let watchers = Watchers::new();
        let mut follower = watchers.follow(Wanted::default()).expect("nobody else watches");
        let told = EVENTS as u64 * 3;
        for number in 1..=told {
            // It is told to nobody in particular, and so never waits.
            watchers.tell(event(number, "asked"));
        }
        let (mut heard, mut missed) = (0, 0);
        while heard + missed < told {
            match next(&mut follower).await {
                v1::watch_response::What::Event(_) => heard += 1,
                v1::watch_response::What::Missed(number) => missed += number,
            }
        }
        assert!(missed > 0, "{heard} heard");
        assert_eq!((heard + missed, watchers.missed()), (told, missed));
    }

    #[tokio::test]
    async fn only_what_is_wanted_is_told_and_only_so_many_may_watch() {
        let watchers = Watchers::new();
        let wanted = Wanted { host: None, kinds: vec!["moved".to_owned()] };
        let mut follower = watchers.follow(wanted).expect("nobody else watches");
        watchers.tell(event(1, "asked"));
        watchers.tell(event(2, "moved"));
        let v1::watch_response::What::Event(heard) = next(&mut follower).await else { panic!("nothing was missed") };
        assert_eq!(heard.number, 2);
        let _others: Vec<_> = (1..WATCHERS).map(|_| watchers.watch().expect("there is room")).collect();
        assert!(watchers.watch().is_err());
    }
}
