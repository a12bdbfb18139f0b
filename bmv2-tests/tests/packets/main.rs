//! The pipeline on BMv2 and on the embedded switch. The process moves into a network namespace before it has threads, so it
//! brings its own `main`.

#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod cases;
#[cfg(target_os = "linux")]
mod entries;
#[cfg(target_os = "linux")]
mod mutants;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod oracle;
#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "`tofino` plays the others in its process")]
mod p4testgen;
#[cfg(target_os = "linux")]
mod protocol;

#[cfg(target_os = "linux")]
use vouch_bmv2_tests::frames;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    vouch_bmv2_tests::harness::run(oracle::tests())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: veth pairs and network namespaces are Linux's");
}
