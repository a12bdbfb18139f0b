//! `vouch reload`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use vouch_agent::management::v1;
use vouch_agent::management::v1::agent_change::What;

use super::agents::Agents;
use super::{print, print_json};

/// How long an agent may take until it answers again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Has the files of the agents read again, those of each process once.
pub(crate) async fn reload(agents: Agents, dry_run: bool) -> ExitCode {
    let connected = agents.connect().await;
    let mut failed = connected.tell_failures();
    // By their names it is known which agents are of one process, also when some have been stopped and started.
    let mut named = Vec::new();
    for mut agent in connected.answers {
        match agent.client.status().await {
            Ok(status) => named.push((status.agent, agent)),
            Err(error) => {
                eprintln!("{}: {error}", agent.name);
                failed = true;
            }
        }
    }
    let mut told = BTreeSet::new();
    for (name, agent) in &mut named {
        if told.contains(name) {
            continue;
        }
        let response = match agent.client.reload(dry_run).await {
            Ok(response) => response,
            Err(error) => {
                eprintln!("{}: {error}", agent.name);
                failed = true;
                continue;
            }
        };
        told.extend(response.agents.iter().map(|change| change.agent.clone()));
        failed |= !response.taken;
        if agents.json {
            print_json(std::slice::from_ref(&response));
        } else {
            print(&text(&response, dry_run));
        }
        if !dry_run && response.taken && is_restarted(&response) && !answers_again(&agents, &agent.name).await {
            eprintln!(
                "{}: {name} does not answer there any more: its log says why, unless `management` is another one now",
                agent.name
            );
            failed = true;
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Whether the agent that was asked is stopped and started.
fn is_restarted(response: &v1::ReloadResponse) -> bool {
    response.agents.iter().any(|change| change.agent == response.agent && change.what() == What::Changed)
}

/// Waits until an agent has been started.
async fn answers_again(agents: &Agents, name: &str) -> bool {
    let again = async {
        loop {
            let mut connected = agents.connect().await;
            if let Some(agent) = connected.answers.iter_mut().find(|agent| agent.name == name)
                && agent.client.status().await.is_ok()
            {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, again).await.is_ok()
}

fn text(response: &v1::ReloadResponse, dry_run: bool) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if !response.taken {
        for problem in &response.problems {
            let _ = writeln!(text, "{}", problem.trim_end());
        }
        let _ = writeln!(text, "{}: nothing is taken; what was in use before stays", response.agent);
        return text;
    }
    for warning in &response.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    for change in &response.agents {
        let name = &change.agent;
        let _ = match (change.what(), dry_run) {
            (What::Unchanged | What::Unspecified, _) => {
                writeln!(
                    text,
                    "{name}: unchanged; certificates {}",
                    if dry_run { "would be read again" } else { "read again" }
                )
            }
            (What::Changed, true) => writeln!(text, "{name}: would be started anew with"),
            (What::Changed, false) => writeln!(text, "{name}: started anew with"),
            (What::Started, true) => writeln!(text, "{name}: would be started"),
            (What::Started, false) => writeln!(text, "{name}: started"),
            (What::Stopped, true) => writeln!(text, "{name}: would be stopped; its switch would keep its tables"),
            (What::Stopped, false) => writeln!(text, "{name}: stopped; its switch keeps its tables"),
        };
        for field in &change.fields {
            let _ = match (field.before.as_str(), field.after.as_str()) {
                ("", after) => writeln!(text, "  + {}: {after}", field.field),
                (before, "") => writeln!(text, "  - {}: {before}", field.field),
                (before, after) => writeln!(text, "  {}: {before} -> {after}", field.field),
            };
        }
    }
    text
}
