//! Actions and their primitives.

use super::expr::Params;
use super::json::{At, Load};
use super::{Loader, define, lookup};
use crate::bits::{limbs, mask64};
use crate::code::{Action, Op, Place};
use crate::expr::word::{Word, WordId};
use crate::expr::{Binary, Demand, Expr, HeaderRef, UnionRef};
use crate::info::{ActionInfo, ParamInfo};

const PRIMITIVES: &[&str] = &[
    "assign",
    "assign_VL",
    "assign_header",
    "assign_union",
    "assign_header_stack",
    "assign_union_stack",
    "push",
    "pop",
    "add_header",
    "remove_header",
    "exit",
    "_jump",
    "_jump_if_zero",
    "assert",
    "assume",
    "log_msg",
    "mark_to_drop",
    "drop",
    "count",
    "execute_meter",
    "register_read",
    "register_write",
    "modify_field_with_hash_based_offset",
    "modify_field_rng_uniform",
    "generate_digest",
    "clone_ingress_pkt_to_egress",
    "clone_egress_pkt_to_egress",
    "resubmit",
    "recirculate",
    "truncate",
    "no_op",
    "add_to_field",
    "subtract_from_field",
    "add",
    "subtract",
    "bit_and",
    "bit_or",
    "bit_xor",
    "shift_left",
    "shift_right",
];
const MAX_PARAM_BITS: u64 = 1 << 16;

impl Loader {
    pub(super) fn actions(&mut self, root: &At<'_>) -> Load<()> {
        for at in root.list("actions")? {
            let (mut params, mut infos, mut next) = (Vec::new(), Vec::new(), 0);
            for param in at.list("runtime_data")? {
                let bits = param.get("bitwidth")?.u32()?;
                param.limit("parameter width", u64::from(bits), MAX_PARAM_BITS)?;
                infos.push(ParamInfo { name: param.get("name")?.str()?.to_owned(), bits });
                params.push((next, bits));
                next += limbs(bits) as u32;
                param.limit("limbs of action parameters", u64::from(next), MAX_PARAM_BITS)?;
            }
            let calls = at.list("primitives")?;
            let mut ops = Vec::with_capacity(calls.len());
            for call in &calls {
                ops.push(self.primitive(call, &params, calls.len())?);
            }
            let index = self.program.actions.len() as u32;
            self.program.actions.push(ActionInfo { name: at.get("name")?.str()?.to_owned(), params: infos });
            self.code().actions.push(Action { ops, params, param_limbs: next });
            define(&mut self.action_ids, "action", &at, at.get("id")?.u32()?, index)?;
        }
        Ok(())
    }

    /// One primitive of an action with `len` primitives.
    pub(super) fn primitive(&mut self, at: &At<'_>, params: Params<'_>, len: usize) -> Load<Op> {
        let op = at.get("op")?;
        let args = at.get("parameters")?;
        let name = op.str()?;
        Ok(match name {
            "assign" | "modify_field" => {
                let [to, value] = args.tuple()?;
                self.assign(&to, &value, params)?
            }
            // Compilers of P4_14 wrote no expressions.
            "add_to_field" | "subtract_from_field" => {
                let [to, by] = args.tuple()?;
                let operator = if name == "add_to_field" { Binary::Add } else { Binary::Sub };
                self.compute(&to, operator, [&to, &by], params)?
            }
            "add" | "subtract" | "bit_and" | "bit_or" | "bit_xor" | "shift_left" | "shift_right" => {
                let [to, left, right] = args.tuple()?;
                let operator = match name {
                    "add" => Binary::Add,
                    "subtract" => Binary::Sub,
                    "bit_and" => Binary::And,
                    "bit_or" => Binary::Or,
                    "bit_xor" => Binary::Xor,
                    "shift_left" => Binary::ShiftLeft,
                    _ => Binary::ShiftRight,
                };
                self.compute(&to, operator, [&left, &right], params)?
            }
            "assign_VL" => {
                let [to, from] = args.tuple()?;
                let (to_field, from_field) = (self.variable(&to)?, self.variable(&from)?);
                if from_field.bits > to_field.bits {
                    return at.invalid("the variable field assigned from is larger");
                }
                Op::AssignVariable { to: to_field, from: from_field }
            }
            "assign_header" | "copy_header" => {
                let [to, from] = args.tuple()?;
                let (to, from) = (self.header_ref(&to, params)?, self.header_ref(&from, params)?);
                self.same_type(at, self.example(to), self.example(from))?;
                Op::AssignHeader { to, from }
            }
            "assign_union" => {
                let [to, from] = args.tuple()?;
                let (to, from) = (self.union_ref(&to, params)?, self.union_ref(&from, params)?);
                self.same_members(at, to, from)?;
                Op::AssignUnion { to, from }
            }
            "assign_header_stack" => {
                let [to, from] = args.tuple()?;
                let to = lookup(&self.stacks, "header stack", &to.get("value")?)?;
                let from = lookup(&self.stacks, "header stack", &from.get("value")?)?;
                let (one, other) = (&self.program.code.stacks[to as usize], &self.program.code.stacks[from as usize]);
                if one.headers.len() != other.headers.len() {
                    return at.invalid("stacks of different sizes");
                }
                self.same_type(at, one.headers[0], other.headers[0])?;
                Op::AssignStack { to, from }
            }
            "assign_union_stack" => {
                let [to, from] = args.tuple()?;
                let to = lookup(&self.union_stacks, "header union stack", &to.get("value")?)?;
                let from = lookup(&self.union_stacks, "header union stack", &from.get("value")?)?;
                let stacks = &self.program.code.union_stacks;
                let (one, other) = (&stacks[to as usize].unions, &stacks[from as usize].unions);
                if one.len() != other.len() {
                    return at.invalid("stacks of different sizes");
                }
                self.same_members(at, UnionRef::Static(one[0]), UnionRef::Static(other[0]))?;
                Op::AssignUnionStack { to, from }
            }
            "push" | "pop" => {
                let [stack, count] = args.tuple()?;
                let stack = self.stack_ref(&stack, params)?;
                let count = self.number(&count, params, Demand::Exact)?;
                if name == "push" { Op::Push { stack, count } } else { Op::Pop { stack, count } }
            }
            "add_header" | "remove_header" => {
                let [header] = args.tuple()?;
                let header = self.header_ref(&header, params)?;
                if name == "add_header" { Op::AddHeader(header) } else { Op::RemoveHeader(header) }
            }
            "_jump" => {
                let [to] = args.tuple()?;
                Op::Jump(jump(&to, len)?)
            }
            "_jump_if_zero" => {
                let [condition, to] = args.tuple()?;
                let condition = self.truth(&condition, params)?;
                Op::JumpIfZero { condition: self.condition(condition), to: jump(&to, len)? }
            }
            "exit" => {
                let [] = args.tuple()?;
                Op::Exit
            }
            "assert" | "assume" => {
                let [condition] = args.tuple()?;
                Op::Assert(self.truth(&condition, params)?)
            }
            "mark_to_drop" => {
                let [header] = args.tuple()?;
                let HeaderRef::Static(index) = self.header_ref(&header, params)? else {
                    return header.invalid("expected the standard metadata");
                };
                let field = |name| {
                    let position = self.type_of(index).field(name)?;
                    Some(self.program.code.headers[index as usize].fields[position])
                };
                let Some(egress_spec) = field("egress_spec") else {
                    return header.invalid("expected a header with a field `egress_spec`");
                };
                Op::MarkToDrop { egress_spec, multicast_group: field("mcast_grp") }
            }
            "drop" => {
                let intrinsic = &self.program.code.intrinsic;
                match intrinsic.egress_spec {
                    Some(egress_spec) => Op::MarkToDrop { egress_spec, multicast_group: intrinsic.multicast_group },
                    None => return at.invalid("the program has no `standard_metadata.egress_spec`"),
                }
            }
            "count" => {
                let [array, index] = args.tuple()?;
                let array = lookup(&self.counters, "counter array", &array.get("value")?)?;
                Op::Count { array, index: self.number(&index, params, Demand::Exact)? }
            }
            "execute_meter" => {
                let [array, index, to] = args.tuple()?;
                let array = lookup(&self.meters, "meter array", &array.get("value")?)?;
                let index = self.number(&index, params, Demand::Exact)?;
                Op::ExecuteMeter { array, index, to: self.place(&to, params)?.0 }
            }
            "register_read" => {
                let [to, array, index] = args.tuple()?;
                let array = lookup(&self.registers, "register array", &array.get("value")?)?;
                let index = self.number(&index, params, Demand::Exact)?;
                self.registers_read = true;
                Op::RegisterRead { array, index, to: self.place(&to, params)?.0 }
            }
            "register_write" => {
                let [array, index, value] = args.tuple()?;
                let array = lookup(&self.registers, "register array", &array.get("value")?)?;
                let index = self.number(&index, params, Demand::Exact)?;
                let narrow = self.program.registers[array as usize].bits <= 126;
                let demand = if narrow { Demand::Low } else { Demand::Exact };
                self.registers_written = true;
                Op::RegisterWrite { array, index, value: self.number(&value, params, demand)? }
            }
            "modify_field_with_hash_based_offset" => {
                let [to, base, calculation, max] = args.tuple()?;
                Op::Hash {
                    to: self.place(&to, params)?.0,
                    base: self.number(&base, params, Demand::Low)?,
                    calculation: lookup(&self.calculations, "calculation", &calculation.get("value")?)?,
                    max: self.number(&max, params, Demand::Low)?,
                }
            }
            "modify_field_rng_uniform" => {
                let [to, low, high] = args.tuple()?;
                Op::Random {
                    to: self.place(&to, params)?.0,
                    low: self.number(&low, params, Demand::Low)?,
                    high: self.number(&high, params, Demand::Low)?,
                }
            }
            "generate_digest" => {
                let [_receiver, list] = args.tuple()?;
                Op::Digest { list: self.number(&list, params, Demand::Low)? }
            }
            "clone_ingress_pkt_to_egress" | "clone_egress_pkt_to_egress" => {
                let [session, list] = args.tuple()?;
                let session = self.number(&session, params, Demand::Low)?;
                Op::Clone { session, list: self.number(&list, params, Demand::Low)? }
            }
            "resubmit" => {
                let [list] = args.tuple()?;
                Op::Resubmit { list: self.number(&list, params, Demand::Low)? }
            }
            "recirculate" => {
                let [list] = args.tuple()?;
                Op::Recirculate { list: self.number(&list, params, Demand::Low)? }
            }
            "truncate" => {
                let [length] = args.tuple()?;
                Op::Truncate { length: self.number(&length, params, Demand::Exact)? }
            }
            "log_msg" => {
                let items = args.items()?;
                let Some((format, values)) = items.split_first() else { return args.invalid("expected a text") };
                let mut exprs: Vec<Expr> = Vec::new();
                for vector in values {
                    let vector = vector.get("value")?;
                    // p4c writes an empty object where there are no values.
                    if vector.value.as_object().is_some_and(serde_json::Map::is_empty) {
                        continue;
                    }
                    for value in vector.items()? {
                        exprs.push(self.truth(&value, params)?);
                    }
                }
                Op::Log { format: format.get("value")?.str()?.to_owned(), values: exprs }
            }
            "no_op" => Op::Nop,
            other => return op.unsupported("primitive", other, PRIMITIVES),
        })
    }

    /// An assignment, in its fastest form.
    fn assign(&mut self, to: &At<'_>, value: &At<'_>, params: Params<'_>) -> Load<Op> {
        let (place, demand) = self.place(to, params)?;
        let value = self.number(value, params, demand)?;
        Ok(self.assignment(place, value))
    }

    /// An assignment of what an operation gives.
    fn compute(&mut self, to: &At<'_>, operator: Binary, of: [&At<'_>; 2], params: Params<'_>) -> Load<Op> {
        let (place, demand) = self.place(to, params)?;
        let [left, right] = [self.number_node(of[0], params)?, self.number_node(of[1], params)?];
        let exprs = &mut self.program.code.exprs;
        let node = exprs.binary(operator, left, right);
        let value = exprs.finish(node, demand);
        Ok(self.assignment(place, value))
    }

    fn assignment(&self, place: Place, value: Expr) -> Op {
        if let Place::Field(field) = place
            && field.is_word()
        {
            let (slot, mask) = (field.slot, mask64(field.bits));
            if let Some(word) = value.word() {
                return self.set_word(slot, word, mask);
            }
        }
        Op::Assign { place, value }
    }

    /// Sets a limb; what the mask cuts off is not computed.
    fn set_word(&self, slot: u32, mut word: WordId, mask: u64) -> Op {
        let words = &self.program.code.exprs.words;
        while let Word::Mask(of, kept) = words[word as usize]
            && kept & mask == mask
        {
            word = of;
        }
        match words[word as usize] {
            Word::Const(value) => Op::SetConst { slot, value: value & mask },
            Word::Slot(from) => Op::SetField { slot, from, mask },
            Word::Param(param) => Op::SetParam { slot, param, mask },
            _ => Op::SetWord { slot, word, mask },
        }
    }

    fn variable(&self, at: &At<'_>) -> Load<crate::code::Field> {
        let field = self.field(&at.get("value")?)?;
        if !field.variable {
            return at.invalid("expected a variable field");
        }
        Ok(field)
    }

    fn same_type(&self, at: &At<'_>, one: u32, other: u32) -> Load<()> {
        let headers = &self.program.code.headers;
        if headers[one as usize].kind != headers[other as usize].kind {
            return at.invalid("headers of different types");
        }
        Ok(())
    }

    fn same_members(&self, at: &At<'_>, one: UnionRef, other: UnionRef) -> Load<()> {
        let unions = &self.program.code.unions;
        let one = &unions[self.example_union(one) as usize].headers;
        let other = &unions[self.example_union(other) as usize].headers;
        if one.len() != other.len() {
            return at.invalid("unions of different types");
        }
        one.iter().zip(other).try_for_each(|(one, other)| self.same_type(at, *one, *other))
    }
}

/// A jump within an action; right behind the last primitive is its end.
fn jump(at: &At<'_>, len: usize) -> Load<u32> {
    let to = at.get("value")?.hex()?;
    match u32::try_from(&to) {
        Ok(to) if to as usize <= len => Ok(to),
        _ => at.invalid(format!("jump to {to} in an action of {len} primitives")),
    }
}
