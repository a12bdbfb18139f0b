//! `p4-switch-cli` on switches that are processes: the script of its own tests, with the same answers.

use std::path::Path;
use std::sync::Arc;

use p4_switch::cli::{Outcome, Shell};
use p4_switch::commands::{Access, Remote};
use vouch_bmv2_tests::Processes;
use vouch_bmv2_tests::harness::{Failure, TestResult};
use vouch_bmv2_tests::rig::Rig;
use vouch_p4runtime::SessionConfig;

/// Every answer is as on the embedded switch.
pub(crate) async fn on_p4_switch(target: Arc<Processes>) -> TestResult {
    let rig = Rig::start(&*target, &[1, 2, 3]).await?;
    played(rig.url.clone(), |_, answer| answer).await
}

/// The same, but for what BMv2's P4Runtime server does not have.
pub(crate) async fn on_bmv2(target: Arc<Processes>) -> TestResult {
    let rig = Rig::start(&*target, &[1, 2, 3]).await?;
    played(rig.url.clone(), |line, answer| {
        let lacks = line.starts_with("register_") || line == "show_ports";
        let indirect = ["table_dump nexthop", "table_dump balance"].contains(&line);
        match answer {
            _ if lacks => Answer::Unimplemented,
            Answer::Text(text) if indirect => Answer::Text(text.replace("Action entry: NoAction - ", "EMPTY")),
            answer => answer,
        }
    })
    .await
}

/// What a command is to answer.
#[derive(Debug, PartialEq)]
enum Answer {
    Text(String),
    Unimplemented,
}

/// Play the transcript, whose answers a switch may change.
async fn played(url: String, changed: impl Fn(&str, Answer) -> Answer + Send + 'static) -> TestResult {
    // The shell waits for its switch, and so takes a thread.
    tokio::task::spawn_blocking(move || play(&url, changed)).await?
}

fn play(url: &str, changed: impl Fn(&str, Answer) -> Answer) -> TestResult {
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime");
    let transcript = std::fs::read_to_string(runtime.join("p4-switch/tests/scripts/all.transcript.txt"))?;
    // The rig's controller has election id 1.
    let access = Access { config: SessionConfig::new(url, 1, 2), insists: true };
    let mut shell = Shell::new(Remote::connect(access)?);
    shell.start_with(&runtime.join("switch-server/tests/programs/kinds.json"), None)?;
    for part in transcript.trim_start_matches("> ").split("\n> ") {
        let (line, text) = part.split_once('\n').unwrap_or((part, ""));
        let text = if text.is_empty() { String::new() } else { format!("{}\n", text.trim_end_matches('\n')) };
        let expected = changed(line, Answer::Text(text));
        let answer = match shell.line(line) {
            Ok(Outcome::Done(text)) => Answer::Text(text),
            Ok(Outcome::Exit) => return Ok(()),
            Err(refused) if refused.contains("(Unimplemented)") => Answer::Unimplemented,
            Err(refused) => return Err(Failure::from(refused)),
        };
        if answer != expected {
            return Err(format!("{line}: {answer:?} instead of {expected:?}").into());
        }
    }
    Err("the script does not end with `exit`".into())
}
