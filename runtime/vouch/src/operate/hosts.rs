//! Hosts: one agent's, or what several say of the same.

use std::collections::BTreeMap;

use vouch_agent::management::v1;

use super::text::{addresses, host, is_here, place, state, table};

/// Hosts by VNI and MAC, each with what every agent says of it.
type Fabric<'a> = BTreeMap<(u32, &'a str), Vec<(&'a str, &'a v1::HostEntry)>>;

/// The list.
pub(crate) fn text(lists: &[v1::HostList]) -> String {
    let fabric = fabric(lists);
    let rows = fabric.values().map(|said| {
        let (_, entry) = best(said);
        vec![
            host(entry.host.as_ref()),
            entry.at.clone(),
            here(said).unwrap_or_else(|| "?".to_owned()),
            states(said),
            addresses(&entry.addresses),
        ]
    });
    let mut text = table(&["HOST", "AT", "PLACE", "STATE", "ADDRESSES"], rows.collect());
    for disagreement in disagreements(lists) {
        text.push_str(&format!("disagreement: {disagreement}\n"));
    }
    text
}

/// Addresses and who has them.
pub(crate) fn bindings(lists: &[v1::HostList]) -> String {
    let fabric = fabric(lists);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for said in fabric.values() {
        let (_, entry) = best(said);
        let vni = entry.host.as_ref().map_or(0, |host| host.vni).to_string();
        let mac = entry.host.as_ref().map_or_else(String::new, |host| host.mac.clone());
        for address in &entry.addresses {
            let confirmed = if address.confirmed { "confirmed" } else { "unconfirmed" };
            rows.push(vec![vni.clone(), address.ip.clone(), mac.clone(), entry.at.clone(), confirmed.to_owned()]);
        }
    }
    table(&["VNI", "ADDRESS", "HOST", "AT", "STATE"], rows)
}

/// Where two agents believe a host to be at different VTEPs, while neither is in doubt about it.
pub(crate) fn disagreements(lists: &[v1::HostList]) -> Vec<String> {
    let mut told = Vec::new();
    for said in fabric(lists).values() {
        let sure = |entry: &v1::HostEntry| entry.state() == v1::HostState::Settled;
        let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (agent, entry) in said.iter().filter(|(_, entry)| sure(entry)) {
            places.entry(&entry.at).or_default().push(agent);
        }
        if places.len() > 1 {
            let sides = places.iter().map(|(at, agents)| format!("{} has it at {at}", agents.join(" and ")));
            let host = said.first().and_then(|(_, entry)| entry.host.as_ref());
            told.push(format!("{}: {}", super::text::host(host), sides.collect::<Vec<_>>().join(", ")));
        }
    }
    told
}

fn fabric(lists: &[v1::HostList]) -> Fabric<'_> {
    let mut fabric: Fabric<'_> = BTreeMap::new();
    for list in lists {
        for entry in &list.hosts {
            if let Some(host) = &entry.host {
                fabric.entry((host.vni, &host.mac)).or_default().push((&list.agent, entry));
            }
        }
    }
    fabric
}

/// Who knows most: the agent that has the host, or else the first that speaks of it.
fn best<'a>(said: &[(&'a str, &'a v1::HostEntry)]) -> (&'a str, &'a v1::HostEntry) {
    let owner = said.iter().find(|(_, entry)| is_here(entry.place.as_ref()));
    *owner.or(said.first()).expect("somebody speaks of each host that is listed")
}

fn here(said: &[(&str, &v1::HostEntry)]) -> Option<String> {
    let (_, entry) = best(said);
    entry.place.as_ref().map(|at| place(Some(at)))
}

/// What is going on with it, wherever something is.
fn states(said: &[(&str, &v1::HostEntry)]) -> String {
    let busy = said.iter().filter(|(_, entry)| entry.state() != v1::HostState::Settled);
    let words: Vec<String> = busy
        .map(|(agent, entry)| match said.len() {
            1 => state(entry.state()).to_owned(),
            _ => format!("{} ({agent})", state(entry.state())),
        })
        .collect();
    let words = if words.is_empty() { state(v1::HostState::Settled).to_owned() } else { words.join(", ") };
    if said.iter().any(|(_, entry)| entry.withheld) { format!("{words}, withheld") } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(agent: &str, at: &str, state: v1::HostState) -> v1::HostList {
        let kind = if agent == at {
            v1::place::Kind::Access(v1::AccessInterface { port: 1, vlan: None })
        } else {
            v1::place::Kind::Vtep("10.0.0.9".to_owned())
        };
        let entry = v1::HostEntry {
            host: Some(v1::Host { vni: 5001, mac: "02:00:00:00:00:01".to_owned() }),
            place: Some(v1::Place { kind: Some(kind) }),
            at: at.to_owned(),
            state: state.into(),
            ..v1::HostEntry::default()
        };
        v1::HostList { agent: agent.to_owned(), hosts: vec![entry] }
    }

    #[test]
    fn vteps_disagree_where_both_are_sure_and_only_there() {
        let settled = v1::HostState::Settled;
        let agree = [list("vtep1", "vtep1", settled), list("vtep2", "vtep1", settled)];
        assert!(disagreements(&agree).is_empty());
        let disagree =
            [list("vtep1", "vtep1", settled), list("vtep2", "vtep3", settled), list("vtep3", "vtep3", settled)];
        let expected = "5001 02:00:00:00:00:01: vtep1 has it at vtep1, vtep2 and vtep3 has it at vtep3";
        assert_eq!(disagreements(&disagree), [expected]);
        assert!(text(&disagree).ends_with(&format!("disagreement: {expected}\n")));
        let moving = [list("vtep1", "vtep1", v1::HostState::Verifying), list("vtep2", "vtep2", settled)];
        assert!(disagreements(&moving).is_empty());
    }
}
