//! The types of commands as P4Runtime's messages, and back.

use vouch_p4runtime::client::Replica;
use vouch_p4runtime::p4::v1::action_profile_action::WatchKind;
use vouch_p4runtime::p4::v1::field_match::{Exact, FieldMatchType, Lpm, Optional, Range, Ternary};
use vouch_p4runtime::p4::v1::table_action::Type;
use vouch_p4runtime::p4::v1::{
    Action, ActionProfileAction, ActionProfileActionSet, FieldMatch, TableAction, TableEntry, action,
};
use vouch_p4runtime::p4info::{MatchField, MatchKind, Table};
use vouch_p4runtime::value::{canonical, ones};
use vouch_switch::{EntryKey, Match, MatchKind as EngineKind, ReplicationNode};

use super::Refused;
use super::catalog::engine_kind;
use super::command::{Call, Choice, Doing};
use super::values::normal_key;

/// What precedes the handle in an entry's metadata.
const NOTE: &str = "p4-switch-cli:";

/// The metadata of an entry that was added with a handle: for the next session, and for whoever reads it.
pub(super) fn note(handle: u32) -> Vec<u8> {
    format!("{NOTE}{handle}").into_bytes()
}

/// The handle in an entry's metadata.
pub(super) fn noted(metadata: &[u8]) -> Option<u32> {
    std::str::from_utf8(metadata).ok()?.strip_prefix(NOTE)?.parse().ok()
}

/// One field; `None` where it matches everything, which P4Runtime leaves out.
fn field_match(wanted: &Match, optional: bool) -> Option<FieldMatchType> {
    let short = |value: &[u8]| canonical(value).to_vec();
    let nothing = |mask: &[u8]| mask.iter().all(|byte| *byte == 0);
    Some(match wanted {
        Match::Exact(value) => FieldMatchType::Exact(Exact { value: short(value) }),
        Match::Valid(valid) => FieldMatchType::Exact(Exact { value: vec![u8::from(*valid)] }),
        Match::Any | Match::Lpm { prefix_len: 0, .. } => return None,
        Match::Ternary { mask, .. } if nothing(mask) => return None,
        Match::Lpm { value, prefix_len } => {
            FieldMatchType::Lpm(Lpm { value: short(value), prefix_len: i32::try_from(*prefix_len).unwrap_or(i32::MAX) })
        }
        Match::Ternary { value, .. } if optional => FieldMatchType::Optional(Optional { value: short(value) }),
        Match::Ternary { value, mask } => FieldMatchType::Ternary(Ternary { value: short(value), mask: short(mask) }),
        Match::Range { low, high } => FieldMatchType::Range(Range { low: short(low), high: short(high) }),
    })
}

/// An entry with nothing but its key.
pub(crate) fn keyed(table: &Table, key: &EntryKey) -> TableEntry {
    let matches = table.fields.iter().zip(&key.matches).filter_map(|(field, wanted)| {
        let kind = field_match(wanted, field.kind == MatchKind::Optional)?;
        Some(FieldMatch { field_id: field.id, field_match_type: Some(kind) })
    });
    TableEntry { table_id: table.id, r#match: matches.collect(), priority: key.priority, ..TableEntry::default() }
}

/// The key of an entry.
pub(super) fn key(table: &Table, entry: &TableEntry) -> EntryKey {
    let given = |field: &MatchField| {
        let found = entry.r#match.iter().find(|found| found.field_id == field.id);
        found.and_then(|found| found.field_match_type.as_ref())
    };
    let matches = table.fields.iter().map(|field| given(field).map_or(Match::Any, |given| decode(field, given)));
    let key = EntryKey { matches: matches.collect(), priority: entry.priority };
    normal_key(&table.fields, key)
}

fn decode(field: &MatchField, given: &FieldMatchType) -> Match {
    match given {
        FieldMatchType::Exact(it) if engine_kind(&field.kind) == Some(EngineKind::Valid) => {
            Match::Valid(it.value.iter().any(|byte| *byte != 0))
        }
        FieldMatchType::Exact(it) => Match::Exact(it.value.clone()),
        FieldMatchType::Lpm(it) => {
            Match::Lpm { value: it.value.clone(), prefix_len: u32::try_from(it.prefix_len).unwrap_or(0) }
        }
        FieldMatchType::Ternary(it) => Match::Ternary { value: it.value.clone(), mask: it.mask.clone() },
        FieldMatchType::Range(it) => Match::Range { low: it.low.clone(), high: it.high.clone() },
        FieldMatchType::Optional(it) => Match::Ternary { value: it.value.clone(), mask: ones(field.width) },
        FieldMatchType::Other(_) => Match::Any,
    }
}

pub(super) fn call(call: &Call<'_>) -> Action {
    let params = call.action.params.iter().zip(&call.params);
    let params = params.map(|(param, value)| action::Param { param_id: param.id, value: canonical(value).to_vec() });
    Action { action_id: call.action.id, params: params.collect() }
}

pub(crate) fn doing(doing: &Doing<'_>) -> TableAction {
    let kind = match doing {
        Doing::Call(it) => Type::Action(call(it)),
        Doing::Member(member) => Type::ActionProfileMemberId(*member),
        Doing::Group(group) => Type::ActionProfileGroupId(*group),
        Doing::Choices(choices) => {
            let watched = |port: u16| WatchKind::WatchPort(canonical(&port.to_be_bytes()).to_vec());
            let choice = |choice: &Choice<'_>| ActionProfileAction {
                action: Some(call(&choice.call)),
                weight: i32::try_from(choice.weight).unwrap_or(i32::MAX),
                watch_kind: choice.watch.map(watched),
            };
            let action_profile_actions = choices.iter().map(choice).collect();
            Type::ActionProfileActionSet(ActionProfileActionSet { action_profile_actions, ..Default::default() })
        }
    };
    TableAction { r#type: Some(kind) }
}

/// The copies of some nodes, of which no two may be alike.
pub(super) fn replicas(nodes: &[ReplicationNode]) -> Result<Vec<Replica>, Refused> {
    let mut replicas = Vec::new();
    for node in nodes {
        for port in &node.ports {
            let replica = Replica { port: (*port).into(), instance: node.instance.into() };
            if replicas.contains(&replica) {
                let ReplicationNode { instance, .. } = node;
                return Err(format!("there would be two copies with rid {instance} to port {port}"));
            }
            replicas.push(replica);
        }
    }
    Ok(replicas)
}

/// The nodes whose copies these are, one for each instance.
pub(super) fn nodes(replicas: &[Replica]) -> Result<Vec<ReplicationNode>, Refused> {
    let pairs = replicas.iter().map(|replica| {
        let wrong = |_| format!("a copy with rid {} to port {} is none of v1model's", replica.instance, replica.port);
        Ok((u16::try_from(replica.port).map_err(wrong)?, u16::try_from(replica.instance).map_err(wrong)?))
    });
    Ok(ReplicationNode::from_replicas(&pairs.collect::<Result<Vec<_>, Refused>>()?))
}

#[cfg(test)]
mod tests {
    use vouch_p4runtime::P4Info;
    use vouch_p4runtime::p4::config::v1::{self as proto, match_field::MatchType};

    use super::*;

    #[test]
    fn keys_survive_the_way() {
        let kinds = [MatchType::Exact, MatchType::Lpm, MatchType::Ternary, MatchType::Range, MatchType::Optional];
        let field = |(id, kind): (u32, MatchType)| proto::MatchField {
            id,
            bitwidth: 9,
            r#match: Some(proto::match_field::Match::MatchType(kind.into())),
            ..Default::default()
        };
        let preamble = proto::Preamble { id: 7, name: "table".to_owned(), ..Default::default() };
        let match_fields = (1..).zip(kinds).map(field).collect();
        let table = proto::Table { preamble: Some(preamble), match_fields, ..Default::default() };
        let info = proto::P4Info { tables: vec![table], ..Default::default() };
        let info = P4Info::new(info).expect("it is whole");
        let table = info.table("table").expect("it has it");
        let all = vec![
            Match::Exact(vec![1, 0]),
            Match::Lpm { value: vec![1, 0], prefix_len: 1 },
            Match::Ternary { value: vec![1], mask: vec![3] },
            Match::Range { low: vec![0], high: vec![9] },
            Match::Ternary { value: vec![0], mask: vec![1, 255] },
        ];
        let mut none = vec![Match::Any; 5];
        none[0] = Match::Exact(vec![0]);
        for matches in [all, none] {
            let wanted = EntryKey { matches, priority: 5 };
            assert_eq!(key(table, &keyed(table, &wanted)), wanted);
        }
    }

    #[test]
    fn notes_are_handles_and_nothing_else_is() {
        assert_eq!(noted(&note(12)), Some(12));
        for other in [&b"12"[..], b"", b"p4-switch-cli:", b"\xff", b"p4-switch-cli:-1"] {
            assert_eq!(noted(other), None);
        }
    }

    #[test]
    fn no_copy_is_made_twice() {
        let node = |ports: &[u16]| ReplicationNode { instance: 1, ports: ports.to_vec() };
        let both = replicas(&[node(&[2, 3]), node(&[4])]).expect("they differ");
        assert_eq!(nodes(&both), Ok(vec![node(&[2, 3, 4])]));
        let twice = replicas(&[node(&[2, 3]), node(&[3])]);
        assert_eq!(twice, Err("there would be two copies with rid 1 to port 3".to_owned()));
        let far = nodes(&[Replica { port: 1, instance: 65536 }]);
        assert_eq!(far, Err("a copy with rid 65536 to port 1 is none of v1model's".to_owned()));
    }
}
