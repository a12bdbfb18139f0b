//! The Thrift services: what goes over the wire, and what BMv2's own command line makes of them.

mod client;
mod hostile;
mod support;
mod wire;
