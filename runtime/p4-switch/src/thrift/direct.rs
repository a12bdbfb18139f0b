//! Counters and meters that entries have.

use vouch_switch::CounterData;

use super::api::standard::{BmCounterValue, BmMeterRateConfig, DirectResources, TableOperationErrorCode as Code};
use super::keys;
use super::services::Services;
use super::tables::{Done, Kind, find};

/// What a counter has counted, as it is sent.
pub(super) fn shown(data: CounterData) -> BmCounterValue {
    BmCounterValue { bytes: data.bytes.cast_signed(), packets: data.packets.cast_signed() }
}

/// What a counter is set to.
pub(super) fn data(value: &BmCounterValue) -> CounterData {
    CounterData { bytes: value.bytes.cast_unsigned(), packets: value.packets.cast_unsigned() }
}

impl Services {
    /// Refuse a table whose entries do not count, before anything is said of a handle.
    fn check_counters(&self, table: &str) -> Done<()> {
        self.with(|running, _| match find(running.switch().program(), table, Kind::Any)? {
            (_, info) if info.direct_counter => Ok(()),
            _ => Err(Code::CountersDisabled.into()),
        })
    }

    /// The same for meters.
    fn check_meters(&self, table: &str) -> Done<()> {
        self.with(|running, _| match find(running.switch().program(), table, Kind::Any)? {
            (_, info) if info.direct_meter.is_some() => Ok(()),
            _ => Err(Code::MetersDisabled.into()),
        })
    }
}

impl DirectResources for Services {
    fn bm_mt_read_counter(&self, _: i32, table: String, handle: i32) -> Done<BmCounterValue> {
        self.check_counters(&table)?;
        self.on_entry((&table, Kind::Any), handle, |running, (id, _), key| {
            Ok(shown(running.switch().entry(id, &key)?.counter))
        })
    }

    fn bm_mt_reset_counters(&self, _: i32, table: String) -> Done<()> {
        self.check_counters(&table)?;
        self.with(|running, _| {
            let (id, _) = find(running.switch().program(), &table, Kind::Any)?;
            for view in running.switch().entries(id)? {
                running.switch().set_direct_counter(id, Some(&view.entry.key), CounterData::default())?;
            }
            Ok(())
        })
    }

    fn bm_mt_write_counter(&self, _: i32, table: String, handle: i32, value: BmCounterValue) -> Done<()> {
        self.check_counters(&table)?;
        self.on_entry((&table, Kind::Any), handle, |running, (id, _), key| {
            Ok(running.switch().set_direct_counter(id, Some(&key), data(&value))?)
        })
    }

    fn bm_mt_set_meter_rates(&self, _: i32, table: String, handle: i32, rates: Vec<BmMeterRateConfig>) -> Done<()> {
        self.check_meters(&table)?;
        self.on_entry((&table, Kind::Any), handle, |running, (id, _), key| {
            let config = keys::rates(&rates).map_err(|_| Code::Error)?;
            Ok(running.switch().set_direct_meter(id, Some(&key), Some(config))?)
        })
    }

    fn bm_mt_get_meter_rates(&self, _: i32, table: String, handle: i32) -> Done<Vec<BmMeterRateConfig>> {
        self.check_meters(&table)?;
        self.on_entry((&table, Kind::Any), handle, |running, (id, _), key| {
            Ok(keys::shown_rates(running.switch().entry(id, &key)?.entry.meter))
        })
    }
}
