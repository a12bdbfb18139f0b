//! A network namespace of one's own: what a test sends can reach nothing but what the same test has made.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use p4_switch::process::find;

/// Set in the process that was started anew: the namespace it came from.
const OUTSIDE: &str = "VOUCH_OUTSIDE_NAMESPACE";

/// What the tests call besides the switch itself, and what for.
const TOOLS: [(&str, &str); 3] = [
    ("ip", "it makes the veth pairs (package iproute2)"),
    ("unshare", "it makes the network namespace (package util-linux)"),
    ("setpriv", "it ends the switches with the test (package util-linux)"),
];

/// Why no test can run on this machine; `None` where they can.
pub(crate) fn missing() -> Option<String> {
    for (tool, purpose) in TOOLS {
        if find(tool).is_none() {
            return Some(format!("`{tool}` is not on the path: {purpose}"));
        }
    }
    // Whether this user may make a namespace depends on more than being root: ask by doing.
    match Command::new("unshare").args(["--net", "--mount", "true"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let reason = String::from_utf8_lossy(&output.stderr);
            Some(format!("no network namespace can be made here (it takes root): {}", reason.trim()))
        }
        Err(error) => Some(format!("`unshare` cannot be run: {error}")),
    }
}

/// Move this process into a network namespace of its own, by starting it anew there. Returns in the new one only.
///
/// To be called first thing in `main`, before there are threads.
pub(crate) fn enter() -> io::Result<()> {
    let here = current()?;
    match env::var(OUTSIDE) {
        Ok(outside) if outside != here => prepare(),
        Ok(_) => Err(io::Error::other(format!("still in the network namespace {here}, which is not to be touched"))),
        Err(_) => {
            let program = env::current_exe()?;
            // `exec` returns only if it fails.
            let command = &mut Command::new("unshare");
            Err(command.args(["--net", "--mount"]).arg(program).args(env::args_os().skip(1)).env(OUTSIDE, here).exec())
        }
    }
}

/// Bring the loopback up, on which the controllers talk, and keep the kernel's own IPv6 frames off the wires.
fn prepare() -> io::Result<()> {
    for scope in ["all", "default"] {
        let setting = format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6");
        if Path::new(&setting).exists() {
            fs::write(setting, "1")?;
        }
    }
    ip(&["link set lo up".to_owned()])?;
    // BMv2 looks in /sys whether a port is up, and that still shows the interfaces outside. Where it may not be mounted
    // anew, BMv2 takes every port for up and says so in its log: no reason to give up.
    let _ = Command::new("mount").args(["-t", "sysfs", "sysfs", "/sys"]).output();
    Ok(())
}

/// Run commands of `ip`, one per line.
///
/// # Errors
/// What `ip` said.
pub fn ip(lines: &[String]) -> io::Result<()> {
    use std::io::Write;
    use std::process::Stdio;

    let mut command = Command::new("ip");
    command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    // Taken out, so that it is closed when all is written: that is where `ip` ends.
    if let Some(mut input) = child.stdin.take() {
        input.write_all(lines.join("\n").as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("`ip` failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

fn current() -> io::Result<String> {
    Ok(fs::read_link("/proc/self/ns/net")?.to_string_lossy().into_owned())
}
