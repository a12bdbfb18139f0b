//! Header types and instances, stacks and unions: gives every field its place in the packet's storage.

use super::json::{At, Load};
use super::{Loader, define, lookup};
use crate::bits::{Piece, limbs};
use crate::code::{CoreErrors, Field, Header, Intrinsic, Stack, Union, UnionStack};
use crate::expr::Demand;
use crate::info::{HeaderFieldInfo, HeaderInfo};
use crate::template::Template;

const MAX_FIELD_BITS: u64 = 1 << 16;
const MAX_HEADERS: u64 = 1 << 14;
const MAX_SLOTS: u64 = 1 << 18;

/// A header type: its layout without places.
#[derive(Clone, Debug)]
pub(super) struct HeaderType {
    pub(super) id: u32,
    fields: Vec<FieldType>,
    max_bytes: u32,
}

#[derive(Clone, Debug)]
struct FieldType {
    name: String,
    /// `None` for a variable field.
    bits: Option<u32>,
    signed: bool,
    saturating: bool,
}

impl HeaderType {
    fn fixed_bits(&self) -> u64 {
        self.fields.iter().filter_map(|field| field.bits).map(u64::from).sum()
    }

    pub(super) fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

impl Loader {
    pub(super) fn headers(&mut self, root: &At<'_>) -> Load<()> {
        for alias in root.list("field_aliases")? {
            let [name, target] = alias.tuple()?;
            let [header, field] = target.tuple()?;
            self.aliases.insert(name.str()?.to_owned(), (header.str()?.to_owned(), field.str()?.to_owned()));
        }
        for (index, at) in root.list("header_types")?.iter().enumerate() {
            let kind = header_type(at, index as u32)?;
            define(&mut self.header_types, "header type", at, at.get("name")?.str()?.to_owned(), kind)?;
        }
        let headers = root.list("headers")?;
        root.limit("headers", headers.len() as u64, MAX_HEADERS)?;
        for at in &headers {
            self.header(at)?;
        }
        for at in root.list("header_stacks")? {
            self.header_stack(&at)?;
        }
        self.header_unions(root)?;
        self.errors(root)?;
        self.intrinsic();
        Ok(())
    }

    fn header(&mut self, at: &At<'_>) -> Load<()> {
        let type_name = at.get("header_type")?;
        let Some(kind) = self.header_types.get(type_name.str()?).cloned() else {
            return type_name.invalid(format!("no header type is named `{}`", type_name.str()?));
        };
        let metadata = at.flag("metadata")?;
        let name = at.get("name")?.str()?.to_owned();
        let index = self.program.code.headers.len() as u32;
        let start = self.program.code.slots;
        let mut next = u64::from(start);
        let mut fields = Vec::new();
        for field in &kind.fields {
            let bits = match field.bits {
                Some(bits) => bits,
                None => {
                    next += 1;
                    (u64::from(kind.max_bytes) * 8).saturating_sub(kind.fixed_bits()).min(MAX_FIELD_BITS) as u32
                }
            };
            fields.push(Field {
                slot: next as u32,
                bits,
                signed: field.signed,
                saturating: field.saturating,
                variable: field.bits.is_none(),
            });
            next += limbs(bits) as u64;
            at.limit("limbs of packet storage", next, MAX_SLOTS)?;
        }
        if !metadata && !kind.fixed_bits().is_multiple_of(8) {
            return at.invalid(format!("header `{name}` is not a whole number of bytes"));
        }
        self.program.code.slots = next as u32;
        if metadata {
            self.program.code.metadata.push(start..next as u32);
        }
        let header = Header {
            name: name.clone(),
            kind: kind.id,
            metadata,
            variable: kind.fields.iter().position(|field| field.bits.is_none()),
            fixed_bits: kind.fixed_bits() as u32,
            max_bytes: kind.max_bytes,
            pieces: pieces(&fields).unwrap_or_default(),
            template: Template::new(&fields),
            fields,
            slots: start..next as u32,
            union: crate::code::NONE,
        };
        let field = |field: &FieldType| HeaderFieldInfo { name: field.name.clone(), bits: field.bits };
        let info = HeaderInfo { name: name.clone(), fields: kind.fields.iter().map(field).collect() };
        self.program.headers.push(info);
        self.program.code.headers.push(header);
        define(&mut self.header_ids, "header", at, at.get("id")?.u32()?, index)?;
        self.header_type_of.push(type_name.str()?.to_owned());
        define(&mut self.headers, "header", at, name, index)
    }

    fn header_stack(&mut self, at: &At<'_>) -> Load<()> {
        let headers = self.by_id(&at.get("header_ids")?, "header", |loader| &loader.header_ids)?;
        let kind = headers.first().map(|first| self.program.code.headers[*first as usize].kind);
        if headers.iter().any(|header| Some(self.program.code.headers[*header as usize].kind) != kind) {
            return at.invalid("the headers of a stack have different types");
        }
        if headers.is_empty() {
            return at.invalid("a stack without headers");
        }
        let index = self.program.code.stacks.len() as u32;
        let counter = self.counter();
        self.code().stacks.push(Stack { headers, counter });
        define(&mut self.stacks, "header stack", at, at.get("name")?.str()?.to_owned(), index)
    }

    fn header_unions(&mut self, root: &At<'_>) -> Load<()> {
        for at in root.list("header_union_types")? {
            let mut members = Vec::new();
            for member in at.get("headers")?.items()? {
                let [name, kind] = member.tuple()?;
                members.push((name.str()?.to_owned(), kind.str()?.to_owned()));
            }
            define(&mut self.union_types, "header union type", &at, at.get("name")?.str()?.to_owned(), members)?;
        }
        for at in root.list("header_unions")? {
            let kind = self.union_type(&at)?;
            let headers = self.by_id(&at.get("header_ids")?, "header", |loader| &loader.header_ids)?;
            if headers.len() != kind.len() {
                return at.invalid("a union with another number of headers than its type");
            }
            let index = self.program.code.unions.len() as u32;
            for header in &headers {
                self.code().headers[*header as usize].union = index;
            }
            self.code().unions.push(Union { headers });
            define(&mut self.union_ids, "header union", &at, at.get("id")?.u32()?, index)?;
            let name = at.get("name")?.str()?.to_owned();
            self.union_type_of.insert(name.clone(), at.get("union_type")?.str()?.to_owned());
            define(&mut self.unions, "header union", &at, name, index)?;
        }
        for at in root.list("header_union_stacks")? {
            self.union_type(&at)?;
            let unions = self.by_id(&at.get("header_union_ids")?, "header union", |loader| &loader.union_ids)?;
            if unions.is_empty() {
                return at.invalid("a stack without unions");
            }
            let index = self.program.code.union_stacks.len() as u32;
            let counter = self.counter();
            self.code().union_stacks.push(UnionStack { unions, counter });
            let name = at.get("name")?.str()?.to_owned();
            self.union_type_of.insert(name.clone(), at.get("union_type")?.str()?.to_owned());
            define(&mut self.union_stacks, "header union stack", &at, name, index)?;
        }
        Ok(())
    }

    fn union_type(&self, at: &At<'_>) -> Load<&Vec<(String, String)>> {
        let name = at.get("union_type")?;
        match self.union_types.get(name.str()?) {
            Some(kind) => Ok(kind),
            None => name.invalid(format!("no header union type is named `{}`", name.str()?)),
        }
    }

    fn by_id(
        &self,
        at: &At<'_>,
        what: &str,
        ids: impl Fn(&Self) -> &std::collections::HashMap<u32, u32>,
    ) -> Load<Vec<u32>> {
        let mut found = Vec::new();
        for item in at.items()? {
            match ids(self).get(&item.u32()?) {
                Some(index) => found.push(*index),
                None => return item.invalid(format!("no {what} has id {}", item.u32()?)),
            }
        }
        Ok(found)
    }

    fn counter(&mut self) -> u32 {
        self.code().stack_counters += 1;
        self.code().stack_counters - 1
    }

    /// The values of the core library's errors; those the program does not list get numbers it does not use.
    fn errors(&mut self, root: &At<'_>) -> Load<()> {
        let mut listed = std::collections::HashMap::new();
        for at in root.list("errors")? {
            let [name, value] = at.tuple()?;
            define(&mut listed, "error", &at, name.str()?.to_owned(), value.u32()?)?;
            self.program.errors.push((name.str()?.to_owned(), value.u32()?));
        }
        let mut unused = listed.values().copied().max().unwrap_or(0);
        let mut value = |name: &str| {
            listed.get(name).copied().unwrap_or_else(|| {
                unused = unused.saturating_add(1);
                unused
            })
        };
        self.code().errors = CoreErrors {
            packet_too_short: value("PacketTooShort"),
            stack_out_of_bounds: value("StackOutOfBounds"),
            header_too_short: value("HeaderTooShort"),
            invalid_argument: value("ParserInvalidArgument"),
        };
        Ok(())
    }

    /// The fields that v1model's target sets and reads.
    fn intrinsic(&mut self) {
        let find = |name: &str| self.well_known(name);
        let intrinsic = Intrinsic {
            ingress_port: find("standard_metadata.ingress_port"),
            packet_length: find("standard_metadata.packet_length"),
            instance_type: find("standard_metadata.instance_type"),
            egress_spec: find("standard_metadata.egress_spec"),
            egress_port: find("standard_metadata.egress_port"),
            parser_error: find("standard_metadata.parser_error"),
            checksum_error: find("standard_metadata.checksum_error"),
            multicast_group: find("intrinsic_metadata.mcast_grp"),
            egress_rid: find("intrinsic_metadata.egress_rid"),
            ingress_timestamp: find("intrinsic_metadata.ingress_global_timestamp"),
            egress_timestamp: find("intrinsic_metadata.egress_global_timestamp"),
            enq_timestamp: find("queueing_metadata.enq_timestamp"),
            enq_qdepth: find("queueing_metadata.enq_qdepth"),
            deq_timedelta: find("queueing_metadata.deq_timedelta"),
            deq_qdepth: find("queueing_metadata.deq_qdepth"),
            qid: find("queueing_metadata.qid"),
            priority: find("intrinsic_metadata.priority"),
        };
        self.code().intrinsic = intrinsic;
    }

    fn well_known(&self, name: &str) -> Option<Field> {
        let (header, field) = match self.aliases.get(name) {
            Some((header, field)) => (header.as_str(), field.as_str()),
            None => name.split_once('.')?,
        };
        let index = *self.headers.get(header)?;
        let field = self.header_types[&self.header_type_of[index as usize]].field(field)?;
        Some(self.program.code.headers[index as usize].fields[field])
    }

    /// A pair of header and field name, as header index and field index.
    pub(super) fn field_index(&self, at: &At<'_>) -> Load<(u32, usize)> {
        let [header, field] = at.tuple()?;
        let index = lookup(&self.headers, "header", &header)?;
        match self.type_of(index).field(field.str()?) {
            Some(position) => Ok((index, position)),
            None => field.invalid(format!("header `{}` has no field `{}`", header.str()?, field.str()?)),
        }
    }

    /// A pair of header and field name.
    pub(super) fn field(&self, at: &At<'_>) -> Load<Field> {
        let (header, field) = self.field_index(at)?;
        Ok(self.program.code.headers[header as usize].fields[field])
    }

    /// Header and, unless it is metadata, the header whose validity the field depends on.
    pub(super) fn guarded_field(&self, at: &At<'_>) -> Load<(Field, u32)> {
        let (header, field) = self.field_index(at)?;
        let known = &self.program.code.headers[header as usize];
        Ok((known.fields[field], if known.metadata { crate::code::NONE } else { header }))
    }

    pub(super) fn type_of(&self, header: u32) -> &HeaderType {
        &self.header_types[&self.header_type_of[header as usize]]
    }

    /// The width that an assignment to a field demands of its value.
    pub(super) fn demand(field: Field) -> Demand {
        match field.bits {
            _ if field.saturating => Demand::Exact,
            0..=64 if !field.variable => Demand::Word,
            0..=126 => Demand::Low,
            _ => Demand::Exact,
        }
    }
}

/// How to extract a header of these fields, limb by limb.
fn pieces(fields: &[Field]) -> Option<Vec<Piece>> {
    let (mut pieces, mut offset) = (Vec::new(), 0);
    for field in fields {
        let mut left = field.bits;
        for limb in 0..field.limbs() as u32 {
            let bits = left.min(64);
            left -= bits;
            pieces.push(Piece::new(field.slot + limb, offset + left, bits).filter(|_| !field.variable)?);
        }
        offset += field.bits;
    }
    Some(pieces)
}

fn header_type(at: &At<'_>, index: u32) -> Load<HeaderType> {
    let mut kind = HeaderType { id: index, fields: Vec::new(), max_bytes: 0 };
    if let Some(max) = at.opt("max_length")? {
        at.limit("max_length", u64::from(max.u32()?), MAX_FIELD_BITS / 8)?;
        kind.max_bytes = max.u32()?;
    }
    if let Some(length) = at.opt("length_exp")? {
        return length.unsupported("header length expression", at.get("name")?.str()?, &["extract_VL"]);
    }
    for field in at.get("fields")?.items()? {
        let parts = field.items()?;
        let [name, width, rest @ ..] = parts.as_slice() else {
            return field.invalid("expected a field name and a width");
        };
        // p4c writes 0 instead of false for booleans.
        let flag = |at: Option<&At<'_>>| match at {
            Some(at) if at.value.is_u64() => Ok(at.u32()? != 0),
            Some(at) => at.bool(),
            None => Ok(false),
        };
        let bits = match width.value.as_str() {
            Some("*") => None,
            _ => Some(width.u32()?),
        };
        width.limit("field width", u64::from(bits.unwrap_or(0)), MAX_FIELD_BITS)?;
        if bits.is_none() && kind.fields.iter().any(|field| field.bits.is_none()) {
            return field.invalid("a second variable field in one header type");
        }
        kind.fields.push(FieldType {
            name: name.str()?.to_owned(),
            bits,
            signed: flag(rest.first())?,
            saturating: flag(rest.get(1))?,
        });
    }
    field_count(at, kind)
}

fn field_count(at: &At<'_>, kind: HeaderType) -> Load<HeaderType> {
    at.limit("fields of a header type", kind.fields.len() as u64, 1 << 14)?;
    Ok(kind)
}
