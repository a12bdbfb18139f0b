//! Registers.

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;

use super::{Operation, Target};
use crate::fault::{Fault, Outcome};
use crate::schema::Register;

impl Target {
    pub(super) fn write_register(&mut self, operation: Operation, entry: &v1::RegisterEntry) -> Outcome {
        operation.only_modify("register")?;
        let register = self.schema.register(entry.register_id)?;
        let within = |fault: Fault| fault.within(format_args!("register {}", register.name));
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

    pub(super) fn read_registers(&self, wanted: &v1::RegisterEntry) -> Outcome<Vec<Kind>> {
        let mut found = Vec::new();
        if wanted.register_id == 0 {
            for (id, register) in &self.schema.registers {
                self.read_register(*id, register, None, &mut found)?;
            }
        } else {
            let register = self.schema.register(wanted.register_id)?;
            self.read_register(wanted.register_id, register, wanted.index.as_ref(), &mut found)?;
        }
        Ok(found)
    }

    fn read_register(&self, id: u32, register: &Register, index: Option<&v1::Index>, found: &mut Vec<Kind>) -> Outcome {
        let within = |fault: Fault| fault.within(format_args!("register {}", register.name));
        for cell in register.cells.find(index).map_err(within)? {
            let Some(index) = register.cells.index(cell) else { continue };
            let value = self.switch.register(register.engine, cell)?;
            found.push(Kind::RegisterEntry(v1::RegisterEntry {
                register_id: id,
                index: Some(index),
                data: Some(register.shape.encode(&mut std::iter::once((register.bits, value)))),
            }));
        }
        Ok(())
    }
}
