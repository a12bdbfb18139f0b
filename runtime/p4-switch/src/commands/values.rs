//! Values as people write them: numbers, addresses, and what fields match.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use num_bigint::BigUint;
use vouch_p4runtime::p4info::{MatchField, MatchKind};
use vouch_p4runtime::value::{canonical, ones, prefix_mask};
use vouch_switch::{EntryKey, Match, MatchKind as EngineKind};

use super::Refused;
use super::catalog::engine_kind;

/// A decimal number that is not the value of a field.
pub(super) fn number<T: FromStr>(text: &str) -> Result<T, Refused> {
    text.parse().map_err(|_| format!("`{text}` is not a number that fits here"))
}

/// The highest priority of P4Runtime, and of the reference the lowest number.
const HIGHEST: i32 = i32::MAX;

/// The engine's and P4Runtime's priority, of which the highest wins, for the reference's. BMv2's P4Runtime server has the
/// same rule, so that an entry has one priority over both ways.
pub(super) fn priority(text: &str) -> Result<i32, Refused> {
    let wrong = || format!("`{text}` is not a priority: 0, which wins over all, to {}", HIGHEST - 1);
    reversed_priority(number(text)?).ok_or_else(wrong)
}

/// The engine's priority for the reference's, or the other way round, which is the same.
pub(crate) fn reversed_priority(priority: i32) -> Option<i32> {
    (0..HIGHEST).contains(&priority).then(|| HIGHEST - priority)
}

/// The reference's priority.
pub(crate) fn shown_priority(priority: i32) -> i32 {
    HIGHEST.saturating_sub(priority)
}

/// A value of a field or parameter: decimal, hexadecimal, octal, binary, an Ethernet or an IP address; where the width is 0,
/// text.
pub(super) fn param(text: &str, bits: u32) -> Result<Vec<u8>, Refused> {
    if bits == 0 {
        return Ok(text.as_bytes().to_vec());
    }
    let value = bytes(text).ok_or_else(|| format!("`{text}` is neither a number nor an address"))?;
    let used = BigUint::from_bytes_be(&value).bits();
    if used > u64::from(bits) { Err(format!("`{text}` does not fit {bits} bits")) } else { Ok(value) }
}

/// What an entry wants of one field.
pub(super) fn key_field(field: &MatchField, text: &str) -> Result<Match, Refused> {
    let form = |form: &str| format!("`{text}`: {} is matched by {}, written {form}", field.name, field.kind);
    let split = |separator: &str, shown: &str| text.split_once(separator).ok_or_else(|| form(shown));
    let masked = |shown: &str| {
        let (value, mask) = split("&&&", shown)?;
        let mask = param(mask, field.width)?;
        Ok::<_, Refused>((under(&param(value, field.width)?, &mask), mask))
    };
    let wanted = match &field.kind {
        MatchKind::Exact => Match::Exact(param(text, field.width)?),
        MatchKind::Lpm => {
            let (value, length) = split("/", "VALUE/LENGTH")?;
            let prefix_len: u32 = number(length)?;
            if prefix_len > field.width {
                return Err(format!("`{text}`: {} has {} bits", field.name, field.width));
            }
            let (value, mask) = (param(value, field.width)?, prefix_mask(prefix_len, field.width));
            Match::Lpm { value: under(&value, &mask), prefix_len }
        }
        MatchKind::Ternary => {
            let (value, mask) = masked("VALUE&&&MASK")?;
            Match::Ternary { value, mask }
        }
        MatchKind::Optional => {
            // A text has no bits to leave out, so that any mask but 0 means all of it.
            let (value, mask) = match text.split_once("&&&") {
                Some((value, "0")) if field.width == 0 => (value.as_bytes().to_vec(), Vec::new()),
                Some((value, _)) if field.width == 0 => (value.as_bytes().to_vec(), vec![1]),
                _ => masked("VALUE&&&MASK, the mask all ones or 0")?,
            };
            if field.width > 0 && !is_zero(&mask) && canonical(&mask) != ones(field.width) {
                return Err(form("VALUE&&&MASK, the mask all ones or 0"));
            }
            Match::Ternary { value, mask }
        }
        MatchKind::Range => {
            let (low, high) = split("->", "LOW->HIGH")?;
            let (low, high) = (param(low, field.width)?, param(high, field.width)?);
            if BigUint::from_bytes_be(&low) > BigUint::from_bytes_be(&high) {
                return Err(format!("`{text}`: the range is empty"));
            }
            Match::Range { low, high }
        }
        kind if engine_kind(kind) == Some(EngineKind::Valid) => match text {
            "1" | "true" | "True" => Match::Valid(true),
            "0" | "false" | "False" => Match::Valid(false),
            _ => return Err(form("0 or 1")),
        },
        MatchKind::Other(_) => return Err(format!("{} is matched in a way that has no words", field.name)),
    };
    Ok(normal(field, wanted))
}

/// The one form of a key that has several, so that it is known again.
pub(super) fn normal_key(fields: &[MatchField], key: EntryKey) -> EntryKey {
    let matches = fields.iter().zip(key.matches).map(|(field, wanted)| normal(field, wanted));
    EntryKey { matches: matches.collect(), priority: key.priority }
}

fn normal(field: &MatchField, wanted: Match) -> Match {
    let short = |value: Vec<u8>| canonical(&value).to_vec();
    match wanted {
        Match::Exact(value) => Match::Exact(short(value)),
        Match::Lpm { prefix_len: 0, .. } => Match::Any,
        Match::Lpm { value, prefix_len } => Match::Lpm { value: short(value), prefix_len },
        Match::Ternary { mask, .. } if is_zero(&mask) => Match::Any,
        // A text that is there counts whole.
        Match::Ternary { value, .. } if field.width == 0 => Match::Ternary { value, mask: vec![1] },
        Match::Ternary { value, mask } => Match::Ternary { value: short(value), mask: short(mask) },
        Match::Range { low, high } if is_zero(&low) && canonical(&high) == ones(field.width) => Match::Any,
        Match::Range { low, high } => Match::Range { low: short(low), high: short(high) },
        Match::Valid(_) | Match::Any => wanted,
    }
}

/// Names in a sentence.
pub(super) fn list(names: &[&str]) -> String {
    if names.is_empty() { "none at all".to_owned() } else { names.join(", ") }
}

/// A number in hexadecimal digits, as many as its width takes; text as it is.
pub(super) fn digits(value: &[u8], bits: u32) -> String {
    if bits == 0 {
        return String::from_utf8_lossy(value).into_owned();
    }
    let width = bits.div_ceil(8) as usize;
    let value = canonical(value);
    let padding = width.saturating_sub(value.len());
    (std::iter::repeat_n(&0, padding).chain(value)).map(|byte| format!("{byte:02x}")).collect()
}

fn is_zero(value: &[u8]) -> bool {
    value.iter().all(|byte| *byte == 0)
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
    let radixes = [("0x", 16), ("0X", 16), ("0o", 8), ("0b", 2)];
    let prefixed = radixes.iter().find_map(|(prefix, radix)| Some((text.strip_prefix(prefix)?, *radix)));
    let (digits, radix) = prefixed.unwrap_or((text, 10));
    // The parser would take signs and separators.
    let number = digits.chars().all(|digit| digit.is_digit(radix)).then_some(digits)?;
    Some(BigUint::parse_bytes(number.as_bytes(), radix)?.to_bytes_be())
}

/// The bits of a value that a mask has; both are numbers, aligned at their ends.
fn under(value: &[u8], mask: &[u8]) -> Vec<u8> {
    let both = value.iter().rev().zip(mask.iter().rev());
    let mut masked: Vec<u8> = both.map(|(value, mask)| value & mask).collect();
    masked.reverse();
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: MatchKind, width: u32) -> MatchField {
        MatchField { id: 1, name: "hdr.f".to_owned(), kind, width, type_name: None }
    }

    fn read(kind: MatchKind, bits: u32, text: &str) -> Result<Match, Refused> {
        key_field(&field(kind, bits), text)
    }

    #[test]
    fn values_have_many_spellings() {
        assert_eq!(param("10.0.0.1", 32), Ok(vec![10, 0, 0, 1]));
        assert_eq!(param("02:0:0:0:0:ff", 48), Ok(vec![2, 0, 0, 0, 0, 255]));
        assert_eq!(param("0x1ff", 9), Ok(vec![1, 255]));
        assert_eq!(param("0b101", 3), Ok(vec![5]));
        assert_eq!(param("0o17", 4), Ok(vec![15]));
        assert_eq!(param("::1", 128).map(|value| value.len()), Ok(16));
        assert_eq!(param("511", 9), Ok(vec![1, 255]));
        assert_eq!(param("340282366920938463463374607431768211456", 129).map(|value| value[0]), Ok(1));
        assert_eq!(param("eth0", 0), Ok(b"eth0".to_vec()));
        assert_eq!(param("512", 9), Err("`512` does not fit 9 bits".to_owned()));
        for text in ["x", "0x", "-1", "1_0", "0xfg", "1.2.3", ""] {
            assert_eq!(param(text, 9), Err(format!("`{text}` is neither a number nor an address")));
        }
    }

    #[test]
    fn keys_have_one_form() {
        let lpm = |value: &[u8], prefix_len| Ok(Match::Lpm { value: value.to_vec(), prefix_len });
        assert_eq!(read(MatchKind::Lpm, 32, "10.1.2.3/8"), lpm(&[10, 0, 0, 0], 8));
        assert_eq!(read(MatchKind::Lpm, 9, "0x1ff/1"), lpm(&[1, 0], 1));
        assert_eq!(read(MatchKind::Lpm, 9, "0x1ff/0"), Ok(Match::Any));
        assert_eq!(read(MatchKind::Exact, 16, "0x0007"), Ok(Match::Exact(vec![7])));
        let ternary = Match::Ternary { value: vec![0x34], mask: vec![0xff] };
        assert_eq!(read(MatchKind::Ternary, 16, "0x1234&&&0x00ff"), Ok(ternary));
        assert_eq!(read(MatchKind::Ternary, 16, "7&&&0"), Ok(Match::Any));
        assert_eq!(read(MatchKind::Range, 9, "0->511"), Ok(Match::Any));
        assert_eq!(read(MatchKind::Range, 9, "1->511"), Ok(Match::Range { low: vec![1], high: vec![1, 255] }));
        let optional = |text| key_field(&field(MatchKind::Optional, 9), text);
        assert_eq!(optional("7&&&0x1ff"), Ok(Match::Ternary { value: vec![7], mask: vec![1, 255] }));
        assert_eq!(optional("7&&&0"), Ok(Match::Any));
        let text = |text| key_field(&field(MatchKind::Optional, 0), text);
        assert_eq!(text("eth0&&&1"), Ok(Match::Ternary { value: b"eth0".to_vec(), mask: vec![1] }));
        assert_eq!(text("eth0&&&0"), Ok(Match::Any));
    }

    #[test]
    fn what_a_field_cannot_be_is_refused() {
        let refused = |kind, text| read(kind, 16, text).expect_err("it is wrong");
        assert_eq!(refused(MatchKind::Range, "1-2"), "`1-2`: hdr.f is matched by range, written LOW->HIGH");
        assert_eq!(refused(MatchKind::Range, "2->1"), "`2->1`: the range is empty");
        assert_eq!(refused(MatchKind::Lpm, "1/17"), "`1/17`: hdr.f has 16 bits");
        assert_eq!(refused(MatchKind::Ternary, "1"), "`1`: hdr.f is matched by ternary, written VALUE&&&MASK");
        let partly = key_field(&field(MatchKind::Optional, 16), "1&&&1").expect_err("it is wrong");
        let form = "written VALUE&&&MASK, the mask all ones or 0";
        assert_eq!(partly, format!("`1&&&1`: hdr.f is matched by optional, {form}"));
    }

    #[test]
    fn the_lowest_priority_wins() {
        assert_eq!(priority("0"), Ok(i32::MAX));
        assert_eq!(priority("10").map(shown_priority), Ok(10));
        let range = "is not a priority: 0, which wins over all, to 2147483646";
        assert_eq!(priority("-1"), Err(format!("`-1` {range}")));
        assert_eq!(priority("2147483647"), Err(format!("`2147483647` {range}")));
    }

    #[test]
    fn numbers_are_shown_as_wide_as_they_are() {
        assert_eq!(digits(&[7], 9), "0007");
        assert_eq!(digits(&[0, 0, 1, 2], 16), "0102");
        assert_eq!(digits(b"eth0", 0), "eth0");
    }
}
