//! What commands can name: the P4Info of a program, whose names people shorten. Where there is no P4Info, it is made of what the
//! program's JSON says.

use std::sync::Arc;

use serde_json::Value;
use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::config::v1::match_field::{Match, MatchType};
use vouch_p4runtime::p4::config::v1::p4_bitstring_like_type_spec::TypeSpec as Bits;
use vouch_p4runtime::p4::config::v1::p4_data_type_spec::TypeSpec;
use vouch_p4runtime::p4::config::v1::{self as proto, action};
use vouch_p4runtime::p4info::{Action, ActionProfile, Counter, MatchKind, Meter, Register, Table, ValueSet};
use vouch_switch::{MatchKind as EngineKind, Program};

use super::Refused;
use super::values::list;

/// The objects of one program.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    info: Arc<P4Info>,
}

impl Catalog {
    /// What this P4Info has.
    pub fn new(info: impl Into<Arc<P4Info>>) -> Self {
        Self { info: info.into() }
    }

    /// What a program can do, by the names in its JSON. Ids are positions, from 1.
    ///
    /// # Errors
    /// Two objects of a kind have one name.
    pub(crate) fn of_program(program: &Program) -> Result<Self, Refused> {
        Self::told(described(program))
    }

    /// The same, with the direct counters and meters, whose names only the JSON has.
    pub(crate) fn of_json(program: &Program, json: &[u8]) -> Result<Self, Refused> {
        let mut info = described(program);
        add_direct(&mut info, &serde_json::from_slice(json).unwrap_or_default());
        Self::told(info)
    }

    fn told(info: proto::P4Info) -> Result<Self, Refused> {
        P4Info::new(info).map(Self::new).map_err(|error| error.to_string())
    }

    /// Every object.
    pub fn info(&self) -> &P4Info {
        &self.info
    }

    /// The table of this name.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn table(&self, name: &str) -> Result<&Table, Refused> {
        find("table", name, self.info.tables(), |table| &table.name)
    }

    /// The action profile of this name.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn profile(&self, name: &str) -> Result<&ActionProfile, Refused> {
        find("action profile", name, self.info.action_profiles(), |profile| &profile.name)
    }

    pub(crate) fn counter(&self, name: &str) -> Result<&Counter, Refused> {
        find("counter", name, self.counters(), |counter| &counter.name)
    }

    pub(crate) fn meter(&self, name: &str) -> Result<&Meter, Refused> {
        find("meter", name, self.meters(), |meter| &meter.name)
    }

    pub(crate) fn register(&self, name: &str) -> Result<&Register, Refused> {
        find("register", name, self.info.registers(), |register| &register.name)
    }

    pub(crate) fn value_set(&self, name: &str) -> Result<&ValueSet, Refused> {
        find("value set", name, self.info.value_sets(), |set| &set.name)
    }

    /// All counters, with those of tables where their names are known.
    pub(crate) fn counters(&self) -> impl Iterator<Item = &Counter> {
        self.info.counters().chain(self.info.direct_counters())
    }

    /// All meters, with those of tables where their names are known.
    pub(crate) fn meters(&self) -> impl Iterator<Item = &Meter> {
        self.info.meters().chain(self.info.direct_meters())
    }

    /// The action profile that holds the actions of a table.
    pub(crate) fn profile_of(&self, table: &Table) -> Option<&ActionProfile> {
        self.info.action_profile_by_id(table.implementation?)
    }

    /// What members of an action profile may do: what the tables may that use it.
    pub(crate) fn profile_actions(&self, profile: &ActionProfile) -> Vec<&Action> {
        let mut actions: Vec<&Action> = Vec::new();
        for action in self.info.tables().filter(|table| table.implementation == Some(profile.id)).flat_map(actions_of) {
            if actions.iter().all(|known| known.name != action.name) {
                actions.push(action);
            }
        }
        actions
    }

    /// Every action that a table may take, by name.
    pub(super) fn actions(&self) -> Vec<&Action> {
        let mut actions: Vec<&Action> = self.info.tables().flat_map(actions_of).collect();
        actions.sort_by(|a, b| a.name.cmp(&b.name));
        actions.dedup_by(|a, b| a.name == b.name);
        actions
    }
}

/// What a table's entries and a miss may do.
pub(crate) fn actions_of(table: &Table) -> impl Iterator<Item = &Action> {
    table.actions.iter().map(|reference| &reference.action)
}

/// How a field is matched, as the engine has it. Optional ones are ternary there.
pub(super) fn engine_kind(kind: &MatchKind) -> Option<EngineKind> {
    Some(match kind {
        MatchKind::Exact => EngineKind::Exact,
        MatchKind::Lpm => EngineKind::Lpm,
        MatchKind::Ternary | MatchKind::Optional => EngineKind::Ternary,
        MatchKind::Range => EngineKind::Range,
        MatchKind::Other(kind) if kind == EngineKind::Valid.name() => EngineKind::Valid,
        MatchKind::Other(_) => return None,
    })
}

/// The width of a value of a set, all its fields together.
pub(super) fn value_bits(set: &ValueSet) -> u32 {
    set.fields.iter().map(|field| field.width).sum()
}

fn id(position: usize) -> u32 {
    u32::try_from(position + 1).unwrap_or(u32::MAX)
}

fn preamble(id: u32, name: &str) -> Option<proto::Preamble> {
    Some(proto::Preamble { id, name: name.to_owned(), ..Default::default() })
}

fn width(bits: u32) -> i32 {
    i32::try_from(bits).unwrap_or(i32::MAX)
}

/// The P4Info that a program would have, as far as its JSON tells.
fn described(program: &Program) -> proto::P4Info {
    let mut info = proto::P4Info::default();
    for (table_id, table) in program.tables() {
        let mut action_refs = Vec::new();
        for (action_id, action) in table.actions.iter().filter_map(|id| Some((*id, program.action_info(*id)?))) {
            // The compiler makes one of each table's; for people all of one name are one.
            let named = |known: &&proto::Action| known.preamble.as_ref().is_some_and(|it| it.name == action.name);
            let known = info.actions.iter().find(named).and_then(|known| known.preamble.as_ref()).map(|it| it.id);
            let id = known.unwrap_or_else(|| {
                let param = |(id, param): (u32, &vouch_switch::ParamInfo)| action::Param {
                    id,
                    name: param.name.clone(),
                    bitwidth: width(param.bits),
                    ..Default::default()
                };
                let params = (1..).zip(&action.params).map(param).collect();
                let id = id(action_id.index());
                info.actions.push(proto::Action { preamble: preamble(id, &action.name), params });
                id
            });
            action_refs.push(proto::ActionRef { id, ..Default::default() });
        }
        let field = |(id, field): (u32, &vouch_switch::KeyFieldInfo)| proto::MatchField {
            id,
            name: field.name.clone(),
            bitwidth: width(field.bits),
            r#match: Some(match field.kind {
                EngineKind::Exact => Match::MatchType(MatchType::Exact.into()),
                EngineKind::Lpm => Match::MatchType(MatchType::Lpm.into()),
                EngineKind::Ternary => Match::MatchType(MatchType::Ternary.into()),
                EngineKind::Range => Match::MatchType(MatchType::Range.into()),
                EngineKind::Valid => Match::OtherMatchType(field.kind.name().to_owned()),
            }),
            ..Default::default()
        };
        info.tables.push(proto::Table {
            preamble: preamble(id(table_id.index()), &table.name),
            match_fields: (1..).zip(&table.key).map(field).collect(),
            action_refs,
            implementation_id: table.profile.map_or(0, |profile| id(profile.index())),
            size: i64::try_from(table.size).unwrap_or(i64::MAX),
            ..Default::default()
        });
    }
    info.action_profiles.extend(program.profiles().map(|(profile, it)| proto::ActionProfile {
        preamble: preamble(id(profile.index()), &it.name),
        with_selector: it.selector,
        ..Default::default()
    }));
    info.counters.extend(program.counters().map(|(counter, it)| proto::Counter {
        preamble: preamble(id(counter.index()), &it.name),
        size: i64::try_from(it.size).unwrap_or(i64::MAX),
        ..Default::default()
    }));
    info.meters.extend(program.meters().map(|(meter, it)| proto::Meter {
        preamble: preamble(id(meter.index()), &it.name),
        size: i64::try_from(it.size).unwrap_or(i64::MAX),
        ..Default::default()
    }));
    info.registers.extend(program.registers().map(|(register, it)| proto::Register {
        preamble: preamble(id(register.index()), &it.name),
        size: i32::try_from(it.size).unwrap_or(i32::MAX),
        type_spec: Some(number(it.bits)),
        ..Default::default()
    }));
    info.value_sets.extend(program.value_sets().map(|(set, it)| proto::ValueSet {
        preamble: preamble(id(set.index()), &it.name),
        r#match: vec![proto::MatchField { id: 1, bitwidth: width(it.bits), ..Default::default() }],
        ..Default::default()
    }));
    info
}

/// The type of a number.
fn number(bits: u32) -> proto::P4DataTypeSpec {
    let bit = Bits::Bit(proto::P4BitTypeSpec { bitwidth: width(bits) });
    let spec = proto::P4BitstringLikeTypeSpec { type_spec: Some(bit), ..Default::default() };
    proto::P4DataTypeSpec { type_spec: Some(TypeSpec::Bitstring(spec)) }
}

/// Add the counters and meters of tables.
fn add_direct(info: &mut proto::P4Info, json: &Value) {
    let pipelines = json["pipelines"].as_array().into_iter().flatten();
    let tables: Vec<&Value> = pipelines.filter_map(|it| it["tables"].as_array()).flatten().collect();
    let direct = |list: &str, of: &[proto::Table]| {
        let arrays = json[list].as_array().into_iter().flatten().filter(|array| array["is_direct"] == true);
        let direct = arrays.filter_map(|array| {
            let name = array["name"].as_str()?;
            // Counters name their tables, and tables name their meters.
            let metered = |table: &&&Value| table["direct_meters"] == array["name"];
            let table = array["binding"].as_str().or_else(|| tables.iter().find(metered)?["name"].as_str())?;
            let known = of.iter().filter_map(|table| table.preamble.as_ref()).find(|it| it.name == table)?;
            Some((name.to_owned(), known.id))
        });
        direct.enumerate().map(|(position, (name, table))| (preamble(id(position), &name), table)).collect::<Vec<_>>()
    };
    let counters = direct("counter_arrays", &info.tables).into_iter();
    info.direct_counters = counters
        .map(|(preamble, direct_table_id)| proto::DirectCounter { preamble, direct_table_id, ..Default::default() })
        .collect();
    let meters = direct("meter_arrays", &info.tables).into_iter();
    info.direct_meters = meters
        .map(|(preamble, direct_table_id)| proto::DirectMeter { preamble, direct_table_id, ..Default::default() })
        .collect();
}

/// The object that a name means: its own, or else the end of its own where only one has that.
pub(super) fn find<'a, T>(
    what: &str,
    name: &str,
    objects: impl IntoIterator<Item = &'a T>,
    name_of: impl Fn(&T) -> &str,
) -> Result<&'a T, Refused> {
    let objects: Vec<&T> = objects.into_iter().collect();
    if let Some(object) = objects.iter().find(|object| name_of(object) == name) {
        return Ok(object);
    }
    let ends = |object: &&&T| name_of(object).strip_suffix(name).is_some_and(|front| front.ends_with('.'));
    let mut ending = objects.iter().filter(ends);
    match (ending.next(), ending.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(format!("`{name}` can be more than one {what}: give its full name")),
        (None, _) => {
            let names: Vec<_> = objects.iter().map(|object| name_of(object)).collect();
            Err(format!("there is no {what} `{name}`; there is {}", list(&names)))
        }
    }
}
