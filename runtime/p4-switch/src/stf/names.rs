//! Which object of a program a name in a test means.
//!
//! Tests name objects as their generator saw them: `source`, `ingress.source`, `pipe.Ingress.source`. The program at hand may
//! have it under a longer or a shorter name, so names are compared from their last part backwards, and the longest agreement
//! wins. Two objects that agree equally well are an error, never a guess.

/// Why a name means nothing, or too much.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NameError {
    #[error("no {what} `{name}`{}", listed(" (valid: ", .choices, ")"))]
    Unknown { what: &'static str, name: String, choices: Vec<String> },
    #[error("{what} `{name}` can be any of {}", .choices.join(", "))]
    Ambiguous { what: &'static str, name: String, choices: Vec<String> },
}

fn listed(before: &str, choices: &[String], after: &str) -> String {
    if choices.is_empty() { " (there is none at all)".into() } else { format!("{before}{}{after}", choices.join(", ")) }
}

/// The position of the choice that a name means.
pub(super) fn find<'a>(
    what: &'static str,
    name: &str,
    choices: impl IntoIterator<Item = &'a str>,
) -> Result<usize, NameError> {
    let choices: Vec<&str> = choices.into_iter().collect();
    let listed = |positions: &[usize]| positions.iter().map(|&position| choices[position].to_owned()).collect();
    // An equal name needs no interpretation; after that spellings are made alike, and p4c's runner takes any ending.
    let equal = |choice: &str| choice == name;
    let wanted = spelling(name);
    let alike = |choice: &str| spelling(choice) == wanted;
    if let Some(position) = choices.iter().position(|choice| equal(choice)) {
        return Ok(position);
    }
    if let [position] = positions(&choices, alike)[..] {
        return Ok(position);
    }
    let mut rest = wanted.as_str();
    loop {
        let ends = |choice: &str| {
            let choice = spelling(choice);
            choice == rest || choice.strip_suffix(rest).is_some_and(|before| before.ends_with('.'))
        };
        match positions(&choices, ends)[..] {
            [] => {}
            [position] => return Ok(position),
            ref several => return Err(NameError::Ambiguous { what, name: name.to_owned(), choices: listed(several) }),
        }
        match rest.split_once('.') {
            Some((_, after)) => rest = after,
            None => break,
        }
    }
    match positions(&choices, |choice| choice.ends_with(name))[..] {
        [] => {
            let choices = choices.iter().map(|&choice| choice.to_owned()).collect();
            Err(NameError::Unknown { what, name: name.to_owned(), choices })
        }
        [position] => Ok(position),
        ref several => Err(NameError::Ambiguous { what, name: name.to_owned(), choices: listed(several) }),
    }
}

fn positions(choices: &[&str], mut matches: impl FnMut(&str) -> bool) -> Vec<usize> {
    (0..choices.len()).filter(|&position| matches(choices[position])).collect()
}

/// One spelling of what is spelled in several ways: an element of a stack (`h$0`, `h[0]`), validity (`h.$valid$`, `h.isValid()`,
/// `h.valid`), a slice or a masked field, of which p4testgen for Tofino leaves only the field.
fn spelling(name: &str) -> String {
    let mut name = name.replace(" & ", "");
    for valid in ["$valid$", "$valid", "isValid()"] {
        if let Some(header) = name.strip_suffix(valid) {
            name = format!("{header}valid");
            break;
        }
    }
    let mut spelled = String::new();
    let mut rest = name.as_str();
    while let Some(at) = rest.find(['$', '[']) {
        let (before, special) = rest.split_at(at);
        spelled.push_str(before);
        let inside = &special[1..];
        let digits = inside.len() - inside.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':').len();
        let (index, after) = inside.split_at(digits);
        if special.starts_with('[') && index.contains(':') && after.starts_with(']') {
            rest = &after[1..];
        } else if special.starts_with('$') && digits > 0 && !index.contains(':') {
            spelled.push_str(&format!("[{index}]"));
            rest = after;
        } else {
            spelled.push_str(&special[..1]);
            rest = inside;
        }
    }
    spelled.push_str(rest);
    spelled.trim_end_matches('$').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, choices: &[&str]) -> Result<usize, String> {
        find("table", name, choices.iter().copied()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_may_lack_its_front_or_have_another() {
        let tables = ["ingress.source", "egress.encapsulate", "ingress.tunnel.decapsulate"];
        for name in ["ingress.source", "source", "pipe.source", "pipe.ingress.source", "pipe.SwitchIngress.source"] {
            assert_eq!(found(name, &tables), Ok(0), "{name}");
        }
        assert_eq!(found("tunnel.decapsulate", &tables), Ok(2));
        assert_eq!(found("pipe.source", &["source"]), Ok(0));
        assert_eq!(found("decap", &["x_decap", "other"]), Ok(0));
    }

    #[test]
    fn no_guess_is_made() {
        assert_eq!(found("x.t", &["a.t", "b.t"]), Err("table `x.t` can be any of a.t, b.t".into()));
        assert_eq!(found("b.t", &["a.t", "b.t"]), Ok(1));
        assert_eq!(found("t", &["t", "b.t"]), Ok(0));
        assert_eq!(found("u", &["a.t", "b.t"]), Err("no table `u` (valid: a.t, b.t)".into()));
        assert_eq!(found("u", &[]), Err("no table `u` (there is none at all)".into()));
    }

    #[test]
    fn spellings_of_one_thing_are_one() {
        assert_eq!(found("extra$0.h", &["extra[1].h", "extra[0].h"]), Ok(1));
        assert_eq!(found("data.$valid", &["data.$valid$", "data.f"]), Ok(0));
        assert_eq!(found("data.isValid()", &["data.$valid$", "data.f"]), Ok(0));
        assert_eq!(found("valid", &["hdr.data.$valid$", "data.f"]), Ok(0));
        assert_eq!(found("hdr.a.f", &["hdr.a.f[7:0]", "hdr.a.g"]), Ok(0));
        assert_eq!(found("hdr.a.f0xff", &["hdr.a.f & 0xff"]), Ok(0));
    }
}
