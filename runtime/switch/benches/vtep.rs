//! Packets per second of the project's pipeline, one thread.

#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vouch_switch::{Micros, Output, Worker};

fn known_unicast(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encapsulate known unicast");
    group.throughput(Throughput::Elements(1));
    for (entries, length) in [(1, 64), (1, 512), (1, 1500), (100_000, 64)] {
        let switch = support::vtep(entries);
        let frame = support::frame(support::THERE, support::HERE, length);
        let (mut worker, mut output) = (Worker::new(&switch), Output::new());
        group.bench_function(BenchmarkId::new(format!("{entries} entries"), length), |bench| {
            bench.iter(|| {
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
    let packet = support::from_peer(&support::frame(support::HERE, support::THERE, 64));
    let (mut worker, mut output) = (Worker::new(&switch), Output::new());
    group.bench_function("64", |bench| {
        bench.iter(|| {
            output.clear();
            switch.process(&mut worker, support::UNDERLAY, &packet, Micros(0), &mut output);
            assert_eq!(output.frames().len(), 1);
        });
    });
    group.finish();
}

criterion_group!(benches, known_unicast, decapsulate);
criterion_main!(benches);
