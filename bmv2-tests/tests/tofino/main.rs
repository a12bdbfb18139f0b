//! The program for Tofino against the one for v1model, on the embedded switch. `packets` has the same on BMv2.

#[path = "../packets/bench.rs"]
#[expect(dead_code, reason = "the bench of `packets`")]
mod bench;
#[path = "../packets/cases.rs"]
#[expect(dead_code, reason = "what each program must do is checked in `packets`")]
mod cases;
#[path = "../packets/entries.rs"]
mod entries;
#[path = "../packets/frames.rs"]
mod frames;
#[path = "../packets/mutants.rs"]
mod mutants;
#[path = "../packets/network.rs"]
mod network;
#[path = "../packets/programs.rs"]
mod programs;

use vouch_lab::target::Embedded;

#[tokio::test]
async fn both_programs_do_the_same() {
    if let Err(problems) = programs::compare(&Embedded::default()).await {
        panic!("{problems}");
    }
}
