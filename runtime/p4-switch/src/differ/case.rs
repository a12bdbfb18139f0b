//! Random cases: packets that the program understands, and entries that they hit.
//!
//! Entries at random are seldom hit, the less so the more metadata is in a key. So packets come first; they go through the
//! packet engine, whose trace says what was looked up and not found, and most of that gets an entry: of a few with random actions,
//! the one that gets packets furthest. What the packets then look up further on gets entries in the next round.

use std::collections::HashMap;

use num_bigint::BigUint;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vouch_p4runtime::p4info::{MatchKind as Kind, Table};
use vouch_switch::{EntryKey, MatchKind, Micros, Output, SwitchConfig, TableId, TableInfo, TraceEvent, Worker};

use super::packet::{ADDRESS_BITS, Source, Usual};
use crate::stf::{
    self, Bits, Call, Command, Embedded, Failure, Key, MirrorTo, Options, Outcome, Pattern, Player, Rules, Share,
    Statement,
};

/// The ports of the switches: a program that never chooses sends to port 0.
pub(super) const PORTS: [u16; 4] = [0, 1, 2, 3];
/// The multicast groups of programs that make copies.
const GROUPS: [u32; 2] = [1, 2];
/// Rounds of entries.
const ROUNDS: usize = 8;
/// Entries of which the one is taken that gets packets furthest. More would seldom drop anything.
const CHOICES: usize = 3;
/// Packets of a case.
const PACKETS: usize = 6;
/// What an interface takes at most, in bytes. Far less than its MTU, since a program may add headers.
const LONGEST: usize = 1_400;
/// What an interface takes at least.
const SHORTEST: usize = 14;
/// Linux drops shorter frames with a VLAN tag before any switch sees them.
const SHORTEST_TAGGED: usize = 20;

/// A part of a case that can be left out.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A multicast group: instance and ports of each node.
    Group(u32, Vec<(u16, Vec<u16>)>),
    /// Anything else before the packets.
    Control(Command),
    /// A packet, of which the bytes from `payload` on are not headers.
    Packet { port: u16, frame: Vec<u8>, payload: usize },
}

/// What entries of a case have in common.
#[derive(Default)]
struct Leaning {
    /// The action that most entries of a table have.
    actions: HashMap<String, String>,
    /// What is in the packets, by width in bits: a program may compare what an entry says with what a packet has.
    values: HashMap<u32, Vec<BigUint>>,
}

/// What a case is made from.
pub(super) struct Generator {
    pub(super) rules: Rules,
    pub(super) player: Player,
    source: Source,
    /// More than one packet would be a race: packets that come in again do so beside the next ones.
    single: bool,
    /// What a packet does leaves nothing to the next one: the program has no registers.
    pub(super) independent: bool,
    /// The program makes copies, so groups and sessions matter.
    copies: bool,
}

impl Generator {
    pub(super) fn new(rules: Rules, source: Source) -> Self {
        let text = ["actions", "pipelines", "parsers"].map(|part| source.json()[part].to_string()).concat();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(&format!("\"{word}\"")));
        let player = Player::new(rules.clone(), Options::default());
        Self {
            rules,
            player,
            single: has(&["resubmit", "recirculate", "clone_egress_pkt_to_egress"]) || source.egress_has_registers(),
            independent: !has(&["register_write"]),
            copies: has(&["mcast_grp", "clone_egress_pkt_to_egress", "clone_ingress_pkt_to_egress"]),
            source,
        }
    }

    /// The case with this number.
    pub(super) fn case(&self, seed: u64) -> Vec<Step> {
        let random = &mut StdRng::seed_from_u64(seed);
        let mut steps = Vec::new();
        if self.copies {
            for group in GROUPS {
                steps.push(self.group(group, random));
            }
            for session in 1..=2 {
                let to = Some(MirrorTo::Port(PORTS[random.random_range(0..PORTS.len())]));
                steps.push(Step::Control(Command::Mirror { session, to, length: None }));
            }
        }
        let count = if self.single { 1 } else { random.random_range(1..=PACKETS) };
        let port = PORTS[random.random_range(0..PORTS.len())];
        let mut usual = Usual::new(random.random());
        let packets: Vec<Step> = (0..count).map(|_| self.packet(port, &mut usual, random)).collect();
        let mut device = Embedded::new(&self.rules, SwitchConfig::default());
        self.player.play(&statements(commands(&steps)), &mut device);
        let tables: Vec<(TableId, &TableInfo)> = self.rules.program().tables().collect();
        let leaning = if usual.alike { self.leaning(&traced(&device, &packets), random) } else { Leaning::default() };
        for (_, table) in &tables {
            if random.random_ratio(1, 6)
                && let Some(command) = self.default(table, &leaning, random)
            {
                self.try_step(command, &mut device, &mut steps);
            }
        }
        for _ in 0..ROUNDS {
            let mut missed = lookups(&device, &packets);
            missed.sort_unstable();
            missed.dedup();
            let before = steps.len();
            for (table, key) in missed {
                let found = tables.iter().find(|(id, _)| *id == table);
                if let Some((_, table)) = found.filter(|_| random.random_ratio(7, 8)) {
                    let choices = (0..CHOICES).filter_map(|_| self.entry(table, Some(&key), &leaning, random));
                    let best = choices.max_by_key(|command| self.promise(command, &mut device, &packets, usual.alike));
                    if let Some(command) = best {
                        self.try_step(command, &mut device, &mut steps);
                    }
                }
            }
            if steps.len() == before {
                break;
            }
        }
        for (_, table) in &tables {
            for _ in 0..random.random_range(0..3) {
                if let Some(command) = self.entry(table, None, &leaning, random) {
                    self.try_step(command, &mut device, &mut steps);
                }
            }
        }
        // What a veth pair cannot carry shows nothing.
        for packet in packets {
            steps.push(packet);
            if !self
                .observed(&commands(&steps))
                .is_ok_and(|frames| frames.iter().all(|(port, frame)| carried(*port, frame)))
            {
                steps.pop();
            }
        }
        steps
    }

    /// The steps, and what the packet engine makes of them as the expectation; or what it refuses.
    pub(super) fn scenario(&self, steps: &[Step]) -> Result<Vec<Command>, String> {
        let mut commands = commands(steps);
        let frames = self.observed(&commands)?.into_iter();
        commands.extend(frames.map(|(port, frame)| Command::Expect { port, pattern: Pattern::exactly(&frame) }));
        Ok(commands)
    }

    /// What the packets of a case do in the packet engine.
    pub(super) fn events(&self, steps: &[Step]) -> Vec<TraceEvent> {
        let (packets, others): (Vec<Step>, Vec<Step>) =
            steps.iter().cloned().partition(|step| matches!(step, Step::Packet { .. }));
        let mut device = Embedded::new(&self.rules, SwitchConfig::default());
        self.player.play(&statements(commands(&others)), &mut device);
        traced(&device, &packets)
    }

    /// What comes out of the packet engine, or what it refuses.
    fn observed(&self, commands: &[Command]) -> Result<Vec<(u16, Vec<u8>)>, String> {
        let mut device = Embedded::new(&self.rules, SwitchConfig::default());
        match self.player.play(&statements(commands.to_vec()), &mut device) {
            Outcome::Passed => Ok(Vec::new()),
            Outcome::NotRun(reason) => Err(reason),
            // Nothing is expected, so whatever comes out is unexpected.
            Outcome::Failed(failures) => failures
                .into_iter()
                .map(|failure| match failure {
                    Failure::Unexpected { port, frame } => Ok((port, frame)),
                    other => Err(other.to_string()),
                })
                .collect(),
        }
    }

    /// How far packets get with one more entry: what comes out counts, and what is looked up on the way. Where packets are alike,
    /// finding something counts for more than looking on.
    fn promise(&self, command: &Command, device: &mut Embedded, packets: &[Step], alike: bool) -> usize {
        let Command::Add { table, priority, keys, calls, .. } = command else { return 0 };
        let Ok(entry) = self.rules.entry(table, *priority, keys, calls) else { return 0 };
        if stf::insert(device, self.rules.program(), &entry).is_err() {
            return 0;
        }
        let worth = |event: &TraceEvent| match event {
            TraceEvent::Sent { .. } => 16,
            TraceEvent::Table { hit: Some(_), .. } if alike => 2,
            TraceEvent::Table { .. } => 1,
            _ => 0,
        };
        let promise = traced(device, packets).iter().map(worth).sum();
        let key = EntryKey { matches: entry.matches, priority: entry.priority };
        // It was just added.
        let _ = device.switch().delete_entry(entry.table, &key);
        promise
    }

    /// Keep a step that the packet engine takes.
    fn try_step(&self, command: Command, device: &mut Embedded, steps: &mut Vec<Step>) {
        let done = match &command {
            Command::Add { table, priority, keys, calls, .. } => {
                let entry = self.rules.entry(table, *priority, keys, calls);
                entry.and_then(|entry| stf::insert(device, self.rules.program(), &entry))
            }
            Command::SetDefault { table, call } => {
                let entry = self.rules.default(table, call);
                entry.and_then(|entry| stf::set_default(device, self.rules.program(), &entry))
            }
            _ => return,
        };
        if done.is_ok() {
            steps.push(Step::Control(command));
        }
    }

    /// Every port is in one node at most: in which order nodes come out of one port is nobody's promise.
    fn group(&self, group: u32, random: &mut StdRng) -> Step {
        let mut nodes = vec![(random.random_range(0..4), Vec::new()), (random.random_range(4..8), Vec::new())];
        for port in PORTS {
            if random.random_ratio(2, 3) {
                nodes[random.random_range(0..2)].1.push(port);
            }
        }
        nodes.retain(|(_, ports)| !ports.is_empty());
        Step::Group(group, nodes)
    }

    fn packet(&self, port: u16, usual: &mut Usual, random: &mut StdRng) -> Step {
        let more = random.random_range(0..48);
        let mut frame = self.source.headers(more, usual, random);
        let payload = frame.len();
        let more = more.max(SHORTEST.saturating_sub(payload));
        frame.extend((0..more).map(|_| random.random::<u8>()));
        if random.random_ratio(1, 8) {
            frame.truncate(random.random_range(SHORTEST..=frame.len()));
        }
        if is_tagged(&frame) {
            frame.resize(frame.len().max(SHORTEST_TAGGED), 0);
        }
        let payload = payload.min(frame.len());
        Step::Packet { port, frame, payload }
    }

    fn leaning(&self, events: &[TraceEvent], random: &mut StdRng) -> Leaning {
        let mut leaning = Leaning::default();
        for (_, table) in self.rules.program().tables() {
            let known = self.writable(table).into_iter().flat_map(|known| &known.actions);
            let actions: Vec<_> = known.filter(|reference| reference.in_entries).collect();
            // What gets packets furthest would otherwise always be the same few actions.
            if let Some(reference) = actions.get(random.random_range(0..actions.len().max(1))) {
                leaning.actions.insert(table.name.clone(), reference.action.name.clone());
            }
        }
        for event in events {
            if let TraceEvent::Extracted { header, bytes } = event {
                for (bits, value) in self.source.field_values(header, bytes) {
                    leaning.values.entry(bits).or_default().push(value);
                }
            }
        }
        leaning
    }

    /// The table, if a controller may write entries and BMv2's P4Runtime server can: not where there is no key, or where a
    /// field has no width in the P4Info, as strings and errors.
    fn writable(&self, table: &TableInfo) -> Option<&Table> {
        let known = self.rules.info()?.table(&table.name).ok()?;
        let fixed = known.is_const || table.const_entries;
        let params = known.actions.iter().flat_map(|reference| &reference.action.params).map(|param| param.width);
        let mut widths = known.fields.iter().map(|field| field.width).chain(params);
        // Where the P4Info says another width, the server has to translate, which BMv2's does not.
        let alike = known.fields.iter().zip(&table.key).all(|(field, key)| field.width == key.bits);
        (!fixed && alike && !table.key.is_empty() && widths.all(|width| width > 0)).then_some(known)
    }

    fn default(&self, table: &TableInfo, leaning: &Leaning, random: &mut StdRng) -> Option<Command> {
        let known =
            self.writable(table).filter(|known| known.const_default_action.is_none() && !table.const_default)?;
        // What a table with an action profile does on a miss is fixed in BMv2.
        if table.profile.is_some() {
            return None;
        }
        let actions = known.actions.iter().filter(|reference| reference.as_default);
        let call = self.call(actions.map(|reference| reference.action.name.as_str()), table, leaning, random)?;
        Some(Command::SetDefault { table: table.name.clone(), call })
    }

    /// An entry that this key hits, or any.
    fn entry(&self, table: &TableInfo, key: Option<&[u64]>, leaning: &Leaning, random: &mut StdRng) -> Option<Command> {
        let known = self.writable(table)?;
        let mut limbs = key.into_iter().flatten().copied();
        let mut keys = Vec::new();
        for (field, described) in table.key.iter().zip(&known.fields) {
            let bits = field.bits.max(1);
            let value = if key.is_some() {
                let words: Vec<u32> = limbs
                    .by_ref()
                    .take(bits.div_ceil(64) as usize)
                    .flat_map(|limb| [limb as u32, (limb >> 32) as u32])
                    .collect();
                BigUint::new(words)
            } else {
                self.field_value(bits, leaning, random)
            };
            let wanted = self.matching(field.kind, &described.kind, value, bits, random);
            keys.extend(wanted.map(|wanted| (field.name.clone(), wanted)));
        }
        let actions = known.actions.iter().filter(|reference| reference.in_entries);
        let call = self.call(actions.map(|reference| reference.action.name.as_str()), table, leaning, random)?;
        // Of two entries of one priority either may win, so there are hardly any.
        let priority = table.needs_priority.then(|| random.random_range(0..1_000_000));
        Some(Command::Add {
            table: table.name.clone(),
            priority,
            keys,
            calls: vec![Share { call, weight: 1, watch: None }],
            timeout: None,
            label: None,
        })
    }

    /// A match that the value satisfies; `None` is any.
    fn matching(
        &self,
        kind: MatchKind,
        described: &Kind,
        value: BigUint,
        bits: u32,
        random: &mut StdRng,
    ) -> Option<Key> {
        let all = (BigUint::from(1_u8) << bits) - 1_u8;
        let exactly = |value| Key::Value(Bits { value, wild: BigUint::ZERO, written: 0 });
        match kind {
            MatchKind::Exact | MatchKind::Valid => Some(exactly(value)),
            MatchKind::Lpm => {
                let length = random.random_range(0..=bits);
                let beyond = bits - length;
                let value = value >> beyond << beyond;
                (length > 0).then_some(Key::Prefix(Bits { value, wild: BigUint::ZERO, written: 0 }, length))
            }
            MatchKind::Ternary => match random.random_range(0..4) {
                0 => None,
                1 => Some(exactly(value)),
                _ if *described == Kind::Optional => Some(exactly(value)),
                _ => {
                    let wild = self.source.value(bits as usize, random);
                    // No bit that matters is the same as no match at all.
                    let value = &value & (&all ^ &wild);
                    (wild != all).then_some(Key::Value(Bits { value, wild, written: bits }))
                }
            },
            MatchKind::Range => {
                let mut away = || BigUint::from(random.random_range(0..4_u8)) << random.random_range(0..bits);
                let low = if value < away() { BigUint::ZERO } else { value.clone() };
                let high = (&value + away()).min(all.clone());
                (low != BigUint::ZERO || high != all).then_some(Key::Range(low, high))
            }
        }
    }

    fn call<'a>(
        &self,
        actions: impl Iterator<Item = &'a str>,
        table: &TableInfo,
        leaning: &Leaning,
        random: &mut StdRng,
    ) -> Option<Call> {
        let actions: Vec<&str> = actions.collect();
        let usual = leaning.actions.get(&table.name).map(String::as_str).filter(|name| actions.contains(name));
        let usual = usual.filter(|_| random.random_ratio(3, 4));
        let name = usual.or_else(|| actions.get(random.random_range(0..actions.len().max(1))).copied())?;
        let program = self.rules.program();
        let mut infos = table.actions.iter().filter_map(|id| program.action_info(*id));
        let action = infos.find(|action| action.name == name)?;
        let params =
            action.params.iter().map(|param| (param.name.clone(), self.field_value(param.bits, leaning, random)));
        Some(Call { action: name.to_owned(), params: params.collect() })
    }

    /// A value for a key field or a parameter; what is as wide as a port mostly is one, and as a group often, and what is as
    /// wide as an address often is one of the packets.
    fn field_value(&self, bits: u32, leaning: &Leaning, random: &mut StdRng) -> BigUint {
        if bits == 9 && random.random_ratio(9, 10) {
            return PORTS[random.random_range(0..PORTS.len())].into();
        }
        if bits == 16 && self.copies && random.random_ratio(1, 3) {
            return GROUPS[random.random_range(0..GROUPS.len())].into();
        }
        match leaning.values.get(&bits) {
            Some(values) if bits as usize >= ADDRESS_BITS && random.random_ratio(1, 2) => {
                values[random.random_range(0..values.len())].clone()
            }
            _ => self.source.value(bits as usize, random),
        }
    }
}

/// What packets look up and do not find.
fn lookups(device: &Embedded, packets: &[Step]) -> Vec<(TableId, Vec<u64>)> {
    let missed = |event| match event {
        TraceEvent::Table { table, key, hit: None, .. } => Some((table, key)),
        _ => None,
    };
    traced(device, packets).into_iter().filter_map(missed).collect()
}

/// What packets do, step by step.
fn traced(device: &Embedded, packets: &[Step]) -> Vec<TraceEvent> {
    let switch = device.switch();
    let (mut worker, mut output) = (Worker::new(switch), Output::new());
    worker.set_trace(true);
    for step in packets {
        if let Step::Packet { port, frame, .. } = step {
            switch.process(&mut worker, *port, frame, Micros(0), &mut output);
        }
    }
    worker.take_trace()
}

fn is_tagged(frame: &[u8]) -> bool {
    matches!(frame.get(12..14), Some([0x81, 0] | [0x88, 0xa8]))
}

/// Whether a frame gets from a switch to us.
fn carried(port: u16, frame: &[u8]) -> bool {
    let shortest = if is_tagged(frame) { SHORTEST_TAGGED } else { SHORTEST };
    PORTS.contains(&port) && (shortest..=LONGEST).contains(&frame.len())
}

/// The steps as commands.
fn commands<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Vec<Command> {
    let (mut commands, mut made) = (Vec::new(), 0);
    for step in steps {
        match step {
            Step::Group(group, nodes) => {
                commands.push(Command::GroupCreate { group: *group });
                for (instance, ports) in nodes {
                    commands.push(Command::NodeCreate { instance: *instance, ports: ports.clone() });
                    commands.push(Command::NodeAssociate { group: *group, node: made });
                    made += 1;
                }
            }
            Step::Control(command) => commands.push(command.clone()),
            Step::Packet { port, frame, .. } => commands.push(Command::Packet { port: *port, frame: frame.clone() }),
        }
    }
    commands
}

/// The commands, each on a line of its own.
pub(super) fn statements(commands: Vec<Command>) -> Vec<Statement> {
    (1..).zip(commands).map(|(line, command)| Statement { line, command }).collect()
}
