//! The `p4-switch-cli` command. All of it is in the library, so that tests can use it on switches of other kinds.

fn main() -> std::process::ExitCode {
    p4_switch::cli::main(std::env::args_os())
}
