//! `p4-switch differ`: gives random packets and entries to the embedded switch and to another, and compares what comes out.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;

use super::{Difference, Subject};
use crate::Failure;
use crate::streamed::Kind;

/// Give random packets and entries to the packet engine and to another switch, and compare what comes out
///
/// Prints each difference as the smallest scenario in STF that shows it, and exits with 1 if there is any, with 2 if nothing could
/// be compared.
#[derive(Debug, Parser)]
#[command(name = "p4-switch differ", disable_version_flag = true)]
pub(crate) struct Arguments {
    /// Folders of programs, NAME.json with NAME.p4info.txtpb
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// What to compare with
    #[arg(long, value_enum, default_value_t = Kind::Bmv2)]
    target: Kind,
    /// Only programs whose name has this in it
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// The first case
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Cases of each program
    #[arg(long, default_value_t = 100)]
    cases: u64,
    /// Go on with further cases, program by program, for so long
    #[arg(long)]
    minutes: Option<u64>,
    /// Print the first case of each program as the packet engine plays it, and compare nothing
    #[arg(long)]
    show: bool,
    /// Print in how many cases of each program packets hit each table and run each action, and compare nothing
    #[arg(long)]
    reach: bool,
    /// Write each difference into this folder as PROGRAM-SEED.stf
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

/// Do as the arguments say, and tell whether nothing differs.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Failure> {
    let mut subjects = Vec::new();
    for folder in &arguments.folders {
        let found = Subject::in_folder(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        subjects.extend(found);
    }
    if let Some(text) = &arguments.only {
        subjects.retain(|subject| subject.name.contains(text));
    }
    subjects.retain(|subject| match subject.excluded() {
        Some(reason) => {
            println!("{}: left out: {reason}", subject.name);
            false
        }
        None => true,
    });
    if arguments.show {
        for subject in subjects {
            print!("# {}, case {}\n{}", subject.name, arguments.seed, subject.scenario(arguments.seed)?);
        }
        return Ok(true);
    }
    if arguments.reach {
        for subject in subjects {
            println!("{}:\n{}", subject.name, subject.reach(arguments.seed..arguments.seed + arguments.cases)?);
        }
        return Ok(true);
    }
    compare(arguments, subjects)
}

fn compare(arguments: &Arguments, mut subjects: Vec<Subject>) -> Result<bool, Failure> {
    let end = arguments.minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let (mut first, mut differ, mut cases) = (arguments.seed, 0, 0);
    loop {
        let mut alike = Vec::new();
        for subject in subjects {
            if end.is_some_and(|end| Instant::now() >= end) {
                break;
            }
            let target = arguments.target.switch()?;
            let findings = match subject.compare(&*target, first..first + arguments.cases) {
                Ok(findings) => findings,
                Err(error) => {
                    println!("{}: not compared: {error}", subject.name);
                    continue;
                }
            };
            cases += findings.same;
            if findings.unstable > 0 {
                println!("{}: {} of {} cases are unstable", subject.name, findings.unstable, arguments.cases);
            }
            if findings.stale > 0 {
                println!(
                    "{}: {} of {} cases show what earlier packets left",
                    subject.name, findings.stale, arguments.cases
                );
            }
            if let (count, Some(reason)) = &findings.not_run {
                println!("{}: {count} of {} cases could not be played: {reason}", subject.name, arguments.cases);
            }
            match findings.difference {
                None => alike.push(subject),
                Some(found) => {
                    differ += 1;
                    show(&found, arguments)?;
                }
            }
        }
        subjects = alike;
        first += arguments.cases;
        if subjects.is_empty() || end.is_none_or(|end| Instant::now() >= end) {
            break;
        }
    }
    println!("{cases} cases are the same on both; {differ} programs differ");
    Ok(differ == 0)
}

fn show(found: &Difference, arguments: &Arguments) -> Result<(), Failure> {
    let Difference { program, seed, scenario, difference } = found;
    println!("{program}: case {seed} differs: {difference}{scenario}");
    if let Some(folder) = &arguments.keep {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(format!("{program}-{seed}.stf")), scenario)?;
    }
    Ok(())
}
