//! The STF player, from the grammar to a folder of tests.

mod command;
mod grammar;
mod playing;
