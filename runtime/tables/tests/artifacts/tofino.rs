//! `build/tofino/`: the program for Tofino, by p4c's Tofino back end and assembler, and in a model of the hardware around it,
//! by `p4c-bm2-ss`.

use crate::set::{ArtifactSet, assert_names_no_machine, sources};
use crate::v1model;

const PROGRAM: &str = "vtep_tna.p4";
const MODEL: &str = "build/tofino/vtep_model.json";
const MODEL_P4INFO: &str = "build/tofino/vtep_model.p4info.txtpb";

#[test]
fn the_model_is_that_of_the_sources() {
    let set = ArtifactSet {
        compiler: "p4c-bm2-ss",
        sources: program_sources().chain(sources("tna_model/")).collect(),
        artifacts: &[MODEL_P4INFO, MODEL],
        stamp: "build/tofino/MODEL_STAMP",
        compile: |folder| v1model::compile(&["-DTNA_MODEL", PROGRAM], &folder.join(MODEL_P4INFO), &folder.join(MODEL)),
        normalise: |_, content| v1model::without_version(content),
    };
    set.check();
}

#[test]
fn artifacts_name_no_machine() {
    for artifact in [MODEL, MODEL_P4INFO] {
        assert_names_no_machine(artifact);
    }
}

fn program_sources() -> impl Iterator<Item = String> {
    ["tna_arch.p4", PROGRAM].map(str::to_owned).into_iter().chain(sources("parts/"))
}
