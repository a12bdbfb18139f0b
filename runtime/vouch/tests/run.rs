//! `vouch run` as an operator calls it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

fn vouch() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vouch"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs"));
    command
}

#[test]
fn mistakes_stop_it_before_anything_is_started() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("bad.yaml");
    std::fs::write(&path, "name: vtep1\nswich: {}\n").expect("writable");
    let output = vouch().arg("run").arg(&path).output().expect("the command starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("bad.yaml:2:1") && errors.contains("`switch`"), "{errors}");
}

#[test]
fn without_a_switch_it_says_so_keeps_trying_and_stops_at_a_signal() {
    let mut agent = vouch()
        .args(["run", "demo/spine.yaml"])
        .env("VOUCH_LOG", "info")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut log = BufReader::new(agent.stderr.take().expect("piped")).lines();
    let waiting = log.by_ref().map_while(Result::ok).find(|line| line.contains("waiting for the switch"));
    let waiting = waiting.expect("it says what it waits for");
    assert!(waiting.contains("cannot reach the switch") && waiting.contains("trying again in"), "{waiting}");

    // The shell's own: kill(1) is not on every machine.
    let kill = format!("kill -TERM {}", agent.id());
    let killed = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
    assert!(killed.success());
    // Its log ends when it does.
    let rest: Vec<String> = log.map_while(Result::ok).collect();
    let status = agent.wait().expect("it was started");
    assert_eq!(status.code(), Some(0), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("SIGTERM")), "{rest:?}");
}

#[test]
fn the_log_can_be_json_and_has_no_colours_where_nobody_sees_them() {
    for format in ["json", "text"] {
        let mut agent = vouch()
            .args(["run", "demo/spine.yaml", "--log-format", format])
            .env("VOUCH_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut log = BufReader::new(agent.stderr.take().expect("piped")).lines();
        let waiting = log.by_ref().map_while(Result::ok).find(|line| line.contains("waiting for the switch"));
        // The shell's own: kill(1) is not on every machine.
        let kill = format!("kill -TERM {}", agent.id());
        Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        agent.wait().expect("it was started");
        let waiting = waiting.expect("it says what it waits for");
        assert!(!waiting.contains('\x1b'), "{waiting}");
        if format == "json" {
            let line: serde_json::Value = serde_json::from_str(&waiting).expect("it is JSON");
            assert_eq!((&line["level"], &line["agent"]), (&"INFO".into(), &"spine".into()));
        }
    }
    let output = vouch().args(["run", "demo/spine.yaml", "--log-format", "xml"]).output().expect("the command starts");
    assert_eq!(output.status.code(), Some(2));
}
