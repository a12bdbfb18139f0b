//! The `p4-switch` command. All of it is in the library, so that tests can be a switch as well.

/// Table entries and messages are many small allocations; with it, a batch of writes takes two thirds of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    p4_switch::main(std::env::args_os())
}
