//! What this process hears from the kernel: randomness and the time of day, both from the simulation.
//!
//! Hash maps, `select!` and the jitter of reconnections draw their randomness by way of the standard library from the C library's
//! `getrandom`, and the agents' incarnations and HTTP's dates come from its `clock_gettime`. This program has functions of these
//! names of its own, which the linker prefers. The standard library calls its `getrandom` by a weak symbol for just this
//! purpose.

use std::future::ready;
use std::hash::RandomState;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use libc::{c_int, c_uint, c_void, clockid_t, size_t, ssize_t, timespec};

/// The state of the randomness.
static RANDOM: AtomicU64 = AtomicU64::new(0);
/// The time of day, in nanoseconds since 1970.
static TIME_OF_DAY: AtomicI64 = AtomicI64::new(START);
/// The first of January 2030.
const START: i64 = 1_893_456_000_000_000_000;

/// Draws from another sequence from now on. Copies of one process have the same past, and would all draw the same: so they skip
/// different numbers of hashers' keys and of `select!`'s numbers.
pub(crate) async fn seed(seed: u64) {
    RANDOM.store(seed, Ordering::Relaxed);
    for _ in 0..seed % 1_009 {
        drop(RandomState::new());
    }
    for _ in 0..seed % 251 {
        tokio::select! {
            () = ready(()) => {}
            () = ready(()) => {}
        }
    }
}

/// Sets the time of day to so long after the beginning; negative is before.
pub(crate) fn set_time_of_day(since: Duration, skew: i64) {
    let since = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
    TIME_OF_DAY.store(START.saturating_add(since).saturating_add(skew), Ordering::Relaxed);
}

/// The next number (splitmix64).
fn next() -> u64 {
    let state = RANDOM.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// In the place of the system call.
///
/// # Safety
///
/// As getrandom(2): `buffer` has room for `length` bytes.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, _flags: c_uint) -> ssize_t {
    // SAFETY: the caller's promise; bytes of any value are initialised memory.
    let buffer = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    for chunk in buffer.chunks_mut(8) {
        chunk.copy_from_slice(&next().to_le_bytes()[..chunk.len()]);
    }
    length.cast_signed()
}

/// In the place of the system call, for the time of day; for other clocks it is made.
///
/// # Safety
///
/// As clock_gettime(2): `time` can be written to.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    if clock != libc::CLOCK_REALTIME {
        // SAFETY: this is the very call, with the caller's promise; it returns 0 or -1.
        return unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) } as c_int;
    }
    let now = TIME_OF_DAY.load(Ordering::Relaxed);
    // SAFETY: the caller's promise.
    unsafe { time.write(timespec { tv_sec: now / 1_000_000_000, tv_nsec: now % 1_000_000_000 }) };
    0
}
