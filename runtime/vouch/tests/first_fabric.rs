//! The README's first fabric, typed as it stands there: from certificates to a ping, in namespaces that end with the test.

use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../../../README.md");

/// What is to be typed.
fn typed() -> &'static str {
    let section = README.split_once("### A first fabric\n").expect("the README has it").1;
    let block = section.split_once("```sh\n").expect("it has commands").1;
    block.split_once("```").expect("they end").0
}

/// Namespaces of users, networks, mounts and processes; `None`, and why, where a machine lets nobody make them.
fn namespaces() -> Option<Command> {
    let apart = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child"]);
        command
    };
    let tools =
        "ip -V && command -v ping && mount -t tmpfs none /run && ip netns add tried && ip netns exec tried true";
    match apart().args(["sh", "-c", tools]).output() {
        Ok(tried) if tried.status.success() => Some(apart()),
        Ok(tried) => {
            eprintln!(
                "SKIPPED: no network namespaces with `ip` and `ping`: {}",
                String::from_utf8_lossy(&tried.stderr)
            );
            None
        }
        Err(error) => {
            eprintln!("SKIPPED: `unshare` cannot be run: {error}");
            None
        }
    }
}

#[test]
fn what_the_readme_has_typed_ends_with_a_ping_and_all_well() {
    let built = Path::new(env!("CARGO_BIN_EXE_vouch")).parent().expect("it is in a folder");
    if !built.join("p4-switch").exists() {
        eprintln!("SKIPPED: there is no {}/p4-switch: build with --workspace", built.display());
        return;
    }
    let Some(mut shell) = namespaces() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("target")).expect("it is writable");
    std::os::unix::fs::symlink(built, folder.path().join("target/release")).expect("it is writable");
    let typed = typed();
    let script = format!("set -e\nmount -t tmpfs none /run\nip link set lo up\n{typed}");
    // What is not well for so long will not be: the limit keeps a failure from hanging.
    let shell = shell.args(["timeout", "120", "sh", "-c", &script]);
    let output = shell.current_dir(&folder).output().expect("there is a shell");
    let written = |name: &str| std::fs::read_to_string(folder.path().join("first-fabric").join(name));
    let [status, log] = ["status.txt", "vouch.log"].map(|name| written(name).unwrap_or_default());
    let [said, errors] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    let all = format!("{said}\n{errors}\n{status}\n{log}");
    assert!(output.status.success(), "{all}");
    assert!(said.contains("3 received") || said.contains(" 0% packet loss"), "{all}");
    let known = said.lines().filter(|line| line.contains("192.168.1.") && line.contains("vtep")).count();
    assert!(known >= 2, "both hosts are known: {all}");
}
