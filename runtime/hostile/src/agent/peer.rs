//! What comes from a peer: frames of the peer protocol, of any content.
//!
//! An input is all frames of one session. Whatever they are, the session ends, nothing panics, and the peer's next session begins.

use bytes::Bytes;
use tokio::time::timeout;
use tokio_stream::{StreamExt as _, iter};
use tonic::Status;

use super::raw::call;
use super::{PATIENCE, World, change, messages, world};

const SESSION: &str = "/vouch.peer.v2.Peering/Session";

/// How vtep1 of the demo says hello, which calls the others: version 2, its name, its VTEP address, an incarnation, its probe MAC.
const HELLO: &[u8] = b"\x0a\x18\x08\x02\x12\x05vtep1\x1d\x01\x00\x00\x0a\x20\x01\x2a\x06\x02\x00\x00\x00\xfe\x02";

/// Try an input.
///
/// # Panics
/// Where the agent does what it must not.
pub fn run(data: &[u8]) {
    let world = world();
    world.runtime.block_on(async {
        // It may be refused, with whatever reason.
        let _ = session(&world, messages(data)).await;
        let answers = session(&world, vec![Bytes::from_static(HELLO)]).await.expect("vtep1 is a peer");
        let hello = answers.first().is_some_and(|first| first.starts_with(b"\x0a"));
        assert!(hello, "a peer that says hello is answered with {answers:02x?}");
        assert!(world.agent.status().await.is_some(), "the agent has ended");
    });
}

/// Says all this, and hears what comes back until the session ends.
async fn session(world: &World, says: Vec<Bytes>) -> Result<Vec<Bytes>, Status> {
    let talk = async {
        let mut heard = call(world.peering.clone(), SESSION, iter(says)).await?;
        let mut answers = Vec::new();
        while let Some(Ok(answer)) = heard.next().await {
            answers.push(answer);
        }
        Ok(answers)
    };
    timeout(PATIENCE, talk).await.expect("a session ends when its peer has ended it")
}

/// Change an input so that frames stay frames.
pub fn mutate(data: &[u8], seed: u64) -> Vec<u8> {
    change(data, 0, seed)
}
