//! The command line.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use vouch_p4runtime::SessionConfig;
use vouch_p4runtime::client::TlsConfig;

use crate::commands::Access;

/// Control a switch in the words of simple_switch_CLI, over P4Runtime or Thrift
///
/// Over P4Runtime it works with p4-switch, BMv2's simple_switch_grpc, and other servers; with --thrift-port it speaks to p4-switch and
/// to BMv2 as simple_switch_CLI does, needs no P4Info, has all words, and goes on after one that fails. Without a file, commands come from
/// standard input; on a terminal they are asked for, with completion, and `help` lists them. Otherwise the first command that
/// fails ends it, with its line and exit code 1.
///
/// As in simple_switch_CLI, the lowest priority wins; it is turned into P4Runtime's, where the highest wins, as BMv2's own
/// server does. Handles of entries that this command adds stay the same in later sessions; other entries are numbered by
/// their keys. Nodes of multicast groups are numbered anew in each session.
#[derive(Debug, Parser)]
#[command(name = "p4-switch-cli", version)]
pub struct Arguments {
    /// Commands, one on a line; `#` begins a comment
    #[arg(value_name = "COMMANDS")]
    pub file: Option<PathBuf>,
    /// Speak to the Thrift server on this port instead of P4Runtime
    #[arg(long, value_name = "PORT", conflicts_with_all = ["grpc_addr", "election_id", "p4info", "tls_ca"])]
    pub thrift_port: Option<u16>,
    /// The host of the Thrift server
    #[arg(long, value_name = "HOST", default_value = "localhost", requires = "thrift_port")]
    pub thrift_ip: String,
    /// Where the switch serves P4Runtime
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9559")]
    pub grpc_addr: String,
    /// The device behind it
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub device_id: u64,
    /// Write with this election id, also where that takes the switch from a controller; without it, only where nobody has it
    #[arg(long, value_name = "N")]
    pub election_id: Option<u128>,
    /// The program to start with where the switch has none, as p4c-bm2-ss writes it; over Thrift, where names are looked up
    /// instead of in the program that the switch hands out
    #[arg(long, value_name = "PROGRAM.json")]
    pub json: Option<PathBuf>,
    /// Its P4Info; without it, PROGRAM.p4info.txtpb or PROGRAM.p4info.txt beside the program
    #[arg(long, value_name = "FILE", requires = "json")]
    pub p4info: Option<PathBuf>,
    /// Go on after a command that fails; the exit code is 1 all the same
    #[arg(long)]
    pub keep_going: bool,

    /// Speak TLS; the authority that signed the switch's certificate, as PEM
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Our certificate, as PEM, where the switch wants one
    #[arg(long, value_name = "FILE", requires_all = ["tls_ca", "tls_key"])]
    pub tls_cert: Option<PathBuf>,
    /// Our key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// The name in the switch's certificate, where it is not the host's
    #[arg(long, value_name = "NAME", requires = "tls_ca")]
    pub tls_server_name: Option<String>,
}

impl Arguments {
    /// Where the switch is, and who asks.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn access(&self) -> Result<Access, String> {
        // The lowest id that can be primary at all.
        let mut config = SessionConfig::new(&self.grpc_addr, self.device_id, self.election_id.unwrap_or(1));
        if let Some(ca) = &self.tls_ca {
            let identity = match (&self.tls_cert, &self.tls_key) {
                (Some(cert), Some(key)) => Some((read(cert)?, read(key)?)),
                _ => None,
            };
            config.tls = Some(TlsConfig { ca: read(ca)?, identity, server_name: self.tls_server_name.clone() });
        }
        Ok(Access { config, insists: self.election_id.is_some() })
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
