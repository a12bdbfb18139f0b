//! Control calls of the engine, made of bytes: most of them valid, so that packets meet tables with something in them.

use vouch_switch::{
    ActionCall, ActionGroup, ActionId, CloneSession, CloneTarget, ControlError, CounterData, EntryAction, EntryKey,
    GroupMember, Match, MatchKind, MeterConfig, Micros, OneShot, OneShotMember, ProfileId, Program, ReplicationNode,
    Selection, Switch, TableEntry, TableId, ValueSetMember,
};

use crate::input::Input;

/// One call. What is refused has changed nothing.
pub(crate) fn call(switch: &Switch, input: &mut Input<'_>, now: Micros) -> Result<(), ControlError> {
    match input.u8() % 16 {
        0..=4 => table_entry(switch, input, now),
        5 => default_action(switch, input),
        6 => {
            let id = u32::from(input.u8());
            let nodes = nodes(input);
            switch.insert_multicast_group(id, &nodes).or_else(|_| switch.modify_multicast_group(id, &nodes))
        }
        7 => {
            let id = u16::from(input.u8());
            let session = session(input);
            switch.insert_clone_session(id, &session).or_else(|_| switch.modify_clone_session(id, &session))
        }
        8 | 9 => member(switch, input),
        10 => group(switch, input),
        11 => meter(switch, input),
        12 => register(switch, input),
        13 => value_set(switch, input),
        14 => {
            let counters: Vec<_> = switch.program().counters().map(|(id, _)| id).collect();
            let Some(id) = input.pick(&counters) else { return Ok(()) };
            switch.set_counter(*id, input.number(2), CounterData { packets: input.number(8), bytes: input.number(8) })
        }
        _ => {
            switch.set_port_up(u16::from(input.u8()), input.u8().is_multiple_of(2));
            Ok(())
        }
    }
}

fn tables(program: &Program) -> Vec<TableId> {
    program.tables().map(|(id, _)| id).collect()
}

fn table_entry(switch: &Switch, input: &mut Input<'_>, now: Micros) -> Result<(), ControlError> {
    let program = switch.program();
    let Some(table) = input.pick(&tables(program)).copied() else { return Ok(()) };
    let Some(info) = program.table_info(table) else { return Ok(()) };
    let how = input.u8();
    let priority = if info.needs_priority { 1 + i32::from(input.u8() % 8) } else { 0 };
    let matches = info.key.iter().map(|field| key_field(field.kind, field.bits, input)).collect();
    let key = EntryKey { matches, priority };
    if how % 16 == 15 {
        return switch.delete_entry(table, &key);
    }
    let Some(action) = entry_action(program, table, info.profile, how, input) else { return Ok(()) };
    let idle_timeout = if info.idle_timeout { Micros(input.number(2)) } else { Micros(0) };
    let meter = info.direct_meter.filter(|_| how.is_multiple_of(3)).map(|_| rates(input));
    let entry = TableEntry { key, action, idle_timeout, meter };
    match switch.insert_entry(table, &entry, now) {
        Err(ControlError::EntryExists) => switch.modify_entry(table, &entry, now),
        outcome => outcome,
    }
}

fn key_field(kind: MatchKind, bits: u32, input: &mut Input<'_>) -> Match {
    match kind {
        MatchKind::Exact => Match::Exact(input.value(bits)),
        MatchKind::Lpm => {
            let prefix_len = u32::from(input.u8()) % (bits + 1);
            let value = masked(&input.value(bits), &prefix(prefix_len, bits));
            Match::Lpm { value, prefix_len }
        }
        MatchKind::Ternary => {
            let mask = input.value(bits);
            if mask.iter().all(|byte| *byte == 0) {
                return Match::Any;
            }
            Match::Ternary { value: masked(&input.value(bits), &mask), mask }
        }
        MatchKind::Range => Match::Range { low: input.value(bits), high: input.value(bits) },
        MatchKind::Valid => Match::Valid(input.u8() % 2 == 1),
    }
}

/// The mask of a prefix.
fn prefix(length: u32, bits: u32) -> Vec<u8> {
    let mut mask = vec![0; bits.div_ceil(8) as usize];
    let unused = mask.len() as u32 * 8 - bits;
    for bit in unused..unused + length {
        mask[bit as usize / 8] |= 0x80 >> (bit % 8);
    }
    mask
}

fn masked(value: &[u8], mask: &[u8]) -> Vec<u8> {
    value.iter().zip(mask).map(|(value, mask)| value & mask).collect()
}

fn entry_action(
    program: &Program,
    table: TableId,
    profile: Option<ProfileId>,
    how: u8,
    input: &mut Input<'_>,
) -> Option<EntryAction> {
    let actions = &program.table_info(table)?.actions;
    Some(match (profile, how % 4) {
        (None, _) => EntryAction::Call(action_call(program, actions, input)?),
        (Some(_), 0) => EntryAction::Member(u32::from(input.u8() % 8)),
        (Some(_), 1 | 2) => EntryAction::Group(u32::from(input.u8() % 4)),
        (Some(_), _) => {
            let one = |input: &mut Input<'_>| {
                let call = action_call(program, actions, input)?;
                Some(OneShotMember { call, weight: u32::from(input.u8() % 8), watch_port: watch_port(input) })
            };
            let members = (0..input.u8() % 4).filter_map(|_| one(input)).collect();
            let selection = if how & 4 == 0 { Selection::Hash } else { Selection::Random };
            EntryAction::OneShot(OneShot { members, selection })
        }
    })
}

fn action_call(program: &Program, actions: &[ActionId], input: &mut Input<'_>) -> Option<ActionCall> {
    let action = *input.pick(actions)?;
    let params = &program.action_info(action)?.params;
    Some(ActionCall { action, params: params.iter().map(|param| input.value(param.bits)).collect() })
}

fn watch_port(input: &mut Input<'_>) -> Option<u16> {
    let port = input.u8();
    port.is_multiple_of(4).then_some(u16::from(port / 4))
}

fn default_action(switch: &Switch, input: &mut Input<'_>) -> Result<(), ControlError> {
    let program = switch.program();
    let Some(table) = input.pick(&tables(program)).copied() else { return Ok(()) };
    let Some(info) = program.table_info(table) else { return Ok(()) };
    let how = input.u8();
    let action = if how % 4 == 3 { None } else { entry_action(program, table, info.profile, how, input) };
    switch.set_default(table, action.as_ref())
}

/// The actions that members of a profile may have.
fn profile_actions(program: &Program, profile: ProfileId) -> Vec<ActionId> {
    let users = program.tables().filter(|(_, info)| info.profile == Some(profile));
    users.flat_map(|(_, info)| info.actions.clone()).collect()
}

fn profile(program: &Program, input: &mut Input<'_>) -> Option<ProfileId> {
    let profiles: Vec<_> = program.profiles().map(|(id, _)| id).collect();
    input.pick(&profiles).copied()
}

fn member(switch: &Switch, input: &mut Input<'_>) -> Result<(), ControlError> {
    let program = switch.program();
    let Some(profile) = profile(program, input) else { return Ok(()) };
    let id = input.u8();
    let Some(call) = action_call(program, &profile_actions(program, profile), input) else { return Ok(()) };
    match id / 8 {
        31 => switch.delete_member(profile, u32::from(id % 8)),
        _ => match switch.insert_member(profile, u32::from(id % 8), &call) {
            Err(ControlError::MemberExists(id)) => switch.modify_member(profile, id, &call),
            outcome => outcome,
        },
    }
}

fn group(switch: &Switch, input: &mut Input<'_>) -> Result<(), ControlError> {
    let Some(profile) = profile(switch.program(), input) else { return Ok(()) };
    let id = input.u8();
    let one = |input: &mut Input<'_>| GroupMember {
        member: u32::from(input.u8() % 8),
        weight: u32::from(input.u8() % 8),
        watch_port: watch_port(input),
    };
    let members = (0..input.u8() % 8).map(|_| one(input)).collect();
    let group = ActionGroup { members, max_size: u32::from(input.u8() % 16) };
    match id / 4 {
        63 => switch.delete_group(profile, u32::from(id % 4)),
        _ => match switch.insert_group(profile, u32::from(id % 4), &group) {
            Err(ControlError::GroupExists(id)) => switch.modify_group(profile, id, &group),
            outcome => outcome,
        },
    }
}

fn nodes(input: &mut Input<'_>) -> Vec<ReplicationNode> {
    let replicas: Vec<_> = (0..input.u8() % 16).map(|_| (input.u16() % 520, u16::from(input.u8()))).collect();
    ReplicationNode::from_replicas(&replicas)
}

fn session(input: &mut Input<'_>) -> CloneSession {
    let target = match input.u8() % 4 {
        0 => CloneTarget::Port(input.u16() % 520),
        1 => CloneTarget::Group(u32::from(input.u8())),
        2 => CloneTarget::GroupAndPort(input.u8().into(), input.u16() % 520),
        _ => CloneTarget::Replicas(nodes(input)),
    };
    let max_packet_length = if input.u8() % 4 == 3 { input.u16() } else { 0 };
    CloneSession { target, max_packet_length, class_of_service: 0 }
}

fn rates(input: &mut Input<'_>) -> MeterConfig {
    let mut rate = || {
        let digits = usize::from(input.u8() % 9);
        input.number(digits)
    };
    MeterConfig { cir: rate(), cburst: rate(), pir: rate(), pburst: rate() }
}

fn meter(switch: &Switch, input: &mut Input<'_>) -> Result<(), ControlError> {
    let meters: Vec<_> = switch.program().meters().map(|(id, _)| id).collect();
    let Some(id) = input.pick(&meters) else { return Ok(()) };
    let index = input.number(2);
    let rates = (input.u8() % 8 != 7).then(|| rates(input));
    switch.set_meter(*id, index, rates)
}

fn register(switch: &Switch, input: &mut Input<'_>) -> Result<(), ControlError> {
    let registers: Vec<_> = switch.program().registers().map(|(id, info)| (id, info.bits)).collect();
    let Some((id, bits)) = input.pick(&registers) else { return Ok(()) };
    switch.set_register(*id, input.number(2), &input.value(*bits))
}

fn value_set(switch: &Switch, input: &mut Input<'_>) -> Result<(), ControlError> {
    let sets: Vec<_> = switch.program().value_sets().map(|(id, info)| (id, info.bits)).collect();
    let Some((id, bits)) = input.pick(&sets) else { return Ok(()) };
    let one = |input: &mut Input<'_>| ValueSetMember {
        value: input.value(*bits),
        mask: (input.u8() % 2 == 1).then(|| input.value(*bits)),
    };
    let members: Vec<_> = (0..input.u8() % 4).map(|_| one(input)).collect();
    switch.set_value_set(*id, &members)
}
