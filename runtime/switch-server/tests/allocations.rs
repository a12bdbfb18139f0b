//! What a packet costs in allocations on its way through a running switch.

use std::time::Duration;

use allocation_counter::measure;
use tokio::runtime::Builder;
use vouch_switch_server::{Endpoint, Frames, LinkConfig, Port, SwitchServer, link};

/// Frames that enter before any is looked for; as many as a port's task takes at once.
const BATCH: usize = 32;
const ROUNDS: usize = 100;
/// A task that waits for frames makes a future: the switch's, and the host's behind it.
const PER_ROUND: u64 = 4;

/// The program carries what enters port 1 to port 2.
const PATCH: &[u8] = include_bytes!("../../p4-switch/tests/programs/patch.json");

#[test]
fn frames_pass_a_switch_without_allocations() {
    // One thread, so that what is counted is all there is.
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (near, port1) = link(LinkConfig::default());
    let (far, port2) = link(LinkConfig::default());
    let server = runtime.block_on(async {
        let builder = SwitchServer::builder().program(PATCH).port(1, port1).port(2, port2);
        builder.build().expect("the program is valid").listen("127.0.0.1:0").await.expect("a free port")
    });
    let mut batch = Frames::new();
    // Every buffer sees its largest batch.
    runtime.block_on(rounds(&near, &far, &mut batch));
    let count = measure(|| runtime.block_on(rounds(&near, &far, &mut batch)));
    let (rounds, frames) = (ROUNDS as u64, (ROUNDS * BATCH) as u64);
    assert!(
        count.count_total <= rounds * PER_ROUND,
        "{frames} frames in {rounds} batches made {} allocations",
        count.count_total
    );
    runtime.block_on(server.shutdown());
}

async fn rounds(near: &Endpoint, far: &Endpoint, batch: &mut Frames) {
    let frame = [2u8; 100];
    for _ in 0..ROUNDS {
        for _ in 0..BATCH {
            Port::send(near, &frame).expect("there is room");
        }
        while batch.len() < BATCH {
            let received = tokio::time::timeout(Duration::from_secs(20), far.receive(batch, BATCH)).await;
            received.expect("they come out").expect("the switch is there");
        }
        assert!(batch.iter().all(|received| received == frame));
        batch.clear();
    }
}
