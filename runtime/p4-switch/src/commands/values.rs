//! Values as people write them: numbers, addresses, and what fields match.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use vouch_switch::{KeyFieldInfo, Match, MatchKind};

use super::Refused;

/// A decimal number that is not the value of a field.
pub(super) fn number<T: FromStr>(text: &str) -> Result<T, Refused> {
    text.parse().map_err(|_| format!("`{text}` is not a number that fits here"))
}

/// A value of a field or parameter: decimal, hexadecimal, binary, an Ethernet or an IP address.
pub(super) fn param(text: &str, bits: u32) -> Result<Vec<u8>, Refused> {
    let value = bytes(text).ok_or_else(|| format!("`{text}` is neither a number nor an address"))?;
    let used = value
        .iter()
        .position(|byte| *byte != 0)
        .map_or(0, |first| (value.len() - first) as u32 * 8 - value[first].leading_zeros());
    if used > bits { Err(format!("`{text}` does not fit {bits} bits")) } else { Ok(value) }
}

/// What an entry wants of one field.
pub(super) fn key_field(field: &KeyFieldInfo, text: &str) -> Result<Match, Refused> {
    let form = |form: &str| format!("`{text}`: {} is matched by {}, written {form}", field.name, field.kind.name());
    let split = |separator: &str, shown: &str| text.split_once(separator).ok_or_else(|| form(shown));
    Ok(match field.kind {
        MatchKind::Exact => Match::Exact(param(text, field.bits)?),
        MatchKind::Lpm => {
            let (value, length) = split("/", "VALUE/LENGTH")?;
            let prefix_len: u32 = number(length)?;
            let (value, mask) = (param(value, field.bits)?, prefix_mask(prefix_len, field.bits));
            Match::Lpm { value: under(&value, &mask), prefix_len }
        }
        MatchKind::Ternary => {
            let (value, mask) = split("&&&", "VALUE&&&MASK")?;
            let mask = param(mask, field.bits)?;
            Match::Ternary { value: under(&param(value, field.bits)?, &mask), mask }
        }
        MatchKind::Range => {
            let (low, high) = split("->", "LOW->HIGH")?;
            Match::Range { low: param(low, field.bits)?, high: param(high, field.bits)? }
        }
        MatchKind::Valid => match text {
            "1" | "true" | "True" => Match::Valid(true),
            "0" | "false" | "False" => Match::Valid(false),
            _ => return Err(form("0 or 1")),
        },
    })
}

/// Names in a sentence.
pub(super) fn list(names: &[&str]) -> String {
    if names.is_empty() { "none at all".to_owned() } else { names.join(", ") }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(address.octets().to_vec());
    }
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() == 6 {
        return parts.iter().map(|part| u8::from_str_radix(part, 16).ok()).collect();
    }
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(address.octets().to_vec());
    }
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return from_hex(digits);
    }
    if let Some(digits) = text.strip_prefix("0b") {
        return u128::from_str_radix(digits, 2).ok().map(|value| value.to_be_bytes().to_vec());
    }
    text.parse::<u128>().ok().map(|value| value.to_be_bytes().to_vec())
}

/// Hexadecimal digits of any number.
fn from_hex(digits: &str) -> Option<Vec<u8>> {
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let even = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.to_owned() };
    (0..even.len()).step_by(2).map(|at| u8::from_str_radix(&even[at..at + 2], 16).ok()).collect()
}

/// The bits of a value that a mask has; both are numbers, aligned at their ends.
fn under(value: &[u8], mask: &[u8]) -> Vec<u8> {
    let both = value.iter().rev().zip(mask.iter().rev());
    let mut masked: Vec<u8> = both.map(|(value, mask)| value & mask).collect();
    masked.reverse();
    masked
}

fn prefix_mask(length: u32, bits: u32) -> Vec<u8> {
    let bytes = bits.div_ceil(8);
    let lead = bytes * 8 - bits;
    let bit = |at: u32| at >= lead && at < lead + length;
    (0..bytes).map(|byte| (0..8).fold(0, |sum, at| sum << 1 | u8::from(bit(byte * 8 + at)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: MatchKind, bits: u32) -> KeyFieldInfo {
        KeyFieldInfo { name: "hdr.f".to_owned(), kind, bits }
    }

    #[test]
    fn values_have_many_spellings() {
        assert_eq!(param("10.0.0.1", 32), Ok(vec![10, 0, 0, 1]));
        assert_eq!(param("02:0:0:0:0:ff", 48), Ok(vec![2, 0, 0, 0, 0, 255]));
        assert_eq!(param("0x1ff", 9), Ok(vec![1, 255]));
        assert_eq!(param("::1", 128).map(|value| value.len()), Ok(16));
        assert_eq!(param("511", 9).map(|value| value[14..].to_vec()), Ok(vec![1, 255]));
        assert_eq!(param("512", 9), Err("`512` does not fit 9 bits".to_owned()));
        assert_eq!(param("x", 9), Err("`x` is neither a number nor an address".to_owned()));
    }

    #[test]
    fn keys_are_cut_to_their_masks() {
        let lpm = key_field(&field(MatchKind::Lpm, 32), "10.1.2.3/8");
        assert_eq!(lpm, Ok(Match::Lpm { value: vec![10, 0, 0, 0], prefix_len: 8 }));
        let lpm = key_field(&field(MatchKind::Lpm, 9), "0x1ff/1");
        assert_eq!(lpm, Ok(Match::Lpm { value: vec![1, 0], prefix_len: 1 }));
        let ternary = key_field(&field(MatchKind::Ternary, 16), "0x1234&&&0xff");
        assert_eq!(ternary, Ok(Match::Ternary { value: vec![0x34], mask: vec![0xff] }));
        let wrong = key_field(&field(MatchKind::Range, 16), "1-2");
        assert_eq!(wrong, Err("`1-2`: hdr.f is matched by range, written LOW->HIGH".to_owned()));
    }
}
