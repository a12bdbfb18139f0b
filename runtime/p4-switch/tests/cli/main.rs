//! `p4-switch-cli` on the embedded switch behind its P4Runtime server.

mod errors;
mod sessions;
mod support;
mod words;
