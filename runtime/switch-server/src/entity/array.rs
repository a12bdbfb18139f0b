//! Indirect counters and meters: arrays with an index.

use vouch_p4runtime::p4::v1;

use super::direct::{decode_colors, decode_rates};
use super::{Operation, Target};
use crate::convert::decode_counter;
use crate::fault::{Fault, Outcome};

impl Target {
    pub(super) fn write_counter(&mut self, operation: Operation, entry: &v1::CounterEntry) -> Outcome {
        let dialect = self.dialect;
        let counter = self.schema.counter(entry.counter_id).map_err(|fault| dialect.about_id(fault))?;
        let within = |fault: Fault| fault.within(format_args!("counter {}", counter.info.name));
        let data = operation.counts(dialect, "counter", entry.data.as_ref())?;
        let cells = counter.cells.find(entry.index.as_ref()).map_err(within);
        let cells = cells.map_err(|fault| dialect.about_index(fault, "Error when writing to counter"))?;
        let Some(data) = data else {
            return Ok(());
        };
        let data = decode_counter(data).map_err(|error| within(error.into()))?;
        for index in cells {
            self.switch.set_counter(counter.engine, index, data)?;
        }
        Ok(())
    }

    pub(super) fn write_meter(&mut self, operation: Operation, entry: &v1::MeterEntry) -> Outcome {
        let dialect = self.dialect;
        let meter = self.schema.meter(entry.meter_id).map_err(|fault| dialect.about_id(fault))?;
        let within = |fault: Fault| fault.within(format_args!("meter {}", meter.info.name));
        operation.only_modify("meter").map_err(|fault| dialect.about_operation(fault, operation, "meters"))?;
        let cells = meter.cells.find(entry.index.as_ref()).map_err(within);
        let cells = cells.map_err(|fault| dialect.about_index(fault, "Error when writing meter spec"))?;
        let config = decode_rates(dialect, entry.config.as_ref(), meter.info.meter_type).map_err(within)?;
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
