//! Runs a control: its conditionals, tables and actions.

use std::sync::atomic::Ordering::Relaxed;

use super::{Run, set};
use crate::code::{KeySource, NONE, Next, Node, TableKey};
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
            node = match &code.nodes[node as usize] {
                Node::Table(table) => self.apply(*table, phv),
                Node::If { condition, yes, no } => {
                    let result = self.env(phv, &[]).holds(*condition);
                    self.trace(|| TraceEvent::Condition { result });
                    if result { *yes } else { *no }
                }
                Node::Call { action, next } => {
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
            let key = &mut self.scratch.key[..code.layout.words];
            code.layout.pack(phv, key);
            state.lookup(key)
        };
        let run = match hit {
            Some(entry) => {
                if info.direct_counter {
                    entry.cells.counter.add(phv.meta.ingress_length);
                }
                if info.idle_timeout {
                    entry.cells.last_hit.store(self.now.0, Relaxed);
                }
                if let Some(unit) = info.direct_meter {
                    let color = entry.cells.meter.execute(unit, phv.meta.ingress_length, self.now);
                    set(phv, code.meter_target, color as u64);
                }
                Some(&entry.run)
            }
            None => state.default.as_ref().map(|default| &default.run),
        };
        let call = run.and_then(|run| self.resolve(index, run, phv));
        self.trace_table(index, hit, call, phv);
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

    fn trace_table(&mut self, index: u32, hit: Option<&entry::Entry>, call: Option<&Call>, phv: &Phv) {
        let code = self.code;
        self.trace(|| TraceEvent::Table {
            table: TableId(index),
            key: code.tables[index as usize].key.iter().flat_map(|part| part.limbs(phv)).collect(),
            hit: hit.map(|entry| entry.key.clone()),
            action: call.map(|call| ActionId(call.action)),
        });
    }
}

impl TableKey {
    /// The value of this part, least significant limb first.
    fn limbs(&self, phv: &Phv) -> Vec<u64> {
        let mut limbs = match self.source {
            KeySource::Field { field, header } if header == NONE || phv.valid[header as usize] => {
                phv.slots[field.range()].to_vec()
            }
            KeySource::Field { field, .. } => vec![0; field.limbs()],
            KeySource::Valid(header) => vec![u64::from(phv.valid[header as usize])],
        };
        for (limb, mask) in limbs.iter_mut().zip(self.mask.iter().flatten()) {
            *limb &= mask;
        }
        limbs
    }
}
