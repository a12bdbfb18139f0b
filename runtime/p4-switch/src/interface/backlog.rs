//! What a burst has left in the ring when there are more frames than it is long: they wait here, one close behind the other.
//!
//! A ring has room for frames of full size, so a burst of small ones fills it with a tenth of the bytes that it takes: a server's
//! worth of hosts, which all announce themselves at once, would not fit. Frames come here only while the ring is half full, which it
//! never is where the switch keeps up; the memory is given back when they are gone.

use std::collections::VecDeque;

use vouch_switch_server::Frames;

/// How many frames at most. The longer the queue, the later whatever stands in it: to forward this many takes some tens of milliseconds.
const FRAMES: usize = 16_384;
/// Bytes of them at most.
const BYTES: usize = 4 << 20;
/// How many lie in one piece of memory, whose room is had again when the last of them has left.
const PIECE: usize = 1_024;

/// Frames that wait, in their order.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pieces: VecDeque<Frames>,
    /// Of all pieces together.
    frames: usize,
    bytes: usize,
    /// How many of the first piece have left.
    left: usize,
}

impl Backlog {
    /// Put what `fill` appends behind the others, if there is room for it. That must be little.
    pub(super) fn fill<T>(&mut self, fill: impl FnOnce(&mut Frames) -> T) -> Option<T> {
        if self.frames >= FRAMES || self.bytes >= BYTES {
            return None;
        }
        if self.pieces.back().is_none_or(|piece| piece.len() >= PIECE) {
            self.pieces.push_back(Frames::new());
        }
        let piece = self.pieces.back_mut()?;
        let (frames, bytes) = (piece.len(), piece.bytes());
        let filled = fill(piece);
        self.frames += piece.len() - frames;
        self.bytes += piece.bytes() - bytes;
        Some(filled)
    }

    /// Move the first of them into `batch`, at most `max`, and give their number.
    pub(super) fn take(&mut self, batch: &mut Frames, max: usize) -> usize {
        let mut taken = 0;
        while taken < max
            && let Some(first) = self.pieces.front()
        {
            if let Some(frame) = first.get(self.left) {
                batch.push(frame);
                (self.left, taken) = (self.left + 1, taken + 1);
            } else {
                self.frames -= first.len();
                self.bytes -= first.bytes();
                self.left = 0;
                self.pieces.pop_front();
            }
        }
        if self.frames == self.left {
            *self = Self::default();
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_leave_in_their_order_and_their_room_is_had_again() {
        let mut backlog = Backlog::default();
        let (mut sent, mut batch) = (0_u32, Frames::new());
        let mut fill = |backlog: &mut Backlog| {
            while backlog.fill(|room| room.push(&sent.to_be_bytes())).is_some() {
                sent += 1;
            }
            sent as usize
        };
        assert_eq!(fill(&mut backlog), FRAMES);
        assert_eq!(backlog.take(&mut batch, PIECE), PIECE);
        assert_eq!(backlog.take(&mut batch, 1), 1);
        assert_eq!(
            fill(&mut backlog),
            FRAMES + PIECE,
            "who always finds some waiting has room for others all the same"
        );
        assert_eq!(backlog.take(&mut batch, usize::MAX), FRAMES - 1);
        let expected: Vec<_> = (0..sent).map(u32::to_be_bytes).collect();
        assert!(batch.iter().eq(expected.iter()));
        assert_eq!((backlog.take(&mut batch, 1), backlog.frames, backlog.bytes), (0, 0, 0));
    }

    #[test]
    fn long_frames_are_fewer() {
        let mut backlog = Backlog::default();
        let mut sent = 0;
        while backlog.fill(|room| room.push(&[0; 1514])).is_some() {
            sent += 1;
        }
        assert_eq!(sent, BYTES.div_ceil(1514));
    }
}
