//! The tests that p4testgen makes of the program, from models that are not ours: of the one for v1model in `p4src/build/tests`,
//! from its model of BMv2, and of the one for Tofino in `p4src/build/tofino/tests`, from its model of TNA.
//!
//! Each has entries, one packet, and what comes out and where, or that nothing does. Bytes that the model does not know are
//! left open: for Tofino, what a checksum unit computes and what depends on the packet's length. It has no multicast and no
//! meters, and for Tofino no mirrors; what they send nobody expects, and here nothing is configured that would send it.
//!
//! Every test that is kept is played on the packet engine, behind P4Runtime, and on BMv2, and passes on all three.
//!
//! For v1model, some that p4testgen makes are not kept. Where a frame is cloned and also forwarded, its model takes the end of the
//! call for the end of ingress and expects an empty frame out of port 0, which no switch sends. One has the length of a frame
//! of 14 bytes for 12, and some take the CPU port or the drop port for one to send by.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use p4_switch::stf::{Options, Program, Remote, Suite};
use p4_switch::streamed::Streamed;
use vouch_bmv2_tests::rig::Result;
use vouch_p4runtime::P4Info;

/// A build of the program: P4Info and JSON.
pub(crate) type Build = (&'static str, &'static [u8]);

const TOFINO_P4INFO: &str = include_str!("../../../p4src/build/tofino/vtep_model.p4info.txtpb");

/// For Tofino, with v1model playing the hardware around it.
pub(crate) const TOFINO: Build = (TOFINO_P4INFO, include_bytes!("../../../p4src/build/tofino/vtep_model.json"));
/// The same without checksum unit.
pub(crate) const UNCHECKED: Build =
    (TOFINO_P4INFO, include_bytes!("../../../p4src/build/tofino/vtep_model_unchecked.json"));
/// For v1model.
pub(crate) const V1MODEL: Build =
    (include_str!("../../../p4src/build/vtep.p4info.txtpb"), include_bytes!("../../../p4src/build/vtep.json"));

/// Folders of tests, in `p4src/build`: for v1model; for Tofino, and for Tofino without checksum unit.
pub(crate) const OF_V1MODEL: &str = "tests";
pub(crate) const OF_TOFINO: &str = "tofino/tests/whole";
pub(crate) const OF_UNCHECKED: &str = "tofino/tests/unchecked";

/// Every test in a folder, on the packet engine in this process.
pub(crate) fn play_in_process((p4info, json): Build, folder: &str) -> Result<()> {
    let rules = Program::rules(json, Some(Arc::new(P4Info::from_text(p4info)?)))?;
    let tests = tests(folder)?;
    verdict(Program::embedded(rules, Options::default()), &tests)
}

/// Every test in a folder, on another switch, with each of these builds.
pub(crate) fn play_on(target: &dyn Streamed, builds: &[Build], folder: &str) -> Result<()> {
    let tests = tests(folder)?;
    for (p4info, json) in builds {
        let rules = Program::rules(json, Some(Arc::new(P4Info::from_text(p4info)?)))?;
        let device = Remote::start(target, &rules, json)?;
        verdict(Program::new(rules, Box::new(device), Options::default()), &tests)?;
    }
    Ok(())
}

fn tests(folder: &str) -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../p4src/build").join(folder);
    let mut tests = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        tests.push(entry?.path());
    }
    tests.sort();
    Ok(tests)
}

fn verdict(mut program: Program, tests: &[PathBuf]) -> Result<()> {
    let mut said = Vec::new();
    let mut suite = Suite::new(&mut said, true);
    suite.play(&mut program, tests)?;
    let summary = suite.close()?;
    if summary.passed == tests.len() && !tests.is_empty() {
        return Ok(());
    }
    Err(format!("of {} tests:\n{}", tests.len(), String::from_utf8_lossy(&said)).into())
}
