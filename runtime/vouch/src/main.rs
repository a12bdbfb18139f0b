//! The `vouch` command: reads the command line and leaves the work to the libraries.

mod certs;
mod init;
mod log;
mod metrics;
mod operate;
mod run;

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use vouch_agent::Place;
use vouch_agent::management::Client;
use vouch_lab::demo::{self, DemoOptions};
use vouch_lab::target::TofinoServer;

use self::log::LogFormat;

/// Entries and messages are many small allocations: with it, 10,000 moves take three quarters of the processor time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A VXLAN fabric that asks a host before it believes that it moved.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an agent for each configuration, until SIGINT or SIGTERM
    ///
    /// Each agent connects to its switch over P4Runtime, installs the pipeline unless the switch already runs it, writes
    /// the difference between what the tables have and what they should have, and talks with its peers. A switch or
    /// peer that is not there is tried again until it is. Stopping an agent leaves the tables as they are: traffic
    /// goes on, and an agent that is started again picks the hosts up from the switch.
    ///
    /// SIGHUP, or `vouch reload`, has the files and the certificates read again: all are taken, or, if anything is wrong with them, none.
    /// systemd is told of readiness, reloads and that all agents answer (Type=notify, WatchdogSec).
    ///
    /// The exit status is 0 after a signal; 78 if something is wrong that no time heals: a configuration, a certificate, a program or a
    /// role that the switch refuses; and another one if starting it anew may do.
    ///
    /// The environment variable VOUCH_LOG chooses what is logged, as in VOUCH_LOG=debug or
    /// VOUCH_LOG=vouch_agent=debug,info. The default is info: what becomes of claims, attacks, and peers and ports that come
    /// and go, a line each, with fields whose names stay the same (agent, event, vni, host, place, other, peer, evidence,
    /// took_ms).
    Run {
        /// The YAML files, one for each switch
        #[arg(required = true, value_name = "CONFIG")]
        configs: Vec<PathBuf>,
        /// Serve figures for Prometheus at http://ADDRESS/metrics, and at /ready whether all agents control their switches
        ///
        /// Anybody who reaches the address can read them, so it is best one of the management network.
        #[arg(long, value_name = "ADDRESS")]
        metrics: Option<SocketAddr>,
        /// How the log is written
        #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
        log_format: LogFormat,
    },
    /// Look for mistakes in configurations, and tell all of them at once
    ///
    /// Each mistake is told as FILE:LINE:COLUMN, the field, what is wrong, and what would be right. Several files are
    /// checked as agents that run in one process: no two may want the same name, address or switch. The certificates that
    /// they name are looked at, too: what peers, the switch or a collector would refuse is told. Warnings stop nothing. configs/reference.yaml explains
    /// every field.
    ///
    /// The exit status is 0 if the configurations can be run, and 1 if not.
    Check {
        /// The YAML files, one for each switch
        #[arg(required = true, value_name = "CONFIG")]
        configs: Vec<PathBuf>,
    },
    /// Print the JSON schema of configurations, by which an editor completes and explains fields
    ///
    /// A file says where its schema is in its first line, as in `# yaml-language-server: $schema=vouch.schema.json`.
    Schema {
        /// Print a configuration with every field, its default and what it is for instead
        #[arg(long)]
        reference: bool,
    },
    /// Write a first configuration, from what only you know
    ///
    /// It goes to standard output; what is wrong with what was said goes to standard error, and the exit status is 1. Everything
    /// else has its default, which `vouch schema --reference` shows.
    Init(init::Init),
    /// Make, renew and show the certificates by which agents know each other
    ///
    /// Agents speak to each other over mutual TLS: each shows a certificate that the fabric's authority has signed, for the
    /// `name` in its configuration. The files go where `peering.tls` of the configurations says; `vouch check` looks at them.
    Certs {
        #[command(subcommand)]
        command: certs::Certs,
    },
    /// Tell an agent that a host is about to move
    ///
    /// Until then a claim at the announced place is believed as soon as the host is silent at the old one, and any other
    /// claim needs proof. Nobody has to announce anything: it makes a live migration quicker, and safe against whoever
    /// claims the machine while it is paused. configs/libvirt has a hook for libvirt that does it.
    ///
    /// The exit status is 0 if the agent has taken it, and 1 if not.
    ExpectMove {
        /// The Unix socket of the agent at the destination, or of any other that has the VNI (`management.socket`)
        #[arg(long, value_name = "PATH")]
        socket: PathBuf,
        /// The VNI
        #[arg(long, value_name = "VNI")]
        vni: u32,
        /// The MAC address of the host
        #[arg(long, value_name = "MAC")]
        mac: String,
        /// Where it is going: a VTEP by its tunnel address, or an access interface of the agent's own switch
        #[arg(long, value_name = "VTEP|PORT[.VLAN]")]
        to: Place,
        /// For how long that is to be believed
        #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
        within: Duration,
    },
    #[command(flatten)]
    Operate(operate::Operate),
    /// Play attacks and moves on a fabric in this process, and measure what becomes of the traffic
    ///
    /// Three VTEPs and a spine, all running the compiled P4 program on embedded switches, agents that control them over
    /// P4Runtime and talk with each other over mutual TLS, and hosts with IP stacks of their own. Shows the fabric, a
    /// timeline of who heard, asked, answered and wrote what, and for each scenario the verdict, the time to it, and
    /// the packets sent, delivered, lost and misdelivered.
    ///
    /// The exit status is 0 only if every expectation of every scenario held.
    Demo {
        /// Play only this scenario; may be repeated. A name that does not exist lists those that do; one that ends in
        /// `.yaml` is a file, as in configs/scenarios
        #[arg(long = "scenario", value_name = "NAME|FILE")]
        scenarios: Vec<String>,
        /// Print JSON lines instead of text
        #[arg(long)]
        json: bool,
        /// Write a capture of every link below this directory, for Wireshark
        #[arg(long, value_name = "DIR")]
        pcap: Option<PathBuf>,
        /// Believe every announcement, as fabrics without verification do: the attacks succeed, the exit status is 1
        #[arg(long)]
        no_verify: bool,
        /// Tell how long things took, and don't judge it: for machines that stall
        #[arg(long)]
        untimed: bool,
        /// What the switches are
        #[arg(long, value_enum, default_value_t)]
        target: DemoTarget,
    },
}

/// What the switches of the demo are.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum DemoTarget {
    /// Embedded switches
    #[default]
    Embedded,
    /// Embedded switches that pass for ones with a Tofino, behind Stratum
    TofinoStratum,
    /// Embedded switches that pass for ones with a Tofino, behind the SDE's P4Runtime server
    TofinoSde,
}

impl DemoTarget {
    fn tofino(self) -> Option<TofinoServer> {
        match self {
            Self::Embedded => None,
            Self::TofinoStratum => Some(TofinoServer::Stratum),
            Self::TofinoSde => Some(TofinoServer::Sde),
        }
    }
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run { configs, metrics, log_format } => match log::begin("info", log_format) {
            Ok(()) => in_runtime(run::run(&configs, metrics)),
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        Command::Demo { scenarios, json, pcap, no_verify, untimed, target } => {
            log::begin("off", LogFormat::Text).expect("standard error needs no journal");
            let color = !json && std::io::stdout().is_terminal();
            let options = DemoOptions {
                scenarios,
                json,
                captures: pcap,
                verify: !no_verify,
                timed: !untimed,
                color,
                tofino: target.tofino(),
            };
            in_runtime(play(options))
        }
        Command::ExpectMove { socket, vni, mac, to, within } => in_runtime(async move {
            let told = match Client::connect(&socket).await {
                Ok(mut agent) => agent.expect_move_of(vni, &mac, to, within).await,
                Err(error) => Err(error),
            };
            match told {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("{error}");
                    ExitCode::FAILURE
                }
            }
        }),
        Command::Schema { reference } => {
            let text = match reference {
                true => vouch_agent::config::reference(),
                false => format!("{:#}\n", vouch_agent::config::schema()),
            };
            // Whoever closed our output has seen enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Command::Operate(command) => in_runtime(operate::run(command)),
        Command::Certs { command } => certs::run(command),
        Command::Init(said) => init::run(&said),
        Command::Check { configs } => {
            let (mut report, checked) = vouch_agent::config::check(&configs);
            let refused = checked.map(|checked| certs::problems(&configs, &checked));
            report.extend(refused.iter().flatten().map(|problem| format!("{problem}\n")));
            // Whoever closed our output has seen enough; the status still tells.
            let _ = std::io::stdout().write_all(report.as_bytes());
            if refused.is_some_and(|refused| refused.is_empty()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "a number with the unit `us`, `ms`, `s`, `min` or `h`, as `30s`".to_owned();
    vouch_agent::config::time(text).ok_or_else(wrong)
}

async fn play(options: DemoOptions) -> ExitCode {
    match demo::run(options, &mut std::io::stdout()).await {
        Ok(outcome) => ExitCode::from(outcome.exit_code()),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn in_runtime(work: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            eprintln!("cannot start the runtime: {error}");
            ExitCode::FAILURE
        }
    }
}
