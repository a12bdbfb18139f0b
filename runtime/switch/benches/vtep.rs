//! Packets per second of the project's pipeline, one thread.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vouch_switch::{Micros, Output, ReplicationNode, Switch, Worker};

/// Lengths of the frames that hosts send.
const LENGTHS: [usize; 3] = [64, 512, 1500];

/// Measures one frame that becomes `copies`.
fn measure(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    id: BenchmarkId,
    switch: &Switch,
    (port, frame): (u16, &[u8]),
    copies: usize,
) {
    let (mut worker, mut output) = (Worker::new(switch), Output::new());
    group.bench_function(id, |bench| {
        bench.iter(|| {
            output.clear();
            switch.process(&mut worker, port, frame, Micros(0), &mut output);
            assert_eq!(output.frames().len(), copies);
        });
    });
}

fn known_unicast(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encapsulate known unicast");
    group.throughput(Throughput::Elements(1));
    for entries in [1, 1_000, 100_000] {
        let switch = support::vtep(entries);
        for length in LENGTHS {
            let frame = support::frame(support::THERE, support::HERE, length);
            let id = BenchmarkId::new(format!("{entries} entries"), length);
            measure(&mut group, id, &switch, (support::ACCESS, &frame), 1);
        }
    }
    group.finish();
}

/// To another host of many each time, so that little of the tables is in the caches.
fn many_hosts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encapsulate to many hosts");
    group.throughput(Throughput::Elements(1));
    for entries in [1_000u32, 100_000] {
        let switch = support::vtep(entries);
        let (mut worker, mut output) = (Worker::new(&switch), Output::new());
        let mut frame = support::frame(support::THERE, support::HERE, 64);
        let mut host = 0u32;
        group.bench_function(BenchmarkId::new(format!("{entries} entries"), 64), |bench| {
            bench.iter(|| {
                host = host.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let [_, a, b, c] = (host >> 8 & 0xff_ffff).rem_euclid(entries).to_be_bytes();
                frame[..6].copy_from_slice(&[6, 0, 0, a, b, c]);
                output.clear();
                switch.process(&mut worker, support::ACCESS, &frame, Micros(0), &mut output);
                assert_eq!(output.frames().len(), 1);
            });
        });
    }
    group.finish();
}

fn decapsulate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decapsulate");
    group.throughput(Throughput::Elements(1));
    let switch = support::vtep(1);
    for length in LENGTHS {
        let packet = support::from_peer(&support::frame(support::HERE, support::THERE, length));
        measure(&mut group, BenchmarkId::from_parameter(length), &switch, (support::UNDERLAY, &packet), 1);
    }
    group.finish();
}

/// The same frames on one thread and on two that share the switch, its entries and their counters.
fn workers(criterion: &mut Criterion) {
    /// Frames between two looks at the clock.
    const BATCH: u64 = 256;
    let mut group = criterion.benchmark_group("encapsulate by workers");
    let switch = support::vtep(1_000);
    let frame = support::frame(support::THERE, support::HERE, 64);
    for count in [1u64, 2] {
        group.throughput(Throughput::Elements(count * BATCH));
        group.bench_function(BenchmarkId::from_parameter(count), |bench| {
            bench.iter_custom(|batches| {
                let start = Instant::now();
                std::thread::scope(|scope| {
                    for _ in 0..count {
                        scope.spawn(|| {
                            let (mut worker, mut output) = (Worker::new(&switch), Output::new());
                            for _ in 0..batches {
                                let frames = (0..BATCH).map(|_| &frame[..]);
                                switch.process_batch(&mut worker, support::ACCESS, frames, Micros(0), &mut output);
                                assert_eq!(output.frames().len() as u64, BATCH);
                                output.clear();
                            }
                        });
                    }
                });
                start.elapsed()
            });
        });
    }
    group.finish();
}

/// A broadcast to eight tunnels; the rate is that of frames that come in.
fn flood(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flood to 8 tunnels");
    group.throughput(Throughput::Elements(1));
    let switch = support::vtep(1);
    let replicas: Vec<(u16, u16)> = (0..8).map(|peer| (support::UNDERLAY, support::TUNNEL + peer)).collect();
    for peer in 1..8 {
        support::add_tunnel(&switch, support::TUNNEL + peer, [10, 0, 1, peer as u8]);
    }
    let nodes = ReplicationNode::from_replicas(&replicas);
    switch.modify_multicast_group(u32::from(support::BD), &nodes).expect("the group exists");
    for length in LENGTHS {
        let frame = support::frame([0xff; 6], support::HERE, length);
        measure(&mut group, BenchmarkId::from_parameter(length), &switch, (support::ACCESS, &frame), 8);
    }
    group.finish();
}

/// A frame of a host that nobody knows: flooded to one port and one tunnel, and a copy for the controller.
fn punt(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("punt");
    group.throughput(Throughput::Elements(1));
    let switch = support::vtep(1);
    support::add_controller(&switch);
    for length in LENGTHS {
        let frame = support::frame(support::THERE, [2, 0, 0, 0, 0, 0x77], length);
        measure(&mut group, BenchmarkId::from_parameter(length), &switch, (support::ACCESS, &frame), 2);
    }
    group.finish();
}

/// The same frame with the tables' contents changing all the time, and one change alone.
fn writes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("change an entry");
    group.throughput(Throughput::Elements(1));
    for entries in [1, 1_000, 100_000] {
        let switch = support::vtep(entries);
        group.bench_function(BenchmarkId::from_parameter(format!("{entries} entries")), |bench| {
            bench.iter(|| support::come_and_go(&switch));
        });
    }
    let switch = support::vtep(100_000);
    let frame = support::frame(support::THERE, support::HERE, 64);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                support::come_and_go(&switch);
            }
        });
        let id = BenchmarkId::new("encapsulate meanwhile", 64);
        measure(&mut group, id, &switch, (support::ACCESS, &frame), 1);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    group.finish();
}

criterion_group!(benches, known_unicast, many_hosts, workers, decapsulate, flood, punt, writes);
criterion_main!(benches);
