//! The tests of `pipeline`, all of them, on the TNA program for Tofino 2, with v1model playing the hardware around it as in
//! `pipeline_tofino`.

/// The program under test.
pub(crate) const P4INFO: &str = include_str!("../../../p4src/build/tofino/vtep_model_tofino2.p4info.txtpb");
pub(crate) const PROGRAM: &[u8] = include_bytes!("../../../p4src/build/tofino/vtep_model_tofino2.json");

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
#[path = "pipeline/next_hop.rs"]
mod next_hop;
#[path = "pipeline/request.rs"]
mod request;
#[path = "pipeline/source.rs"]
mod source;
#[path = "pipeline/transit.rs"]
mod transit;
#[path = "pipeline/underlay_ipv6.rs"]
mod underlay_ipv6;
#[path = "pipeline/underlay_tag.rs"]
mod underlay_tag;
