//! See `vouch_hostile::agent::management`.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use vouch_fuzz::{mutated, survive_closed_sockets};
use vouch_hostile::agent::management;

fuzz_target!(init: survive_closed_sockets(), |data: &[u8]| management::run(data));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutated(management::mutate, data, size, max_size, seed)
});
