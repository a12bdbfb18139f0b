//! YAML text to nodes that know where they stand.
//!
//! Scalars stay the text that was written: what it means is up to the field. Anchors and aliases are refused rather than
//! expanded, so that the nodes are never more than the text; depth and size are bounded.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::budget::BudgetBreach;
use serde_yaml::{DuplicateKeyPolicy, Error, Location, MergeKeyPolicy, Options, Spanned};

use super::problem::Mark;

/// The largest file that is read, in bytes. The demo's files have 3 kB.
pub(super) const MAX_BYTES: usize = 4 << 20;
/// How deep lists and maps may nest. The configuration needs 5.
const MAX_DEPTH: usize = 32;

/// A value and where it begins.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Mark,
    pub(super) value: Value,
}

/// What YAML can say, without tags and anchors.
#[derive(Debug)]
pub(super) enum Value {
    /// Nothing was written, or `null`.
    Null,
    /// Text, quoted or not.
    Scalar(String),
    List(Vec<Node>),
    /// In the order of the file; a key may stand twice.
    Map(Vec<(Key, Node)>),
}

/// A key and where it begins.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) at: Mark,
    pub(super) name: String,
}

impl Node {
    /// The text, where it is a single value.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The entries, where it is a map; of nothing there are none.
    pub(super) fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Null | Value::Scalar(_) | Value::List(_) => &[],
        }
    }

    /// The nodes from here along a path, as `vnis[0].access[1].port`, as far as there are any; whether it is all of them.
    pub(super) fn along(&self, path: &str) -> (&Node, bool) {
        let mut node = self;
        for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
            let next = match &node.value {
                Value::Map(entries) => entries.iter().find(|(key, _)| key.name == step).map(|(_, node)| node),
                Value::List(nodes) => {
                    step.strip_suffix(']').and_then(|index| index.parse::<usize>().ok()).and_then(|it| nodes.get(it))
                }
                Value::Null | Value::Scalar(_) => None,
            };
            match next {
                Some(next) => node = next,
                None => return (node, false),
            }
        }
        (node, true)
    }

    /// The node at the path.
    pub(super) fn find(&self, path: &str) -> Option<&Node> {
        let (node, whole) = self.along(path);
        whole.then_some(node)
    }
}

/// The text is no YAML, or none that a configuration needs.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) at: Mark,
    pub(super) what: String,
    pub(super) help: &'static str,
}

/// The one document in `text`.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    if text.len() > MAX_BYTES {
        let what = format!("the file has {} bytes", text.len());
        return Err(SyntaxError { at: Mark::START, what, help: "at most 4 MiB are read" });
    }
    let mut options = yaml_options(MAX_DEPTH);
    // Both are noted where they stand.
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.merge_keys = MergeKeyPolicy::AsOrdinary;
    let read = serde_yaml::from_str_with_options::<Option<Spanned<Shape>>>(text, options);
    match read {
        Ok(Some(shape)) => node(shape, text),
        Ok(None) => Ok(Node { at: Mark::START, value: Value::Null }),
        Err(error) => Err(syntax(&error, text)),
    }
}

/// How YAML is read that others have written: one document, no deeper than this, and never more than its text.
pub fn yaml_options(max_depth: usize) -> Options {
    let mut options = serde_yaml::options! {
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    options.budget = serde_yaml::budget! {
        max_depth: max_depth,
        flow_nesting_limit: 2 * max_depth,
        max_anchors: 0,
        max_aliases: 0,
        max_documents: 1,
    };
    options
}

/// A node as the parser has it. What is neither text nor nothing is looked up in the file, as it was written.
enum Shape {
    Null,
    Text(String),
    Literal,
    List(Vec<Spanned<Shape>>),
    Map(Vec<(Spanned<Shape>, Spanned<Shape>)>),
}

fn node(shape: Spanned<Shape>, text: &str) -> Result<Node, SyntaxError> {
    let at = Mark::from(shape.referenced);
    let value = match shape.value {
        Shape::Null => Value::Null,
        Shape::Text(text) => Value::Scalar(text),
        Shape::Literal => Value::Scalar(written(shape.referenced, text)),
        Shape::List(items) => Value::List(items.into_iter().map(|item| node(item, text)).collect::<Result<_, _>>()?),
        Shape::Map(entries) => {
            let entry = |(key, value)| Ok((self::key(node(key, text)?)?, node(value, text)?));
            Value::Map(entries.into_iter().map(entry).collect::<Result<_, _>>()?)
        }
    };
    Ok(Node { at, value })
}

fn key(Node { at, value }: Node) -> Result<Key, SyntaxError> {
    match value {
        Value::Scalar(name) => Ok(Key { at, name }),
        Value::Null | Value::List(_) | Value::Map(_) => {
            Err(SyntaxError { at, what: "this key is not a word".into(), help: "the keys of a map are field names" })
        }
    }
}

/// A scalar as it stands in the text.
fn written(location: Location, text: &str) -> String {
    let span = location.span();
    let range = span.byte_offset().zip(span.byte_len()).and_then(|(from, length)| {
        let from = usize::try_from(from).ok()?;
        Some(from..from.checked_add(usize::try_from(length).ok()?)?)
    });
    range.and_then(|range| text.get(range)).unwrap_or_default().trim().to_owned()
}

fn syntax(error: &Error, text: &str) -> SyntaxError {
    let error = error.without_snippet();
    let at = error.location().map_or(Mark::START, |location| within(location.into(), text));
    let (what, help) = match error {
        Error::MultipleDocuments { .. } | Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            ("a second document begins here".to_owned(), "one file describes one switch: use one file each")
        }
        Error::Budget { breach: BudgetBreach::Anchors { .. }, .. } => (
            "this value has an anchor".to_owned(),
            "anchors and aliases are not supported: write the value out where it is needed",
        ),
        Error::Budget { breach: BudgetBreach::Aliases { .. }, .. } => (
            "this is an alias".to_owned(),
            "anchors and aliases are not supported: write the value out where it is needed",
        ),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            ("lists and maps are nested too deep".to_owned(), "a configuration nests 5 deep, 32 are read")
        }
        Error::UnsupportedTag { .. } => {
            ("this value has a tag".to_owned(), "tags of one's own (`!`) are not supported: write the value without it")
        }
        error if error.to_string().contains("recursion limit") => {
            ("lists and maps are nested too deep".to_owned(), "a configuration nests 5 deep, 32 are read")
        }
        _ => {
            let said = error.to_string();
            let first = said.lines().next().unwrap_or_default();
            let first = first.rsplit_once(" at line ").map_or(first, |(what, _)| what);
            (format!("this is not YAML: {first}"), "look at indentation and quotes")
        }
    };
    SyntaxError { at, what, help }
}

/// The parser may look one line past the end of the text; an editor cannot.
fn within(at: Mark, text: &str) -> Mark {
    // YAML breaks lines at a line feed, a carriage return, or both.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let last = Mark {
        line: text.matches('\n').count() + 1,
        column: text.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1,
    };
    at.min(last)
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Shape, E> {
                Ok(Shape::Null)
            }

            fn visit_str<E>(self, text: &str) -> Result<Shape, E> {
                Ok(Shape::Text(text.to_owned()))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
                Ok(Shape::Literal)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
                Ok(Shape::Literal)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
                Ok(Shape::Literal)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
                Ok(Shape::Literal)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Shape, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Shape::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Shape, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = access.next_entry()? {
                    entries.push(entry);
                }
                Ok(Shape::Map(entries))
            }
        }

        deserializer.deserialize_any(Any)
    }
}
