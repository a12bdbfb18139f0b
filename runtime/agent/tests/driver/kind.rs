//! The kinds of switch that the agent is tested with: the embedded switch as it is, and as one with a Tofino behind each of the
//! P4Runtime servers that there are for those.

use std::path::{Path, PathBuf};

use vouch_agent::config::{PipelineFiles, TofinoServer};
use vouch_p4runtime::P4Info;
use vouch_switch_server::{Builder, SwitchServer};

const TOFINO_MODEL: &[u8] = vouch_tables::TOFINO_MODEL;
/// As on a Tofino with two pipes.
const TOFINO_CPU_PORT: u16 = 192;

/// What sort of switch a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bmv2,
    Tofino(TofinoServer),
}

/// What a switch is made of: the switch without ports, and with a Tofino its server and the model of its program.
pub(crate) struct Parts {
    pub(crate) builder: Builder,
    pub(crate) tofino: Option<(TofinoServer, Vec<u8>)>,
}

impl Kind {
    /// A switch of this kind.
    pub(crate) fn parts(self) -> Parts {
        match self {
            Self::Bmv2 => Parts { builder: SwitchServer::builder(), tofino: None },
            Self::Tofino(server) => Parts {
                builder: SwitchServer::builder().cpu_port(TOFINO_CPU_PORT.into()),
                tofino: Some((server, TOFINO_MODEL.to_vec())),
            },
        }
    }

    /// What the switch calls the port that the configuration calls so.
    pub(crate) fn port(self, number: u16) -> u16 {
        match self {
            Self::Bmv2 => number,
            // Pipe 1, one lane in four, as on a switch with 100 Gb/s ports.
            Self::Tofino(_) => 128 + 4 * number,
        }
    }

    /// The fields of `switch` that are different from one kind to the next, each on a line of its own.
    pub(crate) fn yaml(self) -> String {
        let server = match self {
            Self::Bmv2 => return "  kind: bmv2\n".to_owned(),
            Self::Tofino(TofinoServer::Sde) => "sde",
            Self::Tofino(TofinoServer::Stratum) => "stratum",
        };
        let files = files();
        let files = files.display();
        let ids: Vec<_> = [1, 2, 3, 4, 9].map(|number| format!("{number}: {}", self.port(number))).into();
        format!(
            "  kind: tofino\n  server: {server}\n  link_status: gnmi\n  cpu_port: {TOFINO_CPU_PORT}\n  port_ids: {{{}}}\n  \
             pipeline: {{p4info: {files}/vtep.p4info.txtpb, binary: {files}/tofino.bin, context: {files}/context.json, \
             bfrt: {files}/bfrt.json}}\n",
            ids.join(", ")
        )
    }

    pub(crate) fn p4info(self) -> P4Info {
        match self {
            Self::Bmv2 => vouch_tables::p4info(),
            Self::Tofino(_) => vouch_tables::tofino_p4info(),
        }
    }

    /// A switch that has so much room in `destination` and no more, whatever the P4Info says, and the pipeline for it where
    /// it is not the usual one.
    pub(crate) fn small(self, directory: &Path, size: u32) -> (Parts, Option<PipelineFiles>) {
        match self {
            Self::Bmv2 => {
                let (p4info, device_config) = (directory.join("p4info.txtpb"), directory.join("small.json"));
                std::fs::write(&p4info, vouch_tables::P4INFO_TEXT).expect("writable");
                std::fs::write(&device_config, small(vouch_tables::DEVICE_CONFIG, size)).expect("writable");
                (self.parts(), Some(PipelineFiles::Bmv2 { p4info, device_config }))
            }
            Self::Tofino(server) => {
                let tofino = Some((server, small(TOFINO_MODEL, size).into_bytes()));
                (Parts { tofino, ..self.parts() }, None)
            }
        }
    }
}

/// The program with another size of `destination`.
fn small(json: &[u8], size: u32) -> String {
    let json = std::str::from_utf8(json).expect("JSON is text");
    let (before, table) = json.split_once("\"name\" : \"destination\"").expect("the program has the table");
    let (between, number) = table.split_once("\"max_size\" : ").expect("the table has a size");
    let rest = number.trim_start_matches(|digit: char| digit.is_ascii_digit());
    format!("{before}\"name\" : \"destination\"{between}\"max_size\" : {size}{rest}")
}

/// Where the files of the program for Tofino are: what the compiler wrote.
fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../p4src/build/tofino")
}

/// Makes tests of functions that take a [`Kind`]: one for each kind.
macro_rules! on_each_kind {
    ($($name:ident),+ $(,)?) => {
        on_each_kind! { @ bmv2, $crate::kind::Kind::Bmv2, $($name),+ }
        on_each_kind! { @ tofino_sde, $crate::kind::Kind::Tofino(vouch_agent::config::TofinoServer::Sde), $($name),+ }
        on_each_kind! {
            @ tofino_stratum, $crate::kind::Kind::Tofino(vouch_agent::config::TofinoServer::Stratum), $($name),+
        }
    };
    (@ $module:ident, $kind:expr, $($name:ident),+) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($kind).await;
            })+
        }
    };
}

pub(crate) use on_each_kind;
