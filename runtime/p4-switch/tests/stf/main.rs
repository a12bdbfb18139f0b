//! The STF player, from the grammar to the command.

mod command;
mod grammar;
mod playing;
