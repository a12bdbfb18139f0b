//! `switch`: what sort of switch it is, how to reach it, what it runs.

use std::path::PathBuf;

use vouch_p4runtime::tofino;

use super::document::{Files, dns_name, endpoint};
use super::ports::{PortRules, port_ids};
use super::reader::{Field, Fields, Reader, optional};
use super::types::Port;

/// The switch and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchConfig {
    /// What sort of switch it is.
    pub kind: SwitchKind,
    /// Where its P4Runtime server listens: `http://HOST:PORT`, or `https://` with `tls`.
    pub target: String,
    /// The P4Runtime device id.
    pub device_id: u64,
    /// The P4Runtime election id; the highest controls the switch.
    pub election_id: u128,
    /// Whether another agent of the same name may be in charge of the switch in its turn: what that one did stands, and is not undone.
    pub pair: bool,
    /// The P4Runtime role; `None` is the default role, with full access.
    pub role: Option<String>,
    /// TLS towards the switch; `None` is plaintext.
    pub tls: Option<ClientTls>,
    /// The pipeline to run; `None` is the compiled program that comes with the agent, which is for BMv2.
    pub pipeline: Option<PipelineFiles>,
    /// The port that leads to the controller, as the switch knows it.
    pub cpu_port: u16,
    /// How it is found out that a host is idle.
    pub ageing: Ageing,
    /// Where "a port went down" comes from.
    pub link_status: LinkStatus,
}

/// What sort of switch runs the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwitchKind {
    /// v1model: BMv2's `simple_switch_grpc`, or the embedded switch.
    Bmv2,
    /// TNA: a switch with a Tofino.
    Tofino(TofinoServer),
}

/// The P4Runtime server of a Tofino switch. They take the pipeline in different forms, and differ in more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TofinoServer {
    /// Stratum's `stratum_bfrt`.
    Stratum,
    /// The one of Intel's SDE.
    Sde,
}

/// How it is found out that a host is idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ageing {
    /// The switch notifies of entries that were not used for their idle timeout.
    Notifications,
    /// The entries' packet counters are read from time to time.
    Counters,
}

/// Where link state comes from. It is evidence: a host whose port is down has left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkStatus {
    /// A gNMI subscription on the switch's own endpoint.
    #[default]
    Gnmi,
    /// Nowhere; every verdict about a dead port waits for its timeout.
    None,
}

/// A pipeline on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PipelineFiles {
    /// For BMv2.
    Bmv2 {
        /// The P4Info in text form.
        p4info: PathBuf,
        /// The compiler's JSON.
        device_config: PathBuf,
    },
    /// For Tofino.
    Tofino {
        /// The program's name, at most 100 bytes.
        name: String,
        /// The P4Info in text form.
        p4info: PathBuf,
        /// `tofino.bin`.
        binary: PathBuf,
        /// `context.json`.
        context: PathBuf,
        /// `bfrt.json`; always there for Stratum.
        bfrt: Option<PathBuf>,
    },
}

impl PipelineFiles {
    /// The P4Info in text form.
    pub fn p4info(&self) -> &PathBuf {
        match self {
            Self::Bmv2 { p4info, .. } | Self::Tofino { p4info, .. } => p4info,
        }
    }
}

/// TLS as a client of a switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTls {
    /// PEM file of the authority that signed the switch's certificate.
    pub ca: PathBuf,
    /// PEM files of our certificate chain and key, if the switch asks for them.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name in the switch's certificate; `None` is the host part of the target.
    pub server_name: Option<String>,
}

const FIELDS: [&str; 13] = [
    "kind",
    "server",
    "target",
    "device_id",
    "election_id",
    "pair",
    "role",
    "tls",
    "pipeline",
    "cpu_port",
    "port_ids",
    "ageing",
    "link_status",
];
/// The fields that only a Tofino has.
const TOFINO_FIELDS: [&str; 2] = ["server", "port_ids"];
/// The files of a pipeline.
const BMV2_FILES: [&str; 2] = ["p4info", "device_config"];
const TOFINO_FILES: [&str; 5] = ["name", "p4info", "binary", "context", "bfrt"];

/// The CPU port that BMv2 and the embedded switch are started with.
const BMV2_CPU_PORT: u16 = 510;
/// The PCIe port of a Tofino with two pipes; with four it is 320, and on the Tofino model the Ethernet port 64 takes its
/// place (freeRtr, `misc/p4bf/include/cst_cpu_port.p4`).
const TOFINO_CPU_PORT: u16 = 192;

/// The name of the program, where none is given.
const PROGRAM: &str = "vtep";

pub(super) fn read(reader: &mut Reader, field: &Field<'_>, files: &mut Files) -> SwitchConfig {
    let Some(fields) = reader.map(field, &FIELDS) else { return placeholder() };
    let get = |name: &str| optional(field, fields, name);
    let kind = kind(reader, field, fields);
    let tls = get("tls").map(|field| client_tls(reader, &field, files));
    let target = reader
        .required(field, fields, "target", "where its P4Runtime server listens, as `http://127.0.0.1:9559`")
        .and_then(|field| endpoint(reader, &field, tls.is_some(), "`tls`"));
    let device_id = device_id(reader, field, fields, kind);
    let election_id = get("election_id").and_then(|field| reader.number(&field, 1, u128::MAX));
    let pair = get("pair").and_then(|field| reader.choice(&field, &[("true", true), ("false", false)]));
    let role = get("role").and_then(|field| reader.text(&field, "the name of a P4Runtime role").map(str::to_owned));
    let pipeline = pipeline(reader, field, fields, kind, files);
    let cpu_port = ports(reader, field, fields, kind);
    let ageing = get("ageing").and_then(|field| {
        reader.choice(&field, &[("notifications", Ageing::Notifications), ("counters", Ageing::Counters)])
    });
    let link_status = get("link_status")
        .and_then(|field| reader.choice(&field, &[("gnmi", LinkStatus::Gnmi), ("none", LinkStatus::None)]));
    SwitchConfig {
        kind,
        target: target.unwrap_or_default(),
        device_id: device_id.unwrap_or(0),
        election_id: election_id.unwrap_or(1),
        pair: pair.unwrap_or(false),
        role,
        tls,
        pipeline,
        cpu_port,
        ageing: ageing.unwrap_or(match kind {
            SwitchKind::Bmv2 | SwitchKind::Tofino(TofinoServer::Sde) => Ageing::Notifications,
            SwitchKind::Tofino(TofinoServer::Stratum) => Ageing::Counters,
        }),
        link_status: link_status.unwrap_or(match kind {
            SwitchKind::Bmv2 | SwitchKind::Tofino(TofinoServer::Stratum) => LinkStatus::Gnmi,
            SwitchKind::Tofino(TofinoServer::Sde) => LinkStatus::None,
        }),
    }
}

/// What stands for a switch that cannot be read.
pub(super) fn placeholder() -> SwitchConfig {
    SwitchConfig {
        kind: SwitchKind::Bmv2,
        target: String::new(),
        device_id: 0,
        election_id: 1,
        pair: false,
        role: None,
        tls: None,
        pipeline: None,
        cpu_port: BMV2_CPU_PORT,
        ageing: Ageing::Notifications,
        link_status: LinkStatus::Gnmi,
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Bmv2,
    Tofino,
}

fn kind(reader: &mut Reader, field: &Field<'_>, fields: Fields<'_>) -> SwitchKind {
    let kind = optional(field, fields, "kind")
        .and_then(|field| reader.choice(&field, &[("bmv2", Kind::Bmv2), ("tofino", Kind::Tofino)]));
    match kind {
        Some(Kind::Tofino) => {
            let server = reader
                .required(field, fields, "server", "the P4Runtime server on the switch: `stratum` or `sde`")
                .and_then(|field| {
                    reader.choice(&field, &[("stratum", TofinoServer::Stratum), ("sde", TofinoServer::Sde)])
                });
            SwitchKind::Tofino(server.unwrap_or(TofinoServer::Sde))
        }
        Some(Kind::Bmv2) | None => {
            for field in TOFINO_FIELDS.into_iter().filter_map(|name| optional(field, fields, name)) {
                reader.error(
                    field.node.at,
                    &field.path,
                    "only a Tofino has this",
                    "give `kind: tofino`, or leave it out",
                );
            }
            SwitchKind::Bmv2
        }
    }
}

/// Stratum calls it the id of a node, and takes 0 for none (`p4_service.cc`).
fn device_id(reader: &mut Reader, field: &Field<'_>, fields: Fields<'_>, kind: SwitchKind) -> Option<u64> {
    match kind {
        SwitchKind::Tofino(TofinoServer::Stratum) => {
            let what = "the id of the node in Stratum's chassis configuration, 1 or more";
            let field = reader.required(field, fields, "device_id", what)?;
            reader.number(&field, 1, u64::MAX)
        }
        SwitchKind::Bmv2 | SwitchKind::Tofino(TofinoServer::Sde) => {
            optional(field, fields, "device_id").and_then(|field| reader.number(&field, 0, u64::MAX))
        }
    }
}

fn pipeline(
    reader: &mut Reader,
    of: &Field<'_>,
    fields: Fields<'_>,
    kind: SwitchKind,
    files: &mut Files,
) -> Option<PipelineFiles> {
    let every_field: Vec<_> = BMV2_FILES.into_iter().chain(TOFINO_FILES).collect();
    match kind {
        SwitchKind::Bmv2 => {
            let field = optional(of, fields, "pipeline")?;
            let fields = reader.map(&field, &every_field)?;
            let foreign = TOFINO_FILES.into_iter().filter(|name| !BMV2_FILES.contains(name));
            for field in foreign.filter_map(|name| optional(&field, fields, name)) {
                let what = "this is of a pipeline for Tofino";
                reader.error(field.node.at, &field.path, what, "BMv2 takes `p4info` and `device_config`, its JSON");
            }
            let p4info = files.required(reader, &field, fields, "p4info", "the P4Info file, in text form");
            let device_config = files.required(reader, &field, fields, "device_config", "the compiled pipeline file");
            Some(PipelineFiles::Bmv2 { p4info, device_config })
        }
        SwitchKind::Tofino(server) => {
            let what = "the compiled program, with `p4info`, `binary` and `context`";
            let field = reader.required(of, fields, "pipeline", what)?;
            let fields = reader.map(&field, &every_field)?;
            if let Some(field) = optional(&field, fields, "device_config") {
                let help = "a Tofino takes `p4info`, `binary` (tofino.bin) and `context` (context.json)";
                reader.error(field.node.at, &field.path, "this is of a pipeline for BMv2", help);
            }
            let name = match optional(&field, fields, "name") {
                Some(field) => program_name(reader, &field)?,
                None => PROGRAM.to_owned(),
            };
            let p4info = files.required(reader, &field, fields, "p4info", "the P4Info file, in text form");
            let binary = files.required(reader, &field, fields, "binary", "the compiler's tofino.bin");
            let context = files.required(reader, &field, fields, "context", "the compiler's context.json");
            let bfrt = match server {
                TofinoServer::Stratum => Some(files.required(
                    reader,
                    &field,
                    fields,
                    "bfrt",
                    "the compiler's bfrt.json, which Stratum needs",
                )),
                TofinoServer::Sde => optional(&field, fields, "bfrt").map(|field| files.read(reader, &field)),
            };
            Some(PipelineFiles::Tofino { name, p4info, binary, context, bfrt })
        }
    }
}

fn program_name(reader: &mut Reader, field: &Field<'_>) -> Option<String> {
    let what = format!("a program's name, of 1 to {} bytes", tofino::MAX_NAME);
    let text = reader.text(field, &what)?;
    if !(1..=tofino::MAX_NAME).contains(&text.len()) {
        reader.bad(field, text, &what);
        return None;
    }
    Some(text.to_owned())
}

/// The CPU port; from here on the reader knows what a port of this switch is.
fn ports(reader: &mut Reader, field: &Field<'_>, fields: Fields<'_>, kind: SwitchKind) -> u16 {
    let (rules, default): (fn(u16) -> PortRules, _) = match kind {
        SwitchKind::Bmv2 => (PortRules::bmv2, BMV2_CPU_PORT),
        SwitchKind::Tofino(_) => (PortRules::tofino, TOFINO_CPU_PORT),
    };
    let min = rules(default).min;
    let cpu_port = optional(field, fields, "cpu_port").and_then(|field| reader.number(&field, min, Port::MAX.get()));
    let cpu_port = cpu_port.unwrap_or(default);
    reader.ports = rules(cpu_port);
    if let (SwitchKind::Tofino(_), Some(field)) = (kind, optional(field, fields, "port_ids")) {
        reader.ports.ids = port_ids(reader, &field);
    }
    cpu_port
}

fn client_tls(reader: &mut Reader, field: &Field<'_>, files: &mut Files) -> ClientTls {
    let mut tls = ClientTls { ca: PathBuf::new(), identity: None, server_name: None };
    let Some(fields) = reader.map(field, &["ca", "cert", "key", "server_name"]) else { return tls };
    tls.ca = files.required(
        reader,
        field,
        fields,
        "ca",
        "the PEM file of the authority that signed the switch's certificate",
    );
    tls.identity = match (optional(field, fields, "cert"), optional(field, fields, "key")) {
        (Some(cert), Some(key)) => Some((files.read(reader, &cert), files.read(reader, &key))),
        (None, None) => None,
        (Some(half), None) | (None, Some(half)) => {
            reader.error(half.node.at, &half.path, "`cert` and `key` belong together", "name both files, or none");
            None
        }
    };
    tls.server_name = optional(field, fields, "server_name").and_then(|field| dns_name(reader, &field));
    tls
}
