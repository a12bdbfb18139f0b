//! Runs the parser.

use super::Run;
use crate::bits::{self, WINDOW, get_bits, get_wide};
use crate::code::{Case, Field, KeyPart, NONE, Op, ParserOp, ParserState, Target};
use crate::expr::{Value, store};
use crate::packet::Phv;
use crate::trace::TraceEvent;

/// Why parsing stopped early; the number is the program's.
struct Failed(u32);

impl<'a, const TRACE: bool> Run<'a, TRACE> {
    /// Parses the packet's buffer from its start; what no header took is the payload. An error stops the parser where it
    /// is, and the packet goes on.
    pub(super) fn parse(&mut self, phv: &mut Phv) {
        let code = self.code;
        let Some(parser) = &code.parser else { return };
        let entered = self.take_buffer(phv.meta.buffer);
        let buffer = entered.as_deref().unwrap_or(self.frame);
        let mut cursor = 0;
        phv.meta.payload = 0;
        let mut state = parser.start;
        while state != NONE && self.step(phv) {
            let current = &parser.states[state as usize];
            self.trace(|| TraceEvent::ParserState { state: current.name.clone() });
            match self.parser_ops(current, phv, buffer, &mut cursor) {
                Ok(()) => {
                    let rest = &buffer[cursor..];
                    state = self.transition(current, phv, rest);
                    if TRACE {
                        let key = (!current.cases.is_empty()).then(|| self.select(current, phv, rest));
                        let next = parser.states.get(state as usize).map(|next| next.name.clone());
                        self.trace(|| TraceEvent::Transition { key, next });
                    }
                }
                Err(Failed(error)) => {
                    self.trace(|| TraceEvent::ParserError { error });
                    phv.meta.parser_error = error;
                    break;
                }
            }
        }
        phv.meta.payload = cursor;
        self.put_buffer(phv.meta.buffer, entered);
        self.verify_checksums(phv);
    }

    fn parser_ops(
        &mut self,
        state: &ParserState,
        phv: &mut Phv,
        buffer: &[u8],
        cursor: &mut usize,
    ) -> Result<(), Failed> {
        for op in &state.ops {
            let rest = &buffer[*cursor..];
            match op {
                ParserOp::Extract(target) => {
                    let (header, counter) = self.target(*target, phv)?;
                    *cursor += self.extract(header, phv, rest)?;
                    count(phv, counter);
                }
                ParserOp::ExtractVariable { target, bits } => {
                    let (header, counter) = self.target(*target, phv)?;
                    let bits = self.env(phv, &[]).int(*bits);
                    *cursor += self.extract_variable(header, bits, phv, rest)?;
                    count(phv, counter);
                }
                ParserOp::Set { place, value } => self.assign(*place, *value, &[], phv),
                ParserOp::SetVariable { to, from } => self.assign_variable(*to, *from, phv),
                ParserOp::SetLookahead { to, offset, bits } => {
                    // The offset is not part of the check, as in BMv2; what is missing reads 0.
                    if rest.len() < bits.div_ceil(8) as usize {
                        return Err(Failed(self.code.errors.packet_too_short));
                    }
                    self.set_lookahead(*to, *offset, *bits, rest, phv);
                }
                ParserOp::Verify { condition, error } => {
                    let env = self.env(phv, &[]);
                    if !env.is_true(*condition) {
                        return Err(Failed(env.int(*error) as u32));
                    }
                }
                ParserOp::Advance { bits } => {
                    let bits = self.env(phv, &[]).count(*bits);
                    if !bits.is_multiple_of(8) {
                        return Err(Failed(self.code.errors.invalid_argument));
                    }
                    if rest.len() as u64 * 8 < bits {
                        return Err(Failed(self.code.errors.packet_too_short));
                    }
                    *cursor += (bits / 8) as usize;
                }
                ParserOp::Primitive(Op::Jump(_) | Op::JumpIfZero { .. }) => {}
                ParserOp::Primitive(op) => self.op(op, &[], phv),
            }
        }
        Ok(())
    }

    /// The header to extract to and the counter of its stack.
    fn target(&self, target: Target, phv: &Phv) -> Result<(u32, Option<u32>), Failed> {
        let full = Failed(self.code.errors.stack_out_of_bounds);
        match target {
            Target::Header(header) => Ok((header, None)),
            Target::Stack(stack) => {
                let stack = &self.code.stacks[stack as usize];
                let next = phv.counters[stack.counter as usize] as usize;
                stack.headers.get(next).map(|header| (*header, Some(stack.counter))).ok_or(full)
            }
            Target::UnionStack { stack, member } => {
                let stack = &self.code.union_stacks[stack as usize];
                let next = phv.counters[stack.counter as usize] as usize;
                let union = stack.unions.get(next).ok_or(full)?;
                Ok((self.code.unions[*union as usize].headers[member as usize], Some(stack.counter)))
            }
        }
    }

    fn extract(&mut self, index: u32, phv: &mut Phv, data: &[u8]) -> Result<usize, Failed> {
        let code = self.code;
        let header = &code.headers[index as usize];
        let length = header.fixed_bits as usize / 8;
        if data.len() < length {
            return Err(Failed(self.code.errors.packet_too_short));
        }
        if data.len() >= length + WINDOW && !header.pieces.is_empty() {
            for piece in &header.pieces {
                phv.slots[piece.slot as usize] = piece.read(data);
            }
        } else {
            let mut offset = 0;
            for field in &header.fields {
                get_wide(data, offset, field.bits, &mut phv.slots[field.range()]);
                offset += field.bits as usize;
            }
        }
        self.trace(|| TraceEvent::Extracted { header: header.name.clone(), bytes: data[..length].to_vec() });
        self.validate(index, phv);
        Ok(length)
    }

    fn extract_variable(&mut self, index: u32, bits: i128, phv: &mut Phv, data: &[u8]) -> Result<usize, Failed> {
        let code = self.code;
        let header = &code.headers[index as usize];
        let errors = &self.code.errors;
        if bits % 8 != 0 || bits < 0 {
            return Err(Failed(errors.invalid_argument));
        }
        let length = bits / 8 + i128::from(header.fixed_bits / 8);
        if (data.len() as i128) < length {
            return Err(Failed(errors.packet_too_short));
        }
        let room = header.variable.map_or(0, |variable| header.fields[variable].bits);
        if (header.max_bytes != 0 && length > i128::from(header.max_bytes)) || bits > i128::from(room) {
            return Err(Failed(errors.header_too_short));
        }
        let mut offset = 0;
        for field in &header.fields {
            let width = if field.variable {
                phv.slots[field.slot as usize - 1] = bits as u64;
                bits as u32
            } else {
                field.bits
            };
            get_wide(data, offset, width, &mut phv.slots[field.range()]);
            offset += width as usize;
        }
        let length = length as usize;
        self.trace(|| TraceEvent::Extracted { header: header.name.clone(), bytes: data[..length].to_vec() });
        self.validate(index, phv);
        Ok(length)
    }

    fn set_lookahead(&self, to: Field, offset: u32, bits: u32, data: &[u8], phv: &mut Phv) {
        if bits <= 64 {
            let value = get_bits(data, offset as usize, bits);
            store(&mut phv.slots, to, &Value::Int(i128::from(value)));
            return;
        }
        let target = &mut phv.slots[to.range()];
        let mut left = bits;
        for limb in target.iter_mut() {
            let take = left.min(64);
            left -= take;
            *limb = get_bits(data, (offset + left) as usize, take);
        }
        bits::truncate(target, to.bits);
    }

    fn transition(&self, state: &ParserState, phv: &Phv, rest: &[u8]) -> u32 {
        if state.cases.is_empty() {
            return state.default;
        }
        if let Some(quick) = &state.quick {
            let key = quick.key.iter().fold(0, |key, (slot, shift)| key | phv.slots[*slot as usize] << shift);
            let case = quick.cases.iter().find(|(value, mask, _)| key & mask == *value);
            return case.map_or(state.default, |(_, _, next)| *next);
        }
        let key = self.select(state, phv, rest);
        for (case, next) in &state.cases {
            let matches = match case {
                Case::Value { value, mask } => key & mask == *value,
                Case::Set { set, mask } => {
                    let members = &self.tables.value_sets[*set as usize].packed;
                    members.iter().any(|(value, own)| (key ^ value) & mask & own == 0)
                }
            };
            if matches {
                return *next;
            }
        }
        state.default
    }

    /// What a state selects by.
    fn select(&self, state: &ParserState, phv: &Phv, rest: &[u8]) -> u128 {
        let mut key: u128 = 0;
        for (part, bits) in &state.key {
            let value = match *part {
                KeyPart::Field(field) => wide(&phv.slots[field.range()]),
                KeyPart::Valid(header) => u128::from(phv.valid[header as usize]),
                KeyPart::StackField { stack, field } => {
                    let stack = &self.code.stacks[stack as usize];
                    let last = (phv.counters[stack.counter as usize] as usize).checked_sub(1);
                    last.map_or(0, |last| {
                        let header = &self.code.headers[stack.headers[last] as usize];
                        wide(&phv.slots[header.fields[field as usize].range()])
                    })
                }
                KeyPart::UnionStackField { stack, member, field } => {
                    let stack = &self.code.union_stacks[stack as usize];
                    let last = (phv.counters[stack.counter as usize] as usize).checked_sub(1);
                    last.map_or(0, |last| {
                        let union = &self.code.unions[stack.unions[last] as usize];
                        let header = &self.code.headers[union.headers[member as usize] as usize];
                        wide(&phv.slots[header.fields[field as usize].range()])
                    })
                }
                KeyPart::Lookahead { offset } => {
                    let mut limbs = [0; 2];
                    get_wide(rest, offset as usize, *bits, &mut limbs);
                    wide(&limbs)
                }
            };
            key = key.checked_shl(*bits).unwrap_or(0) | value;
        }
        key
    }
}

fn count(phv: &mut Phv, counter: Option<u32>) {
    if let Some(counter) = counter {
        phv.counters[counter as usize] += 1;
    }
}

fn wide(limbs: &[u64]) -> u128 {
    u128::from(limbs[0]) | u128::from(limbs.get(1).copied().unwrap_or(0)) << 64
}
