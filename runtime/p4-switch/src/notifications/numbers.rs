//! The numbers that a program's JSON has for what happens to packets: events name nothing.

use std::collections::HashMap;

use serde_json::Value;

/// The numbers of one program. What has none is -1.
pub(crate) struct Numbers {
    pub(super) parser: i32,
    pub(super) deparser: i32,
    pub(super) ingress: i32,
    pub(super) egress: i32,
    headers: HashMap<String, i32>,
    pub(super) tables: HashMap<String, i32>,
    conditions: HashMap<String, i32>,
    /// By their places, since p4c repeats an action for each table that has it.
    actions: Vec<i32>,
    /// Those that every packet has updated.
    pub(super) checksums: Vec<i32>,
}

const NONE: i32 = -1;

impl Numbers {
    /// Of a JSON that the engine has taken. What is not as it should be has no number.
    pub(crate) fn read(program: &[u8]) -> Self {
        let root: Value = serde_json::from_slice(program).unwrap_or_default();
        let pipelines = list(&root["pipelines"]);
        let within = |kind: &'static str| pipelines.iter().flat_map(|pipeline| named(&pipeline[kind])).collect();
        let by_name: HashMap<String, i32> = named(&root["pipelines"]).collect();
        let first = |kind: &str| list(&root[kind]).first().map_or(NONE, number);
        // A checksum that does not say is updated.
        let is_updated = |checksum: &&Value| checksum["update"].as_bool().unwrap_or(true);
        Self {
            parser: first("parsers"),
            deparser: first("deparsers"),
            ingress: by_name.get("ingress").copied().unwrap_or(NONE),
            egress: by_name.get("egress").copied().unwrap_or(NONE),
            headers: named(&root["headers"]).collect(),
            tables: within("tables"),
            conditions: within("conditionals"),
            actions: list(&root["actions"]).iter().map(number).collect(),
            checksums: list(&root["checksums"]).iter().filter(is_updated).map(number).collect(),
        }
    }

    pub(super) fn header(&self, name: &str) -> i32 {
        self.headers.get(name).copied().unwrap_or(NONE)
    }

    pub(crate) fn table(&self, name: &str) -> i32 {
        self.tables.get(name).copied().unwrap_or(NONE)
    }

    pub(super) fn condition(&self, name: &str) -> i32 {
        self.conditions.get(name).copied().unwrap_or(NONE)
    }

    pub(super) fn action(&self, place: usize) -> i32 {
        self.actions.get(place).copied().unwrap_or(NONE)
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn number(object: &Value) -> i32 {
    object["id"].as_i64().and_then(|id| i32::try_from(id).ok()).unwrap_or(NONE)
}

fn named(value: &Value) -> impl Iterator<Item = (String, i32)> {
    list(value).iter().filter_map(|object| Some((object["name"].as_str()?.to_owned(), number(object))))
}
