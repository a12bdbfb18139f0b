//! See `vouch_hostile::packets`.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use vouch_fuzz::mutated;
use vouch_hostile::packets;

fuzz_target!(|data: &[u8]| packets::run(data));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutated(packets::mutate, data, size, max_size, seed)
});
