//! `p4-switch-cli`: the words of `simple_switch_CLI`, over P4Runtime or over BMv2's Thrift services.
//!
//! A [`Shell`] carries out lines on a switch; [`play`] has it do so with the lines of a file or pipe, `console` with those of
//! a person. What the words are is `commands`' matter.

mod arguments;
mod complete;
mod console;
mod play;
mod shell;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::process::ExitCode;

use clap::Parser;

pub use arguments::Arguments;
pub use play::play;
pub use shell::{Outcome, Shell};

use crate::Failure;
use crate::commands::{OverThrift, Remote, Target};

/// The command, with its name and arguments.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version go to stdout, mistakes to stderr; whoever closed them has seen enough.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("p4-switch-cli: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all commands were carried out.
fn run(arguments: &Arguments) -> Result<bool, Failure> {
    // A file that is not there is not to be found out after the switch has a new program.
    let file = arguments
        .file
        .as_ref()
        .map(|path| File::open(path).map(BufReader::new).map_err(|error| format!("{}: {error}", path.display())));
    let file = file.transpose()?;
    if let Some(port) = arguments.thrift_port {
        let device = OverThrift::connect(&arguments.thrift_ip, port, arguments.json.as_deref())?;
        // As the reference does, whose scripts these are.
        return serve(Shell::new(device), file, true);
    }
    let mut shell = Shell::new(Remote::connect(arguments.access()?)?);
    if let Some(program) = &arguments.json
        && shell.start_with(program, arguments.p4info.as_deref())?
    {
        eprintln!("p4-switch-cli: the switch runs a program already; load_new_config_file and swap_configs replace it");
    }
    serve(shell, file, arguments.keep_going)
}

fn serve<D: Target>(mut shell: Shell<D>, file: Option<BufReader<File>>, keep_going: bool) -> Result<bool, Failure> {
    let input: Box<dyn BufRead> = match file {
        Some(file) => Box::new(file),
        None if io::stdin().is_terminal() => return console::talk(&mut shell).map(|()| true),
        None => Box::new(io::stdin().lock()),
    };
    Ok(play(&mut shell, input, keep_going, &mut io::stdout().lock(), &mut io::stderr().lock())?)
}
