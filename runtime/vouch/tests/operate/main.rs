//! The commands that ask running agents, as an operator calls them: beside a fabric of three VTEPs on which a host moves and another is
//! claimed in vain.

mod walk;

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tokio::sync::mpsc;
use vouch_agent::AgentEventKind;
use vouch_lab::log::Mark;
use vouch_lab::target::Embedded;
use vouch_lab::topology::{ATTACKER, PortRef};
use vouch_lab::{Announcement, Fabric, FabricOptions, Topology};
use vouch_mobility::{Message, Report, Sync};

/// Long enough for a loaded machine; no test waits for it to pass unless it is to fail.
const PATIENCE: Duration = Duration::from_secs(30);
const VTEPS: [&str; 3] = ["vtep1", "vtep2", "vtep3"];

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vouch"));
    command.args(arguments).stdin(Stdio::null());
    command
}

async fn vouch(arguments: &[&str]) -> (i32, String, String) {
    let mut command = command(arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("nobody panics");
    let Output { status, stdout, stderr } = output.expect("the command starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
    (status.code().expect("it was not killed"), text(stdout), text(stderr))
}

/// A fabric, and how to speak to its agents.
struct Stage {
    fabric: Fabric,
    /// `--agents FILE`: all agents.
    all: [String; 2],
    _file: tempfile::NamedTempFile,
}

impl Stage {
    async fn start() -> Self {
        let fabric = Fabric::start(&Embedded::default(), Topology::demo(), FabricOptions::default()).await;
        let fabric = fabric.expect("the fabric starts");
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let sockets: Vec<String> =
            VTEPS.iter().map(|vtep| format!("{} # {vtep}\n", fabric.socket(vtep).display())).collect();
        std::fs::write(file.path(), sockets.concat()).expect("it is writable");
        let all = ["--agents".to_owned(), file.path().display().to_string()];
        Self { fabric, all, _file: file }
    }

    fn socket(&self, vtep: &str) -> PathBuf {
        self.fabric.socket(vtep)
    }

    /// A command for all agents.
    async fn all(&self, arguments: &[&str]) -> (i32, String, String) {
        let all: Vec<&str> = self.all.iter().map(String::as_str).collect();
        vouch(&[arguments, &all].concat()).await
    }

    /// The same for one.
    async fn one(&self, vtep: &str, arguments: &[&str]) -> (i32, String, String) {
        let socket = self.socket(vtep).display().to_string();
        vouch(&[arguments, &["--socket", &socket]].concat()).await
    }

    /// A line for a line: a JSON value for each answer.
    async fn json(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let (_, out, errors) = self.all(&[arguments, &["--json"]].concat()).await;
        out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}\n{errors}"))).collect()
    }

    /// Somebody claims to be red1 until it is refused.
    async fn forge(&self) {
        let (fabric, red1) = (&self.fabric, self.fabric.key("red1").expect("it is of the demo"));
        let mark = fabric.log().mark();
        let forged = Announcement::GratuitousReply.frame(&fabric.guest("red1").expect("it is of the demo").host);
        fabric.host(ATTACKER).expect("it is of the demo").send(forged).await.expect("it is there");
        let refused = fabric.log().wait(mark, PATIENCE, |event| match &event.kind {
            AgentEventKind::Report(Report::Stayed { host, .. }) if *host == red1 && *event.agent == *"vtep2" => {
                Some(())
            }
            _ => None,
        });
        refused.await.expect("red1 answers");
    }

    /// red3 moves from vtep3 to vtep2.
    async fn migrate(&mut self) {
        let seat = PortRef::new("vtep2", 4);
        self.fabric.arrive("red3", &seat).await.expect("the seat is free");
        let wrong = self.fabric.until_placed("red3", &seat, PATIENCE).await.expect("the tables can be read");
        assert_eq!(wrong, Vec::<String>::new());
        self.fabric.leave("red3", &seat).await.expect("it has moved");
    }
}

/// The lines that have all of these in them.
fn lines<'a>(text: &'a str, words: &[&str]) -> Vec<&'a str> {
    text.lines().filter(|line| words.iter().all(|word| line.contains(word))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_beside_a_fabric() {
    let mut stage = Stage::start().await;
    status(&stage).await;
    let mut watching = watch(&stage).await;
    stage.forge().await;
    watching.sees("stayed").await;
    drop(watching);
    hosts(&stage).await;
    story_of_a_refused_claim(&stage).await;
    stage.migrate().await;
    moves(&stage).await;
    unknown_hosts(&stage).await;
    lists(&stage).await;
    orders(&stage).await;
    out_of_use_and_back(&stage).await;
    an_agent_that_is_gone(&stage).await;
    stage.fabric.shutdown().await;
}

async fn status(stage: &Stage) {
    let (code, text, errors) = stage.all(&["status"]).await;
    assert_eq!(code, 0, "{text}{errors}");
    assert!(text.starts_with("vtep1 at 192.0.2.1, up for "), "{text}");
    assert_eq!(lines(&text, &["switch", "ready for", "in charge, program built in"]).len(), 3, "{text}");
    assert_eq!(lines(&text, &["peers", "2 of 2 up"]).len(), 3, "{text}");
    assert_eq!(lines(&text, &["all is well"]).len(), 3, "{text}");
    assert_eq!(lines(&text, &["hosts", "8: 3 here, 5 elsewhere; none in question"]).len(), 2, "{text}");
    let answers = stage.json(&["status"]).await;
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[0]["agent"], "vtep1");
    assert_eq!(answers[0]["switch"]["state"], "STATE_READY");
    assert_eq!(answers[0]["hosts"]["total"], 8);
}

/// `vouch watch`, and what it prints.
struct Watching {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Watching {
    /// Waits for a line of that kind.
    async fn sees(&mut self, kind: &str) {
        let found = async {
            while let Some(line) = self.lines.recv().await {
                if line.contains(&format!("  {kind} ")) {
                    return;
                }
            }
            panic!("it has ended");
        };
        tokio::time::timeout(PATIENCE, found).await.expect("it is told");
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn watch(stage: &Stage) -> Watching {
    let arguments = ["watch", "--kind", "stayed", "--kind", "moved", "--kind", "asked", &stage.all[0], &stage.all[1]];
    let mut child = command(&arguments).stdout(Stdio::piped()).spawn().expect("the command starts");
    let out = BufReader::new(child.stdout.take().expect("it is piped"));
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.blocking_send(line)));
    let mut watching = Watching { child, lines };
    // Hosts are asked all the time: once it says so, it watches.
    watching.sees("asked").await;
    watching
}

async fn hosts(stage: &Stage) {
    let (code, text, _) = stage.all(&["hosts"]).await;
    assert_eq!(code, 0);
    assert!(text.starts_with("HOST                    AT     PLACE   STATE"), "{text}");
    assert_eq!(lines(&text, &["5001 02:00:00:00:00:01", "vtep1", "port 2", "settled", "10.0.0.1"]).len(), 1, "{text}");
    assert_eq!(lines(&text, &["5002 02:00:00:00:00:01", "vtep1", "port 6"]).len(), 1, "{text}");
    assert!(!text.contains("disagreement"), "{text}");
    let of =
        async |arguments: &[&str]| stage.one("vtep1", &[&["hosts"], arguments].concat()).await.1.lines().count() - 1;
    assert_eq!(of(&["--vni", "5001"]).await, 5);
    assert_eq!(of(&["--mac", "02:00:00:00:00:01"]).await, 2);
    assert_eq!(of(&["--ip", "10.0.0.2", "--vni", "5002"]).await, 1);
    assert_eq!(of(&["--port", "2"]).await, 1);
    assert_eq!(of(&["--state", "contested"]).await, 0);
}

async fn story_of_a_refused_claim(stage: &Stage) {
    let (code, text, errors) = stage.all(&["why", "5001/02:00:00:00:00:01"]).await;
    assert_eq!(code, 0, "{errors}");
    // In order: heard where, claimed, told, refused; and at the owner: told, asked, answered, refused.
    let claimant = [
        "heard on port 3 by ARP, saying it has 10.0.0.1",
        "claimed for port 3, recorded at vtep1: it has to be asked",
        "told vtep1: it was heard here, with 10.0.0.1",
        "vtep1 says: STAYED",
        "STAYED at vtep1: the claim of port 3 is refused after ",
    ];
    let owner = [
        "vtep2 says: it was heard here, with 10.0.0.1",
        "is it still at port 2? vtep2 claims it",
        "asked on port 2 for ",
        "STAYED at port 2: the claim of vtep2 is refused after ",
        "told vtep2: STAYED",
    ];
    for (agent, story) in [("vtep2", claimant), ("vtep1", owner)] {
        let mut rest = text.as_str();
        for words in story {
            let at = rest.find(&format!("  {agent}  {words}")).unwrap_or_else(|| panic!("{words}:\n{text}"));
            rest = &rest[at + 1..];
        }
    }
    assert!(text.contains("\nIf it were claimed now:\n  vtep1: It would be asked on port 2 for "), "{text}");
    assert!(text.contains("Its silence for 300.0 ms would prove that it is gone"), "{text}");
    assert!(text.contains("in the switch: "), "{text}");
    // By its address it is the same; and there is one of that address in each VNI.
    let (_, by_ip, _) = stage.all(&["why", "10.0.0.1"]).await;
    assert!(by_ip.starts_with("5001 02:00:00:00:00:01\n") && by_ip.contains("\n5002 02:00:00:00:00:01\n"), "{by_ip}");
    let (_, elsewhere, _) = stage.one("vtep3", &["why", "5001/10.0.0.1"]).await;
    assert!(elsewhere.contains("Heard here, vtep1 would be asked to ask it"), "{elsewhere}");
}

async fn moves(stage: &Stage) {
    let (code, text, _) = stage.all(&["moves"]).await;
    assert_eq!(code, 0);
    let moved = "MOVED from port 2 to vtep2 after ";
    let moved = lines(&text, &["vtep3", "5001 02:00:00:00:00:03", moved, "it was going to answer, and did not"]);
    assert_eq!(moved.len(), 1, "{text}");
    assert_eq!(
        lines(&text, &["vtep1", "5001 02:00:00:00:00:01", "STAYED", "[", "answered on port 2"]).len(),
        1,
        "{text}"
    );
    let answers = stage.json(&["moves", "--last", "1"]).await;
    assert!(answers.iter().all(|list| list["moves"].as_array().is_none_or(|moves| moves.len() == 1)), "{answers:?}");
    assert_eq!(answers[2]["moves"][0]["verdict"]["kind"], "moved");
    let now = stage.all(&["hosts", "--mac", "02:00:00:00:00:03", "--vni", "5001"]).await.1;
    assert_eq!(lines(&now, &["vtep2", "port 4", "settled"]).len(), 1, "{now}");
}

async fn unknown_hosts(stage: &Stage) {
    let (code, out, errors) = stage.all(&["why", "02:00:00:00:01:01"]).await;
    assert_eq!((code, out.as_str()), (1, ""));
    let unknown = "no host `02:00:00:00:01:01` is known: vtep1 and vtep2 and vtep3 do not have it, nor remember it\n";
    assert!(errors.starts_with(unknown), "{errors}");
    assert!(errors.contains("did you mean 5001 02:00:00:00:00:01 at vtep1 with 10.0.0.1"), "{errors}");
    let (code, _, errors) = stage.one("vtep1", &["why", "02:00:00:00:01:zz"]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("is the address of one machine"), "{errors}");
    let (code, _, errors) = stage.one("vtep1", &["why", "red1"]).await;
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("`red1` names no host: give its MAC or IP address"), "{errors}");
    let (code, _, errors) = stage.one("vtep1", &["watch", "--kind", "mvoed"]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("`mvoed` is no kind of event: there are switch-ready, "), "{errors}");
}

async fn lists(stage: &Stage) {
    let (code, text, _) = stage.all(&["peers"]).await;
    assert_eq!((code, lines(&text, &["  up "]).len()), (0, 6), "{text}");
    let (code, text, _) = stage.one("vtep1", &["ports"]).await;
    assert_eq!(code, 0);
    assert_eq!(lines(&text, &["vtep1  port 2  5001", "up"]).len(), 1, "{text}");
    assert_eq!(lines(&text, &["vtep1  port 1  underlay"]).len(), 1, "{text}");
    let (code, text, _) = stage.all(&["bindings", "--vni", "5002"]).await;
    assert_eq!(code, 0);
    assert_eq!(lines(&text, &["5002", "10.0.0.3", "02:00:00:00:00:03", "vtep3", "confirmed"]).len(), 1, "{text}");
    assert_eq!(stage.all(&["claims"]).await.1, "AGENT  HOST  RECORDED  STATE  CLAIMED BY\n");
    let (code, text, _) = stage.all(&["attacks"]).await;
    assert_eq!(code, 0);
    assert_eq!(lines(&text, &["vtep2", "port 3", "5001 02:00:00:00:00:01", "refused"]).len(), 1, "{text}");

    let (code, text, _) = stage.one("vtep1", &["counters", "--all"]).await;
    assert_eq!(code, 0, "{text}");
    for reason in vouch_agent_reasons() {
        assert_eq!(lines(&text, &[&format!("switch.dropped.{reason} ")]).len(), 1, "{reason}: {text}");
    }
    assert_eq!(lines(&text, &["switch.policed.MOVE", "recorded elsewhere"]).len(), 1, "{text}");
    assert_eq!(lines(&text, &["machine.claims_received ", "  1  "]).len(), 1, "{text}");

    let (code, text, errors) = stage.all(&["tables"]).await;
    assert_eq!(code, 0, "{text}{errors}");
    assert_eq!(lines(&text, &["the switch has what it should have"]).len(), 3, "{text}");
    // One entry for each host.
    assert_eq!(lines(&text, &["vtep1", "recorded_location", "  8       8"]).len(), 1, "{text}");
}

/// Some reasons to drop that the P4 program has.
fn vouch_agent_reasons() -> [&'static str; 3] {
    ["UNKNOWN_INTERFACE", "CLAIM_HELD", "EXCEEDS_MTU"]
}

async fn orders(stage: &Stage) {
    let (code, text, _) = stage.all(&["probe", "5001/10.0.0.1"]).await;
    assert_eq!(code, 0, "{text}");
    assert_eq!(lines(&text, &["vtep1: asked on port 2 for 10.0.0.1", "it answers, after"]).len(), 1, "{text}");
    assert_eq!(lines(&text, &["vtep3: not asked", "is behind vtep1: ask the agent there"]).len(), 1, "{text}");
    let (code, _, errors) = stage.all(&["probe", "10.0.0.1"]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("may be any of 5001/02:00:00:00:00:01, 5002/02:00:00:00:00:01: say which"), "{errors}");

    let (code, text, _) = stage.all(&["clear", "refusals", "5001/02:00:00:00:00:01"]).await;
    assert_eq!((code, lines(&text, &["vtep2: 1 ports cleared"]).len()), (0, 1), "{text}");
    assert_eq!(stage.all(&["attacks"]).await.1, "AGENT  PORT  HOST  WHAT\n");
    let (code, text, errors) = stage.all(&["settle", "5001/02:00:00:00:00:01", "--keep", "2"]).await;
    assert_eq!((code, text.as_str()), (0, "vtep1: 5001 02:00:00:00:00:01 stays at port 2\n"), "{errors}");
    let (code, _, errors) = stage.all(&["settle", "5001/02:00:00:00:00:01", "--keep", "9"]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("no such access interface or peer"), "{errors}");
    let (code, _, errors) = stage.all(&["settle", "5001/02:00:00:00:00:09", "--keep", "2"]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("none of these agents has"), "{errors}");
}

/// vtep3 is taken out of use: its hosts are nobody's to others, who still reach them; a forged claim is found out; and it comes back.
async fn out_of_use_and_back(stage: &Stage) {
    let blue3 = "5002/02:00:00:00:00:03";
    let mark = stage.fabric.log().mark();
    let (code, text, errors) = stage.one("vtep3", &["drain"]).await;
    assert_eq!(code, 0, "{errors}");
    assert!(text.starts_with("vtep3: out of use; peers are told no more of the 1 hosts that are here"), "{text}");
    let key = stage.fabric.key("blue3").expect("it is of the demo");
    for vtep in ["vtep1", "vtep2"] {
        let forgotten = stage.fabric.log().wait(mark, PATIENCE, |event| match &event.kind {
            AgentEventKind::Report(Report::Removed { host, .. }) if *host == key && *event.agent == *vtep => Some(()),
            _ => None,
        });
        forgotten.await.expect("its list has no such host");
    }
    let (code, text, _) = stage.one("vtep3", &["status"]).await;
    assert_eq!(code, 3, "{text}");
    assert_eq!(lines(&text, &["hosts", "1 here", "; draining, 1 withheld"]).len(), 1, "{text}");
    assert_eq!(lines(&text, &["WARNING: It is out of use: 1 hosts are here"]).len(), 1, "{text}");
    assert_eq!(
        stage.one("vtep3", &["hosts", "--vni", "5002", "--mac", "02:00:00:00:00:03"]).await.1.lines().count(),
        2
    );
    let (code, _, errors) = stage.one("vtep1", &["why", blue3]).await;
    assert_eq!(code, 0, "it is remembered: {errors}");
    let (_, tables, _) = stage.one("vtep3", &["tables"]).await;
    assert_eq!(lines(&tables, &["the switch has what it should have"]).len(), 1, "{tables}");

    let mark = stage.fabric.log().mark();
    let (code, text, _) = stage.one("vtep3", &["drain", "--undo"]).await;
    assert_eq!((code, text.as_str()), (0, "vtep3: in use; peers are told of the 1 hosts that are here\n"));
    for vtep in ["vtep1", "vtep2"] {
        let told = stage.fabric.log().wait(mark, PATIENCE, |event| match &event.kind {
            AgentEventKind::Received { message: Message::Sync(Sync::Host { host, .. }), .. }
                if *host == key && *event.agent == *vtep =>
            {
                Some(())
            }
            _ => None,
        });
        told.await.expect("it is listed again");
    }
    assert_eq!(stage.one("vtep3", &["status"]).await.0, 0);
    // Whoever was not started from files has none to read again.
    let (code, _, errors) = stage.one("vtep3", &["reload"]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("was not started from files"), "{errors}");
}

async fn an_agent_that_is_gone(stage: &Stage) {
    let mark: Mark = stage.fabric.log().mark();
    stage.fabric.kill_agent("vtep3").await.expect("it runs");
    for vtep in ["vtep1", "vtep2"] {
        let down = stage.fabric.log().wait(mark, PATIENCE, |event| match &event.kind {
            AgentEventKind::PeerDown { .. } if *event.agent == *vtep => Some(()),
            _ => None,
        });
        down.await.expect("its peers hear of it");
    }
    let (code, text, errors) = stage.all(&["status"]).await;
    assert_eq!(code, 1, "{text}");
    assert!(errors.contains("cannot reach an agent at ") && errors.contains("vtep3.sock"), "{errors}");
    assert_eq!(lines(&text, &["WARNING: No session with vtep3"]).len(), 2, "{text}");
    // The others are only in need of attention.
    assert_eq!(stage.one("vtep1", &["status"]).await.0, 3);
    // What it had is still known, and that it cannot be asked.
    let (_, text, _) = stage.one("vtep1", &["why", "5002/10.0.0.3"]).await;
    assert!(text.contains("Heard here, vtep3 could not be asked, as there is no session"), "{text}");
}

#[tokio::test]
async fn without_an_agent_it_is_said_how_to_name_one() {
    let nobody = tempfile::tempdir().expect("a temporary folder");
    let socket = nobody.path().join("none.sock").display().to_string();
    let (code, out, errors) = vouch(&["status", "--socket", &socket]).await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(errors.starts_with("cannot reach an agent at "), "{errors}");
    let (code, out, errors) = vouch(&["hosts", "--agents", &socket]).await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(errors.contains("cannot read"), "{errors}");
    let empty = nobody.path().join("empty").display().to_string();
    std::fs::write(&empty, "# nobody\n").expect("the folder is writable");
    let (code, _, errors) = vouch(&["hosts", "--agents", &empty]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("there is no agent to ask"), "{errors}");
}
