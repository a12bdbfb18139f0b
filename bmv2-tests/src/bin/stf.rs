//! Plays STF tests: those that p4testgen wrote for one program, or p4c's own, each of which has a program.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use vouch_bmv2_tests::stf::{Options, Program, Remote, Rules, Suite, Summary};
use vouch_bmv2_tests::streamed::{Server, Streamed};
use vouch_p4runtime::P4Info;

/// Play STF tests and compare what comes out with what they expect.
///
/// Prints a line for each test that failed or was not run, and closes with how many passed. Exits with 1 if any failed.
#[derive(Debug, Parser)]
#[command(name = "stf")]
struct Arguments {
    /// The program that p4c made for BMv2, which all the tests are for
    #[arg(long, required_unless_present = "programs", conflicts_with = "programs")]
    json: Option<PathBuf>,
    /// Its P4Info, as text
    #[arg(long, requires = "json")]
    p4info: Option<PathBuf>,
    /// What to play the tests on
    #[arg(long, value_enum, default_value_t, conflicts_with = "programs")]
    target: On,
    /// Tests, or folders of tests
    #[arg(required_unless_present = "programs", conflicts_with = "programs")]
    paths: Vec<PathBuf>,
    /// A folder of tests each of which is for the program of its own name
    #[arg(long, requires = "json_folder")]
    programs: Option<PathBuf>,
    /// Where those programs are: NAME.json is for NAME.stf
    #[arg(long, requires = "programs")]
    json_folder: Option<PathBuf>,
    /// Overlook frames out of ports that a test does not name, as p4c's runner does
    #[arg(long)]
    named_ports_only: bool,
    /// Send frames with four bytes of a frame check sequence and take four off what comes out, which a Tofino parser does not
    /// tell from data
    #[arg(long)]
    fcs: bool,
    /// Show the bytes that differ
    #[arg(short, long)]
    verbose: bool,
}

/// What tests are played on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum On {
    /// The packet engine, in this process
    #[default]
    Embedded,
    /// The embedded switch, over P4Runtime
    Server,
    /// simple_switch_grpc, over P4Runtime, in a network namespace
    Bmv2,
    /// p4-switch, in the same way
    P4Switch,
}

fn main() -> ExitCode {
    if let Some(status) = processes::become_switch() {
        return status;
    }
    let arguments = Arguments::parse();
    // Starts this process anew, so nothing may come before.
    if let Err(reason) = processes::enter(arguments.target) {
        eprintln!("stf: {reason}");
        return ExitCode::from(2);
    }
    match run(&arguments) {
        Ok(Summary { failed: 0, .. }) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("stf: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<Summary, Box<dyn std::error::Error + Send + Sync>> {
    let options = Options { named_ports_only: arguments.named_ports_only, frame_check_sequence: arguments.fcs };
    let mut suite = Suite::new(io::stdout().lock(), arguments.verbose);
    if let (Some(tests), Some(jsons)) = (&arguments.programs, &arguments.json_folder) {
        suite.play_programs(tests, jsons, options)?;
    } else if let Some(json) = &arguments.json {
        let info = match &arguments.p4info {
            Some(path) => Some(Arc::new(P4Info::from_text(&read(path)?)?)),
            None => None,
        };
        let json = read(json)?;
        let rules = Program::rules(json.as_bytes(), info)?;
        let remote = |target: &dyn Streamed| start(target, &rules, &json, options);
        let mut program = match arguments.target {
            On::Embedded => Program::embedded(rules, options),
            On::Server => remote(&Server)?,
            On::Bmv2 | On::P4Switch => remote(&processes::target(arguments.target)?)?,
        };
        suite.play(&mut program, &arguments.paths)?;
    }
    Ok(suite.close()?)
}

fn start(
    target: &dyn Streamed,
    rules: &Rules,
    json: &str,
    options: Options,
) -> Result<Program, Box<dyn std::error::Error + Send + Sync>> {
    let device = Remote::start(target, rules, json.as_bytes())?;
    Ok(Program::new(rules.clone(), Box::new(device), options))
}

#[cfg(target_os = "linux")]
mod processes {
    pub(super) use vouch_bmv2_tests::process::become_switch;
    use vouch_bmv2_tests::{Processes, SwitchProgram, harness};

    use super::On;

    fn program(target: On) -> Option<SwitchProgram> {
        match target {
            On::Embedded | On::Server => None,
            On::Bmv2 => Some(SwitchProgram::Bmv2),
            On::P4Switch => Some(SwitchProgram::P4Switch),
        }
    }

    pub(super) fn enter(target: On) -> Result<(), String> {
        let Some(program) = program(target) else { return Ok(()) };
        program.missing().map_or(Ok(()), Err)?;
        harness::enter().map_err(|error| error.to_string())
    }

    pub(super) fn target(target: On) -> std::io::Result<Processes> {
        Processes::new(program(target).unwrap_or(SwitchProgram::Bmv2))
    }
}

#[cfg(not(target_os = "linux"))]
mod processes {
    use vouch_bmv2_tests::streamed::Server;

    use super::On;

    const REASON: &str = "veth pairs and network namespaces are Linux's";

    pub(super) fn become_switch() -> Option<std::process::ExitCode> {
        None
    }

    pub(super) fn enter(target: On) -> Result<(), &'static str> {
        if matches!(target, On::Embedded | On::Server) { Ok(()) } else { Err(REASON) }
    }

    pub(super) fn target(_: On) -> Result<Server, &'static str> {
        Err(REASON)
    }
}

fn read(path: &PathBuf) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
