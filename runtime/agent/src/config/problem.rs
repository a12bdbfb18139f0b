//! What is wrong with a configuration, and where.

use std::collections::BTreeSet;
use std::fmt;

use serde_yaml::Location;

/// A place in a file: line and column count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Mark {
    /// Where a file begins.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl From<Location> for Mark {
    /// What the parser has no place of is at the beginning.
    fn from(location: Location) -> Self {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        Self { line: number(location.line()), column: number(location.column()) }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong, or worth a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The place in it.
    pub at: Mark,
    /// The field, as `vnis[0].access[1].port`; empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub help: String,
}

impl fmt::Display for Problem {
    /// `FILE:LINE:COLUMN: FIELD: what is wrong; what would be right`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.at)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.what)?;
        if !self.help.is_empty() {
            write!(f, "; {}", self.help)?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a configuration, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// What has to be changed; never empty.
    pub errors: Vec<Problem>,
    /// What should be looked at besides.
    pub warnings: Vec<Problem>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

/// What has been found in one file so far.
#[derive(Debug)]
pub(super) struct Problems {
    file: String,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    /// The fields that have errors.
    wrong: BTreeSet<String>,
}

impl Problems {
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), errors: Vec::new(), warnings: Vec::new(), wrong: BTreeSet::new() }
    }

    pub(super) fn error(&mut self, at: Mark, path: &str, what: impl Into<String>, help: impl Into<String>) {
        self.wrong.insert(path.to_owned());
        self.errors.push(self.problem(at, path, what.into(), help.into()));
    }

    pub(super) fn warn(&mut self, at: Mark, path: &str, what: impl Into<String>, help: impl Into<String>) {
        self.warnings.push(self.problem(at, path, what.into(), help.into()));
    }

    fn problem(&self, at: Mark, path: &str, what: String, help: String) -> Problem {
        Problem { file: self.file.clone(), at, path: path.to_owned(), what, help }
    }

    /// Whether nothing is wrong with the field, nor with what it is in.
    pub(super) fn good(&self, path: &str) -> bool {
        let outer = path.match_indices(['.', '[']).map(|(end, _)| &path[..end]);
        !outer.chain([path]).any(|path| self.wrong.contains(path))
    }

    /// The value with what is to be looked at besides, or all that is wrong, in the order of the file.
    pub(super) fn finish<T>(mut self, value: Option<T>) -> Result<(T, Vec<Problem>), ConfigErrors> {
        self.errors.sort_by_key(|problem| problem.at);
        self.warnings.sort_by_key(|problem| problem.at);
        match value {
            Some(value) if self.errors.is_empty() => Ok((value, self.warnings)),
            Some(_) | None => Err(ConfigErrors { errors: self.errors, warnings: self.warnings }),
        }
    }
}

/// The known word that `word` was probably meant to be.
pub(super) fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |candidate: &str| {
        // A plural, or a longer form of the word, is near however many letters it lacks.
        let prefix = word.len() >= 3 && (candidate.starts_with(word) || word.starts_with(candidate));
        strsim::jaro_winkler(&word.to_lowercase(), candidate).max(if prefix { 0.9 } else { 0.0 })
    };
    let (likeness, candidate) =
        known.into_iter().map(|candidate| (likeness(candidate), candidate)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness >= 0.8).then_some(candidate)
}

/// `a`, `b` or `c`, as a person would list them.
pub(super) fn choices<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}
