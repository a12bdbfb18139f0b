//! A Tofino for tests: the P4Runtime service of one, with an embedded switch in the place of the chip.
//!
//! The chip's program cannot be run here. What runs is its model: the same program, compiled for BMv2. The controller is
//! not to see it: it pushes the P4Info and device configuration of the Tofino, which are checked as far as that can be
//! done without a chip, and everything that it reads and writes goes by that P4Info. The embedded switch knows nothing of
//! this: a [`Front`] stands between, which is what the controller speaks to, and does as a [`TofinoServer`] would (`server`).
//!
//! Beside it is what a fabric of such switches needs: the compiled program, its model, and what an agent is told of one.

mod front;
mod server;

use std::fs;
use std::io;
use std::path::Path;

pub use front::Front;
pub use vouch_agent::config::TofinoServer;

const P4INFO: &[u8] = vouch_tables::TOFINO_P4INFO_TEXT.as_bytes();
// The agent hands these on; no switch of the lab can run them.
const BINARY: &[u8] = b"what the chip would run";
const CONTEXT: &[u8] = b"{}";
const BFRT: &[u8] = b"{}";
/// The same program, with v1model playing the hardware around it.
pub(super) const MODEL: &[u8] = vouch_tables::TOFINO_MODEL;
/// As on a Tofino with two pipes.
pub(super) const CPU_PORT: u16 = 192;

/// The fields of `switch` in an agent's configuration; the files that they name are put into `directory`.
pub(super) fn switch_fields(server: TofinoServer, directory: &Path) -> io::Result<String> {
    let server = match server {
        TofinoServer::Sde => "sde",
        TofinoServer::Stratum => "stratum",
    };
    let mut fields =
        format!("  kind: tofino\n  server: {server}\n  cpu_port: {CPU_PORT}\n  link_status: gnmi\n  pipeline:\n");
    for (field, name, content) in [
        ("p4info", "vtep.p4info.txtpb", P4INFO),
        ("binary", "tofino.bin", BINARY),
        ("context", "context.json", CONTEXT),
        ("bfrt", "bfrt.json", BFRT),
    ] {
        let path = directory.join(name);
        fs::write(&path, content)?;
        fields.push_str(&format!("    {field}: {:?}\n", path.display().to_string()));
    }
    Ok(fields)
}
