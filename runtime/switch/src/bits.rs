//! Bits in byte strings and in little-endian 64-bit limbs.
//!
//! A field of a packet is a run of bits in big-endian order; inside the engine it is a number in one or more limbs, least
//! significant limb first.

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

/// Writes the lowest `bits` (up to 64) of `value` at bit `offset` of `data`, whose bits there are 0.
#[inline]
pub(crate) fn put_bits(data: &mut [u8], offset: usize, bits: u32, value: u64) {
    if bits == 0 {
        return;
    }
    let first = offset / 8;
    let last = (offset + bits as usize - 1) / 8;
    let tail = 7 - (offset + bits as usize - 1) % 8;
    let word = (u128::from(value & mask64(bits)) << tail).to_be_bytes();
    let len = last - first + 1;
    for (byte, new) in data[first..=last].iter_mut().zip(&word[16 - len..]) {
        *byte |= new;
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

/// Like [`put_bits`] for any width.
pub(crate) fn put_wide(data: &mut [u8], offset: usize, bits: u32, value: &[u64]) {
    let mut left = bits;
    for limb in value {
        let take = left.min(64);
        left -= take;
        put_bits(data, offset + left as usize, take, *limb);
    }
}

/// A big-endian byte string as `bits` wide limbs appended to `out`, or `None` if it does not fit.
pub(crate) fn push_limbs(bytes: &[u8], bits: u32, out: &mut Vec<u64>) -> Option<()> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let bytes = &bytes[start..];
    let used = bytes.first().map_or(0, |first| bytes.len() * 8 - first.leading_zeros() as usize);
    if used > bits as usize {
        return None;
    }
    let at = out.len();
    out.resize(at + limbs(bits), 0);
    for (limb, chunk) in out[at..].iter_mut().zip(bytes.rchunks(8)) {
        *limb = chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    Some(())
}

/// Limbs as a full-width big-endian byte string.
pub(crate) fn to_bytes(value: &[u64], bits: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity((bits as usize).div_ceil(8));
    push_bytes(value, bits, &mut out);
    out
}

/// Appends limbs as a full-width big-endian byte string.
pub(crate) fn push_bytes(value: &[u64], bits: u32, out: &mut Vec<u8>) {
    for at in (0..(bits as usize).div_ceil(8)).rev() {
        out.push((value[at / 8] >> (at % 8 * 8)) as u8);
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
pub(crate) fn prefix_mask(len: u32, bits: u32) -> Vec<u64> {
    let mut mask = vec![0; limbs(bits)];
    for bit in bits - len..bits {
        mask[bit as usize / 64] |= 1 << (bit % 64);
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_put_is_got(offset in 0usize..40, bits in 1u32..200, value in proptest::collection::vec(any::<u64>(), 4)) {
            let mut value = value;
            truncate(&mut value, bits);
            value.truncate(limbs(bits));
            let mut data = [0u8; 32];
            put_wide(&mut data, offset, bits, &value);
            let mut back = vec![0; limbs(bits)];
            get_wide(&data, offset, bits, &mut back);
            prop_assert_eq!(&back, &value);
            prop_assert!(data.iter().map(|byte| byte.count_ones()).sum::<u32>() == value.iter().map(|limb| limb.count_ones()).sum::<u32>());
        }

        #[test]
        fn bytes_and_limbs_agree(bytes in proptest::collection::vec(any::<u8>(), 1..20)) {
            let bits = bytes.len() as u32 * 8;
            let mut value = Vec::new();
            prop_assert!(push_limbs(&bytes, bits, &mut value).is_some());
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
        assert_eq!(push_limbs(&[2, 0], 9, &mut Vec::new()), None);
        assert_eq!(push_limbs(&[0, 0, 1, 0xff], 9, &mut Vec::new()), Some(()));
    }
}
