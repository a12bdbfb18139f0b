//! Between typed values and the `bit<W>` fields of the program.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use vouch_net::{MacAddr, Vni};
use vouch_p4runtime::p4::v1::FieldMatch;
use vouch_p4runtime::p4::v1::field_match::{Exact, FieldMatchType, Lpm};
use vouch_p4runtime::p4info::MatchKind;
use vouch_p4runtime::value;

/// A value from the switch that the field cannot hold or that means nothing in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a byte string of the field's width.
    #[error(transparent)]
    Bytes(#[from] vouch_p4runtime::value::ValueError),
    /// In range, but not a value of its kind.
    #[error("{value:#x} is not {kind}")]
    Meaningless {
        /// The number found.
        value: u128,
        /// What it should have been.
        kind: &'static str,
    },
    /// The match is of another kind than the key's.
    #[error("matched {0}, which this key is not")]
    MatchKind(&'static str),
    /// A field or parameter that must be there is not.
    #[error("no value")]
    Missing,
}

/// A typed value of a `bit<BITS>` field.
pub(crate) trait Value: Copy {
    const BITS: u32;
    fn to_bits(self) -> u128;
    fn from_bits(bits: u128) -> Result<Self, ValueError>;
}

/// Reads any byte string, canonical or padded.
pub(crate) fn from_bytes(bytes: &[u8], width: u32) -> Result<u128, ValueError> {
    Ok(value::decode(bytes, width)?)
}

/// The canonical byte string.
pub(crate) fn to_bytes(bits: u128) -> Vec<u8> {
    value::encode(bits)
}

/// One field of a table's key.
pub(crate) trait KeyField: Copy {
    const BITS: u32;
    const KIND: MatchKind;
    /// None where the field is left out: "matches all" is written by saying nothing.
    fn to_match(self) -> Option<FieldMatchType>;
    fn from_match(found: Option<&FieldMatchType>) -> Result<Self, ValueError>;
}

impl<V: Value> KeyField for V {
    const BITS: u32 = V::BITS;
    const KIND: MatchKind = MatchKind::Exact;

    fn to_match(self) -> Option<FieldMatchType> {
        Some(FieldMatchType::Exact(Exact { value: to_bytes(self.to_bits()) }))
    }

    fn from_match(found: Option<&FieldMatchType>) -> Result<Self, ValueError> {
        match found {
            Some(FieldMatchType::Exact(exact)) => V::from_bits(from_bytes(&exact.value, V::BITS)?),
            Some(other) => Err(ValueError::MatchKind(kind_name(other))),
            None => Err(ValueError::Missing),
        }
    }
}

/// A prefix, the longest of which wins.
macro_rules! prefix {
    ($Net:ident of $Addr:ident) => {
        impl KeyField for $Net {
            const BITS: u32 = $Addr::BITS;
            const KIND: MatchKind = MatchKind::Lpm;

            fn to_match(self) -> Option<FieldMatchType> {
                let value = to_bytes(Value::to_bits(self.network()));
                let prefix_len = i32::from(self.prefix_len());
                (prefix_len > 0).then(|| FieldMatchType::Lpm(Lpm { value, prefix_len }))
            }

            fn from_match(found: Option<&FieldMatchType>) -> Result<Self, ValueError> {
                match found {
                    Some(FieldMatchType::Lpm(lpm)) => {
                        let network = <$Addr as Value>::from_bits(from_bytes(&lpm.value, $Addr::BITS)?)?;
                        let meaningless =
                            || ValueError::Meaningless { value: lpm.prefix_len as u128, kind: "a prefix length" };
                        let length = u8::try_from(lpm.prefix_len).map_err(|_| meaningless())?;
                        let prefix = $Net::new(network, length).map_err(|_| meaningless())?;
                        // What stands behind the length would be compared by no switch.
                        if prefix.trunc() == prefix { Ok(prefix) } else { Err(meaningless()) }
                    }
                    Some(other) => Err(ValueError::MatchKind(kind_name(other))),
                    None => Ok($Net::default()),
                }
            }
        }
    };
}

prefix!(Ipv4Net of Ipv4Addr);
prefix!(Ipv6Net of Ipv6Addr);

/// The match of a key field by id, as the protocol has it.
pub(crate) fn find_match(found: &[FieldMatch], field_id: u32) -> Option<&FieldMatchType> {
    found.iter().find(|field| field.field_id == field_id)?.field_match_type.as_ref()
}

fn kind_name(found: &FieldMatchType) -> &'static str {
    match found {
        FieldMatchType::Exact(_) => "exact",
        FieldMatchType::Ternary(_) => "ternary",
        FieldMatchType::Lpm(_) => "lpm",
        FieldMatchType::Range(_) => "range",
        FieldMatchType::Optional(_) => "optional",
        FieldMatchType::Other(_) => "architecture-specific",
    }
}

impl Value for bool {
    const BITS: u32 = 1;

    fn to_bits(self) -> u128 {
        self.into()
    }

    fn from_bits(bits: u128) -> Result<Self, ValueError> {
        Ok(bits != 0)
    }
}

impl Value for u8 {
    const BITS: u32 = 8;

    fn to_bits(self) -> u128 {
        self.into()
    }

    fn from_bits(bits: u128) -> Result<Self, ValueError> {
        Ok(bits as u8)
    }
}

impl Value for u16 {
    const BITS: u32 = 16;

    fn to_bits(self) -> u128 {
        self.into()
    }

    fn from_bits(bits: u128) -> Result<Self, ValueError> {
        Ok(bits as u16)
    }
}

impl Value for MacAddr {
    const BITS: u32 = 48;

    fn to_bits(self) -> u128 {
        self.0.iter().fold(0, |bits, &byte| bits << 8 | u128::from(byte))
    }

    fn from_bits(bits: u128) -> Result<Self, ValueError> {
        let [.., a, b, c, d, e, f] = bits.to_be_bytes();
        Ok(MacAddr([a, b, c, d, e, f]))
    }
}

impl Value for Ipv4Addr {
    const BITS: u32 = 32;

    fn to_bits(self) -> u128 {
        Ipv4Addr::to_bits(self).into()
    }

    fn from_bits(bits: u128) -> Result<Self, ValueError> {
        Ok(Ipv4Addr::from_bits(bits as u32))
    }
}

impl Value for Ipv6Addr {
    const BITS: u32 = 128;

    fn to_bits(self) -> u128 {
        Ipv6Addr::to_bits(self)
    }

    fn from_bits(bits: u128) -> Result<Self, ValueError> {
        Ok(Ipv6Addr::from_bits(bits))
    }
}

impl Value for Vni {
    const BITS: u32 = 24;

    fn to_bits(self) -> u128 {
        self.get().into()
    }

    fn from_bits(bits: u128) -> Result<Self, ValueError> {
        let vni = u32::try_from(bits).ok().and_then(|bits| Vni::new(bits).ok());
        vni.ok_or(ValueError::Meaningless { value: bits, kind: "a VNI" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_strings_are_written_canonically_and_read_leniently() {
        assert_eq!(to_bytes(0), [0]);
        assert_eq!(to_bytes(0x1ff), [1, 0xff]);
        assert_eq!(from_bytes(&[0, 0, 1, 0xff], 9), Ok(0x1ff));
        for bad in [&[2, 0][..], &[], &[1; 9]] {
            assert!(matches!(from_bytes(bad, 9), Err(ValueError::Bytes(_))), "{bad:?}");
        }
    }

    #[test]
    fn an_empty_prefix_is_left_out_of_the_key() {
        assert_eq!(Ipv4Net::default().to_match(), None);
        assert_eq!(Ipv4Net::from_match(None), Ok(Ipv4Net::default()));
        assert_eq!(Ipv6Net::default().to_match(), None);
        assert_eq!(Ipv6Net::from_match(None), Ok(Ipv6Net::default()));
        let lpm = |first: u8, prefix_len| FieldMatchType::Lpm(Lpm { value: vec![first, 0, 0, 0], prefix_len });
        assert!(Ipv4Net::from_match(Some(&lpm(10, 8))).is_ok());
        assert!(Ipv4Net::from_match(Some(&lpm(10, 4))).is_err());
        assert!(Ipv4Net::from_match(Some(&lpm(10, 33))).is_err());
        // `::a00:0/8` has bits behind its length; `::a00:0/104` has not.
        assert!(Ipv6Net::from_match(Some(&lpm(10, 8))).is_err());
        assert!(Ipv6Net::from_match(Some(&lpm(10, 104))).is_ok());
        assert!(Ipv6Net::from_match(Some(&lpm(10, 129))).is_err());
    }
}
