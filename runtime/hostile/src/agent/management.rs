//! What an operator asks: requests of any content, to any method.
//!
//! An input is a number of requests, each with a byte before it that says to which method. Each is answered or refused, and the next one is answered.

use bytes::Bytes;
use tokio::time::timeout;
use tokio_stream::{StreamExt as _, once};
use tonic::{Code, Status};

use super::raw::call;
use super::{PATIENCE, World, change, messages, world};

/// All but `Watch`, which only ends when the asker does.
const METHODS: [&str; 17] = [
    "ExpectMove",
    "SettleHost",
    "GetStatus",
    "ListHosts",
    "ListMoves",
    "ExplainHost",
    "ListClaims",
    "ListPeers",
    "ListPorts",
    "ListAttacks",
    "ReadCounters",
    "CompareTables",
    "CopySwitch",
    "ProbeHost",
    "ClearHost",
    "Drain",
    "Reload",
];

/// Try an input.
///
/// # Panics
/// Where the agent does what it must not.
pub fn run(data: &[u8]) {
    let world = world();
    world.runtime.block_on(async {
        for request in messages(data) {
            let Some((&method, request)) = request.split_first() else { continue };
            let method = METHODS[usize::from(method) % METHODS.len()];
            if let Err(refusal) = ask(&world, method, Bytes::copy_from_slice(request)).await {
                let ours = matches!(refusal.code(), Code::Unknown | Code::DataLoss);
                assert!(!ours, "{method} of {request:02x?}: {refusal}");
            }
        }
        drop(call(world.management.clone(), &path("Watch"), once(Bytes::copy_from_slice(data))).await);
        let answers = ask(&world, "GetStatus", Bytes::new()).await.expect("it is asked for nothing");
        assert_eq!(answers, 1, "the next operator is not answered");
    });
}

fn path(method: &str) -> String {
    format!("/vouch.management.v1.Management/{method}")
}

/// How many messages the answer has.
async fn ask(world: &World, method: &str, request: Bytes) -> Result<usize, Status> {
    let talk = async {
        let mut answers = call(world.management.clone(), &path(method), once(request)).await?;
        let mut count = 0;
        while answers.next().await.transpose()?.is_some() {
            count += 1;
        }
        Ok(count)
    };
    timeout(PATIENCE, talk).await.expect("every question has an end")
}

/// Change an input so that requests stay requests.
pub fn mutate(data: &[u8], seed: u64) -> Vec<u8> {
    change(data, 1, seed)
}
