//! Calculations, checksums, and putting the packet together again.

use super::{MAX_FRAME, Run, STEP_BYTES, set};
use crate::bits::Writer;
use crate::code::{Calculation, Field, Input, NONE};
use crate::ids::Port;
use crate::packet::Phv;
use crate::trace::TraceEvent;

impl<'a, const TRACE: bool> Run<'a, TRACE> {
    /// Hashes the calculation's input. Fields of invalid headers are left out.
    pub(super) fn calculate(&mut self, calculation: &Calculation, phv: &Phv) -> u64 {
        let mut bytes = core::mem::take(&mut self.scratch.bytes);
        bytes.clear();
        match &calculation.whole {
            Some(whole) if whole.headers.iter().all(|header| phv.valid[*header as usize]) => {
                whole.template.write(&phv.slots, &mut bytes);
            }
            _ => self.gather(calculation, phv, &mut bytes),
        }
        if calculation.with_payload {
            let payload = Self::payload(self.frame, &self.scratch.buffers, &phv.meta);
            bytes.extend_from_slice(payload);
            self.steps = self.steps.saturating_sub(payload.len() as u32 / STEP_BYTES);
        }
        let custom = calculation.custom.and_then(|custom| self.tables.crcs[custom.index()].as_deref());
        let hash = match custom {
            None => calculation.algorithm.compute(&bytes),
            Some(crc) => crc.compute(&bytes),
        };
        self.scratch.bytes = bytes;
        hash
    }

    /// The input part by part.
    fn gather(&self, calculation: &Calculation, phv: &Phv, bytes: &mut Vec<u8>) {
        let mut writer = Writer::new(bytes);
        for input in &calculation.input {
            match input {
                Input::Field { field, header } => {
                    if *header == NONE || phv.valid[*header as usize] {
                        put(&mut writer, *field, phv);
                    }
                }
                Input::Const { value, bits } => writer.put_wide(&[*value as u64, (*value >> 64) as u64], *bits),
                Input::Header(header) => {
                    if phv.valid[*header as usize] {
                        for field in &self.code.headers[*header as usize].fields {
                            put(&mut writer, *field, phv);
                        }
                    }
                }
                Input::Payload => {}
            }
        }
        writer.finish();
    }

    /// Checksums of invalid headers are not looked at.
    pub(super) fn verify_checksums(&mut self, phv: &mut Phv) {
        let code = self.code;
        for checksum in code.checksums.iter().filter(|checksum| checksum.verify) {
            let wanted = phv.valid[checksum.header as usize]
                && checksum.condition.is_none_or(|condition| self.holds(condition, &[], phv));
            if wanted {
                let hash = self.calculate(&code.calculations[checksum.calculation as usize], phv);
                if phv.slots[checksum.target.slot as usize] != hash {
                    phv.meta.checksum_error = true;
                }
            }
        }
    }

    fn update_checksums(&mut self, phv: &mut Phv) {
        let code = self.code;
        for checksum in code.checksums.iter().filter(|checksum| checksum.update) {
            if checksum.condition.is_none_or(|condition| self.holds(condition, &[], phv)) {
                let hash = self.calculate(&code.calculations[checksum.calculation as usize], phv);
                set(phv, Some(checksum.target), hash);
            }
        }
    }

    /// Puts the valid headers in front of the payload and sends the frame, or lets it come in again.
    pub(super) fn deparse(&mut self, port: Port, phv: &mut Phv) {
        self.update_checksums(phv);
        let code = self.code;
        for op in &code.deparser_ops {
            self.op(op, &[], phv);
        }
        let start = self.output.bytes.len();
        for index in &code.deparser {
            if !phv.valid[*index as usize] {
                continue;
            }
            let header = &code.headers[*index as usize];
            let from = self.output.bytes.len();
            match &header.template {
                Some(template) => template.write(&phv.slots, &mut self.output.bytes),
                None => {
                    let mut writer = Writer::new(&mut self.output.bytes);
                    for field in &header.fields {
                        put(&mut writer, *field, phv);
                    }
                    writer.finish();
                }
            }
            if TRACE {
                let bytes = self.output.bytes[from..].to_vec();
                self.trace(|| TraceEvent::Emitted { header: header.name.clone(), bytes });
            }
        }
        let payload = Self::payload(self.frame, &self.scratch.buffers, &phv.meta);
        self.output.bytes.extend_from_slice(payload);
        // A frame that comes in again comes in whole.
        if phv.meta.recirculate == 0 {
            self.output.bytes.truncate(start.saturating_add(phv.meta.limit as usize));
        }
        let length = self.output.bytes.len() - start;
        if length > MAX_FRAME {
            self.output.drops.oversized += 1;
        } else if phv.meta.recirculate != 0 {
            self.recirculate(phv, start);
        } else {
            self.trace(|| TraceEvent::Sent { port, length });
            return self.output.end_frame(port, start);
        }
        self.output.bytes.truncate(start);
    }
}

/// Appends a field at its present width.
#[inline]
fn put(writer: &mut Writer<'_>, field: Field, phv: &Phv) {
    if field.variable {
        writer.put_wide(&phv.slots[field.range()], phv.slots[field.slot as usize - 1] as u32);
    } else if field.bits <= 64 {
        writer.put(phv.slots[field.slot as usize], field.bits);
    } else {
        writer.put_wide(&phv.slots[field.range()], field.bits);
    }
}
