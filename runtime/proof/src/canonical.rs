//! What makes two states the same: not when they are reached, nor which numbers their questions, claims and frames happen to have.
//!
//! A machine compares times with each other and with the time that it is told, and numbers that name things only with each other. So a state is hashed
//! with times counted from now, and names counted in the order in which they are met: states that differ in nothing else go on alike. The types of
//! `vouch-mobility` write times as `i128` and names as `u128`, and nothing else so; that is how they are told apart here.

use std::hash::{DefaultHasher, Hasher};

use vouch_mobility::Instant;

/// What happened longer ago than anything is remembered has only happened. Ten minutes, in microseconds: longer than any scene lasts, and than any timer.
const LONG_AGO: i128 = 600_000_000;

/// Hashes a state as it is seen at one time.
pub(crate) struct Canonical {
    inner: DefaultHasher,
    now: i128,
    names: Vec<u128>,
}

impl Canonical {
    pub(crate) fn at(now: Instant) -> Self {
        Self { inner: DefaultHasher::new(), now: i128::from(now.as_micros()), names: Vec::with_capacity(16) }
    }
}

impl Hasher for Canonical {
    fn finish(&self) -> u64 {
        self.inner.finish()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.inner.write(bytes);
    }

    fn write_u8(&mut self, number: u8) {
        self.inner.write_u8(number);
    }

    fn write_u32(&mut self, number: u32) {
        self.inner.write_u32(number);
    }

    fn write_u64(&mut self, number: u64) {
        self.inner.write_u64(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.inner.write_usize(number);
    }

    /// A time.
    fn write_i128(&mut self, micros: i128) {
        let ahead = (micros - self.now).max(-LONG_AGO);
        self.inner.write_i64(i64::try_from(ahead).unwrap_or(i64::MAX));
    }

    /// A name.
    fn write_u128(&mut self, name: u128) {
        let at = self.names.iter().position(|&known| known == name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        self.inner.write_usize(at);
    }
}
