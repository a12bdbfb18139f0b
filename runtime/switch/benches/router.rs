//! Packets per second of an IPv4 router with an access list, one thread.

use std::path::Path;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vouch_switch::{
    ActionCall, EntryAction, EntryKey, Match, Micros, Output, Program, Switch, SwitchConfig, TableEntry, Worker,
};

/// Numbers without a pattern, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }
}

fn add(switch: &Switch, table: &str, matches: Vec<Match>, priority: i32, action: &str, params: &[&[u8]]) {
    let table = switch.program().table(table).expect("the table exists");
    let action = switch.program().table_action(table, action).expect("the action exists");
    let params = params.iter().map(|value| value.to_vec()).collect();
    let entry = TableEntry {
        key: EntryKey { matches, priority },
        action: EntryAction::Call(ActionCall { action, params }),
        idle_timeout: Micros(0),
        meter: None,
    };
    // Numbers without a pattern repeat now and then.
    let _ = switch.insert_entry(table, &entry, Micros(0));
}

fn cut(address: u32, len: u32) -> Vec<u8> {
    let kept = if len == 0 { 0 } else { address >> (32 - len) << (32 - len) };
    kept.to_be_bytes().to_vec()
}

/// Routes of all lengths, most of them `/24`, and rules with some tens of different masks.
fn router(routes: u32, rules: u32) -> Switch {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/router.json");
    let json = std::fs::read(path).expect("the compiled program is in the repository");
    let program = Program::load(&json).expect("the program loads");
    let switch = Switch::new(Arc::new(program), SwitchConfig::default());
    let mut numbers = Numbers(1);
    for hop in 0u16..16 {
        let params: [&[u8]; 3] = [&(hop + 1).to_be_bytes(), &[2, 0, 0, 0, 0, 1], &[2, 0, 0, 0, 0, 2]];
        add(&switch, "I.next_hops", vec![Match::Exact(hop.to_be_bytes().to_vec())], 0, "I.forward", &params);
    }
    let everywhere = vec![Match::Lpm { value: vec![0; 4], prefix_len: 0 }];
    add(&switch, "I.routes", everywhere, 0, "I.route", &[&[0]]);
    for _ in 0..routes {
        let prefix_len = if numbers.next().is_multiple_of(2) { 24 } else { 8 + numbers.next() % 25 };
        let value = cut(numbers.next(), prefix_len);
        let hop = [(numbers.next() % 16) as u8];
        add(&switch, "I.routes", vec![Match::Lpm { value, prefix_len }], 0, "I.route", &[&hop]);
    }
    for priority in 1..=rules {
        let address = |numbers: &mut Numbers| {
            let len = [0, 8, 16, 24, 32][numbers.next() as usize % 5];
            Match::Ternary { value: cut(numbers.next() | 1 << 31, len), mask: cut(u32::MAX, len) }
        };
        let (src, dst) = (address(&mut numbers), address(&mut numbers));
        let protocol = Match::Ternary { value: vec![6], mask: vec![0xff] };
        let low = (numbers.next() % 60_000) as u16;
        let range = Match::Range { low: low.to_be_bytes().to_vec(), high: (low + 1000).to_be_bytes().to_vec() };
        add(&switch, "I.access_list", vec![src, dst, protocol, range], priority as i32, "I.drop", &[]);
    }
    switch
}

/// A UDP packet to no address in particular; the rules are for TCP, so that all of them are passed.
fn packet(numbers: &mut Numbers, length: usize) -> Vec<u8> {
    let mut packet = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x08, 0x00, 0x45, 0];
    packet.extend(((length - 14) as u16).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend((numbers.next() >> 1).to_be_bytes());
    packet.extend((numbers.next() >> 1).to_be_bytes());
    let mut sum: u32 = packet[14..34].chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    packet[24..26].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    packet.extend([0x12, 0x34, 0x00, 0x50]);
    packet.resize(length, 0);
    packet
}

fn route(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route IPv4");
    group.throughput(Throughput::Elements(1));
    for (routes, rules) in [(1, 0), (1_000, 0), (10_000, 500), (10_000, 10_000), (100_000, 500)] {
        let switch = router(routes, rules);
        let (mut worker, mut output) = (Worker::new(&switch), Output::new());
        for length in [64, 512, 1500] {
            let mut numbers = Numbers(7);
            let packets: Vec<Vec<u8>> = (0..1024).map(|_| packet(&mut numbers, length)).collect();
            let mut packets = packets.iter().cycle();
            group.bench_function(BenchmarkId::new(format!("{routes} routes, {rules} rules"), length), |bench| {
                bench.iter(|| {
                    output.clear();
                    let packet = packets.next().expect("a cycle has no end");
                    switch.process(&mut worker, 1, packet, Micros(0), &mut output);
                    assert_eq!(output.frames().len(), 1);
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, route);
criterion_main!(benches);
