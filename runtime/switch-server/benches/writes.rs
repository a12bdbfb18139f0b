//! P4Runtime writes per second, over a real connection, into the project's pipeline.

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::Path;

use common::{Bench, Controller};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::field_match::{Exact, FieldMatchType};
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::table_action::Type as ActionType;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_p4runtime::p4::v1::*;

/// A file of the compiled pipeline.
fn compiled(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../p4src/build").join(file);
    std::fs::read(path).expect("the compiled pipeline is in the repository")
}

async fn start() -> (Bench, Controller, P4Info) {
    let bench = Bench::start().await;
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
    let runtime = Runtime::new().expect("threads");
    let mut group = criterion.benchmark_group("P4Runtime writes");
    for others in [0u32, 100_000] {
        let (_bench, mut controller, info) = runtime.block_on(start());
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

criterion_group!(benches, writes);
criterion_main!(benches);
