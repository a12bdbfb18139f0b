//! Byte strings: how P4Runtime writes a `bit<W>` value (specification, "Bytestrings").
//!
//! Big-endian, and in the canonical form the shortest that holds the value: no leading zero bytes, but never empty. We
//! write the canonical form and read any form, as the specification asks of both sides; only a value that does not fit
//! its width is refused.

use thiserror::Error;

/// Why a byte string is not a value of the wanted width.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValueError {
    /// Zero bytes long.
    #[error("an empty byte string is not a value")]
    Empty,
    /// Significant bits beyond the width.
    #[error("{value} needs {needed} bits, but the field has {width}")]
    TooWide {
        /// The value, as hexadecimal text.
        value: String,
        /// Its significant bits.
        needed: u32,
        /// The bits there are.
        width: u32,
    },
    /// Wider than the 128 bits that a number can have here.
    #[error("{value} has {needed} bits; as a number at most 128 can be read")]
    NotANumber {
        /// The value, as hexadecimal text.
        value: String,
        /// Its significant bits.
        needed: u32,
    },
}

/// The canonical byte string of a number.
pub fn encode(value: u128) -> Vec<u8> {
    canonical(&value.to_be_bytes()).to_vec()
}

/// The canonical byte string of a number that must fit into `width` bits.
pub fn encode_width(value: u128, width: u32) -> Result<Vec<u8>, ValueError> {
    let bytes = encode(value);
    check_width(&bytes, width)?;
    Ok(bytes)
}

/// The canonical form of a byte string: without leading zero bytes, but at least one byte.
pub fn canonical(bytes: &[u8]) -> &[u8] {
    match significant(bytes) {
        [] => &[0],
        some => some,
    }
}

/// What follows the leading zero bytes.
fn significant(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().take_while(|&&byte| byte == 0).count()..]
}

/// The number in as many bytes as `width` bits take.
pub fn full_width(bytes: &[u8], width: u32) -> Result<Vec<u8>, ValueError> {
    check_width(bytes, width)?;
    let significant = significant(bytes);
    let mut full = vec![0; byte_length(width) - significant.len()];
    full.extend_from_slice(significant);
    Ok(full)
}

/// How many bytes `width` bits take.
pub fn byte_length(width: u32) -> usize {
    width.div_ceil(8) as usize
}

/// All ones, `width` bits.
pub fn ones(width: u32) -> Vec<u8> {
    prefix_mask(width, width)
}

/// Ones in the `prefix` highest of `width` bits.
pub fn prefix_mask(prefix: u32, width: u32) -> Vec<u8> {
    let bytes = u64::from(width).div_ceil(8);
    let first = bytes * 8 - u64::from(width);
    let set = first..first + u64::from(prefix.min(width));
    let byte = |at: u64| (at * 8..at * 8 + 8).fold(0, |byte, bit| byte << 1 | u8::from(set.contains(&bit)));
    (0..bytes).map(byte).collect()
}

/// The number in a byte string of a `width`-bit field, canonical or not.
pub fn decode(bytes: &[u8], width: u32) -> Result<u128, ValueError> {
    check_width(bytes, width)?;
    let bytes = canonical(bytes);
    if bytes.len() > size_of::<u128>() {
        return Err(ValueError::NotANumber { value: hex(bytes), needed: significant_bits(bytes) });
    }
    Ok(bytes.iter().fold(0, |value, &byte| (value << 8) | u128::from(byte)))
}

/// The byte string, right-aligned in `N` bytes: a MAC address, an IP address.
pub fn decode_array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], ValueError> {
    check_width(bytes, u32::try_from(N * 8).unwrap_or(u32::MAX))?;
    let bytes = canonical(bytes);
    let mut array = [0; N];
    array[N - bytes.len()..].copy_from_slice(bytes);
    Ok(array)
}

/// Refuses what is empty or has bits beyond `width`.
pub fn check_width(bytes: &[u8], width: u32) -> Result<(), ValueError> {
    if bytes.is_empty() {
        return Err(ValueError::Empty);
    }
    let needed = significant_bits(bytes);
    if needed > width {
        return Err(ValueError::TooWide { value: hex(bytes), needed, width });
    }
    Ok(())
}

fn significant_bits(bytes: &[u8]) -> u32 {
    let bytes = canonical(bytes);
    let all = u32::try_from(bytes.len() * 8).unwrap_or(u32::MAX);
    bytes.first().map_or(0, |first| all - first.leading_zeros())
}

/// `0x` and the digits of a byte string, for people.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::from("0x");
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn zero_is_one_byte() {
        assert_eq!(encode(0), [0]);
        assert_eq!(canonical(&[0, 0]), [0]);
        assert_eq!(canonical(&[]), [0]);
        assert_eq!(decode(&[0, 0, 0], 1), Ok(0));
    }

    #[test]
    fn non_canonical_forms_are_read() {
        assert_eq!(decode(&[0, 0, 1, 255], 9), Ok(511));
        assert_eq!(decode_array::<6>(&[2, 0x76]), Ok([0, 0, 0, 0, 2, 0x76]));
        assert_eq!(decode_array::<2>(&[0, 0, 0, 1]), Ok([0, 1]));
    }

    #[test]
    fn values_and_masks_are_as_wide_as_their_field() {
        assert_eq!(full_width(&[0, 0, 1, 0xff], 9), Ok(vec![1, 0xff]));
        assert_eq!(full_width(&[0], 32), Ok(vec![0; 4]));
        assert_eq!(full_width(&[], 9), Err(ValueError::Empty));
        assert!(full_width(&[2, 0], 9).is_err());
        assert_eq!((ones(9), ones(16), ones(0)), (vec![1, 0xff], vec![0xff, 0xff], vec![]));
        assert_eq!((prefix_mask(4, 9), prefix_mask(0, 9)), (vec![1, 0xe0], vec![0, 0]));
        assert_eq!(prefix_mask(40, 32), [0xff; 4]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(decode(&[], 8), Err(ValueError::Empty));
        assert_eq!(decode(&[2, 0], 9), Err(ValueError::TooWide { value: "0x0200".into(), needed: 10, width: 9 }));
        assert_eq!(
            encode_width(512, 9).map_err(|error| error.to_string()),
            Err("0x0200 needs 10 bits, but the field has 9".into())
        );
        assert!(matches!(decode(&[1; 17], 256), Err(ValueError::NotANumber { needed: 129, .. })));
        assert!(decode_array::<2>(&[1, 0, 0]).is_err());
    }

    proptest! {
        #[test]
        fn numbers_survive(value: u128, zeros in 0usize..4) {
            let mut bytes = vec![0; zeros];
            bytes.extend(encode(value));
            prop_assert_eq!(decode(&bytes, 128), Ok(value));
            prop_assert_eq!(canonical(&bytes), &encode(value)[..]);
            let width = 128 - value.leading_zeros();
            prop_assert!(encode_width(value, width).is_ok());
            prop_assert_eq!(encode_width(value, width.saturating_sub(1)).is_ok(), value == 0);
            let full = full_width(&bytes, 200).expect("it is wide enough");
            prop_assert_eq!((full.len(), decode(&full, 128)), (25, Ok(value)));
        }
    }
}
