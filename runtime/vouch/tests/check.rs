//! `vouch check` as an operator calls it.

use std::path::Path;
use std::process::{Command, Output};

fn vouch(arguments: &[&str]) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    Command::new(env!("CARGO_BIN_EXE_vouch")).args(arguments).current_dir(folder).output().expect("the command starts")
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

#[test]
fn the_demo_fabric_is_right() {
    let output = vouch(&["check", "demo/vtep1.yaml", "demo/vtep2.yaml", "demo/vtep3.yaml", "demo/spine.yaml"]);
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert!(report.contains("demo/vtep1.yaml: ok: VTEP vtep1 at 10.0.0.1, 2 VNIs"), "{report}");
    assert!(report.contains("demo/spine.yaml: ok: transit switch spine"), "{report}");
}

#[test]
fn mistakes_are_told_with_exit_status_1() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("vtep1.yaml");
    std::fs::write(&path, "name: vtep1\nswitch:\n  targt: x\n").expect("the folder is writable");
    let output = vouch(&["check", &path.display().to_string()]);
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report.contains("vtep1.yaml:3:3: switch.targt: unknown field; did you mean `target`?"), "{report}");
}

#[test]
fn help_names_the_exit_status() {
    assert!(text(&vouch(&["check", "--help"]).stdout).contains("The exit status is 0"));
    assert_eq!(vouch(&["check"]).status.code(), Some(2));
}
