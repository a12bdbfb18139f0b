//! Gives random packets and entries to the embedded switch and to BMv2, and compares what comes out.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("differ: veth pairs and network namespaces are Linux's");
    ExitCode::from(2)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::path::PathBuf;
    use std::process::ExitCode;
    use std::time::{Duration, Instant};

    use clap::Parser;
    use vouch_bmv2_tests::differ::{Difference, Subject};
    use vouch_bmv2_tests::harness::Failure;
    use vouch_bmv2_tests::{Processes, SwitchProgram, harness, process};

    /// Give random packets and entries to the embedded switch and to BMv2, and compare what comes out
    ///
    /// Prints each difference as the smallest scenario in STF that shows it, and exits with 1 if there is any. Takes root.
    #[derive(Debug, Parser)]
    #[command(name = "differ")]
    struct Arguments {
        /// Folders of programs, NAME.json with NAME.p4info.txtpb [default: our pipeline, and a router]
        folders: Vec<PathBuf>,
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
        /// Compare with p4-switch instead of BMv2: what its server does
        #[arg(long)]
        p4_switch: bool,
        /// Write each difference into this folder as PROGRAM-SEED.stf
        #[arg(long, value_name = "FOLDER")]
        keep: Option<PathBuf>,
    }

    pub(super) fn main() -> ExitCode {
        if let Some(status) = process::become_switch() {
            return status;
        }
        let arguments = Arguments::parse();
        let program = if arguments.p4_switch { SwitchProgram::P4Switch } else { SwitchProgram::Bmv2 };
        // Starts this process anew, so nothing may come before.
        let entered =
            program.missing().map_or(Ok(()), Err).and_then(|()| harness::enter().map_err(|error| error.to_string()));
        let compared = entered.map_err(Failure::from).and_then(|()| compare(&arguments, program));
        match compared {
            Ok(0) => ExitCode::SUCCESS,
            Ok(_) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("differ: {error}");
                ExitCode::from(2)
            }
        }
    }

    /// How many programs the switches differ in.
    fn compare(arguments: &Arguments, program: SwitchProgram) -> Result<usize, Failure> {
        let mut subjects = Vec::new();
        for folder in &arguments.folders {
            subjects.extend(Subject::in_folder(folder)?);
        }
        if arguments.folders.is_empty() {
            subjects = vec![Subject::vtep(), Subject::router()];
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
            return Ok(0);
        }
        if arguments.reach {
            for subject in subjects {
                println!("{}:\n{}", subject.name, subject.reach(arguments.seed..arguments.seed + arguments.cases)?);
            }
            return Ok(0);
        }
        let end = arguments.minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
        let (mut first, mut differ, mut cases) = (arguments.seed, 0, 0);
        loop {
            let mut alike = Vec::new();
            for subject in subjects {
                if end.is_some_and(|end| Instant::now() >= end) {
                    break;
                }
                let target = Processes::new(program)?;
                let findings = match subject.compare(&target, first..first + arguments.cases) {
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
        Ok(differ)
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
}
