//! How a word can go on.

use crate::commands::{Catalog, WORDS, actions_of, split};

/// Where the last word of the text before the cursor begins, and what it can become.
pub(super) fn complete(catalog: &Catalog, text: &str) -> (usize, Vec<String>) {
    let start = text.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let info = catalog.info();
    let (before, begun) = (split(&text[..start]), &text[start..]);
    let commands = || WORDS.iter().map(|word| word.name);
    let names: Vec<&str> = match before.split_first() {
        None => commands().collect(),
        Some((command, arguments)) => {
            let form = WORDS.iter().find(|word| word.name == *command).map_or("", |word| word.form);
            match form.split(' ').nth(arguments.len()).map(|part| part.trim_matches(['[', ']'])) {
                Some("COMMAND") => commands().collect(),
                Some("TABLE") => info.tables().map(|table| table.name.as_str()).collect(),
                Some("PROFILE") => info.action_profiles().map(|profile| profile.name.as_str()).collect(),
                Some("COUNTER") => catalog.counters().map(|counter| counter.name.as_str()).collect(),
                Some("METER") => catalog.meters().map(|meter| meter.name.as_str()).collect(),
                Some("REGISTER") => info.registers().map(|register| register.name.as_str()).collect(),
                Some("SET") => info.value_sets().map(|set| set.name.as_str()).collect(),
                Some("ACTION") => arguments.first().map_or_else(Vec::new, |of| named(catalog, of)),
                _ => Vec::new(),
            }
        }
    };
    let mut found: Vec<String> = names.iter().filter_map(|name| shortest(name, begun, &names)).collect();
    found.sort();
    (start, found)
}

/// The actions of the table or action profile of this name.
fn named<'c>(catalog: &'c Catalog, name: &str) -> Vec<&'c str> {
    let of_table = catalog.table(name).map(|table| actions_of(table).collect());
    let actions = of_table.or_else(|_| catalog.profile(name).map(|profile| catalog.profile_actions(profile)));
    actions.unwrap_or_default().iter().map(|action| action.name.as_str()).collect()
}

/// The shortest form of a name that begins like this and means no other.
fn shortest(name: &str, begun: &str, all: &[&str]) -> Option<String> {
    let ends = name.rmatch_indices('.').map(|(at, _)| &name[at + 1..]).chain([name]);
    let unambiguous = |end: &&str| {
        let also = |other: &&str| *other == *end || other.strip_suffix(*end).is_some_and(|front| front.ends_with('.'));
        *end == name || all.iter().filter(|other| also(other)).count() == 1
    };
    ends.filter(unambiguous).find(|end| end.starts_with(begun)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use vouch_p4runtime::P4Info;

    use super::*;

    #[test]
    fn commands_and_names_are_completed() {
        let info = include_str!("../../../switch-server/tests/programs/kinds.p4info.txtpb");
        let catalog = Catalog::new(P4Info::from_text(info).expect("p4c wrote it"));
        let found = |text: &str| complete(&catalog, text).1;
        assert_eq!(found("table_indirect_a"), ["table_indirect_add", "table_indirect_add_with_group"]);
        assert_eq!(found("help mc_node_d"), ["mc_node_destroy", "mc_node_dissociate"]);
        assert_eq!(found("table_add "), ["acl", "balance", "fixed", "host", "nexthop", "route"]);
        assert_eq!(found("table_add Forward.h"), ["Forward.host"]);
        assert_eq!(complete(&catalog, "table_add host host"), (15, vec!["host_forward".to_owned()]));
        assert_eq!(found("act_prof_create_member paths "), ["NoAction", "drop", "forward"]);
        assert_eq!(found("counter_read "), ["by_port", "host_hits"]);
        assert_eq!(found("register_read last_kind "), [""; 0]);
        assert_eq!(found("nothing "), [""; 0]);
    }

    #[test]
    fn a_name_is_as_long_as_it_must_be() {
        let all = ["a.t", "b.t", "b.u", "t"];
        assert_eq!(shortest("a.t", "", &all), Some("a.t".to_owned()));
        assert_eq!(shortest("b.u", "", &all), Some("u".to_owned()));
        assert_eq!(shortest("b.u", "b", &all), Some("b.u".to_owned()));
        assert_eq!(shortest("t", "t", &all), Some("t".to_owned()));
        assert_eq!(shortest("b.u", "x", &all), None);
    }
}
