//! What of a program the packets of cases reach.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use vouch_switch::{Program, TraceEvent};

/// In how many cases tables are hit and actions run.
#[derive(Clone, Debug)]
pub struct Reach {
    program: Arc<Program>,
    cases: usize,
    /// Tables that have keys.
    tables: BTreeMap<String, usize>,
    actions: BTreeMap<String, usize>,
}

impl Reach {
    pub(super) fn of(program: &Arc<Program>) -> Self {
        let keyed = program.tables().filter(|(_, table)| !table.key.is_empty());
        let actions = program.tables().flat_map(|(_, table)| &table.actions);
        let actions = actions.filter_map(|action| program.action_info(*action));
        Self {
            program: program.clone(),
            cases: 0,
            tables: keyed.map(|(_, table)| (table.name.clone(), 0)).collect(),
            actions: actions.map(|action| (action.name.clone(), 0)).collect(),
        }
    }

    /// One more case.
    pub(super) fn add(&mut self, events: &[TraceEvent]) {
        self.cases += 1;
        let (mut hit, mut run) = (BTreeSet::new(), BTreeSet::new());
        for event in events {
            let action = match event {
                TraceEvent::Table { table, hit: found, call, .. } => {
                    let table = self.program.table_info(*table).filter(|_| found.is_some());
                    hit.extend(table.map(|table| table.name.clone()));
                    call.as_ref().map(|call| call.action)
                }
                TraceEvent::Called { action } => Some(*action),
                _ => None,
            };
            run.extend(action.and_then(|action| self.program.action_info(action)).map(|action| action.name.clone()));
        }
        for (counts, names) in [(&mut self.tables, hit), (&mut self.actions, run)] {
            for name in names {
                *counts.entry(name).or_default() += 1;
            }
        }
    }

    /// Cases in which an action ran whose name ends so.
    pub fn cases_with(&self, action: &str) -> usize {
        self.actions.iter().filter(|(name, _)| name.ends_with(action)).map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, counts) in [("tables are hit", &self.tables), ("actions run", &self.actions)] {
            let reached = counts.values().filter(|count| **count > 0).count();
            writeln!(f, "{reached} of {} {what} in {} cases:", counts.len(), self.cases)?;
            for (name, count) in counts {
                writeln!(f, "{count:6} {name}")?;
            }
        }
        Ok(())
    }
}
