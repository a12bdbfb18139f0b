//! Every command, once, beside a fabric, and what it prints: `walk.txt`. Times and what else is another each time are left out.
//!
//! `UPDATE_WALK=1` writes the file anew.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use super::Stage;

/// What is printed only with the numbers left out.
const COUNTED: [&str; 3] = ["status", "peers", "counters"];

/// From red1 to red2, which is behind another VTEP; and from red1's MAC at a port that is not its own.
const FRAME: &str = "020000000002 020000000001 0800 4500001c000000004011 66cf 0a000001 0a000002 0000000000080000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_prints_what_it_did() {
    let stage = Stage::start().await;
    stage.forge().await;
    let host = "5001/02:00:00:00:00:01";
    // A command for all agents, or for one.
    let commands: [(&[&str], Option<&str>); 21] = [
        (&["status"], Some("vtep1")),
        (&["hosts"], None),
        (&["hosts", "--port", "2"], Some("vtep1")),
        (&["claims"], None),
        (&["moves"], Some("vtep2")),
        (&["why", host], Some("vtep2")),
        (&["why", "02:00:00:00:01:01"], None),
        (&["why", "--packet", FRAME, "--port", "2"], Some("vtep1")),
        (&["why", "--packet", FRAME, "--port", "3"], Some("vtep1")),
        (&["why", "--packet", FRAME, "--port", "77"], Some("vtep1")),
        (&["peers"], Some("vtep1")),
        (&["ports"], Some("vtep1")),
        (&["bindings"], None),
        (&["attacks"], None),
        (&["counters", "--all"], Some("vtep1")),
        (&["tables"], None),
        (&["probe", host], None),
        (&["clear", "refusals", host], None),
        (&["settle", host, "--keep", "2"], None),
        (&["drain"], Some("vtep3")),
        (&["reload", "--dry-run"], Some("vtep1")),
    ];
    let mut walk = String::new();
    for (arguments, agent) in commands {
        let (status, out, errors) = match agent {
            Some(agent) => stage.one(agent, arguments).await,
            None => stage.all(arguments).await,
        };
        let shown: Vec<String> = arguments
            .iter()
            .map(|word| if word.contains(' ') { format!("'{word}'") } else { (*word).to_owned() })
            .collect();
        let numbers = COUNTED.contains(&arguments[0]);
        let whom = agent.map_or_else(String::new, |agent| format!("   # {agent}"));
        let _ = writeln!(walk, "$ vouch {}{whom}", shown.join(" "));
        let lines = out.lines().chain(errors.lines()).filter(|line| !is_by_chance(line));
        // On a slow machine a question is repeated.
        let mut said = HashSet::new();
        for line in lines.map(|line| plain(line, numbers)) {
            if !line.contains("MOMENT") || said.insert(line.clone()) {
                let _ = writeln!(walk, "{line}");
            }
        }
        let _ = writeln!(walk, "[{status}]\n");
    }
    stage.fabric.shutdown().await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/operate/walk.txt");
    if std::env::var_os("UPDATE_WALK").is_some() {
        std::fs::write(&path, &walk).expect("the folder is writable");
    }
    let kept = std::fs::read_to_string(&path).expect("it is there");
    for (number, (now, then)) in walk.lines().zip(kept.lines()).enumerate() {
        assert_eq!(now, then, "line {}; if that is right, run this test with UPDATE_WALK=1:\n{walk}", number + 1);
    }
    assert_eq!(walk.lines().count(), kept.lines().count(), "{walk}");
}

/// A line without what is another each time: times, moments, files, ports of TCP, and numbers that count what happens all the time.
fn plain(line: &str, numbers: bool) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let mut kept: Vec<String> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let (word, next) = (words[at], words.get(at + 1).copied().unwrap_or_default());
        let bare = |word: &str| word.trim_matches(|char: char| ",;:.()[]".contains(char)).to_owned();
        let is_number =
            |word: &str| word.parse::<f64>().is_ok() && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let is_unit = |word: &str| matches!(bare(word).as_str(), "ms" | "s" | "min" | "h" | "d");
        if is_number(bare(word).as_str()) && is_unit(next) {
            // Of `2 min 3 s`, one word is enough.
            kept.pop_if(|last| last == "TIME");
            kept.push("TIME".to_owned() + next.trim_start_matches(|char: char| char.is_ascii_alphabetic()));
            at += 2;
            continue;
        }
        kept.push(match word {
            _ if is_moment(&bare(word)) => "MOMENT".to_owned(),
            _ if word.contains(".sock") => "SOCKET".to_owned(),
            _ if word.starts_with("http://127.0.0.1:") => "http://127.0.0.1:PORT".to_owned(),
            _ if numbers && is_number(&bare(word)) => word.replace(&bare(word), "N"),
            _ => word.to_owned(),
        });
        at += 1;
    }
    // Columns are as wide as what is left out.
    let mut line = kept.join(" ");
    while line.contains("   ") {
        line = line.replace("   ", "  ");
    }
    line.trim_end().to_owned()
}

/// What goes together in one round of writes, or in one message, is a matter of moments, and so is how soon a host answers, or somebody
/// asks after a refusal.
fn is_by_chance(line: &str) -> bool {
    let by_chance = [
        "the switch took: ",
        " says: it is here, ",
        " says: no verdict yet: an answer is overdue",
        " refused; damped for ",
        " it would only be seen in passing ",
    ];
    by_chance.iter().any(|words| line.contains(words))
}

/// As `00:03:49.915`.
fn is_moment(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() == 12 && bytes[2] == b':' && bytes[5] == b':' && bytes[8] == b'.'
}

#[test]
fn times_are_left_out_and_nothing_else() {
    assert_eq!(plain("up for 2 min 3 s, vouch 0.1.0", false), "up for TIME, vouch 0.1.0");
    assert_eq!(plain("  00:03:49.915  vtep2  refused after 0.6 ms", false), "  MOMENT  vtep2  refused after TIME");
    assert_eq!(plain("sent   17      10.0.0.2", true), "sent  N  10.0.0.2");
    assert_eq!(plain("5001 02:00:00:00:00:01  port 2", false), "5001 02:00:00:00:00:01  port 2");
}
