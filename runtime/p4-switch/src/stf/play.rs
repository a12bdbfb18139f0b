//! Plays one test on a device and compares what came out with what the test expects.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use num_bigint::BigUint;
use vouch_switch::{CounterData, MeterConfig, Micros, Port, ReplicationNode};

use super::device::{Device, Problem};
use super::names;
use super::report::{Failure, Outcome};
use super::rules::{self, Entry, Rules};
use super::statement::{Cell, Check, Command, Pattern, Rate, Statement, Unit};

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
    nodes: Vec<ReplicationNode>,
    groups: BTreeMap<u32, Vec<usize>>,
}

impl Player {
    /// A player of tests of this program.
    pub fn new(rules: Rules, options: Options) -> Self {
        Self { rules, options }
    }

    /// Play a test from a fresh start.
    pub fn play(&self, test: &[Statement], device: &mut dyn Device) -> Outcome {
        match self.attempt(test, device) {
            Ok(failures) if failures.is_empty() => Outcome::Passed,
            Ok(failures) => Outcome::Failed(failures),
            Err(problem) => Outcome::NotRun(problem.to_string()),
        }
    }

    fn attempt(&self, test: &[Statement], device: &mut dyn Device) -> Result<Vec<Failure>, Problem> {
        let mut progress = Progress::default();
        let mut failures = Vec::new();
        device.reset()?;
        for Statement { line, command } in test {
            match self.step(*line, command, &mut progress, device) {
                Ok(()) => {}
                Err(Problem::Wrong(problem)) => failures.push(Failure::Statement { line: *line, problem }),
                Err(Problem::Unsupported(problem)) => {
                    return Err(Problem::Unsupported(format!("line {line}: {problem}")));
                }
            }
        }
        let frames = device.received()?;
        failures.extend(self.compare(progress, frames));
        Ok(failures)
    }

    fn step(
        &self,
        line: usize,
        command: &Command,
        progress: &mut Progress,
        device: &mut dyn Device,
    ) -> Result<(), Problem> {
        match command {
            Command::Add { table, priority, keys, calls, timeout, label } => {
                let mut entry = self.rules.entry(table, *priority, keys, calls)?;
                entry.idle_timeout = Micros(u64::from(timeout.unwrap_or(0)) * 1_000);
                device.insert(&entry)?;
                if let Some(label) = label {
                    progress.labels.insert(label.clone(), entry);
                }
                Ok(())
            }
            Command::SetDefault { table, call } => device.set_default(&self.rules.default(table, call)?),
            Command::RemoveAll => device.remove_entries(),
            Command::Packet { port, frame } => {
                progress.named_ports.insert(*port);
                let mut frame = frame.clone();
                if self.options.frame_check_sequence {
                    frame.extend([0; FCS]);
                }
                device.send(*port, &frame)
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
            Command::Wait => device.wait(),
            Command::CheckCounter { counter, cell, check } => {
                let data = match cell {
                    Cell::Index(index) => device.counter(&self.counter(counter)?, *index)?,
                    Cell::Label(label) => device.entry_counter(progress.labelled(label)?)?,
                };
                check.map_or(Ok(()), |check| holds(check, data))
            }
            Command::CounterRead { counter, index } => device.counter(&self.counter(counter)?, *index).map(|_| ()),
            Command::CounterWrite { counter, index, packets, bytes } => {
                let data = CounterData { packets: *packets, bytes: *bytes };
                device.set_counter(&self.counter(counter)?, *index, data)
            }
            Command::RegisterRead { register, .. } => self.register(register).map(|_| ()),
            Command::RegisterWrite { register, index, value } => {
                let (name, bits) = self.register(register)?;
                let value = rules::bytes(value, bits).map_err(Problem::Wrong)?;
                device.set_register(&name, Some(*index), &value)
            }
            Command::RegisterReset { register } => device.set_register(&self.register(register)?.0, None, &[0]),
            Command::ValueSet { set, members } => {
                let sets: Vec<_> = self.rules.program().value_sets().map(|(_, info)| info).collect();
                let info = sets[names::find("value set", set, sets.iter().map(|info| info.name.as_str()))?];
                let members: Result<Vec<_>, _> = members.iter().map(|member| rules::bytes(member, info.bits)).collect();
                device.set_value_set(&info.name, &members.map_err(Problem::Wrong)?)
            }
            Command::Digest { digest, values } => {
                let digests: Vec<_> = self.rules.program().digests().map(|(_, info)| info).collect();
                let info = digests[names::find("digest", digest, digests.iter().map(|info| info.name.as_str()))?];
                match device.digest(&info.name)? {
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
                device.set_entry_meter(progress.labelled(label)?, meter_config(rates))
            }
            Command::MeterRead { meter, .. } => self.meter(meter).map(|_| ()),
            Command::MeterWrite { meter, index, rates } => {
                device.set_meter(&self.meter(meter)?, *index, meter_config(rates))
            }
            Command::Idle { label } if device.idle(progress.labelled(label)?)? => Ok(()),
            Command::Idle { label } => Err(Problem::wrong(format!("the switch does not tell that `{label}` is idle"))),
            Command::SetPort { port, up } => device.set_port(*port, *up),
            Command::Mirror { session, to, length } => device.set_session(*session, *to, *length),
            // What p4c's runner would print is for people.
            Command::MirrorRead { .. } => Ok(()),
            Command::GroupCreate { group } => {
                progress.groups.insert(*group, Vec::new());
                device.set_group(*group, &[])
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
                with_it.map(|(group, _)| *group).try_for_each(|group| progress.write_group(group, device))
            }
            Command::NodeAssociate { group, node } => {
                if *node >= progress.nodes.len() {
                    return Err(no_node(*node));
                }
                let nodes = progress.groups.get_mut(group);
                nodes.ok_or_else(|| Problem::wrong(format!("no multicast group {group}")))?.push(*node);
                progress.write_group(*group, device)
            }
        }
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

    fn write_group(&self, group: u32, device: &mut dyn Device) -> Result<(), Problem> {
        let nodes = self.groups.get(&group).into_iter().flatten();
        let nodes: Vec<_> = nodes.filter_map(|node| self.nodes.get(*node).cloned()).collect();
        device.set_group(group, &nodes)
    }
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
