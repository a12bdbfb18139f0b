//! The byte strings of P4Runtime: big-endian numbers, sent in the shortest form and accepted in any.
//!
//! "Canonical" (specification 8.4) means without leading zero bytes, and one zero byte for zero.

/// The shortest form of a number.
pub(crate) fn canonical(value: &[u8]) -> Vec<u8> {
    match value.iter().position(|&byte| byte != 0) {
        Some(first) => value[first..].to_vec(),
        None => vec![0],
    }
}

/// Why a byte string is not a value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadBytes {
    /// It has no bytes at all.
    Empty,
    /// The number is too large.
    TooWide,
}

/// The number in as many bytes as `bits` take, which is how the engine shows values.
pub(crate) fn full_width(value: &[u8], bits: u32) -> Result<Vec<u8>, BadBytes> {
    if value.is_empty() {
        return Err(BadBytes::Empty);
    }
    let first = value.iter().position(|&byte| byte != 0).unwrap_or(value.len());
    let significant = &value[first..];
    let length = byte_length(bits);
    let excess = match significant.first() {
        Some(&top) => (significant.len() as u64) * 8 - u64::from(top.leading_zeros()) > u64::from(bits),
        None => false,
    };
    if excess {
        return Err(BadBytes::TooWide);
    }
    let mut full = vec![0; length];
    full[length - significant.len()..].copy_from_slice(significant);
    Ok(full)
}

/// How many bytes `bits` take.
pub(crate) fn byte_length(bits: u32) -> usize {
    bits.div_ceil(8) as usize
}

/// All ones, `bits` wide.
pub(crate) fn ones(bits: u32) -> Vec<u8> {
    let mut value = vec![0xff; byte_length(bits)];
    if let (Some(first), extra @ 1..) = (value.first_mut(), value_excess(bits)) {
        *first >>= extra;
    }
    value
}

/// Ones in the `prefix` highest of `bits` bits.
pub(crate) fn prefix_mask(prefix: u32, bits: u32) -> Vec<u8> {
    let mut mask = vec![0; byte_length(bits)];
    for bit in (bits - prefix.min(bits))..bits {
        let from_end = (bit / 8) as usize;
        let length = mask.len();
        mask[length - 1 - from_end] |= 1 << (bit % 8);
    }
    mask
}

/// Whether `value` has ones where `mask`, of the same length, has none.
pub(crate) fn exceeds_mask(value: &[u8], mask: &[u8]) -> bool {
    value.iter().zip(mask).any(|(value, mask)| value & !mask != 0)
}

/// The unused bits of the first byte.
fn value_excess(bits: u32) -> u32 {
    byte_length(bits) as u32 * 8 - bits
}

/// The number, if it fits 64 bits.
pub(crate) fn to_u64(value: &[u8]) -> Option<u64> {
    let full = full_width(value, 64).ok()?;
    Some(full.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn examples() {
        assert_eq!(canonical(&[0, 0, 1, 0]), [1, 0]);
        assert_eq!(canonical(&[0, 0]), [0]);
        assert_eq!(canonical(&[]), [0]);
        assert_eq!(full_width(&[], 9), Err(BadBytes::Empty));
        assert_eq!(full_width(&[2, 0], 9), Err(BadBytes::TooWide));
        assert_eq!(full_width(&[0, 0, 1, 0xff], 9), Ok(vec![1, 0xff]));
        assert_eq!(full_width(&[0], 32), Ok(vec![0; 4]));
        assert_eq!(ones(9), [1, 0xff]);
        assert_eq!(ones(16), [0xff, 0xff]);
        assert_eq!(prefix_mask(4, 9), [1, 0xe0]);
        assert_eq!(prefix_mask(0, 9), [0, 0]);
        assert_eq!(prefix_mask(32, 32), [0xff; 4]);
        assert!(exceeds_mask(&[1, 0], &[0, 0xff]));
        assert!(!exceeds_mask(&[0, 7], &[0, 0xff]));
        assert_eq!(to_u64(&[1, 0]), Some(256));
        assert_eq!(to_u64(&[0; 20]), Some(0));
        assert_eq!(to_u64(&[1; 9]), None);
    }

    proptest! {
        #[test]
        fn a_value_survives_both_forms(number: u64, bits in 1u32..200) {
            let bytes = number.to_be_bytes();
            let fits = bits >= 64 - number.leading_zeros();
            match full_width(&bytes, bits) {
                Ok(full) => {
                    prop_assert!(fits);
                    prop_assert_eq!(full.len(), byte_length(bits));
                    prop_assert_eq!(canonical(&full), canonical(&bytes));
                    prop_assert_eq!(to_u64(&full), Some(number));
                }
                Err(error) => prop_assert!(!fits && error == BadBytes::TooWide),
            }
        }
    }
}
