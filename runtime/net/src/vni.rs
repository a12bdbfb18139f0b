//! VXLAN network identifiers.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// A VXLAN Network Identifier: 24 bits (RFC 7348, section 5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Vni(u32);

/// The number does not fit the 24 bits of a VNI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a VNI: it must be at most 16777215 (24 bits, RFC 7348)")]
pub struct VniError(pub u32);

impl Vni {
    /// The largest identifier.
    pub const MAX: Self = Self(0xff_ffff);

    /// Checks that `value` fits in 24 bits.
    pub const fn new(value: u32) -> Result<Self, VniError> {
        if value <= Self::MAX.0 { Ok(Self(value)) } else { Err(VniError(value)) }
    }

    /// The identifier as a number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Vni {
    type Error = VniError;

    fn try_from(value: u32) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<Vni> for u32 {
    fn from(vni: Vni) -> Self {
        vni.0
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vni {}", self.0)
    }
}

impl<'de> Deserialize<'de> for Vni {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u32::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_four_bits_fit_and_no_more() {
        assert_eq!(Vni::new(0xff_ffff), Ok(Vni::MAX));
        assert_eq!(Vni::new(0x100_0000), Err(VniError(0x100_0000)));
        assert!(VniError(0x100_0000).to_string().contains("16777215"));
    }
}
