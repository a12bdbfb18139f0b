//! The `p4-switch` command. All of it is in the library, so that tests can be a switch as well.

fn main() -> std::process::ExitCode {
    p4_switch::main(std::env::args_os())
}
