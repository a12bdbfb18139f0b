//! What is to go out besides table writes, in its order: frames for the switch, and messages for the peers.
//!
//! Messages wait for the writes that were decided before them, however long those take. So each session may have so many
//! waiting and no more; one that would have more is not told a part, but is to be reset, and hears whole lists in its next
//! session.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use vouch_mobility::VtepAddr;

use super::core::Output;
use crate::peering::SessionId;

/// How many frames may wait. A table write that takes so long that more come has lost its probes anyway.
const FRAMES: usize = 1 << 17;

/// See the module.
#[derive(Debug)]
pub(crate) struct Outbox {
    limit: usize,
    frames: VecDeque<Output>,
    messages: VecDeque<Output>,
    /// How many messages of a session are waiting, here or with a round of writes.
    waiting: BTreeMap<(VtepAddr, SessionId), usize>,
    /// Sessions that have missed something.
    broken: BTreeSet<(VtepAddr, SessionId)>,
    frames_dropped: u64,
}

impl Outbox {
    /// Room for so many messages of each session.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            frames: VecDeque::new(),
            messages: VecDeque::new(),
            waiting: BTreeMap::new(),
            broken: BTreeSet::new(),
            frames_dropped: 0,
        }
    }

    pub(crate) fn push(&mut self, output: Output) {
        match &output {
            Output::PacketOut { .. } if self.frames.len() >= FRAMES => self.frames_dropped += 1,
            Output::PacketOut { .. } => self.frames.push_back(output),
            Output::Send { to, session, .. } => {
                let session = (*to, *session);
                if self.broken.contains(&session) {
                    return;
                }
                let waiting = self.waiting.entry(session).or_default();
                if *waiting >= self.limit {
                    self.broken.insert(session);
                    return;
                }
                *waiting += 1;
                self.messages.push_back(output);
            }
        }
    }

    /// Whether anything waits here.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.messages.is_empty()
    }

    /// The frames that wait.
    pub(crate) fn take_frames(&mut self) -> VecDeque<Output> {
        std::mem::take(&mut self.frames)
    }

    /// The messages that wait. They count until [`Self::gone`] is told of each.
    pub(crate) fn take_messages(&mut self) -> VecDeque<Output> {
        std::mem::take(&mut self.messages)
    }

    /// A message has been sent, or is not going to be.
    pub(crate) fn gone(&mut self, to: VtepAddr, session: SessionId) {
        if let Some(waiting) = self.waiting.get_mut(&(to, session)) {
            *waiting -= 1;
            if *waiting == 0 {
                self.waiting.remove(&(to, session));
            }
        }
    }

    /// How many messages wait for a peer, here or with a round of writes.
    pub(crate) fn waiting_for(&self, peer: VtepAddr) -> usize {
        self.waiting.iter().filter(|((of, _), _)| *of == peer).map(|(_, waiting)| waiting).sum()
    }

    /// How many more messages of a session may wait.
    pub(crate) fn room(&self, peer: VtepAddr, session: SessionId) -> usize {
        if self.broken.contains(&(peer, session)) {
            return 0;
        }
        self.limit.saturating_sub(self.waiting.get(&(peer, session)).copied().unwrap_or(0))
    }

    /// A session has missed something. It is to be reset, and gets nothing more.
    pub(crate) fn broke(&mut self, peer: VtepAddr, session: SessionId) {
        self.broken.insert((peer, session));
    }

    /// The sessions that have missed something, and are to be reset; each as long as it is not `over`.
    pub(crate) fn broken(&self) -> impl Iterator<Item = (VtepAddr, SessionId)> {
        self.broken.iter().copied()
    }

    /// A session with the peer is over.
    pub(crate) fn over(&mut self, peer: VtepAddr) {
        self.broken.retain(|(of, _)| *of != peer);
    }

    /// Frames dropped because too many waited.
    pub(crate) fn frames_dropped(&self) -> u64 {
        self.frames_dropped
    }
}

#[cfg(test)]
mod tests {
    use vouch_mobility::{Message, Sync};

    use super::*;

    const PEER: VtepAddr = VtepAddr(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)));
    const OTHER: VtepAddr = VtepAddr(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 3)));
    const FIRST: SessionId = SessionId(1);
    const NEXT: SessionId = SessionId(2);

    fn message(to: VtepAddr, session: SessionId) -> Output {
        Output::Send { to, session, message: Message::Sync(Sync::Start) }
    }

    #[test]
    fn a_session_that_would_have_too_many_waiting_is_broken_and_no_other_is() {
        let mut outbox = Outbox::new(2);
        for _ in 0..2 {
            outbox.push(message(PEER, FIRST));
            outbox.push(message(OTHER, FIRST));
        }
        assert_eq!((outbox.room(PEER, FIRST), outbox.broken().count()), (0, 0));
        outbox.push(message(PEER, FIRST));
        assert_eq!(outbox.broken().collect::<Vec<_>>(), [(PEER, FIRST)]);
        // What is with a round of writes counts as well.
        assert_eq!(outbox.take_messages().len(), 4);
        assert_eq!(outbox.room(OTHER, FIRST), 0);
        outbox.gone(OTHER, FIRST);
        assert_eq!(outbox.room(OTHER, FIRST), 1);
        // Not even if there is room again: it has missed something.
        outbox.gone(PEER, FIRST);
        outbox.push(message(PEER, FIRST));
        assert!(outbox.is_empty() && outbox.room(PEER, FIRST) == 0);
        // The next session begins anew.
        outbox.over(PEER);
        outbox.push(message(PEER, NEXT));
        assert_eq!((outbox.broken().count(), outbox.take_messages().len()), (0, 1));
    }
}
