//! Holds a file against the schema, and notes all that does not fit.
//!
//! A reader never stops: what cannot be read is noted, and a placeholder takes its place, so that the rest is still looked at. A
//! file with a noted error never becomes a configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use super::problem::{Mark, Problems, choices, near};
use super::schema::{of_type, options, purpose, words};
use super::text::{self, Key, Node};
use super::written::{self, Surroundings, Wrong, number};

type Schema = Map<String, Value>;

/// Fields that are gone, with what replaced them.
const FORMER: [(&str, &str, &str); 1] = [(
    "probe_addresses",
    "this field is no more: an address with our probe MAC takes the address away from whoever has it, as the gateway",
    "use `probe_as`: ",
)];

/// Reads values and collects what is wrong.
pub(super) struct Reader<'a> {
    pub(super) problems: &'a mut Problems,
    pub(super) surroundings: Surroundings,
    /// Where paths begin.
    pub(super) base: &'a Path,
    /// The files that must be readable when the configuration is used: field, place, and path.
    pub(super) files: Vec<(String, Mark, PathBuf)>,
}

impl Reader<'_> {
    /// What the node says, in the form that serde takes it.
    pub(super) fn value(&mut self, node: &Node, schema: &Schema, path: &str) -> Value {
        let (object, array) = (of_type(schema, "object"), of_type(schema, "array"));
        match (&node.value, object, array) {
            (text::Value::Map(entries), Some(object), _) => self.map(node.at, entries, object, path),
            (text::Value::List(items), _, Some(array)) => self.list(node, items, array, path),
            (text::Value::Null, Some(object), _) if words(schema).is_empty() => self.map(node.at, &[], object, path),
            (text::Value::Null, None, Some(array)) => self.list(node, &[], array, path),
            (text::Value::Scalar(text), ..) if is_single(schema) => self.single(node, text, schema, path),
            (_, Some(object), _) if !is_single(schema) => {
                let what = format!("{} is not a map", say(node));
                self.wrong(node, path, what, format!("it has {}", fields(object)), schema)
            }
            (_, _, Some(array)) if !is_single(schema) => {
                let items = array.get("items").and_then(Value::as_object).map(purpose).unwrap_or_default();
                let help = format!("it is a list, with `- ` before each of these: {items}");
                self.wrong(node, path, format!("{} is not a list", say(node)), help, schema)
            }
            _ => self.wrong(
                node,
                path,
                format!("{} is no single value", say(node)),
                format!("it is {}", what(schema)),
                schema,
            ),
        }
    }

    fn wrong(&mut self, node: &Node, path: &str, what: String, help: String, schema: &Schema) -> Value {
        self.problems.error(node.at, path, what, help);
        placeholder(schema)
    }

    fn map(&mut self, at: Mark, entries: &[(Key, Node)], schema: &Schema, path: &str) -> Value {
        let Some(known) = schema.get("properties").and_then(Value::as_object) else {
            return self.pairs(entries, schema, path);
        };
        let mut seen: BTreeMap<&str, Mark> = BTreeMap::new();
        let mut found = Map::new();
        for (key, node) in entries {
            let inner = join(path, &key.name);
            if let Some(first) = seen.insert(&key.name, key.at) {
                let what = format!("the field stands twice, first in line {}", first.line);
                self.problems.error(key.at, &inner, what, "leave one of them out");
                continue;
            }
            match known.get(&key.name).and_then(Value::as_object) {
                Some(field) => {
                    let value = self.value(node, field, &inner);
                    found.insert(key.name.clone(), value);
                }
                None => self.unknown(key, node, schema, path),
            }
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            let Some(field) = known.get(name).and_then(Value::as_object) else { continue };
            if !found.contains_key(name) {
                let help = format!("it is {}", purpose(field));
                self.problems.error(at, &join(path, name), "the field is missing", help);
                found.insert(name.to_owned(), placeholder(field));
            }
        }
        found.into()
    }

    fn unknown(&mut self, key: &Key, node: &Node, schema: &Schema, path: &str) {
        let inner = join(path, &key.name);
        let known = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
        if let Some((_, what, help)) = FORMER.into_iter().find(|(name, ..)| *name == key.name) {
            self.problems.error(node.at, &inner, what, format!("{help}{}", super::checks::PROBE_AS));
        } else if let Some(near) = near(&key.name, known.map(String::as_str)) {
            self.problems.error(key.at, &inner, "unknown field", format!("did you mean `{near}`?"));
        } else {
            let of = if path.is_empty() { "the file".to_owned() } else { format!("`{path}`") };
            self.problems.error(key.at, &inner, "unknown field", format!("{of} has {}", fields(schema)));
        }
    }

    /// A map whose keys are numbers that are up to the operator.
    fn pairs(&mut self, entries: &[(Key, Node)], schema: &Schema, path: &str) -> Value {
        let values = schema.get("patternProperties").and_then(Value::as_object).and_then(|of| of.values().next());
        let Some(values) = values.and_then(Value::as_object) else { return Map::new().into() };
        let mut found = BTreeMap::new();
        for (key, node) in entries {
            let inner = join(path, &key.name);
            let Ok(number) = number(&key.name, 0, u16::MAX.into()) else {
                let what = format!("`{}` is no port number", key.name.escape_debug());
                self.problems.error(key.at, &inner, what, format!("it is a whole number from 0 to {}", u16::MAX));
                continue;
            };
            let value = self.value(node, values, &inner);
            if found.insert(number.to_string(), value).is_some() {
                self.problems.error(key.at, &inner, format!("port {number} stands twice"), "leave one of them out");
            }
        }
        found.into_iter().collect::<Map<_, _>>().into()
    }

    fn list(&mut self, node: &Node, items: &[Node], schema: &Schema, path: &str) -> Value {
        let bound = |name, none| schema.get(name).and_then(Value::as_u64).unwrap_or(none);
        let (min, max) = (bound("minItems", 0), bound("maxItems", u64::MAX));
        if !(min..=max).contains(&(items.len() as u64)) {
            let help =
                if max == u64::MAX { format!("there is at least {min}") } else { format!("there are {min} to {max}") };
            self.problems.error(node.at, path, format!("{} items", items.len()), help);
        }
        let Some(each) = schema.get("items").and_then(Value::as_object) else { return Vec::<Value>::new().into() };
        let values: Vec<_> =
            items.iter().enumerate().map(|(index, item)| self.value(item, each, &format!("{path}[{index}]"))).collect();
        values.into()
    }

    fn single(&mut self, node: &Node, text: &str, schema: &Schema, path: &str) -> Value {
        match self.meaning(text, schema) {
            Ok(value) => match file(schema) {
                Some(must_be_there) => {
                    let file = self.base.join(text);
                    let value = Value::from(file.to_string_lossy());
                    if must_be_there {
                        self.files.push((path.to_owned(), node.at, file));
                    }
                    value
                }
                None => value,
            },
            Err(Wrong { what, help }) => {
                let shown: String = text.chars().take(40).collect();
                let more = if shown.len() < text.len() { "…" } else { "" };
                let (what, help) = match what {
                    Some(what) => (what, help),
                    None => (format!("`{}{more}` is wrong", shown.escape_debug()), format!("it is {help}")),
                };
                self.wrong(node, path, what, help, schema)
            }
        }
    }

    /// What a single value means: a word, or text of a format, or a number within bounds, or any text.
    fn meaning(&self, text: &str, schema: &Schema) -> Result<Value, Wrong> {
        let known = words(schema);
        if known.contains(&text) {
            return Ok(text.into());
        }
        let wrong = |help: String| Err(Wrong { what: None, help });
        if of_type(schema, "boolean").is_some() {
            return text.parse::<bool>().map(Value::from).or_else(|_| wrong(what(schema)));
        }
        if let Some(format) = formatted(schema) {
            let value = self.surroundings.read(format, text).map_err(|mut error| {
                if error.what.is_none() && !known.is_empty() {
                    error.help = format!("{}, or {}", choices(known.iter().copied()), error.help);
                }
                error
            })?;
            return match shortest(schema).filter(|shortest| written::time(text).is_some_and(|time| time < *shortest)) {
                Some(shortest) => wrong(format!("at least {shortest:?}")),
                None => Ok(value),
            };
        }
        if !known.is_empty() {
            let near = near(text, known.iter().copied()).filter(|_| known.len() > 1);
            let near = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
            return wrong(format!("{}{near}", what(schema)));
        }
        if let Some(integer) = of_type(schema, "integer") {
            let (min, max) = bounds(integer);
            return number(text, min.into(), max.into()).map(|number| Value::from(number as u64));
        }
        let length = |name, none| schema.get(name).and_then(Value::as_u64).unwrap_or(none);
        match (length("minLength", 0)..=length("maxLength", u64::MAX)).contains(&(text.len() as u64)) {
            true => Ok(text.into()),
            false => wrong(what(schema)),
        }
    }
}

/// Whether a schema allows single values.
fn is_single(schema: &Schema) -> bool {
    !words(schema).is_empty()
        || ["string", "integer", "boolean"].into_iter().any(|name| of_type(schema, name).is_some())
}

/// The format of the text that a schema allows, if it is one of ours.
fn formatted(schema: &Schema) -> Option<&str> {
    let here = schema.get("format").and_then(Value::as_str);
    // Those of numbers say how wide they are in Rust.
    let ours = here.filter(|format| !format.starts_with("uint"));
    ours.or_else(|| options(schema).find_map(formatted))
}

/// The shortest span of time that a schema allows.
fn shortest(schema: &Schema) -> Option<Duration> {
    let here = schema.get("x-at-least-ms").and_then(Value::as_u64).map(Duration::from_millis);
    here.or_else(|| options(schema).find_map(shortest))
}

/// Whether a schema is of the path of a file, and if so, whether the file must be there.
fn file(schema: &Schema) -> Option<bool> {
    match formatted(schema) {
        Some("file") => Some(true),
        Some("path") => Some(false),
        _ => None,
    }
}

fn bounds(schema: &Schema) -> (u64, u64) {
    let bound = |name, none| schema.get(name).and_then(Value::as_u64).unwrap_or(none);
    (bound("minimum", 0), bound("maximum", u64::MAX))
}

/// What a single value of a schema is, in words.
fn what(schema: &Schema) -> String {
    let known = words(schema);
    if let Some(format) = formatted(schema) {
        let what = written::what(format);
        return if known.is_empty() { what.to_owned() } else { format!("{}, or {what}", choices(known)) };
    }
    if !known.is_empty() {
        return choices(known);
    }
    if of_type(schema, "boolean").is_some() {
        return "`true` or `false`".to_owned();
    }
    match of_type(schema, "integer").map(bounds) {
        Some((min, max)) => format!("a whole number from {min} to {max}"),
        None => purpose(schema),
    }
}

/// The field names of a map, in words.
fn fields(schema: &Schema) -> String {
    let known = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
    format!("the fields {}", choices(known.map(String::as_str)).replace(" or ", " and "))
}

/// A value that fits the schema, to go on with where there is none.
fn placeholder(schema: &Schema) -> Value {
    if let Some(word) = words(schema).first() {
        return (*word).into();
    }
    if let Some(example) = formatted(schema).and_then(written::example) {
        return example;
    }
    if of_type(schema, "array").is_some() {
        return Vec::<Value>::new().into();
    }
    if let Some(object) = of_type(schema, "object") {
        let required = object.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let field =
            |name: &str| Some((name.to_owned(), placeholder(object.get("properties")?.get(name)?.as_object()?)));
        return required.filter_map(field).collect::<Map<_, _>>().into();
    }
    if of_type(schema, "boolean").is_some() {
        return false.into();
    }
    of_type(schema, "integer").map_or_else(|| "".into(), |integer| bounds(integer).0.into())
}

/// The path of a field of `path`.
fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// What stands there, in words.
fn say(node: &Node) -> &'static str {
    match node.value {
        text::Value::Null => "nothing",
        text::Value::Scalar(_) => "a single value",
        text::Value::List(_) => "a list",
        text::Value::Map(_) => "a map",
    }
}
