//! What comes from the switch: frames that hosts send, and whatever else a P4Runtime server may say, of any content.
//!
//! An input is a number of messages, each with a byte before it that says where it is said: on the stream, in answer to a read, or in the details of what is
//! wrong with a write. Reads and writes follow when the session ends and another begins. Whatever was said, once the switch is honest again, and another
//! session has begun, the agent has its tables as they should be.

use bytes::Bytes;

use super::{change, messages, until, world};

/// Try an input.
///
/// # Panics
/// Where the agent does what it must not.
pub fn run(data: &[u8]) {
    let world = world();
    world.runtime.block_on(async {
        let mut lies = false;
        for mut message in messages(data) {
            if message.is_empty() {
                continue;
            }
            let said = message.split_off(1);
            match message[0] % 8 {
                0 => world.between.answers_reads_with(said),
                1 => world.between.refuses_writes_with(said),
                _ => {
                    world.between.says(said);
                    continue;
                }
            }
            lies = true;
        }
        assert!(world.agent.status().await.is_some(), "the agent has ended");
        if lies {
            // A switch that has nothing is written to.
            world.between.answers_reads_with(Bytes::new());
            world.between.breaks_off_and_lies().await;
            until(&world.agent, |status| status.ready || world.between.has_lied()).await;
            world.between.is_honest();
        }
        // Who has been told that another controller is in charge waits to hear otherwise.
        world.between.breaks_off();
        until(&world.agent, |status| status.ready).await;
    });
}

/// Change an input so that messages stay messages.
pub fn mutate(data: &[u8], seed: u64) -> Vec<u8> {
    change(data, 1, seed)
}
