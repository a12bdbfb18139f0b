//! What happened, in order: to one host, or to all.

use std::fmt::Write as _;

use vouch_agent::management::v1;

use super::name::HostName;
use super::text::{addresses, columns, host, is_here, moment, order, place, span, state};

/// The stories of a host, by several agents; of several hosts, if a MAC is in several VNIs.
pub(crate) fn text(stories: &[v1::Story]) -> String {
    let mut hosts: Vec<&v1::Host> = stories.iter().filter_map(|story| story.host.as_ref()?.host.as_ref()).collect();
    hosts.sort_by_key(|host| host.vni);
    hosts.dedup();
    let of = |host: &v1::Host| {
        let of: Vec<&v1::Story> = stories
            .iter()
            .filter(|story| story.host.as_ref().is_some_and(|entry| entry.host.as_ref() == Some(host)))
            .collect();
        one(host, &of)
    };
    hosts.into_iter().map(of).collect::<Vec<_>>().join("\n")
}

fn one(about: &v1::Host, stories: &[&v1::Story]) -> String {
    let mut text = format!("{}\n", host(Some(about)));
    let several = stories.len() > 1;
    let mut rows = Vec::new();
    for story in stories {
        let Some(entry) = &story.host else { continue };
        let known = if addresses(&entry.addresses).is_empty() {
            String::new()
        } else {
            format!(", {}", addresses(&entry.addresses))
        };
        let at = match &entry.place {
            Some(at) => format!("at {} ({}), {}{known}", entry.at, place(Some(at)), state(entry.state())),
            None if story.knowledge.is_some() => format!("it is not known where, {}{known}", state(entry.state())),
            None => "nobody has it now".to_owned(),
        };
        rows.push(vec![format!("  {}", story.agent), at]);
        rows.extend(story.knowledge.iter().flat_map(knowledge).map(|line| vec![String::new(), line]));
        rows.extend(story.entries.iter().map(|entry| vec![String::new(), format!("in the switch: {entry}")]));
    }
    text.push_str(&columns(&rows));
    let mut events: Vec<&v1::Event> = stories.iter().flat_map(|story| &story.events).collect();
    events.sort_by_key(|event| order(event));
    let forgotten: u64 = stories.iter().map(|story| story.forgotten).sum();
    text.push_str("\nWhat happened (UTC):\n");
    if forgotten > 0 {
        let _ = writeln!(text, "  ({forgotten} earlier events are not remembered)");
    }
    let rows = events.into_iter().map(|event| {
        let often = if event.times > 1 { format!(" ({} times in a row)", event.times) } else { String::new() };
        let agent = if several { event.agent.clone() } else { String::new() };
        let mut row = vec![format!("  {}", moment(event))];
        row.extend(Some(agent).filter(|agent| !agent.is_empty()));
        row.push(format!("{}{often}", event.text));
        row
    });
    text.push_str(&columns(&rows.collect::<Vec<_>>()));
    text.push_str("\nIf it were claimed now:\n");
    // Who has it decides; what the others would do is of interest only if nobody here has it.
    let owners: Vec<&&v1::Story> =
        stories.iter().filter(|story| story.host.as_ref().is_some_and(|entry| is_here(entry.place.as_ref()))).collect();
    let tellers: Vec<&v1::Story> =
        if owners.is_empty() { stories.to_vec() } else { owners.into_iter().copied().collect() };
    for story in &tellers {
        for line in &story.forecast {
            let who = if several { format!("{}: ", story.agent) } else { String::new() };
            let _ = writeln!(text, "  {who}{line}");
        }
    }
    text
}

fn knowledge(known: &v1::Knowledge) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(tenure) = span!(known.tenure) {
        let before = known
            .before
            .as_ref()
            .map_or_else(String::new, |before| format!("; before that at {}", place(Some(before))));
        let probation =
            span!(known.probation).map_or_else(String::new, |left| format!("; on probation for {left} more"));
        lines.push(format!("here for {tenure}{before}{probation}"));
        lines.push(match (known.answers, known.mute, span!(known.overdue_after)) {
            (_, true, _) => "it leaves questions unanswered: its silence proves nothing".to_owned(),
            (true, false, Some(time)) => format!("it answers; an answer is overdue after {time}"),
            (true, false, None) => "it is expected to answer; how quickly is not known".to_owned(),
            (false, false, _) => "it has not been heard to answer lately: its silence proves nothing".to_owned(),
        });
    }
    for address in &known.addresses {
        if let Some(ago) = span!(address.confirmed_ago) {
            lines.push(format!("{} confirmed at {} {ago} ago", address.ip, place(address.confirmed_at.as_ref())));
        } else {
            lines.push(format!("{} not confirmed", address.ip));
        }
    }
    for claim in &known.claims {
        let answers = match claim.answers {
            Some(true) => "it answers there",
            Some(false) => "it does not answer there",
            None => "it is not known whether it answers there",
        };
        lines.push(format!("claimed at {} for {}: {answers}", claim.at, span!(claim.open_for).unwrap_or_default()));
    }
    for refused in &known.refused {
        let attack = if refused.attack { ", reported as an attack" } else { "" };
        let damped = span!(refused.damped_for).unwrap_or_default();
        lines.push(format!("claims of {} refused{attack}; damped for {damped} more", place(refused.place.as_ref())));
    }
    for shut in &known.shut {
        lines.push(format!(
            "{} is shut for it, for {} more",
            place(shut.place.as_ref()),
            span!(shut.remaining).unwrap_or_default()
        ));
    }
    if !known.others.is_empty() {
        lines.push(format!("{} say that they have it, too", known.others.join(" and ")));
    }
    lines
}

/// That nobody knows a host, and who is named nearly so.
pub(crate) fn unknown(name: &HostName, stories: &[v1::Story]) -> String {
    let agents: Vec<&str> = stories.iter().map(|story| story.agent.as_str()).collect();
    let verb = if agents.len() == 1 { "does" } else { "do" };
    let mut text = format!("no host `{name}` is known: {} {verb} not have it, nor remember it\n", agents.join(" and "));
    let mut near: Vec<String> = stories
        .iter()
        .flat_map(|story| &story.near)
        .map(|entry| {
            let with = addresses(&entry.addresses);
            format!(
                "{} at {}{}",
                host(entry.host.as_ref()),
                entry.at,
                if with.is_empty() { with } else { format!(" with {with}") }
            )
        })
        .collect();
    near.sort();
    near.dedup();
    for entry in near {
        let _ = writeln!(text, "  did you mean {entry}?");
    }
    text
}

/// What became of claims.
pub(crate) fn moves(lists: &[v1::MoveList]) -> String {
    let mut moves: Vec<&v1::Move> = lists.iter().flat_map(|list| &list.moves).collect();
    moves.sort_by_key(|it| it.verdict.as_ref().map(order));
    let mut text = String::new();
    let forgotten: u64 = lists.iter().map(|list| list.forgotten).sum();
    if forgotten > 0 {
        let _ = writeln!(text, "({forgotten} earlier ones are not listed)");
    }
    let mut rows = Vec::new();
    for it in moves {
        let Some(verdict) = &it.verdict else { continue };
        let because =
            it.because_of.as_ref().map_or_else(String::new, |event| format!(" [{}: {}]", moment(event), event.text));
        rows.push(vec![
            moment(verdict),
            verdict.agent.clone(),
            host(verdict.host.as_ref()),
            format!("{}{because}", verdict.text),
        ]);
    }
    text.push_str(&columns(&rows));
    text
}

/// One line of what is watched.
pub(crate) fn watched(response: &v1::WatchResponse) -> String {
    match &response.what {
        Some(v1::watch_response::What::Event(event)) => {
            let about = event.host.as_ref().map_or_else(String::new, |about| format!("{}  ", host(Some(about))));
            format!("{}  {}  {:<10}  {about}{}\n", moment(event), event.agent, event.kind, event.text)
        }
        Some(v1::watch_response::What::Missed(number)) => format!("({number} events were missed here)\n"),
        None => String::new(),
    }
}
