//! What can be done to the programs of a fabric: agents are killed, switches stand still or are killed, and all of it ends well.

use std::time::Duration;

use tokio::sync::Mutex;
use vouch_agent::AgentEventKind;
use vouch_lab::target::Embedded;
use vouch_lab::{Fabric, FabricOptions, Topology};

/// A fabric is four switches, four agents and eight hosts: one at a time.
static STAGE: Mutex<()> = Mutex::const_new(());
/// Long enough for a loaded machine; no test waits for it to pass unless it is to fail.
const PATIENCE: Duration = Duration::from_secs(20);

async fn fabric() -> Fabric {
    let options = FabricOptions::default();
    Fabric::start(&Embedded::default(), Topology::demo(), options).await.expect("the fabric starts")
}

async fn reaches(fabric: &Fabric, from: &str, to: &str, within: Duration) -> bool {
    let address = fabric.host(to).unwrap().address();
    fabric.host(from).unwrap().ping(address, within).await.unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_goes_on_without_an_agent_and_a_new_one_takes_over() {
    let _alone = STAGE.lock().await;
    let fabric = fabric().await;
    fabric.kill_agent("vtep1").await.unwrap();
    assert!(reaches(&fabric, "red3", "red1", PATIENCE).await);
    // Killing what is dead changes nothing.
    fabric.kill_agent("vtep1").await.unwrap();
    assert!(fabric.kill_agent("vtep9").await.is_err());
    assert!(fabric.start_agent("vtep1", PATIENCE).await.unwrap());
    assert!(reaches(&fabric, "red3", "red1", PATIENCE).await);
    let place = fabric.place("red1").unwrap();
    assert_eq!(fabric.misplaced("red1", place).await.unwrap(), Vec::<String>::new());
    fabric.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_that_stands_still_forwards_nothing_until_it_goes_on() {
    let _alone = STAGE.lock().await;
    let fabric = fabric().await;
    assert!(reaches(&fabric, "red4", "red1", PATIENCE).await);
    let stalled = fabric.stall_switch("vtep1").await.unwrap();
    assert!(!reaches(&fabric, "red4", "red1", Duration::from_millis(300)).await);
    drop(stalled);
    assert!(reaches(&fabric, "red4", "red1", PATIENCE).await);
    assert!(fabric.stall_switch("vtep9").await.is_err());
    fabric.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_that_was_killed_gets_everything_back_from_its_agent() {
    let _alone = STAGE.lock().await;
    let fabric = fabric().await;
    let mark = fabric.log().mark();
    fabric.restart_switch("vtep1").await.unwrap();
    let ready = fabric.log().wait(mark, PATIENCE, |event| match event.kind {
        AgentEventKind::SwitchReady { program_installed: true, .. } => Some(()),
        _ => None,
    });
    ready.await.expect("the agent takes the switch over");
    assert!(reaches(&fabric, "red3", "red1", PATIENCE).await);
    fabric.shutdown().await;
}
