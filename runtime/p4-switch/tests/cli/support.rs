//! A switch behind a server, and shells for it.

use std::path::{Path, PathBuf};

use p4_switch::cli::{Outcome, Shell, play};
use p4_switch::commands::{Access, OverThrift, Remote, Target};
use p4_switch::thrift::{About, Server, Services};
use tokio::runtime::Runtime;
use vouch_p4runtime::SessionConfig;
use vouch_switch_server::{Builder, Endpoint, LinkConfig, ServerHandle, SwitchServer, link};

/// A switch with ports 1 to 3.
pub(crate) struct Switch {
    handle: Option<ServerHandle>,
    /// The other ends of its ports.
    _hosts: Vec<Endpoint>,
    pub(crate) runtime: Runtime,
}

impl Switch {
    /// Without a program.
    pub(crate) fn empty() -> Self {
        Self::start(SwitchServer::builder())
    }

    /// With the program that has one of each kind of object.
    pub(crate) fn running() -> Self {
        let switch = Self::empty();
        let (program, p4info) = kinds();
        let had = switch.shell().start_with(&program, Some(&p4info)).expect("p4c wrote it");
        assert!(!had);
        switch
    }

    pub(crate) fn start(builder: Builder) -> Self {
        let runtime = Runtime::new().expect("threads can be started");
        let mut builder = builder.device_id(1);
        let mut hosts = Vec::new();
        for number in 1..=3 {
            let (host, port) = link(LinkConfig::default());
            builder = builder.port(number, port);
            hosts.push(host);
        }
        let switch = builder.build().expect("the ports differ");
        let handle = runtime.block_on(switch.listen("127.0.0.1:0")).expect("a free port");
        Self { handle: Some(handle), _hosts: hosts, runtime }
    }

    pub(crate) fn address(&self) -> String {
        self.handle.as_ref().expect("it runs").local_addr().to_string()
    }

    pub(crate) fn config(&self, election_id: u128) -> SessionConfig {
        SessionConfig::new(self.address(), 1, election_id)
    }

    /// Serve the same switch over Thrift, too.
    pub(crate) fn over_thrift(&self) -> (Server, Shell<OverThrift>) {
        let control = self.handle.as_ref().expect("it runs").control();
        let server = self.runtime.block_on(Server::listen(0, Services::new(control, About::default())));
        let server = server.expect("a free port");
        let device = OverThrift::connect("localhost", server.address().port(), None).expect("it listens");
        (server, Shell::new(device))
    }

    /// A shell without an election id of its own.
    pub(crate) fn shell(&self) -> Shell {
        self.shell_as(Access { config: self.config(1), insists: false })
    }

    pub(crate) fn shell_as(&self, access: Access) -> Shell {
        Shell::new(Remote::connect(access).expect("the switch is there"))
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        drop(self.handle.take());
    }
}

/// The program and its P4Info.
pub(crate) fn kinds() -> (PathBuf, PathBuf) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../switch-server/tests/programs");
    (folder.join("kinds.json"), folder.join("kinds.p4info.txtpb"))
}

/// Whether all of a text was carried out, what was printed, and what was refused.
pub(crate) fn played(shell: &mut Shell, text: &str, keep_going: bool) -> (bool, String, String) {
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let whole = play(shell, text.as_bytes(), keep_going, &mut out, &mut errors).expect("nothing fails in memory");
    let text = |bytes| String::from_utf8(bytes).expect("it is text");
    (whole, text(out), text(errors))
}

/// What a line that works prints.
pub(crate) fn said<D: Target>(shell: &mut Shell<D>, line: &str) -> String {
    match shell.line(line) {
        Ok(Outcome::Done(text)) => text,
        other => panic!("{line}: {other:?}"),
    }
}

/// Why a line is refused.
pub(crate) fn refusal(shell: &mut Shell, line: &str) -> String {
    match shell.line(line) {
        Err(refused) => refused,
        Ok(outcome) => panic!("{line}: {outcome:?}"),
    }
}
