//! Small typed numbers that name the objects of one loaded program.
//!
//! Names are looked up once, through [`Program`](crate::Program); afterwards everything, packets and control calls alike,
//! uses these. An id belongs to the program that gave it out: handing it to a switch that runs another program is answered
//! with an error or names a different object, never with a panic.

use core::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u32);

        impl $name {
            /// Position of the object among those of its kind, from 0.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )*};
}

ids! {
    /// A match-action table.
    TableId,
    /// An action *of one table*: p4c repeats an action for each table that uses it.
    ActionId,
    /// An action profile or action selector.
    ProfileId,
    /// An indirect counter array.
    CounterId,
    /// An indirect meter array.
    MeterId,
    /// A register array.
    RegisterId,
    /// A digest ("learn list").
    DigestId,
    /// A parser value set.
    ValueSetId,
    /// A hash or checksum calculation.
    CalculationId,
}

/// Microseconds since an epoch that the caller chooses, for example the start of the switch. The engine has no clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

impl Micros {
    /// Time passed since `earlier`, zero if it is in the future.
    #[must_use]
    pub fn since(self, earlier: Micros) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }
}

/// A port number, 9 bits in v1model.
pub type Port = u16;
