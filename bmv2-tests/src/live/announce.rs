//! The migration is announced as a hypervisor does it: by the hook for libvirt.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use vouch_lab::HostSpec;

use crate::linux::Failure;
use crate::linux::hypervisor::Hypervisor;
use crate::linux::plan::RED;
use crate::linux::world::Site;

/// What is installed on hypervisors.
const HOOK: &str = include_str!("../../../configs/libvirt/qemu");

/// Call the hook of the destination, as libvirt does when a migration begins there. `socket` is that of its switch's agent.
pub(super) fn announce(site: &Site, machine: &HostSpec, to: &Hypervisor, socket: &Path) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let configuration = folder.path().join("libvirt.conf");
    let (port, command, socket) = (to.access.at.port, site.vouch_command()?, socket.display());
    std::fs::write(&configuration, format!("br0 {RED} {port}\ncommand {command}\nsocket {socket}\n"))?;
    let domain = format!(
        "<domain type='qemu'>\n  <name>{}</name>\n  <devices>\n    <interface type='bridge'>\n      <mac address='{}'/>\n      \
         <source bridge='br0'/>\n      <model type='virtio'/>\n    </interface>\n  </devices>\n</domain>\n",
        machine.name, machine.mac
    );
    let mut hook = Command::new("sh");
    hook.args(["-c", HOOK, "qemu", &machine.name, "migrate", "begin", "-"]);
    hook.env("VOUCH_LIBVIRT_CONF", &configuration).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = hook.spawn()?;
    // Taken out, so that it is closed when all is written.
    if let Some(mut input) = child.stdin.take() {
        input.write_all(domain.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    // Whatever happens, it lets the migration go on: what went wrong, it only says.
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || !said.trim().is_empty() || output.stdout.trim_ascii() != domain.trim().as_bytes() {
        return Err(format!("the hook for libvirt failed ({}): {}", output.status, said.trim()).into());
    }
    Ok(())
}
