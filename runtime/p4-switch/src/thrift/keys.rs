//! Keys, parameters and rates, as the reference sends them and as the engine takes them.
//!
//! The reference's byte strings are exactly as long as the field is wide, and what is above a field's bits in the first byte
//! is left out without a word.

use vouch_switch::{EntryKey, KeyFieldInfo, Match, MatchKind, MeterConfig, ParamInfo, TableInfo};

use super::api::standard::{
    BmMatchParam, BmMatchParamExact, BmMatchParamLPM, BmMatchParamRange, BmMatchParamTernary, BmMatchParamType,
    BmMatchParamValid, BmMeterRateConfig, MeterOperationErrorCode,
};
use crate::commands::reversed_priority;

/// A key; `None` where it is not one of the table's.
pub(super) fn key(table: &TableInfo, fields: &[BmMatchParam], priority: Option<i32>) -> Option<EntryKey> {
    if fields.len() != table.key.len() {
        return None;
    }
    let matches = table.key.iter().zip(fields).map(|(known, given)| field(known, given)).collect::<Option<_>>()?;
    let priority = if table.needs_priority { reversed_priority(priority.unwrap_or(0))? } else { 0 };
    Some(EntryKey { matches, priority })
}

fn field(known: &KeyFieldInfo, given: &BmMatchParam) -> Option<Match> {
    let whole = |bytes: &[u8]| (bytes.len() == bytes_of(known.bits)).then(|| fit(bytes, known.bits));
    Some(match (known.kind, given.r#type) {
        (MatchKind::Exact, BmMatchParamType::Exact) => Match::Exact(whole(&given.exact.as_ref()?.key)?),
        (MatchKind::Valid, BmMatchParamType::Valid) => Match::Valid(given.valid.as_ref()?.key),
        (MatchKind::Lpm, BmMatchParamType::Lpm) => {
            let lpm = given.lpm.as_ref()?;
            let prefix_len = u32::try_from(lpm.prefix_length).ok().filter(|length| *length <= known.bits)?;
            let mask = vouch_p4runtime::value::prefix_mask(prefix_len, known.bits);
            Match::Lpm { value: under(whole(&lpm.key)?, &fit(&mask, known.bits)), prefix_len }
        }
        (MatchKind::Ternary, BmMatchParamType::Ternary) => {
            let ternary = given.ternary.as_ref()?;
            let mask = whole(&ternary.mask)?;
            Match::Ternary { value: under(whole(&ternary.key)?, &mask), mask }
        }
        (MatchKind::Range, BmMatchParamType::Range) => {
            let range = given.range.as_ref()?;
            Match::Range { low: whole(&range.start)?, high: whole(&range.end_)? }
        }
        _ => return None,
    })
}

/// A key as it is sent.
pub(super) fn shown(matches: &[Match]) -> Vec<BmMatchParam> {
    let of = |r#type| BmMatchParam { r#type, ..Default::default() };
    let shown = |one: &Match| match one.clone() {
        Match::Exact(key) => BmMatchParam { exact: Some(BmMatchParamExact { key }), ..of(BmMatchParamType::Exact) },
        Match::Lpm { value: key, prefix_len } => {
            let prefix_length = i32::try_from(prefix_len).unwrap_or(i32::MAX);
            BmMatchParam { lpm: Some(BmMatchParamLPM { key, prefix_length }), ..of(BmMatchParamType::Lpm) }
        }
        Match::Ternary { value: key, mask } => {
            BmMatchParam { ternary: Some(BmMatchParamTernary { key, mask }), ..of(BmMatchParamType::Ternary) }
        }
        Match::Range { low: start, high: end_ } => {
            BmMatchParam { range: Some(BmMatchParamRange { start, end_ }), ..of(BmMatchParamType::Range) }
        }
        Match::Valid(key) => BmMatchParam { valid: Some(BmMatchParamValid { key }), ..of(BmMatchParamType::Valid) },
        // The engine gives back each kind's own form of everything.
        Match::Any => of(BmMatchParamType::Ternary),
    };
    matches.iter().map(shown).collect()
}

/// A key as a client sends it: what was left open is spelled out, in as many bytes as each field has.
pub(crate) fn sent(fields: impl IntoIterator<Item = (MatchKind, u32)>, matches: &[Match]) -> Vec<BmMatchParam> {
    let whole = |(kind, bits): (MatchKind, u32), one: &Match| {
        let number = |value: &[u8]| fit(value, bits);
        match (one, kind) {
            (Match::Exact(value), _) => Match::Exact(number(value)),
            (Match::Lpm { value, prefix_len }, _) => Match::Lpm { value: number(value), prefix_len: *prefix_len },
            (Match::Ternary { value, mask }, _) => Match::Ternary { value: number(value), mask: number(mask) },
            (Match::Range { low, high }, _) => Match::Range { low: number(low), high: number(high) },
            (Match::Valid(valid), _) => Match::Valid(*valid),
            (Match::Any, MatchKind::Lpm) => Match::Lpm { value: number(&[]), prefix_len: 0 },
            (Match::Any, MatchKind::Range) => {
                Match::Range { low: number(&[]), high: number(&vouch_p4runtime::value::ones(bits)) }
            }
            (Match::Any, MatchKind::Ternary | MatchKind::Exact | MatchKind::Valid) => {
                Match::Ternary { value: number(&[]), mask: number(&[]) }
            }
        }
    };
    let whole: Vec<Match> = fields.into_iter().zip(matches).map(|(field, one)| whole(field, one)).collect();
    shown(&whole)
}

/// A key as a server sends it; what it does not say matches everything.
pub(crate) fn received(fields: &[BmMatchParam]) -> Vec<Match> {
    let received = |field: &BmMatchParam| {
        let field = field.clone();
        match field.r#type {
            BmMatchParamType::Exact => field.exact.map(|it| Match::Exact(it.key)),
            BmMatchParamType::Lpm => field.lpm.map(|it| {
                let prefix_len = u32::try_from(it.prefix_length).unwrap_or(0);
                Match::Lpm { value: it.key, prefix_len }
            }),
            BmMatchParamType::Ternary => field.ternary.map(|it| Match::Ternary { value: it.key, mask: it.mask }),
            BmMatchParamType::Valid => field.valid.map(|it| Match::Valid(it.key)),
            BmMatchParamType::Range => field.range.map(|it| Match::Range { low: it.start, high: it.end_ }),
        }
    };
    fields.iter().map(|field| received(field).unwrap_or(Match::Any)).collect()
}

/// Parameters; `None` where their number is wrong.
pub(super) fn params(known: &[ParamInfo], given: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    (known.len() == given.len()).then(|| known.iter().zip(given).map(|(known, bytes)| fit(bytes, known.bits)).collect())
}

fn bytes_of(bits: u32) -> usize {
    bits.div_ceil(8) as usize
}

/// A number of as many bytes as its bits take, without what is above them.
pub(crate) fn fit(bytes: &[u8], bits: u32) -> Vec<u8> {
    let length = bytes_of(bits);
    let mut fitted = vec![0; length.saturating_sub(bytes.len())];
    fitted.extend_from_slice(&bytes[bytes.len().saturating_sub(length)..]);
    if let (Some(first), 1..) = (fitted.first_mut(), bits % 8) {
        *first &= (1 << (bits % 8)) - 1;
    }
    fitted
}

fn under(value: Vec<u8>, mask: &[u8]) -> Vec<u8> {
    value.iter().zip(mask).map(|(value, mask)| value & mask).collect()
}

/// The committed rate and then the peak rate.
pub(crate) fn rates(given: &[BmMeterRateConfig]) -> Result<MeterConfig, MeterOperationErrorCode> {
    let [committed, peak] = given else { return Err(MeterOperationErrorCode::BadRatesList) };
    // The conversion takes what is not a number, or is negative, for 0.
    let rate = |rate: &BmMeterRateConfig| (rate.units_per_micros * 1e6).round() as u64;
    let burst = |rate: &BmMeterRateConfig| u64::try_from(rate.burst_size).unwrap_or(u64::MAX);
    Ok(MeterConfig { cir: rate(committed), cburst: burst(committed), pir: rate(peak), pburst: burst(peak) })
}

/// Rates as they are sent: none where none were set.
pub(crate) fn shown_rates(config: Option<MeterConfig>) -> Vec<BmMeterRateConfig> {
    let rate = |rate: u64, burst: u64| BmMeterRateConfig {
        units_per_micros: rate as f64 / 1e6,
        burst_size: i32::try_from(burst).unwrap_or(-1),
    };
    config.map_or_else(Vec::new, |it| vec![rate(it.cir, it.cburst), rate(it.pir, it.pburst)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_to_their_bits() {
        assert_eq!(fit(&[0xff, 0xff], 9), [0x01, 0xff]);
        assert_eq!(fit(&[7], 16), [0, 7]);
        assert_eq!(fit(&[1, 2, 3], 8), [3]);
        assert_eq!(fit(&[], 8), [0]);
        assert!(fit(&[1], 0).is_empty());
    }

    #[test]
    fn rates_are_two_and_go_both_ways() {
        let rate = |units_per_micros, burst_size| BmMeterRateConfig { units_per_micros, burst_size };
        let both = [rate(0.5, 10), rate(1.0, 20)];
        let config = rates(&both).expect("there are two");
        assert_eq!(config, MeterConfig { cir: 500_000, cburst: 10, pir: 1_000_000, pburst: 20 });
        assert_eq!(shown_rates(Some(config)), both);
        assert_eq!(rates(&both[..1]), Err(MeterOperationErrorCode::BadRatesList));
        let odd = rates(&[rate(f64::NAN, 0), rate(f64::INFINITY, -1)]).expect("there are two");
        assert_eq!(odd, MeterConfig { cir: 0, cburst: 0, pir: u64::MAX, pburst: u64::MAX });
    }
}
