//! Expressions, with their types checked.

use num_bigint::BigInt;

use super::json::{At, Load};
use super::{Loader, lookup};
use crate::code::{Field, Place, StackRef};
use crate::expr::condition::Condition;
use crate::expr::{Binary, Demand, Expr, HeaderRef, Node, NodeId, Unary, UnionRef};

/// What an expression stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Typed {
    Number(NodeId),
    Bool(NodeId),
    Header(HeaderRef),
    Union(UnionRef),
    Stack(u32),
    UnionStack(u32),
}

impl Typed {
    fn name(self) -> &'static str {
        match self {
            Self::Number(_) => "a number",
            Self::Bool(_) => "a boolean",
            Self::Header(_) => "a header",
            Self::Union(_) => "a header union",
            Self::Stack(_) => "a header stack",
            Self::UnionStack(_) => "a header union stack",
        }
    }
}

/// Where the parameters of the enclosing action are: first limb and width of each.
pub(super) type Params<'p> = &'p [(u32, u32)];

const OPERANDS: &[&str] = &[
    "field",
    "hexstr",
    "bool",
    "local",
    "runtime_data",
    "register",
    "header",
    "header_stack",
    "header_union",
    "header_union_stack",
    "stack_field",
    "expression",
];
const OPERATORS: &[&str] = &[
    "+",
    "-",
    "*",
    "/",
    "%",
    "<<",
    ">>",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "and",
    "or",
    "not",
    "&",
    "|",
    "^",
    "~",
    "valid",
    "valid_union",
    "d2b",
    "b2d",
    "?",
    "two_comp_mod",
    "usat_cast",
    "sat_cast",
    "dereference_header_stack",
    "dereference_union_stack",
    "last_stack_index",
    "size_stack",
    "access_field",
    "access_union_header",
];

impl Loader {
    /// An expression that gives a number.
    pub(super) fn number(&mut self, at: &At<'_>, params: Params<'_>, demand: Demand) -> Load<Expr> {
        let node = self.number_node(at, params)?;
        Ok(self.program.code.exprs.finish(node, demand))
    }

    /// An expression that gives a boolean.
    pub(super) fn boolean(&mut self, at: &At<'_>, params: Params<'_>) -> Load<Expr> {
        match self.typed(at, params)? {
            Typed::Bool(node) => Ok(self.program.code.exprs.finish(node, Demand::Exact)),
            other => at.invalid(format!("expected a boolean, found {}", other.name())),
        }
    }

    /// A boolean, or a number of which 0 is false.
    pub(super) fn truth(&mut self, at: &At<'_>, params: Params<'_>) -> Load<Expr> {
        match self.typed(at, params)? {
            Typed::Bool(node) | Typed::Number(node) => Ok(self.program.code.exprs.finish(node, Demand::Exact)),
            other => at.invalid(format!("expected a boolean, found {}", other.name())),
        }
    }

    /// What to branch on, from an expression of either kind.
    pub(super) fn condition(&mut self, expr: Expr) -> Condition {
        self.program.code.exprs.condition(expr.root)
    }

    pub(super) fn number_node(&mut self, at: &At<'_>, params: Params<'_>) -> Load<NodeId> {
        match self.typed(at, params)? {
            Typed::Number(node) => Ok(node),
            other => at.invalid(format!("expected a number, found {}", other.name())),
        }
    }

    pub(super) fn header_ref(&mut self, at: &At<'_>, params: Params<'_>) -> Load<HeaderRef> {
        match self.typed(at, params)? {
            Typed::Header(header) => Ok(header),
            other => at.invalid(format!("expected a header, found {}", other.name())),
        }
    }

    pub(super) fn union_ref(&mut self, at: &At<'_>, params: Params<'_>) -> Load<UnionRef> {
        match self.typed(at, params)? {
            Typed::Union(union) => Ok(union),
            other => at.invalid(format!("expected a header union, found {}", other.name())),
        }
    }

    pub(super) fn stack_ref(&mut self, at: &At<'_>, params: Params<'_>) -> Load<StackRef> {
        match self.typed(at, params)? {
            Typed::Stack(stack) => Ok(StackRef::Headers(stack)),
            Typed::UnionStack(stack) => Ok(StackRef::Unions(stack)),
            other => at.invalid(format!("expected a header stack, found {}", other.name())),
        }
    }

    /// Something that can be assigned to, and how wide it is.
    pub(super) fn place(&mut self, at: &At<'_>, params: Params<'_>) -> Load<(Place, Demand)> {
        let Typed::Number(node) = self.typed(at, params)? else {
            return at.invalid("expected something that a number can be assigned to");
        };
        Ok(match self.program.code.exprs.nodes[node as usize] {
            Node::Plain(slot) => {
                let bits = self.program.code.exprs.bound(node);
                let field = Field { slot, bits, signed: false, saturating: false, variable: false };
                (Place::Field(field), Demand::Word)
            }
            Node::Field(field) => (Place::Field(field), Self::demand(field)),
            Node::FieldOf { header, field } => (Place::Indirect { header, field }, Demand::Exact),
            Node::Register { array, index } => {
                self.registers_written = true;
                (Place::Register { array, index }, Demand::Exact)
            }
            Node::Valid(HeaderRef::Static(header)) => (Place::Valid(header), Demand::Low),
            _ => return at.invalid("expected something that a number can be assigned to"),
        })
    }

    pub(super) fn field_node(&mut self, field: Field) -> NodeId {
        let node = if field.is_plain() { Node::Plain(field.slot) } else { Node::Field(field) };
        self.program.code.exprs.push(node, field.bits)
    }

    /// An expression of any type.
    pub(super) fn typed(&mut self, at: &At<'_>, params: Params<'_>) -> Load<Typed> {
        if at.opt("op")?.is_some() {
            return self.operation(at, params);
        }
        let (kind, value) = at.typed()?;
        Ok(match kind {
            "expression" => self.typed(&value, params)?,
            "field" => {
                let [header, name] = value.tuple()?;
                if name.str()? == "$valid$" {
                    let header = HeaderRef::Static(lookup(&self.headers, "header", &header)?);
                    return Ok(Typed::Number(self.program.code.exprs.push(Node::Valid(header), 1)));
                }
                let field = self.field(&value)?;
                Typed::Number(self.field_node(field))
            }
            "hexstr" => {
                let number = value.hex()?;
                Typed::Number(self.program.code.exprs.constant(number))
            }
            "bool" => {
                let flag = BigInt::from(u8::from(value.bool()?));
                Typed::Bool(self.program.code.exprs.constant(flag))
            }
            "local" | "runtime_data" => {
                let index = value.u32()?;
                let Some((limb, bits)) = params.get(index as usize).copied() else {
                    return value.invalid(format!("the action has {} parameters, not {index} and more", params.len()));
                };
                Typed::Number(self.program.code.exprs.push(Node::Param { limb, bits }, bits))
            }
            "register" => {
                let [array, index] = value.tuple()?;
                let array = lookup(&self.registers, "register array", &array)?;
                let index = self.number_node(&index, params)?;
                let bits = self.program.registers[array as usize].bits;
                self.registers_read = true;
                Typed::Number(self.program.code.exprs.push(Node::Register { array, index }, bits))
            }
            "header" => Typed::Header(HeaderRef::Static(lookup(&self.headers, "header", &value)?)),
            "header_stack" => Typed::Stack(lookup(&self.stacks, "header stack", &value)?),
            "header_union" => Typed::Union(UnionRef::Static(lookup(&self.unions, "header union", &value)?)),
            "header_union_stack" => Typed::UnionStack(lookup(&self.union_stacks, "header union stack", &value)?),
            "stack_field" => {
                if let Some(last) = self.last_of_stack(&value)? {
                    return Ok(Typed::Header(last));
                }
                let (stack, field, bits) = self.stack_field(&value)?;
                let node = Node::FieldOf { header: HeaderRef::LastOfStack(stack), field };
                Typed::Number(self.program.code.exprs.push(node, bits))
            }
            other => return at.unsupported("operand type", other, OPERANDS),
        })
    }

    /// A pair of stack and field name: stack, field index, width.
    pub(super) fn stack_field(&self, at: &At<'_>) -> Load<(u32, u32, u32)> {
        let [stack, field] = at.tuple()?;
        let stack = lookup(&self.stacks, "header stack", &stack)?;
        let first = self.program.code.stacks[stack as usize].headers[0];
        match self.type_of(first).field(field.str()?) {
            Some(index) => Ok((stack, index as u32, self.program.code.headers[first as usize].fields[index].bits)),
            None => field.invalid(format!("the headers of the stack have no field `{}`", field.str()?)),
        }
    }

    /// The last header of a stack, which p4c writes like a field of it where a parser copies it whole.
    fn last_of_stack(&self, at: &At<'_>) -> Load<Option<HeaderRef>> {
        let [stack, field] = at.tuple()?;
        let stack = lookup(&self.stacks, "header stack", &stack)?;
        let first = self.program.code.stacks[stack as usize].headers[0];
        let is_field = self.type_of(first).field("last").is_some();
        Ok((field.str()? == "last" && !is_field).then_some(HeaderRef::LastOfStack(stack)))
    }

    fn operation(&mut self, at: &At<'_>, params: Params<'_>) -> Load<Typed> {
        let op = at.get("op")?;
        let binary = |op| -> Option<Binary> {
            Some(match op {
                "+" => Binary::Add,
                "-" => Binary::Sub,
                "*" => Binary::Mul,
                "/" => Binary::Div,
                "%" => Binary::Mod,
                "<<" => Binary::ShiftLeft,
                ">>" => Binary::ShiftRight,
                "&" => Binary::And,
                "|" => Binary::Or,
                "^" => Binary::Xor,
                "two_comp_mod" => Binary::Wrap,
                "usat_cast" => Binary::SaturateUnsigned,
                "sat_cast" => Binary::SaturateSigned,
                _ => return None,
            })
        };
        let compare = |op| -> Option<Binary> {
            Some(match op {
                "<" => Binary::Lt,
                "<=" => Binary::Le,
                ">" => Binary::Gt,
                ">=" => Binary::Ge,
                _ => return None,
            })
        };
        let name = op.str()?;
        if let Some(operator) = binary(name) {
            let left = match at.opt("left")? {
                Some(left) => self.number_node(&left, params)?,
                // A negation: 0 - x.
                None => self.program.code.exprs.constant(BigInt::default()),
            };
            let right = self.number_node(&at.get("right")?, params)?;
            return Ok(Typed::Number(self.program.code.exprs.binary(operator, left, right)));
        }
        if let Some(operator) = compare(name) {
            let left = self.number_node(&at.get("left")?, params)?;
            let right = self.number_node(&at.get("right")?, params)?;
            return Ok(Typed::Bool(self.program.code.exprs.binary(operator, left, right)));
        }
        match name {
            "==" | "!=" => self.equality(at, params, name == "=="),
            "and" | "or" => {
                let left = self.boolean(&at.get("left")?, params)?.root;
                let right = self.boolean(&at.get("right")?, params)?.root;
                let operator = if name == "and" { Binary::Both } else { Binary::Either };
                Ok(Typed::Bool(self.program.code.exprs.binary(operator, left, right)))
            }
            "not" => {
                let of = self.boolean(&at.get("right")?, params)?.root;
                Ok(Typed::Bool(self.program.code.exprs.unary(Unary::Not, of)))
            }
            "~" => {
                let of = self.number_node(&at.get("right")?, params)?;
                Ok(Typed::Number(self.program.code.exprs.unary(Unary::Invert, of)))
            }
            "d2b" => {
                let of = self.number_node(&at.get("right")?, params)?;
                Ok(Typed::Bool(self.program.code.exprs.unary(Unary::ToBool, of)))
            }
            "b2d" => Ok(Typed::Number(self.boolean(&at.get("right")?, params)?.root)),
            "valid" => {
                let header = self.header_ref(&at.get("right")?, params)?;
                Ok(Typed::Bool(self.program.code.exprs.push(Node::Valid(header), 1)))
            }
            "valid_union" => {
                let union = self.union_ref(&at.get("right")?, params)?;
                Ok(Typed::Bool(self.program.code.exprs.push(Node::ValidUnion(union), 1)))
            }
            "?" => {
                let condition = self.boolean(&at.get("cond")?, params)?.root;
                let (yes, no) = (self.typed(&at.get("left")?, params)?, self.typed(&at.get("right")?, params)?);
                match (yes, no) {
                    (Typed::Number(yes), Typed::Number(no)) => {
                        Ok(Typed::Number(self.program.code.exprs.select(condition, yes, no)))
                    }
                    (Typed::Bool(yes), Typed::Bool(no)) => {
                        Ok(Typed::Bool(self.program.code.exprs.select(condition, yes, no)))
                    }
                    (yes, no) => at.invalid(format!("`?` between {} and {}", yes.name(), no.name())),
                }
            }
            "dereference_stack" | "dereference_header_stack" => {
                let Typed::Stack(stack) = self.typed(&at.get("left")?, params)? else {
                    return at.invalid("expected a header stack on the left");
                };
                let index = self.index(&at.get("right")?, params)?;
                Ok(Typed::Header(HeaderRef::InStack { stack, index }))
            }
            "dereference_union_stack" => {
                let Typed::UnionStack(stack) = self.typed(&at.get("left")?, params)? else {
                    return at.invalid("expected a header union stack on the left");
                };
                let index = self.index(&at.get("right")?, params)?;
                Ok(Typed::Union(UnionRef::InStack { stack, index }))
            }
            "last_stack_index" | "size_stack" => {
                let operand = at.get("right")?;
                let counter = match self.typed(&operand, params)? {
                    Typed::Stack(stack) => self.program.code.stacks[stack as usize].counter,
                    Typed::UnionStack(stack) => self.program.code.union_stacks[stack as usize].counter,
                    other => return operand.invalid(format!("expected a stack, found {}", other.name())),
                };
                let exprs = &mut self.program.code.exprs;
                let size = exprs.push(Node::StackSize(counter), 32);
                if name == "size_stack" {
                    return Ok(Typed::Number(size));
                }
                let one = exprs.constant(BigInt::from(1));
                Ok(Typed::Number(exprs.binary(Binary::Sub, size, one)))
            }
            "access_field" => {
                let header = self.header_ref(&at.get("left")?, params)?;
                let index = at.get("right")?;
                let field = index.u32()?;
                let known = self.example(header);
                let Some(bits) = self.program.code.headers[known as usize].fields.get(field as usize) else {
                    return index.invalid(format!("the header has no field {field}"));
                };
                let bits = bits.bits;
                Ok(Typed::Number(self.program.code.exprs.push(Node::FieldOf { header, field }, bits)))
            }
            "access_union_header" => {
                let union = self.union_ref(&at.get("left")?, params)?;
                let index = at.get("right")?;
                let member = index.u32()?;
                if member as usize >= self.program.code.unions[self.example_union(union) as usize].headers.len() {
                    return index.invalid(format!("the union has no member {member}"));
                }
                Ok(Typed::Header(HeaderRef::Member { union, member }))
            }
            other => op.unsupported("operator", other, OPERATORS),
        }
    }

    fn equality(&mut self, at: &At<'_>, params: Params<'_>, equal: bool) -> Load<Typed> {
        let (left, right) = (self.typed(&at.get("left")?, params)?, self.typed(&at.get("right")?, params)?);
        let exprs = &mut self.program.code.exprs;
        let same = match (left, right) {
            (Typed::Number(left), Typed::Number(right)) | (Typed::Bool(left), Typed::Bool(right)) => {
                let operator = if equal { Binary::Eq } else { Binary::Ne };
                return Ok(Typed::Bool(exprs.binary(operator, left, right)));
            }
            (Typed::Header(left), Typed::Header(right)) => exprs.push(Node::SameHeader(left, right), 1),
            (Typed::Union(left), Typed::Union(right)) => exprs.push(Node::SameUnion(left, right), 1),
            (left, right) => {
                return at.invalid(format!("comparison of {} with {}", left.name(), right.name()));
            }
        };
        Ok(Typed::Bool(if equal { same } else { exprs.unary(Unary::Not, same) }))
    }

    /// An index into a stack: always small arithmetic.
    fn index(&mut self, at: &At<'_>, params: Params<'_>) -> Load<NodeId> {
        let node = self.number_node(at, params)?;
        if self.program.code.exprs.finish(node, Demand::Exact).is_big() {
            return at.unsupported("stack index", "wider than 126 bits", &[]);
        }
        Ok(node)
    }

    /// Any header that a reference can mean: all have one type.
    pub(super) fn example(&self, header: HeaderRef) -> u32 {
        let code = &self.program.code;
        match header {
            HeaderRef::Static(header) => header,
            HeaderRef::InStack { stack, .. } | HeaderRef::LastOfStack(stack) => code.stacks[stack as usize].headers[0],
            HeaderRef::Member { union, member } => {
                code.unions[self.example_union(union) as usize].headers[member as usize]
            }
        }
    }

    pub(super) fn example_union(&self, union: UnionRef) -> u32 {
        match union {
            UnionRef::Static(union) => union,
            UnionRef::InStack { stack, .. } => self.program.code.union_stacks[stack as usize].unions[0],
        }
    }
}
