//! What commands can name, made of a program's JSON or of its P4Info.

use serde_json::Value;
use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::config::v1::p4_bitstring_like_type_spec::TypeSpec as Bits;
use vouch_p4runtime::p4::config::v1::p4_data_type_spec::TypeSpec;
use vouch_p4runtime::p4info::MatchKind as InfoKind;
use vouch_switch::{MatchKind, Program, TableId};

use super::Refused;
use super::values::list;

/// The objects of one program.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Tables.
    pub tables: Vec<Table>,
    /// Action profiles.
    pub profiles: Vec<Profile>,
    /// Counters, with those of tables where their names are known.
    pub counters: Vec<Array>,
    /// Meters, with those of tables where their names are known.
    pub meters: Vec<Array>,
    /// Registers.
    pub registers: Vec<Array>,
    /// Parser value sets.
    pub value_sets: Vec<ValueSet>,
}

/// A table. Ids are those of the P4Info, or positions in the JSON.
#[derive(Clone, Debug)]
pub struct Table {
    /// The id.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// The key, in order.
    pub key: Vec<Field>,
    /// What its entries and a miss may do.
    pub actions: Vec<Action>,
    /// Its action profile, by position.
    pub profile: Option<usize>,
    /// Its entries have a priority.
    pub needs_priority: bool,
}

/// A field of a key.
#[derive(Clone, Debug)]
pub struct Field {
    /// The id.
    pub id: u32,
    /// The name.
    pub name: String,
    /// How it is matched.
    pub kind: FieldKind,
    /// The width; 0 where it is text.
    pub bits: u32,
}

/// How a field is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// As the engine has it.
    Plain(MatchKind),
    /// One value or any; for the engine that is ternary.
    Optional,
    /// In a way that is not v1model's.
    Foreign,
}

/// An action.
#[derive(Clone, Debug)]
pub struct Action {
    /// The id.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// Its parameters.
    pub params: Vec<Param>,
}

/// A parameter of an action.
#[derive(Clone, Debug)]
pub struct Param {
    /// The id.
    pub id: u32,
    /// The name.
    pub name: String,
    /// The width; 0 where it is text.
    pub bits: u32,
}

/// An action profile.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The id.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// What its members may do.
    pub actions: Vec<Action>,
    /// It has groups.
    pub selector: bool,
    /// The largest group; 0 where there is no limit.
    pub max_group_size: u32,
}

/// A counter, a meter or a register.
#[derive(Clone, Debug)]
pub struct Array {
    /// The id.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// Its cells; 0 where each entry of a table has one.
    pub size: u64,
    /// That table, by position.
    pub table: Option<usize>,
    /// The width of a register's cell; `None` where that is not a number.
    pub bits: Option<u32>,
}

/// A parser value set.
#[derive(Clone, Debug)]
pub struct ValueSet {
    /// The id.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// The width of a value, all its fields together.
    pub bits: u32,
    /// The fields of a value with their widths, where they are known.
    pub fields: Vec<(u32, u32)>,
}

impl FieldKind {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain(kind) => kind.name(),
            Self::Optional => "optional",
            Self::Foreign => "something else",
        }
    }
}

impl Catalog {
    /// The table of this name.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn table(&self, name: &str) -> Result<&Table, Refused> {
        find("table", name, &self.tables, |table| &table.name)
    }

    /// The action profile of this name.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn profile(&self, name: &str) -> Result<&Profile, Refused> {
        find("action profile", name, &self.profiles, |profile| &profile.name)
    }

    pub(super) fn counter(&self, name: &str) -> Result<&Array, Refused> {
        find("counter", name, &self.counters, |counter| &counter.name)
    }

    pub(super) fn meter(&self, name: &str) -> Result<&Array, Refused> {
        find("meter", name, &self.meters, |meter| &meter.name)
    }

    pub(super) fn register(&self, name: &str) -> Result<&Array, Refused> {
        find("register", name, &self.registers, |register| &register.name)
    }

    pub(super) fn value_set(&self, name: &str) -> Result<&ValueSet, Refused> {
        find("value set", name, &self.value_sets, |set| &set.name)
    }

    /// Every action, each once.
    pub(super) fn actions(&self) -> Vec<&Action> {
        let mut actions: Vec<&Action> = self.tables.iter().flat_map(|table| &table.actions).collect();
        actions.sort_by(|a, b| a.name.cmp(&b.name));
        actions.dedup_by(|a, b| a.name == b.name);
        actions
    }

    /// What a program can do, by the names in its JSON. The names of direct counters and meters are not known then.
    pub(crate) fn of_program(program: &Program) -> Self {
        let position = |position: usize| u32::try_from(position).unwrap_or(u32::MAX);
        let actions_of = |id: TableId| {
            let ids = program.table_info(id).map(|info| info.actions.as_slice()).unwrap_or_default();
            let action = |id: &vouch_switch::ActionId| {
                let info = program.action_info(*id)?;
                let params = (0..).zip(&info.params);
                let params = params.map(|(id, param)| Param { id, name: param.name.clone(), bits: param.bits });
                Some(Action { id: position(id.index()), name: info.name.clone(), params: params.collect() })
            };
            ids.iter().filter_map(action).collect::<Vec<_>>()
        };
        let table = |(id, info): (TableId, &vouch_switch::TableInfo)| Table {
            id: position(id.index()),
            name: info.name.clone(),
            key: (0..)
                .zip(&info.key)
                .map(|(id, field)| Field {
                    id,
                    name: field.name.clone(),
                    kind: FieldKind::Plain(field.kind),
                    bits: field.bits,
                })
                .collect(),
            actions: actions_of(id),
            profile: info.profile.map(|profile| profile.index()),
            needs_priority: info.needs_priority,
        };
        let tables: Vec<Table> = program.tables().map(table).collect();
        let profiles = program.profiles().map(|(id, info)| Profile {
            id: position(id.index()),
            name: info.name.clone(),
            actions: profile_actions(&tables, id.index()),
            selector: info.selector,
            max_group_size: 0,
        });
        let array = |id: usize, name: &str, size: u64, bits: Option<u32>| Array {
            id: position(id),
            name: name.to_owned(),
            size,
            table: None,
            bits,
        };
        Self {
            profiles: profiles.collect(),
            counters: program.counters().map(|(id, info)| array(id.index(), &info.name, info.size, None)).collect(),
            meters: program.meters().map(|(id, info)| array(id.index(), &info.name, info.size, None)).collect(),
            registers: (program.registers())
                .map(|(id, info)| array(id.index(), &info.name, info.size, Some(info.bits)))
                .collect(),
            value_sets: (program.value_sets())
                .map(|(id, info)| ValueSet {
                    id: position(id.index()),
                    name: info.name.clone(),
                    bits: info.bits,
                    fields: Vec::new(),
                })
                .collect(),
            tables,
        }
    }

    /// The same, with the direct counters and meters, whose names only the JSON has.
    pub(crate) fn of_json(program: &Program, json: &[u8]) -> Self {
        let mut catalog = Self::of_program(program);
        let root: Value = serde_json::from_slice(json).unwrap_or_default();
        let pipelines = root["pipelines"].as_array().into_iter().flatten();
        let tables: Vec<&Value> = pipelines.filter_map(|it| it["tables"].as_array()).flatten().collect();
        let direct = |list: &str| {
            let arrays = root[list].as_array().cloned().unwrap_or_default();
            let direct = arrays.into_iter().filter(|array| array["is_direct"] == true);
            let direct = direct.filter_map(|array| {
                let name = array["name"].as_str()?.to_owned();
                // Counters name their tables, and tables name their meters.
                let of = |table: &&&Value| table["direct_meters"] == array["name"];
                let table = array["binding"].as_str().or_else(|| tables.iter().find(of)?["name"].as_str())?;
                let table = catalog.tables.iter().position(|known| known.name == table)?;
                Some(Array { id: 0, name, size: 0, table: Some(table), bits: None })
            });
            direct.collect::<Vec<_>>()
        };
        let (counters, meters) = (direct("counter_arrays"), direct("meter_arrays"));
        catalog.counters.extend(counters);
        catalog.meters.extend(meters);
        catalog
    }

    /// What a program can do, as its P4Info says.
    pub fn of_p4info(info: &P4Info) -> Self {
        let profile_ids: Vec<u32> = info.action_profiles().map(|profile| profile.id).collect();
        let field = |field: &vouch_p4runtime::p4info::MatchField| Field {
            id: field.id,
            name: field.name.clone(),
            kind: match field.kind {
                InfoKind::Exact => FieldKind::Plain(MatchKind::Exact),
                InfoKind::Lpm => FieldKind::Plain(MatchKind::Lpm),
                InfoKind::Ternary => FieldKind::Plain(MatchKind::Ternary),
                InfoKind::Range => FieldKind::Plain(MatchKind::Range),
                InfoKind::Optional => FieldKind::Optional,
                InfoKind::Other(_) => FieldKind::Foreign,
            },
            bits: field.width,
        };
        let action = |action: &vouch_p4runtime::p4info::Action| Action {
            id: action.id,
            name: action.name.clone(),
            params: (action.params.iter())
                .map(|param| Param { id: param.id, name: param.name.clone(), bits: param.width })
                .collect(),
        };
        let tables: Vec<Table> = info
            .tables()
            .map(|table| Table {
                id: table.id,
                name: table.name.clone(),
                key: table.fields.iter().map(field).collect(),
                actions: table.actions.iter().map(|reference| action(&reference.action)).collect(),
                profile: table.implementation.and_then(|id| profile_ids.iter().position(|known| *known == id)),
                needs_priority: table.needs_priority(),
            })
            .collect();
        let profiles = (0..).zip(info.action_profiles()).map(|(position, profile)| Profile {
            id: profile.id,
            name: profile.name.clone(),
            actions: profile_actions(&tables, position),
            selector: profile.with_selector,
            max_group_size: u32::try_from(profile.max_group_size).unwrap_or(u32::MAX),
        });
        let array = |id: u32, name: &str, size: u64, table: Option<u32>, bits: Option<u32>| Array {
            id,
            name: name.to_owned(),
            size,
            table: table.and_then(|id| tables.iter().position(|table| table.id == id)),
            bits,
        };
        let counters = info.counters().chain(info.direct_counters());
        let meters = info.meters().chain(info.direct_meters());
        Self {
            profiles: profiles.collect(),
            counters: counters.map(|it| array(it.id, &it.name, it.size, it.table, None)).collect(),
            meters: meters.map(|it| array(it.id, &it.name, it.size, it.table, None)).collect(),
            registers: (info.registers())
                .map(|it| array(it.id, &it.name, it.size, None, register_bits(info, it.id)))
                .collect(),
            value_sets: value_sets(info),
            tables,
        }
    }
}

/// The actions of an action profile are those of the tables that use it.
fn profile_actions(tables: &[Table], profile: usize) -> Vec<Action> {
    let mut actions: Vec<Action> = Vec::new();
    for action in tables.iter().filter(|table| table.profile == Some(profile)).flat_map(|table| &table.actions) {
        if actions.iter().all(|known| known.name != action.name) {
            actions.push(action.clone());
        }
    }
    actions
}

fn value_sets(info: &P4Info) -> Vec<ValueSet> {
    let set = |set: &vouch_p4runtime::p4::config::v1::ValueSet| {
        let preamble = set.preamble.as_ref()?;
        let fields: Vec<(u32, u32)> =
            set.r#match.iter().map(|field| (field.id, u32::try_from(field.bitwidth).unwrap_or(0))).collect();
        let bits = fields.iter().map(|(_, bits)| bits).sum();
        Some(ValueSet { id: preamble.id, name: preamble.name.clone(), bits, fields })
    };
    info.message().value_sets.iter().filter_map(set).collect()
}

/// The width of a register's cell, where it is a number.
fn register_bits(info: &P4Info, id: u32) -> Option<u32> {
    let registers = &info.message().registers;
    let register = registers.iter().find(|register| register.preamble.as_ref().is_some_and(|it| it.id == id))?;
    let Some(TypeSpec::Bitstring(bits)) = &register.type_spec.as_ref()?.type_spec else { return None };
    let width = match bits.type_spec.as_ref()? {
        Bits::Bit(bit) => bit.bitwidth,
        Bits::Int(int) => int.bitwidth,
        Bits::Varbit(_) => return None,
    };
    u32::try_from(width).ok()
}

/// The object that a name means: its own, or else the end of its own where only one has that.
pub(super) fn find<'a, T>(
    what: &str,
    name: &str,
    objects: &'a [T],
    name_of: impl Fn(&T) -> &str,
) -> Result<&'a T, Refused> {
    if let Some(object) = objects.iter().find(|object| name_of(object) == name) {
        return Ok(object);
    }
    let ends = |object: &&T| name_of(object).strip_suffix(name).is_some_and(|front| front.ends_with('.'));
    let mut ending = objects.iter().filter(ends);
    match (ending.next(), ending.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(format!("`{name}` can be more than one {what}: give its full name")),
        (None, _) => {
            let names: Vec<_> = objects.iter().map(name_of).collect();
            Err(format!("there is no {what} `{name}`; there is {}", list(&names)))
        }
    }
}
