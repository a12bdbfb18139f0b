//! What the targets have in common.

use libfuzzer_sys::fuzzer_mutate;

/// Let writes to a socket whose other end is closed fail. Rust's own `main` does that, and these programs have libFuzzer's, so that
/// they would end.
pub fn survive_closed_sockets() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Changes an input, half of the time as libFuzzer does, half of the time by the target's own rules: the first `size` bytes of `data`
/// become at most `max_size` others. Says how many those are.
pub fn mutated(own: impl Fn(&[u8], u64) -> Vec<u8>, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    if seed.is_multiple_of(2) {
        return fuzzer_mutate(data, size, max_size);
    }
    let changed = own(&data[..size], seed.into());
    let length = changed.len().min(max_size);
    data[..length].copy_from_slice(&changed[..length]);
    length
}
