//! Conditions as flat code.
//!
//! A condition is a chain of tests, each of which says where to go on: `a && (b || !c)` needs no more than three. Most
//! compare a field with a constant or ask for a header's validity, and need no expression at all.

use super::word::{self, Word, WordId};
use super::{Arena, Binary, Demand, Env, Expr, Node, NodeId, Unary};
use crate::packet::Phv;

/// Where a chain ends.
const NO: u32 = u32::MAX;
const YES: u32 = u32::MAX - 1;

/// A compiled condition: its first test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condition(u32);

/// One test and where to go on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Test {
    what: What,
    yes: u32,
    no: u32,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Simple(Simple),
    Word(WordId),
    Expr(Expr),
}

/// A test that needs no expression.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Simple {
    Valid(u32),
    Equal { slot: u32, value: u64 },
    Less { slot: u32, value: u64 },
}

impl Simple {
    #[inline(always)]
    pub(crate) fn holds(self, phv: &Phv) -> bool {
        match self {
            Self::Valid(header) => phv.valid[header as usize],
            Self::Equal { slot, value } => phv.slots[slot as usize] == value,
            Self::Less { slot, value } => phv.slots[slot as usize] < value,
        }
    }
}

impl Arena {
    /// Compiles a condition: a boolean, or a number of which 0 is false.
    pub(crate) fn condition(&mut self, root: NodeId) -> Condition {
        Condition(self.test(root, YES, NO))
    }

    /// The test that is all of a condition, and whether the condition is its opposite.
    pub(crate) fn only_test(&self, condition: Condition) -> Option<(Simple, bool)> {
        let test = self.tests.get(condition.0 as usize)?;
        match (test.what, test.yes, test.no) {
            (What::Simple(simple), YES, NO) => Some((simple, false)),
            (What::Simple(simple), NO, YES) => Some((simple, true)),
            _ => None,
        }
    }

    /// The first test of a chain that ends at `yes` or `no`.
    fn test(&mut self, node: NodeId, yes: u32, no: u32) -> u32 {
        let what = match self.nodes[node as usize] {
            Node::Binary(Binary::Both, a, b) => {
                let rest = self.test(b, yes, no);
                return self.test(a, rest, no);
            }
            Node::Binary(Binary::Either, a, b) => {
                let rest = self.test(b, yes, no);
                return self.test(a, yes, rest);
            }
            Node::Unary(Unary::Not, of) => return self.test(of, no, yes),
            Node::Unary(Unary::ToBool, of) => return self.test(of, yes, no),
            _ => match self.word(node, true) {
                None => What::Expr(self.finish(node, Demand::Exact)),
                Some(word) => {
                    let (what, same) = self.simplest(word);
                    let (yes, no) = if same { (yes, no) } else { (no, yes) };
                    return self.push_test(Test { what, yes, no });
                }
            },
        };
        self.push_test(Test { what, yes, no })
    }

    /// The cheapest form of a test, and whether it is not the opposite.
    fn simplest(&self, word: WordId) -> (What, bool) {
        let node = |id: WordId| self.words[id as usize];
        match node(word) {
            Word::Valid(header) => (What::Simple(Simple::Valid(header)), true),
            Word::Eq(a, b) | Word::Ne(a, b) => {
                let same = matches!(node(word), Word::Eq(..));
                match (node(a), node(b)) {
                    (Word::Slot(slot), Word::Const(value)) | (Word::Const(value), Word::Slot(slot)) => {
                        (What::Simple(Simple::Equal { slot, value }), same)
                    }
                    _ => (What::Word(word), true),
                }
            }
            Word::Lt(a, b) => match (node(a), node(b)) {
                (Word::Slot(slot), Word::Const(value)) => (What::Simple(Simple::Less { slot, value }), true),
                (Word::Const(value), Word::Slot(slot)) if value < u64::MAX => {
                    (What::Simple(Simple::Less { slot, value: value + 1 }), false)
                }
                _ => (What::Word(word), true),
            },
            Word::Le(a, b) => match (node(a), node(b)) {
                (Word::Const(value), Word::Slot(slot)) => (What::Simple(Simple::Less { slot, value }), false),
                (Word::Slot(slot), Word::Const(value)) if value < u64::MAX => {
                    (What::Simple(Simple::Less { slot, value: value + 1 }), true)
                }
                _ => (What::Word(word), true),
            },
            _ => (What::Word(word), true),
        }
    }

    fn push_test(&mut self, test: Test) -> u32 {
        self.tests.push(test);
        (self.tests.len() - 1) as u32
    }
}

impl Condition {
    /// Whether it holds; `general` is asked where a test needs an expression.
    #[inline(always)]
    pub(crate) fn holds(self, exprs: &Arena, phv: &Phv, general: impl Fn(&Test) -> bool) -> bool {
        let mut at = self.0;
        while let Some(test) = exprs.tests.get(at as usize) {
            let holds = match test.what {
                What::Simple(simple) => simple.holds(phv),
                What::Word(_) | What::Expr(_) => general(test),
            };
            at = if holds { test.yes } else { test.no };
        }
        at == YES
    }
}

impl Env<'_> {
    /// A test of any form.
    pub(crate) fn test(&self, test: &Test) -> bool {
        match test.what {
            What::Simple(simple) => simple.holds(self.phv),
            What::Word(word) => word::eval(&self.code.exprs.words, word, self.phv, self.params) != 0,
            What::Expr(expr) => self.is_true(expr),
        }
    }
}
