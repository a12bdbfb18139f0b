//! `vouch run --log-format journald`, with a journal of our own: where systemd's has its socket, in a mount namespace.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

/// `vouch run` in a mount namespace in which `folder` is where systemd's journal has its socket; `None` if this machine lets nobody make one.
fn vouch(folder: &Path) -> Option<Command> {
    let namespace = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount"]);
        command
    };
    if !namespace().arg("true").output().is_ok_and(|tried| tried.status.success()) {
        eprintln!("SKIPPED: `unshare --map-root-user --mount` makes no namespace here");
        return None;
    }
    let there = "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount --bind \"$0\" /run/systemd/journal";
    let mut command = namespace();
    command.args(["sh", "-c", &format!("{there} && exec \"$@\"")]).arg(folder);
    command.args([env!("CARGO_BIN_EXE_vouch"), "run", "demo/spine.yaml", "--log-format", "journald"]);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")).env("VOUCH_LOG", "info");
    command.stderr(Stdio::piped());
    Some(command)
}

/// The fields of one datagram: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.
fn fields(mut datagram: &[u8]) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it is text");
    let mut fields = BTreeMap::new();
    while let Some(end) = datagram.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = (text(&datagram[..end]), &datagram[end + 1..]);
        let (name, value, rest) = match line.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned(), rest),
            None => {
                let (length, rest) = rest.split_first_chunk().expect("the length of the value");
                let length = usize::try_from(u64::from_le_bytes(*length)).expect("it fits the datagram");
                assert_eq!(rest[length], b'\n', "a value ends its line");
                (line, text(&rest[..length]), &rest[length + 1..])
            }
        };
        assert!(fields.insert(name.clone(), value).is_none(), "{name} is there twice");
        datagram = rest;
    }
    fields
}

#[test]
fn the_journal_gets_each_event_with_its_fields_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let journal = UnixDatagram::bind(folder.path().join("socket")).expect("a socket");
    let Some(mut agent) = vouch(folder.path()) else { return };
    let mut agent = agent.spawn().expect("the command starts");
    let mut buffer = [0; 4096];
    let waiting = loop {
        let length = journal.recv(&mut buffer).expect("it says something");
        let event = fields(&buffer[..length]);
        if event.get("MESSAGE").is_some_and(|message| message.contains("waiting for the switch")) {
            break event;
        }
    };
    agent.kill().and_then(|()| agent.wait()).expect("it runs");
    let field = |name: &str| waiting.get(name).map(String::as_str);
    assert_eq!(field("VOUCH_AGENT"), Some("spine"), "{waiting:?}");
    assert!(field("VOUCH_REASON").is_some_and(|reason| reason.contains("cannot reach the switch")), "{waiting:?}");
    assert_eq!((field("SYSLOG_IDENTIFIER"), field("PRIORITY")), (Some("vouch"), Some("6")), "{waiting:?}");
}

#[test]
fn where_there_is_no_journal_it_says_so_and_starts_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(mut agent) = vouch(folder.path()) else { return };
    let output = agent.output().expect("the command starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let said = ["--log-format journald", "/run/systemd/journal/socket", "No such file", "`text` or `json`"];
    assert!(said.iter().all(|words| errors.contains(words)), "{errors}");
}
