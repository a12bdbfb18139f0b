//! Entries as P4Runtime writes them: what the engine knows by position, it knows by the ids of the P4Info.

use vouch_p4runtime::P4Info;
use vouch_p4runtime::client::insert;
use vouch_p4runtime::p4::v1::action_profile_action::WatchKind;
use vouch_p4runtime::p4::v1::table_action::Type;
use vouch_p4runtime::p4::v1::{
    Action, ActionProfileAction, ActionProfileActionSet, ActionProfileMember, FieldMatch, TableAction, TableEntry,
    Update, action,
};
use vouch_p4runtime::p4info::{MatchKind, Table};
use vouch_p4runtime::value::canonical;
use vouch_switch::{OneShotMember, Program};

use super::device::Problem;
use super::rules::Entry;
use crate::commands::field_match;

/// An entry, and what has to be written before it: in a table with an action profile its action is a member.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The member that has to be written before.
    pub first: Option<Update>,
    /// The entry.
    pub entry: TableEntry,
}

/// Encode an entry, or where `default` is set what a table does on a miss. `member` is a member id that is free.
///
/// # Errors
/// The P4Info lacks the table or the action.
pub fn encode(info: &P4Info, program: &Program, entry: &Entry, default: bool, member: u32) -> Result<Encoded, Problem> {
    let unknown = |error: vouch_p4runtime::p4info::UnknownName| Problem::wrong(error.to_string());
    let name = program.table_info(entry.table).map_or("", |table| &table.name);
    let table = info.table(name).map_err(unknown)?;
    let mut actions = Vec::new();
    for OneShotMember { call, weight, watch_port } in &entry.calls {
        let called = program.action_info(call.action).map_or("", |action| &action.name);
        let known = table.action(called).map_err(unknown)?;
        let params = known.params.iter().zip(&call.params);
        let params =
            params.map(|(param, value)| action::Param { param_id: param.id, value: canonical(value).to_vec() });
        let action = Some(Action { action_id: known.id, params: params.collect() });
        actions.push(ActionProfileAction {
            action,
            weight: i32::try_from(*weight).unwrap_or(i32::MAX),
            watch_kind: watch_port.map(|port| WatchKind::WatchPort(canonical(&port.to_be_bytes()).to_vec())),
        });
    }
    let (first, action) = in_profile(info, table, actions, member)?;
    let matches = table.fields.iter().zip(&entry.matches).filter_map(|(field, wanted)| {
        let kind = field_match(wanted, field.kind == MatchKind::Optional)?;
        Some(FieldMatch { field_id: field.id, field_match_type: Some(kind) })
    });
    let entry = TableEntry {
        table_id: table.id,
        r#match: matches.collect(),
        priority: entry.priority,
        action: Some(TableAction { r#type: Some(action) }),
        is_default_action: default,
        idle_timeout_ns: i64::try_from(entry.idle_timeout.0 * 1_000).unwrap_or(i64::MAX),
        ..TableEntry::default()
    };
    Ok(Encoded { first, entry })
}

/// A table with an action profile takes a member of it, and one with a selector a group of its own.
fn in_profile(
    info: &P4Info,
    table: &Table,
    actions: Vec<ActionProfileAction>,
    member_id: u32,
) -> Result<(Option<Update>, Type), Problem> {
    let first = actions.first().and_then(|first| first.action.clone());
    let action = first.ok_or_else(|| Problem::wrong("an entry without an action"))?;
    let Some(profile) = table.implementation.and_then(|id| info.action_profile_by_id(id)) else {
        return Ok((None, Type::Action(action)));
    };
    if profile.with_selector {
        let set = ActionProfileActionSet { action_profile_actions: actions, ..ActionProfileActionSet::default() };
        return Ok((None, Type::ActionProfileActionSet(set)));
    }
    let member = ActionProfileMember { action_profile_id: profile.id, member_id, action: Some(action) };
    Ok((Some(insert(member)), Type::ActionProfileMemberId(member_id)))
}
