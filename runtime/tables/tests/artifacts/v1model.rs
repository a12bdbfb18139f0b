//! `build/`: the program for v1model, by `p4c-bm2-ss`.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::set::{ArtifactSet, assert_names_no_machine, owned, p4src, sources};

const P4INFO: &str = "build/vtep.p4info.txtpb";
const DEVICE_CONFIG: &str = "build/vtep.json";

#[test]
fn artifacts_are_those_of_the_sources() {
    let set = ArtifactSet {
        folder: p4src(),
        compiler: "p4c-bm2-ss",
        sources: ["v1model_arch.p4", "vtep.p4"].map(str::to_owned).into_iter().chain(sources("parts/")).collect(),
        artifacts: owned([P4INFO, DEVICE_CONFIG]),
        stamp: "build/STAMP",
        behind: None,
        compile: |folder| compile(&p4src(), &["vtep.p4"], &folder.join(P4INFO), &folder.join(DEVICE_CONFIG)),
        normalise: |_, content| without_version(content),
    };
    set.check();
}

#[test]
fn artifacts_name_no_machine() {
    assert_names_no_machine(P4INFO);
    assert_names_no_machine(DEVICE_CONFIG);
}

/// Runs the compiler in the sources' folder, so that the artifacts name them by relative paths.
pub(crate) fn compile(sources: &Path, program: &[&str], p4info: &Path, json: &Path) -> io::Result<()> {
    let output = Command::new("p4c-bm2-ss")
        .current_dir(sources)
        .args(["--arch", "v1model", "--p4runtime-files"])
        .arg(p4info)
        .arg("-o")
        .arg(json)
        .args(program)
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program:?} does not compile:\n{errors}");
    Ok(())
}

/// The JSON without the version of the compiler that wrote it; other files as they are.
pub(crate) fn without_version(content: Vec<u8>) -> Vec<u8> {
    match serde_json::from_slice::<serde_json::Value>(&content) {
        Ok(serde_json::Value::Object(mut json)) => {
            json.remove("__meta__");
            serde_json::to_vec_pretty(&json).expect("what was read can be written")
        }
        _ => content,
    }
}
