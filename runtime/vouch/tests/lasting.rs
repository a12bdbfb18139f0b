//! What no time heals ends `vouch run` with status 78, and it says why; what time may heal does not.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use axum::Router;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Status;
use tonic::service::Routes;
use tonic::transport::Server;
use vouch_switch_server::{ServerHandle, SwitchServer};

/// The demo's first VTEP, in a folder of its own.
struct Scene {
    folder: TempDir,
    config: String,
    runtime: Runtime,
}

impl Scene {
    fn new() -> Self {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/demo/vtep1.yaml");
        let config = std::fs::read_to_string(demo).expect("it is there");
        // No two agents that are tested at the same time may want the same address.
        let config = config.replace("127.0.0.1:7001", "127.0.0.1:0");
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, config, runtime: Runtime::new().expect("a runtime") }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.file(name), content).expect("the folder is writable");
    }

    /// Has the configuration say something else.
    fn instead(&mut self, of: &str, this: &str) {
        assert!(self.config.contains(of), "{}", self.config);
        self.config = self.config.replace(of, this);
    }

    /// A switch without ports.
    fn switch(&mut self) -> ServerHandle {
        let switch = SwitchServer::builder().device_id(1).build().expect("it has no ports");
        let switch = self.runtime.block_on(switch.listen("127.0.0.1:0")).expect("loopback has ports");
        self.instead("127.0.0.1:9559", &switch.local_addr().to_string());
        switch
    }

    /// Something else in the switch's place.
    fn in_the_switchs_place(&mut self, routes: Routes) {
        let listening = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("loopback has ports");
        let address: SocketAddr = listening.local_addr().expect("it listens");
        let served = Server::builder().add_routes(routes).serve_with_incoming(TcpListenerStream::new(listening));
        self.runtime.spawn(served);
        self.instead("127.0.0.1:9559", &address.to_string());
    }

    /// Runs the agent until it ends by itself, or has tried the same often enough. Its status, and what it has said.
    fn run(&self) -> (Option<i32>, String) {
        self.write("vtep1.yaml", &self.config);
        let mut agent = Command::new(env!("CARGO_BIN_EXE_vouch"))
            .arg("run")
            .arg(self.file("vtep1.yaml"))
            .env("VOUCH_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let (mut said, mut tries) = (String::new(), 0);
        for line in BufReader::new(agent.stderr.take().expect("piped")).lines().map_while(Result::ok) {
            tries += u32::from(["trying again in", "will be read back in"].iter().any(|words| line.contains(words)));
            said.push_str(&line);
            said.push('\n');
            if tries > 3 {
                // It may have ended.
                let _ = agent.kill();
                break;
            }
        }
        (agent.wait().expect("it was started").code(), said)
    }

    /// Runs the agent, which ends, and says all of this.
    #[track_caller]
    fn ends_saying(&self, words: &[&str]) {
        let (status, said) = self.run();
        assert_eq!(status, Some(78), "{said}");
        assert!(words.iter().all(|words| said.contains(words)), "{words:?} in {said}");
    }
}

#[test]
fn a_configuration_with_mistakes() {
    let mut scene = Scene::new();
    scene.instead("switch:\n", "swich:\n");
    scene.ends_saying(&["vtep1.yaml:9:1", "`switch`"]);
}

#[test]
fn a_configuration_that_the_switch_has_no_room_for() {
    let mut scene = Scene::new();
    let program = std::str::from_utf8(vouch_tables::DEVICE_CONFIG).expect("JSON is text");
    let (before, table) = program.split_once("\"name\" : \"ingress_interface\"").expect("the program has the table");
    let (between, size) = table.split_once("\"max_size\" : ").expect("the table has a size");
    let after = size.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let small = format!("{before}\"name\" : \"ingress_interface\"{between}\"max_size\" : 1{after}");
    scene.write("small.json", &small);
    scene.write("vtep.p4info.txtpb", vouch_tables::P4INFO_TEXT);
    let pipeline = "pipeline: {p4info: vtep.p4info.txtpb, device_config: small.json}";
    scene.instead("switch:\n", &format!("switch:\n  {pipeline}\n"));
    let switch = scene.switch();
    scene.ends_saying(&[
        "the switch refuses what the configuration wants",
        "room for its networks",
        "No time heals this",
    ]);
    scene.runtime.block_on(switch.shutdown());
}

#[test]
fn a_program_that_the_switch_cannot_run() {
    let mut scene = Scene::new();
    scene.write("no-program.json", "no program");
    scene.write("vtep.p4info.txtpb", vouch_tables::P4INFO_TEXT);
    let pipeline = "pipeline: {p4info: vtep.p4info.txtpb, device_config: no-program.json}";
    scene.instead("switch:\n", &format!("switch:\n  {pipeline}\n"));
    let switch = scene.switch();
    scene.ends_saying(&["the switch cannot run the program", "`switch.pipeline`", "No time heals this"]);
    scene.runtime.block_on(switch.shutdown());
}

#[test]
fn a_role_that_the_switch_refuses() {
    let mut scene = Scene::new();
    scene.instead("switch:\n", "switch:\n  role: vouch\n");
    let only_the_default =
        || async { Status::invalid_argument("there is no role vouch").into_http::<axum::body::Body>() };
    scene.in_the_switchs_place(Routes::from(Router::new().fallback(only_the_default)));
    scene.ends_saying(&[
        "the switch refuses the session",
        "there is no role vouch",
        "`switch.role`",
        "No time heals this",
    ]);
}

#[test]
fn a_target_that_is_no_switch() {
    let mut scene = Scene::new();
    scene.in_the_switchs_place(Routes::default());
    scene.ends_saying(&["the switch refuses the session", "Unimplemented", "`switch.target`", "No time heals this"]);
}

#[test]
fn a_certificate_for_another_name() {
    let mut scene = Scene::new();
    let tls = scene.file("tls");
    let certs = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vouch"));
        let made = command.arg("certs").args(arguments).arg("--folder").arg(&tls).output().expect("the command starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    certs(&["init"]);
    certs(&["issue", "vtep9"]);
    scene.instead("  plaintext: true ", "  tls: {ca: tls/ca.pem, cert: tls/vtep9.pem, key: tls/vtep9.key}\n");
    scene.instead("http://127.0.0.1:700", "https://127.0.0.1:700");
    scene.ends_saying(&["vtep1.yaml: peering.tls", "vtep9", "vtep1"]);
}

/// Whoever has the socket may leave it.
#[test]
fn a_socket_that_is_in_use_ends_it_with_another_status() {
    let mut scene = Scene::new();
    scene.config.push_str("\nmanagement: {socket: vtep1.sock}\n");
    let _other = std::os::unix::net::UnixListener::bind(scene.file("vtep1.sock")).expect("the folder is writable");
    let (status, said) = scene.run();
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("cannot serve management at"), "{said}");
}
