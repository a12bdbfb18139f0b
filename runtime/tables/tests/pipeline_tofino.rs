//! The tests of `pipeline`, on the TNA program: its parsers and controls, with v1model playing the hardware around them
//! (`p4src/tna_model`). It takes each way to one next hop, and its underlay is IPv4, so those of several (`next_hop`) and of IPv6
//! (`underlay_ipv6`) are not among them: see `pipeline_tofino2`.

/// The program under test.
pub(crate) const P4INFO: &str = vouch_tables::TOFINO_P4INFO_TEXT;
pub(crate) const PROGRAM: &[u8] = vouch_tables::TOFINO_MODEL;

/// Whether ingress compares lengths with the frame's own.
pub(crate) const INGRESS_KNOWS_LENGTH: bool = false;

#[path = "pipeline/mod.rs"]
mod pipeline;

use pipeline::{bench, device, frames};
