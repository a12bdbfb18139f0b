//! What differs between two configurations, field by field, defaults among them.

use serde_json::{Map, Value};

use super::load::Checked;

/// By what the items of a list are known.
const NAMES: [&str; 4] = ["name", "vni", "prefix", "port"];

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// As `vnis[5001].during_verification`: of lists, an item by what it is known by.
    pub field: String,
    /// As it would be written. `None`: it was not there.
    pub before: Option<String>,
    /// `None`: it is not there any more.
    pub after: Option<String>,
}

impl Checked {
    /// What `after` says otherwise.
    pub fn differences(&self, after: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        compare("", Some(&self.said), Some(&after.said), &mut differences);
        differences
    }
}

fn compare(field: &str, before: Option<&Value>, after: Option<&Value>, differences: &mut Vec<Difference>) {
    let before = before.filter(|value| !value.is_null());
    let after = after.filter(|value| !value.is_null());
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            for name in names(before, after) {
                let field = if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
                compare(&field, before.get(name), after.get(name), differences);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => lists(field, before, after, differences),
        (before, after) => {
            let (before, after) = (before.map(text), after.map(text));
            differences.push(Difference { field: field.to_owned(), before, after });
        }
    }
}

/// Those of the first, and then those that only the second has.
fn names<'a>(before: &'a Map<String, Value>, after: &'a Map<String, Value>) -> Vec<&'a str> {
    let new = after.keys().filter(|name| !before.contains_key(*name));
    before.keys().chain(new).map(String::as_str).collect()
}

fn lists(field: &str, before: &[Value], after: &[Value], differences: &mut Vec<Difference>) {
    let Some(name) = NAMES.into_iter().find(|name| before.iter().chain(after).all(|item| item.get(name).is_some()))
    else {
        // Of values there is only whether they are among it.
        for gone in before.iter().filter(|item| !after.contains(item)) {
            differences.push(Difference { field: field.to_owned(), before: Some(text(gone)), after: None });
        }
        for new in after.iter().filter(|item| !before.contains(item)) {
            differences.push(Difference { field: field.to_owned(), before: None, after: Some(text(new)) });
        }
        return;
    };
    let of = |list: &[Value], item: &Value| list.iter().find(|other| other.get(name) == item.get(name)).cloned();
    let new = after.iter().filter(|item| of(before, item).is_none());
    for item in before.iter().chain(new) {
        let field = format!("{field}[{}]", item.get(name).map_or_else(String::new, text));
        compare(&field, of(before, item).as_ref(), of(after, item).as_ref(), differences);
    }
}

/// On one line, as YAML has it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let said = fields.iter().filter(|(_, value)| !value.is_null());
            let said: Vec<String> = said.map(|(name, value)| format!("{name}: {}", text(value))).collect();
            format!("{{{}}}", said.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    const VTEP: &str = include_str!("../../../../configs/demo/vtep1.yaml");

    fn differences(change: impl Fn(&str) -> String) -> Vec<String> {
        let read = |text: &str| Config::parse("vtep1.yaml", text).expect("it is right");
        let changed = change(VTEP);
        assert_ne!(changed, VTEP, "the file has what is to be changed");
        let words = |it: Difference| {
            let or_none = |said: Option<String>| said.unwrap_or_else(|| "-".to_owned());
            format!("{}: {} > {}", it.field, or_none(it.before), or_none(it.after))
        };
        read(VTEP).differences(&read(&changed)).into_iter().map(words).collect()
    }

    #[test]
    fn what_differs_is_told_by_field_and_what_is_only_written_otherwise_is_not() {
        assert_eq!(differences(|text| format!("# The same.\n{text}")), [""; 0]);
        assert_eq!(
            differences(|text| format!("{text}\ntimers: {{verdict: 400ms}}\n")),
            ["timers.verdict: 300ms > 400ms"],
            "the default was meant"
        );
        let vni = differences(|text| text.replacen("vni: 5001\n", "vni: 5001\n    during_verification: hold\n", 1));
        assert_eq!(vni, ["vnis[5001].during_verification: escalate > hold"]);
    }

    #[test]
    fn items_of_lists_come_and_go() {
        let all = differences(|text| text.replace("vtep3", "vtep4"));
        let [gone, new] = all.as_slice() else { panic!("{all:?}") };
        assert!(gone.starts_with("peers[vtep3]: {address: 10.0.0.3, ") && gone.ends_with(" > -"), "{gone}");
        assert!(new.starts_with("peers[vtep4]: - > {address: 10.0.0.3, "), "{new}");
    }
}
