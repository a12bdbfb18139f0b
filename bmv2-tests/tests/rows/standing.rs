//! `fabric up` and what becomes of it: ended, and killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

/// How long what is killed with its parent may take to be gone.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(10);

fn fabric() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fabric"))
}

/// A fabric that stands, which is killed with this value.
struct Standing(Child);

impl Drop for Standing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Standing {
    fn up() -> Result<Self, Failed> {
        let command = &mut fabric();
        let mut child =
            command.args(["up", "--target", "p4-switch"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let standing = Self(child);
        // It ends with the process, if that does not come up.
        match BufReader::new(output).lines().map_while(Result::ok).any(|line| line == "The fabric stands.") {
            true => Ok(standing),
            false => Err("it does not come up".into()),
        }
    }

    /// What carries its name.
    fn names(&self) -> Result<Vec<String>, Failed> {
        let prefix = format!("vf-{}-", self.0.id());
        let mut names = Vec::new();
        for folder in [Path::new("/run/netns"), &std::env::temp_dir()] {
            for entry in std::fs::read_dir(folder)? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
        }
        names.retain(|name| name.starts_with(&prefix));
        Ok(names)
    }

    /// Its processes: those that have its number as their parent's.
    fn processes(&self) -> Result<Vec<u32>, Failed> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let status = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
            let parent =
                status.lines().find_map(|line| line.strip_prefix("PPid:")).and_then(|it| it.trim().parse().ok());
            if parent == Some(self.0.id()) {
                found.push(process);
            }
        }
        Ok(found)
    }
}

/// Whether all of these processes are gone in the end.
fn are_gone(processes: &[u32]) -> bool {
    let deadline = Instant::now() + PATIENCE;
    let there = |process: &&u32| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        !status.is_empty() && !status.contains("State:\tZ")
    };
    while processes.iter().any(|process| there(&process)) {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(LOOK);
    }
    true
}

fn check(held: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failed> {
    if held { Ok(()) } else { Err(otherwise().into()) }
}

pub(crate) fn stands_and_goes() -> Result<(), Failed> {
    // Killed, it leaves names and folders, but no processes.
    let mut killed = Standing::up()?;
    let processes = killed.processes()?;
    check(processes.len() == 8, || format!("four switches and four agents run: {processes:?}"))?;
    killed.0.kill()?;
    killed.0.wait()?;
    check(are_gone(&processes), || format!("some of {processes:?} live on"))?;
    check(!killed.names()?.is_empty(), || "the names of a killed fabric are still there to be cleaned up".to_owned())?;

    // The next takes them away.
    let mut standing = Standing::up()?;
    let left = killed.names()?;
    check(left.is_empty(), || format!("left of a killed fabric: {left:?}"))?;
    let shell = fabric().args(["shell", "red1", "ip", "-brief", "address", "show", "dev", "eth0"]).output()?;
    let said = String::from_utf8_lossy(&shell.stdout);
    check(said.contains("10.0.0.1/16"), || format!("on red1: {said} {}", String::from_utf8_lossy(&shell.stderr)))?;
    let nobody = fabric().args(["shell", "nobody", "true"]).output()?;
    let said = String::from_utf8_lossy(&nobody.stderr);
    check(said.contains("no fabric with a host nobody stands"), || said.to_string())?;

    // Ended, it takes everything away by itself; so does `down`, which uses the same signal as whoever stops a machine.
    let processes = standing.processes()?;
    let down = fabric().arg("down").output()?;
    let said = String::from_utf8_lossy(&down.stdout);
    check(said.contains(&format!("gone: the fabric of process {}", standing.0.id())), || {
        format!("down: {said} {}", String::from_utf8_lossy(&down.stderr))
    })?;
    let status = standing.0.wait()?;
    check(status.success(), || format!("{status}"))?;
    let left = standing.names()?;
    check(left.is_empty() && are_gone(&processes), || format!("left of an ended fabric: {left:?}"))
}
