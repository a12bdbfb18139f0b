//! Frames between hosts and us: what the switch hands over is read, and questions, answers and marks are made.

mod make;
mod read;

pub(crate) use make::{Asker, ProbeSource, Tag, answer, mark, mark_number, probe, tag};
pub(crate) use read::{Sighting, SightingKind, sighting};

#[cfg(test)]
mod tests;
