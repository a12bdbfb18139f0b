//! The tests of `pipeline`, on the TNA program: its parsers and controls, with v1model playing the hardware around them
//! (`p4src/tna_model`). It takes each way to one next hop, and its underlay is IPv4, so those of several (`next_hop`) and of IPv6
//! (`underlay_ipv6`) are not among them: see `pipeline_tofino2`.

/// The program under test.
pub(crate) const P4INFO: &str = vouch_tables::TOFINO_P4INFO_TEXT;
pub(crate) const PROGRAM: &[u8] = vouch_tables::TOFINO_MODEL;

/// Whether ingress compares lengths with the frame's own.
pub(crate) const INGRESS_KNOWS_LENGTH: bool = false;

#[path = "pipeline/bench.rs"]
mod bench;
#[path = "pipeline/device.rs"]
mod device;
#[path = "pipeline/frames.rs"]
mod frames;

#[path = "pipeline/binding.rs"]
mod binding;
#[path = "pipeline/controller.rs"]
mod controller;
#[path = "pipeline/decapsulation.rs"]
mod decapsulation;
#[path = "pipeline/destination.rs"]
mod destination;
#[path = "pipeline/encapsulation.rs"]
mod encapsulation;
#[path = "pipeline/interfaces.rs"]
mod interfaces;
#[path = "pipeline/link.rs"]
mod link;
#[path = "pipeline/request.rs"]
mod request;
#[path = "pipeline/source.rs"]
mod source;
#[path = "pipeline/transit.rs"]
mod transit;
#[path = "pipeline/underlay_tag.rs"]
mod underlay_tag;
