//! The server as its clients meet it, over a real connection. One program of many files, as each program takes half a minute to build.

#[path = "../common/mod.rs"]
mod common;
mod control;
mod dialect;
mod disagreements;
mod forwarding;
mod packet_stream;
mod packets;
mod port_status;
mod queues;
mod roles;
mod session;
mod started;
mod translation;
mod vtep;
