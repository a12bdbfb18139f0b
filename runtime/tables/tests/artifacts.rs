//! The committed artifacts are those of the committed sources.
//!
//! The stamp beside them is a hash of both and is always checked. Where `p4c-bm2-ss` is on the path, the program is
//! compiled again and compared. `UPDATE_ARTIFACTS=1 cargo test -p vouch-tables --test artifacts` compiles, and writes
//! artifacts and stamp.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use sha2::{Digest, Sha256};

const P4INFO: &str = "build/vtep.p4info.txtpb";
const DEVICE_CONFIG: &str = "build/vtep.json";
const STAMP: &str = "build/STAMP";

const REGENERATE: &str =
    "run `UPDATE_ARTIFACTS=1 cargo test -p vouch-tables --test artifacts` with p4c-bm2-ss on the path";

fn p4src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../p4src")
}

/// The P4 sources, by path from `p4src`, sorted.
fn sources() -> Vec<String> {
    fn collect(folder: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("p4src is readable") {
            let entry = entry.expect("p4src is readable");
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                collect(&entry.path(), &format!("{name}/"), found);
            } else if name.ends_with(".p4") {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    collect(&p4src(), "", &mut found);
    found.sort();
    found
}

/// Name, length and content of each, so that no two different sets hash alike.
fn hash(names: &[String]) -> String {
    let mut hasher = Sha256::new();
    for name in names {
        let content = fs::read(p4src().join(name)).unwrap_or_else(|error| panic!("p4src/{name}: {error}"));
        hasher.update(format!("{name}\n{}\n", content.len()));
        hasher.update(&content);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stamp() -> String {
    let artifacts = [DEVICE_CONFIG, P4INFO].map(str::to_owned);
    format!("sources   {}\nartifacts {}\n", hash(&sources()), hash(&artifacts))
}

/// Compiles into `folder`, from `p4src`, so that the artifacts name their sources by relative paths.
fn compile(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder.join("build"))?;
    let output = Command::new("p4c-bm2-ss")
        .current_dir(p4src())
        .args(["--arch", "v1model", "--p4runtime-files"])
        .arg(folder.join(P4INFO))
        .arg("-o")
        .arg(folder.join(DEVICE_CONFIG))
        .arg("vtep.p4")
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "p4src/vtep.p4 does not compile:\n{errors}");
    Ok(())
}

/// What differs between two compilers of the same program, taken out: the JSON's own version.
fn normalised_json(path: &Path) -> serde_json::Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut json: serde_json::Value = serde_json::from_slice(&text).expect("p4c writes JSON");
    json.as_object_mut().expect("an object").remove("__meta__");
    json
}

/// One test, because the steps depend on each other: artifacts are rewritten before the stamp, both before the checks.
#[test]
fn artifacts_are_those_of_the_sources() {
    let update = env::var_os("UPDATE_ARTIFACTS").is_some();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let compiled = match compile(folder.path()) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => panic!("p4c-bm2-ss cannot be run: {error}"),
    };

    if update {
        assert!(compiled, "p4c-bm2-ss is not on the path: nothing to update the artifacts with");
        for artifact in [P4INFO, DEVICE_CONFIG] {
            fs::copy(folder.path().join(artifact), p4src().join(artifact)).expect("p4src/build is writable");
        }
        fs::write(p4src().join(STAMP), stamp()).expect("p4src/build is writable");
    }

    let committed = fs::read_to_string(p4src().join(STAMP)).expect("p4src/build/STAMP");
    assert_eq!(committed, stamp(), "sources or artifacts have changed since they were stamped; {REGENERATE}");

    if compiled {
        let committed = normalised_json(&p4src().join(DEVICE_CONFIG));
        let again = normalised_json(&folder.path().join(DEVICE_CONFIG));
        assert!(committed == again, "p4src/{DEVICE_CONFIG} is not what p4c makes of the sources; {REGENERATE}");
        let text = |path: PathBuf| fs::read_to_string(path).expect("p4c has written it");
        let again = text(folder.path().join(P4INFO));
        assert_eq!(text(p4src().join(P4INFO)), again, "p4src/{P4INFO} is not what p4c makes; {REGENERATE}");
    } else {
        // Past the test harness, which shows the output of failed tests only.
        let note = "SKIPPED: p4c-bm2-ss is not on the path; the stamp alone was checked, nothing was recompiled";
        writeln!(io::stderr(), "{note}").expect("stderr is open");
    }
}

/// An absolute path in the artifacts would differ on the next machine.
#[test]
fn artifacts_name_no_machine() {
    for artifact in [P4INFO, DEVICE_CONFIG] {
        let text = fs::read_to_string(p4src().join(artifact)).expect("committed");
        assert!(!text.contains("\"/"), "p4src/{artifact} contains an absolute path");
    }
}
