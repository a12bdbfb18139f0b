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
fn the_schema_and_the_reference_are_printed() {
    let file = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs").join(name);
        std::fs::read_to_string(path).expect("it is beside the examples")
    };
    for (arguments, name) in [(&["schema"][..], "vouch.schema.json"), (&["schema", "--reference"], "reference.yaml")] {
        let output = vouch(arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout) == file(name), "{name} is not what `vouch {}` prints", arguments.join(" "));
    }
}

/// From nothing to certificates that agents take: as the README says it.
#[test]
fn certificates_are_made_checked_and_renewed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tls = folder.path().join("tls").display().to_string();
    let certs = |arguments: &[&str]| {
        let output = vouch(&[&["certs"], arguments].concat());
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    assert_eq!(certs(&["init", "--folder", &tls]).0, Some(0));
    let (status, said) = certs(&["init", "--folder", &tls]);
    assert_eq!(status, Some(1));
    assert!(said.contains("ca.key exists already"), "{said}");
    assert_eq!(certs(&["issue", "vtep1", "vtep2", "--address", "10.0.0.1", "--folder", &tls]).0, Some(0));
    let (status, said) = certs(&["show", &format!("{tls}/vtep1.pem")]);
    assert_eq!(status, Some(0));
    assert!(said.contains("for vtep1, 10.0.0.1") && said.contains("396 days more"), "{said}");

    let config = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/demo/vtep1.yaml"));
    let config = config.expect("the demo has it").replace("endpoint: http:", "endpoint: https:");
    let plaintext = config.lines().find(|line| line.contains("plaintext: true")).expect("the demo is on loopback");
    let path = folder.path().join("vtep1.yaml");
    let file = path.display().to_string();
    let checked = |config: String| {
        std::fs::write(&path, config).expect("the folder is writable");
        let output = vouch(&["check", &file]);
        (output.status.code(), text(&output.stdout))
    };
    let with = |cert: &str| {
        let files = format!("  tls: {{ca: tls/ca.pem, cert: tls/{cert}.pem, key: tls/{cert}.key}}");
        checked(config.replace(plaintext, &files))
    };
    let (status, report) = with("vtep1");
    assert_eq!(status, Some(0), "{report}");
    let (status, report) = with("vtep2");
    assert_eq!(status, Some(1), "{report}");
    assert!(report.contains("vtep2.pem: it is for `vtep2`, and our name is `vtep1`"), "{report}");
    let output = vouch(&["run", &file]);
    assert_eq!(output.status.code(), Some(78), "no peer would ever believe it");

    let demo = config.replace("endpoint: https:", "endpoint: http:");
    for section in ["tracing.tls", "switch.tls", "management.remote"] {
        let with = |key: &str| {
            let files = format!("ca: tls/ca.pem, cert: tls/vtep1.pem, key: tls/{key}.key");
            checked(match section {
                "tracing.tls" => format!("{demo}\ntracing:\n  otlp: https://127.0.0.1:4317\n  tls: {{{files}}}\n"),
                "switch.tls" => demo
                    .replace("switch:\n", &format!("switch:\n  tls: {{{files}}}\n"))
                    .replace("target: http:", "target: https:"),
                _ => format!("{demo}\nmanagement:\n  remote: {{listen: '127.0.0.1:7443', {files}}}\n"),
            })
        };
        let (status, report) = with("vtep1");
        assert_eq!(status, Some(0), "{report}");
        let (status, report) = with("vtep2");
        assert_eq!(status, Some(1), "{report}");
        assert!(report.contains(&format!("{section}: {tls}/vtep2.key: this key does not belong")), "{report}");
        let output = vouch(&["run", &file]);
        assert_eq!(output.status.code(), Some(78), "{section}: nobody would ever take it");
    }

    let before = std::fs::read(format!("{tls}/vtep1.pem")).expect("it is there");
    let (status, said) = certs(&["renew", "--folder", &tls]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
    assert_ne!(std::fs::read(format!("{tls}/vtep1.pem")).expect("it is there"), before);
    assert_eq!(with("vtep1").0, Some(0));
}

#[test]
fn help_names_the_exit_status() {
    assert!(text(&vouch(&["check", "--help"]).stdout).contains("The exit status is 0"));
    assert_eq!(vouch(&["check"]).status.code(), Some(2));
}
