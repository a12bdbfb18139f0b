//! The engine in this process as a [`Device`]. Ids are positions in the program, and nothing keeps notes.

use std::ops::{Deref, Range};

use vouch_p4runtime::p4info::{ActionProfile, Counter, Meter, Register, Table, ValueSet};
use vouch_switch::{
    ActionCall, ActionGroup, CloneSession, CloneTarget, ControlError, CounterData, CounterId, EntryAction, EntryKey,
    GroupMember, MeterConfig, MeterId, Micros, OneShot, OneShotMember, ProfileId, Program, RegisterId, ReplicationNode,
    Selection, Switch, TableEntry, TableId, ValueSetId, ValueSetMember,
};

use super::command::{Call, Choice, Doing};
use super::device::Device;
use super::{Catalog, Interpreter, Refused, parse};

/// An engine.
#[derive(Debug)]
pub(crate) struct Local<S> {
    pub(crate) switch: S,
    /// The clock of whoever has packets carried.
    pub(crate) now: Micros,
}

impl<S: Deref<Target = Switch>> Local<S> {
    /// Before a packet comes, at time 0 at the earliest.
    pub(crate) fn new(switch: S) -> Self {
        Self { switch, now: Micros(0) }
    }

    /// Carry out the commands of a text. None of them may show anything, since nobody looks.
    pub(crate) fn carry_out(self, text: &str) -> Result<(), Refused> {
        let catalog = Catalog::of_program(self.switch.program())?;
        let mut interpreter = Interpreter::new(self);
        for (number, line) in (1..).zip(text.lines()) {
            let done = parse(&catalog, line).and_then(|command| match command {
                None => Ok(None),
                Some(super::Command::Change(change)) => {
                    let named = |refused| format!("{}: {refused}", super::split(line).first().unwrap_or(&""));
                    interpreter.change(&catalog, &change).map_err(named)
                }
                Some(_) => Err(format!("`{}` changes nothing, so that it has no place here", line.trim())),
            });
            done.map_err(|refused| format!("line {number}: {refused}"))?;
        }
        Ok(())
    }

    fn program(&self) -> &Program {
        self.switch.program()
    }

    fn table(&self, table: &Table) -> Result<TableId, Refused> {
        self.program().table(&table.name).ok_or_else(|| missing(&table.name))
    }

    fn profile(&self, profile: &ActionProfile) -> Result<ProfileId, Refused> {
        self.program().profile(&profile.name).ok_or_else(|| missing(&profile.name))
    }

    fn meter(&self, meter: &Meter) -> Result<MeterId, Refused> {
        self.program().meter(&meter.name).ok_or_else(|| missing(&meter.name))
    }

    fn counter_id(&self, counter: &Counter) -> Result<CounterId, Refused> {
        self.program().counter(&counter.name).ok_or_else(|| missing(&counter.name))
    }

    fn register(&self, register: &Register) -> Result<RegisterId, Refused> {
        self.program().register(&register.name).ok_or_else(|| missing(&register.name))
    }

    fn set(&self, set: &ValueSet) -> Result<ValueSetId, Refused> {
        self.program().value_set(&set.name).ok_or_else(|| missing(&set.name))
    }

    fn call(&self, table: &Table, call: &Call<'_>) -> Result<ActionCall, Refused> {
        let action = self.program().table_action(self.table(table)?, &call.action.name);
        Ok(ActionCall { action: action.ok_or_else(|| missing(&call.action.name))?, params: call.params.clone() })
    }

    fn profile_call(&self, profile: &ActionProfile, call: &Call<'_>) -> Result<ActionCall, Refused> {
        let action = self.program().profile_action(self.profile(profile)?, &call.action.name);
        Ok(ActionCall { action: action.ok_or_else(|| missing(&call.action.name))?, params: call.params.clone() })
    }

    fn action(&self, table: &Table, doing: &Doing<'_>) -> Result<EntryAction, Refused> {
        Ok(match doing {
            Doing::Call(call) => EntryAction::Call(self.call(table, call)?),
            Doing::Member(member) => EntryAction::Member(*member),
            Doing::Group(group) => EntryAction::Group(*group),
            Doing::Choices(choices) => {
                let member = |choice: &Choice<'_>| {
                    let call = self.call(table, &choice.call)?;
                    Ok(OneShotMember { call, weight: choice.weight, watch_port: choice.watch })
                };
                let members = choices.iter().map(member).collect::<Result<_, Refused>>()?;
                EntryAction::OneShot(OneShot { members, selection: Selection::Hash })
            }
        })
    }

    fn change_entry(&self, table: &Table, key: &EntryKey, change: impl FnOnce(&mut TableEntry)) -> Result<(), Refused> {
        let id = self.table(table)?;
        let mut entry = self.switch.entry(id, key).map_err(refused)?.entry;
        change(&mut entry);
        self.switch.modify_entry(id, &entry, self.now).map_err(refused)
    }
}

fn refused(error: ControlError) -> Refused {
    error.to_string()
}

fn missing(name: &str) -> Refused {
    format!("the program has no {name}")
}

impl<S: Deref<Target = Switch>> Device for Local<S> {
    fn keys(&mut self, table: &Table) -> Result<Vec<(EntryKey, Option<u32>)>, Refused> {
        let entries = self.switch.entries(self.table(table)?).map_err(refused)?;
        Ok(entries.into_iter().map(|view| (view.entry.key, None)).collect())
    }

    fn insert_entry(
        &mut self,
        table: &Table,
        key: &EntryKey,
        doing: &Doing<'_>,
        timeout: u64,
        handle: u32,
    ) -> Result<u32, Refused> {
        let action = self.action(table, doing)?;
        let idle_timeout = Micros(timeout.saturating_mul(1000));
        let entry = TableEntry { key: key.clone(), action, idle_timeout, meter: None };
        self.switch.insert_entry(self.table(table)?, &entry, self.now).map_err(refused)?;
        Ok(handle)
    }

    fn modify_entry(&mut self, table: &Table, key: &EntryKey, call: &Call<'_>) -> Result<(), Refused> {
        let action = EntryAction::Call(self.call(table, call)?);
        self.change_entry(table, key, |entry| entry.action = action)
    }

    fn set_timeout(&mut self, table: &Table, key: &EntryKey, milliseconds: u64) -> Result<(), Refused> {
        self.change_entry(table, key, |entry| entry.idle_timeout = Micros(milliseconds.saturating_mul(1000)))
    }

    fn delete_entry(&mut self, table: &Table, key: &EntryKey) -> Result<(), Refused> {
        self.switch.delete_entry(self.table(table)?, key).map_err(refused)
    }

    fn set_default(&mut self, table: &Table, doing: Option<&Doing<'_>>) -> Result<(), Refused> {
        let action = doing.map(|doing| self.action(table, doing)).transpose()?;
        self.switch.set_default(self.table(table)?, action.as_ref()).map_err(refused)
    }

    fn member_ids(&mut self, profile: &ActionProfile) -> Result<Vec<u32>, Refused> {
        let members = self.switch.members(self.profile(profile)?).map_err(refused)?;
        Ok(members.into_iter().map(|(id, _)| id).collect())
    }

    fn insert_member(&mut self, profile: &ActionProfile, member: u32, call: &Call<'_>) -> Result<u32, Refused> {
        let call = self.profile_call(profile, call)?;
        self.switch.insert_member(self.profile(profile)?, member, &call).map_err(refused)?;
        Ok(member)
    }

    fn modify_member(&mut self, profile: &ActionProfile, member: u32, call: &Call<'_>) -> Result<(), Refused> {
        let call = self.profile_call(profile, call)?;
        self.switch.modify_member(self.profile(profile)?, member, &call).map_err(refused)
    }

    fn delete_member(&mut self, profile: &ActionProfile, member: u32) -> Result<(), Refused> {
        self.switch.delete_member(self.profile(profile)?, member).map_err(refused)
    }

    fn group_ids(&mut self, profile: &ActionProfile) -> Result<Vec<u32>, Refused> {
        let groups = self.switch.groups(self.profile(profile)?).map_err(refused)?;
        Ok(groups.into_iter().map(|(id, _)| id).collect())
    }

    fn insert_group(&mut self, profile: &ActionProfile, group: u32) -> Result<u32, Refused> {
        let empty = ActionGroup { members: Vec::new(), max_size: 0 };
        self.switch.insert_group(self.profile(profile)?, group, &empty).map_err(refused)?;
        Ok(group)
    }

    fn delete_group(&mut self, profile: &ActionProfile, group: u32) -> Result<(), Refused> {
        self.switch.delete_group(self.profile(profile)?, group).map_err(refused)
    }

    fn set_membership(&mut self, profile: &ActionProfile, group: u32, member: u32, on: bool) -> Result<(), Refused> {
        let id = self.profile(profile)?;
        let mut changed = self.switch.group(id, group).map_err(refused)?;
        let before = changed.members.len();
        changed.members.retain(|other| other.member != member);
        if on {
            changed.members.push(GroupMember { member, weight: 1, watch_port: None });
        }
        check_membership(before != changed.members.len(), on)?;
        self.switch.modify_group(id, group, &changed).map_err(refused)
    }

    fn multicast_groups(&mut self) -> Result<Vec<(u32, Vec<ReplicationNode>)>, Refused> {
        Ok(self.switch.multicast_groups())
    }

    fn insert_multicast(&mut self, group: u32) -> Result<(), Refused> {
        self.switch.insert_multicast_group(group, &[]).map_err(refused)
    }

    fn modify_multicast(&mut self, group: u32, nodes: &[ReplicationNode]) -> Result<(), Refused> {
        self.switch.modify_multicast_group(group, nodes).map_err(refused)
    }

    fn delete_multicast(&mut self, group: u32) -> Result<(), Refused> {
        self.switch.delete_multicast_group(group).map_err(refused)
    }

    fn set_session(&mut self, session: u16, nodes: &[ReplicationNode], length: Option<u16>) -> Result<(), Refused> {
        let target = CloneTarget::Replicas(nodes.to_vec());
        let wanted = CloneSession { target, max_packet_length: length.unwrap_or(0), class_of_service: 0 };
        match self.switch.insert_clone_session(session, &wanted) {
            Err(ControlError::CloneSessionExists(_)) => self.switch.modify_clone_session(session, &wanted),
            done => done,
        }
        .map_err(refused)
    }

    fn delete_session(&mut self, session: u16) -> Result<(), Refused> {
        self.switch.delete_clone_session(session).map_err(refused)
    }

    fn counter(&mut self, counter: &Counter, index: u64) -> Result<CounterData, Refused> {
        self.switch.counter(self.counter_id(counter)?, index).map_err(refused)
    }

    fn entry_counter(&mut self, table: &Table, key: &EntryKey) -> Result<CounterData, Refused> {
        Ok(self.switch.entry(self.table(table)?, key).map_err(refused)?.counter)
    }

    fn set_counter(&mut self, counter: &Counter, mut cells: Range<u64>, data: CounterData) -> Result<(), Refused> {
        let id = self.counter_id(counter)?;
        cells.try_for_each(|index| self.switch.set_counter(id, index, data)).map_err(refused)
    }

    fn set_entry_counters(&mut self, table: &Table, keys: &[EntryKey], data: CounterData) -> Result<(), Refused> {
        let id = self.table(table)?;
        keys.iter().try_for_each(|key| self.switch.set_direct_counter(id, Some(key), data)).map_err(refused)
    }

    fn set_meter(&mut self, meter: &Meter, mut cells: Range<u64>, rates: MeterConfig) -> Result<(), Refused> {
        let id = self.meter(meter)?;
        cells.try_for_each(|index| self.switch.set_meter(id, index, Some(rates))).map_err(refused)
    }

    fn set_entry_meters(&mut self, table: &Table, keys: &[EntryKey], rates: MeterConfig) -> Result<(), Refused> {
        let id = self.table(table)?;
        keys.iter().try_for_each(|key| self.switch.set_direct_meter(id, Some(key), Some(rates))).map_err(refused)
    }

    fn set_register(&mut self, register: &Register, mut cells: Range<u64>, value: &[u8]) -> Result<(), Refused> {
        let id = self.register(register)?;
        cells.try_for_each(|index| self.switch.set_register(id, index, value)).map_err(refused)
    }

    fn value_set(&mut self, set: &ValueSet) -> Result<Vec<Vec<u8>>, Refused> {
        let members = self.switch.value_set(self.set(set)?).map_err(refused)?;
        Ok(members.into_iter().map(|member| member.value).collect())
    }

    fn set_value_set(&mut self, set: &ValueSet, members: &[Vec<u8>]) -> Result<(), Refused> {
        let members: Vec<_> = members.iter().map(|value| ValueSetMember { value: value.clone(), mask: None }).collect();
        self.switch.set_value_set(self.set(set)?, &members).map_err(refused)
    }
}

/// A member that is to come must not be there yet, and one that is to go must be.
pub(super) fn check_membership(changed: bool, on: bool) -> Result<(), Refused> {
    match (changed, on) {
        (true, _) => Ok(()),
        (false, true) => Err("the member is in the group already".to_owned()),
        (false, false) => Err("the member is not in the group".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use vouch_switch::{Match, SwitchConfig};

    const PATCH: &[u8] = include_bytes!("../../tests/programs/patch.json");
    const KINDS: &[u8] = include_bytes!("../../../switch-server/tests/programs/kinds.json");

    fn switch(json: &[u8]) -> Switch {
        Switch::new(Arc::new(Program::load(json).expect("p4c wrote it")), SwitchConfig::default())
    }

    fn refusal(line: &str) -> String {
        Local::new(&switch(PATCH)).carry_out(line).expect_err("the line is wrong")
    }

    #[test]
    fn entries_sessions_and_groups_are_made() {
        let switch = switch(PATCH);
        let text = "# a comment, and a line without a word\n\n\
                    table_add exceptions redirect 02:00:00:00:00:00&&&ff:00:00:00:00:00 0x88b5 => 7 10\n\
                    table_add PatchIngress.exceptions drop 0x0&&&0x0 2048 => 20\n\
                    table_delete exceptions 0\n\
                    mirroring_add 5 3\nmirroring_add 5 4\n\
                    mc_mgrp_create 9\nmc_node_create 1 2 3\nmc_node_create 2 4\nmirroring_add_mc 6 9\n\
                    mc_node_associate 9 0\nmc_node_associate 9 1\nmc_node_dissociate 9 0\nmc_node_update 1 5 6";
        Local::new(&switch).carry_out(text).expect("all of it is right");
        let entries =
            switch.entries(switch.program().table("PatchIngress.exceptions").expect("the table")).expect("it exists");
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].entry.key.priority, i32::MAX - 20);
        assert_eq!(entries[0].entry.key.matches[1], Match::Exact(vec![8, 0]));
        let nodes = vec![ReplicationNode { instance: 2, ports: vec![5, 6] }];
        let port = vec![ReplicationNode { instance: 0, ports: vec![4] }];
        let sessions = switch.clone_sessions().into_iter().map(|(id, session)| (id, session.target));
        let wanted = [(5, CloneTarget::Replicas(port)), (6, CloneTarget::Replicas(nodes.clone()))];
        assert_eq!(sessions.collect::<Vec<_>>(), wanted);
        assert_eq!(switch.multicast_groups(), [(9, nodes)]);
    }

    #[test]
    fn profiles_and_arrays_are_filled() {
        let switch = switch(KINDS);
        let text = "act_prof_create_member next_hops forward 1\nact_prof_create_member next_hops forward 2\n\
                    act_prof_modify_member next_hops drop 1\ntable_indirect_add nexthop 7 => 1\n\
                    act_prof_create_group paths\nact_prof_create_member paths forward 3\n\
                    act_prof_create_member paths drop\nact_prof_add_member_to_group paths 0 0\n\
                    act_prof_add_member_to_group paths 1 0\nact_prof_remove_member_from_group paths 1 0\n\
                    act_prof_delete_member paths 1\ntable_indirect_add_with_group balance 8 => 0\n\
                    table_add host host_forward 9 => 1\ntable_set_timeout host 0 5\ntable_modify host host_forward 0 2\n\
                    counter_write by_port 2 3 4\ncounter_write by_port 3 5 6\ncounter_reset by_port\n\
                    counter_write by_port 1 7 8\nregister_write last_kind 1 0x10\nmeter_set_rates port_rate 1 0.5:2 1:4\n\
                    meter_array_set_rates port_rate 0.000001:1 1:4\ntable_set_default route drop";
        let refused = Local::new(&switch).carry_out(text).expect_err("the last is constant");
        assert_eq!(refused, "line 23: table_set_default: the default action of this table is constant");
        let program = switch.program();
        let table = |name: &str| program.tables().find(|(_, info)| info.name.ends_with(name)).expect("the table").0;
        let action = |name| switch.entries(table(name)).expect("it exists")[0].entry.action.clone();
        assert_eq!((action(".nexthop"), action(".balance")), (EntryAction::Member(2), EntryAction::Group(1)));
        assert_eq!(switch.entries(table(".host")).expect("it exists")[0].entry.idle_timeout, Micros(5000));
        let paths = program.profiles().find(|(_, info)| info.name.ends_with("paths")).expect("the selector").0;
        let members = switch.group(paths, 1).expect("it is there").members;
        assert_eq!(members, [GroupMember { member: 1, weight: 1, watch_port: None }]);
        let (counter, _) = program.counters().next().expect("there is one");
        let counts = [1, 2, 3].map(|index| switch.counter(counter, index).expect("a cell").packets);
        assert_eq!(counts, [7, 0, 0]);
        let (register, _) = program.registers().next().expect("there is one");
        assert_eq!(switch.register(register, 1), Ok(vec![0, 0, 0, 16]));
        let (meter, _) = program.meters().next().expect("there is one");
        let rates = MeterConfig { cir: 1, cburst: 1, pir: 1_000_000, pburst: 4 };
        assert_eq!(switch.meter(meter, 7), Ok(Some(rates)));
    }

    #[test]
    fn mistakes_are_told_with_their_line_and_what_would_be_right() {
        assert_eq!(
            refusal("\ntable_add exceptions drop => 1"),
            "line 2: table_add: the key has 2 fields (dst, ether_type), not 0"
        );
        assert_eq!(
            refusal("table_add exceptions redirect 1&&&1 1 => 1"),
            "line 1: table_add: the action has 1 parameters (port), not 0"
        );
        assert_eq!(
            refusal("table_add exceptions redirect 1&&&1 1 => 512 1"),
            "line 1: table_add: `512` does not fit 9 bits"
        );
        assert_eq!(
            refusal("table_add nothing drop"),
            "line 1: table_add: there is no table `nothing`; there is tbl_patch62, tbl_patch64, PatchIngress.exceptions"
        );
        assert_eq!(refusal("table_delete exceptions 3"), "line 1: table_delete: the table has no entry with handle 3");
        assert_eq!(refusal("mirroring_add 1"), "line 1: mirroring_add: expected mirroring_add SESSION PORT");
        assert_eq!(refusal("show_tables"), "line 1: `show_tables` changes nothing, so that it has no place here");
        assert!(refusal("swap").starts_with("line 1: swap: there is no such command; there is show_tables, "));
    }
}
