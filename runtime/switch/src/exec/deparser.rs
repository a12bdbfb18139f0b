//! Calculations, checksums, and putting the packet together again.

use super::{MAX_FRAME, Run};
use crate::bits::{put_bits, put_wide};
use crate::code::{Calculation, Field, Input, NONE};
use crate::expr::{Value, store};
use crate::ids::Port;
use crate::packet::Phv;
use crate::trace::TraceEvent;

impl<'a> Run<'a> {
    /// Hashes the calculation's input. Fields of invalid headers are left out.
    pub(super) fn calculate(&mut self, calculation: &Calculation, phv: &Phv) -> u64 {
        let mut bytes = core::mem::take(&mut self.scratch.bytes);
        bytes.clear();
        let mut bits = 0;
        let mut with_payload = false;
        for input in &calculation.input {
            match input {
                Input::Field { field, header } => {
                    if *header == NONE || phv.valid[*header as usize] {
                        append_field(&mut bytes, &mut bits, *field, phv);
                    }
                }
                Input::Const { value, bits: width } => {
                    let limbs = [*value as u64, (*value >> 64) as u64];
                    append(&mut bytes, &mut bits, *width, &limbs);
                }
                Input::Header(header) => {
                    if phv.valid[*header as usize] {
                        for field in &self.code.headers[*header as usize].fields {
                            append_field(&mut bytes, &mut bits, *field, phv);
                        }
                    }
                }
                Input::Payload => with_payload = true,
            }
        }
        if with_payload {
            bytes.extend_from_slice(&self.scratch.buffers[phv.meta.buffer][phv.meta.payload..]);
        }
        let hash = calculation.algorithm.compute(&bytes);
        self.scratch.bytes = bytes;
        hash
    }

    /// Checksums of invalid headers are not looked at.
    pub(super) fn verify_checksums(&mut self, phv: &mut Phv) {
        let code = self.code;
        for checksum in code.checksums.iter().filter(|checksum| checksum.verify) {
            let wanted = phv.valid[checksum.header as usize]
                && checksum.condition.is_none_or(|condition| self.env(phv, &[]).is_true(condition));
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
            if checksum.condition.is_none_or(|condition| self.env(phv, &[]).is_true(condition)) {
                let hash = self.calculate(&code.calculations[checksum.calculation as usize], phv);
                store(&mut phv.slots, checksum.target, &Value::Int(i128::from(hash)));
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
        let mut bytes = core::mem::take(&mut self.scratch.bytes);
        bytes.clear();
        for index in &code.deparser {
            if !phv.valid[*index as usize] {
                continue;
            }
            let header = &code.headers[*index as usize];
            let start = bytes.len();
            let mut offset = start * 8;
            bytes.resize(bytes.len() + self.header_bytes(*index, phv) as usize, 0);
            for field in &header.fields {
                let width = if field.variable { phv.slots[field.slot as usize - 1] as u32 } else { field.bits };
                if width <= 64 {
                    put_bits(&mut bytes, offset, width, phv.slots[field.slot as usize]);
                } else {
                    put_wide(&mut bytes, offset, width, &phv.slots[field.range()]);
                }
                offset += width as usize;
            }
            self.trace(|| TraceEvent::Emitted { header: header.name.clone(), bytes: bytes[start..].to_vec() });
        }
        bytes.extend_from_slice(&self.scratch.buffers[phv.meta.buffer][phv.meta.payload..]);
        bytes.truncate(phv.meta.limit as usize);
        self.scratch.bytes = bytes;
        let length = self.scratch.bytes.len();
        if length > MAX_FRAME {
            self.output.drops.oversized += 1;
        } else if phv.meta.recirculate != 0 {
            self.recirculate(phv);
        } else {
            self.trace(|| TraceEvent::Sent { port, length });
            self.output.push_frame(port, &self.scratch.bytes);
        }
    }
}

fn append_field(bytes: &mut Vec<u8>, bits: &mut usize, field: Field, phv: &Phv) {
    let width = if field.variable { phv.slots[field.slot as usize - 1] as u32 } else { field.bits };
    append(bytes, bits, width, &phv.slots[field.range()]);
}

fn append(bytes: &mut Vec<u8>, bits: &mut usize, width: u32, value: &[u64]) {
    bytes.resize((*bits + width as usize).div_ceil(8), 0);
    put_wide(bytes, *bits, width, value);
    *bits += width as usize;
}
