//! Lookup by name: full name or alias, and an error that helps where there is no such name.

use std::{collections::BTreeMap, fmt};

use crate::p4::config::v1::Preamble;

const P4INFO: &str = "the P4Info";

/// A name that the P4Info does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    /// What was looked for: `table`, `key field`, ...
    pub what: &'static str,
    /// Where: `the P4Info`, or the object that should have it.
    pub place: String,
    /// The name that is not there.
    pub name: String,
    /// Names that look like it, the most similar first.
    pub near: Vec<String>,
    /// Every valid name.
    pub choices: Vec<String>,
}

impl UnknownName {
    pub(crate) fn new<'a>(
        what: &'static str,
        place: String,
        name: &str,
        choices: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let choices: Vec<String> = choices.into_iter().map(str::to_owned).collect();
        let mut scored: Vec<_> = choices
            .iter()
            .map(|choice| (similarity(name, choice), choice))
            .filter(|(score, _)| *score >= 0.7)
            .collect();
        scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let near = scored.into_iter().take(3).map(|(_, choice)| choice.clone()).collect();
        Self { what, place, name: name.to_owned(), near, choices }
    }
}

/// People leave the qualification out, or qualify wrongly; so the last components count as much as the whole.
fn similarity(a: &str, b: &str) -> f64 {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_lowercase();
    strsim::jaro_winkler(a, b).max(strsim::jaro_winkler(&last(a), &last(b)))
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} `{}` in {}", self.what, self.name, self.place)?;
        if !self.near.is_empty() {
            write!(f, "; did you mean `{}`?", self.near.join("` or `"))?;
        }
        match self.choices.is_empty() {
            true => write!(f, " (there is none at all)"),
            false => write!(f, " (valid: {})", self.choices.join(", ")),
        }
    }
}

impl std::error::Error for UnknownName {}

/// The objects of one kind, in the P4Info's order, found by full name, alias or id.
#[derive(Debug, Clone)]
pub(crate) struct Names<T> {
    what: &'static str,
    objects: Vec<T>,
    by_name: BTreeMap<String, usize>,
    by_id: BTreeMap<u32, usize>,
    /// What errors offer: the alias, which is what people write.
    shown: Vec<String>,
}

/// The name for people: the alias, or without one the full name.
pub(crate) fn shown<'a>(name: &'a str, alias: &'a str) -> &'a str {
    if alias.is_empty() { name } else { alias }
}

/// Two objects of a kind with the same name or id, or an object without a preamble.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the P4Info is broken: {what} {problem}")]
pub struct BrokenNames {
    pub(crate) what: &'static str,
    pub(crate) problem: String,
}

impl<T> Names<T> {
    pub(crate) fn new<'a>(
        what: &'static str,
        objects: impl IntoIterator<Item = (Option<&'a Preamble>, T)>,
    ) -> Result<Self, BrokenNames> {
        let broken = |problem: String| BrokenNames { what, problem };
        let mut names =
            Self { what, objects: Vec::new(), by_name: BTreeMap::new(), by_id: BTreeMap::new(), shown: Vec::new() };
        for (preamble, object) in objects {
            let position = names.objects.len();
            let preamble = preamble.ok_or_else(|| broken(format!("number {position} has no preamble")))?;
            if names.by_id.insert(preamble.id, position).is_some() {
                return Err(broken(format!("id {:#010x} occurs twice", preamble.id)));
            }
            for name in [&preamble.name, &preamble.alias] {
                let taken = (!name.is_empty()).then(|| names.by_name.insert(name.clone(), position)).flatten();
                if taken.is_some_and(|other| other != position) {
                    return Err(broken(format!("name `{name}` occurs twice")));
                }
            }
            names.shown.push(shown(&preamble.name, &preamble.alias).to_owned());
            names.objects.push(object);
        }
        Ok(names)
    }

    pub(crate) fn get(&self, name: &str) -> Result<&T, UnknownName> {
        match self.by_name.get(name) {
            Some(&position) => Ok(&self.objects[position]),
            None => Err(UnknownName::new(self.what, P4INFO.to_owned(), name, self.shown.iter().map(String::as_str))),
        }
    }

    pub(crate) fn by_id(&self, id: u32) -> Option<&T> {
        self.by_id.get(&id).map(|&position| &self.objects[position])
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.objects.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preamble(id: u32, name: &str, alias: &str) -> Preamble {
        Preamble { id, name: name.into(), alias: alias.into(), ..Preamble::default() }
    }

    #[test]
    fn near_names_come_first_and_all_are_listed() {
        let error = UnknownName::new("table", P4INFO.into(), "soruce", ["destination", "source", "flood"]);
        assert_eq!(
            error.to_string(),
            "no table `soruce` in the P4Info; did you mean `source`? (valid: destination, source, flood)"
        );
        let qualified = UnknownName::new("table", P4INFO.into(), "MyIngress.source", ["Ingress.other", "source"]);
        assert_eq!(qualified.near[0], "source");
        assert_eq!(
            UnknownName::new("meter", P4INFO.into(), "x", []).to_string(),
            "no meter `x` in the P4Info (there is none at all)"
        );
    }

    #[test]
    fn doubles_are_refused() {
        let one = preamble(1, "a.x", "x");
        let same_id = preamble(1, "b.y", "y");
        let same_name = preamble(2, "x", "");
        let build =
            |other| Names::new("table", [(Some(&one), 'a'), (other, 'b')]).map(|_| ()).map_err(|e| e.to_string());
        assert_eq!(build(Some(&same_id)), Err("the P4Info is broken: table id 0x00000001 occurs twice".into()));
        assert_eq!(build(Some(&same_name)), Err("the P4Info is broken: table name `x` occurs twice".into()));
        assert_eq!(build(None), Err("the P4Info is broken: table number 1 has no preamble".into()));
    }
}
