//! Sequence numbers of a host's moves, with the meaning that BGP EVPN gives them (RFC 7432, section 7.7).

use std::fmt;

/// How often a host has been claimed: of two advertisements the higher one is the newer.
///
/// An owner that advertises with `N` is claimed with `N + 1`, and refuses with `N + 2`, so that every VTEP that believed the
/// claim believes the refusal more. The number saturates: a wrapped one would make the oldest news the newest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(pub u32);

impl Sequence {
    /// The sequence of a host that never moved.
    pub const FIRST: Self = Self(0);
    /// The last one. Nothing outranks it any more, which the machine reports.
    pub const LAST: Self = Self(u32::MAX);

    /// The next one up, and the last one for ever once that is reached.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_sequence_never_wraps_to_the_first() {
        assert_eq!(Sequence::LAST.next(), Sequence::LAST);
        assert_eq!(Sequence::FIRST.next(), Sequence(1));
    }
}
