//! The command line: that of `simple_switch_grpc` and `simple_switch`, and what is ours.
//!
//! The reference separates the options of its library from those of its target by `--`. Here that word is allowed and means
//! nothing, so that its command lines work as they are and nobody has to remember which option stands where.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{ArgAction, Args, CommandFactory, Parser, ValueEnum};

use crate::nanomsg::Address;

/// What is to be done.
#[derive(Debug)]
pub enum Command {
    /// Be a switch.
    Run(Box<Arguments>),
    /// Show what a program does with the packets of a capture.
    Trace(Trace),
    /// Be found under BMv2's names.
    Install(Install),
}

/// What BMv2's programs are called. Whoever calls this one by such a name gets what BMv2 would do.
const BMV2_NAMES: [&str; 2] = ["simple_switch_grpc", "simple_switch"];
/// Most queues of a port. A priority has three bits in v1model.
const MAX_QUEUES: i64 = vouch_switch::MAX_PRIORITIES as i64;
/// Where P4Runtime is served unless told.
const GRPC_SERVER: &str = "0.0.0.0:9559";

/// Where BMv2 serves Thrift unless told.
const THRIFT_PORT: u16 = 9090;

/// Read the arguments, of which the first is the command's name.
///
/// # Errors
/// What is wrong, or the help or version that was asked for.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|first| first == "trace") {
        arguments.remove(1);
        return Trace::try_parse_from(arguments).map(Command::Trace);
    }
    if arguments.get(1).is_some_and(|first| first == "install-as-bmv2") {
        arguments.remove(1);
        return Install::try_parse_from(arguments).map(Command::Install);
    }
    let name = arguments.first().and_then(|path| Path::new(path).file_name()?.to_str().map(str::to_owned));
    if let Some(separator) = arguments.iter().position(|argument| argument == "--") {
        arguments.remove(separator);
    }
    let mut arguments = Arguments::try_parse_from(arguments)?;
    arguments.check()?;
    arguments.called(name.as_deref().unwrap_or_default());
    Ok(Command::Run(Box::new(arguments)))
}

/// A software switch that runs P4 programs for v1model, controlled over P4Runtime
///
/// It takes the command line of BMv2's simple_switch_grpc, and the JSON that p4c-bm2-ss writes. Started with --no-p4, it
/// waits for a controller that pushes a program; started with a program, it forwards with that until a controller pushes
/// one. It runs until SIGINT or SIGTERM.
#[derive(Debug, Parser)]
#[command(
    name = "p4-switch",
    version,
    disable_version_flag = true,
    infer_long_args = true,
    override_usage = "p4-switch [OPTIONS] <PROGRAM.json | --no-p4> [--] [OPTIONS]\n       \
                      p4-switch trace [OPTIONS] <PROGRAM.json> <PACKETS.pcap>\n       \
                      p4-switch stf [OPTIONS] --json <PROGRAM.json> <TEST.stf>...\n       \
                      p4-switch differ [OPTIONS] <FOLDER>...\n       \
                      p4-switch install-as-bmv2 <DIR>",
    after_help = "`p4-switch trace --help` tells how to see what a program does with the packets of a capture, \
                  `p4-switch stf --help` how to play STF tests, `p4-switch differ --help` how to compare two switches, and \
                  `p4-switch install-as-bmv2 --help` how to have it run wherever BMv2 is asked for."
)]
pub struct Arguments {
    /// The program, as p4c-bm2-ss writes it
    #[arg(value_name = "PROGRAM.json")]
    pub program: Option<PathBuf>,
    /// Start without a program
    #[arg(long)]
    pub no_p4: bool,
    /// Attach a network interface as a port; may be repeated
    #[arg(short, long = "interface", value_name = "PORT@INTERFACE")]
    pub interfaces: Vec<Interface>,
    /// The device id in P4Runtime
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub device_id: u64,

    /// Write a capture of each interface and direction below this directory: INTERFACE_in.pcap, INTERFACE_out.pcap
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = ".")]
    pub pcap: Option<PathBuf>,
    /// Instead of interfaces, read INTERFACE_in.pcap and write INTERFACE_out.pcap, beginning after this many seconds
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub use_files: Option<i64>,

    /// Instead of interfaces, serve all ports over gRPC, as p4.bm.DataplaneInterface, at this address
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["pcap", "use_files"])]
    pub dp_grpc_server_addr: Option<String>,

    /// Log to stdout
    #[arg(long, conflicts_with = "log_file")]
    pub log_console: bool,
    /// Log to this file; with --bmv2-compat, to FILE.txt
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// What is logged; `trace` tells of every step of every packet
    #[arg(short = 'L', long, value_enum, value_name = "LEVEL", default_value_t = Level::Trace)]
    pub log_level: Level,
    /// Print to stdout what each parser state, table and deparser does with each packet; packets are then slow
    #[arg(long, value_enum, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    pub trace: Option<Format>,

    /// Where P4Runtime and gNMI are served
    #[arg(long, value_name = "HOST:PORT", default_value = GRPC_SERVER)]
    pub grpc_server_addr: String,
    /// Also serve BMv2's Thrift services, which simple_switch_CLI speaks, on this port of all addresses; 0 takes any free one.
    /// Called by one of BMv2's names, it takes 9090 unless told, if nobody else has it
    #[arg(long, value_name = "PORT")]
    pub thrift_port: Option<u16>,
    /// Publish digests, idle entries and changes of ports over nanomsg's pub/sub, in BMv2's form. Called simple_switch, it does so at
    /// ipc:///tmp/bmv2-DEVICE_ID-notifications.ipc unless told
    #[arg(long, value_name = "ipc://PATH|tcp://HOST:PORT")]
    pub notifications_addr: Option<Address>,
    /// Publish what happens to each packet over nanomsg's pub/sub, in BMv2's form; packets are slow while somebody subscribes
    #[arg(long, value_name = "ipc://PATH|tcp://HOST:PORT")]
    pub nanolog: Option<Address>,
    /// Refuse to replace the program over Thrift; called simple_switch, it does so unless told --enable-swap
    #[arg(long, conflicts_with = "enable_swap")]
    pub disable_swap: bool,
    /// Let the program be replaced over Thrift, however it is called
    #[arg(long)]
    pub enable_swap: bool,
    /// Serve over TLS
    #[arg(long)]
    pub grpc_server_ssl: bool,
    /// The certificate authority of clients, as PEM
    #[arg(long, value_name = "FILE")]
    pub grpc_server_cacert: Option<PathBuf>,
    /// The server's certificate, as PEM
    #[arg(long, value_name = "FILE")]
    pub grpc_server_cert: Option<PathBuf>,
    /// The server's key, as PEM
    #[arg(long, value_name = "FILE")]
    pub grpc_server_key: Option<PathBuf>,
    /// Require a certificate of each client
    #[arg(long)]
    pub grpc_server_with_client_auth: bool,
    /// The port of packet-in and packet-out; without it there are none
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u32).range(1..))]
    pub cpu_port: Option<u32>,
    /// The port that drops
    #[arg(long, value_name = "PORT", default_value_t = 511)]
    pub drop_port: u32,
    /// How many queues each port has, by priority, the highest being served first; a packet that asks for another, by
    /// standard_metadata.priority, is dropped
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=MAX_QUEUES))]
    pub priority_queues: u32,
    /// How many threads forward, each for the ports whose number modulo COUNT is its own; as many as there are processors unless
    /// told. With 0, frames are forwarded by the threads that also answer requests, and may have to wait for these
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(0..=512))]
    pub forwarding_threads: Option<u16>,
    /// What values of types with @p4runtime_translation mean: a JSON file with {"TYPE": {"ports": true, "values":
    /// {"Ethernet0": 1}}}; gNMI calls ports so, too. Otherwise strings of digits mean themselves, others get free numbers
    #[arg(long, value_name = "FILE")]
    pub translations: Option<PathBuf>,
    /// Let the fields of a header that a packet makes invalid read 0 from then on; otherwise they keep what they were
    #[arg(long)]
    pub ret_zero_on_invalid_hdr_read: bool,
    /// Deviate from the P4Runtime specification where BMv2 does: no roles, writes without an election while nobody stands
    /// for one, no atomic batches, reads that fail as a whole. And log in BMv2's words. So it does whenever it is called
    /// simple_switch_grpc or simple_switch, which without --grpc-server-addr serves no P4Runtime to others
    #[arg(long)]
    pub bmv2_compat: bool,

    /// Print the version
    #[arg(short = 'v', short_alias = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
    /// Print the newest version of the JSON format that is understood
    #[arg(long)]
    pub json_version: bool,

    /// The address of notifications is one that nobody asked for.
    #[arg(skip)]
    pub notifies_by_default: bool,
    /// The port of the Thrift services is one that nobody asked for.
    #[arg(skip)]
    pub thrift_by_default: bool,

    #[command(flatten)]
    ignored: Ignored,
}

/// Where a port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The port's number.
    pub port: u32,
    /// The interface's name.
    pub name: String,
}

impl FromStr for Interface {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // In `"-i 1@veth0"` as one word the blank is part of it.
        let (port, name) = text.trim().split_once('@').ok_or("expected PORT@INTERFACE, as in 1@veth0")?;
        let port = port.parse().map_err(|_| "the port before `@` is not a number")?;
        if name.is_empty() {
            return Err("there is no interface after `@`");
        }
        Ok(Self { port, name: name.to_owned() })
    }
}

/// The levels of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "they are words")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Off,
}

/// How a trace is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// A JSON object for each packet, on a line
    Json,
}

macro_rules! ignored {
    (values { $($value:ident: $value_why:literal,)* } flags { $($flag:ident: $flag_why:literal,)* }) => {
        /// What the reference has and what has no meaning here.
        #[derive(Debug, Args)]
        #[command(next_help_heading = "Taken for the sake of scripts, and ignored")]
        struct Ignored {
            $(#[doc = $value_why] #[arg(long, value_name = "VALUE", allow_hyphen_values = true)] $value: Option<String>,)*
            $(#[doc = $flag_why] #[arg(long)] $flag: bool,)*
        }

        impl Arguments {
            /// The options that were given and are ignored, and why.
            pub fn ignored(&self) -> Vec<(String, &'static str)> {
                let given = [
                    $((stringify!($value), $value_why, self.ignored.$value.is_some()),)*
                    $((stringify!($flag), $flag_why, self.ignored.$flag),)*
                ];
                let given = given.into_iter().filter(|(_, _, given)| *given);
                given.map(|(option, why, _)| (format!("--{}", option.replace('_', "-")), why)).collect()
            }
        }
    };
}

ignored! {
    values {
        packet_in: "packets come from interfaces or files",
        debugger_addr: "there is no debugger; --trace shows what happens to packets",
        restore_state: "there are no state files; write the state over P4Runtime",
        dump_packet_data: "--pcap and --trace show packets whole",
        log_file_max_size: "the log is not rotated",
        log_file_max_files: "the log is not rotated",
        max_port_count: "ports are numbered 0 to 511 in any case",
        load_modules: "there are no modules",
        max_mc_groups: "there is no such limit",
        max_l1_entries: "there is no such limit",
        max_l2_entries: "there is no such limit",
    }
    flags {
        debugger: "there is no debugger; --trace shows what happens to packets",
        log_flush: "the log is always flushed",
        warn_on_invalid_hdr_read: "reads are not watched; --ret-zero-on-invalid-hdr-read makes them 0",
    }
}

impl Arguments {
    /// By what name it is called decides what it is like.
    fn called(&mut self, name: &str) {
        if BMV2_NAMES.contains(&name) {
            self.bmv2_compat = true;
            self.thrift_by_default = self.thrift_port.is_none();
            self.thrift_port.get_or_insert(THRIFT_PORT);
        }
        self.disable_swap |= name == "simple_switch" && !self.enable_swap;
        // It has no gRPC server, and several of them may run in one place.
        if name == "simple_switch" && self.grpc_server_addr == GRPC_SERVER {
            self.grpc_server_addr = "127.0.0.1:0".to_owned();
        }
        // Not so simple_switch_grpc, which has P4Runtime for what this would tell.
        if name == "simple_switch" && self.notifications_addr.is_none() {
            let path = format!("/tmp/bmv2-{}-notifications.ipc", self.device_id);
            self.notifications_addr = Some(Address::Ipc(path.into()));
            self.notifies_by_default = true;
        }
    }

    /// What clap cannot say of arguments that belong together.
    fn check(&self) -> Result<(), clap::Error> {
        let wrong = |text: &str| Self::command().error(clap::error::ErrorKind::MissingRequiredArgument, text);
        if self.program.is_none() && !self.no_p4 && !self.json_version {
            return Err(wrong("name a program, or --no-p4 to start without one"));
        }
        if self.grpc_server_ssl && self.grpc_server_cert.is_none() {
            return Err(wrong("--grpc-server-ssl takes --grpc-server-cert"));
        }
        if self.grpc_server_ssl && self.grpc_server_key.is_none() {
            return Err(wrong("--grpc-server-ssl takes --grpc-server-key"));
        }
        if self.grpc_server_ssl && self.grpc_server_with_client_auth && self.grpc_server_cacert.is_none() {
            return Err(wrong("--grpc-server-with-client-auth takes --grpc-server-cacert"));
        }
        Ok(())
    }

    /// How many threads only forward.
    pub fn forwarding_threads(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.forwarding_threads.map_or_else(processors, usize::from)
    }

    /// What works, but not as it may have been meant.
    pub fn warnings(&self) -> Vec<&'static str> {
        let files = [&self.grpc_server_cacert, &self.grpc_server_cert, &self.grpc_server_key];
        let without_tls =
            !self.grpc_server_ssl && (self.grpc_server_with_client_auth || files.iter().any(|file| file.is_some()));
        let mut warnings = Vec::new();
        if self.no_p4 && self.program.is_some() {
            warnings.push("the program is ignored, since --no-p4 was given");
        }
        if self.dp_grpc_server_addr.is_some() && !self.interfaces.is_empty() {
            warnings.push("interfaces are ignored, since --dp-grpc-server-addr was given");
        }
        if without_tls {
            warnings.push("certificates are ignored, since --grpc-server-ssl was not given");
        }
        warnings
    }
}

/// Show what a program does with the packets of a capture
///
/// Prints for each packet the parser's states, every table with its key, its entry and its action, and what the deparser
/// put together. No interfaces and no controller are needed.
#[derive(Debug, Parser)]
#[command(name = "p4-switch trace")]
pub struct Trace {
    /// The program, as p4c-bm2-ss writes it
    #[arg(value_name = "PROGRAM.json")]
    pub program: PathBuf,
    /// The packets, as pcap or pcapng
    #[arg(value_name = "PACKETS.pcap")]
    pub packets: PathBuf,
    /// The port that the packets come in by
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub port: u16,
    /// Commands of simple_switch_CLI that are carried out before: table_add, table_set_default, mirroring_add, mc_*, ...
    #[arg(long, value_name = "FILE")]
    pub entries: Option<PathBuf>,
    /// Print a JSON object for each packet, on a line
    #[arg(long)]
    pub json: bool,
    /// The port that drops
    #[arg(long, value_name = "PORT", default_value_t = 511)]
    pub drop_port: u16,
    /// How many priorities there are; a packet that asks for another, by standard_metadata.priority, is dropped
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=MAX_QUEUES))]
    pub priority_queues: u32,
}

/// Make links by the names of BMv2's programs, so that what asks for these runs this one
///
/// With DIR first on the PATH, Mininet scripts, the p4lang tutorials and p4-utils start this switch, with BMv2's habits.
#[derive(Debug, Parser)]
#[command(name = "p4-switch install-as-bmv2", disable_version_flag = true)]
pub struct Install {
    /// Where the links go; made if it is not there
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

impl Install {
    /// Make the links to `program`. Links that are there already are replaced, anything else is left alone.
    ///
    /// # Errors
    /// The directory or a link cannot be made.
    pub fn carry_out(&self, program: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        for name in BMV2_NAMES {
            let link = self.directory.join(name);
            if link.is_symlink() {
                std::fs::remove_file(&link)?;
            }
            let made = std::os::unix::fs::symlink(program, &link);
            made.map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", link.display())))?;
        }
        Ok(())
    }
}
