//! The numbers of the program that are not addresses: places, bridge domains, groups, ports, VLANs.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::{Value, ValueError};

/// Where a host is reached from a switch: an access interface (a port and a VLAN, or untagged) or a tunnel to a peer. Beside them
/// are the links of the underlay, where no host is. `location_t` in `p4src/parts/headers.p4`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocationId(u16);

impl LocationId {
    /// The highest number of an access interface.
    pub const MAX_ACCESS: u16 = Self::LINKS - 1;
    /// The highest number of a tunnel.
    pub const MAX_TUNNEL: u16 = 0x7ffe;
    /// The link of port 0; those of other ports follow.
    const LINKS: u16 = 0x7e00;

    /// Access interface `number`, 1 to [`Self::MAX_ACCESS`].
    pub const fn access(number: u16) -> Option<Self> {
        if number >= 1 && number <= Self::MAX_ACCESS { Some(Self(number)) } else { None }
    }

    /// Tunnel `number`, 1 to [`Self::MAX_TUNNEL`].
    pub const fn tunnel(number: u16) -> Option<Self> {
        if number >= 1 && number <= Self::MAX_TUNNEL { Some(Self(0x8000 | number)) } else { None }
    }

    /// The link of an underlay port.
    pub const fn link(port: Port) -> Self {
        Self(Self::LINKS + port.0)
    }

    /// The port, if it is a link of the underlay.
    pub fn as_link(self) -> Option<Port> {
        if self.is_tunnel() { None } else { self.0.checked_sub(Self::LINKS).and_then(Port::new) }
    }

    /// The id as the tables hold it.
    pub fn from_id(id: u16) -> Option<Self> {
        match id {
            0x8000.. => Self::tunnel(id & 0x7fff),
            Self::LINKS.. => Port::new(id - Self::LINKS).map(Self::link),
            _ => Self::access(id),
        }
    }

    /// The id that the tables hold.
    pub const fn id(self) -> u16 {
        self.0
    }

    /// Whether it is a tunnel, not an access interface.
    pub const fn is_tunnel(self) -> bool {
        self.0 & 0x8000 != 0
    }

    /// The number of the access interface or tunnel among its kind.
    pub const fn number(self) -> u16 {
        self.0 & 0x7fff
    }
}

impl fmt::Display for LocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_link() {
            Some(port) => write!(f, "link{port}"),
            None => write!(f, "{}{}", if self.is_tunnel() { "tunnel" } else { "access" }, self.number()),
        }
    }
}

impl fmt::Debug for LocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Value for LocationId {
    const BITS: u32 = 16;

    fn to_bits(self) -> u128 {
        self.0.into()
    }

    fn from_bits(bits: u128) -> Result<Self, ValueError> {
        u16::try_from(bits)
            .ok()
            .and_then(Self::from_id)
            .ok_or(ValueError::Meaningless { value: bits, kind: "an access interface or a tunnel" })
    }
}

/// A number type with a range of its own, checked once.
macro_rules! number {
    ($(#[$doc:meta])* $Name:ident($Inner:ty), $bits:literal, $kind:literal, $range:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Name($Inner);

        impl $Name {
            /// Checks that `number` is in range.
            pub fn new(number: $Inner) -> Option<Self> {
                ($range).contains(&number).then_some(Self(number))
            }

            /// The plain number.
            pub const fn get(self) -> $Inner {
                self.0
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($Name), "({})"), self.0)
            }
        }

        impl Serialize for $Name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $Name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = <$Inner>::deserialize(deserializer)?;
                Self::new(number).ok_or_else(|| {
                    serde::de::Error::custom(format_args!(concat!("{} is not ", $kind), number))
                })
            }
        }

        impl Value for $Name {
            const BITS: u32 = $bits;

            fn to_bits(self) -> u128 {
                self.0.into()
            }

            fn from_bits(bits: u128) -> Result<Self, ValueError> {
                <$Inner>::try_from(bits)
                    .ok()
                    .and_then(Self::new)
                    .ok_or(ValueError::Meaningless { value: bits, kind: $kind })
            }
        }
    };
}

number!(
    /// A bridge domain: this switch's number for a VNI, 1 to 16383. Its flood group has the same number.
    Bd(u16), 16, "a bridge domain (1 to 16383)", 1..0x4000
);

number!(
    /// A multicast group, 1 to 32767: see [`Group::flood`] and [`Group::pair`]. BMv2's P4Runtime server keeps the rest for
    /// clone sessions.
    Group(u16), 16, "a multicast group (1 to 32767)", 1..0x8000
);

number!(
    /// A port of the switch. 511 is the target's "drop".
    Port(u16), 9, "a port (0 to 510)", 0..511
);

number!(
    /// A VLAN that a tag can name (IEEE 802.1Q, table 9-2), 1 to 4094.
    VlanId(u16), 12, "a VLAN (1 to 4094)", 1..0xfff
);

number!(
    /// A differentiated services code point (RFC 2474), 0 to 63.
    Dscp(u8), 6, "a DSCP (0 to 63)", 0..64
);

number!(
    /// Next hops that share what goes one way, each with some of the group's [`Bucket`]s.
    HopGroup(u16), 16, "a group of next hops (1 to 65535)", 1..=u16::MAX
);

number!(
    /// One of the next hops that groups name.
    NeighbourId(u16), 16, "a neighbour (1 to 65535)", 1..=u16::MAX
);

number!(
    /// What is shared out in a group of next hops: the flows with one hash, 0 to 63.
    Bucket(u8), 6, "a bucket (0 to 63)", 0..Bucket::COUNT
);

impl Bucket {
    /// How many a group has.
    pub const COUNT: u8 = 64;

    /// All that a group has.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }
}

impl Group {
    /// How many groups there are for pairs of places.
    pub const PAIRS: u16 = 0x4000;

    /// The flood group of a bridge domain: broadcast, multicast, unknown unicast.
    pub const fn flood(bd: Bd) -> Self {
        Self(bd.0)
    }

    /// Group `number` (less than [`Self::PAIRS`]) for a pair of places that both get a host's traffic.
    pub const fn pair(number: u16) -> Option<Self> {
        if number < Self::PAIRS { Some(Self(0x4000 + number)) } else { None }
    }
}

/// How frames are told apart on a port: without tag (or with a priority only), or by a VLAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    /// 0 in the tables.
    Untagged,
    /// The VLAN's number in the tables.
    Vlan(VlanId),
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untagged => f.write_str("untagged"),
            Self::Vlan(vlan) => fmt::Display::fmt(vlan, f),
        }
    }
}

impl Value for Tag {
    const BITS: u32 = 12;

    fn to_bits(self) -> u128 {
        match self {
            Self::Untagged => 0,
            Self::Vlan(vlan) => vlan.to_bits(),
        }
    }

    fn from_bits(bits: u128) -> Result<Self, ValueError> {
        if bits == 0 { Ok(Self::Untagged) } else { VlanId::from_bits(bits).map(Self::Vlan) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_know_their_kind() {
        let access = LocationId::access(3).unwrap();
        let tunnel = LocationId::tunnel(3).unwrap();
        assert_eq!((access.id(), access.is_tunnel(), access.to_string()), (3, false, "access3".into()));
        assert_eq!((tunnel.id(), tunnel.is_tunnel(), tunnel.to_string()), (0x8003, true, "tunnel3".into()));
        for none in [0, 0x8000, 0xffff] {
            assert_eq!(LocationId::from_id(none), None, "{none:#x}");
        }
        let link = LocationId::link(Port::new(510).unwrap());
        assert_eq!((link.id(), link.is_tunnel(), link.to_string()), (0x7ffe, false, "link510".into()));
        assert_eq!(LocationId::from_id(0x7e00), Some(LocationId::link(Port::new(0).unwrap())));
        assert_eq!((LocationId::from_id(0x7fff), LocationId::access(0x7e00)), (None, None));
        assert_eq!(access.as_link().or(tunnel.as_link()), None);
        assert_eq!(LocationId::access(0x8001), None);
        assert_eq!(LocationId::tunnel(0x7fff), None);
    }

    #[test]
    fn flood_and_pair_groups_never_meet() {
        let last_bd = Bd::new(0x3fff).unwrap();
        assert_eq!(Bd::new(0x4000), None);
        assert!(Group::flood(last_bd) < Group::pair(0).unwrap());
        assert_eq!(Group::pair(Group::PAIRS - 1).unwrap().get(), 0x7fff);
        assert_eq!(Group::pair(Group::PAIRS), None);
    }
}
