//! A row is a test. A machine that runs tests is busy, and one that stalls for 20 ms loses packets that no switch has lost: a row
//! that has not held is played again, and its test says so. What a fabric does wrong, it does wrong each time.

use std::path::Path;
use std::process::{Command, ExitCode, id};
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};
use vouch_bmv2_tests::linux::agent::become_agent;
use vouch_bmv2_tests::linux::netns::clean_up;
use vouch_bmv2_tests::linux::world::Site;
use vouch_bmv2_tests::linux::{Failure, missing};
use vouch_bmv2_tests::process;
use vouch_bmv2_tests::rows::report::{HEADER, Line};
use vouch_bmv2_tests::rows::{CASES, Case, Extent, Stage};

const ATTEMPTS: u32 = 3;

pub(crate) fn main() -> ExitCode {
    if let Some(status) = process::become_switch().or_else(become_agent) {
        return status;
    }
    let mut arguments = Arguments::from_args();
    // Each takes the whole machine.
    arguments.test_threads = Some(1);
    let missing = missing();
    if let Some(reason) = &missing {
        println!("skipped: {reason}");
    }
    let stage = if missing.is_some() || arguments.list { None } else { Some(prepare()) };
    let stage = match stage.transpose() {
        Ok(stage) => Arc::new(Mutex::new(stage)),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let trials = CASES.iter().filter(|case| case.quick).map(|case| {
        let stage = Arc::clone(&stage);
        let body = move || match &*stage.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(stage) => play(case, stage),
            None => Err("it was skipped".into()),
        };
        Trial::test(format!("row_{}", case.name), body).with_ignored_flag(missing.is_some())
    });
    let left = Trial::test("what_a_killed_run_leaves_is_taken_away", left).with_ignored_flag(missing.is_some());
    let standing =
        Trial::test("a_fabric_stands_until_it_is_ended_and_leaves_nothing", crate::standing::stands_and_goes);
    let standing = standing.with_ignored_flag(missing.is_some());
    libtest_mimic::run(&arguments, trials.chain([left, standing]).collect()).exit_code()
}

/// What carries our prefix and has no owner any more, and nothing else.
fn left() -> Result<(), Failed> {
    let mut ended = Command::new("true").spawn()?;
    let (dead, mine, others) = (format!("vf-{}-x", ended.id()), format!("vf-{}-x", id()), "vf-others".to_owned());
    ended.wait()?;
    let ip = |word: &str, name: &str| Command::new("ip").args(["netns", word, name]).status();
    for name in [&dead, &mine, &others] {
        ip("add", name)?;
    }
    let folders = tempfile::tempdir()?;
    std::fs::create_dir(folders.path().join(&dead))?;
    let gone = clean_up(folders.path());
    let there = |name: &String| Path::new("/run/netns").join(name).exists();
    let left = (there(&dead), there(&mine), there(&others), folders.path().join(&dead).exists());
    for name in [&mine, &others] {
        ip("delete", name)?;
    }
    match (gone?, left) {
        (gone, (false, true, true, false)) if gone == [dead.clone(), dead] => Ok(()),
        (gone, left) => Err(format!("gone: {gone:?}, left: {left:?}").into()),
    }
}

fn prepare() -> Result<Stage, Failure> {
    clean_up(&std::env::temp_dir())?;
    Ok(Stage::new(Site::prepare(None, None)?, Extent::QUICK))
}

fn play(case: &Case, stage: &Stage) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for attempt in 1.. {
        let result = runtime.block_on(case.play(stage));
        let line = Line {
            name: case.name.to_owned(),
            what: case.what.to_owned(),
            target: stage.program().name().to_owned(),
            result,
        };
        println!("\n{HEADER}\n{line}");
        match line.held() {
            true => break,
            false if attempt < ATTEMPTS => println!("row {}: not held, and played again", case.name),
            false => return Err(line.to_string().into()),
        }
    }
    Ok(())
}
