//! The compiled program at work on the embedded switch: each numbered item of the pipeline, packet by packet.
//!
//! ```text
//!            port 1, untagged ── access1 ┐
//!            port 2, VLAN 20  ── access2 ├ bd 5, VNI 5005 ┐         ┌ tunnel1 ── port 10 ── 10.0.0.2
//!            port 3, untagged ── access3 ┘                ├ 10.0.0.1 ┤
//!            port 4, untagged ── access4 ─ bd 6, VNI 6006 ┘         └ tunnel2 ── port 11 ── 10.0.0.3
//! ```

/// The program under test.
pub(crate) const P4INFO: &str = vouch_tables::P4INFO_TEXT;
pub(crate) const PROGRAM: &[u8] = vouch_tables::DEVICE_CONFIG;

/// Whether ingress compares lengths with the frame's own.
pub(crate) const INGRESS_KNOWS_LENGTH: bool = true;

#[path = "mod.rs"]
mod pipeline;

mod next_hop;
mod underlay_ipv6;

use pipeline::{bench, device, frames};
