//! How P4Info and program are joined, and refused when they do not belong together.
//!
//! The P4Info describes the source, the program is what the compiler has left of it: tables that cannot be reached, profiles that
//! no table has and counters that nothing counts are in one and not in the other. Such objects are *missing*: the pipeline is
//! taken, a line in the log names them, and requests about them are refused with the reason. So is what no request could
//! mean, like a table whose key has a field without a width. A contradiction is another matter: where an object is in both and
//! not the same, or no table of the P4Info is in the program, they are of two builds, and the pipeline is refused. All
//! contradictions are found in one go, so that a controller learns the whole of it.

use std::collections::BTreeMap;

use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::config::v1::P4DataTypeSpec;
use vouch_p4runtime::p4info::MatchKind;
use vouch_switch::{ActionId, MatchKind as EngineKind, Program, TableInfo};

use super::types::{Layouts, Types};
use super::*;
use crate::translation::Translation;

/// What does not fit, one sentence each.
pub(crate) type Problems = Vec<String>;

impl Schema {
    /// Join the two, or say everything that keeps them apart.
    pub(crate) fn join(
        p4info: &P4Info,
        program: &Program,
        layouts: &Layouts,
        given: &[Translation],
    ) -> Result<Schema, Problems> {
        let types = Types::new(p4info.message(), given);
        let schema = Schema { ports: types.ports(), ..Schema::default() };
        let mut join = Join { p4info, program, layouts, types, schema, problems: Vec::new() };
        join.actions();
        join.tables();
        join.profiles();
        join.arrays();
        join.digests();
        join.value_sets();
        join.packet_headers();
        join.strangers();
        if join.problems.is_empty() { Ok(join.schema) } else { Err(join.problems) }
    }
}

struct Join<'a> {
    p4info: &'a P4Info,
    program: &'a Program,
    layouts: &'a Layouts,
    types: Types,
    schema: Schema,
    problems: Problems,
}

impl Join<'_> {
    fn problem(&mut self, text: String) {
        self.problems.push(text);
    }

    /// An object that requests cannot be about.
    fn missing(&mut self, id: u32, why: String) {
        tracing::warn!("{why}");
        self.schema.missing.insert(id, why);
    }

    /// A P4Info none of whose tables is in the program is that of another one.
    fn strangers(&mut self) {
        // p4c wraps statements outside of actions into tables of its own, which no controller sees.
        let theirs = self.program.tables().map(|(_, info)| info.name.as_str());
        let theirs: Vec<&str> = theirs.filter(|name| !name.starts_with("tbl_")).collect();
        let ours: Vec<&str> = self.p4info.tables().map(|table| table.name.as_str()).collect();
        let known = ours.iter().any(|name| self.program.table(name).is_some());
        if !known && !ours.is_empty() && !theirs.is_empty() {
            let (ours, theirs) = (choices(ours), choices(theirs));
            self.problem(format!(
                "no table of the P4Info is in the program: the P4Info has {ours}, the program {theirs}"
            ));
        }
    }

    /// Put an object into its place; the P4Info says that no other has its id.
    fn place<T>(problems: &mut Problems, map: &mut BTreeMap<u32, T>, what: &str, id: u32, name: &str, object: T) {
        if id == 0 || name.is_empty() {
            problems.push(format!("a {what} of the P4Info lacks its {}", if id == 0 { "id" } else { "name" }));
        } else {
            map.insert(id, object);
        }
    }

    fn actions(&mut self) {
        for action in self.p4info.actions() {
            let params = action.params.iter().map(|param| Param {
                info: param.clone(),
                // Of a translated one the program says it.
                bits: param.width,
                translator: self.types.translator(param.type_name.as_deref()),
            });
            let joined = Action { info: action.clone(), params: params.collect() };
            Self::place(&mut self.problems, &mut self.schema.actions, "action", action.id, &action.name, joined);
        }
    }

    fn tables(&mut self) {
        for table in self.p4info.tables() {
            let (id, name) = (table.id, &table.name);
            let Some((engine, info)) =
                self.program.table(name).and_then(|engine| Some((engine, self.program.table_info(engine)?)))
            else {
                self.missing(id, format!("table {name} of the P4Info is not in the program"));
                continue;
            };
            let Some(fields) = self.key(table, info) else { continue };
            let actions = self.table_actions(table, info, engine);
            let (direct_counter, direct_meter) = self.direct_resources(table, info);
            if table.implementation.is_some() != info.profile.is_some() {
                self.problem(format!("table {name} has an action profile in one of P4Info and program only"));
            }
            if table.needs_priority() != info.needs_priority {
                self.problem(format!("table {name} takes priorities in one of P4Info and program only"));
            }
            let joined = Table {
                info: table.clone(),
                engine,
                fields,
                actions,
                direct_counter,
                direct_meter,
                is_const: table.is_const || info.const_entries,
                const_default: table.const_default_action.is_some() || info.const_default,
            };
            Self::place(&mut self.problems, &mut self.schema.tables, "table", id, name, joined);
            self.schema.table_ids.insert(engine, id);
        }
    }

    /// The fields of a table's key; `None` where the P4Info leaves open what one of them is.
    fn key(&mut self, table: &p4info::Table, info: &TableInfo) -> Option<Vec<Field>> {
        if table.fields.len() != info.key.len() {
            self.problem(format!(
                "table {} has {} match fields in the P4Info and {} in the program",
                table.name,
                table.fields.len(),
                info.key.len()
            ));
        }
        let mut fields = Vec::new();
        for (field, key) in table.fields.iter().zip(&info.key) {
            let place = format!("table {}, field {}", table.name, field.name);
            let mut joined = match self.field(field) {
                Ok(joined) => joined,
                Err(why) => {
                    self.missing(table.id, format!("{place}: {why}"));
                    return None;
                }
            };
            if joined.translator.is_some() {
                joined.bits = key.bits;
            }
            if joined.bits != key.bits {
                self.problem(format!(
                    "{place}: {} bits in the P4Info and {} in the program ({})",
                    joined.bits, key.bits, key.name
                ));
            }
            let agree = match field.kind {
                MatchKind::Exact => matches!(key.kind, EngineKind::Exact | EngineKind::Valid),
                MatchKind::Lpm => key.kind == EngineKind::Lpm,
                MatchKind::Ternary | MatchKind::Optional => key.kind == EngineKind::Ternary,
                MatchKind::Range => key.kind == EngineKind::Range,
                MatchKind::Other(_) => false,
            };
            if !agree {
                let (ours, theirs) = (&field.kind, key.kind.name());
                self.problem(format!("{place}: {ours} in the P4Info and {theirs} in the program ({})", key.name));
            }
            if fields.iter().any(|other: &Field| other.info.id == field.id) {
                self.problem(format!("{place}: its id {} is another field's as well", field.id));
            }
            fields.push(joined);
        }
        Some(fields)
    }

    /// A field, or why no request could have a value for it.
    fn field(&self, field: &MatchField) -> Result<Field, String> {
        if let MatchKind::Other(kind) = &field.kind {
            return Err(format!("match kind `{kind}` is not supported"));
        }
        let translator = self.types.translator(field.type_name.as_deref());
        if field.width == 0 && translator.is_none() {
            return Err("it has neither a width nor a translated type".to_owned());
        }
        Ok(Field { info: field.clone(), bits: field.width, translator })
    }

    /// What the program has of a table's actions.
    fn table_actions(
        &mut self,
        table: &p4info::Table,
        info: &TableInfo,
        engine: vouch_switch::TableId,
    ) -> BTreeMap<u32, ActionId> {
        let mut actions = BTreeMap::new();
        for reference in &table.actions {
            let (id, name) = (reference.action.id, &reference.action.name);
            let Some(found) = self.program.table_action(engine, name) else {
                tracing::warn!("table {} has no action {name} in the program", info.name);
                continue;
            };
            self.check_params(id, found);
            actions.insert(id, found);
            self.schema.action_ids.insert(found, id);
        }
        actions
    }

    fn check_params(&mut self, id: u32, engine: ActionId) {
        let (Some(action), Some(info)) = (self.schema.actions.get_mut(&id), self.program.action_info(engine)) else {
            return;
        };
        for (param, known) in action.params.iter_mut().zip(&info.params) {
            if param.translator.is_some() {
                param.bits = known.bits;
            }
        }
        let ours: Vec<u32> = action.params.iter().map(|param| param.bits).collect();
        let theirs: Vec<u32> = info.params.iter().map(|param| param.bits).collect();
        if ours != theirs {
            let text = format!(
                "action {} has parameters of {ours:?} bits in the P4Info and {theirs:?} in the program",
                action.info.name
            );
            if !self.problems.contains(&text) {
                self.problem(text);
            }
        }
    }

    fn direct_resources(&mut self, table: &p4info::Table, info: &TableInfo) -> (bool, Option<MeterType>) {
        let counter = self.p4info.direct_counter_of(table).is_some();
        let meter = self.p4info.direct_meter_of(table);
        if counter && !info.direct_counter {
            tracing::warn!("table {} has no direct counter in the program", info.name);
        }
        if meter.is_some() && info.direct_meter.is_none() {
            tracing::warn!("table {} has no direct meter in the program", info.name);
        }
        let meter = meter.filter(|_| info.direct_meter.is_some());
        (counter && info.direct_counter, meter.map(|meter| meter.meter_type))
    }

    fn profiles(&mut self) {
        for profile in self.p4info.action_profiles() {
            let (id, name) = (profile.id, &profile.name);
            let Some(engine) = self.program.profile(name) else {
                self.missing(id, format!("action profile {name} of the P4Info is not in the program"));
                continue;
            };
            let tables = profile.tables.iter().filter_map(|table| self.schema.tables.get(table));
            let there = tables.flat_map(|table| {
                table.info.actions.iter().filter(|it| it.in_entries && table.actions.contains_key(&it.action.id))
            });
            let mut actions = BTreeMap::new();
            for action in there.map(|reference| &reference.action) {
                if let Some(engine) = self.program.profile_action(engine, &action.name) {
                    actions.insert(action.id, engine);
                }
            }
            for (action, engine) in &actions {
                self.schema.action_ids.insert(*engine, *action);
            }
            let joined = Profile { info: profile.clone(), engine, actions };
            Self::place(&mut self.problems, &mut self.schema.profiles, "action profile", id, name, joined);
        }
        for Table { info, .. } in self.schema.tables.values() {
            if let Some(id) = info.implementation
                && !self.schema.profiles.contains_key(&id)
            {
                self.problems.push(format!("table {} has unknown action profile {id:#010x}", info.name));
            }
        }
    }

    /// The cells of an array, of which the P4Info may show fewer than there are.
    fn cells(&self, shown: u64, there: u64, index_type: Option<&str>) -> Cells {
        let size = if shown > 0 { shown.min(there) } else { there };
        let translator = self.types.translator(index_type).filter(|translator| translator.has_numbers());
        Cells { size, translator }
    }

    fn arrays(&mut self) {
        for counter in self.p4info.counters() {
            let (id, name) = (counter.id, &counter.name);
            match self.program.counter(name).and_then(|engine| Some((engine, self.program.counter_info(engine)?))) {
                Some((engine, info)) => {
                    let cells = self.cells(counter.size, info.size, counter.index_type.as_deref());
                    let joined = Array { info: counter.clone(), engine, cells };
                    Self::place(&mut self.problems, &mut self.schema.counters, "counter", id, name, joined);
                }
                None => self.missing(id, format!("counter {name} of the P4Info is not in the program")),
            }
        }
        for meter in self.p4info.meters() {
            let (id, name) = (meter.id, &meter.name);
            match self.program.meter(name).and_then(|engine| Some((engine, self.program.meter_info(engine)?))) {
                Some((engine, info)) => {
                    let cells = self.cells(meter.size, info.size, meter.index_type.as_deref());
                    let joined = Array { info: meter.clone(), engine, cells };
                    Self::place(&mut self.problems, &mut self.schema.meters, "meter", id, name, joined);
                }
                None => self.missing(id, format!("meter {name} of the P4Info is not in the program")),
            }
        }
        for register in self.p4info.registers() {
            let (id, name) = (register.id, &register.name);
            match self.program.register(name).and_then(|engine| Some((engine, self.program.register_info(engine)?))) {
                Some((engine, info)) => {
                    let cells = self.cells(register.size, info.size, register.index_type.as_deref());
                    let shape = self.shape(register.type_spec.as_ref(), 1);
                    let joined = Register { info: register.clone(), engine, cells, bits: info.bits, shape };
                    Self::place(&mut self.problems, &mut self.schema.registers, "register", id, name, joined);
                }
                None => self.missing(id, format!("register {name} of the P4Info is not in the program")),
            }
        }
    }

    fn shape(&self, spec: Option<&P4DataTypeSpec>, count: usize) -> Shape {
        Shape::of(spec, self.p4info.message(), &self.types, count).unwrap_or(Shape::plain(count))
    }

    fn digests(&mut self) {
        for digest in self.p4info.digests() {
            let (id, name) = (digest.id, &digest.name);
            match self.program.digest(name).and_then(|engine| Some((engine, self.program.digest_info(engine)?))) {
                Some((engine, info)) => {
                    let shape = self.shape(digest.type_spec.as_ref(), info.fields.len());
                    let joined = Digest { info: digest.clone(), engine, fields: info.fields.clone(), shape };
                    Self::place(&mut self.problems, &mut self.schema.digests, "digest", id, name, joined);
                }
                None => {
                    let all = choices(self.program.digests().map(|(_, info)| info.name.as_str()));
                    self.missing(id, format!("digest {name} of the P4Info is not in the program, which has {all}"));
                }
            }
        }
    }

    fn value_sets(&mut self) {
        for set in self.p4info.value_sets() {
            let (id, name) = (set.id, &set.name);
            let Some((engine, info)) =
                self.program.value_set(name).and_then(|engine| Some((engine, self.program.value_set_info(engine)?)))
            else {
                self.missing(id, format!("value set {name} of the P4Info is not in the program"));
                continue;
            };
            let place = format!("value set {name}");
            let fields: Result<Vec<Field>, String> = set.fields.iter().map(|field| self.field(field)).collect();
            let fields = match fields {
                Ok(fields) => fields,
                Err(why) => {
                    self.missing(id, format!("{place}: {why}"));
                    continue;
                }
            };
            if fields.iter().any(|field| field.translator.is_some()) {
                self.missing(
                    id,
                    format!("{place}: its members are of a translated type, which value sets do not have"),
                );
                continue;
            }
            let bits: u64 = fields.iter().map(|field| u64::from(field.bits)).sum();
            // p4c's P4Info for Tofino names a value set and leaves its fields out: then nobody can write members of it.
            if !fields.is_empty() && bits != u64::from(info.bits) {
                self.problem(format!("{place}: {bits} bits in the P4Info and {} in the program", info.bits));
            }
            let joined = ValueSet { info: set.clone(), engine, fields };
            Self::place(&mut self.problems, &mut self.schema.value_sets, "value set", id, name, joined);
        }
    }

    /// The headers of packets to and from the controller; others mean nothing to P4Runtime.
    fn packet_headers(&mut self) {
        for header in self.p4info.packet_headers() {
            let place = match header.name.as_str() {
                "packet_in" | "packet_out" => self.packet_header(header),
                other => Err(format!("controller header {other} is neither packet_in nor packet_out")),
            };
            match (place, header.name.as_str()) {
                (Ok(joined), "packet_in") => self.schema.packet_in = Some(joined),
                (Ok(joined), _) => self.schema.packet_out = Some(joined),
                (Err(why), _) => tracing::warn!("{why}"),
            }
        }
    }

    fn packet_header(&self, header: &p4info::PacketHeader) -> Result<PacketHeader, String> {
        let name = &header.name;
        let mut fields = Vec::new();
        let mut offset = 0u32;
        let layout = self.layouts.of(header);
        for (position, field) in header.fields.iter().enumerate() {
            let translator = self.types.translator(field.type_name.as_deref());
            // The P4Info has the width on the wire, the program the one in the header.
            let bits = match (&translator, &layout) {
                (Some(_), Some(widths)) => widths.get(position).copied().unwrap_or(0),
                (Some(_), None) | (None, _) => field.width,
            };
            if bits == 0 || bits > 4096 {
                return Err(format!("{name}.{} has neither a width nor a translated type", field.name));
            }
            fields.push(PacketField { info: field.clone(), bits, offset, translator });
            offset += bits;
        }
        if !offset.is_multiple_of(8) {
            return Err(format!("{name} has {offset} bits, which are no whole bytes"));
        }
        Ok(PacketHeader { name: name.clone(), fields, bytes: (offset / 8) as usize })
    }
}
