//! Parser value sets (specification 9.6). The engine knows a member as one number, all fields packed together.

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4info::MatchKind;
use vouch_p4runtime::value::{byte_length, ones, prefix_mask};
use vouch_switch::{Match, ValueSetMember};

use super::key::{decode_matches, encode_matches};
use super::{Operation, Target};
use crate::fault::{Fault, Outcome};
use crate::packet_io::{get_bits, put_bits};
use crate::schema::{Field, ValueSet};

impl Target {
    pub(super) fn write_value_set(&mut self, operation: Operation, entry: &v1::ValueSetEntry) -> Outcome {
        operation.only_modify("value set")?;
        let set = self.schema.value_set(entry.value_set_id)?;
        let within = |fault: Fault| fault.within(format_args!("value set {}", set.info.name));
        let mut members: Vec<ValueSetMember> = Vec::new();
        for member in &entry.members {
            let member = decode(set, member).map_err(within)?;
            if members.contains(&member) {
                return Err(within(Fault::already_exists("a member is given twice")));
            }
            members.push(member);
        }
        self.switch.set_value_set(set.engine, &members).map_err(|error| within(error.into()))
    }

    pub(super) fn read_value_sets(&self, wanted: &v1::ValueSetEntry) -> Outcome<Vec<Kind>> {
        let selected: Vec<(u32, &ValueSet)> = if wanted.value_set_id == 0 {
            self.schema.value_sets.iter().map(|(id, set)| (*id, set)).collect()
        } else {
            vec![(wanted.value_set_id, self.schema.value_set(wanted.value_set_id)?)]
        };
        let mut found = Vec::new();
        for (value_set_id, set) in selected {
            let members = self.switch.value_set(set.engine)?;
            found.push(Kind::ValueSetEntry(v1::ValueSetEntry {
                value_set_id,
                members: members.iter().map(|member| encode(set, member)).collect(),
            }));
        }
        Ok(found)
    }
}

fn decode(set: &ValueSet, member: &v1::ValueSetMember) -> Outcome<ValueSetMember> {
    let matches = decode_matches(&set.fields, &member.r#match)?;
    let bits: u32 = set.fields.iter().map(|field| field.bits).sum();
    let (mut value, mut mask) = (vec![0; byte_length(bits)], vec![0; byte_length(bits)]);
    // The number stands at the low end of its bytes.
    let mut offset = byte_length(bits) as u32 * 8 - bits;
    for (field, one) in set.fields.iter().zip(&matches) {
        let (field_value, field_mask) = match one {
            Match::Exact(value) => (value.clone(), ones(field.bits)),
            Match::Lpm { value, prefix_len } => (value.clone(), prefix_mask(*prefix_len, field.bits)),
            Match::Ternary { value, mask } => (value.clone(), mask.clone()),
            Match::Any => (vec![0; byte_length(field.bits)], vec![0; byte_length(field.bits)]),
            Match::Range { .. } | Match::Valid(_) => {
                return Err(Fault::unimplemented(format!("value sets with {} fields", field.info.kind)));
            }
        };
        put_bits(&mut value, offset, field.bits, &field_value);
        put_bits(&mut mask, offset, field.bits, &field_mask);
        offset += field.bits;
    }
    let mask = (mask != ones(bits)).then_some(mask);
    Ok(ValueSetMember { value, mask })
}

fn encode(set: &ValueSet, member: &ValueSetMember) -> v1::ValueSetMember {
    let bits: u32 = set.fields.iter().map(|field| field.bits).sum();
    let mut offset = byte_length(bits) as u32 * 8 - bits;
    let all = ones(bits);
    let mask = member.mask.as_ref().unwrap_or(&all);
    let matches: Vec<Match> = set
        .fields
        .iter()
        .map(|field| {
            let one = encode_field(field, &member.value, mask, offset);
            offset += field.bits;
            one
        })
        .collect();
    v1::ValueSetMember { r#match: encode_matches(&set.fields, &matches) }
}

fn encode_field(field: &Field, value: &[u8], mask: &[u8], offset: u32) -> Match {
    let (value, mask) = (get_bits(value, offset, field.bits), get_bits(mask, offset, field.bits));
    match field.info.kind {
        MatchKind::Exact => Match::Exact(value),
        MatchKind::Lpm => {
            let prefix_len = mask.iter().map(|byte| byte.count_ones()).sum();
            Match::Lpm { value, prefix_len }
        }
        MatchKind::Ternary | MatchKind::Optional => Match::Ternary { value, mask },
        MatchKind::Range | MatchKind::Other(_) => Match::Any,
    }
}
