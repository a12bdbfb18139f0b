//! The Thrift services and the notifications: what goes over the wire, and what BMv2's own command line makes of it.

mod client;
mod hostile;
mod notifications;
mod our_client;
mod subscriber;
mod support;
mod told_by_both;
mod wire;
