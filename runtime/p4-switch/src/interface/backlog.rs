//! What a burst has left in the ring when there are more frames than it is long: they wait here, one close behind the other.
//!
//! A ring has room for frames of full size, so a burst of small ones fills it with a tenth of the bytes that it takes: a server's
//! worth of hosts, which all announce themselves at once, would not fit. Frames come here only while the ring is half full, which it
//! never is where the switch keeps up; the memory is given back when they are gone.

use vouch_switch_server::Frames;

/// How many frames at most. The longer the queue, the later whatever stands in it: to forward this many takes some tens of milliseconds.
const FRAMES: usize = 16_384;
/// Bytes of them at most.
const BYTES: usize = 4 << 20;

/// Frames that wait, in their order.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    frames: Frames,
    /// How many of them have left. Their room is had again when all have.
    left: usize,
}

impl Backlog {
    /// Where to put what comes next, if there is room.
    pub(super) fn room(&mut self) -> Option<&mut Frames> {
        (self.frames.len() < FRAMES && self.frames.bytes() < BYTES).then_some(&mut self.frames)
    }

    /// Move the first of them into `batch`, at most `max`, and give their number.
    pub(super) fn take(&mut self, batch: &mut Frames, max: usize) -> usize {
        let mut taken = 0;
        while taken < max
            && let Some(frame) = self.frames.get(self.left)
        {
            batch.push(frame);
            self.left += 1;
            taken += 1;
        }
        if self.left == self.frames.len() {
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
        let mut sent = 0_u32;
        while let Some(room) = backlog.room() {
            room.push(&sent.to_be_bytes());
            sent += 1;
        }
        assert_eq!(sent as usize, FRAMES);
        let mut batch = Frames::new();
        assert_eq!(backlog.take(&mut batch, 32), 32);
        assert!(backlog.room().is_none(), "the room of the first is not had again before the last has left");
        assert_eq!(backlog.take(&mut batch, usize::MAX), FRAMES - 32);
        assert!(batch.iter().eq((0..sent).map(u32::to_be_bytes).collect::<Vec<_>>().iter()));
        assert!(backlog.room().is_some());
        assert_eq!(backlog.take(&mut batch, 1), 0);
    }

    #[test]
    fn long_frames_are_fewer() {
        let mut backlog = Backlog::default();
        let mut sent = 0;
        while let Some(room) = backlog.room() {
            room.push(&[0; 1514]);
            sent += 1;
        }
        assert_eq!(sent, BYTES.div_ceil(1514));
    }
}
