//! The text of a configuration, of any content.
//!
//! Whatever it is, it is a configuration, or every mistake in it is told with its place; nothing panics.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vouch_agent::{Agent, Config};

const FILE: &str = "vouch.yaml";

/// Try an input.
///
/// # Panics
/// Where the configuration is not read as it must be.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // As YAML counts them: a carriage return by itself ends a line, too.
    let lines = text.replace("\r\n", "\n").replace('\r', "\n").lines().count();
    match Config::parse(FILE, &text) {
        Ok(checked) => {
            // Whether its switch can hold what it wants.
            let _ = Agent::check(&checked.config);
            assert!(checked.differences(&checked).is_empty(), "it differs from itself");
        }
        Err(mistakes) => {
            assert!(!mistakes.errors.is_empty(), "refused for no reason");
            for mistake in mistakes.errors.iter().chain(&mistakes.warnings) {
                assert!(mistake.at.line <= lines.max(1) + 1, "{mistake}: there are {lines} lines");
                assert!(!mistake.what.is_empty(), "{mistake}");
            }
        }
    }
}

/// Change an input by its lines and words.
pub fn mutate(data: &[u8], seed: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let text = String::from_utf8_lossy(data).into_owned();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return b"name: a\n".to_vec();
    }
    for _ in 0..random.random_range(1..4) {
        let (at, other) = (random.random_range(0..lines.len()), random.random_range(0..lines.len()));
        match random.random_range(0..7) {
            0 => lines.insert(at, lines[other].clone()),
            1 if lines.len() > 1 => drop(lines.remove(at)),
            2 => lines.swap(at, other),
            3 => lines[at].insert_str(0, "  "),
            4 => lines[at] = lines[at].trim_start().to_owned(),
            5 => {
                let value = lines[other].split_once(':').map_or("", |(_, value)| value).to_owned();
                if let Some((name, _)) = lines[at].split_once(':') {
                    lines[at] = format!("{name}:{value}");
                }
            }
            _ => {
                let words =
                    ["[]", "{}", "-1", "0", "4294967296", "1e9", "~", "\"", "'", "&a", "*a", "!!map", "- ", "|"];
                let word = words[random.random_range(0..words.len())];
                if let Some((name, _)) = lines[at].split_once(':') {
                    lines[at] = format!("{name}: {word}");
                } else {
                    lines[at].push_str(word);
                }
            }
        }
    }
    (lines.join("\n") + "\n").into_bytes()
}
