//! Indirect counters and meters: arrays with an index.

use vouch_p4runtime::p4::v1;

use super::direct::{decode_colors, decode_meter};
use super::{Operation, Target};
use crate::convert::decode_counter;
use crate::fault::{Fault, Outcome};

impl Target {
    pub(super) fn write_counter(&mut self, operation: Operation, entry: &v1::CounterEntry) -> Outcome {
        operation.only_modify("counter")?;
        let counter = self.schema.counter(entry.counter_id)?;
        let within = |fault: Fault| fault.within(format_args!("counter {}", counter.info.name));
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
        let within = |fault: Fault| fault.within(format_args!("meter {}", meter.info.name));
        let cells = meter.cells.find(entry.index.as_ref()).map_err(within)?;
        let config = entry.config.as_ref().map(|config| decode_meter(config, meter.info.meter_type));
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
}
