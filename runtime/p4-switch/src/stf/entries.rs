//! A test's entries on a switch under test: what the rules know by position in the program, a [`Catalog`] has by name.

use vouch_p4runtime::p4::v1::TableEntry;
use vouch_p4runtime::p4info::{Table, UnknownName};
use vouch_switch::{EntryKey, OneShotMember, Program};

use super::bench::{Bench, Problem};
use super::rules::Entry;
use crate::commands::{Call, Catalog, Choice, Doing, wire};

/// An entry by the names of a catalog.
pub(super) struct Named<'c> {
    pub(super) table: &'c Table,
    pub(super) key: EntryKey,
    choices: Vec<Choice<'c>>,
}

impl<'c> Named<'c> {
    pub(super) fn new(catalog: &'c Catalog, program: &Program, entry: &Entry) -> Result<Self, Problem> {
        let unknown = |error: UnknownName| Problem::wrong(error.to_string());
        let name = program.table_info(entry.table).map_or("", |table| &table.name);
        let table = catalog.info().table(name).map_err(unknown)?;
        let mut choices = Vec::new();
        for OneShotMember { call, weight, watch_port } in &entry.calls {
            let called = program.action_info(call.action).map_or("", |action| &action.name);
            let action = table.action(called).map_err(unknown)?;
            let call = Call { action, params: call.params.clone() };
            choices.push(Choice { call, weight: *weight, watch: *watch_port });
        }
        let key = EntryKey { matches: entry.matches.clone(), priority: entry.priority };
        Ok(Self { table, key, choices })
    }

    /// What it does: in a table with an action profile, that takes a member of its own, or several that are chosen from.
    fn doing(self, catalog: &Catalog, bench: &mut dyn Bench) -> Result<Doing<'c>, Problem> {
        let profile = match catalog.profile_of(self.table) {
            None => return self.only().map(Doing::Call),
            Some(profile) if profile.with_selector => return Ok(Doing::Choices(self.choices)),
            Some(profile) => profile,
        };
        let call = self.only()?;
        let made = bench.control().member_ids(profile).and_then(|taken| {
            let free = taken.iter().max().map_or(1, |last| last.saturating_add(1));
            bench.control().insert_member(profile, free, &call)
        });
        made.map(Doing::Member).map_err(|refused| refusal(bench, refused))
    }

    fn only(self) -> Result<Call<'c>, Problem> {
        let first = self.choices.into_iter().next();
        first.map(|choice| choice.call).ok_or_else(|| Problem::wrong("an entry without an action"))
    }
}

/// Why a device has refused something.
pub(super) fn refusal(bench: &dyn Bench, refused: String) -> Problem {
    match bench.is_excused() {
        true => Problem::Unsupported(refused),
        false => Problem::Wrong(format!("the switch refuses: {refused}")),
    }
}

/// Add an entry.
///
/// # Errors
/// The switch does not take it.
pub fn insert(bench: &mut dyn Bench, program: &Program, entry: &Entry) -> Result<(), Problem> {
    let catalog = bench.catalog();
    let named = Named::new(&catalog, program, entry)?;
    let (table, key) = (named.table, named.key.clone());
    let doing = named.doing(&catalog, bench)?;
    let inserted = bench.control().insert_entry(table, &key, &doing, entry.idle_timeout.0 / 1_000, 0);
    inserted.map(drop).map_err(|refused| refusal(bench, refused))
}

/// Set what a table does on a miss.
///
/// # Errors
/// The switch does not take it.
pub fn set_default(bench: &mut dyn Bench, program: &Program, entry: &Entry) -> Result<(), Problem> {
    let catalog = bench.catalog();
    let named = Named::new(&catalog, program, entry)?;
    let table = named.table;
    let doing = named.doing(&catalog, bench)?;
    bench.control().set_default(table, Some(&doing)).map_err(|refused| refusal(bench, refused))
}

/// An entry that has an action of its own, as P4Runtime writes it.
///
/// # Errors
/// The catalog lacks the table or the action.
pub fn encode(catalog: &Catalog, program: &Program, entry: &Entry) -> Result<TableEntry, Problem> {
    let named = Named::new(catalog, program, entry)?;
    let keyed = wire::keyed(named.table, &named.key);
    Ok(TableEntry { action: Some(wire::doing(&Doing::Call(named.only()?))), ..keyed })
}
