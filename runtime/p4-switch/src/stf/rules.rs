//! What a test's words mean in one program: names become objects, values become byte strings of the right width.

use std::sync::Arc;

use num_bigint::BigUint;
use vouch_p4runtime::P4Info;
use vouch_switch::{ActionCall, KeyFieldInfo, Match, MatchKind, Micros, OneShotMember, Program, TableId, TableInfo};

use super::bench::Problem;
use super::names;
use super::statement::{Bits, Call, Key, Share};
use crate::commands::Catalog;

type Result<T> = std::result::Result<T, Problem>;

/// A program, as far as its tests speak of it.
///
/// An object is meant by its own name, by the end of it, and by any name that ends like it: `source`, `ingress.source` and
/// `pipe.Ingress.source` are all `ingress.source`. A key field is also found by the name that the P4Info has for it.
#[derive(Clone, Debug)]
pub struct Rules {
    program: Arc<Program>,
    catalog: Arc<Catalog>,
    info: Option<Arc<P4Info>>,
}

/// A table entry, or what a table does on a miss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The table.
    pub table: TableId,
    /// One match per key field, in the table's order; empty for what is done on a miss.
    pub matches: Vec<Match>,
    /// From 1, the highest wins; 0 where the key needs none.
    pub priority: i32,
    /// The action; of a table with a selector those that it chooses from.
    pub calls: Vec<OneShotMember>,
    /// How long it may not be hit until it is idle; 0 is for ever.
    pub idle_timeout: Micros,
}

impl Rules {
    /// The rules of a program. The P4Info adds names, nothing else.
    ///
    /// # Errors
    /// Two objects of the program have one name.
    pub fn new(program: Arc<Program>, info: Option<Arc<P4Info>>) -> Result<Self> {
        let catalog = Arc::new(Catalog::of_program(&program).map_err(Problem::Wrong)?);
        Ok(Self { program, catalog, info })
    }

    /// What can be named in the program.
    pub(super) fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Its P4Info.
    pub fn info(&self) -> Option<&P4Info> {
        self.info.as_deref()
    }

    pub(super) fn shared_info(&self) -> Option<Arc<P4Info>> {
        self.info.clone()
    }

    /// What `add` adds.
    ///
    /// # Errors
    /// A name that means nothing, or a value that does not fit.
    pub fn entry(&self, table: &str, priority: Option<u32>, keys: &[(String, Key)], calls: &[Share]) -> Result<Entry> {
        let (id, info) = self.table(table)?;
        let mut given: Vec<Option<&Key>> = vec![None; info.key.len()];
        for (name, key) in keys {
            let field = self.field(info, name)?;
            if given[field].replace(key).is_some() {
                return Err(Problem::wrong(format!("key field `{name}` of table `{}` is given twice", info.name)));
            }
        }
        let mut matches = Vec::new();
        for (field, key) in info.key.iter().zip(given) {
            matches.push(field_match(field, key)?);
        }
        // The lowest number of a test is 0, and of a switch 1.
        let wanted = i64::from(priority.unwrap_or(0)) + 1;
        let too_high = || Problem::wrong(format!("priority {wanted} is out of range"));
        let priority = if info.needs_priority { i32::try_from(wanted).map_err(|_| too_high())? } else { 0 };
        let selector =
            info.profile.and_then(|profile| self.program.profile_info(profile)).is_some_and(|it| it.selector);
        let several = calls.len() > 1 || calls.iter().any(|share| share.weight != 1 || share.watch.is_some());
        if several && !selector {
            let name = &info.name;
            return Err(Problem::wrong(format!(
                "table `{name}`: one action, without weight and port: it has no selector"
            )));
        }
        let mut members = Vec::new();
        for Share { call, weight, watch } in calls {
            let call = self.call(id, info, call)?;
            members.push(OneShotMember { call, weight: *weight, watch_port: *watch });
        }
        Ok(Entry { table: id, matches, priority, calls: members, idle_timeout: Micros(0) })
    }

    /// What `setdefault` sets.
    ///
    /// # Errors
    /// A name that means nothing, or a value that does not fit.
    pub fn default(&self, table: &str, call: &Call) -> Result<Entry> {
        let (id, info) = self.table(table)?;
        let calls = vec![OneShotMember { call: self.call(id, info, call)?, weight: 1, watch_port: None }];
        Ok(Entry { table: id, matches: Vec::new(), priority: 0, calls, idle_timeout: Micros(0) })
    }

    /// The table of this name.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn table(&self, name: &str) -> Result<(TableId, &TableInfo)> {
        let tables: Vec<_> = self.program.tables().collect();
        let position = names::find("table", name, tables.iter().map(|(_, info)| info.name.as_str()))?;
        Ok(tables[position])
    }

    fn field(&self, table: &TableInfo, name: &str) -> Result<usize> {
        let find = |name: &str| names::find("key field", name, table.key.iter().map(|field| field.name.as_str()));
        let known = self.info().and_then(|info| info.table(&table.name).ok());
        let fields = known.iter().flat_map(|table| &table.fields).map(|field| field.name.as_str());
        let found = find(name)
            .or_else(|error| names::find("key field", name, fields).map_err(|_| error))
            // Where P4_14 matches a header, its validity is meant.
            .or_else(|error| find(&format!("{name}.$valid$")).map_err(|_| error))
            .map_err(|error| Problem::wrong(format!("table `{}`: {error}", table.name)))?;
        (found < table.key.len()).then_some(found).ok_or_else(|| {
            Problem::wrong(format!(
                "table `{}`: the P4Info has a key field `{name}` that the program has not",
                table.name
            ))
        })
    }

    fn call(&self, table: TableId, info: &TableInfo, call: &Call) -> Result<ActionCall> {
        let actions: Vec<_> = info.actions.iter().filter_map(|id| self.program.action_info(*id)).collect();
        let position = names::find("action", &call.action, actions.iter().map(|action| action.name.as_str()))
            .map_err(|error| Problem::wrong(format!("table `{}`: {error}", info.name)))?;
        let action = actions[position];
        let id = self.program.table_action(table, &action.name).expect("named by the table itself");
        let in_action = |problem: String| Problem::wrong(format!("action `{}`: {problem}", action.name));
        let mut values = vec![None; action.params.len()];
        for (name, value) in &call.params {
            let param = names::find("parameter", name, action.params.iter().map(|param| param.name.as_str()))
                .map_err(|error| in_action(error.to_string()))?;
            values[param] = Some(bytes(value, action.params[param].bits).map_err(&in_action)?);
        }
        let mut params = Vec::new();
        for (param, value) in action.params.iter().zip(values) {
            params.push(value.ok_or_else(|| in_action(format!("parameter `{}` is not given", param.name)))?);
        }
        Ok(ActionCall { action: id, params })
    }
}

/// What a field has to be, and what a field that is not given has to be.
fn field_match(field: &KeyFieldInfo, key: Option<&Key>) -> Result<Match> {
    let KeyFieldInfo { name, kind, bits } = field;
    let wrong = |problem: String| Problem::wrong(format!("key field `{name}`: {problem}"));
    let Some(key) = key else {
        return Ok(match kind {
            MatchKind::Exact => Match::Exact(vec![0]),
            MatchKind::Valid => Match::Valid(false),
            MatchKind::Lpm | MatchKind::Ternary | MatchKind::Range => Match::Any,
        });
    };
    let (given, length) = match key {
        Key::Value(given) => (given, None),
        Key::Prefix(given, length) => (given, Some(*length)),
        Key::Range(low, high) if *kind == MatchKind::Range => {
            let bound = |bound| bytes(bound, *bits).map_err(wrong);
            return Ok(Match::Range { low: bound(low)?, high: bound(high)? });
        }
        Key::Range(..) => return Err(wrong(format!("a range, but the field is matched by `{}`", kind.name()))),
    };
    let value = bytes(&given.value, *bits).map_err(wrong)?;
    if length.is_some() && *kind != MatchKind::Lpm {
        return Err(wrong(format!("a prefix, but the field is matched by `{}`", kind.name())));
    }
    match kind {
        MatchKind::Ternary => {
            let mask = mask(given, *bits);
            Ok(Match::Ternary { value, mask: mask.to_bytes_be() })
        }
        MatchKind::Lpm => {
            let wild = given.wild.count_ones();
            if given.wild != (BigUint::from(1_u8) << wild) - 1_u8 {
                return Err(wrong("a `*` before a digit, but the field is matched by `lpm`".into()));
            }
            let wild = u32::try_from(wild).unwrap_or(u32::MAX);
            let prefix_len = length.unwrap_or_else(|| bits.saturating_sub(wild));
            if prefix_len > *bits {
                return Err(wrong(format!("a prefix of {prefix_len} bits, but the field has {bits}")));
            }
            // Bits beyond the prefix do not matter, so they need not be 0 in a test.
            let beyond = bits - prefix_len;
            Ok(Match::Lpm { value: (&given.value >> beyond << beyond).to_bytes_be(), prefix_len })
        }
        _ if given.has_wild() => Err(wrong(format!("has a `*`, but the field is matched by `{}`", kind.name()))),
        MatchKind::Exact => Ok(Match::Exact(value)),
        MatchKind::Valid => Ok(Match::Valid(given.value != BigUint::ZERO)),
        MatchKind::Range => Ok(Match::Range { low: value.clone(), high: value }),
    }
}

/// The bits of a ternary field that matter: where there is a `*`, those that are written down, otherwise all.
fn mask(given: &Bits, bits: u32) -> BigUint {
    let ones = |count: u32| (BigUint::from(1_u8) << count) - 1_u8;
    let matter = if given.has_wild() { given.written.min(bits) } else { bits };
    let wild = &given.wild & ones(matter);
    ones(matter) ^ wild
}

/// A number as a byte string for a field of this width.
pub(super) fn bytes(value: &BigUint, bits: u32) -> std::result::Result<Vec<u8>, String> {
    if value.bits() > u64::from(bits) {
        return Err(format!("{value:#x} does not fit {bits} bits"));
    }
    Ok(value.to_bytes_be())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(value: u32, wild: u32, written: u32) -> Bits {
        Bits { value: value.into(), wild: wild.into(), written }
    }

    fn matched(kind: MatchKind, key: Key) -> std::result::Result<Match, String> {
        let field = KeyFieldInfo { name: "h.f".into(), kind, bits: 12 };
        field_match(&field, Some(&key)).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_ternary_value_counts_where_it_is_written_or_everywhere() {
        let ternary = |value: &[u8], mask: &[u8]| Ok(Match::Ternary { value: value.to_vec(), mask: mask.to_vec() });
        let match_of = |bits| matched(MatchKind::Ternary, Key::Value(bits));
        assert_eq!(match_of(bits(0x0a, 0, 8)), ternary(&[0x0a], &[0x0f, 0xff]));
        assert_eq!(match_of(bits(10, 0, 0)), ternary(&[0x0a], &[0x0f, 0xff]));
        assert_eq!(match_of(bits(0x0a00, 0xff, 16)), ternary(&[0x0a, 0], &[0x0f, 0]));
        assert_eq!(match_of(bits(0x20, 0x0f, 8)), ternary(&[0x20], &[0xf0]));
        assert_eq!(match_of(bits(0, 0xffff, 16)), ternary(&[0], &[0]));
    }

    #[test]
    fn a_prefix_is_a_length_or_what_is_before_the_first_star() {
        let lpm = |value: &[u8], prefix_len| Ok(Match::Lpm { value: value.to_vec(), prefix_len });
        assert_eq!(matched(MatchKind::Lpm, Key::Prefix(bits(0xabc, 0, 12), 8)), lpm(&[0x0a, 0xb0], 8));
        assert_eq!(matched(MatchKind::Lpm, Key::Value(bits(0xa00, 0xff, 12))), lpm(&[0x0a, 0], 4));
        assert_eq!(matched(MatchKind::Lpm, Key::Value(bits(7, 0, 0))), lpm(&[7], 12));
        assert_eq!(matched(MatchKind::Lpm, Key::Value(bits(0, 0xfff, 12))), lpm(&[0], 0));
    }

    #[test]
    fn a_range_has_two_ends_and_a_value_is_a_range_of_one() {
        let range = |low: &[u8], high: &[u8]| Ok(Match::Range { low: low.to_vec(), high: high.to_vec() });
        assert_eq!(matched(MatchKind::Range, Key::Range(5_u8.into(), 0xfff_u16.into())), range(&[5], &[0xf, 0xff]));
        assert_eq!(matched(MatchKind::Range, Key::Value(bits(7, 0, 0))), range(&[7], &[7]));
    }

    #[test]
    fn what_a_field_cannot_be_is_refused() {
        let refused = |kind, key| matched(kind, key).expect_err("refused");
        assert_eq!(
            refused(MatchKind::Exact, Key::Value(bits(0, 0xf, 4))),
            "key field `h.f`: has a `*`, but the field is matched by `exact`"
        );
        assert_eq!(
            refused(MatchKind::Ternary, Key::Prefix(bits(0, 0, 4), 4)),
            "key field `h.f`: a prefix, but the field is matched by `ternary`"
        );
        assert_eq!(
            refused(MatchKind::Lpm, Key::Value(bits(0x1000, 0, 16))),
            "key field `h.f`: 0x1000 does not fit 12 bits"
        );
        assert_eq!(
            refused(MatchKind::Lpm, Key::Value(bits(0, 0xf0, 8))),
            "key field `h.f`: a `*` before a digit, but the field is matched by `lpm`"
        );
        assert_eq!(
            refused(MatchKind::Lpm, Key::Prefix(bits(0, 0, 8), 13)),
            "key field `h.f`: a prefix of 13 bits, but the field has 12"
        );
    }
}
