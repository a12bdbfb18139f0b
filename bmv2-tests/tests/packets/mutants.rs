//! Damaged packets: each case's last frame, with bits flipped, bytes replaced and ends cut off.
//!
//! Nobody says what is to come of them. What comes of them must be the same on both switches.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::bench::Input;
use crate::cases::Case;

/// Mutants of each case.
const PER_CASE: usize = 4;
/// Headers are in the first bytes; damage to payload shows nothing.
const HEADERS: usize = 130;
/// Linux drops a frame with a VLAN tag and nothing behind it before any switch or host sees it.
const SHORTEST: usize = 20;

/// The inputs of a case with its last frame damaged, in several ways. The same each time.
pub(crate) fn of(case: &Case, seed: u64) -> Vec<Vec<Input>> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut mutant = || {
        let mut inputs = case.inputs.clone();
        if let Some(Input::Frame(_, frame) | Input::FromController(_, frame)) = inputs.last_mut() {
            frame.resize(frame.len().max(SHORTEST), 0);
            damage(frame, &mut random);
        }
        inputs
    };
    (0..PER_CASE).map(|_| mutant()).collect()
}

fn damage(frame: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(1..=3) {
        let place = random.random_range(0..frame.len().min(HEADERS));
        match random.random_range(0..4) {
            0 | 1 => frame[place] ^= 1 << random.random_range(0..8),
            2 => frame[place] = random.random(),
            _ => frame.truncate(place.max(SHORTEST)),
        }
    }
}
