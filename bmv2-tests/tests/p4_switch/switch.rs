//! A `p4-switch` process that carries frames between two veth pairs, and the other ends of these.
//!
//! ```text
//!   this namespace          the switch           the namespace `far`
//!        near ──────────── 1         2 ──────────────── far
//!      10.7.0.1                                       10.7.0.2
//! ```

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use vouch_bmv2_tests::SwitchProgram;
use vouch_bmv2_tests::harness::Failure;
use vouch_bmv2_tests::namespace::ip;

/// A running switch, which ends with this value.
pub(crate) struct Switch {
    child: Child,
    /// Where it serves P4Runtime.
    pub(crate) address: String,
}

impl Switch {
    /// Start it with ports 1 and 2, and wait until it serves.
    pub(crate) fn start(arguments: &[&str]) -> Result<Self, Failure> {
        let mut command = SwitchProgram::P4Switch.command(0)?;
        command.args(["-i", "1@s1", "-i", "2@s2", "--grpc-server-addr", "127.0.0.1:0"]).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut switch = Self { child, address: String::new() };
        for line in BufReader::new(output).lines() {
            if let Some(address) = line?.strip_prefix("Server listening on ") {
                switch.address = address.to_owned();
                return Ok(switch);
            }
        }
        Err("the switch ended before it served".into())
    }
}

impl Switch {
    /// Send it a signal by name, and give how it ended.
    pub(crate) fn end(mut self, signal: &str) -> Result<ExitStatus, Failure> {
        let sent = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status()?;
        if !sent.success() {
            return Err(format!("{signal} cannot be sent").into());
        }
        Ok(self.child.wait()?)
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // It has ended, or is ended now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The two pairs; the far end is in this namespace, or in one of its own where it has a stack of its own.
pub(crate) struct Pairs {
    has_namespace: bool,
}

impl Pairs {
    /// Both ends here, for frames that a test makes.
    pub(crate) fn here() -> Result<Self, Failure> {
        lay()?;
        ip(&["link set far up".to_owned()])?;
        Ok(Self { has_namespace: false })
    }

    /// With addresses, and the far end elsewhere, so that the kernel talks to itself through the switch.
    pub(crate) fn apart() -> Result<Self, Failure> {
        // Its name becomes a file, which nobody outside is to see.
        let hidden = Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run"]).status()?;
        if !hidden.success() {
            return Err("/run cannot be hidden".into());
        }
        lay()?;
        let pairs = Self { has_namespace: true };
        ip(&[
            "netns add far".to_owned(),
            "link set far netns far".to_owned(),
            "addr add 10.7.0.1/24 dev near".to_owned(),
        ])?;
        let far = ["link set lo up", "link set far up", "addr add 10.7.0.2/24 dev far"];
        for line in far {
            far_command("ip", &line.split(' ').collect::<Vec<_>>())?;
        }
        Ok(pairs)
    }
}

impl Drop for Pairs {
    fn drop(&mut self) {
        // Each takes its other end along; the tests go on whatever becomes of that.
        let _ = ip(&["link delete s1".to_owned()]);
        let _ = ip(&["link delete s2".to_owned()]);
        if self.has_namespace {
            let _ = ip(&["netns delete far".to_owned()]);
            let _ = Command::new("umount").args(["--lazy", "/run"]).status();
        }
    }
}

fn lay() -> Result<(), Failure> {
    Ok(ip(&[
        "link add s1 type veth peer name near".to_owned(),
        "link add s2 type veth peer name far".to_owned(),
        "link set s1 up".to_owned(),
        "link set s2 up".to_owned(),
        "link set near up".to_owned(),
    ])?)
}

/// Run a command in the far namespace.
pub(crate) fn far_command(program: &str, arguments: &[&str]) -> Result<(), Failure> {
    let output = Command::new("ip").args(["netns", "exec", "far", program]).args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

/// The program that carries frames from one port to the other.
pub(crate) fn patch() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/p4-switch/tests/programs/patch.json")
}
