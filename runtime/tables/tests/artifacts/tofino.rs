//! `build/tofino/`: the program for Tofino, by p4c's Tofino back end and assembler, and in a model of the hardware around it,
//! by `p4c-bm2-ss`.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

use serde_json::Value;
use vouch_p4runtime::P4Info;
use vouch_tables::Tables;

use crate::set::{ArtifactSet, assert_names_no_machine, owned, p4src, sources};
use crate::{fit, v1model};

const PROGRAM: &str = "vtep_tna.p4";
const P4INFO: &str = "build/tofino/vtep.p4info.txtpb";
const BFRT: &str = "build/tofino/bfrt.json";
const BINARY: &str = "build/tofino/tofino.bin";
const CONTEXT: &str = "build/tofino/context.json";
const FIT: &str = "build/tofino/fit.txt";
const MODEL: &str = "build/tofino/vtep_model.json";
const MODEL_P4INFO: &str = "build/tofino/vtep_model.p4info.txtpb";
/// The model of the program without checksum unit, which p4testgen's tests of the underlay are of.
const UNCHECKED: &str = "build/tofino/vtep_model_unchecked.json";
/// The model of the program for Tofino 2, which has what Tofino 1 has no room for.
const MODEL_2: &str = "build/tofino/vtep_model_tofino2.json";
const MODEL_2_P4INFO: &str = "build/tofino/vtep_model_tofino2.p4info.txtpb";

#[test]
fn artifacts_are_those_of_the_sources() {
    let set = ArtifactSet {
        folder: p4src(),
        compiler: "p4c-barefoot",
        sources: program_sources().collect(),
        artifacts: owned([P4INFO, BFRT, BINARY, CONTEXT, FIT]),
        stamp: "build/tofino/STAMP",
        behind: Some("build/tofino/NOT_COMPILED"),
        compile,
        normalise: without_run,
    };
    set.check();
}

#[test]
fn the_model_is_that_of_the_sources() {
    let set = ArtifactSet {
        folder: p4src(),
        compiler: "p4c-bm2-ss",
        sources: program_sources().chain(sources("tna_model/")).collect(),
        artifacts: owned([MODEL_P4INFO, MODEL, UNCHECKED, MODEL_2_P4INFO, MODEL_2]),
        stamp: "build/tofino/MODEL_STAMP",
        behind: None,
        compile: |folder| {
            let p4info = folder.join(MODEL_P4INFO);
            v1model::compile(&p4src(), &["-DTNA_MODEL", "-DUNCHECKED", PROGRAM], &p4info, &folder.join(UNCHECKED))?;
            v1model::compile(&p4src(), &["-DTNA_MODEL", PROGRAM], &p4info, &folder.join(MODEL))?;
            let (tofino_2, p4info) = (["-DTNA_MODEL", "-D__TARGET_TOFINO__=2", PROGRAM], folder.join(MODEL_2_P4INFO));
            v1model::compile(&p4src(), &tofino_2, &p4info, &folder.join(MODEL_2))
        },
        normalise: |_, content| v1model::without_version(content),
    };
    set.check();
}

#[test]
fn artifacts_name_no_machine() {
    for artifact in [P4INFO, BFRT, CONTEXT, FIT, MODEL, MODEL_P4INFO, UNCHECKED, MODEL_2, MODEL_2_P4INFO] {
        assert_names_no_machine(artifact);
    }
}

/// One controller for both: the same names, widths and kinds, whatever the compiler numbers them. Tofino 1 has no room for several
/// next hops, nor for IPv6 in the underlay.
#[test]
fn the_tables_are_those_of_the_program_for_v1model() {
    for p4info in [P4INFO, MODEL_P4INFO] {
        let text = fs::read_to_string(p4src().join(p4info)).expect("committed");
        let info = P4Info::from_text(&text).unwrap_or_else(|error| panic!("p4src/{p4info}: {error}"));
        let tables = Tables::bind(&info).unwrap_or_else(|error| panic!("p4src/{p4info}: {error}"));
        assert!(!tables.shares_next_hops() && !tables.carries_ipv6(), "p4src/{p4info}");
        let names = |info: &P4Info| info.tables().map(|table| table.name.clone()).collect::<Vec<_>>();
        let (mut theirs, mut ours) = (names(&info), names(&vouch_tables::p4info()));
        let elsewhere = ["next_hop", "neighbour", "local_vtep_ipv6", "underlay_peer_ipv6", "underlay_route_ipv6"];
        ours.retain(|name| !elsewhere.contains(&name.as_str()));
        theirs.sort();
        ours.sort();
        assert_eq!(theirs, ours, "p4src/{p4info}");
    }
}

fn program_sources() -> impl Iterator<Item = String> {
    ["tna_arch.p4", PROGRAM].map(str::to_owned).into_iter().chain(sources("parts/"))
}

/// Compiles and assembles, from `p4src`, so that the artifacts name their sources by relative paths.
fn compile(folder: &Path) -> io::Result<()> {
    let scratch = folder.join("out");
    run(Command::new("p4c-barefoot")
        .args(["--target", "tofino", "--arch", "tna", "-D__TARGET_TOFINO__=1", "--p4runtime-force-std-externs"])
        .arg("--p4runtime-files")
        .arg(folder.join(P4INFO))
        .arg("--bf-rt-schema")
        .arg(folder.join(BFRT))
        .arg("-o")
        .arg(&scratch)
        .arg(PROGRAM))?;
    let pipe = scratch.join("pipe");
    let said = run(Command::new("bfas").args(["--target", "tofino", "-o"]).arg(&pipe).arg(pipe.join("vtep_tna.bfa")))?;
    // A parser state that always goes the same way. p4c at 34b86e9 writes all of them so: it leaves out which registers a
    // state matches (AllocateParserMatchRegisters).
    assert!(!said.contains("Can't match parser state"), "the compiler lost what parser states match:\n{said}");
    fs::copy(pipe.join("tofino.bin"), folder.join(BINARY))?;
    let context: Value = serde_json::from_slice(&fs::read(pipe.join("context.json"))?)?;
    fs::write(folder.join(CONTEXT), serde_json::to_vec(&context)?)?;
    fs::write(folder.join(FIT), fit::report(&context))
}

/// What the command said.
fn run(command: &mut Command) -> io::Result<String> {
    let output = command.current_dir(p4src()).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}:\n{said}");
    Ok(said)
}

/// Each run of the compiler has an id, each context its date, and bfrt.json an order that is a matter of chance: which of
/// the chip's snapshot tables, which no program has a say in, comes first, and with it what they call each other.
fn without_run(artifact: &str, mut content: Vec<u8>) -> Vec<u8> {
    match artifact {
        BFRT => {
            let mut schema: Value = serde_json::from_slice(&content).expect("the compiler writes JSON");
            sort(&mut schema);
            schema.to_string().into_bytes()
        }
        CONTEXT => {
            let mut context: Value = serde_json::from_slice(&content).expect("the assembler writes JSON");
            for key in ["build_date", "run_id"] {
                context[key] = Value::Null;
            }
            context.to_string().into_bytes()
        }
        BINARY => {
            const LABEL: &[u8] = b"run_id\0";
            let place =
                content.windows(LABEL.len()).position(|window| window == LABEL).expect("the binary has a run id");
            // A BSON string: four bytes of length, 16 digits, zero.
            content[place + LABEL.len() + 4..][..16].fill(b'0');
            content
        }
        _ => content,
    }
}

/// Every array in the order of its elements' texts, and without snapshot tables.
fn sort(value: &mut Value) {
    match value {
        Value::Array(elements) => {
            elements.retain(|element| !element["name"].as_str().is_some_and(|name| name.contains(".snapshot.")));
            elements.iter_mut().for_each(sort);
            elements.sort_by_cached_key(Value::to_string);
        }
        Value::Object(members) => members.values_mut().for_each(sort),
        _ => {}
    }
}
