//! The compiled test programs are those that their sources compile to, where the compiler is there to ask.

use std::path::Path;
use std::process::Command;

/// Another version may write the same program differently.
const COMPILER: &str = "1.2.5.16";

#[test]
fn the_compiled_programs_are_up_to_date() {
    let version = match Command::new("p4c-bm2-ss").arg("--version").output() {
        // It says its version on the error stream.
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => {
            eprintln!("SKIPPED: p4c-bm2-ss cannot be run ({error}), so nothing was compared");
            return;
        }
    };
    if !version.contains(COMPILER) {
        eprintln!("SKIPPED: the compiler is {version:?} and not {COMPILER}, so nothing was compared");
        return;
    }
    compare("tests/programs", "kinds", &version);
    compare("tests/programs", "names", &version);
    compare("../p4-switch/tests/programs", "patch", &version);
}

fn compare(folder: &str, program: &str, version: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let fresh = tempfile::tempdir().expect("a temporary folder");
    let json = fresh.path().join(format!("{program}.json"));
    let p4info = fresh.path().join(format!("{program}.p4info.txtpb"));
    let output = Command::new("p4c-bm2-ss")
        .args(["--std", "p4-16", "--arch", "v1model", "--p4runtime-files"])
        .arg(&p4info)
        .arg("-o")
        .arg(&json)
        .arg(format!("{program}.p4"))
        .current_dir(&folder)
        .output()
        .expect("it ran a moment ago");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for path in [json, p4info] {
        let committed = folder.join(path.file_name().expect("it is a file"));
        let read = |path: &Path| std::fs::read_to_string(path).expect("a text file");
        assert!(
            read(&path) == read(&committed),
            "{} differs from what {version} makes of {program}.p4",
            committed.display()
        );
    }
}
