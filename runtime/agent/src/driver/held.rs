//! Frames that wait: announcements that travel on only if their claim wins, and requests that somebody has to answer.

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

/// At most so many frames, and at most half of them of one place; one that does not fit is not kept.
#[derive(Debug)]
pub(crate) struct HeldFrames {
    frames: HashMap<FrameId, HeldFrame>,
    by_place: HashMap<LocationId, usize>,
    next: u64,
    limit: usize,
}

impl HeldFrames {
    /// Room for `limit` frames.
    pub(crate) fn new(limit: usize) -> Self {
        Self { frames: HashMap::new(), by_place: HashMap::new(), next: 0, limit }
    }

    /// How many are kept.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Keeps a frame until it is taken; gives it back if there is no room.
    pub(crate) fn keep(&mut self, frame: HeldFrame) -> Result<FrameId, HeldFrame> {
        let share = self.limit.div_ceil(2);
        let of_place = self.by_place.entry(frame.location).or_default();
        if self.frames.len() >= self.limit || *of_place >= share {
            return Err(frame);
        }
        *of_place += 1;
        let id = FrameId(self.next);
        self.next += 1;
        self.frames.insert(id, frame);
        Ok(id)
    }

    /// The frame, which is then not kept any more.
    pub(crate) fn take(&mut self, id: FrameId) -> Option<HeldFrame> {
        let frame = self.frames.remove(&id)?;
        if let Some(of_place) = self.by_place.get_mut(&frame.location) {
            *of_place -= 1;
            if *of_place == 0 {
                self.by_place.remove(&frame.location);
            }
        }
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(place: u16) -> HeldFrame {
        HeldFrame {
            bd: Bd::new(1).expect("in range"),
            location: LocationId::access(place).expect("in range"),
            frame: vec![1, 2, 3],
        }
    }

    #[test]
    fn frames_beyond_the_limit_are_not_kept_until_one_is_taken() {
        let mut held = HeldFrames::new(1);
        let id = held.keep(frame(1)).expect("room for one");
        assert_eq!(held.keep(frame(2)), Err(frame(2)));
        assert_eq!(held.take(id), Some(frame(1)));
        assert_eq!(held.take(id), None, "taken once");
        assert!(held.keep(frame(1)).is_ok_and(|next| next != id));
    }

    #[test]
    fn one_place_has_no_more_than_half_of_the_room() {
        let mut held = HeldFrames::new(4);
        let first = held.keep(frame(1)).expect("room");
        assert!(held.keep(frame(1)).is_ok());
        assert_eq!(held.keep(frame(1)), Err(frame(1)));
        assert!(held.keep(frame(2)).is_ok() && held.keep(frame(2)).is_ok());
        assert!(held.keep(frame(3)).is_err(), "it is full");
        held.take(first);
        assert!(held.keep(frame(1)).is_ok());
    }
}
