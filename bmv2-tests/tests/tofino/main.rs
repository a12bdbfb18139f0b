//! The program for Tofino, on the embedded switch: against the one for v1model, and against p4testgen's model of TNA.

#[path = "../packets/bench.rs"]
#[expect(dead_code, reason = "the bench of `packets`")]
mod bench;
#[path = "../packets/cases.rs"]
#[expect(dead_code, reason = "what each program must do is checked in `packets`")]
mod cases;
#[path = "../packets/entries.rs"]
mod entries;
#[path = "../packets/mutants.rs"]
mod mutants;
#[path = "../packets/network.rs"]
mod network;
#[path = "../packets/p4testgen.rs"]
#[expect(dead_code, reason = "`packets` plays them on BMv2")]
mod p4testgen;
mod programs;

use vouch_bmv2_tests::frames;
use vouch_lab::target::Embedded;

#[tokio::test]
async fn both_programs_do_the_same() {
    if let Err(problems) = programs::compare(&Embedded::default()).await {
        panic!("{problems}");
    }
}

/// Packets and tables from an independent model of TNA, and what is to come of them.
#[test]
fn both_programs_do_what_p4testgen_says_of_the_one_for_tofino() {
    for (program, tests) in [
        (p4testgen::TOFINO, p4testgen::OF_TOFINO),
        (p4testgen::V1MODEL, p4testgen::OF_TOFINO),
        // In these, no outer checksum is right, so only the program that does not look at it may be asked.
        (p4testgen::UNCHECKED, p4testgen::OF_UNCHECKED),
    ] {
        if let Err(problems) = p4testgen::play_in_process(program, tests) {
            panic!("{problems}");
        }
    }
}
