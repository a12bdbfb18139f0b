//! Plays STF tests: those that p4testgen wrote for one program, or p4c's own, each of which has a program.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use vouch_bmv2_tests::stf::{Options, Program, Suite, Summary};
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

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(Summary { failed: 0, .. }) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("stf: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<Summary, Box<dyn std::error::Error>> {
    let options = Options { named_ports_only: arguments.named_ports_only, frame_check_sequence: arguments.fcs };
    let mut suite = Suite::new(io::stdout().lock(), arguments.verbose);
    if let (Some(tests), Some(jsons)) = (&arguments.programs, &arguments.json_folder) {
        suite.play_programs(tests, jsons, options)?;
    } else if let Some(json) = &arguments.json {
        let info = match &arguments.p4info {
            Some(path) => Some(Arc::new(P4Info::from_text(&read(path)?)?)),
            None => None,
        };
        let mut program = Program::embedded(read(json)?.as_bytes(), info, options)?;
        suite.play(&mut program, &arguments.paths)?;
    }
    Ok(suite.close()?)
}

fn read(path: &PathBuf) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
