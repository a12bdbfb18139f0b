//! See `vouch_hostile::nanomsg`.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use vouch_fuzz::mutated;
use vouch_hostile::nanomsg;

fuzz_target!(|data: &[u8]| nanomsg::run(data));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutated(nanomsg::mutate, data, size, max_size, seed)
});
