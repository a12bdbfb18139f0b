//! One screen for each agent.

use std::fmt::Write as _;
use std::process::ExitCode;

use vouch_agent::management::v1;
use vouch_agent::management::v1::problem::Severity;
use vouch_agent::management::v1::switch_status::State;

use super::ATTENTION;
use super::text::{columns, span};

/// How agents are, and where they disagree.
pub(crate) fn text(agents: &[v1::AgentStatus], disagreements: &[String]) -> String {
    let mut text: Vec<String> = agents.iter().map(one).collect();
    if !disagreements.is_empty() {
        let mut told = "VTEPs disagree:\n".to_owned();
        for disagreement in disagreements {
            let _ = writeln!(told, "  {disagreement}");
        }
        told.push_str("  what to do: `vouch why` with all agents tells both stories\n");
        text.push(told);
    }
    text.join("\n")
}

/// 0: all is well; 3: something needs attention; 1: something does not work, or nobody answered.
pub(crate) fn exit(agents: &[v1::AgentStatus], failed: bool, disagree: bool) -> ExitCode {
    let problems = || agents.iter().flat_map(|agent| &agent.problems);
    if failed || problems().any(|problem| problem.severity() == Severity::Error) {
        ExitCode::FAILURE
    } else if disagree || problems().next().is_some() {
        ExitCode::from(ATTENTION)
    } else {
        ExitCode::SUCCESS
    }
}

fn one(agent: &v1::AgentStatus) -> String {
    let mut text = String::new();
    let at = if agent.vtep.is_empty() { String::new() } else { format!(" at {}", agent.vtep) };
    let up = span!(agent.up_for).unwrap_or_default();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}{at}, up for {up}, vouch {}", agent.agent, agent.version);
    let mut rows = Vec::new();
    let mut row = |about: &str, what: String| rows.push(vec![format!("  {about}"), what]);
    if let Some(switch) = &agent.switch {
        let since = span!(switch.since).unwrap_or_default();
        let charge = if switch.in_charge { "in charge" } else { "not in charge" };
        let reach = if switch.connected { charge } else { "not connected" };
        row(
            "switch",
            format!(
                "{} for {since}: {} device {}, {reach}, program {}",
                word(switch.state()),
                switch.target,
                switch.device_id,
                switch.program
            ),
        );
        row(
            "entries",
            format!(
                "{} wanted, {} changes waiting, {} writes refused",
                switch.entries_wanted, switch.changes_waiting, switch.failed_writes
            ),
        );
    }
    if !agent.vtep.is_empty() {
        let up = agent.peers.iter().filter(|peer| peer.up).count();
        row("peers", format!("{up} of {} up", agent.peers.len()));
        for peer in &agent.peers {
            let since = span!(peer.since).unwrap_or_default();
            let state = if peer.up { "up" } else { "DOWN" };
            row(
                "",
                format!(
                    "{} {}: {state} for {since}, {} unsent, {} dropped",
                    peer.name, peer.vtep, peer.unsent, peer.dropped
                ),
            );
        }
        let hosts = agent.hosts.unwrap_or_default();
        let claims = [
            (hosts.verifying, "verifying"),
            (hosts.claiming + hosts.probing_through_tunnel, "claiming"),
            (hosts.unproven, "unproven"),
            (hosts.contested, "contested"),
            (hosts.sought, "sought"),
        ];
        let claims: Vec<String> =
            claims.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")).collect();
        let claims = if claims.is_empty() { "none in question".to_owned() } else { claims.join(", ") };
        let draining = if agent.draining { format!("; draining, {} withheld", hosts.withheld) } else { String::new() };
        row(
            "hosts",
            format!("{}: {} here, {} elsewhere; {claims}{draining}", hosts.total, hosts.here, hosts.elsewhere),
        );
        let hour = agent.last_hour.unwrap_or_default();
        row(
            "last hour",
            format!(
                "{} moved, {} refused, {} unproven, {} contested, {} attacks; addresses: {} moved, {} refused",
                hour.moved,
                hour.refused,
                hour.unproven,
                hour.contested,
                hour.attacks,
                hour.addresses_moved,
                hour.addresses_refused
            ),
        );
    }
    if let Some(memory) = &agent.memory {
        row(
            "memory",
            format!(
                "{} events of {} hosts; {} forgotten, {} missed by watchers",
                memory.events, memory.stories, memory.forgotten, memory.missed_by_watchers
            ),
        );
    }
    text.push_str(&columns(&rows));
    if agent.problems.is_empty() {
        text.push_str("  all is well\n");
    }
    for problem in &agent.problems {
        let severity = if problem.severity() == Severity::Error { "ERROR" } else { "WARNING" };
        let _ = writeln!(text, "  {severity}: {}\n    what to do: {}", problem.what, problem.remedy);
    }
    text
}

fn word(state: State) -> &'static str {
    match state {
        State::Unspecified => "unknown",
        State::Away => "AWAY",
        State::Synchronising => "synchronising",
        State::Ready => "ready",
        State::Stalled => "STALLED",
        State::InDoubt => "IN DOUBT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(severity: Option<Severity>) -> v1::AgentStatus {
        let problem = |severity: Severity| v1::Problem {
            severity: severity.into(),
            what: "it rains".to_owned(),
            remedy: "Take an umbrella.".to_owned(),
        };
        let problems = severity.map(problem).into_iter().collect();
        v1::AgentStatus { agent: "vtep1".to_owned(), problems, ..v1::AgentStatus::default() }
    }

    #[test]
    fn what_is_wrong_is_told_with_what_to_do_and_decides_the_exit_status() {
        // Exit codes can only be compared as text.
        let code = |status: ExitCode| format!("{status:?}");
        assert!(text(&[with(None)], &[]).contains("all is well"));
        assert_eq!(code(exit(&[with(None)], false, false)), code(ExitCode::SUCCESS));
        let rain = [with(Some(Severity::Warning))];
        assert!(text(&rain, &[]).contains("  WARNING: it rains\n    what to do: Take an umbrella.\n"));
        assert_eq!(code(exit(&rain, false, false)), code(ExitCode::from(ATTENTION)));
        assert_eq!(code(exit(&[with(None)], false, true)), code(ExitCode::from(ATTENTION)));
        assert_eq!(code(exit(&[with(Some(Severity::Error))], false, false)), code(ExitCode::FAILURE));
        assert_eq!(code(exit(&[with(None)], true, false)), code(ExitCode::FAILURE));
    }
}
