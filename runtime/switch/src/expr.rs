//! Expressions: a tree in an arena, evaluated with unbounded precision as BMv2 does.
//!
//! BMv2 computes with numbers of any size and cuts a result when it is stored. Nearly every expression of a real program
//! gives the same low bits in 128-bit arithmetic that wraps, and whether one does is known when the program is loaded:
//! [`Arena::finish`] decides from the widths of the operands. The others, such as comparisons of IPv6 addresses under
//! arithmetic, go through big integers and are slower. Those that even 64 bits are enough for, nearly all, are compiled
//! further, to [`word`]s and [`condition`]s.

pub(crate) mod condition;
pub(crate) mod word;

use crate::bits::{self, mask64};
use crate::code::{Code, Field};
use crate::packet::Phv;
use crate::state::arrays::Registers;
use condition::Test;
use num_bigint::{BigInt, Sign};
use word::{Word, WordId};

pub(crate) type NodeId = u32;

/// Widths up to this are computed in `i128`.
const SMALL: u32 = 126;
/// Shifts beyond this leave nothing of any field.
const LONGEST_SHIFT: i128 = 1 << 17;

/// A header, perhaps chosen by a value of the packet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HeaderRef {
    Static(u32),
    InStack { stack: u32, index: NodeId },
    LastOfStack(u32),
    Member { union: UnionRef, member: u32 },
}

/// A header union, perhaps chosen by a value of the packet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum UnionRef {
    Static(u32),
    InStack { stack: u32, index: NodeId },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unary {
    /// Logical.
    Not,
    /// Bitwise.
    Invert,
    ToBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    ShiftLeft,
    ShiftRight,
    And,
    Or,
    Xor,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Both,
    Either,
    Wrap,
    SaturateUnsigned,
    SaturateSigned,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Node {
    Const(i128),
    /// A constant too wide for `i128`, by index.
    Big(u32),
    /// A field of one limb, unsigned.
    Plain(u32),
    Field(Field),
    FieldOf {
        header: HeaderRef,
        field: u32,
    },
    Param {
        limb: u32,
        bits: u32,
    },
    Register {
        array: u32,
        index: NodeId,
    },
    Valid(HeaderRef),
    ValidUnion(UnionRef),
    SameHeader(HeaderRef, HeaderRef),
    SameUnion(UnionRef, UnionRef),
    /// Number of extracted elements of a header stack, by its counter.
    StackSize(u32),
    Unary(Unary, NodeId),
    Binary(Binary, NodeId, NodeId),
    If {
        condition: NodeId,
        yes: NodeId,
        no: NodeId,
    },
}

/// A finished expression.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expr {
    pub(crate) root: NodeId,
    how: How,
}

/// The arithmetic that an expression needs.
#[derive(Clone, Copy, Debug)]
enum How {
    Word(WordId),
    Small,
    Big,
}

impl Expr {
    pub(crate) fn is_big(self) -> bool {
        matches!(self.how, How::Big)
    }

    /// Its form in 64-bit arithmetic, if it has one.
    pub(crate) fn word(self) -> Option<WordId> {
        match self.how {
            How::Word(word) => Some(word),
            How::Small | How::Big => None,
        }
    }
}

/// How much of a result is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// All of it.
    Exact,
    /// At most the lowest 126 bits.
    Low,
    /// At most the lowest 64 bits.
    Word,
}

/// All expression nodes of a program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arena {
    pub(crate) nodes: Vec<Node>,
    /// Bits that the magnitude of each node's value can have.
    bounds: Vec<u32>,
    bigs: Vec<BigInt>,
    pub(crate) words: Vec<Word>,
    tests: Vec<Test>,
}

impl Arena {
    pub(crate) fn push(&mut self, node: Node, bits: u32) -> NodeId {
        self.nodes.push(node);
        self.bounds.push(bits);
        (self.nodes.len() - 1) as NodeId
    }

    pub(crate) fn constant(&mut self, value: BigInt) -> NodeId {
        let bits = value.bits() as u32;
        match i128::try_from(&value) {
            Ok(small) => self.push(Node::Const(small), bits),
            Err(_) => {
                self.bigs.push(value);
                self.push(Node::Big(self.bigs.len() as u32 - 1), bits)
            }
        }
    }

    pub(crate) fn unary(&mut self, op: Unary, of: NodeId) -> NodeId {
        let bits = match op {
            Unary::Not | Unary::ToBool => 1,
            Unary::Invert => self.bound(of).saturating_add(1),
        };
        self.push(Node::Unary(op, of), bits)
    }

    pub(crate) fn binary(&mut self, op: Binary, left: NodeId, right: NodeId) -> NodeId {
        let (a, b) = (self.bound(left), self.bound(right));
        let bits = match op {
            Binary::Add | Binary::Sub => a.max(b).saturating_add(1),
            Binary::Mul => a.saturating_add(b),
            Binary::Div | Binary::Mod => a,
            Binary::ShiftLeft => match self.nodes[right as usize] {
                Node::Const(by) => a.saturating_add(by.clamp(0, LONGEST_SHIFT) as u32),
                _ => a.saturating_add(if b >= 17 { LONGEST_SHIFT as u32 } else { (1 << b) - 1 }),
            },
            Binary::ShiftRight => a,
            Binary::And => match (self.non_negative(left), self.non_negative(right)) {
                (true, true) => a.min(b),
                (true, false) => a,
                (false, true) => b,
                (false, false) => a.max(b).saturating_add(1),
            },
            Binary::Or | Binary::Xor => a.max(b).saturating_add(1),
            Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => 1,
            Binary::Both | Binary::Either => 1,
            Binary::Wrap | Binary::SaturateUnsigned | Binary::SaturateSigned => match self.nodes[right as usize] {
                Node::Const(width) => width.clamp(0, 1 << 17) as u32,
                _ => a,
            },
        };
        self.push(Node::Binary(op, left, right), bits)
    }

    pub(crate) fn select(&mut self, condition: NodeId, yes: NodeId, no: NodeId) -> NodeId {
        let bits = self.bound(yes).max(self.bound(no));
        self.push(Node::If { condition, yes, no }, bits)
    }

    pub(crate) fn finish(&mut self, root: NodeId, demand: Demand) -> Expr {
        let how = match self.word(root, demand != Demand::Word) {
            Some(word) => How::Word(word),
            None if self.needs_big(root, demand) => How::Big,
            None => How::Small,
        };
        Expr { root, how }
    }

    pub(crate) fn bound(&self, node: NodeId) -> u32 {
        self.bounds[node as usize]
    }

    /// Whether the value is certainly not below 0.
    fn non_negative(&self, node: NodeId) -> bool {
        match self.nodes[node as usize] {
            Node::Const(value) => value >= 0,
            Node::Big(index) => self.bigs[index as usize].sign() != Sign::Minus,
            Node::Field(field) => !field.signed,
            Node::Binary(Binary::Sub | Binary::Wrap | Binary::SaturateSigned, ..) | Node::Unary(Unary::Invert, _) => {
                false
            }
            Node::Binary(Binary::And, a, b) => self.non_negative(a) || self.non_negative(b),
            Node::Binary(_, a, b) => self.non_negative(a) && self.non_negative(b),
            Node::If { yes, no, .. } => self.non_negative(yes) && self.non_negative(no),
            // The field may be of a signed type; registers are unsigned but may be wide.
            Node::FieldOf { .. } | Node::StackSize(_) => false,
            Node::Plain(_) | Node::Param { .. } | Node::Register { .. } => true,
            Node::Valid(_) | Node::ValidUnion(_) | Node::SameHeader(..) | Node::SameUnion(..) => true,
            Node::Unary(Unary::Not | Unary::ToBool, _) => true,
        }
    }

    /// Whether `i128` arithmetic that wraps could differ, in the demanded bits, from exact arithmetic.
    fn needs_big(&self, node: NodeId, demand: Demand) -> bool {
        if demand == Demand::Exact && self.bound(node) > SMALL {
            return true;
        }
        match self.nodes[node as usize] {
            Node::Binary(op, a, b) => {
                let (left, right) = match op {
                    Binary::Add | Binary::Sub | Binary::Mul | Binary::Or | Binary::Xor => (demand, demand),
                    Binary::And if self.non_negative(b) && self.bound(b) <= SMALL => (Demand::Low, Demand::Exact),
                    Binary::And if self.non_negative(a) && self.bound(a) <= SMALL => (Demand::Exact, Demand::Low),
                    Binary::And => (demand, demand),
                    Binary::ShiftLeft => (demand, Demand::Exact),
                    Binary::Wrap if self.bound(node) <= SMALL => (Demand::Low, Demand::Exact),
                    _ => (Demand::Exact, Demand::Exact),
                };
                self.needs_big(a, left) || self.needs_big(b, right)
            }
            Node::Unary(Unary::Invert, of) => self.needs_big(of, demand),
            Node::Unary(Unary::Not | Unary::ToBool, of) => self.needs_big(of, Demand::Exact),
            Node::If { condition, yes, no } => {
                self.needs_big(condition, Demand::Exact) || self.needs_big(yes, demand) || self.needs_big(no, demand)
            }
            Node::Register { index, .. } => self.needs_big(index, Demand::Exact),
            _ => false,
        }
    }
}

/// A computed value.
pub(crate) enum Value {
    Int(i128),
    Big(BigInt),
}

impl Value {
    /// An unsigned number of `bits`.
    pub(crate) fn from_limbs(limbs: &[u64], bits: u32) -> Value {
        if bits <= SMALL { Value::Int(wide_int(limbs, bits, false)) } else { Value::Big(big_from(limbs, bits, false)) }
    }

    /// The lowest limbs in two's complement.
    pub(crate) fn limb(&self, index: usize) -> u64 {
        match self {
            Value::Int(value) => match index {
                0 => *value as u64,
                1 => (*value >> 64) as u64,
                _ => (*value >> 127) as u64,
            },
            Value::Big(value) => {
                let fill = if value.sign() == Sign::Minus { u64::MAX } else { 0 };
                let magnitude = |at| value.magnitude().iter_u64_digits().nth(at).unwrap_or(0);
                if fill == 0 {
                    return magnitude(index);
                }
                // -m is !(m - 1): the borrow passes through the limbs below only while they are all 0.
                let borrow = (0..index).all(|below| magnitude(below) == 0);
                !magnitude(index).wrapping_sub(u64::from(borrow))
            }
        }
    }
}

/// What expressions may look at.
#[derive(Clone, Copy)]
pub(crate) struct Env<'a> {
    pub(crate) code: &'a Code,
    pub(crate) phv: &'a Phv,
    pub(crate) params: &'a [u64],
    pub(crate) registers: &'a [Registers],
}

impl Env<'_> {
    /// The lowest 128 bits of the value.
    pub(crate) fn int(&self, expr: Expr) -> i128 {
        match expr.how {
            How::Word(word) => i128::from(word::eval(&self.code.exprs.words, word, self.phv, self.params)),
            How::Small => self.small(expr.root),
            How::Big => low(&self.big(expr.root)),
        }
    }

    pub(crate) fn value(&self, expr: Expr) -> Value {
        match expr.how {
            How::Big => Value::Big(self.big(expr.root)),
            How::Word(_) | How::Small => Value::Int(self.int(expr)),
        }
    }

    pub(crate) fn is_true(&self, expr: Expr) -> bool {
        self.int(expr) != 0
    }

    /// An index, length or other count; negative and huge values become the largest.
    pub(crate) fn count(&self, expr: Expr) -> u64 {
        u64::try_from(self.int(expr)).unwrap_or(u64::MAX)
    }

    /// An index that is a node of its own.
    pub(crate) fn node(&self, node: NodeId) -> u64 {
        u64::try_from(self.small(node)).unwrap_or(u64::MAX)
    }

    fn small(&self, node: NodeId) -> i128 {
        match self.code.exprs.nodes[node as usize] {
            Node::Const(value) => value,
            Node::Plain(slot) => i128::from(self.phv.slots[slot as usize]),
            Node::Binary(op, a, b) => self.small_binary(op, a, b),
            Node::Param { limb, bits } => wide_int(&self.params[limb as usize..][..bits::limbs(bits)], bits, false),
            Node::Field(field) => wide_int(&self.phv.slots[field.range()], self.width(field), field.signed),
            Node::FieldOf { header, field } => self
                .field_of(header, field)
                .map_or(0, |field| wide_int(&self.phv.slots[field.range()], self.width(field), field.signed)),
            Node::Register { array, index } => {
                let index = u64::try_from(self.small(index)).unwrap_or(u64::MAX);
                self.registers[array as usize].read(index, |cell, bits| wide_int(cell, bits, false)).unwrap_or(0)
            }
            Node::Valid(header) => {
                i128::from(self.header(header).is_some_and(|header| self.phv.valid[header as usize]))
            }
            Node::ValidUnion(union) => i128::from(self.union(union).is_some_and(|union| {
                self.code.unions[union as usize].headers.iter().any(|header| self.phv.valid[*header as usize])
            })),
            Node::SameHeader(a, b) => i128::from(match (self.header(a), self.header(b)) {
                (Some(a), Some(b)) => self.same_header(a, b),
                _ => false,
            }),
            Node::SameUnion(a, b) => i128::from(match (self.union(a), self.union(b)) {
                (Some(a), Some(b)) => self.same_union(a, b),
                _ => false,
            }),
            Node::StackSize(counter) => i128::from(self.phv.counters[counter as usize]),
            Node::Unary(Unary::Not, of) => i128::from(self.small(of) == 0),
            Node::Unary(Unary::ToBool, of) => i128::from(self.small(of) != 0),
            Node::Unary(Unary::Invert, of) => !self.small(of),
            Node::If { condition, yes, no } => self.small(if self.small(condition) != 0 { yes } else { no }),
            Node::Big(index) => low(&self.code.exprs.bigs[index as usize]),
        }
    }

    fn small_binary(&self, op: Binary, a: NodeId, b: NodeId) -> i128 {
        let a = self.small(a);
        match op {
            Binary::Both if a == 0 => return 0,
            Binary::Either if a != 0 => return 1,
            _ => {}
        }
        let b = self.small(b);
        match op {
            Binary::Add => a.wrapping_add(b),
            Binary::Sub => a.wrapping_sub(b),
            Binary::Mul => a.wrapping_mul(b),
            Binary::Div => a.checked_div(b).unwrap_or(0),
            Binary::Mod => a.checked_rem(b).unwrap_or(0),
            Binary::ShiftLeft => u32::try_from(b).ok().and_then(|by| a.checked_shl(by)).unwrap_or(0),
            Binary::ShiftRight => a >> b.clamp(0, 127),
            Binary::And => a & b,
            Binary::Or => a | b,
            Binary::Xor => a ^ b,
            Binary::Eq => i128::from(a == b),
            Binary::Ne => i128::from(a != b),
            Binary::Lt => i128::from(a < b),
            Binary::Le => i128::from(a <= b),
            Binary::Gt => i128::from(a > b),
            Binary::Ge => i128::from(a >= b),
            Binary::Both | Binary::Either => i128::from(b != 0),
            Binary::Wrap => match b {
                1..=127 => a << (128 - b) >> (128 - b),
                _ => a,
            },
            Binary::SaturateUnsigned => a.clamp(0, if b >= 127 { i128::MAX } else { (1 << b.max(0)) - 1 }),
            Binary::SaturateSigned => {
                let limit = if b >= 127 { i128::MAX } else { (1 << (b.max(1) - 1)) - 1 };
                a.clamp(-limit - 1, limit)
            }
        }
    }

    fn big(&self, node: NodeId) -> BigInt {
        match self.code.exprs.nodes[node as usize] {
            Node::Big(index) => self.code.exprs.bigs[index as usize].clone(),
            Node::Param { limb, bits } => big_from(&self.params[limb as usize..][..bits::limbs(bits)], bits, false),
            Node::Field(field) => big_from(&self.phv.slots[field.range()], self.width(field), field.signed),
            Node::FieldOf { header, field } => self.field_of(header, field).map_or_else(BigInt::default, |field| {
                big_from(&self.phv.slots[field.range()], self.width(field), field.signed)
            }),
            Node::Register { array, index } => {
                let index = u64::try_from(low(&self.big(index))).unwrap_or(u64::MAX);
                let read = self.registers[array as usize].read(index, |cell, bits| big_from(cell, bits, false));
                read.unwrap_or_default()
            }
            Node::Unary(Unary::Not, of) => BigInt::from(u8::from(self.big(of).sign() == Sign::NoSign)),
            Node::Unary(Unary::ToBool, of) => BigInt::from(u8::from(self.big(of).sign() != Sign::NoSign)),
            Node::Unary(Unary::Invert, of) => !self.big(of),
            Node::If { condition, yes, no } => {
                self.big(if self.big(condition).sign() == Sign::NoSign { no } else { yes })
            }
            Node::Binary(op, a, b) => big_binary(op, self.big(a), self.big(b)),
            Node::Const(_)
            | Node::Plain(_)
            | Node::Valid(_)
            | Node::ValidUnion(_)
            | Node::SameHeader(..)
            | Node::SameUnion(..)
            | Node::StackSize(_) => BigInt::from(self.small(node)),
        }
    }

    /// The width of a field as it is now.
    pub(crate) fn width(&self, field: Field) -> u32 {
        if field.variable { self.phv.slots[field.slot as usize - 1] as u32 } else { field.bits }
    }

    /// The header that is meant, or `None` where an index leads outside its stack.
    pub(crate) fn header(&self, header: HeaderRef) -> Option<u32> {
        match header {
            HeaderRef::Static(header) => Some(header),
            HeaderRef::InStack { stack, index } => {
                let index = usize::try_from(self.small(index)).ok()?;
                self.code.stacks[stack as usize].headers.get(index).copied()
            }
            HeaderRef::LastOfStack(stack) => {
                let stack = &self.code.stacks[stack as usize];
                let count = self.phv.counters[stack.counter as usize] as usize;
                stack.headers.get(count.checked_sub(1)?).copied()
            }
            HeaderRef::Member { union, member } => {
                self.code.unions[self.union(union)? as usize].headers.get(member as usize).copied()
            }
        }
    }

    pub(crate) fn union(&self, union: UnionRef) -> Option<u32> {
        match union {
            UnionRef::Static(union) => Some(union),
            UnionRef::InStack { stack, index } => {
                let index = usize::try_from(self.small(index)).ok()?;
                self.code.union_stacks[stack as usize].unions.get(index).copied()
            }
        }
    }

    pub(crate) fn field_of(&self, header: HeaderRef, field: u32) -> Option<Field> {
        self.code.headers[self.header(header)? as usize].fields.get(field as usize).copied()
    }

    /// Both valid, of one type and with equal fields.
    fn same_header(&self, a: u32, b: u32) -> bool {
        let (one, other) = (&self.code.headers[a as usize], &self.code.headers[b as usize]);
        let slots = |range: &core::ops::Range<u32>| &self.phv.slots[range.start as usize..range.end as usize];
        one.kind == other.kind
            && self.phv.valid[a as usize]
            && self.phv.valid[b as usize]
            && slots(&one.slots) == slots(&other.slots)
    }

    /// The same member is valid in both, with equal fields.
    fn same_union(&self, a: u32, b: u32) -> bool {
        let (one, other) = (&self.code.unions[a as usize].headers, &self.code.unions[b as usize].headers);
        one.len() == other.len() && one.iter().zip(other).any(|(a, b)| self.same_header(*a, *b))
    }
}

fn big_binary(op: Binary, a: BigInt, b: BigInt) -> BigInt {
    let flag = |yes: bool| BigInt::from(u8::from(yes));
    let shift = i128::try_from(&b).unwrap_or(i128::MAX).clamp(0, LONGEST_SHIFT + 1);
    let power = |exponent: i128| BigInt::from(1) << exponent.clamp(0, LONGEST_SHIFT) as u32;
    match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a.checked_div(&b).unwrap_or_default(),
        Binary::Mod => {
            if b.sign() == Sign::NoSign {
                BigInt::default()
            } else {
                a % b
            }
        }
        Binary::ShiftLeft if shift > LONGEST_SHIFT => BigInt::default(),
        Binary::ShiftLeft => a << shift as u32,
        Binary::ShiftRight => a >> shift as u32,
        Binary::And => a & b,
        Binary::Or => a | b,
        Binary::Xor => a ^ b,
        Binary::Eq => flag(a == b),
        Binary::Ne => flag(a != b),
        Binary::Lt => flag(a < b),
        Binary::Le => flag(a <= b),
        Binary::Gt => flag(a > b),
        Binary::Ge => flag(a >= b),
        Binary::Both => flag(a.sign() != Sign::NoSign && b.sign() != Sign::NoSign),
        Binary::Either => flag(a.sign() != Sign::NoSign || b.sign() != Sign::NoSign),
        Binary::Wrap => {
            let modulus = power(shift);
            let half = power(shift - 1);
            let low = ((a % &modulus) + &modulus) % &modulus;
            if low >= half { low - modulus } else { low }
        }
        Binary::SaturateUnsigned => a.clamp(BigInt::default(), power(shift) - 1),
        Binary::SaturateSigned => a.clamp(-power(shift - 1), power(shift - 1) - 1),
    }
}

/// The lowest 128 bits in two's complement.
fn low(value: &BigInt) -> i128 {
    let mut digits = value.magnitude().iter_u64_digits();
    let magnitude = u128::from(digits.next().unwrap_or(0)) | u128::from(digits.next().unwrap_or(0)) << 64;
    let magnitude = magnitude as i128;
    if value.sign() == Sign::Minus { magnitude.wrapping_neg() } else { magnitude }
}

/// The lowest 128 bits of a number of `bits`, sign-extended if it is signed.
fn wide_int(limbs: &[u64], bits: u32, signed: bool) -> i128 {
    let low = limbs[0];
    let value = match limbs.get(1) {
        None => i128::from(low),
        Some(high) => (u128::from(low) | u128::from(*high) << 64) as i128,
    };
    if signed && (1..128).contains(&bits) { value << (128 - bits) >> (128 - bits) } else { value }
}

fn big_from(limbs: &[u64], bits: u32, signed: bool) -> BigInt {
    let digits = limbs.iter().flat_map(|limb| [*limb as u32, (*limb >> 32) as u32]).collect();
    let value = BigInt::from(num_bigint::BigUint::new(digits));
    let negative = signed && bits > 0 && limbs[(bits as usize - 1) / 64] >> ((bits - 1) % 64) & 1 == 1;
    if negative { value - (BigInt::from(1) << bits) } else { value }
}

/// Stores a value in a field: cut to its width, or clamped if the field saturates.
pub(crate) fn store(slots: &mut [u64], field: Field, value: &Value) {
    if field.saturating {
        let width = BigInt::from(field.bits);
        let op = if field.signed { Binary::SaturateSigned } else { Binary::SaturateUnsigned };
        let exact = match value {
            Value::Int(value) => BigInt::from(*value),
            Value::Big(value) => value.clone(),
        };
        let clamped = big_binary(op, exact, width);
        return store(slots, Field { saturating: false, ..field }, &Value::Big(clamped));
    }
    if let (Value::Int(value), true) = (value, field.bits <= 64 && !field.variable) {
        slots[field.slot as usize] = *value as u64 & mask64(field.bits);
        return;
    }
    let bits = if field.variable { slots[field.slot as usize - 1] as u32 } else { field.bits };
    let target = &mut slots[field.range()];
    for (index, limb) in target.iter_mut().enumerate() {
        *limb = value.limb(index);
    }
    bits::truncate(target, bits);
}
