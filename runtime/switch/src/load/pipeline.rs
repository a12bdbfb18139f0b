//! Controls, tables, action profiles, and the deparser.

use std::collections::HashMap;

use super::json::{At, Load};
use super::{Loader, define, lookup};
use crate::bits;
use crate::code::{Calculation, ConstCall, ConstEntry, KeySource, NONE, Next, Node, Table, TableKey};
use crate::hash::Algorithm;
use crate::ids::{ActionId, ProfileId};
use crate::info::{KeyFieldInfo, ProfileInfo, TableInfo};
use crate::layout::Layout;
use crate::state::entry;
use crate::state::lookup::Style;
use crate::types::{EntryKey, Match, MatchKind};

const MATCH_KINDS: &[&str] = &["exact", "lpm", "ternary", "range", "valid"];

/// How older compilers name the action profile of a table, which they describe there.
const PROFILE_IN_TABLE: &str = "act_prof_name";

/// A node's name in the document and its index.
type Names = HashMap<String, u32>;

/// What stands in the source, where p4c tells it.
fn source_text(at: &At<'_>) -> Load<Option<String>> {
    let Some(info) = at.opt("source_info")? else { return Ok(None) };
    info.opt("source_fragment")?.map(|text| Ok(text.str()?.to_owned())).transpose()
}

impl Loader {
    pub(super) fn pipelines(&mut self, root: &At<'_>) -> Load<()> {
        for at in root.list("pipelines")? {
            for profile in at.list("action_profiles")? {
                self.profile(&profile, "name")?;
            }
            let (tables, conditionals, calls) =
                (at.list("tables")?, at.list("conditionals")?, at.list("action_calls")?);
            let mut names = Names::new();
            let first = self.program.code.nodes.len() as u32;
            for (index, node) in tables.iter().chain(&conditionals).chain(&calls).enumerate() {
                let name = node.get("name")?.str()?.to_owned();
                let text = source_text(node)?.unwrap_or_else(|| name.clone());
                self.code().node_texts.push((name.clone(), text));
                define(&mut names, "node of the control", node, name, first + index as u32)?;
            }
            for table in &tables {
                let index = self.table(table, &names)?;
                let node = self.fixed(index).unwrap_or(Node::Table(index));
                self.code().nodes.push(node);
            }
            for conditional in &conditionals {
                let condition = self.boolean(&conditional.get("expression")?, &[])?;
                let condition = self.condition(condition);
                let yes = next(conditional, "true_next", &names)?;
                let no = next(conditional, "false_next", &names)?;
                let node = match self.program.code.exprs.only_test(condition) {
                    Some((test, not)) => Node::Test { test, not, yes, no },
                    None => Node::If { condition, yes, no },
                };
                self.code().nodes.push(node);
            }
            for call in &calls {
                let action = self.action_id(&call.get("action_id")?)?;
                if !self.program.actions[action as usize].params.is_empty() {
                    return call.invalid("a direct call of an action with parameters");
                }
                let next = next(call, "next_node", &names)?;
                self.code().nodes.push(Node::Call { action, next });
            }
            let start = next(&at, "init_table", &names)?;
            let name = at.get("name")?;
            match name.str()? {
                "ingress" => self.code().ingress = Some(start),
                "egress" => self.code().egress = Some(start),
                other => return name.unsupported("pipeline", other, &["ingress", "egress"]),
            }
        }
        Ok(())
    }

    /// The node of a table that always runs the same action.
    fn fixed(&self, table: u32) -> Option<Node> {
        let (info, code) = (&self.program.tables[table as usize], &self.program.code.tables[table as usize]);
        let fixed = info.key.is_empty() && info.const_default && info.profile.is_none() && !code.observed;
        let call = code.default.clone().filter(|_| fixed)?;
        let next = code.next.after(false, Some(call.action));
        Some(Node::Fixed { table, call: Box::new(call), next })
    }

    pub(super) fn deparsers(&mut self, root: &At<'_>) -> Load<()> {
        for (index, at) in root.list("deparsers")?.iter().enumerate() {
            if index > 0 {
                return at.unsupported("second deparser", at.get("name")?.str()?, &[]);
            }
            for header in at.get("order")?.items()? {
                let header = lookup(&self.headers, "header", &header)?;
                self.code().deparser.push(header);
            }
            for call in at.list("primitives")? {
                let op = self.primitive(&call, &[], 0)?;
                self.code().deparser_ops.push(op);
            }
        }
        Ok(())
    }

    /// An action profile, whose name this member has.
    fn profile(&mut self, at: &At<'_>, name: &str) -> Load<()> {
        let name = at.get(name)?.str()?.to_owned();
        let selector = match at.opt("selector")? {
            Some(selector) => {
                let algo = selector.get("algo")?;
                if algo.str()? == "random" || Algorithm::from_name(algo.str()?).is_none() {
                    return algo.unsupported("hash algorithm", algo.str()?, Algorithm::NAMES);
                }
                Some(self.calculation(&selector)?)
            }
            None => None,
        };
        let size = at.opt("max_size")?.map_or(Ok(1024), |size| size.u32())?;
        let index = self.program.profiles.len() as u32;
        self.program.profiles.push(ProfileInfo {
            name: name.clone(),
            size: u64::from(size),
            selector: selector.is_some(),
        });
        self.code().selectors.push(selector as Option<Calculation>);
        define(&mut self.profiles, "action profile", at, name, index)
    }

    fn action_id(&self, at: &At<'_>) -> Load<u32> {
        match self.action_ids.get(&at.u32()?) {
            Some(index) => Ok(*index),
            None => at.invalid(format!("no action has id {}", at.u32()?)),
        }
    }

    fn table(&mut self, at: &At<'_>, names: &Names) -> Load<u32> {
        let (mut key, mut fields, mut limbs) = (Vec::new(), Vec::<KeyFieldInfo>::new(), 0);
        for part in at.list("key")? {
            let (compiled, info) = self.table_key(&part)?;
            limbs += bits::limbs(info.bits) as u64;
            at.limit("limbs of a table key", limbs, 1 << 12)?;
            key.push(compiled);
            fields.push(info);
        }
        let needs_priority = fields.iter().any(|field| matches!(field.kind, MatchKind::Ternary | MatchKind::Range));
        let prefixes = fields.iter().filter(|field| field.kind == MatchKind::Lpm).count();
        if !needs_priority && prefixes > 1 {
            return at.invalid("more than one lpm field in a key without ternary or range fields");
        }
        let style = match prefixes {
            _ if needs_priority => Style::Masked,
            0 => Style::Exact,
            _ => Style::Prefix,
        };
        let last = fields.iter().position(|field| style == Style::Prefix && field.kind == MatchKind::Lpm);
        let layout = Layout::new(&key, style, last);
        let actions = self.table_actions(at)?;
        if let Some(profile) = at.opt(PROFILE_IN_TABLE)?
            && !self.profiles.contains_key(profile.str()?)
        {
            self.profile(at, PROFILE_IN_TABLE)?;
        }
        let (profile, kind) = self.implementation(at)?;
        let next = self.next_tables(at, &actions, names)?;
        let meter = self.direct_meter(at)?;
        let const_entries = at.opt("entries")?;
        if let (Some(entries), Some(_)) = (&const_entries, profile) {
            return entries.invalid(format!("constant entries in a table of type `{kind}`"));
        }
        let mut table = Table {
            key,
            layout,
            next,
            observed: false,
            meter_target: meter.map(|(_, target)| target),
            default: None,
            entries: Vec::new(),
        };
        let mut info = TableInfo {
            name: at.get("name")?.str()?.to_owned(),
            key: fields,
            actions: actions.iter().map(|action| ActionId(*action)).collect(),
            size: u64::from(at.opt("max_size")?.map_or(Ok(1024), |size| size.u32())?),
            profile,
            const_entries: const_entries.is_some(),
            const_default: false,
            direct_counter: at.flag("with_counters")?,
            direct_meter: meter.map(|(unit, _)| unit),
            idle_timeout: at.flag("support_timeout")?,
            needs_priority,
        };
        if self.program.tables.iter().any(|table| table.name == info.name) {
            return at.invalid(format!("a second table is named `{}`", info.name));
        }
        table.observed = info.direct_counter || info.direct_meter.is_some() || info.idle_timeout;
        if let Some(default) = at.opt("default_entry")? {
            info.const_default = default.flag("action_const")?;
            table.default = Some(self.const_call(&default, &actions)?);
        }
        if let Some(entries) = const_entries {
            table.entries = self.const_entries(&entries, &info, &table, &actions)?;
        }
        self.program.tables.push(info);
        self.code().tables.push(table);
        Ok(self.program.tables.len() as u32 - 1)
    }

    /// The actions of a table, by id, or as older compilers have them by name.
    fn table_actions(&self, at: &At<'_>) -> Load<Vec<u32>> {
        if let Some(ids) = at.opt("action_ids")? {
            return ids.items()?.iter().map(|id| self.action_id(id)).collect();
        }
        let named = |at: &At<'_>| {
            let name = at.str()?;
            match self.program.actions.iter().position(|action| action.name == name) {
                Some(index) => Ok(index as u32),
                None => at.invalid(format!("no action is called `{name}`")),
            }
        };
        at.get("actions")?.items()?.iter().map(named).collect()
    }

    fn table_key(&self, at: &At<'_>) -> Load<(TableKey, KeyFieldInfo)> {
        let match_type = at.get("match_type")?;
        let kind = match match_type.str()? {
            "exact" => MatchKind::Exact,
            "lpm" => MatchKind::Lpm,
            "ternary" => MatchKind::Ternary,
            "range" => MatchKind::Range,
            "valid" => MatchKind::Valid,
            other => return match_type.unsupported("match kind", other, MATCH_KINDS),
        };
        let target = at.get("target")?;
        // p4c writes a key that a field chooses from a header stack in this way, which ends BMv2 while it loads.
        if target.value.is_object() {
            return target.unsupported("key field", "expression", &["a header and its field, by name"]);
        }
        let valid_field = target.value.get(1).and_then(|name| name.as_str()) == Some("$valid$");
        let (source, bits, default_name) = if kind == MatchKind::Valid {
            (KeySource::Valid(lookup(&self.headers, "header", &target)?), 1, target.str()?.to_owned())
        } else if valid_field {
            let [header, _] = target.tuple()?;
            (KeySource::Valid(lookup(&self.headers, "header", &header)?), 1, format!("{}.$valid$", header.str()?))
        } else {
            let (field, header) = self.guarded_field(&target)?;
            if field.variable {
                return target.unsupported("match on", "a variable field", &[]);
            }
            let [header_name, name] = target.tuple()?;
            let name = format!("{}.{}", header_name.str()?, name.str()?);
            (KeySource::Field { field, header }, field.bits, name)
        };
        let name = at.opt("name")?.map_or(Ok(default_name), |name| name.str().map(str::to_owned))?;
        let mask = match at.opt("mask")? {
            None => None,
            Some(mask) => {
                let Some(limbs) = bits::number(&mask.hex_bytes()?, bits) else {
                    return mask.invalid(format!("the mask is wider than {bits} bits"));
                };
                Some(limbs)
            }
        };
        Ok((TableKey { source, bits, mask }, KeyFieldInfo { name, kind, bits }))
    }

    fn implementation<'a>(&self, at: &At<'a>) -> Load<(Option<ProfileId>, &'a str)> {
        let kind = at.get("type")?;
        match kind.str()? {
            "simple" => Ok((None, "simple")),
            name @ ("indirect" | "indirect_ws") => {
                let profile = match at.opt(PROFILE_IN_TABLE)? {
                    Some(profile) => profile,
                    None => at.get("action_profile")?,
                };
                let profile = lookup(&self.profiles, "action profile", &profile)?;
                if name == "indirect_ws" && !self.program.profiles[profile as usize].selector {
                    return at.invalid("the action profile of the table has no selector");
                }
                Ok((Some(ProfileId(profile)), name))
            }
            other => kind.unsupported("table type", other, &["simple", "indirect", "indirect_ws"]),
        }
    }

    fn direct_meter(&self, at: &At<'_>) -> Load<Option<(crate::types::MeterUnit, crate::code::Field)>> {
        let Some(name) = at.opt("direct_meters")? else { return Ok(None) };
        lookup(&self.direct_meters, "direct meter array", &name).map(Some)
    }

    fn next_tables(&self, at: &At<'_>, actions: &[u32], names: &Names) -> Load<Next> {
        let map = at.get("next_tables")?;
        let Some(object) = map.value.as_object() else { return map.invalid("expected an object") };
        if object.contains_key("__HIT__") || object.contains_key("__MISS__") {
            return Ok(Next::HitMiss { hit: next(&map, "__HIT__", names)?, miss: next(&map, "__MISS__", names)? });
        }
        let mut by_action = Vec::new();
        for action in actions {
            let name = &self.program.actions[*action as usize].name;
            if !object.contains_key(name) {
                return map.invalid(format!("no next node for action `{name}`"));
            }
            by_action.push((*action, next(&map, name, names)?));
        }
        Ok(Next::ByAction { actions: by_action, none: next(at, "base_default_next", names)? })
    }

    fn const_call(&self, at: &At<'_>, actions: &[u32]) -> Load<ConstCall> {
        let id = at.get("action_id")?;
        let action = self.action_id(&id)?;
        if !actions.contains(&action) {
            return id.invalid("the action is not one of the table's");
        }
        let data = at.get("action_data")?.items()?;
        let known = &self.program.actions[action as usize].params;
        if data.len() != known.len() {
            return at.invalid(format!("{} parameters where the action has {}", data.len(), known.len()));
        }
        let mut params = Vec::new();
        for (value, known) in data.iter().zip(known) {
            let Some(number) = bits::number(&value.hex_bytes()?, known.bits) else {
                return value.invalid(format!("the value is wider than {} bits", known.bits));
            };
            params.extend(number);
        }
        Ok(ConstCall { action, params })
    }

    /// Constant entries. The document's lowest priority number wins, ours the highest.
    fn const_entries(&self, at: &At<'_>, info: &TableInfo, table: &Table, actions: &[u32]) -> Load<Vec<ConstEntry>> {
        let items = at.items()?;
        let priority = |item: &At<'_>| item.opt("priority")?.map_or(Ok(0), |priority| priority.i64());
        let mut largest = 0;
        for item in &items {
            largest = largest.max(priority(item)?);
        }
        let mut entries: Vec<ConstEntry> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for item in &items {
            let mut matches = Vec::new();
            let given = item.get("match_key")?.items()?;
            if given.len() != info.key.len() {
                return item.invalid(format!("{} match fields where the table has {}", given.len(), info.key.len()));
            }
            for (field, known) in given.iter().zip(&info.key) {
                matches.push(match_field(field, known)?);
            }
            let rank = largest.saturating_sub(priority(item)?).saturating_add(1).clamp(1, i64::from(i32::MAX)) as i32;
            let key = EntryKey { matches, priority: if info.needs_priority { rank } else { 0 } };
            let packed = match entry::pack(info, table, &key) {
                Ok(packed) => packed,
                Err(error) => return item.invalid(error.to_string()),
            };
            if !seen.insert(entry::unpack(info, table, &packed)) {
                return item.invalid("the same match key a second time");
            }
            entries.push(ConstEntry { packed, call: self.const_call(&item.get("action_entry")?, actions)? });
        }
        Ok(entries)
    }
}

fn match_field(at: &At<'_>, known: &KeyFieldInfo) -> Load<Match> {
    let kind = at.get("match_type")?;
    if kind.str()? != known.kind.name() {
        return kind.invalid(format!("expected `{}`", known.kind.name()));
    }
    Ok(match known.kind {
        MatchKind::Exact => Match::Exact(at.get("key")?.hex_bytes()?),
        MatchKind::Valid => Match::Valid(at.get("key")?.bool()?),
        MatchKind::Lpm => {
            let prefix_len = at.get("prefix_length")?.u32()?.min(known.bits);
            let mask = bits::prefix_mask(prefix_len, known.bits);
            Match::Lpm { value: masked(at, known, &mask)?, prefix_len }
        }
        MatchKind::Ternary => {
            let Some(mask) = bits::number(&at.get("mask")?.hex_bytes()?, known.bits) else {
                return at.invalid(format!("the mask is wider than {} bits", known.bits));
            };
            Match::Ternary { value: masked(at, known, &mask)?, mask: bits::to_bytes(&mask, known.bits) }
        }
        MatchKind::Range => Match::Range { low: at.get("start")?.hex_bytes()?, high: at.get("end")?.hex_bytes()? },
    })
}

/// The key's value, with the bits outside the mask cleared: programs may leave them set.
fn masked(at: &At<'_>, known: &KeyFieldInfo, mask: &[u64]) -> Load<Vec<u8>> {
    let Some(mut value) = bits::number(&at.get("key")?.hex_bytes()?, known.bits) else {
        return at.invalid(format!("the value is wider than {} bits", known.bits));
    };
    for (value, mask) in value.iter_mut().zip(mask) {
        *value &= mask;
    }
    Ok(bits::to_bytes(&value, known.bits))
}

/// The node that a member names; `NONE` for null or nothing.
fn next(at: &At<'_>, key: &str, names: &Names) -> Load<u32> {
    match at.opt(key)? {
        Some(name) => lookup(names, "node of the control", &name),
        None => Ok(NONE),
    }
}
