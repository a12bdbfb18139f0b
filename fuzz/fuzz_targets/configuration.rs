//! See `vouch_hostile::configuration`.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use vouch_fuzz::mutated;
use vouch_hostile::configuration;

fuzz_target!(|data: &[u8]| configuration::run(data));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutated(configuration::mutate, data, size, max_size, seed)
});
