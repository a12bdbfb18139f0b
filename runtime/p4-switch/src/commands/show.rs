//! What a switch has, in the reference's form: scripts read it.

use std::fmt::Write;

use num_bigint::BigUint;
use vouch_p4runtime::p4::v1::table_action::Type;
use vouch_p4runtime::p4::v1::{Action as WireAction, ActionProfileGroup, ActionProfileMember, TableAction, TableEntry};
use vouch_p4runtime::p4info::{Action, ActionProfile, MatchField, MatchKind, Register, Table};
use vouch_p4runtime::value::ones;
use vouch_switch::{EntryKey, Match};

use super::catalog::{Catalog, actions_of, value_bits};
use super::command::{Cells, Show};
use super::device::Target;
use super::interpreter::{Interpreter, direct};
use super::values::{digits, list, shown_priority};
use super::{Refused, wire};

/// Between parts, and between items.
const PART: &str = "==========\n";
const ITEM: &str = "**********\n";

impl<D: Target> Interpreter<D> {
    /// What is asked for, as lines.
    ///
    /// # Errors
    /// There is no such thing, or the switch does not tell.
    pub fn show(&mut self, catalog: &Catalog, show: &Show<'_>) -> Result<String, Refused> {
        let mut text = String::new();
        let out = &mut text;
        match show {
            Show::Tables => {
                let mut tables: Vec<&Table> = catalog.info().tables().collect();
                tables.sort_by(|a, b| a.name.cmp(&b.name));
                tables.into_iter().for_each(|table| line(out, table_line(catalog, table)));
            }
            Show::Actions => catalog.actions().into_iter().for_each(|action| line(out, action_line(action))),
            Show::TableInfo { table } => {
                line(out, table_line(catalog, table));
                line(out, "*".repeat(80));
                sorted(table).into_iter().for_each(|action| line(out, action_line(action)));
            }
            Show::TableActions { table } => {
                sorted(table).into_iter().for_each(|action| line(out, action_line(action)));
            }
            Show::EntryCount { table } => {
                line(out, self.device.entries(table)?.len());
            }
            Show::Entries { table } => self.entries(catalog, table, out)?,
            Show::Entry { table, handle } => {
                let key = self.key(table, *handle)?;
                let entry = self.device.entry(table, &key)?;
                self.entry(table, &entry, out)?;
            }
            Show::EntryOfKey { table, key } => {
                let entry = self.device.entry(table, key)?;
                self.entry(table, &entry, out)?;
            }
            Show::Profile { profile } => self.profile(catalog, profile, out)?,
            Show::Member { profile, member } => {
                let members = self.device.members(profile)?;
                let found = members.iter().find(|found| found.member_id == *member);
                let none = || format!("there is no member with handle {}", member - 1);
                member_lines(&catalog.profile_actions(profile), found.ok_or_else(none)?, out);
            }
            Show::Group { profile, group } => {
                let groups = self.device.groups(profile)?;
                let found = groups.iter().find(|found| found.group_id == *group);
                group_lines(found.ok_or_else(|| format!("there is no group with handle {}", group - 1))?, out);
            }
            Show::Mirror { session } => {
                let clones = self.device.clones(*session)?.ok_or_else(|| format!("there is no session {session}"))?;
                let group = clones.group.map(|group| format!("multicast group {group}"));
                let ports = clones.copies.iter().map(|copy| match clones.group {
                    // It has the number of the group's last copy.
                    Some(_) => format!("port {}", copy.port),
                    None => format!("port {} (rid {})", copy.port, copy.instance),
                });
                let copies: Vec<String> = group.into_iter().chain(ports).collect();
                let copies: Vec<&str> = copies.iter().map(String::as_str).collect();
                line(out, format!("session {session} -> {}", list(&copies)));
            }
            Show::Multicast => self.multicast_lines(out)?,
            Show::Counter { counter, index } => {
                let data = match direct(catalog, counter.table) {
                    Some(table) => {
                        let key = self.cell_key(table, *index)?;
                        self.device.entry_counter(table, &key)?
                    }
                    None => self.device.counter(counter, *index)?,
                };
                line(out, format!("{}[{index}]= ({} bytes, {} packets)", counter.name, data.bytes, data.packets));
            }
            Show::Register { register, cells } => self.register(register, *cells, out)?,
            Show::Meter { meter, index } => {
                let rates = match direct(catalog, meter.table) {
                    Some(table) => {
                        let key = self.cell_key(table, *index)?;
                        self.device.entry_meter(table, &key)?
                    }
                    None => self.device.meter(meter, *index)?,
                };
                match rates {
                    None => line(out, "no rates are set: everything is green"),
                    Some(rates) => {
                        for (number, rate, burst) in [(0, rates.cir, rates.cburst), (1, rates.pir, rates.pburst)] {
                            line(out, format!("{number}: info rate = {:?}, burst size = {burst}", rate as f64 / 1e6));
                        }
                    }
                }
            }
            Show::Ports => {
                for state in self.device.ports()? {
                    let up = if state.up { "UP" } else { "DOWN" };
                    line(out, format!("{:>6} {up:4} {}", state.port, state.interface).trim_end());
                }
            }
            Show::ValueSets => {
                let mut sets: Vec<_> = catalog.info().value_sets().collect();
                sets.sort_by(|a, b| a.name.cmp(&b.name));
                sets.into_iter().for_each(|set| line(out, format!("{:30} [{} bits]", set.name, value_bits(set))));
            }
            Show::ValueSet { set } => {
                for value in self.device.value_set(set)? {
                    line(out, digits(&value, value_bits(set)));
                }
            }
        }
        Ok(text)
    }

    fn cell_key(&mut self, table: &Table, handle: u64) -> Result<EntryKey, Refused> {
        let none = || format!("the table has no entry with handle {handle}");
        self.key(table, u32::try_from(handle).map_err(|_| none())?)
    }

    fn entries(&mut self, catalog: &Catalog, table: &Table, out: &mut String) -> Result<(), Refused> {
        self.look(table)?;
        let mut entries = Vec::new();
        for entry in self.device.entries(table)? {
            entries.push((self.handle(table, &wire::key(table, &entry))?, entry));
        }
        entries.sort_by_key(|(handle, _)| *handle);
        out.push_str(PART);
        line(out, "TABLE ENTRIES");
        for (handle, entry) in entries {
            out.push_str(ITEM);
            entry_lines(table, handle, &entry, out);
        }
        if let Some(profile) = catalog.profile_of(table) {
            self.profile(catalog, profile, out)?;
        }
        let default = self.device.default_entry(table)?;
        out.push_str(PART);
        line(out, "Dumping default entry");
        line(out, action_text(&actions_of(table).collect::<Vec<_>>(), default.and_then(|entry| entry.action).as_ref()));
        out.push_str(PART);
        Ok(())
    }

    fn entry(&mut self, table: &Table, entry: &TableEntry, out: &mut String) -> Result<(), Refused> {
        let handle = self.handle(table, &wire::key(table, entry))?;
        entry_lines(table, handle, entry, out);
        Ok(())
    }

    fn profile(&mut self, catalog: &Catalog, profile: &ActionProfile, out: &mut String) -> Result<(), Refused> {
        out.push_str(PART);
        line(out, "MEMBERS");
        let actions = catalog.profile_actions(profile);
        for member in self.device.members(profile)? {
            out.push_str(ITEM);
            member_lines(&actions, &member, out);
        }
        if profile.with_selector {
            out.push_str(PART);
            line(out, "GROUPS");
            for group in self.device.groups(profile)? {
                out.push_str(ITEM);
                group_lines(&group, out);
            }
        }
        Ok(())
    }

    fn register(&mut self, register: &Register, cells: Cells, out: &mut String) -> Result<(), Refused> {
        let name = &register.name;
        let shown = |value: &[u8]| BigUint::from_bytes_be(value).to_string();
        match cells {
            Cells::One(index) => {
                let found = self.device.register(register, Some(index))?;
                let (_, value) = found.first().ok_or_else(|| "the switch has no such cell".to_owned())?;
                line(out, format!("{name}[{index}]= {}", shown(value)));
            }
            Cells::All => {
                let found = self.device.register(register, None)?;
                let values: Vec<String> = found.iter().map(|(_, value)| shown(value)).collect();
                line(out, format!("{name}= {}", values.join(", ")));
            }
        }
        Ok(())
    }

    fn multicast_lines(&mut self, out: &mut String) -> Result<(), Refused> {
        let numbers = |numbers: &[u16]| numbers.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        let groups = self.groups()?;
        out.push_str(PART);
        line(out, "MC ENTRIES");
        for (group, nodes) in groups {
            out.push_str(ITEM);
            line(out, format!("mgrp({group})"));
            for (handle, node) in nodes {
                let (ports, instance) = (numbers(&node.copies.ports), node.copies.instance);
                let lags =
                    if node.lags.is_empty() { String::new() } else { format!(", lags=[{}]", numbers(&node.lags)) };
                line(out, format!("  -> (L1h={handle}, rid={instance}) -> (ports=[{ports}]{lags})"));
            }
        }
        out.push_str(PART);
        Ok(())
    }
}

fn line(out: &mut String, text: impl std::fmt::Display) {
    writeln!(out, "{text}").expect("writing to a String cannot fail");
}

fn sorted(table: &Table) -> Vec<&Action> {
    let mut actions: Vec<&Action> = actions_of(table).collect();
    actions.sort_by(|a, b| a.name.cmp(&b.name));
    actions
}

fn table_line(catalog: &Catalog, table: &Table) -> String {
    let profile = catalog.profile_of(table).map_or("None", |it| &it.name);
    let key: Vec<String> =
        table.fields.iter().map(|field| format!("{}({}, {})", field.name, field.kind, field.width)).collect();
    format!("{:30} [implementation={profile}, mk={}]", table.name, key.join(",\t"))
}

fn action_line(action: &Action) -> String {
    let params: Vec<String> = action.params.iter().map(|param| format!("{}({})", param.name, param.width)).collect();
    format!("{:30} [{}]", action.name, params.join(",\t"))
}

fn entry_lines(table: &Table, handle: u32, entry: &TableEntry, out: &mut String) {
    let key = wire::key(table, entry);
    line(out, format!("Dumping entry {handle:#x}"));
    line(out, "Match key:");
    let width = table.fields.iter().map(|field| field.name.len()).max().unwrap_or(0).max(20);
    for (field, wanted) in table.fields.iter().zip(&key.matches) {
        let kind = field.kind.to_string().to_uppercase();
        line(out, format!("* {:width$}: {kind:10}{}", field.name, match_text(field, wanted)));
    }
    if table.needs_priority() {
        line(out, format!("Priority: {}", shown_priority(entry.priority)));
    }
    line(out, action_text(&actions_of(table).collect::<Vec<_>>(), entry.action.as_ref()));
    if entry.idle_timeout_ns > 0 {
        line(out, format!("Timeout: {} ms", entry.idle_timeout_ns / 1_000_000));
    }
}

fn match_text(field: &MatchField, wanted: &Match) -> String {
    let number = |value: &[u8]| digits(value, field.width);
    match (wanted, &field.kind) {
        (Match::Exact(value), _) => number(value),
        (Match::Lpm { value, prefix_len }, _) => format!("{}/{prefix_len}", number(value)),
        (Match::Ternary { value, mask }, _) if field.width > 0 => format!("{} &&& {}", number(value), number(mask)),
        (Match::Ternary { value, .. }, _) => number(value),
        (Match::Range { low, high }, _) => format!("{} -> {}", number(low), number(high)),
        (Match::Valid(valid), _) => if *valid { "01" } else { "00" }.to_owned(),
        (Match::Any, MatchKind::Lpm) => format!("{}/0", number(&[0])),
        (Match::Any, MatchKind::Range) => format!("{} -> {}", number(&[0]), number(&ones(field.width))),
        (Match::Any, MatchKind::Ternary | MatchKind::Optional) if field.width > 0 => {
            format!("{} &&& {}", number(&[0]), number(&[0]))
        }
        (Match::Any, _) => "anything".to_owned(),
    }
}

/// What an entry does.
fn action_text(actions: &[&Action], action: Option<&TableAction>) -> String {
    match action.and_then(|action| action.r#type.as_ref()) {
        None => "EMPTY".to_owned(),
        Some(Type::Action(action)) => call_text(actions, action),
        Some(Type::ActionProfileMemberId(id)) => format!("Index: member({})", id.saturating_sub(1)),
        Some(Type::ActionProfileGroupId(id)) => format!("Index: group({})", id.saturating_sub(1)),
        Some(Type::ActionProfileActionSet(set)) => {
            let calls = set
                .action_profile_actions
                .iter()
                .filter_map(|it| Some(format!("{} (weight {})", call_text(actions, it.action.as_ref()?), it.weight)));
            format!("Actions of its own: {}", calls.collect::<Vec<_>>().join("; "))
        }
    }
}

fn call_text(actions: &[&Action], call: &WireAction) -> String {
    let Some(action) = actions.iter().find(|action| action.id == call.action_id) else {
        return format!("Action entry: {:#010x}", call.action_id);
    };
    let value = |id: u32| call.params.iter().find(|param| param.param_id == id).map(|param| param.value.as_slice());
    let params = action.params.iter().map(|param| digits(value(param.id).unwrap_or_default(), param.width));
    format!("Action entry: {} - {}", action.name, params.collect::<Vec<_>>().join(", "))
}

fn member_lines(actions: &[&Action], member: &ActionProfileMember, out: &mut String) {
    line(out, format!("Dumping member {}", member.member_id.saturating_sub(1)));
    line(out, member.action.as_ref().map_or_else(|| "EMPTY".to_owned(), |call| call_text(actions, call)));
}

fn group_lines(group: &ActionProfileGroup, out: &mut String) {
    let members: Vec<String> =
        group.members.iter().map(|member| member.member_id.saturating_sub(1).to_string()).collect();
    line(out, format!("Dumping group {}", group.group_id.saturating_sub(1)));
    line(out, format!("Members: [{}]", members.join(", ")));
}
