//! `p4-switch-cli` as a command: its exit codes, and where what is printed.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::text;

fn cli(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_p4-switch-cli"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    // It may have ended before it reads.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let (stdout, stderr) = text(&output);
    (output.status.code(), stdout, stderr)
}

/// A switch at an address of its own, which ends with this value.
struct Server {
    _handle: vouch_switch_server::ServerHandle,
    _runtime: tokio::runtime::Runtime,
    address: String,
}

fn server() -> Server {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let switch = vouch_switch_server::SwitchServer::builder().device_id(0).build().expect("it has no ports");
    let handle = runtime.block_on(switch.listen("127.0.0.1:0")).expect("a free port");
    Server { address: handle.local_addr().to_string(), _handle: handle, _runtime: runtime }
}

#[test]
fn commands_come_from_standard_input_or_a_file() {
    let server = server();
    let json = crate::support::file("programs/patch.json");
    let arguments = ["--grpc-addr", &server.address, "--json", json.to_str().expect("a plain path")];
    let add = "table_add exceptions redirect 0&&&0 0x88b5 => 7 10\n";
    assert_eq!(cli(&arguments, add), (Some(0), "Entry has been added with handle 0\n".to_owned(), String::new()));

    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("commands.txt");
    std::fs::write(&script, "table_delete exceptions 1\ntable_num_entries exceptions\n").expect("it is written");
    let script = script.to_str().expect("a plain path");
    let refused = "line 1: table_delete: the table has no entry with handle 1\n".to_owned();
    let arguments = ["--grpc-addr", &server.address, script];
    assert_eq!(cli(&arguments, add), (Some(1), String::new(), refused.clone()));
    let arguments = ["--grpc-addr", &server.address, "--keep-going", script];
    assert_eq!(cli(&arguments, add), (Some(1), "1\n".to_owned(), refused));
}

#[test]
fn a_running_program_is_kept_and_that_is_said() {
    let server = server();
    let json = crate::support::file("programs/patch.json");
    let arguments = ["--grpc-addr", &server.address, "--json", json.to_str().expect("a plain path")];
    assert_eq!(cli(&arguments, ""), (Some(0), String::new(), String::new()));
    let kept = "p4-switch-cli: the switch runs a program already; load_new_config_file and swap_configs replace it\n";
    assert_eq!(cli(&arguments, "table_num_entries exceptions"), (Some(0), "0\n".to_owned(), kept.to_owned()));
}

#[test]
fn mistakes_in_the_arguments_are_told() {
    let told = |arguments: &[&str]| {
        let (status, stdout, stderr) = cli(arguments, "");
        assert_eq!((status, stdout.as_str()), (Some(1), ""));
        stderr.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(told(&["/nothing.txt"]), "p4-switch-cli: /nothing.txt: No such file or directory (os error 2)");
    assert_eq!(told(&["--tls-ca", "/no.pem"]), "p4-switch-cli: /no.pem: No such file or directory (os error 2)");
    assert_eq!(
        told(&["--grpc-addr", "here"]),
        "p4-switch-cli: `here` is not a switch's address (HOST:PORT, optionally with http:// or https:// before it)"
    );
    assert_eq!(told(&["--election-id", "0"]), "p4-switch-cli: election id 0 can never become primary; use 1 or more");
    let missing = told(&["--tls-key", "k.pem"]);
    assert_eq!(missing, "error: the following required arguments were not provided:");
    let (status, stdout, _) = cli(&["--help"], "");
    assert!(status == Some(0) && stdout.contains("the lowest priority wins"), "{stdout}");
}
