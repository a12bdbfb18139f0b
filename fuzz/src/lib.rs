//! How the targets change an input: half of the time as libFuzzer does, half of the time by their own rules.

use libfuzzer_sys::fuzzer_mutate;

/// Changes the first `size` bytes of `data` to at most `max_size` others, and says how many those are.
pub fn mutated(own: impl Fn(&[u8], u64) -> Vec<u8>, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    if seed.is_multiple_of(2) {
        return fuzzer_mutate(data, size, max_size);
    }
    let changed = own(&data[..size], seed.into());
    let length = changed.len().min(max_size);
    data[..length].copy_from_slice(&changed[..length]);
    length
}
