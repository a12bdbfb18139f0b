//! BMv2's own command line, unmodified, on this switch and on BMv2: it prints the same. Needs BMv2; no rights and no interfaces.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::support::{PATIENCE, have, kinds};

const SCRIPT: &str = include_str!("../scripts/simple_switch_cli.txt");

/// What has no counterpart: it ends BMv2 or its client, or tells of a moment or a process.
const OURS: &str = "switch_info\nget_time_elapsed\nget_time_since_epoch\n\
    pvs_add Parse.special_kinds 0x600\npvs_get Parse.special_kinds\npvs_remove Parse.special_kinds 0x600\n";

/// Commands that are refused by an exception which the client does not catch.
const REFUSED: [(&str, &str); 4] = [
    ("serialize_state /dev/null", "the state cannot be serialized"),
    ("set_queue_rate 0 1 7", "there is no queue of priority 7: each port has 1, numbered from 0"),
    ("set_queue_depth 5 1 1", "there is no queue of priority 1: each port has 1, numbered from 0"),
    ("set_toeplitz_hash_key calc 00112233", "InvalidToeplitzHashOperation(code=1)"),
];

/// A switch of either kind on a free port, ended with this value.
struct Switch {
    child: Child,
    port: u16,
}

impl Switch {
    fn start(mut command: Command) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        command.arg(kinds()).args(["--thrift-port", &port.to_string(), "-L", "off"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let switch = Self { child: command.spawn().expect("it starts"), port };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < deadline, "{command:?} does not listen");
            std::thread::yield_now();
        }
        switch
    }

    /// What the client prints when it is given these lines.
    fn play(&self, script: &str) -> String {
        let mut client = Command::new("simple_switch_CLI");
        client.args(["--thrift-port", &self.port.to_string()]);
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut client = client.spawn().expect("it was there a moment ago");
        client.stdin.take().expect("it is piped").write_all(script.as_bytes()).expect("it reads");
        let output = client.wait_with_output().expect("it ends");
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("it is text")).concat()
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // It has ended, or is ended now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is the same whenever it is asked: the milliseconds since an entry's hit are not.
fn lasting(printed: &str) -> Vec<String> {
    let line = |line: &str| match line.strip_prefix("Life: ").and_then(|life| life.split_once("ms since hit")) {
        Some((since, rest)) if since.parse::<u32>().is_ok() => format!("Life: some ms since hit{rest}"),
        _ => line.to_owned(),
    };
    printed.lines().map(line).collect()
}

#[test]
fn simple_switch_cli_prints_what_it_prints_on_bmv2() {
    if !have("simple_switch_cli_prints_what_it_prints_on_bmv2", &["simple_switch_CLI", "simple_switch"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = |name: &str| SCRIPT.replace("CONFIG", &folder.path().join(name).display().to_string());
    let mut ours = Command::new(env!("CARGO_BIN_EXE_p4-switch"));
    ours.args(["--grpc-server-addr", "127.0.0.1:0", "--disable-swap"]);
    let mut theirs = Command::new("simple_switch");
    // Which is one for all of them on a machine unless told otherwise.
    theirs.arg("--notifications-addr").arg(format!("ipc://{}/notifications", folder.path().display()));
    let (ours, theirs) = (Switch::start(ours), Switch::start(theirs));
    let (printed, expected) = (ours.play(&script("ours")), theirs.play(&script("theirs")));
    for (ours, theirs) in lasting(&printed).iter().zip(&lasting(&expected)) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(lasting(&printed).len(), lasting(&expected).len());
    let written = |name: &str| fs::read(Path::new(folder.path()).join(name)).expect("the program was written");
    assert!(written("ours") == written("theirs"));

    let more = ours.play(OURS);
    assert!(more.contains("000600") && !more.contains("Error") && !more.contains("Traceback"), "{more}");
    for (command, why) in REFUSED {
        let printed = ours.play(command);
        assert!(printed.contains(why), "{command}: {printed}");
    }
    let (_, documented) = expected.split_once("Documented commands").expect("the script begins with help");
    let documented = documented.split_once("====\n").and_then(|(_, all)| all.split_once("\n\n"));
    let played: Vec<&str> = SCRIPT.lines().chain(OURS.lines()).chain(REFUSED.map(|(line, _)| line)).collect();
    for command in documented.expect("help has this form").0.split_whitespace() {
        assert!(played.iter().any(|line| line.split(' ').next() == Some(command)), "{command} was not played");
    }
}
