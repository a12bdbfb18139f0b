//! `switch`: what sort of switch it is, how to reach it, what it runs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use vouch_net::written_as;

use super::written::{BMV2_CPU_PORT, File, MAX_PORT, Name, SwitchUrl, TOFINO_CPU_PORT};

/// The switch and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SwitchConfig {
    /// What sort of switch it is.
    #[serde(flatten)]
    pub kind: SwitchKind,
    /// Where its P4Runtime server listens, as `http://127.0.0.1:9559`. With `tls` it is `https://`.
    #[schemars(with = "SwitchUrl")]
    pub target: String,
    /// The P4Runtime device id. With Stratum it is the id of the node in its chassis configuration, and has to be given.
    #[serde(default)]
    pub device_id: u64,
    /// The P4Runtime election id. Of several controllers, the highest is in charge.
    #[serde(default = "first", deserialize_with = "from_text")]
    #[schemars(with = "ElectionId")]
    pub election_id: u128,
    /// Whether another agent of the same name may be in charge of the switch in its turn. What that one did stands, and is not undone.
    #[serde(default)]
    pub pair: bool,
    /// The name of a P4Runtime role. Without it, the agent has full access.
    pub role: Option<String>,
    /// TLS towards the switch. Without it, everything is plaintext.
    pub tls: Option<ClientTls>,
    /// The compiled program. Without it, it is the one that comes with the agent, which is for BMv2.
    pub pipeline: Option<PipelineFiles>,
    /// The port that leads to the controller, as the switch knows it. The default for a Tofino is 192, the PCIe port where there are
    /// two pipes; with four it is 320.
    #[serde(default = "bmv2_cpu_port")]
    #[schemars(with = "CpuPort")]
    pub cpu_port: u16,
    /// The port numbers of this file, each with the switch's own, as `1: 132`. Only a Tofino has this; what is not among them is
    /// the switch's own number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "PortIds")]
    pub port_ids: BTreeMap<u16, u16>,
    /// How it is found out that a host is idle. The default with Stratum is `counters`.
    #[serde(default)]
    pub ageing: Ageing,
    /// Where "a port went down" comes from. The default with the SDE's server is `none`.
    #[serde(default)]
    pub link_status: LinkStatus,
}

/// What sort of switch runs the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "KindFields", into = "KindFields")]
pub enum SwitchKind {
    /// v1model: BMv2's `simple_switch_grpc`, or the embedded switch.
    Bmv2,
    /// TNA: a switch with a Tofino.
    Tofino(TofinoServer),
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct KindFields {
    /// What sort of switch it is.
    #[serde(default)]
    kind: Kind,
    /// The P4Runtime server on the switch: `stratum` or `sde`. A Tofino has this, and has to; they take the pipeline in different
    /// forms, and differ in more.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<TofinoServer>,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// v1model: BMv2's `simple_switch_grpc`, or the embedded switch.
    #[default]
    Bmv2,
    /// TNA: a switch with a Tofino.
    Tofino,
}

impl From<KindFields> for SwitchKind {
    fn from(KindFields { kind, server }: KindFields) -> Self {
        match kind {
            Kind::Bmv2 => Self::Bmv2,
            Kind::Tofino => Self::Tofino(server.unwrap_or(TofinoServer::Sde)),
        }
    }
}

impl From<SwitchKind> for KindFields {
    fn from(kind: SwitchKind) -> Self {
        match kind {
            SwitchKind::Bmv2 => Self { kind: Kind::Bmv2, server: None },
            SwitchKind::Tofino(server) => Self { kind: Kind::Tofino, server: Some(server) },
        }
    }
}

/// The P4Runtime server of a Tofino switch. They take the pipeline in different forms, and differ in more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TofinoServer {
    /// Stratum's `stratum_bfrt`.
    Stratum,
    /// The one of Intel's SDE.
    Sde,
}

/// How it is found out that a host is idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ageing {
    /// The switch notifies of entries that were not used for their idle timeout.
    #[default]
    Notifications,
    /// The entries' packet counters are read from time to time.
    Counters,
}

/// Where link state comes from. It is evidence: a host whose port is down has left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LinkStatus {
    /// A gNMI subscription on the switch's own endpoint.
    #[default]
    Gnmi,
    /// Nowhere; every verdict about a dead port waits for its timeout.
    None,
}

/// A pipeline on disk. Which of them belongs to the switch is checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PipelineFiles {
    /// For Tofino.
    Tofino {
        /// A program's name, of 1 to 100 bytes. For Tofino.
        #[serde(default = "program")]
        #[schemars(length(min = 1, max = 100))]
        name: String,
        /// The P4Info file, in text form.
        #[schemars(with = "File")]
        p4info: PathBuf,
        /// The compiler's tofino.bin. For Tofino.
        #[schemars(with = "File")]
        binary: PathBuf,
        /// The compiler's context.json. For Tofino.
        #[schemars(with = "File")]
        context: PathBuf,
        /// The compiler's bfrt.json, which Stratum needs. For Tofino.
        #[schemars(with = "Option<File>")]
        bfrt: Option<PathBuf>,
    },
    /// For BMv2.
    Bmv2 {
        /// The P4Info file, in text form.
        #[schemars(with = "File")]
        p4info: PathBuf,
        /// The compiled pipeline file: the compiler's JSON. For BMv2.
        #[serde(default)]
        #[schemars(with = "File")]
        device_config: PathBuf,
    },
}

fn program() -> String {
    "vtep".to_owned()
}

impl PipelineFiles {
    /// The P4Info in text form.
    pub fn p4info(&self) -> &PathBuf {
        match self {
            Self::Bmv2 { p4info, .. } | Self::Tofino { p4info, .. } => p4info,
        }
    }
}

/// TLS as a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientTls {
    /// The PEM file of the authority that signed the server's certificate.
    #[schemars(with = "File")]
    pub ca: PathBuf,
    /// The PEM file of our certificate chain, if the server asks for it. It goes with `key`.
    #[schemars(with = "Option<File>")]
    pub cert: Option<PathBuf>,
    /// The PEM file of its key.
    #[schemars(with = "Option<File>")]
    pub key: Option<PathBuf>,
    /// The name in the server's certificate. Without it, it is the host in the URL.
    #[schemars(with = "Option<Name>")]
    pub server_name: Option<String>,
}

/// Puts what is not said and depends on the sort of switch into the fields of a Tofino.
pub(super) fn defaults(switch: &mut Map<String, Value>) {
    if switch.get("kind").and_then(Value::as_str) != Some("tofino") {
        return;
    }
    let (ageing, link_status) = match switch.get("server").and_then(Value::as_str) {
        Some("stratum") => (Ageing::Counters, LinkStatus::Gnmi),
        _ => (Ageing::Notifications, LinkStatus::None),
    };
    let fields = [("cpu_port", TOFINO_CPU_PORT.into()), ("ageing", word(ageing)), ("link_status", word(link_status))];
    for (name, value) in fields {
        switch.entry(name).or_insert(value);
    }
}

fn word(choice: impl Serialize) -> Value {
    serde_json::to_value(choice).unwrap_or_default()
}

fn first() -> u128 {
    1
}

fn bmv2_cpu_port() -> u16 {
    BMV2_CPU_PORT
}

/// JSON has no numbers of 128 bits that all its readers take.
fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

struct ElectionId;
struct CpuPort;
struct PortIds;

written_as!(ElectionId, { "type": "integer", "format": "election-id", "minimum": 1 });
written_as!(CpuPort, { "type": "integer", "format": "cpu-port", "minimum": 0, "maximum": MAX_PORT });
written_as!(PortIds, {
    "type": "object",
    "patternProperties": { "^[0-9]+$": { "type": "integer", "format": "port-id", "minimum": 0, "maximum": MAX_PORT } },
    "additionalProperties": false,
});
