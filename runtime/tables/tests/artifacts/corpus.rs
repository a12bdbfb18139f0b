//! `bmv2-tests/programs/build/`: the corpus of small programs for v1model, by `p4c-bm2-ss`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::Value;

use crate::set::{ArtifactSet, sources_in};
use crate::v1model;

const INCLUDED: &str = "include/";
const BUILD: &str = "build/";

#[test]
fn artifacts_are_those_of_the_sources() {
    let mut sources = programs();
    let made = |ending| move |program: &String| format!("{BUILD}{}", program.replace(".p4", ending));
    let artifacts =
        [".json", ".p4info.txtpb"].into_iter().flat_map(|ending| sources.iter().map(made(ending))).collect();
    sources.extend(sources_in(&corpus(), INCLUDED));
    let set = ArtifactSet {
        folder: corpus(),
        compiler: "p4c-bm2-ss",
        sources,
        artifacts,
        stamp: "build/STAMP",
        behind: None,
        compile: |folder| {
            let programs = programs();
            let share = programs.len().div_ceil(thread::available_parallelism().map_or(1, Into::into));
            thread::scope(|scope| {
                let workers: Vec<_> = programs
                    .chunks(share)
                    .map(|programs| {
                        scope.spawn(move || programs.iter().try_for_each(|program| compile(folder, program)))
                    })
                    .collect();
                workers.into_iter().try_for_each(|worker| worker.join().expect("no compiler panics"))
            })
        },
        normalise: |_, content| v1model::without_version(content),
    };
    set.check();
}

/// The folder of the corpus.
fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bmv2-tests/programs")
}

/// Every program, as `TOPIC/NAME.p4`.
fn programs() -> Vec<String> {
    let mut topics: Vec<String> = fs::read_dir(corpus())
        .expect("a folder of topics")
        .map(|topic| topic.expect("readable"))
        .filter(|topic| topic.path().is_dir())
        .map(|topic| format!("{}/", topic.file_name().to_string_lossy()))
        .filter(|topic| topic != INCLUDED && topic != BUILD)
        .collect();
    topics.sort();
    topics.iter().flat_map(|topic| sources_in(&corpus(), topic)).collect()
}

/// Compiles a program, and leaves out of its JSON what only says where something stands in the source.
fn compile(folder: &Path, program: &str) -> io::Result<()> {
    let made = folder.join(BUILD).join(program);
    let json = made.with_extension("json");
    v1model::compile(&corpus(), &[program], &made.with_extension("p4info.txtpb"), &json)?;
    let mut content: Value = serde_json::from_slice(&fs::read(&json)?)?;
    without_places(&mut content);
    fs::write(json, format!("{content}\n"))
}

fn without_places(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("source_info");
            members.remove("program");
            members.values_mut().for_each(without_places);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_places),
        _ => {}
    }
}
