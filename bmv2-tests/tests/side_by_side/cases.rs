//! Cases made from seeds, and scenarios from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use p4_switch::differ::{Findings, Subject};
use p4_switch::stf::{Options, Program, Remote, Suite, Summary};
use vouch_bmv2_tests::Processes;
use vouch_bmv2_tests::harness::{Failure, TestResult};
use vouch_p4runtime::P4Info;

/// Cases of each program. `p4-switch differ` plays as many as one likes.
const CASES: u64 = 15;

/// Programs with a folder of scenarios below `scenarios`.
fn subjects() -> [Subject; 2] {
    [vtep(), router()]
}

/// The project's own pipeline.
fn vtep() -> Subject {
    Subject {
        name: "vtep".to_owned(),
        json: include_bytes!("../../../p4src/build/vtep.json").to_vec(),
        info: include_str!("../../../p4src/build/vtep.p4info.txtpb").to_owned(),
    }
}

/// An IPv4 router with an access list.
fn router() -> Subject {
    Subject {
        name: "router".to_owned(),
        json: include_bytes!("../../../runtime/switch/tests/programs/router.json").to_vec(),
        info: include_str!("../../../runtime/switch/tests/programs/router.p4info.txtpb").to_owned(),
    }
}

/// Both switches do the same in every case.
pub(crate) async fn random(switches: Arc<Processes>) -> TestResult {
    // It starts a runtime of its own.
    tokio::task::spawn_blocking(move || {
        for subject in subjects() {
            let found = subject.compare(&*switches, 1..=CASES)?;
            let expected = Findings { same: CASES as usize, ..Findings::default() };
            if found != expected {
                return Err(Failure::from(format!("{}: {found:#?}", subject.name)));
            }
        }
        Ok(())
    })
    .await?
}

/// What random cases once showed stays right, on the packet engine and on a switch.
pub(crate) async fn kept(switches: Arc<Processes>) -> TestResult {
    tokio::task::spawn_blocking(move || {
        for Subject { name, json, info } in subjects() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(&name);
            let paths = [folder];
            let rules = Program::rules(&json, Some(Arc::new(P4Info::from_text(&info)?)))?;
            let device = Remote::start(&*switches, &rules, &json)?;
            let embedded = Program::embedded(rules.clone(), Options::default());
            for program in [embedded, Program::new(rules, Box::new(device), Options::default())] {
                all_pass(program, &paths)?;
            }
        }
        Ok(())
    })
    .await?
}

fn all_pass(mut program: Program, paths: &[PathBuf]) -> TestResult {
    let mut printed = Vec::new();
    let mut suite = Suite::new(&mut printed, true);
    suite.play(&mut program, paths)?;
    match suite.close()? {
        Summary { passed: 1.., failed: 0, skipped: 0 } => Ok(()),
        _ => Err(String::from_utf8_lossy(&printed).into_owned().into()),
    }
}

/// Where the other switch runs another program, the difference is shrunk to one packet and the entries that matter.
pub(crate) async fn difference(switches: Arc<Processes>) -> TestResult {
    tokio::task::spawn_blocking(move || {
        let router = router();
        // What is left of the time to live is masked, in the other one with nothing.
        let text = String::from_utf8(router.json.clone())?;
        let other = text.replace("\"value\" : \"0xff\"", "\"value\" : \"0x00\"");
        if other == text {
            return Err(Failure::from("the router counts down in another way"));
        }
        let found = router.compare_with(other.as_bytes(), &*switches, 1..=200)?;
        let found = found.difference.ok_or("no difference is found")?;
        let count = |word: &str| found.scenario.lines().filter(|line| line.starts_with(word)).count();
        match (count("packet "), count("expect "), count("add \"I.next_hops\""), count("add ")) {
            (1, 1, 1, 2..=3) => Ok(()),
            counts => Err(format!("{counts:?}: {found:#?}").into()),
        }
    })
    .await?
}
