//! The bounded form of the simulation. The long one is `cargo run --release -p vouch-simulation -- --seeds N`.

use std::process::{Command, Output};

fn simulate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vouch-simulation")).args(arguments).output().expect("the program is there")
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The fingerprint of everything that happened.
fn fingerprint(output: &Output) -> Option<String> {
    let words = words(output);
    let (_, after) = words.split_once("fingerprint ")?;
    after.split_whitespace().next().map(str::to_owned)
}

/// About a minute of one processor.
#[test]
fn fabrics_come_through_whatever_happens_to_them() {
    let output = simulate(&["--seeds", "300"]);
    println!("{}", words(&output));
    assert!(output.status.success(), "{}", words(&output));
}

#[test]
fn a_seed_is_the_same_run_each_time() {
    let first = simulate(&["--seeds", "12", "--twice"]);
    assert!(first.status.success(), "{}", words(&first));
    let second = simulate(&["--seeds", "12", "--jobs", "1"]);
    assert_eq!(fingerprint(&first), fingerprint(&second), "in another process, one after the other");
    assert!(fingerprint(&first).is_some());
}

/// What `--guards` shows of all of them, for those that a few runs are enough for.
#[test]
fn guards_that_are_taken_out_are_missed() {
    for guard in ["Silent", "AnswerExpected", "MuteIsKnown"] {
        let output = simulate(&["--without", guard, "--seeds", "110", "--enough", "1", "--no-shrink"]);
        assert!(words(&output).contains("FAILED"), "nothing goes wrong without {guard}: {}", words(&output));
    }
}
