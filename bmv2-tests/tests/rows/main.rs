//! Some of the rows on Linux hosts, on `p4-switch`. The process moves into a network namespace before it has threads, and is the
//! switches and the agents too, so it brings its own `main`.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod standing;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: network namespaces are Linux's");
}
