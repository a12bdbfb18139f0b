//! `p4-switch` as a command: what it makes of its arguments, of files of packets, and of signals.

mod arguments;
mod files;
mod support;
mod trace;
