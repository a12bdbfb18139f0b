//! The engine's counters and meters as messages of P4Runtime, and back; for servers, and for clients that know the engine's
//! types.
//!
//! The protocol's numbers are signed, but none of these can be negative. What exceeds them is shown as the largest there is.

use thiserror::Error;
use vouch_p4runtime::p4::v1;
use vouch_switch::{CounterData, MeterConfig};

/// A number of a message that is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{field} {number} is negative")]
pub struct Negative {
    field: &'static str,
    number: i64,
}

/// A number as the protocol has it.
#[must_use]
pub fn encode_number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The place of a cell in its array.
#[must_use]
pub fn encode_index(cell: u64) -> Option<v1::Index> {
    Some(v1::Index { index: encode_number(cell) })
}

/// What was counted.
#[must_use]
pub fn encode_counter(data: &CounterData) -> v1::CounterData {
    v1::CounterData { packet_count: encode_number(data.packets), byte_count: encode_number(data.bytes) }
}

/// The reverse of [`encode_counter`].
///
/// # Errors
/// A count is negative.
pub fn decode_counter(data: &v1::CounterData) -> Result<CounterData, Negative> {
    Ok(CounterData {
        packets: decode("packet_count", data.packet_count)?,
        bytes: decode("byte_count", data.byte_count)?,
    })
}

/// Rates and bursts of a meter, in its unit per second and in its unit.
#[must_use]
pub fn encode_meter(config: &MeterConfig) -> v1::MeterConfig {
    v1::MeterConfig {
        cir: encode_number(config.cir),
        cburst: encode_number(config.cburst),
        pir: encode_number(config.pir),
        pburst: encode_number(config.pburst),
        eburst: 0,
    }
}

/// The reverse of [`encode_meter`]; the engine's meters have no excess burst.
///
/// # Errors
/// A rate or burst is negative.
pub fn decode_meter(config: &v1::MeterConfig) -> Result<MeterConfig, Negative> {
    Ok(MeterConfig {
        cir: decode("cir", config.cir)?,
        cburst: decode("cburst", config.cburst)?,
        pir: decode("pir", config.pir)?,
        pburst: decode("pburst", config.pburst)?,
    })
}

fn decode(field: &'static str, number: i64) -> Result<u64, Negative> {
    u64::try_from(number).map_err(|_| Negative { field, number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_meters_come_back() {
        let data = CounterData { packets: 3, bytes: 300 };
        assert_eq!(decode_counter(&encode_counter(&data)), Ok(data));
        let most = CounterData { packets: u64::MAX, bytes: 0 };
        assert_eq!(encode_counter(&most).packet_count, i64::MAX);
        let config = MeterConfig { cir: 1, cburst: 2, pir: 3, pburst: 4 };
        assert_eq!(decode_meter(&encode_meter(&config)), Ok(config));
        let refused = decode_meter(&v1::MeterConfig { pir: -3, ..v1::MeterConfig::default() });
        assert_eq!(refused.expect_err("it is negative").to_string(), "pir -3 is negative");
    }
}
