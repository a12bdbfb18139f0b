//! `p4-switch-cli` on the embedded switch behind its P4Runtime server.

mod errors;
mod sessions;
mod sharing;
mod support;
mod words;
