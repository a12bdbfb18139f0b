//! The schema of a configuration: made from its types, for editors and for the reader.

use std::sync::LazyLock;

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value, json};

use super::document::Document;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let settings = settings.with_transform(RecursiveTransform(plain));
    let mut schema = settings.into_generator().into_root_schema_for::<Document>();
    schema.insert("title".into(), "A VTEP or transit switch of a Vouch fabric".into());
    schema.to_value()
});

/// The JSON schema of a configuration file.
pub fn schema() -> &'static Value {
    &SCHEMA
}

/// Writes a schema as a reader of YAML needs it: fields that are not known are mistakes, `null` is no value, and descriptions
/// have no marks for rustdoc.
fn plain(schema: &mut Schema) {
    let Some(schema) = schema.as_object_mut() else { return };
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    if schema.get("oneOf").is_some_and(|options| of_objects(options) > 1) {
        let options = schema.remove("oneOf").unwrap_or_default();
        schema.insert("anyOf".into(), options);
    }
    // What is left of alternatives may be alternatives again.
    while let Some(Value::Array(options)) = schema.get_mut("anyOf") {
        options.retain(|option| option.get("type") != Some(&json!("null")));
        unite(options);
        let [Value::Object(only)] = options.as_mut_slice() else { break };
        let only = std::mem::take(only);
        schema.remove("anyOf");
        for (key, value) in only {
            schema.entry(key).or_insert(value);
        }
    }
    if schema.contains_key("properties") {
        schema.insert("additionalProperties".into(), false.into());
    }
    if let Some(Value::String(text)) = schema.get_mut("description") {
        let lines: Vec<_> = text.split("\n\n").map(|part| part.replace('\n', " ")).collect();
        *text = lines.join("\n\n").replace("[`", "`").replace("`]", "`");
    }
}

/// How many alternatives are maps.
fn of_objects(options: &Value) -> usize {
    options.as_array().map_or(0, |options| options.iter().filter(|option| option.get("properties").is_some()).count())
}

/// Makes one map of several: which of its fields go together is checked later, so that what is said of it is about all of them.
fn unite(options: &mut Vec<Value>) {
    let (maps, others): (Vec<_>, Vec<_>) =
        std::mem::take(options).into_iter().partition(|option| option.get("properties").is_some());
    *options = others;
    let required = |map: &Value| map.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let all =
        maps.iter().map(required).reduce(|all, more| all.into_iter().filter(|name| more.contains(name)).collect());
    let mut fields = Map::new();
    for map in &maps {
        for (name, field) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let mut field = field.clone();
            if let (Some(text), Some(field)) = (map.get("description"), field.as_object_mut()) {
                field.entry("description").or_insert_with(|| text.clone());
            }
            fields.insert(name.clone(), field);
        }
    }
    match maps.as_slice() {
        [] | [_] => options.extend(maps),
        _ => options.push(json!({ "type": "object", "properties": fields, "required": all })),
    }
}

/// The words that a schema allows, if it allows only words, or words besides other things.
pub(super) fn words(schema: &Map<String, Value>) -> Vec<&str> {
    let here =
        schema.get("const").into_iter().chain(schema.get("enum").and_then(Value::as_array).into_iter().flatten());
    here.filter_map(Value::as_str).chain(options(schema).flat_map(words)).collect()
}

/// The alternatives of a schema.
pub(super) fn options(schema: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    let of = |name| schema.get(name).and_then(Value::as_array).into_iter().flatten();
    of("anyOf").chain(of("oneOf")).filter_map(Value::as_object)
}

/// The schema of the alternative that is of a type, or of the schema itself.
pub(super) fn of_type<'s>(schema: &'s Map<String, Value>, name: &str) -> Option<&'s Map<String, Value>> {
    let is = match schema.get("type") {
        Some(Value::String(found)) => found == name,
        Some(Value::Array(found)) => found.iter().any(|found| found == name),
        _ => false,
    };
    if is { Some(schema) } else { options(schema).find_map(|option| of_type(option, name)) }
}

/// What a value is for, in the first sentence of its description, as it stands within a sentence.
pub(super) fn purpose(schema: &Map<String, Value>) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or("a value");
    let sentence = text.split(". ").next().unwrap_or(text).split('\n').next().unwrap_or(text).trim_end_matches('.');
    let mut chars = sentence.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => sentence.to_owned(),
    }
}

/// The schema of the field at a path, as `vnis[0].access`.
pub(super) fn at(path: &str) -> Option<&'static Map<String, Value>> {
    path.split('.').try_fold(schema().as_object()?, |schema, step| {
        let (field, index) = step.split_once('[').map_or((step, false), |(field, _)| (field, true));
        let field = of_type(schema, "object")?.get("properties")?.get(field)?.as_object()?;
        if index { of_type(field, "array")?.get("items")?.as_object() } else { Some(field) }
    })
}
