//! Putting fields together to bytes, prepared when the program is loaded.
//!
//! Where each bit of a header goes is known before any packet is there. A template lists, for every 8 bytes, which limbs
//! make them up and how far each is to be turned, so that writing a header is a load, a rotation and a mask for each field
//! and one store for every 8 bytes.

use crate::bits::mask64;
use crate::code::Field;

/// One limb, or a part of it, and its place within 8 bytes.
#[derive(Clone, Copy, Debug)]
struct Piece {
    slot: u32,
    turn: u8,
    /// The 8 bytes end with it.
    last: bool,
    mask: u64,
}

/// Fields of fixed width, one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
    bits: u32,
}

impl Template {
    /// `None` if a field's width is not known before the packet.
    pub(crate) fn new<'f>(fields: impl IntoIterator<Item = &'f Field>) -> Option<Self> {
        let mut template = Self::default();
        for field in fields {
            if field.variable {
                return None;
            }
            let limbs = field.limbs() as u32;
            let top = field.bits - 64 * (limbs - 1);
            for limb in (0..limbs).rev() {
                template.push(field.slot + limb, if limb == limbs - 1 { top } else { 64 });
            }
        }
        if let Some(piece) = template.pieces.last_mut() {
            piece.last = true;
        }
        Some(template)
    }

    /// Appends the lowest `bits` of a limb.
    fn push(&mut self, slot: u32, bits: u32) {
        let room = 64 - self.bits % 64;
        let here = bits.min(room);
        let (beyond, free) = (bits - here, room - here);
        if here > 0 {
            let turn = (free + 64 - beyond) % 64;
            self.pieces.push(Piece { slot, turn: turn as u8, last: free == 0, mask: mask64(here) << free });
        }
        if beyond > 0 {
            let free = 64 - beyond;
            self.pieces.push(Piece { slot, turn: free as u8, last: false, mask: mask64(beyond) << free });
        }
        self.bits += bits;
    }

    /// Appends the bytes; the last is padded with zeros.
    #[inline]
    pub(crate) fn write(&self, slots: &[u64], out: &mut Vec<u8>) {
        let end = out.len() + self.bits.div_ceil(8) as usize;
        let mut word = 0;
        for piece in &self.pieces {
            word |= slots[piece.slot as usize].rotate_left(u32::from(piece.turn)) & piece.mask;
            if piece.last {
                out.extend_from_slice(&u64::to_be_bytes(word));
                word = 0;
            }
        }
        out.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::Writer;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn templates_write_what_writers_write(
            widths in proptest::collection::vec(0u32..150, 0..12),
            slots in proptest::collection::vec(any::<u64>(), 36),
        ) {
            let (mut fields, mut slot) = (Vec::new(), 0);
            for bits in widths {
                let field = Field { slot, bits, signed: false, saturating: false, variable: false };
                slot += field.limbs() as u32;
                fields.push(field);
            }
            let (mut made, mut wanted) = (vec![1], vec![1]);
            Template::new(&fields).expect("no field is variable").write(&slots, &mut made);
            let mut writer = Writer::new(&mut wanted);
            for field in &fields {
                writer.put_wide(&slots[field.range()], field.bits);
            }
            writer.finish();
            prop_assert_eq!(made, wanted);
        }
    }
}
