//! `p4-switch` and `p4-switch-cli` as commands: what they make of their arguments, of files of packets, and of signals.

mod arguments;
mod cli;
mod files;
mod support;
mod trace;
