//! The corpus in `programs/`: small programs of our own, each about one construct of v1model, with the frames that have to come
//! out of it.
//!
//! `TOPIC/NAME.p4` begins with what it is about and what BMv2 does there, and gets everything else from `include/`.
//! `TOPIC/NAME.stf` is its test, and `build/TOPIC/` has the JSON and the P4Info that p4c makes of it, without what only says
//! where something stands in the source. `UPDATE_ARTIFACTS=1 cargo test -p vouch-tables --test artifacts` compiles them anew.
//!
//! A test that starts with `# not on BMv2: REASON` is played on the embedded switch only. A program without a test is refused
//! by every switch.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use p4_switch::stf::{Options, Program, Remote, Suite};
use p4_switch::streamed::Streamed;
use vouch_p4runtime::P4Info;

use crate::rig::Result;

/// How a test says that BMv2 cannot play it.
const NOT_ON_BMV2: &str = "# not on BMv2: ";

/// The folder of the corpus.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

/// A program of the corpus with its test.
#[derive(Clone, Debug)]
pub struct Case {
    /// `TOPIC/NAME`.
    pub name: String,
    /// The test.
    pub test: PathBuf,
    /// The compiled program.
    pub json: PathBuf,
    info: PathBuf,
}

/// Every program that has a test, in the order of their names.
///
/// # Errors
/// A folder that cannot be read.
pub fn cases() -> io::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for topic in fs::read_dir(folder())? {
        let topic = topic?.path();
        for test in fs::read_dir(&topic).into_iter().flatten() {
            let test = test?.path();
            if test.extension().is_none_or(|ending| ending != "stf") {
                continue;
            }
            let name = test.with_extension("").strip_prefix(folder()).map(|name| name.display().to_string());
            let name = name.map_err(io::Error::other)?;
            let built = folder().join("build").join(format!("{name}.json"));
            cases.push(Case { name, test, info: built.with_extension("p4info.txtpb"), json: built });
        }
    }
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(cases)
}

impl Case {
    /// Why BMv2 cannot play it, if so.
    ///
    /// # Errors
    /// The test cannot be read.
    pub fn not_on_bmv2(&self) -> io::Result<Option<String>> {
        let text = fs::read_to_string(&self.test)?;
        Ok(text.lines().next().and_then(|line| line.strip_prefix(NOT_ON_BMV2)).map(str::to_owned))
    }

    /// Play it on the packet engine in this process.
    ///
    /// # Errors
    /// What was not as the test says.
    pub fn play_in_process(&self) -> Result<()> {
        let (json, info) = self.artifacts()?;
        self.verdict(Program::embedded(Program::rules(json.as_bytes(), Some(info))?, Options::default()))
    }

    /// Play it on another switch, over P4Runtime. Starts a runtime of its own.
    ///
    /// # Errors
    /// What was not as the test says.
    pub fn play_on(&self, target: &dyn Streamed) -> Result<()> {
        let (json, info) = self.artifacts()?;
        let rules = Program::rules(json.as_bytes(), Some(info))?;
        let device = Remote::start(target, &rules, json.as_bytes())?;
        self.verdict(Program::new(rules, Box::new(device), Options::default()))
    }

    fn artifacts(&self) -> Result<(String, Arc<P4Info>)> {
        let info = P4Info::from_text(&fs::read_to_string(&self.info)?)?;
        Ok((fs::read_to_string(&self.json)?, Arc::new(info)))
    }

    /// A test that is not run is a failure as well: nothing in the corpus is left out silently.
    fn verdict(&self, mut program: Program) -> Result<()> {
        let mut said = Vec::new();
        let mut suite = Suite::new(&mut said, true);
        suite.play(&mut program, std::slice::from_ref(&self.test))?;
        if suite.close()?.passed == 1 { Ok(()) } else { Err(String::from_utf8_lossy(&said).into()) }
    }
}
