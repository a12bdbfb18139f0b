//! The embedded switch as a program of its own, `p4-switch`: a drop-in for BMv2's `simple_switch_grpc` and `simple_switch`.
//!
//! [`arguments`] reads the same command line. `run` builds a [`SwitchServer`](vouch_switch_server::SwitchServer) from it:
//! with ports at Linux interfaces ([`interface`]) or at capture files (`files`), with captures of what passes (`captured`),
//! a log, and an end by signal; with [`thrift`] it serves BMv2's own clients as well, and with [`notifications`] it tells them what happens. `trace` shows what a program does with the packets of a capture, without a switch around it;
//! [`commands`] gives that program its entries, in the words of `simple_switch_CLI`, and [`cli`] carries the same words over
//! P4Runtime to any switch: `p4-switch-cli`.
//!
//! The crate exists so that the library around the engine needs neither a command line nor system calls.

pub mod arguments;
mod captured;
pub mod cli;
pub mod commands;
mod files;
#[cfg(target_os = "linux")]
pub mod interface;
mod log;
pub mod nanomsg;
pub mod notifications;
mod packets;
mod run;
pub mod thrift;
mod trace;
mod translations;

use std::ffi::OsString;
use std::process::ExitCode;

use arguments::Command;

/// The command, with its name and arguments.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
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

/// Why the command failed, for the operator.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
