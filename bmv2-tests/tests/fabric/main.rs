//! The lab's fabric on BMv2. The process moves into a network namespace before it has threads, so it brings its own `main`.

#[cfg(target_os = "linux")]
mod example;
#[cfg(target_os = "linux")]
mod scenarios;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    vouch_bmv2_tests::harness::run(scenarios::tests())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: veth pairs and network namespaces are Linux's");
}
