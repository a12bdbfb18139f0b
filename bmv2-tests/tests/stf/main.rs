//! The STF player, from the grammar to a folder of tests.

mod grammar;
mod playing;
