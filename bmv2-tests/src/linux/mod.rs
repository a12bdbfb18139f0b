//! A fabric with Linux hosts, everything in network namespaces: three VTEPs and a spine as switch processes, an agent process for
//! each over mutual TLS, and hosts whose IP stacks are the kernel's.
//!
//! From the ground up: [`netns`] makes namespaces that no killed run leaves behind, `tap` and `panel` are the hosts' cables, [`cable`] the others,
//! [`plan`] says who is where, `config` writes the agents' YAML, [`node`] runs a switch and its agent, [`host`] a host,
//! [`traffic`] accounts for packets, [`floor`] is all that hosts can do, and [`world`] is all of it.
//! [`hypervisor`] is QEMU behind a switch port, with what [`image`] makes, controlled through [`qmp`].
//! [`evpn`] is the same of what others use, for comparison. [`rows`](crate::rows) plays on it.
//!
//! An attacker is a host like the others, whose cable also carries what it forges.

pub mod agent;
pub mod cable;
mod config;
pub mod evpn;
pub mod flood;
pub mod floor;
pub mod host;
pub mod hypervisor;
pub mod image;
pub mod netns;
pub mod node;
mod panel;
pub mod plan;
pub mod qmp;
mod tap;
pub mod traffic;
pub mod world;

use std::path::Path;
use std::process::Command;

use p4_switch::process::find;

/// Whatever went wrong in the harness itself.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the fabric needs besides the switches, and the package that brings it.
const TOOLS: [(&str, &str); 2] = [("ip", "iproute2"), ("setpriv", "util-linux")];

/// Why no fabric can be brought up on this machine; `None` where one can.
pub fn missing() -> Option<String> {
    let mut lacks: Vec<String> = TOOLS
        .iter()
        .filter(|(tool, _)| find(tool).is_none())
        .map(|(tool, package)| format!("`{tool}` (package {package})"))
        .collect();
    if !Path::new(tap::DEVICE).exists() {
        lacks.push(format!("{} (tap interfaces of the kernel)", tap::DEVICE));
    }
    // Whether this user may make a namespace depends on more than being root: ask by doing.
    let may = Command::new("unshare").args(["--net", "true"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        lacks.push("the right to make network namespaces (run as root)".to_owned());
    }
    (!lacks.is_empty()).then(|| format!("there is no {}", lacks.join(", and no ")))
}
