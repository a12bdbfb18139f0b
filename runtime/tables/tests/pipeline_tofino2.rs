//! The tests of `pipeline`, all of them, on the TNA program for Tofino 2, with v1model playing the hardware around it as in
//! `pipeline_tofino`.

/// The program under test.
pub(crate) const P4INFO: &str = include_str!("../../../p4src/build/tofino/vtep_model_tofino2.p4info.txtpb");
pub(crate) const PROGRAM: &[u8] = include_bytes!("../../../p4src/build/tofino/vtep_model_tofino2.json");

/// Whether ingress compares lengths with the frame's own.
pub(crate) const INGRESS_KNOWS_LENGTH: bool = false;

#[path = "pipeline/mod.rs"]
mod pipeline;

#[path = "pipeline/next_hop.rs"]
mod next_hop;
#[path = "pipeline/underlay_ipv6.rs"]
mod underlay_ipv6;

use pipeline::{bench, device, frames};
