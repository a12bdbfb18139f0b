//! Bits in byte strings and in little-endian 64-bit limbs.
//!
//! A field of a packet is a run of bits in big-endian order; inside the engine it is a number in one or more limbs, least
//! significant limb first.

use smallvec::{SmallVec, smallvec};

/// A number; most fit without an allocation.
pub(crate) type Limbs = SmallVec<[u64; 2]>;

/// 0, in as many limbs as a number of this width takes.
pub(crate) fn zero(bits: u32) -> Limbs {
    smallvec![0; limbs(bits)]
}

/// Limbs needed for a number of this width; a width of 0 takes one, so that every field has a place.
pub(crate) fn limbs(bits: u32) -> usize {
    (bits as usize).div_ceil(64).max(1)
}

/// All ones in the lowest `bits`, up to 64.
#[inline]
pub(crate) fn mask64(bits: u32) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}

/// Up to 64 bits starting at bit `offset`. Bits beyond the end of `data` read 0.
#[inline]
pub(crate) fn get_bits(data: &[u8], offset: usize, bits: u32) -> u64 {
    if bits == 0 {
        return 0;
    }
    let first = offset / 8;
    let shift = (offset % 8) as u32;
    if let Some(window) = data.get(first..first + 8)
        && shift + bits <= 64
    {
        let word = u64::from_be_bytes(window.try_into().expect("a window of 8 bytes"));
        return (word << shift) >> (64 - bits);
    }
    let last = (offset + bits as usize - 1) / 8;
    let word = (first..=last).fold(0u128, |word, at| word << 8 | u128::from(data.get(at).copied().unwrap_or(0)));
    let tail = 7 - (offset + bits as usize - 1) % 8;
    (word >> tail) as u64 & mask64(bits)
}

/// Where up to 64 bits of a header are, ready to be read: a window of 8 bytes and how far to shift it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// The limb it goes to.
    pub(crate) slot: u32,
    byte: u32,
    left: u8,
    right: u8,
}

/// Bytes that a piece may look at beyond its own.
pub(crate) const WINDOW: usize = 8;

impl Piece {
    /// `None` where the bits do not fit in 8 bytes because they start within one.
    pub(crate) fn new(slot: u32, offset: u32, bits: u32) -> Option<Piece> {
        let left = offset % 8;
        let right = 64u32.checked_sub(bits)?;
        (left <= right && bits > 0).then_some(Piece { slot, byte: offset / 8, left: left as u8, right: right as u8 })
    }

    /// Reads it from data that reaches [`WINDOW`] bytes beyond the header.
    #[inline]
    pub(crate) fn read(self, data: &[u8]) -> u64 {
        let window = &data[self.byte as usize..][..WINDOW];
        let word = u64::from_be_bytes(window.try_into().expect("a window of 8 bytes"));
        word << self.left >> self.right
    }
}

/// Like [`get_bits`] for any width: fills `out` with the number, highest limbs with 0.
pub(crate) fn get_wide(data: &[u8], offset: usize, bits: u32, out: &mut [u64]) {
    let mut left = bits;
    for limb in out {
        let take = left.min(64);
        left -= take;
        *limb = get_bits(data, offset + left as usize, take);
    }
}

/// Appends fields to a byte string, bit after bit; the last byte is padded with zeros.
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// Bits that do not make 8 bytes yet, the latest lowest.
    word: u64,
    bits: u32,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, word: 0, bits: 0 }
    }

    /// Appends the lowest `bits` of a value, up to 64.
    #[inline]
    pub(crate) fn put(&mut self, value: u64, bits: u32) {
        let value = value & mask64(bits);
        let room = 64 - self.bits;
        if bits < room {
            self.word = self.word << bits | value;
            self.bits += bits;
            return;
        }
        let left = bits - room;
        let full = if room == 64 { value } else { self.word << room | value >> left };
        self.out.extend_from_slice(&full.to_be_bytes());
        (self.word, self.bits) = (value & mask64(left), left);
    }

    /// Appends a number of any width.
    #[inline]
    pub(crate) fn put_wide(&mut self, value: &[u64], bits: u32) {
        if bits <= 64 {
            return self.put(value[0], bits);
        }
        let limbs = limbs(bits);
        self.put(value[limbs - 1], bits - 64 * (limbs as u32 - 1));
        for limb in value[..limbs - 1].iter().rev() {
            self.put(*limb, 64);
        }
    }

    /// Appends what is left.
    pub(crate) fn finish(self) {
        if self.bits > 0 {
            let rest = (self.word << (64 - self.bits)).to_be_bytes();
            self.out.extend_from_slice(&rest[..self.bits.div_ceil(8) as usize]);
        }
    }
}

/// A big-endian byte string as a number of this width, or `None` if it does not fit.
pub(crate) fn number(bytes: &[u8], bits: u32) -> Option<Limbs> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let bytes = &bytes[start..];
    let used = bytes.first().map_or(0, |first| bytes.len() * 8 - first.leading_zeros() as usize);
    if used > bits as usize {
        return None;
    }
    let mut number = zero(bits);
    for (limb, chunk) in number.iter_mut().zip(bytes.rchunks(8)) {
        *limb = chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    Some(number)
}

/// Limbs as a full-width big-endian byte string.
pub(crate) fn to_bytes(value: &[u64], bits: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity((bits as usize).div_ceil(8));
    push_bytes(value, bits, &mut out);
    out
}

/// Appends limbs as a full-width big-endian byte string.
pub(crate) fn push_bytes(value: &[u64], bits: u32, out: &mut Vec<u8>) {
    let bytes = (bits as usize).div_ceil(8);
    for at in (0..bytes.div_ceil(8)).rev() {
        let used = (bytes - 8 * at).min(8);
        out.extend_from_slice(&value[at].to_be_bytes()[8 - used..]);
    }
}

/// Cuts a number to `bits` in place.
#[inline]
pub(crate) fn truncate(value: &mut [u64], bits: u32) {
    let mut left = bits;
    for limb in value {
        let take = left.min(64);
        left -= take;
        *limb &= if take == 0 { 0 } else { mask64(take) };
    }
}

/// The mask of a prefix of `len` bits in a field of `bits`.
pub(crate) fn prefix_mask(len: u32, bits: u32) -> Limbs {
    let below = bits - len;
    let first = |at: usize| at as u32 * 64;
    let ones_up_to = |bit: u32, at: usize| if bit > first(at) { mask64(bit - first(at)) } else { 0 };
    (0..limbs(bits)).map(|at| ones_up_to(bits, at) & !ones_up_to(below, at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_put_is_got(fields in proptest::collection::vec((1u32..200, proptest::collection::vec(any::<u64>(), 4)), 0..8)) {
            let mut bytes = vec![0xff];
            let mut writer = Writer::new(&mut bytes);
            for (bits, value) in &fields {
                writer.put_wide(value, *bits);
            }
            writer.finish();
            let total: u32 = fields.iter().map(|(bits, _)| *bits).sum();
            prop_assert_eq!(bytes.len(), 1 + total.div_ceil(8) as usize);
            let mut offset = 8;
            for (bits, mut value) in fields {
                truncate(&mut value, bits);
                value.truncate(limbs(bits));
                let mut back = vec![0; limbs(bits)];
                get_wide(&bytes, offset, bits, &mut back);
                prop_assert_eq!(back, value);
                offset += bits as usize;
            }
            prop_assert_eq!(get_bits(&bytes, offset, (bytes.len() * 8 - offset) as u32), 0);
        }

        #[test]
        fn bytes_and_limbs_agree(bytes in proptest::collection::vec(any::<u8>(), 1..20)) {
            let bits = bytes.len() as u32 * 8;
            let value = number(&bytes, bits).expect("it is as wide");
            prop_assert_eq!(to_bytes(&value, bits), bytes);
        }
    }

    #[test]
    fn reading_beyond_the_end_gives_zeros() {
        assert_eq!(get_bits(&[0xab], 0, 16), 0xab00);
        assert_eq!(get_bits(&[], 5, 3), 0);
    }

    #[test]
    fn a_number_too_wide_is_refused() {
        assert_eq!(number(&[2, 0], 9), None);
        assert_eq!(number(&[0, 0, 1, 0xff], 9).as_deref(), Some([0x1ff].as_slice()));
    }

    #[test]
    fn prefixes_cross_limbs() {
        for bits in [1, 9, 63, 64, 65, 128, 130] {
            for len in 0..=bits {
                let mask = prefix_mask(len, bits);
                assert_eq!(mask.len(), limbs(bits));
                for bit in 0..mask.len() as u32 * 64 {
                    let set = mask[bit as usize / 64] >> (bit % 64) & 1 == 1;
                    assert_eq!(set, (bits - len..bits).contains(&bit), "bit {bit} of a prefix of {len} in {bits}");
                }
            }
        }
    }
}
