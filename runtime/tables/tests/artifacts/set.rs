//! One set of artifacts: which sources it is made of, what is made, and how.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest, Sha256};

const REGENERATE: &str =
    "run `UPDATE_ARTIFACTS=1 cargo test -p vouch-tables --test artifacts` with the compiler on the path";

/// The folder of the sources.
pub(crate) fn p4src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../p4src")
}

/// A committed set. Paths are relative to `p4src`.
pub(crate) struct ArtifactSet {
    /// The compiler's name on the path.
    pub(crate) compiler: &'static str,
    /// What it reads.
    pub(crate) sources: Vec<String>,
    /// What it writes.
    pub(crate) artifacts: &'static [&'static str],
    /// The hash of both.
    pub(crate) stamp: &'static str,
    /// Compiles into a folder, to the artifacts' paths in it. `NotFound` where there is no compiler.
    pub(crate) compile: fn(&Path) -> io::Result<()>,
    /// An artifact's content without what differs from one build of the same compiler to the next.
    pub(crate) normalise: fn(&str, Vec<u8>) -> Vec<u8>,
}

impl ArtifactSet {
    /// One check, because its steps depend on each other: artifacts are rewritten before the stamp, both before the
    /// comparisons.
    pub(crate) fn check(&self) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for artifact in self.artifacts {
            let path = folder.path().join(artifact);
            fs::create_dir_all(path.parent().expect("in a folder")).expect("the temporary folder is writable");
        }
        let compiled = match (self.compile)(folder.path()) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => panic!("{} cannot be run: {error}", self.compiler),
        };
        if compiled && env::var_os("UPDATE_ARTIFACTS").is_some() {
            for artifact in self.artifacts {
                fs::copy(folder.path().join(artifact), p4src().join(artifact)).expect("p4src is writable");
            }
            fs::write(p4src().join(self.stamp), self.hashes()).expect("p4src is writable");
        }

        let committed = fs::read_to_string(p4src().join(self.stamp)).expect("a committed stamp");
        let stamp = self.stamp;
        assert_eq!(committed, self.hashes(), "p4src/{stamp}: sources or artifacts have changed since; {REGENERATE}");

        if compiled {
            for artifact in self.artifacts {
                let read = |path: PathBuf| {
                    let content = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                    (self.normalise)(artifact, content)
                };
                let same = read(p4src().join(artifact)) == read(folder.path().join(artifact));
                assert!(same, "p4src/{artifact} is not what {} makes of the sources; {REGENERATE}", self.compiler);
            }
        } else {
            // Past the test harness, which shows the output of failed tests only.
            let compiler = self.compiler;
            writeln!(
                io::stderr(),
                "SKIPPED: {compiler} is not on the path; p4src/{stamp} was checked, nothing was recompiled"
            )
            .expect("stderr is open");
        }
    }

    fn hashes(&self) -> String {
        let artifacts: Vec<String> = self.artifacts.iter().map(|artifact| (*artifact).to_owned()).collect();
        format!("sources   {}\nartifacts {}\n", hash(&self.sources), hash(&artifacts))
    }
}

/// An absolute path in an artifact would differ on the next machine.
pub(crate) fn assert_names_no_machine(artifact: &str) {
    let content = fs::read(p4src().join(artifact)).expect("committed");
    assert!(!String::from_utf8_lossy(&content).contains("\"/"), "p4src/{artifact} contains an absolute path");
}

/// The P4 sources in a folder, sorted.
pub(crate) fn sources(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(p4src().join(folder)).expect("a folder of sources") {
        let entry = entry.expect("readable");
        let name = format!("{folder}{}", entry.file_name().to_string_lossy());
        if name.ends_with(".p4") {
            found.push(name);
        }
    }
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
