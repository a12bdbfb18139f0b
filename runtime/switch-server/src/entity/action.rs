//! Actions and what else an entry can do: members, groups, one-shot sets.

use tonic::Code;
use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::action_profile_action::WatchKind;
use vouch_p4runtime::p4::v1::table_action::Type;
use vouch_p4runtime::p4info::{ActionRef, GroupSize};
use vouch_p4runtime::value::{decode, encode};
use vouch_switch::{ActionCall, ActionId, EntryAction, OneShot, OneShotMember, Selection};

use super::key::hex;
use super::notes::Note;
use crate::dialect::Dialect;
use crate::fault::{Fault, Outcome, choices};
use crate::schema::{Profile, Schema, Table};
use crate::translation::{decode_value, encode_value, port_bytes};

/// Where an action is to run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Entry,
    Default,
}

/// What an entry of this table is told to do.
pub(crate) fn decode_entry_action(
    schema: &Schema,
    table: &Table,
    action: &v1::TableAction,
    dialect: Dialect,
) -> Outcome<EntryAction> {
    let Some(kind) = &action.r#type else {
        return Err(Fault::invalid("the action is empty"));
    };
    let profile = table.info.implementation.map(|id| schema.profile(id)).transpose()?;
    match (kind, profile) {
        (Type::Action(action), None) => Ok(EntryAction::Call(decode_for_table(schema, table, action, Use::Entry)?)),
        (Type::ActionProfileMemberId(member), Some(_)) => Ok(EntryAction::Member(*member)),
        (Type::ActionProfileGroupId(group), Some(profile)) if profile.info.with_selector => {
            Ok(EntryAction::Group(*group))
        }
        (Type::ActionProfileActionSet(set), Some(profile)) if profile.info.with_selector => {
            decode_one_shot(schema, table, profile, set, dialect)
        }
        (Type::ActionProfileGroupId(_) | Type::ActionProfileActionSet(_), Some(profile)) => {
            Err(Fault::invalid(format!("action profile {} has no selector: give a member id", profile.info.name)))
        }
        (Type::Action(_), Some(profile)) => Err(Fault::invalid(format!(
            "the table takes members of action profile {}, not actions of its own",
            profile.info.name
        ))),
        (Type::ActionProfileMemberId(_) | Type::ActionProfileGroupId(_) | Type::ActionProfileActionSet(_), None) => {
            Err(Fault::invalid("the table has no action profile: give an action"))
        }
    }
}

/// An action for an entry or the default of this table.
pub(crate) fn decode_for_table(
    schema: &Schema,
    table: &Table,
    action: &v1::Action,
    purpose: Use,
) -> Outcome<ActionCall> {
    let (found, engine) = find(schema, table, action.action_id)?;
    let name = || describe(schema, action.action_id);
    match purpose {
        Use::Entry if !found.in_entries => {
            return Err(Fault::permission_denied(format!("action {} is only for the table's default", name())));
        }
        Use::Default if !found.as_default => {
            return Err(Fault::permission_denied(format!("action {} is only for the table's entries", name())));
        }
        Use::Entry | Use::Default => {}
    }
    decode_call(schema, action, engine)
}

/// Refuses an action that is not one of the table's.
pub(crate) fn check_action(schema: &Schema, table: &Table, id: u32) -> Outcome {
    find(schema, table, id).map(|_| ())
}

fn find<'a>(schema: &Schema, table: &'a Table, id: u32) -> Outcome<(&'a ActionRef, ActionId)> {
    let found = table.info.action_ref(id).zip(table.actions.get(&id).copied());
    found.ok_or_else(|| {
        let all = table.actions.keys().filter_map(|id| Some((id, schema.actions.get(id)?)));
        let all = choices(all.map(|(id, action)| format!("{} ({id:#010x})", action.info.name)));
        Fault::invalid(format!("action {} is not one of the table's, which are {all}", describe(schema, id)))
    })
}

/// The parameters of an action whose engine id is known.
pub(crate) fn decode_call(schema: &Schema, action: &v1::Action, engine: ActionId) -> Outcome<ActionCall> {
    let known = schema.action(action.action_id)?;
    let within = |fault: Fault| fault.within(format_args!("action {}", known.info.name));
    for (position, given) in action.params.iter().enumerate() {
        if !known.params.iter().any(|param| param.info.id == given.param_id) {
            let all = choices(known.params.iter().map(|param| format!("{} ({})", param.info.name, param.info.id)));
            return Err(within(Fault::invalid(format!("no parameter has id {}; there is {all}", given.param_id))));
        }
        if action.params[..position].iter().any(|other| other.param_id == given.param_id) {
            return Err(within(Fault::invalid(format!("parameter {} is given twice", given.param_id))));
        }
    }
    let params = known.params.iter().map(|param| {
        let given = action.params.iter().find(|given| given.param_id == param.info.id);
        let given = given.ok_or_else(|| within(Fault::invalid(format!("parameter {} is missing", param.info.name))))?;
        let value = decode_value(param.translator.as_deref(), &given.value, param.bits);
        value.map_err(|fault| within(fault.within(format_args!("parameter {}", param.info.name))))
    });
    Ok(ActionCall { action: engine, params: params.collect::<Outcome<_>>()? })
}

#[allow(deprecated)]
fn decode_one_shot(
    schema: &Schema,
    table: &Table,
    profile: &Profile,
    set: &v1::ActionProfileActionSet,
    dialect: Dialect,
) -> Outcome<EntryAction> {
    use v1::action_profile_action_set::{ActionSelectionMode as Mode, SizeSemantics as Semantics};
    if set.group_action.is_some() {
        return Err(Fault::unimplemented("group_action of an action set: give each member the whole action"));
    }
    let selection = match Mode::try_from(set.action_selection_mode) {
        // Every selector of v1model chooses by a hash.
        Ok(Mode::DefaultModeDeterminedByActionSelector | Mode::Hash) => Selection::Hash,
        Ok(Mode::Random) => Selection::Random,
        Err(_) => {
            let mode = set.action_selection_mode;
            return Err(Fault::invalid(format!(
                "action_selection_mode {mode} does not exist: HASH or RANDOM, or none"
            )));
        }
    };
    let size = match (Semantics::try_from(set.size_semantics), profile.info.group_size) {
        (Ok(Semantics::DefaultSizeDeterminedByActionSelector), size) => size,
        (Ok(Semantics::SumOfWeights), _) => GroupSize::Weights,
        (Ok(Semantics::SumOfMembers), size @ GroupSize::Members { .. }) => size,
        (Ok(Semantics::SumOfMembers), GroupSize::Weights) => GroupSize::Members { max_weight: 0 },
        (Err(_), _) => {
            let semantics = set.size_semantics;
            return Err(Fault::invalid(format!(
                "size_semantics {semantics} does not exist: SUM_OF_WEIGHTS or SUM_OF_MEMBERS, or none"
            )));
        }
    };
    let members = set.action_profile_actions.iter().map(|member| {
        let Some(action) = &member.action else {
            return Err(Fault::invalid("a member of the action set has no action"));
        };
        Ok(OneShotMember {
            call: decode_for_table(schema, table, action, Use::Entry)?,
            weight: profile.weight(member.weight, size)?,
            watch_port: match &member.watch_kind {
                Some(WatchKind::WatchPort(port)) => watch_port(schema, port)?,
                Some(WatchKind::Watch(number)) => watch_number(schema, *number)?,
                None => None,
            },
        })
    });
    let members = members.collect::<Outcome<Vec<_>>>()?;
    let weights: Vec<u32> = members.iter().map(|member| member.weight).collect();
    profile.check_room(&weights, 0, size, dialect).map_err(|full| match dialect.counts_members() {
        true => full,
        // Where a group has too much, a set is wrong (specification 9.2.3).
        false => Fault { code: Code::InvalidArgument, ..full },
    })?;
    Ok(EntryAction::OneShot(OneShot { members, selection }))
}

/// The port that a member depends on; an empty one is none.
pub(crate) fn watch_port(schema: &Schema, bytes: &[u8]) -> Outcome<Option<u16>> {
    if bytes.is_empty() { Ok(None) } else { sdn_port(schema, bytes).map(Some) }
}

/// The same as the number that byte strings have replaced. Nobody could watch port 0 by it, which stands for none.
pub(crate) fn watch_number(schema: &Schema, number: i32) -> Outcome<Option<u16>> {
    match u32::try_from(number) {
        Ok(0) => Ok(None),
        Ok(number) => sdn_port(schema, &encode(number.into())).map(Some),
        Err(_) => Err(Fault::invalid(format!("watch {number} is negative"))),
    }
}

/// The reverse of [`watch_number`].
pub(crate) fn shown_watch_number(schema: &Schema, port: u16) -> i32 {
    let bytes = port_bytes(schema.ports.as_deref(), port);
    decode(&bytes, 31).ok().and_then(|number| i32::try_from(number).ok()).unwrap_or_else(|| port.into())
}

/// A port as the controller spells it.
pub(crate) fn sdn_port(schema: &Schema, bytes: &[u8]) -> Outcome<u16> {
    match &schema.ports {
        Some(ports) => port_number(&ports.decode(bytes, 9)?),
        None => port_number(bytes),
    }
}

/// A port as the data plane knows it.
pub(crate) fn port_number(bytes: &[u8]) -> Outcome<u16> {
    if bytes.is_empty() {
        return Err(Fault::invalid("a port is empty; port 0 is one byte 00"));
    }
    match decode(bytes, 128) {
        Ok(port @ ..=511) => Ok(port as u16),
        Ok(512..) | Err(_) => Err(Fault::invalid(format!("port {} does not exist: ports are 0 to 511", hex(bytes)))),
    }
}

/// The wire form of what an entry does.
#[allow(deprecated)]
pub(crate) fn encode_entry_action(
    schema: &Schema,
    table: &Table,
    action: &EntryAction,
    note: &Note,
) -> v1::TableAction {
    let kind = match action {
        EntryAction::Call(call) => Type::Action(encode_call(schema, call)),
        EntryAction::Member(member) => Type::ActionProfileMemberId(*member),
        EntryAction::Group(group) => Type::ActionProfileGroupId(*group),
        EntryAction::OneShot(group) => {
            let profile = table.info.implementation.and_then(|id| schema.profiles.get(&id));
            let shown = |weight| profile.map_or(0, |profile| profile.shown_weight(weight));
            let watch = |port| match note.watches_numbers {
                true => WatchKind::Watch(shown_watch_number(schema, port)),
                false => WatchKind::WatchPort(port_bytes(schema.ports.as_deref(), port)),
            };
            let actions = group.members.iter().map(|member| v1::ActionProfileAction {
                action: Some(encode_call(schema, &member.call)),
                weight: shown(member.weight),
                watch_kind: member.watch_port.map(watch),
            });
            Type::ActionProfileActionSet(v1::ActionProfileActionSet {
                action_profile_actions: actions.collect(),
                action_selection_mode: note.selection_mode,
                size_semantics: note.size_semantics,
                group_action: None,
            })
        }
    };
    v1::TableAction { r#type: Some(kind) }
}

/// The wire form of an action with its parameters. An action that the P4Info does not have (p4c leaves some of its own out)
/// has id 0.
pub(crate) fn encode_call(schema: &Schema, call: &ActionCall) -> v1::Action {
    let action_id = schema.action_ids.get(&call.action).copied().unwrap_or(0);
    let params = schema.actions.get(&action_id).map(|action| action.params.as_slice()).unwrap_or_default();
    let params = params
        .iter()
        .zip(&call.params)
        .map(|(param, value)| (param.info.id, encode_value(param.translator.as_deref(), value)))
        .map(|(param_id, value)| v1::action::Param { param_id, value });
    v1::Action { action_id, params: params.collect() }
}

fn describe(schema: &Schema, id: u32) -> String {
    match schema.actions.get(&id) {
        Some(action) => action.info.name.clone(),
        None => format!("{id:#010x}"),
    }
}
