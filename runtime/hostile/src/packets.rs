//! Frames of any bytes and lengths, into the project's programs with entries of any kind.
//!
//! An input names a program and goes on with steps: control calls, and frames with their ports and times. Whatever they are,
//!
//! - nothing panics, and frames beyond 64 KiB are counted drops;
//! - every frame, and every copy that is made of it, is sent or counted as dropped, and none is both;
//! - a trace changes nothing, and can be shown.

use std::sync::{Arc, OnceLock};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vouch_switch::{Micros, Output, PacketTrace, Program, Switch, SwitchConfig, TraceEvent, Worker};

use crate::input::Input;
use crate::{control, vtep};

/// Programs of the repository. The first starts with the entries of a VTEP, the others with none.
const PROGRAMS: [&[u8]; 7] = [
    include_bytes!("../../../p4src/build/vtep.json"),
    include_bytes!("../../../p4src/build/tofino/vtep_model.json"),
    include_bytes!("../../switch/tests/programs/router.json"),
    include_bytes!("../../switch/tests/programs/externs.json"),
    include_bytes!("../../switch-server/tests/programs/kinds.json"),
    include_bytes!("../../switch-server/tests/programs/names.json"),
    include_bytes!("../../p4-switch/tests/programs/patch.json"),
];

/// More steps than this say nothing new.
const MOST_STEPS: usize = 64;

/// Try an input.
///
/// # Panics
/// Where the switch does what it must not.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let number = usize::from(input.u8()) % PROGRAMS.len();
    let switch = || if number == 0 { vtep_with_entries() } else { Switch::new(loaded(number), config()) };
    Pair::new(switch(), switch()).play(input);
}

/// Change an input in one of its steps, or what it is at all.
pub fn mutate(data: &[u8], seed: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut data = data.to_vec();
    match random.random_range(0..4) {
        // Another program.
        0 if !data.is_empty() => data[0] = random.random_range(0..PROGRAMS.len() as u8),
        // A control call more, of chance.
        1 => {
            data.push(random.random_range(4..8));
            data.extend((0..random.random_range(1..40)).map(|_| random.random::<u8>()));
        }
        // A frame more: the start of one of the input's own, lengthened.
        _ => {
            let from = random.random_range(0..=data.len());
            let mut bytes = data[from..data.len().min(from + 200)].to_vec();
            if let (Some(one), true) = (bytes.len().checked_sub(1), random.random()) {
                bytes[random.random_range(0..=one)] = random.random();
            }
            data.push(random.random_range(0..4));
            data.extend(random.random_range(0..12u16).to_be_bytes());
            data.extend(random.random_range(0..5_000_000u32).to_be_bytes());
            data.extend((bytes.len() as u16).to_be_bytes());
            data.extend(bytes);
            data.extend(random.random::<u16>().to_be_bytes());
        }
    }
    data
}

fn config() -> SwitchConfig {
    SwitchConfig { cpu_port: Some(510), ..SwitchConfig::default() }
}

fn loaded(number: usize) -> Arc<Program> {
    static LOADED: [OnceLock<Arc<Program>>; PROGRAMS.len()] = [const { OnceLock::new() }; PROGRAMS.len()];
    let load = || Arc::new(Program::load(PROGRAMS[number]).expect("the programs of the repository load"));
    LOADED[number].get_or_init(load).clone()
}

fn vtep_with_entries() -> Switch {
    let switch = Switch::new(loaded(0), config());
    vtep::furnish(&switch, 0);
    vtep::add_controller(&switch);
    switch
}

/// The same switch twice, of which one is watched.
pub(crate) struct Pair {
    plain: Bench,
    watched: Bench,
    now: Micros,
    frames: u64,
}

struct Bench {
    switch: Switch,
    worker: Worker,
    output: Output,
}

impl Bench {
    fn new(switch: Switch) -> Bench {
        let worker = Worker::new(&switch);
        Bench { switch, worker, output: Output::new() }
    }
}

impl Pair {
    pub(crate) fn new(plain: Switch, watched: Switch) -> Pair {
        let (plain, mut watched) = (Bench::new(plain), Bench::new(watched));
        watched.worker.set_trace(true);
        Pair { plain, watched, now: Micros(0), frames: 0 }
    }

    /// Take one step after the other.
    pub(crate) fn play(&mut self, mut input: Input<'_>) {
        for _ in 0..MOST_STEPS {
            if input.is_empty() {
                break;
            }
            let kind = input.u8() % 8;
            if kind < 4 {
                let port = input.u16();
                self.now.0 += input.number(4);
                let length = usize::from(input.u16());
                let mut frame = input.bytes(length).to_vec();
                // Whole frames take few bytes of an input.
                let padding = if kind == 3 { usize::from(input.u16()) } else { 0 };
                frame.resize(frame.len() + padding, kind);
                self.frame(port, &frame);
            } else {
                let mut again = input;
                let outcome = control::call(&self.plain.switch, &mut input, self.now);
                assert_eq!(outcome, control::call(&self.watched.switch, &mut again, self.now));
            }
        }
        self.plain.switch.sweep(self.now);
        for (table, info) in self.plain.switch.program().tables() {
            let entries = self.plain.switch.entries(table).expect("it has this table").len() as u64;
            assert_eq!(self.plain.switch.entry_count(table), Ok(entries), "{}", info.name);
            assert!(info.const_entries || entries <= info.size, "{}: {entries} entries", info.name);
        }
    }

    /// Send one frame.
    pub(crate) fn frame(&mut self, port: u16, frame: &[u8]) {
        for bench in [&mut self.plain, &mut self.watched] {
            bench.output.clear();
            bench.switch.process(&mut bench.worker, port, frame, self.now, &mut bench.output);
        }
        self.frames += 1;
        let (plain, watched) = (&self.plain.output, &self.watched.output);
        assert!(plain.frames().eq(watched.frames()), "watched, other frames leave");
        assert!(plain.digests().eq(watched.digests()), "watched, other digests are made");
        assert_eq!(plain.drops, watched.drops, "watched, other packets are dropped");

        let events = self.watched.worker.take_trace();
        let (made, ended) = (made(&events), plain.frames().len() as u64 + plain.drops.total());
        // A copy beyond the limit is counted where it would be made.
        let counted = plain.drops.too_many_passes;
        assert!(
            (made..=made + counted).contains(&ended),
            "{made} packets came of the frame, and {ended} were sent or counted: {:?}",
            plain.drops
        );
        let (program, drops) = (&**self.plain.switch.program(), plain.drops);
        let trace = PacketTrace { number: self.frames, program, port, frame, events: &events, drops };
        assert!(!trace.to_string().is_empty());
    }
}

/// How many packets a frame has become, as far as the trace tells.
fn made(events: &[TraceEvent]) -> u64 {
    let more = |event: &TraceEvent| match event {
        TraceEvent::Clone { copies, .. } => copies.unwrap_or(1) as u64,
        TraceEvent::Multicast { copies, .. } => copies.saturating_sub(1) as u64,
        _ => 0,
    };
    1 + events.iter().map(more).sum::<u64>()
}
