//! The pipeline by the tests that p4testgen wrote for it, without BMv2. The player has its own tests beside it.

#[path = "../packets/p4testgen.rs"]
#[expect(dead_code, reason = "`tofino` and `packets` play the others")]
mod p4testgen;

use p4_switch::streamed::Server;

/// Packets and tables from an independent model of BMv2, and what is to come of them.
#[test]
fn the_pipeline_does_what_p4testgen_says() {
    if let Err(problems) = p4testgen::play_in_process(p4testgen::V1MODEL, p4testgen::OF_V1MODEL) {
        panic!("{problems}");
    }
}

/// The same where entries, frames and what is read go through a server.
#[test]
fn behind_p4runtime_the_pipeline_does_what_p4testgen_says() {
    if let Err(problems) = p4testgen::play_on(&Server, &[p4testgen::V1MODEL], p4testgen::OF_V1MODEL) {
        panic!("{problems}");
    }
}
