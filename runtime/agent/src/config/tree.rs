//! YAML text to a tree of nodes that know where they stand.
//!
//! Aliases are refused rather than expanded, so that the tree is never larger than the text; depth and size are bounded.

use std::borrow::Cow;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

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

impl Node {
    /// The text, where it is a single value.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }
}

/// What YAML can say, without tags and anchors.
#[derive(Debug)]
pub(super) enum Value {
    /// Nothing was written, or `null`.
    Null,
    /// Text, quoted or not; what it means is up to the field.
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
        return Err(error(Mark::START, format!("the file has {} bytes", text.len()), "at most 4 MiB are read"));
    }
    let mut builder = Builder { open: Vec::new(), root: None };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|scan| {
            error(
                within(mark(scan.marker()), text),
                format!("this is not YAML: {}", scan.info()),
                "look at indentation and quotes",
            )
        })?;
        builder.event(event, mark(&span.start))?;
    }
    Ok(builder.root.unwrap_or(Node { at: Mark::START, value: Value::Null }))
}

fn mark(marker: &Marker) -> Mark {
    Mark { line: marker.line().max(1), column: marker.col() + 1 }
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

fn error(at: Mark, what: impl Into<String>, help: &'static str) -> SyntaxError {
    SyntaxError { at, what: what.into(), help }
}

/// Puts events together; nothing recurses, however deep the text nests.
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
}

/// A list or map whose end has not come yet.
struct Open {
    at: Mark,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    /// The entries so far, and the key that waits for its value.
    Map(Vec<(Key, Node)>, Option<Key>),
}

impl Builder {
    fn event(&mut self, event: Event<'_>, at: Mark) -> Result<(), SyntaxError> {
        const ANCHORS: &str = "anchors and aliases are not supported: write the value out where it is needed";
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(error(at, "a second document begins here", "one file describes one switch: use one file each"))
            }
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(_) => Err(error(at, "this is an alias", ANCHORS)),
            Event::Scalar(_, _, 1.., _) | Event::SequenceStart(1.., _) | Event::MappingStart(1.., _) => {
                Err(error(at, "this value has an anchor", ANCHORS))
            }
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                Err(error(at, "this value has a tag", "tags (`!`, `!!`) are not supported: write the value without it"))
            }
            Event::Scalar(text, style, _, None) => self.scalar(text, style, at),
            Event::SequenceStart(_, None) => self.begin(at, Content::List(Vec::new())),
            Event::MappingStart(_, None) => self.begin(at, Content::Map(Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { at, content: Content::List(nodes) }) => self.add(Node { at, value: Value::List(nodes) }),
                Some(Open { at, content: Content::Map(entries, _) }) => {
                    self.add(Node { at, value: Value::Map(entries) })
                }
                None => Ok(()),
            },
        }
    }

    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, at: Mark) -> Result<(), SyntaxError> {
        let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null");
        let value = if null { Value::Null } else { Value::Scalar(text.into_owned()) };
        self.add(Node { at, value })
    }

    fn begin(&mut self, at: Mark, content: Content) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(error(at, "lists and maps are nested too deep", "a configuration nests 5 deep, 32 are read"));
        }
        self.open.push(Open { at, content });
        Ok(())
    }

    /// Puts a finished node where it belongs: as the key or value of a map, in a list, or at the top.
    fn add(&mut self, node: Node) -> Result<(), SyntaxError> {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(nodes)) => nodes.push(node),
            Some(Content::Map(entries, pending @ Some(_))) => entries.extend(pending.take().map(|key| (key, node))),
            Some(Content::Map(_, pending @ None)) => match node.value {
                Value::Scalar(name) => *pending = Some(Key { at: node.at, name }),
                Value::Null | Value::List(_) | Value::Map(_) => {
                    return Err(error(node.at, "this key is not a word", "the keys of a map are field names"));
                }
            },
        }
        Ok(())
    }
}
