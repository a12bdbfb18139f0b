//! The program's JSON, for what its clients ask that means nothing to packets.

use std::collections::BTreeMap;

use serde_json::Value;

use super::api::standard::BmResourceType;

pub(super) struct Document {
    /// As it was written.
    pub(super) text: String,
    ids: BTreeMap<&'static str, BTreeMap<String, i32>>,
    /// The algorithm of each calculation.
    calculations: BTreeMap<String, String>,
}

impl Document {
    /// The document. What is not as it should be is not there; the engine has loaded what it needs.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let root: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let pipelines = root["pipelines"].as_array().map(Vec::as_slice).unwrap_or_default();
        let within = |list: &'static str| (list, pipelines.iter().flat_map(|it| named(&it[list])).collect());
        let beside = |list: &'static str| (list, named(&root[list]).collect());
        let calculations = root["calculations"].as_array().into_iter().flatten();
        let calculation = |it: &Value| Some((it["name"].as_str()?.to_owned(), it["algo"].as_str()?.to_owned()));
        Self {
            text: String::from_utf8_lossy(bytes).into_owned(),
            ids: BTreeMap::from([
                within("tables"),
                within("action_profiles"),
                beside("counter_arrays"),
                beside("meter_arrays"),
                beside("register_arrays"),
                beside("learn_lists"),
            ]),
            calculations: calculations.filter_map(calculation).collect(),
        }
    }

    /// The number of an object.
    pub(super) fn id(&self, kind: BmResourceType, name: &str) -> Option<i32> {
        let list = match kind {
            BmResourceType::MatchTable => "tables",
            BmResourceType::ActionProfile => "action_profiles",
            BmResourceType::Counter => "counter_arrays",
            BmResourceType::Meter => "meter_arrays",
            BmResourceType::Register => "register_arrays",
            BmResourceType::LearningList => "learn_lists",
        };
        self.ids.get(list)?.get(name).copied()
    }

    /// The algorithm of a calculation.
    pub(super) fn algorithm(&self, calculation: &str) -> Option<&str> {
        self.calculations.get(calculation).map(String::as_str)
    }
}

/// The numbers of the objects in a list, by their names.
fn named(list: &Value) -> impl Iterator<Item = (String, i32)> {
    let objects = list.as_array().into_iter().flatten();
    objects.filter_map(|it| Some((it["name"].as_str()?.to_owned(), i32::try_from(it["id"].as_i64()?).ok()?)))
}
