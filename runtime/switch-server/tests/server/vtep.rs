//! The VTEP program of this repository is a pipeline that the switch takes, with the P4Info that was compiled with it.

use crate::common::{Bench, soon, until};
use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::v1::ForwardingPipelineConfig;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::{CounterEntry, TableEntry};

#[tokio::test]
async fn the_vtep_program_is_taken_and_starts_empty() {
    let bench = Bench::start().await;
    let mut controller = bench.primary().await;
    let info = P4Info::from_text(include_str!("../../../../p4src/build/vtep.p4info.txtpb")).expect("p4c wrote it");
    let config = ForwardingPipelineConfig {
        p4info: Some(info.message().clone()),
        p4_device_config: include_bytes!("../../../../p4src/build/vtep.json").as_slice().into(),
        cookie: None,
    };
    controller.set_pipeline(Action::VerifyAndCommit, Some(config)).await.expect("the pipeline is valid");
    let table_id = info.table("destination").expect("it is part of the contract").id;
    let entries = controller.read(vec![Kind::TableEntry(TableEntry { table_id, ..Default::default() })]).await;
    assert_eq!(entries.expect("a read"), []);

    // Nothing is configured: whatever comes in is dropped, and the program counts why.
    bench.host(1).send(crate::common::frame(1, 2, 8)).expect("the link is up");
    let counter_id = info.counter("drops").expect("it is part of the contract").id;
    let dropped = async {
        loop {
            let wanted = Kind::CounterEntry(CounterEntry { counter_id, ..Default::default() });
            let cells = controller.read(vec![wanted]).await.expect("a read");
            let packets = cells.iter().map(|cell| match cell {
                Kind::CounterEntry(cell) => cell.data.map_or(0, |data| data.packet_count),
                other => panic!("{other:?} is no counter"),
            });
            if packets.sum::<i64>() == 1 {
                return;
            }
        }
    };
    soon(dropped).await;
    until(|| bench.switch.counters().dropped_in_pipeline == 1).await;
}
