//! The shape of registers and digests: `P4Data` as the P4Info declares it (specification 8.4).
//!
//! The engine knows such a value as a row of numbers. A [`Shape`] says which of them are signed, truth values, translated or
//! members of what. Types that no number of the data plane tells apart (enumerations without values, errors, unions, stacks)
//! have no shape; they are shown as the numbers they are.

use vouch_p4runtime::p4::config::v1 as config;
use vouch_p4runtime::p4::config::v1::p4_bitstring_like_type_spec::TypeSpec as Bits;
use vouch_p4runtime::p4::config::v1::p4_data_type_spec::TypeSpec;
use vouch_p4runtime::p4::config::v1::p4_new_type_spec::Representation;
use vouch_p4runtime::p4::v1::p4_data::Data;
use vouch_p4runtime::p4::v1::{P4Data, P4Header, P4StructLike};
use vouch_p4runtime::value::{byte_length, canonical, ones};

use std::sync::Arc;

use super::types::Types;
use crate::entity::hex;
use crate::fault::{Fault, Outcome};
use crate::translation::{Translator, decode_value, encode_value};

/// How deep types are nested at most; a hostile P4Info has types that contain themselves.
const MAX_DEPTH: usize = 16;

/// A type whose values are rows of numbers.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Number { signed: bool, translator: Option<Arc<Translator>> },
    Bool,
    EnumValue,
    Struct(Vec<Shape>),
    Tuple(Vec<Shape>),
    Header(usize),
}

impl Shape {
    /// The shape of a type, for values of `count` numbers; `None` where it has none, or another count.
    pub(crate) fn of(
        spec: Option<&config::P4DataTypeSpec>,
        p4info: &config::P4Info,
        types: &Types,
        count: usize,
    ) -> Option<Shape> {
        let mut reader = Reader { p4info, types, left: count };
        let shape = reader.shape(spec?, 0)?;
        (reader.left == 0).then_some(shape)
    }

    /// The shape of what the P4Info says nothing about.
    pub(crate) fn plain(count: usize) -> Shape {
        match count {
            1 => Shape::Number { signed: false, translator: None },
            _ => Shape::Struct(vec![Shape::Number { signed: false, translator: None }; count]),
        }
    }

    /// The wire form of a row of numbers, each with its width.
    pub(crate) fn encode(&self, row: &mut impl Iterator<Item = (u32, Vec<u8>)>) -> P4Data {
        let data = match self {
            Shape::Struct(members) => Data::Struct(P4StructLike { members: encode_all(members, row) }),
            Shape::Tuple(members) => Data::Tuple(P4StructLike { members: encode_all(members, row) }),
            Shape::Header(count) => {
                let bitstrings = row.take(*count).map(|(_, value)| canonical(&value).to_vec()).collect();
                Data::Header(P4Header { is_valid: true, bitstrings })
            }
            leaf => match row.next() {
                Some((bits, value)) => leaf.encode_one(bits, &value),
                None => return P4Data::default(),
            },
        };
        P4Data { data: Some(data) }
    }

    fn encode_one(&self, bits: u32, value: &[u8]) -> Data {
        match self {
            Shape::Bool => Data::Bool(value.iter().any(|byte| *byte != 0)),
            Shape::EnumValue => Data::EnumValue(canonical(value).to_vec()),
            Shape::Number { signed: true, .. } => Data::Bitstring(encode_signed(value, bits)),
            Shape::Number { translator, .. } => Data::Bitstring(encode_value(translator.as_deref(), value)),
            Shape::Struct(_) | Shape::Tuple(_) | Shape::Header(_) => Data::Bitstring(canonical(value).to_vec()),
        }
    }

    /// The number that a value of this shape is, `bits` wide; only for those of one number.
    pub(crate) fn decode_one(&self, data: &P4Data, bits: u32) -> Outcome<Vec<u8>> {
        match (self, &data.data) {
            (_, None) => Err(Fault::invalid("the data is missing")),
            (Shape::Bool, Some(Data::Bool(bit))) => Ok(vec![u8::from(*bit)]),
            (Shape::Bool, Some(_)) => Err(Fault::invalid("the data must be a bool")),
            (Shape::EnumValue, Some(Data::EnumValue(bytes))) => decode_value(None, bytes, bits),
            (Shape::EnumValue, Some(_)) => Err(Fault::invalid("the data must be an enum_value")),
            (Shape::Number { signed: true, .. }, Some(Data::Bitstring(bytes))) => decode_signed(bytes, bits),
            (Shape::Number { translator, .. }, Some(Data::Bitstring(bytes))) => {
                decode_value(translator.as_deref(), bytes, bits)
            }
            (Shape::Number { .. }, Some(_)) => Err(Fault::invalid("the data must be a bit string")),
            (Shape::Struct(_) | Shape::Tuple(_) | Shape::Header(_), Some(_)) => {
                Err(Fault::unimplemented("values of several members: v1model's registers hold numbers"))
            }
        }
    }
}

fn encode_all(members: &[Shape], row: &mut impl Iterator<Item = (u32, Vec<u8>)>) -> Vec<P4Data> {
    // By hand and by reference: a closure would make the row's type grow with each level.
    let mut encoded = Vec::with_capacity(members.len());
    for member in members {
        encoded.push(member.encode(row));
    }
    encoded
}

struct Reader<'a> {
    p4info: &'a config::P4Info,
    types: &'a Types,
    /// How many numbers are not yet spoken for.
    left: usize,
}

impl Reader<'_> {
    fn shape(&mut self, spec: &config::P4DataTypeSpec, depth: usize) -> Option<Shape> {
        if depth > MAX_DEPTH {
            return None;
        }
        let info = self.p4info.type_info.as_ref();
        match spec.type_spec.as_ref()? {
            TypeSpec::Bitstring(bits) => match bits.type_spec.as_ref()? {
                Bits::Bit(_) => self.leaf(Shape::Number { signed: false, translator: None }),
                Bits::Int(_) => self.leaf(Shape::Number { signed: true, translator: None }),
                Bits::Varbit(_) => None,
            },
            TypeSpec::Bool(_) => self.leaf(Shape::Bool),
            TypeSpec::SerializableEnum(_) => self.leaf(Shape::EnumValue),
            TypeSpec::Tuple(tuple) => {
                let members = tuple.members.iter().map(|member| self.shape(member, depth + 1));
                Some(Shape::Tuple(members.collect::<Option<_>>()?))
            }
            TypeSpec::Struct(name) => {
                let members = info?.structs.get(&name.name)?.members.iter();
                let members = members.map(|member| self.shape(member.type_spec.as_ref()?, depth + 1));
                Some(Shape::Struct(members.collect::<Option<_>>()?))
            }
            TypeSpec::Header(name) => {
                let count = info?.headers.get(&name.name)?.members.len();
                self.left = self.left.checked_sub(count)?;
                Some(Shape::Header(count))
            }
            TypeSpec::NewType(name) => match self.types.translator(Some(&name.name)) {
                Some(translator) => self.leaf(Shape::Number { signed: false, translator: Some(translator) }),
                None => match info?.new_types.get(&name.name)?.representation.as_ref()? {
                    Representation::OriginalType(original) => self.shape(original, depth + 1),
                    Representation::TranslatedType(_) => None,
                },
            },
            TypeSpec::HeaderUnion(_)
            | TypeSpec::HeaderStack(_)
            | TypeSpec::HeaderUnionStack(_)
            | TypeSpec::Enum(_)
            | TypeSpec::Error(_) => None,
        }
    }

    fn leaf(&mut self, shape: Shape) -> Option<Shape> {
        self.left = self.left.checked_sub(1)?;
        Some(shape)
    }
}

/// The shortest two's complement of a number that is `bits` wide.
fn encode_signed(value: &[u8], bits: u32) -> Vec<u8> {
    let mut full = value.to_vec();
    if is_negative(value, bits) {
        for (byte, mask) in full.iter_mut().zip(ones(bits)) {
            *byte |= !mask;
        }
    }
    let redundant = |pair: &[u8]| matches!(pair, [0, 0..=0x7f] | [0xff, 0x80..=0xff]);
    let first = full.windows(2).take_while(|pair| redundant(pair)).count();
    full.split_off(first)
}

/// The number of a two's complement of any length, cut to `bits`.
fn decode_signed(bytes: &[u8], bits: u32) -> Outcome<Vec<u8>> {
    let Some(first) = bytes.first() else {
        return Err(Fault::invalid("a value is empty; zero is one byte 00"));
    };
    let length = byte_length(bits);
    let fill = if first & 0x80 == 0 { 0 } else { 0xff };
    let mut full = vec![fill; length.saturating_sub(bytes.len())];
    full.extend_from_slice(&bytes[bytes.len().saturating_sub(length)..]);
    for (byte, mask) in full.iter_mut().zip(ones(bits)) {
        *byte &= mask;
    }
    // It fits if it comes back as what it is in its shortest form.
    let redundant = |pair: &[u8]| matches!(pair, [0, 0..=0x7f] | [0xff, 0x80..=0xff]);
    let significant = bytes.windows(2).take_while(|pair| redundant(pair)).count();
    if encode_signed(&full, bits) != bytes[significant..] {
        return Err(Fault::invalid(format!("value {} does not fit {bits} bits, one of them for the sign", hex(bytes))));
    }
    Ok(full)
}

fn is_negative(value: &[u8], bits: u32) -> bool {
    let bit = bits.saturating_sub(1);
    let from_end = (bit / 8) as usize;
    value.len().checked_sub(from_end + 1).is_some_and(|at| value[at] >> (bit % 8) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of specification 8.3.
    #[test]
    fn signed_numbers_are_shortest_twos_complements() {
        let there_and_back = [
            (8, vec![0x63], vec![0x63]),
            (8, vec![0x9d], vec![0x9d]),
            (12, vec![0x0d, 0x1d], vec![0xfd, 0x1d]),
            (16, vec![0, 0], vec![0]),
            (16, vec![0xff, 0xfe], vec![0xfe]),
            (16, vec![0, 0x80], vec![0, 0x80]),
        ];
        for (bits, number, wire) in there_and_back {
            assert_eq!(encode_signed(&number, bits), wire);
            assert_eq!(decode_signed(&wire, bits), Ok(number));
        }
        assert_eq!(decode_signed(&[0xff, 0x9d], 8), Ok(vec![0x9d]), "longer than it need be");
        for (bits, wire) in [(8, vec![0, 0x9d]), (12, vec![0x8d, 0x1d]), (16, vec![])] {
            assert!(decode_signed(&wire, bits).is_err(), "{wire:?}");
        }
        let text = decode_signed(&[0, 0x9d], 8).expect_err("too wide").message;
        assert_eq!(text, "value 0x009d does not fit 8 bits, one of them for the sign");
    }
}
