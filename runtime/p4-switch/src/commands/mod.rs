//! A switch's entries in the words of `simple_switch_CLI`: one command on a line, `#` begins a comment.
//!
//! The words, their order and their numbers are the reference's: the lowest priority wins, entries and multicast nodes are
//! known by handles that count from 0. Names may lack their front where that leaves no doubt.

mod values;

use std::collections::BTreeMap;

use vouch_switch::{
    ActionCall, CloneSession, CloneTarget, EntryAction, EntryKey, MeterConfig, Micros, Program, ReplicationNode,
    Switch, TableEntry, TableId,
};

use values::{key_field, list, number, param};

/// Why a command was not carried out, for whoever wrote it.
pub(crate) type Refused = String;

/// Carries out commands on one switch.
pub(crate) struct Interpreter<'a> {
    switch: &'a Switch,
    /// Multicast nodes by their handles.
    nodes: Vec<ReplicationNode>,
    /// The nodes of each group, by their handles.
    groups: BTreeMap<u32, Vec<usize>>,
    /// Entries by table and handle.
    entries: BTreeMap<TableId, Vec<Option<EntryKey>>>,
}

/// The commands, as the reference describes them.
const COMMANDS: &[&str] = &[
    "table_add TABLE ACTION KEY... => [PARAMETER...] [PRIORITY]",
    "table_set_default TABLE ACTION [PARAMETER...]",
    "table_delete TABLE HANDLE",
    "table_clear TABLE",
    "mirroring_add SESSION PORT",
    "mirroring_add_mc SESSION GROUP",
    "mirroring_delete SESSION",
    "mc_mgrp_create GROUP",
    "mc_mgrp_destroy GROUP",
    "mc_node_create RID PORT...",
    "mc_node_associate GROUP NODE",
    "mc_node_dissociate GROUP NODE",
    "register_write REGISTER INDEX VALUE",
    "register_reset REGISTER",
    "meter_set_rates METER INDEX RATE:BURST RATE:BURST",
];

impl<'a> Interpreter<'a> {
    pub(crate) fn new(switch: &'a Switch) -> Self {
        Self { switch, nodes: Vec::new(), groups: BTreeMap::new(), entries: BTreeMap::new() }
    }

    /// Carry out the commands of a text.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Refused> {
        for (number, line) in (1..).zip(text.lines()) {
            let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
            let Some((command, arguments)) = words.split_first() else { continue };
            self.command(command, arguments).map_err(|refused| format!("line {number}: {command}: {refused}"))?;
        }
        Ok(())
    }

    fn command(&mut self, command: &str, arguments: &[&str]) -> Result<(), Refused> {
        let switch = self.switch;
        let refused = |error: vouch_switch::ControlError| error.to_string();
        match (command, arguments) {
            ("table_add", [table, action, rest @ ..]) => self.table_add(table, action, rest),
            ("table_set_default", [table, action, params @ ..]) => {
                let id = self.table(table)?;
                let call = EntryAction::Call(self.call(id, action, params)?);
                switch.set_default(id, Some(&call)).map_err(refused)
            }
            ("table_delete", [table, handle]) => {
                let id = self.table(table)?;
                let handle: usize = number(handle)?;
                let entry = self.entries.get_mut(&id).and_then(|entries| entries.get_mut(handle)?.take());
                let key = entry.ok_or_else(|| format!("the table has no entry with handle {handle}"))?;
                switch.delete_entry(id, &key).map(drop).map_err(refused)
            }
            ("table_clear", [table]) => {
                let id = self.table(table)?;
                for key in self.entries.remove(&id).into_iter().flatten().flatten() {
                    switch.delete_entry(id, &key).map(drop).map_err(refused)?;
                }
                Ok(())
            }
            ("mirroring_add", [session, port]) => self.mirror(session, CloneTarget::Port(number(port)?)),
            ("mirroring_add_mc", [session, group]) => self.mirror(session, CloneTarget::Group(number(group)?)),
            ("mirroring_delete", [session]) => switch.delete_clone_session(number(session)?).map_err(refused),
            ("mc_mgrp_create", [group]) => {
                let group = number(group)?;
                switch.insert_multicast_group(group, &[]).map_err(refused)?;
                self.groups.insert(group, Vec::new());
                Ok(())
            }
            ("mc_mgrp_destroy", [group]) => {
                let group = number(group)?;
                self.groups.remove(&group);
                switch.delete_multicast_group(group).map_err(refused)
            }
            ("mc_node_create", [instance, ports @ ..]) => {
                let ports: Result<_, _> = ports.iter().map(|port| number(port)).collect();
                self.nodes.push(ReplicationNode { instance: number(instance)?, ports: ports? });
                Ok(())
            }
            ("mc_node_associate", [group, node]) => self.associate(group, node, true),
            ("mc_node_dissociate", [group, node]) => self.associate(group, node, false),
            ("register_write", [register, index, value]) => {
                let id = find("register", register, switch.program().registers().map(|(id, info)| (id, &*info.name)))?;
                let bits = switch.program().register_info(id).map_or(0, |info| info.bits);
                switch.set_register(id, number(index)?, &param(value, bits)?).map_err(refused)
            }
            ("register_reset", [register]) => {
                let id = find("register", register, switch.program().registers().map(|(id, info)| (id, &*info.name)))?;
                let size = switch.program().register_info(id).map_or(0, |info| info.size);
                (0..size).try_for_each(|index| switch.set_register(id, index, &[])).map_err(refused)
            }
            ("meter_set_rates", [meter, index, committed, peak]) => {
                let id = find("meter", meter, switch.program().meters().map(|(id, info)| (id, &*info.name)))?;
                let rates = rates(committed, peak)?;
                switch.set_meter(id, number(index)?, Some(rates)).map_err(refused)
            }
            _ => Err(usage(command)),
        }
    }

    fn table_add(&mut self, table: &str, action: &str, rest: &[&str]) -> Result<(), Refused> {
        let id = self.table(table)?;
        let Some(info) = self.program().table_info(id) else { return Err(usage("table_add")) };
        let arrow = rest.iter().position(|word| *word == "=>").ok_or_else(|| usage("table_add"))?;
        let (key, mut params) = (&rest[..arrow], &rest[arrow + 1..]);
        let mut priority = 0;
        if info.needs_priority {
            let (last, before) = params.split_last().ok_or("an entry of this table has a priority at its end")?;
            // The engine's highest number wins.
            priority = i32::MAX - number::<i32>(last)?.max(0);
            params = before;
        }
        if key.len() != info.key.len() {
            let fields: Vec<_> = info.key.iter().map(|field| field.name.as_str()).collect();
            let (got, wanted) = (key.len(), info.key.len());
            return Err(format!("the key has {wanted} fields ({}), not {got}", fields.join(", ")));
        }
        let matches: Result<_, _> = info.key.iter().zip(key).map(|(field, text)| key_field(field, text)).collect();
        let key = EntryKey { matches: matches?, priority };
        let action = EntryAction::Call(self.call(id, action, params)?);
        let entry = TableEntry { key: key.clone(), action, idle_timeout: Micros(0), meter: None };
        self.switch.insert_entry(id, &entry, Micros(0)).map_err(|error| error.to_string())?;
        self.entries.entry(id).or_default().push(Some(key));
        Ok(())
    }

    fn call(&self, table: TableId, action: &str, params: &[&str]) -> Result<ActionCall, Refused> {
        let program = self.program();
        let actions = program.table_info(table).map(|info| info.actions.as_slice()).unwrap_or_default();
        let named = actions.iter().filter_map(|id| Some((*id, program.action_info(*id)?.name.as_str())));
        let id = find("action of the table", action, named)?;
        let wanted = program.action_info(id).map(|info| info.params.as_slice()).unwrap_or_default();
        if params.len() != wanted.len() {
            let names: Vec<_> = wanted.iter().map(|param| param.name.as_str()).collect();
            let (got, count) = (params.len(), wanted.len());
            return Err(format!("the action has {count} parameters ({}), not {got}", names.join(", ")));
        }
        let values = wanted.iter().zip(params).map(|(wanted, text)| param(text, wanted.bits));
        Ok(ActionCall { action: id, params: values.collect::<Result<_, _>>()? })
    }

    fn mirror(&self, session: &str, target: CloneTarget) -> Result<(), Refused> {
        let id = number(session)?;
        let session = CloneSession { target, max_packet_length: 0, class_of_service: 0 };
        // Adding a session again replaces it, as in the reference.
        let modified = self.switch.modify_clone_session(id, &session);
        modified.or_else(|_| self.switch.insert_clone_session(id, &session)).map_err(|error| error.to_string())
    }

    fn associate(&mut self, group: &str, node: &str, on: bool) -> Result<(), Refused> {
        let (id, node): (u32, usize) = (number(group)?, number(node)?);
        if node >= self.nodes.len() {
            return Err(format!("there is no node with handle {node}"));
        }
        let members = self.groups.get_mut(&id).ok_or_else(|| format!("there is no group {id}"))?;
        members.retain(|member| *member != node);
        if on {
            members.push(node);
        }
        let nodes: Vec<_> = members.iter().map(|member| self.nodes[*member].clone()).collect();
        self.switch.modify_multicast_group(id, &nodes).map_err(|error| error.to_string())
    }

    fn table(&self, name: &str) -> Result<TableId, Refused> {
        find("table", name, self.program().tables().map(|(id, info)| (id, info.name.as_str())))
    }

    fn program(&self) -> &'a Program {
        self.switch.program()
    }
}

/// The object that a name means: its own, or else the end of its own where only one has that.
fn find<'n, T>(what: &str, name: &str, named: impl Iterator<Item = (T, &'n str)>) -> Result<T, Refused> {
    let (mut ending, mut names) = (Vec::new(), Vec::new());
    for (object, full) in named {
        if full == name {
            return Ok(object);
        }
        names.push(full);
        if full.strip_suffix(name).is_some_and(|front| front.ends_with('.')) {
            ending.push(object);
        }
    }
    match (ending.pop(), ending.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(format!("`{name}` can be more than one {what}: give its full name")),
        (None, _) => Err(format!("there is no {what} `{name}`; there is {}", list(&names))),
    }
}

/// Rates as the reference has them: units per microsecond, and the burst.
fn rates(committed: &str, peak: &str) -> Result<MeterConfig, Refused> {
    let rate = |text: &str| {
        let (rate, burst) = text.split_once(':').ok_or("a rate is RATE:BURST")?;
        let rate: f64 = rate.parse().map_err(|_| format!("`{rate}` is not a rate"))?;
        Ok::<_, Refused>(((rate * 1e6) as u64, number(burst)?))
    };
    let ((cir, cburst), (pir, pburst)) = (rate(committed)?, rate(peak)?);
    Ok(MeterConfig { cir, cburst, pir, pburst })
}

fn usage(command: &str) -> Refused {
    let form = COMMANDS.iter().find(|form| form.split(' ').next() == Some(command));
    match form {
        Some(form) => format!("expected {form}"),
        None => {
            let names: Vec<_> = COMMANDS.iter().filter_map(|form| form.split(' ').next()).collect();
            format!("there is no such command; there is {}", list(&names))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use vouch_switch::{Match, SwitchConfig};

    fn switch() -> Switch {
        let json = include_bytes!("../../tests/programs/patch.json");
        Switch::new(Arc::new(Program::load(json).expect("p4c wrote it")), SwitchConfig::default())
    }

    fn refusal(line: &str) -> String {
        Interpreter::new(&switch()).text(line).expect_err("the line is wrong")
    }

    #[test]
    fn entries_sessions_and_groups_are_made() {
        let switch = switch();
        let text = "# a comment, and a line without a word\n\n\
                    table_add exceptions redirect 02:00:00:00:00:00&&&ff:00:00:00:00:00 0x88b5 => 7 10\n\
                    table_add PatchIngress.exceptions drop 0x0&&&0x0 2048 => 20\n\
                    table_delete exceptions 0\n\
                    mirroring_add 5 3\nmirroring_add 5 4\n\
                    mc_mgrp_create 9\nmc_node_create 1 2 3\nmc_node_create 2 4\n\
                    mc_node_associate 9 0\nmc_node_associate 9 1\nmc_node_dissociate 9 0";
        Interpreter::new(&switch).text(text).expect("all of it is right");
        let table = switch.program().tables().find(|(_, info)| info.name.ends_with("exceptions")).map(|(id, _)| id);
        let entries = switch.entries(table.expect("the table")).expect("it exists");
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].entry.key.priority, i32::MAX - 20);
        assert_eq!(entries[0].entry.key.matches[1], Match::Exact(vec![8, 0]));
        assert_eq!(switch.clone_sessions()[0].1.target, CloneTarget::Port(4));
        let nodes = vec![ReplicationNode { instance: 2, ports: vec![4] }];
        assert_eq!(switch.multicast_groups(), [(9, nodes)]);
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
        assert_eq!(refusal("mirroring_add 1"), "line 1: mirroring_add: expected mirroring_add SESSION PORT");
        assert!(
            refusal("swap_configs").starts_with("line 1: swap_configs: there is no such command; there is table_add")
        );
    }
}
