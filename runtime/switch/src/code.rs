//! The compiled form of a program: flat arrays that refer to each other by index.
//!
//! The loader makes it, the executor only reads it. Every index in here was checked when it was made.

use crate::expr::{Expr, HeaderRef, NodeId, UnionRef};
use crate::hash::Algorithm;
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

    /// One limb, plain: the common case that needs no care.
    pub(crate) fn is_plain(&self) -> bool {
        self.bits <= 64 && !self.signed && !self.saturating && !self.variable
    }
}

/// A header or metadata instance.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) kind: u32,
    pub(crate) metadata: bool,
    pub(crate) fields: Vec<Field>,
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
}

/// One primitive of an action; jumps count primitives from the start of their action.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    SetConst { slot: u32, value: u64 },
    SetField { slot: u32, from: u32, mask: u64 },
    SetParam { slot: u32, param: u32, mask: u64 },
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
    JumpIfZero { condition: Expr, to: u32 },
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
}

#[derive(Clone, Debug)]
pub(crate) struct Parser {
    pub(crate) states: Vec<ParserState>,
    pub(crate) start: u32,
}

/// A step of a control.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Table(u32),
    If { condition: Expr, yes: u32, no: u32 },
    Call { action: u32, next: u32 },
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
    /// First limb in the packed key.
    pub(crate) limb: u32,
    /// The program's own mask, already part of every key.
    pub(crate) mask: Option<Vec<u64>>,
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
    pub(crate) key_limbs: u32,
    pub(crate) next: Next,
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
    pub(crate) key: crate::types::EntryKey,
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
    pub(crate) input: Vec<Input>,
}

#[derive(Clone, Debug)]
pub(crate) struct Checksum {
    pub(crate) target: Field,
    pub(crate) header: u32,
    pub(crate) calculation: u32,
    pub(crate) condition: Option<Expr>,
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
    /// Each node as the source has it, or its name.
    pub(crate) node_texts: Vec<String>,
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
}
