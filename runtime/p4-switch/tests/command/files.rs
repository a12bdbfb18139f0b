//! `--use-files`: packets from files to files, without any right; and the end of a switch.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{file, frame, p4_switch, read, text, write};

/// How long anything may take that does not fail.
const PATIENCE: Duration = Duration::from_secs(20);

/// A switch with files in a folder, ended with this value.
struct Switch {
    child: Child,
    folder: PathBuf,
}

impl Switch {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        // Files and not pipes: nobody reads while it runs, and a pipe would fill up.
        let output = |name: &str| File::create(folder.join(name)).expect("the file is made");
        let mut command = p4_switch();
        command.args(["--use-files", "0", "-i", "1@a", "-i", "2@b", "--grpc-server-addr", "127.0.0.1:0"]);
        command.args(arguments).current_dir(folder).stdout(output("stdout")).stderr(output("stderr"));
        Self { child: command.spawn().expect("the command starts"), folder: folder.to_owned() }
    }

    /// Wait until it has said something on stdout.
    fn says(&self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.printed("stdout").contains(words) {
            assert!(Instant::now() < deadline, "{words:?} does not come: {}", self.printed("stderr"));
            sleep(Duration::from_millis(5));
        }
    }

    fn printed(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).expect("it is text")
    }

    /// End it by a signal; whether that was a clean end, and what it printed.
    fn end(mut self, signal: &str) -> (Option<i32>, String, String) {
        let killed = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(Instant::now() < deadline, "{signal} does not end it");
            sleep(Duration::from_millis(5));
        };
        (status.code(), self.printed("stdout"), self.printed("stderr"))
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // It has ended, or is ended now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(path: &Path, packets: usize) -> Vec<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = read(path);
        if found.len() >= packets {
            return found;
        }
        assert!(Instant::now() < deadline, "{}: {} of {packets} packets", path.display(), found.len());
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn packets_go_from_file_to_file_in_the_order_of_their_time_stamps() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    write(&at("a_in.pcap"), &(0..100).map(|number| (2 * u64::from(number), frame(number))).collect::<Vec<_>>());
    write(&at("b_in.pcap"), &(0..3).map(|number| (50 * u64::from(number) + 1, frame(number))).collect::<Vec<_>>());
    let program = file("programs/patch.json");
    let switch = Switch::start(folder.path(), &[program.to_str().expect("a plain path"), "--trace=json"]);
    let out = until(&at("b_out.pcap"), 100);
    assert_eq!(out, (0..100).map(frame).collect::<Vec<_>>());
    assert_eq!(until(&at("a_out.pcap"), 3), (0..3).map(frame).collect::<Vec<_>>());

    let (status, stdout, stderr) = switch.end("-TERM");
    assert_eq!(status, Some(0), "{stderr}");
    // The order over both files shows in the trace.
    let traces = stdout.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let ports: Vec<_> = traces.filter_map(|trace| trace["port"].as_u64()).collect();
    let expected: Vec<u64> =
        (0..100).flat_map(|number| if number % 25 == 0 && number < 75 { vec![1, 2] } else { vec![1] }).collect();
    assert_eq!(ports, expected);
}

/// Whoever writes into a pipe may wait for the switch first: p4c's runner of tests does.
#[test]
fn packets_enter_from_pipes_that_are_written_when_the_switch_is_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    for name in ["a_in.pcap", "b_in.pcap"] {
        let made = std::process::Command::new("mkfifo").arg(at(name)).status().expect("mkfifo is there");
        assert!(made.success());
    }
    let program = file("programs/patch.json");
    let switch = Switch::start(folder.path(), &[program.to_str().expect("a plain path")]);
    switch.says("Server listening on 127.0.0.1:");
    write(&at("b_in.pcap"), &[(7, frame(7))]);
    write(&at("a_in.pcap"), &[(3, frame(3)), (9, frame(9))]);
    assert_eq!(until(&at("b_out.pcap"), 2), [frame(3), frame(9)]);
    assert_eq!(until(&at("a_out.pcap"), 1), [frame(7)]);
    assert_eq!(switch.end("-TERM").0, Some(0));
}

/// Who looks for what happened to a packet looks in that file, for these words.
#[test]
fn the_log_is_where_and_as_it_is_with_bmv2() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    write(&at("a_in.pcap"), &[(1, frame(1))]);
    write(&at("b_in.pcap"), &[]);
    let program = file("programs/patch.json");
    let program = program.to_str().expect("a plain path");
    let switch = Switch::start(folder.path(), &[program, "--bmv2-compat", "--log-file", "s1"]);
    assert_eq!(until(&at("b_out.pcap"), 1), [frame(1)]);
    assert_eq!(switch.end("-TERM").0, Some(0));
    let log = fs::read_to_string(at("s1.txt")).expect("the log is there");
    for words in [
        "[0.0] [cxt 0] Processing packet received on port 1",
        "[0.0] [cxt 0] Parser 'parser': start",
        "[0.0] [cxt 0] Pipeline 'ingress': start",
        "[0.0] [cxt 0] Egress port is 2",
        "[0.0] [cxt 0] Transmitting packet of size 60 out of port 2",
    ] {
        assert!(log.contains(words), "{words} is not in\n{log}");
    }
    let first = log.lines().find(|line| line.contains("Processing packet")).expect("it is there");
    let front: Vec<_> = first.split(' ').take(5).collect();
    assert!(front[0].len() == "[09:16:23.123]".len() && front[1..4] == ["[bmv2]", "[D]", "[thread"], "{first}");
}

#[test]
fn a_file_that_is_missing_or_broken_ends_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = |arguments: &[&str]| {
        let mut command = p4_switch();
        command.args(["--no-p4", "--use-files", "0", "-i", "1@a"]).args(arguments).current_dir(folder.path());
        let output = command.output().expect("the command runs");
        (output.status.code(), text(&output).1)
    };
    let (status, message) = output(&[]);
    assert_eq!((status, message.trim()), (Some(1), "p4-switch: a_in.pcap: No such file or directory (os error 2)"));
    fs::write(folder.path().join("a_in.pcap"), "no").expect("the file is written");
    let (status, message) = output(&[]);
    assert_eq!((status, message.trim()), (Some(1), "p4-switch: a_in.pcap: this is not a capture: it is too short"));
}

#[test]
fn what_is_ignored_is_said_once_and_sigint_ends_it_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(&folder.path().join("a_in.pcap"), &[]);
    write(&folder.path().join("b_in.pcap"), &[]);
    let switch = Switch::start(folder.path(), &["--no-p4", "--restore-state", "x", "--log-console", "-L", "info"]);
    switch.says("Server listening on 127.0.0.1:");
    let (status, stdout, stderr) = switch.end("-INT");
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(
        stderr,
        "p4-switch: --restore-state is ignored: there are no state files; write the state over P4Runtime\n"
    );
    assert!(stdout.contains("SIGINT: stopping"), "{stdout}");
}
