//! A mutex whose holder is as urgent as who waits for it.
//!
//! The keeper of the rings runs in real time, who forwards does not: while he holds what both need he may have to let others have the
//! processor, for ten milliseconds on a busy machine, and the keeper would wait with him while a burst overflows. With this the kernel
//! has the holder run as urgently as the waiter, until he lets go (`FUTEX_LOCK_PI`, futex(2)).
#![allow(unsafe_code)] // `lock_api` makes a mutex of whatever promises to exclude.

use std::sync::atomic::Ordering;

use linux_futex::{PiFutex, Private};
use lock_api::{GuardNoSend, RawMutex};

pub(super) type Mutex<T> = lock_api::Mutex<Urgent, T>;
pub(super) type MutexGuard<'a, T> = lock_api::MutexGuard<'a, Urgent, T>;

/// Holds the number of the thread that has it, and is waited for in the kernel where there is one.
#[derive(Debug)]
pub(super) struct Urgent(PiFutex<Private>);

thread_local! {
    /// The number that the kernel knows this thread by.
    static ME: u32 = {
        // SAFETY: takes nothing.
        unsafe { libc::gettid() }.unsigned_abs()
    };
}

// SAFETY: the word is changed from 0 to a thread's number only by this thread, or by the kernel for it, and back only by whoever has it; so one
// thread at most has it. What it wrote before it let go is seen by the next: the exchanges say so, and system calls order memory.
unsafe impl RawMutex for Urgent {
    #[allow(clippy::declare_interior_mutable_const, reason = "as the trait has it")]
    const INIT: Self = Self(PiFutex::new(0));
    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        // The kernel asks for another try where the holder is ending just now.
        while !self.try_lock() && self.0.lock_pi().is_err() {}
    }

    fn try_lock(&self) -> bool {
        let me = ME.with(|me| *me);
        self.0.value.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    unsafe fn unlock(&self) {
        let me = ME.with(|me| *me);
        // With a flag of the kernel's in it, somebody waits.
        if self.0.value.compare_exchange(me, 0, Ordering::Release, Ordering::Relaxed).is_err() {
            self.0.unlock_pi();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn one_thread_has_it_at_a_time() {
        let (mutex, begin) = (Mutex::new(0_u64), Barrier::new(4));
        let count = || {
            begin.wait();
            for _ in 0..20_000 {
                let mut guard = mutex.lock();
                let before = *guard;
                // Others have their turns meanwhile.
                if before % 64 == 0 {
                    std::thread::yield_now();
                }
                *guard = before + 1;
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(count);
            }
        });
        assert_eq!(*mutex.lock(), 80_000);
    }

    #[test]
    fn who_panics_lets_go() {
        let mutex = Mutex::new(());
        let panics = std::thread::scope(|scope| {
            let holder = scope.spawn(|| {
                let _guard = mutex.lock();
                panic!("this panic is part of the test");
            });
            holder.join()
        });
        assert!(panics.is_err());
        drop(mutex.lock());
    }
}
