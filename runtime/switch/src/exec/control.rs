//! Runs a control: its conditionals, tables and actions.

use std::sync::atomic::Ordering::Relaxed;

use super::{Run, set};
use crate::code::{KeySource, NONE, Node, TableKey};
use crate::ids::{ActionId, TableId};
use crate::packet::Phv;
use crate::state::arrays::Meter;
use crate::state::entry::{self, Call};
use crate::state::profile::{Profile, pick};
use crate::trace::TraceEvent;
use crate::types::{MeterUnit, Selection};

impl<'a, const TRACE: bool> Run<'a, TRACE> {
    /// Follows the nodes from `start` until the end, an exit or a lost packet.
    pub(super) fn control(&mut self, start: Option<u32>, phv: &mut Phv) {
        let code = self.code;
        let mut at = start.filter(|_| !phv.meta.exit && !phv.meta.dead).unwrap_or(NONE);
        // Kept here from one node to the next, since most take no other step.
        let mut steps = self.steps;
        while let Some(node) = code.nodes.get(at as usize) {
            let Some(left) = steps.checked_sub(1) else {
                self.steps = 0;
                return self.too_long(phv);
            };
            steps = left;
            at = match node {
                Node::Test { test, not, yes, no } => {
                    let result = test.holds(phv) != *not;
                    self.trace_condition(at, result);
                    at = if result { *yes } else { *no };
                    continue;
                }
                Node::If { condition, yes, no } => {
                    let result = self.holds(*condition, &[], phv);
                    self.trace_condition(at, result);
                    at = if result { *yes } else { *no };
                    continue;
                }
                Node::Table(table) => {
                    self.steps = steps;
                    self.apply(*table, phv)
                }
                Node::Fixed { table, call, next } => {
                    self.steps = steps;
                    self.trace_table(*table, None, Some((call.action, &call.params)), phv);
                    self.action(call.action, &call.params, phv);
                    *next
                }
                Node::Call { action, next } => {
                    self.steps = steps;
                    self.trace(|| TraceEvent::Called { action: ActionId(*action) });
                    self.action(*action, &[], phv);
                    *next
                }
            };
            steps = self.steps;
            if phv.meta.exit || phv.meta.dead {
                return;
            }
        }
        self.steps = steps;
    }

    /// Applies a table; gives the node that follows.
    fn apply(&mut self, index: u32, phv: &mut Phv) -> u32 {
        let tables = self.tables;
        let state = &tables.tables[index as usize];
        let code = &self.code.tables[index as usize];
        let hit = if code.key.is_empty() {
            None
        } else {
            let key = &mut self.scratch.key[..code.layout.words];
            code.layout.pack(phv, key);
            state.lookup(key)
        };
        let effect = match hit {
            Some(entry) => {
                if code.observed {
                    self.observe(index, &entry.cells, phv);
                }
                Some(&entry.effect)
            }
            None => {
                if code.observed {
                    self.observe_miss(index, &state.missed, phv);
                }
                state.default.as_ref().map(|default| &default.effect)
            }
        };
        let call = effect.and_then(|effect| self.resolve(index, effect, phv));
        self.trace_table(index, hit, call.map(|call| (call.action, &*call.params)), phv);
        if let Some(call) = call {
            self.action(call.action, &call.params, phv);
        }
        code.next.after(hit.is_some(), call.map(|call| call.action))
    }

    /// Counts and measures a hit, and notes when it was.
    fn observe(&mut self, index: u32, cells: &entry::Cells, phv: &mut Phv) {
        let info = &self.program.tables[index as usize];
        if info.direct_counter {
            cells.counter.add(phv.meta.ingress_length);
        }
        if info.idle_timeout {
            cells.last_hit.store(self.now.0, Relaxed);
        }
        if let (Some(unit), Some(meter)) = (info.direct_meter, &cells.meter) {
            self.measure(index, meter, unit, phv);
        }
    }

    /// The same for the default entry, which P4Runtime takes for an entry like others. v1model only knows hits: without
    /// rates, which only a controller can give, the field for the colour stays as it is.
    fn observe_miss(&mut self, index: u32, cells: &entry::Cells, phv: &mut Phv) {
        let info = &self.program.tables[index as usize];
        if info.direct_counter {
            cells.counter.add(phv.meta.ingress_length);
        }
        if let (Some(unit), Some(meter)) = (info.direct_meter, &cells.meter)
            && meter.config().is_some()
        {
            self.measure(index, meter, unit, phv);
        }
    }

    fn measure(&mut self, index: u32, meter: &Meter, unit: MeterUnit, phv: &mut Phv) {
        let color = meter.execute(unit, phv.meta.ingress_length, self.now);
        set(phv, self.code.tables[index as usize].meter_target, color as u64);
    }

    /// The action that an entry or default comes down to; none for a group without live members.
    fn resolve(&mut self, table: u32, effect: &'a entry::Effect, phv: &Phv) -> Option<&'a Call> {
        match effect {
            entry::Effect::Call(call) => Some(call),
            entry::Effect::Member(_) | entry::Effect::Group(_) | entry::Effect::OneShot(..) => {
                self.indirect(table, effect, phv)
            }
        }
    }

    fn indirect(&mut self, table: u32, effect: &'a entry::Effect, phv: &Phv) -> Option<&'a Call> {
        let tables = self.tables;
        let id = self.program.tables[table as usize].profile?;
        let profile: &'a Profile = &tables.profiles[id.index()];
        let code = self.code;
        let mut draw = |selection| match (selection, &code.selectors[id.index()]) {
            (Selection::Hash, Some(selector)) => self.calculate(selector, phv),
            (Selection::Hash, None) => 0,
            (Selection::Random, _) => self.random(0, u64::MAX),
        };
        match effect {
            entry::Effect::Call(call) => Some(call),
            entry::Effect::Member(member) => profile.member(*member),
            entry::Effect::Group(group) => profile.choose(*group, &tables.down, || draw(Selection::Hash)),
            entry::Effect::OneShot(shares, selection) => {
                let up =
                    || shares.iter().filter(|share| share.watch_port.is_none_or(|port| !tables.down.contains(&port)));
                let chosen = pick(up().map(|share| share.weight), || draw(*selection))?;
                up().nth(chosen).map(|share| &share.call)
            }
        }
    }

    #[inline]
    fn trace_condition(&mut self, node: u32, result: bool) {
        let code = self.code;
        self.trace(|| {
            let (name, text) = code.node_texts[node as usize].clone();
            TraceEvent::Condition { name, text, result }
        });
    }

    /// Notes what ran of a table, an action with its parameters.
    #[inline]
    fn trace_table(&mut self, index: u32, hit: Option<&entry::Entry>, call: Option<(u32, &[u64])>, phv: &Phv) {
        let (program, code) = (self.program, self.code);
        self.trace(|| TraceEvent::Table {
            table: TableId(index),
            key: code.tables[index as usize].key.iter().flat_map(|part| part.limbs(phv)).collect(),
            hit: hit.map(|entry| entry.key(program, index as usize)),
            call: call.map(|(action, params)| entry::written(program, action, params)),
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
