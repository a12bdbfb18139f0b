//! From BMv2 JSON to [`Code`](crate::code::Code).
//!
//! Loading goes through the document in the order in which things refer to each other: headers, arrays, calculations,
//! actions, parser, pipelines, deparser. Whatever the document says is checked here, once: names lead somewhere, numbers
//! are in range, sizes are bounded, and every construct is one that the executor implements. What passes cannot make the
//! executor index outside an array.

mod actions;
mod arrays;
mod expr;
mod headers;
mod json;
mod parser;
mod pipeline;

use std::collections::HashMap;

use crate::code::Code;
use crate::error::{LoadError, LoadErrorKind};
use crate::program::Program;
use json::{At, Load};

/// Largest document.
const MAX_BYTES: usize = 256 << 20;

/// What loading has learnt so far: names and ids of the document, and the program in the making.
#[derive(Default)]
struct Loader {
    program: Program,
    header_types: HashMap<String, headers::HeaderType>,
    headers: HashMap<String, u32>,
    header_ids: HashMap<u32, u32>,
    /// Type names, by header.
    header_type_of: Vec<String>,
    stacks: HashMap<String, u32>,
    union_types: HashMap<String, Vec<(String, String)>>,
    unions: HashMap<String, u32>,
    union_ids: HashMap<u32, u32>,
    union_stacks: HashMap<String, u32>,
    /// Type names, by name of a union or union stack.
    union_type_of: HashMap<String, String>,
    /// Fields by the names that targets use for them.
    aliases: HashMap<String, (String, String)>,
    calculations: HashMap<String, u32>,
    counters: HashMap<String, u32>,
    meters: HashMap<String, u32>,
    direct_meters: HashMap<String, (crate::types::MeterUnit, crate::code::Field)>,
    registers: HashMap<String, u32>,
    /// Whether packets read any of them, and whether they write any.
    registers_read: bool,
    registers_written: bool,
    value_sets: HashMap<String, u32>,
    action_ids: HashMap<u32, u32>,
    profiles: HashMap<String, u32>,
}

/// Compiles a document.
pub(crate) fn load(json: &[u8]) -> Result<Program, LoadError> {
    let whole = |kind| LoadError { place: String::new(), kind };
    if json.len() > MAX_BYTES {
        let (got, max) = (json.len() as u64, MAX_BYTES as u64);
        return Err(whole(LoadErrorKind::Limit { what: "bytes of JSON", got, max }));
    }
    let value = serde_json::from_slice(json).map_err(|error| whole(LoadErrorKind::Syntax(error.to_string())))?;
    let root = At::root(&value);
    let mut loader = Loader::default();
    loader.version(&root)?;
    loader.headers(&root)?;
    loader.arrays(&root)?;
    loader.actions(&root)?;
    loader.parsers(&root)?;
    loader.pipelines(&root)?;
    loader.deparsers(&root)?;
    if let Some(instance) = root.list("extern_instances")?.first() {
        return instance.unsupported("extern instance of type", instance.get("type")?.str()?, &[]);
    }
    loader.program.code.in_turn = loader.registers_read && loader.registers_written;
    Ok(loader.program)
}

impl Loader {
    fn code(&mut self) -> &mut Code {
        &mut self.program.code
    }

    fn version(&self, root: &At<'_>) -> Load<()> {
        let Some(version) = root.opt("__meta__")?.map(|meta| meta.opt("version")).transpose()?.flatten() else {
            return Ok(());
        };
        let [major, minor] = version.tuple()?;
        if major.i64()? != 2 {
            return version.unsupported("JSON format version", &format!("{}.{}", major.i64()?, minor.i64()?), &["2.x"]);
        }
        Ok(())
    }
}

/// Looks a name up.
fn lookup<T: Copy>(map: &HashMap<String, T>, what: &str, name: &At<'_>) -> Load<T> {
    let text = name.str()?;
    match map.get(text) {
        Some(found) => Ok(*found),
        None => name.invalid(format!("no {what} is named `{text}`")),
    }
}

/// Adds a name that must be new.
fn define<K: std::hash::Hash + Eq + std::fmt::Display, T>(
    map: &mut HashMap<K, T>,
    what: &str,
    at: &At<'_>,
    key: K,
    value: T,
) -> Load<()> {
    if map.contains_key(&key) {
        return at.invalid(format!("a second {what} with `{key}`"));
    }
    map.insert(key, value);
    Ok(())
}
