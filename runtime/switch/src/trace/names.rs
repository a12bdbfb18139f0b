//! The program's names for what events hold in bytes and limbs.

use super::{PacketTrace, TraceEvent};
use crate::bits::{get_wide, limbs, to_bytes};
use crate::ids::TableId;
use crate::info::TableInfo;
use crate::types::{ActionCall, EntryKey, Match};

/// A name and its value, in order.
pub(super) type Named = Vec<(String, String)>;

impl PacketTrace<'_> {
    /// Whether there is a trace of what was before.
    pub(super) fn goes_on(&self) -> bool {
        matches!(self.events.first(), Some(TraceEvent::Dequeued { .. }))
    }

    /// The fields of a header.
    pub(super) fn fields(&self, header: &str, bytes: &[u8]) -> Named {
        let Some(info) = self.program.header_info(header) else { return Vec::new() };
        let fixed: u32 = info.fields.iter().filter_map(|field| field.bits).sum();
        let variable = (bytes.len() as u32 * 8).saturating_sub(fixed);
        let mut offset = 0;
        let value = |bits: u32| {
            let mut value = vec![0; limbs(bits)];
            get_wide(bytes, offset as usize, bits, &mut value);
            offset += bits;
            hex(&to_bytes(&value, bits), bits)
        };
        let values = info.fields.iter().map(|field| field.bits.unwrap_or(variable)).map(value);
        info.fields.iter().map(|field| field.name.clone()).zip(values).collect()
    }

    /// The key that a table was applied with.
    pub(super) fn key(&self, table: TableId, key: &[u64]) -> Named {
        let mut rest = key;
        let value = |bits: u32| {
            let (value, after) = rest.split_at_checked(limbs(bits)).unwrap_or_default();
            rest = after;
            hex(&to_bytes(value, bits), bits)
        };
        let fields = self.table(table).map(|info| info.key.as_slice()).unwrap_or_default();
        let values = fields.iter().map(|field| field.bits).map(value);
        fields.iter().map(|field| field.name.clone()).zip(values).collect()
    }

    /// What an entry matches; fields that may be anything are left out.
    pub(super) fn matches(&self, table: TableId, key: &EntryKey) -> Named {
        let fields = self.table(table).map(|info| info.key.as_slice()).unwrap_or_default();
        let shown = fields.iter().zip(&key.matches);
        shown.filter_map(|(field, matched)| Some((field.name.clone(), show_match(matched, field.bits)?))).collect()
    }

    /// An action's name and parameters.
    pub(super) fn call(&self, call: &ActionCall) -> (String, Named) {
        let Some(info) = self.program.action_info(call.action) else { return Default::default() };
        let params = info.params.iter().zip(&call.params);
        let params = params.map(|(param, value)| (param.name.clone(), hex(value, param.bits)));
        (info.name.clone(), params.collect())
    }

    pub(super) fn table(&self, table: TableId) -> Option<&TableInfo> {
        self.program.table_info(table)
    }

    pub(super) fn table_name(&self, table: TableId) -> &str {
        self.table(table).map_or("?", |info| &info.name)
    }

    /// What the engine lost of the packet, in words; what the program dropped has its own events.
    pub(super) fn losses(&self) -> impl Iterator<Item = String> {
        let text = |(cause, count): (&str, u64)| {
            let text = match cause {
                "empty_group" => "the multicast group does not exist or is empty",
                "priority" => "its port has no queue of its priority",
                "too_many_passes" => "it passed too often through the switch",
                "step_limit" => "the frame took more steps, over all its passes, than one may",
                "assertion" => "an assertion of the program failed",
                "oversized" => "it is longer than 64 KiB",
                _ => return None,
            };
            (count > 0).then(|| text.to_owned())
        };
        self.drops.by_cause().into_iter().filter_map(text)
    }
}

/// `None` for what matches everything.
fn show_match(matched: &Match, bits: u32) -> Option<String> {
    Some(match matched {
        Match::Any | Match::Lpm { prefix_len: 0, .. } => return None,
        Match::Ternary { mask, .. } if mask.iter().all(|byte| *byte == 0) => return None,
        Match::Exact(value) => hex(value, bits),
        Match::Lpm { value, prefix_len } => format!("{}/{prefix_len}", hex(value, bits)),
        Match::Ternary { value, mask } => format!("{} &&& {}", hex(value, bits), hex(mask, bits)),
        Match::Range { low, high } => format!("{}..{}", hex(low, bits), hex(high, bits)),
        Match::Valid(valid) => valid.to_string(),
    })
}

/// A big-endian number with as many digits as its width has.
pub(super) fn hex(value: &[u8], bits: u32) -> String {
    let digits: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    let wanted = bits.div_ceil(4) as usize;
    let surplus = digits.len().saturating_sub(wanted);
    format!("0x{:0>wanted$}", &digits[surplus..])
}
