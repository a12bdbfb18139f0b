//! Digests: the fields that a digest message carries, by name.

use thiserror::Error;

use super::{UnknownName, names::shown, objects::identity, table::width};
use crate::{
    p4::{
        config::v1::{self as proto, p4_bitstring_like_type_spec::TypeSpec as Bits, p4_data_type_spec::TypeSpec},
        v1::{P4Data, p4_data::Data},
    },
    value::{self, ValueError},
};

/// A digest, with its type flattened to fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Digest {
    /// The id on the wire.
    pub id: u32,
    /// The full name.
    pub name: String,
    /// The short name.
    pub alias: String,
    /// The bit strings of its type, depth first; those of a nested struct or header as `outer.inner`.
    pub fields: Vec<DigestField>,
    /// Why it has no such fields, where its type is not made of bit strings only.
    pub opaque: Option<String>,
    /// The type.
    pub type_spec: Option<proto::P4DataTypeSpec>,
}

/// A bit string within a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestField {
    /// The name; of a tuple's member its number.
    pub name: String,
    /// Bits.
    pub width: u32,
}

/// A digest message that does not have the digest's type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DigestError {
    /// The type itself has no such form.
    #[error("digest `{digest}` cannot be read by fields: {problem}")]
    Opaque {
        /// The digest.
        digest: String,
        /// What its type contains.
        problem: String,
    },
    /// Another number of bit strings than the type has.
    #[error("digest `{digest}`: {got} values where its type has {wanted}")]
    Shape {
        /// The digest.
        digest: String,
        /// Values in the message.
        got: usize,
        /// Fields of the type.
        wanted: usize,
    },
    /// A member that is no bit string, bool, enumeration value, struct, tuple or valid header.
    #[error("digest `{digest}`: a member that is not made of bit strings")]
    Member {
        /// The digest.
        digest: String,
    },
    /// A value that is not one of the field's width.
    #[error("digest `{digest}`: `{field}`: {error}")]
    Value {
        /// The digest.
        digest: String,
        /// The field.
        field: String,
        /// What is wrong with it.
        error: ValueError,
    },
}

impl Digest {
    pub(super) fn new(digest: &proto::Digest, types: Option<&proto::P4TypeInfo>) -> Self {
        let (id, name, alias) = identity(digest.preamble.as_ref());
        let mut fields = Vec::new();
        let flattened = match &digest.type_spec {
            Some(spec) => Types(types).flatten(spec, "", MAX_DEPTH, &mut fields),
            None => Err("it has no type".to_owned()),
        };
        let opaque = flattened.err();
        if opaque.is_some() {
            fields.clear();
        }
        Self { id, name, alias, fields, opaque, type_spec: digest.type_spec.clone() }
    }

    /// The name for people: the alias, or without one the full name.
    pub fn shown(&self) -> &str {
        shown(&self.name, &self.alias)
    }

    /// The position of a field in [`Self::fields`] and in what [`Self::decode`] returns.
    pub fn position(&self, name: &str) -> Result<usize, UnknownName> {
        self.fields.iter().position(|field| field.name == name).ok_or_else(|| {
            let choices = self.fields.iter().map(|field| field.name.as_str());
            UnknownName::new("field", format!("digest `{}`", self.shown()), name, choices)
        })
    }

    /// The values of one digest message, in the order of [`Self::fields`].
    pub fn decode(&self, data: &P4Data) -> Result<Vec<u128>, DigestError> {
        if let Some(problem) = &self.opaque {
            return Err(DigestError::Opaque { digest: self.name.clone(), problem: problem.clone() });
        }
        let mut bits = Vec::new();
        self.collect(data, MAX_DEPTH, &mut bits)?;
        if bits.len() != self.fields.len() {
            return Err(DigestError::Shape { digest: self.name.clone(), got: bits.len(), wanted: self.fields.len() });
        }
        let decode = |(field, bytes): (&DigestField, &[u8])| {
            value::decode(bytes, field.width).map_err(|error| DigestError::Value {
                digest: self.name.clone(),
                field: field.name.clone(),
                error,
            })
        };
        self.fields.iter().zip(bits).map(decode).collect()
    }

    fn collect<'a>(&self, data: &'a P4Data, depth: usize, bits: &mut Vec<&'a [u8]>) -> Result<(), DigestError> {
        let no_bits = || DigestError::Member { digest: self.name.clone() };
        let depth = depth.checked_sub(1).ok_or_else(no_bits)?;
        match data.data.as_ref().ok_or_else(no_bits)? {
            Data::Bitstring(bytes) | Data::EnumValue(bytes) => bits.push(bytes),
            Data::Bool(false) => bits.push(&[0]),
            Data::Bool(true) => bits.push(&[1]),
            Data::Tuple(members) | Data::Struct(members) => {
                for member in &members.members {
                    self.collect(member, depth, bits)?;
                }
            }
            Data::Header(header) if header.is_valid => bits.extend(header.bitstrings.iter().map(Vec::as_slice)),
            Data::Header(_)
            | Data::Varbit(_)
            | Data::HeaderUnion(_)
            | Data::HeaderStack(_)
            | Data::HeaderUnionStack(_)
            | Data::Enum(_)
            | Data::Error(_) => return Err(no_bits()),
        }
        Ok(())
    }
}

/// Deeper than any sensible type; a bound for types that contain themselves.
const MAX_DEPTH: usize = 16;

struct Types<'a>(Option<&'a proto::P4TypeInfo>);

impl Types<'_> {
    fn flatten(
        &self,
        spec: &proto::P4DataTypeSpec,
        name: &str,
        depth: usize,
        fields: &mut Vec<DigestField>,
    ) -> Result<(), String> {
        let depth = depth.checked_sub(1).ok_or("its type is nested too deeply")?;
        let inner = |member: &str| if name.is_empty() { member.to_owned() } else { format!("{name}.{member}") };
        let mut push = |name: String, width| fields.push(DigestField { name, width });
        let missing = |named: &proto::P4NamedType| format!("type `{}` is not described", named.name);
        match spec.type_spec.as_ref().ok_or("a member has no type")? {
            TypeSpec::Bitstring(bits) => push(name.to_owned(), bit_width(bits)?),
            TypeSpec::Bool(_) => push(name.to_owned(), 1),
            TypeSpec::Tuple(tuple) => {
                for (number, member) in tuple.members.iter().enumerate() {
                    self.flatten(member, &inner(&number.to_string()), depth, fields)?;
                }
            }
            TypeSpec::Struct(named) => {
                let described =
                    self.0.and_then(|types| types.structs.get(&named.name)).ok_or_else(|| missing(named))?;
                for member in &described.members {
                    let spec = member.type_spec.as_ref().ok_or("a member has no type")?;
                    self.flatten(spec, &inner(&member.name), depth, fields)?;
                }
            }
            TypeSpec::Header(named) => {
                let described =
                    self.0.and_then(|types| types.headers.get(&named.name)).ok_or_else(|| missing(named))?;
                for member in &described.members {
                    let bits = member.type_spec.as_ref().ok_or("a member has no type")?;
                    push(inner(&member.name), bit_width(bits)?);
                }
            }
            TypeSpec::SerializableEnum(named) => {
                let described =
                    self.0.and_then(|types| types.serializable_enums.get(&named.name)).ok_or_else(|| missing(named))?;
                push(name.to_owned(), described.underlying_type.as_ref().map_or(0, |bits| width(bits.bitwidth)));
            }
            TypeSpec::NewType(named) => {
                use proto::{p4_new_type_spec::Representation, p4_new_type_translation::SdnType};
                let described =
                    self.0.and_then(|types| types.new_types.get(&named.name)).ok_or_else(|| missing(named))?;
                match &described.representation {
                    Some(Representation::OriginalType(original)) => self.flatten(original, name, depth, fields)?,
                    Some(Representation::TranslatedType(translated)) => match translated.sdn_type {
                        Some(SdnType::SdnBitwidth(bits)) => push(name.to_owned(), width(bits)),
                        Some(SdnType::SdnString(_)) | None => return Err(format!("`{}` is a string", named.name)),
                    },
                    None => return Err(missing(named)),
                }
            }
            TypeSpec::HeaderUnion(_)
            | TypeSpec::HeaderStack(_)
            | TypeSpec::HeaderUnionStack(_)
            | TypeSpec::Enum(_)
            | TypeSpec::Error(_) => return Err(format!("member `{name}` is not made of bit strings")),
        }
        Ok(())
    }
}

fn bit_width(bits: &proto::P4BitstringLikeTypeSpec) -> Result<u32, String> {
    match &bits.type_spec {
        Some(Bits::Bit(bit)) => Ok(width(bit.bitwidth)),
        Some(Bits::Int(int)) => Ok(width(int.bitwidth)),
        Some(Bits::Varbit(_)) => Err("a varbit has no fixed width".into()),
        None => Err("a bit string has no width".into()),
    }
}
