//! Table entries by name, in numbers: the same for every switch.

use std::error::Error;

use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::v1::field_match::{Exact, FieldMatchType, Lpm};
use vouch_p4runtime::p4::v1::{Action, FieldMatch, TableAction, TableEntry, action, table_action};
use vouch_p4runtime::p4info::MatchKind;

/// An entry of the VTEP program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The table.
    pub(crate) table: &'static str,
    /// One value per key field, in the table's order.
    pub(crate) key: Vec<u128>,
    /// The length of the prefix, where the key is one.
    pub(crate) prefix: i32,
    /// The action.
    pub(crate) action: &'static str,
    /// One value per parameter, in the action's order.
    pub(crate) params: Vec<u128>,
    /// Seconds without a hit until the switch says so; 0 is never.
    pub(crate) idle_seconds: i64,
}

/// An entry with exact keys.
pub(crate) fn entry(table: &'static str, key: &[u128], action: &'static str, params: &[u128]) -> Entry {
    Entry { table, key: key.to_vec(), prefix: 0, action, params: params.to_vec(), idle_seconds: 0 }
}

impl Entry {
    /// Whether both are the entry of one key.
    pub(crate) fn same_key(&self, other: &Entry) -> bool {
        (self.table, &self.key, self.prefix) == (other.table, &other.key, other.prefix)
    }

    /// The entry as P4Runtime writes it.
    pub(crate) fn encode(&self, info: &P4Info) -> Result<TableEntry, Box<dyn Error + Send + Sync>> {
        let table = info.table(self.table)?;
        let action = table.action(self.action)?;
        assert_eq!(self.key.len(), table.fields.len(), "key of {}", self.table);
        assert_eq!(self.params.len(), action.params.len(), "parameters of {}", self.action);
        let mut matches = Vec::new();
        for (field, value) in table.fields.iter().zip(&self.key) {
            let value = field.encode(*value)?;
            let kind = match field.kind {
                MatchKind::Lpm => FieldMatchType::Lpm(Lpm { value, prefix_len: self.prefix }),
                _ => FieldMatchType::Exact(Exact { value }),
            };
            matches.push(FieldMatch { field_id: field.id, field_match_type: Some(kind) });
        }
        let mut params = Vec::new();
        for (param, value) in action.params.iter().zip(&self.params) {
            params.push(action::Param { param_id: param.id, value: param.encode(*value)? });
        }
        let call = table_action::Type::Action(Action { action_id: action.id, params });
        Ok(TableEntry {
            table_id: table.id,
            r#match: matches,
            action: Some(TableAction { r#type: Some(call) }),
            idle_timeout_ns: self.idle_seconds * 1_000_000_000,
            ..TableEntry::default()
        })
    }
}

/// A MAC address as a number.
pub(crate) fn mac(address: [u8; 6]) -> u128 {
    address.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// An IPv4 address as a number.
pub(crate) fn ip(address: [u8; 4]) -> u128 {
    u32::from_be_bytes(address).into()
}
