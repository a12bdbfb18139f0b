//! Claims, peers, ports, attacks, counters and tables.

use std::fmt::Write as _;

use vouch_agent::management::v1;
use vouch_agent::management::v1::port::Link;

use super::text::{host, interface, moment, place, span, state, table};

/// Hosts whose place is in question.
pub(crate) fn claims(lists: &[v1::ClaimList]) -> String {
    let mut rows = Vec::new();
    for list in lists {
        for open in &list.claims {
            let Some(entry) = &open.host else { continue };
            let claims: Vec<String> = open
                .claims
                .iter()
                .map(|claim| {
                    let answers = match claim.answers {
                        Some(true) => "answers there",
                        Some(false) => "does not answer there",
                        None => "not known whether it answers there",
                    };
                    format!("{} for {}, {answers}", claim.at, span!(claim.open_for).unwrap_or_default())
                })
                .collect();
            let why = if open.unproven.is_empty() { String::new() } else { format!(" ({})", open.unproven) };
            rows.push(vec![
                list.agent.clone(),
                host(entry.host.as_ref()),
                place(entry.place.as_ref()),
                state(entry.state()).to_owned(),
                format!("{}{why}", if claims.is_empty() { "nobody".to_owned() } else { claims.join("; ") }),
            ]);
        }
    }
    table(&["AGENT", "HOST", "RECORDED", "STATE", "CLAIMED BY"], rows)
}

/// Sessions between agents.
pub(crate) fn peers(lists: &[v1::PeerList]) -> String {
    let rows = lists.iter().flat_map(|list| list.peers.iter().map(move |peer| (list, peer))).map(|(list, peer)| {
        vec![
            list.agent.clone(),
            peer.name.clone(),
            peer.vtep.clone(),
            if peer.up { "up" } else { "DOWN" }.to_owned(),
            span!(peer.since).unwrap_or_default(),
            peer.unsent.to_string(),
            peer.sent.to_string(),
            peer.received.to_string(),
            peer.dropped.to_string(),
            peer.sessions.to_string(),
            peer.reason.clone(),
        ]
    });
    let head = ["AGENT", "PEER", "VTEP", "STATE", "FOR", "UNSENT", "SENT", "RECEIVED", "DROPPED", "SESSIONS", "REASON"];
    table(&head, rows.collect())
}

/// Access interfaces and ports of the underlay.
pub(crate) fn ports(lists: &[v1::PortList]) -> String {
    let rows = lists.iter().flat_map(|list| list.ports.iter().map(move |port| (list, port))).map(|(list, port)| {
        let link = match port.link() {
            Link::Up => "up",
            Link::Down => "DOWN",
            Link::Unknown | Link::Unspecified => "not known",
        };
        vec![
            list.agent.clone(),
            port.interface.as_ref().map_or_else(String::new, interface),
            port.vni.map_or_else(|| "underlay".to_owned(), |vni| vni.to_string()),
            link.to_owned(),
            port.hosts.to_string(),
            port.claims.to_string(),
            port.addresses.to_string(),
            port.policed.to_string(),
            port.dropped.to_string(),
            port.too_long.to_string(),
        ]
    });
    let head = ["AGENT", "PORT", "VNI", "LINK", "HOSTS", "CLAIMS", "ADDRESSES", "POLICED", "DROPPED", "TOO LONG"];
    table(&head, rows.collect())
}

/// Ports that claim hosts in vain.
pub(crate) fn attacks(lists: &[v1::AttackList]) -> String {
    let mut rows = Vec::new();
    for list in lists {
        for refused in &list.refused {
            rows.push(vec![
                list.agent.clone(),
                place(refused.place.as_ref()),
                host(refused.host.as_ref()),
                if refused.attack { "ATTACK" } else { "refused" }.to_owned(),
                format!(
                    "{} times; damped for {} more",
                    refused.refusals,
                    span!(refused.damped_for).unwrap_or_default()
                ),
            ]);
        }
        for shut in &list.shut {
            rows.push(vec![
                list.agent.clone(),
                place(shut.place.as_ref()),
                host(shut.host.as_ref()),
                "SHUT".to_owned(),
                format!("for {} more", span!(shut.remaining).unwrap_or_default()),
            ]);
        }
        for report in &list.reports {
            rows.push(vec![
                list.agent.clone(),
                place(report.place.as_ref()),
                host(report.host.as_ref()),
                moment(report),
                report.text.clone(),
            ]);
        }
    }
    let mut text = table(&["AGENT", "PORT", "HOST", "WHAT", ""], rows);
    for list in lists.iter().filter(|list| list.more > 0) {
        let _ = writeln!(text, "{}: {} more claims were refused", list.agent, list.more);
    }
    text
}

/// What was counted.
pub(crate) fn counters(lists: &[v1::CounterList], all: bool) -> String {
    let mut rows = Vec::new();
    let mut errors = String::new();
    for list in lists {
        for counter in list.counters.iter().filter(|counter| all || counter.value > 0) {
            let at = counter.place.as_ref().map_or_else(String::new, |at| format!("{}: ", place(Some(at))));
            rows.push(vec![
                list.agent.clone(),
                format!("{}.{}", counter.group, counter.name),
                counter.value.to_string(),
                format!("{at}{}", counter.meaning),
            ]);
        }
        if !list.error.is_empty() {
            let _ = writeln!(errors, "{}: the switch's own counters cannot be read: {}", list.agent, list.error);
        }
    }
    table(&["AGENT", "COUNTER", "VALUE", "MEANING"], rows) + &errors
}

/// What switches have and should have.
pub(crate) fn tables(lists: &[v1::TableComparison]) -> String {
    let mut rows = Vec::new();
    let mut differences = String::new();
    for list in lists {
        for it in &list.tables {
            rows.push(vec![list.agent.clone(), it.name.clone(), it.wanted.to_string(), it.found.to_string()]);
        }
        if !list.error.is_empty() {
            let _ = writeln!(differences, "{}: the switch cannot be read: {}", list.agent, list.error);
        } else if list.differences.is_empty() && list.meaningless.is_empty() {
            let _ = writeln!(differences, "{}: the switch has what it should have", list.agent);
        }
        for it in &list.differences {
            let agent = &list.agent;
            let _ = match (it.wanted.as_str(), it.found.as_str()) {
                (wanted, "") => writeln!(differences, "{agent}: lacks {}: {wanted}", it.key),
                ("", found) => writeln!(differences, "{agent}: has beyond {}: {found}", it.key),
                (wanted, found) => writeln!(differences, "{agent}: has otherwise {}: {found}, not {wanted}", it.key),
            };
        }
        if list.more > 0 {
            let _ = writeln!(differences, "{}: {} more differences", list.agent, list.more);
        }
        for why in &list.meaningless {
            let _ = writeln!(differences, "{}: has an entry that means nothing: {why}", list.agent);
        }
    }
    table(&["AGENT", "TABLE", "WANTED", "FOUND"], rows) + &differences
}

/// What came of asking a host.
pub(crate) fn probes(responses: &[v1::ProbeHostResponse]) -> String {
    let one = |response: &v1::ProbeHostResponse| {
        let agent = &response.agent;
        if !response.reason.is_empty() {
            return format!("{agent}: not asked: {}\n", response.reason);
        }
        let (at, targets) = (place(response.place.as_ref()), response.targets.join(", "));
        match span!(response.took).filter(|_| response.answered) {
            Some(took) => format!("{agent}: asked on {at} for {targets}: it answers, after {took}\n"),
            None => format!("{agent}: asked on {at} for {targets}: it does not answer\n"),
        }
    };
    responses.iter().map(one).collect()
}

/// Which VTEPs are out of use.
pub(crate) fn drained(responses: &[v1::DrainResponse]) -> String {
    let line = |it: &v1::DrainResponse| {
        let here = it.hosts.unwrap_or_default().here;
        match it.draining {
            true => format!(
                "{}: out of use; peers are told no more of the {here} hosts that are here, and forget them within seconds\n",
                it.agent
            ),
            false => format!("{}: in use; peers are told of the {here} hosts that are here\n", it.agent),
        }
    };
    responses.iter().map(line).collect()
}

/// What has been forgotten.
pub(crate) fn cleared(responses: &[v1::ClearHostResponse]) -> String {
    responses.iter().map(|it| format!("{}: {} ports cleared\n", it.agent, it.cleared)).collect()
}
