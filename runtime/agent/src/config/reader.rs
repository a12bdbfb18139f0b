//! Reads typed values out of a tree and notes every problem on the way.
//!
//! A reader never stops: whatever cannot be read is noted and is `None`, and the rest is still looked at. Whoever reads may put
//! any placeholder for a `None`, because a file with a noted problem never becomes a configuration.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use super::ports::PortRules;
use super::problem::{Mark, Problem, choices, near};
use super::tree::{Key, Node, Value};
use super::types::Port;

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: Mark,
    pub(super) path: String,
}

/// Collects what is wrong.
pub(super) struct Reader {
    pub(super) file: String,
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// What a port of the switch is.
    pub(super) ports: PortRules,
}

/// A map whose field names have been checked.
#[derive(Clone, Copy)]
pub(super) struct Fields<'n> {
    at: Mark,
    entries: &'n [(Key, Node)],
}

/// A value that may be read, and its path.
#[derive(Clone)]
pub(super) struct Field<'n> {
    pub(super) node: &'n Node,
    pub(super) path: String,
}

impl Field<'_> {
    /// The same place for another value.
    pub(super) fn at<T>(&self, value: T) -> At<T> {
        At { value, at: self.node.at, path: self.path.clone() }
    }
}

impl Reader {
    pub(super) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            errors: Vec::new(),
            warnings: Vec::new(),
            ports: PortRules::bmv2(Port::MAX.get()),
        }
    }

    pub(super) fn error(&mut self, at: Mark, path: &str, what: impl Into<String>, help: impl Into<String>) {
        self.errors.push(self.problem(at, path, what, help));
    }

    pub(super) fn warn(&mut self, at: Mark, path: &str, what: impl Into<String>, help: impl Into<String>) {
        self.warnings.push(self.problem(at, path, what, help));
    }

    fn problem(&self, at: Mark, path: &str, what: impl Into<String>, help: impl Into<String>) -> Problem {
        Problem { file: self.file.clone(), at, path: path.to_owned(), what: what.into(), help: help.into() }
    }

    /// The value as a map with no other fields than `known`, none of them twice.
    pub(super) fn map<'n>(&mut self, field: &Field<'n>, known: &[&str]) -> Option<Fields<'n>> {
        let fields = || format!("it has the fields {}", choices(known.iter().copied()).replace(" or ", " and "));
        let entries = match &field.node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            Value::Scalar(_) | Value::List(_) => {
                self.error(field.node.at, &field.path, format!("{} is not a map", say(field.node)), fields());
                return None;
            }
        };
        for (index, (key, _)) in entries.iter().enumerate() {
            let path = join(&field.path, &key.name);
            if let Some((first, _)) = entries[..index].iter().find(|(earlier, _)| earlier.name == key.name) {
                let what = format!("the field stands twice, first in line {}", first.at.line);
                self.error(key.at, &path, what, "leave one of them out");
            } else if !known.contains(&key.name.as_str()) {
                let help = match near(&key.name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if field.path.is_empty() => {
                        format!("the file {}", fields().replacen("it has", "has", 1))
                    }
                    None => fields().replacen("it", &format!("`{}`", field.path), 1),
                };
                self.error(key.at, &path, "unknown field", help);
            }
        }
        Some(Fields { at: field.node.at, entries })
    }

    /// The field, which must be there.
    pub(super) fn required<'n>(
        &mut self,
        of: &Field<'n>,
        fields: Fields<'n>,
        name: &str,
        what: &str,
    ) -> Option<Field<'n>> {
        let field = optional(of, fields, name);
        if field.is_none() {
            self.error(fields.at, &join(&of.path, name), "the field is missing", format!("it is {what}"));
        }
        field
    }

    /// The entries of a map whose keys are up to the operator; nothing at all is an empty map.
    pub(super) fn pairs<'n>(&mut self, field: &Field<'n>, what: &str) -> Vec<(&'n Key, Field<'n>)> {
        match &field.node.value {
            Value::Map(entries) => {
                entries.iter().map(|(key, node)| (key, Field { node, path: join(&field.path, &key.name) })).collect()
            }
            Value::Null => Vec::new(),
            Value::Scalar(_) | Value::List(_) => {
                let problem = format!("{} is not a map", say(field.node));
                self.error(field.node.at, &field.path, problem, format!("it is a map of {what}"));
                Vec::new()
            }
        }
    }

    /// The items of a list; nothing at all is an empty list.
    pub(super) fn list<'n>(&mut self, field: &Field<'n>, what: &str) -> Vec<Field<'n>> {
        match &field.node.value {
            Value::List(nodes) => nodes
                .iter()
                .enumerate()
                .map(|(index, node)| Field { node, path: format!("{}[{index}]", field.path) })
                .collect(),
            Value::Null => Vec::new(),
            Value::Scalar(_) | Value::Map(_) => {
                self.error(
                    field.node.at,
                    &field.path,
                    format!("{} is not a list", say(field.node)),
                    format!("it is a list of {what}: `- ` before each"),
                );
                Vec::new()
            }
        }
    }

    /// A single value as text.
    pub(super) fn text<'n>(&mut self, field: &Field<'n>, what: &str) -> Option<&'n str> {
        match &field.node.value {
            Value::Scalar(text) => Some(text),
            Value::Null | Value::List(_) | Value::Map(_) => {
                self.error(
                    field.node.at,
                    &field.path,
                    format!("{} is no single value", say(field.node)),
                    format!("it is {what}"),
                );
                None
            }
        }
    }

    /// A single value that its type can read.
    pub(super) fn parsed<T: FromStr>(&mut self, field: &Field<'_>, what: &str) -> Option<T> {
        let text = self.text(field, what)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.bad(field, text, what);
        }
        value
    }

    /// Notes that the text is not what it should be.
    pub(super) fn bad(&mut self, field: &Field<'_>, text: &str, what: &str) {
        let shown: String = text.chars().take(40).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        self.error(
            field.node.at,
            &field.path,
            format!("`{}{more}` is wrong", shown.escape_debug()),
            format!("it is {what}"),
        );
    }

    /// A whole number within bounds.
    pub(super) fn number<T>(&mut self, field: &Field<'_>, min: T, max: T) -> Option<T>
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let what = format!("a whole number from {min} to {max}");
        let text = self.text(field, &what)?;
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && (min..=max).contains(number));
        if number.is_none() {
            self.bad(field, text, &what);
        }
        number
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, field: &Field<'_>, known: &[(&str, T)]) -> Option<T> {
        let words = || known.iter().map(|(word, _)| *word);
        let what = choices(words());
        let text = self.text(field, &what)?;
        let value = known.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if value.is_none() {
            match near(text, words()) {
                Some(near) if known.len() > 1 => {
                    self.bad(field, text, &format!("{what} (did you mean `{near}`?)"));
                }
                _ => self.bad(field, text, &what),
            }
        }
        value
    }

    /// A span of time from `min` to a day: a number and its unit.
    pub(super) fn duration(&mut self, field: &Field<'_>, min: Duration) -> Option<Duration> {
        self.span(field, min, SPAN)
    }

    /// The same, where a word may stand in its place. The caller has looked for that.
    pub(super) fn duration_or(&mut self, field: &Field<'_>, min: Duration, word: &str) -> Option<Duration> {
        self.span(field, min, &format!("`{word}`, or {SPAN}"))
    }

    fn span(&mut self, field: &Field<'_>, min: Duration, what: &str) -> Option<Duration> {
        let text = self.text(field, what)?;
        let duration = time(text);
        match duration {
            None => self.bad(field, text, what),
            Some(duration) if duration < min => self.bad(field, text, &format!("at least {min:?}")),
            Some(_) => {}
        }
        duration.filter(|duration| *duration >= min)
    }
}

/// A span of time as it is written: a number and its unit, at most a day.
pub fn time(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let micros = match unit.trim_start() {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "min" => 60_000_000,
        "h" => 3_600_000_000,
        _ => return None,
    };
    let duration = Duration::from_micros(number.parse::<u64>().ok()?.checked_mul(micros)?);
    (duration <= Duration::from_secs(86_400)).then_some(duration)
}

const SPAN: &str = "a number with the unit `us`, `ms`, `s`, `min` or `h`, as `300ms`, at most a day";

/// The field, if it is there.
pub(super) fn optional<'n>(of: &Field<'n>, fields: Fields<'n>, name: &str) -> Option<Field<'n>> {
    fields.entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| Field { node, path: join(&of.path, name) })
}

/// The path of a field of `path`.
fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// What stands there, in words.
fn say(node: &Node) -> &'static str {
    match node.value {
        Value::Null => "nothing",
        Value::Scalar(_) => "a single value",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    }
}
