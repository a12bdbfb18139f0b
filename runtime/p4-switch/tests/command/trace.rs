//! `p4-switch trace` on a capture, against texts that are kept: regenerate them with UPDATE_TRACES=1.

use std::fs;

use crate::support::{file, frame, p4_switch, text, write};

fn traced(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let packets = folder.path().join("packets.pcap");
    write(&packets, &[(0, frame(1)), (1, vec![2; 10])]);
    let program = file("programs/patch.json");
    let output = p4_switch().arg("trace").arg(program).arg(packets).args(arguments).output();
    let output = output.expect("the command runs");
    let (stdout, stderr) = text(&output);
    assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""));
    stdout
}

fn is_kept(name: &str, text: &str) {
    let path = file("traces").join(name);
    if std::env::var_os("UPDATE_TRACES").is_some() {
        fs::create_dir_all(file("traces")).expect("the folder is made");
        fs::write(&path, text).expect("the text is written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{name} has changed; it is now:\n{text}");
}

#[test]
fn packets_are_explained_to_people_and_programs() {
    is_kept("patch.txt", &traced(&["--port", "2"]));
    let entries = file("programs/patch.txt");
    is_kept("patch_entries.txt", &traced(&["--entries", entries.to_str().expect("a plain path")]));
    is_kept("patch.jsonl", &traced(&["--json"]));
}

#[test]
fn a_program_that_does_not_load_is_refused_with_the_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (program, packets) = (folder.path().join("program.json"), folder.path().join("packets.pcap"));
    fs::write(&program, r#"{"parsers": 7}"#).expect("the file is written");
    write(&packets, &[]);
    let output = p4_switch().arg("trace").args([&program, &packets]).output().expect("the command runs");
    let (_, stderr) = text(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("program.json: ") && stderr.contains("parsers"), "{stderr}");
}
