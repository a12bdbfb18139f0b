//! The controller's packet headers: metadata of packet-in and packet-out, by name.

use thiserror::Error;

use super::{
    UnknownName,
    objects::identity,
    table::{named, width},
};
use crate::{
    p4::{config::v1 as proto, v1::PacketMetadata},
    value::{self, ValueError},
};

/// A header of packets from or to the switch, `packet_in` or `packet_out`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketHeader {
    /// `packet_in` or `packet_out`.
    pub name: String,
    /// Its fields, in the order of the P4 source.
    pub fields: Vec<MetadataField>,
}

/// A field of a packet header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataField {
    /// The id on the wire.
    pub id: u32,
    /// The name.
    pub name: String,
    /// Bits.
    pub width: u32,
    /// It only fills up a byte: the P4 source says `@padding`, or its name starts with `_`.
    pub padding: bool,
    /// What its type is called, where the program has a name for it.
    pub type_name: Option<String>,
}

/// Why metadata cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// A field that the header does not have.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// A field without a value.
    #[error("{header}: no value for `{field}`")]
    Missing {
        /// The header.
        header: String,
        /// The field.
        field: String,
    },
    /// A field with two values.
    #[error("{header}: two values for `{field}`")]
    Twice {
        /// The header.
        header: String,
        /// The field.
        field: String,
    },
    /// An id that the header does not have.
    #[error("{header}: there is no metadata with id {id}")]
    UnknownId {
        /// The header.
        header: String,
        /// The id.
        id: u32,
    },
    /// A value that is not one of the field's width.
    #[error("{header}: `{field}`: {error}")]
    Value {
        /// The header.
        header: String,
        /// The field.
        field: String,
        /// What is wrong with it.
        error: ValueError,
    },
}

impl PacketHeader {
    pub(super) fn new(header: &proto::ControllerPacketMetadata) -> Self {
        let (_, name, _) = identity(header.preamble.as_ref());
        let field = |field: &proto::controller_packet_metadata::Metadata| MetadataField {
            id: field.id,
            name: field.name.clone(),
            width: width(field.bitwidth),
            padding: field.name.starts_with('_') || field.annotations.iter().any(|it| it.trim() == "@padding"),
            type_name: named(field.type_name.as_ref()),
        };
        Self { name, fields: header.metadata.iter().map(field).collect() }
    }

    /// The position of a field in [`Self::fields`] and in what [`Self::decode`] returns.
    pub fn position(&self, name: &str) -> Result<usize, UnknownName> {
        self.fields.iter().position(|field| field.name == name).ok_or_else(|| {
            let choices = self.fields.iter().filter(|field| !field.padding).map(|field| field.name.as_str());
            UnknownName::new("metadata", format!("`{}`", self.name), name, choices)
        })
    }

    /// Metadata for a packet: every field needs its value, except for padding.
    pub fn encode(&self, values: &[(&str, u128)]) -> Result<Vec<PacketMetadata>, HeaderError> {
        let mut positioned = vec![None; self.fields.len()];
        for (name, value) in values {
            let position = self.position(name)?;
            if positioned[position].replace(*value).is_some() {
                return Err(HeaderError::Twice { header: self.name.clone(), field: (*name).to_owned() });
            }
        }
        self.encode_positions(&positioned)
    }

    /// Metadata for a packet, the values in the order of [`Self::fields`]; for callers that looked the positions up once.
    pub fn encode_positions(&self, values: &[Option<u128>]) -> Result<Vec<PacketMetadata>, HeaderError> {
        let encode = |(position, field): (usize, &MetadataField)| {
            let value = match values.get(position).copied().flatten() {
                Some(value) => value,
                None if field.padding => 0,
                None => return Err(HeaderError::Missing { header: self.name.clone(), field: field.name.clone() }),
            };
            let value = value::encode_width(value, field.width).map_err(|error| self.bad_value(field, error))?;
            Ok(PacketMetadata { metadata_id: field.id, value })
        };
        self.fields.iter().enumerate().map(encode).collect()
    }

    /// The values of a packet's metadata, in the order of [`Self::fields`]. Missing padding reads as 0.
    pub fn decode(&self, metadata: &[PacketMetadata]) -> Result<Vec<u128>, HeaderError> {
        let mut values = vec![None; self.fields.len()];
        for item in metadata {
            let position = self.fields.iter().position(|field| field.id == item.metadata_id);
            let position =
                position.ok_or_else(|| HeaderError::UnknownId { header: self.name.clone(), id: item.metadata_id })?;
            let field = &self.fields[position];
            let value = value::decode(&item.value, field.width).map_err(|error| self.bad_value(field, error))?;
            if values[position].replace(value).is_some() {
                return Err(HeaderError::Twice { header: self.name.clone(), field: field.name.clone() });
            }
        }
        let value = |(field, value): (&MetadataField, Option<u128>)| match value {
            Some(value) => Ok(value),
            None if field.padding => Ok(0),
            None => Err(HeaderError::Missing { header: self.name.clone(), field: field.name.clone() }),
        };
        self.fields.iter().zip(values).map(value).collect()
    }

    /// One field of a packet's metadata, by name. To read several, [`Self::decode`] is cheaper.
    pub fn get(&self, metadata: &[PacketMetadata], name: &str) -> Result<u128, HeaderError> {
        let position = self.position(name)?;
        Ok(self.decode(metadata)?[position])
    }

    fn bad_value(&self, field: &MetadataField, error: ValueError) -> HeaderError {
        HeaderError::Value { header: self.name.clone(), field: field.name.clone(), error }
    }
}
