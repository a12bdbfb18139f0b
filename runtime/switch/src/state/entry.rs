//! Checks what a control call wrote and turns it into what packets use, and back. Only that is kept.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use smallvec::smallvec;

use crate::bits;
use crate::code::Table;
use crate::error::ControlError;
use crate::ids::{ActionId, Micros, Port};
use crate::info::TableInfo;
use crate::program::Program;
use crate::state::arrays::{Counter, Meter};
use crate::state::lookup::{Packed, Style};
use crate::types::{
    ActionCall, EntryAction, EntryKey, Match, MatchKind, MeterColors, MeterConfig, OneShot, OneShotMember, Selection,
};

/// An entry of a table. A change makes a new one with the same cells.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) effect: Effect,
    pub(crate) cells: Arc<Cells>,
    pub(crate) packed: Packed,
    /// When it was added, counted in entries of the table.
    pub(crate) age: u64,
    pub(crate) is_const: bool,
    /// Microseconds; 0 is never.
    pub(crate) idle_timeout: u64,
}

impl Entry {
    /// Its key, as it is read back.
    pub(crate) fn key(&self, program: &Program, table: usize) -> EntryKey {
        unpack(&program.tables[table], &program.code.tables[table], &self.packed)
    }
}

/// What packets write of an entry.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    pub(crate) counter: Counter,
    /// Where its table has direct meters.
    pub(crate) meter: Option<Box<Meter>>,
    pub(crate) last_hit: AtomicU64,
    /// When the entry was last reported idle, 0 for never.
    pub(crate) reported: AtomicU64,
}

impl Cells {
    /// Those of an entry that was added at `now` to a table.
    pub(crate) fn new(table: &TableInfo, now: Micros) -> Self {
        let meter = table.direct_meter.map(|_| Box::default());
        Self { last_hit: AtomicU64::new(now.0), meter, ..Self::default() }
    }

    pub(crate) fn meter_config(&self) -> Option<MeterConfig> {
        self.meter.as_ref().and_then(|meter| meter.config())
    }

    pub(crate) fn meter_colors(&self) -> MeterColors {
        self.meter.as_ref().map(|meter| meter.colors()).unwrap_or_default()
    }
}

/// What a hit or miss runs.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Call(Call),
    Member(u32),
    Group(u32),
    OneShot(Vec<Share>, Selection),
}

impl Effect {
    /// The form in which it is read back.
    pub(crate) fn written(&self, program: &Program) -> EntryAction {
        let written = |call: &Call| call.written(program);
        match self {
            Self::Call(call) => EntryAction::Call(written(call)),
            Self::Member(id) => EntryAction::Member(*id),
            Self::Group(id) => EntryAction::Group(*id),
            Self::OneShot(shares, selection) => {
                let member = |share: &Share| OneShotMember {
                    call: written(&share.call),
                    weight: share.weight,
                    watch_port: share.watch_port,
                };
                EntryAction::OneShot(OneShot { members: shares.iter().map(member).collect(), selection: *selection })
            }
        }
    }
}

/// An action with its parameters as limbs.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) action: u32,
    pub(crate) params: Box<[u64]>,
}

impl Call {
    /// The form in which it is read back.
    pub(crate) fn written(&self, program: &Program) -> ActionCall {
        written(program, self.action, &self.params)
    }
}

/// One choice of a one-shot set.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub(crate) call: Call,
    pub(crate) weight: u32,
    pub(crate) watch_port: Option<Port>,
}

/// Checks a key; gives its packed form.
pub(crate) fn pack(info: &TableInfo, code: &Table, key: &EntryKey) -> Result<Packed, ControlError> {
    if key.matches.len() != info.key.len() {
        return Err(ControlError::MatchCount { want: info.key.len(), got: key.matches.len() });
    }
    if info.needs_priority != (key.priority > 0) || key.priority < 0 {
        return Err(ControlError::Priority { needed: info.needs_priority, got: key.priority });
    }
    let layout = &code.layout;
    let mut packed = Packed {
        value: smallvec![0; layout.words],
        mask: smallvec![0; layout.words],
        rank: i64::from(key.priority),
        ..Packed::default()
    };
    for (field, (given, (known, part))) in key.matches.iter().zip(info.key.iter().zip(&code.key)).enumerate() {
        let bits = known.bits;
        let number = |bytes: &[u8]| bits::number(bytes, bits).ok_or(ControlError::MatchWidth { field, bits });
        let all_ones = || bits::prefix_mask(bits, bits);
        let zero = || bits::zero(bits);
        let (mut value, mask) = match (known.kind, given) {
            (MatchKind::Exact, Match::Exact(value)) => (number(value)?, all_ones()),
            (MatchKind::Valid, Match::Valid(valid)) => (smallvec![u64::from(*valid)], all_ones()),
            (MatchKind::Lpm, Match::Lpm { value, prefix_len }) => {
                if *prefix_len > bits {
                    return Err(ControlError::PrefixLength { field, bits, got: *prefix_len });
                }
                let (value, mask) = (number(value)?, bits::prefix_mask(*prefix_len, bits));
                within(&value, &mask, field)?;
                if layout.style == Style::Prefix {
                    packed.prefix = *prefix_len;
                }
                (value, mask)
            }
            (MatchKind::Ternary, Match::Ternary { value, mask }) => {
                let (value, mask) = (number(value)?, number(mask)?);
                within(&value, &mask, field)?;
                (value, mask)
            }
            (MatchKind::Range, Match::Range { low, high }) => {
                let (low, high) = (number(low)?, number(high)?);
                if high.iter().rev().lt(low.iter().rev()) {
                    return Err(ControlError::EmptyRange { field });
                }
                packed.ranges.push(layout.range(field, &low, &high));
                (zero(), zero())
            }
            (MatchKind::Lpm | MatchKind::Ternary | MatchKind::Range, Match::Any) => (zero(), zero()),
            (want, got) => {
                return Err(ControlError::MatchKind { field, want: want.name(), got: kind_name(got) });
            }
        };
        if let Some(fixed) = &part.mask {
            for (value, fixed) in value.iter_mut().zip(fixed) {
                *value &= fixed;
            }
        }
        layout.put(field, &value, &mut packed.value);
        layout.put(field, &mask, &mut packed.mask);
        if layout.style == Style::Prefix && known.kind == MatchKind::Lpm {
            packed.prefix += layout.before(field);
            packed.rank = i64::from(packed.prefix);
        }
    }
    Ok(packed)
}

/// The key that was packed, in full width. As in BMv2, bits that the program masks away read 0.
pub(crate) fn unpack(info: &TableInfo, code: &Table, packed: &Packed) -> EntryKey {
    let matches = info.key.iter().enumerate().map(|(field, known)| {
        let bytes = |number: &[u64]| bits::to_bytes(number, known.bits);
        let (value, mask) = (code.layout.get(field, &packed.value), code.layout.get(field, &packed.mask));
        match known.kind {
            MatchKind::Exact => Match::Exact(bytes(&value)),
            MatchKind::Valid => Match::Valid(value[0] != 0),
            MatchKind::Lpm => {
                Match::Lpm { value: bytes(&value), prefix_len: mask.iter().map(|limb| limb.count_ones()).sum() }
            }
            MatchKind::Ternary => Match::Ternary { value: bytes(&value), mask: bytes(&mask) },
            MatchKind::Range => {
                let ends = code.layout.ends(field, &packed.ranges);
                let (low, high) =
                    ends.unwrap_or_else(|| (bits::zero(known.bits), bits::prefix_mask(known.bits, known.bits)));
                Match::Range { low: bytes(&low), high: bytes(&high) }
            }
        }
    });
    // In a table with priorities, the rank is one.
    let priority = if info.needs_priority { i32::try_from(packed.rank).unwrap_or(i32::MAX) } else { 0 };
    EntryKey { matches: matches.collect(), priority }
}

fn within(value: &[u64], mask: &[u64], field: usize) -> Result<(), ControlError> {
    if value.iter().zip(mask).any(|(value, mask)| value & !mask != 0) {
        return Err(ControlError::BitsOutsideMask { field });
    }
    Ok(())
}

fn kind_name(given: &Match) -> &'static str {
    match given {
        Match::Exact(_) => "exact",
        Match::Lpm { .. } => "lpm",
        Match::Ternary { .. } => "ternary",
        Match::Range { .. } => "range",
        Match::Valid(_) => "valid",
        Match::Any => "don't care",
    }
}

/// Checks an action of one of `allowed`; gives its limbs.
pub(crate) fn call(
    program: &Program,
    allowed: impl FnOnce(ActionId) -> bool,
    call: &ActionCall,
) -> Result<Call, ControlError> {
    let action = call.action;
    if action.index() >= program.actions.len() || !allowed(action) {
        return Err(ControlError::ActionNotInTable { action });
    }
    let info = &program.actions[action.index()];
    if call.params.len() != info.params.len() {
        return Err(ControlError::ParamCount { want: info.params.len(), got: call.params.len() });
    }
    let mut params = Vec::with_capacity(program.code.actions[action.index()].param_limbs as usize);
    for (param, (bytes, known)) in call.params.iter().zip(&info.params).enumerate() {
        params.extend(bits::number(bytes, known.bits).ok_or(ControlError::ParamWidth { param, bits: known.bits })?);
    }
    Ok(Call { action: action.0, params: params.into() })
}

/// The form in which an action with its parameters is read back, in full width.
pub(crate) fn written(program: &Program, action: u32, params: &[u64]) -> ActionCall {
    let code = &program.code.actions[action as usize];
    let param = |(limb, bits): &(u32, u32)| bits::to_bytes(&params[*limb as usize..][..bits::limbs(*bits)], *bits);
    ActionCall { action: ActionId(action), params: code.params.iter().map(param).collect() }
}

/// Rates that make sense together.
pub(crate) fn check_rates(config: Option<MeterConfig>) -> Result<(), ControlError> {
    if config.is_some_and(|config| config.cir > config.pir) {
        return Err(ControlError::MeterRates);
    }
    Ok(())
}
