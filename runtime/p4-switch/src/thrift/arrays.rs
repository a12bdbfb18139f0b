//! Counters, meters and registers that are arrays of their own.

use std::ops::Range;

use vouch_switch::{ControlError, CounterData, MeterConfig, RegisterId, Switch};

use super::api::standard::{
    Arrays, BmCounterValue, BmMeterRateConfig, CounterOperationErrorCode as CounterCode, InvalidCounterOperation,
    InvalidMeterOperation, InvalidRegisterOperation, MeterOperationErrorCode as MeterCode,
    RegisterOperationErrorCode as RegisterCode,
};
use super::services::Services;
use super::wire::Failure;
use super::{direct, keys};

/// An index that is negative lies outside every array.
fn index_of(index: i32) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX)
}

fn counter_code(_: ControlError) -> CounterCode {
    CounterCode::InvalidIndex
}

fn meter_code(error: ControlError) -> MeterCode {
    match error {
        ControlError::MeterRates => MeterCode::InvalidInfoRateValue,
        _ => MeterCode::InvalidIndex,
    }
}

/// A register's value as the reference gives it back: what is more than it can say is the most that it can.
fn shown(value: &[u8]) -> i64 {
    let (above, low) = value.split_at(value.len().saturating_sub(8));
    let low = low.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    if above.iter().all(|byte| *byte == 0) { i64::try_from(low).unwrap_or(i64::MAX) } else { i64::MAX }
}

/// A number in a register of so many bits, negative ones by their complement.
fn stored(value: i64, bits: u32) -> Vec<u8> {
    let sign = if value < 0 { 0xff } else { 0 };
    let mut bytes = vec![sign; (bits.div_ceil(8) as usize).saturating_sub(8)];
    bytes.extend_from_slice(&value.to_be_bytes());
    keys::fit(&bytes, bits)
}

type Registers<T> = Result<T, Failure<InvalidRegisterOperation>>;

impl Services {
    fn set_meters(
        &self,
        name: &str,
        index: Option<i32>,
        rates: &[BmMeterRateConfig],
    ) -> Result<(), Failure<InvalidMeterOperation>> {
        self.with(|running, _| {
            let (id, size) = meter(running.switch(), name)?;
            let cells = index.map_or(0..size, |index| index_of(index)..index_of(index).saturating_add(1));
            if cells.end > size {
                return Err(MeterCode::InvalidIndex.into());
            }
            let config: MeterConfig = keys::rates(rates)?;
            for cell in cells {
                running.switch().set_meter(id, cell, Some(config)).map_err(meter_code)?;
            }
            Ok(())
        })
    }

    fn set_registers(&self, name: &str, cells: Option<Range<u64>>, value: i64) -> Registers<()> {
        self.with(|running, _| {
            let (id, size, bits) = register(running.switch(), name)?;
            let cells = cells.unwrap_or(0..size);
            if cells.end > size || cells.start > cells.end {
                return Err(RegisterCode::InvalidIndex.into());
            }
            let value = stored(value, bits);
            for cell in cells {
                running.switch().set_register(id, cell, &value).map_err(|_| RegisterCode::Error)?;
            }
            Ok(())
        })
    }
}

fn meter(switch: &Switch, name: &str) -> Result<(vouch_switch::MeterId, u64), MeterCode> {
    let id = switch.program().meter(name).ok_or(MeterCode::InvalidMeterName)?;
    let info = switch.program().meter_info(id).ok_or(MeterCode::InvalidMeterName)?;
    Ok((id, info.size))
}

/// A register array with its size and width.
fn register(switch: &Switch, name: &str) -> Result<(RegisterId, u64, u32), RegisterCode> {
    let id = switch.program().register(name).ok_or(RegisterCode::InvalidRegisterName)?;
    let info = switch.program().register_info(id).ok_or(RegisterCode::InvalidRegisterName)?;
    Ok((id, info.size, info.bits))
}

impl Arrays for Services {
    fn bm_counter_read(
        &self,
        _: i32,
        name: String,
        index: i32,
    ) -> Result<BmCounterValue, Failure<InvalidCounterOperation>> {
        self.with(|running, _| {
            let id = running.switch().program().counter(&name).ok_or(CounterCode::InvalidCounterName)?;
            Ok(direct::shown(running.switch().counter(id, index_of(index)).map_err(counter_code)?))
        })
    }

    fn bm_counter_reset_all(&self, _: i32, name: String) -> Result<(), Failure<InvalidCounterOperation>> {
        self.with(|running, _| {
            let program = running.switch().program();
            let id = program.counter(&name).ok_or(CounterCode::InvalidCounterName)?;
            let size = program.counter_info(id).map_or(0, |info| info.size);
            for index in 0..size {
                running.switch().set_counter(id, index, CounterData::default()).map_err(counter_code)?;
            }
            Ok(())
        })
    }

    fn bm_counter_write(
        &self,
        _: i32,
        name: String,
        index: i32,
        value: BmCounterValue,
    ) -> Result<(), Failure<InvalidCounterOperation>> {
        self.with(|running, _| {
            let id = running.switch().program().counter(&name).ok_or(CounterCode::InvalidCounterName)?;
            let data = direct::data(&value);
            Ok(running.switch().set_counter(id, index_of(index), data).map_err(counter_code)?)
        })
    }

    fn bm_meter_array_set_rates(
        &self,
        _: i32,
        name: String,
        rates: Vec<BmMeterRateConfig>,
    ) -> Result<(), Failure<InvalidMeterOperation>> {
        self.set_meters(&name, None, &rates)
    }

    fn bm_meter_set_rates(
        &self,
        _: i32,
        name: String,
        index: i32,
        rates: Vec<BmMeterRateConfig>,
    ) -> Result<(), Failure<InvalidMeterOperation>> {
        self.set_meters(&name, Some(index), &rates)
    }

    fn bm_meter_get_rates(
        &self,
        _: i32,
        name: String,
        index: i32,
    ) -> Result<Vec<BmMeterRateConfig>, Failure<InvalidMeterOperation>> {
        self.with(|running, _| {
            let (id, _) = meter(running.switch(), &name)?;
            Ok(keys::shown_rates(running.switch().meter(id, index_of(index)).map_err(meter_code)?))
        })
    }

    fn bm_register_read(&self, _: i32, name: String, index: i32) -> Registers<i64> {
        self.with(|running, _| {
            let (id, ..) = register(running.switch(), &name)?;
            let value = running.switch().register(id, index_of(index)).map_err(|_| RegisterCode::InvalidIndex)?;
            Ok(shown(&value))
        })
    }

    fn bm_register_read_all(&self, _: i32, name: String) -> Registers<Vec<i64>> {
        self.with(|running, _| {
            let (id, size, _) = register(running.switch(), &name)?;
            let read = |index| running.switch().register(id, index).map(|value| shown(&value));
            Ok((0..size).map(read).collect::<Result<_, _>>().map_err(|_| RegisterCode::Error)?)
        })
    }

    fn bm_register_write(&self, _: i32, name: String, index: i32, value: i64) -> Registers<()> {
        let index = index_of(index);
        self.set_registers(&name, Some(index..index.saturating_add(1)), value)
    }

    fn bm_register_write_range(&self, _: i32, name: String, start: i32, end: i32, value: i64) -> Registers<()> {
        self.set_registers(&name, Some(index_of(start)..index_of(end)), value)
    }

    fn bm_register_reset(&self, _: i32, name: String) -> Registers<()> {
        self.set_registers(&name, None, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{shown, stored};

    #[test]
    fn registers_of_any_width_are_numbers_of_64_bits() {
        assert_eq!(stored(-1, 12), [0x0f, 0xff]);
        assert_eq!(stored(-2, 72), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]);
        assert_eq!(stored(0x1_0203, 16), [2, 3]);
        assert_eq!(shown(&stored(i64::MAX, 64)), i64::MAX);
        assert_eq!(shown(&[0x80, 0, 0, 0, 0, 0, 0, 0]), i64::MAX);
        assert_eq!(shown(&[1, 0, 0, 0, 0, 0, 0, 0, 0]), i64::MAX);
        assert_eq!(shown(&[0, 0, 0, 0, 0, 0, 0, 0, 5]), 5);
        assert_eq!(shown(&[]), 0);
    }
}
