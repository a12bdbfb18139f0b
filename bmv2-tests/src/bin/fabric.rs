//! Plays what was seen to go wrong on Linux hosts.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("fabric: network namespaces are Linux's");
    ExitCode::from(2)
}

/// That of `p4-switch`, which this program is as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(target_os = "linux")]
mod linux {
    use std::path::PathBuf;
    use std::process::ExitCode;

    use clap::{Parser, Subcommand, ValueEnum};
    use tokio::signal::unix::{SignalKind, signal};
    use vouch_bmv2_tests::beside::{STEPS, Step, table};
    use vouch_bmv2_tests::linux::agent::become_agent;
    use vouch_bmv2_tests::linux::evpn;
    use vouch_bmv2_tests::linux::netns::clean_up;
    use vouch_bmv2_tests::linux::world::Site;
    use vouch_bmv2_tests::linux::{Failure, missing};
    use vouch_bmv2_tests::rows::report::{HEADER, Line};
    use vouch_bmv2_tests::rows::{CASES, Case, Extent, Stage};
    use vouch_bmv2_tests::{SwitchProgram, process};

    /// Play attacks, moves and failures on a fabric with Linux hosts
    ///
    /// Three VTEPs and a spine as switch processes, an agent process for each, and hosts with the kernel's IP stack, all in network
    /// namespaces. Takes root. Namespaces that a killed run has left are taken away by the next.
    #[derive(Debug, Parser)]
    #[command(name = "fabric")]
    struct Arguments {
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Debug, Subcommand)]
    enum Command {
        /// What there is to play
        List,
        /// Play rows, and say what became of packets and tables
        ///
        /// The exit status is 0 only if every expectation held.
        Run {
            /// What the switches are [default: all that are there]
            #[arg(long, value_enum)]
            target: Option<Target>,
            /// How often each row is played
            #[arg(long, default_value_t = 1)]
            repeat: u32,
            /// How many rounds of chaos
            #[arg(long)]
            rounds: Option<u32>,
            /// Play only what is played in every test run, and less of it
            #[arg(long)]
            quick: bool,
            /// The agents' program [default: this one, which has the agent in it]
            #[arg(long, value_name = "VOUCH")]
            vouch: Option<PathBuf>,
            /// Leave logs and configurations below this folder
            #[arg(long, value_name = "FOLDER")]
            keep: Option<PathBuf>,
            /// Rows, such as 4, or cases of one, such as 4a [default: all]
            #[arg(value_name = "ROW")]
            rows: Vec<String>,
        },
        /// Do the same to Vouch, on p4-switch, and to BGP EVPN with FRR and Linux bridges, and print both as one table
        ///
        /// Nothing is judged: the exit status is 0 if every step could be played.
        Beside {
            /// To how many hosts each step is done, one after the other; and how often a crowd moves
            #[arg(long, default_value_t = 5)]
            hosts: usize,
            /// Steps, such as receives [default: all]; a name that does not exist lists those that do
            #[arg(value_name = "STEP")]
            steps: Vec<String>,
        },
    }

    /// Play steps on both fabrics, and print what came of them. Whether all of them were played.
    fn compare(steps: &[Step], hosts: usize) -> Result<bool, Failure> {
        if let Some(reason) = missing().or_else(evpn::missing) {
            return Err(format!("nothing can be compared here: {reason}").into());
        }
        clean_up(&std::env::temp_dir())?;
        let site = Site::prepare(None, None)?;
        let mut all = true;
        println!("{}", table::HEADER);
        for step in steps {
            for on in step.contenders {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
                let played = runtime.block_on(async {
                    let mut interrupt = signal(SignalKind::interrupt())?;
                    tokio::select! {
                        outcomes = step.play(&site, *on, hosts) => outcomes,
                        _ = interrupt.recv() => Err("interrupted".into()),
                    }
                });
                match played {
                    Ok(outcomes) => println!("{}", table::Line { step: *step, on: *on, outcomes }),
                    Err(error) => {
                        all = false;
                        println!("| {} | {} | not played: {error} | | | |", step.what, on.name());
                    }
                }
            }
        }
        Ok(all)
    }

    #[derive(Clone, Copy, Debug, ValueEnum)]
    enum Target {
        /// p4-switch
        P4Switch,
        /// BMv2's simple_switch_grpc
        Bmv2,
    }

    impl Target {
        fn program(self) -> SwitchProgram {
            match self {
                Self::P4Switch => SwitchProgram::P4Switch,
                Self::Bmv2 => SwitchProgram::Bmv2,
            }
        }
    }

    pub(super) fn main() -> ExitCode {
        if let Some(status) = process::become_switch().or_else(become_agent) {
            return status;
        }
        match Arguments::parse().command {
            Command::List => {
                for case in CASES {
                    println!("{:<4} {}", case.name, case.what);
                }
                ExitCode::SUCCESS
            }
            Command::Beside { hosts, steps } => {
                if let Some(step) = steps.iter().find(|step| !STEPS.iter().any(|it| it.name == **step)) {
                    let names: Vec<_> = STEPS.iter().map(|it| it.name).collect();
                    eprintln!("fabric: there is no step {step}; there are {}", names.join(", "));
                    return ExitCode::from(2);
                }
                let wanted = |it: &&Step| steps.is_empty() || steps.iter().any(|step| it.name == *step);
                let steps: Vec<Step> = STEPS.iter().filter(wanted).copied().collect();
                match compare(&steps, hosts) {
                    Ok(true) => ExitCode::SUCCESS,
                    Ok(false) => ExitCode::FAILURE,
                    Err(error) => {
                        eprintln!("fabric: {error}");
                        ExitCode::from(2)
                    }
                }
            }
            Command::Run { target, repeat, rounds, quick, vouch, keep, rows } => {
                let mut extent = if quick { Extent::QUICK } else { Extent::WHOLE };
                extent.rounds = rounds.unwrap_or(extent.rounds);
                let cases = match cases(&rows, quick) {
                    Ok(cases) => cases,
                    Err(error) => {
                        eprintln!("fabric: {error}");
                        return ExitCode::from(2);
                    }
                };
                match play(&cases, target, repeat, extent, vouch, keep) {
                    Ok(true) => ExitCode::SUCCESS,
                    Ok(false) => ExitCode::FAILURE,
                    Err(error) => {
                        eprintln!("fabric: {error}");
                        ExitCode::from(2)
                    }
                }
            }
        }
    }

    fn cases(rows: &[String], quick: bool) -> Result<Vec<Case>, String> {
        if let Some(row) = rows.iter().find(|row| !CASES.iter().any(|case| case.is_of(row))) {
            return Err(format!("there is no row {row}; `fabric list` shows those that there are"));
        }
        let wanted =
            |case: &&Case| if rows.is_empty() { case.quick || !quick } else { rows.iter().any(|row| case.is_of(row)) };
        Ok(CASES.iter().filter(wanted).copied().collect())
    }

    fn play(
        cases: &[Case],
        target: Option<Target>,
        repeat: u32,
        extent: Extent,
        vouch: Option<PathBuf>,
        keep: Option<PathBuf>,
    ) -> Result<bool, Failure> {
        if let Some(reason) = missing() {
            return Err(format!("nothing can be played here: {reason}").into());
        }
        let gone = clean_up(&std::env::temp_dir())?;
        if !gone.is_empty() {
            eprintln!("fabric: took away what a killed run had left: {}", gone.join(", "));
        }
        let mut site = Site::prepare(vouch, keep)?;
        let mut lines = Vec::new();
        println!("{HEADER}");
        for program in target.map_or(SwitchProgram::ALL.to_vec(), |target| vec![target.program()]) {
            if let Some(reason) = program.missing() {
                println!("     {:<10} not run: {reason} (package p4lang-bmv2)", program.name());
                continue;
            }
            site = site.on(program);
            let stage = Stage::new(site, extent);
            for case in cases.iter().flat_map(|case| std::iter::repeat_n(case, repeat as usize)) {
                let line = one(case, &stage)?;
                println!("{line}");
                lines.push(line);
            }
            site = stage.into_site();
        }
        let held = lines.iter().filter(|line| line.held()).count();
        println!("{held} of {} as expected", lines.len());
        Ok(held == lines.len())
    }

    /// Play a case in a runtime of its own: with it ends everything that the case has begun.
    fn one(case: &Case, stage: &Stage) -> Result<Line, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let result = runtime.block_on(async {
            let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            tokio::select! {
                result = case.play(stage) => Ok(result),
                _ = interrupt.recv() => Err("interrupted"),
                _ = terminate.recv() => Err("told to end"),
            }
            .map_err(Failure::from)
        })?;
        Ok(Line { case: *case, target: stage.program().name(), result })
    }
}
