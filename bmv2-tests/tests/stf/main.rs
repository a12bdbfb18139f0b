//! The STF player, from the grammar to a folder of tests.

mod command;
mod grammar;
#[path = "../packets/p4testgen.rs"]
#[expect(dead_code, reason = "`tofino` and `packets` play the others")]
mod p4testgen;
mod playing;

/// Packets and tables from an independent model of BMv2, and what is to come of them.
#[test]
fn the_pipeline_does_what_p4testgen_says() {
    if let Err(problems) = p4testgen::play_in_process(p4testgen::V1MODEL, p4testgen::OF_V1MODEL) {
        panic!("{problems}");
    }
}
