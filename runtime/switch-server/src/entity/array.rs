//! Indirect counters and meters: arrays with an index.

use std::ops::Range;

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_switch::{CounterId, MeterId};

use super::direct::{decode_colors, decode_meter, encode_colors};
use super::{Operation, Target};
use crate::convert::{decode_counter, encode_counter, encode_meter};
use crate::fault::{Fault, Outcome};
use crate::schema::Array;

impl Target {
    pub(super) fn write_counter(&mut self, operation: Operation, entry: &v1::CounterEntry) -> Outcome {
        operation.only_modify("counter")?;
        let counter = self.schema.counter(entry.counter_id)?;
        let within = |fault: Fault| fault.within(format_args!("counter {}", counter.name));
        let cells = counter.cells.find(entry.index.as_ref()).map_err(within)?;
        let Some(data) = &entry.data else {
            return Ok(());
        };
        let data = decode_counter(data).map_err(|error| within(error.into()))?;
        for index in cells {
            self.switch.set_counter(counter.engine, index, data)?;
        }
        Ok(())
    }

    pub(super) fn write_meter(&mut self, operation: Operation, entry: &v1::MeterEntry) -> Outcome {
        operation.only_modify("meter")?;
        let meter = self.schema.meter(entry.meter_id)?;
        let within = |fault: Fault| fault.within(format_args!("meter {}", meter.name));
        let cells = meter.cells.find(entry.index.as_ref()).map_err(within)?;
        let config = entry.config.as_ref().map(|config| decode_meter(config, meter.meter_type));
        let config = config.transpose().map_err(within)?;
        let colors = entry.counter_data.as_ref().map(decode_colors).transpose().map_err(within)?;
        for index in cells {
            self.switch.set_meter(meter.engine, index, config)?;
            if let Some(colors) = colors {
                self.switch.set_meter_colors(meter.engine, index, colors)?;
            }
        }
        Ok(())
    }

    pub(super) fn read_counters(&self, wanted: &v1::CounterEntry) -> Outcome<Vec<Kind>> {
        let mut found = Vec::new();
        let mut read = |id: u32, counter: &Array<CounterId>, cells: Range<u64>| -> Outcome {
            for cell in cells {
                let Some(index) = counter.cells.index(cell) else { continue };
                let data = self.switch.counter(counter.engine, cell)?;
                found.push(Kind::CounterEntry(v1::CounterEntry {
                    counter_id: id,
                    index: Some(index),
                    data: Some(encode_counter(&data)),
                }));
            }
            Ok(())
        };
        if wanted.counter_id == 0 {
            for (id, counter) in &self.schema.counters {
                read(*id, counter, 0..counter.cells.size)?;
            }
        } else {
            let counter = self.schema.counter(wanted.counter_id)?;
            let within = |fault: Fault| fault.within(format_args!("counter {}", counter.name));
            read(wanted.counter_id, counter, counter.cells.find(wanted.index.as_ref()).map_err(within)?)?;
        }
        Ok(found)
    }

    pub(super) fn read_meters(&self, wanted: &v1::MeterEntry) -> Outcome<Vec<Kind>> {
        let mut found = Vec::new();
        let mut read = |id: u32, meter: &Array<MeterId>, cells: Range<u64>| -> Outcome {
            for cell in cells {
                let Some(index) = meter.cells.index(cell) else { continue };
                let config = self.switch.meter(meter.engine, cell)?;
                let colors = match wanted.counter_data {
                    Some(_) => Some(encode_colors(&self.switch.meter_colors(meter.engine, cell)?)),
                    None => None,
                };
                found.push(Kind::MeterEntry(v1::MeterEntry {
                    meter_id: id,
                    index: Some(index),
                    config: config.as_ref().map(encode_meter),
                    counter_data: colors,
                }));
            }
            Ok(())
        };
        if wanted.meter_id == 0 {
            for (id, meter) in &self.schema.meters {
                read(*id, meter, 0..meter.cells.size)?;
            }
        } else {
            let meter = self.schema.meter(wanted.meter_id)?;
            let within = |fault: Fault| fault.within(format_args!("meter {}", meter.name));
            read(wanted.meter_id, meter, meter.cells.find(wanted.index.as_ref()).map_err(within)?)?;
        }
        Ok(found)
    }
}
