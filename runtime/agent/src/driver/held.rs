//! Frames that wait for a verdict: the announcement that started a claim travels on only if the claim wins.

use std::collections::HashMap;

use vouch_mobility::FrameId;
use vouch_tables::{Bd, LocationId};

/// A frame, and where it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldFrame {
    /// Its bridge domain.
    pub(crate) bd: Bd,
    /// The access interface it came in by.
    pub(crate) location: LocationId,
    /// The frame, without VLAN tag.
    pub(crate) frame: Vec<u8>,
}

/// At most so many frames; one that does not fit is not kept.
#[derive(Debug)]
pub(crate) struct HeldFrames {
    frames: HashMap<FrameId, HeldFrame>,
    next: u64,
    limit: usize,
}

impl HeldFrames {
    /// Room for `limit` frames.
    pub(crate) fn new(limit: usize) -> Self {
        Self { frames: HashMap::new(), next: 0, limit }
    }

    /// How many are kept.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Keeps a frame until it is taken; `None` if there is no room.
    pub(crate) fn keep(&mut self, frame: HeldFrame) -> Option<FrameId> {
        if self.frames.len() >= self.limit {
            return None;
        }
        let id = FrameId(self.next);
        self.next += 1;
        self.frames.insert(id, frame);
        Some(id)
    }

    /// The frame, which is then not kept any more.
    pub(crate) fn take(&mut self, id: FrameId) -> Option<HeldFrame> {
        self.frames.remove(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_beyond_the_limit_are_not_kept_until_one_is_taken() {
        let frame = HeldFrame {
            bd: Bd::new(1).expect("in range"),
            location: LocationId::access(1).expect("in range"),
            frame: vec![1, 2, 3],
        };
        let mut held = HeldFrames::new(1);
        let id = held.keep(frame.clone()).expect("room for one");
        assert_eq!(held.keep(frame.clone()), None);
        assert_eq!(held.take(id), Some(frame.clone()));
        assert_eq!(held.take(id), None, "taken once");
        assert!(held.keep(frame).is_some_and(|next| next != id));
    }
}
