//! Match keys: `FieldMatch` messages to the engine's matches and back (specification 9.1.1).
//!
//! A "don't care" field is a missing `FieldMatch` on the wire and [`Match::Any`] here. Every other value is kept as wide as
//! its field, so that two spellings of one key are equal.

use vouch_p4runtime::p4::v1::FieldMatch;
use vouch_p4runtime::p4::v1::field_match::{Exact, FieldMatchType, Lpm, Optional, Range, Ternary};
use vouch_p4runtime::p4info::MatchKind;
use vouch_p4runtime::value::{ValueError, canonical, full_width, ones, prefix_mask};
use vouch_switch::{EntryKey, Match};

use crate::fault::{Fault, Outcome, choices};
use crate::schema::{Field, Table};
use crate::translation::{Translator, decode_value, encode_value};

/// The key that a request names.
pub(crate) fn decode_key(table: &Table, matches: &[FieldMatch], priority: i32) -> Outcome<EntryKey> {
    let matches = decode_matches(&table.fields, matches)?;
    match (table.info.needs_priority(), priority) {
        (true, ..=0) => Err(Fault::invalid(format!(
            "priority {priority} is not valid: the key has ternary, range or optional fields, so that it must be at least 1"
        ))),
        (false, 1.. | ..=-1) => Err(Fault::invalid(format!(
            "priority {priority} is not valid: the key has only exact and lpm fields, so that it must be 0"
        ))),
        (true, _) | (false, 0) => Ok(EntryKey { matches, priority }),
    }
}

/// One match per field, in the fields' order.
pub(crate) fn decode_matches(fields: &[Field], given: &[FieldMatch]) -> Outcome<Vec<Match>> {
    for (position, one) in given.iter().enumerate() {
        if !fields.iter().any(|field| field.info.id == one.field_id) {
            let all = choices(fields.iter().map(|field| format!("{} ({})", field.info.name, field.info.id)));
            return Err(Fault::invalid(format!("no match field has id {}; there is {all}", one.field_id)));
        }
        if given[..position].iter().any(|other| other.field_id == one.field_id) {
            return Err(Fault::invalid(format!("match field {} is given twice", one.field_id)));
        }
    }
    fields
        .iter()
        .map(|field| match given.iter().find(|one| one.field_id == field.info.id) {
            Some(one) => decode(field, one).map_err(|fault| fault.within(format_args!("field {}", field.info.name))),
            None if field.info.kind == MatchKind::Exact => {
                Err(Fault::invalid(format!("field {} is missing: exact fields cannot be left out", field.info.name)))
            }
            None => Ok(Match::Any),
        })
        .collect()
}

fn decode(field: &Field, given: &FieldMatch) -> Outcome<Match> {
    let Some(given) = &given.field_match_type else {
        return Err(Fault::invalid(format!("it has no match; give {}", field.info.kind)));
    };
    let translator = field.translator.as_deref();
    if let Some(translator) = translator.filter(|translator| !translator.keeps_order()) {
        check_whole(given, translator)?;
    }
    match (&field.info.kind, given) {
        (MatchKind::Exact, FieldMatchType::Exact(exact)) => {
            Ok(Match::Exact(decode_value(translator, &exact.value, field.bits)?))
        }
        (MatchKind::Lpm, FieldMatchType::Lpm(lpm)) => {
            let prefix_len = u32::try_from(lpm.prefix_len).unwrap_or(0);
            if prefix_len == 0 || prefix_len > field.bits {
                return Err(Fault::invalid(format!(
                    "prefix length {} is not from 1 to {}; leave the field out to match everything",
                    lpm.prefix_len, field.bits
                )));
            }
            let value = value(&lpm.value, field.bits)?;
            check_mask(&value, &prefix_mask(prefix_len, field.bits))?;
            Ok(Match::Lpm { value, prefix_len })
        }
        (MatchKind::Ternary, FieldMatchType::Ternary(ternary)) => {
            let mask = value(&ternary.mask, field.bits)?;
            if mask.iter().all(|byte| *byte == 0) {
                return Err(Fault::invalid("the mask is 0; leave the field out to match everything"));
            }
            let value = value(&ternary.value, field.bits)?;
            check_mask(&value, &mask)?;
            Ok(Match::Ternary { value, mask })
        }
        (MatchKind::Range, FieldMatchType::Range(range)) => {
            let (low, high) = (value(&range.low, field.bits)?, value(&range.high, field.bits)?);
            if low > high {
                return Err(Fault::invalid("the low end of the range is above the high one"));
            }
            if low.iter().all(|byte| *byte == 0) && high == ones(field.bits) {
                return Err(Fault::invalid("the range holds every value; leave the field out to match everything"));
            }
            Ok(Match::Range { low, high })
        }
        (MatchKind::Optional, FieldMatchType::Optional(optional)) => {
            Ok(Match::Ternary { value: decode_value(translator, &optional.value, field.bits)?, mask: ones(field.bits) })
        }
        (_, FieldMatchType::Exact(_)) => Err(other_kind(field, "exact")),
        (_, FieldMatchType::Lpm(_)) => Err(other_kind(field, "lpm")),
        (_, FieldMatchType::Ternary(_)) => Err(other_kind(field, "ternary")),
        (_, FieldMatchType::Range(_)) => Err(other_kind(field, "range")),
        (_, FieldMatchType::Optional(_)) => Err(other_kind(field, "optional")),
        (_, FieldMatchType::Other(_)) => Err(other_kind(field, "of an architecture-specific kind")),
    }
}

/// A value that is spelled otherwise has no parts that could be matched.
fn check_whole(given: &FieldMatchType, translator: &Translator) -> Outcome {
    match given {
        FieldMatchType::Exact(_) | FieldMatchType::Optional(_) => Ok(()),
        FieldMatchType::Lpm(_) | FieldMatchType::Ternary(_) | FieldMatchType::Range(_) | FieldMatchType::Other(_) => {
            let name = translator.name();
            Err(Fault::unimplemented(format!("{name} is translated: it can be matched as exact or optional only")))
        }
    }
}

fn other_kind(field: &Field, given: &str) -> Fault {
    Fault::invalid(format!("the match is {given} where the field is {}", field.info.kind))
}

/// A value in full width, or why the bytes are none.
pub(crate) fn value(bytes: &[u8], bits: u32) -> Outcome<Vec<u8>> {
    full_width(bytes, bits).map_err(|bad| match bad {
        ValueError::Empty => Fault::invalid("a value is empty; zero is one byte 00"),
        ValueError::TooWide { .. } | ValueError::NotANumber { .. } => {
            Fault::invalid(format!("value {} does not fit {bits} bits", hex(bytes)))
        }
    })
}

fn check_mask(value: &[u8], mask: &[u8]) -> Outcome {
    if value.iter().zip(mask).any(|(value, mask)| value & !mask != 0) {
        return Err(Fault::invalid(format!("value {} has bits where its mask {} has none", hex(value), hex(mask))));
    }
    Ok(())
}

/// `0x0a00`, shortened in the middle of nowhere useful.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const SHOWN: usize = 20;
    let digits: String = bytes.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
    let rest = if bytes.len() > SHOWN { "..." } else { "" };
    format!("0x{digits}{rest}")
}

/// The wire form of a key's matches, "don't care" fields left out.
pub(crate) fn encode_matches(fields: &[Field], matches: &[Match]) -> Vec<FieldMatch> {
    let encode = |(field, one): (&Field, &Match)| {
        let translator = field.translator.as_deref();
        let short = |value: &[u8]| canonical(value).to_vec();
        let kind = match normal(field, one) {
            Match::Any => return None,
            Match::Exact(value) => FieldMatchType::Exact(Exact { value: encode_value(translator, &value) }),
            Match::Valid(valid) => FieldMatchType::Exact(Exact { value: vec![u8::from(valid)] }),
            Match::Lpm { value, prefix_len } => {
                FieldMatchType::Lpm(Lpm { value: short(&value), prefix_len: prefix_len as i32 })
            }
            Match::Ternary { value, .. } if field.info.kind == MatchKind::Optional => {
                FieldMatchType::Optional(Optional { value: encode_value(translator, &value) })
            }
            Match::Ternary { value, mask } => {
                FieldMatchType::Ternary(Ternary { value: short(&value), mask: short(&mask) })
            }
            Match::Range { low, high } => FieldMatchType::Range(Range { low: short(&low), high: short(&high) }),
        };
        Some(FieldMatch { field_id: field.info.id, field_match_type: Some(kind) })
    };
    fields.iter().zip(matches).filter_map(encode).collect()
}

/// A key as [`decode_key`] makes it, whichever form of "everything" the engine chose.
pub(crate) fn normal_key(table: &Table, key: &EntryKey) -> EntryKey {
    let matches = table.fields.iter().zip(&key.matches).map(|(field, one)| normal(field, one)).collect();
    EntryKey { matches, priority: key.priority }
}

fn normal(field: &Field, one: &Match) -> Match {
    let zero = |value: &[u8]| value.iter().all(|byte| *byte == 0);
    match one {
        Match::Lpm { prefix_len: 0, .. } => Match::Any,
        Match::Ternary { mask, .. } if zero(mask) => Match::Any,
        Match::Range { low, high } if zero(low) && *high == ones(field.bits) => Match::Any,
        other => other.clone(),
    }
}
