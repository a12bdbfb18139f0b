//! What waits to be sent to one controller.
//!
//! A controller that reads slowly loses packet-ins, which are counted, but no other message: if it leaves so many unread that
//! even those do not fit, its stream ends, since it could no longer know what it has missed.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::Stream;
use tonic::Status;

/// How many droppable messages (packet-ins) wait at most: a server's worth of hosts may announce themselves at once.
pub(crate) const MAX_DROPPABLE: usize = 32_768;
/// Bytes of them at most.
const MAX_BYTES: usize = 16 << 20;
/// How many other messages wait at most.
const MAX_KEPT: usize = 4096;

/// The sending side; clones share one queue.
pub(crate) struct Outbox<T> {
    shared: Arc<Mutex<State<T>>>,
}

/// The receiving side, which tonic polls when the connection has room.
pub(crate) struct Outgoing<T> {
    shared: Arc<Mutex<State<T>>>,
}

struct State<T> {
    queue: VecDeque<(Kind, T)>,
    droppable: usize,
    droppable_bytes: usize,
    end: Option<Option<Status>>,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Of so many bytes.
    Droppable(usize),
    Kept,
}

/// The message did not fit, or the stream has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// A new queue.
pub(crate) fn outbox<T>() -> (Outbox<T>, Outgoing<T>) {
    let state = State { queue: VecDeque::new(), droppable: 0, droppable_bytes: 0, end: None, waker: None };
    let shared = Arc::new(Mutex::new(state));
    (Outbox { shared: shared.clone() }, Outgoing { shared })
}

impl<T> Outbox<T> {
    /// Send a message of so many bytes that may be lost when the receiver is slow.
    pub(crate) fn offer(&self, message: T, bytes: usize) -> Result<(), Refused> {
        let mut state = lock(&self.shared);
        if state.end.is_some() || state.droppable >= MAX_DROPPABLE || state.droppable_bytes >= MAX_BYTES {
            return Err(Refused);
        }
        state.droppable += 1;
        state.droppable_bytes += bytes;
        state.push(Kind::Droppable(bytes), message);
        Ok(())
    }

    /// Send a message that must arrive; if it cannot, the stream ends.
    pub(crate) fn send(&self, message: T) {
        let mut state = lock(&self.shared);
        if state.end.is_some() {
            return;
        }
        if state.queue.len() - state.droppable >= MAX_KEPT {
            state.clear();
            state.finish(Some(Status::resource_exhausted("the controller does not read its messages")));
            return;
        }
        state.push(Kind::Kept, message);
    }

    /// End the stream after what waits: in order, or with an error.
    pub(crate) fn finish(&self, status: Option<Status>) {
        let mut state = lock(&self.shared);
        if state.end.is_none() {
            state.finish(status);
        }
    }
}

impl<T> Clone for Outbox<T> {
    fn clone(&self) -> Self {
        Outbox { shared: self.shared.clone() }
    }
}

impl<T> State<T> {
    fn push(&mut self, kind: Kind, message: T) {
        self.queue.push_back((kind, message));
        self.wake();
    }

    fn clear(&mut self) {
        self.queue.clear();
        (self.droppable, self.droppable_bytes) = (0, 0);
    }

    fn finish(&mut self, status: Option<Status>) {
        self.end = Some(status);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl<T> Stream for Outgoing<T> {
    type Item = Result<T, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = lock(&self.shared);
        if let Some((kind, message)) = state.queue.pop_front() {
            if let Kind::Droppable(bytes) = kind {
                state.droppable -= 1;
                state.droppable_bytes -= bytes;
            }
            return Poll::Ready(Some(Ok(message)));
        }
        match &mut state.end {
            Some(status) => Poll::Ready(status.take().map(Err)),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Outgoing<T> {
    fn drop(&mut self) {
        // The connection is gone: nothing more is worth keeping.
        let mut state = lock(&self.shared);
        state.end.get_or_insert(None);
        state.clear();
    }
}

fn lock<T>(shared: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    // The state is whole between any two statements that could panic (there are none).
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, StreamExt};

    #[test]
    fn droppable_messages_are_refused_when_full_and_the_others_are_not() {
        let (outbox, mut outgoing) = outbox();
        for number in 0..MAX_DROPPABLE {
            assert_eq!(outbox.offer(number, 60), Ok(()));
        }
        assert_eq!(outbox.offer(0, 60), Err(Refused));
        outbox.send(usize::MAX);
        let received: Vec<usize> = std::iter::from_fn(|| outgoing.next().now_or_never().flatten())
            .map(|message| message.expect("a message"))
            .collect();
        assert_eq!((received.len(), received.last()), (MAX_DROPPABLE + 1, Some(&usize::MAX)));
        assert_eq!(outbox.offer(0, 60), Ok(()), "there is room again");
    }

    #[test]
    fn long_messages_are_refused_sooner() {
        let (outbox, mut outgoing) = outbox();
        let long = MAX_BYTES / 4;
        for number in 0..4 {
            assert_eq!(outbox.offer(number, long), Ok(()));
        }
        assert_eq!(outbox.offer(4, 1), Err(Refused));
        assert!(outgoing.next().now_or_never().is_some());
        assert_eq!(outbox.offer(5, long), Ok(()), "there is room again");
        drop(outgoing);
        assert_eq!(outbox.offer(6, 1), Err(Refused), "nobody reads");
    }

    #[test]
    fn a_controller_that_reads_nothing_is_cut_off() {
        let (outbox, mut outgoing) = outbox();
        for number in 0..=MAX_KEPT {
            outbox.send(number);
        }
        let status = outgoing.next().now_or_never().flatten().expect("an item").expect_err("an error");
        assert_eq!(status.message(), "the controller does not read its messages");
        assert!(outgoing.next().now_or_never().expect("it has ended").is_none());
    }

    #[test]
    fn what_waits_is_sent_before_the_end() {
        let (outbox, mut outgoing) = outbox();
        outbox.send(1);
        outbox.finish(Some(Status::not_found("x")));
        outbox.send(2);
        let mut next = || outgoing.next().now_or_never().expect("nothing is awaited");
        assert_eq!(next().expect("an item").expect("a message"), 1);
        assert_eq!(next().expect("an item").expect_err("an error").message(), "x");
        assert!(next().is_none());
    }
}
