//! What all programs are tested for. Each root of these tests has its `P4INFO` and `PROGRAM`, and the tests of what not all have.

pub(crate) mod bench;
pub(crate) mod device;
pub(crate) mod frames;

mod binding;
mod controller;
mod decapsulation;
mod destination;
mod encapsulation;
mod interfaces;
mod link;
mod request;
mod source;
mod transit;
mod underlay_tag;
