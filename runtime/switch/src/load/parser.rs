//! The parser's states.

use std::collections::HashMap;

use super::json::{At, Load};
use super::{Loader, define, lookup};
use crate::code::{Case, KeyPart, NONE, Parser, ParserOp, ParserState, Place, Select, Target};
use crate::expr::Demand;

const OPS: &[&str] = &["extract", "extract_VL", "set", "verify", "shift", "advance", "primitive"];

impl Loader {
    /// v1model has one parser, named `parser`.
    pub(super) fn parsers(&mut self, root: &At<'_>) -> Load<()> {
        for at in root.list("parsers")? {
            if self.program.code.parser.is_some() {
                return at.unsupported("second parser", at.get("name")?.str()?, &[]);
            }
            let states = at.get("parse_states")?.items()?;
            let mut names = HashMap::new();
            for (index, state) in states.iter().enumerate() {
                define(&mut names, "parser state", state, state.get("name")?.str()?.to_owned(), index as u32)?;
            }
            let mut compiled = Vec::with_capacity(states.len());
            for state in &states {
                compiled.push(self.state(state, &names)?);
            }
            let start = match at.opt("init_state")? {
                Some(start) => lookup(&names, "parser state", &start)?,
                None => NONE,
            };
            self.code().parser = Some(Parser { states: compiled, start });
        }
        Ok(())
    }

    fn state(&mut self, at: &At<'_>, names: &HashMap<String, u32>) -> Load<ParserState> {
        let mut ops = Vec::new();
        for op in at.list("parser_ops")? {
            ops.push(self.parser_op(&op)?);
        }
        let mut key = Vec::new();
        for part in at.list("transition_key")? {
            key.push(self.key_part(&part)?);
        }
        let bits: u32 = key.iter().map(|(_, bits)| *bits).sum();
        if bits > 128 {
            return at.unsupported("transition key wider than 128 bits", at.get("name")?.str()?, &[]);
        }
        let mut state = ParserState {
            name: at.get("name")?.str()?.to_owned(),
            ops,
            key,
            cases: Vec::new(),
            default: NONE,
            quick: None,
        };
        for transition in at.list("transitions")? {
            let next = match transition.opt("next_state")? {
                Some(next) => lookup(names, "parser state", &next)?,
                None => NONE,
            };
            let kind = transition.opt("type")?.map_or(Ok("hexstr"), |kind| kind.str())?;
            let value = transition.opt("value")?;
            let is_default = value.as_ref().is_some_and(|value| value.value.as_str() == Some("default"));
            let mask = transition.opt("mask")?;
            match (kind, value) {
                ("default", _) => state.default = next,
                ("hexstr", _) if is_default => state.default = next,
                ("hexstr", Some(value)) => {
                    let value = unpad(&state.key, &value)?;
                    let mask = mask.map_or(Ok(ones(bits)), |mask| unpad(&state.key, &mask))?;
                    state.cases.push((Case::Value { value: value & mask, mask }, next));
                }
                ("parse_vset", Some(value)) => {
                    let set = lookup(&self.value_sets, "value set", &value)?;
                    if self.program.value_sets[set as usize].bits != bits {
                        return value.invalid(format!("the value set is not {bits} bits wide, as the key is"));
                    }
                    let mask = mask.map_or(Ok(ones(bits)), |mask| mask.hex_u128())?;
                    state.cases.push((Case::Set { set, mask }, next));
                }
                (other, _) => {
                    return transition.unsupported("transition type", other, &["default", "hexstr", "parse_vset"]);
                }
            }
        }
        state.quick = quick(&state);
        Ok(state)
    }

    fn key_part(&self, at: &At<'_>) -> Load<(KeyPart, u32)> {
        let (kind, value) = at.typed()?;
        Ok(match kind {
            "field" => {
                let [header, name] = value.tuple()?;
                if name.str()? == "$valid$" {
                    return Ok((KeyPart::Valid(lookup(&self.headers, "header", &header)?), 1));
                }
                let field = self.field(&value)?;
                (KeyPart::Field(field), at_most_128(at, field.bits)?)
            }
            "stack_field" => {
                let (stack, field, bits) = self.stack_field(&value)?;
                (KeyPart::StackField { stack, field }, at_most_128(at, bits)?)
            }
            "union_stack_field" => {
                let [stack, member, field] = value.tuple()?;
                let (stack, member) = self.union_stack_member(&stack, &member)?;
                let union = self.program.code.union_stacks[stack as usize].unions[0];
                let header = self.program.code.unions[union as usize].headers[member as usize];
                let Some(index) = self.type_of(header).field(field.str()?) else {
                    return field.invalid(format!("the member has no field `{}`", field.str()?));
                };
                let bits = self.program.code.headers[header as usize].fields[index].bits;
                (KeyPart::UnionStackField { stack, member, field: index as u32 }, at_most_128(at, bits)?)
            }
            "lookahead" => {
                let (offset, bits) = lookahead(&value)?;
                (KeyPart::Lookahead { offset }, at_most_128(at, bits)?)
            }
            other => {
                let choices = &["field", "stack_field", "union_stack_field", "lookahead"];
                return at.unsupported("transition key type", other, choices);
            }
        })
    }

    fn union_stack_member(&self, stack: &At<'_>, member: &At<'_>) -> Load<(u32, u32)> {
        let index = lookup(&self.union_stacks, "header union stack", stack)?;
        let members = self.union_type_of.get(stack.str()?).and_then(|kind| self.union_types.get(kind));
        let position =
            members.and_then(|members| members.iter().position(|(name, _)| member.value.as_str() == Some(name)));
        let union = self.program.code.union_stacks[index as usize].unions[0];
        match position {
            Some(position) if position < self.program.code.unions[union as usize].headers.len() => {
                Ok((index, position as u32))
            }
            _ => member.invalid("the union has no such member"),
        }
    }

    fn parser_op(&mut self, at: &At<'_>) -> Load<ParserOp> {
        let op = at.get("op")?;
        let args = at.get("parameters")?;
        Ok(match op.str()? {
            "extract" => {
                let [target] = args.tuple()?;
                let (target, example) = self.target(&target)?;
                if self.program.code.headers[example as usize].variable.is_some() {
                    return at.invalid("a header with a variable field needs `extract_VL`");
                }
                ParserOp::Extract(target)
            }
            "extract_VL" => {
                let [target, bits] = args.tuple()?;
                let (target, example) = self.target(&target)?;
                if self.program.code.headers[example as usize].variable.is_none() {
                    return at.invalid("the header has no variable field");
                }
                ParserOp::ExtractVariable { target, bits: self.number(&bits, &[], Demand::Exact)? }
            }
            "set" => {
                let [to, value] = args.tuple()?;
                self.parser_set(&to, &value)?
            }
            "verify" => {
                let [condition, error] = args.tuple()?;
                let condition = self.boolean(&condition, &[])?;
                let error = match error.value.as_u64() {
                    Some(number) => {
                        let node = self.program.code.exprs.constant(number.into());
                        self.program.code.exprs.finish(node, Demand::Exact)
                    }
                    None => self.number(&error, &[], Demand::Exact)?,
                };
                ParserOp::Verify { condition, error }
            }
            "shift" => {
                let [bytes] = args.tuple()?;
                let node = self.program.code.exprs.constant((u64::from(bytes.u32()?) * 8).into());
                ParserOp::Advance { bits: self.program.code.exprs.finish(node, Demand::Exact) }
            }
            "advance" => {
                let [bits] = args.tuple()?;
                ParserOp::Advance { bits: self.number(&bits, &[], Demand::Exact)? }
            }
            "primitive" => {
                let [call] = args.tuple()?;
                ParserOp::Primitive(self.primitive(&call, &[], 0)?)
            }
            other => return op.unsupported("parser operation", other, OPS),
        })
    }

    fn parser_set(&mut self, to: &At<'_>, value: &At<'_>) -> Load<ParserOp> {
        if value.get("type")?.str()? == "lookahead" {
            let to = self.field(&to.get("value")?)?;
            let (offset, bits) = lookahead(&value.get("value")?)?;
            return Ok(ParserOp::SetLookahead { to, offset, bits });
        }
        let (place, demand) = self.place(to, &[])?;
        if let Place::Field(to) = place
            && to.variable
            && value.get("type")?.str()? == "field"
        {
            let from = self.field(&value.get("value")?)?;
            if !from.variable || from.bits > to.bits {
                return value.invalid("expected a variable field that is not larger");
            }
            return Ok(ParserOp::SetVariable { to, from });
        }
        Ok(ParserOp::Set { place, value: self.number(value, &[], demand)? })
    }

    /// What to extract to, and a header of its type.
    fn target(&mut self, at: &At<'_>) -> Load<(Target, u32)> {
        let (kind, value) = at.typed()?;
        Ok(match kind {
            "regular" => {
                let header = lookup(&self.headers, "header", &value)?;
                (Target::Header(header), header)
            }
            "stack" => {
                let stack = lookup(&self.stacks, "header stack", &value)?;
                (Target::Stack(stack), self.program.code.stacks[stack as usize].headers[0])
            }
            "union_stack" => {
                let [stack, member] = value.tuple()?;
                let (stack, member) = self.union_stack_member(&stack, &member)?;
                let union = self.program.code.union_stacks[stack as usize].unions[0];
                let header = self.program.code.unions[union as usize].headers[member as usize];
                (Target::UnionStack { stack, member }, header)
            }
            other => return at.unsupported("extraction target", other, &["regular", "stack", "union_stack"]),
        })
    }
}

/// The transition in 64 bits, where it can be.
fn quick(state: &ParserState) -> Option<Select> {
    let mut left: u32 = state.key.iter().map(|(_, bits)| *bits).sum();
    let (mut key, mut cases) = (Vec::new(), Vec::new());
    for (part, bits) in &state.key {
        left = Some(left).filter(|left| *left <= 64)? - bits;
        match part {
            KeyPart::Field(field) if (1..=64).contains(&field.bits) && !field.variable => key.push((field.slot, left)),
            _ => return None,
        }
    }
    for (case, next) in &state.cases {
        match case {
            Case::Value { value, mask } => cases.push((*value as u64, *mask as u64, *next)),
            Case::Set { .. } => return None,
        }
    }
    Some(Select { key, cases })
}

fn lookahead(at: &At<'_>) -> Load<(u32, u32)> {
    let [offset, bits] = at.tuple()?;
    offset.limit("lookahead offset", u64::from(offset.u32()?), 1 << 20)?;
    bits.limit("lookahead width", u64::from(bits.u32()?), 1 << 16)?;
    Ok((offset.u32()?, bits.u32()?))
}

fn at_most_128(at: &At<'_>, bits: u32) -> Load<u32> {
    at.limit("width of a part of a transition key", u64::from(bits), 128)?;
    Ok(bits)
}

fn ones(bits: u32) -> u128 {
    if bits >= 128 { u128::MAX } else { (1 << bits) - 1 }
}

/// A transition's value, in which every part is padded to whole bytes, without the padding.
fn unpad(key: &[(KeyPart, u32)], at: &At<'_>) -> Load<u128> {
    let padded = at.hex_bytes()?;
    let bytes: usize = key.iter().map(|(_, bits)| bits.div_ceil(8) as usize).sum();
    if padded.len() > bytes && padded != [0] {
        return at.invalid(format!("the value is wider than the {bytes} bytes of the key"));
    }
    let mut whole = vec![0; bytes.saturating_sub(padded.len())];
    whole.extend(padded);
    let mut rest = whole.as_slice();
    let mut value: u128 = 0;
    for (_, bits) in key {
        let (part, tail) = rest.split_at(bits.div_ceil(8) as usize);
        rest = tail;
        let number = part.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
        if number & !ones(*bits) != 0 {
            return at.invalid(format!("a part of the value is wider than its {bits} bits"));
        }
        value = value.checked_shl(*bits).unwrap_or(0) | number;
    }
    Ok(value)
}
