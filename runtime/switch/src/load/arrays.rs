//! Counters, meters, registers, calculations, lists of fields, digests, value sets.

use super::json::{At, Load};
use super::{Loader, define, lookup};
use crate::code::{Calculation, Checksum, Input, ListMember, NONE, Whole};
use crate::hash::Algorithm;
use crate::ids::CalculationId;
use crate::info::{CalculationInfo, CounterInfo, DigestInfo, MeterInfo, RegisterInfo, ValueSetInfo};
use crate::state::arrays::{Counter, Meter};
use crate::template::Template;
use crate::types::MeterUnit;

/// Most memory that the cells of all arrays take together, in bytes.
const MAX_CELLS: u64 = 512 << 20;
/// Highest number of a digest or field list.
const MAX_LISTS: u64 = 1 << 12;

impl Loader {
    pub(super) fn arrays(&mut self, root: &At<'_>) -> Load<()> {
        let mut bytes = 0;
        for at in root.list("counter_arrays")? {
            if !at.flag("is_direct")? {
                let size = size(&at, &mut bytes, size_of::<Counter>())?;
                let name = at.get("name")?.str()?.to_owned();
                let index = self.program.counters.len() as u32;
                self.program.counters.push(CounterInfo { name: name.clone(), size });
                define(&mut self.counters, "counter array", &at, name, index)?;
            }
        }
        for at in root.list("meter_arrays")? {
            self.meter_array(&at, &mut bytes)?;
        }
        for at in root.list("register_arrays")? {
            let bits = at.get("bitwidth")?.u32()?;
            at.limit("register width", u64::from(bits), 1 << 16)?;
            if bits == 0 {
                return at.invalid("registers of no width");
            }
            let size = size(&at, &mut bytes, crate::bits::limbs(bits) * size_of::<u64>())?;
            let name = at.get("name")?.str()?.to_owned();
            let index = self.program.registers.len() as u32;
            self.program.registers.push(RegisterInfo { name: name.clone(), size, bits });
            define(&mut self.registers, "register array", &at, name, index)?;
        }
        for at in root.list("calculations")? {
            let mut calculation = self.calculation(&at)?;
            let index = self.program.code.calculations.len() as u32;
            let name = at.get("name")?.str()?.to_owned();
            let custom_crc = Algorithm::custom_crc(at.get("algo")?.str()?);
            calculation.custom = custom_crc.map(|_| CalculationId(index));
            self.code().calculations.push(calculation);
            self.program.calculations.push(CalculationInfo { name: name.clone(), custom_crc });
            define(&mut self.calculations, "calculation", &at, name, index)?;
        }
        for at in root.list("checksums")? {
            self.checksum(&at)?;
        }
        for at in root.list("field_lists")? {
            let members = self.members(&at)?;
            let number = at.get("id")?.u32()?;
            at.limit("id of a field list", u64::from(number), MAX_LISTS)?;
            let lists = &mut self.code().field_lists;
            if lists.len() <= number as usize {
                lists.resize(number as usize + 1, Vec::new());
            }
            lists[number as usize] = members;
        }
        for at in root.list("learn_lists")? {
            self.digest(&at)?;
        }
        for at in root.list("parse_vsets")? {
            let bits = at.get("compressed_bitwidth")?.u32()?;
            let size = at.opt("max_size")?.map_or(Ok(1 << 16), |size| size.u32())?;
            let name = at.get("name")?.str()?.to_owned();
            if bits > 128 {
                return at.unsupported("value set wider than 128 bits", &name, &[]);
            }
            let index = self.program.value_sets.len() as u32;
            self.program.value_sets.push(ValueSetInfo { name: name.clone(), bits, size: u64::from(size) });
            define(&mut self.value_sets, "value set", &at, name, index)?;
        }
        Ok(())
    }

    fn meter_array(&mut self, at: &At<'_>, bytes: &mut u64) -> Load<()> {
        let name = at.get("name")?.str()?.to_owned();
        let kind = at.get("type")?;
        let unit = match kind.str()? {
            "packets" => MeterUnit::Packets,
            "bytes" => MeterUnit::Bytes,
            other => return kind.unsupported("meter type", other, &["packets", "bytes"]),
        };
        if let Some(rates) = at.opt("rate_count")?
            && rates.u32()? != 2
        {
            return rates.unsupported("number of meter rates", &rates.u32()?.to_string(), &["2"]);
        }
        if at.flag("is_direct")? {
            let target = self.field(&at.get("result_target")?)?;
            return define(&mut self.direct_meters, "meter array", at, name, (unit, target));
        }
        let size = size(at, bytes, size_of::<Meter>())?;
        let index = self.program.meters.len() as u32;
        self.program.meters.push(MeterInfo { name: name.clone(), size, unit });
        define(&mut self.meters, "meter array", at, name, index)
    }

    pub(super) fn calculation(&self, at: &At<'_>) -> Load<Calculation> {
        let algo = at.get("algo")?;
        let Some(algorithm) = Algorithm::from_name(algo.str()?) else {
            return algo.unsupported("hash algorithm", algo.str()?, Algorithm::NAMES);
        };
        let mut input = Vec::new();
        for part in at.get("input")?.items()? {
            let kind = part.get("type")?;
            input.push(match kind.str()? {
                "field" => {
                    let (field, header) = self.guarded_field(&part.get("value")?)?;
                    Input::Field { field, header }
                }
                "hexstr" => {
                    let bits = part.get("bitwidth")?.u32()?;
                    part.limit("constant of a calculation", u64::from(bits), 128)?;
                    Input::Const { value: part.get("value")?.hex_u128()?, bits }
                }
                "header" => Input::Header(lookup(&self.headers, "header", &part.get("value")?)?),
                "payload" => Input::Payload,
                other => {
                    return kind.unsupported("calculation input", other, &["field", "hexstr", "header", "payload"]);
                }
            });
        }
        let with_payload = input.iter().any(|part| matches!(part, Input::Payload));
        Ok(Calculation { algorithm, custom: None, whole: self.whole(&input), with_payload, input })
    }

    /// The template of an input that has one.
    fn whole(&self, input: &[Input]) -> Option<Whole> {
        let (mut headers, mut fields) = (Vec::new(), Vec::new());
        for part in input {
            match part {
                Input::Field { field, header } => {
                    fields.push(field);
                    headers.extend(Some(*header).filter(|header| *header != NONE));
                }
                Input::Header(header) => {
                    fields.extend(&self.program.code.headers[*header as usize].fields);
                    headers.push(*header);
                }
                Input::Const { .. } => return None,
                Input::Payload => {}
            }
        }
        headers.sort_unstable();
        headers.dedup();
        Some(Whole { headers, template: Template::new(fields)? })
    }

    fn checksum(&mut self, at: &At<'_>) -> Load<()> {
        let kind = at.get("type")?;
        if kind.str()? != "generic" {
            return kind.unsupported("checksum type", kind.str()?, &["generic"]);
        }
        let (header, field) = self.field_index(&at.get("target")?)?;
        let target = self.program.code.headers[header as usize].fields[field];
        let calculation = lookup(&self.calculations, "calculation", &at.get("calculation")?)?;
        let condition = at.opt("if_cond")?.map(|condition| self.boolean(&condition, &[])).transpose()?;
        let condition = condition.map(|condition| self.condition(condition));
        let flag = |key| at.opt(key)?.map_or(Ok(true), |flag: At<'_>| flag.bool());
        let (verify, update) = (flag("verify")?, flag("update")?);
        self.code().checksums.push(Checksum { target, header, calculation, condition, verify, update });
        Ok(())
    }

    fn digest(&mut self, at: &At<'_>) -> Load<()> {
        let members = self.members(at)?;
        let number = at.get("id")?;
        at.limit("id of a digest", u64::from(number.u32()?), MAX_LISTS)?;
        let number = number.u32()?;
        let fields = members
            .iter()
            .map(|member| match member {
                ListMember::Field { field, .. } => field.bits,
                ListMember::Const { bits, .. } => *bits,
            })
            .collect();
        let index = self.program.digests.len() as u32;
        self.program.digests.push(DigestInfo { name: at.get("name")?.str()?.to_owned(), number, fields });
        let numbers = &mut self.program.code.digest_numbers;
        if numbers.len() <= number as usize {
            numbers.resize(number as usize + 1, crate::code::NONE);
        }
        numbers[number as usize] = index;
        self.code().digests.push(members);
        Ok(())
    }

    fn members(&self, at: &At<'_>) -> Load<Vec<ListMember>> {
        let mut members = Vec::new();
        for element in at.get("elements")?.items()? {
            let (kind, value) = element.typed()?;
            members.push(match kind {
                "field" => {
                    let (field, header) = self.guarded_field(&value)?;
                    if field.variable {
                        return element.unsupported("list member", "a variable field", &["field", "hexstr"]);
                    }
                    ListMember::Field { field, header }
                }
                "hexstr" => {
                    let bits = element.opt("bitwidth")?.map_or(Ok(32), |bits| bits.u32())?;
                    element.limit("constant of a list", u64::from(bits), 128)?;
                    ListMember::Const { value: value.hex_u128()?, bits }
                }
                other => return element.unsupported("list member", other, &["field", "hexstr"]),
            });
        }
        Ok(members)
    }
}

/// The number of cells, within what all arrays may have together.
fn size(at: &At<'_>, bytes: &mut u64, cell: usize) -> Load<u64> {
    let size = u64::from(at.get("size")?.u32()?);
    *bytes = bytes.saturating_add(size.saturating_mul(cell as u64));
    at.limit("number of bytes of counters, meters and registers", *bytes, MAX_CELLS)?;
    Ok(size)
}
