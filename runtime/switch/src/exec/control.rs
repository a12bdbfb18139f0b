//! Runs a control: its conditionals, tables and actions.

use std::sync::atomic::Ordering::Relaxed;

use super::{Run, set};
use crate::code::{KeySource, NONE, Next, Node};
use crate::ids::{ActionId, TableId};
use crate::packet::Phv;
use crate::state::entry::{self, Call};
use crate::state::profile::{Profile, pick};
use crate::trace::TraceEvent;

impl<'a> Run<'a> {
    /// Follows the nodes from `start` until the end, an exit or a lost packet.
    pub(super) fn control(&mut self, start: Option<u32>, phv: &mut Phv) {
        let code = self.code;
        let mut node = start.unwrap_or(NONE);
        while node != NONE && !phv.meta.exit && !phv.meta.dead && self.step(phv) {
            let text = &code.node_texts[node as usize];
            node = match &code.nodes[node as usize] {
                Node::Table(table) => self.apply(*table, phv),
                Node::If { condition, yes, no } => {
                    let result = self.env(phv, &[]).is_true(*condition);
                    self.trace(|| TraceEvent::Condition { text: text.clone(), result });
                    if result { *yes } else { *no }
                }
                Node::Call { action, next } => {
                    self.trace(|| TraceEvent::Called { action: ActionId(*action) });
                    self.action(*action, &[], phv);
                    *next
                }
            };
        }
    }

    /// Applies a table; gives the node that follows.
    fn apply(&mut self, index: u32, phv: &mut Phv) -> u32 {
        let tables = self.tables;
        let state = &tables.tables[index as usize];
        let (program, code) = (self.program, self.code);
        let (info, code) = (&program.tables[index as usize], &code.tables[index as usize]);
        let hit = if code.key.is_empty() {
            None
        } else {
            self.key(index, phv);
            state.lookup(&self.scratch.key)
        };
        let run = match hit {
            Some(entry) => {
                if info.direct_counter {
                    entry.counter.add(phv.meta.ingress_length);
                }
                if info.idle_timeout {
                    entry.last_hit.store(self.now.0, Relaxed);
                }
                if let Some(unit) = info.direct_meter {
                    let color = entry.meter.execute(unit, phv.meta.ingress_length, self.now);
                    set(phv, code.meter_target, color as u64);
                }
                Some(&entry.run)
            }
            None => state.default.as_ref().map(|default| &default.run),
        };
        let call = run.and_then(|run| self.resolve(index, run, phv));
        self.trace_table(index, hit, call);
        if let Some(call) = call {
            self.action(call.action, &call.params, phv);
        }
        match &code.next {
            Next::HitMiss { hit: yes, miss } => {
                if hit.is_some() {
                    *yes
                } else {
                    *miss
                }
            }
            Next::ByAction { actions, none } => match call {
                Some(call) => {
                    actions.iter().find(|(action, _)| *action == call.action).map_or(*none, |(_, next)| *next)
                }
                None if hit.is_some() => actions.first().map_or(*none, |(_, next)| *next),
                None => *none,
            },
        }
    }

    /// Packs the table's key into the scratch.
    fn key(&mut self, index: u32, phv: &Phv) {
        let key = &mut self.scratch.key;
        key.clear();
        for part in &self.code.tables[index as usize].key {
            match part.source {
                KeySource::Field { field, header } => {
                    if header == NONE || phv.valid[header as usize] {
                        key.extend_from_slice(&phv.slots[field.range()]);
                    } else {
                        key.resize(key.len() + field.limbs(), 0);
                    }
                }
                KeySource::Valid(header) => key.push(u64::from(phv.valid[header as usize])),
            }
            if let Some(mask) = &part.mask {
                for (limb, mask) in key[part.limb as usize..].iter_mut().zip(mask) {
                    *limb &= mask;
                }
            }
        }
    }

    /// The action that an entry or default comes down to; none for a group without live members.
    fn resolve(&mut self, table: u32, run: &'a entry::Run, phv: &Phv) -> Option<&'a Call> {
        match run {
            entry::Run::Call(call) => Some(call),
            entry::Run::Member(_) | entry::Run::Group(_) | entry::Run::OneShot(_) => self.indirect(table, run, phv),
        }
    }

    fn indirect(&mut self, table: u32, run: &'a entry::Run, phv: &Phv) -> Option<&'a Call> {
        let tables = self.tables;
        let id = self.program.tables[table as usize].profile?;
        let profile: &'a Profile = &tables.profiles[id.index()];
        let code = self.code;
        let mut hash = || match &code.selectors[id.index()] {
            Some(selector) => self.calculate(selector, phv),
            None => 0,
        };
        match run {
            entry::Run::Call(call) => Some(call),
            entry::Run::Member(member) => profile.member(*member),
            entry::Run::Group(group) => profile.choose(*group, &tables.down, hash),
            entry::Run::OneShot(shares) => {
                let up =
                    || shares.iter().filter(|share| share.watch_port.is_none_or(|port| !tables.down.contains(&port)));
                let chosen = pick(up().map(|share| share.weight), &mut hash)?;
                up().nth(chosen).map(|share| &share.call)
            }
        }
    }

    fn trace_table(&mut self, index: u32, hit: Option<&entry::Entry>, call: Option<&Call>) {
        let key = if self.code.tables[index as usize].key.is_empty() || self.scratch.trace.is_none() {
            Vec::new()
        } else {
            self.scratch.key.clone()
        };
        let program = self.program;
        self.trace(|| TraceEvent::Table {
            table: TableId(index),
            key,
            hit: hit.map(|entry| entry.key.clone()),
            call: call.map(|call| entry::written(program, call.action, &call.params)),
        });
    }
}
