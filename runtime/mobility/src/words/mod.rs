//! Names, time, sequences, and what can be chosen.

pub(crate) mod config;
pub(crate) mod ids;
pub(crate) mod sequence;
pub(crate) mod time;
