//! `p4-switch stf`: plays STF tests, those that p4testgen wrote for one program, or p4c's own, each of which has a program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use vouch_p4runtime::P4Info;

use super::{Options, Program, Remote, Suite, Summary};
use crate::Failure;
use crate::streamed::{Kind, Streamed};

/// Play STF tests and compare what comes out with what they expect
///
/// Prints a line for each test that failed or was not run, and closes with how many passed. Exits with 1 if any failed, and with
/// 2 if they could not be played.
#[derive(Debug, Parser)]
#[command(name = "p4-switch stf", disable_version_flag = true)]
pub(crate) struct Arguments {
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
    /// simple_switch_grpc, over P4Runtime, as a process of its own
    Bmv2,
    /// p4-switch, in the same way
    P4Switch,
}

impl On {
    /// The switch behind P4Runtime, if it is behind that.
    fn behind_p4runtime(self) -> io::Result<Option<Box<dyn Streamed>>> {
        let kind = match self {
            Self::Embedded => return Ok(None),
            Self::Server => Kind::Server,
            Self::Bmv2 => Kind::Bmv2,
            Self::P4Switch => Kind::P4Switch,
        };
        kind.switch().map(Some)
    }
}

/// Play the tests, and say whether none of them failed.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Failure> {
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
        let switch = arguments.target.behind_p4runtime()?;
        let mut program = match &switch {
            None => Program::embedded(rules, options),
            Some(switch) => {
                let device = Remote::start(&**switch, &rules, json.as_bytes())?;
                Program::new(rules, Box::new(device), options)
            }
        };
        suite.play(&mut program, &arguments.paths)?;
    }
    let Summary { failed, .. } = suite.close()?;
    Ok(failed == 0)
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}
