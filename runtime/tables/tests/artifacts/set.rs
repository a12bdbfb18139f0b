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

/// A committed set. Paths are relative to its folder.
pub(crate) struct ArtifactSet {
    /// The folder of sources and artifacts.
    pub(crate) folder: PathBuf,
    /// The compiler's name on the path.
    pub(crate) compiler: &'static str,
    /// What it reads.
    pub(crate) sources: Vec<String>,
    /// What it writes.
    pub(crate) artifacts: Vec<String>,
    /// The hash of both.
    pub(crate) stamp: &'static str,
    /// Has that hash in the stamp's place where the artifacts are of earlier sources, because the compiler was not at hand. It is said with every run,
    /// holds for these sources only, and goes with the next compilation.
    pub(crate) behind: Option<&'static str>,
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
        for artifact in &self.artifacts {
            let path = folder.path().join(artifact);
            fs::create_dir_all(path.parent().expect("in a folder")).expect("the temporary folder is writable");
        }
        let compiled = match (self.compile)(folder.path()) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => panic!("{} cannot be run: {error}", self.compiler),
        };
        if compiled && env::var_os("UPDATE_ARTIFACTS").is_some() {
            for artifact in &self.artifacts {
                let to = self.folder.join(artifact);
                fs::create_dir_all(to.parent().expect("in a folder")).expect("the folder is writable");
                fs::copy(folder.path().join(artifact), to).expect("the folder is writable");
            }
            fs::write(self.folder.join(self.stamp), self.hashes()).expect("the folder is writable");
            if let Some(behind) = self.behind.map(|behind| self.folder.join(behind)).filter(|behind| behind.exists()) {
                fs::remove_file(behind).expect("the folder is writable");
            }
        }
        if let Some(behind) = self.behind.map(|behind| self.folder.join(behind)).filter(|behind| behind.exists())
            && !compiled
        {
            let (committed, name) = (fs::read_to_string(&behind).expect("readable"), behind.display());
            assert_eq!(committed, self.hashes(), "{name}: sources or artifacts have changed since; {REGENERATE}");
            say(&format!("NOT COMPILED: the artifacts of {name} are of earlier sources; {REGENERATE}"));
            return;
        }

        let stamp = self.folder.join(self.stamp);
        let committed = fs::read_to_string(&stamp).expect("a committed stamp");
        let stamp = stamp.display();
        assert_eq!(committed, self.hashes(), "{stamp}: sources or artifacts have changed since; {REGENERATE}");

        if compiled {
            for artifact in &self.artifacts {
                let read = |path: PathBuf| {
                    let content = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                    (self.normalise)(artifact, content)
                };
                let committed = self.folder.join(artifact);
                let same = read(committed.clone()) == read(folder.path().join(artifact));
                let (committed, compiler) = (committed.display(), self.compiler);
                assert!(same, "{committed} is not what {compiler} makes of the sources; {REGENERATE}");
            }
        } else {
            let compiler = self.compiler;
            say(&format!("SKIPPED: {compiler} is not on the path; {stamp} was checked, nothing was recompiled"));
        }
    }

    fn hashes(&self) -> String {
        let [sources, artifacts] = [&self.sources, &self.artifacts].map(|names| hash(&self.folder, names));
        format!("sources   {sources}\nartifacts {artifacts}\n")
    }
}

/// Past the test harness, which shows the output of failed tests only.
fn say(what: &str) {
    writeln!(io::stderr(), "{what}").expect("stderr is open");
}

/// An absolute path in an artifact would differ on the next machine.
pub(crate) fn assert_names_no_machine(artifact: &str) {
    let content = fs::read(p4src().join(artifact)).expect("committed");
    assert!(!String::from_utf8_lossy(&content).contains("\"/"), "p4src/{artifact} contains an absolute path");
}

/// The P4 sources in a folder of `p4src`, sorted.
pub(crate) fn sources(folder: &str) -> Vec<String> {
    sources_in(&p4src(), folder)
}

/// The P4 sources in a folder of another, sorted.
pub(crate) fn sources_in(root: &Path, folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(folder)).expect("a folder of sources") {
        let entry = entry.expect("readable");
        let name = format!("{folder}{}", entry.file_name().to_string_lossy());
        if name.ends_with(".p4") {
            found.push(name);
        }
    }
    found.sort();
    found
}

/// Names as a set has them.
pub(crate) fn owned<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

/// Name, length and content of each, so that no two different sets hash alike.
fn hash(folder: &Path, names: &[String]) -> String {
    let mut hasher = Sha256::new();
    for name in names {
        let path = folder.join(name);
        let content = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        hasher.update(format!("{name}\n{}\n", content.len()));
        hasher.update(&content);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
