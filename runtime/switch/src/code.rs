//! The compiled form of a program: flat arrays that refer to each other by index.
//!
//! The loader makes it, the executor only reads it. Every index in here was checked when it was made.

use crate::bits::{Limbs, Piece};
use crate::expr::condition::{Condition, Simple};
use crate::expr::word::WordId;
use crate::expr::{Expr, HeaderRef, NodeId, UnionRef};
use crate::hash::Algorithm;
use crate::ids::CalculationId;
use crate::layout::Layout;
use crate::state::lookup::Packed;
use crate::template::Template;
use core::ops::Range;

/// "No such thing": the end of a pipeline, no default state.
pub(crate) const NONE: u32 = u32::MAX;

/// Where a field lives in the packet's storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// First limb.
    pub(crate) slot: u32,
    /// Width; for a variable field its maximum.
    pub(crate) bits: u32,
    pub(crate) signed: bool,
    pub(crate) saturating: bool,
    /// A variable field: its current width is in the limb before `slot`.
    pub(crate) variable: bool,
}

impl Field {
    pub(crate) fn limbs(&self) -> usize {
        crate::bits::limbs(self.bits)
    }

    pub(crate) fn range(&self) -> Range<usize> {
        self.slot as usize..self.slot as usize + self.limbs()
    }

    /// One limb that is stored as it is, cut to its width.
    pub(crate) fn is_word(&self) -> bool {
        self.bits <= 64 && !self.saturating && !self.variable
    }

    /// One limb, plain: the common case that needs no care.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_word() && !self.signed
    }
}

/// A header or metadata instance.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) kind: u32,
    pub(crate) metadata: bool,
    pub(crate) fields: Vec<Field>,
    /// How to extract it; empty where that takes the general way.
    pub(crate) pieces: Vec<Piece>,
    /// How to emit it, unless a field is variable.
    pub(crate) template: Option<Template>,
    /// All its limbs, lengths of variable fields included.
    pub(crate) slots: Range<u32>,
    /// Width without variable fields.
    pub(crate) fixed_bits: u32,
    /// Index of its variable field, if any.
    pub(crate) variable: Option<usize>,
    /// Largest size in bytes, if the type names one.
    pub(crate) max_bytes: u32,
    /// The union it is a member of, or `NONE`.
    pub(crate) union: u32,
}

/// A header stack: consecutive instances of one type.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    pub(crate) headers: Vec<u32>,
    /// Where the packet keeps the number of extracted elements.
    pub(crate) counter: u32,
}

/// A header union: at most one member is valid.
#[derive(Clone, Debug)]
pub(crate) struct Union {
    pub(crate) headers: Vec<u32>,
}

/// A stack of header unions.
#[derive(Clone, Debug)]
pub(crate) struct UnionStack {
    pub(crate) unions: Vec<u32>,
    pub(crate) counter: u32,
}

/// Where a value goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Field(Field),
    /// A field of an element that is chosen when the packet is there.
    Indirect {
        header: HeaderRef,
        field: u32,
    },
    Register {
        array: u32,
        index: NodeId,
    },
    /// Whether a header is valid: older compilers copy that as they copy fields.
    Valid(u32),
}

/// One primitive of an action; jumps count primitives from the start of their action.
///
/// Here and in the other kinds of code a tag of its own makes telling the variants apart one load; hidden in a pointer's
/// unused values it takes several instructions for each primitive.
#[derive(Clone, Debug)]
#[repr(u8)]
pub(crate) enum Op {
    SetConst { slot: u32, value: u64 },
    SetField { slot: u32, from: u32, mask: u64 },
    SetParam { slot: u32, param: u32, mask: u64 },
    SetWord { slot: u32, word: WordId, mask: u64 },
    Assign { place: Place, value: Expr },
    AssignVariable { to: Field, from: Field },
    AssignHeader { to: HeaderRef, from: HeaderRef },
    AssignUnion { to: UnionRef, from: UnionRef },
    AssignStack { to: u32, from: u32 },
    AssignUnionStack { to: u32, from: u32 },
    AddHeader(HeaderRef),
    RemoveHeader(HeaderRef),
    Push { stack: StackRef, count: Expr },
    Pop { stack: StackRef, count: Expr },
    Jump(u32),
    JumpIfZero { condition: Condition, to: u32 },
    Exit,
    Assert(Expr),
    MarkToDrop { egress_spec: Field, multicast_group: Option<Field> },
    Count { array: u32, index: Expr },
    ExecuteMeter { array: u32, index: Expr, to: Place },
    RegisterRead { array: u32, index: Expr, to: Place },
    RegisterWrite { array: u32, index: Expr, value: Expr },
    Hash { to: Place, base: Expr, calculation: u32, max: Expr },
    Random { to: Place, low: Expr, high: Expr },
    Digest { list: Expr },
    Clone { session: Expr, list: Expr },
    Resubmit { list: Expr },
    Recirculate { list: Expr },
    Truncate { length: Expr },
    Log { format: String, values: Vec<Expr> },
    Nop,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum StackRef {
    Headers(u32),
    Unions(u32),
}

/// An action's code.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) ops: Vec<Op>,
    /// First limb and width of each parameter in the entry's parameter limbs.
    pub(crate) params: Vec<(u32, u32)>,
    pub(crate) param_limbs: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Header(u32),
    Stack(u32),
    UnionStack { stack: u32, member: u32 },
}

/// One step of a parser state.
#[derive(Clone, Debug)]
#[repr(u8)]
pub(crate) enum ParserOp {
    Extract(Target),
    ExtractVariable { target: Target, bits: Expr },
    Set { place: Place, value: Expr },
    SetVariable { to: Field, from: Field },
    SetLookahead { to: Field, offset: u32, bits: u32 },
    Verify { condition: Expr, error: Expr },
    Advance { bits: Expr },
    Primitive(Op),
}

/// One part of a parser state's key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyPart {
    Field(Field),
    Valid(u32),
    StackField { stack: u32, field: u32 },
    UnionStackField { stack: u32, member: u32, field: u32 },
    Lookahead { offset: u32 },
}

#[derive(Clone, Debug)]
pub(crate) enum Case {
    Value { value: u128, mask: u128 },
    Set { set: u32, mask: u128 },
}

#[derive(Clone, Debug)]
pub(crate) struct ParserState {
    pub(crate) name: String,
    pub(crate) ops: Vec<ParserOp>,
    /// Parts with their widths.
    pub(crate) key: Vec<(KeyPart, u32)>,
    /// Cases in order; keys are packed without padding, 128 bits at most.
    pub(crate) cases: Vec<(Case, u32)>,
    pub(crate) default: u32,
    /// The key and cases once more, where the key is made of small fields and compared with constants only.
    pub(crate) quick: Option<Select>,
}

/// A transition in 64 bits.
#[derive(Clone, Debug)]
pub(crate) struct Select {
    /// Limbs and how far they are shifted.
    pub(crate) key: Vec<(u32, u32)>,
    /// Value, mask, next state.
    pub(crate) cases: Vec<(u64, u64, u32)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Parser {
    pub(crate) states: Vec<ParserState>,
    pub(crate) start: u32,
}

impl Next {
    /// The node after a table that missed, or hit an entry of this action.
    pub(crate) fn after(&self, hit: bool, action: Option<u32>) -> u32 {
        match self {
            Self::HitMiss { hit: yes, miss } => {
                if hit {
                    *yes
                } else {
                    *miss
                }
            }
            Self::ByAction { actions, none } => match action {
                Some(action) => actions.iter().find(|(known, _)| *known == action).map_or(*none, |(_, next)| *next),
                None if hit => actions.first().map_or(*none, |(_, next)| *next),
                None => *none,
            },
        }
    }
}

/// A step of a control.
#[derive(Clone, Debug)]
#[repr(u8)]
pub(crate) enum Node {
    Table(u32),
    /// A table without a key whose only action is fixed: p4c's form of a statement.
    Fixed {
        table: u32,
        call: Box<ConstCall>,
        next: u32,
    },
    /// A condition that is one test, or with `not` its opposite.
    Test {
        test: Simple,
        not: bool,
        yes: u32,
        no: u32,
    },
    If {
        condition: Condition,
        yes: u32,
        no: u32,
    },
    Call {
        action: u32,
        next: u32,
    },
}

/// Which node follows a table.
#[derive(Clone, Debug)]
pub(crate) enum Next {
    HitMiss {
        hit: u32,
        miss: u32,
    },
    /// By the action that ran; the last is for a table without any default action.
    ByAction {
        actions: Vec<(u32, u32)>,
        none: u32,
    },
}

/// One part of a table's key.
#[derive(Clone, Debug)]
pub(crate) struct TableKey {
    pub(crate) source: KeySource,
    pub(crate) bits: u32,
    /// The program's own mask, already part of every key.
    pub(crate) mask: Option<Limbs>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum KeySource {
    /// A field; 0 while its header is invalid (`NONE`: metadata, always valid).
    Field {
        field: Field,
        header: u32,
    },
    Valid(u32),
}

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) key: Vec<TableKey>,
    pub(crate) layout: Layout,
    pub(crate) next: Next,
    /// Entries count, measure, or note hits.
    pub(crate) observed: bool,
    /// Where a direct meter's colour goes.
    pub(crate) meter_target: Option<Field>,
    pub(crate) default: Option<ConstCall>,
    pub(crate) entries: Vec<ConstEntry>,
}

/// An action with constant parameters.
#[derive(Clone, Debug)]
pub(crate) struct ConstCall {
    pub(crate) action: u32,
    pub(crate) params: Vec<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct ConstEntry {
    pub(crate) packed: Packed,
    pub(crate) call: ConstCall,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Input {
    Field { field: Field, header: u32 },
    Const { value: u128, bits: u32 },
    Header(u32),
    Payload,
}

/// A named calculation: input bits and the algorithm over them.
#[derive(Clone, Debug)]
pub(crate) struct Calculation {
    pub(crate) algorithm: Algorithm,
    /// Where the state has other parameters for it, if it can be given some.
    pub(crate) custom: Option<CalculationId>,
    pub(crate) input: Vec<Input>,
    /// The input without the payload, for packets that have all the headers it is taken from.
    pub(crate) whole: Option<Whole>,
    pub(crate) with_payload: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Whole {
    pub(crate) headers: Vec<u32>,
    pub(crate) template: Template,
}

#[derive(Clone, Debug)]
pub(crate) struct Checksum {
    pub(crate) target: Field,
    pub(crate) header: u32,
    pub(crate) calculation: u32,
    pub(crate) condition: Option<Condition>,
    pub(crate) verify: bool,
    pub(crate) update: bool,
}

/// One member of a digest or of a list of fields that survive a clone.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ListMember {
    Field { field: Field, header: u32 },
    Const { value: u128, bits: u32 },
}

/// The fields of v1model's standard metadata, where the program has them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Intrinsic {
    pub(crate) ingress_port: Option<Field>,
    pub(crate) packet_length: Option<Field>,
    pub(crate) instance_type: Option<Field>,
    pub(crate) egress_spec: Option<Field>,
    pub(crate) egress_port: Option<Field>,
    pub(crate) parser_error: Option<Field>,
    pub(crate) checksum_error: Option<Field>,
    pub(crate) multicast_group: Option<Field>,
    pub(crate) egress_rid: Option<Field>,
    pub(crate) ingress_timestamp: Option<Field>,
    pub(crate) egress_timestamp: Option<Field>,
    pub(crate) enq_timestamp: Option<Field>,
    pub(crate) enq_qdepth: Option<Field>,
    pub(crate) deq_timedelta: Option<Field>,
    pub(crate) deq_qdepth: Option<Field>,
    pub(crate) qid: Option<Field>,
    pub(crate) priority: Option<Field>,
}

/// Values of the core library's errors in this program.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CoreErrors {
    pub(crate) packet_too_short: u32,
    pub(crate) stack_out_of_bounds: u32,
    pub(crate) header_too_short: u32,
    pub(crate) invalid_argument: u32,
}

/// Everything the executor reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Code {
    pub(crate) headers: Vec<Header>,
    pub(crate) stacks: Vec<Stack>,
    pub(crate) unions: Vec<Union>,
    pub(crate) union_stacks: Vec<UnionStack>,
    pub(crate) slots: u32,
    pub(crate) stack_counters: u32,
    /// Limb ranges of metadata, which clones and resubmits start with as zeros.
    pub(crate) metadata: Vec<Range<u32>>,
    pub(crate) exprs: crate::expr::Arena,
    pub(crate) actions: Vec<Action>,
    pub(crate) parser: Option<Parser>,
    pub(crate) nodes: Vec<Node>,
    /// Each node's name, and how the source has it, or the name again.
    pub(crate) node_texts: Vec<(String, String)>,
    pub(crate) ingress: Option<u32>,
    pub(crate) egress: Option<u32>,
    pub(crate) tables: Vec<Table>,
    pub(crate) selectors: Vec<Option<Calculation>>,
    pub(crate) calculations: Vec<Calculation>,
    pub(crate) checksums: Vec<Checksum>,
    pub(crate) deparser: Vec<u32>,
    pub(crate) deparser_ops: Vec<Op>,
    /// By list number; a number without a list is empty.
    pub(crate) field_lists: Vec<Vec<ListMember>>,
    /// By list number: index of the digest.
    pub(crate) digest_numbers: Vec<u32>,
    pub(crate) digests: Vec<Vec<ListMember>>,
    pub(crate) intrinsic: Intrinsic,
    pub(crate) errors: CoreErrors,
    /// Packets both read and write registers, and so go one after the other.
    pub(crate) in_turn: bool,
}
