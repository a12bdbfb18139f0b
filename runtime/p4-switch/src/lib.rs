//! The embedded switch as a program of its own, `p4-switch`: a drop-in for BMv2's `simple_switch_grpc` and `simple_switch`.
//!
//! [`arguments`] reads the same command line. `run` builds a [`SwitchServer`](vouch_switch_server::SwitchServer) from it:
//! with ports at Linux interfaces ([`interface`]) or at capture files (`files`), with captures of what passes (`captured`),
//! a log, and an end by signal; with [`thrift`] it serves BMv2's own clients as well, and with [`notifications`] it tells them what happens. `trace` shows what a program does with the packets of a capture, without a switch around it;
//! [`commands`] gives that program its entries, in the words of `simple_switch_CLI`, and [`cli`] carries the same words over
//! P4Runtime to any switch: `p4-switch-cli`.
//!
//! Two of its commands examine programs and switches: [`stf`] plays tests that people or p4testgen wrote for any program, and
//! [`differ`] makes random ones and compares two switches. Both run the engine in this process, or a switch whose ports are
//! [`streamed`], of ours or of BMv2, as a [`process`] of its own. None of it takes interfaces, or any right.
//!
//! The crate exists so that the library around the engine needs neither a command line nor system calls.

pub mod arguments;
mod captured;
pub mod cli;
pub mod commands;
pub mod differ;
mod files;
#[cfg(target_os = "linux")]
pub mod interface;
mod log;
pub mod nanomsg;
pub mod notifications;
mod packets;
pub mod process;
mod run;
pub mod stf;
pub mod streamed;
pub mod thrift;
mod trace;
mod translations;
#[cfg(target_os = "linux")]
mod turns;

use std::ffi::OsString;
use std::process::ExitCode;

use arguments::Command;
use clap::Parser;

/// The command, with its name and arguments.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    match arguments.get(1).and_then(|word| word.to_str()) {
        Some("stf") => return examine(arguments.split_off(1), stf::command::run),
        Some("differ") => return examine(arguments.split_off(1), differ::command::run),
        _ => {}
    }
    let outcome = match arguments::parse(arguments) {
        Ok(Command::Run(arguments)) => run::run(&arguments),
        Ok(Command::Trace(arguments)) => trace::trace(&arguments, &mut std::io::stdout().lock()),
        Ok(Command::Install(install)) => {
            std::env::current_exe().and_then(|program| install.carry_out(&program)).map_err(Failure::from)
        }
        Err(error) => {
            // Help and version go to stdout, mistakes to stderr; whoever closed them has seen enough.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("p4-switch: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Be a command that examines switches: 0 says that all is as it must be, 1 that something is not, 2 that nobody knows.
fn examine<A: Parser>(arguments: Vec<OsString>, run: fn(&A) -> Result<bool, Failure>) -> ExitCode {
    let command = A::command().get_name().to_owned();
    let arguments = match A::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{command}: {error}");
            ExitCode::from(2)
        }
    }
}

/// Why the command failed, for the operator.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
