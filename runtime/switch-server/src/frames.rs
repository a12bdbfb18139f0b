//! A batch of frames that is filled and emptied again and again without allocating.

use std::ops::Range;

/// Frames one behind the other in one buffer. It keeps its memory when it is cleared, so that whoever reuses it allocates
/// only until it has seen its largest batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Frames {
    /// No frames, no memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Append a frame.
    pub fn push(&mut self, frame: &[u8]) {
        self.push_parts(&[frame]);
    }

    /// Append one frame that lies in several pieces.
    pub fn push_parts(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.ends.push(self.bytes.len());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of all of them together.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The frame at this place, counted from 0.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        Some(&self.bytes[self.range(index)?])
    }

    /// One after the other, in the order in which they were appended.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        self.iter_from(0)
    }

    /// The same without the first `count`.
    pub(crate) fn iter_from(&self, count: usize) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        (count..self.len().max(count)).map(|index| self.get(index).unwrap_or_default())
    }

    /// Forget the first `count` frames.
    pub fn drop_first(&mut self, count: usize) {
        let Some(bytes) = count.checked_sub(1).and_then(|last| self.ends.get(last)).copied() else { return };
        self.bytes.drain(..bytes);
        self.ends.drain(..count);
        self.ends.iter_mut().for_each(|end| *end -= bytes);
    }

    /// Forget the frames, keep the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn range(&self, index: usize) -> Option<Range<usize>> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(start..end)
    }
}

impl<'a> FromIterator<&'a [u8]> for Frames {
    fn from_iter<T: IntoIterator<Item = &'a [u8]>>(frames: T) -> Self {
        let mut all = Self::new();
        for frame in frames {
            all.push(frame);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_keep_their_order_and_their_borders() {
        let mut frames: Frames = [&[1u8, 2][..], &[], &[3]].into_iter().collect();
        frames.push_parts(&[&[4], &[], &[5, 6]]);
        assert_eq!(frames.iter().collect::<Vec<_>>(), [&[1u8, 2][..], &[], &[3], &[4, 5, 6]]);
        assert_eq!((frames.len(), frames.bytes(), frames.get(4)), (4, 6, None));
        frames.clear();
        assert_eq!((frames.is_empty(), frames.get(0)), (true, None));
        frames.push(&[7]);
        assert_eq!(frames.get(0), Some(&[7u8][..]));
    }

    #[test]
    fn the_first_frames_can_go() {
        let mut frames: Frames = [&[1u8, 2][..], &[], &[3], &[4, 5]].into_iter().collect();
        frames.drop_first(0);
        assert_eq!((frames.len(), frames.bytes()), (4, 5));
        frames.drop_first(2);
        frames.push(&[6]);
        assert_eq!(frames.iter().collect::<Vec<_>>(), [&[3u8][..], &[4, 5], &[6]]);
        // There are not so many.
        frames.drop_first(4);
        assert_eq!(frames.len(), 3);
        frames.drop_first(3);
        assert!(frames.is_empty() && frames.bytes() == 0);
    }
}
