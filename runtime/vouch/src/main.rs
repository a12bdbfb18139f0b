//! The `vouch` command: reads the command line and leaves the work to the libraries.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A VXLAN fabric that asks a host before it believes that it moved.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look for mistakes in configurations, and tell all of them at once
    ///
    /// Each mistake is told as FILE:LINE:COLUMN, the field, what is wrong, and what would be right. Several files are
    /// checked as agents that run in one process: no two may want the same name, address or switch. Warnings stop
    /// nothing. configs/reference.yaml explains every field.
    ///
    /// The exit status is 0 if the configurations can be run, and 1 if not.
    Check {
        /// The YAML files, one for each switch
        #[arg(required = true, value_name = "CONFIG")]
        configs: Vec<PathBuf>,
    },
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Check { configs } => {
            let (report, status) = vouch_agent::config::check(&configs);
            // Whoever closed our output has seen enough; the status still tells.
            let _ = std::io::stdout().write_all(report.as_bytes());
            ExitCode::from(status)
        }
    }
}
