//! Runs actions, primitive by primitive.

use super::Run;
use crate::bits::mask64;
use crate::code::{Field, NONE, Op, Place, StackRef};
use crate::expr::{Expr, HeaderRef, Value, store, word};
use crate::packet::Phv;
use crate::trace::TraceEvent;

impl<'a, const TRACE: bool> Run<'a, TRACE> {
    /// Runs an action with its parameters. `exit` does not cut an action short: p4c arranges that itself.
    pub(super) fn action(&mut self, index: u32, params: &[u64], phv: &mut Phv) {
        let code = self.code;
        let ops = &code.actions[index as usize].ops;
        let mut at = 0;
        while let Some(op) = ops.get(at) {
            at += 1;
            match op {
                Op::SetConst { slot, value } => phv.slots[*slot as usize] = *value,
                Op::SetField { slot, from, mask } => phv.slots[*slot as usize] = phv.slots[*from as usize] & mask,
                Op::SetParam { slot, param, mask } => phv.slots[*slot as usize] = params[*param as usize] & mask,
                Op::SetWord { slot, word, mask } => {
                    phv.slots[*slot as usize] = word::eval(&code.exprs.words, *word, phv, params) & mask;
                }
                Op::Jump(to) => {
                    if !self.step(phv) {
                        return;
                    }
                    at = *to as usize;
                }
                Op::JumpIfZero { condition, to } => {
                    if !self.holds(*condition, params, phv) {
                        if !self.step(phv) {
                            return;
                        }
                        at = *to as usize;
                    }
                }
                op => self.op(op, params, phv),
            }
        }
    }

    /// Runs one primitive that does not jump.
    pub(super) fn op(&mut self, op: &Op, params: &[u64], phv: &mut Phv) {
        match op {
            Op::SetConst { slot, value } => phv.slots[*slot as usize] = *value,
            Op::SetField { slot, from, mask } => phv.slots[*slot as usize] = phv.slots[*from as usize] & mask,
            Op::SetParam { slot, param, mask } => phv.slots[*slot as usize] = params[*param as usize] & mask,
            Op::SetWord { slot, word, mask } => {
                phv.slots[*slot as usize] = word::eval(&self.code.exprs.words, *word, phv, params) & mask;
            }
            Op::Assign { place, value } => self.assign(*place, *value, params, phv),
            Op::AssignVariable { to, from } => self.assign_variable(*to, *from, phv),
            Op::AssignHeader { to, from } => {
                let (to, from) = (self.header(*to, params, phv), self.header(*from, params, phv));
                if let (Some(to), Some(from)) = (to, from) {
                    self.assign_header(to, from, phv);
                }
            }
            Op::AssignUnion { to, from } => {
                let env = self.env(phv, params);
                if let (Some(to), Some(from)) = (env.union(*to), env.union(*from)) {
                    self.assign_union(to, from, phv);
                }
            }
            Op::AssignStack { to, from } => {
                let code = self.code;
                let (to, from) = (&code.stacks[*to as usize], &code.stacks[*from as usize]);
                phv.counters[to.counter as usize] = phv.counters[from.counter as usize];
                for (to, from) in to.headers.iter().zip(&from.headers) {
                    self.assign_header(*to, *from, phv);
                }
            }
            Op::AssignUnionStack { to, from } => {
                let code = self.code;
                let (to, from) = (&code.union_stacks[*to as usize], &code.union_stacks[*from as usize]);
                phv.counters[to.counter as usize] = phv.counters[from.counter as usize];
                for (to, from) in to.unions.iter().zip(&from.unions) {
                    self.assign_union(*to, *from, phv);
                }
            }
            Op::AddHeader(header) => self.add_header(*header, params, phv),
            Op::RemoveHeader(header) => self.remove_header(*header, params, phv),
            Op::Push { stack, count } => {
                let count = self.env(phv, params).count(*count);
                self.shift(*stack, count, true, phv);
            }
            Op::Pop { stack, count } => {
                let count = self.env(phv, params).count(*count);
                self.shift(*stack, count, false, phv);
            }
            Op::Jump(_) | Op::JumpIfZero { .. } | Op::Nop => {}
            Op::Exit => phv.meta.exit = true,
            Op::Assert(condition) => {
                if !self.env(phv, params).is_true(*condition) && !phv.meta.dead {
                    phv.meta.dead = true;
                    self.output.drops.assertion += 1;
                }
            }
            Op::MarkToDrop { egress_spec, multicast_group } => {
                super::set(phv, Some(*egress_spec), u64::from(self.config.drop_port));
                super::set(phv, *multicast_group, 0);
            }
            Op::Count { array, index } => {
                let index = self.env(phv, params).count(*index);
                let cell = usize::try_from(index).ok().and_then(|at| self.arrays.counters[*array as usize].get(at));
                if let Some(counter) = cell {
                    counter.add(phv.meta.ingress_length);
                }
            }
            Op::ExecuteMeter { array, index, to } => {
                let index = self.env(phv, params).count(*index);
                let cell = usize::try_from(index).ok().and_then(|at| self.arrays.meters[*array as usize].get(at));
                if let Some(meter) = cell {
                    let unit = self.program.meters[*array as usize].unit;
                    let color = meter.execute(unit, phv.meta.ingress_length, self.now);
                    self.put_word(*to, color as u64, params, phv);
                }
            }
            Op::RegisterRead { array, index, to } => {
                let index = self.env(phv, params).count(*index);
                let value = self.arrays.registers[*array as usize].read(index, Value::from_limbs);
                if let Some(value) = value {
                    self.put(*to, &value, params, phv);
                }
            }
            Op::RegisterWrite { array, index, value } => {
                let env = self.env(phv, params);
                let (index, value) = (env.count(*index), env.value(*value));
                self.arrays.registers[*array as usize].write(index, |limb| value.limb(limb));
            }
            Op::Hash { to, base, calculation, max } => {
                let code = self.code;
                let hash = self.calculate(&code.calculations[*calculation as usize], phv);
                let env = self.env(phv, params);
                let (base, max) = (env.int(*base) as u64, (env.int(*max) as u64).max(1));
                self.put_word(*to, (hash % max).wrapping_add(base), params, phv);
            }
            Op::Random { to, low, high } => {
                let env = self.env(phv, params);
                let (low, high) = (env.int(*low) as u64, env.int(*high) as u64);
                if low <= high {
                    let number = self.random(low, high);
                    self.put_word(*to, number, params, phv);
                }
            }
            Op::Digest { list } => phv.meta.digest = self.list(*list, params, phv),
            Op::Clone { session, list } => {
                let session = self.env(phv, params).int(*session) as u16 & 0x7fff;
                phv.meta.clone = Some((session, self.list(*list, params, phv) as u16));
            }
            Op::Resubmit { list } => phv.meta.resubmit = self.list(*list, params, phv),
            Op::Recirculate { list } => phv.meta.recirculate = self.list(*list, params, phv),
            Op::Truncate { length } => {
                let length = self.env(phv, params).count(*length);
                phv.meta.limit = phv.meta.limit.min(u32::try_from(length).unwrap_or(u32::MAX));
            }
            Op::Log { format, values } => {
                if TRACE {
                    let env = self.env(phv, params);
                    let values: Vec<i128> = values.iter().map(|value| env.int(*value)).collect();
                    self.trace(|| TraceEvent::Log { text: fill(format, &values) });
                }
            }
        }
    }

    fn list(&self, list: Expr, params: &[u64], phv: &Phv) -> u32 {
        u32::from(self.env(phv, params).int(list) as u16)
    }

    pub(super) fn assign(&mut self, place: Place, value: Expr, params: &[u64], phv: &mut Phv) {
        if let (Place::Field(field), Some(word)) = (place, value.word())
            && field.is_word()
        {
            let value = word::eval(&self.code.exprs.words, word, phv, params);
            phv.slots[field.slot as usize] = value & mask64(field.bits);
            return;
        }
        let value = self.env(phv, params).value(value);
        self.put(place, &value, params, phv);
    }

    /// Stores a word; nothing happens where an index leads outside its stack or array.
    fn put_word(&mut self, place: Place, value: u64, params: &[u64], phv: &mut Phv) {
        match place {
            Place::Field(field) if field.is_word() => phv.slots[field.slot as usize] = value & mask64(field.bits),
            place => self.put(place, &Value::Int(i128::from(value)), params, phv),
        }
    }

    /// Stores a value; nothing happens where an index leads outside its stack or array.
    fn put(&mut self, place: Place, value: &Value, params: &[u64], phv: &mut Phv) {
        match place {
            Place::Field(field) => store(&mut phv.slots, field, value),
            Place::Indirect { header, field } => {
                if let Some(field) = self.env(phv, params).field_of(header, field) {
                    store(&mut phv.slots, field, value);
                }
            }
            Place::Register { array, index } => {
                let index = self.env(phv, params).node(index);
                self.arrays.registers[array as usize].write(index, |limb| value.limb(limb));
            }
            Place::Valid(header) => match (phv.valid[header as usize], value.limb(0) & 1 == 1) {
                (false, true) => self.put_in(header, phv),
                (true, false) => self.take_out(header, phv),
                (true, true) | (false, false) => {}
            },
        }
    }

    pub(super) fn assign_variable(&mut self, to: Field, from: Field, phv: &mut Phv) {
        let bits = phv.slots[from.slot as usize - 1];
        phv.slots[to.slot as usize - 1] = bits;
        for (index, slot) in to.range().enumerate() {
            phv.slots[slot] = if index < from.limbs() { phv.slots[from.slot as usize + index] } else { 0 };
        }
    }

    fn assign_header(&mut self, to: u32, from: u32, phv: &mut Phv) {
        if to == from {
            return;
        }
        if !phv.valid[from as usize] {
            self.invalidate(to, phv);
            return;
        }
        let code = self.code;
        let (target, source) = (&code.headers[to as usize].slots, &code.headers[from as usize].slots);
        phv.slots.copy_within(source.start as usize..source.end as usize, target.start as usize);
        self.validate(to, phv);
    }

    /// At most one member is valid, so that the others become invalid first.
    fn assign_union(&mut self, to: u32, from: u32, phv: &mut Phv) {
        let code = self.code;
        let (to, from) = (&code.unions[to as usize].headers, &code.unions[from as usize].headers);
        for (to, from) in to.iter().zip(from) {
            if !phv.valid[*from as usize] {
                self.assign_header(*to, *from, phv);
            }
        }
        for (to, from) in to.iter().zip(from) {
            if phv.valid[*from as usize] {
                self.assign_header(*to, *from, phv);
            }
        }
    }

    /// The header that is meant; nearly always the program says it outright.
    #[inline]
    fn header(&self, header: HeaderRef, params: &[u64], phv: &Phv) -> Option<u32> {
        match header {
            HeaderRef::Static(header) => Some(header),
            chosen => self.env(phv, params).header(chosen),
        }
    }

    fn add_header(&mut self, header: HeaderRef, params: &[u64], phv: &mut Phv) {
        let Some(header) = self.header(header, params, phv) else { return };
        if !phv.valid[header as usize] {
            self.clear(header, phv);
            self.put_in(header, phv);
        }
    }

    fn remove_header(&mut self, header: HeaderRef, params: &[u64], phv: &mut Phv) {
        let Some(header) = self.header(header, params, phv) else { return };
        if phv.valid[header as usize] {
            self.take_out(header, phv);
        }
    }

    /// Makes an invalid header valid, with what its fields hold.
    fn put_in(&mut self, header: u32, phv: &mut Phv) {
        self.validate(header, phv);
        phv.meta.length = phv.meta.length.wrapping_add(self.header_bytes(header, phv));
    }

    /// Makes a valid header invalid.
    fn take_out(&mut self, header: u32, phv: &mut Phv) {
        phv.meta.length = phv.meta.length.wrapping_sub(self.header_bytes(header, phv));
        self.invalidate(header, phv);
    }

    /// Bytes that a header takes in the packet.
    pub(super) fn header_bytes(&self, index: u32, phv: &Phv) -> u32 {
        let header = &self.code.headers[index as usize];
        let variable = header.variable.map_or(0, |at| phv.slots[header.fields[at].slot as usize - 1] as u32);
        (header.fixed_bits + variable) / 8
    }

    /// Makes a header valid, and the other members of its union invalid.
    pub(super) fn validate(&mut self, header: u32, phv: &mut Phv) {
        phv.valid[header as usize] = true;
        let union = self.code.headers[header as usize].union;
        if union != NONE {
            let code = self.code;
            for other in &code.unions[union as usize].headers {
                if *other != header {
                    self.invalidate(*other, phv);
                }
            }
        }
    }

    /// Makes a header invalid. Its fields keep what they were, as in BMv2, unless they are to read 0.
    fn invalidate(&mut self, header: u32, phv: &mut Phv) {
        if phv.valid[header as usize] {
            phv.valid[header as usize] = false;
            if self.config.zero_invalid {
                self.clear(header, phv);
            }
        }
    }

    fn clear(&self, header: u32, phv: &mut Phv) {
        let slots = &self.code.headers[header as usize].slots;
        phv.slots[slots.start as usize..slots.end as usize].fill(0);
    }

    /// P4_16's `push_front` and `pop_front`: the whole stack moves, what comes in is invalid.
    fn shift(&mut self, stack: StackRef, count: u64, push: bool, phv: &mut Phv) {
        let code = self.code;
        let (counter, size) = match stack {
            StackRef::Headers(stack) => {
                (code.stacks[stack as usize].counter, code.stacks[stack as usize].headers.len())
            }
            StackRef::Unions(stack) => {
                (code.union_stacks[stack as usize].counter, code.union_stacks[stack as usize].unions.len())
            }
        };
        let count = usize::try_from(count).unwrap_or(size).min(size);
        let next = &mut phv.counters[counter as usize];
        *next = if push { (*next + count as u32).min(size as u32) } else { next.saturating_sub(count as u32) };
        for step in 0..size {
            let to = if push { size - 1 - step } else { step };
            let from = if push { to.checked_sub(count) } else { Some(to + count).filter(|from| *from < size) };
            match stack {
                StackRef::Headers(stack) => {
                    let headers = &code.stacks[stack as usize].headers;
                    match from {
                        Some(from) => self.assign_header(headers[to], headers[from], phv),
                        None => self.invalidate(headers[to], phv),
                    }
                }
                StackRef::Unions(stack) => {
                    let unions = &code.union_stacks[stack as usize].unions;
                    match from {
                        Some(from) => self.assign_union(unions[to], unions[from], phv),
                        None => {
                            for header in &code.unions[unions[to] as usize].headers {
                                self.invalidate(*header, phv);
                            }
                        }
                    }
                }
            }
        }
    }

    /// A number from `low` to `high`, both included (xorshift64*; the modulo's bias is below 2^-32 for 32-bit ranges).
    pub(super) fn random(&mut self, low: u64, high: u64) -> u64 {
        let state = &mut self.scratch.random;
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        let number = state.wrapping_mul(0x2545_f491_4f6c_dd1d);
        match (high - low).checked_add(1) {
            Some(span) => low + number % span,
            None => number,
        }
    }
}

/// A text with its `{}` filled in order.
fn fill(format: &str, values: &[i128]) -> String {
    let mut parts = format.split("{}");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        match values.get(index) {
            Some(value) => text.push_str(&value.to_string()),
            None => text.push_str("{}"),
        }
        text.push_str(part);
    }
    text
}
