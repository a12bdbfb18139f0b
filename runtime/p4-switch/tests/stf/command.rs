//! The commands, as a user types them.

use std::fs;
use std::process::Command;

/// Exit code and output of the command with these arguments, played on the VTEP program.
fn stf(arguments: &[&str]) -> (Option<i32>, String) {
    let json = concat!(env!("CARGO_MANIFEST_DIR"), "/../../p4src/build/vtep.json");
    let command = &mut Command::new(env!("CARGO_BIN_EXE_p4-switch"));
    let output = command.args(["stf", "--json", json]).args(arguments).output().expect("the command runs");
    // Shown where a test fails.
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_exit_code_says_whether_any_test_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("a path in UTF-8").to_owned()
    };
    let (good, bad, unknown) =
        (write("a.stf", "packet 1 00\n"), write("b.stf", "expect 1 00\n"), write("c.stf", "x\n"));
    assert_eq!(
        stf(&[&good, &unknown]),
        (Some(0), format!("not run: {unknown}: line 1: `x` is no command\n1 passed, 0 failed, 1 skipped\n"))
    );
    let failed = format!("failed: {bad}: line 1: no frame out of port 1; expected one of at least 1 bytes\n");
    assert_eq!(stf(&[&good, &bad]), (Some(1), format!("{failed}1 passed, 1 failed, 0 skipped\n")));
    assert_eq!(stf(&["-v", &bad]), (Some(1), format!("{failed}    0000  want  00\n0 passed, 1 failed, 0 skipped\n")));
    assert_eq!(stf(&["/nowhere.stf"]).0, Some(1));
    assert_eq!(stf(&["--target", "server", &good]).0, Some(2), "without a P4Info");
}

/// A process of its own needs no interface, so that everybody may start one.
#[test]
fn tests_are_played_on_a_switch_that_is_a_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.stf");
    fs::write(&path, "packet 1 000000000000 000000000000 0000\n").expect("a file");
    let info = concat!(env!("CARGO_MANIFEST_DIR"), "/../../p4src/build/vtep.p4info.txtpb");
    let path = path.to_str().expect("a path in UTF-8");
    let played = stf(&["--target", "p4-switch", "--p4info", info, path]);
    assert_eq!(played, (Some(0), "1 passed, 0 failed, 0 skipped\n".to_owned()));
}

#[test]
fn a_switch_does_not_differ_from_its_engine() {
    let programs = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs");
    let command = &mut Command::new(env!("CARGO_BIN_EXE_p4-switch"));
    let compared = command.args(["differ", "--target", "p4-switch", "--cases", "3", programs]).output();
    let compared = compared.expect("the command runs");
    let said = String::from_utf8_lossy(&compared.stdout).into_owned();
    assert_eq!((compared.status.code(), said.as_str()), (Some(0), "3 cases are the same on both; 0 programs differ\n"));
}
