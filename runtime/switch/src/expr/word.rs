//! Expressions in 64-bit arithmetic.
//!
//! Fields of real programs are rarely wider than 64 bits, and what is computed from them is cut to a field again. Such an
//! expression becomes a [`Word`]: a small tree whose nodes are evaluated in `u64`, several times faster than `i128`.
//! Whether it gives the same result is decided here, when the program is loaded, from the widths of the operands: a sum
//! that is cut to 64 bits may wrap, a comparison needs operands that fit. What does not qualify stays as it is.

use super::{Arena, Binary, HeaderRef, Node, NodeId, Unary};
use crate::bits::mask64;
use crate::packet::Phv;

pub(crate) type WordId = u32;

/// One node; operands are other words.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Word {
    Const(u64),
    Slot(u32),
    /// 64 bits of a field of two limbs: those above the lowest so many.
    Window(u32, u32),
    Param(u32),
    Valid(u32),
    Invert(WordId),
    Not(WordId),
    ToBool(WordId),
    Add(WordId, WordId),
    Sub(WordId, WordId),
    Mul(WordId, WordId),
    Div(WordId, WordId),
    Mod(WordId, WordId),
    ShiftLeft(WordId, WordId),
    ShiftRight(WordId, WordId),
    And(WordId, WordId),
    /// The most common operation: a field cut, or tested for some bits.
    Mask(WordId, u64),
    Or(WordId, WordId),
    Xor(WordId, WordId),
    Eq(WordId, WordId),
    Ne(WordId, WordId),
    Lt(WordId, WordId),
    Le(WordId, WordId),
    Both(WordId, WordId),
    Either(WordId, WordId),
    /// The lowest bits, as a signed number of that width.
    Wrap(WordId, u32),
    /// A signed number, clamped.
    Clamp(WordId, i64, i64),
    If(WordId, WordId, WordId),
}

/// Widths up to this are exact as `i64`, whatever their sign.
const SIGNED: u32 = 63;

impl Arena {
    /// The lowest 64 bits of a node's value; all of it if `exact`. `None` if 64-bit arithmetic could differ.
    pub(crate) fn word(&mut self, node: NodeId, exact: bool) -> Option<WordId> {
        if exact && (self.bound(node) > 64 || !self.non_negative(node)) {
            return None;
        }
        let word = match self.nodes[node as usize] {
            Node::Const(value) => Word::Const(value as u64),
            Node::Plain(slot) => Word::Slot(slot),
            Node::Field(field) if !field.signed && !field.variable => Word::Slot(field.slot),
            Node::Param { limb, .. } => Word::Param(limb),
            Node::Valid(HeaderRef::Static(header)) => Word::Valid(header),
            Node::Unary(Unary::Not, of) => Word::Not(self.word(of, true)?),
            Node::Unary(Unary::ToBool, of) => Word::ToBool(self.word(of, true)?),
            Node::Unary(Unary::Invert, of) => Word::Invert(self.word(of, false)?),
            Node::If { condition, yes, no } => {
                Word::If(self.word(condition, true)?, self.word(yes, exact)?, self.word(no, exact)?)
            }
            Node::Binary(op, a, b) => return self.binary_word(op, a, b),
            _ => return None,
        };
        Some(self.push_word(word))
    }

    /// Operations whose low bits depend on the operands' low bits only take them cut, the others exact.
    fn binary_word(&mut self, op: Binary, a: NodeId, b: NodeId) -> Option<WordId> {
        let word = match op {
            Binary::And => return self.mask(a, b),
            Binary::Add => Word::Add(self.word(a, false)?, self.word(b, false)?),
            Binary::Sub => Word::Sub(self.word(a, false)?, self.word(b, false)?),
            Binary::Mul => Word::Mul(self.word(a, false)?, self.word(b, false)?),
            Binary::Or => Word::Or(self.word(a, false)?, self.word(b, false)?),
            Binary::Xor => Word::Xor(self.word(a, false)?, self.word(b, false)?),
            Binary::ShiftLeft => Word::ShiftLeft(self.word(a, false)?, self.word(b, true)?),
            Binary::ShiftRight => match self.window(a, b) {
                Some(window) => window,
                None => Word::ShiftRight(self.word(a, true)?, self.word(b, true)?),
            },
            Binary::Div => Word::Div(self.word(a, true)?, self.word(b, true)?),
            Binary::Mod => Word::Mod(self.word(a, true)?, self.word(b, true)?),
            Binary::Eq => Word::Eq(self.word(a, true)?, self.word(b, true)?),
            Binary::Ne => Word::Ne(self.word(a, true)?, self.word(b, true)?),
            Binary::Lt => Word::Lt(self.word(a, true)?, self.word(b, true)?),
            Binary::Gt => Word::Lt(self.word(b, true)?, self.word(a, true)?),
            Binary::Le => Word::Le(self.word(a, true)?, self.word(b, true)?),
            Binary::Ge => Word::Le(self.word(b, true)?, self.word(a, true)?),
            Binary::Both => Word::Both(self.word(a, true)?, self.word(b, true)?),
            Binary::Either => Word::Either(self.word(a, true)?, self.word(b, true)?),
            Binary::Wrap => match self.width(b)? {
                width @ 1..=64 => Word::Wrap(self.word(a, false)?, width),
                _ => return None,
            },
            Binary::SaturateUnsigned if self.bound(a) <= SIGNED => match self.width(b)? {
                width @ 0..=62 => Word::Clamp(self.word(a, false)?, 0, (1 << width) - 1),
                _ => return None,
            },
            Binary::SaturateSigned if self.bound(a) <= SIGNED => match self.width(b)? {
                width @ 1..=62 => {
                    let limit = 1 << (width - 1);
                    Word::Clamp(self.word(a, false)?, -limit, limit - 1)
                }
                _ => return None,
            },
            Binary::SaturateUnsigned | Binary::SaturateSigned => return None,
        };
        Some(self.push_word(word))
    }

    /// A conjunction; one with a mask that covers all of a number is that number.
    fn mask(&mut self, a: NodeId, b: NodeId) -> Option<WordId> {
        let (a, b) = if matches!(self.nodes[a as usize], Node::Const(_)) { (b, a) } else { (a, b) };
        let Node::Const(mask) = self.nodes[b as usize] else {
            let word = Word::And(self.word(a, false)?, self.word(b, false)?);
            return Some(self.push_word(word));
        };
        let covered = mask64(self.bound(a).min(64));
        if self.non_negative(a) && self.bound(a) <= 64 && mask as u64 & covered == covered {
            return self.word(a, false);
        }
        let of = self.word(a, false)?;
        Some(self.push_word(Word::Mask(of, mask as u64)))
    }

    /// A wide field shifted right, of which the low bits are wanted: what p4c makes of a lookahead.
    fn window(&self, of: NodeId, by: NodeId) -> Option<Word> {
        match (self.nodes[of as usize], self.width(by)?) {
            (Node::Field(field), shift @ 1..64) if !field.signed && !field.variable && field.limbs() == 2 => {
                Some(Word::Window(field.slot, shift))
            }
            _ => None,
        }
    }

    fn width(&self, node: NodeId) -> Option<u32> {
        match self.nodes[node as usize] {
            Node::Const(width) => u32::try_from(width).ok(),
            _ => None,
        }
    }

    fn push_word(&mut self, word: Word) -> WordId {
        self.words.push(word);
        (self.words.len() - 1) as WordId
    }
}

/// Evaluates a word.
pub(crate) fn eval(words: &[Word], id: WordId, phv: &Phv, params: &[u64]) -> u64 {
    // Leaves are most of a tree, and not worth a call.
    let of = |id: WordId| match words[id as usize] {
        Word::Const(value) => value,
        Word::Slot(slot) => phv.slots[slot as usize],
        _ => eval(words, id, phv, params),
    };
    match words[id as usize] {
        Word::Const(value) => value,
        Word::Slot(slot) => phv.slots[slot as usize],
        Word::Window(slot, shift) => phv.slots[slot as usize] >> shift | phv.slots[slot as usize + 1] << (64 - shift),
        Word::Param(limb) => params[limb as usize],
        Word::Valid(header) => u64::from(phv.valid[header as usize]),
        Word::Mask(a, mask) => of(a) & mask,
        Word::Invert(a) => !of(a),
        Word::Not(a) => u64::from(of(a) == 0),
        Word::ToBool(a) => u64::from(of(a) != 0),
        Word::Add(a, b) => of(a).wrapping_add(of(b)),
        Word::Sub(a, b) => of(a).wrapping_sub(of(b)),
        Word::Mul(a, b) => of(a).wrapping_mul(of(b)),
        Word::Div(a, b) => of(a).checked_div(of(b)).unwrap_or(0),
        Word::Mod(a, b) => of(a).checked_rem(of(b)).unwrap_or(0),
        Word::ShiftLeft(a, b) => u32::try_from(of(b)).ok().and_then(|by| of(a).checked_shl(by)).unwrap_or(0),
        Word::ShiftRight(a, b) => u32::try_from(of(b)).ok().and_then(|by| of(a).checked_shr(by)).unwrap_or(0),
        Word::And(a, b) => of(a) & of(b),
        Word::Or(a, b) => of(a) | of(b),
        Word::Xor(a, b) => of(a) ^ of(b),
        Word::Eq(a, b) => u64::from(of(a) == of(b)),
        Word::Ne(a, b) => u64::from(of(a) != of(b)),
        Word::Lt(a, b) => u64::from(of(a) < of(b)),
        Word::Le(a, b) => u64::from(of(a) <= of(b)),
        Word::Both(a, b) => u64::from(of(a) != 0 && of(b) != 0),
        Word::Either(a, b) => u64::from(of(a) != 0 || of(b) != 0),
        Word::Wrap(a, bits) => ((of(a) << (64 - bits)) as i64 >> (64 - bits)) as u64,
        Word::Clamp(a, low, high) => (of(a) as i64).clamp(low, high) as u64,
        Word::If(condition, yes, no) => of(if of(condition) != 0 { yes } else { no }),
    }
}
