//! See `vouch_hostile::device_config`.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use vouch_fuzz::mutated;
use vouch_hostile::device_config;

fuzz_target!(|data: &[u8]| device_config::run(data));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutated(device_config::mutate, data, size, max_size, seed)
});
