//! How P4Info and program are joined, and refused when they do not belong together.
//!
//! The P4Info describes the source, the program is what the compiler has left of it: tables that cannot be reached, profiles that
//! no table has and counters that nothing counts are in one and not in the other. Such objects are *missing*: the pipeline is
//! taken, a line in the log names them, and requests about them are refused with the reason. So is what no request could
//! mean, like a table whose key has a field without a width. A contradiction is another matter: where an object is in both and
//! not the same, or no table of the P4Info is in the program, they are of two builds, and the pipeline is refused. All
//! contradictions are found in one go, so that a controller learns the whole of it.

use std::collections::BTreeMap;

use vouch_p4runtime::p4::config::v1 as config;
use vouch_p4runtime::p4::config::v1::action_profile::SelectorSizeSemantics;
use vouch_p4runtime::p4::config::v1::match_field::{Match, MatchType};
use vouch_switch::{ActionId, MatchKind, Program, TableInfo};

use super::types::{Layouts, Types};
use super::*;
use crate::translation::Translation;

/// What does not fit, one sentence each.
pub(crate) type Problems = Vec<String>;

impl Schema {
    /// Join the two, or say everything that keeps them apart.
    pub(crate) fn join(
        p4info: &config::P4Info,
        program: &Program,
        layouts: &Layouts,
        names: Names,
        given: &[Translation],
    ) -> Result<Schema, Problems> {
        let types = Types::new(p4info, given);
        let schema = Schema { ports: types.ports(), ..Schema::default() };
        let mut join = Join { p4info, program, layouts, types, names, schema, problems: Vec::new() };
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

/// What the P4Info calls the program's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// The same as the program.
    AsInProgram,
    /// The compiler for Tofino puts the name of the pipeline in front: `pipe.Ingress.host` for `Ingress.host`.
    BehindPipe,
}

impl Names {
    /// What `find` finds by the name in the P4Info.
    fn find<T>(self, name: &str, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        find(name).or_else(|| match self {
            Names::AsInProgram => None,
            Names::BehindPipe => find(name.split_once('.')?.1),
        })
    }
}

struct Join<'a> {
    p4info: &'a config::P4Info,
    program: &'a Program,
    layouts: &'a Layouts,
    types: Types,
    names: Names,
    schema: Schema,
    problems: Problems,
}

/// The id and name of an object; an object without a preamble has neither.
fn named(preamble: Option<&config::Preamble>) -> (u32, &str) {
    preamble.map_or((0, ""), |preamble| (preamble.id, preamble.name.as_str()))
}

impl Join<'_> {
    /// The program's object for a name of the P4Info.
    fn find<T>(&self, name: &str, find: impl Fn(&Program, &str) -> Option<T>) -> Option<T> {
        self.names.find(name, |name| find(self.program, name))
    }

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
        let ours: Vec<&str> = self.p4info.tables.iter().map(|table| named(table.preamble.as_ref()).1).collect();
        let known = self
            .p4info
            .tables
            .iter()
            .any(|table| self.find(named(table.preamble.as_ref()).1, Program::table).is_some());
        if !known && !ours.is_empty() && !theirs.is_empty() {
            let (ours, theirs) = (choices(ours), choices(theirs));
            self.problem(format!(
                "no table of the P4Info is in the program: the P4Info has {ours}, the program {theirs}"
            ));
        }
    }

    /// Put an object into its place; ids must be there and be unique.
    fn place<T>(problems: &mut Problems, map: &mut BTreeMap<u32, T>, what: &str, id: u32, name: &str, object: T) {
        if id == 0 || name.is_empty() {
            problems.push(format!("a {what} of the P4Info lacks its {}", if id == 0 { "id" } else { "name" }));
        } else if map.insert(id, object).is_some() {
            problems.push(format!("the P4Info has id {id:#010x} for {what} {name} and for another {what}"));
        }
    }

    fn actions(&mut self) {
        for action in &self.p4info.actions {
            let (id, name) = named(action.preamble.as_ref());
            let params = action.params.iter().map(|param| Param {
                id: param.id,
                name: param.name.clone(),
                // Of a translated one the program says it.
                bits: param.bitwidth.max(0) as u32,
                translator: self.types.translator(param.type_name.as_ref()),
            });
            let joined = Action { name: name.into(), params: params.collect() };
            Self::place(&mut self.problems, &mut self.schema.actions, "action", id, name, joined);
        }
    }

    fn tables(&mut self) {
        for table in &self.p4info.tables {
            let (id, name) = named(table.preamble.as_ref());
            let Some((engine, info)) =
                self.find(name, Program::table).and_then(|engine| Some((engine, self.program.table_info(engine)?)))
            else {
                self.missing(id, format!("table {name} of the P4Info is not in the program"));
                continue;
            };
            let Some(fields) = self.key(table, info) else { continue };
            let actions = self.table_actions(table, info, engine);
            let (direct_counter, direct_meter) = self.direct_resources(table, info);
            let joined = Table {
                id,
                name: name.into(),
                engine,
                needs_priority: fields
                    .iter()
                    .any(|field| matches!(field.kind, FieldKind::Ternary | FieldKind::Range | FieldKind::Optional)),
                fields,
                actions,
                profile: (table.implementation_id != 0).then_some(table.implementation_id),
                direct_counter,
                direct_meter,
                idle_timeout: table.idle_timeout_behavior() == config::table::IdleTimeoutBehavior::NotifyControl,
                is_const: table.is_const_table || info.const_entries,
                size: u64::try_from(table.size).unwrap_or(0),
                const_default: table.const_default_action_id != 0 || info.const_default,
            };
            if joined.profile.is_some() != info.profile.is_some() {
                self.problem(format!("table {name} has an action profile in one of P4Info and program only"));
            }
            if joined.needs_priority != info.needs_priority {
                self.problem(format!("table {name} takes priorities in one of P4Info and program only"));
            }
            Self::place(&mut self.problems, &mut self.schema.tables, "table", id, name, joined);
            self.schema.table_ids.insert(engine, id);
        }
    }

    /// The fields of a table's key; `None` where the P4Info leaves open what one of them is.
    fn key(&mut self, table: &config::Table, info: &TableInfo) -> Option<Vec<Field>> {
        let (id, table_name) = named(table.preamble.as_ref());
        if table.match_fields.len() != info.key.len() {
            self.problem(format!(
                "table {table_name} has {} match fields in the P4Info and {} in the program",
                table.match_fields.len(),
                info.key.len()
            ));
        }
        let mut fields = Vec::new();
        for (field, key) in table.match_fields.iter().zip(&info.key) {
            let place = format!("table {table_name}, field {}", field.name);
            let mut joined = match self.field(field) {
                Ok(joined) => joined,
                Err(why) => {
                    self.missing(id, format!("{place}: {why}"));
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
            let agree = match joined.kind {
                FieldKind::Exact => matches!(key.kind, MatchKind::Exact | MatchKind::Valid),
                FieldKind::Lpm => key.kind == MatchKind::Lpm,
                FieldKind::Ternary | FieldKind::Optional => key.kind == MatchKind::Ternary,
                FieldKind::Range => key.kind == MatchKind::Range,
            };
            if !agree {
                let (ours, theirs) = (joined.kind.name(), key.kind.name());
                self.problem(format!("{place}: {ours} in the P4Info and {theirs} in the program ({})", key.name));
            }
            if fields.iter().any(|other: &Field| other.id == joined.id) {
                self.problem(format!("{place}: its id {} is another field's as well", joined.id));
            }
            fields.push(joined);
        }
        Some(fields)
    }

    /// A field, or why no request could have a value for it.
    fn field(&self, field: &config::MatchField) -> Result<Field, String> {
        let kind = match &field.r#match {
            Some(Match::MatchType(kind)) => match MatchType::try_from(*kind) {
                Ok(MatchType::Exact) => Some(FieldKind::Exact),
                Ok(MatchType::Lpm) => Some(FieldKind::Lpm),
                Ok(MatchType::Ternary) => Some(FieldKind::Ternary),
                Ok(MatchType::Range) => Some(FieldKind::Range),
                Ok(MatchType::Optional) => Some(FieldKind::Optional),
                Ok(MatchType::Unspecified) | Err(_) => None,
            },
            Some(Match::OtherMatchType(_)) | None => None,
        };
        let Some(kind) = kind else {
            return Err(format!("match kind {:?} is not supported", field.r#match));
        };
        let translator = self.types.translator(field.type_name.as_ref());
        if field.bitwidth <= 0 && translator.is_none() {
            return Err("it has neither a width nor a translated type".to_owned());
        }
        Ok(Field { id: field.id, name: field.name.clone(), bits: field.bitwidth.max(0) as u32, kind, translator })
    }

    fn table_actions(
        &mut self,
        table: &config::Table,
        info: &TableInfo,
        engine: vouch_switch::TableId,
    ) -> BTreeMap<u32, TableAction> {
        use config::action_ref::Scope;
        let mut actions = BTreeMap::new();
        for reference in &table.action_refs {
            let Some(action) = self.schema.actions.get(&reference.id) else {
                self.problem(format!("table {} has unknown action {:#010x} in the P4Info", info.name, reference.id));
                continue;
            };
            let found = self.names.find(&action.name, |name| self.program.table_action(engine, name));
            let Some(id) = found else {
                tracing::warn!("table {} has no action {} in the program", info.name, action.name);
                continue;
            };
            self.check_params(reference.id, id);
            let (in_entries, as_default) = match reference.scope() {
                Scope::TableAndDefault => (true, true),
                Scope::TableOnly => (true, false),
                Scope::DefaultOnly => (false, true),
                Scope::GroupAction => (false, false),
            };
            actions.insert(reference.id, TableAction { engine: id, in_entries, as_default });
            self.schema.action_ids.insert(id, reference.id);
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
                action.name
            );
            if !self.problems.contains(&text) {
                self.problem(text);
            }
        }
    }

    fn direct_resources(&mut self, table: &config::Table, info: &TableInfo) -> (bool, Option<MeterType>) {
        let owns = |preamble: Option<&config::Preamble>| table.direct_resource_ids.contains(&named(preamble).0);
        let counter = self.p4info.direct_counters.iter().any(|counter| owns(counter.preamble.as_ref()));
        let meter = self.p4info.direct_meters.iter().find(|meter| owns(meter.preamble.as_ref()));
        if counter && !info.direct_counter {
            tracing::warn!("table {} has no direct counter in the program", info.name);
        }
        if meter.is_some() && info.direct_meter.is_none() {
            tracing::warn!("table {} has no direct meter in the program", info.name);
        }
        let (counter, meter) = (counter && info.direct_counter, meter.filter(|_| info.direct_meter.is_some()));
        (counter, meter.map(|meter| meter.spec.as_ref().map(config::MeterSpec::r#type).unwrap_or_default()))
    }

    fn profiles(&mut self) {
        for profile in &self.p4info.action_profiles {
            let (id, name) = named(profile.preamble.as_ref());
            let Some(engine) = self.find(name, Program::profile) else {
                self.missing(id, format!("action profile {name} of the P4Info is not in the program"));
                continue;
            };
            let tables = profile.table_ids.iter().filter_map(|table| self.schema.tables.get(table));
            let in_entries = |(id, action): (&u32, &TableAction)| action.in_entries.then_some(*id);
            let referenced = tables.flat_map(|table| table.actions.iter().filter_map(in_entries));
            let mut actions = BTreeMap::new();
            for action in referenced {
                let name = self.schema.actions.get(&action).map(|action| action.name.as_str());
                if let Some(engine) =
                    name.and_then(|name| self.names.find(name, |name| self.program.profile_action(engine, name)))
                {
                    actions.insert(action, engine);
                }
            }
            for (action, engine) in &actions {
                self.schema.action_ids.insert(*engine, *action);
            }
            let joined = Profile {
                name: name.into(),
                engine,
                actions,
                with_selector: profile.with_selector,
                max_group_size: profile.max_group_size.max(0) as u32,
                group_size: match profile.selector_size_semantics {
                    Some(SelectorSizeSemantics::SumOfMembers(semantics)) => {
                        GroupSize::Members { max_weight: semantics.max_member_weight.max(0) as u32 }
                    }
                    Some(SelectorSizeSemantics::SumOfWeights(_)) | None => GroupSize::Weights,
                },
                weights_disallowed: profile.weights_disallowed,
            };
            Self::place(&mut self.problems, &mut self.schema.profiles, "action profile", id, name, joined);
        }
        for table in self.schema.tables.values() {
            if let Some(id) = table.profile
                && !self.schema.profiles.contains_key(&id)
            {
                self.problems.push(format!("table {} has unknown action profile {id:#010x}", table.name));
            }
        }
    }

    /// The cells of an array, of which the P4Info may show fewer than there are.
    fn cells(&self, shown: i64, there: u64, index_type: Option<&config::P4NamedType>) -> Cells {
        let size = u64::try_from(shown).ok().filter(|size| *size > 0).map_or(there, |size| size.min(there));
        let translator = self.types.translator(index_type).filter(|translator| translator.has_numbers());
        Cells { size, translator }
    }

    fn arrays(&mut self) {
        for counter in &self.p4info.counters {
            let (id, name) = named(counter.preamble.as_ref());
            match self
                .find(name, Program::counter)
                .and_then(|engine| Some((engine, self.program.counter_info(engine)?)))
            {
                Some((engine, info)) => {
                    let cells = self.cells(counter.size, info.size, counter.index_type_name.as_ref());
                    let joined = Array { name: name.into(), engine, cells, meter_type: MeterType::default() };
                    Self::place(&mut self.problems, &mut self.schema.counters, "counter", id, name, joined);
                }
                None => self.missing(id, format!("counter {name} of the P4Info is not in the program")),
            }
        }
        for meter in &self.p4info.meters {
            let (id, name) = named(meter.preamble.as_ref());
            let meter_type = meter.spec.as_ref().map(config::MeterSpec::r#type).unwrap_or_default();
            match self.find(name, Program::meter).and_then(|engine| Some((engine, self.program.meter_info(engine)?))) {
                Some((engine, info)) => {
                    let cells = self.cells(meter.size, info.size, meter.index_type_name.as_ref());
                    let joined = Array { name: name.into(), engine, cells, meter_type };
                    Self::place(&mut self.problems, &mut self.schema.meters, "meter", id, name, joined);
                }
                None => self.missing(id, format!("meter {name} of the P4Info is not in the program")),
            }
        }
        for register in &self.p4info.registers {
            let (id, name) = named(register.preamble.as_ref());
            match self
                .find(name, Program::register)
                .and_then(|engine| Some((engine, self.program.register_info(engine)?)))
            {
                Some((engine, info)) => {
                    let spec = register.type_spec.as_ref();
                    let shape = Shape::of(spec, self.p4info, &self.types, 1).unwrap_or(Shape::plain(1));
                    let cells = self.cells(register.size.into(), info.size, register.index_type_name.as_ref());
                    let joined = Register { name: name.into(), engine, cells, bits: info.bits, shape };
                    Self::place(&mut self.problems, &mut self.schema.registers, "register", id, name, joined);
                }
                None => self.missing(id, format!("register {name} of the P4Info is not in the program")),
            }
        }
    }

    fn digests(&mut self) {
        for digest in &self.p4info.digests {
            let (id, name) = named(digest.preamble.as_ref());
            match self.find(name, Program::digest).and_then(|engine| Some((engine, self.program.digest_info(engine)?)))
            {
                Some((engine, info)) => {
                    let (spec, count) = (digest.type_spec.as_ref(), info.fields.len());
                    let shape = Shape::of(spec, self.p4info, &self.types, count).unwrap_or(Shape::plain(count));
                    let joined = Digest { name: name.into(), engine, fields: info.fields.clone(), shape };
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
        for set in &self.p4info.value_sets {
            let (id, name) = named(set.preamble.as_ref());
            let Some((engine, info)) = self
                .find(name, Program::value_set)
                .and_then(|engine| Some((engine, self.program.value_set_info(engine)?)))
            else {
                self.missing(id, format!("value set {name} of the P4Info is not in the program"));
                continue;
            };
            let place = format!("value set {name}");
            let fields: Result<Vec<Field>, String> = set.r#match.iter().map(|field| self.field(field)).collect();
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
            let joined = ValueSet { name: name.into(), engine, fields };
            Self::place(&mut self.problems, &mut self.schema.value_sets, "value set", id, name, joined);
        }
    }

    /// The headers of packets to and from the controller; others mean nothing to P4Runtime.
    fn packet_headers(&mut self) {
        for header in &self.p4info.controller_packet_metadata {
            let (_, name) = named(header.preamble.as_ref());
            let place = match name {
                "packet_in" | "packet_out" => self.packet_header(name, header),
                other => Err(format!("controller header {other} is neither packet_in nor packet_out")),
            };
            match (place, name) {
                (Ok(joined), "packet_in") => self.schema.packet_in = Some(joined),
                (Ok(joined), _) => self.schema.packet_out = Some(joined),
                (Err(why), _) => tracing::warn!("{why}"),
            }
        }
    }

    fn packet_header(&self, name: &str, header: &config::ControllerPacketMetadata) -> Result<PacketHeader, String> {
        let mut fields = Vec::new();
        let mut offset = 0u32;
        let layout = self.layouts.of(&header.metadata);
        for (position, field) in header.metadata.iter().enumerate() {
            let translator = self.types.translator(field.type_name.as_ref());
            // The P4Info has the width on the wire, the program the one in the header.
            let bits = match (&translator, &layout) {
                (Some(_), Some(widths)) => widths.get(position).copied().unwrap_or(0),
                (Some(_), None) | (None, _) => u32::try_from(field.bitwidth).unwrap_or(0),
            };
            if bits == 0 || bits > 4096 {
                return Err(format!("{name}.{} has neither a width nor a translated type", field.name));
            }
            // By the name that p4c has for it, or by annotation.
            let annotated = field.annotations.iter().any(|annotation| annotation.trim() == "@padding");
            let padding = annotated || field.name.starts_with('_');
            fields.push(PacketField { id: field.id, name: field.name.clone(), bits, offset, translator, padding });
            offset += bits;
        }
        if !offset.is_multiple_of(8) {
            return Err(format!("{name} has {offset} bits, which are no whole bytes"));
        }
        Ok(PacketHeader { name: name.into(), fields, bytes: (offset / 8) as usize })
    }
}
