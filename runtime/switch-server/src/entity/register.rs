//! Registers.

use vouch_p4runtime::p4::v1;

use super::{Operation, Target};
use crate::fault::{Fault, Outcome};

impl Target {
    pub(super) fn write_register(&mut self, operation: Operation, entry: &v1::RegisterEntry) -> Outcome {
        operation.only_modify("register")?;
        let register = self.schema.register(entry.register_id)?;
        let within = |fault: Fault| fault.within(format_args!("register {}", register.info.name));
        let cells = register.cells.find(entry.index.as_ref()).map_err(within)?;
        let Some(data) = &entry.data else {
            return Err(within(Fault::invalid("the data is missing")));
        };
        let data = register.shape.decode_one(data, register.bits).map_err(within)?;
        for index in cells {
            self.switch.set_register(register.engine, index, &data)?;
        }
        Ok(())
    }
}
