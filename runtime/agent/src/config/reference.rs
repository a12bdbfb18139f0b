//! `configs/reference.yaml`: every field with its default and what it is for, out of the types.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::problem::Problems;
use super::text::{self, Node, Value};
use super::{load, schema};

/// What has no default, or is more telling with a value.
const EXAMPLE: &str = include_str!("example.yaml");

/// The longest line.
const WIDTH: usize = 120;

/// A configuration that says everything that can be said: optional fields have their defaults, as far as there are any.
pub fn reference() -> String {
    let (document, _) = load::read(&mut Problems::new("example.yaml"), "example.yaml", EXAMPLE).expect("it is YAML");
    let options = serde_yaml::ser_options! { indent_step: 2, compact_list_indent: false };
    let mut text = String::new();
    // Writing to a string cannot fail, and the example is right: a test compares what comes out.
    let _ = serde_yaml::to_fmt_writer_with_options(&mut text, &document, options);
    let mut notes = Vec::new();
    if let Ok(root) = text::parse(&text) {
        explain(&root, "", &mut notes);
    }
    let mut explained = format!("# yaml-language-server: $schema=vouch.schema.json\n#\n{HEAD}");
    let mut said = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        for (_, path, column) in notes.iter().filter(|(at, ..)| *at == index + 1) {
            if *column == 1 {
                said.clear();
                explained.push('\n');
            }
            let comment = comment(path, *column);
            if said.insert(comment.trim().to_owned()) {
                explained.push_str(&comment);
            }
        }
        let _ = writeln!(explained, "{line}");
    }
    explained
}

const HEAD: &str = "\
# Every field there is, with its default, or an example where it has none or says that it is left out.
# It is generated from the types of the configuration: `UPDATE_CONFIGS=1 cargo test -p vouch-agent --test config`.
# Check a file with `vouch check FILE...`; it lists all problems at once. `vouch schema` prints the schema, by which an editor helps.
#
# Times are written with a unit: us, ms, s, min, h. Paths are relative to this file.
";

/// Where which field stands: line, path and column. Of a list, the first item has all that needs to be explained.
fn explain(node: &Node, path: &str, notes: &mut Vec<(usize, String, usize)>) {
    match &node.value {
        Value::Map(entries) => {
            for (key, node) in entries {
                let inner = if path.is_empty() { key.name.clone() } else { format!("{path}.{}", key.name) };
                notes.push((key.at.line, inner.clone(), key.at.column));
                explain(node, &inner, notes);
            }
        }
        Value::List(items) => {
            if let Some(first) = items.first() {
                explain(first, &format!("{path}[0]"), notes);
            }
        }
        Value::Null | Value::Scalar(_) => {}
    }
}

/// What the field is for, and the words that it may have.
fn comment(path: &str, column: usize) -> String {
    let Some(schema) = schema::at(path) else { return String::new() };
    let described = schema.get("description").and_then(serde_json::Value::as_str).unwrap_or_default();
    let indent = format!("{}# ", " ".repeat(column - 1));
    let mut text = paragraph(&indent, described);
    for option in schema::options(schema) {
        let of = |name| option.get(name).and_then(serde_json::Value::as_str);
        if let (Some(word), Some(meaning)) = (of("const"), of("description")) {
            text += &paragraph(&format!("{indent}  "), &format!("{word}: {meaning}"));
        }
    }
    text
}

/// Words in lines of at most [`WIDTH`] that begin alike.
fn paragraph(begin: &str, words: &str) -> String {
    let mut text = String::new();
    let mut length = WIDTH;
    for word in words.split_whitespace() {
        let word_length = word.chars().count() + 1;
        if length + word_length > WIDTH {
            let end = if text.is_empty() { "" } else { "\n" };
            text += &format!("{end}{begin}{word}");
            length = begin.len() + word_length;
        } else {
            text += &format!(" {word}");
            length += word_length;
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}
