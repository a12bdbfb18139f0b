//! Plays one test on a switch and compares what came out with what the test expects.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use num_bigint::BigUint;
use vouch_p4runtime::p4info::Table;
use vouch_switch::{CounterData, EntryKey, MeterConfig, Micros, Port, ReplicationNode};

use super::bench::{Bench, Problem};
use super::entries::{Named, insert, refusal, set_default};
use super::names;
use super::report::{Failure, Outcome};
use super::rules::{self, Entry, Rules};
use super::statement::{Cell, Check, Command, MirrorTo, Pattern, Rate, Statement, Unit};
use crate::commands::{Catalog, Device};

/// Bytes of a frame check sequence.
const FCS: usize = 4;

/// What a test leaves open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Overlook frames out of ports that the test does not name, unless it says `no_packet`.
    pub named_ports_only: bool,
    /// Frames travel with four bytes more at their end, which tests do not write down. A Tofino parser takes the frame check
    /// sequence for data, so that a frame that ends in a header can still pass for a longer one.
    pub frame_check_sequence: bool,
}

/// Plays tests of one program.
#[derive(Clone, Debug)]
pub struct Player {
    rules: Rules,
    options: Options,
}

/// What a test has said so far.
#[derive(Default)]
struct Progress {
    expected: BTreeMap<u16, VecDeque<(usize, Pattern)>>,
    named_ports: BTreeSet<u16>,
    no_packet: bool,
    labels: HashMap<String, Entry>,
    /// The entries that were added, in order.
    added: Vec<Entry>,
    nodes: Vec<ReplicationNode>,
    groups: BTreeMap<u32, Vec<usize>>,
    /// The clone sessions that copy to groups, with the lengths of their copies.
    mirrors: BTreeMap<u16, (u32, Option<u16>)>,
}

impl Player {
    /// A player of tests of this program.
    pub fn new(rules: Rules, options: Options) -> Self {
        Self { rules, options }
    }

    /// Play a test from a fresh start.
    pub fn play(&self, test: &[Statement], bench: &mut dyn Bench) -> Outcome {
        match self.attempt(test, bench) {
            Ok(failures) if failures.is_empty() => Outcome::Passed,
            Ok(failures) => Outcome::Failed(failures),
            Err(problem) => Outcome::NotRun(problem.to_string()),
        }
    }

    fn attempt(&self, test: &[Statement], bench: &mut dyn Bench) -> Result<Vec<Failure>, Problem> {
        let mut progress = Progress::default();
        let mut failures = Vec::new();
        bench.reset()?;
        for Statement { line, command } in test {
            match self.step(*line, command, &mut progress, bench) {
                Ok(()) => {}
                Err(Problem::Wrong(problem)) => failures.push(Failure::Statement { line: *line, problem }),
                Err(Problem::Unsupported(problem)) => {
                    return Err(Problem::Unsupported(format!("line {line}: {problem}")));
                }
            }
        }
        let frames = bench.received()?;
        failures.extend(self.compare(progress, frames));
        Ok(failures)
    }

    fn step(
        &self,
        line: usize,
        command: &Command,
        progress: &mut Progress,
        bench: &mut dyn Bench,
    ) -> Result<(), Problem> {
        match command {
            Command::Add { table, priority, keys, calls, timeout, label } => {
                let mut entry = self.rules.entry(table, *priority, keys, calls)?;
                entry.idle_timeout = Micros(u64::from(timeout.unwrap_or(0)) * 1_000);
                insert(bench, self.rules.program(), &entry)?;
                if let Some(label) = label {
                    progress.labels.insert(label.clone(), entry.clone());
                }
                progress.added.push(entry);
                Ok(())
            }
            Command::SetDefault { table, call } => {
                set_default(bench, self.rules.program(), &self.rules.default(table, call)?)
            }
            Command::RemoveAll => std::mem::take(&mut progress.added).iter().try_for_each(|entry| {
                self.with_entry(bench, entry, |control, table, key| control.delete_entry(table, key))
            }),
            Command::Packet { port, frame } => {
                progress.named_ports.insert(*port);
                let mut frame = frame.clone();
                if self.options.frame_check_sequence {
                    frame.extend([0; FCS]);
                }
                bench.send(*port, &frame)
            }
            Command::Expect { port, pattern } => {
                progress.named_ports.insert(*port);
                progress.expected.entry(*port).or_default().push_back((line, pattern.clone()));
                Ok(())
            }
            Command::NoPacket => {
                progress.no_packet = true;
                Ok(())
            }
            Command::Wait => bench.wait(),
            Command::CheckCounter { counter, cell, check } => {
                let data = match cell {
                    Cell::Index(index) => self.read_counter(bench, counter, *index)?,
                    Cell::Label(label) => {
                        let entry = progress.labelled(label)?;
                        self.with_entry(bench, entry, |control, table, key| control.entry_counter(table, key))?
                    }
                };
                check.map_or(Ok(()), |check| holds(check, data))
            }
            Command::CounterRead { counter, index } => self.read_counter(bench, counter, *index).map(drop),
            Command::CounterWrite { counter, index, packets, bytes } => {
                let data = CounterData { packets: *packets, bytes: *bytes };
                let name = self.counter(counter)?;
                control(bench, |catalog, control| control.set_counter(catalog.counter(&name)?, cells(*index), data))
            }
            Command::RegisterRead { register, .. } => self.register(register).map(drop),
            Command::RegisterWrite { register, index, value } => {
                let (name, bits) = self.register(register)?;
                let value = rules::bytes(value, bits).map_err(Problem::Wrong)?;
                control(bench, |catalog, control| control.set_register(catalog.register(&name)?, cells(*index), &value))
            }
            Command::RegisterReset { register } => {
                let (name, _) = self.register(register)?;
                control(bench, |catalog, control| {
                    let register = catalog.register(&name)?;
                    control.set_register(register, 0..register.size, &[0])
                })
            }
            Command::ValueSet { set, members } => {
                let sets: Vec<_> = self.rules.program().value_sets().map(|(_, info)| info).collect();
                let info = sets[names::find("value set", set, sets.iter().map(|info| info.name.as_str()))?];
                let members: Result<Vec<_>, _> = members.iter().map(|member| rules::bytes(member, info.bits)).collect();
                let members = members.map_err(Problem::Wrong)?;
                control(bench, |catalog, control| control.set_value_set(catalog.value_set(&info.name)?, &members))
            }
            Command::Digest { digest, values } => {
                let digests: Vec<_> = self.rules.program().digests().map(|(_, info)| info).collect();
                let info = digests[names::find("digest", digest, digests.iter().map(|info| info.name.as_str()))?];
                match bench.digest(&info.name)? {
                    Some(got) if got == *values => Ok(()),
                    Some(got) => Err(Problem::wrong(format!(
                        "the digest `{digest}` has the values {}; expected {}",
                        shown(&got),
                        shown(values)
                    ))),
                    None => Err(Problem::wrong(format!("no digest `{digest}`; expected {}", shown(values)))),
                }
            }
            Command::EntryMeterWrite { label, rates } => {
                let (entry, rates) = (progress.labelled(label)?, meter_config(rates));
                self.with_entry(bench, entry, |control, table, key| {
                    control.set_entry_meters(table, std::slice::from_ref(key), rates)
                })
            }
            Command::MeterRead { meter, .. } => self.meter(meter).map(drop),
            Command::MeterWrite { meter, index, rates } => {
                let (name, rates) = (self.meter(meter)?, meter_config(rates));
                control(bench, |catalog, control| {
                    let meter = catalog.meter(&name)?;
                    control.set_meter(meter, index.map_or(0..meter.size, cells), rates)
                })
            }
            Command::Idle { label } => {
                let entry = progress.labelled(label)?;
                let catalog = bench.catalog();
                let named = Named::new(&catalog, self.rules.program(), entry)?;
                match bench.idle(named.table, &named.key, entry.idle_timeout)? {
                    true => Ok(()),
                    false => Err(Problem::wrong(format!("the switch does not tell that `{label}` is idle"))),
                }
            }
            Command::SetPort { port, up } => bench.set_port(*port, *up),
            Command::Mirror { session, to: None, .. } => {
                progress.mirrors.remove(session);
                control(bench, |_, control| control.delete_session(*session))
            }
            Command::Mirror { session, to: Some(MirrorTo::Port(port)), length } => {
                progress.mirrors.remove(session);
                let nodes = [ReplicationNode { instance: 0, ports: vec![*port] }];
                control(bench, |_, control| control.set_session(*session, &nodes, *length))
            }
            Command::Mirror { session, to: Some(MirrorTo::Group(group)), length } => {
                let no_group = || Problem::wrong("a clone session to a group that does not exist");
                let nodes = progress.nodes_of(*group).ok_or_else(no_group)?;
                progress.mirrors.insert(*session, (*group, *length));
                control(bench, |_, control| control.set_session(*session, &nodes, *length))
            }
            // What p4c's runner would print is for people.
            Command::MirrorRead { .. } => Ok(()),
            Command::GroupCreate { group } => {
                progress.groups.insert(*group, Vec::new());
                control(bench, |_, control| control.insert_multicast(*group))
            }
            Command::NodeCreate { instance, ports } => {
                let ports: Vec<Port> = ports.clone();
                progress.nodes.push(ReplicationNode { instance: *instance, ports });
                Ok(())
            }
            Command::NodeUpdate { node, ports } => {
                let found = progress.nodes.get_mut(*node).ok_or_else(|| no_node(*node))?;
                found.ports.clone_from(ports);
                let with_it = progress.groups.iter().filter(|(_, nodes)| nodes.contains(node));
                with_it.map(|(group, _)| *group).try_for_each(|group| progress.write_group(group, bench))
            }
            Command::NodeAssociate { group, node } => {
                if *node >= progress.nodes.len() {
                    return Err(no_node(*node));
                }
                let nodes = progress.groups.get_mut(group);
                nodes.ok_or_else(|| Problem::wrong(format!("no multicast group {group}")))?.push(*node);
                progress.write_group(*group, bench)
            }
        }
    }

    /// Ask something of an entry.
    fn with_entry<T>(
        &self,
        bench: &mut dyn Bench,
        entry: &Entry,
        ask: impl FnOnce(&mut dyn Device, &Table, &EntryKey) -> Result<T, String>,
    ) -> Result<T, Problem> {
        let catalog = bench.catalog();
        let Named { table, key, .. } = Named::new(&catalog, self.rules.program(), entry)?;
        ask(bench.control(), table, &key).map_err(|refused| refusal(bench, refused))
    }

    fn read_counter(&self, bench: &mut dyn Bench, name: &str, index: u64) -> Result<CounterData, Problem> {
        let name = self.counter(name)?;
        control(bench, |catalog, control| control.counter(catalog.counter(&name)?, index))
    }

    fn counter(&self, name: &str) -> Result<String, Problem> {
        let counters: Vec<_> = self.rules.program().counters().map(|(_, info)| info.name.clone()).collect();
        let position = names::find("counter", name, counters.iter().map(String::as_str))?;
        Ok(counters[position].clone())
    }

    fn register(&self, name: &str) -> Result<(String, u32), Problem> {
        let registers: Vec<_> = self.rules.program().registers().map(|(_, info)| info).collect();
        let position = names::find("register", name, registers.iter().map(|info| info.name.as_str()))?;
        Ok((registers[position].name.clone(), registers[position].bits))
    }

    fn meter(&self, name: &str) -> Result<String, Problem> {
        let meters: Vec<_> = self.rules.program().meters().map(|(_, info)| info.name.clone()).collect();
        let position = names::find("meter", name, meters.iter().map(String::as_str))?;
        Ok(meters[position].clone())
    }

    /// Each port's frames, in order, against what is expected of the port, in order.
    fn compare(&self, mut progress: Progress, frames: Vec<(u16, Vec<u8>)>) -> Vec<Failure> {
        let mut failures = Vec::new();
        for (port, mut frame) in frames {
            if self.options.frame_check_sequence {
                frame.truncate(frame.len().saturating_sub(FCS));
            }
            match progress.expected.get_mut(&port).and_then(VecDeque::pop_front) {
                Some((_, pattern)) if pattern.matches(&frame) => {}
                Some((line, pattern)) => failures.push(Failure::Different { line, port, pattern, frame }),
                None if self.options.named_ports_only
                    && !progress.no_packet
                    && !progress.named_ports.contains(&port) => {}
                None => failures.push(Failure::Unexpected { port, frame }),
            }
        }
        let left =
            progress.expected.into_iter().flat_map(|(port, left)| left.into_iter().map(move |left| (port, left)));
        failures.extend(left.map(|(port, (line, pattern))| Failure::Missing { line, port, pattern }));
        failures
    }
}

impl Progress {
    fn labelled(&self, label: &str) -> Result<&Entry, Problem> {
        self.labels.get(label).ok_or_else(|| Problem::wrong(format!("no entry has the label `{label}`")))
    }

    /// The nodes of a group, if there is such a group.
    fn nodes_of(&self, group: u32) -> Option<Vec<ReplicationNode>> {
        let nodes = self.groups.get(&group)?.iter();
        Some(nodes.filter_map(|node| self.nodes.get(*node).cloned()).collect())
    }

    /// Bring a group up to date, and the clone sessions that go to it.
    fn write_group(&self, group: u32, bench: &mut dyn Bench) -> Result<(), Problem> {
        let nodes = self.nodes_of(group).unwrap_or_default();
        control(bench, |_, control| control.modify_multicast(group, &nodes))?;
        let mirrors = self.mirrors.iter().filter(|(_, (to, _))| *to == group);
        mirrors
            .map(|(session, (_, length))| (*session, *length))
            .try_for_each(|(session, length)| control(bench, |_, control| control.set_session(session, &nodes, length)))
    }
}

/// Ask something of the switch, by the names that it has.
fn control<T>(
    bench: &mut dyn Bench,
    ask: impl FnOnce(&Catalog, &mut dyn Device) -> Result<T, String>,
) -> Result<T, Problem> {
    let catalog = bench.catalog();
    ask(&catalog, bench.control()).map_err(|refused| refusal(bench, refused))
}

/// One cell.
fn cells(index: u64) -> std::ops::Range<u64> {
    index..index.saturating_add(1)
}

fn holds(check: Check, data: CounterData) -> Result<(), Problem> {
    let count = match check.unit {
        Unit::Packets => data.packets,
        Unit::Bytes => data.bytes,
    };
    if check.comparison.holds(count, check.number) {
        return Ok(());
    }
    Err(Problem::wrong(format!("the counter is at {count}; expected {check}")))
}

fn meter_config([committed, peak]: &[Rate; 2]) -> MeterConfig {
    let per_second = |rate: &Rate| (rate.per_microsecond * 1e6).round() as u64;
    MeterConfig { cir: per_second(committed), cburst: committed.burst, pir: per_second(peak), pburst: peak.burst }
}

fn shown(values: &[BigUint]) -> String {
    values.iter().map(|value| format!("{value:#x}")).collect::<Vec<_>>().join(" ")
}

fn no_node(node: usize) -> Problem {
    Problem::wrong(format!("no multicast node {node}"))
}
