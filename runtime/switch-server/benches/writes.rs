//! P4Runtime writes per second, over a real connection, into the project's pipeline.

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::Path;

use common::{Bench, Controller};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use prost::Message;
use tokio::runtime::{Builder, Runtime};
use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::field_match::{Exact, FieldMatchType};
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::table_action::Type as ActionType;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_p4runtime::p4::v1::*;

/// That of `p4-switch`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A file of the compiled pipeline.
fn compiled(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../p4src/build").join(file);
    std::fs::read(path).expect("the compiled pipeline is in the repository")
}

/// A server on a thread of its own, and a controller on this one: more threads would only wake each other.
struct Threads {
    server: Runtime,
    controller: Runtime,
}

impl Threads {
    fn start() -> Threads {
        let server = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let controller = Builder::new_current_thread().enable_all().build();
        Threads { server: server.expect("a thread"), controller: controller.expect("a runtime") }
    }
}

async fn start(threads: &Threads) -> (Bench, Controller, P4Info) {
    let bench = threads.server.spawn(Bench::start()).await.expect("it starts");
    let mut controller = bench.primary().await;
    let text = String::from_utf8(compiled("vtep.p4info.txtpb")).expect("p4c writes text");
    let info = P4Info::from_text(&text).expect("p4c wrote it");
    let config = ForwardingPipelineConfig {
        p4info: Some(info.message().clone()),
        p4_device_config: compiled("vtep.json").into(),
        ..Default::default()
    };
    controller.set_pipeline(Action::VerifyAndCommit, Some(config)).await.expect("the pipeline is valid");
    (bench, controller, info)
}

/// Entries of the table of destinations, for the hosts with these numbers.
fn hosts(info: &P4Info, numbers: core::ops::Range<u32>) -> Vec<Kind> {
    let table_id = info.table("destination").expect("the program has it").id;
    let action_id = info.action("destination.unicast").expect("the program has it").id;
    let field = |field_id, value: Vec<u8>| FieldMatch {
        field_id,
        field_match_type: Some(FieldMatchType::Exact(Exact { value })),
    };
    let entry = |number: u32| TableEntry {
        table_id,
        r#match: vec![field(1, vec![7]), field(2, [&[6, 0], number.to_be_bytes().as_slice()].concat())],
        action: Some(TableAction {
            r#type: Some(ActionType::Action(vouch_p4runtime::p4::v1::Action {
                action_id,
                params: vec![action::Param { param_id: 1, value: vec![1] }],
            })),
        }),
        ..Default::default()
    };
    numbers.map(entry).map(Kind::TableEntry).collect()
}

/// Inserts a batch and deletes it again, in a table of few and of many others.
fn writes(criterion: &mut Criterion) {
    let threads = Threads::start();
    let runtime = &threads.controller;
    let mut group = criterion.benchmark_group("P4Runtime writes");
    for others in [0u32, 100_000] {
        let (_bench, mut controller, info) = runtime.block_on(start(&threads));
        for first in (0..others).step_by(1000) {
            let batch = hosts(&info, first..first + 1000);
            runtime.block_on(controller.write(Type::Insert, batch)).expect("new entries");
        }
        for size in [1u32, 100, 1000] {
            let batch = hosts(&info, 1 << 20..(1 << 20) + size);
            group.throughput(Throughput::Elements(2 * u64::from(size)));
            group.bench_function(BenchmarkId::new(format!("batches of {size}"), format!("{others} others")), |bench| {
                bench.iter(|| {
                    runtime.block_on(async {
                        controller.write(Type::Insert, batch.clone()).await.expect("new entries");
                        controller.write(Type::Delete, batch.clone()).await.expect("they are there");
                    });
                });
            });
        }
    }
    group.finish();
}

/// What no server can avoid: the controller's encoding of a batch and the server's decoding.
fn messages(criterion: &mut Criterion) {
    let info = String::from_utf8(compiled("vtep.p4info.txtpb")).expect("p4c writes text");
    let info = P4Info::from_text(&info).expect("p4c wrote it");
    let update = |entity| Update { r#type: Type::Insert as i32, entity: Some(Entity { entity: Some(entity) }) };
    let request =
        WriteRequest { updates: hosts(&info, 0..1000).into_iter().map(update).collect(), ..Default::default() };
    let bytes = request.encode_to_vec();
    let mut group = criterion.benchmark_group("messages of 1000 updates");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("encode", |bench| bench.iter(|| request.encode_to_vec()));
    group.bench_function("decode", |bench| bench.iter(|| WriteRequest::decode(bytes.as_slice())));
    group.finish();
}

criterion_group!(benches, writes, messages);
criterion_main!(benches);
