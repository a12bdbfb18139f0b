//! `vouch run` as an operator calls it.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};

fn vouch() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vouch"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs"));
    command
}

#[test]
fn without_a_switch_it_says_so_keeps_trying_and_stops_at_a_signal() {
    let mut agent = vouch()
        .args(["run", "demo/spine.yaml"])
        .env("VOUCH_LOG", "info")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut log = BufReader::new(agent.stderr.take().expect("piped")).lines();
    let waiting = log.by_ref().map_while(Result::ok).find(|line| line.contains("waiting for the switch"));
    let waiting = waiting.expect("it says what it waits for");
    assert!(waiting.contains("cannot reach the switch") && waiting.contains("trying again in"), "{waiting}");

    signal(&agent, "TERM");
    // Its log ends when it does.
    let rest: Vec<String> = log.map_while(Result::ok).collect();
    let status = agent.wait().expect("it was started");
    assert_eq!(status.code(), Some(0), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("SIGTERM")), "{rest:?}");
}

/// Sends a signal. The shell's own: kill(1) is not on every machine.
fn signal(agent: &Child, name: &str) {
    let kill = format!("kill -{name} {}", agent.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("there is a shell").success());
}

/// The next line with these words.
fn until(log: &mut impl Iterator<Item = io::Result<String>>, words: &str) -> String {
    log.map_while(Result::ok).find(|line| line.contains(words)).unwrap_or_else(|| panic!("it never says {words}"))
}

/// What systemd would hear, and what a configuration that is read again does.
#[test]
fn files_are_read_again_whole_or_not_at_all_and_systemd_hears_of_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/demo");
    let file = |name: &str| folder.path().join(name);
    for name in ["spine.yaml", "vtep1.yaml"] {
        std::fs::copy(configs.join(name), file(name)).expect("the folder is writable");
    }
    let mut agent = vouch()
        .arg("run")
        .args([file("spine.yaml"), file("vtep1.yaml")])
        .env("VOUCH_LOG", "info")
        .env("NOTIFY_SOCKET", file("notify"))
        .env("WATCHDOG_USEC", "100000")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut log = BufReader::new(agent.stderr.take().expect("piped")).lines();
    let hears = |words: &str| {
        let mut buffer = [0; 256];
        loop {
            let length = socket.recv(&mut buffer).expect("it says something");
            if String::from_utf8_lossy(&buffer[..length]).contains(words) {
                break;
            }
        }
    };
    hears("READY=1");
    hears("WATCHDOG=1");
    hears("WATCHDOG=1");

    let spine = std::fs::read_to_string(file("spine.yaml")).expect("it is there");
    std::fs::write(file("vtep1.yaml"), "name: vtep1\nswich: {}\n").expect("writable");
    std::fs::write(file("spine.yaml"), spine.replace("name: spine", "name: spine9")).expect("writable");
    signal(&agent, "HUP");
    hears("RELOADING=1");
    let refused = until(&mut log, "the configuration is not taken");
    assert!(refused.contains("vtep1.yaml:2:1"), "{refused}");
    hears("READY=1");

    std::fs::copy(configs.join("vtep1.yaml"), file("vtep1.yaml")).expect("writable");
    signal(&agent, "HUP");
    let taken = until(&mut log, "has been read again");
    assert!(taken.contains("changed=1") && taken.contains("unchanged=1"), "{taken}");
    until(&mut log, "spine9");
    signal(&agent, "TERM");
    hears("STOPPING=1");
    drop(log);
    assert_eq!(agent.wait().expect("it was started").code(), Some(0));
}

/// What `vouch reload` prints, and its exit status.
fn reload(socket: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output =
        vouch().arg("reload").args(arguments).arg("--socket").arg(socket).output().expect("the command starts");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), text)
}

#[test]
fn files_are_read_again_at_an_operators_word_and_what_is_different_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name);
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/demo");
    let spine = std::fs::read_to_string(demo.join("spine.yaml")).expect("it is there");
    let vtep = std::fs::read_to_string(demo.join("vtep1.yaml")).expect("it is there");
    let vtep = format!("{vtep}\nmanagement: {{socket: vtep1.sock}}\n");
    let write = |name: &str, text: &str| std::fs::write(file(name), text).expect("the folder is writable");
    write("spine.yaml", &spine);
    write("vtep1.yaml", &vtep);
    let mut agent = vouch()
        .args(["run", "--metrics", "127.0.0.1:0"])
        .args([file("spine.yaml"), file("vtep1.yaml")])
        .env("VOUCH_LOG", "info")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut log = BufReader::new(agent.stderr.take().expect("piped")).lines();
    let metrics = until(&mut log, "metrics at http://");
    let address =
        metrics.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("it says where").to_owned();
    let socket = file("vtep1.sock");
    let figures = |line: &str| page(&address, "/metrics").1.lines().any(|found| found == line);

    // Nothing has changed.
    let (code, text) = reload(&socket, &["--dry-run"]);
    let same =
        "spine: unchanged; certificates would be read again\nvtep1: unchanged; certificates would be read again\n";
    assert_eq!(code, Some(0), "{text}");
    assert!(text.ends_with(same), "{text}");
    // What would be different, and is not.
    let other = vtep.replace("vni: 5001\n", "vni: 5001\n    during_verification: hold\n");
    write("vtep1.yaml", &other);
    let would = "vtep1: would be started anew with\n  vnis[5001].during_verification: escalate -> hold\n";
    for _ in 0..2 {
        let (code, text) = reload(&socket, &["--dry-run"]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.ends_with(would), "{text}");
    }
    assert!(!figures("vouch_reloads_total{taken=\"true\"} 1"));

    // A wrong file is refused whole: in the answer, in the log, in the status and in a figure.
    write("spine.yaml", &spine.replace("name: spine", "name: spine9"));
    write("vtep1.yaml", "name: vtep1\nswich: {}\n");
    let (code, text) = reload(&socket, &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("vtep1.yaml:2:1") && text.ends_with("vtep1: nothing is taken; what was in use before stays\n"),
        "{text}"
    );
    assert!(until(&mut log, "the configuration is not taken").contains("vtep1.yaml:2:1"));
    let status = vouch().arg("status").arg("--socket").arg(&socket).output().expect("the command starts");
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(
        status.starts_with("vtep1 at ") && status.contains("s ago is not taken: ") && status.contains("vtep1.yaml:2:1"),
        "{status}"
    );
    assert!(figures("vouch_reloads_total{taken=\"false\"} 1"));

    // All of it is taken, also by the agent that is asked.
    write("spine.yaml", &spine.replace("device_id: ", "device_id: 1"));
    write("vtep1.yaml", &other);
    let (code, text) = reload(&socket, &["--json"]);
    assert_eq!(code, Some(0), "{text}");
    let answer: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!((&answer["taken"], &answer["agents"][0]["what"]), (&true.into(), &"WHAT_CHANGED".into()), "{text}");
    assert_eq!(answer["agents"][0]["fields"][0]["field"], "switch.device_id", "{text}");
    assert!(until(&mut log, "has been read again").contains("changed=2"));
    let status = vouch().arg("status").arg("--socket").arg(&socket).output().expect("the command starts");
    assert!(!String::from_utf8_lossy(&status.stdout).contains("is not taken"));
    assert!(figures("vouch_reloads_total{taken=\"true\"} 1"));
    signal(&agent, "TERM");
    // Its log ends when it does.
    log.map_while(Result::ok).for_each(drop);
    assert_eq!(agent.wait().expect("it was started").code(), Some(0));
}

/// A page, its status, and what it says.
fn page(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: vouch\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

#[test]
fn figures_are_served_in_a_form_that_prometheus_reads() {
    let mut agent = vouch()
        .args(["run", "--metrics", "127.0.0.1:0", "demo/spine.yaml", "demo/vtep1.yaml"])
        .env("VOUCH_LOG", "info")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut log = BufReader::new(agent.stderr.take().expect("piped")).lines();
    let address = log.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, address) = line.split_once("http://")?;
        address.split_once("/metrics").map(|(address, _)| address.to_owned())
    });
    let address = address.expect("it says where");
    let (status, text) = page(&address, "/metrics");
    let (ready, waiting) = page(&address, "/ready");
    let (other, _) = page(&address, "/");
    agent.kill().and_then(|()| agent.wait()).expect("it runs");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(text.contains("\nvouch_ready{agent=\"spine\"} 0\n") && text.contains("agent=\"vtep1\""), "{text}");
    assert_eq!(
        (ready.as_str(), waiting.as_str()),
        ("HTTP/1.1 503 Service Unavailable", "not in charge of its switch: spine, vtep1\n")
    );
    assert_eq!(other, "HTTP/1.1 404 Not Found");

    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let parse = "import sys; from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse; \
                 print(len(list(parse(sys.stdin.read()))))";
    if !Command::new(&python).args(["-c", "import prometheus_client"]).output().is_ok_and(|it| it.status.success()) {
        eprintln!("SKIPPED: {python} has no prometheus_client, whose parser is to read the figures");
        return;
    }
    let mut parser = Command::new(&python);
    parser.args(["-c", parse]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut parser = parser.spawn().expect("it starts");
    parser.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
    let read = parser.wait_with_output().expect("it ends");
    assert!(read.status.success(), "{}\n{text}", String::from_utf8_lossy(&read.stderr));
    let families: usize = String::from_utf8_lossy(&read.stdout).trim().parse().expect("a number");
    assert!(families > 70, "{families}");
}

#[test]
fn the_log_can_be_json_and_has_no_colours_where_nobody_sees_them() {
    for format in ["json", "text"] {
        let mut agent = vouch()
            .args(["run", "demo/spine.yaml", "--log-format", format])
            .env("VOUCH_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut log = BufReader::new(agent.stderr.take().expect("piped")).lines();
        let waiting = log.by_ref().map_while(Result::ok).find(|line| line.contains("waiting for the switch"));
        // The shell's own: kill(1) is not on every machine.
        let kill = format!("kill -TERM {}", agent.id());
        Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        agent.wait().expect("it was started");
        let waiting = waiting.expect("it says what it waits for");
        assert!(!waiting.contains('\x1b'), "{waiting}");
        if format == "json" {
            let line: serde_json::Value = serde_json::from_str(&waiting).expect("it is JSON");
            assert_eq!((&line["level"], &line["agent"]), (&"INFO".into(), &"spine".into()));
        }
    }
    let output = vouch().args(["run", "demo/spine.yaml", "--log-format", "xml"]).output().expect("the command starts");
    assert_eq!(output.status.code(), Some(2));
}
